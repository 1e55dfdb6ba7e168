//! Time zones: offsets by instant, from the rules that travel in the binary.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::PricingError;

/// Offsets are tabulated from 1900 to 2200; outside of it the rules are asked each time.
const TABLE_FROM: i64 = -2_208_988_800;
const TABLE_UNTIL: i64 = 7_258_118_400;

/// The table is entered every 2^22 seconds (seven weeks): clocks change less often than that almost everywhere.
const BLOCK_BITS: u32 = 22;

/// A zone's offsets as a sorted table that is entered near the place, so that a lookup is a step or two and allocates nothing.
#[derive(Debug)]
pub(crate) struct Zone {
    pub(crate) rules: TimeZone,
    spans: Vec<Span>,
    /// By blocks of time since `TABLE_FROM`: the span in which the block begins.
    entrances: Vec<u32>,
}

/// From `start` (Unix seconds) on, local time is UTC plus `offset` seconds.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: i64,
    offset: i64,
}

static DATABASE: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);
static TABLES: LazyLock<Mutex<HashMap<String, Arc<Zone>>>> = LazyLock::new(Mutex::default);

/// Refuses what is no IANA time zone: `Europe/Berlin`, `UTC`.
pub fn must_be_time_zone(name: &str) -> Result<(), PricingError> {
    rules(name).map(|_| ())
}

pub(crate) fn rules(name: &str) -> Result<TimeZone, PricingError> {
    DATABASE.get(name).map_err(|_| PricingError::UnknownTimeZone(name.chars().take(60).collect()))
}

impl Zone {
    /// The table of a zone, made once per process.
    pub(crate) fn named(name: &str) -> Result<Arc<Zone>, PricingError> {
        let rules = rules(name)?;
        // By its canonical name, so that spellings of one zone share one table.
        let key = rules.iana_name().unwrap_or(name).to_owned();
        let mut tables = TABLES.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(tables.entry(key).or_insert_with(|| Arc::new(Zone::tabulate(rules)))))
    }

    fn tabulate(rules: TimeZone) -> Zone {
        let first = Span { start: i64::MIN, offset: offset_by_rules(&rules, TABLE_FROM) };
        let begin = Timestamp::from_second(TABLE_FROM).unwrap_or(Timestamp::MIN);
        let transitions =
            rules.following(begin).take_while(|transition| transition.timestamp().as_second() < TABLE_UNTIL);
        let later = transitions.map(|transition| Span {
            start: transition.timestamp().as_second(),
            offset: i64::from(transition.offset().seconds()),
        });
        let spans: Vec<Span> = std::iter::once(first).chain(later).collect();
        let entrance = |block: i64| {
            let begin = TABLE_FROM + (block << BLOCK_BITS);
            spans.partition_point(|span| span.start <= begin) as u32 - 1
        };
        let entrances = (0..=(TABLE_UNTIL - TABLE_FROM) >> BLOCK_BITS).map(entrance).collect();
        Zone { rules, spans, entrances }
    }

    /// The offset in seconds at an instant, and the instant until which it certainly holds.
    pub(crate) fn offset_at(&self, instant: i64) -> (i64, i64) {
        if !(TABLE_FROM..TABLE_UNTIL).contains(&instant) {
            return (offset_by_rules(&self.rules, instant), self.next_change_by_rules(instant));
        }
        let mut at = self.entrances[((instant - TABLE_FROM) >> BLOCK_BITS) as usize] as usize;
        loop {
            let until = self.spans.get(at + 1).map_or(TABLE_UNTIL, |next| next.start);
            if instant < until {
                return (self.spans[at].offset, until);
            }
            at += 1;
        }
    }

    fn next_change_by_rules(&self, instant: i64) -> i64 {
        let timestamp = Timestamp::from_second(instant.clamp(Timestamp::MIN.as_second(), Timestamp::MAX.as_second()));
        let next = timestamp.ok().and_then(|timestamp| self.rules.following(timestamp).next());
        next.map(|transition| transition.timestamp().as_second()).filter(|next| *next > instant).unwrap_or(i64::MAX / 2)
    }
}

fn offset_by_rules(rules: &TimeZone, instant: i64) -> i64 {
    let clamped = instant.clamp(Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    let timestamp = Timestamp::from_second(clamped).unwrap_or(Timestamp::UNIX_EPOCH);
    i64::from(rules.to_offset(timestamp).seconds())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_what_the_rules_say() {
        for name in
            ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC", "Africa/Casablanca"]
        {
            let zone = Zone::named(name).unwrap();
            for step in -2_000..14_000 {
                let instant = step * 500_009;
                let (offset, until) = zone.offset_at(instant);
                assert_eq!(offset, offset_by_rules(&zone.rules, instant), "{name} {instant}");
                assert!(until > instant);
            }
        }
    }

    #[test]
    fn a_name_that_is_no_zone_is_refused() {
        for name in ["", "Mars", "GMT+25", "Nowhere/Land", "+01:00"] {
            assert!(must_be_time_zone(name).is_err(), "{name}");
        }
    }
}
