//! Shapes that several nouns share: amounts, words, terms of a sum, a time span.

use super::body::Number;
use money::Money;
use pricing::Explanation;
use serde::Serialize;
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

/// One term of a sum: what it is, what decided it, how it was reckoned, what it came to.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Term {
    title: String,
    detail: String,
    #[schema(example = "20.0 × 0.50")]
    calculation: String,
    amount: Number,
}

/// The terms of a derivation, in the order of the sum.
pub fn terms(explanation: &Explanation) -> Vec<Term> {
    let term = |step: &pricing::Step| Term {
        title: step.title(),
        detail: step.detail(),
        calculation: step.calculation(),
        amount: Number(step.amount),
    };
    explanation.steps.iter().map(term).collect()
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
    document_kind = DOCUMENT_KINDS.map(|kind| kind.as_str());
    quote_state = ["open", "accepted", "withdrawn", "expired"];
    payment_status = ["paid", "part_paid", "open", "overdue"];
    call_state = ["menu", "queued", "talking", "held", "ended"];
    charged_by = ["tariff", "component", "nothing"];
    aggregation = ["sum", "count", "max"];
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
