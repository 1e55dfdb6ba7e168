//! The other end: a caller and an agent's phone, over real SIP and RTP. For tests, the demo and load.
//! Never: part of the edge; it shares only the codecs and the signalling stack with it.

mod line;
mod phone;
mod registration;

pub use phone::{AgentPhone, PhoneAnswer, PhoneCall, PhonePlan};

use crate::config::EdgeError;
use crate::g711::Codec;
use crate::leg::Leg;
use crate::prompt::Clip;
use crate::sdp::{self, Direction, Encryption, Keys, LocalAudio};
use line::Line;
use rsipstack::dialog::authenticate::Credential;
use rsipstack::dialog::dialog::{DialogState, DialogStateReceiver};
use rsipstack::dialog::invitation::InviteOption;
use rsipstack::dialog::invite_dialog::InviteDialog;
use rsipstack::sip::{self, Response, StatusCodeKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout};

/// One call to be made.
#[derive(Clone, Debug)]
pub struct CallPlan {
    /// The edge's SIP address.
    pub target: SocketAddr,
    /// User part of the caller's address, as `+442071838750`.
    pub from: String,
    /// The number to call.
    pub to: String,
    /// The password of `from` at the edge: it is a phone there, which dials out. Its digest is MD5.
    pub password: Option<String>,
    /// Digits as RFC 4733 events: how long after the answer, or the digit before, and which.
    pub digits: Vec<(Duration, char)>,
    /// From the answer to our BYE.
    pub talk: Duration,
    /// Give up by CANCEL so long after the INVITE.
    pub cancel_after: Option<Duration>,
    /// Put the other side on hold: how long after the answer, and for how long.
    pub hold: Option<(Duration, Duration)>,
    /// The one codec offered.
    pub codec: Codec,
    /// What the caller says: a sine of so many hertz.
    pub tone_hertz: f32,
    /// Keep what is heard for [`CallOutcome::heard`].
    pub record: bool,
}

impl CallPlan {
    /// A call without digits that ends by itself after `talk`.
    pub fn new(target: SocketAddr, from: &str, to: &str, talk: Duration) -> Self {
        Self {
            target,
            from: from.to_owned(),
            to: to.to_owned(),
            password: None,
            digits: Vec::new(),
            talk,
            cancel_after: None,
            hold: None,
            codec: Codec::Pcmu,
            tone_hertz: 1000.0,
            record: false,
        }
    }

    /// Presses `digits`, each `pause` after the one before.
    #[must_use]
    pub fn pressing(mut self, digits: &str, pause: Duration) -> Self {
        self.digits.extend(digits.chars().map(|digit| (pause, digit)));
        self
    }
}

/// Who ended an answered call, or why there was none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// Our BYE, at the end of the plan.
    Caller,
    /// A BYE from the other side.
    Callee,
    /// Our BYE, which nobody answered: the other side had died.
    Nobody,
    /// A final answer other than 200.
    Refused,
    /// Our CANCEL.
    Cancelled,
}

/// How a call went.
#[derive(Clone, Debug)]
pub struct CallOutcome {
    /// The final SIP status of the INVITE.
    pub status: u16,
    pub answered: bool,
    pub ended_by: EndedBy,
    pub rtp_received: u64,
    pub rtp_sent: u64,
    /// From the INVITE to its final answer.
    pub answered_after: Duration,
    /// From the answer to the end.
    pub lasted: Duration,
    /// From the answer to the last packet heard.
    pub heard_until: Duration,
    /// 8 kHz samples, if recorded.
    pub heard: Vec<i16>,
}

/// A place to call from; makes any number of calls at once.
pub struct Caller {
    line: Line,
}

impl Caller {
    /// Takes a free port of `ip`.
    ///
    /// # Errors
    /// No port could be taken.
    pub async fn start(ip: IpAddr) -> Result<Self, EdgeError> {
        Ok(Self { line: Line::open(ip, None).await? })
    }

    /// Makes one call from the loopback address.
    ///
    /// # Errors
    /// No port could be taken, or the call could not be sent.
    pub async fn call(plan: CallPlan) -> Result<CallOutcome, EdgeError> {
        Self::start(IpAddr::V4(Ipv4Addr::LOCALHOST)).await?.make(plan).await
    }

    /// Makes one call and waits for its end.
    ///
    /// # Errors
    /// No RTP port could be taken, or the call could not be sent.
    pub async fn make(&self, plan: CallPlan) -> Result<CallOutcome, EdgeError> {
        let started = Instant::now();
        let (leg, _) = self.line.leg().await?;
        if plan.record {
            leg.record();
        }
        let (states_tx, mut states) = self.line.dialogs.new_dialog_state_channel();
        let local = LocalAudio { ip: self.line.ip, port: leg.port(), session_id: 1, version: 1, key: leg.key() };
        let option = self.invitation(&plan, local)?;
        let started_invite = self.line.dialogs.do_invite_async(option, states_tx);
        let (dialog, mut answer) = started_invite.map_err(|error| EdgeError::Signalling(error.to_string()))?;
        let give_up = plan.cancel_after.map(|after| started + after);
        let mut cancelled = false;
        let response = loop {
            tokio::select! {
                answered = &mut answer => break answered.ok().and_then(Result::ok).and_then(|(_, response)| response),
                Some(state) = states.recv() => {
                    if let DialogState::Early(_, response) = state
                        && let Some(remote) = sdp::parse(&response.body, Keys::Ignored)
                    {
                        leg.connect(&remote, None);
                    }
                }
                () = until(give_up), if !cancelled => {
                    cancelled = true;
                    let dialog = dialog.clone();
                    // Its failure shows in the final answer.
                    tokio::spawn(async move { let _ = dialog.cancel().await; });
                }
            }
        };
        let mut outcome = refused(response.as_ref(), cancelled, started.elapsed());
        if outcome.answered && !cancelled {
            let mut up = Up { plan: &plan, leg: &leg, dialog: &dialog, states, local };
            up.run(response.as_ref(), &mut outcome).await;
        }
        self.line.dialogs.remove_dialog(&dialog.id());
        leg.close();
        (outcome.rtp_received, outcome.rtp_sent) = (leg.received(), leg.sent());
        outcome.heard = leg.recorded();
        Ok(outcome)
    }

    fn invitation(&self, plan: &CallPlan, local: LocalAudio) -> Result<InviteOption, EdgeError> {
        let uri = |user: &str, address: SocketAddr| {
            let text = format!("sip:{user}@{address}");
            sip::Uri::try_from(text.as_str()).map_err(|error| EdgeError::Signalling(error.to_string()))
        };
        let credential = plan.password.as_ref().map(|password| Credential {
            username: plan.from.clone(),
            password: password.clone(),
            realm: None,
            auth_username: None,
        });
        let home = if credential.is_some() { plan.target } else { self.line.address };
        Ok(InviteOption {
            credential,
            caller: uri(&plan.from, home)?,
            callee: uri(&plan.to, plan.target)?,
            contact: uri(&plan.from, self.line.address)?,
            content_type: Some("application/sdp".to_owned()),
            offer: Some(sdp::offer_of(local, &[plan.codec], Direction::SendRecv, Encryption::None)),
            ..InviteOption::default()
        })
    }
}

fn refused(response: Option<&Response>, cancelled: bool, answered_after: Duration) -> CallOutcome {
    CallOutcome {
        // No answer at all is what a proxy would call 408.
        status: response.map_or(408, |response| response.status_code.code()),
        answered: response.is_some_and(|response| response.status_code.kind() == StatusCodeKind::Successful),
        ended_by: if cancelled { EndedBy::Cancelled } else { EndedBy::Refused },
        rtp_received: 0,
        rtp_sent: 0,
        answered_after,
        lasted: Duration::ZERO,
        heard_until: Duration::ZERO,
        heard: Vec::new(),
    }
}

/// Retransmitted four times by then; a peer that lives has answered.
const BYE_ANSWERED_WITHIN: Duration = Duration::from_secs(8);

/// An answered call.
struct Up<'a> {
    plan: &'a CallPlan,
    leg: &'a Leg,
    dialog: &'a InviteDialog,
    states: DialogStateReceiver,
    local: LocalAudio,
}

impl Up<'_> {
    async fn run(&mut self, response: Option<&Response>, outcome: &mut CallOutcome) {
        let answered = Instant::now();
        if let Some(remote) = response.and_then(|response| sdp::parse(&response.body, Keys::Ignored)) {
            self.leg.connect(&remote, None);
            // A whole number of periods, so that the loop has no click.
            self.leg.set_background(Some(Clip::tone(self.plan.tone_hertz, 8000.0, 1000)));
        }
        let mut digits = self.plan.digits.iter();
        let mut due = digits.next().map(|(after, digit)| (answered + *after, *digit));
        let mut hold = self.plan.hold.map(|(after, _)| (answered + after, Direction::SendOnly));
        let over = answered + self.plan.talk;
        outcome.ended_by = loop {
            tokio::select! {
                state = self.states.recv() => match state {
                    Some(state) if line::ends(&state) => break EndedBy::Callee,
                    Some(state) => line::answer_in_dialog(state, self.leg, self.local).await,
                    None => break EndedBy::Callee,
                },
                () = until(due.map(|(at, _)| at)) => if let Some((at, digit)) = due {
                    self.leg.press(digit).await;
                    due = digits.next().map(|(after, digit)| (at + *after, *digit));
                },
                () = until(hold.map(|(at, _)| at)) => if let Some((at, direction)) = hold {
                    self.reinvite(direction).await;
                    let lasting = self.plan.hold.map_or(Duration::ZERO, |(_, lasting)| lasting);
                    hold = (direction == Direction::SendOnly).then_some((at + lasting, Direction::SendRecv));
                },
                () = sleep_until(over) => break EndedBy::Caller,
            }
        };
        outcome.lasted = answered.elapsed();
        outcome.heard_until = outcome.lasted.saturating_sub(self.leg.silent_for());
        if outcome.ended_by == EndedBy::Caller {
            // Answered or not, the call is over. Not answered within 64*T1 (32 s), or not sent: nobody is there.
            let said = timeout(BYE_ANSWERED_WITHIN, self.dialog.bye()).await;
            if !matches!(said, Ok(Ok(()))) {
                outcome.ended_by = EndedBy::Nobody;
            }
        }
    }

    async fn reinvite(&mut self, direction: Direction) {
        self.local.version += 1;
        let offer = sdp::offer_of(self.local, &[self.plan.codec], direction, Encryption::None);
        let headers = crate::call::sdp_headers();
        if let Ok(Some(response)) = self.dialog.reinvite(Some(headers), Some(offer)).await
            && let Some(remote) = sdp::parse(&response.body, Keys::Ignored)
        {
            self.leg.connect(&remote, None);
        }
    }
}

async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
