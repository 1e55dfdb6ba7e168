//! Credit that is given away. Its money is in the wallet like any other, so that a call need not know of it; how much of each grant
//! is left follows from what has left the wallet since. On its last day what is left is posted back.
//!
//! Order of use: promotional credit before paid money; of several grants the soonest to expire first, those without an end last.
//! Money that is paid back to the customer is paid money.

use crate::account::{AccountKind, AccountRef};
use crate::error::LedgerError;
use crate::posting::{Posted, Posting, post};
use crate::store::{promotions as store, wallets};
use chrono::{DateTime, Utc};
use db::{CustomerId, TenantTx, TransactionId};
use money::Money;

/// Credit to be given.
#[derive(Clone, Debug)]
pub struct Promotion {
    pub customer_id: CustomerId,
    pub amount: Money,
    /// `None`: it does not expire.
    pub expires_at: Option<DateTime<Utc>>,
    /// The same key again gives nothing more.
    pub key: String,
    pub memo: String,
}

/// A grant and what is left of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The transaction that gave it.
    pub id: TransactionId,
    pub amount: Money,
    pub left: Money,
    pub granted_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    /// What was taken back when it expired.
    pub expired: Money,
}

/// A wallet's balance, apart by where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credit {
    /// Below zero where a credit limit is used.
    pub paid: Money,
    pub promotional: Money,
    /// By time, those that are used up or expired too.
    pub grants: Vec<Grant>,
}

/// Something that left a wallet, in the order in which it was posted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Debit {
    pub at: DateTime<Utc>,
    pub micros: i64,
}

/// Gives credit: promotional credit -amount, wallet +amount.
pub async fn grant(tx: &TenantTx, promotion: &Promotion, now: DateTime<Utc>) -> Result<Posted, LedgerError> {
    let (customer_id, amount) = (promotion.customer_id, promotion.amount);
    if !amount.is_positive() {
        return Err(LedgerError::AmountMustBePositive(amount));
    }
    if let Some(expires_at) = promotion.expires_at.filter(|expires_at| *expires_at <= now) {
        return Err(LedgerError::PromotionMustNotHaveExpired(expires_at));
    }
    let entries = vec![
        (AccountRef::Customer(AccountKind::PromotionalCredit, customer_id), amount.checked_neg()?),
        (AccountRef::Customer(AccountKind::Wallet, customer_id), amount),
    ];
    let posting = Posting::new("promotion", &promotion.key, &promotion.memo, now, entries)?;
    let posted = post(tx, &posting, now).await?;
    if posted.is_new {
        store::insert(tx, posted.transaction_id, promotion, now).await?;
    }
    Ok(posted)
}

/// What of a customer's wallet was paid and what was given, now.
pub async fn credit_of(tx: &TenantTx, customer_id: CustomerId) -> Result<Option<Credit>, LedgerError> {
    let Some(wallet) = wallets::of_customer(tx, customer_id).await? else { return Ok(None) };
    let mut grants = store::of_customer(tx, customer_id).await?;
    let debits = store::debits(tx, &wallet, &grants).await?;
    spend(&mut grants, &debits)?;
    let promotional = Money::sum(wallet.balance.currency(), grants.iter().map(|grant| grant.left))?;
    Ok(Some(Credit { paid: wallet.balance.checked_sub(promotional)?, promotional, grants }))
}

/// Posts back what is left of grants that have expired: wallet -left, promotional credit +left. What a running call was promised
/// stays until it has ended, and is looked at again. How many grants were closed.
pub async fn expire_promotions(tx: &TenantTx, now: DateTime<Utc>) -> Result<u64, LedgerError> {
    let due = store::customers_due(tx, now).await?;
    let mut closed = 0;
    for wallet in wallets::lock_by_customer(tx, due.into_iter()).await? {
        // Under the wallet's lock: nothing leaves it meanwhile.
        let mut grants = store::of_customer(tx, wallet.customer_id).await?;
        let debits = store::debits(tx, &wallet, &grants).await?;
        spend(&mut grants, &debits)?;
        let mut free = wallet.available()?.max(Money::zero(wallet.balance.currency()))?;
        for grant in grants.iter().filter(|grant| grant.expires_at.is_some_and(|at| at <= now)) {
            let taken = grant.left.min(free)?;
            if taken.is_positive() {
                take_back(tx, wallet.customer_id, grant, taken, now).await?;
                free = free.checked_sub(taken)?;
            }
            if taken == grant.left && store::close(tx, grant.id, now).await? > 0 {
                closed += 1;
            }
        }
    }
    Ok(closed)
}

async fn take_back(
    tx: &TenantTx,
    customer_id: CustomerId,
    grant: &Grant,
    taken: Money,
    now: DateTime<Utc>,
) -> Result<(), LedgerError> {
    let entries = vec![
        (AccountRef::Customer(AccountKind::Wallet, customer_id), taken.checked_neg()?),
        (AccountRef::Customer(AccountKind::PromotionalCredit, customer_id), taken),
    ];
    // In several parts where calls held some of it: each part has a key of its own.
    let key = format!("{}:{}", grant.id, grant.expired.micros());
    let posting = Posting::new("promotion_expired", key, "Promotional credit expired", now, entries)?;
    if post(tx, &posting, now).await?.is_new {
        store::add_expired(tx, grant.id, taken).await?;
    }
    Ok(())
}

/// Takes debits from grants, in the order of use. What no grant can pay was paid money. Pure.
fn spend(grants: &mut [Grant], debits: &[Debit]) -> Result<(), LedgerError> {
    for grant in grants.iter_mut() {
        grant.left = grant.amount.checked_sub(grant.expired)?;
    }
    let mut order: Vec<usize> = (0..grants.len()).collect();
    order.sort_by_key(|index| {
        let grant = &grants[*index];
        (grant.expires_at.is_none(), grant.expires_at, grant.granted_at, grant.id)
    });
    for debit in debits {
        let mut rest = debit.micros;
        for index in &order {
            let grant = &mut grants[*index];
            let currency = grant.left.currency();
            let is_live = grant.granted_at <= debit.at && grant.left.is_positive();
            if rest == 0 || !is_live {
                continue;
            }
            let used = rest.min(grant.left.micros());
            grant.left = grant.left.checked_sub(Money::from_micros(used, currency))?;
            rest -= used;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;
    use money::Currency;

    fn at(hour: i64) -> DateTime<Utc> {
        DateTime::<Utc>::UNIX_EPOCH + TimeDelta::hours(hour)
    }

    fn grant(amount: &str, from: i64, until: Option<i64>) -> Grant {
        let amount = Money::parse(amount, Currency::EUR).unwrap();
        let zero = Money::zero(Currency::EUR);
        Grant {
            id: TransactionId::new(),
            amount,
            left: zero,
            granted_at: at(from),
            expires_at: until.map(at),
            expired: zero,
        }
    }

    #[test]
    fn promotional_credit_goes_first_and_of_it_the_soonest_to_expire() {
        let mut grants = [grant("5.00", 0, None), grant("3.00", 0, Some(100)), grant("2.00", 10, Some(50))];
        let left = |grants: &[Grant]| grants.iter().map(|grant| grant.left.format_plain()).collect::<Vec<_>>();
        let debit = |hour, cents: i64| Debit { at: at(hour), micros: cents * 10_000 };
        // (debits so far, what is left of each)
        for (debits, expected) in [
            (vec![], ["5.00", "3.00", "2.00"]),
            (vec![debit(1, 100)], ["5.00", "2.00", "2.00"]), // the third is not there yet
            (vec![debit(1, 100), debit(11, 150)], ["5.00", "2.00", "0.50"]), // 2.00 - 1.50
            (vec![debit(1, 100), debit(11, 150), debit(12, 300)], ["4.50", "0.00", "0.00"]), // 3.00 = 0.50 + 2.00 + 0.50
            (vec![debit(1, 100), debit(11, 1500)], ["0.00", "0.00", "0.00"]),                // the rest was paid money
        ] {
            spend(&mut grants, &debits).unwrap();
            assert_eq!(left(&grants), expected);
        }
    }
}
