//! Events lie in a partition for each month, made ahead; months that are old enough leave as a whole. Keys of events leave when no
//! event that could repeat one would be accepted any more.

use crate::error::UsageError;
use crate::prepare::{AGE_MONTHS_MAX, AHEAD_HOURS_MAX};
use crate::store;
use chrono::{DateTime, Months, NaiveDate, TimeDelta, Utc};
use db::PlatformTx;

/// Events are kept for at least so many months: one may come 13 months late, and months leave whole.
pub const EVENTS_KEPT_MONTHS_MIN: u32 = AGE_MONTHS_MAX + 1;
/// And for at most so many: fifty years.
pub const EVENTS_KEPT_MONTHS_MAX: u32 = 600;

/// Makes the monthly partitions of events from a day's month on; how many were new. A month that has events in the default
/// partition already keeps them there.
pub async fn ensure_partitions(ptx: &PlatformTx, from_on: NaiveDate, months: u32) -> Result<u32, UsageError> {
    if !(1..=60).contains(&months) {
        return Err(UsageError::MonthsMustBeAFew(months));
    }
    Ok(store::partition::ensure(ptx, from_on, months).await?)
}

/// Detaches the months of events that lie wholly before the months that are kept: they go on in the schema `usage_archive`, where
/// nobody but the owner looks. Answers from when on events are kept. Sums stay, and what left is not recounted any more.
pub async fn retire_events(
    ptx: &PlatformTx,
    kept_months: u32,
    now: DateTime<Utc>,
) -> Result<DateTime<Utc>, UsageError> {
    if !(EVENTS_KEPT_MONTHS_MIN..=EVENTS_KEPT_MONTHS_MAX).contains(&kept_months) {
        return Err(UsageError::EventsMustBeKept(kept_months));
    }
    let before_on = now.date_naive().checked_sub_months(Months::new(kept_months)).unwrap_or(NaiveDate::MIN);
    Ok(store::partition::retire(ptx, before_on).await?)
}

/// Forgets the keys of events that came more than 13 months ago; how many. An event that occurred a day after it came, as is
/// allowed, is accepted for a day longer: so its key stays for as long.
pub async fn prune_keys(ptx: &PlatformTx, now: DateTime<Utc>) -> Result<u64, UsageError> {
    let oldest = now.checked_sub_months(Months::new(AGE_MONTHS_MAX)).unwrap_or(DateTime::<Utc>::MIN_UTC);
    Ok(store::partition::prune_keys(ptx, oldest - TimeDelta::hours(AHEAD_HOURS_MAX)).await?)
}
