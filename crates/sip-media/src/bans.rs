//! Who is not heard: a source whose requests come to nothing too often, as those of scanners, guessers and floods do, is
//! dropped before it is read, for a time. Its running calls go on: their hang-ups must be heard, or somebody pays for silence.

use crate::config::BanRules;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tracing::warn;

/// Sources remembered at once; beyond that, those that have been quiet are forgotten, and then new ones are not counted.
const SOURCES_MAX: usize = 20_000;

/// What a source did too often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Offence {
    /// A wrong password, by one who could read our challenge.
    Guess,
    /// A number that nobody has, a method we lack, a request that is none.
    Scan,
    /// More requests than one source may send.
    Flood,
}

/// A source that is not heard now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ban {
    /// An address; of version 6, the first of its 2^64 neighbours, which share the ban.
    pub source: IpAddr,
    pub offence: Offence,
    pub expires_in: Duration,
    /// Messages and connections dropped so far.
    pub dropped: u64,
}

struct Banned {
    offence: Offence,
    until: Instant,
    dropped: u64,
}

#[derive(Default)]
struct Book {
    /// How many of each offence, since when.
    counts: HashMap<(IpAddr, Offence), (u32, Instant)>,
    banned: HashMap<IpAddr, Banned>,
    /// Calls that are up.
    calls: HashMap<IpAddr, usize>,
}

pub(crate) struct Bans {
    rules: BanRules,
    trusted: Vec<IpAddr>,
    book: Mutex<Book>,
}

/// What stands for a source: one who has a version 6 address has 2^64 of them.
pub(crate) fn source_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address @ IpAddr::V4(_) => address,
    }
}

impl Bans {
    pub(crate) fn new(rules: BanRules, trusted: Vec<IpAddr>) -> Self {
        Self { rules, trusted, book: Mutex::default() }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an offence; enough of them within the rule's time are a ban.
    pub(crate) fn offended(&self, source: IpAddr, offence: Offence, now: Instant) {
        if self.trusted.contains(&source.to_canonical()) {
            return;
        }
        let rule = match offence {
            Offence::Guess => self.rules.guesses,
            Offence::Scan => self.rules.scans,
            Offence::Flood => self.rules.floods,
        };
        let source = source_of(source);
        let mut book = self.book();
        if book.counts.len() >= SOURCES_MAX {
            book.counts.retain(|_, (_, since)| now.duration_since(*since) < rule.within);
            if book.counts.len() >= SOURCES_MAX {
                return;
            }
        }
        let (count, since) = book.counts.entry((source, offence)).or_insert((0, now));
        if now.duration_since(*since) >= rule.within {
            (*count, *since) = (0, now);
        }
        *count += 1;
        if *count < rule.offences {
            return;
        }
        book.counts.remove(&(source, offence));
        book.banned.retain(|_, banned| banned.until > now);
        if book.banned.len() >= SOURCES_MAX {
            return;
        }
        warn!(source.address = %source, ?offence, seconds = rule.lasts.as_secs(), "A source is not heard for a time");
        let banned = book.banned.entry(source).or_insert(Banned { offence, until: now, dropped: 0 });
        banned.until = banned.until.max(now + rule.lasts);
    }

    /// Whether a source is kept out, whatever calls it has.
    pub(crate) fn keeps_out(&self, source: IpAddr, now: Instant) -> bool {
        let mut book = self.book();
        let Some(banned) = book.banned.get_mut(&source_of(source)).filter(|banned| banned.until > now) else {
            return false;
        };
        banned.dropped += 1;
        true
    }

    /// Whether what comes from a source is read at all.
    pub(crate) fn hears(&self, source: IpAddr, now: Instant) -> bool {
        let in_call = self.book().calls.contains_key(&source_of(source));
        in_call || !self.keeps_out(source, now)
    }

    /// A call of this source is up until the guest is dropped.
    pub(crate) fn in_call(self: &Arc<Self>, source: IpAddr) -> Guest {
        let source = source_of(source);
        *self.book().calls.entry(source).or_default() += 1;
        Guest { bans: self.clone(), source }
    }

    pub(crate) fn list(&self, now: Instant) -> Vec<Ban> {
        let book = self.book();
        let now_banned = book.banned.iter().filter(|(_, banned)| banned.until > now);
        let mut bans: Vec<Ban> = now_banned
            .map(|(source, banned)| Ban {
                source: *source,
                offence: banned.offence,
                expires_in: banned.until - now,
                dropped: banned.dropped,
            })
            .collect();
        bans.sort_by_key(|ban| ban.source);
        bans
    }

    /// `false` when it was not banned.
    pub(crate) fn lift(&self, source: IpAddr) -> bool {
        self.book().banned.remove(&source_of(source)).is_some()
    }
}

/// A call that is up.
pub(crate) struct Guest {
    bans: Arc<Bans>,
    source: IpAddr,
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut book = self.bans.book();
        if let Some(calls) = book.calls.get_mut(&self.source) {
            *calls -= 1;
            if *calls == 0 {
                book.calls.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::BanRule;

    fn bans(trusted: &[&str]) -> Arc<Bans> {
        let rule = BanRule { offences: 3, within: Duration::from_secs(10), lasts: Duration::from_secs(300) };
        let guesses = BanRule { lasts: Duration::from_secs(43_200), ..rule };
        let trusted = trusted.iter().map(|address| address.parse().unwrap()).collect();
        Arc::new(Bans::new(BanRules { guesses, scans: rule, floods: rule }, trusted))
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn three_offences_within_ten_seconds_are_a_ban_that_ends() {
        let (bans, source, start) = (bans(&[]), ip("192.0.2.1"), Instant::now());
        let second = Duration::from_secs(1);
        for at in [0, 9, 11] {
            bans.offended(source, Offence::Scan, start + second * at);
        }
        assert!(bans.hears(source, start + second * 11), "the third came after the ten seconds, and counts as a first");
        bans.offended(source, Offence::Guess, start + second * 12);
        bans.offended(source, Offence::Scan, start + second * 12);
        assert!(bans.hears(source, start + second * 12), "each offence counts by itself");
        bans.offended(source, Offence::Scan, start + second * 13);
        assert!(!bans.hears(source, start + second * 13));
        assert!(bans.hears(ip("192.0.2.2"), start + second * 13));
        let listed = bans.list(start + second * 14);
        assert_eq!((listed.len(), listed[0].offence, listed[0].dropped), (1, Offence::Scan, 1));
        assert_eq!(listed[0].expires_in, second * 299);
        assert!(bans.hears(source, start + second * 313), "over after five minutes");
        assert!(bans.list(start + second * 313).is_empty());
    }

    #[tokio::test]
    async fn a_ban_can_be_lifted_and_a_trusted_source_gets_none() {
        let (bans, now) = (bans(&["192.0.2.9"]), Instant::now());
        for _ in 0..3 {
            bans.offended(ip("192.0.2.1"), Offence::Flood, now);
            bans.offended(ip("192.0.2.9"), Offence::Flood, now);
        }
        assert!(bans.hears(ip("192.0.2.9"), now));
        assert!(!bans.hears(ip("192.0.2.1"), now));
        assert!(bans.lift(ip("192.0.2.1")) && !bans.lift(ip("192.0.2.1")));
        assert!(bans.hears(ip("192.0.2.1"), now));
    }

    #[tokio::test]
    async fn a_network_of_version_6_is_one_source() {
        let (bans, now) = (bans(&[]), Instant::now());
        for host in 1..=3 {
            bans.offended(ip(&format!("2001:db8::{host}")), Offence::Scan, now);
        }
        assert!(!bans.hears(ip("2001:db8::ffff"), now));
        assert!(bans.hears(ip("2001:db8:0:1::1"), now));
    }

    #[tokio::test]
    async fn the_calls_of_a_banned_source_are_heard_to_their_end() {
        let (bans, source, now) = (bans(&[]), ip("192.0.2.1"), Instant::now());
        let guest = bans.in_call(source);
        for _ in 0..3 {
            bans.offended(source, Offence::Scan, now);
        }
        assert!(bans.hears(source, now) && bans.keeps_out(source, now), "its BYE is heard, a new call is not");
        drop(guest);
        assert!(!bans.hears(source, now));
    }
}
