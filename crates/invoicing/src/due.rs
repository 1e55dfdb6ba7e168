//! What a customer's next document must look at: which components of which periods are due, and what usage has to be read for
//! them. Decided from stored periods and from what is billed already; nothing is priced in here.

use crate::content::Service;
use crate::error::Result;
use crate::usage::{Counted, Read};
use chrono::{DateTime, Utc};
use money::Money;
use std::collections::{BTreeMap, HashMap};
use subscription::{
    Attached, Billed, Component, ComponentKind, Customer, ServicePeriod, Subscription, billing_period_of_customer,
};
use uuid::Uuid;

/// How many billed periods before the newest are looked at again for usage that arrived after their document.
pub(crate) const LATE_PERIODS: usize = 2;

/// Key of the claim that closes a customer's monthly period of tariff calls.
pub(crate) const CALLS: &str = "*calls";
/// Key of a commitment's true-up.
pub(crate) const COMMITMENT: &str = "*commitment";
/// Key of the term discount on what a month bills in arrears.
pub(crate) const TERM_DISCOUNT: &str = "*term_discount";
/// Key of the term discount on what is billed in advance.
pub(crate) const TERM_DISCOUNT_ADVANCE: &str = "*term_discount_advance";

/// A plan version that a subscription has or had, with the periods to look at.
pub(crate) struct Contract {
    pub subscription: Subscription,
    /// Assigned seats.
    pub seats: u32,
    pub attached: Attached,
    /// All that have begun, in order.
    pub periods: Vec<ServicePeriod>,
}

impl Contract {
    /// When the plan version is in service within a period, as instants.
    pub(crate) fn span(&self, period: &ServicePeriod) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        let from = period.starts_at.max(self.attached.from);
        let to = self.attached.until.map_or(period.ends_at, |until| until.min(period.ends_at));
        (from < to).then_some((from, to))
    }

    /// From when on recurring components cost something.
    pub(crate) fn paid_from(&self) -> DateTime<Utc> {
        self.subscription.trial_ends_at.map_or(self.attached.from, |ends_at| ends_at.max(self.attached.from))
    }

    pub(crate) fn components(&self) -> &[Component] {
        &self.attached.version.components
    }

    /// For how many months a component is billed in a period. Terms of an add-on count from its own first period.
    pub(crate) fn bills_in(&self, component: &Component, period: &ServicePeriod) -> Option<u32> {
        let first =
            self.periods.iter().find(|known| known.ends_at > self.attached.from).map_or(0, |first| first.position);
        component.bills_in(period.position.saturating_sub(first), self.attached.version.term_months)
    }
}

/// What was billed for one key in one period, all documents together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BilledSum {
    pub amount: Money,
    pub quantity: money::Decimal,
    /// Documents that billed it: one, and one for each difference.
    pub times: i64,
}

/// What is billed already: by subscription (or customer) and key, by the period's start.
#[derive(Default)]
pub(crate) struct BilledBefore(pub HashMap<(Uuid, String), BTreeMap<DateTime<Utc>, BilledSum>>);

impl BilledBefore {
    pub(crate) fn of(&self, billed_id: Uuid, key: &str, starts_at: DateTime<Utc>) -> Option<&BilledSum> {
        self.periods(billed_id, key)?.get(&starts_at)
    }

    fn periods(&self, billed_id: Uuid, key: &str) -> Option<&BTreeMap<DateTime<Utc>, BilledSum>> {
        self.0.get(&(billed_id, key.to_owned()))
    }

    /// Periods are billed in order: what lies after the newest billed one is new, what lies before it is closed.
    pub(crate) fn is_new(&self, billed_id: Uuid, key: &str, starts_at: DateTime<Utc>) -> bool {
        self.newest(billed_id, key).is_none_or(|newest| starts_at > newest)
    }

    pub(crate) fn newest(&self, billed_id: Uuid, key: &str) -> Option<DateTime<Utc>> {
        self.periods(billed_id, key)?.keys().next_back().copied()
    }

    /// Is it one of the last billed periods, which late usage may still change?
    fn may_be_late(&self, billed_id: Uuid, key: &str, starts_at: DateTime<Utc>) -> bool {
        self.periods(billed_id, key)
            .is_some_and(|periods| periods.keys().rev().take(LATE_PERIODS).any(|known| *known == starts_at))
    }
}

/// An ended month of a contract, to be priced whole: what is new in it is billed, what was billed is compared.
pub(crate) struct Month {
    pub contract: usize,
    pub period: ServicePeriod,
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
    /// For each component, where its usage is among the reads.
    pub reads: Vec<Option<usize>>,
}

/// A component that is billed ahead.
pub(crate) struct Advance {
    pub contract: usize,
    pub component: usize,
    pub period: ServicePeriod,
    pub months: u32,
}

/// A customer's ended month of tariff calls.
pub(crate) struct CallsMonth {
    pub service: Service,
    pub is_new: bool,
    pub charge: usize,
    pub calls: usize,
    pub minutes: usize,
}

/// All that a customer's document is made of.
#[derive(Default)]
pub(crate) struct Due {
    pub months: Vec<Month>,
    pub advances: Vec<Advance>,
    pub calls: Vec<CallsMonth>,
    pub reads: Vec<Read>,
}

/// The keys under which a customer may have been billed, for reading [`BilledBefore`].
pub(crate) fn keys(customer: &Customer, contracts: &[Contract], topics: &[String]) -> Vec<(Uuid, String)> {
    let calls = std::iter::once(CALLS.to_owned()).chain(topics.iter().cloned()).map(|key| (customer.id.uuid(), key));
    let derived = [COMMITMENT, TERM_DISCOUNT, TERM_DISCOUNT_ADVANCE];
    let of_contract = |contract: &Contract| {
        let components: Vec<String> = contract.components().iter().map(|component| component.key.clone()).collect();
        let scope = contract.scope();
        let derived = derived.map(|key| format!("{key}{scope}"));
        let id = contract.subscription.id.uuid();
        components.into_iter().chain(derived).map(move |key| (id, key)).collect::<Vec<_>>()
    };
    calls.chain(contracts.iter().flat_map(of_contract)).collect()
}

impl Contract {
    /// Tells an add-on's commitment and discount from the plan's own, which have the same subscription.
    pub(crate) fn scope(&self) -> String {
        if self.attached.is_add_on { format!(":{}", self.attached.version.id) } else { String::new() }
    }
}

/// Decides what is due before `until`.
pub(crate) fn due(
    customer: &Customer,
    contracts: &[Contract],
    billed: &BilledBefore,
    until: DateTime<Utc>,
) -> Result<Due> {
    let mut due = Due::default();
    for (index, contract) in contracts.iter().enumerate() {
        for period in &contract.periods {
            let Some((from, to)) = contract.span(period) else { continue };
            advances(index, contract, period, billed, &mut due);
            if to <= until {
                month(customer, index, contracts, (period, from, to), billed, &mut due);
            }
        }
    }
    calls(customer, billed, until, &mut due)?;
    Ok(due)
}

fn advances(index: usize, contract: &Contract, period: &ServicePeriod, billed: &BilledBefore, due: &mut Due) {
    let id = contract.subscription.id.uuid();
    for (component_index, component) in contract.components().iter().enumerate() {
        if component.billed != Billed::InAdvance || !billed.is_new(id, &component.key, period.starts_at) {
            continue;
        }
        if let Some(months) = contract.bills_in(component, period) {
            due.advances.push(Advance { contract: index, component: component_index, period: *period, months });
        }
    }
}

type Span<'a> = (&'a ServicePeriod, DateTime<Utc>, DateTime<Utc>);

fn month(
    customer: &Customer,
    index: usize,
    contracts: &[Contract],
    span: Span<'_>,
    billed: &BilledBefore,
    due: &mut Due,
) {
    let contract = &contracts[index];
    let (period, from, to) = span;
    let id = contract.subscription.id.uuid();
    let in_arrears = || contract.components().iter().filter(|component| component.billed == Billed::InArrears);
    let is_new = in_arrears().any(|component| billed.is_new(id, &component.key, period.starts_at));
    let may_be_late =
        in_arrears().any(|component| is_metered(component) && billed.may_be_late(id, &component.key, period.starts_at));
    if !is_new && !may_be_late {
        return;
    }
    let mut reads = Vec::with_capacity(contract.components().len());
    for component in contract.components() {
        let from = if component.is_recurring() { from.max(contract.paid_from()) } else { from };
        // Usage is kept by hours of the customer's clock: the hour in which service begins counts.
        let hour = usage_metering::local_hour(from, &customer.time_zone).unwrap_or(from).max(period.starts_at);
        let read = read_of(customer, component, hour, to).filter(|_| from < to);
        reads.push(read.map(|mut read| {
            if is_ambiguous(component, contract, contracts) {
                read.subscription_id = Some(contract.subscription.id);
            }
            due.reads.push(read);
            due.reads.len() - 1
        }));
    }
    due.months.push(Month { contract: index, period: *period, from, to, reads });
}

/// Counted from usage, so that what arrives late changes it.
pub(crate) fn is_metered(component: &Component) -> bool {
    match component.kind {
        ComponentKind::Usage | ComponentKind::Hours | ComponentKind::Channels => true,
        ComponentKind::Seat => component.measure.as_deref() != Some("assigned"),
        ComponentKind::Flat | ComponentKind::Percent | ComponentKind::OneOff => false,
    }
}

/// Usage that names no subscription belongs to the only one with a matching component; with several, only what names them counts.
fn is_ambiguous(component: &Component, contract: &Contract, contracts: &[Contract]) -> bool {
    let others = contracts.iter().filter(|other| other.subscription.id != contract.subscription.id);
    others.flat_map(Contract::components).any(|other| is_metered(other) && other.measure == component.measure)
}

fn read_of(customer: &Customer, component: &Component, from: DateTime<Utc>, to: DateTime<Utc>) -> Option<Read> {
    let measure = component.measure.as_deref().unwrap_or_default();
    let (meter, counted) = match (component.kind, measure) {
        (ComponentKind::Usage | ComponentKind::Hours, meter) => (meter, Counted::Sum),
        (ComponentKind::Channels, _) => ("channel_peak", Counted::Max),
        (ComponentKind::Seat, "active") => ("seat_days", Counted::Distinct("agent")),
        (ComponentKind::Seat, "peak") => ("seat_peak", Counted::Max),
        (ComponentKind::Seat, "daily") => ("seat_days", Counted::Sum),
        _ => return None,
    };
    Some(Read {
        customer_id: customer.id,
        subscription_id: None,
        meter: meter.to_owned(),
        filter: component.filter.clone(),
        dimensions: dimensions_of(&component.price),
        counted,
        from,
        to,
    })
}

/// The dimensions that a price asks for.
fn dimensions_of(price: &pricing::Price) -> Vec<String> {
    let pricing::Model::By { dimension, cases, default } = &price.model else { return Vec::new() };
    let mut dimensions = vec![dimension.clone()];
    for inner in cases.values().chain(default.as_deref()).flat_map(dimensions_of) {
        if !dimensions.contains(&inner) {
            dimensions.push(inner);
        }
    }
    dimensions
}

fn calls(customer: &Customer, billed: &BilledBefore, until: DateTime<Utc>, due: &mut Due) -> Result<()> {
    let id = customer.id.uuid();
    let mut at = pricing::start_of_day(customer.anchor_on, &customer.time_zone)?;
    if let Some(newest) = billed.newest(id, CALLS) {
        let late: Vec<DateTime<Utc>> =
            billed.periods(id, CALLS).into_iter().flat_map(BTreeMap::keys).rev().take(LATE_PERIODS).copied().collect();
        for starts_at in late.into_iter().rev() {
            let period = billing_period_of_customer(customer, starts_at)?;
            push_calls(customer, &period, false, due);
        }
        at = billing_period_of_customer(customer, newest)?.ends_at;
    }
    loop {
        let period = billing_period_of_customer(customer, at)?;
        if period.ends_at > until {
            return Ok(());
        }
        push_calls(customer, &period, true, due);
        at = period.ends_at;
    }
}

fn push_calls(customer: &Customer, period: &ServicePeriod, is_new: bool, due: &mut Due) {
    let mut read = |meter: &str| {
        due.reads.push(Read {
            customer_id: customer.id,
            subscription_id: None,
            meter: meter.to_owned(),
            filter: BTreeMap::from([("charged_by".to_owned(), "tariff".to_owned())]),
            dimensions: vec!["topic".to_owned()],
            counted: Counted::Sum,
            from: period.starts_at,
            to: period.ends_at,
        });
        due.reads.len() - 1
    };
    let (charge, calls, minutes) = (read("charge"), read("calls"), read("minutes"));
    due.calls.push(CallsMonth { service: service_of(period), is_new, charge, calls, minutes });
}

pub(crate) fn service_of(period: &ServicePeriod) -> Service {
    Service {
        starts_at: period.starts_at,
        ends_at: period.ends_at,
        starts_on: period.starts_on,
        ends_on: period.ends_on,
    }
}
