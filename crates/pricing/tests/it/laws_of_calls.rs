//! Calls: the compiled tariff against a slow reading of the rules, second by second; and talk time as the inverse of rating.

use chrono::{DateTime, NaiveDate, Utc};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use money::{Currency, Decimal, Money};
use pricing::{Band, CompiledTariff, Day, Per, RateStep, RoundTo, Rule, Tariff, TimeOfDay};
use proptest::prelude::*;
use rust_decimal::RoundingStrategy;

const ZONES: [&str; 6] =
    ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Sao_Paulo"];

/// Around changes of the clocks, holidays and turns of a year, and anywhere.
fn start() -> impl Strategy<Value = DateTime<Utc>> {
    let near = prop::sample::select(vec![1_774_746_000i64, 1_792_890_000, 1_772_953_200, 1_798_153_200, 1_767_222_000]);
    prop_oneof![(near, -90_000i64..90_000).prop_map(|(near, by)| near + by), 1_700_000_000i64..1_900_000_000]
        .prop_map(|second| DateTime::from_timestamp(second, 0).unwrap())
}

fn steps() -> impl Strategy<Value = Vec<RateStep>> {
    let step = (1u32..2_000, 0i64..20_000, 2u32..6, prop::option::of(1u32..90));
    prop::collection::vec(step, 1..4).prop_map(|raw| {
        let mut from_second = 0;
        raw.into_iter()
            .enumerate()
            .map(|(index, (gap, rate, scale, increment))| {
                from_second += if index == 0 { 0 } else { gap };
                RateStep { from_second, rate: Decimal::new(rate, scale), increment }
            })
            .collect()
    })
}

fn band() -> impl Strategy<Value = Band> {
    let days = prop::sample::subsequence([Day::WEEK.to_vec(), vec![Day::Holiday]].concat(), 1..6);
    let time = |hour: u16, minute: u16| TimeOfDay::new(hour, minute).unwrap();
    (days, 0u16..24, 0u16..60, 0u16..24, 0u16..60, prop::option::of(0i64..500), steps()).prop_map(
        move |(days, from, from_minute, to, to_minute, connection, steps)| Band {
            days,
            from: time(from, from_minute),
            to: time(to, to_minute),
            connection: connection.map(|cents| Decimal::new(cents, 2)),
            steps,
        },
    )
}

fn tariff() -> impl Strategy<Value = Tariff> {
    let lengths = (prop::option::of(1u32..120), 1u32..90, 0u32..100, 0u32..100);
    let per = prop::sample::select(vec![Per::Second, Per::Minute, Per::Hour]);
    let maximum = prop::option::weighted(0.2, 0i64..5_000);
    (0i64..1_000, per, steps(), lengths, maximum, prop::collection::vec(band(), 0..4)).prop_map(
        |(connection, per, steps, (first_increment, increment, minimum_seconds, free_seconds), maximum, bands)| {
            Tariff {
                connection: Decimal::new(connection, 2),
                per,
                steps,
                first_increment,
                increment,
                minimum_seconds,
                free_seconds,
                maximum: maximum.map(|cents| Decimal::new(cents, 2)),
                bands,
                holidays: ["2026-03-29", "2026-10-25", "2026-12-25"]
                    .map(|date| date.parse::<NaiveDate>().unwrap())
                    .to_vec(),
            }
        },
    )
}

/// The connection fee and the steps that hold at an instant, read straight from the document.
fn holding<'a>(tariff: &'a Tariff, zone: &TimeZone, instant: i64) -> (Decimal, &'a [RateStep]) {
    let local = zone.to_datetime(Timestamp::from_second(instant).unwrap());
    let second = i64::from(local.hour()) * 3600 + i64::from(local.minute()) * 60 + i64::from(local.second());
    let today = local.date();
    let date = NaiveDate::from_ymd_opt(today.year().into(), today.month() as u32, today.day() as u32).unwrap();
    let some_holiday_band = tariff.bands.iter().any(|band| band.days.contains(&Day::Holiday));
    let holiday = some_holiday_band && tariff.holidays.contains(&date);
    let day = |date: jiff::civil::Date| Day::WEEK[date.weekday().to_monday_zero_offset() as usize];
    let began =
        |band: &Band, on: Day| if holiday { band.days.contains(&Day::Holiday) } else { band.days.contains(&on) };
    let holds = |band: &&Band| {
        let (from, to) = (i64::from(band.from.seconds()), i64::from(band.to.seconds()));
        let today_holds = began(band, day(today));
        let yesterday_holds = began(band, day(today.yesterday().unwrap()));
        if from == to {
            today_holds
        } else if from < to {
            today_holds && from <= second && second < to
        } else {
            today_holds && second >= from || yesterday_holds && second < to
        }
    };
    match tariff.bands.iter().find(holds) {
        Some(band) => (band.connection.unwrap_or(tariff.connection), &band.steps),
        None => (tariff.connection, &tariff.steps),
    }
}

/// One increment after the other, each looked up by itself.
fn slowly(tariff: &Tariff, zone: &TimeZone, start: i64, seconds: u32) -> (Decimal, u32) {
    if seconds == 0 {
        return (Decimal::ZERO, 0);
    }
    let mut sum = holding(tariff, zone, start).0 * Decimal::from(tariff.per.seconds());
    let mut billed = 0;
    while seconds > tariff.free_seconds && billed < (seconds - tariff.free_seconds).max(tariff.minimum_seconds) {
        let at = tariff.free_seconds + billed;
        let (_, steps) = holding(tariff, zone, start + i64::from(at));
        let step = steps.iter().rev().find(|step| step.from_second <= at).unwrap();
        let own = step.increment.unwrap_or(tariff.increment);
        let length = if billed == 0 { tariff.first_increment.unwrap_or(own) } else { own };
        sum += step.rate * Decimal::from(length);
        billed += length;
    }
    // Still multiplied by the seconds of `per`: only the caller divides.
    let maximum = tariff.maximum.map(|maximum| maximum * Decimal::from(tariff.per.seconds()));
    (maximum.map_or(sum, |maximum| sum.min(maximum)), billed)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_compiled_tariff_charges_what_the_rules_say(tariff in tariff(), zone in prop::sample::select(ZONES.to_vec()), start in start(), seconds in 0u32..20_000) {
        let compiled = CompiledTariff::compile(&tariff, Currency::EUR, zone).unwrap();
        let charge = compiled.rate(start, seconds).unwrap();
        let (times_per, billed) = slowly(&tariff, &TimeZone::get(zone).unwrap(), start.timestamp(), seconds);
        let per = i64::from(tariff.per.seconds());
        let micros = money::round_ratio(times_per.mantissa() * 1_000_000, 10i128.pow(times_per.scale()) * i128::from(per));
        prop_assert_eq!(i128::from(charge.amount.micros()), micros);
        prop_assert_eq!(charge.billed_seconds, billed);
        // The explanation ends in the same total, and its terms sum to it before the maximum.
        let explanation = compiled.explain(start, seconds).unwrap();
        let (total, terms) = explanation.steps.split_last().unwrap();
        prop_assert_eq!(total.amount, charge.amount.as_decimal());
        let maximum = terms.iter().find(|step| matches!(step.rule, Rule::Maximum { .. }));
        let terms = terms.iter().filter(|step| !matches!(step.rule, Rule::Maximum { .. }));
        let sum: Decimal = terms.map(|step| step.amount).sum();
        let (told, of) = match maximum.map(|step| &step.rule) {
            Some(Rule::Maximum { instead_of }) => (*instead_of, sum),
            _ => (total.amount, sum.round_dp_with_strategy(6, RoundingStrategy::MidpointAwayFromZero)),
        };
        prop_assert!((told - of).abs() <= Decimal::new(1, 6), "{} {}", told, of);
    }

    #[test]
    fn talk_time_is_the_longest_call_that_the_balance_pays_for(tariff in tariff(), zone in prop::sample::select(ZONES.to_vec()), start in start(), micros in -10i64..40_000_000, minor in any::<bool>(), code in prop::sample::select(vec!["EUR", "JPY", "KWD"])) {
        let currency: Currency = code.parse().unwrap();
        let compiled = CompiledTariff::compile(&tariff, currency, zone).unwrap();
        let balance = Money::from_micros(micros, currency);
        let round = if minor { RoundTo::Minor } else { RoundTo::Micros };
        let costs = |seconds: u32| compiled.rate_to(start, seconds, round).unwrap().amount.micros();
        match compiled.talk_time_to(balance, start, round).unwrap() {
            None => prop_assert!(costs(10_000_000) <= micros),
            Some(seconds) => {
                prop_assert!(seconds == 0 || costs(seconds) <= micros, "{} s cost {}", seconds, costs(seconds));
                if seconds < 100_000_000 {
                    prop_assert!(costs(seconds + 1) > micros, "{} s cost {}", seconds + 1, costs(seconds + 1));
                }
            }
        }
    }

    #[test]
    fn a_longer_call_never_costs_less(tariff in tariff(), start in start(), seconds in 0u32..5_000, more in 0u32..5_000) {
        let compiled = CompiledTariff::compile(&tariff, Currency::EUR, "Europe/Berlin").unwrap();
        let (shorter, longer) = (compiled.rate(start, seconds).unwrap(), compiled.rate(start, seconds + more).unwrap());
        prop_assert!(shorter.amount.micros() <= longer.amount.micros());
        prop_assert!(shorter.billed_seconds <= longer.billed_seconds);
    }

    #[test]
    fn a_tariff_written_and_read_is_the_same(tariff in tariff()) {
        let document = serde_json::to_value(&tariff).unwrap();
        prop_assert_eq!(&Tariff::from_json(&document).unwrap(), &tariff);
        prop_assert_eq!(&serde_json::from_str::<Tariff>(&document.to_string()).unwrap(), &tariff);
    }
}
