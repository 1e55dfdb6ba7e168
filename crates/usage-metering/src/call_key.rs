use crate::error::UsageError;
use crate::store;
use chrono::{DateTime, Utc};
use db::{CallId, TenantTx};

/// Whether an event of a call is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Nobody told it before: act on it.
    New,
    /// Told before with this payload: nothing to do.
    Known,
    /// Told before with another payload: the first stands.
    Conflict,
}

/// Claims events of a call by their business identity (call, kind, seq), whoever tells them: a second edge with another
/// source cannot count a call twice. Answers come in the order of the events.
pub async fn claim_call_events(
    tx: &TenantTx,
    call_id: CallId,
    events: &[(String, i32, [u8; 32])],
    now: DateTime<Utc>,
) -> Result<Vec<Claim>, UsageError> {
    if events.is_empty() {
        return Ok(Vec::new());
    }
    Ok(store::call_key::claim(tx, call_id, events, now).await?)
}

/// Claims whole calls as another switch recorded them, many at once, by the call and the hash of its record. Answers come in
/// the order of the records; of two of one call in a batch the first is the new one.
pub async fn claim_records(
    tx: &TenantTx,
    records: &[(CallId, [u8; 32])],
    now: DateTime<Utc>,
) -> Result<Vec<Claim>, UsageError> {
    if records.is_empty() {
        return Ok(Vec::new());
    }
    Ok(store::call_key::claim_records(tx, records, now).await?)
}
