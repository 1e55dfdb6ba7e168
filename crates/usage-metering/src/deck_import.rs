//! A file becomes a draft version of a deck: read whole, then written by COPY in one transaction.

use crate::deck::{self, DeckVersion};
use crate::deck_file::{DeckFaults, read_deck};
use crate::error::UsageError;
use crate::store::deck as store;
use chrono::{DateTime, Utc};
use db::{Db, DeckId, TenantId};
use sha2::{Digest, Sha256};

/// What became of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeckImport {
    /// The draft; false when the deck had the same content already.
    Taken { version: DeckVersion, is_new: bool, repeated: u64 },
    /// Nothing was stored.
    Refused(DeckFaults),
}

/// Takes a file of up to a million prefixes as a draft. It opens its own transaction, so that it can COPY; the same content again
/// is the version that it was before.
pub async fn import_deck(
    db: &Db,
    tenant_id: TenantId,
    id: DeckId,
    source: &str,
    text: &str,
    by: &str,
    now: DateTime<Utc>,
) -> Result<DeckImport, UsageError> {
    let read = match read_deck(text) {
        Ok(read) => read,
        Err(faults) => return Ok(DeckImport::Refused(faults)),
    };
    let source: String = source.chars().filter(|c| !c.is_control()).take(120).collect();
    let mut hash = Sha256::new();
    for row in &read.rows {
        let tariff = row.tariff.as_ref().map(|tariff| serde_json::to_string(tariff).unwrap_or_default());
        let line =
            format!("{},{},{},{}\n", row.prefix, row.destination, row.rate.normalize(), tariff.unwrap_or_default());
        hash.update(line.as_bytes());
    }
    let mut bulk = db.bulk(tenant_id).await?;
    let hash = hash.finalize();
    let new = store::NewVersion { id, hash: &hash, source: &source, by, now };
    let is_new = store::import(&mut bulk, &new, &read.rows).await?;
    bulk.commit().await?;
    let tx = db.tenant_for_bulk(tenant_id).await?;
    let version = store::version_of(&tx, id, new.hash).await?;
    let versions = deck::deck_versions(&tx, id).await?;
    let version = versions.into_iter().find(|known| Some(known.version) == version);
    let version = version.ok_or(UsageError::DeckMustExist)?;
    Ok(DeckImport::Taken { version, is_new, repeated: read.repeated })
}
