//! A derivation as data: which rule made each term of a sum, out of which values. `explain_text.rs` tells it in words, for everybody.

use money::{Decimal, Percent};
use serde::{Deserialize, Serialize};

use crate::price::Segment;
use crate::{Per, RoundTo};

/// How an amount came about. Stored with the charge, shown to whoever asks "why this much?".
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Explanation {
    /// The price that was applied, where the sum has a single one that is kept by version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<PriceVersion>,
    /// The terms of the sum, then its total.
    pub steps: Vec<Step>,
}

/// A price as the catalogue keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceVersion {
    /// The plan or tariff.
    pub name: String,
    /// Its version.
    pub version: u32,
    /// The component of the plan; empty for a tariff.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub component: String,
}

/// One term of a sum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The rule that made it, with the values that it took.
    pub rule: Rule,
    /// For which part of the usage, when a price differs by dimension: `en`, `de, mobile`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub part: String,
    /// Its result in main units, to ten decimals; a count where the rule counts.
    pub amount: Decimal,
}

/// What a step is. Amounts and rates are in main units; `up_to` is `None` for the last, open tier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Rule {
    // Calls.
    /// A call of 0 seconds.
    NotAnswered,
    /// The fee of an answered call.
    Connection,
    /// Seconds taken off before anything is billed.
    FreeSeconds { free: u64, of: u32 },
    /// Time at one rate; `band` as the tariff describes it. Above 1, `times` stretches are told together.
    Stretch { from_second: u64, seconds: u64, times: u64, rate: Decimal, per: Per, band: Option<String> },
    /// A call's total: how metered seconds became billed ones, and to what the sum was rounded.
    CallTotal { metered_seconds: u32, billed_seconds: u64, first_increment: u64, increment: u32, rounded_to: RoundTo },
    /// How long a balance lasts.
    TalkTime { unlimited: bool },

    // Prices of a quantity.
    /// All units at one rate.
    Units { quantity: Decimal, rate: Decimal },
    /// A graduated tier's own slice.
    Tier { up_to: Option<Decimal>, quantity: Decimal, rate: Decimal, flat: Decimal },
    /// A tier's percentage of its own slice of the amount.
    PercentTier { up_to: Option<Decimal>, base: Decimal, percent: Decimal, flat: Decimal },
    /// All units at the rate of the tier that the total falls in.
    Volume { up_to: Option<Decimal>, quantity: Decimal, rate: Decimal, flat: Decimal },
    /// Started packages.
    Packages { beyond: Decimal, free: Decimal, size: Decimal, packages: Decimal, rate: Decimal },
    /// The amount of the range reached.
    Range { up_to: Option<Decimal> },
    /// An event inside the free part.
    FreeEvent { base: Decimal },
    /// An event's percentage and fixed fee; `instead_of` when a limit of each event changed it.
    PercentOf { base: Decimal, percent: Decimal, fixed: Decimal, instead_of: Option<Decimal> },
    /// The price's minimum.
    Minimum { instead_of: Decimal },
    /// The price's or the call's maximum.
    Maximum { instead_of: Decimal },
    /// What the quantity used before costs, taken off.
    AlreadyRated { used: Decimal },

    // Lines of a document.
    /// Units that the plan includes; the amount is how many.
    Included { used: Decimal },
    /// A part of the period; `share` as in `17/31 days`.
    Share { of: Decimal, share: String },
    /// Days out of a period.
    Days { of: Decimal, days: u32, of_days: u32 },
    /// Charges of calls, tax included.
    CallCharges { calls: Decimal },
    /// The recurring amounts that a discount is taken off.
    Recurring,
    /// What was used, before a commitment.
    Usage,
    /// The minimum that was agreed for these days.
    Commitment { days: u32, of_days: u32 },
    /// What is missing to it.
    TrueUp,
    /// A percentage off.
    PercentOff { kind: Discount, percent: Percent, of: Decimal },
    /// An amount off.
    AmountOff { kind: Discount },
    /// All discounts together, rounded once and shared by weight.
    Discounts { percents: Vec<Percent>, amounts: Vec<Decimal> },
    /// The most that fees come to in a period.
    FeeCap { instead_of: Decimal },
    /// A percentage of other components' amounts.
    PercentOfOthers { base: Decimal, percent: Decimal },
    /// The unused days of what was billed, from this date until that one.
    UnusedDays { from: chrono::NaiveDate, until: chrono::NaiveDate },
    /// The same days at the new price.
    NewDays { from: chrono::NaiveDate, until: chrono::NaiveDate },
    /// What earlier documents charged for it, taken off.
    BilledBefore,
    /// What is left to charge or to give back.
    Difference,
    /// The tax of a group.
    Tax { category: String, base: Decimal, percent: Percent },
    /// Net and tax.
    Gross { net: Decimal, tax: Decimal },
    /// The part of an amount by a weight.
    Part { weight: Decimal },
    /// The sum of a change.
    Net,
    /// The sum. `segment` when bounds and fixed amounts shrank with the days.
    Total { rounded_to: Option<RoundTo>, segment: Option<Segment> },
    /// The sum of what includes its tax.
    TotalWithTax,

    // Calendars, routes and staff.
    /// How many periods.
    Periods { anchor: chrono::NaiveDate, months: u32, time_zone: String },
    /// How many dates.
    CivilDays { time_zone: String },
    /// What a route keeps of the sell rate.
    Margin { carrier: String, prefix: String, sell: Decimal, rate: Decimal },
    /// Agents at their seats.
    Agents { calls_per_hour: Decimal, handling_seconds: Decimal },
    /// Agents to be scheduled.
    Scheduled { shrinkage: Decimal },
    /// Calls that can be up at once.
    Channels { erlangs: Decimal },
}

/// Why something is taken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Discount {
    /// For a long term.
    Term,
    /// For staying.
    Loyalty,
    /// By a coupon.
    Coupon,
    /// Usage of a trial.
    Trial,
}

impl Rule {
    /// A sum that says nothing more.
    pub const TOTAL: Rule = Rule::Total { rounded_to: None, segment: None };
}

impl Step {
    /// A step of all the usage.
    pub fn new(rule: Rule, amount: Decimal) -> Step {
        Step { rule, part: String::new(), amount }
    }
}

impl Explanation {
    /// Steps without a price of the catalogue.
    pub fn of(steps: Vec<Step>) -> Explanation {
        Explanation { price: None, steps }
    }

    /// The same derivation with the price that was applied.
    pub fn by(mut self, price: PriceVersion) -> Explanation {
        self.price = Some(price);
        self
    }
}

/// Collects steps, or nothing: pricing a million lines should not write a million steps.
pub(crate) enum Workings {
    /// Nobody asked.
    Silent,
    /// Kept for an explanation.
    Kept(Vec<Step>),
}

impl Workings {
    pub(crate) fn kept() -> Workings {
        Workings::Kept(Vec::new())
    }

    pub(crate) fn note(&mut self, step: impl FnOnce() -> Step) {
        if let Workings::Kept(steps) = self {
            steps.push(step());
        }
    }

    pub(crate) fn into_explanation(self) -> Explanation {
        match self {
            Workings::Silent => Explanation::default(),
            Workings::Kept(steps) => Explanation::of(steps),
        }
    }
}
