//! Every statement of this crate. Lock order within: wallets by id, then allowances by key, then
//! reservations and holds.

pub mod allowances;
pub mod entries;
pub mod holds;
pub mod partners;
pub mod postings;
pub mod promotions;
pub mod reading;
pub mod recharges;
pub mod reservations;
pub mod settlements;
pub mod wallets;

use db::{DbError, TenantTx};
use money::{Currency, Money, MoneyError};
use sea_orm::ConnectionTrait;

/// Plans of statements over arrays are made for the arrays at hand from here to the end of the transaction. A plan that is kept
/// from small batches joins a large one row by row: seconds instead of milliseconds.
pub async fn plan_for_size(tx: &TenantTx) -> Result<(), DbError> {
    tx.execute_unprepared("SET LOCAL plan_cache_mode = force_custom_plan").await?;
    Ok(())
}

/// A stored amount with its stored currency.
pub fn money(micros: i64, currency: &str) -> Result<Money, MoneyError> {
    Ok(Money::from_micros(micros, currency.parse::<Currency>()?))
}
