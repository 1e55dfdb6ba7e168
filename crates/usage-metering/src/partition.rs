use crate::error::UsageError;
use crate::store;
use chrono::NaiveDate;
use db::PlatformTx;

/// Makes the monthly partitions of events from a day's month on; how many were new. A month that has events in the default
/// partition already keeps them there.
pub async fn ensure_partitions(ptx: &PlatformTx, from_on: NaiveDate, months: u32) -> Result<u32, UsageError> {
    if !(1..=60).contains(&months) {
        return Err(UsageError::MonthsMustBeAFew(months));
    }
    Ok(store::meter::ensure_partitions(ptx, from_on, months).await?)
}
