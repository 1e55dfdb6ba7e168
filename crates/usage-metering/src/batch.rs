use crate::error::UsageError;
use crate::prepare::json_of;
use crate::store::sum::NewSum;
use crate::suspense::SuspenseCause;
use crate::{meter, store, suspense};
use chrono::{DateTime, Utc};
use db::{BatchId, CustomerId, SubscriptionId, TenantTx};
use rust_decimal::Decimal;
use std::collections::{BTreeMap, HashSet};
use subscription::{Component, History};

/// What a batch from the book below adds to an hour here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SumRow {
    /// The child as a customer of this book.
    pub customer_id: CustomerId,
    pub subscription_id: Option<SubscriptionId>,
    pub meter: String,
    /// [`crate::local_hour`] in the customer's zone.
    pub hour: DateTime<Utc>,
    pub dimensions: BTreeMap<String, String>,
    pub quantity: Decimal,
    /// Events summed.
    pub events: i64,
}

/// Takes usage that moved upward: sums, never a row per call. False for a key that was taken before: nothing changes then.
/// Rows of a customer or meter that this book does not have go to suspense, each whole.
pub async fn take_batch(tx: &TenantTx, key: &str, rows: &[SumRow], now: DateTime<Utc>) -> Result<bool, UsageError> {
    let batch_id = BatchId::new();
    if !store::sum::put_batch(tx, batch_id, key, now).await? {
        return Ok(false);
    }
    let ids: HashSet<CustomerId> = rows.iter().map(|row| row.customer_id).collect();
    let ids: Vec<CustomerId> = ids.into_iter().collect();
    let customers: HashSet<CustomerId> =
        subscription::customers_by_id(tx, &ids).await?.into_iter().map(|customer| customer.id).collect();
    let meters: HashSet<String> = meter::meters(tx).await?.into_iter().map(|meter| meter.code).collect();
    let subscriptions = subscription::subscriptions_of_many(tx, &ids).await?;
    let histories = subscription::histories(tx, &subscriptions).await?;
    let mut sums = Vec::with_capacity(rows.len());
    for row in rows {
        if !customers.contains(&row.customer_id) {
            keep(tx, key, row, SuspenseCause::UnknownCustomer, now).await?;
        } else if !meters.contains(&row.meter) {
            keep(tx, key, row, SuspenseCause::UnknownMeter, now).await?;
        } else {
            sums.push(NewSum {
                subscription_id: row.subscription_id.or_else(|| counted_by(&histories, row)),
                ..sum_of(row)
            });
        }
    }
    store::sum::insert(tx, batch_id, &sums).await?;
    Ok(true)
}

/// The subscription that a sum counts for where it names none, as what comes from the book below never does: of those that count
/// it in its hour, the one that began first.
fn counted_by(histories: &[History], row: &SumRow) -> Option<SubscriptionId> {
    let counts =
        |component: &&Component| component.meter() == Some(row.meter.as_str()) && component.matches(&row.dimensions);
    let of_customer = histories.iter().filter(|history| history.subscription.customer_id == row.customer_id);
    let counting = of_customer.filter(|history| history.components_at(row.hour).any(|component| counts(&component)));
    counting.map(|history| (history.subscription.started_at, history.subscription.id)).min().map(|(_, id)| id)
}

fn sum_of(row: &SumRow) -> NewSum {
    NewSum {
        customer_id: row.customer_id,
        subscription_id: row.subscription_id,
        meter: row.meter.clone(),
        hour: row.hour,
        dimensions: json_of(&row.dimensions),
        quantity: row.quantity,
        events: row.events,
    }
}

async fn keep(
    tx: &TenantTx,
    key: &str,
    row: &SumRow,
    cause: SuspenseCause,
    now: DateTime<Utc>,
) -> Result<(), UsageError> {
    let payload = serde_json::json!({
        "batch": key,
        "customer_id": row.customer_id,
        "subscription_id": row.subscription_id,
        "meter": row.meter,
        "hour": row.hour,
        "dimensions": row.dimensions,
        "quantity": row.quantity,
        "events": row.events,
    });
    suspense::suspend(tx, cause, &format!("a sum of batch {key}"), &payload, now).await?;
    Ok(())
}
