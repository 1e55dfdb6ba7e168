//! Means of payment on file: on the customer's page of its seller, and in the portal.

use askama::{Template, filters::HtmlSafe};
use askama_web::WebTemplate;

use super::{
    form::Fields,
    parts::{Heading, Note},
    ui,
};
use crate::shell::{Shell, Token};

/// One of them.
#[derive(Clone, Debug)]
pub struct MethodRow {
    pub icon: &'static str,
    /// "Direct debit from DE89 … 3000"
    pub title: String,
    /// Whose, under which number, since when and by whom.
    pub note: String,
    /// Where a POST takes it off the file; `None` for a reader.
    pub remove_href: Option<String>,
}

/// All of them.
#[derive(Template, Clone, Debug, Default)]
#[template(path = "parts/means.html")]
pub struct Means {
    pub methods: Vec<MethodRow>,
    /// What stands there where there is none, and what that means.
    pub none: String,
    pub none_text: String,
    /// Where a POST grants paying by invoice, and what its button says.
    pub grant: Option<(String, String)>,
    pub csrf: Token,
}

impl HtmlSafe for Means {}

/// `GET /portal/payment`, and its POST where it was refused.
#[derive(Template, WebTemplate)]
#[template(path = "portal_payment.html")]
pub struct PortalPayment {
    pub shell: Shell,
    pub heading: Heading,
    /// What waits for a means of payment.
    pub note: Option<Note>,
    pub means: Means,
    /// The form of a mandate; `None` where its seller cannot collect.
    pub mandate: Option<Fields>,
    /// "Pay by direct debit", or what takes the place of what is there.
    pub title: String,
    /// What is signed.
    pub text: String,
}

impl PortalPayment {
    fn token(&self) -> Token {
        self.shell.token()
    }
}
