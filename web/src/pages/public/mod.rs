//! Pages for anybody: the rate estimator and the return calculator. They keep nothing: the address holds the figures.

mod estimate;
mod estimate_csv;
mod estimate_show;
mod forecast;
mod forecast_sample;
mod roi;

use super::{Entry, Who, get};
use crate::extract::{SignedIn, theme_of};
use crate::host::Site;
use crate::shell::{Person, Section, Shell};
use crate::{answer, urls};
use actix_web::HttpRequest;

pub(super) fn routes() -> Vec<Entry> {
    vec![
        get(urls::ESTIMATE, Who::Anybody, estimate::page),
        get(urls::ESTIMATE_CSV, Who::Anybody, estimate::csv),
        get(urls::RETURN, Who::Anybody, roi::page),
    ]
}

/// What stands round a public page: the brand of the host, and a way in, or back to the own pages.
fn public_shell(
    request: &HttpRequest,
    site: &Site,
    title: &str,
    section: Section,
    signed_in: Option<&SignedIn>,
) -> Shell {
    let mut shell = Shell::outside(title, site.brand.clone(), theme_of(request)).public(section);
    shell.notice = answer::notice_of(request, site);
    if let Some(signed_in) = signed_in {
        shell.home_href = signed_in.home();
        shell.csrf = crate::security::form_token(&signed_in.session.csrf_token);
        shell.person = Person { name: signed_in.session.member_name.clone(), role: String::new() };
    }
    shell
}
