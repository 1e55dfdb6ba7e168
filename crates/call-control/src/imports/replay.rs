use super::judge::call_id;
use super::records::{RecordOutcome, Taking, Waiting, Waits, settle};
use crate::error::Result;
use crate::finished::LateCalls;
use crate::store::savepoint;
use chrono::{DateTime, Utc};
use db::{CallId, CustomerId, SuspenseId, TenantTx};
use money::Money;
use std::collections::BTreeMap;
use usage_metering::{CallRecord, REPLAY_BLOCK, REPLAY_MAX, SuspenseCause};

/// What a replay of recorded calls did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordReplay {
    pub tried: u64,
    /// Calls that are settled.
    pub settled: u64,
    /// What tariffs charged for them, by currency.
    pub charged: Vec<Money>,
    /// Of the settled, calls that a plan covers.
    pub covered: u64,
    /// Go on waiting, by the cause that they have now.
    pub waiting: BTreeMap<SuspenseCause, u64>,
}

/// Tries the recorded calls that wait for this cause again, the oldest first, perhaps as calls of a customer that a person
/// names. What is late for its plan is settled where that is why it waits, or where the person says so with `takes_late`. What is
/// settled leaves suspense; the rest stays. Within the caller's transaction: given up, it was a dry run.
pub async fn replay_records(
    tx: &TenantTx,
    cause: SuspenseCause,
    customer_id: Option<CustomerId>,
    takes_late: bool,
    by: &str,
    now: DateTime<Utc>,
) -> Result<RecordReplay> {
    let late = if takes_late || cause == SuspenseCause::LateUsage { LateCalls::Settle } else { LateCalls::Leave };
    let mut replay = RecordReplay::default();
    // The first of two with one key stands, and only a person can say otherwise.
    if cause == SuspenseCause::Conflict {
        return Ok(replay);
    }
    let account = match customer_id {
        Some(id) => subscription::customer(tx, id).await?.map(|customer| customer.customer_no),
        None => None,
    };
    let (mut looked_at, mut after) = (0, None);
    while looked_at < REPLAY_MAX {
        let entries = usage_metering::lock_suspense(tx, cause, after, REPLAY_BLOCK).await?;
        let Some(last) = entries.last() else { break };
        after = Some((last.received_at, last.id));
        looked_at += entries.len() as u64;
        let mut waiting: Vec<(SuspenseId, Waiting)> = Vec::new();
        for entry in entries {
            let Ok(mut record) = serde_json::from_value::<Waiting>(entry.payload) else { continue };
            record.call_record.account = account.clone().or(record.call_record.account);
            waiting.push((entry.id, record));
        }
        block(tx, &waiting, late, &mut replay, by, now).await?;
    }
    Ok(replay)
}

async fn block(
    tx: &TenantTx,
    waiting: &[(SuspenseId, Waiting)],
    late: LateCalls,
    replay: &mut RecordReplay,
    by: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    replay.tried += waiting.len() as u64;
    let records: Vec<_> = waiting
        .iter()
        .map(|(_, waiting)| {
            let taking = Taking { source: &waiting.source, digit: waiting.digit };
            (call_id(tx.tenant_id(), &waiting.source, &waiting.call_record.id), &waiting.call_record, taking)
        })
        .collect();
    let mut done = Vec::new();
    for ((id, _), (outcome, waits)) in waiting.iter().zip(settle_what_can(tx, &records, late, now).await?) {
        match outcome {
            RecordOutcome::Accepted { charge, is_covered } => {
                done.push(*id);
                replay.settled += 1;
                replay.covered += u64::from(is_covered);
                if let Some(charge) = charge {
                    add(&mut replay.charged, charge)?;
                }
            }
            RecordOutcome::Suspended(still, _) => {
                // Its usage or its call waits by itself now, and not once more as a record.
                if waits == Waits::ByItself {
                    done.push(*id);
                }
                *replay.waiting.entry(still).or_default() += 1;
            }
            // The book has the call already: nothing waits any more.
            RecordOutcome::Duplicate | RecordOutcome::Conflict => done.push(*id),
        }
    }
    usage_metering::resolve_all_suspense(tx, &done, &format!("settled on a second try by {by}"), now).await?;
    Ok(())
}

/// Settles all together; where one of them cannot be settled at all, the halves by themselves, down to that one, which stays.
async fn settle_what_can(
    tx: &TenantTx,
    records: &[(CallId, &CallRecord, Taking<'_>)],
    late: LateCalls,
    now: DateTime<Utc>,
) -> Result<Vec<(RecordOutcome, Waits)>> {
    let mut outcomes = Vec::with_capacity(records.len());
    let mut parts = vec![records];
    while let Some(part) = parts.pop() {
        savepoint::begin(tx).await?;
        match settle(tx, part, late, now).await {
            Ok(settled) => {
                savepoint::keep(tx).await?;
                outcomes.extend(settled);
            }
            Err(error) if error.is_final() => {
                savepoint::give_up(tx).await?;
                if part.len() > 1 {
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.extend([second, first]);
                } else {
                    let waits = RecordOutcome::Suspended(SuspenseCause::NotChargeable, error.to_string());
                    outcomes.push((waits, Waits::AsRecord));
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(outcomes)
}

fn add(sums: &mut Vec<Money>, charge: Money) -> Result<()> {
    match sums.iter_mut().find(|sum| sum.currency() == charge.currency()) {
        Some(sum) => *sum = sum.checked_add(charge)?,
        None => sums.push(charge),
    }
    Ok(())
}
