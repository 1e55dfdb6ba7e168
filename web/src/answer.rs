//! What a POST answers: another page, and perhaps a sentence that is shown there once.

use crate::host::{self, Site};
use crate::views::{parts::Note, ui::Tone};
use actix_web::body::BoxBody;
use actix_web::cookie::{Cookie, SameSite, time};
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, Responder};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

const NOTICE_COOKIE: &str = "notice";

/// A cookie of ours: this host only, no script, not sent along from other sites' forms.
pub(crate) fn cookie(site: &Site, name: &str, value: String) -> Cookie<'static> {
    Cookie::build(site.cookie_name(name), value)
        .path("/")
        .secure(!site.is_local())
        .http_only(true)
        .same_site(SameSite::Lax)
        .finish()
}

/// The same cookie, taken back.
pub(crate) fn no_cookie(site: &Site, name: &str) -> Cookie<'static> {
    let mut gone = cookie(site, name, String::new());
    gone.make_removal();
    gone
}

/// After a POST: to another page, perhaps with a sentence about what was done.
pub fn see_other(url: impl Into<String>) -> SeeOther {
    SeeOther { url: url.into(), notice: None, cookies: Vec::new() }
}

/// See [`see_other`].
#[derive(Debug)]
pub struct SeeOther {
    url: String,
    notice: Option<(Tone, String)>,
    cookies: Vec<Cookie<'static>>,
}

impl SeeOther {
    /// Shown once, on the next page: what was done.
    pub fn notice(mut self, text: impl Into<String>) -> Self {
        self.notice = Some((Tone::Good, text.into()));
        self
    }

    /// Shown once, on the next page: what was not done.
    pub fn warning(mut self, text: impl Into<String>) -> Self {
        self.notice = Some((Tone::Wrong, text.into()));
        self
    }

    pub(crate) fn with_cookie(mut self, cookie: Cookie<'static>) -> Self {
        self.cookies.push(cookie);
        self
    }
}

impl Responder for SeeOther {
    type Body = BoxBody;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        let mut answer = HttpResponse::SeeOther();
        answer.insert_header((header::LOCATION, self.url));
        for cookie in self.cookies {
            answer.cookie(cookie);
        }
        if let (Some((tone, text)), Ok(site)) = (self.notice, host::of(request)) {
            let kind = if tone == Tone::Good { "good" } else { "wrong" };
            let mut notice = cookie(&site, NOTICE_COOKIE, format!("{kind}.{}", URL_SAFE_NO_PAD.encode(text)));
            notice.set_max_age(time::Duration::minutes(1));
            answer.cookie(notice);
        }
        answer.finish()
    }
}

/// The sentence that the page before left. Text only: a page escapes it like any other.
pub(crate) fn notice_of(request: &HttpRequest, site: &Site) -> Option<Note> {
    let cookie = request.cookie(&site.cookie_name(NOTICE_COOKIE))?;
    let (kind, text) = cookie.value().split_once('.')?;
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
    Some(match kind {
        "good" => Note::good(text),
        _ => Note::wrong(text, ""),
    })
}

/// Takes a notice back once a page has shown it.
pub(crate) fn forget_shown_notice(request: &HttpRequest, response: &mut HttpResponse) {
    let Ok(site) = host::of(request) else { return };
    let name = site.cookie_name(NOTICE_COOKIE);
    let is_page =
        response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    let is_part = request.headers().contains_key("hx-request");
    if is_page && !is_part && request.cookie(&name).is_some() && !response.cookies().any(|cookie| cookie.name() == name)
    {
        let _ = response.add_cookie(&no_cookie(&site, NOTICE_COOKIE));
    }
}
