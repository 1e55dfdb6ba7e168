use crate::allowance::{expire_holds, release_holds};
use crate::error::LedgerError;
use crate::store;
use chrono::{DateTime, Utc};
use db::{CallId, CustomerId, TenantTx};
use money::{Currency, Money};

/// Which level's price of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Leg {
    /// What the caller pays, in the book where the call happens.
    Caller,
    /// What a book charges the level below it.
    Seller,
    /// What a carrier costs.
    Carrier,
}

impl Leg {
    /// As stored.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Seller => "seller",
            Self::Carrier => "carrier",
        }
    }
}

/// A wish to promise money to a call before it is used. (call, leg, seq) is its key in the book.
#[derive(Clone, Copy, Debug)]
pub struct Reserve {
    pub call_id: CallId,
    pub leg: Leg,
    /// 1, 2, 3 .. within the leg.
    pub seq: u32,
    pub customer_id: CustomerId,
    /// Above zero.
    pub amount: Money,
    /// Released by [`expire_leases`] after this, unless extended or settled.
    pub lease_until: DateTime<Utc>,
}

/// The stored decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserved {
    /// The money is held.
    Open,
    /// It is not: too little was available, or the reservation is closed already. What is available now.
    Denied { available: Money },
}

/// Promises money to a call's leg by one guarded update, in one round trip. A repeat of (call, leg, seq) gets the stored decision
/// and takes nothing; one whose money is no longer held is denied.
pub async fn reserve(tx: &TenantTx, wish: &Reserve, now: DateTime<Utc>) -> Result<Reserved, LedgerError> {
    if !wish.amount.is_positive() {
        return Err(LedgerError::AmountMustBePositive(wish.amount));
    }
    store::reservations::reserve(tx, wish, now).await
}

/// Keeps the open reservations of a leg until `until`, never shortening a lease; how many there are. The caller's leg may hold
/// included units, too: they have the same leases.
pub async fn extend_lease(
    tx: &TenantTx,
    call_id: CallId,
    leg: Leg,
    until: DateTime<Utc>,
    _now: DateTime<Utc>,
) -> Result<u64, LedgerError> {
    let kept = store::reservations::extend_lease(tx, call_id, leg, until).await?;
    Ok(if leg == Leg::Caller { kept + store::holds::extend_lease(tx, call_id, until).await? } else { kept })
}

/// Gives the open reservations of a leg back without a charge, and the included units of the caller's; how many there were.
pub async fn release(tx: &TenantTx, call_id: CallId, leg: Leg, now: DateTime<Utc>) -> Result<u64, LedgerError> {
    let holds = if leg == Leg::Caller { release_holds(tx, call_id, now).await? } else { 0 };
    Ok(holds + store::reservations::release(tx, call_id, leg, now).await?)
}

/// Gives back what nobody has extended or settled in time (I14); how many reservations expired. Allowances are locked before
/// wallets, as by calls: only what is included says what is left for the wallet to pay.
pub async fn expire_leases(tx: &TenantTx, now: DateTime<Utc>) -> Result<u64, LedgerError> {
    let holds = expire_holds(tx, now).await?;
    Ok(holds + store::reservations::expire(tx, now).await?)
}

/// What a leg holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// The sum of its open reservations.
    pub amount: Money,
    /// The highest seq it ever asked with; 0 when it never did. The next wish is one above.
    pub last_seq: u32,
}

/// What a call's leg holds in this book.
pub async fn held(tx: &TenantTx, call_id: CallId, leg: Leg, currency: Currency) -> Result<Held, LedgerError> {
    store::reservations::held(tx, call_id, leg, currency).await
}
