//! What a plan version charges for, and the rules that its components keep.

use crate::error::{Refusal, Result, Rule, must, refuse};
use crate::rules;
use crate::words::{Billed, ComponentKind};
use money::Currency;
use pricing::{Model, Price, PricingError, RoundTo, Usage};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// How seats are counted.
pub const SEAT_MEASURES: [&str; 4] = ["assigned", "active", "peak", "daily"];

/// One thing that a plan version charges for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Component {
    /// Lasts across versions and plans; unique in a subscription, its add-ons included.
    pub key: String,
    pub kind: ComponentKind,
    /// As printed on a line.
    pub name: String,
    /// `usage`, `hours`: the meter's code. `seat`: `assigned`, `active`, `peak` or `daily`. `channels`: `channel_peak`.
    /// `percent`: the key of the component it is a share of, or nothing for all of them. Otherwise nothing.
    #[serde(default)]
    pub measure: Option<String>,
    /// Dimensions that usage must have: `{"handled_by":"overflow"}`.
    #[serde(default)]
    pub filter: BTreeMap<String, String>,
    /// Units of each period that come before the price.
    #[serde(default)]
    pub included: Decimal,
    /// At least so many units are priced in each period, used or not; 0 = as many as were used.
    #[serde(default)]
    pub minimum_quantity: Decimal,
    pub price: Price,
    pub billed: Billed,
}

impl Component {
    /// Recurring components are those that a trial leaves free and that a term discount lowers.
    pub fn is_recurring(&self) -> bool {
        matches!(self.kind, ComponentKind::Flat | ComponentKind::Seat | ComponentKind::Channels)
    }

    /// Does a month have a quantity of it? A fee is one, a percentage is of other amounts.
    pub fn is_counted(&self) -> bool {
        !matches!(self.kind, ComponentKind::Flat | ComponentKind::OneOff | ComponentKind::Percent)
    }

    /// For how many months this component is billed in the service period at `position`; `None`: not in this one.
    ///
    /// Service periods are months, whatever the term, and prices are per month. In a term of n months
    /// * a recurring component billed in advance is billed once a term, for n months, in the periods whose position is a
    ///   multiple of n (the caller multiplies the month's amount by n and takes the term discount off);
    /// * a one-off component is billed in period 0 and never again;
    /// * everything else (usage, hours, percentages, what is known only afterwards) is billed for its own month.
    pub fn bills_in(&self, position: u32, term_months: u32) -> Option<u32> {
        match self.kind {
            ComponentKind::OneOff => (position == 0).then_some(1),
            _ if self.is_recurring() && self.billed == Billed::InAdvance => {
                let term_months = term_months.max(1);
                position.is_multiple_of(term_months).then_some(term_months)
            }
            _ => Some(1),
        }
    }

    /// Does usage with these dimensions pass the filter?
    pub fn matches(&self, dimensions: &BTreeMap<String, String>) -> bool {
        self.filter.iter().all(|(dimension, wanted)| dimensions.get(dimension) == Some(wanted))
    }

    /// Does a unit of this meter's usage, with these dimensions, cost something by this component?
    pub fn charges(&self, meter: &str, dimensions: &BTreeMap<String, String>) -> bool {
        matches!(self.kind, ComponentKind::Usage | ComponentKind::Hours)
            && self.measure.as_deref() == Some(meter)
            && self.matches(dimensions)
    }

    /// Counted from usage, so that what arrives late changes it.
    pub fn is_metered(&self) -> bool {
        match self.kind {
            ComponentKind::Usage | ComponentKind::Hours | ComponentKind::Channels => true,
            ComponentKind::Seat => self.measure.as_deref() != Some("assigned"),
            ComponentKind::Flat | ComponentKind::Percent | ComponentKind::OneOff => false,
        }
    }

    /// The meter whose usage is counted; `None` where nothing is.
    pub fn meter(&self) -> Option<&str> {
        match (self.kind, self.measure.as_deref()) {
            (ComponentKind::Usage | ComponentKind::Hours, measure) => measure,
            (ComponentKind::Channels, _) => Some("channel_peak"),
            (ComponentKind::Seat, Some("active" | "daily")) => Some("seat_days"),
            (ComponentKind::Seat, Some("peak")) => Some("seat_peak"),
            _ => None,
        }
    }

    /// Do both count the same, and could some usage pass both filters?
    pub fn counts_with(&self, other: &Component) -> bool {
        let sums = |component: &Component| matches!(component.kind, ComponentKind::Usage | ComponentKind::Hours);
        let is_alike = self.kind == other.kind || sums(self) && sums(other);
        let is_apart = || {
            let mut filter = self.filter.iter();
            filter.any(|(dimension, wanted)| other.filter.get(dimension).is_some_and(|found| found != wanted))
        };
        self.is_metered() && other.is_metered() && is_alike && self.measure == other.measure && !is_apart()
    }

    /// Would usage that passes both filters be charged twice by its amount?
    pub(crate) fn overlaps(&self, other: &Component) -> bool {
        matches!(self.kind, ComponentKind::Usage | ComponentKind::Hours) && self.counts_with(other)
    }
}

/// A meter that components may charge by, and the dimensions that its usage carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measure {
    /// The meter's code.
    pub code: String,
    pub dimensions: BTreeSet<String>,
}

impl Measure {
    /// A meter of the book's own.
    pub fn new(code: &str, dimensions: &[&str]) -> Measure {
        Measure {
            code: code.to_owned(),
            dimensions: dimensions.iter().map(|dimension| (*dimension).to_owned()).collect(),
        }
    }
}

/// The meters that every book has, with their dimensions.
pub fn standard_measures() -> Vec<Measure> {
    // The last three are told by whoever sends usage: language and region of the caller, channel of the contact.
    const CALL: &[&str] =
        &["number", "topic", "charged_by", "direction", "handled_by", "language", "region", "channel"];
    vec![
        Measure::new("calls", CALL),
        Measure::new("minutes", CALL),
        Measure::new("charge", CALL),
        Measure::new("hours", &["work"]),
        Measure::new("seat_days", &["agent"]),
        Measure::new("seat_peak", &[]),
        Measure::new("channel_peak", &[]),
        Measure::new("share", &["number"]),
    ]
}

/// The rules that components break, alone or together: at most one of each component.
pub(crate) fn component_refusals(components: &[Component], measures: &[Measure]) -> Vec<Refusal> {
    let checked = (0..components.len()).map(|index| check_component(index, components, measures));
    checked.filter_map(Result::err).filter_map(|error| error.refusal().cloned()).collect()
}

fn check_component(index: usize, components: &[Component], measures: &[Measure]) -> Result<()> {
    let (component, earlier) = (&components[index], &components[..index]);
    let place = place(index, component);
    rules::key(&format!("{place}/key"), &component.key)?;
    rules::name(&format!("{place}/name"), &component.name)?;
    let is_new = earlier.iter().all(|other| other.key != component.key);
    must(is_new, format!("{place}/key"), Rule::MustBeUnique, &component.key)?;
    check_measure(&place, component, components, measures)?;
    check_filter(&place, component, measures)?;
    check_amounts(&place, component)?;
    check_document(&place, component)?;
    check_size(&place, component)?;
    match earlier.iter().find(|other| other.overlaps(component)) {
        Some(other) => {
            let rule = Rule::FiltersMustNotOverlap(other.key.clone());
            refuse(format!("{place}/filter"), rule, spelled(&component.filter))
        }
        None => Ok(()),
    }
}

/// Components are named by key where they have one, else by their place in the list.
fn place(index: usize, component: &Component) -> String {
    if component.key.is_empty() { format!("components/{index}") } else { format!("components/{}", component.key) }
}

fn check_measure(place: &str, component: &Component, all: &[Component], measures: &[Measure]) -> Result<()> {
    let field = format!("{place}/measure");
    let measure = component.measure.as_deref();
    let given = measure.unwrap_or_default();
    let one_of = |known: Vec<&str>| {
        must(known.contains(&given), field.clone(), Rule::MustBeKnownMeasure(known.join(", ")), given)
    };
    match component.kind {
        ComponentKind::Flat | ComponentKind::OneOff => must(measure.is_none(), field, Rule::MustBeAbsent, given),
        ComponentKind::Seat => one_of(SEAT_MEASURES.to_vec()),
        ComponentKind::Channels => one_of(vec!["channel_peak"]),
        ComponentKind::Usage | ComponentKind::Hours => {
            one_of(measures.iter().map(|measure| measure.code.as_str()).collect())
        }
        ComponentKind::Percent => {
            let is_other = |other: &Component| {
                other.key == given && other.key != component.key && other.kind != ComponentKind::Percent
            };
            must(measure.is_none() || all.iter().any(is_other), field, Rule::MustBeOtherComponent, given)
        }
    }
}

fn check_filter(place: &str, component: &Component, measures: &[Measure]) -> Result<()> {
    let known = measures.iter().find(|measure| Some(&measure.code) == component.measure.as_ref());
    let dimensions = match component.kind {
        ComponentKind::Usage | ComponentKind::Hours => known.map(|measure| &measure.dimensions),
        _ => None,
    };
    let Some(dimensions) = dimensions else {
        return must(
            component.filter.is_empty(),
            format!("{place}/filter"),
            Rule::MustBeAbsent,
            spelled(&component.filter),
        );
    };
    let listed = || dimensions.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    for dimension in component.filter.keys() {
        let field = format!("{place}/filter/{dimension}");
        must(dimensions.contains(dimension), field, Rule::MustBeKnownDimension(listed()), dimension)?;
    }
    for dimension in dimensions_of(&component.price) {
        must(
            dimensions.contains(dimension),
            format!("{place}/price/dimension"),
            Rule::MustBeKnownDimension(listed()),
            dimension,
        )?;
    }
    Ok(())
}

fn check_amounts(place: &str, component: &Component) -> Result<()> {
    let measures = !matches!(component.kind, ComponentKind::Flat | ComponentKind::Percent | ComponentKind::OneOff);
    let included = format!("{place}/included");
    must(component.included >= Decimal::ZERO, included.clone(), Rule::MustNotBeNegative, component.included)?;
    must(measures || component.included.is_zero(), included, Rule::NothingIncluded, component.included)?;
    let (least, field) = (component.minimum_quantity, format!("{place}/minimum_quantity"));
    must(least >= Decimal::ZERO, field.clone(), Rule::MustNotBeNegative, least)?;
    must(measures || least.is_zero(), field, Rule::NothingIncluded, least)?;
    let known_before = match component.kind {
        ComponentKind::Flat | ComponentKind::OneOff => true,
        ComponentKind::Seat => component.measure.as_deref() == Some("assigned"),
        _ => false,
    };
    let known = known_before || component.billed == Billed::InArrears;
    must(known, format!("{place}/billed"), Rule::MustBeBilledInArrears, component.billed)?;
    let percent_price = matches!(component.price.model, Model::Percent(_) | Model::GraduatedPercent { .. });
    let price_fits = component.kind != ComponentKind::Percent || percent_price;
    must(price_fits, format!("{place}/price/model"), Rule::MustBePercentPrice, &component.key)
}

/// Units of a component that money must have room for: ten years of a fee, and what a busy month counts.
const UNITS_MIN: u32 = 120;

/// A price so high that nothing with it can be reckoned is a slip, and would stop everything that compares plans.
fn check_size(place: &str, component: &Component) -> Result<()> {
    let units = component.minimum_quantity.max(Decimal::ONE).checked_mul(Decimal::from(UNITS_MIN));
    let fits = units.is_some_and(|units| amounts_fit(&component.price, units));
    let value = serde_json::to_value(&component.price).unwrap_or_default();
    must(fits, format!("{place}/price"), Rule::Document(PricingError::TooLarge), value)
}

fn amounts_fit(price: &Price, units: Decimal) -> bool {
    match &price.model {
        Model::By { cases, default, .. } => {
            cases.values().chain(default.as_deref()).all(|price| amounts_fit(price, units))
        }
        // The currency does not matter: all are kept in micros.
        _ => price.money(&Usage::of(units), Currency::EUR, RoundTo::Micros).is_ok(),
    }
}

/// Reads the price document back strictly, so that one put together in code keeps the rules of one written by hand.
fn check_document(place: &str, component: &Component) -> Result<()> {
    let document = serde_json::to_value(&component.price).unwrap_or_default();
    let Err(refused) = Price::from_json(&document) else { return Ok(()) };
    let value = document.pointer(&refused.pointer).map(ToString::to_string).unwrap_or_default();
    Err(Refusal { field: format!("{place}/price{}", refused.pointer), rule: Rule::Document(refused.rule), value }
        .into())
}

/// The dimensions that a price asks for.
fn dimensions_of(price: &Price) -> Vec<&str> {
    let Model::By { dimension, cases, default } = &price.model else { return Vec::new() };
    let inner = cases.values().chain(default.as_deref()).flat_map(dimensions_of);
    std::iter::once(dimension.as_str()).chain(inner).collect()
}

fn spelled(filter: &BTreeMap<String, String>) -> String {
    filter.iter().map(|(dimension, wanted)| format!("{dimension}={wanted}")).collect::<Vec<_>>().join(", ")
}
