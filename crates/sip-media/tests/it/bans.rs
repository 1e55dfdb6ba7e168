//! Scanners, guessers and floods: what one source may do, and when it is not heard any more (R49, R50).

use crate::world::*;
use sip_media::caller::Caller;
use sip_media::*;
use std::time::Duration;

fn rule(offences: u32) -> BanRule {
    BanRule { offences, within: Duration::from_secs(60), lasts: Duration::from_secs(300) }
}

/// Bans of two offences.
fn strict(config: &mut EdgeConfig) {
    config.bans = BanRules { guesses: rule(2), scans: rule(2), floods: rule(2) };
}

async fn is_heard(raw: &Raw, cseq: u32) -> bool {
    raw.send(raw.request("OPTIONS", "x", "ping", cseq, "", "", "").as_bytes()).await;
    raw.receive().await.is_some()
}

#[tokio::test]
async fn who_asks_for_numbers_that_nobody_has_is_not_heard_any_more_until_the_ban_is_lifted() {
    let world = World::with(strict).await;
    world.desk.admits(Admission::Refuse { status: 404, reason: RefusalReason::UnknownNumber });
    for _ in 0..2 {
        assert_eq!(Caller::call(world.plan("", ms(0))).await.unwrap().status, 404);
    }
    world.desk.hears("call_ended", 2).await;
    world.is_empty().await;
    let raw = Raw::new(world.address()).await;
    assert!(!is_heard(&raw, 3).await);
    let bans = world.edge.bans();
    assert_eq!((bans.len(), bans[0].source, bans[0].offence), (1, LOOPBACK, Offence::Scan));
    assert!(bans[0].dropped >= 1 && bans[0].expires_in <= Duration::from_secs(300), "{bans:?}");
    assert!(world.edge.lift_ban(LOOPBACK));
    assert!(is_heard(&raw, 4).await);
    assert!(world.edge.bans().is_empty());
    world.close().await;
}

#[tokio::test]
async fn a_banned_source_hangs_up_the_call_it_has_but_gets_no_other() {
    let world = World::with(strict).await;
    world.desk.serves(3, Service::Music, unlimited());
    let call = tokio::spawn(Caller::call(world.plan("3", ms(2_500))));
    world.desk.hears("meter_started", 1).await;
    let raw = Raw::new(world.address()).await;
    for cseq in 1..=2 {
        raw.send(raw.request("PUBLISH", "x", "scan", cseq, "", "", "").as_bytes()).await;
        assert_eq!(status_of(&raw.answer(&format!("{cseq} PUBLISH")).await), 405);
    }
    assert!(!is_heard(&raw, 3).await);
    let outcome = call.await.unwrap().unwrap();
    assert_eq!(outcome.ended_by, sip_media::caller::EndedBy::Caller, "its BYE was answered");
    world.desk.hears("call_ended", 1).await;
    assert_eq!(world.desk.end().cause, EndCause::CallerHungUp);
    world.close().await;
}

#[tokio::test]
async fn a_flood_from_one_source_is_dropped_and_a_trusted_source_is_never_banned() {
    let flood = |trusted: Vec<std::net::IpAddr>| async move {
        let world = World::with(|config| {
            strict(config);
            (config.request_rate, config.trusted) = (RateLimit { per_second: 1, burst: 3 }, trusted);
        });
        let world = world.await;
        let raw = Raw::new(world.address()).await;
        for cseq in 1..=20 {
            raw.send(raw.request("OPTIONS", "x", &format!("flood-{cseq}"), cseq, "", "", "").as_bytes()).await;
        }
        let mut answers = 0;
        while raw.receive().await.is_some() {
            answers += 1;
        }
        let bans = world.edge.bans();
        world.close().await;
        (answers, bans)
    };
    let (answers, bans) = flood(Vec::new()).await;
    assert!((3..=4).contains(&answers), "{answers} of 20: a burst of 3");
    assert_eq!(bans[0].offence, Offence::Flood);
    let (answers, bans) = flood(vec![LOOPBACK]).await;
    assert!((3..=4).contains(&answers) && bans.is_empty(), "{answers}, {bans:?}");
}

#[tokio::test]
async fn one_number_that_calls_too_often_is_answered_503_and_others_are_not() {
    let world = World::with(|config| config.caller_rate = RateLimit { per_second: 1, burst: 2 }).await;
    world.desk.admits(Admission::Refuse { status: 480, reason: RefusalReason::Suspended });
    let mut plan = world.plan("", ms(0));
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(Caller::call(plan.clone()).await.unwrap().status);
    }
    assert!(statuses[..2] == [480, 480] && statuses[2..].contains(&503), "{statuses:?}");
    plan.from = "+447700900456".into();
    assert_eq!(Caller::call(plan).await.unwrap().status, 480);
    assert!(world.edge.bans().is_empty(), "a number is no address: anybody can write it");
    world.close().await;
}
