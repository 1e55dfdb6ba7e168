//! Whether this room's rows keep the invariants that no constraint can say.

use crate::error::Result;
use crate::store::subscriptions as store;
use chrono::{DateTime, Utc};
use db::TenantTx;
use ledger::Violation;

/// I7, as far as it is kept here: the periods of a subscription follow each other from position 0 without gap or overlap,
/// so that a day of service lies in exactly one period that can be billed.
pub async fn check(tx: &TenantTx, _now: DateTime<Utc>) -> Result<Vec<Violation>> {
    let torn = store::torn_periods(tx).await?;
    let violation = |(id, position)| Violation {
        invariant: "I7",
        detail: format!("{id}: period {position} does not begin where the one before it ends"),
    };
    Ok(torn.into_iter().map(violation).collect())
}
