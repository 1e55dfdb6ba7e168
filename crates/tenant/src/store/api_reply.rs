use crate::api_reply::{ApiReply, RequestHash};
use crate::error::TenantError;
use chrono::{DateTime, Utc};
use db::{DbError, TenantTx};
use sea_orm::FromQueryResult;

/// True for the one transaction that may work on this key until it ends.
pub async fn lock(tx: &TenantTx, key: &str) -> Result<bool, DbError> {
    let name = format!("{} {key}", tx.tenant_id());
    let got = tx.value("SELECT pg_try_advisory_xact_lock(hashtextextended($1, 7261004)) AS v", [name.into()]).await?;
    Ok(got.unwrap_or(false))
}

/// The hash of the request and its answer, unless it is older than `since`.
pub async fn find(tx: &TenantTx, key: &str, since: DateTime<Utc>) -> Result<Option<(Vec<u8>, ApiReply)>, TenantError> {
    #[derive(FromQueryResult)]
    struct Row {
        request_hash: Vec<u8>,
        status: i32,
        body: String,
    }
    let row: Option<Row> = tx
        .row(
            "SELECT request_hash, status, body FROM api_reply WHERE tenant_id = $1 AND key = $2 AND created_at > $3",
            [tx.tenant_id().into(), key.into(), since.into()],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let status = u16::try_from(row.status)
        .map_err(|_| TenantError::StoredValueMustBeKnown { what: "status", found: row.status.to_string() })?;
    Ok(Some((row.request_hash, ApiReply { status, body: row.body })))
}

/// What stood there before is older than it is kept: nobody else may write it while the key is locked.
pub async fn keep(
    tx: &TenantTx,
    key: &str,
    request: &RequestHash,
    reply: &ApiReply,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    tx.run(
        "INSERT INTO api_reply (tenant_id, key, request_hash, status, body, created_at) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (tenant_id, key) DO UPDATE SET request_hash = $3, status = $4, body = $5, created_at = $6",
        [
            tx.tenant_id().into(),
            key.into(),
            request.bytes().into(),
            i32::from(reply.status).into(),
            reply.body.as_str().into(),
            now.into(),
        ],
    )
    .await?;
    Ok(())
}

pub async fn forget(tx: &TenantTx, before: DateTime<Utc>) -> Result<u64, DbError> {
    tx.run("DELETE FROM api_reply WHERE tenant_id = $1 AND created_at <= $2", [tx.tenant_id().into(), before.into()])
        .await
}
