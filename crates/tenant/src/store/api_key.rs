use crate::api_key::ApiKey;
use crate::entity::api_key::{ActiveModel, Column, Entity, Model};
use crate::error::TenantError;
use crate::scope::Scope;
use chrono::{DateTime, Utc};
use db::{ApiKeyId, DbError, PlatformTx, TenantId, TenantTx};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

pub async fn insert(tx: &TenantTx, key: &ApiKey, secret_hash: &[u8; 32]) -> Result<(), DbError> {
    let row = ActiveModel {
        tenant_id: Set(tx.tenant_id().uuid()),
        id: Set(key.id.uuid()),
        name: Set(key.name.clone()),
        start: Set(key.start.clone()),
        secret_hash: Set(secret_hash.to_vec()),
        scopes: Set(key.scopes.iter().map(|scope| scope.as_str().to_owned()).collect()),
        created_at: Set(key.created_at),
        created_by: Set(key.created_by.clone()),
        expires_at: Set(key.expires_at),
        last_used_at: Set(None),
        revoked_at: Set(None),
    };
    Entity::insert(row).exec_without_returning(tx).await?;
    Ok(())
}

pub async fn all(tx: &TenantTx) -> Result<Vec<ApiKey>, TenantError> {
    let rows = Entity::find()
        .filter(Column::TenantId.eq(tx.tenant_id().uuid()))
        .order_by_desc(Column::CreatedAt)
        .order_by_desc(Column::Id)
        .all(tx)
        .await?;
    rows.into_iter().map(read).collect()
}

pub async fn find(ptx: &PlatformTx, secret_hash: &[u8; 32]) -> Result<Option<(TenantId, ApiKey)>, TenantError> {
    let row: Option<Model> =
        ptx.row("SELECT * FROM api_key WHERE secret_hash = $1", [secret_hash.to_vec().into()]).await?;
    row.map(|row| Ok((row.tenant_id.into(), read(row)?))).transpose()
}

pub async fn revoke(tx: &TenantTx, id: ApiKeyId, now: DateTime<Utc>) -> Result<u64, DbError> {
    tx.run(
        "UPDATE api_key SET revoked_at = $3 WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL",
        [tx.tenant_id().into(), id.into(), now.into()],
    )
    .await
}

/// Requests at once do not wait for each other to note the same minute.
pub async fn touch(tx: &TenantTx, id: ApiKeyId, now: DateTime<Utc>) -> Result<u64, DbError> {
    tx.run(
        "UPDATE api_key SET last_used_at = greatest(last_used_at, $3)
         WHERE (tenant_id, id) IN (SELECT tenant_id, id FROM api_key WHERE tenant_id = $1 AND id = $2 FOR UPDATE SKIP LOCKED)",
        [tx.tenant_id().into(), id.into(), now.into()],
    )
    .await
}

fn read(row: Model) -> Result<ApiKey, TenantError> {
    Ok(ApiKey {
        id: row.id.into(),
        name: row.name,
        start: row.start,
        scopes: row.scopes.iter().map(|scope| scope.parse::<Scope>()).collect::<Result<_, _>>()?,
        created_at: row.created_at,
        created_by: row.created_by,
        expires_at: row.expires_at,
        last_used_at: row.last_used_at,
        revoked_at: row.revoked_at,
    })
}
