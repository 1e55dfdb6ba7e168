//! Lines of the grammar: no input panics, and what is discounted, taxed or split sums exactly.

use money::{Currency, Decimal, Money, Percent};
use pricing::documents::{run, run_line};
use pricing::{
    Forecast, Operation, TaxLine, discount, estimate, return_on, split, split_minor, tax_groups, tax_groups_inclusive,
};
use proptest::prelude::*;
use serde_json::Value;

const CASES: &str = include_str!("../../../../tests/fixtures/pricing/public.jsonl");

/// The input lines of the worked examples, to be spoilt.
fn lines() -> Vec<String> {
    let cases = CASES.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    cases.filter(|case| case.get("doc").is_some()).map(|case| case["doc"].to_string()).collect()
}

/// Values that have broken programs before.
fn poison() -> impl Strategy<Value = Value> {
    let texts = [
        "",
        "-1",
        "0",
        "1e27",
        "1e-28",
        "9999999999999999999999999999",
        "0.0000000000000000000000000001",
        "NaN",
        "1e99999999999",
        "9999-12-31",
        "0001-01-01",
        "9999-12-31T23:59:59Z",
        "0000-01-01T00:00:00Z",
        "1900-01-01T00:00:00-12:00",
        "24:00",
        "00:00",
        "Pacific/Apia",
        "JPY",
        "holiday",
        "\u{0}",
        "99999999999999999999",
    ];
    prop_oneof![
        prop::sample::select(texts.to_vec()).prop_map(Value::from),
        prop::sample::select(vec![
            Value::Null,
            Value::Bool(true),
            Value::Array(vec![]),
            Value::Object(Default::default())
        ]),
        prop::sample::select(vec!["4294967295", "4294967296", "18446744073709551616", "-0", "1e400", "0.5", "1E27"])
            .prop_map(|text| serde_json::from_str(text).unwrap()),
        "\\PC{0,12}".prop_map(Value::from),
    ]
}

/// Replaces the value that a walk by these choices ends at.
fn spoil(value: &mut Value, choices: &[usize], poison: Value) {
    let Some((choice, rest)) = choices.split_first() else {
        *value = poison;
        return;
    };
    let child = match value {
        Value::Object(map) if !map.is_empty() => {
            let index = choice % map.len();
            map.values_mut().nth(index)
        }
        Value::Array(list) if !list.is_empty() => {
            let index = choice % list.len();
            list.get_mut(index)
        }
        _ => None,
    };
    match child {
        Some(child) => spoil(child, rest, poison),
        None => *value = poison,
    }
}

/// One JSON object with the line's id, and either results or an error with a code.
fn is_an_answer(line: &str) -> bool {
    let (answer, good) = run_line(line);
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let id = serde_json::from_str::<Value>(line).ok().and_then(|line| line.get("id").cloned()).unwrap_or(Value::Null);
    let coded = answer["error"]["code"].is_string() && answer["error"]["pointer"].is_string();
    answer["id"] == id && good != coded && good == answer["explain"].is_array()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    #[test]
    fn no_spoilt_line_panics(
        line in prop::sample::select(lines()),
        spoils in prop::collection::vec((prop::collection::vec(0usize..50, 1..6), poison()), 1..4),
    ) {
        let mut document: Value = serde_json::from_str(&line).unwrap();
        for (choices, poison) in spoils {
            spoil(&mut document, &choices, poison);
        }
        prop_assert!(is_an_answer(&document.to_string()), "{}", document);
    }

    #[test]
    fn no_torn_line_panics(line in prop::sample::select(lines()), at in 0usize..400, noise in "\\PC{0,20}") {
        let cut: String = line.chars().take(at).chain(noise.chars()).collect();
        prop_assert!(is_an_answer(&cut), "{}", cut);
    }
}

/// The documents of an estimate and of the return calculator, to be spoilt.
fn forecasts() -> Vec<String> {
    include_str!("../../fuzz/seeds/estimates.jsonl").lines().map(str::to_owned).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn no_spoilt_forecast_panics(
        line in prop::sample::select(forecasts()),
        spoils in prop::collection::vec((prop::collection::vec(0usize..50, 1..5), poison()), 1..3),
    ) {
        let mut document: Value = serde_json::from_str(&line).unwrap();
        for (choices, poison) in spoils {
            spoil(&mut document, &choices, poison);
        }
        if let Ok(forecast) = Forecast::from_json(&document) {
            let written = serde_json::to_value(&forecast).unwrap();
            prop_assert_eq!(&Forecast::from_json(&written).unwrap(), &forecast);
            let _ = estimate(&forecast);
        }
        if let Ok(operation) = Operation::from_json(&document) {
            let _ = return_on(&operation);
        }
    }
}

fn eur(minor: i64) -> Money {
    Money::from_minor(minor, Currency::EUR).unwrap()
}

fn percents() -> impl Strategy<Value = Vec<Percent>> {
    prop::collection::vec(0i64..=10_000, 0..4).prop_map(|list| {
        list.into_iter().map(|hundredths| Percent::new(Decimal::new(hundredths, 2)).unwrap()).collect()
    })
}

proptest! {
    #[test]
    fn a_discount_sums_exactly_and_no_line_falls_below_zero(lines in prop::collection::vec(0i64..1_000_000, 0..8), percents in percents(), amounts in prop::collection::vec(0i64..100_000, 0..3)) {
        let lines: Vec<Money> = lines.into_iter().map(eur).collect();
        let amounts: Vec<Money> = amounts.into_iter().map(eur).collect();
        let discounted = discount(&lines, &percents, &amounts, eur(0)).unwrap();
        let sum = |lines: &[Money]| Money::sum(Currency::EUR, lines.iter().copied()).unwrap();
        prop_assert_eq!(sum(&discounted.lines).checked_add(discounted.discount).unwrap(), sum(&lines));
        prop_assert!(discounted.lines.iter().all(|line| !line.is_negative()));
        prop_assert_eq!(sum(&discounted.shares), discounted.discount);
    }

    #[test]
    fn tax_inside_and_on_top_add_up_and_a_credit_note_mirrors_its_invoice(lines in prop::collection::vec((-1_000_000i64..1_000_000, 0i64..3_000, "[ab]"), 0..8)) {
        let lines: Vec<TaxLine> = lines
            .into_iter()
            .map(|(minor, rate, category)| TaxLine { amount: eur(minor), rate: Percent::new(Decimal::new(rate, 2)).unwrap(), category })
            .collect();
        let mirrored: Vec<TaxLine> = lines.iter().map(|line| TaxLine { amount: line.amount.checked_neg().unwrap(), ..line.clone() }).collect();
        for taxed in [tax_groups, tax_groups_inclusive] {
            let (sum, mirror) = (taxed(Currency::EUR, &lines).unwrap(), taxed(Currency::EUR, &mirrored).unwrap());
            prop_assert_eq!(sum.net.checked_add(sum.tax).unwrap(), sum.total);
            prop_assert_eq!(mirror.total, sum.total.checked_neg().unwrap());
            prop_assert_eq!(mirror.tax, sum.tax.checked_neg().unwrap());
        }
        let gross = Money::sum(Currency::EUR, lines.iter().map(|line| line.amount)).unwrap();
        prop_assert_eq!(tax_groups_inclusive(Currency::EUR, &lines).unwrap().total, gross);
    }

    #[test]
    fn the_parts_of_a_split_sum_to_the_gross_and_a_refund_mirrors_it(minor in 0i64..1_000_000_000, mut cuts in prop::collection::vec(0i64..=10_000, 0..6)) {
        // The cuts divide 100% among one party more.
        cuts.sort_unstable();
        let ends = cuts.iter().copied().chain([10_000]);
        let shares: Vec<Percent> =
            ends.scan(0, |from, to| Some(Percent::new(Decimal::new(to - std::mem::replace(from, to), 2)).unwrap())).collect();
        for divide in [split, split_minor] {
            let parts = divide(eur(minor), &shares).unwrap();
            prop_assert_eq!(Money::sum(Currency::EUR, parts.iter().copied()).unwrap(), eur(minor));
            let refund: Vec<Money> = divide(eur(-minor), &shares).unwrap();
            prop_assert!(parts.iter().zip(refund).all(|(part, back)| part.checked_neg().unwrap() == back));
        }
    }

    #[test]
    fn an_allocation_sums_exactly_mirrors_and_is_never_a_unit_from_its_share(minor in 0i64..1_000_000_000, weights in prop::collection::vec(0i64..100_000, 1..8)) {
        prop_assume!(weights.iter().any(|weight| *weight > 0));
        let line = |amount: i64| {
            let amount = eur(amount).format_plain();
            let weights: Vec<String> = weights.iter().map(|weight| Decimal::new(*weight, 3).to_string()).collect();
            let line = serde_json::json!({"op": "allocate", "currency": "EUR", "amount": amount, "weights": weights});
            let answer: Value = serde_json::from_str(&run_line(&line.to_string()).0).unwrap();
            let parts = answer["parts"].as_array().unwrap().iter();
            parts.map(|part| Money::parse(part.as_str().unwrap(), Currency::EUR).unwrap().minor_units().unwrap()).collect::<Vec<_>>()
        };
        let (parts, mirrored) = (line(minor), line(-minor));
        prop_assert_eq!(parts.iter().sum::<i64>(), minor);
        prop_assert!(parts.iter().zip(&mirrored).all(|(part, back)| *part == -back));
        let whole: i128 = weights.iter().map(|weight| i128::from(*weight)).sum();
        for (part, weight) in parts.iter().zip(&weights) {
            let off = i128::from(*part) * whole - i128::from(minor) * i128::from(*weight);
            prop_assert!(off.abs() < whole, "{} of {}", part, weight);
        }
    }
}

#[test]
fn every_line_has_its_answer_in_order_and_a_bad_one_does_not_stop_the_next() {
    let input = "{\"id\":1,\"op\":\"erlang_b\",\"erlangs\":\"0\",\"maximum_blocking\":\"0.01\"}\nnot json\n\n{\"id\":\"z\"}\r\n{\"id\":[2],\"op\":\"days\",\"from\":\"2026-01-01T00:00:00Z\",\"to\":\"2026-01-03T00:00:00Z\"}";
    let mut output = Vec::new();
    assert!(!run(input.as_bytes(), &mut output).unwrap());
    let answers: Vec<Value> =
        String::from_utf8(output).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), 5);
    assert_eq!(answers[0]["channels"], 0);
    assert_eq!(answers[1]["error"]["code"], "must_be_json");
    assert_eq!(answers[2]["error"]["code"], "must_be_json");
    assert_eq!((answers[3]["id"].as_str(), answers[3]["error"]["pointer"].as_str()), (Some("z"), Some("/op")));
    assert_eq!((&answers[4]["id"], &answers[4]["days"]), (&serde_json::json!([2]), &serde_json::json!(2)));
    let mut output = Vec::new();
    assert!(run("".as_bytes(), &mut output).unwrap() && output.is_empty());
}

#[test]
fn an_error_names_its_rule_and_its_place() {
    for (line, code, pointer) in [
        (
            r#"{"op":"price","currency":"EUR","quantity":"1","price":{"model":"graduated","tiers":[{"up_to":"5","unit":"1"},{"up_to":null,"unit":"x"}]}}"#,
            "not_a_decimal",
            "/price/tiers/1/unit",
        ),
        (
            r#"{"op":"price","currency":"EUR","quantity":"1","price":{"model":"by","dimension":"d","cases":{"a/b":{"model":"per_unit","unit":"-1"}}}}"#,
            "must_not_be_negative",
            "/price/cases/a~1b/unit",
        ),
        (
            r#"{"op":"call","currency":"EUR","tariff":{"rate":"1","steps":[]},"start":"2026-01-01T00:00:00Z","seconds":1}"#,
            "rate_or_steps",
            "/tariff",
        ),
        (
            r#"{"op":"call","currency":"EUR","tariff":{"rate":"1"},"start":"2026-01-01 00:00:00Z","seconds":1}"#,
            "must_be_instant",
            "/start",
        ),
        (
            r#"{"op":"call","currency":"EUR","tariff":{"rate":"1e27"},"start":"2026-01-01T00:00:00Z","seconds":60}"#,
            "too_large",
            "/tariff",
        ),
        (
            r#"{"op":"price","currency":"EUR","quantity":"1","already_used":"1","events":["1"],"price":{"model":"percent","rate":"1"}}"#,
            "events_must_stand_alone",
            "/price",
        ),
        (
            r#"{"op":"prorate","currency":"EUR","amount":"9223372036855","period":["2026-03-01","2026-04-01"],"used":["2026-03-01","2026-03-01"]}"#,
            "too_large",
            "/amount",
        ),
        (r#"{"op":"allocate","currency":"EUR","amount":"0.001","weights":["1"]}"#, "finer_than_minor_unit", "/amount"),
        (r#"{"op":"days","from":"2026-01-02T00:00:00Z","to":"2026-01-01T00:00:00Z"}"#, "end_before_beginning", "/to"),
    ] {
        let (answer, good) = run_line(line);
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert!(!good);
        assert_eq!(
            (answer["error"]["code"].as_str(), answer["error"]["pointer"].as_str()),
            (Some(code), Some(pointer)),
            "{line}"
        );
    }
}
