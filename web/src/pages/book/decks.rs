//! Rate decks: the list, and the form of a new one.

use super::shell;
use crate::answer::{SeeOther, see_other};
use crate::error::{PageResult, sentence};
use crate::extract::Member;
use crate::format;
use crate::pages::form::{Faults, Given, Outcome, again};
use crate::shell::Section;
use crate::urls::Audience;
use crate::views::book::{List, TableCard};
use crate::views::fields::Field;
use crate::views::form::{Choice, Choices, Fields, FormPage, FormPart};
use crate::views::parts::{Heading, PagePath, Stats};
use crate::views::table::{Cell, Column, Empty, Table};
use crate::views::ui::{Badge, Link, Tone};
use actix_web::{Either, web};
use db::TenantTx;
use money::Currency;
use tenant::Role;
use usage_metering::{DeckKind, RateDeck, UsageError};

/// Numbers, and where calls go: what stands beside each other.
pub(super) fn tabs(audience: Audience, here: &str) -> Vec<(String, String, bool)> {
    [
        ("Numbers", audience.numbers()),
        ("Rate decks", audience.decks()),
        ("Carriers", audience.carriers()),
        ("Try a number", audience.routes()),
        ("Limits", audience.outgoing()),
    ]
    .into_iter()
    .map(|(text, href)| (text.to_owned(), href, text == here))
    .collect()
}

pub(super) fn kind_word(kind: DeckKind) -> &'static str {
    match kind {
        DeckKind::Sell => "What customers pay",
        DeckKind::Cost => "What a carrier asks",
        DeckKind::Payout => "What a carrier pays out",
    }
}

/// `GET /admin/decks`
pub async fn decks(member: Member) -> PageResult<List> {
    let tx = member.tx().await?;
    let decks = usage_metering::decks(&tx).await?;
    let may_change = member.must(Role::Billing).is_ok();
    let mut empty = Empty::new(
        "table",
        "No rate deck yet",
        "A deck says what each prefix costs: one for customers, one for each carrier.",
    );
    empty.action = may_change.then(|| Link::new("New rate deck", member.audience.deck_new()));
    let columns = vec![
        Column::text("Deck"),
        Column::text("Says"),
        Column::figures("Prefixes").label("Prefixes"),
        Column::text("In force since").full(),
        Column::text("State"),
    ];
    let mut table = Table::new("Rate decks", columns, empty);
    for deck in &decks {
        table.row(row(&member, &tx, deck).await?);
    }
    let heading =
        Heading::new("Rate decks").facts("Prices of calls that go out, by the digits that a number begins with.");
    Ok(List {
        shell: shell(&member, &tx, "Rate decks", Section::Numbers).await?,
        heading: if may_change { heading.action("New rate deck", member.audience.deck_new()) } else { heading },
        stats: Stats::default(),
        search: None,
        tabs: tabs(member.audience, "Rate decks"),
        cards: vec![TableCard { title: String::new(), all: None, table }],
        pager: None,
    })
}

async fn row(member: &Member, tx: &TenantTx, deck: &RateDeck) -> PageResult<Vec<Cell>> {
    let publications = usage_metering::publications(tx, deck.id).await?;
    let versions = usage_metering::deck_versions(tx, deck.id).await?;
    let held = usage_metering::in_force(&publications, member.now);
    let prefixes =
        |version: u32| versions.iter().find(|known| known.version == version).map_or(0, |known| known.prefixes);
    let newest = versions.first().map_or(0, |version| version.version);
    let state = match held {
        None if versions.is_empty() => Badge::new("Empty", Tone::Plain),
        None => Badge::new("Draft", Tone::Soon),
        Some(held) if held.version < newest => Badge::new("Newer draft", Tone::Soon),
        Some(_) => Badge::new("In force", Tone::Good),
    };
    Ok(vec![
        Cell::name(&deck.name).to(member.audience.deck(deck.id)).sub(deck.currency.code()),
        Cell::text(kind_word(deck.kind)),
        held.map_or_else(Cell::none, |held| {
            Cell::figure(format::count(i64::try_from(prefixes(held.version)).unwrap_or(i64::MAX)))
        }),
        held.map_or_else(Cell::none, |held| {
            Cell::text(format::stamp(held.effective_from, &member.zone).text).sub(format!("version {}", held.version))
        }),
        Cell::none().with(state),
    ])
}

fn fields(given: &Given, faults: &Faults, usual: Currency) -> Vec<FormPart> {
    let kinds = DeckKind::ALL.map(|kind| Choice::new(kind.as_str(), kind_word(kind)));
    let fields = Fields::new()
        .half(Field::text("name", "Name", given.get("name")).required().error(faults.at("name")))
        .half(
            Field::text("currency", "Currency", given.or("currency", usual.code()))
                .required()
                .hint("Of every rate in it")
                .error(faults.at("currency")),
        )
        .choices(Choices::one("kind", "Says", given.or("kind", "sell"), kinds.to_vec()).error(faults.at("kind")));
    vec![FormPart { title: "What it is", text: "Its prefixes come with a file, version by version.", fields }]
}

async fn page(member: &Member, given: &Given, faults: &Faults) -> PageResult<FormPage> {
    let tx = member.tx().await?;
    Ok(FormPage {
        shell: shell(member, &tx, "A new rate deck", Section::Numbers).await?,
        heading: Heading::new("A new rate deck").path(PagePath::under("Rate decks", member.audience.decks(), "New")),
        note: None,
        action: member.audience.decks(),
        parts: fields(given, faults, member.session.organisation.currency),
        button: "Make the deck".into(),
        remark: "It holds for nothing before a version of it is published.".into(),
        back_href: member.audience.decks(),
    })
}

/// `GET /admin/decks/new`
pub async fn form(member: Member) -> PageResult<FormPage> {
    member.must(Role::Billing)?;
    page(&member, &Given::default(), &Faults::default()).await
}

/// `POST /admin/decks`
pub async fn create(member: Member, given: web::Form<Given>) -> PageResult<Outcome<SeeOther, FormPage>> {
    member.must(Role::Billing)?;
    let mut faults = Faults::default();
    let currency = given.get("currency").to_ascii_uppercase().parse::<Currency>();
    let currency = faults.keep("currency", currency.map_err(|_| "Must be a currency, such as EUR.".to_owned()));
    let kind = DeckKind::from_word(given.get("kind")).ok_or_else(|| "Must be one of these.".to_owned());
    let kind = faults.keep("kind", kind);
    if let (Some(currency), Some(kind)) = (currency, kind) {
        let tx = member.tx().await?;
        match usage_metering::create_deck(&tx, given.get("name"), kind, currency, member.now).await {
            Ok(id) => {
                let payload = serde_json::json!({ "name": given.get("name"), "kind": kind.as_str() });
                let actor = member.actor();
                tenant::record_audit(&tx, &actor, "deck.create", &id.to_string(), payload, member.now).await?;
                tx.commit().await?;
                return Ok(Either::Left(see_other(member.audience.deck(id)).notice("Now import its first version.")));
            }
            Err(error @ (UsageError::DeckNameMustBeShort(_) | UsageError::DeckNameMustBeFree(_))) => {
                faults.say("name", sentence(error));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(again(page(&member, &given, &faults).await?))
}
