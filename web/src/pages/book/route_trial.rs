//! "Try a number": whom a call would go to, for how much, and why; nothing is called.

use super::decks::tabs;
use super::route_words::{rate, refusal_word, routes};
use super::{shell, words};
use crate::error::PageResult;
use crate::extract::Member;
use crate::format;
use crate::pages::form::{Faults, Given};
use crate::shell::Section;
use crate::views::book::TableCard;
use crate::views::fields::Field;
use crate::views::form::Fields;
use crate::views::panels::{FormCard, Panel, Panels};
use crate::views::parts::{Fact, Facts, Heading, Note, Stats};
use actix_web::web;
use call_control::{Decision, RouteTrial};
use db::{CarrierId, CustomerId, TenantTx};
use std::collections::HashMap;
use subscription::CustomerFilter;

/// Customers that the form offers.
const OFFERED: u64 = 200;

/// Names of this book's carriers.
pub(super) async fn carrier_names(tx: &TenantTx) -> PageResult<HashMap<CarrierId, String>> {
    Ok(call_control::carriers(tx).await?.into_iter().map(|carrier| (carrier.id, carrier.of.name)).collect())
}

/// `GET /ops/routes?customer=&number=`
pub async fn trial(member: Member, given: web::Query<Given>) -> PageResult<Panels> {
    let tx = member.tx().await?;
    let filter = CustomerFilter { limit: OFFERED, ..CustomerFilter::default() };
    let customers = subscription::customers(&tx, &filter).await?;
    let mut faults = Faults::default();
    let mut main = Vec::new();
    let mut heading =
        Heading::new("Try a number").facts("Whom a call would go to now, for how much, and why. Nothing is called.");
    let mut note = None;
    if !given.get("number").is_empty() || given.has("customer") {
        let customer: Option<CustomerId> = faults.keep("customer", crate::pages::form::id(given.get("customer")));
        let known = customer.filter(|id| customers.iter().any(|customer| customer.id == *id));
        if let (Some(_), None) = (customer, known) {
            faults.say("customer", "Must be one of the list.");
        }
        if let Some(customer) = known {
            match call_control::try_route(
                &member.app.db,
                member.session.tenant_id,
                customer,
                given.get("number"),
                member.now,
            )
            .await
            {
                Ok(trial) => {
                    heading.title = answer(&trial, given.get("number"));
                    note = trial.decision.refusal.map(|refusal| {
                        Note::wrong(format!("{}.", refusal_word(refusal)), format::with_phones(&trial.decision.detail))
                    });
                    main = panels(&member, &tx, &trial.decision, customer).await?;
                }
                Err(error) => super::carriers::broken(error, &mut faults)?,
            }
        }
    }
    let fields = Fields::new()
        .whole(
            Field::choice(
                "customer",
                "For",
                given.get("customer"),
                customers.iter().map(|customer| (customer.id.to_string(), customer.name.clone())),
            )
            .error(faults.at("customer")),
        )
        .whole(
            Field::text("number", "Number", given.get("number"))
                .placeholder("+49 151 2345678")
                .required()
                .error(faults.at("called")),
        );
    let form = Panel::Form(FormCard::get("Which call?", member.audience.routes(), fields, "Try it"));
    let (main, side) = if main.is_empty() { (vec![form], Vec::new()) } else { (main, vec![form]) };
    Ok(Panels {
        shell: shell(&member, &tx, "Try a number", Section::Numbers).await?,
        heading,
        tabs: tabs(member.audience, "Try a number"),
        note,
        stats: Stats::default(),
        main,
        side,
        pager: None,
    })
}

fn answer(trial: &RouteTrial, number: &str) -> String {
    match (trial.decision.refusal, trial.order.first()) {
        (None, Some(first)) if first == "seller" => format!("{number} would go out by your seller"),
        (None, Some(first)) => format!("{number} would go out by {first}"),
        _ => format!("{number} would not go out"),
    }
}

async fn panels(member: &Member, tx: &TenantTx, decision: &Decision, customer: CustomerId) -> PageResult<Vec<Panel>> {
    let name = words::customer_names(tx, [customer]).await?.remove(&customer).unwrap_or_default();
    let mut facts = vec![Fact::new("For", name).to(member.audience.customer_outgoing(customer))];
    if let Some(class) = &decision.class {
        facts.push(Fact::new("Class", words::spoken(class)));
    }
    if let Some(sold) = &decision.sold {
        facts.push(Fact::new("Prefix", &sold.prefix).quiet(&sold.destination));
        facts.push(
            Fact::new("Sold for", format!("{} a minute", rate(sold.rate)))
                .quiet(format!("{} without tax", rate(sold.net_rate))),
        );
        facts.push(
            Fact::new("By", format!("{}, version {}", sold.deck, sold.version)).to(member.audience.deck(sold.deck_id)),
        );
    }
    let table = routes(decision, &carrier_names(tx).await?, &[], &member.zone);
    Ok(vec![Panel::Facts(Facts(facts)), Panel::Table(TableCard { title: "Ways out".into(), all: None, table })])
}
