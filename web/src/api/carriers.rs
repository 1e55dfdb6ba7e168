//! Carriers, how calls are sold and routed, and what a number would cost now.

use super::body::Number;
use super::list::List;
use super::problem::{ApiResult, Problem};
use super::route::{Ask, Created, Given, Nothing, One, Route, Shown, get, patch, post, put, reckon};
use call_control::{CallError, Decision, LossGuard, NewCarrier, OutgoingPolicy};
use db::{CarrierId, CustomerId, DeckId};
use serde::{Deserialize, Serialize};
use tenant::ScopeGroup;
use utoipa::ToSchema;

pub fn routes() -> Vec<Route> {
    let group = ScopeGroup::Routes;
    vec![
        get("/v1/carriers", group, "List carriers with how each does now", carriers),
        post("/v1/carriers", group, "Make a carrier known", create),
        get("/v1/carriers/{carrier_id}", group, "Read a carrier", carrier),
        patch("/v1/carriers/{carrier_id}", group, "Change a carrier from the next call on", change),
        get("/v1/outgoing-policy", group, "Read how calls are sold and routed", policy),
        put("/v1/outgoing-policy", group, "Set how calls are sold and routed", set_policy),
        reckon("/v1/route-trials", group, "Whom a call would go to now, for how much, and why", trial),
    ]
}

/// Who takes calls to the world.
#[derive(Serialize, ToSchema)]
struct Carrier {
    #[schema(example = "carrier")]
    object: &'static str,
    id: String,
    code: String,
    name: String,
    cost_deck: String,
    /// Calls at once; null: no limit.
    channels_max: Option<u32>,
    calls_per_second_max: Option<u32>,
    is_up: bool,
    /// Of two that cost the same the lower one is first.
    priority: u32,
    /// Calls given to it in the last 15 minutes.
    attempts: u64,
    answers: u64,
    /// Null while there are fewer than ten.
    answer_percent: Option<Number>,
    /// Calls that it carries now.
    running: u64,
}

impl Shown for Carrier {
    fn id(&self) -> String {
        self.id.clone()
    }
}

async fn all(ask: &Ask) -> ApiResult<Vec<Carrier>> {
    let mut quality = call_control::carrier_quality(&ask.tx, ask.now).await?;
    let shown = |carrier: call_control::Carrier| {
        let quality = quality.remove(&carrier.id).unwrap_or_default();
        Carrier {
            object: "carrier",
            id: carrier.id.to_string(),
            code: carrier.of.code,
            name: carrier.of.name,
            cost_deck: carrier.of.cost_deck.to_string(),
            channels_max: carrier.of.channels_max,
            calls_per_second_max: carrier.of.calls_per_second_max,
            is_up: carrier.of.is_up,
            priority: carrier.of.priority,
            attempts: quality.attempts,
            answers: quality.answers,
            answer_percent: quality.answer_percent().map(Number),
            running: quality.running,
        }
    };
    Ok(call_control::carriers(&ask.tx).await?.into_iter().map(shown).collect())
}

async fn find(ask: &Ask, id: CarrierId) -> ApiResult<Carrier> {
    all(ask).await?.into_iter().find(|carrier| carrier.id == id.to_string()).ok_or_else(Problem::not_found)
}

async fn carriers(ask: &Ask, _: Nothing) -> ApiResult<List<Carrier>> {
    Ok(List::whole(all(ask).await?))
}

async fn carrier(ask: &Ask, _: Nothing) -> ApiResult<One<Carrier>> {
    Ok(One(find(ask, ask.id("carrier_id")?).await?))
}

/// What broke a rule stands at its field.
pub(super) fn refused(error: CallError) -> Problem {
    match error {
        CallError::RuleBroken { field, rule, value } => {
            Problem::invalid(format!("/{field}"), "rule_broken", rule).with_value(value)
        }
        CallError::NotPriced { .. } => Problem::invalid("/called", "no_price", error.to_string()),
        other => other.into(),
    }
}

/// A carrier to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewCarrier)]
struct Creation {
    /// a-z, 0-9 and -; stays for ever.
    code: String,
    name: String,
    #[schema(value_type = String)]
    cost_deck: DeckId,
    channels_max: Option<u32>,
    calls_per_second_max: Option<u32>,
    #[serde(default = "yes")]
    is_up: bool,
    #[serde(default = "usual_priority")]
    priority: u32,
}

fn yes() -> bool {
    true
}

fn usual_priority() -> u32 {
    100
}

async fn create(ask: &Ask, Given(new): Given<Creation>) -> ApiResult<Created<Carrier>> {
    must_be_deck(ask, "/cost_deck", Some(new.cost_deck)).await?;
    let new = NewCarrier {
        code: new.code,
        name: new.name,
        cost_deck: new.cost_deck,
        channels_max: new.channels_max,
        calls_per_second_max: new.calls_per_second_max,
        is_up: new.is_up,
        priority: new.priority,
    };
    let id = call_control::create_carrier(&ask.tx, &new, ask.now).await.map_err(refused)?;
    Ok(Created(find(ask, id).await?))
}

/// A deck of another book is no deck here.
pub async fn must_be_deck(ask: &Ask, pointer: &str, id: Option<DeckId>) -> ApiResult<()> {
    match id {
        Some(id) if usage_metering::deck(&ask.tx, id).await?.is_none() => {
            Err(Problem::unknown(pointer, "rate deck", id))
        }
        _ => Ok(()),
    }
}

/// What changes; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CarrierChange {
    name: Option<String>,
    #[schema(value_type = Option<String>)]
    cost_deck: Option<DeckId>,
    /// 0: no limit.
    channels_max: Option<u32>,
    /// 0: no limit.
    calls_per_second_max: Option<u32>,
    is_up: Option<bool>,
    priority: Option<u32>,
}

async fn change(ask: &Ask, Given(change): Given<CarrierChange>) -> ApiResult<One<Carrier>> {
    let id: CarrierId = ask.id("carrier_id")?;
    let known = call_control::carrier(&ask.tx, id).await?.ok_or_else(Problem::not_found)?.of;
    ask.must_match(&find(ask, id).await?)?;
    must_be_deck(ask, "/cost_deck", change.cost_deck).await?;
    let most = |given: Option<u32>, known: Option<u32>| given.map_or(known, |most| Some(most).filter(|most| *most > 0));
    let new = NewCarrier {
        code: known.code,
        name: change.name.unwrap_or(known.name),
        cost_deck: change.cost_deck.unwrap_or(known.cost_deck),
        channels_max: most(change.channels_max, known.channels_max),
        calls_per_second_max: most(change.calls_per_second_max, known.calls_per_second_max),
        is_up: change.is_up.unwrap_or(known.is_up),
        priority: change.priority.unwrap_or(known.priority),
    };
    call_control::change_carrier(&ask.tx, id, &new).await.map_err(refused)?;
    Ok(One(find(ask, id).await?))
}

/// How calls are sold and routed.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct OutgoingRules {
    /// For customers without one of their own; null: only these may call out.
    #[schema(value_type = Option<String>)]
    sell_deck: Option<DeckId>,
    /// `refuse`, or `flag`: a call that keeps less than the margin goes out and stands in a list.
    #[schema(example = "refuse")]
    loss_guard: String,
    minimum_margin_percent: Number,
    minimum_answer_percent: Number,
}

impl Shown for OutgoingRules {}

async fn policy(ask: &Ask, _: Nothing) -> ApiResult<One<OutgoingRules>> {
    let policy = call_control::outgoing_policy(&ask.tx).await?;
    let zero = rust_decimal::Decimal::ZERO;
    Ok(One(OutgoingRules {
        sell_deck: policy.and_then(|policy| policy.sell_deck),
        loss_guard: policy.map_or(LossGuard::Refuse, |policy| policy.loss_guard).as_str().to_owned(),
        minimum_margin_percent: Number(policy.map_or(zero, |policy| policy.minimum_margin_percent)),
        minimum_answer_percent: Number(policy.map_or(zero, |policy| policy.minimum_answer_percent)),
    }))
}

async fn set_policy(ask: &Ask, Given(rules): Given<OutgoingRules>) -> ApiResult<One<OutgoingRules>> {
    let loss_guard = LossGuard::from_word(&rules.loss_guard).ok_or_else(|| {
        Problem::invalid("/loss_guard", "unknown_word", "must be one of: refuse, flag").with_value(&rules.loss_guard)
    })?;
    must_be_deck(ask, "/sell_deck", rules.sell_deck).await?;
    let policy = OutgoingPolicy {
        sell_deck: rules.sell_deck,
        loss_guard,
        minimum_margin_percent: rules.minimum_margin_percent.0,
        minimum_answer_percent: rules.minimum_answer_percent.0,
    };
    call_control::set_outgoing_policy(&ask.tx, &policy, ask.now).await.map_err(refused)?;
    Ok(One(rules))
}

/// A call that nobody makes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewTrial {
    #[schema(value_type = String)]
    customer: CustomerId,
    #[schema(example = "+491512345678")]
    called: String,
}

/// What would become of it.
#[derive(Serialize, ToSchema)]
struct RouteTrial {
    #[schema(example = "route_trial")]
    object: &'static str,
    /// Null when it would go out; else why not: `destination_closed`, `loss` ..
    refusal: Option<&'static str>,
    detail: String,
    /// Class of the destination.
    class: Option<String>,
    deck: Option<String>,
    deck_version: Option<u32>,
    prefix: Option<String>,
    destination: Option<String>,
    /// Per minute, tax included, and without it.
    rate: Option<Number>,
    net_rate: Option<Number>,
    /// In the order in which they would be tried.
    routes: Vec<Offer>,
    refused: Vec<RefusedOffer>,
}

/// A way out.
#[derive(Serialize, ToSchema)]
#[schema(as = RouteOffer)]
struct Offer {
    /// The carrier's code, or `seller`.
    carrier: String,
    prefix: String,
    /// Per minute, without tax.
    rate: Number,
    margin_percent: Option<Number>,
}

/// A carrier that may not take it.
#[derive(Serialize, ToSchema)]
#[schema(as = RefusedRoute)]
struct RefusedOffer {
    carrier: String,
    /// `down`, `margin`, `quality` ..
    #[schema(value_type = String)]
    reason: call_control::RouteRefusal,
    detail: String,
}

impl Shown for RouteTrial {}

async fn trial(ask: &Ask, Given(new): Given<NewTrial>) -> ApiResult<One<RouteTrial>> {
    super::customers::named(&ask.tx, new.customer, "/customer").await?;
    let (db, book) = (&ask.app.db, ask.client.tenant_id);
    let tried = call_control::try_route(db, book, new.customer, &new.called, ask.now).await.map_err(refused)?;
    Ok(One(shown(tried.decision)))
}

fn shown(decision: Decision) -> RouteTrial {
    let sold = decision.sold;
    let offers = decision.routes.offers.into_iter().map(|offer| Offer {
        carrier: offer.code,
        prefix: offer.prefix,
        rate: Number(offer.rate.round_dp(6)),
        margin_percent: offer.margin_percent.map(Number),
    });
    let refused = decision.routes.refused.into_iter().map(|refused| RefusedOffer {
        carrier: refused.code,
        reason: refused.reason,
        detail: refused.detail,
    });
    RouteTrial {
        object: "route_trial",
        refusal: decision.refusal.map(call_control::OutgoingRefusal::as_str),
        detail: decision.detail,
        class: decision.class,
        deck: sold.as_ref().map(|sold| sold.deck_id.to_string()),
        deck_version: sold.as_ref().map(|sold| sold.version),
        prefix: sold.as_ref().map(|sold| sold.prefix.clone()),
        destination: sold.as_ref().map(|sold| sold.destination.clone()),
        rate: sold.as_ref().map(|sold| Number(sold.rate)),
        net_rate: sold.as_ref().map(|sold| Number(sold.net_rate.round_dp(6))),
        routes: offers.collect(),
        refused: refused.collect(),
    }
}
