//! What a plan's terms come to for quantities that somebody names: one whole month after the trial, by the code that bills.
//! Nobody is billed by it; the editor of plans and quotes show it.

use crate::bill::{Billing, Seller};
use crate::billed::BilledBefore;
use crate::content::LineGroup;
use crate::due::Month;
use crate::error::Result;
use crate::parts::{Quantity, Splitter};
use crate::rate::Quantities;
use crate::replay::{in_arrears, is_once};
use crate::subscribed::Subscribed;
use crate::target::Target;
use crate::usage::{Counted, Read};
use chrono::{DateTime, Utc};
use db::{CustomerId, PlanId, SubscriptionId};
use money::{Decimal, Money};
use pricing::{Explanation, Model, Price};
use std::collections::BTreeMap;
use subscription::{
    Billed, Billing as Pays, Component, ComponentKind, Customer, History, NewPlanVersion, PlanVersion, Subscription,
    TaxTreatment,
};

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

/// The month that is priced: any whole one is as good, since nothing changes in it.
const MONTH_STARTS_AT: DateTime<Utc> = DateTime::UNIX_EPOCH;
const ZONE: &str = "UTC";

/// Prices a month of these terms. Quantities are named by component; one that is not named is zero, a fee is one. What is billed
/// ahead has its month's part.
pub fn sample_month(terms: &NewPlanVersion, quantities: &BTreeMap<String, Decimal>) -> Result<SampleMonth> {
    let whole = terms.assumed(PlanId::new(), MONTH_STARTS_AT);
    let recurring = in_arrears(&whole);
    let mut lines = Vec::new();
    for target in targets(&recurring, quantities)? {
        if target.component.is_some() || !target.amount.is_zero() {
            lines.push(line(target));
        }
    }
    let once = targets(&once(&whole), quantities)?.into_iter().map(line).collect();
    let total = Money::sum(terms.currency, lines.iter().map(|line| line.amount))?;
    Ok(SampleMonth { lines, once, total })
}

/// What is charged once, and nothing else: no rule of a month is about it.
fn once(version: &PlanVersion) -> PlanVersion {
    let once = version.components.iter().filter(|part| is_once(part, &version.components));
    let components = once.map(|part| Component { billed: Billed::InArrears, ..part.clone() }).collect();
    PlanVersion {
        components,
        fixed_terms: None,
        commitment: Money::zero(version.currency),
        fee_cap: None,
        ..version.clone()
    }
}

/// The month's targets, as a run would bill them.
fn targets(version: &PlanVersion, named: &BTreeMap<String, Decimal>) -> Result<Vec<Target>> {
    let customer = somebody(version);
    let begun = Subscription {
        id: SubscriptionId::new(),
        customer_id: customer.id,
        first_plan_version_id: version.id,
        anchor_on: customer.anchor_on,
        time_zone: ZONE.to_owned(),
        first_seats: 0,
        started_at: MONTH_STARTS_AT,
        trial_ends_at: None,
        cancelled_at: None,
        ended_by: None,
        past_due_since: None,
        trial_end: None,
    };
    let history = History::begin(begun, version.clone())?;
    let period = history.period_at(MONTH_STARTS_AT)?;
    let subscribed = [Subscribed { history, periods: Vec::new() }];
    let mut reads = Vec::new();
    let mut stretches =
        Splitter { customer: &customer, all: &subscribed, of: 0, period: &period, reads: &mut reads }.split()?;
    let mut answers: Vec<Quantities> = vec![Vec::new(); reads.len()];
    for part in stretches.iter_mut().flat_map(|stretch| &mut stretch.parts) {
        let component = &version.components[part.component];
        if matches!(component.kind, ComponentKind::Flat | ComponentKind::OneOff | ComponentKind::Percent) {
            continue;
        }
        let quantity = named.get(&component.key).copied().unwrap_or_default();
        let answer = vec![(usual_dimensions(&component.price), quantity)];
        match part.quantity {
            Quantity::Read(place) => answers[place] = answer,
            // Assigned seats are not read; here they are named like the rest.
            Quantity::Fixed(_) => {
                part.quantity = Quantity::Read(reads.len());
                reads.push(nothing_to_read(&customer, part.piece.from, part.piece.to));
                answers.push(answer);
            }
        }
    }
    let (topics, plans) = (BTreeMap::new(), BTreeMap::new());
    let seller = Seller { language: "en".to_owned(), tax_percent: Decimal::ZERO, topics, plans };
    let billing = Billing {
        seller: &seller,
        customer: &customer,
        subscribed: &subscribed,
        billed: &BilledBefore::default(),
        reads: &reads,
        quantities: &answers,
        books: vec![crate::ahead::Book::default()],
    };
    billing.month(&Month { of: 0, period, is_new: true, stretches, paid: None })
}

fn nothing_to_read(customer: &Customer, from: DateTime<Utc>, to: DateTime<Utc>) -> Read {
    Read {
        customer_id: customer.id,
        of: usage_metering::UsageOf::Customer,
        meter: String::new(),
        filter: BTreeMap::new(),
        dimensions: Vec::new(),
        counted: Counted::Sum,
        with_tariff_calls: false,
        from,
        to,
    }
}

/// Whom the month is for: nobody; only the currency, the zone and the anchor count.
fn somebody(version: &PlanVersion) -> Customer {
    Customer {
        id: CustomerId::new(),
        customer_no: String::new(),
        name: String::new(),
        email: None,
        organisation_id: None,
        billing: Pays::Postpaid,
        currency: version.currency,
        time_zone: ZONE.to_owned(),
        country: String::new(),
        address_lines: Vec::new(),
        tax_id: None,
        tax_treatment: TaxTreatment::Standard,
        payment_terms_days: 0,
        anchor_on: MONTH_STARTS_AT.date_naive(),
        created_at: MONTH_STARTS_AT,
        closed_at: None,
    }
}

fn line(target: Target) -> SampleLine {
    SampleLine {
        key: target.component.map(|_| target.key).unwrap_or_default(),
        name: target.text,
        group: target.group,
        quantity: target.quantity,
        amount: target.amount,
        // Nobody has published it: it has no version that could be named.
        explanation: Explanation { price: None, ..target.explanation },
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use money::{Currency, Percent};
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
                ("calls", "100.00"),     // (300 - 100 included) x 0.50
                ("management", "11.92"), // 8% of 149
                ("Difference to the agreed minimum of 200.00", "100.00"), // 200 - 100 of usage
                ("Fee cap of 260.00", "-0.92"), // 260 - 260.92
                ("Term discount 10%, 1 month", "-4.88"), // 10% of 49 x 260 / 260.92 = 48.83: the cap takes its part of each line
                ("total", "255.12"),
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
        // 1,000 x 1.35, of which 400 were used
        is(amounts(&terms, &[("calls", "400")]), &[("calls", "1350.00"), ("total", "1350.00")]);
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
