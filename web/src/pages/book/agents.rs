//! Agents of a call centre: who is ready, who talks, and what each did today.

use super::shell;
use super::words::{civil_day, midnight, spoken};
use crate::error::PageResult;
use crate::extract::Member;
use crate::format;
use crate::shell::Section;
use crate::urls::{Audience, with_query};
use crate::views::book::{List, TableCard};
use crate::views::parts::{Heading, Stat, Stats};
use crate::views::table::{Cell, Column, Empty, Table};
use crate::views::ui::{Badge, Tone};
use call_control::{Call, CallFilter};
use chrono::{DateTime, TimeDelta, Utc};
use jiff::tz::TimeZone;
use tenant::{Agent, AgentState, AgentStatus, Role, SeatUsage};

/// Calls of today that are read for the sums of agents.
const CALLS_READ: u64 = 1000;

/// `GET /admin/agents`
pub async fn agents(member: Member) -> PageResult<List> {
    let tx = member.tx().await?;
    let zone_name = &member.session.organisation.time_zone;
    let today = midnight(civil_day(member.now, zone_name)?, zone_name)?;
    let end = member.now + TimeDelta::seconds(1);
    let agents = tenant::agents(&tx).await?;
    let statuses = tenant::agent_states(&tx).await?;
    let seats = tenant::seats_used(&tx, today, end, zone_name).await?;
    let filter = CallFilter { limit: CALLS_READ, is_metered: Some(true), ..CallFilter::between(today, end) };
    let calls = call_control::calls(&tx, &filter).await?.calls;
    let zone = format::zone_name(&member.zone, member.now);
    let heading = Heading::new("Agents").facts(format!("Times are {zone}"));
    Ok(List {
        shell: shell(&member, &tx, "Agents", Section::Agents).await?,
        heading: if member.must(Role::Admin).is_ok() {
            heading.action("New agent", member.audience.agent_new())
        } else {
            heading
        },
        stats: stats(&statuses, &seats),
        search: None,
        tabs: Vec::new(),
        cards: vec![TableCard {
            title: String::new(),
            all: None,
            table: table(&agents, &statuses, &calls, &member.zone, member.now),
        }],
        pager: None,
    })
}

fn stats(statuses: &[AgentStatus], seats: &SeatUsage) -> Stats {
    let seated = |state: AgentState| {
        statuses.iter().filter(|status| status.seat_opened_at.is_some() && status.state == state).count()
    };
    Stats(vec![
        Stat::new("Ready", seated(AgentState::Ready).to_string()).small(format!("of {}", statuses.len())).live(),
        Stat::new("In a call", seated(AgentState::Talking).to_string()),
        Stat::new("Seats used today", seats.active.to_string()).note("agents on a seat at least once", Tone::Plain),
        Stat::new("Most at once", seats.peak.to_string()).note("today", Tone::Plain),
    ])
}

fn table(agents: &[Agent], statuses: &[AgentStatus], calls: &[Call], zone: &TimeZone, now: DateTime<Utc>) -> Table {
    let columns = vec![
        Column::text("Agent"),
        Column::text("State"),
        Column::text("Since").hidden(),
        Column::figures("Calls today").label("Calls"),
        Column::figures("Talk time today").label("Talk time"),
    ];
    let empty = Empty::new("headset", "No agents yet", "Who takes calls shows here with a phone of its own.");
    let mut table = Table::new("Agents", columns, empty);
    for agent in agents {
        let status = statuses.iter().find(|status| status.agent_id == agent.id);
        let own = || calls.iter().filter(|call| call.agent_id == Some(agent.id));
        let seconds: i64 = own().map(|call| i64::from(call.metered_seconds)).sum();
        let since = status.filter(|status| status.seat_opened_at.is_some()).map(|status| status.since);
        let since =
            since.map(|at| format!("{}, {}", format::short(at, zone).text, format::timer((now - at).num_seconds())));
        table.row(vec![
            Cell::name(&agent.name)
                .to(with_query(&Audience::Tenant.calls(), &[("q", &agent.id.to_string())]))
                .sub(&agent.sip_username)
                .sub_class("id"),
            Cell::none().with(state(status)),
            Cell::text(since.unwrap_or_default()),
            Cell::figure(own().count().to_string()),
            Cell::figure(format::talk_time(seconds)),
        ]);
    }
    table
}

fn state(status: Option<&AgentStatus>) -> Badge {
    let Some(status) = status.filter(|status| status.seat_opened_at.is_some()) else {
        return Badge::new("Away", Tone::Plain);
    };
    match (status.state, status.reason.as_deref()) {
        (AgentState::Ready, _) => Badge::new("Ready", Tone::Good),
        (AgentState::Talking, _) => Badge::new("In a call", Tone::On),
        (AgentState::WrapUp, _) => Badge::new("Finishing", Tone::Soon),
        (AgentState::NotReady, Some(reason)) if !reason.is_empty() => {
            Badge::new(format!("Not ready: {}", spoken(reason).to_lowercase()), Tone::Soon)
        }
        (AgentState::NotReady, _) => Badge::new("Not ready", Tone::Soon),
    }
}
