use crate::error::LedgerError;
use crate::posting::Posted;
use crate::reservation::Leg;
use crate::store;
use chrono::{DateTime, Utc};
use db::{CallId, CustomerId, TenantTx};
use money::Money;

/// The charge of a call's leg, to be taken from a wallet.
#[derive(Clone, Debug)]
pub struct Settle {
    pub call_id: CallId,
    pub leg: Leg,
    pub customer_id: CustomerId,
    /// Gross; zero closes the leg without entries.
    pub charge: Money,
    /// `call` for calls; with (call, leg) the natural key.
    pub kind: &'static str,
    pub memo: String,
    pub effective_at: DateTime<Utc>,
}

impl Settle {
    /// The key within the kind.
    pub fn key(&self) -> String {
        format!("{}:{}", self.call_id, self.leg.code())
    }

    pub(crate) fn charge_key(&self) -> ChargeKey {
        (self.kind, self.call_id, self.leg)
    }
}

/// What makes two charges the same one.
pub(crate) type ChargeKey = (&'static str, CallId, Leg);

/// What became of a charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    pub posted: Posted,
    /// What the wallet could not pay without going below its floor: in bad debt. Zero unless the call used more than was reserved.
    pub unpaid: Money,
}

/// Closes all open reservations of a leg and posts its charge, in one round trip: wallet -paid, unbilled +charge, bad debt -unpaid.
/// Twice is once: a repeat gets the stored answer, whatever charge it names.
pub async fn settle(tx: &TenantTx, charge: &Settle, now: DateTime<Utc>) -> Result<Settled, LedgerError> {
    if charge.charge.is_negative() {
        return Err(LedgerError::ChargeMustNotBeNegative(charge.charge));
    }
    store::settlements::settle(tx, charge, now).await
}
