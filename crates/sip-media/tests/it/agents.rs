//! Calls with an agent's phone.

use crate::world::*;
use sip_media::caller::{Caller, EndedBy, PhoneAnswer};
use sip_media::*;
use tokio::time::timeout;

fn agents(usernames: &[&str]) -> Service {
    Service::Agents { usernames: usernames.iter().map(|name| (*name).to_owned()).collect() }
}

#[tokio::test]
async fn caller_and_agent_hear_each_other_whatever_law_each_speaks() {
    for (caller_codec, agent_codec) in [(Codec::Pcmu, Codec::Pcmu), (Codec::Pcma, Codec::Pcmu)] {
        let world = World::new().await;
        world.desk.serves(5, agents(&["amy"]), unlimited());
        let phone = world.phone("amy", |plan| {
            (plan.codec, plan.record, plan.tone_hertz) = (agent_codec, true, 600.0);
        });
        let mut phone = phone.await;
        let mut plan = world.plan("5", ms(2_500));
        (plan.codec, plan.record, plan.tone_hertz) = (caller_codec, true, 1000.0);
        let call = tokio::spawn(Caller::call(plan));
        let mut at_agent = timeout(PATIENCE, phone.next_call()).await.unwrap().unwrap();
        at_agent.ended().await;
        let outcome = call.await.unwrap().unwrap();
        let (agent_hears, caller_hears) = (seconds_of(&at_agent.heard(), 1000.0), seconds_of(&outcome.heard, 600.0));
        assert!(agent_hears > 1.2 && caller_hears > 1.2, "agent {agent_hears} s, caller {caller_hears} s");
        world.desk.hears("call_ended", 1).await;
        let story = [
            "call_started",
            "caller_identified",
            "call_answered",
            "topic_selected",
            "agent_ringing",
            "agent_joined",
            "meter_started",
            "agent_left",
            "call_ended",
        ];
        assert_eq!(world.desk.story(), story);
        assert_eq!(world.desk.end().cause, EndCause::CallerHungUp);
        world.close().await;
    }
}

#[tokio::test]
async fn the_meter_starts_when_the_agent_answers_and_not_while_the_phone_rings() {
    let world = World::with(|config| config.timing.agent_ring = ms(3_000)).await;
    world.desk.serves(5, agents(&["amy"]), grant(1));
    let _phone = world.phone("amy", |plan| plan.answer = PhoneAnswer::Accept(ms(1_000))).await;
    let outcome = Caller::call(world.plan("5", ms(15_000))).await.unwrap();
    assert_eq!(outcome.ended_by, EndedBy::Callee);
    world.desk.hears("call_ended", 1).await;
    let waited = world.desk.offset_of("agent_joined") - world.desk.offset_of("agent_ringing");
    assert!(waited >= 1_000, "{waited}");
    assert_eq!((world.desk.end().cause, world.desk.end().metered_ms), (EndCause::BalanceExhausted, 1_000));
    world.close().await;
}

#[tokio::test]
async fn an_agent_who_hangs_up_ends_the_call_on_both_sides() {
    let world = World::new().await;
    world.desk.serves(5, agents(&["amy"]), unlimited());
    let mut phone = world.phone("amy", |_| {}).await;
    let call = tokio::spawn(Caller::call(world.plan("5", ms(15_000))));
    let at_agent = timeout(PATIENCE, phone.next_call()).await.unwrap().unwrap();
    world.desk.hears("heartbeat", 1).await;
    at_agent.hang_up().await;
    assert_eq!(call.await.unwrap().unwrap().ended_by, EndedBy::Callee);
    world.desk.hears("call_ended", 1).await;
    assert_eq!(world.desk.end().cause, EndCause::AgentHungUp);
    assert!(world.desk.end().metered_ms >= 200);
    world.close().await;
}

#[tokio::test]
async fn who_declines_or_does_not_answer_is_followed_by_the_next() {
    let world = World::new().await;
    world.desk.serves(5, agents(&["declines", "is_away", "rings", "amy"]), unlimited());
    let _declines = world.phone("declines", |plan| plan.answer = PhoneAnswer::Decline).await;
    let _rings = world.phone("rings", |plan| plan.answer = PhoneAnswer::Ring).await;
    let mut phone = world.phone("amy", |_| {}).await;
    assert_eq!(world.edge.registrations().len(), 3);
    let call = tokio::spawn(Caller::call(world.plan("5", ms(2_500))));
    assert!(timeout(PATIENCE, phone.next_call()).await.unwrap().is_some());
    call.await.unwrap().unwrap();
    world.desk.hears("call_ended", 1).await;
    let rung: Vec<String> = world
        .desk
        .events()
        .into_iter()
        .filter_map(|event| match event.kind {
            CallEventKind::AgentRinging { username } => Some(username),
            _ => None,
        })
        .collect();
    assert_eq!(rung, ["declines", "rings", "amy"]);
    world.close().await;
}

#[tokio::test]
async fn a_busy_agent_is_rung_again_and_the_queue_ends_unmetered() {
    let world = World::new().await;
    world.desk.serves(5, agents(&["busy"]), grant(60));
    let _busy = world.phone("busy", |plan| plan.answer = PhoneAnswer::Busy).await;
    let outcome = Caller::call(world.plan("5", ms(30_000))).await.unwrap();
    assert_eq!(outcome.ended_by, EndedBy::Callee);
    world.desk.hears("call_ended", 1).await;
    let end = world.desk.end();
    assert_eq!((end.cause, end.metered_ms), (EndCause::Refused(RefusalReason::Unavailable), 0));
    let rung = world.desk.story().iter().filter(|name| **name == "agent_ringing").count();
    assert!(rung >= 3, "every 0.2 s of 2.5 s, but rung {rung} times");
    world.close().await;
}

#[tokio::test]
async fn a_caller_who_gives_up_while_the_phone_rings_stops_its_ringing() {
    let world = World::with(|config| config.timing.agent_ring = ms(10_000)).await;
    world.desk.serves(5, agents(&["amy"]), grant(60));
    let _phone = world.phone("amy", |plan| plan.answer = PhoneAnswer::Ring).await;
    let outcome = Caller::call(world.plan("5", ms(900))).await.unwrap();
    assert_eq!(outcome.ended_by, EndedBy::Caller);
    world.desk.hears("call_ended", 1).await;
    assert_eq!((world.desk.end().cause, world.desk.end().metered_ms), (EndCause::CallerHungUp, 0));
    world.close().await;
}

#[tokio::test]
async fn while_one_side_holds_the_other_hears_music_and_both_talk_on_afterwards() {
    let world = World::new().await;
    world.desk.serves(5, agents(&["amy"]), unlimited());
    let mut phone = world.phone("amy", |plan| plan.record = true).await;
    let mut plan = world.plan("5", ms(5_000));
    (plan.record, plan.hold) = (true, Some((ms(1_300), ms(1_000))));
    let call = tokio::spawn(Caller::call(plan));
    let mut at_agent = timeout(PATIENCE, phone.next_call()).await.unwrap().unwrap();
    world.desk.hears("hold_off", 1).await;
    assert_eq!(at_agent.hold().await, 200);
    world.desk.hears("hold_on", 2).await;
    assert!(world.edge.live()[0].on_hold);
    assert_eq!(at_agent.resume().await, 200);
    at_agent.ended().await;
    let outcome = call.await.unwrap().unwrap();
    // 5 s up, of which 0.3 s menu, and 1 s on hold: about 3.5 s of each other.
    let (agent_hears, caller_hears) = (seconds_of(&at_agent.heard(), 1000.0), seconds_of(&outcome.heard, 600.0));
    assert!(agent_hears > 2.0 && caller_hears > 2.0, "agent {agent_hears} s, caller {caller_hears} s");
    world.desk.hears("call_ended", 1).await;
    let holds: Vec<&str> = world.desk.story().into_iter().filter(|name| name.starts_with("hold")).collect();
    assert_eq!(holds, ["hold_on", "hold_off", "hold_on", "hold_off"]);
    world.close().await;
}

#[tokio::test]
async fn a_second_reinvite_before_the_ack_of_the_first_is_answered_491() {
    let world = World::new().await;
    world.desk.serves(3, Service::Music, unlimited());
    let raw = Raw::new(world.address()).await;
    let typed = "Content-Type: application/sdp\r\n";
    let sdp = "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 40000 RTP/AVP 0\r\n";
    raw.send(raw.request("INVITE", "did", "glare", 1, "", typed, sdp).as_bytes()).await;
    let tag = to_tag(&raw.answer("1 INVITE").await);
    raw.send(raw.request("ACK", "did", "glare", 1, &tag, "", "").as_bytes()).await;
    raw.send(raw.request("INVITE", "did", "glare", 2, &tag, typed, sdp).as_bytes()).await;
    raw.send(raw.request("INVITE", "did", "glare", 3, &tag, typed, sdp).as_bytes()).await;
    assert_eq!(status_of(&raw.answer("2 INVITE").await), 200);
    assert_eq!(status_of(&raw.answer("3 INVITE").await), 491);
    raw.send(raw.request("ACK", "did", "glare", 2, &tag, "", "").as_bytes()).await;
    raw.send(raw.request("BYE", "did", "glare", 4, &tag, "", "").as_bytes()).await;
    assert_eq!(status_of(&raw.answer("4 BYE").await), 200);
    world.desk.hears("call_ended", 1).await;
    world.close().await;
}

#[tokio::test]
async fn call_control_is_told_whose_phones_can_ring() {
    let world = World::new().await;
    world.desk.serves(3, Service::Music, grant(1));
    let _amy = world.phone("amy", |_| {}).await;
    Caller::call(world.plan("3", ms(15_000))).await.unwrap();
    assert_eq!(*world.desk.phones.lock().unwrap(), ["amy"]);
    world.close().await;
}

#[tokio::test]
async fn a_caller_whose_edge_has_died_does_not_take_it_for_its_own_hang_up() {
    let world = World::new().await;
    world.desk.serves(3, Service::Music, grant(60));
    let call = tokio::spawn(Caller::call(world.plan("3", ms(1_500))));
    world.desk.hears("heartbeat", 1).await;
    let World { edge, folder, .. } = world;
    drop(edge);
    let outcome = call.await.unwrap().unwrap();
    assert_eq!(outcome.ended_by, sip_media::caller::EndedBy::Nobody);
    assert!((ms(1_500)..ms(3_000)).contains(&outcome.lasted), "{:?}", outcome.lasted);
    assert!(outcome.heard_until < outcome.lasted, "{:?}", outcome.heard_until);
    std::fs::remove_dir_all(folder).unwrap();
}
