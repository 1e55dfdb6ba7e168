//! What an agent's phone asks for: its own SIP settings, with the short-lived token that the desk gave it.

use super::{Entry, Who, get};
use crate::app::{App, SIP_REALM};
use crate::error::{PageError, PageResult};
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

pub(super) fn routes() -> Vec<Entry> {
    vec![get("/phone/settings", Who::Phone, settings)]
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
    let token = header.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim());
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
