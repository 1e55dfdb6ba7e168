//! Decimal text, exact integer ratios, and the one rounding rule.

use rust_decimal::Decimal;

use crate::MoneyError;

/// Digits that a number may have, before and after the point together.
const DIGITS_MAX: usize = 28;

/// Reads a decimal number by its text: `-12.50`, `0.0007`, `1e3` (exactly 1000).
///
/// A leading `+`, `.5`, `5.`, spaces and anything else that is not plain digits is [`MoneyError::NotADecimal`]; more than
/// 28 significant digits or 28 decimals is [`MoneyError::TooManyDigits`]. Zeros that carry no value do not count.
pub fn parse_decimal(text: &str) -> Result<Decimal, MoneyError> {
    let refused = || MoneyError::NotADecimal(text.chars().take(40).collect());
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent).ok_or_else(refused)?),
        None => (rest, 0),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) if is_digits(fraction) => (whole, fraction),
        Some(_) => return Err(refused()),
        None => (mantissa, ""),
    };
    if !is_digits(whole) {
        return Err(refused());
    }
    let digits: String = whole.chars().chain(fraction.chars()).collect();
    assemble(negative, &digits, fraction.len() as i64 - exponent)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The number after `e`. An exponent with more digits than any useful one is capped: it overflows later either way.
fn parse_exponent(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if !is_digits(digits) {
        return None;
    }
    let magnitude = digits.parse::<i64>().unwrap_or(i64::MAX).min(1_000_000_000);
    Some(if negative { -magnitude } else { magnitude })
}

/// `digits` x 10^-`scale`, after the zeros that carry no value are dropped.
fn assemble(negative: bool, digits: &str, scale: i64) -> Result<Decimal, MoneyError> {
    let significant = digits.trim_start_matches('0');
    let trimmed = significant.trim_end_matches('0');
    if trimmed.is_empty() {
        return Ok(Decimal::ZERO);
    }
    // Trailing zeros of the fraction are kept as far as they fit, so that "2.50" stays "2.50".
    let (digits, scale) = match (significant.len() <= DIGITS_MAX, scale) {
        (true, 0..=28) => (significant, scale),
        _ => (trimmed, scale - (significant.len() - trimmed.len()) as i64),
    };
    let zeros = usize::try_from(-scale).unwrap_or(0);
    if digits.len().saturating_add(zeros) > DIGITS_MAX || scale > DIGITS_MAX as i64 {
        return Err(MoneyError::TooManyDigits);
    }
    let magnitude: i128 = digits.parse().map_err(|_| MoneyError::TooManyDigits)?;
    let magnitude = magnitude * 10i128.pow(zeros as u32);
    let signed = if negative { -magnitude } else { magnitude };
    Decimal::try_from_i128_with_scale(signed, scale.max(0) as u32).map_err(|_| MoneyError::TooManyDigits)
}

/// `numerator / denominator` to a whole number, half away from zero. The denominator is above zero.
pub fn round_ratio(numerator: i128, denominator: i128) -> i128 {
    debug_assert!(denominator > 0, "a ratio has a denominator above zero");
    let quotient = numerator / denominator;
    let remainder = (numerator % denominator).unsigned_abs();
    // `remainder >= denominator - remainder` is `2 x remainder >= denominator` without the overflow.
    if remainder >= denominator.unsigned_abs() - remainder { quotient + numerator.signum() } else { quotient }
}

/// `units x weight / whole` as quotient and remainder, exact although the product may need 192 bits.
///
/// Needs `0 < whole < 2^127` and `weight <= whole`, so that the quotient fits.
pub fn mul_div_floor(units: u64, weight: u128, whole: u128) -> (u64, u128) {
    if let Some(product) = u128::from(units).checked_mul(weight) {
        // The quotient is at most `units` because `weight <= whole`.
        return ((product / whole) as u64, product % whole);
    }
    // Schoolbook multiplication by bits of `units`, highest first, dividing as it goes.
    let (mut quotient, mut remainder) = (0u64, 0u128);
    for bit in (0..64).rev() {
        quotient <<= 1;
        remainder <<= 1;
        if remainder >= whole {
            remainder -= whole;
            quotient += 1;
        }
        if units >> bit & 1 == 1 {
            remainder += weight;
            if remainder >= whole {
                remainder -= whole;
                quotient += 1;
            }
        }
    }
    (quotient, remainder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_taken_by_its_text() {
        for (text, value) in [
            ("0", "0"),
            ("-0", "0"),
            ("12.50", "12.50"),
            ("-0.0007", "-0.0007"),
            ("1e3", "1000"),
            ("1.5E-3", "0.0015"),
            ("15e+1", "150"),
            ("0e999999999999999999999", "0"),
            ("007", "7"),
            ("0.1000000000000000000000000000000000000", "0.1"),
            ("1e27", "1000000000000000000000000000"),
            ("9007199254740993", "9007199254740993"),
        ] {
            assert_eq!(parse_decimal(text).unwrap().to_string(), value, "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [
            "", "-", "+1", ".5", "5.", "1,5", "0x10", "1 000", "NaN", "Infinity", "1e", "e3", "1e3.5", "1.2.3", "--1",
            "١",
        ] {
            assert!(matches!(parse_decimal(text), Err(MoneyError::NotADecimal(_))), "{text}");
        }
        for text in ["1e28", "1e30", "1e-29", "12345678901234567890123456789", "1e99999999999999999999"] {
            assert_eq!(parse_decimal(text), Err(MoneyError::TooManyDigits), "{text}");
        }
    }

    #[test]
    fn a_half_goes_away_from_zero() {
        for (numerator, denominator, rounded) in
            [(5, 10, 1), (-5, 10, -1), (4, 10, 0), (-4, 10, 0), (15, 10, 2), (1, 3, 0), (2, 3, 1), (-7, 2, -4)]
        {
            assert_eq!(round_ratio(numerator, denominator), rounded, "{numerator}/{denominator}");
        }
    }

    #[test]
    fn a_wide_product_divides_exactly() {
        let whole = 10u128.pow(37);
        assert_eq!(mul_div_floor(u64::MAX, whole, whole), (u64::MAX, 0));
        // 9e18 x 1/3 of the whole, with the remainder that is left: 9e18 x 3333..3 = 2999..97 x 10^n.
        let (quotient, remainder) = mul_div_floor(9_000_000_000_000_000_000, whole / 3, whole);
        assert_eq!(quotient, 2_999_999_999_999_999_999);
        assert_eq!(remainder, whole - 3_000_000_000_000_000_000);
    }
}
