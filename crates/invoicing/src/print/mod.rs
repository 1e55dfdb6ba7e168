//! Paper: a document's content as typed data ([`Paper`]), and what turns it into a PDF ([`Renderer`]).
//! Nothing in here knows a table, a price or a tax rule: a paper arrives with every amount computed, and a paper whose sums
//! disagree is refused before a page is set (I9). The same paper gives the same bytes.

mod engine;
mod paper;
mod qr;
mod quote;
mod report;
pub(crate) mod settlement;

pub use engine::{TypstRenderer, typst_renderer};
pub use paper::{
    Bank, Brand, Group, Legal, Line, Online, Original, Paper, PaperKind, Party, Payment, Payout, Qr, QrKind, Settled,
    Share, Span, Split, SplitRow, SplitTotal, Subline, TaxRow, Totals,
};
pub use qr::epc_payload;
pub use quote::{Once, QuoteTerms};
pub use report::{Report, ReportRow, Section};

use std::collections::BTreeSet;

/// A finished file, and the characters that no font has and that were therefore printed as a question mark.
pub struct Printed {
    /// PDF/A-3b.
    pub bytes: Vec<u8>,
    /// Worth a notice to the issuer: somebody's name is printed incompletely.
    pub replaced: BTreeSet<char>,
}

/// Why a paper is not printed.
#[derive(Debug, thiserror::Error)]
pub enum PrintError {
    /// I9: the lines are the net total.
    #[error("the lines sum to {found}, the net total says {expected}")]
    LinesMustSumToNet { expected: String, found: String },
    /// I9: the tax bases are the net total.
    #[error("the tax bases sum to {found}, the net total says {expected}")]
    BasesMustSumToNet { expected: String, found: String },
    /// I9: the tax groups are the tax total.
    #[error("the taxes sum to {found}, the tax total says {expected}")]
    TaxesMustSumToTax { expected: String, found: String },
    /// I9: net and tax are the gross total.
    #[error("net and tax are {found}, the gross total says {expected}")]
    NetAndTaxMustBeGross { expected: String, found: String },
    /// I9: what is due is the gross total less what was settled.
    #[error("gross less what was settled is {found}, the amount due says {expected}")]
    SettledMustLeaveDue { expected: String, found: String },
    /// What is charged once sums by itself.
    #[error("what is charged once sums to {found}, its total says {expected}")]
    OnceMustSum { expected: String, found: String },
    /// Five languages have their words.
    #[error("documents speak en, de, fr, es and pl, not {0}")]
    LanguageMustBeKnown(String),
    /// The payment text does not fit a QR code.
    #[error("the text does not fit a QR code")]
    QrTextTooLong,
    /// A fault in a template or a font, or a logo that is no SVG.
    #[error("the page could not be set: {0}")]
    Typesetting(String),
    /// The rendering thread ended early.
    #[error("rendering was interrupted")]
    Interrupted,
}

/// Something that prints papers. The product has one, [`TypstRenderer`]; a test may hold another.
pub trait Renderer: Send + Sync {
    /// The PDF of a paper. Takes tens of milliseconds of one core: call it off the async threads.
    fn render(&self, paper: &Paper) -> Result<Printed, PrintError>;
}
