//! The meter of one call: how long it has run, how long it may, and what is due when. Pure; the call asks and acts.
//! Invariant: the metered time is never above the authorised time.

use crate::config::Timing;
use crate::control::Grant;
use std::time::Duration;
use tokio::time::Instant;

/// The shortest time between two renewals.
const RENEWAL_GAP: Duration = Duration::from_millis(250);

/// What is due, the most pressing first.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// The authorised time is used up.
    Cut,
    /// Ask for more.
    Renew,
    /// Warn the caller.
    Announce {
        seconds_left: u32,
    },
    Heartbeat,
}

pub(crate) struct Meter {
    started: Instant,
    grant: Grant,
    heartbeat: Duration,
    warn_at_seconds: Vec<u32>,
    next_heartbeat: Duration,
    next_renewal: Option<Duration>,
    /// Announcements due before this metered time are past.
    warned_until: Duration,
}

impl Meter {
    pub(crate) fn start(grant: Grant, timing: &Timing, now: Instant) -> Self {
        let mut meter = Self {
            started: now,
            grant,
            heartbeat: timing.heartbeat,
            warn_at_seconds: timing.low_balance_seconds.clone(),
            next_heartbeat: timing.heartbeat,
            next_renewal: None,
            warned_until: Duration::ZERO,
        };
        meter.schedule_renewal();
        meter
    }

    pub(crate) fn grant(&self) -> Grant {
        self.grant
    }

    fn authorised(&self) -> Option<Duration> {
        self.grant.authorised_seconds.map(|seconds| Duration::from_secs(u64::from(seconds)))
    }

    /// When the authorised time is used up.
    pub(crate) fn cut_at(&self) -> Option<Instant> {
        self.authorised().map(|authorised| self.started + authorised)
    }

    /// Metered time at `now`.
    pub(crate) fn metered(&self, now: Instant) -> Duration {
        let run = now.saturating_duration_since(self.started);
        self.authorised().map_or(run, |authorised| run.min(authorised))
    }

    /// A new grant takes effect. `true` when it differs from the one before.
    pub(crate) fn renew(&mut self, grant: Grant, now: Instant) -> bool {
        let changed = grant != self.grant;
        if changed && self.grant.authorised_seconds != grant.authorised_seconds {
            // A mark that passed under the old end is not a mark of the new one.
            self.warned_until = self.metered(now);
        }
        self.grant = grant;
        self.schedule_renewal();
        // A grant to be renewed at once, again and again, must not become a storm of questions.
        self.next_renewal = self.next_renewal.map(|at| at.max(self.metered(now) + RENEWAL_GAP));
        changed
    }

    fn schedule_renewal(&mut self) {
        let asks = !self.grant.is_final && self.grant.authorised_seconds.is_some();
        self.next_renewal = asks.then(|| Duration::from_secs(u64::from(self.grant.renew_at_second)));
    }

    /// No answer to a renewal came: ask again later.
    pub(crate) fn retry_renewal(&mut self, pause: Duration, now: Instant) {
        self.next_renewal = Some(self.metered(now) + pause);
    }

    /// The next announcement: metered time, and seconds then left.
    fn announcement(&self) -> Option<(Duration, u32)> {
        let authorised = self.grant.authorised_seconds.filter(|_| self.grant.is_final)?;
        self.warn_at_seconds
            .iter()
            .filter_map(|left| Some((Duration::from_secs(u64::from(authorised.checked_sub(*left)?)), *left)))
            .filter(|(at, _)| *at > self.warned_until)
            .min()
    }

    /// When [`Meter::due`] next has something.
    pub(crate) fn wake_at(&self) -> Instant {
        [self.authorised(), self.next_renewal, self.announcement().map(|(at, _)| at)]
            .into_iter()
            .flatten()
            .fold(self.started + self.next_heartbeat, |earliest, at| earliest.min(self.started + at))
    }

    /// What is due at `now`; each thing is due once.
    pub(crate) fn due(&mut self, now: Instant) -> Option<Due> {
        let run = now.saturating_duration_since(self.started);
        if self.authorised().is_some_and(|authorised| run >= authorised) {
            return Some(Due::Cut);
        }
        if self.next_renewal.is_some_and(|at| run >= at) {
            self.next_renewal = None;
            return Some(Due::Renew);
        }
        if let Some((at, seconds_left)) = self.announcement().filter(|(at, _)| run >= *at) {
            self.warned_until = at;
            return Some(Due::Announce { seconds_left });
        }
        if run >= self.next_heartbeat {
            self.next_heartbeat += self.heartbeat;
            return Some(Due::Heartbeat);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(authorised: Option<u32>, renew_at_second: u32, is_final: bool) -> Grant {
        Grant { authorised_seconds: authorised, renew_at_second, is_final }
    }

    /// Everything due within `seconds`, in tenths of a second, without answering renewals.
    fn run(meter: &mut Meter, start: Instant, seconds: u64) -> Vec<(u64, Due)> {
        let mut happened = Vec::new();
        for tenth in 0..=seconds * 10 {
            let now = start + Duration::from_millis(tenth * 100);
            while let Some(due) = meter.due(now) {
                let cut = due == Due::Cut;
                happened.push((tenth, due));
                if cut {
                    return happened;
                }
            }
        }
        happened
    }

    #[tokio::test]
    async fn a_grant_that_is_not_renewed_ends_at_its_last_second() {
        let start = Instant::now();
        let mut meter = Meter::start(grant(Some(25), 20, false), &Timing::default(), start);
        use Due::*;
        assert_eq!(run(&mut meter, start, 60), [(100, Heartbeat), (200, Renew), (200, Heartbeat), (250, Cut)]);
        assert_eq!(meter.metered(start + Duration::from_secs(40)), Duration::from_secs(25));
    }

    #[tokio::test]
    async fn a_final_end_is_announced_sixty_and_twenty_seconds_before() {
        let start = Instant::now();
        let timing = Timing { heartbeat: Duration::from_secs(1_000), ..Timing::default() };
        let mut meter = Meter::start(grant(Some(100), 0, true), &timing, start);
        use Due::*;
        let expected = [(400, Announce { seconds_left: 60 }), (800, Announce { seconds_left: 20 }), (1000, Cut)];
        assert_eq!(run(&mut meter, start, 200), expected);
    }

    #[tokio::test]
    async fn a_top_up_moves_the_end_and_its_announcements() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let timing = Timing { heartbeat: Duration::from_secs(1_000), ..Timing::default() };
        let mut meter = Meter::start(grant(Some(100), 0, true), &timing, start);
        assert_eq!(meter.due(at(40)), Some(Due::Announce { seconds_left: 60 }));
        assert!(meter.renew(grant(Some(160), 0, true), at(50)));
        // 160 - 60 = 100 is the next mark; the old end at 100 is none any more.
        assert_eq!(meter.wake_at(), at(100));
        assert_eq!(meter.due(at(99)), None);
        assert_eq!(meter.due(at(100)), Some(Due::Announce { seconds_left: 60 }));
        assert!(!meter.renew(grant(Some(160), 0, true), at(101)), "the same grant is no news");
    }

    #[tokio::test]
    async fn an_unlimited_grant_only_beats() {
        let start = Instant::now();
        let mut meter = Meter::start(grant(None, 0, false), &Timing::default(), start);
        assert_eq!(run(&mut meter, start, 25), [(100, Due::Heartbeat), (200, Due::Heartbeat)]);
    }
}
