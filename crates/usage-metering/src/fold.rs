use crate::error::UsageError;
use crate::store;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use db::{CustomerId, PlatformTx, TenantId, TenantTx};
use std::collections::{BTreeSet, HashMap};

/// Sums folded in one transaction.
const SUMS_PER_RUN: i64 = 20_000;
/// Usage that is older when it is folded is noted by day: its period may have been billed long ago. No shorter than the two last
/// billed periods that every bill looks at anyway can be, the shortest month and a day.
const LATE_AFTER: TimeDelta = TimeDelta::days(29);
/// For so long a day is news: six monthly documents of its customer have had time to look at it.
const LATE_NEWS: TimeDelta = TimeDelta::days(200);

/// Folds appended sums into the hours of the rollup; how many were folded, 0 when all is done. Readers add both, so it may run
/// whenever and as often as one likes.
pub async fn fold(tx: &TenantTx, now: DateTime<Utc>) -> Result<u64, UsageError> {
    let folded = store::fold::fold(tx, SUMS_PER_RUN, now - LATE_AFTER, now).await?;
    if folded > 0 {
        tx.place("fold.done").await?;
    }
    Ok(folded)
}

/// Of each customer with usage that came more than four weeks late: the civil days of that usage, as the customer's own clock
/// counts them. A bill looks at the periods of these days again, however long ago they were billed; half a year of bills do.
pub async fn late_days(
    tx: &TenantTx,
    customers: &[CustomerId],
    now: DateTime<Utc>,
) -> Result<HashMap<CustomerId, BTreeSet<NaiveDate>>, UsageError> {
    Ok(store::fold::late_days(tx, customers, now - LATE_AFTER, now - LATE_NEWS).await?)
}

/// Tenants with sums that are not folded yet.
pub async fn tenants_to_fold(ptx: &PlatformTx) -> Result<Vec<TenantId>, UsageError> {
    Ok(store::fold::tenants(ptx).await?)
}
