use crate::catalogue::{Component, NewPlanVersion, Plan, PlanVersion, TrialUsage};
use crate::entity::{component, plan, plan_version};
use crate::error::{Result, SubscriptionError, taken};
use crate::words::{Billed, ComponentKind, LateUsage, TrialEnd};
use chrono::{DateTime, Utc};
use db::{PlanId, PlanVersionId, TenantTx};
use money::{Currency, Money, Percent};
use pricing::Price;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder};
use std::collections::HashMap;
use uuid::Uuid;

pub(super) fn unreadable(kind: &'static str, reason: impl ToString) -> SubscriptionError {
    SubscriptionError::StoredDocumentUnreadable { kind, reason: reason.to_string() }
}

pub(super) fn count(stored: i32) -> u32 {
    // The columns are checked to be at least zero.
    stored.unsigned_abs()
}

pub(crate) async fn insert_plan(
    tx: &TenantTx,
    code: &str,
    name: &str,
    description: &str,
    is_add_on: bool,
) -> Result<PlanId> {
    let id = PlanId::new();
    let row = plan::ActiveModel {
        tenant_id: Set(tx.tenant_id().uuid()),
        id: Set(id.uuid()),
        code: Set(code.to_owned()),
        name: Set(name.to_owned()),
        description: Set(description.to_owned()),
        is_add_on: Set(is_add_on),
        archived_at: Set(None),
    };
    let inserted = plan::Entity::insert(row).exec_without_returning(tx).await;
    inserted.map_err(|error| taken(error, "plan_tenant_id_code_key", "code", code))?;
    Ok(id)
}

pub(crate) async fn archive_plan(tx: &TenantTx, id: PlanId, now: DateTime<Utc>) -> Result<bool> {
    let touched = tx
        .run(
            "UPDATE plan SET archived_at = coalesce(archived_at, $3) WHERE tenant_id = $1 AND id = $2",
            [tx.tenant_id().into(), id.into(), now.into()],
        )
        .await?;
    Ok(touched > 0)
}

pub(crate) async fn rename_plan(tx: &TenantTx, id: PlanId, name: &str, description: &str) -> Result<bool> {
    let touched = tx
        .run(
            "UPDATE plan SET name = $3, description = $4 WHERE tenant_id = $1 AND id = $2",
            [tx.tenant_id().into(), id.into(), name.into(), description.into()],
        )
        .await?;
    Ok(touched > 0)
}

/// The plan with its row locked: versions of one plan are numbered one after the other.
pub(crate) async fn lock_plan(tx: &TenantTx, id: PlanId) -> Result<Option<plan::Model>> {
    Ok(tx
        .row("SELECT * FROM plan WHERE tenant_id = $1 AND id = $2 FOR UPDATE", [tx.tenant_id().into(), id.into()])
        .await?)
}

pub(crate) async fn insert_version(
    tx: &TenantTx,
    plan: PlanId,
    new: &NewPlanVersion,
    now: DateTime<Utc>,
) -> Result<PlanVersionId> {
    let id = PlanVersionId::new();
    let whole = |number: u32, kind| i32::try_from(number).map_err(|error| unreadable(kind, error));
    let free_up_to = match new.trial_usage {
        TrialUsage::Charged => None,
        TrialUsage::FreeUpTo(cap) => Some(cap.micros()),
    };
    tx.run(
        "INSERT INTO plan_version (tenant_id, id, plan_id, version, currency, term_months, trial_days, term_discount_percent,
           commitment_micros, features, published_at, fee_cap_micros, trial_usage, trial_usage_cap_micros, trial_end,
           late_usage, fixed_terms, loyalty, limits, seat_limit, sells_extra_seats)
         SELECT $1, $2, $3, coalesce(max(version), 0) + 1, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
           $19, $20
         FROM plan_version WHERE tenant_id = $1 AND plan_id = $3",
        [
            tx.tenant_id().into(),
            id.into(),
            plan.into(),
            new.currency.code().into(),
            whole(new.term_months, "term")?.into(),
            whole(new.trial_days, "trial")?.into(),
            new.term_discount_percent.as_decimal().into(),
            new.commitment.micros().into(),
            new.features.clone().into(),
            now.into(),
            new.fee_cap.map(|cap| cap.micros()).into(),
            if free_up_to.is_some() { "free" } else { "charged" }.into(),
            free_up_to.into(),
            new.trial_end.as_str().into(),
            new.late_usage.as_str().into(),
            new.fixed_terms.map(|terms| whole(terms, "terms")).transpose()?.into(),
            serde_json::to_value(&new.loyalty).map_err(|error| unreadable("loyalty", error))?.into(),
            serde_json::to_value(&new.limits).map_err(|error| unreadable("limits", error))?.into(),
            new.seat_limit.map(|seats| whole(seats, "seat limit")).transpose()?.into(),
            new.sells_extra_seats.into(),
        ],
    )
    .await?;
    let rows = new.components.iter().zip(1..).map(|(part, position)| component_row(tx, id, part, position));
    let rows = rows.collect::<Result<Vec<_>>>()?;
    if !rows.is_empty() {
        component::Entity::insert_many(rows).exec_without_returning(tx).await?;
    }
    Ok(id)
}

fn component_row(
    tx: &TenantTx,
    version: PlanVersionId,
    part: &Component,
    position: i32,
) -> Result<component::ActiveModel> {
    Ok(component::ActiveModel {
        tenant_id: Set(tx.tenant_id().uuid()),
        plan_version_id: Set(version.uuid()),
        key: Set(part.key.clone()),
        position: Set(position),
        kind: Set(part.kind.as_str().to_owned()),
        name: Set(part.name.clone()),
        measure: Set(part.measure.clone()),
        filter: Set(serde_json::to_value(&part.filter).map_err(|error| unreadable("filter", error))?),
        included: Set(part.included),
        price: Set(serde_json::to_value(&part.price).map_err(|error| unreadable("price", error))?),
        billed: Set(part.billed.as_str().to_owned()),
        minimum_quantity: Set(part.minimum_quantity),
    })
}

pub(crate) fn component_of(row: component::Model) -> Result<Component> {
    Ok(Component {
        key: row.key,
        kind: ComponentKind::stored(&row.kind)?,
        name: row.name,
        measure: row.measure,
        filter: serde_json::from_value(row.filter).map_err(|error| unreadable("filter", error))?,
        included: row.included.normalize(),
        minimum_quantity: row.minimum_quantity.normalize(),
        price: Price::from_json(&row.price).map_err(|error| unreadable("price", error))?,
        billed: Billed::stored(&row.billed)?,
    })
}

pub(crate) async fn plans(tx: &TenantTx) -> Result<Vec<Plan>> {
    let rows = plan::Entity::find()
        .filter(plan::Column::TenantId.eq(tx.tenant_id().uuid()))
        .order_by_asc(plan::Column::Code)
        .all(tx)
        .await?;
    let newest: Vec<plan_version::Model> = tx
        .rows(
            "SELECT DISTINCT ON (plan_id) * FROM plan_version WHERE tenant_id = $1 ORDER BY plan_id, version DESC",
            [tx.tenant_id().into()],
        )
        .await?;
    let mut newest: HashMap<PlanId, PlanVersion> =
        with_components(tx, newest).await?.into_iter().map(|version| (version.plan_id, version)).collect();
    let edited = super::drafts::edited(tx).await?;
    let plans = rows.into_iter().map(|row| Plan {
        newest: newest.remove(&row.id.into()),
        draft_edited_at: edited.get(&row.id.into()).copied(),
        id: row.id.into(),
        code: row.code,
        name: row.name,
        description: row.description,
        is_add_on: row.is_add_on,
        archived_at: row.archived_at,
    });
    Ok(plans.collect())
}

pub(crate) async fn plan_row(tx: &TenantTx, id: PlanId) -> Result<Option<plan::Model>> {
    let found = plan::Entity::find()
        .filter(plan::Column::TenantId.eq(tx.tenant_id().uuid()))
        .filter(plan::Column::Id.eq(id.uuid()))
        .one(tx)
        .await?;
    Ok(found)
}

#[derive(FromQueryResult)]
struct NameRow {
    id: Uuid,
    name: String,
}

/// What the plans of versions are called.
pub(crate) async fn plan_names(tx: &TenantTx, ids: &[PlanVersionId]) -> Result<HashMap<PlanVersionId, String>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    let rows: Vec<NameRow> = tx
        .rows(
            "SELECT v.id, p.name FROM plan_version v JOIN plan p ON p.tenant_id = v.tenant_id AND p.id = v.plan_id
             WHERE v.tenant_id = $1 AND v.id = ANY($2)",
            [tx.tenant_id().into(), ids.into()],
        )
        .await?;
    Ok(rows.into_iter().map(|row| (row.id.into(), row.name)).collect())
}

pub(crate) async fn versions(tx: &TenantTx, ids: &[PlanVersionId]) -> Result<Vec<PlanVersion>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    let rows: Vec<plan_version::Model> = tx
        .rows("SELECT * FROM plan_version WHERE tenant_id = $1 AND id = ANY($2)", [tx.tenant_id().into(), ids.into()])
        .await?;
    with_components(tx, rows).await
}

pub(crate) async fn version_ids(tx: &TenantTx, plan: PlanId) -> Result<Vec<PlanVersionId>> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
    }
    let rows: Vec<Row> = tx
        .rows(
            "SELECT id FROM plan_version WHERE tenant_id = $1 AND plan_id = $2 ORDER BY version",
            [tx.tenant_id().into(), plan.into()],
        )
        .await?;
    Ok(rows.into_iter().map(|row| row.id.into()).collect())
}

pub(crate) async fn versions_of(tx: &TenantTx, plan: PlanId) -> Result<Vec<PlanVersion>> {
    let rows = plan_version::Entity::find()
        .filter(plan_version::Column::TenantId.eq(tx.tenant_id().uuid()))
        .filter(plan_version::Column::PlanId.eq(plan.uuid()))
        .order_by_desc(plan_version::Column::Version)
        .all(tx)
        .await?;
    with_components(tx, rows).await
}

async fn with_components(tx: &TenantTx, rows: Vec<plan_version::Model>) -> Result<Vec<PlanVersion>> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let parts: Vec<component::Model> = tx
        .rows(
            "SELECT * FROM component WHERE tenant_id = $1 AND plan_version_id = ANY($2) ORDER BY plan_version_id, position",
            [tx.tenant_id().into(), ids.into()],
        )
        .await?;
    let mut by_version: HashMap<Uuid, Vec<Component>> = HashMap::new();
    for part in parts {
        by_version.entry(part.plan_version_id).or_default().push(component_of(part)?);
    }
    rows.into_iter().map(|row| version_of(row, &mut by_version)).collect()
}

fn version_of(row: plan_version::Model, components: &mut HashMap<Uuid, Vec<Component>>) -> Result<PlanVersion> {
    let currency: Currency = row.currency.parse()?;
    let amount = |micros| Money::from_micros(micros, currency);
    Ok(PlanVersion {
        components: components.remove(&row.id).unwrap_or_default(),
        id: row.id.into(),
        plan_id: row.plan_id.into(),
        version: count(row.version),
        currency,
        term_months: count(row.term_months),
        trial_days: count(row.trial_days),
        term_discount_percent: Percent::new(row.term_discount_percent)?,
        commitment: amount(row.commitment_micros),
        features: row.features,
        fee_cap: row.fee_cap_micros.map(amount),
        trial_usage: row
            .trial_usage_cap_micros
            .map_or(TrialUsage::Charged, |micros| TrialUsage::FreeUpTo(amount(micros))),
        trial_end: TrialEnd::stored(&row.trial_end)?,
        late_usage: LateUsage::stored(&row.late_usage)?,
        fixed_terms: row.fixed_terms.map(count),
        loyalty: serde_json::from_value(row.loyalty).map_err(|error| unreadable("loyalty", error))?,
        limits: serde_json::from_value(row.limits).map_err(|error| unreadable("limits", error))?,
        seat_limit: row.seat_limit.map(count),
        sells_extra_seats: row.sells_extra_seats,
        published_at: row.published_at,
    })
}
