use db::{CallId, DbError, TariffId};
use money::{Currency, MoneyError};

/// Every way in which this crate says no.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// No such call in this book.
    #[error("there is no {0} in this book")]
    UnknownCall(CallId),
    /// A finished call names a number or topic that this book does not have.
    #[error("{called} has no topic {digit}")]
    UnknownTopic { called: String, digit: u8 },
    /// A call's tariff is gone: tariffs are never deleted, so the book is damaged.
    #[error("{0} does not exist")]
    UnknownTariff(TariffId),
    /// A tariff is in the book's currency, and so are the customers that it charges.
    #[error("a tariff in {found} cannot charge a customer in {expected}")]
    CurrencyMustMatchCustomer { expected: Currency, found: Currency },
    /// A stored word or document does not read: the database is newer than this program.
    #[error("the stored {what} does not read: {reason}")]
    StoredMustRead { what: &'static str, reason: String },
    #[error(transparent)]
    Ledger(#[from] ledger::LedgerError),
    #[error(transparent)]
    Subscription(#[from] subscription::SubscriptionError),
    #[error(transparent)]
    Tenant(#[from] tenant::TenantError),
    #[error(transparent)]
    Usage(#[from] usage_metering::UsageError),
    #[error(transparent)]
    Pricing(#[from] pricing::PricingError),
    #[error(transparent)]
    Money(#[from] MoneyError),
    #[error(transparent)]
    Db(#[from] DbError),
}

pub(crate) type Result<T> = std::result::Result<T, CallError>;

impl CallError {
    /// True when the same transaction may be tried again (serialization failure, deadlock).
    pub(crate) fn is_retryable(&self) -> bool {
        use ledger::LedgerError;
        use subscription::SubscriptionError;
        use tenant::TenantError;
        use usage_metering::UsageError;
        match self {
            Self::Db(error)
            | Self::Ledger(LedgerError::Db(error))
            | Self::Subscription(SubscriptionError::Db(error) | SubscriptionError::Ledger(LedgerError::Db(error)))
            | Self::Tenant(TenantError::Db(error))
            | Self::Usage(UsageError::Db(error)) => db::is_retryable(error),
            _ => false,
        }
    }
}
