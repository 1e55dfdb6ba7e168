//! The lines of a customer's document: components, then percentages, then the commitment's true-up, then discounts; in
//! months that were billed before, only what has changed since.

use crate::content::{Claim, Line, LineGroup, LineSource, PERCENT_UNIT, Service};
use crate::due::{
    Advance, BilledBefore, COMMITMENT, Contract, Due, Month, TERM_DISCOUNT, TERM_DISCOUNT_ADVANCE, is_metered, service_of,
};
use crate::error::{InvoicingError, Result};
use crate::rate::{Factor, Quantities, Rateable, Rated, days_counted, rate};
use crate::{calls, tax, words};
use chrono::{DateTime, Utc};
use db::LineId;
use money::{Currency, Decimal, Money};
use pricing::{Commitment, Exact, Explanation, Periods, RoundTo, Segment, Step, discount};
use std::collections::BTreeMap;
use subscription::{Billed, Component, ComponentKind, Customer, ServicePeriod};

/// What all documents of a book have in common.
pub(crate) struct Seller {
    pub language: String,
    pub tax_percent: Decimal,
    /// Names of topics, those that were removed too.
    pub topics: BTreeMap<String, String>,
}

/// One customer's document in the making.
pub(crate) struct Billing<'a> {
    pub seller: &'a Seller,
    pub customer: &'a Customer,
    pub contracts: &'a [Contract],
    pub billed: &'a BilledBefore,
    /// Answers to [`Due::reads`], in their order.
    pub quantities: &'a [Quantities],
}

/// Lines before tax, and what they claim.
pub(crate) struct Bill {
    pub lines: Vec<Line>,
    pub claims: Vec<Claim>,
}

/// What a key comes to in a period, priced whole.
struct Target {
    key: String,
    component: Option<usize>,
    group: LineGroup,
    text: String,
    detail: String,
    service: Service,
    quantity: Decimal,
    unit: String,
    unit_price: Option<Decimal>,
    amount: Money,
    explanation: Explanation,
    source: LineSource,
    /// May change when usage arrives late.
    changes: bool,
}

impl Billing<'_> {
    /// All lines that are due.
    pub(crate) fn lines(&self, due: &Due) -> Result<Bill> {
        for contract in self.contracts {
            let (expected, found) = (self.customer.currency, contract.attached.version.currency);
            if expected != found {
                return Err(InvoicingError::CurrencyMustMatchCustomer { expected, found });
            }
        }
        let mut billed = Bill { lines: Vec::new(), claims: Vec::new() };
        for month in &due.months {
            for target in self.month(month)? {
                self.take(month.contract, target, &mut billed)?;
            }
        }
        self.advances(&due.advances, &mut billed)?;
        calls::lines(self, &due.calls, &mut billed)?;
        billed.lines.sort_by_key(|line| (line.group, line.service.starts_at));
        Ok(billed)
    }

    pub(crate) fn currency(&self) -> Currency {
        self.customer.currency
    }

    /// A whole month in the order of the rules.
    fn month(&self, month: &Month) -> Result<Vec<Target>> {
        let contract = &self.contracts[month.contract];
        let mut targets = Vec::new();
        let mut ahead = Vec::new();
        for (index, component) in contract.components().iter().enumerate() {
            match (component.kind, component.billed) {
                (ComponentKind::Percent, _) => {}
                (_, Billed::InArrears) if contract.bills_in(component, &month.period).is_none() => {}
                (_, Billed::InArrears) => targets.extend(self.component(month, index)?),
                // Billed already, but a percentage may be taken of the month's part.
                (ComponentKind::OneOff, Billed::InAdvance) => {}
                (_, Billed::InAdvance) => ahead.extend(self.component(month, index)?),
            }
        }
        let percents = self.percents(month, &targets, &ahead)?;
        let recurring: Vec<Money> = targets.iter().filter(|target| self.is_recurring(month.contract, target)).map(|target| target.amount).collect();
        let true_up = self.true_up(month, &targets)?;
        targets.extend(percents);
        targets.extend(true_up);
        let service = self.served(month);
        targets.extend(self.term_discount(month.contract, TERM_DISCOUNT, service, &recurring)?);
        Ok(targets)
    }

    fn is_recurring(&self, contract: usize, target: &Target) -> bool {
        target.component.is_some_and(|index| self.contracts[contract].components()[index].is_recurring())
    }

    fn component(&self, month: &Month, index: usize) -> Result<Option<Target>> {
        let contract = &self.contracts[month.contract];
        let component = &contract.components()[index];
        let zone = &contract.subscription.time_zone;
        let days = |from| days_counted(month.period.starts_on, month.period.ends_on, from, contract.attached.until, zone);
        let Some(served) = days(contract.attached.from)? else { return Ok(None) };
        let (mut factor, mut segment, mut detail) = (Factor::whole(), Segment::WHOLE, String::new());
        let is_daily = component.kind == ComponentKind::Seat && component.measure.as_deref() == Some("daily");
        if component.is_recurring() && !is_daily {
            let Some(paid) = days(contract.paid_from())? else { return Ok(None) };
            if paid.days < paid.of_days {
                factor = Factor { exact: paid.of(&Exact::integer(1))?, said: format!("{}/{} days", paid.days, paid.of_days) };
                detail = words::days(&self.seller.language, paid.days, paid.of_days);
            }
        } else if !component.is_recurring() && served.days < served.of_days && component.kind != ComponentKind::OneOff {
            segment = Segment { days: served.days, of_days: served.of_days };
        }
        let quantities = match month.reads[index] {
            Some(read) => self.quantities[read].clone(),
            None => vec![(BTreeMap::new(), fixed_quantity(component, contract.subscription.seats))],
        };
        let rateable = Rateable { price: &component.price, included: component.included, quantities: &quantities, segment, factor: &factor };
        let rated = rate(&rateable, self.currency())?;
        let mut target = self.target(month.contract, index, self.served(month), rated);
        if !detail.is_empty() {
            target.detail = detail;
        }
        Ok(Some(target))
    }

    /// The month's bounds, cut to what the plan version was in service for.
    fn served(&self, month: &Month) -> Service {
        let mut service = service_of(&month.period);
        (service.starts_at, service.ends_at) = (month.from, month.to);
        service
    }

    fn target(&self, contract_index: usize, index: usize, service: Service, rated: Rated) -> Target {
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

    /// Shares of other components' amounts, before any discount.
    fn percents(&self, month: &Month, targets: &[Target], ahead: &[Target]) -> Result<Vec<Target>> {
        let contract = &self.contracts[month.contract];
        let mut percents = Vec::new();
        for (index, component) in contract.components().iter().enumerate() {
            if component.kind != ComponentKind::Percent {
                continue;
            }
            let is_base = |target: &&Target| component.measure.as_ref().is_none_or(|key| *key == target.key);
            let base = Money::sum(self.currency(), targets.iter().chain(ahead).filter(is_base).map(|target| target.amount))?;
            let quantities = vec![(BTreeMap::new(), base.as_decimal())];
            let (segment, factor) = (Segment::WHOLE, Factor::whole());
            let rateable = Rateable { price: &component.price, included: Decimal::ZERO, quantities: &quantities, segment, factor: &factor };
            let mut target = self.target(month.contract, index, self.served(month), rate(&rateable, self.currency())?);
            target.unit = PERCENT_UNIT.to_owned();
            target.unit_price = match &component.price.model {
                pricing::Model::Percent(price) if price.fixed_per_event.is_zero() => Some(price.rate),
                _ => None,
            };
            target.changes = true;
            percents.push(target);
        }
        Ok(percents)
    }

    /// What measured components fall short of the plan's commitment, of which trial days and days out of service count nothing.
    fn true_up(&self, month: &Month, targets: &[Target]) -> Result<Option<Target>> {
        let contract = &self.contracts[month.contract];
        let minimum = contract.attached.version.commitment;
        if !minimum.is_positive() {
            return Ok(None);
        }
        let zone = &contract.subscription.time_zone;
        let paid = days_counted(month.period.starts_on, month.period.ends_on, contract.paid_from(), contract.attached.until, zone)?;
        let Some(share) = paid else { return Ok(None) };
        let measured = |target: &&Target| {
            let kind = target.component.map(|index| contract.components()[index].kind);
            matches!(kind, Some(ComponentKind::Usage | ComponentKind::Hours))
        };
        let usage = Money::sum(self.currency(), targets.iter().filter(measured).map(|target| target.amount))?;
        let commitment = Commitment { share: Some(share), ..Commitment::of(minimum) };
        let missing = commitment.apply(usage, RoundTo::Minor)?.true_up;
        let steps = vec![
            Step::new("Agreed minimum", minimum.as_decimal()).because(format!("{}/{} days", share.days, share.of_days)),
            Step::new("Usage", usage.as_decimal()),
            Step::new("Total", missing.as_decimal()),
        ];
        let text = words::commitment(&self.seller.language, minimum);
        let key = format!("{COMMITMENT}{}", contract.scope());
        Ok(Some(derived(key, LineGroup::Commitment, text, self.served(month), missing, steps)))
    }

    /// The term's percentage off recurring amounts, as a line below zero.
    fn term_discount(&self, contract: usize, key: &str, service: Service, recurring: &[Money]) -> Result<Option<Target>> {
        let contract = &self.contracts[contract];
        let version = &contract.attached.version;
        let percent = version.term_discount_percent;
        if percent.as_decimal().is_zero() || recurring.is_empty() {
            return Ok(None);
        }
        let zero = Money::zero(self.currency());
        let base = Money::sum(self.currency(), recurring.iter().copied())?;
        let off = discount(recurring, &[percent], &[], zero)?.discount.checked_neg()?;
        let steps = vec![
            Step::new("Recurring", base.as_decimal()),
            Step::new("Term discount", off.as_decimal()).calculated(format!("{} × −{percent}", base.format_plain())),
            Step::new("Total", off.as_decimal()),
        ];
        let text = words::term_discount(&self.seller.language, percent.as_decimal(), version.term_months);
        let mut target = derived(format!("{key}{}", contract.scope()), LineGroup::Discounts, text, service, off, steps);
        target.quantity = base.as_decimal();
        target.unit = PERCENT_UNIT.to_owned();
        target.unit_price = Some(-percent.as_decimal());
        Ok(Some(target))
    }

    /// What is billed ahead, and the term discount on it.
    fn advances(&self, advances: &[Advance], billed: &mut Bill) -> Result<()> {
        let mut recurring: BTreeMap<(usize, u32), (Service, Vec<Money>)> = BTreeMap::new();
        for advance in advances {
            let contract = &self.contracts[advance.contract];
            let component = &contract.components()[advance.component];
            let Some((target, service)) = self.ahead(advance)? else { continue };
            if component.is_recurring() {
                let sum = recurring.entry((advance.contract, advance.period.position)).or_insert((service, Vec::new()));
                sum.1.push(target.amount);
            }
            self.take(advance.contract, target, billed)?;
        }
        for ((contract, _), (service, amounts)) in recurring {
            if let Some(target) = self.term_discount(contract, TERM_DISCOUNT_ADVANCE, service, &amounts)? {
                self.take(contract, target, billed)?;
            }
        }
        Ok(())
    }

    fn ahead(&self, advance: &Advance) -> Result<Option<(Target, Service)>> {
        let contract = &self.contracts[advance.contract];
        let component = &contract.components()[advance.component];
        let service = self.service_ahead(advance)?;
        let factor = if component.is_recurring() { self.months_paid(advance)? } else { Some(Factor::whole()) };
        // Wholly in the trial: nothing to bill, but billed.
        let factor = factor.unwrap_or(Factor { exact: Exact::zero(), said: "trial".to_owned() });
        let quantities = vec![(BTreeMap::new(), fixed_quantity(component, contract.subscription.seats))];
        let segment = Segment::WHOLE;
        let rateable = Rateable { price: &component.price, included: component.included, quantities: &quantities, segment, factor: &factor };
        let mut target = self.target(advance.contract, advance.component, service, rate(&rateable, self.currency())?);
        if !factor.said.is_empty() && component.is_recurring() {
            target.detail = self.months_said(advance)?;
        }
        Ok(Some((target, service)))
    }

    fn periods_of(&self, advance: &Advance) -> Result<Vec<ServicePeriod>> {
        let subscription = &self.contracts[advance.contract].subscription;
        let periods = Periods::new(subscription.anchor_on, 1, &subscription.time_zone)?;
        let following = (1..advance.months).map(|ahead| {
            let index = i64::from(advance.period.position) + i64::from(ahead);
            Ok(ServicePeriod {
                position: advance.period.position + ahead,
                starts_at: periods.bound_at(index)?,
                ends_at: periods.bound_at(index + 1)?,
                starts_on: periods.bound_on(index)?,
                ends_on: periods.bound_on(index + 1)?,
            })
        });
        std::iter::once(Ok(advance.period)).chain(following).collect()
    }

    fn service_ahead(&self, advance: &Advance) -> Result<Service> {
        let last = self.periods_of(advance)?.pop().unwrap_or(advance.period);
        let first = service_of(&advance.period);
        Ok(Service { ends_at: last.ends_at, ends_on: last.ends_on, ..first })
    }

    /// Months billed ahead less the days of a trial and those before the start; `None` when nothing is left.
    fn months_paid(&self, advance: &Advance) -> Result<Option<Factor>> {
        let contract = &self.contracts[advance.contract];
        let (from, until) = (contract.paid_from(), contract.attached.until);
        let mut exact = Exact::zero();
        let mut parts = Vec::new();
        let mut whole = 0;
        for period in self.periods_of(advance)? {
            match days_counted(period.starts_on, period.ends_on, from, until, &contract.subscription.time_zone)? {
                Some(share) if share.days == share.of_days => whole += 1,
                Some(share) => {
                    exact = exact.plus(&share.of(&Exact::integer(1))?);
                    parts.push(format!("{}/{} days", share.days, share.of_days));
                }
                None => {}
            }
        }
        if whole == 0 && parts.is_empty() {
            return Ok(None);
        }
        let exact = exact.plus(&Exact::integer(whole));
        if whole > 1 || (whole == 1 && !parts.is_empty()) {
            parts.insert(0, format!("{whole} months"));
        }
        Ok(Some(Factor { exact, said: parts.join(" + ") }))
    }

    fn months_said(&self, advance: &Advance) -> Result<String> {
        let contract = &self.contracts[advance.contract];
        let language = &self.seller.language;
        let (from, until) = (contract.paid_from(), contract.attached.until);
        let mut parts = Vec::new();
        let mut whole = 0;
        for period in self.periods_of(advance)? {
            match days_counted(period.starts_on, period.ends_on, from, until, &contract.subscription.time_zone)? {
                Some(share) if share.days < share.of_days => parts.push(words::days(language, share.days, share.of_days)),
                Some(_) => whole += 1,
                None => {}
            }
        }
        if whole > 0 && advance.months > 1 {
            parts.insert(0, format!("{whole} {}", words::unit(language, "months").unwrap_or("months")));
        }
        Ok(parts.join(" + "))
    }

    /// Bills what is new, and the difference where it was billed before.
    fn take(&self, contract: usize, target: Target, billed: &mut Bill) -> Result<()> {
        let contract = &self.contracts[contract];
        let id = contract.subscription.id.uuid();
        let starts_at = claimed_from(contract, &target);
        let mut claim = Claim {
            billed_id: id,
            component_key: target.key.clone(),
            service_starts_at: starts_at,
            service_ends_at: target.service.ends_at,
            kind: "charge".to_owned(),
            quantity: target.quantity,
            amount: target.amount,
        };
        if self.billed.is_new(id, &target.key, starts_at) {
            if !target.amount.is_zero() || !target.quantity.is_zero() && !matches!(target.source, LineSource::None) {
                billed.lines.push(self.line(contract, target));
            }
            billed.claims.push(claim);
            return Ok(());
        }
        let Some(before) = self.billed.of(id, &target.key, starts_at).filter(|_| target.changes) else { return Ok(()) };
        let difference = target.amount.checked_sub(before.amount)?;
        if difference.is_zero() {
            return Ok(());
        }
        claim.kind = format!("late-{}", before.times);
        claim.quantity = target.quantity - before.quantity;
        claim.amount = difference;
        billed.lines.push(self.line(contract, late(target, before.amount, claim.quantity, difference, &self.seller.language)));
        billed.claims.push(claim);
        Ok(())
    }

    fn line(&self, contract: &Contract, target: Target) -> Line {
        let (category, percent) = tax::category(self.customer.tax_treatment, self.seller.tax_percent);
        Line {
            id: LineId::new(),
            group: target.group,
            subscription_id: Some(contract.subscription.id),
            component_key: Some(target.key),
            topic_id: None,
            text: target.text,
            detail: target.detail,
            service: target.service,
            quantity: target.quantity,
            unit: target.unit,
            unit_price: target.unit_price,
            amount: target.amount,
            gross: None,
            tax_category: category.to_owned(),
            tax_percent: percent,
            explanation: target.explanation,
            source: target.source,
        }
    }
}

/// A claim is on the whole stored period, also where only a part of it was served.
fn claimed_from(contract: &Contract, target: &Target) -> DateTime<Utc> {
    let holds = |period: &&ServicePeriod| period.contains(target.service.starts_at);
    contract.periods.iter().find(holds).map_or(target.service.starts_at, |period| period.starts_at)
}

/// The same line as a difference: priced whole now, less what was billed.
fn late(target: Target, before: Money, quantity: Decimal, difference: Money, language: &str) -> Target {
    let mut steps = target.explanation.steps;
    steps.push(Step::new("Billed before", -before.as_decimal()));
    steps.push(Step::new("Difference", difference.as_decimal()));
    Target {
        group: LineGroup::Late,
        detail: words::late(language).to_owned(),
        quantity,
        unit_price: None,
        amount: difference,
        explanation: Explanation { steps },
        ..target
    }
}

fn derived(key: String, group: LineGroup, text: String, service: Service, amount: Money, steps: Vec<Step>) -> Target {
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
        explanation: Explanation { steps },
        source: LineSource::None,
        changes: true,
    }
}

fn fixed_quantity(component: &Component, seats: u32) -> Decimal {
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
        ComponentKind::Usage | ComponentKind::Hours | ComponentKind::Channels => {
            LineSource::Usage { subscription_id, component_key, meter: measure, filter: component.filter.clone(), from, to }
        }
        ComponentKind::Seat => LineSource::Seats { subscription_id, component_key, measure, from, to },
        _ => LineSource::None,
    }
}
