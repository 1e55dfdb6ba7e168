//! A change is undone until it is billed; from then on another change turns it around, and what was paid is credited.

use super::{Change, ask};
use crate::customer::add_customer_event;
use crate::error::{Result, Rule, SubscriptionError, must};
use crate::life::must_lock;
use crate::store::{changes, subscriptions};
use chrono::{DateTime, Utc};
use db::{ChangeId, SubscriptionId, TenantTx};

/// A change as it was asked for: the list of moves that a page shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    pub id: ChangeId,
    pub subscription_id: SubscriptionId,
    pub change: Change,
    /// When it takes, or took, effect.
    pub at: DateTime<Utc>,
    pub asked_at: DateTime<Utc>,
    pub asked_by: String,
    pub billed_at: Option<DateTime<Utc>>,
    pub undone_at: Option<DateTime<Utc>>,
    pub undone_by: Option<String>,
}

/// Everything that was ever asked of a subscription, undone changes included, the newest first.
pub async fn changes_of(tx: &TenantTx, id: SubscriptionId) -> Result<Vec<Asked>> {
    changes::asked(tx, id).await
}

/// Takes a change back as if it had never been asked. Refused once it is billed, and where later changes rest on it.
pub async fn undo_change(tx: &TenantTx, id: ChangeId, by: &str, now: DateTime<Utc>) -> Result<()> {
    let asked = changes::by_id(tx, id).await?.ok_or_else(|| SubscriptionError::not_found("change", id))?;
    let subscription = must_lock(tx, asked.subscription_id).await?;
    // Read again under the lock: it may have been billed or undone meanwhile.
    let asked = changes::by_id(tx, id).await?.ok_or_else(|| SubscriptionError::not_found("change", id))?;
    must(asked.undone_at.is_none(), "change_id", Rule::MustNotBeUndone, id)?;
    must(asked.billed_at.is_none(), "change_id", Rule::MustNotBeBilled, id)?;
    let before = ask::must_be(tx, subscription.id).await?;
    let after = before.without(id)?;
    crate::life::check_result(&after, asked.at)?;
    must(changes::undo(tx, &[id], by, now).await? == 1, "change_id", Rule::MustNotBeBilled, id)?;
    subscriptions::save(tx, &after, after.next_look_after(now)?).await?;
    let text = format!("Undone: {}.", asked.change.kind().as_str().replace('_', " "));
    add_customer_event(tx, subscription.customer_id, "change_undone", &text, now, now).await
}

/// A final document stands on everything that has taken effect before an instant: it is no longer undone. For runs, in one
/// statement however many subscriptions there are, in the transaction that makes the document final.
pub async fn changes_billed(tx: &TenantTx, of: &[(SubscriptionId, DateTime<Utc>)], now: DateTime<Utc>) -> Result<()> {
    if of.is_empty() { Ok(()) } else { changes::billed(tx, of, now).await }
}

/// Those of (subscription, until, since) of which a change in effect before `until` was undone after `since`: a draft made at
/// `since` that stands on what was in effect until then is no longer right. What is not undone cannot be before the transaction ends.
pub async fn undone_since(
    tx: &TenantTx,
    of: &[(SubscriptionId, DateTime<Utc>, DateTime<Utc>)],
) -> Result<Vec<SubscriptionId>> {
    if of.is_empty() { Ok(Vec::new()) } else { changes::undone_since(tx, of).await }
}
