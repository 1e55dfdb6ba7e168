use crate::ingest::Keyed;
use crate::prepare::{Row, json_of};
use chrono::{DateTime, Utc};
use db::{BatchId, DbError, TenantTx};
use rust_decimal::Decimal;
use sea_orm::FromQueryResult;
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

#[derive(FromQueryResult)]
struct Place {
    place: i64,
}

#[derive(FromQueryResult)]
struct Known {
    place: i64,
    is_same: bool,
}

/// Keys and, for those that are new, events: one statement, in the order of the keys.
pub async fn put(tx: &TenantTx, rows: &[Row<'_>], batch_id: BatchId, now: DateTime<Utc>) -> Result<Keyed, DbError> {
    if rows.is_empty() {
        return Ok(Keyed { known: None });
    }
    let sources: Vec<String> = rows.iter().map(|row| row.event.source.clone()).collect();
    let ids: Vec<String> = rows.iter().map(|row| row.event.id.clone()).collect();
    let hashes: Vec<String> = rows.iter().map(|row| hex::encode(row.hash)).collect();
    let new: Vec<Place> = tx
        .rows(
            "WITH staged AS (
               SELECT * FROM unnest($4::text[], $5::text[], $6::text[], $7::uuid[], $8::uuid[], $9::uuid[], $10::text[], $11::numeric[],
                                    $12::text[], $13::timestamptz[], $14::bool[])
                 WITH ORDINALITY AS u(source, source_id, hash, id, customer_id, subscription_id, meter, quantity, dimensions, occurred_at, is_event, place)),
             keyed AS (
               INSERT INTO event_key (tenant_id, source, id, payload_hash, received_at)
               SELECT $1, source, source_id, decode(hash, 'hex'), $3 FROM staged ORDER BY place
               ON CONFLICT (tenant_id, source, id) DO NOTHING RETURNING source, id),
             fresh AS (SELECT s.* FROM staged s JOIN keyed k ON k.source = s.source AND k.id = s.source_id),
             stored AS (
               INSERT INTO usage_event (tenant_id, occurred_at, id, source, source_id, customer_id, subscription_id, meter, quantity, dimensions, batch_id, received_at)
               SELECT $1, occurred_at, id, source, source_id, customer_id, nullif(subscription_id, '00000000-0000-0000-0000-000000000000'),
                      meter, quantity, dimensions::jsonb, $2, $3
               FROM fresh WHERE is_event)
             SELECT place FROM fresh",
            [
                tx.tenant_id().into(),
                batch_id.into(),
                now.into(),
                sources.clone().into(),
                ids.clone().into(),
                hashes.clone().into(),
                rows.iter().map(|_| Uuid::now_v7()).collect::<Vec<Uuid>>().into(),
                rows.iter().map(|row| row.event.customer_id.uuid()).collect::<Vec<Uuid>>().into(),
                rows.iter().map(|row| row.subscription_id.map_or(Uuid::nil(), |id| id.uuid())).collect::<Vec<Uuid>>().into(),
                rows.iter().map(|row| row.meter_code().to_owned()).collect::<Vec<String>>().into(),
                rows.iter().map(|row| row.quantity).collect::<Vec<Decimal>>().into(),
                rows.iter().map(|row| json_of(&row.event.dimensions)).collect::<Vec<String>>().into(),
                rows.iter().map(|row| row.event.occurred_at).collect::<Vec<DateTime<Utc>>>().into(),
                rows.iter().map(|row| row.cause.is_none()).collect::<Vec<bool>>().into(),
            ],
        )
        .await?;
    if new.len() == rows.len() {
        return Ok(Keyed { known: None });
    }
    let new: HashSet<i64> = new.into_iter().map(|row| row.place).collect();
    // A statement of its own: only it sees what another transaction committed while this one waited for its keys.
    let stored: Vec<Known> = tx
        .rows(
            "SELECT u.place, k.payload_hash = decode(u.hash, 'hex') AS is_same
             FROM unnest($2::text[], $3::text[], $4::text[]) WITH ORDINALITY AS u(source, id, hash, place)
             JOIN event_key k ON k.tenant_id = $1 AND k.source = u.source AND k.id = u.id",
            [tx.tenant_id().into(), sources.into(), ids.into(), hashes.into()],
        )
        .await?;
    let known: HashMap<usize, bool> = stored
        .into_iter()
        .filter(|row| !new.contains(&row.place))
        .map(|row| ((row.place - 1).unsigned_abs() as usize, row.is_same))
        .collect();
    Ok(Keyed { known: Some(known) })
}

/// Events whose keys are there already.
pub async fn put_without_keys(
    tx: &TenantTx,
    rows: &[&Row<'_>],
    batch_id: BatchId,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    if rows.is_empty() {
        return Ok(());
    }
    tx.run(
        "INSERT INTO usage_event (tenant_id, occurred_at, id, source, source_id, customer_id, subscription_id, meter, quantity, dimensions, batch_id, received_at)
         SELECT $1, occurred_at, id, source, source_id, customer_id, nullif(subscription_id, '00000000-0000-0000-0000-000000000000'),
                meter, quantity, dimensions::jsonb, $2, $3
         FROM unnest($4::text[], $5::text[], $6::uuid[], $7::uuid[], $8::uuid[], $9::text[], $10::numeric[], $11::text[], $12::timestamptz[])
              AS u(source, source_id, id, customer_id, subscription_id, meter, quantity, dimensions, occurred_at)",
        [
            tx.tenant_id().into(),
            batch_id.into(),
            now.into(),
            rows.iter().map(|row| row.event.source.clone()).collect::<Vec<String>>().into(),
            rows.iter().map(|row| row.event.id.clone()).collect::<Vec<String>>().into(),
            rows.iter().map(|_| Uuid::now_v7()).collect::<Vec<Uuid>>().into(),
            rows.iter().map(|row| row.event.customer_id.uuid()).collect::<Vec<Uuid>>().into(),
            rows.iter().map(|row| row.subscription_id.map_or(Uuid::nil(), |id| id.uuid())).collect::<Vec<Uuid>>().into(),
            rows.iter().map(|row| row.meter_code().to_owned()).collect::<Vec<String>>().into(),
            rows.iter().map(|row| row.quantity).collect::<Vec<Decimal>>().into(),
            rows.iter().map(|row| json_of(&row.event.dimensions)).collect::<Vec<String>>().into(),
            rows.iter().map(|row| row.event.occurred_at).collect::<Vec<DateTime<Utc>>>().into(),
        ],
    )
    .await?;
    Ok(())
}
