//! Keeps the sessions of both sides alive (RFC 4028), and ends the call of a side that is not there any more.

use crate::call::{Call, End, Outcome, sdp_headers};
use crate::control::EndCause;
use crate::inbox::Side;
use crate::session::Due;
use rsipstack::sip::Response;
use std::time::Duration;
use tokio::time::Instant;
use tracing::info;

/// After 491, RFC 3261 14.1 wants 2.1 to 4 s of the one who made the Call-ID and less of the other: one pause does for both.
const AGAIN: Duration = Duration::from_millis(2_500);

/// The answer to a refresh; `None` when there was none.
pub(crate) struct Refreshed {
    pub(crate) side: Side,
    pub(crate) by_reinvite: bool,
    pub(crate) response: Option<Response>,
}

impl Call {
    /// When a session needs attention next.
    pub(crate) fn session_at(&self) -> Option<Instant> {
        let partner = self.partner.as_ref().map(|partner| &partner.party);
        let parties = Some(&self.caller).into_iter().chain(partner);
        parties.filter_map(|party| party.session.as_ref()?.wake_at()).min()
    }

    pub(crate) fn session_due(&mut self) -> Outcome<()> {
        let now = Instant::now();
        for side in [Side::Caller, Side::Partner] {
            let due = self.party(side).and_then(|party| party.session.as_mut()?.due(now));
            match due {
                Some(Due::Expired) => return Err(End::with(EndCause::SessionExpired, 408)),
                Some(Due::Refresh) => self.send_refresh(side),
                None => {}
            }
        }
        Ok(())
    }

    fn send_refresh(&mut self, side: Side) {
        let refreshes = self.refreshes_tx.clone();
        let Some(party) = self.party(side) else { return };
        let Some(session) = &party.session else { return };
        let mut headers = session.refresh();
        // While the peer's re-INVITE is not acknowledged, ours would meet it.
        let by_reinvite = !session.by_update;
        let (dialog, description) = (party.dialog.clone(), party.described.clone());
        if by_reinvite && party.reinvited.is_some() {
            if let Some(session) = &mut party.session {
                session.refused(&Default::default(), 491, AGAIN, Instant::now());
            }
            return;
        }
        party.offering = by_reinvite;
        tokio::spawn(async move {
            let sent = if by_reinvite {
                headers.extend(sdp_headers());
                dialog.reinvite(Some(headers), Some(description)).await
            } else {
                dialog.update(Some(headers), None).await
            };
            // The call may have ended meanwhile.
            let _ = refreshes.send(Refreshed { side, by_reinvite, response: sent.ok().flatten() });
        });
    }

    pub(crate) async fn refreshed(&mut self, refreshed: Refreshed) -> Outcome<()> {
        let Refreshed { side, by_reinvite, response } = refreshed;
        let Some(party) = self.party(side) else { return Ok(()) };
        party.offering = false;
        let status = response.as_ref().map_or(408, |response| response.status_code.code());
        if matches!(status, 408 | 481) {
            info!(status, "A side does not know of the call any more");
            return Err(End::with(EndCause::SessionExpired, 408));
        }
        let Some((response, session)) = response.as_ref().zip(party.session.as_mut()) else { return Ok(()) };
        if !(200..300).contains(&status) {
            session.refused(&response.headers, status, AGAIN, Instant::now());
            return Ok(());
        }
        session.refreshed(&response.headers, Instant::now());
        match party.read(&response.body).filter(|_| by_reinvite) {
            Some(remote) => {
                let hold = party.take(&remote);
                self.held(side, &hold).await
            }
            None => Ok(()),
        }
    }
}
