//! Discounts: percentages multiply, then amounts subtract, never below zero; the sum is shared over the lines exactly.

use money::{Money, Percent};

use crate::{Exact, PricingError, RoundTo};

/// A discount and the lines after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discounted {
    /// What is taken off in all, zero or above, in minor units.
    pub discount: Money,
    /// Each line after its share, in the order given.
    pub lines: Vec<Money>,
    /// What each line gave up.
    pub shares: Vec<Money>,
}

/// Takes percentages, then amounts, off the sum of lines; rounds the discount once to the minor unit and shares it by weight.
///
/// Lines and amounts are not negative; a percentage is at most 100. All are in the currency of `zero`, which stands for no lines.
pub fn discount(
    lines: &[Money],
    percents: &[Percent],
    amounts: &[Money],
    zero: Money,
) -> Result<Discounted, PricingError> {
    if lines.iter().chain(amounts).any(Money::is_negative) {
        return Err(PricingError::MustNotBeNegative);
    }
    let currency = zero.currency();
    let total = Money::sum(currency, lines.iter().copied())?;
    let hundred = Exact::integer(100);
    let mut left = Exact::from(total);
    for percent in percents {
        if *percent > Percent::WHOLE {
            return Err(PricingError::PercentMustNotExceedWhole);
        }
        left = left.times(&hundred.minus(&Exact::from(percent.as_decimal())).hundredths());
    }
    for amount in amounts {
        if amount.currency() != currency {
            total.checked_sub(*amount)?;
        }
        left = left.minus(&Exact::from(*amount)).max(Exact::zero());
    }
    // Rounding up may not take more than there is, where lines are finer than the minor unit.
    let discount = Exact::from(total).minus(&left).to_money(currency, RoundTo::Minor)?.min(total)?;
    let shares = share(discount, lines)?;
    let lines = lines.iter().zip(&shares).map(|(line, share)| line.checked_sub(*share)).collect::<Result<_, _>>()?;
    Ok(Discounted { discount, lines, shares })
}

/// The discount by the weight of the lines, in minor units where they all are.
fn share(discount: Money, lines: &[Money]) -> Result<Vec<Money>, PricingError> {
    if discount.is_zero() {
        return Ok(lines.iter().map(|line| Money::zero(line.currency())).collect());
    }
    let weights: Vec<_> = lines.iter().map(Money::as_decimal).collect();
    let whole_units = discount.minor_units().is_ok() && lines.iter().all(|line| line.minor_units().is_ok());
    Ok(if whole_units { discount.allocate(&weights)? } else { discount.allocate_micros(&weights)? })
}
