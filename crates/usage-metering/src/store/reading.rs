use crate::error::UsageError;
use crate::reading::{Aggregate, DimensionSum, HourSum, UsageOf, UsageQuery};
use crate::store::together::{is_asked_for, together};
use chrono::{DateTime, Utc};
use db::{CustomerId, DbError, TenantTx};
use rust_decimal::Decimal;
use sea_orm::{FromQueryResult, Value};
use std::collections::BTreeMap;
use uuid::Uuid;

pub async fn quantities(tx: &TenantTx, queries: &[(UsageQuery, Aggregate)]) -> Result<Vec<Decimal>, DbError> {
    #[derive(FromQueryResult)]
    struct Row {
        quantity: Decimal,
    }
    let (kinds, dimensions): (Vec<String>, Vec<String>) = queries
        .iter()
        .map(|(_, aggregate)| match aggregate {
            Aggregate::Sum => ("sum".to_owned(), String::new()),
            Aggregate::Max => ("max".to_owned(), String::new()),
            Aggregate::CountDistinct(dimension) => ("distinct".to_owned(), dimension.clone()),
        })
        .unzip();
    // The filter is jsonb and not leakproof: it runs after tenant, customer, meter and hour have found the few rows.
    let rows: Vec<Row> = tx
        .rows(
            concat!(
                "SELECT CASE WHEN m.aggregation IN ('unique', 'percentile', 'peak') THEN coalesce(f.together, 0)
                  WHEN q.kind = 'max' OR q.kind = 'sum' AND m.aggregation = 'max' THEN coalesce(f.largest, 0) WHEN q.kind = 'sum' THEN coalesce(f.total, 0) ELSE f.different::numeric END AS quantity
             FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[], $8::text[], $9::text[], $10::bool[])
                  WITH ORDINALITY AS q(customer_id, subscription_id, meter, filter, from_at, to_at, kind, dimension, or_none, place)
             LEFT JOIN meter m ON m.tenant_id = $1 AND m.code = q.meter
             CROSS JOIN LATERAL (
               SELECT sum(u.quantity) AS total, max(u.hourly) AS largest,
                      count(DISTINCT u.dimensions ->> q.dimension) FILTER (WHERE u.quantity > 0) AS different,
                      CASE m.aggregation
                        WHEN 'unique' THEN (count(DISTINCT u.dimensions ->> m.of_dimension) FILTER (WHERE u.by_value))::numeric
                        WHEN 'percentile' THEN usage_percentile(array_agg(u.quantity) FILTER (WHERE u.by_value),
                          array_agg(u.events) FILTER (WHERE u.by_value), m.percent)
                        ELSE max(u.quantity) END AS together
               FROM (
                 SELECT b.quantity, b.events, b.dimensions, m.aggregation IN ('unique', 'percentile') AS by_value,
                        CASE WHEN m.aggregation = 'max' THEN b.quantity ELSE sum(b.quantity) OVER (PARTITION BY b.hour) END AS hourly
                 FROM (
                   SELECT hour, quantity, events, dimensions, nullif(subscription_id, '00000000-0000-0000-0000-000000000000') AS subscription_id
                   FROM usage_rollup r
                   WHERE r.tenant_id = $1 AND r.customer_id = q.customer_id AND r.meter = q.meter AND r.hour >= q.from_at AND r.hour < q.to_at
                   UNION ALL
                   SELECT hour, quantity, events, dimensions, subscription_id FROM usage_sum s
                   WHERE s.tenant_id = $1 AND s.customer_id = q.customer_id AND s.meter = q.meter AND s.hour >= q.from_at AND s.hour < q.to_at) b
                 WHERE b.dimensions @> q.filter::jsonb AND ",
                is_asked_for!(),
                ") u) f
             ORDER BY q.place"
            ),
            [
                tx.tenant_id().into(),
                queries.iter().map(|(query, _)| query.customer_id.uuid()).collect::<Vec<Uuid>>().into(),
                queries.iter().map(|(query, _)| query.of.subscription()).collect::<Vec<Uuid>>().into(),
                queries.iter().map(|(query, _)| query.meter.clone()).collect::<Vec<String>>().into(),
                queries.iter().map(|(query, _)| crate::prepare::json_of(&query.filter)).collect::<Vec<String>>().into(),
                queries.iter().map(|(query, _)| query.from).collect::<Vec<DateTime<Utc>>>().into(),
                queries.iter().map(|(query, _)| query.to).collect::<Vec<DateTime<Utc>>>().into(),
                kinds.into(),
                dimensions.into(),
                or_none(queries.iter().map(|(query, _)| query)),
            ],
        )
        .await?;
    Ok(rows.into_iter().map(|row| row.quantity.normalize()).collect())
}

/// Which of them also count what names no subscription.
fn or_none<'a>(queries: impl Iterator<Item = &'a UsageQuery>) -> Value {
    queries.map(|query| matches!(query.of, UsageOf::NamedOrNone(_))).collect::<Vec<bool>>().into()
}

/// Everybody's hours, for who sees the whole book: to a customer it shows none, who has the hours of its own instead.
/// $1 tenant, $2 meter, $3 and $4 instants. A day of whoever it is begins within 14 hours of midnight in UTC.
macro_rules! of_book {
    () => {
        "SELECT hour, quantity, events, dimensions FROM usage_book_hour
         WHERE tenant_id = $1 AND meter = $2 AND hour >= $3 AND hour < $4
           AND on_day BETWEEN ($3 AT TIME ZONE 'UTC')::date - 1 AND ($4 AT TIME ZONE 'UTC')::date + 1"
    };
}

pub async fn by_hour(
    tx: &TenantTx,
    meter: &str,
    filter: &BTreeMap<String, String>,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<HourSum>, DbError> {
    #[derive(FromQueryResult)]
    struct Row {
        hour: DateTime<Utc>,
        quantity: Decimal,
        events: i64,
    }
    let rows: Vec<Row> = tx
        .rows(
            concat!(
                "SELECT s.hour, ",
                together!(),
                " FROM (",
                of_book!(),
                " UNION ALL SELECT hour, quantity, events, dimensions FROM usage_rollup
                  WHERE tenant_id = $1 AND customer_id = (SELECT current_customer_id()) AND meter = $2 AND hour >= $3 AND hour < $4
                  UNION ALL SELECT hour, quantity, events, dimensions FROM usage_sum WHERE tenant_id = $1 AND meter = $2 AND hour >= $3 AND hour < $4) s
             LEFT JOIN meter m ON m.tenant_id = $1 AND m.code = $2
             WHERE s.dimensions @> $5 GROUP BY s.hour ORDER BY s.hour"
            ),
            [tx.tenant_id().into(), meter.into(), from.into(), to.into(), serde_json::json!(filter).into()],
        )
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| HourSum { hour: row.hour, quantity: row.quantity.normalize(), events: row.events })
        .collect())
}

pub async fn by_dimension(
    tx: &TenantTx,
    customer: Option<CustomerId>,
    meter: &str,
    dimensions: &[&str],
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<DimensionSum>, UsageError> {
    #[derive(FromQueryResult)]
    struct Row {
        dimensions: serde_json::Value,
        quantity: Decimal,
        events: i64,
    }
    let names: Vec<String> = dimensions.iter().map(|name| (*name).to_owned()).collect();
    let rows: Vec<Row> = tx
        .rows(
            concat!(
                "SELECT s.asked AS dimensions, ",
                together!(),
                " FROM (
               SELECT u.quantity, u.events, u.dimensions,
                      coalesce((SELECT jsonb_object_agg(d.key, d.value) FROM jsonb_each(u.dimensions) d WHERE d.key = ANY($6)), '{}') AS asked
               FROM (
                 SELECT quantity, events, dimensions FROM usage_rollup
                 WHERE tenant_id = $1 AND customer_id = coalesce($5, (SELECT current_customer_id())) AND meter = $2 AND hour >= $3 AND hour < $4
                 UNION ALL SELECT quantity, events, dimensions FROM (",
                of_book!(),
                ") b WHERE $5::uuid IS NULL
                 UNION ALL SELECT quantity, events, dimensions FROM usage_sum
                 WHERE tenant_id = $1 AND meter = $2 AND hour >= $3 AND hour < $4 AND ($5::uuid IS NULL OR customer_id = $5)) u) s
             LEFT JOIN meter m ON m.tenant_id = $1 AND m.code = $2
             GROUP BY s.asked ORDER BY 2 DESC, 1"
            ),
            [tx.tenant_id().into(), meter.into(), from.into(), to.into(), customer.map(|id| id.uuid()).into(), names.into()],
        )
        .await?;
    let line = |row: Row| {
        let found = row.dimensions.to_string();
        let dimensions = serde_json::from_value(row.dimensions)
            .map_err(|_| UsageError::StoredValueMustBeKnown { what: "dimensions", found })?;
        Ok(DimensionSum { dimensions, quantity: row.quantity.normalize(), events: row.events })
    };
    rows.into_iter().map(line).collect()
}

pub async fn sums_by_dimension(
    tx: &TenantTx,
    queries: &[(UsageQuery, Vec<String>)],
) -> Result<Vec<Vec<DimensionSum>>, UsageError> {
    #[derive(FromQueryResult)]
    struct Row {
        place: i64,
        dimensions: serde_json::Value,
        quantity: Decimal,
        events: i64,
    }
    let unreadable = |found: String| UsageError::StoredValueMustBeKnown { what: "dimensions", found };
    // A list of names for each query: an array of arrays would have to be rectangular.
    let names: Vec<String> = queries.iter().map(|(_, names)| names.join(",")).collect();
    let rows: Vec<Row> = tx
        .rows(
            concat!(
                "SELECT q.place, f.dimensions, f.quantity, f.events
             FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[], $8::text[], $9::bool[])
                  WITH ORDINALITY AS q(customer_id, subscription_id, meter, filter, from_at, to_at, names, or_none, place)
             CROSS JOIN LATERAL (
               SELECT s.asked AS dimensions, ",
                together!(),
                " FROM (
                 SELECT b.quantity, b.events, b.dimensions,
                        coalesce((SELECT jsonb_object_agg(d.key, d.value) FROM jsonb_each(b.dimensions) d
                                  WHERE d.key = ANY(string_to_array(q.names, ','))), '{}') AS asked
                 FROM (
                   SELECT quantity, events, dimensions, nullif(subscription_id, '00000000-0000-0000-0000-000000000000') AS subscription_id
                   FROM usage_rollup r
                   WHERE r.tenant_id = $1 AND r.customer_id = q.customer_id AND r.meter = q.meter AND r.hour >= q.from_at AND r.hour < q.to_at
                   UNION ALL
                   SELECT quantity, events, dimensions, subscription_id FROM usage_sum s
                   WHERE s.tenant_id = $1 AND s.customer_id = q.customer_id AND s.meter = q.meter AND s.hour >= q.from_at AND s.hour < q.to_at) b
                 WHERE b.dimensions @> q.filter::jsonb AND ",
                is_asked_for!(),
                ") s
               LEFT JOIN meter m ON m.tenant_id = $1 AND m.code = q.meter
               GROUP BY s.asked) f
             ORDER BY q.place, f.quantity DESC, f.dimensions"
            ),
            [
                tx.tenant_id().into(),
                queries.iter().map(|(query, _)| query.customer_id.uuid()).collect::<Vec<Uuid>>().into(),
                queries.iter().map(|(query, _)| query.of.subscription()).collect::<Vec<Uuid>>().into(),
                queries.iter().map(|(query, _)| query.meter.clone()).collect::<Vec<String>>().into(),
                queries.iter().map(|(query, _)| crate::prepare::json_of(&query.filter)).collect::<Vec<String>>().into(),
                queries.iter().map(|(query, _)| query.from).collect::<Vec<DateTime<Utc>>>().into(),
                queries.iter().map(|(query, _)| query.to).collect::<Vec<DateTime<Utc>>>().into(),
                names.into(),
                or_none(queries.iter().map(|(query, _)| query)),
            ],
        )
        .await?;
    let mut answers = vec![Vec::new(); queries.len()];
    for row in rows {
        let found = row.dimensions.to_string();
        let dimensions = serde_json::from_value(row.dimensions).map_err(|_| unreadable(found))?;
        let sum = DimensionSum { dimensions, quantity: row.quantity.normalize(), events: row.events };
        if let Some(answer) = usize::try_from(row.place - 1).ok().and_then(|place| answers.get_mut(place)) {
            answer.push(sum);
        }
    }
    Ok(answers)
}
