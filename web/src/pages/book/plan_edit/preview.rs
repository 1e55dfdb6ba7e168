//! What the terms on the page come to: a sample month with its derivation, and one component's price over its quantity, beside
//! the version that is in use. Every amount comes from the arithmetic of bills.

use super::show::Show;
use crate::charts::{Chart, Drawn};
use crate::format;
use crate::sheet::Sheet;
use crate::views::fields::Field;
use crate::views::parts::{Reason, SumRow, Sums, Why, WhyStep};
use crate::views::plan_edit::Preview;
use invoicing::{SampleLine, SampleMonth, sample_month};
use money::{Currency, Money};
use pricing::{Model, Price};
use rust_decimal::prelude::{FromPrimitive, ToPrimitive};
use rust_decimal::{Decimal, RoundingStrategy};
use std::collections::{BTreeMap, BTreeSet};
use subscription::{Component, ComponentKind, NewPlanVersion};

/// Points of the curve beside the ends of tiers.
const POINTS: u32 = 14;

/// Quantities by component key.
pub type Quantities = BTreeMap<String, Decimal>;

/// The version in use, to be compared with.
pub struct InUse {
    pub number: u32,
    pub terms: NewPlanVersion,
}

/// Components whose quantity a month names.
fn counted(terms: &NewPlanVersion) -> impl Iterator<Item = &Component> {
    let counts = |kind| !matches!(kind, ComponentKind::Flat | ComponentKind::OneOff | ComponentKind::Percent);
    terms.components.iter().filter(move |component| counts(component.kind))
}

/// A quantity to begin with.
fn usual(component: &Component) -> Decimal {
    let number = match (component.kind, component.measure.as_deref()) {
        (ComponentKind::Seat, Some("daily")) => 100,
        (ComponentKind::Seat, _) => 5,
        (ComponentKind::Hours, _) => 160,
        (ComponentKind::Channels, _) => return (component.included + Decimal::from(40)).max(Decimal::from(40)),
        (_, Some("minutes")) => 4000,
        (_, Some("charge" | "share")) => 2500,
        _ => 1000,
    };
    Decimal::from(number)
}

/// The fields of the sample month, and what they say. What cannot be read is the usual quantity.
pub fn samples(show: &Show<'_>, terms: &NewPlanVersion) -> (Vec<Field>, Quantities) {
    let (mut fields, mut quantities) = (Vec::new(), Quantities::new());
    for component in counted(terms) {
        let name = format!("sample/{}", component.key);
        let text = show.sheet.text(&name);
        let read = crate::read::amount(text);
        let quantity = read.clone().unwrap_or_else(|_| usual(component));
        let place = place_of(show.sheet, component);
        let unit = format!("{}s", show.unit(&place, component.kind));
        let shown = if text.is_empty() { format::quantity(quantity) } else { text.to_owned() };
        let error = read.err().filter(|_| !text.is_empty());
        fields.push(Field::figure(name, &component.name, shown).after(unit).error(error));
        quantities.insert(component.key.clone(), quantity);
    }
    let followed: Vec<(String, String)> =
        counted(terms).map(|component| (component.key.clone(), component.name.clone())).collect();
    if followed.len() > 1 {
        let chosen = curve_of(show.sheet, terms).map(|component| component.key.clone()).unwrap_or_default();
        fields.push(Field::choice("curve", "The curve follows", chosen, followed));
    }
    (fields, quantities)
}

fn place_of(sheet: &Sheet, component: &Component) -> String {
    let is_it = |place: &String| {
        let key = sheet.text(&format!("{place}/key"));
        key == component.key
            || (key.is_empty() && super::read::key_of(sheet.text(&format!("{place}/name"))) == component.key)
    };
    sheet.entries("components").find(is_it).unwrap_or_default()
}

/// The component that the curve follows: the chosen one, else the first with tiers, else the first that is measured.
fn curve_of<'a>(sheet: &Sheet, terms: &'a NewPlanVersion) -> Option<&'a Component> {
    let chosen = sheet.text("curve");
    counted(terms)
        .find(|component| component.key == chosen)
        .or_else(|| counted(terms).find(|component| !ends(&component.price).is_empty()))
        .or_else(|| counted(terms).next())
}

/// Where tiers end, however deep they stand.
fn ends(price: &Price) -> Vec<Decimal> {
    match &price.model {
        Model::Graduated { tiers } | Model::Volume { tiers } => tiers.iter().filter_map(|tier| tier.up_to).collect(),
        Model::Stairstep { tiers } => tiers.iter().filter_map(|tier| tier.up_to).collect(),
        Model::GraduatedPercent { tiers } => tiers.iter().filter_map(|tier| tier.up_to).collect(),
        Model::Package { size, free, .. } => vec![*free + *size],
        Model::By { default: Some(default), .. } => ends(default),
        Model::By { cases, .. } => cases.values().next().map(ends).unwrap_or_default(),
        Model::PerUnit { .. } | Model::Percent(_) => Vec::new(),
    }
}

pub(super) fn nothing() -> Preview {
    Preview {
        faults: Vec::new(),
        warnings: Vec::new(),
        chart: None,
        volumes: Vec::new(),
        total: String::new(),
        was: String::new(),
        why: Why::default(),
        sums: Sums::default(),
    }
}

/// The whole preview.
pub fn preview(
    show: &Show<'_>,
    terms: &NewPlanVersion,
    quantities: &Quantities,
    in_use: Option<&InUse>,
) -> Result<Preview, invoicing::InvoicingError> {
    let month = sample_month(terms, quantities)?;
    let before = in_use.filter(|before| before.terms.currency == terms.currency);
    let was = match before {
        Some(before) => {
            let total = sample_month(&before.terms, quantities)?.total;
            format!("version {} comes to {}", before.number, total.human())
        }
        None => String::new(),
    };
    let followed = curve_of(show.sheet, terms);
    let (chart, volumes) = match followed {
        Some(component) => {
            let unit = show.unit(&place_of(show.sheet, component), component.kind);
            let curve = Curve { terms, quantities, component, unit, before };
            (Some(curve.chart()?), curve.volumes()?)
        }
        None => (None, Vec::new()),
    };
    Ok(Preview {
        warnings: warnings(show, terms, quantities)?,
        chart,
        volumes,
        total: month.total.human(),
        was,
        why: why(show, terms, &month),
        sums: sums(&month),
        ..nothing()
    })
}

fn why(show: &Show<'_>, terms: &NewPlanVersion, month: &SampleMonth) -> Why {
    let step = |line: &SampleLine| {
        let component = terms.components.iter().find(|component| component.key == line.key);
        let used =
            component.filter(|component| counted(terms).any(|other| other.key == component.key)).map(|component| {
                let unit = show.unit(&place_of(show.sheet, component), component.kind);
                format!("{} {unit}s", format::quantity(line.quantity))
            });
        WhyStep::new(&line.name, used.unwrap_or_default(), line.amount.human()).reasons(reasons(line))
    };
    Why(month.lines.iter().map(step).collect())
}

/// The terms of the sum, and its total where there are several.
fn reasons(line: &SampleLine) -> Vec<Reason> {
    let steps = &line.explanation.steps;
    let last = steps.len().saturating_sub(1);
    let shown = |amount: Decimal| line.amount.currency().human_rate(amount);
    let reason = |(index, step): (usize, &pricing::Step)| {
        let is_count = matches!(step.rule, pricing::Rule::Included { .. });
        let amount = if is_count { format::quantity(step.amount) } else { shown(step.amount) };
        let note = [step.detail(), step.part.clone()].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>();
        let reason = Reason::new(step.title(), amount).note(note.join(", ")).calculation(step.calculation());
        if index == last && last > 0 { reason.sum() } else { reason }
    };
    steps.iter().enumerate().map(reason).collect()
}

fn sums(month: &SampleMonth) -> Sums {
    let mut rows = vec![SumRow::sum("A month", month.total.human())];
    rows.extend(month.once.iter().map(|line| SumRow::plain(format!("Once: {}", line.name), line.amount.human())));
    Sums(rows)
}

/// Ends of tiers just above which the month costs less.
fn warnings(
    show: &Show<'_>,
    terms: &NewPlanVersion,
    quantities: &Quantities,
) -> Result<Vec<String>, invoicing::InvoicingError> {
    let mut found = Vec::new();
    for component in counted(terms) {
        let place = place_of(show.sheet, component);
        let unit = show.unit(&place, component.kind);
        for end in ends(&component.price) {
            let total = |quantity: Decimal| {
                let mut at = quantities.clone();
                at.insert(component.key.clone(), quantity + component.included);
                sample_month(terms, &at).map(|month| month.total)
            };
            let (there, above) = (total(end)?, total(end + Decimal::ONE)?);
            if above.micros() < there.micros() {
                found.push(format!(
                    "{}: {} {unit}s cost {}, one more costs {}. Using more is cheaper there.",
                    component.name,
                    format::quantity(end + component.included),
                    there.human(),
                    above.human(),
                ));
            }
        }
    }
    Ok(found)
}

/// One component's price over its quantity.
struct Curve<'a> {
    terms: &'a NewPlanVersion,
    quantities: &'a Quantities,
    component: &'a Component,
    unit: String,
    before: Option<&'a InUse>,
}

impl Curve<'_> {
    fn total(&self, terms: &NewPlanVersion, quantity: Decimal) -> Result<Money, invoicing::InvoicingError> {
        let mut at = self.quantities.clone();
        at.insert(self.component.key.clone(), quantity);
        Ok(sample_month(terms, &at)?.total)
    }

    /// The same component must be there, or two different things would be compared.
    fn comparable(&self) -> Option<&InUse> {
        self.before.filter(|before| before.terms.components.iter().any(|other| other.key == self.component.key))
    }

    /// From a small to a large quantity in even steps of proportion, the ends of tiers, and just above them.
    fn places(&self) -> Vec<Decimal> {
        let sample = self.quantities.get(&self.component.key).copied().unwrap_or(Decimal::ONE).max(Decimal::ONE);
        let mut ends = ends(&self.component.price);
        if let Some(other) = self
            .comparable()
            .and_then(|before| before.terms.components.iter().find(|other| other.key == self.component.key))
        {
            ends.extend(self::ends(&other.price));
        }
        let ends: Vec<Decimal> =
            ends.into_iter().map(|end| end + self.component.included).filter(|end| *end >= Decimal::ONE).collect();
        let least = ends.iter().copied().min().unwrap_or(sample).min(sample);
        let most = ends.iter().copied().max().unwrap_or(sample).max(sample);
        let from = (least / Decimal::from(4)).max(Decimal::ONE).round();
        let to = (most * Decimal::TWO).max(from * Decimal::TEN).round();
        let mut places: BTreeSet<Decimal> =
            ends.iter().flat_map(|end| [*end, *end + Decimal::ONE]).filter(|end| *end <= to).collect();
        places.extend([from, to]);
        places.extend((1..POINTS).map(|step| between(from, to, step)));
        places.into_iter().collect()
    }

    fn chart(&self) -> Result<Chart, invoicing::InvoicingError> {
        let currency = self.terms.currency;
        let title = format!("What {} costs", with_article(&self.unit));
        let mut chart = Chart::lines(
            "curve",
            title,
            format!("The month's price for each {}", self.unit),
            capital(&format!("{}s", self.unit)),
        )
        .note(format!("All of the month divided by its {}s", self.unit))
        .height(260)
        .unit(currency.symbol().trim());
        (chart.axis, chart.from_zero) = ("log", false);
        let before = self.comparable();
        if let Some(before) = before {
            chart = chart.series(format!("Version {}", before.number), Drawn::Dash, "past");
        }
        chart = chart.series(
            before.map_or("Version 1".to_owned(), |before| format!("Version {}", before.number + 1)),
            Drawn::Line,
            "c1",
        );
        for quantity in self.places() {
            let each = |terms: &NewPlanVersion| {
                let rate = self.total(terms, quantity)?.as_decimal() / quantity;
                Ok::<_, invoicing::InvoicingError>(Some(self.rate(rate, currency)))
            };
            let mut values = Vec::new();
            if let Some(before) = before {
                values.push(each(&before.terms)?);
            }
            values.push(each(self.terms)?);
            chart.point_at(
                quantity.normalize().to_string(),
                format!("{} {}s", format::quantity(quantity), self.unit),
                values,
            );
        }
        Ok(chart)
    }

    /// As the drawing needs it, and as it is read: four decimals for less than ten.
    fn rate(&self, rate: Decimal, currency: Currency) -> (String, String) {
        let digits = if rate.abs() < Decimal::TEN { 4 } else { 2 };
        let rate = rate.round_dp_with_strategy(digits, RoundingStrategy::MidpointAwayFromZero);
        (rate.normalize().to_string(), format!("{} {}", currency.human_rate(rate), with_article(&self.unit)))
    }

    fn volumes(&self) -> Result<Vec<(String, String, String)>, invoicing::InvoicingError> {
        let places = self.places();
        let (Some(first), Some(last)) = (places.first().copied(), places.last().copied()) else {
            return Ok(Vec::new());
        };
        let volumes = [between(first, last, 3), between(first, last, 7), between(first, last, 11)];
        volumes
            .into_iter()
            .map(|quantity| {
                let was = match self.comparable() {
                    Some(before) => format!("was {}", self.total(&before.terms, quantity)?.human_bare()),
                    None => String::new(),
                };
                let label = format!("{} {}s", format::quantity(quantity), self.unit);
                Ok((label, self.total(self.terms, quantity)?.human(), was))
            })
            .collect()
    }
}

/// The step-th of [`POINTS`] places in even proportion, rounded to two digits. A float decides where the curve is looked at,
/// never what it says there.
fn between(from: Decimal, to: Decimal, step: u32) -> Decimal {
    let (from, to) = (from.to_f64().unwrap_or(1.0), to.to_f64().unwrap_or(1.0));
    let place = from * (to / from).powf(f64::from(step) / f64::from(POINTS));
    two_digits(Decimal::from_f64(place).unwrap_or(Decimal::ONE))
}

fn two_digits(number: Decimal) -> Decimal {
    let mut unit = Decimal::ONE;
    while number / unit >= Decimal::ONE_HUNDRED {
        unit *= Decimal::TEN;
    }
    (number / unit).round() * unit
}

/// "an hour", "a call".
pub(super) fn with_article(word: &str) -> String {
    let vowel = word.starts_with(['a', 'e', 'i', 'o', 'u']) && !word.starts_with("uni") || word.starts_with("hour");
    format!("{} {word}", if vowel { "an" } else { "a" })
}

fn capital(word: &str) -> String {
    crate::rules::sentence(word).trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_rise_in_proportion_and_are_round() {
        let at = |step| between(Decimal::from(100), Decimal::from(1_000_000), step);
        let places: Vec<String> = (1..POINTS).map(|step| at(step).to_string()).collect();
        assert!(
            places.windows(2).all(|pair| pair[0].parse::<Decimal>().unwrap() < pair[1].parse::<Decimal>().unwrap()),
            "{places:?}"
        );
        assert_eq!(at(7), Decimal::from(10_000), "the middle of 100 and 1,000,000");
        assert!(places.iter().all(|place| place.trim_end_matches('0').len() <= 2), "{places:?}");
    }
}
