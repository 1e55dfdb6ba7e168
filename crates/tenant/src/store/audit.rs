use crate::entity::audit_entry::{ActiveModel, Column, Entity, Model};
use chrono::{DateTime, Utc};
use db::{AuditEntryId, DbError, PlatformTx, TenantId, TenantTx};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

/// A link of the chain beside the entry that it covers.
#[derive(FromQueryResult)]
pub struct Linked {
    pub position: i64,
    pub hash: Vec<u8>,
    pub id: Uuid,
    pub at: DateTime<Utc>,
    pub actor: String,
    pub action: String,
    pub subject: String,
    pub payload: Option<serde_json::Value>,
    pub salt: Option<Vec<u8>>,
    pub payload_hash: Vec<u8>,
}

/// What an entry holds when it is written.
pub struct NewEntry<'a> {
    pub actor: &'a str,
    pub action: &'a str,
    pub subject: &'a str,
    pub payload: serde_json::Value,
    pub salt: Vec<u8>,
    pub payload_hash: [u8; 32],
}

pub async fn insert(tx: &TenantTx, entry: NewEntry<'_>, now: DateTime<Utc>) -> Result<AuditEntryId, DbError> {
    let id = AuditEntryId::new();
    let row = ActiveModel {
        tenant_id: Set(tx.tenant_id().uuid()),
        id: Set(id.uuid()),
        at: Set(now),
        actor: Set(entry.actor.into()),
        action: Set(entry.action.into()),
        subject: Set(entry.subject.into()),
        payload: Set(Some(entry.payload)),
        salt: Set(Some(entry.salt)),
        payload_hash: Set(entry.payload_hash.to_vec()),
    };
    Entity::insert(row).exec_without_returning(tx).await?;
    Ok(id)
}

/// True for the one worker that may extend this tenant's chain until its transaction ends.
pub async fn lock_chain(tx: &TenantTx) -> Result<bool, DbError> {
    let got = tx
        .value("SELECT pg_try_advisory_xact_lock(7261003, hashtext($1)) AS v", [tx.tenant_id().to_string().into()])
        .await?;
    Ok(got.unwrap_or(false))
}

pub async fn last_link(tx: &TenantTx) -> Result<Option<(i64, Vec<u8>)>, DbError> {
    #[derive(FromQueryResult)]
    struct Row {
        position: i64,
        hash: Vec<u8>,
    }
    let row: Option<Row> = tx
        .row(
            "SELECT position, hash FROM audit_link WHERE tenant_id = $1 ORDER BY position DESC LIMIT 1",
            [tx.tenant_id().into()],
        )
        .await?;
    Ok(row.map(|row| (row.position, row.hash)))
}

pub async fn unlinked(tx: &TenantTx, limit: i64) -> Result<Vec<Model>, DbError> {
    tx.rows(
        "SELECT e.* FROM audit_entry e LEFT JOIN audit_link l ON l.tenant_id = e.tenant_id AND l.entry_id = e.id
         WHERE e.tenant_id = $1 AND l.entry_id IS NULL ORDER BY e.id LIMIT $2",
        [tx.tenant_id().into(), limit.into()],
    )
    .await
}

pub async fn insert_links(tx: &TenantTx, links: &[(i64, Uuid, [u8; 32])]) -> Result<(), DbError> {
    let positions: Vec<i64> = links.iter().map(|link| link.0).collect();
    let entries: Vec<Uuid> = links.iter().map(|link| link.1).collect();
    let hashes: Vec<String> = links.iter().map(|link| hex::encode(link.2)).collect();
    tx.run(
        "INSERT INTO audit_link (tenant_id, position, entry_id, hash)
         SELECT $1, u.position, u.entry_id, decode(u.hash, 'hex') FROM unnest($2::int8[], $3::uuid[], $4::text[]) AS u(position, entry_id, hash)",
        [tx.tenant_id().into(), positions.into(), entries.into(), hashes.into()],
    )
    .await?;
    Ok(())
}

pub async fn linked_after(tx: &TenantTx, position: i64, limit: i64) -> Result<Vec<Linked>, DbError> {
    tx.rows(
        "SELECT l.position, l.hash, e.id, e.at, e.actor, e.action, e.subject, e.payload, e.salt, e.payload_hash
         FROM audit_link l JOIN audit_entry e ON e.tenant_id = l.tenant_id AND e.id = l.entry_id
         WHERE l.tenant_id = $1 AND l.position > $2 ORDER BY l.position LIMIT $3",
        [tx.tenant_id().into(), position.into(), limit.into()],
    )
    .await
}

/// Links whose entry is gone.
pub async fn without_entry(tx: &TenantTx) -> Result<Vec<i64>, DbError> {
    #[derive(FromQueryResult)]
    struct Row {
        position: i64,
    }
    let rows: Vec<Row> = tx
        .rows(
            "SELECT l.position FROM audit_link l LEFT JOIN audit_entry e ON e.tenant_id = l.tenant_id AND e.id = l.entry_id
             WHERE l.tenant_id = $1 AND e.id IS NULL ORDER BY l.position",
            [tx.tenant_id().into()],
        )
        .await?;
    Ok(rows.into_iter().map(|row| row.position).collect())
}

pub async fn newest(tx: &TenantTx, before: Option<AuditEntryId>, limit: u64) -> Result<Vec<Model>, DbError> {
    let mut query = Entity::find().filter(Column::TenantId.eq(tx.tenant_id().uuid()));
    if let Some(before) = before {
        query = query.filter(Column::Id.lt(before.uuid()));
    }
    query.order_by_desc(Column::Id).limit(limit).all(tx).await
}

pub async fn tenants_with_unlinked(ptx: &PlatformTx) -> Result<Vec<TenantId>, DbError> {
    #[derive(FromQueryResult)]
    struct Row {
        tenant_id: Uuid,
    }
    let rows: Vec<Row> = ptx
        .rows(
            "SELECT DISTINCT e.tenant_id FROM audit_entry e LEFT JOIN audit_link l ON l.tenant_id = e.tenant_id AND l.entry_id = e.id
             WHERE l.entry_id IS NULL",
            [],
        )
        .await?;
    Ok(rows.into_iter().map(|row| row.tenant_id.into()).collect())
}
