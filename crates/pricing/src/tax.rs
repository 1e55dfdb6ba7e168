//! Tax by group: lines of one category and rate are one base, and the tax of a group is rounded once.

use money::{Currency, Money, Percent};
use serde::{Deserialize, Serialize};

use crate::{Exact, PricingError, RoundTo};

/// A line to be taxed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaxLine {
    /// In whole minor units; net, or gross for [`tax_groups_inclusive`].
    pub amount: Money,
    /// 19 is 19%.
    pub rate: Percent,
    /// Free text, part of the group's identity: `standard`, `reverse_charge`.
    pub category: String,
}

/// The lines of one rate and category.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaxGroup {
    /// 19 is 19%.
    pub rate: Percent,
    /// As its lines have it.
    pub category: String,
    /// Net.
    pub base: Money,
    /// `base x rate`, or what a gross contains beside its net.
    pub tax: Money,
}

/// All groups, in the order in which they first appear, and their sums.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaxSum {
    /// One for each rate and category.
    pub groups: Vec<TaxGroup>,
    /// The bases together.
    pub net: Money,
    /// The taxes together.
    pub tax: Money,
    /// Net and tax: what is owed.
    pub total: Money,
}

/// Tax on top of net lines.
pub fn tax_groups(currency: Currency, lines: &[TaxLine]) -> Result<TaxSum, PricingError> {
    summed(currency, lines, |sum, rate| {
        let tax =
            Exact::from(sum).times(&Exact::from(rate.as_decimal()).hundredths()).to_money(currency, RoundTo::Minor)?;
        Ok((sum, tax))
    })
}

/// Tax inside gross lines: `net = gross / (1 + rate)` per group, and the tax is the rest.
pub fn tax_groups_inclusive(currency: Currency, lines: &[TaxLine]) -> Result<TaxSum, PricingError> {
    summed(currency, lines, |sum, rate| {
        let whole = Exact::integer(1).plus(&Exact::from(rate.as_decimal()).hundredths());
        let net = Exact::from(sum).over(&whole)?.to_money(currency, RoundTo::Minor)?;
        Ok((net, sum.checked_sub(net)?))
    })
}

fn summed(
    currency: Currency,
    lines: &[TaxLine],
    base_and_tax: impl Fn(Money, Percent) -> Result<(Money, Money), PricingError>,
) -> Result<TaxSum, PricingError> {
    let mut sums: Vec<(Percent, &str, Money)> = Vec::new();
    for line in lines {
        line.amount.minor_units()?;
        match sums.iter_mut().find(|(rate, category, _)| *rate == line.rate && *category == line.category) {
            Some((_, _, sum)) => *sum = sum.checked_add(line.amount)?,
            None => sums.push((line.rate, &line.category, Money::zero(currency).checked_add(line.amount)?)),
        }
    }
    let mut groups = Vec::with_capacity(sums.len());
    for (rate, category, sum) in sums {
        let (base, tax) = base_and_tax(sum, rate)?;
        groups.push(TaxGroup { rate, category: category.to_owned(), base, tax });
    }
    let net = Money::sum(currency, groups.iter().map(|group| group.base))?;
    let tax = Money::sum(currency, groups.iter().map(|group| group.tax))?;
    Ok(TaxSum { groups, net, tax, total: net.checked_add(tax)? })
}
