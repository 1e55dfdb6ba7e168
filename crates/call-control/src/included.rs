//! What a subscription includes for a call: which allowances it uses, what it holds of them while it runs, what it used of them
//! at its end. An allowance is of the stretch of time that a document bills as one: the service period, split where the terms
//! change. How much is included in a stretch is the same sum as on the document: included x days of the stretch / days of the
//! period.

use crate::error::{CallError, Result};
use crate::settlement::minutes;
use chrono::{DateTime, Utc};
use db::{CallId, CustomerId, SubscriptionId, TenantTx};
use ledger::{Allowance, AllowanceKey, AllowanceTerms, AllowanceUse, AllowanceWish, Units};
use money::Decimal;
use pricing::{DateRange, Exact, civil_date};
use std::collections::BTreeMap;
use subscription::{Component, ComponentKind, Customer, History, SubscriptionError};
use usage_metering::{Aggregate, UsageQuery};

/// A running call holds included minutes this far ahead.
const AHEAD_SECONDS: u32 = 60;
/// It holds more when this is left of what it holds.
const AGAIN_SECONDS: u32 = 30;

/// A customer whose call a subscription covers, with everything dated about all of its subscriptions.
pub(crate) struct Subscriber {
    time_zone: String,
    covering: SubscriptionId,
    histories: Vec<History>,
}

impl Subscriber {
    pub(crate) async fn read(tx: &TenantTx, customer: &Customer, covering: SubscriptionId) -> Result<Subscriber> {
        let subscriptions = subscription::subscriptions_of(tx, customer.id).await?;
        let histories = subscription::histories(tx, &subscriptions).await?;
        Ok(Subscriber { time_zone: customer.time_zone.clone(), covering, histories })
    }

    /// The subscription that covers the call.
    pub(crate) fn history(&self) -> Result<&History> {
        let own = self.histories.iter().find(|history| history.subscription.id == self.covering);
        let unknown = || SubscriptionError::NotFound { kind: "subscription", id: self.covering.to_string() };
        Ok(own.ok_or_else(unknown)?)
    }

    /// Usage that names no subscription belongs to the only one that measures it; with several, only what names them counts.
    fn is_ambiguous(&self, component: &Component) -> bool {
        let others = self.histories.iter().filter(|history| history.subscription.id != self.covering);
        let components = others.flat_map(|other| &other.attached).flat_map(|attached| &attached.version.components);
        components.filter(|other| is_measured(other)).any(|other| other.measure == component.measure)
    }
}

fn is_measured(component: &Component) -> bool {
    matches!(component.kind, ComponentKind::Usage | ComponentKind::Hours)
}

/// An allowance that a call uses, and the component that it is of.
#[derive(Clone, Debug)]
pub(crate) struct Included {
    pub component: Component,
    pub terms: AllowanceTerms,
}

impl Included {
    /// What a call of so many seconds uses of it.
    pub(crate) fn quantity(&self, seconds: u32) -> Result<Units> {
        Ok(Units::of(quantity(&self.component, seconds))?)
    }
}

/// What a call of so many seconds counts on a component's meter.
pub(crate) fn quantity(component: &Component, seconds: u32) -> Decimal {
    if component.measure.as_deref() == Some("calls") { Decimal::ONE } else { minutes(seconds) }
}

/// The components of a subscription that charge a call with these dimensions: one for its minutes, one for itself, or both.
pub(crate) fn charging<'a>(
    history: &'a History,
    dimensions: &BTreeMap<String, String>,
    at: DateTime<Utc>,
) -> Vec<&'a Component> {
    let is_call_meter = |component: &&Component| matches!(component.measure.as_deref(), Some("minutes" | "calls"));
    let of_calls = |component: &&Component| component.kind == ComponentKind::Usage && component.matches(dimensions);
    history.components_at(at).filter(is_call_meter).filter(of_calls).collect()
}

/// The allowances that a call uses which began at an instant, in the order in which they are locked.
pub(crate) fn allowances(history: &History, components: &[&Component], at: DateTime<Utc>) -> Result<Vec<Included>> {
    let mut found = Vec::new();
    for component in components.iter().filter(|component| component.included > Decimal::ZERO) {
        let Some((starts_at, ends_at, included)) = stretch(history, component, at)? else { continue };
        let key = AllowanceKey {
            subscription_id: history.subscription.id,
            component_key: component.key.clone(),
            starts_at,
        };
        let meter = component.measure.clone().unwrap_or_default();
        let customer_id = history.subscription.customer_id;
        let terms = AllowanceTerms { key, customer_id, meter, ends_at, included: Units::of(included)? };
        found.push(Included { component: (*component).clone(), terms });
    }
    found.sort_by(|a, b| a.terms.key.cmp(&b.terms.key));
    Ok(found)
}

/// The stretch of time around an instant in which a component's terms do not change, and what it includes in it.
fn stretch(
    history: &History,
    component: &Component,
    at: DateTime<Utc>,
) -> Result<Option<(DateTime<Utc>, DateTime<Utc>, Decimal)>> {
    let period = history.period_at(at)?;
    let served = history.attached_at(at).find(|attached| attached.version.components.contains(component));
    let Some(attached) = served else { return Ok(None) };
    let mut from = period.starts_at.max(attached.from);
    let mut to = attached.until.map_or(period.ends_at, |until| until.min(period.ends_at));
    for pause in &history.pauses {
        if pause.from > at {
            to = to.min(pause.from);
        }
        if let Some(until) = pause.until.filter(|until| *until <= at) {
            from = from.max(until);
        }
    }
    let zone = &history.subscription.time_zone;
    let whole = DateRange { from: period.starts_on, to: period.ends_on };
    let part = DateRange { from: civil_date(from, zone)?, to: day_after(to, &period, zone)? };
    let share = whole.share(&part)?;
    let included = share.of(&Exact::from(component.included))?.to_decimal_places(6)?;
    Ok((from < to).then_some((from, to, included)))
}

/// Opens a call's allowances, tells them what was used of them already, and holds what the call needs first. Call rows are
/// locked before; wallets, where one is needed, too.
pub(crate) async fn hold_first(
    tx: &TenantTx,
    call_id: CallId,
    subscriber: &Subscriber,
    allowances: &[Included],
    lease_until: DateTime<Utc>,
    at: DateTime<Utc>,
) -> Result<()> {
    for included in allowances {
        open(tx, subscriber, included, at).await?;
        let amount = included.quantity(AHEAD_SECONDS)?;
        let held = ledger::held_of_allowance(tx, call_id, &included.component.key).await?;
        let missing = amount.less(held.amount);
        if missing.is_positive() {
            hold(tx, call_id, &included.terms.key, held.last_seq + 1, missing, lease_until, at).await?;
        }
    }
    Ok(())
}

async fn hold(
    tx: &TenantTx,
    call_id: CallId,
    key: &AllowanceKey,
    seq: u32,
    amount: Units,
    lease_until: DateTime<Utc>,
    at: DateTime<Utc>,
) -> Result<Units> {
    let wish = AllowanceWish { key: key.clone(), call_id, seq, amount, lease_until };
    Ok(ledger::reserve_allowance(tx, &wish, at).await?)
}

/// Holds more for a call that talks on, before what it holds runs out. Only minutes grow.
pub(crate) async fn hold_on(
    tx: &TenantTx,
    call_id: CallId,
    metered: u32,
    lease_until: DateTime<Utc>,
    at: DateTime<Utc>,
) -> Result<()> {
    for held in ledger::holds_of_call(tx, call_id).await? {
        if held.meter != "minutes" || held.amount >= units_of(metered.saturating_add(AGAIN_SECONDS))? {
            continue;
        }
        let missing = units_of(metered.saturating_add(AHEAD_SECONDS))?.less(held.amount);
        hold(tx, call_id, &held.key, held.last_seq + 1, missing, lease_until, at).await?;
    }
    Ok(())
}

fn units_of(seconds: u32) -> Result<Units> {
    Ok(Units::of(minutes(seconds))?)
}

/// Opens an allowance or brings it to its terms, and counts what the meter's sums know of it: usage that came by another way
/// than a call uses it up, too.
pub(crate) async fn open(tx: &TenantTx, subscriber: &Subscriber, included: &Included, at: DateTime<Utc>) -> Result<Allowance> {
    let mut allowance = ledger::agree_allowance(tx, &included.terms, at).await?;
    // Its row is locked: what a call that settles at this moment adds to the sums is seen either in both or in neither.
    let used = used_so_far(tx, subscriber, included).await?;
    ledger::count_allowance(tx, &mut allowance, used).await?;
    Ok(allowance)
}

/// What a document would find used of it today: sums of the meter over the hours of the stretch, without what a tariff charged.
async fn used_so_far(tx: &TenantTx, subscriber: &Subscriber, included: &Included) -> Result<Units> {
    let Included { component, terms } = included;
    let all = UsageQuery {
        customer_id: terms.customer_id,
        subscription_id: subscriber.is_ambiguous(component).then_some(terms.key.subscription_id),
        meter: terms.meter.clone(),
        filter: component.filter.clone(),
        from: usage_metering::local_hour(terms.key.starts_at, &subscriber.time_zone)?,
        to: terms.ends_at,
    };
    let mut by_tariff = all.clone();
    by_tariff.filter.insert("charged_by".to_owned(), "tariff".to_owned());
    let sums = usage_metering::quantities(tx, &[(all, Aggregate::Sum), (by_tariff, Aggregate::Sum)]).await?;
    Ok(Units::of(sums[0] - sums[1])?)
}
