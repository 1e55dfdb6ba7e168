//! What of a call the books above must know.

use crate::error::Result;
use chrono::{DateTime, Utc};
use db::{CallId, TenantTx};
use sea_orm::FromQueryResult;
use uuid::Uuid;

#[derive(Clone, Debug, FromQueryResult)]
pub struct FactRow {
    pub id: Uuid,
    pub started_at: DateTime<Utc>,
    pub ended_at: DateTime<Utc>,
    pub called: String,
    pub number_id: Uuid,
    pub handled_by: Option<String>,
    pub holds_upward: bool,
    pub currency: Option<String>,
    /// `None`: never metered.
    pub billed_seconds: Option<i32>,
    pub net_micros: Option<i64>,
}

/// Ended calls, by their start.
pub async fn facts(tx: &TenantTx, ids: &[CallId]) -> Result<Vec<FactRow>> {
    let rows = tx
        .rows(
            "SELECT id, started_at, ended_at, called, number_id, handled_by, holds_upward, currency, billed_seconds, net_micros
             FROM call WHERE tenant_id = $1 AND id = ANY($2) AND ended_at IS NOT NULL ORDER BY started_at, id",
            [tx.tenant_id().into(), ids.iter().map(|id| id.uuid()).collect::<Vec<_>>().into()],
        )
        .await?;
    Ok(rows)
}

/// Is a message of this topic and key there, delivered or not?
pub async fn is_enqueued(tx: &TenantTx, topic: &str, key: &str) -> Result<bool> {
    let found: Option<bool> = tx
        .value(
            "SELECT EXISTS (SELECT 1 FROM outbox WHERE tenant_id = $1 AND topic = $2 AND key = $3) AS v",
            [tx.tenant_id().into(), topic.into(), key.into()],
        )
        .await?;
    Ok(found.unwrap_or(false))
}

/// Metered spans that touch `[from, to)`.
pub async fn spans(
    tx: &TenantTx,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<(DateTime<Utc>, DateTime<Utc>)>> {
    #[derive(FromQueryResult)]
    struct Row {
        starts_at: DateTime<Utc>,
        ends_at: DateTime<Utc>,
    }
    // A call lasts a day at most: the range on started_at lets the index answer.
    let rows: Vec<Row> = tx
        .rows(
            "SELECT coalesce(answered_at, started_at) AS starts_at, coalesce(ended_at, $3) AS ends_at FROM call
             WHERE tenant_id = $1 AND started_at >= $2 - interval '1 day' AND started_at < $3 AND coalesce(ended_at, $3) > $2",
            [tx.tenant_id().into(), from.into(), to.into()],
        )
        .await?;
    Ok(rows.into_iter().map(|row| (row.starts_at, row.ends_at)).collect())
}
