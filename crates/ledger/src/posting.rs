use crate::account::{AccountKind, AccountRef};
use crate::error::LedgerError;
use crate::store;
use chrono::{DateTime, Utc};
use db::{AccountId, CustomerId, TenantTx, TransactionId};
use money::{Currency, Money};
use std::collections::{BTreeMap, HashMap};

/// What is to be posted: entries that sum to zero, under a natural key.
#[derive(Clone, Debug)]
pub struct Posting {
    kind: &'static str,
    key: String,
    memo: String,
    effective_at: DateTime<Utc>,
    reverses: Option<TransactionId>,
    entries: Vec<(AccountRef, Money)>,
}

/// What became of a posting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posted {
    pub transaction_id: TransactionId,
    /// False when (kind, key) was posted before; then nothing changed.
    pub is_new: bool,
}

impl Posting {
    /// A posting of entries (positive credits, negative debits) that sum to zero in each currency. Entries of zero are left out.
    /// `kind` and `key` together make it one posting however often it is repeated.
    pub fn new(
        kind: &'static str,
        key: impl Into<String>,
        memo: impl Into<String>,
        effective_at: DateTime<Utc>,
        entries: Vec<(AccountRef, Money)>,
    ) -> Result<Self, LedgerError> {
        let mut sums: BTreeMap<String, Money> = BTreeMap::new();
        for (account, amount) in &entries {
            account.check()?;
            let sum = sums.entry(amount.currency().code().to_owned()).or_insert(Money::zero(amount.currency()));
            *sum = sum.checked_add(*amount)?;
        }
        if let Some(sum) = sums.into_values().find(|sum| !sum.is_zero()) {
            return Err(LedgerError::PostingMustBalance { sum });
        }
        let entries = entries.into_iter().filter(|(_, amount)| !amount.is_zero()).collect();
        Ok(Self { kind, key: key.into(), memo: memo.into(), effective_at, reverses: None, entries })
    }

    pub fn kind(&self) -> &'static str {
        self.kind
    }
    pub fn key(&self) -> &str {
        &self.key
    }
    pub fn memo(&self) -> &str {
        &self.memo
    }
    pub fn effective_at(&self) -> DateTime<Utc> {
        self.effective_at
    }
    pub fn reverses(&self) -> Option<TransactionId> {
        self.reverses
    }
    pub fn entries(&self) -> &[(AccountRef, Money)] {
        &self.entries
    }

    /// The one customer whose accounts it touches; none when there are several or none.
    pub(crate) fn customer_id(&self) -> Option<CustomerId> {
        let mut customers = self.entries.iter().filter_map(|(account, _)| account.customer_id());
        let first = customers.next()?;
        customers.all(|other| other == first).then_some(first)
    }
}

/// Posts one transaction; see [`post_many`].
pub async fn post(tx: &TenantTx, posting: &Posting, now: DateTime<Utc>) -> Result<Posted, LedgerError> {
    let posted = post_many(tx, std::slice::from_ref(posting), now).await?;
    Ok(posted[0])
}

/// Posts many transactions at once, in one statement; answers in their order. A (kind, key) that is known, or comes twice in the
/// block, is posted once. Accounts are opened as they are needed. Entries on a wallet move its balance; one that would go below
/// its floor refuses the whole block ([`LedgerError::WalletMustKeepItsFloor`]), and the transaction is lost.
pub async fn post_many(tx: &TenantTx, postings: &[Posting], now: DateTime<Utc>) -> Result<Vec<Posted>, LedgerError> {
    let wallets = wallets_of(postings);
    if !wallets.is_empty() {
        let found = store::wallets::lock_by_customer(tx, wallets.iter().map(|(customer_id, _)| *customer_id)).await?;
        for (customer_id, currency) in wallets {
            if !found.iter().any(|wallet| wallet.customer_id == customer_id && wallet.balance.currency() == currency) {
                return Err(LedgerError::NoWallet { customer_id, currency });
            }
        }
    }
    post_with_wallets_locked(tx, postings, &[], now).await
}

pub(crate) async fn post_with_wallets_locked(
    tx: &TenantTx,
    postings: &[Posting],
    freed: &[(AccountId, i64)],
    now: DateTime<Utc>,
) -> Result<Vec<Posted>, LedgerError> {
    if postings.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<TransactionId> = postings.iter().map(|_| TransactionId::new()).collect();
    let written: std::collections::HashSet<TransactionId> =
        store::postings::write(tx, &ids, postings, freed, now).await?;
    let stored = if written.len() == postings.len() {
        HashMap::new()
    } else {
        store::postings::ids_of_keys(tx, postings.iter().map(|posting| (posting.kind(), posting.key()))).await?
    };
    let mut posted = Vec::with_capacity(postings.len());
    for (posting, id) in postings.iter().zip(ids) {
        if written.contains(&id) {
            posted.push(Posted { transaction_id: id, is_new: true });
            continue;
        }
        let key = (posting.kind().to_owned(), posting.key().to_owned());
        let transaction_id = stored.get(&key).copied().ok_or_else(|| {
            LedgerError::Db(db::DbError::Custom(format!("posting {} {} was refused but is not stored", key.0, key.1)))
        })?;
        posted.push(Posted { transaction_id, is_new: false });
    }
    Ok(posted)
}

/// The wallets that postings move, by customer.
pub(crate) fn wallets_of(postings: &[Posting]) -> Vec<(CustomerId, Currency)> {
    let mut wallets: Vec<(CustomerId, Currency)> = Vec::new();
    let entries = postings.iter().flat_map(|posting| posting.entries());
    for (account, amount) in entries {
        if let AccountRef::Customer(AccountKind::Wallet, customer_id) = account {
            wallets.push((*customer_id, amount.currency()));
        }
    }
    wallets.sort_unstable_by_key(|(customer_id, _)| *customer_id);
    wallets.dedup();
    wallets
}

/// Posts the opposite of a transaction, as kind `reversal`. A transaction is reversed once; the same key again changes nothing.
pub async fn reverse(
    tx: &TenantTx,
    transaction_id: TransactionId,
    key: &str,
    memo: &str,
    now: DateTime<Utc>,
) -> Result<Posted, LedgerError> {
    if let Some((stored, stored_key)) = store::postings::reversal_of(tx, transaction_id).await? {
        return if stored_key == key {
            Ok(Posted { transaction_id: stored, is_new: false })
        } else {
            Err(LedgerError::AlreadyReversed(transaction_id))
        };
    }
    let entries = store::postings::entries_of(tx, transaction_id).await?;
    if entries.is_empty() {
        return Err(LedgerError::UnknownTransaction(transaction_id));
    }
    let opposite: Result<Vec<_>, LedgerError> =
        entries.into_iter().map(|(account, amount)| Ok((account, amount.checked_neg()?))).collect();
    let mut posting = Posting::new("reversal", key, memo, now, opposite?)?;
    posting.reverses = Some(transaction_id);
    post(tx, &posting, now).await
}

/// [`reverse`] of what was posted under (kind, key); `None` when nothing was.
pub async fn reverse_keyed(
    tx: &TenantTx,
    (kind, key): (&str, &str),
    reversal_key: &str,
    memo: &str,
    now: DateTime<Utc>,
) -> Result<Option<Posted>, LedgerError> {
    let found = store::postings::ids_of_keys(tx, std::iter::once((kind, key))).await?.into_values().next();
    let Some(transaction_id) = found else { return Ok(None) };
    // A charge of nothing moved nothing.
    if store::postings::entries_of(tx, transaction_id).await?.is_empty() {
        return Ok(None);
    }
    reverse(tx, transaction_id, reversal_key, memo, now).await.map(Some)
}

/// Accrues a postpaid charge before it is on a document: unbilled -net, revenue +net, as kind `call`.
pub async fn accrue(
    tx: &TenantTx,
    customer_id: CustomerId,
    net: Money,
    key: &str,
    memo: &str,
    effective_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Posted, LedgerError> {
    post(tx, &accrual(customer_id, net, key, memo, effective_at)?, now).await
}

/// The posting of [`accrue`], for blocks of [`post_many`].
pub fn accrual(
    customer_id: CustomerId,
    net: Money,
    key: &str,
    memo: &str,
    effective_at: DateTime<Utc>,
) -> Result<Posting, LedgerError> {
    let entries = vec![
        (AccountRef::Customer(AccountKind::Unbilled, customer_id), net.checked_neg()?),
        (AccountRef::Book(AccountKind::Revenue), net),
    ];
    Posting::new("call", key, memo, effective_at, entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eur(text: &str) -> Money {
        Money::parse(text, Currency::EUR).unwrap()
    }

    #[test]
    fn a_posting_that_does_not_sum_to_zero_in_each_currency_is_refused() {
        let now = DateTime::<Utc>::UNIX_EPOCH;
        let (revenue, tax) = (AccountRef::Book(AccountKind::Revenue), AccountRef::Book(AccountKind::Tax));
        let usd = Money::parse("5.00", Currency::USD).unwrap();
        let balanced = |entries| Posting::new("test", "1", "", now, entries);
        assert!(balanced(vec![(revenue, eur("5.00")), (tax, eur("-5.00"))]).is_ok());
        // 5.00 - 4.99 = 0.01
        assert!(matches!(
            balanced(vec![(revenue, eur("5.00")), (tax, eur("-4.99"))]),
            Err(LedgerError::PostingMustBalance { sum }) if sum == eur("0.01")
        ));
        // five euros do not balance five dollars
        let minus = usd.checked_neg().unwrap();
        assert!(balanced(vec![(revenue, eur("5.00")), (tax, minus)]).is_err());
        assert!(balanced(vec![(AccountRef::Book(AccountKind::Wallet), eur("0"))]).is_err());
    }

    #[test]
    fn entries_of_zero_are_left_out() {
        let now = DateTime::<Utc>::UNIX_EPOCH;
        let entries =
            vec![(AccountRef::Book(AccountKind::Revenue), eur("0")), (AccountRef::Book(AccountKind::Tax), eur("0"))];
        assert!(Posting::new("test", "1", "", now, entries).unwrap().entries().is_empty());
    }
}
