//! How many requests a key may make: a bucket of tokens each, refilled as time goes by. In this process only.

use chrono::{DateTime, Utc};
use db::ApiKeyId;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Requests that a key may make at once.
pub const BURST: i64 = 200;
/// Requests a second that it may go on making.
pub const PER_SECOND: i64 = 50;
/// The same of requests that bring events: a switch may send each call's by itself. How many events wait has its own limit.
pub const EVENTS_BURST: i64 = 2_000;
pub const EVENTS_PER_SECOND: i64 = 500;
/// A full bucket says nothing: it is forgotten when there are this many.
const BUCKETS_MAX: usize = 10_000;

/// The buckets of all keys.
pub struct Limits {
    buckets: Mutex<HashMap<ApiKeyId, Bucket>>,
    burst: i64,
    micros_per_token: i64,
}

/// What is missing in a bucket, in microseconds of refilling.
struct Bucket {
    missing_micros: i64,
    at: DateTime<Utc>,
}

impl Bucket {
    fn missing_at(&self, now: DateTime<Utc>) -> i64 {
        let elapsed = (now - self.at).num_microseconds().unwrap_or(i64::MAX).max(0);
        self.missing_micros.saturating_sub(elapsed).max(0)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::new(BURST, PER_SECOND)
    }
}

impl Limits {
    /// So many at once, and so many a second.
    pub fn new(burst: i64, per_second: i64) -> Self {
        Self { buckets: Mutex::default(), burst, micros_per_token: 1_000_000 / per_second }
    }

    /// Takes one token; otherwise how many whole seconds to wait for the next.
    pub fn take(&self, key: ApiKeyId, now: DateTime<Utc>) -> Result<(), i64> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= BUCKETS_MAX && !buckets.contains_key(&key) {
            buckets.retain(|_, bucket| bucket.missing_at(now) > 0);
        }
        let bucket = buckets.entry(key).or_insert(Bucket { missing_micros: 0, at: now });
        let missing = bucket.missing_at(now);
        *bucket = Bucket { missing_micros: missing, at: now };
        let (after, full) = (missing + self.micros_per_token, self.burst * self.micros_per_token);
        if after > full {
            let wait_micros = after - full;
            return Err((wait_micros + 999_999) / 1_000_000);
        }
        bucket.missing_micros = after;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    #[test]
    fn a_key_that_floods_waits_and_another_does_not() {
        let (limits, noisy, quiet) = (Limits::default(), ApiKeyId::new(), ApiKeyId::new());
        let now: DateTime<Utc> = "2026-03-02T10:00:00Z".parse().unwrap();
        for _ in 0..BURST {
            assert_eq!(limits.take(noisy, now), Ok(()));
        }
        assert_eq!(limits.take(noisy, now), Err(1));
        assert_eq!(limits.take(quiet, now), Ok(()));
        // 1 s refills 50 tokens
        let later = now + TimeDelta::seconds(1);
        let taken = (0..100).filter(|_| limits.take(noisy, later).is_ok()).count();
        assert_eq!(taken, 50);
        // a clock that goes back refills nothing
        assert_eq!(limits.take(noisy, now), Err(1));
    }
}
