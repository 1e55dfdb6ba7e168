//! Which plan would have been cheapest: real usage of the last full months through every plan that is sold.

use crate::content::LineGroup;
use crate::error::Result;
use crate::gather::seller;
use crate::preview::must_be;
use crate::replay::{Replay, Replayed, Stage, full_months};
use crate::usage;
use chrono::{DateTime, NaiveDate, Utc};
use db::{CustomerId, PlanId, TenantTx};
use money::{Decimal, Money};
use std::collections::BTreeMap;
use subscription::{History, PlanVersion, histories, plans, subscriptions_of};

/// Months that are looked at.
const MONTHS: u32 = 3;

/// Why a plan costs what it costs; told in words by the page.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// Less (below zero) or more than the plan that the customer has.
    AgainstCurrent(Money),
    /// The line that most of it comes from, over all months.
    MostlyFor { name: String, amount: Money },
    /// What is paid only because a promise was not reached.
    CommitmentNotReached(Money),
    /// What the cap left out.
    CapReached(Money),
    /// Calls that this plan leaves to tariffs, and whose price is not known.
    CallsLeftToTariffs(Decimal),
}

/// A plan as it would have been.
#[derive(Clone, Debug, PartialEq)]
pub struct Advised {
    pub plan_id: PlanId,
    pub plan: String,
    pub version: PlanVersion,
    pub is_current: bool,
    pub is_cheapest: bool,
    pub total: Money,
    pub by_month: Vec<Money>,
    /// The dearest month.
    pub worst: Money,
    /// The total with 30% less, and with 30% more usage.
    pub with_less: Money,
    pub with_more: Money,
    pub reasons: Vec<Reason>,
}

/// All plans, the cheapest first.
#[derive(Clone, Debug, PartialEq)]
pub struct Advice {
    pub from_on: NaiveDate,
    pub to_on: NaiveDate,
    pub plans: Vec<Advised>,
}

/// Replays the last three full calendar months of a customer through the newest version of every plan in its currency, with the
/// seats and add-ons that it has.
pub async fn advise(tx: &TenantTx, customer_id: CustomerId, now: DateTime<Utc>) -> Result<Advice> {
    let customer = must_be(tx, customer_id).await?;
    let (from_on, to_on) = full_months(&customer, MONTHS, now)?;
    let histories = histories(tx, &subscriptions_of(tx, customer_id).await?).await?;
    let current = histories.iter().find(|history| history.subscription.in_service_at(now));
    let of_now = |history: &History| {
        let add_ons = history.attached_at(now).filter(|attached| attached.is_add_on && !attached.is_free);
        (history.seats_at(now), add_ons.map(|attached| attached.version.clone()).collect::<Vec<_>>())
    };
    let (seats, add_ons) = current.map(of_now).unwrap_or_default();
    let has = current.map(|history| history.plan_at(now).clone());
    let mut stages = Vec::new();
    for plan in plans(tx).await?.into_iter().filter(|plan| !plan.is_add_on) {
        let is_current = has.as_ref().is_some_and(|has| has.plan_id == plan.id);
        let version = if is_current { has.clone() } else { plan.newest.filter(|_| plan.archived_at.is_none()) };
        let Some(version) = version.filter(|version| version.currency == customer.currency) else { continue };
        let terms = Replay { version: version.clone(), add_ons: add_ons.clone(), seats };
        stages.push((plan.id, plan.name, version, is_current, Stage::of(&customer, &terms, from_on, to_on)?));
    }
    let reads: Vec<_> = stages.iter().flat_map(|(.., stage)| stage.due.reads.iter().cloned()).collect();
    let mut answers = usage::answer(tx, &reads).await?.into_iter();
    let seller = seller(tx).await?;
    let mut advised = Vec::with_capacity(stages.len());
    for (plan_id, plan, version, is_current, stage) in stages {
        let own: Vec<_> = answers.by_ref().take(stage.due.reads.len()).collect();
        let replayed = stage.play(&seller, &own, Decimal::ONE)?;
        let with_less = stage.play(&seller, &own, Decimal::new(7, 1))?.total;
        let with_more = stage.play(&seller, &own, Decimal::new(13, 1))?.total;
        let by_month: Vec<Money> = replayed.months.iter().map(|month| month.total).collect();
        let worst = by_month.iter().copied().max_by_key(Money::micros).unwrap_or(replayed.total);
        let (reasons, total) = (reasons(&replayed)?, replayed.total);
        advised.push(Advised {
            plan_id,
            plan,
            version,
            is_current,
            is_cheapest: false,
            total,
            by_month,
            worst,
            with_less,
            with_more,
            reasons,
        });
    }
    advised.sort_by_key(|advised| (advised.total.micros(), !advised.is_current));
    if let Some(cheapest) = advised.first_mut() {
        cheapest.is_cheapest = true;
    }
    if let Some(paid) = advised.iter().find(|advised| advised.is_current).map(|advised| advised.total) {
        for other in advised.iter_mut().filter(|advised| !advised.is_current) {
            other.reasons.insert(0, Reason::AgainstCurrent(other.total.checked_sub(paid)?));
        }
    }
    Ok(Advice { from_on, to_on, plans: advised })
}

fn reasons(replayed: &Replayed) -> Result<Vec<Reason>> {
    let nothing = Money::zero(replayed.total.currency());
    let (mut promised, mut capped, mut by_name) = (nothing, nothing, BTreeMap::<String, Money>::new());
    for line in replayed.months.iter().flat_map(|month| &month.lines) {
        let is_cap = line.component_key.as_deref().is_some_and(|key| key.starts_with(crate::due::FEE_CAP));
        match line.group {
            LineGroup::Commitment => promised = promised.checked_add(line.amount)?,
            _ if is_cap => capped = capped.checked_sub(line.amount)?,
            LineGroup::Discounts => {}
            _ => {
                let known = by_name.entry(line.text.clone()).or_insert(nothing);
                *known = known.checked_add(line.amount)?;
            }
        }
    }
    let most = by_name.into_iter().max_by_key(|(_, amount)| amount.micros()).filter(|(_, amount)| amount.is_positive());
    let mut reasons: Vec<Reason> = most.map(|(name, amount)| Reason::MostlyFor { name, amount }).into_iter().collect();
    reasons.extend(promised.is_positive().then_some(Reason::CommitmentNotReached(promised)));
    reasons.extend(capped.is_positive().then_some(Reason::CapReached(capped)));
    let left = replayed.calls_left_to_tariffs;
    reasons.extend((!left.is_zero()).then_some(Reason::CallsLeftToTariffs(left)));
    Ok(reasons)
}
