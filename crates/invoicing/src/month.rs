//! A whole month of one plan version, in the order of the rules: components, then percentages of them, then what is missing to
//! the commitment, then the term discount.

use crate::bill::Billing;
use crate::content::{LineGroup, PERCENT_UNIT, Service};
use crate::due::{COMMITMENT, Month, TERM_DISCOUNT, service_of};
use crate::error::Result;
use crate::rate::{Factor, Rateable, days_counted, rate};
use crate::target::{Target, derived, fixed_quantity};
use crate::words;
use money::{Decimal, Money};
use pricing::{Commitment, Discount, Exact, RoundTo, Rule, Segment, Step, discount};
use std::collections::BTreeMap;
use subscription::{Billed, ComponentKind};

impl Billing<'_> {
    /// A whole month in the order of the rules.
    pub(crate) fn month(&self, month: &Month) -> Result<Vec<Target>> {
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
        let recurring: Vec<Money> = targets
            .iter()
            .filter(|target| self.is_recurring(month.contract, target))
            .map(|target| target.amount)
            .collect();
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
        let days =
            |from| days_counted(month.period.starts_on, month.period.ends_on, from, contract.attached.until, zone);
        let Some(served) = days(contract.attached.from)? else { return Ok(None) };
        let (mut factor, mut segment, mut detail) = (Factor::whole(), Segment::WHOLE, String::new());
        let is_daily = component.kind == ComponentKind::Seat && component.measure.as_deref() == Some("daily");
        if component.is_recurring() && !is_daily {
            let Some(paid) = days(contract.paid_from())? else { return Ok(None) };
            if paid.days < paid.of_days {
                factor = Factor {
                    exact: paid.of(&Exact::integer(1))?,
                    said: format!("{}/{} days", paid.days, paid.of_days),
                };
                detail = words::days(&self.seller.language, paid.days, paid.of_days);
            }
        } else if !component.is_recurring() && served.days < served.of_days && component.kind != ComponentKind::OneOff {
            segment = Segment { days: served.days, of_days: served.of_days };
        }
        let quantities = match month.reads[index] {
            Some(read) => self.quantities[read].clone(),
            None => vec![(BTreeMap::new(), fixed_quantity(component, contract.seats))],
        };
        let rateable = Rateable {
            price: &component.price,
            included: component.included,
            quantities: &quantities,
            segment,
            factor: &factor,
        };
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

    /// Shares of other components' amounts, before any discount.
    fn percents(&self, month: &Month, targets: &[Target], ahead: &[Target]) -> Result<Vec<Target>> {
        let contract = &self.contracts[month.contract];
        let mut percents = Vec::new();
        for (index, component) in contract.components().iter().enumerate() {
            if component.kind != ComponentKind::Percent {
                continue;
            }
            let is_base = |target: &&Target| component.measure.as_ref().is_none_or(|key| *key == target.key);
            let base =
                Money::sum(self.currency(), targets.iter().chain(ahead).filter(is_base).map(|target| target.amount))?;
            let quantities = vec![(BTreeMap::new(), base.as_decimal())];
            let (segment, factor) = (Segment::WHOLE, Factor::whole());
            let rateable = Rateable {
                price: &component.price,
                included: Decimal::ZERO,
                quantities: &quantities,
                segment,
                factor: &factor,
            };
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
        let paid = days_counted(
            month.period.starts_on,
            month.period.ends_on,
            contract.paid_from(),
            contract.attached.until,
            zone,
        )?;
        let Some(share) = paid else { return Ok(None) };
        let measured = |target: &&Target| {
            let kind = target.component.map(|index| contract.components()[index].kind);
            matches!(kind, Some(ComponentKind::Usage | ComponentKind::Hours))
        };
        let usage = Money::sum(self.currency(), targets.iter().filter(measured).map(|target| target.amount))?;
        let commitment = Commitment { share: Some(share), ..Commitment::of(minimum) };
        let missing = commitment.apply(usage, RoundTo::Minor)?.true_up;
        let steps = vec![
            Step::new(Rule::Commitment { days: share.days, of_days: share.of_days }, minimum.as_decimal()),
            Step::new(Rule::Usage, usage.as_decimal()),
            Step::new(Rule::TOTAL, missing.as_decimal()),
        ];
        let text = words::commitment(&self.seller.language, minimum);
        let key = format!("{COMMITMENT}{}", contract.scope());
        Ok(Some(derived(key, LineGroup::Commitment, text, self.served(month), missing, steps)))
    }

    /// The term's percentage off recurring amounts, as a line below zero.
    pub(crate) fn term_discount(
        &self,
        contract: usize,
        key: &str,
        service: Service,
        recurring: &[Money],
    ) -> Result<Option<Target>> {
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
            Step::new(Rule::Recurring, base.as_decimal()),
            Step::new(Rule::PercentOff { kind: Discount::Term, percent, of: base.as_decimal() }, off.as_decimal()),
            Step::new(Rule::TOTAL, off.as_decimal()),
        ];
        let text = words::term_discount(&self.seller.language, percent.as_decimal(), version.term_months);
        let mut target = derived(format!("{key}{}", contract.scope()), LineGroup::Discounts, text, service, off, steps);
        target.quantity = base.as_decimal();
        target.unit = PERCENT_UNIT.to_owned();
        target.unit_price = Some(-percent.as_decimal());
        Ok(Some(target))
    }
}
