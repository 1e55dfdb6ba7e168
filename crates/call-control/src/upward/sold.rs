//! Calls out: each book sells the call to the level below by its own deck, up to the book whose carrier took it.

use crate::error::{CallError, Result};
use crate::explanation::TaxInside;
use crate::grant;
use crate::outgoing::plan::{self as planning, Decision, Plan, Wish};
use crate::outgoing::settle::{self, Asked, Talk};
use crate::price::started_seconds;
use crate::store::carriers::Place;
use crate::store::legs;
use crate::store::outgoing as store;
use crate::store::upward::FactRow;
use crate::upward::{Book, Climbing, Part};
use db::{CallId, CarrierId, Db, TenantTx};
use money::Money;
use std::collections::HashMap;
use tenant::Organisation;
use usage_metering::UsageError;

/// What one book sold a call for, and what it paid its carrier.
pub(super) struct Sold {
    /// Tax included.
    pub charge: Money,
    pub net: Money,
    pub billed_seconds: i32,
    /// Deck, version and prefix.
    pub detail: String,
    pub carrier_id: Option<CarrierId>,
    /// What that carrier asks; `None`: bought from the seller.
    pub asked: Option<Asked>,
    pub decision: Decision,
    /// The book has a row of the call.
    pub is_known: bool,
    /// The call has its leg there already.
    pub is_settled: bool,
    /// Of the organisation that owns the book.
    pub currency: money::Currency,
}

/// What a book decided when the call began, or would have.
struct Decided {
    decision: Decision,
    carrier_id: Option<CarrierId>,
    is_known: bool,
    is_settled: bool,
}

/// A call on its way up.
struct Out {
    fact: FactRow,
    talk: Talk,
    /// Digits.
    called: String,
    /// What every book would do, for a call that was not let out by us: reckoned by its start.
    plan: Option<Plan>,
    parts: Vec<Part>,
    /// Nobody above has a part in it.
    is_over: bool,
}

/// Every book's part of these calls, until the one that has the carrier.
pub(super) async fn climbing(db: &Db, tx: &TenantTx, books: &[Book], facts: Vec<FactRow>) -> Result<Vec<Climbing>> {
    let ids: Vec<CallId> = facts.iter().map(FactRow::call_id).collect();
    let own = store::find_many(tx, tx.tenant_id(), &ids).await?;
    // What was carried by the book itself ended there.
    let climbs = |fact: &FactRow| own.get(&fact.call_id()).is_some_and(|row| row.carrier_id.is_none());
    let mut calls: Vec<Out> = facts.into_iter().filter(climbs).filter_map(Out::of).collect();
    for (depth, book) in (1..).zip(books) {
        let decided = decisions(db, tx, book, depth, &mut calls).await?;
        if decided.is_empty() {
            break;
        }
        let above = db.tenant(book.step.book).await?;
        let organisation = tenant::organisation(&above).await?;
        for call in &mut calls {
            // A correction and its call may travel together: both by what was decided about the call.
            let Some(decided) = decided.get(&call.fact.call_id()).filter(|_| !call.is_over) else { continue };
            let part = match sell(&above, &organisation, book, call, decided).await {
                Err(error) if is_missing(&error) => Part::NoPrice(call.no_price(book, &error.to_string())),
                part => part?,
            };
            call.is_over = !matches!(&part, Part::Sold(sold) if sold.carrier_id.is_none());
            call.parts.push(part);
        }
        above.commit().await?;
    }
    Ok(calls.into_iter().map(|call| Climbing { fact: call.fact, parts: call.parts }).collect())
}

impl Out {
    /// `None` for one that was never metered.
    fn of(fact: FactRow) -> Option<Out> {
        let (start, more) = (fact.meter_started_at?, fact.billed_seconds?);
        let settled = started_seconds(fact.metered_ms.unwrap_or(0).unsigned_abs());
        let (before, seconds) = match fact.correction {
            None => (None, settled),
            Some(_) => (Some(settled), settled.saturating_add_signed(more)),
        };
        Some(Out {
            talk: Talk { began: fact.started_at, start, before, seconds },
            called: fact.called.trim_start_matches('+').to_owned(),
            plan: None,
            parts: Vec::new(),
            is_over: false,
            fact,
        })
    }

    fn no_price(&self, book: &Book, why: &str) -> String {
        format!("call {} to {} has no price for {}: {why}", self.fact.call_id(), self.called, book.child.name)
    }
}

/// What a book decided about the calls that have come so far.
async fn decisions(
    db: &Db,
    tx: &TenantTx,
    book: &Book,
    depth: usize,
    calls: &mut [Out],
) -> Result<HashMap<CallId, Decided>> {
    let ids: Vec<CallId> = calls.iter().filter(|call| !call.is_over).map(|call| call.fact.call_id()).collect();
    let above = db.tenant(book.step.book).await?;
    let rows = store::find_many(&above, tx.tenant_id(), &ids).await?;
    let settled = legs::sold(&above, &ids).await?;
    above.commit().await?;
    let mut decided = HashMap::with_capacity(ids.len());
    for call in calls.iter_mut().filter(|call| !call.is_over) {
        let row = rows.get(&call.fact.call_id());
        let of_call = match row.filter(|row| row.ended_at.is_none() || row.charge_micros.is_some()) {
            Some(row) => Decided {
                decision: settle::decision(row)?,
                carrier_id: row.carrier_id.map(CarrierId::from_uuid),
                is_known: true,
                is_settled: settled.contains(&call.fact.call_id()),
            },
            None => replanned(db, tx, call, depth).await?,
        };
        decided.insert(call.fact.call_id(), of_call);
    }
    Ok(decided)
}

/// What a book would have decided when the call began: of a call that came in whole.
async fn replanned(db: &Db, tx: &TenantTx, call: &mut Out, depth: usize) -> Result<Decided> {
    if call.plan.is_none() {
        let wish = Wish {
            place: Place { origin: tx.tenant_id(), call_id: call.fact.call_id() },
            customer_id: call.fact.customer_id.unwrap_or_default().into(),
            called: &call.called,
            is_live: false,
            at: call.fact.started_at,
            is_covered: !call.fact.has_deck,
        };
        call.plan = Some(planning::plan(db, &wish).await?);
    }
    let level = call.plan.as_ref().and_then(|plan| plan.levels.get(depth));
    let decision = level.map(|level| level.decision.clone()).unwrap_or_default();
    let carrier_id = decision.routes.offers.first().and_then(|offer| offer.carrier_id);
    Ok(Decided { decision, carrier_id, is_known: false, is_settled: false })
}

async fn sell(
    above: &TenantTx,
    organisation: &Organisation,
    book: &Book,
    call: &Out,
    decided: &Decided,
) -> Result<Part> {
    let Decided { decision, carrier_id, is_known, is_settled } = decided;
    let Some(sold) = &decision.sold else { return Ok(Part::NoPrice(call.no_price(book, &decision.detail))) };
    let found = settle::deck_price(above, sold.deck_id, sold.version, &call.called, organisation).await?;
    let found = found.ok_or(CallError::Usage(UsageError::DeckVersionMustExist(sold.version)))?;
    let (charge, billed_seconds) = call.talk.charge(&found.price)?;
    let (net, _) = TaxInside::of(charge, grant::tax_percent(&book.child, organisation))?;
    let asked = match carrier_id {
        Some(id) => settle::asked(above, *id, &call.called, &call.talk, organisation).await?,
        None => None,
    };
    Ok(Part::Sold(Box::new(Sold {
        charge,
        net,
        billed_seconds,
        detail: format!("{}, version {}, prefix {}", found.deck, found.version, found.prefix),
        carrier_id: *carrier_id,
        asked,
        decision: decision.clone(),
        is_known: *is_known,
        is_settled: *is_settled,
        currency: organisation.currency,
    })))
}

/// Something that the price stands on is not there: this call waits, and the others of its batch do not.
fn is_missing(error: &CallError) -> bool {
    matches!(
        error,
        CallError::UnknownCarrier(_)
            | CallError::Usage(UsageError::DeckMustExist | UsageError::DeckVersionMustExist(_))
    )
}
