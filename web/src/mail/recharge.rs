//! The letter of a wallet that runs low: how much to transfer, where to, and under which reference.

use super::TOPIC;
use super::told::{Said, Told};
use crate::urls;
use chrono::{DateTime, Utc};
use db::{CustomerId, RechargeId, TenantTx};
use ledger::RechargeState;
use subscription::Customer;

/// Attempts among which an open one is looked for.
const NEWEST: u64 = 5;

/// Puts an attempt's letter in the outbox, once.
pub async fn ask(
    tx: &TenantTx,
    customer_id: CustomerId,
    attempt_id: RechargeId,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let told = serde_json::to_value(Told::Recharge { customer_id, attempt_id })?;
    Ok(db::enqueue(tx, TOPIC, &format!("recharge {attempt_id}"), told, now).await?)
}

/// `None` where the money came while the letter waited.
pub(super) async fn of_attempt(
    tx: &TenantTx,
    customer: &Customer,
    attempt_id: RechargeId,
) -> anyhow::Result<Option<Said>> {
    let newest = ledger::recharges_of(tx, customer.id, NEWEST).await?;
    let open = newest.iter().find(|attempt| attempt.id == attempt_id && attempt.state == RechargeState::Asked);
    let (Some(open), Some(wallet)) = (open, ledger::wallet_of(tx, customer.id).await?) else { return Ok(None) };
    let bank = tenant::organisation(tx).await?.bank;
    let mut paragraphs = vec![
        format!("Your balance is {}, less than you wanted to keep.", wallet.balance.human_balance()),
        format!("Please transfer {} with the reference {}.", open.amount.human(), customer.customer_no),
    ];
    if !bank.is_empty() {
        let lines: Vec<String> = bank.iter().map(|(word, value)| format!("{word} {value}")).collect();
        paragraphs.push(format!("To {}.", lines.join(", ")));
    }
    Ok(Some(Said {
        subject: format!("Please top up {}", open.amount.human()),
        paragraphs,
        action: "Look at your account",
        path: urls::PORTAL,
    }))
}
