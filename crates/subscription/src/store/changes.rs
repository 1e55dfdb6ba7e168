use super::subscriptions::{fits, ids_of};
use crate::change::{Asked, Change};
use crate::entity::subscription_change;
use crate::error::{Result, SubscriptionError};
use crate::life::{Dated, Subscription};
use crate::words::ChangeKind;
use chrono::{DateTime, Utc};
use db::{ChangeId, PlanVersionId, SubscriptionId, TenantTx};
use sea_orm::{ActiveValue::Set, EntityTrait, FromQueryResult};
use std::collections::HashMap;
use uuid::Uuid;

pub(crate) async fn insert(
    tx: &TenantTx,
    of: &Subscription,
    change: &Change,
    at: DateTime<Utc>,
    by: &str,
    now: DateTime<Utc>,
) -> Result<ChangeId> {
    let id = ChangeId::new();
    let seats = match change {
        Change::Seats(seats) => Some(*seats),
        Change::Plan { seats, .. } => *seats,
        _ => None,
    };
    let with_credit = match change {
        Change::Cancel { credit } => Some(*credit),
        _ => None,
    };
    let row = subscription_change::ActiveModel {
        tenant_id: Set(tx.tenant_id().uuid()),
        id: Set(id.uuid()),
        subscription_id: Set(of.id.uuid()),
        customer_id: Set(of.customer_id.uuid()),
        kind: Set(change.kind().as_str().to_owned()),
        plan_version_id: Set(change.version().map(PlanVersionId::uuid)),
        seats: Set(seats.map(fits).transpose()?),
        with_credit: Set(with_credit),
        effective_at: Set(at),
        asked_at: Set(now),
        asked_by: Set(by.to_owned()),
        billed_at: Set(None),
        undone_at: Set(None),
        undone_by: Set(None),
    };
    subscription_change::Entity::insert(row).exec_without_returning(tx).await?;
    Ok(id)
}

/// The changes of many subscriptions that are not undone; the versions that they name are not filled in.
pub(crate) async fn of(tx: &TenantTx, subscriptions: &[Subscription]) -> Result<HashMap<SubscriptionId, Vec<Dated>>> {
    let rows: Vec<subscription_change::Model> = tx
        .rows(
            "SELECT * FROM subscription_change WHERE tenant_id = $1 AND subscription_id = ANY($2) AND undone_at IS NULL
             ORDER BY subscription_id, effective_at, asked_at, id",
            [tx.tenant_id().into(), ids_of(subscriptions).into()],
        )
        .await?;
    let mut all: HashMap<SubscriptionId, Vec<Dated>> = HashMap::new();
    for row in rows {
        let dated = Dated {
            id: Some(row.id.into()),
            change: change_of(&row)?,
            version: None,
            at: row.effective_at,
            asked_at: row.asked_at,
            asked_by: row.asked_by,
            billed_at: row.billed_at,
        };
        all.entry(row.subscription_id.into()).or_default().push(dated);
    }
    Ok(all)
}

fn change_of(row: &subscription_change::Model) -> Result<Change> {
    let version = || {
        row.plan_version_id.map(PlanVersionId::from_uuid).ok_or(SubscriptionError::StoredDocumentUnreadable {
            kind: "change",
            reason: format!("{} names no version", row.kind),
        })
    };
    let seats = row.seats.map(i32::unsigned_abs);
    Ok(match ChangeKind::stored(&row.kind)? {
        ChangeKind::Plan => Change::Plan { version: version()?, seats },
        ChangeKind::Seats => Change::Seats(seats.unwrap_or_default()),
        ChangeKind::AddOn => Change::AddOn { version: version()? },
        ChangeKind::FreeAddOn => Change::FreeAddOn { version: version()? },
        ChangeKind::MoveAddOn => Change::MoveAddOn { version: version()? },
        ChangeKind::RemoveAddOn => Change::RemoveAddOn { version: version()? },
        ChangeKind::Pause => Change::Pause,
        ChangeKind::Resume => Change::Resume,
        ChangeKind::Cancel => Change::Cancel { credit: row.with_credit.unwrap_or_default() },
        ChangeKind::Reactivate => Change::Reactivate,
        ChangeKind::EndTrial => Change::EndTrial,
    })
}

fn asked_of(row: subscription_change::Model) -> Result<Asked> {
    Ok(Asked {
        change: change_of(&row)?,
        id: row.id.into(),
        subscription_id: row.subscription_id.into(),
        at: row.effective_at,
        asked_at: row.asked_at,
        asked_by: row.asked_by,
        billed_at: row.billed_at,
        undone_at: row.undone_at,
        undone_by: row.undone_by,
    })
}

pub(crate) async fn asked(tx: &TenantTx, id: SubscriptionId) -> Result<Vec<Asked>> {
    let rows: Vec<subscription_change::Model> = tx
        .rows(
            "SELECT * FROM subscription_change WHERE tenant_id = $1 AND subscription_id = $2 ORDER BY asked_at DESC, id DESC",
            [tx.tenant_id().into(), id.into()],
        )
        .await?;
    rows.into_iter().map(asked_of).collect()
}

/// Changes to one of these versions that are not undone, the newest first.
pub(crate) async fn moves_to(
    tx: &TenantTx,
    versions: &[PlanVersionId],
    after: Option<(DateTime<Utc>, ChangeId)>,
    limit: u64,
) -> Result<Vec<Asked>> {
    let versions: Vec<Uuid> = versions.iter().map(|id| id.uuid()).collect();
    let (at, id) = after.map_or((None, None), |(at, id)| (Some(at), Some(id.uuid())));
    let rows: Vec<subscription_change::Model> = tx
        .rows(
            "SELECT * FROM subscription_change
             WHERE tenant_id = $1 AND plan_version_id = ANY($2) AND kind IN ('plan', 'move_add_on') AND undone_at IS NULL
               AND ($3::timestamptz IS NULL OR (asked_at, id) < ($3, $4))
             ORDER BY asked_at DESC, id DESC LIMIT $5",
            [
                tx.tenant_id().into(),
                versions.into(),
                at.into(),
                id.into(),
                i64::try_from(limit).unwrap_or(i64::MAX).into(),
            ],
        )
        .await?;
    rows.into_iter().map(asked_of).collect()
}

/// Who moves to one of these versions later than an instant.
pub(crate) async fn moving_later(
    tx: &TenantTx,
    versions: &[PlanVersionId],
    now: DateTime<Utc>,
) -> Result<Vec<SubscriptionId>> {
    let versions: Vec<Uuid> = versions.iter().map(|id| id.uuid()).collect();
    let rows: Vec<MovedRow> = tx
        .rows(
            "SELECT subscription_id, plan_version_id FROM subscription_change
             WHERE tenant_id = $1 AND plan_version_id = ANY($2) AND kind IN ('plan', 'move_add_on') AND undone_at IS NULL
               AND effective_at > $3",
            [tx.tenant_id().into(), versions.into(), now.into()],
        )
        .await?;
    Ok(rows.into_iter().map(|row| row.subscription_id.into()).collect())
}

/// Those of these ids that there are, in the order in which they were asked.
pub(crate) async fn by_ids(tx: &TenantTx, ids: &[ChangeId]) -> Result<Vec<Asked>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    let rows: Vec<subscription_change::Model> = tx
        .rows(
            "SELECT * FROM subscription_change WHERE tenant_id = $1 AND id = ANY($2) ORDER BY asked_at, id",
            [tx.tenant_id().into(), ids.into()],
        )
        .await?;
    rows.into_iter().map(asked_of).collect()
}

pub(crate) async fn by_id(tx: &TenantTx, id: ChangeId) -> Result<Option<Asked>> {
    let row: Option<subscription_change::Model> = tx
        .row("SELECT * FROM subscription_change WHERE tenant_id = $1 AND id = $2", [tx.tenant_id().into(), id.into()])
        .await?;
    row.map(asked_of).transpose()
}

/// How many were neither undone nor billed: a document that becomes final beside this holds their rows until it has.
pub(crate) async fn undo(tx: &TenantTx, ids: &[ChangeId], by: &str, now: DateTime<Utc>) -> Result<u64> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    if ids.is_empty() {
        return Ok(0);
    }
    let undone = tx.run(
        "UPDATE subscription_change SET undone_at = $3, undone_by = $4
         WHERE tenant_id = $1 AND id = ANY($2) AND undone_at IS NULL AND billed_at IS NULL",
        [tx.tenant_id().into(), ids.into(), now.into(), by.into()],
    );
    Ok(undone.await?)
}

pub(crate) async fn billed(tx: &TenantTx, of: &[(SubscriptionId, DateTime<Utc>)], now: DateTime<Utc>) -> Result<()> {
    let subscriptions: Vec<Uuid> = of.iter().map(|(id, _)| id.uuid()).collect();
    let untils: Vec<DateTime<Utc>> = of.iter().map(|(_, until)| *until).collect();
    tx.run(
        "UPDATE subscription_change c SET billed_at = $4
         FROM unnest($2::uuid[], $3::timestamptz[]) AS billed (subscription_id, until)
         WHERE c.tenant_id = $1 AND c.subscription_id = billed.subscription_id AND c.effective_at < billed.until
           AND c.billed_at IS NULL AND c.undone_at IS NULL",
        [tx.tenant_id().into(), subscriptions.into(), untils.into(), now.into()],
    )
    .await?;
    Ok(())
}

#[derive(FromQueryResult)]
struct UndoneRow {
    subscription_id: Uuid,
    undone_at: Option<DateTime<Utc>>,
    since: DateTime<Utc>,
}

/// Those of (subscription, until, since) of which something in effect before `until` was undone after `since`. The others are
/// locked until the transaction ends: who undoes one waits, and finds it billed.
pub(crate) async fn undone_since(
    tx: &TenantTx,
    of: &[(SubscriptionId, DateTime<Utc>, DateTime<Utc>)],
) -> Result<Vec<SubscriptionId>> {
    let subscriptions: Vec<Uuid> = of.iter().map(|(id, ..)| id.uuid()).collect();
    let untils: Vec<DateTime<Utc>> = of.iter().map(|(_, until, _)| *until).collect();
    let sinces: Vec<DateTime<Utc>> = of.iter().map(|(.., since)| *since).collect();
    let rows: Vec<UndoneRow> = tx
        .rows(
            "SELECT c.subscription_id, c.undone_at, s.since
             FROM unnest($2::uuid[], $3::timestamptz[], $4::timestamptz[]) AS s (subscription_id, until, since)
             JOIN subscription_change c ON c.tenant_id = $1 AND c.subscription_id = s.subscription_id
               AND c.effective_at < s.until AND c.billed_at IS NULL
             ORDER BY c.subscription_id, c.id FOR UPDATE OF c",
            [tx.tenant_id().into(), subscriptions.into(), untils.into(), sinces.into()],
        )
        .await?;
    let undone = rows.into_iter().filter(|row| row.undone_at.is_some_and(|undone_at| undone_at > row.since));
    Ok(undone.map(|row| row.subscription_id.into()).collect())
}

#[derive(FromQueryResult)]
struct MovedRow {
    subscription_id: Uuid,
    plan_version_id: Uuid,
}

/// The version that each subscription moved to last before or at an instant; none for those that never moved.
pub(crate) async fn moved_to(
    tx: &TenantTx,
    subscriptions: &[Subscription],
    at: DateTime<Utc>,
) -> Result<HashMap<SubscriptionId, PlanVersionId>> {
    let rows: Vec<MovedRow> = tx
        .rows(
            "SELECT DISTINCT ON (subscription_id) subscription_id, plan_version_id FROM subscription_change
             WHERE tenant_id = $1 AND subscription_id = ANY($2) AND kind = 'plan' AND effective_at <= $3 AND undone_at IS NULL
             ORDER BY subscription_id, effective_at DESC, asked_at DESC, id DESC",
            [tx.tenant_id().into(), ids_of(subscriptions).into(), at.into()],
        )
        .await?;
    Ok(rows.into_iter().map(|row| (row.subscription_id.into(), row.plan_version_id.into())).collect())
}
