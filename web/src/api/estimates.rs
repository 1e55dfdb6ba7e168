//! Estimates that are kept: what was asked and what came out. One is found by its id, or by the token of its link.

use super::body::{Number, Text};
use super::documents::{Read, Shape, reckoned};
use super::imports::Csv;
use super::list::{self, At, List};
use super::problem::{ApiResult, Problem};
use super::route::{Ask, Asked, Created, Given, Nothing, One, Pdf, Route, Shown, get, post};
use super::shapes::Amount;
use super::terms::{Terms, own_meters};
use chrono::{DateTime, Utc};
use db::EstimateId;
use pricing::{Forecast, ModelKind};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use subscription::NewEstimate;
use tenant::ScopeGroup;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{IntoParams, PartialSchema, ToSchema};

pub fn routes() -> Vec<Route> {
    let group = ScopeGroup::Quotes;
    vec![
        get("/v1/estimates", group, "List estimates, newest first", estimates),
        post("/v1/estimates", group, "Work an estimate out, keep it and make a link to it", create),
        get("/v1/estimates/{estimate_id}", group, "Read an estimate", estimate),
        get("/v1/estimates/{estimate_id}/csv", group, "Read an estimate as a file for a spreadsheet", csv),
        get("/v1/estimates/{estimate_id}/pdf", group, "Read an estimate as PDF", pdf),
        get(
            "/v1/estimates/{estimate_id}/offers",
            group,
            "What it suggests in each commercial model: terms that a quote can take",
            offers,
        ),
        get("/v1/shared-estimates/{token}", group, "Read an estimate by the token of its link", shared),
    ]
}

/// An estimate that is kept.
#[derive(Serialize, ToSchema)]
#[schema(as = Estimate)]
struct Estimate {
    #[schema(example = "estimate")]
    object: &'static str,
    id: String,
    name: String,
    #[schema(schema_with = forecast)]
    forecast: Value,
    #[schema(schema_with = result)]
    result: Value,
    created_at: DateTime<Utc>,
    created_by: String,
    is_shared: bool,
    /// Of its link: in the answer to its making, and nowhere else.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

impl Shown for Estimate {
    fn id(&self) -> String {
        self.id.clone()
    }
}

fn forecast() -> RefOr<Schema> {
    Shape::<Forecast>::schema()
}

fn result() -> RefOr<Schema> {
    Shape::<pricing::Estimate>::schema()
}

impl From<subscription::Estimate> for Estimate {
    fn from(of: subscription::Estimate) -> Self {
        Self {
            object: "estimate",
            id: of.id.to_string(),
            name: of.name,
            forecast: of.input,
            result: of.result,
            created_at: of.created_at,
            created_by: of.created_by,
            is_shared: of.is_shared,
            token: None,
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Newest {
    /// 1 to 100; 50 when left out.
    #[param(value_type = Option<u32>)]
    pub limit: Option<Text<u32>>,
    /// The `next` of the page before.
    pub starting_after: Option<String>,
}

async fn estimates(ask: &Ask, Asked(asked): Asked<Newest>) -> ApiResult<List<Estimate>> {
    let limit = list::limit(asked.limit)?;
    let after = list::after::<At<EstimateId>>(asked.starting_after.as_deref())?.map(|At(at, id)| (at, id));
    let found = subscription::estimates(&ask.tx, after, limit + 1).await?;
    let (found, next) = list::cut(found, limit, |last| list::place(At(last.created_at, last.id)));
    Ok(List::page(found.into_iter().map(Estimate::from).collect(), next))
}

async fn estimate(ask: &Ask, _: Nothing) -> ApiResult<One<Estimate>> {
    Ok(One(find(ask).await?.into()))
}

async fn shared(ask: &Ask, _: Nothing) -> ApiResult<One<Estimate>> {
    let token: String = ask.id("token")?;
    let found = subscription::estimate_by_token(&ask.tx, &token).await?;
    Ok(One(found.ok_or_else(Problem::not_found)?.into()))
}

/// An estimate to be: a name and a forecast.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewEstimate)]
struct Creation {
    name: String,
    #[schema(schema_with = forecast)]
    forecast: Value,
}

async fn create(ask: &Ask, Given(given): Given<Creation>) -> ApiResult<Created<Estimate>> {
    let forecast = Forecast::read(&given.forecast).map_err(|error| Problem::from(error).below("/forecast"))?;
    let asked = forecast.clone();
    let result = reckoned(move || pricing::estimate(&asked)).await.map_err(|problem| problem.below("/forecast"))?;
    let new = NewEstimate {
        name: given.name,
        input: serde_json::to_value(&forecast).map_err(Problem::failed)?,
        result: serde_json::to_value(&result).map_err(Problem::failed)?,
    };
    let id = subscription::save_estimate(&ask.tx, &new, &ask.actor(), ask.now).await?;
    let token = subscription::share_estimate(&ask.tx, id).await?;
    let kept = subscription::estimate(&ask.tx, id).await?.ok_or_else(Problem::not_found)?;
    Ok(Created(Estimate { token: Some(token), ..kept.into() }))
}

async fn find(ask: &Ask) -> ApiResult<subscription::Estimate> {
    let found = subscription::estimate(&ask.tx, ask.id("estimate_id")?).await?;
    found.ok_or_else(Problem::not_found)
}

async fn csv(ask: &Ask, _: Nothing) -> ApiResult<Csv> {
    let kept = find(ask).await?;
    let forecast = Forecast::from_json(&kept.input).map_err(Problem::failed)?;
    let estimate = serde_json::from_value(kept.result).map_err(Problem::failed)?;
    Ok(Csv { name: kept.id.to_string(), bytes: crate::pages::public::csv_text(&forecast, &estimate).into_bytes() })
}

async fn pdf(ask: &Ask, _: Nothing) -> ApiResult<Pdf> {
    let kept = find(ask).await?;
    let forecast = Forecast::from_json(&kept.input).map_err(Problem::failed)?;
    let estimate = serde_json::from_value(kept.result).map_err(Problem::failed)?;
    let bytes = crate::pages::public::pdf_file(&ask.tx, &forecast, &estimate, ask.now).await?;
    Ok(Pdf { name: kept.id.to_string(), bytes })
}

/// An estimate in one commercial model.
#[derive(Serialize, ToSchema)]
#[schema(as = EstimateOffer)]
struct Offer {
    #[schema(example = "offer")]
    object: &'static str,
    estimate: String,
    /// `per_event`, `per_minute`, `per_hour`, `per_seat` or `mixed`.
    #[schema(value_type = String, example = "per_event")]
    model: ModelKind,
    /// What the forecast month comes to.
    price: Amount,
    /// For a quote; null where the book lacks a meter that the model counts by.
    #[schema(value_type = Option<Terms>)]
    terms: Option<Terms>,
    /// By component: the forecast month.
    quantities: BTreeMap<String, Number>,
    seats: u32,
    /// Why there are no terms.
    refused: Option<String>,
}

impl Shown for Offer {}

async fn offers(ask: &Ask, _: Nothing) -> ApiResult<List<Offer>> {
    let kept = find(ask).await?;
    let forecast = Forecast::from_json(&kept.input).map_err(Problem::failed)?;
    let asked = forecast.clone();
    let estimate =
        reckoned(move || pricing::estimate(&asked)).await.map_err(|problem| Problem::failed(problem.detail))?;
    let meters = own_meters(ask).await?;
    let mut offers = Vec::with_capacity(estimate.models.len());
    for of in &estimate.models {
        let none = Offer {
            object: "offer",
            estimate: kept.id.to_string(),
            model: of.model,
            price: of.price.into(),
            terms: None,
            quantities: BTreeMap::new(),
            seats: 0,
            refused: None,
        };
        offers.push(match subscription::offered(&forecast, &estimate, of.model, &meters) {
            Ok(offered) => Offer {
                terms: Some(Terms(offered.terms.to_document())),
                quantities: offered.quantities.into_iter().map(|(key, quantity)| (key, Number(quantity))).collect(),
                seats: offered.seats,
                ..none
            },
            Err(subscription::SubscriptionError::Refused(refusal)) => {
                Offer { refused: Some(format!("{}: {}", refusal.value, refusal.rule)), ..none }
            }
            Err(other) => return Err(other.into()),
        });
    }
    Ok(List::whole(offers))
}
