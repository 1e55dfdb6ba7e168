use crate::store::together::peaks;
use crate::sweep::DirtyHours;
use chrono::{DateTime, Utc};
use db::{BatchId, CustomerId, DbError, TenantTx};
use sea_orm::FromQueryResult;
use uuid::Uuid;

/// One statement, and so one look: a mark that it takes away has its events in what it sweeps, and whoever sees the mark no longer
/// sees the peak. Marks that others are taking are left to them.
pub async fn sweep(tx: &TenantTx, batch_id: BatchId, limit: i64) -> Result<u64, DbError> {
    let swept: Option<i64> = tx
        .value(
            concat!(
                "WITH due AS (
                   SELECT customer_id, meter, hour, batch_id FROM usage_dirty_hour WHERE tenant_id = $1
                   ORDER BY customer_id, meter, hour, batch_id LIMIT $3 FOR UPDATE SKIP LOCKED),
                 gone AS (
                   DELETE FROM usage_dirty_hour d USING due
                   WHERE d.tenant_id = $1 AND d.customer_id = due.customer_id AND d.meter = due.meter AND d.hour = due.hour
                     AND d.batch_id = due.batch_id
                   RETURNING d.customer_id, d.meter, d.hour),
                 pieces AS (
                   SELECT s.customer_id, s.meter, s.hour, s.subscription_id, s.started_at, s.ended_at
                   FROM (SELECT DISTINCT customer_id, meter, hour FROM gone) h
                   JOIN usage_span s ON s.tenant_id = $1 AND s.customer_id = h.customer_id AND s.meter = h.meter AND s.hour = h.hour),
                 ",
                peaks!(),
                ", written AS (
                   INSERT INTO usage_sum (tenant_id, batch_id, position, customer_id, subscription_id, meter, hour, dimensions, quantity, events)
                   SELECT $1, $2, row_number() OVER (), customer_id, nullif(subscription_id, '00000000-0000-0000-0000-000000000000'),
                          meter, hour, CASE WHEN whose = '' THEN '{}' ELSE jsonb_build_object('=of', whose) END, quantity, 0
                   FROM peaks)
                 SELECT count(*) AS v FROM gone"
            ),
            [tx.tenant_id().into(), batch_id.into(), limit.into()],
        )
        .await?;
    Ok(swept.unwrap_or(0).unsigned_abs())
}

pub async fn dirty_of(tx: &TenantTx, customers: &[(CustomerId, DateTime<Utc>)]) -> Result<Vec<DirtyHours>, DbError> {
    #[derive(FromQueryResult)]
    struct Row {
        customer_id: Uuid,
        hours: i64,
    }
    let rows: Vec<Row> = tx
        .rows(
            "SELECT u.customer_id, count(DISTINCT (d.meter, d.hour)) AS hours
             FROM unnest($2::uuid[], $3::timestamptz[]) AS u(customer_id, until_at)
             JOIN usage_dirty_hour d ON d.tenant_id = $1 AND d.customer_id = u.customer_id AND d.hour < u.until_at
             GROUP BY u.customer_id",
            [
                tx.tenant_id().into(),
                customers.iter().map(|(id, _)| id.uuid()).collect::<Vec<Uuid>>().into(),
                customers.iter().map(|(_, until)| *until).collect::<Vec<DateTime<Utc>>>().into(),
            ],
        )
        .await?;
    let dirty = |row: Row| DirtyHours { customer_id: row.customer_id.into(), hours: row.hours.unsigned_abs() };
    Ok(rows.into_iter().map(dirty).collect())
}

pub async fn dirty(tx: &TenantTx) -> Result<Vec<(String, u64)>, DbError> {
    #[derive(FromQueryResult)]
    struct Row {
        meter: String,
        hours: i64,
    }
    let rows: Vec<Row> = tx
        .rows(
            "SELECT meter, count(*) AS hours FROM (
               SELECT DISTINCT customer_id, meter, hour FROM usage_dirty_hour WHERE tenant_id = $1) d
             GROUP BY meter ORDER BY meter",
            [tx.tenant_id().into()],
        )
        .await?;
    Ok(rows.into_iter().map(|row| (row.meter, row.hours.unsigned_abs())).collect())
}
