use crate::error::UsageError;
use crate::store;
use chrono::{DateTime, Utc};
use db::{PlatformTx, TenantId, TenantTx};

/// Sums folded in one transaction.
const SUMS_PER_RUN: i64 = 20_000;

/// Folds appended sums into the hours of the rollup; how many were folded, 0 when all is done. Readers add both, so it may run
/// whenever and as often as one likes.
pub async fn fold(tx: &TenantTx, _now: DateTime<Utc>) -> Result<u64, UsageError> {
    let folded = store::fold::fold(tx, SUMS_PER_RUN).await?;
    if folded > 0 {
        tx.place("fold.done").await?;
    }
    Ok(folded)
}

/// Tenants with sums that are not folded yet.
pub async fn tenants_to_fold(ptx: &PlatformTx) -> Result<Vec<TenantId>, UsageError> {
    Ok(store::fold::tenants(ptx).await?)
}
