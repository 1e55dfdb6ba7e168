//! The terms of a version as an editor's sheet holds them: every number a text, lists of pairs as rows.

use crate::sheet::Sheet;
use money::{Currency, Money};
use pricing::{Model, PercentPrice, Price};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};
use subscription::{Component, LoyaltyReward, LoyaltyRule, NewPlanVersion, TrialUsage};

/// The sheet of these terms.
pub fn sheet(version: &NewPlanVersion) -> Sheet {
    let (trial_usage, trial_free) = match version.trial_usage {
        TrialUsage::Charged => ("charged", String::new()),
        TrialUsage::FreeUpTo(cap) => ("free", amount(cap)),
    };
    let features: Vec<Value> = version
        .features
        .iter()
        .map(|feature| {
            let limit = version.limits.get(feature);
            json!({
                "feature": feature,
                "limit": limit.map(|limit| text(limit.amount)).unwrap_or_default(),
                "meter": limit.and_then(|limit| limit.meter.clone()).unwrap_or_default(),
            })
        })
        .collect();
    Sheet::of_value(json!({
        "currency": version.currency.code(),
        "term_months": version.term_months.to_string(),
        "fixed_terms": version.fixed_terms.map(|terms| terms.to_string()).unwrap_or_default(),
        "trial_days": version.trial_days.to_string(),
        "trial_usage": trial_usage,
        "trial_free": trial_free,
        "trial_end": version.trial_end.as_str(),
        "term_discount": text(version.term_discount_percent.as_decimal()),
        "commitment": if version.commitment.is_zero() { String::new() } else { amount(version.commitment) },
        "fee_cap": version.fee_cap.map(amount).unwrap_or_default(),
        "late_usage": version.late_usage.as_str(),
        "seat_limit": version.seat_limit.map(|seats| seats.to_string()).unwrap_or_default(),
        "sells_extra_seats": if version.sells_extra_seats { "yes" } else { "" },
        "features": features,
        "loyalty": version.loyalty.iter().map(loyalty).collect::<Vec<_>>(),
        "components": version.components.iter().map(component).collect::<Vec<_>>(),
    }))
}

/// A sheet for a plan that has no version yet.
///
/// An add-on's fee is called as the add-on is, and its key follows: beside the plan's fee and other add-ons' it must be another.
pub fn first(currency: Currency, add_on: Option<&str>) -> Sheet {
    let mut fee = blank_component("flat");
    let mut version = NewPlanVersion::monthly(currency, Vec::new());
    if let Some(name) = add_on {
        fee["name"] = json!(name);
        version.trial_days = 0;
    } else {
        fee["key"] = json!("fee");
        fee["name"] = json!("Monthly fee");
    }
    let mut sheet = sheet(&version);
    sheet.insert("components", None, fee);
    sheet
}

/// A new component of this kind, with the usual choices made.
pub fn blank_component(kind: &str) -> Value {
    let (measure, billed) = match kind {
        "seat" => ("active", "in_arrears"),
        "usage" => ("calls", "in_arrears"),
        "hours" => ("hours", "in_arrears"),
        "channels" => ("channel_peak", "in_arrears"),
        "percent" => ("", "in_arrears"),
        _ => ("", "in_advance"),
    };
    let price = if kind == "percent" {
        json!({ "model": "percent", "rate": "" })
    } else {
        json!({ "model": "per_unit", "unit": "" })
    };
    json!({ "kind": kind, "key": "", "name": "", "measure": measure, "filter": [], "included": "",
        "minimum_quantity": "", "billed": billed, "price": price })
}

fn loyalty(rule: &LoyaltyRule) -> Value {
    let (reward, percent, add_on, feature) = match &rule.reward {
        LoyaltyReward::PercentOff(percent) => ("percent", text(percent.as_decimal()), String::new(), String::new()),
        LoyaltyReward::FreeAddOn(version) => ("add_on", String::new(), version.to_string(), String::new()),
        LoyaltyReward::Feature(feature) => ("feature", String::new(), String::new(), feature.clone()),
    };
    json!({ "after_months": rule.after_months.to_string(), "reward": reward, "percent": percent, "add_on": add_on, "feature": feature })
}

fn component(component: &Component) -> Value {
    let filter: Vec<Value> =
        component.filter.iter().map(|(dimension, wanted)| json!({ "dimension": dimension, "value": wanted })).collect();
    json!({
        "kind": component.kind.as_str(),
        "key": component.key,
        "name": component.name,
        "measure": component.measure.clone().unwrap_or_default(),
        "filter": filter,
        "included": unless_zero(component.included),
        "minimum_quantity": unless_zero(component.minimum_quantity),
        "billed": component.billed.as_str(),
        "price": price(&component.price),
    })
}

/// A price's part of a sheet.
pub fn price(price_of: &Price) -> Value {
    let mut part = model(&price_of.model);
    part["minimum"] = json!(price_of.minimum.map(text).unwrap_or_default());
    part["maximum"] = json!(price_of.maximum.map(text).unwrap_or_default());
    part["flat_at_zero"] = json!(if price_of.flat_at_zero { "yes" } else { "" });
    part
}

fn model(model: &Model) -> Value {
    let end = |up_to: Option<Decimal>| up_to.map(text).unwrap_or_default();
    match model {
        Model::PerUnit { unit } => json!({ "model": "per_unit", "unit": text(*unit) }),
        Model::Graduated { tiers } | Model::Volume { tiers } => {
            let name = if matches!(model, Model::Graduated { .. }) { "graduated" } else { "volume" };
            let rows: Vec<Value> = tiers
                .iter()
                .map(
                    |tier| json!({ "up_to": end(tier.up_to), "unit": text(tier.unit), "flat": unless_zero(tier.flat) }),
                )
                .collect();
            json!({ "model": name, "tiers": rows })
        }
        Model::Package { size, amount, free } => {
            json!({ "model": "package", "size": text(*size), "amount": text(*amount), "free": unless_zero(*free) })
        }
        Model::Stairstep { tiers } => {
            let rows: Vec<Value> =
                tiers.iter().map(|tier| json!({ "up_to": end(tier.up_to), "amount": text(tier.amount) })).collect();
            json!({ "model": "stairstep", "tiers": rows })
        }
        Model::Percent(percent) => percentage(percent),
        Model::GraduatedPercent { tiers } => {
            let rows: Vec<Value> = tiers
                .iter()
                .map(|tier| json!({ "up_to": end(tier.up_to), "percent": text(tier.percent), "flat": unless_zero(tier.flat) }))
                .collect();
            json!({ "model": "graduated_percent", "tiers": rows })
        }
        Model::By { dimension, cases, default } => {
            let cases: Vec<Value> =
                cases.iter().map(|(value, of)| json!({ "value": value, "price": price(of) })).collect();
            let mut part = json!({ "model": "by", "dimension": dimension, "cases": cases });
            if let Some(default) = default {
                part["has_default"] = json!("yes");
                part["default"] = price(default);
            }
            part
        }
    }
}

fn percentage(percent: &PercentPrice) -> Value {
    let kept = |number: Option<Decimal>| number.map(text).unwrap_or_default();
    json!({
        "model": "percent",
        "rate": text(percent.rate),
        "fixed_per_event": unless_zero(percent.fixed_per_event),
        "free_events": percent.free_events.map(|events| events.to_string()).unwrap_or_default(),
        "free_amount": kept(percent.free_amount),
        "minimum_per_event": kept(percent.minimum_per_event),
        "maximum_per_event": kept(percent.maximum_per_event),
    })
}

/// Another model in place of one, with what both know carried over.
pub fn remodelled(before: &Sheet, place: &str, model: &str) -> Value {
    let at = |part: &str| before.text(&format!("{place}/{part}")).to_owned();
    let first = |part: &str| {
        let own = at(part);
        if own.is_empty() { at(&format!("tiers/0/{part}")) } else { own }
    };
    let tiers: Vec<String> = before.entries(&format!("{place}/tiers")).collect();
    let ends = if tiers.is_empty() {
        vec![String::new()]
    } else {
        tiers.iter().map(|tier| before.text(&format!("{tier}/up_to")).to_owned()).collect()
    };
    let of_tier = |index: usize, part: &str| {
        tiers.get(index).map(|tier| before.text(&format!("{tier}/{part}")).to_owned()).unwrap_or_default()
    };
    let unit = [first("unit"), first("amount")].into_iter().find(|text| !text.is_empty()).unwrap_or_default();
    let rows = |make: &dyn Fn(usize, &String) -> Value| {
        ends.iter().enumerate().map(|(index, end)| make(index, end)).collect::<Vec<_>>()
    };
    let mut part = match model {
        "graduated" | "volume" => json!({ "tiers": rows(&|index, end| {
            let unit = if tiers.is_empty() { unit.clone() } else { of_tier(index, "unit") };
            json!({ "up_to": end, "unit": unit, "flat": of_tier(index, "flat") })
        }) }),
        "stairstep" => {
            json!({ "tiers": rows(&|index, end| json!({ "up_to": end, "amount": of_tier(index, "amount") })) })
        }
        "graduated_percent" => json!({ "tiers": rows(&|index, end| {
            let percent = if tiers.is_empty() { at("rate") } else { of_tier(index, "percent") };
            json!({ "up_to": end, "percent": percent, "flat": of_tier(index, "flat") })
        }) }),
        "package" => json!({ "size": at("size"), "amount": at("amount"), "free": at("free") }),
        "percent" => {
            let rate = [at("rate"), of_tier(0, "percent")].into_iter().find(|text| !text.is_empty());
            json!({ "rate": rate.unwrap_or_default() })
        }
        "by" => {
            let inner = json!({ "model": "per_unit", "unit": unit });
            json!({ "dimension": at("dimension"), "cases": [{ "value": "", "price": inner }], "has_default": "yes", "default": inner })
        }
        _ => json!({ "unit": unit }),
    };
    part["model"] = json!(model);
    for kept in ["minimum", "maximum", "flat_at_zero"] {
        part[kept] = json!(at(kept));
    }
    part
}

/// A document from elsewhere as a sheet: numbers as texts, maps of filters and cases as rows.
pub fn adopted(document: &Value) -> Sheet {
    Sheet::of_value(adopt(document))
}

fn adopt(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut adopted = Map::new();
            for (name, part) in map {
                let part = match (name.as_str(), part) {
                    ("filter", Value::Object(pairs)) => {
                        rows(pairs, |of, part| json!({ "dimension": of, "value": adopt(part) }))
                    }
                    ("cases", Value::Object(pairs)) => {
                        rows(pairs, |of, part| json!({ "value": of, "price": adopt(part) }))
                    }
                    ("default", _) if !part.is_null() => {
                        adopted.insert("has_default".into(), json!("yes"));
                        adopt(part)
                    }
                    _ => adopt(part),
                };
                adopted.insert(name.clone(), part);
            }
            Value::Object(adopted)
        }
        Value::Array(list) => Value::Array(list.iter().map(adopt).collect()),
        Value::Number(number) => Value::String(number.to_string()),
        Value::Bool(is) => Value::String(if *is { "yes".into() } else { String::new() }),
        Value::Null => Value::String(String::new()),
        Value::String(text) => Value::String(text.clone()),
    }
}

fn rows(pairs: &Map<String, Value>, row: impl Fn(&str, &Value) -> Value) -> Value {
    Value::Array(pairs.iter().map(|(of, part)| row(of, part)).collect())
}

fn text(number: Decimal) -> String {
    number.normalize().to_string()
}

fn unless_zero(number: Decimal) -> String {
    if number.is_zero() { String::new() } else { text(number) }
}

fn amount(money: Money) -> String {
    money.format_plain()
}
