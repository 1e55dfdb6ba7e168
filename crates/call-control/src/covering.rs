//! A call that a subscription covers: what is included first, then the component's price. No tariff applies.

use crate::beyond::Before;
use crate::dimensions::Known;
use crate::entity::call::Model;
use crate::error::Result;
use crate::explanation::{CallExplanation, IncludedUnits, PricedBy};
use crate::included::{Included, Subscriber, quantity};
use crate::settlement::{Rated, place};
use db::{PlanId, SubscriptionId};
use ledger::AllowanceUsed;
use money::Decimal;
use pricing::{Exact, Explanation, Model as PriceModel, Price, PriceVersion, RoundTo, Rule, Step};
use std::collections::BTreeMap;
use subscription::{Billing, Component, Customer, SubscriptionError, TrialUsage};

/// What covers a call.
#[derive(Clone, Debug)]
pub(crate) struct Covering {
    pub subscription_id: SubscriptionId,
    pub plan_id: PlanId,
    pub plan_version: u32,
    /// All that charge it: for its minutes, for itself, or both. The first is the one that the call names.
    pub components: Vec<Component>,
    /// In the order in which they are locked.
    pub allowances: Vec<Included>,
    /// Usage in the trial is free up to an amount: what it comes to is known at the period's end only.
    pub is_free_trial: bool,
    /// Where a prepaid caller's call stands in the tiers of components that are not one amount a unit, by key; empty where that
    /// is not asked.
    pub before: BTreeMap<String, Before>,
}

/// Finds what covers a call by the terms at its start.
pub(crate) fn covering(call: &Model, subscriber: &Subscriber) -> Result<Covering> {
    let history = subscriber.history()?;
    let key = call.component_key.as_deref().unwrap_or_default();
    let unknown = || SubscriptionError::NotFound { kind: "component", id: key.to_owned() };
    let has_it = |components: &[Component]| components.iter().any(|component| component.key == key);
    let attached = history
        .attached
        .iter()
        .find(|attached| attached.holds(call.started_at) && has_it(&attached.version.components))
        .ok_or_else(unknown)?;
    let mut components: Vec<Component> =
        subscriber.charging(&Known::charged(call).dimensions(), call.started_at)?.into_iter().cloned().collect();
    components.sort_by_key(|component| component.key != key);
    Ok(Covering {
        subscription_id: history.subscription.id,
        plan_id: attached.version.plan_id,
        plan_version: attached.version.version,
        allowances: subscriber.allowances(&components, call.started_at)?,
        components,
        is_free_trial: history.subscription.in_trial_at(call.started_at)
            && attached.version.trial_usage != TrialUsage::Charged,
        before: BTreeMap::new(),
    })
}

/// An amount with the tax on it.
pub(crate) fn tax_on(net: &Exact, tax_percent: Decimal) -> Exact {
    net.times(&Exact::integer(1).plus(&Exact::from(tax_percent).hundredths()))
}

/// What a covered call comes to. A prepaid caller pays it at once, tax included. Where every price is one amount a unit, the call's own part is known already; else the whole
/// period decides. What the plan includes comes first either way, and it is told how much that was.
pub(crate) fn by_component(
    call: &Model,
    covering: &Covering,
    plan: &str,
    used: &[AllowanceUsed],
    (customer, tax_percent): (&Customer, Decimal),
    seconds: u32,
) -> Result<Rated> {
    let dimensions = Known::charged(call).dimensions();
    let mut included = Vec::new();
    let mut steps = Vec::new();
    let mut exact = (!covering.is_free_trial).then(Exact::zero);
    for component in &covering.components {
        let mut beyond = quantity(component, seconds);
        let of_component = |(allowance, _): &(&Included, &AllowanceUsed)| allowance.component.key == component.key;
        if let Some((allowance, used)) = covering.allowances.iter().zip(used).find(of_component) {
            beyond = used.beyond().as_decimal();
            steps.push(step_included(allowance, used));
            included.push(told(allowance, used));
        }
        let (rule, amount) = match (unit_price(component, &dimensions), covering.before.get(&component.key)) {
            // Below zero: what was left of the allowance came back to this call.
            (Some(unit), _) => {
                let rule = Rule::Units { quantity: beyond.normalize(), rate: unit.normalize() };
                (rule, Exact::from(unit).times(&Exact::from(beyond)))
            }
            (None, Some(before)) => (Rule::Usage, before.price(component, &dimensions, beyond)?),
            (None, None) => {
                exact = None;
                continue;
            }
        };
        let amount_shown = amount.to_decimal_places(10)?.normalize();
        steps.push(Step { part: component.name.clone(), ..Step::new(rule, amount_shown) });
        exact = exact.map(|sum| sum.plus(&amount));
    }
    let net = exact.as_ref().map(|exact| exact.to_money(customer.currency, RoundTo::Micros)).transpose()?;
    let mut charge = None;
    if let Some(exact) = exact {
        steps.push(Step::new(Rule::TOTAL, exact.to_decimal_places(10)?.normalize()));
        if customer.billing == Billing::Prepaid {
            let gross = tax_on(&exact, tax_percent).max(Exact::zero()).to_money(customer.currency, RoundTo::Micros)?;
            steps.push(Step::new(Rule::TotalWithTax, gross.as_decimal().normalize()));
            charge = Some(gross);
        }
    }
    let explanation = CallExplanation {
        priced_by: priced_by(call, covering, plan),
        metered_seconds: seconds,
        billed_seconds: seconds,
        included,
        sum: Explanation::of(steps).by(PriceVersion {
            name: plan.to_owned(),
            version: covering.plan_version,
            component: covering.components.first().map(|part| part.name.clone()).unwrap_or_default(),
        }),
        rounded_to: "micros".to_owned(),
        discounts: Vec::new(),
        tax: None,
        unpaid: None,
    };
    Ok(Rated { charge, net, tax_percent: charge.map(|_| tax_percent), billed_seconds: seconds, explanation })
}

fn step_included(allowance: &Included, used: &AllowanceUsed) -> Step {
    let rule = Rule::Included { used: used.quantity.as_decimal() };
    Step { part: allowance.terms.meter.clone(), ..Step::new(rule, used.free.as_decimal()) }
}

fn told(allowance: &Included, used: &AllowanceUsed) -> IncludedUnits {
    IncludedUnits {
        component: allowance.component.name.clone(),
        unit: allowance.terms.meter.clone(),
        included: allowance.terms.included.as_decimal(),
        from: allowance.terms.key.starts_at,
        until: allowance.terms.ends_at,
        used: used.quantity.as_decimal(),
        free: used.free.as_decimal(),
        beyond: used.beyond().as_decimal(),
        left: used.available.as_decimal(),
    }
}

/// The one amount of a unit, where that is all that a component's price says.
fn unit_price(component: &Component, dimensions: &BTreeMap<String, String>) -> Option<Decimal> {
    if component.minimum_quantity.is_zero() { unit_of(&component.price, dimensions) } else { None }
}

fn unit_of(price: &Price, dimensions: &BTreeMap<String, String>) -> Option<Decimal> {
    if price.minimum.is_some() || price.maximum.is_some() {
        return None;
    }
    match &price.model {
        PriceModel::PerUnit { unit } => Some(*unit),
        PriceModel::By { dimension, cases, default } => {
            let case = dimensions.get(dimension).and_then(|value| cases.get(value));
            unit_of(case.or(default.as_deref())?, dimensions)
        }
        _ => None,
    }
}

fn priced_by(call: &Model, covering: &Covering, plan: &str) -> PricedBy {
    let (number, digit, topic) = place(call);
    let component = covering.components.first();
    PricedBy::Component {
        number,
        digit,
        topic,
        subscription_id: covering.subscription_id,
        plan: plan.to_owned(),
        plan_version: covering.plan_version,
        key: component.map(|component| component.key.clone()).unwrap_or_default(),
        component: component.map(|component| component.name.clone()).unwrap_or_default(),
    }
}
