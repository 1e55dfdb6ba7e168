//! What a customer sees: what is left, what a call costs before it is made, what was charged, the receipts.

use askama::Template;
use askama_web::WebTemplate;

use super::{
    invoices::{LineGroup, Lines},
    parts::{Facts, Heading, Items, Sums, Why},
    table::Table,
    ui::{self, Link},
};
use crate::shell::Shell;

/// A number that can be called.
#[derive(Clone, Debug)]
pub struct PriceLine {
    pub number: String,
    /// "Advice line"
    pub label: String,
    /// `tel:+493023125014`
    pub tel_href: String,
    pub prices: Vec<PriceRow>,
}

/// A price, and the digits and topics that have it.
#[derive(Clone, Debug)]
pub struct PriceRow {
    /// "€5.00 to start, €0.50 a minute, €0.25 after 20 minutes"
    pub words: String,
    pub topics: Vec<(u8, String)>,
}

/// A movement of the balance, or a call on account.
#[derive(Clone, Debug)]
pub struct Movement {
    pub title: String,
    pub note: String,
    pub href: String,
    /// With its sign: "−€16.55", "+€30.00".
    pub amount: String,
    pub is_in: bool,
    pub balance: String,
}

/// A receipt or invoice with its PDF.
#[derive(Clone, Debug)]
pub struct ReceiptRow {
    pub title: String,
    pub href: String,
    pub note: String,
    pub pdf_href: Option<String>,
}

/// `GET /portal`
#[derive(Template, WebTemplate)]
#[template(path = "portal.html")]
pub struct Portal {
    pub shell: Shell,
    /// "Your balance, Jonas", or "To pay".
    pub balance_label: String,
    pub balance: String,
    /// "Enough for 65 minutes on Tenancy law."
    pub balance_note: String,
    pub reserved_note: String,
    /// How money gets there: from its seller.
    pub top_up: Items,
    pub lines: Vec<PriceLine>,
    pub movements: Vec<Movement>,
    pub movements_all: Link,
    pub receipts: Vec<ReceiptRow>,
    pub receipts_all: Link,
}

/// `GET /portal/prices`
#[derive(Template, WebTemplate)]
#[template(path = "portal_prices.html")]
pub struct Prices {
    pub shell: Shell,
    pub heading: Heading,
    pub lines: Vec<PriceLine>,
    pub note: String,
}

/// `GET /portal/calls/{id}`
#[derive(Template, WebTemplate)]
#[template(path = "portal_call.html")]
pub struct PortalCall {
    pub shell: Shell,
    pub heading: Heading,
    pub facts: Facts,
    pub why: Why,
}

/// `GET /portal/invoices/{id}`
#[derive(Template, WebTemplate)]
#[template(path = "portal_invoice.html")]
pub struct PortalInvoice {
    pub shell: Shell,
    pub heading: Heading,
    pub currency: String,
    pub groups: Vec<LineGroup>,
    pub net: String,
    pub tax: Table,
    pub due: String,
    pub to_pay: Sums,
    pub payments: Items,
    pub pdf_href: Option<String>,
}

impl PortalInvoice {
    fn lines(&self) -> Lines<'_> {
        Lines { groups: &self.groups, currency: &self.currency, net: &self.net }
    }
}
