//! The page of a refusal: what happened, what was not done, what to do. A fault of ours names the request and nothing else.

use crate::error::PageError;
use crate::extract::theme_of;
use crate::host::Site;
use crate::shell::Shell;
use crate::urls;
use crate::views::{door::Message, ui};
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{StatusCode, header};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use askama::Template;
use rand::RngCore;
use std::sync::Arc;

/// What anybody is told to wait where there was no connection for it.
pub const BUSY_SECONDS: i64 = 1;

/// Names one request in the log and on the page of a fault.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

/// Gives every request its id and every refusal its page. For `middleware::from_fn`, inside [`crate::host::know_the_host`].
pub async fn dress(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let id = RequestId::random();
    request.extensions_mut().insert(id.clone());
    let response = next.call(request).await?.map_into_boxed_body();
    let status = response.status();
    let is_refusal = status.is_client_error() || status.is_server_error();
    let is_bare = response.response().error().is_some() || response.response().body().size().is_eof();
    let is_ours = response.response().error().is_some_and(|error| error.as_error::<PageError>().is_some());
    let needs_page = is_ours || is_refusal && is_bare;
    if !needs_page {
        return Ok(response);
    }
    let (request, response) = response.into_parts();
    let error = response.error().and_then(|error| error.as_error::<PageError>());
    let (path, method) = (request.match_pattern().unwrap_or_default(), request.method().clone());
    match error {
        Some(PageError::Failed(cause)) => {
            tracing::error!(request.id = %id.0, %method, path, %cause, "A request failed")
        }
        None if status.is_server_error() => tracing::error!(request.id = %id.0, %method, path, "A request failed"),
        _ => {}
    }
    let page = page_of(&request, error, status, &id);
    Ok(ServiceResponse::new(request, page))
}

impl RequestId {
    pub(crate) fn random() -> Self {
        let mut bytes = [0u8; 8];
        rand::rng().fill_bytes(&mut bytes);
        Self(hex::encode(bytes))
    }
}

/// The answer to a request that got no page.
pub(crate) fn page_of(
    request: &HttpRequest,
    error: Option<&PageError>,
    status: StatusCode,
    id: &RequestId,
) -> HttpResponse {
    if matches!(error, Some(PageError::SignIn)) {
        return to_sign_in(request);
    }
    let mut words = Words::of(error, status);
    if !request.method().is_safe() || matches!(error, Some(PageError::Refused(_))) {
        words.action = came_from(request.headers()).map(|path| ui::Link::new("Back", path)).or(words.action);
    }
    let site = request.extensions().get::<Arc<Site>>().cloned();
    let brand = site.map_or_else(crate::host::nobodys_brand, |site| site.brand.clone());
    let page = Message {
        shell: Shell::outside(words.title.clone(), brand, theme_of(request)),
        icon: words.icon,
        title: words.title,
        text: words.text,
        request_id: status.is_server_error().then(|| id.0.clone()),
        action: words.action,
    };
    let mut answer = HttpResponse::build(status);
    answer.content_type("text/html; charset=utf-8").insert_header(("x-request-id", id.0.as_str()));
    match error {
        Some(PageError::TooMany { retry_after_seconds }) => {
            answer.insert_header((header::RETRY_AFTER, retry_after_seconds.to_string()));
        }
        Some(PageError::Busy) => drop(answer.insert_header((header::RETRY_AFTER, BUSY_SECONDS.to_string()))),
        _ => {}
    }
    match page.render() {
        Ok(html) => answer.body(html),
        Err(_) => answer.body("Something went wrong on our side. Nothing was changed.\n"),
    }
}

/// The page of ours that a form was sent from, so that nobody is left without a way back.
fn came_from(headers: &header::HeaderMap) -> Option<String> {
    let text = |name| headers.get(name).and_then(|value: &header::HeaderValue| value.to_str().ok());
    let (_, address) = text(header::REFERER)?.split_once("://")?;
    let (host, path) = address.split_at(address.find('/')?);
    host.eq_ignore_ascii_case(text(header::HOST)?).then(|| path.to_owned())
}

/// A person is sent to the sign-in page and afterwards back to where it was; a part of a page or a stream cannot show that
/// page, so it is told (htmx follows `HX-Redirect`).
fn to_sign_in(request: &HttpRequest) -> HttpResponse {
    let is_part = request.headers().contains_key("hx-request")
        || request
            .headers()
            .get(header::ACCEPT)
            .is_some_and(|accept| accept.as_bytes().starts_with(b"text/event-stream"));
    if is_part {
        return HttpResponse::Unauthorized().insert_header(("hx-redirect", urls::SIGN_IN)).finish();
    }
    let back = request.uri().path_and_query().map_or("", |path| path.as_str());
    let back = if request.method().is_safe() && back != "/" { back } else { "" };
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, urls::with_query(urls::SIGN_IN, &[("next", back)])))
        .finish()
}

struct Words {
    icon: &'static str,
    title: String,
    text: String,
    action: Option<ui::Link>,
}

impl Words {
    fn of(error: Option<&PageError>, status: StatusCode) -> Words {
        let words =
            |icon, title: &str, text: &str| Words { icon, title: title.into(), text: text.into(), action: None };
        let to_start = Some(ui::Link::new("To the first page", "/"));
        match error {
            Some(PageError::Conflict(text)) => words("alert-circle", "That was not done", text),
            Some(PageError::Refused(text)) => words("alert-circle", "That cannot be done", text),
            Some(PageError::TooMany { retry_after_seconds }) => {
                words("clock-exclamation", "Too many tries", &format!("Wait {retry_after_seconds} s, then try again."))
            }
            Some(PageError::Busy) => {
                words("clock-exclamation", "Too much at once", "Nothing was changed. Try again in a moment.")
            }
            _ => match status {
                StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => Words {
                    action: to_start,
                    ..words("search", "Nothing here", "This page does not exist, or not for you.")
                },
                StatusCode::FORBIDDEN => words(
                    "alert-circle",
                    "This form came from another page",
                    "Nothing was changed. Go back, load the page again and send the form from there.",
                ),
                StatusCode::MISDIRECTED_REQUEST => {
                    words("search", "No such address", "Nobody is served under this host name here.")
                }
                StatusCode::BAD_REQUEST => {
                    words("alert-circle", "That cannot be read", "A value has the wrong form. Nothing was changed.")
                }
                StatusCode::PAYLOAD_TOO_LARGE => words("alert-circle", "That is too large", "Nothing was changed."),
                _ if status.is_server_error() => words(
                    "alert-circle",
                    "Something went wrong on our side",
                    "Nothing was changed. Try again; if it stays, tell support this request.",
                ),
                _ => words("alert-circle", "That was not done", "Nothing was changed."),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_leads_to_the_page_of_ours_that_sent_the_form_and_nowhere_else() {
        let from = |referer: &'static str| {
            let pairs = [(header::HOST, "ringtill.example"), (header::REFERER, referer)];
            came_from(&pairs.map(|(name, value)| (name, header::HeaderValue::from_static(value))).into_iter().collect())
        };
        assert_eq!(from("https://ringtill.example/admin/runs?x=1").as_deref(), Some("/admin/runs?x=1"));
        assert_eq!(from("https://evil.example/admin/runs"), None);
        assert_eq!(from("https://ringtill.example.evil.example/admin"), None);
        assert_eq!(from("https://ringtill.example"), None);
    }

    #[test]
    fn a_fault_of_ours_says_nothing_of_its_cause() {
        let words =
            Words::of(Some(&PageError::failed("relation \"call\" does not exist")), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!words.text.contains("relation") && !words.title.contains("relation"));
    }
}
