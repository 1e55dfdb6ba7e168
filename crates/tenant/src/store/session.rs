use crate::error::TenantError;
use crate::member::{Membership, Role};
use crate::session::Session;
use chrono::{DateTime, Utc};
use db::{DbError, PersonId, PlatformTx};
use sea_orm::FromQueryResult;
use uuid::Uuid;

/// A session with the instants that decide whether it still lives.
pub struct Found {
    pub session: Session,
    pub created_at: DateTime<Utc>,
    pub last_seen_at: DateTime<Utc>,
}

pub async fn insert(
    ptx: &PlatformTx,
    token_hash: &[u8; 32],
    person: PersonId,
    membership: &Membership,
    csrf_token: &str,
    user_agent: &str,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    ptx.run(
        "INSERT INTO sign_in_session (token_hash, person_id, organisation_id, member_id, csrf_token, user_agent, created_at, last_seen_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7)",
        [
            token_hash.to_vec().into(),
            person.into(),
            membership.tenant_id.into(),
            membership.member_id.into(),
            csrf_token.into(),
            user_agent.into(),
            now.into(),
        ],
    )
    .await?;
    Ok(())
}

pub async fn find(ptx: &PlatformTx, token_hash: &[u8; 32]) -> Result<Option<Found>, TenantError> {
    #[derive(FromQueryResult)]
    struct Row {
        person_id: Uuid,
        organisation_id: Uuid,
        member_id: Uuid,
        csrf_token: String,
        created_at: DateTime<Utc>,
        last_seen_at: DateTime<Utc>,
        member_name: String,
        role: String,
        customer_id: Option<Uuid>,
        agent_id: Option<Uuid>,
    }
    let row: Option<Row> = ptx
        .row(
            "SELECT s.person_id, s.organisation_id, s.member_id, s.csrf_token, s.created_at, s.last_seen_at,
                    m.name AS member_name, m.role, m.customer_id, a.id AS agent_id
             FROM sign_in_session s
             JOIN member m ON m.tenant_id = s.organisation_id AND m.id = s.member_id AND m.person_id = s.person_id AND m.removed_at IS NULL
             LEFT JOIN agent a ON a.tenant_id = m.tenant_id AND a.member_id = m.id AND a.removed_at IS NULL
             WHERE s.token_hash = $1 AND s.ended_at IS NULL",
            [token_hash.to_vec().into()],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let organisation =
        super::organisation::find(ptx, row.organisation_id.into()).await?.ok_or(TenantError::OrganisationMustExist)?;
    let session = Session {
        person_id: row.person_id.into(),
        tenant_id: row.organisation_id.into(),
        member_id: row.member_id.into(),
        member_name: row.member_name,
        role: Role::read(&row.role)?,
        customer_id: row.customer_id.map(Into::into),
        agent_id: row.agent_id.map(Into::into),
        csrf_token: row.csrf_token,
        organisation,
    };
    Ok(Some(Found { session, created_at: row.created_at, last_seen_at: row.last_seen_at }))
}

pub async fn touch(ptx: &PlatformTx, token_hash: &[u8; 32], now: DateTime<Utc>) -> Result<(), DbError> {
    ptx.run(
        "UPDATE sign_in_session SET last_seen_at = greatest(last_seen_at, $2) WHERE token_hash = $1 AND ended_at IS NULL",
        [token_hash.to_vec().into(), now.into()],
    )
    .await?;
    Ok(())
}

pub async fn end(ptx: &PlatformTx, token_hash: &[u8; 32], now: DateTime<Utc>) -> Result<(), DbError> {
    ptx.run(
        "UPDATE sign_in_session SET ended_at = $2 WHERE token_hash = $1 AND ended_at IS NULL",
        [token_hash.to_vec().into(), now.into()],
    )
    .await?;
    Ok(())
}

pub async fn end_of(ptx: &PlatformTx, person: PersonId, now: DateTime<Utc>) -> Result<u64, DbError> {
    ptx.run(
        "UPDATE sign_in_session SET ended_at = $2 WHERE person_id = $1 AND ended_at IS NULL",
        [person.into(), now.into()],
    )
    .await
}
