use crate::world::*;
use chrono::TimeDelta;
use db::PlatformReason;
use std::sync::Arc;
use tokio::task::JoinSet;
use usage_metering::{Aggregate, Outcome, UsageEvent, by_dimension, by_hour, ensure_partitions, ingest};

#[tokio::test]
async fn folding_changes_no_answer_however_often_and_between_whatever() {
    let world = World::new().await;
    let customer = world.customer("C-1", "Europe/Berlin").await;
    let mut expected = 0;
    for round in 0..4 {
        let events: Vec<UsageEvent> = (0..50)
            .map(|n| UsageEvent {
                occurred_at: at("2026-03-02T10:00:00Z") + TimeDelta::minutes(n),
                ..event(&format!("{round}-{n}"), customer, "2")
            })
            .collect();
        world.ingest(&events).await;
        expected += 100; // 50 * 2
        assert_eq!(world.used(customer, "minutes").await, expected.to_string(), "before folding round {round}");
        // 10:00 to 10:49 in Berlin's hours: one sum a batch
        assert_eq!(world.fold().await, 1);
        assert_eq!(world.fold().await, 0);
        assert_eq!(world.used(customer, "minutes").await, expected.to_string(), "after folding round {round}");
    }
    assert_eq!(world.violations().await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_and_writers_at_once_lose_nothing_and_count_nothing_twice() {
    let world = Arc::new(World::new().await);
    let customer = world.customer("C-1", "UTC").await;
    let mut tasks = JoinSet::new();
    for writer in 0..4 {
        let world = world.clone();
        tasks.spawn(async move {
            for round in 0..10 {
                let events: Vec<UsageEvent> =
                    (0..20).map(|n| event(&format!("{writer}-{round}-{n}"), customer, "0.5")).collect();
                assert_eq!(world.ingest(&events).await, [Outcome::Accepted; 20]);
            }
        });
    }
    for _ in 0..2 {
        let world = world.clone();
        tasks.spawn(async move {
            for _ in 0..30 {
                world.fold().await;
                tokio::task::yield_now().await;
            }
        });
    }
    tasks.join_all().await;
    world.fold().await;
    assert_eq!(world.used(customer, "minutes").await, "400"); // 4 * 10 * 20 * 0.5
    assert_eq!(world.fold().await, 0);
    assert_eq!(world.violations().await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_batch_sent_by_many_at_once_is_taken_once() {
    let world = Arc::new(World::new().await);
    let customer = world.customer("C-1", "UTC").await;
    let mut tasks = JoinSet::new();
    for sender in 0..8 {
        let world = world.clone();
        tasks.spawn(async move {
            let mut events: Vec<UsageEvent> = (0..200).map(|n| event(&n.to_string(), customer, "1")).collect();
            // Each sender in another order: keys are taken in one order all the same, or they would deadlock.
            events.rotate_left(sender * 25);
            ingest(&world.database.db, world.tenant, &events, at(NOW)).await.unwrap()
        });
    }
    let answers = tasks.join_all().await;
    let accepted: usize = answers.iter().flatten().filter(|outcome| **outcome == Outcome::Accepted).count();
    assert_eq!(accepted, 200);
    assert!(answers.iter().flatten().all(|outcome| matches!(outcome, Outcome::Accepted | Outcome::Duplicate)));
    assert_eq!(world.used(customer, "minutes").await, "200");
    assert_eq!(world.violations().await, []);
}

#[tokio::test]
async fn a_period_that_begins_at_midnight_in_a_half_hour_zone_is_exact() {
    let world = World::new().await;
    let customer = world.customer("C-1", "Asia/Kolkata").await;
    let midnight = at("2026-03-09T18:30:00Z"); // 10 March, 00:00 there
    let events = [
        UsageEvent { occurred_at: midnight - TimeDelta::microseconds(1), ..event("before", customer, "1") },
        UsageEvent { occurred_at: midnight, ..event("after", customer, "10") },
    ];
    world.ingest(&events).await;
    let query = usage_metering::UsageQuery {
        customer_id: customer,
        of: usage_metering::UsageOf::Customer,
        meter: "minutes".to_owned(),
        filter: dimensions(&[]),
        from: midnight,
        to: midnight + TimeDelta::days(1),
    };
    for _ in 0..2 {
        let used = usage_metering::quantity(&world.tx().await, &query, Aggregate::Sum).await.unwrap();
        assert_eq!(used.to_string(), "10");
        world.fold().await;
    }
}

#[tokio::test]
async fn quantities_add_up_peak_and_tell_apart_by_dimension() {
    let world = World::new().await;
    let customer = world.customer("C-1", "UTC").await;
    let on = |id: &str, meter: &str, hour: &str, pairs: &[(&str, &str)], quantity: &str| UsageEvent {
        meter: meter.into(),
        dimensions: dimensions(pairs),
        occurred_at: at(hour),
        ..event(id, customer, quantity)
    };
    let (nine, ten) = ("2026-03-02T09:30:00Z", "2026-03-02T10:30:00Z");
    let batch = [
        on("1", "minutes", nine, &[("topic", "law"), ("direction", "inbound"), ("caller", "x")], "5"),
        on("2", "minutes", nine, &[("topic", "tax")], "4"),
        on("3", "minutes", ten, &[("topic", "law")], "7"),
        on("4", "calls", nine, &[("topic", "law")], "1"), // a count counts events
        on("5", "calls", ten, &[("topic", "law")], "1"),
        on("6", "seat_peak", nine, &[], "3"),
        on("7", "seat_peak", nine, &[], "8"),
        on("8", "seat_peak", ten, &[], "6"),
        on("9", "seat_days", nine, &[("agent", "ana")], "1"),
        on("10", "seat_days", ten, &[("agent", "ana")], "1"),
        on("11", "seat_days", ten, &[("agent", "ben")], "1"),
        on("12", "seat_days", ten, &[("agent", "cem")], "0"),
    ];
    world.ingest(&batch).await;
    // A second batch with a lower peak in the same hour: a peak is no sum, folded or not.
    world.ingest(&[on("13", "seat_peak", nine, &[], "5")]).await;
    for folded in [false, true] {
        let of = async |meter, filter: &[(&str, &str)], aggregate| {
            world.used_of(customer, meter, filter, None, aggregate).await
        };
        assert_eq!(of("minutes", &[], Aggregate::Sum).await, "16", "folded: {folded}"); // 5 + 4 + 7
        assert_eq!(of("minutes", &[], Aggregate::Max).await, "9"); // nine: 5 + 4; ten: 7
        assert_eq!(of("minutes", &[("topic", "law")], Aggregate::Sum).await, "12"); // 5 + 7
        assert_eq!(of("minutes", &[("topic", "none")], Aggregate::Sum).await, "0");
        assert_eq!(of("calls", &[], Aggregate::Sum).await, "2");
        assert_eq!(of("seat_peak", &[], Aggregate::Max).await, "8");
        assert_eq!(of("seat_days", &[], Aggregate::CountDistinct("agent".into())).await, "2"); // ana and ben; cem's is zero
        let tx = world.tx().await;
        let (from, to) = (at("2026-03-02T00:00:00Z"), at("2026-03-03T00:00:00Z"));
        let hours = by_hour(&tx, "minutes", &dimensions(&[]), from, to).await.unwrap();
        let hours: Vec<(String, i64)> =
            hours.into_iter().map(|hour| (hour.quantity.to_string(), hour.events)).collect();
        assert_eq!(hours, [("9".to_owned(), 2), ("7".to_owned(), 1)]);
        let peaks = by_hour(&tx, "seat_peak", &dimensions(&[]), from, to).await.unwrap();
        assert_eq!(peaks.into_iter().map(|hour| hour.quantity.to_string()).collect::<Vec<_>>(), ["8", "6"]);
        let topics = by_dimension(&tx, Some(customer), "minutes", &["topic"], from, to).await.unwrap();
        let topics: Vec<(String, String)> =
            topics.into_iter().map(|line| (line.dimensions["topic"].clone(), line.quantity.to_string())).collect();
        assert_eq!(topics, [("law".to_owned(), "12".to_owned()), ("tax".to_owned(), "4".to_owned())]);
        world.fold().await;
    }
    assert_eq!(world.violations().await, []);
}

#[tokio::test]
async fn a_customer_in_the_portal_sees_its_own_usage_only() {
    let world = World::new().await;
    let (ana, ben) = (world.customer("C-1", "UTC").await, world.customer("C-2", "UTC").await);
    world.ingest(&[event("a", ana, "1"), event("b", ben, "20")]).await;
    for _ in 0..2 {
        let tx = world.database.db.customer(world.tenant, ana).await.unwrap();
        let (from, to) = (at("2026-03-01T00:00:00Z"), at("2026-04-01T00:00:00Z"));
        let hours = by_hour(&tx, "minutes", &dimensions(&[]), from, to).await.unwrap();
        assert_eq!(hours.into_iter().map(|hour| hour.quantity.to_string()).collect::<Vec<_>>(), ["1"]);
        assert!(usage_metering::open_suspense(&tx, 10).await.unwrap().is_empty());
        drop(tx);
        world.fold().await;
    }
}

#[tokio::test]
async fn partitions_are_made_ahead_once_and_a_month_with_events_stays_as_it_is() {
    let world = World::new().await;
    let customer = world.customer("C-1", "UTC").await;
    world.ingest(&[event("a", customer, "1")]).await; // March, in the default partition
    let ptx = world.database.db.platform(PlatformReason::Provision).await.unwrap();
    let first = "2026-02-14".parse().unwrap();
    assert_eq!(ensure_partitions(&ptx, first, 4).await.unwrap(), 3); // February, April, May; March is taken
    assert_eq!(ensure_partitions(&ptx, first, 4).await.unwrap(), 0);
    assert!(ensure_partitions(&ptx, first, 61).await.is_err());
    ptx.commit().await.unwrap();
    let april = UsageEvent { occurred_at: at("2026-03-16T10:00:00Z"), ..event("b", customer, "2") };
    world.ingest(&[april]).await;
    assert_eq!(world.used(customer, "minutes").await, "3");
}

#[tokio::test]
async fn the_largest_sums_of_an_hour_fold_whatever_they_come_to() {
    let world = World::new().await;
    let customer = world.customer("C-1", "UTC").await;
    for batch in 0..2 {
        let events: Vec<UsageEvent> =
            (0..900).map(|n| event(&format!("{batch}-{n}"), customer, "99999999999.999999")).collect();
        world.ingest(&events).await;
    }
    // 2 batches of 900 * 99,999,999,999.999999: more than 10^14 together, and each less.
    for _ in 0..2 {
        assert_eq!(world.used(customer, "minutes").await, "179999999999999.9982");
        world.fold().await;
    }
    assert_eq!((world.fold().await, world.violations().await), (0, vec![]));
}

#[tokio::test]
async fn a_plan_kept_from_an_empty_table_still_folds_every_sum() {
    let world = World::new().await;
    world.database.as_owner("VACUUM ANALYZE usage_sum").await;
    let tx = world.tx().await;
    // A statement that is run often keeps its plan, made for what the table held then: nothing.
    for _ in 0..10 {
        assert_eq!(usage_metering::fold(&tx, at(NOW)).await.unwrap(), 0);
    }
    let tenant = world.tenant.uuid();
    let fill = format!(
        "INSERT INTO usage_sum (tenant_id, batch_id, position, customer_id, meter, hour, dimensions, quantity, events)
         SELECT '{tenant}', '{tenant}', n, lpad(to_hex(n % 300), 32, '0')::uuid, 'minutes', '2026-03-01'::timestamptz + n / 300 * interval '1 hour', '{{}}', 1, 1
         FROM generate_series(1, 10000) n"
    );
    world.database.as_owner(&fill).await;
    assert_eq!(usage_metering::fold(&tx, at(NOW)).await.unwrap(), 10_000);
}

/// Bills ask for a customer's sums of a meter in a period, under the policy and in a book of many customers.
#[tokio::test]
async fn the_sums_of_a_customer_are_found_by_its_index() {
    #[derive(sea_orm::FromQueryResult)]
    struct Line {
        #[sea_orm(from_alias = "QUERY PLAN")]
        line: String,
    }
    let world = World::new().await;
    let mut events = Vec::new();
    let mut customers = Vec::new();
    for number in 0..20 {
        let customer = world.customer(&format!("C-{number}"), "UTC").await;
        for hour in 0..100 {
            let occurred_at = at("2026-03-02T10:00:00Z") + TimeDelta::hours(hour);
            events.push(UsageEvent { occurred_at, ..event(&format!("{number}-{hour}"), customer, "2") });
        }
        customers.push(customer);
    }
    for some in events.chunks(500) {
        world.ingest(some).await;
    }
    world.database.as_owner("ANALYZE usage_sum").await;
    let tx = world.tx().await;
    let plan: Vec<Line> = tx
        .rows(
            "EXPLAIN (ANALYZE, COSTS OFF) SELECT sum(quantity) FROM usage_sum
             WHERE tenant_id = $1 AND customer_id = $2 AND meter = $3 AND hour >= $4 AND hour < $5",
            [
                world.tenant.into(),
                customers[7].into(),
                "minutes".into(),
                at("2026-03-02T00:00:00Z").into(),
                at("2026-03-03T00:00:00Z").into(),
            ],
        )
        .await
        .unwrap();
    let plan = plan.into_iter().map(|line| line.line).collect::<Vec<_>>().join("\n");
    assert!(plan.contains("usage_sum_of_customer"), "{plan}");
    let condition = plan.lines().find(|line| line.contains("Index Cond")).unwrap_or_default();
    for column in ["tenant_id", "customer_id", "meter", "hour"] {
        assert!(condition.contains(column), "{column} is compared in the index, not after it: {plan}");
    }
    // 14 hours of that day, from 10:00 on.
    assert!(plan.contains("rows=14"), "{plan}");
}

#[tokio::test]
async fn a_recount_finds_the_hour_whose_sums_are_not_those_of_its_events() {
    let world = World::new().await;
    let customer = world.customer("C-1", "Asia/Kolkata").await;
    world.subscribe(customer, "law", &[("topic", "law")]).await;
    let late = UsageEvent { occurred_at: at("2026-03-02T10:40:00Z"), ..event("b", customer, "2") };
    world.ingest(&[event("a", customer, "1.5"), late]).await;
    world.fold().await;
    world.ingest(&[event("c", customer, "4")]).await;
    // Partly folded, in hours that begin at half past: 15:30 and 16:10 there.
    assert_eq!(usage_metering::recount(&world.tx().await).await.unwrap(), []);
    // The same total in another hour: only hour by hour it is seen.
    world
        .database
        .as_owner("UPDATE usage_rollup SET quantity = quantity + 1 WHERE hour = '2026-03-02T09:30:00Z'")
        .await;
    world
        .database
        .as_owner("UPDATE usage_rollup SET quantity = quantity - 1 WHERE hour = '2026-03-02T10:30:00Z'")
        .await;
    assert_eq!(world.violations().await, []);
    let found = usage_metering::recount(&world.tx().await).await.unwrap();
    assert_eq!(found.len(), 4, "{found:?}");
    assert!(found[0].detail.contains("6.5 of 2 events are summed, 5.5 of 2 are stored"), "{}", found[0].detail); // 1.5 + 4
    // What pages read was folded with them, and is not what they hold now: 1.5 of what is folded.
    assert!(found[2].detail.contains("pages show 1.5 of 1 events, the hours hold 2.5 of 1"), "{}", found[2].detail);
}
