//! Files of call records: sending one, saying how it is read, and what came of it.

use askama::Template;
use askama_web::WebTemplate;

use super::{
    form::{Fields, FormPart},
    parts::{Heading, Note, Sums},
    runs::{RunProgress, ThrowAway},
    table::Table,
    ui,
};
use crate::shell::{Shell, Token};

/// `GET /admin/imports/new`
#[derive(Template, WebTemplate)]
#[template(path = "import_new.html")]
pub struct ImportNew {
    pub shell: Shell,
    pub heading: Heading,
    pub action: String,
    pub fields: Fields,
    /// What is wrong with the file.
    pub file_error: Option<String>,
    /// "At most 64 MiB, gzip is unpacked."
    pub file_hint: String,
    pub back_href: String,
}

impl ImportNew {
    fn token(&self) -> Token {
        self.shell.token()
    }
    fn is_refused(&self) -> bool {
        self.file_error.is_some() || self.fields.are_refused()
    }
}

/// One thing that can be asked for.
#[derive(Clone, Debug)]
pub struct Asking {
    pub action: String,
    pub button: String,
    pub is_first: bool,
    pub remark: String,
}

/// `GET /admin/imports/{import_id}`
#[derive(Template, WebTemplate)]
#[template(path = "import.html")]
pub struct ImportPage {
    pub shell: Shell,
    pub heading: Heading,
    pub note: Option<Note>,
    pub events_href: String,
    /// While somebody works at it, and when it is through.
    pub progress: Option<RunProgress>,
    /// "What it comes to", "What it would come to"
    pub sums_title: String,
    pub sums: Option<Sums>,
    pub asking: Vec<Asking>,
    pub remove: Option<ThrowAway>,
    /// The first rows as they are read now.
    pub preview: Option<Table>,
    pub preview_text: String,
    pub settings_action: String,
    /// How it is read; empty once it is begun.
    pub parts: Vec<FormPart>,
    pub not_counted: Option<Table>,
    pub report_href: String,
}

impl ImportPage {
    fn token(&self) -> Token {
        self.shell.token()
    }
    fn is_refused(&self) -> bool {
        self.parts.iter().any(|part| part.fields.are_refused())
    }
    fn is_busy(&self) -> bool {
        self.progress.as_ref().is_some_and(|progress| !progress.is_over)
    }
}
