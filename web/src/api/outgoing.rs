//! Calls that went out, told when they are over; what customers may spend on them, and which destinations are open.

use super::body::Text;
use super::carriers::refused;
use super::list::{self, List};
use super::problem::{ApiResult, Problem};
use super::route::{Ask, Asked, Created, Given, Nothing, One, Route, Shown, delete, get, post, put};
use super::shapes::{self, Amount, amount};
use call_control::{DestinationClass, FinishedOutgoing, LimitOf, SpendLimit};
use chrono::{DateTime, Utc};
use db::{AgentId, CallId, CustomerId, DeckId};
use money::{Currency, Money};
use serde::{Deserialize, Serialize};
use tenant::ScopeGroup;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

pub fn routes() -> Vec<Route> {
    let group = ScopeGroup::Routes;
    vec![
        post("/v1/outgoing-calls", group, "Tell of a call out that is over: it is charged and routed", finished),
        get("/v1/outgoing-limits", group, "Read what everybody may spend on calls out", limits),
        put("/v1/outgoing-limits", group, "Set what everybody may spend on calls out", set_limits),
        get("/v1/customers/{customer_id}/outgoing-limits", group, "Read what a customer may spend", customer_limits),
        put("/v1/customers/{customer_id}/outgoing-limits", group, "Set what a customer may spend", set_customer_limits),
        delete(
            "/v1/customers/{customer_id}/outgoing-limits",
            group,
            "Let those for everybody hold",
            drop_customer_limits,
        ),
        get("/v1/destination-classes", group, "List classes of destinations", classes),
        put("/v1/destination-classes/{code}", group, "Set a class of destinations", set_class),
        put(
            "/v1/customers/{customer_id}/destinations/{code}",
            group,
            "Open or close a class for a customer",
            set_destination,
        ),
        get("/v1/spend-alerts", group, "List what reached a limit, the newest first", alerts),
    ]
}

/// A call out that is over.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct FinishedCall {
    /// A UUID that names it for good: the same call again is one call.
    #[schema(value_type = String, example = "01a3f0e2-8f6e-7cc4-98b1-3a1f2f7a2a10")]
    call_id: Uuid,
    #[schema(value_type = String)]
    customer: CustomerId,
    /// One of your numbers.
    #[schema(example = "+493023125014")]
    from: String,
    #[schema(example = "+491512345678")]
    called: String,
    /// Code of the carrier of yours that took it; without one, whom the routing of its start would have chosen.
    carrier: Option<String>,
    #[schema(value_type = Option<String>)]
    agent: Option<AgentId>,
    started_at: DateTime<Utc>,
    /// Null: nobody answered.
    answered_at: Option<DateTime<Utc>>,
    ended_at: DateTime<Utc>,
    /// From the answer to the end when left out.
    metered_ms: Option<u64>,
}

/// What became of it.
#[derive(Serialize, ToSchema)]
struct OutgoingCall {
    #[schema(example = "outgoing_call")]
    object: &'static str,
    /// The call; everything else is at `/v1/calls`.
    id: String,
    /// False when it was told before: nothing changed.
    is_new: bool,
    charge: Option<Amount>,
    /// A limit that it went over.
    over_limit: Option<&'static str>,
    over_detail: Option<String>,
}

impl Shown for OutgoingCall {
    fn id(&self) -> String {
        self.id.clone()
    }
}

async fn finished(ask: &Ask, Given(call): Given<FinishedCall>) -> ApiResult<Created<OutgoingCall>> {
    super::customers::named(&ask.tx, call.customer, "/customer").await?;
    if call.answered_at.is_some_and(|at| at < call.started_at || at > call.ended_at) {
        return Err(Problem::invalid("/answered_at", "must_lie_between", "must lie between start and end"));
    }
    let talked = call.answered_at.map_or(0, |at| (call.ended_at - at).num_milliseconds().max(0).unsigned_abs());
    let metered_ms = call.metered_ms.unwrap_or(talked);
    if metered_ms > talked {
        let rule = "must not be longer than from the answer to the end";
        return Err(Problem::invalid("/metered_ms", "must_not_exceed", rule).with_value(metered_ms.to_string()));
    }
    let id = CallId::from_uuid(call.call_id);
    let call = FinishedOutgoing {
        call_id: id,
        customer_id: call.customer,
        from: call.from,
        called: call.called,
        carrier: call.carrier,
        agent_id: call.agent,
        started_at: call.started_at,
        answered_at: call.answered_at,
        ended_at: call.ended_at,
        metered_ms,
    };
    // In transactions of its own: each book that the call concerns has one.
    let (db, book) = (&ask.app.db, ask.client.tenant_id);
    let settled = call_control::settle_outgoing(db, book, &call, ask.now).await.map_err(refused)?;
    let detail = call_control::call(&ask.tx, id).await?;
    Ok(Created(OutgoingCall {
        object: "outgoing_call",
        id: id.to_string(),
        is_new: settled.is_new,
        charge: amount(detail.call.charge),
        over_limit: settled.over.as_ref().map(|(limit, _)| limit.as_str()),
        over_detail: settled.over.map(|(_, detail)| detail),
    }))
}

async fn must_be_customer(ask: &Ask, id: CustomerId) -> ApiResult<Currency> {
    let customer = subscription::customer(&ask.tx, id).await?.ok_or_else(Problem::not_found)?;
    Ok(customer.currency)
}

/// What somebody may spend on calls out; null: no limit.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct OutgoingLimits {
    /// May call out at all.
    is_open: bool,
    /// Instead of the book's.
    #[schema(value_type = Option<String>)]
    sell_deck: Option<DeckId>,
    #[schema(value_type = Option<shapes::Amount>)]
    call_limit: Option<Money>,
    #[schema(value_type = Option<shapes::Amount>)]
    hour_limit: Option<Money>,
    #[schema(value_type = Option<shapes::Amount>)]
    day_limit: Option<Money>,
    calls_at_once_max: Option<u32>,
}

impl Shown for OutgoingLimits {}

fn limits_of(limit: &SpendLimit, currency: Currency) -> OutgoingLimits {
    let money = |micros: Option<i64>| micros.map(|micros| Money::from_micros(micros, currency));
    OutgoingLimits {
        is_open: limit.is_open,
        sell_deck: limit.sell_deck,
        call_limit: money(limit.call_micros),
        hour_limit: money(limit.hour_micros),
        day_limit: money(limit.day_micros),
        calls_at_once_max: limit.calls_at_once_max,
    }
}

impl OutgoingLimits {
    async fn read(&self, ask: &Ask, currency: Currency) -> ApiResult<SpendLimit> {
        super::carriers::must_be_deck(ask, "/sell_deck", self.sell_deck).await?;
        let micros = |field: &str, amount: Option<Money>| match amount {
            Some(amount) if amount.currency() != currency => {
                let rule = format!("must be in {}", currency.code());
                Err(Problem::invalid(format!("/{field}"), "must_match_currency", rule)
                    .with_value(amount.format_plain()))
            }
            amount => Ok(amount.map(|amount| amount.micros())),
        };
        Ok(SpendLimit {
            is_open: self.is_open,
            sell_deck: self.sell_deck,
            call_micros: micros("call_limit", self.call_limit)?,
            hour_micros: micros("hour_limit", self.hour_limit)?,
            day_micros: micros("day_limit", self.day_limit)?,
            calls_at_once_max: self.calls_at_once_max,
        })
    }
}

async fn own_currency(ask: &Ask) -> ApiResult<Currency> {
    Ok(tenant::organisation(&ask.tx).await?.currency)
}

async fn limits(ask: &Ask, _: Nothing) -> ApiResult<One<OutgoingLimits>> {
    let limit = call_control::usual_spend_limit(&ask.tx).await?;
    Ok(One(limits_of(&limit, own_currency(ask).await?)))
}

async fn set_limits(ask: &Ask, Given(limits): Given<OutgoingLimits>) -> ApiResult<One<OutgoingLimits>> {
    let limit = limits.read(ask, own_currency(ask).await?).await?;
    call_control::set_spend_limit(&ask.tx, LimitOf::Everybody, Some(&limit), ask.now).await.map_err(refused)?;
    Ok(One(limits))
}

async fn customer_limits(ask: &Ask, _: Nothing) -> ApiResult<One<OutgoingLimits>> {
    let id = ask.id("customer_id")?;
    let currency = must_be_customer(ask, id).await?;
    Ok(One(limits_of(&call_control::spend_limit_of(&ask.tx, id).await?, currency)))
}

async fn set_customer_limits(ask: &Ask, Given(limits): Given<OutgoingLimits>) -> ApiResult<One<OutgoingLimits>> {
    let id = ask.id("customer_id")?;
    let limit = limits.read(ask, must_be_customer(ask, id).await?).await?;
    call_control::set_spend_limit(&ask.tx, LimitOf::One(id), Some(&limit), ask.now).await.map_err(refused)?;
    Ok(One(limits))
}

async fn drop_customer_limits(ask: &Ask, _: Nothing) -> ApiResult<One<OutgoingLimits>> {
    let id = ask.id("customer_id")?;
    let currency = must_be_customer(ask, id).await?;
    call_control::set_spend_limit(&ask.tx, LimitOf::One(id), None, ask.now).await.map_err(refused)?;
    Ok(One(limits_of(&call_control::spend_limit_of(&ask.tx, id).await?, currency)))
}

/// Prefixes that are looked at apart.
#[derive(Serialize, ToSchema)]
#[schema(as = DestinationClass)]
struct Class {
    #[schema(example = "satellite")]
    code: String,
    name: String,
    prefixes: Vec<String>,
    /// For everybody; else only for customers for whom it was opened.
    is_open: bool,
    /// For one customer in a day.
    day_limit: Option<Amount>,
}

impl Shown for Class {
    fn id(&self) -> String {
        self.code.clone()
    }
}

fn class_of(class: DestinationClass, currency: Currency) -> Class {
    let day_limit = amount(class.day_limit(currency));
    Class { code: class.code, name: class.name, prefixes: class.prefixes, is_open: class.is_open, day_limit }
}

async fn classes(ask: &Ask, _: Nothing) -> ApiResult<List<Class>> {
    let currency = own_currency(ask).await?;
    let classes = call_control::destination_classes(&ask.tx).await?;
    Ok(List::whole(classes.into_iter().map(|class| class_of(class, currency)).collect()))
}

/// A class as it shall be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ClassSetting {
    name: String,
    prefixes: Vec<String>,
    is_open: bool,
    #[schema(value_type = Option<shapes::Amount>)]
    day_limit: Option<Money>,
}

async fn set_class(ask: &Ask, Given(setting): Given<ClassSetting>) -> ApiResult<One<Class>> {
    let currency = own_currency(ask).await?;
    if let Some(other) = setting.day_limit.filter(|amount| amount.currency() != currency) {
        let rule = format!("must be in {}", currency.code());
        return Err(Problem::invalid("/day_limit", "must_match_currency", rule).with_value(other.format_plain()));
    }
    let class = DestinationClass {
        code: ask.id("code")?,
        name: setting.name,
        prefixes: setting.prefixes,
        is_open: setting.is_open,
        day_micros: setting.day_limit.map(|amount| amount.micros()),
    };
    call_control::set_destination_class(&ask.tx, &class, ask.now).await.map_err(refused)?;
    Ok(One(class_of(class, currency)))
}

/// For one customer; null: as for everybody.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DestinationSetting {
    is_open: Option<bool>,
}

impl Shown for DestinationSetting {}

async fn set_destination(ask: &Ask, Given(setting): Given<DestinationSetting>) -> ApiResult<One<DestinationSetting>> {
    let (id, code): (CustomerId, String) = (ask.id("customer_id")?, ask.id("code")?);
    must_be_customer(ask, id).await?;
    let by = ask.actor();
    call_control::set_customer_destination(&ask.tx, id, &code, setting.is_open, &by, ask.now).await.map_err(refused)?;
    Ok(One(setting))
}

/// What reached a limit: once for each customer, limit and hour.
#[derive(Serialize, ToSchema)]
#[schema(as = SpendAlert)]
struct Alert {
    customer: String,
    /// `destination_closed`, `hour_limit`, `loss` ..
    guard: String,
    at: DateTime<Utc>,
    call: String,
    detail: String,
}

impl Shown for Alert {}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct AlertsAsked {
    #[param(value_type = Option<String>)]
    customer: Option<Text<CustomerId>>,
    /// 1 to 100; 50 when left out.
    #[param(value_type = Option<u32>)]
    limit: Option<Text<u32>>,
}

async fn alerts(ask: &Ask, Asked(asked): Asked<AlertsAsked>) -> ApiResult<List<Alert>> {
    let limit = list::limit(asked.limit)?;
    let alerts = call_control::spend_alerts(&ask.tx, asked.customer.map(|id| id.0), limit).await?;
    let alert = |alert: call_control::SpendAlert| Alert {
        customer: alert.customer_id.to_string(),
        guard: alert.guard,
        at: alert.at,
        call: alert.call_id.to_string(),
        detail: alert.detail,
    };
    Ok(List::whole(alerts.into_iter().map(alert).collect()))
}
