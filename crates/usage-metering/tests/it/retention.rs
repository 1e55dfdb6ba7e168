//! What is old leaves: events by whole months, keys when nothing could repeat them any more.

use crate::world::*;
use db::PlatformReason;
use usage_metering::{Outcome, SuspenseCause, UsageEvent, ensure_partitions, prune_keys, recount, retire_events};

/// Events of December 2023, January, February and March 2024, each with its sum, as they were taken then.
async fn aged(world: &World) {
    let customer = world.customer("C-1", "Asia/Kolkata").await;
    let (tenant, customer) = (world.tenant.uuid(), customer.uuid());
    let ptx = world.database.db.platform(PlatformReason::Provision).await.unwrap();
    assert_eq!(ensure_partitions(&ptx, "2024-01-01".parse().unwrap(), 3).await.unwrap(), 3);
    ptx.commit().await.unwrap();
    for (id, at, hour) in [
        ("old", "2023-12-20T10:00:00Z", "2023-12-20T09:30:00Z"),
        ("january", "2024-01-15T10:00:00Z", "2024-01-15T09:30:00Z"),
        // In an hour of that customer that begins in February and ends in March (UTC): one of its events leaves.
        ("february", "2024-02-29T23:45:00Z", "2024-02-29T23:30:00Z"),
        ("march", "2024-03-01T00:15:00Z", "2024-02-29T23:30:00Z"),
        ("kept", "2024-03-20T10:00:00Z", "2024-03-20T09:30:00Z"),
    ] {
        world
            .database
            .as_owner(&format!(
                "INSERT INTO usage_event (tenant_id, occurred_at, id, source, source_id, customer_id, meter, quantity, batch_id, received_at)
                 VALUES ('{tenant}', '{at}', gen_random_uuid(), 'switch', '{id}', '{customer}', 'minutes', 2, gen_random_uuid(), '{at}');
                 INSERT INTO usage_sum (tenant_id, batch_id, position, customer_id, meter, hour, dimensions, quantity, events)
                 VALUES ('{tenant}', gen_random_uuid(), 1, '{customer}', 'minutes', '{hour}', '{{}}', 2, 1)"
            ))
            .await;
    }
    world.fold().await;
}

#[tokio::test]
async fn months_that_are_old_enough_leave_whole_and_are_not_missed() {
    let world = World::new().await;
    aged(&world).await;
    assert_eq!(recount(&world.tx().await).await.unwrap(), []);
    let ptx = world.database.db.platform(PlatformReason::FindDueWork).await.unwrap();
    assert!(
        retire_events(&ptx, 13, at(NOW)).await.is_err(),
        "an event may come 13 months late, and months leave whole"
    );
    // 24 months before 15 March 2026 is 15 March 2024: March is kept.
    let kept_from = at("2024-03-01T00:00:00Z");
    for _ in 0..2 {
        assert_eq!(retire_events(&ptx, 24, at(NOW)).await.unwrap(), kept_from);
    }
    ptx.commit().await.unwrap();
    world
        .database
        .as_owner(
            "DO $$ BEGIN
               ASSERT (SELECT array_agg(source_id ORDER BY source_id) FROM usage_event) = ARRAY['kept', 'march'];
               ASSERT (SELECT count(*) FROM usage_archive.usage_event_202401) = 1;
               ASSERT (SELECT source_id FROM usage_archive.usage_event_202402) = 'february';
               ASSERT (SELECT source_id FROM usage_archive.usage_event_else) = 'old';
             END $$",
        )
        .await;
    // Sums stay, and nobody calls them wrong for want of their events.
    assert_eq!(recount(&world.tx().await).await.unwrap(), []);
    assert_eq!(world.violations().await, []);
    world.database.as_owner("UPDATE usage_event SET quantity = 3 WHERE source_id = 'kept'").await;
    assert_eq!(recount(&world.tx().await).await.unwrap().len(), 1, "what is kept is counted once more");
}

#[tokio::test]
async fn a_clock_that_runs_years_ahead_takes_no_month_that_may_still_receive_events() {
    let world = World::new().await;
    let ptx = world.database.db.platform(PlatformReason::FindDueWork).await.unwrap();
    retire_events(&ptx, 24, at("2140-01-15T00:00:00Z")).await.unwrap();
    ptx.commit().await.unwrap();
    // Whatever the caller's clock says: the database has its own.
    let kept = "DO $$ BEGIN ASSERT (SELECT from_at FROM usage_kept) <= now() - interval '14 months'; END $$";
    world.database.as_owner(kept).await;
}

#[tokio::test]
async fn keys_are_forgotten_after_13_months_and_a_day_and_no_key_that_is_younger() {
    let world = World::new().await;
    let customer = world.customer("C-1", "UTC").await;
    let tenant = world.tenant.uuid();
    // 13 months before 15 March 2026, 12:00, is 15 February 2025, 12:00.
    for (id, received_at) in [("older", "'2025-02-14T11:59Z'"), ("day", "'2025-02-14T12:00Z'"), ("new", "now()")] {
        let values = format!("('{tenant}', 'switch', '{id}', '\\x00', {received_at})");
        world.database.as_owner(&format!("INSERT INTO event_key VALUES {values}")).await;
    }
    let ptx = world.database.db.platform(PlatformReason::FindDueWork).await.unwrap();
    assert_eq!(prune_keys(&ptx, at(NOW)).await.unwrap(), 1);
    ptx.commit().await.unwrap();
    // Known with another payload: still a conflict.
    assert_eq!(world.ingest(&[event("day", customer, "1")]).await, [Outcome::Conflict]);
    // An event that old is not accepted in any case, so that nothing can be counted twice.
    let old = UsageEvent { occurred_at: at("2025-02-14T11:00:00Z"), ..event("older", customer, "1") };
    assert_eq!(world.ingest(&[old]).await, [Outcome::Suspended(SuspenseCause::AbsurdTime)]);
    // Whatever a caller's clock says, the database gives up no key that is younger than 13 months by its own.
    let ptx = world.database.db.platform(PlatformReason::FindDueWork).await.unwrap();
    prune_keys(&ptx, at("2040-01-01T00:00:00Z")).await.unwrap();
    ptx.commit().await.unwrap();
    assert_eq!(world.ingest(&[event("new", customer, "1")]).await, [Outcome::Conflict]);
}
