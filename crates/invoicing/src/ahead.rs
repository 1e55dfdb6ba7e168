//! What is billed in advance: fees and assigned seats for all months of a term at once, and what is charged once.

use crate::bill::{Bill, Billing};
use crate::content::Service;
use crate::due::{Advance, TERM_DISCOUNT_ADVANCE, service_of};
use crate::error::Result;
use crate::rate::{Factor, Rateable, days_counted, rate};
use crate::target::{Target, fixed_quantity};
use crate::words;
use money::Money;
use pricing::{Exact, Periods, Proration, Segment};
use std::collections::BTreeMap;
use subscription::ServicePeriod;

impl Billing<'_> {
    /// What is billed ahead, and the term discount on it.
    pub(crate) fn advances(&self, advances: &[Advance], billed: &mut Bill) -> Result<()> {
        let mut recurring: BTreeMap<(usize, u32), (Service, Vec<Money>)> = BTreeMap::new();
        for advance in advances {
            let contract = &self.contracts[advance.contract];
            let component = &contract.components()[advance.component];
            let (target, service) = self.ahead(advance)?;
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

    fn ahead(&self, advance: &Advance) -> Result<(Target, Service)> {
        let contract = &self.contracts[advance.contract];
        let component = &contract.components()[advance.component];
        let service = self.service_ahead(advance)?;
        // Wholly in the trial: nothing to bill, but billed.
        let factor = if component.is_recurring() { self.months_paid(advance)? } else { Factor::whole() };
        let quantities = vec![(BTreeMap::new(), fixed_quantity(component, contract.seats))];
        let segment = Segment::WHOLE;
        let rateable = Rateable {
            price: &component.price,
            included: component.included,
            quantities: &quantities,
            segment,
            factor: &factor,
        };
        let mut target = self.target(advance.contract, advance.component, service, rate(&rateable, self.currency())?);
        if !factor.said.is_empty() && component.is_recurring() {
            target.detail = self.months_said(advance)?;
        }
        Ok((target, service))
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

    /// Whole months of those billed ahead, and the shares of those of which a trial, a late start or an end leaves a part.
    fn months_counted(&self, advance: &Advance) -> Result<(i64, Vec<Proration>)> {
        let contract = &self.contracts[advance.contract];
        let (from, until) = (contract.paid_from(), contract.attached.until);
        let (mut whole, mut parts) = (0, Vec::new());
        for period in self.periods_of(advance)? {
            match days_counted(period.starts_on, period.ends_on, from, until, &contract.subscription.time_zone)? {
                Some(share) if share.days == share.of_days => whole += 1,
                Some(share) => parts.push(share),
                None => {}
            }
        }
        Ok((whole, parts))
    }

    /// The factor of a month's amount, as an explanation says it.
    fn months_paid(&self, advance: &Advance) -> Result<Factor> {
        let (whole, parts) = self.months_counted(advance)?;
        let mut exact = Exact::integer(whole);
        for share in &parts {
            exact = exact.plus(&share.of(&Exact::integer(1))?);
        }
        let mut said: Vec<String> =
            parts.iter().map(|share| format!("{}/{} days", share.days, share.of_days)).collect();
        match (whole, parts.is_empty()) {
            (0, true) => said.push("trial".to_owned()),
            (0, false) | (1, true) => {}
            _ => said.insert(0, format!("{whole} months")),
        }
        Ok(Factor { exact, said: said.join(" + ") })
    }

    /// The same for people.
    fn months_said(&self, advance: &Advance) -> Result<String> {
        let language = &self.seller.language;
        let (whole, parts) = self.months_counted(advance)?;
        let months = words::unit(language, "months").unwrap_or("months");
        let whole = (whole > 0 && advance.months > 1).then(|| format!("{whole} {months}"));
        let parts = parts.iter().map(|share| words::days(language, share.days, share.of_days));
        Ok(whole.into_iter().chain(parts).collect::<Vec<_>>().join(" + "))
    }
}
