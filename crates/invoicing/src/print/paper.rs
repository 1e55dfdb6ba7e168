//! The typed data of a printed document. All amounts, quantities and rates are exact decimals of main units (strings in
//! JSON); dates are civil dates; periods are half-open. Fixed words come from the templates in the paper's language, while
//! line texts, sentences and explanations come translated in here.

use super::{PrintError, QuoteTerms};
use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// Languages that the templates speak.
const LANGUAGES: [&str; 5] = ["en", "de", "fr", "es", "pl"];

/// One document to print.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Paper {
    #[serde(flatten)]
    pub kind: PaperKind,
    /// Language of the fixed words: en, de, fr, es, pl.
    pub lang: String,
    /// Country of the reader; only US changes how dates are written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Second language of legal wording.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_lang: Option<String>,
    /// a4 or us-letter.
    #[serde(default = "a4")]
    pub paper: String,
    /// Address window: left, or right for French envelopes.
    #[serde(default = "left")]
    pub window: String,
    /// ISO 4217.
    pub currency: String,
    /// Digits of the minor unit.
    pub digits: u32,
    pub number: String,
    pub issued: NaiveDate,
    pub period: Span,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_no: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Prints a watermark: this is no document yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub draft: bool,
    /// `sales-tax` where the tax is not called VAT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax_word: Option<String>,
    pub brand: Brand,
    pub issuer: Party,
    pub recipient: Party,
    /// Lines by group. A settlement has a split instead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Group>,
    pub taxes: Vec<TaxRow>,
    pub totals: Totals,
    #[serde(default)]
    pub settled: Vec<Settled>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub legal: Vec<Legal>,
    /// How these prices were calculated: sentences that lines refer to by position, from 1.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub why: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<Payment>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub online: Option<Online>,
}

/// What only one kind of document has; the tag names the template.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "template", rename_all = "kebab-case")]
pub enum PaperKind {
    Invoice {
        due: NaiveDate,
        /// The customer's order number.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        po: Option<String>,
        /// The tax total in the state's own currency, as a sentence.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        local_tax: Option<String>,
    },
    /// Amounts are positive: they are credited.
    CreditNote {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        original: Option<Original>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refund: Option<String>,
    },
    /// A self-billed statement: the issuer pays the recipient.
    Settlement {
        split: Split,
        payout: Payout,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        contract: Option<String>,
    },
    /// What a month would come to; nothing is owed by it.
    Quote(QuoteTerms),
}

/// The seller's look: everything else follows from two colours.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Brand {
    pub name: String,
    /// Name of the logo's virtual file, when [`Brand::logo_svg`] holds one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo: Option<String>,
    /// `#rrggbb`.
    pub primary: String,
    /// `#rrggbb`.
    pub accent: String,
    /// Two to four columns of lines.
    #[serde(default)]
    pub footer: Vec<Vec<String>>,
    /// The logo itself. Travels beside the JSON, not in it.
    #[serde(skip)]
    pub logo_svg: Option<String>,
}

/// Issuer or recipient.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Party {
    pub name: String,
    #[serde(default)]
    pub lines: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contact: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax_label: Option<String>,
    /// The line above the address window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
}

/// `[start, end)`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Span {
    pub start: NaiveDate,
    pub end: NaiveDate,
}

/// Lines under one heading.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Group {
    /// A heading that the templates know: platform, seats, usage, channels, hours, numbers, addons, percent, discounts,
    /// commitment, late, one-off, correction, adjust ..
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// A heading of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subtotal: Option<Decimal>,
    pub lines: Vec<Line>,
}

/// One line. `amount` is net, in the minor unit.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Line {
    pub text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Printed where it differs from the document's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<Span>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qty: Option<Decimal>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Proration, as `20/30`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub factor: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Decimal>,
    /// Words where one price would be: calls have one each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priced: Option<String>,
    /// The price is a percentage, the quantity the amount that it is taken of.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub percent: bool,
    pub amount: Decimal,
    /// Tax category: S R Z E AE O, and T for sales tax.
    pub cat: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Decimal>,
    /// Tiers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subs: Vec<Subline>,
    /// Positions in [`Paper::why`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub why: Vec<u32>,
}

/// A tier of a line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Subline {
    pub text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qty: Option<Decimal>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Decimal>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Decimal>,
}

/// One tax group.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TaxRow {
    pub cat: String,
    pub rate: Decimal,
    pub base: Decimal,
    pub tax: Decimal,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// The sums; [`Paper::must_sum`] checks each against what it sums.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Totals {
    pub net: Decimal,
    pub tax: Decimal,
    pub gross: Decimal,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Decimal>,
}

/// What was paid before the document was made; negative.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Settled {
    /// payment or wallet-credit.
    pub code: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<NaiveDate>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    pub amount: Decimal,
}

/// A legal note: wording that the templates know by code (AE E O Z self cash), or a sentence.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Legal {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// Word (beneficiary, iban, bic, account, routing, swift, reference, bank) and value.
pub type Bank = Vec<(String, String)>;

/// How to pay.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Payment {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bank: Bank,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qr: Option<Qr>,
}

/// A code to scan.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Qr {
    pub kind: QrKind,
    pub text: String,
}

/// What a scanner does with it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum QrKind {
    /// A SEPA transfer.
    Epc,
    /// The document on the web.
    Link,
}

/// Where the document is on the web.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Online {
    pub url: String,
}

/// The document that a credit note corrects.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Original {
    pub number: String,
    pub issued: NaiveDate,
}

/// How what was collected is shared; `supplier` is the recipient.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Split {
    pub gross: Decimal,
    /// The supplier's share first, then the platform's.
    pub shares: Vec<Share>,
    pub rows: Vec<SplitRow>,
    pub total: SplitTotal,
}

/// One party's share.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Share {
    pub percent: Decimal,
    pub amount: Decimal,
}

/// One number's share.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SplitRow {
    pub text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    #[serde(flatten)]
    pub sums: SplitTotal,
}

/// Sums of a split.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SplitTotal {
    pub calls: Decimal,
    pub minutes: Decimal,
    pub gross: Decimal,
    pub supplier: Decimal,
    pub platform: Decimal,
}

/// When and where a settlement is paid to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Payout {
    pub date: NaiveDate,
    #[serde(default)]
    pub bank: Bank,
}

fn a4() -> String {
    "a4".into()
}

fn left() -> String {
    "left".into()
}

impl Paper {
    /// Name of the template.
    pub(crate) fn template(&self) -> &'static str {
        match self.kind {
            PaperKind::Invoice { .. } => "invoice",
            PaperKind::CreditNote { .. } => "credit-note",
            PaperKind::Settlement { .. } => "settlement",
            PaperKind::Quote(_) => "quote",
        }
    }

    /// Refuses a paper whose sums disagree (I9) or whose language has no words.
    pub fn must_sum(&self) -> Result<(), PrintError> {
        for lang in [Some(&self.lang), self.second_lang.as_ref()].into_iter().flatten() {
            if !LANGUAGES.contains(&lang.as_str()) {
                return Err(PrintError::LanguageMustBeKnown(lang.clone()));
            }
        }
        let totals = &self.totals;
        if !self.groups.is_empty() {
            let lines = sum(self.groups.iter().flat_map(|group| &group.lines).map(|line| line.amount));
            same(totals.net, lines, |expected, found| PrintError::LinesMustSumToNet { expected, found })?;
        }
        let bases = sum(self.taxes.iter().map(|tax| tax.base));
        same(totals.net, bases, |expected, found| PrintError::BasesMustSumToNet { expected, found })?;
        let taxes = sum(self.taxes.iter().map(|tax| tax.tax));
        same(totals.tax, taxes, |expected, found| PrintError::TaxesMustSumToTax { expected, found })?;
        let gross = sum([totals.net, totals.tax]);
        same(totals.gross, gross, |expected, found| PrintError::NetAndTaxMustBeGross { expected, found })?;
        let Some(due) = totals.due else { return Ok(()) };
        let left = sum(std::iter::once(totals.gross).chain(self.settled.iter().map(|settled| settled.amount)));
        same(due, left, |expected, found| PrintError::SettledMustLeaveDue { expected, found })
    }
}

/// `None` when the amounts do not fit: no total can agree with that.
pub(super) fn sum(amounts: impl IntoIterator<Item = Decimal>) -> Option<Decimal> {
    amounts.into_iter().try_fold(Decimal::ZERO, Decimal::checked_add)
}

pub(super) fn same(
    expected: Decimal,
    found: Option<Decimal>,
    refusal: fn(String, String) -> PrintError,
) -> Result<(), PrintError> {
    if found == Some(expected) {
        return Ok(());
    }
    Err(refusal(expected.to_string(), found.map_or("more than fits".into(), |found| found.to_string())))
}
