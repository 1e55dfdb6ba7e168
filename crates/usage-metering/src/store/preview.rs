//! What a meter would have counted, from the events themselves.

use crate::error::UsageError;
use crate::meter::{Meter, MeterPreview, PREVIEW_EVENTS_MAX};
use crate::prepare::json_of;
use crate::reading::DimensionSum;
use chrono::{DateTime, Utc};
use db::{CustomerId, DbError, TenantTx};
use rust_decimal::Decimal;
use sea_orm::FromQueryResult;
use serde_json::Value;
use uuid::Uuid;

/// Lines that a preview shows.
const LINES_MAX: usize = 20;

#[derive(FromQueryResult)]
struct Line {
    dimensions: Value,
    quantity: Option<Decimal>,
    events: i64,
    waiting: i64,
}

pub async fn preview(
    tx: &TenantTx,
    meter: &Meter,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<MeterPreview, UsageError> {
    // All of them in one line: a value may stand in several of the lines by dimension, and a percentile of all is none of theirs.
    let all = lines(tx, meter, &[], from, to).await?.into_iter().next();
    let mut preview = MeterPreview { quantity: Decimal::ZERO, events: 0, waiting: 0, by_dimension: Vec::new() };
    if let Some(all) = &all {
        preview.quantity = all.quantity.unwrap_or_default().normalize();
        preview.events = all.events.unsigned_abs();
        preview.waiting = all.waiting.unsigned_abs();
    }
    let parts = if meter.dimensions.is_empty() {
        all.into_iter().collect()
    } else {
        lines(tx, meter, &meter.dimensions, from, to).await?
    };
    for part in parts.into_iter().take(LINES_MAX) {
        let found = part.dimensions.to_string();
        let dimensions = serde_json::from_value(part.dimensions)
            .map_err(|_| UsageError::StoredValueMustBeKnown { what: "dimensions", found })?;
        let quantity = part.quantity.unwrap_or_default().normalize();
        preview.by_dimension.push(DimensionSum { dimensions, quantity, events: part.events });
    }
    Ok(preview)
}

async fn lines(
    tx: &TenantTx,
    meter: &Meter,
    dimensions: &[String],
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<Line>, DbError> {
    let (said, ids): (Vec<String>, Vec<Uuid>) = waiting_customers(tx, meter).await?.into_iter().unzip();
    // An event that several meters count stands there once for each; the one that keeps its quantity tells it. How many were at
    // once is each customer's own: the most of one.
    tx.rows(
        "WITH counted AS (
           SELECT DISTINCT ON (e.source, e.source_id) e.quantity, e.dimensions, e.customer_id, e.occurred_at FROM (
             SELECT source, source_id, meter, quantity, dimensions, customer_id, occurred_at FROM usage_event
             WHERE tenant_id = $1 AND occurred_at >= $3 AND occurred_at < $4 ORDER BY occurred_at DESC LIMIT $7) e
           JOIN meter m ON m.tenant_id = $1 AND m.code = e.meter AND coalesce(m.event_type, m.code) = $2
           ORDER BY e.source, e.source_id, m.aggregation IN ('count', 'unique'), m.code),
         found AS (
           SELECT quantity, dimensions, customer_id, occurred_at, false AS is_waiting FROM counted
           UNION ALL
           SELECT (payload ->> 'quantity')::numeric, payload -> 'dimensions', w.id, (payload ->> 'occurred_at')::timestamptz, true
           FROM suspense LEFT JOIN unnest($11::text[], $12::uuid[]) AS w(said, id) ON w.said = payload ->> 'customer_id'
           WHERE tenant_id = $1 AND cause = 'unknown_meter' AND resolved_at IS NULL AND payload ->> 'meter' = $2
             AND payload ? 'source'),
         passed AS (SELECT * FROM found WHERE dimensions @> $5::jsonb),
         at_once AS (
           SELECT sum(v.change) OVER (PARTITION BY f.customer_id ORDER BY v.at, v.change ROWS UNBOUNDED PRECEDING) AS running
           FROM passed f CROSS JOIN LATERAL (
             VALUES (f.occurred_at, 1), (f.occurred_at + make_interval(secs => least(f.quantity, 86400)::float8), -1)) AS v(at, change)
           WHERE $8 = 'peak' AND f.quantity > 0)
         SELECT k.dimensions,
                CASE $8 WHEN 'count' THEN count(*)::numeric WHEN 'max' THEN max(f.quantity)
                  WHEN 'unique' THEN count(DISTINCT f.dimensions ->> $9)::numeric
                  WHEN 'percentile' THEN usage_percentile(array_agg(f.quantity), array_agg(1::int8), $10::numeric)
                  WHEN 'peak' THEN (SELECT max(running)::numeric FROM at_once)
                  ELSE sum(f.quantity) END AS quantity,
                count(*) AS events, count(*) FILTER (WHERE f.is_waiting) AS waiting
         FROM passed f CROSS JOIN LATERAL (
           SELECT coalesce(jsonb_object_agg(d.name, d.value), '{}') AS dimensions FROM jsonb_each(f.dimensions) AS d(name, value)
           WHERE d.name = ANY ($6)) k
         GROUP BY k.dimensions ORDER BY 2 DESC, 1",
        [
            tx.tenant_id().into(),
            meter.event_type.clone().into(),
            from.into(),
            to.into(),
            json_of(&meter.filter).into(),
            dimensions.to_vec().into(),
            (PREVIEW_EVENTS_MAX as i64).into(),
            meter.aggregation.as_str().into(),
            meter.of_dimension.clone().into(),
            meter.percent.into(),
            said.into(),
            ids.into(),
        ],
    )
    .await
}

/// Whose events wait for such a meter: what suspense calls them, and their ids.
async fn waiting_customers(tx: &TenantTx, meter: &Meter) -> Result<Vec<(String, Uuid)>, DbError> {
    #[derive(FromQueryResult)]
    struct Row {
        said: String,
    }
    let rows: Vec<Row> = tx
        .rows(
            "SELECT DISTINCT payload ->> 'customer_id' AS said FROM suspense
             WHERE tenant_id = $1 AND cause = 'unknown_meter' AND resolved_at IS NULL AND payload ->> 'meter' = $2
               AND payload ? 'source' AND payload ? 'customer_id'",
            [tx.tenant_id().into(), meter.event_type.clone().into()],
        )
        .await?;
    let known = |row: Row| row.said.parse::<CustomerId>().ok().map(|id| (row.said, id.uuid()));
    Ok(rows.into_iter().filter_map(known).collect())
}
