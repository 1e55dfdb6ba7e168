//! Many calls at once, and corrections.

use crate::entity::call::{ActiveModel, Entity, Model};
use crate::error::Result;
use chrono::{DateTime, Utc};
use db::{CallId, CustomerId, TenantTx, TransactionId};
use money::Money;
use sea_orm::{EntityTrait, FromQueryResult, IntoActiveModel};
use std::collections::HashSet;
use uuid::Uuid;

/// Rows of one INSERT: 38 columns each, under the protocol's 65,535 values.
const ROWS_MAX: usize = 1000;

/// Which of these calls are in the book already.
pub async fn known(tx: &TenantTx, ids: &[CallId]) -> Result<HashSet<CallId>> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
    }
    let rows: Vec<Row> = tx
        .rows(
            "SELECT id FROM call WHERE tenant_id = $1 AND id = ANY($2)",
            [tx.tenant_id().into(), ids.iter().map(|id| id.uuid()).collect::<Vec<_>>().into()],
        )
        .await?;
    Ok(rows.into_iter().map(|row| CallId::from_uuid(row.id)).collect())
}

/// Writes calls that are settled.
pub async fn insert(tx: &TenantTx, calls: Vec<Model>) -> Result<()> {
    let mut rest = calls.into_iter();
    loop {
        let block: Vec<ActiveModel> = rest.by_ref().take(ROWS_MAX).map(IntoActiveModel::into_active_model).collect();
        if block.is_empty() {
            return Ok(());
        }
        Entity::insert_many(block).exec_without_returning(tx).await?;
    }
}

/// A difference to a settled call, once for each transaction. Without one it is the document's to charge.
pub async fn insert_correction(
    tx: &TenantTx,
    call_id: CallId,
    customer_id: CustomerId,
    amount: Money,
    reason: &str,
    transaction_id: Option<TransactionId>,
    at: DateTime<Utc>,
) -> Result<()> {
    tx.run(
        "INSERT INTO call_correction (tenant_id, call_id, position, customer_id, at, amount_micros, reason, transaction_id)
         SELECT $1, $2, coalesce(max(c.position), 0) + 1, $3, $4, $5, $6, $7 FROM call_correction c
         WHERE c.tenant_id = $1 AND c.call_id = $2
         HAVING count(*) FILTER (WHERE c.transaction_id = $7) = 0",
        [
            tx.tenant_id().into(),
            call_id.into(),
            customer_id.into(),
            at.into(),
            amount.micros().into(),
            reason.into(),
            transaction_id.map(TransactionId::uuid).into(),
        ],
    )
    .await?;
    Ok(())
}

/// A correction as it is stored.
#[derive(FromQueryResult)]
pub struct CorrectionRow {
    pub at: DateTime<Utc>,
    pub amount_micros: i64,
    pub reason: String,
}

pub async fn corrections(tx: &TenantTx, call_id: CallId) -> Result<Vec<CorrectionRow>> {
    let rows = tx
        .rows(
            "SELECT at, amount_micros, reason FROM call_correction WHERE tenant_id = $1 AND call_id = $2 ORDER BY position",
            [tx.tenant_id().into(), call_id.into()],
        )
        .await?;
    Ok(rows)
}
