//! What a request is answered when it cannot be done: `application/problem+json` (RFC 9457), with a code for machines, every
//! field that broke a rule, and the request's id. A fault of ours says nothing of its cause.

use crate::error::PageError;
use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use serde::Serialize;
use std::borrow::Cow;
use utoipa::ToSchema;

/// Characters of a refused value that are shown.
const VALUE_SHOWN: usize = 200;

/// What handlers return.
pub type ApiResult<T> = Result<T, Problem>;

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub status: StatusCode,
    /// The rule, for machines; never changes once published.
    pub code: Cow<'static, str>,
    /// One sentence for people.
    pub detail: String,
    pub fields: Vec<FieldProblem>,
    pub retry_after_seconds: Option<i64>,
    /// For the log alone.
    pub cause: Option<String>,
}

/// A value that broke a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = FieldProblem)]
pub struct FieldProblem {
    /// Where it stands in the body or the query (RFC 6901).
    #[schema(example = "/components/0/price/tiers/1/up_to")]
    pub pointer: String,
    /// The rule it broke.
    #[schema(example = "tiers_must_rise")]
    pub code: String,
    /// The rule as a sentence.
    pub detail: String,
    /// The value as given, shortened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// A problem as it is sent.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody<'a> {
    /// Always `about:blank`: the code says what it is.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status in words.
    title: &'a str,
    #[schema(example = 422)]
    status: u16,
    #[schema(example = "invalid")]
    code: &'a str,
    detail: &'a str,
    /// The path that was asked.
    instance: &'a str,
    errors: &'a [FieldProblem],
    /// Name it when you ask for help.
    request_id: &'a str,
}

impl Problem {
    /// A problem without fields.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code: code.into(),
            detail: detail.into(),
            fields: Vec::new(),
            retry_after_seconds: None,
            cause: None,
        }
    }

    /// 404: no such thing in this book. What belongs to another book is answered alike.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "There is nothing of that id here.")
    }

    /// 401: one answer to every key that opens nothing.
    pub fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "key_required",
            "Send a valid API key as `Authorization: Bearer`. Keys are made under API keys in the console.",
        )
    }

    /// 400
    pub fn bad(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// 409
    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// 422: one value breaks one rule.
    pub fn invalid(pointer: impl Into<String>, code: impl Into<String>, rule: impl Into<String>) -> Self {
        let (pointer, rule) = (pointer.into(), rule.into());
        let detail = format!("{pointer}: {rule}.");
        let field = FieldProblem { pointer, code: code.into(), detail: rule, value: None };
        Self { fields: vec![field], ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail) }
    }

    /// 422: an id in the body that names nothing in this book. What belongs to another book is answered alike.
    pub fn unknown(pointer: impl Into<String>, kind: &str, id: impl std::fmt::Display) -> Self {
        Self::invalid(pointer, "must_be_known", format!("must be a {kind} of this book")).with_value(id.to_string())
    }

    /// 422: each of these values breaks a rule.
    pub fn of_fields(fields: Vec<FieldProblem>) -> Self {
        let detail = fields.first().map_or_else(String::new, |first| format!("{}: {}.", first.pointer, first.detail));
        Self { fields, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail) }
    }

    /// 422: each of these refusals, at its field.
    pub fn of_refusals(refusals: &[subscription::Refusal]) -> Self {
        let field = |refusal: &subscription::Refusal| FieldProblem {
            pointer: format!("/{}", refusal.field),
            code: refusal.rule.code().to_owned(),
            detail: refusal.rule.to_string(),
            value: Some(refusal.value.chars().take(VALUE_SHOWN).collect()),
        };
        Self::of_fields(refusals.iter().map(field).collect())
    }

    /// The same, with the value as it was given.
    pub fn with_value(mut self, value: impl AsRef<str>) -> Self {
        if let Some(field) = self.fields.last_mut() {
            field.value = Some(value.as_ref().chars().take(VALUE_SHOWN).collect());
        }
        self
    }

    /// The same, where a field has no value yet, with what stands in the body at its place.
    pub fn with_values_of(self, body: &[u8]) -> Self {
        if self.fields.iter().all(|field| field.value.is_some()) {
            return self;
        }
        match serde_json::from_slice(body) {
            Ok(body) => self.with_values_in(&body),
            Err(_) => self,
        }
    }

    /// The same of a body that was read, or of parameters by their names.
    pub fn with_values_in(mut self, body: &serde_json::Value) -> Self {
        for field in self.fields.iter_mut().filter(|field| field.value.is_none()) {
            let given = body.pointer(&field.pointer);
            let shown = given.map(|given| given.as_str().map_or_else(|| given.to_string(), str::to_owned));
            field.value = shown.map(|text| text.chars().take(VALUE_SHOWN).collect());
        }
        self
    }

    /// A fault of ours.
    pub fn failed(cause: impl std::fmt::Display) -> Self {
        let detail = "Something went wrong on our side. Nothing was changed.";
        Self { cause: Some(cause.to_string()), ..Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail) }
    }

    /// Every pointer below another place: of a document that stands inside the body.
    pub fn below(mut self, place: &str) -> Self {
        for field in &mut self.fields {
            field.pointer = format!("{place}{}", field.pointer);
        }
        if let Some(first) = self.fields.first() {
            self.detail = format!("{}: {}.", first.pointer, first.detail);
        }
        self
    }

    /// The answer.
    pub fn response(&self, path: &str, request_id: &str) -> HttpResponse {
        let body = ProblemBody {
            kind: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            code: &self.code,
            detail: &self.detail,
            instance: path,
            errors: &self.fields,
            request_id,
        };
        let mut answer = HttpResponse::build(self.status);
        answer.content_type("application/problem+json");
        if self.status == StatusCode::UNAUTHORIZED {
            answer.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        if let Some(seconds) = self.retry_after_seconds {
            answer.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        answer.body(serde_json::to_string(&body).unwrap_or_default())
    }
}

/// What the crates below refuse keeps the status that pages give it; there is one place for that.
impl From<PageError> for Problem {
    fn from(error: PageError) -> Self {
        match error {
            PageError::NotFound => Self::not_found(),
            PageError::SignIn | PageError::Forged => Self::unauthorized(),
            PageError::Misdirected => {
                Self::new(StatusCode::MISDIRECTED_REQUEST, "unknown_host", "Nobody is served under this host name.")
            }
            PageError::Conflict(sentence) => Self::conflict("conflict", sentence),
            PageError::Refused(sentence) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "refused", sentence),
            PageError::TooMany { retry_after_seconds } => Self {
                retry_after_seconds: Some(retry_after_seconds),
                ..Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", "Wait, then try again.")
            },
            PageError::Busy => Self {
                retry_after_seconds: Some(crate::refusal::BUSY_SECONDS),
                ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "too_busy", "Too much is asked at once. Try again.")
            },
            PageError::Failed(cause) => Self::failed(cause),
        }
    }
}

impl From<db::DbError> for Problem {
    fn from(error: db::DbError) -> Self {
        if db::is_retryable(&error) {
            return Self::conflict("changed_meanwhile", "Somebody else changed this at the same moment. Try again.");
        }
        if db::is_busy(&error) { PageError::Busy.into() } else { Self::failed(error) }
    }
}

impl From<subscription::SubscriptionError> for Problem {
    fn from(error: subscription::SubscriptionError) -> Self {
        use subscription::SubscriptionError as E;
        match error {
            E::Db(error) => error.into(),
            E::Refused(refusal) => {
                let pointer = format!("/{}", refusal.field);
                Self::invalid(pointer, refusal.rule.code(), refusal.rule.to_string()).with_value(refusal.value)
            }
            E::NotFound { kind, .. } => Self { detail: format!("There is no such {kind} here."), ..Self::not_found() },
            other => PageError::from(other).into(),
        }
    }
}

impl From<pricing::DocumentError> for Problem {
    fn from(error: pricing::DocumentError) -> Self {
        let problem = Self::invalid(error.pointer, error.rule.code(), error.rule.to_string());
        // The document shows a value as JSON; a text stands here without its quotes, as everywhere else.
        let found = serde_json::from_str::<String>(&error.found).unwrap_or(error.found);
        if found.is_empty() { problem } else { problem.with_value(found) }
    }
}

impl From<invoicing::InvoicingError> for Problem {
    fn from(error: invoicing::InvoicingError) -> Self {
        match error {
            invoicing::InvoicingError::Db(error) => error.into(),
            invoicing::InvoicingError::Subscription(error) => error.into(),
            other => PageError::from(other).into(),
        }
    }
}

impl From<usage_metering::UsageError> for Problem {
    fn from(error: usage_metering::UsageError) -> Self {
        match error {
            usage_metering::UsageError::Db(error) => error.into(),
            usage_metering::UsageError::Subscription(error) => error.into(),
            other => PageError::from(other).into(),
        }
    }
}

impl From<payments::PaymentError> for Problem {
    fn from(error: payments::PaymentError) -> Self {
        use payments::PaymentError as E;
        let (field, code) = match &error {
            E::IbanMustBeOne(_) => ("iban", "must_be_iban"),
            E::HolderMustNotBeEmpty => ("holder", "must_not_be_empty"),
            E::HolderMustBeShort(_) => ("holder", "must_be_short"),
            E::DirectDebitNeedsEuro(_) => ("kind", "must_be_in_euro"),
            E::OnInvoiceNeedsAccount => ("kind", "must_be_on_account"),
            E::AmountMustBePositive(_) => ("amount", "must_be_above_zero"),
            E::AmountMustBeWholeMinorUnits(_) => ("amount", "must_be_whole_minor_units"),
            E::CurrencyMustMatchCustomer { .. } => ("amount", "currency_must_match"),
            E::RefundMustNotExceedPayment { .. } => ("amount", "must_not_exceed_payment"),
            E::ReferenceMustNotBeEmpty => ("reference", "must_not_be_empty"),
            E::ReceivedMustNotLieAhead(_) => ("received_at", "must_not_lie_ahead"),
            _ => {
                return match error {
                    E::Db(error) => error.into(),
                    E::Subscription(error) => error.into(),
                    E::Invoicing(error) => error.into(),
                    other => PageError::from(other).into(),
                };
            }
        };
        // What a page shows begins with the field; here the pointer says it.
        let said = error.to_string();
        let rule = said.split_once(": ").map_or(said.as_str(), |(_, rule)| rule);
        Self::invalid(format!("/{field}"), code, rule)
    }
}

macro_rules! like_a_page {
    ($($error:ty),*) => {$(
        impl From<$error> for Problem {
            fn from(error: $error) -> Self { PageError::from(error).into() }
        }
    )*};
}
like_a_page!(
    tenant::TenantError,
    ledger::LedgerError,
    call_control::CallError,
    money::MoneyError,
    pricing::PricingError
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_of_ours_says_nothing_of_its_cause() {
        let problem = Problem::from(db::DbError::Custom("relation \"call\" does not exist".into()));
        assert_eq!(problem.status.as_u16(), 500);
        assert!(!problem.detail.contains("relation") && problem.cause.is_some_and(|cause| cause.contains("relation")));
    }

    #[test]
    fn a_refused_value_is_named_with_its_place_and_its_rule() {
        let rule = pricing::PricingError::TiersMustRise;
        let problem = Problem::from(rule.at("/tiers/1/up_to")).below("/components/0/price").with_value("5");
        assert_eq!(problem.fields[0].pointer, "/components/0/price/tiers/1/up_to");
        assert_eq!(problem.fields[0].code, "tiers_must_rise");
        assert_eq!(problem.fields[0].value.as_deref(), Some("5"));
    }
}
