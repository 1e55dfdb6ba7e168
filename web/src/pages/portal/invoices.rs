//! Receipts and invoices of one customer, down to the calls beneath a line.

use super::{calls, customer_of};
use crate::error::{PageError, PageResult};
use crate::extract::PortalCustomer;
use crate::pages::book::foot;
use crate::pages::book::owed::Owed;
use crate::pages::book::pdf_answer;
use crate::pages::book::words::{day, line_group, payment_status, period};
use crate::shell::Section;
use crate::views::book::TableCard;
use crate::views::desk::TopList;
use crate::views::invoices::{Beneath, InvoiceLine, LineCalls, LineGroup};
use crate::views::parts::{Heading, Items, PagePath, SumRow, Sums};
use crate::views::portal::{PortalInvoice, ReceiptRow};
use crate::views::table::{Cell, Column, Empty, Table};
use crate::{format, urls};
use actix_web::{HttpResponse, web};
use db::{CustomerTx, DocumentId, LineId};
use invoicing::{Document, DocumentFilter, DocumentKind, DocumentView, Line, LineSource, PERCENT_UNIT};
use jiff::tz::TimeZone;
use serde::Deserialize;

/// Calls that one opened line shows.
const CALLS_SHOWN: u64 = 200;
/// Documents on the list.
const LISTED: u64 = 120;

/// `GET /portal/invoices`
pub async fn invoices(who: PortalCustomer) -> PageResult<TopList> {
    let tx = who.tx().await?;
    let (customer, _) = customer_of(&who, &tx).await?;
    let found = documents(&who, &tx, LISTED).await?;
    let status =
        payments::status_of(&tx, &found.iter().map(|document| document.id).collect::<Vec<_>>(), who.now).await?;
    let columns = vec![
        Column::text("Document"),
        Column::figures(format!("Total, {}", customer.currency.code())).label("Total"),
        Column::text("State"),
    ];
    let mut table = Table::new(
        "Receipts",
        columns,
        Empty::new("receipt", "No receipts yet", "The first one comes after the month in which you call."),
    );
    for document in &found {
        let state = status.get(&document.id).copied().unwrap_or(payments::PaymentStatus::Paid);
        table.row(vec![
            Cell::name(title(document)).to(urls::portal_invoice(document.id)).sub(format!(
                "{}, {}",
                document.number,
                day(document.issued_on)
            )),
            Cell::figure(document.totals.gross.human_bare()),
            Cell { badge: Some(payment_status(state)), ..Cell::none() },
        ]);
    }
    Ok(TopList {
        shell: who.shell("Receipts", Section::Invoices),
        heading: Heading::new("Receipts").facts(format::counted(
            i64::try_from(found.len()).unwrap_or(i64::MAX),
            "document",
            "documents",
        )),
        cards: vec![TableCard { title: "Newest first".into(), all: None, table }],
        pager: None,
    })
}

async fn documents(who: &PortalCustomer, tx: &CustomerTx, limit: u64) -> PageResult<Vec<Document>> {
    let filter = DocumentFilter { customer_id: Some(who.customer_id), limit, ..DocumentFilter::default() };
    Ok(invoicing::documents(tx, &filter).await?)
}

/// The newest documents, for the first page.
pub async fn receipt_rows(who: &PortalCustomer, tx: &CustomerTx, limit: u64) -> PageResult<Vec<ReceiptRow>> {
    let row = |document: Document| ReceiptRow {
        title: title(&document),
        href: urls::portal_invoice(document.id),
        note: format!("{}, {}", document.number, document.totals.gross.human()),
        pdf_href: Some(urls::portal_invoice_pdf(document.id)),
    };
    Ok(documents(who, tx, limit).await?.into_iter().map(row).collect())
}

/// What a document is for.
fn title(document: &Document) -> String {
    let for_what = period(document.period_starts_on, document.period_ends_on);
    match document.kind {
        DocumentKind::Invoice => for_what,
        DocumentKind::CreditNote => format!("Credit note for {for_what}"),
        DocumentKind::Settlement => format!("Settlement for {for_what}"),
    }
}

#[derive(Deserialize)]
pub struct Opened {
    #[serde(default)]
    open: String,
}

/// `GET /portal/invoices/{document_id}`; `?open=line` opens a line for a browser without scripts.
pub async fn invoice(
    who: PortalCustomer,
    path: web::Path<String>,
    query: web::Query<Opened>,
) -> PageResult<PortalInvoice> {
    let tx = who.tx().await?;
    let (_, zone) = customer_of(&who, &tx).await?;
    let view = own(&who, &tx, path.parse()?).await?;
    let document = &view.document;
    let mut groups = Vec::new();
    for group in &view.groups {
        let mut lines = Vec::new();
        for line in &group.lines {
            let opened = match line.id.to_string() == query.open {
                true => beneath(&who, &tx, line, &zone).await?,
                false => None,
            };
            lines.push(shown(document.id, line, opened));
        }
        groups.push(LineGroup { name: line_group(group.group).into(), lines });
    }
    let (to_pay, payments, badge) = paid(&who, &tx, &view, &zone).await?;
    let mut heading = Heading::new(format!(
        "{} for {}",
        document.totals.gross.human(),
        period(document.period_starts_on, document.period_ends_on)
    ))
    .path(PagePath::under("Receipts", urls::PORTAL_INVOICES, document.number.clone()));
    heading.badge = Some(badge);
    Ok(PortalInvoice {
        shell: who.shell("Invoice", Section::Invoices),
        heading,
        currency: document.currency().code().to_owned(),
        groups,
        net: document.totals.net.human_bare(),
        tax: tax(&view),
        due: if document.totals.due.is_zero() {
            "nothing is due".into()
        } else {
            format!("due {}", day(document.due_on))
        },
        to_pay,
        payments,
        pdf_href: Some(urls::portal_invoice_pdf(document.id)),
    })
}

async fn own(who: &PortalCustomer, tx: &CustomerTx, id: DocumentId) -> PageResult<DocumentView> {
    let view = invoicing::document(tx, id).await?;
    // The wall hides other customers' documents already; this is the second lock.
    if view.document.customer_id != who.customer_id {
        return Err(PageError::NotFound);
    }
    Ok(view)
}

fn shown(document: DocumentId, line: &Line, opened: Option<LineCalls>) -> InvoiceLine {
    let currency = line.amount.currency();
    let quantity = if line.unit == PERCENT_UNIT { String::new() } else { format::quantity(line.quantity) };
    InvoiceLine {
        id: line.id.to_string(),
        text: line.text.clone(),
        sub: if line.detail.is_empty() {
            period(line.service.starts_on, line.service.ends_on)
        } else {
            line.detail.clone()
        },
        mark: if line.tax_percent.is_zero() { "no tax".into() } else { String::new() },
        quantity,
        price: match line.unit_price {
            Some(price) if line.unit == PERCENT_UNIT => format!("{}%", format::quantity(price)),
            Some(price) => currency.human_rate(price),
            None if matches!(line.source, LineSource::TariffCalls { .. }) => "by call".to_owned(),
            None => String::new(),
        },
        net: line.amount.human_bare(),
        beneath: line_of(line).map(|_| Beneath {
            open_href: urls::portal_invoice_opened(document, line.id),
            part_href: urls::portal_invoice_line(document, line.id),
            close_href: urls::portal_invoice(document),
        }),
        opened,
    }
}

/// The calls that a line sums, where it sums calls.
fn line_of(line: &Line) -> Option<(call_control::Line, chrono::DateTime<chrono::Utc>, chrono::DateTime<chrono::Utc>)> {
    match &line.source {
        LineSource::TariffCalls { topic_id, from, to } => {
            Some((call_control::Line::TariffCalls { topic_id: *topic_id }, *from, *to))
        }
        LineSource::Usage { subscription_id, component_key, from, to, .. } => Some((
            call_control::Line::Component { subscription_id: *subscription_id, key: component_key.clone() },
            *from,
            *to,
        )),
        LineSource::Seats { .. } | LineSource::None => None,
    }
}

async fn beneath(who: &PortalCustomer, tx: &CustomerTx, line: &Line, zone: &TimeZone) -> PageResult<Option<LineCalls>> {
    let Some((source, from, to)) = line_of(line) else { return Ok(None) };
    let found = call_control::calls_of_line(tx, who.customer_id, &source, from, to, CALLS_SHOWN).await?;
    let is_charged = matches!(line.source, LineSource::TariffCalls { .. });
    let mut table = calls::table(&found.calls, line.amount.currency().code(), zone).dense();
    let total = |words: String, seconds: Cell, amount: Cell| vec![Cell::text(words), seconds, amount];
    let calls = format::counted(i64::try_from(found.totals.calls).unwrap_or(i64::MAX), "call", "calls");
    let seconds = format::talk_time(i64::try_from(found.totals.metered_seconds).unwrap_or(i64::MAX));
    let charged = if is_charged { Cell::figure(format::exact(found.totals.charge)) } else { Cell::none() };
    table.total(total(calls, Cell::figure(seconds), charged));
    if is_charged {
        for (words, amount) in foot::rows(line, found.totals.charge)? {
            table.total(total(words, Cell::none(), Cell::figure(format::exact(amount))));
        }
    }
    let more = found.next.map(|_| crate::views::ui::Link::new("All calls", urls::PORTAL_CALLS));
    Ok(Some(LineCalls { table, more }))
}

/// `GET /portal/invoices/{document_id}/lines/{line_id}`
pub async fn line(who: PortalCustomer, path: web::Path<(String, String)>) -> PageResult<LineCalls> {
    let (document, line) = (path.0.parse::<DocumentId>()?, path.1.parse::<LineId>()?);
    let tx = who.tx().await?;
    let (_, zone) = customer_of(&who, &tx).await?;
    let view = own(&who, &tx, document).await?;
    let line =
        view.groups.iter().flat_map(|group| &group.lines).find(|known| known.id == line).ok_or(PageError::NotFound)?;
    beneath(&who, &tx, line, &zone).await?.ok_or(PageError::NotFound)
}

fn tax(view: &DocumentView) -> Table {
    let currency = view.document.currency();
    let code = currency.code();
    let columns = vec![
        Column::text("Rate"),
        Column::figures(format!("Net, {code}")).label("Net"),
        Column::figures(format!("Tax, {code}")).label("Tax"),
    ];
    let mut table = Table::new("Tax", columns, Empty::new("receipt", "No tax", "Nothing here is taxed."));
    for row in &view.taxes {
        table.row(vec![
            Cell::text(format!("{}%", format::quantity(row.percent))),
            Cell::figure(row.base.human_bare()),
            Cell::figure(row.tax.human_bare()),
        ]);
    }
    table
}

async fn paid(
    who: &PortalCustomer,
    tx: &CustomerTx,
    view: &DocumentView,
    zone: &TimeZone,
) -> PageResult<(Sums, Items, crate::views::ui::Badge)> {
    let document = &view.document;
    let totals = &document.totals;
    let owed = Owed::read(tx, view, who.now).await?;
    let mut rows = vec![
        SumRow::plain("Net", totals.net.human_bare()),
        SumRow::plain("Tax", totals.tax.human_bare()),
        SumRow::sum("Total", totals.gross.human()),
    ];
    if !totals.settled.is_zero() {
        rows.push(SumRow::plain("Paid from your balance, call by call", totals.settled.checked_neg()?.human_bare()));
    }
    rows.extend(owed.rows(document, "To pay", zone)?);
    Ok((Sums(rows), owed.received(totals, zone), payment_status(owed.status)))
}

/// `GET /portal/invoices/{document_id}/pdf`
pub async fn pdf(who: PortalCustomer, path: web::Path<String>) -> PageResult<HttpResponse> {
    let tx = who.tx().await?;
    let view = own(&who, &tx, path.parse()?).await?;
    let bytes = invoicing::pdf(&tx, view.document.id, None, who.now).await?;
    tx.commit().await?;
    Ok(pdf_answer(&view.document.number, bytes))
}
