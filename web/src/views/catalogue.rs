//! What is sold: one plan with its components, prices and add-ons. The lists are `book::List`.

use askama::Template;
use askama_web::WebTemplate;

use super::{
    parts::{Facts, Heading},
    table::Table,
    ui,
};
use crate::shell::Shell;

/// A component of a plan and its price in words and rows.
#[derive(Clone, Debug)]
pub struct ComponentCard {
    /// "Overflow calls"
    pub name: String,
    /// "per call, in arrears"
    pub basis: String,
    /// Tiers, or one row.
    pub prices: Table,
}

/// `GET /admin/plans/{id}`
#[derive(Template, WebTemplate)]
#[template(path = "plan.html")]
pub struct Plan {
    pub shell: Shell,
    pub heading: Heading,
    /// Term, trial, term discount, commitment, cap, currency.
    pub terms: Facts,
    pub components: Vec<ComponentCard>,
    pub tariffs: Option<Table>,
    pub add_ons: Table,
    pub versions: Table,
    /// Who has it now.
    pub subscriptions: Table,
    /// A POST ends its sale; who has it keeps it.
    pub archive_href: Option<String>,
}
