//! A customer's own calls, each with the reason of its price.

use super::customer_of;
use crate::error::{PageError, PageResult};
use crate::extract::PortalCustomer;
use crate::pages::book::call::answer;
use crate::pages::book::why::{self, Links, Ran};
use crate::pages::book::words::{cursor, from_cursor};
use crate::shell::Section;
use crate::views::book::TableCard;
use crate::views::desk::TopList;
use crate::views::parts::{Fact, Facts, Heading, PagePath, Pager, Why};
use crate::views::portal::PortalCall;
use crate::views::table::{Cell, Column, Empty, Table};
use crate::{format, urls};
use actix_web::web;
use call_control::{Call, CallFilter};
use chrono::TimeDelta;
use db::CallId;
use jiff::tz::TimeZone;
use serde::Deserialize;

/// How far back the list goes.
const DAYS: i64 = 400;

#[derive(Deserialize)]
pub struct Place {
    #[serde(default)]
    before: String,
}

/// `GET /portal/calls`
pub async fn calls(who: PortalCustomer, query: web::Query<Place>) -> PageResult<TopList> {
    let tx = who.tx().await?;
    let (customer, zone) = customer_of(&who, &tx).await?;
    let after = from_cursor::<CallId>(&query.before);
    let span = CallFilter::between(who.now - TimeDelta::days(DAYS), who.now + TimeDelta::seconds(1));
    let found = call_control::calls(&tx, &CallFilter { customer: Some(customer.id), after, ..span }).await?;
    let counted = format::counted(i64::try_from(found.totals.calls).unwrap_or(i64::MAX), "call", "calls");
    let minutes = format::minutes(i64::try_from(found.totals.metered_seconds).unwrap_or(i64::MAX));
    Ok(TopList {
        shell: who.shell("Calls", Section::Calls),
        heading: Heading::new(format!("{counted}, {minutes} minutes"))
            .facts(format!("Times are {}", format::zone_name(&zone, who.now))),
        cards: vec![TableCard {
            title: "Newest first".into(),
            all: None,
            table: table(&found.calls, customer.currency.code(), &zone),
        }],
        pager: Some(Pager {
            shown: format!("{} shown", found.calls.len()),
            first: after.map(|_| urls::PORTAL_CALLS.to_owned()),
            next: found.next.map(|(at, id)| urls::with_query(urls::PORTAL_CALLS, &[("before", &cursor(at, id))])),
        }),
    })
}

/// Calls as their customer sees them.
pub fn table(calls: &[Call], currency: &str, zone: &TimeZone) -> Table {
    let columns = vec![
        Column::text("Call"),
        Column::figures("Time").label("Time"),
        Column::figures(format!("Charge, {currency}")).label("Charge"),
    ];
    let mut table = Table::new(
        "Calls",
        columns,
        Empty::new("phone", "No calls yet", "Each call shows here with its price a few seconds after it ends."),
    );
    for call in calls {
        table.row(vec![
            Cell::name(call.topic_name.clone().unwrap_or_else(|| "Call".into()))
                .to(urls::portal_call(call.id))
                .sub(format::stamp(call.started_at, zone).text),
            Cell::figure(format::talk_time(call.metered_seconds.into())),
            match call.charge {
                Some(charge) => Cell::figure(format::exact(charge)),
                None if call.meter_started_at.is_none() => Cell::figure("0.00"),
                None => Cell::text("in your plan"),
            },
        ]);
    }
    table
}

/// `GET /portal/calls/{call_id}`
pub async fn call(who: PortalCustomer, path: web::Path<String>) -> PageResult<PortalCall> {
    let id: CallId = path.parse()?;
    let tx = who.tx().await?;
    let (customer, zone) = customer_of(&who, &tx).await?;
    let detail = call_control::call(&tx, id).await?;
    let call = &detail.call;
    // The wall hides other customers' calls already; this is the second lock.
    if call.customer_id != Some(customer.id) {
        return Err(PageError::NotFound);
    }
    let ran = Ran { from: call.meter_started_at, until: call.ended_at };
    let why = detail
        .explanation
        .as_ref()
        .map(|explanation| why::why(explanation, call.charge, &ran, &Links { plans: None }, &zone));
    let mut facts = vec![
        Fact::new("Number", format::phone(&call.called)),
        Fact::new("Started", format::stamp(call.started_at, &zone).text),
        Fact::new("Talk time", format::duration_words(call.metered_seconds.into())),
    ];
    if let Some(billed) = call.billed_seconds {
        facts.push(Fact::new("Billed time", format::duration_words(billed.into())));
    }
    let priced_by = detail.explanation.as_ref().map(|explanation| &explanation.priced_by);
    Ok(PortalCall {
        shell: who.shell("Call", Section::Calls),
        heading: Heading::new(answer(call, priced_by)).path(PagePath::under(
            "Calls",
            urls::PORTAL_CALLS,
            format::stamp(call.started_at, &zone).text,
        )),
        facts: Facts(facts),
        why: why.unwrap_or_else(|| Why(Vec::new())),
    })
}
