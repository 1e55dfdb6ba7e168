//! What the books above a call that went out are owed: each sells it to the level below by its own deck, up to the book whose
//! carrier took it. Delivered from the outbox, once in effect by the message's key; nothing on the way up is refused: what a book
//! cannot price waits in its suspense.

use crate::error::{CallError, Result};
use crate::explanation::TaxInside;
use crate::grant;
use crate::outgoing_plan::{self as planning, Decision, Plan, Wish};
use crate::outgoing_settle::{self as settle, Asked};
use crate::price::started_seconds;
use crate::retry::retry;
use crate::settlement::minutes;
use crate::store::carriers::{self, Place};
use crate::store::legs::{self, CarrierLeg, NewLeg};
use crate::store::outgoing::{self as store, Over, Taken};
use chrono::{DateTime, Utc};
use db::{CallId, CarrierId, Db, OutboxMessage, PlatformReason, TenantId, TenantTx};
use ledger::{Leg, Settle};
use money::{Decimal, Money};
use serde_json::json;
use std::collections::BTreeMap;
use subscription::{Billing, Customer};
use tenant::{Organisation, Upward};
use usage_metering::{SumRow, SuspenseCause};

/// Outbox topic: calls that went out and are over.
pub(crate) const OUTGOING: &str = "outgoing_upward";
/// Messages of one round of the worker.
const MESSAGES_PER_ROUND: u64 = 50;

/// Takes the finished calls out of a tenant to the books above; how many messages were dealt with. Safe to repeat.
pub async fn deliver_outgoing(db: &Db, tenant_id: TenantId, now: DateTime<Utc>) -> Result<u64> {
    let mut dealt_with = 0;
    for _ in 0..MESSAGES_PER_ROUND {
        match retry(|| deliver_one(db, tenant_id, now)).await? {
            0 => break,
            delivered => dealt_with += delivered,
        }
    }
    Ok(dealt_with)
}

async fn deliver_one(db: &Db, tenant_id: TenantId, now: DateTime<Utc>) -> Result<u64> {
    // The claim holds the message while the books above commit; should we die here, it is delivered again and changes nothing.
    let tx = db.tenant(tenant_id).await?;
    let messages = db::claim_outbox(&tx, OUTGOING, 1, now).await?;
    let Some(message) = messages.first() else { return Ok(0) };
    match carry(db, &tx, message, now).await {
        Ok(()) => {
            db::finish_outbox(&tx, &[message.id], now).await?;
            tx.commit().await?;
        }
        Err(error) if error.is_retryable() => return Err(error),
        Err(error) => {
            tracing::warn!(tenant.id = %tenant_id, %error, "Calls out could not be taken upward and will be tried again");
            drop(tx);
            let tx = db.tenant(tenant_id).await?;
            db::postpone_outbox(&tx, message, &error.to_string(), now).await?;
            tx.commit().await?;
        }
    }
    Ok(1)
}

/// A call on its way up.
struct Climbing {
    call_id: CallId,
    called: String,
    number: String,
    began: DateTime<Utc>,
    start: DateTime<Utc>,
    ended_at: DateTime<Utc>,
    seconds: u32,
    /// What every book would do, for a call that was not let out by us: reckoned by its start.
    plan: Option<Plan>,
}

async fn carry(db: &Db, tx: &TenantTx, message: &OutboxMessage, now: DateTime<Utc>) -> Result<()> {
    let ids: Vec<CallId> = serde_json::from_value(message.payload["calls"].clone())
        .map_err(|error| CallError::StoredMustRead { what: "message of calls", reason: error.to_string() })?;
    for call_id in ids {
        let Some(row) = crate::store::calls::find(tx, call_id).await? else { continue };
        let (Some(start), Some(ended_at), Some(_)) = (row.meter_started_at, row.ended_at, row.billed_seconds) else {
            continue;
        };
        let call = Climbing {
            call_id,
            number: row.caller.clone().unwrap_or_default(),
            called: row.called.trim_start_matches('+').to_owned(),
            began: row.started_at,
            start,
            ended_at,
            seconds: started_seconds(row.metered_ms.unwrap_or(0).unsigned_abs()),
            plan: None,
        };
        climb(db, tx, call, now).await?;
    }
    Ok(())
}

/// One call, book by book, until the one that has the carrier.
async fn climb(db: &Db, tx: &TenantTx, mut call: Climbing, now: DateTime<Utc>) -> Result<()> {
    let origin = tx.tenant_id();
    let ptx = db.platform(PlatformReason::WalkTheTree).await?;
    let chain = tenant::chain_at(&ptx, origin, call.began).await?;
    ptx.commit().await?;
    for (depth, step) in (1..).zip(&chain) {
        let place = Place { origin, call_id: call.call_id };
        let book = db.tenant(step.book).await?;
        let known = store::find(&book, place).await?;
        book.commit().await?;
        let decided = match known {
            Some(row) if row.ended_at.is_none() || row.charge_micros.is_some() => {
                (settle::decision(&row)?, row.carrier_id.map(CarrierId::from_uuid))
            }
            _ => replanned(db, tx, &mut call, depth).await?,
        };
        let took = into_book(db, place, step, &call, &decided, now).await?;
        if let Some(leg) = took.leg {
            if step.child == origin {
                legs::insert_costs(tx, &[leg], now).await?;
            } else {
                let child = db.tenant(step.child).await?;
                legs::insert_costs(&child, &[leg], now).await?;
                child.commit().await?;
            }
        }
        if took.is_last {
            break;
        }
    }
    Ok(())
}

/// What a book would have decided when the call began: of a call that came in whole.
async fn replanned(db: &Db, tx: &TenantTx, call: &mut Climbing, depth: usize) -> Result<(Decision, Option<CarrierId>)> {
    if call.plan.is_none() {
        let row = crate::store::calls::find(tx, call.call_id).await?.ok_or(CallError::UnknownCall(call.call_id))?;
        let wish = Wish {
            place: Place { origin: tx.tenant_id(), call_id: call.call_id },
            customer_id: row.customer_id.unwrap_or_default().into(),
            called: &call.called,
            at: call.began,
            is_covered: row.deck_id.is_none(),
        };
        call.plan = Some(planning::plan(db, &wish).await?);
    }
    let level = call.plan.as_ref().and_then(|plan| plan.levels.get(depth));
    let decision = level.map(|level| level.decision.clone()).unwrap_or_default();
    let carrier = decision.routes.offers.first().and_then(|offer| offer.carrier_id);
    Ok((decision, carrier))
}

/// What a book made of a call.
struct Took {
    /// What it sells the call for to the level below.
    leg: Option<NewLeg>,
    /// Nobody above has a part in it.
    is_last: bool,
}

async fn into_book(
    db: &Db,
    place: Place,
    step: &Upward,
    call: &Climbing,
    (decision, carrier_id): &(Decision, Option<CarrierId>),
    now: DateTime<Utc>,
) -> Result<Took> {
    let tx = db.tenant(step.book).await?;
    let organisation = tenant::organisation(&tx).await?;
    let unknown = || subscription::SubscriptionError::NotFound { kind: "customer", id: step.customer_id.to_string() };
    let child = subscription::customer(&tx, step.customer_id).await?.ok_or_else(unknown)?;
    let Some(sold) = &decision.sold else {
        let detail =
            format!("call {} to {} has no price for {}: {}", call.call_id, call.called, child.name, decision.detail);
        let payload = json!({ "call_id": call.call_id, "called": call.called, "seconds": call.seconds });
        if usage_metering::take_batch(&tx, &format!("outgoing:{}", call.call_id), &[], now).await? {
            usage_metering::suspend(&tx, SuspenseCause::MissingRate, &detail, &payload, now).await?;
        }
        tx.commit().await?;
        return Ok(Took { leg: None, is_last: true });
    };
    let found = settle::deck_price(&tx, sold.deck_id, sold.version, &call.called, &organisation).await?;
    let found = found.ok_or(CallError::Usage(usage_metering::UsageError::DeckVersionMustExist(sold.version)))?;
    let charge = found.price.charge(call.start, call.seconds)?;
    let (net, _) = TaxInside::of(charge.amount, grant::tax_percent(&child, &organisation))?;
    let asked = match carrier_id {
        Some(id) => {
            let times = (call.began, call.start, call.seconds);
            settle::asked(&tx, *id, &call.called, times, &organisation).await?
        }
        None => None,
    };
    let leg = NewLeg {
        origin: place.origin,
        call_id: place.call_id,
        kind: "seller",
        customer_id: child.id,
        currency: child.currency.code().to_owned(),
        quantity_seconds: i32::try_from(charge.billed_seconds).unwrap_or(i32::MAX),
        amount: Some(net),
        cost: Some(net),
        share_percent: None,
        detail: format!("{}, version {}, prefix {}", found.deck, found.version, found.prefix),
        collected: None,
    };
    // The key makes all of it happen once.
    if usage_metering::take_batch(
        &tx,
        &format!("outgoing:{}", call.call_id),
        &sums(call, &child, charge.billed_seconds, charge.amount)?,
        now,
    )
    .await?
    {
        let part =
            Part { tx: &tx, place, call, child: &child, organisation: &organisation, charge: charge.amount, net };
        part.post(&leg, asked.as_ref(), now).await?;
        part.keep(decision, *carrier_id, asked.as_ref(), now).await?;
    }
    tx.commit().await?;
    Ok(Took { leg: Some(leg), is_last: carrier_id.is_some() })
}

/// One book's part in a call.
struct Part<'a> {
    tx: &'a TenantTx,
    place: Place,
    call: &'a Climbing,
    child: &'a Customer,
    organisation: &'a Organisation,
    charge: Money,
    net: Money,
}

impl Part<'_> {
    /// Legs and ledger: what the level below pays, and what the carrier asks.
    async fn post(&self, leg: &NewLeg, asked: Option<&Asked>, now: DateTime<Utc>) -> Result<()> {
        legs::insert(self.tx, std::slice::from_ref(leg), now).await?;
        let (id, memo) = (self.place.call_id, format!("Call out to +{}", self.call.called));
        let settle = Settle {
            call_id: id,
            leg: Leg::Seller,
            customer_id: self.child.id,
            charge: self.charge,
            kind: "call",
            memo,
            effective_at: self.call.ended_at,
        };
        if self.child.billing == Billing::Prepaid {
            ledger::settle(self.tx, &settle, now).await?;
        } else {
            let key = settle.key();
            ledger::accrue(self.tx, self.child.id, self.net, &key, &settle.memo, settle.effective_at, now).await?;
        }
        let Some(asked) = asked else { return Ok(()) };
        let carrier = CarrierLeg {
            origin: self.place.origin,
            call_id: id,
            amount: asked.amount,
            quantity_seconds: i32::try_from(asked.billed_seconds).unwrap_or(i32::MAX),
            detail: &asked.detail,
        };
        legs::insert_carrier(self.tx, &carrier, now).await?;
        let memo = format!("{} · +{}", asked.code, self.call.called);
        let posting = settle::cost_posting(format!("{id}:{}", asked.code), memo, asked.amount, self.call.ended_at)?;
        ledger::post(self.tx, &posting, now).await?;
        Ok(())
    }

    /// What this book knows of the call from now on.
    async fn keep(
        &self,
        decision: &Decision,
        carrier_id: Option<CarrierId>,
        asked: Option<&Asked>,
        now: DateTime<Utc>,
    ) -> Result<()> {
        if store::find(self.tx, self.place).await?.is_none() {
            let stored = serde_json::to_value(decision)
                .map_err(|error| CallError::StoredMustRead { what: "decision", reason: error.to_string() })?;
            let taken = Taken {
                of: self.place,
                customer_id: self.child.id,
                called: &self.call.called,
                class: decision.class.as_deref(),
                started_at: self.call.began,
                carrier_id,
                decision: stored,
                flag: None,
                currency: self.child.currency.code(),
                held_micros: 0,
                lease_until: now,
                ended_at: Some(self.call.ended_at),
            };
            store::put(self.tx, &taken).await?;
            if let Some(carrier_id) = carrier_id {
                carriers::begin_attempt(self.tx, self.place, carrier_id, self.call.began).await?;
                carriers::end_attempt(self.tx, self.place, true, None).await?;
            }
        }
        let currency = Some(self.organisation.currency.code());
        let over = Over {
            charge_micros: self.charge.micros(),
            cost_micros: asked.map(|asked| asked.amount.micros()),
            flag: asked.and_then(|asked| settle::loss(Some(self.net.micros()), currency, asked.amount)),
            ended_at: self.call.ended_at,
        };
        store::end(self.tx, self.place, &over).await
    }
}

/// What the level below used, by its local hour: no event of a single call reaches a book above.
fn sums(call: &Climbing, child: &Customer, billed_seconds: u32, charge: Money) -> Result<Vec<SumRow>> {
    let hour = usage_metering::local_hour(call.began, &child.time_zone)?;
    let dimensions: BTreeMap<String, String> = [
        ("number", call.number.as_str()),
        ("direction", "outbound"),
        // This book has charged it, by its own deck.
        ("charged_by", "tariff"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    let row = |meter: &str, quantity: Decimal| SumRow {
        customer_id: child.id,
        subscription_id: None,
        meter: meter.to_owned(),
        hour,
        dimensions: dimensions.clone(),
        quantity,
        events: 1,
    };
    Ok(vec![row("calls", Decimal::ONE), row("minutes", minutes(billed_seconds)), row("charge", charge.as_decimal())])
}
