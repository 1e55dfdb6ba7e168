//! What the clock does is done by looking at what is due. Looking twice, late or from two processes at once changes nothing:
//! each thing is told once, by its natural key, and dated when it was due.

use super::history::{History, history};
use super::milestone::{Milestone, MilestoneKind};
use crate::catalogue::{LoyaltyReward, PlanVersion, plan_version};
use crate::change::Change;
use crate::customer::add_customer_event;
use crate::error::{Result, SubscriptionError};
use crate::store::{catalogue, changes, clock as store, subscriptions};
use crate::words::TrialEnd;
use chrono::{DateTime, Utc};
use db::{CustomerId, PlanVersionId, SubscriptionId, TenantTx};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};

/// Who asked for what the clock does.
const CLOCK: &str = "the clock";

/// What looking came to.
#[derive(Debug, Default, PartialEq)]
pub struct Looked {
    /// Subscriptions that were looked at; as many as the limit means that there may be more.
    pub subscriptions: usize,
    /// Customers to be told something, each once.
    pub notices: Vec<Notice>,
}

/// A customer to be told something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub subscription_id: SubscriptionId,
    pub customer_id: CustomerId,
    pub kind: NoticeKind,
    /// When it was due.
    pub at: DateTime<Utc>,
    /// Of the plan.
    pub plan: String,
}

/// What a customer is told besides its timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// The trial ends at this instant, and this becomes of it without a means of payment.
    TrialEnding { ends_at: DateTime<Utc>, end: TrialEnd },
    /// The trial is over and the subscription goes on.
    Converted,
    /// The trial is over and so is the subscription: no means of payment.
    EndedWithTrial,
    /// The trial is over and the subscription goes on past due: no means of payment.
    MethodMissing,
    /// A term of several months follows another.
    Renewed,
}

/// A subscription that the clock has something to do with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    pub subscription_id: SubscriptionId,
    pub customer_id: CustomerId,
    /// What happened from here on was not looked at.
    pub since: DateTime<Utc>,
    /// Before [`look`], the caller finds out whether its customer can pay.
    pub trial_is_over: bool,
}

/// Subscriptions that the clock has something to do with, at most so many, locked until the transaction ends: what is asked of
/// their customers after this stands for the same subscriptions that [`look`] works on.
pub async fn due(tx: &TenantTx, limit: u64, now: DateTime<Utc>) -> Result<Vec<Due>> {
    store::due(tx, limit, now).await
}

/// Does what the clock has brought about up to `now`, for subscriptions that [`due`] locked.
///
/// `can_pay` are the customers with a means of payment on file: a trial of another one goes on or is over, as its plan says.
pub async fn look(tx: &TenantTx, due: &[Due], can_pay: &HashSet<CustomerId>, now: DateTime<Utc>) -> Result<Looked> {
    let mut looked = Looked::default();
    let mut names = HashMap::new();
    for &Due { subscription_id: id, since, .. } in due {
        looked.subscriptions += 1;
        let mut current = must_be(tx, id).await?;
        let mut seen = HashSet::new();
        // Asked anew each time: what happens first may keep the rest from happening, or bring something else.
        while let Some(milestone) = next(&current, since, now, &mut seen)? {
            if !store::tell(tx, &current.subscription, &milestone.kind.key(), milestone.at).await? {
                continue;
            }
            name(tx, &current, &mut names).await?;
            let named = |version: PlanVersionId| names.get(&version).cloned().unwrap_or_default();
            let text = milestone.said(&current, named)?;
            let customer_id = current.subscription.customer_id;
            if let Some(kind) = notice(&current, &milestone, can_pay, now) {
                let plan = named(current.plan_at(milestone.at).id);
                looked.notices.push(Notice { subscription_id: id, customer_id, kind, at: milestone.at, plan });
            }
            add_customer_event(tx, customer_id, milestone.kind.event(), &text, milestone.at, now).await?;
            if act(tx, &current, &milestone, can_pay, now).await? {
                current = must_be(tx, id).await?;
            }
        }
        let next_look_at = current.next_look_after(now)?;
        subscriptions::save(tx, &current, next_look_at).await?;
        subscriptions::looked(tx, id, next_look_at).await?;
    }
    Ok(looked)
}

/// What the customer is told of a milestone besides its timeline.
fn notice(
    current: &History,
    milestone: &Milestone,
    can_pay: &HashSet<CustomerId>,
    now: DateTime<Utc>,
) -> Option<NoticeKind> {
    match milestone.kind {
        // Found late, it is over already, and that is another notice.
        MilestoneKind::TrialEnding => {
            let ends_at = current.subscription.trial_ends_at.filter(|ends_at| now < *ends_at)?;
            Some(NoticeKind::TrialEnding { ends_at, end: trial_end(current, ends_at) })
        }
        MilestoneKind::TrialEnded => Some(match trial_end(current, milestone.at) {
            TrialEnd::Convert => NoticeKind::Converted,
            _ if can_pay.contains(&current.subscription.customer_id) => NoticeKind::Converted,
            TrialEnd::Cancel => NoticeKind::EndedWithTrial,
            TrialEnd::PastDue => NoticeKind::MethodMissing,
        }),
        MilestoneKind::Renewed => Some(NoticeKind::Renewed),
        _ => None,
    }
}

/// What becomes of a trial without a means of payment: as was agreed for this one, else as its plan says.
fn trial_end(current: &History, at: DateTime<Utc>) -> TrialEnd {
    current.subscription.trial_end.unwrap_or(current.plan_at(at).trial_end)
}

/// The first milestone that was not seen yet.
fn next(
    current: &History,
    since: DateTime<Utc>,
    now: DateTime<Utc>,
    seen: &mut HashSet<(String, DateTime<Utc>)>,
) -> Result<Option<Milestone>> {
    let all = current.milestones(since, now)?;
    Ok(all.into_iter().find(|milestone| seen.insert((milestone.kind.key(), milestone.at))))
}

async fn must_be(tx: &TenantTx, id: SubscriptionId) -> Result<History> {
    history(tx, id).await?.ok_or_else(|| SubscriptionError::not_found("subscription", id))
}

/// Reads the names of the plans that a history and its loyalty rules speak of.
async fn name(tx: &TenantTx, of: &History, names: &mut HashMap<PlanVersionId, String>) -> Result<()> {
    let gifts =
        of.attached.iter().flat_map(|attached| &attached.version.loyalty).filter_map(|rule| match rule.reward {
            LoyaltyReward::FreeAddOn(version) => Some(version),
            _ => None,
        });
    let own = of.attached.iter().map(|attached| attached.version.id);
    let asked = of.changes.iter().filter_map(|dated| dated.change.version());
    let unknown: HashSet<PlanVersionId> = own.chain(gifts).chain(asked).filter(|id| !names.contains_key(id)).collect();
    if !unknown.is_empty() {
        names.extend(catalogue::plan_names(tx, &unknown.into_iter().collect::<Vec<_>>()).await?);
    }
    Ok(())
}

/// What follows from a milestone besides its entry in the timeline; true when the subscription has changed by it.
async fn act(
    tx: &TenantTx,
    current: &History,
    milestone: &Milestone,
    can_pay: &HashSet<CustomerId>,
    now: DateTime<Utc>,
) -> Result<bool> {
    match &milestone.kind {
        MilestoneKind::TrialEnded => {
            let customer_id = current.subscription.customer_id;
            let end = trial_end(current, milestone.at);
            if end == TrialEnd::Convert || can_pay.contains(&customer_id) {
                return Ok(false);
            }
            if end == TrialEnd::Cancel {
                return date(tx, current, Change::Cancel { credit: false }, None, milestone.at, now).await;
            }
            store::method_missing(tx, &current.subscription, milestone.at).await?;
            let text = "The trial is over and no means of payment is on file: the subscription is past due.";
            add_customer_event(tx, customer_id, "past_due", text, milestone.at, now).await?;
            Ok(true)
        }
        MilestoneKind::LoyaltyAhead(rule) | MilestoneKind::Loyalty(rule) => {
            let LoyaltyReward::FreeAddOn(id) = rule.reward else { return Ok(false) };
            let gift = plan_version(tx, id).await?.ok_or_else(|| SubscriptionError::not_found("plan version", id))?;
            let given = |dated: &super::Dated| {
                matches!(dated.change, Change::FreeAddOn { .. })
                    && dated.version.as_ref().is_some_and(|version| version.plan_id == gift.plan_id)
            };
            if current.changes.iter().any(given) {
                return Ok(false);
            }
            let at = match milestone.kind {
                // A month before, so that what is billed ahead knows of it.
                MilestoneKind::LoyaltyAhead(_) => current.period_at(milestone.at)?.ends_at,
                _ => milestone.at,
            };
            date(tx, current, Change::FreeAddOn { version: id }, Some(gift), at, now).await
        }
        _ => Ok(false),
    }
}

/// Dates a change that the clock brings, also where it is found late. What breaks a rule by then does not happen, and is told.
async fn date(
    tx: &TenantTx,
    current: &History,
    change: Change,
    version: Option<PlanVersion>,
    at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<bool> {
    let customer_id = current.subscription.customer_id;
    match current.with_change(&change, version.as_ref(), at) {
        Ok(_) => {
            changes::insert(tx, &current.subscription, &change, at, CLOCK, now.min(at)).await?;
            if let Change::Cancel { .. } = change {
                let text = "Without a means of payment, the subscription ends with its trial.";
                add_customer_event(tx, customer_id, "cancelled", text, at, now).await?;
            }
            Ok(true)
        }
        Err(SubscriptionError::Refused(refusal)) => {
            tracing::warn!(subscription.id = %current.subscription.id, %refusal, "A change by the clock was refused");
            let text = format!("{} was not possible: {refusal}.", change.kind().as_str().replace('_', " "));
            add_customer_event(tx, customer_id, "change_refused", &text, at, now).await?;
            Ok(false)
        }
        Err(other) => Err(other),
    }
}

/// Customers whose subscriptions wait past due for a means of payment.
pub async fn customers_without_method(tx: &TenantTx) -> Result<Vec<CustomerId>> {
    store::customers_without_method(tx).await
}

/// A means of payment is there: what waited for it is past due no longer, unless an invoice is overdue as well.
pub async fn method_arrived(tx: &TenantTx, customer_id: CustomerId, now: DateTime<Utc>) -> Result<()> {
    if store::method_arrived(tx, customer_id).await? {
        let text = "A means of payment is on file: the subscription goes on.";
        add_customer_event(tx, customer_id, "paid_up", text, now, now).await?;
    }
    Ok(())
}

/// Says who owes what was due, and since when: their subscriptions are past due, all others are not. For the worker, with what
/// payments know; saying the same again changes nothing.
pub async fn set_past_due(tx: &TenantTx, overdue: &[(CustomerId, DateTime<Utc>)], now: DateTime<Utc>) -> Result<()> {
    let fallen = store::fall_due(tx, overdue, now).await?;
    for (customer_id, since) in &fallen {
        let text = "An invoice is overdue: the subscription is past due.";
        add_customer_event(tx, *customer_id, "past_due", text, *since, now).await?;
    }
    let owing: Vec<CustomerId> = overdue.iter().map(|(customer_id, _)| *customer_id).collect();
    for customer_id in store::paid_up(tx, &owing).await? {
        let text = "Everything that was overdue is paid: the subscription is active again.";
        add_customer_event(tx, customer_id, "paid_up", text, now, now).await?;
    }
    Ok(())
}
