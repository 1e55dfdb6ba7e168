//! Files of call records: sent, read in a way that is shown on their first rows, tried for nothing, and taken.

mod asked;
mod settings;
mod show;

pub use asked::{remove, set, start, stop, trial};
pub(crate) use show::report_of as import_report;
pub use show::{events, import, report};

use super::shell;
use crate::answer::{SeeOther, see_other};
use crate::error::{PageError, PageResult, sentence};
use crate::extract::Member;
use crate::format;
use crate::pages::form::{Outcome, again};
use crate::shell::Section;
use crate::upload;
use crate::views::book::{List, TableCard};
use crate::views::fields::Field;
use crate::views::form::Fields;
use crate::views::imports::ImportNew;
use crate::views::parts::{Heading, PagePath, Pager, Stats};
use crate::views::table::{Cell, Column, Empty, Table};
use crate::views::ui::{Badge, Link, Tone};
use actix_web::{Either, HttpRequest, web};
use chrono::{DateTime, Utc};
use db::{ImportId, TenantTx};
use serde::Deserialize;
use tenant::Role;
use usage_metering::{FILE_BYTES_MAX, Format, Import, ImportState, NewImport, Settings, UsageError};

const SHOWN: u64 = 50;

/// The last row of the page before.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct After {
    at: Option<DateTime<Utc>>,
    id: Option<String>,
}

/// `GET /admin/imports`
pub async fn imports(member: Member, after: web::Query<After>) -> PageResult<List> {
    let tx = member.tx().await?;
    let after = match (after.at, &after.id) {
        (Some(at), Some(id)) => Some((at, id.parse::<ImportId>()?)),
        _ => None,
    };
    let mut imports = usage_metering::imports(&tx, after, SHOWN + 1).await?;
    let has_more = imports.len() as u64 > SHOWN;
    imports.truncate(SHOWN as usize);
    let may = member.must(Role::Billing).is_ok();
    let heading =
        Heading::new("Imports").facts("Files with the call records of other switches, and what came of them.");
    let next = imports.last().filter(|_| has_more).map(|last| {
        let (at, id) = (last.created_at.to_rfc3339(), last.id.to_string());
        crate::urls::with_query(&member.audience.imports(), &[("at", &at), ("id", &id)])
    });
    let shown = format::counted(count(imports.len() as u64), "file, the newest first", "files, the newest first");
    Ok(List {
        shell: shell(&member, &tx, "Imports", Section::Usage).await?,
        heading: if may { heading.action("Send a file", member.audience.import_new()) } else { heading },
        stats: Stats::default(),
        search: None,
        tabs: super::meters::tabs(&member, "Imports"),
        pager: (!imports.is_empty()).then(|| Pager {
            shown,
            first: after.is_some().then(|| member.audience.imports()),
            next,
        }),
        cards: vec![TableCard { title: String::new(), all: None, table: table(&member, &imports, may) }],
    })
}

fn table(member: &Member, imports: &[Import], may: bool) -> Table {
    let columns = vec![
        Column::text("File"),
        Column::text("State"),
        Column::figures("Rows").label("Rows"),
        Column::figures("Counted").label("Counted"),
        Column::figures("Known").hidden(),
        Column::figures("Not counted").label("Not counted"),
        Column::text("Sent").hidden(),
    ];
    let text = "A file of FreeSWITCH, Asterisk, Kamailio or OpenSIPS, or any CSV, becomes calls here.";
    let mut empty = Empty::new("receipt", "No file yet", text);
    empty.action = may.then(|| Link::new("Send a file", member.audience.import_new()));
    let mut table = Table::new("Imports", columns, empty);
    for import in imports {
        let progress = import.progress;
        let left_out = progress.refused + progress.suspended + progress.conflict;
        let figure = |n: u64| Cell::figure(format::count(count(n)));
        table.row(vec![
            Cell::name(&import.name).sub(import.settings.format.title()).to(member.audience.import(import.id)),
            Cell::none().with(badge(import)),
            figure(progress.rows),
            // What a trial counted counts nowhere.
            if import.state == ImportState::Done
                || import.state == ImportState::Running
                || import.state == ImportState::Stopped
            {
                figure(progress.accepted)
            } else {
                figure(0)
            },
            figure(progress.duplicate),
            figure(left_out),
            Cell::text(format::stamp(import.created_at, &member.zone).text).sub(&import.created_by),
        ]);
    }
    table
}

pub(super) fn badge(import: &Import) -> Badge {
    match import.state {
        ImportState::Uploaded => Badge::new("Not begun", Tone::Plain),
        ImportState::Trying => Badge::new("Being tried", Tone::On),
        ImportState::Tried => Badge::new("Tried", Tone::Soon),
        ImportState::Running => Badge::new("Being taken", Tone::On),
        ImportState::Done => Badge::new("Done", Tone::Good),
        ImportState::Stopped => Badge::new("Stopped", Tone::Wrong),
    }
}

fn count(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// What a form of a file was given.
#[derive(Default)]
struct Given {
    format: String,
    saved: String,
    file_error: Option<String>,
    format_error: Option<String>,
}

/// `GET /admin/imports/new`
pub async fn form(member: Member) -> PageResult<ImportNew> {
    member.must(Role::Billing)?;
    let tx = member.tx().await?;
    page(&member, &tx, Given::default()).await
}

async fn page(member: &Member, tx: &TenantTx, given: Given) -> PageResult<ImportNew> {
    let formats = Format::ALL.map(|format| (format.as_str().to_owned(), format.title().to_owned()));
    let saved = usage_metering::mappings(tx).await?;
    let mut fields =
        Fields::new().half(Field::choice("format", "Format", &given.format, formats).error(given.format_error));
    if !saved.is_empty() {
        let none = std::iter::once((String::new(), "As the format is read".to_owned()));
        let names = saved.into_iter().map(|saved| (saved.name.clone(), saved.name));
        let hint = "A way that you have kept takes the place of the format";
        fields = fields.half(Field::choice("saved", "Read as", &given.saved, none.chain(names)).hint(hint));
    }
    Ok(ImportNew {
        shell: shell(member, tx, "Send a file", Section::Usage).await?,
        heading: Heading::new("Send a file of call records").path(PagePath::under(
            "Imports",
            member.audience.imports(),
            "New",
        )),
        action: member.audience.imports(),
        fields,
        file_error: given.file_error,
        file_hint: format!("At most {} MiB, also when it is unpacked; gzip is taken.", FILE_BYTES_MAX / 1024 / 1024),
        back_href: member.audience.imports(),
    })
}

/// `POST /admin/imports`: keeps the file; nothing is read of it but its first rows.
pub async fn upload(
    member: Member,
    request: HttpRequest,
    payload: web::Payload,
) -> PageResult<Outcome<SeeOther, ImportNew>> {
    member.must(Role::Billing)?;
    let form = upload::read(&member.app, &request, payload, FILE_BYTES_MAX).await?;
    let mut given = Given { format: form.get("format").into(), saved: form.get("saved").into(), ..Given::default() };
    let tx = member.tx().await?;
    let (name, bytes) = (form.file_name, form.bytes);
    let unpacked = match bytes.is_empty() {
        true => Err("Choose a file.".to_owned()),
        false => usage_metering::unpack(bytes).map_err(sentence),
    };
    let bytes = match unpacked {
        Ok(bytes) => bytes,
        Err(why) => {
            given.file_error = Some(why);
            return Ok(again(page(&member, &tx, given).await?));
        }
    };
    let Some(settings) = settings_of(&member, &tx, &given, &bytes).await? else {
        given.format_error = Some("Must be one of these.".into());
        return Ok(again(page(&member, &tx, given).await?));
    };
    let by = member.actor();
    let name = if name.is_empty() { "call records" } else { name.as_str() };
    let new = NewImport { name, settings: &settings, bytes: &bytes, by: &by };
    let id = match usage_metering::create_import(&tx, &new, member.now).await {
        Ok(id) => id,
        Err(error @ UsageError::FilesMustBeFew(_)) => {
            given.file_error = Some(sentence(error));
            return Ok(again(page(&member, &tx, given).await?));
        }
        Err(error) => return Err(error.into()),
    };
    let payload = serde_json::json!({ "name": name, "bytes": bytes.len(), "format": settings.format.as_str() });
    tenant::record_audit(&tx, &by, "import.upload", &id.to_string(), payload, member.now).await?;
    tx.commit().await?;
    Ok(Either::Left(see_other(member.audience.import(id))))
}

/// A way that was kept, else the format's own, with the organisation's clock and what a file's first line tells.
async fn settings_of(member: &Member, tx: &TenantTx, given: &Given, bytes: &[u8]) -> PageResult<Option<Settings>> {
    if !given.saved.is_empty() {
        let saved = usage_metering::mappings(tx).await?.into_iter().find(|saved| saved.name == given.saved);
        return Ok(saved.map(|saved| saved.settings));
    }
    let Some(format) = Format::from_word(&given.format) else { return Ok(None) };
    let organisation = &member.session.organisation;
    let mapping = (format == Format::Csv).then(|| usage_metering::Mapping::guess(bytes));
    Ok(Some(Settings { time_zone: Some(organisation.time_zone.clone()), mapping, ..Settings::new(format) }))
}

async fn find(tx: &TenantTx, path: &str) -> PageResult<Import> {
    let id: ImportId = path.parse().map_err(|_| PageError::NotFound)?;
    Ok(usage_metering::import(tx, id).await?)
}
