//! One call: its door (admission of the INVITE), its state, and the order of its life. One task owns all of it.
//! The life reads top to bottom in [`Call::live`]; what may happen at any moment of it is in `inbox.rs`.

use crate::bans::Offence;
use crate::click::Up;
use crate::control::{
    Admission, CallEventKind, CallId, EndCause, Grant, IncomingCall, RefusalReason, Service, TopicDecision,
};
use crate::edge::remote_ip;
use crate::g711::Codec;
use crate::identity;
use crate::inbox::{Input, Message};
use crate::leg::{Leg, MediaEvent};
use crate::live::{CallState, Live};
use crate::meter::Meter;
use crate::party::{Partner, Party, Signalled, fresh_session_id};
use crate::proof::{self, Dialler};
use crate::refresh::Refreshed;
use crate::sdp::LocalAudio;
use crate::sdp::{self, Keys, RemoteAudio};
use crate::session::Session;
use crate::shared::{CallLog, Command, Shared, Ticket, lock};
use crate::signalling::allow;
use rsipstack::dialog::dialog::DialogStateReceiver;
use rsipstack::dialog::invite_dialog::InviteDialog;
use rsipstack::sip::{self, Header, StatusCode};
use rsipstack::transaction::transaction::Transaction;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tracing::{Instrument, error, info, info_span};

/// Why, and with which SIP status if the call has not been answered.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) cause: EndCause,
    pub(crate) status: Option<u16>,
}

impl End {
    pub(crate) fn of(cause: EndCause) -> Self {
        Self { cause, status: None }
    }

    pub(crate) fn with(cause: EndCause, status: u16) -> Self {
        Self { cause, status: Some(status) }
    }
}

pub(crate) type Outcome<T> = Result<T, End>;

pub(crate) struct Call {
    pub(crate) shared: Arc<Shared>,
    pub(crate) log: Arc<CallLog>,
    pub(crate) live: Arc<Mutex<Live>>,
    pub(crate) caller: Party,
    /// The caller's offer; `None` when it asked for ours.
    pub(crate) offer: Option<RemoteAudio>,
    pub(crate) heard: mpsc::UnboundedReceiver<MediaEvent>,
    pub(crate) inbox: mpsc::UnboundedReceiver<Message>,
    pub(crate) outbox: mpsc::UnboundedSender<Message>,
    pub(crate) refreshes: mpsc::UnboundedReceiver<Refreshed>,
    pub(crate) refreshes_tx: mpsc::UnboundedSender<Refreshed>,
    pub(crate) commands: mpsc::UnboundedReceiver<Command>,
    pub(crate) accepted: bool,
    pub(crate) confirmed: bool,
    pub(crate) partner: Option<Partner>,
    /// A phone, or a carrier, that rings.
    pub(crate) ringing: Option<InviteDialog>,
    /// What a carrier says while it rings.
    pub(crate) progress: Option<DialogStateReceiver>,
    /// A phone of ours that has dialled: it is told why a call does not go out.
    pub(crate) is_dialled: bool,
    pub(crate) meter: Option<Meter>,
    pub(crate) renewing: bool,
    /// Asked for while a renewal was under way, whose answer may not know of the top-up yet.
    pub(crate) recheck: bool,
    pub(crate) control_away: bool,
    pub(crate) rtp_check: Instant,
    pub(crate) invalid_topics: usize,
    _ticket: Ticket,
}

/// Answers an INVITE that starts a call: refuses it at the door, or gives it a task.
pub(crate) async fn invite(shared: Arc<Shared>, mut tx: Transaction) -> rsipstack::Result<()> {
    let source_ip = remote_ip(&tx).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    if !shared.allows(&shared.rate, source_ip) {
        return shared.reply_busy(&mut tx).await;
    }
    if let Some(required) = identity::required(&tx.original) {
        let unsupported = Header::Unsupported(sip::Unsupported::new(required));
        return tx.reply_with(StatusCode::BadExtension, vec![unsupported], None).await;
    }
    let transport = tx.connection.as_ref().and_then(|connection| connection.get_addr().r#type);
    let keys = Keys::over(transport);
    let offer = if tx.original.body.is_empty() { None } else { sdp::parse(&tx.original.body, keys) };
    if offer.is_none() && !tx.original.body.is_empty() {
        return tx.reply(StatusCode::NotAcceptableHere).await;
    }
    if let Err(headers) = Session::answering(&tx.original.headers, &shared.config.timing, Instant::now()) {
        return tx.reply_with(StatusCode::SessionIntervalTooSmall, headers, None).await;
    }
    let dialler = match proof::dialler(&shared, &mut tx).await? {
        Dialler::Outside => None,
        Dialler::Phone(username) => Some(username),
        Dialler::Answered => return Ok(()),
    };
    let call_id = CallId::now_v7();
    let incoming = identity::incoming(call_id, &tx.original, shared.clock.now())?;
    let caller = incoming.caller.clone().unwrap_or_default();
    if !caller.is_empty() && !shared.caller_rate.allows(caller, Instant::now()) {
        return shared.reply_busy(&mut tx).await;
    }
    let (commands_tx, commands) = mpsc::unbounded_channel();
    let live = Arc::new(Mutex::new(Live::new(&incoming)));
    let Some(ticket) = shared.admit(call_id, commands_tx, live.clone()) else {
        return shared.reply_busy(&mut tx).await;
    };
    let Ok((leg, heard)) = Leg::open(&shared.ports).await else {
        return shared.reply_busy(&mut tx).await;
    };
    let contact = shared.contact(transport)?;
    let (states_tx, states) = shared.dialogs.new_dialog_state_channel();
    let mut dialog = shared.dialogs.get_or_create_server_invite(&tx, states_tx, None, Some(contact))?;
    let signalling = Signalled { from: Some(source_ip), keys };
    let door = Door { shared, call_id, live, offer, leg, heard, commands, ticket, signalling, dialler, up: None };
    tokio::spawn(door.open(dialog.clone(), states, incoming));
    dialog.handle(&mut tx).await
}

/// What a call is made of when its INVITE has been let in.
pub(crate) struct Door {
    pub(crate) shared: Arc<Shared>,
    pub(crate) call_id: CallId,
    pub(crate) live: Arc<Mutex<Live>>,
    pub(crate) offer: Option<RemoteAudio>,
    pub(crate) leg: Leg,
    pub(crate) heard: mpsc::UnboundedReceiver<MediaEvent>,
    pub(crate) commands: mpsc::UnboundedReceiver<Command>,
    pub(crate) ticket: Ticket,
    pub(crate) signalling: Signalled,
    /// The user of a phone of ours that dials out.
    pub(crate) dialler: Option<String>,
    pub(crate) up: Option<Up>,
}

impl Door {
    /// Runs the call in a task of its own and looks after it, should it panic.
    pub(crate) async fn open(mut self, dialog: InviteDialog, states: DialogStateReceiver, incoming: IncomingCall) {
        let (shared, abort) = (self.shared.clone(), self.shared.abort.clone());
        let log = Arc::new(CallLog::new(shared.clone(), self.call_id));
        let span = info_span!("call", id = %self.call_id);
        let dialler = self.dialler.clone();
        let up = self.up.take();
        let session_id = up.as_ref().map_or_else(fresh_session_id, |up| up.session_id);
        let mut call = self.into_call(log.clone(), dialog.clone(), states, session_id);
        up.into_iter().for_each(|up| call.is_up(up));
        let mut task = tokio::spawn(call.run(incoming, dialler).instrument(span));
        let ended = tokio::select! {
            () = abort.cancelled() => {
                task.abort();
                return;
            }
            ended = &mut task => ended,
        };
        if ended.is_err_and(|error| error.is_panic()) {
            error!(call.id = %log.call_id, "A call's task has panicked");
            let kind = CallEventKind::CallEnded {
                cause: EndCause::EdgeFailure,
                sip_status: None,
                metered_ms: 0,
                estimated: true,
                rtp_received: 0,
                rtp_sent: 0,
            };
            if let Err(error) = log.append(kind, None).await {
                error!(%error, "Its end could not be written");
            }
            shared.say_farewell(dialog, None);
        }
    }

    fn into_call(self, log: Arc<CallLog>, dialog: InviteDialog, states: DialogStateReceiver, session_id: u64) -> Call {
        let mut caller = Party::new(dialog, states, self.leg, self.signalling, session_id);
        caller.guest = self.signalling.from.map(|source| self.shared.bans.in_call(source));
        let (outbox, inbox) = mpsc::unbounded_channel();
        let (refreshes_tx, refreshes) = mpsc::unbounded_channel();
        Call {
            shared: self.shared,
            log,
            live: self.live,
            caller,
            offer: self.offer,
            heard: self.heard,
            inbox,
            outbox,
            refreshes,
            refreshes_tx,
            commands: self.commands,
            accepted: false,
            confirmed: false,
            partner: None,
            ringing: None,
            progress: None,
            is_dialled: false,
            meter: None,
            renewing: false,
            recheck: false,
            control_away: false,
            rtp_check: Instant::now(),
            invalid_topics: 0,
            _ticket: self.ticket,
        }
    }
}

impl Call {
    async fn run(mut self, incoming: IncomingCall, dialler: Option<String>) {
        let Err(end) = match dialler {
            Some(username) => self.dial_out(username, incoming).await,
            None => self.live(incoming).await,
        };
        self.finish(end).await;
    }

    /// The life of a call. It always comes back with an [`End`].
    async fn live(&mut self, incoming: IncomingCall) -> Outcome<Infallible> {
        self.record(CallEventKind::CallStarted {
            called: incoming.called.clone(),
            caller: incoming.caller.clone(),
            sip_call_id: incoming.sip_call_id.clone(),
        })
        .await?;
        match self.ask_admission(&incoming).await? {
            Admission::Refuse { status, reason } => {
                if reason == RefusalReason::UnknownNumber {
                    self.caller.offended(&self.shared, Offence::Scan);
                }
                return Err(End::with(EndCause::Refused(reason), status));
            }
            Admission::Menu { .. } => {
                self.record(CallEventKind::CallerIdentified { by_pin: false }).await?;
                self.answer().await?;
            }
            Admission::AskPin { .. } => {
                self.answer().await?;
                self.identify_by_pin().await?;
            }
        }
        let (service, grant) = self.choose_topic().await?;
        self.caller.leg.set_background(Some(self.shared.music.clone()));
        match service {
            Service::Music => self.sell_music(grant).await,
            Service::Agents { usernames } => {
                self.queue(&usernames).await?;
                self.talk(grant).await
            }
        }
    }

    async fn ask_admission(&self, incoming: &IncomingCall) -> Outcome<Admission> {
        let asked = timeout(self.shared.config.timing.control, self.shared.control.admit(incoming)).await;
        match asked {
            Ok(Ok(admission)) => Ok(admission),
            _ => Err(End::with(EndCause::Refused(RefusalReason::Unavailable), 503)),
        }
    }

    /// Rings, answers, and waits for the ACK. No packet is sent before it: an address in an SDP proves nothing.
    async fn answer(&mut self) -> Outcome<()> {
        let ring = self.shared.config.timing.ring;
        if !ring.is_zero() {
            self.caller.dialog.ringing(None, None).map_err(|_| cancelled())?;
            let until = Instant::now() + ring;
            while !matches!(self.next(Some(until)).await?, Input::Deadline) {}
        }
        self.pick_up().await
    }

    /// Answers, and waits for the ACK.
    pub(crate) async fn pick_up(&mut self) -> Outcome<()> {
        let codec = self.offer.as_ref().map_or(Codec::Pcmu, |offer| offer.codecs[0]);
        self.record(CallEventKind::CallAnswered { codec: codec.name().to_owned() }).await?;
        if self.accepted {
            return Ok(());
        }
        // The CANCEL may have come while the disk was busy; its 487 is on its way then.
        if self.caller.dialog.state().is_terminated() {
            return Err(cancelled());
        }
        let local = self.local_audio();
        let body = match &self.offer {
            Some(offer) => sdp::answer(local, offer),
            None => self.caller.offer(local.ip),
        };
        let asked = self.caller.dialog.initial_request();
        let mut headers = sdp_headers();
        headers.push(allow());
        if let Ok((session, agreed)) = Session::answering(&asked.headers, &self.shared.config.timing, Instant::now()) {
            self.caller.session = Some(session);
            headers.extend(agreed);
        }
        self.caller.described.clone_from(&body);
        self.caller.dialog.accept(Some(headers), Some(body)).map_err(|_| cancelled())?;
        self.accepted = true;
        while !self.confirmed {
            self.next(None).await?;
        }
        if self.offer.is_none() {
            let answer = self.caller.dialog.last_remote_ack().and_then(|ack| self.caller.read(&ack.body));
            self.offer = Some(answer.ok_or_else(|| End::with(EndCause::Refused(RefusalReason::Unavailable), 488))?);
        }
        if let Some(remote) = &self.offer {
            self.caller.connect(remote);
        }
        info!("Answered");
        Ok(())
    }

    pub(crate) fn local_audio(&self) -> LocalAudio {
        self.caller.local_audio(self.shared.config.advertised_ip)
    }

    async fn choose_topic(&mut self) -> Outcome<(Service, Grant)> {
        self.set_state(CallState::Menu);
        loop {
            let digit = self.ask_topic().await?;
            self.record(CallEventKind::TopicSelected { digit }).await?;
            lock(&self.live).topic = Some(digit);
            let phones = self.shared.registrar.list(Instant::now()).into_iter().map(|phone| phone.username);
            let phones: Vec<String> = phones.collect();
            let asked = self.shared.control.choose_topic(self.log.call_id, digit, &phones, self.shared.clock.now());
            match timeout(self.shared.config.timing.control, asked).await {
                Ok(Ok(TopicDecision::Serve { service, grant })) => {
                    if grant.authorised_seconds == Some(0) {
                        return self.refuse(RefusalReason::NoCredit).await;
                    }
                    return Ok((service, grant));
                }
                Ok(Ok(TopicDecision::Refuse(RefusalReason::UnknownTopic))) => self.topic_is_invalid().await?,
                Ok(Ok(TopicDecision::Refuse(reason))) => return self.refuse(reason).await,
                Ok(Err(_)) | Err(_) => return self.refuse(RefusalReason::Unavailable).await,
            }
        }
    }

    async fn sell_music(&mut self, grant: Grant) -> Outcome<Infallible> {
        self.start_meter(grant).await?;
        self.set_state(CallState::Music);
        loop {
            self.next(None).await?;
        }
    }

    /// Neither side has hung up: what happened while call control or the disk were waited for must not be charged.
    pub(crate) fn still_up(&self) -> Outcome<()> {
        if self.caller.dialog.state().is_terminated() {
            return Err(End::of(EndCause::CallerHungUp));
        }
        match self.partner.as_ref().filter(|partner| partner.party.dialog.state().is_terminated()) {
            Some(partner) => Err(End::of(partner.hung_up())),
            None => Ok(()),
        }
    }

    /// The meter runs from the instant after this event is on disk.
    pub(crate) async fn start_meter(&mut self, grant: Grant) -> Outcome<()> {
        self.still_up()?;
        let kind = CallEventKind::MeterStarted;
        let written = self.log.append(kind, grant.authorised_seconds).await;
        written.map_err(|error| {
            error!(%error, "Ending a call whose events cannot be kept");
            End::of(EndCause::EdgeFailure)
        })?;
        self.still_up()?;
        let now = Instant::now();
        self.meter = Some(Meter::start(grant, &self.shared.config.timing, now));
        lock(&self.live).meter = Some((now, grant.authorised_seconds));
        Ok(())
    }

    pub(crate) fn set_state(&self, state: CallState) {
        lock(&self.live).state = state;
    }
}

pub(crate) fn cancelled() -> End {
    End::with(EndCause::Cancelled, 487)
}

pub(crate) fn sdp_headers() -> Vec<Header> {
    vec![Header::ContentType(sip::ContentType::new("application/sdp"))]
}
