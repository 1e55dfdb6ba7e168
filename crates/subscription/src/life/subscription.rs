//! Who is on which plan, since when and until when.

use super::history::History;
use super::period::{self, ServicePeriod};
use super::transition;
use crate::catalogue::{PlanVersion, plan_version};
use crate::customer::{add_customer_event, lock_customer, must_exist as must_be_customer};
use crate::error::{Result, Rule, SubscriptionError, must, refuse, same_currency};
use crate::rules;
use crate::store::{catalogue, subscriptions as store};
use crate::words::{EndedBy, TrialEnd};
use chrono::{DateTime, Days, NaiveDate, Utc};
use db::{CustomerId, PlanVersionId, SubscriptionId, TenantTx};
use std::collections::HashMap;

/// A customer on a plan version.
#[derive(Clone, Debug, PartialEq)]
pub struct Subscription {
    pub id: SubscriptionId,
    pub customer_id: CustomerId,
    /// The version it began with; what it has later is in its [`History`].
    pub first_plan_version_id: PlanVersionId,
    /// Day from which its months are counted.
    pub anchor_on: NaiveDate,
    /// IANA zone of its periods, frozen when it began.
    pub time_zone: String,
    /// Assigned seats it began with; what it has later is in its [`History`].
    pub first_seats: u32,
    pub started_at: DateTime<Utc>,
    /// The first instant after the trial, if it began with one.
    pub trial_ends_at: Option<DateTime<Utc>>,
    /// From here on it is not in service; may lie ahead.
    pub cancelled_at: Option<DateTime<Utc>>,
    /// Why it is over at `cancelled_at`.
    pub ended_by: Option<EndedBy>,
    /// Since when an invoice is overdue, or a means of payment is missing after the trial.
    pub past_due_since: Option<DateTime<Utc>>,
    /// What was agreed for this one about the end of its trial; `None`: what its plan says.
    pub trial_end: Option<TrialEnd>,
}

impl Subscription {
    /// Do recurring components cost nothing at an instant?
    pub fn in_trial_at(&self, instant: DateTime<Utc>) -> bool {
        self.trial_ends_at.is_some_and(|ends_at| instant < ends_at)
    }

    /// Has it begun, and not ended?
    pub fn in_service_at(&self, instant: DateTime<Utc>) -> bool {
        self.started_at <= instant && self.cancelled_at.is_none_or(|cancelled_at| instant < cancelled_at)
    }
}

/// A subscription to be.
#[derive(Clone, Debug)]
pub struct NewSubscription {
    pub customer_id: CustomerId,
    pub plan_version_id: PlanVersionId,
    pub seats: u32,
    /// A day whose first month holds the start: 1 March for a start on 15 March and bills by calendar month.
    pub anchor_on: NaiveDate,
    pub starts_at: DateTime<Utc>,
    /// Begin with the version's trial.
    pub trial: bool,
}

/// Puts a customer on a plan version. Periods are counted in the customer's zone, which is frozen here.
///
/// A trial counts civil days, the first one included, and ends at local midnight.
pub async fn subscribe(tx: &TenantTx, new: &NewSubscription, now: DateTime<Utc>) -> Result<SubscriptionId> {
    let customer = must_be_customer(tx, new.customer_id).await?;
    must(customer.closed_at.is_none(), "customer_id", Rule::CustomerMustBeOpen, &customer.customer_no)?;
    let version = must_be_version(tx, new.plan_version_id).await?;
    let plan = must_be_sold(tx, &version).await?;
    must(!plan.is_add_on, "plan_version_id", Rule::MustBePlan, &plan.code)?;
    same_currency("plan_version_id", customer.currency, version.currency)?;
    transition::seats_fit(version.seat_limit, version.sells_extra_seats, new.seats)?;
    let (starts_on, today) =
        (pricing::civil_date(new.starts_at, &customer.time_zone)?, pricing::civil_date(now, &customer.time_zone)?);
    rules::within_ten_years("starts_at", starts_on, today)?;
    let first = period::containing(new.anchor_on, &customer.time_zone, new.starts_at);
    let holds_start = first.is_ok_and(|period| period.position == 0);
    must(holds_start, "anchor_on", Rule::AnchorMustHoldStart, new.anchor_on)?;
    let trial_ends_at = match new.trial {
        true if version.trial_days == 0 => return refuse("trial", Rule::TrialNeedsDays, plan.code),
        true => {
            // Under the customer's lock: of two that begin at once, one has the trial.
            lock_customer(tx, customer.id).await?;
            let had_one = store::has_tried(tx, customer.id, plan.id.into()).await?;
            must(!had_one, "trial", Rule::OneTrialPerPlan, &plan.code)?;
            Some(trial_end(new.starts_at, version.trial_days, &customer.time_zone)?)
        }
        false => None,
    };
    let id = SubscriptionId::new();
    let subscription = Subscription {
        id,
        customer_id: customer.id,
        first_plan_version_id: version.id,
        anchor_on: new.anchor_on,
        time_zone: customer.time_zone,
        first_seats: new.seats,
        started_at: new.starts_at,
        trial_ends_at,
        cancelled_at: None,
        ended_by: None,
        past_due_since: None,
        trial_end: None,
    };
    let text = format!("Subscribed to {} (version {}).", plan.name, version.version);
    let begun = History::begin(subscription, version)?;
    // What was begun for an earlier day is looked at from that day on.
    store::insert(tx, &begun, begun.next_look_after(new.starts_at.min(now))?).await?;
    add_customer_event(tx, customer.id, "subscribed", &text, new.starts_at, now).await?;
    Ok(id)
}

/// Agrees for one subscription what becomes of its trial without a means of payment, whatever its plan says.
pub async fn agree_trial_end(tx: &TenantTx, id: SubscriptionId, end: TrialEnd, now: DateTime<Utc>) -> Result<()> {
    let subscription = must_lock(tx, id).await?;
    must(subscription.in_trial_at(now.max(subscription.started_at)), "trial_end", Rule::TrialMustRun, end)?;
    store::agree_trial_end(tx, id, end).await
}

fn trial_end(starts_at: DateTime<Utc>, trial_days: u32, time_zone: &str) -> Result<DateTime<Utc>> {
    let first_on = pricing::civil_date(starts_at, time_zone)?;
    let end_on = first_on.checked_add_days(Days::new(trial_days.into())).ok_or(pricing::PricingError::TooLarge)?;
    Ok(pricing::start_of_day(end_on, time_zone)?)
}

async fn must_be_version(tx: &TenantTx, id: PlanVersionId) -> Result<PlanVersion> {
    plan_version(tx, id).await?.ok_or_else(|| SubscriptionError::not_found("plan version", id))
}

async fn must_be_sold(tx: &TenantTx, version: &PlanVersion) -> Result<crate::entity::plan::Model> {
    let plan = catalogue::plan_row(tx, version.plan_id).await?;
    let plan = plan.ok_or_else(|| SubscriptionError::not_found("plan", version.plan_id))?;
    must(plan.archived_at.is_none(), "plan_version_id", Rule::MustNotBeArchived, &plan.code)?;
    Ok(plan)
}

/// One subscription.
pub async fn subscription(tx: &TenantTx, id: SubscriptionId) -> Result<Option<Subscription>> {
    store::by_id(tx, id).await
}

/// A customer's subscriptions, cancelled ones included, the oldest first.
pub async fn subscriptions_of(tx: &TenantTx, customer_id: CustomerId) -> Result<Vec<Subscription>> {
    store::of_customers(tx, &[customer_id]).await
}

/// Subscriptions, cancelled ones included, the oldest first, from the one after this one on; of one customer, or of all.
pub async fn subscriptions_page(
    tx: &TenantTx,
    customer_id: Option<CustomerId>,
    after: Option<SubscriptionId>,
    limit: u64,
) -> Result<Vec<Subscription>> {
    store::page(tx, customer_id, after, limit).await
}

/// The subscriptions of many customers in one read: for runs.
pub async fn subscriptions_of_many(tx: &TenantTx, customer_ids: &[CustomerId]) -> Result<Vec<Subscription>> {
    store::of_customers(tx, customer_ids).await
}

/// The book's subscriptions that are in service.
pub async fn all_active(tx: &TenantTx, now: DateTime<Utc>) -> Result<Vec<Subscription>> {
    store::in_service(tx, now).await
}

/// The plan version that each of many subscriptions is on at an instant, in one read: for counts and lists.
pub async fn plan_versions_at(
    tx: &TenantTx,
    subscriptions: &[Subscription],
    at: DateTime<Utc>,
) -> Result<HashMap<SubscriptionId, PlanVersionId>> {
    let moved = crate::store::changes::moved_to(tx, subscriptions, at).await?;
    let version = |of: &Subscription| moved.get(&of.id).copied().unwrap_or(of.first_plan_version_id);
    Ok(subscriptions.iter().map(|subscription| (subscription.id, version(subscription))).collect())
}

pub(crate) async fn must_lock(tx: &TenantTx, id: SubscriptionId) -> Result<Subscription> {
    store::lock(tx, id).await?.ok_or_else(|| SubscriptionError::not_found("subscription", id))
}

/// Opens every period that begins before `until` and in service, freezes its bounds, and returns all frozen ones in order.
///
/// A period that is open keeps its bounds, whatever becomes of the zone's rules. A subscription that starts within its
/// first period has that period whole: what is charged for it is prorated from `started_at`.
pub async fn open_periods(
    tx: &TenantTx,
    subscription_id: SubscriptionId,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Vec<ServicePeriod>> {
    let subscription = subscription(tx, subscription_id).await?;
    let subscription = subscription.ok_or_else(|| SubscriptionError::not_found("subscription", subscription_id))?;
    Ok(open_periods_of_many(tx, &[subscription], until, now).await?.pop().unwrap_or_default())
}

/// The same for many subscriptions, in their order, in two statements: for runs.
pub async fn open_periods_of_many(
    tx: &TenantTx,
    subscriptions: &[Subscription],
    until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Vec<Vec<ServicePeriod>>> {
    let mut frozen = store::periods(tx, subscriptions).await?;
    let mut opened = Vec::new();
    for subscription in subscriptions {
        let until = subscription.cancelled_at.map_or(until, |cancelled_at| cancelled_at.min(until));
        let known = frozen.get(&subscription.id).map_or(0, Vec::len);
        let due = period::until(subscription.anchor_on, &subscription.time_zone, until)?;
        opened.extend(due.into_iter().skip(known).map(|period| (subscription, period)));
    }
    if !opened.is_empty() {
        store::open(tx, &opened, now).await?;
        // Somebody else may have opened the same ones meanwhile: what is stored holds.
        frozen = store::periods(tx, subscriptions).await?;
    }
    let of = |subscription: &Subscription| frozen.remove(&subscription.id).unwrap_or_default();
    let all = subscriptions.iter().map(of);
    Ok(all.map(|periods| periods.into_iter().filter(|period| period.starts_at < until).collect()).collect())
}

/// The periods opened so far, in order.
pub async fn periods(tx: &TenantTx, subscription: &Subscription) -> Result<Vec<ServicePeriod>> {
    Ok(store::periods(tx, std::slice::from_ref(subscription)).await?.remove(&subscription.id).unwrap_or_default())
}
