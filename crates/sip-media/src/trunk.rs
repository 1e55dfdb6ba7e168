//! Ringing a carrier: where it is, what it is told of the caller, what its answers mean, and what the phone hears meanwhile.

use crate::call::{Call, Outcome, sdp_headers};
use crate::control::{ShownAs, Trunk, TrunkTransport};
use crate::inbox::Input;
use crate::leg::Leg;
use crate::party::{Partner, Party, Signalled, Who, fresh_session_id};
use crate::prompt::Clip;
use crate::sdp::{self, Encryption, Keys, RemoteAudio};
use crate::session::Session;
use rsipstack::dialog::authenticate::Credential;
use rsipstack::dialog::dialog::DialogState;
use rsipstack::dialog::invitation::InviteOption;
use rsipstack::sip::{self, Header, Response, StatusCodeKind};
use rsipstack::transport::SipAddr;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::time::{Instant, timeout};
use tracing::{info, warn};

/// How long a name server may take.
const NAMED_WITHIN: Duration = Duration::from_secs(3);

/// How giving a call to a carrier came out.
pub(crate) enum Rung {
    /// It is `partner` now.
    Answered,
    /// Who was called said no, or nobody came: another carrier would hear the same.
    Refused(u16),
    /// This carrier does not get there: another one may.
    Failed(String),
}

/// What the phone has been told.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Told {
    Nothing,
    Ringing,
    /// It hears what the carrier plays.
    Early,
}

impl Trunk {
    fn transport(&self) -> sip::Transport {
        match self.transport {
            TrunkTransport::Udp => sip::Transport::Udp,
            TrunkTransport::Tcp => sip::Transport::Tcp,
            TrunkTransport::Tls => sip::Transport::Tls,
        }
    }

    /// Host and port as in an address.
    fn authority(&self) -> String {
        match self.host.parse() {
            Ok(IpAddr::V6(ip)) => format!("[{ip}]:{}", self.port),
            _ => format!("{}:{}", self.host, self.port),
        }
    }

    async fn address(&self, own: IpAddr) -> Option<SocketAddr> {
        let found = timeout(NAMED_WITHIN, tokio::net::lookup_host((self.host.as_str(), self.port))).await;
        let mut addresses = found.ok()?.ok()?;
        // One socket speaks one family.
        addresses.find(|address| address.is_ipv4() == own.is_ipv4())
    }

    /// Everything of the INVITE but its description.
    fn invitation(&self, address: SocketAddr, own: SocketAddr) -> Option<InviteOption> {
        let uri = |text: String| sip::Uri::try_from(text.as_str()).ok();
        let transport = match self.transport {
            TrunkTransport::Udp => "",
            TrunkTransport::Tcp => ";transport=tcp",
            TrunkTransport::Tls => ";transport=tls",
        };
        let callee = uri(format!("sip:{}@{}{transport}", self.called, self.authority()))?;
        let account = self.login.as_ref().filter(|_| self.shown_as == ShownAs::Account);
        let caller = match account {
            Some(login) => uri(format!("sip:{}@{}", login.username, self.authority()))?,
            None => uri(format!("sip:{}@{own}", self.shown))?,
        };
        let asserted = format!("<sip:{}@{own}>", self.shown);
        let headers = match self.shown_as {
            ShownAs::From => Vec::new(),
            ShownAs::Asserted | ShownAs::Account => {
                vec![Header::PAssertedIdentity(sip::headers::PAssertedIdentity::new(asserted))]
            }
        };
        // A certificate is of a name, and the stack takes it from here.
        let place = match self.transport {
            TrunkTransport::Tls => sip::HostWithPort::try_from(self.authority().as_str()).ok()?,
            _ => address.into(),
        };
        let credential = self.login.as_ref().map(|login| Credential {
            username: login.username.clone(),
            password: login.password.clone(),
            realm: None,
            auth_username: None,
        });
        Some(InviteOption {
            caller,
            callee,
            destination: Some(SipAddr { r#type: Some(self.transport()), addr: place }),
            credential,
            headers: Some(headers),
            ..InviteOption::default()
        })
    }
}

/// What a final answer means. Failed is what tells of the carrier and not of who was called: it does not know us or has no
/// credit of ours (401, 402, 407: RFC 3261 21.4.2, .3, .8), did not get an answer in time (408), wants no more calls now
/// (429), or has erred itself (5xx: RFC 3261 21.5 "failure responses given when a server itself has erred"; RFC 3398 7.2.4.1
/// makes these of what a network cannot do: 34, 38, 41, 42 and 47 become 503 and 500, 27 becomes 502, 102 becomes 504).
/// All else is of the called number (404, 410 and 484 are causes 1, 22 and 28; 480 is 18 to 20, 486 is 17) or of this request
/// wherever it goes (403, which "SHOULD NOT be repeated", 488), and a 6xx is definitive by its own words (21.6).
fn meaning(status: u16) -> Rung {
    match status {
        401 | 402 | 407 | 408 | 429 | 500..=599 => Rung::Failed(status.to_string()),
        // Redirections are not followed: they would lead to an address that nobody has agreed to pay for.
        300..=399 => Rung::Failed(status.to_string()),
        _ => Rung::Refused(status),
    }
}

impl Call {
    /// Gives the call to a carrier and waits for its final answer. Nothing is metered.
    pub(crate) async fn ring_trunk(&mut self, trunk: &Trunk) -> Outcome<Rung> {
        let failed = |what: &str| Ok(Rung::Failed(what.to_owned()));
        let Some(address) = trunk.address(self.shared.config.advertised_ip).await else {
            return failed("its name is not known");
        };
        let Ok((leg, _)) = Leg::open(&self.shared.ports).await else {
            warn!("No RTP port is free for a call out");
            return Ok(Rung::Refused(503));
        };
        let own = SocketAddr::new(self.shared.config.advertised_ip, self.shared.address.port());
        let keys = Keys::over(Some(trunk.transport()));
        let encryption = if keys == Keys::Taken { Encryption::Offered } else { Encryption::None };
        let session_id = fresh_session_id();
        let Some(option) = trunk.invitation(address, own) else { return failed("its address is none") };
        let sent = self.send_invite(option, Some(trunk.transport()), &leg, session_id, encryption);
        let Some((states, described)) = sent else { return failed("no INVITE could be made") };
        self.progress = Some(states);
        let signalled = Signalled { from: Some(address.ip()), keys };
        let mut early = None;
        let response = match self.await_answer(&leg, signalled, &mut early).await? {
            Ok(response) => response,
            Err(rung) => return Ok(rung),
        };
        let (Some(dialog), Some(states)) = (self.ringing.take(), self.progress.take()) else {
            return failed("it went away");
        };
        let mut party = Party::new(dialog, states, leg, signalled, session_id);
        // A carrier may leave out of its 200 what its 183 has said.
        let Some(remote) = party.read(&response.body).or(early) else {
            self.shared.say_farewell(party.dialog, Some("SIP;cause=488;text=\"no common codec\""));
            return Ok(Rung::Refused(488));
        };
        let asked = self.shared.config.timing.session;
        party.session = Some(Session::agreed(&response.headers, asked, Instant::now()));
        party.described = described;
        party.guest = Some(self.shared.bans.in_call(address.ip()));
        party.connect(&remote);
        self.partner = Some(Partner { who: Who::Called, party });
        Ok(Rung::Answered)
    }

    /// Waits as long as it makes sense, telling the phone how the carrier gets on.
    async fn await_answer(
        &mut self,
        leg: &Leg,
        signalled: Signalled,
        early: &mut Option<RemoteAudio>,
    ) -> Outcome<Result<Response, Rung>> {
        let timing = self.shared.config.timing.clone();
        let (mut until, mut told) = (Instant::now() + timing.carrier_silent, Told::Nothing);
        let rings_until = Instant::now() + timing.carrier_ring;
        let response = loop {
            match self.next(Some(until)).await? {
                Input::Answered(response) => break response,
                Input::Progress(DialogState::Trying(_)) if told == Told::Nothing => {
                    until = Instant::now() + timing.carrier_trying;
                }
                Input::Progress(DialogState::Early(_, response)) => {
                    until = rings_until;
                    if let Some(remote) = sdp::parse(&response.body, signalled.keys) {
                        leg.connect(&remote, signalled.from);
                        *early = Some(remote);
                    }
                    told = self.tell_phone(leg, early.is_some(), told);
                }
                Input::Deadline => {
                    self.stop_ringing();
                    // Nobody came to the phone: RFC 3261 21.4.18.
                    let rung = if told == Told::Nothing { Rung::Failed("timeout".into()) } else { Rung::Refused(480) };
                    return Ok(Err(rung));
                }
                _ => {}
            }
        };
        let Some(response) = response else {
            // A 200 that the stack cannot use is a call all the same, for the carrier.
            self.stop_ringing();
            return Ok(Err(Rung::Failed("no connection".into())));
        };
        if response.status_code.kind() == StatusCodeKind::Successful {
            return Ok(Ok(response));
        }
        (self.ringing, self.progress) = (None, None);
        info!(status = response.status_code.code(), "A carrier said no");
        Ok(Err(meaning(response.status_code.code())))
    }

    /// 180, or 183 when the carrier plays something itself; each once.
    fn tell_phone(&self, leg: &Leg, plays: bool, told: Told) -> Told {
        let (wish, headers, body) = match &self.offer {
            Some(offer) if plays => {
                let body = sdp::answer(self.local_audio(), offer);
                (Told::Early, Some(sdp_headers()), Some(body))
            }
            _ => (Told::Ringing, None, None),
        };
        if told >= wish {
            return told;
        }
        if let Some(offer) = self.offer.as_ref().filter(|_| wish == Told::Early) {
            self.caller.connect(offer);
            self.caller.leg.bridge(leg);
        }
        if wish == Told::Ringing && self.accepted {
            // There is no 180 for a phone that is up: it hears the tone.
            self.caller.leg.set_background(Some(Clip::ringing()));
        }
        // The phone may have given up meanwhile, which its dialog tells.
        let _ = self.caller.dialog.ringing(headers, body);
        wish
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tells_of_the_carrier_leads_to_the_next_and_what_tells_of_the_called_ends_the_call() {
        for status in [302, 401, 402, 407, 408, 429, 500, 502, 503, 504] {
            assert!(matches!(meaning(status), Rung::Failed(_)), "{status}");
        }
        for status in [403, 404, 410, 480, 484, 486, 487, 488, 600, 603, 604] {
            assert!(matches!(meaning(status), Rung::Refused(same) if same == status), "{status}");
        }
    }
}
