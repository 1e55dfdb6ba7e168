//! Carriers, and the calls given to them.

use crate::carrier::{Carrier, CarrierQuality, NewCarrier};
use crate::error::Result;
use chrono::{DateTime, Utc};
use db::{CallId, CarrierId, TenantId, TenantTx};
use sea_orm::FromQueryResult;
use std::collections::HashMap;
use uuid::Uuid;

fn whole(most: Option<u32>) -> Option<i32> {
    most.and_then(|most| i32::try_from(most).ok())
}

/// False when another has the code.
pub async fn insert(tx: &TenantTx, id: CarrierId, new: &NewCarrier, now: DateTime<Utc>) -> Result<bool> {
    let made = tx
        .run(
            "INSERT INTO carrier (tenant_id, id, code, name, cost_deck_id, channels_max, calls_per_second_max, is_up, priority, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (tenant_id, code) DO NOTHING",
            [
                tx.tenant_id().into(),
                id.into(),
                new.code.clone().into(),
                new.name.clone().into(),
                new.cost_deck.into(),
                whole(new.channels_max).into(),
                whole(new.calls_per_second_max).into(),
                new.is_up.into(),
                whole(Some(new.priority)).into(),
                now.into(),
            ],
        )
        .await?;
    Ok(made > 0)
}

pub async fn update(tx: &TenantTx, id: CarrierId, new: &NewCarrier) -> Result<()> {
    tx.run(
        "UPDATE carrier SET name = $3, cost_deck_id = $4, channels_max = $5, calls_per_second_max = $6, is_up = $7, priority = $8
         WHERE tenant_id = $1 AND id = $2",
        [
            tx.tenant_id().into(),
            id.into(),
            new.name.clone().into(),
            new.cost_deck.into(),
            whole(new.channels_max).into(),
            whole(new.calls_per_second_max).into(),
            new.is_up.into(),
            whole(Some(new.priority)).into(),
        ],
    )
    .await?;
    Ok(())
}

pub async fn all(tx: &TenantTx) -> Result<Vec<Carrier>> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
        code: String,
        name: String,
        cost_deck_id: Uuid,
        channels_max: Option<i32>,
        calls_per_second_max: Option<i32>,
        is_up: bool,
        priority: i32,
        created_at: DateTime<Utc>,
    }
    let rows: Vec<Row> = tx
        .rows(
            "SELECT id, code, name, cost_deck_id, channels_max, calls_per_second_max, is_up, priority, created_at FROM carrier
             WHERE tenant_id = $1 ORDER BY priority, code",
            [tx.tenant_id().into()],
        )
        .await?;
    let carrier = |row: Row| Carrier {
        id: row.id.into(),
        of: NewCarrier {
            code: row.code,
            name: row.name,
            cost_deck: row.cost_deck_id.into(),
            channels_max: row.channels_max.map(i32::unsigned_abs),
            calls_per_second_max: row.calls_per_second_max.map(i32::unsigned_abs),
            is_up: row.is_up,
            priority: row.priority.unsigned_abs(),
        },
        created_at: row.created_at,
    };
    Ok(rows.into_iter().map(carrier).collect())
}

/// One call at a time counts a carrier's channels.
pub async fn lock(tx: &TenantTx, id: CarrierId) -> Result<()> {
    tx.run("SELECT 1 FROM carrier WHERE tenant_id = $1 AND id = $2 FOR UPDATE", [tx.tenant_id().into(), id.into()])
        .await?;
    Ok(())
}

/// One call may be left out: the one that is asked for.
pub async fn quality(
    tx: &TenantTx,
    (from, at): (DateTime<Utc>, DateTime<Utc>),
    without: Option<CallId>,
) -> Result<HashMap<CarrierId, CarrierQuality>> {
    #[derive(FromQueryResult)]
    struct Row {
        carrier_id: Uuid,
        attempts: i64,
        answers: i64,
        running: i64,
        begun: i64,
    }
    let rows: Vec<Row> = tx
        .rows(
            "SELECT c.id AS carrier_id, a.attempts, a.answers, a.begun,
               (SELECT count(*) FROM outgoing_call o
                WHERE o.book_id = $1 AND o.carrier_id = c.id AND o.ended_at IS NULL AND o.lease_until > $3
                  AND ($4::uuid IS NULL OR o.call_id <> $4)) AS running
             FROM carrier c CROSS JOIN LATERAL (
               SELECT count(*) FILTER (WHERE is_answered IS NOT NULL) AS attempts, count(*) FILTER (WHERE is_answered) AS answers,
                 count(*) FILTER (WHERE at > $3 - interval '1 second') AS begun
               FROM carrier_attempt WHERE book_id = $1 AND carrier_id = c.id AND at > $2 AND at <= $3
                 AND ($4::uuid IS NULL OR call_id <> $4)) a
             WHERE c.tenant_id = $1",
            [tx.tenant_id().into(), from.into(), at.into(), without.map(CallId::uuid).into()],
        )
        .await?;
    let quality = |row: Row| {
        let quality = CarrierQuality {
            attempts: row.attempts.unsigned_abs(),
            answers: row.answers.unsigned_abs(),
            running: row.running.unsigned_abs(),
            begun: row.begun.unsigned_abs(),
        };
        (CarrierId::from_uuid(row.carrier_id), quality)
    };
    Ok(rows.into_iter().map(quality).collect())
}

/// Where an outgoing call stands: whose call it is, and its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub origin: TenantId,
    pub call_id: CallId,
}

pub async fn begin_attempt(tx: &TenantTx, of: Place, carrier_id: CarrierId, at: DateTime<Utc>) -> Result<()> {
    tx.run(
        "INSERT INTO carrier_attempt (tenant_id, book_id, call_id, position, carrier_id, at)
         SELECT $2, $1, $3, coalesce(max(position), 0) + 1, $4, $5 FROM carrier_attempt
         WHERE tenant_id = $2 AND call_id = $3 AND book_id = $1",
        [tx.tenant_id().into(), of.origin.into(), of.call_id.into(), carrier_id.into(), at.into()],
    )
    .await?;
    Ok(())
}

/// What became of the attempt that is open: answered, or failed with what the carrier said.
pub async fn end_attempt(tx: &TenantTx, of: Place, is_answered: bool, failure: Option<&str>) -> Result<()> {
    tx.run(
        "UPDATE carrier_attempt SET is_answered = $4, failure = $5
         WHERE tenant_id = $2 AND call_id = $3 AND book_id = $1 AND is_answered IS NULL",
        [
            tx.tenant_id().into(),
            of.origin.into(),
            of.call_id.into(),
            is_answered.into(),
            failure.map(str::to_owned).into(),
        ],
    )
    .await?;
    Ok(())
}

/// Removes up to `limit` attempts of this book from before an instant.
pub async fn forget_attempts(tx: &TenantTx, before: DateTime<Utc>, limit: i64) -> Result<u64> {
    let removed = tx
        .run(
            "DELETE FROM carrier_attempt WHERE (tenant_id, call_id, book_id, position) IN
               (SELECT tenant_id, call_id, book_id, position FROM carrier_attempt WHERE book_id = $1 AND at < $2 ORDER BY at LIMIT $3)",
            [tx.tenant_id().into(), before.into(), limit.into()],
        )
        .await?;
    Ok(removed)
}

/// An attempt as its call shows it.
#[derive(Clone, FromQueryResult)]
pub struct AttemptRow {
    pub carrier_id: Uuid,
    pub at: DateTime<Utc>,
    pub is_answered: Option<bool>,
    pub failure: Option<String>,
}

pub async fn attempts(tx: &TenantTx, of: Place) -> Result<Vec<AttemptRow>> {
    Ok(tx
        .rows(
            "SELECT carrier_id, at, is_answered, failure FROM carrier_attempt
             WHERE tenant_id = $2 AND call_id = $3 AND book_id = $1 ORDER BY position",
            [tx.tenant_id().into(), of.origin.into(), of.call_id.into()],
        )
        .await?)
}
