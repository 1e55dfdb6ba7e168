//! The unpublished next version of a plan: it may break rules until it is published, and says which.

use super::body::Number;
use super::documents::Document;
use super::plans::{self, PlanVersion};
use super::problem::{ApiResult, FieldProblem, Problem};
use super::route::{Ask, Created, Nothing, One, Route, Shown, delete, get, post, put};
use super::terms::{Confirmed, Terms, must_be_seen, own_meters, problems};
use chrono::{DateTime, Utc};
use db::PlanId;
use serde::Serialize;
use tenant::ScopeGroup;
use utoipa::ToSchema;

pub fn routes() -> Vec<Route> {
    let group = ScopeGroup::Catalogue;
    vec![
        get("/v1/plans/{plan_id}/draft", group, "Read a plan's next version as far as it is written", draft),
        put("/v1/plans/{plan_id}/draft", group, "Write a plan's next version", save),
        delete("/v1/plans/{plan_id}/draft", group, "Throw a plan's next version away", discard),
        post("/v1/plans/{plan_id}/publication", group, "Make the draft the plan's next version", publish),
    ]
}

/// A version in the making.
#[derive(Serialize, ToSchema)]
struct PlanDraft {
    #[schema(example = "plan_draft")]
    object: &'static str,
    plan: String,
    terms: Terms,
    edited_at: DateTime<Utc>,
    edited_by: String,
    /// What would be refused if it were published as it is.
    problems: Vec<FieldProblem>,
    /// Where more usage would cost less. Nothing is refused for it: volume prices are sold on purpose.
    cliffs: Vec<Cliff>,
}

/// Quantities of a component that cost more than some larger quantity.
#[derive(Serialize, ToSchema)]
#[schema(as = Cliff)]
struct Cliff {
    component: String,
    /// The values of dimensions that lead to the price, outermost first; the default is empty.
    cases: Vec<String>,
    above: Number,
    /// Until this quantity, itself included.
    up_to: Number,
    /// What `up_to` costs.
    most: Number,
    /// What a little more than `beyond` costs.
    least: Number,
    beyond: Number,
}

/// Every cliff of the terms, component by component.
fn cliffs_of(terms: &subscription::NewPlanVersion) -> ApiResult<Vec<Cliff>> {
    let mut found = Vec::new();
    for part in &terms.components {
        found.extend(part.price.cliffs()?.into_iter().map(|of| Cliff {
            component: part.key.clone(),
            cases: of.cases,
            above: Number(of.above),
            up_to: Number(of.up_to),
            most: Number(of.most),
            least: Number(of.least),
            beyond: Number(of.beyond),
        }));
    }
    Ok(found)
}

impl Shown for PlanDraft {
    fn id(&self) -> String {
        self.plan.clone()
    }
}

async fn find(ask: &Ask, id: PlanId) -> ApiResult<PlanDraft> {
    shown(ask, subscription::draft(&ask.tx, id).await?.ok_or_else(Problem::not_found)?).await
}

async fn shown(ask: &Ask, draft: subscription::Draft) -> ApiResult<PlanDraft> {
    let checked = subscription::checked_terms(&ask.tx, &draft.document, &own_meters(ask).await?).await?;
    let cliffs = checked.as_ref().ok().map_or(Ok(Vec::new()), cliffs_of)?;
    let mut problems = problems(&draft.document, &checked.err().unwrap_or_default());
    let plan = subscription::plan(&ask.tx, draft.plan_id).await?.ok_or_else(Problem::not_found)?;
    if plan.archived_at.is_some() {
        let rule = subscription::Rule::MustNotBeArchived;
        problems.push(FieldProblem {
            pointer: "/plan".to_owned(),
            code: rule.code().to_owned(),
            detail: rule.to_string(),
            value: Some(plan.code),
        });
    }
    Ok(PlanDraft {
        object: "plan_draft",
        plan: draft.plan_id.to_string(),
        problems,
        cliffs,
        terms: Terms(draft.document),
        edited_at: draft.edited_at,
        edited_by: draft.edited_by,
    })
}

async fn draft(ask: &Ask, _: Nothing) -> ApiResult<One<PlanDraft>> {
    Ok(One(find(ask, ask.id("plan_id")?).await?))
}

async fn save(ask: &Ask, Document(terms): Document<Terms>) -> ApiResult<One<PlanDraft>> {
    let id = ask.id("plan_id")?;
    if let Ok(is) = find(ask, id).await {
        ask.must_match(&is)?;
    }
    subscription::save_draft(&ask.tx, id, &terms.0, &ask.actor(), ask.now).await?;
    Ok(One(find(ask, id).await?))
}

async fn discard(ask: &Ask, _: Nothing) -> ApiResult<One<PlanDraft>> {
    let id = ask.id("plan_id")?;
    let gone = find(ask, id).await?;
    ask.must_match(&gone)?;
    subscription::discard_draft(&ask.tx, id).await?;
    Ok(One(gone))
}

async fn publish(ask: &Ask, asked: Confirmed<Nothing>) -> ApiResult<Created<PlanVersion>> {
    let id = ask.id("plan_id")?;
    // Held from here on: nobody writes another draft between the look at what it does and its publication.
    let held = subscription::lock_draft(&ask.tx, id).await?.ok_or_else(Problem::not_found)?;
    let draft = shown(ask, held).await?;
    ask.must_match(&draft)?;
    // Everything that is wrong, and not only the first.
    let terms = super::terms::checked(ask, &draft.terms).await?;
    must_be_seen(ask, id, &terms, asked.is_confirmed).await?;
    let version = subscription::publish_draft(&ask.tx, id, &own_meters(ask).await?, ask.now).await?;
    Ok(Created(plans::version(ask, version).await?))
}
