//! Who asks, and for what: the first argument of every handler behind the sign-in page.
//!
//! A handler takes [`Member`] (pages of a book), [`AgentDesk`] or [`PortalCustomer`], opens one transaction with `tx()`, calls
//! one domain function, commits when it changed something, and answers a view or [`see_other`].
//! Invariants: the tenant comes from the session and from nowhere else; a session that does not fit the path or the host gets
//! 404; a request that changes something and does not carry its session's token never reaches a handler.

use crate::app::App;
use crate::error::{PageError, PageResult};
use crate::host::{self, Site};
use crate::security::{GivenToken, is_form_token};
use crate::shell::{self, Section, Shell, Theme};
use crate::urls::{self, Audience};
use crate::views::parts::Note;
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use chrono::{DateTime, Utc};
use db::{AgentId, CustomerId, CustomerTx, PlatformReason, TenantTx};
use futures_util::future::LocalBoxFuture;
use jiff::tz::TimeZone;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;
use tenant::{Membership, OrganisationKind, Role, Session};

pub(crate) const SESSION_COOKIE: &str = "session";

/// Somebody signed in on a host that is theirs, whatever the page.
#[derive(Clone)]
pub struct SignedIn {
    pub app: App,
    pub site: Arc<Site>,
    pub session: Session,
    /// Of this request.
    pub now: DateTime<Utc>,
    /// The organisation's.
    pub zone: TimeZone,
    /// Other places on this host where the same person may work.
    pub memberships: Vec<Membership>,
    pub(crate) token: String,
    theme: Option<Theme>,
    notice: Option<Note>,
}

/// A member at a page of its organisation's book: `/ops`, `/reseller` or `/admin`, whichever fits the organisation.
pub struct Member {
    pub audience: Audience,
    signed_in: SignedIn,
}

/// An agent at the desk, `/agent`.
pub struct AgentDesk {
    pub agent_id: AgentId,
    signed_in: SignedIn,
}

/// A customer in the portal of its seller, `/portal`.
pub struct PortalCustomer {
    pub customer_id: CustomerId,
    signed_in: SignedIn,
}

impl SignedIn {
    /// Where this session begins.
    pub fn home(&self) -> String {
        home_of(&self.session)
    }

    /// The page's surroundings, without navigation.
    fn outline(&self, title: impl Into<String>) -> Shell {
        let organisation = &self.session.organisation;
        let mut shell = Shell::outside(title, self.site.brand.clone(), self.theme);
        shell.csrf = crate::security::form_token(&self.session.csrf_token);
        shell.notice = self.notice.clone();
        shell.organisation = shell::Organisation {
            name: organisation.name.clone(),
            facts: format!("{}, {}", organisation.time_zone, organisation.currency.code()),
        };
        shell.person =
            shell::Person { name: self.session.member_name.clone(), role: role_word(self.session.role).into() };
        shell.memberships = self.memberships.iter().map(shown).collect();
        shell
    }
}

/// A membership as the switcher shows it.
pub(crate) fn shown(membership: &Membership) -> shell::Membership {
    shell::Membership {
        id: membership.member_id.to_string(),
        organisation: membership.organisation_name.clone(),
        role: role_word(membership.role).into(),
    }
}

impl Member {
    /// The page's surroundings; `live_calls` stands in the navigation when it is above zero.
    pub fn shell(&self, title: impl Into<String>, section: Section, live_calls: u32) -> Shell {
        self.outline(title).book(self.audience, section, live_calls)
    }

    /// A transaction in this member's own book.
    pub async fn tx(&self) -> PageResult<TenantTx> {
        Ok(self.app.db.tenant(self.session.tenant_id).await?)
    }

    /// Refuses a role below this one: owner, admin, billing, support. As 404: it does not exist for them.
    pub fn must(&self, least: Role) -> PageResult<()> {
        if self.session.role <= least { Ok(()) } else { Err(PageError::NotFound) }
    }

    /// Who recorded something, for the audit log and for payments.
    pub fn actor(&self) -> String {
        self.session.member_name.clone()
    }
}

impl AgentDesk {
    pub fn shell(&self, title: impl Into<String>, section: Section) -> Shell {
        self.outline(title).desk(section)
    }

    /// A transaction in the book of the agent's organisation.
    pub async fn tx(&self) -> PageResult<TenantTx> {
        Ok(self.app.db.tenant(self.session.tenant_id).await?)
    }
}

impl PortalCustomer {
    /// A customer deals with its seller: that name is on the page, in the colours of the host.
    pub fn shell(&self, title: impl Into<String>, section: Section) -> Shell {
        let mut shell = self.outline(title);
        if self.site.owner != Some(self.session.tenant_id) {
            let brand = shell.brand;
            shell.brand = shell::Brand {
                name: self.session.organisation.name.clone(),
                logo_href: None,
                is_operator: false,
                ..brand
            };
        }
        shell.portal(section)
    }

    /// A transaction that sees this customer's rows and the seller's catalogue, and nothing else.
    pub async fn tx(&self) -> PageResult<CustomerTx> {
        Ok(self.app.db.customer(self.session.tenant_id, self.customer_id).await?)
    }
}

macro_rules! signed_in {
    ($($who:ty),*) => {$(
        impl Deref for $who {
            type Target = SignedIn;
            fn deref(&self) -> &SignedIn { &self.signed_in }
        }
    )*};
}
signed_in!(Member, AgentDesk, PortalCustomer);

impl FromRequest for SignedIn {
    type Error = PageError;
    type Future = LocalBoxFuture<'static, PageResult<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { signed_in(&request).await })
    }
}

impl FromRequest for Member {
    type Error = PageError;
    type Future = LocalBoxFuture<'static, PageResult<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let signed_in = signed_in(&request).await?;
            let audience = audience_of(signed_in.session.organisation.kind);
            let is_under = request
                .path()
                .strip_prefix(audience.prefix())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
            if !is_under || signed_in.session.role > Role::Support {
                return Err(PageError::NotFound);
            }
            Ok(Member { audience, signed_in })
        })
    }
}

impl FromRequest for AgentDesk {
    type Error = PageError;
    type Future = LocalBoxFuture<'static, PageResult<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let signed_in = signed_in(&request).await?;
            match signed_in.session.agent_id {
                Some(agent_id) => Ok(AgentDesk { agent_id, signed_in }),
                None => Err(PageError::NotFound),
            }
        })
    }
}

impl FromRequest for PortalCustomer {
    type Error = PageError;
    type Future = LocalBoxFuture<'static, PageResult<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let signed_in = signed_in(&request).await?;
            match (signed_in.session.role, signed_in.session.customer_id) {
                (Role::Customer, Some(customer_id)) => Ok(PortalCustomer { customer_id, signed_in }),
                _ => Err(PageError::NotFound),
            }
        })
    }
}

/// The shared state, as every handler gets it.
pub(crate) fn app_of(request: &HttpRequest) -> PageResult<App> {
    let app =
        request.app_data::<web::Data<App>>().ok_or_else(|| PageError::failed("the application is not configured"))?;
    Ok(App::clone(app))
}

/// The session's token as the browser sent it for this host.
pub(crate) fn token_of(request: &HttpRequest, site: &Site) -> Option<String> {
    request.cookie(&site.cookie_name(SESSION_COOKIE)).map(|cookie| cookie.value().to_owned())
}

async fn signed_in(request: &HttpRequest) -> PageResult<SignedIn> {
    let app = app_of(request)?;
    let site = host::of(request)?;
    let token = token_of(request, &site).ok_or(PageError::SignIn)?;
    let now = app.clock.now();
    let ptx = app.db.platform(PlatformReason::SignIn).await?;
    let session = tenant::session(&ptx, &token, now).await?.ok_or(PageError::SignIn)?;
    // A cookie carried over from another host opens nothing here.
    if !site.shows(&app, &ptx, session.tenant_id, now).await? {
        return Err(PageError::NotFound);
    }
    // Who was suspended while signed in, or whose seller was, is outside from the next page on.
    if tenant::suspended_at_or_above(&ptx, session.tenant_id, now).await? {
        return Err(PageError::SignIn);
    }
    let memberships = others(&app, &ptx, &site, &session, now).await?;
    ptx.commit().await?;
    if !request.method().is_safe() {
        let given = request.extensions().get::<GivenToken>().map(|given| given.0.clone()).unwrap_or_default();
        if !is_form_token(&given, &session.csrf_token) {
            return Err(PageError::Forged);
        }
    }
    let zone = TimeZone::get(&session.organisation.time_zone).unwrap_or(TimeZone::UTC);
    let notice = crate::answer::notice_of(request, &site);
    Ok(SignedIn { theme: theme_of(request), app, site, session, now, zone, memberships, token, notice })
}

async fn others(
    app: &App,
    ptx: &db::PlatformTx,
    site: &Site,
    session: &Session,
    now: DateTime<Utc>,
) -> PageResult<Vec<Membership>> {
    let mut others = memberships_here(app, ptx, site, session.person_id, now).await?.open;
    others.retain(|membership| membership.member_id != session.member_id);
    Ok(others)
}

/// The memberships that this host shows: those under its brand, or those under none. Those of a suspended organisation apart.
pub(crate) async fn memberships_here(
    app: &App,
    ptx: &db::PlatformTx,
    site: &Site,
    person: db::PersonId,
    now: DateTime<Utc>,
) -> PageResult<Here> {
    let mut here = Here::default();
    for membership in tenant::memberships(ptx, person).await? {
        if !site.shows(app, ptx, membership.tenant_id, now).await? {
            continue;
        }
        match tenant::suspended_at_or_above(ptx, membership.tenant_id, now).await? {
            true => here.suspended.push(membership),
            false => here.open.push(membership),
        }
    }
    Ok(here)
}

/// Where a person may work on a host, and where it might if nobody had been suspended.
#[derive(Default)]
pub(crate) struct Here {
    pub(crate) open: Vec<Membership>,
    pub(crate) suspended: Vec<Membership>,
}

/// Who asks: the other end of the connection, or whom a proxy of ours asks for. `None` where that is this machine itself.
pub(crate) fn client_address(request: &HttpRequest, proxies: &[IpAddr]) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip();
    if !proxies.contains(&peer) {
        return (!peer.is_loopback()).then_some(peer);
    }
    // The last entry is what the nearest proxy saw; those before it anybody can write.
    let forwarded = request.headers().get_all("x-forwarded-for").filter_map(|value| value.to_str().ok());
    let forwarded: Vec<&str> = forwarded.flat_map(|value| value.split(',')).map(str::trim).collect();
    forwarded.into_iter().rev().map_while(|text| text.parse().ok()).find(|address| !proxies.contains(address))
}

/// Light or dark, when this browser was told.
pub(crate) fn theme_of(request: &HttpRequest) -> Option<Theme> {
    Theme::from_cookie(request.cookie(Theme::COOKIE)?.value())
}

/// Whose pages an organisation's members see.
pub(crate) fn audience_of(kind: OrganisationKind) -> Audience {
    match kind {
        OrganisationKind::Operator => Audience::Operator,
        OrganisationKind::Reseller => Audience::Reseller,
        OrganisationKind::Tenant => Audience::Tenant,
    }
}

/// The first page of a session.
pub(crate) fn home_of(session: &Session) -> String {
    match session.role {
        Role::Agent => urls::DESK.into(),
        Role::Customer => urls::PORTAL.into(),
        _ => audience_of(session.organisation.kind).home(),
    }
}

pub(crate) fn role_word(role: Role) -> &'static str {
    match role {
        Role::Owner => "Owner",
        Role::Admin => "Admin",
        Role::Billing => "Billing",
        Role::Support => "Support",
        Role::Agent => "Agent",
        Role::Customer => "Customer",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn only_a_proxy_of_ours_says_for_whom_it_asks_and_only_its_last_word_counts() {
        let proxies: [IpAddr; 2] = ["127.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()];
        let asked = |peer: &str, forwarded: &str| {
            let request = TestRequest::default()
                .peer_addr(format!("{peer}:4711").parse().unwrap())
                .insert_header(("x-forwarded-for", forwarded))
                .to_http_request();
            client_address(&request, &proxies).map(|address| address.to_string()).unwrap_or_default()
        };
        for (peer, forwarded, who) in [
            ("192.0.2.1", "198.51.100.9", "192.0.2.1"), // a stranger's word is worth nothing
            ("127.0.0.1", "198.51.100.9", "198.51.100.9"),
            ("127.0.0.1", "203.0.113.5, 198.51.100.9", "198.51.100.9"), // the first was written by the client
            ("127.0.0.1", "198.51.100.9, 10.0.0.2", "198.51.100.9"),    // two proxies, one behind the other
            ("127.0.0.1", "nonsense", ""),
        ] {
            assert_eq!(asked(peer, forwarded), who, "{peer} for {forwarded}");
        }
        let local = TestRequest::default().peer_addr("127.0.0.1:1".parse().unwrap()).to_http_request();
        assert_eq!(client_address(&local, &[]), None, "this machine itself is not slowed down");
    }

    #[test]
    fn roles_are_in_the_order_of_what_they_may_do() {
        assert!(Role::Owner < Role::Admin && Role::Admin < Role::Billing && Role::Billing < Role::Support);
        assert!(Role::Support < Role::Agent && Role::Agent < Role::Customer);
    }
}
