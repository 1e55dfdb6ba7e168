use crate::edge::{EdgeCall, place};
use crate::world::{ANNA, FIRM, PLAIN, World, at, dec, eur};
use call_control::{ChargedBy, PricedBy};
use chrono::NaiveDate;
use db::{CustomerId, SubscriptionId};
use money::Currency;
use pricing::Price;
use std::collections::BTreeMap;
use subscription::{Billed, Component, ComponentKind, NewPlanVersion, NewSubscription};

/// A plan of 0.10 a minute, sold to a customer.
async fn sell(world: &World, code: &str, customer_id: CustomerId, included: &str) -> SubscriptionId {
    let tx = world.tx().await;
    let plan = subscription::create_plan(&tx, code, code, "", false).await.unwrap();
    let minutes = Component {
        key: "minutes".into(),
        kind: ComponentKind::Usage,
        name: "Minutes".into(),
        measure: Some("minutes".into()),
        filter: BTreeMap::new(),
        included: dec(included),
        minimum_quantity: dec("0"),
        price: Price::per_unit(dec("0.10")),
        billed: Billed::InArrears,
    };
    let version = NewPlanVersion { trial_days: 0, ..NewPlanVersion::monthly(Currency::EUR, vec![minutes]) };
    let version = subscription::publish_version(&tx, plan, &version, at(0)).await.unwrap();
    let new = NewSubscription {
        customer_id,
        plan_version_id: version,
        seats: 0,
        anchor_on: NaiveDate::from_ymd_opt(2026, 3, 1).unwrap(),
        starts_at: at(-3600),
        trial: false,
    };
    let id = subscription::subscribe(&tx, &new, at(0)).await.unwrap();
    tx.commit().await.unwrap();
    id
}

#[tokio::test]
async fn a_call_that_a_plan_covers_is_charged_by_no_tariff() {
    let world = World::set().await;
    let subscription_id = sell(&world, "support", world.anna, "0").await;
    let mut call = EdgeCall::arrive(&world, ANNA, 10).await.unwrap();
    assert_eq!(call.choose(PLAIN).await.unwrap().authorised_seconds, None);
    call.start_meter().await;
    call.talk_to(90).await;
    call.hang_up().await;
    assert_eq!(world.wallet().await, (eur("20.00"), eur("0")));
    let tx = world.tx().await;
    let detail = call_control::call(&tx, call.call_id()).await.unwrap();
    assert_eq!((detail.call.charge, detail.call.charged_by), (None, Some(ChargedBy::Component)));
    assert_eq!(detail.call.net, Some(eur("0.15"))); // 1.5 x 0.10
    let why = detail.explanation.unwrap();
    assert!(
        matches!(&why.priced_by, PricedBy::Component { plan, component, plan_version: 1, .. } if plan == "support" && component == "Minutes")
    );
    assert_eq!(world.used(world.centre, world.anna, "minutes").await, dec("1.5"));
    assert_eq!(world.used(world.centre, world.anna, "charge").await, dec("0"));
    let line = call_control::Line::Component { subscription_id, key: "minutes".into() };
    assert_eq!(call_control::calls_of_line(&tx, world.anna, &line, at(0), at(999), 10).await.unwrap().calls.len(), 1);
    drop(tx);
    world.audit(at(1000)).await;
}

#[tokio::test]
async fn what_an_included_minute_is_worth_is_known_at_the_period_s_end_only() {
    let world = World::set().await;
    sell(&world, "support", world.firm, "100").await;
    let call = place(&world, FIRM, PLAIN, 60).await;
    let detail = call_control::call(&world.tx().await, call.call_id()).await.unwrap();
    assert_eq!((detail.call.charge, detail.call.net), (None, None));
    assert_eq!(detail.legs[0].amount, None);
}

#[tokio::test]
async fn a_call_that_two_subscriptions_cover_waits_in_suspense_and_is_charged_by_neither() {
    let world = World::set().await;
    sell(&world, "support", world.anna, "0").await;
    sell(&world, "advice", world.anna, "0").await;
    let call = place(&world, ANNA, PLAIN, 90).await;
    let tx = world.tx().await;
    let detail = call_control::call(&tx, call.call_id()).await.unwrap();
    assert_eq!((detail.call.charge, detail.call.charged_by), (None, Some(ChargedBy::Nothing)));
    let waiting = usage_metering::open_suspense(&tx, 10).await.unwrap();
    assert_eq!(
        waiting.iter().map(|s| s.cause).collect::<Vec<_>>(),
        [usage_metering::SuspenseCause::SeveralSubscriptions]
    );
    drop(tx);
    assert_eq!(world.wallet().await, (eur("20.00"), eur("0")));
    assert_eq!(world.used(world.centre, world.anna, "minutes").await, dec("0"));
    world.audit(at(1000)).await;
}
