//! Today: what runs, what came in, compared with the same weekday of last week at this time, and what wants a person.

use super::words::{civil_day, midnight};
use super::{needs, shell};
use crate::charts::{Chart, Drawn};
use crate::error::PageResult;
use crate::extract::Member;
use crate::format;
use crate::shell::Section;
use crate::urls::Audience;
use crate::views::book::{Health, Home, TableCard};
use crate::views::parts::{Heading, Item, Items, Stat, Stats};
use crate::views::table::{Cell, Column, Empty, Table};
use crate::views::ui::{Link, Tone};
use call_control::{CallTotals, LiveCall, TopicTotals};
use chrono::{DateTime, Days, TimeDelta, Utc};
use db::TenantTx;
use jiff::tz::TimeZone;
use ledger::{AccountKind, AccountRef, Violation};
use money::{Currency, Decimal, Money};
use std::collections::BTreeMap;
use subscription::{Customer, CustomerFilter};
use usage_metering::{Aggregate, HourSum, UsageQuery};

/// `GET /admin`, `/reseller`, `/ops`
pub async fn home(member: Member) -> PageResult<Home> {
    let tx = member.tx().await?;
    let times = Times::of(member.now, &member.session.organisation.time_zone, &member.zone)?;
    let (stats, card) = match member.audience {
        Audience::Tenant => of_calls(&member, &tx, &times).await?,
        Audience::Reseller | Audience::Operator => of_sales(&member, &tx, &times).await?,
    };
    let none = BTreeMap::new();
    let today = usage_metering::by_hour(&tx, "minutes", &none, times.today, times.tomorrow).await?;
    let before = usage_metering::by_hour(&tx, "minutes", &none, times.before, times.before_ends).await?;
    let health = match member.audience {
        Audience::Operator => Some(health(&member, &tx).await?),
        Audience::Reseller | Audience::Tenant => None,
    };
    let needs = needs::needs(&member, &tx).await?;
    let shell = shell(&member, &tx, "Today", Section::Home).await?;
    let remark = format!(
        "compared with {} until {}",
        times.before_name,
        format::zoned(member.now, &member.zone).strftime("%H:%M")
    );
    Ok(Home {
        shell,
        heading: Heading::new("Today").at(format::full(member.now, &member.zone)).remark(remark),
        stats,
        chart: by_hour(&times, &member.zone, &before, &today),
        needs: Items(needs),
        tables: vec![card],
        health,
    })
}

/// Today and the same day a week before, in the organisation's zone.
struct Times {
    today: DateTime<Utc>,
    tomorrow: DateTime<Utc>,
    month: DateTime<Utc>,
    now: DateTime<Utc>,
    before: DateTime<Utc>,
    before_now: DateTime<Utc>,
    before_ends: DateTime<Utc>,
    before_name: String,
}

impl Times {
    fn of(now: DateTime<Utc>, zone_name: &str, zone: &TimeZone) -> PageResult<Self> {
        let on = civil_day(now, zone_name)?;
        let week_ago = on - TimeDelta::days(7);
        let (today, before) = (midnight(on, zone_name)?, midnight(week_ago, zone_name)?);
        Ok(Self {
            today,
            tomorrow: midnight(on + Days::new(1), zone_name)?,
            month: midnight(chrono::Datelike::with_day(&on, 1).unwrap_or(on), zone_name)?,
            now,
            before,
            before_now: before + (now - today),
            before_ends: midnight(week_ago + Days::new(1), zone_name)?,
            before_name: format!("last {}", format::zoned(now, zone).strftime("%A")),
        })
    }
}

async fn of_calls(member: &Member, tx: &TenantTx, times: &Times) -> PageResult<(Stats, TableCard)> {
    let live = call_control::live_calls(tx, times.now).await?;
    let today = call_control::totals_between(tx, times.today, times.tomorrow).await?;
    let before = call_control::totals_between(tx, times.before, times.before_now).await?;
    let topics = call_control::by_topic(tx, times.today, times.tomorrow).await?;
    let costs = call_control::costs_between(tx, times.today, times.tomorrow).await?;
    let card = TableCard {
        title: "Today by topic".into(),
        all: Some(Link::new("All numbers", member.audience.numbers())),
        table: topic_table(&topics, &today),
    };
    Ok((call_stats(&live, &today, &before, costs)?, card))
}

fn call_stats(live: &[LiveCall], today: &CallTotals, before: &CallTotals, costs: Money) -> PageResult<Stats> {
    let waiting = live.iter().filter(|live| live.call.meter_started_at.is_none()).count();
    let minutes = |totals: &CallTotals| i64::try_from(totals.billed_seconds).unwrap_or(i64::MAX);
    let calls = |totals: &CallTotals| i64::try_from(totals.calls).unwrap_or(i64::MAX);
    let margin = today.net.checked_sub(costs)?;
    let share = format::percent(margin.micros(), today.net.micros());
    Ok(Stats(vec![
        Stat::new("Live calls", live.len().to_string())
            .note(if waiting == 0 { "Nobody waits".to_owned() } else { format!("{waiting} waiting") }, Tone::Plain)
            .live(),
        compared("Calls", format::count(calls(today)), format::count(calls(before)), calls(today), calls(before)),
        compared(
            "Minutes",
            format::minutes(minutes(today)),
            format::minutes(minutes(before)),
            minutes(today),
            minutes(before),
        ),
        compared("Revenue, net", today.net.human(), before.net.human(), today.net.micros(), before.net.micros()),
        Stat::new("Margin", margin.human())
            .note(share.map_or_else(String::new, |share| format!("{share} of revenue")), Tone::Plain),
    ]))
}

fn compared(label: &str, value: String, was: String, now: i64, before: i64) -> Stat {
    let stat = Stat::new(label, value).note(format!("from {was}"), Tone::Plain);
    match format::change(now, before) {
        Some(change) => stat.change(change, if now >= before { Tone::Good } else { Tone::Soon }),
        None => stat,
    }
}

fn topic_table(topics: &[TopicTotals], all: &CallTotals) -> Table {
    let currency = all.net.currency();
    let columns = vec![
        Column::text("Topic"),
        Column::figures("Calls").label("Calls"),
        Column::figures("Minutes").label("Minutes"),
        Column::figures(format!("Net, {currency}")).label("Net"),
    ];
    let empty = Empty::new("phone", "No calls today", "Topics show here with the first call.");
    let mut table = Table::new("Today by topic", columns, empty).dense();
    let row = |name: Cell, totals: &CallTotals| {
        vec![
            name,
            Cell::figure(format::count(i64::try_from(totals.calls).unwrap_or(i64::MAX))),
            Cell::figure(format::minutes(i64::try_from(totals.billed_seconds).unwrap_or(i64::MAX))),
            Cell::figure(totals.net.human_bare()),
        ]
    };
    for topic in topics {
        table.row(row(Cell::text(&topic.name), &topic.totals));
    }
    if !topics.is_empty() {
        table.total(row(Cell::text("All calls"), all));
    }
    table
}

/// What one child used today.
struct Sold {
    customer: Customer,
    calls: Decimal,
    minutes: Decimal,
}

async fn of_sales(member: &Member, tx: &TenantTx, times: &Times) -> PageResult<(Stats, TableCard)> {
    let children: Vec<Customer> =
        subscription::customers(tx, &CustomerFilter { limit: 500, ..CustomerFilter::default() })
            .await?
            .into_iter()
            .filter(|customer| customer.organisation_id.is_some() && customer.closed_at.is_none())
            .collect();
    let query = |customer: &Customer, meter: &str| UsageQuery {
        customer_id: customer.id,
        subscription_id: None,
        meter: meter.to_owned(),
        filter: BTreeMap::new(),
        from: times.today,
        to: times.tomorrow,
    };
    let queries: Vec<_> = children
        .iter()
        .flat_map(|child| ["calls", "minutes"].map(|meter| (query(child, meter), Aggregate::Sum)))
        .collect();
    let quantities = usage_metering::quantities(tx, &queries).await?;
    let sold: Vec<Sold> = children
        .into_iter()
        .zip(quantities.chunks(2))
        .map(|(customer, used)| Sold {
            customer,
            calls: used.first().copied().unwrap_or_default(),
            minutes: used.get(1).copied().unwrap_or_default(),
        })
        .collect();
    let currency = member.session.organisation.currency;
    let revenue = AccountRef::Book(AccountKind::Revenue);
    let now = ledger::balance(tx, revenue, currency, times.now).await?;
    let earlier = ledger::balance(tx, revenue, currency, times.month - TimeDelta::microseconds(1)).await?;
    let open: Vec<Money> = payments::all_open_items(tx, times.now)
        .await?
        .into_iter()
        .map(|item| item.open)
        .filter(|m| m.currency() == currency)
        .collect();
    let stats = sale_stats(&sold, now.checked_sub(earlier)?, &open, currency)?;
    let title = format!("{} today", member.audience.customers_word());
    let all = Some(Link::new("All", member.audience.customers()));
    Ok((stats, TableCard { title, all, table: sold_table(member.audience, &sold) }))
}

fn sale_stats(sold: &[Sold], revenue: Money, open: &[Money], currency: Currency) -> PageResult<Stats> {
    let sum = |of: fn(&Sold) -> Decimal| sold.iter().map(of).sum::<Decimal>();
    let owed = Money::sum(currency, open.iter().copied())?;
    let in_use = sold.iter().filter(|sold| !sold.calls.is_zero()).count();
    Ok(Stats(vec![
        Stat::new("Customers", format::count(sold.len() as i64))
            .note(format!("{in_use} with calls today"), Tone::Plain),
        Stat::new("Calls today", format::quantity(sum(|sold| sold.calls).round())),
        Stat::new("Minutes today", format::quantity(sum(|sold| sold.minutes).round())),
        Stat::new("Revenue this month, net", revenue.human()).note("as posted", Tone::Plain),
        Stat::new("To be paid", owed.human())
            .note(format::counted(open.len() as i64, "invoice", "invoices"), Tone::Plain),
    ]))
}

fn sold_table(audience: Audience, sold: &[Sold]) -> Table {
    let columns = vec![
        Column::text("Name"),
        Column::figures("Calls").label("Calls"),
        Column::figures("Minutes").label("Minutes"),
    ];
    let empty = Empty::new("buildings", "Nobody yet", "Who buys from you shows here with its calls.");
    let mut table = Table::new("Today by customer", columns, empty).dense();
    for sold in sold {
        table.row(vec![
            Cell::text(&sold.customer.name).to(audience.customer(sold.customer.id)),
            Cell::figure(format::quantity(sold.calls.round())),
            Cell::figure(format::quantity(sold.minutes.round())),
        ]);
    }
    table
}

/// Minutes of today over those of the day a week before, by local hour. Hours of today that have not begun stay empty.
fn by_hour(times: &Times, zone: &TimeZone, before: &[HourSum], today: &[HourSum]) -> Chart {
    let local = |at: DateTime<Utc>| format::zoned(at, zone).hour();
    let sums = |hours: &[HourSum]| {
        let mut sums: BTreeMap<i8, Decimal> = BTreeMap::new();
        for hour in hours {
            *sums.entry(local(hour.hour)).or_default() += hour.quantity;
        }
        sums
    };
    let (before, today) = (sums(before), sums(today));
    let caption = format!("Minutes by hour, today and {}", times.before_name);
    let mut chart = Chart::bars("by-hour", "Minutes by hour", caption, "Hour")
        .series(times.before_name.replacen('l', "L", 1), Drawn::Ghost, "c1")
        .series("Today", Drawn::Bar, "c1");
    let hours = || before.keys().chain(today.keys()).copied();
    let (Some(first), Some(last)) = (hours().min(), hours().max()) else { return chart };
    let value = |quantity: Decimal| {
        let quantity = quantity.round_dp(1);
        (quantity.normalize().to_string(), format!("{} min", format::quantity(quantity)))
    };
    let begun = local(times.now);
    for hour in first..=last {
        let of = |sums: &BTreeMap<i8, Decimal>| value(sums.get(&hour).copied().unwrap_or_default());
        chart.point(format!("{hour:02}:00"), vec![Some(of(&before)), (hour <= begun).then(|| of(&today))]);
    }
    chart
}

/// The checks of the operator's own book, made while the page is.
async fn health(member: &Member, tx: &TenantTx) -> PageResult<Health> {
    let now = member.now;
    let found = [
        ("Every posting sums to zero, every wallet to its entries", ledger::check(tx, now).await?),
        ("Usage is taken in once, sums equal their events", usage_metering::check(tx, now).await?),
        ("Calls are charged once, and as they were priced", call_control::check(tx, now).await?),
        ("Numbers have no gap, documents equal their lines", invoicing::check(tx, now).await?),
        ("No payment pays more than it is", payments::check(tx, now).await?),
    ];
    Ok(checked(found, format::stamp(now, &member.zone)))
}

fn checked(found: [(&str, Vec<Violation>); 5], checked_at: crate::views::ui::Moment) -> Health {
    let kept = found.iter().filter(|(_, violations)| violations.is_empty()).count();
    let summary = format!("{kept} of {} hold in your own book. ringtill audit checks every book.", found.len());
    let checks = found.into_iter().map(|(promise, violations)| match violations.first() {
        None => Item::new("circle-check", Tone::Good, promise),
        Some(first) => Item::new("alert-circle", Tone::Wrong, promise)
            .note(format!("{}: {}", first.invariant, first.detail))
            .amount(format::counted(violations.len() as i64, "case", "cases")),
    });
    let checks = Items(checks.collect());
    Health { checked_at, checks, summary, all_hold: kept == 5 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_week_before_a_clock_change_is_compared_until_the_same_hour_of_the_day() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        // Sunday 1 November 2026, 14:00 CET; the Sunday before was the change: its midnight was CEST.
        let times = Times::of(at("2026-11-01T13:00:00Z"), "Europe/Berlin", &zone).unwrap();
        assert_eq!(times.today, at("2026-10-31T23:00:00Z"));
        assert_eq!(times.before, at("2026-10-24T22:00:00Z"));
        assert_eq!(times.before_ends, at("2026-10-25T23:00:00Z"), "that day had 25 hours");
        assert_eq!(times.before_name, "last Sunday");
    }

    #[test]
    fn hours_of_today_that_have_not_begun_stay_empty() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let times = Times::of(at("2026-11-20T09:30:00Z"), "Europe/Berlin", &zone).unwrap();
        let hour = |text: &str, quantity: i64| HourSum { hour: at(text), quantity: quantity.into(), events: 1 };
        let before = [hour("2026-11-13T08:00:00Z", 60), hour("2026-11-13T10:00:00Z", 30)];
        let chart = by_hour(&times, &zone, &before, &[hour("2026-11-20T09:00:00Z", 12)]);
        let cells: Vec<_> = chart
            .points
            .iter()
            .map(|point| (point.label.as_str(), point.values.iter().map(Option::is_some).collect::<Vec<_>>()))
            .collect();
        assert_eq!(cells, [("09:00", vec![true, true]), ("10:00", vec![true, true]), ("11:00", vec![true, false])]);
    }
}
