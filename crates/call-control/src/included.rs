//! What a subscription includes for a call: which allowances it uses, what it holds of them while it runs, what it used of them
//! at its end. An allowance is of the stretch of time that a document bills as one: the service period, split where the terms
//! change. How much is included in a stretch is the same sum as on the document: included x days of the stretch / days of the
//! period.

use crate::beyond::Before;
use crate::covering::Covering;
use crate::entity::call::Model;
use crate::error::Result;
use crate::grant;
use crate::reading::Call;
use crate::settlement::minutes;
use chrono::{DateTime, Utc};
use db::{CallId, SubscriptionId, TenantTx};
use ledger::{Allowance, AllowanceKey, AllowanceTerms, AllowanceUse, AllowanceUsed, AllowanceWish, Leg, Units};
use money::Decimal;
use pricing::{Exact, Segment};
use std::collections::BTreeMap;
use subscription::{Component, ComponentKind, Customer, History, Stretch, SubscriptionError};
use usage_metering::{Aggregate, UsageOf, UsageQuery};

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

    /// When the period of a call ended, where that was before `now` and the plan leaves that to a person whose component covers it.
    pub(crate) fn late(
        &self,
        component_key: &str,
        at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>> {
        let history = self.history()?;
        let covers = |part: &Component| part.key == component_key;
        let attached = history.attached_at(at).filter(|attached| attached.version.components.iter().any(covers));
        Ok(attached.into_iter().find_map(|of| usage_metering::left_to_a_person(history, of, at, now)))
    }

    /// The components that charge a call with these dimensions: one for its minutes, one for itself, or both.
    pub(crate) fn charging(&self, dimensions: &BTreeMap<String, String>, at: DateTime<Utc>) -> Result<Vec<&Component>> {
        let is_of_calls = |component: &&Component| {
            component.kind == ComponentKind::Usage && matches!(component.measure.as_deref(), Some("minutes" | "calls"))
        };
        let components = self.history()?.components_at(at).filter(is_of_calls);
        Ok(components.filter(|component| component.matches(dimensions)).collect())
    }

    /// The allowances of components that a call uses which began at an instant, in the order in which they are locked.
    pub(crate) fn allowances(&self, components: &[Component], at: DateTime<Utc>) -> Result<Vec<Included>> {
        let mut found = Vec::new();
        for component in components.iter().filter(|component| component.included > Decimal::ZERO) {
            let Some((terms, _)) = self.terms(component, at)? else { continue };
            found.push(Included { component: component.clone(), terms });
        }
        found.sort_by(|a, b| a.terms.key.cmp(&b.terms.key));
        Ok(found)
    }

    /// What a component includes in the stretch of time around an instant, and the days of the period that this is.
    pub(crate) fn terms(&self, component: &Component, at: DateTime<Utc>) -> Result<Option<(AllowanceTerms, Segment)>> {
        let history = self.history()?;
        let (subscription_id, customer_id) = (history.subscription.id, history.subscription.customer_id);
        let Some((starts_at, ends_at, included, segment)) = stretch(history, component, at)? else { return Ok(None) };
        let key = AllowanceKey { subscription_id, component_key: component.key.clone(), starts_at };
        let meter = component.measure.clone().unwrap_or_default();
        let terms = AllowanceTerms { key, customer_id, meter, ends_at, included: Units::of(included)? };
        Ok(Some((terms, segment)))
    }

    /// Whose usage a document would count for an allowance.
    fn usage_of(&self, component: &Component, terms: &AllowanceTerms) -> UsageOf {
        let own = self.histories.iter().find(|history| history.subscription.id == terms.key.subscription_id);
        let within = (terms.key.starts_at, terms.ends_at);
        match own.is_some_and(|own| own.takes_unnamed(component, within, &self.histories)) {
            true => UsageOf::NamedOrNone(terms.key.subscription_id),
            false => UsageOf::Named(terms.key.subscription_id),
        }
    }
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

/// From when, until when, how much is included, and the days of the period that this is.
type Share = (DateTime<Utc>, DateTime<Utc>, Decimal, Segment);

/// The stretch of time around an instant in which a component's terms do not change, and what it includes in it: the same
/// stretch and the same share as on the document.
fn stretch(history: &History, component: &Component, at: DateTime<Utc>) -> Result<Option<Share>> {
    let holds = |stretch: &Stretch| {
        let components = &history.attached[stretch.attached].version.components;
        stretch.from <= at && at < stretch.to && components.iter().any(|other| other.key == component.key)
    };
    let Some(found) = history.stretches(&history.period_at(at)?)?.into_iter().find(holds) else { return Ok(None) };
    let share = found.share_of_usage();
    let included = share.of(&Exact::from(component.included))?.to_decimal_places(6)?;
    Ok(Some((found.from, found.to, included, Segment { days: share.days, of_days: share.of_days })))
}

/// What a component's meter counted in a stretch of time, and what of it is included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    pub used: Decimal,
    included: Decimal,
    segment: Segment,
}

impl Standing {
    /// Reads what the meter knows in the stretch of these terms.
    pub(crate) async fn read(
        tx: &TenantTx,
        subscriber: &Subscriber,
        component: &Component,
        (terms, segment): (AllowanceTerms, Segment),
    ) -> Result<Standing> {
        let included = terms.included.as_decimal();
        let used = used_so_far(tx, subscriber, &Included { component: component.clone(), terms }).await?.as_decimal();
        Ok(Standing { used, included, segment })
    }

    /// Where the next call stands in the component's tiers.
    pub(crate) fn before(&self) -> Before {
        Before { units: (self.used - self.included).max(Decimal::ZERO), segment: self.segment }
    }
}

/// Where the next call stands in a component's tiers: what its meter counted in the stretch, less what was included.
pub(crate) async fn before(
    tx: &TenantTx,
    subscriber: &Subscriber,
    component: &Component,
    at: DateTime<Utc>,
) -> Result<Before> {
    match subscriber.terms(component, at)? {
        Some(terms) => Ok(Standing::read(tx, subscriber, component, terms).await?.before()),
        None => Ok(Before { units: Decimal::ZERO, segment: Segment::WHOLE }),
    }
}

/// Opens the allowances of a covered call, tells them what was used of them already, and holds what the call needs first. Its
/// row is locked before.
pub(crate) async fn hold_first(
    tx: &TenantTx,
    call: &Model,
    subscriber: &Subscriber,
    covering: &Covering,
    at: DateTime<Utc>,
) -> Result<()> {
    let call_id = CallId::from_uuid(call.id);
    for included in &covering.allowances {
        open(tx, subscriber, included, at).await?;
        let held = ledger::held_of_allowance(tx, call_id, &included.component.key).await?;
        let missing = included.quantity(AHEAD_SECONDS)?.less(held.amount);
        if missing.is_positive() {
            hold(tx, call_id, &included.terms.key, held.last_seq + 1, missing, at).await?;
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
    at: DateTime<Utc>,
) -> Result<Units> {
    let lease_until = grant::lease(None, 0, at);
    let wish = AllowanceWish { key: key.clone(), call_id, seq, amount, lease_until };
    Ok(ledger::reserve_allowance(tx, &wish, at).await?)
}

/// Holds included minutes for the chunk that a call is granted next: what they cover is not paid by a wallet.
pub(crate) async fn hold_ahead(tx: &TenantTx, call_id: CallId, metered: u32, at: DateTime<Utc>) -> Result<()> {
    for held in ledger::holds_of_call(tx, call_id).await?.into_iter().filter(|held| held.meter == "minutes") {
        let missing = units_of(metered.saturating_add(AHEAD_SECONDS))?.less(held.amount);
        if missing.is_positive() {
            hold(tx, call_id, &held.key, held.last_seq + 1, missing, at).await?;
        }
    }
    Ok(())
}

/// Holds more for a call that talks on, before what it holds runs out. Only minutes grow.
pub(crate) async fn hold_on(tx: &TenantTx, call_id: CallId, metered: u32, at: DateTime<Utc>) -> Result<()> {
    for held in ledger::holds_of_call(tx, call_id).await? {
        if held.meter != "minutes" || held.amount >= units_of(metered.saturating_add(AGAIN_SECONDS))? {
            continue;
        }
        let missing = units_of(metered.saturating_add(AHEAD_SECONDS))?.less(held.amount);
        hold(tx, call_id, &held.key, held.last_seq + 1, missing, at).await?;
    }
    Ok(())
}

fn units_of(seconds: u32) -> Result<Units> {
    Ok(Units::of(minutes(seconds))?)
}

/// Opens an allowance or brings it to its terms, and counts what the meter's sums know of it: usage that came by another way
/// than a call uses it up, too.
pub(crate) async fn open(
    tx: &TenantTx,
    subscriber: &Subscriber,
    included: &Included,
    at: DateTime<Utc>,
) -> Result<Allowance> {
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
        of: subscriber.usage_of(component, terms),
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

/// Settles what a call used of its allowances, in the order in which they are locked.
pub(crate) async fn settle(
    tx: &TenantTx,
    subscriber: &Subscriber,
    call_id: CallId,
    allowances: &[Included],
    seconds: u32,
    now: DateTime<Utc>,
) -> Result<Vec<AllowanceUsed>> {
    let mut uses = Vec::with_capacity(allowances.len());
    for included in allowances {
        open(tx, subscriber, included, now).await?;
        uses.push(AllowanceUse { key: included.terms.key.clone(), call_id, quantity: included.quantity(seconds)? });
    }
    let used = ledger::use_allowances(tx, &uses, now).await?;
    // A caller who chose another topic first may hold of what he did not use.
    ledger::release(tx, call_id, Leg::Caller, now).await?;
    Ok(used)
}

/// What is left of an allowance while a call uses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncludedLeft {
    /// `minutes`, `calls`.
    pub unit: String,
    pub included: Decimal,
    pub left: Decimal,
}

/// What is left of the allowances of a running call's subscription, its own use so far taken off.
pub(crate) async fn left_for(tx: &TenantTx, call: &Call, metered: u32) -> Result<Vec<IncludedLeft>> {
    let (Some(subscription_id), Some(customer_id)) = (call.subscription_id, call.customer_id) else {
        return Ok(Vec::new());
    };
    let held = ledger::holds_of_call(tx, call.id).await?;
    let mut left = Vec::new();
    for allowance in ledger::allowances_of(tx, customer_id, call.started_at).await? {
        if allowance.key.subscription_id != subscription_id {
            continue;
        }
        let held = held.iter().find(|held| held.key == allowance.key).map_or(Units::ZERO, |held| held.amount);
        // A call counts as one from the moment that it holds one; minutes pass.
        let used = if allowance.meter == "minutes" { units_of(metered)? } else { held };
        let still = allowance.available().plus(held).less(used).or_zero();
        let (included, left_over) = (allowance.included.as_decimal(), still.as_decimal());
        left.push(IncludedLeft { unit: allowance.meter, included, left: left_over });
    }
    Ok(left)
}
