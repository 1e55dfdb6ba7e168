//! Signing in and out, and changing the organisation that one works in.
//! Invariants: an unknown address, a wrong password and a person who has no business on this host get the same answer; a
//! session's token is new at each sign-in and each change of role; signing out ends it on the server.

use super::{Entry, Who, get, post};
use crate::answer::{self, SeeOther, cookie, no_cookie, see_other};
use crate::app::App;
use crate::error::{PageError, PageResult};
use crate::extract::{self, SESSION_COOKIE, SignedIn};
use crate::host::Site;
use crate::security::{GivenToken, form_token, is_form_token};
use crate::seller;
use crate::shell::Shell;
use crate::urls;
use crate::views::door::{Choose, SignIn};
use actix_web::cookie::Cookie;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, Responder, web};
use askama::Template;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use db::{MemberId, PersonId, PlatformReason, PlatformTx};
use rand::RngCore;
use serde::Deserialize;
use std::net::IpAddr;
use tenant::{Membership, Role, SeatClosedBy, Session, SignInRefused};

pub(super) fn routes() -> Vec<Entry> {
    vec![
        get("/", Who::Anybody, start),
        get(urls::SIGN_IN, Who::Anybody, form),
        post(urls::SIGN_IN, Who::Anybody, sign_in),
        post(urls::SIGN_OUT, Who::SignedIn, sign_out),
        get(urls::MEMBERSHIP, Who::SignedIn, choose),
        post(urls::MEMBERSHIP, Who::SignedIn, change),
    ]
}

/// Names the browser that was shown the sign-in page, so that a form sent without having seen it is refused.
const DOOR_COOKIE: &str = "door";

/// `GET /`
async fn start(signed_in: PageResult<SignedIn>) -> PageResult<SeeOther> {
    match signed_in {
        Ok(signed_in) => Ok(see_other(signed_in.home())),
        Err(PageError::SignIn | PageError::NotFound) => Ok(see_other(urls::SIGN_IN)),
        Err(error) => Err(error),
    }
}

#[derive(Deserialize)]
struct Next {
    #[serde(default)]
    next: String,
}

/// `GET /sign-in`
async fn form(
    request: HttpRequest,
    site: Site,
    query: web::Query<Next>,
    signed_in: PageResult<SignedIn>,
) -> PageResult<HttpResponse> {
    if let Ok(signed_in) = signed_in {
        return Ok(see_other(signed_in.home()).respond_to(&request));
    }
    Ok(page(&request, &site, StatusCode::OK, "", &query.next, None))
}

/// The form, with what was wrong. The same page for every reason to refuse.
fn page(
    request: &HttpRequest,
    site: &Site,
    status: StatusCode,
    email: &str,
    next: &str,
    error: Option<String>,
) -> HttpResponse {
    let visitor = visitor(request, site);
    let mut shell = Shell::outside("Sign in", site.brand.clone(), extract::theme_of(request));
    shell.csrf = visitor.token;
    shell.notice = answer::notice_of(request, site);
    let next = if is_own_path(next) { next.to_owned() } else { String::new() };
    let view = SignIn { shell, email: email.to_owned(), error, next };
    let mut answer = HttpResponse::build(status);
    answer.content_type("text/html; charset=utf-8");
    if let Some(cookie) = visitor.cookie {
        answer.cookie(cookie);
    }
    match view.render() {
        Ok(html) => answer.body(html),
        Err(error) => HttpResponse::from_error(PageError::failed(error)),
    }
}

/// Somebody who is not signed in, at a page with a form.
pub(super) struct Visitor {
    /// Of the form.
    pub(super) token: String,
    /// Names the browser from now on, where it has no name yet.
    pub(super) cookie: Option<Cookie<'static>>,
}

/// See [`Visitor`]; what the form sends is checked by [`came_through_the_door`].
pub(super) fn visitor(request: &HttpRequest, site: &Site) -> Visitor {
    match request.cookie(&site.cookie_name(DOOR_COOKIE)) {
        Some(known) => Visitor { token: form_token(known.value()), cookie: None },
        None => {
            let door = random();
            Visitor { token: form_token(&door), cookie: Some(cookie(site, DOOR_COOKIE, door)) }
        }
    }
}

fn random() -> String {
    let mut bytes = [0u8; 32];
    rand::rng().fill_bytes(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A path on this host: it cannot lead anywhere else, whatever a browser makes of it.
pub(super) fn is_own_path(path: &str) -> bool {
    path.starts_with('/') && !path.starts_with("//") && !path.contains('\\') && !path.chars().any(char::is_control)
}

#[derive(Deserialize)]
struct SignInForm {
    email: String,
    password: String,
    #[serde(default)]
    next: String,
}

/// `POST /sign-in`
async fn sign_in(
    request: HttpRequest,
    app: web::Data<App>,
    site: Site,
    form: web::Form<SignInForm>,
) -> PageResult<HttpResponse> {
    if !came_through_the_door(&request, &site) {
        return Err(PageError::Forged);
    }
    let now = app.clock.now();
    let refuse = |status, sentence: String| Ok(page(&request, &site, status, &form.email, &form.next, Some(sentence)));
    let ptx = app.db.platform(PlatformReason::SignIn).await?;
    let checked = check(&ptx, extract::client_address(&request, &app.proxies), &form, now).await;
    // A try counts whatever comes of it.
    ptx.commit().await?;
    let person = match checked {
        Ok(person) => person,
        Err(SignInRefused::Wrong) => return refuse(StatusCode::UNPROCESSABLE_ENTITY, WRONG.into()),
        Err(SignInRefused::TooManyTries { retry_after_seconds }) => {
            let mut answer = page(
                &request,
                &site,
                StatusCode::TOO_MANY_REQUESTS,
                &form.email,
                &form.next,
                Some(format!("Too many tries. Wait {retry_after_seconds} s, then try again.")),
            );
            answer.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from(retry_after_seconds));
            return Ok(answer);
        }
        Err(error) => return Err(PageError::failed(error)),
    };
    let ptx = app.db.platform(PlatformReason::SignIn).await?;
    let here = extract::memberships_here(&app, &ptx, &site, person, now).await?;
    let Some(first) = here.open.iter().min_by_key(|membership| membership.role) else {
        if !here.suspended.is_empty() {
            return refuse(StatusCode::FORBIDDEN, SUSPENDED.into());
        }
        // Right, but not on this host: nobody learns that the address is known elsewhere.
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, WRONG.into());
    };
    if let Some(before) = extract::token_of(&request, &site) {
        tenant::end_session(&ptx, &before, now).await?;
    }
    let token = tenant::open_session(&ptx, first, person, user_agent(&request), now).await?;
    let session = tenant::session(&ptx, token.expose(), now).await?.ok_or(PageError::SignIn)?;
    ptx.commit().await?;
    take_seat(&app, &session, now).await?;
    let to = match is_own_path(&form.next) && form.next != "/" {
        true => form.next.clone(),
        false if here.open.len() > 1 => urls::MEMBERSHIP.into(),
        false => extract::home_of(&session),
    };
    let answer = see_other(to)
        .with_cookie(cookie(&site, SESSION_COOKIE, token.expose().to_owned()))
        .with_cookie(no_cookie(&site, DOOR_COOKIE));
    Ok(answer.respond_to(&request))
}

/// Looks at the password, unless this address or this person has to wait.
async fn check(
    ptx: &PlatformTx,
    from: Option<IpAddr>,
    form: &SignInForm,
    now: DateTime<Utc>,
) -> Result<PersonId, SignInRefused> {
    if let Some(from) = from {
        tenant::count_try_from(ptx, from, now).await?;
    }
    let person = tenant::check_password(ptx, &form.email, &form.password, now).await?;
    if let Some(from) = from {
        tenant::try_from_succeeded(ptx, from).await?;
    }
    Ok(person)
}

/// Told only after the right password: it says that the account exists.
const SUSPENDED: &str = "This account is suspended. Its seller can open it again.";
const WRONG: &str = "The e-mail address or the password is wrong.";

/// Was this form on a page that the same browser was shown?
pub(super) fn came_through_the_door(request: &HttpRequest, site: &Site) -> bool {
    let door = request.cookie(&site.cookie_name(DOOR_COOKIE));
    let given = request.extensions().get::<GivenToken>().map(|given| given.0.clone());
    door.zip(given).is_some_and(|(door, given)| is_form_token(&given, door.value()))
}

fn user_agent(request: &HttpRequest) -> &str {
    request.headers().get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default()
}

/// Who signs in as an agent sits down; others who may take calls sit down at their desk.
async fn take_seat(app: &App, session: &Session, now: DateTime<Utc>) -> PageResult<()> {
    if session.role != Role::Agent {
        return Ok(());
    }
    let Some(agent_id) = session.agent_id else { return Ok(()) };
    let tx = app.db.tenant(session.tenant_id).await?;
    // Without a free seat the desk opens all the same and says so.
    seller::sit_down(app, &tx, agent_id, now).await?;
    Ok(tx.commit().await?)
}

/// Ends a session; its agent leaves the seat.
async fn leave(signed_in: &SignedIn) -> PageResult<()> {
    if let Some(agent_id) = signed_in.session.agent_id {
        let tx = signed_in.app.db.tenant(signed_in.session.tenant_id).await?;
        tenant::close_seat(&tx, agent_id, SeatClosedBy::SignOut, signed_in.now).await?;
        tx.commit().await?;
    }
    let ptx = signed_in.app.db.platform(PlatformReason::SignIn).await?;
    tenant::end_session(&ptx, &signed_in.token, signed_in.now).await?;
    Ok(ptx.commit().await?)
}

/// `POST /sign-out`
async fn sign_out(signed_in: SignedIn) -> PageResult<SeeOther> {
    leave(&signed_in).await?;
    Ok(see_other(urls::SIGN_IN).notice("You are signed out").with_cookie(no_cookie(&signed_in.site, SESSION_COOKIE)))
}

/// `GET /session/membership`: where to work, for somebody who may work in several places.
async fn choose(signed_in: SignedIn) -> PageResult<Choose> {
    let mut shell = Shell::outside("Choose where to work", signed_in.site.brand.clone(), None);
    shell.csrf = form_token(&signed_in.session.csrf_token);
    let here = crate::shell::Membership {
        id: String::new(),
        organisation: signed_in.session.organisation.name.clone(),
        role: extract::role_word(signed_in.session.role).into(),
    };
    Ok(Choose {
        shell,
        here,
        here_href: signed_in.home(),
        others: signed_in.memberships.iter().map(extract::shown).collect(),
    })
}

#[derive(Deserialize)]
struct Change {
    membership: MemberId,
}

/// `POST /session/membership`: another role is another session, with a token of its own.
async fn change(request: HttpRequest, signed_in: SignedIn, form: web::Form<Change>) -> PageResult<SeeOther> {
    let to: &Membership = signed_in
        .memberships
        .iter()
        .find(|membership| membership.member_id == form.membership)
        .ok_or(PageError::NotFound)?;
    leave(&signed_in).await?;
    let (app, now) = (&signed_in.app, signed_in.now);
    let ptx = app.db.platform(PlatformReason::SignIn).await?;
    let token = tenant::open_session(&ptx, to, signed_in.session.person_id, user_agent(&request), now).await?;
    let session = tenant::session(&ptx, token.expose(), now).await?.ok_or(PageError::SignIn)?;
    ptx.commit().await?;
    take_seat(app, &session, now).await?;
    Ok(see_other(extract::home_of(&session)).with_cookie(cookie(
        &signed_in.site,
        SESSION_COOKIE,
        token.expose().to_owned(),
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_next_page_is_on_this_host() {
        for (path, is_own) in [
            ("/admin/calls?q=1", true),
            ("//evil.example", false),
            ("https://evil.example", false),
            ("/\\evil.example", false),
            ("/a\r\nset-cookie: x", false),
            ("", false),
        ] {
            assert_eq!(is_own_path(path), is_own, "{path:?}");
        }
    }
}
