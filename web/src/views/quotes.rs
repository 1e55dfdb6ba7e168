//! A quote: what is offered and what it comes to, for its seller and for whoever reads it by its link.

use askama::{Template, filters::HtmlSafe};
use askama_web::WebTemplate;

use super::{
    catalogue::ComponentCard,
    fields::Field,
    form::Fields,
    parts::{Facts, Heading, Note, Sums, Timeline},
    ui,
};
use crate::shell::{Shell, Token};

/// What is offered: the month, what is charged once, the terms, and the prices behind them.
#[derive(Template, Clone, Debug)]
#[template(path = "parts/offer.html")]
pub struct Offer {
    /// Of the seller, for the reader; a paragraph each.
    pub words: Vec<String>,
    pub terms: Facts,
    /// Lines of the month with net, tax and gross.
    pub month: Sums,
    /// The same of what is charged once; empty for nothing.
    pub once: Sums,
    pub components: Vec<ComponentCard>,
}

impl HtmlSafe for Offer {}

/// The form that sends a quote by e-mail.
#[derive(Clone, Debug)]
pub struct SendForm {
    pub action: String,
    pub email: Field,
}

/// `GET /admin/quotes/{id}`
#[derive(Template, WebTemplate)]
#[template(path = "quote.html")]
pub struct QuotePage {
    pub shell: Shell,
    pub heading: Heading,
    pub facts: Facts,
    pub offer: Offer,
    /// A link made just now: shown once.
    pub link: Option<String>,
    /// Where a POST makes a further link; `None` when nobody could accept by it.
    pub link_action: Option<String>,
    /// `None` when it is not open, or when this installation sends no mail.
    pub send: Option<SendForm>,
    pub withdraw_action: Option<String>,
    pub timeline: Timeline,
}

impl QuotePage {
    fn token(&self) -> Token {
        self.shell.token()
    }
}

/// The form by which a quote is accepted.
#[derive(Clone, Debug)]
pub struct AcceptForm {
    pub action: String,
    /// Who accepts.
    pub person: Fields,
    /// What stands on the documents; empty for somebody who is a customer already.
    pub details: Fields,
    pub agreed: Field,
    /// "Accept and begin"
    pub button: String,
    pub remark: String,
}

/// `GET /quote/{token}`
#[derive(Template, WebTemplate)]
#[template(path = "quote_public.html")]
pub struct PublicQuote {
    pub shell: Shell,
    pub heading: Heading,
    /// What has become of it, or what is wrong with the form.
    pub note: Option<Note>,
    pub facts: Facts,
    pub offer: Offer,
    /// Only while it is open.
    pub accept: Option<AcceptForm>,
    /// "Questions? …"
    pub contact: String,
}

impl PublicQuote {
    fn token(&self) -> Token {
        self.shell.token()
    }
}
