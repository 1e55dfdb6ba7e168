//! Every account of the book, entry by entry: for people who check, and for files.

use crate::account::{AccountKind, AccountRef};
use crate::error::LedgerError;
use crate::store::entries as store;
use chrono::{DateTime, Utc};
use db::{CustomerId, TenantTx, TransactionId};
use money::{Currency, Money};
use std::fmt;
use std::str::FromStr;

/// Which entries to list: those of one kind of account, of one customer, of both, or all.
#[derive(Clone, Debug)]
pub struct EntryFilter {
    pub account: Option<AccountKind>,
    pub customer_id: Option<CustomerId>,
    pub currency: Currency,
    /// Entries that count in `[from, to)`.
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
    /// The last entry of the page before.
    pub after: Option<EntryPlace>,
    pub limit: u64,
}

/// The place of an entry in such a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryPlace {
    pub at: DateTime<Utc>,
    pub transaction_id: TransactionId,
    pub position: i32,
}

impl fmt::Display for EntryPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.at.timestamp_micros(), self.transaction_id, self.position)
    }
}

impl FromStr for EntryPlace {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.splitn(3, '.');
        let at = parts.next().and_then(|at| at.parse().ok()).and_then(DateTime::from_timestamp_micros).ok_or(())?;
        let transaction_id = parts.next().and_then(|id| id.parse().ok()).ok_or(())?;
        let position = parts.next().and_then(|position| position.parse().ok()).ok_or(())?;
        Ok(Self { at, transaction_id, position })
    }
}

/// One entry with what it belongs to.
#[derive(Clone, Debug, PartialEq)]
pub struct EntryLine {
    pub place: EntryPlace,
    /// Of the transaction: `call`, `invoice` ..
    pub kind: String,
    pub key: String,
    pub memo: String,
    pub account: AccountRef,
    /// Positive credits, negative debits.
    pub amount: Money,
}

/// Entries, the oldest first, one page at a time.
pub async fn entries(tx: &TenantTx, filter: &EntryFilter) -> Result<Vec<EntryLine>, LedgerError> {
    store::page(tx, filter).await
}

/// What the accounts of a filter came to together at an instant, what counts at it left out.
pub async fn balance_before(tx: &TenantTx, filter: &EntryFilter, at: DateTime<Utc>) -> Result<Money, LedgerError> {
    store::balance_before(tx, filter, at).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_survives_its_text() {
        let at = DateTime::from_timestamp_micros(1_763_700_000_123_456).unwrap();
        let place = EntryPlace { at, transaction_id: TransactionId::new(), position: 3 };
        assert_eq!(place.to_string().parse(), Ok(place));
        for nonsense in ["", "1", "1.x.2", "x.txn_1.1", "1.2.3.4"] {
            assert_eq!(nonsense.parse::<EntryPlace>(), Err(()), "{nonsense}");
        }
    }
}
