//! Before a draft becomes a version: what changes, what is odd, who would have paid more or less in the last full month,
//! and publishing it. Beyond 30% up or down it asks for a second confirmation.

use super::Desk;
use crate::answer::{SeeOther, see_other};
use crate::error::{PageError, PageResult};
use crate::extract::Member;
use crate::format;
use crate::pages::book::terms::feature;
use crate::pages::book::words::trial_end;
use crate::pages::book::{dry_run, prices, shell};
use crate::pages::form::{Faults, Given, Outcome, again};
use crate::shell::Section;
use crate::views::fields::Field;
use crate::views::parts::{Heading, Item, Items, Note, PagePath, Stat, Stats};
use crate::views::plan_edit::{PlanReview, PublishForm};
use crate::views::table::{Cell, Column, Empty, Table};
use crate::views::ui::{Badge, Link, Tone};
use actix_web::http::StatusCode;
use actix_web::{Either, Responder, web};
use db::{PlanId, TenantTx};
use money::{Currency, Decimal};
use sha2::{Digest, Sha256};
use subscription::{Component, ComponentKind, Draft, NewPlanVersion};
use tenant::Role;

/// `GET /admin/plans/{plan_id}/draft/review`
pub async fn review(member: Member, path: web::Path<String>) -> PageResult<PlanReview> {
    member.must(Role::Admin)?;
    let tx = member.tx().await?;
    let desk = Desk::open(&tx, &path).await?;
    page(&member, &tx, &desk, &Faults::default()).await
}

/// What a draft says, in short: whoever publishes one sends along which one was looked at.
fn revision(draft: &Draft) -> String {
    hex::encode(&Sha256::digest(draft.document.to_string())[..12])
}

async fn page(member: &Member, tx: &TenantTx, desk: &Desk, faults: &Faults) -> PageResult<PlanReview> {
    let draft = desk.draft.as_ref().ok_or(PageError::NotFound)?;
    let terms = desk
        .version_of(draft)
        .ok_or_else(|| PageError::Conflict("The draft breaks a rule. Open it in the editor: it says which.".into()))?;
    let tried = dry_run::on_last_period(tx, desk.plan.id, &terms, member.now).await?;
    let number = desk.in_use.as_ref().map_or(1, |in_use| in_use.number + 1);
    let far = tried.rows.iter().filter(|row| row.is_far()).count();
    let shell = shell(member, tx, format!("{}, version {number}", desk.plan.name), Section::Plans).await?;
    let links = vec![
        Link::new("Plans", member.audience.plans()),
        Link::new(&desk.plan.name, member.audience.plan(desk.plan.id)),
    ];
    let publish = PublishForm {
        action: member.audience.plan_versions(desk.plan.id),
        csrf: shell.token(),
        revision: revision(draft),
        edit_href: member.audience.plan_draft(desk.plan.id),
        button: format!("Publish version {number}"),
        text: match &desk.in_use {
            Some(_) => "It is sold from now on. Who has an older version keeps it until moved.".into(),
            None => "It is sold from now on.".into(),
        },
        confirm: (far > 0).then(|| {
            let whom = format::counted(far as i64, "customer", "customers");
            let label = format!("I have seen that the bill of {whom} would move by more than 30%");
            Field::tick("confirmed", label, false).error(faults.at("confirmed"))
        }),
    };
    let changed = format!(
        "The draft has changed since you looked at it: {} wrote it on {}. Below is what it says now; publish once you have seen that.",
        draft.edited_by,
        format::stamp(draft.edited_at, &member.zone).text
    );
    let not_done = match faults.at("revision") {
        Some(_) => changed.as_str(),
        None => "Tick that you have seen how far bills move, then publish.",
    };
    Ok(PlanReview {
        heading: Heading::new(format!("Publish version {number} of {}", desk.plan.name))
            .path(PagePath { links, here: format!("Version {number}"), is_id: false })
            .badge("Draft", Tone::Plain)
            .facts("A version never changes once it is published."),
        note: (!faults.none()).then(|| Note::wrong("Nothing was published.", not_done)),
        stats: stats(&tried),
        changes: changes(desk.in_use.as_ref().map(|in_use| &in_use.terms), &terms),
        warnings: warnings(&terms)?,
        dry_run: desk.in_use.is_some().then(|| dry_run::table(member.audience, &tried)),
        dry_run_note: tried.note_of_table(),
        publish,
        shell,
    })
}

/// `POST /admin/plans/{plan_id}/versions`
pub async fn publish(
    member: Member,
    path: web::Path<String>,
    given: web::Form<Given>,
) -> PageResult<Outcome<SeeOther, PlanReview>> {
    member.must(Role::Admin)?;
    let tx = member.tx().await?;
    // Held from here on: what is published is what is looked at below.
    subscription::lock_draft(&tx, path.parse()?).await?;
    let desk = Desk::open(&tx, &path).await?;
    let gone = || PageError::Conflict("The draft is gone: somebody has published it, or given it up.".into());
    let draft = desk.draft.as_ref().ok_or_else(gone)?;
    if given.get("revision") != revision(draft) {
        let mut faults = Faults::default();
        faults.say("revision", "Must be the draft that was looked at.");
        let view = page(&member, &tx, &desk, &faults).await?;
        return Ok(Either::Right(view.customize().with_status(StatusCode::CONFLICT)));
    }
    if let Some(terms) = desk.version_of(draft) {
        let tried = dry_run::on_last_period(&tx, desk.plan.id, &terms, member.now).await?;
        if tried.rows.iter().any(|row| row.is_far()) && given.get("confirmed").is_empty() {
            let mut faults = Faults::default();
            faults.say("confirmed", "Must be ticked.");
            return Ok(again(page(&member, &tx, &desk, &faults).await?));
        }
    }
    let version = subscription::publish_draft(&tx, desk.plan.id, &desk.own_meters, member.now).await?;
    let number = desk.in_use.as_ref().map_or(1, |in_use| in_use.number + 1);
    let payload = serde_json::json!({ "version": number, "id": version.to_string() });
    tenant::record_audit(&tx, &member.actor(), "plan.publish", &desk.plan.id.to_string(), payload, member.now).await?;
    tx.commit().await?;
    let text = format!("Version {number} of {} is published.", desk.plan.name);
    Ok(Either::Left(see_other(member.audience.plan(desk.plan.id)).notice(text)))
}

/// `POST /admin/plans/{plan_id}/archive`
pub async fn archive(member: Member, path: web::Path<String>) -> PageResult<SeeOther> {
    member.must(Role::Admin)?;
    let id: PlanId = path.parse()?;
    let tx = member.tx().await?;
    let plan = subscription::plan(&tx, id).await?.ok_or(PageError::NotFound)?;
    subscription::archive_plan(&tx, id, member.now).await?;
    let payload = serde_json::json!({ "code": plan.code });
    tenant::record_audit(&tx, &member.actor(), "plan.archive", &id.to_string(), payload, member.now).await?;
    tx.commit().await?;
    Ok(see_other(member.audience.plan(id)).notice(format!("{} is no longer sold. Who has it keeps it.", plan.name)))
}

fn stats(tried: &dry_run::Tried) -> Stats {
    let count = |wanted: fn(i64) -> bool| {
        tried.rows.iter().filter_map(|row| row.difference()).filter(|of| wanted(of.micros())).count()
    };
    if tried.rows.is_empty() {
        return Stats::default();
    }
    let stat = |label: &str, count: usize| Stat::new(label, count.to_string());
    Stats(vec![
        stat("Pay more", count(|micros| micros > 0)),
        stat("Pay less", count(|micros| micros < 0)),
        stat("Pay the same", count(|micros| micros == 0)),
        stat("Move by more than 30%", tried.rows.iter().filter(|row| row.is_far()).count()),
    ])
}

/// What is different in the new version, term by term and component by component.
fn changes(before: Option<&NewPlanVersion>, after: &NewPlanVersion) -> Table {
    let columns = vec![Column::text("What"), Column::text("Now").full(), Column::text("New").full()];
    let empty = Empty::new("check", "Nothing changes", "The draft says what the version in use says.");
    let mut table = Table::new("What changes", columns, empty).dense();
    let terms = |version: &NewPlanVersion| {
        [
            ("Currency", version.currency.code().to_owned()),
            ("Term", format::counted(version.term_months.into(), "month", "months")),
            ("Trial", format::counted(version.trial_days.into(), "day", "days")),
            ("Without a means of payment when it ends", trial_end(version.trial_end).to_owned()),
            ("Term discount", version.term_discount_percent.to_string()),
            ("Agreed at least", version.commitment.human()),
            ("At most", version.fee_cap.map_or_else(|| "no cap".into(), |cap| cap.human())),
            ("Features", features(version)),
            ("Loyalty", format::counted(version.loyalty.len() as i64, "rule", "rules")),
        ]
    };
    let now = before.map(terms);
    for (index, (name, new)) in terms(after).into_iter().enumerate() {
        let old = now.as_ref().map_or_else(|| "not sold yet".to_owned(), |now| now[index].1.clone());
        if old != new {
            table.row(vec![Cell::name(name), Cell::text(old), Cell::text(new)]);
        }
    }
    let of = |version: &NewPlanVersion, key: &str| version.components.iter().find(|part| part.key == key).cloned();
    for part in &after.components {
        let old = before.and_then(|before| of(before, &part.key));
        if old.as_ref() != Some(part) {
            let was = old.map_or_else(|| "not charged".to_owned(), |old| said(&old, after.currency));
            table.row(vec![Cell::name(&part.name), Cell::text(was), Cell::text(said(part, after.currency))]);
        }
    }
    for gone in before.iter().flat_map(|before| &before.components).filter(|part| of(after, &part.key).is_none()) {
        table.row(vec![
            Cell::name(&gone.name),
            Cell::text(said(gone, after.currency)),
            Cell::text("no longer charged"),
        ]);
    }
    table
}

/// Each with how much of it there is.
fn features(version: &NewPlanVersion) -> String {
    if version.features.is_empty() {
        return "none".into();
    }
    let said: Vec<_> = version.features.iter().map(|key| feature(key, version.limits.get(key))).collect();
    said.join(", ")
}

fn said(part: &Component, currency: Currency) -> String {
    let unit = match part.kind {
        ComponentKind::Flat | ComponentKind::OneOff | ComponentKind::Percent => "",
        ComponentKind::Seat => "seat",
        ComponentKind::Hours => "hour",
        ComponentKind::Channels => "channel",
        ComponentKind::Usage => part.measure.as_deref().map_or("unit", |measure| measure.trim_end_matches('s')),
    };
    let mut words = vec![prices::in_short(&part.price, unit, currency)];
    if !part.included.is_zero() {
        words.push(format!("{} included", format::quantity(part.included)));
    }
    if !part.minimum_quantity.is_zero() {
        words.push(format!("at least {}", format::quantity(part.minimum_quantity)));
    }
    words.extend(part.filter.iter().map(|(dimension, value)| format!("{} {value}", dimension.replace('_', " "))));
    words.join(", ")
}

/// ", en" where a price by dimension leads there.
fn cliff_of(cliff: &pricing::Cliff) -> String {
    cliff.cases.iter().map(|case| format!(", {}", if case.is_empty() { "otherwise" } else { case })).collect()
}

/// An amount to the micro: what rounding to cents would hide is a cliff all the same.
fn exactly(amount: Decimal, terms: &NewPlanVersion) -> String {
    format!("{} {}", amount.round_dp(6).normalize(), terms.currency.code())
}

/// Where more usage is cheaper.
fn warnings(terms: &NewPlanVersion) -> PageResult<Items> {
    let mut items = Vec::new();
    for part in &terms.components {
        for cliff in part.price.cliffs()? {
            let case = cliff_of(&cliff);
            items.push(
                Item::new(
                    "alert-triangle",
                    Tone::Soon,
                    format!("{}{case}: more is cheaper above {}", part.name, format::quantity(cliff.beyond)),
                )
                .note(format!(
                    "{} cost {} in all, a little more than {} costs {}.",
                    format::quantity(cliff.up_to),
                    exactly(cliff.most, terms),
                    format::quantity(cliff.beyond),
                    exactly(cliff.least, terms),
                )),
            );
        }
    }
    Ok(Items(items))
}

/// The mark of a difference: amber beyond 30%.
pub fn change_badge(percent: &str, is_far: bool) -> Badge {
    Badge::new(percent, if is_far { Tone::Soon } else { Tone::Plain })
}
