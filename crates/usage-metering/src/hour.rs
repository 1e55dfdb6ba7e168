//! Hours are those of the customer's own clock, so that the edge of a period (its local midnight) never cuts a bucket, also
//! where the zone is half an hour off.

use crate::error::UsageError;
use chrono::{DateTime, Utc};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The instant at which the local hour around `instant` began.
pub fn local_hour(instant: DateTime<Utc>, time_zone: &str) -> Result<DateTime<Utc>, UsageError> {
    Ok(hour_in(instant, &zone(time_zone)?))
}

pub(crate) fn zone(name: &str) -> Result<TimeZone, UsageError> {
    TimeZone::get(name).map_err(|_| UsageError::TimeZoneMustBeKnown(name.to_owned()))
}

pub(crate) fn hour_in(instant: DateTime<Utc>, zone: &TimeZone) -> DateTime<Utc> {
    let seconds = instant.timestamp();
    let offset_seconds = Timestamp::from_second(seconds).map_or(0, |at| zone.to_offset(at).seconds());
    let into_the_hour = (seconds + i64::from(offset_seconds)).rem_euclid(3600);
    DateTime::from_timestamp(seconds - into_the_hour, 0).unwrap_or(instant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_an_hour_of_the_customers_own_clock() {
        for (zone, at, hour) in [
            ("UTC", "2026-03-02T10:59:59.999999Z", "2026-03-02T10:00:00Z"),
            ("Europe/Berlin", "2026-03-02T10:15:00Z", "2026-03-02T10:00:00Z"),
            ("Asia/Kolkata", "2026-03-02T10:15:00Z", "2026-03-02T09:30:00Z"), // 15:45 there; the hour began at 15:00
            ("Asia/Kolkata", "2026-03-02T18:30:00Z", "2026-03-02T18:30:00Z"), // midnight there: an edge, never inside a bucket
            ("Asia/Kathmandu", "2026-03-02T18:20:00Z", "2026-03-02T18:15:00Z"), // +5:45: 00:05 there
            ("Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25T00:00:00Z"), // the first 02:30 of that night
            ("Europe/Berlin", "2026-10-25T01:30:00Z", "2026-10-25T01:00:00Z"), // the second 02:30 is another hour
            ("Europe/Berlin", "1969-12-31T23:30:00Z", "1969-12-31T23:00:00Z"), // before the epoch, too
        ] {
            let expected: DateTime<Utc> = hour.parse().unwrap();
            assert_eq!(local_hour(at.parse().unwrap(), zone).unwrap(), expected, "{at} in {zone}");
        }
        assert!(local_hour(DateTime::UNIX_EPOCH, "Mars/Olympus").is_err());
    }
}
