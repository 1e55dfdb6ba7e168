//! A change is checked against the catalogue and against the subscription, then dated.

use super::{Change, When};
use crate::catalogue::{PlanVersion, plan_version};
use crate::customer::add_customer_event;
use crate::error::{Result, Rule, SubscriptionError, instant, must};
use crate::life::{Dated, Ended, History, history, must_count_seats, must_lock};
use crate::store::{catalogue, changes, subscriptions};
use crate::words::EndedBy;
use chrono::{DateTime, TimeDelta, Utc};
use db::{ChangeId, SubscriptionId, TenantTx};

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
    let asked = ask(tx, id, change, when, now).await?;
    let Ask { before, after, at, replaced, .. } = &asked;
    must(changes::undo(tx, replaced, by, now).await? == replaced.len() as u64, "change", Rule::MustNotBeBilled, id)?;
    if let (Change::Reactivate, Some(Ended { by: EndedBy::Expiry, at: expired_at, .. })) = (change, before.ended) {
        // Where it had expired is written down, so that every reader knows of the time between.
        changes::insert(tx, &locked, &Change::Cancel { credit: false }, expired_at, by, now).await?;
    }
    let change_id = changes::insert(tx, &locked, change, *at, by, now).await?;
    // What becomes of a trial that ends now is the clock's to do, as it is of one that runs out.
    let seen = if matches!(change, Change::EndTrial) { now - TimeDelta::microseconds(1) } else { now };
    subscriptions::save(tx, after, after.next_look_after(seen)?).await?;
    let on = pricing::civil_date(*at, &locked.time_zone)?;
    let said = said(change, before, asked.named.as_ref(), *at);
    let text = if *at <= now { format!("{said}.") } else { format!("{said} on {on}.") };
    add_customer_event(tx, locked.customer_id, event_of(change), &text, now, now).await?;
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
    Ok(ask(tx, id, change, when, now).await?.after)
}

/// A change that passed every rule.
struct Ask {
    before: History,
    after: History,
    at: DateTime<Utc>,
    named: Option<Named>,
    /// Changes that it stands in for.
    replaced: Vec<ChangeId>,
}

async fn ask(tx: &TenantTx, id: SubscriptionId, change: &Change, when: When, now: DateTime<Utc>) -> Result<Ask> {
    let before = must_be(tx, id).await?;
    let named = named(tx, change).await?;
    let version = named.as_ref().map(|named| &named.version);
    let at = when.instant(&before, now)?;
    must(at >= now || at == before.subscription.started_at, "at", Rule::MustNotLieInThePast, instant(&at))?;
    let (before, pending) = free_to_end(before, change, now)?;
    let mut replaced: Vec<ChangeId> = pending.into_iter().collect();
    let others = before.changes.iter().filter(|other| change.replaces(version, other, at));
    replaced.extend(others.filter_map(|other| other.id));
    let after = before.with_change(change, version, at)?;
    if let Change::Seats(seats) | Change::Plan { seats: Some(seats), .. } = change {
        must_count_seats(after.plan_at(at).seat_limit, after.components_at(at), *seats)?;
    }
    Ok(Ask { before, after, at, named, replaced })
}

/// Where an end is asked for, the same without the end that still lies ahead: it may be moved, also to a later day.
fn free_to_end(before: History, change: &Change, now: DateTime<Utc>) -> Result<(History, Option<ChangeId>)> {
    match (change, pending_end(&before, now)) {
        (Change::Cancel { .. }, Some(pending)) => Ok((before.without(pending)?, Some(pending))),
        _ => Ok((before, None)),
    }
}

impl History {
    /// What [`change`] would make of it, by the same rules, where nothing is read: for pages that show it before it is asked.
    pub fn imagined(
        &self,
        change: &Change,
        version: Option<&PlanVersion>,
        when: When,
        now: DateTime<Utc>,
    ) -> Result<History> {
        let at = when.instant(self, now)?;
        free_to_end(self.clone(), change, now)?.0.with_change(change, version, at)
    }
}

/// The cancellation that lies ahead.
fn pending_end(history: &History, now: DateTime<Utc>) -> Option<ChangeId> {
    let ended = history.ended.filter(|ended| ended.at > now)?;
    let is_it = |dated: &&Dated| dated.at == ended.at && matches!(dated.change, Change::Cancel { .. });
    history.changes.iter().find(is_it).filter(|dated| dated.billed_at.is_none()).and_then(|dated| dated.id)
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
        Change::MoveAddOn { .. } => "add_on_moved",
        Change::RemoveAddOn { .. } => "add_on_ended",
        Change::Pause => "paused",
        Change::Resume => "resumed",
        Change::Cancel { .. } => "cancelled",
        Change::Reactivate => "reactivated",
        Change::EndTrial => "trial_ended",
    }
}

/// A change as people read it, without its day.
fn said(change: &Change, before: &History, named: Option<&Named>, at: DateTime<Utc>) -> String {
    let plan = named.map_or("", |named| &named.plan);
    match change {
        Change::Plan { seats, .. } => {
            let version = named.map_or(0, |named| named.version.version);
            let seats = seats.map_or_else(String::new, |seats| format!(", {seats} seats"));
            format!("Moved to {plan} (version {version}){seats}")
        }
        Change::Seats(seats) => format!("Seats changed from {} to {seats}", before.seats_at(at)),
        Change::AddOn { .. } => format!("Added {plan}"),
        Change::FreeAddOn { .. } => format!("Added {plan} free of charge"),
        Change::MoveAddOn { .. } => {
            format!("Moved {plan} to version {}", named.map_or(0, |named| named.version.version))
        }
        Change::RemoveAddOn { .. } => format!("Removed {plan}"),
        Change::Pause => "Paused".to_owned(),
        Change::Resume => "Resumed".to_owned(),
        Change::Cancel { credit: true } => "Cancelled, with credit for what is not used".to_owned(),
        Change::Cancel { credit: false } => "Cancelled".to_owned(),
        Change::Reactivate => "Reactivated".to_owned(),
        Change::EndTrial => "The trial ended".to_owned(),
    }
}
