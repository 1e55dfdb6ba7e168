//! The clock and subscriptions: what the worker does without anybody asking.

use crate::world::{World, flat, founded, prepaid, start};
use chrono::TimeDelta;
use db::SubscriptionId;
use money::{Currency, Percent};
use ringtill::worker;
use subscription::{
    LoyaltyReward, LoyaltyRule, NewPlanVersion, NewSubscription, SubscriptionStatus as Status, TrialEnd,
};

/// Jonas or Petra on a plan with a trial of 14 days, from 2 March on.
async fn on_trial(world: &World, customer_id: db::CustomerId, terms: NewPlanVersion) -> SubscriptionId {
    let tx = world.nord().await;
    let code = format!("plan-{}", customer_id.uuid().simple());
    let plan = subscription::create_plan(&tx, &code[..20], "Advice", "", false).await.unwrap();
    let plan_version_id = subscription::publish_version(&tx, plan, &terms, founded()).await.unwrap();
    let anchor_on = "2026-03-01".parse().unwrap();
    let trial = terms.trial_days > 0;
    let new = NewSubscription { customer_id, plan_version_id, seats: 0, anchor_on, starts_at: start(), trial };
    let id = subscription::subscribe(&tx, &new, start()).await.unwrap();
    tx.commit().await.unwrap();
    id
}

async fn status(world: &World, id: SubscriptionId) -> Status {
    subscription::history(&world.nord().await, id).await.unwrap().unwrap().status_at(world.app.clock.now())
}

async fn told(world: &World, customer: db::CustomerId) -> Vec<String> {
    let events = subscription::customer_events(&world.nord().await, customer, 50).await.unwrap();
    events.into_iter().map(|event| event.kind).collect()
}

async fn work_until(world: &World, days: i64) {
    world.app.clock.travel_to(start() + TimeDelta::days(days));
    while worker::round(&world.app).await.unwrap() {}
}

#[tokio::test]
async fn a_trial_is_reminded_of_and_converts_for_who_can_pay_and_ends_for_who_cannot() {
    let world = World::new().await;
    let terms = || NewPlanVersion {
        trial_end: TrialEnd::Cancel,
        ..NewPlanVersion::monthly(Currency::EUR, vec![flat("platform", "29.00")])
    };
    // Jonas has 50.00 in his wallet; the wallet of the other one is empty.
    let tx = world.nord().await;
    let new = prepaid("N-3", "Nina Brand");
    let nina = subscription::create_customer(&tx, &new, founded()).await.unwrap();
    tx.commit().await.unwrap();
    let jonas_on = on_trial(&world, world.jonas, terms()).await;
    let nina_on = on_trial(&world, nina, terms()).await;
    work_until(&world, 1).await;
    assert_eq!(status(&world, jonas_on).await, Status::Trial);
    work_until(&world, 12).await;
    let reminders = told(&world, world.jonas).await;
    assert_eq!(reminders.iter().filter(|kind| *kind == "trial_ending").count(), 1, "{reminders:?}");
    work_until(&world, 15).await;
    assert_eq!(status(&world, jonas_on).await, Status::Active);
    assert_eq!(status(&world, nina_on).await, Status::Cancelled);
    work_until(&world, 16).await;
    assert_eq!(told(&world, world.jonas).await.iter().filter(|kind| *kind == "trial_ending").count(), 1, "once");
}

#[tokio::test]
async fn loyalty_is_told_when_it_is_reached_and_a_renewal_when_it_happens() {
    let world = World::new().await;
    let percent = Percent::new(5.into()).unwrap();
    let terms = NewPlanVersion {
        trial_days: 0,
        loyalty: vec![LoyaltyRule { after_months: 2, reward: LoyaltyReward::PercentOff(percent) }],
        ..NewPlanVersion::monthly(Currency::EUR, vec![flat("platform", "29.00")])
    };
    on_trial(&world, world.jonas, terms).await;
    work_until(&world, 40).await;
    let before = told(&world, world.jonas).await;
    work_until(&world, 70).await;
    let after = told(&world, world.jonas).await;
    assert!(after.len() > before.len(), "{after:?}");
    assert!(after.iter().any(|kind| kind.starts_with("loyalty")), "{after:?}");
}
