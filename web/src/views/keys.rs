//! Keys of other systems: what there is, a form for a new one, and the key itself, once.

use askama::Template;
use askama_web::WebTemplate;

use super::{
    fields::Field,
    parts::Heading,
    ui::{self, Badge},
};
use crate::shell::{Shell, Token};

/// A key that was made just now. It is on this page and on no other.
#[derive(Clone, Debug)]
pub struct MadeKey {
    pub name: String,
    pub secret: String,
    /// A command that tries it out.
    pub sample: String,
}

/// A key of the list.
#[derive(Clone, Debug)]
pub struct KeyRow {
    pub name: String,
    /// `rt_live_4fKq…`
    pub start: String,
    pub scopes: String,
    pub made: String,
    pub used: String,
    pub state: Badge,
    /// `None` when it is over.
    pub revoke_href: Option<String>,
}

/// `GET /admin/settings/api-keys`, and what its POST answers.
#[derive(Template, WebTemplate)]
#[template(path = "api_keys.html")]
pub struct ApiKeys {
    pub shell: Shell,
    pub heading: Heading,
    pub action: String,
    pub csrf: Token,
    pub made: Option<MadeKey>,
    pub keys: Vec<KeyRow>,
    /// Name, how long it is good, and a field for each group of nouns.
    pub fields: Vec<Field>,
    pub document_href: &'static str,
}
