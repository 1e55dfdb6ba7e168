//! Every statement of this crate. Lock order within: wallets by id, then reservations.

pub mod postings;
pub mod reading;
pub mod reservations;
pub mod settlements;
pub mod wallets;

use money::{Currency, Money, MoneyError};

/// A stored amount with its stored currency.
pub fn money(micros: i64, currency: &str) -> Result<Money, MoneyError> {
    Ok(Money::from_micros(micros, currency.parse::<Currency>()?))
}
