//! The day's pages of a book: Today, the live board, calls, one call, what was found.

use askama::{Template, filters::HtmlSafe};
use askama_web::WebTemplate;

use super::{
    fields::Field,
    parts::{Facts, Heading, Items, Pager, Stats, Timeline, Why},
    table::Table,
    ui::{self, Badge, Link, Moment, Tone},
};
use crate::{charts::Chart, shell::Shell};

/// A card with a table, and a link to all of it.
#[derive(Clone, Debug)]
pub struct TableCard {
    pub title: String,
    pub all: Option<Link>,
    pub table: Table,
}

/// `GET /admin`, `/reseller`: the first page of a book. `/ops` adds its health.
#[derive(Template, WebTemplate)]
#[template(path = "home.html")]
pub struct Home {
    pub shell: Shell,
    pub heading: Heading,
    /// Today, yesterday, 7 days, month: word, address, chosen.
    pub spans: Vec<(&'static str, String, bool)>,
    pub stats: Stats,
    /// Minutes; for a tenant revenue too.
    pub charts: Vec<Chart>,
    /// What wants a person. Empty says so.
    pub needs: Items,
    /// By topic for a tenant; by tenant for its seller.
    pub tables: Vec<TableCard>,
    pub health: Option<Health>,
}

/// Only for the operator: does the platform keep its word?
#[derive(Clone, Debug)]
pub struct Health {
    pub checked_at: Moment,
    /// One row for each invariant, with what it says.
    pub checks: Items,
    /// "16 of 16 hold."
    pub summary: String,
    pub all_hold: bool,
}

/// One call on the board. The browser counts on from these figures; the server's next event replaces them.
#[derive(Clone, Debug)]
pub struct LiveCall {
    pub id: String,
    pub href: String,
    pub end_href: String,
    pub caller: String,
    pub caller_number: String,
    pub topic: String,
    pub number: String,
    pub agent: String,
    /// Ringing, in the queue, talking.
    pub state: Badge,
    pub elapsed_seconds: u64,
    /// "12:41"
    pub timer: String,
    /// "11.35", and the same in millionths for the count between two events.
    pub cost: String,
    pub cost_micros: i64,
    /// What a started increment costs now, and how long it is. Zero where nothing runs.
    pub increment_micros: i64,
    pub increment_seconds: u32,
    /// `None` for a customer on account.
    pub left: Option<String>,
    pub left_micros: i64,
    /// "14:38", "in 6 min", or "no limit".
    pub runs_out: String,
    pub runs_out_note: String,
    /// The caller was warned, or soon will be.
    pub is_ending: bool,
}

/// What each event of the stream carries: the whole state, so that nothing depends on the event before.
#[derive(Template, WebTemplate, Clone, Debug)]
#[template(path = "live_board.html")]
pub struct LiveBoard {
    pub at: Moment,
    pub stats: Stats,
    pub currency: String,
    pub calls: Vec<LiveCall>,
    /// "Last: 14:02 CET"; shown when nobody calls.
    pub last_call: String,
    pub csrf: crate::shell::Token,
    /// One sentence for screen readers.
    pub summary: String,
}

impl HtmlSafe for LiveBoard {}

/// `GET /admin/live`
#[derive(Template, WebTemplate)]
#[template(path = "live.html")]
pub struct Live {
    pub shell: Shell,
    pub events_href: String,
    pub zone: String,
    pub board: LiveBoard,
}

/// The filter of the calls page as it stands in the address.
#[derive(Clone, Debug, Default)]
pub struct CallFilter {
    pub action: String,
    pub query: String,
    /// From and until.
    pub days: [Field; 2],
    pub topic: String,
    pub topics: Vec<String>,
    pub outcome: String,
    /// Value and word.
    pub outcomes: Vec<(&'static str, &'static str)>,
}

/// `GET /admin/calls`
#[derive(Template, WebTemplate)]
#[template(path = "calls.html")]
pub struct Calls {
    pub shell: Shell,
    pub heading: Heading,
    pub filter: CallFilter,
    /// Over everything the filter finds.
    pub totals: Stats,
    pub table: Table,
    pub pager: Pager,
}

/// A share of a whole, for the one bar of the call page.
#[derive(Clone, Debug)]
pub struct Share {
    pub name: String,
    pub amount: String,
    /// 1 to 4.
    pub series: u8,
    /// Of 1,000.
    pub start: u32,
    pub width: u32,
}

/// `GET /admin/calls/{id}`
#[derive(Template, WebTemplate)]
#[template(path = "call.html")]
pub struct Call {
    pub shell: Shell,
    pub heading: Heading,
    pub facts: Facts,
    /// "Recomputed from the stored facts just now: same result".
    pub why_note: String,
    pub why_tone: Tone,
    pub why: Why,
    pub legs: Table,
    /// Of a call that went out: the ways that were looked at.
    pub routes: Option<Table>,
    pub shares: Vec<Share>,
    /// "Of 13.91 net: margin 9.64, …"
    pub shares_text: String,
    pub timeline: Timeline,
    pub receipt_href: Option<String>,
}

/// `GET /admin/find?q=`: when there is exactly one, the handler goes there at once.
#[derive(Template, WebTemplate)]
#[template(path = "find.html")]
pub struct Find {
    pub shell: Shell,
    pub query: String,
    pub table: Table,
}

/// A heading and one table: agents, numbers, plans, customers, runs, calls of an agent.
#[derive(Template, WebTemplate)]
#[template(path = "list.html")]
pub struct List {
    pub shell: Shell,
    pub heading: Heading,
    pub stats: Stats,
    /// A box for a prefix search: where it goes and what was asked.
    pub search: Option<(String, String)>,
    /// Links in the form of a switch: text, address, chosen.
    pub tabs: Vec<(String, String, bool)>,
    pub cards: Vec<TableCard>,
    pub pager: Option<Pager>,
}
