//! A new version is for new customers; who has an older one is moved by choice: one by one or many, at once or at renewal.

use super::undo::undo_change;
use super::{Asked, Change, When, ask};
use crate::catalogue::plan_version;
use crate::error::{Refusal, Result, SubscriptionError};
use crate::life::{Attached, History, Subscription, all_active, histories, plan_versions_at};
use crate::store::{catalogue, changes};
use chrono::{DateTime, Utc};
use db::{ChangeId, PlanId, PlanVersionId, SubscriptionId, TenantTx};
use std::collections::HashSet;

/// What a move would make of a subscription, or the rule that it breaks.
#[derive(Clone, Debug, PartialEq)]
pub struct Move {
    pub subscription_id: SubscriptionId,
    pub outcome: Result<History, Refusal>,
}

/// What a move has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    pub subscription_id: SubscriptionId,
    pub outcome: Result<ChangeId, Refusal>,
}

/// Who is on any version of a plan, or has an add-on, at an instant: each with its version.
pub async fn subscribers(
    tx: &TenantTx,
    plan: PlanId,
    now: DateTime<Utc>,
) -> Result<Vec<(Subscription, PlanVersionId)>> {
    let of_plan: Vec<PlanVersionId> = catalogue::version_ids(tx, plan).await?;
    let active = all_active(tx, now).await?;
    if catalogue::plan_row(tx, plan).await?.is_some_and(|plan| plan.is_add_on) {
        return with_add_on(tx, &active, plan, now).await;
    }
    let on = plan_versions_at(tx, &active, now).await?;
    let with = |subscription: Subscription| on.get(&subscription.id).copied().map(|version| (subscription, version));
    Ok(active.into_iter().filter_map(with).filter(|(_, version)| of_plan.contains(version)).collect())
}

async fn with_add_on(
    tx: &TenantTx,
    active: &[Subscription],
    plan: PlanId,
    now: DateTime<Utc>,
) -> Result<Vec<(Subscription, PlanVersionId)>> {
    let has = |history: History| {
        let is_it =
            |attached: &&Attached| attached.is_add_on && attached.version.plan_id == plan && attached.holds(now);
        let version = history.attached.iter().find(is_it)?.version.id;
        Some((history.subscription, version))
    };
    Ok(histories(tx, active).await?.into_iter().filter_map(has).collect())
}

/// What a move to a version is: of a plan, or of an add-on.
async fn move_to(tx: &TenantTx, version: PlanVersionId) -> Result<Change> {
    let found = plan_version(tx, version).await?;
    let found = found.ok_or_else(|| SubscriptionError::not_found("plan version", version))?;
    let plan = catalogue::plan_row(tx, found.plan_id).await?;
    let is_add_on = plan.is_some_and(|plan| plan.is_add_on);
    Ok(if is_add_on { Change::MoveAddOn { version } } else { Change::Plan { version, seats: None } })
}

/// What moving many to a version would make of each. One that is refused keeps none of the others from moving.
pub async fn preview_moves(
    tx: &TenantTx,
    ids: &[SubscriptionId],
    version: PlanVersionId,
    when: When,
    now: DateTime<Utc>,
) -> Result<Vec<Move>> {
    let change = move_to(tx, version).await?;
    let mut moves = Vec::with_capacity(ids.len());
    for id in ids {
        let outcome = refusable(ask::what_if(tx, *id, &change, when, now).await)?;
        moves.push(Move { subscription_id: *id, outcome });
    }
    Ok(moves)
}

/// Moves many to a version. Each move is a change of its own: undone one by one, until it is billed.
pub async fn move_customers(
    tx: &TenantTx,
    ids: &[SubscriptionId],
    version: PlanVersionId,
    when: When,
    by: &str,
    now: DateTime<Utc>,
) -> Result<Vec<Moved>> {
    let change = move_to(tx, version).await?;
    let mut moved = Vec::with_capacity(ids.len());
    // By id, so that two who move the same ones at once wait for each other in one order.
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids.dedup();
    for id in ids {
        let outcome = refusable(ask::change(tx, id, &change, when, by, now).await)?;
        moved.push(Moved { subscription_id: id, outcome });
    }
    Ok(moved)
}

/// Moves to versions of a plan that were asked for and are not undone, the newest first, from a place in that order on.
pub async fn moves_of(
    tx: &TenantTx,
    plan: PlanId,
    after: Option<(DateTime<Utc>, ChangeId)>,
    limit: u64,
) -> Result<Vec<Asked>> {
    changes::moves_to(tx, &catalogue::version_ids(tx, plan).await?, after, limit).await
}

/// Who moves to another version of a plan later than now: asked for, and not in effect yet.
pub async fn moving_later(tx: &TenantTx, plan: PlanId, now: DateTime<Utc>) -> Result<HashSet<SubscriptionId>> {
    let found = changes::moving_later(tx, &catalogue::version_ids(tx, plan).await?, now).await?;
    Ok(found.into_iter().collect())
}

/// Changes by their ids, as they were asked for.
pub async fn changes_by_id(tx: &TenantTx, ids: &[ChangeId]) -> Result<Vec<Asked>> {
    changes::by_ids(tx, ids).await
}

/// Takes a move to a version of this plan back. A change of another plan, or of another kind, is not found here.
pub async fn undo_move(tx: &TenantTx, plan: PlanId, id: ChangeId, by: &str, now: DateTime<Utc>) -> Result<()> {
    let asked = changes::by_id(tx, id).await?;
    let to = asked.and_then(|asked| match asked.change {
        Change::Plan { version, .. } | Change::MoveAddOn { version } => Some(version),
        _ => None,
    });
    match to {
        Some(to) if catalogue::version_ids(tx, plan).await?.contains(&to) => undo_change(tx, id, by, now).await,
        _ => Err(SubscriptionError::not_found("move", id)),
    }
}

/// A refusal is an outcome; a database that fails is not. Rules are checked before anything is written.
fn refusable<T>(result: Result<T>) -> Result<Result<T, Refusal>> {
    match result {
        Ok(done) => Ok(Ok(done)),
        Err(SubscriptionError::Refused(refusal)) => Ok(Err(refusal)),
        Err(other) => Err(other),
    }
}
