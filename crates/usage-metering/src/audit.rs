use crate::error::UsageError;
use crate::store;
use chrono::{DateTime, TimeDelta, Utc};
use db::{CustomerId, TenantTx};
use ledger::Violation;
use std::collections::HashSet;

/// Keys of so many hours are followed to what became of them.
const HOURS_FOLLOWED: i64 = 48;

/// I4: each key of the last hours ended as an event or in suspense, and the hours hold what the events say.
pub async fn check(tx: &TenantTx, now: DateTime<Utc>) -> Result<Vec<Violation>, UsageError> {
    let mut violations = Vec::new();
    for (source, id) in store::audit::keys_without_end(tx, now - TimeDelta::hours(HOURS_FOLLOWED)).await? {
        let detail = format!("event {id} of {source} was taken, but is neither stored nor in suspense");
        violations.push(Violation { invariant: "I4", detail });
    }
    let differences = store::audit::differences(tx).await?;
    let ids: Vec<_> = differences.iter().map(|difference| difference.customer_id).collect();
    // What a child used comes as sums from its own book: here it has no events to recount.
    let children: HashSet<_> = subscription::customers_by_id(tx, &ids)
        .await?
        .into_iter()
        .filter(|customer| customer.organisation_id.is_some())
        .map(|customer| customer.id)
        .collect();
    for difference in differences.into_iter().filter(|difference| !children.contains(&difference.customer_id)) {
        let store::audit::Difference { customer_id, meter, summed, recounted } = difference;
        let detail = format!("meter {meter} of {customer_id}: the hours hold {summed}, its events {recounted}");
        violations.push(Violation { invariant: "I4", detail });
    }
    Ok(violations)
}

/// Is there usage of a customer in `[from, to)` that came in from an instant on? What was billed before cannot know of it.
pub async fn is_received_since(
    tx: &TenantTx,
    customer_id: CustomerId,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    since: DateTime<Utc>,
) -> Result<bool, UsageError> {
    Ok(store::audit::is_received_since(tx, customer_id, from, to, since).await?)
}
