//! Credit notes: an invoice is cancelled as a whole, with its own lines and rates, by a document with a number of its own
//! series. What was billed stays billed: a credited service is not due again.

use crate::content::{Claim, DraftContent, Ledgered, Line, LineGroup, Service};
use crate::document::{DocumentKind, DocumentView};
use crate::error::{InvoicingError, Result};
use crate::finalise::issue;
use crate::store::finals::NewDocument;
use crate::store::{documents, drafts};
use chrono::{DateTime, Utc};
use db::{DocumentId, DraftId, LineId, TenantTx};
use money::Money;
use pricing::start_of_day;

/// Appended to the series of a book's invoices.
const SERIES_SUFFIX: &str = "C";

/// Cancels an invoice by a credit note over all of it. What calls had paid goes back to the wallet, the rest off the receivable.
pub async fn credit(tx: &TenantTx, invoice: DocumentId, reason: &str, now: DateTime<Utc>) -> Result<DocumentId> {
    documents::lock_origin(tx, invoice).await?;
    let view = documents::view(tx, invoice).await?;
    if view.document.kind != DocumentKind::Invoice || view.credited_by.is_some() {
        return Err(InvoicingError::MustBeUncreditedInvoice);
    }
    let organisation = tenant::organisation(tx).await?;
    let issued_on = pricing::civil_date(now, &organisation.time_zone)?;
    let original = view.document.clone();
    let mut frozen = original.frozen.clone();
    frozen.reason = Some(reason.to_owned()).filter(|reason| !reason.is_empty());
    let content = content(view)?;
    content.must_sum()?;
    let draft_id = DraftId::new();
    drafts::insert(tx, None, &[(draft_id, original.customer_id, Box::new(content.clone()))], now).await?;
    drafts::mark_final(tx, &[draft_id], now).await?;
    let credit_note = NewDocument {
        id: DocumentId::new(),
        kind: DocumentKind::CreditNote,
        series: String::new(),
        serial: 0,
        number: String::new(),
        customer_id: original.customer_id,
        draft_id,
        run_id: None,
        corrects: Some(original.id),
        issued_on,
        issued_at: now,
        due_on: issued_on,
        frozen,
        content,
        transaction_id: None,
    };
    let id = credit_note.id;
    let mut block = [credit_note];
    issue(tx, &format!("{}{SERIES_SUFFIX}", organisation.series_prefix), &mut block, now).await?;
    let text = format!("Credit note {} cancels invoice {}.", block[0].number, original.number);
    subscription::add_customer_event(tx, original.customer_id, "credit_note", &text, now, now).await?;
    Ok(id)
}

/// The invoice's lines under one heading; amounts stay positive, for they are credited.
fn content(view: DocumentView) -> Result<DraftContent> {
    let document = view.document;
    let (totals, zone) = (document.totals, document.frozen.time_zone);
    let period = Service {
        starts_at: start_of_day(document.period_starts_on, &zone)?,
        ends_at: start_of_day(document.period_ends_on, &zone)?,
        starts_on: document.period_starts_on,
        ends_on: document.period_ends_on,
    };
    let lines = view.groups.into_iter().flat_map(|grouped| grouped.lines);
    let lines = lines.map(|line| Line { id: LineId::new(), group: LineGroup::Correction, ..line }).collect();
    let zero = Money::zero(totals.gross.currency());
    let revenue = totals.due.checked_sub(totals.tax)?;
    let claims: Vec<Claim> = Vec::new();
    let ledgered = Ledgered { unbilled: zero, revenue, rounding: zero };
    Ok(DraftContent { lines, taxes: view.taxes, totals, period, time_zone: zone, claims, ledgered })
}
