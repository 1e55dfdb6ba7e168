//! The same rules for many calls at once: wallets are locked in id order, decided on in memory in the order given, and written by
//! a handful of set-based statements. The outcome equals that of the calls one by one.

use crate::account::{AccountKind, AccountRef};
use crate::error::LedgerError;
use crate::posting::{Posted, Posting, post_with_wallets_locked};
use crate::reservation::{Reserve, Reserved};
use crate::settlement::{ChargeKey, Settle, Settled};
use crate::store::plan_for_size;
use crate::store::reservations::{Decided, states_of, store_decided};
use crate::store::settlements::{Closed, close, known, promised};
use crate::store::wallets::lock_by_customer;
use crate::wallet::Wallet;
use chrono::{DateTime, Utc};
use db::{CallId, CustomerId, TenantTx, WalletId};
use money::{Currency, Money};
use std::collections::{HashMap, HashSet};

/// A locked wallet while a batch walks over it: `headroom` is what may still be promised or paid.
pub(crate) struct Purse {
    id: WalletId,
    pub currency: Currency,
    pub headroom: Money,
}

pub(crate) async fn purses(
    tx: &TenantTx,
    customers: impl Iterator<Item = CustomerId>,
) -> Result<HashMap<CustomerId, Purse>, LedgerError> {
    let wallets = lock_by_customer(tx, customers).await?;
    let open = |wallet: Wallet| {
        let purse = Purse { id: wallet.id, currency: wallet.balance.currency(), headroom: wallet.available()? };
        Ok((wallet.customer_id, purse))
    };
    wallets.into_iter().map(open).collect()
}

pub(crate) fn purse_of(
    purses: &mut HashMap<CustomerId, Purse>,
    customer_id: CustomerId,
    currency: Currency,
) -> Result<&mut Purse, LedgerError> {
    let purse = purses.get_mut(&customer_id).filter(|purse| purse.currency == currency);
    purse.ok_or(LedgerError::NoWallet { customer_id, currency })
}

/// [`crate::reserve`] for many wishes in their order; answers in their order. A wish that is denied takes nothing from those behind it.
pub async fn reserve_batch(
    tx: &TenantTx,
    wishes: &[Reserve],
    now: DateTime<Utc>,
) -> Result<Vec<Reserved>, LedgerError> {
    if let Some(wish) = wishes.iter().find(|wish| !wish.amount.is_positive()) {
        return Err(LedgerError::AmountMustBePositive(wish.amount));
    }
    plan_for_size(tx).await?;
    let mut purses = purses(tx, wishes.iter().map(|wish| wish.customer_id)).await?;
    let mut open: HashMap<(CallId, String, u32), bool> = HashMap::new();
    for (call_id, leg, seq, state) in states_of(tx, wishes).await? {
        open.insert((call_id, leg, seq), state == "open");
    }
    let mut decided = Vec::with_capacity(wishes.len());
    let mut answers = Vec::with_capacity(wishes.len());
    for wish in wishes {
        let purse = purse_of(&mut purses, wish.customer_id, wish.amount.currency())?;
        let key = (wish.call_id, wish.leg.code().to_owned(), wish.seq);
        let is_open = match open.get(&key) {
            Some(is_open) => *is_open,
            None => {
                let is_open = purse.headroom.at_least(wish.amount)?;
                if is_open {
                    purse.headroom = purse.headroom.checked_sub(wish.amount)?;
                }
                decided.push(Decided { wish: *wish, wallet_id: purse.id, is_open });
                open.insert(key, is_open);
                is_open
            }
        };
        answers.push(if is_open { Reserved::Open } else { Reserved::Denied { available: purse.headroom } });
    }
    store_decided(tx, &decided, now).await?;
    Ok(answers)
}

/// [`crate::settle`] for many charges in their order; answers in their order.
pub async fn settle_batch(tx: &TenantTx, charges: &[Settle], now: DateTime<Utc>) -> Result<Vec<Settled>, LedgerError> {
    if let Some(charge) = charges.iter().find(|charge| charge.charge.is_negative()) {
        return Err(LedgerError::ChargeMustNotBeNegative(charge.charge));
    }
    plan_for_size(tx).await?;
    let mut purses = purses(tx, charges.iter().map(|charge| charge.customer_id)).await?;
    let known = known(tx, charges).await?;
    // A hold is freed once: a call and what corrects it may be charged together.
    let mut promised = promised(tx, charges).await?;
    let (mut closed, mut freed) = (Vec::new(), Vec::new());
    let mut postings = Vec::with_capacity(charges.len());
    let mut fresh: HashMap<ChargeKey, (usize, Money)> = HashMap::with_capacity(charges.len());
    for charge in charges {
        let purse = purse_of(&mut purses, charge.customer_id, charge.charge.currency())?;
        let key = charge.charge_key();
        if known.contains_key(&key) || fresh.contains_key(&key) {
            continue;
        }
        let mut used_before = 0;
        let account = AccountRef::Customer(AccountKind::Wallet, charge.customer_id).id(tx.tenant_id(), purse.currency);
        for hold in promised.remove(&(charge.call_id, charge.leg)).into_iter().flatten() {
            let used_micros = (charge.charge.micros() - used_before).clamp(0, hold.amount_micros);
            used_before += hold.amount_micros;
            freed.push((account, hold.amount_micros));
            purse.headroom = purse.headroom.checked_add(Money::from_micros(hold.amount_micros, purse.currency))?;
            closed.push(Closed { call_id: charge.call_id, leg: charge.leg, promised: hold, used_micros });
        }
        let paid = charge.charge.min(purse.headroom)?;
        purse.headroom = purse.headroom.checked_sub(paid)?;
        let unpaid = charge.charge.checked_sub(paid)?;
        fresh.insert(key, (postings.len(), unpaid));
        postings.push(posting_of(charge, paid, unpaid)?);
    }
    close(tx, &closed, now).await?;
    let posted = post_with_wallets_locked(tx, &postings, &freed, now).await?;
    let mut told: HashSet<ChargeKey> = HashSet::with_capacity(charges.len());
    let answer = |charge: &Settle| {
        let key = charge.charge_key();
        if let Some((transaction_id, micros)) = known.get(&key) {
            let unpaid = Money::from_micros(*micros, charge.charge.currency());
            return Settled { posted: Posted { transaction_id: *transaction_id, is_new: false }, unpaid };
        }
        let (index, unpaid) = fresh[&key];
        let is_new = told.insert(key) && posted[index].is_new;
        Settled { posted: Posted { is_new, ..posted[index] }, unpaid }
    };
    Ok(charges.iter().map(answer).collect())
}

fn posting_of(charge: &Settle, paid: Money, unpaid: Money) -> Result<Posting, LedgerError> {
    let entries = vec![
        (AccountRef::Customer(AccountKind::Wallet, charge.customer_id), paid.checked_neg()?),
        (AccountRef::Customer(AccountKind::Unbilled, charge.customer_id), charge.charge),
        (AccountRef::Book(AccountKind::BadDebt), unpaid.checked_neg()?),
    ];
    Posting::new(charge.kind, charge.key(), charge.memo.clone(), charge.effective_at, entries)
}
