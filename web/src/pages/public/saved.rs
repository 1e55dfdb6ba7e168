//! Estimates that are kept: saved by anybody from the public page, reached by a link that is shown once, and by members from
//! their list. Storing and computing for strangers is limited by where they ask from.

use super::{estimate, estimate_csv, estimate_pdf, estimate_show, public_shell};
use crate::answer::see_other;
use crate::app::App;
use crate::error::{PageError, PageResult};
use crate::extract::{self, SignedIn};
use crate::format;
use crate::host::Site;
use crate::limit::source;
use crate::pages::door;
use crate::pages::form::Given;
use crate::shell::Section;
use crate::urls::{self, with_query};
use crate::views::form::Kept;
use crate::views::parts::Note;
use crate::views::public::{SaveForm, SavedEstimate};
use actix_web::{HttpRequest, HttpResponse, Responder, web};
use db::{PlatformReason, TenantId, TenantTx};
use jiff::tz::TimeZone;
use pricing::Forecast;
use subscription::NewEstimate;
use tenant::{OrganisationKind, Role};

/// Refuses a stranger who asks too often to compute.
pub fn may_compute(request: &HttpRequest, app: &App) -> PageResult<()> {
    let Some(from) = extract::client_address(request, &app.proxies) else { return Ok(()) };
    app.estimates.take(source(from), app.clock.now()).map_err(too_many)
}

fn may_save(request: &HttpRequest, app: &App) -> PageResult<()> {
    let Some(from) = extract::client_address(request, &app.proxies) else { return Ok(()) };
    app.saved_estimates.take(source(from), app.clock.now()).map_err(too_many)
}

fn too_many(retry_after_seconds: i64) -> PageError {
    PageError::TooMany { retry_after_seconds }
}

/// The form that saves these figures: with the session's token for who is signed in, else with the visitor's.
pub fn form(figures: &[(String, String)], token: &str) -> SaveForm {
    let mut kept = figures.to_vec();
    kept.push(("csrf".into(), token.to_owned()));
    SaveForm { action: urls::SAVED_ESTIMATES.into(), kept: Kept(kept) }
}

/// `POST /estimate/saved`: computes once more, keeps it in the book of whoever is signed in, else of the host's owner, and leads
/// to its link.
pub async fn save(
    request: HttpRequest,
    app: web::Data<App>,
    site: Site,
    given: web::Form<Given>,
    signed_in: PageResult<SignedIn>,
) -> PageResult<HttpResponse> {
    let signed_in = signed_in.ok();
    if signed_in.is_none() && !door::came_through_the_door(&request, &site) {
        return Err(PageError::Forged);
    }
    may_save(&request, &app)?;
    let now = app.clock.now();
    let (forecast, estimate) = estimate::of_given(&given, now)?;
    let (book, by) = match &signed_in {
        Some(signed_in) => (signed_in.session.tenant_id, signed_in.session.member_name.clone()),
        None => (owner_of(&app, &site).await?, "A visitor".to_owned()),
    };
    let new = NewEstimate {
        name: estimate_show::name(&estimate),
        input: serde_json::to_value(&forecast).map_err(PageError::failed)?,
        result: serde_json::to_value(&estimate).map_err(PageError::failed)?,
    };
    let tx = app.db.tenant(book).await?;
    let id = subscription::save_estimate(&tx, &new, &by, now).await?;
    let token = subscription::share_estimate(&tx, id).await?;
    tx.commit().await?;
    let there = see_other(urls::saved_estimate(&token));
    Ok(there.notice("Saved. The address of this page is its link: whoever has it may read it.").respond_to(&request))
}

/// In whose book a stranger's estimate is kept: the owner of the host, which is the operator where nobody has it.
async fn owner_of(app: &App, site: &Site) -> PageResult<TenantId> {
    if let Some(owner) = site.owner {
        return Ok(owner);
    }
    let ptx = app.db.platform(PlatformReason::ResolveHost).await?;
    let all = tenant::organisations(&ptx).await?;
    ptx.commit().await?;
    let operator = all.iter().find(|of| of.kind == OrganisationKind::Operator);
    operator.map(|operator| operator.id).ok_or(PageError::NotFound)
}

/// A kept estimate, in the book that its token names.
async fn read(app: &App, site: &Site, token: &str) -> PageResult<(TenantTx, subscription::Estimate)> {
    let tenant_id = subscription::tenant_of_token(token).ok_or(PageError::NotFound)?;
    let ptx = app.db.platform(PlatformReason::WalkTheTree).await?;
    let is_known = tenant::organisation_by_id(&ptx, tenant_id).await?.is_some();
    let is_shown = is_known && site.shows(app, &ptx, tenant_id, app.clock.now()).await?;
    ptx.commit().await?;
    if !is_shown {
        return Err(PageError::NotFound);
    }
    let tx = app.db.tenant(tenant_id).await?;
    let found = subscription::estimate_by_token(&tx, token).await?.ok_or(PageError::NotFound)?;
    Ok((tx, found))
}

/// `GET /estimate/saved/{token}`
pub async fn page(
    request: HttpRequest,
    app: web::Data<App>,
    site: Site,
    token: web::Path<String>,
    signed_in: PageResult<SignedIn>,
) -> PageResult<SavedEstimate> {
    let (tx, kept) = read(&app, &site, &token).await?;
    let shell = public_shell(&request, &site, &kept.name, Section::Estimate, signed_in.as_ref().ok());
    let (here, csv) = (urls::saved_estimate(&token), format!("{}/csv", urls::saved_estimate(&token)));
    let (forecast, estimate) = stored(&kept)?;
    let mut result = estimate_show::result(&forecast, &estimate, here, csv);
    if let Ok(signed_in) = &signed_in
        && signed_in.session.tenant_id == tx.tenant_id()
        && signed_in.session.role <= Role::Billing
    {
        let audience = extract::audience_of(signed_in.session.organisation.kind);
        result.quote_href = Some(with_query(&audience.quote_new(), &[("estimate", &kept.id.to_string())]));
    }
    let zone = TimeZone::get(&tenant::organisation(&tx).await?.time_zone).unwrap_or(TimeZone::UTC);
    let note = Note::plain(format!("Saved on {} and kept as it was.", format::stamp(kept.created_at, &zone).text));
    Ok(SavedEstimate { shell, note, result })
}

/// `GET /estimate/saved/{token}/csv`
pub async fn csv(app: web::Data<App>, site: Site, token: web::Path<String>) -> PageResult<HttpResponse> {
    let (_, kept) = read(&app, &site, &token).await?;
    let (forecast, estimate) = stored(&kept)?;
    Ok(estimate::file_answer(estimate_csv::file(&forecast, &estimate)))
}

/// `GET /estimate/saved/{token}/pdf`: each costs a page to set, so strangers wait as they do for figures.
pub async fn pdf(
    request: HttpRequest,
    app: web::Data<App>,
    site: Site,
    token: web::Path<String>,
) -> PageResult<HttpResponse> {
    may_compute(&request, &app)?;
    let (tx, kept) = read(&app, &site, &token).await?;
    let (forecast, estimate) = stored(&kept)?;
    estimate_pdf::answer(&tx, &forecast, &estimate, app.clock.now()).await
}

/// `GET /estimate/pdf`: the figures of the address, under the brand of whoever is signed in, else of the host's owner.
pub async fn unsaved_pdf(
    request: HttpRequest,
    app: web::Data<App>,
    site: Site,
    given: web::Query<Given>,
    signed_in: PageResult<SignedIn>,
) -> PageResult<HttpResponse> {
    may_compute(&request, &app)?;
    let (forecast, estimate) = estimate::of_given(&given, app.clock.now())?;
    let book = match &signed_in {
        Ok(signed_in) => signed_in.session.tenant_id,
        Err(_) => owner_of(&app, &site).await?,
    };
    let tx = app.db.tenant(book).await?;
    estimate_pdf::answer(&tx, &forecast, &estimate, app.clock.now()).await
}

/// What was asked and what came out, as they were kept.
pub fn stored(kept: &subscription::Estimate) -> PageResult<(Forecast, pricing::Estimate)> {
    let forecast = Forecast::from_json(&kept.input).map_err(|error| PageError::failed(error.to_string()))?;
    let estimate = serde_json::from_value(kept.result.clone()).map_err(PageError::failed)?;
    Ok((forecast, estimate))
}
