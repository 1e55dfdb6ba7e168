//! [`Money`]: an amount and its currency, and the sums that can be made of it.

use std::cmp::Ordering;
use std::fmt;

use rust_decimal::Decimal;

use crate::{Currency, MoneyError, decimal::round_ratio, parse_decimal};

/// Micros in one main unit of any currency.
pub const MICROS_PER_UNIT: i64 = 1_000_000;

/// How an amount is brought to the minor unit. Named at each place where it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// 0.005 becomes 0.01 and -0.005 becomes -0.01: what is charged, taxed and invoiced.
    HalfAwayFromZero,
    /// Towards minus infinity: how a balance is shown, so that nobody sees money that cannot be spent.
    Down,
}

/// An amount in micros (millionths of the currency's main unit).
///
/// There is no `PartialOrd` and no `Add`: amounts of two currencies have no order and no sum, so [`Money::compare`] and
/// [`Money::checked_add`] return the refusal.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    micros: i64,
    currency: Currency,
}

impl Money {
    /// An amount of whole micros.
    pub const fn from_micros(micros: i64, currency: Currency) -> Money {
        Money { micros, currency }
    }

    /// Nothing, in a currency.
    pub const fn zero(currency: Currency) -> Money {
        Money { micros: 0, currency }
    }

    /// An amount of whole minor units (cents, yen, fils).
    pub fn from_minor(minor_units: i64, currency: Currency) -> Result<Money, MoneyError> {
        let micros = minor_units.checked_mul(currency.micros_per_minor()).ok_or(MoneyError::Overflow)?;
        Ok(Money { micros, currency })
    }

    /// An exact decimal amount of main units, rounded once, half away from zero, to micros.
    pub fn from_decimal(amount: Decimal, currency: Currency) -> Result<Money, MoneyError> {
        let scale = amount.scale();
        // The mantissa has at most 96 bits, so six more digits always fit into 127.
        let micros = round_ratio(amount.mantissa() * i128::from(MICROS_PER_UNIT), 10i128.pow(scale));
        Ok(Money { micros: i64::try_from(micros).map_err(|_| MoneyError::Overflow)?, currency })
    }

    /// Reads `16.55`. More than six decimals is [`MoneyError::FinerThanMicros`]: what a person writes is never rounded.
    pub fn parse(text: &str, currency: Currency) -> Result<Money, MoneyError> {
        let amount = parse_decimal(text)?;
        if amount.normalize().scale() > 6 {
            return Err(MoneyError::FinerThanMicros);
        }
        Money::from_decimal(amount, currency)
    }

    /// Millionths of the main unit.
    pub const fn micros(&self) -> i64 {
        self.micros
    }

    /// The currency of the amount.
    pub const fn currency(&self) -> Currency {
        self.currency
    }

    /// Whole minor units, when the amount is a whole number of them.
    pub fn minor_units(&self) -> Result<i64, MoneyError> {
        let granule = self.currency.micros_per_minor();
        if self.micros % granule != 0 {
            return Err(MoneyError::FinerThanMinorUnit(self.currency));
        }
        Ok(self.micros / granule)
    }

    /// The amount as an exact decimal of main units.
    pub fn as_decimal(&self) -> Decimal {
        Decimal::from_i128_with_scale(i128::from(self.micros), 6).normalize()
    }

    /// Is it nothing?
    pub const fn is_zero(&self) -> bool {
        self.micros == 0
    }

    /// Is it below zero?
    pub const fn is_negative(&self) -> bool {
        self.micros < 0
    }

    /// Is it above zero?
    pub const fn is_positive(&self) -> bool {
        self.micros > 0
    }

    /// The sum; refuses another currency and an overflow.
    pub fn checked_add(self, other: Money) -> Result<Money, MoneyError> {
        self.must_match(other)?;
        self.with(self.micros.checked_add(other.micros))
    }

    /// The difference; refuses another currency and an overflow.
    pub fn checked_sub(self, other: Money) -> Result<Money, MoneyError> {
        self.must_match(other)?;
        self.with(self.micros.checked_sub(other.micros))
    }

    /// The opposite amount.
    pub fn checked_neg(self) -> Result<Money, MoneyError> {
        self.with(self.micros.checked_neg())
    }

    /// The amount without its sign.
    pub fn checked_abs(self) -> Result<Money, MoneyError> {
        self.with(self.micros.checked_abs())
    }

    /// The amount a whole number of times.
    pub fn checked_mul(self, times: i64) -> Result<Money, MoneyError> {
        self.with(self.micros.checked_mul(times))
    }

    /// `amount x numerator / denominator`, rounded once to micros. A denominator of zero or less is an overflow.
    pub fn scale(self, numerator: i64, denominator: i64) -> Result<Money, MoneyError> {
        if denominator <= 0 {
            return Err(MoneyError::Overflow);
        }
        let micros = round_ratio(i128::from(self.micros) * i128::from(numerator), i128::from(denominator));
        self.with(i64::try_from(micros).ok())
    }

    /// The sum of amounts that are all in `currency`; zero when there are none.
    pub fn sum(currency: Currency, amounts: impl IntoIterator<Item = Money>) -> Result<Money, MoneyError> {
        amounts.into_iter().try_fold(Money::zero(currency), Money::checked_add)
    }

    /// The order of two amounts of one currency.
    pub fn compare(self, other: Money) -> Result<Ordering, MoneyError> {
        self.must_match(other)?;
        Ok(self.micros.cmp(&other.micros))
    }

    /// Is it `other` or more?
    pub fn at_least(self, other: Money) -> Result<bool, MoneyError> {
        Ok(self.compare(other)?.is_ge())
    }

    /// The smaller of two amounts.
    pub fn min(self, other: Money) -> Result<Money, MoneyError> {
        Ok(if self.compare(other)?.is_le() { self } else { other })
    }

    /// The larger of two amounts.
    pub fn max(self, other: Money) -> Result<Money, MoneyError> {
        Ok(if self.compare(other)?.is_ge() { self } else { other })
    }

    /// The amount in whole minor units, and the remainder that rounding took away or added: they sum to the amount.
    pub fn to_minor(self, rounding: Rounding) -> Result<(Money, Money), MoneyError> {
        let granule = self.currency.micros_per_minor();
        let units = match rounding {
            Rounding::HalfAwayFromZero => round_ratio(i128::from(self.micros), i128::from(granule)),
            Rounding::Down => i128::from(self.micros.div_euclid(granule)),
        };
        let rounded = self.with(i64::try_from(units * i128::from(granule)).ok())?;
        Ok((rounded, self.checked_sub(rounded)?))
    }

    /// `16.55`: the currency's minor digits at least, and up to six where they are not zero. For machines.
    pub fn format_plain(&self) -> String {
        let magnitude = self.micros.unsigned_abs();
        let unit = MICROS_PER_UNIT.unsigned_abs();
        let mut fraction = format!("{:06}", magnitude % unit);
        while fraction.len() > self.currency.exponent() as usize && fraction.ends_with('0') {
            fraction.pop();
        }
        let sign = if self.micros < 0 { "-" } else { "" };
        let point = if fraction.is_empty() { "" } else { "." };
        format!("{sign}{}{point}{fraction}", magnitude / unit)
    }

    fn must_match(self, other: Money) -> Result<(), MoneyError> {
        if self.currency == other.currency {
            return Ok(());
        }
        Err(MoneyError::CurrencyMustMatch { expected: self.currency, found: other.currency })
    }

    fn with(self, micros: Option<i64>) -> Result<Money, MoneyError> {
        Ok(Money { micros: micros.ok_or(MoneyError::Overflow)?, currency: self.currency })
    }
}

impl fmt::Display for Money {
    /// `16.55 EUR`, for logs and errors; people read [`Money::human`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.format_plain(), self.currency)
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eur(text: &str) -> Money {
        Money::parse(text, Currency::EUR).unwrap()
    }

    #[test]
    fn an_amount_is_rounded_once_half_away_from_zero_when_it_becomes_money() {
        for (text, micros) in
            [("0.0000005", 1), ("-0.0000005", -1), ("0.00000049999", 0), ("50.0138888888888888888888889", 50_013_889)]
        {
            let amount = parse_decimal(text).unwrap();
            assert_eq!(Money::from_decimal(amount, Currency::EUR).unwrap().micros(), micros, "{text}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let largest = Money::from_micros(i64::MAX, Currency::EUR);
        assert_eq!(largest.checked_add(Money::from_micros(1, Currency::EUR)), Err(MoneyError::Overflow));
        assert_eq!(Money::from_micros(i64::MIN, Currency::EUR).checked_neg(), Err(MoneyError::Overflow));
        assert_eq!(Money::parse("9223372036854.775808", Currency::EUR), Err(MoneyError::Overflow));
        assert_eq!(Money::parse("9223372036854.775807", Currency::EUR).unwrap(), largest);
        assert_eq!(largest.to_minor(Rounding::HalfAwayFromZero), Err(MoneyError::Overflow));
        assert_eq!(Money::parse("0.0000001", Currency::EUR), Err(MoneyError::FinerThanMicros));
    }

    #[test]
    fn two_currencies_never_meet() {
        let dollar = Money::parse("1", Currency::USD).unwrap();
        let refusal = MoneyError::CurrencyMustMatch { expected: Currency::EUR, found: Currency::USD };
        assert_eq!(eur("1").checked_add(dollar), Err(refusal.clone()));
        assert_eq!(eur("1").checked_sub(dollar), Err(refusal.clone()));
        assert_eq!(eur("1").compare(dollar), Err(refusal.clone()));
        assert_eq!(Money::sum(Currency::EUR, [eur("1"), dollar]), Err(refusal));
    }

    #[test]
    fn rounding_to_the_minor_unit_keeps_the_remainder() {
        for (amount, rounding, rounded, remainder) in [
            ("0.058", Rounding::HalfAwayFromZero, "0.06", "-0.002"),
            ("0.055", Rounding::HalfAwayFromZero, "0.06", "-0.005"),
            ("-0.055", Rounding::HalfAwayFromZero, "-0.06", "0.005"),
            ("0.058", Rounding::Down, "0.05", "0.008"),
            ("-0.051", Rounding::Down, "-0.06", "0.009"),
            ("2", Rounding::Down, "2", "0"),
        ] {
            assert_eq!(
                eur(amount).to_minor(rounding).unwrap(),
                (eur(rounded), eur(remainder)),
                "{amount} {rounding:?}"
            );
        }
    }

    #[test]
    fn plain_text_has_the_minor_digits_at_least() {
        for (text, code, plain) in [
            ("16.55", "EUR", "16.55"),
            ("16.5", "EUR", "16.50"),
            ("-0.022", "EUR", "-0.022"),
            ("100", "JPY", "100"),
            ("0.000001", "JPY", "0.000001"),
            ("1.5", "KWD", "1.500"),
        ] {
            assert_eq!(Money::parse(text, code.parse().unwrap()).unwrap().format_plain(), plain);
        }
    }
}
