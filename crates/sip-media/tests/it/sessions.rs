//! What happens in a call that is up: offers that meet, sessions that are refreshed or forgotten, requests we refuse.

use crate::world::*;
use sip_media::*;
use std::time::Duration;

const SDP: &str = "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 40000 RTP/AVP 0 96\r\na=rtpmap:96 telephone-event/8000\r\n";
const TYPED: &str = "Content-Type: application/sdp\r\n";

/// A caller who is connected; its 200 and its tag.
async fn connected(world: &World, call: &str, extra: &str) -> (Raw, String, String) {
    let raw = Raw::new(world.address()).await;
    let extra = format!("{TYPED}{extra}");
    raw.send(raw.request("INVITE", "did", call, 1, "", &extra, SDP).as_bytes()).await;
    let answer = raw.answer("1 INVITE").await;
    assert_eq!(status_of(&answer), 200, "{answer}");
    let tag = to_tag(&answer);
    raw.send(raw.request("ACK", "did", call, 1, &tag, "", "").as_bytes()).await;
    (raw, answer, tag)
}

/// Sends a request in the call and gives its answer.
async fn ask(raw: &Raw, method: &str, call: &str, cseq: u32, tag: &str, extra: &str, body: &str) -> String {
    raw.send(raw.request(method, "did", call, cseq, tag, extra, body).as_bytes()).await;
    raw.answer(&format!("{cseq} {method}")).await
}

async fn hang_up(world: World, raw: &Raw, call: &str, cseq: u32, tag: &str) {
    assert_eq!(status_of(&ask(raw, "BYE", call, cseq, tag, "", "").await), 200);
    world.desk.hears("call_ended", 1).await;
    world.close().await;
}

#[tokio::test]
async fn an_offer_that_meets_another_is_491_and_only_its_ack_ends_the_first() {
    let world = World::new().await;
    let (raw, _, tag) = connected(&world, "glare", "").await;
    let held = format!("{SDP}a=sendonly\r\n");
    let first = ask(&raw, "INVITE", "glare", 2, &tag, TYPED, &held).await;
    assert!(status_of(&first) == 200 && first.contains("a=recvonly"), "{first}");
    assert_eq!(status_of(&ask(&raw, "INVITE", "glare", 3, &tag, TYPED, SDP).await), 491);
    raw.send(raw.request("ACK", "did", "glare", 3, &tag, "", "").as_bytes()).await;
    assert_eq!(status_of(&ask(&raw, "UPDATE", "glare", 4, &tag, TYPED, SDP).await), 491);
    // The stack reports the call as confirmed after this one, too.
    let digit = "Content-Type: application/dtmf\r\n";
    assert_eq!(status_of(&ask(&raw, "INFO", "glare", 5, &tag, digit, "*").await), 200);
    assert_eq!(status_of(&ask(&raw, "UPDATE", "glare", 6, &tag, TYPED, SDP).await), 491);
    raw.send(raw.request("ACK", "did", "glare", 2, &tag, "", "").as_bytes()).await;
    world.desk.hears("hold_on", 1).await;
    let resumed = resume(&raw, &tag).await;
    assert!(resumed.contains("a=sendrecv") && resumed.contains("RTP/AVP 0 96"), "{resumed}");
    world.desk.hears("hold_off", 1).await;
    hang_up(world, &raw, "glare", 90, &tag).await;
}

/// By UPDATE, once the ACK has been seen.
async fn resume(raw: &Raw, tag: &str) -> String {
    for cseq in 7..60 {
        let answer = ask(raw, "UPDATE", "glare", cseq, tag, TYPED, SDP).await;
        if status_of(&answer) == 200 {
            return answer;
        }
        assert_eq!(status_of(&answer), 491, "{answer}");
    }
    panic!("the ACK of the first offer is not taken");
}

#[tokio::test]
async fn a_late_offer_in_a_re_invite_is_answered_in_its_ack() {
    let world = World::new().await;
    let (raw, _, tag) = connected(&world, "late", "").await;
    let offered = ask(&raw, "INVITE", "late", 2, &tag, "", "").await;
    assert!(status_of(&offered) == 200 && offered.contains("RTP/AVP 0 8 101"), "{offered}");
    let held = format!("{SDP}a=inactive\r\n");
    raw.send(raw.request("ACK", "did", "late", 2, &tag, TYPED, &held).as_bytes()).await;
    world.desk.hears("hold_on", 1).await;
    hang_up(world, &raw, "late", 3, &tag).await;
}

#[tokio::test]
async fn a_transfer_is_forbidden_a_message_unknown_and_no_common_codec_leaves_the_call_as_it_was() {
    let world = World::new().await;
    let (raw, answer, tag) = connected(&world, "refer", "").await;
    let allowed = header(&answer, "Allow");
    assert!(allowed.contains("UPDATE") && !allowed.contains("REFER"), "{answer}");
    let elsewhere = "Refer-To: <sip:+88216@premium.example>\r\n";
    assert_eq!(status_of(&ask(&raw, "REFER", "refer", 2, &tag, elsewhere, "").await), 403);
    assert_eq!(status_of(&ask(&raw, "MESSAGE", "refer", 3, &tag, "", "").await), 501);
    let g729 = "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 40000 RTP/AVP 18\r\n";
    assert_eq!(status_of(&ask(&raw, "INVITE", "refer", 4, &tag, TYPED, g729).await), 488);
    raw.send(raw.request("ACK", "did", "refer", 4, &tag, "", "").as_bytes()).await;
    assert_eq!(status_of(&ask(&raw, "OPTIONS", "refer", 5, &tag, "", "").await), 200);
    let outside = ask(&raw, "REFER", "other", 6, "", elsewhere, "").await;
    assert!(status_of(&outside) == 405 && header(&outside, "Allow") == allowed, "{outside}");
    hang_up(world, &raw, "refer", 7, &tag).await;
}

fn brief(config: &mut EdgeConfig) {
    (config.timing.session, config.timing.session_shortest) = (Duration::from_secs(2), Duration::from_secs(1));
}

#[tokio::test]
async fn a_session_is_refreshed_by_update_and_a_side_that_forgot_it_ends_the_call() {
    let world = World::with(brief).await;
    let (raw, answer, _) = connected(&world, "forgets", "Allow: INVITE, ACK, BYE, UPDATE\r\n").await;
    assert_eq!(header(&answer, "Session-Expires"), "2;refresher=uas", "{answer}");
    let refresh = raw.asked("UPDATE").await;
    assert_eq!(
        header(&refresh, "Session-Expires"),
        "2;refresher=uac",
        "the one who asks is the client of this request"
    );
    raw.reply(&refresh, "200 OK", "Session-Expires: 2;refresher=uac\r\n").await;
    let again = raw.asked("UPDATE").await;
    assert_ne!(header(&refresh, "CSeq"), header(&again, "CSeq"));
    raw.reply(&again, "481 Call Does Not Exist", "").await;
    world.desk.hears("call_ended", 1).await;
    let end = world.desk.end();
    assert_eq!((end.cause, end.sip_status), (EndCause::SessionExpired, Some(408)));
    let bye = raw.asked("BYE").await;
    assert!(header(&bye, "Reason").contains("session expired"), "{bye}");
    raw.reply(&bye, "200 OK", "").await;
    world.close().await;
}

#[tokio::test]
async fn a_side_that_takes_no_update_is_refreshed_by_the_same_description() {
    let world = World::with(brief).await;
    let (raw, answer, tag) = connected(&world, "plain", "").await;
    let refresh = raw.asked("INVITE").await;
    let body = |message: &str| message.split_once("\r\n\r\n").unwrap().1.to_owned();
    assert_eq!(body(&refresh), body(&answer), "{refresh}");
    // Meanwhile an offer of the caller's own is on its way.
    assert_eq!(status_of(&ask(&raw, "INVITE", "plain", 2, &tag, TYPED, SDP).await), 491);
    raw.reply(&refresh, "500 Busy", "").await;
    raw.send(raw.request("ACK", "did", "plain", 2, &tag, "", "").as_bytes()).await;
    hang_up(world, &raw, "plain", 3, &tag).await;
}

#[tokio::test]
async fn a_side_that_refreshes_keeps_its_call_and_is_missed_when_it_stops() {
    let world = World::with(brief).await;
    let wish = "Supported: timer\r\nSession-Expires: 2\r\nRequire: timer\r\n";
    let (raw, answer, tag) = connected(&world, "keeps", wish).await;
    assert_eq!(
        (header(&answer, "Session-Expires").as_str(), header(&answer, "Require").as_str()),
        ("2;refresher=uac", "timer")
    );
    let wish = "Supported: timer\r\nSession-Expires: 2;refresher=uac\r\n";
    let refreshed = ask(&raw, "UPDATE", "keeps", 2, &tag, wish, "").await;
    assert_eq!((status_of(&refreshed), header(&refreshed, "Session-Expires").as_str()), (200, "2;refresher=uac"));
    let bye = raw.asked("BYE").await;
    raw.reply(&bye, "200 OK", "").await;
    world.desk.hears("call_ended", 1).await;
    assert_eq!(world.desk.end().cause, EndCause::SessionExpired);
    world.close().await;
}

#[tokio::test]
async fn too_short_a_session_is_refused_with_the_shortest() {
    let world = World::new().await;
    let raw = Raw::new(world.address()).await;
    let wish = format!("{TYPED}Supported: timer\r\nSession-Expires: 60\r\n");
    let answer = ask(&raw, "INVITE", "brief", 1, "", &wish, SDP).await;
    assert_eq!((status_of(&answer), header(&answer, "Min-SE").as_str()), (422, "90"));
    world.close().await;
}

#[tokio::test]
async fn a_phone_behind_a_router_is_heard_and_reached_where_its_packets_come_from() {
    let world = World::new().await;
    world.desk.serves(3, Service::Music, grant(1));
    let raw = Raw::new(world.address()).await;
    let media = tokio::net::UdpSocket::bind((LOOPBACK, 0)).await.unwrap();
    let outside = raw.me().to_string();
    let inside = |request: String| request.replace(&outside, "192.168.77.5:5060");
    let sdp = "v=0\r\nc=IN IP4 192.168.77.5\r\nm=audio 40000 RTP/AVP 0 97\r\na=rtpmap:97 telephone-event/8000\r\n";
    raw.send(inside(raw.request("INVITE", "did", "router", 1, "", TYPED, sdp)).as_bytes()).await;
    let answer = raw.answer("1 INVITE").await;
    assert!(header(&answer, "Via").contains(&format!("rport={}", raw.me().port())), "{answer}");
    let tag = to_tag(&answer);
    raw.send(inside(raw.request("ACK", "did", "router", 1, &tag, "", "")).as_bytes()).await;
    let line = answer.lines().find(|line| line.starts_with("m=audio")).unwrap();
    let edge: u16 = line.split(' ').nth(1).unwrap().parse().unwrap();
    // What the phone sends opens the way back through its router.
    let digit = [0x80, 0x80 | 97, 0, 1, 0, 0, 0, 9, 0, 0, 0, 1, 3, 10, 0, 160];
    while world.desk.offset_if("meter_started").is_none() {
        media.send_to(&digit, (LOOPBACK, edge)).await.unwrap();
        tokio::time::sleep(ms(20)).await;
    }
    let mut packet = [0u8; 400];
    tokio::time::timeout(PATIENCE, media.recv_from(&mut packet)).await.expect("music comes back").unwrap();
    let bye = raw.asked("BYE").await;
    assert!(bye.starts_with(&format!("BYE sip:did@{outside} ")), "{bye}");
    raw.reply(&bye, "200 OK", "").await;
    world.desk.hears("call_ended", 1).await;
    world.close().await;
}
