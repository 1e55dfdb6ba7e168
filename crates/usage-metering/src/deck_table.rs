//! A version of a deck in memory, looked up per call, and kept in the process by its version: what never changes needs no
//! invalidation. The least used leave when there are too many.

use crate::deck::DeckRow;
use crate::error::UsageError;
use crate::store::deck as store;
use db::{DeckId, TenantId, TenantTx};
use pricing::{Deck, PricingError};
use rust_decimal::Decimal;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Prefixes that the process keeps, of all decks of all books: about 200 bytes each.
const KEPT_MAX: usize = 2_000_000;

/// A version of a deck, ready for look-ups.
#[derive(Debug)]
pub struct DeckTable {
    pub version: u32,
    rows: Vec<DeckRow>,
    index: Deck<u32>,
}

impl DeckTable {
    /// Of rows in the order of their prefixes.
    pub fn new(version: u32, rows: Vec<DeckRow>) -> Result<DeckTable, PricingError> {
        let index = Deck::new(rows.iter().zip(0u32..).map(|(row, place)| (&row.prefix, place)))?;
        Ok(DeckTable { version, rows, index })
    }

    /// All of it, by prefix.
    pub fn rows(&self) -> &[DeckRow] {
        &self.rows
    }

    /// The row of the longest prefix of a number.
    pub fn longest(&self, number: &str) -> Option<&DeckRow> {
        self.rows.get(*self.index.lookup(number)? as usize)
    }

    /// The row of exactly this prefix.
    pub fn exact(&self, prefix: &str) -> Option<&DeckRow> {
        let place = self.rows.binary_search_by(|row| (*row.prefix).cmp(prefix)).ok()?;
        self.rows.get(place)
    }

    /// Is there a prefix that begins with this one?
    pub fn has_within(&self, prefix: &str) -> bool {
        let first = self.rows.partition_point(|row| *row.prefix < *prefix);
        self.rows.get(first).is_some_and(|row| row.prefix.starts_with(prefix))
    }

    /// The row around a prefix: of the longest shorter one.
    pub fn around(&self, prefix: &str) -> Option<&DeckRow> {
        self.longest(prefix.get(..prefix.len().checked_sub(1)?)?)
    }

    /// The rate per minute of a number.
    pub fn rate(&self, number: &str) -> Option<Decimal> {
        self.longest(number).map(|row| row.rate)
    }
}

type Key = (TenantId, DeckId, u32);

#[derive(Default)]
struct Kept {
    tables: HashMap<Key, (Arc<DeckTable>, u64)>,
    uses: u64,
}

impl Kept {
    fn get(&mut self, key: &Key) -> Option<Arc<DeckTable>> {
        self.uses += 1;
        let (table, used) = self.tables.get_mut(key)?;
        *used = self.uses;
        Some(Arc::clone(table))
    }

    fn put(&mut self, key: Key, table: &Arc<DeckTable>) {
        self.uses += 1;
        self.tables.insert(key, (Arc::clone(table), self.uses));
        while self.tables.len() > 1 && self.tables.values().map(|(table, _)| table.rows.len()).sum::<usize>() > KEPT_MAX
        {
            let least = self.tables.iter().min_by_key(|(_, (_, used))| *used).map(|(key, _)| *key);
            let Some(least) = least else { return };
            self.tables.remove(&least);
        }
    }
}

fn kept() -> &'static Mutex<Kept> {
    static KEPT: OnceLock<Mutex<Kept>> = OnceLock::new();
    KEPT.get_or_init(Mutex::default)
}

/// A version of a deck of this book, from memory or read once.
pub async fn deck_table(tx: &TenantTx, id: DeckId, version: u32) -> Result<Arc<DeckTable>, UsageError> {
    let key = (tx.tenant_id(), id, version);
    if let Some(table) = kept().lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
        return Ok(table);
    }
    let rows = store::rows(tx, id, version, "", u64::from(u32::MAX)).await?;
    if rows.is_empty() {
        return Err(UsageError::DeckVersionMustExist(version));
    }
    let table = Arc::new(DeckTable::new(version, rows)?);
    kept().lock().unwrap_or_else(PoisonError::into_inner).put(key, &table);
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(version: u32, rows: usize) -> Arc<DeckTable> {
        let row = |n: usize| DeckRow {
            prefix: format!("{}", 1_000_000 + n).into(),
            destination: "".into(),
            rate: Decimal::ONE,
            tariff: None,
        };
        Arc::new(DeckTable::new(version, (0..rows).map(row).collect()).unwrap())
    }

    #[test]
    fn the_least_used_deck_leaves_when_there_are_too_many_prefixes() {
        let (tenant, deck) = (TenantId::new(), DeckId::new());
        let mut kept = Kept::default();
        for version in 1..=4 {
            kept.put((tenant, deck, version), &table(version, 500_000));
        }
        assert!(kept.get(&(tenant, deck, 1)).is_some(), "2,000,000 fit");
        kept.put((tenant, deck, 5), &table(5, 1));
        assert!(kept.get(&(tenant, deck, 2)).is_none(), "the second was not asked for since");
        assert!(kept.get(&(tenant, deck, 1)).is_some());
        assert!(kept.get(&(TenantId::new(), deck, 1)).is_none(), "another book has none of it");
    }
}
