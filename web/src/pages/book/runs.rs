//! Invoice runs of the book, and the form of the next.

use super::shell;
use super::words::{civil_day, day};
use crate::answer::{SeeOther, see_other};
use crate::error::{PageError, PageResult};
use crate::extract::Member;
use crate::format;
use crate::shell::Section;
use crate::urls::Audience;
use crate::views::parts::Heading;
use crate::views::runs::{RunForm, Runs};
use crate::views::table::{Cell, Column, Empty, Table};
use crate::views::ui::{Badge, Tone};
use actix_web::web;
use chrono::{Datelike, Months, NaiveDate};
use invoicing::{Phase, Run};
use jiff::tz::TimeZone;
use serde::Deserialize;
use tenant::Role;

const RUNS_SHOWN: u64 = 50;

/// `GET /admin/runs`
pub async fn runs(member: Member) -> PageResult<Runs> {
    let tx = member.tx().await?;
    let runs = invoicing::runs(&tx, RUNS_SHOWN).await?;
    let customers = subscription::customer_count(&tx).await?;
    let today = civil_day(member.now, &member.session.organisation.time_zone)?;
    let zone = format::zone_name(&member.zone, member.now);
    let may = member.must(Role::Billing).is_ok();
    Ok(Runs {
        shell: shell(&member, &tx, "Invoice runs", Section::Runs).await?,
        heading: Heading::new("Invoice runs").facts(format!("Times are {zone}{}", scheduled(today))),
        table: table(member.audience, &runs, &member.zone),
        start: form(member.audience, &runs, customers, today, may),
    })
}

/// When the worker starts this month's run; `worker::month_ended` is its rule.
fn scheduled(today: NaiveDate) -> String {
    let next = today.with_day(1).and_then(|first| first.checked_add_months(Months::new(1)));
    next.map_or_else(String::new, |next| format!(" · {} is drafted by itself on {}", name_of(next), day(next)))
}

fn form(audience: Audience, runs: &[Run], customers: u64, today: NaiveDate, may: bool) -> RunForm {
    let is_open = runs.first().is_some_and(|run| run.phase != Phase::Done);
    let note = if is_open {
        "A run is open. Issue it or throw it away before the next one starts.".to_owned()
    } else if !may {
        "Your role may look at runs, not start them.".to_owned()
    } else {
        let count = i64::try_from(customers).unwrap_or(i64::MAX);
        format!("Looks at {}. Who owes nothing for it gets no draft.", format::counted(count, "customer", "customers"))
    };
    RunForm { action: audience.runs(), periods: periods(today), note, can_start: !is_open && may }
}

/// Days up to which can be billed, the first one proposed: this month's first, today, and the months before.
fn periods(today: NaiveDate) -> Vec<(String, String)> {
    let first = today.with_day(1).unwrap_or(today);
    let mut days = vec![first];
    if today != first {
        days.push(today);
    }
    days.extend((1..=2).filter_map(|months| first.checked_sub_months(Months::new(months))));
    let words = |on: NaiveDate| match on.day() {
        1 => format!("{}, all that ended by then", name_of(on)),
        _ => format!("{}, yesterday", name_of(on)),
    };
    days.into_iter().map(|on| (on.to_string(), words(on))).collect()
}

/// The badge of a run.
pub fn badge(run: &Run) -> Badge {
    match run.phase {
        Phase::Planned => Badge::new("Planned", Tone::Plain),
        Phase::Drafting => Badge::new("Drafting", Tone::On),
        Phase::Ready => Badge::new("Ready", Tone::Soon),
        Phase::Finalising => Badge::new("Issuing", Tone::On),
        Phase::Done if run.is_thrown_away() => Badge::new("Thrown away", Tone::Plain),
        Phase::Done => Badge::new("Done", Tone::Good),
    }
}

/// "October 2026" for what ended before the first of November, else "Until 20 Nov 2026".
pub fn name_of(until_on: NaiveDate) -> String {
    match until_on.pred_opt() {
        Some(last) if until_on.day() == 1 => last.format("%B %Y").to_string(),
        Some(last) => format!("Until {}", day(last)),
        None => day(until_on),
    }
}

fn table(audience: Audience, runs: &[Run], zone: &TimeZone) -> Table {
    let columns = vec![
        Column::text("Run"),
        Column::figures("Invoices").label("Invoices"),
        Column::figures("Failed").label("Failed"),
        Column::text("Started by").hidden(),
        Column::text("State"),
    ];
    let empty = Empty::new("player-play", "No runs yet", "The first one drafts what ended before a day.");
    let mut table = Table::new("Runs", columns, empty);
    let count = |count: u64| Cell::figure(format::count(i64::try_from(count).unwrap_or(i64::MAX)));
    for run in runs {
        table.row(vec![
            Cell::name(name_of(run.until_on)).to(audience.run(run.id)).sub(format::stamp(run.created_at, zone).text),
            count(run.counts.drafted + run.counts.finalised),
            count(run.counts.failed),
            Cell::text(&run.started_by),
            Cell::none().with(badge(run)),
        ]);
    }
    table
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Start {
    /// Bills what ended before this day.
    period: String,
}

/// `POST /admin/runs`
pub async fn start(member: Member, given: web::Form<Start>) -> PageResult<SeeOther> {
    member.must(Role::Billing)?;
    let until_on: NaiveDate =
        given.period.parse().map_err(|_| PageError::Refused("The period must be a day, as in 2026-11-01.".into()))?;
    let tx = member.tx().await?;
    let today = civil_day(member.now, &member.session.organisation.time_zone)?;
    if until_on > today {
        return Err(PageError::Refused("The day must not lie ahead: usage until then is not known yet.".into()));
    }
    let id = invoicing::plan_run(&tx, until_on, &member.actor(), member.now).await?;
    let payload = serde_json::json!({ "until_on": until_on.to_string() });
    tenant::record_audit(&tx, &member.actor(), "run.plan", &id.to_string(), payload, member.now).await?;
    tx.commit().await?;
    Ok(see_other(member.audience.run(id)).notice("The run is planned and goes on by itself; you may leave this page."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_this_month_is_proposed_and_today_may_be_chosen() {
        let days: Vec<String> = periods("2026-11-21".parse().unwrap()).into_iter().map(|(day, _)| day).collect();
        assert_eq!(days, ["2026-11-01", "2026-11-21", "2026-10-01", "2026-09-01"]);
        let words: Vec<String> = periods("2026-11-01".parse().unwrap()).into_iter().map(|(_, words)| words).collect();
        assert_eq!(words[0], "October 2026, all that ended by then");
    }
}
