use crate::account::{AccountKind, AccountRef};
use crate::error::LedgerError;
use crate::posting::{Posted, Posting, post};
use crate::store;
use chrono::{DateTime, Utc};
use db::{CustomerId, TenantTx, WalletId};
use money::{Currency, Money, MoneyError};

/// A prepaid customer's money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wallet {
    pub id: WalletId,
    pub customer_id: CustomerId,
    /// The sum of the wallet's entries.
    pub balance: Money,
    /// The sum of its open reservations.
    pub reserved: Money,
    /// Zero, or minus a credit limit.
    pub floor: Money,
}

impl Wallet {
    /// What may still be promised: balance - reserved - floor.
    pub fn available(&self) -> Result<Money, MoneyError> {
        self.balance.checked_sub(self.reserved)?.checked_sub(self.floor)
    }
}

/// Opens the wallet of a customer with its accounts; `floor` is zero or minus a credit limit. The same again is the one that is
/// open already; another currency is refused.
pub async fn open_wallet(
    tx: &TenantTx,
    customer_id: CustomerId,
    currency: Currency,
    floor: Money,
    _now: DateTime<Utc>,
) -> Result<WalletId, LedgerError> {
    if floor.currency() != currency {
        return Err(MoneyError::CurrencyMustMatch { expected: currency, found: floor.currency() }.into());
    }
    if floor.is_positive() {
        return Err(LedgerError::FloorMustNotBePositive(floor));
    }
    store::wallets::open(tx, customer_id, floor).await?;
    let wallet = wallet_of(tx, customer_id).await?.ok_or(LedgerError::NoWallet { customer_id, currency })?;
    let found = wallet.balance.currency();
    if found != currency {
        return Err(LedgerError::WalletMustKeepItsCurrency { customer_id, wanted: currency, found });
    }
    Ok(wallet.id)
}

/// The wallet of a customer, if it has one.
pub async fn wallet_of(tx: &TenantTx, customer_id: CustomerId) -> Result<Option<Wallet>, LedgerError> {
    store::wallets::of_customer(tx, customer_id).await
}

/// Which of these customers have something available in their wallets.
pub async fn customers_with_credit(tx: &TenantTx, customers: &[CustomerId]) -> Result<Vec<CustomerId>, LedgerError> {
    store::wallets::with_credit(tx, customers).await
}

/// Wallets with less than this available, the emptiest first: who should be told. `below` also names the currency.
pub async fn wallets_below(tx: &TenantTx, below: Money, limit: u64) -> Result<Vec<Wallet>, LedgerError> {
    store::wallets::below(tx, below, limit).await
}

/// Moves the floor; refused when balance less reserved is below it already.
pub async fn set_floor(
    tx: &TenantTx,
    customer_id: CustomerId,
    floor: Money,
    _now: DateTime<Utc>,
) -> Result<(), LedgerError> {
    if floor.is_positive() {
        return Err(LedgerError::FloorMustNotBePositive(floor));
    }
    if store::wallets::set_floor(tx, customer_id, floor).await? == 0 {
        return Err(LedgerError::NoWallet { customer_id, currency: floor.currency() });
    }
    Ok(())
}

/// Money arrives in a wallet: processor clearing -amount, wallet +amount. The same key again changes nothing.
pub async fn top_up(
    tx: &TenantTx,
    customer_id: CustomerId,
    amount: Money,
    key: &str,
    memo: &str,
    effective_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Posted, LedgerError> {
    if !amount.is_positive() {
        return Err(LedgerError::AmountMustBePositive(amount));
    }
    let entries = vec![
        (AccountRef::Book(AccountKind::ProcessorClearing), amount.checked_neg()?),
        (AccountRef::Customer(AccountKind::Wallet, customer_id), amount),
    ];
    post(tx, &Posting::new("top_up", key, memo, effective_at, entries)?, now).await
}
