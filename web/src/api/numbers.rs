//! Numbers and their topics where calls arrive; and, for who sells numbers, taking one in and giving it to an organisation below.

use super::estimates::Newest;
use super::list::{self, List};
use super::problem::{ApiResult, Problem};
use super::route::{Ask, Asked, Created, Given, Nothing, One, Route, Shown, delete, get, patch, post, put};
use super::shapes;
use crate::numbers_sold::{self, NewAssignment};
use actix_web::http::StatusCode;
use chrono::NaiveDate;
use db::{CustomerId, NumberId, TariffId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use subscription::{MeterStarts, NewTopic, NumberKind, NumberSetting, SubscriptionError, UnknownCallers};
use tenant::ScopeGroup;
use utoipa::ToSchema;

pub fn routes() -> Vec<Route> {
    let group = ScopeGroup::Catalogue;
    vec![
        get("/v1/numbers", group, "List numbers: your own, and those sold to organisations below", numbers),
        post("/v1/numbers", group, "Take a number into your hands, to be sold", add),
        get("/v1/numbers/{number_id}", group, "Read a number with its topics", number),
        patch("/v1/numbers/{number_id}", group, "Say how your number answers", change),
        put(
            "/v1/numbers/{number_id}/topics/{digit}",
            group,
            "Set what a digit offers, from the next call on",
            set_topic,
        ),
        delete("/v1/numbers/{number_id}/topics/{digit}", group, "Take a topic away; its calls keep it", remove_topic),
        post(
            "/v1/numbers/{number_id}/assignments",
            group,
            "Give a number to an organisation directly below, from a day on",
            assign,
        ),
    ]
}

/// A number of this organisation, or one that it sells.
#[derive(Serialize, ToSchema)]
#[schema(as = PhoneNumber)]
struct NumberView {
    #[schema(example = "number")]
    object: &'static str,
    id: String,
    #[schema(example = "+493055514002")]
    e164: String,
    #[schema(schema_with = shapes::number_kind)]
    kind: &'static str,
    /// Calls to it are this organisation's now.
    is_own: bool,
    /// The customer of this book that it is sold to; null where it is sold to nobody.
    sold_to: Option<String>,
    /// Of your own: what you call it.
    label: Option<String>,
    /// Of your own: language of its prompts.
    language: Option<String>,
    /// Of your own: what becomes of a caller whose number no customer has; `ask_pin` or `refuse`.
    unknown_callers: Option<&'static str>,
    /// Of your own: what callers choose from, by digit.
    topics: Vec<Topic>,
}

/// A choice of a number.
#[derive(Clone, Serialize, ToSchema)]
struct Topic {
    #[schema(example = "topic")]
    object: &'static str,
    id: String,
    number: String,
    /// 0 to 9.
    digit: u8,
    name: String,
    /// Id of the version of a tariff that it costs by.
    tariff: String,
    #[schema(schema_with = shapes::meter_starts)]
    meter_starts: &'static str,
}

impl Shown for NumberView {
    fn id(&self) -> String {
        self.id.clone()
    }
}

impl Shown for Topic {
    fn id(&self) -> String {
        self.id.clone()
    }
}

impl From<&subscription::Topic> for Topic {
    fn from(of: &subscription::Topic) -> Self {
        Self {
            object: "topic",
            id: of.id.to_string(),
            number: of.number_id.to_string(),
            digit: of.digit,
            name: of.name.clone(),
            tariff: of.tariff_id.to_string(),
            meter_starts: of.meter_starts.as_str(),
        }
    }
}

fn own(of: subscription::Number) -> NumberView {
    NumberView {
        object: "number",
        id: of.id.to_string(),
        kind: of.kind.as_str(),
        is_own: true,
        sold_to: None,
        label: Some(of.label),
        language: Some(of.language),
        unknown_callers: Some(of.unknown_callers.as_str()),
        topics: of.topics.iter().map(Topic::from).collect(),
        e164: of.e164,
    }
}

/// Every number that this book has to do with, by itself.
async fn all(ask: &Ask) -> ApiResult<BTreeMap<String, NumberView>> {
    let mut all = BTreeMap::new();
    for number in subscription::numbers(&ask.tx, ask.now).await? {
        all.insert(number.e164.clone(), own(number));
    }
    let terms = subscription::all_number_terms(&ask.tx).await?;
    let known = if terms.is_empty() { Default::default() } else { numbers_sold::known(&ask.app, ask.now).await? };
    for terms in terms {
        let Some((e164, kind)) = known.get(&terms.number_id) else { continue };
        let sold = all.entry(e164.clone()).or_insert_with(|| NumberView {
            object: "number",
            id: terms.number_id.to_string(),
            e164: e164.clone(),
            kind: kind.as_str(),
            is_own: false,
            sold_to: None,
            label: None,
            language: None,
            unknown_callers: None,
            topics: Vec::new(),
        });
        sold.sold_to = Some(terms.customer_id.to_string());
    }
    Ok(all)
}

async fn numbers(ask: &Ask, Asked(asked): Asked<Newest>) -> ApiResult<List<NumberView>> {
    let limit = list::limit(asked.limit)?;
    let after: String = list::after(asked.starting_after.as_deref())?.unwrap_or_default();
    let found = all(ask).await?.into_values().filter(|number| number.e164 > after).collect();
    let (found, next) = list::cut(found, limit, |last: &NumberView| list::place(&last.e164));
    Ok(List::page(found, next))
}

async fn find(ask: &Ask, id: NumberId) -> ApiResult<NumberView> {
    let id = id.to_string();
    all(ask).await?.into_values().find(|number| number.id == id).ok_or_else(Problem::not_found)
}

async fn number(ask: &Ask, _: Nothing) -> ApiResult<One<NumberView>> {
    Ok(One(find(ask, ask.id("number_id")?).await?))
}

/// The number where calls arrive: what is sold to somebody below is set up there.
async fn find_own(ask: &Ask) -> ApiResult<subscription::Number> {
    subscription::number(&ask.tx, ask.id("number_id")?, ask.now).await?.ok_or_else(Problem::not_found)
}

/// How a number is to answer; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NumberChange {
    label: Option<String>,
    #[schema(example = "de")]
    language: Option<String>,
    #[schema(schema_with = shapes::unknown_callers)]
    unknown_callers: Option<UnknownCallers>,
}

async fn change(ask: &Ask, Given(given): Given<NumberChange>) -> ApiResult<One<NumberView>> {
    let is = find_own(ask).await?;
    ask.must_match(&find(ask, is.id).await?)?;
    let setting = NumberSetting {
        number_id: is.id,
        label: given.label.unwrap_or(is.label),
        language: given.language.unwrap_or(is.language),
        unknown_callers: given.unknown_callers.unwrap_or(is.unknown_callers),
    };
    subscription::set_number(&ask.tx, &setting).await?;
    Ok(One(find(ask, is.id).await?))
}

/// What a digit is to offer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TopicSetting {
    name: String,
    /// A version of a tariff.
    #[schema(value_type = String)]
    tariff: TariffId,
    /// When the meter starts: with the agent when left out, or with the choice, where music or a recording is the service.
    #[schema(schema_with = shapes::meter_starts)]
    meter_starts: Option<MeterStarts>,
}

/// The digit in the path. What is none is no topic.
fn digit(ask: &Ask) -> ApiResult<u8> {
    let digit: u8 = ask.id("digit")?;
    if digit > 9 { Err(Problem::not_found()) } else { Ok(digit) }
}

async fn set_topic(ask: &Ask, Given(given): Given<TopicSetting>) -> ApiResult<One<Topic>> {
    let number = find_own(ask).await?;
    let digit = digit(ask)?;
    let is = number.topics.iter().find(|topic| topic.digit == digit);
    match is {
        Some(is) => ask.must_match(&Topic::from(is))?,
        None => ask.must_match(&())?,
    }
    // A number that nobody has set up answers as it is shown.
    let setting = NumberSetting {
        number_id: number.id,
        label: number.label.clone(),
        language: number.language.clone(),
        unknown_callers: number.unknown_callers,
    };
    subscription::set_number(&ask.tx, &setting).await?;
    let new = NewTopic {
        number_id: number.id,
        digit,
        name: given.name,
        tariff_id: given.tariff,
        meter_starts: given.meter_starts.or(is.map(|is| is.meter_starts)).unwrap_or(MeterStarts::AgentJoined),
    };
    subscription::set_topic(&ask.tx, &new, ask.now).await?;
    let set = subscription::topic(&ask.tx, number.id, digit).await?.ok_or_else(Problem::not_found)?;
    Ok(One(Topic::from(&set)))
}

async fn remove_topic(ask: &Ask, _: Nothing) -> ApiResult<One<Topic>> {
    let number = find_own(ask).await?;
    let digit = digit(ask)?;
    let is = number.topics.iter().find(|topic| topic.digit == digit).ok_or_else(Problem::not_found)?;
    ask.must_match(&Topic::from(is))?;
    subscription::remove_topic(&ask.tx, is.id, ask.now).await?;
    Ok(One(Topic::from(is)))
}

/// Only who has organisations below takes numbers in and gives them out.
async fn must_sell(ask: &Ask) -> ApiResult<()> {
    if numbers_sold::sells(tenant::organisation(&ask.tx).await?.kind) {
        return Ok(());
    }
    Err(Problem::new(StatusCode::FORBIDDEN, "sellers_only", "Numbers are given out by the operator and by resellers."))
}

/// A number to be taken in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewNumber {
    /// + and 4 to 15 digits.
    #[schema(example = "+493055514002")]
    e164: String,
    #[schema(schema_with = shapes::number_kind)]
    kind: NumberKind,
    /// The first day on which it is yours; today when left out.
    since: Option<NaiveDate>,
}

async fn add(ask: &Ask, Given(given): Given<NewNumber>) -> ApiResult<Created<NumberView>> {
    must_sell(ask).await?;
    let new = numbers_sold::NewNumber { e164: given.e164, kind: given.kind, since: given.since };
    let id = numbers_sold::add(&ask.app, &ask.tx, &new, ask.now).await?;
    Ok(Created(find(ask, id).await?))
}

/// Who is to have a number.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Assignment {
    /// A customer that is an organisation directly below.
    #[schema(value_type = String)]
    customer: CustomerId,
    /// Its first day there, in your time zone; today is from this instant on.
    from: NaiveDate,
}

async fn assign(ask: &Ask, Given(given): Given<Assignment>) -> ApiResult<Created<NumberView>> {
    must_sell(ask).await?;
    let number_id = ask.id("number_id")?;
    super::customers::find(&ask.tx, given.customer).await?;
    let new = NewAssignment { number_id, customer_id: given.customer, from: given.from };
    numbers_sold::assign(&ask.app, &ask.tx, &new, ask.now).await.map_err(|error| match error {
        SubscriptionError::NotFound { kind: "number", .. } => Problem::not_found(),
        other => other.into(),
    })?;
    Ok(Created(find(ask, number_id).await?))
}
