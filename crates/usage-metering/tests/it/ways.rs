//! Ways to count that are no sums: different values, a percentile, and how many at once.

use crate::world::*;
use db::{CustomerId, SubscriptionId};
use std::sync::Arc;
use tokio::task::JoinSet;
use usage_metering::{
    Aggregate, Aggregation, Meter, Outcome, Rejection, UsageError, UsageEvent, UsageOf, UsageQuery, UsageSeen, by_hour,
    define_meter, dirty_hours, dirty_hours_of, preview_meter, recount, seen_by_customer, seen_by_day,
    seen_by_dimension, seen_total, sweep,
};

/// A meter of chats.
pub fn meter(code: &str, aggregation: Aggregation) -> Meter {
    Meter { event_type: "chat".to_owned(), ..Meter::new(code, code, "chat", aggregation, &[]) }
}

pub fn unique(code: &str) -> Meter {
    Meter { of_dimension: Some("caller".to_owned()), ..meter(code, Aggregation::Unique) }
}

pub fn percentile(code: &str, percent: &str) -> Meter {
    Meter { percent: Some(percent.parse().unwrap()), ..meter(code, Aggregation::Percentile) }
}

pub async fn define(world: &World, meter: &Meter) {
    let tx = world.tx().await;
    define_meter(&tx, meter).await.unwrap();
    tx.commit().await.unwrap();
}

fn chat(id: &str, customer_id: CustomerId, time: &str, quantity: &str, caller: &str) -> UsageEvent {
    UsageEvent {
        meter: "chat".to_owned(),
        occurred_at: at(&format!("2026-03-{time}Z")),
        dimensions: dimensions(&[("caller", caller)]),
        ..event(id, customer_id, quantity)
    }
}

/// How many marks a sweep takes away.
pub async fn swept(world: &World) -> u64 {
    let tx = world.tx().await;
    let swept = sweep(&tx, at(NOW)).await.unwrap();
    tx.commit().await.unwrap();
    swept
}

/// What each hour of 2 March has: hour of the day, quantity and events.
async fn hours(world: &World, meter: &str) -> Vec<(String, String, i64)> {
    let (from, to) = (at("2026-03-02T00:00:00Z"), at("2026-03-03T00:00:00Z"));
    let hours = by_hour(&world.tx().await, meter, &dimensions(&[]), from, to).await.unwrap();
    hours.into_iter().map(|hour| (hour.hour.format("%H").to_string(), hour.quantity.to_string(), hour.events)).collect()
}

fn told(rows: &[(&str, &str, i64)]) -> Vec<(String, String, i64)> {
    rows.iter().map(|(hour, quantity, events)| ((*hour).to_owned(), (*quantity).to_owned(), *events)).collect()
}

fn march(meter: &str) -> UsageSeen {
    let [from_on, until_on] = ["2026-03-01", "2026-03-31"].map(|day| day.parse().unwrap());
    UsageSeen { meter: meter.to_owned(), customer: None, filter: dimensions(&[]), from_on, until_on }
}

/// Quantity and events of March as a page says them of everybody, and of each customer, the largest first.
async fn seen(world: &World, meter: &str) -> (String, i64, Vec<(String, i64)>) {
    let tx = world.tx().await;
    let (quantity, events) = seen_total(&tx, &march(meter)).await.unwrap();
    let (customers, _) = seen_by_customer(&tx, &march(meter), 9).await.unwrap();
    let customers = customers.into_iter().map(|sum| (sum.quantity.to_string(), sum.events)).collect();
    (quantity.to_string(), events, customers)
}

async fn recounted(world: &World) -> Vec<String> {
    recount(&world.tx().await).await.unwrap().into_iter().map(|violation| violation.detail).collect()
}

#[tokio::test]
async fn a_value_counts_once_in_an_hour_once_in_a_month_and_once_in_the_book() {
    let world = World::new().await;
    let (first, second) = (world.customer("C-1", "UTC").await, world.customer("C-2", "UTC").await);
    define(&world, &Meter { dimensions: vec!["language".to_owned()], ..unique("callers") }).await;
    let in_language = |event: UsageEvent, language: &str| {
        let mut dimensions = event.dimensions;
        dimensions.insert("language".to_owned(), language.to_owned());
        UsageEvent { dimensions, ..event }
    };
    let events = [
        in_language(chat("a", first, "02T10:00:00", "7", "ada"), "de"),
        in_language(chat("b", first, "02T10:30:00", "1", "ada"), "en"),
        in_language(chat("c", first, "02T10:40:00", "1", "bob"), "de"),
        in_language(chat("d", first, "02T11:00:00", "1", "ada"), "de"),
        in_language(chat("e", first, "05T11:00:00", "1", "cid"), "de"),
        in_language(chat("f", second, "05T11:00:00", "1", "cid"), "de"),
    ];
    for folded in [false, true] {
        if !folded {
            assert_eq!(world.ingest(&events).await[1..], [Outcome::Accepted; 5]);
            // Nobody looks at the quantity: seven chats in one event would be one caller.
            assert_eq!(world.ingest(&events[..1]).await, [Outcome::Rejected(Rejection::QuantityMustBeOne)]);
            let one = UsageEvent { quantity: "1".parse().unwrap(), ..events[0].clone() };
            assert_eq!(world.ingest(&[one]).await, [Outcome::Accepted]);
        }
        assert_eq!(hours(&world, "callers").await, told(&[("10", "2", 3), ("11", "1", 1)]), "folded {folded}");
        assert_eq!(world.used(first, "callers").await, "3", "ada, bob and cid, not 2 + 1 + 1");
        let german = world.used_of(first, "callers", &[("language", "en")], None, Aggregate::Sum).await;
        assert_eq!(german, "1", "ada");
        // cid is a caller of both, and one of the book's three.
        assert_eq!(seen(&world, "callers").await, ("3".to_owned(), 6, vec![("3".to_owned(), 5), ("1".to_owned(), 1)]));
        let tx = world.tx().await;
        let languages = seen_by_dimension(&tx, &march("callers"), "language", 9).await.unwrap();
        let languages: Vec<String> = languages.iter().map(|sum| sum.quantity.to_string()).collect();
        assert_eq!(languages, ["3", "1"], "ada, bob and cid in German, ada in English");
        let days = seen_by_day(&tx, &march("callers")).await.unwrap();
        assert_eq!(days.iter().map(|day| day.quantity.to_string()).collect::<Vec<_>>(), ["2", "1"]);
        assert_eq!((recounted(&world).await, world.violations().await), (vec![], vec![]));
        world.fold().await;
    }
    // The number of different values stays two; that one of them is another is seen all the same.
    world
        .database
        .as_owner("UPDATE usage_rollup SET dimensions = jsonb_set(dimensions, '{caller}', '\"dan\"') WHERE dimensions ->> 'caller' = 'bob'")
        .await;
    assert_eq!(recounted(&world).await.len(), 2, "dan has never called, and bob has");
}

#[tokio::test]
async fn a_percentile_of_a_month_is_that_of_all_its_events_and_not_of_its_hours() {
    let world = World::new().await;
    let customer = world.customer("C-1", "UTC").await;
    define(&world, &percentile("waiting", "95")).await;
    // 18 of one second, one of 2 and one of 10: 95% of 20 are 19, and the 19th is 2.
    let mut events: Vec<UsageEvent> =
        (0..18).map(|n| chat(&format!("short {n}"), customer, "02T10:00:00", "1", "ada")).collect();
    events.push(chat("long", customer, "02T11:00:00", "2", "ada"));
    events.push(chat("longest", customer, "02T11:00:00", "10.0", "ada"));
    world.ingest(&events).await;
    for folded in [false, true] {
        assert_eq!(hours(&world, "waiting").await, told(&[("10", "1", 18), ("11", "10", 2)]), "folded {folded}");
        assert_eq!(world.used(customer, "waiting").await, "2");
        assert_eq!(seen(&world, "waiting").await, ("2".to_owned(), 20, vec![("2".to_owned(), 20)]));
        assert_eq!((recounted(&world).await, world.violations().await), (vec![], vec![]));
        world.fold().await;
    }
    // One more of 2 and 95% of 21 are 19.95: the 20th. 2 + 18 = 20 are not above 2.
    world.ingest(&[chat("late", customer, "01T09:00:00", "2.000", "ada")]).await;
    assert_eq!(world.used(customer, "waiting").await, "2");
    // And one of 10 more: 95% of 22 are 20.9, the 21st is 10.
    world.ingest(&[chat("later", customer, "01T09:00:00", "10", "ada")]).await;
    assert_eq!(world.used(customer, "waiting").await, "10");
    world.fold().await;
    world.database.as_owner("UPDATE usage_rollup SET events = 17 WHERE events = 18").await;
    let found = recounted(&world).await;
    assert!(found[0].contains("1 of 17 events are summed, 1 of 18 are stored"), "{found:?}");
}

#[tokio::test]
async fn how_many_at_once_is_swept_for_each_hour_that_an_event_touches_and_again_when_one_comes_late() {
    let world = World::new().await;
    let customer = world.customer("C-1", "UTC").await;
    define(&world, &meter("at_once", Aggregation::Peak)).await;
    let events = [
        chat("a", customer, "02T09:50:00", "900", "a"),  // until 10:05
        chat("b", customer, "02T10:00:00", "1200", "b"), // until 10:20
        chat("c", customer, "02T10:20:00", "60", "c"),   // begins as b ends: not beside it
        chat("d", customer, "02T10:55:00", "7200", "d"), // until 12:55
        chat("e", customer, "02T12:00:00", "0", "e"),    // takes no time
    ];
    assert_eq!(world.ingest(&events).await, [Outcome::Accepted; 5]);
    assert_eq!(dirty_hours(&world.tx().await).await.unwrap(), [("at_once".to_owned(), 4)], "from 9, 10, 11 and 12");
    assert_eq!(recounted(&world).await, Vec::<String>::new(), "a dirty hour is not called wrong");
    assert_eq!((swept(&world).await, swept(&world).await), (4, 0));
    let expected = told(&[("09", "1", 1), ("10", "2", 3), ("11", "1", 0), ("12", "1", 1)]);
    for folded in [false, true] {
        assert_eq!(hours(&world, "at_once").await, expected, "folded {folded}");
        assert_eq!(world.used(customer, "at_once").await, "2", "the most of the month");
        assert_eq!((recounted(&world).await, world.violations().await), (vec![], vec![]));
        world.fold().await;
    }
    // Two that come late: with d they make three at once in the hour from 11, told by another way in.
    let late = [chat("f", customer, "02T11:10:00", "600", "f"), chat("g", customer, "02T11:15:00", "600", "g")];
    world.ingest_in(&late).await;
    let until = |time: &str| [(customer, at(&format!("2026-03-02T{time}:00Z")))];
    let tx = world.tx().await;
    assert_eq!(dirty_hours_of(&tx, &until("11:00")).await.unwrap(), [], "before eleven all is swept");
    assert_eq!(dirty_hours_of(&tx, &until("12:00")).await.unwrap()[0].hours, 1);
    drop(tx);
    assert_eq!(swept(&world).await, 1);
    assert_eq!(hours(&world, "at_once").await[2], ("11".to_owned(), "3".to_owned(), 2));
    world.fold().await;
    assert_eq!(seen(&world, "at_once").await, ("3".to_owned(), 7, vec![("3".to_owned(), 7)]));
    assert_eq!(world.ingest(&events).await, [Outcome::Duplicate; 5]);
    assert_eq!(swept(&world).await, 0, "what is known makes no hour dirty");
    world.database.as_owner("UPDATE usage_rollup SET quantity = 4 WHERE meter = 'at_once' AND quantity = 3").await;
    let found = recounted(&world).await;
    assert!(found[0].contains("4 of 2 events are summed, 3 of 2 are stored"), "{found:?}");
    // A mark that is lost is seen, too: the hour holds what was not swept.
    world.ingest(&[chat("h", customer, "03T10:00:00", "60", "h")]).await;
    world.database.as_owner("DELETE FROM usage_dirty_hour").await;
    let found = recounted(&world).await;
    assert!(found.iter().any(|detail| detail.contains("0 of 1 events are summed, 1 of 1 are stored")), "{found:?}");
    let endless = chat("i", customer, "03T10:00:00", "86401", "i");
    assert_eq!(world.ingest(&[endless]).await, [Outcome::Rejected(Rejection::SpanMustEnd)]);
}

#[tokio::test]
async fn what_several_subscriptions_have_at_once_is_known_of_each_and_of_all() {
    let world = World::new().await;
    let customer = world.customer("C-1", "UTC").await;
    define(&world, &meter("at_once", Aggregation::Peak)).await;
    let [first, second] = [(); 2].map(|()| SubscriptionId::new());
    let of = |subscription_id, event| UsageEvent { subscription_id, ..event };
    let events = [
        of(Some(first), chat("a", customer, "02T10:00:00", "600", "a")),
        of(Some(first), chat("b", customer, "02T10:30:00", "600", "b")),
        of(Some(second), chat("c", customer, "02T10:00:00", "600", "c")),
        of(Some(second), chat("d", customer, "02T10:00:00", "600", "d")),
        of(None, chat("e", customer, "02T10:30:00", "600", "e")),
    ];
    world.ingest_in(&events).await;
    swept(&world).await;
    for folded in [false, true] {
        for (of, most) in [
            (UsageOf::Named(first), "1"),        // a, later b
            (UsageOf::Named(second), "2"),       // c and d
            (UsageOf::NamedOrNone(first), "2"),  // b and e
            (UsageOf::NamedOrNone(second), "2"), // c and d; e is alone
            (UsageOf::Customer, "3"),            // a, c and d
        ] {
            assert_eq!(
                asked(&world, "at_once", customer, of, ["2026-03-01", "2026-04-01"]).await,
                most,
                "{of:?} {folded}"
            );
        }
        assert_eq!((recounted(&world).await, world.violations().await), (vec![], vec![]));
        world.fold().await;
    }
}

/// Of the customer, in days of UTC.
async fn asked(world: &World, meter: &str, customer_id: CustomerId, of: UsageOf, days: [&str; 2]) -> String {
    let [from, to] = days.map(|day| at(&format!("{day}T00:00:00Z")));
    let query = UsageQuery { customer_id, of, meter: meter.to_owned(), filter: dimensions(&[]), from, to };
    usage_metering::quantity(&world.tx().await, &query, Aggregate::Sum).await.unwrap().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_sweepers_and_folders_at_once_miss_nobody_who_was_there() {
    let world = Arc::new(World::new().await);
    let customer = world.customer("C-1", "UTC").await;
    define(&world, &meter("at_once", Aggregation::Peak)).await;
    let mut tasks = JoinSet::new();
    for writer in 0..4 {
        let world = world.clone();
        tasks.spawn(async move {
            for round in 0..10 {
                let chat = |n: u32| chat(&format!("{writer}-{round}-{n}"), customer, "02T10:30:00", "3600", "ada");
                assert_eq!(world.ingest(&(0..5).map(chat).collect::<Vec<_>>()).await, [Outcome::Accepted; 5]);
            }
        });
    }
    for _ in 0..2 {
        let world = world.clone();
        tasks.spawn(async move {
            for _ in 0..20 {
                swept(&world).await;
                world.fold().await;
            }
        });
    }
    tasks.join_all().await;
    while swept(&world).await > 0 {}
    world.fold().await;
    assert_eq!(hours(&world, "at_once").await, told(&[("10", "200", 200), ("11", "200", 0)])); // 4 * 10 * 5
    assert_eq!(recounted(&world).await, Vec::<String>::new());
}

#[tokio::test]
async fn each_way_is_tried_on_what_came_before_it() {
    let world = World::new().await;
    let (first, second) = (world.customer("C-1", "UTC").await, world.customer("C-2", "UTC").await);
    world
        .ingest(&[
            chat("a", first, "02T10:00:00", "600", "ada"),
            chat("b", first, "02T10:05:00", "600", "ada"),
            chat("c", first, "02T10:10:00", "60", "bob"), // begins as a ends
            chat("d", second, "02T10:05:00", "1200", "ada"),
        ])
        .await;
    let tx = world.tx().await;
    for (meter, quantity) in [
        (unique("callers"), "2"),
        (percentile("half", "50"), "600"), // 60, 600, 600, 1200: the second
        (percentile("all", "100"), "1200"),
        (meter("at_once", Aggregation::Peak), "2"), // of the first; the second's is not beside them
    ] {
        let preview = preview_meter(&tx, &meter, at("2026-03-01T00:00:00Z"), at(NOW)).await.unwrap();
        let found = (preview.quantity.to_string(), preview.events, preview.waiting);
        assert_eq!(found, (quantity.to_owned(), 4, 4), "{}", meter.code);
    }
}

#[tokio::test]
async fn a_meter_says_what_its_way_needs_and_nothing_else() {
    let world = World::new().await;
    let tx = world.tx().await;
    let of = |name: &str, aggregation| Meter { of_dimension: Some(name.to_owned()), ..meter("m", aggregation) };
    for wrong in [meter("m", Aggregation::Unique), of("caller", Aggregation::Sum), of("", Aggregation::Unique)] {
        assert!(matches!(define_meter(&tx, &wrong).await, Err(UsageError::MeterMustNameItsValues)), "{wrong:?}");
    }
    let max = Meter { aggregation: Aggregation::Max, ..percentile("m", "95") };
    let shares = ["0", "100.1", "99.9999", "-5"].map(|percent| percentile("m", percent));
    for wrong in [meter("m", Aggregation::Percentile), max].into_iter().chain(shares) {
        assert!(matches!(define_meter(&tx, &wrong).await, Err(UsageError::MeterMustSayItsPercent)), "{wrong:?}");
    }
    let kept = Meter { dimensions: vec!["topic".into()], ..meter("m", Aggregation::Peak) };
    assert!(matches!(define_meter(&tx, &kept).await, Err(UsageError::MeterOfPeaksMustKeepNoDimensions)));
    for own in ["=", "=of"] {
        let kept = Meter { dimensions: vec![own.into()], ..percentile("m", "95") };
        assert!(matches!(define_meter(&tx, &kept).await, Err(UsageError::MeterDimensionMustBeAnEvents)));
    }
    define_meter(&tx, &unique("m")).await.unwrap();
    let other = of("called", Aggregation::Unique);
    assert!(matches!(define_meter(&tx, &other).await, Err(UsageError::MeterMustKeepItsAggregation(_))));
}
