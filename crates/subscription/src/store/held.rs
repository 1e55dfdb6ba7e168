//! What a customer has at an instant, in one statement: the same answer that a history folds (a test holds them together).

use super::catalogue::{component_of, count, unreadable};
use crate::catalogue::{Component, Limit, LoyaltyRule};
use crate::entity::component;
use crate::error::{Result, SubscriptionError};
use chrono::{DateTime, NaiveDate, Utc};
use db::{CustomerId, SubscriptionId, TenantTx};
use sea_orm::{ConnectionTrait, FromQueryResult};
use std::collections::BTreeMap;
use uuid::Uuid;

/// `served`: the customer's subscriptions that are served at $3, each with its plan and seats then; `held`: those plans and the
/// add-ons that are attached then. $1 is the tenant, $2 the customer.
const HELD: &str = "WITH served AS (
    SELECT s.tenant_id, s.id AS subscription_id, s.anchor_on, s.time_zone, s.started_at,
      coalesce((SELECT c.plan_version_id FROM subscription_change c
        WHERE c.tenant_id = s.tenant_id AND c.subscription_id = s.id AND c.kind = 'plan' AND c.effective_at <= $3
          AND c.undone_at IS NULL ORDER BY c.effective_at DESC, c.asked_at DESC, c.id DESC LIMIT 1), s.plan_version_id) AS plan_version_id,
      coalesce((SELECT c.seats FROM subscription_change c
        WHERE c.tenant_id = s.tenant_id AND c.subscription_id = s.id AND c.seats IS NOT NULL AND c.effective_at <= $3
          AND c.undone_at IS NULL ORDER BY c.effective_at DESC, c.asked_at DESC, c.id DESC LIMIT 1), s.seats) AS seats
    FROM subscription s
    WHERE s.tenant_id = $1 AND s.customer_id = $2 AND s.started_at <= $3 AND (s.cancelled_at IS NULL OR s.cancelled_at > $3)
      AND coalesce((SELECT c.kind FROM subscription_change c
        WHERE c.tenant_id = s.tenant_id AND c.subscription_id = s.id AND c.kind IN ('pause', 'resume', 'cancel', 'reactivate')
          AND c.effective_at <= $3 AND c.undone_at IS NULL
        ORDER BY c.effective_at DESC, c.asked_at DESC, c.id DESC LIMIT 1), 'resume') IN ('resume', 'reactivate')),
  held AS (
    SELECT tenant_id, subscription_id, plan_version_id, false AS is_add_on FROM served
    UNION ALL
    SELECT tenant_id, subscription_id, plan_version_id, true FROM (
      SELECT DISTINCT ON (c.subscription_id, v.plan_id) c.tenant_id, c.subscription_id, c.plan_version_id, c.kind
      FROM served s
      JOIN subscription_change c ON c.tenant_id = s.tenant_id AND c.subscription_id = s.subscription_id
      JOIN plan_version v ON v.tenant_id = c.tenant_id AND v.id = c.plan_version_id
      WHERE c.kind IN ('add_on', 'free_add_on', 'move_add_on', 'remove_add_on') AND c.effective_at <= $3 AND c.undone_at IS NULL
      ORDER BY c.subscription_id, v.plan_id, c.effective_at DESC, c.asked_at DESC, c.id DESC) newest
    WHERE kind <> 'remove_add_on')";

#[derive(FromQueryResult)]
struct SubscriptionOf {
    subscription_id: Uuid,
}

/// The components of a customer's subscriptions that charge by a meter at an instant.
pub(crate) async fn measuring(
    tx: &TenantTx,
    customer_id: CustomerId,
    meter: &str,
    at: DateTime<Utc>,
) -> Result<Vec<(SubscriptionId, Component)>> {
    let statement = db::sql(
        &format!(
            "{HELD} SELECT held.subscription_id, c.* FROM held
             JOIN component c ON c.tenant_id = held.tenant_id AND c.plan_version_id = held.plan_version_id
             WHERE c.measure = $4 AND c.kind IN ('usage', 'hours')
             ORDER BY held.subscription_id, c.position"
        ),
        [tx.tenant_id().into(), customer_id.into(), at.into(), meter.into()],
    );
    let rows = tx.query_all_raw(statement).await?;
    let read = |row: &sea_orm::QueryResult| -> Result<(SubscriptionId, Component), SubscriptionError> {
        let owner = SubscriptionOf::from_query_result(row, "")?;
        Ok((owner.subscription_id.into(), component_of(component::Model::from_query_result(row, "")?)?))
    };
    rows.iter().map(read).collect()
}

/// One plan or add-on that a customer has, and what it grants.
pub(crate) struct Grant {
    pub(crate) subscription_id: SubscriptionId,
    pub(crate) is_add_on: bool,
    pub(crate) plan: String,
    pub(crate) features: Vec<String>,
    pub(crate) limits: BTreeMap<String, Limit>,
    pub(crate) loyalty: Vec<LoyaltyRule>,
    pub(crate) seat_limit: Option<u32>,
    pub(crate) sells_extra_seats: bool,
    pub(crate) seats: u32,
    pub(crate) anchor_on: NaiveDate,
    pub(crate) time_zone: String,
}

#[derive(FromQueryResult)]
struct GrantRow {
    subscription_id: Uuid,
    is_add_on: bool,
    plan: String,
    features: Vec<String>,
    limits: serde_json::Value,
    loyalty: serde_json::Value,
    seat_limit: Option<i32>,
    sells_extra_seats: bool,
    seats: i32,
    anchor_on: NaiveDate,
    time_zone: String,
}

/// Everything that a customer's plans and add-ons grant at an instant.
pub(crate) async fn grants(tx: &TenantTx, customer_id: CustomerId, at: DateTime<Utc>) -> Result<Vec<Grant>> {
    let rows: Vec<GrantRow> = tx
        .rows(
            &format!(
                "{HELD} SELECT held.subscription_id, held.is_add_on, p.name AS plan, v.features, v.limits, v.loyalty, v.seat_limit,
                   v.sells_extra_seats, s.seats, s.anchor_on, s.time_zone
                 FROM held
                 JOIN served s ON s.tenant_id = held.tenant_id AND s.subscription_id = held.subscription_id
                 JOIN plan_version v ON v.tenant_id = held.tenant_id AND v.id = held.plan_version_id
                 JOIN plan p ON p.tenant_id = v.tenant_id AND p.id = v.plan_id
                 ORDER BY s.started_at, held.subscription_id, held.is_add_on, p.name"
            ),
            [tx.tenant_id().into(), customer_id.into(), at.into()],
        )
        .await?;
    let grant = |row: GrantRow| {
        Ok(Grant {
            subscription_id: row.subscription_id.into(),
            is_add_on: row.is_add_on,
            plan: row.plan,
            features: row.features,
            limits: serde_json::from_value(row.limits).map_err(|error| unreadable("limits", error))?,
            loyalty: serde_json::from_value(row.loyalty).map_err(|error| unreadable("loyalty", error))?,
            seat_limit: row.seat_limit.map(count),
            sells_extra_seats: row.sells_extra_seats,
            seats: count(row.seats),
            anchor_on: row.anchor_on,
            time_zone: row.time_zone,
        })
    };
    rows.into_iter().map(grant).collect()
}

#[derive(FromQueryResult)]
struct StampRow {
    stamp: String,
}

/// What decides [`grants`] at an instant, in short: which subscriptions there are, what was asked of them, what of it is undone, and
/// what is in effect. Ids are in it and no counts, so that what was rolled back never looks like what came after it.
pub(crate) async fn stamp(tx: &TenantTx, customer_id: CustomerId, at: DateTime<Utc>) -> Result<String> {
    let row: Option<StampRow> = tx
        .row(
            "SELECT coalesce(md5(string_agg(concat_ws('/', s.id, s.started_at <= $3, s.cancelled_at <= $3, c.id, c.undone_at IS NULL,
               c.effective_at <= $3), ',' ORDER BY s.id, c.id)), '') AS stamp
             FROM subscription s
             LEFT JOIN subscription_change c ON c.tenant_id = s.tenant_id AND c.subscription_id = s.id
             WHERE s.tenant_id = $1 AND s.customer_id = $2",
            [tx.tenant_id().into(), customer_id.into(), at.into()],
        )
        .await?;
    Ok(row.map(|row| row.stamp).unwrap_or_default())
}
