//! Service periods: months from an anchor day in a frozen zone, `[start, end)`.

use crate::error::{Result, Rule, instant, refuse};
use chrono::{DateTime, NaiveDate, Utc};
use pricing::Periods;

/// One billing period. Bound n is `anchor + n months` and never chained: 31 Jan, 28 Feb, 31 Mar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServicePeriod {
    /// 0 begins on the anchor.
    pub position: u32,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    /// Civil dates of the two bounds in the frozen zone.
    pub starts_on: NaiveDate,
    pub ends_on: NaiveDate,
}

impl ServicePeriod {
    /// Does the instant lie in it? The end does not.
    pub fn contains(&self, instant: DateTime<Utc>) -> bool {
        self.starts_at <= instant && instant < self.ends_at
    }
}

/// The period at a position.
pub(crate) fn nth(periods: &Periods, position: u32) -> Result<ServicePeriod> {
    let index = i64::from(position);
    Ok(ServicePeriod {
        position,
        starts_at: periods.bound_at(index)?,
        ends_at: periods.bound_at(index + 1)?,
        starts_on: periods.bound_on(index)?,
        ends_on: periods.bound_on(index + 1)?,
    })
}

/// The monthly period from an anchor at a position.
pub(crate) fn at_position(anchor_on: NaiveDate, time_zone: &str, position: u32) -> Result<ServicePeriod> {
    nth(&Periods::new(anchor_on, 1, time_zone)?, position)
}

/// The monthly period from an anchor that holds an instant; an instant before the anchor is refused.
pub(crate) fn containing(anchor_on: NaiveDate, time_zone: &str, at: DateTime<Utc>) -> Result<ServicePeriod> {
    let periods = Periods::new(anchor_on, 1, time_zone)?;
    let (index, _) = periods.containing(at)?;
    match u32::try_from(index) {
        Ok(position) => nth(&periods, position),
        Err(_) => refuse("at", Rule::MustNotPrecedeStart, instant(&at)),
    }
}

/// The periods from position 0 that begin before `until`.
pub(crate) fn until(anchor_on: NaiveDate, time_zone: &str, until: DateTime<Utc>) -> Result<Vec<ServicePeriod>> {
    let periods = Periods::new(anchor_on, 1, time_zone)?;
    let mut all = Vec::new();
    for position in 0.. {
        let period = nth(&periods, position)?;
        if period.starts_at >= until {
            break;
        }
        all.push(period);
    }
    Ok(all)
}
