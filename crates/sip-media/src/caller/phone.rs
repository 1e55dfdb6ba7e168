//! An agent's phone: registers, answers by itself, says a tone.

use super::line::{self, Line};
use super::registration::Registration;
use crate::config::EdgeError;
use crate::g711::Codec;
use crate::leg::Leg;
use crate::prompt::Clip;
use crate::sdp::{self, Direction, Encryption, Keys, LocalAudio};
use rsipstack::dialog::dialog_layer::DialogLayer;
use rsipstack::dialog::invite_dialog::InviteDialog;
use rsipstack::sip::{self, StatusCode};
use rsipstack::transaction::transaction::Transaction;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// What the phone does when it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhoneAnswer {
    /// Picks up after so long.
    Accept(Duration),
    /// 486.
    Busy,
    /// 603.
    Decline,
    /// Rings until the caller gives up.
    Ring,
    /// 503, as a carrier that has no line left.
    Unavailable,
    /// Says what it plays while it rings (183), and picks up after so long.
    Early(Duration),
}

/// A phone to be registered.
#[derive(Clone, Debug)]
pub struct PhonePlan {
    /// The edge's SIP address.
    pub server: SocketAddr,
    pub username: String,
    pub password: String,
    pub answer: PhoneAnswer,
    /// The codec it insists on.
    pub codec: Codec,
    /// What the agent says: a sine of so many hertz.
    pub tone_hertz: f32,
    pub expires: Duration,
    /// Keep what is heard for [`PhoneCall::heard`].
    pub record: bool,
}

impl PhonePlan {
    /// A phone that picks up at once.
    pub fn new(server: SocketAddr, username: &str, password: &str) -> Self {
        Self {
            server,
            username: username.to_owned(),
            password: password.to_owned(),
            answer: PhoneAnswer::Accept(Duration::ZERO),
            codec: Codec::Pcmu,
            tone_hertz: 600.0,
            expires: Duration::from_secs(120),
            record: false,
        }
    }
}

/// A registered phone; it refreshes its registration until dropped.
pub struct AgentPhone {
    calls: mpsc::UnboundedReceiver<PhoneCall>,
    line: Arc<Line>,
}

impl Drop for AgentPhone {
    /// As if its plug were pulled: nothing is said to anybody.
    fn drop(&mut self) {
        self.line.abort.cancel();
    }
}

impl AgentPhone {
    /// Registers and then answers calls by itself.
    ///
    /// # Errors
    /// No port could be taken, or the registration was refused ([`EdgeError::Signalling`] tells the status).
    pub async fn register(plan: PhonePlan) -> Result<Self, EdgeError> {
        let (invites_tx, invites) = mpsc::unbounded_channel();
        let line = Arc::new(Line::open(IpAddr::V4(Ipv4Addr::LOCALHOST), Some(invites_tx)).await?);
        let mut registration = Registration::new(&line, &plan);
        registration.refresh().await?;
        let abort = line.abort.clone();
        let period = plan.expires / 2;
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = abort.cancelled() => return,
                    () = tokio::time::sleep(period) => {}
                }
                if let Err(error) = registration.refresh().await {
                    tracing::warn!(%error, "A phone could not refresh its registration");
                }
            }
        });
        Ok(Self::answering(line, plan, invites))
    }

    /// Answers calls without being registered anywhere, as a carrier's switch does.
    ///
    /// # Errors
    /// No port could be taken.
    pub async fn listen(plan: PhonePlan) -> Result<Self, EdgeError> {
        let (invites_tx, invites) = mpsc::unbounded_channel();
        let line = Arc::new(Line::open(IpAddr::V4(Ipv4Addr::LOCALHOST), Some(invites_tx)).await?);
        Ok(Self::answering(line, plan, invites))
    }

    fn answering(line: Arc<Line>, plan: PhonePlan, invites: mpsc::UnboundedReceiver<Transaction>) -> Self {
        let (calls_tx, calls) = mpsc::unbounded_channel();
        tokio::spawn(answer_calls(Arc::downgrade(&line), plan, invites, calls_tx));
        Self { calls, line }
    }

    /// Where it listens, UDP and TCP.
    pub fn address(&self) -> SocketAddr {
        self.line.address
    }

    /// The next call the phone has picked up.
    pub async fn next_call(&mut self) -> Option<PhoneCall> {
        self.calls.recv().await
    }
}

/// A call the phone has picked up.
pub struct PhoneCall {
    dialog: InviteDialog,
    leg: Arc<Leg>,
    local: LocalAudio,
    codec: Codec,
    ended: watch::Receiver<bool>,
}

impl PhoneCall {
    pub async fn hang_up(&self) {
        // Answered or not, the phone is down.
        let _ = self.dialog.bye().await;
    }

    /// Puts the caller on hold by a re-INVITE; the status it was answered with.
    pub async fn hold(&mut self) -> u16 {
        self.reinvite(Direction::SendOnly).await
    }

    /// Takes the caller off hold.
    pub async fn resume(&mut self) -> u16 {
        self.reinvite(Direction::SendRecv).await
    }

    async fn reinvite(&mut self, direction: Direction) -> u16 {
        self.local.version += 1;
        let offer = sdp::offer_of(self.local, &[self.codec], direction, Encryption::None);
        match self.dialog.reinvite(Some(crate::call::sdp_headers()), Some(offer)).await {
            Ok(Some(response)) => response.status_code.code(),
            _ => 408,
        }
    }

    /// Waits until either side has hung up.
    pub async fn ended(&mut self) {
        // The sender is dropped only after the end.
        let _ = self.ended.wait_for(|ended| *ended).await;
    }

    pub fn rtp_received(&self) -> u64 {
        self.leg.received()
    }

    /// What has been heard so far, if recorded: 8 kHz samples. They are given once.
    pub fn heard(&self) -> Vec<i16> {
        self.leg.recorded()
    }
}

async fn answer_calls(
    line: std::sync::Weak<Line>,
    plan: PhonePlan,
    mut invites: mpsc::UnboundedReceiver<Transaction>,
    calls: mpsc::UnboundedSender<PhoneCall>,
) {
    while let Some(tx) = invites.recv().await {
        let Some(line) = line.upgrade() else { return };
        let (plan, calls) = (plan.clone(), calls.clone());
        tokio::spawn(async move {
            if let Err(error) = answer_call(&line, &plan, tx, calls).await {
                tracing::warn!(%error, "A phone could not answer");
            }
        });
    }
}

async fn answer_call(
    line: &Line,
    plan: &PhonePlan,
    mut tx: Transaction,
    calls: mpsc::UnboundedSender<PhoneCall>,
) -> Result<(), EdgeError> {
    let failed = |error: rsipstack::Error| EdgeError::Signalling(error.to_string());
    let remote = sdp::parse(&tx.original.body, Keys::Ignored);
    let Some(mut remote) = remote.filter(|remote| remote.codecs.contains(&plan.codec)) else {
        return tx.reply(StatusCode::NotAcceptableHere).await.map_err(failed);
    };
    remote.codecs = vec![plan.codec];
    let (states_tx, mut states) = line.dialogs.new_dialog_state_channel();
    let contact = sip::Uri::try_from(format!("sip:{}@{}", plan.username, line.address).as_str());
    let contact = contact.map_err(|error| EdgeError::Signalling(error.to_string()))?;
    let dialog = line.dialogs.get_or_create_server_invite(&tx, states_tx, None, Some(contact)).map_err(failed)?;
    let (leg, _) = line.leg().await?;
    if plan.record {
        leg.record();
    }
    let leg = Arc::new(leg);
    let local = LocalAudio { ip: line.ip, port: leg.port(), session_id: 2, version: 1, key: leg.key() };
    let mut transaction = dialog.clone();
    let abort = line.abort.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = abort.cancelled() => {}
            // A broken transaction ends the dialog, which its states tell.
            _ = transaction.handle(&mut tx) => {}
        }
    });
    pick_up(plan, &dialog, &leg, local, &remote).await.map_err(failed)?;
    let (ended_tx, ended) = watch::channel(false);
    let mut call = Some(PhoneCall { dialog: dialog.clone(), leg: leg.clone(), local, codec: plan.codec, ended });
    loop {
        let state = tokio::select! {
            () = line.abort.cancelled() => break,
            state = states.recv() => state,
        };
        let Some(state) = state.filter(|state| !line::ends(state)) else { break };
        if matches!(state, rsipstack::dialog::dialog::DialogState::Confirmed(..))
            && let Some(call) = call.take()
        {
            leg.connect(&remote, None);
            leg.set_background(Some(Clip::tone(plan.tone_hertz, 8000.0, 1000)));
            // Nobody may want to know.
            let _ = calls.send(call);
            continue;
        }
        line::answer_in_dialog(state, &leg, local).await;
    }
    leg.close();
    forget(&line.dialogs, &dialog);
    ended_tx.send_replace(true);
    Ok(())
}

fn forget(dialogs: &DialogLayer, dialog: &InviteDialog) {
    dialogs.remove_dialog(&dialog.id());
}

async fn pick_up(
    plan: &PhonePlan,
    dialog: &InviteDialog,
    leg: &Leg,
    local: LocalAudio,
    remote: &sdp::RemoteAudio,
) -> rsipstack::Result<()> {
    match plan.answer {
        PhoneAnswer::Accept(after) => {
            dialog.ringing(None, None)?;
            tokio::time::sleep(after).await;
            if dialog.state().is_terminated() {
                return Ok(());
            }
            dialog.accept(Some(crate::call::sdp_headers()), Some(sdp::answer(local, remote)))
        }
        PhoneAnswer::Early(after) => {
            let described = || Some(sdp::answer(local, remote));
            dialog.ringing(Some(crate::call::sdp_headers()), described())?;
            leg.connect(remote, None);
            leg.set_background(Some(Clip::tone(plan.tone_hertz, 8000.0, 1000)));
            tokio::time::sleep(after).await;
            if dialog.state().is_terminated() {
                return Ok(());
            }
            dialog.accept(Some(crate::call::sdp_headers()), described())
        }
        PhoneAnswer::Unavailable => dialog.reject(Some(StatusCode::ServiceUnavailable), None),
        PhoneAnswer::Busy => dialog.reject(Some(StatusCode::BusyHere), None),
        PhoneAnswer::Decline => dialog.reject(Some(StatusCode::Decline), None),
        PhoneAnswer::Ring => dialog.ringing(None, None),
    }
}
