//! Shapes that several nouns share: amounts, words, terms of a sum, a time span.

use super::body::Number;
use money::Money;
use pricing::Explanation;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

/// An amount: a decimal text and its currency.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Amount {
    #[schema(example = "16.55")]
    amount: String,
    /// ISO 4217
    #[schema(example = "EUR")]
    currency: String,
}

impl From<Money> for Amount {
    fn from(money: Money) -> Self {
        Self { amount: money.format_plain(), currency: money.currency().code().to_owned() }
    }
}

/// An amount that may be absent.
pub fn amount(money: Option<Money>) -> Option<Amount> {
    money.map(Amount::from)
}

/// One term of a sum: which rule made it out of which values, in words, and what it came to.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Term {
    /// For programs: `connection`, `stretch`, `units`, `tier`, `volume`, `percent_off`, `commitment`, `total` and others.
    #[schema(example = "stretch")]
    rule: String,
    /// What the rule took: tier or step, quantity and rate, increments, days, what was rounded to.
    #[schema(value_type = Object)]
    values: Map<String, Value>,
    /// For which part of the usage, when a price differs by dimension.
    #[serde(skip_serializing_if = "String::is_empty")]
    part: String,
    title: String,
    detail: String,
    #[schema(example = "20.0 × 0.50")]
    calculation: String,
    amount: Number,
}

/// The terms of a derivation, in the order of the sum.
pub fn terms(explanation: &Explanation) -> Vec<Term> {
    let term = |step: &pricing::Step| {
        let (rule, values) = rule(step);
        Term {
            rule,
            values,
            part: step.part.clone(),
            title: step.title(),
            detail: step.detail(),
            calculation: step.calculation(),
            amount: Number(step.amount),
        }
    };
    explanation.steps.iter().map(term).collect()
}

/// A rule by its name, and the values beside it: as it is kept with the charge.
fn rule(step: &pricing::Step) -> (String, Map<String, Value>) {
    match serde_json::to_value(&step.rule) {
        Ok(Value::String(name)) => (name, Map::new()),
        Ok(Value::Object(tagged)) => match tagged.into_iter().next() {
            Some((name, Value::Object(values))) => (name, values),
            Some((name, _)) => (name, Map::new()),
            None => Default::default(),
        },
        _ => Default::default(),
    }
}

/// The price of the catalogue that was applied.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PricedBy {
    /// The plan or tariff.
    name: String,
    version: u32,
    /// The component of the plan; left out for a tariff.
    #[serde(skip_serializing_if = "String::is_empty")]
    component: String,
}

/// The price that a derivation stands on, where it has a single one.
pub fn priced_by(explanation: &Explanation) -> Option<PricedBy> {
    let of = explanation.price.clone()?;
    Some(PricedBy { name: of.name, version: of.version, component: of.component })
}

fn one_of(words: impl IntoIterator<Item = &'static str>) -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).build()
}

macro_rules! words {
    ($($name:ident = $words:expr;)*) => {$(
        /// The words of this enum.
        pub fn $name() -> Object {
            one_of($words)
        }
    )*};
}
words! {
    billing = subscription::Billing::ALL.iter().map(|word| word.as_str());
    tax_treatment = subscription::TaxTreatment::ALL.iter().map(|word| word.as_str());
    plan_state = subscription::PlanState::ALL.iter().map(|word| word.as_str());
    subscription_status = subscription::SubscriptionStatus::ALL.iter().map(|word| word.as_str());
    ended_by = subscription::EndedBy::ALL.iter().map(|word| word.as_str());
    change_kind = subscription::ChangeKind::ALL.iter().map(|word| word.as_str());
    trial_end = subscription::TrialEnd::ALL.iter().map(|word| word.as_str());
    number_kind = subscription::NumberKind::ALL.iter().map(|word| word.as_str());
    unknown_callers = subscription::UnknownCallers::ALL.iter().map(|word| word.as_str());
    meter_starts = subscription::MeterStarts::ALL.iter().map(|word| word.as_str());
    collection = subscription::Collection::ALL.iter().map(|word| word.as_str());
    share_of = subscription::ShareOf::ALL.iter().map(|word| word.as_str());
    payment_method = payments::MethodKind::WORDS;
    document_kind = DOCUMENT_KINDS.map(|kind| kind.as_str());
    quote_state = ["open", "accepted", "withdrawn", "expired"];
    payment_status = ["paid", "part_paid", "open", "overdue"];
    call_state = ["menu", "queued", "talking", "held", "ended"];
    charged_by = ["tariff", "component", "nothing"];
    aggregation = usage_metering::Aggregation::ALL.map(usage_metering::Aggregation::as_str);
    settlement_state = invoicing::SettlementState::ALL.map(invoicing::SettlementState::as_str);
    recharge_state = ledger::RechargeState::ALL.map(ledger::RechargeState::as_str);
    account = ledger::AccountKind::all().map(ledger::AccountKind::code);
}

/// What a document may be.
pub const DOCUMENT_KINDS: [invoicing::DocumentKind; 3] =
    [invoicing::DocumentKind::Invoice, invoicing::DocumentKind::CreditNote, invoicing::DocumentKind::Settlement];

/// A value in a request that may be left out, or given as null.
pub mod present {
    use serde::{Deserialize, Deserializer};

    /// `None`: left out. `Some(None)`: null.
    pub fn deserialize<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
        deserializer: D,
    ) -> Result<Option<Option<T>>, D::Error> {
        Option::<T>::deserialize(deserializer).map(Some)
    }
}
