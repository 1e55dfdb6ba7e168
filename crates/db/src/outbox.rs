//! What must leave a transaction (mail, usage for the seller's book, documents to render) is a row written in it, and is
//! delivered later, at least once. Each message has a natural key: enqueued twice, it is one row (I13).

use crate::ids::TenantId;
use crate::wall::{PlatformTx, TenantTx};
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{DbErr, FromQueryResult};
use uuid::Uuid;

/// A message taken for delivery.
#[derive(Clone, Debug, FromQueryResult)]
pub struct OutboxMessage {
    pub id: Uuid,
    /// What kind of message, for example `leg_upward`.
    pub topic: String,
    /// Natural key within the topic.
    pub key: String,
    pub payload: serde_json::Value,
    pub attempts: i32,
}

/// Writes a message in the caller's transaction. The same (topic, key) again changes nothing.
pub async fn enqueue(
    tx: &TenantTx,
    topic: &str,
    key: &str,
    payload: serde_json::Value,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    tx.run(
        "INSERT INTO outbox (tenant_id, id, topic, key, payload, created_at, due_at)
         VALUES ($1, $2, $3, $4, $5, $6, $6) ON CONFLICT (tenant_id, topic, key) DO NOTHING",
        [tx.tenant_id().into(), Uuid::now_v7().into(), topic.into(), key.into(), payload.into(), now.into()],
    )
    .await?;
    Ok(())
}

/// Writes many messages of a topic, each by its key and payload; those that are known change nothing.
pub async fn enqueue_all(
    tx: &TenantTx,
    topic: &str,
    messages: &[(String, serde_json::Value)],
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let ids: Vec<Uuid> = messages.iter().map(|_| Uuid::now_v7()).collect();
    let keys: Vec<String> = messages.iter().map(|(key, _)| key.clone()).collect();
    let payloads: Vec<String> = messages.iter().map(|(_, payload)| payload.to_string()).collect();
    tx.run(
        "INSERT INTO outbox (tenant_id, id, topic, key, payload, created_at, due_at)
         SELECT $1, m.id, $2, m.key, m.payload::jsonb, $6, $6
         FROM unnest($3::uuid[], $4::text[], $5::text[]) AS m (id, key, payload)
         ON CONFLICT (tenant_id, topic, key) DO NOTHING",
        [tx.tenant_id().into(), topic.into(), ids.into(), keys.into(), payloads.into(), now.into()],
    )
    .await?;
    Ok(())
}

/// Tenants whose outbox holds due messages.
pub async fn tenants_with_outbox(tx: &PlatformTx, now: DateTime<Utc>) -> Result<Vec<TenantId>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        tenant_id: Uuid,
    }
    let rows: Vec<Row> =
        tx.rows("SELECT DISTINCT tenant_id FROM outbox WHERE done_at IS NULL AND due_at <= $1", [now.into()]).await?;
    Ok(rows.into_iter().map(|row| row.tenant_id.into()).collect())
}

/// Takes up to `limit` due messages of a topic for as long as the transaction lasts; other workers skip them.
pub async fn claim_outbox(
    tx: &TenantTx,
    topic: &str,
    limit: u64,
    now: DateTime<Utc>,
) -> Result<Vec<OutboxMessage>, DbErr> {
    tx.rows(
        "SELECT id, topic, key, payload, attempts FROM outbox
         WHERE tenant_id = $1 AND topic = $2 AND done_at IS NULL AND due_at <= $3
         ORDER BY id LIMIT $4 FOR UPDATE SKIP LOCKED",
        [tx.tenant_id().into(), topic.into(), now.into(), (limit as i64).into()],
    )
    .await
}

/// Keeps claimed messages from other workers until an instant, also when the transaction is over: for what is delivered over a
/// network, where no transaction may wait. Whoever dies over it leaves them to be taken again then.
pub async fn lease_outbox(tx: &TenantTx, ids: &[Uuid], until: DateTime<Utc>) -> Result<(), DbErr> {
    tx.run(
        "UPDATE outbox SET due_at = $3 WHERE tenant_id = $1 AND id = ANY($2)",
        [tx.tenant_id().into(), ids.to_vec().into(), until.into()],
    )
    .await?;
    Ok(())
}

/// Marks messages delivered.
pub async fn finish_outbox(tx: &TenantTx, ids: &[Uuid], now: DateTime<Utc>) -> Result<(), DbErr> {
    tx.run(
        "UPDATE outbox SET done_at = $3 WHERE tenant_id = $1 AND id = ANY($2)",
        [tx.tenant_id().into(), ids.to_vec().into(), now.into()],
    )
    .await?;
    Ok(())
}

/// Puts a message back after a failure: later, and twice as late each time, up to an hour.
pub async fn postpone_outbox(
    tx: &TenantTx,
    message: &OutboxMessage,
    error: &str,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let wait_seconds = 5i64.saturating_mul(1 << message.attempts.clamp(0, 10)).min(3600);
    tx.run(
        "UPDATE outbox SET attempts = attempts + 1, last_error = $3, due_at = $4 WHERE tenant_id = $1 AND id = $2",
        [tx.tenant_id().into(), message.id.into(), error.into(), (now + TimeDelta::seconds(wait_seconds)).into()],
    )
    .await?;
    Ok(())
}
