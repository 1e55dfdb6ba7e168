//! Amounts as people read them: sign, symbol, thousands, and the currency's own number of decimals.

use rust_decimal::{Decimal, RoundingStrategy};

use crate::{Currency, Money};

/// The minus sign, U+2212: as wide as a digit, never broken from its number.
const MINUS: &str = "−";

impl Money {
    /// `€1,284.60`, `−€16.55`, `¥1,000`: rounded half away from zero to the minor unit.
    pub fn human(&self) -> String {
        spelled(self.as_decimal(), self.currency().exponent(), &self.currency().symbol())
    }

    /// As [`Money::human`] with a plus before money that came in: `+€30.00`.
    pub fn human_signed(&self) -> String {
        let plus = if self.is_positive() { "+" } else { "" };
        format!("{plus}{}", self.human())
    }

    /// Without the symbol, for a table whose head names the currency: `1,284.60`.
    pub fn human_bare(&self) -> String {
        spelled(self.as_decimal(), self.currency().exponent(), "")
    }

    /// A balance, rounded down to the minor unit: nobody is shown money that cannot be spent.
    pub fn human_balance(&self) -> String {
        self.spelled_down(&self.currency().symbol())
    }

    /// As [`Money::human_balance`] without the symbol, for the column of a statement.
    pub fn human_balance_bare(&self) -> String {
        self.spelled_down("")
    }

    fn spelled_down(&self, symbol: &str) -> String {
        let digits = self.currency().exponent();
        let down = self.as_decimal().round_dp_with_strategy(digits, RoundingStrategy::ToNegativeInfinity);
        spelled(down, digits, symbol)
    }

    /// An estimate, without decimals: `€113,363`.
    pub fn human_estimate(&self) -> String {
        spelled(self.as_decimal(), 0, &self.currency().symbol())
    }

    /// A rate or a small charge, as long as it is exact up to six decimals: `€0.25`, `€0.0040`, `€0.008333`.
    pub fn human_rate(&self) -> String {
        self.currency().human_rate(self.as_decimal())
    }
}

impl Currency {
    /// An exact rate in main units, as long as it is exact up to six decimals. Beyond the minor unit it has four at least,
    /// so that rates stand under one another: `€0.25`, `€0.0040`, `€0.0125`, `€0.008333`.
    pub fn human_rate(&self, rate: Decimal) -> String {
        let rounded = rate.round_dp_with_strategy(6, RoundingStrategy::MidpointAwayFromZero).normalize();
        let digits = if rounded.scale() <= self.exponent() { self.exponent() } else { rounded.scale().max(4) };
        spelled(rounded, digits, &self.symbol())
    }
}

/// Sign, symbol, grouped whole part, and exactly `digits` decimals.
fn spelled(amount: Decimal, digits: u32, symbol: &str) -> String {
    let rounded = amount.round_dp_with_strategy(digits, RoundingStrategy::MidpointAwayFromZero);
    let sign = if rounded.is_sign_negative() && !rounded.is_zero() { MINUS } else { "" };
    let text = format!("{:.*}", digits as usize, rounded.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{symbol}{}{point}{fraction}", grouped(whole))
}

/// Digits in groups of three: `1284` becomes `1,284`.
fn grouped(whole: &str) -> String {
    let mut text = String::with_capacity(whole.len() + whole.len() / 3);
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_read_sign_symbol_thousands_and_the_minor_digits() {
        for (text, code, spelled) in [
            ("16.55", "EUR", "€16.55"),
            ("-16.55", "EUR", "−€16.55"),
            ("1284.6", "EUR", "€1,284.60"),
            ("1234567.891", "USD", "$1,234,567.89"),
            ("0.005", "EUR", "€0.01"),
            ("-0.001", "EUR", "€0.00"),
            ("100000", "JPY", "¥100,000"),
            ("1.5", "KWD", "KWD\u{a0}1.500"),
            ("-2", "CHF", "−CHF\u{a0}2.00"),
        ] {
            assert_eq!(Money::parse(text, code.parse().unwrap()).unwrap().human(), spelled);
        }
    }

    #[test]
    fn other_spellings_serve_tables_balances_estimates_and_rates() {
        let eur = |text: &str| Money::parse(text, Currency::EUR).unwrap();
        assert_eq!(eur("1284.6").human_bare(), "1,284.60");
        assert_eq!(eur("30").human_signed(), "+€30.00");
        assert_eq!(eur("-30").human_signed(), "−€30.00");
        assert_eq!(eur("9.999999").human_balance(), "€9.99");
        assert_eq!(eur("1003.405").human_balance_bare(), "1,003.40");
        assert_eq!(eur("-0.001").human_balance(), "−€0.01");
        assert_eq!(eur("113363.25").human_estimate(), "€113,363");
        for (rate, spelled) in [
            ("0.25", "€0.25"),
            ("0.5", "€0.50"),
            ("0.004", "€0.0040"),
            ("0.0125", "€0.0125"),
            ("0.008333", "€0.008333"),
            ("50", "€50.00"),
        ] {
            assert_eq!(eur(rate).human_rate(), spelled);
        }
    }
}
