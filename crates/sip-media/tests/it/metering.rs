//! Grants, cut-offs, renewals, and what happens when nobody can grant.

use crate::world::*;
use sip_media::caller::{Caller, EndedBy};
use sip_media::*;
use std::sync::atomic::Ordering;

#[tokio::test]
async fn a_call_is_cut_off_at_its_authorised_second_and_charged_exactly_that() {
    let world = World::new().await;
    world.desk.serves(3, Service::Music, grant(2));
    let outcome = Caller::call(world.plan("3", ms(15_000))).await.unwrap();
    assert_eq!(outcome.ended_by, EndedBy::Callee);
    world.desk.hears("call_ended", 1).await;
    let end = world.desk.end();
    assert_eq!((end.cause, end.metered_ms), (EndCause::BalanceExhausted, 2_000));
    let run = end.offset_ms - world.desk.offset_of("meter_started");
    assert!((2_000..2_200).contains(&run), "cut after {run} ms");
    // The last packet came before the BYE, and none after the cut: heard 0.3 s + 2 s after the answer at the latest.
    assert!(outcome.heard_until < ms(2_450), "{outcome:?}");
    let heartbeats: Vec<u64> = world
        .desk
        .events()
        .iter()
        .filter_map(|event| match event.kind {
            CallEventKind::Heartbeat { metered_ms } => Some(metered_ms),
            _ => None,
        })
        .collect();
    assert!(heartbeats.len() >= 8 && heartbeats.is_sorted(), "every 0.2 s of 2 s: {heartbeats:?}");
    world.close().await;
}

#[tokio::test]
async fn a_grant_is_renewed_before_it_ends_and_the_last_one_cuts() {
    let world = World::new().await;
    let first = Grant { authorised_seconds: Some(2), renew_at_second: 1, is_final: false };
    world.desk.serves(3, Service::Music, first);
    world.desk.renews(Ok(grant(3)));
    Caller::call(world.plan("3", ms(15_000))).await.unwrap();
    world.desk.hears("call_ended", 1).await;
    assert_eq!((world.desk.end().cause, world.desk.end().metered_ms), (EndCause::BalanceExhausted, 3_000));
    let renewed = CallEventKind::GrantRenewed { authorised_seconds: Some(3), is_final: true };
    assert!(world.desk.events().iter().any(|event| event.kind == renewed));
    world.close().await;
}

#[tokio::test]
async fn without_an_answer_the_granted_part_is_finished_and_then_the_call_is_cut() {
    let world = World::with(|config| config.timing.renew_retry = ms(300)).await;
    let first = Grant { authorised_seconds: Some(2), renew_at_second: 1, is_final: false };
    world.desk.serves(3, Service::Music, first);
    // The desk answers every renewal that it is away.
    Caller::call(world.plan("3", ms(15_000))).await.unwrap();
    world.desk.hears("call_ended", 1).await;
    let end = world.desk.end();
    assert_eq!((end.cause, end.metered_ms), (EndCause::Refused(RefusalReason::Unavailable), 2_000));
    world.close().await;
}

#[tokio::test]
async fn a_renewal_that_fails_once_is_asked_again_within_the_grant() {
    let world = World::with(|config| config.timing.renew_retry = ms(300)).await;
    let first = Grant { authorised_seconds: Some(2), renew_at_second: 1, is_final: false };
    world.desk.serves(3, Service::Music, first);
    world.desk.renews(Err(Unavailable("once".into())));
    world.desk.renews(Ok(grant(3)));
    Caller::call(world.plan("3", ms(15_000))).await.unwrap();
    world.desk.hears("call_ended", 1).await;
    assert_eq!((world.desk.end().cause, world.desk.end().metered_ms), (EndCause::BalanceExhausted, 3_000));
    world.close().await;
}

#[tokio::test]
async fn a_top_up_during_the_call_moves_its_end() {
    let world = World::new().await;
    world.desk.serves(3, Service::Music, grant(2));
    world.desk.renews(Ok(grant(4)));
    let call = tokio::spawn(Caller::call(world.plan("3", ms(15_000))));
    world.desk.hears("heartbeat", 1).await;
    let call_id = world.edge.live()[0].call_id;
    assert!(world.edge.recheck(call_id));
    call.await.unwrap().unwrap();
    world.desk.hears("call_ended", 1).await;
    assert_eq!(world.desk.end().metered_ms, 4_000);
    assert!(!world.edge.recheck(call_id), "it is over");
    world.close().await;
}

#[tokio::test]
async fn a_caller_who_hangs_up_while_his_topic_is_being_looked_up_is_not_metered() {
    let world = World::new().await;
    world.desk.serves(3, Service::Music, grant(60));
    *world.desk.thinks.lock().unwrap() = ms(800);
    let outcome = Caller::call(world.plan("3", ms(700))).await.unwrap();
    assert_eq!(outcome.ended_by, EndedBy::Caller);
    world.desk.hears("call_ended", 1).await;
    assert!(!world.desk.story().contains(&"meter_started"), "{:?}", world.desk.story());
    assert_eq!((world.desk.end().cause, world.desk.end().metered_ms), (EndCause::CallerHungUp, 0));
    world.close().await;
}

#[tokio::test]
async fn the_caller_is_warned_before_a_final_end() {
    let world = World::with(|config| config.timing.low_balance_seconds = vec![2, 1]).await;
    world.desk.serves(3, Service::Music, grant(3));
    Caller::call(world.plan("3", ms(15_000))).await.unwrap();
    world.desk.hears("call_ended", 1).await;
    let warned: Vec<(u32, u64)> = world
        .desk
        .events()
        .iter()
        .filter_map(|event| match event.kind {
            CallEventKind::LowBalanceAnnounced { seconds_left } => Some((seconds_left, event.offset_ms)),
            _ => None,
        })
        .collect();
    let start = world.desk.offset_of("meter_started");
    assert_eq!(warned.iter().map(|(left, _)| *left).collect::<Vec<_>>(), [2, 1]);
    for (left, offset) in warned {
        let due = start + (3 - u64::from(left)) * 1_000;
        assert!((due..due + 200).contains(&offset), "{left} s left at {offset}, due at {due}");
    }
    world.close().await;
}

#[tokio::test]
async fn live_calls_are_seen_and_can_be_ended_by_the_operator() {
    let world = World::new().await;
    world.desk.serves(3, Service::Music, grant(30));
    let call = tokio::spawn(Caller::call(world.plan("3", ms(15_000))));
    world.desk.hears("heartbeat", 2).await;
    let live = world.edge.live().remove(0);
    assert_eq!((live.state, live.topic, live.authorised_seconds), (CallState::Music, Some(3), Some(30)));
    assert_eq!((live.called.as_str(), live.caller.as_deref()), ("+442071838750", Some("+447700900123")));
    assert!(live.metered >= ms(400), "{live:?}");
    assert!(world.edge.end_call(live.call_id));
    assert_eq!(call.await.unwrap().unwrap().ended_by, EndedBy::Callee);
    world.desk.hears("call_ended", 1).await;
    assert_eq!(world.desk.end().cause, EndCause::EndedByAdmin);
    world.close().await;
}

#[tokio::test]
async fn a_call_that_falls_silent_is_ended() {
    let world = World::with(|config| config.timing.rtp = ms(600)).await;
    world.desk.serves(3, Service::Music, unlimited());
    let raw = Raw::new(world.address()).await;
    let sdp = "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 40000 RTP/AVP 0\r\n";
    raw.send(raw.request("INVITE", "did", "mute", 1, "", "Content-Type: application/sdp\r\n", sdp).as_bytes()).await;
    let tag = to_tag(&raw.answer("1 INVITE").await);
    raw.send(raw.request("ACK", "did", "mute", 1, &tag, "", "").as_bytes()).await;
    let bye = loop {
        let message = raw.receive().await.expect("a BYE");
        if message.starts_with("BYE") {
            break message;
        }
    };
    assert!(header(&bye, "Reason").contains("MEDIA_TIMEOUT"), "{bye}");
    let answer = format!(
        "SIP/2.0 200 OK\r\nVia: {}\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {}\r\nContent-Length: 0\r\n\r\n",
        header(&bye, "Via"),
        header(&bye, "From"),
        header(&bye, "To"),
        header(&bye, "Call-ID"),
        header(&bye, "CSeq")
    );
    raw.send(answer.as_bytes()).await;
    world.desk.hears("call_ended", 1).await;
    assert_eq!(world.desk.end().cause, EndCause::RtpTimeout);
    world.close().await;
}

#[tokio::test]
async fn events_wait_on_disk_while_the_desk_is_away_and_come_in_order_afterwards() {
    let world = World::new().await;
    world.desk.serves(3, Service::Music, grant(1));
    world.desk.away.store(true, Ordering::SeqCst);
    Caller::call(world.plan("3", ms(15_000))).await.unwrap();
    world.is_empty().await;
    assert!(world.desk.events().is_empty());
    world.desk.away.store(false, Ordering::SeqCst);
    world.desk.hears("call_ended", 1).await;
    let seqs: Vec<u32> = world.desk.events().iter().map(|event| event.seq).collect();
    assert_eq!(seqs, (1..=seqs.len() as u32).collect::<Vec<_>>());
    world.close().await;
}
