//! What can be wrong with a document, a price or a calculation.

use std::fmt;

use money::MoneyError;
use serde_json::Value;

/// Every rule of this crate that an input can break. [`PricingError::code`] is what a machine reads.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PricingError {
    /// A number or an amount broke a rule of money.
    #[error(transparent)]
    Money(#[from] MoneyError),
    /// The line is not one JSON value.
    #[error("the line is not JSON: {0}")]
    MustBeJson(String),
    /// A field that must be there is not.
    #[error("this field is missing")]
    Missing,
    /// A field that nothing reads; most often a misspelling.
    #[error("this field is unknown here")]
    UnknownField,
    /// A value of another type; the text says which is wanted.
    #[error("{0} is wanted here")]
    WrongType(&'static str),
    /// Rates, quantities, fees and discount lines are not negative.
    #[error("this must not be negative")]
    MustNotBeNegative,
    /// Sizes, increments, months and sell rates are above zero.
    #[error("this must be above zero")]
    MustBeAboveZero,
    /// Service levels, occupancies and the like.
    #[error("a share lies between 0 and 1")]
    MustBeShare,
    /// A target, or a part that leaves nothing for the rest.
    #[error("this share must be below 1")]
    MustBeBelowOne,
    /// Counts of days and hours end with the month and the day.
    #[error("this is at most {most}")]
    MustNotExceed {
        /// The largest that is taken.
        most: u32,
    },
    /// A margin is a share of the price, and the price is more than its margin.
    #[error("a margin is below 100%")]
    MarginMustBeBelowWhole,
    /// Languages and regions divide the volume.
    #[error("the shares must sum to 1")]
    SharesMustSumToOne,
    /// Each channel, language and region stands once.
    #[error("this stands here twice")]
    MustNotRepeat,
    /// A week has 168 hours, a day 24.
    #[error("{wanted} entries are wanted here")]
    MustHaveEntries {
        /// How many.
        wanted: usize,
    },
    /// Not one of the channels of an estimate.
    #[error("a channel is phone, chat, email or messaging")]
    UnknownChannel,
    /// Deferred work has a time by which all of it is done.
    #[error("only phone and chat have a target")]
    OnlyLiveChannelsHaveTarget,
    /// Both would contradict one another.
    #[error("give either \"per_month\", with a \"profile\" or without, or \"per_hour_of_week\"")]
    MonthOrHoursOfWeek,
    /// A rate per event needs an event.
    #[error("nothing arrives on any channel")]
    VolumeMustNotBeZero,
    /// More than everything cannot be taken off.
    #[error("a discount is at most 100%")]
    PercentMustNotExceedWhole,
    /// A count or a number outgrows what it is kept in.
    #[error("the result is too large")]
    TooLarge,
    /// Civil dates, ISO 8601.
    #[error("a date is written 2026-03-31")]
    MustBeDate,
    /// Instants, RFC 3339.
    #[error("an instant is written 2026-03-31T10:00:00Z, with its offset")]
    MustBeInstant,
    /// Times of day, to the minute.
    #[error("a time of day is written 18:00")]
    MustBeTimeOfDay,
    /// Not in the IANA tables.
    #[error("\"{0}\" is not an IANA time zone")]
    UnknownTimeZone(String),
    /// Not one of the price models.
    #[error("\"{0}\" is not a price model")]
    UnknownModel(String),
    /// Not one of the operations of `ringtill price`.
    #[error("\"{0}\" is not an operation")]
    UnknownOperation(String),
    /// Amounts are rounded to micros or to the minor unit.
    #[error("rounding is \"micros\" or \"minor\"")]
    UnknownRounding,
    /// Rates are per second, minute or hour.
    #[error("a rate is per \"second\", \"minute\" or \"hour\"")]
    UnknownUnitOfTime,
    /// Days of bands.
    #[error("a day is mon, tue, wed, thu, fri, sat, sun or holiday")]
    UnknownDay,
    /// Tiers, steps and days need one entry.
    #[error("this list must not be empty")]
    MustNotBeEmpty,
    /// Otherwise a quantity would lie in two tiers.
    #[error("each tier ends above the one before it")]
    TiersMustRise,
    /// Otherwise some quantity would have no price.
    #[error("the last tier is open: \"up_to\": null")]
    LastTierMustBeOpen,
    /// What follows an open tier could never be reached.
    #[error("only the last tier is open")]
    OnlyLastTierIsOpen,
    /// Otherwise a second would have two rates.
    #[error("each step begins after the one before it")]
    StepsMustRise,
    /// Otherwise the first seconds would have no rate.
    #[error("the first step begins at second 0")]
    FirstStepMustBeAtZero,
    /// `rate` is short for one step; both would contradict one another.
    #[error("give either \"rate\" or \"steps\"")]
    RateOrSteps,
    /// Both could not hold.
    #[error("the minimum is above the maximum")]
    MinimumMustNotExceedMaximum,
    /// A price by dimension, for a value that it does not name.
    #[error("no price for {dimension} \"{found}\", and no default")]
    NoCaseMatches {
        /// The dimension asked for.
        dimension: String,
        /// The usage's value of it; empty when it has none.
        found: String,
    },
    /// Of an amount used before, the events are not known.
    #[error("single events cannot follow an amount already used")]
    EventsMustStandAlone,
    /// A share of no days is not defined.
    #[error("a period ends after it begins")]
    PeriodMustNotBeEmpty,
    /// A share is part of its whole.
    #[error("the days used must lie within the period")]
    UsedMustLieInPeriod,
    /// Its end included: then nothing is left to change.
    #[error("the change must lie within the period")]
    ChangeMustLieInPeriod,
    /// One alone does not say a share.
    #[error("\"period\" and \"used\" come together")]
    PeriodAndUsedComeTogether,
    /// Days are counted forwards.
    #[error("the end lies before the beginning")]
    EndBeforeBeginning,
    /// E.164.
    #[error("a called number has 1 to 15 digits, and may begin with +")]
    MustBeCalledNumber,
    /// Digits of E.164 numbers.
    #[error("a prefix has 1 to 15 digits")]
    MustBePrefix,
}

impl PricingError {
    /// The name of the rule, in snake case; it never changes once published.
    pub fn code(&self) -> &'static str {
        match self {
            PricingError::Money(error) => money_code(error),
            PricingError::MustBeJson(_) => "must_be_json",
            PricingError::Missing => "missing",
            PricingError::UnknownField => "unknown_field",
            PricingError::WrongType(_) => "wrong_type",
            PricingError::MustNotBeNegative => "must_not_be_negative",
            PricingError::MustBeAboveZero => "must_be_above_zero",
            PricingError::MustBeShare => "must_be_share",
            PricingError::MustBeBelowOne => "must_be_below_one",
            PricingError::MustNotExceed { .. } => "must_not_exceed",
            PricingError::MarginMustBeBelowWhole => "margin_must_be_below_whole",
            PricingError::SharesMustSumToOne => "shares_must_sum_to_one",
            PricingError::MustNotRepeat => "must_not_repeat",
            PricingError::MustHaveEntries { .. } => "must_have_entries",
            PricingError::UnknownChannel => "unknown_channel",
            PricingError::OnlyLiveChannelsHaveTarget => "only_live_channels_have_target",
            PricingError::MonthOrHoursOfWeek => "month_or_hours_of_week",
            PricingError::VolumeMustNotBeZero => "volume_must_not_be_zero",
            PricingError::PercentMustNotExceedWhole => "percent_must_not_exceed_whole",
            PricingError::TooLarge => "too_large",
            PricingError::MustBeDate => "must_be_date",
            PricingError::MustBeInstant => "must_be_instant",
            PricingError::MustBeTimeOfDay => "must_be_time_of_day",
            PricingError::UnknownTimeZone(_) => "unknown_time_zone",
            PricingError::UnknownModel(_) => "unknown_model",
            PricingError::UnknownOperation(_) => "unknown_operation",
            PricingError::UnknownRounding => "unknown_rounding",
            PricingError::UnknownUnitOfTime => "unknown_unit_of_time",
            PricingError::UnknownDay => "unknown_day",
            PricingError::MustNotBeEmpty => "must_not_be_empty",
            PricingError::TiersMustRise => "tiers_must_rise",
            PricingError::LastTierMustBeOpen => "last_tier_must_be_open",
            PricingError::OnlyLastTierIsOpen => "only_last_tier_is_open",
            PricingError::StepsMustRise => "steps_must_rise",
            PricingError::FirstStepMustBeAtZero => "first_step_must_be_at_zero",
            PricingError::RateOrSteps => "rate_or_steps",
            PricingError::MinimumMustNotExceedMaximum => "minimum_must_not_exceed_maximum",
            PricingError::NoCaseMatches { .. } => "no_case_matches",
            PricingError::EventsMustStandAlone => "events_must_stand_alone",
            PricingError::PeriodMustNotBeEmpty => "period_must_not_be_empty",
            PricingError::UsedMustLieInPeriod => "used_must_lie_in_period",
            PricingError::ChangeMustLieInPeriod => "change_must_lie_in_period",
            PricingError::PeriodAndUsedComeTogether => "period_and_used_come_together",
            PricingError::EndBeforeBeginning => "end_before_beginning",
            PricingError::MustBeCalledNumber => "must_be_called_number",
            PricingError::MustBePrefix => "must_be_prefix",
        }
    }

    /// The refusal of a whole document or of one place in it.
    pub fn at(self, pointer: impl Into<String>) -> DocumentError {
        DocumentError { rule: self, pointer: pointer.into(), found: String::new() }
    }
}

fn money_code(error: &MoneyError) -> &'static str {
    match error {
        MoneyError::CurrencyMustMatch { .. } => "currency_must_match",
        MoneyError::CurrencyMustBeIso4217(_) => "currency_must_be_iso_4217",
        MoneyError::Overflow => "too_large",
        MoneyError::NotADecimal(_) => "not_a_decimal",
        MoneyError::TooManyDigits => "too_many_digits",
        MoneyError::FinerThanMinorUnit(_) => "finer_than_minor_unit",
        MoneyError::FinerThanMicros => "finer_than_micros",
        MoneyError::WeightsMustNotBeZero => "weights_must_not_be_zero",
        MoneyError::WeightMustNotBeNegative | MoneyError::PercentMustNotBeNegative => "must_not_be_negative",
        MoneyError::SharesMustSumToWhole(_) => "shares_must_sum_to_whole",
    }
}

/// A rule that a document breaks, where, and with what: `/price/tiers/1/unit`, `"-0.5"`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{rule}{} ({pointer})", if found.is_empty() { String::new() } else { format!(": {found}") })]
pub struct DocumentError {
    /// The rule broken.
    pub rule: PricingError,
    /// JSON pointer (RFC 6901) to the value that breaks it; empty for the whole document.
    pub pointer: String,
    /// The offending value as it was written, shortened; empty when it is missing.
    pub found: String,
}

/// An offending value is told with at most so many characters.
const FOUND_MAX: usize = 80;

impl DocumentError {
    /// The same refusal with the value that stands at its place in the document, unless it names one already.
    pub(crate) fn found_in(self, document: &Value) -> DocumentError {
        if self.pointer.is_empty() || !self.found.is_empty() {
            return self;
        }
        match document.pointer(&self.pointer) {
            Some(value) => self.with(value),
            None => self,
        }
    }

    /// The same refusal with the value that breaks the rule.
    pub fn with(mut self, found: impl fmt::Display) -> DocumentError {
        let text = found.to_string();
        self.found = text.chars().take(FOUND_MAX).collect();
        if self.found.len() < text.len() {
            self.found.push('…');
        }
        self
    }
}

impl From<DocumentError> for PricingError {
    fn from(error: DocumentError) -> PricingError {
        error.rule
    }
}
