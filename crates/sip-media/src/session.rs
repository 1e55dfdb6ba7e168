//! Session timers (RFC 4028): a side that has vanished without a BYE, on hold as well, is found out by a refresh that
//! nobody answers or that never comes. Pure; the call asks and acts. A peer that knows no timers is refreshed by us.

use crate::config::Timing;
use rsipstack::sip::{self, Header};
use std::time::Duration;
use tokio::time::Instant;

/// RFC 4028 10: how long before its end a session is given up that the peer should have refreshed, at most.
const LAST_CHANCE: Duration = Duration::from_secs(32);

/// The timer of one side of a call.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Session {
    interval: Duration,
    we_refresh: bool,
    /// The peer takes UPDATE, which needs no description; otherwise it is refreshed by a re-INVITE.
    pub(crate) by_update: bool,
    due: Instant,
    asking: bool,
}

/// What is due.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Refresh,
    /// The peer has not refreshed the session in time.
    Expired,
}

/// What a message says of timers.
struct Said {
    interval: Option<Duration>,
    refresher: Option<String>,
    shortest: Duration,
    knows_timer: bool,
    knows_update: bool,
}

fn seconds(text: &str) -> Option<Duration> {
    text.split(';').next()?.trim().parse::<u32>().ok().map(|seconds| Duration::from_secs(u64::from(seconds)))
}

fn lists(value: &str, wanted: &str) -> bool {
    value.split(',').any(|word| word.trim().eq_ignore_ascii_case(wanted))
}

fn said(headers: &sip::Headers) -> Said {
    let mut said =
        Said { interval: None, refresher: None, shortest: Duration::ZERO, knows_timer: false, knows_update: false };
    for header in headers.iter() {
        match header {
            Header::SessionExpires(value) => {
                said.interval = seconds(value.value());
                let parameters = value.value().split(';').skip(1);
                let named = parameters.filter_map(|parameter| parameter.split_once('='));
                let refresher = named.filter(|(name, _)| name.trim().eq_ignore_ascii_case("refresher"));
                said.refresher = refresher.map(|(_, who)| who.trim().to_ascii_lowercase()).next();
            }
            Header::MinSE(value) => said.shortest = seconds(value.value()).unwrap_or_default(),
            Header::Supported(value) => said.knows_timer |= lists(value.value(), "timer"),
            Header::Require(value) => said.knows_timer |= lists(value.value(), "timer"),
            Header::Allow(value) => said.knows_update |= lists(value.value(), "UPDATE"),
            _ => {}
        }
    }
    said
}

fn expires(interval: Duration, refresher: &str) -> Header {
    Header::SessionExpires(sip::SessionExpires::new(format!("{};refresher={refresher}", interval.as_secs())))
}

pub(crate) fn supported() -> Header {
    Header::Supported(sip::Supported::new("timer"))
}

/// For a first INVITE of ours: we refresh.
pub(crate) fn wished(timing: &Timing) -> Vec<Header> {
    vec![expires(timing.session, "uac"), supported()]
}

impl Session {
    /// Answers a request that begins or refreshes a session: the timer, and what the 200 says of it.
    ///
    /// # Errors
    /// The interval asked for is shorter than ours: answer 422 with these headers.
    pub(crate) fn answering(
        headers: &sip::Headers,
        timing: &Timing,
        now: Instant,
    ) -> Result<(Self, Vec<Header>), Vec<Header>> {
        let said = said(headers);
        if said.knows_timer && said.interval.is_some_and(|interval| interval < timing.session_shortest) {
            let shortest = timing.session_shortest.as_secs().to_string();
            return Err(vec![Header::MinSE(sip::MinSE::new(shortest)), supported()]);
        }
        let wished = said.interval.unwrap_or(timing.session).min(timing.session);
        let interval = wished.max(said.shortest).max(timing.session_shortest);
        let peer_refreshes = said.knows_timer
            && said.interval.is_some()
            && said.refresher.as_deref().is_none_or(|refresher| refresher == "uac");
        let mut answer = vec![expires(interval, if peer_refreshes { "uac" } else { "uas" }), supported()];
        if peer_refreshes {
            answer.push(Header::Require(sip::Require::new("timer")));
        }
        Ok((Self::begun(interval, !peer_refreshes, said.knows_update, now), answer))
    }

    /// The timer that the peer's 200 to a request of ours has agreed to; `asked` was in the request.
    pub(crate) fn agreed(headers: &sip::Headers, asked: Duration, now: Instant) -> Self {
        let said = said(headers);
        let peer_refreshes = said.interval.is_some() && said.refresher.as_deref() == Some("uas");
        Self::begun(said.interval.unwrap_or(asked), !peer_refreshes, said.knows_update, now)
    }

    fn begun(interval: Duration, we_refresh: bool, by_update: bool, now: Instant) -> Self {
        let wait = if we_refresh { interval / 2 } else { interval - LAST_CHANCE.min(interval / 3) };
        Self { interval, we_refresh, by_update, due: now + wait, asking: false }
    }

    /// When something is due; `None` while an answer to our refresh is awaited.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        Some(self.due).filter(|_| !self.asking)
    }

    /// What is due now; a refresh is due once.
    pub(crate) fn due(&mut self, now: Instant) -> Option<Due> {
        if self.wake_at().is_none_or(|due| due > now) {
            return None;
        }
        if !self.we_refresh {
            return Some(Due::Expired);
        }
        self.asking = true;
        Some(Due::Refresh)
    }

    /// What our refresh says.
    pub(crate) fn refresh(&self) -> Vec<Header> {
        vec![expires(self.interval, "uac"), supported()]
    }

    /// The refresh was answered 2xx.
    pub(crate) fn refreshed(&mut self, headers: &sip::Headers, now: Instant) {
        let by_update = self.by_update;
        *self = Self::agreed(headers, self.interval, now);
        // A 200 need not repeat what its sender allows.
        self.by_update |= by_update;
    }

    /// The refresh was refused: again, by a re-INVITE if UPDATE is unknown, with a longer interval if that is wished.
    pub(crate) fn refused(&mut self, headers: &sip::Headers, status: u16, again: Duration, now: Instant) {
        if status == 422 {
            self.interval = self.interval.max(said(headers).shortest);
        }
        self.by_update &= !matches!(status, 405 | 501);
        (self.asking, self.due) = (false, now + again);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&str, &str)]) -> sip::Headers {
        let mut headers = sip::Headers::default();
        for (name, value) in lines {
            headers.push(sip::headers::make_header(name, (*value).to_owned()));
        }
        headers
    }

    fn told(answer: &[Header]) -> Vec<String> {
        answer.iter().map(ToString::to_string).collect()
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn who_asks_for_a_timer_refreshes_it_itself_unless_it_wants_us_to() {
        let now = Instant::now();
        let timing = Timing::default();
        for (asked, refresher) in
            [("1200", "uac"), ("1200;refresher=uac", "uac"), ("1200 ; refresher=UAS", "uas"), ("7200", "uac")]
        {
            let headers = headers(&[("k", "100rel, timer"), ("x", asked)]);
            let (session, answer) = Session::answering(&headers, &timing, now).unwrap();
            let seconds = if asked == "7200" { 1800 } else { 1200 };
            assert_eq!(told(&answer)[0], format!("Session-Expires: {seconds};refresher={refresher}"), "{asked}");
            assert_eq!(told(&answer).contains(&"Require: timer".to_owned()), refresher == "uac", "{asked}");
            assert_eq!(session.we_refresh, refresher == "uas", "{asked}");
        }
    }

    #[tokio::test]
    async fn who_knows_no_timers_is_refreshed_by_us_at_half_time() {
        let now = Instant::now();
        let (mut session, answer) =
            Session::answering(&headers(&[("Allow", "INVITE, UPDATE")]), &Timing::default(), now).unwrap();
        assert_eq!(told(&answer), ["Session-Expires: 1800;refresher=uas", "Supported: timer"]);
        assert!(session.by_update);
        assert_eq!(session.due(now + SECOND * 899), None);
        assert_eq!(session.due(now + SECOND * 900), Some(Due::Refresh));
        assert_eq!(session.due(now + SECOND * 900), None, "asked once");
        session.refused(&headers(&[("Min-SE", "2000")]), 422, SECOND, now + SECOND * 901);
        assert_eq!(session.due(now + SECOND * 902), Some(Due::Refresh));
        assert_eq!(told(&session.refresh())[0], "Session-Expires: 2000;refresher=uac");
        session.refused(&headers(&[]), 501, SECOND, now + SECOND * 903);
        assert!(!session.by_update, "the next is a re-INVITE");
    }

    #[tokio::test]
    async fn a_session_its_peer_does_not_refresh_expires_shortly_before_its_end() {
        let now = Instant::now();
        let wish = headers(&[("Supported", "timer"), ("Session-Expires", "90")]);
        let (mut session, _) = Session::answering(&wish, &Timing::default(), now).unwrap();
        // 90 s - 30 s: a third of the interval, which is less than 32 s.
        assert_eq!(session.due(now + SECOND * 59), None);
        assert_eq!(session.due(now + SECOND * 60), Some(Due::Expired));
    }

    #[tokio::test]
    async fn too_short_an_interval_is_refused_to_those_who_understand() {
        let (now, timing) = (Instant::now(), Timing::default());
        let brief = [("Session-Expires", "30")];
        let refusal = Session::answering(&headers(&[brief[0], ("Supported", "timer")]), &timing, now).unwrap_err();
        assert_eq!(told(&refusal), ["Min-SE: 90", "Supported: timer"]);
        let (session, _) = Session::answering(&headers(&brief), &timing, now).unwrap();
        assert_eq!(session.interval, SECOND * 90, "a proxy put it there; its sender cannot be told");
    }
}
