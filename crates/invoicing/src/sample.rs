//! What a plan's terms come to for quantities that somebody names: one whole month after the trial, in the order of a bill and
//! by its arithmetic. Nobody is billed by it; the editor of plans and quotes show it.

use crate::content::LineGroup;
use crate::error::Result;
use crate::rate::{Factor, Quantities, Rateable, rate};
use money::{Currency, Decimal, Money};
use pricing::{Discount, Explanation, Model, Price, Rule, Segment, Step, discount, true_up};
use std::collections::BTreeMap;
use subscription::{Component, ComponentKind, NewPlanVersion};

/// A month of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct SampleMonth {
    /// What recurs, in the order of the plan; percentages of it after it, then what the rules for the whole month add.
    pub lines: Vec<SampleLine>,
    /// What is charged once, at the start; not in the total.
    pub once: Vec<SampleLine>,
    pub total: Money,
}

/// One amount of it.
#[derive(Clone, Debug, PartialEq)]
pub struct SampleLine {
    /// The component's key; empty for what a rule of the whole month adds or takes off.
    pub key: String,
    pub name: String,
    pub group: LineGroup,
    pub quantity: Decimal,
    pub amount: Money,
    pub explanation: Explanation,
}

/// Prices a month of these terms. Quantities are named by component; one that is not named is zero, a fee is one.
pub fn sample_month(terms: &NewPlanVersion, quantities: &BTreeMap<String, Decimal>) -> Result<SampleMonth> {
    let currency = terms.currency;
    let (mut lines, mut once) = (Vec::new(), Vec::new());
    let mut missing = Vec::new();
    for component in terms.components.iter().filter(|component| component.kind != ComponentKind::Percent) {
        let quantity = match component.kind {
            ComponentKind::Flat | ComponentKind::OneOff => Decimal::ONE,
            _ => quantities.get(&component.key).copied().unwrap_or_default(),
        };
        let line = priced(component, quantity, currency)?;
        if component.kind == ComponentKind::OneOff {
            once.push(line);
            continue;
        }
        missing.extend(below_minimum(component, &line, currency)?);
        lines.push(line);
    }
    let percents = percents(terms, &lines)?;
    let recurring: Vec<Money> =
        lines.iter().filter(|line| is(terms, line, Component::is_recurring)).map(|line| line.amount).collect();
    lines.extend(percents);
    lines.extend(missing);
    lines.extend(committed(terms, &lines)?);
    lines.extend(capped(terms, &lines)?);
    lines.extend(discounted(terms, &recurring)?);
    let total = sum(currency, lines.iter())?;
    Ok(SampleMonth { lines, once, total })
}

fn is(terms: &NewPlanVersion, line: &SampleLine, what: impl Fn(&Component) -> bool) -> bool {
    terms.components.iter().any(|component| component.key == line.key && what(component))
}

fn sum<'a>(currency: Currency, lines: impl Iterator<Item = &'a SampleLine>) -> Result<Money> {
    Ok(Money::sum(currency, lines.map(|line| line.amount))?)
}

fn priced(component: &Component, quantity: Decimal, currency: Currency) -> Result<SampleLine> {
    let quantities: Quantities = vec![(usual_dimensions(&component.price), quantity)];
    let rateable = Rateable {
        price: &component.price,
        included: component.included,
        quantities: &quantities,
        segment: Segment::WHOLE,
        factor: &Factor::whole(),
    };
    let rated = rate(&rateable, currency)?;
    Ok(SampleLine {
        key: component.key.clone(),
        name: component.name.clone(),
        group: group_of(component.kind),
        quantity,
        amount: rated.amount,
        explanation: rated.explanation,
    })
}

/// A price by dimension is shown for what its other values pay, or for its first case.
fn usual_dimensions(price: &Price) -> BTreeMap<String, String> {
    let Model::By { dimension, cases, default } = &price.model else { return BTreeMap::new() };
    let (case, inner) = match (default, cases.iter().next()) {
        (Some(default), _) => ("other", Some(default.as_ref())),
        (None, Some((case, inner))) => (case.as_str(), Some(inner)),
        (None, None) => ("other", None),
    };
    let mut dimensions = inner.map(usual_dimensions).unwrap_or_default();
    dimensions.insert(dimension.clone(), case.to_owned());
    dimensions
}

fn group_of(kind: ComponentKind) -> LineGroup {
    match kind {
        ComponentKind::Flat => LineGroup::Platform,
        ComponentKind::Seat => LineGroup::Seats,
        ComponentKind::Usage => LineGroup::Usage,
        ComponentKind::Hours => LineGroup::Hours,
        ComponentKind::Channels => LineGroup::Channels,
        ComponentKind::Percent => LineGroup::Percent,
        ComponentKind::OneOff => LineGroup::OneOff,
    }
}

/// What a promised quantity would have cost more than the one there was.
fn below_minimum(component: &Component, line: &SampleLine, currency: Currency) -> Result<Option<SampleLine>> {
    if line.quantity >= component.minimum_quantity {
        return Ok(None);
    }
    let promised = priced(component, component.minimum_quantity, currency)?.amount;
    let amount = promised.checked_sub(line.amount)?;
    if !amount.is_positive() {
        return Ok(None);
    }
    let steps = vec![
        Step {
            part: format!("{} units", component.minimum_quantity.normalize()),
            ..Step::new(Rule::Commitment { days: 1, of_days: 1 }, promised.as_decimal())
        },
        Step::new(Rule::Usage, -line.amount.as_decimal()),
        Step::new(Rule::TOTAL, amount.as_decimal()),
    ];
    Ok(Some(added(format!("Minimum of {}", component.name), LineGroup::Commitment, amount, steps)))
}

/// Shares of other components' amounts, before what the month as a whole adds.
fn percents(terms: &NewPlanVersion, lines: &[SampleLine]) -> Result<Vec<SampleLine>> {
    let mut percents = Vec::new();
    for component in terms.components.iter().filter(|component| component.kind == ComponentKind::Percent) {
        let is_base = |line: &&SampleLine| component.measure.as_ref().is_none_or(|key| *key == line.key);
        let base = sum(terms.currency, lines.iter().filter(is_base))?;
        percents.push(priced(component, base.as_decimal(), terms.currency)?);
    }
    Ok(percents)
}

/// What measured components fall short of the commitment.
fn committed(terms: &NewPlanVersion, lines: &[SampleLine]) -> Result<Option<SampleLine>> {
    if !terms.commitment.is_positive() {
        return Ok(None);
    }
    let measured = |component: &Component| matches!(component.kind, ComponentKind::Usage | ComponentKind::Hours);
    let usage = sum(terms.currency, lines.iter().filter(|line| is(terms, line, measured)))?;
    let missing = true_up(usage, terms.commitment)?;
    if missing.is_zero() {
        return Ok(None);
    }
    let steps = vec![
        Step::new(Rule::Commitment { days: 1, of_days: 1 }, terms.commitment.as_decimal()),
        Step::new(Rule::Usage, -usage.as_decimal()),
        Step::new(Rule::TrueUp, missing.as_decimal()),
    ];
    Ok(Some(added("Up to the agreed minimum".into(), LineGroup::Commitment, missing, steps)))
}

/// What a period comes to above its cap is taken off again.
fn capped(terms: &NewPlanVersion, lines: &[SampleLine]) -> Result<Option<SampleLine>> {
    let Some(cap) = terms.fee_cap else { return Ok(None) };
    let whole = sum(terms.currency, lines.iter())?;
    if whole.micros() <= cap.micros() {
        return Ok(None);
    }
    let off = cap.checked_sub(whole)?;
    let steps = vec![
        Step::new(Rule::FeeCap { instead_of: whole.as_decimal() }, cap.as_decimal()),
        Step::new(Rule::Difference, off.as_decimal()),
    ];
    Ok(Some(added("Above the cap".into(), LineGroup::Discounts, off, steps)))
}

/// The term's percentage off what recurs.
fn discounted(terms: &NewPlanVersion, recurring: &[Money]) -> Result<Option<SampleLine>> {
    let percent = terms.term_discount_percent;
    if percent.as_decimal().is_zero() || recurring.is_empty() {
        return Ok(None);
    }
    let base = Money::sum(terms.currency, recurring.iter().copied())?;
    let off = discount(recurring, &[percent], &[], Money::zero(terms.currency))?.discount.checked_neg()?;
    let rule = Rule::PercentOff { kind: Discount::Term, percent, of: base.as_decimal() };
    let steps = vec![Step::new(rule, off.as_decimal()), Step::new(Rule::TOTAL, off.as_decimal())];
    Ok(Some(added("Term discount".into(), LineGroup::Discounts, off, steps)))
}

fn added(name: String, group: LineGroup, amount: Money, steps: Vec<Step>) -> SampleLine {
    let (key, quantity, explanation) = (String::new(), Decimal::ONE, Explanation::of(steps));
    SampleLine { key, name, group, quantity, amount, explanation }
}

#[cfg(test)]
mod tests {
    use super::*;
    use money::Percent;
    use serde_json::json;
    use subscription::Billed;

    fn part(key: &str, kind: ComponentKind, measure: Option<&str>, price: serde_json::Value) -> Component {
        Component {
            key: key.into(),
            kind,
            name: key.into(),
            measure: measure.map(Into::into),
            filter: BTreeMap::new(),
            included: Decimal::ZERO,
            minimum_quantity: Decimal::ZERO,
            price: Price::from_json(&price).unwrap(),
            billed: Billed::InArrears,
        }
    }

    fn each(unit: &str) -> serde_json::Value {
        json!({ "model": "per_unit", "unit": unit })
    }

    fn eur(text: &str) -> Money {
        Money::parse(text, Currency::EUR).unwrap()
    }

    fn amounts(terms: &NewPlanVersion, quantities: &[(&str, &str)]) -> Vec<(String, String)> {
        let quantities = quantities.iter().map(|(key, of)| ((*key).to_owned(), of.parse().unwrap())).collect();
        let month = sample_month(terms, &quantities).unwrap();
        let lines = month.lines.iter().map(|line| (line.name.clone(), line.amount.format_plain()));
        lines.chain([("total".to_owned(), month.total.format_plain())]).collect()
    }

    fn is(found: Vec<(String, String)>, expected: &[(&str, &str)]) {
        let expected: Vec<_> =
            expected.iter().map(|(name, amount)| ((*name).to_owned(), (*amount).to_owned())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_month_goes_in_the_order_of_a_bill() {
        let calls = Component {
            included: Decimal::from(100),
            ..part("calls", ComponentKind::Usage, Some("calls"), each("0.50"))
        };
        let terms = NewPlanVersion {
            commitment: eur("200"),
            fee_cap: Some(eur("260")),
            term_discount_percent: Percent::new(10.into()).unwrap(),
            ..NewPlanVersion::monthly(
                Currency::EUR,
                vec![
                    part("fee", ComponentKind::Flat, None, each("49")),
                    calls,
                    part("management", ComponentKind::Percent, None, json!({"model": "percent", "rate": "8"})),
                    part("setup", ComponentKind::OneOff, None, each("500")),
                ],
            )
        };
        is(
            amounts(&terms, &[("calls", "300")]),
            &[
                ("fee", "49.00"),
                ("calls", "100.00"),                    // (300 - 100 included) x 0.50
                ("management", "11.92"),                // 8% of 149
                ("Up to the agreed minimum", "100.00"), // 200 - 100 of usage
                ("Above the cap", "-0.92"),             // 260 - 260.92
                ("Term discount", "-4.90"),             // 10% of 49
                ("total", "255.10"),
            ],
        );
        let month = sample_month(&terms, &BTreeMap::new()).unwrap();
        assert_eq!(month.once[0].amount, eur("500"), "what is charged once is not in the total");
    }

    #[test]
    fn a_promised_quantity_is_priced_as_if_it_were_used() {
        let calls = Component {
            minimum_quantity: Decimal::from(1000),
            ..part("calls", ComponentKind::Usage, Some("calls"), each("1.35"))
        };
        let terms = NewPlanVersion::monthly(Currency::EUR, vec![calls]);
        // 400 x 1.35 = 540; 1,000 x 1.35 = 1,350
        is(
            amounts(&terms, &[("calls", "400")]),
            &[("calls", "540.00"), ("Minimum of calls", "810.00"), ("total", "1350.00")],
        );
        is(amounts(&terms, &[("calls", "1200")]), &[("calls", "1620.00"), ("total", "1620.00")]);
    }

    #[test]
    fn a_price_by_dimension_is_shown_for_what_other_values_pay() {
        let by =
            json!({"model": "by", "dimension": "work", "cases": {"escalation": each("42")}, "default": each("28")});
        let only =
            json!({"model": "by", "dimension": "work", "cases": {"escalation": each("42"), "training": each("30")}});
        for (price, amount) in [(by, "280.00"), (only, "420.00")] {
            let terms =
                NewPlanVersion::monthly(Currency::EUR, vec![part("work", ComponentKind::Hours, Some("hours"), price)]);
            is(amounts(&terms, &[("work", "10")]), &[("work", amount), ("total", amount)]);
        }
    }
}
