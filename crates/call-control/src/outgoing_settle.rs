//! The end of a call that went out, in the caller's own book: its charge by the deck, and what its carrier asks where the book
//! has one of its own. What the books above are owed leaves by the outbox.

use crate::entity::call::Model;
use crate::error::{CallError, Result};
use crate::explanation::{CallExplanation, PricedBy, TaxInside};
use crate::grant;
use crate::outgoing_plan::{self as planning, Decision};
use crate::outgoing_upward;
use crate::price::{CallPrice, started_seconds};
use crate::settlement::Rated;
use crate::store::carriers::Place;
use crate::store::legs::{self, CarrierLeg};
use crate::store::outgoing::{self as store, OutgoingRow, Over};
use chrono::{DateTime, Utc};
use db::{CarrierId, DeckId, TenantTx};
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
        price: planning::compile(&row.tariff(), deck.currency, book)?,
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

/// What a carrier asks for a call.
pub(crate) struct Asked {
    pub code: String,
    pub amount: Money,
    pub billed_seconds: u32,
    pub detail: String,
}

/// By the cost deck that was in force when the call began; `None` where it did not know the number.
pub(crate) async fn asked(
    tx: &TenantTx,
    carrier_id: CarrierId,
    digits: &str,
    (began, start, seconds): (DateTime<Utc>, DateTime<Utc>, u32),
    book: &Organisation,
) -> Result<Option<Asked>> {
    let carrier = crate::carrier::carrier(tx, carrier_id).await?.ok_or(CallError::UnknownCarrier(carrier_id))?;
    let Some(version) = usage_metering::version_in_force(tx, carrier.of.cost_deck, began).await? else {
        return Ok(None);
    };
    let Some(found) = deck_price(tx, carrier.of.cost_deck, version, digits, book).await? else { return Ok(None) };
    let charge = found.price.charge(start, seconds)?;
    Ok(Some(Asked {
        code: carrier.of.code,
        amount: charge.amount,
        billed_seconds: charge.billed_seconds,
        detail: format!("{}: {}, version {}, prefix {}", carrier.of.name, found.deck, found.version, found.prefix),
    }))
}

/// What was asked is owed.
pub(crate) fn cost_posting(key: String, memo: String, cost: Money, effective_at: DateTime<Utc>) -> Result<Posting> {
    let entries = vec![
        (AccountRef::Book(AccountKind::CarrierCost), cost.checked_neg()?),
        (AccountRef::Book(AccountKind::CarrierPayable), cost),
    ];
    Ok(Posting::new("carrier_cost", key, memo, effective_at, entries)?)
}

/// After the charge: the carrier's leg where this book has the carrier, else the message to the books above; and what the call
/// counts against limits from now on.
pub(crate) async fn finish(tx: &TenantTx, call: &Model, now: DateTime<Utc>) -> Result<()> {
    let place = Place { origin: tx.tenant_id(), call_id: call.id.into() };
    let Some(row) = store::find(tx, place).await? else { return Ok(()) };
    let ended_at = call.ended_at.unwrap_or(now);
    let mut over = Over { charge_micros: call.charge_micros.unwrap_or(0), cost_micros: None, flag: None, ended_at };
    let start = call.meter_started_at.filter(|_| call.billed_seconds.is_some());
    if let Some(start) = start {
        match row.carrier_id {
            Some(carrier_id) => {
                let seconds = started_seconds(call.metered_ms.unwrap_or(0).unsigned_abs());
                let book = tenant::organisation(tx).await?;
                let times = (call.started_at, start, seconds);
                let digits = call.called.trim_start_matches('+');
                if let Some(asked) = asked(tx, carrier_id.into(), digits, times, &book).await? {
                    over.cost_micros = Some(asked.amount.micros());
                    over.flag = loss(call.net_micros, call.currency.as_deref(), asked.amount);
                    carry(tx, place, &asked, now).await?;
                    let key = format!("{}:{}", place.call_id, asked.code);
                    let posting =
                        cost_posting(key, format!("{} · {}", asked.code, call.called), asked.amount, ended_at)?;
                    ledger::post(tx, &posting, now).await?;
                }
            }
            None => {
                let payload = serde_json::json!({ "calls": [place.call_id] });
                let key = place.call_id.to_string();
                db::enqueue(tx, outgoing_upward::OUTGOING, &key, payload, now).await?;
            }
        }
    }
    store::end(tx, place, &over).await
}

/// Writes the carrier's leg, and what it costs this book.
async fn carry(tx: &TenantTx, place: Place, asked: &Asked, now: DateTime<Utc>) -> Result<()> {
    let leg = CarrierLeg {
        origin: place.origin,
        call_id: place.call_id,
        amount: asked.amount,
        quantity_seconds: i32::try_from(asked.billed_seconds).unwrap_or(i32::MAX),
        detail: &asked.detail,
    };
    legs::insert_carrier(tx, &leg, now).await?;
    legs::insert_carrier_cost(tx, &leg, now).await
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
