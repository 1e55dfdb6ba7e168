//! What a call is sold and bought for, level by level; written once.

use crate::error::Result;
use chrono::{DateTime, Utc};
use db::{CallId, CustomerId, TenantId, TenantTx};
use money::Money;
use rust_decimal::Decimal;
use sea_orm::FromQueryResult;
use uuid::Uuid;

/// One level's price of a call.
#[derive(Clone, Debug)]
pub struct NewLeg {
    /// Where the call happened.
    pub origin: TenantId,
    pub call_id: CallId,
    /// `caller` or `seller`.
    pub kind: &'static str,
    pub customer_id: CustomerId,
    pub currency: String,
    pub quantity_seconds: i32,
    /// `None`: a price over the whole period decides at its end.
    pub amount: Option<Money>,
    pub share_percent: Option<Decimal>,
    pub detail: String,
}

/// Writes legs into this transaction's book; those that stand already stay.
pub async fn insert(tx: &TenantTx, legs: &[NewLeg], now: DateTime<Utc>) -> Result<()> {
    if legs.is_empty() {
        return Ok(());
    }
    tx.run(
        "INSERT INTO call_leg (tenant_id, call_id, book_id, kind, customer_id, currency, quantity_seconds, amount_micros, share_percent, detail, settled_at)
         SELECT l.origin, l.call_id, $1, l.kind, l.customer_id, l.currency, l.quantity_seconds,
           CASE WHEN l.has_amount THEN l.amount_micros END, CASE WHEN l.has_share THEN l.share_percent END, l.detail, $2
         FROM unnest($3::uuid[], $4::uuid[], $5::text[], $6::uuid[], $7::text[], $8::int[], $9::bool[], $10::bigint[], $11::bool[], $12::numeric[], $13::text[])
           AS l (origin, call_id, kind, customer_id, currency, quantity_seconds, has_amount, amount_micros, has_share, share_percent, detail)
         ON CONFLICT DO NOTHING",
        [
            tx.tenant_id().into(),
            now.into(),
            legs.iter().map(|leg| leg.origin.uuid()).collect::<Vec<_>>().into(),
            legs.iter().map(|leg| leg.call_id.uuid()).collect::<Vec<_>>().into(),
            legs.iter().map(|leg| leg.kind.to_owned()).collect::<Vec<_>>().into(),
            legs.iter().map(|leg| leg.customer_id.uuid()).collect::<Vec<_>>().into(),
            legs.iter().map(|leg| leg.currency.clone()).collect::<Vec<_>>().into(),
            legs.iter().map(|leg| leg.quantity_seconds).collect::<Vec<_>>().into(),
            legs.iter().map(|leg| leg.amount.is_some()).collect::<Vec<_>>().into(),
            legs.iter().map(|leg| leg.amount.map_or(0, |amount| amount.micros())).collect::<Vec<_>>().into(),
            legs.iter().map(|leg| leg.share_percent.is_some()).collect::<Vec<_>>().into(),
            legs.iter().map(|leg| leg.share_percent.unwrap_or_default()).collect::<Vec<_>>().into(),
            legs.iter().map(|leg| leg.detail.clone()).collect::<Vec<_>>().into(),
        ],
    )
    .await?;
    Ok(())
}

/// What the book of this transaction pays its seller for calls: the same figures, projected into the payer's own book.
pub async fn insert_costs(tx: &TenantTx, legs: &[NewLeg], now: DateTime<Utc>) -> Result<()> {
    if legs.is_empty() {
        return Ok(());
    }
    tx.run(
        "INSERT INTO call_cost (tenant_id, call_id, kind, amount_micros, currency, share_percent, detail, settled_at)
         SELECT $1, l.call_id, 'seller', CASE WHEN l.has_amount THEN l.amount_micros END, l.currency,
           CASE WHEN l.has_share THEN l.share_percent END, l.detail, $2
         FROM unnest($3::uuid[], $4::text[], $5::bool[], $6::bigint[], $7::bool[], $8::numeric[], $9::text[])
           AS l (call_id, currency, has_amount, amount_micros, has_share, share_percent, detail)
         ON CONFLICT DO NOTHING",
        [
            tx.tenant_id().into(),
            now.into(),
            legs.iter().map(|leg| leg.call_id.uuid()).collect::<Vec<_>>().into(),
            legs.iter().map(|leg| leg.currency.clone()).collect::<Vec<_>>().into(),
            legs.iter().map(|leg| leg.amount.is_some()).collect::<Vec<_>>().into(),
            legs.iter().map(|leg| leg.amount.map_or(0, |amount| amount.micros())).collect::<Vec<_>>().into(),
            legs.iter().map(|leg| leg.share_percent.is_some()).collect::<Vec<_>>().into(),
            legs.iter().map(|leg| leg.share_percent.unwrap_or_default()).collect::<Vec<_>>().into(),
            legs.iter().map(|leg| leg.detail.clone()).collect::<Vec<_>>().into(),
        ],
    )
    .await?;
    Ok(())
}

/// What a carrier asks for a call.
pub struct CarrierLeg<'a> {
    pub origin: TenantId,
    pub call_id: CallId,
    pub amount: Money,
    pub quantity_seconds: i32,
    pub detail: &'a str,
}

/// Writes a carrier's leg into the book that has the carrier.
pub async fn insert_carrier(tx: &TenantTx, leg: &CarrierLeg<'_>, now: DateTime<Utc>) -> Result<()> {
    tx.run(
        "INSERT INTO call_leg (tenant_id, call_id, book_id, kind, currency, quantity_seconds, amount_micros, detail, settled_at)
         VALUES ($2, $3, $1, 'carrier', $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
        [
            tx.tenant_id().into(),
            leg.origin.into(),
            leg.call_id.into(),
            leg.amount.currency().code().into(),
            leg.quantity_seconds.into(),
            leg.amount.micros().into(),
            leg.detail.into(),
            now.into(),
        ],
    )
    .await?;
    Ok(())
}

/// The same as what the call costs this book: it is where the call happened.
pub async fn insert_carrier_cost(tx: &TenantTx, leg: &CarrierLeg<'_>, now: DateTime<Utc>) -> Result<()> {
    tx.run(
        "INSERT INTO call_cost (tenant_id, call_id, kind, amount_micros, currency, detail, settled_at)
         VALUES ($1, $2, 'carrier', $3, $4, $5, $6) ON CONFLICT DO NOTHING",
        [
            tx.tenant_id().into(),
            leg.call_id.into(),
            leg.amount.micros().into(),
            leg.amount.currency().code().into(),
            leg.detail.into(),
            now.into(),
        ],
    )
    .await?;
    Ok(())
}

/// A leg as its own book reads it.
#[derive(FromQueryResult)]
pub struct LegRow {
    pub kind: String,
    pub customer_id: Option<Uuid>,
    pub currency: String,
    pub quantity_seconds: i32,
    pub amount_micros: Option<i64>,
    pub share_percent: Option<Decimal>,
    pub detail: String,
    pub settled_at: DateTime<Utc>,
}

pub async fn of_call(tx: &TenantTx, call_id: CallId) -> Result<Vec<LegRow>> {
    let rows = tx
        .rows(
            "SELECT kind, customer_id, currency, quantity_seconds, amount_micros, share_percent, detail, settled_at FROM call_leg
             WHERE book_id = $1 AND call_id = $2 AND tenant_id = $1 ORDER BY kind",
            [tx.tenant_id().into(), call_id.into()],
        )
        .await?;
    Ok(rows)
}

/// A cost as the payer's book reads it.
#[derive(FromQueryResult)]
pub struct CostRow {
    pub kind: String,
    pub amount_micros: Option<i64>,
    pub currency: String,
    pub share_percent: Option<Decimal>,
    pub detail: String,
    pub settled_at: DateTime<Utc>,
}

pub async fn costs_of_call(tx: &TenantTx, call_id: CallId) -> Result<Vec<CostRow>> {
    let rows = tx
        .rows(
            "SELECT kind, amount_micros, currency, share_percent, detail, settled_at FROM call_cost
             WHERE tenant_id = $1 AND call_id = $2 ORDER BY kind",
            [tx.tenant_id().into(), call_id.into()],
        )
        .await?;
    Ok(rows)
}
