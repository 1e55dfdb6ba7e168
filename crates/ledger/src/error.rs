use crate::account::AccountKind;
use crate::allowance::AllowanceKey;
use chrono::{DateTime, Utc};
use db::{CustomerId, DbError, TransactionId};
use money::{Currency, Decimal, Money, MoneyError};

/// Every rule of this crate that a caller can break.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The entries of a posting do not sum to zero in this currency.
    #[error("the entries sum to {sum}, not to zero")]
    PostingMustBalance { sum: Money },
    /// The same, found by the database's own trigger.
    #[error("the entries of a transaction do not sum to zero")]
    EntriesMustBalance,
    /// An account kept per customer was named without one.
    #[error("account {0} is kept per customer")]
    AccountMustNameCustomer(AccountKind),
    /// An account of the book was named with a customer.
    #[error("account {0} belongs to the book, not to a customer")]
    AccountBelongsToBook(AccountKind),
    /// A stored account has a kind that this version does not know.
    #[error("unknown account kind \"{0}\"")]
    UnknownAccountKind(String),
    /// A stored share has a kind that this version does not know.
    #[error("unknown kind of share \"{0}\"")]
    UnknownShareKind(String),
    /// What is reserved or topped up is more than nothing.
    #[error("{0} is not above zero")]
    AmountMustBePositive(Money),
    /// A call's charge is not negative.
    #[error("{0} is below zero")]
    ChargeMustNotBeNegative(Money),
    /// The customer has no wallet in this currency.
    #[error("{customer_id} has no wallet in {currency}")]
    NoWallet { customer_id: CustomerId, currency: Currency },
    /// The customer has a wallet in another currency already.
    #[error("{customer_id} has a wallet in {found}, not in {wanted}")]
    WalletMustKeepItsCurrency { customer_id: CustomerId, wanted: Currency, found: Currency },
    /// Balance minus reserved would go below the floor.
    #[error("the wallet's balance less what is reserved would go below its floor")]
    WalletMustKeepItsFloor,
    /// A floor is zero, or minus a credit limit.
    #[error("a floor of {0} is above zero")]
    FloorMustNotBePositive(Money),
    /// Credit is given for a time that lies ahead.
    #[error("promotional credit until {} would have expired already", .0.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))]
    PromotionMustNotHaveExpired(DateTime<Utc>),
    /// What is asked for fits into a day, and a day into a month.
    #[error("a day's cap is at least what is asked for, and a month's at least a day's")]
    CapsMustRise,
    /// Only a stored transaction can be reversed.
    #[error("{0} is not a transaction of this book")]
    UnknownTransaction(TransactionId),
    /// A transaction is reversed at most once.
    #[error("{0} is reversed already")]
    AlreadyReversed(TransactionId),
    /// Units are millionths of a meter's unit.
    #[error("{0} is more exact than a millionth, or too large")]
    UnitsMustFit(Decimal),
    /// What is used or included is not negative.
    #[error("{0} units are below zero")]
    UnitsMustNotBeNegative(Decimal),
    /// What is held is more than nothing.
    #[error("{0} units are not above zero")]
    UnitsMustBePositive(Decimal),
    /// An allowance is opened before it is used.
    #[error("component {} of {} has no allowance from {}", .0.component_key, .0.subscription_id, .0.starts_at)]
    NoAllowance(Box<AllowanceKey>),
    /// What is free and what is promised would be more than is included.
    #[error("more units would be free or promised than the allowance includes")]
    AllowanceMustKeepItsFloor,
    #[error(transparent)]
    Money(#[from] MoneyError),
    #[error(transparent)]
    Db(DbError),
}

impl From<DbError> for LedgerError {
    fn from(error: DbError) -> Self {
        match db::constraint_of(&error).as_deref() {
            Some("wallet_keeps_its_floor") => Self::WalletMustKeepItsFloor,
            Some("allowance_keeps_its_floor") => Self::AllowanceMustKeepItsFloor,
            Some("entries_sum_to_zero") => Self::EntriesMustBalance,
            _ => Self::Db(error),
        }
    }
}

impl LedgerError {
    /// True when the same transaction may be tried again (serialization failure, deadlock).
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Db(error) if db::is_retryable(error))
    }
}
