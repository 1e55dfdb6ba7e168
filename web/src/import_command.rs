//! `ringtill import`: a file of call records from the command line, worked through here and now.

use crate::app::App;
use crate::config::{self, Config};
use anyhow::{Context, bail};
use db::{Db, ImportId, PlatformReason, TenantId};
use std::process::ExitCode;
use std::time::Duration;
use tenant::Organisation;
use usage_metering::{Format, Import, ImportState, Mapping, NewImport, Settings};

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub organisation: String,
    pub file: String,
    /// A format's word, or the name of a way to read files that is kept in the book.
    pub format: String,
    /// Nothing is written but what it would come to.
    pub is_trial: bool,
}

/// `ORGANISATION FILE --format FORMAT [--try]`
pub fn asked(words: &[&str]) -> Option<Asked> {
    let (organisation, file, format, is_trial) = match words {
        [organisation, file, "--format", format] => (organisation, file, format, false),
        [organisation, file, "--format", format, "--try"] => (organisation, file, format, true),
        _ => return None,
    };
    let text = |word: &&str| (*word).to_owned();
    Some(Asked { organisation: text(organisation), file: text(file), format: text(format), is_trial })
}

/// Takes the file, says how far it is, and what was not counted. Ended on the way, the worker of the program goes on with it.
pub async fn run(words: &[&str]) -> anyhow::Result<ExitCode> {
    let asked = &asked(words).context("use: import ORGANISATION FILE --format FORMAT [--try]")?;
    let config = Config::from_environment()?;
    let app = App::open(&config, config::clock()?).await?;
    let bytes = std::fs::read(&asked.file).with_context(|| format!("{} cannot be read", asked.file))?;
    let bytes = usage_metering::unpack(bytes)?;
    let ptx = app.db.platform(PlatformReason::Provision).await?;
    let found = tenant::organisation_by_slug(&ptx, &asked.organisation).await?;
    ptx.commit().await?;
    let found = found.with_context(|| format!("no organisation has the slug {}", asked.organisation))?;
    let id = keep(&app, asked, &found, &bytes).await?;
    println!("{id}: {} bytes of {}", bytes.len(), asked.file);
    let clock = || app.clock.now();
    let goes_on = || true;
    while !call_control::work_import(&app.db, found.id, id, &clock, &goes_on).await? {
        let import = read(&app.db, found.id, id).await?;
        if !import.state.is_busy() {
            break;
        }
        // The worker of a running program has taken it up; this one looks on.
        println!("  {} rows", import.progress.rows);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    tell(&app.db, &found, id).await
}

async fn keep(app: &App, asked: &Asked, organisation: &Organisation, bytes: &[u8]) -> anyhow::Result<ImportId> {
    let tx = app.db.tenant(organisation.id).await?;
    let settings = match Format::from_word(&asked.format) {
        Some(format) => Settings {
            time_zone: Some(organisation.time_zone.clone()),
            mapping: (format == Format::Csv).then(|| Mapping::guess(bytes)),
            ..Settings::new(format)
        },
        None => {
            let kept = usage_metering::mappings(&tx).await?.into_iter().find(|kept| kept.name == asked.format);
            let words = Format::ALL.map(Format::as_str).join(", ");
            kept.with_context(|| format!("the format must be one of {words}, or a way that is kept in the book"))?
                .settings
        }
    };
    let name = std::path::Path::new(&asked.file).file_name().map(|name| name.to_string_lossy().into_owned());
    let name = name.unwrap_or_else(|| "call records".to_owned());
    let new = NewImport { name: &name, settings: &settings, bytes, by: "command line" };
    let id = usage_metering::create_import(&tx, &new, app.clock.now()).await?;
    let begun = match asked.is_trial {
        true => usage_metering::try_import(&tx, id, app.clock.now()).await,
        false => usage_metering::start_import(&tx, id, app.clock.now()).await,
    };
    begun.context(
        "the first line does not tell all columns: keep a way to read the file, and give its name as the format",
    )?;
    tx.commit().await?;
    Ok(id)
}

async fn read(db: &Db, tenant_id: TenantId, id: ImportId) -> anyhow::Result<Import> {
    let tx = db.tenant(tenant_id).await?;
    Ok(usage_metering::import(&tx, id).await?)
}

/// Lines of the report that are shown; all of them are on its page.
const SHOWN: u64 = 20;

async fn tell(db: &Db, organisation: &Organisation, id: ImportId) -> anyhow::Result<ExitCode> {
    let import = read(db, organisation.id, id).await?;
    let progress = import.progress;
    println!(
        "{}: {} rows: {} accepted, {} duplicate, {} conflict, {} in suspense, {} refused",
        import.state.as_str(),
        progress.rows,
        progress.accepted,
        progress.duplicate,
        progress.conflict,
        progress.suspended,
        progress.refused
    );
    let charged = money::Money::from_micros(progress.charged_micros, organisation.currency);
    let word = if import.state == ImportState::Tried { "would charge" } else { "charged" };
    println!("{word} {charged} for {} calls by tariff; {} are covered by plans", progress.charged, progress.covered);
    let tx = db.tenant(organisation.id).await?;
    for row in usage_metering::import_report(&tx, id, 0, SHOWN).await? {
        println!("  row {}: {}: {} {} ({})", row.row, row.outcome, row.field, row.detail, row.value);
    }
    match import.state {
        ImportState::Done | ImportState::Tried => Ok(ExitCode::SUCCESS),
        _ => bail!("{}", import.stopped_because.unwrap_or_else(|| "it was stopped".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_taken_by_its_format_and_tried_when_asked() {
        let of = |format: &str, is_trial| Asked {
            organisation: "nordlicht".into(),
            file: "cdr.json".into(),
            format: format.into(),
            is_trial,
        };
        assert_eq!(
            asked(&["nordlicht", "cdr.json", "--format", "freeswitch_json"]),
            Some(of("freeswitch_json", false))
        );
        assert_eq!(asked(&["nordlicht", "cdr.json", "--format", "csv", "--try"]), Some(of("csv", true)));
        assert_eq!(asked(&["nordlicht", "cdr.json"]), None);
    }
}
