//! The phone of an agent: what the desk shows of it, its password, and the settings that it asks for with a short-lived token.

use super::{Entry, Who, desk, get, post};
use crate::app::{App, SIP_REALM};
use crate::error::{PageError, PageResult};
use crate::extract::AgentDesk;
use crate::urls;
use crate::views::desk::{Desk, PhoneBox};
use crate::views::ui::{Badge, Tone};
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use db::PlatformReason;
use rand::RngCore;
use serde::Serialize;
use sip_media::RegisteredPhone;
use tenant::Agent;

pub(super) fn routes() -> Vec<Entry> {
    vec![
        get("/phone/settings", Who::Phone, settings),
        post(urls::DESK_PHONE_PASSWORD, Who::Agent, new_phone_password),
        post(urls::DESK_PHONE_TOKEN, Who::Agent, phone_token),
    ]
}

/// How a phone registers. Never a password: that is shown once, at the desk.
#[derive(Serialize)]
struct Settings {
    /// As a SIP address: `sip:user@host`.
    address: String,
    user_name: String,
    display_name: String,
    /// Host and port; UDP or TCP.
    registrar: String,
    realm: &'static str,
    transports: [&'static str; 2],
    /// RFC 3551 names.
    codecs: [&'static str; 2],
}

/// `GET /phone/settings` with `Authorization: Bearer TOKEN`
async fn settings(request: HttpRequest, app: web::Data<App>) -> PageResult<HttpResponse> {
    let header = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let token = header
        .split_once(' ')
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim());
    let claims = token.and_then(|token| app.tokens.verify_phone_token(token, app.clock.now()).ok());
    let Some(claims) = claims else {
        return Ok(HttpResponse::Unauthorized()
            .insert_header((header::WWW_AUTHENTICATE, "Bearer realm=\"phone\", error=\"invalid_token\""))
            .json(serde_json::json!({ "title": "The token is missing, wrong or older than five minutes" })));
    };
    let tx = app.db.tenant(claims.tenant_id).await?;
    let agents = tenant::agents(&tx).await?;
    tx.commit().await?;
    let agent = agents.into_iter().find(|agent| agent.id == claims.agent_id).ok_or(PageError::NotFound)?;
    Ok(HttpResponse::Ok().json(Settings {
        address: address_of(&agent.sip_username, &app.sip_address),
        user_name: agent.sip_username,
        display_name: agent.name,
        registrar: app.sip_address.clone(),
        realm: SIP_REALM,
        transports: ["udp", "tcp"],
        codecs: ["PCMA/8000", "PCMU/8000"],
    }))
}

/// `sip:user@host:port`
pub(super) fn address_of(user_name: &str, registrar: &str) -> String {
    format!("sip:{user_name}@{registrar}")
}

/// The phone that is registered with this user name, if one is.
pub(super) fn phone_of(app: &App, username: &str) -> Option<RegisteredPhone> {
    app.ask_edge(|edge| edge.registrations().into_iter().find(|phone| phone.username == username)).flatten()
}

pub(super) fn phone_box(app: &App, agent: &Agent, password: Option<String>) -> PhoneBox {
    let phone = phone_of(app, &agent.sip_username);
    let (status, status_note) = match &phone {
        Some(phone) => (Badge::new("Registered", Tone::Good), format!("Reached at {}.", phone.address)),
        None => (
            Badge::new("Not registered", Tone::Soon),
            "No phone is signed in with this name, so no call can reach you.".to_owned(),
        ),
    };
    PhoneBox {
        address: address_of(&agent.sip_username, &app.sip_address),
        user_name: agent.sip_username.clone(),
        registrar: app.sip_address.clone(),
        status,
        status_note,
        password,
    }
}

/// `POST /agent/phone/password`: a new one, shown in this answer and never again. It is the one POST that does not redirect:
/// what it shows must be kept nowhere, not even in a cookie.
async fn new_phone_password(desk: AgentDesk) -> PageResult<Desk> {
    let tx = desk.tx().await?;
    let agent = desk::agent_of(&tx, desk.agent_id).await?;
    let password = random_password();
    let ptx = desk.app.db.platform(PlatformReason::Provision).await?;
    tenant::set_phone_password(
        &ptx,
        desk.session.tenant_id,
        agent.id,
        &agent.sip_username,
        SIP_REALM,
        &password,
        desk.now,
    )
    .await?;
    ptx.commit().await?;
    let payload = serde_json::json!({ "phone": agent.sip_username });
    tenant::record_audit(&tx, &desk.session.member_name, "phone.password", &agent.id.to_string(), payload, desk.now)
        .await?;
    let page = desk::page(&desk, &tx, Some(password)).await?;
    tx.commit().await?;
    Ok(page)
}

/// Five groups of four from 32 signs that nobody mistakes for another: 100 bits.
pub(super) fn random_password() -> String {
    const SIGNS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut bytes = [0u8; 20];
    rand::rng().fill_bytes(&mut bytes);
    let signs: Vec<char> = bytes.iter().map(|byte| SIGNS[usize::from(byte % 32)].into()).collect();
    signs.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}

/// `POST /agent/phone/token`: with it a phone may read its settings, for five minutes.
async fn phone_token(desk: AgentDesk) -> PageResult<HttpResponse> {
    let token = desk.app.tokens.issue_phone_token(desk.session.tenant_id, desk.agent_id, desk.now)?;
    Ok(HttpResponse::Ok().json(serde_json::json!({ "token": token, "settings": "/phone/settings" })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_password_is_long_and_new_each_time() {
        let password = random_password();
        assert_eq!(password.len(), 24); // 5 groups of 4 with 4 hyphens between
        assert_ne!(password, random_password());
    }
}
