//! One call: what it came to, why, what each level got of it, and what happened when.

use super::shell;
use super::why::{self, Links, Ran};
use super::words::{agent_names, call_state, customer_names, spoken};
use crate::error::PageResult;
use crate::extract::Member;
use crate::format;
use crate::shell::Section;
use crate::urls::Audience;
use crate::views::book::{Call as CallView, Share};
use crate::views::parts::{Fact, Facts, Happening, Heading, PagePath, Timeline, Why};
use crate::views::table::{Cell, Column, Empty, Table};
use crate::views::ui::Tone;
use actix_web::web;
use call_control::{Call, CallDetail, CallEventLine, ChargedBy, PricedBy};
use chrono::{DateTime, Utc};
use db::{CallId, TenantTx};
use jiff::tz::TimeZone;
use money::Money;
use tenant::Role;

/// `GET /admin/calls/{call_id}`
pub async fn call(member: Member, path: web::Path<String>) -> PageResult<CallView> {
    let id: CallId = path.parse()?;
    let tx = member.tx().await?;
    let detail = call_control::call(&tx, id).await?;
    let call = &detail.call;
    let customer = customer_names(&tx, call.customer_id).await?.into_values().next();
    let agent = match call.agent_id {
        Some(id) => agent_names(&tx).await?.remove(&id),
        None => None,
    };
    let wallet = match call.customer_id {
        Some(id) => ledger::wallet_of(&tx, id).await?,
        None => None,
    };
    let shell = shell(&member, &tx, "Call", Section::Calls).await?;
    let title = answer(call, detail.explanation.as_ref().map(|explanation| &explanation.priced_by));
    let number = call.caller.as_deref().map_or_else(|| "number withheld".to_owned(), format::phone);
    let mut heading = Heading::new(title)
        .path(PagePath::under("Calls", member.audience.calls(), id.to_string()).id())
        .facts(format!("{}, {number}", customer.as_deref().unwrap_or("Unknown caller")))
        .at(format::full(call.started_at, &member.zone));
    heading.badge = Some(call_state(call));
    let is_reversed = detail.corrections.iter().any(|correction| correction.is_reversal);
    if call.charge.is_some() && call.charged_by == Some(ChargedBy::Tariff) && !is_reversed && may_bill(&member) {
        heading = heading.action("Take back", member.audience.call_reversal(id));
    }
    let links = Links { plans: Some(member.audience.plans()) };
    let ran = Ran { from: call.meter_started_at, until: call.ended_at };
    let why =
        detail.explanation.as_ref().map(|explanation| why::why(explanation, call.charge, &ran, &links, &member.zone));
    let (why_note, why_tone) = recomputed(&detail);
    let (shares, shares_text) = shares(&detail)?;
    Ok(CallView {
        shell,
        heading,
        facts: facts(&detail, customer, agent, wallet.map(|wallet| wallet.balance)),
        why_note,
        why_tone,
        why: why.unwrap_or_else(|| Why(Vec::new())),
        legs: legs(&detail)?,
        routes: ways_out(&member, &tx, call).await?,
        shares,
        shares_text,
        timeline: Timeline { wide: false, steps: timeline(&detail, &member.zone) },
        receipt_href: None,
    })
}

fn may_bill(member: &Member) -> bool {
    member.must(Role::Billing).is_ok()
}

async fn ways_out(member: &Member, tx: &TenantTx, call: &Call) -> PageResult<Option<Table>> {
    let Some((out, attempts)) = call_control::outgoing_of(tx, call.id).await? else { return Ok(None) };
    let names = super::route_trial::carrier_names(tx).await?;
    Ok(Some(super::route_words::routes(&out.decision, &names, &attempts, &member.zone)))
}

/// The heading says what the call came to, exactly, and how long was talked.
pub fn answer(call: &Call, priced_by: Option<&PricedBy>) -> String {
    let by = if call.is_outgoing { "to" } else { "on" };
    let topic = call.topic_name.as_deref().map_or_else(String::new, |topic| format!(" {by} {topic}"));
    let talked = format::duration_words(call.metered_seconds.into());
    if call.ended_at.is_none() {
        return format!("A call{topic} that still runs");
    }
    if call.meter_started_at.is_none() {
        return format!(
            "No charge: {}",
            call.end_cause.as_deref().map_or_else(|| "not answered".into(), |cause| spoken(cause).to_lowercase())
        );
    }
    match (call.charge, call.charged_by, priced_by) {
        (_, Some(ChargedBy::Nothing), _) => format!("{talked}{topic} without a price"),
        (Some(charge), _, _) => format!("{} for {talked}{topic}", charge.human_rate()),
        (None, _, Some(PricedBy::Component { plan, .. })) => format!("{talked}{topic}, in {plan}"),
        (None, _, _) => format!("{talked}{topic}"),
    }
}

fn recomputed(detail: &CallDetail) -> (String, Tone) {
    match (detail.call.charge, detail.recount) {
        (Some(charge), Some(recount)) if charge == recount => {
            ("Recomputed from the stored facts just now: same result".into(), Tone::Plain)
        }
        (Some(charge), Some(recount)) => {
            (format!("Recomputed just now: {recount}, stored {charge}. This must never be; tell support."), Tone::Wrong)
        }
        (None, _) if detail.call.charged_by == Some(ChargedBy::Component) => {
            ("Its plan charges the whole period at once, at its end".into(), Tone::Plain)
        }
        _ => (String::new(), Tone::Plain),
    }
}

fn facts(detail: &CallDetail, customer: Option<String>, agent: Option<String>, balance: Option<Money>) -> Facts {
    let call = &detail.call;
    let word = if call.is_outgoing { "Called" } else { "Number" };
    let mut facts = vec![Fact::new(word, format::phone(&call.called))];
    if let (Some(id), Some(name)) = (call.customer_id, customer) {
        facts.push(Fact::new("Customer", name).to(Audience::Tenant.customer(id)));
    }
    match (agent, call.handled_by.as_deref()) {
        (Some(agent), handled_by) => facts.push(Fact::new("Agent", agent).quiet(handled_by.unwrap_or_default())),
        (None, Some(handled_by)) => facts.push(Fact::new("Served by", spoken(handled_by))),
        (None, None) => {}
    }
    facts.push(Fact::new("Talk time", format::duration_words(call.metered_seconds.into())));
    if let Some(billed) = call.billed_seconds {
        facts.push(Fact::new("Billed time", format::duration_words(billed.into())));
    }
    if let Some(net) = call.net {
        facts.push(Fact::new("Net revenue", net.human()));
        if let Some(margin) = detail.margin {
            // What the seller counts by the month is not in it yet, and a share of 100% would say that it is nothing.
            let share = match detail.costs.iter().any(|cost| cost.amount.is_none()) {
                true => "before the period's end".to_owned(),
                false => format::percent(margin.micros(), net.micros()).unwrap_or_default(),
            };
            facts.push(Fact::new("Your margin", margin.human()).quiet(share));
        }
    }
    if let Some(balance) = balance {
        facts.push(Fact::new("Wallet now", balance.human_balance()));
    }
    if let Some(cause) = &call.end_cause {
        facts.push(Fact::new("Ended by", spoken(cause)));
    }
    Facts(facts)
}

fn legs(detail: &CallDetail) -> PageResult<Table> {
    let call = &detail.call;
    let code = call.net.or(call.charge).map_or_else(|| "net".to_owned(), |amount| amount.currency().code().to_owned());
    let columns = vec![
        Column::text("Leg"),
        Column::figures("Quantity").label("Time"),
        Column::figures(format!("Sold, {code}")).label("Sold"),
        Column::figures(format!("Bought, {code}")).label("Bought"),
    ];
    let mut table = Table::new(
        "Legs of the call",
        columns,
        Empty::new("route", "No legs yet", "They are written when the call ends."),
    );
    let later = || Cell::text("at the period's end").class("quiet");
    // What a carrier asks stands with the costs.
    for leg in detail.legs.iter().filter(|leg| !leg.kind.starts_with("carrier")) {
        let sold = if leg.kind == "caller" { call.net.or(leg.amount) } else { leg.amount };
        table.row(vec![
            Cell::text(match leg.kind.as_str() {
                "caller" if call.is_outgoing => "Your customer to the world".to_owned(),
                "caller" => "Caller to your number".to_owned(),
                kind => spoken(kind),
            })
            .sub(&leg.detail),
            Cell::figure(format::duration_words(leg.quantity_seconds.into())),
            sold.map_or_else(later, |sold| Cell::figure(sold.human_bare())),
            Cell::none(),
        ]);
    }
    for correction in &detail.corrections {
        let name = if correction.is_reversal { "Your customer, taken back" } else { "Your customer, corrected" };
        table.row(vec![
            Cell::text(name).sub(&correction.reason),
            Cell::none(),
            correction.net.map_or_else(later, |net| Cell::figure(net.human_bare())),
            Cell::none(),
        ]);
    }
    for cost in &detail.costs {
        let name = match cost.kind.as_str() {
            "seller" => "Your seller",
            "seller_correction" => "Your seller, corrected",
            "seller_reversal" => "Your seller, taken back",
            "carrier_correction" => "Carrier, corrected",
            _ => "Carrier",
        };
        let share = cost
            .share_percent
            .map_or_else(String::new, |share| format!("{}% of the net price. ", format::quantity(share)));
        table.row(vec![
            Cell::text(name).sub(format!("{share}{}", cost.detail)),
            Cell::none(),
            Cell::none(),
            cost.amount.map_or_else(later, |amount| Cell::figure(amount.human_bare())),
        ]);
    }
    if let (Some(net), Some(margin)) = (detail.net, detail.margin) {
        let bought = net.checked_sub(margin)?;
        table.total(vec![
            Cell::text(format!("Margin {}", margin.human())),
            Cell::none(),
            Cell::figure(net.human_bare()),
            Cell::figure(bought.human_bare()),
        ]);
    }
    Ok(table)
}

/// The bar: margin and what each cost takes of the net, in thousandths. Only where nothing is below zero.
fn shares(detail: &CallDetail) -> PageResult<(Vec<Share>, String)> {
    let none = || (Vec::new(), String::new());
    let (Some(net), Some(margin)) = (detail.net.filter(Money::is_positive), detail.margin) else {
        return Ok(none());
    };
    let costs = detail.costs.iter().filter_map(|cost| {
        let name = if cost.kind.starts_with("seller") { "Seller's share" } else { "Carrier" };
        cost.amount.filter(|amount| amount.is_positive()).map(|amount| (name, amount))
    });
    let parts: Vec<(&str, Money)> =
        [("Margin", margin)].into_iter().filter(|(_, margin)| margin.is_positive()).chain(costs).take(4).collect();
    if margin.is_negative() || parts.len() < 2 {
        return Ok(none());
    }
    let mut start = 0;
    let mut shares = Vec::new();
    for (series, (name, amount)) in (1u8..).zip(&parts) {
        let width = amount.micros().saturating_mul(1000) / net.micros();
        let width = u32::try_from(width).unwrap_or(0).min(1000 - start);
        shares.push(Share {
            name: (*name).to_owned(),
            amount: amount.human_bare(),
            series,
            start,
            width: width.saturating_sub(4).max(1),
        });
        start += width;
    }
    let parts: Vec<String> =
        parts.iter().map(|(name, amount)| format!("{} {}", name.to_lowercase(), amount.human_bare())).collect();
    Ok((shares, format!("Of {} net: {}", net.human_bare(), parts.join(", "))))
}

fn timeline(detail: &CallDetail, zone: &TimeZone) -> Vec<Happening> {
    let call = &detail.call;
    let mut steps: Vec<Happening> = detail
        .events
        .iter()
        .filter(|event| event.kind != "heartbeat")
        .map(|event| happening(event, call.is_outgoing, zone))
        .collect();
    // A call that came whole has no event of an edge, and one that was imported only the event of its record.
    if detail.events.iter().all(|event| event.kind == "call_recorded") {
        steps = known(call, zone).into_iter().chain(steps).collect();
    }
    // What comes on a later day says its day.
    let day = |at: DateTime<Utc>| format::zoned(at, zone).date();
    let stamp = |at: DateTime<Utc>| {
        if day(at) == day(call.started_at) { format::second(at, zone) } else { format::short(at, zone) }
    };
    if let Some(at) = call.settled_at {
        let step = Happening::new(stamp(at), "Settled", Tone::Good);
        steps.push(step.amount(call.charge.map(|charge| charge.human()).unwrap_or_default()));
    }
    for correction in &detail.corrections {
        let step = Happening::new(stamp(correction.at), "Corrected", Tone::Soon).note(&correction.reason);
        steps.push(step.amount(correction.amount.human_signed()));
    }
    steps
}

/// The story of a call that came whole, without the events of an edge.
fn known(call: &Call, zone: &TimeZone) -> Vec<Happening> {
    let ended = call.end_cause.as_deref().map(spoken).unwrap_or_default();
    [
        (
            Some(call.started_at),
            if call.is_outgoing { "Call out" } else { "Call in" },
            format!("to {}", format::phone(&call.called)),
        ),
        (call.answered_at, "Answered", String::new()),
        (call.meter_started_at, "The meter starts", String::new()),
        (call.ended_at, "Call ends", ended),
    ]
    .into_iter()
    .filter_map(|(at, title, note)| Some(Happening::new(format::second(at?, zone), title, Tone::Plain).note(note)))
    .collect()
}

/// The second carrier is one that got the call because the first had failed.
fn ordinal(attempt: &str) -> String {
    if attempt == "1" { String::new() } else { format!("number {attempt}: the one before has failed") }
}

fn happening(event: &CallEventLine, is_outgoing: bool, zone: &TimeZone) -> Happening {
    let said = |key: &str| match event.detail.get(key) {
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(serde_json::Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    };
    let (title, note, tone) = match event.kind.as_str() {
        "call_started" => ("Call in", format!("to {}", format::phone(&said("called"))), Tone::Plain),
        "dial_started" => {
            ("Call out", format!("{} dials {}", said("username"), format::phone(&said("called"))), Tone::Plain)
        }
        "carrier_ringing" => ("A carrier is rung", ordinal(&said("attempt")), Tone::Plain),
        "caller_identified" if said("by_pin") == "true" => {
            ("Caller known", "by account number and PIN".into(), Tone::Plain)
        }
        "caller_identified" => ("Caller known", "by number".into(), Tone::Plain),
        "call_answered" if is_outgoing => {
            ("The agent's phone is put through", format!("codec {}", said("codec")), Tone::On)
        }
        "call_answered" => ("Answered, the menu plays", format!("codec {}", said("codec")), Tone::Plain),
        "topic_selected" => ("Topic chosen", format!("digit {}", said("digit")), Tone::Plain),
        "agent_ringing" => ("An agent is rung", said("username"), Tone::Plain),
        "agent_joined" => ("An agent answers", said("username"), Tone::On),
        "agent_left" => ("The agent leaves", said("username"), Tone::Plain),
        "meter_started" => ("The meter starts", String::new(), Tone::On),
        "hold_on" => ("On hold", String::new(), Tone::Plain),
        "hold_off" => ("Back from hold", String::new(), Tone::Plain),
        "grant_renewed" => {
            ("More time granted", seconds_note(&said("authorised_seconds"), said("is_final") == "true"), Tone::Plain)
        }
        "low_balance_announced" => {
            ("Warned: the balance runs low", format!("{} s left", said("seconds_left")), Tone::Soon)
        }
        "call_recorded" => {
            ("Record taken", format!("from {}, its id {}; {}", said("source"), said("id"), said("cause")), Tone::Plain)
        }
        "call_ended" => ("Call ends", spoken(&said("cause")).replace('"', ""), Tone::Plain),
        other => return Happening::new(format::second(event.at, zone), spoken(other), Tone::Plain),
    };
    Happening::new(format::second(event.at, zone), title, tone).note(note)
}

fn seconds_note(authorised: &str, is_final: bool) -> String {
    match authorised.parse::<i64>() {
        Ok(seconds) if is_final => format!("{} in all, the last of the balance", format::duration_words(seconds)),
        Ok(seconds) => format!("{} in all", format::duration_words(seconds)),
        Err(_) => "without limit".into(),
    }
}
