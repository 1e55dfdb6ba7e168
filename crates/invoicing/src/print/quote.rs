//! What only a quote has: until when it holds, what is charged once, and what the figures rest on.

use super::paper::{same, sum};
use super::{Line, PrintError, TaxRow};
use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// The part of a quote that other papers have not. Lines and totals of the paper are those of one month.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QuoteTerms {
    /// The last day on which it can be accepted.
    pub valid_until: NaiveDate,
    /// For how long it is agreed: "12 months".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term: Option<String>,
    /// Who answers questions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contact: Vec<String>,
    /// Paragraphs for the reader.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub text: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub once: Option<Once>,
    /// What the month was reckoned with: word and value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assumptions: Vec<(String, String)>,
}

/// What is charged once, at the start.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Once {
    pub lines: Vec<Line>,
    pub net: Decimal,
    pub taxes: Vec<TaxRow>,
    pub total: Decimal,
}

impl QuoteTerms {
    /// Refuses sums of what is charged once that disagree.
    pub(super) fn must_sum(&self) -> Result<(), PrintError> {
        let Some(once) = &self.once else { return Ok(()) };
        let refuse = |expected, found| PrintError::OnceMustSum { expected, found };
        same(once.net, sum(once.lines.iter().map(|line| line.amount)), refuse)?;
        same(once.net, sum(once.taxes.iter().map(|row| row.base)), refuse)?;
        let taxes = once.taxes.iter().map(|row| row.tax);
        same(once.total, sum(std::iter::once(once.net).chain(taxes)), refuse)
    }
}
