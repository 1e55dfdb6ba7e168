//! Usage that is swept after it came in: a bill waits for the hours that it is made of.

use crate::world::{POSTPAID, Who, World, at, component, each, lines, on};
use invoicing::{ItemState, Phase};
use subscription::ComponentKind;

#[tokio::test]
async fn a_bill_waits_until_none_of_its_hours_is_dirty_and_keeps_nobody_else_waiting() {
    let world = World::new().await;
    let tx = world.tx().await;
    let peak = usage_metering::Meter::new("at_once", "Chats at once", "chat", usage_metering::Aggregation::Peak, &[]);
    usage_metering::define_meter(&tx, &peak).await.unwrap();
    tx.commit().await.unwrap();
    let (chatty, other) =
        (world.customer(Who { no: "K-1", ..POSTPAID }).await, world.customer(Who { no: "K-2", ..POSTPAID }).await);
    let chats = || vec![component("chats", ComponentKind::Usage, Some("at_once"), each("3"))];
    world.subscribe(chatty, "2026-04-01", chats()).await;
    world.subscribe(other, "2026-04-01", vec![component("fee", ComponentKind::Flat, None, each("10"))]).await;
    // Ten minutes each; the second begins while the first lasts. Nobody has swept that hour yet.
    world.used(chatty, "at_once", "600", &[], "2026-04-10T09:00:00Z").await;
    world.used(chatty, "at_once", "600", &[], "2026-04-10T09:05:00Z").await;
    let now = "2026-05-01T08:00:00Z";
    let tx = world.tx().await;
    let run_id = invoicing::plan_run(&tx, on("2026-05-01"), "test", at(now)).await.unwrap();
    let run = invoicing::draft_some(&tx, run_id, 50, at(now)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!((run.phase, run.counts.waiting, run.counts.drafted), (Phase::Drafting, 1, 1));
    let tx = world.tx().await;
    let held = invoicing::run_items(&tx, run_id, Some(ItemState::Waiting), None, 9).await.unwrap();
    assert_eq!(held[0].customer_id, chatty);
    assert_eq!(
        held[0].failure.as_deref(),
        Some("1 of its hours of usage are still being counted; the draft waits for them")
    );
    usage_metering::sweep(&tx, at(now)).await.unwrap();
    tx.commit().await.unwrap();
    let run = world.draft_on(run_id, now).await;
    world.finalised(run.id, now).await;
    assert_eq!(lines(&world.invoice(chatty).await), ["chats | 2 | 6.00"]); // 2 x 3.00
    // One more of that hour comes late: the next bill waits for the hour as well, and bills the difference.
    world.used(chatty, "at_once", "60", &[], "2026-04-10T09:06:00Z").await;
    let tx = world.tx().await;
    let next = invoicing::plan_run(&tx, on("2026-06-01"), "test", at("2026-06-01T08:00:00Z")).await.unwrap();
    let run = invoicing::draft_some(&tx, next, 50, at("2026-06-01T08:00:00Z")).await.unwrap();
    assert_eq!(run.counts.waiting, 1);
    usage_metering::sweep(&tx, at(now)).await.unwrap();
    tx.commit().await.unwrap();
    let run = world.draft_on(next, "2026-06-01T08:00:00Z").await;
    world.finalised(run.id, "2026-06-01T08:00:00Z").await;
    let late = lines(&world.invoice(chatty).await);
    assert!(late.iter().any(|line| line.contains("3.00")), "3 x 3.00 - 6.00: {late:?}");
}
