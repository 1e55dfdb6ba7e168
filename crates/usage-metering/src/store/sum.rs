use chrono::{DateTime, Utc};
use db::{BatchId, CustomerId, DbError, SubscriptionId, TenantTx};
use rust_decimal::Decimal;
use uuid::Uuid;

/// What a batch adds to an hour.
pub struct NewSum {
    pub customer_id: CustomerId,
    pub subscription_id: Option<SubscriptionId>,
    pub meter: String,
    pub hour: DateTime<Utc>,
    /// A JSON object of texts.
    pub dimensions: String,
    pub quantity: Decimal,
    pub events: i64,
}

pub async fn insert(tx: &TenantTx, batch_id: BatchId, sums: &[NewSum]) -> Result<(), DbError> {
    if sums.is_empty() {
        return Ok(());
    }
    let subscriptions: Vec<Uuid> =
        sums.iter().map(|sum| sum.subscription_id.map_or(Uuid::nil(), |id| id.uuid())).collect();
    tx.run(
        "INSERT INTO usage_sum (tenant_id, batch_id, position, customer_id, subscription_id, meter, hour, dimensions, quantity, events)
         SELECT $1, $2, u.position, u.customer_id, nullif(u.subscription_id, '00000000-0000-0000-0000-000000000000'), u.meter, u.hour,
                u.dimensions::jsonb, u.quantity, u.events
         FROM unnest($3::uuid[], $4::uuid[], $5::text[], $6::timestamptz[], $7::text[], $8::numeric[], $9::int8[])
              WITH ORDINALITY AS u(customer_id, subscription_id, meter, hour, dimensions, quantity, events, position)",
        [
            tx.tenant_id().into(),
            batch_id.into(),
            sums.iter().map(|sum| sum.customer_id.uuid()).collect::<Vec<Uuid>>().into(),
            subscriptions.into(),
            sums.iter().map(|sum| sum.meter.clone()).collect::<Vec<String>>().into(),
            sums.iter().map(|sum| sum.hour).collect::<Vec<DateTime<Utc>>>().into(),
            sums.iter().map(|sum| sum.dimensions.clone()).collect::<Vec<String>>().into(),
            sums.iter().map(|sum| sum.quantity).collect::<Vec<Decimal>>().into(),
            sums.iter().map(|sum| sum.events).collect::<Vec<i64>>().into(),
        ],
    )
    .await?;
    Ok(())
}

/// False when the key is known.
pub async fn put_batch(tx: &TenantTx, batch_id: BatchId, key: &str, now: DateTime<Utc>) -> Result<bool, DbError> {
    let touched = tx
        .run(
            "INSERT INTO usage_batch (tenant_id, id, key, received_at) VALUES ($1, $2, $3, $4) ON CONFLICT (tenant_id, key) DO NOTHING",
            [tx.tenant_id().into(), batch_id.into(), key.into(), now.into()],
        )
        .await?;
    Ok(touched > 0)
}
