//! Spans, and the marks of the hours that they touch.

use crate::span::NewSpan;
use crate::store::copy::Copy;
use chrono::{DateTime, Utc};
use db::{BatchId, BulkTx, DbError, TenantTx};
use uuid::Uuid;

const STAGE: &str = "
SET LOCAL client_min_messages = warning;
CREATE TEMPORARY TABLE IF NOT EXISTS staged_span (
  batch_id uuid NOT NULL, place int4 NOT NULL, customer_id uuid NOT NULL, subscription_id uuid NOT NULL, meter text NOT NULL,
  hour timestamptz NOT NULL, started_at timestamptz NOT NULL, ended_at timestamptz NOT NULL) ON COMMIT DELETE ROWS;";

fn subscription(span: &NewSpan) -> Uuid {
    span.subscription_id.map_or(Uuid::nil(), |id| id.uuid())
}

/// Writes what a batch of the mass path brings.
pub async fn put(bulk: &mut BulkTx, batch_id: BatchId, spans: &[NewSpan]) -> Result<(), DbError> {
    if spans.is_empty() {
        return Ok(());
    }
    bulk.run_script(STAGE).await?;
    let mut copy = Copy::with_capacity(spans.len() * 160);
    for (place, span) in spans.iter().enumerate() {
        copy.row(8)
            .uuid(batch_id.uuid())
            .int4(place as i32 + 1)
            .uuid(span.customer_id.uuid())
            .uuid(subscription(span))
            .text(&span.meter)
            .at(span.hour)
            .at(span.started_at)
            .at(span.ended_at);
    }
    bulk.copy("COPY staged_span FROM STDIN (FORMAT binary)", &copy.finish()).await?;
    bulk.run(
        "WITH put AS (
           INSERT INTO usage_span (tenant_id, customer_id, meter, hour, batch_id, position, subscription_id, started_at, ended_at)
           SELECT (SELECT current_tenant_id()), customer_id, meter, hour, batch_id, place, subscription_id, started_at, ended_at FROM staged_span)
         INSERT INTO usage_dirty_hour (tenant_id, customer_id, meter, hour, batch_id)
         SELECT DISTINCT (SELECT current_tenant_id()), customer_id, meter, hour, batch_id FROM staged_span",
    )
    .await?;
    Ok(())
}

/// The same inside somebody's transaction.
pub async fn insert(tx: &TenantTx, batch_id: BatchId, spans: &[NewSpan]) -> Result<(), DbError> {
    if spans.is_empty() {
        return Ok(());
    }
    tx.run(
        "WITH staged AS (
           SELECT * FROM unnest($3::uuid[], $4::uuid[], $5::text[], $6::timestamptz[], $7::timestamptz[], $8::timestamptz[])
             WITH ORDINALITY AS u(customer_id, subscription_id, meter, hour, started_at, ended_at, place)),
         put AS (
           INSERT INTO usage_span (tenant_id, customer_id, meter, hour, batch_id, position, subscription_id, started_at, ended_at)
           SELECT $1, customer_id, meter, hour, $2, place, subscription_id, started_at, ended_at FROM staged)
         INSERT INTO usage_dirty_hour (tenant_id, customer_id, meter, hour, batch_id)
         SELECT DISTINCT $1::uuid, customer_id, meter, hour, $2::uuid FROM staged",
        [
            tx.tenant_id().into(),
            batch_id.into(),
            spans.iter().map(|span| span.customer_id.uuid()).collect::<Vec<Uuid>>().into(),
            spans.iter().map(subscription).collect::<Vec<Uuid>>().into(),
            spans.iter().map(|span| span.meter.clone()).collect::<Vec<String>>().into(),
            spans.iter().map(|span| span.hour).collect::<Vec<DateTime<Utc>>>().into(),
            spans.iter().map(|span| span.started_at).collect::<Vec<DateTime<Utc>>>().into(),
            spans.iter().map(|span| span.ended_at).collect::<Vec<DateTime<Utc>>>().into(),
        ],
    )
    .await?;
    Ok(())
}
