//! A page of panels: tables, facts, lists and forms, a wide column and perhaps a narrow one beside it.

use askama::{Template, filters::HtmlSafe};
use askama_web::WebTemplate;

use super::{
    book::TableCard,
    form::{Fields, Kept},
    parts::{Facts, Heading, Items, Note, Pager, Stats},
    ui,
};
use crate::shell::{Shell, Token};

/// A form of a few fields.
#[derive(Clone, Debug, Default)]
pub struct FormCard {
    pub title: String,
    pub text: String,
    pub action: String,
    /// POST with the session's token; else GET.
    pub posts: bool,
    /// Carries a file.
    pub uploads: bool,
    pub kept: Kept,
    pub fields: Fields,
    pub button: String,
    /// It takes something away.
    pub is_danger: bool,
    /// Below the button: what will happen then.
    pub remark: String,
}

impl FormCard {
    /// A form that looks.
    pub fn get(title: impl Into<String>, action: impl Into<String>, fields: Fields, button: impl Into<String>) -> Self {
        Self { title: title.into(), action: action.into(), fields, button: button.into(), ..Self::default() }
    }
    /// A form that changes something.
    pub fn post(
        title: impl Into<String>,
        action: impl Into<String>,
        fields: Fields,
        button: impl Into<String>,
    ) -> Self {
        Self { posts: true, ..Self::get(title, action, fields, button) }
    }
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.text = text.into();
        self
    }
    pub fn remark(mut self, text: impl Into<String>) -> Self {
        self.remark = text.into();
        self
    }
    pub fn kept(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.kept.0.push((name.into(), value.into()));
        self
    }
    pub fn uploads(mut self) -> Self {
        self.uploads = true;
        self
    }
    pub fn danger(mut self) -> Self {
        self.is_danger = true;
        self
    }
}

/// One of them.
#[derive(Clone, Debug)]
pub enum Panel {
    Table(TableCard),
    /// With a pager below, and a row of links above that choose what it shows.
    Chosen(Vec<(String, String, bool)>, TableCard),
    Form(FormCard),
    Items(String, Items),
    Facts(Facts),
}

/// See the module.
#[derive(Template, WebTemplate)]
#[template(path = "panels.html")]
pub struct Panels {
    pub shell: Shell,
    pub heading: Heading,
    pub tabs: Vec<(String, String, bool)>,
    pub note: Option<Note>,
    pub stats: Stats,
    pub main: Vec<Panel>,
    pub side: Vec<Panel>,
    pub pager: Option<Pager>,
}

impl Panels {
    fn token(&self) -> Token {
        self.shell.token()
    }
    fn is_refused(&self) -> bool {
        let mut panels = self.main.iter().chain(&self.side);
        panels.any(|panel| matches!(panel, Panel::Form(form) if form.fields.are_refused()))
    }
    fn columns(&self) -> [ColumnOf<'_>; 2] {
        [&self.main, &self.side].map(|panels| ColumnOf { panels, token: self.token() })
    }
}

/// One column.
#[derive(Template, Debug)]
#[template(path = "parts/panels.html")]
pub struct ColumnOf<'a> {
    panels: &'a [Panel],
    token: Token,
}

impl HtmlSafe for ColumnOf<'_> {}
