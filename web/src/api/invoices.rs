//! Final documents: invoices, credit notes, settlements. Read only: a document never changes.

use super::body::{Number, Text};
use super::list::{self, At, List};
use super::problem::{ApiResult, Problem};
use super::route::{Ask, Asked, Nothing, One, Pdf, Route, Shown, get};
use super::shapes::{self, Amount, PricedBy, Term, amount, priced_by, terms};
use crate::urls;
use chrono::{DateTime, NaiveDate, Utc};
use db::{CustomerId, DocumentId};
use invoicing::{Document, DocumentFilter, DocumentView};
use serde::{Deserialize, Serialize};
use tenant::{OrganisationKind, ScopeGroup};
use utoipa::{IntoParams, ToSchema};

pub fn routes() -> Vec<Route> {
    let group = ScopeGroup::Invoices;
    vec![
        get("/v1/invoices", group, "List invoices and credit notes, the newest first", invoices),
        get("/v1/invoices/{document_id}", group, "Read an invoice or a credit note", invoice),
        get("/v1/invoices/{document_id}/lines", group, "Read its lines, each with its derivation", lines),
        get("/v1/invoices/{document_id}/pdf", group, "Read it as a PDF", pdf),
    ]
}

/// A final document.
#[derive(Serialize, ToSchema)]
#[schema(as = Invoice)]
struct Invoice {
    #[schema(schema_with = shapes::document_kind)]
    object: &'static str,
    id: String,
    /// As printed.
    #[schema(example = "NL-000217")]
    number: String,
    customer: String,
    /// The invoice that a credit note cancels.
    corrects: Option<String>,
    issued_on: NaiveDate,
    issued_at: DateTime<Utc>,
    due_on: NaiveDate,
    period_starts_on: NaiveDate,
    /// The first day after the period.
    period_ends_on: NaiveDate,
    net: Amount,
    tax: Amount,
    gross: Amount,
    /// What the wallet has paid already, call by call.
    settled: Amount,
    /// What was left to pay when it was issued: gross less settled. It stays; what was paid since is told by `payment_status`.
    due: Amount,
    #[schema(schema_with = shapes::payment_status)]
    payment_status: &'static str,
}

impl Shown for Invoice {}

/// A final document with its tax groups.
#[derive(Serialize, ToSchema)]
struct OpenedInvoice {
    #[serde(flatten)]
    invoice: Invoice,
    taxes: Vec<TaxGroup>,
    /// The credit note that cancels it, if one does.
    credited_by: Option<String>,
}

impl Shown for OpenedInvoice {}

/// Lines of one tax category and rate.
#[derive(Serialize, ToSchema)]
pub struct TaxGroup {
    /// EN 16931 letter.
    category: String,
    /// 19 is 19%.
    percent: Number,
    base: Amount,
    tax: Amount,
}

/// A line of a document.
#[derive(Serialize, ToSchema)]
pub struct Line {
    #[schema(example = "line")]
    object: &'static str,
    id: String,
    group: &'static str,
    subscription: Option<String>,
    component_key: Option<String>,
    topic: Option<String>,
    text: String,
    detail: String,
    /// What it is for, from this instant on and until the other.
    service_starts_at: DateTime<Utc>,
    service_ends_at: DateTime<Utc>,
    service_starts_on: NaiveDate,
    service_ends_on: NaiveDate,
    quantity: Number,
    /// What the quantity counts; empty for fees.
    unit: String,
    /// Null where one price does not tell the whole.
    unit_price: Option<Number>,
    /// Net.
    amount: Amount,
    /// Of call charges: what the calls charged, tax included.
    gross: Option<Amount>,
    tax_category: String,
    tax_percent: Number,
    /// The plan, its version and the component that priced it; null for calls, each of which names its own tariff.
    #[schema(example = "Business, version 2, Calls")]
    price: Option<String>,
    /// The same as data.
    price_version: Option<PricedBy>,
    /// How the amount came about.
    explanation: Vec<Term>,
}

impl Shown for Line {}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct ListAsked {
    /// 1 to 100; 50 when left out.
    #[param(value_type = Option<u32>)]
    limit: Option<Text<u32>>,
    /// The `next` of the page before.
    starting_after: Option<String>,
    #[param(value_type = Option<String>)]
    customer: Option<Text<CustomerId>>,
    #[param(schema_with = shapes::document_kind)]
    kind: Option<String>,
    /// Issued on this day or later.
    issued_from: Option<NaiveDate>,
    /// Issued before this day.
    issued_before: Option<NaiveDate>,
    /// The document with this number, and no other.
    number: Option<String>,
}

async fn invoices(ask: &Ask, Asked(asked): Asked<ListAsked>) -> ApiResult<List<Invoice>> {
    if let Some(number) = &asked.number {
        let found = invoicing::document_by_number(&ask.tx, number).await?;
        return Ok(List::whole(shown(ask, found.into_iter().collect()).await?));
    }
    let kind = |word: String| {
        let known = shapes::DOCUMENT_KINDS.into_iter().find(|kind| kind.as_str() == word);
        known.ok_or_else(|| {
            Problem::invalid("/kind", "unknown_word", "must be invoice, credit_note or settlement").with_value(word)
        })
    };
    let limit = list::limit(asked.limit)?;
    let filter = DocumentFilter {
        customer_id: asked.customer.map(|id| id.0),
        kind: asked.kind.map(kind).transpose()?,
        run_id: None,
        from_on: asked.issued_from,
        before_on: asked.issued_before,
        after: list::after::<At<DocumentId>>(asked.starting_after.as_deref())?.map(|At(at, id)| (at, id)),
        limit: limit + 1,
    };
    let found = invoicing::documents(&ask.tx, &filter).await?;
    let (found, next) = list::cut(found, limit, |document| list::place(At(document.issued_at, document.id)));
    Ok(List::page(shown(ask, found).await?, next))
}

async fn shown(ask: &Ask, documents: Vec<Document>) -> ApiResult<Vec<Invoice>> {
    let ids: Vec<DocumentId> = documents.iter().map(|document| document.id).collect();
    let statuses = payments::status_of(&ask.tx, &ids, ask.now).await?;
    let shown = documents.into_iter().map(|of| Invoice {
        object: of.kind.as_str(),
        payment_status: statuses.get(&of.id).map_or("paid", |status| status.as_str()),
        id: of.id.to_string(),
        number: of.number,
        customer: of.customer_id.to_string(),
        corrects: of.corrects.map(|id| id.to_string()),
        issued_on: of.issued_on,
        issued_at: of.issued_at,
        due_on: of.due_on,
        period_starts_on: of.period_starts_on,
        period_ends_on: of.period_ends_on,
        net: of.totals.net.into(),
        tax: of.totals.tax.into(),
        gross: of.totals.gross.into(),
        settled: of.totals.settled.into(),
        due: of.totals.due.into(),
    });
    Ok(shown.collect())
}

async fn view(ask: &Ask) -> ApiResult<DocumentView> {
    Ok(invoicing::document(&ask.tx, ask.id("document_id")?).await?)
}

async fn invoice(ask: &Ask, _: Nothing) -> ApiResult<One<OpenedInvoice>> {
    let view = view(ask).await?;
    let invoice = shown(ask, vec![view.document]).await?.pop().ok_or_else(Problem::not_found)?;
    let taxes = view.taxes.into_iter().map(tax_group);
    Ok(One(OpenedInvoice { invoice, taxes: taxes.collect(), credited_by: view.credited_by.map(|id| id.to_string()) }))
}

async fn lines(ask: &Ask, _: Nothing) -> ApiResult<List<Line>> {
    let lines = view(ask).await?.groups.into_iter().flat_map(|group| group.lines);
    Ok(List::whole(lines.map(line).collect()))
}

/// A line as it is shown.
pub fn line(of: invoicing::Line) -> Line {
    Line {
        object: "line",
        id: of.id.to_string(),
        group: of.group.code(),
        subscription: of.subscription_id.map(|id| id.to_string()),
        component_key: of.component_key,
        topic: of.topic_id.map(|id| id.to_string()),
        text: of.text,
        detail: of.detail,
        service_starts_at: of.service.starts_at,
        service_ends_at: of.service.ends_at,
        service_starts_on: of.service.starts_on,
        service_ends_on: of.service.ends_on,
        quantity: Number(of.quantity),
        unit: of.unit,
        unit_price: of.unit_price.map(Number),
        amount: of.amount.into(),
        gross: amount(of.gross),
        tax_category: of.tax_category,
        tax_percent: Number(of.tax_percent),
        price: of.explanation.price.as_ref().map(pricing::PriceVersion::text),
        price_version: priced_by(&of.explanation),
        explanation: terms(&of.explanation),
    }
}

/// A tax group as it is shown.
pub fn tax_group(row: invoicing::TaxRow) -> TaxGroup {
    TaxGroup { category: row.category, percent: Number(row.percent), base: row.base.into(), tax: row.tax.into() }
}

async fn pdf(ask: &Ask, _: Nothing) -> ApiResult<Pdf> {
    let id: DocumentId = ask.id("document_id")?;
    let name = view(ask).await?.document.number;
    // Where the customer sees it: in the portal of a tenant. An organisation sees it on a host of its own.
    let has_portal = ask.client.organisation.kind == OrganisationKind::Tenant;
    let seen_at = has_portal.then(|| format!("{}{}", ask.site.origin(&ask.app), urls::portal_invoice(id)));
    let bytes = invoicing::pdf(&ask.tx, id, seen_at.as_deref(), ask.now).await?;
    Ok(Pdf { name, bytes })
}
