use crate::agent::{Agent, AgentState, AgentStatus, ReadyAgent, SipUser};
use crate::entity::{agent, sip_user as sip};
use crate::error::TenantError;
use chrono::{DateTime, Utc};
use db::{AgentId, DbError, MemberId, PlatformTx, TenantTx};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, FromQueryResult, PaginatorTrait, QueryFilter, QueryOrder, Select,
};
use uuid::Uuid;

pub async fn insert(
    tx: &TenantTx,
    id: AgentId,
    member: MemberId,
    name: &str,
    sip_username: &str,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    let row = agent::ActiveModel {
        tenant_id: Set(tx.tenant_id().uuid()),
        id: Set(id.uuid()),
        member_id: Set(member.uuid()),
        name: Set(name.into()),
        sip_username: Set(sip_username.into()),
        created_at: Set(now),
        removed_at: Set(None),
    };
    agent::Entity::insert(row).exec_without_returning(tx).await?;
    Ok(())
}

fn present(tx: &TenantTx) -> Select<agent::Entity> {
    agent::Entity::find()
        .filter(agent::Column::TenantId.eq(tx.tenant_id().uuid()))
        .filter(agent::Column::RemovedAt.is_null())
}

fn read(row: agent::Model) -> Agent {
    Agent { id: row.id.into(), member_id: row.member_id.into(), name: row.name, sip_username: row.sip_username }
}

pub async fn all(tx: &TenantTx) -> Result<Vec<Agent>, TenantError> {
    let rows = present(tx).order_by_asc(agent::Column::Name).order_by_asc(agent::Column::Id).all(tx).await?;
    Ok(rows.into_iter().map(read).collect())
}

pub async fn of_member(tx: &TenantTx, member: MemberId) -> Result<Option<Agent>, TenantError> {
    Ok(present(tx).filter(agent::Column::MemberId.eq(member.uuid())).one(tx).await?.map(read))
}

pub async fn exists(tx: &TenantTx, id: AgentId) -> Result<bool, DbError> {
    Ok(present(tx).filter(agent::Column::Id.eq(id.uuid())).count(tx).await? > 0)
}

pub async fn remove(tx: &TenantTx, id: AgentId, now: DateTime<Utc>) -> Result<u64, DbError> {
    tx.run(
        "UPDATE agent SET removed_at = $3 WHERE tenant_id = $1 AND id = $2 AND removed_at IS NULL",
        [tx.tenant_id().into(), id.into(), now.into()],
    )
    .await
}

/// False when the user name is another agent's.
pub async fn put_sip_user(
    ptx: &PlatformTx,
    username: &str,
    user: &SipUser,
    now: DateTime<Utc>,
) -> Result<bool, DbError> {
    let touched = ptx
        .run(
            "INSERT INTO sip_user (username, organisation_id, agent_id, ha1_md5, ha1_sha256, changed_at) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (username) DO UPDATE SET ha1_md5 = EXCLUDED.ha1_md5, ha1_sha256 = EXCLUDED.ha1_sha256, changed_at = EXCLUDED.changed_at
             WHERE sip_user.organisation_id = EXCLUDED.organisation_id AND sip_user.agent_id = EXCLUDED.agent_id",
            [
                username.into(),
                user.organisation_id.into(),
                user.agent_id.into(),
                user.ha1_md5.clone().into(),
                user.ha1_sha256.clone().into(),
                now.into(),
            ],
        )
        .await?;
    Ok(touched > 0)
}

/// Of an agent who was removed there is none any more: their phone neither rings nor dials.
pub async fn sip_user(ptx: &PlatformTx, username: &str) -> Result<Option<SipUser>, TenantError> {
    let Some(found) = sip::Entity::find_by_id(username).one(ptx).await? else { return Ok(None) };
    let agent = agent::Entity::find_by_id((found.organisation_id, found.agent_id)).one(ptx).await?;
    let found = agent.is_some_and(|agent| agent.removed_at.is_none()).then_some(found);
    Ok(found.map(|row| SipUser {
        organisation_id: row.organisation_id.into(),
        agent_id: row.agent_id.into(),
        ha1_md5: row.ha1_md5,
        ha1_sha256: row.ha1_sha256,
    }))
}

pub async fn set_state(
    tx: &TenantTx,
    agent: AgentId,
    state: AgentState,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    tx.run(
        "INSERT INTO agent_state (tenant_id, agent_id, state, reason, since) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (tenant_id, agent_id) DO UPDATE SET
           state = EXCLUDED.state, reason = EXCLUDED.reason,
           since = CASE WHEN agent_state.state = EXCLUDED.state AND agent_state.reason IS NOT DISTINCT FROM EXCLUDED.reason
                        THEN agent_state.since ELSE EXCLUDED.since END,
           last_call_ended_at = CASE WHEN agent_state.state = 'talking' AND EXCLUDED.state <> 'talking' THEN EXCLUDED.since
                                     ELSE agent_state.last_call_ended_at END",
        [tx.tenant_id().into(), agent.into(), state.as_str().into(), reason.map(str::to_owned).into(), now.into()],
    )
    .await?;
    Ok(())
}

pub async fn states(tx: &TenantTx) -> Result<Vec<AgentStatus>, TenantError> {
    #[derive(FromQueryResult)]
    struct Row {
        agent_id: Uuid,
        name: String,
        state: String,
        reason: Option<String>,
        since: DateTime<Utc>,
        seat_opened_at: Option<DateTime<Utc>>,
    }
    let rows: Vec<Row> = tx
        .rows(
            "SELECT a.id AS agent_id, a.name, coalesce(s.state, 'not_ready') AS state, s.reason, coalesce(s.since, a.created_at) AS since,
                    t.opened_at AS seat_opened_at
             FROM agent a
             LEFT JOIN agent_state s ON s.tenant_id = a.tenant_id AND s.agent_id = a.id
             LEFT JOIN seat_session t ON t.tenant_id = a.tenant_id AND t.agent_id = a.id AND t.closed_at IS NULL
             WHERE a.tenant_id = $1 AND a.removed_at IS NULL ORDER BY a.name, a.id",
            [tx.tenant_id().into()],
        )
        .await?;
    let status = |row: Row| {
        Ok(AgentStatus {
            agent_id: row.agent_id.into(),
            name: row.name,
            state: AgentState::read(&row.state)?,
            reason: row.reason,
            since: row.since,
            seat_opened_at: row.seat_opened_at,
        })
    };
    rows.into_iter().map(status).collect()
}

pub async fn ready(tx: &TenantTx) -> Result<Vec<ReadyAgent>, TenantError> {
    #[derive(FromQueryResult)]
    struct Row {
        agent_id: Uuid,
        name: String,
        sip_username: String,
    }
    // Idle since the last call of this stay, else since the stay began: yesterday's last call gives nobody a head start.
    let rows: Vec<Row> = tx
        .rows(
            "SELECT a.id AS agent_id, a.name, a.sip_username
             FROM agent a
             JOIN agent_state s ON s.tenant_id = a.tenant_id AND s.agent_id = a.id AND s.state = 'ready'
             JOIN seat_session t ON t.tenant_id = a.tenant_id AND t.agent_id = a.id AND t.closed_at IS NULL
             WHERE a.tenant_id = $1 AND a.removed_at IS NULL
             ORDER BY greatest(coalesce(s.last_call_ended_at, t.opened_at), t.opened_at), a.id",
            [tx.tenant_id().into()],
        )
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| ReadyAgent { agent_id: row.agent_id.into(), name: row.name, sip_username: row.sip_username })
        .collect())
}
