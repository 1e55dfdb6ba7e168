use crate::world::*;
use chrono::TimeDelta;
use db::{CallId, CustomerId, SubscriptionId};
use usage_metering::Outcome::{Accepted, Conflict, Duplicate, Rejected, Suspended};
use usage_metering::{Claim, Outcome, Rejection, SuspenseCause, UsageEvent, claim_call_events, retry_suspense};

/// Both doors take the same steps to the same end.
async fn through_both_doors(story: impl AsyncFn(&World, bool)) {
    for is_bulk in [true, false] {
        let world = World::new().await;
        story(&world, is_bulk).await;
        assert_eq!(world.violations().await, [], "bulk: {is_bulk}");
    }
}

async fn take(world: &World, is_bulk: bool, events: &[UsageEvent]) -> Vec<Outcome> {
    if is_bulk { world.ingest(events).await } else { world.ingest_in(events).await }
}

#[tokio::test]
async fn the_same_id_twice_is_one_event_and_another_payload_changes_nothing() {
    through_both_doors(async |world, is_bulk| {
        let customer = world.customer("C-1", "Europe/Berlin").await;
        let (a, b) = (event("a", customer, "1.5"), event("b", customer, "2"));
        assert_eq!(take(world, is_bulk, &[a.clone(), b.clone()]).await, [Accepted, Accepted]);
        // Once more, with a new one between and a changed one at the end.
        let changed = UsageEvent { quantity: "9".parse().unwrap(), ..b.clone() };
        let again = [a.clone(), event("c", customer, "4"), changed.clone()];
        assert_eq!(take(world, is_bulk, &again).await, [Duplicate, Accepted, Conflict]);
        assert_eq!(world.used(customer, "minutes").await, "7.5"); // 1.5 + 2 + 4; the 9 waits
        assert_eq!(world.suspense().await, ["conflict"]);
        // A conflict that is sent again is the same conflict, not a second entry.
        assert_eq!(take(world, is_bulk, &[changed]).await, [Conflict]);
        assert_eq!(world.suspense().await, ["conflict"]);
        // Another source is another key.
        assert_eq!(take(world, is_bulk, &[UsageEvent { source: "other".into(), ..a }]).await, [Accepted]);
        assert_eq!(world.used(customer, "minutes").await, "9"); // 7.5 + 1.5
    })
    .await;
}

#[tokio::test]
async fn a_key_knows_no_time() {
    through_both_doors(async |world, is_bulk| {
        let customer = world.customer("C-1", "UTC").await;
        let first = event("a", customer, "1");
        assert_eq!(take(world, is_bulk, std::slice::from_ref(&first)).await, [Accepted]);
        // Another month is another partition of the events, and still the same key.
        let moved = UsageEvent { occurred_at: at("2026-02-02T10:00:00Z"), ..first };
        assert_eq!(take(world, is_bulk, &[moved]).await, [Conflict]);
        assert_eq!(world.used(customer, "minutes").await, "1");
    })
    .await;
}

#[tokio::test]
async fn within_one_batch_the_first_of_a_key_stands() {
    through_both_doors(async |world, is_bulk| {
        let customer = world.customer("C-1", "UTC").await;
        let events = [
            event("z", customer, "1"),
            event("a", customer, "2"),
            event("z", customer, "1"),
            event("z", customer, "5"),
        ];
        assert_eq!(take(world, is_bulk, &events).await, [Accepted, Accepted, Duplicate, Conflict]);
        assert_eq!(world.used(customer, "minutes").await, "3"); // 1 + 2
        assert_eq!(world.suspense().await, ["conflict"]);
    })
    .await;
}

#[tokio::test]
async fn what_matches_nothing_is_kept_in_suspense() {
    through_both_doors(async |world, is_bulk| {
        let customer = world.customer("C-1", "UTC").await;
        let now = at(NOW);
        let nobody = CustomerId::new();
        let good = event("good", customer, "1");
        let dated = |id: &str, occurred_at| UsageEvent { id: id.into(), occurred_at, ..good.clone() };
        let events = [
            event("nobody", nobody, "1"),
            UsageEvent { id: "meter".into(), meter: "parsecs".into(), ..good.clone() },
            dated("tomorrow", now + TimeDelta::hours(24)),
            dated("after", now + TimeDelta::hours(24) + TimeDelta::seconds(1)),
            dated("old", at("2025-02-15T12:00:00Z")), // 13 months to the day
            dated("ancient", at("2025-02-15T11:59:59Z")),
            good.clone(),
        ];
        let expected = [
            Suspended(SuspenseCause::UnknownCustomer),
            Suspended(SuspenseCause::UnknownMeter),
            Accepted,
            Suspended(SuspenseCause::AbsurdTime),
            Accepted,
            Suspended(SuspenseCause::AbsurdTime),
            Accepted,
        ];
        assert_eq!(take(world, is_bulk, &events).await, expected);
        assert_eq!(world.suspense().await, ["absurd_time", "absurd_time", "unknown_customer", "unknown_meter"]);
        assert_eq!(world.used(customer, "minutes").await, "2"); // good and tomorrow's; the old one lies before March
        // Sent again, it is known: it waits already.
        assert_eq!(take(world, is_bulk, &events[..2]).await, [Duplicate, Duplicate]);
        assert_eq!(world.suspense().await.len(), 4);
    })
    .await;
}

#[tokio::test]
async fn what_is_no_event_is_rejected_and_its_neighbours_are_taken() {
    let world = World::new().await;
    let customer = world.customer("C-1", "UTC").await;
    let events = [event("", customer, "1"), event("minus", customer, "-1"), event("good", customer, "1")];
    let expected = [Rejected(Rejection::KeyMustHaveALength), Rejected(Rejection::QuantityMustNotBeNegative), Accepted];
    assert_eq!(world.ingest(&events).await, expected);
    // Our own corrections may take something back.
    assert_eq!(world.ingest_in(&[event("correction", customer, "-0.25")]).await, [Accepted]);
    assert_eq!(world.used(customer, "minutes").await, "0.75"); // 1 - 0.25
    assert_eq!(world.violations().await, []);
}

#[tokio::test]
async fn a_suspended_event_is_taken_once_its_customer_or_meter_is_there() {
    let world = World::new().await;
    let customer = world.customer("C-1", "UTC").await;
    let late = UsageEvent { meter: "messages".into(), ..event("m", customer, "3") };
    assert_eq!(world.ingest(&[late]).await, [Suspended(SuspenseCause::UnknownMeter)]);
    let tx = world.tx().await;
    let waiting = usage_metering::open_suspense(&tx, 10).await.unwrap().remove(0);
    assert_eq!(retry_suspense(&tx, waiting.id, at(NOW)).await.unwrap(), Suspended(SuspenseCause::UnknownMeter));
    let meter = usage_metering::Meter::new("messages", "Messages", "message", usage_metering::Aggregation::Sum, &[]);
    usage_metering::define_meter(&tx, &meter).await.unwrap();
    assert_eq!(retry_suspense(&tx, waiting.id, at(NOW)).await.unwrap(), Accepted);
    assert!(retry_suspense(&tx, waiting.id, at(NOW)).await.is_err()); // it waits no more
    tx.commit().await.unwrap();
    assert_eq!(world.used(customer, "messages").await, "3");
    assert_eq!(world.suspense().await, Vec::<&str>::new());
    assert_eq!(world.violations().await, []);
}

#[tokio::test]
async fn an_event_goes_to_the_subscription_it_names_else_to_the_only_one_that_charges_for_it() {
    let world = World::new().await;
    let customer = world.customer("C-1", "UTC").await;
    let stranger = world.customer("C-2", "UTC").await;
    let law = world.subscribe(customer, "law", &[("topic", "law")]).await;
    let tax = world.subscribe(customer, "tax", &[("topic", "tax")]).await;
    let with =
        |id: &str, topic: &str| UsageEvent { dimensions: dimensions(&[("topic", topic)]), ..event(id, customer, "1") };
    let named = |id: &str, subscription: SubscriptionId| UsageEvent {
        subscription_id: Some(subscription),
        ..event(id, customer, "10")
    };
    let before = UsageEvent { occurred_at: at("2026-02-28T23:59:59Z"), ..with("before", "law") };
    let events = [with("law", "law"), with("tax", "tax"), with("music", "music"), named("named", tax), before];
    let early = Suspended(SuspenseCause::NoSubscription); // nothing had begun in February
    assert_eq!(world.ingest(&events).await, [Accepted, Accepted, Accepted, Accepted, early]);
    let used = async |subscription| {
        world.used_of(customer, "minutes", &[], subscription, usage_metering::Aggregate::Sum).await
    };
    assert_eq!(used(Some(law)).await, "1");
    assert_eq!(used(Some(tax)).await, "11"); // 1 by its topic, 10 by its name
    assert_eq!(used(None).await, "13"); // and one of music, which nobody charges for; February's waits
    // A second one that charges for law: nobody may guess.
    world.subscribe(customer, "law-twice", &[("topic", "law")]).await;
    assert_eq!(world.ingest(&[with("which", "law")]).await, [Suspended(SuspenseCause::SeveralSubscriptions)]);
    let foreign = UsageEvent { customer_id: stranger, ..named("foreign", law) };
    assert_eq!(world.ingest(&[foreign]).await, [Suspended(SuspenseCause::UnknownSubscription)]);
    assert_eq!(world.violations().await, []);
}

#[tokio::test]
async fn two_edges_that_tell_the_same_call_count_it_once() {
    let world = World::new().await;
    let (call, now) = (CallId::new(), at(NOW));
    let told = |kind: &str, seq, payload: u8| (kind.to_owned(), seq, [payload; 32]);
    let tx = world.tx().await;
    let first = claim_call_events(&tx, call, &[told("answered", 1, 1), told("ended", 2, 2)], now).await.unwrap();
    assert_eq!(first, [Claim::New, Claim::New]);
    let events =
        [told("answered", 1, 1), told("ended", 2, 9), told("ended", 3, 3), told("ended", 3, 3), told("ended", 3, 4)];
    let second = claim_call_events(&tx, call, &events, now).await.unwrap();
    assert_eq!(second, [Claim::Known, Claim::Conflict, Claim::New, Claim::Known, Claim::Conflict]);
    let other = claim_call_events(&tx, CallId::new(), &[told("answered", 1, 1)], now).await.unwrap();
    assert_eq!(other, [Claim::New]); // another call has its own keys
}

#[tokio::test]
async fn the_audit_names_a_key_that_ended_nowhere_and_a_sum_that_is_not_its_events() {
    let world = World::new().await;
    let customer = world.customer("C-1", "UTC").await;
    world.ingest(&[event("a", customer, "1"), event("b", customer, "2")]).await;
    assert_eq!(world.violations().await, []);
    world.database.as_owner("DELETE FROM usage_event WHERE source_id = 'b'").await;
    let violations: Vec<String> = world.violations().await.into_iter().map(|violation| violation.detail).collect();
    assert_eq!(violations.len(), 2, "{violations:?}");
    assert!(violations[0].starts_with("event b of switch was taken"));
    assert!(violations[1].ends_with("the hours hold 3, its events 1"));
}

#[tokio::test]
async fn what_waits_is_tried_again_all_of_one_cause_at_once_and_first_for_nothing() {
    let world = World::new().await;
    let (known, nobody) = (world.customer("C-1", "UTC").await, CustomerId::new());
    let parsecs = |id: &str| UsageEvent { meter: "parsecs".into(), ..event(id, known, "2") };
    world.ingest(&[event("a", nobody, "1.5"), event("b", nobody, "2"), parsecs("c"), parsecs("d")]).await;
    let correction = usage_metering::Correction { customer_id: Some(known), ..Default::default() };
    let unknown = SuspenseCause::UnknownCustomer;
    // As they came they would go on waiting.
    let tx = world.tx().await;
    let replay = usage_metering::replay_suspense(&tx, unknown, &Default::default(), "Ada", at(NOW)).await.unwrap();
    assert_eq!((replay.tried, replay.accepted, replay.waiting[&unknown]), (2, 0, 2));
    // A dry run: what would be, and then it was not.
    let replay = usage_metering::replay_suspense(&tx, unknown, &correction, "Ada", at(NOW)).await.unwrap();
    assert_eq!(replay.counted["minutes"], ("3.5".parse().unwrap(), 2)); // 1.5 + 2
    tx.rollback().await.unwrap();
    assert_eq!(world.used(known, "minutes").await, "0");
    assert_eq!(world.suspense().await.len(), 4);

    let tx = world.tx().await;
    usage_metering::replay_suspense(&tx, unknown, &correction, "Ada", at(NOW)).await.unwrap();
    let again = usage_metering::replay_suspense(&tx, unknown, &correction, "Ada", at(NOW)).await.unwrap();
    assert_eq!(again.tried, 0, "what was accepted does not wait any more");
    tx.commit().await.unwrap();
    assert_eq!(world.used(known, "minutes").await, "3.5");
    assert_eq!(world.suspense().await, ["unknown_meter", "unknown_meter"]);
    // Sent again it is known, and a person may say that the rest counts nowhere.
    assert_eq!(world.ingest(&[event("a", nobody, "1.5")]).await, [Duplicate]);
    let tx = world.tx().await;
    let discarded =
        usage_metering::discard_suspense(&tx, SuspenseCause::UnknownMeter, "a test of theirs", "Ada", at(NOW)).await;
    assert_eq!(discarded.unwrap(), 2);
    tx.commit().await.unwrap();
    assert!(world.suspense().await.is_empty());
    assert_eq!(world.violations().await, []);
}
