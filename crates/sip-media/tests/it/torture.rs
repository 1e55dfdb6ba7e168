//! The messages of RFC 4475 (SIP torture tests), each at a running edge: those that are right in a strange way are answered
//! as the plain ones are, those that are wrong are refused or dropped, and none makes a task panic.

use crate::world::*;
use sip_media::*;
use std::sync::atomic::Ordering;

/// What may come back: a final answer of one of these classes, or nothing.
const RIGHT: &[u16] = &[2];
const REFUSED: &[u16] = &[4, 5];
const CLIENT: &[u16] = &[4];
const NOTHING: &[u16] = &[0];
/// All are allowed by the RFC, as is silence.
const ANY: &[u16] = &[0, 2, 4, 5, 6];

/// A request of header lines that are right but for those given; `ME` and `HERE` stand for the two addresses.
fn with(method: &str, changed: &[(&str, &str)]) -> String {
    let cseq = format!("7 {method}");
    let mut lines = vec![
        ("Via", "SIP/2.0/UDP ME;branch=z9hG4bK.BRANCH;rport"),
        ("Max-Forwards", "68"),
        ("From", "<sip:caller@example.net>;tag=323"),
        ("To", "<sip:user@example.com>"),
        ("Call-ID", "BRANCH@192.0.2.1"),
        ("CSeq", &cseq),
        ("Contact", "<sip:caller@ME>"),
        ("Content-Length", "0"),
    ];
    for &(name, value) in changed {
        match lines.iter_mut().find(|(own, _)| *own == name) {
            Some(line) => line.1 = value,
            None => lines.insert(1, (name, value)),
        }
    }
    let lines: Vec<String> = lines.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("{method} sip:user@HERE SIP/2.0\r\n{}\r\n", lines.concat())
}

fn line(method: &str, first: &str) -> String {
    let text = with(method, &[]);
    format!("{first}\r\n{}", text.split_once("\r\n").unwrap().1)
}

/// Sections 3.1.1 and 3.3: strange but right.
fn valid() -> Vec<(&'static str, String, &'static [u16])> {
    let long = "value".repeat(400);
    vec![
        (
            "wsinv: folded lines, tabs and unknown headers",
            "OPTIONS sip:user@HERE;unknownparam SIP/2.0\r\nTO :\r\n sip:user@example.com ;   \r\nfrom   : \"J Rosenberg \\\\\\\"\" \
             <sip:caller@example.net>\r\n  ;\r\n  tag = 98asjd8\r\nMaX-fOrWaRdS: 0068\r\nCall-ID: BRANCH.ws@10.0.0.1\r\n\
             Content-Length   : 0\r\ncseq: 0009\r\n  OPTIONS\r\nVia  : SIP  /   2.0\r\n /UDP\r\n    ME;branch=z9hG4bK.BRANCH\r\n\
             NewFangledHeader:   newfangled value\r\n continued newfangled value\r\n\r\n"
                .to_owned(),
            ANY,
        ),
        ("intmeth: a method of every character that is allowed", line("OPTIONS", "!interesting-Method0123456789_*+`.%indeed'~ sip:user@HERE SIP/2.0"), ANY),
        ("esc01: escapes in the user part", with("OPTIONS", &[("To", "<sip:%75se%72@example.com>"), ("From", "<sip:I%20have%20spaces@example.net>;tag=938")]), RIGHT),
        ("escnull: escaped zeros", with("REGISTER", &[("To", "sip:null-%00-null@example.com"), ("From", "sip:null-%00-null@example.com;tag=839")]), REFUSED),
        ("esc02: a percent that escapes nothing", with("OPTIONS", &[("Warning", "399 esc02 \"%z%45 is no escape\"")]), RIGHT),
        ("lwsdisp: no space before the bracket", with("OPTIONS", &[("From", "caller<sip:caller@example.com>;tag=323")]), RIGHT),
        ("longreq: very long values", with("OPTIONS", &[("Subject", &long), ("Unknown", &long)]), RIGHT),
        ("dblreq: a second request behind the first", format!("{}{}", with("OPTIONS", &[]), with("INVITE", &[])), RIGHT),
        ("semiuri: semicolons in the user part", line("OPTIONS", "OPTIONS sip:user;par=u%40example.net@HERE SIP/2.0"), RIGHT),
        ("transports: every transport in a Via", with("OPTIONS", &[("Via", "SIP/2.0/UDP ME;branch=z9hG4bK.BRANCH, SIP/2.0/SCTP t.example;branch=z9hG4bKa, SIP/2.0/UNKNOWN t.example;branch=z9hG4bKb")]), ANY),
        ("noreason: a response without its words", "SIP/2.0 100 \r\nVia: SIP/2.0/UDP ME;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n".to_owned(), NOTHING),
        ("unscheme: a scheme that nobody knows", line("OPTIONS", "OPTIONS nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0"), ANY),
        ("novelsc: a scheme that is no telephone's", line("OPTIONS", "OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0"), ANY),
        ("unksm2: schemes unknown in the headers", with("REGISTER", &[("To", "isbn:2983792873"), ("Contact", "<name:John_Smith>")]), ANY),
        ("bext01: extensions that are insisted on", with("INVITE", &[("Require", "nothingSupportsThis, nothingSupportsThisEither")]), CLIENT),
        ("invut: a body of an unknown kind", with("INVITE", &[("Content-Type", "application/unknownformat")]), ANY),
        ("regaut01: an authorization of an unknown scheme", with("REGISTER", &[("Authorization", "NoOneKnowsThisScheme opaque-data=here")]), CLIENT),
        ("inv2543: a request of the first version", "INVITE sip:UserB@HERE SIP/2.0\r\nVia: SIP/2.0/UDP ME\r\nFrom: <sip:a@ME>\r\nTo: <sip:UserB@example.com>\r\nCall-ID: BRANCH@old\r\nCSeq: 56 INVITE\r\n\r\n".to_owned(), ANY),
        ("zeromf: no forwards left, for one who does not forward", with("OPTIONS", &[("Max-Forwards", "0")]), RIGHT),
        ("cparam01: a parameter behind the address of a Contact", with("REGISTER", &[("Contact", "sip:+19725552222@ME;unknownparam")]), REFUSED),
        ("regescrt: an escaped Route in a Contact", with("REGISTER", &[("Contact", "<sip:user@example.com?Route=%3Csip:sip.example.com%3E>")]), REFUSED),
    ]
}

/// Sections 3.1.2, 3.2 and the rest of 3.3: wrong.
fn invalid() -> Vec<(&'static str, String)> {
    vec![
        ("badinv01: stray commas and semicolons", with("INVITE", &[("To", "\"Mr. J. User <sip:j.user@example.com>"), ("Via", "SIP/2.0/UDP ME;;branch=z9hG4bK.BRANCH;,;,,"), ("Contact", "\"Joe\" <sip:joe@example.org>;;;;")])),
        ("clerr: a length longer than the message", with("INVITE", &[("Content-Length", "9999")])),
        ("ncl: a length below nothing", with("OPTIONS", &[("Content-Length", "-999")])),
        ("scalar02: numbers too large", with("REGISTER", &[("CSeq", "36893488147419103232 REGISTER"), ("Max-Forwards", "300"), ("Expires", "10000000000000000000000000000000000000000000")])),
        ("quotbal: a quotation that does not end", with("OPTIONS", &[("To", "\"Mr. J. User <sip:j.user@example.com>")])),
        ("ltgtruri: brackets around the address", line("INVITE", "INVITE <sip:user@HERE> SIP/2.0")),
        ("lwsruri: a space within the address", line("INVITE", "INVITE sip:user@HERE; lr SIP/2.0")),
        ("lwsstart: spaces between the words", line("INVITE", "INVITE  sip:user@HERE  SIP/2.0")),
        ("trws: a space behind the version", line("OPTIONS", "OPTIONS sip:user@HERE SIP/2.0  ")),
        ("escruri: headers in the address", line("INVITE", "INVITE sip:user@HERE?Route=%3Csip:example.com%3E SIP/2.0")),
        ("baddate: a date of another zone", with("INVITE", &[("Date", "Fri, 01 Jan 2010 16:00:00 EST")])),
        ("regbadct: a Contact without brackets", with("REGISTER", &[("Contact", "sip:user@example.com?Route=%3Csip:sip.example.com%3E")])),
        ("badaspec: spaces within an address", with("OPTIONS", &[("To", "\"Watson, Thomas\" < sip:t.watson@example.org >")])),
        ("baddn: a name that needs quotes", with("OPTIONS", &[("From", "Bell, Alexander <sip:a.g.bell@example.com>;tag=43")])),
        ("badvers: a version that is not", line("OPTIONS", "OPTIONS sip:user@HERE SIP/7.0")),
        ("mismatch01: two methods", with("OPTIONS", &[("CSeq", "8 INVITE")])),
        ("mismatch02: two methods, one unknown", line("INVITE", "NOVEL sip:user@HERE SIP/2.0")),
        ("bigcode: a status of six figures", line("OPTIONS", "SIP/2.0 4294967301 better not break the receiver")),
        ("badbranch: a branch of nothing but the cookie", with("OPTIONS", &[("Via", "SIP/2.0/UDP ME;branch=z9hG4bK")])),
        ("insuf: hardly a header", "INVITE sip:user@HERE SIP/2.0\r\nCSeq: 193942 INVITE\r\nVia: SIP/2.0/UDP ME;branch=z9hG4bKa\r\nContent-Length: 0\r\n\r\n".to_owned()),
        ("multi01: headers twice", with("INVITE", &[("CSeq", "5 INVITE\r\nCSeq: 59 INVITE"), ("Call-ID", "a\r\nCall-ID: b"), ("Max-Forwards", "70\r\nMax-Forwards: 5")])),
        ("mcl01: two lengths", with("OPTIONS", &[("Content-Length", "13\r\nContent-Length: 5")])),
        ("bcast: a response to all", "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\nCall-ID: x\r\nCSeq: 35 INVITE\r\nContact: <sip:user@192.0.2.198>\r\n\r\n".to_owned()),
        ("sdp01: a body that cannot be read", with("INVITE", &[("Content-Type", "application/sdp"), ("Content-Length", "9\r\n\r\nm=audio x")])),
        ("nothing at all", "\r\n\r\n\r\n".to_owned()),
        ("an empty Via", with("OPTIONS", &[("Via", "")])),
        ("a port that is none", with("OPTIONS", &[("Via", "SIP/2.0/UDP 127.0.0.1:99999;branch=z9hG4bKx")])),
        ("a number without end", with("OPTIONS", &[("CSeq", "99999999999999999999 OPTIONS")])),
        ("brackets without end", with("OPTIONS", &[("From", "<<<>>>;;;tag=")])),
        ("half an address of version 6", line("OPTIONS", "OPTIONS sip:[:: SIP/2.0")),
    ]
}

async fn alive(raw: &Raw, cseq: u32) -> bool {
    raw.send(raw.request("OPTIONS", "x", &format!("alive-{cseq}"), cseq, "", "", "").as_bytes()).await;
    let wanted = format!("{cseq} OPTIONS");
    while let Some(message) = raw.receive().await {
        if header(&message, "CSeq") == wanted {
            return true;
        }
    }
    false
}

/// What comes back to it; 0 for nothing until a plain OPTIONS sent behind it is answered, or, where an answer is due, ever.
async fn status(world: &World, text: &str, number: u32, is_due: bool) -> u16 {
    let raw = Raw::new(world.address()).await;
    let (me, here) = (raw.me().to_string(), world.address().to_string());
    let text = text.replace("ME", &me).replace("HERE", &here).replace("BRANCH", &format!("t{number}"));
    raw.send(text.as_bytes()).await;
    let cseq = 100_000 + number;
    raw.send(raw.request("OPTIONS", "x", &format!("behind-{number}"), cseq, "", "", "").as_bytes()).await;
    let (mut found, mut alive, wanted) = (0, false, format!("{cseq} OPTIONS"));
    while !alive || (is_due && found == 0) {
        let Some(message) = raw.receive().await else { break };
        if header(&message, "CSeq") == wanted {
            alive = true;
        } else if status_of(&message) >= 200 {
            found = status_of(&message);
        }
    }
    assert!(alive, "the edge does not answer behind message {number}:\n{text}");
    found
}

#[tokio::test]
async fn the_torture_messages_of_rfc_4475_are_answered_refused_or_dropped_and_nothing_panics() {
    let panics = count_panics();
    let world = World::with(|config| {
        config.trusted = vec![LOOPBACK];
        (config.request_rate, config.invite_rate) =
            (RateLimit { per_second: 500, burst: 500 }, RateLimit { per_second: 500, burst: 500 });
    });
    let world = world.await;
    world.desk.admits(Admission::Refuse { status: 404, reason: RefusalReason::UnknownNumber });
    let mut wrong = Vec::new();
    for ((name, text, allowed), number) in valid().into_iter().zip(1..) {
        let status = status(&world, &text, number, !allowed.contains(&0)).await;
        if !allowed.contains(&(status / 100)) {
            wrong.push(format!("{name}: {status}"));
        }
    }
    for ((name, text), number) in invalid().into_iter().zip(200..) {
        let status = status(&world, &text, number, false).await;
        // An INVITE among them must not become a call; OPTIONS tells nothing that a plain one does not.
        if text.starts_with("INVITE") && (200..300).contains(&status) {
            wrong.push(format!("{name}: {status}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let raw = Raw::new(world.address()).await;
    assert!(alive(&raw, 1).await);
    assert_eq!(panics.load(Ordering::Relaxed), 0, "a message made a task panic");
}

#[test]
fn what_reads_the_words_of_strangers_survives_whatever_they_are() {
    let mut seeds: Vec<Vec<u8>> = valid().into_iter().map(|(_, text, _)| text.into_bytes()).collect();
    seeds.extend(invalid().into_iter().map(|(_, text)| text.into_bytes()));
    let key = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA|2^20\r\n";
    for body in [
        "m=audio 6000 RTP/SAVP 8 0 96\r\na=rtpmap:96 telephone-event/8000\r\n",
        "m=video 1 x 1\r\nm=audio 6/2 RTP/AVP 0\r\na=inactive\r\n",
    ] {
        seeds.push(format!("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\nc=IN IP6 ::1\r\n{body}{key}").into_bytes());
    }
    seeds.push(
        b"Digest username=\"a\", realm=\"b\", nonce=\"c\", uri=\"sip:d\", response=\"e\", nc=00000001, qop=auth"
            .to_vec(),
    );
    seeds.push(b"Signal=5\r\nDuration=160".to_vec());
    let rounds = if std::env::var_os("RINGTILL_LONG").is_some() { 2_000_000 } else { 20_000 };
    let mut dice = crate::doors::Dice(11);
    for _ in 0..rounds {
        let mut octets = seeds[dice.roll(seeds.len())].clone();
        for _ in 0..=dice.roll(6) {
            mutate(&mut octets, &mut dice);
        }
        fuzzing::read_body(&octets);
        fuzzing::read_request(&octets);
    }
}

fn mutate(octets: &mut Vec<u8>, dice: &mut crate::doors::Dice) {
    let splices: [&[u8]; 8] =
        [b";", b"\r\n", b"=", b"|", b"\xc3\xa9", b"99999999999999999999", b"/", b"\r\nm=audio 7 RTP/AVP 0\r\n"];
    let at = dice.roll(octets.len());
    match dice.roll(4) {
        0 if !octets.is_empty() => octets[at] = dice.roll(256) as u8,
        1 => drop(octets.drain(at..octets.len().min(at + 1 + dice.roll(30)))),
        2 => drop(octets.splice(at..at, splices[dice.roll(splices.len())].iter().copied())),
        _ => octets.truncate(at.max(1)),
    }
}
