//! Scenarios of sipp, which shares no code with us: those of `tests/calls`, and others that are composed here step by step.
//! sipp says itself whether every answer was the expected one. Sending sound needs root.

use crate::world::*;
use sip_media::*;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::time::Duration;
use tokio::process::Command;
use tokio::time::timeout;

/// Longer than a transaction without an ACK lasts (64 times T1 are 32 s).
const SIPP_PATIENCE: Duration = Duration::from_secs(60);
const G711: &str = "0 101\na=rtpmap:0 PCMU/8000\na=rtpmap:101 telephone-event/8000";

/// What sipp does, one after the other.
struct Steps {
    xml: String,
    is_first: bool,
}

impl Steps {
    fn new() -> Self {
        Self { xml: String::new(), is_first: true }
    }

    /// A request; its body is a description of audio in these formats, or none.
    fn request(mut self, method: &str, cseq: u32, extra: &str, formats: Option<&str>) -> Self {
        let tag = if self.is_first { "" } else { "[peer_tag_param]" };
        let typed = if formats.is_some() { "Content-Type: application/sdp\n" } else { "" };
        let body = formats.map_or_else(String::new, |formats| {
            format!(
                "v=0\no=sipp 1 1 IN IP[local_ip_type] [local_ip]\ns=-\nc=IN IP[media_ip_type] [media_ip]\nt=0 0\n\
                 m=audio [media_port] RTP/AVP {formats}\n"
            )
        });
        let again = if method == "ACK" { "" } else { " retrans=\"500\"" };
        self.xml += &format!(
            "<send{again}><![CDATA[\n\n{method} sip:[service]@[remote_ip]:[remote_port] SIP/2.0\n\
             Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch];rport\n\
             From: <sip:+447700900123@[local_ip]:[local_port]>;tag=[pid]c[call_number]\n\
             To: <sip:[service]@[remote_ip]:[remote_port]>{tag}\nCall-ID: [call_id]\nCSeq: {cseq} {method}\n\
             Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>\nMax-Forwards: 70\n\
             {typed}{extra}Content-Length: [len]\n\n{body}\n]]></send>\n"
        );
        self.is_first = false;
        self
    }

    fn expect(mut self, status: u16) -> Self {
        self.xml += "<recv response=\"100\" optional=\"true\"/><recv response=\"180\" optional=\"true\"/>\n";
        self.xml += &format!("<recv response=\"{status}\"/>\n");
        self
    }

    fn call(self, formats: Option<&str>) -> Self {
        self.request("INVITE", 1, "", formats).expect(200)
    }

    fn ack(self, cseq: u32) -> Self {
        self.request("ACK", cseq, "", None)
    }

    fn hang_up(self, cseq: u32) -> Self {
        self.request("BYE", cseq, "", None).expect(200)
    }

    fn hung_up(mut self) -> Self {
        self.xml += "<recv request=\"BYE\" timeout=\"50000\"/><send><![CDATA[\n\nSIP/2.0 200 OK\n[last_Via:]\n[last_From:]\n\
                     [last_To:]\n[last_Call-ID:]\n[last_CSeq:]\nContent-Length: 0\n\n]]></send>\n";
        self
    }

    fn run(self) -> String {
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<scenario name=\"steps\">\n{}</scenario>\n", self.xml)
    }
}

fn of_folder(scenario: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/calls");
    std::fs::read_to_string(folder.join(scenario)).unwrap_or_else(|error| panic!("{scenario}: {error}"))
}

/// An even port that is free.
fn free_port() -> String {
    loop {
        let socket = UdpSocket::bind((LOOPBACK, 0)).unwrap();
        let port = socket.local_addr().unwrap().port();
        if port.is_multiple_of(2) {
            return port.to_string();
        }
    }
}

/// Runs a scenario once; `transport` is `u1` or `t1`.
async fn sipp(xml: &str, edge: SocketAddr, transport: &str, service: &str) {
    let folder = std::env::temp_dir().join(format!("sipp-{}", CallId::now_v7()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("scenario.xml");
    std::fs::write(&file, xml).unwrap();
    let mut tester = Command::new("sipp");
    tester.arg(edge.to_string()).arg("-sf").arg(&file).args(["-s", service, "-m", "1", "-t", transport]);
    tester.args(["-i", "127.0.0.1", "-p", &free_port(), "-mp", &free_port(), "-nostdin", "-timeout", "55"]);
    tester.args(["-au", "amy", "-ap", "secret", "-trace_err"]).env("TERM", "dumb").current_dir(&folder);
    let ran = timeout(SIPP_PATIENCE, tester.kill_on_drop(true).output()).await.expect("sipp ends");
    let ran = ran.expect("sipp is installed (Debian: sip-tester)");
    let errors =
        std::fs::read_dir(&folder).unwrap().filter_map(|entry| std::fs::read_to_string(entry.unwrap().path()).ok());
    let errors: Vec<String> = errors.filter(|text| !text.starts_with("<?xml")).collect();
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(ran.status.success(), "{}\n{errors:?}\n{xml}", String::from_utf8_lossy(&ran.stdout));
}

/// The end of the one call that there was.
async fn ended(world: &World) -> Ended {
    world.desk.hears("call_ended", 1).await;
    world.desk.end()
}

#[tokio::test]
async fn digits_by_rfc_4733_and_by_info_choose_a_topic_over_udp_and_tcp() {
    for (scenario, transport) in [("music.xml", "u1"), ("music.xml", "t1"), ("info.xml", "u1"), ("info.xml", "t1")] {
        let world = World::new().await;
        world.desk.serves(3, Service::Music, unlimited());
        sipp(&of_folder(scenario), world.address(), transport, "did").await;
        assert_eq!(ended(&world).await.cause, EndCause::CallerHungUp);
        assert!(world.desk.story().contains(&"meter_started"), "{scenario} over {transport}: {:?}", world.desk.story());
        world.close().await;
    }
}

#[tokio::test]
async fn hold_and_resume_by_re_invite_are_events() {
    let world = World::new().await;
    sipp(&of_folder("reinvite.xml"), world.address(), "u1", "did").await;
    ended(&world).await;
    let holds: Vec<_> = world.desk.story().into_iter().filter(|name| name.starts_with("hold")).collect();
    assert_eq!(holds, ["hold_on", "hold_off"]);
    world.close().await;
}

#[tokio::test]
async fn a_phone_registers_and_takes_its_registration_back() {
    let world = World::with(|config| config.digest = DigestOffer::Md5).await;
    world.desk.employs("amy", "secret");
    sipp(&of_folder("register.xml"), world.address(), "u1", "amy").await;
    assert!(world.edge.registrations().is_empty());
    world.close().await;
}

#[tokio::test]
async fn a_call_is_cut_off_at_the_authorised_second_by_our_bye() {
    let world = World::new().await;
    world.desk.serves(3, Service::Music, grant(1));
    sipp(&of_folder("cutoff.xml"), world.address(), "u1", "did").await;
    let end = ended(&world).await;
    assert_eq!((end.cause, end.metered_ms), (EndCause::BalanceExhausted, 1_000));
    world.close().await;
}

#[tokio::test]
async fn calls_that_go_an_unusual_way_are_carried_as_any_other() {
    let refer = "Refer-To: <sip:elsewhere@192.0.2.1>\n";
    let timer = "Supported: timer\nSession-Expires: 90;refresher=uac\n";
    let pcma = Some("8 96\na=rtpmap:8 PCMA/8000\na=rtpmap:96 telephone-event/8000");
    for (name, steps) in [
        ("numbers that leap", Steps::new().call(Some(G711)).ack(1).hang_up(7)),
        ("A-law only, events as 96", Steps::new().call(pcma).ack(1).hang_up(2)),
        ("a late offer", Steps::new().call(None).request("ACK", 1, "", pcma).hang_up(2)),
        (
            "a refreshed session",
            Steps::new().call(Some(G711)).ack(1).request("UPDATE", 2, timer, None).expect(200).hang_up(3),
        ),
        (
            "a transfer that is refused",
            Steps::new().call(Some(G711)).ack(1).request("REFER", 2, refer, None).expect(403).hang_up(3),
        ),
        ("a hang-up before the ACK", Steps::new().call(Some(G711)).hang_up(2)),
    ] {
        let world = World::new().await;
        sipp(&steps.run(), world.address(), "u1", "did").await;
        let end = ended(&world).await;
        assert_eq!((end.cause, end.metered_ms), (EndCause::CallerHungUp, 0), "{name}");
        world.close().await;
    }
}

#[tokio::test]
async fn what_is_refused_is_refused_with_the_right_status() {
    let refused = |status| Steps::new().request("INVITE", 1, "", Some(G711)).expect(status).ack(1);
    let world = World::with(|config| config.max_calls = 0).await;
    sipp(&refused(503).run(), world.address(), "u1", "did").await;
    world.close().await;

    let world = World::new().await;
    let g729 = Steps::new().request("INVITE", 1, "", Some("18")).expect(488).ack(1);
    sipp(&g729.run(), world.address(), "u1", "did").await;
    let insists = Steps::new().request("INVITE", 1, "Require: 100rel\n", Some(G711)).expect(420).ack(1);
    sipp(&insists.run(), world.address(), "u1", "did").await;
    sipp(&Steps::new().request("OPTIONS", 1, "", None).expect(200).run(), world.address(), "u1", "did").await;
    assert!(world.desk.events().is_empty(), "none of them became a call");
    for status in [404, 403, 480] {
        let reason = if status == 404 { RefusalReason::UnknownNumber } else { RefusalReason::Suspended };
        world.desk.admits(Admission::Refuse { status, reason });
        sipp(&refused(status).run(), world.address(), "u1", "did").await;
    }
    world.close().await;
}

#[tokio::test]
async fn an_answer_that_is_never_acknowledged_ends_unmetered_by_our_bye() {
    let world = World::new().await;
    sipp(&Steps::new().call(Some(G711)).hung_up().run(), world.address(), "u1", "did").await;
    let end = ended(&world).await;
    assert_eq!((end.cause, end.sip_status, end.metered_ms), (EndCause::CallerHungUp, Some(408), 0));
    world.close().await;
}
