//! Calls, and why each cost what it cost.

use super::body::{Number, Text};
use super::list::{self, At, List};
use super::problem::ApiResult;
use super::route::{Ask, Asked, Nothing, One, Route, Shown, get};
use super::shapes::{self, Amount, Term, amount, terms};
use super::usage::must_be_span;
use call_control::{CallDetail, CallExplanation, CallFilter, CallState, ChargedBy, PricedBy};
use chrono::{DateTime, TimeDelta, Utc};
use db::{AgentId, CallId, CustomerId, NumberId, TopicId};
use serde::{Deserialize, Serialize};
use tenant::ScopeGroup;
use utoipa::{IntoParams, ToSchema};

/// When nothing is said, calls of this many days.
const DAYS_DEFAULT: i64 = 30;

pub fn routes() -> Vec<Route> {
    let group = ScopeGroup::Calls;
    vec![
        get("/v1/calls", group, "List calls, the newest first", calls),
        get("/v1/calls/{call_id}", group, "Read a call with the derivation of its price", call),
    ]
}

/// A call.
#[derive(Serialize, ToSchema)]
struct Call {
    #[schema(example = "call")]
    object: &'static str,
    id: String,
    started_at: DateTime<Utc>,
    answered_at: Option<DateTime<Utc>>,
    /// From here on it is charged.
    meter_started_at: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
    #[schema(schema_with = shapes::call_state)]
    state: &'static str,
    /// `caller_hung_up`, `refused:no_credit` ..
    end_cause: Option<String>,
    /// E.164
    called: String,
    /// `inbound`, or `outbound`: then `called` is anybody's number and `caller` the book's own.
    direction: &'static str,
    /// E.164; null when withheld.
    caller: Option<String>,
    number: String,
    customer: Option<String>,
    topic: Option<String>,
    topic_name: Option<String>,
    digit: Option<u8>,
    agent: Option<String>,
    handled_by: Option<String>,
    metered_seconds: u32,
    /// After free seconds and increments; null when it was never metered.
    billed_seconds: Option<u32>,
    /// The end was reckoned from the last sign of life.
    is_estimated: bool,
    #[schema(schema_with = shapes::charged_by)]
    charged_by: Option<&'static str>,
    tariff: Option<String>,
    subscription: Option<String>,
    component_key: Option<String>,
    /// Tax included; null where no tariff charges it.
    charge: Option<Amount>,
    net: Option<Amount>,
    tax_percent: Option<Number>,
    settled_at: Option<DateTime<Utc>>,
}

impl Shown for Call {}

impl From<call_control::Call> for Call {
    fn from(of: call_control::Call) -> Self {
        Self {
            object: "call",
            id: of.id.to_string(),
            started_at: of.started_at,
            answered_at: of.answered_at,
            meter_started_at: of.meter_started_at,
            ended_at: of.ended_at,
            state: of.state.as_str(),
            end_cause: of.end_cause,
            called: of.called,
            direction: if of.is_outgoing { "outbound" } else { "inbound" },
            caller: of.caller,
            number: of.number_id.to_string(),
            customer: of.customer_id.map(|id| id.to_string()),
            topic: of.topic_id.map(|id| id.to_string()),
            topic_name: of.topic_name,
            digit: of.digit,
            agent: of.agent_id.map(|id| id.to_string()),
            handled_by: of.handled_by,
            metered_seconds: of.metered_seconds,
            billed_seconds: of.billed_seconds,
            is_estimated: of.is_estimated,
            charged_by: of.charged_by.map(ChargedBy::as_str),
            tariff: of.tariff_id.map(|id| id.to_string()),
            subscription: of.subscription_id.map(|id| id.to_string()),
            component_key: of.component_key,
            charge: amount(of.charge),
            net: amount(of.net),
            tax_percent: of.tax_percent.map(Number),
            settled_at: of.settled_at,
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct ListAsked {
    /// 1 to 100; 50 when left out.
    #[param(value_type = Option<u32>)]
    limit: Option<Text<u32>>,
    /// The `next` of the page before.
    starting_after: Option<String>,
    /// Calls that started at this instant or later (RFC 3339); 30 days before `to` when left out.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Text<DateTime<Utc>>>,
    /// Calls that started before this instant; now when left out.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Text<DateTime<Utc>>>,
    #[param(value_type = Option<String>)]
    customer: Option<Text<CustomerId>>,
    #[param(value_type = Option<String>)]
    topic: Option<Text<TopicId>>,
    #[param(value_type = Option<String>)]
    agent: Option<Text<AgentId>>,
    #[param(value_type = Option<String>)]
    number: Option<Text<NumberId>>,
    #[param(schema_with = shapes::call_state)]
    state: Option<Word<CallState>>,
    #[param(schema_with = shapes::charged_by)]
    charged_by: Option<Word<ChargedBy>>,
}

/// One of an enum's words.
struct Word<T>(T);

macro_rules! word_of {
    ($($of:ty),*) => {$(
        impl<'de> Deserialize<'de> for Word<$of> {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = String::deserialize(deserializer)?;
                <$of>::from_word(&word).map(Word).ok_or_else(|| serde::de::Error::unknown_variant(&word, &[]))
            }
        }
    )*};
}
word_of!(CallState, ChargedBy);

async fn calls(ask: &Ask, Asked(asked): Asked<ListAsked>) -> ApiResult<List<Call>> {
    let to = asked.to.map_or(ask.now + TimeDelta::seconds(1), |to| to.0);
    let from = asked.from.map_or(to - TimeDelta::days(DAYS_DEFAULT), |from| from.0);
    must_be_span(from, to)?;
    let filter = CallFilter {
        customer: asked.customer.map(|id| id.0),
        topic: asked.topic.map(|id| id.0),
        agent: asked.agent.map(|id| id.0),
        number: asked.number.map(|id| id.0),
        state: asked.state.map(|state| state.0),
        charged_by: asked.charged_by.map(|by| by.0),
        after: list::after::<At<CallId>>(asked.starting_after.as_deref())?.map(|At(at, id)| (at, id)),
        limit: list::limit(asked.limit)?,
        ..CallFilter::between(from, to)
    };
    let (calls, next) = call_control::calls_without_totals(&ask.tx, &filter).await?;
    Ok(List::page(calls.into_iter().map(Call::from).collect(), next.map(|(at, id)| list::place(At(at, id)))))
}

/// A call with everything that its book knows of it.
#[derive(Serialize, ToSchema)]
struct OpenedCall {
    #[serde(flatten)]
    call: Call,
    /// Null before the call is settled, and for one that was never metered.
    explanation: Option<Derivation>,
    /// What this book sells the call for.
    legs: Vec<Leg>,
    /// What it costs this book, to its seller or a carrier.
    costs: Vec<Leg>,
    /// Net charge less the costs that are known.
    margin: Option<Amount>,
    /// Differences to the settled call.
    corrections: Vec<Correction>,
    events: Vec<Event>,
}

impl Shown for OpenedCall {}

/// Why it cost what it cost.
#[derive(Serialize, ToSchema)]
struct Derivation {
    /// Whose price it was: the tariff of its topic, a component of a plan, or nobody's.
    #[schema(schema_with = shapes::charged_by)]
    priced_by: &'static str,
    /// The tariff or the component.
    price: String,
    /// Version of the tariff or of the plan.
    version: Option<u32>,
    metered_seconds: u32,
    billed_seconds: u32,
    /// The terms of the sum.
    sum: Vec<Term>,
    /// `micros` or `minor`: what the charge is rounded to, once, half away from zero.
    rounded_to: String,
    /// Inside the charge.
    tax: Option<TaxInside>,
    /// What the wallet could not pay, in main units.
    unpaid: Option<Number>,
}

/// Tax inside a charge: gross = net + tax.
#[derive(Serialize, ToSchema)]
struct TaxInside {
    percent: Number,
    gross: Number,
    net: Number,
    tax: Number,
}

/// A level's part of the call.
#[derive(Serialize, ToSchema)]
struct Leg {
    kind: String,
    customer: Option<String>,
    quantity_seconds: Option<u32>,
    /// Null: a price over the whole period decides at its end.
    amount: Option<Amount>,
    share_percent: Option<Number>,
    detail: String,
    settled_at: DateTime<Utc>,
}

/// A difference to a settled call.
#[derive(Serialize, ToSchema)]
struct Correction {
    at: DateTime<Utc>,
    amount: Amount,
    reason: String,
}

/// A moment of the call.
#[derive(Serialize, ToSchema)]
struct Event {
    kind: String,
    seq: u32,
    at: DateTime<Utc>,
    #[schema(value_type = Object)]
    detail: serde_json::Value,
}

async fn call(ask: &Ask, _: Nothing) -> ApiResult<One<OpenedCall>> {
    Ok(One(opened(call_control::call(&ask.tx, ask.id("call_id")?).await?)))
}

fn opened(detail: CallDetail) -> OpenedCall {
    let legs = detail.legs.into_iter().map(|leg| Leg {
        kind: leg.kind,
        customer: leg.customer_id.map(|id| id.to_string()),
        quantity_seconds: Some(leg.quantity_seconds),
        amount: amount(leg.amount),
        share_percent: leg.share_percent.map(Number),
        detail: leg.detail,
        settled_at: leg.settled_at,
    });
    let costs = detail.costs.into_iter().map(|cost| Leg {
        kind: cost.kind,
        customer: None,
        quantity_seconds: None,
        amount: amount(cost.amount),
        share_percent: cost.share_percent.map(Number),
        detail: cost.detail,
        settled_at: cost.settled_at,
    });
    let corrections = detail.corrections.into_iter();
    let events = detail.events.into_iter();
    OpenedCall {
        explanation: detail.explanation.as_ref().map(derivation),
        legs: legs.collect(),
        costs: costs.collect(),
        margin: amount(detail.margin),
        corrections: corrections
            .map(|correction| Correction {
                at: correction.at,
                amount: correction.amount.into(),
                reason: correction.reason,
            })
            .collect(),
        events: events
            .map(|event| Event { kind: event.kind, seq: event.seq, at: event.at, detail: event.detail })
            .collect(),
        call: detail.call.into(),
    }
}

fn derivation(of: &CallExplanation) -> Derivation {
    let (priced_by, price, version) = match &of.priced_by {
        PricedBy::Tariff { tariff, version, .. } => (ChargedBy::Tariff, tariff.clone(), Some(*version)),
        PricedBy::Deck { deck, version, .. } => (ChargedBy::Tariff, deck.clone(), Some(*version)),
        PricedBy::Component { component, plan, plan_version, .. } => {
            (ChargedBy::Component, format!("{component} of {plan}"), Some(*plan_version))
        }
        PricedBy::Nothing { reason } => (ChargedBy::Nothing, reason.clone(), None),
    };
    let tax = of.tax.as_ref().map(|tax| TaxInside {
        percent: Number(tax.percent),
        gross: Number(tax.gross),
        net: Number(tax.net),
        tax: Number(tax.tax),
    });
    Derivation {
        priced_by: priced_by.as_str(),
        price,
        version,
        metered_seconds: of.metered_seconds,
        billed_seconds: of.billed_seconds,
        sum: terms(&of.sum),
        rounded_to: of.rounded_to.clone(),
        tax,
        unpaid: of.unpaid.map(Number),
    }
}
