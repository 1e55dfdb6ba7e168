//! What a handler may answer instead of a page, and the one place where refusals of the crates below get their status.
//! What one may not see is 404. The pages themselves are drawn here too, so that none of them says more than the others.

use crate::extract::theme_of;
use crate::host::Site;
use crate::shell::Shell;
use crate::urls;
use crate::views::{door::Message, ui};
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{StatusCode, header};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpRequest, HttpResponse, ResponseError};
use askama::Template;
use rand::RngCore;
use std::fmt;
use std::sync::Arc;

/// What handlers return.
pub type PageResult<T> = Result<T, PageError>;

/// Why there is no page.
#[derive(Debug)]
pub enum PageError {
    /// 404: it does not exist, or not for this person.
    NotFound,
    /// Nobody is signed in: to the sign-in page, and back afterwards.
    SignIn,
    /// 403: the form did not come from our own page.
    Forged,
    /// 421: no such host is served here.
    Misdirected,
    /// 409: the state changed since the form was shown. One sentence.
    Conflict(String),
    /// 422: a value breaks a rule. One sentence, naming it.
    Refused(String),
    /// 429: too many tries.
    TooMany { retry_after_seconds: i64 },
    /// 500: a fault of ours; logged with the request's id, told without details.
    Failed(String),
}

impl PageError {
    /// A fault of ours.
    pub fn failed(cause: impl fmt::Display) -> Self {
        Self::Failed(cause.to_string())
    }
}

impl fmt::Display for PageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str("not found"),
            Self::SignIn => f.write_str("not signed in"),
            Self::Forged => f.write_str("the form came from elsewhere"),
            Self::Misdirected => f.write_str("the host is not served here"),
            Self::Conflict(sentence) | Self::Refused(sentence) | Self::Failed(sentence) => f.write_str(sentence),
            Self::TooMany { retry_after_seconds } => write!(f, "too many tries, wait {retry_after_seconds} s"),
        }
    }
}

impl std::error::Error for PageError {}

impl ResponseError for PageError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::SignIn => StatusCode::SEE_OTHER,
            Self::Forged => StatusCode::FORBIDDEN,
            Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::Refused(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Without a body: [`dress`] draws the page, which needs the request's host.
    fn error_response(&self) -> HttpResponse {
        HttpResponse::new(self.status_code())
    }
}

impl From<db::DbError> for PageError {
    fn from(error: db::DbError) -> Self {
        if db::is_retryable(&error) {
            return Self::Conflict("Somebody else changed this at the same moment. Load the page again.".into());
        }
        Self::failed(error)
    }
}

impl From<db::NotAnId> for PageError {
    fn from(_: db::NotAnId) -> Self {
        Self::NotFound
    }
}

impl From<money::MoneyError> for PageError {
    fn from(error: money::MoneyError) -> Self {
        Self::failed(error)
    }
}

impl From<pricing::PricingError> for PageError {
    fn from(error: pricing::PricingError) -> Self {
        Self::failed(error)
    }
}

impl From<tenant::TenantError> for PageError {
    fn from(error: tenant::TenantError) -> Self {
        use tenant::TenantError as E;
        match error {
            E::Db(error) => error.into(),
            E::OrganisationMustExist | E::MemberMustExist | E::AgentMustExist => Self::NotFound,
            E::SeatMustBeOpen => Self::Conflict("You have left your seat. Sign in again.".into()),
            E::PasswordMustHash | E::StoredValueMustBeKnown { .. } => Self::failed(error),
            refused => Self::Refused(sentence(refused)),
        }
    }
}

impl From<tenant::TokenRefused> for PageError {
    fn from(error: tenant::TokenRefused) -> Self {
        Self::failed(error)
    }
}

impl From<ledger::LedgerError> for PageError {
    fn from(error: ledger::LedgerError) -> Self {
        use ledger::LedgerError as E;
        match error {
            E::Db(error) => error.into(),
            E::NoWallet { .. } | E::UnknownTransaction(_) => Self::NotFound,
            E::AlreadyReversed(_) | E::WalletMustKeepItsFloor => Self::Conflict(sentence(error)),
            E::AmountMustBePositive(_) | E::ChargeMustNotBeNegative(_) | E::FloorMustNotBePositive(_) => Self::Refused(sentence(error)),
            fault => Self::failed(fault),
        }
    }
}

impl From<subscription::SubscriptionError> for PageError {
    fn from(error: subscription::SubscriptionError) -> Self {
        use subscription::SubscriptionError as E;
        match error {
            E::Db(error) => error.into(),
            E::Ledger(error) => error.into(),
            E::Tenant(error) => error.into(),
            E::NotFound { .. } => Self::NotFound,
            E::Refused(refusal) => Self::Refused(sentence(refusal)),
            fault => Self::failed(fault),
        }
    }
}

impl From<usage_metering::UsageError> for PageError {
    fn from(error: usage_metering::UsageError) -> Self {
        match error {
            usage_metering::UsageError::Db(error) => error.into(),
            usage_metering::UsageError::Subscription(error) => error.into(),
            fault => Self::failed(fault),
        }
    }
}

impl From<call_control::CallError> for PageError {
    fn from(error: call_control::CallError) -> Self {
        use call_control::CallError as E;
        match error {
            E::UnknownCall(_) => Self::NotFound,
            E::Db(error) => error.into(),
            E::Ledger(error) => error.into(),
            E::Subscription(error) => error.into(),
            E::Tenant(error) => error.into(),
            E::Usage(error) => error.into(),
            fault => Self::failed(fault),
        }
    }
}

impl From<invoicing::InvoicingError> for PageError {
    fn from(error: invoicing::InvoicingError) -> Self {
        use invoicing::InvoicingError as E;
        match error {
            E::UnknownRun(_) | E::UnknownDraft(_) | E::UnknownDocument(_) => Self::NotFound,
            E::RunMustBeTheOnlyOne
            | E::DraftMustBeOpen(_)
            | E::RunMustBeDrafted { .. }
            | E::AlreadyBilled { .. }
            | E::MustBeUncreditedInvoice => Self::Conflict(sentence(error)),
            E::CurrencyMustMatchCustomer { .. } | E::TotalMustNotBeNegative(_) => Self::Refused(sentence(error)),
            E::Db(error) => error.into(),
            E::Ledger(error) => error.into(),
            E::Subscription(error) => error.into(),
            E::Tenant(error) => error.into(),
            E::Usage(error) => error.into(),
            fault => Self::failed(fault),
        }
    }
}

impl From<payments::PaymentError> for PageError {
    fn from(error: payments::PaymentError) -> Self {
        use payments::PaymentError as E;
        match error {
            E::CustomerMustExist(_) | E::PaymentMustExist(_) => Self::NotFound,
            E::ReferenceIsTaken(_) => Self::Conflict(sentence(error)),
            E::AmountMustBePositive(_)
            | E::AmountMustBeWholeMinorUnits(_)
            | E::CurrencyMustMatchCustomer { .. }
            | E::ReferenceMustNotBeEmpty
            | E::ReceivedMustNotLieAhead(_)
            | E::RefundMustNotExceedPayment { .. } => Self::Refused(sentence(error)),
            E::Db(error) => error.into(),
            E::Ledger(error) => error.into(),
            E::Subscription(error) => error.into(),
            E::Tenant(error) => error.into(),
            E::Invoicing(error) => error.into(),
            fault => Self::failed(fault),
        }
    }
}

/// A rule as a sentence of a page: it begins large and ends with a full stop.
fn sentence(rule: impl fmt::Display) -> String {
    let text = rule.to_string();
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), letters.as_str().trim_end_matches('.')),
        None => text,
    }
}

/// Names one request in the log and on the page of a fault.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

/// Gives every request its id and every refusal its page. For `middleware::from_fn`, inside [`crate::host::know_the_host`].
pub async fn dress(request: ServiceRequest, next: Next<impl MessageBody + 'static>) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let id = RequestId(random_id());
    request.extensions_mut().insert(id.clone());
    let response = next.call(request).await?.map_into_boxed_body();
    let status = response.status();
    let is_refusal = status.is_client_error() || status.is_server_error();
    let is_bare = response.response().error().is_some() || response.response().body().size().is_eof();
    let is_ours = response.response().error().is_some_and(|error| error.as_error::<PageError>().is_some());
    if !is_ours && !(is_refusal && is_bare) {
        return Ok(response);
    }
    let (request, response) = response.into_parts();
    let error = response.error().and_then(|error| error.as_error::<PageError>());
    let (path, method) = (request.match_pattern().unwrap_or_default(), request.method().clone());
    match error {
        Some(PageError::Failed(cause)) => tracing::error!(request.id = %id.0, %method, path, %cause, "A request failed"),
        None if status.is_server_error() => tracing::error!(request.id = %id.0, %method, path, "A request failed"),
        _ => {}
    }
    let page = page_of(&request, error, status, &id);
    Ok(ServiceResponse::new(request, page))
}

fn random_id() -> String {
    let mut bytes = [0u8; 8];
    rand::rng().fill_bytes(&mut bytes);
    hex::encode(bytes)
}

/// The answer to a request that got no page.
pub(crate) fn page_of(request: &HttpRequest, error: Option<&PageError>, status: StatusCode, id: &RequestId) -> HttpResponse {
    if matches!(error, Some(PageError::SignIn)) {
        return to_sign_in(request);
    }
    let words = Words::of(error, status);
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
    if let Some(PageError::TooMany { retry_after_seconds }) = error {
        answer.insert_header((header::RETRY_AFTER, retry_after_seconds.to_string()));
    }
    match page.render() {
        Ok(html) => answer.body(html),
        Err(_) => answer.body("Something went wrong on our side. Nothing was changed.\n"),
    }
}

/// A person is sent to the sign-in page and afterwards back to where it was; a part of a page or a stream cannot show that
/// page, so it is told (htmx follows `HX-Redirect`).
fn to_sign_in(request: &HttpRequest) -> HttpResponse {
    let is_part = request.headers().contains_key("hx-request")
        || request.headers().get(header::ACCEPT).is_some_and(|accept| accept.as_bytes().starts_with(b"text/event-stream"));
    if is_part {
        return HttpResponse::Unauthorized().insert_header(("hx-redirect", urls::SIGN_IN)).finish();
    }
    let back = request.uri().path_and_query().map_or("", |path| path.as_str());
    let back = if request.method().is_safe() && back != "/" { back } else { "" };
    HttpResponse::SeeOther().insert_header((header::LOCATION, urls::with_query(urls::SIGN_IN, &[("next", back)]))).finish()
}

struct Words {
    icon: &'static str,
    title: String,
    text: String,
    action: Option<ui::Link>,
}

impl Words {
    fn of(error: Option<&PageError>, status: StatusCode) -> Words {
        let words = |icon, title: &str, text: &str| Words { icon, title: title.into(), text: text.into(), action: None };
        let to_start = Some(ui::Link::new("To the first page", "/"));
        match error {
            Some(PageError::Conflict(text)) => words("alert-circle", "That was not done", text),
            Some(PageError::Refused(text)) => words("alert-circle", "That cannot be done", text),
            Some(PageError::TooMany { retry_after_seconds }) => {
                words("clock-exclamation", "Too many tries", &format!("Wait {retry_after_seconds} s, then try again."))
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
                StatusCode::MISDIRECTED_REQUEST => words("search", "No such address", "Nobody is served under this host name here."),
                StatusCode::BAD_REQUEST => words("alert-circle", "That cannot be read", "A value has the wrong form. Nothing was changed."),
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
    fn refusals_of_the_crates_below_have_one_status_each() {
        let id = db::DocumentId::new();
        for (error, status) in [
            (PageError::from(invoicing::InvoicingError::UnknownDocument(id)), 404),
            (PageError::from(invoicing::InvoicingError::RunMustBeTheOnlyOne), 409),
            (PageError::from(payments::PaymentError::ReferenceMustNotBeEmpty), 422),
            (PageError::from(payments::PaymentError::Subscription(subscription::SubscriptionError::NotFound { kind: "customer", id: String::new() })), 404),
            (PageError::from(tenant::TenantError::AgentMustExist), 404),
            (PageError::from(tenant::TenantError::EmailIsTaken), 422),
            (PageError::from(db::DbError::Custom("secret".into())), 500),
        ] {
            assert_eq!(error.status_code().as_u16(), status, "{error}");
        }
    }

    #[test]
    fn a_fault_of_ours_says_nothing_of_its_cause() {
        let words = Words::of(Some(&PageError::failed("relation \"call\" does not exist")), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!words.text.contains("relation") && !words.title.contains("relation"));
    }

    #[test]
    fn a_rule_becomes_a_sentence() {
        assert_eq!(sentence("a run is open already"), "A run is open already.");
    }
}
