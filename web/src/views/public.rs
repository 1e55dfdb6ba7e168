//! Pages for anybody: the rate estimator, the return calculator, a quote to read and accept.

use askama::{Template, filters::HtmlSafe};
use askama_web::WebTemplate;

use super::{
    fields::{Field, id_of},
    form::Kept,
    parts::{Note, PagePath, Stats, Sums},
    table::Table,
    ui::{self, Badge, Link},
};
use crate::{
    charts::Chart,
    shell::{Shell, Token},
};

/// Some fields under one heading that opens and closes.
#[derive(Clone, Debug)]
pub struct FieldGroup {
    /// Unique on its page: also the anchor of what is wrong in it.
    pub id: &'static str,
    pub title: String,
    /// What stands in it, when it is closed.
    pub summary: String,
    pub is_open: bool,
    /// Each row is one field, or two side by side, or three.
    pub rows: Vec<Vec<Field>>,
    /// Below the fields.
    pub hint: String,
}

impl FieldGroup {
    pub fn new(id: &'static str, title: impl Into<String>, rows: Vec<Vec<Field>>) -> Self {
        let is_open = rows.iter().flatten().any(|field| field.error.is_some());
        Self { id, title: title.into(), summary: String::new(), is_open, rows, hint: String::new() }
    }
    pub fn summary(mut self, text: impl Into<String>) -> Self {
        self.summary = text.into();
        self
    }
    pub fn open(mut self, is_open: bool) -> Self {
        self.is_open |= is_open;
        self
    }
    pub fn hint(mut self, text: impl Into<String>) -> Self {
        self.hint = text.into();
        self
    }
    fn row_class(row: &[Field]) -> &'static str {
        match row.len() {
            1 => "",
            2 => "pair",
            _ => "three",
        }
    }
}

/// One hour of opening on the strip.
#[derive(Clone, Debug)]
pub struct HeatCell {
    /// "08:00"
    pub hour: String,
    /// Agents to schedule.
    pub agents: String,
    /// What arrives in the hour.
    pub events: String,
    /// 1 to 5, of the busiest hour of the week.
    pub level: u8,
}

/// Days whose hours are alike, and those hours.
#[derive(Clone, Debug)]
pub struct HeatDay {
    /// "Monday to Friday"
    pub name: String,
    pub cells: Vec<HeatCell>,
}

/// A suggested rate and what it means for a month.
#[derive(Clone, Debug)]
pub struct RateCard {
    pub name: String,
    pub badge: Option<Badge>,
    pub value: String,
    /// "/ min"
    pub per: String,
    pub sums: Sums,
    pub text: String,
}

/// What comes out of an estimate; the part that is fetched again when a figure changes.
#[derive(Template, Clone, Debug)]
#[template(path = "estimate_result.html")]
pub struct EstimateResult {
    /// "20 agents at the busiest hour, 3,486 hours a month"
    pub title: String,
    pub badge: Option<Badge>,
    pub facts: String,
    /// This page's address with the figures in it, to be copied; empty where the address is not for everybody.
    pub share_href: String,
    pub csv_href: String,
    pub pdf_href: String,
    /// Keeps the figures under a short address; `None` where this is that address already.
    pub save: Option<SaveForm>,
    /// For members: a quote from these figures.
    pub quote_href: Option<String>,
    pub days: Vec<HeatDay>,
    pub heat_note: String,
    pub service: Stats,
    pub rates: Vec<RateCard>,
    pub begin: Sums,
    pub cost: Sums,
    pub channels: Table,
    pub chart: Chart,
    pub side_by_side: Table,
    pub break_evens: Vec<String>,
}

impl HtmlSafe for EstimateResult {}

/// The figures once more, as hidden fields of a form that stores them.
#[derive(Clone, Debug)]
pub struct SaveForm {
    pub action: String,
    pub kept: Kept,
}

/// What stands where a result would.
#[derive(Template, Clone, Debug)]
#[template(path = "nothing_yet.html")]
pub struct NothingYet {
    pub title: String,
    pub text: String,
    /// Links to the fields that are wrong.
    pub faults: Vec<Link>,
}

impl HtmlSafe for NothingYet {}

/// A result, or why there is none.
#[derive(Clone, Debug)]
pub enum Outcome<Result> {
    Found(Box<Result>),
    Nothing(NothingYet),
}

impl<T> Outcome<T> {
    /// Each fault begins with the name of its field: "Hours a day: must not be empty."
    pub fn named<'a>(mut self, fields: impl Iterator<Item = &'a Field> + Clone) -> Self {
        if let Outcome::Nothing(nothing) = &mut self {
            for fault in &mut nothing.faults {
                let is_its = |field: &&Field| fault.href.strip_prefix('#') == Some(id_of(&field.name).as_str());
                if let Some(field) = fields.clone().find(is_its) {
                    fault.text = format!("{}: {}", field.label, crate::error::continued(&fault.text));
                }
            }
        }
        self
    }
}

/// `GET /estimate`
#[derive(Template, WebTemplate)]
#[template(path = "estimate.html")]
pub struct EstimatePage {
    pub shell: Shell,
    /// Above everything: sample data, a saved estimate and until when.
    pub note: Option<Note>,
    pub action: &'static str,
    pub is_sample: bool,
    pub groups: Vec<FieldGroup>,
    pub zones: Vec<&'static str>,
    pub outcome: Outcome<EstimateResult>,
}

/// `GET /estimate/saved/{token}`: the result alone, as it was kept.
#[derive(Template, WebTemplate)]
#[template(path = "estimate_saved.html")]
pub struct SavedEstimate {
    pub shell: Shell,
    pub note: Note,
    pub result: EstimateResult,
}

/// `GET /admin/estimates/{id}`: the same for those who keep the book.
#[derive(Template, WebTemplate)]
#[template(path = "estimate_kept.html")]
pub struct KeptEstimate {
    pub shell: Shell,
    pub path: PagePath,
    pub note: Note,
    pub result: EstimateResult,
    /// Where a link is made, for who may.
    pub link_action: Option<String>,
    /// Made just now, and shown this once.
    pub link: Option<String>,
}

impl KeptEstimate {
    fn token(&self) -> Token {
        self.shell.token()
    }
}

/// What comes out of a return calculation.
#[derive(Template, Clone, Debug)]
#[template(path = "roi_result.html")]
pub struct ReturnResult {
    pub title: String,
    pub badge: Option<Badge>,
    pub facts: String,
    pub share_href: String,
    pub stats: Stats,
    /// From the ceiling to what is left, step by step.
    pub steps: Sums,
    pub chart: Chart,
}

impl HtmlSafe for ReturnResult {}

/// `GET /roi`
#[derive(Template, WebTemplate)]
#[template(path = "roi.html")]
pub struct ReturnPage {
    pub shell: Shell,
    pub note: Option<Note>,
    pub action: &'static str,
    pub is_sample: bool,
    pub rows: Vec<Vec<Field>>,
    pub outcome: Outcome<ReturnResult>,
}

impl ReturnPage {
    fn row_class(row: &[Field]) -> &'static str {
        FieldGroup::row_class(row)
    }
}
