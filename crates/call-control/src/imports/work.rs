//! A file is worked through in blocks of rows: what a block comes to and the place after it are one transaction, so that whoever
//! goes on after a crash goes on at the row. A trial does the same and gives each block up.

use super::judge::call_id;
use super::records::{RecordOutcome, Taking, take_records};
use crate::error::{CallError, Result};
use crate::retry::retry;
use chrono::{DateTime, Utc};
use db::{CallId, Db, ImportId, TenantId, TenantTx};
use std::collections::HashMap;
use usage_metering::{CallRecord, Import, ImportState, NotCounted, Progress, Reader, Row, SuspenseCause};

/// Rows of one transaction.
pub const IMPORT_BLOCK_ROWS: usize = 500;
/// A file with so many rows that are none is of another format.
const REFUSED_MAX: u64 = 100_000;

/// Works at an import that is asked for, until it is through, or `goes_on` says no. False where it is not through, or somebody
/// else is at it.
pub async fn work_import(
    db: &Db,
    tenant_id: TenantId,
    id: ImportId,
    clock: &(dyn Fn() -> DateTime<Utc> + Sync),
    goes_on: &(dyn Fn() -> bool + Sync),
) -> Result<bool> {
    let tx = db.tenant(tenant_id).await?;
    if !usage_metering::claim_import(&tx, id, clock()).await? {
        return Ok(false);
    }
    let import = usage_metering::import(&tx, id).await?;
    let bytes = usage_metering::import_file(&tx, id).await?;
    tx.commit().await?;
    let mut part = Part { db, tenant_id, import, seen: HashMap::new() };
    let is_through = part.all(&bytes, clock, goes_on).await;
    if !matches!(is_through, Ok(true)) {
        let tx = db.tenant(tenant_id).await?;
        usage_metering::release_import(&tx, id).await?;
        tx.commit().await?;
    }
    is_through
}

struct Part<'a> {
    db: &'a Db,
    tenant_id: TenantId,
    /// As it was when the last block was through.
    import: Import,
    /// Of a trial: what it has seen, because nothing of it is written.
    seen: HashMap<CallId, [u8; 32]>,
}

impl Part<'_> {
    async fn all(
        &mut self,
        bytes: &[u8],
        clock: &(dyn Fn() -> DateTime<Utc> + Sync),
        goes_on: &(dyn Fn() -> bool + Sync),
    ) -> Result<bool> {
        let settings = self.import.settings.clone();
        let reader = Reader::new(bytes, &settings);
        let mut rows = reader.rows();
        for _ in 0..self.import.progress.rows {
            let Some(row) = rows.next() else { break };
            if let (ImportState::Trying, Ok(record)) = (self.import.state, &row.record) {
                self.see(record);
            }
        }
        loop {
            if !goes_on() {
                return Ok(false);
            }
            let block: Vec<Row> = rows.by_ref().take(IMPORT_BLOCK_ROWS).collect();
            let is_last = block.len() < IMPORT_BLOCK_ROWS;
            if !self.block(&block, is_last, clock()).await? {
                return Ok(false);
            }
            if is_last {
                return Ok(true);
            }
            if self.import.progress.refused > REFUSED_MAX {
                let tx = self.db.tenant(self.tenant_id).await?;
                let because = format!("more than {REFUSED_MAX} rows are none of this format");
                usage_metering::stop_import(&tx, self.import.id, &because, clock()).await?;
                tx.commit().await?;
                return Ok(false);
            }
        }
    }

    /// A block; if one of its records cannot be settled at all, each by itself, so that one does not stop the others.
    async fn block(&mut self, rows: &[Row], is_last: bool, now: DateTime<Utc>) -> Result<bool> {
        match self.rows(rows, is_last, now).await {
            Err(error) if error.is_final() && !rows.is_empty() => {
                tracing::warn!(tenant.id = %self.tenant_id, import.id = %self.import.id, %error, "A block of rows is taken row by row");
            }
            taken => return taken,
        }
        for (place, row) in rows.iter().enumerate() {
            let (row, ends) = (std::slice::from_ref(row), is_last && place + 1 == rows.len());
            let is_taken = match self.rows(row, ends, now).await {
                Err(error) if error.is_final() => self.set_aside(&row[0], &error, ends, now).await?,
                taken => taken?,
            };
            if !is_taken {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn rows(&mut self, rows: &[Row], is_last: bool, now: DateTime<Utc>) -> Result<bool> {
        let (part, not_counted) = {
            let this = &*self;
            match this.import.state {
                ImportState::Trying => retry(|| this.try_rows(rows, now)).await?,
                _ => match retry(|| this.take_rows(rows, is_last, now)).await? {
                    Some(taken) => taken,
                    None => return Ok(false),
                },
            }
        };
        if self.import.state == ImportState::Trying {
            let tx = self.db.tenant(self.tenant_id).await?;
            let Some(found) = self.held(&tx).await? else { return Ok(false) };
            usage_metering::move_import(&tx, &found, &part, &not_counted, is_last, now).await?;
            tx.commit().await?;
            rows.iter().filter_map(|row| row.record.as_ref().ok()).for_each(|record| self.see(record));
        }
        self.import.progress = self.import.progress.and(&part);
        Ok(true)
    }

    fn see(&mut self, record: &CallRecord) {
        let id = call_id(self.tenant_id, &self.import.settings.source, &record.id);
        self.seen.entry(id).or_insert_with(|| record.payload_hash());
    }

    /// The import, held, unless somebody has moved or stopped it meanwhile.
    async fn held(&self, tx: &TenantTx) -> Result<Option<Import>> {
        let found = usage_metering::lock_import(tx, self.import.id).await?;
        let is_same = found.state == self.import.state && found.progress.rows == self.import.progress.rows;
        Ok(is_same.then_some(found))
    }

    async fn take_rows(
        &self,
        rows: &[Row],
        is_last: bool,
        now: DateTime<Utc>,
    ) -> Result<Option<(Progress, Vec<NotCounted>)>> {
        let tx = self.db.tenant(self.tenant_id).await?;
        let Some(found) = self.held(&tx).await? else { return Ok(None) };
        let (part, not_counted) = self.told(rows, self.outcomes(&tx, rows, now).await?);
        usage_metering::move_import(&tx, &found, &part, &not_counted, is_last, now).await?;
        tx.commit().await?;
        Ok(Some((part, not_counted)))
    }

    /// Everything is done, looked at, and given up.
    async fn try_rows(&self, rows: &[Row], now: DateTime<Utc>) -> Result<(Progress, Vec<NotCounted>)> {
        let tx = self.db.tenant(self.tenant_id).await?;
        let outcomes = self.outcomes(&tx, rows, now).await?;
        tx.rollback().await?;
        Ok(self.told(rows, outcomes))
    }

    async fn outcomes(&self, tx: &TenantTx, rows: &[Row], now: DateTime<Utc>) -> Result<Vec<RecordOutcome>> {
        let settings = &self.import.settings;
        let records: Vec<CallRecord> = rows.iter().filter_map(|row| row.record.clone().ok()).collect();
        let taking = Taking { source: &settings.source, digit: settings.digit };
        let mut outcomes = take_records(tx, taking, &records, now).await?;
        for (record, outcome) in records.iter().zip(&mut outcomes) {
            let known = self.seen.get(&call_id(self.tenant_id, &settings.source, &record.id));
            match known.map(|hash| *hash == record.payload_hash()) {
                Some(true) => *outcome = RecordOutcome::Duplicate,
                Some(false) => *outcome = RecordOutcome::Conflict,
                None => {}
            }
        }
        Ok(outcomes)
    }

    /// What a block comes to, and its rows that were not counted.
    fn told(&self, rows: &[Row], outcomes: Vec<RecordOutcome>) -> (Progress, Vec<NotCounted>) {
        let mut part = Progress { bytes: rows.last().map_or(0, |row| row.end_byte), ..Progress::default() };
        let (mut outcomes, mut not_counted) = (outcomes.into_iter(), Vec::new());
        for row in rows {
            part.rows += 1;
            let position = self.import.progress.rows + part.rows;
            let record = match &row.record {
                Ok(record) => record,
                Err(refusal) => {
                    part.refused += 1;
                    not_counted.push(NotCounted::refused(position, refusal));
                    continue;
                }
            };
            match outcomes.next().unwrap_or(RecordOutcome::Duplicate) {
                RecordOutcome::Accepted { charge, is_covered } => {
                    part.accepted += 1;
                    part.covered += u64::from(is_covered);
                    if let Some(charge) = charge {
                        part.charged += 1;
                        part.charged_micros = part.charged_micros.saturating_add(charge.micros());
                    }
                }
                RecordOutcome::Duplicate => part.duplicate += 1,
                RecordOutcome::Conflict => {
                    part.conflict += 1;
                    let why = "its id is known with another record; the first stands";
                    not_counted.push(waits(position, row.row, record, "conflict", SuspenseCause::Conflict, why));
                }
                RecordOutcome::Suspended(cause, why) => {
                    part.suspended += 1;
                    not_counted.push(waits(position, row.row, record, "suspense", cause, &why));
                }
            }
        }
        (part, not_counted)
    }

    /// A record that the book cannot settle for a reason that will not pass waits for a person with that reason.
    async fn set_aside(&mut self, row: &Row, error: &CallError, is_last: bool, now: DateTime<Utc>) -> Result<bool> {
        let tx = self.db.tenant(self.tenant_id).await?;
        let Some(found) = self.held(&tx).await? else { return Ok(false) };
        let why = error.to_string();
        if let (ImportState::Running, Ok(record)) = (self.import.state, &row.record) {
            let settings = &self.import.settings;
            let taking = Taking { source: &settings.source, digit: settings.digit };
            let key = (call_id(self.tenant_id, &settings.source, &record.id), record.payload_hash());
            usage_metering::claim_records(&tx, &[key], now).await?;
            super::records::suspend(&tx, taking, record, SuspenseCause::NotChargeable, &why, now).await?;
        }
        let outcome = RecordOutcome::Suspended(SuspenseCause::NotChargeable, why);
        let (part, not_counted) = self.told(std::slice::from_ref(row), vec![outcome]);
        usage_metering::move_import(&tx, &found, &part, &not_counted, is_last, now).await?;
        tx.commit().await?;
        self.import.progress = self.import.progress.and(&part);
        Ok(true)
    }
}

fn waits(position: u64, row: u64, record: &CallRecord, outcome: &str, cause: SuspenseCause, why: &str) -> NotCounted {
    NotCounted {
        position,
        row,
        outcome: outcome.to_owned(),
        field: "id".to_owned(),
        rule: cause.as_str().to_owned(),
        detail: why.to_owned(),
        value: record.id.chars().take(80).collect(),
    }
}
