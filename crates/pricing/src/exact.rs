//! Exact arithmetic: a number is rounded once, when it becomes money, and nowhere before.

use std::cmp::Ordering;

use money::{Currency, Decimal, Money, MoneyError};
use num_bigint::{BigInt, Sign};
use serde::{Deserialize, Serialize};

use crate::PricingError;

/// To what an amount is rounded when it becomes money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoundTo {
    /// Millionths of the main unit.
    #[default]
    Micros,
    /// The currency's minor unit: JPY 0, EUR 2, KWD 3 decimals.
    Minor,
}

/// A rational number of any size: `numerator / (10^scale x divisor)`.
///
/// Decimals keep their power of ten, so that sums of decimals stay short; only a true division touches `divisor`.
#[derive(Debug, Clone)]
pub struct Exact {
    numerator: BigInt,
    scale: u32,
    divisor: BigInt,
}

impl Exact {
    /// Nothing.
    pub fn zero() -> Exact {
        Exact::integer(0)
    }

    /// A whole number.
    pub fn integer(number: i64) -> Exact {
        Exact { numerator: BigInt::from(number), scale: 0, divisor: BigInt::from(1) }
    }

    /// `mantissa / (10^scale x divisor)`; the divisor is above zero.
    pub(crate) fn ratio(mantissa: i128, scale: u32, divisor: u64) -> Exact {
        debug_assert!(divisor > 0, "a ratio has a divisor above zero");
        Exact { numerator: BigInt::from(mantissa), scale, divisor: BigInt::from(divisor) }
    }

    /// The sum.
    pub fn plus(&self, other: &Exact) -> Exact {
        let (left, right, scale, divisor) = self.aligned(other);
        Exact { numerator: left + right, scale, divisor }
    }

    /// The difference.
    pub fn minus(&self, other: &Exact) -> Exact {
        let (left, right, scale, divisor) = self.aligned(other);
        Exact { numerator: left - right, scale, divisor }
    }

    /// The product.
    pub fn times(&self, other: &Exact) -> Exact {
        Exact {
            numerator: &self.numerator * &other.numerator,
            scale: self.scale + other.scale,
            divisor: &self.divisor * &other.divisor,
        }
    }

    /// The quotient; refuses a divisor that is zero or less.
    pub fn over(&self, other: &Exact) -> Result<Exact, PricingError> {
        if other.numerator.sign() != Sign::Plus {
            return Err(PricingError::MustBeAboveZero);
        }
        Ok(Exact {
            numerator: &self.numerator * &other.divisor * ten_to(other.scale),
            scale: self.scale,
            divisor: &self.divisor * &other.numerator,
        })
    }

    /// This many percent of a whole: `19` gives 0.19.
    pub fn hundredths(&self) -> Exact {
        Exact { scale: self.scale + 2, ..self.clone() }
    }

    /// The smaller of two.
    pub fn min(self, other: Exact) -> Exact {
        if self <= other { self } else { other }
    }

    /// The larger of two.
    pub fn max(self, other: Exact) -> Exact {
        if self >= other { self } else { other }
    }

    /// Is it nothing?
    pub fn is_zero(&self) -> bool {
        self.numerator.sign() == Sign::NoSign
    }

    /// Is it below zero?
    pub fn is_negative(&self) -> bool {
        self.numerator.sign() == Sign::Minus
    }

    /// Without its sign.
    pub fn magnitude(&self) -> Exact {
        if self.is_negative() { Exact::zero().minus(self) } else { self.clone() }
    }

    /// The smallest whole number that is not below it.
    pub fn ceil(&self) -> Exact {
        let denominator = self.denominator();
        let mut whole = &self.numerator / &denominator;
        // Division truncates towards zero, which is already upwards below zero.
        if self.numerator.sign() == Sign::Plus && &whole * &denominator != self.numerator {
            whole += 1;
        }
        Exact { numerator: whole, scale: 0, divisor: BigInt::from(1) }
    }

    /// The amount in a currency, rounded once, half away from zero.
    pub fn to_money(&self, currency: Currency, round: RoundTo) -> Result<Money, PricingError> {
        let (digits, granule) = match round {
            RoundTo::Micros => (6, 1),
            RoundTo::Minor => (currency.exponent(), currency.micros_per_minor()),
        };
        let micros = i64::try_from(self.rounded(digits) * granule).map_err(|_| MoneyError::Overflow)?;
        Ok(Money::from_micros(micros, currency))
    }

    /// A decimal of at most 28 digits; what does not fit is rounded half away from zero at the 28th digit.
    pub fn to_decimal(&self) -> Result<Decimal, PricingError> {
        let whole = (&self.numerator / self.denominator()).magnitude().to_string();
        let digits = if whole == "0" { 0 } else { whole.len() as u32 };
        let scale = 28u32.checked_sub(digits).ok_or(PricingError::TooLarge)?;
        self.to_decimal_places(scale)
    }

    /// A decimal with at most `places` decimals, rounded half away from zero.
    pub fn to_decimal_places(&self, places: u32) -> Result<Decimal, PricingError> {
        let mantissa = i128::try_from(self.rounded(places)).map_err(|_| PricingError::TooLarge)?;
        let decimal = Decimal::try_from_i128_with_scale(mantissa, places).map_err(|_| PricingError::TooLarge)?;
        Ok(decimal.normalize())
    }

    /// `self x 10^places`, half away from zero.
    fn rounded(&self, places: u32) -> BigInt {
        let denominator = self.denominator();
        let twice: BigInt = &self.numerator * ten_to(places) * 2;
        let half: BigInt = if twice.sign() == Sign::Minus { -&denominator } else { denominator.clone() };
        (twice + half) / (denominator * 2)
    }

    fn denominator(&self) -> BigInt {
        ten_to(self.scale) * &self.divisor
    }

    /// Both numerators over one denominator.
    fn aligned(&self, other: &Exact) -> (BigInt, BigInt, u32, BigInt) {
        let scale = self.scale.max(other.scale);
        let mut left = &self.numerator * ten_to(scale - self.scale);
        let mut right = &other.numerator * ten_to(scale - other.scale);
        if self.divisor == other.divisor {
            return (left, right, scale, self.divisor.clone());
        }
        left *= &other.divisor;
        right *= &self.divisor;
        (left, right, scale, &self.divisor * &other.divisor)
    }
}

fn ten_to(exponent: u32) -> BigInt {
    BigInt::from(10).pow(exponent)
}

impl From<Decimal> for Exact {
    fn from(number: Decimal) -> Exact {
        Exact { numerator: BigInt::from(number.mantissa()), scale: number.scale(), divisor: BigInt::from(1) }
    }
}

impl From<Money> for Exact {
    fn from(amount: Money) -> Exact {
        Exact { numerator: BigInt::from(amount.micros()), scale: 6, divisor: BigInt::from(1) }
    }
}

impl PartialEq for Exact {
    fn eq(&self, other: &Exact) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Exact {}

impl PartialOrd for Exact {
    fn partial_cmp(&self, other: &Exact) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Exact {
    fn cmp(&self, other: &Exact) -> Ordering {
        let (left, right, _, _) = self.aligned(other);
        left.cmp(&right)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use money::parse_decimal;

    fn exact(text: &str) -> Exact {
        Exact::from(parse_decimal(text).unwrap())
    }

    #[test]
    fn a_third_three_times_is_one() {
        let third = exact("1").over(&exact("3")).unwrap();
        assert_eq!(third.plus(&third).plus(&third), exact("1"));
        assert_eq!(third.to_decimal().unwrap().to_string(), "0.3333333333333333333333333333");
        assert_eq!(third.times(&exact("6")).ceil(), exact("2"));
        assert_eq!(third.ceil(), exact("1"));
        assert_eq!(exact("-0.5").ceil(), exact("0"));
    }

    #[test]
    fn long_factors_do_not_lose_a_digit() {
        // (10^27 + 1) x 1.000...01 (27 decimals) needs 55 digits; the half in the last place decides the rounding.
        let product = exact("1000000000000000000000000.001").times(&exact("0.0000000000005"));
        assert_eq!(product.to_money(Currency::JPY, RoundTo::Minor).unwrap().micros(), 500_000_000_000_000_000);
        let just_below = exact("0.0000004999999999999999999999");
        assert_eq!(just_below.to_money(Currency::EUR, RoundTo::Micros).unwrap().micros(), 0);
        assert_eq!(exact("0.0000005").to_money(Currency::EUR, RoundTo::Micros).unwrap().micros(), 1);
        assert_eq!(exact("-0.005").to_money(Currency::EUR, RoundTo::Minor).unwrap().micros(), -10_000);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(exact("9e20").to_money(Currency::EUR, RoundTo::Micros).is_err());
        assert!(exact("1e27").times(&exact("1e27")).to_decimal().is_err());
        assert!(exact("1").over(&Exact::zero()).is_err());
    }
}
