//! One document or draft: lines that open to what lies beneath, tax, what was paid, and the PDF.

use super::beneath::{Reader, beneath, opens};
use super::lines::{Of, groups, tax};
use super::owed::Owed;
use super::words::{day, payment_status, period};
use super::{pdf_answer, shell};
use crate::answer::{SeeOther, see_other};
use crate::error::{PageError, PageResult};
use crate::extract::Member;
use crate::format;
use crate::shell::{Section, Shell};
use crate::urls::{self, Audience, with_query};
use crate::views::invoices::{Invoice as InvoiceView, LineCalls};
use crate::views::parts::{Happening, Heading, Items, PagePath, SumRow, Sums, Timeline};
use crate::views::runs::ThrowAway;
use crate::views::ui::{Badge, Tone};
use actix_web::{HttpResponse, web};
use db::{DocumentId, DraftId, LineId, TenantTx};
use invoicing::{DocumentKind, DocumentView, Draft, DraftState, Grouped, Line, TaxRow, Totals};
use jiff::tz::TimeZone;
use serde::Deserialize;
use tenant::Role;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    /// The line that stands open.
    pub open: String,
}

/// `GET /admin/invoices/{document_id}`
pub async fn invoice(member: Member, path: web::Path<String>, asked: web::Query<Asked>) -> PageResult<InvoiceView> {
    let id: DocumentId = path.parse()?;
    let tx = member.tx().await?;
    let view = invoicing::document(&tx, id).await?;
    let owed = Owed::read(&tx, &view, member.now).await?;
    let opened = opened(&tx, seller(&member, &tx), view.document.customer_id, &view.groups, &asked.open).await?;
    let shell = shell(&member, &tx, &view.document.number, Section::Invoices).await?;
    let audience = member.audience;
    let mut page = page(shell, &view, &owed, Of::Document(audience, id), opened, &member.zone)?;
    page.heading = page.heading.path(PagePath::under("Invoices", audience.invoices(), &view.document.number));
    page.pdf_href = Some(audience.invoice_pdf(id));
    if owed.open.is_positive() {
        let form = audience.customer_payments(view.document.customer_id);
        let amount = owed.open.format_plain();
        page.payment_href = Some(with_query(
            &form,
            &[("amount", &amount), ("reference", &view.document.number), ("kind", "bank_transfer")],
        ));
        page.payment_amount = owed.open.human();
    }
    Ok(page)
}

/// `GET /admin/invoices/{document_id}/lines/{line_id}`: what lies beneath one line.
pub async fn line(member: Member, path: web::Path<(String, String)>) -> PageResult<LineCalls> {
    let (id, line_id) = path.into_inner();
    let tx = member.tx().await?;
    let view = invoicing::document(&tx, id.parse()?).await?;
    let line = find(&view.groups, &line_id).ok_or(PageError::NotFound)?;
    beneath(&tx, seller(&member, &tx), view.document.customer_id, line).await
}

/// `GET /admin/invoices/{document_id}/pdf`
pub async fn pdf(member: Member, path: web::Path<String>) -> PageResult<HttpResponse> {
    let id: DocumentId = path.parse()?;
    let tx = member.tx().await?;
    let view = invoicing::document(&tx, id).await?;
    let bytes = invoicing::pdf(&tx, id, seen_at(&member, id).as_deref(), member.now).await?;
    tx.commit().await?;
    Ok(pdf_answer(&view.document.number, bytes))
}

/// Where the customer sees the document: in the portal of a tenant. An organisation sees it on a host of its own.
fn seen_at(member: &Member, id: DocumentId) -> Option<String> {
    (member.audience == Audience::Tenant)
        .then(|| format!("{}{}", member.site.origin(&member.app), urls::portal_invoice(id)))
}

/// `GET /admin/drafts/{draft_id}`
pub async fn draft(member: Member, path: web::Path<String>, asked: web::Query<Asked>) -> PageResult<InvoiceView> {
    let id: DraftId = path.parse()?;
    let tx = member.tx().await?;
    let draft = invoicing::draft(&tx, id).await?;
    let groups = invoicing::grouped(draft.content.lines.clone())?;
    let name = subscription::customer(&tx, draft.customer_id).await?.map(|customer| customer.name).unwrap_or_default();
    let opened = opened(&tx, seller(&member, &tx), draft.customer_id, &groups, &asked.open).await?;
    let shell = shell(&member, &tx, "Draft", Section::Invoices).await?;
    let may = member.must(Role::Billing).is_ok() && draft.state == DraftState::Open;
    let throw_away = may.then(|| ThrowAway {
        title: "Throw this draft away".into(),
        text: format!("{name} is left out of this run. What the draft would have billed is due again in the next run."),
        action: member.audience.draft_voiding(id),
        button: "Throw the draft away".into(),
        token: shell.token(),
    });
    let page = draft_page(shell, member.audience, &draft, &groups, &name, opened, &member.zone)?;
    Ok(InvoiceView { throw_away, ..page })
}

/// `POST /admin/drafts/{draft_id}/voiding`
pub async fn void(member: Member, path: web::Path<String>) -> PageResult<SeeOther> {
    member.must(Role::Billing)?;
    let id: DraftId = path.parse()?;
    let tx = member.tx().await?;
    let draft = invoicing::draft(&tx, id).await?;
    invoicing::void_draft(&tx, id, member.now).await?;
    let payload = serde_json::json!({ "customer": draft.customer_id.to_string() });
    tenant::record_audit(&tx, &member.actor(), "draft.void", &id.to_string(), payload, member.now).await?;
    tx.commit().await?;
    Ok(see_other(member.audience.draft(id))
        .notice("The draft is thrown away. What it would have billed is due again in the next run."))
}

/// `GET /admin/drafts/{draft_id}/lines/{line_id}`
pub async fn draft_line(member: Member, path: web::Path<(String, String)>) -> PageResult<LineCalls> {
    let (id, line_id) = path.into_inner();
    let tx = member.tx().await?;
    let draft = invoicing::draft(&tx, id.parse()?).await?;
    let groups = invoicing::grouped(draft.content.lines)?;
    let line = find(&groups, &line_id).ok_or(PageError::NotFound)?;
    beneath(&tx, seller(&member, &tx), draft.customer_id, line).await
}

/// `GET /admin/drafts/{draft_id}/pdf`: with a watermark, not kept.
pub async fn draft_pdf(member: Member, path: web::Path<String>) -> PageResult<HttpResponse> {
    let id: DraftId = path.parse()?;
    let tx = member.tx().await?;
    let bytes = invoicing::draft_pdf(&tx, id, member.now).await?;
    Ok(pdf_answer("draft", bytes))
}

/// The line of this id.
pub fn find<'a>(groups: &'a [Grouped], id: &str) -> Option<&'a Line> {
    let id: LineId = id.parse().ok()?;
    groups.iter().flat_map(|group| &group.lines).find(|line| line.id == id)
}

/// The one who issued a document, looking at it.
fn seller<'a>(member: &'a Member, tx: &'a TenantTx) -> Reader<'a> {
    Reader { audience: member.audience, own: tx, is_seller: true, zone: &member.zone }
}

/// The line that is asked to be open, with what lies beneath it.
pub async fn opened(
    tx: &TenantTx,
    reader: Reader<'_>,
    customer_id: db::CustomerId,
    groups: &[Grouped],
    asked: &str,
) -> PageResult<Option<(LineId, LineCalls)>> {
    match find(groups, asked).filter(|line| opens(line)) {
        Some(line) => Ok(Some((line.id, beneath(tx, reader, customer_id, line).await?))),
        None => Ok(None),
    }
}

/// A document as a page, without the links that only its seller has.
pub fn page(
    shell: Shell,
    view: &DocumentView,
    owed: &Owed,
    of: Of,
    opened: Option<(LineId, LineCalls)>,
    zone: &TimeZone,
) -> PageResult<InvoiceView> {
    let document = &view.document;
    let what = match document.kind {
        DocumentKind::Invoice => "to",
        DocumentKind::CreditNote => "credited to",
        DocumentKind::Settlement => "settled with",
    };
    let mut heading =
        Heading::new(format!("{} {what} {}", document.totals.gross.human(), document.frozen.recipient.name)).facts(
            format!(
                "{} · {}, {} · issued {}",
                document.number,
                period(document.period_starts_on, document.period_ends_on),
                document.frozen.time_zone,
                format::stamp(document.issued_at, zone).text
            ),
        );
    heading.badge = Some(match (document.kind, view.credited_by) {
        (DocumentKind::CreditNote, _) => Badge::new("Credit note", Tone::Plain),
        (_, Some(_)) => Badge::new("Credited", Tone::Plain),
        (_, None) => payment_status(owed.status),
    });
    let mut to_pay = totals(&document.totals, &view.taxes)?;
    to_pay.extend(owed.rows(document, "Still to pay", zone)?);
    let issued = format!("Issued as {}", document.number);
    let issued = Happening::new(format::dated(document.issued_at, zone), issued, Tone::On);
    let steps = std::iter::once(issued.amount(document.totals.gross.human())).chain(owed.story(zone)).collect();
    Ok(InvoiceView {
        shell,
        heading,
        currency: document.currency().code().to_owned(),
        groups: groups(&view.groups, of, opened),
        net: document.totals.net.human_bare(),
        tax: tax(&view.taxes, &document.totals),
        due: match document.kind {
            DocumentKind::CreditNote => String::new(),
            _ if document.totals.due.is_zero() => "nothing is due".into(),
            _ => format!("due {}", day(document.due_on)),
        },
        to_pay: Sums(to_pay),
        payments: owed.received(&document.totals, zone),
        timeline: Timeline { wide: true, steps },
        pdf_href: None,
        payment_href: None,
        payment_amount: String::new(),
        throw_away: None,
    })
}

fn draft_page(
    shell: Shell,
    audience: Audience,
    draft: &Draft,
    grouped: &[Grouped],
    name: &str,
    opened: Option<(LineId, LineCalls)>,
    zone: &TimeZone,
) -> PageResult<InvoiceView> {
    let content = &draft.content;
    let (word, tone) = match draft.state {
        DraftState::Open => ("Draft", Tone::On),
        DraftState::Final => ("Issued", Tone::Good),
        DraftState::Void => ("Thrown away", Tone::Plain),
    };
    let heading = Heading::new(format!("{} to {name}", content.totals.gross.human()))
        .path(
            PagePath::under("Drafts", with_query(&audience.invoices(), &[("state", "draft")]), draft.id.to_string())
                .id(),
        )
        .badge(word, tone)
        .facts(format!("{}, {}", period(content.period.starts_on, content.period.ends_on), content.time_zone));
    let mut to_pay = totals(&content.totals, &content.taxes)?;
    to_pay.push(SumRow::sum("Still to pay", content.totals.due.human()));
    let written = Happening::new(format::dated(draft.created_at, zone), "Drafted", Tone::Plain)
        .note("It has no number until it is issued.");
    Ok(InvoiceView {
        shell,
        heading,
        currency: content.totals.gross.currency().code().to_owned(),
        groups: groups(grouped, Of::Draft(audience, draft.id), opened),
        net: content.totals.net.human_bare(),
        tax: tax(&content.taxes, &content.totals),
        due: String::new(),
        to_pay: Sums(to_pay),
        payments: Items::default(),
        timeline: Timeline { wide: true, steps: vec![written] },
        pdf_href: (draft.state == DraftState::Open).then(|| audience.draft_pdf(draft.id)),
        payment_href: None,
        payment_amount: String::new(),
        throw_away: None,
    })
}

/// From the net to what is asked for.
fn totals(totals: &Totals, taxes: &[TaxRow]) -> PageResult<Vec<SumRow>> {
    let mut rows = vec![SumRow::plain("Net", totals.net.human_bare())];
    for tax in taxes.iter().filter(|tax| !tax.percent.is_zero()) {
        rows.push(SumRow::plain(
            format!("Tax {}% of {}", format::quantity(tax.percent), tax.base.human_bare()),
            tax.tax.human_bare(),
        ));
    }
    rows.push(SumRow::sum("Total", totals.gross.human()));
    if !totals.settled.is_zero() {
        rows.push(SumRow::plain("Paid from the wallet, call by call", totals.settled.checked_neg()?.human_bare()));
    }
    Ok(rows)
}
