//! Estimates that are kept: what was asked and what came out. One is found by its id, or by the token of its link.

use super::body::Text;
use super::documents::{Read, Shape, reckoned};
use super::list::{self, At, List};
use super::problem::{ApiResult, Problem};
use super::route::{Ask, Asked, Created, Given, Nothing, One, Route, Shown, get, post};
use chrono::{DateTime, Utc};
use db::EstimateId;
use pricing::Forecast;
use serde::{Deserialize, Serialize};
use serde_json::Value;
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
    let found = subscription::estimate(&ask.tx, ask.id("estimate_id")?).await?;
    Ok(One(found.ok_or_else(Problem::not_found)?.into()))
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
