//! A report: words and figures that a page shows, set on paper under the seller's brand. It computes nothing.

use super::Brand;
use chrono::NaiveDate;
use serde::Serialize;

/// What a report says.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub lang: String,
    /// `a4` or `us-letter`.
    pub paper: String,
    /// ISO 4217.
    pub currency: String,
    pub title: String,
    /// Paragraphs below the title.
    pub text: Vec<String>,
    pub sections: Vec<Section>,
    pub issued: NaiveDate,
    pub brand: Brand,
    /// Tells one file from another; not printed.
    pub number: String,
}

/// A heading and a table below it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Section {
    pub title: String,
    /// Small, below the heading.
    pub note: String,
    /// Of the columns; none where labels and values need none.
    pub heads: Vec<String>,
    pub rows: Vec<ReportRow>,
}

/// A row: the first cell to the left, the others to the right.
#[derive(Clone, Debug, Serialize)]
pub struct ReportRow {
    pub cells: Vec<String>,
    pub is_sum: bool,
}

impl ReportRow {
    pub fn new<T: Into<String>>(cells: impl IntoIterator<Item = T>) -> ReportRow {
        ReportRow { cells: cells.into_iter().map(Into::into).collect(), is_sum: false }
    }

    /// Sums the rows above it.
    pub fn sum(self) -> ReportRow {
        ReportRow { is_sum: true, ..self }
    }
}
