//! The agent's desk: one state, one call, one timer; and the phone that answers.

use askama::{Template, filters::HtmlSafe};
use askama_web::WebTemplate;

use super::{
    book::TableCard,
    parts::{Heading, Items, Pager},
    ui::{self, Moment},
};
use crate::shell::{Shell, Token};

/// What an agent may be. Ready and not ready are chosen; the rest follows from the calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeskState {
    Ready,
    NotReady,
    Ringing,
    Talking,
}

impl DeskState {
    fn word(self) -> &'static str {
        match self {
            DeskState::Ready => "Ready",
            DeskState::NotReady => "Not ready",
            DeskState::Ringing => "Ringing",
            DeskState::Talking => "Talking",
        }
    }
}

/// The call at this seat.
#[derive(Clone, Debug)]
pub struct DeskCall {
    pub caller: String,
    pub caller_number: String,
    pub topic: String,
    pub is_ringing: bool,
    pub elapsed_seconds: u64,
    pub timer: String,
    /// "€0.50" and "a minute, 0.25 after 20".
    pub price: String,
    pub price_note: String,
    pub cost: String,
    pub cost_note: String,
    pub cost_micros: i64,
    pub increment_micros: i64,
    pub increment_seconds: u32,
    /// "€", before the counted figures.
    pub symbol: String,
    pub left: Option<String>,
    pub left_micros: i64,
    pub left_note: String,
    /// "Balance ends in about 2 minutes." and what the caller heard.
    pub warning: Option<(String, String)>,
    pub end_href: String,
}

/// The moving part; each event of the desk's stream is one of these.
#[derive(Template, WebTemplate, Clone, Debug)]
#[template(path = "desk_now.html")]
pub struct DeskNow {
    pub state: DeskState,
    /// The reason, when not ready.
    pub reason: String,
    /// Value and word.
    pub reasons: Vec<(&'static str, &'static str)>,
    /// "Queue: 3 waiting, longest 0:42 · ready since 13:58 CET"
    pub line: String,
    pub call: Option<DeskCall>,
    /// Said where the call would be.
    pub waiting: String,
    pub at: Moment,
    pub csrf: Token,
}

impl HtmlSafe for DeskNow {}

/// How a phone signs in to this seat.
#[derive(Clone, Debug)]
pub struct PhoneBox {
    pub address: String,
    pub user_name: String,
    pub registrar: String,
    /// Registered, since when, from what; or that it is not.
    pub status: ui::Badge,
    pub status_note: String,
    /// Shown once, right after it was made.
    pub password: Option<String>,
}

/// `GET /agent`
#[derive(Template, WebTemplate)]
#[template(path = "desk.html")]
pub struct Desk {
    pub shell: Shell,
    pub events_href: String,
    pub now: DeskNow,
    pub phone: PhoneBox,
    /// What is typed into the form that dials; `None`: this agent dials nobody.
    pub dial: Option<String>,
    /// Minutes, calls, hours at this seat today.
    pub today: Items,
    pub calls: TableCard,
}

/// `GET /agent/calls`, and lists of the portal: a heading and tables under the top bar.
#[derive(Template, WebTemplate)]
#[template(path = "top_list.html")]
pub struct TopList {
    pub shell: Shell,
    pub heading: Heading,
    pub cards: Vec<TableCard>,
    pub pager: Option<Pager>,
}
