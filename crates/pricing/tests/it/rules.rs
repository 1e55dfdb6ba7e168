//! Single rules, each with the sum that shows it.

use chrono::{DateTime, NaiveDate, Utc};
use money::{Currency, Money, MoneyError, Percent};
use pricing::{
    Commitment, CompiledTariff, DateRange, PricingError, RoundTo, Tariff, TaxLine, change, change_capped, discount,
    tax_groups, true_up,
};
use serde_json::{Value, json};

fn eur(text: &str) -> Money {
    Money::parse(text, Currency::EUR).unwrap()
}

fn compiled(tariff: Value) -> CompiledTariff {
    CompiledTariff::compile(&Tariff::from_json(&tariff).unwrap(), Currency::EUR, "Europe/Berlin").unwrap()
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn on(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

#[test]
fn a_call_pays_its_connection_once_and_each_started_increment() {
    let tariff = compiled(json!({"connection": "0.0100", "rate": "0.0120", "increment": 60}));
    for (seconds, amount, billed) in [
        (0, "0", 0),        // not answered: free
        (1, "0.022", 60),   // 0.0100 + 1 x 0.0120
        (60, "0.022", 60),  // still the first
        (61, "0.034", 120), // 0.0100 + 2 x 0.0120
    ] {
        let charge = tariff.rate(at("2026-03-04T10:00:00Z"), seconds).unwrap();
        assert_eq!((charge.amount, charge.billed_seconds), (eur(amount), billed), "{seconds} s");
    }
    let minor = tariff.rate_to(at("2026-03-04T10:00:00Z"), 61, RoundTo::Minor).unwrap();
    assert_eq!((minor.amount, minor.connection), (eur("0.03"), eur("0.01")));
}

#[test]
fn an_explanation_names_every_term_of_the_sum() {
    let tariff = compiled(json!({
        "connection": "5.00", "free_seconds": 30, "maximum": "15",
        "steps": [{"from_second": 0, "rate": "0.50"}, {"from_second": 1230, "rate": "0.25"}],
        "bands": [{"days": ["wed"], "from": "18:00", "to": "24:00", "rate": "0.12"}]}));
    // Berlin is at UTC+1: the band begins at 17:00 UTC, 1,800 s after the answer.
    let explanation = tariff.explain(at("2026-03-04T16:30:00Z"), 1861).unwrap();
    assert_eq!(
        explanation.lines(),
        [
            "Connection: 5",
            "Free (30 s of 1861 s): 0",
            "0:30–20:30 at 0.50 a minute: 20.0 × 0.50 = 10",
            "20:30–30:00 at 0.25 a minute: 9.5 × 0.25 = 2.375",
            "30:00–31:01 at 0.12 a minute (wed 18:00–24:00): 61 s ÷ 60 × 0.12 = 0.122",
            "Maximum reached (instead of 17.497): 15",
            "Total (1861 s metered, 1831 s billed, increments 1/1, rounded to six decimals): 15",
        ]
    );
    let stored = serde_json::to_value(&explanation).unwrap();
    assert_eq!(serde_json::from_value::<pricing::Explanation>(stored).unwrap(), explanation);
}

#[test]
fn the_explanation_of_a_very_long_call_is_short() {
    let tariff = compiled(json!({"rate": "0.10", "bands": [
        {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "from": "18:00", "to": "08:00", "rate": "0.05"}]}));
    // 30 days of June from midnight: 30 x 10 h by day, 30 x 14 h by night.
    let lines = tariff.explain(at("2026-05-31T22:00:00Z"), 30 * 86_400).unwrap().lines();
    assert_eq!(
        lines[1..3],
        [
            "31 times at 0.05 a minute (mon tue wed thu fri sat sun 18:00–08:00): 25200.0 × 0.05 = 1260",
            "30 times at 0.10 a minute: 18000.0 × 0.10 = 1800",
        ]
    );
    assert_eq!(lines.len(), 4);
}

#[test]
fn a_step_of_a_tariff_without_first_increment_begins_with_its_own() {
    let tariff = compiled(
        json!({"steps": [{"from_second": 0, "rate": "0.60", "increment": 60}, {"from_second": 60, "rate": "0.60"}]}),
    );
    for (seconds, billed) in [(1, 60), (60, 60), (61, 61), (75, 75)] {
        assert_eq!(tariff.rate(at("2026-03-04T10:00:00Z"), seconds).unwrap().billed_seconds, billed);
    }
}

#[test]
fn a_holiday_is_the_date_of_the_instant_and_a_night_belongs_to_the_day_it_began() {
    let tariff = compiled(json!({"rate": "1", "holidays": ["2026-12-25"], "bands": [
        {"days": ["thu"], "from": "22:00", "to": "06:00", "rate": "2"},
        {"days": ["fri"], "from": "22:00", "to": "06:00", "rate": "4"},
        {"days": ["holiday"], "from": "05:00", "to": "23:00", "rate": "8"}]}));
    for (start, amount) in [
        ("2026-12-24T22:59:00Z", "2"), // Thursday 23:59: the night of Thursday
        ("2026-12-24T23:00:00Z", "1"), // Friday 00:00 is a holiday, and only its band counts: not yet begun
        ("2026-12-25T04:00:00Z", "8"), // Friday 05:00
        ("2026-12-25T22:30:00Z", "1"), // Friday 23:30: the band for holidays is over
        ("2026-12-25T23:30:00Z", "4"), // Saturday 00:30 is no holiday: the night of Friday
    ] {
        assert_eq!(tariff.rate(at(start), 60).unwrap().amount, eur(amount), "{start}");
    }
}

#[test]
fn talk_time_is_nothing_below_zero_and_unlimited_at_the_maximum() {
    let start = at("2026-03-04T10:00:00Z");
    let free = compiled(json!({"rate": "0"}));
    assert_eq!(free.talk_time(eur("0"), start).unwrap(), None);
    assert_eq!(free.talk_time(eur("-0.000001"), start).unwrap(), Some(0));
    assert_eq!(free.talk_time_to(eur("-0.000001"), start, RoundTo::Minor).unwrap(), Some(0));
    let capped = compiled(json!({"rate": "1", "maximum": "3"}));
    assert_eq!(capped.talk_time(eur("2.99"), start).unwrap(), Some(179));
    assert_eq!(capped.talk_time(eur("3"), start).unwrap(), None);
    // A holiday that never comes costs nothing to wait for.
    let never =
        compiled(json!({"rate": "0", "bands": [{"days": ["holiday"], "from": "00:00", "to": "24:00", "rate": "1"}]}));
    assert_eq!(never.talk_time(eur("1"), start).unwrap(), None);
    let dollars = Money::parse("1", Currency::USD).unwrap();
    assert!(matches!(free.talk_time(dollars, start), Err(PricingError::Money(MoneyError::CurrencyMustMatch { .. }))));
}

#[test]
fn a_change_lies_within_its_period_and_credits_no_more_than_was_billed() {
    let march = DateRange { from: on("2026-03-01"), to: on("2026-04-01") };
    for day in ["2026-02-28", "2026-04-02"] {
        assert_eq!(change(eur("31"), eur("62"), &march, on(day)), Err(PricingError::ChangeMustLieInPeriod));
    }
    let whole = change(eur("31"), eur("62"), &march, on("2026-03-11")).unwrap();
    assert_eq!((whole.credit, whole.charge, whole.net), (eur("-21"), eur("42"), eur("21"))); // 21 of 31 days
    let nothing = change(eur("31"), eur("62"), &march, march.to).unwrap();
    assert_eq!((nothing.credit, nothing.charge), (eur("0"), eur("0")));
    // 0.019 is left to credit: a whole cent of it.
    let capped = change_capped(whole, eur("20.019"), eur("20")).unwrap();
    assert_eq!((capped.credit, capped.net), (eur("-0.01"), eur("41.99")));
    assert_eq!(change_capped(whole, eur("20"), eur("20.01")).unwrap().credit, eur("0"));
}

#[test]
fn a_discount_takes_no_more_than_there_is() {
    let all = ["100".parse::<Percent>().unwrap()];
    // 0.005 rounds to 0.01, but only 0.005 is there.
    let fine = discount(&[eur("0.005")], &all, &[], eur("0")).unwrap();
    assert_eq!((fine.discount, fine.lines), (eur("0.005"), vec![eur("0")]));
    let over = ["100.01".parse::<Percent>().unwrap()];
    assert_eq!(discount(&[eur("1")], &over, &[], eur("0")), Err(PricingError::PercentMustNotExceedWhole));
    assert_eq!(discount(&[eur("-1")], &[], &[], eur("0")), Err(PricingError::MustNotBeNegative));
    let dollar = Money::parse("1", Currency::USD).unwrap();
    assert!(discount(&[eur("1")], &[], &[dollar], eur("0")).is_err());
}

#[test]
fn tax_is_for_whole_minor_units() {
    let line = TaxLine { amount: eur("0.005"), rate: Percent::ZERO, category: "zero".to_owned() };
    let refusal = PricingError::Money(MoneyError::FinerThanMinorUnit(Currency::EUR));
    assert_eq!(tax_groups(Currency::EUR, &[line]), Err(refusal));
}

#[test]
fn what_is_missing_to_a_minimum_is_charged() {
    assert_eq!(true_up(eur("800"), eur("1000")).unwrap(), eur("200"));
    assert_eq!(true_up(eur("1200"), eur("1000")).unwrap(), eur("0"));
    // 5 + (20 - 5) x 2
    let dear = Commitment { overage_factor: money::Decimal::TWO, ..Commitment::of(eur("5")) };
    assert_eq!(dear.apply(eur("20"), RoundTo::Micros).unwrap().total, eur("35"));
}
