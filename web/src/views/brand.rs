//! A brand while it is edited: its form, how it looks, and the host names that it is shown on.

use askama::Template;
use askama_web::WebTemplate;

use super::{
    form::FormPart,
    parts::{Heading, Note},
    ui::{self, Badge},
};
use crate::colours::BrandColours;
use crate::shell::{Shell, Token};

/// A host name, and how far its proof is.
#[derive(Clone, Debug)]
pub struct HostRow {
    pub host: String,
    pub state: Badge,
    /// What the last look at the DNS found.
    pub note: String,
    /// Name and text of the record that proves it; `None` once it is served.
    pub record: Option<(String, String)>,
}

/// `GET /admin/settings/brand`, and what its POSTs answer.
#[derive(Template, WebTemplate)]
#[template(path = "brand.html")]
pub struct BrandPage {
    pub shell: Shell,
    pub heading: Heading,
    pub note: Option<Note>,
    pub action: String,
    pub parts: Vec<FormPart>,
    /// As they would look; `None` while a colour is wrong.
    pub colours: Option<BrandColours>,
    /// In the drawing of the look.
    pub name: String,
    pub hosts: Vec<HostRow>,
    pub host: String,
    pub host_error: Option<String>,
    pub host_action: String,
    pub check_action: String,
    pub removal_action: String,
    /// False without white label: everything stands there and nothing can be saved.
    pub may_change: bool,
}

impl BrandPage {
    fn token(&self) -> Token {
        self.shell.token()
    }
    fn is_refused(&self) -> bool {
        self.parts.iter().any(|part| part.fields.are_refused())
    }
    /// Side by side: the brand by day and by night. Colour of text, accent, text on it, soft, canvas, surface.
    fn looks<'a>(&self, colours: &'a BrandColours) -> [(&'static str, [&'a str; 6], &'static str); 2] {
        let on = colours.on_accent.as_str();
        let (day, night) = (
            [&colours.accent_text, &colours.accent, on, &colours.accent_soft, &colours.canvas, "#ffffff"],
            [
                &colours.accent_text_dark,
                &colours.accent_dark,
                on,
                &colours.accent_soft_dark,
                &colours.canvas_dark,
                "#1b1c20",
            ],
        );
        [("Light", day, "#1c1e26"), ("Dark", night, "#ececf1")]
    }
}
