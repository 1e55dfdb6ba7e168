use super::judge::{Book, Judged, call_id};
use crate::error::{CallError, Result};
use crate::finished::{FinishedCall, LateCalls, settle_each};
use crate::outgoing::finished::{FinishedOutgoing, settle_in};
use crate::reading::ChargedBy;
use crate::retry::retry;
use crate::settlement::Settled;
use crate::store::calls::{self, NewEvent};
use chrono::{DateTime, Utc};
use db::{CallId, Db, NumberId, TenantId, TenantTx};
use money::Money;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use usage_metering::{CallRecord, Claim, Outcome, SuspenseCause, UsageEvent};

/// How records are taken that come together.
#[derive(Clone, Copy, Debug)]
pub struct Taking<'a> {
    /// Name of the switch: with it and its own id a call is known.
    pub source: &'a str,
    /// The topic of calls whose record names none.
    pub digit: Option<u8>,
}

/// What became of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordOutcome {
    /// It is a call of the book, or usage of a customer.
    Accepted {
        /// What a tariff charged; `None` where nothing was metered or a plan covers it.
        charge: Option<Money>,
        is_covered: bool,
    },
    /// Known already with the same record: nothing changed.
    Duplicate,
    /// Known with another record: the first stands, this one waits.
    Conflict,
    /// It waits for somebody, and why.
    Suspended(SuspenseCause, String),
}

/// As what a record waits, if it waits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Waits {
    /// Whole: nothing of it is in the book.
    AsRecord,
    /// Settling has put it into suspense by itself: its usage, or a call that several plans cover.
    ByItself,
}

/// What waits in suspense of a call that was recorded.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Waiting {
    pub call_record: CallRecord,
    pub source: String,
    pub digit: Option<u8>,
}

/// Puts a record into suspense, whole.
async fn suspend(
    tx: &TenantTx,
    taking: Taking<'_>,
    record: &CallRecord,
    cause: SuspenseCause,
    why: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let waiting = Waiting { call_record: record.clone(), source: taking.source.to_owned(), digit: taking.digit };
    let payload = serde_json::to_value(waiting).unwrap_or_default();
    usage_metering::suspend(tx, cause, why, &payload, now).await?;
    Ok(())
}

/// Takes records within the caller's transaction, each once by its source and id. Answers come in the order of the records.
pub async fn take_records(
    tx: &TenantTx,
    taking: Taking<'_>,
    records: &[CallRecord],
    now: DateTime<Utc>,
) -> Result<Vec<RecordOutcome>> {
    let keys: Vec<(CallId, [u8; 32])> = records
        .iter()
        .map(|record| (call_id(tx.tenant_id(), taking.source, &record.id), record.payload_hash()))
        .collect();
    let claims = usage_metering::claim_records(tx, &keys, now).await?;
    let mut outcomes: Vec<Option<RecordOutcome>> = Vec::with_capacity(records.len());
    let mut fresh = Vec::new();
    for (place, claim) in claims.into_iter().enumerate() {
        outcomes.push(match claim {
            Claim::New => {
                fresh.push(place);
                None
            }
            Claim::Known => Some(RecordOutcome::Duplicate),
            Claim::Conflict => {
                let detail = format!("call {} of {} came with another record", records[place].id, taking.source);
                suspend(tx, taking, &records[place], SuspenseCause::Conflict, &detail, now).await?;
                Some(RecordOutcome::Conflict)
            }
        });
    }
    let new: Vec<(CallId, &CallRecord, Taking<'_>)> =
        fresh.iter().map(|place| (keys[*place].0, &records[*place], taking)).collect();
    for (place, outcome) in fresh.into_iter().zip(settle(tx, &new, LateCalls::Leave, now).await?) {
        if let (RecordOutcome::Suspended(cause, detail), Waits::AsRecord) = (&outcome.0, outcome.1) {
            suspend(tx, taking, &records[place], *cause, detail, now).await?;
        }
        outcomes[place] = Some(outcome.0);
    }
    Ok(outcomes.into_iter().map(|outcome| outcome.unwrap_or(RecordOutcome::Duplicate)).collect())
}

/// Takes records in transactions of its own: durable when it returns. One that cannot be settled at all does not stop the
/// others; it waits for a person with the reason.
pub async fn take_records_now(
    db: &Db,
    tenant_id: TenantId,
    taking: Taking<'_>,
    records: &[CallRecord],
    now: DateTime<Utc>,
) -> Result<Vec<RecordOutcome>> {
    let taken = async |records: &[CallRecord]| {
        retry(|| async {
            let tx = db.tenant(tenant_id).await?;
            let outcomes = take_records(&tx, taking, records, now).await?;
            tx.commit().await?;
            Ok(outcomes)
        })
        .await
    };
    match taken(records).await {
        Err(error) if error.is_final() => {}
        outcomes => return outcomes,
    }
    let mut outcomes = Vec::with_capacity(records.len());
    for record in records {
        match taken(std::slice::from_ref(record)).await {
            Ok(one) => outcomes.extend(one),
            Err(error) if error.is_final() => {
                let (tx, why) = (db.tenant(tenant_id).await?, error.to_string());
                set_aside(&tx, taking, record, &why, now).await?;
                tx.commit().await?;
                outcomes.push(RecordOutcome::Suspended(SuspenseCause::NotChargeable, why));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(outcomes)
}

/// A record that the book cannot settle for a reason that will not pass: known from now on, and waiting.
pub(super) async fn set_aside(
    tx: &TenantTx,
    taking: Taking<'_>,
    record: &CallRecord,
    why: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let key = (call_id(tx.tenant_id(), taking.source, &record.id), record.payload_hash());
    usage_metering::claim_records(tx, &[key], now).await?;
    suspend(tx, taking, record, SuspenseCause::NotChargeable, why, now).await
}

/// Settles what the book knows how to settle, and says of the rest why not. Nothing is put into suspense here, except what
/// settling itself puts there.
pub(super) async fn settle(
    tx: &TenantTx,
    records: &[(CallId, &CallRecord, Taking<'_>)],
    late: LateCalls,
    now: DateTime<Utc>,
) -> Result<Vec<(RecordOutcome, Waits)>> {
    if records.is_empty() {
        return Ok(Vec::new());
    }
    let book = Book::read(tx, &records.iter().map(|(_, record, _)| *record).collect::<Vec<_>>()).await?;
    let (mut calls, mut events, mut owners) = (Vec::<FinishedCall>::new(), Vec::<UsageEvent>::new(), Vec::new());
    let (mut outcomes, mut out): (Vec<(RecordOutcome, Waits)>, _) = (Vec::with_capacity(records.len()), Vec::new());
    for (place, (id, record, taking)) in records.iter().enumerate() {
        let nothing = RecordOutcome::Accepted { charge: None, is_covered: false };
        let digit = taking.digit.filter(|_| record.digit.is_none());
        let outcome = match book.judge(taking.source, *id, record, digit, now) {
            Judged::Waits(cause, detail) => RecordOutcome::Suspended(cause, detail),
            Judged::Call(call) => {
                calls.push(*call);
                // Unless it is settled below: the book has the call already.
                RecordOutcome::Duplicate
            }
            Judged::Out(call, number_id) => {
                out.push((place, call, number_id));
                nothing
            }
            Judged::Usage(used) => {
                owners.extend(used.iter().map(|_| place));
                events.extend(used);
                nothing
            }
        };
        outcomes.push((outcome, Waits::AsRecord));
    }
    // Wallets are locked by customer, as everywhere, and not by the file's order.
    out.sort_by_key(|(_, call, _)| call.customer_id);
    for (place, call, number_id) in out {
        let (_, record, taking) = &records[place];
        outcomes[place] = settle_out(tx, &call, number_id, (record, taking.source), (late, now)).await?;
    }
    let all = settle_each(tx, &calls, late, now).await?;
    let settled: HashMap<CallId, Settled> = all.settled.into_iter().map(|settled| (settled.call_id, settled)).collect();
    let mut left: HashMap<CallId, String> = all.left.into_iter().collect();
    for ((id, record, taking), outcome) in records.iter().zip(&mut outcomes) {
        if let Some(settled) = settled.get(id) {
            *outcome = (outcome_of(settled), Waits::ByItself);
            note(tx, *id, record, taking.source, now).await?;
        } else if let Some(why) = left.remove(id) {
            *outcome = (RecordOutcome::Suspended(SuspenseCause::LateUsage, why), Waits::AsRecord);
        }
    }
    for (place, counted) in owners.into_iter().zip(usage_metering::ingest_reported(tx, &events, now).await?) {
        if let Outcome::Suspended(cause) = counted {
            outcomes[place] = (RecordOutcome::Suspended(cause, "its usage waits".to_owned()), Waits::ByItself);
        }
    }
    Ok(outcomes)
}

/// A call out by the book's deck; one that has no price waits, and one that its plan leaves to a person.
async fn settle_out(
    tx: &TenantTx,
    out: &FinishedOutgoing,
    number_id: NumberId,
    (record, source): (&CallRecord, &str),
    (late, now): (LateCalls, DateTime<Utc>),
) -> Result<(RecordOutcome, Waits)> {
    match settle_in(tx, out, number_id, None, (late, now)).await {
        Err(error @ CallError::PeriodIsOver { .. }) => {
            Ok((RecordOutcome::Suspended(SuspenseCause::LateUsage, error.to_string()), Waits::AsRecord))
        }
        Err(error @ CallError::NotPriced { .. }) => {
            Ok((RecordOutcome::Suspended(SuspenseCause::MissingRate, error.to_string()), Waits::AsRecord))
        }
        Err(other) => Err(other),
        Ok(settled) if !settled.is_new => Ok((RecordOutcome::Duplicate, Waits::AsRecord)),
        Ok(_) => {
            note(tx, out.call_id, record, source, now).await?;
            let call = crate::detail::call(tx, out.call_id).await?.call;
            let is_covered = call.charged_by == Some(ChargedBy::Component);
            Ok((RecordOutcome::Accepted { charge: call.charge.filter(|_| !is_covered), is_covered }, Waits::ByItself))
        }
    }
}

fn outcome_of(settled: &Settled) -> RecordOutcome {
    match settled.charged_by {
        Some(ChargedBy::Nothing) => RecordOutcome::Suspended(
            SuspenseCause::SeveralSubscriptions,
            "several subscriptions of the customer cover it".to_owned(),
        ),
        by => RecordOutcome::Accepted {
            charge: settled.charge.filter(|_| by == Some(ChargedBy::Tariff)),
            is_covered: by == Some(ChargedBy::Component),
        },
    }
}

/// Where the call is told of says also where it came from.
async fn note(tx: &TenantTx, id: CallId, record: &CallRecord, source: &str, now: DateTime<Utc>) -> Result<()> {
    let detail = serde_json::json!({ "source": source, "id": record.id, "cause": record.cause });
    let offset_ms = (record.ended_at - record.started_at).num_milliseconds();
    calls::insert_events(tx, id, &[NewEvent { kind: "call_recorded", seq: 0, at: now, offset_ms, detail }]).await
}
