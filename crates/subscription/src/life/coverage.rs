//! Who charges usage: the one component that covers it, or nobody, or (a mistake of the catalogue) several.

use crate::catalogue::Component;
use crate::error::Result;
use crate::store::held as store;
use chrono::{DateTime, Utc};
use db::{CustomerId, SubscriptionId, TenantTx};
use std::collections::BTreeMap;

/// Who charges this usage.
#[derive(Clone, Debug, PartialEq)]
#[allow(
    clippy::large_enum_variant,
    reason = "it lives for one call's admission, and a box would only hide the component"
)]
pub enum Coverage {
    /// No component: a call is charged by its topic's tariff.
    Uncovered,
    /// This component of this subscription: the tariff does not apply.
    Component { subscription_id: SubscriptionId, component: Component },
    /// Several: charged by nobody until somebody has decided (suspense).
    Several,
}

/// Which component of which of the customer's subscriptions charges usage of a meter with these dimensions at an instant.
///
/// Components of add-ons count like the plan's own. Filters of one subscription exclude each other from the day it is
/// published, so several means several subscriptions.
pub async fn coverage(
    tx: &TenantTx,
    customer_id: CustomerId,
    meter: &str,
    dimensions: &BTreeMap<String, String>,
    at: DateTime<Utc>,
) -> Result<Coverage> {
    let candidates = store::measuring(tx, customer_id, meter, at).await?;
    let mut matching = candidates.into_iter().filter(|(_, component)| component.matches(dimensions));
    Ok(match (matching.next(), matching.next()) {
        (None, _) => Coverage::Uncovered,
        (Some((subscription_id, component)), None) => Coverage::Component { subscription_id, component },
        (Some(_), Some(_)) => Coverage::Several,
    })
}
