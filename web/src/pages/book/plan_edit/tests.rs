//! What is typed becomes terms and terms become what is typed; what is wrong is said at its field.

use super::read::{field_of, key_of, version};
use super::write;
use crate::sheet::Sheet;
use money::{Currency, Money, Percent};
use pricing::Price;
use rust_decimal::Decimal;
use serde_json::json;
use std::collections::BTreeMap;
use subscription::{
    Billed, Component, ComponentKind, LateUsage, Limit, LoyaltyReward, LoyaltyRule, NewPlanVersion, Refusal, Rule,
    TrialEnd, TrialUsage,
};

fn part(key: &str, kind: ComponentKind, measure: Option<&str>, price: serde_json::Value) -> Component {
    Component {
        key: key.into(),
        kind,
        name: key.to_uppercase(),
        measure: measure.map(Into::into),
        filter: BTreeMap::new(),
        included: Decimal::ZERO,
        minimum_quantity: Decimal::ZERO,
        price: Price::from_json(&price).unwrap(),
        billed: Billed::InArrears,
    }
}

/// Terms that say everything that terms can say.
fn rich() -> NewPlanVersion {
    let filter = BTreeMap::from([("handled_by".to_owned(), "overflow".to_owned())]);
    let components = vec![
        Component {
            billed: Billed::InAdvance,
            ..part("fee", ComponentKind::Flat, None, json!({"model": "per_unit", "unit": "159"}))
        },
        part(
            "seats",
            ComponentKind::Seat,
            Some("active"),
            json!({"model": "package", "size": "5", "amount": "200", "free": "2"}),
        ),
        Component {
            included: "500".parse().unwrap(),
            minimum_quantity: "1000".parse().unwrap(),
            filter,
            ..part(
                "minutes",
                ComponentKind::Usage,
                Some("minutes"),
                json!({"model": "graduated", "tiers": [
                {"up_to": "500", "unit": "0.55"}, {"up_to": "3000", "unit": "0.44", "flat": "2"}, {"up_to": null, "unit": "0.36"}],
                "minimum": "10", "maximum": "5000", "flat_at_zero": true}),
            )
        },
        part(
            "special",
            ComponentKind::Hours,
            Some("hours"),
            json!({"model": "by", "dimension": "work",
            "cases": {"escalation": {"model": "per_unit", "unit": "42"}, "training": {"model": "volume", "tiers": [{"up_to": null, "unit": "30"}]}},
            "default": {"model": "per_unit", "unit": "28"}}),
        ),
        part(
            "lines",
            ComponentKind::Channels,
            Some("channel_peak"),
            json!({"model": "stairstep", "tiers": [
            {"up_to": "500", "amount": "1450"}, {"up_to": null, "amount": "2600"}]}),
        ),
        part(
            "management",
            ComponentKind::Percent,
            Some("minutes"),
            json!({"model": "graduated_percent", "tiers": [
            {"up_to": "1000", "percent": "8"}, {"up_to": null, "percent": "5", "flat": "10"}]}),
        ),
        part(
            "share",
            ComponentKind::Usage,
            Some("charge"),
            json!({"model": "percent", "rate": "1.3", "fixed_per_event": "0.1",
            "free_events": 3, "free_amount": "250", "minimum_per_event": "0.5", "maximum_per_event": "5"}),
        ),
        part("setup", ComponentKind::OneOff, None, json!({"model": "per_unit", "unit": "1500"})),
    ];
    NewPlanVersion {
        term_months: 12,
        fixed_terms: Some(2),
        trial_days: 7,
        trial_usage: TrialUsage::FreeUpTo(Money::parse("25", Currency::EUR).unwrap()),
        trial_end: TrialEnd::Cancel,
        term_discount_percent: Percent::new("12.5".parse().unwrap()).unwrap(),
        commitment: Money::parse("500", Currency::EUR).unwrap(),
        fee_cap: Some(Money::parse("9000", Currency::EUR).unwrap()),
        late_usage: LateUsage::Absorb,
        loyalty: vec![
            LoyaltyRule { after_months: 12, reward: LoyaltyReward::PercentOff(Percent::new(5.into()).unwrap()) },
            LoyaltyRule { after_months: 24, reward: LoyaltyReward::FreeAddOn(db::PlanVersionId::new()) },
            LoyaltyRule { after_months: 36, reward: LoyaltyReward::Feature("premium_support".into()) },
        ],
        features: vec!["crm".into(), "recording".into()],
        limits: BTreeMap::from([("recording".to_owned(), Limit { amount: 100.into(), meter: Some("minutes".into()) })]),
        seat_limit: Some(10),
        sells_extra_seats: true,
        ..NewPlanVersion::monthly(Currency::EUR, components)
    }
}

/// As a browser sends the form back.
fn sent(sheet: &Sheet) -> Sheet {
    let fields = sheet.fields();
    Sheet::of_fields(fields.iter().map(|(name, text)| (name.as_str(), text.as_str())))
}

#[test]
fn terms_that_say_everything_come_back_as_they_were() {
    let terms = rich();
    assert_eq!(version(&sent(&write::sheet(&terms))).expect("its own sheet reads"), terms);
}

#[test]
fn what_is_wrong_is_said_at_its_field() {
    for (field, text, words) in [
        ("term_months", "0", "from 1 to 120"),
        ("trial_days", "400", "from 0 to 365"),
        ("currency", "euro", "ISO 4217"),
        ("commitment", "-1", "negative"),
        ("fee_cap", "0,5", "point before its decimals"),
        ("trial_free", "", "empty"),
        ("term_discount", "101", "0 to 100"),
        ("seat_limit", "1.5", "whole number"),
        ("loyalty/0/percent", "x", "number"),
        ("loyalty/1/add_on", "", "of the list"),
        ("loyalty/2/feature", "", "empty"),
        ("features/1/feature", "", "Must name the feature"),
        ("components/0/name", "", "empty"),
        ("components/0/price/unit", "", "empty"),
        ("components/0/price/unit", "-1", "negative"),
        ("components/1/price/size", "0", "above zero"),
        ("components/2/included", "-5", "negative"),
        ("components/2/filter/0/value", "", "which value counts"),
        ("components/2/price/tiers/1/up_to", "400", "Must be above 500, the end of the tier before."),
        ("components/2/price/tiers/0/up_to", "", "only the last tier has no end"),
        ("components/2/price/tiers/2/up_to", "9000", "no end"),
        ("components/2/price/maximum", "9", "at least"),
        ("components/3/price/cases/0/value", "", "empty"),
        ("components/3/price/cases/0/price/unit", "x", "number"),
        ("components/3/price/default/unit", "", "empty"),
        ("components/4/price/tiers/0/amount", "", "empty"),
        ("components/5/price/tiers/0/percent", "-1", "negative"),
        ("components/6/price/rate", "", "empty"),
    ] {
        let mut sheet = sent(&write::sheet(&rich()));
        sheet.set(field, text);
        let faults = version(&sheet).expect_err(field);
        let all: Vec<_> = faults.all().collect();
        assert!(faults.at(field).is_some_and(|said| said.contains(words)), "{field} = {text:?}: {all:?}");
    }
}

#[test]
fn a_rule_of_the_domain_finds_the_field_that_it_is_about() {
    let sheet = sent(&write::sheet(&rich()));
    for (theirs, ours) in [
        ("term_discount_percent", "term_discount"),
        ("features/1", "features/1/feature"),
        ("limits/recording", "features/1/limit"),
        ("loyalty/0/percent_off", "loyalty/0/after_months"),
        ("components/minutes/measure", "components/2/measure"),
        ("components/minutes/filter/handled_by", "components/2/filter/0/dimension"),
        ("components/minutes/filter", "components/2/filter/0/dimension"),
        ("components/minutes/price/tiers/1/up_to", "components/2/price/tiers/1/up_to"),
        ("components/special/price/cases/training/tiers/0/unit", "components/3/price/cases/1/price/tiers/0/unit"),
        ("components/seats/price/model", "components/1/price/model"),
        ("components/7/key", "components/7/key"),
    ] {
        let refusal = Refusal { field: theirs.into(), rule: Rule::MustNotBeEmpty, value: String::new() };
        let found = field_of(&sheet, &refusal);
        // A rule about a whole row stands at one of its fields.
        let row = ours.rsplit_once('/').map_or(ours, |(row, _)| row);
        assert!(
            found == ours || (theirs.contains("percent_off") && found.starts_with(row)),
            "{theirs}: {found}, not {ours}"
        );
    }
}

#[test]
fn another_model_keeps_what_both_know() {
    let sheet = sent(&write::sheet(&rich()));
    let place = "components/2/price";
    let volume = write::remodelled(&sheet, place, "volume");
    assert_eq!(volume["tiers"][1]["up_to"], "3000");
    assert_eq!(volume["tiers"][2]["unit"], "0.36");
    assert_eq!(volume["maximum"], "5000");
    assert_eq!(write::remodelled(&sheet, place, "per_unit")["unit"], "0.55");
    let by = write::remodelled(&sheet, "components/0/price", "by");
    assert_eq!(by["default"]["unit"], "159");
    for model in ["per_unit", "graduated", "volume", "package", "stairstep", "percent", "graduated_percent", "by"] {
        let part = write::remodelled(&sheet, place, model);
        assert_eq!(part["model"], model);
    }
}

#[test]
fn a_document_from_the_api_is_adopted() {
    let component = serde_json::to_value(&rich().components[3]).unwrap();
    let sheet = write::adopted(&json!({ "components": [component], "term_months": 3 }));
    assert_eq!(sheet.text("term_months"), "3");
    assert_eq!(sheet.text("components/0/price/cases/0/value"), "escalation");
    assert_eq!(sheet.text("components/0/price/default/unit"), "28");
}

#[test]
fn a_key_is_made_of_the_name() {
    for (name, key) in [("Calls, by the minute", "calls_by_the_minute"), ("  Ünits 2 ", "nits_2"), ("---", "")] {
        assert_eq!(key_of(name), key);
    }
}
