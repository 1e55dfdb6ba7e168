//! Another plan for a customer that has one: nothing locks it in, and nothing that was paid in advance is lost.

use crate::error::{Result, Rule, SubscriptionError, must};
use crate::period;
use crate::plan::plan_version;
use crate::subscription::{NewSubscription, add_add_on, attached, cancel, subscribe, subscription};
use chrono::{DateTime, Utc};
use db::{PlanVersionId, SubscriptionId, TenantTx};

/// A subscription that follows another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The new subscription.
    pub subscription_id: SubscriptionId,
    /// Where the old one ends and the new one begins.
    pub at: DateTime<Utc>,
}

/// Moves a subscription to another plan version at the end of the term that is running: the old one ends there, a new one
/// begins there without trial, with the seats given and with the add-ons that are still attached.
///
/// Its months are counted from that day on. An add-on that clashes with the new plan refuses the whole change: end it first.
pub async fn change_plan_at_term_end(
    tx: &TenantTx,
    id: SubscriptionId,
    plan_version_id: PlanVersionId,
    seats: u32,
    now: DateTime<Utc>,
) -> Result<Changed> {
    let old = subscription(tx, id).await?.ok_or_else(|| SubscriptionError::not_found("subscription", id))?;
    must(old.cancelled_at.is_none(), "id", Rule::MustNotBeCancelled, id)?;
    let version = plan_version(tx, old.plan_version_id).await?;
    let version = version.ok_or_else(|| SubscriptionError::not_found("plan version", old.plan_version_id))?;
    let running = period::containing(old.anchor_on, &old.time_zone, now.max(old.started_at))?;
    let next = (running.position / version.term_months + 1) * version.term_months;
    let first = period::at_position(old.anchor_on, &old.time_zone, next)?;
    let staying =
        attached(tx, &old).await?.into_iter().filter(|attached| attached.is_add_on && attached.until.is_none());
    let staying: Vec<PlanVersionId> = staying.map(|attached| attached.version.id).collect();

    cancel(tx, id, first.starts_at, now).await?;
    let new = NewSubscription {
        customer_id: old.customer_id,
        plan_version_id,
        seats,
        anchor_on: first.starts_on,
        starts_at: first.starts_at,
        trial: false,
    };
    let subscription_id = subscribe(tx, &new, now).await?;
    for add_on in staying {
        add_add_on(tx, subscription_id, add_on, first.starts_at, now).await?;
    }
    Ok(Changed { subscription_id, at: first.starts_at })
}
