//! The call board: who talks, for how long, what it costs so far and when the money ends. Ending a call is asked of the edge.

use super::shell;
use super::words::{agent_names, call_state, customer_names};
use crate::answer::{SeeOther, see_other};
use crate::error::{PageError, PageResult};
use crate::extract::{Member, SignedIn};
use crate::shell::{Section, Token};
use crate::urls::Audience;
use crate::views::book::{Live, LiveBoard, LiveCall as LiveRow};
use crate::views::parts::{Stat, Stats};
use crate::views::ui::Tone;
use crate::{format, security, sse};
use actix_web::{HttpResponse, web};
use askama::Template;
use call_control::{CallFilter, CallState, IncludedLeft, LiveCall};
use chrono::{DateTime, TimeDelta, Utc};
use db::{AgentId, CallId, CustomerId, TenantTx};
use jiff::tz::TimeZone;
use money::{Currency, Money};
use std::collections::HashMap;
use std::time::Duration;
use tenant::{AgentState, AgentStatus};

/// How often the board is looked at; between two looks the browser counts on by itself.
const LOOKED_AT_EVERY: Duration = Duration::from_secs(2);
/// A call with less time than this is about to run out.
const ENDING_SECONDS: u32 = 180;

/// `GET /admin/live`
pub async fn live(member: Member) -> PageResult<Live> {
    let tx = member.tx().await?;
    let board = board_of(&member, &tx).await?;
    Ok(Live {
        shell: shell(&member, &tx, "Live calls", Section::Live).await?,
        events_href: member.audience.live_events(),
        zone: format::zone_name(&member.zone, member.now),
        board,
    })
}

/// `GET /admin/live/events`: the board again, whenever it differs.
pub async fn events(member: Member) -> PageResult<HttpResponse> {
    let who = SignedIn::clone(&member);
    let snapshot = move || {
        let mut who = who.clone();
        async move {
            who.now = who.app.clock.now();
            let tx = who.app.db.tenant(who.session.tenant_id).await?;
            board_of(&who, &tx).await?.render().map_err(PageError::failed)
        }
    };
    Ok(sse::stream(&member, "board", LOOKED_AT_EVERY, snapshot))
}

/// `POST /admin/calls/{call_id}/end`
pub async fn end(member: Member, path: web::Path<String>) -> PageResult<SeeOther> {
    let id: CallId = path.parse()?;
    let tx = member.tx().await?;
    let detail = call_control::call(&tx, id).await?;
    // To the page's main part, so that the keyboard goes on there.
    let back = see_other(format!("{}#main", member.audience.live()));
    if detail.call.state == CallState::Ended {
        return Ok(back.warning("That call had ended already."));
    }
    if member.app.ask_edge(|edge| edge.end_call(id.uuid())) != Some(true) {
        return Ok(back.warning("The phone edge does not have that call any more. It ends by itself within a minute."));
    }
    let payload = serde_json::json!({ "caller": detail.call.caller, "called": detail.call.called });
    tenant::record_audit(&tx, &member.actor(), "call.end", &id.to_string(), payload, member.now).await?;
    tx.commit().await?;
    Ok(back.notice("The call is being ended. It is charged until now."))
}

/// Everything that the board shows, read at once.
struct Seen {
    live: Vec<LiveCall>,
    customers: HashMap<CustomerId, String>,
    agents: HashMap<AgentId, String>,
    agents_free: usize,
    last_ended_at: Option<DateTime<Utc>>,
}

async fn board_of(who: &SignedIn, tx: &TenantTx) -> PageResult<LiveBoard> {
    let live = call_control::live_calls(tx, who.now).await?;
    let customers = customer_names(tx, live.iter().filter_map(|live| live.call.customer_id)).await?;
    let statuses = tenant::agent_states(tx).await?;
    let agents = tenant::agents(tx).await?;
    let phones = who.app.ask_edge(sip_media::Edge::registrations).unwrap_or_default();
    let can_be_rung = |id: AgentId| {
        let agent = agents.iter().find(|agent| agent.id == id);
        agent.is_some_and(|agent| phones.iter().any(|phone| phone.username == agent.sip_username))
    };
    let is_free = |status: &&AgentStatus| {
        status.state == AgentState::Ready && status.seat_opened_at.is_some() && can_be_rung(status.agent_id)
    };
    let agents_free = statuses.iter().filter(is_free).count();
    let last_ended_at = if live.is_empty() { last_call(tx, who.now).await? } else { None };
    let seen = Seen { live, customers, agents: agent_names(tx).await?, agents_free, last_ended_at };
    let csrf = Token(security::form_token(&who.session.csrf_token));
    board(&seen, who.session.organisation.currency, &who.zone, csrf, who.now)
}

async fn last_call(tx: &TenantTx, now: DateTime<Utc>) -> PageResult<Option<DateTime<Utc>>> {
    let filter =
        CallFilter { state: Some(CallState::Ended), limit: 1, ..CallFilter::between(now - TimeDelta::days(7), now) };
    Ok(call_control::calls(tx, &filter).await?.calls.first().and_then(|call| call.ended_at))
}

fn board(seen: &Seen, currency: Currency, zone: &TimeZone, csrf: Token, now: DateTime<Utc>) -> PageResult<LiveBoard> {
    let live = &seen.live;
    let talking = live.iter().filter(|live| live.call.meter_started_at.is_some()).count();
    // A call out that rings keeps nobody waiting.
    let waits = |live: &&LiveCall| live.call.meter_started_at.is_none() && !live.call.is_outgoing;
    let waiting: Vec<&LiveCall> = live.iter().filter(waits).collect();
    let longest = waiting.iter().map(|live| live.elapsed_seconds).max();
    let cost = Money::sum(currency, live.iter().map(|live| live.cost_so_far))?;
    let calls: Vec<LiveRow> = live.iter().map(|live| row(seen, live, zone, now)).collect();
    let ending = calls.iter().filter(|call| call.is_ending).count();
    let mut summary = format!("{}, {} waiting", format::counted(live.len() as i64, "call", "calls"), waiting.len());
    if ending > 0 {
        summary.push_str(&format!(", {ending} about to run out"));
    }
    let longest = longest.map_or_else(|| "Nobody waits".to_owned(), |s| format!("Longest {}", timer(s)));
    Ok(LiveBoard {
        at: format::clock(now, zone),
        stats: Stats(vec![
            Stat::new("Talking", talking.to_string()).live(),
            Stat::new("Waiting", waiting.len().to_string()).note(longest, Tone::Plain),
            Stat::new("Agents free", seen.agents_free.to_string()).small(format!("of {}", seen.agents.len())),
            Stat::new("Running cost", cost.human()).note("tax included", Tone::Plain),
        ]),
        currency: currency.code().to_owned(),
        calls,
        last_call: match seen.last_ended_at {
            Some(at) => format!("The last one ended on {}.", format::stamp(at, zone).text),
            None => "The first one shows here while it rings.".into(),
        },
        csrf,
        summary,
    })
}

fn timer(seconds: u64) -> String {
    format::timer(i64::try_from(seconds).unwrap_or(i64::MAX))
}

fn row(seen: &Seen, live: &LiveCall, zone: &TimeZone, now: DateTime<Utc>) -> LiveRow {
    let call = &live.call;
    let from = call.caller.as_deref().map_or_else(|| "withheld".to_owned(), format::phone);
    // Of a call out the customer pays, and the number beside the name is the one that is called.
    let (number, other) = match call.is_outgoing {
        true => (format!("calls {}", format::phone(&call.called)), format!("shown {from}")),
        false => (from, format::phone(&call.called)),
    };
    // The count in the browser goes by increments of the metered time; before that the wait is what counts.
    let elapsed = if call.meter_started_at.is_some() { u64::from(live.metered_seconds) } else { live.elapsed_seconds };
    let (runs_out, runs_out_note, is_ending) = runs_out(live, zone, now);
    LiveRow {
        id: call.id.to_string(),
        href: Audience::Tenant.call(call.id),
        end_href: Audience::Tenant.call_end(call.id),
        caller: call
            .customer_id
            .and_then(|id| seen.customers.get(&id).cloned())
            .unwrap_or_else(|| "Unknown caller".into()),
        caller_number: number,
        topic: call.topic_name.clone().unwrap_or_else(|| "Not chosen yet".into()),
        number: other,
        agent: call.agent_id.and_then(|id| seen.agents.get(&id).cloned()).unwrap_or_default(),
        state: call_state(call),
        elapsed_seconds: elapsed,
        timer: timer(elapsed),
        cost: live.cost_so_far.human_bare(),
        cost_micros: live.cost_so_far.micros(),
        increment_micros: live.increment_cost.micros(),
        increment_seconds: live.increment_seconds,
        left: live.left.map(|left| left.human_bare()),
        left_micros: live.left.map_or(0, |left| left.micros()),
        runs_out,
        runs_out_note,
        is_ending,
    }
}

/// What the customer's plan has left while this call uses it: `8.7 of 10 included minutes left`.
fn included(live: &LiveCall) -> String {
    let told = |of: &IncludedLeft| {
        format!("{} of {} included {} left", format::quantity(of.left), format::quantity(of.included), of.unit)
    };
    live.included.iter().map(told).collect::<Vec<_>>().join(", ")
}

fn runs_out(live: &LiveCall, zone: &TimeZone, now: DateTime<Utc>) -> (String, String, bool) {
    match live.runs_out_seconds {
        None => ("no limit".into(), included(live), false),
        Some(left) if live.call.meter_started_at.is_some() && left <= ENDING_SECONDS => {
            (format!("in {}", timer(left.into())), String::new(), true)
        }
        Some(left) => {
            let ends = now + TimeDelta::seconds(left.into());
            let is_today = format::zoned(ends, zone).date() == format::zoned(now, zone).date();
            let at = if is_today {
                format::zoned(ends, zone).strftime("%H:%M").to_string()
            } else {
                format::short(ends, zone).text
            };
            (at, format::ahead(left.into()), false)
        }
    }
}
