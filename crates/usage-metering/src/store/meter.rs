use crate::error::UsageError;
use crate::meter::{Aggregation, Meter, MeterPreview, PREVIEW_EVENTS_MAX};
use crate::prepare::json_of;
use crate::reading::DimensionSum;
use chrono::{DateTime, Utc};
use db::{DbError, TenantTx};
use rust_decimal::Decimal;
use sea_orm::FromQueryResult;
use serde_json::Value;

/// False when the meter adds up in another way.
pub async fn put(tx: &TenantTx, meter: &Meter) -> Result<bool, DbError> {
    write(
        tx,
        meter,
        "INSERT INTO meter (tenant_id, code, name, unit, aggregation, dimensions, event_type, filter)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8::jsonb)
         ON CONFLICT (tenant_id, code) DO UPDATE SET name = EXCLUDED.name, unit = EXCLUDED.unit, dimensions = EXCLUDED.dimensions,
           event_type = EXCLUDED.event_type, filter = EXCLUDED.filter
         WHERE meter.aggregation = EXCLUDED.aggregation",
    )
    .await
}

/// False when another meter has the code; one that is being defined at this moment is waited for.
pub async fn insert(tx: &TenantTx, meter: &Meter) -> Result<bool, DbError> {
    write(
        tx,
        meter,
        "INSERT INTO meter (tenant_id, code, name, unit, aggregation, dimensions, event_type, filter)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8::jsonb) ON CONFLICT (tenant_id, code) DO NOTHING",
    )
    .await
}

async fn write(tx: &TenantTx, meter: &Meter, sql: &str) -> Result<bool, DbError> {
    let touched = tx
        .run(
            sql,
            [
                tx.tenant_id().into(),
                meter.code.clone().into(),
                meter.name.clone().into(),
                meter.unit.clone().into(),
                meter.aggregation.as_str().into(),
                meter.dimensions.clone().into(),
                meter.event_type.clone().into(),
                json_of(&meter.filter).into(),
            ],
        )
        .await?;
    Ok(touched > 0)
}

pub async fn all(tx: &TenantTx) -> Result<Vec<Meter>, UsageError> {
    #[derive(FromQueryResult)]
    struct Row {
        code: String,
        name: String,
        unit: String,
        aggregation: String,
        dimensions: Vec<String>,
        event_type: String,
        filter: Value,
    }
    let rows: Vec<Row> = tx
        .rows(
            "SELECT code, name, unit, aggregation, dimensions, coalesce(event_type, code) AS event_type, filter FROM meter WHERE tenant_id = $1 ORDER BY code",
            [tx.tenant_id().into()],
        )
        .await?;
    let meter = |row: Row| {
        let aggregation = Aggregation::read(&row.aggregation)?;
        let found = row.filter.to_string();
        let filter = serde_json::from_value(row.filter)
            .map_err(|_| UsageError::StoredValueMustBeKnown { what: "filter of a meter", found })?;
        Ok(Meter {
            code: row.code,
            name: row.name,
            unit: row.unit,
            aggregation,
            dimensions: row.dimensions,
            event_type: row.event_type,
            filter,
        })
    };
    rows.into_iter().map(meter).collect()
}

pub async fn preview(
    tx: &TenantTx,
    meter: &Meter,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<MeterPreview, UsageError> {
    #[derive(FromQueryResult)]
    struct Row {
        dimensions: Value,
        quantity: Decimal,
        events: i64,
        waiting: i64,
    }
    // An event that several meters count stands there once for each; the one that keeps its quantity tells it.
    let rows: Vec<Row> = tx
        .rows(
            "WITH counted AS (
               SELECT DISTINCT ON (e.source, e.source_id) e.quantity, e.dimensions FROM (
                 SELECT source, source_id, meter, quantity, dimensions FROM usage_event
                 WHERE tenant_id = $1 AND occurred_at >= $3 AND occurred_at < $4 ORDER BY occurred_at DESC LIMIT $7) e
               JOIN meter m ON m.tenant_id = $1 AND m.code = e.meter AND coalesce(m.event_type, m.code) = $2
               ORDER BY e.source, e.source_id, m.aggregation = 'count', m.code),
             found AS (
               SELECT quantity, dimensions, false AS is_waiting FROM counted
               UNION ALL
               SELECT (payload ->> 'quantity')::numeric, payload -> 'dimensions', true FROM suspense
               WHERE tenant_id = $1 AND cause = 'unknown_meter' AND resolved_at IS NULL AND payload ->> 'meter' = $2
                 AND payload ? 'source')
             SELECT k.dimensions, CASE $8 WHEN 'count' THEN count(*)::numeric WHEN 'max' THEN max(f.quantity) ELSE sum(f.quantity) END AS quantity,
                    count(*) AS events, count(*) FILTER (WHERE f.is_waiting) AS waiting
             FROM found f CROSS JOIN LATERAL (
               SELECT coalesce(jsonb_object_agg(d.name, d.value), '{}') AS dimensions FROM jsonb_each(f.dimensions) AS d(name, value)
               WHERE d.name = ANY ($6)) k
             WHERE f.dimensions @> $5::jsonb
             GROUP BY k.dimensions ORDER BY 2 DESC, 1",
            [
                tx.tenant_id().into(),
                meter.event_type.clone().into(),
                from.into(),
                to.into(),
                json_of(&meter.filter).into(),
                meter.dimensions.clone().into(),
                (PREVIEW_EVENTS_MAX as i64).into(),
                meter.aggregation.as_str().into(),
            ],
        )
        .await?;
    let mut preview = MeterPreview { quantity: Decimal::ZERO, events: 0, waiting: 0, by_dimension: Vec::new() };
    for row in rows {
        preview.quantity = match meter.aggregation {
            Aggregation::Max => preview.quantity.max(row.quantity),
            _ => preview.quantity.checked_add(row.quantity).ok_or(UsageError::SumMustFit)?,
        };
        preview.events += row.events.unsigned_abs();
        preview.waiting += row.waiting.unsigned_abs();
        if preview.by_dimension.len() < 20 {
            let found = row.dimensions.to_string();
            let dimensions = serde_json::from_value(row.dimensions)
                .map_err(|_| UsageError::StoredValueMustBeKnown { what: "dimensions", found })?;
            preview.by_dimension.push(DimensionSum {
                dimensions,
                quantity: row.quantity.normalize(),
                events: row.events,
            });
        }
    }
    preview.quantity = preview.quantity.normalize();
    Ok(preview)
}
