//! What each book above a caller would do with a call that goes out: its price, its limits' verdict, and whom it buys the call
//! from. Read only; each book is its own transaction, and no book learns what another decided.

use crate::carrier;
use crate::destination::{self, class_of};
use crate::error::{CallError, Result};
use crate::grant;
use crate::policy::{self, LossGuard, OutgoingPolicy, SpendLimit};
use crate::price::CallPrice;
use crate::routing::{Candidate, Priced, RefusedRoute, RouteOffer, RouteRefusal, Routes, Wanted};
use crate::store::carriers::{self as store, Place};
use crate::store::trunks;
use chrono::{DateTime, Utc};
use db::{CarrierId, CustomerId, Db, DeckId, PlatformReason, TenantId, TenantTx};
use money::{Currency, Decimal};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;
use subscription::Customer;
use tenant::Organisation;
use usage_metering::DeckTable;

/// What is to be called, by whom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish<'a> {
    pub place: Place,
    pub customer_id: CustomerId,
    /// Digits.
    pub called: &'a str,
    pub at: DateTime<Utc>,
    /// A component of the caller's plan covers it: no price before the period's end.
    pub is_covered: bool,
    /// An edge of ours rings the carrier.
    pub is_live: bool,
}

/// What a book sells the call for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SoldFor {
    pub deck_id: DeckId,
    pub deck: String,
    pub version: u32,
    pub prefix: String,
    pub destination: String,
    /// Per minute at its beginning, tax included.
    pub rate: Decimal,
    /// The same without tax.
    pub net_rate: Decimal,
}

/// Why a call does not go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutgoingRefusal {
    /// The number that is to be shown is not the book's.
    UnknownNumber,
    /// What is called is no number.
    NotANumber,
    UnknownCustomer,
    Suspended,
    /// Calling out is not open for this customer.
    NotOpen,
    /// The class of the destination is closed.
    DestinationClosed,
    /// No deck in force has a price for it.
    NoPrice,
    /// The deck is in another currency than the customer.
    Currency,
    /// No carrier takes it.
    NoRoute,
    /// A level would lose on it.
    Loss,
    CallsAtOnce,
    CallLimit,
    HourLimit,
    DayLimit,
    ClassLimit,
    NoCredit,
}

impl OutgoingRefusal {
    /// As stored with the call, and as the API says it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownNumber => "unknown_number",
            Self::NotANumber => "not_a_number",
            Self::UnknownCustomer => "unknown_customer",
            Self::Suspended => "suspended",
            Self::NotOpen => "not_open",
            Self::DestinationClosed => "destination_closed",
            Self::NoPrice => "no_price",
            Self::Currency => "currency",
            Self::NoRoute => "no_route",
            Self::Loss => "loss",
            Self::CallsAtOnce => "calls_at_once",
            Self::CallLimit => "call_limit",
            Self::HourLimit => "hour_limit",
            Self::DayLimit => "day_limit",
            Self::ClassLimit => "class_limit",
            Self::NoCredit => "no_credit",
        }
    }
}

/// What one book decided about a call; kept with the call in that book.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// `None`: a plan covers it, or there is no price.
    pub sold: Option<SoldFor>,
    /// The class of the destination.
    pub class: Option<String>,
    pub routes: Routes,
    /// Why this book does not take it.
    pub refusal: Option<OutgoingRefusal>,
    /// The same in words, with its values.
    #[serde(default)]
    pub detail: String,
}

impl Decision {
    /// As it is stored.
    pub(crate) fn stored(&self) -> Result<serde_json::Value> {
        serde_json::to_value(self)
            .map_err(|error| CallError::StoredMustRead { what: "decision about a call", reason: error.to_string() })
    }
}

/// A book with what it decided.
#[derive(Clone, Debug)]
pub(crate) struct Level {
    pub book: TenantId,
    pub customer: Customer,
    pub organisation: Organisation,
    pub limit: SpendLimit,
    pub class_day_micros: Option<i64>,
    pub decision: Decision,
    /// What the customer of this book is charged.
    pub price: Option<CallPrice>,
}

/// A way out: the offer that each level took, the caller's first; the last one has the carrier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    pub picks: Vec<RouteOffer>,
}

impl Way {
    /// The carrier at its end.
    pub fn carrier(&self) -> Option<CarrierId> {
        self.picks.last().and_then(|pick| pick.carrier_id)
    }
}

/// Every book's decision, the caller's first, and the ways out in the order in which they are tried.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub levels: Vec<Level>,
    pub ways: Vec<Way>,
}

/// Goes up the tree and back down.
pub(crate) async fn plan(db: &Db, wish: &Wish<'_>) -> Result<Plan> {
    let ptx = db.platform(PlatformReason::WalkTheTree).await?;
    let chain = tenant::chain_at(&ptx, wish.place.origin, wish.at).await?;
    ptx.commit().await?;
    let mut facts = vec![read(db, wish.place.origin, wish.customer_id, wish, wish.is_covered).await?];
    for step in &chain {
        facts.push(read(db, step.book, step.customer_id, wish, false).await?);
    }
    // From the top down: what the level above asks is one more way to buy.
    let mut levels: Vec<Level> = Vec::new();
    for fact in facts.into_iter().rev() {
        let level = decide(fact, levels.last(), wish)?;
        levels.push(level);
    }
    levels.reverse();
    let ways = ways(&levels, 0);
    Ok(Plan { levels, ways })
}

/// The ways out from a level upward, in the order in which they are tried.
pub(crate) fn ways(levels: &[Level], from: usize) -> Vec<Way> {
    let Some(level) = levels.get(from).filter(|level| level.decision.refusal.is_none()) else { return Vec::new() };
    let mut found = Vec::new();
    for offer in &level.decision.routes.offers {
        if offer.carrier_id.is_some() {
            found.push(Way { picks: vec![offer.clone()] });
            continue;
        }
        for above in ways(levels, from + 1) {
            found.push(Way { picks: std::iter::once(offer.clone()).chain(above.picks).collect() });
        }
    }
    found
}

/// What a book knows before it decides.
struct Facts {
    level: Level,
    policy: Option<OutgoingPolicy>,
    currency: Currency,
    candidates: Vec<Candidate>,
}

async fn read(db: &Db, book: TenantId, customer_id: CustomerId, wish: &Wish<'_>, is_covered: bool) -> Result<Facts> {
    let tx = db.tenant(book).await?;
    let facts = read_in(&tx, customer_id, wish, is_covered).await?;
    tx.commit().await?;
    Ok(facts)
}

/// The caller's own book by itself, within its transaction: for a call that is over. What its seller asks is left out, and that
/// nobody of its own would have taken the call is no refusal: the seller did.
pub(crate) async fn own_level(tx: &TenantTx, wish: &Wish<'_>) -> Result<Level> {
    let mut level = decide(read_in(tx, wish.customer_id, wish, wish.is_covered).await?, None, wish)?;
    if matches!(level.decision.refusal, Some(OutgoingRefusal::NoRoute | OutgoingRefusal::Loss)) {
        level.decision.refusal = None;
        level.decision.detail.clear();
    }
    Ok(level)
}

async fn read_in(tx: &TenantTx, customer_id: CustomerId, wish: &Wish<'_>, is_covered: bool) -> Result<Facts> {
    let book = tx.tenant_id();
    let organisation = tenant::organisation(tx).await?;
    let unknown = || subscription::SubscriptionError::NotFound { kind: "customer", id: customer_id.to_string() };
    let customer = subscription::customer(tx, customer_id).await?.ok_or_else(unknown)?;
    let policy = policy::outgoing_policy(tx).await?;
    let limit = policy::spend_limit_of(tx, customer_id).await?;
    let mut decision = Decision::default();
    let classes = destination::destination_classes(tx).await?;
    let class = class_of(&classes, wish.called);
    decision.class = class.map(|class| class.code.clone());
    if let Some(class) = class {
        let own = destination::customer_destinations(tx, customer_id).await?.get(&class.code).copied();
        if !own.unwrap_or(class.is_open) {
            decision.refusal = Some(OutgoingRefusal::DestinationClosed);
            decision.detail = format!("{} are closed for {}", class.name, customer.name);
        }
    }
    if policy.is_none() || !limit.is_open || customer.closed_at.is_some() {
        decision.refusal = Some(OutgoingRefusal::NotOpen);
        decision.detail = format!("calls out are not open for {}", customer.name);
    }
    let mut level = Level {
        class_day_micros: class.and_then(|class| class.day_micros),
        book,
        organisation,
        customer,
        limit,
        decision,
        price: None,
    };
    if !is_covered && policy.is_some() {
        // Also of a call that is refused: one that went out all the same is charged.
        let deck = limit.sell_deck.or(policy.and_then(|policy| policy.sell_deck));
        price(tx, &mut level, deck, wish).await?;
    }
    let candidates = candidates(tx, wish).await?;
    Ok(Facts { currency: level.customer.currency, level, policy, candidates })
}

/// What the book's deck says.
async fn price(tx: &TenantTx, level: &mut Level, deck: Option<DeckId>, wish: &Wish<'_>) -> Result<()> {
    let refuse = |level: &mut Level, refusal, detail: String| {
        if level.decision.refusal.is_none() {
            level.decision.refusal = Some(refusal);
            level.decision.detail = detail;
        }
    };
    let deck = match deck {
        Some(id) => usage_metering::deck(tx, id).await?,
        None => None,
    };
    let Some(deck) = deck else {
        refuse(level, OutgoingRefusal::NoPrice, format!("{} has no sell deck", level.customer.name));
        return Ok(());
    };
    if deck.currency != level.customer.currency {
        let (deck, customer) = (deck.currency, level.customer.currency);
        refuse(level, OutgoingRefusal::Currency, format!("the deck is in {deck}, the customer pays in {customer}"));
        return Ok(());
    }
    let table = match usage_metering::version_in_force(tx, deck.id, wish.at).await? {
        Some(version) => Some(usage_metering::deck_table(tx, deck.id, version).await?),
        None => None,
    };
    let Some((table, row)) = table.as_ref().and_then(|table| Some((table, table.longest(wish.called)?))) else {
        refuse(level, OutgoingRefusal::NoPrice, format!("{} has no price for {}", deck.name, wish.called));
        return Ok(());
    };
    let tax = Decimal::ONE + grant::tax_percent(&level.customer, &level.organisation) / Decimal::ONE_HUNDRED;
    level.decision.sold = Some(SoldFor {
        deck_id: deck.id,
        deck: deck.name,
        version: table.version,
        prefix: row.prefix.to_string(),
        destination: row.destination.to_string(),
        rate: row.rate,
        net_rate: (row.rate / tax).round_dp(12).normalize(),
    });
    level.price = Some(grant::compile(&row.tariff(), deck.currency, &level.organisation)?);
    Ok(())
}

/// The book's carriers with what each is worth now, those that this call has tried marked.
async fn candidates(tx: &TenantTx, wish: &Wish<'_>) -> Result<Vec<Candidate>> {
    let carriers = carrier::carriers(tx).await?;
    if carriers.is_empty() {
        return Ok(Vec::new());
    }
    let mut quality = carrier::quality_without(tx, Some(wish.place.call_id), wish.at).await?;
    let attempts = store::attempts(tx, wish.place).await?;
    let failed: HashMap<CarrierId, String> = attempts
        .into_iter()
        .filter(|attempt| attempt.is_answered == Some(false))
        .map(|attempt| (attempt.carrier_id.into(), attempt.failure.unwrap_or_default()))
        .collect();
    let decks: HashMap<DeckId, Currency> =
        usage_metering::decks(tx).await?.into_iter().map(|deck| (deck.id, deck.currency)).collect();
    let reachable = if wish.is_live { Some(trunks::with_trunk(tx).await?) } else { None };
    let mut found = Vec::new();
    for carrier in carriers {
        let deck = cost_deck(tx, carrier.of.cost_deck, wish.at).await?;
        let currency = decks.get(&carrier.of.cost_deck).copied();
        found.push(Candidate {
            currency: currency.ok_or(CallError::Usage(usage_metering::UsageError::DeckMustExist))?,
            quality: quality.remove(&carrier.id).unwrap_or_default(),
            has_address: reachable.as_ref().is_none_or(|reachable| reachable.contains(&carrier.id)),
            failure: failed.get(&carrier.id).cloned(),
            deck,
            carrier,
        });
    }
    Ok(found)
}

pub(crate) async fn cost_deck(tx: &TenantTx, id: DeckId, at: DateTime<Utc>) -> Result<Option<Arc<DeckTable>>> {
    match usage_metering::version_in_force(tx, id, at).await? {
        Some(version) => Ok(Some(usage_metering::deck_table(tx, id, version).await?)),
        None => Ok(None),
    }
}

fn decide(facts: Facts, above: Option<&Level>, wish: &Wish<'_>) -> Result<Level> {
    let Facts { mut level, policy, currency, candidates } = facts;
    let Some(policy) = policy.filter(|_| level.decision.refusal.is_none()) else { return Ok(level) };
    let wanted = Wanted {
        called: wish.called,
        sell: level.decision.sold.as_ref().map(|sold| sold.net_rate),
        currency,
        minimum_margin: policy.minimum_margin_percent,
        minimum_answer_percent: policy.minimum_answer_percent,
        takes_losses: policy.loss_guard == LossGuard::Flag,
    };
    let (seller, not_by_seller) = match above {
        Some(above) => by_seller(above, currency),
        None => (None, None),
    };
    let mut routes = wanted.routes(&candidates, seller)?;
    routes.refused.extend(not_by_seller);
    if routes.offers.is_empty() {
        let loses = routes.refused.iter().any(|refused| refused.reason == RouteRefusal::Margin);
        level.decision.refusal = Some(if loses { OutgoingRefusal::Loss } else { OutgoingRefusal::NoRoute });
        let said: Vec<String> =
            routes.refused.iter().map(|refused| format!("{} {}", refused.code, refused.detail)).collect();
        level.decision.detail = if said.is_empty() { "there is no carrier".to_owned() } else { said.join("; ") };
    }
    level.decision.routes = routes;
    Ok(level)
}

/// The seller as one more carrier: what it asks is its own price without tax. Why it does not take the call is its own affair.
fn by_seller(above: &Level, currency: Currency) -> (Option<Priced>, Option<RefusedRoute>) {
    let refused = |detail: &str| {
        Some(RefusedRoute { code: "seller".into(), reason: RouteRefusal::Seller, detail: detail.to_owned() })
    };
    match (&above.decision.sold, above.decision.refusal) {
        (Some(_), None) if above.customer.currency != currency => (None, refused("sells in another currency")),
        (Some(sold), None) => {
            let (prefix, rate) = (sold.prefix.clone(), sold.net_rate);
            (Some(Priced { carrier_id: None, code: "seller".into(), prefix, rate }), None)
        }
        // A seller that sells no calls is no way that was refused.
        (_, Some(OutgoingRefusal::NotOpen)) | (None, None) => (None, None),
        (_, Some(OutgoingRefusal::DestinationClosed)) => (None, refused("has this destination closed")),
        (_, Some(_)) => (None, refused("does not take this call")),
    }
}
