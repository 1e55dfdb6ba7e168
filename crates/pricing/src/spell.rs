//! Numbers in explanations.

use money::Decimal;

use crate::Exact;

/// Decimals of the amounts and factors in an explanation.
const PLACES: u32 = 10;

/// A number for an explanation; zero when it is beyond what can be written, which the sum itself then refuses.
pub(crate) fn shown(number: &Exact) -> Decimal {
    number.to_decimal_places(PLACES).unwrap_or_default()
}

/// A rate or an amount as it was written, with two decimals at least: `0.5` is `0.50`.
pub(crate) fn rate(number: Decimal) -> String {
    let number = number.normalize();
    if number.scale() < 2 { format!("{number:.2}") } else { number.to_string() }
}

/// A quantity: `20.0`, `3.05`.
pub(crate) fn quantity(number: Decimal) -> String {
    let number = number.normalize();
    if number.scale() < 1 { format!("{number:.1}") } else { number.to_string() }
}
