//! Money given back: never more than is left of the payment, and never what a call has promised or used.

use crate::error::PaymentError;
use crate::store::payments as store;
use crate::words::PaymentKind;
use chrono::{DateTime, Utc};
use db::{PaymentId, TenantTx, TransactionId};
use ledger::{AccountKind, AccountRef, Posting};
use money::Money;
use subscription::{add_customer_event, lock_customer};

/// Money given back of a payment.
#[derive(Clone, Debug, PartialEq)]
pub struct Refund {
    pub payment_id: PaymentId,
    /// Unique for the payment.
    pub reference: String,
    pub amount: Money,
    pub refunded_at: DateTime<Utc>,
    pub recorded_by: String,
    pub transaction_id: TransactionId,
}

/// Money to be given back.
#[derive(Clone, Debug)]
pub struct NewRefund {
    pub payment_id: PaymentId,
    /// In the payment's currency, in whole minor units.
    pub amount: Money,
    /// What makes it one refund when it is recorded twice.
    pub reference: String,
    pub by: String,
}

/// Gives back what is left of a payment: of a top-up out of the wallet (whose floor holds), of a payment out of the credit
/// on the receivable. What pays a document is not left; a credit note comes first. The same refund again changes nothing.
pub async fn refund(tx: &TenantTx, new: &NewRefund, now: DateTime<Utc>) -> Result<(), PaymentError> {
    if !new.amount.is_positive() {
        return Err(PaymentError::AmountMustBePositive(new.amount));
    }
    if new.amount.minor_units().is_err() {
        return Err(PaymentError::AmountMustBeWholeMinorUnits(new.amount));
    }
    if new.reference.trim().is_empty() {
        return Err(PaymentError::ReferenceMustNotBeEmpty);
    }
    let missing = || PaymentError::PaymentMustExist(new.payment_id);
    let customer_id = store::by_id(tx, new.payment_id).await?.ok_or_else(missing)?.customer_id;
    // What is left is read again once the customer is held: refunds and allocations of one customer follow each other.
    lock_customer(tx, customer_id).await?.ok_or(PaymentError::CustomerMustExist(customer_id))?;
    let payment = store::by_id(tx, new.payment_id).await?.ok_or_else(missing)?;
    if let Some(stored) = refunds_of(tx, payment.id).await?.into_iter().find(|stored| stored.reference == new.reference)
    {
        let same = stored.amount == new.amount;
        return if same { Ok(()) } else { Err(PaymentError::ReferenceIsTaken(new.reference.clone())) };
    }
    let left = payment.left()?;
    if !left.at_least(new.amount)? {
        return Err(PaymentError::RefundMustNotExceedPayment { wanted: new.amount, left });
    }
    let account = match payment.kind {
        PaymentKind::TopUp => AccountKind::Wallet,
        PaymentKind::Payment => AccountKind::Receivable,
    };
    let entries = vec![
        (AccountRef::Customer(account, customer_id), new.amount.checked_neg()?),
        (AccountRef::Book(AccountKind::ProcessorClearing), new.amount),
    ];
    let key = format!("{}/{}", payment.id, new.reference);
    let posted = ledger::post(tx, &Posting::new("refund", key, new.reference.clone(), now, entries)?, now).await?;
    store::insert_refund(tx, &payment, new, posted.transaction_id, now).await?;
    add_customer_event(tx, customer_id, "refund", &format!("Refunded {}.", new.amount.human()), now, now).await?;
    Ok(())
}

/// What was given back of a payment, in order.
pub async fn refunds_of(tx: &TenantTx, payment_id: PaymentId) -> Result<Vec<Refund>, PaymentError> {
    store::refunds_of(tx, payment_id).await
}
