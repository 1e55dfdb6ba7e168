//! All SQL of this crate.

pub(crate) mod audit;
pub(crate) mod billed;
pub(crate) mod corrections;
pub(crate) mod documents;
pub(crate) mod drafts;
pub(crate) mod finals;
pub(crate) mod received;
pub(crate) mod runs;
pub(crate) mod settlements;

use crate::error::{InvoicingError, Result};
use money::{Currency, Money};

/// A stored amount.
pub(crate) fn money(micros: i64, currency: &str) -> Result<Money> {
    let currency: Currency = currency.parse()?;
    Ok(Money::from_micros(micros, currency))
}

/// A stored word, if it is one that this version knows.
pub(crate) fn known<T>(found: Option<T>, kind: &'static str, word: &str) -> Result<T> {
    found.ok_or_else(|| InvoicingError::StoredContentUnreadable { kind, reason: format!("\"{word}\" is unknown") })
}
