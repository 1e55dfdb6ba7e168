use crate::entity::organisation;
use crate::error::TenantError;
use crate::tree::{Child, Upward};
use chrono::{DateTime, Utc};
use db::{CustomerId, DbError, PlatformTx, TenantId};
use sea_orm::{EntityTrait, FromQueryResult};
use uuid::Uuid;

#[derive(FromQueryResult)]
pub struct OpenRange {
    pub parent_id: Uuid,
    pub customer_id: Uuid,
    pub since: DateTime<Utc>,
}

/// One mover at a time, until the transaction ends.
pub async fn lock(ptx: &PlatformTx) -> Result<(), DbError> {
    ptx.run("SELECT id FROM organisation WHERE kind = 'operator' ORDER BY id FOR UPDATE", []).await?;
    Ok(())
}

/// True when `above` is an ancestor of `below` at any instant from `from` on.
pub async fn is_above(
    ptx: &PlatformTx,
    above: TenantId,
    below: TenantId,
    from: DateTime<Utc>,
) -> Result<bool, DbError> {
    let found: Option<bool> = ptx
        .value(
            "WITH RECURSIVE up(id) AS (
               SELECT $2::uuid
               UNION
               SELECT p.parent_id FROM organisation_parent p JOIN up ON up.id = p.organisation_id
               WHERE p.during && tstzrange($3, NULL))
             SELECT EXISTS (SELECT 1 FROM up WHERE id = $1) AS v",
            [above.into(), below.into(), from.into()],
        )
        .await?;
    Ok(found.unwrap_or(false))
}

pub async fn open_range(ptx: &PlatformTx, child: TenantId) -> Result<Option<OpenRange>, DbError> {
    ptx.row(
        "SELECT parent_id, customer_id, lower(during) AS since FROM organisation_parent WHERE organisation_id = $1 AND upper_inf(during)",
        [child.into()],
    )
    .await
}

pub async fn close_range(ptx: &PlatformTx, child: TenantId, at: DateTime<Utc>) -> Result<(), DbError> {
    ptx.run(
        "UPDATE organisation_parent SET during = tstzrange(lower(during), $2) WHERE organisation_id = $1 AND upper_inf(during)",
        [child.into(), at.into()],
    )
    .await?;
    Ok(())
}

pub async fn insert(
    ptx: &PlatformTx,
    child: TenantId,
    parent: TenantId,
    customer: CustomerId,
    from: DateTime<Utc>,
) -> Result<(), TenantError> {
    let inserted = ptx
        .run(
            "INSERT INTO organisation_parent (organisation_id, parent_id, during, customer_id) VALUES ($1, $2, tstzrange($3, NULL), $4)",
            [child.into(), parent.into(), from.into(), customer.into()],
        )
        .await;
    inserted.map_err(|error| match db::sqlstate_of(&error).as_deref() {
        Some("23503") => TenantError::OrganisationMustExist,
        Some("23P01") => TenantError::ParentMustStartLater,
        _ => TenantError::Db(error),
    })?;
    Ok(())
}

pub async fn chain_at(ptx: &PlatformTx, tenant_id: TenantId, at: DateTime<Utc>) -> Result<Vec<Upward>, TenantError> {
    #[derive(FromQueryResult)]
    struct Row {
        organisation_id: Uuid,
        parent_id: Uuid,
        customer_id: Uuid,
    }
    // The depth stops a circle that somebody made by hand.
    let rows: Vec<Row> = ptx
        .rows(
            "WITH RECURSIVE up AS (
               SELECT organisation_id, parent_id, customer_id, 1 AS depth FROM organisation_parent
               WHERE organisation_id = $1 AND during @> $2::timestamptz
               UNION ALL
               SELECT p.organisation_id, p.parent_id, p.customer_id, up.depth + 1
               FROM organisation_parent p JOIN up ON p.organisation_id = up.parent_id
               WHERE p.during @> $2::timestamptz AND up.depth < 32)
             SELECT organisation_id, parent_id, customer_id FROM up ORDER BY depth",
            [tenant_id.into(), at.into()],
        )
        .await?;
    let step = |row: Row| Upward {
        child: row.organisation_id.into(),
        book: row.parent_id.into(),
        customer_id: row.customer_id.into(),
    };
    Ok(rows.into_iter().map(step).collect())
}

pub async fn children_at(ptx: &PlatformTx, parent: TenantId, at: DateTime<Utc>) -> Result<Vec<Child>, TenantError> {
    #[derive(FromQueryResult)]
    struct Row {
        organisation_id: Uuid,
        customer_id: Uuid,
        since: DateTime<Utc>,
    }
    let rows: Vec<Row> = ptx
        .rows(
            "SELECT organisation_id, customer_id, lower(during) AS since FROM organisation_parent
             WHERE parent_id = $1 AND during @> $2::timestamptz",
            [parent.into(), at.into()],
        )
        .await?;
    let mut children = Vec::with_capacity(rows.len());
    for row in rows {
        let found = organisation::Entity::find_by_id(row.organisation_id)
            .one(ptx)
            .await?
            .ok_or(TenantError::OrganisationMustExist)?;
        let organisation = super::organisation::read(found)?;
        children.push(Child { organisation, customer_id: row.customer_id.into(), since: row.since });
    }
    children.sort_by(|a, b| a.organisation.name.cmp(&b.organisation.name));
    Ok(children)
}
