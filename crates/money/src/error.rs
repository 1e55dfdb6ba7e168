use crate::Currency;

/// Every rule of this crate that an input can break.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Two amounts of different currencies met in one sum or comparison.
    #[error("{found} where {expected} is wanted")]
    CurrencyMustMatch { expected: Currency, found: Currency },
    /// The text is not an upper-case ISO 4217 code of a currency with a minor unit.
    #[error("\"{0}\" is not an ISO 4217 currency code")]
    CurrencyMustBeIso4217(String),
    /// The result does not fit into 64 bits of micros, or into 28 decimal digits.
    #[error("the amount is too large")]
    Overflow,
    /// The text is not a plain decimal number.
    #[error("\"{0}\" is not a decimal number")]
    NotADecimal(String),
    /// More than 28 significant digits, or more than 28 decimals.
    #[error("a number has at most 28 digits")]
    TooManyDigits,
    /// A share at minor-unit granularity needs an amount in whole minor units.
    #[error("the amount is finer than the minor unit of {0}")]
    FinerThanMinorUnit(Currency),
    /// An amount written by hand has more than six decimals.
    #[error("an amount has at most six decimals")]
    FinerThanMicros,
    /// A share needs at least one weight above zero.
    #[error("at least one weight must be above zero")]
    WeightsMustNotBeZero,
    /// Weights are not negative.
    #[error("a weight must not be negative")]
    WeightMustNotBeNegative,
    /// Percentages are not negative.
    #[error("a percentage must not be negative")]
    PercentMustNotBeNegative,
    /// The percentages of a split must sum to 100.
    #[error("the shares sum to {0}%, not to 100%")]
    SharesMustSumToWhole(String),
}
