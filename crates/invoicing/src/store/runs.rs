use crate::entity::{invoice_run, invoice_run_item};
use crate::error::{InvoicingError, Result};
use crate::run::{Counts, Item, ItemState, Phase, Run};
use crate::store::known;
use chrono::{DateTime, NaiveDate, Utc};
use db::{CustomerId, DocumentId, DraftId, RunId, TenantTx};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect};
use std::collections::HashMap;
use uuid::Uuid;

pub(crate) async fn insert(tx: &TenantTx, id: RunId, until_on: NaiveDate, by: &str, now: DateTime<Utc>) -> Result<()> {
    let row = invoice_run::ActiveModel {
        tenant_id: Set(tx.tenant_id().uuid()),
        id: Set(id.uuid()),
        until_on: Set(until_on),
        phase: Set(Phase::Planned.as_str().to_owned()),
        started_by: Set(by.to_owned()),
        is_scheduled: Set(false),
        current_customer: Set(None),
        created_at: Set(now),
        drafting_started_at: Set(None),
        finalising_started_at: Set(None),
        ended_at: Set(None),
    };
    match invoice_run::Entity::insert(row).exec_without_returning(tx).await {
        Err(error) if db::constraint_of(&error).as_deref() == Some("invoice_run_one_open") => {
            Err(InvoicingError::RunMustBeTheOnlyOne)
        }
        other => Ok(other.map(|_| ())?),
    }
}

/// Has a run gone as far as this day already, or is one open?
pub(crate) async fn stands_in_the_way(tx: &TenantTx, until_on: NaiveDate) -> Result<bool> {
    let found = tx
        .value(
            "SELECT EXISTS (SELECT FROM invoice_run WHERE tenant_id = $1 AND (until_on >= $2 OR ended_at IS NULL)) AS v",
            [tx.tenant_id().into(), until_on.into()],
        )
        .await?;
    Ok(found.unwrap_or(false))
}

/// False when another worker was faster, or a person has opened a run meanwhile.
pub(crate) async fn insert_scheduled(
    tx: &TenantTx,
    id: RunId,
    until_on: NaiveDate,
    by: &str,
    now: DateTime<Utc>,
) -> Result<bool> {
    let inserted = tx
        .run(
            "INSERT INTO invoice_run (tenant_id, id, until_on, phase, started_by, is_scheduled, created_at)
             VALUES ($1, $2, $3, 'planned', $4, true, $5) ON CONFLICT DO NOTHING",
            [tx.tenant_id().into(), id.into(), until_on.into(), by.into(), now.into()],
        )
        .await?;
    Ok(inserted > 0)
}

/// Whoever works on a run's blocks shares it until the transaction ends.
pub(crate) async fn share(tx: &TenantTx, id: RunId) -> Result<()> {
    tx.run("SELECT pg_advisory_xact_lock_shared(hashtextextended($1, 7261005))", [id.to_string().into()]).await?;
    Ok(())
}

/// Waits for those who share the run, and keeps others out until the transaction ends.
pub(crate) async fn take_alone(tx: &TenantTx, id: RunId) -> Result<()> {
    tx.run("SELECT pg_advisory_xact_lock(hashtextextended($1, 7261005))", [id.to_string().into()]).await?;
    Ok(())
}

pub(crate) async fn insert_items(tx: &TenantTx, run: RunId, customers: &[CustomerId]) -> Result<()> {
    tx.run(
        "INSERT INTO invoice_run_item (tenant_id, run_id, customer_id, state) SELECT $1, $2, c, 'waiting' FROM unnest($3::uuid[]) c",
        [tx.tenant_id().into(), run.into(), customers.iter().map(|id| id.uuid()).collect::<Vec<_>>().into()],
    )
    .await?;
    Ok(())
}

fn domain(row: invoice_run::Model, counts: Counts) -> Result<Run> {
    Ok(Run {
        id: row.id.into(),
        until_on: row.until_on,
        phase: known(Phase::of_word(&row.phase), "phase", &row.phase)?,
        started_by: row.started_by,
        current_customer: row.current_customer,
        created_at: row.created_at,
        drafting_started_at: row.drafting_started_at,
        finalising_started_at: row.finalising_started_at,
        ended_at: row.ended_at,
        counts,
    })
}

pub(crate) async fn by_id(tx: &TenantTx, id: RunId) -> Result<Run> {
    let row = invoice_run::Entity::find()
        .filter(invoice_run::Column::TenantId.eq(tx.tenant_id().uuid()))
        .filter(invoice_run::Column::Id.eq(id.uuid()))
        .one(tx)
        .await?;
    let counts = counts(tx, &[id]).await?.remove(&id).unwrap_or_default();
    domain(row.ok_or(InvoicingError::UnknownRun(id))?, counts)
}

pub(crate) async fn newest(tx: &TenantTx, limit: u64) -> Result<Vec<Run>> {
    let rows = invoice_run::Entity::find()
        .filter(invoice_run::Column::TenantId.eq(tx.tenant_id().uuid()))
        .order_by_desc(invoice_run::Column::CreatedAt)
        .order_by_desc(invoice_run::Column::Id)
        .limit(limit)
        .all(tx)
        .await?;
    let ids: Vec<RunId> = rows.iter().map(|row| row.id.into()).collect();
    let mut counts = counts(tx, &ids).await?;
    rows.into_iter()
        .map(|row| {
            let id = row.id.into();
            domain(row, counts.remove(&id).unwrap_or_default())
        })
        .collect()
}

#[derive(FromQueryResult)]
struct CountRow {
    run_id: Uuid,
    state: String,
    count: i64,
}

pub(crate) async fn counts(tx: &TenantTx, runs: &[RunId]) -> Result<HashMap<RunId, Counts>> {
    let rows: Vec<CountRow> = tx
        .rows(
            "SELECT run_id, state, count(*) AS count FROM invoice_run_item WHERE tenant_id = $1 AND run_id = ANY($2::uuid[]) GROUP BY 1, 2",
            [tx.tenant_id().into(), runs.iter().map(|id| id.uuid()).collect::<Vec<_>>().into()],
        )
        .await?;
    let mut counts: HashMap<RunId, Counts> = HashMap::new();
    for row in rows {
        let state = known(ItemState::of_word(&row.state), "run item", &row.state)?;
        counts.entry(row.run_id.into()).or_default().add(state, row.count.unsigned_abs());
    }
    Ok(counts)
}

/// Moves a run to a phase; the instants of its first steps stay as they were first set.
pub(crate) async fn set_phase(
    tx: &TenantTx,
    id: RunId,
    phase: Phase,
    current: Option<&str>,
    now: DateTime<Utc>,
) -> Result<()> {
    tx.run(
        "UPDATE invoice_run SET phase = $3, current_customer = coalesce($4, current_customer),
           drafting_started_at = CASE WHEN $3 = 'drafting' THEN coalesce(drafting_started_at, $5) ELSE drafting_started_at END,
           finalising_started_at = CASE WHEN $3 = 'finalising' THEN coalesce(finalising_started_at, $5) ELSE finalising_started_at END,
           ended_at = CASE WHEN $3 IN ('done', 'failed') THEN coalesce(ended_at, $5) END
         WHERE tenant_id = $1 AND id = $2",
        [tx.tenant_id().into(), id.into(), phase.as_str().into(), current.map(str::to_owned).into(), now.into()],
    )
    .await
    .map_err(|error| match db::constraint_of(&error).as_deref() {
        Some("invoice_run_one_open") => InvoicingError::RunMustBeTheOnlyOne,
        _ => InvoicingError::Db(error),
    })?;
    Ok(())
}

#[derive(FromQueryResult)]
struct ClaimRow {
    customer_id: Uuid,
    draft_id: Option<Uuid>,
}

/// Takes up to `limit` items in a state for as long as the transaction lasts; other workers skip them. What was held back once comes
/// last, so that it keeps nobody from its turn.
pub(crate) async fn claim(
    tx: &TenantTx,
    run: RunId,
    state: ItemState,
    limit: u64,
) -> Result<Vec<(CustomerId, Option<DraftId>)>> {
    let rows: Vec<ClaimRow> = tx
        .rows(
            "SELECT customer_id, draft_id FROM invoice_run_item WHERE tenant_id = $1 AND run_id = $2 AND state = $3
             ORDER BY failure IS NOT NULL, customer_id LIMIT $4 FOR UPDATE SKIP LOCKED",
            [tx.tenant_id().into(), run.into(), state.as_str().into(), (limit as i64).into()],
        )
        .await?;
    Ok(rows.into_iter().map(|row| (row.customer_id.into(), row.draft_id.map(DraftId::from_uuid))).collect())
}

/// What became of items, all in one statement.
pub(crate) async fn settle_items(tx: &TenantTx, run: RunId, items: &[Item]) -> Result<()> {
    if items.is_empty() {
        return Ok(());
    }
    let id = |id: Option<Uuid>| id.unwrap_or(Uuid::nil());
    tx.run(
        "UPDATE invoice_run_item i SET state = n.state, failure = nullif(n.failure, ''), draft_id = nullif(n.draft_id, $3),
           document_id = nullif(n.document_id, $3)
         FROM unnest($4::uuid[], $5::text[], $6::text[], $7::uuid[], $8::uuid[]) AS n (customer_id, state, failure, draft_id, document_id)
         WHERE i.tenant_id = $1 AND i.run_id = $2 AND i.customer_id = n.customer_id",
        [
            tx.tenant_id().into(),
            run.into(),
            Uuid::nil().into(),
            items.iter().map(|item| item.customer_id.uuid()).collect::<Vec<_>>().into(),
            items.iter().map(|item| item.state.as_str().to_owned()).collect::<Vec<_>>().into(),
            items.iter().map(|item| item.failure.clone().unwrap_or_default()).collect::<Vec<_>>().into(),
            items.iter().map(|item| id(item.draft_id.map(DraftId::uuid))).collect::<Vec<_>>().into(),
            items.iter().map(|item| id(item.document_id.map(DocumentId::uuid))).collect::<Vec<_>>().into(),
        ],
    )
    .await?;
    Ok(())
}

pub(crate) async fn items(
    tx: &TenantTx,
    run: RunId,
    state: Option<ItemState>,
    after: Option<CustomerId>,
    limit: u64,
) -> Result<Vec<Item>> {
    let mut query = invoice_run_item::Entity::find()
        .filter(invoice_run_item::Column::TenantId.eq(tx.tenant_id().uuid()))
        .filter(invoice_run_item::Column::RunId.eq(run.uuid()));
    if let Some(state) = state {
        query = query.filter(invoice_run_item::Column::State.eq(state.as_str()));
    }
    if let Some(after) = after {
        query = query.filter(invoice_run_item::Column::CustomerId.gt(after.uuid()));
    }
    let rows = query.order_by_asc(invoice_run_item::Column::CustomerId).limit(limit).all(tx).await?;
    rows.into_iter()
        .map(|row| {
            Ok(Item {
                customer_id: row.customer_id.into(),
                state: known(ItemState::of_word(&row.state), "run item", &row.state)?,
                failure: row.failure,
                draft_id: row.draft_id.map(DraftId::from_uuid),
                document_id: row.document_id.map(DocumentId::from_uuid),
            })
        })
        .collect()
}

/// Puts failed items back in the queue and voids their drafts; how many.
pub(crate) async fn retry_failed(tx: &TenantTx, run: RunId, now: DateTime<Utc>) -> Result<u64> {
    tx.run(
        "UPDATE draft d SET voided_at = $3, changed_at = $3 FROM invoice_run_item i
         WHERE i.tenant_id = $1 AND i.run_id = $2 AND i.state = 'failed' AND d.tenant_id = $1 AND d.id = i.draft_id
           AND d.voided_at IS NULL AND d.finalised_at IS NULL",
        [tx.tenant_id().into(), run.into(), now.into()],
    )
    .await?;
    Ok(tx
        .run(
            "UPDATE invoice_run_item SET state = 'waiting', failure = NULL, draft_id = NULL WHERE tenant_id = $1 AND run_id = $2 AND state = 'failed'",
            [tx.tenant_id().into(), run.into()],
        )
        .await?)
}

/// Locks the item of a draft: who issues passes it over.
pub(crate) async fn lock_item(tx: &TenantTx, draft: DraftId) -> Result<()> {
    tx.run(
        "SELECT FROM invoice_run_item i JOIN draft d ON d.tenant_id = i.tenant_id AND d.run_id = i.run_id AND d.customer_id = i.customer_id
         WHERE d.tenant_id = $1 AND d.id = $2 FOR UPDATE OF i",
        [tx.tenant_id().into(), draft.into()],
    )
    .await?;
    Ok(())
}

/// The item of a draft that is void now.
pub(crate) async fn void_item(tx: &TenantTx, draft: DraftId) -> Result<()> {
    tx.run(
        "UPDATE invoice_run_item i SET state = 'voided' FROM draft d
         WHERE d.tenant_id = $1 AND d.id = $2 AND i.tenant_id = $1 AND i.run_id = d.run_id AND i.customer_id = d.customer_id AND i.draft_id = d.id",
        [tx.tenant_id().into(), draft.into()],
    )
    .await?;
    Ok(())
}
