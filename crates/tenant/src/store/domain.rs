use crate::domain::{Domain, DomainClaim};
use crate::entity::domain::{Column, Entity};
use crate::error::TenantError;
use chrono::{DateTime, Utc};
use db::{DbError, PlatformTx, TenantId, TenantTx};
use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder};

/// False when the host is in service for another organisation.
pub async fn put(
    ptx: &PlatformTx,
    host: &str,
    organisation: TenantId,
    verified_at: Option<DateTime<Utc>>,
) -> Result<bool, DbError> {
    let touched = ptx
        .run(
            "INSERT INTO domain (host, organisation_id, verified_at) VALUES ($1, $2, $3)
             ON CONFLICT (host) DO UPDATE SET organisation_id = EXCLUDED.organisation_id, verified_at = EXCLUDED.verified_at
             WHERE domain.organisation_id = EXCLUDED.organisation_id OR domain.verified_at IS NULL AND EXCLUDED.verified_at IS NOT NULL",
            [host.into(), organisation.into(), verified_at.into()],
        )
        .await?;
    Ok(touched > 0)
}

pub async fn owner(ptx: &PlatformTx, host: &str) -> Result<Option<TenantId>, TenantError> {
    let found = Entity::find_by_id(host).filter(Column::VerifiedAt.is_not_null()).one(ptx).await?;
    Ok(found.map(|row| row.organisation_id.into()))
}

pub async fn of(ptx: &PlatformTx, organisation: TenantId) -> Result<Vec<Domain>, TenantError> {
    let rows = Entity::find()
        .filter(Column::OrganisationId.eq(organisation.uuid()))
        .order_by_asc(Column::Host)
        .all(ptx)
        .await?;
    let domain = |row: crate::entity::domain::Model| Domain {
        host: row.host,
        organisation_id: row.organisation_id.into(),
        verified_at: row.verified_at,
    };
    Ok(rows.into_iter().map(domain).collect())
}

pub async fn withdraw(ptx: &PlatformTx, host: &str, organisation: TenantId) -> Result<(), DbError> {
    ptx.run(
        "UPDATE domain SET verified_at = NULL WHERE host = $1 AND organisation_id = $2",
        [host.into(), organisation.into()],
    )
    .await?;
    Ok(())
}

#[derive(FromQueryResult)]
struct ClaimRow {
    host: String,
    token: String,
    claimed_at: DateTime<Utc>,
    checked_at: Option<DateTime<Utc>>,
    problem: Option<String>,
}

pub async fn claim(tx: &TenantTx, host: &str, token: &str, by: &str, now: DateTime<Utc>) -> Result<(), DbError> {
    tx.run(
        "INSERT INTO domain_claim (tenant_id, host, token, claimed_at, claimed_by) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT DO NOTHING",
        [tx.tenant_id().into(), host.into(), token.into(), now.into(), by.into()],
    )
    .await?;
    Ok(())
}

pub async fn claims(tx: &TenantTx) -> Result<Vec<DomainClaim>, TenantError> {
    let rows: Vec<ClaimRow> = tx
        .rows(
            "SELECT host, token, claimed_at, checked_at, problem FROM domain_claim WHERE tenant_id = $1 ORDER BY host",
            [tx.tenant_id().into()],
        )
        .await?;
    let claim = |row: ClaimRow| DomainClaim {
        host: row.host,
        token: row.token,
        claimed_at: row.claimed_at,
        checked_at: row.checked_at,
        problem: row.problem,
    };
    Ok(rows.into_iter().map(claim).collect())
}

pub async fn checked(tx: &TenantTx, host: &str, problem: Option<&str>, now: DateTime<Utc>) -> Result<(), DbError> {
    tx.run(
        "UPDATE domain_claim SET checked_at = $3, problem = $4 WHERE tenant_id = $1 AND host = $2",
        [tx.tenant_id().into(), host.into(), now.into(), problem.map(str::to_owned).into()],
    )
    .await?;
    Ok(())
}

pub async fn drop_claim(tx: &TenantTx, host: &str) -> Result<(), DbError> {
    tx.run("DELETE FROM domain_claim WHERE tenant_id = $1 AND host = $2", [tx.tenant_id().into(), host.into()]).await?;
    Ok(())
}
