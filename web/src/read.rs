//! What people type, read strictly: numbers with thousands in groups of three, durations, days. Each refusal is a sentence for
//! the field.

use chrono::NaiveDate;
use money::{Currency, Money, MoneyError, parse_decimal};
use rust_decimal::Decimal;

/// A number: `0.55`, `3,000`, `1 500`. A comma is a thousands mark only where three digits follow; `0,55` is asked again
/// instead of being read as 55.
pub fn number(text: &str) -> Result<Decimal, String> {
    let text = text.trim().replace(['\u{a0}', '\u{202f}', ' '], "").replace('−', "-");
    if text.is_empty() {
        return Err("Must not be empty.".into());
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let mut groups = whole.split(',');
    let first = groups.next().unwrap_or_default().trim_start_matches('-');
    let is_grouped = !first.is_empty() && first.len() <= 3 && groups.all(|group| group.len() == 3);
    if fraction.contains(',') || whole.contains(',') && !is_grouped {
        return Err("Must have a point before its decimals, as in 0.55.".into());
    }
    let digits = text.replace(['e', 'E'], "no exponents");
    parse_decimal(&digits.replace(',', "")).map_err(|refused| match refused {
        MoneyError::TooManyDigits => "Has more digits than can be kept.".into(),
        _ => "Must be a number, such as 0.55.".into(),
    })
}

/// A number that is zero or above.
pub fn amount(text: &str) -> Result<Decimal, String> {
    let number = number(text)?;
    if number < Decimal::ZERO { Err("Must not be negative.".into()) } else { Ok(number) }
}

/// An amount in whole minor units, zero or above.
pub fn money(text: &str, currency: Currency) -> Result<Money, String> {
    let money = Money::from_decimal(amount(text)?, currency).map_err(|_| "Is too large.".to_owned())?;
    money.minor_units().map_err(|_| format!("Must not be finer than the smallest coin of {currency}."))?;
    Ok(money)
}

/// A whole number within bounds.
pub fn count(text: &str, least: u32, most: u32) -> Result<u32, String> {
    let refused = || {
        format!(
            "Must be a whole number from {} to {}.",
            crate::format::count(least.into()),
            crate::format::count(most.into())
        )
    };
    let number = number(text)?.normalize();
    if number.scale() > 0 {
        return Err(refused());
    }
    u32::try_from(number.mantissa()).ok().filter(|count| (least..=most).contains(count)).ok_or_else(refused)
}

/// A share in percent, as a number from 0 to 100.
pub fn percent(text: &str) -> Result<Decimal, String> {
    let percent = number(text.trim_end_matches(['%', ' ']))?;
    if percent < Decimal::ZERO || percent > Decimal::ONE_HUNDRED {
        return Err("Must be from 0 to 100.".into());
    }
    Ok(percent)
}

/// A duration in seconds: `2:30` is minutes and seconds, `150` is seconds.
pub fn seconds(text: &str) -> Result<Decimal, String> {
    let Some((minutes, seconds)) = text.trim().split_once(':') else { return amount(text) };
    let wrong = || "Must be minutes and seconds, as in 2:30.".to_owned();
    let minutes = amount(minutes).map_err(|_| wrong())?;
    let seconds = amount(seconds).map_err(|_| wrong())?;
    if seconds >= Decimal::from(60) {
        return Err(wrong());
    }
    Ok(minutes * Decimal::from(60) + seconds)
}

/// A day, as a browser's date field sends it.
pub fn day(text: &str) -> Result<NaiveDate, String> {
    NaiveDate::parse_from_str(text.trim(), "%Y-%m-%d").map_err(|_| "Must be a day, such as 2026-12-01.".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_people_write_them() {
        for (text, value) in
            [("0.55", "0.55"), (" 3,000 ", "3000"), ("1,234,567.89", "1234567.89"), ("1 500", "1500"), ("−2", "-2")]
        {
            assert_eq!(number(text), Ok(value.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn a_comma_for_a_point_is_asked_again_and_never_guessed() {
        for text in ["0,55", "12,5", "1,00", ",500", "1000,000", "0.5,5"] {
            assert_eq!(number(text), Err("Must have a point before its decimals, as in 0.55.".into()), "{text}");
        }
        for text in ["x", "1e", "--1", "1.", "1.2.3"] {
            assert!(number(text).is_err(), "{text}");
        }
    }

    #[test]
    fn counts_shares_durations_and_days_keep_their_bounds() {
        assert_eq!(count("12", 1, 120), Ok(12));
        assert_eq!(count("121", 1, 120), Err("Must be a whole number from 1 to 120.".into()));
        assert!(count("1.5", 1, 120).is_err() && count("-1", 0, 9).is_err());
        assert_eq!(percent("85 %"), Ok(Decimal::from(85)));
        assert!(percent("100.1").is_err() && percent("-1").is_err());
        assert_eq!(seconds("2:30"), Ok(Decimal::from(150)));
        assert_eq!(seconds("45"), Ok(Decimal::from(45)));
        assert!(seconds("2:75").is_err() && seconds("2:3x").is_err());
        assert!(day("2026-02-30").is_err() && day("2026-02-28").is_ok());
    }
}
