//! Reading documents.

use crate::content::{Line, LineGroup, Service, TaxRow, Totals};
use crate::document::{
    BilledTotal, CreditedBy, Document, DocumentFilter, DocumentKind, DocumentView, OpenDocument, grouped,
};
use crate::entity::{document, document_file, document_line, document_tax};
use crate::error::{InvoicingError, Result};
use crate::store::{known, money};
use ::money::Money;
use chrono::{DateTime, NaiveDate, Utc};
use db::{CustomerId, DocumentId, LineId, RunId, SubscriptionId, TenantTx, TopicId};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect,
};
use uuid::Uuid;

fn domain(row: document::Model) -> Result<Document> {
    let amount = |micros| money(micros, &row.currency);
    let (gross, due) = (amount(row.gross_micros)?, amount(row.due_micros)?);
    let totals = Totals {
        net: amount(row.net_micros)?,
        tax: amount(row.tax_micros)?,
        gross,
        settled: gross.checked_sub(due)?,
        due,
    };
    Ok(Document {
        id: row.id.into(),
        kind: known(DocumentKind::of_word(&row.kind), "document kind", &row.kind)?,
        number: row.number,
        series: row.series,
        serial: row.serial,
        customer_id: row.customer_id.into(),
        draft_id: row.draft_id.into(),
        run_id: row.run_id.map(RunId::from_uuid),
        corrects: row.corrects.map(DocumentId::from_uuid),
        issued_on: row.issued_on,
        issued_at: row.issued_at,
        due_on: row.due_on,
        period_starts_on: row.period_starts_on,
        period_ends_on: row.period_ends_on,
        totals,
        transaction_id: row.transaction_id.into(),
        frozen: serde_json::from_value(row.content).map_err(InvoicingError::unreadable("document"))?,
    })
}

pub(crate) async fn page(tx: &TenantTx, filter: &DocumentFilter) -> Result<Vec<Document>> {
    use document::Column;
    let mut query = document::Entity::find().filter(Column::TenantId.eq(tx.tenant_id().uuid()));
    if let Some(customer_id) = filter.customer_id {
        query = query.filter(Column::CustomerId.eq(customer_id.uuid()));
    }
    query = match filter.kind {
        Some(kind) => query.filter(Column::Kind.eq(kind.as_str())),
        // Statements are what this book owes: they have a list of their own.
        None => query.filter(Column::Kind.ne(DocumentKind::Settlement.as_str())),
    };
    if let Some(run_id) = filter.run_id {
        query = query.filter(Column::RunId.eq(run_id.uuid()));
    }
    if let Some(from_on) = filter.from_on {
        query = query.filter(Column::IssuedOn.gte(from_on));
    }
    if let Some(before_on) = filter.before_on {
        query = query.filter(Column::IssuedOn.lt(before_on));
    }
    if let Some((issued_at, id)) = filter.after {
        let earlier = Condition::any()
            .add(Column::IssuedAt.lt(issued_at))
            .add(Condition::all().add(Column::IssuedAt.eq(issued_at)).add(Column::Id.lt(id.uuid())));
        // The first bound alone would do for the answer; it lets the index begin where the page begins.
        query = query.filter(Expr::col(Column::IssuedAt).lte(issued_at)).filter(earlier);
    }
    let rows = query.order_by_desc(Column::IssuedAt).order_by_desc(Column::Id).limit(filter.limit).all(tx).await?;
    rows.into_iter().map(domain).collect()
}

async fn row(tx: &TenantTx, id: DocumentId) -> Result<document::Model> {
    let found = document::Entity::find()
        .filter(document::Column::TenantId.eq(tx.tenant_id().uuid()))
        .filter(document::Column::Id.eq(id.uuid()))
        .one(tx)
        .await?;
    found.ok_or(InvoicingError::UnknownDocument(id))
}

/// A document's number.
pub(crate) async fn number_of(tx: &TenantTx, id: DocumentId) -> Result<String> {
    Ok(row(tx, id).await?.number)
}

pub(crate) async fn by_number(tx: &TenantTx, number: &str) -> Result<Option<Document>> {
    let found = document::Entity::find()
        .filter(document::Column::TenantId.eq(tx.tenant_id().uuid()))
        .filter(document::Column::Number.eq(number))
        .one(tx)
        .await?;
    found.map(domain).transpose()
}

/// A document with its lines and tax groups.
pub(crate) async fn view(tx: &TenantTx, id: DocumentId) -> Result<DocumentView> {
    let head = row(tx, id).await?;
    let currency = head.currency.clone();
    let lines = document_line::Entity::find()
        .filter(document_line::Column::TenantId.eq(tx.tenant_id().uuid()))
        .filter(document_line::Column::DocumentId.eq(id.uuid()))
        .order_by_asc(document_line::Column::Position)
        .all(tx)
        .await?;
    let lines = lines.into_iter().map(|row| line(row, &currency)).collect::<Result<Vec<_>>>()?;
    let taxes = document_tax::Entity::find()
        .filter(document_tax::Column::TenantId.eq(tx.tenant_id().uuid()))
        .filter(document_tax::Column::DocumentId.eq(id.uuid()))
        .order_by_desc(document_tax::Column::Percent)
        .order_by_asc(document_tax::Column::Category)
        .all(tx)
        .await?;
    let tax_row = |row: document_tax::Model| {
        let (base, tax) = (money(row.base_micros, &currency)?, money(row.tax_micros, &currency)?);
        Ok(TaxRow { category: row.category, percent: row.percent.normalize(), base, tax })
    };
    let taxes = taxes.into_iter().map(tax_row).collect::<Result<Vec<_>>>()?;
    let notes = document::Entity::find()
        .filter(document::Column::TenantId.eq(tx.tenant_id().uuid()))
        .filter(document::Column::CustomerId.eq(head.customer_id))
        .filter(document::Column::Corrects.eq(id.uuid()))
        .order_by_asc(document::Column::IssuedAt)
        .order_by_asc(document::Column::Serial)
        .all(tx)
        .await?;
    let note = |row: document::Model| {
        Ok(CreditedBy { id: row.id.into(), number: row.number, gross: money(row.gross_micros, &currency)? })
    };
    let credit_notes = notes.into_iter().map(note).collect::<Result<Vec<_>>>()?;
    let document = domain(head)?;
    let credited = Money::sum(document.currency(), credit_notes.iter().map(|note| note.gross))?;
    let is_whole = credited.at_least(document.totals.gross)?;
    Ok(DocumentView {
        groups: grouped(lines)?,
        taxes,
        credited_by: credit_notes.last().filter(|_| is_whole).map(|note| note.id),
        credit_notes,
        document,
    })
}

fn line(row: document_line::Model, currency: &str) -> Result<Line> {
    Ok(Line {
        id: row.id.into(),
        group: known(LineGroup::of_code(&row.line_group), "line group", &row.line_group)?,
        subscription_id: row.subscription_id.map(SubscriptionId::from_uuid),
        component_key: row.component_key,
        topic_id: row.topic_id.map(TopicId::from_uuid),
        text: row.text,
        detail: row.detail,
        service: Service {
            starts_at: row.service_starts_at,
            ends_at: row.service_ends_at,
            starts_on: row.service_starts_on,
            ends_on: row.service_ends_on,
        },
        quantity: row.quantity.normalize(),
        unit: row.unit,
        unit_price: row.unit_price.map(|price| price.normalize()),
        amount: money(row.amount_micros, currency)?,
        gross: row.gross_micros.map(|micros| money(micros, currency)).transpose()?,
        tax_category: row.tax_category,
        tax_percent: row.tax_percent.normalize(),
        explanation: serde_json::from_value(row.explanation).map_err(InvoicingError::unreadable("explanation"))?,
        source: serde_json::from_value(row.source).map_err(InvoicingError::unreadable("source"))?,
        corrects: row.corrects_line.map(LineId::from_uuid),
    })
}

#[derive(FromQueryResult)]
struct AskingRow {
    id: Uuid,
    number: String,
    customer_id: Uuid,
    issued_on: NaiveDate,
    due_on: NaiveDate,
    currency: String,
    due_micros: i64,
}

/// Which invoices are asked about.
pub(crate) enum Asking<'a> {
    All,
    OfCustomer(CustomerId),
    These(&'a [DocumentId]),
    DueBefore(NaiveDate),
}

/// Invoices that ask for money after all credit notes: of what one has too much, and of those that correct none, the invoices
/// that are due first get their part.
pub(crate) async fn asking(tx: &TenantTx, which: Asking<'_>) -> Result<Vec<OpenDocument>> {
    let (narrowed, named) = match which {
        Asking::OfCustomer(_) => ("AND d.customer_id = $2", ""),
        Asking::These(_) => (
            "AND d.customer_id IN (SELECT customer_id FROM document WHERE tenant_id = $1 AND id = ANY($2::uuid[]))",
            "AND id = ANY($2::uuid[])",
        ),
        Asking::DueBefore(_) => ("", "AND due_on < $2"),
        Asking::All => ("", ""),
    };
    let text = format!(
        "WITH credited AS (
           SELECT d.customer_id, d.corrects, sum(d.due_micros) AS due FROM document d
           WHERE d.tenant_id = $1 {narrowed} AND d.kind = 'credit_note' GROUP BY 1, 2),
         invoice AS (
           SELECT d.id, d.number, d.serial, d.customer_id, d.issued_on, d.due_on, d.currency, d.due_micros - coalesce(c.due, 0) AS due
           FROM document d LEFT JOIN credited c ON c.customer_id = d.customer_id AND c.corrects = d.id
           WHERE d.tenant_id = $1 {narrowed} AND d.kind = 'invoice'),
         free AS (
           SELECT customer_id, sum(due) AS due FROM (
             SELECT customer_id, due FROM credited WHERE corrects IS NULL
             UNION ALL SELECT customer_id, -due FROM invoice WHERE due < 0) f GROUP BY 1),
         asking AS (
           SELECT i.*, greatest(0, coalesce(f.due, 0) - coalesce(sum(i.due) OVER (
             PARTITION BY i.customer_id ORDER BY i.due_on, i.serial, i.id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)) AS free
           FROM invoice i LEFT JOIN free f ON f.customer_id = i.customer_id WHERE i.due > 0)
         SELECT id, number, customer_id, issued_on, due_on, currency, (due - free)::bigint AS due_micros FROM asking
         WHERE due > free {named} ORDER BY due_on, serial, id"
    );
    let mut values: Vec<sea_orm::Value> = vec![tx.tenant_id().into()];
    match which {
        Asking::All => (),
        Asking::OfCustomer(customer) => values.push(customer.into()),
        Asking::These(ids) => values.push(ids.iter().map(|id| id.uuid()).collect::<Vec<_>>().into()),
        Asking::DueBefore(on) => values.push(on.into()),
    }
    let rows: Vec<AskingRow> = tx.rows(&text, values).await?;
    rows.into_iter()
        .map(|row| {
            Ok(OpenDocument {
                id: row.id.into(),
                number: row.number,
                customer_id: row.customer_id.into(),
                issued_on: row.issued_on,
                due_on: row.due_on,
                due: money(row.due_micros, &row.currency)?,
            })
        })
        .collect()
}

#[derive(FromQueryResult)]
struct TotalRow {
    currency: String,
    documents: i64,
    net: i64,
    tax: i64,
    gross: i64,
}

pub(crate) async fn billed_between(
    tx: &TenantTx,
    from_on: NaiveDate,
    before_on: NaiveDate,
) -> Result<Vec<BilledTotal>> {
    let rows: Vec<TotalRow> = tx
        .rows(
            "SELECT currency, count(*) FILTER (WHERE kind = 'invoice') AS documents,
               sum(CASE kind WHEN 'invoice' THEN net_micros ELSE -net_micros END)::bigint AS net,
               sum(CASE kind WHEN 'invoice' THEN tax_micros ELSE -tax_micros END)::bigint AS tax,
               sum(CASE kind WHEN 'invoice' THEN gross_micros ELSE -gross_micros END)::bigint AS gross
             FROM document
             WHERE tenant_id = $1 AND kind IN ('invoice', 'credit_note') AND issued_on >= $2 AND issued_on < $3
               AND issued_at >= $2::timestamp AT TIME ZONE 'UTC' - interval '2 days'
             GROUP BY currency ORDER BY currency",
            [tx.tenant_id().into(), from_on.into(), before_on.into()],
        )
        .await?;
    rows.into_iter()
        .map(|row| {
            let amount = |micros| money(micros, &row.currency);
            Ok(BilledTotal {
                documents: row.documents.unsigned_abs(),
                net: amount(row.net)?,
                tax: amount(row.tax)?,
                gross: amount(row.gross)?,
            })
        })
        .collect()
}

/// Locks a document's counterpart in drafts, so that two credit notes of one invoice wait for one another (a document itself
/// may not even be locked: it is insert and select only).
pub(crate) async fn lock_origin(tx: &TenantTx, id: DocumentId) -> Result<()> {
    let head = row(tx, id).await?;
    tx.run(
        "SELECT 1 FROM draft WHERE tenant_id = $1 AND id = $2 FOR UPDATE",
        [tx.tenant_id().into(), head.draft_id.into()],
    )
    .await?;
    Ok(())
}

pub(crate) async fn file(tx: &TenantTx, id: DocumentId) -> Result<Option<Vec<u8>>> {
    let row = document_file::Entity::find()
        .filter(document_file::Column::TenantId.eq(tx.tenant_id().uuid()))
        .filter(document_file::Column::DocumentId.eq(id.uuid()))
        .filter(document_file::Column::Format.eq("pdf"))
        .one(tx)
        .await?;
    Ok(row.map(|row| row.content))
}

/// Stores a file unless one is stored; who comes second gets the first one's bytes from [`file`].
pub(crate) async fn insert_file(
    tx: &TenantTx,
    id: DocumentId,
    customer: CustomerId,
    bytes: &[u8],
    sha256: Vec<u8>,
    now: DateTime<Utc>,
) -> Result<()> {
    let row = document_file::ActiveModel {
        tenant_id: Set(tx.tenant_id().uuid()),
        document_id: Set(id.uuid()),
        format: Set("pdf".to_owned()),
        customer_id: Set(customer.uuid()),
        content: Set(bytes.to_vec()),
        sha256: Set(sha256),
        made_at: Set(now),
    };
    let first = sea_orm::sea_query::OnConflict::new().do_nothing().to_owned();
    document_file::Entity::insert(row).on_conflict(first).exec_without_returning(tx).await?;
    Ok(())
}

#[derive(FromQueryResult)]
struct IdRow {
    id: Uuid,
}

/// Documents without a file, the oldest first.
pub(crate) async fn without_file(tx: &TenantTx, since: DateTime<Utc>, limit: u64) -> Result<Vec<DocumentId>> {
    let rows: Vec<IdRow> = tx
        .rows(
            "SELECT d.id FROM document d WHERE d.tenant_id = $1 AND d.issued_at >= $2 AND NOT EXISTS (
               SELECT 1 FROM document_file f WHERE f.tenant_id = d.tenant_id AND f.document_id = d.id AND f.format = 'pdf')
             ORDER BY d.issued_at, d.id LIMIT $3",
            [tx.tenant_id().into(), since.into(), (limit as i64).into()],
        )
        .await?;
    Ok(rows.into_iter().map(|row| row.id.into()).collect())
}
