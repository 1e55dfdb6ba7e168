use crate::error::UsageError;
use crate::suspense::{NewSuspense, Suspended, SuspenseCause, SuspenseSummary};
use chrono::{DateTime, Utc};
use db::{DbError, PlatformTx, SuspenseId, TenantTx};
use sea_orm::FromQueryResult;
use serde_json::Value;
use uuid::Uuid;

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    cause: String,
    detail: String,
    payload: Value,
    received_at: DateTime<Utc>,
}

fn read(row: Row) -> Result<Suspended, UsageError> {
    let cause = SuspenseCause::read(&row.cause)?;
    Ok(Suspended { id: row.id.into(), cause, detail: row.detail, payload: row.payload, received_at: row.received_at })
}

pub async fn insert(tx: &TenantTx, rows: &[NewSuspense], now: DateTime<Utc>) -> Result<(), DbError> {
    if rows.is_empty() {
        return Ok(());
    }
    tx.run(
        "INSERT INTO suspense (tenant_id, id, cause, detail, payload, received_at)
         SELECT $1, u.id, u.cause, u.detail, u.payload::jsonb, $2
         FROM unnest($3::uuid[], $4::text[], $5::text[], $6::text[]) AS u(id, cause, detail, payload)
         ORDER BY u.id ON CONFLICT (tenant_id, id) DO NOTHING",
        [
            tx.tenant_id().into(),
            now.into(),
            rows.iter().map(|row| row.id.uuid()).collect::<Vec<Uuid>>().into(),
            rows.iter().map(|row| row.cause.as_str().to_owned()).collect::<Vec<String>>().into(),
            rows.iter().map(|row| row.detail.clone()).collect::<Vec<String>>().into(),
            rows.iter().map(|row| row.payload.to_string()).collect::<Vec<String>>().into(),
        ],
    )
    .await?;
    Ok(())
}

pub async fn open(tx: &TenantTx, limit: u64) -> Result<Vec<Suspended>, UsageError> {
    let rows: Vec<Row> = tx
        .rows(
            "SELECT id, cause, detail, payload, received_at FROM suspense
             WHERE tenant_id = $1 AND resolved_at IS NULL ORDER BY received_at, id LIMIT $2",
            [tx.tenant_id().into(), (limit as i64).into()],
        )
        .await?;
    rows.into_iter().map(read).collect()
}

pub async fn of_cause(tx: &TenantTx, cause: SuspenseCause, limit: u64) -> Result<Vec<Suspended>, UsageError> {
    let rows: Vec<Row> = tx
        .rows(
            "SELECT id, cause, detail, payload, received_at FROM suspense
             WHERE tenant_id = $1 AND cause = $2 AND resolved_at IS NULL ORDER BY received_at, id LIMIT $3",
            [tx.tenant_id().into(), cause.as_str().into(), (limit as i64).into()],
        )
        .await?;
    rows.into_iter().map(read).collect()
}

/// The oldest open entries of a cause, after one of them; held until the transaction ends.
pub async fn lock_some(
    tx: &TenantTx,
    cause: SuspenseCause,
    after: Option<(DateTime<Utc>, SuspenseId)>,
    limit: u64,
) -> Result<Vec<Suspended>, UsageError> {
    let (at, id) = after.map_or((None, None), |(at, id)| (Some(at), Some(id.uuid())));
    let rows: Vec<Row> = tx
        .rows(
            "SELECT id, cause, detail, payload, received_at FROM suspense
             WHERE tenant_id = $1 AND cause = $2 AND resolved_at IS NULL
               AND ($4::timestamptz IS NULL OR (received_at, id) > ($4, $5))
             ORDER BY received_at, id LIMIT $3 FOR UPDATE",
            [tx.tenant_id().into(), cause.as_str().into(), (limit as i64).into(), at.into(), id.into()],
        )
        .await?;
    rows.into_iter().map(read).collect()
}

/// Closes many at once; how many were open.
pub async fn resolve_many(
    tx: &TenantTx,
    ids: &[SuspenseId],
    resolution: &str,
    now: DateTime<Utc>,
) -> Result<u64, DbError> {
    tx.run(
        "UPDATE suspense SET resolved_at = $4, resolution = $3 WHERE tenant_id = $1 AND id = ANY ($2) AND resolved_at IS NULL",
        [
            tx.tenant_id().into(),
            ids.iter().map(|id| id.uuid()).collect::<Vec<Uuid>>().into(),
            resolution.into(),
            now.into(),
        ],
    )
    .await
}

#[derive(FromQueryResult)]
struct Count {
    cause: String,
    waiting: i64,
    oldest_at: DateTime<Utc>,
}

fn counted(rows: Vec<Count>) -> Result<Vec<SuspenseSummary>, UsageError> {
    let summary = |row: Count| {
        let cause = SuspenseCause::read(&row.cause)?;
        Ok(SuspenseSummary { cause, waiting: row.waiting.unsigned_abs(), oldest_at: row.oldest_at })
    };
    rows.into_iter().map(summary).collect()
}

pub async fn summary(tx: &TenantTx) -> Result<Vec<SuspenseSummary>, UsageError> {
    let sql = "SELECT cause, count(*) AS waiting, min(received_at) AS oldest_at FROM suspense
               WHERE tenant_id = $1 AND resolved_at IS NULL GROUP BY cause ORDER BY cause";
    counted(tx.rows(sql, [tx.tenant_id().into()]).await?)
}

/// Of all books.
pub async fn anywhere(ptx: &PlatformTx) -> Result<Vec<SuspenseSummary>, UsageError> {
    let sql = "SELECT cause, count(*) AS waiting, min(received_at) AS oldest_at FROM suspense
               WHERE resolved_at IS NULL GROUP BY cause ORDER BY cause";
    counted(ptx.rows(sql, []).await?)
}

/// An open entry, held until the transaction ends: two retries at once count it once.
pub async fn lock(tx: &TenantTx, id: SuspenseId) -> Result<Option<Suspended>, UsageError> {
    let row: Option<Row> = tx
        .row(
            "SELECT id, cause, detail, payload, received_at FROM suspense WHERE tenant_id = $1 AND id = $2 AND resolved_at IS NULL FOR UPDATE",
            [tx.tenant_id().into(), id.into()],
        )
        .await?;
    row.map(read).transpose()
}

pub async fn resolve(tx: &TenantTx, id: SuspenseId, resolution: &str, now: DateTime<Utc>) -> Result<u64, DbError> {
    tx.run(
        "UPDATE suspense SET resolved_at = $4, resolution = $3 WHERE tenant_id = $1 AND id = $2 AND resolved_at IS NULL",
        [tx.tenant_id().into(), id.into(), resolution.into(), now.into()],
    )
    .await
}
