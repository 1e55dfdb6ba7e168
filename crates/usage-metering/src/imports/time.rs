use super::record::{Fault, Rule, fault};
use chrono::{DateTime, TimeDelta, Utc};
use jiff::tz::{AmbiguousOffset, TimeZone};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Serialize};

/// How times stand in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeFormat {
    /// `2026-03-02 10:00:00` in the file's zone, or with an offset of its own.
    Iso,
    /// Seconds since 1970, with or without a fraction.
    EpochSeconds,
    /// Milliseconds since 1970.
    EpochMillis,
    /// As the format says, in the letters of strftime: `%d.%m.%Y %H:%M:%S`.
    Written(String),
}

/// The zone of a file's local times; `None` where it has none and none was given.
pub(super) type Zone<'a> = Option<&'a TimeZone>;

/// A time in a file.
pub(super) fn read(field: &str, text: &str, format: &TimeFormat, zone: Zone<'_>) -> Result<DateTime<Utc>, Fault> {
    let unreadable = || fault(field, Rule::TimeMustBeReadable, text);
    let text = text.trim();
    match format {
        TimeFormat::EpochSeconds => epoch(text, 1_000_000).ok_or_else(unreadable),
        TimeFormat::EpochMillis => epoch(text, 1_000).ok_or_else(unreadable),
        TimeFormat::Iso => match text.parse::<jiff::Timestamp>() {
            Ok(at) => utc(at).ok_or_else(unreadable),
            Err(_) => local(field, text, text.parse().map_err(|_| unreadable())?, zone),
        },
        TimeFormat::Written(format) => {
            let broken = jiff::fmt::strtime::parse(format, text).map_err(|_| unreadable())?;
            match broken.to_timestamp() {
                Ok(at) => utc(at).ok_or_else(unreadable),
                Err(_) => local(field, text, broken.to_datetime().map_err(|_| unreadable())?, zone),
            }
        }
    }
}

/// A time in microseconds since 1970; zero, as some switches have it, is no time.
pub(super) fn micros(field: &str, text: &str) -> Result<Option<DateTime<Utc>>, Fault> {
    let at = epoch(text.trim(), 1).ok_or_else(|| fault(field, Rule::TimeMustBeReadable, text))?;
    Ok((at != DateTime::UNIX_EPOCH).then_some(at))
}

fn epoch(text: &str, micros_each: i64) -> Option<DateTime<Utc>> {
    let micros = money::parse_decimal(text).ok()?.checked_mul(Decimal::from(micros_each))?.trunc().to_i64()?;
    // Files of a switch are of this century; a count in another unit is not.
    DateTime::from_timestamp_micros(micros).filter(|at| at.timestamp() >= 0 && at.timestamp() < 4_102_444_800)
}

fn utc(at: jiff::Timestamp) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_micros(at.as_microsecond())
}

/// A local time. In the hour that comes twice it is the first of the two; a time that the clock jumped over is refused.
fn local(field: &str, text: &str, at: jiff::civil::DateTime, zone: Zone<'_>) -> Result<DateTime<Utc>, Fault> {
    let zone = zone.ok_or_else(|| fault(field, Rule::ZoneMustBeGiven, text))?;
    let ambiguous = zone.to_ambiguous_timestamp(at);
    if let AmbiguousOffset::Gap { .. } = ambiguous.offset() {
        return Err(fault(field, Rule::TimeMustExist, text));
    }
    let at = ambiguous.earlier().ok().and_then(utc);
    at.ok_or_else(|| fault(field, Rule::TimeMustBeReadable, text))
}

/// Did the clock show this time twice on that day, so that only a duration tells which of the two it was?
pub(super) fn comes_twice(text: &str, format: &TimeFormat, zone: Zone<'_>) -> bool {
    let text = text.trim();
    let local = match format {
        TimeFormat::EpochSeconds | TimeFormat::EpochMillis => None,
        TimeFormat::Iso if text.parse::<jiff::Timestamp>().is_ok() => None,
        TimeFormat::Iso => text.parse().ok(),
        TimeFormat::Written(format) => {
            let broken = jiff::fmt::strtime::parse(format, text).ok();
            broken.filter(|broken| broken.to_timestamp().is_err()).and_then(|broken| broken.to_datetime().ok())
        }
    };
    let ambiguous = zone.zip(local).map(|(zone, local)| zone.to_ambiguous_timestamp(local));
    ambiguous.is_some_and(|at| matches!(at.offset(), AmbiguousOffset::Fold { .. }))
}

/// A duration in units of so many milliseconds, or as `1:02:03`.
pub(super) fn duration_ms(field: &str, text: &str, ms_each: i64, decimal_comma: bool) -> Result<u64, Fault> {
    let unreadable = || fault(field, Rule::DurationMustBeReadable, text);
    let text = text.trim();
    if text.contains(':') {
        let mut seconds: u64 = 0;
        for part in text.split(':') {
            let part: u64 = part.parse().ok().filter(|part| *part < 1_000_000).ok_or_else(unreadable)?;
            seconds = seconds.checked_mul(60).and_then(|all| all.checked_add(part)).ok_or_else(unreadable)?;
        }
        return seconds.checked_mul(1_000).filter(|ms| *ms <= MS_MAX).ok_or_else(unreadable);
    }
    let text = if decimal_comma { text.replace(',', ".") } else { text.to_owned() };
    let count = money::parse_decimal(&text).map_err(|_| unreadable())?;
    let ms = count.checked_mul(Decimal::from(ms_each)).and_then(|ms| ms.trunc().to_u64());
    ms.filter(|ms| *ms <= MS_MAX).ok_or_else(unreadable)
}

/// Forty days: no call is longer, and no sum of a time and a duration overflows.
const MS_MAX: u64 = 40 * 24 * 3_600 * 1_000;

/// So much later.
pub(super) fn after(at: DateTime<Utc>, ms: u64) -> DateTime<Utc> {
    at + TimeDelta::milliseconds(i64::try_from(ms.min(MS_MAX)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_by_its_format_and_in_its_zone() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let written = TimeFormat::Written("%d.%m.%Y %H:%M:%S".into());
        for (text, format, expected) in [
            ("2026-03-02 10:00:00", TimeFormat::Iso, "2026-03-02T09:00:00Z"),
            ("2026-03-02T10:00:00+03:00", TimeFormat::Iso, "2026-03-02T07:00:00Z"),
            ("02.03.2026 10:00:00", written.clone(), "2026-03-02T09:00:00Z"),
            ("1772442000", TimeFormat::EpochSeconds, "2026-03-02T09:00:00Z"),
            ("1772442000.25", TimeFormat::EpochSeconds, "2026-03-02T09:00:00.25Z"),
            ("1772442000250", TimeFormat::EpochMillis, "2026-03-02T09:00:00.25Z"),
            // 25 October 2026, 02:30 comes twice; the first is summer time.
            ("2026-10-25 02:30:00", TimeFormat::Iso, "2026-10-25T00:30:00Z"),
        ] {
            let expected: DateTime<Utc> = expected.parse().unwrap();
            assert_eq!(read("start", text, &format, Some(&berlin)), Ok(expected), "{text}");
        }
        for (text, format, zone, rule) in [
            // 29 March 2026: the clock jumps from 02:00 to 03:00.
            ("2026-03-29 02:30:00", TimeFormat::Iso, Some(&berlin), Rule::TimeMustExist),
            ("2026-03-02 10:00:00", TimeFormat::Iso, None, Rule::ZoneMustBeGiven),
            ("2026-03-02", written, Some(&berlin), Rule::TimeMustBeReadable),
            ("1772442000000", TimeFormat::EpochSeconds, None, Rule::TimeMustBeReadable), // milliseconds
            ("yesterday", TimeFormat::Iso, Some(&berlin), Rule::TimeMustBeReadable),
        ] {
            assert_eq!(read("start", text, &format, zone).unwrap_err().rule, rule, "{text}");
        }
    }

    #[test]
    fn a_duration_is_read_in_its_unit() {
        for (text, ms_each, comma, expected) in [
            ("61", 1_000, false, 61_000),
            ("61,5", 1_000, true, 61_500),
            ("61500", 1, false, 61_500),
            ("1:02:03", 1_000, false, 3_723_000),
        ] {
            assert_eq!(duration_ms("billsec", text, ms_each, comma), Ok(expected), "{text}");
        }
        for text in ["", "-1", "1,5", "x", "99999999999999999999", "1::2"] {
            let refused = duration_ms("billsec", text, 1_000, false).unwrap_err();
            assert_eq!(refused.rule, Rule::DurationMustBeReadable, "{text}");
        }
    }
}
