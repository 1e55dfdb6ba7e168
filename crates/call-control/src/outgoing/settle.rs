//! The end of a call that went out, in the caller's own book: its charge by the deck, and what its carrier asks where the book
//! has one of its own. What the books above are owed leaves by the outbox.

use crate::entity::call::Model;
use crate::error::{CallError, Result};
use crate::explanation::{CallExplanation, PricedBy, TaxInside};
use crate::grant;
use crate::outgoing::plan::Decision;
use crate::price::{CallPrice, started_seconds};
use crate::settlement::Rated;
use crate::store::carriers::Place;
use crate::store::legs::{self, NewLeg};
use crate::store::outgoing::{self as store, OutgoingRow, Over};
use crate::upward;
use chrono::{DateTime, Utc};
use db::{CallId, CarrierId, DeckId, TenantId, TenantTx};
use ledger::{AccountKind, AccountRef, Posting};
use money::{Decimal, Money};
use pricing::{PriceVersion, RoundTo};
use subscription::Customer;
use tenant::Organisation;

/// A prefix of a version of a deck, ready to price a call.
pub(crate) struct DeckPrice {
    pub deck: String,
    pub version: u32,
    pub prefix: String,
    pub destination: String,
    pub price: CallPrice,
}

/// What a version of a deck says of a number; `None` when it knows no prefix of it.
pub(crate) async fn deck_price(
    tx: &TenantTx,
    id: DeckId,
    version: u32,
    digits: &str,
    book: &Organisation,
) -> Result<Option<DeckPrice>> {
    let deck = usage_metering::deck(tx, id).await?.ok_or(usage_metering::UsageError::DeckMustExist)?;
    let table = usage_metering::deck_table(tx, id, version).await?;
    let Some(row) = table.longest(digits) else { return Ok(None) };
    Ok(Some(DeckPrice {
        price: grant::compile(&row.tariff(), deck.currency, book)?,
        deck: deck.name,
        version,
        prefix: row.prefix.to_string(),
        destination: row.destination.to_string(),
    }))
}

/// What the deck's version that the call was let out with makes of it.
pub(crate) async fn rate(
    tx: &TenantTx,
    call: &Model,
    customer: &Customer,
    book: &Organisation,
    start: DateTime<Utc>,
    seconds: u32,
) -> Result<Option<Rated>> {
    let Some((id, version)) = deck_of(call) else { return Ok(None) };
    let digits = call.called.trim_start_matches('+');
    let found = deck_price(tx, id, version, digits, book).await?;
    let found = found.ok_or(CallError::Usage(usage_metering::UsageError::DeckVersionMustExist(version)))?;
    Ok(Some(rated(call, id, &found, start, seconds, grant::tax_percent(customer, book))?))
}

pub(crate) fn deck_of(call: &Model) -> Option<(DeckId, u32)> {
    Some((call.deck_id?.into(), u32::try_from(call.deck_version?).ok()?))
}

fn rated(
    call: &Model,
    id: DeckId,
    found: &DeckPrice,
    start: DateTime<Utc>,
    seconds: u32,
    tax_percent: Decimal,
) -> Result<Rated> {
    let charge = found.price.charge(start, seconds)?;
    let (net, tax) = TaxInside::of(charge.amount, tax_percent)?;
    let name = PriceVersion { name: found.deck.clone(), version: found.version, component: String::new() };
    let explanation = CallExplanation {
        priced_by: PricedBy::Deck {
            called: call.called.clone(),
            deck_id: id,
            deck: found.deck.clone(),
            version: found.version,
            prefix: found.prefix.clone(),
            destination: found.destination.clone(),
        },
        metered_seconds: seconds,
        billed_seconds: charge.billed_seconds,
        included: Vec::new(),
        sum: found.price.explain(start, seconds)?.by(name),
        rounded_to: if found.price.round() == RoundTo::Micros { "micros" } else { "minor" }.to_owned(),
        discounts: Vec::new(),
        tax: Some(tax),
        unpaid: None,
    };
    Ok(Rated {
        charge: Some(charge.amount),
        net: Some(net),
        tax_percent: Some(tax_percent),
        billed_seconds: charge.billed_seconds,
        explanation,
    })
}

/// How long a call was out, or how much longer it was than it was settled for: then it is the difference of two charges.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Talk {
    pub began: DateTime<Utc>,
    /// When the meter started.
    pub start: DateTime<Utc>,
    /// Started seconds; `None`: all of the call.
    pub before: Option<u32>,
    pub seconds: u32,
}

impl Talk {
    /// What it costs, and the seconds that are billed.
    pub(crate) fn charge(&self, price: &CallPrice) -> Result<(Money, i32)> {
        let whole = |seconds: u32| i32::try_from(seconds).unwrap_or(i32::MAX);
        let all = price.charge(self.start, self.seconds)?;
        let Some(before) = self.before else { return Ok((all.amount, whole(all.billed_seconds))) };
        let settled = price.charge(self.start, before)?;
        let seconds = whole(all.billed_seconds).saturating_sub(whole(settled.billed_seconds));
        Ok((all.amount.checked_sub(settled.amount)?, seconds))
    }
}

/// What a carrier asks for a call.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub code: String,
    pub amount: Money,
    pub billed_seconds: i32,
    pub detail: String,
}

impl Asked {
    /// The leg of the book that has the carrier.
    pub(crate) fn leg(&self, origin: TenantId, call_id: CallId, kind: &'static str) -> NewLeg {
        NewLeg {
            origin,
            call_id,
            kind,
            customer_id: None,
            currency: self.amount.currency().code().to_owned(),
            quantity_seconds: self.billed_seconds,
            amount: Some(self.amount),
            cost: Some(self.amount),
            share_percent: None,
            detail: self.detail.clone(),
            unpaid_micros: 0,
            collected: None,
        }
    }
}

/// By the cost deck that was in force when the call began; `None` where it did not know the number.
pub(crate) async fn asked(
    tx: &TenantTx,
    carrier_id: CarrierId,
    digits: &str,
    talk: &Talk,
    book: &Organisation,
) -> Result<Option<Asked>> {
    let carrier = crate::carrier::carrier(tx, carrier_id).await?.ok_or(CallError::UnknownCarrier(carrier_id))?;
    let Some(version) = usage_metering::version_in_force(tx, carrier.of.cost_deck, talk.began).await? else {
        return Ok(None);
    };
    let Some(found) = deck_price(tx, carrier.of.cost_deck, version, digits, book).await? else { return Ok(None) };
    let (amount, billed_seconds) = talk.charge(&found.price)?;
    Ok(Some(Asked {
        code: carrier.of.code,
        amount,
        billed_seconds,
        detail: format!("{}: {}, version {}, prefix {}", carrier.of.name, found.deck, found.version, found.prefix),
    }))
}

/// What was asked is owed.
pub(crate) fn cost_entries(cost: Money) -> Result<Vec<(AccountRef, Money)>> {
    Ok(vec![
        (AccountRef::Book(AccountKind::CarrierCost), cost.checked_neg()?),
        (AccountRef::Book(AccountKind::CarrierPayable), cost),
    ])
}

/// After the charge: the carrier's leg where this book has the carrier, else the message to the books above; and what the call
/// counts against limits from now on.
pub(crate) async fn finish(tx: &TenantTx, call: &Model, now: DateTime<Utc>) -> Result<()> {
    let place = Place { origin: tx.tenant_id(), call_id: call.id.into() };
    let Some(row) = store::find(tx, place).await? else { return Ok(()) };
    let ended_at = call.ended_at.unwrap_or(now);
    let charge_micros = call.charge_micros.unwrap_or(0);
    let mut over = Over { call_id: place.call_id, charge_micros, cost_micros: None, flag: None, ended_at };
    let start = call.meter_started_at.filter(|_| call.billed_seconds.is_some());
    match (start, row.carrier_id) {
        (Some(start), Some(carrier_id)) => {
            let seconds = started_seconds(call.metered_ms.unwrap_or(0).unsigned_abs());
            let talk = Talk { began: call.started_at, start, before: None, seconds };
            by_carrier(tx, call, carrier_id.into(), (&talk, call.net_micros), &mut over, now).await?;
        }
        (Some(_), None) => upward::tell_call(tx, place.call_id, now).await?,
        (None, _) => {}
    }
    store::end(tx, place.origin, &[over]).await
}

/// What a call asked more of its carrier than it was settled for, and what it counts more against limits.
pub(crate) async fn correct(
    tx: &TenantTx,
    call: &Model,
    talk: &Talk,
    charged: Money,
    now: DateTime<Utc>,
) -> Result<()> {
    let place = Place { origin: tx.tenant_id(), call_id: call.id.into() };
    let Some(row) = store::find(tx, place).await? else { return Ok(()) };
    let ended_at = call.ended_at.unwrap_or(now);
    let charge_micros = charged.micros();
    let mut over = Over { call_id: place.call_id, charge_micros, cost_micros: None, flag: None, ended_at };
    if let Some(carrier_id) = row.carrier_id {
        // Whether it loses is told of the whole call, at its end.
        by_carrier(tx, call, carrier_id.into(), (talk, None), &mut over, now).await?;
    }
    store::end(tx, place.origin, &[over]).await
}

/// What one of the book's own carriers asks: its leg, what it costs this book, and what is owed.
pub(crate) async fn by_carrier(
    tx: &TenantTx,
    call: &Model,
    carrier_id: CarrierId,
    (talk, net_micros): (&Talk, Option<i64>),
    over: &mut Over,
    now: DateTime<Utc>,
) -> Result<()> {
    let book = tenant::organisation(tx).await?;
    let asked = asked(tx, carrier_id, call.called.trim_start_matches('+'), talk, &book).await?;
    let Some(asked) = asked else { return Ok(()) };
    over.cost_micros = Some(asked.amount.micros());
    over.flag = loss(net_micros, call.currency.as_deref(), asked.amount);
    let (kind, of) = if talk.before.is_some() { ("carrier_correction", ":correction") } else { ("carrier", "") };
    let legs = [asked.leg(tx.tenant_id(), over.call_id, kind)];
    legs::insert(tx, &legs, now).await?;
    legs::insert_costs(tx, &legs, now).await?;
    let (key, memo) = (format!("{}:{}{of}", over.call_id, asked.code), format!("{} · {}", asked.code, call.called));
    let posting = Posting::new("carrier_cost", key, memo, over.ended_at, cost_entries(asked.amount)?)?;
    ledger::post(tx, &posting, now).await?;
    Ok(())
}

/// What a level says when it lost: net less than what it paid.
pub(crate) fn loss(net_micros: Option<i64>, currency: Option<&str>, cost: Money) -> Option<String> {
    let net = net_micros.filter(|_| currency == Some(cost.currency().code()))?;
    let net = Money::from_micros(net, cost.currency());
    (net.micros() < cost.micros()).then(|| format!("sold for {net} net, bought for {cost}"))
}

/// What a book decided about a call, as it is stored.
pub(crate) fn decision(row: &OutgoingRow) -> Result<Decision> {
    serde_json::from_value(row.decision.clone())
        .map_err(|error| CallError::StoredMustRead { what: "decision about a call", reason: error.to_string() })
}

/// The charge of a call counted again from the deck's version: for the audit, and for its page.
pub(crate) async fn recount(tx: &TenantTx, call: &Model, book: &Organisation) -> Result<Option<Money>> {
    let (Some((id, version)), Some(start), Some(metered_ms), Some(_)) =
        (deck_of(call), call.meter_started_at, call.metered_ms, call.charge_micros)
    else {
        return Ok(None);
    };
    let found = deck_price(tx, id, version, call.called.trim_start_matches('+'), book).await?;
    let again = found.map(|found| found.price.charge(start, started_seconds(metered_ms.unsigned_abs())));
    Ok(again.transpose()?.map(|charge| charge.amount))
}
