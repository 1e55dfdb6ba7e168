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

/// An hour whose sums are not those of its events: (quantity, events) of each.
pub struct DifferingHour {
    pub customer_id: CustomerId,
    pub meter: String,
    pub hour: DateTime<Utc>,
    pub summed: (Decimal, i64),
    pub recounted: (Decimal, i64),
}

pub async fn differing_hours(tx: &TenantTx) -> Result<Vec<DifferingHour>, DbError> {
    #[derive(FromQueryResult)]
    struct Row {
        customer_id: Uuid,
        meter: String,
        hour: DateTime<Utc>,
        summed: Decimal,
        sums: i64,
        recounted: Decimal,
        events: i64,
    }
    // Dimensions are left out: a meter may keep others since. The largest of an hour is the largest over all its sums.
    let rows: Vec<Row> = tx
        .rows(
            "WITH m AS (SELECT code, aggregation = 'max' AS is_max FROM meter WHERE tenant_id = $1),
             kept AS (SELECT coalesce((SELECT from_at FROM usage_kept), '-infinity') AS from_at),
             summed AS (
               SELECT u.customer_id, u.subscription_id, u.meter, u.hour,
                      CASE WHEN m.is_max THEN max(u.quantity) ELSE sum(u.quantity) END AS quantity, sum(u.events)::int8 AS events
               FROM (
                 SELECT customer_id, subscription_id, meter, hour, quantity, events FROM usage_rollup WHERE tenant_id = $1
                 UNION ALL
                 SELECT customer_id, coalesce(subscription_id, '00000000-0000-0000-0000-000000000000'), meter, hour, quantity, events
                 FROM usage_sum WHERE tenant_id = $1) u
               JOIN m ON m.code = u.meter
               WHERE u.hour >= (SELECT from_at FROM kept)
               GROUP BY u.customer_id, u.subscription_id, u.meter, u.hour, m.is_max),
             recounted AS (
               SELECT e.customer_id, coalesce(e.subscription_id, '00000000-0000-0000-0000-000000000000') AS subscription_id, e.meter,
                      date_trunc('hour', e.occurred_at, c.time_zone) AS hour,
                      CASE WHEN m.is_max THEN max(e.quantity) ELSE sum(e.quantity) END AS quantity, count(*) AS events
               FROM usage_event e JOIN m ON m.code = e.meter JOIN customer c ON c.tenant_id = $1 AND c.id = e.customer_id
               WHERE e.tenant_id = $1 AND date_trunc('hour', e.occurred_at, c.time_zone) >= (SELECT from_at FROM kept)
               GROUP BY e.customer_id, 2, e.meter, 4, m.is_max)
             SELECT customer_id, meter, hour, coalesce(s.quantity, 0) AS summed, coalesce(s.events, 0) AS sums,
                    coalesce(r.quantity, 0) AS recounted, coalesce(r.events, 0) AS events
             FROM summed s FULL JOIN recounted r USING (customer_id, subscription_id, meter, hour)
             WHERE (coalesce(s.quantity, 0), coalesce(s.events, 0)) IS DISTINCT FROM (coalesce(r.quantity, 0), coalesce(r.events, 0))
             ORDER BY customer_id, meter, hour LIMIT 1000",
            [tx.tenant_id().into()],
        )
        .await?;
    let difference = |row: Row| DifferingHour {
        customer_id: row.customer_id.into(),
        meter: row.meter,
        hour: row.hour,
        summed: (row.summed.normalize(), row.sums),
        recounted: (row.recounted.normalize(), row.events),
    };
    Ok(rows.into_iter().map(difference).collect())
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
    // Meters that keep the largest have no sum to recount. An hour of which events have left, as retention has it, is not counted
    // once more, nor is one that began before.
    let rows: Vec<Row> = tx
        .rows(
            "WITH kept AS (SELECT coalesce((SELECT from_at FROM usage_kept), '-infinity') AS from_at),
             summed AS (
               SELECT customer_id, meter, sum(quantity) AS quantity FROM (
                 SELECT customer_id, meter, hour, quantity FROM usage_rollup WHERE tenant_id = $1
                 UNION ALL SELECT customer_id, meter, hour, quantity FROM usage_sum WHERE tenant_id = $1) u
               WHERE hour >= (SELECT from_at FROM kept)
               GROUP BY customer_id, meter),
             recounted AS (
               SELECT e.customer_id, e.meter, sum(e.quantity) AS quantity
               FROM usage_event e JOIN customer c ON c.tenant_id = $1 AND c.id = e.customer_id
               WHERE e.tenant_id = $1 AND date_trunc('hour', e.occurred_at, c.time_zone) >= (SELECT from_at FROM kept)
               GROUP BY e.customer_id, e.meter)
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
