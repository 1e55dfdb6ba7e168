//! How many were at once is not a sum: each hour that a new span touches is dirty until it is swept over the starts and ends of all
//! spans in it. A sweep appends the hour's peak to the sums, and the largest stands: events only come, so what a later sweep finds
//! is never less, and sweeping twice or two sweepers at once change nothing.

use crate::error::UsageError;
use crate::store;
use chrono::{DateTime, Utc};
use db::{BatchId, CustomerId, TenantTx};

/// Marks that one turn takes away: no more hours than these are swept in one transaction.
const MARKS_PER_RUN: i64 = 500;

/// Hours of a customer that no sweep has seen whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DirtyHours {
    pub customer_id: CustomerId,
    /// Of all its meters together.
    pub hours: u64,
}

/// Sweeps hours that are dirty; how many marks were taken away, 0 when no hour is dirty or others are at it.
pub async fn sweep(tx: &TenantTx, _now: DateTime<Utc>) -> Result<u64, UsageError> {
    Ok(store::sweep::sweep(tx, BatchId::new(), MARKS_PER_RUN).await?)
}

/// Which of these customers have dirty hours before an instant of each. A bill waits for them.
pub async fn dirty_hours_of(
    tx: &TenantTx,
    customers: &[(CustomerId, DateTime<Utc>)],
) -> Result<Vec<DirtyHours>, UsageError> {
    if customers.is_empty() {
        return Ok(Vec::new());
    }
    Ok(store::sweep::dirty_of(tx, customers).await?)
}

/// Dirty hours of the whole book, by meter.
pub async fn dirty_hours(tx: &TenantTx) -> Result<Vec<(String, u64)>, UsageError> {
    Ok(store::sweep::dirty(tx).await?)
}
