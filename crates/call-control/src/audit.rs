//! Whether a book's calls keep their invariants: I5 (one settled charge for each call's leg), I8 (shares are what they say), I14
//! (no call outlives its edge).

use crate::error::CallError;
use crate::store;
use chrono::{DateTime, TimeDelta, Utc};
use db::TenantTx;
use ledger::Violation;

/// An edge is heard of every ten seconds of a metered call, and at each step before; queues may be long, hours are not.
const SILENT_HOURS_MAX: i64 = 6;

/// All violations in this book's calls.
pub async fn check(tx: &TenantTx, now: DateTime<Utc>) -> Result<Vec<Violation>, CallError> {
    let found = store::reading::violations(tx, now - TimeDelta::hours(SILENT_HOURS_MAX)).await?;
    Ok(found.into_iter().map(|(invariant, detail)| Violation { invariant, detail }).collect())
}
