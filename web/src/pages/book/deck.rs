//! One rate deck: what is in force, its versions, importing another, publishing, undoing, and what a number costs.

use super::decks::{kind_word, tabs};
use super::{shell, words};
use crate::answer::{SeeOther, see_other};
use crate::error::{PageError, PageResult};
use crate::extract::Member;
use crate::format;
use crate::pages::form::{Faults, Given, Outcome, again};
use crate::read;
use crate::shell::Section;
use crate::upload;
use crate::views::book::TableCard;
use crate::views::fields::{Control, Field};
use crate::views::form::Fields;
use crate::views::panels::{FormCard, Panel, Panels};
use crate::views::parts::{Fact, Facts, Heading, Note, PagePath, Stats};
use crate::views::table::{Cell, Column, Empty, Table};
use crate::views::ui::{Badge, Tone};
use actix_web::{Either, HttpRequest, web};
use chrono::{DateTime, Utc};
use db::{DeckId, TenantTx};
use tenant::Role;
use usage_metering::{DeckFaults, DeckImport, DeckVersion, Publication, RateDeck};

/// Largest file, bytes: 200,000 prefixes have about 10 million.
const FILE_BYTES_MAX: usize = 32 * 1024 * 1024;

/// A deck with its versions and publications.
pub(super) struct Opened {
    pub deck: RateDeck,
    pub versions: Vec<DeckVersion>,
    pub publications: Vec<Publication>,
}

impl Opened {
    pub async fn read(tx: &TenantTx, id: DeckId) -> PageResult<Opened> {
        let deck = usage_metering::deck(tx, id).await?.ok_or(PageError::NotFound)?;
        let versions = usage_metering::deck_versions(tx, id).await?;
        Ok(Opened { deck, versions, publications: usage_metering::publications(tx, id).await? })
    }

    pub fn in_force(&self, at: DateTime<Utc>) -> Option<&Publication> {
        usage_metering::in_force(&self.publications, at)
    }

    /// What waits for its day.
    pub fn waiting(&self, at: DateTime<Utc>) -> impl Iterator<Item = &Publication> {
        usage_metering::waiting(&self.publications, at)
    }
}

/// `GET /admin/decks/{deck_id}?number=`
pub async fn deck(member: Member, path: web::Path<String>, given: web::Query<Given>) -> PageResult<Panels> {
    page(&member, path.parse()?, &given, None).await
}

async fn page(member: &Member, id: DeckId, given: &Given, faults: Option<&DeckFaults>) -> PageResult<Panels> {
    let tx = member.tx().await?;
    let opened = Opened::read(&tx, id).await?;
    let deck = &opened.deck;
    let held = opened.in_force(member.now);
    let title = match held {
        Some(held) => format!("{}: version {} is in force", deck.name, held.version),
        None if opened.versions.is_empty() => format!("{} is empty", deck.name),
        None => format!("{} is a draft", deck.name),
    };
    let heading = Heading::new(title)
        .path(PagePath::under("Rate decks", member.audience.decks(), id.to_string()).id())
        .facts(format!("{}, in {}", kind_word(deck.kind), deck.currency.code()));
    let mut main = Vec::new();
    if let Some(faults) = faults {
        main.push(refused(faults));
    }
    if let Some(held) = held
        && !given.get("number").is_empty()
    {
        main.push(looked_up(&tx, deck, held.version, given.get("number")).await?);
    }
    main.push(Panel::Table(TableCard { title: "Versions".into(), all: None, table: versions(member, &opened) }));
    main.push(Panel::Table(TableCard { title: "Published".into(), all: None, table: published(member, &opened) }));
    let mut side = Vec::new();
    if held.is_some() {
        let field = Field::text("number", "Number", given.get("number")).placeholder("+49151234567");
        side.push(Panel::Form(FormCard::get(
            "What does a number cost?",
            member.audience.deck(id),
            Fields::new().whole(field),
            "Look it up",
        )));
    }
    if member.must(Role::Billing).is_ok() {
        side.push(Panel::Form(upload(member, id, faults.is_some())));
        side.extend(opened.waiting(member.now).map(|waiting| Panel::Form(undo(member, id, waiting))));
    }
    let refused = "Nothing was imported. What is wrong stands below, line by line.";
    Ok(Panels {
        shell: shell(member, &tx, &deck.name, Section::Numbers).await?,
        heading,
        tabs: tabs(member.audience, "Rate decks"),
        note: faults.map(|_| Note::wrong("The file was refused.", refused)),
        stats: Stats::default(),
        main,
        side,
        pager: None,
    })
}

fn upload(member: &Member, id: DeckId, is_refused: bool) -> FormCard {
    let file = Field::text("file", "File", ".csv,.txt,.tsv,text/csv")
        .control(Control::File)
        .hint("Columns prefix and rate; if you like destination, connection, first_increment, increment, tariff")
        .error(is_refused.then_some("This file was refused."));
    FormCard::post(
        "Import a version",
        member.audience.deck_versions(id),
        Fields::new().whole(file),
        "Import as a draft",
    )
    .text("A table with commas, semicolons or tabs")
    .remark("It changes no price before you have looked at it and published it.")
    .uploads()
}

fn undo(member: &Member, id: DeckId, waiting: &Publication) -> FormCard {
    let text =
        format!("Version {} waits for {}", waiting.version, format::full(waiting.effective_from, &member.zone).text);
    FormCard::post("Undo", member.audience.deck_withdrawal(id), Fields::new(), "Take it back")
        .kept("position", waiting.position.to_string())
        .text(text)
        .danger()
}

/// What is wrong with a file.
fn refused(faults: &DeckFaults) -> Panel {
    let columns = vec![
        Column::figures("Line").label("Line"),
        Column::text("Field"),
        Column::text("Rule").full(),
        Column::text("Found"),
    ];
    let mut table = Table::new("What is wrong", columns, Empty::new("check", "Nothing", ""));
    for fault in &faults.named {
        table.row(vec![
            Cell::figure(fault.line.to_string()),
            Cell::text(fault.field),
            Cell::text(&fault.rule),
            Cell::text(if fault.value.is_empty() { "nothing" } else { fault.value.as_str() }).class("strong"),
        ]);
    }
    let count = i64::try_from(faults.count).unwrap_or(i64::MAX);
    let shown = faults.named.len();
    let title = match shown as u64 == faults.count {
        true => format!("{} wrong", format::counted(count, "line is", "lines are")),
        false => format!("{} wrong; the first {shown}", format::counted(count, "line is", "lines are")),
    };
    Panel::Table(TableCard { title, all: None, table })
}

async fn looked_up(tx: &TenantTx, deck: &RateDeck, version: u32, number: &str) -> PageResult<Panel> {
    // As calls are read; a nought in brackets is dialled only within the country.
    let Some(digits) = call_control::digits_of(&number.replace("(0)", "")) else {
        let why = "None: say the whole number with its country, as +49151234567";
        return Ok(Panel::Facts(Facts(vec![Fact::new("Number", number), Fact::new("Price", why)])));
    };
    let table = usage_metering::deck_table(tx, deck.id, version).await?;
    let facts = match table.longest(&digits) {
        Some(row) => vec![
            Fact::new("Number", format::phone(&format!("+{digits}"))),
            Fact::new("Prefix", &*row.prefix).quiet(&*row.destination),
            Fact::new("Price", super::prices::tariff_words(&row.tariff(), deck.currency)),
        ],
        None => vec![Fact::new("Number", number), Fact::new("Price", "None: no prefix of it is in the deck")],
    };
    Ok(Panel::Facts(Facts(facts)))
}

fn versions(member: &Member, opened: &Opened) -> Table {
    let columns = vec![
        Column::text("Version"),
        Column::figures("Prefixes").label("Prefixes"),
        Column::text("Imported").full(),
        Column::text("State"),
    ];
    let empty = Empty::new("table", "No version yet", "Import a file: it becomes a draft that you can look at first.");
    let mut table = Table::new("Versions", columns, empty);
    let held = opened.in_force(member.now).map(|held| held.version);
    for version in &opened.versions {
        let was = opened.publications.iter().any(|one| one.version == version.version && one.withdrawn_at.is_none());
        let state = match (held == Some(version.version), was) {
            (true, _) => Badge::new("In force", Tone::Good),
            (false, true) if opened.waiting(member.now).any(|one| one.version == version.version) => {
                Badge::new("Waits for its day", Tone::Soon)
            }
            (false, true) => Badge::new("Former", Tone::Plain),
            (false, false) => Badge::new("Draft", Tone::Soon),
        };
        table.row(vec![
            Cell::name(format!("Version {}", version.version))
                .to(member.audience.deck_version(opened.deck.id, version.version))
                .sub(&version.source),
            Cell::figure(format::count(i64::try_from(version.prefixes).unwrap_or(i64::MAX))),
            Cell::text(format::stamp(version.created_at, &member.zone).text).sub(format!("by {}", version.created_by)),
            Cell::none().with(state),
        ]);
    }
    table
}

fn published(member: &Member, opened: &Opened) -> Table {
    let columns =
        vec![Column::text("From"), Column::text("Version"), Column::text("Published").full(), Column::text("State")];
    let empty = Empty::new(
        "calendar",
        "Nothing is published",
        "Open a version to see what it changes, and publish it from a day on.",
    );
    let mut table = Table::new("Published", columns, empty);
    let held = opened.in_force(member.now).map(|held| held.position);
    for one in &opened.publications {
        let state = match one.withdrawn_at {
            Some(_) => Badge::new("Taken back", Tone::Plain),
            None if held == Some(one.position) => Badge::new("In force", Tone::Good),
            None if one.effective_from > member.now => Badge::new("Waits for its day", Tone::Soon),
            None => Badge::new("Over", Tone::Plain),
        };
        table.row(vec![
            Cell::name(format::stamp(one.effective_from, &member.zone).text),
            Cell::text(format!("Version {}", one.version)),
            Cell::text(format::stamp(one.published_at, &member.zone).text).sub(format!("by {}", one.published_by)),
            Cell::none().with(state),
        ]);
    }
    table
}

/// `POST /admin/decks/{deck_id}/versions`
pub async fn import(
    member: Member,
    path: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> PageResult<Outcome<SeeOther, Panels>> {
    member.must(Role::Billing)?;
    let id: DeckId = path.parse()?;
    let upload = upload::read(&member.app, &request, payload, FILE_BYTES_MAX).await?;
    if upload.bytes.is_empty() {
        return Ok(Either::Left(see_other(member.audience.deck(id)).warning("Choose a file first.")));
    }
    let Ok(text) = String::from_utf8(upload.bytes) else {
        return Ok(Either::Left(see_other(member.audience.deck(id)).warning("The file must be text in UTF-8.")));
    };
    let (app, actor, name) = (&member.app, member.actor(), upload.file_name);
    let imported =
        usage_metering::import_deck(&app.db, member.session.tenant_id, id, &name, &text, &actor, member.now).await?;
    match imported {
        DeckImport::Refused(faults) => Ok(again(page(&member, id, &Given::default(), Some(&faults)).await?)),
        DeckImport::Taken { version, is_new, repeated } => {
            let tx = member.tx().await?;
            let payload = serde_json::json!({ "version": version.version, "prefixes": version.prefixes, "source": version.source });
            tenant::record_audit(&tx, &actor, "deck.import", &id.to_string(), payload, member.now).await?;
            tx.commit().await?;
            let count = format::counted(i64::try_from(version.prefixes).unwrap_or(i64::MAX), "prefix", "prefixes");
            let said = match (is_new, repeated) {
                (false, _) => format!("The deck had this content already: it is version {}.", version.version),
                (true, 0) => format!("Version {} with {count} is a draft. Look at what it changes.", version.version),
                (true, n) => {
                    format!("Version {} with {count} is a draft; {n} repeated lines were left out.", version.version)
                }
            };
            Ok(Either::Left(see_other(member.audience.deck_version(id, version.version)).notice(said)))
        }
    }
}

/// `POST /admin/decks/{deck_id}/publications`
pub async fn publish(member: Member, path: web::Path<String>, given: web::Form<Given>) -> PageResult<SeeOther> {
    member.must(Role::Billing)?;
    let id: DeckId = path.parse()?;
    let version: u32 = given.get("version").parse().map_err(|_| PageError::NotFound)?;
    let mut faults = Faults::default();
    let zone = &member.session.organisation.time_zone;
    let from = match given.get("from") {
        "" => Some(member.now),
        day => match faults.keep("from", read::day(day)) {
            Some(day) => Some(pricing::start_of_day(day, zone)?),
            None => None,
        },
    };
    let Some(from) = from else {
        return Ok(see_other(member.audience.deck_version(id, version)).warning(faults.first()));
    };
    let tx = member.tx().await?;
    let published = usage_metering::publish_deck(&tx, id, version, from, &member.actor(), member.now).await?;
    let payload = serde_json::json!({ "version": version, "from": published.effective_from });
    tenant::record_audit(&tx, &member.actor(), "deck.publish", &id.to_string(), payload, member.now).await?;
    tx.commit().await?;
    let said = match published.effective_from > member.now {
        true => format!(
            "Version {version} holds from {} on. Until then it can be taken back.",
            words::day(words::civil_day(published.effective_from, zone)?)
        ),
        false => format!("Version {version} is in force."),
    };
    Ok(see_other(member.audience.deck(id)).notice(said))
}

/// `POST /admin/decks/{deck_id}/withdrawal`
pub async fn withdraw(member: Member, path: web::Path<String>, given: web::Form<Given>) -> PageResult<SeeOther> {
    member.must(Role::Billing)?;
    let id: DeckId = path.parse()?;
    let position: u32 = given.get("position").parse().map_err(|_| PageError::NotFound)?;
    let tx = member.tx().await?;
    let undone = usage_metering::withdraw_publication(&tx, id, position, member.now).await?;
    let payload = serde_json::json!({ "version": undone.version });
    tenant::record_audit(&tx, &member.actor(), "deck.withdraw", &id.to_string(), payload, member.now).await?;
    tx.commit().await?;
    Ok(see_other(member.audience.deck(id)).notice(format!("Version {} is taken back.", undone.version)))
}
