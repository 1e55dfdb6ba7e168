use chrono::{DateTime, Utc};
use db::{CallId, CarrierId, DbError, TariffId};
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
    /// What is taken back must have been written first; the message comes again.
    #[error("{0} is taken back before its legs are there")]
    LegsMustComeFirst(CallId),
    /// Only a call that is over and was charged by a tariff can be taken back.
    #[error("only a call that is over and was charged by a tariff can be taken back")]
    CallMustBeCharged,
    /// A call is taken back once.
    #[error("the call was taken back already")]
    CallIsReversed,
    /// A person has to be able to see why.
    #[error("say why the call is taken back, in {0} letters at most")]
    ReasonMustBeGiven(usize),
    /// No such carrier in this book.
    #[error("there is no {0} in this book")]
    UnknownCarrier(CarrierId),
    /// A value breaks a rule of carriers, limits or routes.
    #[error("{field} {rule}, not {value:?}")]
    RuleBroken { field: &'static str, rule: &'static str, value: String },
    /// A call that went out has no price.
    #[error("a call to {called} has no price: {detail}")]
    NotPriced { called: String, detail: String },
    /// A plan may leave what comes after its period to a person.
    #[error("its period ended at {ended_at}")]
    PeriodIsOver { ended_at: DateTime<Utc> },
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
        self.database().is_some_and(db::is_retryable)
    }

    /// True when asking again for the same thing will be answered alike for ever: a rule says no, or PostgreSQL refuses
    /// the data. False while the database is away.
    pub(crate) fn is_final(&self) -> bool {
        self.database().is_none_or(db::is_refusal)
    }

    /// What the database said, if it was the database.
    fn database(&self) -> Option<&DbError> {
        match self {
            Self::Db(error) => Some(error),
            Self::Ledger(error) => of_ledger(error),
            Self::Subscription(error) => of_subscription(error),
            Self::Tenant(error) => of_tenant(error),
            Self::Usage(usage_metering::UsageError::Db(error)) => Some(error),
            Self::Usage(usage_metering::UsageError::Subscription(error)) => of_subscription(error),
            _ => None,
        }
    }
}

fn of_ledger(error: &ledger::LedgerError) -> Option<&DbError> {
    if let ledger::LedgerError::Db(error) = error { Some(error) } else { None }
}

fn of_tenant(error: &tenant::TenantError) -> Option<&DbError> {
    if let tenant::TenantError::Db(error) = error { Some(error) } else { None }
}

fn of_subscription(error: &subscription::SubscriptionError) -> Option<&DbError> {
    use subscription::SubscriptionError;
    match error {
        SubscriptionError::Db(error) => Some(error),
        SubscriptionError::Ledger(error) => of_ledger(error),
        SubscriptionError::Tenant(error) => of_tenant(error),
        _ => None,
    }
}
