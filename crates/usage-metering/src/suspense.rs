use crate::error::UsageError;
use crate::event::{Outcome, UsageEvent};
use crate::{ingest, store};
use chrono::{DateTime, Utc};
use db::{PlatformTx, SuspenseId, TenantTx};
use serde_json::Value;
use uuid::Uuid;

/// Why something waits for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SuspenseCause {
    /// No such customer in this book.
    UnknownCustomer,
    /// No such meter in this book.
    UnknownMeter,
    /// The subscription that it names is not its customer's.
    UnknownSubscription,
    /// Several subscriptions of the customer charge for it, and it names none.
    SeveralSubscriptions,
    /// The customer's subscriptions did not run at that time: not begun, paused or over.
    NoSubscription,
    /// Its key is known with another payload.
    Conflict,
    /// More than 24 hours ahead, or older than 13 months.
    AbsurdTime,
    /// Its period is over, and its plan leaves late usage to a person.
    LateUsage,
    /// A called number that nobody had at that time.
    UnknownNumber,
    /// A price or an exchange rate of that time is missing.
    MissingRate,
    /// A call's events do not follow each other.
    BrokenSequence,
    /// A call that could not be charged for another reason; the detail says it.
    NotChargeable,
}

impl SuspenseCause {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::UnknownCustomer,
        Self::UnknownMeter,
        Self::UnknownSubscription,
        Self::SeveralSubscriptions,
        Self::NoSubscription,
        Self::Conflict,
        Self::AbsurdTime,
        Self::LateUsage,
        Self::UnknownNumber,
        Self::MissingRate,
        Self::BrokenSequence,
        Self::NotChargeable,
    ];

    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownCustomer => "unknown_customer",
            Self::UnknownMeter => "unknown_meter",
            Self::UnknownSubscription => "unknown_subscription",
            Self::SeveralSubscriptions => "several_subscriptions",
            Self::NoSubscription => "no_subscription",
            Self::Conflict => "conflict",
            Self::AbsurdTime => "absurd_time",
            Self::LateUsage => "late_usage",
            Self::UnknownNumber => "unknown_number",
            Self::MissingRate => "missing_rate",
            Self::BrokenSequence => "broken_sequence",
            Self::NotChargeable => "not_chargeable",
        }
    }

    pub(crate) fn read(text: &str) -> Result<Self, UsageError> {
        Self::ALL
            .into_iter()
            .find(|cause| cause.as_str() == text)
            .ok_or_else(|| UsageError::StoredValueMustBeKnown { what: "suspense cause", found: text.to_owned() })
    }
}

/// Something in suspense.
#[derive(Clone, Debug, PartialEq)]
pub struct Suspended {
    pub id: SuspenseId,
    pub cause: SuspenseCause,
    pub detail: String,
    pub payload: Value,
    pub received_at: DateTime<Utc>,
}

/// What waits, by cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuspenseSummary {
    pub cause: SuspenseCause,
    pub waiting: u64,
    pub oldest_at: DateTime<Utc>,
}

/// Puts something that matches nothing in suspense. The same cause and payload again is the same entry.
pub async fn suspend(
    tx: &TenantTx,
    cause: SuspenseCause,
    detail: &str,
    payload: &Value,
    now: DateTime<Utc>,
) -> Result<SuspenseId, UsageError> {
    let name = format!("{} {} {payload}", tx.tenant_id(), cause.as_str());
    let id = SuspenseId::from_uuid(Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()));
    store::suspense::insert(tx, &[NewSuspense { id, cause, detail: detail.to_owned(), payload: payload.clone() }], now)
        .await?;
    Ok(id)
}

/// What waits, the oldest first.
pub async fn open_suspense(tx: &TenantTx, limit: u64) -> Result<Vec<Suspended>, UsageError> {
    store::suspense::open(tx, limit).await
}

/// What waits, counted by cause.
pub async fn suspense_summary(tx: &TenantTx) -> Result<Vec<SuspenseSummary>, UsageError> {
    store::suspense::summary(tx).await
}

/// What waits in all books together, by cause: for the alarm, which says how old the oldest is and nothing about whose.
pub async fn suspense_anywhere(ptx: &PlatformTx) -> Result<Vec<SuspenseSummary>, UsageError> {
    store::suspense::anywhere(ptx).await
}

/// Takes something out of suspense by a person's decision, which is kept beside it.
pub async fn resolve_suspense(
    tx: &TenantTx,
    id: SuspenseId,
    resolution: &str,
    now: DateTime<Utc>,
) -> Result<(), UsageError> {
    match store::suspense::resolve(tx, id, resolution, now).await? {
        0 => Err(UsageError::SuspenseMustExist),
        _ => Ok(()),
    }
}

/// Tries a suspended event again, after its customer or meter was made: accepted, it leaves suspense; else it stays.
/// A conflict stays a conflict: only a person may decide it.
pub async fn retry_suspense(tx: &TenantTx, id: SuspenseId, now: DateTime<Utc>) -> Result<Outcome, UsageError> {
    let found = store::suspense::lock(tx, id).await?.ok_or(UsageError::SuspenseMustExist)?;
    let Ok(event) = serde_json::from_value::<UsageEvent>(found.payload) else {
        return Ok(Outcome::Suspended(found.cause));
    };
    if found.cause == SuspenseCause::Conflict {
        return Ok(Outcome::Conflict);
    }
    let outcome = ingest::ingest_known(tx, &event, now).await?;
    if outcome == Outcome::Accepted {
        store::suspense::resolve(tx, id, "accepted on a second try", now).await?;
    }
    Ok(outcome)
}

/// The oldest entries of a cause, after one of them; held until the transaction ends.
pub async fn lock_suspense(
    tx: &TenantTx,
    cause: SuspenseCause,
    after: Option<(DateTime<Utc>, SuspenseId)>,
    limit: u64,
) -> Result<Vec<Suspended>, UsageError> {
    store::suspense::lock_some(tx, cause, after, limit).await
}

/// Takes entries out of suspense for one reason, which is kept beside each; how many were there.
pub async fn resolve_all_suspense(
    tx: &TenantTx,
    ids: &[SuspenseId],
    resolution: &str,
    now: DateTime<Utc>,
) -> Result<u64, UsageError> {
    Ok(store::suspense::resolve_many(tx, ids, resolution, now).await?)
}

/// An entry to be written.
pub(crate) struct NewSuspense {
    pub id: SuspenseId,
    pub cause: SuspenseCause,
    pub detail: String,
    pub payload: Value,
}

impl NewSuspense {
    /// An event that waits. Its id follows from key, payload and cause, so that sending it again does not pile up.
    pub fn of(event: &UsageEvent, hash: &[u8; 32], cause: SuspenseCause, detail: String) -> Self {
        let name = [event.source.as_bytes(), &[0], event.id.as_bytes(), &[0], hash, cause.as_str().as_bytes()].concat();
        let payload = serde_json::to_value(event).unwrap_or(Value::Null);
        Self { id: SuspenseId::from_uuid(Uuid::new_v5(&Uuid::NAMESPACE_OID, &name)), cause, detail, payload }
    }
}
