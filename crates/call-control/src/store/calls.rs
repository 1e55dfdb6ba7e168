//! One call: its row under lock, its events.

use crate::entity::call::{ActiveModel, Column, Entity, Model};
use crate::error::Result;
use chrono::{DateTime, Utc};
use db::{CallId, CustomerId, NumberId, PlatformTx, TenantId, TenantTx};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, FromQueryResult, IntoActiveModel, QueryFilter, QuerySelect};
use uuid::Uuid;

/// A call that has just arrived.
pub struct Arrival<'a> {
    pub call_id: CallId,
    pub number_id: NumberId,
    pub called: &'a str,
    pub caller: Option<&'a str>,
    pub customer_id: Option<CustomerId>,
    pub started_at: DateTime<Utc>,
    /// `tenant`, or `seller` where the level above collects.
    pub collected_by: &'a str,
    /// Of the number: what its prompts are spoken in.
    pub language: Option<&'a str>,
}

/// Opens a call's row. An open one keeps what it knows and learns its customer, if it had none.
pub async fn open(tx: &TenantTx, arrival: &Arrival<'_>) -> Result<()> {
    tx.run(
        "INSERT INTO call (tenant_id, id, number_id, called, caller, customer_id, started_at, last_seen_at, state, collected_by, language)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7, 'menu', $8, $9)
         ON CONFLICT (tenant_id, id) DO UPDATE SET customer_id = coalesce(call.customer_id, excluded.customer_id)
         WHERE call.customer_id IS NULL AND excluded.customer_id IS NOT NULL AND call.ended_at IS NULL",
        [
            tx.tenant_id().into(),
            arrival.call_id.into(),
            arrival.number_id.into(),
            arrival.called.into(),
            arrival.caller.map(str::to_owned).into(),
            arrival.customer_id.map(CustomerId::uuid).into(),
            arrival.started_at.into(),
            arrival.collected_by.into(),
            arrival.language.map(str::to_owned).into(),
        ],
    )
    .await?;
    Ok(())
}

/// Takes a call's row until the transaction ends.
pub async fn lock(tx: &TenantTx, call_id: CallId) -> Result<Option<Model>> {
    let found = Entity::find()
        .filter(Column::TenantId.eq(tx.tenant_id().uuid()))
        .filter(Column::Id.eq(call_id.uuid()))
        .lock_exclusive()
        .one(tx)
        .await?;
    Ok(found)
}

/// A call's row as it is.
pub async fn find(tx: &TenantTx, call_id: CallId) -> Result<Option<Model>> {
    let found = Entity::find()
        .filter(Column::TenantId.eq(tx.tenant_id().uuid()))
        .filter(Column::Id.eq(call_id.uuid()))
        .one(tx)
        .await?;
    Ok(found)
}

/// Writes a row that was taken by [`lock`].
pub async fn save(tx: &TenantTx, call: &Model) -> Result<()> {
    let changed: ActiveModel = call.clone().into_active_model().reset_all();
    changed.update(tx).await?;
    Ok(())
}

/// Open calls that were last heard of before these instants: the first for metered ones, the second for the others.
pub async fn silent(
    tx: &TenantTx,
    metered_before: DateTime<Utc>,
    waiting_before: DateTime<Utc>,
) -> Result<Vec<CallId>> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
    }
    let rows: Vec<Row> = tx
        .rows(
            "SELECT id FROM call WHERE tenant_id = $1 AND ended_at IS NULL
             AND last_seen_at < CASE WHEN meter_started_at IS NULL THEN $3 ELSE $2 END ORDER BY id",
            [tx.tenant_id().into(), metered_before.into(), waiting_before.into()],
        )
        .await?;
    Ok(rows.into_iter().map(|row| CallId::from_uuid(row.id)).collect())
}

/// In whose book a call is.
pub async fn tenant_of(ptx: &PlatformTx, call_id: CallId) -> Result<Option<TenantId>> {
    let id: Option<Uuid> = ptx.value("SELECT tenant_id AS v FROM call WHERE id = $1", [call_id.into()]).await?;
    Ok(id.map(TenantId::from_uuid))
}

/// An event to be kept in the timeline.
pub struct NewEvent {
    pub kind: &'static str,
    pub seq: i32,
    pub at: DateTime<Utc>,
    pub offset_ms: i64,
    pub detail: serde_json::Value,
}

pub async fn insert_events(tx: &TenantTx, call_id: CallId, events: &[NewEvent]) -> Result<()> {
    if events.is_empty() {
        return Ok(());
    }
    tx.run(
        "INSERT INTO call_event (tenant_id, call_id, kind, seq, at, offset_ms, detail)
         SELECT $1, $2, e.kind, e.seq, e.at, e.offset_ms, e.detail::jsonb
         FROM unnest($3::text[], $4::int[], $5::timestamptz[], $6::bigint[], $7::text[]) AS e (kind, seq, at, offset_ms, detail)
         ON CONFLICT DO NOTHING",
        [
            tx.tenant_id().into(),
            call_id.into(),
            events.iter().map(|event| event.kind.to_owned()).collect::<Vec<_>>().into(),
            events.iter().map(|event| event.seq).collect::<Vec<_>>().into(),
            events.iter().map(|event| event.at).collect::<Vec<_>>().into(),
            events.iter().map(|event| event.offset_ms).collect::<Vec<_>>().into(),
            events.iter().map(|event| event.detail.to_string()).collect::<Vec<_>>().into(),
        ],
    )
    .await?;
    Ok(())
}

#[derive(FromQueryResult)]
pub struct EventRow {
    pub kind: String,
    pub seq: i32,
    pub at: DateTime<Utc>,
    pub offset_ms: i64,
    pub detail: serde_json::Value,
}

pub async fn events(tx: &TenantTx, call_id: CallId) -> Result<Vec<EventRow>> {
    let rows = tx
        .rows(
            "SELECT kind, seq, at, offset_ms, detail FROM call_event WHERE tenant_id = $1 AND call_id = $2 ORDER BY seq, kind",
            [tx.tenant_id().into(), call_id.into()],
        )
        .await?;
    Ok(rows)
}
