//! Finding an agent who answers, and joining him to the caller.

use crate::call::{Call, Outcome};
use crate::control::{CallEventKind, Grant};
use crate::g711::Codec;
use crate::inbox::{Input, Message};
use crate::leg::Leg;
use crate::live::CallState;
use crate::party::{Partner, Party, Signalled, Who, fresh_session_id};
use crate::prompt::{Prompt, Prompts};
use crate::registrar::Binding;
use crate::sdp::{self, Encryption, Keys, LocalAudio};
use crate::session::{self, Session};
use crate::shared::{Shared, lock};
use crate::signalling::allow;
use rsipstack::dialog::dialog::DialogStateReceiver;
use rsipstack::dialog::invitation::InviteOption;
use rsipstack::sip::{self, Response, StatusCode, StatusCodeKind};
use std::collections::HashSet;
use std::convert::Infallible;
use tokio::time::Instant;
use tracing::{info, warn};

/// How ringing one phone came out.
enum Rung {
    Joined(Box<Partner>),
    /// Declined, did not answer, or speaks no codec of ours: not rung again for this call.
    Refused,
    /// May be free later.
    Busy,
    /// Not with this description (488, 415, 606).
    Incompatible,
}

impl Call {
    /// Music, un-metered, while phones ring one after the other; comes back when one has answered.
    pub(crate) async fn queue(&mut self, usernames: &[String]) -> Outcome<()> {
        self.set_state(CallState::Queued);
        self.caller.leg.play(vec![Prompts::built_in().clip(Prompt::PleaseHold)]);
        let timing = &self.shared.config.timing;
        let (round, until) = (timing.queue_round, Instant::now() + timing.queue);
        let mut refused = HashSet::new();
        while Instant::now() < until {
            for username in usernames {
                if refused.contains(username) {
                    continue;
                }
                let Some(binding) = self.shared.registrar.find(username, Instant::now()) else { continue };
                match self.ring(username, binding, until).await? {
                    Rung::Joined(agent) => {
                        self.partner = Some(*agent);
                        return Ok(());
                    }
                    Rung::Refused | Rung::Incompatible => {
                        refused.insert(username.clone());
                    }
                    Rung::Busy => {}
                }
            }
            let again = until.min(Instant::now() + round);
            while !matches!(self.next(Some(again)).await?, Input::Deadline) {}
        }
        match self.nobody_came().await? {}
    }

    async fn ring(&mut self, username: &str, binding: Binding, queue_until: Instant) -> Outcome<Rung> {
        self.record(CallEventKind::AgentRinging { username: username.to_owned() }).await?;
        let transport = binding.flow.as_ref().and_then(|flow| flow.r#type);
        if Keys::over(transport) == Keys::Taken {
            // A phone that refuses encrypted audio is rung again without.
            match self.ring_once(username, &binding, queue_until, Encryption::Wanted).await? {
                Rung::Incompatible => {}
                rung => return Ok(rung),
            }
        }
        self.ring_once(username, &binding, queue_until, Encryption::None).await
    }

    async fn ring_once(
        &mut self,
        username: &str,
        binding: &Binding,
        queue_until: Instant,
        encryption: Encryption,
    ) -> Outcome<Rung> {
        let Ok((leg, _)) = Leg::open(&self.shared.ports).await else {
            warn!("No RTP port is free for an agent");
            return Ok(Rung::Busy);
        };
        let from = binding.flow.as_ref().and_then(|flow| flow.get_socketaddr().ok()).map(|flow| flow.ip());
        let keys = Keys::over(binding.flow.as_ref().and_then(|flow| flow.r#type));
        let session_id = fresh_session_id();
        let Some((states, described)) = self.start_ringing(&leg, binding.clone(), session_id, encryption) else {
            return Ok(Rung::Busy);
        };
        let until = queue_until.min(Instant::now() + self.shared.config.timing.agent_ring);
        let response = loop {
            match self.next(Some(until)).await? {
                Input::Answered(response) => break response,
                Input::Deadline => {
                    self.stop_ringing();
                    return Ok(Rung::Refused);
                }
                _ => {}
            }
        };
        let Some(dialog) = self.ringing.take() else { return Ok(Rung::Refused) };
        let Some(response) = response else { return Ok(Rung::Busy) };
        if response.status_code.kind() != StatusCodeKind::Successful {
            info!(agent.username = username, status = response.status_code.code(), "An agent's phone said no");
            return Ok(refusal(&response));
        }
        let mut party = Party::new(dialog, states, leg, Signalled { from, keys }, session_id);
        let Some(remote) = party.read(&response.body) else {
            self.shared.say_farewell(party.dialog, Some("SIP;cause=488;text=\"no common codec\""));
            return Ok(Rung::Refused);
        };
        let asked = self.shared.config.timing.session;
        party.session = Some(Session::agreed(&response.headers, asked, Instant::now()));
        party.described = described;
        party.guest = from.map(|source| self.shared.bans.in_call(source));
        party.connect(&remote);
        Ok(Rung::Joined(Box::new(Partner { who: Who::Agent(username.to_owned()), party })))
    }

    /// Sends the INVITE to an agent's phone.
    fn start_ringing(
        &mut self,
        leg: &Leg,
        binding: Binding,
        session_id: u64,
        encryption: Encryption,
    ) -> Option<(DialogStateReceiver, Vec<u8>)> {
        let transport = binding.flow.as_ref().and_then(|flow| flow.r#type);
        let mut caller = self.shared.contact(None).ok()?;
        let shown = lock(&self.live).caller.clone().unwrap_or_else(|| "anonymous".to_owned());
        caller.auth = Some(sip::Auth { user: shown, password: None });
        let option =
            InviteOption { caller, callee: binding.contact, destination: binding.flow, ..InviteOption::default() };
        self.send_invite(option, transport, leg, session_id, encryption)
    }

    /// Sends an INVITE to who shall be joined to the caller; its final answer comes to the inbox.
    pub(crate) fn send_invite(
        &mut self,
        option: InviteOption,
        transport: Option<sip::Transport>,
        leg: &Leg,
        session_id: u64,
        encryption: Encryption,
    ) -> Option<(DialogStateReceiver, Vec<u8>)> {
        let contact = self.shared.contact(transport).ok()?;
        let first = self.offer.as_ref().map_or(Codec::Pcmu, |offer| offer.codecs[0]);
        let ip = self.shared.config.advertised_ip;
        let local = LocalAudio { ip, port: leg.port(), session_id, version: 1, key: leg.key() };
        let described = sdp::offer(local, first, encryption);
        let mut headers = session::wished(&self.shared.config.timing);
        headers.push(allow());
        headers.extend(option.headers.unwrap_or_default());
        let option = InviteOption {
            contact,
            content_type: Some("application/sdp".to_owned()),
            offer: Some(described.clone()),
            headers: Some(headers),
            ..option
        };
        let (states_tx, states) = self.shared.dialogs.new_dialog_state_channel();
        let (dialog, answered) = match self.shared.dialogs.do_invite_async(option, states_tx) {
            Ok(started) => started,
            Err(error) => {
                warn!(%error, "An INVITE could not be made");
                return None;
            }
        };
        self.ringing = Some(dialog);
        let outbox = self.outbox.clone();
        tokio::spawn(async move {
            let response = match answered.await {
                Ok(Ok((_, response))) => response,
                _ => None,
            };
            // The caller may have hung up; the dialog has been cancelled then.
            let _ = outbox.send(Message::Answered(response));
        });
        Some((states, described))
    }

    /// CANCEL; should the 200 be on its way already, the stack acknowledges it and says BYE. Where it is here and acknowledged, and
    /// only its word waits in the inbox, CANCEL does nothing and the BYE is ours (RFC 3261 9.1, 15).
    pub(crate) fn stop_ringing(&mut self) {
        self.progress = None;
        let Some(dialog) = self.ringing.take() else { return };
        let (shared, farewell) = (self.shared.clone(), self.shared.farewell());
        // The answer to the INVITE comes to an inbox that must not take it for the next agent's.
        let (outbox, inbox) = tokio::sync::mpsc::unbounded_channel();
        (self.outbox, self.inbox) = (outbox, inbox);
        self.renewing = false;
        tokio::spawn(async move {
            let _farewell = farewell;
            tokio::select! {
                () = shared.abort.cancelled() => {}
                sent = dialog.cancel() => if let Err(error) = sent {
                    info!(%error, "A phone did not take the CANCEL");
                }
            }
            if dialog.state().is_confirmed() {
                shared.say_farewell(dialog, None);
            }
        });
    }

    /// Joins the agent to the caller; the meter runs from then on.
    pub(crate) async fn talk(&mut self, grant: Grant) -> Outcome<Infallible> {
        self.still_up()?;
        let username = match self.partner.as_ref().map(|partner| &partner.who) {
            Some(Who::Agent(username)) => username.clone(),
            _ => String::new(),
        };
        self.record(CallEventKind::AgentJoined { username: username.clone() }).await?;
        self.start_meter(grant).await?;
        self.join();
        {
            let mut live = lock(&self.live);
            (live.state, live.agent) = (CallState::Talking, Some(username));
        }
        loop {
            self.next(None).await?;
        }
    }

    /// Caller and partner hear each other from now on.
    pub(crate) fn join(&mut self) {
        if let Some(partner) = &self.partner {
            self.caller.leg.bridge(&partner.party.leg);
            partner.party.leg.set_relayed(!self.caller.on_hold);
            partner.party.leg.set_background(Some(self.shared.music.clone()));
        }
    }
}

fn refusal(response: &Response) -> Rung {
    match response.status_code {
        StatusCode::NotAcceptableHere | StatusCode::UnsupportedMediaType | StatusCode::NotAcceptableGlobal => {
            Rung::Incompatible
        }
        StatusCode::BusyHere | StatusCode::ServiceUnavailable | StatusCode::RequestTimeout => Rung::Busy,
        _ => Rung::Refused,
    }
}

impl Shared {
    #[allow(clippy::result_large_err, reason = "the error is the signalling library's own")]
    pub(crate) fn contact(&self, transport: Option<sip::Transport>) -> rsipstack::Result<sip::Uri> {
        let (port, transport) = match (transport, self.tls_address) {
            (Some(sip::Transport::Tls), Some(tls)) => (tls.port(), ";transport=tls"),
            (Some(sip::Transport::Tcp), _) => (self.address.port(), ";transport=tcp"),
            _ => (self.address.port(), ""),
        };
        let host = std::net::SocketAddr::new(self.config.advertised_ip, port);
        Ok(sip::Uri::try_from(format!("sip:edge@{host}{transport}").as_str())?)
    }
}
