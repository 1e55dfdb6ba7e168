use crate::content::DraftContent;
use crate::draft::{Draft, DraftState};
use crate::entity::draft;
use crate::error::{InvoicingError, Result};
use chrono::{DateTime, NaiveDate, Utc};
use db::{CustomerId, DraftId, RunId, TenantTx};
use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect};

pub(crate) async fn insert(
    tx: &TenantTx,
    run: Option<RunId>,
    drafts: &[(DraftId, CustomerId, Box<DraftContent>)],
    now: DateTime<Utc>,
) -> Result<()> {
    if drafts.is_empty() {
        return Ok(());
    }
    let each =
        |value: fn(&DraftContent) -> i64| drafts.iter().map(|(_, _, content)| value(content)).collect::<Vec<_>>();
    let mut contents = Vec::with_capacity(drafts.len());
    for (_, _, content) in drafts {
        contents.push(serde_json::to_string(content).map_err(InvoicingError::unreadable("draft"))?);
    }
    let days =
        |value: fn(&DraftContent) -> NaiveDate| drafts.iter().map(|(_, _, content)| value(content)).collect::<Vec<_>>();
    tx.run(
        "INSERT INTO draft (tenant_id, id, customer_id, run_id, currency, period_starts_on, period_ends_on, net_micros, tax_micros, gross_micros,
           content, created_at, changed_at)
         SELECT $1, d.id, d.customer_id, $2, d.currency, d.starts_on, d.ends_on, d.net, d.tax, d.gross, d.content::jsonb, $3, $3
         FROM unnest($4::uuid[], $5::uuid[], $6::text[], $7::date[], $8::date[], $9::bigint[], $10::bigint[], $11::bigint[], $12::text[])
           AS d (id, customer_id, currency, starts_on, ends_on, net, tax, gross, content)",
        [
            tx.tenant_id().into(),
            run.map(RunId::uuid).into(),
            now.into(),
            drafts.iter().map(|(id, _, _)| id.uuid()).collect::<Vec<_>>().into(),
            drafts.iter().map(|(_, customer, _)| customer.uuid()).collect::<Vec<_>>().into(),
            drafts.iter().map(|(_, _, content)| content.totals.gross.currency().code().to_owned()).collect::<Vec<_>>().into(),
            days(|content| content.period.starts_on).into(),
            days(|content| content.period.ends_on).into(),
            each(|content| content.totals.net.micros()).into(),
            each(|content| content.totals.tax.micros()).into(),
            each(|content| content.totals.gross.micros()).into(),
            contents.into(),
        ],
    )
    .await?;
    Ok(())
}

fn domain(row: draft::Model) -> Result<Draft> {
    let state = match (row.voided_at, row.finalised_at) {
        (Some(_), _) => DraftState::Void,
        (None, Some(_)) => DraftState::Final,
        (None, None) => DraftState::Open,
    };
    Ok(Draft {
        id: row.id.into(),
        customer_id: row.customer_id.into(),
        run_id: row.run_id.map(RunId::from_uuid),
        created_at: row.created_at,
        state,
        content: serde_json::from_value(row.content).map_err(InvoicingError::unreadable("draft"))?,
    })
}

pub(crate) async fn by_id(tx: &TenantTx, id: DraftId) -> Result<Draft> {
    let row = draft::Entity::find()
        .filter(draft::Column::TenantId.eq(tx.tenant_id().uuid()))
        .filter(draft::Column::Id.eq(id.uuid()))
        .one(tx)
        .await?;
    domain(row.ok_or(InvoicingError::UnknownDraft(id))?)
}

/// Drafts by id, locked, in no order.
pub(crate) async fn lock(tx: &TenantTx, ids: &[DraftId]) -> Result<Vec<Draft>> {
    let rows: Vec<draft::Model> = tx
        .rows(
            "SELECT * FROM draft WHERE tenant_id = $1 AND id = ANY($2::uuid[]) ORDER BY id FOR UPDATE",
            [tx.tenant_id().into(), ids.iter().map(|id| id.uuid()).collect::<Vec<_>>().into()],
        )
        .await?;
    rows.into_iter().map(domain).collect()
}

/// Open drafts, the newest first.
pub(crate) async fn open(
    tx: &TenantTx,
    run: Option<RunId>,
    customer: Option<CustomerId>,
    limit: u64,
) -> Result<Vec<Draft>> {
    let mut query = draft::Entity::find()
        .filter(draft::Column::TenantId.eq(tx.tenant_id().uuid()))
        .filter(draft::Column::VoidedAt.is_null())
        .filter(draft::Column::FinalisedAt.is_null());
    if let Some(run) = run {
        query = query.filter(draft::Column::RunId.eq(run.uuid()));
    }
    if let Some(customer) = customer {
        query = query.filter(draft::Column::CustomerId.eq(customer.uuid()));
    }
    let rows =
        query.order_by_desc(draft::Column::CreatedAt).order_by_desc(draft::Column::Id).limit(limit).all(tx).await?;
    rows.into_iter().map(domain).collect()
}

pub(crate) async fn mark_void(tx: &TenantTx, id: DraftId, now: DateTime<Utc>) -> Result<()> {
    tx.run(
        "UPDATE draft SET voided_at = $3, changed_at = $3 WHERE tenant_id = $1 AND id = $2",
        [tx.tenant_id().into(), id.into(), now.into()],
    )
    .await?;
    Ok(())
}

pub(crate) async fn void_of_run(tx: &TenantTx, run: RunId, now: DateTime<Utc>) -> Result<()> {
    tx.run(
        "WITH void AS (
           UPDATE draft SET voided_at = $3, changed_at = $3
           WHERE tenant_id = $1 AND run_id = $2 AND voided_at IS NULL AND finalised_at IS NULL RETURNING id
         )
         UPDATE invoice_run_item i SET state = 'voided' WHERE i.tenant_id = $1 AND i.run_id = $2 AND i.state IN ('waiting', 'drafted', 'failed')",
        [tx.tenant_id().into(), run.into(), now.into()],
    )
    .await?;
    Ok(())
}

pub(crate) async fn mark_final(tx: &TenantTx, ids: &[DraftId], now: DateTime<Utc>) -> Result<()> {
    tx.run(
        "UPDATE draft SET finalised_at = $3, changed_at = $3 WHERE tenant_id = $1 AND id = ANY($2::uuid[])",
        [tx.tenant_id().into(), ids.iter().map(|id| id.uuid()).collect::<Vec<_>>().into(), now.into()],
    )
    .await?;
    Ok(())
}

#[derive(FromQueryResult)]
struct AtRow {
    at: Option<DateTime<Utc>>,
}

/// When a run last made a draft of a customer that has become a document.
pub(crate) async fn newest_final_at(tx: &TenantTx, customer_id: CustomerId) -> Result<Option<DateTime<Utc>>> {
    let row: Option<AtRow> = tx
        .row(
            "SELECT max(created_at) AS at FROM draft WHERE tenant_id = $1 AND customer_id = $2 AND run_id IS NOT NULL AND finalised_at IS NOT NULL",
            [tx.tenant_id().into(), customer_id.into()],
        )
        .await?;
    Ok(row.and_then(|row| row.at))
}
