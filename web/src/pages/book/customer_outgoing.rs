//! What one customer may spend on calls out, what it has spent, and which closed destinations are open for it.

use super::carriers::{broken, call_table};
use super::outgoing::{limit_fields, read_limit};
use super::shell;
use crate::answer::{SeeOther, see_other};
use crate::error::{PageError, PageResult};
use crate::extract::Member;
use crate::format;
use crate::pages::form::{Faults, Given, Outcome, again};
use crate::shell::Section;
use crate::views::book::TableCard;
use crate::views::fields::Field;
use crate::views::form::Fields;
use crate::views::panels::{FormCard, Panel, Panels};
use crate::views::parts::{Heading, PagePath, Stat, Stats};
use crate::views::table::{Cell, Column, Empty, Table};
use crate::views::ui::{Badge, Tone};
use actix_web::{Either, web};
use call_control::{LimitOf, OutgoingFilter, SpendLimit};
use chrono::TimeDelta;
use db::{CustomerId, TenantTx};
use money::Money;
use subscription::Customer;
use tenant::Role;

/// Newest calls and alerts that the page shows.
const SHOWN: u32 = 20;

/// `GET /admin/customers/{customer_id}/outgoing`
pub async fn outgoing(member: Member, path: web::Path<String>) -> PageResult<Panels> {
    page(&member, path.parse()?, &Given::default(), &Faults::default()).await
}

async fn page(member: &Member, id: CustomerId, given: &Given, faults: &Faults) -> PageResult<Panels> {
    let tx = member.tx().await?;
    let customer = subscription::customer(&tx, id).await?.ok_or(PageError::NotFound)?;
    let own = call_control::spend_limit(&tx, LimitOf::One(id)).await?;
    let holds = call_control::spend_limit_of(&tx, id).await?;
    let title = match holds.is_open {
        true => format!("{} may call out", customer.name),
        false => format!("{} may not call out", customer.name),
    };
    let heading = Heading::new(title)
        .path(PagePath::under(customer.name.as_str(), member.audience.customer(id), "Calls out"))
        .facts(if own.is_some() { "By limits of its own" } else { "By the limits for everybody" });
    let filter = OutgoingFilter { customer: Some(id), limit: SHOWN, ..OutgoingFilter::default() };
    let calls = call_control::outgoing_calls(&tx, &filter).await?;
    let main = vec![
        Panel::Table(TableCard { title: "Calls out".into(), all: None, table: call_table(member, &tx, &calls).await? }),
        Panel::Table(TableCard { title: "What was stopped".into(), all: None, table: alerts(member, &tx, id).await? }),
        Panel::Table(TableCard {
            title: "Destinations that are closed for most".into(),
            all: None,
            table: destinations(&tx, id).await?,
        }),
    ];
    let side = match member.must(Role::Admin) {
        Ok(()) => forms(member, &tx, &customer, own.as_ref(), &holds, given, faults).await?,
        Err(_) => Vec::new(),
    };
    Ok(Panels {
        stats: stats(member, &tx, &customer, &holds).await?,
        shell: shell(member, &tx, &customer.name, Section::Customers).await?,
        heading,
        tabs: Vec::new(),
        note: None,
        main,
        side,
        pager: None,
    })
}

async fn stats(member: &Member, tx: &TenantTx, customer: &Customer, limit: &SpendLimit) -> PageResult<Stats> {
    let mut stats = Vec::new();
    for (label, hours, most) in [("In the last hour", 1, limit.hour_micros), ("In 24 hours", 24, limit.day_micros)] {
        let from = member.now - TimeDelta::hours(hours);
        let spent = call_control::spent_since(tx, customer.id, from, member.now).await?;
        let spent = Money::from_micros(spent, customer.currency);
        let note = match most {
            Some(most) => format!("of {}", Money::from_micros(most, customer.currency).human()),
            None => "no limit".to_owned(),
        };
        stats.push(Stat::new(label, spent.human()).note(note, Tone::Plain));
    }
    Ok(Stats(stats))
}

async fn alerts(member: &Member, tx: &TenantTx, id: CustomerId) -> PageResult<Table> {
    let columns = vec![Column::text("When"), Column::text("Why").full()];
    let empty = Empty::new("check", "Nothing", "No call of this customer was stopped.");
    let mut table = Table::new("What was stopped", columns, empty).dense();
    for alert in call_control::spend_alerts(tx, Some(id), SHOWN.into()).await? {
        table.row(vec![Cell::text(format::stamp(alert.at, &member.zone).text), Cell::text(alert.detail)]);
    }
    Ok(table)
}

async fn destinations(tx: &TenantTx, id: CustomerId) -> PageResult<Table> {
    let own = call_control::customer_destinations(tx, id).await?;
    let columns = vec![Column::text("Class"), Column::text("For this customer")];
    let mut table = Table::new("Destinations", columns, Empty::new("route", "No class", ""));
    for class in call_control::destination_classes(tx).await? {
        let state = match (own.get(&class.code), class.is_open) {
            (Some(true), _) => Badge::new("Opened for it", Tone::Good),
            (Some(false), _) => Badge::new("Closed for it", Tone::Wrong),
            (None, true) => Badge::new("Open for everybody", Tone::Good),
            (None, false) => Badge::new("Closed", Tone::Plain),
        };
        table.row(vec![Cell::name(class.name), Cell::none().with(state)]);
    }
    Ok(table)
}

async fn forms(
    member: &Member,
    tx: &TenantTx,
    customer: &Customer,
    own: Option<&SpendLimit>,
    holds: &SpendLimit,
    given: &Given,
    faults: &Faults,
) -> PageResult<Vec<Panel>> {
    let audience = member.audience;
    let fields = limit_fields(tx, Some(holds), given, faults, customer.currency).await?;
    let limits =
        FormCard::post("Limits of its own", audience.customer_outgoing(customer.id), fields, "Save its limits")
            .text(if own.is_some() { "Instead of those for everybody" } else { "Now those for everybody hold" })
            .kept("form", "limits");
    let mut panels = vec![Panel::Form(limits)];
    let classes = call_control::destination_classes(tx).await?;
    let options = classes.into_iter().map(|class| (class.code, class.name));
    let verdicts = [("open", "Open them"), ("close", "Close them"), ("usual", "As for everybody")];
    let fields = Fields::new()
        .whole(Field::choice("code", "Destinations", given.get("code"), options).error(faults.at("code")))
        .whole(
            Field::choice("verdict", "For this customer", given.get("verdict"), verdicts).error(faults.at("verdict")),
        );
    let action = audience.customer_destinations(customer.id);
    panels.push(Panel::Form(
        FormCard::post("Open or close destinations", action, fields, "Decide")
            .remark("It stands in the customer's timeline."),
    ));
    if own.is_some() {
        let form = FormCard::post(
            "No limits of its own",
            audience.customer_outgoing(customer.id),
            Fields::new(),
            "Take its limits away",
        )
        .text("Those for everybody hold again")
        .kept("form", "none");
        panels.push(Panel::Form(form));
    }
    Ok(panels)
}

/// `POST /admin/customers/{customer_id}/outgoing`
pub async fn set(
    member: Member,
    path: web::Path<String>,
    given: web::Form<Given>,
) -> PageResult<Outcome<SeeOther, Panels>> {
    member.must(Role::Admin)?;
    let id: CustomerId = path.parse()?;
    let tx = member.tx().await?;
    let customer = subscription::customer(&tx, id).await?.ok_or(PageError::NotFound)?;
    let mut faults = Faults::default();
    let limit = match given.get("form") {
        "none" => None,
        _ => match read_limit(&given, customer.currency, &mut faults) {
            Some(limit) if faults.none() => Some(limit),
            _ => return Ok(again(page(&member, id, &given, &faults).await?)),
        },
    };
    if let Err(error) = call_control::set_spend_limit(&tx, LimitOf::One(id), limit.as_ref(), member.now).await {
        broken(error, &mut faults)?;
        return Ok(again(page(&member, id, &given, &faults).await?));
    }
    let said = match &limit {
        Some(limit) if limit.is_open => "Calls out opened, with limits of its own",
        Some(_) => "Calls out closed",
        None => "Calls out by the limits for everybody",
    };
    subscription::add_customer_event(
        &tx,
        id,
        "spend_limit",
        &format!("{said}, by {}", member.actor()),
        member.now,
        member.now,
    )
    .await?;
    let payload = serde_json::json!({ "is_open": limit.is_some_and(|limit| limit.is_open) });
    tenant::record_audit(&tx, &member.actor(), "outgoing.customer", &id.to_string(), payload, member.now).await?;
    tx.commit().await?;
    Ok(Either::Left(see_other(member.audience.customer_outgoing(id)).notice(format!("{said}."))))
}

/// `POST /admin/customers/{customer_id}/destinations`
pub async fn set_destination(
    member: Member,
    path: web::Path<String>,
    given: web::Form<Given>,
) -> PageResult<Outcome<SeeOther, Panels>> {
    member.must(Role::Admin)?;
    let id: CustomerId = path.parse()?;
    let tx = member.tx().await?;
    subscription::customer(&tx, id).await?.ok_or(PageError::NotFound)?;
    let mut faults = Faults::default();
    let is_open = match given.get("verdict") {
        "open" => Some(Some(true)),
        "close" => Some(Some(false)),
        "usual" => Some(None),
        _ => {
            faults.say("verdict", "Must be one of the list.");
            None
        }
    };
    if let Some(is_open) = is_open {
        let (code, by) = (given.get("code"), member.actor());
        match call_control::set_customer_destination(&tx, id, code, is_open, &by, member.now).await {
            Ok(()) => {
                let payload = serde_json::json!({ "class": code, "is_open": is_open });
                tenant::record_audit(&tx, &by, "outgoing.destination", &id.to_string(), payload, member.now).await?;
                tx.commit().await?;
                return Ok(Either::Left(
                    see_other(member.audience.customer_outgoing(id)).notice("It holds from the next call on."),
                ));
            }
            Err(error) => broken(error, &mut faults)?,
        }
    }
    Ok(again(page(&member, id, &given, &faults).await?))
}
