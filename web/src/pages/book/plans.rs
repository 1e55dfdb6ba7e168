//! What is sold: plans, add-ons and the tariffs of calls.

use super::{prices, shell};
use crate::error::PageResult;
use crate::extract::Member;
use crate::format;
use crate::shell::Section;
use crate::urls::Audience;
use crate::views::book::{List, TableCard};
use crate::views::parts::{Heading, Stats};
use crate::views::table::{Cell, Column, Empty, Table};
use crate::views::ui::{Badge, Link, Tone};
use actix_web::web;
use db::PlanVersionId;
use serde::Deserialize;
use std::collections::{BTreeSet, HashMap};
use subscription::{Plan, StoredTariff, Topic};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    /// Only the versions of this tariff.
    tariff: String,
}

/// `GET /admin/plans`
pub async fn plans(member: Member, asked: web::Query<Asked>) -> PageResult<List> {
    let tx = member.tx().await?;
    let plans = subscription::plans(&tx).await?;
    let mut in_use: HashMap<PlanVersionId, i64> = HashMap::new();
    let active = subscription::all_active(&tx, member.now).await?;
    for version in subscription::plan_versions_at(&tx, &active, member.now).await?.into_values() {
        *in_use.entry(version).or_default() += 1;
    }
    let mut sold: HashMap<db::PlanId, i64> = HashMap::new();
    for plan in &plans {
        let versions = subscription::versions_of(&tx, plan.id).await?;
        sold.insert(plan.id, versions.iter().filter_map(|version| in_use.get(&version.id)).sum());
    }
    let topics = subscription::topics(&tx).await?;
    let tariffs = subscription::tariffs(&tx).await?;
    let (add_ons, plans): (Vec<Plan>, Vec<Plan>) = plans.into_iter().partition(|plan| plan.is_add_on);
    let mut cards = Vec::new();
    if asked.tariff.is_empty() {
        cards.push(card("Plans", plan_table(member.audience, &plans, &sold)));
        cards.push(card("Add-ons", plan_table(member.audience, &add_ons, &sold)));
    }
    if member.audience == Audience::Tenant {
        let may_publish = member.must(tenant::Role::Admin).is_ok();
        cards.push(TableCard {
            all: may_publish.then(|| Link::new("New tariff", member.audience.tariff_new())),
            ..card("Tariffs of calls", tariff_table(&tariffs, &topics, &asked.tariff))
        });
    }
    let tabs = if asked.tariff.is_empty() {
        super::quotes::tabs(member.audience, "Plans and tariffs")
    } else {
        vec![("All plans and tariffs".into(), member.audience.plans(), false)]
    };
    let heading = Heading::new("Plans").facts("A version never changes once it is published; who has it keeps it.");
    Ok(List {
        shell: shell(&member, &tx, "Plans", Section::Plans).await?,
        heading: match member.must(tenant::Role::Admin) {
            Ok(()) => heading.action("New plan", member.audience.plan_new()),
            Err(_) => heading,
        },
        stats: Stats::default(),
        search: None,
        tabs,
        cards,
        pager: None,
    })
}

fn card(title: &str, table: Table) -> TableCard {
    TableCard { title: title.into(), all: None, table }
}

fn plan_table(audience: Audience, plans: &[Plan], sold: &HashMap<db::PlanId, i64>) -> Table {
    let columns = vec![
        Column::text("Name"),
        Column::text("Term").hidden(),
        Column::figures("Subscriptions").label("Subscriptions"),
        Column::text("Version"),
    ];
    let empty = Empty::new("tag", "None yet", "What is sold by subscription shows here with its prices.");
    let mut table = Table::new("Plans", columns, empty);
    for plan in plans {
        let (term, version) = match (&plan.newest, plan.archived_at) {
            (_, Some(_)) => (String::new(), Badge::new("No longer sold", Tone::Plain)),
            (None, None) => (String::new(), Badge::new("Not published", Tone::Soon)),
            (Some(newest), None) => (
                format::counted(newest.term_months.into(), "month", "months"),
                Badge::new(format!("Version {}", newest.version), Tone::On),
            ),
        };
        let sub = match plan.draft_edited_at {
            Some(_) if plan.archived_at.is_none() => format!("{} Its next version is being written.", plan.description),
            _ => plan.description.clone(),
        };
        table.row(vec![
            Cell::name(&plan.name).to(audience.plan(plan.id)).sub(sub),
            Cell::text(term),
            Cell::figure(format::count(sold.get(&plan.id).copied().unwrap_or_default())),
            Cell::none().with(version),
        ]);
    }
    table
}

fn tariff_table(tariffs: &[StoredTariff], topics: &[Topic], only: &str) -> Table {
    let columns =
        vec![Column::text("Tariff"), Column::text("Price, tax included").full(), Column::text("Topics").hidden()];
    let empty = Empty::new("tag", "No tariff", "A topic of a number points to a tariff; it shows here.");
    let mut table = Table::new("Tariffs", columns, empty);
    for tariff in tariffs.iter().filter(|tariff| only.is_empty() || tariff.name == only) {
        let used: BTreeSet<&str> =
            topics.iter().filter(|topic| topic.tariff_id == tariff.id).map(|topic| topic.name.as_str()).collect();
        let used: Vec<&str> = used.into_iter().collect();
        let mut rules = vec![prices::tariff_rules(&tariff.tariff, tariff.currency)];
        rules.extend(prices::tariff_times(&tariff.tariff, tariff.currency));
        let rules = if prices::is_free(&tariff.tariff) { String::new() } else { rules.join("; ") };
        table.row(vec![
            Cell::name(&tariff.name).sub(format!(
                "version {}, since {}",
                tariff.version,
                super::words::day(tariff.published_at.date_naive())
            )),
            Cell::text(prices::tariff_words(&tariff.tariff, tariff.currency)).sub(rules),
            Cell::text(if used.is_empty() { "no topic now".to_owned() } else { used.join(", ") }),
        ]);
    }
    table
}
