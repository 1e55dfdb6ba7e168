//! A customer begins with a plan, with add-ons and a coupon beside it. The page and the API ask here, so that both begin the same.

use chrono::{DateTime, Utc};
use db::{PlanVersionId, SubscriptionId, TenantTx};
use subscription::{Change, NewSubscription, SubscriptionError, TrialEnd, When};

/// What begins.
pub struct Beginning {
    pub new: NewSubscription,
    /// What was agreed about the end of its trial; `None`: what the plan says. Of one that begins without a trial it says nothing.
    pub trial_end: Option<TrialEnd>,
    /// Versions of add-ons that it has from its start on.
    pub add_ons: Vec<PlanVersionId>,
    /// Code of a coupon.
    pub coupon: Option<String>,
}

/// Which part of it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Plan, seats, start and trial.
    Plan,
    /// One of the add-ons, by its place.
    AddOn(usize),
    Coupon,
}

/// Why nothing begins.
#[derive(Debug)]
pub struct Refused {
    pub part: Part,
    pub error: SubscriptionError,
}

/// Does it all, in the caller's transaction.
pub async fn begin(tx: &TenantTx, wanted: &Beginning, by: &str, now: DateTime<Utc>) -> Result<SubscriptionId, Refused> {
    let of = |part: Part| move |error: SubscriptionError| Refused { part, error };
    must_count_seats(tx, wanted).await.map_err(of(Part::Plan))?;
    let id = subscription::subscribe(tx, &wanted.new, now).await.map_err(of(Part::Plan))?;
    if let Some(end) = wanted.trial_end.filter(|_| wanted.new.trial) {
        subscription::agree_trial_end(tx, id, end, now).await.map_err(of(Part::Plan))?;
    }
    let from = When::At(wanted.new.starts_at);
    for (place, version) in wanted.add_ons.iter().enumerate() {
        let change = Change::AddOn { version: *version };
        subscription::change(tx, id, &change, from, by, now).await.map_err(of(Part::AddOn(place)))?;
    }
    if let Some(code) = &wanted.coupon {
        subscription::redeem_coupon(tx, id, code, now).await.map_err(of(Part::Coupon))?;
    }
    Ok(id)
}

/// Seats say nothing where neither the plan nor an add-on that begins with it counts them.
async fn must_count_seats(tx: &TenantTx, wanted: &Beginning) -> Result<(), SubscriptionError> {
    // A plan that nobody knows is refused as such.
    let Some(plan) = subscription::plan_version(tx, wanted.new.plan_version_id).await? else { return Ok(()) };
    let mut parts = plan.components;
    for id in &wanted.add_ons {
        parts.extend(subscription::plan_version(tx, *id).await?.into_iter().flat_map(|version| version.components));
    }
    subscription::must_count_seats(plan.seat_limit, &parts, wanted.new.seats)
}
