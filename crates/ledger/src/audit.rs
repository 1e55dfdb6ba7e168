//! Whether a book keeps its invariants: I1 (entries sum to zero), I2 (a wallet equals its entries and its open reservations),
//! I3 (never below the floor), I14 (no open reservation outlives its lease).

use crate::error::LedgerError;
use crate::store;
use chrono::{DateTime, TimeDelta, Utc};
use db::TenantTx;

/// The worker releases expired leases every few seconds; later than this it is a fault.
const LEASE_GRACE_SECONDS: i64 = 60;

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// `I1` .. `I16`.
    pub invariant: &'static str,
    /// What was found, with ids and sums.
    pub detail: String,
}

/// All violations of I1, I2, I3 and I14 in this book's ledger.
pub async fn check(tx: &TenantTx, now: DateTime<Utc>) -> Result<Vec<Violation>, LedgerError> {
    store::reading::violations(tx, now - TimeDelta::seconds(LEASE_GRACE_SECONDS)).await
}
