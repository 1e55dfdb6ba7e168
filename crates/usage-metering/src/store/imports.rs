use crate::error::UsageError;
use crate::imports::{Import, ImportState, NewImport, NotCounted, Progress, SavedMapping, Settings};
use chrono::{DateTime, Utc};
use db::{DbError, ImportId, TenantTx};
use sea_orm::FromQueryResult;
use serde_json::Value;
use uuid::Uuid;

/// Bytes of one chunk.
const CHUNK: usize = 1024 * 1024;

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    name: String,
    settings: Value,
    file_hash: Vec<u8>,
    file_bytes: i64,
    state: String,
    cursor_rows: i64,
    cursor_bytes: i64,
    accepted: i64,
    duplicate: i64,
    conflict: i64,
    suspended: i64,
    refused: i64,
    charged: i64,
    charged_micros: i64,
    covered: i64,
    created_at: DateTime<Utc>,
    created_by: String,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
    stopped_because: Option<String>,
}

fn settings_of(stored: Value) -> Result<Settings, UsageError> {
    let found = stored.to_string().chars().take(80).collect();
    serde_json::from_value(stored).map_err(|_| UsageError::StoredValueMustBeKnown { what: "import settings", found })
}

fn read(row: Row) -> Result<Import, UsageError> {
    let progress = Progress {
        rows: row.cursor_rows.unsigned_abs(),
        bytes: row.cursor_bytes.unsigned_abs(),
        accepted: row.accepted.unsigned_abs(),
        duplicate: row.duplicate.unsigned_abs(),
        conflict: row.conflict.unsigned_abs(),
        suspended: row.suspended.unsigned_abs(),
        refused: row.refused.unsigned_abs(),
        charged: row.charged.unsigned_abs(),
        charged_micros: row.charged_micros,
        covered: row.covered.unsigned_abs(),
    };
    Ok(Import {
        id: row.id.into(),
        name: row.name,
        settings: settings_of(row.settings)?,
        state: ImportState::read(&row.state)?,
        file_hash: row.file_hash.try_into().unwrap_or_default(),
        file_bytes: row.file_bytes.unsigned_abs(),
        progress,
        created_at: row.created_at,
        created_by: row.created_by,
        started_at: row.started_at,
        finished_at: row.finished_at,
        stopped_because: row.stopped_because,
    })
}

fn json(settings: &Settings) -> Value {
    serde_json::to_value(settings).unwrap_or(Value::Null)
}

fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub async fn insert(
    tx: &TenantTx,
    id: ImportId,
    new: &NewImport<'_>,
    hash: &[u8; 32],
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    tx.run(
        "INSERT INTO call_import (tenant_id, id, name, settings, file_hash, file_bytes, state, created_at, created_by)
         VALUES ($1, $2, $3, $4, $5, $6, 'uploaded', $7, $8)",
        [
            tx.tenant_id().into(),
            id.into(),
            new.name.into(),
            json(new.settings).into(),
            hash.to_vec().into(),
            whole(new.bytes.len() as u64).into(),
            now.into(),
            new.by.into(),
        ],
    )
    .await?;
    for (position, chunk) in (0i32..).zip(new.bytes.chunks(CHUNK)) {
        tx.run(
            "INSERT INTO call_import_chunk (tenant_id, import_id, position, bytes) VALUES ($1, $2, $3, $4)",
            [tx.tenant_id().into(), id.into(), position.into(), chunk.to_vec().into()],
        )
        .await?;
    }
    Ok(())
}

/// Files that are kept.
pub async fn files(tx: &TenantTx) -> Result<u64, DbError> {
    let count: Option<i64> = tx
        .value(
            "SELECT count(*) AS v FROM call_import WHERE tenant_id = $1 AND state <> 'done'",
            [tx.tenant_id().into()],
        )
        .await?;
    Ok(count.unwrap_or_default().unsigned_abs())
}

const COLUMNS: &str = "id, name, settings, file_hash, file_bytes, state, cursor_rows, cursor_bytes, accepted, duplicate, conflict, \
     suspended, refused, charged, charged_micros, covered, created_at, created_by, started_at, finished_at, stopped_because";

pub async fn one(tx: &TenantTx, id: ImportId, is_locked: bool) -> Result<Option<Import>, UsageError> {
    let lock = if is_locked { " FOR UPDATE" } else { "" };
    let text = format!("SELECT {COLUMNS} FROM call_import WHERE tenant_id = $1 AND id = $2{lock}");
    let row: Option<Row> = tx.row(&text, [tx.tenant_id().into(), id.into()]).await?;
    row.map(read).transpose()
}

pub async fn list(
    tx: &TenantTx,
    after: Option<(DateTime<Utc>, ImportId)>,
    limit: u64,
) -> Result<Vec<Import>, UsageError> {
    let text = format!(
        "SELECT {COLUMNS} FROM call_import WHERE tenant_id = $1 AND ($2::timestamptz IS NULL OR (created_at, id) < ($2, $3))
         ORDER BY created_at DESC, id DESC LIMIT $4"
    );
    let (at, id) = after.map_or((None, None), |(at, id)| (Some(at), Some(id.uuid())));
    let rows: Vec<Row> = tx.rows(&text, [tx.tenant_id().into(), at.into(), id.into(), whole(limit).into()]).await?;
    rows.into_iter().map(read).collect()
}

pub async fn file(tx: &TenantTx, id: ImportId) -> Result<Vec<u8>, DbError> {
    #[derive(FromQueryResult)]
    struct Chunk {
        bytes: Vec<u8>,
    }
    let chunks: Vec<Chunk> = tx
        .rows(
            "SELECT bytes FROM call_import_chunk WHERE tenant_id = $1 AND import_id = $2 ORDER BY position",
            [tx.tenant_id().into(), id.into()],
        )
        .await?;
    Ok(chunks.into_iter().map(|chunk| chunk.bytes).collect::<Vec<_>>().concat())
}

pub async fn drop_file(tx: &TenantTx, id: ImportId) -> Result<(), DbError> {
    tx.run("DELETE FROM call_import_chunk WHERE tenant_id = $1 AND import_id = $2", [tx.tenant_id().into(), id.into()])
        .await?;
    Ok(())
}

pub async fn refusals(tx: &TenantTx, id: ImportId, after: u64, limit: u64) -> Result<Vec<NotCounted>, DbError> {
    #[derive(FromQueryResult)]
    struct Refused {
        position: i64,
        row_no: i64,
        outcome: String,
        field: String,
        rule: String,
        detail: String,
        value: String,
    }
    let rows: Vec<Refused> = tx
        .rows(
            "SELECT position, row_no, outcome, field, rule, detail, value FROM call_import_refusal
             WHERE tenant_id = $1 AND import_id = $2 AND position > $3 ORDER BY position LIMIT $4",
            [tx.tenant_id().into(), id.into(), whole(after).into(), whole(limit).into()],
        )
        .await?;
    let told = |row: Refused| NotCounted {
        position: row.position.unsigned_abs(),
        row: row.row_no.unsigned_abs(),
        outcome: row.outcome,
        field: row.field,
        rule: row.rule,
        detail: row.detail,
        value: row.value,
    };
    Ok(rows.into_iter().map(told).collect())
}

pub async fn put_refusals(tx: &TenantTx, id: ImportId, rows: &[NotCounted]) -> Result<(), DbError> {
    if rows.is_empty() {
        return Ok(());
    }
    let texts = |of: fn(&NotCounted) -> &String| rows.iter().map(|row| of(row).clone()).collect::<Vec<String>>();
    tx.run(
        "INSERT INTO call_import_refusal (tenant_id, import_id, position, row_no, outcome, field, rule, detail, value)
         SELECT $1, $2, u.* FROM unnest($3::int8[], $4::int8[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[]) AS u",
        [
            tx.tenant_id().into(),
            id.into(),
            rows.iter().map(|row| whole(row.position)).collect::<Vec<_>>().into(),
            rows.iter().map(|row| whole(row.row)).collect::<Vec<_>>().into(),
            texts(|row| &row.outcome).into(),
            texts(|row| &row.field).into(),
            texts(|row| &row.rule).into(),
            texts(|row| &row.detail).into(),
            texts(|row| &row.value).into(),
        ],
    )
    .await?;
    Ok(())
}

pub async fn set_settings(tx: &TenantTx, id: ImportId, settings: &Settings) -> Result<(), DbError> {
    tx.run(
        "UPDATE call_import SET settings = $3 WHERE tenant_id = $1 AND id = $2",
        [tx.tenant_id().into(), id.into(), json(settings).into()],
    )
    .await?;
    Ok(())
}

/// Back to the first row, with nothing told of any.
pub async fn reset(
    tx: &TenantTx,
    id: ImportId,
    state: ImportState,
    started_at: Option<DateTime<Utc>>,
) -> Result<(), DbError> {
    tx.run(
        "DELETE FROM call_import_refusal WHERE tenant_id = $1 AND import_id = $2",
        [tx.tenant_id().into(), id.into()],
    )
    .await?;
    tx.run(
        "UPDATE call_import SET state = $3, started_at = $4, finished_at = NULL, held_until = NULL, cursor_rows = 0,
           cursor_bytes = 0, accepted = 0, duplicate = 0, conflict = 0, suspended = 0, refused = 0, charged = 0,
           charged_micros = 0, covered = 0
         WHERE tenant_id = $1 AND id = $2",
        [tx.tenant_id().into(), id.into(), state.as_str().into(), started_at.into()],
    )
    .await?;
    Ok(())
}

pub async fn set_state(
    tx: &TenantTx,
    id: ImportId,
    state: ImportState,
    because: Option<&str>,
    finished_at: Option<DateTime<Utc>>,
) -> Result<(), DbError> {
    tx.run(
        "UPDATE call_import SET state = $3, stopped_because = $4, finished_at = $5, held_until = NULL
         WHERE tenant_id = $1 AND id = $2",
        [tx.tenant_id().into(), id.into(), state.as_str().into(), because.into(), finished_at.into()],
    )
    .await?;
    Ok(())
}

pub async fn delete(tx: &TenantTx, id: ImportId) -> Result<(), DbError> {
    tx.run("DELETE FROM call_import WHERE tenant_id = $1 AND id = $2", [tx.tenant_id().into(), id.into()]).await?;
    Ok(())
}

pub async fn due(tx: &TenantTx, now: DateTime<Utc>) -> Result<Option<ImportId>, DbError> {
    let found: Option<Uuid> = tx
        .value(
            "SELECT id AS v FROM call_import WHERE tenant_id = $1 AND state IN ('trying', 'running')
               AND (held_until IS NULL OR held_until <= $2) ORDER BY created_at, id LIMIT 1",
            [tx.tenant_id().into(), now.into()],
        )
        .await?;
    Ok(found.map(ImportId::from_uuid))
}

pub async fn hold(tx: &TenantTx, id: ImportId, now: DateTime<Utc>, until: DateTime<Utc>) -> Result<u64, DbError> {
    tx.run(
        "UPDATE call_import SET held_until = $4 WHERE tenant_id = $1 AND id = $2 AND state IN ('trying', 'running')
           AND (held_until IS NULL OR held_until <= $3)",
        [tx.tenant_id().into(), id.into(), now.into(), until.into()],
    )
    .await
}

pub async fn release(tx: &TenantTx, id: ImportId) -> Result<(), DbError> {
    tx.run(
        "UPDATE call_import SET held_until = NULL WHERE tenant_id = $1 AND id = $2",
        [tx.tenant_id().into(), id.into()],
    )
    .await?;
    Ok(())
}

pub async fn advance(
    tx: &TenantTx,
    id: ImportId,
    to: &Progress,
    state: ImportState,
    finished_at: Option<DateTime<Utc>>,
    held_until: DateTime<Utc>,
) -> Result<(), DbError> {
    tx.run(
        "UPDATE call_import SET state = $3, finished_at = $4, held_until = CASE WHEN $4::timestamptz IS NULL THEN $5 END,
           cursor_rows = $6, cursor_bytes = $7, accepted = $8, duplicate = $9, conflict = $10, suspended = $11, refused = $12,
           charged = $13, charged_micros = $14, covered = $15
         WHERE tenant_id = $1 AND id = $2",
        [
            tx.tenant_id().into(),
            id.into(),
            state.as_str().into(),
            finished_at.into(),
            held_until.into(),
            whole(to.rows).into(),
            whole(to.bytes).into(),
            whole(to.accepted).into(),
            whole(to.duplicate).into(),
            whole(to.conflict).into(),
            whole(to.suspended).into(),
            whole(to.refused).into(),
            whole(to.charged).into(),
            to.charged_micros.into(),
            whole(to.covered).into(),
        ],
    )
    .await?;
    Ok(())
}

pub async fn mappings(tx: &TenantTx) -> Result<Vec<SavedMapping>, UsageError> {
    #[derive(FromQueryResult)]
    struct Saved {
        name: String,
        settings: Value,
        saved_at: DateTime<Utc>,
        saved_by: String,
    }
    let rows: Vec<Saved> = tx
        .rows(
            "SELECT name, settings, saved_at, saved_by FROM call_import_mapping WHERE tenant_id = $1 ORDER BY name",
            [tx.tenant_id().into()],
        )
        .await?;
    let read = |row: Saved| {
        let settings = settings_of(row.settings)?;
        Ok(SavedMapping { name: row.name, settings, saved_at: row.saved_at, saved_by: row.saved_by })
    };
    rows.into_iter().map(read).collect()
}

pub async fn save_mapping(
    tx: &TenantTx,
    name: &str,
    settings: &Settings,
    by: &str,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    tx.run(
        "INSERT INTO call_import_mapping (tenant_id, name, settings, saved_at, saved_by) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (tenant_id, name) DO UPDATE SET settings = $3, saved_at = $4, saved_by = $5",
        [tx.tenant_id().into(), name.into(), json(settings).into(), now.into(), by.into()],
    )
    .await?;
    Ok(())
}

pub async fn delete_mapping(tx: &TenantTx, name: &str) -> Result<u64, DbError> {
    tx.run("DELETE FROM call_import_mapping WHERE tenant_id = $1 AND name = $2", [tx.tenant_id().into(), name.into()])
        .await
}
