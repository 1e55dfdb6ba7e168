use crate::error::LedgerError;
use rust_decimal::Decimal;
use std::fmt;

const MICROS: i64 = 1_000_000;

/// A quantity of a meter's unit (minutes, calls), to the millionth, as usage is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Units {
    micros: i64,
}

impl Units {
    pub const ZERO: Units = Units { micros: 0 };

    pub const fn from_micros(micros: i64) -> Units {
        Units { micros }
    }

    /// A quantity as a meter has it; more than six decimals are refused, for usage has none.
    pub fn of(quantity: Decimal) -> Result<Units, LedgerError> {
        let quantity = quantity.normalize();
        let refused = LedgerError::UnitsMustFit(quantity);
        let Some(decimals_left) = 6u32.checked_sub(quantity.scale()) else { return Err(refused) };
        let micros = i64::try_from(quantity.mantissa()).ok().and_then(|m| m.checked_mul(10i64.pow(decimals_left)));
        micros.map(Units::from_micros).ok_or(refused)
    }

    pub const fn micros(self) -> i64 {
        self.micros
    }

    pub fn as_decimal(self) -> Decimal {
        Decimal::new(self.micros, 6).normalize()
    }

    pub const fn is_positive(self) -> bool {
        self.micros > 0
    }

    /// This much less; below zero where `other` is more. Never overflows: both were stored.
    pub const fn less(self, other: Units) -> Units {
        Units { micros: self.micros.saturating_sub(other.micros) }
    }

    pub const fn plus(self, other: Units) -> Units {
        Units { micros: self.micros.saturating_add(other.micros) }
    }

    /// Nothing instead of less than nothing.
    pub fn or_zero(self) -> Units {
        self.max(Units::ZERO)
    }

    /// The whole units in it, rounded down.
    pub const fn whole(self) -> i64 {
        self.micros.div_euclid(MICROS)
    }
}

impl fmt::Display for Units {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_decimal())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_have_six_decimals_as_usage_has_and_no_seventh() {
        for (text, micros) in
            [("0", 0), ("0.3", 300_000), ("0.166667", 166_667), ("600", 600_000_000), ("-1.5", -1_500_000)]
        {
            let units = Units::of(text.parse().unwrap()).unwrap();
            assert_eq!(units.micros(), micros, "{text}");
            assert_eq!(units.to_string(), text);
        }
        assert!(Units::of("0.0000001".parse().unwrap()).is_err());
        assert!(Units::of(Decimal::MAX).is_err());
    }
}
