//! Means of payment on file: how a customer has agreed to pay what comes. A mandate is the customer's own word; paying by
//! invoice is what the seller grants. Never: a card's number, nor anything that could be used like one.

use crate::error::PaymentError;
use crate::iban::Iban;
use crate::store::methods as store;
use chrono::{DateTime, Utc};
use db::{CustomerId, PaymentMethodId, TenantTx};
use money::Currency;
use std::collections::HashSet;
use subscription::{Billing, Customer, add_customer_event, lock_customer};

/// As much as a SEPA direct debit carries of a name.
const HOLDER_LETTERS_MAX: usize = 70;

/// A means of payment on file.
#[derive(Clone, Debug, PartialEq)]
pub struct PaymentMethod {
    pub id: PaymentMethodId,
    pub customer_id: CustomerId,
    pub kind: MethodKind,
    pub added_at: DateTime<Utc>,
    /// Who gave or granted it.
    pub added_by: String,
}

/// What it is.
#[derive(Clone, Debug, PartialEq)]
pub enum MethodKind {
    /// The seller may collect what is due from this account; `mandate` is what the debit refers to.
    DirectDebit { holder: String, iban: Iban, mandate: String },
    /// Each document is paid by bank transfer when it is due.
    OnInvoice,
}

impl MethodKind {
    /// Every kind, as sent.
    pub const WORDS: [&str; 2] = ["direct_debit", "on_invoice"];

    /// As sent.
    pub fn as_str(&self) -> &'static str {
        match self {
            MethodKind::DirectDebit { .. } => "direct_debit",
            MethodKind::OnInvoice => "on_invoice",
        }
    }

    /// "Direct debit from DE89 … 3000"
    pub fn words(&self) -> String {
        match self {
            MethodKind::DirectDebit { iban, .. } => format!("Direct debit from {}", iban.masked()),
            MethodKind::OnInvoice => "By invoice, on account".to_owned(),
        }
    }
}

/// Puts a direct debit mandate on file. A customer has one: a new one takes the place of the one before.
pub async fn give_mandate(
    tx: &TenantTx,
    customer_id: CustomerId,
    holder: &str,
    iban: &str,
    by: &str,
    now: DateTime<Utc>,
) -> Result<PaymentMethodId, PaymentError> {
    let holder = holder.trim();
    if holder.is_empty() {
        return Err(PaymentError::HolderMustNotBeEmpty);
    }
    if holder.chars().count() > HOLDER_LETTERS_MAX {
        return Err(PaymentError::HolderMustBeShort(HOLDER_LETTERS_MAX));
    }
    let iban = Iban::parse(iban).map_err(PaymentError::IbanMustBeOne)?;
    let customer = open_customer(tx, customer_id).await?;
    if customer.currency != Currency::EUR {
        return Err(PaymentError::DirectDebitNeedsEuro(customer.currency));
    }
    // Counted under the customer's lock: no two mandates have one number.
    let mandate = format!("{}-{}", customer.customer_no, store::mandates(tx, customer_id).await? + 1);
    let kind = MethodKind::DirectDebit { holder: holder.to_owned(), iban, mandate };
    store::remove_kind(tx, customer_id, &kind, by, now).await?;
    put(tx, customer_id, kind, by, now).await
}

/// Grants a customer on account that it pays each document by bank transfer. Granted again, it is what it was.
pub async fn agree_on_invoice(
    tx: &TenantTx,
    customer_id: CustomerId,
    by: &str,
    now: DateTime<Utc>,
) -> Result<PaymentMethodId, PaymentError> {
    let customer = open_customer(tx, customer_id).await?;
    if customer.billing == Billing::Prepaid {
        return Err(PaymentError::OnInvoiceNeedsAccount);
    }
    let known = methods_on_file(tx, customer_id).await?.into_iter().find(|method| method.kind == MethodKind::OnInvoice);
    match known {
        Some(method) => Ok(method.id),
        None => put(tx, customer_id, MethodKind::OnInvoice, by, now).await,
    }
}

async fn put(
    tx: &TenantTx,
    customer_id: CustomerId,
    kind: MethodKind,
    by: &str,
    now: DateTime<Utc>,
) -> Result<PaymentMethodId, PaymentError> {
    let text = format!("A means of payment is on file: {}.", kind.words());
    let method =
        PaymentMethod { id: PaymentMethodId::new(), customer_id, kind, added_at: now, added_by: by.to_owned() };
    store::insert(tx, &method).await?;
    add_customer_event(tx, customer_id, "payment_method", &text, now, now).await?;
    Ok(method.id)
}

/// Takes one off the file; `false` when it is not on it.
pub async fn remove_method(
    tx: &TenantTx,
    customer_id: CustomerId,
    id: PaymentMethodId,
    by: &str,
    now: DateTime<Utc>,
) -> Result<bool, PaymentError> {
    lock_customer(tx, customer_id).await?.ok_or(PaymentError::CustomerMustExist(customer_id))?;
    let known = methods_on_file(tx, customer_id).await?.into_iter().find(|method| method.id == id);
    let Some(method) = known else { return Ok(false) };
    store::remove(tx, id, by, now).await?;
    let text = format!("A means of payment was removed: {}.", method.kind.words());
    add_customer_event(tx, customer_id, "payment_method", &text, now, now).await?;
    Ok(true)
}

/// What a customer has on file, the newest first.
pub async fn methods_on_file(tx: &TenantTx, customer_id: CustomerId) -> Result<Vec<PaymentMethod>, PaymentError> {
    store::on_file(tx, customer_id).await
}

/// Those of some customers that have any.
pub async fn customers_with_method(
    tx: &TenantTx,
    customers: &[CustomerId],
) -> Result<HashSet<CustomerId>, PaymentError> {
    store::with_any(tx, customers).await
}

async fn open_customer(tx: &TenantTx, id: CustomerId) -> Result<Customer, PaymentError> {
    let customer = lock_customer(tx, id).await?.ok_or(PaymentError::CustomerMustExist(id))?;
    if customer.closed_at.is_some() { Err(PaymentError::CustomerMustBeOpen) } else { Ok(customer) }
}
