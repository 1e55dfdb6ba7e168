//! A wallet that runs low asks for money by itself, within bounds: caps for a day and for thirty, a pause between two attempts, one
//! attempt at a time, and a breaker. Here it is decided and remembered; whoever takes payments finds the decision in the outbox
//! and tells what became of it. The attempt's id is the key of the payment, however often it is tried.

use crate::error::LedgerError;
use crate::store::recharges as store;
use chrono::{DateTime, TimeDelta, Utc};
use db::{CustomerId, RechargeId, TenantTx};
use money::Money;
use serde_json::json;

/// Outbox topic of a decision: `{"attempt", "customer", "amount", "currency"}`.
pub const RECHARGE: &str = "recharge";
/// Failures in a row that open the breaker.
const FAILURES_MAX: i32 = 3;

/// On what terms a wallet asks for money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AutoRecharge {
    pub customer_id: CustomerId,
    /// Asks when less than this is available.
    pub below: Money,
    pub amount: Money,
    /// At most so much within 24 hours.
    pub day_cap: Money,
    /// And within thirty days.
    pub month_cap: Money,
    pub cool_off_seconds: u32,
    pub is_on: bool,
}

/// The terms, and how it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AutoRechargeState {
    pub terms: AutoRecharge,
    /// In a row.
    pub failures: u32,
    /// Since when nothing is asked any more, and why; a person closes it.
    pub breaker: Option<(DateTime<Utc>, String)>,
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RechargeState {
    Asked,
    Paid,
    Failed,
}

impl RechargeState {
    /// In the order of an attempt's life.
    pub const ALL: [RechargeState; 3] = [Self::Asked, Self::Paid, Self::Failed];

    /// As stored and sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Paid => "paid",
            Self::Failed => "failed",
        }
    }
}

/// A decision to ask for money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recharge {
    pub id: RechargeId,
    pub customer_id: CustomerId,
    pub amount: Money,
    /// What was available when it was decided.
    pub available: Money,
    pub state: RechargeState,
    pub decided_at: DateTime<Utc>,
}

/// Sets the terms; all amounts are of one currency, a cap is not below what is asked, the month's not below the day's.
pub async fn set_auto_recharge(tx: &TenantTx, terms: &AutoRecharge, now: DateTime<Utc>) -> Result<(), LedgerError> {
    if !terms.amount.is_positive() {
        return Err(LedgerError::AmountMustBePositive(terms.amount));
    }
    if terms.below.is_negative() {
        return Err(LedgerError::ChargeMustNotBeNegative(terms.below));
    }
    if !terms.day_cap.at_least(terms.amount)? || !terms.month_cap.at_least(terms.day_cap)? {
        return Err(LedgerError::CapsMustRise);
    }
    terms.below.at_least(terms.amount)?;
    store::set(tx, terms, now).await
}

/// The terms of a customer, if its wallet asks by itself.
pub async fn auto_recharge_of(
    tx: &TenantTx,
    customer_id: CustomerId,
) -> Result<Option<AutoRechargeState>, LedgerError> {
    store::of_customer(tx, customer_id).await
}

/// The newest attempts of a customer, newest first.
pub async fn recharges_of(tx: &TenantTx, customer_id: CustomerId, limit: u64) -> Result<Vec<Recharge>, LedgerError> {
    store::attempts(tx, customer_id, limit).await
}

/// Decides for every wallet of the book that has run low, and puts each decision into the outbox. Two rounds at once decide once.
pub async fn decide_recharges(tx: &TenantTx, now: DateTime<Utc>) -> Result<Vec<Recharge>, LedgerError> {
    let mut decided = Vec::new();
    for low in store::lock_low(tx).await? {
        let terms = &low.terms;
        let day = store::asked_since(tx, terms.customer_id, now - TimeDelta::hours(24)).await?;
        let month = store::asked_since(tx, terms.customer_id, now - TimeDelta::days(30)).await?;
        let cool_off = TimeDelta::seconds(i64::from(terms.cool_off_seconds));
        let rests = month.last_at.is_some_and(|last_at| now < last_at + cool_off);
        let within = |asked: i64, cap: Money| asked.saturating_add(terms.amount.micros()) <= cap.micros();
        if rests || !within(day.micros, terms.day_cap) || !within(month.micros, terms.month_cap) {
            continue;
        }
        let attempt = Recharge {
            id: RechargeId::new(),
            customer_id: terms.customer_id,
            amount: terms.amount,
            available: low.available,
            state: RechargeState::Asked,
            decided_at: now,
        };
        if !store::insert(tx, &attempt).await? {
            continue;
        }
        let payload = json!({
            "attempt": attempt.id,
            "customer": attempt.customer_id,
            "amount": attempt.amount.format_plain(),
            "currency": attempt.amount.currency().code(),
        });
        db::enqueue(tx, RECHARGE, &attempt.id.to_string(), payload, now).await?;
        decided.push(attempt);
    }
    Ok(decided)
}

/// Attempts that are open and were decided before an instant.
pub async fn recharges_asked_before(tx: &TenantTx, before: DateTime<Utc>) -> Result<Vec<RechargeId>, LedgerError> {
    store::asked_before(tx, before).await
}

/// Money came into a wallet: an open attempt is paid once all that came since is what it asked for, be it in parts. The attempt
/// that was closed.
pub async fn recharge_arrived(
    tx: &TenantTx,
    customer_id: CustomerId,
    now: DateTime<Utc>,
) -> Result<Option<RechargeId>, LedgerError> {
    let newest = recharges_of(tx, customer_id, 1).await?.pop();
    let Some(open) = newest.filter(|attempt| attempt.state == RechargeState::Asked) else { return Ok(None) };
    if store::paid_in_since(tx, open.id).await? < open.amount.micros() || !recharge_paid(tx, open.id, now).await? {
        return Ok(None);
    }
    Ok(Some(open.id))
}

/// The payment of an attempt succeeded and its money is in the wallet: to be told in the transaction that posts the top-up, or
/// later. Where the wallet has not got it the breaker opens, so that nothing is charged again for money that does not arrive.
/// False when the attempt was closed before.
pub async fn recharge_paid(tx: &TenantTx, id: RechargeId, now: DateTime<Utc>) -> Result<bool, LedgerError> {
    let Some(closed) = store::close(tx, id, "paid", None, now).await? else { return Ok(false) };
    let arrived = store::paid_in_since(tx, id).await?;
    if arrived >= closed.amount_micros {
        store::count_failures(tx, closed.customer_id, 0).await?;
    } else {
        store::open_breaker(tx, closed.customer_id, "a payment succeeded and its money is not in the wallet", now)
            .await?;
    }
    Ok(true)
}

/// The payment of an attempt failed; the third failure in a row opens the breaker. False when it was closed before.
pub async fn recharge_failed(
    tx: &TenantTx,
    id: RechargeId,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<bool, LedgerError> {
    let Some(closed) = store::close(tx, id, "failed", Some(reason), now).await? else { return Ok(false) };
    let failures = closed.failures + 1;
    store::count_failures(tx, closed.customer_id, failures).await?;
    if failures >= FAILURES_MAX {
        let why = format!("{failures} payments failed one after the other: {reason}");
        store::open_breaker(tx, closed.customer_id, &why, now).await?;
    }
    Ok(true)
}

/// A person has looked: the wallet may ask again.
pub async fn close_breaker(tx: &TenantTx, customer_id: CustomerId, now: DateTime<Utc>) -> Result<(), LedgerError> {
    store::close_breaker(tx, customer_id, now).await
}
