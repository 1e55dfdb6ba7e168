//! What a call is sold and bought for, level by level; written once.

use crate::error::Result;
use crate::explanation::read_currency;
use crate::upward::split::{CollectedFrom, Share};
use chrono::{DateTime, NaiveDate, Utc};
use db::{CallId, CustomerId, TenantId, TenantTx};
use money::{Money, Percent};
use rust_decimal::Decimal;
use sea_orm::FromQueryResult;
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// One level's price of a call.
#[derive(Clone, Debug)]
pub struct NewLeg {
    /// Where the call happened.
    pub origin: TenantId,
    pub call_id: CallId,
    /// `caller`, `seller`, `carrier`; with what corrects it.
    pub kind: &'static str,
    /// `None`: a carrier's.
    pub customer_id: Option<CustomerId>,
    pub currency: String,
    pub quantity_seconds: i32,
    /// `None`: a price over the whole period decides at its end.
    pub amount: Option<Money>,
    /// What the same is to the level below; `None` likewise.
    pub cost: Option<Money>,
    pub share_percent: Option<Decimal>,
    pub detail: String,
    /// Of a prepaid child: what its wallet could not pay.
    pub unpaid_micros: i64,
    /// Where this book collects for the level below.
    pub collected: Option<Collected>,
}

/// What a book collected for the level below.
#[derive(Clone, Debug)]
pub struct Collected {
    pub base: Money,
    pub owed: Money,
    pub started_at: DateTime<Utc>,
    pub called: String,
    pub batch_id: Uuid,
    pub shared_on: NaiveDate,
}

/// A column of what was collected; the flag column beside it says where it is NULL.
fn collected<T>(legs: &[NewLeg], of: impl Fn(&Collected) -> T, none: impl Fn() -> T) -> Vec<T> {
    legs.iter().map(|leg| leg.collected.as_ref().map_or_else(&none, &of)).collect()
}

/// Writes legs into this transaction's book; those that stand already stay.
pub async fn insert(tx: &TenantTx, legs: &[NewLeg], now: DateTime<Utc>) -> Result<()> {
    if legs.is_empty() {
        return Ok(());
    }
    tx.run(
        "INSERT INTO call_leg (tenant_id, call_id, book_id, kind, customer_id, currency, quantity_seconds, amount_micros, share_percent, detail, settled_at,
           base_micros, owed_micros, unpaid_micros)
         SELECT l.origin, l.call_id, $1, l.kind, nullif(l.customer_id, $17), l.currency, l.quantity_seconds,
           CASE WHEN l.has_amount THEN l.amount_micros END, CASE WHEN l.has_share THEN l.share_percent END, l.detail, $2,
           CASE WHEN l.collects THEN l.base_micros END, CASE WHEN l.collects THEN l.owed_micros END, l.unpaid_micros
         FROM unnest($3::uuid[], $4::uuid[], $5::text[], $6::uuid[], $7::text[], $8::int[], $9::bool[], $10::bigint[], $11::bool[], $12::numeric[], $13::text[],
             $14::bool[], $15::bigint[], $16::bigint[], $18::bigint[])
           AS l (origin, call_id, kind, customer_id, currency, quantity_seconds, has_amount, amount_micros, has_share, share_percent, detail,
             collects, base_micros, owed_micros, unpaid_micros)
         ON CONFLICT DO NOTHING",
        [
            tx.tenant_id().into(),
            now.into(),
            legs.iter().map(|leg| leg.origin.uuid()).collect::<Vec<_>>().into(),
            legs.iter().map(|leg| leg.call_id.uuid()).collect::<Vec<_>>().into(),
            legs.iter().map(|leg| leg.kind.to_owned()).collect::<Vec<_>>().into(),
            legs.iter().map(|leg| leg.customer_id.map_or(Uuid::nil(), CustomerId::uuid)).collect::<Vec<_>>().into(),
            legs.iter().map(|leg| leg.currency.clone()).collect::<Vec<_>>().into(),
            legs.iter().map(|leg| leg.quantity_seconds).collect::<Vec<_>>().into(),
            legs.iter().map(|leg| leg.amount.is_some()).collect::<Vec<_>>().into(),
            legs.iter().map(|leg| leg.amount.map_or(0, |amount| amount.micros())).collect::<Vec<_>>().into(),
            legs.iter().map(|leg| leg.share_percent.is_some()).collect::<Vec<_>>().into(),
            legs.iter().map(|leg| leg.share_percent.unwrap_or_default()).collect::<Vec<_>>().into(),
            legs.iter().map(|leg| leg.detail.clone()).collect::<Vec<_>>().into(),
            legs.iter().map(|leg| leg.collected.is_some()).collect::<Vec<_>>().into(),
            collected(legs, |collected| collected.base.micros(), || 0).into(),
            collected(legs, |collected| collected.owed.micros(), || 0).into(),
            Uuid::nil().into(),
            legs.iter().map(|leg| leg.unpaid_micros).collect::<Vec<_>>().into(),
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
        "INSERT INTO call_cost (tenant_id, call_id, kind, amount_micros, currency, share_percent, detail, settled_at,
           base_micros, owed_micros, started_at, called, quantity_seconds, batch_id, shared_on)
         SELECT $1, l.call_id, l.kind, CASE WHEN l.has_amount THEN l.amount_micros END, l.currency,
           CASE WHEN l.has_share THEN l.share_percent END, l.detail, $2,
           CASE WHEN l.collects THEN l.base_micros END, CASE WHEN l.collects THEN l.owed_micros END,
           CASE WHEN l.collects THEN l.started_at END, CASE WHEN l.collects THEN l.called END,
           CASE WHEN l.collects THEN l.quantity_seconds END, CASE WHEN l.collects THEN l.batch_id END,
           CASE WHEN l.collects THEN l.shared_on END
         FROM unnest($3::uuid[], $4::text[], $5::text[], $6::bool[], $7::bigint[], $8::bool[], $9::numeric[], $10::text[], $11::bool[], $12::bigint[],
             $13::bigint[], $14::timestamptz[], $15::text[], $16::int[], $17::uuid[], $18::date[])
           AS l (call_id, kind, currency, has_amount, amount_micros, has_share, share_percent, detail, collects, base_micros, owed_micros,
             started_at, called, quantity_seconds, batch_id, shared_on)
         ON CONFLICT DO NOTHING",
        [
            tx.tenant_id().into(),
            now.into(),
            legs.iter().map(|leg| leg.call_id.uuid()).collect::<Vec<_>>().into(),
            legs.iter().map(|leg| leg.kind.to_owned()).collect::<Vec<_>>().into(),
            legs.iter().map(|leg| leg.currency.clone()).collect::<Vec<_>>().into(),
            legs.iter().map(|leg| leg.cost.is_some()).collect::<Vec<_>>().into(),
            legs.iter().map(|leg| leg.cost.map_or(0, |cost| cost.micros())).collect::<Vec<_>>().into(),
            legs.iter().map(|leg| leg.share_percent.is_some()).collect::<Vec<_>>().into(),
            legs.iter().map(|leg| leg.share_percent.unwrap_or_default()).collect::<Vec<_>>().into(),
            legs.iter().map(|leg| leg.detail.clone()).collect::<Vec<_>>().into(),
            legs.iter().map(|leg| leg.collected.is_some()).collect::<Vec<_>>().into(),
            collected(legs, |collected| collected.base.micros(), || 0).into(),
            collected(legs, |collected| collected.owed.micros(), || 0).into(),
            collected(legs, |collected| collected.started_at, || now).into(),
            collected(legs, |collected| collected.called.clone(), String::new).into(),
            legs.iter().map(|leg| leg.quantity_seconds).collect::<Vec<_>>().into(),
            collected(legs, |collected| collected.batch_id, Uuid::nil).into(),
            collected(legs, |collected| collected.shared_on, || now.date_naive()).into(),
        ],
    )
    .await?;
    Ok(())
}

/// What a call stands at in this book: its leg and what corrected it. Without share: minutes only.
pub struct Standing {
    pub share: Option<Share>,
    /// What the child's wallet could not pay of it.
    pub unpaid_micros: i64,
}

/// The standing of calls that have a leg here.
pub async fn standing(tx: &TenantTx, ids: &[CallId]) -> Result<HashMap<CallId, Standing>> {
    #[derive(FromQueryResult)]
    struct Row {
        call_id: Uuid,
        currency: String,
        amount_micros: Option<i64>,
        share_percent: Option<Decimal>,
        base_micros: Option<i64>,
        owed_micros: Option<i64>,
        unpaid_micros: i64,
        from_network: bool,
    }
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    // A leg that was collected from above has its cost beside it, in the same book.
    let rows: Vec<Row> = tx
        .rows(
            "SELECT l.call_id, l.currency, sum(l.amount_micros)::bigint AS amount_micros, max(l.share_percent) AS share_percent,
               sum(l.base_micros)::bigint AS base_micros, sum(l.owed_micros)::bigint AS owed_micros,
               sum(l.unpaid_micros)::bigint AS unpaid_micros,
               NOT EXISTS (SELECT 1 FROM call_cost k WHERE k.tenant_id = $1 AND k.call_id = l.call_id AND k.owed_micros IS NOT NULL) AS from_network
             FROM call_leg l WHERE l.book_id = $1 AND l.call_id = ANY($2) AND l.kind IN ('seller', 'seller_correction')
             GROUP BY l.call_id, l.currency",
            [tx.tenant_id().into(), ids.iter().map(|id| id.uuid()).collect::<Vec<_>>().into()],
        )
        .await?;
    let standing_of = |row: Row| {
        let currency = read_currency(&row.currency)?;
        let money = |micros| Money::from_micros(micros, currency);
        let unpaid_micros = row.unpaid_micros;
        let share = match (row.amount_micros, row.share_percent) {
            (Some(amount), Some(percent)) => Some(Share {
                percent: Percent::new(percent)?,
                amount: money(amount),
                base: money(row.base_micros.unwrap_or(amount)),
                owed: row.owed_micros.map(|owed| {
                    let from = if row.from_network { CollectedFrom::Network } else { CollectedFrom::Seller };
                    (money(owed), from)
                }),
            }),
            _ => None,
        };
        Ok((row.call_id.into(), Standing { share, unpaid_micros }))
    };
    rows.into_iter().map(standing_of).collect()
}

/// Of these calls the ones that this book has sold to the level below.
pub async fn sold(tx: &TenantTx, ids: &[CallId]) -> Result<HashSet<CallId>> {
    #[derive(FromQueryResult)]
    struct Row {
        call_id: Uuid,
    }
    let rows: Vec<Row> = tx
        .rows(
            "SELECT call_id FROM call_leg WHERE book_id = $1 AND call_id = ANY($2) AND kind = 'seller'",
            [tx.tenant_id().into(), ids.iter().map(|id| id.uuid()).collect::<Vec<_>>().into()],
        )
        .await?;
    Ok(rows.into_iter().map(|row| row.call_id.into()).collect())
}

/// What carriers had for calls in this book, by call and currency.
pub async fn carrier_costs(tx: &TenantTx, ids: &[CallId]) -> Result<HashMap<(CallId, String), i64>> {
    #[derive(FromQueryResult)]
    struct Row {
        call_id: Uuid,
        currency: String,
        micros: i64,
    }
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<Row> = tx
        .rows(
            "SELECT call_id, currency, coalesce(sum(amount_micros), 0)::bigint AS micros FROM call_leg
             WHERE book_id = $1 AND call_id = ANY($2) AND kind IN ('carrier', 'carrier_correction') GROUP BY 1, 2",
            [tx.tenant_id().into(), ids.iter().map(|id| id.uuid()).collect::<Vec<_>>().into()],
        )
        .await?;
    Ok(rows.into_iter().map(|row| ((row.call_id.into(), row.currency), row.micros)).collect())
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
