//! What one key comes to in one period, before it is known whether that is new, known already, or a difference.

use crate::bill::Billing;
use crate::content::{LineGroup, LineSource, Service};
use crate::due::{Contract, is_metered};
use crate::rate::Rated;
use crate::words;
use chrono::{DateTime, Utc};
use money::{Decimal, Money};
use pricing::{Explanation, Rule, Step};
use subscription::{Component, ComponentKind, ServicePeriod};

/// What a key comes to in a period, priced whole.
pub(crate) struct Target {
    pub key: String,
    pub component: Option<usize>,
    pub group: LineGroup,
    pub text: String,
    pub detail: String,
    pub service: Service,
    pub quantity: Decimal,
    pub unit: String,
    pub unit_price: Option<Decimal>,
    pub amount: Money,
    pub explanation: Explanation,
    pub source: LineSource,
    /// May change when usage arrives late.
    pub changes: bool,
}

impl Billing<'_> {
    /// A component's own target.
    pub(crate) fn target(&self, contract_index: usize, index: usize, service: Service, rated: Rated) -> Target {
        let contract = &self.contracts[contract_index];
        let component = &contract.components()[index];
        let language = &self.seller.language;
        let detail = if component.included.is_zero() {
            String::new()
        } else {
            words::included(language, rated.used, component.included)
        };
        let measure = component.measure.clone().unwrap_or_default();
        Target {
            key: component.key.clone(),
            component: Some(index),
            group: group_of(component, contract.attached.is_add_on),
            text: component.name.clone(),
            detail,
            service,
            quantity: rated.used,
            unit: measure,
            unit_price: rated.unit_price,
            amount: rated.amount,
            explanation: rated.explanation,
            source: source_of(contract, component, service),
            changes: is_metered(component),
        }
    }
}

/// A claim is on the whole stored period, also where only a part of it was served.
pub(crate) fn claimed_from(contract: &Contract, target: &Target) -> DateTime<Utc> {
    let holds = |period: &&ServicePeriod| period.contains(target.service.starts_at);
    contract.periods.iter().find(holds).map_or(target.service.starts_at, |period| period.starts_at)
}

/// The same line as a difference: priced whole now, less what was billed.
pub(crate) fn late(target: Target, before: Money, quantity: Decimal, difference: Money, language: &str) -> Target {
    let mut explanation = target.explanation;
    explanation.steps.push(Step::new(Rule::BilledBefore, -before.as_decimal()));
    explanation.steps.push(Step::new(Rule::Difference, difference.as_decimal()));
    Target {
        group: LineGroup::Late,
        detail: words::late(language).to_owned(),
        quantity,
        unit_price: None,
        amount: difference,
        explanation,
        ..target
    }
}

pub(crate) fn derived(
    key: String,
    group: LineGroup,
    text: String,
    service: Service,
    amount: Money,
    steps: Vec<Step>,
) -> Target {
    Target {
        key,
        component: None,
        group,
        text,
        detail: String::new(),
        service,
        quantity: Decimal::ZERO,
        unit: String::new(),
        unit_price: None,
        amount,
        explanation: Explanation::of(steps),
        source: LineSource::None,
        changes: true,
    }
}

pub(crate) fn fixed_quantity(component: &Component, seats: u32) -> Decimal {
    if component.kind == ComponentKind::Seat { Decimal::from(seats) } else { Decimal::ONE }
}

fn group_of(component: &Component, is_add_on: bool) -> LineGroup {
    match component.kind {
        ComponentKind::Percent => LineGroup::Percent,
        ComponentKind::OneOff => LineGroup::OneOff,
        _ if is_add_on => LineGroup::Addons,
        ComponentKind::Flat => LineGroup::Platform,
        ComponentKind::Seat => LineGroup::Seats,
        ComponentKind::Usage => LineGroup::Usage,
        ComponentKind::Hours => LineGroup::Hours,
        ComponentKind::Channels => LineGroup::Channels,
    }
}

fn source_of(contract: &Contract, component: &Component, service: Service) -> LineSource {
    let (subscription_id, component_key) = (contract.subscription.id, component.key.clone());
    let (from, to) = (service.starts_at, service.ends_at);
    let measure = component.measure.clone().unwrap_or_default();
    match component.kind {
        ComponentKind::Usage | ComponentKind::Hours | ComponentKind::Channels => LineSource::Usage {
            subscription_id,
            component_key,
            meter: measure,
            filter: component.filter.clone(),
            from,
            to,
        },
        ComponentKind::Seat => LineSource::Seats { subscription_id, component_key, measure, from, to },
        _ => LineSource::None,
    }
}
