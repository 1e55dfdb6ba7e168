//! What the books above a call are owed. It leaves the tenant's transaction by the outbox: one message a call, gathered into
//! batches whose content never changes again, so that a batch that is delivered twice is one batch in every book.
//! Each book is its own transaction. Nothing on the way up is refused: what a book cannot price waits in its suspense.

use crate::error::{CallError, Result};
use crate::explanation::read_currency;
use crate::retry::retry;
use crate::split::{self, Level, Part, Share};
use crate::store::legs::{self, Collected, NewLeg, Standing};
use crate::store::upward::{Correction, FactRow, correction_facts, facts as upward_facts};
use crate::sums::Sums;
use crate::{abandoned, debit, owing};
use chrono::{DateTime, NaiveDate, Utc};
use db::{CallId, Db, NumberId, OutboxMessage, PlatformReason, TenantId, TenantTx};
use ledger::Owed;
use money::Money;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::HashMap;
use subscription::{Billing, Customer, NumberTerms};
use tenant::Upward;
use tracing::warn;
use usage_metering::SuspenseCause;
use uuid::Uuid;

/// Outbox topic: a call has ended.
pub(crate) const ONE_CALL: &str = "leg_upward";
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

/// Tells the books above of a correction, once.
pub(crate) async fn tell(tx: &TenantTx, call_id: CallId, correction: Correction, now: DateTime<Utc>) -> Result<()> {
    let key = format!("{call_id}:{}", correction.as_str());
    db::enqueue(tx, ONE_CALL, &key, json!({ "corrections": [(call_id, correction)] }), now).await?;
    Ok(())
}

/// What the book of this transaction takes from its child for a number that the child collects: of what the level below received,
/// or of the net charge. `None` without terms.
pub(crate) async fn share(
    tx: &TenantTx,
    step: &Upward,
    number_id: NumberId,
    net: Money,
    received: Option<Money>,
) -> Result<Option<Share>> {
    let terms = subscription::number_terms(tx, number_id).await?.filter(|terms| terms.customer_id == step.customer_id);
    let level = Level { terms, currency: net.currency() };
    Ok(split::climb(&[level], net, received)?.first().and_then(|part| part.share().copied()))
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

/// A call on its way up, and each book's part of it, seller first.
struct Climbing {
    fact: FactRow,
    parts: Vec<Part>,
}

/// One step up, as it is read before anything is written.
struct Book {
    step: Upward,
    child: Customer,
    terms: HashMap<NumberId, NumberTerms>,
    /// What calls that are corrected or taken back had come to here.
    standing: HashMap<CallId, Standing>,
}

async fn carry(db: &Db, tx: &TenantTx, message: &OutboxMessage, now: DateTime<Utc>) -> Result<()> {
    let told = Told::of(&message.payload)?;
    let (reversals, corrections): (Vec<_>, Vec<_>) =
        told.corrections.into_iter().partition(|(_, correction)| *correction == Correction::Reversal);
    let mut facts = upward_facts(tx, &told.calls).await?;
    facts.extend(correction_facts(tx, &corrections).await?);
    facts.sort_by_key(|fact| (fact.started_at, fact.id));
    carry_up(db, tx, facts, message, now).await?;
    // What is taken back mirrors what was written: only after it.
    let taken_back = correction_facts(tx, &reversals).await?;
    carry_up(db, tx, taken_back, message, now).await
}

async fn carry_up(
    db: &Db,
    tx: &TenantTx,
    facts: Vec<FactRow>,
    message: &OutboxMessage,
    now: DateTime<Utc>,
) -> Result<()> {
    for (chain, group) in by_chain(db, tx.tenant_id(), facts).await? {
        let mut books = Vec::with_capacity(chain.len());
        for step in chain {
            books.push(read_book(db, step, &group).await?);
        }
        let mut calls = Vec::with_capacity(group.len());
        for fact in group {
            let parts = parts_of(&books, &fact)?;
            calls.push(Climbing { fact, parts });
        }
        for (index, book) in books.iter().enumerate() {
            let (legs, owed) = into_book(db, tx.tenant_id(), (book, index), &calls, message, now).await?;
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

async fn read_book(db: &Db, step: Upward, facts: &[FactRow]) -> Result<Book> {
    let tx = db.tenant(step.book).await?;
    let Some(child) = subscription::customer(&tx, step.customer_id).await? else {
        return Err(
            subscription::SubscriptionError::NotFound { kind: "customer", id: step.customer_id.to_string() }.into()
        );
    };
    let terms = subscription::all_number_terms(&tx).await?.into_iter();
    let terms = terms.filter(|terms| terms.customer_id == step.customer_id);
    let corrected = facts.iter().filter(|fact| fact.correction.is_some());
    let corrected: Vec<CallId> = corrected.map(|fact| CallId::from_uuid(fact.id)).collect();
    let standing = legs::standing(&tx, &corrected).await?;
    Ok(Book { step, child, terms: terms.map(|terms| (terms.number_id, terms)).collect(), standing })
}

fn parts_of(books: &[Book], fact: &FactRow) -> Result<Vec<Part>> {
    if fact.correction() == Some(Correction::Reversal) {
        return books.iter().map(|book| mirrored(book, fact)).collect();
    }
    let currency = fact.currency.as_deref().map(read_currency).transpose()?;
    let Some((micros, currency)) = fact.net_micros.zip(currency) else { return Ok(vec![Part::Nothing; books.len()]) };
    let net = Money::from_micros(micros, currency);
    let level = |book: &Book| Level { terms: terms_of(book, fact), currency: book.child.currency };
    let levels: Vec<Level> = books.iter().map(level).collect();
    match fact.collected_by.as_str() {
        "seller" => split::descend(&levels, net),
        _ => split::climb(&levels, net, Some(net)),
    }
}

/// The terms of a call. What corrects it is split as the call was, whatever has been agreed since.
fn terms_of(book: &Book, fact: &FactRow) -> Option<NumberTerms> {
    let terms = book.terms.get(&fact.number_id.into()).copied();
    let Some(standing) = book.standing.get(&CallId::from_uuid(fact.id)) else { return terms };
    match standing.share {
        Some(share) => terms.map(|terms| NumberTerms { share: share.percent, ..terms }),
        // Without a share it was rent only, or waits for a rate, as its correction then does.
        None => terms.filter(|_| fact.currency.as_deref() != Some(book.child.currency.code())),
    }
}

/// A call that is taken back: what stands of it in the book, with the other sign.
fn mirrored(book: &Book, fact: &FactRow) -> Result<Part> {
    let call_id = CallId::from_uuid(fact.id);
    let standing = book.standing.get(&call_id).ok_or(CallError::LegsMustComeFirst(call_id))?;
    let Some(share) = &standing.share else { return Ok(Part::Nothing) };
    let owed = share.owed.map(|(owed, from)| owed.checked_neg().map(|owed| (owed, from))).transpose()?;
    Ok(Part::Share(Share {
        percent: share.percent,
        amount: share.amount.checked_neg()?,
        base: share.base.checked_neg()?,
        owed,
    }))
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

/// Writes one book's legs, usage sums, what it owes, and, for a prepaid child, its debits: one transaction.
async fn into_book(
    db: &Db,
    origin: TenantId,
    (book, index): (&Book, usize),
    calls: &[Climbing],
    message: &OutboxMessage,
    now: DateTime<Utc>,
) -> Result<(Vec<NewLeg>, Vec<Owed>)> {
    let (tx, child) = (db.tenant(book.step.book).await?, &book.child);
    let mut legs = Vec::with_capacity(calls.len());
    let mut sums = Sums::new(child);
    let mut owing = owing::Owing::new(child, message.id);
    let carriers = owing::carrier_costs(&tx, calls.iter().map(|call| &call.fact)).await?;
    for Climbing { fact, parts } in calls {
        missing(&tx, fact, parts[index], child, now).await?;
        let share = parts[index].share();
        if let Some(seconds) = fact.billed_seconds {
            sums.add(fact, seconds, share)?;
            let shared_on = owing.add(fact, seconds, share, &carriers)?;
            legs.push(leg(origin, book, fact, seconds, share, (message.id, shared_on))?);
        }
    }
    let is_reversal = calls.iter().any(|call| call.fact.correction() == Some(Correction::Reversal));
    let batch = if is_reversal { "reversals" } else { "calls" };
    usage_metering::take_batch(&tx, &format!("{batch}:{}", message.id), &sums.rows(), now).await?;
    legs::insert(&tx, &legs, now).await?;
    let owed = owing.put(&tx, now).await?;
    if child.billing == Billing::Prepaid {
        let shares = calls.iter().map(|call| (&call.fact, call.parts[index].share()));
        debit::debit(&tx, child, shares, now).await?;
    }
    tx.commit().await?;
    Ok((legs, owed))
}

fn leg(
    origin: TenantId,
    book: &Book,
    fact: &FactRow,
    seconds: i32,
    share: Option<&Share>,
    (batch_id, shared_on): (Uuid, NaiveDate),
) -> Result<NewLeg> {
    let collected = share.and_then(|share| share.owed.map(|(owed, _)| (share.base, owed)));
    // What a call costs the level below: of its own charge, all that it does not get.
    let cost = match collected {
        Some((base, owed)) if book.step.child == origin => {
            let net = fact.net_micros.map_or(base, |micros| Money::from_micros(micros, base.currency()));
            Some(net.checked_sub(owed)?)
        }
        _ => share.map(|share| share.amount),
    };
    Ok(NewLeg {
        origin,
        call_id: fact.id.into(),
        kind: fact.leg_kind(),
        customer_id: book.step.customer_id,
        currency: book.child.currency.code().to_owned(),
        quantity_seconds: seconds,
        amount: share.map(|share| share.amount),
        cost,
        share_percent: share.map(|share| share.percent.as_decimal()),
        detail: match (share, collected) {
            (Some(share), None) => format!("Share of {} in {}", share.percent, fact.called),
            (Some(share), Some(_)) => {
                format!("Share of {} in {}, collected for the level below", share.percent, fact.called)
            }
            (None, _) => "Minutes, priced over the whole period".to_owned(),
        },
        collected: collected.map(|(base, owed)| Collected {
            base,
            owed,
            started_at: fact.started_at,
            called: fact.called.clone(),
            batch_id,
            shared_on,
        }),
    })
}

/// An amount in another currency needs a dated rate, and a book that collects needs terms; without, a person decides.
async fn missing(tx: &TenantTx, fact: &FactRow, part: Part, child: &Customer, now: DateTime<Utc>) -> Result<()> {
    let call_id = CallId::from_uuid(fact.id);
    let (cause, base, detail) = match part {
        Part::Nothing | Part::Share(_) => return Ok(()),
        Part::MissingRate(base) => {
            let detail =
                format!("the share of call {call_id} is of {base}, the book's customer pays in {}", child.currency);
            (SuspenseCause::MissingRate, base, detail)
        }
        Part::MissingTerms(base) => {
            let detail = format!("call {call_id} to {} was collected here, and the number has no terms", fact.called);
            (SuspenseCause::NotChargeable, base, detail)
        }
    };
    let payload = json!({ "call_id": call_id, "base": base.format_plain(), "currency": base.currency().code() });
    usage_metering::suspend(tx, cause, &detail, &payload, now).await?;
    Ok(())
}
