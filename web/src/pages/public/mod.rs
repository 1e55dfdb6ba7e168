//! Pages for anybody: the rate estimator and the return calculator, whose address holds the figures; and a quote, for whoever
//! has its link.

mod estimate;
mod estimate_csv;
mod estimate_pdf;
mod estimate_show;
mod forecast;
mod forecast_sample;
mod quote;
mod roi;
mod saved;

pub(super) use estimate_pdf::answer as pdf_answer;
pub(crate) use estimate_pdf::file as pdf_file;
pub(super) use estimate_show::{model_name, result as shown_estimate};
pub(super) use saved::stored;

use super::{Entry, Who, get, post};
use crate::extract::{SignedIn, theme_of};
use crate::host::Site;
use crate::shell::{Person, Section, Shell};
use crate::{answer, urls};
use actix_web::HttpRequest;

pub(super) fn routes() -> Vec<Entry> {
    vec![
        get(urls::ESTIMATE, Who::Anybody, estimate::page),
        get(urls::ESTIMATE_CSV, Who::Anybody, estimate::csv),
        get(urls::ESTIMATE_PDF, Who::Anybody, saved::unsaved_pdf),
        post(urls::SAVED_ESTIMATES, Who::Anybody, saved::save),
        get("/estimate/saved/{token}", Who::Anybody, saved::page),
        get("/estimate/saved/{token}/csv", Who::Anybody, saved::csv),
        get("/estimate/saved/{token}/pdf", Who::Anybody, saved::pdf),
        get(urls::RETURN, Who::Anybody, roi::page),
        get("/quote/{token}", Who::Anybody, quote::page),
        get("/quote/{token}/pdf", Who::Anybody, quote::pdf),
        post("/quote/{token}/acceptance", Who::Anybody, quote::accept),
    ]
}

/// An estimate as the text of a file.
pub(crate) fn csv_text(forecast: &pricing::Forecast, estimate: &pricing::Estimate) -> String {
    estimate_csv::file(forecast, estimate)
}

/// An estimate as a file.
pub(super) fn csv_answer(forecast: &pricing::Forecast, estimate: &pricing::Estimate) -> actix_web::HttpResponse {
    estimate::file_answer(csv_text(forecast, estimate))
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
