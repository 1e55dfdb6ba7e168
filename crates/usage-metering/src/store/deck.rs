//! Rate decks: rows come by COPY into a temporary table, and from there, set-based, behind the wall.

use crate::deck::{DeckKind, DeckRow, DeckVersion, Publication, RateDeck};
use crate::error::UsageError;
use crate::store::copy::Copy;
use chrono::{DateTime, Utc};
use db::{BulkTx, DbError, DeckId, TenantTx};
use money::Currency;
use pricing::Tariff;
use rust_decimal::Decimal;
use sea_orm::FromQueryResult;
use serde_json::Value;
use uuid::Uuid;

pub async fn create(
    tx: &TenantTx,
    name: &str,
    kind: DeckKind,
    currency: Currency,
    now: DateTime<Utc>,
) -> Result<DeckId, UsageError> {
    let id = DeckId::new();
    let made = tx
        .run(
            "INSERT INTO rate_deck (tenant_id, id, name, kind, currency, created_at) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (tenant_id, name) DO NOTHING",
            [tx.tenant_id().into(), id.into(), name.into(), kind.as_str().into(), currency.code().into(), now.into()],
        )
        .await?;
    if made == 0 { Err(UsageError::DeckNameMustBeFree(name.to_owned())) } else { Ok(id) }
}

/// One at a time decides about a deck's publications.
pub async fn lock(tx: &TenantTx, id: DeckId) -> Result<(), UsageError> {
    let found: Option<Uuid> = tx
        .value("SELECT id AS v FROM rate_deck WHERE tenant_id = $1 AND id = $2", [tx.tenant_id().into(), id.into()])
        .await?;
    found.ok_or(UsageError::DeckMustExist)?;
    tx.run("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", [format!("deck {} {id}", tx.tenant_id()).into()])
        .await?;
    Ok(())
}

/// The decks of this book, by name.
pub async fn all(tx: &TenantTx) -> Result<Vec<RateDeck>, UsageError> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
        name: String,
        kind: String,
        currency: String,
        created_at: DateTime<Utc>,
    }
    let rows: Vec<Row> = tx
        .rows(
            "SELECT id, name, kind, currency, created_at FROM rate_deck WHERE tenant_id = $1 ORDER BY name",
            [tx.tenant_id().into()],
        )
        .await?;
    let deck = |row: Row| {
        let unknown = |what, found: &str| UsageError::StoredValueMustBeKnown { what, found: found.to_owned() };
        Ok(RateDeck {
            id: row.id.into(),
            kind: DeckKind::from_word(&row.kind).ok_or_else(|| unknown("kind of a deck", &row.kind))?,
            currency: row.currency.parse().map_err(|_| unknown("currency of a deck", &row.currency))?,
            name: row.name,
            created_at: row.created_at,
        })
    };
    rows.into_iter().map(deck).collect()
}

/// The versions of a deck, the newest first.
pub async fn versions(tx: &TenantTx, id: DeckId) -> Result<Vec<DeckVersion>, UsageError> {
    #[derive(FromQueryResult)]
    struct Row {
        version: i32,
        prefixes: i32,
        source: String,
        created_at: DateTime<Utc>,
        created_by: String,
    }
    let rows: Vec<Row> = tx
        .rows(
            "SELECT version, prefixes, source, created_at, created_by FROM rate_deck_version
             WHERE tenant_id = $1 AND deck_id = $2 ORDER BY version DESC",
            [tx.tenant_id().into(), id.into()],
        )
        .await?;
    let version = |row: Row| DeckVersion {
        version: row.version.unsigned_abs(),
        prefixes: u64::from(row.prefixes.unsigned_abs()),
        source: row.source,
        created_at: row.created_at,
        created_by: row.created_by,
    };
    Ok(rows.into_iter().map(version).collect())
}

/// The version with this content.
pub async fn version_of(tx: &TenantTx, id: DeckId, hash: &[u8]) -> Result<Option<u32>, UsageError> {
    let version: Option<i32> = tx
        .value(
            "SELECT version AS v FROM rate_deck_version WHERE tenant_id = $1 AND deck_id = $2 AND content_hash = $3",
            [tx.tenant_id().into(), id.into(), hash.to_vec().into()],
        )
        .await?;
    Ok(version.map(i32::unsigned_abs))
}

/// What was published of a deck, the newest first.
pub async fn publications(tx: &TenantTx, id: DeckId) -> Result<Vec<Publication>, UsageError> {
    #[derive(FromQueryResult)]
    struct Row {
        position: i32,
        version: i32,
        effective_from: DateTime<Utc>,
        published_at: DateTime<Utc>,
        published_by: String,
        withdrawn_at: Option<DateTime<Utc>>,
    }
    let rows: Vec<Row> = tx
        .rows(
            "SELECT position, version, effective_from, published_at, published_by, withdrawn_at FROM rate_deck_publication
             WHERE tenant_id = $1 AND deck_id = $2 ORDER BY position DESC",
            [tx.tenant_id().into(), id.into()],
        )
        .await?;
    let publication = |row: Row| Publication {
        position: row.position.unsigned_abs(),
        version: row.version.unsigned_abs(),
        effective_from: row.effective_from,
        published_at: row.published_at,
        published_by: row.published_by,
        withdrawn_at: row.withdrawn_at,
    };
    Ok(rows.into_iter().map(publication).collect())
}

/// Which version of a deck holds at an instant.
pub async fn version_in_force(tx: &TenantTx, id: DeckId, at: DateTime<Utc>) -> Result<Option<u32>, UsageError> {
    let version: Option<i32> = tx
        .value(
            "SELECT version AS v FROM rate_deck_publication
             WHERE tenant_id = $1 AND deck_id = $2 AND withdrawn_at IS NULL AND effective_from <= $3
             ORDER BY effective_from DESC, position DESC LIMIT 1",
            [tx.tenant_id().into(), id.into(), at.into()],
        )
        .await?;
    Ok(version.map(i32::unsigned_abs))
}

/// Rows of a version by prefix, beginning with this one.
pub async fn rows(
    tx: &TenantTx,
    id: DeckId,
    version: u32,
    from_prefix: &str,
    limit: u64,
) -> Result<Vec<DeckRow>, UsageError> {
    #[derive(FromQueryResult)]
    struct Row {
        prefix: String,
        destination: String,
        rate: Decimal,
        tariff: Option<Value>,
    }
    // By bytes, not by a language's order: so do the tables in memory.
    let rows: Vec<Row> = tx
        .rows(
            r#"SELECT prefix, destination, rate, tariff FROM rate_deck_row
             WHERE tenant_id = $1 AND deck_id = $2 AND version = $3 AND prefix ~>=~ $4 ORDER BY prefix COLLATE "C" LIMIT $5"#,
            [
                tx.tenant_id().into(),
                id.into(),
                i32::try_from(version).unwrap_or(i32::MAX).into(),
                from_prefix.into(),
                i64::try_from(limit).unwrap_or(i64::MAX).into(),
            ],
        )
        .await?;
    let deck_row = |row: Row| {
        let read = |document: Value| {
            let found = document.to_string();
            let unread = |_| UsageError::StoredValueMustBeKnown { what: "tariff of a prefix", found };
            Tariff::from_json(&document).map(Box::new).map_err(unread)
        };
        Ok(DeckRow {
            prefix: row.prefix.into(),
            destination: row.destination.into(),
            rate: row.rate.normalize(),
            tariff: row.tariff.map(read).transpose()?,
        })
    };
    rows.into_iter().map(deck_row).collect()
}

pub async fn publish(
    tx: &TenantTx,
    id: DeckId,
    version: u32,
    effective_from: DateTime<Utc>,
    by: &str,
    now: DateTime<Utc>,
) -> Result<Publication, UsageError> {
    let position: Option<i32> = tx
        .value(
            "INSERT INTO rate_deck_publication (tenant_id, deck_id, position, version, effective_from, published_at, published_by)
             SELECT $1, $2, coalesce(max(position), 0) + 1, $3, $4, $5, $6 FROM rate_deck_publication WHERE tenant_id = $1 AND deck_id = $2
             RETURNING position AS v",
            [
                tx.tenant_id().into(),
                id.into(),
                i32::try_from(version).unwrap_or(i32::MAX).into(),
                effective_from.into(),
                now.into(),
                by.into(),
            ],
        )
        .await?;
    Ok(Publication {
        position: position.unwrap_or(0).unsigned_abs(),
        version,
        effective_from,
        published_at: now,
        published_by: by.to_owned(),
        withdrawn_at: None,
    })
}

pub async fn withdraw(tx: &TenantTx, id: DeckId, position: u32, now: DateTime<Utc>) -> Result<(), UsageError> {
    tx.run(
        "UPDATE rate_deck_publication SET withdrawn_at = $4 WHERE tenant_id = $1 AND deck_id = $2 AND position = $3",
        [tx.tenant_id().into(), id.into(), i32::try_from(position).unwrap_or(i32::MAX).into(), now.into()],
    )
    .await?;
    Ok(())
}

const NEVER_PUBLISHED: &str = "NOT EXISTS (SELECT 1 FROM rate_deck_publication p
   WHERE p.tenant_id = v.tenant_id AND p.deck_id = v.deck_id AND p.version = v.version)";

/// A version from before an instant that was never published and is not the newest of its deck.
pub async fn old_draft(tx: &TenantTx, before: DateTime<Utc>) -> Result<Option<(DeckId, u32)>, UsageError> {
    #[derive(FromQueryResult)]
    struct Row {
        deck_id: Uuid,
        version: i32,
    }
    let row: Option<Row> = tx
        .row(
            &format!(
                "SELECT v.deck_id, v.version FROM rate_deck_version v
                 WHERE v.tenant_id = $1 AND v.created_at < $2 AND {NEVER_PUBLISHED} AND EXISTS (SELECT 1 FROM rate_deck_version n
                   WHERE n.tenant_id = v.tenant_id AND n.deck_id = v.deck_id AND n.version > v.version)
                 ORDER BY v.created_at LIMIT 1"
            ),
            [tx.tenant_id().into(), before.into()],
        )
        .await?;
    Ok(row.map(|row| (row.deck_id.into(), row.version.unsigned_abs())))
}

/// Removes it with its rows, unless it is published meanwhile.
pub async fn remove_draft(tx: &TenantTx, id: DeckId, version: u32) -> Result<u64, UsageError> {
    let values = || [tx.tenant_id().into(), id.into(), i32::try_from(version).unwrap_or(i32::MAX).into()];
    let of_draft = format!("v.tenant_id = $1 AND v.deck_id = $2 AND v.version = $3 AND {NEVER_PUBLISHED}");
    tx.run(&format!("DELETE FROM rate_deck_row v WHERE {of_draft}"), values()).await?;
    Ok(tx.run(&format!("DELETE FROM rate_deck_version v WHERE {of_draft}"), values()).await?)
}

/// A version to be.
pub struct NewVersion<'a> {
    pub id: DeckId,
    pub hash: &'a [u8],
    pub source: &'a str,
    pub by: &'a str,
    pub now: DateTime<Utc>,
}

const STAGE: &str = "
SET LOCAL client_min_messages = warning;
CREATE TEMPORARY TABLE IF NOT EXISTS staged_deck_version (
  deck_id uuid NOT NULL, content_hash bytea NOT NULL, source text NOT NULL, created_by text NOT NULL, created_at timestamptz NOT NULL) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS staged_deck_row (
  prefix text NOT NULL, destination text NOT NULL, rate numeric NOT NULL, tariff jsonb) ON COMMIT DELETE ROWS;";

/// Writes a version with its rows; false when the deck has this content already.
pub async fn import(bulk: &mut BulkTx, new: &NewVersion<'_>, rows: &[DeckRow]) -> Result<bool, UsageError> {
    bulk.run_script(STAGE).await?;
    let mut copy = Copy::with_capacity(400);
    copy.row(5).uuid(new.id.uuid()).bytes(new.hash).text(new.source).text(new.by).at(new.now);
    bulk.copy("COPY staged_deck_version FROM STDIN (FORMAT binary)", &copy.finish()).await?;
    let decks = bulk
        .number(
            "SELECT count(*) FROM rate_deck d JOIN staged_deck_version s ON s.deck_id = d.id
             WHERE d.tenant_id = (SELECT current_tenant_id())",
        )
        .await?;
    if decks == 0 {
        return Err(UsageError::DeckMustExist);
    }
    bulk.run(
        "SELECT pg_advisory_xact_lock(hashtextextended('deck version ' || deck_id::text, 0)) FROM staged_deck_version",
    )
    .await?;
    let mut copy = Copy::with_capacity(rows.len() * 60);
    for row in rows {
        copy.row(4).text(&row.prefix).text(&row.destination).numeric(row.rate);
        match row.tariff.as_ref().and_then(|tariff| serde_json::to_string(tariff).ok()) {
            Some(tariff) => copy.json(&tariff),
            None => copy.null(),
        };
    }
    bulk.copy("COPY staged_deck_row FROM STDIN (FORMAT binary)", &copy.finish()).await?;
    if put_version(bulk).await? == 0 {
        return Ok(false);
    }
    bulk.run(
        "INSERT INTO rate_deck_row (tenant_id, deck_id, version, prefix, destination, rate, tariff)
         SELECT v.tenant_id, v.deck_id, v.version, r.prefix, r.destination, r.rate, r.tariff
         FROM staged_deck_row r, staged_deck_version s JOIN rate_deck_version v
           ON v.tenant_id = (SELECT current_tenant_id()) AND v.deck_id = s.deck_id AND v.content_hash = s.content_hash",
    )
    .await?;
    Ok(true)
}

async fn put_version(bulk: &mut BulkTx) -> Result<u64, DbError> {
    bulk.run(
        "INSERT INTO rate_deck_version (tenant_id, deck_id, version, prefixes, content_hash, source, created_at, created_by)
         SELECT (SELECT current_tenant_id()), s.deck_id,
           (SELECT coalesce(max(v.version), 0) + 1 FROM rate_deck_version v
            WHERE v.tenant_id = (SELECT current_tenant_id()) AND v.deck_id = s.deck_id),
           (SELECT count(*) FROM staged_deck_row), s.content_hash, s.source, s.created_at, s.created_by
         FROM staged_deck_version s
         ON CONFLICT (tenant_id, deck_id, content_hash) DO NOTHING",
    )
    .await
}
