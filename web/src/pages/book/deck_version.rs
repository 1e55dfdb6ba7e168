//! What a version of a rate deck changes against the one that it takes the place of, and what it would lose on against a carrier: looked at before
//! it is published.

use super::deck::Opened;
use super::decks::tabs;
use super::shell;
use crate::error::{PageError, PageResult};
use crate::extract::Member;
use crate::format;
use crate::pages::form::Given;
use crate::shell::Section;
use crate::urls::with_query;
use crate::views::book::TableCard;
use crate::views::fields::{Control, Field};
use crate::views::form::Fields;
use crate::views::panels::{FormCard, Panel, Panels};
use crate::views::parts::{Heading, Note, PagePath, Stat, Stats};
use crate::views::table::{Cell, Column, Empty, Table};
use crate::views::ui::Tone;
use actix_web::web;
use db::{DeckId, TenantTx};
use rust_decimal::Decimal;
use std::sync::Arc;
use tenant::Role;
use usage_metering::{DeckChangeKind, DeckDiff, DeckKind, DeckTable, RateDeck};

/// Rows that are shown of each list.
const SHOWN: usize = 100;

fn word(kind: DeckChangeKind) -> &'static str {
    match kind {
        DeckChangeKind::New => "New",
        DeckChangeKind::Gone => "Gone",
        DeckChangeKind::Up => "Up",
        DeckChangeKind::Down => "Down",
        DeckChangeKind::Terms => "Other terms",
        DeckChangeKind::Redundant => "Could be left out",
    }
}

/// `GET /admin/decks/{deck_id}/versions/{version}?show=&against=`
pub async fn version(member: Member, path: web::Path<(String, u32)>, given: web::Query<Given>) -> PageResult<Panels> {
    let (id, number) = path.into_inner();
    let id: DeckId = id.parse()?;
    let tx = member.tx().await?;
    let opened = Opened::read(&tx, id).await?;
    let version = opened.versions.iter().find(|known| known.version == number).ok_or(PageError::NotFound)?;
    let held = usage_metering::replaced_by(&opened.publications, number, member.now).map(|held| held.version);
    let after = usage_metering::deck_table(&tx, id, number).await?;
    let before = match held {
        Some(held) => Some(usage_metering::deck_table(&tx, id, held).await?),
        None => None,
    };
    let diff = usage_metering::deck_diff(before.as_deref(), &after);
    let is_held = opened.in_force(member.now).is_some_and(|held| held.version == number);
    let heading = Heading::new(title(&opened.deck.name, number, held, is_held, &diff))
        .path(PagePath::under(opened.deck.name.as_str(), member.audience.deck(id), format!("Version {number}")))
        .facts(format!("{}, imported by {}", version.source, version.created_by))
        .at(format::full(version.created_at, &member.zone));
    let costs: Vec<RateDeck> =
        usage_metering::decks(&tx).await?.into_iter().filter(|deck| deck.kind == DeckKind::Cost).collect();
    let mut main = vec![changes(&member, &opened.deck, number, &diff, &given)];
    let mut note = None;
    if opened.deck.kind == DeckKind::Sell && !given.get("against").is_empty() {
        match losses(&member, &tx, &opened.deck, &after, &costs, given.get("against")).await? {
            Ok(panel) => main.insert(0, panel),
            Err(why) => note = Some(Note::wrong("Not compared.", why)),
        }
    }
    let mut side = Vec::new();
    if member.must(Role::Billing).is_ok() && !is_held {
        side.push(Panel::Form(publish(&member, id, number)));
    }
    if opened.deck.kind == DeckKind::Sell && !costs.is_empty() {
        side.push(Panel::Form(against(&member, id, number, &costs, given.get("against"))));
    }
    Ok(Panels {
        shell: shell(&member, &tx, &opened.deck.name, Section::Numbers).await?,
        heading,
        tabs: tabs(member.audience, "Rate decks"),
        note,
        stats: stats(&diff),
        main,
        side,
        pager: None,
    })
}

fn title(name: &str, number: u32, held: Option<u32>, is_held: bool, diff: &DeckDiff) -> String {
    let changed =
        [DeckChangeKind::New, DeckChangeKind::Gone, DeckChangeKind::Up, DeckChangeKind::Down, DeckChangeKind::Terms];
    let count: usize = changed.into_iter().map(|kind| diff.count(kind)).sum();
    let count = format::counted(count as i64, "prefix", "prefixes");
    match held {
        _ if is_held => format!("{name}, version {number}, is in force"),
        Some(held) => format!("Version {number} of {name} changes {count} against version {held}"),
        None => format!("Version {number} of {name} is the first: {count}"),
    }
}

fn stats(diff: &DeckDiff) -> Stats {
    let figure = |n: usize| format::count(n as i64);
    let mut stats: Vec<Stat> = [DeckChangeKind::New, DeckChangeKind::Gone, DeckChangeKind::Up, DeckChangeKind::Down]
        .into_iter()
        .map(|kind| Stat::new(word(kind), figure(diff.count(kind))))
        .collect();
    let unchanged = i64::try_from(diff.unchanged).unwrap_or(i64::MAX);
    let redundant = figure(diff.count(DeckChangeKind::Redundant));
    stats.push(Stat::new("Unchanged", format::count(unchanged)));
    stats.push(
        Stat::new("Overlapping", format::count(i64::try_from(diff.overlapping).unwrap_or(i64::MAX)))
            .note(format!("{redundant} say the same as around them"), Tone::Plain),
    );
    Stats(stats)
}

fn rate(rate: Option<Decimal>) -> Cell {
    rate.map_or_else(Cell::none, |rate| Cell::figure(rate.normalize().to_string()))
}

fn changes(member: &Member, deck: &RateDeck, number: u32, diff: &DeckDiff, given: &Given) -> Panel {
    let first = DeckChangeKind::ALL.into_iter().find(|kind| diff.count(*kind) > 0).unwrap_or(DeckChangeKind::New);
    let chosen = DeckChangeKind::from_word(given.get("show")).unwrap_or(first);
    let href = |kind: DeckChangeKind| {
        let query = [("show", kind.as_str()), ("against", given.get("against"))];
        let query: Vec<_> = query.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        with_query(&member.audience.deck_version(deck.id, number), &query)
    };
    let links = DeckChangeKind::ALL
        .into_iter()
        .map(|kind| (format!("{} {}", word(kind), format::count(diff.count(kind) as i64)), href(kind), kind == chosen))
        .collect();
    let columns = vec![
        Column::text("Prefix"),
        Column::text("Destination").full(),
        Column::figures(format!("Before, {} a minute", deck.currency.code())).label("Before"),
        Column::figures("After").label("After"),
        Column::figures("Change").label("Change"),
    ];
    let empty = Empty::new("check", "None", "No prefix changes in this way.");
    let mut table = Table::new("What changes", columns, empty).dense();
    for change in diff.of(chosen).take(SHOWN) {
        let percent =
            change.percent.map(|percent| format!("{}{percent}%", if percent > Decimal::ZERO { "+" } else { "" }));
        table.row(vec![
            Cell::name(&change.prefix),
            Cell::text(&change.destination),
            rate(change.before),
            rate(change.after),
            percent.map_or_else(Cell::none, Cell::figure),
        ]);
    }
    let count = diff.count(chosen);
    let title = match count > SHOWN {
        true => format!("What changes: the first {SHOWN} of {}", format::count(count as i64)),
        false => "What changes".to_owned(),
    };
    Panel::Chosen(links, TableCard { title, all: None, table })
}

async fn losses(
    member: &Member,
    tx: &TenantTx,
    sell: &RateDeck,
    after: &Arc<DeckTable>,
    costs: &[RateDeck],
    against: &str,
) -> PageResult<Result<Panel, String>> {
    let Some(cost) = costs.iter().find(|deck| deck.id.to_string() == against) else {
        return Ok(Err("The cost deck must be one of the list.".into()));
    };
    if cost.currency != sell.currency {
        let (sell, cost) = (sell.currency.code(), cost.currency.code());
        return Ok(Err(format!("The deck is in {sell}, the carrier's in {cost}.")));
    }
    let Some(version) = usage_metering::version_in_force(tx, cost.id, member.now).await? else {
        return Ok(Err(format!("No version of {} is in force.", cost.name)));
    };
    let asked = usage_metering::deck_table(tx, cost.id, version).await?;
    let tax = Decimal::ONE + member.session.organisation.tax_percent / Decimal::ONE_HUNDRED;
    let (losses, unknown) = usage_metering::deck_losses(after, &asked, |gross| gross / tax);
    let columns = vec![
        Column::text("Prefix"),
        Column::text("Destination").full(),
        Column::figures(format!("Sold, {} a minute", sell.currency.code())).label("Sold"),
        Column::figures("Net").label("Net"),
        Column::figures("Asked").label("Asked"),
    ];
    let empty =
        Empty::new("check", "Nothing loses", "Every prefix that the carrier knows is sold for more than it asks.");
    let mut table = Table::new("What would lose", columns, empty).dense();
    for loss in losses.iter().take(SHOWN) {
        let net = (loss.sell / tax).round_dp(6);
        table.row(vec![
            Cell::name(&loss.prefix),
            Cell::text(&loss.destination),
            rate(Some(loss.sell)),
            rate(Some(net)),
            rate(Some(loss.cost)).class("bad"),
        ]);
    }
    let count = format::counted(losses.len() as i64, "prefix loses", "prefixes lose");
    let unknown = match i64::try_from(unknown).unwrap_or(i64::MAX) {
        0 => String::new(),
        n => format!("; {} not known to it", format::counted(n, "prefix is", "prefixes are")),
    };
    let title = format!("{count} money against {}, tax taken out{unknown}", cost.name);
    Ok(Ok(Panel::Table(TableCard { title, all: None, table })))
}

fn publish(member: &Member, id: DeckId, number: u32) -> FormCard {
    let field = Field::text("from", "From the beginning of", "").control(Control::Date).hint("Empty: at once");
    FormCard::post(
        "Publish",
        member.audience.deck_publications(id),
        Fields::new().whole(field),
        format!("Publish version {number}"),
    )
    .remark(
        "A day ahead can be taken back until it begins; what is in force is replaced by publishing another version.",
    )
    .kept("version", number.to_string())
}

fn against(member: &Member, id: DeckId, number: u32, costs: &[RateDeck], chosen: &str) -> FormCard {
    let options = costs.iter().map(|deck| (deck.id.to_string(), deck.name.clone()));
    let field = Field::choice("against", "Cost deck", chosen, options);
    FormCard::get(
        "Does it lose money?",
        member.audience.deck_version(id, number),
        Fields::new().whole(field),
        "Compare",
    )
    .text("Against what a carrier asks")
}
