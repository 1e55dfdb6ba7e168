//! Discounts on a period that was served: those of lines (term, loyalty), then those of the invoice (coupons).

use crate::bill::Billing;
use crate::content::{LineGroup, PERCENT_UNIT, Service};
use crate::due::{COUPON, LOYALTY, Month, TERM_DISCOUNT, service_of};
use crate::error::Result;
use crate::month::Priced;
use crate::stack::{Base, Off, Taken, shares, stack};
use crate::target::{Derived, Target, derived};
use crate::words;
use chrono::{DateTime, Utc};
use money::Percent;
use pricing::{Exact, Rule, Step};
use std::collections::BTreeMap;
use subscription::{CouponOff, Redeemed};

/// What a discount is, as its line says it.
#[derive(Clone)]
pub(crate) struct Discount {
    pub kind: pricing::Discount,
    pub key: String,
    pub text: String,
    pub percent: Option<Percent>,
    pub service: Service,
    pub attached: usize,
    pub claimed_at: DateTime<Utc>,
}

/// Hundredths where something holds, nothing elsewhere.
pub(crate) fn percent_where(percent: Percent, holds: bool) -> Exact {
    if holds { Exact::from(percent.as_decimal()).hundredths() } else { Exact::zero() }
}

impl Billing<'_> {
    /// The lines of all discounts on a period, claimed from its beginning on.
    pub(crate) fn discounts(&self, month: &Month, priced: &[Priced]) -> Result<Vec<Target>> {
        let served: Vec<&Priced> = priced.iter().filter(|priced| !priced.is_ahead).collect();
        let position = month.period.position;
        let bases: Vec<Base> =
            served.iter().map(|priced| Base { month: position, amount: Exact::from(priced.kept()) }).collect();
        let (mut discounts, mut offs) = (Vec::new(), Vec::new());
        self.of_terms(month, &served, &mut discounts, &mut offs);
        self.of_loyalty(month, &served, &mut discounts, &mut offs);
        self.of_coupons(month, &served, &mut discounts, &mut offs)?;
        let taken = stack(&bases, &offs, self.currency())?;
        let names: Vec<&str> = served.iter().map(|priced| priced.target.text.as_str()).collect();
        let lines = discounts.into_iter().zip(taken);
        lines.map(|(discount, taken)| self.discount(month.of, discount, &taken, &names)).collect()
    }

    /// A discount's line, with its share of every line that it lowers.
    pub(crate) fn discount(&self, of: usize, discount: Discount, taken: &Taken, names: &[&str]) -> Result<Target> {
        let off = taken.off.checked_neg()?;
        let mut steps = Vec::new();
        for ((share, name), weight) in shares(off, &taken.exact)?.into_iter().zip(names).zip(&taken.exact) {
            if !share.is_zero() {
                let rule = Rule::Part { weight: weight.to_decimal_places(6)? };
                steps.push(Step { part: (*name).to_owned(), ..Step::new(rule, share.as_decimal()) });
            }
        }
        let kind = discount.kind;
        let rule = match discount.percent {
            Some(percent) => Rule::PercentOff { kind, percent, of: taken.of.as_decimal() },
            None => Rule::AmountOff { kind },
        };
        steps.push(Step::new(rule, off.as_decimal()));
        let terms = self.price_version(of, discount.attached, "");
        let what = Derived { key: discount.key, group: LineGroup::Discounts, text: discount.text, steps };
        let mut target = derived(what, discount.attached, discount.service, discount.claimed_at, off);
        // A coupon is nobody's price: its code stands in the line.
        if kind != pricing::Discount::Coupon {
            target.explanation = target.explanation.by(terms);
        }
        if let Some(percent) = discount.percent {
            target.quantity = taken.of.as_decimal();
            target.unit = PERCENT_UNIT.to_owned();
            target.unit_price = Some(-percent.as_decimal());
        }
        Ok(target)
    }

    fn is_recurring(&self, of: usize, priced: &Priced) -> bool {
        let own = &self.subscribed[of];
        priced.target.component.is_some_and(|component| own.component(priced.target.attached, component).is_recurring())
    }

    fn of_terms(&self, month: &Month, served: &[&Priced], discounts: &mut Vec<Discount>, offs: &mut Vec<Off>) {
        let own = &self.subscribed[month.of];
        for (index, billable) in month.stretches.iter().enumerate() {
            let attached = billable.stretch.attached;
            let version = &own.attached(attached).version;
            let percent = version.term_discount_percent;
            let holds = |priced: &&Priced| priced.stretch == index && self.is_recurring(month.of, priced);
            if percent == Percent::ZERO || !served.iter().any(&holds) {
                continue;
            }
            discounts.push(Discount {
                kind: pricing::Discount::Term,
                key: format!("{TERM_DISCOUNT}{}", own.scope(attached)),
                text: words::term_discount(&self.seller.language, percent.as_decimal(), version.term_months),
                percent: Some(percent),
                service: crate::target::service_of(&billable.stretch),
                attached,
                claimed_at: billable.claimed_at,
            });
            offs.push(Off::Percents(served.iter().map(|priced| percent_where(percent, holds(priced))).collect()));
        }
    }

    fn of_loyalty(&self, month: &Month, served: &[&Priced], discounts: &mut Vec<Discount>, offs: &mut Vec<Off>) {
        let own = &self.subscribed[month.of];
        let percent = own.history.loyalty_percent_in(&month.period);
        let holds = |priced: &&Priced| self.is_recurring(month.of, priced);
        let Some(first) = served.iter().find(|priced| holds(priced)).filter(|_| percent != Percent::ZERO) else {
            return;
        };
        discounts.push(Discount {
            kind: pricing::Discount::Loyalty,
            key: LOYALTY.to_owned(),
            text: words::loyalty(&self.seller.language, Some(percent.as_decimal())),
            percent: Some(percent),
            service: service_of(&month.period),
            attached: first.target.attached,
            claimed_at: month.period.starts_at,
        });
        offs.push(Off::Percents(served.iter().map(|priced| percent_where(percent, holds(priced))).collect()));
    }

    fn of_coupons(
        &self,
        month: &Month,
        served: &[&Priced],
        discounts: &mut Vec<Discount>,
        offs: &mut Vec<Off>,
    ) -> Result<()> {
        let Some(first) = served.first() else { return Ok(()) };
        let own = &self.subscribed[month.of];
        for (coupon, percent) in coupons(&own.history.redeemed, self.currency()) {
            if !coupon.lowers(&month.period) {
                continue;
            }
            offs.push(match coupon.coupon.off {
                CouponOff::Percent(percent) => Off::Percents(vec![percent_where(percent, true); served.len()]),
                CouponOff::Amount(amount) => {
                    let used = self.coupon_used_ahead(month.of, coupon, &month.period)?;
                    let left = Exact::from(amount).minus(&used).max(Exact::zero());
                    let by_month = BTreeMap::from([(month.period.position, left)]);
                    Off::Amounts { by_month, bases: vec![true; served.len()] }
                }
            });
            discounts.push(Discount {
                kind: pricing::Discount::Coupon,
                key: format!("{COUPON}{}", coupon.coupon.id),
                text: words::coupon(&self.seller.language, &coupon.coupon.name),
                percent,
                service: service_of(&month.period),
                attached: first.target.attached,
                claimed_at: month.period.starts_at,
            });
        }
        Ok(())
    }
}

/// A subscription's coupons in the order in which they are taken off: percentages, then amounts of the customer's currency.
pub(crate) fn coupons(
    redeemed: &[Redeemed],
    currency: money::Currency,
) -> impl Iterator<Item = (&Redeemed, Option<Percent>)> {
    let percents = redeemed.iter().filter_map(|redeemed| match redeemed.coupon.off {
        CouponOff::Percent(percent) => Some((redeemed, Some(percent))),
        CouponOff::Amount(_) => None,
    });
    let amounts = redeemed.iter().filter_map(move |redeemed| match redeemed.coupon.off {
        CouponOff::Amount(amount) if amount.currency() == currency => Some((redeemed, None)),
        _ => None,
    });
    percents.chain(amounts)
}
