//! Which plan would have been the cheapest, and who would pay more or less by other terms: past usage through the code that bills.
//! Nothing is stored.

use super::body::Number;
use super::customers;
use super::problem::{ApiResult, Problem};
use super::route::{Ask, Given, Nothing, One, Route, Shown, get, reckon};
use super::shapes::Amount;
use super::terms::{Terms, checked};
use chrono::NaiveDate;
use db::PlanId;
use invoicing::{Advised, DryRunRow, Reason};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tenant::ScopeGroup;
use utoipa::ToSchema;

pub fn routes() -> Vec<Route> {
    vec![
        get(
            "/v1/customers/{customer_id}/advice",
            ScopeGroup::Subscriptions,
            "What each plan would have cost for the usage of the last three full months",
            of_customer,
        ),
        reckon(
            "/v1/plans/{plan_id}/dry-runs",
            ScopeGroup::Catalogue,
            "Who would pay more and who less if these terms were the next version",
            dry_run,
        ),
    ]
}

/// Plans compared by past usage, the cheapest first.
#[derive(Serialize, ToSchema)]
#[schema(as = Advice)]
struct Advice {
    #[schema(example = "advice")]
    object: &'static str,
    customer: String,
    from_on: NaiveDate,
    /// The first day after it.
    to_on: NaiveDate,
    plans: Vec<Plan>,
}

impl Shown for Advice {}

/// A plan as it would have been.
#[derive(Serialize, ToSchema)]
#[schema(as = AdvisedPlan)]
struct Plan {
    plan: String,
    name: String,
    plan_version: String,
    is_current: bool,
    is_cheapest: bool,
    total: Amount,
    by_month: Vec<Amount>,
    worst_month: Amount,
    /// With 30% less usage.
    with_less: Amount,
    /// With 30% more usage.
    with_more: Amount,
    reasons: Vec<Why>,
}

/// Why a plan comes to what it comes to.
#[derive(Serialize, ToSchema)]
#[schema(as = AdviceReason)]
struct Why {
    /// `against_current`, `mostly_for`, `commitment_not_reached`, `cap_reached`, `calls_left_to_tariffs` or `not_sold`. A plan
    /// with one of the last two leaves out what has a price elsewhere: it is never the cheapest.
    code: &'static str,
    /// Of the line that most of it comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<Amount>,
    /// How many.
    #[serde(skip_serializing_if = "Option::is_none")]
    calls: Option<String>,
    /// Of what is not sold.
    #[serde(skip_serializing_if = "Option::is_none")]
    quantity: Option<Number>,
}

impl From<Reason> for Why {
    fn from(reason: Reason) -> Self {
        let of = |code, amount: money::Money| Why {
            code,
            name: None,
            amount: Some(amount.into()),
            calls: None,
            quantity: None,
        };
        match reason {
            Reason::AgainstCurrent(amount) => of("against_current", amount),
            Reason::MostlyFor { name, amount } => Why { name: Some(name), ..of("mostly_for", amount) },
            Reason::CommitmentNotReached(amount) => of("commitment_not_reached", amount),
            Reason::CapReached(amount) => of("cap_reached", amount),
            Reason::CallsLeftToTariffs(calls) => Why {
                code: "calls_left_to_tariffs",
                name: None,
                amount: None,
                calls: Some(calls.normalize().to_string()),
                quantity: None,
            },
            Reason::SeatsNotKnown { name } => {
                Why { code: "seats_not_known", name: Some(name), amount: None, calls: None, quantity: None }
            }
            Reason::NotSold { name, quantity } => {
                Why { code: "not_sold", name: Some(name), amount: None, calls: None, quantity: Some(Number(quantity)) }
            }
        }
    }
}

impl From<Advised> for Plan {
    fn from(of: Advised) -> Self {
        Self {
            plan: of.plan_id.to_string(),
            name: of.plan,
            plan_version: of.version.id.to_string(),
            is_current: of.is_current,
            is_cheapest: of.is_cheapest,
            total: of.total.into(),
            by_month: of.by_month.into_iter().map(Amount::from).collect(),
            worst_month: of.worst.into(),
            with_less: of.with_less.into(),
            with_more: of.with_more.into(),
            reasons: of.reasons.into_iter().map(Why::from).collect(),
        }
    }
}

async fn of_customer(ask: &Ask, _: Nothing) -> ApiResult<One<Advice>> {
    let customer = customers::find(&ask.tx, ask.id("customer_id")?).await?;
    let advice = invoicing::advise(&ask.tx, customer.id, ask.now).await?;
    Ok(One(Advice {
        object: "advice",
        customer: customer.id.to_string(),
        from_on: advice.from_on,
        to_on: advice.to_on,
        plans: advice.plans.into_iter().map(Plan::from).collect(),
    }))
}

/// Terms to be tried.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewDryRun)]
struct Trial {
    #[schema(value_type = Terms)]
    terms: Value,
}

/// What other terms would have made of everybody's last full period.
#[derive(Serialize, ToSchema)]
#[schema(as = DryRun)]
struct DryRun {
    #[schema(example = "dry_run")]
    object: &'static str,
    plan: String,
    rows: Vec<Row>,
    /// Subscribers who have no full period yet.
    without_period: u64,
    /// Subscribers who are charged in another currency.
    in_other_currency: u64,
}

impl Shown for DryRun {}

/// One subscriber.
#[derive(Serialize, ToSchema)]
#[schema(as = DryRunRow)]
struct Row {
    customer: String,
    customer_name: String,
    subscription: String,
    starts_on: NaiveDate,
    /// The first day after it.
    ends_on: NaiveDate,
    before: Amount,
    after: Amount,
    /// Below zero: it would pay less.
    difference: Amount,
    /// Beyond 30% up or down.
    needs_confirmation: bool,
}

impl From<DryRunRow> for Row {
    fn from(of: DryRunRow) -> Self {
        Self {
            needs_confirmation: of.needs_confirmation(),
            customer: of.customer_id.to_string(),
            customer_name: of.customer,
            subscription: of.subscription_id.to_string(),
            starts_on: of.starts_on,
            ends_on: of.ends_on,
            before: of.before.into(),
            after: of.after.into(),
            difference: of.difference.into(),
        }
    }
}

async fn dry_run(ask: &Ask, Given(given): Given<Trial>) -> ApiResult<One<DryRun>> {
    let id: PlanId = ask.id("plan_id")?;
    subscription::plan(&ask.tx, id).await?.ok_or_else(Problem::not_found)?;
    let terms = checked(ask, &Terms(given.terms)).await.map_err(|problem| problem.below("/terms"))?;
    let found = invoicing::dry_run(&ask.tx, id, &terms, ask.now).await?;
    Ok(One(DryRun {
        object: "dry_run",
        plan: id.to_string(),
        rows: found.rows.into_iter().map(Row::from).collect(),
        without_period: found.without_period,
        in_other_currency: found.in_other_currency,
    }))
}
