//! What plans, versions and changes are called.

use crate::error::PageResult;
use crate::format;
use db::{PlanId, PlanVersionId, TenantTx};
use rust_decimal::Decimal;
use std::collections::{BTreeSet, HashMap};
use subscription::{Asked, Change, Component, ComponentKind, History, LoyaltyReward, Plan, PlanVersion};

/// Names of a book's plans, and which version belongs to which.
pub struct Names {
    plans: HashMap<PlanId, String>,
    versions: HashMap<PlanVersionId, PlanVersion>,
}

impl Names {
    /// Of all plans, and of every version that these histories and changes name.
    pub async fn read(tx: &TenantTx, histories: &[&History], asked: &[Asked]) -> PageResult<Names> {
        let plans = subscription::plans(tx).await?;
        let mut versions: HashMap<PlanVersionId, PlanVersion> = newest(&plans);
        for history in histories {
            let attached = history.attached.iter().map(|attached| &attached.version);
            let dated = history.changes.iter().filter_map(|dated| dated.version.as_ref());
            versions.extend(attached.chain(dated).map(|version| (version.id, version.clone())));
        }
        let rewards =
            histories.iter().flat_map(|history| &history.attached).flat_map(|attached| &attached.version.loyalty);
        let given =
            rewards.filter_map(|rule| if let LoyaltyReward::FreeAddOn(id) = rule.reward { Some(id) } else { None });
        let wanted: BTreeSet<PlanVersionId> =
            asked.iter().filter_map(|asked| asked.change.version()).chain(given).collect();
        let missing: Vec<PlanVersionId> = wanted.into_iter().filter(|id| !versions.contains_key(id)).collect();
        if !missing.is_empty() {
            let found = subscription::plan_versions(tx, &missing).await?;
            versions.extend(found.into_iter().map(|version| (version.id, version)));
        }
        Ok(Names { plans: plans.into_iter().map(|plan| (plan.id, plan.name)).collect(), versions })
    }

    pub fn plan(&self, id: PlanId) -> &str {
        self.plans.get(&id).map_or("A plan", String::as_str)
    }

    /// The plan of a version.
    pub fn of(&self, id: PlanVersionId) -> &str {
        self.versions.get(&id).map_or("A plan", |version| self.plan(version.plan_id))
    }

    /// "Agents, version 2"
    pub fn version(&self, id: PlanVersionId) -> String {
        match self.versions.get(&id) {
            Some(version) => format!("{}, version {}", self.plan(version.plan_id), version.version),
            None => "A plan".to_owned(),
        }
    }

    /// A change as people read it, without its day.
    pub fn change(&self, change: &Change) -> String {
        match change {
            Change::Plan { version, seats: Some(seats) } => {
                format!("{}, with {}", self.version(*version), seats_word(*seats))
            }
            Change::Plan { version, seats: None } => self.version(*version),
            Change::Seats(seats) => seats_word(*seats),
            Change::AddOn { version } => format!("{} added", self.of(*version)),
            Change::FreeAddOn { version } => format!("{} added free of charge, for loyalty", self.of(*version)),
            Change::MoveAddOn { version } => self.version(*version),
            Change::RemoveAddOn { version } => format!("{} removed", self.of(*version)),
            Change::Pause => "Paused".to_owned(),
            Change::Resume => "Resumed".to_owned(),
            Change::Cancel { credit: true } => "Ended, with credit for what is not used".to_owned(),
            Change::Cancel { credit: false } => "Ended".to_owned(),
            Change::Reactivate => "Reactivated".to_owned(),
            Change::EndTrial => "Trial ended".to_owned(),
        }
    }

    /// What a loyalty rule gives.
    pub fn reward(&self, reward: &LoyaltyReward) -> String {
        match reward {
            LoyaltyReward::PercentOff(percent) => {
                format!("{}% off what recurs", format::quantity(percent.as_decimal()))
            }
            LoyaltyReward::FreeAddOn(version) => format!("{} free of charge", self.of(*version)),
            LoyaltyReward::Feature(feature) => super::super::words::feature(feature),
        }
    }
}

fn newest(plans: &[Plan]) -> HashMap<PlanVersionId, PlanVersion> {
    plans.iter().filter_map(|plan| plan.newest.clone()).map(|version| (version.id, version)).collect()
}

/// "1 seat", "12 seats"
pub fn seats_word(seats: u32) -> String {
    format::counted(seats.into(), "seat", "seats")
}

/// Which seats of a plan cost, and how many there may be: "each is charged, 20 at most".
pub fn seats_said(plan: &PlanVersion) -> String {
    let counted = |part: &&Component| part.kind == ComponentKind::Seat && part.measure.as_deref() == Some("assigned");
    let included: Decimal = plan.components.iter().filter(counted).map(|part| part.included).sum();
    let is_charged = plan.components.iter().any(|part| counted(&part));
    let charged = match (is_charged, included.is_zero()) {
        (false, _) => String::new(),
        (true, true) => "each is charged".to_owned(),
        (true, false) => format!("{} included, each further one is charged", format::quantity(included)),
    };
    let limit = match (plan.seat_limit, plan.sells_extra_seats) {
        (Some(limit), true) if is_charged && included.is_zero() => {
            format!("also above {}", format::count(limit.into()))
        }
        (Some(limit), true) if !is_charged => format!("{}, more are sold as well", format::count(limit.into())),
        (Some(limit), false) => format!("{} at most", format::count(limit.into())),
        _ => String::new(),
    };
    [charged, limit].into_iter().filter(|words| !words.is_empty()).collect::<Vec<_>>().join(", ")
}
