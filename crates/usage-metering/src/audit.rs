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
    let children = children(tx, differences.iter().map(|difference| difference.customer_id)).await?;
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

/// I4, hour by hour: each hour of each customer, subscription and meter is counted once more from its events, quantity and
/// number, and what pages read from the hours. It reads every event that the book has.
pub async fn recount(tx: &TenantTx) -> Result<Vec<Violation>, UsageError> {
    let differences = store::audit::differing_hours(tx).await?;
    let children = children(tx, differences.iter().map(|difference| difference.customer_id)).await?;
    let own = differences.into_iter().filter(|difference| !children.contains(&difference.customer_id));
    let violation = |difference: store::audit::DifferingHour| {
        let store::audit::DifferingHour { customer_id, meter, hour, summed, recounted } = difference;
        let ((quantity, events), (quantity_again, events_again)) = (summed, recounted);
        let detail = format!(
            "meter {meter} of {customer_id} in the hour from {hour}: {quantity} of {events} events are summed, {quantity_again} of \
             {events_again} are stored"
        );
        Violation { invariant: "I4", detail }
    };
    let mut violations: Vec<Violation> = own.map(violation).collect();
    violations.extend(store::audit_pages::differing_pages(tx).await?.into_iter().map(shown_otherwise));
    Ok(violations)
}

/// What pages read is not what the hours hold.
fn shown_otherwise(difference: store::audit_pages::DifferingPage) -> Violation {
    let store::audit_pages::DifferingPage { of, meter, shown, rolled } = difference;
    let whose = match of {
        Ok(hour) => format!("of the book in the hour from {hour}"),
        Err(customer_id) => format!("of {customer_id} over all its days"),
    };
    let ((quantity, events), (quantity_held, events_held)) = (shown, rolled);
    let detail = format!(
        "meter {meter} {whose}: pages show {quantity} of {events} events, the hours hold {quantity_held} of {events_held}"
    );
    Violation { invariant: "I4", detail }
}

/// What a child used comes as sums from its own book: here it has no events to recount.
async fn children(tx: &TenantTx, ids: impl Iterator<Item = CustomerId>) -> Result<HashSet<CustomerId>, UsageError> {
    let ids: Vec<CustomerId> = ids.collect::<HashSet<CustomerId>>().into_iter().collect();
    let customers = subscription::customers_by_id(tx, &ids).await?;
    Ok(customers
        .into_iter()
        .filter(|customer| customer.organisation_id.is_some())
        .map(|customer| customer.id)
        .collect())
}
