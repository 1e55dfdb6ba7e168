//! Long work in the open: an invoice run with real counts, its failures and their remedy; and the trial balance.

use askama::{Template, filters::HtmlSafe};
use askama_web::WebTemplate;

use super::{
    fields::Field,
    parts::{Heading, Items, Stats, Sums},
    table::Table,
    ui,
};
use crate::shell::{Shell, Token};

/// `GET /ops/runs`: past runs and the form of the next.
#[derive(Template, WebTemplate)]
#[template(path = "runs.html")]
pub struct Runs {
    pub shell: Shell,
    pub heading: Heading,
    pub table: Table,
    pub start: RunForm,
}

#[derive(Clone, Debug)]
pub struct RunForm {
    pub action: String,
    /// Value and words: "2026-10", "October 2026". The first is proposed.
    pub periods: Vec<(String, String)>,
    /// "1,240 subscriptions are due"; or why none can start.
    pub note: String,
    pub can_start: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhaseState {
    Done,
    Now,
    Later,
}

/// Plan, draft, approve, issue, documents.
#[derive(Clone, Debug)]
pub struct Phase {
    pub name: &'static str,
    pub text: String,
    pub state: PhaseState,
}

impl Phase {
    fn class(&self) -> &'static str {
        match self.state {
            PhaseState::Done => "done",
            PhaseState::Now => "now",
            PhaseState::Later => "",
        }
    }
}

/// The moving part of a run's page; each event of its stream is one of these.
#[derive(Template, WebTemplate, Clone, Debug)]
#[template(path = "run_progress.html")]
pub struct RunProgress {
    /// "Drafting"
    pub title: String,
    /// "Now: Hafenkontor GmbH, customer 812 of 1,940"
    pub now: String,
    pub done: String,
    pub done_count: u64,
    /// "of 104,120 subscriptions"
    pub of: String,
    pub total_count: u64,
    /// "about 27 s left", or when it ended.
    pub left: String,
    /// Parts of the bar, of 1,000.
    pub done_width: u32,
    pub failed_width: u32,
    pub succeeded: String,
    pub failed: Option<String>,
    pub to_go: String,
    /// "905 a second, 1:28 so far"
    pub rate: String,
    pub phases: Vec<Phase>,
    /// No further event will come.
    pub is_over: bool,
}

impl HtmlSafe for RunProgress {}

/// One condition of finalising, and whether it holds.
#[derive(Clone, Debug)]
pub struct Finalization {
    pub action: String,
    pub checks: Items,
    /// "Waiting for drafts", "Ready", "Issued".
    pub state: ui::Badge,
    /// "Issue 104,114 invoices". `None` when it is done.
    pub button: Option<String>,
    /// Refused: the button says why instead.
    pub refused: Option<String>,
}

/// Throwing drafts away, behind a twist that says what it means: opening it asks, the button in it answers.
#[derive(Template, Clone, Debug)]
#[template(path = "parts/throw_away.html")]
pub struct ThrowAway {
    /// "Throw this draft away"
    pub title: String,
    /// What becomes of it.
    pub text: String,
    pub action: String,
    pub button: String,
    pub token: Token,
}

impl HtmlSafe for ThrowAway {}

/// `GET /ops/runs/{id}`
#[derive(Template, WebTemplate)]
#[template(path = "run.html")]
pub struct Run {
    pub shell: Shell,
    pub heading: Heading,
    pub events_href: String,
    pub progress: RunProgress,
    pub failures: Table,
    pub failure_count: usize,
    /// Where a POST tries the failed ones again; `None` when that is not possible now.
    pub retry_href: Option<String>,
    pub sums: Sums,
    pub finalization: Finalization,
    /// `None` once issuing has begun, and for who may not.
    pub throw_away: Option<ThrowAway>,
    pub invoices_href: Option<String>,
}

/// `GET /ops/ledger`: every account of the book in one currency.
#[derive(Template, WebTemplate)]
#[template(path = "ledger.html")]
pub struct Ledger {
    pub shell: Shell,
    pub heading: Heading,
    /// Code, address, chosen.
    pub currencies: Vec<(String, String, bool)>,
    /// The day at whose end it stood so; empty for now. Sent to the same page.
    pub on: Field,
    pub on_action: String,
    pub currency: String,
    pub stats: Stats,
    pub accounts: Table,
    pub checks: Items,
    pub checks_note: String,
    pub clearing: Sums,
}

/// Shared by the forms of this page.
impl Run {
    fn token(&self) -> Token {
        self.shell.token()
    }
}
