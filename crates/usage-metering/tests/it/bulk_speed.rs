use crate::world::*;
use chrono::TimeDelta;
use std::time::Instant;
use usage_metering::{Outcome, UsageEvent};

/// Not a measurement (the test cluster does not sync, and others use the machine): it prints the figure and fails only where
/// something became slower by an order of magnitude.
#[tokio::test]
async fn twenty_thousand_events_are_taken_in_one_batch_and_again_for_nothing() {
    let world = World::new().await;
    let mut customers = Vec::new();
    for n in 0..20 {
        customers.push(world.customer(&format!("C-{n}"), "Europe/Berlin").await);
    }
    let events: Vec<UsageEvent> = (0..20_000usize)
        .map(|n| UsageEvent {
            occurred_at: at("2026-03-01T00:00:00Z") + TimeDelta::seconds(n as i64 * 60),
            dimensions: dimensions(&[("number", "+4930123456"), ("topic", "law"), ("direction", "inbound")]),
            ..event(&format!("{:016x}:{n}", (n as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)), customers[n % 20], "1.25")
        })
        .collect();
    for (what, expected) in [("new", Outcome::Accepted), ("known", Outcome::Duplicate)] {
        let started = Instant::now();
        let outcomes = world.ingest(&events).await;
        println!("{what}: {:.0} events/s", events.len() as f64 / started.elapsed().as_secs_f64());
        assert!(outcomes.iter().all(|outcome| *outcome == expected), "{what}");
        assert!(started.elapsed().as_secs() < 30, "{what}");
    }
    let folding = Instant::now();
    let mut folded = 0;
    for _ in 0..10 {
        folded += world.fold().await;
    }
    println!("folded {folded} sums in {:?}", folding.elapsed());
    assert_eq!(world.used(customers[0], "minutes").await, "1250"); // 20,000 / 20 * 1.25
}
