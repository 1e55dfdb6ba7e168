//! The calls behind what a seller owes: read by the one who is owed, in its own book.

use crate::error::Result;
use crate::explanation::read_currency;
use crate::store::shared;
use chrono::{DateTime, NaiveDate, Utc};
use db::{CallId, TenantTx};
use money::{Decimal, Money};
use uuid::Uuid;

/// One call, or a correction to one, as its payee knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct SharedCall {
    pub call_id: CallId,
    /// `seller`, `seller_correction`, `seller_reversal`.
    pub kind: String,
    pub started_at: DateTime<Utc>,
    pub called: String,
    pub seconds: i32,
    /// What the seller received, net of tax.
    pub base: Money,
    /// What the seller keeps of it, in percent.
    pub share_percent: Option<Decimal>,
    pub owed: Money,
    pub shared_on: NaiveDate,
}

/// The place in a list of shared calls.
pub type SharedPlace = (DateTime<Utc>, CallId, String);

/// The calls of these batches and days, oldest first, after a place; at most `limit`.
pub async fn shared_calls(
    tx: &TenantTx,
    batches: &[(Uuid, NaiveDate)],
    after: Option<&SharedCall>,
    limit: u64,
) -> Result<Vec<SharedCall>> {
    let place = after.map(|call| (call.started_at, call.call_id, call.kind.clone()));
    let rows = shared::page(tx, batches, place.as_ref(), limit).await?;
    let read = |row: shared::Row| {
        let currency = read_currency(&row.currency)?;
        Ok(SharedCall {
            call_id: row.call_id.into(),
            kind: row.kind,
            started_at: row.started_at,
            called: row.called,
            seconds: row.quantity_seconds,
            base: Money::from_micros(row.base_micros, currency),
            share_percent: row.share_percent,
            owed: Money::from_micros(row.owed_micros, currency),
            shared_on: row.shared_on,
        })
    };
    rows.into_iter().map(read).collect()
}
