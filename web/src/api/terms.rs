//! The terms of a plan version as a document: what a version is read from and shown as.

use super::body::Number;
use super::problem::{ApiResult, Problem};
use super::shapes;
use money::{Currency, Money, Percent};
use pricing::Price;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use subscription::{
    Billed, Component, ComponentKind, LateUsage, Limit, LoyaltyReward, LoyaltyRule, NewPlanVersion, PlanVersion,
    TrialEnd, TrialUsage,
};
use utoipa::ToSchema;

/// The terms of a plan. Prices are per month, whatever the term.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// ISO 4217
    #[schema(value_type = String, example = "EUR")]
    currency: Currency,
    /// 1, 3, 6, 12 or any other number of months.
    #[serde(default = "one")]
    term_months: u32,
    /// After so many terms it expires; null: it renews.
    #[serde(default)]
    fixed_terms: Option<u32>,
    #[serde(default = "trial_days")]
    trial_days: u32,
    /// What usage costs in a trial: null as later, otherwise nothing up to this amount.
    #[serde(default)]
    #[schema(value_type = Option<shapes::Amount>)]
    trial_usage_free_up_to: Option<Money>,
    /// What becomes of a trial without a means of payment on file.
    #[serde(default = "convert")]
    #[schema(schema_with = shapes::trial_end)]
    trial_end: TrialEnd,
    /// Off recurring components.
    #[serde(default = "zero")]
    term_discount_percent: Number,
    /// The least that usage components come to in a period.
    #[serde(default)]
    #[schema(value_type = Option<shapes::Amount>)]
    commitment: Option<Money>,
    /// The most that a period comes to before discounts.
    #[serde(default)]
    #[schema(value_type = Option<shapes::Amount>)]
    fee_cap: Option<Money>,
    #[serde(default = "bill")]
    #[schema(schema_with = shapes::late_usage)]
    late_usage: LateUsage,
    #[serde(default)]
    loyalty: Vec<Loyalty>,
    /// What a subscriber may use.
    #[serde(default)]
    features: Vec<String>,
    /// How much of a feature; a feature without a limit has none.
    #[serde(default)]
    limits: BTreeMap<String, FeatureLimit>,
    /// Seats that belong to the plan.
    #[serde(default)]
    seat_limit: Option<u32>,
    /// Seats beyond the limit are charged instead of refused.
    #[serde(default)]
    sells_extra_seats: bool,
    /// In the order of an invoice's lines.
    components: Vec<Part>,
}

/// After so many months: a percentage off, an add-on for nothing, or a feature. Exactly one of them.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LoyaltyRule)]
struct Loyalty {
    after_months: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    percent_off: Option<Number>,
    /// The version of an add-on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    free_add_on: Option<db::PlanVersionId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    feature: Option<String>,
}

/// How much of a feature a subscriber may use.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Limit)]
struct FeatureLimit {
    amount: Number,
    /// The meter that counts against it; null: a plain number.
    #[serde(default)]
    meter: Option<String>,
}

/// One thing that a plan charges for.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Component)]
struct Part {
    /// Lasts across versions and plans.
    key: String,
    #[schema(schema_with = shapes::component_kind)]
    kind: ComponentKind,
    /// As printed on a line.
    name: String,
    /// `usage`, `hours`: the meter's code. `seat`: `assigned`, `active`, `peak` or `daily`. `channels`: `channel_peak`.
    /// `percent`: the key of the component it is a share of, or nothing for all of them. Otherwise nothing.
    #[serde(default)]
    measure: Option<String>,
    /// Dimensions that usage must have.
    #[serde(default)]
    filter: BTreeMap<String, String>,
    /// Units of each period that come before the price.
    #[serde(default = "zero")]
    included: Number,
    /// At least so many units are priced in each period.
    #[serde(default = "zero")]
    minimum_quantity: Number,
    /// A price document: `{"model":"per_unit","unit":"0.50"}`, or `graduated`, `volume`, `package`, `stairstep`, `percent`,
    /// `graduated_percent`, `by`.
    #[schema(value_type = Object, example = json!({"model": "per_unit", "unit": "0.50"}))]
    price: serde_json::Value,
    #[schema(schema_with = shapes::billed)]
    billed: Billed,
}

fn one() -> u32 {
    1
}
fn trial_days() -> u32 {
    subscription::TRIAL_DAYS_DEFAULT
}
fn convert() -> TrialEnd {
    TrialEnd::Convert
}
fn bill() -> LateUsage {
    LateUsage::Bill
}
fn zero() -> Number {
    Number(money::Decimal::ZERO)
}

impl Terms {
    /// Keys of the components, in their order: what rules name a component by.
    pub fn keys(&self) -> Vec<String> {
        self.components.iter().map(|part| part.key.clone()).collect()
    }

    /// The domain's own form; refuses what cannot be read. What breaks a rule of the catalogue is refused there.
    pub fn read(self) -> ApiResult<NewPlanVersion> {
        let currency = self.currency;
        let percent = Percent::new(self.term_discount_percent.0);
        let percent = percent.map_err(|error| invalid("/term_discount_percent", error))?;
        let loyalty = self.loyalty.into_iter().enumerate().map(|(index, rule)| rule.read(index));
        let components = self.components.into_iter().enumerate().map(|(index, part)| part.read(index));
        let limit =
            |(feature, limit): (String, FeatureLimit)| (feature, Limit { amount: limit.amount.0, meter: limit.meter });
        Ok(NewPlanVersion {
            currency,
            term_months: self.term_months,
            fixed_terms: self.fixed_terms,
            trial_days: self.trial_days,
            trial_usage: self.trial_usage_free_up_to.map_or(TrialUsage::Charged, TrialUsage::FreeUpTo),
            trial_end: self.trial_end,
            term_discount_percent: percent,
            commitment: self.commitment.unwrap_or(Money::zero(currency)),
            fee_cap: self.fee_cap,
            late_usage: self.late_usage,
            loyalty: loyalty.collect::<ApiResult<_>>()?,
            features: self.features,
            limits: self.limits.into_iter().map(limit).collect(),
            seat_limit: self.seat_limit,
            sells_extra_seats: self.sells_extra_seats,
            components: components.collect::<ApiResult<_>>()?,
        })
    }
}

impl Loyalty {
    fn read(self, index: usize) -> ApiResult<LoyaltyRule> {
        let percent = self.percent_off.map(|percent| Percent::new(percent.0)).transpose();
        let percent = percent.map_err(|error| invalid(format!("/loyalty/{index}/percent_off"), error))?;
        let rewards = [
            percent.map(LoyaltyReward::PercentOff),
            self.free_add_on.map(LoyaltyReward::FreeAddOn),
            self.feature.map(LoyaltyReward::Feature),
        ];
        let mut rewards = rewards.into_iter().flatten();
        match (rewards.next(), rewards.next()) {
            (Some(reward), None) => Ok(LoyaltyRule { after_months: self.after_months, reward }),
            _ => Err(Problem::invalid(
                format!("/loyalty/{index}"),
                "one_reward",
                "must name exactly one of percent_off, free_add_on and feature",
            )),
        }
    }
}

impl Part {
    fn read(self, index: usize) -> ApiResult<Component> {
        let price = Price::from_json(&self.price)
            .map_err(|error| Problem::from(error).below(&format!("/components/{index}/price")))?;
        Ok(Component {
            key: self.key,
            kind: self.kind,
            name: self.name,
            measure: self.measure,
            filter: self.filter,
            included: self.included.0,
            minimum_quantity: self.minimum_quantity.0,
            price,
            billed: self.billed,
        })
    }
}

fn invalid(pointer: impl Into<String>, error: money::MoneyError) -> Problem {
    let rule = pricing::PricingError::from(error);
    Problem::invalid(pointer, rule.code(), rule.to_string())
}

impl From<PlanVersion> for Terms {
    fn from(of: PlanVersion) -> Self {
        let limit = |(feature, limit): (String, Limit)| {
            (feature, FeatureLimit { amount: Number(limit.amount), meter: limit.meter })
        };
        Self {
            currency: of.currency,
            term_months: of.term_months,
            fixed_terms: of.fixed_terms,
            trial_days: of.trial_days,
            trial_usage_free_up_to: match of.trial_usage {
                TrialUsage::Charged => None,
                TrialUsage::FreeUpTo(amount) => Some(amount),
            },
            trial_end: of.trial_end,
            term_discount_percent: Number(of.term_discount_percent.as_decimal()),
            commitment: Some(of.commitment).filter(|commitment| !commitment.is_zero()),
            fee_cap: of.fee_cap,
            late_usage: of.late_usage,
            loyalty: of.loyalty.into_iter().map(Loyalty::from).collect(),
            features: of.features,
            limits: of.limits.into_iter().map(limit).collect(),
            seat_limit: of.seat_limit,
            sells_extra_seats: of.sells_extra_seats,
            components: of.components.into_iter().map(Part::from).collect(),
        }
    }
}

impl From<LoyaltyRule> for Loyalty {
    fn from(rule: LoyaltyRule) -> Self {
        let mut shown =
            Loyalty { after_months: rule.after_months, percent_off: None, free_add_on: None, feature: None };
        match rule.reward {
            LoyaltyReward::PercentOff(percent) => shown.percent_off = Some(Number(percent.as_decimal())),
            LoyaltyReward::FreeAddOn(version) => shown.free_add_on = Some(version),
            LoyaltyReward::Feature(feature) => shown.feature = Some(feature),
        }
        shown
    }
}

impl From<Component> for Part {
    fn from(of: Component) -> Self {
        Self {
            price: serde_json::to_value(&of.price).unwrap_or_default(),
            key: of.key,
            kind: of.kind,
            name: of.name,
            measure: of.measure,
            filter: of.filter,
            included: Number(of.included),
            minimum_quantity: Number(of.minimum_quantity),
            billed: of.billed,
        }
    }
}

/// Rules name a component by its key; a pointer counts them.
pub fn terms_pointer(mut problem: Problem, keys: &[String]) -> Problem {
    for field in &mut problem.fields {
        let Some(rest) = field.pointer.strip_prefix("/components/") else { continue };
        let (key, tail) = rest.split_once('/').map_or((rest, String::new()), |(key, tail)| (key, format!("/{tail}")));
        // Of two with one key the later one breaks the rule.
        if let Some(index) = keys.iter().rposition(|known| known == key) {
            field.pointer = format!("/components/{index}{tail}");
            problem.detail = format!("{}: {}.", field.pointer, field.detail);
        }
    }
    problem
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_of_a_component_points_to_its_place_in_the_body() {
        let keys = ["seat".to_owned(), "minutes".to_owned()];
        let named = Problem::invalid("/components/minutes/price/tiers/1/up_to", "tiers_must_rise", "each tier ..");
        assert_eq!(terms_pointer(named, &keys).fields[0].pointer, "/components/1/price/tiers/1/up_to");
        let counted = Problem::invalid("/components/0/key", "must_be_key", "must ..");
        assert_eq!(terms_pointer(counted, &keys).fields[0].pointer, "/components/0/key");
    }
}
