//! Click-to-call: an agent's own phone rings first. Picked up, it is a phone that has dialled the number, and the call goes out as
//! any other; until then nothing has happened that anybody pays for.

use crate::call::{Call, Door};
use crate::control::{CallId, IncomingCall};
use crate::edge::Edge;
use crate::g711::Codec;
use crate::leg::Leg;
use crate::live::Live;
use crate::party::{Signalled, fresh_session_id};
use crate::registrar::Binding;
use crate::sdp::{self, Encryption, Keys, LocalAudio};
use crate::session::{self, Session};
use crate::shared::Shared;
use crate::signalling::allow;
use rsipstack::dialog::invitation::InviteOption;
use rsipstack::sip::{self, StatusCodeKind};
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tracing::info;

/// A phone that was rung and picked up before its call goes out.
pub(crate) struct Up {
    pub(crate) session_id: u64,
    pub(crate) described: Vec<u8>,
    pub(crate) session: Session,
}

impl Edge {
    /// Rings the phone of `username`, which is shown the number; picked up, it dials it. `false` when the phone is not registered.
    pub fn dial(&self, username: &str, called: &str) -> bool {
        let Some(binding) = self.shared.registrar.find(username, Instant::now()) else { return false };
        if self.shared.draining.is_cancelled() {
            return false;
        }
        let (shared, username, called) = (self.shared.clone(), username.to_owned(), called.to_owned());
        self.runtime.spawn(async move {
            let abort = shared.abort.clone();
            tokio::select! {
                () = abort.cancelled() => {}
                rung = ring_own_phone(shared, binding, username, called) => if rung.is_none() {
                    info!("An agent's own phone was not picked up");
                }
            }
        });
        true
    }
}

/// `None` where the call did not begin.
async fn ring_own_phone(shared: Arc<Shared>, binding: Binding, username: String, called: String) -> Option<()> {
    let (leg, heard) = Leg::open(&shared.ports).await.ok()?;
    let session_id = fresh_session_id();
    let transport = binding.flow.as_ref().and_then(|flow| flow.r#type);
    let from = binding.flow.as_ref().and_then(|flow| flow.get_socketaddr().ok()).map(|flow| flow.ip());
    let keys = Keys::over(transport);
    let encryption = if keys == Keys::Taken { Encryption::Offered } else { Encryption::None };
    let ip = shared.config.advertised_ip;
    let local = LocalAudio { ip, port: leg.port(), session_id, version: 1, key: leg.key() };
    let described = sdp::offer(local, Codec::Pcmu, encryption);
    let mut shown = shared.contact(None).ok()?;
    shown.auth = Some(sip::Auth { user: called.clone(), password: None });
    let mut headers = session::wished(&shared.config.timing);
    headers.push(allow());
    let option = InviteOption {
        caller: shown,
        callee: binding.contact,
        contact: shared.contact(transport).ok()?,
        destination: binding.flow,
        content_type: Some("application/sdp".to_owned()),
        offer: Some(described.clone()),
        headers: Some(headers),
        ..InviteOption::default()
    };
    let (states_tx, states) = shared.dialogs.new_dialog_state_channel();
    let (dialog, answered) = shared.dialogs.do_invite_async(option, states_tx).ok()?;
    let Ok(answered) = timeout(shared.config.timing.agent_ring, answered).await else {
        // Its refusal shows in the phone's own log. Picked up in the last moment it is up, and CANCEL does nothing.
        let _ = dialog.cancel().await;
        if dialog.state().is_confirmed() {
            shared.say_farewell(dialog, None);
        }
        return None;
    };
    let response =
        answered.ok()?.ok()?.1.filter(|response| response.status_code.kind() == StatusCodeKind::Successful)?;
    let Some(remote) = sdp::parse(&response.body, keys) else {
        shared.say_farewell(dialog, Some("SIP;cause=488;text=\"no common codec\""));
        return None;
    };
    let session = Session::agreed(&response.headers, shared.config.timing.session, Instant::now());
    let call_id = CallId::now_v7();
    let sip_call_id = dialog.id().call_id.clone();
    let incoming = IncomingCall { call_id, sip_call_id, called, caller: None, received_at: shared.clock.now() };
    let (commands_tx, commands) = mpsc::unbounded_channel();
    let live = Arc::new(Mutex::new(Live::new(&incoming)));
    let Some(ticket) = shared.admit(call_id, commands_tx, live.clone()) else {
        shared.say_farewell(dialog, Some("Q.850;cause=42;text=\"at capacity\""));
        return None;
    };
    let (offer, signalling) = (Some(remote), Signalled { from, keys });
    let (dialler, up) = (Some(username), Some(Up { session_id, described, session }));
    let door = Door { shared, call_id, live, offer, leg, heard, commands, ticket, signalling, dialler, up };
    door.open(dialog, states, incoming).await;
    Some(())
}

impl Call {
    /// The phone has been picked up before the call goes out: it hears what there is to be heard.
    pub(crate) fn is_up(&mut self, up: Up) {
        (self.accepted, self.confirmed) = (true, true);
        self.caller.described = up.described;
        self.caller.session = Some(up.session);
        if let Some(remote) = &self.offer {
            self.caller.connect(remote);
        }
    }
}
