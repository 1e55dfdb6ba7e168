//! One side of a call: its dialog and its media, and the re-INVITEs it sends.

use crate::bans::{Guest, Offence};
use crate::call::sdp_headers;
use crate::config::EdgeConfig;
use crate::control::EndCause;
use crate::g711::Codec;
use crate::leg::Leg;
use crate::sdp::{self, Encryption, Keys, LocalAudio, RemoteAudio};
use crate::session::Session;
use crate::shared::Shared;
use rsipstack::dialog::dialog::{DialogStateReceiver, TransactionHandle};
use rsipstack::dialog::invite_dialog::InviteDialog;
use rsipstack::sip::{Header, HeadersExt, Method, Request, StatusCode};
use std::net::IpAddr;
use tokio::time::Instant;

pub(crate) struct Party {
    pub(crate) dialog: InviteDialog,
    pub(crate) states: DialogStateReceiver,
    pub(crate) leg: Leg,
    /// By its own wish; it hears nothing then.
    pub(crate) on_hold: bool,
    /// The number of a re-INVITE that has been answered and whose ACK has not come: another offer is answered 491.
    pub(crate) reinvited: Option<u32>,
    /// An offer of ours is on its way, which one of the peer's must not meet.
    pub(crate) offering: bool,
    /// What it was told last of our side.
    pub(crate) described: Vec<u8>,
    pub(crate) session: Option<Session>,
    /// Its hang-up is heard, whatever else its source does.
    pub(crate) guest: Option<Guest>,
    /// Our offer is in that answer; the peer's is in the ACK.
    awaits_answer: bool,
    signalling: Signalled,
    session_id: u64,
    version: u64,
}

/// How a side signals.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signalled {
    /// Where its requests come from.
    pub(crate) from: Option<IpAddr>,
    pub(crate) keys: Keys,
}

/// Who talks with the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// An agent, by the user name of the phone.
    Agent(String),
    /// Who was called by a call out, behind a carrier.
    Called,
}

pub(crate) struct Partner {
    pub(crate) who: Who,
    pub(crate) party: Party,
}

impl Partner {
    /// Why a call ends that this side has ended.
    pub(crate) fn hung_up(&self) -> EndCause {
        match self.who {
            Who::Agent(_) => EndCause::AgentHungUp,
            Who::Called => EndCause::CalledHungUp,
        }
    }
}

/// RFC 8866 5.2 wants a number, and some parsers want it to fit in 32 bits.
pub(crate) fn fresh_session_id() -> u64 {
    u64::from(rand::random::<u32>() >> 1)
}

/// What a re-INVITE or UPDATE did to a side.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    Unchanged,
    On,
    Off,
}

impl Party {
    pub(crate) fn new(
        dialog: InviteDialog,
        states: DialogStateReceiver,
        leg: Leg,
        signalling: Signalled,
        session_id: u64,
    ) -> Self {
        Self {
            dialog,
            states,
            leg,
            on_hold: false,
            reinvited: None,
            offering: false,
            described: Vec::new(),
            session: None,
            guest: None,
            awaits_answer: false,
            signalling,
            session_id,
            version: 1,
        }
    }

    pub(crate) fn local_audio(&self, ip: IpAddr) -> LocalAudio {
        let (session_id, version) = (self.session_id, self.version);
        LocalAudio { ip, port: self.leg.port(), session_id, version, key: self.leg.key() }
    }

    pub(crate) fn connect(&self, remote: &RemoteAudio) {
        self.leg.connect(remote, self.signalling.from);
    }

    pub(crate) fn offended(&self, shared: &Shared, offence: Offence) {
        if let Some(source) = self.signalling.from {
            shared.bans.offended(source, offence, Instant::now());
        }
    }

    /// A description of the peer's.
    pub(crate) fn read(&self, body: &[u8]) -> Option<RemoteAudio> {
        sdp::parse(body, self.signalling.keys)
    }

    /// Our offer when the peer wants one.
    pub(crate) fn offer(&self, ip: IpAddr) -> Vec<u8> {
        let encryption = match self.signalling.keys {
            Keys::Taken => Encryption::Offered,
            Keys::Ignored => Encryption::None,
        };
        sdp::offer(self.local_audio(ip), Codec::Pcmu, encryption)
    }

    /// The session of this side as a re-INVITE or UPDATE wants it; answers it in every case.
    pub(crate) async fn update(&mut self, request: &Request, handle: &TransactionHandle, config: &EdgeConfig) -> Hold {
        let is_invite = request.method == Method::Invite;
        let has_offer = is_invite || !request.body.is_empty();
        if has_offer && (self.reinvited.is_some() || self.offering) {
            return refuse(handle, StatusCode::RequestPending, Vec::new()).await;
        }
        let (session, mut headers) = match Session::answering(&request.headers, &config.timing, Instant::now()) {
            Ok(session) => session,
            Err(headers) => return refuse(handle, StatusCode::SessionIntervalTooSmall, headers).await,
        };
        let remote = if request.body.is_empty() { None } else { self.read(&request.body) };
        if remote.is_none() && !request.body.is_empty() {
            return refuse(handle, StatusCode::NotAcceptableHere, Vec::new()).await;
        }
        self.session = Some(session);
        if !has_offer {
            // A session refresh: nothing else changes.
            reply(handle, headers, None).await;
            return Hold::Unchanged;
        }
        self.version += 1;
        self.reinvited = request.cseq_header().and_then(|cseq| cseq.seq()).ok().filter(|_| is_invite);
        self.awaits_answer = remote.is_none();
        let ip = config.advertised_ip;
        let (hold, body) = match &remote {
            Some(remote) => (self.take(remote), sdp::answer(self.local_audio(ip), remote)),
            None => (Hold::Unchanged, self.offer(ip)),
        };
        self.described.clone_from(&body);
        headers.extend(sdp_headers());
        reply(handle, headers, Some(body)).await;
        hold
    }

    /// An ACK may have come: of a re-INVITE, or again of the INVITE.
    pub(crate) fn acknowledged(&mut self) -> Hold {
        let Some(reinvited) = self.reinvited else { return Hold::Unchanged };
        // The stack tells of a confirmation after other requests too; only this ACK ends the re-INVITE.
        let ack = self.dialog.last_remote_ack();
        let ack = ack.filter(|ack| ack.cseq_header().and_then(|cseq| cseq.seq()).is_ok_and(|seq| seq == reinvited));
        let Some(ack) = ack else { return Hold::Unchanged };
        self.reinvited = None;
        if !std::mem::take(&mut self.awaits_answer) {
            return Hold::Unchanged;
        }
        match self.read(&ack.body) {
            Some(remote) => self.take(&remote),
            None => Hold::Unchanged,
        }
    }

    /// What the peer has described now holds.
    pub(crate) fn take(&mut self, remote: &RemoteAudio) -> Hold {
        self.connect(remote);
        let on_hold = !remote.direction.receives();
        if on_hold == std::mem::replace(&mut self.on_hold, on_hold) {
            Hold::Unchanged
        } else if on_hold {
            Hold::On
        } else {
            Hold::Off
        }
    }
}

// The peer may have hung up meanwhile; there is nobody to tell then.
async fn reply(handle: &TransactionHandle, headers: Vec<Header>, body: Option<Vec<u8>>) {
    let _ = handle.respond(StatusCode::OK, Some(headers), body).await;
}

async fn refuse(handle: &TransactionHandle, status: StatusCode, headers: Vec<Header>) -> Hold {
    let _ = handle.respond(status, Some(headers), None).await;
    Hold::Unchanged
}
