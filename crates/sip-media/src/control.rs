//! The one door between telephony and whoever decides about calls. The edge asks; it never knows a price, a tenant or a database.
//! Diameter credit control (RFC 8506) is the model: grant, renew, final unit.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use uuid::Uuid;

/// Ours, made by the edge when the INVITE arrives (version 7). It names the call in every event, reservation and leg.
pub type CallId = Uuid;

/// What an INVITE says before anybody has answered it.
#[derive(Clone, Debug)]
pub struct IncomingCall {
    pub call_id: CallId,
    /// The SIP `Call-ID`, for traces only.
    pub sip_call_id: String,
    /// The called number, E.164 with `+` where the request has it.
    pub called: String,
    /// The caller's number as signalled (P-Asserted-Identity, else From); `None` when withheld.
    pub caller: Option<String>,
    pub received_at: DateTime<Utc>,
}

/// The answer to [`CallControl::admit`].
#[derive(Clone, Debug)]
pub enum Admission {
    /// Answer, play the greeting, take a topic digit. The caller is known.
    Menu { language: String },
    /// Answer and ask for account number and PIN, each ended by `#`; then [`CallControl::identify`].
    AskPin { language: String },
    /// Do not answer: this SIP status, and the reason for the timeline.
    Refuse { status: u16, reason: RefusalReason },
}

/// Why a call does not go on. The edge plays the prompt that fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalReason {
    UnknownNumber,
    UnknownCaller,
    WrongPin,
    UnknownTopic,
    NoCredit,
    Suspended,
    AtCapacity,
    Unavailable,
    /// Calls out are not open for who pays.
    NotOpen,
    /// The destination is closed until somebody opens it.
    DestinationClosed,
    /// Nobody sells or carries a call to that number.
    NoRoute,
    /// A limit on what may be spent, or on calls at once, is reached.
    LimitReached,
}

impl RefusalReason {
    /// For the phone's display.
    pub fn words(self) -> &'static str {
        match self {
            Self::UnknownNumber => "no such number",
            Self::UnknownCaller => "caller not known",
            Self::WrongPin => "wrong account or PIN",
            Self::UnknownTopic => "no such topic",
            Self::NoCredit => "no credit",
            Self::Suspended => "suspended",
            Self::AtCapacity => "at capacity",
            Self::Unavailable => "not available now",
            Self::NotOpen => "calls out are not open",
            Self::DestinationClosed => "destination closed",
            Self::NoRoute => "no route to this number",
            Self::LimitReached => "limit reached",
        }
    }
}

/// How a call is served once its topic is chosen.
#[derive(Clone, Debug)]
pub enum Service {
    /// Ring these agents' registered phones, in order; SIP user names. Music plays to the caller meanwhile, un-metered.
    Agents { usernames: Vec<String> },
    /// Nobody is logged in with a phone that is registered: music is the service (the meter runs).
    Music,
}

/// The answer to [`CallControl::choose_topic`].
#[derive(Clone, Debug)]
pub enum TopicDecision {
    Serve {
        service: Service,
        /// The first increment, already reserved in every prepaid book on the way up.
        grant: Grant,
    },
    Refuse(RefusalReason),
}

/// A number dialled by a registered phone, whose user has proven itself by digest.
#[derive(Clone, Debug)]
pub struct Dialled {
    pub call_id: CallId,
    pub username: String,
    /// As it was dialled.
    pub called: String,
    pub received_at: DateTime<Utc>,
}

/// The answer to [`CallControl::dial`] and [`CallControl::dial_next`].
#[derive(Clone, Debug)]
pub enum DialDecision {
    /// Ring this carrier; its first increment is reserved in every prepaid book on the way.
    Ring { trunk: Trunk, grant: Grant },
    /// It does not go out, or not any further.
    Refuse { status: u16, reason: RefusalReason },
}

/// Where a carrier takes a call, and what it is told.
#[derive(Clone, Debug)]
pub struct Trunk {
    /// An address or a name.
    pub host: String,
    pub port: u16,
    pub transport: TrunkTransport,
    /// For the carrier that asks for a password.
    pub login: Option<TrunkLogin>,
    /// E.164 with its plus sign.
    pub called: String,
    /// The caller's number, E.164 with its plus sign.
    pub shown: String,
    pub shown_as: ShownAs,
}

/// How a carrier is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrunkTransport {
    Udp,
    Tcp,
    /// The carrier's certificate is checked.
    Tls,
}

/// What a carrier knows us by (RFC 7616).
#[derive(Clone, PartialEq, Eq)]
pub struct TrunkLogin {
    pub username: String,
    pub password: String,
}

impl std::fmt::Debug for TrunkLogin {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("TrunkLogin").field("username", &self.username).finish_non_exhaustive()
    }
}

/// Where a carrier reads the caller's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShownAs {
    /// In From.
    From,
    /// In P-Asserted-Identity (RFC 3325), and in From.
    Asserted,
    /// In P-Asserted-Identity; From is the account's user name.
    Account,
}

/// How long a call may be metered, counted from the start of its meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Whole seconds of metered time authorised so far; `None` = unlimited (postpaid).
    pub authorised_seconds: Option<u32>,
    /// Metered second at which to ask for more; meaningless when unlimited or final.
    pub renew_at_second: u32,
    /// No more will be granted unless money arrives: warn, then cut off at the authorised second.
    pub is_final: bool,
}

/// Where an agent's phone registers.
#[derive(Clone, Debug)]
pub struct PhoneSecret {
    /// HA1 = MD5(username:realm:password), lower-case hexadecimal (RFC 7616 3.4.2).
    pub ha1_md5: String,
    /// The same with SHA-256.
    pub ha1_sha256: String,
}

/// What happened, in the order it happened. Stored on the edge's disk before it is acted on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallEvent {
    pub call_id: CallId,
    /// 1, 2, 3 .. within the call. (call_id, kind, seq) is the idempotency key.
    pub seq: u32,
    pub at: DateTime<Utc>,
    /// Milliseconds since the INVITE by the edge's monotonic clock; durations are differences of these.
    pub offset_ms: u64,
    pub kind: CallEventKind,
}

/// The kinds of [`CallEvent`]; in JSON `{"topic_selected":{"digit":3}}`, `"meter_started"` and so on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallEventKind {
    CallStarted {
        called: String,
        caller: Option<String>,
        sip_call_id: String,
    },
    /// A registered phone has dialled a number outside, and this has been decided upon.
    DialStarted {
        username: String,
        called: String,
        sip_call_id: String,
    },
    /// The call is given to a carrier: the first, the second .. Which one is known in the carrier's book alone.
    CarrierRinging {
        attempt: u32,
    },
    /// By caller id or PIN; never carries the PIN.
    CallerIdentified {
        by_pin: bool,
    },
    CallAnswered {
        codec: String,
    },
    TopicSelected {
        digit: u8,
    },
    AgentRinging {
        username: String,
    },
    AgentJoined {
        username: String,
    },
    AgentLeft {
        username: String,
    },
    /// The meter starts: agent joined, or the music service began.
    MeterStarted,
    HoldOn,
    HoldOff,
    GrantRenewed {
        authorised_seconds: Option<u32>,
        is_final: bool,
    },
    LowBalanceAnnounced {
        seconds_left: u32,
    },
    /// Written every 10 s of metered time, so that a crash can close the call where it was last alive.
    Heartbeat {
        metered_ms: u64,
    },
    /// Always last. `metered_ms` is what is charged: never above the authorised length.
    CallEnded {
        cause: EndCause,
        sip_status: Option<u16>,
        metered_ms: u64,
        estimated: bool,
        rtp_received: u64,
        rtp_sent: u64,
    },
}

impl CallEventKind {
    /// The name used as `kind` in keys and JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::CallStarted { .. } => "call_started",
            Self::DialStarted { .. } => "dial_started",
            Self::CarrierRinging { .. } => "carrier_ringing",
            Self::CallerIdentified { .. } => "caller_identified",
            Self::CallAnswered { .. } => "call_answered",
            Self::TopicSelected { .. } => "topic_selected",
            Self::AgentRinging { .. } => "agent_ringing",
            Self::AgentJoined { .. } => "agent_joined",
            Self::AgentLeft { .. } => "agent_left",
            Self::MeterStarted => "meter_started",
            Self::HoldOn => "hold_on",
            Self::HoldOff => "hold_off",
            Self::GrantRenewed { .. } => "grant_renewed",
            Self::LowBalanceAnnounced { .. } => "low_balance_announced",
            Self::Heartbeat { .. } => "heartbeat",
            Self::CallEnded { .. } => "call_ended",
        }
    }
}

/// Why a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndCause {
    CallerHungUp,
    AgentHungUp,
    /// Who was called by a call out.
    CalledHungUp,
    /// Who was called is busy, does not answer, or does not exist: the SIP status says.
    NotReached,
    Cancelled,
    BalanceExhausted,
    Refused(RefusalReason),
    RtpTimeout,
    /// A side was not there any more: its session was not refreshed, or it did not know of it.
    SessionExpired,
    NoTopicChosen,
    EndedByAdmin,
    /// The edge died during the call; closed at its last heartbeat when it came back.
    EdgeFailure,
    ShutDown,
}

/// The metering side cannot answer now (database away). The edge finishes what is granted, then cuts; events stay in the spool.
#[derive(Debug, thiserror::Error)]
#[error("call control is unavailable: {0}")]
pub struct Unavailable(pub String);

/// Why events were not taken. The difference decides what becomes of them: wait for the one, never for the other.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// Tried again until it works.
    #[error(transparent)]
    Away(#[from] Unavailable),
    /// Will never be taken as it is: set aside for a person, so that the events behind it go on.
    #[error("refused for good: {0}")]
    Refused(String),
}

/// Implemented by `call-control`; the edge calls it for every decision.
#[async_trait]
pub trait CallControl: Send + Sync + 'static {
    /// An INVITE has arrived: who is called, who calls?
    async fn admit(&self, call: &IncomingCall) -> Result<Admission, Unavailable>;
    /// Account number and PIN were entered. `Menu` when right, `Refuse` or `AskPin` again otherwise.
    async fn identify(
        &self,
        call_id: CallId,
        account: &str,
        pin: &str,
        at: DateTime<Utc>,
    ) -> Result<Admission, Unavailable>;
    /// A topic digit was pressed: find its price, reserve the first increment, say who serves. `phones` are the user names
    /// registered at this edge now: nobody else can be rung.
    async fn choose_topic(
        &self,
        call_id: CallId,
        digit: u8,
        phones: &[String],
        at: DateTime<Utc>,
    ) -> Result<TopicDecision, Unavailable>;
    /// A registered phone has dialled a number: may it go out, by which carrier, for how long?
    async fn dial(&self, dialled: &Dialled) -> Result<DialDecision, Unavailable>;
    /// The carrier has failed, as `503` or `timeout`: to whom next?
    async fn dial_next(&self, call_id: CallId, failure: &str, at: DateTime<Utc>) -> Result<DialDecision, Unavailable>;
    /// Extend the grant; `metered` is the time used so far. Also asked again after a top-up.
    async fn renew(&self, call_id: CallId, metered: Duration, at: DateTime<Utc>) -> Result<Grant, Unavailable>;
    /// Events of one or more calls, durable when this returns `Ok`. The same event twice is one event. `call_ended` settles the call.
    /// [`NotTaken::Refused`] of several may mean any one of them.
    async fn record(&self, events: &[CallEvent]) -> Result<(), NotTaken>;
    /// The digest secret of an agent's phone; `None` for an unknown user (the edge answers exactly as for a wrong password).
    async fn phone_secret(&self, username: &str) -> Result<Option<PhoneSecret>, Unavailable>;
}
