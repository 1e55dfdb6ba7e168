//! What staying brings: after n months a percentage off, an add-on for nothing, or a feature.

use crate::error::{Result, Rule, must};
use crate::rules;
use db::PlanVersionId;
use money::Percent;
use serde::{Deserialize, Serialize};

/// What a subscriber gets for staying.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoyaltyReward {
    /// Off recurring components, beside the term discount. Of several rules the one reached last holds.
    PercentOff(Percent),
    /// An add-on that costs nothing; who pays for it pays no longer.
    FreeAddOn(PlanVersionId),
    /// A feature such as `premium_support`.
    Feature(String),
}

/// After so many months since the subscription's anchor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoyaltyRule {
    /// It holds from the service period at this position on.
    pub after_months: u32,
    #[serde(flatten)]
    pub reward: LoyaltyReward,
}

pub(crate) fn check(loyalty: &[LoyaltyRule]) -> Result<()> {
    for (index, rule) in loyalty.iter().enumerate() {
        let field = format!("loyalty/{index}");
        rules::between(&format!("{field}/after_months"), rule.after_months.into(), 1, 600)?;
        match &rule.reward {
            LoyaltyReward::PercentOff(percent) => {
                must(*percent <= Percent::WHOLE, format!("{field}/percent_off"), Rule::MustNotExceedWhole, percent)?;
            }
            LoyaltyReward::Feature(feature) => rules::feature(&format!("{field}/feature"), feature)?,
            LoyaltyReward::FreeAddOn(_) => {}
        }
        // Which of two percentages would hold? Two gifts, or two features, may come together.
        let is_percent = |rule: &LoyaltyRule| matches!(rule.reward, LoyaltyReward::PercentOff(_));
        let repeats = |earlier: &&LoyaltyRule| {
            let is_same_kind = *earlier == rule || is_percent(earlier) && is_percent(rule);
            earlier.after_months == rule.after_months && is_same_kind
        };
        let repeated = loyalty[..index].iter().any(|earlier| repeats(&earlier));
        must(!repeated, field, Rule::MustBeUnique, rule.after_months)?;
    }
    Ok(())
}
