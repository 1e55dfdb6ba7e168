//! How many at once: the peak of overlapping spans, hour by hour. Pure.

use chrono::{DateTime, TimeDelta, Utc};

pub(crate) type Span = (DateTime<Utc>, DateTime<Utc>);

/// The most spans that overlap at one instant of `[from, to)`. Spans are half-open: one that ends when another begins does not
/// overlap it.
pub(crate) fn peak(spans: &[Span], from: DateTime<Utc>, to: DateTime<Utc>) -> u64 {
    let mut changes: Vec<(DateTime<Utc>, i64)> = Vec::new();
    for (starts_at, ends_at) in spans {
        let (starts_at, ends_at) = ((*starts_at).max(from), (*ends_at).min(to));
        if starts_at < ends_at {
            changes.push((starts_at, 1));
            changes.push((ends_at, -1));
        }
    }
    // at the same instant what ends goes before what begins
    changes.sort_unstable();
    let (mut now, mut most) = (0i64, 0i64);
    for (_, change) in changes {
        now += change;
        most = most.max(now);
    }
    most.unsigned_abs()
}

/// The whole hours between two instants, oldest first.
pub(crate) fn hours(from: DateTime<Utc>, to: DateTime<Utc>) -> impl Iterator<Item = Span> {
    let hour = TimeDelta::hours(1);
    std::iter::successors(Some(from), move |start| Some(*start + hour))
        .map(move |start| (start, start + hour))
        .take_while(move |(_, end)| *end <= to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peak_counts_what_overlaps_and_not_what_only_touches() {
        let at = |minute: i64| DateTime::<Utc>::UNIX_EPOCH + TimeDelta::minutes(minute);
        let spans = [(at(0), at(10)), (at(10), at(20)), (at(5), at(15)), (at(50), at(70))];
        assert_eq!(peak(&spans, at(0), at(60)), 2);
        assert_eq!(peak(&spans, at(60), at(120)), 1);
        assert_eq!(peak(&spans, at(20), at(50)), 0);
        assert_eq!(hours(at(0), at(150)).count(), 2);
    }
}
