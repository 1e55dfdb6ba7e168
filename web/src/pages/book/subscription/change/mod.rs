//! A change of a subscription: its form, what it would do and what that costs to the cent, and asking for it.

mod fields;
mod kind;
mod wish;

pub use fields::prices_in_short;

use super::card::coupon_off;
use super::names::{Names, seats_word};
use super::preview::{self, Figures};
use crate::answer::{SeeOther, see_other};
use crate::error::{PageError, PageResult};
use crate::extract::Member;
use crate::format;
use crate::pages::book::{shell, words};
use crate::pages::form::{Faults, Given, Outcome as Answer, again};
use crate::shell::Section;
use crate::urls::with_query;
use crate::views::form::Kept;
use crate::views::parts::{Heading, Note, PagePath};
use crate::views::subscriptions::{Decide, Outcome};
use crate::views::table::{Cell, Column, Empty, Table};
use actix_web::{Either, web};
use chrono::{DateTime, Utc};
use db::{ChangeId, SubscriptionId, TenantTx};
use kind::Kind;
use subscription::{Customer, History, Plan};
use tenant::Role;
use wish::{FIELDS, Wish};

/// What the page needs, read once.
struct Facts {
    customer: Customer,
    before: History,
    sold: Vec<Plan>,
    names: Names,
}

async fn facts(tx: &TenantTx, id: SubscriptionId) -> PageResult<Facts> {
    let before = subscription::history(tx, id).await?.ok_or(PageError::NotFound)?;
    let customer = subscription::customer(tx, before.subscription.customer_id).await?.ok_or(PageError::NotFound)?;
    let sold = subscription::plans(tx).await?;
    let sold = sold.into_iter().filter(|plan| plan.archived_at.is_none() && plan.newest.is_some()).collect();
    let names = Names::read(tx, &[&before], &[]).await?;
    Ok(Facts { customer, before, sold, names })
}

/// `GET /admin/subscriptions/{subscription_id}/change?do=seats&seats=8`: the form, and beside it what confirming would do.
pub async fn decide(member: Member, path: web::Path<String>, given: web::Query<Given>) -> PageResult<Decide> {
    member.must(Role::Billing)?;
    let tx = member.tx().await?;
    let facts = facts(&tx, path.parse()?).await?;
    let kind = kind_of(&facts.before, &given, member.now)?;
    let mut faults = Faults::default();
    let outcome =
        if given.has("sent") { outcome(&member, &tx, &facts, kind, &given, &mut faults).await? } else { None };
    page(&member, &tx, &facts, kind, &given, &faults, None, outcome.map(|(outcome, _)| outcome)).await
}

/// `POST /admin/subscriptions/{subscription_id}/changes`
pub async fn ask(
    member: Member,
    path: web::Path<String>,
    given: web::Form<Given>,
) -> PageResult<Answer<SeeOther, Decide>> {
    member.must(Role::Billing)?;
    let tx = member.tx().await?;
    let facts = facts(&tx, path.parse()?).await?;
    let kind = kind_of(&facts.before, &given, member.now)?;
    let mut faults = Faults::default();
    let Some((shown, figures)) = outcome(&member, &tx, &facts, kind, &given, &mut faults).await? else {
        return Ok(again(page(&member, &tx, &facts, kind, &given, &faults, None, None).await?));
    };
    if figures.print() != given.get("figures") {
        let note = Note::wrong(
            "Nothing was changed.",
            "The figures are others than those that were shown. Look at them again.",
        );
        return Ok(again(page(&member, &tx, &facts, kind, &given, &faults, Some(note), Some(shown)).await?));
    }
    let Some(wish) = Wish::read(kind, &given, &facts.before, &facts.sold, &mut faults, member.now)? else {
        return Ok(again(page(&member, &tx, &facts, kind, &given, &faults, None, None).await?));
    };
    if let Err(error) = wish.ask(&tx, &facts.before, &member.actor(), member.now).await {
        faults.refused(error, &FIELDS)?;
        drop(tx);
        let tx = member.tx().await?;
        return Ok(again(page(&member, &tx, &facts, kind, &given, &faults, None, None).await?));
    }
    let id = facts.before.subscription.id;
    let done: Vec<String> = wish.changes().map(|change| facts.names.change(change)).collect();
    let payload = serde_json::json!({ "subscription": id.to_string(), "changes": done });
    tenant::record_audit(&tx, &member.actor(), "subscription.change", &id.to_string(), payload, member.now).await?;
    tx.commit().await?;
    let at = wish.begins_at(&facts.before, member.now)?;
    let when = if at > member.now {
        format!(" from {}", words::day(words::civil_day(at, &facts.before.subscription.time_zone)?))
    } else {
        String::new()
    };
    Ok(Either::Left(
        see_other(member.audience.customer(facts.customer.id)).notice(format!("{}{when}.", done.join(", "))),
    ))
}

/// `POST /admin/subscriptions/{subscription_id}/changes/{change_id}/undo`
pub async fn undo(member: Member, path: web::Path<(String, String)>) -> PageResult<SeeOther> {
    member.must(Role::Billing)?;
    let (subscription_id, change_id) = (path.0.parse::<SubscriptionId>()?, path.1.parse::<ChangeId>()?);
    let tx = member.tx().await?;
    let facts = facts(&tx, subscription_id).await?;
    let asked = subscription::changes_of(&tx, subscription_id).await?;
    let asked = asked.into_iter().find(|asked| asked.id == change_id).ok_or(PageError::NotFound)?;
    subscription::undo_change(&tx, change_id, &member.actor(), member.now).await?;
    let payload = serde_json::json!({ "subscription": subscription_id.to_string() });
    tenant::record_audit(&tx, &member.actor(), "subscription.undo", &change_id.to_string(), payload, member.now)
        .await?;
    tx.commit().await?;
    let text = format!("Undone: {}.", facts.names.change(&asked.change));
    Ok(see_other(member.audience.customer(facts.customer.id)).notice(text))
}

fn kind_of(history: &History, given: &Given, now: DateTime<Utc>) -> PageResult<Kind> {
    let offered = Kind::offered(history, now);
    let wanted = Kind::from_word(given.get("do")).filter(|kind| offered.contains(kind));
    wanted.or_else(|| offered.first().copied()).ok_or(PageError::NotFound)
}

/// What the wish would do; `None` when something stands at a field.
async fn outcome(
    member: &Member,
    tx: &TenantTx,
    facts: &Facts,
    kind: Kind,
    given: &Given,
    faults: &mut Faults,
) -> PageResult<Option<(Outcome, Figures)>> {
    let now = member.now;
    let Some(wish) = Wish::read(kind, given, &facts.before, &facts.sold, faults, now)? else { return Ok(None) };
    let after = match wish.imagined(&facts.before, now) {
        Ok(after) => after,
        Err(error) => {
            faults.refused(error, &FIELDS)?;
            return Ok(None);
        }
    };
    let at = wish.begins_at(&facts.before, now)?;
    let (bill, figures) = preview::of_change(tx, &facts.customer, &after, now).await?;
    let on = words::day(words::civil_day(at, &after.subscription.time_zone)?);
    let from = if at > now { format!("from {on} on") } else { "from now on".to_owned() };
    let words: Vec<String> = wish.changes().map(|change| facts.names.change(change)).collect();
    let mut kept = given.kept();
    kept.retain(|(name, _)| name != "figures");
    kept.push(("figures".into(), figures.print()));
    Ok(Some((
        Outcome {
            changes: Some(differences(&facts.before, &after, &facts.names, now, at)),
            bill: Some(bill),
            action: member.audience.subscription_changes(facts.before.subscription.id),
            kept: Kept(kept),
            confirm: format!("{}, {from}", words.join(", ")),
            is_danger: kind == Kind::End,
            remark: "It can be undone until it is billed.".into(),
        },
        figures,
    )))
}

/// What is different then: before and after.
fn differences(before: &History, after: &History, names: &Names, now: DateTime<Utc>, at: DateTime<Utc>) -> Table {
    let columns = vec![Column::text("What"), Column::text("Now"), Column::text("Then")];
    let mut table = Table::new("What changes", columns, Empty::new("repeat", "Nothing changes", "")).dense();
    let told = |history: &History, at: DateTime<Utc>| -> Vec<(&'static str, String)> {
        let plan = history.plan_at(at);
        let add_ons: Vec<&str> =
            super::card::add_ons(history, at).map(|attached| names.plan(attached.version.plan_id)).collect();
        let none = |text: String| if text.is_empty() { "none".to_owned() } else { text };
        vec![
            ("State", words::subscription_status(history.status_at(at)).word),
            ("Plan", names.version(plan.id)),
            ("Term", format::counted(plan.term_months.into(), "month", "months")),
            ("Seats", seats_word(history.seats_at(at))),
            ("Add-ons", none(add_ons.join(", "))),
            (
                "At least, a month",
                none(
                    Some(plan.commitment)
                        .filter(|least| least.is_positive())
                        .map_or_else(String::new, |least| least.human()),
                ),
            ),
            (
                "Features",
                none(plan.features.iter().map(|feature| words::feature(feature)).collect::<Vec<_>>().join(", ")),
            ),
            (
                "Coupons",
                none(
                    history
                        .redeemed
                        .iter()
                        .map(|redeemed| coupon_off(&redeemed.coupon.off))
                        .collect::<Vec<_>>()
                        .join(", "),
                ),
            ),
        ]
    };
    for ((word, old), (_, new)) in told(before, now).into_iter().zip(told(after, at)) {
        if old != new {
            table.row(vec![Cell::text(word).class("quiet"), Cell::text(old), Cell::name(new)]);
        }
    }
    table
}

#[allow(clippy::too_many_arguments, reason = "one page, in two states, from what was read and what was given")]
async fn page(
    member: &Member,
    tx: &TenantTx,
    facts: &Facts,
    kind: Kind,
    given: &Given,
    faults: &Faults,
    note: Option<Note>,
    outcome: Option<Outcome>,
) -> PageResult<Decide> {
    let (now, id) = (member.now, facts.before.subscription.id);
    let address = member.audience.subscription_change(id);
    let tab = |offered: &Kind| {
        (offered.title().to_owned(), with_query(&address, &[("do", offered.word())]), *offered == kind)
    };
    let plan = facts.names.plan(facts.before.plan_at(now).plan_id);
    let customer_href = member.audience.customer(facts.customer.id);
    let path = PagePath::under(&facts.customer.name, &customer_href, format!("Change {plan}"));
    let state = words::subscription_status(facts.before.status_at(now));
    Ok(Decide {
        shell: shell(member, tx, format!("Change {plan}"), Section::Customers).await?,
        heading: Heading::new(format!("Change {plan} of {}", facts.customer.name))
            .path(path)
            .badge(state.word, state.tone),
        tabs: Kind::offered(&facts.before, now).iter().map(tab).collect(),
        note,
        action: address.clone(),
        kept: Kept(vec![("do".into(), kind.word().into()), ("sent".into(), "yes".into())]),
        parts: fields::parts(kind, given, &facts.before, &facts.sold, faults, now)?,
        outcome,
        back_href: customer_href,
    })
}
