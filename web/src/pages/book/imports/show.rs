//! One file: its first rows as they are read, how far it is, what it comes to, and what was not counted.

use super::settings::{self, Values};
use super::{badge, count, find};
use crate::error::{PageError, PageResult};
use crate::extract::{Member, SignedIn};
use crate::pages::form::{Faults, Given};
use crate::shell::Section;
use crate::views::imports::{Asking, ImportPage};
use crate::views::parts::{Heading, Note, PagePath, SumRow, Sums};
use crate::views::runs::{RunProgress, ThrowAway};
use crate::views::table::{Cell, Column, Empty, Table};
use crate::views::ui::{Badge, Tone};
use crate::{format, sse};
use actix_web::{HttpResponse, web};
use askama::Template;
use chrono::{DateTime, Utc};
use db::{ImportId, TenantTx};
use money::{Currency, Money};
use std::time::Duration;
use tenant::Role;
use usage_metering::{Format, Import, ImportState, NotCounted, Reader, Row};

const PREVIEW_ROWS: usize = 10;
const NOT_COUNTED_SHOWN: u64 = 20;
/// Rows of the report that are read at once.
const REPORT_BLOCK: u64 = 5_000;
const LOOKED_AT_EVERY: Duration = Duration::from_secs(1);

/// `GET /admin/imports/{import_id}`
pub async fn import(member: Member, path: web::Path<String>) -> PageResult<ImportPage> {
    let tx = member.tx().await?;
    let import = find(&tx, &path).await?;
    page(&member, &tx, import, None).await
}

/// The page; with a form that was sent and is wrong, as it was sent.
pub async fn page(
    member: &Member,
    tx: &TenantTx,
    import: Import,
    sent: Option<(&Given, &Faults)>,
) -> PageResult<ImportPage> {
    let may = member.must(Role::Billing).is_ok();
    let bytes = if import.state.is_open() { usage_metering::import_file(tx, import.id).await? } else { Vec::new() };
    let reader = Reader::new(&bytes, &import.settings);
    let rows: Vec<Row> = reader.rows().take(PREVIEW_ROWS).collect();
    let left_out = usage_metering::import_report(tx, import.id, 0, NOT_COUNTED_SHOWN).await?;
    let shell = super::shell(member, tx, import.name.clone(), Section::Usage).await?;
    let (none, audience, id) = (Faults::default(), member.audience, import.id);
    let (values, faults) = match sent {
        Some((given, faults)) => (Values::sent(given), faults),
        None => (Values::of(&import.settings), &none),
    };
    let is_open = import.state.is_open();
    let parts = match is_open && may {
        true => settings::parts(import.settings.format, &values, &columns(&import, &bytes), faults),
        false => Vec::new(),
    };
    let remove = (is_open && may).then(|| ThrowAway {
        title: "Forget this file".into(),
        text: "Nothing of it was counted. Its bytes are given up.".into(),
        action: audience.import_part(id, "removal"),
        button: "Forget it".into(),
        token: shell.token(),
    });
    let tried = matches!(import.state, ImportState::Trying | ImportState::Tried);
    Ok(ImportPage {
        heading: heading(member, &import),
        note: import
            .stopped_because
            .as_ref()
            .filter(|_| import.state == ImportState::Stopped)
            .map(|why| Note::wrong("It was stopped.", format!("{}. What was taken until then stands.", capital(why)))),
        events_href: audience.import_part(id, "events"),
        progress: (import.state != ImportState::Uploaded).then(|| progress(&import, member.now)),
        sums_title: if tried { "What it would come to".into() } else { "What it comes to".into() },
        sums: (import.state != ImportState::Uploaded).then(|| sums(&import, member.session.organisation.currency)),
        asking: if may { asking(member, &import, &rows) } else { Vec::new() },
        remove,
        preview: is_open.then(|| preview(member, &rows)),
        preview_text: format!("as they are read now, times in {}", format::zone_name(&member.zone, member.now)),
        settings_action: audience.import_part(id, "settings"),
        parts,
        not_counted: (!left_out.is_empty()).then(|| not_counted(&left_out)),
        report_href: audience.import_part(id, "report"),
        shell,
    })
}

fn heading(member: &Member, import: &Import) -> Heading {
    let facts = format!(
        "{} · from {} · {} · sent by {}",
        import.settings.format.title(),
        import.settings.source,
        size(import.file_bytes),
        import.created_by
    );
    let mut heading = Heading::new(&import.name)
        .path(PagePath::under("Imports", member.audience.imports(), import.id.to_string()).id())
        .facts(facts)
        .at(format::full(import.created_at, &member.zone));
    if import.state.is_busy() {
        heading = heading.remark("you may leave this page");
    }
    heading.badge = Some(badge(import));
    heading
}

fn size(bytes: u64) -> String {
    match bytes {
        0..=9_999 => format!("{} bytes", format::count(count(bytes))),
        10_000..=9_999_999 => format!("{} kB", format::count(count(bytes / 1_000))),
        _ => format!("{} MB", format::count(count(bytes / 1_000_000))),
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}", first.to_uppercase(), letters.as_str()))
}

/// Names of the file's columns, for the form; their places where the file has none.
fn columns(import: &Import, bytes: &[u8]) -> Vec<String> {
    match (&import.settings.mapping, import.settings.format) {
        (Some(mapping), Format::Csv) => mapping.columns_of(bytes),
        _ => Vec::new(),
    }
}

fn asking(member: &Member, import: &Import, rows: &[Row]) -> Vec<Asking> {
    let part = |name: &str| member.audience.import_part(import.id, name);
    let ask = |name: &str, button: &str, is_first: bool, remark: &str| Asking {
        action: part(name),
        button: button.to_owned(),
        is_first,
        remark: remark.to_owned(),
    };
    let is_readable = rows.iter().any(|row| row.record.is_ok());
    match import.state {
        ImportState::Uploaded if !is_readable => Vec::new(),
        ImportState::Uploaded => vec![
            ask("trial", "Try it", true, "Every row is tried, and nothing is written but what it would come to."),
            ask("start", "Take all rows now", false, "Calls are charged as if they had been made here."),
        ],
        ImportState::Tried => vec![
            ask("start", "Take all rows", true, "Calls are charged as if they had been made here."),
            ask("trial", "Try it again", false, ""),
        ],
        ImportState::Trying | ImportState::Running => {
            vec![ask("stop", "Stop it", false, "What was taken until then stands; it can be gone on with.")]
        }
        ImportState::Stopped => vec![ask("start", "Go on", true, "It goes on at the row where it was stopped.")],
        ImportState::Done => Vec::new(),
    }
}

fn progress(import: &Import, now: DateTime<Utc>) -> RunProgress {
    let progress = import.progress;
    let is_over = !import.state.is_busy();
    let of = |part: u64, whole: u64| u32::try_from(part.saturating_mul(1000) / whole.max(1)).unwrap_or(1000).min(1000);
    let done =
        if import.state == ImportState::Stopped || !is_over { of(progress.bytes, import.file_bytes) } else { 1000 };
    let left_out = progress.refused + progress.conflict;
    let failed_width = if left_out == 0 { 0 } else { of(left_out, progress.rows).max(4).min(done) };
    let title = match import.state {
        ImportState::Uploaded => "Not begun",
        ImportState::Trying => "Trying every row",
        ImportState::Tried => "Tried; nothing is written",
        ImportState::Running => "Taking every row",
        ImportState::Done => "Every row is taken",
        ImportState::Stopped => "Stopped",
    };
    let figure = |n: u64| format::count(count(n));
    let left = import.seconds_left(now).filter(|_| !is_over);
    RunProgress {
        title: title.into(),
        now: String::new(),
        done: figure(progress.rows),
        done_count: u64::from(done),
        of: match is_over {
            true => format!("rows of {}", size(import.file_bytes)),
            false => format!("rows, {}% of {}", done / 10, size(import.file_bytes)),
        },
        total_count: 1000,
        left: left.map_or_else(String::new, |seconds| format!("about {} left", format::duration_words(count(seconds)))),
        done_width: done - failed_width,
        failed_width,
        succeeded: format!("{} counted", figure(progress.accepted)),
        failed: (left_out > 0).then(|| format!("{} refused", figure(left_out))),
        to_go: format!("{} known already, {} waiting", figure(progress.duplicate), figure(progress.suspended)),
        rate: import.rows_per_second(now).map_or_else(String::new, |rows| format!("{} a second", figure(rows))),
        phases: Vec::new(),
        is_over,
    }
}

fn sums(import: &Import, currency: Currency) -> Sums {
    let progress = import.progress;
    let figure = |n: u64| format::count(count(n));
    let mut rows = vec![
        SumRow::plain("Counted", figure(progress.accepted)),
        SumRow::plain("Known already", figure(progress.duplicate)),
        SumRow::plain("In suspense", figure(progress.suspended + progress.conflict)),
        SumRow::plain("Refused", figure(progress.refused)),
    ];
    if progress.covered > 0 {
        rows.push(SumRow::plain("Covered by plans", figure(progress.covered)));
        rows.push(SumRow::Note("Their price is known with their period.".into()));
    }
    rows.push(SumRow::plain("Charged by tariffs", figure(progress.charged)));
    rows.push(SumRow::sum("Charged, tax included", Money::from_micros(progress.charged_micros, currency).human()));
    Sums(rows)
}

fn preview(member: &Member, rows: &[Row]) -> Table {
    let columns = vec![
        Column::figures("Row").label("Row"),
        Column::text("Call").full(),
        Column::text("From"),
        Column::text("To"),
        Column::text("Began").full(),
        Column::figures("Talk").label("Talk"),
        Column::text("Topic").hidden(),
    ];
    let empty = Empty::new("receipt", "No row is found", "Is it a file of this format?");
    let mut table = Table::new("The first rows", columns, empty);
    for row in rows {
        let number = Cell::figure(format::count(count(row.row)));
        table.row(match &row.record {
            Ok(call) => vec![
                number,
                Cell::text(&call.id).class("id"),
                Cell::text(call.caller.as_deref().map_or_else(|| "Withheld".to_owned(), format::phone)),
                Cell::text(format::phone(&call.called)),
                Cell::text(format::stamp(call.started_at, &member.zone).text),
                Cell::figure(format::talk_time(count(call.answered_ms / 1_000))),
                Cell::text(call.digit.map(|digit| digit.to_string()).unwrap_or_default()),
            ],
            Err(refusal) => vec![
                number,
                Cell::text(format!("{} {}", refusal.field, refusal.rule))
                    .sub(&refusal.value)
                    .class("bad")
                    .with(Badge::new("Refused", Tone::Wrong)),
                Cell::none(),
                Cell::none(),
                Cell::none(),
                Cell::none(),
                Cell::none(),
            ],
        });
    }
    table
}

fn not_counted(rows: &[NotCounted]) -> Table {
    let columns = vec![
        Column::figures("Row").label("Row"),
        Column::text("Became"),
        Column::text("Field and value").full(),
        Column::text("Why").full(),
    ];
    let mut table = Table::new("Rows that were not counted", columns, Empty::new("check", "All were counted", ""));
    for row in rows {
        let (word, tone) = match row.outcome.as_str() {
            "refused" => ("Refused", Tone::Wrong),
            "conflict" => ("Conflict", Tone::Wrong),
            _ => ("In suspense", Tone::Soon),
        };
        table.row(vec![
            Cell::figure(format::count(count(row.row))),
            Cell::badge(word, tone),
            Cell::text(&row.field).sub(&row.value),
            Cell::text(capital(&row.detail)),
        ]);
    }
    table
}

/// `GET /admin/imports/{import_id}/events`
pub async fn events(member: Member, path: web::Path<String>) -> PageResult<HttpResponse> {
    let tx = member.tx().await?;
    let id: ImportId = find(&tx, &path).await?.id;
    tx.commit().await?;
    let who = SignedIn::clone(&member);
    let snapshot = move || {
        let who = who.clone();
        async move {
            let tx = who.app.db.tenant(who.session.tenant_id).await?;
            let import = usage_metering::import(&tx, id).await?;
            progress(&import, who.app.clock.now()).render().map_err(PageError::failed)
        }
    };
    Ok(sse::stream(&member, "progress", LOOKED_AT_EVERY, snapshot))
}

/// `GET /admin/imports/{import_id}/report`: every row that was not counted, as CSV.
pub async fn report(member: Member, path: web::Path<String>) -> PageResult<HttpResponse> {
    let tx = member.tx().await?;
    let import = find(&tx, &path).await?;
    let text = report_of(&tx, import.id).await?;
    Ok(HttpResponse::Ok()
        .content_type("text/csv; charset=utf-8")
        .insert_header(("content-disposition", format!("attachment; filename=\"{}-report.csv\"", import.id)))
        .insert_header(("cache-control", "private, no-store"))
        .body(text))
}

/// The report, for the page and the API alike.
pub(crate) async fn report_of(tx: &TenantTx, id: ImportId) -> PageResult<Vec<u8>> {
    let mut out = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let write = |out: &mut csv::Writer<Vec<u8>>, cells: [&str; 6]| out.write_record(cells).map_err(PageError::failed);
    write(&mut out, ["row", "outcome", "field", "rule", "reason", "value"])?;
    let mut after = 0;
    loop {
        let rows = usage_metering::import_report(tx, id, after, REPORT_BLOCK).await?;
        for row in &rows {
            let (number, value) = (row.row.to_string(), harmless(&row.value));
            let field = harmless(&row.field);
            write(&mut out, [&number, &row.outcome, &field, &row.rule, &row.detail, &value])?;
        }
        match rows.last() {
            Some(last) if rows.len() as u64 == REPORT_BLOCK => after = last.position,
            _ => break,
        }
    }
    out.into_inner().map_err(PageError::failed)
}

/// A spreadsheet runs what begins like a formula; it is somebody else's text.
fn harmless(text: &str) -> String {
    match text.chars().next() {
        Some('=' | '+' | '-' | '@') => format!("'{text}"),
        _ => text.to_owned(),
    }
}
