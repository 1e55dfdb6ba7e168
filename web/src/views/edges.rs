//! The phone edge of this process: what runs on it, and whom it does not hear.

use askama::Template;
use askama_web::WebTemplate;

use super::{
    parts::{Heading, Stats},
    ui,
};
use crate::shell::{Shell, Token};

/// A source that is not heard.
#[derive(Clone, Debug)]
pub struct BanRow {
    pub source: String,
    pub why: String,
    /// "4 min 12 s"
    pub expires_in: String,
    pub dropped: String,
}

/// A phone that is registered.
#[derive(Clone, Debug)]
pub struct PhoneRow {
    pub username: String,
    pub address: String,
    pub expires_in: String,
}

/// `GET /ops/edges`
#[derive(Template, WebTemplate)]
#[template(path = "edges.html")]
pub struct Edges {
    pub shell: Shell,
    pub heading: Heading,
    pub stats: Stats,
    pub lift_href: &'static str,
    pub csrf: Token,
    pub may_lift: bool,
    pub bans: Vec<BanRow>,
    pub phones: Vec<PhoneRow>,
}
