//! Calls that the book's seller collected.

use crate::error::Result;
use crate::statement::SharedPlace;
use chrono::{DateTime, NaiveDate, Utc};
use db::TenantTx;
use rust_decimal::Decimal;
use sea_orm::FromQueryResult;
use uuid::Uuid;

#[derive(FromQueryResult)]
pub struct Row {
    pub call_id: Uuid,
    pub kind: String,
    pub currency: String,
    pub started_at: DateTime<Utc>,
    pub called: String,
    pub quantity_seconds: i32,
    pub base_micros: i64,
    pub share_percent: Option<Decimal>,
    pub owed_micros: i64,
    pub shared_on: NaiveDate,
}

pub async fn page(
    tx: &TenantTx,
    batches: &[(Uuid, NaiveDate)],
    after: Option<&SharedPlace>,
    limit: u64,
) -> Result<Vec<Row>> {
    let rows = tx
        .rows(
            "SELECT k.call_id, k.kind, k.currency, k.started_at, k.called, k.quantity_seconds, k.base_micros, k.share_percent, k.owed_micros,
               k.shared_on
             FROM (SELECT DISTINCT * FROM unnest($2::uuid[], $3::date[]) AS w (batch_id, shared_on)) w
             JOIN call_cost k ON k.tenant_id = $1 AND k.batch_id = w.batch_id AND k.shared_on = w.shared_on AND k.owed_micros IS NOT NULL
             WHERE $4::timestamptz IS NULL OR (k.started_at, k.call_id, k.kind) > ($4, $5, $6)
             ORDER BY k.started_at, k.call_id, k.kind LIMIT $7",
            [
                tx.tenant_id().into(),
                batches.iter().map(|(id, _)| *id).collect::<Vec<_>>().into(),
                batches.iter().map(|(_, on)| *on).collect::<Vec<_>>().into(),
                after.map(|(at, ..)| *at).into(),
                after.map(|(_, id, _)| id.uuid()).into(),
                after.map(|(_, _, kind)| kind.clone()).into(),
                i64::try_from(limit).unwrap_or(i64::MAX).into(),
            ],
        )
        .await?;
    Ok(rows)
}
