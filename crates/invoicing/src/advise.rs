//! Which plan would have been cheapest: real usage of the last full months through every plan that is sold.

use crate::bill::Seller;
use crate::content::{Line, LineGroup};
use crate::error::Result;
use crate::gather::seller;
use crate::preview::must_be;
use crate::rate::Quantities;
use crate::replay::{Replay, Replayed, Stage, full_months};
use crate::usage;
use chrono::{DateTime, NaiveDate, Utc};
use db::{CustomerId, PlanId, TenantTx};
use money::{Decimal, Money};
use std::collections::BTreeMap;
use subscription::{Component, ComponentKind, History, PlanVersion, histories, plans, quoted_plans, subscriptions_of};

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
    /// What the customer used and this plan does not sell: the component that it has now, and how much.
    NotSold { name: String, quantity: Decimal },
    /// Assigned seats that this plan sells, of which the customer has none: how many it would need is not known.
    SeatsNotKnown { name: String },
}

impl Reason {
    /// Does the plan leave out something that has a price elsewhere, so that its total compares with none?
    fn is_a_gap(&self) -> bool {
        matches!(self, Reason::CallsLeftToTariffs(_) | Reason::NotSold { .. } | Reason::SeatsNotKnown { .. })
    }
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
    /// Sells everything that was used; only such a plan may be the cheapest.
    pub is_whole: bool,
}

/// All plans: first those that sell everything that was used, the cheapest first.
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
    let of_others = quoted_plans(tx).await?;
    for plan in plans(tx).await?.into_iter().filter(|plan| !plan.is_add_on) {
        let is_current = has.as_ref().is_some_and(|has| has.plan_id == plan.id);
        // What was agreed with somebody by a quote is not for sale.
        let is_sold = plan.archived_at.is_none() && !of_others.contains(&plan.id);
        let version = if is_current { has.clone() } else { plan.newest.filter(|_| is_sold) };
        let Some(version) = version.filter(|version| version.currency == customer.currency) else { continue };
        let terms = Replay { version: version.clone(), add_ons: add_ons.clone(), seats };
        stages.push((plan.id, plan.name, version, is_current, Stage::of(&customer, &terms, from_on, to_on)?));
    }
    let reads: Vec<_> = stages.iter().flat_map(|(.., stage)| stage.due.reads.iter().cloned()).collect();
    let mut answers = usage::answer(tx, &reads).await?.into_iter();
    let seller = seller(tx).await?;
    let mut advised = Vec::with_capacity(stages.len());
    let mut lines_now = Vec::new();
    for (plan_id, plan, version, is_current, stage) in stages {
        let own: Vec<_> = answers.by_ref().take(stage.due.reads.len()).collect();
        let Some((replayed, with_less, with_more)) = played(&stage, &seller, &own)? else { continue };
        let by_month: Vec<Money> = replayed.months.iter().map(|month| month.total).collect();
        let worst = by_month.iter().copied().max_by_key(Money::micros).unwrap_or(replayed.total);
        if is_current {
            lines_now = replayed.months.iter().flat_map(|month| month.lines.iter().cloned()).collect();
        }
        let (mut reasons, total) = (reasons(&replayed)?, replayed.total);
        if seats == 0 && !is_current {
            reasons.extend(assigned_seats(&version).map(|name| Reason::SeatsNotKnown { name }));
        }
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
            is_whole: true,
        });
    }
    if let Some(has) = &has {
        tell_gaps(&mut advised, &used(has, &lines_now), &add_ons);
    }
    rank(&mut advised);
    if let Some(paid) = advised.iter().find(|advised| advised.is_current).map(|advised| advised.total) {
        for other in advised.iter_mut().filter(|advised| !advised.is_current) {
            other.reasons.insert(0, Reason::AgainstCurrent(other.total.checked_sub(paid)?));
        }
    }
    Ok(Advice { from_on, to_on, plans: advised })
}

/// The months as they were, and the totals with 30% less and 30% more usage; `None` where that outgrows money: such a price is
/// nobody's cheapest, and keeps nobody from the others.
fn played(stage: &Stage, seller: &Seller, own: &[Quantities]) -> Result<Option<(Replayed, Money, Money)>> {
    let play = |scale: Decimal| stage.play(seller, own, scale);
    match (play(Decimal::ONE), play(Decimal::new(7, 1)), play(Decimal::new(13, 1))) {
        (Ok(replayed), Ok(less), Ok(more)) => Ok(Some((replayed, less.total, more.total))),
        (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) if error.is_too_large() => Ok(None),
        (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) => Err(error),
    }
}

/// The first component that charges for assigned seats.
fn assigned_seats(version: &PlanVersion) -> Option<String> {
    let is_assigned = |part: &&Component| part.kind == ComponentKind::Seat && !part.is_metered();
    version.components.iter().find(is_assigned).map(|part| part.name.clone())
}

/// Says of each other plan what was used and is not sold by it, add-ons counted.
fn tell_gaps(advised: &mut [Advised], used: &[(&Component, Decimal)], add_ons: &[PlanVersion]) {
    for other in advised.iter_mut().filter(|advised| !advised.is_current) {
        let sold = || other.version.components.iter().chain(add_ons.iter().flat_map(|add_on| &add_on.components));
        let gaps = used.iter().filter(|(part, _)| !sold().any(|sold| sold.counts_with(part)));
        let gaps: Vec<Reason> =
            gaps.map(|(part, quantity)| Reason::NotSold { name: part.name.clone(), quantity: *quantity }).collect();
        other.reasons.extend(gaps);
    }
}

/// The cheapest first; what leaves something out comes last and is never the cheapest.
fn rank(advised: &mut [Advised]) {
    for plan in advised.iter_mut() {
        plan.is_whole = !plan.reasons.iter().any(Reason::is_a_gap);
    }
    advised.sort_by_key(|advised| (!advised.is_whole, advised.total.micros(), !advised.is_current));
    if let Some(cheapest) = advised.first_mut().filter(|first| first.is_whole) {
        cheapest.is_cheapest = true;
    }
}

/// What was used of the plan that the customer has, component by component. Calls are told apart: what charges their minutes
/// may charge them by number elsewhere, and what charges neither leaves them to tariffs.
fn used<'a>(has: &'a PlanVersion, lines: &[Line]) -> Vec<(&'a Component, Decimal)> {
    let is_of_calls = |part: &Component| matches!(part.measure.as_deref(), Some("calls" | "minutes"));
    let measured = has.components.iter().filter(|part| part.is_metered() && !is_of_calls(part));
    let used = measured.map(|part| {
        let own = lines.iter().filter(|line| line.component_key.as_deref() == Some(&part.key));
        (part, own.map(|line| line.quantity).sum::<Decimal>())
    });
    used.filter(|(_, quantity)| !quantity.is_zero()).collect()
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
