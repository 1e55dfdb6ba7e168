//! Events in: judged by the book, stored by their keys, summed, all in one transaction.

use crate::error::UsageError;
use crate::event::{Outcome, Rejection, UsageEvent};
use crate::prepare::{Book, Prepared, Row};
use crate::store;
use crate::suspense::{NewSuspense, SuspenseCause};
use chrono::{DateTime, Utc};
use db::fault::{self, Guard};
use db::{BatchId, Db, TenantId, TenantTx};
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use uuid::Uuid;

/// Events of one batch.
pub const BATCH_MAX: usize = 50_000;
/// Tries after a deadlock or a serialization failure.
const TRIES: u32 = 4;

/// Which rows of a batch were new, and what the known ones hold. Rows are named by their place in `Prepared::rows`.
pub(crate) struct Keyed {
    /// `None`: all of them, the usual case.
    pub known: Option<HashMap<usize, /* same payload */ bool>>,
}

impl Keyed {
    fn is_new(&self, place: usize) -> bool {
        self.known.as_ref().is_none_or(|known| !known.contains_key(&place))
    }
}

/// Takes events from outside, in a transaction of its own, and answers after the commit: what is answered is durable.
/// 1 to 50,000 events; answers come in the order of the events. Sending a batch again changes nothing.
pub async fn ingest(
    db: &Db,
    tenant_id: TenantId,
    events: &[UsageEvent],
    now: DateTime<Utc>,
) -> Result<Vec<Outcome>, UsageError> {
    check_size(events)?;
    let tx = db.tenant_for_bulk(tenant_id).await?;
    let book = Book::for_batch(&tx, events, true).await?;
    tx.commit().await?;
    fault::place("ingest.begun");
    let mut left = TRIES;
    loop {
        left -= 1;
        match try_ingest(db, tenant_id, &book, events, now).await {
            Err(UsageError::Db(error)) if left > 0 && db::is_retryable(&error) => {
                tracing::debug!(%error, "A batch is tried again");
                // Two that met once shall not meet again at the same instant.
                let jitter = u64::from(Uuid::now_v7().as_bytes()[15]) / 8;
                tokio::time::sleep(Duration::from_millis(2 + jitter)).await;
            }
            answered => return answered,
        }
    }
}

/// What the database refuses whole, it is offered in halves, down to the event that it does not take: that one is rejected, so that
/// neither its neighbours nor what its sender has behind it wait for it for ever.
pub(crate) async fn ingest_apart(
    db: &Db,
    tenant_id: TenantId,
    events: &[UsageEvent],
    now: DateTime<Utc>,
) -> Result<Vec<Outcome>, UsageError> {
    match ingest(db, tenant_id, events, now).await {
        Err(error) if is_fault_of_one(&error) && events.len() > 1 => {
            let (first, rest) = events.split_at(events.len() / 2);
            let mut outcomes = Box::pin(ingest_apart(db, tenant_id, first, now)).await?;
            outcomes.extend(Box::pin(ingest_apart(db, tenant_id, rest, now)).await?);
            Ok(outcomes)
        }
        Err(error) if is_fault_of_one(&error) => {
            tracing::error!(tenant.id = %tenant_id, %error, event.id = ?events[0].id, "An event was refused by the database and rejected");
            Ok(vec![Outcome::Rejected(Rejection::DatabaseMustTakeIt)])
        }
        answered => answered,
    }
}

/// Could one event be what fails the batch? All else fails whoever asks, and may pass.
fn is_fault_of_one(error: &UsageError) -> bool {
    match error {
        UsageError::Db(error) => db::is_refusal(error) && !fault::is_left_out(Guard::EventAlone),
        UsageError::SumMustFit => true,
        _ => false,
    }
}

async fn try_ingest(
    db: &Db,
    tenant_id: TenantId,
    book: &Book,
    events: &[UsageEvent],
    now: DateTime<Utc>,
) -> Result<Vec<Outcome>, UsageError> {
    let prepared = book.prepare(events, now);
    let batch_id = BatchId::new();
    let mut bulk = db.bulk(tenant_id).await?;
    store::bulk::stage(&mut bulk, &prepared.rows, &prepared.further, batch_id, now).await?;
    let keyed = store::bulk::put_keys(&mut bulk).await?;
    store::bulk::put_events(&mut bulk).await?;
    bulk.place("ingest.halfway").await?;
    let accepted = accepted(&prepared, &keyed).concat();
    store::bulk::put_sums(&mut bulk, batch_id, &Book::sums(&accepted)?).await?;
    store::span::put(&mut bulk, batch_id, &book.spans(&accepted)).await?;
    let (outcomes, suspense) = answer(prepared, &keyed);
    store::bulk::put_suspense(&mut bulk, &suspense, now).await?;
    bulk.commit().await?;
    fault::place("ingest.committed");
    Ok(outcomes)
}

/// Takes our own events inside the caller's transaction: they name their subscription, and corrections may be negative.
pub async fn ingest_in(tx: &TenantTx, events: &[UsageEvent], now: DateTime<Utc>) -> Result<Vec<Outcome>, UsageError> {
    take_in(tx, events, false, now).await
}

/// Takes events that another switch reported, inside the caller's transaction: judged as all that comes from outside.
pub async fn ingest_reported(
    tx: &TenantTx,
    events: &[UsageEvent],
    now: DateTime<Utc>,
) -> Result<Vec<Outcome>, UsageError> {
    take_in(tx, events, true, now).await
}

async fn take_in(
    tx: &TenantTx,
    events: &[UsageEvent],
    is_from_outside: bool,
    now: DateTime<Utc>,
) -> Result<Vec<Outcome>, UsageError> {
    if events.is_empty() {
        return Ok(Vec::new());
    }
    check_size(events)?;
    let book = Book::for_batch(tx, events, is_from_outside).await?;
    let prepared = book.prepare(events, now);
    let batch_id = BatchId::new();
    let keyed = store::event::put(tx, &prepared.rows, batch_id, now).await?;
    let accepted = accepted(&prepared, &keyed);
    store::event::put_without_keys(tx, &accepted[1], batch_id, now).await?;
    add_up(tx, &book, batch_id, &accepted.concat()).await?;
    let (outcomes, suspense) = answer(prepared, &keyed);
    store::suspense::insert(tx, &suspense, now).await?;
    Ok(outcomes)
}

/// Takes an event whose key is stored already, because it was in suspense until now.
pub(crate) async fn ingest_known(tx: &TenantTx, event: &UsageEvent, now: DateTime<Utc>) -> Result<Outcome, UsageError> {
    let events = std::slice::from_ref(event);
    let book = Book::for_batch(tx, events, true).await?;
    let (row, further) = book.judge(0, event, event.payload_hash(), now);
    if let Some((cause, _)) = row.cause {
        return Ok(Outcome::Suspended(cause));
    }
    let rows: Vec<&Row<'_>> = std::iter::once(&row).chain(&further).collect();
    store_known(tx, &book, &rows, now).await?;
    Ok(Outcome::Accepted)
}

/// Stores and sums rows whose keys are stored already.
pub(crate) async fn store_known(
    tx: &TenantTx,
    book: &Book,
    rows: &[&Row<'_>],
    now: DateTime<Utc>,
) -> Result<(), UsageError> {
    let batch_id = BatchId::new();
    store::event::put_without_keys(tx, rows, batch_id, now).await?;
    add_up(tx, book, batch_id, rows).await
}

/// Writes what stored rows add to their hours, and which of these have to be swept for it.
async fn add_up(tx: &TenantTx, book: &Book, batch_id: BatchId, rows: &[&Row<'_>]) -> Result<(), UsageError> {
    store::sum::insert(tx, batch_id, &Book::sums(rows)?).await?;
    Ok(store::span::insert(tx, batch_id, &book.spans(rows)).await?)
}

fn check_size(events: &[UsageEvent]) -> Result<(), UsageError> {
    if events.is_empty() || events.len() > BATCH_MAX {
        return Err(UsageError::BatchMustHaveASize(events.len()));
    }
    Ok(())
}

/// What is new and counts: each event on its first meter, then those that count on further ones.
fn accepted<'r, 'a>(prepared: &'r Prepared<'a>, keyed: &Keyed) -> [Vec<&'r Row<'a>>; 2] {
    let is_new = |(place, row): &(usize, &Row<'a>)| row.cause.is_none() && keyed.is_new(*place);
    let first: Vec<&Row<'a>> = prepared.rows.iter().enumerate().filter(is_new).map(|(_, row)| row).collect();
    if prepared.further.is_empty() {
        return [first, Vec::new()];
    }
    let new: HashSet<usize> = first.iter().map(|row| row.index).collect();
    let further = prepared.further.iter().filter(|row| new.contains(&row.index)).collect();
    [first, further]
}

fn answer(prepared: Prepared<'_>, keyed: &Keyed) -> (Vec<Outcome>, Vec<NewSuspense>) {
    let Prepared { rows, mut outcomes, conflicts: mut suspense, .. } = prepared;
    for (place, row) in rows.into_iter().enumerate() {
        let known = keyed.known.as_ref().and_then(|known| known.get(&place));
        outcomes[row.index] = Some(match (known, row.cause) {
            (Some(true), _) => Outcome::Duplicate,
            (Some(false), _) => {
                let detail = "its key is known with another payload; the first stands".to_owned();
                suspense.push(NewSuspense::of(row.event, &row.hash, SuspenseCause::Conflict, detail));
                Outcome::Conflict
            }
            (None, Some((cause, detail))) => {
                suspense.push(NewSuspense::of(row.event, &row.hash, cause, detail));
                Outcome::Suspended(cause)
            }
            (None, None) => Outcome::Accepted,
        });
    }
    // Every place was answered above or before; a duplicate of a suspended event is a duplicate.
    (outcomes.into_iter().map(|outcome| outcome.unwrap_or(Outcome::Duplicate)).collect(), suspense)
}
