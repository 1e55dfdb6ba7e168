//! Files of our own, the brand's colours and drawing, and the choice of light or dark.

use super::{Entry, Who, get, post};
use crate::answer::{SeeOther, see_other};
use crate::colours::{BrandColours, ThemeFile};
use crate::error::{PageError, PageResult};
use crate::host::Site;
use crate::shell::Theme;
use crate::{assets, urls};
use actix_web::cookie::{Cookie, SameSite, time};
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;

pub(super) fn routes() -> Vec<Entry> {
    vec![
        get("/assets/{print}/{path:.*}", Who::Anybody, assets::show),
        get("/theme/{hash}.css", Who::Anybody, theme),
        get("/brand/{hash}.svg", Who::Anybody, logo),
        get("/favicon.ico", Who::Anybody, no_icon),
        post(urls::THEME_CHOICE, Who::Anybody, choose_theme),
    ]
}

/// Another content has another address, so a browser may keep it for ever.
const FOR_EVER: (header::HeaderName, &str) = (header::CACHE_CONTROL, "public, max-age=31536000, immutable");

/// `GET /theme/{hash}.css`: the colours of this host's brand.
async fn theme(site: Site, request: HttpRequest) -> PageResult<HttpResponse> {
    let colours = site.colours.filter(|colours| colours.href() == request.path()).ok_or(PageError::NotFound)?;
    Ok(css(&colours))
}

fn css(colours: &BrandColours) -> HttpResponse {
    HttpResponse::Ok().content_type("text/css; charset=utf-8").insert_header(FOR_EVER).body(colours.css())
}

/// `GET /brand/{hash}.svg`: the drawing of this host's brand. Shown as an image, where nothing in it can act.
async fn logo(site: Site, request: HttpRequest) -> PageResult<HttpResponse> {
    let is_it = site.brand.logo_href.as_deref() == Some(request.path());
    let svg = site.logo_svg.filter(|_| is_it).ok_or(PageError::NotFound)?;
    Ok(HttpResponse::Ok().content_type("image/svg+xml").insert_header(FOR_EVER).body(svg))
}

/// Browsers ask for it whatever the page says.
async fn no_icon() -> HttpResponse {
    HttpResponse::NoContent().finish()
}

#[derive(Deserialize)]
struct ThemeChoice {
    theme: String,
}

/// `POST /preferences/theme`: `light`, `dark`, or `other` than now. A preference of the browser, not of a person: it needs no
/// session and tells nobody anything.
async fn choose_theme(site: Site, request: HttpRequest, form: web::Form<ThemeChoice>) -> SeeOther {
    let now = crate::extract::theme_of(&request);
    let theme =
        Theme::from_cookie(&form.theme).unwrap_or(if now == Some(Theme::Dark) { Theme::Light } else { Theme::Dark });
    let cookie = Cookie::build(Theme::COOKIE, theme.name())
        .path("/")
        .secure(!site.is_local())
        .http_only(true)
        .same_site(SameSite::Lax)
        .max_age(time::Duration::days(365))
        .finish();
    see_other(back(&request)).with_cookie(cookie)
}

/// The path of the page that sent the form; only its path, so that it stays on this host.
fn back(request: &HttpRequest) -> String {
    let from = request.headers().get(header::REFERER).and_then(|referer| referer.to_str().ok()).unwrap_or_default();
    let uri: actix_web::http::Uri = from.parse().unwrap_or_default();
    match uri.path_and_query().map(|path| path.as_str()) {
        Some(path) if super::door::is_own_path(path) => path.to_owned(),
        _ => "/".into(),
    }
}
