//! Rules of the crates below in the words of a form: what a value must be, at the field where it stands.

use pricing::PricingError;

/// A rule of pricing. Percentages and shares are all typed as percent.
pub fn of_pricing(rule: &PricingError) -> String {
    use PricingError as E;
    let words = match rule {
        E::MustNotBeNegative => "Must not be negative.",
        E::MustBeAboveZero => "Must be above zero.",
        E::MustBeShare => "Must be from 0 to 100.",
        E::MustBeBelowOne | E::MarginMustBeBelowWhole => "Must be below 100.",
        E::MustNotExceed { most } => return format!("Must be at most {most}."),
        E::SharesMustSumToOne => "All shares together must be 100.",
        E::MustNotRepeat => "Must not stand here twice.",
        E::VolumeMustNotBeZero => "Must be above zero on one channel at least.",
        E::PercentMustNotExceedWhole => "Must be at most 100.",
        E::TooLarge => "Is too large to be computed.",
        E::MustBeTimeOfDay => "Must be a time of day, as in 08:00.",
        E::UnknownTimeZone(_) => "Must be a time zone, as in Europe/Berlin.",
        E::Money(money::MoneyError::CurrencyMustBeIso4217(_)) => "Must be an ISO 4217 code such as EUR.",
        E::Missing | E::MustNotBeEmpty => "Must not be empty.",
        E::TiersMustRise => "Must be above the end of the tier before.",
        E::LastTierMustBeOpen => "The last tier must have no end.",
        E::OnlyLastTierIsOpen => "Must not be empty: only the last tier has no end.",
        E::MinimumMustNotExceedMaximum => "Must not be below what is charged at least.",
        other => return sentence(&other.to_string()),
    };
    words.to_owned()
}

/// A rule of the catalogue.
pub fn of_subscription(rule: &subscription::Rule) -> String {
    match rule {
        subscription::Rule::Document(rule) => of_pricing(rule),
        other => sentence(&other.to_string()),
    }
}

/// A rule as a sentence: it begins large and ends with a full stop.
pub fn sentence(rule: &str) -> String {
    let mut letters = rule.chars();
    match letters.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), letters.as_str().trim_end_matches('.')),
        None => String::new(),
    }
}
