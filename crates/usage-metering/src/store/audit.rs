use crate::store::together::peaks;
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

/// Dimensions are left out: a meter may keep others since. The largest of an hour is the largest over all its sums; what is
/// counted by value is compared value by value, and what was at once is swept once more from the events, wherever no event of
/// the hour can have left and none waits for the sweep.
const DIFFERING_HOURS: &str = concat!(
    "WITH m AS (SELECT code, aggregation, of_dimension FROM meter WHERE tenant_id = $1),
     kept AS (SELECT coalesce((SELECT from_at FROM usage_kept), '-infinity') AS from_at),
     summed AS (
       SELECT u.customer_id, u.subscription_id, u.meter, u.hour,
              CASE m.aggregation WHEN 'unique' THEN coalesce(u.dimensions ->> m.of_dimension, '')
                WHEN 'percentile' THEN trim_scale(u.quantity)::text WHEN 'peak' THEN coalesce(u.dimensions ->> '=of', '')
                ELSE '' END AS value,
              CASE WHEN m.aggregation IN ('sum', 'count') THEN sum(u.quantity) ELSE max(u.quantity) END AS quantity,
              sum(u.events)::int8 AS events
       FROM (
         SELECT customer_id, subscription_id, meter, hour, dimensions, quantity, events FROM usage_rollup WHERE tenant_id = $1
         UNION ALL
         SELECT customer_id, coalesce(subscription_id, '00000000-0000-0000-0000-000000000000'), meter, hour, dimensions, quantity, events
         FROM usage_sum WHERE tenant_id = $1) u
       JOIN m ON m.code = u.meter
       WHERE u.hour >= (SELECT from_at FROM kept)
       GROUP BY u.customer_id, u.subscription_id, u.meter, u.hour, value, m.aggregation),
     events AS (
       SELECT e.customer_id, coalesce(e.subscription_id, '00000000-0000-0000-0000-000000000000') AS subscription_id, e.meter,
              date_trunc('hour', e.occurred_at, c.time_zone) AS hour, c.time_zone, m.aggregation, e.occurred_at, e.quantity,
              CASE m.aggregation WHEN 'unique' THEN coalesce(e.dimensions ->> m.of_dimension, '')
                WHEN 'percentile' THEN trim_scale(e.quantity)::text ELSE '' END AS value
       FROM usage_event e JOIN m ON m.code = e.meter JOIN customer c ON c.tenant_id = $1 AND c.id = e.customer_id
       WHERE e.tenant_id = $1),
     pieces AS (
       SELECT DISTINCT l.customer_id, l.meter, date_trunc('hour', p.at, l.time_zone) AS hour, l.subscription_id, l.started_at,
              l.ended_at, l.nth
       FROM (SELECT *, occurred_at AS started_at, occurred_at + make_interval(secs => quantity::float8) AS ended_at,
                    row_number() OVER () AS nth
             FROM events WHERE aggregation = 'peak' AND quantity > 0) l
       CROSS JOIN LATERAL (
         SELECT generate_series(l.started_at, l.ended_at, interval '30 minutes') AS at
         UNION ALL SELECT l.ended_at - interval '1 microsecond') p
       WHERE p.at < l.ended_at),
     ",
    peaks!(),
    ", recounted AS (
       SELECT customer_id, subscription_id, meter, hour, value,
              CASE WHEN aggregation IN ('sum', 'count') THEN sum(quantity) ELSE max(quantity) END AS quantity, sum(events)::int8 AS events
       FROM (
         SELECT customer_id, subscription_id, meter, hour, value, aggregation,
                CASE WHEN aggregation = 'peak' THEN 0 ELSE quantity END AS quantity, 1 AS events FROM events
         UNION ALL SELECT customer_id, subscription_id, meter, hour, whose, 'peak', quantity, 0 FROM peaks) both_ways
       WHERE hour >= (SELECT from_at FROM kept)
       GROUP BY customer_id, subscription_id, meter, hour, value, aggregation)
     SELECT customer_id, meter, hour, coalesce(s.quantity, 0) AS summed, coalesce(s.events, 0) AS sums,
            coalesce(r.quantity, 0) AS recounted, coalesce(r.events, 0) AS events
     FROM summed s FULL JOIN recounted r USING (customer_id, subscription_id, meter, hour, value)
     WHERE (coalesce(s.quantity, 0), coalesce(s.events, 0)) IS DISTINCT FROM (coalesce(r.quantity, 0), coalesce(r.events, 0))
       AND NOT (meter IN (SELECT code FROM m WHERE aggregation = 'peak')
         AND (hour < (SELECT from_at FROM kept) + interval '1 day'
           OR (customer_id, meter, hour) IN (SELECT customer_id, meter, hour FROM usage_dirty_hour WHERE tenant_id = $1)))
     ORDER BY customer_id, meter, hour LIMIT 1000"
);

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
    let rows: Vec<Row> = tx.rows(DIFFERING_HOURS, [tx.tenant_id().into()]).await?;
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
    // Meters that do not add up have no sum to recount. An hour of which events have left, as retention has it, is not counted
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
               AND meter IN (SELECT code FROM meter WHERE tenant_id = $1 AND aggregation IN ('sum', 'count'))
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
