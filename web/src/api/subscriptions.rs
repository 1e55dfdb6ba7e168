//! Subscriptions: how each began, what was asked of it since, and what it is now.

use super::body::Text;
use super::list::{self, List};
use super::problem::{ApiResult, Problem};
use super::route::{Ask, Asked, Created, Given, Nothing, One, Route, Shown, delete, get, post};
use super::{customers, shapes};
use chrono::{DateTime, NaiveDate, Utc};
use db::{ChangeId, CustomerId, PlanVersionId, SubscriptionId};
use serde::{Deserialize, Serialize};
use subscription::{Change, ChangeKind, History, NewSubscription, When};
use tenant::ScopeGroup;
use utoipa::{IntoParams, ToSchema};

pub fn routes() -> Vec<Route> {
    let group = ScopeGroup::Subscriptions;
    vec![
        get("/v1/subscriptions", group, "List subscriptions, the oldest first", subscriptions),
        post("/v1/subscriptions", group, "Put a customer on a plan", create),
        get("/v1/subscriptions/{subscription_id}", group, "Read a subscription", subscription),
        get(
            "/v1/subscriptions/{subscription_id}/changes",
            group,
            "List what was asked of it, the newest first",
            changes,
        ),
        post(
            "/v1/subscriptions/{subscription_id}/changes",
            group,
            "Change it: plan, seats, add-ons, pause, end",
            change,
        ),
        delete(
            "/v1/subscriptions/{subscription_id}/changes/{change_id}",
            group,
            "Undo a change that is not billed yet",
            undo,
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
}

async fn create(ask: &Ask, Given(given): Given<Creation>) -> ApiResult<Created<Subscription>> {
    let customer = customers::find(&ask.tx, given.customer).await?;
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
    let id = subscription::subscribe(&ask.tx, &new, ask.now).await.map_err(named)?;
    Ok(Created(shown(&find(ask, id).await?, ask.now)?))
}

/// Fields have the names of the API.
pub fn named(error: subscription::SubscriptionError) -> Problem {
    let mut problem = Problem::from(error);
    for field in &mut problem.fields {
        for (domain, api) in [("/plan_version_id", "/plan_version"), ("/customer_id", "/customer"), ("/at", "/when")] {
            if field.pointer == domain {
                field.pointer = api.to_owned();
                problem.detail = format!("{}: {}.", field.pointer, field.detail);
            }
        }
    }
    problem
}

/// What is asked of a subscription.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewChange)]
pub struct NewChange {
    #[schema(schema_with = shapes::change_kind)]
    kind: ChangeKind,
    /// Of `plan`, `add_on`, `remove_add_on`: which version.
    #[schema(value_type = Option<String>)]
    plan_version: Option<PlanVersionId>,
    /// Of `seats`, and of `plan` when they change with it.
    seats: Option<u32>,
    /// Of `cancel`: credit what was billed in advance beyond the end.
    credit: Option<bool>,
    /// `now` (when left out), `period_end`, `term_end`, or an instant (RFC 3339) that does not lie in the past.
    when: Option<String>,
}

impl NewChange {
    /// What is asked, and when it takes effect.
    pub fn read(&self) -> ApiResult<(Change, When)> {
        let version = || self.plan_version.ok_or_else(|| missing("/plan_version"));
        let change = match self.kind {
            ChangeKind::Plan => Change::Plan { version: version()?, seats: self.seats },
            ChangeKind::Seats => Change::Seats(self.seats.ok_or_else(|| missing("/seats"))?),
            ChangeKind::AddOn => Change::AddOn { version: version()? },
            ChangeKind::RemoveAddOn => Change::RemoveAddOn { version: version()? },
            ChangeKind::Pause => Change::Pause,
            ChangeKind::Resume => Change::Resume,
            ChangeKind::Cancel => Change::Cancel { credit: self.credit.unwrap_or(false) },
            ChangeKind::Reactivate => Change::Reactivate,
            ChangeKind::EndTrial => Change::EndTrial,
            ChangeKind::FreeAddOn => {
                let rule = "is given by a loyalty rule and cannot be asked for";
                return Err(Problem::invalid("/kind", "unknown_word", rule).with_value(self.kind.as_str()));
            }
        };
        use ChangeKind as K;
        let names_version = matches!(self.kind, K::Plan | K::AddOn | K::RemoveAddOn);
        must_fit("/plan_version", self.plan_version.is_none() || names_version)?;
        must_fit("/seats", self.seats.is_none() || matches!(self.kind, K::Seats | K::Plan))?;
        must_fit("/credit", self.credit.is_none() || self.kind == K::Cancel)?;
        Ok((change, self.when()?))
    }

    fn when(&self) -> ApiResult<When> {
        Ok(match self.when.as_deref() {
            None | Some("now") => When::Now,
            Some("period_end") => When::PeriodEnd,
            Some("term_end") => When::TermEnd,
            Some(instant) => When::At(instant.parse().map_err(|_| {
                let rule = "must be now, period_end, term_end or an instant";
                Problem::invalid("/when", "unknown_word", rule).with_value(instant)
            })?),
        })
    }
}

fn missing(pointer: &str) -> Problem {
    Problem::invalid(pointer, "missing", "this field is missing")
}

fn must_fit(pointer: &str, fits: bool) -> ApiResult<()> {
    if fits { Ok(()) } else { Err(Problem::invalid(pointer, "must_be_absent", "must be left out for this kind")) }
}

/// A change as it was asked for.
#[derive(Serialize, ToSchema)]
#[schema(as = Change)]
struct ShownChange {
    #[schema(example = "change")]
    object: &'static str,
    id: String,
    subscription: String,
    #[schema(schema_with = shapes::change_kind)]
    kind: &'static str,
    plan_version: Option<String>,
    seats: Option<u32>,
    credit: Option<bool>,
    /// When it takes, or took, effect.
    at: DateTime<Utc>,
    asked_at: DateTime<Utc>,
    asked_by: String,
    /// From here on it can no longer be undone.
    billed_at: Option<DateTime<Utc>>,
    undone_at: Option<DateTime<Utc>>,
    undone_by: Option<String>,
}

impl Shown for ShownChange {
    fn id(&self) -> String {
        self.id.clone()
    }
}

impl From<subscription::Asked> for ShownChange {
    fn from(of: subscription::Asked) -> Self {
        Self {
            object: "change",
            id: of.id.to_string(),
            subscription: of.subscription_id.to_string(),
            kind: of.change.kind().as_str(),
            plan_version: of.change.version().map(|version| version.to_string()),
            seats: match of.change {
                Change::Plan { seats, .. } => seats,
                Change::Seats(seats) => Some(seats),
                _ => None,
            },
            credit: match of.change {
                Change::Cancel { credit } => Some(credit),
                _ => None,
            },
            at: of.at,
            asked_at: of.asked_at,
            asked_by: of.asked_by,
            billed_at: of.billed_at,
            undone_at: of.undone_at,
            undone_by: of.undone_by,
        }
    }
}

async fn changes(ask: &Ask, _: Nothing) -> ApiResult<List<ShownChange>> {
    let id = ask.id("subscription_id")?;
    find(ask, id).await?;
    let asked = subscription::changes_of(&ask.tx, id).await?;
    Ok(List::whole(asked.into_iter().map(ShownChange::from).collect()))
}

async fn change(ask: &Ask, Given(given): Given<NewChange>) -> ApiResult<Created<ShownChange>> {
    let id = ask.id("subscription_id")?;
    find(ask, id).await?;
    let (change, when) = given.read()?;
    let change_id = subscription::change(&ask.tx, id, &change, when, &ask.actor(), ask.now).await.map_err(named)?;
    Ok(Created(asked(ask, id, change_id).await?))
}

async fn undo(ask: &Ask, _: Nothing) -> ApiResult<One<ShownChange>> {
    let (id, change_id) = (ask.id("subscription_id")?, ask.id("change_id")?);
    asked(ask, id, change_id).await?;
    subscription::undo_change(&ask.tx, change_id, &ask.actor(), ask.now).await.map_err(named)?;
    Ok(One(asked(ask, id, change_id).await?))
}

async fn asked(ask: &Ask, id: SubscriptionId, change_id: ChangeId) -> ApiResult<ShownChange> {
    let all = subscription::changes_of(&ask.tx, id).await?;
    all.into_iter().find(|asked| asked.id == change_id).map(ShownChange::from).ok_or_else(Problem::not_found)
}
