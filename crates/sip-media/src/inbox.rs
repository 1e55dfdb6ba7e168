//! What may happen to a call at any moment: hang-ups, holds, digits, due times, news from elsewhere.
//! [`Call::next`] deals with all that is the same wherever the call stands, and gives back the rest.

use crate::call::{Call, End, Outcome, cancelled};
use crate::control::{CallEventKind, EndCause, Grant, RefusalReason, Unavailable};
use crate::dtmf;
use crate::leg::MediaEvent;
use crate::meter::{Due, Meter};
use crate::party::{Hold, Partner};
use crate::prompt::{Prompt, Prompts};
use crate::refresh::Refreshed;
use crate::shared::{Command, lock};
use rsipstack::dialog::dialog::{DialogState, TerminatedReason, TransactionHandle};
use rsipstack::sip::{Response, StatusCode};
use std::pin::pin;
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{error, info, warn};

/// From tasks the call has started.
pub(crate) enum Message {
    Renewed(Result<Grant, Unavailable>),
    /// The final answer of who was rung, or that there was none.
    Answered(Option<Response>),
}

/// What the call's script has to deal with.
pub(crate) enum Input {
    Digit(char),
    /// The prompts have been played.
    Played,
    Deadline,
    /// The ACK of the caller's INVITE.
    Confirmed,
    Answered(Option<Response>),
    /// A carrier says how it gets on.
    Progress(DialogState),
}

/// Which side a thing happened on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Caller,
    Partner,
}

enum Happened {
    MeterDue,
    Dialog(Side, Option<DialogState>),
    Progress(Option<DialogState>),
    Command(Command),
    Message(Message),
    Media(MediaEvent),
    Deadline,
    RtpCheck,
    SessionDue,
    Refreshed(Refreshed),
}

async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

impl Call {
    /// Waits for the next thing the script must know of. An `Err` ends the call.
    pub(crate) async fn next(&mut self, deadline: Option<Instant>) -> Outcome<Input> {
        loop {
            let session_at = self.session_at();
            let partner_states = async {
                match &mut self.partner {
                    Some(partner) => partner.party.states.recv().await,
                    None => std::future::pending().await,
                }
            };
            let progress = async {
                match &mut self.progress {
                    Some(states) => states.recv().await,
                    None => std::future::pending().await,
                }
            };
            let happened = tokio::select! {
                // The meter first: nothing that keeps happening may put the cut off.
                biased;
                () = until(self.meter.as_ref().map(Meter::wake_at)) => Happened::MeterDue,
                state = self.caller.states.recv() => Happened::Dialog(Side::Caller, state),
                state = partner_states => Happened::Dialog(Side::Partner, state),
                state = progress => Happened::Progress(state),
                Some(command) = self.commands.recv() => Happened::Command(command),
                Some(message) = self.inbox.recv() => Happened::Message(message),
                Some(event) = self.heard.recv() => Happened::Media(event),
                () = until(deadline) => Happened::Deadline,
                () = sleep_until(self.rtp_check) => Happened::RtpCheck,
                () = until(session_at) => Happened::SessionDue,
                Some(refreshed) = self.refreshes.recv() => Happened::Refreshed(refreshed),
            };
            if let Some(input) = self.take(happened).await? {
                return Ok(input);
            }
        }
    }

    async fn take(&mut self, happened: Happened) -> Outcome<Option<Input>> {
        match happened {
            Happened::MeterDue => self.meter_due().await.map(|()| None),
            Happened::Dialog(side, Some(state)) => self.dialog_state(side, state).await,
            Happened::Dialog(Side::Caller, None) => Err(End::of(EndCause::CallerHungUp)),
            Happened::Dialog(Side::Partner, None) => Err(self.partner_left()),
            Happened::Command(Command::End) => Err(End::with(EndCause::EndedByAdmin, 480)),
            Happened::Command(Command::ShutDown) => Err(End::with(EndCause::ShutDown, 503)),
            Happened::Command(Command::Recheck) => {
                self.ask_renewal();
                Ok(None)
            }
            Happened::Message(Message::Renewed(answer)) => self.renewed(answer).await.map(|()| None),
            Happened::Message(Message::Answered(response)) => Ok(Some(Input::Answered(response))),
            Happened::Progress(Some(state)) => Ok(Some(Input::Progress(state))),
            Happened::Progress(None) => {
                self.progress = None;
                Ok(None)
            }
            Happened::Media(MediaEvent::Digit(digit)) => Ok(Some(Input::Digit(digit))),
            Happened::Media(MediaEvent::Played) => Ok(Some(Input::Played)),
            Happened::Deadline => Ok(Some(Input::Deadline)),
            Happened::RtpCheck => self.check_rtp().map(|()| None),
            Happened::SessionDue => self.session_due().map(|()| None),
            Happened::Refreshed(refreshed) => self.refreshed(refreshed).await.map(|()| None),
        }
    }

    /// Appends an event, and cuts the media off meanwhile should the authorised time end while the disk is slow.
    pub(crate) async fn record(&mut self, kind: CallEventKind) -> Outcome<()> {
        let log = self.log.clone();
        let mut append = pin!(log.append(kind, None));
        let cut_at = self.meter.as_ref().and_then(Meter::cut_at);
        let written = tokio::select! {
            written = &mut append => written,
            () = until(cut_at) => {
                self.silence();
                append.await
            }
        };
        written.map_err(|error| {
            error!(%error, "Ending a call whose events cannot be kept");
            End::with(EndCause::EdgeFailure, 503)
        })
    }

    /// No packet leaves either leg after this.
    pub(crate) fn silence(&self) {
        self.caller.leg.close();
        if let Some(partner) = &self.partner {
            partner.party.leg.close();
        }
    }

    async fn meter_due(&mut self) -> Outcome<()> {
        loop {
            let now = Instant::now();
            let Some(due) = self.meter.as_mut().and_then(|meter| meter.due(now)) else { return Ok(()) };
            match due {
                Due::Cut => {
                    self.silence();
                    let exhausted = EndCause::BalanceExhausted;
                    let away = EndCause::Refused(RefusalReason::Unavailable);
                    return Err(End::of(if self.control_away { away } else { exhausted }));
                }
                Due::Renew => self.ask_renewal(),
                Due::Announce { seconds_left } => {
                    self.record(CallEventKind::LowBalanceAnnounced { seconds_left }).await?;
                    let warning = Prompts::built_in().clip(Prompt::LowBalance);
                    self.caller.leg.overlay(warning.samples());
                }
                Due::Heartbeat => {
                    let metered = self.meter.as_ref().map_or(Duration::ZERO, |meter| meter.metered(now));
                    self.record(CallEventKind::Heartbeat { metered_ms: metered.as_millis() as u64 }).await?;
                }
            }
        }
    }

    /// Asks in a task: the call goes on, and its cut-off with it, however long the answer takes.
    fn ask_renewal(&mut self) {
        let Some(meter) = &self.meter else { return };
        if self.renewing {
            self.recheck = true;
            return;
        }
        self.renewing = true;
        let (control, call_id) = (self.shared.control.clone(), self.log.call_id);
        let (metered, now) = (meter.metered(Instant::now()), self.shared.clock.now());
        let (longest, outbox) = (self.shared.config.timing.control, self.outbox.clone());
        tokio::spawn(async move {
            let answer = match timeout(longest, control.renew(call_id, metered, now)).await {
                Ok(answer) => answer,
                Err(_) => Err(Unavailable(format!("no answer within {longest:?}"))),
            };
            // The call may have ended while we waited; its end settles everything.
            let _ = outbox.send(Message::Renewed(answer));
        });
    }

    async fn renewed(&mut self, answer: Result<Grant, Unavailable>) -> Outcome<()> {
        self.renewing = false;
        let now = Instant::now();
        let Some(meter) = &mut self.meter else { return Ok(()) };
        let grant = match answer {
            Ok(grant) => grant,
            Err(error) => {
                warn!(%error, "No new grant; the call goes on to the end of the one it has");
                self.control_away = true;
                meter.retry_renewal(self.shared.config.timing.renew_retry, now);
                return Ok(());
            }
        };
        self.control_away = false;
        if grant == meter.grant() {
            if !grant.is_final {
                meter.retry_renewal(self.shared.config.timing.renew_retry, now);
            }
            self.ask_again();
            return Ok(());
        }
        let Grant { authorised_seconds, is_final, .. } = grant;
        self.record(CallEventKind::GrantRenewed { authorised_seconds, is_final }).await?;
        if let Some(meter) = &mut self.meter {
            meter.renew(grant, Instant::now());
        }
        if let Some((_, authorised)) = &mut lock(&self.live).meter {
            *authorised = authorised_seconds;
        }
        self.ask_again();
        Ok(())
    }

    fn ask_again(&mut self) {
        if std::mem::take(&mut self.recheck) {
            self.ask_renewal();
        }
    }

    fn check_rtp(&mut self) -> Outcome<()> {
        let longest = self.shared.config.timing.rtp;
        self.rtp_check = Instant::now() + Duration::from_secs(1).min(longest / 4);
        let expected = |silent: Duration, on_hold: bool| !on_hold && silent > longest;
        let partner = self.partner.as_ref().map(|partner| &partner.party);
        let caller = Some(&self.caller).filter(|_| self.confirmed);
        if caller.into_iter().chain(partner).any(|party| expected(party.leg.silent_for(), party.on_hold)) {
            return Err(End::of(EndCause::RtpTimeout));
        }
        Ok(())
    }

    async fn dialog_state(&mut self, side: Side, state: DialogState) -> Outcome<Option<Input>> {
        match state {
            DialogState::Terminated(_, reason) => return Err(self.hung_up(side, &reason)),
            DialogState::Confirmed(..) => {
                let hold = self.party(side).map_or(Hold::Unchanged, crate::party::Party::acknowledged);
                self.held(side, &hold).await?;
                if side == Side::Caller && self.accepted && !self.confirmed {
                    self.confirmed = true;
                    return Ok(Some(Input::Confirmed));
                }
            }
            DialogState::Updated(_, request, handle) => {
                let shared = self.shared.clone();
                if let Some(party) = self.party(side) {
                    let hold = party.update(&request, &handle, &shared.config).await;
                    self.held(side, &hold).await?;
                }
            }
            DialogState::Info(_, request, handle) => {
                answer(&handle, StatusCode::OK).await;
                if side == Side::Caller {
                    return Ok(dtmf::digit_of_info(&request.body).map(Input::Digit));
                }
            }
            DialogState::Options(_, _, handle) => answer(&handle, StatusCode::OK).await,
            DialogState::Refer(_, _, handle) => answer(&handle, StatusCode::Forbidden).await,
            DialogState::Notify(_, _, handle)
            | DialogState::Message(_, _, handle)
            | DialogState::Publish(_, _, handle) => answer(&handle, StatusCode::NotImplemented).await,
            _ => {}
        }
        Ok(None)
    }

    pub(crate) fn party(&mut self, side: Side) -> Option<&mut crate::party::Party> {
        match side {
            Side::Caller => Some(&mut self.caller),
            Side::Partner => self.partner.as_mut().map(|partner| &mut partner.party),
        }
    }

    fn partner_left(&self) -> End {
        End::of(self.partner.as_ref().map_or(EndCause::AgentHungUp, Partner::hung_up))
    }

    fn hung_up(&self, side: Side, reason: &TerminatedReason) -> End {
        match (side, reason) {
            (Side::Partner, _) => self.partner_left(),
            (Side::Caller, _) if !self.accepted => cancelled(),
            // No ACK within 64*T1.
            (Side::Caller, TerminatedReason::Timeout) => End::with(EndCause::CallerHungUp, 408),
            (Side::Caller, _) => End::of(EndCause::CallerHungUp),
        }
    }

    /// A side has put us on hold or taken us off it: the other hears music meanwhile.
    pub(crate) async fn held(&mut self, side: Side, hold: &Hold) -> Outcome<()> {
        let kind = match hold {
            Hold::Unchanged => return Ok(()),
            Hold::On => CallEventKind::HoldOn,
            Hold::Off => CallEventKind::HoldOff,
        };
        self.record(kind).await?;
        info!(by_caller = (side == Side::Caller), "{}", if *hold == Hold::On { "Held" } else { "Resumed" });
        if let Some(partner) = &self.partner {
            self.caller.leg.set_relayed(!partner.party.on_hold);
            partner.party.leg.set_relayed(!self.caller.on_hold);
            partner.party.leg.set_background(Some(self.shared.music.clone()));
        }
        let on_hold = self.caller.on_hold || self.partner.as_ref().is_some_and(|partner| partner.party.on_hold);
        lock(&self.live).on_hold = on_hold;
        Ok(())
    }
}

async fn answer(handle: &TransactionHandle, status: StatusCode) {
    // The peer may have hung up meanwhile.
    let _ = handle.reply(status).await;
}
