//! Calls without an agent.

use crate::world::*;
use sip_media::caller::{Caller, EndedBy};
use sip_media::*;

#[tokio::test]
async fn a_caller_chooses_a_topic_and_pays_for_the_music_until_he_hangs_up() {
    let world = World::new().await;
    world.desk.serves(3, Service::Music, unlimited());
    let outcome = Caller::call(world.plan("3", ms(1_800))).await.unwrap();
    assert_eq!((outcome.status, outcome.ended_by), (200, EndedBy::Caller));
    // 1.8 s are 90 packets of 20 ms; those of the first digit and a stall of the machine may be missing.
    assert!(outcome.rtp_received > 60, "{outcome:?}");
    world.desk.hears("call_ended", 1).await;
    let story = ["call_started", "caller_identified", "call_answered", "topic_selected", "meter_started", "call_ended"];
    assert_eq!(world.desk.story(), story);
    let end = world.desk.end();
    assert_eq!((end.cause, end.sip_status, end.estimated), (EndCause::CallerHungUp, None, false));
    // The digit came 0.3 s after the answer, so 1.5 s of the 1.8 s are metered.
    assert!((1_200..=1_600).contains(&end.metered_ms), "{end:?}");
    let seqs: Vec<u32> = world.desk.events().iter().map(|event| event.seq).collect();
    assert_eq!(seqs, (1..=seqs.len() as u32).collect::<Vec<_>>());
    world.close().await;
}

#[tokio::test]
async fn what_plays_is_heard_in_the_law_the_caller_speaks() {
    for codec in [Codec::Pcmu, Codec::Pcma] {
        // Hold music of one tone, to be recognised.
        let tone: Vec<u8> = (0..8_000)
            .map(|sample| {
                let value = (f64::from(sample) * std::f64::consts::TAU * 440.0 / 8000.0).sin() * 8_000.0;
                let (sign, mut left) = if value < 0.0 { (0x7f, -value) } else { (0xff, value) };
                left = (left / 4.0).round() + 33.0;
                let segment = (left / 32.0).log2().floor().max(0.0) as u32;
                let step = (left as u32 >> (segment + 1)) & 15;
                ((segment << 4 | step) as u8) ^ sign
            })
            .collect();
        let world = World::with(|config| config.music = Some(tone)).await;
        world.desk.serves(3, Service::Music, unlimited());
        let mut plan = world.plan("3", ms(1_800));
        (plan.codec, plan.record) = (codec, true);
        let outcome = Caller::call(plan).await.unwrap();
        assert!(seconds_of(&outcome.heard, 440.0) > 0.8, "{codec:?}");
        world.desk.hears("call_ended", 1).await;
        world.close().await;
    }
}

#[tokio::test]
async fn a_cancelled_call_is_answered_487_and_ends_unmetered() {
    let world = World::with(|config| config.timing.ring = ms(5_000)).await;
    let mut plan = world.plan("", ms(0));
    plan.cancel_after = Some(ms(200));
    let outcome = Caller::call(plan).await.unwrap();
    assert_eq!((outcome.status, outcome.ended_by), (487, EndedBy::Cancelled));
    world.desk.hears("call_ended", 1).await;
    let end = world.desk.end();
    assert_eq!((end.cause, end.sip_status, end.metered_ms), (EndCause::Cancelled, Some(487), 0));
    world.close().await;
}

#[tokio::test]
async fn a_caller_who_hangs_up_before_choosing_pays_nothing() {
    let world = World::new().await;
    let outcome = Caller::call(world.plan("", ms(300))).await.unwrap();
    assert_eq!(outcome.ended_by, EndedBy::Caller);
    world.desk.hears("call_ended", 1).await;
    assert_eq!(world.desk.story(), ["call_started", "caller_identified", "call_answered", "call_ended"]);
    assert_eq!((world.desk.end().cause, world.desk.end().metered_ms), (EndCause::CallerHungUp, 0));
    world.close().await;
}

#[tokio::test]
async fn a_number_nobody_owns_is_404_and_a_missing_credit_is_said_after_the_choice() {
    let world = World::new().await;
    world.desk.refuses(5, RefusalReason::NoCredit);
    let outcome = Caller::call(world.plan("5", ms(15_000))).await.unwrap();
    assert_eq!(outcome.ended_by, EndedBy::Callee, "the edge hangs up after its prompt");
    world.desk.admits(Admission::Refuse { status: 404, reason: RefusalReason::UnknownNumber });
    let outcome = Caller::call(world.plan("", ms(0))).await.unwrap();
    assert_eq!((outcome.status, outcome.answered), (404, false));
    world.desk.hears("call_ended", 2).await;
    let causes: Vec<(EndCause, Option<u16>)> =
        world.desk.ends().iter().map(|end| (end.cause, end.sip_status)).collect();
    let refused = EndCause::Refused;
    assert_eq!(causes, [(refused(RefusalReason::NoCredit), None), (refused(RefusalReason::UnknownNumber), Some(404))]);
    world.close().await;
}

#[tokio::test]
async fn a_choice_that_is_not_offered_may_be_made_again() {
    let world = World::new().await;
    world.desk.serves(3, Service::Music, unlimited());
    // The prompt after the wrong choice takes 2.4 s; digits are not heard before it has ended.
    let mut plan = world.plan("9", ms(5_000));
    plan.digits.push((ms(3_500), '3'));
    Caller::call(plan).await.unwrap();
    world.desk.hears("call_ended", 1).await;
    let selected = world.desk.story().iter().filter(|name| **name == "topic_selected").count();
    assert_eq!(selected, 2, "{:?}", world.desk.story());
    assert!(world.desk.story().contains(&"meter_started"));
    world.close().await;
}

#[tokio::test]
async fn three_wrong_pins_end_the_call_and_a_right_one_opens_the_menu() {
    let world = World::new().await;
    world.desk.admits(Admission::AskPin { language: "en".into() });
    *world.desk.pin.lock().unwrap() = Some(("12".into(), "34".into()));
    world.desk.serves(3, Service::Music, unlimited());
    let mut plan = world.plan("", ms(30_000));
    // After a wrong PIN "That is not right" is said first (1.7 s).
    for round in 0..3 {
        plan.digits.push((ms(if round == 0 { 300 } else { 2_600 }), '1'));
        plan.digits.extend("2#99#".chars().map(|digit| (ms(300), digit)));
    }
    let wrong = Caller::call(plan);
    let right = Caller::call(world.plan("12#34#3", ms(3_500)));
    let (wrong, right) = tokio::join!(wrong, right);
    assert_eq!(wrong.unwrap().ended_by, EndedBy::Callee);
    assert_eq!(right.unwrap().ended_by, EndedBy::Caller);
    world.desk.hears("call_ended", 2).await;
    let ends = world.desk.ends();
    assert!(ends.iter().any(|end| end.cause == EndCause::Refused(RefusalReason::WrongPin)), "{ends:?}");
    let identified = |event: &&CallEvent| event.kind == CallEventKind::CallerIdentified { by_pin: true };
    assert_eq!(world.desk.events().iter().filter(identified).count(), 1);
    assert!(ends.iter().any(|end| end.cause == EndCause::CallerHungUp && end.metered_ms > 500), "{ends:?}");
    world.close().await;
}

#[tokio::test]
async fn a_pin_and_a_credential_never_reach_the_log() {
    #[derive(Clone, Default)]
    struct Log(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);
    impl std::io::Write for Log {
        fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(octets);
            Ok(octets.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let log = Log::default();
    let written = log.clone();
    let filter = format!("trace,{LOG_FILTER}");
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(filter))
        .with_writer(move || written.clone())
        .finish();
    // One thread runs the whole test, so its default subscriber hears everything.
    let _guard = tracing::subscriber::set_default(subscriber);
    let world = World::new().await;
    world.desk.admits(Admission::AskPin { language: "en".into() });
    let _phone = world.phone("amy", |_| {}).await;
    let raw = Raw::new(world.address()).await;
    let sdp = "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 40000 RTP/AVP 0\r\n";
    let typed = "Content-Type: application/sdp\r\n";
    raw.send(raw.request("INVITE", "did", "canary", 1, "", typed, sdp).as_bytes()).await;
    let tag = to_tag(&raw.answer("1 INVITE").await);
    raw.send(raw.request("ACK", "did", "canary", 1, &tag, "", "").as_bytes()).await;
    for (index, digit) in "7#8675309#".chars().enumerate() {
        let cseq = index as u32 + 2;
        let body = format!("Signal={digit}\r\nDuration=160\r\n");
        let typed = "Content-Type: application/dtmf-relay\r\n";
        raw.send(raw.request("INFO", "did", "canary", cseq, &tag, typed, &body).as_bytes()).await;
        assert_eq!(status_of(&raw.answer(&format!("{cseq} INFO")).await), 200);
    }
    raw.send(raw.request("BYE", "did", "canary", 99, &tag, "", "").as_bytes()).await;
    raw.answer("99 BYE").await;
    world.desk.hears("call_ended", 1).await;
    let text = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(text.contains("Answered"), "the log is being heard");
    assert!(!text.contains("8675309") && !text.contains("Signal="), "a PIN is in the log");
    assert!(!text.contains("response=\""), "a credential is in the log");
    world.close().await;
}

#[tokio::test]
async fn a_caller_who_offers_nothing_gets_our_offer_and_answers_in_the_ack() {
    let world = World::new().await;
    world.desk.serves(3, Service::Music, unlimited());
    let raw = Raw::new(world.address()).await;
    let media = tokio::net::UdpSocket::bind((LOOPBACK, 0)).await.unwrap();
    raw.send(raw.request("INVITE", "did", "late", 1, "", "", "").as_bytes()).await;
    let answer = raw.answer("1 INVITE").await;
    assert!(answer.contains("RTP/AVP 0 8 101"), "{answer}");
    let port = media.local_addr().unwrap().port();
    let sdp = format!("v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio {port} RTP/AVP 8\r\n");
    let tag = to_tag(&answer);
    raw.send(raw.request("ACK", "did", "late", 1, &tag, "Content-Type: application/sdp\r\n", &sdp).as_bytes()).await;
    let mut packet = [0u8; 400];
    let (octets, _) = tokio::time::timeout(PATIENCE, media.recv_from(&mut packet)).await.unwrap().unwrap();
    assert_eq!((octets, packet[1] & 0x7f), (172, 8), "a frame of A-law");
    raw.send(raw.request("BYE", "did", "late", 2, &tag, "", "").as_bytes()).await;
    raw.answer("2 BYE").await;
    world.desk.hears("call_ended", 1).await;
    world.close().await;
}

#[tokio::test]
async fn a_call_over_version_6_of_the_internet_protocol_is_like_any_other() {
    let six = std::net::IpAddr::V6(std::net::Ipv6Addr::LOCALHOST);
    let world = World::with(|config| {
        (config.listen, config.advertised_ip) = (std::net::SocketAddr::new(six, 0), six);
    });
    let world = world.await;
    world.desk.serves(3, Service::Music, unlimited());
    let outcome = Caller::start(six).await.unwrap().make(world.plan("3", ms(1_500))).await.unwrap();
    assert_eq!((outcome.status, outcome.ended_by), (200, EndedBy::Caller));
    assert!(outcome.rtp_received > 40, "{outcome:?}");
    world.desk.hears("call_ended", 1).await;
    assert!(world.desk.story().contains(&"meter_started"), "the digit was heard");
    world.close().await;
}

#[tokio::test]
async fn a_caller_whose_gateway_knows_no_events_chooses_by_the_tone_in_its_voice() {
    let world = World::new().await;
    world.desk.serves(3, Service::Music, unlimited());
    let raw = Raw::new(world.address()).await;
    let media = tokio::net::UdpSocket::bind((LOOPBACK, 0)).await.unwrap();
    let port = media.local_addr().unwrap().port();
    let sdp = format!("v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio {port} RTP/AVP 8\r\n");
    raw.send(raw.request("INVITE", "did", "tone", 1, "", "Content-Type: application/sdp\r\n", &sdp).as_bytes()).await;
    let answer = raw.answer("1 INVITE").await;
    assert!(!answer.contains("telephone-event"), "{answer}");
    let tag = to_tag(&answer);
    raw.send(raw.request("ACK", "did", "tone", 1, &tag, "", "").as_bytes()).await;
    let line = answer.lines().find(|line| line.starts_with("m=audio")).unwrap();
    let edge: u16 = line.split(' ').nth(1).unwrap().parse().unwrap();
    let mut sent = 0u16;
    while world.desk.offset_if("meter_started").is_none() {
        // The tones of 3, 697 and 1,477 Hz, in A-law.
        let mut packet = vec![0x80, 8];
        packet.extend(sent.to_be_bytes());
        packet.extend((u32::from(sent) * 160).to_be_bytes());
        packet.extend([0, 0, 0, 1]);
        packet.extend((0..160u32).map(|sample| {
            let angle = f64::from(u32::from(sent) * 160 + sample) * std::f64::consts::TAU / 8_000.0;
            alaw(((angle * 697.0).sin() + (angle * 1_477.0).sin()) * 6_000.0)
        }));
        media.send_to(&packet, (LOOPBACK, edge)).await.unwrap();
        sent += 1;
        assert!(sent < 500, "ten seconds of 3: {:?}", world.desk.story());
        tokio::time::sleep(ms(20)).await;
    }
    raw.send(raw.request("BYE", "did", "tone", 2, &tag, "", "").as_bytes()).await;
    raw.answer("2 BYE").await;
    world.desk.hears("call_ended", 1).await;
    assert_eq!(world.desk.story().iter().filter(|name| **name == "topic_selected").count(), 1, "a key held is one");
    world.close().await;
}

/// G.711 by its definition: a segment and a step within it, every second bit turned.
fn alaw(sample: f64) -> u8 {
    let sign = if sample < 0.0 { 0 } else { 0x80 };
    let value = (sample.abs() / 16.0) as u32;
    let code = if value < 32 {
        value >> 1
    } else {
        let segment = value.ilog2() - 4;
        segment << 4 | (value >> segment & 15)
    };
    (code as u8 | sign) ^ 0x55
}
