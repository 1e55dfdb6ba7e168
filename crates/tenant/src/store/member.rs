use crate::entity::member::{ActiveModel, Column, Entity};
use crate::error::TenantError;
use crate::member::{Member, Membership, NewMember, Role};
use crate::organisation::OrganisationKind;
use chrono::{DateTime, Utc};
use db::{DbError, MemberId, PersonId, PlatformTx, TenantTx};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder};
use uuid::Uuid;

pub async fn insert(tx: &TenantTx, id: MemberId, new: &NewMember, now: DateTime<Utc>) -> Result<(), DbError> {
    let row = ActiveModel {
        tenant_id: Set(tx.tenant_id().uuid()),
        id: Set(id.uuid()),
        person_id: Set(new.person_id.uuid()),
        name: Set(new.name.trim().into()),
        email: Set(new.email.trim().to_lowercase()),
        role: Set(new.role.as_str().into()),
        customer_id: Set(new.customer_id.map(|id| id.uuid())),
        created_at: Set(now),
        removed_at: Set(None),
    };
    Entity::insert(row).exec_without_returning(tx).await?;
    Ok(())
}

pub async fn all(tx: &TenantTx) -> Result<Vec<Member>, TenantError> {
    let rows = Entity::find()
        .filter(Column::TenantId.eq(tx.tenant_id().uuid()))
        .filter(Column::RemovedAt.is_null())
        .order_by_asc(Column::Name)
        .order_by_asc(Column::Id)
        .all(tx)
        .await?;
    let member = |row: crate::entity::member::Model| {
        Ok(Member {
            id: row.id.into(),
            person_id: row.person_id.into(),
            name: row.name,
            email: row.email,
            role: Role::read(&row.role)?,
            customer_id: row.customer_id.map(Into::into),
            created_at: row.created_at,
        })
    };
    rows.into_iter().map(member).collect()
}

pub async fn remove(tx: &TenantTx, member_id: MemberId, now: DateTime<Utc>) -> Result<u64, DbError> {
    tx.run(
        "UPDATE member SET removed_at = $3 WHERE tenant_id = $1 AND id = $2 AND removed_at IS NULL",
        [tx.tenant_id().into(), member_id.into(), now.into()],
    )
    .await
}

pub async fn of_person(ptx: &PlatformTx, person: PersonId) -> Result<Vec<Membership>, TenantError> {
    #[derive(FromQueryResult)]
    struct Row {
        tenant_id: Uuid,
        organisation_name: String,
        organisation_kind: String,
        member_id: Uuid,
        role: String,
        customer_id: Option<Uuid>,
    }
    let rows: Vec<Row> = ptx
        .rows(
            "SELECT m.tenant_id, o.name AS organisation_name, o.kind AS organisation_kind, m.id AS member_id, m.role, m.customer_id
             FROM member m JOIN organisation o ON o.id = m.tenant_id
             WHERE m.person_id = $1 AND m.removed_at IS NULL ORDER BY o.name, m.role, m.id",
            [person.into()],
        )
        .await?;
    let membership = |row: Row| {
        Ok(Membership {
            tenant_id: row.tenant_id.into(),
            organisation_name: row.organisation_name,
            organisation_kind: OrganisationKind::read(&row.organisation_kind)?,
            member_id: row.member_id.into(),
            role: Role::read(&row.role)?,
            customer_id: row.customer_id.map(Into::into),
        })
    };
    rows.into_iter().map(membership).collect()
}
