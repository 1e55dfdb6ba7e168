//! Discounts one upon the other: percentages multiply, then amounts subtract, never below zero. Each has its line, and the lines
//! sum to what all of them together take off, rounded once: each is the difference of two rounded sums.

use crate::error::Result;
use money::{Currency, Money};
use pricing::{Exact, RoundTo};
use std::collections::BTreeMap;

/// What a discount is taken off: an amount in one month of service.
#[derive(Clone, Debug)]
pub(crate) struct Base {
    /// Position of the month.
    pub month: u32,
    pub amount: Exact,
}

/// One discount on many bases.
pub(crate) enum Off {
    /// Hundredths of each base, in their order; zero where it does not hold.
    Percents(Vec<Exact>),
    /// An amount for each month, shared by weight over all bases of the month; `bases` says which take part.
    Amounts { by_month: BTreeMap<u32, Exact>, bases: Vec<bool> },
}

/// What a discount takes off.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    /// Of all bases before it, and what it takes off them: zero or above.
    pub of: Money,
    pub off: Money,
    /// Exactly what it takes off each base.
    pub exact: Vec<Exact>,
}

/// Takes discounts off in their order.
pub(crate) fn stack(bases: &[Base], discounts: &[Off], currency: Currency) -> Result<Vec<Taken>> {
    let mut left: Vec<Exact> = bases.iter().map(|base| base.amount.clone().max(Exact::zero())).collect();
    let rounded = |sum: &Exact| Ok::<_, crate::InvoicingError>(sum.to_money(currency, RoundTo::Minor)?);
    let whole = rounded(&sum(&left))?;
    let mut taken_exact = Exact::zero();
    let mut taken = Money::zero(currency);
    let mut all = Vec::with_capacity(discounts.len());
    for discount in discounts {
        let of = left.clone();
        let exact = match discount {
            Off::Percents(percents) => {
                left.iter().zip(percents).map(|(left, percent)| left.times(percent).min(left.clone())).collect()
            }
            Off::Amounts { by_month, bases: takes_part } => amounts(bases, &left, by_month, takes_part)?,
        };
        for (left, off) in left.iter_mut().zip(&exact) {
            *left = left.minus(off);
        }
        taken_exact = taken_exact.plus(&sum(&exact));
        // What is taken in all, never more than there is in whole minor units.
        let in_all = rounded(&taken_exact)?.min(whole)?;
        let concerned: Vec<Exact> =
            of.into_iter().zip(&exact).filter(|(_, off)| !off.is_zero()).map(|(of, _)| of).collect();
        all.push(Taken { of: rounded(&sum(&concerned))?, off: in_all.checked_sub(taken)?, exact });
        taken = in_all;
    }
    Ok(all)
}

fn amounts(bases: &[Base], left: &[Exact], by_month: &BTreeMap<u32, Exact>, takes_part: &[bool]) -> Result<Vec<Exact>> {
    let mut off = vec![Exact::zero(); bases.len()];
    for (month, amount) in by_month {
        let of_month = |index: &usize| bases[*index].month == *month && takes_part[*index];
        let places: Vec<usize> = (0..bases.len()).filter(of_month).collect();
        let total = places.iter().fold(Exact::zero(), |total, place| total.plus(&left[*place]));
        if total.is_zero() {
            continue;
        }
        let share = amount.clone().min(total.clone()).over(&total)?;
        for place in places {
            off[place] = left[place].times(&share);
        }
    }
    Ok(off)
}

pub(crate) fn sum(amounts: &[Exact]) -> Exact {
    amounts.iter().fold(Exact::zero(), |sum, amount| sum.plus(amount))
}

/// Shares an amount over weights that are not negative, to the minor unit; with no weight at all nobody gets anything.
pub(crate) fn shares(amount: Money, weights: &[Exact]) -> Result<Vec<Money>> {
    if amount.is_zero() || weights.iter().all(Exact::is_zero) {
        return Ok(weights.iter().map(|_| Money::zero(amount.currency())).collect());
    }
    let weights =
        weights.iter().map(|weight| weight.to_decimal_places(10)).collect::<Result<Vec<_>, pricing::PricingError>>()?;
    Ok(amount.allocate(&weights)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use money::Percent;

    fn exact(text: &str) -> Exact {
        Exact::from(text.parse::<money::Decimal>().unwrap())
    }

    fn eur(text: &str) -> Money {
        Money::parse(text, Currency::EUR).unwrap()
    }

    #[test]
    fn lines_of_discounts_sum_to_what_they_take_off_together() {
        for (amounts, percents, amount_off, expected) in [
            (vec!["100.10"], vec!["15", "5"], "0", vec!["15.02", "4.25", "0"]), // 100.10 - 100.10 x 0.85 x 0.95 = 19.26925
            (vec!["60", "40"], vec!["10"], "25", vec!["10.00", "25.00"]),
            (vec!["3", "1"], vec!["50"], "25", vec!["2.00", "2.00"]), // never below zero
            (vec!["0.01"], vec!["50"], "0", vec!["0.01", "0"]), // half a cent away from zero, and no more than there is
            (vec!["0"], vec!["50"], "5", vec!["0", "0"]),
        ] {
            let bases: Vec<Base> = amounts.iter().map(|amount| Base { month: 0, amount: exact(amount) }).collect();
            let mut discounts: Vec<Off> =
                percents.iter().map(|percent| Off::Percents(vec![exact(percent).hundredths(); bases.len()])).collect();
            let by_month = BTreeMap::from([(0, exact(amount_off))]);
            discounts.push(Off::Amounts { by_month, bases: vec![true; bases.len()] });
            let taken = stack(&bases, &discounts, Currency::EUR).unwrap();
            let lines: Vec<Money> = taken.iter().map(|taken| taken.off).collect();
            assert_eq!(lines, expected.iter().map(|text| eur(text)).collect::<Vec<_>>(), "{amounts:?} {percents:?}");
            let percents: Vec<Percent> = percents.iter().map(|percent| percent.parse().unwrap()).collect();
            let amounts: Vec<Money> = amounts.iter().map(|amount| eur(amount)).collect();
            let together = pricing::discount(&amounts, &percents, &[eur(amount_off)], eur("0")).unwrap().discount;
            assert_eq!(Money::sum(Currency::EUR, lines).unwrap(), together);
        }
    }

    #[test]
    fn a_discount_of_some_months_leaves_the_others_alone() {
        let bases = [0, 1, 2].map(|month| Base { month, amount: exact("30") });
        let tenth = exact("10").hundredths();
        let first_two = Off::Percents(vec![tenth.clone(), tenth, Exact::zero()]);
        let amounts = Off::Amounts { by_month: BTreeMap::from([(2, exact("50"))]), bases: vec![true; 3] };
        let taken = stack(&bases, &[first_two, amounts], Currency::EUR).unwrap();
        assert_eq!((taken[0].off, taken[0].of), (eur("6"), eur("60"))); // 10% of 30 + 30
        assert_eq!((taken[1].off, taken[1].of), (eur("30"), eur("30"))); // no more than the month has
    }

    #[test]
    fn shares_sum_to_the_whole() {
        let parts = shares(eur("-10"), &[exact("1"), exact("1"), exact("1")]).unwrap();
        assert_eq!(parts, [eur("-3.34"), eur("-3.33"), eur("-3.33")]); // ties to the earlier
        assert_eq!(shares(eur("5"), &[Exact::zero()]).unwrap(), [eur("0")]);
    }
}
