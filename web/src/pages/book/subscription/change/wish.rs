//! What is wished for, read from the form: one move of the subscription, which may be several changes.

use super::fields::ON_A_DAY;
use super::kind::Kind;
use crate::error::PageResult;
use crate::pages::book::subscription::card::add_ons;
use crate::pages::book::words::{civil_day, midnight};
use crate::pages::form::{self, Faults, Given};
use crate::read;
use chrono::{DateTime, Utc};
use db::{PlanVersionId, TenantTx};
use subscription::{Change, History, Plan, PlanVersion, SubscriptionError, When};

/// Most seats that a form takes.
const SEATS_MAX: u32 = 100_000;

/// The fields that refusals of the domain name, and ours.
pub const FIELDS: [(&str, &str); 7] = [
    ("plan_version_id", "version"),
    ("seats", "seats"),
    ("components", "version"),
    ("change", "when"),
    ("change_id", "when"),
    ("at", "when"),
    ("subscription_id", "when"),
];

/// Changes in their order, each with when it takes effect and the version that it names.
pub struct Wish(Vec<(Change, Option<PlanVersion>, When)>);

impl Wish {
    /// Reads the form; `None` when something stands at a field now.
    pub fn read(
        kind: Kind,
        given: &Given,
        before: &History,
        sold: &[Plan],
        faults: &mut Faults,
        now: DateTime<Utc>,
    ) -> PageResult<Option<Wish>> {
        let version =
            |id: PlanVersionId| sold.iter().filter_map(|plan| plan.newest.clone()).find(|newest| newest.id == id);
        let when = read_when(given, before, faults, now)?;
        let one = |change: Change, version: Option<PlanVersion>| when.map(|when| Wish(vec![(change, version, when)]));
        Ok(match kind {
            Kind::Plan => {
                let id = faults.keep("version", form::id(given.get("version")));
                let found = id.and_then(version);
                if id.is_some() && found.is_none() {
                    faults.say("version", "Must be a plan that is sold.");
                }
                let seats = faults.keep("seats", seats_of(given.get("seats"), before.seats_at(now)));
                match (found, seats) {
                    (Some(version), Some(seats)) => {
                        let seats = Some(seats).filter(|seats| *seats != before.seats_at(now));
                        one(Change::Plan { version: version.id, seats }, Some(version))
                    }
                    _ => None,
                }
            }
            Kind::Seats => {
                let seats = faults.keep("seats", read::count(given.get("seats"), 0, SEATS_MAX));
                seats.and_then(|seats| one(Change::Seats(seats), None))
            }
            Kind::AddOns => when.and_then(|when| of_add_ons(given, before, sold, when, faults, now)),
            Kind::Pause => {
                let pause = one(Change::Pause, None);
                match (pause, given.get("until")) {
                    (Some(Wish(mut changes)), until) if !until.is_empty() => {
                        let Some(on) = faults.keep("until", read::day(until)) else { return Ok(None) };
                        let at = midnight(on, &before.subscription.time_zone)?;
                        if changes
                            .iter()
                            .filter_map(|(_, _, when)| when.instant(before, now).ok())
                            .any(|from| at <= from)
                        {
                            faults.say("until", "Must lie after the day on which it is paused.");
                            return Ok(None);
                        }
                        changes.push((Change::Resume, None, When::At(at)));
                        Some(Wish(changes))
                    }
                    (pause, _) => pause,
                }
            }
            Kind::Resume => one(Change::Resume, None),
            Kind::End => one(Change::Cancel { credit: given.get("credit") == "yes" }, None),
            Kind::Reactivate => one(Change::Reactivate, None),
            Kind::EndTrial => one(Change::EndTrial, None),
        })
    }

    /// What the subscription would be.
    pub fn imagined(&self, before: &History, now: DateTime<Utc>) -> Result<History, SubscriptionError> {
        let mut after = before.clone();
        for (change, version, when) in &self.0 {
            after = after.imagined(change, version.as_ref(), *when, now)?;
        }
        Ok(after)
    }

    /// The first instant at which something is different.
    pub fn begins_at(&self, before: &History, now: DateTime<Utc>) -> Result<DateTime<Utc>, SubscriptionError> {
        match self.0.first() {
            Some((_, _, when)) => when.instant(before, now),
            None => Ok(now),
        }
    }

    /// Asks for every change.
    pub async fn ask(
        &self,
        tx: &TenantTx,
        before: &History,
        by: &str,
        now: DateTime<Utc>,
    ) -> Result<(), SubscriptionError> {
        for (change, _, when) in &self.0 {
            subscription::change(tx, before.subscription.id, change, *when, by, now).await?;
        }
        Ok(())
    }

    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        self.0.iter().map(|(change, ..)| change)
    }
}

/// When it takes effect; a day by its first instant, in the zone of the subscription.
fn read_when(given: &Given, before: &History, faults: &mut Faults, now: DateTime<Utc>) -> PageResult<Option<When>> {
    let word = given.or("when", "now");
    if word != ON_A_DAY {
        return Ok(faults.keep("when", when_of(word)));
    }
    let zone = &before.subscription.time_zone;
    let Some(on) = faults.keep("on", read::day(given.get("on"))) else { return Ok(None) };
    if on == civil_day(now, zone)? {
        return Ok(Some(When::Now));
    }
    // On the day of a start that lies ahead: with the start.
    let starts_at = before.subscription.started_at;
    let at = if on == civil_day(starts_at, zone)? { starts_at } else { midnight(on, zone)? };
    if at < now {
        faults.say("on", "Must not lie in the past.");
        return Ok(None);
    }
    Ok(Some(When::At(at)))
}

fn when_of(word: &str) -> Result<When, String> {
    match word {
        "now" => Ok(When::Now),
        "period_end" => Ok(When::PeriodEnd),
        "term_end" => Ok(When::TermEnd),
        _ => Err("Must be one of the list.".into()),
    }
}

/// Seats beside a plan; left empty they stay.
fn seats_of(given: &str, now: u32) -> Result<u32, String> {
    if given.is_empty() { Ok(now) } else { read::count(given, 0, SEATS_MAX) }
}

/// The ticked ones are wanted, the others are not: what differs from what is there is added or taken off.
fn of_add_ons(
    given: &Given,
    before: &History,
    sold: &[Plan],
    when: When,
    faults: &mut Faults,
    now: DateTime<Utc>,
) -> Option<Wish> {
    let wanted: Vec<&str> = given.all("add_on").collect();
    let held: Vec<&PlanVersion> = add_ons(before, now).map(|attached| &attached.version).collect();
    let mut changes = Vec::new();
    for version in &held {
        if !wanted.contains(&version.plan_id.to_string().as_str()) {
            changes.push((Change::RemoveAddOn { version: version.id }, None, when));
        }
    }
    for plan in sold.iter().filter(|plan| plan.is_add_on && wanted.contains(&plan.id.to_string().as_str())) {
        let is_held = held.iter().any(|version| version.plan_id == plan.id);
        if let Some(newest) = plan.newest.clone().filter(|_| !is_held) {
            changes.push((Change::AddOn { version: newest.id }, Some(newest), when));
        }
    }
    if changes.is_empty() {
        faults.say("add_on", "Must differ from what it has now.");
        return None;
    }
    Some(Wish(changes))
}
