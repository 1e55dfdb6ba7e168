use crate::error::{InvoicingError, Result};
use crate::settlement::{Discard, Payout, Settlement, SettlementFilter, SettlementState};
use crate::store::money;
use chrono::{DateTime, NaiveDate, Utc};
use db::{CustomerId, DocumentId, SettlementId, TenantTx};
use sea_orm::FromQueryResult;
use uuid::Uuid;

const COLUMNS: &str =
    "id, customer_id, currency, period_starts_on, period_ends_on, owed_micros, net_micros, tax_micros, gross_micros,
       statement, drafted_at, document_id, issued_at, issued_by, paid_on, paid_reference, paid_by,
       discarded_at, discarded_by, discard_reason";

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    customer_id: Uuid,
    currency: String,
    period_starts_on: NaiveDate,
    period_ends_on: NaiveDate,
    owed_micros: i64,
    net_micros: i64,
    tax_micros: i64,
    gross_micros: i64,
    statement: serde_json::Value,
    drafted_at: DateTime<Utc>,
    document_id: Option<Uuid>,
    issued_at: Option<DateTime<Utc>>,
    issued_by: Option<String>,
    paid_on: Option<NaiveDate>,
    paid_reference: Option<String>,
    paid_by: Option<String>,
    discarded_at: Option<DateTime<Utc>>,
    discarded_by: Option<String>,
    discard_reason: Option<String>,
}

fn domain(row: Row) -> Result<Settlement> {
    let payout = row.paid_on.zip(row.paid_reference).map(|(on, reference)| Payout {
        on,
        reference,
        by: row.paid_by.unwrap_or_default(),
    });
    let discarded = row.discarded_at.map(|at| Discard {
        at,
        by: row.discarded_by.unwrap_or_default(),
        reason: row.discard_reason.unwrap_or_default(),
    });
    Ok(Settlement {
        id: row.id.into(),
        customer_id: row.customer_id.into(),
        period_starts_on: row.period_starts_on,
        period_ends_on: row.period_ends_on,
        owed: money(row.owed_micros, &row.currency)?,
        net: money(row.net_micros, &row.currency)?,
        tax: money(row.tax_micros, &row.currency)?,
        gross: money(row.gross_micros, &row.currency)?,
        statement: serde_json::from_value(row.statement).map_err(InvoicingError::unreadable("statement"))?,
        drafted_at: row.drafted_at,
        document_id: row.document_id.map(DocumentId::from_uuid),
        issued_at: row.issued_at,
        issued_by: row.issued_by,
        payout,
        discarded,
    })
}

/// Has the payee one for this month, be it discarded?
pub(crate) async fn exists(tx: &TenantTx, customer_id: CustomerId, starts_on: NaiveDate) -> Result<bool> {
    let found: Option<bool> = tx
        .value(
            "SELECT EXISTS (SELECT 1 FROM settlement WHERE tenant_id = $1 AND customer_id = $2 AND period_starts_on = $3) AS v",
            [tx.tenant_id().into(), customer_id.into(), starts_on.into()],
        )
        .await?;
    Ok(found.unwrap_or(false))
}

/// False when the payee has one for this month already.
pub(crate) async fn insert(tx: &TenantTx, of: &Settlement) -> Result<bool> {
    let statement = serde_json::to_value(&of.statement).map_err(InvoicingError::unreadable("statement"))?;
    let inserted = tx
        .run(
            "INSERT INTO settlement (tenant_id, id, customer_id, currency, period_starts_on, period_ends_on, owed_micros, net_micros, tax_micros,
               gross_micros, statement, drafted_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
             ON CONFLICT (tenant_id, customer_id, period_starts_on) WHERE discarded_at IS NULL DO NOTHING",
            [
                tx.tenant_id().into(),
                of.id.into(),
                of.customer_id.into(),
                of.gross.currency().code().into(),
                of.period_starts_on.into(),
                of.period_ends_on.into(),
                of.owed.micros().into(),
                of.net.micros().into(),
                of.tax.micros().into(),
                of.gross.micros().into(),
                statement.into(),
                of.drafted_at.into(),
            ],
        )
        .await?;
    Ok(inserted > 0)
}

pub(crate) async fn by_id(tx: &TenantTx, id: SettlementId) -> Result<Option<Settlement>> {
    let row: Option<Row> = tx
        .row(
            &format!("SELECT {COLUMNS} FROM settlement WHERE tenant_id = $1 AND id = $2"),
            [tx.tenant_id().into(), id.into()],
        )
        .await?;
    row.map(domain).transpose()
}

/// The row until the transaction ends: who issues and who pays comes one after the other.
pub(crate) async fn lock(tx: &TenantTx, id: SettlementId) -> Result<Option<Settlement>> {
    let row: Option<Row> = tx
        .row(
            &format!("SELECT {COLUMNS} FROM settlement WHERE tenant_id = $1 AND id = $2 FOR UPDATE"),
            [tx.tenant_id().into(), id.into()],
        )
        .await?;
    row.map(domain).transpose()
}

pub(crate) async fn page(tx: &TenantTx, filter: &SettlementFilter) -> Result<Vec<Settlement>> {
    let rows: Vec<Row> = tx
        .rows(
            &format!(
                "SELECT {COLUMNS} FROM settlement WHERE tenant_id = $1 AND ($2::uuid IS NULL OR customer_id = $2)
                   AND ($3::text IS NULL OR $3 = CASE WHEN paid_at IS NOT NULL THEN 'paid' WHEN document_id IS NOT NULL THEN 'issued'
                     WHEN discarded_at IS NOT NULL THEN 'discarded' ELSE 'draft' END)
                   AND (NOT $4 OR document_id IS NOT NULL)
                   AND ($5::date IS NULL OR (period_starts_on, id) < ($5, $6))
                 ORDER BY period_starts_on DESC, id DESC LIMIT $7"
            ),
            [
                tx.tenant_id().into(),
                filter.customer_id.map(CustomerId::uuid).into(),
                filter.state.map(SettlementState::as_str).map(str::to_owned).into(),
                filter.issued_only.into(),
                filter.after.map(|(on, _)| on).into(),
                filter.after.map(|(_, id)| id.uuid()).into(),
                i64::try_from(filter.limit).unwrap_or(i64::MAX).into(),
            ],
        )
        .await?;
    rows.into_iter().map(domain).collect()
}

pub(crate) async fn mark_issued(
    tx: &TenantTx,
    id: SettlementId,
    document_id: DocumentId,
    by: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    tx.run(
        "UPDATE settlement SET document_id = $3, issued_by = $4, issued_at = $5 WHERE tenant_id = $1 AND id = $2",
        [tx.tenant_id().into(), id.into(), document_id.into(), by.into(), now.into()],
    )
    .await?;
    Ok(())
}

pub(crate) async fn mark_paid(tx: &TenantTx, id: SettlementId, payout: &Payout, now: DateTime<Utc>) -> Result<()> {
    tx.run(
        "UPDATE settlement SET paid_on = $3, paid_reference = $4, paid_by = $5, paid_at = $6 WHERE tenant_id = $1 AND id = $2",
        [
            tx.tenant_id().into(),
            id.into(),
            payout.on.into(),
            payout.reference.as_str().into(),
            payout.by.as_str().into(),
            now.into(),
        ],
    )
    .await?;
    Ok(())
}

pub(crate) async fn mark_discarded(tx: &TenantTx, id: SettlementId, discard: &Discard) -> Result<()> {
    tx.run(
        "UPDATE settlement SET discarded_at = $3, discarded_by = $4, discard_reason = $5 WHERE tenant_id = $1 AND id = $2",
        [
            tx.tenant_id().into(),
            id.into(),
            discard.at.into(),
            discard.by.as_str().into(),
            discard.reason.as_str().into(),
        ],
    )
    .await?;
    Ok(())
}

/// The statement that a document is.
pub(crate) async fn of_document(tx: &TenantTx, document_id: DocumentId) -> Result<Option<Settlement>> {
    let row: Option<Row> = tx
        .row(
            &format!("SELECT {COLUMNS} FROM settlement WHERE tenant_id = $1 AND document_id = $2"),
            [tx.tenant_id().into(), document_id.into()],
        )
        .await?;
    row.map(domain).transpose()
}

/// What the book's statements have still to be paid, by currency: to the micro while they are drafts, as the document says once
/// they are issued.
pub(crate) async fn unpaid(tx: &TenantTx) -> Result<Vec<(String, i64)>> {
    #[derive(FromQueryResult)]
    struct Unpaid {
        currency: String,
        micros: i64,
    }
    let rows: Vec<Unpaid> = tx
        .rows(
            "SELECT currency, sum(CASE WHEN document_id IS NULL THEN owed_micros ELSE gross_micros END)::bigint AS micros
             FROM settlement WHERE tenant_id = $1 AND paid_at IS NULL AND discarded_at IS NULL GROUP BY 1",
            [tx.tenant_id().into()],
        )
        .await?;
    Ok(rows.into_iter().map(|row| (row.currency, row.micros)).collect())
}

/// What each statement says that its shares come to.
pub(crate) async fn owed(tx: &TenantTx) -> Result<Vec<(SettlementId, i64)>> {
    #[derive(FromQueryResult)]
    struct Says {
        id: Uuid,
        owed_micros: i64,
    }
    let rows: Vec<Says> = tx
        .rows(
            "SELECT id, owed_micros FROM settlement WHERE tenant_id = $1 AND discarded_at IS NULL",
            [tx.tenant_id().into()],
        )
        .await?;
    Ok(rows.into_iter().map(|row| (row.id.into(), row.owed_micros)).collect())
}
