use crate::error::Result;
use crate::life::{Due, Subscription};
use chrono::{DateTime, Utc};
use db::{CustomerId, TenantTx};
use sea_orm::FromQueryResult;
use uuid::Uuid;

#[derive(FromQueryResult)]
struct DueRow {
    id: Uuid,
    customer_id: Uuid,
    next_look_at: DateTime<Utc>,
    trial_is_over: bool,
}

/// Subscriptions that the clock has something to do with, locked; other workers skip them.
pub(crate) async fn due(tx: &TenantTx, limit: u64, now: DateTime<Utc>) -> Result<Vec<Due>> {
    let rows: Vec<DueRow> = tx
        .rows(
            "SELECT id, customer_id, next_look_at, coalesce(trial_ends_at <= $2, false) AS trial_is_over
             FROM subscription WHERE tenant_id = $1 AND next_look_at <= $2
             ORDER BY next_look_at, id LIMIT $3 FOR UPDATE SKIP LOCKED",
            [tx.tenant_id().into(), now.into(), i64::try_from(limit).unwrap_or(i64::MAX).into()],
        )
        .await?;
    let due = |row: DueRow| Due {
        subscription_id: row.id.into(),
        customer_id: row.customer_id.into(),
        since: row.next_look_at,
        trial_is_over: row.trial_is_over,
    };
    Ok(rows.into_iter().map(due).collect())
}

#[derive(FromQueryResult)]
struct CustomerRow {
    customer_id: Uuid,
}

/// Writes that something was told; `false` when it had been before.
pub(crate) async fn tell(tx: &TenantTx, of: &Subscription, kind: &str, at: DateTime<Utc>) -> Result<bool> {
    let written = tx
        .run(
            "INSERT INTO subscription_event (tenant_id, subscription_id, kind, at, customer_id) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT DO NOTHING",
            [tx.tenant_id().into(), of.id.into(), kind.into(), at.into(), of.customer_id.into()],
        )
        .await?;
    Ok(written > 0)
}

/// It goes on without a means of payment, past due since its trial ended.
pub(crate) async fn method_missing(tx: &TenantTx, of: &Subscription, since: DateTime<Utc>) -> Result<()> {
    tx.run(
        "UPDATE subscription SET method_missing_since = $3 WHERE tenant_id = $1 AND id = $2",
        [tx.tenant_id().into(), of.id.into(), since.into()],
    )
    .await?;
    Ok(())
}

pub(crate) async fn customers_without_method(tx: &TenantTx) -> Result<Vec<CustomerId>> {
    let rows: Vec<CustomerRow> = tx
        .rows(
            "SELECT DISTINCT customer_id FROM subscription
             WHERE tenant_id = $1 AND method_missing_since IS NOT NULL ORDER BY customer_id",
            [tx.tenant_id().into()],
        )
        .await?;
    Ok(rows.into_iter().map(|row| row.customer_id.into()).collect())
}

/// True when something waited for it.
pub(crate) async fn method_arrived(tx: &TenantTx, customer_id: CustomerId) -> Result<bool> {
    let touched = tx
        .run(
            "UPDATE subscription SET method_missing_since = NULL
             WHERE tenant_id = $1 AND customer_id = $2 AND method_missing_since IS NOT NULL",
            [tx.tenant_id().into(), customer_id.into()],
        )
        .await?;
    Ok(touched > 0)
}

#[derive(FromQueryResult)]
struct OwingRow {
    customer_id: Uuid,
    since: DateTime<Utc>,
}

/// Marks what is in service of customers who owe; those that were marked before stay as they are.
pub(crate) async fn fall_due(
    tx: &TenantTx,
    overdue: &[(CustomerId, DateTime<Utc>)],
    now: DateTime<Utc>,
) -> Result<Vec<(CustomerId, DateTime<Utc>)>> {
    let customers: Vec<Uuid> = overdue.iter().map(|(id, _)| id.uuid()).collect();
    let since: Vec<DateTime<Utc>> = overdue.iter().map(|(_, since)| *since).collect();
    let rows: Vec<OwingRow> = tx
        .rows(
            "WITH marked AS (
               UPDATE subscription s SET past_due_since = owing.since
               FROM unnest($2::uuid[], $3::timestamptz[]) AS owing (customer_id, since)
               WHERE s.tenant_id = $1 AND s.customer_id = owing.customer_id AND s.past_due_since IS NULL
                 AND (s.cancelled_at IS NULL OR s.cancelled_at > $4)
               RETURNING s.customer_id, owing.since)
             SELECT customer_id, min(since) AS since FROM marked GROUP BY customer_id ORDER BY customer_id",
            [tx.tenant_id().into(), customers.into(), since.into(), now.into()],
        )
        .await?;
    Ok(rows.into_iter().map(|row| (row.customer_id.into(), row.since)).collect())
}

/// Takes the mark off the subscriptions of everybody else.
pub(crate) async fn paid_up(tx: &TenantTx, owing: &[CustomerId]) -> Result<Vec<CustomerId>> {
    let owing: Vec<Uuid> = owing.iter().map(|id| id.uuid()).collect();
    let rows: Vec<CustomerRow> = tx
        .rows(
            "WITH cleared AS (
               UPDATE subscription SET past_due_since = NULL
               WHERE tenant_id = $1 AND past_due_since IS NOT NULL AND customer_id <> ALL($2) RETURNING customer_id)
             SELECT DISTINCT customer_id FROM cleared ORDER BY customer_id",
            [tx.tenant_id().into(), owing.into()],
        )
        .await?;
    Ok(rows.into_iter().map(|row| row.customer_id.into()).collect())
}
