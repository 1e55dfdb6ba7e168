//! Figures and times as people read them. Money formats itself (`Money::human` and its kin); this is the rest:
//! counts, durations, shares, and times that always say their zone.

use chrono::{DateTime, Utc};
use jiff::{Timestamp, Zoned, civil::Date, tz::TimeZone};
use money::Money;
use rust_decimal::{Decimal, RoundingStrategy};

use crate::views::ui::Moment;

/// 104,120. A true minus in front of a negative.
pub fn count(n: i64) -> String {
    let digits = n.unsigned_abs().to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3 + 3);
    if n < 0 {
        out.push('−');
    }
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// "1 call", "2,140 calls".
pub fn counted(n: i64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

/// A quantity with the digits it has, grouped, without trailing zeros: "1,254", "86.5".
pub fn quantity(n: Decimal) -> String {
    let n = n.normalize();
    let text = n.abs().to_string();
    let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
    let whole = whole.parse::<i64>().map_or_else(|_| whole.to_owned(), count);
    let sign = if n.is_sign_negative() && !n.is_zero() { "−" } else { "" };
    if part.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part}") }
}

/// An amount with all the digits it has, without its symbol: "5.05", "0.0125", so that a column adds up to what stands below.
pub fn exact(amount: Money) -> String {
    amount.human_rate().replacen(&*amount.currency().symbol(), "", 1)
}

/// Talk time: "0:26:09".
pub fn talk_time(seconds: i64) -> String {
    let s = seconds.max(0);
    format!("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
}

/// A running timer: "12:41", "1:02:03".
pub fn timer(seconds: i64) -> String {
    let s = seconds.max(0);
    if s >= 3600 { talk_time(s) } else { format!("{}:{:02}", s / 60, s % 60) }
}

/// "26 min 9 s", "45 s": for customers.
pub fn duration_words(seconds: i64) -> String {
    let s = seconds.max(0);
    match (s / 60, s % 60) {
        (0, rest) => format!("{rest} s"),
        (minutes, 0) => format!("{} min", count(minutes)),
        (minutes, rest) => format!("{} min {rest} s", count(minutes)),
    }
}

/// Billed time: "26.2 min", rounded to a tenth for display.
pub fn billed_minutes(seconds: i64) -> String {
    format!("{} min", tenths(Decimal::from(seconds) / Decimal::from(60)))
}

/// Whole minutes of a sum: "3,708".
pub fn minutes(seconds: i64) -> String {
    count((seconds + 30).div_euclid(60))
}

fn tenths(n: Decimal) -> String {
    let n = n.round_dp_with_strategy(1, RoundingStrategy::MidpointAwayFromZero);
    let tenths = (n.abs() * Decimal::TEN).trunc();
    let tenths = i64::try_from(tenths).unwrap_or(i64::MAX);
    let sign = if n.is_sign_negative() && tenths != 0 { "−" } else { "" };
    format!("{sign}{}.{}", count(tenths / 10), tenths % 10)
}

/// "69.6%" of `part` in `whole`; `None` where there is nothing to compare with.
pub fn percent(part: i64, whole: i64) -> Option<String> {
    (whole != 0).then(|| format!("{}%", tenths(Decimal::from(part) * Decimal::ONE_HUNDRED / Decimal::from(whole))))
}

/// "+5.2%" from `before` to `now`, with the direction; `None` where `before` is zero.
pub fn change(now: i64, before: i64) -> Option<String> {
    let text = percent(now.checked_sub(before)?, before.checked_abs()?)?;
    Some(if now >= before { format!("+{text}") } else { text })
}

/// "+49 30 23125014": the country and, where the plan is known, the area apart. Anything that is not E.164 is shown as it came.
pub fn phone(e164: &str) -> String {
    let Some(digits) = e164.strip_prefix('+').filter(|d| d.len() > 4 && d.bytes().all(|b| b.is_ascii_digit())) else {
        return e164.to_owned();
    };
    let country = match digits.as_bytes() {
        [b'1' | b'7', ..] => 1,
        [b'2', b'0' | b'7', ..]
        | [b'3', b'0' | b'1' | b'2' | b'3' | b'4' | b'6' | b'9', ..]
        | [b'4', b'0' | b'1' | b'3' | b'4' | b'5' | b'6' | b'7' | b'8' | b'9', ..]
        | [b'5', b'1'..=b'8', ..]
        | [b'6', b'0'..=b'6', ..]
        | [b'8', b'1' | b'2' | b'4' | b'6', ..]
        | [b'9', b'0'..=b'5' | b'8', ..] => 2,
        _ => 3,
    };
    let (country, rest) = digits.split_at(country);
    match area(country, rest) {
        Some(area) => format!("+{country} {} {}", &rest[..area], &rest[area..]),
        None => format!("+{country} {}", threes(rest).join(" ")),
    }
}

/// Digits of the area or mobile prefix, where the country's plan tells.
fn area(country: &str, rest: &str) -> Option<usize> {
    let digits = match (country, rest.as_bytes()) {
        ("49", [b'3', b'0', ..] | [b'4', b'0', ..] | [b'6', b'9', ..] | [b'8', b'9', ..]) => 2,
        ("49", [b'1', b'5'..=b'7', ..]) => 3,
        ("353", [b'1', ..]) => 1,
        ("353", _) => 2,
        ("44", [b'2', ..]) => 2,
        ("44", [b'7', ..]) => 4,
        _ => return None,
    };
    (rest.len() > digits + 3).then_some(digits)
}

/// Threes from the left, never a last group of one.
fn threes(mut rest: &str) -> Vec<&str> {
    let mut groups = Vec::new();
    while rest.len() > 4 {
        let (head, tail) = rest.split_at(3);
        groups.push(head);
        rest = tail;
    }
    groups.push(rest);
    groups
}

/// A stored text with the phone numbers in it as people read them: "Tenancy law · +49 30 23125014".
pub fn with_phones(text: &str) -> String {
    text.split(' ').map(phone).collect::<Vec<_>>().join(" ")
}

/// How far ahead something is: "in 6 min", "in 3 h", "in 2 days".
pub fn ahead(seconds: i64) -> String {
    match seconds.max(0) {
        s if s < 2 * 3600 => format!("in {} min", s / 60),
        s if s < 48 * 3600 => format!("in {} h", s / 3600),
        s => format!("in {} days", count(s / 86_400)),
    }
}

/// An instant in a zone.
pub fn zoned(at: DateTime<Utc>, zone: &TimeZone) -> Zoned {
    let at = Timestamp::from_microsecond(at.timestamp_micros()).unwrap_or(Timestamp::UNIX_EPOCH);
    at.to_zoned(zone.clone())
}

fn moment(at: DateTime<Utc>, zone: &TimeZone, pattern: &str) -> Moment {
    let local = zoned(at, zone);
    Moment::new(local.strftime(pattern).to_string(), local.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string())
}

/// "Friday 20 November 2026, 13:40:31 CET"
pub fn full(at: DateTime<Utc>, zone: &TimeZone) -> Moment {
    moment(at, zone, "%A %-d %B %Y, %H:%M:%S %Z")
}

/// "20 Nov 2026, 13:41 CET"
pub fn stamp(at: DateTime<Utc>, zone: &TimeZone) -> Moment {
    moment(at, zone, "%-d %b %Y, %H:%M %Z")
}

/// "20 Nov 2026, 13:41", in a timeline that may reach over years.
pub fn dated(at: DateTime<Utc>, zone: &TimeZone) -> Moment {
    moment(at, zone, "%-d %b %Y, %H:%M")
}

/// "20 Nov, 13:41", on a page that says its zone.
pub fn short(at: DateTime<Utc>, zone: &TimeZone) -> Moment {
    moment(at, zone, "%-d %b, %H:%M")
}

/// "14:32:08 CET"
pub fn clock(at: DateTime<Utc>, zone: &TimeZone) -> Moment {
    moment(at, zone, "%H:%M:%S %Z")
}

/// "13:41:07", in a timeline whose heading has the day and the zone.
pub fn second(at: DateTime<Utc>, zone: &TimeZone) -> Moment {
    moment(at, zone, "%H:%M:%S")
}

/// The day of an instant: "30 Nov 2026".
pub fn day_of(at: DateTime<Utc>, zone: &TimeZone) -> Moment {
    moment(at, zone, "%-d %b %Y")
}

/// "30 Nov 2026"
pub fn date(on: Date) -> String {
    on.strftime("%-d %b %Y").to_string()
}

/// A half-open period of whole days, as its last day is meant: "1 to 31 October 2026", "28 Dec 2026 to 27 Jan 2027".
pub fn days(from: Date, until: Date) -> String {
    let last = until.yesterday().unwrap_or(until);
    if from == last {
        date(from)
    } else if (from.year(), from.month()) == (last.year(), last.month()) {
        format!("{} to {}", from.day(), last.strftime("%-d %B %Y"))
    } else {
        format!("{} to {}", date(from), date(last))
    }
}

/// "Europe/Berlin (UTC+1)", said once on a page of times.
pub fn zone_name(zone: &TimeZone, now: DateTime<Utc>) -> String {
    let local = zoned(now, zone);
    let offset = local.offset().seconds();
    let (hours, rest) = (offset / 3600, offset.abs() / 60 % 60);
    let offset = match (hours, rest) {
        (0, 0) => "UTC".to_owned(),
        (hours, 0) => format!("UTC{}{}", if hours < 0 { '−' } else { '+' }, hours.abs()),
        (hours, rest) => format!("UTC{}{}:{rest:02}", if offset < 0 { '−' } else { '+' }, hours.abs()),
    };
    match zone.iana_name() {
        Some(name) if name != "UTC" => format!("{name} ({offset})"),
        _ => offset,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn berlin() -> TimeZone {
        TimeZone::get("Europe/Berlin").expect("the zone database has Berlin")
    }
    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("an RFC 3339 time")
    }

    #[test]
    fn counts_are_grouped_and_carry_a_true_minus() {
        for (n, text) in
            [(0, "0"), (999, "999"), (1000, "1,000"), (-104_120, "−104,120"), (i64::MIN, "−9,223,372,036,854,775,808")]
        {
            assert_eq!(count(n), text);
        }
        assert_eq!(counted(1, "call", "calls"), "1 call");
    }

    #[test]
    fn quantities_keep_the_digits_they_have() {
        for (n, text) in [("1254", "1,254"), ("86.50", "86.5"), ("-0.25", "−0.25"), ("0.00", "0")] {
            assert_eq!(quantity(n.parse().expect("a decimal")), text);
        }
    }

    #[test]
    fn an_exact_amount_has_all_its_digits_and_no_more() {
        for (amount, text) in [("63.45", "63.45"), ("-0.005", "−0.0050"), ("1234.123456", "1,234.123456")] {
            assert_eq!(exact(Money::parse(amount, money::Currency::EUR).expect("an amount")), text);
        }
    }

    #[test]
    fn durations_are_talk_time_timer_or_billed_time() {
        assert_eq!(talk_time(1569), "0:26:09");
        assert_eq!(timer(761), "12:41");
        assert_eq!(timer(3723), "1:02:03");
        assert_eq!(billed_minutes(1572), "26.2 min"); // 1572 / 60 = 26.2
        assert_eq!(billed_minutes(63), "1.1 min"); // 1.05 rounds away from zero
        assert_eq!(duration_words(1569), "26 min 9 s");
    }

    #[test]
    fn what_is_ahead_is_told_in_the_unit_that_people_think_in() {
        assert_eq!([ahead(359), ahead(7199), ahead(7200)], ["in 5 min", "in 119 min", "in 2 h"]);
        assert_eq!(ahead(171_180), "in 47 h"); // 171,180 / 3,600 = 47.55
        assert_eq!(ahead(172_800), "in 2 days");
    }

    #[test]
    fn a_change_says_its_direction_and_nothing_comes_of_nothing() {
        assert_eq!(change(3708, 3525).as_deref(), Some("+5.2%")); // 183 / 3525 = 5.19%
        assert_eq!(change(90, 100).as_deref(), Some("−10.0%"));
        assert_eq!(change(90, 0), None);
    }

    #[test]
    fn phone_numbers_are_grouped_for_the_eye() {
        for (number, text) in [
            ("+4930231250 14", "+4930231250 14"),
            ("+493023125014", "+49 30 23125014"),
            ("+491713920014", "+49 171 3920014"),
            ("+35315550142", "+353 1 5550142"),
            ("+442071838750", "+44 20 71838750"),
            ("+4922147108", "+49 221 471 08"),
            ("+16505550123", "+1 650 555 0123"),
            ("anonymous", "anonymous"),
        ] {
            assert_eq!(phone(number), text);
        }
        assert_eq!(with_phones("Tenancy law · +493023125014"), "Tenancy law · +49 30 23125014");
    }

    #[test]
    fn times_say_their_zone_on_both_sides_of_a_clock_change() {
        assert_eq!(full(at("2026-11-20T12:40:31Z"), &berlin()).text, "Friday 20 November 2026, 13:40:31 CET");
        assert_eq!(stamp(at("2026-10-25T00:30:00Z"), &berlin()).text, "25 Oct 2026, 02:30 CEST");
        assert_eq!(stamp(at("2026-10-25T01:30:00Z"), &berlin()).text, "25 Oct 2026, 02:30 CET");
        assert_eq!(clock(at("2026-11-20T13:32:08Z"), &berlin()).iso, "2026-11-20T14:32:08+01:00");
        assert_eq!(zone_name(&berlin(), at("2026-11-20T13:32:08Z")), "Europe/Berlin (UTC+1)");
        assert_eq!(zone_name(&TimeZone::UTC, at("2026-11-20T13:32:08Z")), "UTC");
    }

    #[test]
    fn a_period_is_named_by_its_last_day() {
        let day = |text: &str| text.parse::<Date>().expect("a date");
        assert_eq!(days(day("2026-10-01"), day("2026-11-01")), "1 to 31 October 2026");
        assert_eq!(days(day("2026-12-28"), day("2027-01-28")), "28 Dec 2026 to 27 Jan 2027");
        assert_eq!(days(day("2026-12-28"), day("2026-12-29")), "28 Dec 2026");
    }
}
