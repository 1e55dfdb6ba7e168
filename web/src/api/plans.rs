//! Plans and add-ons: what is sold by subscription, and the terms of each version. A version never changes.

use super::documents::Document;
use super::estimates::Newest;
use super::list::{self, List};
use super::problem::{ApiResult, Problem};
use super::route::{Ask, Asked, Created, Given, Nothing, One, Route, Shown, get, patch, post};
use super::shapes;
use super::terms::{Confirmed, Terms, checked, must_be_seen, own_meters, written};
use chrono::{DateTime, Utc};
use db::{PlanId, PlanVersionId};
use serde::{Deserialize, Serialize};
use tenant::ScopeGroup;
use utoipa::ToSchema;

pub fn routes() -> Vec<Route> {
    let group = ScopeGroup::Catalogue;
    vec![
        get("/v1/plans", group, "List plans by code", plans),
        post("/v1/plans", group, "Put a plan into the catalogue", create_plan),
        get("/v1/add-ons", group, "List add-ons by code", add_ons),
        post("/v1/add-ons", group, "Put an add-on into the catalogue", create_add_on),
        get("/v1/plans/{plan_id}", group, "Read a plan or an add-on with its newest version", plan),
        patch("/v1/plans/{plan_id}", group, "Give it another name or description", rename),
        get("/v1/plans/{plan_id}/versions", group, "List its versions, the newest first", versions),
        post("/v1/plans/{plan_id}/versions", group, "Publish its next version", publish),
        post("/v1/plans/{plan_id}/archival", group, "Sell it no longer; who has it keeps it", archive),
    ]
}

/// Something that is sold by subscription.
#[derive(Serialize, ToSchema)]
#[schema(as = Plan)]
struct Plan {
    /// `plan` or `add_on`.
    object: &'static str,
    id: String,
    #[schema(example = "per-event")]
    code: String,
    name: String,
    description: String,
    #[schema(schema_with = shapes::plan_state)]
    state: &'static str,
    archived_at: Option<DateTime<Utc>>,
    /// Since when its unpublished next version is as it is.
    draft_edited_at: Option<DateTime<Utc>>,
    /// Null until a version is published.
    newest_version: Option<PlanVersion>,
}

impl Shown for Plan {
    fn id(&self) -> String {
        self.id.clone()
    }
}

/// The terms of a plan as they were published.
#[derive(Serialize, ToSchema)]
#[schema(as = PlanVersion)]
pub struct PlanVersion {
    #[schema(example = "plan_version")]
    object: &'static str,
    id: String,
    plan: String,
    /// Counts from 1 within the plan.
    version: u32,
    published_at: DateTime<Utc>,
    terms: Terms,
}

impl Shown for PlanVersion {
    fn id(&self) -> String {
        self.id.clone()
    }
}

impl From<subscription::PlanVersion> for PlanVersion {
    fn from(of: subscription::PlanVersion) -> Self {
        Self {
            object: "plan_version",
            id: of.id.to_string(),
            plan: of.plan_id.to_string(),
            version: of.version,
            published_at: of.published_at,
            terms: written(&of),
        }
    }
}

impl From<subscription::Plan> for Plan {
    fn from(of: subscription::Plan) -> Self {
        let state = of.state().as_str();
        Self {
            object: if of.is_add_on { "add_on" } else { "plan" },
            id: of.id.to_string(),
            code: of.code,
            name: of.name,
            description: of.description,
            state,
            archived_at: of.archived_at,
            draft_edited_at: of.draft_edited_at,
            newest_version: of.newest.map(PlanVersion::from),
        }
    }
}

async fn plans(ask: &Ask, Asked(asked): Asked<Newest>) -> ApiResult<List<Plan>> {
    catalogue(ask, asked, false).await
}

async fn add_ons(ask: &Ask, Asked(asked): Asked<Newest>) -> ApiResult<List<Plan>> {
    catalogue(ask, asked, true).await
}

async fn catalogue(ask: &Ask, asked: Newest, is_add_on: bool) -> ApiResult<List<Plan>> {
    let limit = list::limit(asked.limit)?;
    let after: String = list::after(asked.starting_after.as_deref())?.unwrap_or_default();
    let mut plans = subscription::plans(&ask.tx).await?;
    plans.retain(|plan| plan.is_add_on == is_add_on && plan.code > after);
    plans.sort_by(|a, b| a.code.cmp(&b.code));
    let (plans, next) = list::cut(plans, limit, |last| list::place(&last.code));
    Ok(List::page(plans.into_iter().map(Plan::from).collect(), next))
}

async fn find(ask: &Ask, id: PlanId) -> ApiResult<Plan> {
    Ok(subscription::plan(&ask.tx, id).await?.ok_or_else(Problem::not_found)?.into())
}

async fn plan(ask: &Ask, _: Nothing) -> ApiResult<One<Plan>> {
    Ok(One(find(ask, ask.id("plan_id")?).await?))
}

async fn versions(ask: &Ask, Asked(asked): Asked<Newest>) -> ApiResult<List<PlanVersion>> {
    let id = ask.id("plan_id")?;
    find(ask, id).await?;
    let limit = list::limit(asked.limit)?;
    let before: Option<u32> = list::after(asked.starting_after.as_deref())?;
    let mut versions = subscription::versions_of(&ask.tx, id).await?;
    versions.retain(|of| before.is_none_or(|before| of.version < before));
    versions.sort_by_key(|of| std::cmp::Reverse(of.version));
    let (versions, next) = list::cut(versions, limit, |last| list::place(last.version));
    Ok(List::page(versions.into_iter().map(PlanVersion::from).collect(), next))
}

/// A plan or an add-on to be. It is sold from its first version on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewPlan)]
struct Creation {
    /// Small letters, digits and -; unique in the book.
    code: String,
    name: String,
    #[serde(default)]
    description: String,
}

async fn create_plan(ask: &Ask, Given(given): Given<Creation>) -> ApiResult<Created<Plan>> {
    create(ask, given, false).await
}

async fn create_add_on(ask: &Ask, Given(given): Given<Creation>) -> ApiResult<Created<Plan>> {
    create(ask, given, true).await
}

async fn create(ask: &Ask, given: Creation, is_add_on: bool) -> ApiResult<Created<Plan>> {
    let id = subscription::create_plan(&ask.tx, &given.code, &given.name, &given.description, is_add_on).await?;
    Ok(Created(find(ask, id).await?))
}

async fn publish(ask: &Ask, asked: Confirmed<Document<Terms>>) -> ApiResult<Created<PlanVersion>> {
    let id = ask.id("plan_id")?;
    find(ask, id).await?;
    let new = checked(ask, &asked.given.0).await?;
    must_be_seen(ask, id, &new, asked.is_confirmed).await?;
    let published =
        subscription::publish_version_measuring(&ask.tx, id, &new, &own_meters(ask).await?, ask.now).await?;
    Ok(Created(version(ask, published).await?))
}

/// A published version.
pub async fn version(ask: &Ask, id: PlanVersionId) -> ApiResult<PlanVersion> {
    Ok(subscription::plan_version(&ask.tx, id).await?.ok_or_else(Problem::not_found)?.into())
}

/// What is to be another; what is left out stays. The code never changes, and terms by another version.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PlanChange {
    name: Option<String>,
    description: Option<String>,
}

async fn rename(ask: &Ask, Given(given): Given<PlanChange>) -> ApiResult<One<Plan>> {
    let id = ask.id("plan_id")?;
    let is = find(ask, id).await?;
    ask.must_match(&is)?;
    let (name, description) = (given.name.unwrap_or(is.name), given.description.unwrap_or(is.description));
    subscription::rename_plan(&ask.tx, id, &name, &description).await?;
    Ok(One(find(ask, id).await?))
}

async fn archive(ask: &Ask, _: Nothing) -> ApiResult<One<Plan>> {
    let id = ask.id("plan_id")?;
    subscription::archive_plan(&ask.tx, id, ask.now).await?;
    Ok(One(find(ask, id).await?))
}
