use chrono::{DateTime, NaiveDate, Utc};
use db::{CustomerId, DbError, PlatformTx, TenantId, TenantTx};
use sea_orm::FromQueryResult;
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

/// Moves up to `limit` sums into the rollups: by customer and hour, and those that pages read. How many. One statement: a reader
/// sees each sum in one of the two places, never in both or neither. Two folders take different sums and lock hours in one order. Sums are never updated, so what is due is found
/// again by its place: a join by key, planned while statistics still said that the table is empty, compared each with each.
/// Of hours before `late_before` the customer's civil days are noted, see [`late_days`].
pub async fn fold(tx: &TenantTx, limit: i64, late_before: DateTime<Utc>, now: DateTime<Utc>) -> Result<u64, DbError> {
    let folded: Option<i64> = tx
        .value(
            "WITH due AS (
               SELECT ctid FROM usage_sum WHERE tenant_id = $1
               ORDER BY batch_id, position LIMIT $2 FOR UPDATE SKIP LOCKED),
             gone AS (
               DELETE FROM usage_sum s
               WHERE s.tenant_id = $1 AND s.ctid = ANY (ARRAY(SELECT ctid FROM due))
               RETURNING s.customer_id, coalesce(s.subscription_id, '00000000-0000-0000-0000-000000000000') AS subscription_id,
                         s.meter, s.hour, s.dimensions, s.quantity, s.events),
             added AS (
               SELECT g.customer_id, g.subscription_id, g.meter, g.hour, g.dimensions, sha256(convert_to(g.dimensions::text, 'UTF8')) AS hash,
                      (g.hour AT TIME ZONE coalesce(c.time_zone, 'UTC'))::date AS on_day, m.aggregation NOT IN ('sum', 'count') AS is_max,
                      coalesce(m.aggregation IN ('unique', 'percentile'), false) AS is_by_value,
                      CASE WHEN m.aggregation NOT IN ('sum', 'count') THEN max(g.quantity) ELSE sum(g.quantity) END AS quantity, sum(g.events)::int8 AS events
               FROM gone g LEFT JOIN meter m ON m.tenant_id = $1 AND m.code = g.meter
               LEFT JOIN customer c ON c.tenant_id = $1 AND c.id = g.customer_id
               GROUP BY g.customer_id, g.subscription_id, g.meter, g.hour, g.dimensions, c.time_zone, m.aggregation),
             written AS (
               INSERT INTO usage_rollup (tenant_id, customer_id, subscription_id, meter, hour, dimensions_hash, dimensions, quantity, events)
               SELECT $1, customer_id, subscription_id, meter, hour, hash, dimensions, quantity, events
               FROM added ORDER BY 2, 4, 5, 3, 6
               ON CONFLICT (tenant_id, customer_id, meter, hour, subscription_id, dimensions_hash) DO UPDATE SET
                 quantity = CASE WHEN (SELECT m.aggregation FROM meter m WHERE m.tenant_id = EXCLUDED.tenant_id AND m.code = EXCLUDED.meter) NOT IN ('sum', 'count')
                                 THEN greatest(usage_rollup.quantity, EXCLUDED.quantity)
                                 ELSE usage_rollup.quantity + EXCLUDED.quantity END,
                 events = usage_rollup.events + EXCLUDED.events),
             of_book AS (
               INSERT INTO usage_book_hour (tenant_id, meter, on_day, hour, dimensions_hash, dimensions, quantity, events)
               SELECT $1, meter, on_day, hour, hash, dimensions, CASE WHEN is_max THEN max(quantity) ELSE sum(quantity) END, sum(events)::int8
               FROM added GROUP BY meter, on_day, hour, hash, dimensions, is_max ORDER BY 2, 3, 4, 5
               ON CONFLICT (tenant_id, meter, on_day, hour, dimensions_hash) DO UPDATE SET
                 quantity = CASE WHEN (SELECT m.aggregation FROM meter m WHERE m.tenant_id = EXCLUDED.tenant_id AND m.code = EXCLUDED.meter) NOT IN ('sum', 'count')
                                 THEN greatest(usage_book_hour.quantity, EXCLUDED.quantity)
                                 ELSE usage_book_hour.quantity + EXCLUDED.quantity END,
                 events = usage_book_hour.events + EXCLUDED.events),
             late AS (
               INSERT INTO usage_late_day (tenant_id, customer_id, on_day, noted_at)
               SELECT DISTINCT $1::uuid, customer_id, on_day, $4::timestamptz FROM added WHERE hour < $3 ORDER BY 2, 3
               ON CONFLICT (tenant_id, customer_id, on_day) DO UPDATE SET noted_at = greatest(usage_late_day.noted_at, EXCLUDED.noted_at)),
             of_day AS (
               INSERT INTO usage_customer_day (tenant_id, meter, on_day, customer_id, dimensions_hash, dimensions, quantity, events)
               SELECT $1, meter, on_day, customer_id, kept.hash, kept.dimensions, CASE WHEN is_max THEN max(quantity) ELSE sum(quantity) END,
                      sum(events)::int8
               FROM added a CROSS JOIN LATERAL (VALUES (a.hash, a.dimensions), ('', '{}')) AS kept(hash, dimensions)
               WHERE NOT a.is_by_value OR kept.hash <> ''
               GROUP BY meter, on_day, customer_id, kept.hash, kept.dimensions, is_max ORDER BY 2, 5, 3, 4
               ON CONFLICT (tenant_id, meter, dimensions_hash, on_day, customer_id) DO UPDATE SET
                 quantity = CASE WHEN (SELECT m.aggregation FROM meter m WHERE m.tenant_id = EXCLUDED.tenant_id AND m.code = EXCLUDED.meter) NOT IN ('sum', 'count')
                                 THEN greatest(usage_customer_day.quantity, EXCLUDED.quantity)
                                 ELSE usage_customer_day.quantity + EXCLUDED.quantity END,
                 events = usage_customer_day.events + EXCLUDED.events),
             of_week AS (
               INSERT INTO usage_customer_week (tenant_id, meter, week_on, customer_id, quantity, events)
               SELECT $1, meter, date_trunc('week', on_day::timestamp)::date, customer_id, CASE WHEN is_max THEN max(quantity) ELSE sum(quantity) END,
                      sum(events)::int8
               FROM added WHERE NOT is_by_value GROUP BY meter, 3, customer_id, is_max ORDER BY 2, 3, 4
               ON CONFLICT (tenant_id, meter, week_on, customer_id) DO UPDATE SET
                 quantity = CASE WHEN (SELECT m.aggregation FROM meter m WHERE m.tenant_id = EXCLUDED.tenant_id AND m.code = EXCLUDED.meter) NOT IN ('sum', 'count')
                                 THEN greatest(usage_customer_week.quantity, EXCLUDED.quantity)
                                 ELSE usage_customer_week.quantity + EXCLUDED.quantity END,
                 events = usage_customer_week.events + EXCLUDED.events)
             SELECT count(*) AS v FROM gone",
            [tx.tenant_id().into(), limit.into(), late_before.into(), now.into()],
        )
        .await?;
    Ok(folded.unwrap_or(0).unsigned_abs())
}

/// Civil days whose usage came so late that they were noted, since an instant, and those of sums that are still to be folded.
pub async fn late_days(
    tx: &TenantTx,
    customers: &[CustomerId],
    late_before: DateTime<Utc>,
    since: DateTime<Utc>,
) -> Result<HashMap<CustomerId, BTreeSet<NaiveDate>>, DbError> {
    #[derive(FromQueryResult)]
    struct Row {
        customer_id: Uuid,
        on_day: NaiveDate,
    }
    let rows: Vec<Row> = tx
        .rows(
            "SELECT customer_id, on_day FROM usage_late_day WHERE tenant_id = $1 AND customer_id = ANY ($2::uuid[]) AND noted_at > $4
             UNION
             SELECT s.customer_id, (s.hour AT TIME ZONE coalesce(c.time_zone, 'UTC'))::date
             FROM usage_sum s LEFT JOIN customer c ON c.tenant_id = $1 AND c.id = s.customer_id
             WHERE s.tenant_id = $1 AND s.customer_id = ANY ($2::uuid[]) AND s.hour < $3",
            [
                tx.tenant_id().into(),
                customers.iter().map(|id| id.uuid()).collect::<Vec<Uuid>>().into(),
                late_before.into(),
                since.into(),
            ],
        )
        .await?;
    let mut days: HashMap<CustomerId, BTreeSet<NaiveDate>> = HashMap::new();
    for row in rows {
        days.entry(row.customer_id.into()).or_default().insert(row.on_day);
    }
    Ok(days)
}

pub async fn tenants(ptx: &PlatformTx) -> Result<Vec<TenantId>, DbError> {
    #[derive(FromQueryResult)]
    struct Row {
        tenant_id: Uuid,
    }
    let rows: Vec<Row> = ptx.rows("SELECT DISTINCT tenant_id FROM usage_sum", []).await?;
    Ok(rows.into_iter().map(|row| row.tenant_id.into()).collect())
}
