//! Billing periods: half-open, anchored, in the civil time of a zone.

use chrono::{DateTime, Months, NaiveDate, Utc};
use jiff::Timestamp;
use jiff::civil;
use jiff::tz::{AmbiguousOffset, TimeZone};
use serde::{Deserialize, Serialize};

use crate::{PricingError, zone};

/// A half-open stretch of time, `[start, end)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Period {
    /// Its first instant.
    pub start: DateTime<Utc>,
    /// The first instant after it.
    pub end: DateTime<Utc>,
}

impl Period {
    /// A period that ends after it begins.
    pub fn new(start: DateTime<Utc>, end: DateTime<Utc>) -> Result<Period, PricingError> {
        if end <= start {
            return Err(PricingError::PeriodMustNotBeEmpty);
        }
        Ok(Period { start, end })
    }

    /// Does the instant lie in it? The end does not.
    pub fn contains(&self, instant: DateTime<Utc>) -> bool {
        self.start <= instant && instant < self.end
    }

    /// What two periods share.
    pub fn intersection(&self, other: &Period) -> Option<Period> {
        Period::new(self.start.max(other.start), self.end.min(other.end)).ok()
    }
}

/// The sequence of periods of `months` months from an anchor day, at local midnight of a zone.
///
/// Bound `n` is always `anchor + n x months`, never chained: an anchor on the 31st gives 31 Jan, 28 Feb, 31 Mar.
#[derive(Debug, Clone)]
pub struct Periods {
    anchor: NaiveDate,
    months: u32,
    rules: TimeZone,
}

impl Periods {
    /// Periods of a number of months (1 or more) from the day of `anchor` in an IANA zone.
    pub fn new(anchor: NaiveDate, months: u32, time_zone: &str) -> Result<Periods, PricingError> {
        if months == 0 {
            return Err(PricingError::MustBeAboveZero);
        }
        Ok(Periods { anchor, months, rules: zone::rules(time_zone)? })
    }

    /// The civil date of bound `index`; bound 0 is the anchor, earlier ones are negative.
    pub fn bound_on(&self, index: i64) -> Result<NaiveDate, PricingError> {
        let months = u32::try_from(index.unsigned_abs())
            .ok()
            .and_then(|count| count.checked_mul(self.months))
            .ok_or(PricingError::TooLarge)?;
        let bound = if index < 0 {
            self.anchor.checked_sub_months(Months::new(months))
        } else {
            self.anchor.checked_add_months(Months::new(months))
        };
        bound.ok_or(PricingError::TooLarge)
    }

    /// The instant of bound `index`: the first instant of its day.
    pub fn bound_at(&self, index: i64) -> Result<DateTime<Utc>, PricingError> {
        start_of_day_by(&self.rules, self.bound_on(index)?)
    }

    /// Period `index`, from bound `index` to the next; period 0 begins on the anchor.
    pub fn nth(&self, index: i64) -> Result<Period, PricingError> {
        Ok(Period {
            start: self.bound_at(index)?,
            end: self.bound_at(index.checked_add(1).ok_or(PricingError::TooLarge)?)?,
        })
    }

    /// The period in which an instant lies, and its index.
    pub fn containing(&self, instant: DateTime<Utc>) -> Result<(i64, Period), PricingError> {
        let date = civil_date_by(&self.rules, instant)?;
        // Months between the two dates give the index or the one after it.
        let months = months_between(self.anchor, date);
        let mut index = months.div_euclid(i64::from(self.months)) + 1;
        while self.bound_at(index)? > instant {
            index -= 1;
        }
        Ok((index, self.nth(index)?))
    }

    /// The next bound after an instant.
    pub fn next_bound(&self, instant: DateTime<Utc>) -> Result<DateTime<Utc>, PricingError> {
        Ok(self.containing(instant)?.1.end)
    }

    /// Civil days of a period: what proration divides by. A day on which the clocks change counts as one.
    pub fn days(&self, period: &Period) -> Result<u32, PricingError> {
        let (from, to) = (civil_date_by(&self.rules, period.start)?, civil_date_by(&self.rules, period.end)?);
        u32::try_from((to - from).num_days()).map_err(|_| PricingError::EndBeforeBeginning)
    }
}

/// The civil date of an instant in a zone.
pub fn civil_date(instant: DateTime<Utc>, time_zone: &str) -> Result<NaiveDate, PricingError> {
    civil_date_by(&zone::rules(time_zone)?, instant)
}

/// The first instant of a date in a zone; where local midnight does not exist, the first instant of that day.
pub fn start_of_day(date: NaiveDate, time_zone: &str) -> Result<DateTime<Utc>, PricingError> {
    start_of_day_by(&zone::rules(time_zone)?, date)
}

/// Civil days of a period in a zone.
pub fn days_in(period: &Period, time_zone: &str) -> Result<u32, PricingError> {
    days_between(period.start, period.end, time_zone)
}

/// Civil days between the dates of two instants in a zone; refuses an end before the beginning.
pub fn days_between(from: DateTime<Utc>, to: DateTime<Utc>, time_zone: &str) -> Result<u32, PricingError> {
    let rules = zone::rules(time_zone)?;
    if to < from {
        return Err(PricingError::EndBeforeBeginning);
    }
    let days = (civil_date_by(&rules, to)? - civil_date_by(&rules, from)?).num_days();
    // Clocks set back over midnight can make the later instant's date the earlier one: no day has passed.
    u32::try_from(days.max(0)).map_err(|_| PricingError::TooLarge)
}

pub(crate) fn civil_date_by(rules: &TimeZone, instant: DateTime<Utc>) -> Result<NaiveDate, PricingError> {
    let timestamp = Timestamp::from_second(instant.timestamp()).map_err(|_| PricingError::TooLarge)?;
    let date = rules.to_datetime(timestamp).date();
    NaiveDate::from_ymd_opt(
        i32::from(date.year()),
        date.month().unsigned_abs().into(),
        date.day().unsigned_abs().into(),
    )
    .ok_or(PricingError::TooLarge)
}

pub(crate) fn start_of_day_by(rules: &TimeZone, date: NaiveDate) -> Result<DateTime<Utc>, PricingError> {
    use chrono::Datelike;
    let part = |number: u32| i8::try_from(number).map_err(|_| PricingError::TooLarge);
    let year = i16::try_from(date.year()).map_err(|_| PricingError::TooLarge)?;
    let midnight = civil::Date::new(year, part(date.month())?, part(date.day())?)
        .map_err(|_| PricingError::TooLarge)?
        .at(0, 0, 0, 0);
    let ambiguous = rules.to_ambiguous_timestamp(midnight);
    let timestamp = match ambiguous.offset() {
        // The change of the clocks itself is then the first instant of the day.
        AmbiguousOffset::Gap { after, .. } => {
            let before_change = after.to_timestamp(midnight).map_err(|_| PricingError::TooLarge)?;
            rules.following(before_change).next().map(|transition| transition.timestamp())
        }
        _ => ambiguous.earlier().ok(),
    };
    let seconds = timestamp.ok_or(PricingError::TooLarge)?.as_second();
    DateTime::from_timestamp(seconds, 0).ok_or(PricingError::TooLarge)
}

/// An instant as RFC 3339 with the zone's own offset.
pub(crate) fn with_offset(rules: &TimeZone, instant: DateTime<Utc>) -> Result<String, PricingError> {
    let timestamp = Timestamp::from_second(instant.timestamp()).map_err(|_| PricingError::TooLarge)?;
    Ok(timestamp.display_with_offset(rules.to_offset(timestamp)).to_string())
}

fn months_between(anchor: NaiveDate, date: NaiveDate) -> i64 {
    use chrono::Datelike;
    (i64::from(date.year()) - i64::from(anchor.year())) * 12 + i64::from(date.month()) - i64::from(anchor.month())
}
