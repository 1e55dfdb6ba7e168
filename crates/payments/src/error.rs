//! What can be refused here.

use chrono::{DateTime, Utc};
use db::{CustomerId, DbError, PaymentId};
use money::{Currency, Money, MoneyError};

/// Every rule of this crate that a caller can break.
#[derive(Debug, thiserror::Error)]
pub enum PaymentError {
    #[error(transparent)]
    Db(#[from] DbError),
    #[error(transparent)]
    Ledger(#[from] ledger::LedgerError),
    #[error(transparent)]
    Tenant(#[from] tenant::TenantError),
    #[error(transparent)]
    Subscription(#[from] subscription::SubscriptionError),
    #[error(transparent)]
    Invoicing(#[from] invoicing::InvoicingError),
    #[error(transparent)]
    Money(#[from] MoneyError),
    /// What comes in is more than nothing.
    #[error("amount: {0} is not above zero")]
    AmountMustBePositive(Money),
    /// Nobody can pay a fraction of a cent.
    #[error("amount: {0} is finer than the currency's minor unit")]
    AmountMustBeWholeMinorUnits(Money),
    /// A customer pays in its one currency.
    #[error("amount: the customer pays in {expected}, not in {found}")]
    CurrencyMustMatchCustomer { expected: Currency, found: Currency },
    /// The reference is what makes a payment one payment.
    #[error("reference: must not be empty")]
    ReferenceMustNotBeEmpty,
    /// The same reference with another customer, amount or method is another payment.
    #[error("reference: \"{0}\" is that of another payment")]
    ReferenceIsTaken(String),
    /// Money is recorded when it has come.
    #[error("received_at: {} lies ahead", .0.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))]
    ReceivedMustNotLieAhead(DateTime<Utc>),
    #[error("there is no customer {0} in this book")]
    CustomerMustExist(CustomerId),
    #[error("there is no payment {0} in this book")]
    PaymentMustExist(PaymentId),
    /// A refund gives back what was paid, once: at most what is neither refunded nor used for documents.
    #[error("amount: {wanted} is more than the {left} that is left of the payment")]
    RefundMustNotExceedPayment { wanted: Money, left: Money },
    /// An account that money is collected from has a number that its bank gave it.
    #[error("iban: {0}")]
    IbanMustBeOne(crate::iban::IbanFault),
    #[error("holder: must not be empty")]
    HolderMustNotBeEmpty,
    #[error("holder: longer than {0} letters")]
    HolderMustBeShort(usize),
    /// A SEPA direct debit is in euros.
    #[error("iban: a direct debit is collected in EUR, and the customer pays in {0}")]
    DirectDebitNeedsEuro(Currency),
    /// Who pays from a wallet has no invoice to pay later.
    #[error("kind: a customer that pays from a wallet cannot pay by invoice")]
    OnInvoiceNeedsAccount,
    #[error("customer_id: the customer is closed")]
    CustomerMustBeOpen,
    /// A stored word is not one of ours: the database is newer than this program.
    #[error("the database holds \"{0}\", which this version does not know")]
    StoredWordUnknown(String),
}
