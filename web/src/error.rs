//! What a handler may answer instead of a page, and the one place where refusals of the crates below get their status.
//! What one may not see is 404. The pages themselves are drawn here too, so that none of them says more than the others.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use std::fmt;

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
    /// 503: more is asked at once than can be answered.
    Busy,
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
            Self::Busy => f.write_str("no connection came free in time"),
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
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
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
        if db::is_busy(&error) { Self::Busy } else { Self::failed(error) }
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
            E::OrganisationMustExist | E::MemberMustExist | E::AgentMustExist | E::KeyMustExist => Self::NotFound,
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
            E::AmountMustBePositive(_)
            | E::ChargeMustNotBeNegative(_)
            | E::FloorMustNotBePositive(_)
            | E::PromotionMustNotHaveExpired(_)
            | E::CapsMustRise => Self::Refused(sentence(error)),
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
        use usage_metering::UsageError as E;
        match error {
            E::Db(error) => error.into(),
            E::Subscription(error) => error.into(),
            E::ImportMustExist => Self::NotFound,
            E::ImportMustBeAsked { .. } | E::FilesMustBeFew(_) => Self::Conflict(sentence(error)),
            E::FileMustHaveASize { .. }
            | E::FileMustUnpack
            | E::FileNameMustBePlain(_)
            | E::MappingNameMustBePlain(_)
            | E::MappingsMustBeFew(_)
            | E::ImportSettings(_) => Self::Refused(sentence(error)),
            E::DeckMustExist | E::DeckVersionMustExist(_) => Self::NotFound,
            E::DeckMustNotHaveBegun => Self::Conflict(sentence(error)),
            E::DeckMustBeginLater(_) | E::DeckNameMustBeShort(_) | E::DeckNameMustBeFree(_) => {
                Self::Refused(sentence(error))
            }
            fault => Self::failed(fault),
        }
    }
}

impl From<call_control::CallError> for PageError {
    fn from(error: call_control::CallError) -> Self {
        use call_control::CallError as E;
        match error {
            E::UnknownCall(_) | E::UnknownCarrier(_) => Self::NotFound,
            E::CallIsReversed | E::CallMustBeCharged => Self::Conflict(sentence(error)),
            E::RuleBroken { .. } | E::NotPriced { .. } | E::ReasonMustBeGiven(_) => Self::Refused(sentence(error)),
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
            E::UnknownRun(_)
            | E::UnknownDraft(_)
            | E::UnknownDocument(_)
            | E::UnknownLine(_)
            | E::UnknownSettlement(_) => Self::NotFound,
            E::RunMustBeTheOnlyOne
            | E::DraftMustBeOpen(_)
            | E::RunMustBeDrafted { .. }
            | E::RunMustNotBeIssued(_)
            | E::AlreadyBilled { .. }
            | E::DraftMustStandOnChanges
            | E::SettlementMustBeDraft(_)
            | E::SettlementMustBeUnpaid(_)
            | E::SettlementMustBeDiscarded(_)
            | E::SettlementMustOweSomething
            | E::MustBeUncreditedInvoice => Self::Conflict(sentence(error)),
            E::CurrencyMustMatchCustomer { .. }
            | E::ReferenceMustBeGiven { .. }
            | E::DiscardMustHaveReason { .. }
            | E::PayoutMustFollowIssue { .. }
            | E::CreditMustNotExceedLine { .. }
            | E::CreditMustNotExceedInvoice { .. } => Self::Refused(sentence(error)),
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
            E::ReferenceIsTaken(_) | E::CustomerMustBeOpen => Self::Conflict(sentence(error)),
            E::AmountMustBePositive(_)
            | E::AmountMustBeWholeMinorUnits(_)
            | E::CurrencyMustMatchCustomer { .. }
            | E::ReferenceMustNotBeEmpty
            | E::ReceivedMustNotLieAhead(_)
            | E::IbanMustBeOne(_)
            | E::HolderMustNotBeEmpty
            | E::HolderMustBeShort(_)
            | E::DirectDebitNeedsEuro(_)
            | E::OnInvoiceNeedsAccount
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
pub(crate) fn sentence(rule: impl fmt::Display) -> String {
    let text = rule.to_string();
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), letters.as_str().trim_end_matches('.')),
        None => text,
    }
}

/// A sentence that goes on after a colon: it begins small.
pub(crate) fn continued(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}", first.to_lowercase(), letters.as_str()))
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
            (
                PageError::from(payments::PaymentError::Subscription(subscription::SubscriptionError::NotFound {
                    kind: "customer",
                    id: String::new(),
                })),
                404,
            ),
            (PageError::from(tenant::TenantError::AgentMustExist), 404),
            (PageError::from(tenant::TenantError::EmailIsTaken), 422),
            (PageError::from(db::DbError::Custom("secret".into())), 500),
        ] {
            assert_eq!(error.status_code().as_u16(), status, "{error}");
        }
    }

    #[test]
    fn a_rule_becomes_a_sentence() {
        assert_eq!(sentence("a run is open already"), "A run is open already.");
    }
}
