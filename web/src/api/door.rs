//! What happens to every request, in this order: host, key, rate, scope, body, idempotency, the handler, and the commit.
//! Invariants: the tenant comes from the key and from nowhere else; effect and kept answer are one transaction; a refusal
//! stores nothing.

use super::problem::{ApiResult, Problem};
use super::route::{Ask, Raw, Route, Run, Work, Written};
use crate::app::App;
use crate::host::{self, Site};
use crate::refusal::RequestId;
use actix_web::http::header::{self, HeaderMap};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use db::PlatformReason;
use std::sync::Arc;
use std::time::Duration;
use tenant::{ApiClient, ApiKeySecret, ApiReply, KeyMode, Once, RequestHash, Scope};

/// Largest body, bytes.
pub const BODY_MAX: usize = 256 * 1024;
/// Who sends its body more slowly than this is hung up on.
const BODY_PATIENCE: Duration = Duration::from_secs(15);
const IDEMPOTENCY_KEY_MAX: usize = 255;

/// Answers a request to one of the addresses.
pub async fn answer(route: Route, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let id = request.extensions().get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
    match serve(&route, &request, payload, &id).await {
        Ok((written, is_again)) => {
            let mut response = written.response();
            if is_again {
                response.headers_mut().insert(
                    header::HeaderName::from_static("idempotent-replayed"),
                    header::HeaderValue::from_static("true"),
                );
            }
            response
        }
        Err(problem) => refuse(&request, &problem, &id),
    }
}

/// The answer to what cannot be done; a fault of ours is logged with the request's id.
pub fn refuse(request: &HttpRequest, problem: &Problem, id: &str) -> HttpResponse {
    if let Some(cause) = &problem.cause {
        let path = request.match_pattern().unwrap_or_default();
        tracing::error!(request.id = %id, method = %request.method(), path, %cause, "A request failed");
    }
    problem.response(request.path(), id)
}

async fn serve(route: &Route, request: &HttpRequest, payload: web::Payload, id: &str) -> ApiResult<(Written, bool)> {
    let app = crate::extract::app_of(request)?;
    let site = host::of(request)?;
    let now = app.clock.now();
    let client = client_of(request.headers(), &app, &site, route.changes(), now).await?;
    let run = match &route.work {
        Work::Within(run) => run,
        Work::Intake => {
            app.event_limits.take(client.key.id, now).map_err(too_many)?;
            must_have_scope(&client, route.scope)?;
            let written = super::events::take(&app, client.tenant_id, request.headers(), payload, now).await?;
            return Ok((written, false));
        }
    };
    app.limits.take(client.key.id, now).map_err(too_many)?;
    must_have_scope(&client, route.scope)?;
    let once = idempotency_key(route, request.headers())?;
    let raw = Raw {
        query: request.query_string().to_owned(),
        content_type: text(request.headers(), header::CONTENT_TYPE).unwrap_or_default().to_owned(),
        body: read(request.headers(), payload, route.body_max).await?,
    };
    let once = once.map(|key| (key, RequestHash::of(route.method.as_str(), request.path(), &raw.body)));
    let tx = app.db.tenant(client.tenant_id).await?;
    let names = request.match_info().iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let if_match = text(request.headers(), header::IF_MATCH).map(str::to_owned);
    let ask = Ask { tx, client, app, site, now, names, if_match };
    match within(route, run, &ask, &raw, once, id).await {
        Ok(answer) => {
            ask.tx.commit().await?;
            Ok(answer)
        }
        // Given up at once, and not some time after the answer: whoever mends the request and tries again finds the key free.
        Err(problem) => {
            ask.tx.rollback().await?;
            Err(problem.with_values_of(&raw.body))
        }
    }
}

/// What is done in the transaction: the claim of the key, the effect, the audit log, the kept answer. True with an answer that
/// was kept before.
async fn within(
    route: &Route,
    run: &Run,
    ask: &Ask,
    raw: &Raw,
    once: Option<(String, RequestHash)>,
    id: &str,
) -> ApiResult<(Written, bool)> {
    if let Some((key, hash)) = &once {
        match tenant::claim_api_reply(&ask.tx, key, hash, ask.now).await? {
            Once::First => {}
            Once::Again(reply) => return Ok((again(reply), true)),
            Once::OtherRequest => return Err(other_request()),
            Once::InFlight => return Err(in_flight()),
        }
    }
    let written = run(ask, raw).await?;
    if route.changes() {
        write_down(route, ask, &written, id).await?;
    }
    if let Some((key, hash)) = &once {
        let body = String::from_utf8(written.body.clone()).map_err(Problem::failed)?;
        tenant::keep_api_reply(&ask.tx, key, hash, &ApiReply { status: written.status, body }, ask.now).await?;
    }
    Ok((written, false))
}

/// Every change goes into the audit log: which key, what, on what.
async fn write_down(route: &Route, ask: &Ask, written: &Written, id: &str) -> ApiResult<()> {
    let action = format!("api {} {}", route.method, route.path);
    let subject = match written.subject.as_str() {
        "" => ask.names.first().map(|(_, value)| value.as_str()).unwrap_or_default(),
        id => id,
    };
    let payload = serde_json::json!({ "key": ask.client.key.id.to_string(), "request": id });
    Ok(tenant::record_audit(&ask.tx, &ask.actor(), &action, subject, payload, ask.now).await?)
}

/// Where keys are good: a development host makes and takes keys of its own, which open nothing elsewhere.
pub fn key_mode(host: &str) -> KeyMode {
    if host::is_local(host) { KeyMode::Test } else { KeyMode::Live }
}

/// Whose key it is. A key that is good on another host only opens nothing here, like a cookie carried over.
async fn client_of(
    headers: &HeaderMap,
    app: &App,
    site: &Arc<Site>,
    changes: bool,
    now: DateTime<Utc>,
) -> ApiResult<ApiClient> {
    let given = text(headers, header::AUTHORIZATION).and_then(|value| value.split_once(' '));
    let token = given.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim());
    let secret = token.and_then(|token| ApiKeySecret::parse(token, key_mode(&site.host)));
    let secret = secret.ok_or_else(Problem::unauthorized)?;
    let ptx = app.db.platform(PlatformReason::AuthenticateKey).await?;
    let client = tenant::api_client(&ptx, &secret, now).await?.ok_or_else(Problem::unauthorized)?;
    if !site.shows(app, &ptx, client.tenant_id, now).await? {
        return Err(Problem::unauthorized());
    }
    if changes && tenant::suspended_at_or_above(&ptx, client.tenant_id, now).await? {
        let detail = "The organisation is suspended: nothing can be changed. Reading goes on.";
        return Err(Problem::new(StatusCode::FORBIDDEN, "organisation_suspended", detail));
    }
    ptx.commit().await?;
    if client.key.is_use_to_note(now) {
        let tx = app.db.tenant(client.tenant_id).await?;
        tenant::touch_api_key(&tx, client.key.id, now).await?;
        tx.commit().await?;
    }
    Ok(client)
}

fn must_have_scope(client: &ApiClient, wanted: Scope) -> ApiResult<()> {
    if client.key.scopes.iter().any(|scope| scope.allows(wanted)) {
        return Ok(());
    }
    let detail = format!("This key lacks the scope `{wanted}`.");
    Err(Problem::new(StatusCode::FORBIDDEN, "scope_missing", detail))
}

fn too_many(retry_after_seconds: i64) -> Problem {
    crate::error::PageError::TooMany { retry_after_seconds }.into()
}

/// The header `Idempotency-Key`, quoted (as the draft standard has it) or bare.
fn idempotency_key(route: &Route, headers: &HeaderMap) -> ApiResult<Option<String>> {
    if !route.needs_key() {
        return Ok(None);
    }
    let Some(given) = headers.get("idempotency-key") else {
        let detail =
            "Send a new `Idempotency-Key` with each POST that changes something, and the same one when you try again.";
        return Err(Problem::bad("idempotency_key_required", detail));
    };
    let given = given.to_str().map(str::trim).unwrap_or_default();
    let bare = given.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(given);
    let is_good = (1..=IDEMPOTENCY_KEY_MAX).contains(&bare.len()) && bare.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_good {
        let detail = format!("An `Idempotency-Key` is 1 to {IDEMPOTENCY_KEY_MAX} visible characters of ASCII.");
        return Err(Problem::bad("idempotency_key_malformed", detail));
    }
    Ok(Some(bare.to_owned()))
}

fn again(reply: ApiReply) -> Written {
    Written {
        status: reply.status,
        media: "application/json",
        body: reply.body.into_bytes(),
        subject: String::new(),
        file_name: None,
    }
}

fn other_request() -> Problem {
    let detail = "This `Idempotency-Key` came with another request before. Nothing was changed.";
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", detail)
}

fn in_flight() -> Problem {
    let detail = "The same request is being worked on at this moment. Try again for its answer.";
    Problem { retry_after_seconds: Some(1), ..Problem::conflict("idempotency_key_in_flight", detail) }
}

/// The whole body, unless it is too large, too slow or packed.
async fn read(headers: &HeaderMap, payload: web::Payload, bytes_max: usize) -> ApiResult<web::Bytes> {
    if text(headers, header::CONTENT_ENCODING).is_some_and(|encoding| !encoding.eq_ignore_ascii_case("identity")) {
        let detail = "Send the body as it is, without a `Content-Encoding`.";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "encoding_unknown", detail));
    }
    let too_large = || {
        let detail = format!("A body has at most {bytes_max} bytes.");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
    };
    let announced = text(headers, header::CONTENT_LENGTH).and_then(|length| length.parse::<usize>().ok());
    if announced.is_some_and(|length| length > bytes_max) {
        return Err(too_large());
    }
    whole(payload, bytes_max, too_large).await
}

/// All of a body, unless it is too slow or longer than this.
pub(super) async fn whole(
    payload: web::Payload,
    bytes_max: usize,
    too_large: impl FnOnce() -> Problem,
) -> ApiResult<web::Bytes> {
    match tokio::time::timeout(BODY_PATIENCE, payload.to_bytes_limited(bytes_max)).await {
        Err(_) => Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", "The body did not arrive in time.")),
        Ok(Err(_)) => Err(too_large()),
        Ok(Ok(Err(_))) => Err(Problem::bad("body_incomplete", "The body did not arrive whole.")),
        Ok(Ok(Ok(body))) => Ok(body),
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// What is not an address of the API, or not with this method. Says nothing that the document does not say.
pub fn nothing_here(request: &HttpRequest, methods: &[Method]) -> HttpResponse {
    let id = request.extensions().get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
    if methods.is_empty() {
        let detail = "There is no such address. The list of them is at /v1/openapi.json.";
        return refuse(request, &Problem::new(StatusCode::NOT_FOUND, "no_such_address", detail), &id);
    }
    let allowed = methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
    let detail = format!("This address takes {allowed}.");
    let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail);
    let mut answer = refuse(request, &problem, &id);
    if let Ok(allowed) = header::HeaderValue::from_str(&allowed) {
        answer.headers_mut().insert(header::ALLOW, allowed);
    }
    answer
}
