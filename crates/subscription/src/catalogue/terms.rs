//! The terms of a plan version: what they say, and the rules that they keep.

use super::component::{Component, Measure, component_refusals, standard_measures};
use super::loyalty::{self, LoyaltyRule};
use crate::error::{Refusal, Result, Rule, must, same_currency};
use crate::rules;
use crate::words::{LateUsage, TrialEnd};
use chrono::{DateTime, Utc};
use db::{PlanId, PlanVersionId};
use money::{Currency, Money, Percent};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Days of a trial when nothing else is said.
pub const TRIAL_DAYS_DEFAULT: u32 = 14;

/// What usage costs in a trial.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TrialUsage {
    /// What it costs later.
    #[default]
    Charged,
    /// Nothing, as long as it comes to no more than this; what is above is charged.
    FreeUpTo(Money),
}

/// How much of a feature a subscriber may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    pub amount: Decimal,
    /// The meter whose quantity in the running period counts against it; without one it is a plain number.
    #[serde(default)]
    pub meter: Option<String>,
}

/// The terms of a plan as they were published.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanVersion {
    pub id: PlanVersionId,
    pub plan_id: PlanId,
    /// Counts from 1 within the plan.
    pub version: u32,
    pub currency: Currency,
    pub term_months: u32,
    /// After so many terms it expires; `None`: it renews.
    pub fixed_terms: Option<u32>,
    pub trial_days: u32,
    pub trial_usage: TrialUsage,
    pub trial_end: TrialEnd,
    /// Off recurring components.
    pub term_discount_percent: Percent,
    /// The least that usage components come to in a period; zero = none.
    pub commitment: Money,
    /// The most that a period comes to before discounts.
    pub fee_cap: Option<Money>,
    pub late_usage: LateUsage,
    pub loyalty: Vec<LoyaltyRule>,
    /// What a subscriber may use.
    pub features: Vec<String>,
    /// How much of a feature; a feature without a limit has none.
    pub limits: BTreeMap<String, Limit>,
    /// Seats that belong to the plan.
    pub seat_limit: Option<u32>,
    /// Seats beyond the limit are charged by the seat component instead of refused.
    pub sells_extra_seats: bool,
    /// In the order of the lines.
    pub components: Vec<Component>,
    pub published_at: DateTime<Utc>,
}

/// A version to be.
#[derive(Clone, Debug, PartialEq)]
pub struct NewPlanVersion {
    pub currency: Currency,
    /// 1, 3, 6, 12 or any other number of months.
    pub term_months: u32,
    pub fixed_terms: Option<u32>,
    pub trial_days: u32,
    pub trial_usage: TrialUsage,
    pub trial_end: TrialEnd,
    pub term_discount_percent: Percent,
    pub commitment: Money,
    pub fee_cap: Option<Money>,
    pub late_usage: LateUsage,
    pub loyalty: Vec<LoyaltyRule>,
    pub features: Vec<String>,
    pub limits: BTreeMap<String, Limit>,
    pub seat_limit: Option<u32>,
    pub sells_extra_seats: bool,
    pub components: Vec<Component>,
}

impl NewPlanVersion {
    /// Month by month, with the usual trial, no discount and no commitment; change the fields that differ.
    pub fn monthly(currency: Currency, components: Vec<Component>) -> NewPlanVersion {
        NewPlanVersion {
            currency,
            term_months: 1,
            fixed_terms: None,
            trial_days: TRIAL_DAYS_DEFAULT,
            trial_usage: TrialUsage::Charged,
            trial_end: TrialEnd::Convert,
            term_discount_percent: Percent::ZERO,
            commitment: Money::zero(currency),
            fee_cap: None,
            late_usage: LateUsage::Bill,
            loyalty: Vec::new(),
            features: Vec::new(),
            limits: BTreeMap::new(),
            seat_limit: None,
            sells_extra_seats: false,
            components,
        }
    }

    /// The version that publishing would make: for dry runs, which price with terms that nobody has yet.
    pub fn assumed(&self, plan_id: PlanId, now: DateTime<Utc>) -> PlanVersion {
        PlanVersion {
            id: PlanVersionId::new(),
            plan_id,
            version: 0,
            currency: self.currency,
            term_months: self.term_months,
            fixed_terms: self.fixed_terms,
            trial_days: self.trial_days,
            trial_usage: self.trial_usage,
            trial_end: self.trial_end,
            term_discount_percent: self.term_discount_percent,
            commitment: self.commitment,
            fee_cap: self.fee_cap,
            late_usage: self.late_usage,
            loyalty: self.loyalty.clone(),
            features: self.features.clone(),
            limits: self.limits.clone(),
            seat_limit: self.seat_limit,
            sells_extra_seats: self.sells_extra_seats,
            components: self.components.clone(),
            published_at: now,
        }
    }

    /// Refuses the version when it breaks a rule: the first one, in the order of the document.
    pub(crate) fn check(&self, own_meters: &[Measure]) -> Result<()> {
        self.refusals(own_meters).into_iter().next().map_or(Ok(()), |refusal| Err(refusal.into()))
    }

    /// Every rule that it breaks: at most one of each part.
    pub fn refusals(&self, own_meters: &[Measure]) -> Vec<Refusal> {
        let mut measures = own_meters.to_vec();
        let is_own = |standard: &Measure| own_meters.iter().any(|own| own.code == standard.code);
        measures.extend(standard_measures().into_iter().filter(|standard| !is_own(standard)));
        let parts = [
            self.check_term(),
            self.check_amounts(),
            self.check_features(),
            self.check_limits(&measures),
            loyalty::check(&self.loyalty),
        ];
        let components = component_refusals(&self.components, &measures);
        parts
            .into_iter()
            .filter_map(Result::err)
            .filter_map(|error| error.refusal().cloned())
            .chain(components)
            .collect()
    }

    fn check_term(&self) -> Result<()> {
        rules::between("term_months", self.term_months.into(), 1, 120)?;
        rules::between("trial_days", self.trial_days.into(), 0, 365)?;
        if let Some(terms) = self.fixed_terms {
            rules::between("fixed_terms", terms.into(), 1, 120)?;
        }
        let discount = self.term_discount_percent;
        must(discount <= Percent::WHOLE, "term_discount_percent", Rule::MustNotExceedWhole, discount.as_decimal())
    }

    fn check_features(&self) -> Result<()> {
        for (index, feature) in self.features.iter().enumerate() {
            let field = format!("features/{index}");
            rules::feature(&field, feature)?;
            must(!self.features[..index].contains(feature), field, Rule::MustBeUnique, feature)?;
        }
        Ok(())
    }

    fn check_amounts(&self) -> Result<()> {
        let amount = |field: &str, amount: Money| {
            same_currency(field, self.currency, amount.currency())?;
            must(!amount.is_negative(), field, Rule::MustNotBeNegative, amount)
        };
        amount("commitment", self.commitment)?;
        if let Some(cap) = self.fee_cap {
            amount("fee_cap", cap)?;
            must(cap.micros() >= self.commitment.micros(), "fee_cap", Rule::CapMustReachCommitment, cap)?;
        }
        match self.trial_usage {
            TrialUsage::Charged => Ok(()),
            TrialUsage::FreeUpTo(cap) => amount("trial_usage", cap),
        }
    }

    fn check_limits(&self, measures: &[Measure]) -> Result<()> {
        for (feature, limit) in &self.limits {
            let field = format!("limits/{feature}");
            must(self.features.contains(feature), field.clone(), Rule::MustBeFeatureOfPlan, feature)?;
            must(limit.amount >= Decimal::ZERO, field.clone(), Rule::MustNotBeNegative, limit.amount)?;
            if let Some(meter) = &limit.meter {
                let known: Vec<&str> = measures.iter().map(|measure| measure.code.as_str()).collect();
                let rule = Rule::MustBeKnownMeasure(known.join(", "));
                must(known.contains(&meter.as_str()), format!("{field}/meter"), rule, meter)?;
            }
        }
        if let Some(seats) = self.seat_limit {
            must(i32::try_from(seats).is_ok(), "seat_limit", Rule::MustLieBetween(0, i32::MAX.into()), seats)?;
        }
        let sells = self.components.iter().any(|part| part.kind == crate::ComponentKind::Seat);
        must(!self.sells_extra_seats || sells, "sells_extra_seats", Rule::ExtraSeatsNeedSeatComponent, "true")
    }
}
