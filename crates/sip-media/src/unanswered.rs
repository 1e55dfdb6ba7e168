//! Which phones left a challenge unanswered. Old ones give up at an algorithm that they do not know instead of taking
//! the other (baresip 1.0 does): who asks a second time is offered MD5 alone, and registers.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// Phones remembered at once; beyond that, those of long ago are forgotten.
const PHONES_MAX: usize = 10_000;
const REMEMBERED: Duration = Duration::from_secs(3_600);

#[derive(Default)]
pub(crate) struct Unanswered {
    asked: Mutex<HashMap<(String, IpAddr), Instant>>,
}

impl Unanswered {
    fn asked(&self) -> std::sync::MutexGuard<'_, HashMap<(String, IpAddr), Instant>> {
        self.asked.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Notes that a phone asks to be challenged; `true` when it was challenged before and did not answer by SHA-256.
    pub(crate) fn asks_again(&self, username: &str, source: IpAddr, now: Instant) -> bool {
        let mut asked = self.asked();
        if asked.len() >= PHONES_MAX {
            asked.retain(|_, at| now.duration_since(*at) < REMEMBERED);
        }
        let before = asked.insert((username.to_owned(), source), now);
        before.is_some_and(|at| now.duration_since(at) < REMEMBERED)
    }

    /// It answered by SHA-256: nothing weaker is offered to it.
    pub(crate) fn knows_sha256(&self, username: &str, source: IpAddr) {
        self.asked().remove(&(username.to_owned(), source));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[tokio::test]
    async fn who_asks_twice_without_an_answer_is_remembered_for_an_hour() {
        let (phones, source, start) = (Unanswered::default(), IpAddr::V4(Ipv4Addr::LOCALHOST), Instant::now());
        assert!(!phones.asks_again("amy", source, start));
        assert!(phones.asks_again("amy", source, start + Duration::from_secs(30)));
        assert!(!phones.asks_again("bob", source, start), "another phone at the same address");
        assert!(!phones.asks_again("amy", source, start + Duration::from_secs(30) + REMEMBERED));
    }

    #[tokio::test]
    async fn an_answer_by_sha_256_is_asked_for_again() {
        let (phones, source, start) = (Unanswered::default(), IpAddr::V4(Ipv4Addr::LOCALHOST), Instant::now());
        assert!(!phones.asks_again("amy", source, start));
        phones.knows_sha256("amy", source);
        assert!(!phones.asks_again("amy", source, start));
    }
}
