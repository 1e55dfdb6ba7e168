//! Prices of a quantity: per unit, tiers, packages, percentages, and by dimension.

use std::collections::BTreeMap;

use money::{Currency, Decimal, Money};
use serde::{Deserialize, Serialize};

use crate::explain::{Explanation, Rule, Step, Workings};
use crate::spell::shown;
use crate::tiers::{Context, Slice, SliceRate, graduated, package, volume};
use crate::{Exact, PricingError, RoundTo};

/// A price document. Read strictly by [`Price::from_json`]; amounts are in main units of whatever currency it is billed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// How the quantity becomes an amount.
    pub model: Model,
    /// The amount in the period is at least this, unless nothing was used.
    pub minimum: Option<Decimal>,
    /// The amount in the period is at most this.
    pub maximum: Option<Decimal>,
    /// Fixed parts and the minimum are due even when nothing was used.
    pub flat_at_zero: bool,
}

/// How a quantity becomes an amount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Model {
    /// The quantity times one amount.
    PerUnit {
        /// Main units per unit of quantity.
        unit: Decimal,
    },
    /// Each tier prices its own slice, plus its flat amount when the slice is above zero.
    Graduated {
        /// They rise; the last is open.
        tiers: Vec<Tier>,
    },
    /// The tier that the total falls in prices all of it.
    Volume {
        /// They rise; the last is open.
        tiers: Vec<Tier>,
    },
    /// Started packages after the free units.
    Package {
        /// Units in a package; above zero.
        size: Decimal,
        /// The price of each started package.
        amount: Decimal,
        /// Units before the first package.
        free: Decimal,
    },
    /// One amount for the range reached.
    Stairstep {
        /// They rise; the last is open.
        tiers: Vec<StairTier>,
    },
    /// A percentage of amounts.
    Percent(PercentPrice),
    /// Each tier takes its percentage of its own slice of the amount.
    GraduatedPercent {
        /// They rise; the last is open.
        tiers: Vec<PercentTier>,
    },
    /// Another price for each value of a dimension.
    By {
        /// The name of the dimension: `language`.
        dimension: String,
        /// Its values and their prices.
        cases: BTreeMap<String, Price>,
        /// For every other value; without it they are refused.
        default: Option<Box<Price>>,
    },
}

/// A tier with a price per unit. `up_to` is inclusive; the last one is open (`None`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tier {
    /// Where it ends, itself included.
    pub up_to: Option<Decimal>,
    /// Per unit.
    pub unit: Decimal,
    /// Added once when the tier is reached.
    pub flat: Decimal,
}

/// A range with one amount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StairTier {
    /// Where it ends, itself included.
    pub up_to: Option<Decimal>,
    /// For the whole range.
    pub amount: Decimal,
}

/// A tier with a percentage (19 is 19%).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PercentTier {
    /// Where it ends, itself included.
    pub up_to: Option<Decimal>,
    /// Of its slice.
    pub percent: Decimal,
    /// Added once when the tier is reached.
    pub flat: Decimal,
}

/// A percentage of each event's amount, with its free part and its limits per event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PercentPrice {
    /// 1.3 is 1.3%.
    pub rate: Decimal,
    /// Added for each event that is not wholly free.
    pub fixed_per_event: Decimal,
    /// The first events are free; with `free_amount`, whichever runs out first ends the free part.
    pub free_events: Option<u32>,
    /// The first amounts are free.
    pub free_amount: Option<Decimal>,
    /// An event that is not wholly free costs at least this, its fixed fee included.
    pub minimum_per_event: Option<Decimal>,
    /// And at most this.
    pub maximum_per_event: Option<Decimal>,
}

/// What was used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    /// Units, or the base amount of a percentage.
    pub quantity: Decimal,
    /// What was rated before: the amount is `price(already used + quantity) - price(already used)`.
    pub already_used: Decimal,
    /// Single amounts, for percentages; `quantity` is then ignored.
    pub events: Option<Vec<Decimal>>,
    /// What the usage was, for `by`.
    pub dimensions: BTreeMap<String, String>,
    /// The days of the period that this usage's segment has: tier bounds, fixed amounts, free parts and limits shrink with it.
    pub segment: Segment,
}

/// Days of a segment and of its whole period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Segment {
    /// Days of the segment.
    pub days: u32,
    /// Days of its period; above zero.
    pub of_days: u32,
}

impl Segment {
    /// The whole period.
    pub const WHOLE: Segment = Segment { days: 1, of_days: 1 };
}

impl Usage {
    /// A quantity with nothing used before.
    pub fn of(quantity: Decimal) -> Usage {
        Usage {
            quantity,
            already_used: Decimal::ZERO,
            events: None,
            dimensions: BTreeMap::new(),
            segment: Segment::WHOLE,
        }
    }
}

impl Price {
    /// One amount per unit and nothing else.
    pub fn per_unit(unit: Decimal) -> Price {
        Price { model: Model::PerUnit { unit }, minimum: None, maximum: None, flat_at_zero: false }
    }

    /// The amount of `quantity` after `already_used`, exact, or rounded at the 28th digit where a decimal ends.
    /// May be negative: a volume price can fall as a whole.
    pub fn amount(
        &self,
        quantity: Decimal,
        already_used: Decimal,
        dimensions: &BTreeMap<String, String>,
    ) -> Result<Decimal, PricingError> {
        let usage = Usage { already_used, dimensions: dimensions.clone(), ..Usage::of(quantity) };
        self.exact(&usage)?.to_decimal()
    }

    /// The amount in a currency, rounded once.
    pub fn money(&self, usage: &Usage, currency: Currency, round: RoundTo) -> Result<Money, PricingError> {
        self.exact(usage)?.to_money(currency, round)
    }

    /// The amount without any rounding.
    pub fn exact(&self, usage: &Usage) -> Result<Exact, PricingError> {
        self.rated(usage, &mut Workings::Silent)
    }

    /// Why it costs what it costs.
    pub fn explain(&self, usage: &Usage) -> Result<Explanation, PricingError> {
        let mut workings = Workings::kept();
        let total = self.rated(usage, &mut workings)?;
        let segment = Some(usage.segment).filter(|segment| segment.days != segment.of_days);
        workings.note(|| Step::new(Rule::Total { rounded_to: None, segment }, shown(&total)));
        Ok(workings.into_explanation())
    }

    fn rated(&self, usage: &Usage, workings: &mut Workings) -> Result<Exact, PricingError> {
        let mut numbers =
            [usage.quantity, usage.already_used].into_iter().chain(usage.events.iter().flatten().copied());
        if numbers.any(|number| number < Decimal::ZERO) {
            return Err(PricingError::MustNotBeNegative);
        }
        let share =
            Exact::integer(i64::from(usage.segment.days)).over(&Exact::integer(i64::from(usage.segment.of_days)))?;
        let context = Context { dimensions: &usage.dimensions, share };
        if let Some(events) = &usage.events {
            if !usage.already_used.is_zero() {
                return Err(PricingError::EventsMustStandAlone);
            }
            return self.of_events(events, &context, workings);
        }
        let used = Exact::from(usage.already_used);
        let whole = self.of_quantity(&used.plus(&Exact::from(usage.quantity)), &context, workings)?;
        if used.is_zero() {
            return Ok(whole);
        }
        let before = self.of_quantity(&used, &context, &mut Workings::Silent)?;
        workings.note(|| Step::new(Rule::AlreadyRated { used: usage.already_used }, -shown(&before)));
        Ok(whole.minus(&before))
    }

    /// The amount of events for percentages; other models know only quantities and price their sum.
    fn of_events(
        &self,
        events: &[Decimal],
        context: &Context<'_>,
        workings: &mut Workings,
    ) -> Result<Exact, PricingError> {
        match &self.model {
            Model::Percent(price) => {
                let amount = price.of_events(events.iter().copied().map(Exact::from), context, workings);
                Ok(self.limited(amount, events.is_empty(), context, workings))
            }
            Model::By { .. } => {
                let amount = self.case(context)?.of_events(events, context, workings)?;
                Ok(self.limited(amount, events.is_empty(), context, workings))
            }
            _ => {
                let sum = events.iter().fold(Exact::zero(), |sum, event| sum.plus(&Exact::from(*event)));
                self.of_quantity(&sum, context, workings)
            }
        }
    }

    fn of_quantity(&self, used: &Exact, context: &Context<'_>, workings: &mut Workings) -> Result<Exact, PricingError> {
        let nothing = used.is_zero() && !self.flat_at_zero;
        let amount = match &self.model {
            Model::By { .. } => self.case(context)?.of_quantity(used, context, workings)?,
            _ if nothing => Exact::zero(),
            Model::PerUnit { unit } => {
                let amount = used.times(&Exact::from(*unit));
                workings.note(|| Step::new(Rule::Units { quantity: shown(used), rate: *unit }, shown(&amount)));
                amount
            }
            Model::Graduated { tiers } => {
                let slices = tiers.iter().map(|tier| Slice {
                    up_to: tier.up_to,
                    rate: SliceRate::Unit(tier.unit),
                    flat: tier.flat,
                });
                graduated(used, slices, context, workings)
            }
            Model::GraduatedPercent { tiers } => {
                let slices = tiers.iter().map(|tier| Slice {
                    up_to: tier.up_to,
                    rate: SliceRate::Percent(tier.percent),
                    flat: tier.flat,
                });
                graduated(used, slices, context, workings)
            }
            Model::Volume { tiers } => volume(used, tiers, context, workings)?,
            Model::Package { size, amount, free } => package(used, (*size, *amount, *free), context, workings)?,
            Model::Stairstep { tiers } => {
                let tier = tiers
                    .iter()
                    .find(|tier| context.reaches(used, tier.up_to))
                    .ok_or(PricingError::LastTierMustBeOpen)?;
                let amount = context.scaled(tier.amount);
                workings.note(|| Step::new(Rule::Range { up_to: context.shown_bound(tier.up_to) }, shown(&amount)));
                amount
            }
            Model::Percent(price) if used.is_zero() => price.of_events(std::iter::empty(), context, workings),
            Model::Percent(price) => price.of_events(std::iter::once(used.clone()), context, workings),
        };
        Ok(self.limited(amount, used.is_zero(), context, workings))
    }

    /// The minimum, unless nothing was used, and the maximum.
    fn limited(&self, amount: Exact, unused: bool, context: &Context<'_>, workings: &mut Workings) -> Exact {
        let minimum = self.minimum.filter(|_| !unused || self.flat_at_zero).map(|minimum| context.scaled(minimum));
        let maximum = self.maximum.map(|maximum| context.scaled(maximum));
        match (minimum, maximum) {
            (Some(minimum), _) if amount < minimum => {
                workings.note(|| Step::new(Rule::Minimum { instead_of: shown(&amount) }, shown(&minimum)));
                minimum
            }
            (_, Some(maximum)) if amount > maximum => {
                workings.note(|| Step::new(Rule::Maximum { instead_of: shown(&amount) }, shown(&maximum)));
                maximum
            }
            _ => amount,
        }
    }

    /// The price of a `by` for what the usage was.
    fn case(&self, context: &Context<'_>) -> Result<&Price, PricingError> {
        let Model::By { dimension, cases, default } = &self.model else {
            return Ok(self);
        };
        let found = context.dimensions.get(dimension);
        found.and_then(|value| cases.get(value)).or(default.as_deref()).ok_or_else(|| PricingError::NoCaseMatches {
            dimension: dimension.clone(),
            found: found.cloned().unwrap_or_default(),
        })
    }
}
