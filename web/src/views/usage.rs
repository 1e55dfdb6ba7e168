//! What was used; what waits without being counted, and what a person decides about it.

use askama::Template;
use askama_web::WebTemplate;

use super::{
    book::TableCard,
    fields::Field,
    form::FormPart,
    parts::{Heading, Items, Note, Stats},
    subscriptions::Outcome,
    table::Table,
    ui,
};
use crate::charts::Chart;
use crate::shell::{Shell, Token};

/// A table that compares, and links that choose by what.
#[derive(Clone, Debug)]
pub struct Compared {
    /// Text, address, chosen.
    pub links: Vec<(String, String, bool)>,
    pub card: TableCard,
}

/// `GET /admin/usage`
#[derive(Template, WebTemplate)]
#[template(path = "usage.html")]
pub struct UsagePage {
    pub shell: Shell,
    pub heading: Heading,
    pub tabs: Vec<(String, String, bool)>,
    /// Where the filter goes.
    pub action: String,
    pub fields: Vec<Field>,
    pub stats: Stats,
    pub chart: Chart,
    pub tables: Vec<Compared>,
    /// What came in and counts nowhere.
    pub waiting: Items,
}

/// The form of a decision, tried by GET before it is sent.
#[derive(Clone, Debug)]
pub struct DecisionForm {
    pub action: String,
    pub part: FormPart,
}

/// `GET /admin/suspense/{cause}`
#[derive(Template, WebTemplate)]
#[template(path = "suspense.html")]
pub struct SuspensePage {
    pub shell: Shell,
    pub heading: Heading,
    pub note: Option<Note>,
    /// `None` for a reader, and where nothing can be decided here.
    pub form: Option<DecisionForm>,
    /// `None` until the form is right.
    pub outcome: Option<Outcome>,
    pub entries: Table,
    pub back_href: String,
}

impl SuspensePage {
    fn token(&self) -> Token {
        self.shell.token()
    }
    fn is_refused(&self) -> bool {
        self.form.as_ref().is_some_and(|form| form.part.fields.are_refused())
    }
}
