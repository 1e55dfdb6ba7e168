//! An import: a file, how it is read, and how far it is worked through. What its records become is another's business.

use super::record::Refusal;
use super::settings::Settings;
use crate::error::UsageError;
use crate::store::imports as store;
use chrono::{DateTime, TimeDelta, Utc};
use db::{ImportId, TenantTx};
use sha2::{Digest, Sha256};
use std::io::Read;

/// Largest file, unpacked, bytes.
pub const FILE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Files of a book that are not worked through yet: each keeps its bytes.
const FILES_MAX: u64 = 8;
const MAPPINGS_MAX: u64 = 50;
/// A worker that is not heard of for so long has died; another goes on.
const HELD: TimeDelta = TimeDelta::seconds(60);

/// How far an import is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportState {
    /// The file is there, and nobody has asked for anything.
    Uploaded,
    /// Every row is tried, and nothing is written.
    Trying,
    Tried,
    /// Every row is taken.
    Running,
    Done,
    /// It was given up; what was taken until then stands.
    Stopped,
}

impl ImportState {
    const ALL: [Self; 6] = [Self::Uploaded, Self::Trying, Self::Tried, Self::Running, Self::Done, Self::Stopped];

    /// As stored and sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Uploaded => "uploaded",
            Self::Trying => "trying",
            Self::Tried => "tried",
            Self::Running => "running",
            Self::Done => "done",
            Self::Stopped => "stopped",
        }
    }

    pub(crate) fn read(text: &str) -> Result<Self, UsageError> {
        let found = Self::ALL.into_iter().find(|state| state.as_str() == text);
        found.ok_or_else(|| UsageError::StoredValueMustBeKnown { what: "import state", found: text.to_owned() })
    }

    /// Does somebody work at it?
    pub const fn is_busy(self) -> bool {
        matches!(self, Self::Trying | Self::Running)
    }

    /// Has nothing been taken of it, so that it may be read in another way?
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Uploaded | Self::Tried)
    }
}

/// What became of the rows: of the trial, or of the import itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    pub rows: u64,
    pub bytes: u64,
    pub accepted: u64,
    pub duplicate: u64,
    pub conflict: u64,
    pub suspended: u64,
    pub refused: u64,
    /// Calls that a tariff charged, and what it comes to.
    pub charged: u64,
    pub charged_micros: i64,
    /// Calls that a plan covers: what they cost is known with their period.
    pub covered: u64,
}

impl Progress {
    /// With what another part comes to; its bytes are its place.
    pub fn and(self, part: &Progress) -> Progress {
        Progress {
            rows: self.rows + part.rows,
            bytes: self.bytes.max(part.bytes),
            accepted: self.accepted + part.accepted,
            duplicate: self.duplicate + part.duplicate,
            conflict: self.conflict + part.conflict,
            suspended: self.suspended + part.suspended,
            refused: self.refused + part.refused,
            charged: self.charged + part.charged,
            charged_micros: self.charged_micros.saturating_add(part.charged_micros),
            covered: self.covered + part.covered,
        }
    }
}

/// A file of call records.
#[derive(Clone, Debug, PartialEq)]
pub struct Import {
    pub id: ImportId,
    pub name: String,
    pub settings: Settings,
    pub state: ImportState,
    pub file_hash: [u8; 32],
    pub file_bytes: u64,
    pub progress: Progress,
    pub created_at: DateTime<Utc>,
    pub created_by: String,
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    pub stopped_because: Option<String>,
}

impl Import {
    /// Seconds until it is through, as its bytes went so far; `None` before the first of them.
    pub fn seconds_left(&self, now: DateTime<Utc>) -> Option<u64> {
        let took_ms = u64::try_from((now - self.started_at?).num_milliseconds()).ok()?;
        let left = self.file_bytes.checked_sub(self.progress.bytes)?;
        took_ms.checked_mul(left)?.checked_div(self.progress.bytes).map(|ms| ms.div_ceil(1_000))
    }

    /// Rows of a second, since it was started.
    pub fn rows_per_second(&self, now: DateTime<Utc>) -> Option<u64> {
        let until = self.finished_at.unwrap_or(now);
        let took_ms = u64::try_from((until - self.started_at?).num_milliseconds()).ok()?;
        self.progress.rows.checked_mul(1_000)?.checked_div(took_ms)
    }
}

/// A file that has arrived.
pub struct NewImport<'a> {
    pub name: &'a str,
    pub settings: &'a Settings,
    /// Unpacked.
    pub bytes: &'a [u8],
    pub by: &'a str,
}

/// A row that was not counted, as the report tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotCounted {
    pub position: u64,
    pub row: u64,
    /// `refused`, `suspense` or `conflict`.
    pub outcome: String,
    pub field: String,
    /// The rule, or why it waits.
    pub rule: String,
    /// The same as a sentence.
    pub detail: String,
    pub value: String,
}

impl NotCounted {
    /// A row that is no call record.
    pub fn refused(position: u64, refusal: &Refusal) -> Self {
        Self {
            position,
            row: refusal.row,
            outcome: "refused".to_owned(),
            field: refusal.field.clone(),
            rule: refusal.rule.as_str().to_owned(),
            detail: refusal.rule.to_string(),
            value: refusal.value.clone(),
        }
    }
}

/// The file as it is read: gzip is unpacked, and what is too large is refused before it is whole.
pub fn unpack(bytes: Vec<u8>) -> Result<Vec<u8>, UsageError> {
    let plain = match bytes.starts_with(&[0x1f, 0x8b]) {
        false => bytes,
        true => {
            let mut plain = Vec::new();
            let unpacked = flate2::bufread::MultiGzDecoder::new(&bytes[..]);
            let read = unpacked.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut plain);
            read.map_err(|_| UsageError::FileMustUnpack)?;
            plain
        }
    };
    if plain.is_empty() || plain.len() > FILE_BYTES_MAX {
        return Err(UsageError::FileMustHaveASize { bytes: plain.len() as u64, max: FILE_BYTES_MAX });
    }
    Ok(plain)
}

/// Keeps a file. Nothing is read of it until somebody says so, and that only once all needed columns are known.
pub async fn create_import(tx: &TenantTx, new: &NewImport<'_>, now: DateTime<Utc>) -> Result<ImportId, UsageError> {
    let is_plain = (1..=200).contains(&new.name.chars().count()) && !new.name.chars().any(char::is_control);
    if !is_plain {
        return Err(UsageError::FileNameMustBePlain(new.name.chars().take(80).collect()));
    }
    new.settings.check_form()?;
    if new.bytes.is_empty() || new.bytes.len() > FILE_BYTES_MAX {
        return Err(UsageError::FileMustHaveASize { bytes: new.bytes.len() as u64, max: FILE_BYTES_MAX });
    }
    if store::files(tx).await? >= FILES_MAX {
        return Err(UsageError::FilesMustBeFew(FILES_MAX));
    }
    let id = ImportId::new();
    store::insert(tx, id, new, &Sha256::digest(new.bytes).into(), now).await?;
    Ok(id)
}

/// One import.
pub async fn import(tx: &TenantTx, id: ImportId) -> Result<Import, UsageError> {
    store::one(tx, id, false).await?.ok_or(UsageError::ImportMustExist)
}

/// One import, held against everybody else until the transaction ends.
pub async fn lock_import(tx: &TenantTx, id: ImportId) -> Result<Import, UsageError> {
    store::one(tx, id, true).await?.ok_or(UsageError::ImportMustExist)
}

/// The imports of a book, the newest first, after one of them.
pub async fn imports(
    tx: &TenantTx,
    after: Option<(DateTime<Utc>, ImportId)>,
    limit: u64,
) -> Result<Vec<Import>, UsageError> {
    store::list(tx, after, limit).await
}

/// The bytes of its file; empty once it is worked through.
pub async fn import_file(tx: &TenantTx, id: ImportId) -> Result<Vec<u8>, UsageError> {
    Ok(store::file(tx, id).await?)
}

/// What was not counted, in the order of the file, after a position.
pub async fn import_report(tx: &TenantTx, id: ImportId, after: u64, limit: u64) -> Result<Vec<NotCounted>, UsageError> {
    Ok(store::refusals(tx, id, after, limit).await?)
}

/// Reads the file in another way from now on. What was tried is forgotten.
pub async fn change_import_settings(tx: &TenantTx, id: ImportId, settings: &Settings) -> Result<(), UsageError> {
    settings.check()?;
    open(tx, id, "read in another way").await?;
    store::reset(tx, id, ImportState::Uploaded, None).await?;
    Ok(store::set_settings(tx, id, settings).await?)
}

/// Asks for a trial: every row, and nothing written but what it comes to.
pub async fn try_import(tx: &TenantTx, id: ImportId, now: DateTime<Utc>) -> Result<(), UsageError> {
    open(tx, id, "tried").await?.settings.check()?;
    Ok(store::reset(tx, id, ImportState::Trying, Some(now)).await?)
}

/// Asks for the import itself. Asked again while it runs or when it is done, nothing happens.
pub async fn start_import(tx: &TenantTx, id: ImportId, now: DateTime<Utc>) -> Result<(), UsageError> {
    let found = lock_import(tx, id).await?;
    found.settings.check()?;
    match found.state {
        ImportState::Running | ImportState::Done => Ok(()),
        ImportState::Uploaded | ImportState::Tried | ImportState::Trying => {
            Ok(store::reset(tx, id, ImportState::Running, Some(now)).await?)
        }
        // It goes on where it was stopped.
        ImportState::Stopped => Ok(store::set_state(tx, id, ImportState::Running, None, None).await?),
    }
}

async fn open(tx: &TenantTx, id: ImportId, asked: &'static str) -> Result<Import, UsageError> {
    let found = lock_import(tx, id).await?;
    if found.state.is_open() {
        return Ok(found);
    }
    Err(UsageError::ImportMustBeAsked { state: found.state.as_str(), asked })
}

/// Stops an import or a trial, for a reason; what was taken until then stands.
pub async fn stop_import(tx: &TenantTx, id: ImportId, because: &str, now: DateTime<Utc>) -> Result<(), UsageError> {
    let found = lock_import(tx, id).await?;
    match found.state {
        ImportState::Running => Ok(store::set_state(tx, id, ImportState::Stopped, Some(because), Some(now)).await?),
        // Nothing was taken: it is as it was before.
        ImportState::Trying => Ok(store::reset(tx, id, ImportState::Uploaded, None).await?),
        other => Err(UsageError::ImportMustBeAsked { state: other.as_str(), asked: "stopped" }),
    }
}

/// Forgets a file of which nothing was taken.
pub async fn delete_import(tx: &TenantTx, id: ImportId) -> Result<(), UsageError> {
    open(tx, id, "discarded").await?;
    Ok(store::delete(tx, id).await?)
}

/// An import that waits for somebody to work at it, the oldest first.
pub async fn due_import(tx: &TenantTx, now: DateTime<Utc>) -> Result<Option<ImportId>, UsageError> {
    Ok(store::due(tx, now).await?)
}

/// Holds an import for a while; `false` while another does.
pub async fn claim_import(tx: &TenantTx, id: ImportId, now: DateTime<Utc>) -> Result<bool, UsageError> {
    Ok(store::hold(tx, id, now, now + HELD).await? > 0)
}

/// Lets go of it.
pub async fn release_import(tx: &TenantTx, id: ImportId) -> Result<(), UsageError> {
    Ok(store::release(tx, id).await?)
}

/// Moves an import on by a part that was worked through, with what was not counted of it. The caller holds its row; the last
/// part ends it, and its file is given up when it was taken.
pub async fn move_import(
    tx: &TenantTx,
    found: &Import,
    part: &Progress,
    not_counted: &[NotCounted],
    is_last: bool,
    now: DateTime<Utc>,
) -> Result<(), UsageError> {
    store::put_refusals(tx, found.id, not_counted).await?;
    let mut whole = found.progress.and(part);
    let after = match (found.state, is_last) {
        (state, false) => state,
        (ImportState::Trying, true) => ImportState::Tried,
        (_, true) => ImportState::Done,
    };
    if is_last {
        whole.bytes = found.file_bytes;
    }
    whole.bytes = whole.bytes.min(found.file_bytes);
    store::advance(tx, found.id, &whole, after, is_last.then_some(now), now + HELD).await?;
    if after == ImportState::Done {
        store::drop_file(tx, found.id).await?;
    }
    Ok(())
}

/// A way to read files, kept by a name.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedMapping {
    pub name: String,
    pub settings: Settings,
    pub saved_at: DateTime<Utc>,
    pub saved_by: String,
}

/// Keeps a way to read files; the same name again replaces it.
pub async fn save_mapping(
    tx: &TenantTx,
    name: &str,
    settings: &Settings,
    by: &str,
    now: DateTime<Utc>,
) -> Result<(), UsageError> {
    if !(1..=60).contains(&name.chars().count()) || name.chars().any(char::is_control) {
        return Err(UsageError::MappingNameMustBePlain(name.chars().take(80).collect()));
    }
    settings.check()?;
    let known = store::mappings(tx).await?;
    if known.len() as u64 >= MAPPINGS_MAX && !known.iter().any(|mapping| mapping.name == name) {
        return Err(UsageError::MappingsMustBeFew(MAPPINGS_MAX));
    }
    Ok(store::save_mapping(tx, name, settings, by, now).await?)
}

/// The ways to read files, by name.
pub async fn mappings(tx: &TenantTx) -> Result<Vec<SavedMapping>, UsageError> {
    store::mappings(tx).await
}

/// Forgets one; `false` when it was not there.
pub async fn delete_mapping(tx: &TenantTx, name: &str) -> Result<bool, UsageError> {
    Ok(store::delete_mapping(tx, name).await? > 0)
}
