//! Who may ask how often: token buckets per source or number, and a ban on failed registrations of one user.

use crate::config::RateLimit;
use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// Sources remembered at once; beyond that, those that are full again are forgotten.
const SOURCES_MAX: usize = 10_000;
const BAN: Duration = Duration::from_secs(300);

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

pub(crate) struct CallRate<K = IpAddr> {
    limit: RateLimit,
    buckets: Mutex<HashMap<K, (f64, Instant)>>,
}

impl<K: Hash + Eq> CallRate<K> {
    pub(crate) fn new(limit: RateLimit) -> Self {
        Self { limit, buckets: Mutex::default() }
    }

    /// Takes a token; `false` when there is none.
    pub(crate) fn allows(&self, source: K, now: Instant) -> bool {
        let (rate, burst) = (f64::from(self.limit.per_second), f64::from(self.limit.burst));
        let filled = |tokens: f64, at: Instant| (tokens + rate * now.duration_since(at).as_secs_f64()).min(burst);
        let mut buckets = lock(&self.buckets);
        if buckets.len() >= SOURCES_MAX {
            buckets.retain(|_, (tokens, at)| filled(*tokens, *at) < burst);
        }
        let (tokens, at) = buckets.entry(source).or_insert((burst, now));
        *tokens = filled(*tokens, *at);
        *at = now;
        if *tokens < 1.0 {
            return false;
        }
        *tokens -= 1.0;
        true
    }
}

/// Failed attempts of one user from one address.
pub(crate) struct Failures {
    allowed: u32,
    counts: Mutex<HashMap<(String, IpAddr), (u32, Instant)>>,
}

impl Failures {
    pub(crate) fn new(allowed: u32) -> Self {
        Self { allowed, counts: Mutex::default() }
    }

    pub(crate) fn banned(&self, username: &str, source: IpAddr, now: Instant) -> bool {
        let counts = lock(&self.counts);
        let Some((count, at)) = counts.get(&(username.to_owned(), source)) else { return false };
        *count >= self.allowed && now.duration_since(*at) < BAN
    }

    pub(crate) fn failed(&self, username: &str, source: IpAddr, now: Instant) {
        let mut counts = lock(&self.counts);
        if counts.len() >= SOURCES_MAX {
            counts.retain(|_, (_, at)| now.duration_since(*at) < BAN);
        }
        let (count, at) = counts.entry((username.to_owned(), source)).or_insert((0, now));
        if now.duration_since(*at) >= BAN {
            *count = 0;
        }
        (*count, *at) = (*count + 1, now);
    }

    pub(crate) fn succeeded(&self, username: &str, source: IpAddr) {
        lock(&self.counts).remove(&(username.to_owned(), source));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[tokio::test]
    async fn a_burst_is_allowed_and_then_the_rate() {
        let rate = CallRate::new(RateLimit { per_second: 2, burst: 3 });
        let start = Instant::now();
        let allowed = |seconds, tries: usize| {
            (0..tries).filter(|_| rate.allows(SOURCE, start + Duration::from_secs(seconds))).count()
        };
        assert_eq!([allowed(0, 10), allowed(1, 10), allowed(100, 10)], [3, 2, 3]);
    }

    #[tokio::test]
    async fn a_user_is_banned_at_one_address_for_five_minutes() {
        let failures = Failures::new(2);
        let start = Instant::now();
        failures.failed("amy", SOURCE, start);
        assert!(!failures.banned("amy", SOURCE, start));
        failures.failed("amy", SOURCE, start);
        assert!(failures.banned("amy", SOURCE, start));
        assert!(!failures.banned("bob", SOURCE, start));
        assert!(!failures.banned("amy", SOURCE, start + BAN));
    }
}
