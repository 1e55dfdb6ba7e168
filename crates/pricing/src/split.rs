//! Splits of a gross amount between parties: 70/30, or any number of shares that sum to 100%.

use money::{Money, Percent};

use crate::PricingError;

/// Splits an amount in whole micros by the largest remainder, ties to the earlier party; the parts sum to the gross exactly, and
/// a negative gross (a refund) mirrors its positive one. The percentages sum to 100.
pub fn split(gross: Money, percents: &[Percent]) -> Result<Vec<Money>, PricingError> {
    Ok(gross.split_percent_micros(percents)?)
}

/// As [`split`], in whole minor units; the gross must be in whole minor units too.
pub fn split_minor(gross: Money, percents: &[Percent]) -> Result<Vec<Money>, PricingError> {
    Ok(gross.split_percent(percents)?)
}
