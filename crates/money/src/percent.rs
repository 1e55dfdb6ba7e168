//! [`Percent`]: 19 means 19%.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Money, MoneyError, decimal::round_ratio, parse_decimal};

/// A percentage that is not negative; `19` is 19%. A decimal string in JSON.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Percent(Decimal);

impl Percent {
    /// Nothing.
    pub const ZERO: Percent = Percent(Decimal::ZERO);
    /// The whole.
    pub const WHOLE: Percent = Percent(Decimal::ONE_HUNDRED);

    /// A percentage; a negative one is refused.
    pub fn new(percent: Decimal) -> Result<Percent, MoneyError> {
        if percent < Decimal::ZERO {
            return Err(MoneyError::PercentMustNotBeNegative);
        }
        Ok(Percent(percent.normalize()))
    }

    /// The number before the sign: 19 for 19%.
    pub fn as_decimal(&self) -> Decimal {
        self.0
    }

    /// Hundredths: 0.19 for 19%. Refused when it would need more than 28 decimals.
    pub fn as_fraction(&self) -> Result<Decimal, MoneyError> {
        Decimal::try_from_i128_with_scale(self.0.mantissa(), self.0.scale() + 2).map_err(|_| MoneyError::TooManyDigits)
    }

    /// This share of an amount, rounded once to micros.
    pub fn of(&self, amount: Money) -> Result<Money, MoneyError> {
        let product = i128::from(amount.micros()).checked_mul(self.0.mantissa()).ok_or(MoneyError::Overflow)?;
        let micros = round_ratio(product, 100 * 10i128.pow(self.0.scale()));
        Ok(Money::from_micros(i64::try_from(micros).map_err(|_| MoneyError::Overflow)?, amount.currency()))
    }
}

impl FromStr for Percent {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        Percent::new(parse_decimal(text)?)
    }
}

impl fmt::Display for Percent {
    /// `19%`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

impl Serialize for Percent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.to_string())
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Currency;

    #[test]
    fn a_share_is_rounded_once() {
        let amount = Money::parse("0.05", Currency::EUR).unwrap();
        // 0.05 x 33.3333333% = 0.01666666665, to micros 0.016667
        assert_eq!("33.3333333".parse::<Percent>().unwrap().of(amount).unwrap().micros(), 16_667);
        assert!("-1".parse::<Percent>().is_err());
        assert_eq!("19.0".parse::<Percent>().unwrap().to_string(), "19%");
        assert_eq!("19".parse::<Percent>().unwrap().as_fraction().unwrap().to_string(), "0.19");
    }
}
