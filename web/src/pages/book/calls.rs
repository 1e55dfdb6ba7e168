//! All calls of a tenant: the filter stands in the address, the totals are those of the filter.

use super::shell;
use super::words::{agent_names, call_state, civil_day, cursor, customer_names, from_cursor, midnight};
use crate::error::PageResult;
use crate::extract::Member;
use crate::pages::form::{Faults, Outcome, again};
use crate::shell::Section;
use crate::urls::{Audience, with_query};
use crate::views::book::{CallFilter as FilterForm, Calls};
use crate::views::fields::{Control, Field};
use crate::views::parts::{Heading, Pager, Stat, Stats};
use crate::views::table::{Cell, Column, Empty, Table};
use crate::{format, read};
use actix_web::web;
use call_control::{Call, CallFilter, CallPage, CallState, ChargedBy};
use chrono::{DateTime, Days, NaiveDate, Utc};
use db::{AgentId, CustomerId, SubscriptionId, TenantTx};
use jiff::tz::TimeZone;
use money::Currency;
use serde::Deserialize;
use std::collections::HashMap;
use subscription::{CustomerFilter, Topic};

/// Days shown when nothing is asked.
const DAYS_SHOWN: u64 = 30;
const OUTCOMES: [(&str, &str); 4] =
    [("settled", "Settled"), ("unanswered", "Not answered"), ("unpriced", "No price"), ("covered", "In a plan")];

/// The filter as it stands in the address.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    q: String,
    from: String,
    until: String,
    topic: String,
    outcome: String,
    after: String,
}

/// `GET /admin/calls`
pub async fn calls(member: Member, asked: web::Query<Asked>) -> PageResult<Outcome<Calls, Calls>> {
    let asked = asked.into_inner();
    let tx = member.tx().await?;
    let zone_name = &member.session.organisation.time_zone;
    let today = civil_day(member.now, zone_name)?;
    let mut faults = Faults::default();
    let mut day = |name, text: &str, usual| match text {
        "" => usual,
        text => faults.keep(name, read::day(text).map_err(|rule| format!("{rule} “{text}” is none."))).unwrap_or(usual),
    };
    let until_on: NaiveDate = day("until", &asked.until, today);
    let from_on: NaiveDate = day("from", &asked.from, until_on - Days::new(DAYS_SHOWN - 1));
    if until_on < from_on {
        faults.say("until", format!("Must not be before {from_on}."));
    }
    let topics = subscription::topics_ever(&tx).await?;
    let mut filter = CallFilter::between(midnight(from_on, zone_name)?, midnight(until_on + Days::new(1), zone_name)?);
    filter.topic = topics.iter().find(|topic| topic.name == asked.topic).map(|topic| topic.id);
    by_outcome(&mut filter, &asked.outcome);
    filter.after = from_cursor(&asked.after);
    let whose = whose(&tx, &asked.q, member.now).await?;
    let page = match whose.narrow(&mut filter) && faults.none() {
        true => call_control::calls(&tx, &filter).await?,
        // Nobody, or days that are none: a range without any instant finds nothing, and its totals are zero.
        false => call_control::calls(&tx, &CallFilter { to: filter.from, ..filter.clone() }).await?,
    };
    let customers = customer_names(&tx, page.calls.iter().filter_map(|call| call.customer_id)).await?;
    let agents = agent_names(&tx).await?;
    let zone = format::zone_name(&member.zone, member.now);
    let form = FilterForm {
        action: member.audience.calls(),
        query: asked.q.clone(),
        days: [("from", "From", from_on), ("until", "Until", until_on)].map(|(name, label, on)| {
            Field::text(name, label, on.to_string()).control(Control::Date).error(faults.at(name))
        }),
        topic: asked.topic.clone(),
        topics: names_of(&topics),
        outcome: asked.outcome.clone(),
        outcomes: OUTCOMES.to_vec(),
    };
    let facts = format!("{}Times are {zone}", whose.sentence());
    let view = Calls {
        shell: shell(&member, &tx, "Calls", Section::Calls).await?,
        heading: Heading::new("Calls").facts(facts),
        totals: totals(&page),
        table: table(&page.calls, &customers, &agents, member.session.organisation.currency, &member.zone),
        pager: pager(&asked, &form, &page),
        filter: form,
    };
    Ok(if faults.none() { Outcome::Left(view) } else { again(view) })
}

fn by_outcome(filter: &mut CallFilter, outcome: &str) {
    match outcome {
        "settled" => filter.is_metered = Some(true),
        "unanswered" => filter.is_metered = Some(false),
        "unpriced" => filter.charged_by = Some(ChargedBy::Nothing),
        "covered" => filter.charged_by = Some(ChargedBy::Component),
        _ => return,
    }
    filter.state = Some(CallState::Ended);
}

fn names_of(topics: &[Topic]) -> Vec<String> {
    let mut names: Vec<String> = topics.iter().map(|topic| topic.name.clone()).collect();
    names.sort();
    names.dedup();
    names
}

/// Whom the box for caller or number means.
enum Whose {
    Anybody,
    Customer { id: CustomerId, name: String, others: usize },
    Number(db::NumberId, String),
    Agent(AgentId),
    Component(SubscriptionId, String),
    Nobody(String),
}

impl Whose {
    /// False when there is nobody.
    fn narrow(&self, filter: &mut CallFilter) -> bool {
        match self {
            Whose::Anybody => {}
            Whose::Customer { id, .. } => filter.customer = Some(*id),
            Whose::Number(id, _) => filter.number = Some(*id),
            Whose::Agent(id) => filter.agent = Some(*id),
            Whose::Component(id, key) => filter.component = Some((*id, key.clone())),
            Whose::Nobody(_) => return false,
        }
        true
    }

    fn sentence(&self) -> String {
        match self {
            Whose::Anybody => String::new(),
            Whose::Customer { name, others: 0, .. } => format!("Calls of {name} · "),
            Whose::Customer { name, others, .. } => format!("Calls of {name}; {others} more begin like this · "),
            Whose::Number(_, number) => format!("Calls to {} · ", format::phone(number)),
            Whose::Agent(_) => "Calls of one agent · ".into(),
            Whose::Component(_, key) => format!("Calls that {key} covers · "),
            Whose::Nobody(asked) => format!("Nobody is found by “{asked}” · "),
        }
    }
}

async fn whose(tx: &TenantTx, asked: &str, now: DateTime<Utc>) -> PageResult<Whose> {
    let asked = asked.trim();
    if asked.is_empty() {
        return Ok(Whose::Anybody);
    }
    if let Ok(id) = asked.parse::<AgentId>() {
        return Ok(Whose::Agent(id));
    }
    if let Some((id, key)) = asked.split_once(':').and_then(|(id, key)| Some((id.parse().ok()?, key))) {
        return Ok(Whose::Component(id, key.to_owned()));
    }
    if let Ok(id) = asked.parse::<CustomerId>() {
        let found = subscription::customer(tx, id).await?;
        return Ok(found
            .map_or_else(|| Whose::Nobody(asked.into()), |found| Whose::Customer { id, name: found.name, others: 0 }));
    }
    let e164: String = asked.chars().filter(|c| !c.is_whitespace() && !matches!(c, '-' | '/' | '(' | ')')).collect();
    if e164.starts_with('+') {
        if let Some(number) = subscription::numbers(tx, now).await?.into_iter().find(|number| number.e164 == e164) {
            return Ok(Whose::Number(number.id, number.e164));
        }
        let found = subscription::customer_by_phone(tx, &e164).await?;
        return Ok(found.map_or_else(
            || Whose::Nobody(asked.into()),
            |found| Whose::Customer { id: found.id, name: found.name, others: 0 },
        ));
    }
    let filter = CustomerFilter { prefix: Some(asked.to_owned()), after: None, limit: 20 };
    let found = subscription::customers(tx, &filter).await?;
    let others = found.len().saturating_sub(1);
    let first = found.into_iter().next();
    Ok(first.map_or_else(
        || Whose::Nobody(asked.into()),
        |found| Whose::Customer { id: found.id, name: found.name, others },
    ))
}

fn totals(page: &CallPage) -> Stats {
    let totals = &page.totals;
    Stats(vec![
        Stat::new("Calls", format::count(i64::try_from(totals.calls).unwrap_or(i64::MAX))),
        Stat::new("Minutes billed", format::minutes(i64::try_from(totals.billed_seconds).unwrap_or(i64::MAX))),
        Stat::new("Charged by tariff", totals.charge.human()).note("tax included", Default::default()),
        Stat::new("Net", totals.net.human()).note("by tariff and plan", Default::default()),
    ])
}

const NO_CALL: &str = "Calls show here while they run and after. Widen the days, or clear the filter.";

/// Calls as rows, whoever called.
pub fn table(
    calls: &[Call],
    customers: &HashMap<CustomerId, String>,
    agents: &HashMap<AgentId, String>,
    currency: Currency,
    zone: &TimeZone,
) -> Table {
    let mut columns = vec![Column::text("Caller"), Column::text("Topic and number").hidden()];
    columns.extend(common_columns(currency));
    let mut table = Table::new("Calls", columns, Empty::new("phone", "No call fits", NO_CALL));
    for call in calls {
        let name =
            call.customer_id.and_then(|id| customers.get(&id).cloned()).unwrap_or_else(|| "Unknown caller".into());
        let number = call.caller.as_deref().map_or_else(|| "number withheld".to_owned(), format::phone);
        let mut cells = vec![
            Cell::name(name).to(Audience::Tenant.call(call.id)).sub(number).sub_class("tel"),
            Cell::text(call.topic_name.clone().unwrap_or_default()).sub(format::phone(&call.called)).sub_class("tel"),
        ];
        cells.extend(common_cells(call, agents, zone));
        table.row(cells);
    }
    table
}

/// Calls of one customer, whose name is above them.
pub fn table_of_one(calls: &[Call], agents: &HashMap<AgentId, String>, currency: Currency, zone: &TimeZone) -> Table {
    let mut columns = vec![Column::text("Topic and number")];
    columns.extend(common_columns(currency));
    let empty = Empty::new("phone", "No call yet", "Each call shows here with its price a few seconds after it ends.");
    let mut table = Table::new("Calls", columns, empty);
    for call in calls {
        let topic = call.topic_name.clone().unwrap_or_else(|| "No topic".into());
        let first =
            Cell::name(topic).to(Audience::Tenant.call(call.id)).sub(format::phone(&call.called)).sub_class("tel");
        table.row([first].into_iter().chain(common_cells(call, agents, zone)).collect());
    }
    table
}

fn common_columns(currency: Currency) -> [Column; 5] {
    [
        Column::text("Agent").hidden(),
        Column::text("Began").full(),
        Column::figures("Time").label("Time"),
        Column::figures(format!("Charge, {currency}")),
        Column::text("State"),
    ]
}

fn common_cells(call: &Call, agents: &HashMap<AgentId, String>, zone: &TimeZone) -> [Cell; 5] {
    let charge = match call.charge {
        Some(charge) => Cell::figure(charge.human_bare()),
        None if call.charged_by == Some(ChargedBy::Component) => Cell::figure("in the plan").class("quiet"),
        None => Cell::figure("0.00"),
    };
    [
        Cell::text(call.agent_id.and_then(|id| agents.get(&id).cloned()).unwrap_or_default()),
        Cell::text(format::short(call.started_at, zone).text).class("nowrap"),
        Cell::figure(format::talk_time(call.metered_seconds.into())),
        charge,
        Cell::none().with(call_state(call)),
    ]
}

fn pager(asked: &Asked, form: &FilterForm, page: &CallPage) -> Pager {
    let link = |after: &str| {
        let pairs = [
            ("q", asked.q.as_str()),
            ("from", &form.days[0].value),
            ("until", &form.days[1].value),
            ("topic", &asked.topic),
            ("outcome", &asked.outcome),
            ("after", after),
        ];
        with_query(&form.action, &pairs)
    };
    Pager {
        shown: format!("{}, newest first", format::counted(page.calls.len() as i64, "call", "calls")),
        first: (!asked.after.is_empty()).then(|| link("")),
        next: page.next.map(|(at, id)| link(&cursor(at, id))),
    }
}
