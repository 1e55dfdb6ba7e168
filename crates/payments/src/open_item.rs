//! What a customer still has to pay, and whether a document is paid: derived from allocations at an instant.

use crate::error::PaymentError;
use crate::store::{allocations, payments};
use chrono::{DateTime, NaiveDate, Utc};
use db::{CustomerId, DocumentId, TenantTx};
use invoicing::OpenDocument;
use money::Money;
use std::collections::BTreeMap;
use std::fmt;

/// Whether a document is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PaymentStatus {
    /// Nothing is left to pay; also a document with nothing due, such as one that a wallet has paid.
    Paid,
    /// Some of it is paid, and the rest is not due yet.
    PartPaid,
    /// Nothing is paid, and it is not due yet.
    Open,
    /// Its due date has passed, and something is left to pay.
    Overdue,
}

impl PaymentStatus {
    /// `paid`, `part_paid`, `open`, `overdue`.
    pub const fn as_str(self) -> &'static str {
        match self {
            PaymentStatus::Paid => "paid",
            PaymentStatus::PartPaid => "part_paid",
            PaymentStatus::Open => "open",
            PaymentStatus::Overdue => "overdue",
        }
    }
}

impl fmt::Display for PaymentStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A document that is not wholly paid.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenItem {
    pub document_id: DocumentId,
    pub customer_id: CustomerId,
    pub number: String,
    pub issued_on: NaiveDate,
    pub due_on: NaiveDate,
    /// What it asks for.
    pub due: Money,
    pub paid: Money,
    /// What is left to pay.
    pub open: Money,
    pub status: PaymentStatus,
    /// Days since the due date; 0 until then.
    pub days_overdue: u32,
}

/// What a customer owes.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenItems {
    /// By due date.
    pub items: Vec<OpenItem>,
    /// The sum of what is open.
    pub open: Money,
    /// What is past its due date.
    pub overdue: Money,
    /// Paid in advance: what is left of payments.
    pub credit: Money,
}

/// What a customer still has to pay. A document is overdue from the day after its due date, in the organisation's zone.
pub async fn open_items(tx: &TenantTx, customer_id: CustomerId, now: DateTime<Utc>) -> Result<OpenItems, PaymentError> {
    let customer =
        subscription::customer(tx, customer_id).await?.ok_or(PaymentError::CustomerMustExist(customer_id))?;
    let items = unpaid(tx, invoicing::open_documents(tx, customer_id).await?, now).await?;
    let open = Money::sum(customer.currency, items.iter().map(|item| item.open))?;
    let late = items.iter().filter(|item| item.status == PaymentStatus::Overdue);
    let overdue = Money::sum(customer.currency, late.map(|item| item.open))?;
    let credits = payments::with_credit(tx, customer_id).await?;
    let credit = Money::sum(customer.currency, credits.into_iter().map(|(_, left)| left))?;
    Ok(OpenItems { items, open, overdue, credit })
}

/// What is left to pay of one document; `None` when nothing is.
pub async fn open_item(tx: &TenantTx, id: DocumentId, now: DateTime<Utc>) -> Result<Option<OpenItem>, PaymentError> {
    Ok(unpaid(tx, invoicing::open_documents_by_id(tx, &[id]).await?, now).await?.pop())
}

/// What the whole book is still owed, by due date.
pub async fn all_open_items(tx: &TenantTx, now: DateTime<Utc>) -> Result<Vec<OpenItem>, PaymentError> {
    unpaid(tx, invoicing::asking_documents(tx).await?, now).await
}

/// What is past its due date in the whole book, by due date: what is not due yet is not read.
pub async fn overdue_items(tx: &TenantTx, now: DateTime<Utc>) -> Result<Vec<OpenItem>, PaymentError> {
    let today = today(tx, now).await?;
    unpaid(tx, invoicing::asking_documents_due_before(tx, today).await?, now).await
}

async fn unpaid(
    tx: &TenantTx,
    documents: Vec<OpenDocument>,
    now: DateTime<Utc>,
) -> Result<Vec<OpenItem>, PaymentError> {
    let paid = allocations::paid(tx, &ids(&documents)).await?;
    let today = today(tx, now).await?;
    let mut items = Vec::new();
    for document in documents {
        let paid = paid.get(&document.id).copied().unwrap_or(Money::zero(document.due.currency()));
        let status = status(&document, paid, today)?;
        if status == PaymentStatus::Paid {
            continue;
        }
        items.push(OpenItem {
            document_id: document.id,
            customer_id: document.customer_id,
            number: document.number,
            issued_on: document.issued_on,
            due_on: document.due_on,
            due: document.due,
            paid,
            open: document.due.checked_sub(paid)?,
            status,
            days_overdue: u32::try_from((today - document.due_on).num_days()).unwrap_or(0),
        });
    }
    items.sort_by(|a, b| (a.due_on, &a.number).cmp(&(b.due_on, &b.number)));
    Ok(items)
}

/// Whether each of these documents is paid: for lists, in three reads however many there are. What asks for nothing (a
/// credit note, an invoice that a wallet has paid or a credit note has cancelled) is paid.
pub async fn status_of(
    tx: &TenantTx,
    documents: &[DocumentId],
    now: DateTime<Utc>,
) -> Result<BTreeMap<DocumentId, PaymentStatus>, PaymentError> {
    let asking = invoicing::open_documents_by_id(tx, documents).await?;
    let paid = allocations::paid(tx, documents).await?;
    let today = today(tx, now).await?;
    let mut all: BTreeMap<DocumentId, PaymentStatus> = documents.iter().map(|id| (*id, PaymentStatus::Paid)).collect();
    for document in asking {
        let paid = paid.get(&document.id).copied().unwrap_or(Money::zero(document.due.currency()));
        all.insert(document.id, status(&document, paid, today)?);
    }
    Ok(all)
}

/// What is paid of each of these documents; those without any payment are left out.
pub async fn paid_of(tx: &TenantTx, documents: &[DocumentId]) -> Result<BTreeMap<DocumentId, Money>, PaymentError> {
    allocations::paid(tx, documents).await
}

fn ids(documents: &[OpenDocument]) -> Vec<DocumentId> {
    documents.iter().map(|document| document.id).collect()
}

/// The civil date where the organisation is: a due date ends with its day there.
async fn today(tx: &TenantTx, now: DateTime<Utc>) -> Result<NaiveDate, PaymentError> {
    let organisation = tenant::organisation(tx).await?;
    Ok(pricing::civil_date(now, &organisation.time_zone).map_err(subscription::SubscriptionError::from)?)
}

fn status(document: &OpenDocument, paid: Money, today: NaiveDate) -> Result<PaymentStatus, PaymentError> {
    if !document.due.is_positive() || paid.at_least(document.due)? {
        return Ok(PaymentStatus::Paid);
    }
    Ok(match (document.due_on < today, paid.is_positive()) {
        (true, _) => PaymentStatus::Overdue,
        (false, true) => PaymentStatus::PartPaid,
        (false, false) => PaymentStatus::Open,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use money::Currency;

    #[test]
    fn a_document_is_overdue_from_the_day_after_its_due_date() {
        let eur = |text: &str| Money::parse(text, Currency::EUR).unwrap();
        let due_on: NaiveDate = "2026-03-15".parse().unwrap();
        for (due, paid, today, expected) in [
            ("10", "0", "2026-03-15", "open"),
            ("10", "0", "2026-03-16", "overdue"),
            ("10", "9.99", "2026-03-15", "part_paid"),
            ("10", "9.99", "2026-03-16", "overdue"),
            ("10", "10", "2026-03-16", "paid"),
            ("0", "0", "2026-03-16", "paid"),
        ] {
            let document = OpenDocument {
                id: DocumentId::new(),
                number: "AC-1".into(),
                customer_id: CustomerId::new(),
                issued_on: due_on,
                due_on,
                due: eur(due),
            };
            let found = status(&document, eur(paid), today.parse().unwrap()).unwrap();
            assert_eq!(found.as_str(), expected, "{due} due, {paid} paid, {today}");
        }
    }
}
