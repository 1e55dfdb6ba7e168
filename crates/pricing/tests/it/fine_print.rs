//! The fine print of the grammar, sentence by sentence, through the function that `ringtill price` runs.

use pricing::documents::run_line;
use serde_json::{Value, json};

pub(super) fn answer(document: &Value) -> Value {
    serde_json::from_str(&run_line(&document.to_string()).0).unwrap()
}

/// The named field of the answer, or the code of the refusal.
pub(super) fn told(document: &Value, field: &str) -> String {
    let answer = answer(document);
    match answer["error"]["code"].as_str() {
        Some(code) => code.to_owned(),
        None => answer[field].as_str().map_or_else(|| answer[field].to_string(), str::to_owned),
    }
}

fn price(price: Value, quantity: Value) -> Value {
    json!({"op": "price", "currency": "EUR", "price": price, "quantity": quantity})
}

pub(super) fn call(tariff: Value, start: &str, seconds: u32) -> Value {
    json!({"op": "call", "currency": "EUR", "tariff": tariff, "start": start, "seconds": seconds, "time_zone": "Europe/Berlin"})
}

fn with(mut document: Value, name: &str, value: Value) -> Value {
    document[name] = value;
    document
}

pub(super) const NOON: &str = "2026-03-04T11:00:00Z"; // a Wednesday, 12:00 in Berlin

#[test]
fn numbers_are_taken_by_their_text_and_never_bent() {
    let unit = |unit: &str| {
        let line =
            format!(r#"{{"op":"price","currency":"EUR","quantity":1,"price":{{"model":"per_unit","unit":{unit}}}}}"#);
        let answer: Value = serde_json::from_str(&run_line(&line).0).unwrap();
        answer["error"]["code"].as_str().or(answer["amount"].as_str()).unwrap().to_owned()
    };
    for (text, expected) in [
        (r#""1e3""#, "1000.00"),
        ("1e3", "1000.00"),
        ("1E+3", "1000.00"),
        ("0.1", "0.10"), // a JSON number, not through a float
        ("0.30000000000000004", "0.30"),
        (r#""1234567890123456789012345678""#, "too_large"), // 28 digits are a number, but no amount
        (r#""12345678901234567890123456789""#, "too_many_digits"), // 29
        ("12345678901234567890123456789", "too_many_digits"), // the same holds for JSON numbers
        (r#""0.1234567890123456789012345678""#, "0.123457"), // 28 digits
        (r#""0.12345678901234567890123456789""#, "too_many_digits"),
        (r#""9223372036854.775807""#, "9223372036854.775807"), // the last amount that i64 micros hold
        (r#""9223372036854.775808""#, "too_large"),
        (r#""+1""#, "not_a_decimal"),
        (r#"".5""#, "not_a_decimal"),
        (r#""5.""#, "not_a_decimal"),
        (r#"" 5""#, "not_a_decimal"),
        (r#""""#, "not_a_decimal"),
        (r#""1,5""#, "not_a_decimal"),
        (r#""0x10""#, "not_a_decimal"),
        (r#""١""#, "not_a_decimal"), // a digit, but not one of ours
        (r#""-1""#, "must_not_be_negative"),
        (r#""-0""#, "0.00"),
        ("null", "wrong_type"),
        ("true", "wrong_type"),
        ("[]", "wrong_type"),
    ] {
        assert_eq!(unit(text), expected, "{text}");
    }
}

#[test]
fn currencies_are_upper_case_iso_4217_and_decide_the_minor_unit() {
    let document = |currency: &str, round: &str| {
        let document = price(json!({"model": "per_unit", "unit": "0.0055"}), json!("1000"));
        told(&with(with(document, "currency", json!(currency)), "round", json!(round)), "amount")
    };
    assert_eq!(document("EUR", "micros"), "5.50");
    assert_eq!(document("JPY", "minor"), "6"); // 5.5, half away from zero
    assert_eq!(document("KWD", "minor"), "5.500");
    for code in ["eur", "EURO", "XYZ", "", "Eur"] {
        assert_eq!(document(code, "minor"), "currency_must_be_iso_4217", "{code}");
    }
    assert_eq!(document("EUR", "cent"), "unknown_rounding");
}

#[test]
fn round_is_for_price_call_prorate_and_commitment_alone() {
    let dates = json!(["2026-03-01", "2026-04-01"]);
    for document in [
        price(json!({"model": "per_unit", "unit": "0.005"}), json!(1)),
        call(json!({"rate": "0.005"}), NOON, 60),
        json!({"op": "prorate", "currency": "EUR", "amount": "0.005", "period": dates, "used": dates}),
    ] {
        assert_eq!(told(&document, "amount"), "0.005", "{document}");
        assert_eq!(told(&with(document, "round", json!("minor")), "amount"), "0.01");
    }
    let commitment = json!({"op": "commitment", "currency": "EUR", "usage": "1", "minimum": "1.005"});
    assert_eq!(told(&commitment, "true_up"), "0.005");
    assert_eq!(told(&with(commitment, "round", json!("minor")), "true_up"), "0.01");
    for document in [
        json!({"op": "talk_time", "currency": "EUR", "tariff": {"rate": "1"}, "balance": "1", "start": NOON}),
        json!({"op": "change", "currency": "EUR", "old": "1", "new": "2", "period": dates, "on": "2026-03-05"}),
        json!({"op": "allocate", "currency": "EUR", "amount": "1", "weights": ["1"]}),
        json!({"op": "discount", "currency": "EUR", "lines": ["1"], "percents": [], "amounts": []}),
        json!({"op": "tax", "currency": "EUR", "lines": [], "inclusive": false}),
    ] {
        assert_ne!(answer(&document)["error"]["code"], "unknown_field", "{document}");
        assert_eq!(told(&with(document, "round", json!("minor")), "amount"), "unknown_field");
    }
}

#[test]
fn what_was_used_before_subtracts_a_whole_price_with_its_limits() {
    let limited = |quantity: &str, used: &str| {
        let document =
            price(json!({"model": "per_unit", "unit": "1", "minimum": "5", "maximum": "8"}), json!(quantity));
        told(&with(document, "already_used", json!(used)), "amount")
    };
    assert_eq!(limited("1", "0"), "5.00"); // the minimum; nothing is subtracted
    assert_eq!(limited("1", "1"), "0.00"); // 5 - 5: both terms carry the minimum
    assert_eq!(limited("5", "1"), "1.00"); // 6 - 5
    assert_eq!(limited("9", "1"), "3.00"); // 8 - 5
    assert_eq!(limited("9", "20"), "0.00"); // 8 - 8
    // At zero a flat is due once: with 0 used before, nothing is subtracted.
    let flat =
        json!({"model": "graduated", "flat_at_zero": true, "tiers": [{"up_to": null, "unit": "1", "flat": "2"}]});
    assert_eq!(told(&price(flat.clone(), json!(0)), "amount"), "2.00");
    assert_eq!(told(&with(price(flat.clone(), json!(3)), "already_used", json!(0)), "amount"), "5.00"); // 3 + 2
    assert_eq!(told(&with(price(flat, json!(3)), "already_used", json!(1)), "amount"), "3.00"); // 6 - 3
    let volume = json!({"model": "volume", "tiers": [{"up_to": "10", "unit": "2"}, {"up_to": null, "unit": "1"}]});
    assert_eq!(told(&with(price(volume, json!(1)), "already_used", json!(10)), "amount"), "-9.00"); // 11 - 20
}

#[test]
fn a_percent_price_charges_events_and_spares_the_free_ones() {
    let amount = |terms: Value, events: Value| {
        let mut document = price(json!({"model": "percent", "rate": "1"}), json!("7"));
        document["price"].as_object_mut().unwrap().extend(terms.as_object().unwrap().clone());
        told(&with(document, "events", events), "amount")
    };
    assert_eq!(amount(json!({}), json!(["100", "200"])), "3.00"); // the quantity beside events is ignored
    assert_eq!(amount(json!({}), json!([])), "0.00");
    // The limits hold after the fixed fee: 1 + 2 = 3 is below 5; 10 + 2 = 12 is above 8.
    assert_eq!(
        amount(
            json!({"fixed_per_event": "2", "minimum_per_event": "5", "maximum_per_event": "8"}),
            json!(["100", "1000"])
        ),
        "13.00"
    );
    // A wholly free event has no minimum; a partly free one pays its fixed fee: 1% of 50 + 2 = 2.5.
    assert_eq!(
        amount(json!({"fixed_per_event": "2", "free_amount": "150", "minimum_per_event": "1"}), json!(["100", "100"])),
        "2.50"
    );
    // Whichever runs out first ends the free part: the first event is the only free one, 150 of amount are left unused.
    assert_eq!(amount(json!({"free_events": 1, "free_amount": "250"}), json!(["100", "100"])), "1.00");
    assert_eq!(amount(json!({"free_events": 5, "free_amount": "150"}), json!(["100", "100", "100"])), "1.50"); // 50 + 100
    // Without events the quantity is one base amount.
    assert_eq!(
        told(&price(json!({"model": "percent", "rate": "1.3", "fixed_per_event": "2"}), json!("100")), "amount"),
        "3.30"
    );
}

#[test]
fn a_price_by_dimension_needs_a_case_or_a_default() {
    let by = |default: Value, dimensions: Value| {
        let cases = json!({"en": {"model": "per_unit", "unit": "0.40"}});
        let document =
            price(json!({"model": "by", "dimension": "language", "cases": cases, "default": default}), json!(10));
        told(&with(document, "dimensions", dimensions), "amount")
    };
    let other = json!({"model": "per_unit", "unit": "0.55"});
    assert_eq!(by(other.clone(), json!({"language": "en"})), "4.00");
    assert_eq!(by(other.clone(), json!({"language": "EN"})), "5.50"); // cases are taken by their letters
    assert_eq!(by(other, json!({})), "5.50");
    assert_eq!(by(Value::Null, json!({"language": "de"})), "no_case_matches");
    assert_eq!(by(Value::Null, json!({"region": "en"})), "no_case_matches");
}

#[test]
fn days_and_periods_are_civil() {
    let march = json!(["2026-03-01", "2026-04-01"]);
    let change =
        |on: &str| json!({"op": "change", "currency": "EUR", "old": "31", "new": "62", "period": march, "on": on});
    let at_end = answer(&change("2026-04-01"));
    assert_eq!(
        (&at_end["credit"], &at_end["charge"], &at_end["net"]),
        (&json!("0.00"), &json!("0.00"), &json!("0.00"))
    );
    for on in ["2026-02-28", "2026-04-02"] {
        assert_eq!(told(&change(on), "net"), "change_must_lie_in_period");
    }
    let billed = with(with(change("2026-03-11"), "billed", json!("10")), "credited", json!("11"));
    assert_eq!((told(&billed, "credit"), told(&billed, "net")), ("0.00".to_owned(), "42.00".to_owned()));
    let empty = json!({"op": "prorate", "currency": "EUR", "amount": "31", "period": march, "used": ["2026-03-05", "2026-03-05"]});
    assert_eq!((told(&empty, "amount"), told(&empty, "days")), ("0.00".to_owned(), "0".to_owned()));
    let periods = |anchor: &str, count: u32, zone: &str| json!({"op": "periods", "anchor": anchor, "months": 1, "count": count, "time_zone": zone});
    assert_eq!(told(&periods("2026-01-31", 0, "UTC"), "bounds"), "must_be_above_zero");
    // Where local midnight does not exist, the first instant of that day.
    assert_eq!(answer(&periods("2018-11-04", 1, "America/Sao_Paulo"))["bounds"][0], "2018-11-04T01:00:00-02:00");
    assert_eq!(
        answer(&periods("2026-01-31", 2, "Europe/Berlin"))["bounds"],
        json!(["2026-01-31T00:00:00+01:00", "2026-02-28T00:00:00+01:00", "2026-03-31T00:00:00+02:00"])
    );
    let days = |from: &str, to: &str| json!({"op": "days", "from": from, "to": to, "time_zone": "Europe/Berlin"});
    assert_eq!(told(&days("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"), "days"), "1"); // 23 hours
    assert_eq!(told(&days("2026-03-29T00:00:00Z", "2026-03-28T00:00:00Z"), "days"), "end_before_beginning");
}

#[test]
fn discounts_taxes_and_parts_sum_in_minor_units() {
    let discount = |lines: Value, percents: Value, amounts: Value| json!({"op": "discount", "currency": "EUR", "lines": lines, "percents": percents, "amounts": amounts});
    let third = discount(json!(["10", "10", "10"]), json!(["33.335"]), json!([]));
    assert_eq!(told(&third, "discount"), "10.00"); // 10.0005, rounded once, then shared
    assert_eq!(answer(&third)["lines"], json!(["6.66", "6.67", "6.67"])); // the cent goes to the earlier
    assert_eq!(told(&discount(json!(["100"]), json!(["10", "10"]), json!(["5"])), "discount"), "24.00"); // 100 - (81 - 5)
    assert_eq!(told(&discount(json!(["1"]), json!([]), json!(["5"])), "discount"), "1.00"); // never below zero
    assert_eq!(told(&discount(json!(["-1"]), json!([]), json!([])), "discount"), "must_not_be_negative");
    assert_eq!(
        told(&discount(json!(["1"]), json!(["100.01"]), json!([])), "discount"),
        "percent_must_not_exceed_whole"
    );
    let line = |amount: &str, rate: &str, category: &str| json!({"amount": amount, "rate": rate, "category": category});
    let tax = json!({"op": "tax", "currency": "EUR", "inclusive": true,
        "lines": [line("1.19", "19", "s"), line("1.07", "7", "r"), line("1.19", "19.00", "s"), line("1", "19", "other")]});
    let groups = answer(&tax)["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| (group["category"].clone(), group["base"].clone()))
        .collect::<Vec<_>>();
    // Rates equal in value are one group, in order of first appearance; the base is net: 2.38 / 1.19, 1.07 / 1.07, 1 / 1.19.
    assert_eq!(groups, [(json!("s"), json!("2.00")), (json!("r"), json!("1.00")), (json!("other"), json!("0.84"))]);
    for document in [
        json!({"op": "allocate", "currency": "EUR", "amount": "0.015", "weights": ["1", "1"]}),
        json!({"op": "allocate", "currency": "JPY", "amount": "0.5", "weights": ["1"]}),
        with(tax, "lines", json!([line("0.001", "19", "s")])),
    ] {
        assert_eq!(told(&document, "total"), "finer_than_minor_unit");
    }
}

#[test]
fn a_route_keeps_its_margin_and_ties_keep_their_order() {
    let route = |called: &str, carriers: Value| {
        answer(
            &json!({"op": "route", "currency": "EUR", "called": called, "sell_rate": "0.10", "minimum_margin_percent": "20", "carriers": carriers}),
        )
    };
    let carrier = |code: &str, up: bool, rates: Value| json!({"code": code, "up": up, "rates": rates});
    let carriers = json!([
        carrier("b", true, json!({"49": "0.05"})),
        carrier("a", true, json!({"4930": "0.05"})),
        carrier("down", false, json!({"49": "0.01"})),
        carrier("dear", true, json!({"49": "0.081"})),             // 19%
        carrier("just", true, json!({"49": "0.08"})),              // 20%
        carrier("free", true, json!({"49": "0", "4930": "0.09"})), // its longest prefix is too dear
        carrier("gift", true, json!({"493": "0"})),
    ]);
    let codes = |answer: &Value| {
        answer["routes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|route| route["carrier"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    for called in ["+493012345", "493012345"] {
        assert_eq!(codes(&route(called, carriers.clone())), ["gift", "b", "a", "just"]);
    }
    assert_eq!(route("+4930", carriers.clone())["routes"][0]["margin_percent"], "100");
    assert_eq!(route("+331", carriers)["routes"], json!([]));
    let refused = |carriers: Value| route("+49", carriers)["error"]["code"].clone();
    assert_eq!(refused(json!([carrier("a", true, json!({"+49": "1"}))])), "must_be_prefix");
    assert_eq!(refused(json!([{"code": "a", "up": 1, "rates": {}}])), "wrong_type");
    assert_eq!(route("", json!([]))["error"]["code"], "must_be_called_number");
}

#[test]
fn shares_lie_between_nothing_and_all() {
    let staff = |name: &str, value: &str| {
        let document = json!({"op": "erlang_c", "calls_per_hour": "200", "handling_seconds": "180", "target": "0.8",
            "within_seconds": "20", "maximum_occupancy": "0.85", "shrinkage": "0.3"});
        told(&with(document, name, json!(value)), "agents")
    };
    assert_eq!(staff("calls_per_hour", "0"), "0");
    assert_eq!(staff("maximum_occupancy", "1"), "14"); // inclusive
    assert_eq!(staff("target", "1.01"), "must_be_share");
    assert_eq!(staff("shrinkage", "1"), "must_be_share");
    assert_eq!(staff("maximum_occupancy", "85"), "must_be_share");
    let blocking =
        |share: &str| told(&json!({"op": "erlang_b", "erlangs": "10", "maximum_blocking": share}), "channels");
    assert_eq!((blocking("0.01"), blocking("1"), blocking("1.1")), ("18".into(), "0".into(), "must_be_share".into()));
}

#[test]
fn a_refusal_carries_the_offending_value_and_every_answer_an_explanation() {
    let tiers = json!([{"up_to": "10", "unit": "1"}, {"up_to": "5", "unit": "1"}, {"up_to": null, "unit": "1"}]);
    let refused =
        answer(&with(price(json!({"model": "graduated", "tiers": tiers}), json!(1)), "id", json!({"any": [1]})));
    assert_eq!(refused["error"]["found"], "\"5\"");
    assert_eq!((&refused["error"]["pointer"], &refused["id"]), (&json!("/price/tiers/1/up_to"), &json!({"any": [1]})));
    let misspelt = answer(&with(price(json!({"model": "per_unit", "unit": "1"}), json!(1)), "quantty", json!(2)));
    assert_eq!((&misspelt["error"]["code"], &misspelt["error"]["found"]), (&json!("unknown_field"), &json!("2")));
    // A value longer than a line is told by its beginning, and what is missing has none.
    let long = answer(&price(json!({"model": "per_unit", "unit": "9".repeat(500)}), json!(1)));
    assert!(long["error"]["found"].as_str().unwrap().chars().count() <= 81);
    assert_eq!(answer(&json!({"op": "days"}))["error"].get("found"), None);
    assert!(answer(&price(json!({"model": "per_unit", "unit": "1"}), json!(0)))["explain"].is_array());
}

#[test]
fn a_field_that_stands_twice_is_refused_where_it_stands() {
    for (line, pointer) in [
        (
            r#"{"op":"price","currency":"EUR","price":{"model":"per_unit","unit":"1","unit":"2"},"usage":{"quantity":"1"}}"#,
            "/price/unit",
        ),
        (r#"{"op":"price","currency":"EUR","currency":"USD"}"#, "/currency"),
    ] {
        let (answer, good) = run_line(line);
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert!(!good);
        assert_eq!(
            (&answer["error"]["code"], &answer["error"]["pointer"]),
            (&"must_not_repeat".into(), &pointer.into())
        );
    }
}
