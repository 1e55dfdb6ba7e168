//! A whole service period in the order of the rules: components (with the quantities that were promised), then percentages of
//! them, then what is missing to the commitment, then the cap, then discounts. Stretch by stretch, since each has its own terms; discounts over all of them.

use crate::bill::Billing;
use crate::content::PERCENT_UNIT;
use crate::due::Month;
use crate::error::Result;
use crate::parts::{Billable, Part, Quantity, lasts};
use crate::rate::{Factor, Quantities, Rateable, rate};
use crate::target::Target;
use crate::words;
use money::{Decimal, Money};
use pricing::{Exact, Segment};
use std::collections::BTreeMap;
use subscription::{Billed, Component, ComponentKind};

/// A target in the making, and what the rules after it must know about it.
pub(crate) struct Priced {
    pub target: Target,
    /// Of the period's stretches.
    pub stretch: usize,
    /// Billed on another document, ahead; counts for percentages and the cap.
    pub is_ahead: bool,
    pub is_free_trial: bool,
    /// A fee cap or the like leaves this much of it; `None`: all.
    pub kept: Option<Money>,
}

impl Priced {
    pub(crate) fn kept(&self) -> Money {
        self.kept.unwrap_or(self.target.amount)
    }
}

impl Billing<'_> {
    /// What a period comes to: components and all that follows from them, without what is billed ahead.
    pub(crate) fn month(&self, month: &Month) -> Result<Vec<Target>> {
        let mut priced: Vec<Priced> = Vec::new();
        for (index, billable) in month.stretches.iter().enumerate() {
            let mut own = Vec::with_capacity(billable.parts.len());
            for part in &billable.parts {
                own.push(self.part(month.of, index, billable, part)?);
            }
            self.free_in_trial(month, billable, &mut own)?;
            let percents = self.percents(month, index, billable, &own)?;
            own.extend(percents);
            own.extend(self.commitment(month, index, billable, &own)?);
            let cap = self.fee_cap(month, index, billable, &mut own)?;
            own.extend(cap);
            priced.extend(own);
        }
        let discounts = self.discounts(month, &priced)?;
        let billed_now = priced.into_iter().filter(|priced| !priced.is_ahead).map(|priced| priced.target);
        Ok(billed_now.chain(discounts).collect())
    }

    fn part(&self, of: usize, stretch: usize, billable: &Billable, part: &Part) -> Result<Priced> {
        let own = &self.subscribed[of];
        let attached = own.attached(billable.stretch.attached);
        let component = own.component(billable.stretch.attached, part.component);
        let mut quantities = self.quantities_of(part);
        let (mut segment, mut factor) = (Segment::WHOLE, Factor::whole());
        let used = total(&quantities);
        let mut minimum = component.minimum_quantity;
        if lasts(component) {
            factor = Factor::days(part.piece.share())?;
        } else if component.kind != ComponentKind::OneOff {
            let share = part.piece.share_of_usage();
            segment = Segment { days: share.days, of_days: share.of_days };
            // A promise has its days' share, and days of a trial promise nothing.
            let paid =
                if part.is_free_trial { Exact::zero() } else { self.paid(of, billable)?.of(&Exact::from(minimum))? };
            minimum = paid.to_decimal_places(6)?;
        }
        quantities = topped_up(&quantities, minimum, &component.price).unwrap_or(quantities);
        if attached.is_free {
            factor = Factor::nothing("free of charge");
        }
        let rateable = Rateable {
            price: &component.price,
            included: component.included,
            quantities: &quantities,
            segment,
            factor: &factor,
        };
        let rated = rate(&rateable, self.currency())?;
        let mut target = self.target(of, billable.stretch.attached, part, rated);
        if used < total(&quantities) {
            let least = words::at_least(&self.seller.language, used, minimum);
            target.quantity = used;
            target.detail =
                [least, target.detail].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" · ");
        }
        Ok(Priced {
            target,
            stretch,
            is_ahead: component.billed == Billed::InAdvance,
            is_free_trial: part.is_free_trial,
            kept: None,
        })
    }

    pub(crate) fn quantities_of(&self, part: &Part) -> Quantities {
        match part.quantity {
            Quantity::Read(place) => self.quantities[place].clone(),
            Quantity::Fixed(quantity) => vec![(BTreeMap::new(), quantity)],
        }
    }

    /// What was charged once and ahead with the stretch that a percentage of it is in: it is no part of the month.
    fn once_ahead(&self, of: usize, billable: &Billable, percent: &Component) -> Result<Money> {
        let (own, place) = (&self.subscribed[of], billable.stretch.attached);
        let attached = own.attached(place);
        let is_it = |part: &&Component| {
            Some(&part.key) == percent.measure.as_ref()
                && part.kind == ComponentKind::OneOff
                && part.billed == Billed::InAdvance
        };
        let charged = attached.version.components.iter().find(is_it);
        let is_first = billable.stretch.from == attached.from && !attached.is_free;
        match charged.filter(|part| is_first && own.charges_once(place, &part.key)) {
            Some(part) => {
                let quantities = vec![(BTreeMap::new(), Decimal::ONE)];
                let (included, segment, factor) = (Decimal::ZERO, Segment::WHOLE, Factor::whole());
                let once = Rateable { price: &part.price, included, quantities: &quantities, segment, factor: &factor };
                Ok(rate(&once, self.currency())?.amount)
            }
            None => Ok(self.nothing()),
        }
    }

    /// Shares of other components' amounts, before any discount.
    fn percents(&self, month: &Month, index: usize, billable: &Billable, priced: &[Priced]) -> Result<Vec<Priced>> {
        let own = &self.subscribed[month.of];
        let attached = own.attached(billable.stretch.attached);
        let share = billable.stretch.share_of_usage();
        let mut percents = Vec::new();
        for (place, component) in attached.version.components.iter().enumerate() {
            if component.kind != ComponentKind::Percent {
                continue;
            }
            // Of everything that recurs or is used; what is charged once is the base of a percentage that names it.
            let is_once = |priced: &Priced| {
                let parts = &attached.version.components;
                priced.target.component.is_some_and(|place| parts[place].kind == ComponentKind::OneOff)
            };
            let is_base = |priced: &&Priced| match &component.measure {
                Some(key) => *key == priced.target.key,
                None => !is_once(priced),
            };
            let base = Money::sum(self.currency(), priced.iter().filter(is_base).map(|priced| priced.target.amount))?;
            let base = base.checked_add(self.once_ahead(month.of, billable, component)?)?;
            let quantities = vec![(BTreeMap::new(), base.as_decimal())];
            let factor = if attached.is_free { Factor::nothing("free of charge") } else { Factor::whole() };
            let rateable = Rateable {
                price: &component.price,
                included: Decimal::ZERO,
                quantities: &quantities,
                segment: Segment { days: share.days, of_days: share.of_days },
                factor: &factor,
            };
            let part = Part {
                component: place,
                piece: billable.stretch,
                quantity: Quantity::Fixed(Decimal::ZERO),
                is_free_trial: false,
                claimed_at: billable.claimed_at,
            };
            let mut target = self.target(month.of, billable.stretch.attached, &part, rate(&rateable, self.currency())?);
            target.unit = PERCENT_UNIT.to_owned();
            target.detail = String::new();
            target.unit_price = match &component.price.model {
                pricing::Model::Percent(price) if price.fixed_per_event.is_zero() => Some(price.rate),
                _ => None,
            };
            percents.push(Priced { target, stretch: index, is_ahead: false, is_free_trial: false, kept: None });
        }
        Ok(percents)
    }
}

pub(crate) fn total(quantities: &Quantities) -> Decimal {
    quantities.iter().map(|(_, quantity)| *quantity).sum()
}

/// The same with at least so many units, as if they had been used; `None` where they were. Units that nobody used are of the
/// kind that was used most, or of the first that has a price.
pub(crate) fn topped_up(quantities: &Quantities, minimum: Decimal, price: &pricing::Price) -> Option<Quantities> {
    let missing = minimum - total(quantities);
    if missing <= Decimal::ZERO {
        return None;
    }
    let mut topped: Quantities = quantities.clone();
    let most = topped.iter_mut().max_by_key(|(_, quantity)| *quantity);
    match (most, &price.model) {
        (Some((_, most)), _) => *most += missing,
        (None, pricing::Model::By { dimension, cases, default: None }) => {
            let first = cases.keys().next().cloned().unwrap_or_default();
            topped.push((BTreeMap::from([(dimension.clone(), first)]), missing));
        }
        (None, _) => topped.push((BTreeMap::new(), missing)),
    }
    Some(topped)
}

/// A share of an amount, exact.
pub(crate) fn share_of(amount: Money, share: pricing::Proration) -> Result<Exact> {
    Ok(share.of(&Exact::from(amount))?)
}
