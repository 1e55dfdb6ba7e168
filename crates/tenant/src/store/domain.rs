use crate::domain::Domain;
use crate::entity::domain::{Column, Entity};
use crate::error::TenantError;
use chrono::{DateTime, Utc};
use db::{DbError, PlatformTx, TenantId};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

/// False when the host belongs to another organisation.
pub async fn put(
    ptx: &PlatformTx,
    host: &str,
    organisation: TenantId,
    verified_at: Option<DateTime<Utc>>,
) -> Result<bool, DbError> {
    let touched = ptx
        .run(
            "INSERT INTO domain (host, organisation_id, verified_at) VALUES ($1, $2, $3)
             ON CONFLICT (host) DO UPDATE SET verified_at = EXCLUDED.verified_at WHERE domain.organisation_id = EXCLUDED.organisation_id",
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
