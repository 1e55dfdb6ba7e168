//! What a customer has subscribed to: the card of a subscription, a change of it with what the change costs, and what the
//! next document will say.

use askama::{Template, filters::HtmlSafe};
use askama_web::WebTemplate;

use super::{
    form::{FormPart, Kept},
    parts::{Facts, Heading, Note, Sums},
    table::Table,
    ui::{self, Badge, Link, Moment},
};
use crate::shell::{Shell, Token};

/// How far something has come, as a bar with its words.
#[derive(Clone, Debug)]
pub struct Progress {
    /// "7 of 12 months"
    pub text: String,
    /// "then 5% off what recurs"
    pub note: String,
    /// Of 1,000.
    pub done: u32,
}

/// One change that was asked for.
#[derive(Clone, Debug)]
pub struct Move {
    pub at: Moment,
    /// "Seats changed from 5 to 8"
    pub title: String,
    /// "asked by Henrik Bauer on 20 Nov, 14:32"
    pub note: String,
    pub state: Badge,
    /// Where a POST takes it back, as long as it is not billed.
    pub undo_href: Option<String>,
}

/// A subscription as it stands.
#[derive(Template, Clone, Debug)]
#[template(path = "parts/subscription.html")]
pub struct SubscriptionCard {
    /// Unique on its page.
    pub id: String,
    /// The plan; with an address where the reader may see it.
    pub plan: Link,
    /// "version 3, with CRM connector"
    pub sub: String,
    pub state: Badge,
    /// Term, period, renewal, seats, commitment, coupons.
    pub facts: Facts,
    /// What staying brings, and how near it is.
    pub loyalty: Vec<Progress>,
    /// What lies ahead and what may still be undone, then what is done; the newest first.
    pub moves: Vec<Move>,
    /// "Change", "Next invoice".
    pub actions: Vec<Link>,
    pub csrf: Token,
}

impl HtmlSafe for SubscriptionCard {}

/// What a document will say: its lines, what they come to, and what the period after costs.
#[derive(Template, Clone, Debug)]
#[template(path = "parts/bill.html")]
pub struct BillPreview {
    /// "On the invoice of 1 Dec 2026"
    pub title: String,
    pub sub: String,
    pub lines: Table,
    /// Credit, charge, tax, total.
    pub sums: Sums,
    /// "The month after"
    pub then: Option<(String, Sums)>,
    /// "Usage so far; what comes until the end of the period is added."
    pub remark: String,
}

impl HtmlSafe for BillPreview {}

/// A form whose outcome is shown before it is sent: the form goes by GET to its own address, the confirmation by POST.
#[derive(Template, WebTemplate)]
#[template(path = "decide.html")]
pub struct Decide {
    pub shell: Shell,
    pub heading: Heading,
    /// Which change: text, address, chosen.
    pub tabs: Vec<(String, String, bool)>,
    /// Before the form: what has changed since, or why nothing can be asked.
    pub note: Option<Note>,
    /// Where the form goes by GET.
    pub action: String,
    /// Kept by the form besides its fields.
    pub kept: Kept,
    pub parts: Vec<FormPart>,
    /// `None` until the form is right.
    pub outcome: Option<Outcome>,
    pub back_href: String,
}

/// What confirming does.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// "From today on": what will be different, before and after.
    pub changes: Option<Table>,
    pub bill: Option<BillPreview>,
    /// Where the POST goes, what it carries, and what its button says.
    pub action: String,
    pub kept: Kept,
    pub confirm: String,
    /// It takes something away.
    pub is_danger: bool,
    /// "It can be undone until it is billed."
    pub remark: String,
}

impl Decide {
    fn token(&self) -> Token {
        self.shell.token()
    }
    fn is_refused(&self) -> bool {
        self.parts.iter().any(|part| part.fields.are_refused())
    }
}

/// What the next document will say, on a page of its own.
#[derive(Template, WebTemplate)]
#[template(path = "next_bill.html")]
pub struct NextBill {
    pub shell: Shell,
    pub heading: Heading,
    pub facts: Facts,
    pub bill: BillPreview,
}

/// `GET /portal/plan`: the same for whom it is about.
#[derive(Template, WebTemplate)]
#[template(path = "portal_plan.html")]
pub struct PortalPlan {
    pub shell: Shell,
    pub heading: Heading,
    pub cards: Vec<SubscriptionCard>,
    /// Feature, limit, used, remaining.
    pub entitlements: Table,
    pub bill: Option<BillPreview>,
}
