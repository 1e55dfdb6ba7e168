//! Which change is possible in which state: one match. And what must hold of the subscription that comes out.

use super::fold::{add_on_of, has_add_on};
use super::history::{Attached, History};
use crate::catalogue::{Component, PlanVersion};
use crate::change::Change;
use crate::error::{Result, Rule, instant, must, refuse, same_currency};
use crate::words::{ComponentKind, SubscriptionStatus};
use SubscriptionStatus::{Active, Cancelled, Expired, PastDue, Paused, Scheduled, Trial};
use chrono::{DateTime, Utc};

/// What makes a subscription another one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cause<'a> {
    Asked(&'a Change),
    /// The clock: its start, the end of its trial, the end of its fixed terms.
    Begun,
    TrialOver,
    TermsOver,
    /// An invoice is overdue, or nothing is any longer.
    Overdue,
    PaidUp,
}

/// Every transition: what a subscription is afterwards; `None`: not possible in this state.
pub fn status_after(status: SubscriptionStatus, cause: &Cause<'_>) -> Option<SubscriptionStatus> {
    let change = match (status, cause) {
        (_, Cause::Asked(change)) => *change,
        (Scheduled, Cause::Begun) => return Some(Active),
        (Trial, Cause::TrialOver) => return Some(Active),
        (Scheduled | Trial | Active | PastDue | Paused, Cause::TermsOver) => return Some(Expired),
        (Active | PastDue, Cause::Overdue) => return Some(PastDue),
        (Active | PastDue, Cause::PaidUp) => return Some(Active),
        // What is owed is seen once the trial or the pause is over.
        (Trial | Paused, Cause::Overdue | Cause::PaidUp) => return Some(status),
        (_, Cause::Begun | Cause::TrialOver | Cause::TermsOver | Cause::Overdue | Cause::PaidUp) => return None,
    };
    match (status, change) {
        // Nothing is asked of what is over, except to go on.
        (Cancelled | Expired, Change::Reactivate) => Some(Active),
        (Cancelled | Expired, _) | (_, Change::Reactivate) => None,

        (_, Change::Cancel { .. }) => Some(Cancelled),
        (Trial, Change::EndTrial) => Some(Active),
        (_, Change::EndTrial) => None,

        (Trial | Active | PastDue, Change::Pause) => Some(Paused),
        (Paused | Scheduled, Change::Pause) => None,
        (Paused, Change::Resume) => Some(Active),
        (_, Change::Resume) => None,

        (Scheduled | Trial | Active | PastDue | Paused, terms) => match terms {
            Change::Plan { .. }
            | Change::Seats(_)
            | Change::AddOn { .. }
            | Change::FreeAddOn { .. }
            | Change::MoveAddOn { .. }
            | Change::RemoveAddOn { .. } => Some(status),
            Change::Pause | Change::Resume | Change::Cancel { .. } | Change::Reactivate | Change::EndTrial => None,
        },
    }
}

/// Refuses a change that is not possible at that instant.
pub(super) fn check(
    history: &History,
    change: &Change,
    version: Option<&PlanVersion>,
    at: DateTime<Utc>,
) -> Result<()> {
    must(at >= history.subscription.started_at, "at", Rule::MustNotPrecedeStart, instant(&at))?;
    let status = history.status_at(at);
    must(
        status_after(status, &Cause::Asked(change)).is_some(),
        "change",
        Rule::MustBePossibleIn(status),
        change.kind(),
    )?;
    if let Some(version) = version {
        same_currency("plan_version_id", history.plan_at(at).currency, version.currency)?;
    }
    match (change, version) {
        (Change::Plan { version: id, seats }, _) => {
            let same_seats = seats.is_none_or(|seats| seats == history.seats_at(at));
            let same_plan = history.plan_at(at).id == *id;
            must(!(same_plan && same_seats), "plan_version_id", Rule::MustDiffer, id)
        }
        (Change::Seats(seats), _) => must(*seats != history.seats_at(at), "seats", Rule::MustDiffer, seats),
        (Change::AddOn { version: id }, Some(version)) => {
            must(!has_add_on(&history.attached, version.plan_id, at), "plan_version_id", Rule::MustBeUnique, id)
        }
        (Change::RemoveAddOn { version: id }, _) => {
            let plan = version.map(|version| version.plan_id);
            let is_it = |of: &PlanVersion| of.id == *id || Some(of.plan_id) == plan;
            let is_there = |of: &Attached| of.is_add_on && is_it(&of.version) && of.holds(at);
            must(history.attached.iter().any(is_there), "plan_version_id", Rule::MustBeAttached, id)
        }
        (Change::MoveAddOn { version: id }, Some(version)) => {
            let has = add_on_of(&history.attached, version.plan_id, at);
            must(has.is_some(), "plan_version_id", Rule::MustBeAttached, id)?;
            must(has.is_none_or(|has| has.version.id != *id), "plan_version_id", Rule::MustDiffer, id)
        }
        _ => Ok(()),
    }
}

/// Refuses a result in which, from an instant on, something would be charged twice or a seat would have no place.
pub(crate) fn check_result(history: &History, from: DateTime<Utc>) -> Result<()> {
    let later = || history.attached.iter().filter(|attached| attached.until.is_none_or(|until| until > from));
    for add_on in later().filter(|attached| attached.is_add_on) {
        for other in later().filter(|other| overlap(add_on, other)) {
            let is_self = std::ptr::eq(add_on, other);
            if !is_self {
                apart(add_on, other)?;
            }
        }
    }
    for plan in later().filter(|attached| !attached.is_add_on) {
        let counts = history.seats.iter().filter(|count| count.from > from && plan.holds(count.from));
        let within = counts.map(|count| count.seats);
        for seats in within.chain([history.seats_at(plan.from.max(from))]) {
            seats_fit(plan.version.seat_limit, plan.version.sells_extra_seats, seats)?;
        }
    }
    Ok(())
}

fn overlap(a: &Attached, b: &Attached) -> bool {
    let begins_before_end = |a: &Attached, b: &Attached| b.until.is_none_or(|until| a.from < until) || a.from == b.from;
    begins_before_end(a, b) && begins_before_end(b, a)
}

/// No key twice, and no usage charged by two components.
fn apart(add_on: &Attached, other: &Attached) -> Result<()> {
    for part in &add_on.version.components {
        for known in &other.version.components {
            let field = format!("components/{}", part.key);
            must(part.key != known.key, format!("{field}/key"), Rule::MustBeUnique, &part.key)?;
            if part.overlaps(known) {
                let rule = Rule::FiltersMustNotOverlap(known.key.clone());
                return refuse(format!("{field}/filter"), rule, &part.key);
            }
        }
    }
    Ok(())
}

/// No seat beyond the plan's limit, unless the plan sells more.
pub(crate) fn seats_fit(limit: Option<u32>, sells_extra: bool, seats: u32) -> Result<()> {
    must(i32::try_from(seats).is_ok(), "seats", Rule::MustLieBetween(0, i32::MAX.into()), seats)?;
    match limit {
        Some(limit) if seats > limit && !sells_extra => refuse("seats", Rule::MustNotExceedSeatLimit(limit), seats),
        _ => Ok(()),
    }
}

/// Refuses seats where no component charges for them and no limit is set on them: the number would say nothing.
pub fn must_count_seats<'a>(
    limit: Option<u32>,
    parts: impl IntoIterator<Item = &'a Component>,
    seats: u32,
) -> Result<()> {
    let counted = limit.is_some() || parts.into_iter().any(|part| part.kind == ComponentKind::Seat);
    must(seats == 0 || counted, "seats", Rule::SeatsMustBeCounted, seats)
}
