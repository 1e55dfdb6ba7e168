//! The parts of the usage page: figures, the picture, who and what, and what waits without being counted.

use super::usage::{Asked, Looked};
use super::words::{civil, midnight, spoken};
use crate::charts::{Chart, Drawn};
use crate::error::{PageError, PageResult};
use crate::extract::Member;
use crate::format;
use crate::views::book::TableCard;
use crate::views::parts::{Item, Items, Stat, Stats};
use crate::views::table::{Cell, Column, Empty, Table};
use crate::views::ui::Tone;
use crate::views::usage::Compared;
use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use db::CustomerId;
use jiff::tz::TimeZone;
use money::Decimal;
use std::collections::{BTreeMap, HashMap};
use subscription::Customer;
use usage_metering::{Aggregation, CustomerSum, DayHourSum, DaySum, DimensionSum, SuspenseSummary, local_hour};

/// The picture of a book without a meter.
pub(super) fn nothing() -> Chart {
    Chart::bars("usage", "Usage", "Usage", "Day")
}

/// Sums of a meter together: added up, or the largest where they do not add up.
fn together<'a>(looked: &Looked, quantities: impl Iterator<Item = &'a Decimal>) -> Decimal {
    match looked.meter.aggregation.adds_up() {
        true => quantities.copied().sum(),
        false => quantities.copied().max().unwrap_or_default(),
    }
}

fn figure(quantity: Decimal) -> String {
    format::quantity(quantity.round_dp(2))
}

fn stats(looked: &Looked, (all, events): (Decimal, i64), most: Option<(Decimal, String)>) -> Stats {
    let label = match looked.meter.aggregation {
        // Each customer's are its own: two customers' are not at once.
        Aggregation::Max | Aggregation::Peak if looked.customer.is_none() => "The most of one customer".to_owned(),
        Aggregation::Max | Aggregation::Peak => "The most".to_owned(),
        Aggregation::Percentile => format!("{}% do not exceed", looked.meter.percent.unwrap_or_default()),
        Aggregation::Unique => "Different in all".to_owned(),
        Aggregation::Sum | Aggregation::Count => "In all".to_owned(),
    };
    let each = if looked.by_hour { "Most in an hour" } else { "Most in a day" };
    let days = (looked.seen.until_on - looked.seen.from_on).num_days() + 1;
    let mut stats = vec![Stat::new(label, figure(all)).small(looked.meter.name.to_lowercase())];
    if looked.meter.aggregation.adds_up() {
        let mean = all.checked_div(Decimal::from(days)).unwrap_or_default();
        stats.push(Stat::new("A day", figure(mean)).note("on average", Tone::Plain));
    }
    let (most, at) = most.unwrap_or_default();
    stats.push(Stat::new(each, figure(most)).note(at, Tone::Plain));
    stats.push(Stat::new("Events", format::count(events)));
    Stats(stats)
}

pub(super) fn stats_of_days(looked: &Looked, all: (Decimal, i64), days: &[DaySum]) -> Stats {
    let most = days.iter().max_by_key(|day| (day.quantity, std::cmp::Reverse(day.on_day)));
    let most = most.map(|day| (day.quantity, format::date(civil(day.on_day))));
    stats(looked, all, most)
}

pub(super) fn stats_of_hours(looked: &Looked, all: (Decimal, i64), hours: &[DayHourSum], zone: &TimeZone) -> Stats {
    let most = hours.iter().max_by_key(|hour| (hour.quantity, std::cmp::Reverse(hour.hour)));
    let most = most.map(|hour| (hour.quantity, format::short(hour.hour, zone).text));
    stats(looked, all, most)
}

fn value(quantity: Decimal) -> (String, String) {
    let quantity = quantity.round_dp(2);
    (quantity.normalize().to_string(), format::quantity(quantity))
}

fn chart(looked: &Looked, over: &'static str) -> Chart {
    let title = format!("{} by {}", looked.meter.name, over.to_lowercase());
    let caption = format!("{title}, {} to {}", looked.seen.from_on, looked.seen.until_on);
    Chart::bars("usage", title, caption, over).series(looked.meter.name.clone(), Drawn::Bar, "c1")
}

/// Every day has its bar, also one without usage.
pub(super) fn days(looked: &Looked, days: &[DaySum]) -> Chart {
    let mut chart = chart(looked, "Day");
    if days.is_empty() {
        return chart;
    }
    let sums: BTreeMap<NaiveDate, Decimal> = days.iter().map(|day| (day.on_day, day.quantity)).collect();
    let asked = looked.seen.from_on.iter_days().take_while(|day| *day <= looked.seen.until_on);
    for day in asked {
        let quantity = sums.get(&day).copied().unwrap_or_default();
        chart.point(day.format("%a %-d %b").to_string(), vec![Some(value(quantity))]);
    }
    chart
}

/// Every hour has its bar: 23 or 25 on the day of a clock change.
pub(super) fn hours(looked: &Looked, hours: &[DayHourSum], zone: &TimeZone, zone_name: &str) -> PageResult<Chart> {
    let mut chart = chart(looked, "Hour");
    let mut sums: BTreeMap<DateTime<Utc>, Vec<Decimal>> = BTreeMap::new();
    for hour in hours {
        // A customer half an hour away has hours of its own; they stand in the book's hour in which they began.
        let begins = local_hour(hour.hour, zone_name).map_err(PageError::failed)?;
        sums.entry(begins).or_default().push(hour.quantity);
    }
    let Some((first, last)) = sums.keys().next().copied().zip(sums.keys().next_back().copied()) else {
        return Ok(chart);
    };
    // A day elsewhere may begin before the book's or end after it.
    let mut at = midnight(looked.seen.from_on, zone_name)?.min(first);
    let until = midnight(looked.seen.until_on + Days::new(1), zone_name)?.max(last + TimeDelta::hours(1));
    while at < until {
        let quantity = sums.get(&at).map_or(Decimal::ZERO, |sums| together(looked, sums.iter()));
        chart.point(format::short(at, zone).text, vec![Some(value(quantity))]);
        at += TimeDelta::hours(1);
    }
    Ok(chart)
}

fn share(looked: &Looked, part: Decimal, all: Decimal) -> Cell {
    if !looked.meter.aggregation.adds_up() || all.is_zero() {
        return Cell::none();
    }
    let percent = (part * Decimal::ONE_HUNDRED).checked_div(all).unwrap_or_default().round_dp(1);
    Cell::figure(format!("{percent}%")).class("quiet")
}

fn columns(first: &str) -> Vec<Column> {
    vec![
        Column::text(first),
        Column::figures("Events").hidden(),
        Column::figures("Quantity"),
        Column::figures("Share").hidden(),
    ]
}

pub(super) fn customers(
    member: &Member,
    asked: &Asked,
    looked: &Looked,
    sums: &[CustomerSum],
    known: &HashMap<CustomerId, Customer>,
    all: u64,
) -> Compared {
    let empty = Empty::new("users", "Nobody used any", "Widen the days, or clear the filter.");
    let mut table = Table::new("By customer", columns("Customer"), empty).dense();
    let total: Decimal = sums.iter().map(|sum| sum.quantity).sum();
    for sum in sums {
        let Some(customer) = known.get(&sum.customer_id) else { continue };
        table.row(vec![
            Cell::name(&customer.name).to(asked.with(&member.audience.usage(), "customer", &customer.customer_no)),
            Cell::figure(format::count(sum.events)),
            Cell::figure(figure(sum.quantity)),
            // Of those that are not all named here a share would be of something else.
            if all > sums.len() as u64 { Cell::none() } else { share(looked, sum.quantity, total) },
        ]);
    }
    let title = match all > sums.len() as u64 {
        true => format!("The largest {} of {} customers", sums.len(), format::count(all as i64)),
        false => "By customer".to_owned(),
    };
    Compared { links: Vec::new(), card: TableCard { title, all: None, table } }
}

pub(super) fn dimension(member: &Member, asked: &Asked, looked: &Looked, by: &str, sums: &[DimensionSum]) -> Compared {
    let action = member.audience.usage();
    let empty = Empty::new("hash", "Nothing was used", "Widen the days, or clear the filter.");
    let mut table = Table::new(format!("By {by}"), columns(&spoken(by)), empty).dense();
    let total: Decimal = sums.iter().map(|sum| sum.quantity).sum();
    for sum in sums {
        let name = match sum.dimensions.get(by) {
            Some(value) => {
                let mut only: Vec<String> = looked
                    .seen
                    .filter
                    .iter()
                    .filter(|(name, _)| *name != by)
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect();
                only.push(format!("{by}={value}"));
                Cell::name(looked.spoken(value)).to(asked.with(&action, "only", &only.join(", ")))
            }
            None => Cell::text("Not said").class("quiet"),
        };
        table.row(vec![
            name,
            Cell::figure(format::count(sum.events)),
            Cell::figure(figure(sum.quantity)),
            share(looked, sum.quantity, total),
        ]);
    }
    let links = looked.meter.dimensions.iter();
    let links: Vec<(String, String, bool)> =
        links.map(|name| (spoken(name), asked.with(&action, "by", name), name == by)).collect();
    let links = if links.len() > 1 { links } else { Vec::new() };
    Compared { links, card: TableCard { title: format!("By {}", by.replace('_', " ")), all: None, table } }
}

/// What came in and counts nowhere, by cause, and hours of which the most is not known yet.
pub(super) fn waiting(member: &Member, summary: &[SuspenseSummary], dirty: &[(String, u64)]) -> Items {
    let item = |waits: &SuspenseSummary| {
        let count = i64::try_from(waits.waiting).unwrap_or(i64::MAX);
        let tone = if super::suspense::is_too_old(waits.oldest_at, member.now) { Tone::Wrong } else { Tone::Soon };
        let since = format::stamp(waits.oldest_at, &member.zone).text;
        Item::new("alert-circle", tone, format!("{}: {}", spoken(waits.cause.as_str()), format::count(count)))
            .note(format!("The oldest since {since}"))
            .action("Decide", member.audience.suspense_of(waits.cause.as_str()))
    };
    let swept = |(meter, hours): &(String, u64)| {
        let hours = format::counted(i64::try_from(*hours).unwrap_or(i64::MAX), "hour", "hours");
        Item::new("clock-exclamation", Tone::Plain, format!("{hours} of {meter} being counted"))
            .note("How many were at once is known in a moment; a bill waits for it")
    };
    Items(summary.iter().map(item).chain(dirty.iter().map(swept)).collect())
}
