//! The agent's desk: the seat, the state, the call at hand, and the phone that rings.
//! Invariant: the page's heartbeat is what keeps a seat open; nobody is on a seat whose page is gone.

use super::book::words::customer_names;
use super::desk_dial::may_dial;
use super::phone::{phone_box, phone_of};
use super::{Entry, Who, get, post};
use crate::answer::{SeeOther, see_other};
use crate::error::{PageError, PageResult};
use crate::extract::{AgentDesk, SignedIn};
use crate::shell::{Section, Token};
use crate::views::book::TableCard;
use crate::views::desk::{Desk, DeskCall, DeskNow, DeskState, TopList};
use crate::views::parts::{Heading, Item, Items, Pager};
use crate::views::table::{Cell, Column, Empty, Table};
use crate::views::ui::{Link, Tone};
use crate::{format, security, seller, sse, urls};
use actix_web::{HttpResponse, web};
use askama::Template;
use call_control::{Call, CallFilter, CallState, LiveCall};
use chrono::{DateTime, TimeDelta, Utc};
use db::{AgentId, CallId, CustomerId, TenantTx};
use serde::Deserialize;
use std::collections::HashMap;
use std::time::Duration;
use tenant::{Agent, AgentState, AgentStatus};

pub(super) fn routes() -> Vec<Entry> {
    vec![
        get(urls::DESK, Who::Agent, desk),
        get(urls::DESK_EVENTS, Who::Agent, events),
        post(urls::DESK_STATE, Who::Agent, set_state),
        post(urls::DESK_HEARTBEAT, Who::Agent, heartbeat),
        get(urls::DESK_CALLS, Who::Agent, calls),
        post(urls::desk_call_end("{call_id}"), Who::Agent, end_call),
    ]
}

/// How often the desk is looked at; between two looks the browser counts on by itself.
const LOOKED_AT_EVERY: Duration = Duration::from_secs(2);
/// With less time than this the agent is told that the caller's money ends.
const ENDING_SECONDS: u32 = 180;

/// Beyond this many seconds the end of the money is told in hours or days, not as a time of day.
const HOURS_AHEAD: u32 = 12 * 3600;

const NO_PHONE: &str = "Ready, but no phone is signed in: no call can reach you.";

/// Why somebody is not ready: value and word.
const REASONS: [(&str, &str); 4] =
    [("", "No reason"), ("break", "Break"), ("training", "Training"), ("paperwork", "Paperwork")];

/// What was typed into the page and came back.
#[derive(Deserialize)]
struct Typed {
    #[serde(default)]
    called: String,
}

/// `GET /agent`
async fn desk(desk: AgentDesk, typed: web::Query<Typed>) -> PageResult<Desk> {
    let tx = desk.tx().await?;
    let page = page(&desk, &tx, None).await?;
    // A number that was refused is there to be mended.
    Ok(Desk { dial: page.dial.map(|_| typed.into_inner().called), ..page })
}

pub(super) async fn page(desk: &AgentDesk, tx: &TenantTx, password: Option<String>) -> PageResult<Desk> {
    let agent = agent_of(tx, desk.agent_id).await?;
    let (from, _) = today(desk)?;
    let filter = CallFilter {
        agent: Some(desk.agent_id),
        state: Some(CallState::Ended),
        limit: 8,
        ..CallFilter::between(from, desk.now)
    };
    let done = call_control::calls(tx, &filter).await?;
    let names = customer_names(tx, done.calls.iter().filter_map(|call| call.customer_id)).await?;
    let counted = format::counted(i64::try_from(done.totals.calls).unwrap_or(i64::MAX), "call", "calls");
    let minutes = (i64::try_from(done.totals.metered_seconds).unwrap_or(i64::MAX).saturating_add(30)) / 60;
    Ok(Desk {
        shell: desk.shell("Desk", Section::Home),
        events_href: urls::DESK_EVENTS.into(),
        now: now_of(desk, tx, desk.agent_id).await?,
        phone: phone_box(&desk.app, &agent, password),
        dial: may_dial(tx, desk.agent_id).await?.then(String::new),
        today: Items(vec![
            at_the_seat(desk, tx, from).await?,
            Item::new("phone", Tone::Plain, format!("{counted}, {}", format::counted(minutes, "minute", "minutes"))),
        ]),
        calls: TableCard {
            title: "Your calls today".into(),
            all: Some(Link::new("All", urls::DESK_CALLS)),
            table: calls_table(
                desk,
                &done.calls,
                &names,
                Empty::new("phone", "No calls yet today", "Each call shows here when it ends."),
            ),
        },
    })
}

pub(super) async fn agent_of(tx: &TenantTx, agent_id: AgentId) -> PageResult<Agent> {
    tenant::agents(tx).await?.into_iter().find(|agent| agent.id == agent_id).ok_or(PageError::NotFound)
}

/// From local midnight until now.
fn today(desk: &AgentDesk) -> PageResult<(DateTime<Utc>, DateTime<Utc>)> {
    let zone = &desk.session.organisation.time_zone;
    let from = pricing::start_of_day(pricing::civil_date(desk.now, zone)?, zone)?;
    Ok((from, desk.now))
}

async fn at_the_seat(desk: &AgentDesk, tx: &TenantTx, from: DateTime<Utc>) -> PageResult<Item> {
    let stays = tenant::seat_sessions(tx, from, desk.now).await?;
    let own: Vec<_> = stays.iter().filter(|stay| stay.agent_id == desk.agent_id).collect();
    let seconds: i64 = own
        .iter()
        .map(|stay| (stay.closed_at.unwrap_or(desk.now).min(desk.now) - stay.opened_at.max(from)).num_seconds().max(0))
        .sum();
    let text = match (seconds / 3600, seconds / 60 % 60) {
        (0, minutes) => format!("{minutes} min at the seat"),
        (hours, minutes) => format!("{hours} h {minutes} min at the seat"),
    };
    let item = Item::new("headset", Tone::Plain, text);
    Ok(match own.iter().map(|stay| stay.opened_at.max(from)).min() {
        Some(since) => item.note(format!("since {}", time_of(desk, since))),
        None => item,
    })
}

/// "13:58 CET"
fn time_of(who: &SignedIn, at: DateTime<Utc>) -> String {
    format::zoned(at, &who.zone).strftime("%H:%M %Z").to_string()
}

/// `GET /agent/events`: the moving part, whenever it differs.
async fn events(desk: AgentDesk) -> HttpResponse {
    let (who, agent_id) = (SignedIn::clone(&desk), desk.agent_id);
    let snapshot = move || {
        let mut who = who.clone();
        async move {
            who.now = who.app.clock.now();
            let tx = who.app.db.tenant(who.session.tenant_id).await?;
            now_of(&who, &tx, agent_id).await?.render().map_err(PageError::failed)
        }
    };
    sse::stream(&desk, "desk", LOOKED_AT_EVERY, snapshot)
}

async fn now_of(who: &SignedIn, tx: &TenantTx, agent_id: AgentId) -> PageResult<DeskNow> {
    let status = tenant::agent_states(tx)
        .await?
        .into_iter()
        .find(|status| status.agent_id == agent_id)
        .ok_or(PageError::NotFound)?;
    let live = call_control::live_calls(tx, who.now).await?;
    let queue: Vec<&LiveCall> =
        live.iter().filter(|live| live.call.state == CallState::Queued && !live.call.is_outgoing).collect();
    let waiting = queue.iter().map(|live| live.elapsed_seconds).max();
    let own = live.iter().find(|live| live.call.agent_id == Some(agent_id));
    let names = customer_names(tx, own.and_then(|live| live.call.customer_id)).await?;
    let state = state_of(&status, own);
    let has_phone = phone_of(&who.app, &agent_of(tx, agent_id).await?.sip_username).is_some();
    let queued = waiting.map_or_else(
        || "Nobody waits".to_owned(),
        |longest| format!("{} waiting, longest {}", queue.len(), format::timer(longest.try_into().unwrap_or(i64::MAX))),
    );
    Ok(DeskNow {
        state,
        reason: status.reason.clone().unwrap_or_default(),
        reasons: REASONS.to_vec(),
        line: format!(
            "{queued} · {} since {}{}",
            word(state),
            time_of(who, status.since),
            if state == DeskState::Ready && !has_phone { ", without a phone" } else { "" }
        ),
        call: own.map(|live| call_at_hand(who, live, &names)),
        waiting: match (state, status.seat_opened_at) {
            (_, None) => "You are not on a seat. Choose Ready to sit down.".into(),
            (DeskState::Ready, _) if !has_phone => NO_PHONE.into(),
            (DeskState::Ready, _) => {
                format!("The next call rings your phone. Waiting since {}.", time_of(who, status.since))
            }
            _ => "No call rings your phone until you are ready.".into(),
        },
        at: format::clock(who.now, &who.zone),
        csrf: Token(security::form_token(&who.session.csrf_token)),
    })
}

fn state_of(status: &AgentStatus, own: Option<&LiveCall>) -> DeskState {
    match (own, status.state) {
        (Some(live), _) if live.call.meter_started_at.is_none() && live.call.state == CallState::Queued => {
            DeskState::Ringing
        }
        (Some(_), _) | (None, AgentState::Talking) => DeskState::Talking,
        (None, AgentState::Ready) if status.seat_opened_at.is_some() => DeskState::Ready,
        (None, _) => DeskState::NotReady,
    }
}

fn word(state: DeskState) -> &'static str {
    match state {
        DeskState::Ready => "ready",
        DeskState::NotReady => "not ready",
        DeskState::Ringing => "ringing",
        DeskState::Talking => "talking",
    }
}

fn call_at_hand(who: &SignedIn, live: &LiveCall, names: &HashMap<CustomerId, String>) -> DeskCall {
    let call = &live.call;
    let is_ringing = call.meter_started_at.is_none() && call.state == CallState::Queued;
    let elapsed = if call.meter_started_at.is_some() { u64::from(live.metered_seconds) } else { live.elapsed_seconds };
    let currency = live.cost_so_far.currency();
    let ends = live.runs_out_seconds;
    DeskCall {
        caller: caller_name(call, names),
        caller_number: match call.is_outgoing {
            true => format!("calls {}", format::phone(&call.called)),
            false => call.caller.as_deref().map_or_else(|| "withheld".to_owned(), format::phone),
        },
        topic: call.topic_name.clone().unwrap_or_default(),
        is_ringing,
        elapsed_seconds: elapsed,
        timer: format::timer(elapsed.try_into().unwrap_or(i64::MAX)),
        price: live.increment_cost.human_rate(),
        price_note: match live.increment_seconds {
            0 => "nothing counts".into(),
            seconds => format!("for the next {seconds} s"),
        },
        cost: live.cost_so_far.human(),
        cost_note: "tax included".into(),
        cost_micros: live.cost_so_far.micros(),
        increment_micros: live.increment_cost.micros(),
        increment_seconds: live.increment_seconds,
        symbol: currency.symbol().to_string(),
        left: live.left.map(|left| left.human_balance()),
        left_micros: live.left.map_or(0, |left| left.micros()),
        left_note: ends.map_or_else(
            || "no limit".into(),
            |left| match left {
                0..HOURS_AHEAD => format!("ends {}", time_of(who, who.now + TimeDelta::seconds(left.into()))),
                _ => format!("ends {}", format::ahead(left.into())),
            },
        ),
        warning: ends.filter(|left| !is_ringing && *left <= ENDING_SECONDS).map(|left| {
            (
                format!("The balance ends in about {}.", format::duration_words(left.into())),
                "The call is ended then.".to_owned(),
            )
        }),
        end_href: urls::desk_call_end(call.id),
    }
}

fn caller_name(call: &Call, names: &HashMap<CustomerId, String>) -> String {
    call.customer_id.and_then(|id| names.get(&id).cloned()).unwrap_or_else(|| "Unknown caller".into())
}

#[derive(Deserialize)]
struct StateForm {
    state: String,
    #[serde(default)]
    reason: String,
}

/// `POST /agent/state`: ready or not ready; ready also sits down.
async fn set_state(desk: AgentDesk, form: web::Form<StateForm>) -> PageResult<SeeOther> {
    let state = match form.state.as_str() {
        "ready" => AgentState::Ready,
        "not_ready" => AgentState::NotReady,
        _ => return Err(PageError::Refused("The state is ready or not ready.".into())),
    };
    let reason = REASONS.iter().find(|(value, _)| *value == form.reason && !value.is_empty()).map(|(value, _)| *value);
    let tx = desk.tx().await?;
    let status = tenant::agent_states(&tx)
        .await?
        .into_iter()
        .find(|status| status.agent_id == desk.agent_id)
        .ok_or(PageError::NotFound)?;
    if status.state == AgentState::Talking {
        return Err(PageError::Conflict("Finish the call first, then change your state.".into()));
    }
    if let Some(sentence) = seller::sit_down(&desk.app, &tx, desk.agent_id, desk.now).await? {
        return Err(PageError::Conflict(sentence));
    }
    let reason = reason.filter(|_| state == AgentState::NotReady);
    tenant::set_agent_state(&tx, desk.agent_id, state, reason, desk.now).await?;
    tx.commit().await?;
    Ok(see_other(urls::DESK))
}

/// `POST /agent/heartbeat`, every 20 seconds from an open desk. A desk that comes back after its seat was closed, such as a
/// laptop that slept, sits down again: a new stay, not ready.
async fn heartbeat(desk: AgentDesk) -> PageResult<HttpResponse> {
    let tx = desk.tx().await?;
    if !tenant::heartbeat(&tx, desk.agent_id, desk.now).await? {
        seller::sit_down(&desk.app, &tx, desk.agent_id, desk.now).await?;
    }
    tx.commit().await?;
    Ok(HttpResponse::NoContent().finish())
}

#[derive(Deserialize)]
struct Place {
    #[serde(default)]
    before: String,
}

/// `GET /agent/calls`: the agent's own, of the last 92 days.
async fn calls(desk: AgentDesk, query: web::Query<Place>) -> PageResult<TopList> {
    let tx = desk.tx().await?;
    let after = super::book::words::from_cursor::<CallId>(&query.before);
    let filter = CallFilter {
        agent: Some(desk.agent_id),
        after,
        ..CallFilter::between(desk.now - TimeDelta::days(92), desk.now)
    };
    let found = call_control::calls(&tx, &filter).await?;
    let names = customer_names(&tx, found.calls.iter().filter_map(|call| call.customer_id)).await?;
    let counted = format::counted(i64::try_from(found.totals.calls).unwrap_or(i64::MAX), "call", "calls");
    Ok(TopList {
        shell: desk.shell("My calls", Section::Calls),
        heading: Heading::new("My calls")
            .facts(format!("{counted} in 92 days. Times are {}", format::zone_name(&desk.zone, desk.now))),
        cards: vec![TableCard {
            title: "Newest first".into(),
            all: None,
            table: calls_table(
                &desk,
                &found.calls,
                &names,
                Empty::new("phone", "No calls yet", "Each call shows here when it ends."),
            ),
        }],
        pager: Some(Pager {
            shown: format!("{} shown", found.calls.len()),
            first: after.map(|_| urls::DESK_CALLS.to_owned()),
            next: found
                .next
                .map(|(at, id)| urls::with_query(urls::DESK_CALLS, &[("before", &super::book::words::cursor(at, id))])),
        }),
    })
}

fn calls_table(desk: &AgentDesk, calls: &[Call], names: &HashMap<CustomerId, String>, empty: Empty) -> Table {
    let columns = vec![Column::text("Call"), Column::figures("Time").label("Time"), Column::text("Topic").full()];
    let mut table = Table::new("Your calls", columns, empty);
    for call in calls {
        table.row(vec![
            Cell::name(caller_name(call, names)).sub(format::stamp(call.started_at, &desk.zone).text),
            Cell::figure(format::talk_time(call.metered_seconds.into())),
            Cell::text(call.topic_name.clone().unwrap_or_default()),
        ]);
    }
    table
}

/// `POST /agent/calls/{call_id}/end`: only the agent's own call.
async fn end_call(desk: AgentDesk, path: web::Path<String>) -> PageResult<SeeOther> {
    let id: CallId = path.parse()?;
    let tx = desk.tx().await?;
    let call = call_control::call(&tx, id).await?.call;
    if call.agent_id != Some(desk.agent_id) {
        return Err(PageError::NotFound);
    }
    let back = see_other(urls::DESK);
    if call.state == CallState::Ended || desk.app.ask_edge(|edge| edge.end_call(id.uuid())) != Some(true) {
        return Ok(back.warning("That call has ended already."));
    }
    let payload = serde_json::json!({ "caller": call.caller, "called": call.called });
    tenant::record_audit(&tx, &desk.session.member_name, "call.end", &id.to_string(), payload, desk.now).await?;
    tx.commit().await?;
    Ok(back.notice("The call is being ended. It is charged until now."))
}
