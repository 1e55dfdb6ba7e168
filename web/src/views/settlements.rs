//! Statements of what partners are owed, as the one who owes and the one who is owed see them.

use super::fields::Field;
use super::form::Fields;
use super::parts::{Facts, Heading, Note, Pager, Sums};
use super::table::Table;
use super::ui;
use crate::shell::{Shell, Token};
use askama::Template;
use askama_web::WebTemplate;

/// `GET /ops/settlements/{id}`, `/admin/account/settlements/{id}`: one statement.
#[derive(Template, WebTemplate)]
#[template(path = "settlement.html")]
pub struct SettlementPage {
    pub shell: Shell,
    pub heading: Heading,
    pub note: Option<Note>,
    pub facts: Facts,
    pub rows: Table,
    /// `None` where nothing is adjusted.
    pub adjustments: Option<Table>,
    pub sums: Sums,
    pub pdf_href: Option<String>,
    /// The calls behind it, for the one who had them.
    pub csv_href: Option<String>,
    /// Where a POST issues a draft.
    pub issue: Option<Issue>,
    pub payout: Option<PayoutForm>,
}

/// What issuing will do.
pub struct Issue {
    pub action: String,
    pub button: String,
}

/// That it was paid, and how it is found again.
pub struct PayoutForm {
    pub action: String,
    pub fields: Vec<Field>,
    pub button: String,
}

impl SettlementPage {
    fn token(&self) -> Token {
        self.shell.token()
    }
}

/// `GET /admin/ledger/entries`: every account of the book, entry by entry.
#[derive(Template, WebTemplate)]
#[template(path = "ledger_entries.html")]
pub struct LedgerEntries {
    pub shell: Shell,
    pub heading: Heading,
    pub action: String,
    pub fields: Fields,
    /// Before and after the span; empty for the whole book, which is always zero.
    pub sums: Sums,
    pub table: Table,
    pub pager: Pager,
}
