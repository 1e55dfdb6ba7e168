//! What can be refused here, and how it is named.

use crate::words::SubscriptionStatus;
use chrono::{DateTime, SecondsFormat, Utc};
use db::DbError;
use money::{Currency, MoneyError};
use pricing::PricingError;
use std::fmt;

/// Every way in which this crate says no. A refusal stores nothing: the caller gives the transaction up.
#[derive(Debug, thiserror::Error)]
pub enum SubscriptionError {
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The ledger refused (a wallet that could not be opened).
    #[error(transparent)]
    Ledger(#[from] ledger::LedgerError),
    /// The organisation could not be read.
    #[error(transparent)]
    Tenant(#[from] tenant::TenantError),
    /// A stored amount, price or period breaks a rule of money or pricing.
    #[error(transparent)]
    Pricing(#[from] PricingError),
    /// A value that was given breaks a rule.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// No such row in this book.
    #[error("there is no {kind} {id} in this book")]
    NotFound {
        /// `customer`, `number`, `tariff`, `plan`, `plan version`, `subscription` or `topic`.
        kind: &'static str,
        id: String,
    },
    /// A stored word is not one of ours: the database is newer than this program.
    #[error("the database holds {kind} \"{word}\", which this version does not know")]
    StoredWordUnknown { kind: &'static str, word: String },
    /// A stored document does not read: the database is newer than this program.
    #[error("the stored {kind} does not read: {reason}")]
    StoredDocumentUnreadable { kind: &'static str, reason: String },
    /// A PIN could not be hashed or compared.
    #[error("the PIN could not be hashed")]
    PinNotHashed,
}

impl From<MoneyError> for SubscriptionError {
    fn from(error: MoneyError) -> Self {
        SubscriptionError::Pricing(PricingError::Money(error))
    }
}

impl SubscriptionError {
    /// The refused value, for a form or an API answer; `None` for everything that is not the caller's input.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            SubscriptionError::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }

    pub(crate) fn not_found(kind: &'static str, id: impl fmt::Display) -> Self {
        SubscriptionError::NotFound { kind, id: id.to_string() }
    }
}

/// A value that breaks a rule: which field, which rule, what it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {rule} (got \"{value}\")")]
pub struct Refusal {
    /// The field as the caller knows it; inside lists and documents a path: `components/minutes/price/tiers/1/up_to`.
    pub field: String,
    /// The rule it breaks.
    pub rule: Rule,
    /// The value as given.
    pub value: String,
}

/// The rules that values can break. [`Rule::code`] never changes once published.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Rule {
    #[error("must not be empty")]
    MustNotBeEmpty,
    #[error("must be free, another one in this book has it")]
    MustBeFree,
    #[error("must be an IANA time zone")]
    MustBeTimeZone,
    #[error("must be an ISO 3166 country code of two capital letters")]
    MustBeCountry,
    #[error("must be an e-mail address")]
    MustBeEmail,
    #[error("must be a number in E.164: + and 4 to 15 digits")]
    MustBeE164,
    #[error("must be {0} to {1} digits")]
    MustBeDigits(u8, u8),
    #[error("must be a digit from 0 to 9")]
    MustBeDigit,
    #[error("must be {0} to {1}")]
    MustLieBetween(i64, i64),
    #[error("must consist of small letters, digits and -, 2 to 60 of them")]
    MustBeSlug,
    #[error("must consist of small letters, digits and _, 1 to 40 of them")]
    MustBeKey,
    #[error("must consist of small letters, digits, _, . and -, 1 to 60 of them")]
    MustBeFeature,
    #[error("must be in {expected}, not in {found}")]
    CurrencyMustMatch { expected: Currency, found: Currency },
    #[error("must not be above zero: it is zero or minus a credit limit")]
    FloorMustNotBePositive,
    #[error("must be zero for a postpaid customer, who has no wallet")]
    PostpaidHasNoFloor,
    #[error("must be a number that this organisation has had")]
    NumberMustBeAssigned,
    #[error("must begin after the number's earlier assignment began, and no later one may follow")]
    AssignmentsMustNotOverlap,
    #[error("must be today or earlier")]
    MustHaveBegun,
    #[error("must be today: a number that another customer has moves at once")]
    MoveMustBeToday,
    #[error("must be a customer that is an organisation directly below this one")]
    MustBeOrganisationBelow,
    #[error("must be a language code such as en or pt-BR")]
    MustBeLanguage,
    #[error("must not be repeated")]
    MustBeUnique,
    #[error("must be one of: {0}")]
    MustBeKnownMeasure(String),
    #[error("must stay empty for this kind of component")]
    MustBeAbsent,
    #[error("must be a dimension of the meter: {0}")]
    MustBeKnownDimension(String),
    #[error("must not match usage that component {0} charges too")]
    FiltersMustNotOverlap(String),
    #[error("must be billed in arrears: it is known only when the period has ended")]
    MustBeBilledInArrears,
    #[error("must be the key of another component of this version that is not a percentage")]
    MustBeOtherComponent,
    #[error("must be a percent or graduated_percent price")]
    MustBePercentPrice,
    #[error("must be 0 for a component that measures nothing")]
    NothingIncluded,
    #[error("must not be above 100")]
    MustNotExceedWhole,
    #[error("must not be negative")]
    MustNotBeNegative,
    #[error("must be a plan, not an add-on")]
    MustBePlan,
    #[error("must be an add-on")]
    MustBeAddOn,
    #[error("must be a plan that is still sold")]
    MustNotBeArchived,
    #[error("must have trial days to begin with a trial")]
    TrialNeedsDays,
    #[error("must be agreed before the trial is over")]
    TrialMustRun,
    #[error("must be the customer's first trial of this plan")]
    OneTrialPerPlan,
    #[error("must be a day whose first month holds the start")]
    AnchorMustHoldStart,
    #[error("must not lie before the start")]
    MustNotPrecedeStart,
    #[error("must not lie in the past")]
    MustNotLieInThePast,
    #[error("must not lie ahead: what is used before it would be on no bill")]
    MustNotLieAhead,
    #[error("must have at most {0} characters")]
    MustBeShort(u32),
    #[error("must lie within ten years")]
    MustLieWithinTenYears,
    #[error("must belong to a customer that is not closed")]
    CustomerMustBeOpen,
    #[error("must have no subscription that runs or is still to end")]
    SubscriptionsMustHaveEnded,
    #[error("must not stand for an organisation of the tree")]
    MustNotStandForOrganisation,
    #[error("must not be cancelled")]
    MustNotBeCancelled,
    #[error("must not be below the commitment")]
    CapMustReachCommitment,
    #[error("must be one of the version's features")]
    MustBeFeatureOfPlan,
    #[error("needs a component that charges for seats")]
    ExtraSeatsNeedSeatComponent,
    #[error("must be possible for a subscription that is {0}")]
    #[strum(serialize = "must_be_possible_in_status")]
    MustBePossibleIn(SubscriptionStatus),
    #[error("must not exceed the {0} seats of the plan, which sells no more")]
    MustNotExceedSeatLimit(u32),
    #[error("must be 0: nothing of this plan counts seats")]
    SeatsMustBeCounted,
    #[error("must be another one than now")]
    MustDiffer,
    #[error("must be an add-on that the subscription has at that instant")]
    MustBeAttached,
    #[error("must not be billed already: another change turns it around")]
    MustNotBeBilled,
    #[error("must be an open quote")]
    MustBeOpenQuote,
    #[error("must be a component that counts seats, usage, hours or channels")]
    MustBeCountedComponent,
    #[error("must not be undone already")]
    MustNotBeUndone,
    #[error("must consist of capital letters, digits and -, 2 to 40 of them")]
    MustBeCouponCode,
    #[error("must be above zero")]
    MustBeAboveZero,
    #[error("must lie ahead")]
    MustLieAhead,
    #[error("must be asked for before {}", instant(.0))]
    MustBeWithinValidity(DateTime<Utc>),
    #[error("must have a redemption left")]
    MustHaveRedemptionsLeft,
    #[error("must be {0}")]
    MustBeWritten(&'static str),
    #[error("must be there")]
    MustBeThere,
    #[error("must be a field that is known here")]
    MustBeKnownField,
    #[error("{0}")]
    Document(PricingError),
}

impl Rule {
    /// The rule's name for machines: that of its variant, in small letters.
    pub fn code(&self) -> &'static str {
        match self {
            Rule::Document(rule) => rule.code(),
            rule => rule.into(),
        }
    }
}

pub(crate) type Result<T, E = SubscriptionError> = std::result::Result<T, E>;

/// The refusal of one field's value.
pub(crate) fn refuse<T>(field: impl Into<String>, rule: Rule, value: impl fmt::Display) -> Result<T> {
    Err(Refusal { field: field.into(), rule, value: value.to_string() }.into())
}

/// An instant in a refusal, as it is sent: RFC 3339.
pub(crate) fn instant(at: &DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// Refuses unless the rule holds.
pub(crate) fn must(holds: bool, field: impl Into<String>, rule: Rule, value: impl fmt::Display) -> Result<()> {
    if holds { Ok(()) } else { refuse(field, rule, value) }
}

/// A duplicate key of this constraint is the refusal of that field; anything else stays what it is.
pub(crate) fn taken(error: DbError, constraint: &str, field: &str, value: impl fmt::Display) -> SubscriptionError {
    if db::constraint_of(&error).as_deref() != Some(constraint) {
        return error.into();
    }
    Refusal { field: field.to_owned(), rule: Rule::MustBeFree, value: value.to_string() }.into()
}

/// Refuses another currency than the expected one.
pub(crate) fn same_currency(field: &str, expected: Currency, found: Currency) -> Result<()> {
    must(expected == found, field, Rule::CurrencyMustMatch { expected, found }, found)
}
