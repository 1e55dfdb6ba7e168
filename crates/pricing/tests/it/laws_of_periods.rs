//! Periods: contiguous, anchored, without drift, in every zone.

use chrono::{Datelike, NaiveDate};
use pricing::{Period, Periods, civil_date, days_in, start_of_day};
use proptest::prelude::*;

const ZONES: [&str; 12] = [
    "UTC",
    "Europe/Berlin",
    "Europe/London",
    "America/New_York",
    "America/Sao_Paulo",
    "Asia/Kolkata",
    "Asia/Tehran",
    "Asia/Beirut",
    "Africa/Cairo",
    "Australia/Lord_Howe",
    "Pacific/Auckland",
    "Pacific/Apia",
];

#[test]
fn periods_follow_one_another_and_never_drift_for_48_months_in_12_zones() {
    for zone in ZONES {
        for day in [1, 15, 28, 29, 30, 31] {
            let anchor = NaiveDate::from_ymd_opt(2024, 1, day).unwrap();
            let periods = Periods::new(anchor, 1, zone).unwrap();
            let mut days = 0;
            for index in 0..48 {
                let (this, next) = (periods.nth(index).unwrap(), periods.nth(index + 1).unwrap());
                assert_eq!(this.end, next.start, "{zone} {day} {index}");
                let begins_on = civil_date(this.start, zone).unwrap();
                // The anchor's day, or the last day of a month that is too short for it.
                let last = begins_on
                    .with_day(1)
                    .unwrap()
                    .checked_add_months(chrono::Months::new(1))
                    .unwrap()
                    .pred_opt()
                    .unwrap();
                assert_eq!(begins_on.day(), day.min(last.day()), "{zone} {index}");
                assert_eq!(periods.containing(this.start).unwrap(), (index, this), "{zone} {day}");
                assert_eq!(periods.containing(this.end - chrono::TimeDelta::seconds(1)).unwrap(), (index, this));
                days += periods.days(&this).unwrap();
            }
            // 48 months from a January: 366 + 365 + 365 + 365 days.
            assert_eq!(days, 1461, "{zone} {day}");
        }
    }
}

proptest! {
    #[test]
    fn periods_of_any_length_from_any_day_are_contiguous_and_never_drift(
        day in 0u64..12_000,
        months in prop::sample::select(vec![1u32, 2, 3, 6, 7, 12, 18, 24]),
        index in -60i64..120,
        zone in prop::sample::select(ZONES.to_vec()),
        permille in 0i64..1_000,
    ) {
        let anchor = NaiveDate::from_ymd_opt(2000, 1, 1).unwrap() + chrono::Days::new(day);
        let periods = Periods::new(anchor, months, zone).unwrap();
        let (this, next) = (periods.nth(index).unwrap(), periods.nth(index + 1).unwrap());
        prop_assert_eq!(this.end, next.start);
        prop_assert!(this.start < this.end);
        // So many months from the anchor itself, and the anchor's day or the month's last.
        let (on, count) = (periods.bound_on(index).unwrap(), index * i64::from(months));
        let months_on = |date: NaiveDate| i64::from(date.year()) * 12 + i64::from(date.month0());
        prop_assert_eq!(months_on(on) - months_on(anchor), count);
        let is_last = on.succ_opt().unwrap().day() == 1;
        prop_assert!(on.day() == anchor.day() || is_last && on.day() < anchor.day());
        // Its first instant is the first of that date. (Apia has no 2011-12-30; the day after begins then.)
        prop_assert!(civil_date(this.start, zone).unwrap() >= on);
        prop_assert!(civil_date(this.start - chrono::TimeDelta::seconds(1), zone).unwrap() < on);
        // Whatever lies within is found again, both bounds included where they belong.
        let seconds = (this.end - this.start).num_seconds() * permille / 1_000;
        prop_assert_eq!(periods.containing(this.start + chrono::TimeDelta::seconds(seconds)).unwrap(), (index, this));
        prop_assert_eq!(periods.containing(this.end).unwrap().0, index + 1);
    }
}

#[test]
fn a_period_before_the_anchor_has_a_negative_index() {
    let periods = Periods::new(NaiveDate::from_ymd_opt(2024, 3, 31).unwrap(), 3, "Europe/Berlin").unwrap();
    let instant = "2023-12-31T10:00:00Z".parse().unwrap();
    let (index, period) = periods.containing(instant).unwrap();
    assert_eq!(index, -1);
    assert_eq!(period.start.to_rfc3339(), "2023-12-30T23:00:00+00:00");
    assert_eq!(period.end.to_rfc3339(), "2024-03-30T23:00:00+00:00");
}

#[test]
fn a_day_without_midnight_begins_with_its_first_instant() {
    let day = |text: &str| text.parse::<NaiveDate>().unwrap();
    // Cairo, 2023-04-28: the clocks go from 00:00 to 01:00 (UTC+2 becomes UTC+3), so the day begins at 22:00 UTC.
    assert_eq!(start_of_day(day("2023-04-28"), "Africa/Cairo").unwrap().to_rfc3339(), "2023-04-27T22:00:00+00:00");
    // Sao Paulo, 2018-11-04: 00:00 to 01:00, UTC-3 becomes UTC-2: the day begins at 03:00 UTC.
    assert_eq!(start_of_day(day("2018-11-04"), "America/Sao_Paulo").unwrap().to_rfc3339(), "2018-11-04T03:00:00+00:00");
    // Beirut, 2024-10-27: 00:00 comes twice; the day begins with the first.
    assert_eq!(start_of_day(day("2024-10-27"), "Asia/Beirut").unwrap().to_rfc3339(), "2024-10-26T22:00:00+00:00");
}

#[test]
fn a_day_on_which_the_clocks_change_counts_as_one() {
    let at = |text: &str| text.parse().unwrap();
    let spring = Period::new(at("2026-03-28T23:00:00Z"), at("2026-03-29T22:00:00Z")).unwrap();
    assert_eq!(days_in(&spring, "Europe/Berlin").unwrap(), 1); // 23 hours
    let autumn = Period::new(at("2026-10-24T22:00:00Z"), at("2026-10-25T23:00:00Z")).unwrap();
    assert_eq!(days_in(&autumn, "Europe/Berlin").unwrap(), 1); // 25 hours
    assert!(Period::new(autumn.end, autumn.end).is_err());
    assert!(autumn.contains(autumn.start) && !autumn.contains(autumn.end));
}
