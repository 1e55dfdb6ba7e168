//! Tariffs: what a minute with a person costs. A tariff is published under a name, version by version, and never changes.

use super::body::Text;
use super::estimates::Newest;
use super::list::{self, List};
use super::problem::{ApiResult, Problem};
use super::route::{Ask, Asked, Created, Given, Nothing, One, Route, Shown, get, post, reckon};
use super::shapes::{self, Amount};
use chrono::{DateTime, Utc};
use db::TariffId;
use money::Currency;
use pricing::CompiledTariff;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::cmp::Reverse;
use std::str::FromStr;
use subscription::StoredTariff;
use tenant::ScopeGroup;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

pub fn routes() -> Vec<Route> {
    let group = ScopeGroup::Catalogue;
    vec![
        get("/v1/tariffs", group, "List tariffs by name, of each the newest version first", tariffs),
        post("/v1/tariffs", group, "Publish a tariff, or the next version of its name", publish),
        reckon("/v1/tariff-previews", group, "What calls would cost by a tariff", preview),
        get("/v1/tariffs/{tariff_id}", group, "Read one version of a tariff", tariff),
    ]
}

/// The price of a call as a document: the pricing crate reads it strictly.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct TariffTerms(Value);

impl TariffTerms {
    /// Every field that it may have, for its shape alone: of `rate` and `steps` one is given.
    fn sample() -> Value {
        let step = json!({ "from_second": 1, "rate": "0.50", "increment": 1 });
        json!({
            "connection": "5.00", "per": "minute", "rate": "0.50", "steps": [step], "first_increment": 60, "increment": 60,
            "minimum_seconds": 0, "free_seconds": 0, "maximum": "60.00", "holidays": ["2026-12-25"],
            "bands": [{
                "days": ["sat", "sun"], "from": "00:00", "to": "24:00", "connection": "5.00", "rate": "0.30", "steps": [step],
            }],
        })
    }
}

impl ToSchema for TariffTerms {
    fn name() -> Cow<'static, str> {
        "TariffTerms".into()
    }
}

impl PartialSchema for TariffTerms {
    fn schema() -> RefOr<Schema> {
        let mut shape = super::documents::shape_of(&Self::sample());
        shape["description"] = "The price of a call, tax included: `rate`, or `steps` by the second from which each holds; \
             `bands` are other prices at some times, of which the first that matches holds. What is left out is free, by the \
             minute, and counted by the second."
            .into();
        all_optional(&mut shape);
        serde_json::from_value(shape).unwrap_or_default()
    }
}

/// Which fields may be left out is not in a sample.
fn all_optional(shape: &mut Value) {
    match shape {
        Value::Object(fields) => {
            if fields.contains_key("properties") {
                fields.remove("required");
            }
            fields.values_mut().for_each(all_optional);
        }
        Value::Array(items) => items.iter_mut().for_each(all_optional),
        _ => {}
    }
}

/// A published version of a tariff.
#[derive(Serialize, ToSchema)]
#[schema(as = Tariff)]
struct Tariff {
    #[schema(example = "tariff")]
    object: &'static str,
    id: String,
    name: String,
    /// Counts from 1 within the name.
    version: u32,
    #[schema(example = "EUR")]
    currency: String,
    tariff: TariffTerms,
    published_at: DateTime<Utc>,
}

impl Shown for Tariff {
    fn id(&self) -> String {
        self.id.clone()
    }
}

fn shown(of: StoredTariff) -> ApiResult<Tariff> {
    Ok(Tariff {
        object: "tariff",
        id: of.id.to_string(),
        name: of.name,
        version: of.version,
        currency: of.currency.code().to_owned(),
        tariff: TariffTerms(serde_json::to_value(&of.tariff).map_err(Problem::failed)?),
        published_at: of.published_at,
    })
}

/// Place in the list: by name, the newest version first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Place(String, Reverse<u32>);

impl FromStr for Place {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let (version, name) = text.split_once('.').ok_or(())?;
        Ok(Place(name.to_owned(), Reverse(version.parse().map_err(|_| ())?)))
    }
}

fn place_of(of: &StoredTariff) -> Place {
    Place(of.name.clone(), Reverse(of.version))
}

async fn tariffs(ask: &Ask, Asked(asked): Asked<Newest>) -> ApiResult<List<Tariff>> {
    let limit = list::limit(asked.limit)?;
    let after: Option<Place> = list::after(asked.starting_after.as_deref())?;
    let mut found = subscription::tariffs(&ask.tx).await?;
    found.retain(|of| after.as_ref().is_none_or(|after| place_of(of) > *after));
    found.sort_by_key(place_of);
    let (found, next) = list::cut(found, limit, |last| list::place(format!("{}.{}", last.version, last.name)));
    Ok(List::page(found.into_iter().map(shown).collect::<ApiResult<_>>()?, next))
}

async fn find(ask: &Ask, id: TariffId) -> ApiResult<Tariff> {
    shown(subscription::tariff(&ask.tx, id).await?.ok_or_else(Problem::not_found)?)
}

async fn tariff(ask: &Ask, _: Nothing) -> ApiResult<One<Tariff>> {
    Ok(One(find(ask, ask.id("tariff_id")?).await?))
}

/// A tariff to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewTariff {
    /// Of a name that is there it becomes the next version; topics keep the version that they point to.
    name: String,
    /// That of the organisation, which is also meant when it is left out.
    #[schema(value_type = Option<String>, example = "EUR")]
    currency: Option<Text<Currency>>,
    tariff: TariffTerms,
}

/// The document, and how it prices calls in this book.
async fn compiled(
    ask: &Ask,
    TariffTerms(document): &TariffTerms,
) -> ApiResult<(pricing::Tariff, CompiledTariff, Currency)> {
    let tariff = pricing::Tariff::from_json(document).map_err(|error| Problem::from(error).below("/tariff"))?;
    let book = tenant::organisation(&ask.tx).await?;
    let compiled = CompiledTariff::compile(&tariff, book.currency, &book.time_zone)
        .map_err(|rule| Problem::invalid("/tariff", rule.code(), rule.to_string()))?;
    Ok((tariff, compiled, book.currency))
}

async fn publish(ask: &Ask, Given(new): Given<NewTariff>) -> ApiResult<Created<Tariff>> {
    let (tariff, _, own) = compiled(ask, &new.tariff).await?;
    let currency = new.currency.map_or(own, |currency| currency.0);
    let id = subscription::publish_tariff(&ask.tx, new.name.trim(), currency, &tariff, ask.now).await?;
    Ok(Created(find(ask, id).await?))
}

/// A tariff, and calls to try it on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TariffQuestion {
    /// Of the tariff to be; nothing depends on it.
    #[serde(default)]
    #[allow(dead_code, reason = "the body of a publication may be tried as it stands")]
    name: String,
    tariff: TariffTerms,
    /// Lengths of calls, 1 to 20 of them; one, five and ten minutes when left out.
    #[serde(default = "usual_lengths")]
    seconds: Vec<u32>,
    /// When the meter starts: it decides which band holds. Now, when left out.
    starts_at: Option<DateTime<Utc>>,
}

fn usual_lengths() -> Vec<u32> {
    vec![60, 300, 600]
}

/// What calls would cost.
#[derive(Serialize, ToSchema)]
struct TariffPreview {
    #[schema(example = "tariff_preview")]
    object: &'static str,
    calls: Vec<PreviewedCall>,
}

/// One of them, with how the sum is made.
#[derive(Serialize, ToSchema)]
struct PreviewedCall {
    seconds: u32,
    /// After free seconds, the minimum and increments.
    billed_seconds: u32,
    /// Tax included.
    charge: Amount,
    terms: Vec<shapes::Term>,
}

impl Shown for TariffPreview {}

/// Calls that one preview prices.
const CALLS_MAX: usize = 20;
/// Seconds of the longest call that is tried: a day.
const SECONDS_MAX: u32 = 86_400;

async fn preview(ask: &Ask, Given(question): Given<TariffQuestion>) -> ApiResult<One<TariffPreview>> {
    let (_, compiled, _) = compiled(ask, &question.tariff).await?;
    if question.seconds.is_empty() || question.seconds.len() > CALLS_MAX {
        return Err(Problem::invalid("/seconds", "must_be_few", format!("must be 1 to {CALLS_MAX} lengths")));
    }
    let at = question.starts_at.unwrap_or(ask.now);
    let mut calls = Vec::new();
    for (index, seconds) in question.seconds.iter().copied().enumerate() {
        if seconds > SECONDS_MAX {
            let rule = format!("must be at most {SECONDS_MAX} seconds");
            return Err(
                Problem::invalid(format!("/seconds/{index}"), "must_lie_between", rule).with_value(seconds.to_string())
            );
        }
        let charge = compiled.rate(at, seconds)?;
        calls.push(PreviewedCall {
            seconds,
            billed_seconds: charge.billed_seconds,
            charge: charge.amount.into(),
            terms: shapes::terms(&compiled.explain(at, seconds)?),
        });
    }
    Ok(One(TariffPreview { object: "tariff_preview", calls }))
}
