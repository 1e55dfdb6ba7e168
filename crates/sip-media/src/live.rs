//! Running calls as others see them.

use crate::control::{CallId, IncomingCall};
use chrono::{DateTime, Utc};
use std::time::Duration;
use tokio::time::Instant;

/// Where a call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallState {
    /// Not answered yet.
    Ringing,
    /// Entering account number and PIN.
    Identifying,
    /// Choosing a topic.
    Menu,
    /// Waiting for an agent, un-metered.
    Queued,
    /// Hearing the music it is charged for.
    Music,
    /// Talking to an agent.
    Talking,
}

/// One running call.
#[derive(Clone, Debug)]
pub struct LiveCall {
    pub call_id: CallId,
    pub called: String,
    pub caller: Option<String>,
    /// When the INVITE arrived.
    pub received_at: DateTime<Utc>,
    pub state: CallState,
    pub on_hold: bool,
    pub topic: Option<u8>,
    /// SIP user name of the agent who talks.
    pub agent: Option<String>,
    pub metered: Duration,
    /// `None` while not metered, or unlimited.
    pub authorised_seconds: Option<u32>,
}

pub(crate) struct Live {
    pub(crate) called: String,
    pub(crate) caller: Option<String>,
    received_at: DateTime<Utc>,
    pub(crate) state: CallState,
    pub(crate) on_hold: bool,
    pub(crate) topic: Option<u8>,
    pub(crate) agent: Option<String>,
    pub(crate) meter: Option<(Instant, Option<u32>)>,
}

impl Live {
    pub(crate) fn new(incoming: &IncomingCall) -> Self {
        let (called, caller) = (incoming.called.clone(), incoming.caller.clone());
        let (received_at, state) = (incoming.received_at, CallState::Ringing);
        Self { called, caller, received_at, state, on_hold: false, topic: None, agent: None, meter: None }
    }

    pub(crate) fn at(&self, call_id: CallId, now: Instant) -> LiveCall {
        let authorised_seconds = self.meter.and_then(|(_, authorised)| authorised);
        let metered = self.meter.map_or(Duration::ZERO, |(started, authorised)| {
            let longest = authorised.map_or(Duration::MAX, |seconds| Duration::from_secs(u64::from(seconds)));
            now.saturating_duration_since(started).min(longest)
        });
        LiveCall {
            call_id,
            called: self.called.clone(),
            caller: self.caller.clone(),
            received_at: self.received_at,
            state: self.state,
            on_hold: self.on_hold,
            topic: self.topic,
            agent: self.agent.clone(),
            metered,
            authorised_seconds,
        }
    }
}
