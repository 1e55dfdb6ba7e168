//! Today: what runs, what came in, compared with the same weekday of last week at this time, and what wants a person.

use super::span::{Over, Span};
use super::words::{civil_day, midnight};
use super::{needs, shell};
use crate::error::PageResult;
use crate::extract::Member;
use crate::format;
use crate::shell::Section;
use crate::urls::{Audience, with_query};
use crate::views::book::{Health, Home, TableCard};
use crate::views::parts::{Heading, Item, Items, Stat, Stats};
use crate::views::table::{Cell, Column, Empty, Table};
use crate::views::ui::{Link, Tone};
use actix_web::web;
use call_control::{CallTotals, LiveCall, TopicTotals};
use chrono::{Datelike, TimeDelta};
use db::TenantTx;
use ledger::{AccountKind, AccountRef, Violation};
use money::{Currency, Decimal, Money};
use serde::Deserialize;
use std::collections::BTreeMap;
use subscription::{Customer, CustomerFilter};
use usage_metering::{Aggregate, UsageOf, UsageQuery};

/// Which days, as the address says; without it today, or yesterday while today is empty.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    over: String,
}

/// `GET /admin`, `/reseller`, `/ops`
pub async fn home(member: Member, asked: web::Query<Asked>) -> PageResult<Home> {
    let tx = member.tx().await?;
    let zone_name = &member.session.organisation.time_zone;
    let none = BTreeMap::new();
    let asked = Over::from_word(&asked.over);
    let mut span = Span::of(asked.unwrap_or(Over::Today), member.now, zone_name)?;
    let mut used = usage_metering::by_hour(&tx, "minutes", &none, span.from, span.to).await?;
    let is_quiet = asked.is_none() && used.is_empty();
    if is_quiet {
        // Just after midnight nobody asks how today was.
        span = Span::of(Over::Yesterday, member.now, zone_name)?;
        used = usage_metering::by_hour(&tx, "minutes", &none, span.from, span.to).await?;
    }
    let before = usage_metering::by_hour(&tx, "minutes", &none, span.before_from, span.before_to).await?;
    let (stats, card) = match member.audience {
        Audience::Tenant => of_calls(&member, &tx, &span).await?,
        Audience::Reseller | Audience::Operator => of_sales(&member, &tx, &span).await?,
    };
    let mut charts = vec![span.minutes_chart(&member.zone, &before, &used)];
    if member.audience == Audience::Tenant {
        let net = call_control::revenue_between(&tx, span.from, span.to).await?;
        let net_before = call_control::revenue_between(&tx, span.before_from, span.before_to).await?;
        charts.push(span.revenue_chart(&member.zone, &net_before, &net)?);
    }
    let health = match member.audience {
        Audience::Operator => Some(health(&member, &tx).await?),
        Audience::Reseller | Audience::Tenant => None,
    };
    let needs = needs::needs(&member, &tx).await?;
    let heading = Heading::new(span.title()).remark(span.compared(&member.zone));
    let heading = match span.over {
        // A day that is over has a date and no clock.
        Over::Yesterday => {
            heading.facts(format!("{}{}", if is_quiet { "Nothing yet today, so this is " } else { "" }, span.day()))
        }
        Over::Today | Over::Week | Over::Month => heading.at(format::full(member.now, &member.zone)),
    };
    let href = |over: Over| with_query(&member.audience.home(), &[("over", over.word())]);
    Ok(Home {
        shell: shell(&member, &tx, "Today", Section::Home).await?,
        heading,
        spans: Over::ALL.into_iter().map(|over| (over.name(), href(over), over == span.over)).collect(),
        stats,
        charts,
        needs: Items(needs),
        tables: vec![card],
        health,
    })
}

async fn of_calls(member: &Member, tx: &TenantTx, span: &Span) -> PageResult<(Stats, TableCard)> {
    let live = call_control::live_calls(tx, member.now).await?;
    let now = call_control::totals_between(tx, span.from, span.to).await?;
    let before = call_control::totals_between(tx, span.before_from, span.before_until).await?;
    let topics = call_control::by_topic(tx, span.from, span.to).await?;
    let costs = call_control::costs_between(tx, span.from, span.to).await?;
    let card = TableCard {
        title: "By topic".into(),
        all: Some(Link::new("All numbers", member.audience.numbers())),
        table: topic_table(&topics, &now)?,
    };
    Ok((call_stats(&live, &now, &before, costs)?, card))
}

fn call_stats(live: &[LiveCall], now: &CallTotals, before: &CallTotals, costs: Money) -> PageResult<Stats> {
    let waiting = live.iter().filter(|live| live.call.meter_started_at.is_none()).count();
    let minutes = |totals: &CallTotals| i64::try_from(totals.billed_seconds).unwrap_or(i64::MAX);
    let calls = |totals: &CallTotals| i64::try_from(totals.calls).unwrap_or(i64::MAX);
    let margin = now.net.checked_sub(costs)?;
    let share = format::percent(margin.micros(), now.net.micros());
    Ok(Stats(vec![
        Stat::new("Live calls", live.len().to_string())
            .note(if waiting == 0 { "Nobody waits".to_owned() } else { format!("{waiting} waiting") }, Tone::Plain)
            .live(),
        compared("Calls", format::count(calls(now)), format::count(calls(before)), calls(now), calls(before)),
        compared(
            "Minutes",
            format::minutes(minutes(now)),
            format::minutes(minutes(before)),
            minutes(now),
            minutes(before),
        ),
        compared("Revenue, net", now.net.human(), before.net.human(), now.net.micros(), before.net.micros()),
        Stat::new("Margin", margin.human())
            .note(share.map_or_else(String::new, |share| format!("{share}, before plan fees")), Tone::Plain),
    ]))
}

fn compared(label: &str, value: String, was: String, now: i64, before: i64) -> Stat {
    if now == before {
        return Stat::new(label, value).note("as before", Tone::Plain);
    }
    let stat = Stat::new(label, value).note(format!("from {was}"), Tone::Plain);
    match format::change(now, before) {
        Some(change) => stat.change(change, if now >= before { Tone::Good } else { Tone::Soon }),
        None => stat,
    }
}

/// Topics that are named one by one.
const TOPICS_SHOWN: usize = 6;

fn sum_of(topics: &[&TopicTotals], currency: Currency) -> PageResult<CallTotals> {
    let sum = |of: fn(&CallTotals) -> u64| topics.iter().map(|topic| of(&topic.totals)).sum();
    Ok(CallTotals {
        calls: sum(|totals| totals.calls),
        metered_calls: sum(|totals| totals.metered_calls),
        metered_seconds: sum(|totals| totals.metered_seconds),
        billed_seconds: sum(|totals| totals.billed_seconds),
        charge: Money::sum(currency, topics.iter().map(|topic| topic.totals.charge))?,
        net: Money::sum(currency, topics.iter().map(|topic| topic.totals.net))?,
    })
}

fn topic_table(topics: &[TopicTotals], all: &CallTotals) -> PageResult<Table> {
    let currency = all.net.currency();
    let columns = vec![
        Column::text("Topic"),
        Column::figures("Calls").label("Calls"),
        Column::figures("Minutes").label("Minutes"),
        Column::figures(format!("Net, {currency}")).label("Net"),
    ];
    let empty = Empty::new("phone", "No calls", "Topics show here with the first call.");
    let mut table = Table::new("By topic", columns, empty).dense();
    let row = |name: Cell, totals: &CallTotals| {
        vec![
            name,
            Cell::figure(format::count(i64::try_from(totals.calls).unwrap_or(i64::MAX))),
            Cell::figure(format::minutes(i64::try_from(totals.billed_seconds).unwrap_or(i64::MAX))),
            Cell::figure(totals.net.human_bare()),
        ]
    };
    let mut topics: Vec<&TopicTotals> = topics.iter().collect();
    topics.sort_by_key(|topic| std::cmp::Reverse(topic.totals.net.micros()));
    let (shown, others) = topics.split_at(topics.len().min(TOPICS_SHOWN));
    for topic in shown {
        table.row(row(Cell::text(&topic.name), &topic.totals));
    }
    if !others.is_empty() {
        let name = format::counted(others.len() as i64, "other topic", "other topics");
        table.row(row(Cell::text(name).class("quiet"), &sum_of(others, currency)?));
    }
    if !topics.is_empty() {
        table.total(row(Cell::text("All calls"), all));
    }
    Ok(table)
}

/// What one child used.
struct Sold {
    customer: Customer,
    calls: Decimal,
    minutes: Decimal,
}

async fn of_sales(member: &Member, tx: &TenantTx, span: &Span) -> PageResult<(Stats, TableCard)> {
    let children: Vec<Customer> =
        subscription::customers(tx, &CustomerFilter { limit: 500, ..CustomerFilter::default() })
            .await?
            .into_iter()
            .filter(|customer| customer.organisation_id.is_some() && customer.closed_at.is_none())
            .collect();
    let query = |customer: &Customer, meter: &str| UsageQuery {
        customer_id: customer.id,
        of: UsageOf::Customer,
        meter: meter.to_owned(),
        filter: BTreeMap::new(),
        from: span.from,
        to: span.to,
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
    let today = civil_day(member.now, &member.session.organisation.time_zone)?;
    let month = midnight(today.with_day(1).unwrap_or(today), &member.session.organisation.time_zone)?;
    let now = ledger::balance(tx, revenue, currency, member.now).await?;
    let earlier = ledger::balance(tx, revenue, currency, month - TimeDelta::microseconds(1)).await?;
    let open: Vec<Money> = payments::all_open_items(tx, member.now)
        .await?
        .into_iter()
        .map(|item| item.open)
        .filter(|m| m.currency() == currency)
        .collect();
    let stats = sale_stats(&sold, now.checked_sub(earlier)?, &open, currency)?;
    let title = member.audience.customers_word().to_owned();
    let all = Some(Link::new("All", member.audience.customers()));
    Ok((stats, TableCard { title, all, table: sold_table(member.audience, &sold) }))
}

fn sale_stats(sold: &[Sold], revenue: Money, open: &[Money], currency: Currency) -> PageResult<Stats> {
    let sum = |of: fn(&Sold) -> Decimal| sold.iter().map(of).sum::<Decimal>();
    let owed = Money::sum(currency, open.iter().copied())?;
    let in_use = sold.iter().filter(|sold| !sold.calls.is_zero()).count();
    Ok(Stats(vec![
        Stat::new("Customers", format::count(sold.len() as i64)).note(format!("{in_use} with calls"), Tone::Plain),
        Stat::new("Calls", format::quantity(sum(|sold| sold.calls).round())),
        Stat::new("Minutes", format::quantity(sum(|sold| sold.minutes).round())),
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
    let mut table = Table::new("By customer", columns, empty).dense();
    for sold in sold {
        table.row(vec![
            Cell::text(&sold.customer.name).to(audience.customer(sold.customer.id)),
            Cell::figure(format::quantity(sold.calls.round())),
            Cell::figure(format::quantity(sold.minutes.round())),
        ]);
    }
    table
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
