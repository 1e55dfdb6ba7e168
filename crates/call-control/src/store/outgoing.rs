//! An outgoing call as one book knows it. A call's rows are locked one book at a time.

use crate::error::Result;
use crate::store::carriers::Place;
use chrono::{DateTime, Utc};
use db::{CallId, CarrierId, CustomerId, TenantId, TenantTx};
use sea_orm::FromQueryResult;
use serde_json::Value;
use std::collections::HashMap;
use uuid::Uuid;

#[derive(Clone, Debug, FromQueryResult)]
pub struct OutgoingRow {
    /// Where the call happened.
    pub tenant_id: Uuid,
    pub call_id: Uuid,
    pub customer_id: Uuid,
    pub called: String,
    pub class: Option<String>,
    pub started_at: DateTime<Utc>,
    pub carrier_id: Option<Uuid>,
    pub decision: Value,
    pub flag: Option<String>,
    pub currency: String,
    pub charge_micros: Option<i64>,
    pub cost_micros: Option<i64>,
    pub ended_at: Option<DateTime<Utc>>,
}

/// What is written when a book takes a call, and whenever it holds more.
pub struct Taken<'a> {
    pub of: Place,
    pub customer_id: CustomerId,
    pub called: &'a str,
    pub class: Option<&'a str>,
    pub started_at: DateTime<Utc>,
    pub carrier_id: Option<CarrierId>,
    pub decision: Value,
    pub flag: Option<&'a str>,
    pub currency: &'a str,
    pub held_micros: i64,
    pub lease_until: DateTime<Utc>,
    /// It is over, or was never let out.
    pub ended_at: Option<DateTime<Utc>>,
}

/// Writes a book's row; one that is there and not over is written anew: another route was taken.
pub async fn put(tx: &TenantTx, taken: &Taken<'_>) -> Result<()> {
    tx.run(
        "INSERT INTO outgoing_call (tenant_id, call_id, book_id, customer_id, called, class, started_at, carrier_id, decision, flag,
           currency, held_micros, lease_until, ended_at)
         VALUES ($2, $3, $1, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
         ON CONFLICT (tenant_id, call_id, book_id) DO UPDATE SET carrier_id = $8, decision = $9, flag = $10, held_micros = $12,
           lease_until = $13, ended_at = $14
         WHERE outgoing_call.charge_micros IS NULL",
        [
            tx.tenant_id().into(),
            taken.of.origin.into(),
            taken.of.call_id.into(),
            taken.customer_id.into(),
            taken.called.into(),
            taken.class.map(str::to_owned).into(),
            taken.started_at.into(),
            taken.carrier_id.map(CarrierId::uuid).into(),
            taken.decision.clone().into(),
            taken.flag.map(str::to_owned).into(),
            taken.currency.into(),
            taken.held_micros.into(),
            taken.lease_until.into(),
            taken.ended_at.into(),
        ],
    )
    .await?;
    Ok(())
}

const COLUMNS: &str = "SELECT tenant_id, call_id, customer_id, called, class, started_at, carrier_id, decision, flag, currency, \
     charge_micros, cost_micros, ended_at FROM outgoing_call";

pub async fn find(tx: &TenantTx, of: Place) -> Result<Option<OutgoingRow>> {
    let rows: Vec<OutgoingRow> = tx
        .rows(
            &format!("{COLUMNS} WHERE tenant_id = $2 AND call_id = $3 AND book_id = $1"),
            [tx.tenant_id().into(), of.origin.into(), of.call_id.into()],
        )
        .await?;
    Ok(rows.into_iter().next())
}

/// The same of many calls of an origin.
pub async fn find_many(tx: &TenantTx, origin: TenantId, ids: &[CallId]) -> Result<HashMap<CallId, OutgoingRow>> {
    let rows: Vec<OutgoingRow> = tx
        .rows(
            &format!("{COLUMNS} WHERE tenant_id = $2 AND call_id = ANY($3) AND book_id = $1"),
            [tx.tenant_id().into(), origin.into(), ids.iter().map(|id| id.uuid()).collect::<Vec<_>>().into()],
        )
        .await?;
    Ok(rows.into_iter().map(|row| (row.call_id.into(), row)).collect())
}

/// Holds so much in all for a call that runs.
pub async fn hold(tx: &TenantTx, of: Place, held_micros: i64, lease_until: DateTime<Utc>) -> Result<()> {
    tx.run(
        "UPDATE outgoing_call SET held_micros = $4, lease_until = $5
         WHERE tenant_id = $2 AND call_id = $3 AND book_id = $1 AND ended_at IS NULL",
        [tx.tenant_id().into(), of.origin.into(), of.call_id.into(), held_micros.into(), lease_until.into()],
    )
    .await?;
    Ok(())
}

/// A call has gone another way, or nobody has answered it: it is over for this book, which it never cost anything.
pub async fn leave(tx: &TenantTx, of: Place, at: DateTime<Utc>) -> Result<()> {
    tx.run(
        "UPDATE outgoing_call SET held_micros = 0, lease_until = $4, ended_at = $4
         WHERE tenant_id = $2 AND call_id = $3 AND book_id = $1 AND ended_at IS NULL",
        [tx.tenant_id().into(), of.origin.into(), of.call_id.into(), at.into()],
    )
    .await?;
    Ok(())
}

/// What a call, or what corrects it, came to in this book.
pub struct Over {
    pub call_id: CallId,
    pub charge_micros: i64,
    pub cost_micros: Option<i64>,
    pub flag: Option<String>,
    pub ended_at: DateTime<Utc>,
}

/// Adds it to what the calls of an origin came to before: what counts against limits from now on.
pub async fn end(tx: &TenantTx, origin: TenantId, over: &[Over]) -> Result<()> {
    if over.is_empty() {
        return Ok(());
    }
    tx.run(
        "UPDATE outgoing_call o SET charge_micros = coalesce(o.charge_micros, 0) + e.charge_micros,
           cost_micros = CASE WHEN e.has_cost THEN coalesce(o.cost_micros, 0) + e.cost_micros ELSE o.cost_micros END,
           flag = coalesce(o.flag, nullif(e.flag, '')), ended_at = coalesce(o.ended_at, e.ended_at), held_micros = 0
         FROM unnest($3::uuid[], $4::bigint[], $5::bool[], $6::bigint[], $7::text[], $8::timestamptz[])
           AS e (call_id, charge_micros, has_cost, cost_micros, flag, ended_at)
         WHERE o.tenant_id = $2 AND o.call_id = e.call_id AND o.book_id = $1",
        [
            tx.tenant_id().into(),
            origin.into(),
            over.iter().map(|over| over.call_id.uuid()).collect::<Vec<_>>().into(),
            over.iter().map(|over| over.charge_micros).collect::<Vec<_>>().into(),
            over.iter().map(|over| over.cost_micros.is_some()).collect::<Vec<_>>().into(),
            over.iter().map(|over| over.cost_micros.unwrap_or(0)).collect::<Vec<_>>().into(),
            over.iter().map(|over| over.flag.clone().unwrap_or_default()).collect::<Vec<_>>().into(),
            over.iter().map(|over| over.ended_at).collect::<Vec<_>>().into(),
        ],
    )
    .await?;
    Ok(())
}

/// Writes to whom a call that is over was given, of one that came without its route.
pub async fn route(tx: &TenantTx, of: Place, carrier_id: Option<CarrierId>, decision: Value) -> Result<()> {
    tx.run(
        "UPDATE outgoing_call SET carrier_id = $4, decision = $5
         WHERE tenant_id = $2 AND call_id = $3 AND book_id = $1 AND carrier_id IS NULL",
        [
            tx.tenant_id().into(),
            of.origin.into(),
            of.call_id.into(),
            carrier_id.map(CarrierId::uuid).into(),
            decision.into(),
        ],
    )
    .await?;
    Ok(())
}

/// Which rows of a book are wanted, the newest first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter {
    pub carrier_id: Option<Uuid>,
    pub customer_id: Option<Uuid>,
    pub only_flagged: bool,
    pub limit: i64,
}

pub async fn newest(tx: &TenantTx, filter: &Filter) -> Result<Vec<OutgoingRow>> {
    Ok(tx
        .rows(
            &format!(
                "{COLUMNS} WHERE book_id = $1 AND ($2::uuid IS NULL OR carrier_id = $2) AND ($3::uuid IS NULL OR customer_id = $3)
                 AND (NOT $4 OR flag IS NOT NULL) ORDER BY started_at DESC LIMIT $5"
            ),
            [
                tx.tenant_id().into(),
                filter.carrier_id.into(),
                filter.customer_id.into(),
                filter.only_flagged.into(),
                filter.limit.into(),
            ],
        )
        .await?)
}
