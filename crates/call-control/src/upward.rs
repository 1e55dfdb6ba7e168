//! What the books above a call are owed. It leaves the tenant's transaction by the outbox: one message a call, gathered into
//! batches whose content never changes again, so that a batch that is delivered twice is one batch in every book.
//! Each book is its own transaction. Nothing on the way up is refused: what a book cannot price waits in its suspense.

use crate::abandoned;
use crate::error::{CallError, Result};
use crate::explanation::read_currency;
use crate::retry::retry;
use crate::settlement::minutes;
use crate::store::legs::{self, NewLeg};
use crate::store::upward::{FactRow, facts};
use chrono::{DateTime, Utc};
use db::{CallId, Db, NumberId, OutboxMessage, PlatformReason, TenantId, TenantTx};
use ledger::{AccountKind, AccountRef, Leg, Posting, Settle};
use money::{Decimal, Money, Percent};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use subscription::{Billing, Customer, NumberTerms};
use tenant::Upward;
use tracing::warn;
use usage_metering::{SumRow, SuspenseCause};

/// Outbox topic: a call has ended.
pub(crate) const ONE_CALL: &str = "leg_upward";
/// Outbox topic: calls that travel upward together.
pub(crate) const BATCH: &str = "legs_upward";
/// Calls of one batch.
pub(crate) const BATCH_MAX: usize = 2000;
/// Batches of one round of the worker.
const BATCHES_PER_ROUND: u64 = 20;

pub(crate) fn payload(calls: &[CallId]) -> Value {
    json!({ "calls": calls })
}

fn calls_of(payload: &Value) -> Result<Vec<CallId>> {
    serde_json::from_value(payload["calls"].clone())
        .map_err(|error| CallError::StoredMustRead { what: "message of calls", reason: error.to_string() })
}

/// A book's share of a call.
pub(crate) struct Share {
    pub percent: Percent,
    pub amount: Money,
}

/// The share of `base` that the book of this transaction takes from its child for a number; `None` without terms.
pub(crate) async fn share(tx: &TenantTx, step: &Upward, number_id: NumberId, base: Money) -> Result<Option<Share>> {
    let terms = subscription::number_terms(tx, number_id).await?;
    terms.as_ref().map_or(Ok(None), |terms| share_by(terms, step, base))
}

/// Splits the level below's net charge between the child and its seller, to the micro: the largest remainder, ties to the child.
fn share_by(terms: &NumberTerms, step: &Upward, base: Money) -> Result<Option<Share>> {
    if terms.customer_id != step.customer_id || terms.share == Percent::ZERO {
        return Ok(None);
    }
    let kept = Percent::new(Decimal::ONE_HUNDRED - terms.share.as_decimal())?;
    let parts = pricing::split(base, &[kept, terms.share])?;
    Ok(Some(Share { percent: terms.share, amount: parts[1] }))
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
    let mut calls = Vec::with_capacity(messages.len());
    for message in &messages {
        calls.extend(calls_of(&message.payload)?);
    }
    db::enqueue(&tx, BATCH, &first.key, payload(&calls), now).await?;
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

/// A call on its way up, and what the level below got for it.
struct Climbing {
    fact: FactRow,
    base: Option<Money>,
}

async fn carry(db: &Db, tx: &TenantTx, message: &OutboxMessage, now: DateTime<Utc>) -> Result<()> {
    let facts = facts(tx, &calls_of(&message.payload)?).await?;
    for (chain, group) in by_chain(db, tx.tenant_id(), facts).await? {
        let mut calls = Vec::with_capacity(group.len());
        for fact in group {
            let currency = fact.currency.as_deref().map(read_currency).transpose()?;
            let base = fact.net_micros.zip(currency).map(|(micros, currency)| Money::from_micros(micros, currency));
            calls.push(Climbing { fact, base });
        }
        for step in chain {
            let legs = into_book(db, tx.tenant_id(), &step, &mut calls, message, now).await?;
            if step.child == tx.tenant_id() {
                legs::insert_costs(tx, &legs, now).await?;
            } else {
                let child = db.tenant(step.child).await?;
                legs::insert_costs(&child, &legs, now).await?;
                child.commit().await?;
            }
        }
    }
    Ok(())
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

/// Writes one book's legs, usage sums and, for a prepaid child, its debits: one transaction. The bases become what this book got.
async fn into_book(
    db: &Db,
    origin: TenantId,
    step: &Upward,
    calls: &mut [Climbing],
    message: &OutboxMessage,
    now: DateTime<Utc>,
) -> Result<Vec<NewLeg>> {
    let tx = db.tenant(step.book).await?;
    let Some(child) = subscription::customer(&tx, step.customer_id).await? else {
        return Err(
            subscription::SubscriptionError::NotFound { kind: "customer", id: step.customer_id.to_string() }.into()
        );
    };
    let terms = subscription::all_number_terms(&tx).await?;
    let terms: HashMap<NumberId, NumberTerms> = terms.into_iter().map(|terms| (terms.number_id, terms)).collect();
    let mut legs = Vec::with_capacity(calls.len());
    let mut sums = Sums::new(&child);
    for call in calls.iter_mut() {
        let share = match (terms.get(&call.fact.number_id.into()), call.base) {
            (Some(terms), Some(base)) if base.currency() == child.currency => share_by(terms, step, base)?,
            (Some(_), Some(base)) => {
                missing_rate(&tx, &call.fact, base, &child, now).await?;
                None
            }
            _ => None,
        };
        if let Some(seconds) = call.fact.billed_seconds {
            sums.add(&call.fact, seconds, share.as_ref())?;
            legs.push(leg(origin, step, &call.fact, seconds, &child, share.as_ref()));
        }
        call.base = share.map(|share| share.amount);
    }
    usage_metering::take_batch(&tx, &format!("calls:{}", message.id), &sums.rows(), now).await?;
    legs::insert(&tx, &legs, now).await?;
    if child.billing == Billing::Prepaid {
        debit(&tx, &child, calls, now).await?;
    }
    tx.commit().await?;
    Ok(legs)
}

fn leg(
    origin: TenantId,
    step: &Upward,
    fact: &FactRow,
    seconds: i32,
    child: &Customer,
    share: Option<&Share>,
) -> NewLeg {
    NewLeg {
        origin,
        call_id: fact.id.into(),
        kind: "seller",
        customer_id: step.customer_id,
        currency: child.currency.code().to_owned(),
        quantity_seconds: seconds,
        amount: share.map(|share| share.amount),
        share_percent: share.map(|share| share.percent.as_decimal()),
        detail: match share {
            Some(share) => format!("Share of {} in {}", share.percent, fact.called),
            None => "Minutes, priced over the whole period".to_owned(),
        },
    }
}

/// An amount in another currency needs a dated rate; without one a person decides.
async fn missing_rate(tx: &TenantTx, fact: &FactRow, base: Money, child: &Customer, now: DateTime<Utc>) -> Result<()> {
    let call_id = CallId::from_uuid(fact.id);
    let detail = format!("the share of call {call_id} is of {base}, the book's customer pays in {}", child.currency);
    let payload = json!({ "call_id": call_id, "base": base.format_plain(), "currency": base.currency().code() });
    usage_metering::suspend(tx, SuspenseCause::MissingRate, &detail, &payload, now).await?;
    Ok(())
}

/// A prepaid child pays its share of each call from its wallet, at once; that closes what was held for it.
async fn debit(tx: &TenantTx, child: &Customer, calls: &[Climbing], now: DateTime<Utc>) -> Result<()> {
    let mut charges = Vec::new();
    let mut revenue = Vec::new();
    for call in calls.iter().filter(|call| call.base.is_some() || call.fact.holds_upward) {
        let share = call.base.unwrap_or(Money::zero(child.currency));
        let call_id = CallId::from_uuid(call.fact.id);
        let memo = format!("Share of a call to {}", call.fact.called);
        charges.push(Settle {
            call_id,
            leg: Leg::Seller,
            customer_id: child.id,
            charge: share,
            kind: "call",
            memo: memo.clone(),
            effective_at: call.fact.ended_at,
        });
        let entries = vec![
            (AccountRef::Customer(AccountKind::Unbilled, child.id), share.checked_neg()?),
            (AccountRef::Book(AccountKind::Revenue), share),
        ];
        revenue.push(Posting::new("share", format!("{call_id}:seller"), memo, call.fact.ended_at, entries)?);
    }
    ledger::settle_batch(tx, &charges, now).await?;
    // It is paid, and on no document: nothing is left unbilled.
    ledger::post_many(tx, &revenue, now).await?;
    Ok(())
}

/// Sums by the child's local hour and dimensions: no row per call reaches a book above.
struct Sums<'a> {
    child: &'a Customer,
    /// Quantity and calls.
    rows: BTreeMap<SumKey, (Decimal, i64)>,
}

/// Meter, local hour, dimensions.
type SumKey = (String, DateTime<Utc>, BTreeMap<String, String>);

impl<'a> Sums<'a> {
    fn new(child: &'a Customer) -> Self {
        Self { child, rows: BTreeMap::new() }
    }

    fn add(&mut self, fact: &FactRow, seconds: i32, share: Option<&Share>) -> Result<()> {
        let hour = usage_metering::local_hour(fact.started_at, &self.child.time_zone)?;
        let number = BTreeMap::from([("number".to_owned(), fact.called.clone())]);
        let mut kind = number.clone();
        kind.insert("direction".to_owned(), "inbound".to_owned());
        // How the level below charged its caller is not how this book charges: a tariff there must not pass for one here.
        kind.extend(fact.handled_by.clone().map(|handled_by| ("handled_by".to_owned(), handled_by)));
        self.put("calls", hour, kind.clone(), Decimal::ONE);
        self.put("minutes", hour, kind, minutes(seconds.unsigned_abs()));
        // A prepaid child pays its share call by call, from its wallet: it must not meet it again on a document.
        if let Some(share) = share.filter(|_| self.child.billing == Billing::Postpaid) {
            self.put("share", hour, number, share.amount.as_decimal());
        }
        Ok(())
    }

    fn put(&mut self, meter: &str, hour: DateTime<Utc>, dimensions: BTreeMap<String, String>, quantity: Decimal) {
        let (sum, events) = self.rows.entry((meter.to_owned(), hour, dimensions)).or_default();
        *sum += quantity;
        *events += 1;
    }

    fn rows(self) -> Vec<SumRow> {
        let row = |((meter, hour, dimensions), (quantity, events))| SumRow {
            customer_id: self.child.id,
            subscription_id: None,
            meter,
            hour,
            dimensions,
            quantity,
            events,
        };
        self.rows.into_iter().map(row).collect()
    }
}
