//! What an edge is told when it starts.

use chrono::{DateTime, Utc};
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

/// Give this to the log subscriber: the signalling stack writes every received message, digits and credentials
/// included, to its log at level INFO.
pub const LOG_FILTER: &str = "rsipstack=warn";

/// Wall time for events and spool retention. Durations are measured on the monotonic clock instead.
pub trait Clock: Send + Sync + 'static {
    fn now(&self) -> DateTime<Utc>;
}

/// Which digest algorithms phones are challenged with (RFC 8760).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigestOffer {
    /// SHA-256 first, MD5 second. Phones take the first that they know.
    Sha256AndMd5,
    /// For phones that stop at a challenge they do not know.
    Md5,
}

/// A token bucket per source address.
#[derive(Clone, Copy, Debug)]
pub struct RateLimit {
    pub per_second: u32,
    pub burst: u32,
}

/// SIP over TLS. Its phones are offered encrypted audio, whose keys nobody on the way can read.
#[derive(Clone)]
pub struct TlsSettings {
    /// Port 0 takes a free one.
    pub listen: SocketAddr,
    /// The certificate and those of its issuers, PEM.
    pub certificate: Vec<u8>,
    /// Its private key, PEM (PKCS #8 or PKCS #1).
    pub key: Vec<u8>,
}

impl std::fmt::Debug for TlsSettings {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("TlsSettings").field("listen", &self.listen).finish_non_exhaustive()
    }
}

/// So many offences of one source within so long, and it is not heard for so long.
#[derive(Clone, Copy, Debug)]
pub struct BanRule {
    pub offences: u32,
    pub within: Duration,
    pub lasts: Duration,
}

/// When a source is not heard any more, by what it does.
#[derive(Clone, Copy, Debug)]
pub struct BanRules {
    /// Wrong passwords.
    pub guesses: BanRule,
    /// Numbers that nobody has, methods and requests that are none.
    pub scans: BanRule,
    /// Requests beyond the rate.
    pub floods: BanRule,
}

impl Default for BanRules {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            guesses: BanRule { offences: 100, within: seconds(3_600), lasts: seconds(43_200) },
            scans: BanRule { offences: 100, within: seconds(60), lasts: seconds(300) },
            floods: BanRule { offences: 100, within: seconds(2), lasts: seconds(300) },
        }
    }
}

/// How long the edge waits for what.
#[derive(Clone, Debug)]
pub struct Timing {
    /// Time between ringing (180) and the answer; zero answers at once.
    pub ring: Duration,
    /// Waiting for a digit after a prompt has been played.
    pub digit: Duration,
    /// How long one agent's phone rings.
    pub agent_ring: Duration,
    /// How long a caller waits for an agent altogether, un-metered.
    pub queue: Duration,
    /// Pause between two rounds of ringing phones that were busy or not registered.
    pub queue_round: Duration,
    /// How long a carrier may say nothing at all to a call out before the next one gets it.
    pub carrier_silent: Duration,
    /// How long it may say no more than that it is trying.
    pub carrier_trying: Duration,
    /// How long a call out rings.
    pub carrier_ring: Duration,
    /// No RTP for so long, not on hold: the call is over.
    pub rtp: Duration,
    /// Longest wait for one answer of call control.
    pub control: Duration,
    /// Pause before asking again for a grant while call control is away.
    pub renew_retry: Duration,
    /// Metered time between two heartbeat events.
    pub heartbeat: Duration,
    /// Seconds before a final end at which the caller is warned.
    pub low_balance_seconds: Vec<u32>,
    /// A session is refreshed, or found dead, within this time (RFC 4028).
    pub session: Duration,
    /// Shorter sessions are refused; RFC 4028 allows no less than 90 s.
    pub session_shortest: Duration,
    /// A nonce is stale after this.
    pub nonce: Duration,
    /// The shortest and longest registration granted.
    pub registration: RangeInclusive<Duration>,
    /// Acknowledged spool segments are kept for this long.
    pub spool_retention: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            ring: Duration::ZERO,
            digit: seconds(8),
            agent_ring: seconds(20),
            queue: seconds(120),
            queue_round: seconds(10),
            carrier_silent: seconds(5),
            carrier_trying: seconds(20),
            carrier_ring: seconds(90),
            rtp: seconds(60),
            control: seconds(5),
            renew_retry: seconds(2),
            heartbeat: seconds(10),
            low_balance_seconds: vec![60, 20],
            session: seconds(1_800),
            session_shortest: seconds(90),
            nonce: seconds(300),
            registration: seconds(30)..=seconds(3600),
            spool_retention: seconds(7 * 86_400),
        }
    }
}

/// Everything an edge needs but the decisions, which it asks for.
#[derive(Clone, Debug)]
pub struct EdgeConfig {
    /// SIP over UDP and TCP; port 0 takes a free one.
    pub listen: SocketAddr,
    /// SIP over TLS, beside the others.
    pub tls: Option<TlsSettings>,
    /// The address put into Via, Contact and SDP: the one outside, where a router translates.
    pub advertised_ip: IpAddr,
    /// The digest realm; secrets are bound to it.
    pub realm: String,
    /// Only one edge at a time may use it.
    pub spool_dir: PathBuf,
    /// Even ports of this range carry RTP; `None` takes free ones.
    pub rtp_ports: Option<RangeInclusive<u16>>,
    /// More calls than this are answered 503.
    pub max_calls: usize,
    /// New calls, and registrations to be checked, per source address; more are answered 503. A carrier sends all its
    /// calls from few addresses: leave it room.
    pub invite_rate: RateLimit,
    /// Requests that start nothing (OPTIONS, REGISTER and the like), per source address; more are dropped.
    pub request_rate: RateLimit,
    /// New calls per caller's number; more are answered 503.
    pub caller_rate: RateLimit,
    /// Who is not heard any more.
    pub bans: BanRules,
    /// PEM of the authorities that a carrier's certificate is checked against; without them no call goes out over TLS.
    pub authorities: Option<Vec<u8>>,
    /// Never banned: carriers and the operator's own proxies.
    pub trusted: Vec<IpAddr>,
    /// Failed registrations of one user from one address before both are refused for five minutes.
    pub failed_registrations: u32,
    pub digest: DigestOffer,
    /// Hold music as raw u-law, looped; `None` plays the built-in one.
    pub music: Option<Vec<u8>>,
    pub timing: Timing,
}

impl EdgeConfig {
    /// The usual settings; change what differs.
    pub fn new(listen: SocketAddr, advertised_ip: IpAddr, realm: &str, spool_dir: impl Into<PathBuf>) -> Self {
        Self {
            listen,
            tls: None,
            advertised_ip,
            realm: realm.to_owned(),
            spool_dir: spool_dir.into(),
            rtp_ports: None,
            max_calls: 1_000,
            invite_rate: RateLimit { per_second: 50, burst: 200 },
            request_rate: RateLimit { per_second: 50, burst: 200 },
            caller_rate: RateLimit { per_second: 2, burst: 20 },
            bans: BanRules::default(),
            authorities: None,
            trusted: Vec::new(),
            failed_registrations: 10,
            digest: DigestOffer::Sha256AndMd5,
            music: None,
            timing: Timing::default(),
        }
    }
}

/// Why an edge does not start, or cannot write an event.
#[derive(Debug, thiserror::Error)]
pub enum EdgeError {
    #[error("cannot listen on {address}: {source}")]
    ListenAddressMustBeFree { address: SocketAddr, source: std::io::Error },
    #[error("spool {path}: {source}")]
    SpoolMustBeWritable { path: PathBuf, source: std::io::Error },
    #[error("spool {path} is in use by another edge")]
    SpoolMustBeOurs { path: PathBuf },
    #[error("the spool writer has stopped")]
    SpoolStopped,
    #[error("the certificate of SIP over TLS and its key must be PEM and fit together: {0}")]
    CertificateMustBeUsable(String),
    #[error("hold music must not be empty")]
    MusicMustNotBeEmpty,
    #[error("signalling: {0}")]
    Signalling(String),
}
