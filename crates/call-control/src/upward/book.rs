//! Writes what calls come to in one book: legs, usage sums, the posting, what it owes, and what it knows of calls out from now on.

use crate::error::Result;
use crate::outgoing::finished::WENT_OUT;
use crate::outgoing::settle::loss;
use crate::store::carriers::{self, Place};
use crate::store::legs::{self, Collected, NewLeg};
use crate::store::outgoing::{self as store, Over, Taken};
use crate::store::upward::FactRow;
use crate::upward::account::Account;
use crate::upward::owing::{self, Owing};
use crate::upward::sold::Sold;
use crate::upward::split::{self, Share};
use crate::upward::sums::Sums;
use crate::upward::{Batch, Book, Climbing, Part};
use chrono::{DateTime, NaiveDate, Utc};
use db::{Db, TenantId, TenantTx};
use ledger::Owed;
use money::Money;
use serde_json::json;
use usage_metering::SuspenseCause;
use uuid::Uuid;

/// One transaction of the book. Returns what the level below must know: what it bought the calls for, and what it is owed. Once in
/// effect by the batch's name; what a repeat returns is the same.
pub(super) async fn write(
    db: &Db,
    origin: TenantId,
    (book, index): (&Book, usize),
    calls: &[Climbing],
    batch: &Batch,
    now: DateTime<Utc>,
) -> Result<(Vec<NewLeg>, Vec<Owed>)> {
    let (tx, child) = (db.tenant(book.step.book).await?, &book.child);
    let here = || calls.iter().filter_map(|call| Some((&call.fact, call.parts.get(index)?)));
    let (mut sums, mut account) = (Sums::new(child), Account::new(child));
    let mut owing = Owing::new(child, batch.id);
    let carrier_costs = owing::carrier_costs(&tx, here().map(|(fact, _)| fact)).await?;
    let (mut sold_here, mut bought_here, mut out) = (Vec::with_capacity(calls.len()), Vec::new(), Vec::new());
    for (fact, part) in here() {
        match part {
            Part::Shared(part, unpaid_micros) => {
                let share = part.share();
                account.share(fact, share, *unpaid_micros)?;
                let Some(seconds) = fact.billed_seconds else { continue };
                sums.shared(fact, seconds, share)?;
                let shared_on = owing.add(fact, seconds, share, &carrier_costs)?;
                sold_here.push(shared_leg(origin, book, fact, seconds, share, (batch.id, shared_on))?);
            }
            Part::Sold(sold) => {
                sold_here.push(sold_leg(origin, book, fact, sold));
                if fact.correction.is_none() && sold.is_settled {
                    continue;
                }
                sums.sold(fact, sold)?;
                account.sold(fact, sold)?;
                let kind = if fact.correction.is_none() { "carrier" } else { "carrier_correction" };
                bought_here.extend(sold.asked.as_ref().map(|asked| asked.leg(origin, fact.call_id(), kind)));
                out.push((fact, sold.as_ref()));
            }
            Part::NoPrice(_) => {}
        }
    }
    // The key makes all of it happen once.
    if usage_metering::take_batch(&tx, &batch.name, &sums.rows(), now).await? {
        for (fact, part) in here() {
            suspend(&tx, book, fact, part, now).await?;
        }
        let unpaid = account.post(&tx, batch, now).await?;
        for leg in &mut sold_here {
            leg.unpaid_micros = unpaid.get(&(leg.call_id, leg.kind)).copied().unwrap_or(0);
        }
        legs::insert(&tx, &sold_here, now).await?;
        legs::insert(&tx, &bought_here, now).await?;
        keep(&tx, origin, book, &out).await?;
    }
    let owed = owing.put(&tx, now).await?;
    tx.commit().await?;
    Ok((sold_here, owed))
}

fn shared_leg(
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
    let detail = match (share, collected) {
        (Some(share), None) => format!("Share of {} in {}", share.percent, fact.called),
        (Some(share), Some(_)) => {
            format!("Share of {} in {}, collected for the level below", share.percent, fact.called)
        }
        (None, _) => "Minutes, priced over the whole period".to_owned(),
    };
    Ok(NewLeg {
        quantity_seconds: seconds,
        amount: share.map(|share| share.amount),
        cost,
        share_percent: share.map(|share| share.percent.as_decimal()),
        collected: collected.map(|(base, owed)| Collected {
            base,
            owed,
            started_at: fact.started_at,
            called: fact.called.clone(),
            batch_id,
            shared_on,
        }),
        ..leg(origin, book, fact, detail)
    })
}

fn sold_leg(origin: TenantId, book: &Book, fact: &FactRow, sold: &Sold) -> NewLeg {
    NewLeg {
        quantity_seconds: sold.billed_seconds,
        amount: Some(sold.net),
        cost: Some(sold.net),
        ..leg(origin, book, fact, sold.detail.clone())
    }
}

fn leg(origin: TenantId, book: &Book, fact: &FactRow, detail: String) -> NewLeg {
    NewLeg {
        origin,
        call_id: fact.call_id(),
        kind: fact.leg_kind(),
        customer_id: Some(book.step.customer_id),
        currency: book.child.currency.code().to_owned(),
        quantity_seconds: 0,
        amount: None,
        cost: None,
        share_percent: None,
        detail,
        unpaid_micros: 0,
        collected: None,
    }
}

/// An amount in another currency needs a dated rate, a book that collects needs terms, and one that sells needs a price; without,
/// a person decides.
async fn suspend(tx: &TenantTx, book: &Book, fact: &FactRow, part: &Part, now: DateTime<Utc>) -> Result<()> {
    let call_id = fact.call_id();
    let of =
        |base: Money| json!({ "call_id": call_id, "base": base.format_plain(), "currency": base.currency().code() });
    let (cause, payload, detail) = match part {
        Part::Sold(_) | Part::Shared(split::Part::Nothing | split::Part::Share(_), _) => return Ok(()),
        Part::Shared(split::Part::MissingRate(base), _) => {
            let currency = book.child.currency;
            let detail = format!("the share of call {call_id} is of {base}, the book's customer pays in {currency}");
            (SuspenseCause::MissingRate, of(*base), detail)
        }
        Part::Shared(split::Part::MissingTerms(base), _) => {
            let detail = format!("call {call_id} to {} was collected here, and the number has no terms", fact.called);
            (SuspenseCause::NotChargeable, of(*base), detail)
        }
        Part::NoPrice(why) => {
            let called = fact.called.trim_start_matches('+');
            let payload = json!({ "call_id": call_id, "called": called, "seconds": fact.billed_seconds });
            (SuspenseCause::MissingRate, payload, why.clone())
        }
    };
    usage_metering::suspend(tx, cause, &detail, &payload, now).await?;
    Ok(())
}

/// What this book knows of calls out from now on: what counts against its limits, and to whom they were given.
async fn keep(tx: &TenantTx, origin: TenantId, book: &Book, out: &[(&FactRow, &Sold)]) -> Result<()> {
    let mut over = Vec::with_capacity(out.len());
    for (fact, sold) in out {
        if !sold.is_known && fact.correction.is_none() {
            learn(tx, Place { origin, call_id: fact.call_id() }, book, fact, sold).await?;
        }
        let flag = match (&sold.asked, &fact.correction) {
            (Some(asked), None) => loss(Some(sold.net.micros()), Some(sold.currency.code()), asked.amount),
            _ => None,
        };
        over.push(Over {
            call_id: fact.call_id(),
            charge_micros: sold.charge.micros(),
            cost_micros: sold.asked.as_ref().map(|asked| asked.amount.micros()),
            flag,
            ended_at: fact.ended_at,
        });
    }
    // A call and what corrects it may travel together: each by itself.
    let (calls, corrections): (Vec<_>, Vec<_>) =
        over.into_iter().zip(out).partition(|(_, (fact, _))| fact.correction.is_none());
    for over in [calls, corrections] {
        let over: Vec<Over> = over.into_iter().map(|(over, _)| over).collect();
        store::end(tx, origin, &over).await?;
    }
    Ok(())
}

/// A call that was not let out by us.
async fn learn(tx: &TenantTx, of: Place, book: &Book, fact: &FactRow, sold: &Sold) -> Result<()> {
    let taken = Taken {
        of,
        customer_id: book.child.id,
        called: fact.called.trim_start_matches('+'),
        class: sold.decision.class.as_deref(),
        started_at: fact.started_at,
        carrier_id: sold.carrier_id,
        decision: sold.decision.stored()?,
        flag: sold.decision.refusal.map(|_| WENT_OUT),
        currency: book.child.currency.code(),
        held_micros: 0,
        lease_until: fact.ended_at,
        ended_at: Some(fact.ended_at),
    };
    store::put(tx, &taken).await?;
    if let Some(carrier_id) = sold.carrier_id {
        carriers::begin_attempt(tx, of, carrier_id, fact.started_at).await?;
        carriers::end_attempt(tx, of, true, None).await?;
    }
    Ok(())
}
