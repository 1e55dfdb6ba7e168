//! For the fuzz targets and the seeded test of the same: everything of ours that reads what a stranger sends. Whatever the
//! octets, none of it may panic.

use crate::digest::Claim;
use crate::rtp::Packet;
use crate::sdp::{self, Encryption, Keys, LocalAudio};
use crate::session::Session;
use crate::srtp::{Crypto, MasterKey, Receiver, Suite};
use crate::{Timing, dtmf, identity, registrar};
use chrono::DateTime;
use rsipstack::sip::{HeadersExt, Request, SipMessage};
use std::net::{IpAddr, Ipv4Addr};
use tokio::time::Instant;

/// Reads the octets as an SDP body, a body of INFO, a datagram of RTP and one of SRTP.
pub fn read_body(octets: &[u8]) {
    let local = LocalAudio {
        ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
        port: 4_000,
        session_id: 1,
        version: 1,
        key: MasterKey::fresh(),
    };
    for keys in [Keys::Taken, Keys::Ignored] {
        if let Some(remote) = sdp::parse(octets, keys) {
            let answer = sdp::answer(local, &remote);
            assert!(sdp::parse(&answer, keys).is_some(), "an answer of ours can be read");
        }
    }
    let offer = sdp::offer(local, crate::Codec::Pcmu, Encryption::Wanted);
    assert!(sdp::parse(&offer, Keys::Taken).is_some(), "an offer of ours can be read");
    dtmf::digit_of_info(octets);
    Packet::read(octets);
    let mut receiver = Receiver::new(Crypto { tag: 1, suite: Suite::Tag80, key: MasterKey::fresh() });
    receiver.open(&mut octets.to_vec());
    if let Ok(text) = std::str::from_utf8(octets) {
        Crypto::read(text);
        Claim::read(text);
    }
}

/// Reads the octets as a request, and of it all that the edge looks at.
pub fn read_request(octets: &[u8]) {
    let Ok(SipMessage::Request(request)) = SipMessage::try_from(octets) else { return };
    let Request { headers, body, .. } = &request;
    identity::is_malformed(&request);
    identity::required(&request);
    // What is refused here is answered; only a panic would be a fault.
    let _ = identity::incoming(crate::CallId::nil(), &request, DateTime::UNIX_EPOCH);
    let _ = registrar::read_wish(&request, &Timing::default().registration);
    let _ = Session::answering(headers, &Timing::default(), Instant::now());
    let _ = request.cseq_header().and_then(|cseq| cseq.seq());
    read_body(body);
}
