//! Numbers: with their topics where calls arrive, with their terms where they are sold.

use super::words::customer_names;
use super::{prices, shell};
use crate::error::PageResult;
use crate::extract::Member;
use crate::format;
use crate::numbers_sold;
use crate::shell::Section;
use crate::urls::{Audience, with_query};
use crate::views::book::{List, TableCard};
use crate::views::parts::{Heading, Stats};
use crate::views::table::{Cell, Column, Empty, Table};
use crate::views::ui::Link;
use db::{CustomerId, NumberId, TariffId, TenantTx};
use std::collections::HashMap;
use subscription::{Collection, Number, NumberKind, NumberTerms, StoredTariff, UnknownCallers};
use tenant::Role;

/// `GET /admin/numbers`
pub async fn numbers(member: Member) -> PageResult<List> {
    let tx = member.tx().await?;
    let (cards, count) = match member.audience {
        Audience::Tenant => {
            let numbers = subscription::numbers(&tx, member.now).await?;
            let tariffs = subscription::tariffs(&tx).await?;
            (numbers.iter().map(|number| card(member.audience, number, &tariffs)).collect(), numbers.len())
        }
        Audience::Operator | Audience::Reseller => sold(&member, &tx).await?,
    };
    let cards = if count > 0 { cards } else { vec![nothing()] };
    let heading = Heading::new("Numbers").facts(format::counted(count as i64, "number", "numbers"));
    let may_add = member.audience != Audience::Tenant && member.must(Role::Admin).is_ok();
    Ok(List {
        shell: shell(&member, &tx, "Numbers", Section::Numbers).await?,
        heading: if may_add { heading.action("New number", member.audience.number_new()) } else { heading },
        stats: Stats::default(),
        search: None,
        tabs: super::decks::tabs(member.audience, "Numbers"),
        cards,
        pager: None,
    })
}

fn nothing() -> TableCard {
    let empty = Empty::new("hash", "No number yet", "A number shows here from the instant it is assigned.");
    TableCard { title: String::new(), all: None, table: Table::new("Numbers", vec![Column::text("Number")], empty) }
}

pub(super) fn kind(kind: NumberKind) -> &'static str {
    match kind {
        NumberKind::Local => "local",
        NumberKind::Premium => "premium",
        NumberKind::TollFree => "toll-free",
        NumberKind::Mobile => "mobile",
    }
}

/// A number with its topics, by digit.
fn card(audience: Audience, number: &Number, tariffs: &[StoredTariff]) -> TableCard {
    let label = if number.label == number.e164 { String::new() } else { format!(", {}", number.label) };
    TableCard {
        title: format!("{}{label} ({})", format::phone(&number.e164), facts(number)),
        all: Some(Link::new("Topics and settings", audience.number(number.id))),
        table: topic_table(number, tariffs, None),
    }
}

/// "local, unknown callers are refused"
pub(super) fn facts(number: &Number) -> String {
    let unknown = match number.unknown_callers {
        UnknownCallers::AskPin => "unknown callers are asked for account and PIN",
        UnknownCallers::Refuse => "unknown callers are refused",
    };
    format!("{}, {unknown}", kind(number.kind))
}

/// What callers can choose, with its price; with an audience, each leads to its form.
pub(super) fn topic_table(number: &Number, tariffs: &[StoredTariff], changes: Option<Audience>) -> Table {
    let columns = vec![
        Column::text("Digit"),
        Column::text("Topic"),
        Column::text("Price, tax included").full(),
        Column::text("The meter starts").hidden(),
    ];
    let empty = Empty::new(
        "list-details",
        "No topics",
        "Callers hear that nobody is there. A topic names a tariff and is chosen by a digit.",
    );
    let mut table = Table::new("Topics", columns, empty);
    let by_id: HashMap<TariffId, &StoredTariff> = tariffs.iter().map(|tariff| (tariff.id, tariff)).collect();
    for topic in &number.topics {
        let price = by_id.get(&topic.tariff_id);
        let told = |tariff: &&&StoredTariff| {
            let mut words = vec![prices::tariff_words(&tariff.tariff, tariff.currency)];
            words.extend(prices::tariff_times(&tariff.tariff, tariff.currency));
            words.join("; ")
        };
        let words = price.as_ref().map(told).unwrap_or_default();
        let name = price.map(|tariff| format!("{}, version {}", tariff.name, tariff.version)).unwrap_or_default();
        let starts = match topic.meter_starts {
            subscription::MeterStarts::AgentJoined => "when an agent answers; with nobody there, with the music",
            subscription::MeterStarts::TopicChosen => "when the topic is chosen",
        };
        let mut topic_name = Cell::name(&topic.name);
        if let Some(audience) = changes {
            let digit = topic.digit.to_string();
            topic_name = topic_name.to(with_query(&audience.number(number.id), &[("digit", &digit)]));
        }
        table.row(vec![
            Cell::text(topic.digit.to_string()),
            topic_name,
            Cell::text(words).sub(name),
            Cell::text(starts),
        ]);
    }
    table
}

/// The numbers that this book sells, on which terms and to whom; then those that are still in its own hands.
async fn sold(member: &Member, tx: &TenantTx) -> PageResult<(Vec<TableCard>, usize)> {
    let terms = subscription::all_number_terms(tx).await?;
    let names = customer_names(tx, terms.iter().map(|terms| terms.customer_id)).await?;
    let mut table = sold_table(member, &terms, &numbers_sold::known(&member.app, member.now).await?, &names);
    let mut count = terms.len();
    for number in subscription::numbers(tx, member.now).await? {
        if terms.iter().all(|terms| terms.number_id != number.id) {
            count += 1;
            table.row(vec![
                named(member, number.id, &number.e164, number.kind),
                Cell::text("In your hands").class("quiet"),
                Cell::none(),
            ]);
        }
    }
    Ok((vec![TableCard { title: String::new(), all: None, table }], count))
}

/// The number; for who may give it to somebody, with the way there.
fn named(member: &Member, id: NumberId, e164: &str, of_kind: NumberKind) -> Cell {
    let cell = Cell::name(format::phone(e164)).class("strong tel").sub(kind(of_kind));
    if member.must(Role::Admin).is_ok() { cell.to(member.audience.number_assignments(id)) } else { cell }
}

fn sold_table(
    member: &Member,
    terms: &[NumberTerms],
    known: &HashMap<NumberId, (String, NumberKind)>,
    names: &HashMap<CustomerId, String>,
) -> Table {
    let audience = member.audience;
    let columns =
        vec![Column::text("Number"), Column::text("Sold to").full(), Column::figures("Your share").label("Your share")];
    let mut table =
        Table::new("Numbers", columns, Empty::new("hash", "No number yet", "A number shows here once it has terms."));
    for terms in terms {
        let Some((e164, of_kind)) = known.get(&terms.number_id) else { continue };
        let name = names.get(&terms.customer_id).cloned().unwrap_or_else(|| "A customer".into());
        let share = share_words(terms);
        table.row(vec![
            named(member, terms.number_id, e164, *of_kind),
            Cell::text(name).to(audience.customer(terms.customer_id)),
            Cell::text(share).to(audience.number_split(terms.number_id)).sub(whose(terms)),
        ]);
    }
    table
}

fn share_words(terms: &NumberTerms) -> String {
    let share = terms.share.as_decimal();
    match terms.collection {
        Collection::Tenant if share.is_zero() => "rent only".to_owned(),
        Collection::Tenant => format!("{}% of the net price", format::quantity(share)),
        Collection::Seller => format!("{}%, collected by the network", format::quantity(share)),
    }
}

fn whose(terms: &NumberTerms) -> &'static str {
    if terms.follows_customer { "the customer's terms" } else { "" }
}
