use crate::entity::seat_session::{Column, Entity, Model};
use crate::error::TenantError;
use crate::seat::{SeatClosedBy, SeatSession};
use chrono::{DateTime, Utc};
use db::{AgentId, DbError, PlatformTx, SeatSessionId, TenantId, TenantTx};
use sea_orm::{ColumnTrait, Condition, EntityTrait, FromQueryResult, QueryFilter, QueryOrder};
use uuid::Uuid;

/// The open stay and whether it is new. A partial unique index keeps it one, also when two windows open at once.
pub async fn open(tx: &TenantTx, agent: AgentId, now: DateTime<Utc>) -> Result<(SeatSessionId, bool), TenantError> {
    let id = SeatSessionId::new();
    let touched = tx
        .run(
            "INSERT INTO seat_session (tenant_id, id, agent_id, opened_at, last_heartbeat_at) VALUES ($1, $2, $3, $4, $4)
             ON CONFLICT (tenant_id, agent_id) WHERE closed_at IS NULL DO NOTHING",
            [tx.tenant_id().into(), id.into(), agent.into(), now.into()],
        )
        .await?;
    if touched > 0 {
        return Ok((id, true));
    }
    let open: Option<Uuid> = tx
        .value(
            "SELECT id AS v FROM seat_session WHERE tenant_id = $1 AND agent_id = $2 AND closed_at IS NULL",
            [tx.tenant_id().into(), agent.into()],
        )
        .await?;
    open.map(|id| (id.into(), false)).ok_or(TenantError::SeatMustBeOpen)
}

pub async fn heartbeat(tx: &TenantTx, agent: AgentId, now: DateTime<Utc>) -> Result<u64, DbError> {
    tx.run(
        "UPDATE seat_session SET last_heartbeat_at = greatest(last_heartbeat_at, $3) WHERE tenant_id = $1 AND agent_id = $2 AND closed_at IS NULL",
        [tx.tenant_id().into(), agent.into(), now.into()],
    )
    .await
}

pub async fn close(tx: &TenantTx, agent: AgentId, by: SeatClosedBy, now: DateTime<Utc>) -> Result<u64, DbError> {
    tx.run(
        "UPDATE seat_session SET closed_at = greatest(opened_at, $3), closed_by = $4 WHERE tenant_id = $1 AND agent_id = $2 AND closed_at IS NULL",
        [tx.tenant_id().into(), agent.into(), now.into(), by.as_str().into()],
    )
    .await
}

pub async fn close_missed(tx: &TenantTx, older_than: DateTime<Utc>) -> Result<Vec<AgentId>, DbError> {
    #[derive(FromQueryResult)]
    struct Row {
        agent_id: Uuid,
    }
    let rows: Vec<Row> = tx
        .rows(
            "UPDATE seat_session SET closed_at = last_heartbeat_at, closed_by = 'missed_heartbeat'
             WHERE tenant_id = $1 AND closed_at IS NULL AND last_heartbeat_at < $2 RETURNING agent_id",
            [tx.tenant_id().into(), older_than.into()],
        )
        .await?;
    Ok(rows.into_iter().map(|row| row.agent_id.into()).collect())
}

pub async fn tenants_with_open(ptx: &PlatformTx, older_than: DateTime<Utc>) -> Result<Vec<TenantId>, TenantError> {
    #[derive(FromQueryResult)]
    struct Row {
        tenant_id: Uuid,
    }
    let rows: Vec<Row> = ptx
        .rows(
            "SELECT DISTINCT tenant_id FROM seat_session WHERE closed_at IS NULL AND last_heartbeat_at < $1",
            [older_than.into()],
        )
        .await?;
    Ok(rows.into_iter().map(|row| row.tenant_id.into()).collect())
}

pub async fn touching(tx: &TenantTx, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Vec<SeatSession>, TenantError> {
    let not_over = Condition::any().add(Column::ClosedAt.is_null()).add(Column::ClosedAt.gte(from));
    let rows = Entity::find()
        .filter(Column::TenantId.eq(tx.tenant_id().uuid()))
        .filter(Column::OpenedAt.lt(to))
        .filter(not_over)
        .order_by_asc(Column::OpenedAt)
        .order_by_asc(Column::Id)
        .all(tx)
        .await?;
    let stays: Vec<SeatSession> = rows.into_iter().map(read).collect::<Result<_, _>>()?;
    Ok(stays.into_iter().filter(|stay| stay.known_until() > from).collect())
}

fn read(row: Model) -> Result<SeatSession, TenantError> {
    Ok(SeatSession {
        id: row.id.into(),
        agent_id: row.agent_id.into(),
        opened_at: row.opened_at,
        last_heartbeat_at: row.last_heartbeat_at,
        closed_at: row.closed_at,
        closed_by: row.closed_by.as_deref().map(SeatClosedBy::read).transpose()?,
    })
}

/// One lock of the book, which lasts as long as the transaction.
pub async fn take_turn(tx: &TenantTx) -> Result<(), DbError> {
    tx.run("SELECT pg_advisory_xact_lock(7261005, hashtext($1))", [tx.tenant_id().to_string().into()]).await?;
    Ok(())
}
