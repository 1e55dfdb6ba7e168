//! One invoice run: how far it is, what failed and why, and making the drafts final.

use super::runs::{badge, name_of};
use super::shell;
use super::words::{customer_names, day};
use crate::answer::{SeeOther, see_other};
use crate::error::{PageError, PageResult};
use crate::extract::{Member, SignedIn};
use crate::shell::{Section, Token};
use crate::urls::{Audience, with_query};
use crate::views::parts::{Heading, Item, Items, PagePath, SumRow, Sums};
use crate::views::runs::{Finalization, Phase as PhaseView, PhaseState, Run as RunView, RunProgress, ThrowAway};
use crate::views::table::{Cell, Column, Empty, Table};
use crate::views::ui::{Badge, Tone};
use crate::{format, sse};
use actix_web::{HttpResponse, web};
use askama::Template;
use chrono::{DateTime, Datelike, Utc};
use db::{CustomerId, RunId, TenantTx};
use invoicing::{Item as RunItem, ItemState, Phase, Run};
use money::Money;
use std::collections::HashMap;
use std::time::Duration;
use tenant::Role;

const FAILURES_SHOWN: u64 = 100;
/// Drafts whose totals are summed on the page.
const DRAFTS_SUMMED: u64 = 5_000;
const LOOKED_AT_EVERY: Duration = Duration::from_secs(1);
/// Items that one transaction takes when issuing starts here; the worker goes on.
const FIRST_BLOCK: u64 = 50;

/// `GET /admin/runs/{run_id}`
pub async fn run(member: Member, path: web::Path<String>) -> PageResult<RunView> {
    let id: RunId = path.parse()?;
    let tx = member.tx().await?;
    let run = invoicing::run(&tx, id).await?;
    let failed = invoicing::run_items(&tx, id, Some(ItemState::Failed), None, FAILURES_SHOWN).await?;
    let names = customer_names(&tx, failed.iter().map(|item| item.customer_id)).await?;
    let sums = sums(&tx, &run).await?;
    let audience = member.audience;
    let may = member.must(Role::Billing).is_ok();
    let mut heading = Heading::new(answer(&run))
        .path(PagePath::under("Invoice runs", audience.runs(), id.to_string()).id())
        .facts(format!("Periods that ended before {} · started by {}", day(run.until_on), run.started_by))
        .at(format::full(run.created_at, &member.zone));
    if matches!(run.phase, Phase::Drafting | Phase::Finalising) {
        heading = heading.remark("you may leave this page");
    }
    heading.badge = Some(badge(&run));
    let shell = shell(&member, &tx, "Invoice run", Section::Runs).await?;
    let is_waiting = matches!(run.phase, Phase::Ready | Phase::Drafting) && run.counts.failed > 0 && may;
    Ok(RunView {
        throw_away: throw_away(audience, &run, shell.token()).filter(|_| may),
        shell,
        heading,
        events_href: audience.run_events(id),
        progress: progress(&run, dirty_hours(&tx, &run).await?, member.now),
        failures: failures(audience, &failed, &names),
        failure_count: usize::try_from(run.counts.failed).unwrap_or(usize::MAX),
        retry_href: is_waiting.then(|| audience.run_retry(id)),
        sums,
        finalization: finalization(audience, &run, may),
        invoices_href: match (run.counts.finalised, run.counts.drafted) {
            (0, 0) => None,
            (0, _) => Some(with_query(&audience.invoices(), &[("state", "draft"), ("run", &id.to_string())])),
            _ => Some(with_query(&audience.invoices(), &[("run", &id.to_string())])),
        },
    })
}

/// `GET /admin/runs/{run_id}/events`
pub async fn events(member: Member, path: web::Path<String>) -> PageResult<HttpResponse> {
    let id: RunId = path.parse()?;
    let tx = member.tx().await?;
    invoicing::run(&tx, id).await?;
    tx.commit().await?;
    let who = SignedIn::clone(&member);
    let snapshot = move || {
        let who = who.clone();
        async move {
            let tx = who.app.db.tenant(who.session.tenant_id).await?;
            let run = invoicing::run(&tx, id).await?;
            let dirty = dirty_hours(&tx, &run).await?;
            progress(&run, dirty, who.app.clock.now()).render().map_err(PageError::failed)
        }
    };
    Ok(sse::stream(&member, "progress", LOOKED_AT_EVERY, snapshot))
}

/// `POST /admin/runs/{run_id}/finalization`: the first block here, so that the phase is the new one when the page comes back.
pub async fn finalize(member: Member, path: web::Path<String>) -> PageResult<SeeOther> {
    member.must(Role::Billing)?;
    let id: RunId = path.parse()?;
    let tx = member.tx().await?;
    let run = invoicing::run(&tx, id).await?;
    if run.phase == Phase::Done {
        return Ok(see_other(member.audience.run(id)).warning("This run is done already."));
    }
    let after = invoicing::finalise_some(&tx, id, FIRST_BLOCK, member.now).await?;
    // Who paid ahead has paid what is new; a run that ends with this block has no other.
    payments::allocate_all_credit(&tx).await?;
    let payload = serde_json::json!({ "drafted": run.counts.drafted });
    tenant::record_audit(&tx, &member.actor(), "run.finalize", &id.to_string(), payload, member.now).await?;
    tx.commit().await?;
    let notice = if after.phase == Phase::Done {
        "All invoices of the run are issued."
    } else {
        "Issuing goes on by itself; you may leave this page."
    };
    Ok(see_other(member.audience.run(id)).notice(notice))
}

/// `POST /admin/runs/{run_id}/abandonment`
pub async fn abandon(member: Member, path: web::Path<String>) -> PageResult<SeeOther> {
    member.must(Role::Billing)?;
    let id: RunId = path.parse()?;
    let tx = member.tx().await?;
    let run = invoicing::run(&tx, id).await?;
    invoicing::abandon_run(&tx, id, member.now).await?;
    let payload = serde_json::json!({ "drafted": run.counts.drafted });
    tenant::record_audit(&tx, &member.actor(), "run.abandon", &id.to_string(), payload, member.now).await?;
    tx.commit().await?;
    Ok(see_other(member.audience.run(id))
        .notice("The run is thrown away. What it would have billed is due again in the next one."))
}

/// `POST /admin/runs/{run_id}/retry`
pub async fn retry(member: Member, path: web::Path<String>) -> PageResult<SeeOther> {
    member.must(Role::Billing)?;
    let id: RunId = path.parse()?;
    let tx = member.tx().await?;
    let retried = invoicing::retry_failed(&tx, id, member.now).await?;
    tx.commit().await?;
    let count = i64::try_from(retried).unwrap_or(i64::MAX);
    Ok(see_other(member.audience.run(id))
        .notice(format!("{} back in the queue.", format::counted(count, "customer is", "customers are"))))
}

/// What has no number yet may be thrown away.
fn throw_away(audience: Audience, run: &Run, token: Token) -> Option<ThrowAway> {
    let drafts = i64::try_from(run.counts.drafted).unwrap_or(i64::MAX);
    let button = match drafts {
        0 => "Throw the run away".to_owned(),
        _ => format!("Throw away {}", format::counted(drafts, "draft", "drafts")),
    };
    matches!(run.phase, Phase::Planned | Phase::Drafting | Phase::Ready).then(|| ThrowAway {
        title: "Throw this run away".into(),
        text: "Nothing of it is issued. What its drafts would have billed is due again in the next run; this one does not start again by itself."
            .into(),
        action: audience.run_abandonment(run.id),
        button,
        token,
    })
}

/// "8 invoices for October 2026"
fn answer(run: &Run) -> String {
    let counted = |count: u64, one, many| format::counted(i64::try_from(count).unwrap_or(i64::MAX), one, many);
    let what = match run.phase {
        Phase::Planned | Phase::Drafting => return name_of(run.until_on),
        Phase::Ready => counted(run.counts.drafted, "draft", "drafts"),
        Phase::Done if run.is_thrown_away() => return format!("{}, thrown away", name_of(run.until_on)),
        Phase::Finalising | Phase::Done => counted(run.counts.finalised, "invoice", "invoices"),
    };
    match run.until_on.day() {
        1 => format!("{what} for {}", name_of(run.until_on)),
        _ => format!("{what} {}", name_of(run.until_on).replacen("Until", "until", 1)),
    }
}

fn count(count: u64) -> String {
    format::count(i64::try_from(count).unwrap_or(i64::MAX))
}

/// Hours that are still being counted, where drafts wait for them.
async fn dirty_hours(tx: &TenantTx, run: &Run) -> PageResult<u64> {
    match run.phase {
        Phase::Planned | Phase::Drafting => {
            Ok(usage_metering::dirty_hours(tx).await?.into_iter().map(|(_, hours)| hours).sum())
        }
        Phase::Ready | Phase::Finalising | Phase::Done => Ok(0),
    }
}

fn progress(run: &Run, dirty_hours: u64, now: DateTime<Utc>) -> RunProgress {
    let counts = &run.counts;
    let (done, total) = run.progress();
    let of = |part: u64| u32::try_from(part.saturating_mul(1000) / total.max(1)).unwrap_or(1000).min(1000);
    let is_issuing = matches!(run.phase, Phase::Finalising | Phase::Done);
    let failed = if is_issuing { 0 } else { counts.failed };
    // A failure stays visible however small its part is.
    let failed_width = if failed == 0 { 0 } else { of(failed).max(4) };
    let is_over = matches!(run.phase, Phase::Ready | Phase::Done);
    let pace = run.pace(now);
    let title = match run.phase {
        Phase::Planned => "Planned",
        Phase::Drafting => "Drafting",
        Phase::Ready => "Drafted",
        Phase::Finalising => "Issuing",
        Phase::Done if run.is_thrown_away() => "Thrown away",
        Phase::Done => "Issued",
    };
    let succeeded = if is_issuing { counts.finalised } else { counts.drafted + counts.finalised };
    RunProgress {
        title: title.into(),
        now: match &run.current_customer {
            Some(name) if !is_over => format!("Last: {name}"),
            _ => String::new(),
        },
        done: count(if run.phase == Phase::Ready { total_drafted(run) } else { done }),
        done_count: done,
        of: match run.phase {
            Phase::Planned | Phase::Drafting => format!("of {} customers", count(total)),
            Phase::Ready => format!("drafts of {} customers", count(counts.total())),
            Phase::Finalising | Phase::Done => format!("of {} invoices", count(total)),
        },
        total_count: total,
        left: match pace {
            _ if dirty_hours > 0 && counts.waiting > 0 => {
                let hours = format::counted(i64::try_from(dirty_hours).unwrap_or(i64::MAX), "hour", "hours");
                format!("waits until {hours} of usage are counted")
            }
            Some(pace) if !is_over => {
                format!("about {} left", format::duration_words(i64::try_from(pace.seconds_left).unwrap_or(i64::MAX)))
            }
            _ => String::new(),
        },
        done_width: if is_over { 1000 - failed_width } else { of(done).saturating_sub(failed_width) },
        failed_width,
        succeeded: format!("{} {}", count(succeeded), if is_issuing { "issued" } else { "drafted" }),
        failed: (counts.failed > 0).then(|| format!("{} failed, kept", count(counts.failed))),
        to_go: format!("{} with nothing due", count(counts.nothing_due)),
        rate: pace.map_or_else(String::new, |pace| format!("{} a second", format::quantity(pace.per_second))),
        phases: phases(run),
        is_over,
    }
}

fn total_drafted(run: &Run) -> u64 {
    run.counts.drafted + run.counts.finalised
}

fn phases(run: &Run) -> Vec<PhaseView> {
    let order = [Phase::Planned, Phase::Drafting, Phase::Ready, Phase::Finalising, Phase::Done];
    let at = order.iter().position(|phase| *phase == run.phase).unwrap_or_default();
    let names = [
        ("Plan", "who is looked at"),
        ("Draft", "lines and tax"),
        ("Look", "a person decides"),
        ("Issue", "numbers, ledger"),
        ("Done", "PDF on request"),
    ];
    let state = |index: usize| match index.cmp(&at) {
        std::cmp::Ordering::Less => PhaseState::Done,
        std::cmp::Ordering::Equal if run.phase == Phase::Done => PhaseState::Done,
        std::cmp::Ordering::Equal => PhaseState::Now,
        std::cmp::Ordering::Greater => PhaseState::Later,
    };
    names
        .into_iter()
        .enumerate()
        .map(|(index, (name, text))| PhaseView { name, text: text.into(), state: state(index) })
        .collect()
}

fn failures(audience: Audience, failed: &[RunItem], names: &HashMap<CustomerId, String>) -> Table {
    let columns = vec![Column::text("Customer"), Column::text("Why, and what to do").full()];
    let empty =
        Empty::new("circle-check", "Nothing failed", "A customer that cannot be billed waits here with its remedy.");
    let mut table = Table::new("Customers that could not be billed", columns, empty);
    for item in failed {
        let name = names.get(&item.customer_id).cloned().unwrap_or_else(|| item.customer_id.to_string());
        let why = item.failure.clone().unwrap_or_else(|| "No reason was kept.".into());
        table.row(vec![Cell::name(name).to(audience.customer(item.customer_id)), Cell::text(why)]);
    }
    table
}

/// What the run's drafts and documents come to, for each currency.
async fn sums(tx: &TenantTx, run: &Run) -> PageResult<Sums> {
    let mut totals: Vec<Money> = invoicing::drafts(tx, Some(run.id), None, DRAFTS_SUMMED)
        .await?
        .iter()
        .map(|draft| draft.content.totals.gross)
        .collect();
    let filter = invoicing::DocumentFilter { run_id: Some(run.id), limit: DRAFTS_SUMMED, ..Default::default() };
    totals.extend(invoicing::documents(tx, &filter).await?.iter().map(|document| document.totals.gross));
    let mut rows = vec![
        SumRow::plain("Drafted", count(run.counts.drafted)),
        SumRow::plain("Issued", count(run.counts.finalised)),
        SumRow::plain("Nothing due", count(run.counts.nothing_due)),
        SumRow::plain("Failed", count(run.counts.failed)),
    ];
    if run.counts.voided > 0 {
        rows.push(SumRow::plain("Left out", count(run.counts.voided)));
    }
    let mut by_currency: Vec<Money> = Vec::new();
    for total in totals {
        match by_currency.iter_mut().find(|sum| sum.currency() == total.currency()) {
            Some(sum) => *sum = sum.checked_add(total)?,
            None => by_currency.push(total),
        }
    }
    rows.extend(by_currency.iter().map(|sum| SumRow::sum("Total, tax included", sum.human())));
    Ok(Sums(rows))
}

fn finalization(audience: Audience, run: &Run, may: bool) -> Finalization {
    let counts = &run.counts;
    let drafted = counts.waiting == 0;
    let check = |holds: bool, title: &str| {
        if holds {
            Item::new("circle-check", Tone::Good, title)
        } else {
            Item::new("circle-dashed", Tone::Plain, title)
        }
    };
    let failed = if counts.failed == 0 {
        "none failed".to_owned()
    } else {
        format!("{} failed and stay out", count(counts.failed))
    };
    let checks = Items(vec![
        check(drafted, "Every customer drafted or left out").note(format!("{} to go, {failed}", count(counts.waiting))),
        check(true, "Lines add up to invoices").note("checked as each draft is written"),
    ]);
    let (state, button, refused) = match run.phase {
        Phase::Planned | Phase::Drafting => {
            (Badge::new("Waiting for drafts", Tone::Plain), None, Some("Issue after drafting".to_owned()))
        }
        Phase::Ready if counts.drafted == 0 => {
            (Badge::new("Nothing to issue", Tone::Plain), Some("Close the run".to_owned()), None)
        }
        Phase::Ready => {
            let drafts = i64::try_from(counts.drafted).unwrap_or(i64::MAX);
            (
                Badge::new("Ready", Tone::On),
                Some(format!("Issue {}", format::counted(drafts, "invoice", "invoices"))),
                None,
            )
        }
        Phase::Finalising => (Badge::new("Issuing", Tone::On), None, Some("Being issued".to_owned())),
        Phase::Done if run.is_thrown_away() => (Badge::new("Thrown away", Tone::Plain), None, None),
        Phase::Done => (Badge::new("Issued", Tone::Good), None, None),
    };
    let refused = if may { refused } else { Some("Your role may not issue".to_owned()) };
    Finalization { action: audience.run_finalization(run.id), checks, state, button, refused }
}

#[cfg(test)]
mod tests {
    use super::*;
    use invoicing::Counts;

    fn run_in(phase: Phase, counts: Counts) -> Run {
        let at: DateTime<Utc> = "2026-11-01T01:00:00Z".parse().unwrap();
        Run {
            id: RunId::new(),
            until_on: "2026-11-01".parse().unwrap(),
            phase,
            started_by: "Mara Stein".into(),
            current_customer: None,
            created_at: at,
            drafting_started_at: Some(at),
            finalising_started_at: None,
            ended_at: None,
            counts,
        }
    }

    #[test]
    fn one_failure_among_many_stays_visible_on_the_bar() {
        let run = run_in(Phase::Drafting, Counts { drafted: 4999, failed: 1, waiting: 5000, ..Counts::default() });
        let shown = progress(&run, 0, "2026-11-01T01:00:10Z".parse().unwrap());
        // 5,000 of 10,000 is 500 thousandths, 4 of them for the failure; 5,000 in 10 s leaves another 10 s
        assert_eq!((shown.done_width, shown.failed_width), (496, 4));
        assert_eq!((shown.left.as_str(), shown.rate.as_str()), ("about 10 s left", "500 a second"));
        assert!(!shown.is_over);
        let held = progress(&run, 3, "2026-11-01T01:00:10Z".parse().unwrap());
        assert_eq!(held.left, "waits until 3 hours of usage are counted");
    }

    #[test]
    fn drafts_are_issued_by_a_person_and_only_when_all_are_written() {
        let counts = Counts { drafted: 2, ..Counts::default() };
        let ready = finalization(Audience::Tenant, &run_in(Phase::Ready, counts), true);
        assert_eq!((ready.button.as_deref(), ready.refused), (Some("Issue 2 invoices"), None));
        assert!(finalization(Audience::Tenant, &run_in(Phase::Drafting, counts), true).refused.is_some());
        assert!(finalization(Audience::Tenant, &run_in(Phase::Ready, counts), false).refused.is_some());
    }
}
