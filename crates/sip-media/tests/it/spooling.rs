//! What survives a crash.

use crate::world::*;
use sip_media::caller::Caller;
use sip_media::*;
use std::io::Write;
use std::sync::atomic::Ordering;

/// The spool file written last.
fn last_segment(folder: &std::path::Path) -> std::path::PathBuf {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "spool")).max().unwrap()
}

#[tokio::test]
async fn a_call_cut_short_by_a_crash_is_closed_at_its_last_heartbeat() {
    let world = World::new().await;
    world.desk.serves(3, Service::Music, grant(60));
    let call = tokio::spawn(Caller::call(world.plan("3", ms(4_000))));
    world.desk.hears("heartbeat", 3).await;
    let World { edge, desk, folder } = world;
    // No shutdown: the edge is gone as in a crash.
    drop(edge);
    let before = desk.events();
    let world = World::on(folder, desk, |_| {}).await;
    world.desk.hears("call_ended", 1).await;
    let end = world.desk.end();
    assert_eq!((end.cause, end.estimated), (EndCause::EdgeFailure, true));
    let last_heartbeat = world.desk.events().iter().rev().find_map(|event| match event.kind {
        CallEventKind::Heartbeat { metered_ms } => Some(metered_ms),
        _ => None,
    });
    assert_eq!(Some(end.metered_ms), last_heartbeat);
    assert!(end.metered_ms >= 600);
    // What came before is not disturbed, and nothing is numbered twice.
    let after = world.desk.events();
    assert_eq!(after[..before.len()], before[..]);
    let seqs: Vec<u32> = after.iter().map(|event| event.seq).collect();
    assert_eq!(seqs, (1..=seqs.len() as u32).collect::<Vec<_>>());
    call.abort();
    world.close().await;
}

#[tokio::test]
async fn events_that_were_not_handed_on_are_handed_on_by_the_next_edge() {
    let world = World::new().await;
    world.desk.serves(3, Service::Music, grant(1));
    world.desk.away.store(true, Ordering::SeqCst);
    Caller::call(world.plan("3", ms(15_000))).await.unwrap();
    world.is_empty().await;
    let World { edge, desk, folder } = world;
    drop(edge);
    assert!(desk.events().is_empty());
    desk.away.store(false, Ordering::SeqCst);
    let world = World::on(folder, desk, |_| {}).await;
    world.desk.hears("call_ended", 1).await;
    let end = world.desk.end();
    assert_eq!((end.cause, end.metered_ms, end.estimated), (EndCause::BalanceExhausted, 1_000, false));
    assert_eq!(world.desk.ends().len(), 1, "a call that had ended is not closed again");
    world.close().await;
}

#[tokio::test]
async fn a_torn_tail_is_cut_off_and_the_events_before_it_are_kept() {
    let world = World::new().await;
    world.desk.serves(3, Service::Music, grant(60));
    world.desk.away.store(true, Ordering::SeqCst);
    let call = tokio::spawn(Caller::call(world.plan("3", ms(3_000))));
    while world.edge.live().first().is_none_or(|call| call.metered < ms(500)) {
        tokio::time::sleep(ms(5)).await;
    }
    let World { edge, desk, folder } = world;
    drop(edge);
    call.abort();
    // Wait for the writer: the lock is free when it has ended.
    let lock = std::fs::OpenOptions::new().write(true).open(folder.join("lock")).unwrap();
    while lock.try_lock().is_err() {
        tokio::time::sleep(ms(5)).await;
    }
    let path = last_segment(&folder);
    let whole = std::fs::metadata(&path).unwrap().len();
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(&[200, 0, 0, 0, 1, 2, 3, 4, b'{']).unwrap();
    drop((file, lock));
    desk.away.store(false, Ordering::SeqCst);
    let world = World::on(folder, desk, |_| {}).await;
    assert_eq!(std::fs::metadata(&path).unwrap().len(), whole);
    world.desk.hears("call_ended", 1).await;
    assert_eq!(world.desk.end().cause, EndCause::EdgeFailure);
    let seqs: Vec<u32> = world.desk.events().iter().map(|event| event.seq).collect();
    assert_eq!(seqs, (1..=seqs.len() as u32).collect::<Vec<_>>());
    world.close().await;
}

#[tokio::test]
async fn acknowledged_segments_are_kept_for_a_week_and_others_for_ever() {
    let world = World::new().await;
    world.desk.admits(Admission::Refuse { status: 404, reason: RefusalReason::UnknownNumber });
    Caller::call(world.plan("", ms(0))).await.unwrap();
    world.desk.hears("call_ended", 1).await;
    let World { edge, desk, folder } = world;
    let first = last_segment(&folder);
    edge.shutdown().await;
    // The clock of these tests stands at noon on 1 March 2026.
    let noon = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_772_366_400);
    for (age_days, kept) in [(6, true), (8, false)] {
        let written_at = noon - std::time::Duration::from_secs(age_days * 86_400);
        std::fs::File::options().append(true).open(&first).unwrap().set_modified(written_at).unwrap();
        let world = World::on(folder.clone(), desk.clone(), |_| {}).await;
        assert_eq!(first.exists(), kept, "{age_days} days");
        world.edge.shutdown().await;
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn a_second_edge_on_the_same_spool_does_not_start() {
    let world = World::new().await;
    let other = Edge::start(config(&world.folder), world.desk.clone(), std::sync::Arc::new(Never)).await;
    assert!(matches!(other, Err(EdgeError::SpoolMustBeOurs { .. })));
    world.close().await;
}

struct Never;

impl Clock for Never {
    fn now(&self) -> chrono::DateTime<chrono::Utc> {
        chrono::DateTime::UNIX_EPOCH
    }
}

#[tokio::test]
async fn a_shutdown_ends_the_calls_says_so_and_hands_everything_over() {
    let world = World::new().await;
    world.desk.serves(3, Service::Music, grant(60));
    let call = tokio::spawn(Caller::call(world.plan("3", ms(15_000))));
    world.desk.hears("heartbeat", 1).await;
    let World { edge, desk, folder } = world;
    edge.shutdown().await;
    let end = desk.end();
    assert_eq!((end.cause, end.estimated), (EndCause::ShutDown, false));
    assert!(end.metered_ms >= 200);
    assert_eq!(call.await.unwrap().unwrap().ended_by, sip_media::caller::EndedBy::Callee);
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn an_event_refused_for_good_is_set_aside_and_the_others_go_on() {
    let world = World::new().await;
    world.desk.serves(3, Service::Music, grant(1));
    *world.desk.poison.lock().unwrap() = Some("call_answered".into());
    // A whole batch waits, so that the one that is refused stands in the middle of others.
    world.desk.away.store(true, Ordering::SeqCst);
    Caller::call(world.plan("3", ms(15_000))).await.unwrap();
    world.is_empty().await;
    let noon = "2026-03-01T12:00:00Z".parse().ok();
    assert_eq!((world.edge.waiting_since(), world.edge.set_aside()), (noon, 0));
    world.desk.away.store(false, Ordering::SeqCst);
    world.desk.hears("call_ended", 1).await;
    let told = ["call_started", "caller_identified", "topic_selected", "meter_started", "call_ended"];
    assert_eq!(world.desk.story(), told, "all but what was refused");
    // The next call does not wait behind it.
    *world.desk.poison.lock().unwrap() = None;
    Caller::call(world.plan("3", ms(15_000))).await.unwrap();
    world.desk.hears("call_ended", 2).await;
    assert_eq!(world.edge.set_aside(), 1);
    let World { edge, desk, folder } = world;
    edge.shutdown().await;
    // The next edge knows of it, too.
    let world = World::on(folder, desk, |_| {}).await;
    assert_eq!((world.edge.waiting_since(), world.edge.set_aside()), (None, 1));
    let kept = set_aside(&world.folder).unwrap();
    assert_eq!((kept[0].event.kind.name(), kept[0].reason.as_str()), ("call_answered", "the desk cannot read it"));
    world.close().await;
}
