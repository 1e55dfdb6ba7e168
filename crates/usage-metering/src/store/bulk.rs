//! The mass path: COPY cannot write into a table with policies, so rows go into temporary tables and from there, set-based,
//! into their own. The temporary tables live as long as their connection and are emptied by each commit.

use crate::ingest::Keyed;
use crate::prepare::{Row, json_of};
use crate::store::copy::Copy;
use crate::store::sum::NewSum;
use crate::suspense::NewSuspense;
use chrono::{DateTime, Utc};
use db::{BatchId, BulkTx, DbError};
use sqlx::Row as _;
use std::collections::HashMap;
use uuid::Uuid;

const STAGE: &str = "
SET LOCAL client_min_messages = warning;
CREATE TEMPORARY TABLE IF NOT EXISTS staged_event (
  place int4 NOT NULL, source text NOT NULL, source_id text NOT NULL, payload_hash bytea NOT NULL, id uuid NOT NULL, customer_id uuid NOT NULL,
  subscription_id uuid, meter text NOT NULL, quantity numeric NOT NULL, dimensions jsonb NOT NULL, occurred_at timestamptz NOT NULL,
  received_at timestamptz NOT NULL, batch_id uuid NOT NULL, is_event bool NOT NULL, is_known bool NOT NULL, is_key bool NOT NULL) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS staged_sum (
  batch_id uuid NOT NULL, place int4 NOT NULL, customer_id uuid NOT NULL, subscription_id uuid, meter text NOT NULL, hour timestamptz NOT NULL,
  dimensions jsonb NOT NULL, quantity numeric NOT NULL, events int8 NOT NULL) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS staged_suspense (
  id uuid NOT NULL, cause text NOT NULL, detail text NOT NULL, payload jsonb NOT NULL, received_at timestamptz NOT NULL) ON COMMIT DELETE ROWS;";

/// Stages a batch, sorted by key; behind it what has no key of its own.
pub async fn stage(
    bulk: &mut BulkTx,
    rows: &[Row<'_>],
    further: &[Row<'_>],
    batch_id: BatchId,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    bulk.run_script(STAGE).await?;
    let mut copy = Copy::with_capacity((rows.len() + further.len()) * 320);
    for (place, row) in rows.iter().chain(further).enumerate() {
        let event = row.event;
        copy.row(16)
            .int4(place as i32)
            .text(&event.source)
            .text(&event.id)
            .bytes(&row.hash)
            .uuid(Uuid::now_v7())
            .uuid(event.customer_id.uuid())
            .optional_uuid(row.subscription_id.map(|id| id.uuid()))
            .text(row.meter_code())
            .numeric(row.quantity)
            .json(&json_of(&event.dimensions))
            .at(event.occurred_at)
            .at(now)
            .uuid(batch_id.uuid())
            .bool(row.cause.is_none())
            .bool(false)
            .bool(place < rows.len());
    }
    bulk.copy("COPY staged_event FROM STDIN (FORMAT binary)", &copy.finish()).await?;
    Ok(())
}

/// Writes the keys of what is staged. All new is one plain statement, whose first known key ends it at once (to look for conflicts
/// row by row costs a second descent and a second record of the log for each); only then the batch is taken apart.
pub async fn put_keys(bulk: &mut BulkTx) -> Result<Keyed, DbError> {
    bulk.run("SAVEPOINT keys").await?;
    let put = bulk
        .run(
            "INSERT INTO event_key (tenant_id, source, id, payload_hash, received_at)
             SELECT (SELECT current_tenant_id()), source, source_id, payload_hash, received_at FROM staged_event WHERE is_key",
        )
        .await;
    match put {
        Ok(_) => return Ok(Keyed { known: None }),
        Err(error) if db::is_unique_violation(&error) => {}
        Err(error) => return Err(error),
    }
    bulk.run("ROLLBACK TO SAVEPOINT keys").await?;
    bulk.run(
        "WITH keyed AS (
           INSERT INTO event_key (tenant_id, source, id, payload_hash, received_at)
           SELECT (SELECT current_tenant_id()), source, source_id, payload_hash, received_at FROM staged_event WHERE is_key ORDER BY place
           ON CONFLICT (tenant_id, source, id) DO NOTHING RETURNING source, id)
         UPDATE staged_event s SET is_known = true
         WHERE NOT EXISTS (SELECT 1 FROM keyed k WHERE k.source = s.source AND k.id = s.source_id)",
    )
    .await?;
    let known = bulk
        .rows(
            "SELECT s.place, k.payload_hash = s.payload_hash FROM staged_event s
             JOIN event_key k ON k.tenant_id = (SELECT current_tenant_id()) AND k.source = s.source AND k.id = s.source_id
             WHERE s.is_known AND s.is_key",
            |row| Ok((row.try_get::<i32, _>(0)?.unsigned_abs() as usize, row.try_get::<bool, _>(1)?)),
        )
        .await?;
    Ok(Keyed { known: Some(HashMap::from_iter(known)) })
}

/// Writes the staged events whose keys are new.
pub async fn put_events(bulk: &mut BulkTx) -> Result<(), DbError> {
    bulk.run(
        "INSERT INTO usage_event (tenant_id, occurred_at, id, source, source_id, customer_id, subscription_id, meter, quantity, dimensions, batch_id, received_at)
         SELECT (SELECT current_tenant_id()), occurred_at, id, source, source_id, customer_id, subscription_id, meter, quantity, dimensions, batch_id, received_at
         FROM staged_event WHERE is_event AND NOT is_known",
    )
    .await?;
    Ok(())
}

/// Writes what the batch adds to each hour.
pub async fn put_sums(bulk: &mut BulkTx, batch_id: BatchId, sums: &[NewSum]) -> Result<(), DbError> {
    if sums.is_empty() {
        return Ok(());
    }
    let mut copy = Copy::with_capacity(sums.len() * 240);
    for (place, sum) in sums.iter().enumerate() {
        copy.row(9)
            .uuid(batch_id.uuid())
            .int4(place as i32 + 1)
            .uuid(sum.customer_id.uuid())
            .optional_uuid(sum.subscription_id.map(|id| id.uuid()))
            .text(&sum.meter)
            .at(sum.hour)
            .json(&sum.dimensions)
            .numeric(sum.quantity)
            .int8(sum.events);
    }
    bulk.copy("COPY staged_sum FROM STDIN (FORMAT binary)", &copy.finish()).await?;
    bulk.run(
        "INSERT INTO usage_sum (tenant_id, batch_id, position, customer_id, subscription_id, meter, hour, dimensions, quantity, events)
         SELECT (SELECT current_tenant_id()), batch_id, place, customer_id, subscription_id, meter, hour, dimensions, quantity, events FROM staged_sum",
    )
    .await?;
    Ok(())
}

/// Writes what goes to suspense.
pub async fn put_suspense(bulk: &mut BulkTx, rows: &[NewSuspense], now: DateTime<Utc>) -> Result<(), DbError> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut copy = Copy::with_capacity(rows.len() * 400);
    for row in rows {
        copy.row(5)
            .uuid(row.id.uuid())
            .text(row.cause.as_str())
            .text(&row.detail)
            .json(&row.payload.to_string())
            .at(now);
    }
    bulk.copy("COPY staged_suspense FROM STDIN (FORMAT binary)", &copy.finish()).await?;
    bulk.run(
        "INSERT INTO suspense (tenant_id, id, cause, detail, payload, received_at)
         SELECT (SELECT current_tenant_id()), id, cause, detail, payload, received_at FROM staged_suspense
         ORDER BY id ON CONFLICT (tenant_id, id) DO NOTHING",
    )
    .await?;
    Ok(())
}
