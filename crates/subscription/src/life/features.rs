//! What a subscriber may use.

use super::history::{histories, history};
use super::subscription::subscriptions_of;
use crate::error::{Result, SubscriptionError};
use chrono::{DateTime, Utc};
use db::{CustomerId, SubscriptionId, TenantTx};
use std::collections::BTreeSet;

/// What a subscriber may use at an instant: nothing when it is not served.
pub async fn features(tx: &TenantTx, subscription_id: SubscriptionId, now: DateTime<Utc>) -> Result<BTreeSet<String>> {
    let history = history(tx, subscription_id).await?;
    let history = history.ok_or_else(|| SubscriptionError::not_found("subscription", subscription_id))?;
    history.features_at(now)
}

/// What a customer may use at an instant, by all of its subscriptions.
pub async fn features_of_customer(
    tx: &TenantTx,
    customer_id: CustomerId,
    now: DateTime<Utc>,
) -> Result<BTreeSet<String>> {
    let mut all = BTreeSet::new();
    for history in histories(tx, &subscriptions_of(tx, customer_id).await?).await? {
        all.extend(history.features_at(now)?);
    }
    Ok(all)
}
