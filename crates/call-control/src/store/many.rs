//! Many calls at once, and corrections.

use crate::entity::call::{ActiveModel, Entity, Model};
use crate::error::Result;
use crate::store::upward::Correction;
use chrono::{DateTime, Utc};
use db::{CallId, CustomerId, TenantTx, TransactionId};
use money::Money;
use sea_orm::{EntityTrait, FromQueryResult, IntoActiveModel};
use std::collections::HashSet;
use uuid::Uuid;

/// Rows of one INSERT: 42 columns each, under the protocol's 65,535 values.
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

/// A difference to a settled call, once for each kind.
pub struct NewCorrection<'a> {
    pub call_id: CallId,
    pub customer_id: CustomerId,
    pub kind: Correction,
    /// Tax included; net where it is the document's to charge.
    pub amount: Money,
    /// `None` where nothing is shared of it.
    pub net: Option<Money>,
    pub seconds: i32,
    pub reason: &'a str,
    /// `None` where the charge is collected above, or the document's.
    pub transaction_id: Option<TransactionId>,
}

/// Writes it; false when there is one of its kind already.
pub async fn insert_correction(tx: &TenantTx, new: &NewCorrection<'_>, at: DateTime<Utc>) -> Result<bool> {
    let written: Option<i32> = tx
        .value(
            "INSERT INTO call_correction (tenant_id, call_id, position, customer_id, at, amount_micros, reason, transaction_id, kind,
               net_micros, seconds)
             SELECT $1, $2, coalesce(max(c.position), 0) + 1, $3, $4, $5, $6, $7, $8, $9, $10 FROM call_correction c
             WHERE c.tenant_id = $1 AND c.call_id = $2
             HAVING count(*) FILTER (WHERE c.kind = $8) = 0
             RETURNING position AS v",
            [
                tx.tenant_id().into(),
                new.call_id.into(),
                new.customer_id.into(),
                at.into(),
                new.amount.micros().into(),
                new.reason.into(),
                new.transaction_id.map(TransactionId::uuid).into(),
                new.kind.as_str().into(),
                new.net.map(|net| net.micros()).into(),
                new.seconds.into(),
            ],
        )
        .await?;
    Ok(written.is_some())
}

/// A correction as it is stored.
#[derive(FromQueryResult)]
pub struct CorrectionRow {
    pub at: DateTime<Utc>,
    pub amount_micros: i64,
    pub reason: String,
    pub kind: String,
    pub net_micros: Option<i64>,
    pub transaction_id: Option<Uuid>,
}

pub async fn corrections(tx: &TenantTx, call_id: CallId) -> Result<Vec<CorrectionRow>> {
    let rows = tx
        .rows(
            "SELECT at, amount_micros, reason, kind, net_micros, transaction_id FROM call_correction WHERE tenant_id = $1 AND call_id = $2 ORDER BY position",
            [tx.tenant_id().into(), call_id.into()],
        )
        .await?;
    Ok(rows)
}
