//! The editor of a plan: its terms and components as fields, beside them what a month costs, and the way to a version.

use askama::{Template, filters::HtmlSafe};
use askama_web::WebTemplate;

use super::{
    fields::{Field, id_of},
    form::Kept,
    parts::{Heading, Items, Note, Pager, Stats, Sums, Why},
    public::FieldGroup,
    table::Table,
    ui,
};
use crate::{
    charts::Chart,
    shell::{Shell, Token},
};

/// A button of the editor: what it asks, what it says.
#[derive(Clone, Debug)]
pub struct Deed {
    /// "add components/0/price/tiers"
    pub value: String,
    pub text: String,
    /// For the ear, where the text is only a drawing.
    pub label: String,
}

impl Deed {
    pub fn new(value: impl Into<String>, text: impl Into<String>) -> Self {
        Self { value: value.into(), text: text.into(), label: String::new() }
    }
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }
    fn id(&self) -> String {
        id_of(&self.value.replace(' ', "-"))
    }
}

/// One tier: where it begins, its fields, and taking it out.
#[derive(Clone, Debug)]
pub struct TierRow {
    pub from: String,
    pub fields: Vec<Field>,
    pub remove: Option<Deed>,
}

/// Tiers as rows.
#[derive(Clone, Debug)]
pub struct TierTable {
    pub heads: Vec<String>,
    pub rows: Vec<TierRow>,
    pub add: Deed,
    pub note: &'static str,
}

/// One value of a dimension and its price.
#[derive(Clone, Debug)]
pub struct CaseForm {
    pub value: Field,
    pub price: PriceForm,
    pub remove: Deed,
}

/// Prices by the values of a dimension.
#[derive(Clone, Debug)]
pub struct CasesForm {
    pub dimension: Field,
    pub cases: Vec<CaseForm>,
    pub add: Deed,
    pub has_default: Field,
    pub default: Option<Box<PriceForm>>,
}

/// A price: its model and what the model asks for. Prices by dimension hold prices.
#[derive(Template, Clone, Debug)]
#[template(path = "parts/price_form.html")]
pub struct PriceForm {
    pub id: String,
    pub action: String,
    /// Only one model fits a fee: then there is nothing to choose.
    pub model: Option<Field>,
    pub hidden: Kept,
    pub apply: Deed,
    pub rows: Vec<Vec<Field>>,
    pub tiers: Option<TierTable>,
    pub cases: Option<CasesForm>,
    /// Least, most, and whether fixed parts are due without use.
    pub limits: FieldGroup,
}

impl HtmlSafe for PriceForm {}

impl PriceForm {
    /// Every field that shows, those of prices within it too.
    fn fields(&self) -> Vec<&Field> {
        let mut all: Vec<&Field> = self.model.iter().chain(self.rows.iter().flatten()).collect();
        all.extend(self.tiers.iter().flat_map(|tiers| &tiers.rows).flat_map(|row| &row.fields));
        all.extend(self.limits.rows.iter().flatten());
        if let Some(cases) = &self.cases {
            all.extend([&cases.dimension, &cases.has_default]);
            for case in &cases.cases {
                all.push(&case.value);
                all.extend(case.price.fields());
            }
            all.extend(cases.default.iter().flat_map(|price| price.fields()));
        }
        all
    }

    fn row_class(row: &[Field]) -> &'static str {
        row_class(row)
    }
}

fn row_class(row: &[Field]) -> &'static str {
    match row.len() {
        1 => "",
        2 => "pair",
        _ => "three even",
    }
}

/// A row of a list that grows: its fields, and taking it out.
#[derive(Clone, Debug)]
pub struct GrowingRow {
    pub fields: Vec<Field>,
    pub remove: Deed,
}

/// One component.
#[derive(Clone, Debug)]
pub struct ComponentForm {
    pub id: String,
    pub title: String,
    /// "per call, €0.55 and less"
    pub summary: String,
    /// "usage"
    pub kind: String,
    /// What the form carries on without showing it.
    pub hidden: Kept,
    pub is_open: bool,
    pub rows: Vec<Vec<Field>>,
    pub filter: Vec<GrowingRow>,
    pub add_filter: Option<Deed>,
    pub price: PriceForm,
    pub remove: Deed,
    pub lift: Option<Deed>,
}

impl ComponentForm {
    /// Every field that shows, the price's too.
    pub fn fields(&self) -> Vec<&Field> {
        let filter = self.filter.iter().flat_map(|row| &row.fields);
        self.rows.iter().flatten().chain(filter).chain(self.price.fields()).collect()
    }

    fn row_class(row: &[Field]) -> &'static str {
        row_class(row)
    }
}

/// A list that grows: features, loyalty.
#[derive(Clone, Debug)]
pub struct GrowingList {
    pub id: &'static str,
    pub title: &'static str,
    pub text: &'static str,
    pub rows: Vec<GrowingRow>,
    pub add: Deed,
    pub empty: &'static str,
}

/// What a sample month comes to, and how.
#[derive(Template, Clone, Debug)]
#[template(path = "plan_preview.html")]
pub struct Preview {
    /// Why there is no figure yet; links to the fields that are wrong.
    pub faults: Vec<ui::Link>,
    pub warnings: Vec<String>,
    pub chart: Option<Chart>,
    /// Three volumes: label, amount, "was 399.00".
    pub volumes: Vec<(String, String, String)>,
    pub total: String,
    pub was: String,
    pub why: Why,
    pub sums: Sums,
}

impl HtmlSafe for Preview {}

/// `GET /admin/plans/{id}/draft`
#[derive(Template, WebTemplate)]
#[template(path = "plan_editor.html")]
pub struct PlanEditor {
    pub shell: Shell,
    pub heading: Heading,
    pub note: Option<Note>,
    pub action: String,
    pub back_href: String,
    /// There is a stored draft that can be given up.
    pub discard_href: Option<String>,
    pub components: Vec<ComponentForm>,
    pub kinds: Vec<Deed>,
    pub terms: Vec<Field>,
    pub more_terms: Vec<Field>,
    pub more_open: bool,
    pub lists: Vec<GrowingList>,
    /// Quantities of the sample month, and which one the curve follows.
    pub samples: Vec<Field>,
    pub preview: Preview,
}

impl PlanEditor {
    fn token(&self) -> Token {
        self.shell.token()
    }
}

/// `GET /admin/plans/{id}/draft/review`: what publishing would do.
#[derive(Template, WebTemplate)]
#[template(path = "plan_review.html")]
pub struct PlanReview {
    pub shell: Shell,
    pub heading: Heading,
    pub note: Option<Note>,
    pub stats: Stats,
    /// What changes against the version in use.
    pub changes: Table,
    pub warnings: Items,
    /// Each subscriber's last period through the new version; `None` where nobody has the plan.
    pub dry_run: Option<Table>,
    pub dry_run_note: String,
    pub publish: PublishForm,
}

/// Publishing, with a second confirmation where somebody's bill moves far.
#[derive(Clone, Debug)]
pub struct PublishForm {
    pub action: String,
    pub csrf: Token,
    /// Of the draft that is shown.
    pub revision: String,
    pub edit_href: String,
    /// "Publish version 4"
    pub button: String,
    pub text: String,
    /// "I have seen that …": must be ticked.
    pub confirm: Option<Field>,
}

/// `GET /admin/plans/{id}/moves`: customers of older versions, and moving them.
#[derive(Template, WebTemplate)]
#[template(path = "plan_moves.html")]
pub struct PlanMoves {
    pub shell: Shell,
    pub heading: Heading,
    /// What is wrong with the choice.
    pub fault: Option<String>,
    pub action: String,
    pub csrf: Token,
    pub to: Field,
    pub when: Field,
    /// "412 customers are left to move"
    pub left: String,
    /// After whom the rows begin; empty: at the start.
    pub after: String,
    pub rows: Vec<MoveRow>,
    /// Where there are more than these.
    pub pages: Option<MovePages>,
    pub empty: super::table::Empty,
    /// What the chosen moves would do; `None` before the preview.
    pub outcome: Option<MoveOutcome>,
    /// Moves that were asked for.
    pub moved: Vec<MovedRow>,
    pub moved_pager: Option<Pager>,
}

/// Which of those who may be moved stand on this page.
#[derive(Clone, Debug)]
pub struct MovePages {
    /// "301 to 412 of 412, the widest change first"
    pub shown: String,
    pub first: Option<String>,
    pub next: Option<String>,
}

/// One subscriber that may be moved.
#[derive(Clone, Debug)]
pub struct MoveRow {
    pub subscription: String,
    pub is_chosen: bool,
    pub customer: String,
    pub href: String,
    pub version: String,
    pub before: String,
    pub after: String,
    pub difference: String,
    pub change: Option<ui::Badge>,
}

/// A move that was asked for.
#[derive(Clone, Debug)]
pub struct MovedRow {
    pub customer: String,
    pub href: String,
    pub text: String,
    pub at: ui::Moment,
    /// Until it is billed.
    pub undo_href: Option<String>,
}

/// Before the moves are made: how many, when, what they come to.
#[derive(Clone, Debug)]
pub struct MoveOutcome {
    pub sums: Sums,
    pub kept: Kept,
    pub confirm: String,
}
