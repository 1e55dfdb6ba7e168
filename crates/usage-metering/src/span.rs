//! What is counted while it lasts, in pieces: an event stands in each hour that it touches.

use crate::hour::hour_in;
use crate::meter::Aggregation;
use crate::prepare::{Book, Row};
use chrono::{DateTime, TimeDelta, Utc};
use db::{CustomerId, SubscriptionId};
use jiff::tz::TimeZone;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

/// An event in one of its hours.
pub(crate) struct NewSpan {
    pub customer_id: CustomerId,
    pub subscription_id: Option<SubscriptionId>,
    pub meter: String,
    pub hour: DateTime<Utc>,
    pub started_at: DateTime<Utc>,
    pub ended_at: DateTime<Utc>,
}

impl Book {
    /// The pieces of what lasts. What takes no time, or takes some back, is at no instant.
    pub fn spans(&self, rows: &[&Row<'_>]) -> Vec<NewSpan> {
        let mut spans = Vec::new();
        for row in rows {
            let Some(meter) = row.meter.filter(|meter| meter.aggregation == Aggregation::Peak) else { continue };
            let Some(zone) = self.zones.get(&row.event.customer_id) else { continue };
            let micros = (row.quantity * Decimal::from(1_000_000)).to_i64().unwrap_or_default();
            // To the microsecond, as it is stored.
            let started_at = DateTime::from_timestamp_micros(row.event.occurred_at.timestamp_micros())
                .unwrap_or(row.event.occurred_at);
            let ended_at = started_at + TimeDelta::microseconds(micros);
            spans.extend(hours(started_at, ended_at, zone).map(|hour| NewSpan {
                customer_id: row.event.customer_id,
                subscription_id: row.subscription_id,
                meter: meter.code.clone(),
                hour,
                started_at,
                ended_at,
            }));
        }
        spans
    }
}

/// The hours of a clock that `[started_at, ended_at)` touches.
fn hours(started_at: DateTime<Utc>, ended_at: DateTime<Utc>, zone: &TimeZone) -> impl Iterator<Item = DateTime<Utc>> {
    let hour_at = move |at: DateTime<Utc>| (at < ended_at).then(|| hour_in(at, zone));
    std::iter::successors(hour_at(started_at), move |hour| hour_at(*hour + TimeDelta::hours(1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hour::zone;

    #[test]
    fn a_span_stands_in_each_hour_of_the_customers_clock_that_it_touches() {
        for (name, from, to, expected) in [
            ("UTC", "2026-03-02T10:00:00Z", "2026-03-02T10:00:00Z", vec![]), // takes no time
            ("UTC", "2026-03-02T10:00:00Z", "2026-03-02T11:00:00Z", vec!["10:00"]), // ends as the next hour begins
            ("UTC", "2026-03-02T10:59:59Z", "2026-03-02T12:00:01Z", vec!["10:00", "11:00", "12:00"]),
            ("Asia/Kolkata", "2026-03-02T10:15:00Z", "2026-03-02T10:45:00Z", vec!["09:30", "10:30"]), // 15:45 to 16:15
            ("Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", vec!["00:00", "01:00"]), // both are 02:30
            // Lord Howe goes back half an hour at 15:00Z on 4 April: its hours begin at :30 from then on.
            ("Australia/Lord_Howe", "2026-04-04T14:10:00Z", "2026-04-04T15:40:00Z", vec!["14:00", "14:30", "15:30"]),
            // And forward again at 15:30Z on 3 October.
            ("Australia/Lord_Howe", "2026-10-03T14:40:00Z", "2026-10-03T16:10:00Z", vec!["14:30", "15:00", "16:00"]),
        ] {
            let found: Vec<String> = hours(from.parse().unwrap(), to.parse().unwrap(), &zone(name).unwrap())
                .map(|hour| hour.format("%H:%M").to_string())
                .collect();
            assert_eq!(found, expected, "{from} to {to} in {name}");
        }
    }
}
