//! Money received: into a wallet, or on a receivable.

use crate::allocation;
use crate::error::PaymentError;
use crate::store::payments as store;
use crate::words::{Method, PaymentKind};
use chrono::{DateTime, Utc};
use db::{CustomerId, PaymentId, TenantTx, TransactionId};
use ledger::{AccountKind, AccountRef, Posting};
use money::Money;
use subscription::{Customer, add_customer_event, lock_customer};

/// Most payments on one page.
const PAYMENTS_PER_PAGE_MAX: u64 = 500;

/// Money received.
#[derive(Clone, Debug, PartialEq)]
pub struct Payment {
    pub id: PaymentId,
    pub customer_id: CustomerId,
    pub kind: PaymentKind,
    pub method: Method,
    /// The payer's or bank's reference; unique in the book within its kind.
    pub reference: String,
    pub amount: Money,
    /// What of it pays documents; zero for a top-up.
    pub allocated: Money,
    /// What of it was given back.
    pub refunded: Money,
    pub received_at: DateTime<Utc>,
    /// The member or system that recorded it.
    pub recorded_by: String,
    /// Its posting in the ledger.
    pub transaction_id: TransactionId,
}

impl Payment {
    /// What is neither used for documents nor given back: credit on the receivable (or, of a top-up, what may be refunded).
    pub fn left(&self) -> Result<Money, PaymentError> {
        Ok(self.amount.checked_sub(self.allocated)?.checked_sub(self.refunded)?)
    }
}

/// Money received, to be recorded.
#[derive(Clone, Debug)]
pub struct NewPayment {
    pub customer_id: CustomerId,
    /// In the customer's currency, in whole minor units.
    pub amount: Money,
    pub method: Method,
    /// The payer's or bank's reference: what makes it one payment when it is recorded twice.
    pub reference: String,
    pub received_at: DateTime<Utc>,
    pub by: String,
}

/// Which payments to list, the newest first.
#[derive(Clone, Debug)]
pub struct PaymentFilter {
    pub customer_id: Option<CustomerId>,
    pub kind: Option<PaymentKind>,
    /// Received at this instant or later.
    pub from: Option<DateTime<Utc>>,
    /// Received before this instant.
    pub until: Option<DateTime<Utc>>,
    /// The last payment of the page before.
    pub after: Option<PaymentId>,
    pub limit: u64,
}

impl Default for PaymentFilter {
    fn default() -> Self {
        PaymentFilter { customer_id: None, kind: None, from: None, until: None, after: None, limit: 50 }
    }
}

/// Records money on the customer's receivable and pays the oldest open documents with it; the rest stays credit that
/// [`crate::allocate_credit`] uses for later documents. The same payment again is the one that was recorded.
pub async fn record_payment(tx: &TenantTx, new: &NewPayment, now: DateTime<Utc>) -> Result<PaymentId, PaymentError> {
    let customer = check(tx, new, now).await?;
    if let Some(known) = known(tx, PaymentKind::Payment, new).await? {
        return Ok(known);
    }
    let entries = vec![
        (AccountRef::Book(AccountKind::ProcessorClearing), new.amount.checked_neg()?),
        (AccountRef::Customer(AccountKind::Receivable, customer.id), new.amount),
    ];
    let posting = Posting::new("payment", &new.reference, memo(new), new.received_at, entries)?;
    let posted = ledger::post(tx, &posting, now).await?;
    let id = store::insert(tx, PaymentKind::Payment, new, posted.transaction_id).await?;
    allocation::allocate_credit_of(tx, &customer).await?;
    let text = format!("Paid {}.", new.amount.human());
    add_customer_event(tx, customer.id, "payment", &text, new.received_at, now).await?;
    Ok(id)
}

/// Records money and puts it into the customer's wallet. The same top-up again is the one that was recorded.
pub async fn top_up(tx: &TenantTx, new: &NewPayment, now: DateTime<Utc>) -> Result<PaymentId, PaymentError> {
    let customer = check(tx, new, now).await?;
    if let Some(known) = known(tx, PaymentKind::TopUp, new).await? {
        return Ok(known);
    }
    let posted = ledger::top_up(tx, customer.id, new.amount, &new.reference, &memo(new), new.received_at, now).await?;
    let id = store::insert(tx, PaymentKind::TopUp, new, posted.transaction_id).await?;
    // The wallet may have asked for it by itself.
    ledger::recharge_arrived(tx, customer.id, now).await?;
    let text = format!("Topped up {}.", new.amount.human());
    add_customer_event(tx, customer.id, "top_up", &text, new.received_at, now).await?;
    Ok(id)
}

/// Checks what is given and holds the customer: its payments are recorded and allocated one after the other.
async fn check(tx: &TenantTx, new: &NewPayment, now: DateTime<Utc>) -> Result<Customer, PaymentError> {
    if !new.amount.is_positive() {
        return Err(PaymentError::AmountMustBePositive(new.amount));
    }
    if new.amount.minor_units().is_err() {
        return Err(PaymentError::AmountMustBeWholeMinorUnits(new.amount));
    }
    if new.reference.trim().is_empty() {
        return Err(PaymentError::ReferenceMustNotBeEmpty);
    }
    if new.received_at > now {
        return Err(PaymentError::ReceivedMustNotLieAhead(new.received_at));
    }
    let customer = lock_customer(tx, new.customer_id).await?.ok_or(PaymentError::CustomerMustExist(new.customer_id))?;
    if customer.currency != new.amount.currency() {
        return Err(PaymentError::CurrencyMustMatchCustomer {
            expected: customer.currency,
            found: new.amount.currency(),
        });
    }
    Ok(customer)
}

/// The payment of this reference, when it is this very payment; refused when it is another.
async fn known(tx: &TenantTx, kind: PaymentKind, new: &NewPayment) -> Result<Option<PaymentId>, PaymentError> {
    let Some(stored) = store::by_reference(tx, kind, &new.reference).await? else { return Ok(None) };
    let same = stored.customer_id == new.customer_id && stored.amount == new.amount && stored.method == new.method;
    if same { Ok(Some(stored.id)) } else { Err(PaymentError::ReferenceIsTaken(new.reference.clone())) }
}

fn memo(new: &NewPayment) -> String {
    format!("{}, {}", new.method.words(), new.reference)
}

/// The payment or top-up that has this reference.
pub async fn payment_of_reference(
    tx: &TenantTx,
    kind: PaymentKind,
    reference: &str,
) -> Result<Option<Payment>, PaymentError> {
    store::by_reference(tx, kind, reference).await
}

/// One payment.
pub async fn payment(tx: &TenantTx, id: PaymentId) -> Result<Option<Payment>, PaymentError> {
    store::by_id(tx, id).await
}

/// A customer's payments and top-ups, the newest first.
pub async fn payments_of(tx: &TenantTx, customer_id: CustomerId) -> Result<Vec<Payment>, PaymentError> {
    let filter =
        PaymentFilter { customer_id: Some(customer_id), limit: PAYMENTS_PER_PAGE_MAX, ..PaymentFilter::default() };
    payments(tx, &filter).await
}

/// The book's payments, the newest first, one page at a time.
pub async fn payments(tx: &TenantTx, filter: &PaymentFilter) -> Result<Vec<Payment>, PaymentError> {
    store::page(tx, filter, filter.limit.min(PAYMENTS_PER_PAGE_MAX)).await
}
