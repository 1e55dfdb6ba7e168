//! The pages before a session: sign-in, and the page that says what went wrong.

use askama::Template;
use askama_web::WebTemplate;

use super::ui;
use crate::shell::{Membership, Shell};

/// `GET /sign-in`
#[derive(Template, WebTemplate)]
#[template(path = "sign_in.html")]
pub struct SignIn {
    pub shell: Shell,
    pub email: String,
    pub error: Option<String>,
    /// Where to go afterwards: a path of our own, checked by the handler.
    pub next: String,
}

/// `GET /session/membership`: for somebody who may work in several places.
#[derive(Template, WebTemplate)]
#[template(path = "choose.html")]
pub struct Choose {
    pub shell: Shell,
    /// Where the session is now.
    pub here: Membership,
    pub here_href: String,
    pub others: Vec<Membership>,
}

/// 404, 421, 429, 500: where it happened, what was not done, what to do.
#[derive(Template, WebTemplate)]
#[template(path = "message.html")]
pub struct Message {
    pub shell: Shell,
    pub icon: &'static str,
    pub title: String,
    pub text: String,
    /// To be named to support.
    pub request_id: Option<String>,
    pub action: Option<ui::Link>,
}
