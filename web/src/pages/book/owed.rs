//! What is still to pay of a document, and what came off it: credit notes and payments. Every page says it by this.

use super::words;
use crate::error::PageResult;
use crate::format;
use crate::views::parts::{Happening, Item, Items, SumRow};
use crate::views::ui::Tone;
use chrono::{DateTime, Utc};
use db::TenantTx;
use invoicing::{Document, DocumentKind, DocumentView, Totals};
use jiff::tz::TimeZone;
use money::Money;
use payments::{Payment, PaymentStatus};

/// Money that came for a document.
struct Paid {
    payment: Payment,
    amount: Money,
}

/// How a document stands.
pub struct Owed {
    credits: Vec<Document>,
    paid: Vec<Paid>,
    /// What is still to pay: of an invoice, after everything; of others nothing.
    pub open: Money,
    pub status: PaymentStatus,
}

impl Owed {
    pub async fn read(tx: &TenantTx, view: &DocumentView, now: DateTime<Utc>) -> PageResult<Owed> {
        let Document { id, customer_id, .. } = view.document;
        let mut credits = Vec::with_capacity(view.credit_notes.len());
        for note in &view.credit_notes {
            credits.push(invoicing::document(tx, note.id).await?.document);
        }
        let payments = payments::payments_of(tx, customer_id).await?;
        let mut paid = Vec::new();
        for share in payments::shares_of(tx, customer_id).await?.into_iter().filter(|share| share.document_id == id) {
            if let Some(payment) = payments.iter().find(|payment| payment.id == share.payment_id) {
                paid.push(Paid { payment: payment.clone(), amount: share.amount });
            }
        }
        let item = payments::open_item(tx, id, now).await?;
        let (open, status) = match item {
            Some(item) => (item.open, item.status),
            None => (Money::zero(view.document.currency()), PaymentStatus::Paid),
        };
        Ok(Owed { credits, paid, open, status })
    }

    /// From what a document asks for to what is still to pay: the rows sum to it.
    pub fn rows(&self, document: &Document, to_pay: &str, zone: &TimeZone) -> PageResult<Vec<SumRow>> {
        let due = document.totals.due;
        if document.kind != DocumentKind::Invoice {
            let off = (!due.is_zero()).then(|| SumRow::sum("Taken off what is to pay", due.human()));
            return Ok(off.into_iter().collect());
        }
        let mut rows = Vec::new();
        let mut left = due;
        for note in &self.credits {
            left = left.checked_sub(note.totals.due)?;
            let off = note.totals.due.checked_neg()?;
            rows.push(SumRow::plain(format!("Credit note {}", note.number), off.human_bare()));
        }
        for paid in &self.paid {
            left = left.checked_sub(paid.amount)?;
            let on = format::zoned(paid.payment.received_at, zone).strftime("%-d %b %Y").to_string();
            let words = format!("{}, {on}", words::method(paid.payment.method));
            rows.push(SumRow::plain(words, paid.amount.checked_neg()?.human_bare()));
        }
        // A credit note of no invoice takes off the first that are due; what came off twice is free for the next ones.
        let rest = self.open.checked_sub(left)?;
        if !rest.is_zero() {
            let words = if rest.is_negative() { "From other credit notes" } else { "Free for other invoices" };
            rows.push(SumRow::plain(words, rest.human_bare()));
        }
        rows.push(SumRow::sum(to_pay, self.open.human()));
        Ok(rows)
    }

    /// What came in for it: from the wallet, and by payments.
    pub fn received(&self, totals: &Totals, zone: &TimeZone) -> Items {
        let settled = (!totals.settled.is_zero()).then(|| totals.settled.human());
        let wallet =
            settled.map(|amount| Item::new("wallet", Tone::Plain, "Wallet").note("call by call").amount(amount));
        let paid = self.paid.iter().map(|Paid { payment, amount }| {
            let note = format!("{}, {}", format::stamp(payment.received_at, zone).text, payment.reference);
            Item::new("building-bank", Tone::Plain, words::method(payment.method)).note(note).amount(amount.human())
        });
        Items(wallet.into_iter().chain(paid).collect())
    }

    /// What happened to it after it was issued, by time.
    pub fn story(&self, zone: &TimeZone) -> Vec<Happening> {
        let mut steps = Vec::new();
        for note in &self.credits {
            let step = Happening::new(format::dated(note.issued_at, zone), "Credit note", Tone::Plain);
            steps.push((note.issued_at, step.note(&note.number).amount(note.totals.gross.human())));
        }
        for Paid { payment, amount } in &self.paid {
            let step = Happening::new(format::dated(payment.received_at, zone), "Payment", Tone::Good);
            steps.push((payment.received_at, step.note(&payment.reference).amount(amount.human())));
        }
        steps.sort_by_key(|(at, _)| *at);
        steps.into_iter().map(|(_, step)| step).collect()
    }
}
