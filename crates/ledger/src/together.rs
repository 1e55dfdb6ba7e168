//! Legs of many calls that one customer pays together: their reservations are closed one by one, and the ledger gets one posting.

use crate::account::{AccountKind, AccountRef};
use crate::batch::{purse_of, purses};
use crate::error::LedgerError;
use crate::posting::{Posted, Posting, post_with_wallets_locked};
use crate::reservation::Leg;
use crate::settlement::Settle;
use crate::store::postings::ids_of_keys;
use crate::store::settlements::{Closed, close, promised};
use chrono::{DateTime, Utc};
use db::{CallId, CustomerId, TenantTx};
use money::Money;

/// What calls come to together.
#[derive(Clone, Debug)]
pub struct Together {
    pub customer_id: CustomerId,
    pub leg: Leg,
    /// What each call costs the wallet; zero gives back what was held for it. Not empty.
    pub charges: Vec<(CallId, Money)>,
    /// With `key` the natural key of all of it.
    pub kind: &'static str,
    pub key: String,
    pub memo: String,
    pub effective_at: DateTime<Utc>,
    /// What the wallet pays for: in the wallet's currency it sums to the charges, in any other to zero.
    pub entries: Vec<(AccountRef, Money)>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettledTogether {
    pub posted: Posted,
    /// Of each charge, what the wallet could not pay without going below its floor: in bad debt. The first calls are paid first.
    pub unpaid: Vec<Money>,
}

/// [`crate::settle`] for calls that are one posting: wallet -paid, bad debt -unpaid, and the entries. Twice is once: of a repeat
/// nothing is unpaid, for it charges nothing.
pub async fn settle_together(
    tx: &TenantTx,
    together: &Together,
    now: DateTime<Utc>,
) -> Result<SettledTogether, LedgerError> {
    if let Some((_, charge)) = together.charges.iter().find(|(_, charge)| charge.is_negative()) {
        return Err(LedgerError::ChargeMustNotBeNegative(*charge));
    }
    let mut purses = purses(tx, std::iter::once(together.customer_id)).await?;
    let name = (together.kind, together.key.as_str());
    let known = ids_of_keys(tx, std::iter::once(name)).await?.into_values().next();
    if let Some(transaction_id) = known {
        let unpaid = together.charges.iter().map(|(_, charge)| Money::zero(charge.currency())).collect();
        return Ok(SettledTogether { posted: Posted { transaction_id, is_new: false }, unpaid });
    }
    let charges: Vec<Settle> = together.charges.iter().map(|charge| settle_of(together, *charge)).collect();
    // A hold is freed once: a call and what corrects it may be charged together.
    let mut promised = promised(tx, &charges).await?;
    let (mut closed, mut freed) = (Vec::new(), Vec::new());
    let mut unpaid = Vec::with_capacity(together.charges.len());
    let mut entries = together.entries.clone();
    for (call_id, charge) in &together.charges {
        let purse = purse_of(&mut purses, together.customer_id, charge.currency())?;
        let account =
            AccountRef::Customer(AccountKind::Wallet, together.customer_id).id(tx.tenant_id(), purse.currency);
        let mut used_before = 0;
        for hold in promised.remove(&(*call_id, together.leg)).into_iter().flatten() {
            let used_micros = (charge.micros() - used_before).clamp(0, hold.amount_micros);
            used_before += hold.amount_micros;
            freed.push((account, hold.amount_micros));
            purse.headroom = purse.headroom.checked_add(Money::from_micros(hold.amount_micros, purse.currency))?;
            closed.push(Closed { call_id: *call_id, leg: together.leg, promised: hold, used_micros });
        }
        let paid = (*charge).min(purse.headroom)?;
        purse.headroom = purse.headroom.checked_sub(paid)?;
        unpaid.push(charge.checked_sub(paid)?);
        entries.push((AccountRef::Customer(AccountKind::Wallet, together.customer_id), paid.checked_neg()?));
    }
    for owed in &unpaid {
        entries.push((AccountRef::Book(AccountKind::BadDebt), owed.checked_neg()?));
    }
    close(tx, &closed, now).await?;
    let (memo, effective_at) = (together.memo.clone(), together.effective_at);
    let posting = Posting::new(together.kind, together.key.clone(), memo, effective_at, summed(entries)?)?;
    let posted = post_with_wallets_locked(tx, std::slice::from_ref(&posting), &freed, now).await?;
    Ok(SettledTogether { posted: posted[0], unpaid })
}

fn settle_of(together: &Together, (call_id, charge): (CallId, Money)) -> Settle {
    Settle {
        call_id,
        leg: together.leg,
        customer_id: together.customer_id,
        charge,
        kind: together.kind,
        memo: String::new(),
        effective_at: together.effective_at,
    }
}

/// One entry for each account and currency.
pub fn summed(entries: Vec<(AccountRef, Money)>) -> Result<Vec<(AccountRef, Money)>, LedgerError> {
    let mut sums: Vec<(AccountRef, Money)> = Vec::new();
    for (account, amount) in entries {
        match sums.iter_mut().find(|(known, sum)| *known == account && sum.currency() == amount.currency()) {
            Some((_, sum)) => *sum = sum.checked_add(amount)?,
            None => sums.push((account, amount)),
        }
    }
    Ok(sums)
}
