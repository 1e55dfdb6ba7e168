use crate::brand::{Brand, BrandColours};
use crate::entity::brand::{ActiveModel, Column, Entity};
use crate::error::TenantError;
use chrono::{DateTime, Utc};
use db::{DbError, TenantTx};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, EntityTrait};

pub async fn find(tx: &TenantTx) -> Result<Option<Brand>, TenantError> {
    let Some(row) = Entity::find_by_id(tx.tenant_id().uuid()).one(tx).await? else { return Ok(None) };
    let colours: BrandColours = serde_json::from_value(row.colours.clone())
        .map_err(|_| TenantError::StoredValueMustBeKnown { what: "brand colours", found: row.colours.to_string() })?;
    let logo_svg = Some(row.logo_svg).filter(|svg| !svg.is_empty());
    Ok(Some(Brand { name: row.name, logo_svg, colours, support_email: row.support_email }))
}

pub async fn put(tx: &TenantTx, brand: &Brand, now: DateTime<Utc>) -> Result<(), DbError> {
    let row = ActiveModel {
        tenant_id: Set(tx.tenant_id().uuid()),
        name: Set(brand.name.trim().into()),
        logo_svg: Set(brand.logo_svg.clone().unwrap_or_default()),
        colours: Set(serde_json::json!(brand.colours)),
        support_email: Set(brand.support_email.clone()),
        changed_at: Set(now),
    };
    let change = [Column::Name, Column::LogoSvg, Column::Colours, Column::SupportEmail, Column::ChangedAt];
    let conflict = OnConflict::column(Column::TenantId).update_columns(change).to_owned();
    Entity::insert(row).on_conflict(conflict).exec_without_returning(tx).await?;
    Ok(())
}
