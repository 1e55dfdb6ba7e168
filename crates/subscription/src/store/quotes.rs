use super::catalogue::unreadable;
use super::subscriptions::fits;
use crate::catalogue::NewPlanVersion;
use crate::error::Result;
use crate::quote::{Acceptance, Accepted, Estimate, NewEstimate, NewQuote, Quote, QuotedCustomer};
use chrono::{DateTime, Utc};
use db::{CustomerId, EstimateId, PlanId, QuoteId, TenantTx};
use sea_orm::FromQueryResult;
use serde_json::Value;
use uuid::Uuid;

#[derive(FromQueryResult)]
struct EstimateRow {
    id: Uuid,
    name: String,
    input: Value,
    result: Value,
    created_at: DateTime<Utc>,
    created_by: String,
    is_shared: bool,
}

impl From<EstimateRow> for Estimate {
    fn from(row: EstimateRow) -> Estimate {
        Estimate {
            id: row.id.into(),
            name: row.name,
            input: row.input,
            result: row.result,
            created_at: row.created_at,
            created_by: row.created_by,
            is_shared: row.is_shared,
        }
    }
}

const ESTIMATE: &str = "SELECT id, name, input, result, created_at, created_by, token_hash IS NOT NULL AS is_shared
    FROM estimate WHERE tenant_id = $1";

pub(crate) async fn insert_estimate(
    tx: &TenantTx,
    new: &NewEstimate,
    by: &str,
    now: DateTime<Utc>,
) -> Result<EstimateId> {
    let id = EstimateId::new();
    tx.run(
        "INSERT INTO estimate (tenant_id, id, name, input, result, created_at, created_by) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        [
            tx.tenant_id().into(),
            id.into(),
            new.name.as_str().into(),
            new.input.clone().into(),
            new.result.clone().into(),
            now.into(),
            by.into(),
        ],
    )
    .await?;
    Ok(id)
}

pub(crate) async fn estimate(tx: &TenantTx, id: EstimateId) -> Result<Option<Estimate>> {
    let row: Option<EstimateRow> =
        tx.row(&format!("{ESTIMATE} AND id = $2"), [tx.tenant_id().into(), id.into()]).await?;
    Ok(row.map(Estimate::from))
}

pub(crate) async fn estimate_by_hash(tx: &TenantTx, hash: Vec<u8>) -> Result<Option<Estimate>> {
    let row: Option<EstimateRow> =
        tx.row(&format!("{ESTIMATE} AND token_hash = $2"), [tx.tenant_id().into(), hash.into()]).await?;
    Ok(row.map(Estimate::from))
}

pub(crate) async fn estimates(
    tx: &TenantTx,
    after: Option<(DateTime<Utc>, EstimateId)>,
    limit: u64,
) -> Result<Vec<Estimate>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let (at, id) = after.map(|(at, id)| (at, id.uuid())).unzip();
    let rows: Vec<EstimateRow> = tx
        .rows(
            &format!(
                "{ESTIMATE} AND ($3::timestamptz IS NULL OR (created_at, id) < ($3, $4::uuid))
                 ORDER BY created_at DESC, id DESC LIMIT $2"
            ),
            [tx.tenant_id().into(), limit.into(), at.into(), id.into()],
        )
        .await?;
    Ok(rows.into_iter().map(Estimate::from).collect())
}

pub(crate) async fn share_estimate(tx: &TenantTx, id: EstimateId, hash: Vec<u8>) -> Result<bool> {
    let shared = tx
        .run(
            "UPDATE estimate SET token_hash = $3 WHERE tenant_id = $1 AND id = $2",
            [tx.tenant_id().into(), id.into(), hash.into()],
        )
        .await?;
    Ok(shared > 0)
}

/// Quotes are numbered under a lock of the book, so that two at once do not collide.
pub(crate) async fn insert(
    tx: &TenantTx,
    new: &NewQuote,
    hash: Vec<u8>,
    by: &str,
    now: DateTime<Utc>,
) -> Result<QuoteId> {
    let id = QuoteId::new();
    let (customer_id, prospect) = match &new.customer {
        QuotedCustomer::Known(id) => (Some(id.uuid()), None),
        QuotedCustomer::New(prospect) => {
            (None, Some(serde_json::to_value(prospect).map_err(|error| unreadable("prospect", error))?))
        }
    };
    tx.run("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", [format!("quote {}", tx.tenant_id()).into()])
        .await?;
    tx.run(
        "INSERT INTO quote (tenant_id, id, number, plan_name, plan_description, terms, seats, with_trial, customer_id, customer,
           estimate_id, note, valid_until, created_at, created_by, token_hash, quantities)
         SELECT $1, $2, 'Q-' || lpad((count(*) + 1)::text, 5, '0'), $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16
         FROM quote WHERE tenant_id = $1",
        [
            tx.tenant_id().into(),
            id.into(),
            new.plan_name.as_str().into(),
            new.plan_description.as_str().into(),
            new.terms.to_document().into(),
            fits(new.seats)?.into(),
            new.with_trial.into(),
            customer_id.into(),
            prospect.into(),
            new.estimate_id.map(EstimateId::uuid).into(),
            new.note.as_str().into(),
            new.valid_until.into(),
            now.into(),
            by.into(),
            hash.into(),
            serde_json::to_value(&new.quantities).map_err(|error| unreadable("quantities", error))?.into(),
        ],
    )
    .await?;
    Ok(id)
}

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    number: String,
    plan_name: String,
    plan_description: String,
    terms: Value,
    seats: i32,
    with_trial: bool,
    customer_id: Option<Uuid>,
    customer: Option<Value>,
    estimate_id: Option<Uuid>,
    note: String,
    valid_until: DateTime<Utc>,
    created_at: DateTime<Utc>,
    created_by: String,
    quantities: Value,
    sent_at: Option<DateTime<Utc>>,
    sent_to: Option<String>,
    withdrawn_at: Option<DateTime<Utc>>,
    accepted_at: Option<DateTime<Utc>>,
    accepted_by: Option<String>,
    acceptance: Option<Value>,
    plan_version_id: Option<Uuid>,
    subscription_id: Option<Uuid>,
}

fn domain(row: Row) -> Result<Quote> {
    let terms = NewPlanVersion::from_stored(&row.terms).map_err(|refusals| {
        let first = refusals.first().map_or_else(String::new, ToString::to_string);
        unreadable("quote", first)
    })?;
    let customer = match (row.customer_id, row.customer) {
        (Some(id), _) => QuotedCustomer::Known(CustomerId::from_uuid(id)),
        (None, Some(prospect)) => {
            QuotedCustomer::New(serde_json::from_value(prospect).map_err(|error| unreadable("prospect", error))?)
        }
        (None, None) => return Err(unreadable("quote", "it is for nobody")),
    };
    Ok(Quote {
        id: row.id.into(),
        number: row.number,
        plan_name: row.plan_name,
        plan_description: row.plan_description,
        terms,
        seats: row.seats.unsigned_abs(),
        quantities: serde_json::from_value(row.quantities).map_err(|error| unreadable("quantities", error))?,
        with_trial: row.with_trial,
        customer,
        estimate_id: row.estimate_id.map(Into::into),
        note: row.note,
        valid_until: row.valid_until,
        created_at: row.created_at,
        created_by: row.created_by,
        sent_at: row.sent_at,
        sent_to: row.sent_to,
        withdrawn_at: row.withdrawn_at,
        accepted_at: row.accepted_at,
        accepted_by: row.accepted_by,
        acceptance: row
            .acceptance
            .map(serde_json::from_value)
            .transpose()
            .map_err(|error| unreadable("acceptance", error))?,
        plan_version_id: row.plan_version_id.map(Into::into),
        subscription_id: row.subscription_id.map(Into::into),
    })
}

pub(crate) async fn by_id(tx: &TenantTx, id: QuoteId) -> Result<Option<Quote>> {
    let row: Option<Row> =
        tx.row("SELECT * FROM quote WHERE tenant_id = $1 AND id = $2", [tx.tenant_id().into(), id.into()]).await?;
    row.map(domain).transpose()
}

pub(crate) async fn by_hash(tx: &TenantTx, hash: Vec<u8>) -> Result<Option<Quote>> {
    let row: Option<Row> = tx
        .row(
            "SELECT * FROM quote WHERE tenant_id = $1 AND (token_hash = $2 OR id =
               (SELECT quote_id FROM quote_link WHERE tenant_id = $1 AND token_hash = $2))",
            [tx.tenant_id().into(), hash.into()],
        )
        .await?;
    row.map(domain).transpose()
}

pub(crate) async fn lock(tx: &TenantTx, id: QuoteId) -> Result<Option<Quote>> {
    let row: Option<Row> = tx
        .row("SELECT * FROM quote WHERE tenant_id = $1 AND id = $2 FOR UPDATE", [tx.tenant_id().into(), id.into()])
        .await?;
    row.map(domain).transpose()
}

pub(crate) async fn insert_link(tx: &TenantTx, id: QuoteId, hash: Vec<u8>, by: &str, now: DateTime<Utc>) -> Result<()> {
    tx.run(
        "INSERT INTO quote_link (tenant_id, token_hash, quote_id, created_at, created_by) VALUES ($1, $2, $3, $4, $5)",
        [tx.tenant_id().into(), hash.into(), id.into(), now.into(), by.into()],
    )
    .await?;
    Ok(())
}

pub(crate) async fn sent(tx: &TenantTx, id: QuoteId, to: &str, now: DateTime<Utc>) -> Result<()> {
    tx.run(
        "UPDATE quote SET sent_at = $3, sent_to = $4 WHERE tenant_id = $1 AND id = $2",
        [tx.tenant_id().into(), id.into(), now.into(), to.into()],
    )
    .await?;
    Ok(())
}

#[derive(FromQueryResult)]
struct PlanRow {
    plan_id: Uuid,
}

pub(crate) async fn plans(tx: &TenantTx) -> Result<Vec<PlanId>> {
    let rows: Vec<PlanRow> = tx
        .rows(
            "SELECT v.plan_id FROM quote q JOIN plan_version v ON v.tenant_id = $1 AND v.id = q.plan_version_id
             WHERE q.tenant_id = $1",
            [tx.tenant_id().into()],
        )
        .await?;
    Ok(rows.into_iter().map(|row| row.plan_id.into()).collect())
}

pub(crate) async fn newest(tx: &TenantTx, after: Option<(DateTime<Utc>, QuoteId)>, limit: u64) -> Result<Vec<Quote>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let (at, id) = after.map(|(at, id)| (at, id.uuid())).unzip();
    let rows: Vec<Row> = tx
        .rows(
            "SELECT * FROM quote WHERE tenant_id = $1 AND ($3::timestamptz IS NULL OR (created_at, id) < ($3, $4::uuid))
             ORDER BY created_at DESC, id DESC LIMIT $2",
            [tx.tenant_id().into(), limit.into(), at.into(), id.into()],
        )
        .await?;
    rows.into_iter().map(domain).collect()
}

pub(crate) async fn withdraw(tx: &TenantTx, id: QuoteId, now: DateTime<Utc>) -> Result<()> {
    tx.run(
        "UPDATE quote SET withdrawn_at = $3 WHERE tenant_id = $1 AND id = $2",
        [tx.tenant_id().into(), id.into(), now.into()],
    )
    .await?;
    Ok(())
}

pub(crate) async fn accept(
    tx: &TenantTx,
    id: QuoteId,
    accepted: &Accepted,
    acceptance: &Acceptance,
    now: DateTime<Utc>,
) -> Result<()> {
    tx.run(
        "UPDATE quote SET accepted_at = $3, accepted_by = $4, customer_id = $5, plan_version_id = $6, subscription_id = $7,
           acceptance = $8
         WHERE tenant_id = $1 AND id = $2",
        [
            tx.tenant_id().into(),
            id.into(),
            now.into(),
            acceptance.name.as_str().into(),
            accepted.customer_id.into(),
            accepted.plan_version_id.into(),
            accepted.subscription_id.into(),
            serde_json::to_value(acceptance).map_err(|error| unreadable("acceptance", error))?.into(),
        ],
    )
    .await?;
    Ok(())
}
