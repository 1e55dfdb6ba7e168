//! An event that comes after its period: each plan says what becomes of it.

use crate::world::*;
use chrono::{DateTime, Utc};
use db::CustomerId;
use subscription::LateUsage;
use usage_metering::{Correction, Outcome, SuspenseCause, UsageEvent, ingest, replay_suspense};

const LATE: Outcome = Outcome::Suspended(SuspenseCause::LateUsage);

/// A minute of the last hour of March.
fn of_march(id: &str, customer_id: CustomerId) -> UsageEvent {
    UsageEvent { occurred_at: at("2026-03-31T23:10:00Z"), ..event(id, customer_id, "1") }
}

async fn told(world: &World, event: UsageEvent, now: DateTime<Utc>) -> Outcome {
    ingest(&world.database.db, world.tenant, &[event], now).await.unwrap()[0]
}

#[tokio::test]
async fn late_usage_is_taken_or_waits_as_its_plan_says_and_two_hours_are_not_late() {
    let world = World::new().await;
    // March is over at midnight; what comes until 02:00 is not late.
    let (in_time, late) = (at("2026-04-01T01:59:59Z"), at("2026-04-01T02:00:00Z"));
    for (policy, expected) in
        [(LateUsage::Bill, Outcome::Accepted), (LateUsage::Absorb, Outcome::Accepted), (LateUsage::Suspend, LATE)]
    {
        let name = policy.as_str();
        let customer = world.customer(name, "UTC").await;
        let named = world.subscribe_late(customer, name, &[], policy).await;
        assert_eq!(told(&world, of_march(&format!("{name} in time"), customer), in_time).await, Outcome::Accepted);
        assert_eq!(told(&world, of_march(&format!("{name} late"), customer), late).await, expected, "{name}");
        let by_name = UsageEvent { subscription_id: Some(named), ..of_march(&format!("{name} by name"), customer) };
        assert_eq!(told(&world, by_name, late).await, expected, "{name}, and it names its subscription");
        let of_april = UsageEvent { occurred_at: late, ..of_march(&format!("{name} now"), customer) };
        assert_eq!(told(&world, of_april, late).await, Outcome::Accepted, "{name}: April has just begun");
    }
    assert_eq!(world.suspense().await, ["late_usage", "late_usage"]);
    assert_eq!(world.violations().await, []);
}

#[tokio::test]
async fn what_is_late_counts_when_a_person_says_so() {
    let world = World::new().await;
    let (customer, nobody, late) = (world.customer("C-1", "UTC").await, CustomerId::new(), at("2026-04-10T08:00:00Z"));
    world.subscribe_late(customer, "strict", &[], LateUsage::Suspend).await;
    assert_eq!(told(&world, of_march("a", customer), late).await, LATE);
    let unknown = Outcome::Suspended(SuspenseCause::UnknownCustomer);
    assert_eq!(told(&world, of_march("b", nobody), late).await, unknown);

    let tx = world.tx().await;
    let replay = replay_suspense(&tx, SuspenseCause::LateUsage, &Correction::default(), "Ada", late).await.unwrap();
    assert_eq!((replay.accepted, replay.waiting.len()), (1, 0), "to count it is the decision");
    // Whose it is was not the only question: that it is late is another.
    let mut correction = Correction { customer_id: Some(customer), ..Correction::default() };
    let replay = replay_suspense(&tx, SuspenseCause::UnknownCustomer, &correction, "Ada", late).await.unwrap();
    assert_eq!((replay.accepted, replay.waiting[&SuspenseCause::LateUsage]), (0, 1));
    correction.takes_late = true;
    let replay = replay_suspense(&tx, SuspenseCause::UnknownCustomer, &correction, "Ada", late).await.unwrap();
    assert_eq!(replay.accepted, 1);
    tx.commit().await.unwrap();
    assert_eq!(world.used(customer, "minutes").await, "2");
    assert!(world.suspense().await.is_empty());
}
