//! How often somebody may ask: a bucket of tokens each, refilled as time goes by. In this process only.

use chrono::{DateTime, Utc};
use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

/// A full bucket says nothing: it is forgotten when there are this many.
const BUCKETS_MAX: usize = 10_000;

/// The buckets of everybody who asks.
pub struct Limits<Key> {
    burst: i64,
    micros_per_token: i64,
    buckets: Mutex<HashMap<Key, Bucket>>,
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

impl<Key: Eq + Hash> Limits<Key> {
    /// So many at once, and then one in each so many microseconds.
    pub fn new(burst: i64, micros_per_token: i64) -> Self {
        Self { burst, micros_per_token, buckets: Mutex::default() }
    }

    /// Takes one token; otherwise how many whole seconds to wait for the next.
    pub fn take(&self, key: Key, now: DateTime<Utc>) -> Result<(), i64> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= BUCKETS_MAX && !buckets.contains_key(&key) {
            buckets.retain(|_, bucket| bucket.missing_at(now) > 0);
        }
        let bucket = buckets.entry(key).or_insert(Bucket { missing_micros: 0, at: now });
        let missing = bucket.missing_at(now);
        *bucket = Bucket { missing_micros: missing, at: now };
        let (after, full) = (missing + self.micros_per_token, self.burst * self.micros_per_token);
        if after > full {
            return Err((after - full + 999_999) / 1_000_000);
        }
        bucket.missing_micros = after;
        Ok(())
    }
}

/// Where somebody asks from. Of IPv6 a subscriber has a whole network, so the network counts.
pub fn source(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(six) => match six.to_ipv4_mapped() {
            Some(four) => four.into(),
            None => Ipv6Addr::from_bits(six.to_bits() & !u128::from(u64::MAX)).into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    #[test]
    fn who_floods_waits_and_another_does_not() {
        // 200 at once, then 50 a second
        let limits = Limits::new(200, 20_000);
        let now: DateTime<Utc> = "2026-03-02T10:00:00Z".parse().unwrap();
        for _ in 0..200 {
            assert_eq!(limits.take("noisy", now), Ok(()));
        }
        assert_eq!(limits.take("noisy", now), Err(1));
        assert_eq!(limits.take("quiet", now), Ok(()));
        // 1 s refills 50 tokens
        let later = now + TimeDelta::seconds(1);
        let taken = (0..100).filter(|_| limits.take("noisy", later).is_ok()).count();
        assert_eq!(taken, 50);
        // a clock that goes back refills nothing
        assert_eq!(limits.take("noisy", now), Err(1));
    }

    #[test]
    fn a_network_of_a_subscriber_is_one_source() {
        let of = |text: &str| source(text.parse().unwrap()).to_string();
        assert_eq!(of("2001:db8:1:2:aaaa::1"), of("2001:db8:1:2:bbbb::2"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), "192.0.2.1");
    }
}
