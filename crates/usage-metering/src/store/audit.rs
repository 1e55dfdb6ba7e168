use chrono::{DateTime, Utc};
use db::{CustomerId, DbError, TenantTx};
use rust_decimal::Decimal;
use sea_orm::FromQueryResult;
use uuid::Uuid;

/// Hours and events that do not agree.
pub struct Difference {
    pub customer_id: CustomerId,
    pub meter: String,
    pub summed: Decimal,
    pub recounted: Decimal,
}

pub async fn keys_without_end(tx: &TenantTx, since: DateTime<Utc>) -> Result<Vec<(String, String)>, DbError> {
    #[derive(FromQueryResult)]
    struct Row {
        source: String,
        id: String,
    }
    let rows: Vec<Row> = tx
        .rows(
            "SELECT source, id FROM event_key WHERE tenant_id = $1 AND received_at >= $2
             EXCEPT SELECT source, source_id FROM usage_event WHERE tenant_id = $1 AND received_at >= $2
             EXCEPT SELECT payload ->> 'source', payload ->> 'id' FROM suspense WHERE tenant_id = $1 AND received_at >= $2 AND cause <> 'conflict'
             ORDER BY 1, 2 LIMIT 100",
            [tx.tenant_id().into(), since.into()],
        )
        .await?;
    Ok(rows.into_iter().map(|row| (row.source, row.id)).collect())
}

pub async fn differences(tx: &TenantTx) -> Result<Vec<Difference>, DbError> {
    #[derive(FromQueryResult)]
    struct Row {
        customer_id: Uuid,
        meter: String,
        summed: Decimal,
        recounted: Decimal,
    }
    // Meters that keep the largest have no sum to recount.
    let rows: Vec<Row> = tx
        .rows(
            "WITH summed AS (
               SELECT customer_id, meter, sum(quantity) AS quantity FROM (
                 SELECT customer_id, meter, quantity FROM usage_rollup WHERE tenant_id = $1
                 UNION ALL SELECT customer_id, meter, quantity FROM usage_sum WHERE tenant_id = $1) u
               GROUP BY customer_id, meter),
             recounted AS (
               SELECT customer_id, meter, sum(quantity) AS quantity FROM usage_event WHERE tenant_id = $1 GROUP BY customer_id, meter)
             SELECT customer_id, meter, coalesce(s.quantity, 0) AS summed, coalesce(r.quantity, 0) AS recounted
             FROM summed s FULL JOIN recounted r USING (customer_id, meter)
             WHERE coalesce(s.quantity, 0) <> coalesce(r.quantity, 0)
               AND meter IN (SELECT code FROM meter WHERE tenant_id = $1 AND aggregation <> 'max')
             ORDER BY customer_id, meter LIMIT 1000",
            [tx.tenant_id().into()],
        )
        .await?;
    let difference = |row: Row| Difference {
        customer_id: row.customer_id.into(),
        meter: row.meter,
        summed: row.summed.normalize(),
        recounted: row.recounted.normalize(),
    };
    Ok(rows.into_iter().map(difference).collect())
}

/// Is there usage of a customer in `[from, to)` that came in from an instant on?
pub async fn is_received_since(
    tx: &TenantTx,
    customer_id: CustomerId,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    since: DateTime<Utc>,
) -> Result<bool, DbError> {
    #[derive(FromQueryResult)]
    struct Row {
        is_received: bool,
    }
    let row: Option<Row> = tx
        .row(
            "SELECT EXISTS (SELECT 1 FROM usage_event
                            WHERE tenant_id = $1 AND customer_id = $2 AND occurred_at >= $3 AND occurred_at < $4 AND received_at >= $5) AS is_received",
            [tx.tenant_id().into(), customer_id.into(), from.into(), to.into(), since.into()],
        )
        .await?;
    Ok(row.is_some_and(|row| row.is_received))
}
