//! A change is checked against the catalogue and against the subscription, then dated.

use super::{Change, When};
use crate::catalogue::{PlanVersion, plan_version};
use crate::customer::add_customer_event;
use crate::error::{Result, Rule, SubscriptionError, must};
use crate::life::{History, history, must_lock};
use crate::store::{catalogue, changes, subscriptions};
use chrono::{DateTime, Utc};
use db::{ChangeId, PlanVersionId, SubscriptionId, TenantTx};

/// Asks for a change: it is checked, dated and shown in the customer's timeline. Nothing is billed here.
///
/// `by` is who asked, as people know them.
pub async fn change(
    tx: &TenantTx,
    id: SubscriptionId,
    change: &Change,
    when: When,
    by: &str,
    now: DateTime<Utc>,
) -> Result<ChangeId> {
    let locked = must_lock(tx, id).await?;
    let before = must_be(tx, id).await?;
    let named = named(tx, change).await?;
    let at = when.instant(&before, now)?;
    must(at >= now || at == locked.started_at, "at", Rule::MustNotLieInThePast, at)?;
    let after = before.with_change(change, named.as_ref().map(|named| &named.version), at)?;
    let replaced: Vec<ChangeId> =
        before.changes.iter().filter(|other| change.replaces(other, at)).filter_map(|other| other.id).collect();
    changes::undo(tx, &replaced, by, now).await?;
    let change_id = changes::insert(tx, &locked, change, at, by, now).await?;
    subscriptions::save(tx, &after).await?;
    let on = pricing::civil_date(at, &locked.time_zone)?;
    let said = said(change, &before, named.as_ref().map_or("", |named| &named.plan), at);
    let text = if at <= now { format!("{said}.") } else { format!("{said} on {on}.") };
    add_customer_event(tx, locked.customer_id, event_of(change), &text, at.min(now), now).await?;
    Ok(change_id)
}

/// What a subscription would be with a change: checked like the change itself, and nothing is written.
pub async fn what_if(
    tx: &TenantTx,
    id: SubscriptionId,
    change: &Change,
    when: When,
    now: DateTime<Utc>,
) -> Result<History> {
    let before = must_be(tx, id).await?;
    let named = named(tx, change).await?;
    let at = when.instant(&before, now)?;
    must(at >= now || at == before.subscription.started_at, "at", Rule::MustNotLieInThePast, at)?;
    before.with_change(change, named.as_ref().map(|named| &named.version), at)
}

pub(super) async fn must_be(tx: &TenantTx, id: SubscriptionId) -> Result<History> {
    history(tx, id).await?.ok_or_else(|| SubscriptionError::not_found("subscription", id))
}

/// The version that a change names, and what its plan is called.
struct Named {
    version: PlanVersion,
    plan: String,
}

async fn named(tx: &TenantTx, change: &Change) -> Result<Option<Named>> {
    let Some(id) = change.version() else { return Ok(None) };
    let version = plan_version(tx, id).await?.ok_or_else(|| SubscriptionError::not_found("plan version", id))?;
    let plan = catalogue::plan_row(tx, version.plan_id).await?;
    let plan = plan.ok_or_else(|| SubscriptionError::not_found("plan", version.plan_id))?;
    let leaves = matches!(change, Change::RemoveAddOn { .. });
    must(leaves || plan.archived_at.is_none(), "plan_version_id", Rule::MustNotBeArchived, &plan.code)?;
    match change {
        Change::Plan { .. } => must(!plan.is_add_on, "plan_version_id", Rule::MustBePlan, &plan.code)?,
        _ => must(plan.is_add_on, "plan_version_id", Rule::MustBeAddOn, &plan.code)?,
    }
    Ok(Some(Named { version, plan: plan.name }))
}

/// The kind of a change's entry in the timeline.
fn event_of(change: &Change) -> &'static str {
    match change {
        Change::Plan { .. } => "plan_changed",
        Change::Seats(_) => "seats_changed",
        Change::AddOn { .. } | Change::FreeAddOn { .. } => "add_on_added",
        Change::RemoveAddOn { .. } => "add_on_ended",
        Change::Pause => "paused",
        Change::Resume => "resumed",
        Change::Cancel { .. } => "cancelled",
        Change::Reactivate => "reactivated",
        Change::EndTrial => "trial_ended",
    }
}

/// A change as people read it, without its day.
pub(super) fn said(change: &Change, before: &History, plan: &str, at: DateTime<Utc>) -> String {
    match change {
        Change::Plan { version, seats } => {
            let version = version_no(before, *version);
            let seats = seats.map_or_else(String::new, |seats| format!(", {seats} seats"));
            format!("Moved to {plan}{version}{seats}")
        }
        Change::Seats(seats) => format!("Seats changed from {} to {seats}", before.seats_at(at)),
        Change::AddOn { .. } => format!("Added {plan}"),
        Change::FreeAddOn { .. } => format!("Added {plan} free of charge, for loyalty"),
        Change::RemoveAddOn { .. } => format!("Removed {plan}"),
        Change::Pause => "Paused".to_owned(),
        Change::Resume => "Resumed".to_owned(),
        Change::Cancel { credit: true } => "Cancelled, with credit for what is not used".to_owned(),
        Change::Cancel { credit: false } => "Cancelled".to_owned(),
        Change::Reactivate => "Reactivated".to_owned(),
        Change::EndTrial => "The trial ended".to_owned(),
    }
}

/// Another version of the plan that one has is told apart by its number.
fn version_no(before: &History, id: PlanVersionId) -> String {
    let of_plan = before.changes.iter().filter_map(|dated| dated.version.as_ref()).find(|version| version.id == id);
    of_plan.map_or_else(String::new, |version| format!(" (version {})", version.version))
}
