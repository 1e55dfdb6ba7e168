//! What the books above a call are owed, whichever way the call went. It leaves the tenant's transaction by the outbox: one message
//! a call, gathered into batches whose content never changes again, so that a batch that is delivered twice is one batch in every
//! book. Each book is its own transaction, with its sums and one posting a day for all calls of the batch: no row of a single call
//! carries its tenant. Nothing on the way up is refused: what a book cannot price waits in its suspense.
//!
//! A call in is shared (`shared.rs`, `split.rs`), a call out is sold on by decks (`sold.rs`); `book.rs` writes both.

mod account;
mod book;
mod owing;
mod shared;
mod sold;
pub(crate) mod split;
mod sums;

use crate::abandoned;
use crate::error::{CallError, Result};
use crate::outgoing::route::route_late;
use crate::retry::retry;
use crate::store::legs;
use crate::store::upward::{Correction, FactRow, correction_facts, facts as upward_facts};
use chrono::{DateTime, Utc};
use db::{CallId, Db, OutboxMessage, PlatformReason, TenantId, TenantTx};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use subscription::Customer;
use tenant::Upward;
use tracing::warn;
use uuid::Uuid;

pub(crate) use shared::share;

/// Outbox topic: a call has ended.
const ONE_CALL: &str = "leg_upward";
/// Outbox topic: calls that travel upward together.
pub(crate) const BATCH: &str = "legs_upward";
/// Calls of one batch.
pub(crate) const BATCH_MAX: usize = 2000;
/// Batches of one round of the worker.
const BATCHES_PER_ROUND: u64 = 20;

/// What a message of calls, and of corrections to calls, carries.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Told {
    #[serde(default)]
    pub calls: Vec<CallId>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub corrections: Vec<(CallId, Correction)>,
}

impl Told {
    fn of(payload: &Value) -> Result<Told> {
        serde_json::from_value(payload.clone())
            .map_err(|error| CallError::StoredMustRead { what: "message of calls", reason: error.to_string() })
    }
}

pub(crate) fn payload(calls: &[CallId]) -> Value {
    json!({ "calls": calls })
}

/// Tells the books above of a call, once.
pub(crate) async fn tell_call(tx: &TenantTx, call_id: CallId, now: DateTime<Utc>) -> Result<()> {
    Ok(db::enqueue(tx, ONE_CALL, &call_id.to_string(), payload(&[call_id]), now).await?)
}

/// Tells the books above of a correction, once.
pub(crate) async fn tell(tx: &TenantTx, call_id: CallId, correction: Correction, now: DateTime<Utc>) -> Result<()> {
    let key = format!("{call_id}:{}", correction.as_str());
    db::enqueue(tx, ONE_CALL, &key, json!({ "corrections": [(call_id, correction)] }), now).await?;
    Ok(())
}

/// Takes the ended calls of a tenant to the books above, after closing those whose edge never came back; how many messages were dealt with. Safe to repeat, and to run in several
/// processes at once. A batch that fails stays in the outbox and is tried again later.
pub async fn deliver_upward(db: &Db, tenant_id: TenantId, now: DateTime<Utc>) -> Result<u64> {
    abandoned::close_abandoned(db, tenant_id, now).await?;
    let mut dealt_with = retry(|| gather(db, tenant_id, now)).await?;
    for _ in 0..BATCHES_PER_ROUND {
        match retry(|| deliver_one(db, tenant_id, now)).await? {
            0 => break,
            delivered => dealt_with += delivered,
        }
    }
    Ok(dealt_with)
}

/// Turns messages of single calls into one batch, in one transaction: from here on the batch's content is fixed.
async fn gather(db: &Db, tenant_id: TenantId, now: DateTime<Utc>) -> Result<u64> {
    let tx = db.tenant(tenant_id).await?;
    let messages = db::claim_outbox(&tx, ONE_CALL, BATCH_MAX as u64, now).await?;
    let Some(first) = messages.first() else { return Ok(0) };
    let mut told = Told { calls: Vec::with_capacity(messages.len()), ..Told::default() };
    for message in &messages {
        let of_message = Told::of(&message.payload)?;
        told.calls.extend(of_message.calls);
        told.corrections.extend(of_message.corrections);
    }
    db::enqueue(&tx, BATCH, &first.key, json!(told), now).await?;
    let ids: Vec<_> = messages.iter().map(|message| message.id).collect();
    db::finish_outbox(&tx, &ids, now).await?;
    tx.commit().await?;
    Ok(ids.len() as u64)
}

/// Delivers one due batch; 0 when there is none.
async fn deliver_one(db: &Db, tenant_id: TenantId, now: DateTime<Utc>) -> Result<u64> {
    // The claim holds the message while the books above commit; should we die here, it is delivered again and changes nothing.
    let tx = db.tenant(tenant_id).await?;
    let messages = db::claim_outbox(&tx, BATCH, 1, now).await?;
    let Some(message) = messages.first() else { return Ok(0) };
    match carry(db, &tx, message, now).await {
        Ok(()) => {
            db::finish_outbox(&tx, &[message.id], now).await?;
            tx.commit().await?;
        }
        Err(error) if error.is_retryable() => return Err(error),
        Err(error) => {
            warn!(tenant.id = %tenant_id, %error, "Calls could not be taken upward and will be tried again");
            drop(tx);
            let tx = db.tenant(tenant_id).await?;
            db::postpone_outbox(&tx, message, &error.to_string(), now).await?;
            tx.commit().await?;
        }
    }
    Ok(1)
}

/// What a book has to do for a call.
enum Part {
    /// It takes a share of what was received, or counts minutes only; and of a call that is taken back, what the child's wallet had
    /// not paid.
    Shared(split::Part, i64),
    /// It sold the call to the level below.
    Sold(Box<sold::Sold>),
    /// It should have sold it, and has no price: why.
    NoPrice(String),
}

/// A call on its way up, and each book's part of it, seller first; a call out ends at the book whose carrier took it.
struct Climbing {
    fact: FactRow,
    parts: Vec<Part>,
}

/// One step up.
struct Book {
    step: Upward,
    child: Customer,
}

/// Calls that are written together.
struct Batch {
    id: Uuid,
    /// Key of its sums and postings.
    name: String,
}

impl Batch {
    /// Nearly always a message is one batch; one over a move has a batch for each chain of books.
    fn of(message: &OutboxMessage, what: &str, place: usize) -> Batch {
        match place {
            0 => Batch { id: message.id, name: format!("{what}:{}", message.id) },
            _ => {
                let id = Uuid::new_v5(&message.id, &place.to_be_bytes());
                Batch { id, name: format!("{what}:{id}") }
            }
        }
    }
}

async fn carry(db: &Db, tx: &TenantTx, message: &OutboxMessage, now: DateTime<Utc>) -> Result<()> {
    let told = Told::of(&message.payload)?;
    route_late(db, tx.tenant_id(), &told.calls, now).await?;
    let (reversals, corrections): (Vec<_>, Vec<_>) =
        told.corrections.into_iter().partition(|(_, correction)| *correction == Correction::Reversal);
    let mut facts = upward_facts(tx, &told.calls).await?;
    facts.extend(correction_facts(tx, &corrections).await?);
    facts.sort_by_key(|fact| (fact.started_at, fact.id));
    carry_up(db, tx, facts, (message, "calls"), now).await?;
    // What is taken back mirrors what was written: only after it.
    let taken_back = correction_facts(tx, &reversals).await?;
    carry_up(db, tx, taken_back, (message, "reversals"), now).await
}

async fn carry_up(
    db: &Db,
    tx: &TenantTx,
    facts: Vec<FactRow>,
    (message, what): (&OutboxMessage, &str),
    now: DateTime<Utc>,
) -> Result<()> {
    for (place, (chain, group)) in by_chain(db, tx.tenant_id(), facts).await?.into_iter().enumerate() {
        let batch = Batch::of(message, what, place);
        let mut books = Vec::with_capacity(chain.len());
        for step in chain {
            books.push(Book::read(db, step).await?);
        }
        let (out, shared): (Vec<_>, Vec<_>) = group.into_iter().partition(FactRow::is_outbound);
        let mut calls = shared::climbing(db, &books, shared).await?;
        calls.extend(sold::climbing(db, tx, &books, out).await?);
        for (index, book) in books.iter().enumerate() {
            if calls.iter().all(|call| call.parts.len() <= index) {
                break;
            }
            let (legs, owed) = book::write(db, tx.tenant_id(), (book, index), &calls, &batch, now).await?;
            if book.step.child == tx.tenant_id() {
                legs::insert_costs(tx, &legs, now).await?;
                ledger::earn(tx, &owed, now).await?;
            } else {
                let child = db.tenant(book.step.child).await?;
                legs::insert_costs(&child, &legs, now).await?;
                child.commit().await?;
            }
        }
    }
    Ok(())
}

impl Book {
    async fn read(db: &Db, step: Upward) -> Result<Book> {
        let tx = db.tenant(step.book).await?;
        let unknown =
            || subscription::SubscriptionError::NotFound { kind: "customer", id: step.customer_id.to_string() };
        let child = subscription::customer(&tx, step.customer_id).await?.ok_or_else(unknown)?;
        tx.commit().await?;
        Ok(Book { step, child })
    }
}

/// Calls by the chain of books that stood above them when they started. Nearly always one chain: only a batch over a move has two.
async fn by_chain(db: &Db, tenant_id: TenantId, facts: Vec<FactRow>) -> Result<Vec<(Vec<Upward>, Vec<FactRow>)>> {
    let (Some(first), Some(last)) = (facts.first(), facts.last()) else { return Ok(Vec::new()) };
    let ptx = db.platform(PlatformReason::WalkTheTree).await?;
    let chain = tenant::chain_at(&ptx, tenant_id, first.started_at).await?;
    if chain == tenant::chain_at(&ptx, tenant_id, last.started_at).await? {
        return Ok(vec![(chain, facts)]);
    }
    let mut groups: Vec<(Vec<Upward>, Vec<FactRow>)> = Vec::new();
    for fact in facts {
        let chain = tenant::chain_at(&ptx, tenant_id, fact.started_at).await?;
        match groups.iter_mut().find(|(known, _)| *known == chain) {
            Some((_, group)) => group.push(fact),
            None => groups.push((chain, vec![fact])),
        }
    }
    Ok(groups)
}
