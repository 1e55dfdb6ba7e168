//! A prepaid child pays its share of each call from its wallet, at once; that closes what was held for it.

use crate::error::Result;
use crate::split::Share;
use crate::store::upward::{Correction, FactRow};
use chrono::{DateTime, Utc};
use db::{CallId, TenantTx};
use ledger::{AccountKind, AccountRef, Leg, Posting, Settle};
use money::Money;
use subscription::Customer;

const SHARE: &str = "share";

/// What one thing that happened to a call is posted under: the wallet's side, and the revenue's.
fn keys(call_id: CallId, correction: Option<Correction>) -> (&'static str, String) {
    match correction {
        None => ("call", format!("{call_id}:seller")),
        Some(_) => ("call_correction", format!("{call_id}:seller:correction")),
    }
}

pub(crate) async fn debit(
    tx: &TenantTx,
    child: &Customer,
    calls: impl Iterator<Item = (&FactRow, Option<&Share>)>,
    now: DateTime<Utc>,
) -> Result<()> {
    let mut charges = Vec::new();
    let mut revenue = Vec::new();
    for (fact, share) in calls {
        // Where this book collects, the child has nothing to pay.
        let share = share.filter(|share| share.owed.is_none()).map(|share| share.amount);
        if share.is_none() && !fact.holds_upward {
            continue;
        }
        let share = share.unwrap_or(Money::zero(child.currency));
        let call_id = CallId::from_uuid(fact.id);
        if fact.correction() == Some(Correction::Reversal) {
            give_back(tx, call_id, now).await?;
            continue;
        }
        let memo = format!("Share of a call to {}", fact.called);
        let (kind, key) = keys(call_id, fact.correction());
        charges.push(Settle {
            call_id,
            leg: Leg::Seller,
            customer_id: child.id,
            charge: share,
            kind,
            memo: memo.clone(),
            effective_at: fact.ended_at,
        });
        let entries = vec![
            (AccountRef::Customer(AccountKind::Unbilled, child.id), share.checked_neg()?),
            (AccountRef::Book(AccountKind::Revenue), share),
        ];
        revenue.push(Posting::new(SHARE, key, memo, fact.ended_at, entries)?);
    }
    ledger::settle_batch(tx, &charges, now).await?;
    // It is paid, and on no document: nothing is left unbilled.
    ledger::post_many(tx, &revenue, now).await?;
    Ok(())
}

/// The wallet gets back what it paid for a call, to the entry.
async fn give_back(tx: &TenantTx, call_id: CallId, now: DateTime<Utc>) -> Result<()> {
    let settled = format!("{call_id}:seller");
    let shared = [keys(call_id, None).1, keys(call_id, Some(Correction::Estimate)).1];
    let posted = [("call", &settled), ("call_correction", &settled), (SHARE, &shared[0]), (SHARE, &shared[1])];
    for (kind, key) in posted {
        let reversal = format!("{kind}:{key}");
        ledger::reverse_keyed(tx, (kind, key), &reversal, "Share of a call, taken back", now).await?;
    }
    Ok(())
}
