//! Periods: contiguous, anchored, without drift, in every zone.

use chrono::{Datelike, NaiveDate};
use pricing::{Period, Periods, civil_date, days_in, start_of_day};

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
