//! Writing documents: insert only, a block at a time.

use crate::content::{DraftContent, Line};
use crate::document::{DocumentKind, Frozen};
use crate::error::{InvoicingError, Result};
use chrono::{DateTime, NaiveDate, Utc};
use db::{CustomerId, DocumentId, DraftId, LineId, RunId, SubscriptionId, TenantTx, TopicId, TransactionId};
use money::{Decimal, Money};
use uuid::Uuid;

/// A document to be written.
pub(crate) struct NewDocument {
    pub id: DocumentId,
    pub kind: DocumentKind,
    pub series: String,
    pub serial: i64,
    pub number: String,
    pub customer_id: CustomerId,
    pub draft_id: DraftId,
    pub run_id: Option<RunId>,
    pub corrects: Option<DocumentId>,
    pub issued_on: NaiveDate,
    pub issued_at: DateTime<Utc>,
    pub due_on: NaiveDate,
    pub frozen: Frozen,
    pub content: DraftContent,
    pub transaction_id: Option<TransactionId>,
}

/// Takes the next `count` numbers of a series; the last of them. The row stays locked until the transaction ends, so that
/// whoever takes the next numbers knows that these are used.
pub(crate) async fn take_numbers(tx: &TenantTx, series: &str, count: i64) -> Result<i64> {
    let last: Option<i64> = tx
        .value(
            "INSERT INTO document_counter AS c (tenant_id, series, last_number) VALUES ($1, $2, $3)
             ON CONFLICT (tenant_id, series) DO UPDATE SET last_number = c.last_number + $3 RETURNING last_number AS v",
            [tx.tenant_id().into(), series.into(), count.into()],
        )
        .await?;
    last.ok_or_else(|| InvoicingError::Db(db::DbError::Custom("the counter returned no number".to_owned())))
}

pub(crate) async fn insert(tx: &TenantTx, documents: &[NewDocument]) -> Result<()> {
    insert_heads(tx, documents).await?;
    insert_lines(tx, documents).await?;
    insert_taxes(tx, documents).await
}

fn column<T, R>(items: &[T], value: impl Fn(&T) -> R) -> sea_orm::Value
where
    Vec<R>: Into<sea_orm::Value>,
{
    items.iter().map(value).collect::<Vec<R>>().into()
}

/// The nil UUID stands for NULL in arrays.
fn or_nil(id: Option<Uuid>) -> Uuid {
    id.unwrap_or(Uuid::nil())
}

async fn insert_heads(tx: &TenantTx, documents: &[NewDocument]) -> Result<()> {
    let mut contents = Vec::with_capacity(documents.len());
    for document in documents {
        contents.push(serde_json::to_string(&document.frozen).map_err(InvoicingError::unreadable("document"))?);
    }
    let amount = |value: fn(&DraftContent) -> Money| column(documents, |document| value(&document.content).micros());
    tx.run(
        "INSERT INTO document (tenant_id, id, kind, series, serial, number, customer_id, draft_id, run_id, corrects, currency, issued_on, issued_at,
           due_on, period_starts_on, period_ends_on, net_micros, tax_micros, gross_micros, due_micros, content, transaction_id)
         SELECT $1, d.id, d.kind, d.series, d.serial, d.number, d.customer_id, d.draft_id, nullif(d.run_id, $2), nullif(d.corrects, $2), d.currency,
           d.issued_on, d.issued_at, d.due_on, d.starts_on, d.ends_on, d.net, d.tax, d.gross, d.due, d.content::jsonb, d.transaction_id
         FROM unnest($3::uuid[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::uuid[], $9::uuid[], $10::uuid[], $11::uuid[], $12::text[],
           $13::date[], $14::timestamptz[], $15::date[], $16::date[], $17::date[], $18::bigint[], $19::bigint[], $20::bigint[], $21::bigint[],
           $22::text[], $23::uuid[]) AS d (id, kind, series, serial, number, customer_id, draft_id, run_id, corrects, currency, issued_on, issued_at,
           due_on, starts_on, ends_on, net, tax, gross, due, content, transaction_id)",
        [
            tx.tenant_id().into(),
            Uuid::nil().into(),
            column(documents, |document| document.id.uuid()),
            column(documents, |document| document.kind.as_str().to_owned()),
            column(documents, |document| document.series.clone()),
            column(documents, |document| document.serial),
            column(documents, |document| document.number.clone()),
            column(documents, |document| document.customer_id.uuid()),
            column(documents, |document| document.draft_id.uuid()),
            column(documents, |document| or_nil(document.run_id.map(RunId::uuid))),
            column(documents, |document| or_nil(document.corrects.map(DocumentId::uuid))),
            column(documents, |document| document.content.totals.gross.currency().code().to_owned()),
            column(documents, |document| document.issued_on),
            column(documents, |document| document.issued_at),
            column(documents, |document| document.due_on),
            column(documents, |document| document.content.period.starts_on),
            column(documents, |document| document.content.period.ends_on),
            amount(|content| content.totals.net),
            amount(|content| content.totals.tax),
            amount(|content| content.totals.gross),
            amount(|content| content.totals.due),
            contents.into(),
            column(documents, |document| or_nil(document.transaction_id.map(TransactionId::uuid))),
        ],
    )
    .await?;
    Ok(())
}

/// A line with the document that it belongs to.
struct Placed<'a> {
    document: &'a NewDocument,
    position: i32,
    line: &'a Line,
}

async fn insert_lines(tx: &TenantTx, documents: &[NewDocument]) -> Result<()> {
    let mut lines = Vec::new();
    let (mut explanations, mut sources) = (Vec::new(), Vec::new());
    for document in documents {
        for (position, line) in (1..).zip(&document.content.lines) {
            lines.push(Placed { document, position, line });
            explanations
                .push(serde_json::to_string(&line.explanation).map_err(InvoicingError::unreadable("explanation"))?);
            sources.push(serde_json::to_string(&line.source).map_err(InvoicingError::unreadable("source"))?);
        }
    }
    let text = |value: fn(&Line) -> String| column(&lines, |placed: &Placed<'_>| value(placed.line));
    let at = |value: fn(&Line) -> DateTime<Utc>| column(&lines, |placed: &Placed<'_>| value(placed.line));
    let on = |value: fn(&Line) -> NaiveDate| column(&lines, |placed: &Placed<'_>| value(placed.line));
    let id = |value: fn(&Line) -> Option<Uuid>| column(&lines, |placed: &Placed<'_>| or_nil(value(placed.line)));
    tx.run(
        "INSERT INTO document_line (tenant_id, document_id, position, id, customer_id, line_group, subscription_id, component_key, topic_id, text, detail,
           service_starts_at, service_ends_at, service_starts_on, service_ends_on, quantity, unit, unit_price, amount_micros, gross_micros,
           tax_category, tax_percent, explanation, source, corrects_line)
         SELECT $1, l.document_id, l.position, l.id, l.customer_id, l.line_group, nullif(l.subscription_id, $2), nullif(l.component_key, ''),
           nullif(l.topic_id, $2), l.text, l.detail, l.starts_at, l.ends_at, l.starts_on, l.ends_on, l.quantity, l.unit,
           nullif(l.unit_price, '')::numeric, l.amount, nullif(l.gross, '')::bigint, l.tax_category, l.tax_percent, l.explanation::jsonb, l.source::jsonb,
           nullif(l.corrects_line, $2)
         FROM unnest($3::uuid[], $4::int[], $5::uuid[], $6::uuid[], $7::text[], $8::uuid[], $9::text[], $10::uuid[], $11::text[], $12::text[],
           $13::timestamptz[], $14::timestamptz[], $15::date[], $16::date[], $17::numeric[], $18::text[], $19::text[], $20::bigint[], $21::text[],
           $22::text[], $23::numeric[], $24::text[], $25::text[], $26::uuid[]) AS l (document_id, position, id, customer_id, line_group, subscription_id,
           component_key, topic_id, text, detail, starts_at, ends_at, starts_on, ends_on, quantity, unit, unit_price, amount, gross,
           tax_category, tax_percent, explanation, source, corrects_line)",
        [
            tx.tenant_id().into(),
            Uuid::nil().into(),
            column(&lines, |placed| placed.document.id.uuid()),
            column(&lines, |placed| placed.position),
            column(&lines, |placed| placed.line.id.uuid()),
            column(&lines, |placed| placed.document.customer_id.uuid()),
            text(|line| line.group.code().to_owned()),
            id(|line| line.subscription_id.map(SubscriptionId::uuid)),
            text(|line| line.component_key.clone().unwrap_or_default()),
            id(|line| line.topic_id.map(TopicId::uuid)),
            text(|line| line.text.clone()),
            text(|line| line.detail.clone()),
            at(|line| line.service.starts_at),
            at(|line| line.service.ends_at),
            on(|line| line.service.starts_on),
            on(|line| line.service.ends_on),
            column(&lines, |placed| placed.line.quantity),
            text(|line| line.unit.clone()),
            text(|line| line.unit_price.map(|price| price.to_string()).unwrap_or_default()),
            column(&lines, |placed| placed.line.amount.micros()),
            text(|line| line.gross.map(|gross| gross.micros().to_string()).unwrap_or_default()),
            text(|line| line.tax_category.clone()),
            column(&lines, |placed| placed.line.tax_percent),
            explanations.into(),
            sources.into(),
            id(|line| line.corrects.map(LineId::uuid)),
        ],
    )
    .await?;
    Ok(())
}

async fn insert_taxes(tx: &TenantTx, documents: &[NewDocument]) -> Result<()> {
    let rows: Vec<_> =
        documents.iter().flat_map(|document| document.content.taxes.iter().map(move |row| (document, row))).collect();
    let percents: Vec<Decimal> = rows.iter().map(|(_, row)| row.percent).collect();
    tx.run(
        "INSERT INTO document_tax (tenant_id, document_id, category, percent, customer_id, base_micros, tax_micros)
         SELECT $1, t.* FROM unnest($2::uuid[], $3::text[], $4::numeric[], $5::uuid[], $6::bigint[], $7::bigint[]) t",
        [
            tx.tenant_id().into(),
            column(&rows, |(document, _)| document.id.uuid()),
            column(&rows, |(_, row)| row.category.clone()),
            percents.into(),
            column(&rows, |(document, _)| document.customer_id.uuid()),
            column(&rows, |(_, row)| row.base.micros()),
            column(&rows, |(_, row)| row.tax.micros()),
        ],
    )
    .await?;
    Ok(())
}
