//! Subscribers of older versions move to another: one or many, at once or later, with what it changes for each; and back, as long
//! as nothing is billed on it.

use super::plan_edit::change_badge;
use super::{dry_run, shell};
use crate::answer::{SeeOther, see_other};
use crate::error::{PageError, PageResult};
use crate::extract::Member;
use crate::format;
use crate::pages::form::{self, Given};
use crate::shell::Section;
use crate::views::fields::Field;
use crate::views::form::Kept;
use crate::views::parts::{Heading, PagePath, SumRow, Sums};
use crate::views::plan_edit::{MoveOutcome, MoveRow, MovedRow, PlanMoves};
use crate::views::table::Empty;
use crate::views::ui::Link;
use actix_web::web;
use db::{ChangeId, PlanId, PlanVersionId, SubscriptionId, TenantTx};
use invoicing::DryRunRow;
use money::Money;
use subscription::{Change, PlanVersion, When};
use tenant::Role;

const WHENS: [(&str, &str); 3] =
    [("period", "At the end of the month"), ("term", "At renewal"), ("now", "At once, prorated by day")];

fn when(word: &str) -> When {
    match word {
        "now" => When::Now,
        "term" => When::TermEnd,
        _ => When::PeriodEnd,
    }
}

/// `GET /admin/plans/{plan_id}/moves`
pub async fn page(member: Member, path: web::Path<String>, given: web::Query<Given>) -> PageResult<PlanMoves> {
    member.must(Role::Admin)?;
    let id: PlanId = path.parse()?;
    let tx = member.tx().await?;
    let plan = subscription::plan(&tx, id).await?.ok_or(PageError::NotFound)?;
    let versions = subscription::versions_of(&tx, id).await?;
    let to = chosen_version(&versions, &given)?;
    let tried = dry_run::on_last_period(&tx, id, &to.terms(), member.now).await?;
    let rows: Vec<MoveRow> = tried
        .shown()
        .filter(|row| row.version != to.version)
        .map(|row| move_row(&member, row, given.all("subscription").any(|id| id == row.subscription_id.to_string())))
        .collect();
    let outcome = outcome(&given, &tried, to);
    let moved = moved(&member, &tx, id, &tried, &versions).await?;
    let shell = shell(&member, &tx, format!("Move customers of {}", plan.name), Section::Plans).await?;
    let options = versions.iter().map(|version| (version.id.to_string(), format!("Version {}", version.version)));
    let links = vec![Link::new("Plans", member.audience.plans()), Link::new(&plan.name, member.audience.plan(id))];
    Ok(PlanMoves {
        heading: Heading::new(format!("Move customers of {} to version {}", plan.name, to.version))
            .path(PagePath { links, here: "Move".into(), is_id: false })
            .facts(tried.note()),
        note: None,
        action: member.audience.plan_moves(id),
        csrf: shell.token(),
        to: Field::choice("to", "To", to.id.to_string(), options),
        when: Field::choice("when", "When", given.or("when", "period"), WHENS),
        rows,
        empty: Empty::new("repeat", "Everybody has it", "Who has another version of this plan shows here."),
        outcome,
        moved,
        shell,
    })
}

fn chosen_version<'a>(versions: &'a [PlanVersion], given: &Given) -> PageResult<&'a PlanVersion> {
    let newest = versions.iter().max_by_key(|version| version.version).ok_or(PageError::NotFound)?;
    match given.get("to") {
        "" => Ok(newest),
        id => versions.iter().find(|version| version.id.to_string() == id).ok_or(PageError::NotFound),
    }
}

fn move_row(member: &Member, row: &dry_run::Row, is_chosen: bool) -> MoveRow {
    let priced = row.priced.as_ref();
    let amount = |of: fn(&DryRunRow) -> Money| {
        priced.map_or_else(|| "no full month yet".to_owned(), |priced| of(priced).human())
    };
    MoveRow {
        subscription: row.subscription_id.to_string(),
        is_chosen,
        customer: row.customer.clone(),
        href: member.audience.customer(row.customer_id),
        version: format!("version {}", row.version),
        before: amount(|priced| priced.before),
        after: amount(|priced| priced.after),
        difference: row.difference().map(|difference| difference.human_signed()).unwrap_or_default(),
        change: row.percent().map(|percent| change_badge(&percent, row.is_far())),
    }
}

/// What the chosen ones come to; nothing is moved yet.
fn outcome(given: &Given, tried: &dry_run::Tried, to: &PlanVersion) -> Option<MoveOutcome> {
    let chosen: Vec<&dry_run::Row> = tried
        .rows
        .iter()
        .filter(|row| given.all("subscription").any(|id| id == row.subscription_id.to_string()))
        .collect();
    if chosen.is_empty() {
        return None;
    }
    let priced = || chosen.iter().filter_map(|row| row.priced.as_ref());
    let before = Money::sum(to.currency, priced().map(|priced| priced.before)).ok()?;
    let after = Money::sum(to.currency, priced().map(|priced| priced.after)).ok()?;
    let when = WHENS.iter().find(|(word, _)| *word == given.or("when", "period")).map_or("", |(_, said)| said);
    let whom = format::counted(chosen.len() as i64, "customer", "customers");
    let mut kept = given.kept();
    kept.retain(|(name, _)| matches!(name.as_str(), "subscription" | "to" | "when"));
    Some(MoveOutcome {
        sums: Sums(vec![
            SumRow::plain(&whom, when),
            SumRow::plain("A month now", before.human()),
            SumRow::sum("A month then", after.human()),
            SumRow::Note("A move can be undone until something is billed on it.".into()),
        ]),
        kept: Kept(kept),
        confirm: format!("Move {whom} to version {}", to.version),
    })
}

/// Moves between this plan's versions that were asked for and stand.
async fn moved(
    member: &Member,
    tx: &TenantTx,
    plan: PlanId,
    tried: &dry_run::Tried,
    versions: &[PlanVersion],
) -> PageResult<Vec<MovedRow>> {
    let mut rows = Vec::new();
    for row in tried.shown() {
        for asked in subscription::changes_of(tx, row.subscription_id).await? {
            let Change::Plan { version, .. } = asked.change else { continue };
            let to = versions.iter().find(|known| known.id == version);
            let (Some(to), None) = (to, asked.undone_at) else { continue };
            rows.push(MovedRow {
                customer: row.customer.clone(),
                href: member.audience.customer(row.customer_id),
                text: format!("to version {}, asked by {}", to.version, asked.asked_by),
                at: format::stamp(asked.at, &member.zone),
                undo_href: asked.billed_at.is_none().then(|| member.audience.plan_move_undo(plan, asked.id)),
            });
        }
    }
    Ok(rows)
}

/// `POST /admin/plans/{plan_id}/moves`: all of the chosen, or none.
pub async fn make(member: Member, path: web::Path<String>, given: web::Form<Given>) -> PageResult<SeeOther> {
    member.must(Role::Admin)?;
    let id: PlanId = path.parse()?;
    let tx = member.tx().await?;
    let versions = subscription::versions_of(&tx, id).await?;
    let to = chosen_version(&versions, &given)?;
    let own = subscription::subscribers(&tx, id, member.now).await?;
    let back = member.audience.plan_moves(id);
    let mut moved = 0;
    for chosen in given.all("subscription") {
        let subscription: SubscriptionId = form::id(chosen).map_err(PageError::Refused)?;
        if !own.iter().any(|(of, _)| of.id == subscription) {
            return Err(PageError::NotFound);
        }
        let change = Change::Plan { version: to.id, seats: None };
        subscription::change(&tx, subscription, &change, when(given.get("when")), &member.actor(), member.now).await?;
        moved += 1;
    }
    if moved == 0 {
        return Ok(see_other(back).warning("Nobody was chosen."));
    }
    let payload = serde_json::json!({ "to": PlanVersionId::to_string(&to.id), "moved": moved });
    tenant::record_audit(&tx, &member.actor(), "plan.move", &id.to_string(), payload, member.now).await?;
    tx.commit().await?;
    let whom = format::counted(moved, "customer moves", "customers move");
    Ok(see_other(back).notice(format!("{whom} to version {}.", to.version)))
}

/// `POST /admin/plans/{plan_id}/moves/{change_id}/undo`
pub async fn undo(member: Member, path: web::Path<(String, String)>) -> PageResult<SeeOther> {
    member.must(Role::Admin)?;
    let (plan, change): (PlanId, ChangeId) = (path.0.parse()?, path.1.parse()?);
    let tx = member.tx().await?;
    let versions = subscription::versions_of(&tx, plan).await?;
    if versions.is_empty() {
        return Err(PageError::NotFound);
    }
    subscription::undo_change(&tx, change, &member.actor(), member.now).await?;
    tx.commit().await?;
    Ok(see_other(member.audience.plan_moves(plan)).notice("The move is undone."))
}
