//! Which plan would have been cheapest: every plan for the same usage, and what happens when usage changes.

use askama::Template;
use askama_web::WebTemplate;

use super::{
    parts::{Facts, Heading},
    table::Table,
    ui,
};
use crate::{charts::Chart, shell::Shell};

/// `GET /admin/customers/{id}/advice`, `/admin/account/advice`
#[derive(Template, WebTemplate)]
#[template(path = "advice.html")]
pub struct Advice {
    pub shell: Shell,
    pub heading: Heading,
    pub facts: Facts,
    pub plans: Table,
    pub chart: Chart,
    pub sensitivity: Table,
}
