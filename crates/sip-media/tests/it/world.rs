//! An edge with a desk behind it, for one test.

pub use crate::reading::{header, seconds_of, status_of, to_tag};
use async_trait::async_trait;
use chrono::{DateTime, TimeZone, Utc};
use md5::{Digest, Md5};
use sha2::Sha256;
use sip_media::caller::{AgentPhone, PhonePlan};
use sip_media::*;
use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::time::timeout;

pub const REALM: &str = "test.example";
pub const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Longer than anything here takes; a test that gets here has failed.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Counts what would end a task; the runtime keeps it from ending more.
pub fn count_panics() -> Arc<AtomicUsize> {
    let panics = Arc::new(AtomicUsize::new(0));
    let counted = panics.clone();
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        counted.fetch_add(1, Ordering::Relaxed);
        usual(panic);
    }));
    panics
}

/// Decides about calls as the test wants, and keeps the events.
pub struct Desk {
    pub admission: Mutex<Admission>,
    pub pin: Mutex<Option<(String, String)>>,
    pub topics: Mutex<HashMap<u8, TopicDecision>>,
    pub renewals: Mutex<VecDeque<Result<Grant, Unavailable>>>,
    /// Where calls out go, one after the other.
    pub routes: Mutex<VecDeque<DialDecision>>,
    pub dialled: Mutex<Vec<Dialled>>,
    /// What carriers answered that were left for the next.
    pub failures: Mutex<Vec<String>>,
    pub secrets: Mutex<HashMap<String, PhoneSecret>>,
    pub away: AtomicBool,
    /// Events of this name are refused for good.
    pub poison: Mutex<Option<String>>,
    /// The phones that were registered when a topic was chosen last.
    pub phones: Mutex<Vec<String>>,
    /// How long a decision on a topic takes.
    pub thinks: Mutex<Duration>,
    events: watch::Sender<Vec<CallEvent>>,
}

impl Desk {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            admission: Mutex::new(Admission::Menu { language: "en".into() }),
            pin: Mutex::default(),
            topics: Mutex::default(),
            renewals: Mutex::default(),
            routes: Mutex::default(),
            dialled: Mutex::default(),
            failures: Mutex::default(),
            secrets: Mutex::default(),
            away: AtomicBool::new(false),
            poison: Mutex::default(),
            phones: Mutex::default(),
            thinks: Mutex::default(),
            events: watch::Sender::default(),
        })
    }

    pub fn admits(&self, admission: Admission) {
        *self.admission.lock().unwrap() = admission;
    }

    pub fn serves(&self, digit: u8, service: Service, grant: Grant) {
        self.topics.lock().unwrap().insert(digit, TopicDecision::Serve { service, grant });
    }

    pub fn refuses(&self, digit: u8, reason: RefusalReason) {
        self.topics.lock().unwrap().insert(digit, TopicDecision::Refuse(reason));
    }

    pub fn renews(&self, answer: Result<Grant, Unavailable>) {
        self.renewals.lock().unwrap().push_back(answer);
    }

    fn next_route(&self) -> Result<DialDecision, Unavailable> {
        self.routes.lock().unwrap().pop_front().ok_or_else(away)
    }

    pub fn employs(&self, username: &str, password: &str) {
        let text = format!("{username}:{REALM}:{password}");
        let secret =
            PhoneSecret { ha1_md5: hex::encode(Md5::digest(&text)), ha1_sha256: hex::encode(Sha256::digest(&text)) };
        self.secrets.lock().unwrap().insert(username.to_owned(), secret);
    }

    pub fn events(&self) -> Vec<CallEvent> {
        self.events.borrow().clone()
    }

    /// Names of the events so far, heartbeats left out.
    pub fn story(&self) -> Vec<&'static str> {
        let events = self.events.borrow();
        events.iter().map(|event| event.kind.name()).filter(|name| *name != "heartbeat").collect()
    }

    /// Waits until `count` events of this name have been handed on.
    pub async fn hears(&self, name: &str, count: usize) {
        let mut events = self.events.subscribe();
        let enough = |events: &Vec<CallEvent>| events.iter().filter(|event| event.kind.name() == name).count() >= count;
        let heard = timeout(PATIENCE, events.wait_for(enough)).await.is_ok();
        assert!(heard, "no {count} x {name} in {:?}", self.story());
    }

    pub fn end(&self) -> Ended {
        self.ends().pop().expect("a call has ended")
    }

    pub fn ends(&self) -> Vec<Ended> {
        let ended = |event: &CallEvent| match event.kind {
            CallEventKind::CallEnded { cause, sip_status, metered_ms, estimated, .. } => {
                Some(Ended { cause, sip_status, metered_ms, estimated, offset_ms: event.offset_ms })
            }
            _ => None,
        };
        self.events.borrow().iter().filter_map(ended).collect()
    }

    pub fn offset_of(&self, name: &str) -> u64 {
        self.offset_if(name).expect(name)
    }

    pub fn offset_if(&self, name: &str) -> Option<u64> {
        let events = self.events.borrow();
        Some(events.iter().find(|event| event.kind.name() == name)?.offset_ms)
    }
}

#[derive(Debug)]
pub struct Ended {
    pub cause: EndCause,
    pub sip_status: Option<u16>,
    pub metered_ms: u64,
    pub estimated: bool,
    pub offset_ms: u64,
}

fn away() -> Unavailable {
    Unavailable("the desk is away".into())
}

#[async_trait]
impl CallControl for Desk {
    async fn admit(&self, _: &IncomingCall) -> Result<Admission, Unavailable> {
        Ok(self.admission.lock().unwrap().clone())
    }

    async fn identify(&self, _: CallId, account: &str, pin: &str, _: DateTime<Utc>) -> Result<Admission, Unavailable> {
        let right = self.pin.lock().unwrap().as_ref() == Some(&(account.to_owned(), pin.to_owned()));
        let language = "en".to_owned();
        Ok(if right { Admission::Menu { language } } else { Admission::AskPin { language } })
    }

    async fn choose_topic(
        &self,
        _: CallId,
        digit: u8,
        phones: &[String],
        _: DateTime<Utc>,
    ) -> Result<TopicDecision, Unavailable> {
        *self.phones.lock().unwrap() = phones.to_vec();
        let thinks = *self.thinks.lock().unwrap();
        tokio::time::sleep(thinks).await;
        let decision = self.topics.lock().unwrap().get(&digit).cloned();
        Ok(decision.unwrap_or(TopicDecision::Refuse(RefusalReason::UnknownTopic)))
    }

    async fn dial(&self, dialled: &Dialled) -> Result<DialDecision, Unavailable> {
        self.dialled.lock().unwrap().push(dialled.clone());
        self.next_route()
    }

    async fn dial_next(&self, _: CallId, failure: &str, _: DateTime<Utc>) -> Result<DialDecision, Unavailable> {
        self.failures.lock().unwrap().push(failure.to_owned());
        self.next_route()
    }

    async fn renew(&self, _: CallId, _: Duration, _: DateTime<Utc>) -> Result<Grant, Unavailable> {
        self.renewals.lock().unwrap().pop_front().unwrap_or_else(|| Err(away()))
    }

    async fn record(&self, events: &[CallEvent]) -> Result<(), NotTaken> {
        if self.away.load(Ordering::SeqCst) {
            return Err(away().into());
        }
        let poison = self.poison.lock().unwrap().clone();
        if events.iter().any(|event| Some(event.kind.name()) == poison.as_deref()) {
            return Err(NotTaken::Refused("the desk cannot read it".into()));
        }
        self.events.send_modify(|known| {
            for event in events {
                if !known.iter().any(|known| (known.call_id, known.seq) == (event.call_id, event.seq)) {
                    known.push(event.clone());
                }
            }
        });
        Ok(())
    }

    async fn phone_secret(&self, username: &str) -> Result<Option<PhoneSecret>, Unavailable> {
        Ok(self.secrets.lock().unwrap().get(username).cloned())
    }
}

struct Noon;

impl Clock for Noon {
    fn now(&self) -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 3, 1, 12, 0, 0).unwrap()
    }
}

pub fn grant(seconds: u32) -> Grant {
    Grant { authorised_seconds: Some(seconds), renew_at_second: seconds, is_final: true }
}

pub fn unlimited() -> Grant {
    Grant { authorised_seconds: None, renew_at_second: 0, is_final: false }
}

pub struct World {
    pub edge: Edge,
    pub desk: Arc<Desk>,
    pub folder: PathBuf,
}

pub fn config(folder: &PathBuf) -> EdgeConfig {
    let mut config = EdgeConfig::new(SocketAddr::new(LOOPBACK, 0), LOOPBACK, REALM, folder);
    config.timing.digit = ms(1_500);
    config.timing.agent_ring = ms(700);
    config.timing.queue = ms(2_500);
    config.timing.queue_round = ms(200);
    config.timing.heartbeat = ms(200);
    config.timing.registration = Duration::from_secs(5)..=Duration::from_secs(3600);
    config
}

impl World {
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut EdgeConfig)) -> Self {
        let folder = std::env::temp_dir().join(format!("edge-{}", CallId::now_v7()));
        Self::on(folder, Desk::new(), change).await
    }

    pub async fn on(folder: PathBuf, desk: Arc<Desk>, change: impl FnOnce(&mut EdgeConfig)) -> Self {
        let mut config = config(&folder);
        change(&mut config);
        let edge = Edge::start(config, desk.clone(), Arc::new(Noon)).await.unwrap();
        Self { edge, desk, folder }
    }

    pub fn address(&self) -> SocketAddr {
        self.edge.local_addr()
    }

    pub fn plan(&self, digits: &str, talk: Duration) -> sip_media::caller::CallPlan {
        sip_media::caller::CallPlan::new(self.address(), "+447700900123", "+442071838750", talk)
            .pressing(digits, ms(300))
    }

    pub async fn phone(&self, username: &str, change: impl FnOnce(&mut PhonePlan)) -> AgentPhone {
        self.desk.employs(username, "secret");
        let mut plan = PhonePlan::new(self.address(), username, "secret");
        change(&mut plan);
        AgentPhone::register(plan).await.unwrap()
    }

    /// Every call has been forgotten by the edge and by the stack below.
    pub async fn is_empty(&self) {
        let empty = async {
            while !self.edge.live().is_empty() || self.edge.dialogs() > 0 {
                tokio::time::sleep(ms(10)).await;
            }
        };
        timeout(PATIENCE, empty).await.expect("the edge is empty");
    }

    pub async fn close(self) {
        self.is_empty().await;
        self.edge.shutdown().await;
        std::fs::remove_dir_all(&self.folder).unwrap();
    }
}

/// A socket that speaks SIP letter by letter.
pub struct Raw {
    pub socket: UdpSocket,
    pub edge: SocketAddr,
}

impl Raw {
    pub async fn new(edge: SocketAddr) -> Self {
        Self { socket: UdpSocket::bind((LOOPBACK, 0)).await.unwrap(), edge }
    }

    pub fn me(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    pub async fn send(&self, octets: &[u8]) {
        // A datagram the kernel does not take is one the edge does not see.
        let _ = self.socket.send_to(octets, self.edge).await;
    }

    /// A request with the usual headers, then `extra` (with its line ends), then the body.
    #[allow(clippy::too_many_arguments)]
    pub fn request(
        &self,
        method: &str,
        user: &str,
        call: &str,
        cseq: u32,
        to_tag: &str,
        extra: &str,
        body: &str,
    ) -> String {
        let (me, edge) = (self.me(), self.edge);
        let branch = CallId::now_v7().simple().to_string();
        format!(
            "{method} sip:{user}@{edge} SIP/2.0\r\nVia: SIP/2.0/UDP {me};branch=z9hG4bK{branch};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:{user}@{me}>;tag=f{call}\r\nTo: <sip:{user}@{edge}>{to_tag}\r\n\
             Call-ID: {call}\r\nCSeq: {cseq} {method}\r\nContact: <sip:{user}@{me}>\r\n{extra}\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    pub async fn receive(&self) -> Option<String> {
        let mut buffer = [0u8; 8192];
        let (octets, _) = timeout(Duration::from_secs(3), self.socket.recv_from(&mut buffer)).await.ok()?.unwrap();
        Some(String::from_utf8_lossy(&buffer[..octets]).into_owned())
    }

    /// The next request of this method from the edge.
    pub async fn asked(&self, method: &str) -> String {
        loop {
            let message = self.receive().await.unwrap_or_else(|| panic!("no {method}"));
            if message.starts_with(&format!("{method} ")) {
                return message;
            }
        }
    }

    /// Answers a request of the edge's.
    pub async fn reply(&self, request: &str, status: &str, extra: &str) {
        let mut answer = format!("SIP/2.0 {status}\r\n");
        for name in ["Via", "From", "To", "Call-ID", "CSeq"] {
            answer += &format!("{name}: {}\r\n", header(request, name));
        }
        self.send(format!("{answer}{extra}Content-Length: 0\r\n\r\n").as_bytes()).await;
    }

    /// The next final answer to `cseq`.
    pub async fn answer(&self, cseq: &str) -> String {
        loop {
            let message = self.receive().await.unwrap_or_else(|| panic!("no answer to {cseq}"));
            let status = status_of(&message);
            if status >= 200 && header(&message, "CSeq") == cseq {
                return message;
            }
        }
    }
}
