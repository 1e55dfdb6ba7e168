//! Statements of what partners are owed, as the one who owes and the one who is owed see them.

use super::fields::Field;
use super::form::Fields;
use super::parts::{Facts, Heading, Note, Pager, Stats, Sums};
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
    /// What may be done with it now, the usual first.
    pub moves: Vec<Move>,
}

/// One thing that may be done with a statement, by POST.
pub struct Move {
    pub title: &'static str,
    /// What it will do; empty where the title says it.
    pub text: &'static str,
    pub action: String,
    pub fields: Vec<Field>,
    /// Sent along unseen.
    pub hidden: Vec<(&'static str, String)>,
    pub button: String,
    pub is_usual: bool,
}

impl SettlementPage {
    fn token(&self) -> Token {
        self.shell.token()
    }
}

/// `GET /admin/customers/{id}/wallet`: what is in a wallet, and on what terms.
#[derive(Template, WebTemplate)]
#[template(path = "wallet.html")]
pub struct WalletPage {
    pub shell: Shell,
    pub heading: Heading,
    pub note: Option<Note>,
    pub figures: Stats,
    pub grants: Table,
    pub attempts: Table,
    pub moves: Vec<Move>,
}

impl WalletPage {
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
