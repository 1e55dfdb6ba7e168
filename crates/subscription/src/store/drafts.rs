use crate::catalogue::Draft;
use crate::error::Result;
use chrono::{DateTime, Utc};
use db::{PlanId, TenantTx};
use sea_orm::FromQueryResult;
use serde_json::Value;
use std::collections::HashMap;
use uuid::Uuid;

pub(crate) async fn save(tx: &TenantTx, id: PlanId, document: &Value, by: &str, now: DateTime<Utc>) -> Result<()> {
    tx.run(
        "INSERT INTO plan_draft (tenant_id, plan_id, document, edited_at, edited_by) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (tenant_id, plan_id) DO UPDATE SET document = $3, edited_at = $4, edited_by = $5",
        [tx.tenant_id().into(), id.into(), document.clone().into(), now.into(), by.into()],
    )
    .await?;
    Ok(())
}

#[derive(FromQueryResult)]
struct Row {
    plan_id: Uuid,
    document: Value,
    edited_at: DateTime<Utc>,
    edited_by: String,
}

pub(crate) async fn by_plan(tx: &TenantTx, id: PlanId) -> Result<Option<Draft>> {
    let row: Option<Row> = tx
        .row(
            "SELECT plan_id, document, edited_at, edited_by FROM plan_draft WHERE tenant_id = $1 AND plan_id = $2",
            [tx.tenant_id().into(), id.into()],
        )
        .await?;
    Ok(row.map(|row| Draft {
        plan_id: row.plan_id.into(),
        document: row.document,
        edited_at: row.edited_at,
        edited_by: row.edited_by,
    }))
}

pub(crate) async fn delete(tx: &TenantTx, id: PlanId) -> Result<bool> {
    let deleted = tx
        .run("DELETE FROM plan_draft WHERE tenant_id = $1 AND plan_id = $2", [tx.tenant_id().into(), id.into()])
        .await?;
    Ok(deleted > 0)
}

#[derive(FromQueryResult)]
struct EditedRow {
    plan_id: Uuid,
    edited_at: DateTime<Utc>,
}

/// Which plans have a draft, and since when it is as it is.
pub(crate) async fn edited(tx: &TenantTx) -> Result<HashMap<PlanId, DateTime<Utc>>> {
    let rows: Vec<EditedRow> =
        tx.rows("SELECT plan_id, edited_at FROM plan_draft WHERE tenant_id = $1", [tx.tenant_id().into()]).await?;
    Ok(rows.into_iter().map(|row| (row.plan_id.into(), row.edited_at)).collect())
}
