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
