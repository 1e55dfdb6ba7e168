//! The phone edge as its operator sees it: calls, phones, events that wait, and the sources that are not heard, with a way to
//! hear one again.

use super::shell;
use crate::answer::{SeeOther, see_other};
use crate::error::PageResult;
use crate::extract::Member;
use crate::format;
use crate::pages::form::Given;
use crate::shell::Section;
use crate::urls;
use crate::views::edges::{BanRow, Edges, PhoneRow};
use crate::views::parts::{Heading, Stat, Stats};
use crate::views::ui::Tone;
use actix_web::web;
use sip_media::{Ban, Edge, Offence, RegisteredPhone};
use std::net::IpAddr;
use std::time::Duration;
use tenant::Role;

/// What the edge of this process tells of itself.
#[derive(Default)]
struct Seen {
    calls: usize,
    phones: Vec<RegisteredPhone>,
    bans: Vec<Ban>,
    waits_seconds: Option<i64>,
}

/// `GET /ops/edges`
pub async fn edges(member: Member) -> PageResult<Edges> {
    let now = member.now;
    let seen = member.app.ask_edge(|edge: &Edge| Seen {
        calls: edge.live().len(),
        phones: edge.registrations(),
        bans: edge.bans(),
        waits_seconds: edge.waiting_since().map(|since| (now - since).num_seconds().max(0)),
    });
    let heading = Heading::new("Phone edge").facts(match &seen {
        Some(_) => format!("This process answers calls at {}", member.app.sip_address),
        None => "This process answers no calls".to_owned(),
    });
    let seen = seen.unwrap_or_default();
    let events = match seen.waits_seconds {
        Some(seconds) => Stat::new("Events waiting", format::duration_words(seconds)).note("the oldest", Tone::Soon),
        None => Stat::new("Events waiting", "None").note("all are in the books", Tone::Plain),
    };
    let tx = member.tx().await?;
    let shell = shell(&member, &tx, "Phone edge", Section::Edges).await?;
    Ok(Edges {
        heading,
        stats: Stats(vec![
            Stat::new("Calls now", seen.calls.to_string()),
            Stat::new("Phones registered", seen.phones.len().to_string()),
            Stat::new("Sources not heard", seen.bans.len().to_string()),
            events,
        ]),
        lift_href: urls::EDGE_BAN_LIFTING,
        csrf: shell.token(),
        may_lift: member.must(Role::Admin).is_ok(),
        bans: seen.bans.iter().map(ban_row).collect(),
        phones: seen.phones.iter().map(phone_row).collect(),
        shell,
    })
}

fn words(left: Duration) -> String {
    format::duration_words(i64::try_from(left.as_secs()).unwrap_or(i64::MAX))
}

fn ban_row(ban: &Ban) -> BanRow {
    let why = match ban.offence {
        Offence::Guess => "Guessed passwords",
        Offence::Scan => "Tried numbers and methods that are not here",
        Offence::Flood => "Sent more requests than one source may",
    };
    // Of version 6 a whole network stands for one source.
    let source = if ban.source.is_ipv6() { format!("{}/64", ban.source) } else { ban.source.to_string() };
    let dropped = format::count(i64::try_from(ban.dropped).unwrap_or(i64::MAX));
    BanRow { source, why: why.into(), expires_in: words(ban.expires_in), dropped }
}

fn phone_row(phone: &RegisteredPhone) -> PhoneRow {
    PhoneRow { username: phone.username.clone(), address: phone.address.clone(), expires_in: words(phone.expires_in) }
}

/// `POST /ops/edges/bans/lifting`
pub async fn lift(member: Member, given: web::Form<Given>) -> PageResult<SeeOther> {
    member.must(Role::Admin)?;
    let back = see_other(urls::EDGES);
    let source = given.get("source");
    let Ok(address) = source.trim_end_matches("/64").parse::<IpAddr>() else {
        return Ok(back.warning(format!("Source must be an address of the list, and {source:?} is none.")));
    };
    if member.app.ask_edge(|edge| edge.lift_ban(address)) != Some(true) {
        return Ok(back.warning(format!("{source} was heard already.")));
    }
    let tx = member.tx().await?;
    let payload = serde_json::json!({ "source": source });
    tenant::record_audit(&tx, &member.actor(), "edge.ban_lifted", source, payload, member.now).await?;
    tx.commit().await?;
    Ok(back.notice(format!("{source} is heard again.")))
}
