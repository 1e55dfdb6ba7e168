//! The arithmetic of tiers and packages.

use std::collections::BTreeMap;

use money::Decimal;

use crate::explain::{Step, Workings};
use crate::price::Tier;
use crate::spell::{quantity, rate, shown};
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

    /// Does the quantity lie in the tier that ends here?
    pub(crate) fn reaches(&self, used: &Exact, up_to: Option<Decimal>) -> bool {
        up_to.is_none_or(|bound| *used <= self.scaled(bound))
    }
}

/// A tier of either graduated model.
pub(crate) struct Slice {
    pub(crate) up_to: Option<Decimal>,
    pub(crate) unit: Exact,
    pub(crate) shown: String,
    pub(crate) flat: Decimal,
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
        let amount = within.times(&slice.unit).plus(&flat);
        workings.note(|| {
            let plus = if flat.is_zero() { String::new() } else { format!(" + {}", rate(shown(&flat))) };
            Step::new("Tier", shown(&amount)).because(range(slice.up_to)).calculated(format!(
                "{} × {}{plus}",
                quantity(shown(&within)),
                slice.shown
            ))
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
        let plus = if flat.is_zero() { String::new() } else { format!(" + {}", rate(shown(&flat))) };
        Step::new("All units", shown(&amount)).because(range(tier.up_to)).calculated(format!(
            "{} × {}{plus}",
            quantity(shown(used)),
            rate(tier.unit)
        ))
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
        let detail = format!(
            "{} beyond {} free, {} each",
            quantity(shown(&beyond)),
            quantity(shown(&context.scaled(free))),
            quantity(size)
        );
        Step::new("Packages", shown(&total)).because(detail).calculated(format!(
            "{} × {}",
            shown(&packages),
            rate(amount)
        ))
    });
    Ok(total)
}

/// Where a tier ends, for explanations.
pub(crate) fn range(up_to: Option<Decimal>) -> String {
    up_to.map_or("no upper bound".to_owned(), |bound| format!("up to {}", bound.normalize()))
}
