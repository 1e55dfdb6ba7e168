//! An outgoing call as one book knows it. A call's rows are locked one book at a time.

use crate::error::Result;
use crate::store::carriers::Place;
use chrono::{DateTime, Utc};
use db::{CarrierId, CustomerId, TenantTx};
use sea_orm::FromQueryResult;
use serde_json::Value;
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

/// What a call came to in this book.
pub struct Over {
    pub charge_micros: i64,
    pub cost_micros: Option<i64>,
    pub flag: Option<String>,
    pub ended_at: DateTime<Utc>,
}

pub async fn end(tx: &TenantTx, of: Place, over: &Over) -> Result<()> {
    tx.run(
        "UPDATE outgoing_call SET charge_micros = $4, cost_micros = $5, flag = coalesce(flag, $6), ended_at = $7, held_micros = 0
         WHERE tenant_id = $2 AND call_id = $3 AND book_id = $1",
        [
            tx.tenant_id().into(),
            of.origin.into(),
            of.call_id.into(),
            over.charge_micros.into(),
            over.cost_micros.into(),
            over.flag.clone().into(),
            over.ended_at.into(),
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
