//! Final documents: read, never changed. What was true of issuer and recipient when a document was made is kept with it.

use crate::content::{Line, LineGroup, TaxRow, Totals};
use crate::error::Result;
use crate::print::Party;
use crate::store::documents;
use chrono::{DateTime, NaiveDate, Utc};
use db::{CustomerId, DocumentId, DraftId, RunId, TenantTx, TransactionId};
use money::{Currency, Money};
use serde::{Deserialize, Serialize};
use subscription::Customer;
use tenant::Organisation;

/// What a document is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DocumentKind {
    #[default]
    Invoice,
    /// Cancels an invoice or a part of it, or is what a document below zero becomes; its amounts are positive.
    CreditNote,
    Settlement,
}

impl DocumentKind {
    /// As stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invoice => "invoice",
            Self::CreditNote => "credit_note",
            Self::Settlement => "settlement",
        }
    }

    pub(crate) fn of_word(word: &str) -> Option<Self> {
        [Self::Invoice, Self::CreditNote, Self::Settlement].into_iter().find(|kind| kind.as_str() == word)
    }
}

/// Who a document is from and to, as they were.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Frozen {
    pub issuer: Party,
    pub recipient: Party,
    /// Country of the issuer.
    pub country: String,
    /// Language of the document.
    pub language: String,
    /// Zone in which the customer's days are counted.
    pub time_zone: String,
    pub customer_no: String,
    /// As the issuer wrote them: ("IBAN", "DE..").
    pub bank: Vec<(String, String)>,
    pub payment_terms_days: u16,
    /// A credit note's reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Frozen {
    pub(crate) fn of(organisation: &Organisation, customer: &Customer, language: &str) -> Frozen {
        let issuer = Party {
            name: organisation.legal_name.clone(),
            lines: organisation.address_lines.clone(),
            contact: organisation.contact_lines.clone(),
            tax_id: organisation.tax_id.clone(),
            tax_label: None,
            sender: None,
        };
        let recipient = Party {
            name: customer.name.clone(),
            lines: customer.address_lines.clone(),
            contact: Vec::new(),
            tax_id: customer.tax_id.clone(),
            tax_label: None,
            sender: None,
        };
        Frozen {
            issuer,
            recipient,
            country: organisation.country.clone(),
            language: language.to_owned(),
            time_zone: customer.time_zone.clone(),
            customer_no: customer.customer_no.clone(),
            bank: organisation.bank.clone(),
            payment_terms_days: customer.payment_terms_days,
            reason: None,
        }
    }
}

/// The head of a document.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    pub id: DocumentId,
    pub kind: DocumentKind,
    /// As printed: `NL-000217`.
    pub number: String,
    pub series: String,
    pub serial: i64,
    pub customer_id: CustomerId,
    pub draft_id: DraftId,
    pub run_id: Option<RunId>,
    /// The invoice that a credit note cancels.
    pub corrects: Option<DocumentId>,
    pub issued_on: NaiveDate,
    pub issued_at: DateTime<Utc>,
    pub due_on: NaiveDate,
    /// First day of the period at its head, and the first day after it.
    pub period_starts_on: NaiveDate,
    pub period_ends_on: NaiveDate,
    pub totals: Totals,
    pub transaction_id: TransactionId,
    pub frozen: Frozen,
}

impl Document {
    /// Its currency.
    pub fn currency(&self) -> Currency {
        self.totals.gross.currency()
    }
}

/// Lines under one heading.
#[derive(Clone, Debug, PartialEq)]
pub struct Grouped {
    pub group: LineGroup,
    pub subtotal: Money,
    pub lines: Vec<Line>,
}

/// A document with all that it says.
#[derive(Clone, Debug, PartialEq)]
pub struct DocumentView {
    pub document: Document,
    /// In the order of the print.
    pub groups: Vec<Grouped>,
    pub taxes: Vec<TaxRow>,
    /// The credit note that took back the last of it, if nothing is left.
    pub credited_by: Option<DocumentId>,
    /// Every credit note of it, the oldest first.
    pub credit_notes: Vec<CreditedBy>,
}

/// A credit note of an invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreditedBy {
    pub id: DocumentId,
    pub number: String,
    pub gross: Money,
}

/// Groups lines in the order in which they stand.
pub fn grouped(lines: Vec<Line>) -> Result<Vec<Grouped>> {
    let mut groups: Vec<Grouped> = Vec::new();
    for line in lines {
        match groups.last_mut().filter(|grouped| grouped.group == line.group) {
            Some(grouped) => {
                grouped.subtotal = grouped.subtotal.checked_add(line.amount)?;
                grouped.lines.push(line);
            }
            None => groups.push(Grouped { group: line.group, subtotal: line.amount, lines: vec![line] }),
        }
    }
    Ok(groups)
}

/// Which documents to list.
#[derive(Clone, Debug)]
pub struct DocumentFilter {
    pub customer_id: Option<CustomerId>,
    pub kind: Option<DocumentKind>,
    pub run_id: Option<RunId>,
    /// Issued on this day or later.
    pub from_on: Option<NaiveDate>,
    /// Issued before this day.
    pub before_on: Option<NaiveDate>,
    /// The last document of the page before.
    pub after: Option<(DateTime<Utc>, DocumentId)>,
    pub limit: u64,
}

impl Default for DocumentFilter {
    fn default() -> Self {
        DocumentFilter {
            customer_id: None,
            kind: None,
            run_id: None,
            from_on: None,
            before_on: None,
            after: None,
            limit: 50,
        }
    }
}

/// A document that asks for money, before any payment.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenDocument {
    pub id: DocumentId,
    pub number: String,
    pub customer_id: CustomerId,
    pub issued_on: NaiveDate,
    pub due_on: NaiveDate,
    /// What it asks for, less what a credit note took back. Payments are not known here.
    pub due: Money,
}

/// Documents, the newest first, one page at a time.
pub async fn documents(tx: &TenantTx, filter: &DocumentFilter) -> Result<Vec<Document>> {
    documents::page(tx, filter).await
}

/// One document with its lines and tax groups.
pub async fn document(tx: &TenantTx, id: DocumentId) -> Result<DocumentView> {
    documents::view(tx, id).await
}

/// The document with this number.
pub async fn document_by_number(tx: &TenantTx, number: &str) -> Result<Option<Document>> {
    documents::by_number(tx, number).await
}

/// Invoices of a customer that ask for money, the first due first: what payments are allocated to.
pub async fn open_documents(tx: &TenantTx, customer_id: CustomerId) -> Result<Vec<OpenDocument>> {
    documents::asking(tx, documents::Asking::OfCustomer(customer_id)).await
}

/// These invoices as [`open_documents`] would show them.
pub async fn open_documents_by_id(tx: &TenantTx, ids: &[DocumentId]) -> Result<Vec<OpenDocument>> {
    documents::asking(tx, documents::Asking::These(ids)).await
}

/// All invoices of the book that ask for money: for lists of what is overdue.
pub async fn asking_documents(tx: &TenantTx) -> Result<Vec<OpenDocument>> {
    documents::asking(tx, documents::Asking::All).await
}

/// Those of them whose due date lies before a day.
pub async fn asking_documents_due_before(tx: &TenantTx, on: NaiveDate) -> Result<Vec<OpenDocument>> {
    documents::asking(tx, documents::Asking::DueBefore(on)).await
}

/// What invoices issued in `[from_on, before_on)` come to, less credit notes, for each currency: net, tax and gross.
pub async fn billed_between(tx: &TenantTx, from_on: NaiveDate, before_on: NaiveDate) -> Result<Vec<BilledTotal>> {
    documents::billed_between(tx, from_on, before_on).await
}

/// What was billed in one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BilledTotal {
    pub documents: u64,
    pub net: Money,
    pub tax: Money,
    pub gross: Money,
}
