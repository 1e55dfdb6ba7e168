//! Shares that sum exactly: the largest remainder, ties to the earlier, and a negative amount mirrors a positive one.

use rust_decimal::Decimal;

use crate::{Money, MoneyError, Percent, decimal::mul_div_floor};

impl Money {
    /// Shares the amount by weight in whole minor units.
    ///
    /// The amount must be in whole minor units; weights are not negative and not all zero. The parts come in the order of
    /// the weights and sum to the amount.
    pub fn allocate(self, weights: &[Decimal]) -> Result<Vec<Money>, MoneyError> {
        self.minor_units()?;
        self.allocate_in(self.currency().micros_per_minor(), weights)
    }

    /// Shares the amount by weight in whole micros.
    pub fn allocate_micros(self, weights: &[Decimal]) -> Result<Vec<Money>, MoneyError> {
        self.allocate_in(1, weights)
    }

    /// Splits the amount in whole minor units between parties whose percentages sum to 100.
    pub fn split_percent(self, percents: &[Percent]) -> Result<Vec<Money>, MoneyError> {
        self.allocate(&whole(percents)?)
    }

    /// Splits the amount in whole micros between parties whose percentages sum to 100.
    pub fn split_percent_micros(self, percents: &[Percent]) -> Result<Vec<Money>, MoneyError> {
        self.allocate_micros(&whole(percents)?)
    }

    fn allocate_in(self, granule: i64, weights: &[Decimal]) -> Result<Vec<Money>, MoneyError> {
        let weights = integers(weights)?;
        let whole = weights.iter().try_fold(0u128, |sum, weight| sum.checked_add(*weight));
        let whole = whole.filter(|sum| *sum < 1 << 127).ok_or(MoneyError::Overflow)?;
        if whole == 0 {
            return Err(MoneyError::WeightsMustNotBeZero);
        }
        // The sign is taken off first: a refund then shares exactly as its charge did.
        let units = (self.micros() / granule).unsigned_abs();
        let mut parts: Vec<(u64, u128)> = weights.iter().map(|weight| mul_div_floor(units, *weight, whole)).collect();
        let given: u64 = parts.iter().map(|(part, _)| part).sum();
        let mut order: Vec<usize> = (0..parts.len()).collect();
        order.sort_by_key(|index| std::cmp::Reverse(parts[*index].1));
        // Less than one unit per weight is left, so the longest remainders take one each.
        for index in order.into_iter().take((units - given) as usize) {
            parts[index].0 += 1;
        }
        let sign = i128::from(self.micros().signum()) * i128::from(granule);
        parts
            .into_iter()
            .map(|(part, _)| i64::try_from(i128::from(part) * sign).map_err(|_| MoneyError::Overflow))
            .map(|micros| Ok(Money::from_micros(micros?, self.currency())))
            .collect()
    }
}

/// The weights of a split, if they are the whole.
fn whole(percents: &[Percent]) -> Result<Vec<Decimal>, MoneyError> {
    let mut sum = Decimal::ZERO;
    for percent in percents {
        sum = sum.checked_add(percent.as_decimal()).ok_or(MoneyError::Overflow)?;
    }
    if sum != Decimal::ONE_HUNDRED {
        return Err(MoneyError::SharesMustSumToWhole(sum.normalize().to_string()));
    }
    Ok(percents.iter().map(Percent::as_decimal).collect())
}

/// Weights as integers of one scale, so that they can be compared and divided exactly.
fn integers(weights: &[Decimal]) -> Result<Vec<u128>, MoneyError> {
    let weights: Vec<Decimal> = weights.iter().map(Decimal::normalize).collect();
    let scale = weights.iter().map(Decimal::scale).max().unwrap_or(0);
    weights
        .iter()
        .map(|weight| {
            if weight.is_sign_negative() && !weight.is_zero() {
                return Err(MoneyError::WeightMustNotBeNegative);
            }
            let factor = 10u128.pow(scale - weight.scale());
            weight.mantissa().unsigned_abs().checked_mul(factor).ok_or(MoneyError::Overflow)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Currency, parse_decimal};

    fn parts(amount: &str, weights: &[&str]) -> Vec<String> {
        let weights: Vec<Decimal> = weights.iter().map(|weight| parse_decimal(weight).unwrap()).collect();
        let amount = Money::parse(amount, Currency::EUR).unwrap();
        amount.allocate(&weights).unwrap().iter().map(Money::format_plain).collect()
    }

    #[test]
    fn the_largest_remainder_takes_the_last_cent_and_ties_go_to_the_earlier() {
        assert_eq!(parts("0.05", &["70", "30"]), ["0.04", "0.01"]); // 3.5 and 1.5 cents: a tie
        assert_eq!(parts("0.01", &["30", "70"]), ["0.00", "0.01"]); // 0.3 and 0.7 cents
        assert_eq!(parts("100", &["1", "1", "1"]), ["33.34", "33.33", "33.33"]);
        assert_eq!(parts("-0.05", &["70", "30"]), ["-0.04", "-0.01"]);
        assert_eq!(parts("0.01", &["0", "1", "0"]), ["0.00", "0.01", "0.00"]);
    }

    #[test]
    fn long_weights_share_exactly() {
        let weights = ["1234567890123456789012345678", "0.5", "1"];
        assert_eq!(parts("9000000000000.01", &weights).len(), 3);
    }

    #[test]
    fn a_share_that_cannot_be_made_is_refused() {
        let cent = Money::parse("0.01", Currency::EUR).unwrap();
        let fine = Money::parse("0.015", Currency::EUR).unwrap();
        let one = Decimal::ONE;
        assert_eq!(cent.allocate(&[]), Err(MoneyError::WeightsMustNotBeZero));
        assert_eq!(cent.allocate(&[Decimal::ZERO]), Err(MoneyError::WeightsMustNotBeZero));
        assert_eq!(cent.allocate(&[one, -one]), Err(MoneyError::WeightMustNotBeNegative));
        assert_eq!(fine.allocate(&[one]), Err(MoneyError::FinerThanMinorUnit(Currency::EUR)));
        assert_eq!(fine.allocate_micros(&[one, one]).unwrap()[0].micros(), 7_500);
        let seventy: Percent = "70".parse().unwrap();
        assert_eq!(cent.split_percent(&[seventy, seventy]), Err(MoneyError::SharesMustSumToWhole("140".to_owned())));
    }
}
