//! The fine print of tariffs, bands and talk time.

use serde_json::{Value, json};

use crate::fine_print::{NOON, answer, call, told};

#[test]
fn a_tariff_says_what_it_does_not_say() {
    let billed = |tariff: Value, seconds: u32| {
        let answer = answer(&call(tariff, NOON, seconds));
        (answer["amount"].as_str().unwrap().to_owned(), answer["billed_seconds"].as_u64().unwrap())
    };
    let is = |amount: &str, seconds: u64| (amount.to_owned(), seconds);
    assert_eq!(billed(json!({"rate": "0.60"}), 61), is("0.61", 61)); // a minute, by the second, no fee
    assert_eq!(billed(json!({"rate": "0.60", "increment": 60}), 1), is("0.60", 60)); // the first increment is the increment
    assert_eq!(billed(json!({"rate": "36", "per": "hour"}), 1), is("0.01", 1));
    assert_eq!(billed(json!({"rate": "1", "per": "second", "maximum": null}), 90), is("90.00", 90));
    // Seconds that are free: off before increments, not in the billed ones, while the steps count from answer.
    let steps = json!([{"from_second": 0, "rate": "60"}, {"from_second": 60, "rate": "6"}]);
    assert_eq!(billed(json!({"free_seconds": 50, "steps": steps}), 80), is("12.00", 30)); // 10 at 1 + 20 at 0.10
    assert_eq!(billed(json!({"connection": "1", "free_seconds": 50, "rate": "60"}), 50), is("1.00", 0));
    assert_eq!(billed(json!({"free_seconds": 50, "minimum_seconds": 20, "rate": "60"}), 51), is("20.00", 20));
    // Seconds that were added are priced as if the call had lasted: 30 of them lie in the second step.
    let added =
        json!({"minimum_seconds": 90, "steps": [{"from_second": 0, "rate": "60"}, {"from_second": 60, "rate": "6"}]});
    assert_eq!(billed(added, 1), is("63.00", 90)); // 60 x 1 + 30 x 0.10
    // The maximum caps the whole charge, the connection included.
    assert_eq!(billed(json!({"connection": "5", "rate": "60", "maximum": "7"}), 60), is("7.00", 60));
    assert_eq!(billed(json!({"connection": "5", "rate": "60", "maximum": "3"}), 1), is("3.00", 1));
    assert_eq!(billed(json!({"connection": "5", "rate": "60", "minimum_seconds": 60}), 0), is("0.00", 0)); // not answered
}

#[test]
fn bands_begin_on_their_days_and_the_first_that_matches_holds() {
    let at = |bands: Value, start: &str| {
        told(&call(json!({"rate": "1", "connection": "9", "bands": bands}), start, 60), "amount")
    };
    let band = |days: Value, from: &str, to: &str, rate: &str| json!({"days": days, "from": from, "to": to, "rate": rate, "connection": "0"});
    // Equal ends, and an end at 24:00, are the whole day; an end at 00:00 is midnight.
    for (from, to, at_noon, at_night) in [
        ("12:00", "12:00", "2.00", "2.00"), // the whole of Wednesday, 00:00 to 24:00
        ("00:00", "24:00", "2.00", "2.00"),
        ("00:00", "00:00", "2.00", "2.00"),
        ("12:00", "00:00", "2.00", "10.00"),
        ("12:00", "24:00", "2.00", "10.00"),
    ] {
        let bands = json!([band(json!(["wed"]), from, to, "2")]);
        assert_eq!(at(bands.clone(), NOON), at_noon, "{from} {to}");
        assert_eq!(at(bands.clone(), "2026-03-03T23:30:00Z"), at_night, "{from} {to}"); // Wednesday 00:30
        assert_eq!(at(bands, "2026-03-04T23:00:00Z"), "10.00", "{from} {to}"); // Thursday 00:00: 9 + 1
    }
    let bands = json!([band(json!(["wed"]), "10:00", "14:00", "2"), band(json!(["wed"]), "08:00", "20:00", "3")]);
    assert_eq!((at(bands.clone(), NOON), at(bands, "2026-03-04T15:00:00Z")), ("2.00".to_owned(), "3.00".to_owned()));
    // The night of Wednesday reaches into Thursday; Thursday's own night does not reach back.
    let nights = json!([band(json!(["wed"]), "22:00", "06:00", "2")]);
    assert_eq!(at(nights.clone(), "2026-03-05T04:00:00Z"), "2.00"); // Thursday 05:00
    assert_eq!(at(nights, "2026-03-04T04:00:00Z"), "10.00"); // Wednesday 05:00 is Tuesday's night
    // An omitted connection is the tariff's; the fee is that of the band in which the call began, once.
    let without = json!([{"days": ["wed"], "from": "12:00", "to": "13:00", "rate": "2"}]);
    assert_eq!(at(without, NOON), "11.00");
    let crossing = json!([band(json!(["wed"]), "12:00", "12:01", "2")]);
    let long = call(json!({"rate": "1", "connection": "9", "bands": crossing}), NOON, 120);
    assert_eq!((told(&long, "amount"), told(&long, "connection")), ("3.00".to_owned(), "0.00".to_owned())); // 2 + 1
    // An increment that has begun is charged as it began: the second minute begins at 12:00:50, a band earlier.
    let begun = json!({"rate": "1", "increment": 60, "bands": [band(json!(["wed"]), "12:01", "13:00", "2")]});
    assert_eq!(told(&call(begun, "2026-03-04T10:59:50Z", 61), "amount"), "2.00"); // 11:59:50 and 12:00:50 at 1
    // The steps of a band count from answer, not from its edge.
    let steps = json!([{"days": ["wed"], "from": "12:10", "to": "13:00", "steps": [{"from_second": 0, "rate": "2"}, {"from_second": 1200, "rate": "5"}]}]);
    assert_eq!(told(&call(json!({"rate": "1", "bands": steps}), NOON, 1260), "amount"), "35.00"); // 10 x 1 + 10 x 2 + 1 x 5
    assert_eq!(
        told(
            &call(
                json!({"rate": "1", "bands": [{"days": ["wed"], "from": "24:00", "to": "13:00", "rate": "1"}]}),
                NOON,
                1
            ),
            "amount"
        ),
        "must_be_time_of_day"
    );
}

#[test]
fn a_holiday_without_a_band_for_it_is_an_ordinary_day() {
    let on = |days: Value| {
        let bands = json!([{"days": days, "from": "00:00", "to": "24:00", "rate": "2"}]);
        told(&call(json!({"rate": "1", "holidays": ["2026-03-04"], "bands": bands}), NOON, 60), "amount")
    };
    assert_eq!(on(json!(["wed"])), "2.00"); // Wednesday as ever
    assert_eq!(on(json!(["holiday"])), "2.00");
    // With a band for holidays somewhere, only such bands hold on one.
    let bands = json!([{"days": ["wed"], "from": "00:00", "to": "24:00", "rate": "2"}, {"days": ["holiday"], "from": "18:00", "to": "24:00", "rate": "3"}]);
    assert_eq!(
        told(&call(json!({"rate": "1", "holidays": ["2026-03-04"], "bands": bands}), NOON, 60), "amount"),
        "1.00"
    );
}

#[test]
fn talk_time_compares_the_rounded_charge_with_the_balance() {
    let lasts = |tariff: Value, balance: &str| {
        told(
            &json!({"op": "talk_time", "currency": "EUR", "tariff": tariff, "balance": balance, "start": NOON}),
            "max_seconds",
        )
    };
    // 0.0000004 a second: a second rounds to nothing, two seconds to 0.000001.
    let tiny = json!({"rate": "0.0000004", "per": "second"});
    assert_eq!(lasts(tiny.clone(), "0"), "1");
    assert_eq!(lasts(tiny.clone(), "0.000001"), "3"); // 0.0000012; four are 0.0000016
    assert_eq!(lasts(tiny, "0.0000019"), "3"); // what lies beyond micros pays for nothing
    assert_eq!(lasts(json!({"rate": "1"}), "-0.01"), "0");
    assert_eq!(lasts(json!({"rate": "0"}), "-0.01"), "0");
    assert_eq!(lasts(json!({"rate": "0"}), "0"), "null");
    assert_eq!(lasts(json!({"rate": "1", "maximum": "5"}), "5"), "null"); // at least the maximum
    assert_eq!(lasts(json!({"rate": "1", "maximum": "5"}), "4.999999"), "299");
    assert_eq!(lasts(json!({"rate": "1", "connection": "1"}), "0.99"), "0");
    assert_eq!(lasts(json!({"rate": "1", "connection": "1", "free_seconds": 30}), "1"), "30");
    assert_eq!(lasts(json!({"rate": "1", "increment": 60}), "1.99"), "60");
    assert_eq!(lasts(json!({"rate": "1", "minimum_seconds": 90}), "1.49"), "0");
}
