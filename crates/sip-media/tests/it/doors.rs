//! Registration, limits, strangers and garbage.

use crate::world::*;
use md5::{Digest, Md5};
use sip_media::caller::{AgentPhone, Caller, PhonePlan};
use sip_media::*;
use std::sync::atomic::Ordering;
use tokio::net::UdpSocket;
use tokio::time::timeout;

fn md5(text: &str) -> String {
    hex::encode(Md5::digest(text))
}

fn field(challenge: &str, name: &str) -> String {
    let start = challenge.find(&format!("{name}=\"")).map(|at| at + name.len() + 2).expect(name);
    challenge[start..].split('"').next().unwrap().to_owned()
}

/// The MD5 challenge of a 401.
fn challenge(answer: &str) -> String {
    assert_eq!(status_of(answer), 401, "{answer}");
    answer.lines().find(|line| line.contains("algorithm=MD5")).expect("an MD5 challenge").to_owned()
}

struct Client {
    raw: Raw,
    sequence: u32,
}

impl Client {
    async fn register(&mut self, user: &str, extra: &str) -> String {
        self.sequence += 1;
        let call = format!("reg-{user}");
        let request = self.raw.request("REGISTER", user, &call, self.sequence, "", extra, "");
        self.raw.send(request.as_bytes()).await;
        self.raw.answer(&format!("{} REGISTER", self.sequence)).await
    }

    fn authorization(&self, user: &str, password: &str, nonce: &str, nc: u32) -> String {
        self.authorization_for(&format!("sip:{user}@{}", self.raw.edge), user, password, nonce, nc)
    }

    fn authorization_for(&self, uri: &str, user: &str, password: &str, nonce: &str, nc: u32) -> String {
        let (ha1, ha2) = (md5(&format!("{user}:{REALM}:{password}")), md5(&format!("REGISTER:{uri}")));
        let response = md5(&format!("{ha1}:{nonce}:{nc:08x}:abc:auth:{ha2}"));
        format!(
            "Authorization: Digest username=\"{user}\", realm=\"{REALM}\", nonce=\"{nonce}\", uri=\"{uri}\", \
             response=\"{response}\", algorithm=MD5, cnonce=\"abc\", qop=auth, nc={nc:08x}\r\nExpires: 60\r\n"
        )
    }
}

#[tokio::test]
async fn a_phone_reuses_its_nonce_with_a_rising_count_and_a_repeated_count_is_stale() {
    let world = World::new().await;
    world.desk.employs("amy", "secret");
    let mut client = Client { raw: Raw::new(world.address()).await, sequence: 0 };
    let first = challenge(&client.register("amy", "").await);
    let nonce = field(&first, "nonce");
    for nc in 1..=12 {
        let answer = client.register("amy", &client.authorization("amy", "secret", &nonce, nc)).await;
        assert_eq!(status_of(&answer), 200, "count {nc}: {answer}");
        assert!(header(&answer, "Contact").contains("expires="), "{answer}");
    }
    let replayed = client.register("amy", &client.authorization("amy", "secret", &nonce, 12)).await;
    assert!(challenge(&replayed).contains("stale=true"), "{replayed}");
    assert_eq!(world.edge.registrations()[0].username, "amy");
    let gone = client.authorization("amy", "secret", &field(&challenge(&replayed), "nonce"), 1);
    let gone = gone.replace("Expires: 60", "Expires: 0");
    assert_eq!(status_of(&client.register("amy", &gone).await), 200);
    assert!(world.edge.registrations().is_empty());
    world.close().await;
}

#[tokio::test]
async fn an_unknown_user_and_a_wrong_password_get_the_same_answer_and_a_ban_after_ten() {
    let world = World::with(|config| config.failed_registrations = 3).await;
    world.desk.employs("amy", "secret");
    let mut client = Client { raw: Raw::new(world.address()).await, sequence: 0 };
    let nonce = field(&challenge(&client.register("amy", "").await), "nonce");
    let wrong = client.register("amy", &client.authorization("amy", "guess", &nonce, 1)).await;
    let unknown = client.register("bob", &client.authorization("bob", "guess", &nonce, 2)).await;
    for answer in [&wrong, &unknown] {
        assert!(!challenge(answer).contains("stale"), "{answer}");
    }
    let shape =
        |answer: &str| answer.lines().map(|line| line.split([':', '=']).next().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(shape(&wrong), shape(&unknown));
    for nc in 3..5 {
        client.register("amy", &client.authorization("amy", "guess", &nonce, nc)).await;
    }
    let banned = client.register("amy", &client.authorization("amy", "secret", &nonce, 9)).await;
    assert_eq!(status_of(&banned), 401, "the right password is of no use during the ban");
    assert!(world.edge.registrations().is_empty());
    world.close().await;
}

#[tokio::test]
async fn a_credential_made_for_another_server_or_another_user_does_not_register() {
    let world = World::new().await;
    world.desk.employs("amy", "secret");
    let mut client = Client { raw: Raw::new(world.address()).await, sequence: 0 };
    let nonce = field(&challenge(&client.register("amy", "").await), "nonce");
    let borrowed = client.authorization("amy", "secret", &nonce, 1);
    assert_eq!(status_of(&client.register("bob", &borrowed).await), 401);
    let elsewhere = client.authorization_for("sip:192.0.2.1", "amy", "secret", &nonce, 1);
    assert_eq!(status_of(&client.register("amy", &elsewhere).await), 401);
    let too_brief = client.authorization("amy", "secret", &nonce, 2).replace("Expires: 60", "Expires: 1");
    let answer = client.register("amy", &too_brief).await;
    assert_eq!((status_of(&answer), header(&answer, "Min-Expires").as_str()), (423, "5"));
    world.close().await;
}

#[tokio::test]
async fn phones_register_by_either_algorithm() {
    for digest in [DigestOffer::Sha256AndMd5, DigestOffer::Md5] {
        let world = World::with(|config| config.digest = digest).await;
        let _phone = world.phone("amy", |_| {}).await;
        assert_eq!(world.edge.registrations().len(), 1);
        world.desk.employs("bob", "secret");
        let refused = AgentPhone::register(PhonePlan::new(world.address(), "bob", "guess")).await;
        assert!(refused.is_err());
        world.close().await;
    }
}

#[tokio::test]
async fn a_phone_that_leaves_a_challenge_unanswered_is_offered_md5_alone() {
    let world = World::new().await;
    world.desk.employs("amy", "secret");
    let mut client = Client { raw: Raw::new(world.address()).await, sequence: 0 };
    let offered = |answer: &str| answer.matches("WWW-Authenticate").count();
    assert_eq!(offered(&client.register("amy", "").await), 2, "SHA-256 first, then MD5");
    let answer = client.register("amy", "").await;
    assert!(offered(&answer) == 1 && challenge(&answer).contains("algorithm=MD5"), "{answer}");
    let right = client.authorization("amy", "secret", &field(&challenge(&answer), "nonce"), 1);
    assert_eq!(status_of(&client.register("amy", &right).await), 200);
    let guess = client.authorization("amy", "guess", &field(&challenge(&answer), "nonce"), 2);
    assert_eq!(offered(&client.register("amy", &guess).await), 1, "nor is it confused by a refusal");
    world.close().await;
}

#[tokio::test]
async fn a_full_edge_and_a_source_that_calls_too_often_are_answered_503() {
    let world = World::with(|config| config.max_calls = 1).await;
    world.desk.serves(3, Service::Music, unlimited());
    let first = tokio::spawn(Caller::call(world.plan("3", ms(1_500))));
    world.desk.hears("call_started", 1).await;
    let second = Caller::call(world.plan("", ms(0))).await.unwrap();
    assert_eq!((second.status, second.answered), (503, false));
    first.await.unwrap().unwrap();
    world.desk.hears("call_ended", 1).await;
    assert_eq!(world.desk.ends().len(), 1, "a call that was not let in has no events");
    world.close().await;

    let world = World::with(|config| config.invite_rate = RateLimit { per_second: 1, burst: 2 }).await;
    world.desk.admits(Admission::Refuse { status: 404, reason: RefusalReason::UnknownNumber });
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(Caller::call(world.plan("", ms(0))).await.unwrap().status);
    }
    assert_eq!(statuses[..2], [404, 404]);
    assert!(statuses[2..].contains(&503), "{statuses:?}");
    world.close().await;
}

#[tokio::test]
async fn an_extension_the_caller_insists_on_is_420() {
    let world = World::new().await;
    let raw = Raw::new(world.address()).await;
    raw.send(raw.request("INVITE", "did", "ext", 1, "", "Require: 100rel\r\n", "").as_bytes()).await;
    let answer = raw.answer("1 INVITE").await;
    assert_eq!((status_of(&answer), header(&answer, "Unsupported").as_str()), (420, "100rel"));
    world.close().await;
}

#[tokio::test]
async fn no_common_codec_is_488_and_options_is_200() {
    let world = World::new().await;
    let raw = Raw::new(world.address()).await;
    let sdp = "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 40000 RTP/AVP 18\r\n";
    raw.send(raw.request("INVITE", "did", "g729", 1, "", "Content-Type: application/sdp\r\n", sdp).as_bytes()).await;
    assert_eq!(status_of(&raw.answer("1 INVITE").await), 488);
    raw.send(raw.request("OPTIONS", "did", "ping", 1, "", "", "").as_bytes()).await;
    assert_eq!(status_of(&raw.answer("1 OPTIONS").await), 200);
    raw.send(raw.request("BYE", "did", "none", 1, ";tag=x", "", "").as_bytes()).await;
    assert_eq!(status_of(&raw.answer("1 BYE").await), 481);
    world.close().await;
}

#[tokio::test]
async fn packets_from_a_foreign_address_are_neither_heard_nor_followed() {
    let world = World::new().await;
    world.desk.serves(3, Service::Music, unlimited());
    let raw = Raw::new(world.address()).await;
    let media = UdpSocket::bind((LOOPBACK, 0)).await.unwrap();
    let thief = UdpSocket::bind("127.0.0.2:0").await.unwrap();
    let port = media.local_addr().unwrap().port();
    let sdp =
        format!("v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio {port} RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n");
    raw.send(raw.request("INVITE", "did", "theft", 1, "", "Content-Type: application/sdp\r\n", &sdp).as_bytes()).await;
    let answer = raw.answer("1 INVITE").await;
    let line = answer.lines().find(|line| line.starts_with("m=audio")).unwrap().to_owned();
    let edge_port: u16 = line.split(' ').nth(1).unwrap().parse().unwrap();
    let tag = to_tag(&answer);
    raw.send(raw.request("ACK", "did", "theft", 1, &tag, "", "").as_bytes()).await;
    let mut packet = [0u8; 400];
    timeout(PATIENCE, media.recv_from(&mut packet)).await.unwrap().unwrap();
    let digit = [0x80, 0x80 | 101, 0, 1, 0, 0, 0, 9, 0, 0, 0, 1, 3, 10, 0, 160];
    for _ in 0..5 {
        thief.send_to(&digit, (LOOPBACK, edge_port)).await.unwrap();
    }
    // The prompt still goes where it went; only then does the owner press.
    for _ in 0..5 {
        timeout(PATIENCE, media.recv_from(&mut packet)).await.expect("the prompt goes on").unwrap();
    }
    assert!(!world.desk.story().contains(&"topic_selected"));
    assert!(thief.try_recv(&mut packet).is_err(), "nothing is sent to the thief");
    media.send_to(&digit, (LOOPBACK, edge_port)).await.unwrap();
    world.desk.hears("meter_started", 1).await;
    raw.send(raw.request("BYE", "did", "theft", 2, &tag, "", "").as_bytes()).await;
    raw.answer("2 BYE").await;
    world.desk.hears("call_ended", 1).await;
    world.close().await;
}

/// A small generator, so that a failing run can be repeated.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides.max(1) as u64) as usize
    }
}

#[tokio::test]
async fn malformed_and_mutated_datagrams_do_not_stop_the_edge() {
    let panics = count_panics();
    let world = World::with(|config| {
        config.invite_rate = RateLimit { per_second: 5, burst: 20 };
        config.trusted = vec![LOOPBACK];
    });
    let world = world.await;
    let raw = Raw::new(world.address()).await;
    let sdp = "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 40000 RTP/AVP 0\r\n";
    let typed = "Content-Type: application/sdp\r\n";
    let garbage = "Authorization: Digest username=\"a\",,,=,nc=zz,uri=\"\r\n";
    let seeds: Vec<Vec<u8>> = [
        raw.request("OPTIONS", "x", "f1", 1, "", "", ""),
        raw.request("INVITE", "x", "f2", 1, "", typed, sdp),
        raw.request("INVITE", "x", "f3", 1, "", typed, "m=audio"),
        raw.request("REGISTER", "x", "f4", 1, "", garbage, ""),
        raw.request("BYE", "x", "f5", 1, ";tag=zz", "", ""),
        raw.request("CANCEL", "x", "f6", 1, "", "", ""),
        raw.request("ACK", "x", "f7", 4_294_967_295, ";tag=q", "", ""),
        raw.request("OPTIONS", "x", "f8", 1, "", "", "").replace("Via: SIP/2.0/UDP ", "Via: "),
        raw.request("OPTIONS", "x", "f9", 1, "", "", "").replace("CSeq: 1", "CSeq: 99999999999999999999"),
        raw.request("OPTIONS", "x", "f10", 1, "", "", "").replace("Content-Length: 0", "Content-Length: -1"),
        "SIP/2.0 9999 X\r\n\r\n".to_owned(),
        "\0".repeat(200),
    ]
    .into_iter()
    .map(String::into_bytes)
    .collect();
    let mut dice = Dice(7);
    let splices: [&[u8]; 9] = [b";", b"<", b"\"", b":", b"\r\n", b",", b"[", b"\0", b"="];
    for round in 0..4_000 {
        let mut datagram = seeds[dice.roll(seeds.len())].clone();
        for _ in 0..=dice.roll(8) {
            let at = dice.roll(datagram.len());
            match dice.roll(4) {
                0 if !datagram.is_empty() => datagram[at] = dice.roll(256) as u8,
                1 => drop(datagram.drain(at..datagram.len().min(at + 1 + dice.roll(20)))),
                2 => drop(datagram.splice(at..at, splices[dice.roll(splices.len())].iter().copied())),
                _ => datagram.truncate(at.max(1)),
            }
        }
        raw.send(&datagram).await;
        if round % 50 == 0 {
            tokio::task::yield_now().await;
        }
    }
    // A fresh socket, so that old answers are not taken for new ones.
    let fresh = Raw::new(world.address()).await;
    for attempt in 1..=20 {
        fresh.send(fresh.request("OPTIONS", "x", "alive", attempt, "", "", "").as_bytes()).await;
        if let Some(answer) = fresh.receive().await {
            assert_eq!(status_of(&answer), 200, "{answer}");
            assert_eq!(panics.load(Ordering::Relaxed), 0);
            return;
        }
    }
    panic!("the edge does not answer any more");
}

#[tokio::test]
async fn a_control_character_in_a_header_or_a_name_without_end_is_a_bad_request() {
    let world = World::new().await;
    world.desk.admits(Admission::Refuse { status: 404, reason: RefusalReason::UnknownNumber });
    let raw = Raw::new(world.address()).await;
    let (long, asserted) = ("1".repeat(300), format!("P-Asserted-Identity: <sip:{}@a.example>\r\n", "1".repeat(2_000)));
    let bell = "P-Asserted-Identity: <sip:\u{7}49@a.example>\r\n";
    let invite = |user: &str, call: &str, cseq, extra: &str| raw.request("INVITE", user, call, cseq, "", extra, "");
    let requests = [
        invite("+44770", "nul-in-from", 1, "").replace("From: <sip:+44770", "From: <sip:+44\u{0}770"),
        invite("+44770", "nul\u{0}in-call-id", 2, ""),
        invite("+44770", "bell", 3, bell),
        invite("+44770", "asserted", 4, &asserted),
        invite(&long, "long-user", 5, ""),
        invite("+44770", &long, 6, ""),
    ];
    for (request, cseq) in requests.iter().zip(1..) {
        raw.send(request.as_bytes()).await;
        let answer = raw.answer(&format!("{cseq} INVITE")).await;
        assert_eq!(status_of(&answer), 400, "{request:?}: {answer:?}");
    }
    let nul =
        raw.request("REGISTER", "amy", "nul-registers", 7, "", "", "").replace("From: <sip:amy", "From: <sip:a\u{0}my");
    raw.send(nul.as_bytes()).await;
    assert_eq!(status_of(&raw.answer("7 REGISTER").await), 400);
    assert!(world.desk.events().is_empty(), "nothing of it is kept");
    // More digits than a number can have, though not too long for a name: a caller who says nothing of himself.
    raw.send(invite(&"4".repeat(40), "digits", 8, "").as_bytes()).await;
    assert_eq!(status_of(&raw.answer("8 INVITE").await), 404);
    world.desk.hears("call_ended", 1).await;
    let told = world.desk.events();
    assert!(matches!(&told[0].kind, CallEventKind::CallStarted { caller: None, .. }), "{told:?}");
    world.close().await;
}
