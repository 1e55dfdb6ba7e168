//! What waits in suspense is tried again, all of one cause at once, perhaps with what a person says that was missing. Within the
//! caller's transaction: given up, it was a dry run.

use crate::error::UsageError;
use crate::event::UsageEvent;
use crate::ingest::store_known;
use crate::prepare::Book;
use crate::store;
use crate::suspense::{Suspended, SuspenseCause};
use chrono::{DateTime, Utc};
use db::{CustomerId, SubscriptionId, SuspenseId, TenantTx};
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// Entries of one replay: what stays in front does not keep the others from their turn.
pub const REPLAY_MAX: u64 = 100_000;
/// Entries that are looked at together.
pub const REPLAY_BLOCK: u64 = 5_000;

/// What a person says that the events should have said. Empty, they are tried as they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Correction {
    pub customer_id: Option<CustomerId>,
    pub subscription_id: Option<SubscriptionId>,
    pub meter: Option<String>,
    /// Count also what is late and whose plan leaves that to a person. What waits for being late asks just this.
    pub takes_late: bool,
}

/// What a replay did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replay {
    /// Entries of the cause that were looked at; not more than [`REPLAY_MAX`].
    pub tried: u64,
    /// Events that were stored.
    pub accepted: u64,
    /// What they count, by meter: quantity and events. An event may count on several.
    pub counted: BTreeMap<String, (Decimal, u64)>,
    /// Go on waiting, by the cause that they have now.
    pub waiting: BTreeMap<SuspenseCause, u64>,
}

/// Tries what waits for this cause, the oldest first. What is accepted leaves suspense; the rest stays as it is. A conflict is
/// never accepted, and what is no usage event (a call, a sum from another book) is not for this.
pub async fn replay_suspense(
    tx: &TenantTx,
    cause: SuspenseCause,
    correction: &Correction,
    by: &str,
    now: DateTime<Utc>,
) -> Result<Replay, UsageError> {
    let (mut replay, mut after) = (Replay::default(), None);
    while replay.tried < REPLAY_MAX {
        let entries = store::suspense::lock_some(tx, cause, after, REPLAY_BLOCK).await?;
        let Some(last) = entries.last() else { break };
        after = Some((last.received_at, last.id));
        replay = replay.and(block(tx, (cause, &entries), correction, by, now).await?)?;
    }
    Ok(replay)
}

impl Replay {
    fn and(mut self, other: Self) -> Result<Self, UsageError> {
        self.tried += other.tried;
        self.accepted += other.accepted;
        for (meter, (quantity, count)) in other.counted {
            let sum = self.counted.entry(meter).or_default();
            sum.0 = sum.0.checked_add(quantity).ok_or(UsageError::SumMustFit)?;
            sum.1 += count;
        }
        for (cause, count) in other.waiting {
            *self.waiting.entry(cause).or_default() += count;
        }
        Ok(self)
    }
}

async fn block(
    tx: &TenantTx,
    (cause, entries): (SuspenseCause, &[Suspended]),
    correction: &Correction,
    by: &str,
    now: DateTime<Utc>,
) -> Result<Replay, UsageError> {
    let mut replay = Replay { tried: entries.len() as u64, ..Replay::default() };
    let (ids, events): (Vec<SuspenseId>, Vec<UsageEvent>) =
        entries.iter().filter_map(|entry| Some((entry.id, event_in(entry, correction)?))).unzip();
    let unread = replay.tried - events.len() as u64;
    if unread > 0 {
        replay.waiting.insert(cause, unread);
    }
    if events.is_empty() {
        return Ok(replay);
    }
    let mut book = Book::for_batch(tx, &events, true).await?;
    if correction.takes_late || cause == SuspenseCause::LateUsage {
        book = book.taking_late();
    }
    let (mut rows, mut taken) = (Vec::new(), Vec::new());
    for (place, event) in events.iter().enumerate() {
        let (row, further) = book.judge(place, event, event.payload_hash(), now);
        match &row.cause {
            Some((still, _)) => *replay.waiting.entry(*still).or_default() += 1,
            None => {
                replay.accepted += 1;
                taken.push(ids[place]);
                rows.push(row);
                rows.extend(further);
            }
        }
    }
    for row in &rows {
        let (quantity, count) = replay.counted.entry(row.meter_code().to_owned()).or_default();
        *quantity = quantity.checked_add(row.quantity).ok_or(UsageError::SumMustFit)?;
        *count += 1;
    }
    store_known(tx, &book, &rows.iter().collect::<Vec<_>>(), now).await?;
    store::suspense::resolve_many(tx, &taken, &resolution(correction, by), now).await?;
    Ok(replay)
}

/// Takes what waits for a cause out of suspense without counting it, for a reason that is kept: the oldest, at most
/// [`REPLAY_MAX`]; how many.
pub async fn discard_suspense(
    tx: &TenantTx,
    cause: SuspenseCause,
    reason: &str,
    by: &str,
    now: DateTime<Utc>,
) -> Result<u64, UsageError> {
    let mut discarded = 0;
    while discarded < REPLAY_MAX {
        let entries = store::suspense::lock_some(tx, cause, None, REPLAY_BLOCK).await?;
        let ids: Vec<SuspenseId> = entries.iter().map(|entry| entry.id).collect();
        if ids.is_empty() {
            break;
        }
        discarded += store::suspense::resolve_many(tx, &ids, &format!("discarded by {by}: {reason}"), now).await?;
    }
    Ok(discarded)
}

/// What waits for a cause, the oldest first.
pub async fn suspense_of(tx: &TenantTx, cause: SuspenseCause, limit: u64) -> Result<Vec<Suspended>, UsageError> {
    store::suspense::of_cause(tx, cause, limit).await
}

fn event_in(entry: &Suspended, correction: &Correction) -> Option<UsageEvent> {
    if entry.cause == SuspenseCause::Conflict {
        return None;
    }
    let mut event: UsageEvent = serde_json::from_value(entry.payload.clone()).ok()?;
    if let Some(customer_id) = correction.customer_id {
        event.customer_id = customer_id;
        // The subscription that it named was another customer's.
        event.subscription_id = None;
    }
    event.subscription_id = correction.subscription_id.or(event.subscription_id);
    event.meter = correction.meter.clone().unwrap_or(event.meter);
    Some(event)
}

fn resolution(correction: &Correction, by: &str) -> String {
    let mut said = vec![format!("accepted on a second try by {by}")];
    said.extend(correction.customer_id.map(|id| format!("as usage of {id}")));
    said.extend(correction.subscription_id.map(|id| format!("charged to {id}")));
    said.extend(correction.meter.as_ref().map(|code| format!("as {code}")));
    said.join(", ")
}
