//! Whose name stands on a page: the host decides, and nothing else of the request does.
//! Invariant: a host that is neither the operator's own nor a verified domain is answered 421; a branded host shows the
//! memberships of its own subtree, the operator's host only those that are under no brand.

use crate::app::App;
use crate::error::PageError;
use crate::refusal::{RequestId, page_of};
use crate::shell::{Brand, BrandColours};
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::{StatusCode, header};
use actix_web::middleware::Next;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use chrono::{DateTime, TimeDelta, Utc};
use db::{PlatformReason, PlatformTx, TenantId};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex, PoisonError};
use tenant::OrganisationKind;

/// A change of a brand or domain is seen after this at the latest.
const REMEMBERED: TimeDelta = TimeDelta::seconds(10);

/// One host that is served here.
#[derive(Clone, Debug)]
pub struct Site {
    /// Without its port, in lower case.
    pub host: String,
    /// Whose verified domain it is; `None` for the operator's own host.
    pub owner: Option<TenantId>,
    pub brand: Brand,
    pub colours: Option<BrandColours>,
    pub logo_svg: Option<String>,
}

impl Site {
    /// A development host reached over plain HTTP. Everything else is behind TLS, whoever ends it; headers about that are not
    /// believed.
    pub fn is_local(&self) -> bool {
        is_local(&self.host)
    }

    /// The start of an absolute address on this site, for what is read outside a browser. Never taken from a request.
    pub fn origin(&self, app: &App) -> String {
        if self.is_local() { format!("http://{}:{}", self.host, app.port) } else { format!("https://{}", self.host) }
    }

    /// The name of a cookie. `__Host-` binds it to this one host and to TLS, so that no neighbour can set or read it.
    /// Browsers refuse that prefix without `Secure`, and some refuse `Secure` on `http://localhost`: there it is left out.
    pub fn cookie_name(&self, name: &str) -> String {
        if self.is_local() { format!("ringtill_{name}") } else { format!("__Host-ringtill_{name}") }
    }

    /// True when somebody of this organisation may be signed in here.
    pub async fn shows(
        &self,
        app: &App,
        ptx: &PlatformTx,
        tenant_id: TenantId,
        now: DateTime<Utc>,
    ) -> Result<bool, PageError> {
        Ok(brand_owner(app, ptx, tenant_id, now).await? == self.owner)
    }
}

/// The nearest organisation, from a tenant upwards, that has a verified domain and whose plan lets it use one; the operator's
/// domains are no brand.
async fn brand_owner(
    app: &App,
    ptx: &PlatformTx,
    tenant_id: TenantId,
    now: DateTime<Utc>,
) -> Result<Option<TenantId>, PageError> {
    let steps = tenant::chain_at(ptx, tenant_id, now).await?;
    // Each step names the one below; the operator is below nobody.
    for step in &steps {
        let has_domain = tenant::domains(ptx, step.child).await?.iter().any(|domain| domain.verified_at.is_some());
        if has_domain && app.white_labels.holds(app, step, now).await? {
            return Ok(Some(step.child));
        }
    }
    Ok(None)
}

/// The site at which the people and customers of an organisation sign in: that of the nearest brand, or the operator's own.
pub async fn site_for(app: &App, tenant_id: TenantId, now: DateTime<Utc>) -> Result<Site, PageError> {
    let ptx = app.db.platform(PlatformReason::ResolveHost).await?;
    let host = match brand_owner(app, &ptx, tenant_id, now).await? {
        Some(owner) => {
            let mut domains = tenant::domains(&ptx, owner).await?.into_iter();
            domains.find(|domain| domain.verified_at.is_some()).map(|domain| domain.host)
        }
        None => None,
    };
    ptx.commit().await?;
    look_up(app, &host.unwrap_or_else(|| app.host.clone())).await?.ok_or(PageError::Misdirected)
}

/// See [`Site::is_local`].
pub fn is_local(host: &str) -> bool {
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

impl FromRequest for Site {
    type Error = PageError;
    type Future = Ready<Result<Site, PageError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(of(request).map(|site| Site::clone(&site)))
    }
}

/// The site that a request came to.
pub(crate) fn of(request: &HttpRequest) -> Result<Arc<Site>, PageError> {
    request.extensions().get::<Arc<Site>>().cloned().ok_or(PageError::Misdirected)
}

/// What stands where a brand would, on a host that nobody has.
pub(crate) fn nobodys_brand() -> Brand {
    Brand {
        name: "Unknown address".into(),
        promise: String::new(),
        welcome: String::new(),
        support_email: String::new(),
        logo_href: None,
        is_operator: false,
        theme_href: None,
    }
}

/// Sites looked up lately. Unknown hosts are not remembered: anybody can make up any number of them.
#[derive(Default)]
pub struct Sites(Mutex<HashMap<String, Seen>>);

/// When a site was looked up, and what it is.
type Seen = (DateTime<Utc>, Arc<Site>);

impl Sites {
    async fn find(&self, app: &App, host: &str) -> Result<Option<Arc<Site>>, PageError> {
        let now = app.clock.now();
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(host).cloned();
        if let Some((at, site)) = known
            && now - at < REMEMBERED
            && now >= at
        {
            return Ok(Some(site));
        }
        let Some(site) = look_up(app, host).await?.map(Arc::new) else { return Ok(None) };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(host.to_owned(), (now, site.clone()));
        Ok(Some(site))
    }
}

async fn look_up(app: &App, host: &str) -> Result<Option<Site>, PageError> {
    let operators =
        Site { host: host.to_owned(), owner: None, brand: Brand::operator(), colours: None, logo_svg: None };
    if host == app.host {
        return Ok(Some(operators));
    }
    let ptx = app.db.platform(PlatformReason::ResolveHost).await?;
    let Some(owner) = tenant::host_owner(&ptx, host).await? else { return Ok(None) };
    let organisation = tenant::organisation_by_id(&ptx, owner).await?.ok_or(PageError::Misdirected)?;
    let now = app.clock.now();
    let chain = tenant::chain_at(&ptx, owner, now).await?;
    ptx.commit().await?;
    if organisation.kind == OrganisationKind::Operator {
        return Ok(Some(operators));
    }
    // Its people are at the operator's own host until the plan has white label again.
    let may_have_one = match chain.first() {
        Some(step) => app.white_labels.holds(app, step, now).await?,
        None => false,
    };
    if !may_have_one {
        return Ok(None);
    }
    let tx = app.db.tenant(owner).await?;
    let brand = tenant::brand(&tx).await?;
    tx.commit().await?;
    Ok(Some(branded(host, owner, organisation.name, brand)))
}

fn branded(host: &str, owner: TenantId, name: String, brand: Option<tenant::Brand>) -> Site {
    let (logo_svg, colours) = brand.as_ref().map(|brand| (brand.logo_svg.clone(), colours_of(&brand.colours))).unzip();
    let logo_svg = logo_svg.flatten();
    let shown = Brand {
        name: brand.as_ref().map_or(name, |brand| brand.name.clone()),
        promise: "Every call, priced to the cent, with the reason.".into(),
        welcome: "Your account".into(),
        support_email: brand.and_then(|brand| brand.support_email).unwrap_or_default(),
        logo_href: logo_svg.as_deref().map(logo_href),
        is_operator: false,
        theme_href: colours.as_ref().map(BrandColours::href),
    };
    Site { host: host.to_owned(), owner: Some(owner), brand: shown, colours, logo_svg }
}

/// `/brand/{hash}.svg`: another drawing has another address.
fn logo_href(svg: &str) -> String {
    format!("/brand/{}.svg", hex::encode(&Sha256::digest(svg.as_bytes())[..8]))
}

fn colours_of(colours: &tenant::BrandColours) -> BrandColours {
    BrandColours {
        accent: colours.accent.clone(),
        accent_hover: colours.accent_hover.clone(),
        on_accent: colours.on_accent.clone(),
        accent_text: colours.accent_text.clone(),
        accent_soft: colours.accent_soft.clone(),
        accent_dark: colours.accent_dark.clone(),
        accent_text_dark: colours.accent_text_dark.clone(),
        accent_soft_dark: colours.accent_soft_dark.clone(),
        canvas: colours.canvas.clone(),
        canvas_dark: colours.canvas_dark.clone(),
        radius: colours.radius,
        logo_height: colours.logo_height,
    }
}

/// Asked by machines of the house at whatever address they reach it: nobody's page, so nobody's name.
const WITHOUT_A_HOST: [&str; 2] = ["/healthz", "/readyz"];

/// Finds the site of a request, or answers 421. Only the Host header counts, never a forwarded one. For `middleware::from_fn`.
pub async fn know_the_host(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    if !WITHOUT_A_HOST.contains(&request.path()) {
        match site_of(&request).await {
            Ok(Some(site)) => {
                request.extensions_mut().insert(site);
            }
            Ok(None) => return Ok(refused(request, StatusCode::MISDIRECTED_REQUEST)),
            Err(error) => {
                tracing::error!(%error, "The host of a request could not be looked up");
                return Ok(refused(request, StatusCode::INTERNAL_SERVER_ERROR));
            }
        }
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}

fn refused(request: ServiceRequest, status: StatusCode) -> ServiceResponse<BoxBody> {
    let page = page_of(request.request(), None, status, &RequestId(String::new()));
    request.into_response(page)
}

/// The site that a request came to, looked up; `None` when nobody is served there.
pub(crate) async fn site_of(request: &ServiceRequest) -> Result<Option<Arc<Site>>, PageError> {
    let (Some(app), Some(sites)) = (request.app_data::<web::Data<App>>(), request.app_data::<web::Data<Sites>>())
    else {
        return Err(PageError::failed("the application is not configured"));
    };
    // HTTP/2 has no Host header but an authority in its place.
    let header = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let Some(host) = header.or_else(|| request.uri().authority().map(|authority| authority.as_str())) else {
        return Ok(None);
    };
    sites.find(app, &without_port(host).to_ascii_lowercase()).await
}

/// `calls.example:8080` is `calls.example`, `[::1]:8080` is `::1`.
fn without_port(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split(']').next().unwrap_or(rest);
    }
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(host: &str) -> Site {
        Site { host: host.into(), owner: None, brand: Brand::operator(), colours: None, logo_svg: None }
    }

    #[test]
    fn a_cookie_is_bound_to_its_host_and_to_tls_except_on_a_development_host() {
        for (host, name) in [
            ("ringtill.example", "__Host-ringtill_session"),
            ("localhost.evil.example", "__Host-ringtill_session"),
            ("localhost", "ringtill_session"),
            ("voxhouse.localhost", "ringtill_session"),
            ("127.0.0.1", "ringtill_session"),
            ("10.0.0.1", "__Host-ringtill_session"),
        ] {
            assert_eq!(site(host).cookie_name("session"), name, "{host}");
        }
    }

    #[test]
    fn the_port_is_no_part_of_a_host() {
        for (header, host) in [
            ("a.example:8080", "a.example"),
            ("a.example", "a.example"),
            ("[::1]:80", "::1"),
            ("a.example:x", "a.example:x"),
        ] {
            assert_eq!(without_port(header), host);
        }
    }
}
