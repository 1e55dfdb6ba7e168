//! Who is on which plan, since when and until when.

use crate::component::Component;
use crate::customer::{add_customer_event, must_exist as must_be_customer};
use crate::error::{Result, Rule, SubscriptionError, must, refuse, same_currency};
use crate::period::{self, ServicePeriod};
use crate::plan::{PlanVersion, plan_version, plan_versions};
use crate::store::{catalogue, subscriptions as store};
use crate::words::SubscriptionStatus;
use chrono::{DateTime, Days, NaiveDate, Utc};
use db::{CustomerId, PlanVersionId, SubscriptionId, TenantTx};
use std::collections::BTreeSet;

/// A customer on a plan version.
#[derive(Clone, Debug, PartialEq)]
pub struct Subscription {
    pub id: SubscriptionId,
    pub customer_id: CustomerId,
    pub plan_version_id: PlanVersionId,
    /// Day from which its months are counted.
    pub anchor_on: NaiveDate,
    /// IANA zone of its periods, frozen when it began.
    pub time_zone: String,
    /// Assigned seats.
    pub seats: u32,
    pub started_at: DateTime<Utc>,
    /// The first instant after the trial, if it began with one.
    pub trial_ends_at: Option<DateTime<Utc>>,
    /// From here on it is not in service; may lie ahead.
    pub cancelled_at: Option<DateTime<Utc>>,
}

impl Subscription {
    /// What it is at an instant. Nothing has to happen for a trial to end: it ends by the clock.
    pub fn status_at(&self, instant: DateTime<Utc>) -> SubscriptionStatus {
        if self.cancelled_at.is_some_and(|cancelled_at| cancelled_at <= instant) {
            SubscriptionStatus::Cancelled
        } else if self.in_trial_at(instant) {
            SubscriptionStatus::Trial
        } else {
            SubscriptionStatus::Active
        }
    }

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

/// A plan version that a subscription has, and for how long.
#[derive(Clone, Debug, PartialEq)]
pub struct Attached {
    pub version: PlanVersion,
    pub is_add_on: bool,
    pub from: DateTime<Utc>,
    pub until: Option<DateTime<Utc>>,
}

impl Attached {
    /// Is it there at an instant?
    pub fn holds(&self, instant: DateTime<Utc>) -> bool {
        self.from <= instant && self.until.is_none_or(|until| instant < until)
    }
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
    must(i32::try_from(new.seats).is_ok(), "seats", Rule::MustLieBetween(0, i32::MAX.into()), new.seats)?;
    let first = period::containing(new.anchor_on, &customer.time_zone, new.starts_at);
    let holds_start = first.is_ok_and(|period| period.position == 0);
    must(holds_start, "anchor_on", Rule::AnchorMustHoldStart, new.anchor_on)?;
    let trial_ends_at = match new.trial {
        true if version.trial_days == 0 => return refuse("trial", Rule::TrialNeedsDays, plan.code),
        true => Some(trial_end(new.starts_at, version.trial_days, &customer.time_zone)?),
        false => None,
    };
    let id = SubscriptionId::new();
    let subscription = Subscription {
        id,
        customer_id: customer.id,
        plan_version_id: version.id,
        anchor_on: new.anchor_on,
        time_zone: customer.time_zone,
        seats: new.seats,
        started_at: new.starts_at,
        trial_ends_at,
        cancelled_at: None,
    };
    store::insert(tx, &subscription).await?;
    let text = format!("Subscribed to {} (version {}).", plan.name, version.version);
    add_customer_event(tx, customer.id, "subscribed", &text, new.starts_at, now).await?;
    Ok(id)
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

/// Attaches an add-on from an instant on. Its keys must be new to the subscription, and nothing may be charged twice.
pub async fn add_add_on(
    tx: &TenantTx,
    subscription_id: SubscriptionId,
    plan_version_id: PlanVersionId,
    from: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<()> {
    let subscription = must_lock(tx, subscription_id).await?;
    must(from >= subscription.started_at, "from", Rule::MustNotPrecedeStart, from)?;
    must(subscription.in_service_at(from), "subscription_id", Rule::MustNotBeCancelled, subscription_id)?;
    let version = must_be_version(tx, plan_version_id).await?;
    let plan = must_be_sold(tx, &version).await?;
    must(plan.is_add_on, "plan_version_id", Rule::MustBeAddOn, &plan.code)?;
    let attached = attached(tx, &subscription).await?;
    let own = attached.first().map_or(version.currency, |own| own.version.currency);
    same_currency("plan_version_id", own, version.currency)?;
    let staying = attached.iter().filter(|other| other.until.is_none_or(|until| until > from));
    for other in staying.flat_map(|other| &other.version.components) {
        for part in &version.components {
            let field = format!("components/{}", part.key);
            must(part.key != other.key, format!("{field}/key"), Rule::MustBeUnique, &part.key)?;
            must(
                !part.overlaps(other),
                format!("{field}/filter"),
                Rule::FiltersMustNotOverlap(other.key.clone()),
                &part.key,
            )?;
        }
    }
    store::attach(tx, &subscription, plan_version_id, from).await?;
    let text = format!("Added {}.", plan.name);
    add_customer_event(tx, subscription.customer_id, "add_on_added", &text, from, now).await
}

/// Takes an add-on off at an instant.
pub async fn end_add_on(
    tx: &TenantTx,
    subscription_id: SubscriptionId,
    plan_version_id: PlanVersionId,
    at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<()> {
    let subscription = must_lock(tx, subscription_id).await?;
    must(at >= now, "at", Rule::MustNotLieInThePast, at)?;
    if !store::detach(tx, subscription_id, plan_version_id, at).await? {
        return Err(SubscriptionError::not_found("add-on", plan_version_id));
    }
    add_customer_event(tx, subscription.customer_id, "add_on_ended", "An add-on ends.", now, now).await
}

/// One subscription.
pub async fn subscription(tx: &TenantTx, id: SubscriptionId) -> Result<Option<Subscription>> {
    store::by_id(tx, id).await
}

/// A customer's subscriptions, cancelled ones included, the oldest first.
pub async fn subscriptions_of(tx: &TenantTx, customer_id: CustomerId) -> Result<Vec<Subscription>> {
    store::of_customers(tx, &[customer_id]).await
}

/// The subscriptions of many customers in one read: for runs.
pub async fn subscriptions_of_many(tx: &TenantTx, customer_ids: &[CustomerId]) -> Result<Vec<Subscription>> {
    store::of_customers(tx, customer_ids).await
}

/// The book's subscriptions that are in service.
pub async fn all_active(tx: &TenantTx, now: DateTime<Utc>) -> Result<Vec<Subscription>> {
    store::in_service(tx, now).await
}

/// The plan version first, then every add-on that is or was attached, by start.
pub async fn attached(tx: &TenantTx, subscription: &Subscription) -> Result<Vec<Attached>> {
    Ok(attached_to_many(tx, std::slice::from_ref(subscription)).await?.pop().unwrap_or_default())
}

/// The same for many subscriptions, in their order, in three reads.
pub async fn attached_to_many(tx: &TenantTx, subscriptions: &[Subscription]) -> Result<Vec<Vec<Attached>>> {
    let add_ons = store::add_ons(tx, subscriptions).await?;
    let ids: BTreeSet<PlanVersionId> = subscriptions
        .iter()
        .map(|subscription| subscription.plan_version_id)
        .chain(add_ons.values().flatten().map(|add_on| add_on.plan_version_id))
        .collect();
    let versions = plan_versions(tx, &ids.into_iter().collect::<Vec<_>>()).await?;
    let version = |id: PlanVersionId| {
        let found = versions.iter().find(|version| version.id == id).cloned();
        found.ok_or_else(|| SubscriptionError::not_found("plan version", id))
    };
    let mut all = Vec::with_capacity(subscriptions.len());
    for subscription in subscriptions {
        let own = Attached {
            version: version(subscription.plan_version_id)?,
            is_add_on: false,
            from: subscription.started_at,
            until: subscription.cancelled_at,
        };
        let mut attached = vec![own];
        for add_on in add_ons.get(&subscription.id).into_iter().flatten() {
            let until = [add_on.until, subscription.cancelled_at].into_iter().flatten().min();
            attached.push(Attached {
                version: version(add_on.plan_version_id)?,
                is_add_on: true,
                from: add_on.from,
                until,
            });
        }
        all.push(attached);
    }
    Ok(all)
}

/// What a subscriber may use at an instant: the features of its plan and of its add-ons; nothing when it is not in service.
pub async fn features(tx: &TenantTx, subscription_id: SubscriptionId, now: DateTime<Utc>) -> Result<BTreeSet<String>> {
    let subscription = subscription(tx, subscription_id).await?;
    let subscription = subscription.ok_or_else(|| SubscriptionError::not_found("subscription", subscription_id))?;
    Ok(granted(&attached(tx, &subscription).await?, now))
}

/// What a customer may use at an instant, by all of its subscriptions.
pub async fn features_of_customer(
    tx: &TenantTx,
    customer_id: CustomerId,
    now: DateTime<Utc>,
) -> Result<BTreeSet<String>> {
    let subscriptions = subscriptions_of(tx, customer_id).await?;
    let attached = attached_to_many(tx, &subscriptions).await?;
    Ok(attached.iter().flat_map(|attached| granted(attached, now)).collect())
}

fn granted(attached: &[Attached], at: DateTime<Utc>) -> BTreeSet<String> {
    attached
        .iter()
        .filter(|attached| attached.holds(at))
        .flat_map(|attached| attached.version.features.iter().cloned())
        .collect()
}

/// The components that hold at an instant, add-ons' included.
pub async fn components_at(tx: &TenantTx, subscription: &Subscription, at: DateTime<Utc>) -> Result<Vec<Component>> {
    let attached = attached(tx, subscription).await?;
    Ok(attached
        .into_iter()
        .filter(|attached| attached.holds(at))
        .flat_map(|attached| attached.version.components)
        .collect())
}

/// Changes the number of assigned seats.
pub async fn set_seats(tx: &TenantTx, id: SubscriptionId, seats: u32, now: DateTime<Utc>) -> Result<()> {
    let subscription = must_lock(tx, id).await?;
    must(subscription.in_service_at(now), "subscription_id", Rule::MustNotBeCancelled, id)?;
    must(i32::try_from(seats).is_ok(), "seats", Rule::MustLieBetween(0, i32::MAX.into()), seats)?;
    store::set_seats(tx, id, seats).await?;
    let text = format!("Seats changed from {} to {seats}.", subscription.seats);
    add_customer_event(tx, subscription.customer_id, "seats_changed", &text, now, now).await
}

/// Ends a subscription at an instant that does not lie in the past. A cancellation that lies ahead may be moved.
pub async fn cancel(tx: &TenantTx, id: SubscriptionId, at: DateTime<Utc>, now: DateTime<Utc>) -> Result<()> {
    let subscription = must_lock(tx, id).await?;
    if subscription.cancelled_at == Some(at) {
        return Ok(());
    }
    let ended = subscription.status_at(now) == SubscriptionStatus::Cancelled;
    must(!ended, "id", Rule::MustNotBeCancelled, id)?;
    must(at >= now, "at", Rule::MustNotLieInThePast, at)?;
    must(at >= subscription.started_at, "at", Rule::MustNotPrecedeStart, at)?;
    store::cancel(tx, id, at).await?;
    let on = pricing::civil_date(at, &subscription.time_zone)?;
    add_customer_event(tx, subscription.customer_id, "cancelled", &format!("The subscription ends on {on}."), now, now)
        .await
}

async fn must_lock(tx: &TenantTx, id: SubscriptionId) -> Result<Subscription> {
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
