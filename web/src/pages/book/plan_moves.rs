//! Subscribers of older versions move to another: one or many, at once or later, with what it changes for each; and back, as long
//! as nothing is billed on it.

use super::plan_edit::change_badge;
use super::words::{cursor, from_cursor};
use super::{dry_run, shell};
use crate::answer::{SeeOther, see_other};
use crate::error::{PageError, PageResult, continued, sentence};
use crate::extract::Member;
use crate::format;
use crate::moves::{self, Place, Refused, Wanted};
use crate::pages::form::{Faults, Given, Outcome, again};
use crate::shell::Section;
use crate::urls::with_query;
use crate::views::fields::Field;
use crate::views::form::Kept;
use crate::views::parts::{Heading, PagePath, Pager, SumRow, Sums};
use crate::views::plan_edit::{MoveOutcome, MovePages, MoveRow, MovedRow, PlanMoves};
use crate::views::table::Empty;
use crate::views::ui::Link;
use actix_web::{Either, web};
use db::{ChangeId, PlanId, SubscriptionId, TenantTx};
use invoicing::DryRunRow;
use money::Money;
use subscription::{Plan, PlanVersion, When};
use tenant::Role;

const WHENS: [(&str, &str); 3] =
    [("period", "At the end of the month"), ("term", "At renewal"), ("now", "At once, prorated by day")];

fn when(word: &str) -> Option<When> {
    match word {
        "now" => Some(When::Now),
        "period" => Some(When::PeriodEnd),
        "term" => Some(When::TermEnd),
        _ => None,
    }
}

/// `GET /admin/plans/{plan_id}/moves`
pub async fn page(
    member: Member,
    path: web::Path<String>,
    given: web::Query<Given>,
) -> PageResult<Outcome<PlanMoves, PlanMoves>> {
    member.must(Role::Admin)?;
    let tx = member.tx().await?;
    let desk = Desk::open(&tx, path.parse()?).await?;
    let mut faults = Faults::default();
    desk.wanted(&given, &mut faults);
    // Whoever has only opened the page, or turned it, has chosen nobody yet.
    if given.has("look") && given.all("subscription").next().is_none() {
        faults.say("subscription", NOBODY);
    }
    let page = show(&member, &tx, &desk, &given, &faults).await?;
    Ok(if faults.none() { Either::Left(page) } else { again(page) })
}

const NOBODY: &str = "Choose at least one customer: nobody is chosen.";

/// The plan with its versions.
struct Desk {
    plan: Plan,
    versions: Vec<PlanVersion>,
}

impl Desk {
    async fn open(tx: &TenantTx, id: PlanId) -> PageResult<Desk> {
        let plan = subscription::plan(tx, id).await?.ok_or(PageError::NotFound)?;
        let versions = subscription::versions_of(tx, id).await?;
        if versions.is_empty() { Err(PageError::NotFound) } else { Ok(Desk { plan, versions }) }
    }

    /// The version that was chosen, or the newest.
    fn to(&self, given: &Given) -> Option<&PlanVersion> {
        match given.get("to") {
            "" => self.versions.iter().max_by_key(|version| version.version),
            id => self.versions.iter().find(|version| version.id.to_string() == id),
        }
    }

    /// What was chosen, with what is wrong with it at its field.
    fn wanted(&self, given: &Given, faults: &mut Faults) -> Option<Wanted> {
        let to = self.to(given);
        if to.is_none() {
            faults.say("to", format!("Must be a version of this plan, not \"{}\".", given.get("to")));
        }
        let word = given.or("when", "period");
        let when = when(word);
        if when.is_none() {
            faults.say("when", format!("Must be one of the three, not \"{word}\"."));
        }
        let mut subscriptions = Vec::new();
        for chosen in given.all("subscription") {
            match chosen.parse::<SubscriptionId>() {
                Ok(id) => subscriptions.push(id),
                Err(_) => faults.say("subscription", format!("Must be a subscriber of this plan, not \"{chosen}\".")),
            }
        }
        let (to, when) = (to?.clone(), when?);
        faults.none().then_some(Wanted { plan: self.plan.id, to, when, subscriptions })
    }
}

/// Those who may still be moved, the widest change first, and which of them the page shows.
struct Leaf<'a> {
    rows: &'a [&'a dry_run::Row],
    /// How many lie before them.
    before: usize,
    /// How many there are in all.
    left: usize,
}

impl<'a> Leaf<'a> {
    /// What comes after one of them; from the start where that one has moved meanwhile.
    fn after(left: &'a [&'a dry_run::Row], after: &str) -> Leaf<'a> {
        let last = left.iter().position(|row| row.subscription_id.to_string() == after);
        let before = last.map_or(0, |last| last + 1);
        let end = left.len().min(before + dry_run::SHOWN_MAX);
        Leaf { rows: &left[before..end], before, left: left.len() }
    }

    fn turned(&self, href: impl Fn(&str) -> String) -> Option<MovePages> {
        let (from, to) = (self.before + 1, self.before + self.rows.len());
        let next = self.rows.last().filter(|_| to < self.left).map(|last| href(&last.subscription_id.to_string()));
        let first = (self.before > 0).then(|| href(""));
        let whole = first.is_none() && next.is_none();
        let count = |count: usize| format::count(count as i64);
        let shown = match self.rows.is_empty() {
            true => format!("None after these, {} before", count(self.left)),
            false => format!("{} to {} of {}, the widest change first", count(from), count(to), count(self.left)),
        };
        (!whole).then_some(MovePages { shown, first, next })
    }
}

async fn show(member: &Member, tx: &TenantTx, desk: &Desk, given: &Given, faults: &Faults) -> PageResult<PlanMoves> {
    let plan = &desk.plan;
    let newest = desk.versions.iter().max_by_key(|version| version.version);
    let to = desk.to(given).or(newest).ok_or(PageError::NotFound)?;
    let tried = dry_run::on_last_period(tx, plan.id, &to.terms(), member.now).await?;
    let moving = subscription::moving_later(tx, plan.id, member.now).await?;
    let others: Vec<_> = tried.rows.iter().filter(|row| row.version != to.version).collect();
    let left: Vec<_> = others.iter().copied().filter(|row| !moving.contains(&row.subscription_id)).collect();
    // Another version begins with its first page.
    let after = if given.has("first") { "" } else { given.get("after") };
    let leaf = Leaf::after(&left, after);
    let is_chosen = |row: &dry_run::Row| {
        given.has("all") || given.all("subscription").any(|id| id == row.subscription_id.to_string())
    };
    let rows: Vec<MoveRow> = leaf.rows.iter().map(|row| move_row(member, row, is_chosen(row))).collect();
    // Whoever is chosen by name may stand on another page.
    let chosen: Vec<_> =
        if given.has("all") { leaf.rows.to_vec() } else { tried.rows.iter().filter(|row| is_chosen(row)).collect() };
    let outcome = if faults.none() { outcome(given, &chosen, to) } else { None };
    let href = member.audience.plan_moves(plan.id);
    let turn =
        |after: &str| with_query(&href, &[("to", &to.id.to_string()), ("when", given.get("when")), ("after", after)]);
    let pages = leaf.turned(turn);
    let (moved, moved_pager) = moved(member, tx, plan.id, &tried, &desk.versions, given).await?;
    let shell = shell(member, tx, format!("Move customers of {}", plan.name), Section::Plans).await?;
    let options = desk.versions.iter().map(|version| (version.id.to_string(), format!("Version {}", version.version)));
    let links = vec![Link::new("Plans", member.audience.plans()), Link::new(&plan.name, member.audience.plan(plan.id))];
    Ok(PlanMoves {
        heading: Heading::new(format!("Move customers of {} to version {}", plan.name, to.version))
            .path(PagePath { links, here: "Move".into(), is_id: false })
            .facts(tried.note()),
        fault: faults.at("subscription"),
        action: href,
        csrf: shell.token(),
        to: Field::choice("to", "To", to.id.to_string(), options).error(faults.at("to")),
        when: Field::choice("when", "When", given.or("when", "period"), WHENS).error(faults.at("when")),
        left: said_left(left.len(), others.len() - left.len()),
        after: after.to_owned(),
        rows,
        pages,
        empty: Empty::new("repeat", "Nobody is left to move", "Who has another version of this plan shows here."),
        outcome,
        moved,
        moved_pager,
        shell,
    })
}

/// "412 customers are left to move, 3 more have a move ahead"
fn said_left(left: usize, moving: usize) -> String {
    let customers = |count: usize| format::counted(count as i64, "customer", "customers");
    let is = |count: usize| if count == 1 { "is" } else { "are" };
    match (left, moving) {
        (_, 0) => format!("{} {} left to move", customers(left), is(left)),
        (_, 1) => format!("{} {} left to move; 1 more has a move ahead", customers(left), is(left)),
        _ => format!("{} {} left to move; {} more have a move ahead", customers(left), is(left), moving),
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
fn outcome(given: &Given, chosen: &[&dry_run::Row], to: &PlanVersion) -> Option<MoveOutcome> {
    if chosen.is_empty() {
        return None;
    }
    let priced = || chosen.iter().filter_map(|row| row.priced.as_ref());
    let before = Money::sum(to.currency, priced().map(|priced| priced.before)).ok()?;
    let after = Money::sum(to.currency, priced().map(|priced| priced.after)).ok()?;
    let when = WHENS.iter().find(|(word, _)| *word == given.or("when", "period")).map_or("", |(_, said)| said);
    let whom = format::counted(chosen.len() as i64, "customer", "customers");
    let own = [
        ("to", to.id.to_string()),
        ("when", given.or("when", "period").to_owned()),
        ("after", given.get("after").to_owned()),
    ];
    let ids = chosen.iter().map(|row| ("subscription", row.subscription_id.to_string()));
    let kept = own.into_iter().chain(ids).map(|(name, value)| (name.to_owned(), value)).collect();
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

/// Moves to this plan's versions that were asked for and stand, the newest first.
async fn moved(
    member: &Member,
    tx: &TenantTx,
    plan: PlanId,
    tried: &dry_run::Tried,
    versions: &[PlanVersion],
    given: &Given,
) -> PageResult<(Vec<MovedRow>, Option<Pager>)> {
    let older = from_cursor::<ChangeId>(given.get("older"));
    let mut asked = subscription::moves_of(tx, plan, older, MOVES_SHOWN + 1).await?;
    let has_more = asked.len() as u64 > MOVES_SHOWN;
    asked.truncate(MOVES_SHOWN as usize);
    let href = with_query(&member.audience.plan_moves(plan), &[("to", given.get("to"))]);
    let next = asked.last().filter(|_| has_more).map(|last| {
        let place = cursor(last.asked_at, last.id);
        with_query(&member.audience.plan_moves(plan), &[("to", given.get("to")), ("older", &place)])
    });
    let mut rows = Vec::new();
    for asked in asked {
        let of = tried.rows.iter().find(|row| row.subscription_id == asked.subscription_id);
        let to = versions.iter().find(|known| Some(known.id) == asked.change.version());
        let (Some(of), Some(to)) = (of, to) else { continue };
        rows.push(MovedRow {
            customer: of.customer.clone(),
            href: member.audience.customer(of.customer_id),
            text: format!("to version {}, asked by {}", to.version, asked.asked_by),
            at: format::stamp(asked.at, &member.zone),
            undo_href: asked.billed_at.is_none().then(|| member.audience.plan_move_undo(plan, asked.id)),
        });
    }
    let shown = format!("{}, newest first", format::counted(rows.len() as i64, "move", "moves"));
    let pager = (older.is_some() || next.is_some()).then(|| Pager { shown, first: older.map(|_| href), next });
    Ok((rows, pager))
}

/// As many moves on one page.
const MOVES_SHOWN: u64 = 100;

/// `POST /admin/plans/{plan_id}/moves`: all of the chosen, or none.
pub async fn make(
    member: Member,
    path: web::Path<String>,
    given: web::Form<Given>,
) -> PageResult<Outcome<SeeOther, PlanMoves>> {
    member.must(Role::Admin)?;
    let tx = member.tx().await?;
    let desk = Desk::open(&tx, path.parse()?).await?;
    let mut faults = Faults::default();
    let Some(wanted) = desk.wanted(&given, &mut faults) else {
        return Ok(again(show(&member, &tx, &desk, &given, &faults).await?));
    };
    let made = match moves::make(&tx, &wanted, &member.actor(), member.now).await? {
        Ok(made) => made,
        Err(refused) => {
            // What had moved before one was refused is given up; the page is read anew.
            drop(tx);
            let tx = member.tx().await?;
            let names = dry_run::on_last_period(&tx, desk.plan.id, &wanted.to.terms(), member.now).await?;
            refused.iter().for_each(|of| say(&mut faults, of, &wanted, &names));
            return Ok(again(show(&member, &tx, &desk, &given, &faults).await?));
        }
    };
    let (id, to) = (desk.plan.id, &wanted.to);
    let payload = serde_json::json!({ "to": to.id.to_string(), "moved": made.len() });
    tenant::record_audit(&tx, &member.actor(), "plan.move", &id.to_string(), payload, member.now).await?;
    tx.commit().await?;
    let whom = format::counted(made.len() as i64, "customer moves", "customers move");
    let back = see_other(member.audience.plan_moves(id)).notice(format!("{whom} to version {}.", to.version));
    Ok(Either::Left(back))
}

/// A refusal at its field, with the customer's name.
fn say(faults: &mut Faults, of: &Refused, wanted: &Wanted, names: &dry_run::Tried) {
    match of.place {
        Place::To => faults.say("to", sentence(&of.rule)),
        Place::When => faults.say("when", sentence(&of.rule)),
        Place::Subscriptions if of.value.is_empty() => faults.say("subscription", NOBODY),
        Place::Subscriptions | Place::After => faults.say("subscription", sentence(&of.rule)),
        Place::Subscription(index) => {
            let id = wanted.subscriptions.get(index);
            let row = names.rows.iter().find(|row| Some(&row.subscription_id) == id);
            let name = row.map_or(of.value.as_str(), |row| row.customer.as_str());
            faults.say("subscription", format!("{name}: {}", continued(&sentence(&of.rule))));
        }
    }
}

/// `POST /admin/plans/{plan_id}/moves/{change_id}/undo`
pub async fn undo(member: Member, path: web::Path<(String, String)>) -> PageResult<SeeOther> {
    member.must(Role::Admin)?;
    let (plan, change): (PlanId, ChangeId) = (path.0.parse()?, path.1.parse()?);
    let tx = member.tx().await?;
    subscription::undo_move(&tx, plan, change, &member.actor(), member.now).await?;
    let payload = serde_json::json!({ "change": change.to_string() });
    tenant::record_audit(&tx, &member.actor(), "plan.move_undo", &plan.to_string(), payload, member.now).await?;
    tx.commit().await?;
    Ok(see_other(member.audience.plan_moves(plan)).notice("The move is undone."))
}
