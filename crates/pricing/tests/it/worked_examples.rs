//! Worked examples from the field's own systems and from arithmetic done twice, through the function that `ringtill price` runs.

use money::{Decimal, parse_decimal};
use pricing::documents::run_line;
use serde_json::Value;

const CASES: &str = include_str!("../../../../tests/fixtures/pricing/public.jsonl");

/// Fields that only a priced line has.
const RESULTS: [&str; 16] = [
    "amount",
    "max_seconds",
    "credit",
    "charge",
    "net",
    "parts",
    "discount",
    "groups",
    "total",
    "true_up",
    "bounds",
    "days",
    "routes",
    "agents",
    "channels",
    "billed_seconds",
];

#[test]
fn every_worked_example_gives_what_its_source_says() {
    let mut failures = Vec::new();
    let mut count = 0;
    for line in CASES.lines().filter(|line| !line.trim().is_empty()) {
        let case: Value = serde_json::from_str(line).expect("a case is JSON");
        count += 1;
        let input = match case.get("raw").and_then(Value::as_str) {
            Some(raw) => raw.to_owned(),
            None => case["doc"].to_string(),
        };
        if let Err(why) = judge(&case, &input) {
            failures.push(format!("{}: {why}\n    {input}", case["id"]));
        }
    }
    assert!(failures.is_empty(), "{} of {count} failed:\n{}", failures.len(), failures.join("\n"));
    assert_eq!(count, 546);
}

fn judge(case: &Value, input: &str) -> Result<(), String> {
    let (output, good) = run_line(input);
    let got: Value = serde_json::from_str(&output).map_err(|error| format!("no JSON: {error}"))?;
    if case.get("doc").is_some() && got["id"] != case["doc"]["id"] {
        return Err(format!("answers {} for {}", got["id"], case["doc"]["id"]));
    }
    let want = case["expect"].as_object().expect("a case expects an object");
    if want.get("error") == Some(&Value::Bool(true)) {
        let result = RESULTS.iter().find(|name| got.get(**name).is_some());
        return match (got["error"].is_object(), good, result) {
            (true, false, None) => Ok(()),
            _ => Err(format!("an error was wanted: {output}")),
        };
    }
    if !good {
        return Err(format!("refused: {}", got["error"]));
    }
    match want.iter().find(|(name, value)| !same(value, &got[name.as_str()], name)) {
        Some((name, value)) => Err(format!("{name}: {value} wanted, got {}", got[name.as_str()])),
        None => Ok(()),
    }
}

fn same(want: &Value, got: &Value, name: &str) -> bool {
    match (want, got) {
        (Value::Object(near), _) if near.contains_key("near") => {
            let difference = decimal(got).zip(decimal(&near["near"])).map(|(got, near)| (got - near).abs());
            difference.zip(decimal(&near["by"])).is_some_and(|(difference, by)| difference <= by)
        }
        (Value::Object(want), Value::Object(got)) => {
            want.iter().all(|(name, value)| got.get(name).is_some_and(|got| same(value, got, name)))
        }
        // Groups may come in any order.
        (Value::Array(want), Value::Array(got)) if name == "groups" => {
            want.len() == got.len() && want.iter().all(|want| got.iter().any(|got| same(want, got, "")))
        }
        (Value::Array(want), Value::Array(got)) => {
            want.len() == got.len() && want.iter().zip(got).all(|(want, got)| same(want, got, ""))
        }
        _ if ["carrier", "prefix", "category"].contains(&name) => want == got,
        _ => match (decimal(want), decimal(got)) {
            (Some(want), Some(got)) => want == got,
            _ => want == got,
        },
    }
}

fn decimal(value: &Value) -> Option<Decimal> {
    match value {
        Value::String(text) => parse_decimal(text).ok(),
        Value::Number(number) => parse_decimal(number.as_str()).ok(),
        _ => None,
    }
}
