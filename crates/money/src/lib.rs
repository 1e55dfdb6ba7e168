//! Money as whole millionths of a currency's main unit, with its rounding, its shares and its spelling.
//! Never: a float, an amount without a currency, a silent overflow, a rounding that is not named at the place.
//! Invariants: two currencies never meet in one sum; the parts of a share sum to the whole exactly; what is allocated of a
//! negative amount mirrors what is allocated of the positive one. Pure: no clock, no database, no network.
//! Start at `amount.rs` ([`Money`]), then `allocate.rs` and `human.rs`.

mod allocate;
mod amount;
mod currency;
mod decimal;
mod error;
mod human;
mod json;
mod percent;

pub use amount::{MICROS_PER_UNIT, Money, Rounding};
pub use currency::Currency;
pub use decimal::{mul_div_floor, parse_decimal, round_ratio};
pub use error::MoneyError;
pub use percent::Percent;

pub use rust_decimal::Decimal;
