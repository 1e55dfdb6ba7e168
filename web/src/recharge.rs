//! Wallets that run low: what the ledger has decided becomes a letter that asks for a transfer. A top-up answers it; what nobody
//! answers has failed, and the ledger's breaker sees to it that nobody is asked for ever.

use crate::mail;
use chrono::{DateTime, TimeDelta, Utc};
use db::{CustomerId, RechargeId, TenantTx};
use serde::Deserialize;

/// Decisions of one round.
const TAKEN: u64 = 50;
/// A transfer takes a few days, and a person some more.
pub const WAITS_DAYS: i64 = 7;

/// What a decision carries; how much stands in the ledger.
#[derive(Deserialize)]
struct Decided {
    attempt: RechargeId,
    customer: CustomerId,
}

/// Writes the letters that are due, and gives up on what was not answered.
pub async fn round(tx: &TenantTx, now: DateTime<Utc>) -> anyhow::Result<()> {
    let claimed = db::claim_outbox(tx, ledger::RECHARGE, TAKEN, now).await?;
    for message in &claimed {
        let decided: Decided = serde_json::from_value(message.payload.clone())?;
        mail::ask_recharge(tx, decided.customer, decided.attempt, now).await?;
    }
    let ids: Vec<_> = claimed.iter().map(|message| message.id).collect();
    db::finish_outbox(tx, &ids, now).await?;
    for id in ledger::recharges_asked_before(tx, now - TimeDelta::days(WAITS_DAYS)).await? {
        ledger::recharge_failed(tx, id, &format!("no money came within {WAITS_DAYS} days"), now).await?;
    }
    Ok(())
}
