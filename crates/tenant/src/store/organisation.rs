use crate::entity::organisation::{ActiveModel, Column, Entity, Model};
use crate::error::TenantError;
use crate::organisation::{NewOrganisation, Organisation, OrganisationKind, RoundCallsTo};
use chrono::{DateTime, Utc};
use db::{DbError, PlatformTx, TenantId};
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder};

pub async fn insert(ptx: &PlatformTx, id: TenantId, new: &NewOrganisation, now: DateTime<Utc>) -> Result<(), DbError> {
    let bank: Vec<[&str; 2]> = new.bank.iter().map(|(label, value)| [label.as_str(), value.as_str()]).collect();
    let row = ActiveModel {
        id: Set(id.uuid()),
        kind: Set(new.kind.as_str().into()),
        name: Set(new.name.trim().into()),
        slug: Set(new.slug.clone()),
        currency: Set(new.currency.code().into()),
        time_zone: Set(new.time_zone.clone()),
        country: Set(new.country.clone()),
        legal_name: Set(new.legal_name.trim().into()),
        address_lines: Set(new.address_lines.clone()),
        contact_lines: Set(new.contact_lines.clone()),
        tax_id: Set(new.tax_id.clone()),
        bank: Set(serde_json::json!(bank)),
        language: Set(new.language.clone()),
        series_prefix: Set(new.series_prefix.clone()),
        tax_percent: Set(new.tax_percent),
        round_calls_to: Set(new.round_calls_to.as_str().into()),
        created_at: Set(now),
        suspended_at: Set(None),
    };
    Entity::insert(row).exec_without_returning(ptx).await?;
    Ok(())
}

pub async fn find<C: ConnectionTrait>(tx: &C, id: TenantId) -> Result<Option<Organisation>, TenantError> {
    Entity::find_by_id(id.uuid()).one(tx).await?.map(read).transpose()
}

pub async fn find_by_slug(ptx: &PlatformTx, slug: &str) -> Result<Option<Organisation>, TenantError> {
    Entity::find().filter(Column::Slug.eq(slug)).one(ptx).await?.map(read).transpose()
}

pub async fn all(ptx: &PlatformTx) -> Result<Vec<Organisation>, TenantError> {
    Entity::find().order_by_asc(Column::Name).order_by_asc(Column::Id).all(ptx).await?.into_iter().map(read).collect()
}

pub async fn set_suspended(ptx: &PlatformTx, id: TenantId, at: Option<DateTime<Utc>>) -> Result<(), TenantError> {
    // Suspending twice keeps the first instant; NULL restores.
    let touched = ptx
        .run(
            "UPDATE organisation SET suspended_at = CASE WHEN $2::timestamptz IS NULL THEN NULL ELSE coalesce(suspended_at, $2) END WHERE id = $1",
            [id.into(), at.into()],
        )
        .await?;
    if touched == 0 { Err(TenantError::OrganisationMustExist) } else { Ok(()) }
}

pub async fn any_suspended(ptx: &PlatformTx, ids: &[TenantId], at: DateTime<Utc>) -> Result<bool, TenantError> {
    let ids = ids.iter().map(|id| id.uuid());
    Ok(Entity::find().filter(Column::Id.is_in(ids)).filter(Column::SuspendedAt.lte(at)).count(ptx).await? > 0)
}

pub fn read(row: Model) -> Result<Organisation, TenantError> {
    let unreadable = |what, found: &str| TenantError::StoredValueMustBeKnown { what, found: found.to_owned() };
    let bank: Vec<(String, String)> = serde_json::from_value(row.bank).map_err(|_| unreadable("bank", ""))?;
    Ok(Organisation {
        id: row.id.into(),
        kind: OrganisationKind::read(&row.kind)?,
        name: row.name,
        slug: row.slug,
        currency: row.currency.parse().map_err(|_| unreadable("currency", &row.currency))?,
        time_zone: row.time_zone,
        country: row.country,
        legal_name: row.legal_name,
        address_lines: row.address_lines,
        contact_lines: row.contact_lines,
        tax_id: row.tax_id,
        bank,
        language: row.language,
        series_prefix: row.series_prefix,
        tax_percent: row.tax_percent.normalize(),
        round_calls_to: if row.round_calls_to == "minor" { RoundCallsTo::Minor } else { RoundCallsTo::Micros },
        created_at: row.created_at,
        suspended_at: row.suspended_at,
    })
}
