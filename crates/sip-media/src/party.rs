//! One side of a call: its dialog and its media, and the re-INVITEs it sends.

use crate::call::sdp_headers;
use crate::g711::Codec;
use crate::leg::Leg;
use crate::sdp::{self, LocalAudio, RemoteAudio};
use rsipstack::dialog::dialog::{DialogStateReceiver, TransactionHandle};
use rsipstack::dialog::invite_dialog::InviteDialog;
use rsipstack::sip::{Method, Request, StatusCode};
use std::net::IpAddr;

pub(crate) struct Party {
    pub(crate) dialog: InviteDialog,
    pub(crate) states: DialogStateReceiver,
    pub(crate) leg: Leg,
    /// By its own wish; it hears nothing then.
    pub(crate) on_hold: bool,
    /// A re-INVITE has been answered and its ACK has not come: another is answered 491.
    pub(crate) offer_pending: bool,
    /// Our offer is in that answer; the peer's is in the ACK.
    awaits_answer: bool,
    signalling: Option<IpAddr>,
    session_id: u64,
    version: u64,
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
        signalling: Option<IpAddr>,
        session_id: u64,
    ) -> Self {
        let (on_hold, offer_pending, awaits_answer, version) = (false, false, false, 1);
        Self { dialog, states, leg, on_hold, offer_pending, awaits_answer, signalling, session_id, version }
    }

    pub(crate) fn local_audio(&self, ip: IpAddr) -> LocalAudio {
        LocalAudio { ip, port: self.leg.port(), session_id: self.session_id, version: self.version }
    }

    pub(crate) fn connect(&self, remote: &RemoteAudio) {
        self.leg.connect(remote, self.signalling);
    }

    /// The session of this side as a re-INVITE or UPDATE wants it; answers it in every case.
    pub(crate) async fn update(&mut self, request: &Request, handle: &TransactionHandle, ip: IpAddr) -> Hold {
        let is_invite = request.method == Method::Invite;
        if is_invite && self.offer_pending {
            return self.reply(handle, StatusCode::RequestPending, None).await;
        }
        if request.body.is_empty() {
            if !is_invite {
                // A session refresh: nothing changes.
                return self.reply(handle, StatusCode::OK, None).await;
            }
            self.version += 1;
            (self.offer_pending, self.awaits_answer) = (true, true);
            let offer = sdp::offer(self.local_audio(ip), Codec::Pcmu);
            return self.reply(handle, StatusCode::OK, Some(offer)).await;
        }
        let Some(remote) = sdp::parse(&request.body) else {
            return self.reply(handle, StatusCode::NotAcceptableHere, None).await;
        };
        self.version += 1;
        self.offer_pending = is_invite;
        let hold = self.take(&remote);
        let answer = sdp::answer(self.local_audio(ip), &remote);
        self.reply(handle, StatusCode::OK, Some(answer)).await;
        hold
    }

    /// The ACK of a re-INVITE has come.
    pub(crate) fn acknowledged(&mut self) -> Hold {
        self.offer_pending = false;
        if !std::mem::take(&mut self.awaits_answer) {
            return Hold::Unchanged;
        }
        match self.dialog.last_remote_ack().and_then(|ack| sdp::parse(&ack.body)) {
            Some(remote) => self.take(&remote),
            None => Hold::Unchanged,
        }
    }

    fn take(&mut self, remote: &RemoteAudio) -> Hold {
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

    async fn reply(&self, handle: &TransactionHandle, status: StatusCode, body: Option<Vec<u8>>) -> Hold {
        let headers = body.is_some().then(sdp_headers);
        // The peer may have hung up meanwhile; there is nobody to tell then.
        let _ = handle.respond(status, headers, body).await;
        Hold::Unchanged
    }
}
