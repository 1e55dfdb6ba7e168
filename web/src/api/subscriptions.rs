//! Subscriptions: how each began, and what it is now.

use super::body::Text;
use super::changes::must_fit;
use super::list::{self, List};
use super::previews::{self, Preview};
use super::problem::{ApiResult, Problem};
use super::route::{Ask, Asked, Created, Given, Nothing, One, Route, Shown, get, patch, post, reckon};
use super::{customers, shapes};
use crate::begin::{self, Beginning, Part, Refused};
use chrono::{DateTime, NaiveDate, Utc};
use db::{CustomerId, PlanVersionId, SubscriptionId};
use serde::{Deserialize, Serialize};
use subscription::{History, NewSubscription, SubscriptionError, TrialEnd};
use tenant::ScopeGroup;
use utoipa::{IntoParams, ToSchema};

pub fn routes() -> Vec<Route> {
    let group = ScopeGroup::Subscriptions;
    vec![
        get("/v1/subscriptions", group, "List subscriptions, the oldest first", subscriptions),
        post("/v1/subscriptions", group, "Put a customer on a plan", create),
        reckon(
            "/v1/subscription-previews",
            group,
            "What a subscription would put on the customer's next invoice, to the cent",
            preview,
        ),
        get("/v1/subscriptions/{subscription_id}", group, "Read a subscription", subscription),
        patch(
            "/v1/subscriptions/{subscription_id}",
            group,
            "Agree what becomes of its trial without a means of payment",
            agree,
        ),
    ]
}

/// A customer on a plan.
#[derive(Serialize, ToSchema)]
#[schema(as = Subscription)]
pub struct Subscription {
    #[schema(example = "subscription")]
    object: &'static str,
    id: String,
    customer: String,
    #[schema(schema_with = shapes::subscription_status)]
    status: &'static str,
    plan: String,
    plan_version: String,
    /// Assigned seats.
    seats: u32,
    add_ons: Vec<AddOn>,
    /// Day from which its months are counted.
    anchor_on: NaiveDate,
    /// IANA zone of its periods.
    time_zone: String,
    started_at: DateTime<Utc>,
    /// The first instant after the trial, if it began with one.
    trial_ends_at: Option<DateTime<Utc>>,
    /// What becomes of the trial of a customer without a means of payment: as agreed, or as the plan says; null without a trial.
    #[schema(schema_with = shapes::trial_end)]
    trial_end: Option<&'static str>,
    period_starts_at: DateTime<Utc>,
    period_ends_at: DateTime<Utc>,
    /// The first instant after the term that is running.
    term_ends_at: DateTime<Utc>,
    /// From here on it is over; may lie ahead.
    ends_at: Option<DateTime<Utc>>,
    #[schema(schema_with = shapes::ended_by)]
    ended_by: Option<&'static str>,
    /// Since when an invoice is overdue.
    past_due_since: Option<DateTime<Utc>>,
    coupons: Vec<RedeemedCoupon>,
}

impl Shown for Subscription {
    fn id(&self) -> String {
        self.id.clone()
    }
}

/// An add-on that a subscription has, had or will have.
#[derive(Serialize, ToSchema)]
struct AddOn {
    plan: String,
    plan_version: String,
    from: DateTime<Utc>,
    until: Option<DateTime<Utc>>,
    /// A loyalty rule's gift.
    is_free: bool,
}

/// A coupon that a subscription has.
#[derive(Serialize, ToSchema)]
struct RedeemedCoupon {
    coupon: String,
    code: String,
    redeemed_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
}

/// A subscription as it is at an instant.
pub fn shown(of: &History, now: DateTime<Utc>) -> ApiResult<Subscription> {
    let is = &of.subscription;
    let plan = of.plan_at(now);
    let period = of.period_at(now)?;
    let add_ons = of.attached.iter().filter(|attached| attached.is_add_on).map(|attached| AddOn {
        plan: attached.version.plan_id.to_string(),
        plan_version: attached.version.id.to_string(),
        from: attached.from,
        until: attached.until,
        is_free: attached.is_free,
    });
    let coupons = of.redeemed.iter().map(|redeemed| RedeemedCoupon {
        coupon: redeemed.coupon.id.to_string(),
        code: redeemed.coupon.code.clone(),
        redeemed_at: redeemed.redeemed_at,
        ended_at: redeemed.ended_at,
    });
    Ok(Subscription {
        object: "subscription",
        id: is.id.to_string(),
        customer: is.customer_id.to_string(),
        status: of.status_at(now).as_str(),
        plan: plan.plan_id.to_string(),
        plan_version: plan.id.to_string(),
        seats: of.seats_at(now),
        add_ons: add_ons.collect(),
        anchor_on: is.anchor_on,
        time_zone: is.time_zone.clone(),
        started_at: is.started_at,
        trial_ends_at: is.trial_ends_at,
        trial_end: is.trial_ends_at.map(|ends_at| is.trial_end.unwrap_or(of.plan_at(ends_at).trial_end).as_str()),
        period_starts_at: period.starts_at,
        period_ends_at: period.ends_at,
        term_ends_at: of.term_end(now)?,
        ends_at: is.cancelled_at,
        ended_by: is.ended_by.map(|by| by.as_str()),
        past_due_since: is.past_due_since,
        coupons: coupons.collect(),
    })
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct ListAsked {
    /// Whose subscriptions; everybody's when left out.
    #[param(value_type = Option<String>)]
    customer: Option<Text<CustomerId>>,
    /// 1 to 100; 50 when left out.
    #[param(value_type = Option<u32>)]
    limit: Option<Text<u32>>,
    /// The `next` of the page before.
    starting_after: Option<String>,
}

async fn subscriptions(ask: &Ask, Asked(asked): Asked<ListAsked>) -> ApiResult<List<Subscription>> {
    let customer = match asked.customer {
        Some(id) => Some(customers::find(&ask.tx, id.0).await?.id),
        None => None,
    };
    let limit = list::limit(asked.limit)?;
    let after = list::after::<SubscriptionId>(asked.starting_after.as_deref())?;
    let found = subscription::subscriptions_page(&ask.tx, customer, after, limit + 1).await?;
    let (found, next) = list::cut(found, limit, |last| list::place(last.id));
    let histories = subscription::histories(&ask.tx, &found).await?;
    let shown = histories.iter().map(|history| shown(history, ask.now));
    Ok(List::page(shown.collect::<ApiResult<_>>()?, next))
}

/// The subscription, or 404.
pub async fn find(ask: &Ask, id: SubscriptionId) -> ApiResult<History> {
    subscription::history(&ask.tx, id).await?.ok_or_else(Problem::not_found)
}

async fn subscription(ask: &Ask, _: Nothing) -> ApiResult<One<Subscription>> {
    Ok(One(shown(&find(ask, ask.id("subscription_id")?).await?, ask.now)?))
}

/// A subscription to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewSubscription)]
struct Creation {
    #[schema(value_type = String)]
    customer: CustomerId,
    #[schema(value_type = String)]
    plan_version: PlanVersionId,
    /// Assigned seats; 0 when left out.
    #[serde(default)]
    seats: u32,
    /// A day whose first month holds the start: 1 March for a start on 15 March and bills by calendar month. The day of the
    /// start when left out.
    anchor_on: Option<NaiveDate>,
    /// Now when left out.
    starts_at: Option<DateTime<Utc>>,
    /// Begin with the trial of the version.
    #[serde(default)]
    trial: bool,
    /// What becomes of the trial without a means of payment; as the version says when left out.
    #[schema(schema_with = shapes::trial_end)]
    trial_end: Option<TrialEnd>,
    /// Versions of add-ons that it begins with.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    add_ons: Vec<PlanVersionId>,
    /// Code of a coupon that it begins with.
    coupon: Option<String>,
}

async fn create(ask: &Ask, Given(given): Given<Creation>) -> ApiResult<Created<Subscription>> {
    let id = begun(ask, given).await?;
    Ok(Created(shown(&find(ask, id).await?, ask.now)?))
}

/// Puts a customer on a plan, in a transaction that may be given up.
async fn begun(ask: &Ask, given: Creation) -> ApiResult<SubscriptionId> {
    let customer = customers::named(&ask.tx, given.customer, "/customer").await?;
    let starts_at = given.starts_at.unwrap_or(ask.now);
    let first_day = || pricing::civil_date(starts_at, &customer.time_zone);
    let new = NewSubscription {
        customer_id: customer.id,
        plan_version_id: given.plan_version,
        seats: given.seats,
        anchor_on: given.anchor_on.map_or_else(first_day, Ok)?,
        starts_at,
        trial: given.trial,
    };
    must_fit("/trial_end", given.trial_end.is_none() || given.trial)?;
    let wanted = Beginning { new, trial_end: given.trial_end, add_ons: given.add_ons, coupon: given.coupon };
    let begun = begin::begin(&ask.tx, &wanted, &ask.actor(), ask.now).await;
    begun.map_err(|refused| not_begun(refused, wanted.coupon.as_deref()))
}

/// It is begun and given up again, so that what is shown is what would be billed.
async fn preview(ask: &Ask, Given(given): Given<Creation>) -> ApiResult<One<Preview>> {
    let customer = given.customer;
    let foreseen = async {
        begun(ask, given).await?;
        previews::preview(&ask.tx, customer, &[], ask.now).await
    };
    Ok(One(ask.tx.tried(foreseen).await??))
}

/// What is agreed on one subscription, whatever its plan says.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SubscriptionChange {
    /// What becomes of the trial that runs, if there is no means of payment when it ends.
    #[schema(schema_with = shapes::trial_end)]
    trial_end: TrialEnd,
}

async fn agree(ask: &Ask, Given(given): Given<SubscriptionChange>) -> ApiResult<One<Subscription>> {
    let id: SubscriptionId = ask.id("subscription_id")?;
    ask.must_match(&shown(&find(ask, id).await?, ask.now)?)?;
    subscription::agree_trial_end(&ask.tx, id, given.trial_end, ask.now).await?;
    Ok(One(shown(&find(ask, id).await?, ask.now)?))
}

/// Fields have the names of the API.
pub fn named(error: SubscriptionError) -> Problem {
    named_at(error, "/plan_version")
}

/// The same, where the body names the version at this place.
fn named_at(error: SubscriptionError, version: &str) -> Problem {
    if let SubscriptionError::NotFound { kind: kind @ "plan version", id } = error {
        return Problem::unknown(version, kind, id);
    }
    let mut problem = Problem::from(error);
    for field in &mut problem.fields {
        let known =
            [("/plan_version_id", version), ("/customer_id", "/customer"), ("/at", "/when"), ("/change", "/kind")];
        if let Some((_, api)) = known.iter().find(|(domain, _)| field.pointer == *domain) {
            field.pointer = (*api).to_owned();
        } else if let Some(of) = field.pointer.strip_prefix("/components/") {
            // What is in the way stands in the version that was named, and not in the body.
            field.detail = format!("its component {}: {}", of.replace('/', ", "), field.detail);
            (field.pointer, field.value) = (version.to_owned(), None);
        } else if matches!(&*field.pointer, "/starts_at" | "/valid_until") {
            // The rule is about its day: what was sent stands in the body.
            field.value = None;
        } else {
            continue;
        }
        problem.detail = format!("{}: {}.", field.pointer, field.detail);
    }
    problem
}

/// What keeps a subscription from beginning, at its field.
fn not_begun(refused: Refused, coupon: Option<&str>) -> Problem {
    match refused.part {
        Part::Plan => named(refused.error),
        Part::AddOn(place) => named_at(refused.error, &format!("/add_ons/{place}")),
        Part::Coupon => super::coupons::not_redeemed(refused.error, "/coupon", coupon.unwrap_or_default()),
    }
}
