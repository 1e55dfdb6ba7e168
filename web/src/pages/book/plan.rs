//! One plan: its terms, its components with their prices, its versions and who has it.

use super::shell;
use super::terms::prices_of;
use super::words::{customer_names, day};
use crate::error::{PageError, PageResult};
use crate::extract::Member;
use crate::format;
use crate::shell::Section;
use crate::urls::{Audience, with_query};
use crate::views::catalogue::Plan as PlanView;
use crate::views::parts::{Heading, PagePath};
use crate::views::table::{Cell, Column, Empty, Table};
use crate::views::ui::Tone;
use actix_web::web;
use db::{CustomerId, PlanId, PlanVersionId};
use jiff::tz::TimeZone;
use std::collections::HashMap;
use subscription::{Plan, PlanVersion, Subscription};
use tenant::Role;

/// `GET /admin/plans/{plan_id}`
pub async fn plan(member: Member, path: web::Path<String>) -> PageResult<PlanView> {
    let id: PlanId = path.parse()?;
    let tx = member.tx().await?;
    let plan = subscription::plan(&tx, id).await?.ok_or(PageError::NotFound)?;
    let versions = subscription::versions_of(&tx, id).await?;
    let (subscriptions, on): (Vec<Subscription>, Vec<PlanVersionId>) =
        subscription::subscribers(&tx, id, member.now).await?.into_iter().unzip();
    let on: HashMap<_, _> = subscriptions.iter().map(|of| of.id).zip(on).collect();
    let version_of =
        |subscription: &Subscription| versions.iter().find(|version| on.get(&subscription.id) == Some(&version.id));
    let names = customer_names(&tx, subscriptions.iter().map(|subscription| subscription.customer_id)).await?;
    let add_ons: Vec<Plan> =
        subscription::plans(&tx).await?.into_iter().filter(|other| other.is_add_on && other.id != id).collect();
    let shell = shell(&member, &tx, &plan.name, Section::Plans).await?;
    let mut heading = Heading::new(&plan.name)
        .path(PagePath::under("Plans", member.audience.plans(), id.to_string()).id())
        .facts(said(&plan, subscriptions.len()));
    if let Some(newest) = &plan.newest {
        heading = heading.badge(format!("Version {}", newest.version), Tone::On);
    }
    let may_change = plan.archived_at.is_none() && member.must(Role::Admin).is_ok();
    if plan.archived_at.is_some() {
        heading = heading.badge("No longer sold", Tone::Plain);
    }
    if may_change {
        let behind =
            subscriptions.iter().any(|of| version_of(of).map(|on| on.id) != plan.newest.as_ref().map(|new| new.id));
        if behind || versions.len() > 1 {
            heading = heading.action("Move customers", member.audience.plan_moves(id));
        }
        let word = match (plan.draft_edited_at, &plan.newest) {
            (Some(_), _) => "Go on with the draft",
            (None, Some(_)) => "Write the next version",
            (None, None) => "Write its terms",
        };
        heading = heading.action(word, member.audience.plan_draft(id));
    }
    if plan.newest.is_some() && !plan.is_add_on && plan.archived_at.is_none() && member.must(Role::Billing).is_ok() {
        let quote = with_query(&member.audience.quote_new(), &[("plan", &id.to_string())]);
        heading = heading.action("Make a quote", quote);
    }
    let (terms, components) = match &plan.newest {
        Some(newest) => prices_of(newest, |id| name_of(&add_ons, id)),
        None => Default::default(),
    };
    Ok(PlanView {
        archive_href: may_change.then(|| member.audience.plan_archive(id)),
        shell,
        heading,
        terms,
        components,
        tariffs: None,
        add_ons: add_on_table(member.audience, &add_ons),
        versions: version_table(&versions, &member.zone),
        subscriptions: subscription_table(member.audience, &subscriptions, &names, version_of),
    })
}

fn said(plan: &Plan, subscriptions: usize) -> String {
    let count = format::counted(subscriptions as i64, "subscription", "subscriptions");
    if plan.description.is_empty() { count } else { format!("{count} · {}", plan.description) }
}

/// The add-on that this version is of.
fn name_of(add_ons: &[Plan], id: PlanVersionId) -> Option<String> {
    let is_it = |plan: &&Plan| plan.newest.as_ref().is_some_and(|newest| newest.id == id);
    add_ons.iter().find(is_it).map(|plan| plan.name.clone())
}

fn add_on_table(audience: Audience, add_ons: &[Plan]) -> Table {
    let empty = Empty::new("tag", "No add-on", "An add-on attaches to a subscription of any plan.");
    let mut table = Table::new("Add-ons", vec![Column::text("Name")], empty).dense();
    for add_on in add_ons {
        table.row(vec![Cell::name(&add_on.name).to(audience.plan(add_on.id)).sub(&add_on.description)]);
    }
    table
}

fn version_table(versions: &[PlanVersion], zone: &TimeZone) -> Table {
    let columns =
        vec![Column::text("Version"), Column::text("Published"), Column::figures("Components").label("Components")];
    let mut table =
        Table::new("Versions", columns, Empty::new("tag", "Not published", "It is sold from its first version on."))
            .dense();
    for version in versions.iter().rev() {
        table.row(vec![
            Cell::text(version.version.to_string()),
            Cell::text(format::stamp(version.published_at, zone).text),
            Cell::figure(version.components.len().to_string()),
        ]);
    }
    table
}

fn subscription_table<'a>(
    audience: Audience,
    subscriptions: &[Subscription],
    names: &HashMap<CustomerId, String>,
    version_of: impl Fn(&Subscription) -> Option<&'a PlanVersion>,
) -> Table {
    let columns =
        vec![Column::text("Customer"), Column::text("Version").label("Version"), Column::text("Since").hidden()];
    let mut table =
        Table::new("Subscriptions", columns, Empty::new("repeat", "Nobody has it", "Its subscribers show here."))
            .dense();
    for subscription in subscriptions {
        let name = names.get(&subscription.customer_id).cloned().unwrap_or_else(|| "A customer".into());
        let version = version_of(subscription).map(|version| version.version.to_string());
        table.row(vec![
            Cell::name(name).to(audience.customer(subscription.customer_id)),
            Cell::text(version.unwrap_or_default()),
            Cell::text(day(subscription.anchor_on)),
        ]);
    }
    table
}
