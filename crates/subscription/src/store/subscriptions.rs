use crate::entity::{service_period, subscription};
use crate::error::Result;
use crate::life::{History, ServicePeriod, Subscription};
use crate::words::{EndedBy, TrialEnd};
use chrono::{DateTime, NaiveDate, Utc};
use db::{CustomerId, PlanId, SubscriptionId, TenantTx};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, FromQueryResult, QueryFilter};
use std::collections::HashMap;
use uuid::Uuid;

pub(super) fn fits<T: TryInto<i32>>(value: T) -> Result<i32> {
    value.try_into().map_err(|_| pricing::PricingError::TooLarge.into())
}

pub(crate) async fn insert(tx: &TenantTx, new: &History, next_look_at: Option<DateTime<Utc>>) -> Result<()> {
    let begun = &new.subscription;
    let row = subscription::ActiveModel {
        tenant_id: Set(tx.tenant_id().uuid()),
        id: Set(begun.id.uuid()),
        customer_id: Set(begun.customer_id.uuid()),
        plan_version_id: Set(begun.first_plan_version_id.uuid()),
        anchor_on: Set(begun.anchor_on),
        time_zone: Set(begun.time_zone.clone()),
        seats: Set(fits(begun.first_seats)?),
        started_at: Set(begun.started_at),
        trial_ends_at: Set(begun.trial_ends_at),
        cancelled_at: Set(begun.cancelled_at),
        ended_by: Set(begun.ended_by.map(|by| by.as_str().to_owned())),
        past_due_since: Set(None),
        next_look_at: Set(next_look_at),
        trial_end: Set(begun.trial_end.map(|end| end.as_str().to_owned())),
        method_missing_since: Set(None),
    };
    subscription::Entity::insert(row).exec_without_returning(tx).await?;
    Ok(())
}

/// Keeps what the changes come to where reads look for who is in service. The clock looks no later than it would have.
pub(crate) async fn save(tx: &TenantTx, history: &History, next_look_at: Option<DateTime<Utc>>) -> Result<()> {
    let after = &history.subscription;
    tx.run(
        "UPDATE subscription SET trial_ends_at = $3, cancelled_at = $4, ended_by = $5, next_look_at = least(next_look_at, $6)
         WHERE tenant_id = $1 AND id = $2",
        [
            tx.tenant_id().into(),
            after.id.into(),
            after.trial_ends_at.into(),
            after.cancelled_at.into(),
            after.ended_by.map(|by| by.as_str().to_owned()).into(),
            next_look_at.into(),
        ],
    )
    .await?;
    Ok(())
}

fn domain(row: subscription::Model) -> Result<Subscription> {
    Ok(Subscription {
        id: row.id.into(),
        customer_id: row.customer_id.into(),
        first_plan_version_id: row.plan_version_id.into(),
        anchor_on: row.anchor_on,
        time_zone: row.time_zone,
        first_seats: row.seats.unsigned_abs(),
        started_at: row.started_at,
        trial_ends_at: row.trial_ends_at,
        cancelled_at: row.cancelled_at,
        ended_by: row.ended_by.as_deref().map(EndedBy::stored).transpose()?,
        past_due_since: row.past_due_since.into_iter().chain(row.method_missing_since).min(),
        trial_end: row.trial_end.as_deref().map(TrialEnd::stored).transpose()?,
    })
}

pub(crate) async fn by_id(tx: &TenantTx, id: SubscriptionId) -> Result<Option<Subscription>> {
    let row = subscription::Entity::find()
        .filter(subscription::Column::TenantId.eq(tx.tenant_id().uuid()))
        .filter(subscription::Column::Id.eq(id.uuid()))
        .one(tx)
        .await?;
    row.map(domain).transpose()
}

pub(crate) async fn lock(tx: &TenantTx, id: SubscriptionId) -> Result<Option<Subscription>> {
    let row: Option<subscription::Model> = tx
        .row(
            "SELECT * FROM subscription WHERE tenant_id = $1 AND id = $2 FOR UPDATE",
            [tx.tenant_id().into(), id.into()],
        )
        .await?;
    row.map(domain).transpose()
}

pub(crate) async fn of_customers(tx: &TenantTx, customer_ids: &[CustomerId]) -> Result<Vec<Subscription>> {
    let ids: Vec<Uuid> = customer_ids.iter().map(|id| id.uuid()).collect();
    let rows: Vec<subscription::Model> = tx
        .rows(
            "SELECT * FROM subscription WHERE tenant_id = $1 AND customer_id = ANY($2) ORDER BY customer_id, started_at, id",
            [tx.tenant_id().into(), ids.into()],
        )
        .await?;
    rows.into_iter().map(domain).collect()
}

/// The oldest first, from the one after this one on; of one customer, or of all.
pub(crate) async fn page(
    tx: &TenantTx,
    customer_id: Option<CustomerId>,
    after: Option<SubscriptionId>,
    limit: u64,
) -> Result<Vec<Subscription>> {
    let rows: Vec<subscription::Model> = tx
        .rows(
            "SELECT * FROM subscription WHERE tenant_id = $1 AND ($2::uuid IS NULL OR customer_id = $2)
               AND ($3::uuid IS NULL OR id > $3) ORDER BY id LIMIT $4",
            [
                tx.tenant_id().into(),
                customer_id.map(CustomerId::uuid).into(),
                after.map(SubscriptionId::uuid).into(),
                i64::try_from(limit).unwrap_or(i64::MAX).into(),
            ],
        )
        .await?;
    rows.into_iter().map(domain).collect()
}

pub(crate) async fn agree_trial_end(tx: &TenantTx, id: SubscriptionId, end: TrialEnd) -> Result<()> {
    tx.run(
        "UPDATE subscription SET trial_end = $3 WHERE tenant_id = $1 AND id = $2",
        [tx.tenant_id().into(), id.into(), end.as_str().into()],
    )
    .await?;
    Ok(())
}

/// The clock has looked: when it does again.
pub(crate) async fn looked(tx: &TenantTx, id: SubscriptionId, next_look_at: Option<DateTime<Utc>>) -> Result<()> {
    tx.run(
        "UPDATE subscription SET next_look_at = $3 WHERE tenant_id = $1 AND id = $2",
        [tx.tenant_id().into(), id.into(), next_look_at.into()],
    )
    .await?;
    Ok(())
}

/// Has the customer begun with a trial of this plan before, in whatever version?
pub(crate) async fn has_tried(tx: &TenantTx, customer_id: CustomerId, plan: PlanId) -> Result<bool> {
    let trials: Option<i64> = tx
        .value(
            "SELECT count(*) AS v FROM subscription s
             JOIN plan_version v ON v.tenant_id = s.tenant_id AND v.id = s.plan_version_id
             WHERE s.tenant_id = $1 AND s.customer_id = $2 AND v.plan_id = $3 AND s.trial_ends_at IS NOT NULL",
            [tx.tenant_id().into(), customer_id.into(), plan.into()],
        )
        .await?;
    Ok(trials.unwrap_or_default() > 0)
}

pub(crate) async fn in_service(tx: &TenantTx, at: DateTime<Utc>) -> Result<Vec<Subscription>> {
    let rows: Vec<subscription::Model> = tx
        .rows(
            "SELECT * FROM subscription WHERE tenant_id = $1 AND started_at <= $2 AND (cancelled_at IS NULL OR cancelled_at > $2)
             ORDER BY customer_id, started_at, id",
            [tx.tenant_id().into(), at.into()],
        )
        .await?;
    rows.into_iter().map(domain).collect()
}

pub(super) fn ids_of(subscriptions: &[Subscription]) -> Vec<Uuid> {
    subscriptions.iter().map(|subscription| subscription.id.uuid()).collect()
}

pub(crate) async fn periods(tx: &TenantTx, of: &[Subscription]) -> Result<HashMap<SubscriptionId, Vec<ServicePeriod>>> {
    let rows: Vec<service_period::Model> = tx
        .rows(
            "SELECT * FROM service_period WHERE tenant_id = $1 AND subscription_id = ANY($2) ORDER BY subscription_id, position",
            [tx.tenant_id().into(), ids_of(of).into()],
        )
        .await?;
    let mut all: HashMap<SubscriptionId, Vec<ServicePeriod>> = HashMap::new();
    for row in rows {
        all.entry(row.subscription_id.into()).or_default().push(ServicePeriod {
            position: row.position.unsigned_abs(),
            starts_at: row.starts_at,
            ends_at: row.ends_at,
            starts_on: row.starts_on,
            ends_on: row.ends_on,
        });
    }
    Ok(all)
}

/// Stores periods that are not stored yet; the ones that are keep their bounds.
pub(crate) async fn open(tx: &TenantTx, opened: &[(&Subscription, ServicePeriod)], now: DateTime<Utc>) -> Result<()> {
    let positions = opened.iter().map(|(_, period)| fits(period.position)).collect::<Result<Vec<i32>>>()?;
    let subscriptions: Vec<Uuid> = opened.iter().map(|(subscription, _)| subscription.id.uuid()).collect();
    let customers: Vec<Uuid> = opened.iter().map(|(subscription, _)| subscription.customer_id.uuid()).collect();
    let starts_at: Vec<DateTime<Utc>> = opened.iter().map(|(_, period)| period.starts_at).collect();
    let ends_at: Vec<DateTime<Utc>> = opened.iter().map(|(_, period)| period.ends_at).collect();
    let starts_on: Vec<NaiveDate> = opened.iter().map(|(_, period)| period.starts_on).collect();
    let ends_on: Vec<NaiveDate> = opened.iter().map(|(_, period)| period.ends_on).collect();
    tx.run(
        "INSERT INTO service_period (tenant_id, subscription_id, position, customer_id, starts_at, ends_at, starts_on, ends_on, opened_at)
         SELECT $1, *, $9 FROM unnest($2::uuid[], $3::int[], $4::uuid[], $5::timestamptz[], $6::timestamptz[], $7::date[], $8::date[])
         ON CONFLICT DO NOTHING",
        [
            tx.tenant_id().into(),
            subscriptions.into(),
            positions.into(),
            customers.into(),
            starts_at.into(),
            ends_at.into(),
            starts_on.into(),
            ends_on.into(),
            now.into(),
        ],
    )
    .await?;
    Ok(())
}

#[derive(FromQueryResult)]
struct TornRow {
    subscription_id: Uuid,
    position: i32,
}

/// Periods that do not begin where the one before them ends.
pub(crate) async fn torn_periods(tx: &TenantTx) -> Result<Vec<(SubscriptionId, i32)>> {
    let rows: Vec<TornRow> = tx
        .rows(
            "SELECT subscription_id, position FROM (
               SELECT subscription_id, position, starts_at,
                 lag(ends_at) OVER by_position AS ended_at, lag(position) OVER by_position AS before
               FROM service_period WHERE tenant_id = $1
               WINDOW by_position AS (PARTITION BY subscription_id ORDER BY position)) period
             WHERE coalesce(before, -1) <> position - 1 OR ended_at <> starts_at
             ORDER BY subscription_id, position",
            [tx.tenant_id().into()],
        )
        .await?;
    Ok(rows.into_iter().map(|row| (row.subscription_id.into(), row.position)).collect())
}
