//! What every answer says to the browser, and which requests are refused before a handler sees them.
//! Invariant: the policy names no `unsafe-*`; a request that changes something came from a page of the same origin.

use crate::error::PageError;
use actix_web::{
    Error, HttpMessage,
    body::{BoxBody, MessageBody},
    dev::{Payload, ServiceRequest, ServiceResponse},
    http::header::{self, HeaderMap, HeaderName, HeaderValue},
    middleware::Next,
    web,
};
use futures_util::StreamExt;
use sha2::{Digest, Sha256};

/// Scripts and styles are files of our own, so neither a nonce nor an exception is needed.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'";

const HEADERS: [(&str, &str); 7] = [
    ("content-security-policy", CONTENT_SECURITY_POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=()"),
    ("strict-transport-security", "max-age=31536000"),
];

/// Machines carry a key instead of a cookie; nothing of theirs can be forged by a page.
const WITHOUT_COOKIES: [&str; 2] = ["/v1/", "/webhooks/"];

/// The token of a form with files stands within so many bytes of its beginning.
const TOKEN_WITHIN: usize = 4 * 1024;

/// Largest form that is taken, bytes.
const FORM_MAX: usize = 256 * 1024;

/// Writes the headers of every answer, refusals included. The outermost of the `middleware::from_fn`s.
pub async fn headers(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let mut response = next.call(request).await?.map_into_boxed_body();
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    // Pages show money and people; only the assets say otherwise themselves.
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    Ok(response)
}

/// The token that came with a request, before anybody has compared it with a session's.
pub struct GivenToken(pub String);

/// Refuses requests from elsewhere, and takes the token out of the others: from the field `csrf` of a form, or from the
/// header that scripts send. [`crate::extract`] compares it with the session's. For `middleware::from_fn`.
pub async fn guard(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let is_machine = WITHOUT_COOKIES.iter().any(|prefix| request.path().starts_with(prefix));
    if !is_machine {
        let asked: Vec<(String, String)> = serde_urlencoded::from_str(request.query_string()).unwrap_or_default();
        if let Err(error) = must_be_text(&asked) {
            return Ok(request.error_response(error));
        }
    }
    if !is_machine && !request.method().is_safe() {
        if !comes_from_us(request.headers()) {
            return Ok(request.error_response(PageError::Forged));
        }
        match token_of(&mut request).await {
            Ok(Some(token)) => {
                request.extensions_mut().insert(GivenToken(token));
            }
            Ok(None) => {}
            // An answer like any other, so that it gets its page and its headers.
            Err(error) => return Ok(request.error_response(error)),
        }
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}

async fn token_of(request: &mut ServiceRequest) -> Result<Option<String>, Error> {
    if let Some(header) = request.headers().get("x-csrf-token") {
        return Ok(header.to_str().ok().map(str::to_owned));
    }
    if request.content_type().starts_with("multipart/form-data") {
        return token_before_files(request).await;
    }
    let is_form = request.content_type().starts_with("application/x-www-form-urlencoded");
    if !is_form {
        return Ok(None);
    }
    let body = request.extract::<web::Payload>().await?.to_bytes_limited(FORM_MAX).await;
    let Ok(body) = body else { return Err(actix_web::error::ErrorPayloadTooLarge("")) };
    let body = body?;
    let fields: Vec<(String, String)> = serde_urlencoded::from_bytes(&body).unwrap_or_default();
    must_be_text(&fields)?;
    // The handler reads the form again.
    request.set_payload(Payload::from(body));
    Ok(fields.into_iter().find(|(name, _)| name == "csrf").map(|(_, token)| token))
}

/// A form with files sends its token first; no more than it is read before it is known who asks.
async fn token_before_files(request: &mut ServiceRequest) -> Result<Option<String>, Error> {
    let (mut head, mut rest) = (Vec::new(), request.take_payload());
    let mut token = None;
    while token.is_none() && head.len() < TOKEN_WITHIN {
        let Some(chunk) = rest.next().await else { break };
        head.extend_from_slice(&chunk?);
        token = token_in(&head);
    }
    let head = futures_util::stream::iter([Ok(web::Bytes::from(head))]);
    request.set_payload(Payload::Stream { payload: Box::pin(head.chain(rest)) });
    Ok(token)
}

/// The value of the part `csrf`, once it is there whole.
fn token_in(parts: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(&parts[..parts.len().min(TOKEN_WITHIN)]).into_owned();
    let (_, part) = text.split_once("name=\"csrf\"")?;
    let (_, value) = part.split_once("\r\n\r\n")?;
    value.split_once("\r\n").map(|(token, _)| token.to_owned())
}

/// Refuses characters that no field takes: PostgreSQL keeps no NUL, and the other controls show as nothing on a page.
fn must_be_text(fields: &[(String, String)]) -> Result<(), PageError> {
    for (name, value) in fields {
        if let Some(control) = name.chars().chain(value.chars()).find(|c| is_control(*c)) {
            let name: String = name.chars().filter(|c| !c.is_control()).take(40).collect();
            let code = u32::from(control);
            return Err(PageError::Refused(format!("The field {name} holds a control character (U+{code:04X}).")));
        }
    }
    Ok(())
}

/// A control character that is neither a tab nor the end of a line.
pub fn is_control(c: char) -> bool {
    c.is_control() && !matches!(c, '\t' | '\n' | '\r')
}

/// `Sec-Fetch-Site` where the browser sends it, otherwise an `Origin` of our own host. Neither is a refusal.
pub fn comes_from_us(headers: &HeaderMap) -> bool {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    match headers.get("sec-fetch-site").map(|value| value.as_bytes()) {
        Some(site) => site == b"same-origin",
        None => match (text(&header::ORIGIN), text(&header::HOST)) {
            (Some(origin), Some(host)) => origin.split_once("://").is_some_and(|(_, of)| of.eq_ignore_ascii_case(host)),
            _ => false,
        },
    }
}

/// The field of a form, made from the session's own secret: it needs no storage and dies with the session.
pub fn form_token(session_secret: &str) -> String {
    hex::encode(
        &Sha256::new_with_prefix(b"ringtill form token\0").chain_update(session_secret.as_bytes()).finalize()[..16],
    )
}

/// Compared as digests, so that the time it takes says nothing about where they differ.
pub fn is_form_token(given: &str, session_secret: &str) -> bool {
    Sha256::digest(given.as_bytes()) == Sha256::digest(form_token(session_secret).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn only_a_page_of_the_same_origin_may_change_something() {
        let host = ("host", "ringtill.example");
        for (sent, allowed) in [
            (vec![host, ("sec-fetch-site", "same-origin")], true),
            (vec![host, ("sec-fetch-site", "same-site")], false),
            (vec![host, ("sec-fetch-site", "cross-site"), ("origin", "https://ringtill.example")], false),
            (vec![host, ("origin", "https://ringtill.example")], true),
            (vec![host, ("origin", "https://ringtill.example.evil.example")], false),
            (vec![host, ("origin", "null")], false),
            (vec![host], false),
        ] {
            assert_eq!(comes_from_us(&headers(&sent)), allowed, "{sent:?}");
        }
    }

    #[test]
    fn a_control_character_is_refused_with_its_field_and_code() {
        let field = |value: &str| [("reference".to_owned(), value.to_owned())];
        assert!(must_be_text(&field("Über 30 €,\r\n\tzweite Zeile")).is_ok());
        let refused = must_be_text(&field("SEPA\0 7")).unwrap_err();
        assert_eq!(refused.to_string(), "The field reference holds a control character (U+0000).");
        assert!(must_be_text(&field("\u{9b}31m")).is_err());
    }

    #[test]
    fn a_token_fits_its_own_session_only() {
        let token = form_token("a");
        assert!(is_form_token(&token, "a"));
        assert!(!is_form_token(&token, "b"));
        assert!(!is_form_token("", "a"));
    }

    #[test]
    fn the_policy_has_no_exception() {
        assert!(!CONTENT_SECURITY_POLICY.contains("unsafe") && !CONTENT_SECURITY_POLICY.contains('*'));
    }

    #[actix_web::test]
    async fn every_answer_carries_the_headers_and_a_foreign_form_is_refused() {
        use actix_web::{App, HttpResponse, middleware::from_fn, test, web};
        let app = test::init_service(
            App::new()
                .wrap(from_fn(guard))
                .wrap(from_fn(super::headers))
                .route("/x", web::post().to(HttpResponse::Ok))
                .route("/v1/x", web::post().to(HttpResponse::Ok)),
        )
        .await;
        for (path, from, status) in
            [("/x", "cross-site", 403), ("/x", "same-origin", 200), ("/v1/x", "cross-site", 200)]
        {
            let request = test::TestRequest::post().uri(path).insert_header(("sec-fetch-site", from)).to_request();
            let response = test::call_service(&app, request).await;
            assert_eq!(response.status().as_u16(), status, "{path} from {from}");
            assert_eq!(response.headers().get("cache-control").map(|v| v.as_bytes()), Some(&b"no-store"[..]));
            assert!(response.headers().contains_key("content-security-policy"));
        }
    }
}
