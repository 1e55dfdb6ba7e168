//! Subscribers of older versions move to another: looked at, then many in one go, and back until something is billed on it.

use super::changes::{ShownChange, must_fit, when_of};
use super::estimates::Newest;
use super::list::{self, At, List};
use super::problem::{ApiResult, FieldProblem, Problem};
use super::route::{Ask, Asked, Created, Given, Nothing, One, Route, Shown, delete, get, post, reckon};
use super::shapes::{Amount, amount};
use crate::moves::{self, Foreseen, Place, Refused, Wanted};
use chrono::{DateTime, Utc};
use db::{ChangeId, PlanId, PlanVersionId, SubscriptionId};
use money::Money;
use serde::{Deserialize, Serialize};
use tenant::ScopeGroup;
use utoipa::ToSchema;

pub fn routes() -> Vec<Route> {
    let group = ScopeGroup::Subscriptions;
    vec![
        reckon(
            "/v1/plans/{plan_id}/move-previews",
            group,
            "What moving subscribers to a version would change for each",
            preview,
        ),
        get("/v1/plans/{plan_id}/moves", group, "List moves to its versions, the newest first", moves),
        post("/v1/plans/{plan_id}/moves", group, "Move subscribers to a version: all of them or none", make),
        delete("/v1/plans/{plan_id}/moves/{change_id}", group, "Undo a move that is not billed yet", undo),
    ]
}

/// Who moves to which version, and when.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewMoves {
    /// The version of the plan.
    #[schema(value_type = String)]
    to: PlanVersionId,
    /// `now` (prorated by day), `period_end`, `term_end` (at renewal), or an instant (RFC 3339) that does not lie in the past.
    #[schema(example = "term_end")]
    when: String,
    /// Subscribers of the plan, 500 at most.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    subscriptions: Vec<SubscriptionId>,
}

/// Whose moves are looked at.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LookedAt {
    /// The version of the plan.
    #[schema(value_type = String)]
    to: PlanVersionId,
    /// `now`, `period_end`, `term_end`, or an instant that does not lie in the past.
    #[schema(example = "term_end")]
    when: String,
    /// Subscribers of the plan, 500 at most; where none is named, everybody on another version, by name, 500 a page.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    subscriptions: Vec<SubscriptionId>,
    /// Where none is named: the last subscription of the page before.
    #[schema(value_type = Option<String>)]
    starting_after: Option<SubscriptionId>,
}

/// What moves would change. Nothing is stored.
#[derive(Serialize, ToSchema)]
struct MovePreview {
    #[schema(example = "move_preview")]
    object: &'static str,
    plan: String,
    plan_version: String,
    rows: Vec<MovePreviewRow>,
    /// Are there more behind the last row?
    has_more: bool,
    /// What those of this page paid for their last full period.
    before: Amount,
    /// What the same usage comes to by the other version.
    after: Amount,
}

impl Shown for MovePreview {}

/// One subscriber.
#[derive(Serialize, ToSchema)]
struct MovePreviewRow {
    subscription: String,
    customer: String,
    customer_name: String,
    /// Number of the version that it has.
    version: u32,
    /// When it would move; null where it cannot.
    at: Option<DateTime<Utc>>,
    /// Its last full period as it was; null where none lies behind it in this currency.
    before: Option<Amount>,
    after: Option<Amount>,
    /// Below zero: it would pay less.
    difference: Option<Amount>,
    /// Beyond 30% up or down.
    needs_confirmation: bool,
    /// The rule that keeps it from moving.
    refused: Option<FieldProblem>,
}

impl From<Foreseen> for MovePreviewRow {
    fn from(of: Foreseen) -> Self {
        let priced = of.priced.as_ref();
        let (at, refused) = match of.outcome {
            Ok(at) => (Some(at), None),
            Err(refused) => (None, Some(field(refused))),
        };
        Self {
            before: amount(priced.map(|row| row.before)),
            after: amount(priced.map(|row| row.after)),
            difference: amount(priced.map(|row| row.difference)),
            needs_confirmation: priced.is_some_and(invoicing::DryRunRow::needs_confirmation),
            subscription: of.subscription_id.to_string(),
            customer: of.customer_id.to_string(),
            customer_name: of.customer,
            version: of.version,
            at,
            refused,
        }
    }
}

/// Moves that were made together.
#[derive(Serialize, ToSchema)]
struct Moves {
    #[schema(example = "moves")]
    object: &'static str,
    plan: String,
    plan_version: String,
    /// One for each subscription: each can be undone alone.
    changes: Vec<ShownChange>,
}

impl Shown for Moves {
    fn id(&self) -> String {
        self.plan.clone()
    }
}

async fn find(ask: &Ask) -> ApiResult<subscription::Plan> {
    subscription::plan(&ask.tx, ask.id("plan_id")?).await?.ok_or_else(Problem::not_found)
}

async fn wanted(ask: &Ask, to: PlanVersionId, when: &str, subscriptions: Vec<SubscriptionId>) -> ApiResult<Wanted> {
    let plan = find(ask).await?;
    let version = subscription::plan_version(&ask.tx, to).await?;
    let version = version.ok_or_else(|| Problem::unknown("/to", "plan version", to))?;
    if version.plan_id != plan.id {
        let rule = "must be a version of this plan";
        return Err(Problem::invalid("/to", "must_be_version_of_plan", rule).with_value(to.to_string()));
    }
    Ok(Wanted { plan: plan.id, to: version, when: when_of(when)?, subscriptions })
}

fn field(of: Refused) -> FieldProblem {
    FieldProblem {
        pointer: match of.place {
            Place::To => "/to".to_owned(),
            Place::When => "/when".to_owned(),
            Place::Subscriptions => "/subscriptions".to_owned(),
            Place::Subscription(index) => format!("/subscriptions/{index}"),
            Place::After => "/starting_after".to_owned(),
        },
        code: of.code.to_owned(),
        detail: of.rule,
        value: Some(of.value),
    }
}

fn refused(all: Vec<Refused>) -> Problem {
    Problem::of_fields(all.into_iter().map(field).collect())
}

async fn preview(ask: &Ask, Given(given): Given<LookedAt>) -> ApiResult<One<MovePreview>> {
    let LookedAt { to, when, subscriptions, starting_after } = given;
    must_fit("/starting_after", starting_after.is_none() || subscriptions.is_empty())?;
    let wanted = wanted(ask, to, &when, subscriptions).await?;
    let found = moves::preview(&ask.tx, &wanted, starting_after, ask.now).await?;
    let (found, has_more) = found.map_err(refused)?;
    let sum = |of: fn(&invoicing::DryRunRow) -> Money| {
        Money::sum(wanted.to.currency, found.iter().filter_map(|row| row.priced.as_ref()).map(of))
    };
    let (before, after) = (sum(|row| row.before)?.into(), sum(|row| row.after)?.into());
    Ok(One(MovePreview {
        object: "move_preview",
        plan: wanted.plan.to_string(),
        plan_version: wanted.to.id.to_string(),
        rows: found.into_iter().map(MovePreviewRow::from).collect(),
        has_more,
        before,
        after,
    }))
}

async fn make(ask: &Ask, Given(given): Given<NewMoves>) -> ApiResult<Created<Moves>> {
    let wanted = wanted(ask, given.to, &given.when, given.subscriptions).await?;
    let made = moves::make(&ask.tx, &wanted, &ask.actor(), ask.now).await?.map_err(refused)?;
    Ok(Created(Moves {
        object: "moves",
        plan: wanted.plan.to_string(),
        plan_version: wanted.to.id.to_string(),
        changes: made.into_iter().map(ShownChange::from).collect(),
    }))
}

async fn moves(ask: &Ask, Asked(asked): Asked<Newest>) -> ApiResult<List<ShownChange>> {
    let plan = find(ask).await?.id;
    let limit = list::limit(asked.limit)?;
    let after = list::after::<At<ChangeId>>(asked.starting_after.as_deref())?.map(|At(at, id)| (at, id));
    let found = subscription::moves_of(&ask.tx, plan, after, limit + 1).await?;
    let (found, next) = list::cut(found, limit, |last| list::place(At(last.asked_at, last.id)));
    Ok(List::page(found.into_iter().map(ShownChange::from).collect(), next))
}

async fn undo(ask: &Ask, _: Nothing) -> ApiResult<One<ShownChange>> {
    let (plan, id): (PlanId, ChangeId) = (find(ask).await?.id, ask.id("change_id")?);
    subscription::undo_move(&ask.tx, plan, id, &ask.actor(), ask.now).await?;
    let undone = subscription::changes_by_id(&ask.tx, &[id]).await?.pop().ok_or_else(Problem::not_found)?;
    Ok(One(undone.into()))
}
