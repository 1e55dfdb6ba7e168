use crate::account::{AccountKind, AccountRef};
use crate::error::LedgerError;
use crate::store;
use chrono::{DateTime, Utc};
use db::{TenantTx, TransactionId};
use money::{Currency, Money};

/// The sum of all accounts of one kind and currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrialBalanceLine {
    pub kind: AccountKind,
    /// Accounts of this kind that have entries.
    pub accounts: u64,
    /// Positive: credit.
    pub balance: Money,
}

/// One movement of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementLine {
    pub at: DateTime<Utc>,
    /// Of the transaction: `call`, `top_up`, `invoice` ..
    pub kind: String,
    /// Of the transaction, within its kind: names the call, the document or the payment.
    pub key: String,
    pub memo: String,
    pub amount: Money,
    pub balance_after: Money,
    pub transaction_id: TransactionId,
}

/// The sum of an account's entries that count up to and including `at`.
pub async fn balance(
    tx: &TenantTx,
    account: AccountRef,
    currency: Currency,
    at: DateTime<Utc>,
) -> Result<Money, LedgerError> {
    account.check()?;
    store::reading::balance(tx, account.id(tx.tenant_id(), currency), currency, at).await
}

/// All kinds of accounts with their sums up to and including `at`; the lines of one currency sum to zero.
pub async fn trial_balance(tx: &TenantTx, at: DateTime<Utc>) -> Result<Vec<TrialBalanceLine>, LedgerError> {
    store::reading::trial_balance(tx, at).await
}

/// The newest `limit` movements of an account in `[from, to)`, newest first, each with the balance after it.
pub async fn statement(
    tx: &TenantTx,
    account: AccountRef,
    currency: Currency,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    limit: u64,
) -> Result<Vec<StatementLine>, LedgerError> {
    account.check()?;
    store::reading::statement(tx, account.id(tx.tenant_id(), currency), currency, from..to, limit).await
}
