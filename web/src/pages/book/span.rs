//! What the first page of a book looks at: today, yesterday, seven days or the month, each beside what it is compared with.
//! Days are civil days of the organisation's zone, so a day of a clock change has 23 or 25 hours and is still one day.

use super::words::{civil, civil_day, midnight};
use crate::charts::{Chart, Drawn};
use crate::error::PageResult;
use crate::format;
use chrono::{DateTime, Datelike, Days, Months, NaiveDate, TimeDelta, Utc};
use jiff::tz::TimeZone;
use money::{Decimal, Money};
use std::collections::BTreeMap;
use usage_metering::HourSum;

/// Which days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    Today,
    Yesterday,
    Week,
    Month,
}

impl Over {
    pub const ALL: [Over; 4] = [Over::Today, Over::Yesterday, Over::Week, Over::Month];

    /// As it stands in the address.
    pub fn word(self) -> &'static str {
        match self {
            Over::Today => "today",
            Over::Yesterday => "yesterday",
            Over::Week => "7-days",
            Over::Month => "month",
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Over::Today => "Today",
            Over::Yesterday => "Yesterday",
            Over::Week => "7 days",
            Over::Month => "Month",
        }
    }

    pub fn from_word(word: &str) -> Option<Over> {
        Over::ALL.into_iter().find(|over| over.word() == word)
    }
}

/// Those days and the days before them, as instants.
#[derive(Clone, Debug)]
pub struct Span {
    pub over: Over,
    first_on: NaiveDate,
    before_on: NaiveDate,
    pub from: DateTime<Utc>,
    /// The instant after its last day.
    pub to: DateTime<Utc>,
    pub before_from: DateTime<Utc>,
    pub before_to: DateTime<Utc>,
    /// Until here the days before are compared: as far as these have come.
    pub before_until: DateTime<Utc>,
    now: DateTime<Utc>,
}

impl Span {
    pub fn of(over: Over, now: DateTime<Utc>, zone: &str) -> PageResult<Span> {
        let today = civil_day(now, zone)?;
        let first_of_month = today.with_day(1).unwrap_or(today);
        // The first day, the day after the last, the first day of those before.
        let (first_on, end_on, before_on) = match over {
            Over::Today => (today, today + Days::new(1), today - Days::new(7)),
            Over::Yesterday => (today - Days::new(1), today, today - Days::new(8)),
            Over::Week => (today - Days::new(6), today + Days::new(1), today - Days::new(13)),
            Over::Month => (first_of_month, first_of_month + Months::new(1), first_of_month - Months::new(1)),
        };
        let before_end_on = match over {
            Over::Month => first_on,
            _ => before_on + Days::new((end_on - first_on).num_days().unsigned_abs()),
        };
        let (from, to) = (midnight(first_on, zone)?, midnight(end_on, zone)?);
        let (before_from, before_to) = (midnight(before_on, zone)?, midnight(before_end_on, zone)?);
        // As many whole days, and as far into the last: by the clock on the wall, whatever became of it in between.
        let days = (today - first_on).num_days().unsigned_abs();
        let before_until = match over {
            Over::Yesterday => before_to,
            _ => (midnight(before_on + Days::new(days), zone)? + (now - midnight(today, zone)?)).min(before_to),
        };
        Ok(Span { over, first_on, before_on, from, to, before_from, before_to, before_until, now })
    }

    pub fn title(&self) -> String {
        match self.over {
            Over::Today => "Today".into(),
            Over::Yesterday => "Yesterday".into(),
            Over::Week => "Last 7 days".into(),
            Over::Month => self.first_on.format("%B %Y").to_string(),
        }
    }

    /// Its first day: "Tuesday 24 November 2026".
    pub fn day(&self) -> String {
        self.first_on.format("%A %-d %B %Y").to_string()
    }

    /// "Last Friday", "The week before", "October".
    pub fn before_name(&self) -> String {
        match self.over {
            Over::Today => format!("Last {}", self.before_on.format("%A")),
            Over::Yesterday => format!("{} before", self.before_on.format("%A")),
            Over::Week => "The week before".into(),
            Over::Month => self.before_on.format("%B").to_string(),
        }
    }

    /// "compared with last Friday until 14:32"
    pub fn compared(&self, zone: &TimeZone) -> String {
        let time = format::zoned(self.now, zone).strftime("%H:%M");
        let name = self.before_name().replacen("Last", "last", 1).replacen("The", "the", 1);
        match self.over {
            Over::Today => format!("compared with {name} until {time}"),
            Over::Yesterday => format!("compared with {}", self.before_on.format("%A %-d %B")),
            Over::Week => format!("compared with {name} until {time}"),
            Over::Month => {
                let day = format::zoned(self.before_until, zone).strftime("%-d %B");
                format!("compared with {name} until {day}, {time}")
            }
        }
    }

    fn by_hour(&self) -> bool {
        matches!(self.over, Over::Today | Over::Yesterday)
    }

    /// The column of an instant: its hour, or its day counted from the first.
    fn column(&self, first_on: NaiveDate, at: DateTime<Utc>, zone: &TimeZone) -> i32 {
        let local = format::zoned(at, zone);
        if self.by_hour() {
            return local.hour().into();
        }
        local.date().since(civil(first_on)).map_or(0, |span| span.get_days())
    }

    fn label(&self, column: i32) -> String {
        let on = self.first_on + Days::new(column.unsigned_abs().into());
        match self.over {
            Over::Today | Over::Yesterday => format!("{column:02}:00"),
            Over::Week => on.format("%a %-d %b").to_string(),
            Over::Month => (column + 1).to_string(),
        }
    }

    /// Columns that are drawn: all days; of hours those between the first and the last in which something happened.
    fn columns(&self, used: impl Iterator<Item = i32>) -> std::ops::RangeInclusive<i32> {
        if !self.by_hour() {
            let days = |from: DateTime<Utc>, to: DateTime<Utc>| ((to - from) + TimeDelta::hours(2)).num_days();
            let longest = days(self.from, self.to).max(days(self.before_from, self.before_to));
            return 0..=i32::try_from(longest - 1).unwrap_or(30);
        }
        let (first, last) = used.fold((i32::MAX, i32::MIN), |(first, last), at| (first.min(at), last.max(at)));
        first..=last
    }

    /// Whether a column of these days has begun.
    fn has_begun(&self, column: i32, zone: &TimeZone) -> bool {
        self.to <= self.now || column <= self.column(self.first_on, self.now, zone)
    }

    fn over_name(&self) -> &'static str {
        if self.by_hour() { "Hour" } else { "Day" }
    }

    /// Minutes over those of the days before. What has not begun stays empty.
    pub fn minutes_chart(&self, zone: &TimeZone, before: &[HourSum], now: &[HourSum]) -> Chart {
        let sums = |first_on: NaiveDate, hours: &[HourSum]| {
            let mut sums: BTreeMap<i32, Decimal> = BTreeMap::new();
            for hour in hours {
                *sums.entry(self.column(first_on, hour.hour, zone)).or_default() += hour.quantity;
            }
            sums
        };
        let (before, now) = (sums(self.before_on, before), sums(self.first_on, now));
        let name = if self.by_hour() { "Minutes by hour" } else { "Minutes by day" };
        let caption = format!("{name}, {} and {}", self.title(), self.before_name());
        let mut chart = Chart::bars("by-hour", name, caption, self.over_name())
            .series(self.before_name(), Drawn::Ghost, "c1")
            .series(self.title(), Drawn::Bar, "c1");
        if before.is_empty() && now.is_empty() {
            return chart;
        }
        let value = |sums: &BTreeMap<i32, Decimal>, column: i32| {
            let quantity = sums.get(&column).copied().unwrap_or_default().round_dp(1);
            (quantity.normalize().to_string(), format!("{} min", format::quantity(quantity)))
        };
        for column in self.columns(before.keys().chain(now.keys()).copied()) {
            let begun = self.has_begun(column, zone).then(|| value(&now, column));
            chart.point(self.label(column), vec![Some(value(&before, column)), begun]);
        }
        chart
    }

    /// Revenue added up, over that of the days before.
    pub fn revenue_chart(
        &self,
        zone: &TimeZone,
        before: &[(DateTime<Utc>, Money)],
        now: &[(DateTime<Utc>, Money)],
    ) -> PageResult<Chart> {
        let added = |first_on: NaiveDate, sums: &[(DateTime<Utc>, Money)]| -> PageResult<BTreeMap<i32, Money>> {
            let mut added: BTreeMap<i32, Money> = BTreeMap::new();
            let mut total: Option<Money> = None;
            for (at, net) in sums {
                let sum = total.map_or(Ok(*net), |total| total.checked_add(*net))?;
                added.insert(self.column(first_on, *at, zone), sum);
                total = Some(sum);
            }
            Ok(added)
        };
        let currency = before.iter().chain(now).next().map(|(_, net)| net.currency());
        let (before, now) = (added(self.before_on, before)?, added(self.first_on, now)?);
        let caption = format!("Revenue net of tax, added up, {} and {}", self.title(), self.before_name());
        let mut chart = Chart::bars("revenue", "Revenue so far", caption, self.over_name())
            .series(self.before_name(), Drawn::Dash, "c1")
            .series(self.title(), Drawn::Area, "c1");
        let Some(currency) = currency else { return Ok(chart) };
        chart.unit = currency.symbol();
        let value = |sums: &BTreeMap<i32, Money>, column: i32| {
            let sum = sums.range(..=column).next_back().map_or(Money::zero(currency), |(_, sum)| *sum);
            (sum.human_bare().replace(',', "").replace('−', "-"), sum.human())
        };
        for column in self.columns(before.keys().chain(now.keys()).copied()) {
            let begun = self.has_begun(column, zone).then(|| value(&now, column));
            chart.point(self.label(column), vec![Some(value(&before, column)), begun]);
        }
        Ok(chart)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn berlin() -> TimeZone {
        TimeZone::get("Europe/Berlin").unwrap()
    }

    fn span(over: Over, now: &str) -> Span {
        Span::of(over, at(now), "Europe/Berlin").unwrap()
    }

    #[test]
    fn a_week_before_a_clock_change_is_compared_until_the_same_hour_of_the_day() {
        // Sunday 1 November 2026, 14:00 CET; the Sunday before was the change: its midnight was CEST.
        let today = span(Over::Today, "2026-11-01T13:00:00Z");
        assert_eq!((today.from, today.to), (at("2026-10-31T23:00:00Z"), at("2026-11-01T23:00:00Z")));
        assert_eq!(today.before_from, at("2026-10-24T22:00:00Z"));
        assert_eq!(today.before_to, at("2026-10-25T23:00:00Z"), "that day had 25 hours");
        assert_eq!(today.compared(&berlin()), "compared with last Sunday until 14:00");
    }

    #[test]
    fn yesterday_is_whole_and_compared_with_a_whole_day() {
        let yesterday = span(Over::Yesterday, "2026-11-24T23:30:00Z"); // 25 November, 00:30 in Berlin
        assert_eq!((yesterday.from, yesterday.to), (at("2026-11-23T23:00:00Z"), at("2026-11-24T23:00:00Z")));
        assert_eq!(yesterday.before_until, yesterday.before_to);
        assert_eq!(yesterday.compared(&berlin()), "compared with Tuesday 17 November");
    }

    #[test]
    fn seven_days_and_a_month_are_compared_as_far_as_they_have_come() {
        let week = span(Over::Week, "2026-11-20T13:32:00Z");
        assert_eq!((week.from, week.before_from), (at("2026-11-13T23:00:00Z"), at("2026-11-06T23:00:00Z")));
        assert_eq!(week.before_until, at("2026-11-13T13:32:00Z")); // the seventh day before, until 14:32
        let month = span(Over::Month, "2026-03-31T10:00:00Z");
        // February has no 31st: it is compared whole.
        assert_eq!((month.before_until, month.before_to), (at("2026-02-28T23:00:00Z"), at("2026-02-28T23:00:00Z")));
        assert_eq!(month.title(), "March 2026");
        let early = span(Over::Month, "2026-11-03T09:00:00Z");
        assert_eq!(early.compared(&berlin()), "compared with October until 3 October, 10:00");
    }

    #[test]
    fn hours_of_today_that_have_not_begun_stay_empty() {
        let today = span(Over::Today, "2026-11-20T09:30:00Z");
        let hour = |text: &str, quantity: i64| HourSum { hour: at(text), quantity: quantity.into(), events: 1 };
        let before = [hour("2026-11-13T08:00:00Z", 60), hour("2026-11-13T10:00:00Z", 30)];
        let chart = today.minutes_chart(&berlin(), &before, &[hour("2026-11-20T09:00:00Z", 12)]);
        let cells: Vec<_> = chart
            .points
            .iter()
            .map(|point| (point.label.as_str(), point.values.iter().map(Option::is_some).collect::<Vec<_>>()))
            .collect();
        assert_eq!(cells, [("09:00", vec![true, true]), ("10:00", vec![true, true]), ("11:00", vec![true, false])]);
    }

    #[test]
    fn revenue_adds_up_and_a_quiet_hour_keeps_the_sum() {
        let eur = |text: &str| Money::parse(text, money::Currency::EUR).unwrap();
        let today = span(Over::Today, "2026-11-20T10:30:00Z"); // 11:30 in Berlin
        let now = [(at("2026-11-20T08:00:00Z"), eur("5.00")), (at("2026-11-20T10:00:00Z"), eur("2.50"))];
        let chart = today.revenue_chart(&berlin(), &[(at("2026-11-13T08:30:00Z"), eur("4.00"))], &now).unwrap();
        let told: Vec<Vec<String>> = chart
            .points
            .iter()
            .map(|point| point.values.iter().flatten().map(|value| value.text.clone()).collect())
            .collect();
        assert_eq!(told, [["€4.00", "€5.00"], ["€4.00", "€5.00"], ["€4.00", "€7.50"]]);
    }
}
