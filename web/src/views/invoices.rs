//! One invoice or draft: its lines, each of which opens to what lies beneath, its tax, its payments, its story.

use askama::{Template, filters::HtmlSafe};
use askama_web::WebTemplate;

use super::{
    parts::{Heading, Items, Sums, Timeline},
    runs::ThrowAway,
    table::Table,
    ui,
};
use crate::shell::Shell;

/// What lies beneath a line, and how it is reached.
#[derive(Clone, Debug)]
pub struct Beneath {
    /// This page with the line opened.
    pub open_href: String,
    /// Only the part, for a browser with scripts.
    pub part_href: String,
    /// This page with the line closed.
    pub close_href: String,
}

#[derive(Clone, Debug)]
pub struct InvoiceLine {
    pub id: String,
    pub text: String,
    /// The service period, or how the amount came about.
    pub sub: String,
    /// "no VAT"
    pub mark: String,
    pub quantity: String,
    pub price: String,
    pub net: String,
    /// `None` where nothing lies beneath: a flat fee.
    pub beneath: Option<Beneath>,
    /// Already open in this page.
    pub opened: Option<LineCalls>,
}

/// Lines of one component kind, under one heading.
#[derive(Clone, Debug)]
pub struct LineGroup {
    pub name: String,
    pub lines: Vec<InvoiceLine>,
}

/// `GET /admin/invoices/{id}/lines/{line}`: what lies beneath. Its sum is the line.
#[derive(Template, WebTemplate, Clone, Debug)]
#[template(path = "invoice_calls.html")]
pub struct LineCalls {
    pub table: Table,
    /// When not all of them are shown: the rest is behind this link.
    pub more: Option<ui::Link>,
}

impl HtmlSafe for LineCalls {}

/// `GET /admin/invoices/{id}`
#[derive(Template, WebTemplate)]
#[template(path = "invoice.html")]
pub struct Invoice {
    pub shell: Shell,
    pub heading: Heading,
    pub currency: String,
    pub groups: Vec<LineGroup>,
    pub net: String,
    pub tax: Table,
    /// "due 30 Nov 2026"; empty for a draft.
    pub due: String,
    pub to_pay: Sums,
    pub payments: Items,
    pub timeline: Timeline,
    pub pdf_href: Option<String>,
    /// "Record a payment", for a document with something to pay.
    pub payment_href: Option<String>,
    pub payment_amount: String,
    /// For an open draft, and who may.
    pub throw_away: Option<ThrowAway>,
}

/// The lines alone: the same table in a console and in the portal.
#[derive(Template)]
#[template(path = "invoice_lines.html")]
pub struct Lines<'a> {
    pub groups: &'a [LineGroup],
    pub currency: &'a str,
    pub net: &'a str,
}

impl HtmlSafe for Lines<'_> {}

impl Invoice {
    fn lines(&self) -> Lines<'_> {
        Lines { groups: &self.groups, currency: &self.currency, net: &self.net }
    }
}
