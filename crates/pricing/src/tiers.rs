//! The arithmetic of tiers and packages.

use std::collections::BTreeMap;

use money::Decimal;

use crate::explain::{Rule, Step, Workings};
use crate::price::Tier;
use crate::spell::shown;
use crate::{Exact, PricingError};

/// What the amount depends on beside the quantity.
pub(crate) struct Context<'a> {
    pub(crate) dimensions: &'a BTreeMap<String, String>,
    pub(crate) share: Exact,
}

impl Context<'_> {
    /// A fixed amount or bound, for the segment's days.
    pub(crate) fn scaled(&self, number: Decimal) -> Exact {
        Exact::from(number).times(&self.share)
    }

    /// Where a tier ends, for explanations.
    pub(crate) fn shown_bound(&self, up_to: Option<Decimal>) -> Option<Decimal> {
        up_to.map(|bound| shown(&self.scaled(bound)))
    }

    /// Does the quantity lie in the tier that ends here?
    pub(crate) fn reaches(&self, used: &Exact, up_to: Option<Decimal>) -> bool {
        up_to.is_none_or(|bound| *used <= self.scaled(bound))
    }
}

/// A tier of either graduated model.
pub(crate) struct Slice {
    pub(crate) up_to: Option<Decimal>,
    pub(crate) rate: SliceRate,
    pub(crate) flat: Decimal,
}

/// What a unit of a slice costs.
#[derive(Clone, Copy)]
pub(crate) enum SliceRate {
    Unit(Decimal),
    Percent(Decimal),
}

impl SliceRate {
    fn exact(self) -> Exact {
        match self {
            SliceRate::Unit(unit) => Exact::from(unit),
            SliceRate::Percent(percent) => Exact::from(percent).hundredths(),
        }
    }
}

pub(crate) fn graduated(
    used: &Exact,
    slices: impl Iterator<Item = Slice>,
    context: &Context<'_>,
    workings: &mut Workings,
) -> Exact {
    let mut below = Exact::zero();
    let mut sum = Exact::zero();
    for slice in slices {
        let top = slice.up_to.map_or(used.clone(), |bound| context.scaled(bound).min(used.clone()));
        let within = top.minus(&below);
        let first_at_zero = used.is_zero() && below.is_zero();
        if within.is_zero() && !first_at_zero {
            break;
        }
        let flat = context.scaled(slice.flat);
        let amount = within.times(&slice.rate.exact()).plus(&flat);
        workings.note(|| {
            let (up_to, quantity, flat) = (context.shown_bound(slice.up_to), shown(&within), shown(&flat));
            let rule = match slice.rate {
                SliceRate::Unit(rate) => Rule::Tier { up_to, quantity, rate, flat },
                SliceRate::Percent(percent) => Rule::PercentTier { up_to, base: quantity, percent, flat },
            };
            Step::new(rule, shown(&amount))
        });
        sum = sum.plus(&amount);
        below = top;
        if below == *used {
            break;
        }
    }
    sum
}

pub(crate) fn volume(
    used: &Exact,
    tiers: &[Tier],
    context: &Context<'_>,
    workings: &mut Workings,
) -> Result<Exact, PricingError> {
    let tier = tiers.iter().find(|tier| context.reaches(used, tier.up_to)).ok_or(PricingError::LastTierMustBeOpen)?;
    let flat = context.scaled(tier.flat);
    let amount = used.times(&Exact::from(tier.unit)).plus(&flat);
    workings.note(|| {
        let (up_to, quantity, flat) = (context.shown_bound(tier.up_to), shown(used), shown(&flat));
        Step::new(Rule::Volume { up_to, quantity, rate: tier.unit, flat }, shown(&amount))
    });
    Ok(amount)
}

pub(crate) fn package(
    used: &Exact,
    (size, amount, free): (Decimal, Decimal, Decimal),
    context: &Context<'_>,
    workings: &mut Workings,
) -> Result<Exact, PricingError> {
    let beyond = used.minus(&context.scaled(free)).max(Exact::zero());
    let packages = beyond.over(&Exact::from(size))?.ceil();
    let total = packages.times(&Exact::from(amount));
    workings.note(|| {
        let (beyond, free, packages) = (shown(&beyond), shown(&context.scaled(free)), shown(&packages));
        Step::new(Rule::Packages { beyond, free, size, packages, rate: amount }, shown(&total))
    });
    Ok(total)
}
