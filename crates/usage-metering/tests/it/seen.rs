//! Usage as a page looks at it: the same before and after it is folded, whoever is looked at.

use crate::world::*;
use chrono::NaiveDate;
use db::{CustomerId, TenantTx};
use usage_metering::{UsageEvent, UsageSeen, seen_by_customer, seen_by_day, seen_by_dimension, seen_by_hour};

fn seen(meter: &str, customer: Option<CustomerId>, filter: &[(&str, &str)], days: [&str; 2]) -> UsageSeen {
    let [from_on, until_on] = days.map(|day| day.parse::<NaiveDate>().unwrap());
    UsageSeen { meter: meter.to_owned(), customer, filter: dimensions(filter), from_on, until_on }
}

async fn days(tx: &TenantTx, seen: &UsageSeen) -> Vec<(String, String, i64)> {
    let days = seen_by_day(tx, seen).await.unwrap();
    days.into_iter().map(|day| (day.on_day.to_string(), day.quantity.to_string(), day.events)).collect()
}

fn told(rows: &[(&str, &str, i64)]) -> Vec<(String, String, i64)> {
    rows.iter().map(|(name, quantity, events)| ((*name).to_owned(), (*quantity).to_owned(), *events)).collect()
}

#[tokio::test]
async fn days_are_the_customers_own_and_folding_changes_no_answer() {
    let world = World::new().await;
    let berlin = world.customer("C-1", "Europe/Berlin").await;
    let kolkata = world.customer("C-2", "Asia/Kolkata").await;
    let with = |id: &str, customer, at_: &str, topic: &str, quantity: &str| UsageEvent {
        occurred_at: at(at_),
        dimensions: dimensions(&[("topic", topic)]),
        ..event(id, customer, quantity)
    };
    let events = [
        with("a", berlin, "2026-03-02T22:30:00Z", "law", "1"), // 23:30 there: the 2nd
        with("b", berlin, "2026-03-02T23:30:00Z", "law", "2"), // 00:30 there: the 3rd
        with("c", kolkata, "2026-03-02T18:20:00Z", "tax", "4"), // 23:50 there: the 2nd
        with("d", kolkata, "2026-03-02T18:40:00Z", "law", "8"), // 00:10 there: the 3rd
    ];
    for round in 0..3 {
        // The second time everything is folded, the third time half of it.
        let (both, march) = (["2026-03-02", "2026-03-03"], ["2026-03-01", "2026-03-31"]);
        let times = if round == 2 { 2 } else { 1 };
        if round == 0 {
            world.ingest(&events).await;
        } else if round == 2 {
            let again: Vec<UsageEvent> =
                events.iter().map(|event| UsageEvent { id: format!("{} again", event.id), ..event.clone() }).collect();
            world.ingest(&again).await;
        }
        let (tx, n) = (world.tx().await, |quantity: i64| (quantity * times).to_string());
        let all = seen("minutes", None, &[], both);
        // 1 + 4 on the 2nd, 2 + 8 on the 3rd
        let expected = told(&[("2026-03-02", &n(5), 2 * times), ("2026-03-03", &n(10), 2 * times)]);
        assert_eq!(days(&tx, &all).await, expected, "round {round}");
        let law = seen("minutes", None, &[("topic", "law")], march);
        let expected = told(&[("2026-03-02", &n(1), times), ("2026-03-03", &n(10), 2 * times)]);
        assert_eq!(days(&tx, &law).await, expected, "law, round {round}");
        let one = seen("minutes", Some(kolkata), &[], ["2026-03-03", "2026-03-03"]);
        assert_eq!(days(&tx, &one).await, told(&[("2026-03-03", &n(8), times)]), "one's, round {round}");
        let hours = seen_by_hour(&tx, &one).await.unwrap();
        let hours: Vec<_> = hours.iter().map(|hour| (hour.hour, hour.quantity.to_string())).collect();
        assert_eq!(hours, [(at("2026-03-02T18:30:00Z"), n(8))], "its own midnight, round {round}");
        assert_eq!(seen_by_hour(&tx, &all).await.unwrap().len(), 4, "each in an hour of its own");

        let (customers, count) = seen_by_customer(&tx, &all, 1).await.unwrap();
        let first = &customers[0];
        assert_eq!((count, first.customer_id, first.quantity.to_string()), (2, kolkata, n(12))); // 4 + 8
        let (customers, _) = seen_by_customer(&tx, &law, 9).await.unwrap();
        let quantities: Vec<String> = customers.iter().map(|sum| sum.quantity.to_string()).collect();
        assert_eq!(quantities, [n(8), n(3)]); // 8 of the one, 1 + 2 of the other

        let topics = seen_by_dimension(&tx, &all, "topic", 9).await.unwrap();
        let topics: Vec<_> = topics.iter().map(|sum| (&*sum.dimensions["topic"], sum.quantity.to_string())).collect();
        assert_eq!(topics, [("law", n(11)), ("tax", n(4))]); // 1 + 2 + 8
        let languages = seen_by_dimension(&tx, &one, "language", 9).await.unwrap();
        assert!(languages[0].dimensions.is_empty(), "nobody said a language");
        drop(tx);
        world.fold().await;
    }
    world.fold().await;
    assert_eq!(usage_metering::recount(&world.tx().await).await.unwrap(), []);
}

#[tokio::test]
async fn of_a_meter_that_keeps_the_largest_the_largest_is_seen() {
    let world = World::new().await;
    let customers = [world.customer("C-1", "UTC").await, world.customer("C-2", "UTC").await];
    for round in 0..2 {
        for (place, most) in ["3", "7", "5"].into_iter().enumerate() {
            let peak = UsageEvent {
                meter: "channel_peak".to_owned(),
                dimensions: dimensions(&[]),
                ..event(&format!("{round} {place}"), customers[place % 2], most)
            };
            world.ingest_in(&[peak]).await;
        }
        let all = seen("channel_peak", None, &[], ["2026-03-02", "2026-03-02"]);
        assert_eq!(days(&world.tx().await, &all).await, told(&[("2026-03-02", "7", 3 * (round + 1))]));
        world.fold().await;
        assert_eq!(days(&world.tx().await, &all).await, told(&[("2026-03-02", "7", 3 * (round + 1))]));
    }
    assert_eq!(usage_metering::recount(&world.tx().await).await.unwrap(), []);
}

#[tokio::test]
async fn customers_are_compared_over_any_days_by_whole_weeks_and_the_days_around_them() {
    let world = World::new().await;
    let (first, second) = (world.customer("C-1", "UTC").await, world.customer("C-2", "Asia/Kolkata").await);
    let on = |customer, name: &str, day: u32| UsageEvent {
        occurred_at: at(&format!("2026-02-{day:02}T20:00:00Z")),
        ..event(&format!("{name} {day}"), customer, &(1u64 << (day - 1)).to_string())
    };
    // 1, 2, 4, 8 .. on the days of February: a sum says of which days it is. 20:00 is tomorrow in Kolkata.
    let events: Vec<UsageEvent> = (1..=28).flat_map(|day| [on(first, "a", day), on(second, "b", day)]).collect();
    world.ingest(&events).await;
    world.fold().await;
    let tx = world.tx().await;
    for from in 1..=28u32 {
        for until in (from..=28).step_by(3) {
            let days = [from, until].map(|day| format!("2026-02-{day:02}"));
            let asked = seen("minutes", None, &[], [days[0].as_str(), days[1].as_str()]);
            let (customers, _) = seen_by_customer(&tx, &asked, 9).await.unwrap();
            let found = |id| {
                customers.iter().find(|sum| sum.customer_id == id).map_or(0, |sum| sum.quantity.try_into().unwrap())
            };
            // 2^(from - 1) + .. + 2^(until - 1), and in Kolkata half of it: each day's usage is that of the day before
            let expected = (1u64 << until) - (1 << (from - 1));
            let before = ((1u64 << (until - 1)) - 1).saturating_sub(if from == 1 { 0 } else { (1 << (from - 2)) - 1 });
            assert_eq!((found(first), found(second)), (expected, before), "{days:?}");
        }
    }
    drop(tx);
    assert_eq!(usage_metering::recount(&world.tx().await).await.unwrap(), []);
}

#[tokio::test]
async fn a_recount_finds_a_page_that_shows_something_else() {
    let world = World::new().await;
    let customer = world.customer("C-1", "UTC").await;
    world.ingest(&[event("a", customer, "1.5")]).await;
    world.fold().await;
    for (table, said) in [
        ("usage_book_hour", "of the book in the hour from 2026-03-02 10:00:00 UTC: pages show 2.5"),
        ("usage_customer_day", "over all its days: pages show 2.5"),
        ("usage_customer_week", "over all its days: pages show 2.5"),
    ] {
        let one = if table == "usage_customer_day" { " WHERE dimensions_hash = ''" } else { "" };
        world.database.as_owner(&format!("UPDATE {table} SET quantity = quantity + 1{one}")).await;
        let found = usage_metering::recount(&world.tx().await).await.unwrap();
        // A day is compared with the hours and with its week.
        assert_eq!(found.len(), if table == "usage_customer_day" { 2 } else { 1 }, "{found:?}");
        assert!(found[0].detail.contains(said), "{}", found[0].detail);
        world.database.as_owner(&format!("UPDATE {table} SET quantity = quantity - 1{one}")).await;
    }
}
