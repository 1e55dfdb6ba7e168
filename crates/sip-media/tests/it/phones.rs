//! Calls of a softphone that shares no code with us to another one: audio by the tones that each hears.

use crate::baresip::Baresip;
use crate::world::*;
use sip_media::*;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

const CALLER: f64 = 1_000.0;
const AGENT: f64 = 620.0;

/// A certificate of its own making, as for a first try; phones are told not to look at it.
fn certificate(folder: &std::path::Path) -> TlsSettings {
    std::fs::create_dir_all(folder).unwrap();
    let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .expect("openssl is installed");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let (certificate, key) = (std::fs::read(certificate).unwrap(), std::fs::read(key).unwrap());
    TlsSettings { listen: SocketAddr::new(LOOPBACK, 0), certificate, key }
}

async fn world(tls: bool) -> World {
    let folder = std::env::temp_dir().join(format!("edge-{}", CallId::now_v7()));
    let settings = tls.then(|| certificate(&folder));
    World::on(folder, Desk::new(), |config| {
        config.tls = settings;
        // baresip 1.0 takes no second challenge beside one that it does not know.
        config.digest = DigestOffer::Md5;
    })
    .await
}

/// The phones of a caller and of the agent amy, registered.
async fn phones(world: &World, server: &str, account: &str) -> (Baresip, Baresip) {
    world.desk.employs("amy", "secret");
    let agent =
        format!("<sip:amy@{server}>;auth_pass=secret;answermode=auto;regint=60;audio_codecs=PCMU/8000/1{account}");
    let agent = Baresip::start(&agent, AGENT).await;
    let caller = format!("<sip:+447700900123@{server}>;regint=0;audio_codecs=PCMU/8000/1{account}");
    let caller = Baresip::start(&caller, CALLER).await;
    let registered = async {
        while world.edge.registrations().is_empty() {
            tokio::time::sleep(ms(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, registered).await.expect("the agent's phone registers");
    (caller, agent)
}

fn rings_amy(world: &World, grant: Grant) {
    let usernames = vec!["amy".to_owned()];
    world.desk.serves(5, Service::Agents { usernames }, grant);
}

/// Dials the number, waits for the menu, presses five; the meter runs when this returns.
async fn dial(world: &World, caller: &mut Baresip, server: &str) {
    caller.command("dial", &format!("sip:+442071838750@{server}")).await;
    caller.says("CALL_ESTABLISHED").await;
    world.desk.hears("call_answered", 1).await;
    caller.command("sndcode", "5").await;
    world.desk.hears("meter_started", 1).await;
}

/// A call of two seconds between two phones; what both heard, in seconds of the other's tone.
async fn talk(world: World, server: &str, account: &str) -> (f64, f64) {
    rings_amy(&world, unlimited());
    let (mut caller, agent) = phones(&world, server, account).await;
    dial(&world, &mut caller, server).await;
    world.desk.hears("heartbeat", 10).await;
    caller.command("hangup", "").await;
    world.desk.hears("call_ended", 1).await;
    let end = world.desk.end();
    assert_eq!(end.cause, EndCause::CallerHungUp);
    assert!(end.metered_ms >= 2_000, "{end:?}");
    let heard = (caller.quit().await.seconds_of(AGENT), agent.quit().await.seconds_of(CALLER));
    world.close().await;
    heard
}

#[tokio::test]
async fn two_softphones_hear_each_other_over_udp_and_over_tcp() {
    for transport in ["", ";transport=tcp"] {
        let world = world(false).await;
        let server = format!("{}{transport}", world.address());
        let (caller, agent) = talk(world, &server, "").await;
        assert!(caller > 1.2 && agent > 1.2, "caller {caller} s, agent {agent} s over {transport:?}");
    }
}

#[tokio::test]
async fn two_softphones_over_tls_insist_on_encrypted_audio_and_hear_each_other() {
    for encryption in [";mediaenc=srtp-mand", ";mediaenc=srtp", ""] {
        let world = world(true).await;
        let server = format!("{};transport=tls", world.edge.tls_addr().unwrap());
        let (caller, agent) = talk(world, &server, encryption).await;
        assert!(caller > 1.2 && agent > 1.2, "caller {caller} s, agent {agent} s with {encryption:?}");
    }
}

#[tokio::test]
async fn keys_that_everybody_could_read_are_not_taken() {
    let world = world(false).await;
    let server = world.address().to_string();
    let caller = format!("<sip:+447700900123@{server}>;regint=0;audio_codecs=PCMU/8000/1;mediaenc=srtp-mand");
    let mut caller = Baresip::start(&caller, CALLER).await;
    caller.command("dial", &format!("sip:+442071838750@{server}")).await;
    caller.says("CALL_CLOSED").await;
    assert!(world.desk.events().is_empty(), "refused at the door: {:?}", world.desk.story());
    caller.quit().await;
    world.close().await;
}

/// That both hear each other again afterwards is told by phones of our own (`agents.rs`): baresip 1.0 records nothing more
/// of what it hears once it has been on hold.
#[tokio::test]
async fn either_softphone_holds_and_resumes_by_re_invite() {
    let world = world(false).await;
    rings_amy(&world, unlimited());
    let server = world.address().to_string();
    let (mut caller, mut agent) = phones(&world, &server, "").await;
    dial(&world, &mut caller, &server).await;
    agent.says("CALL_ESTABLISHED").await;
    for (round, phone) in [(1, &mut caller), (2, &mut agent)] {
        phone.command("hold", "").await;
        world.desk.hears("hold_on", round).await;
        assert!(world.edge.live()[0].on_hold);
        phone.command("resume", "").await;
        world.desk.hears("hold_off", round).await;
        assert!(!world.edge.live()[0].on_hold);
    }
    caller.command("hangup", "").await;
    world.desk.hears("call_ended", 1).await;
    assert_eq!(world.desk.end().cause, EndCause::CallerHungUp);
    caller.quit().await;
    agent.quit().await;
    world.close().await;
}

#[tokio::test]
async fn the_recordings_end_at_the_authorised_second() {
    let world = world(false).await;
    rings_amy(&world, Grant { authorised_seconds: Some(3), renew_at_second: 3, is_final: true });
    let server = world.address().to_string();
    let (mut caller, agent) = phones(&world, &server, "").await;
    dial(&world, &mut caller, &server).await;
    caller.says("CALL_CLOSED").await;
    world.desk.hears("call_ended", 1).await;
    assert_eq!((world.desk.end().cause, world.desk.end().metered_ms), (EndCause::BalanceExhausted, 3_000));
    let (caller, agent) = (caller.quit().await.seconds_of(AGENT), agent.quit().await.seconds_of(CALLER));
    // A tone is told every 50 ms; the first packets of a bridge may find a phone's jitter buffer empty.
    let latest = Duration::from_millis(3_200).as_secs_f64();
    assert!((2.5..=latest).contains(&caller) && (2.5..=latest).contains(&agent), "caller {caller} s, agent {agent} s");
    world.close().await;
}
