//! Calls out as pages read them: what this book decided about each, and to whom it was given.

use crate::error::Result;
use crate::explanation::read_currency;
use crate::outgoing::plan::Decision;
use crate::outgoing::settle::decision;
use crate::store::carriers::{self, Place};
use crate::store::outgoing::{self as store, Filter, OutgoingRow};
use chrono::{DateTime, Utc};
use db::{CallId, CarrierId, CustomerId, TenantId, TenantTx};
use money::Money;

/// A call out, as one book knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct OutgoingView {
    pub call_id: CallId,
    /// In whose book the caller is; the call's page is there.
    pub origin: TenantId,
    pub customer_id: CustomerId,
    /// Digits.
    pub called: String,
    pub class: Option<String>,
    pub started_at: DateTime<Utc>,
    /// `None`: bought from the seller, or not let out.
    pub carrier_id: Option<CarrierId>,
    pub decision: Decision,
    /// Why somebody should look at it.
    pub flag: Option<String>,
    /// Tax included; `None` while it runs.
    pub charge: Option<Money>,
    /// What the carrier asks.
    pub cost: Option<Money>,
    pub ended_at: Option<DateTime<Utc>>,
}

/// A call given to a carrier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CarrierAttempt {
    pub carrier_id: CarrierId,
    pub at: DateTime<Utc>,
    /// `None` while it rings.
    pub is_answered: Option<bool>,
    /// What the carrier said instead.
    pub failure: Option<String>,
}

/// Which calls out are wanted, the newest first.
#[derive(Clone, Copy, Debug, Default)]
pub struct OutgoingFilter {
    pub carrier: Option<CarrierId>,
    pub customer: Option<CustomerId>,
    /// Only those that somebody should look at.
    pub only_flagged: bool,
    pub limit: u32,
}

/// Calls out of this book and of those below it.
pub async fn outgoing_calls(tx: &TenantTx, filter: &OutgoingFilter) -> Result<Vec<OutgoingView>> {
    let filter = Filter {
        carrier_id: filter.carrier.map(CarrierId::uuid),
        customer_id: filter.customer.map(CustomerId::uuid),
        only_flagged: filter.only_flagged,
        limit: i64::from(filter.limit),
    };
    store::newest(tx, &filter).await?.iter().map(view).collect()
}

/// What this book decided about one of its own calls, and the attempts of its own carriers.
pub async fn outgoing_of(tx: &TenantTx, call_id: CallId) -> Result<Option<(OutgoingView, Vec<CarrierAttempt>)>> {
    let place = Place { origin: tx.tenant_id(), call_id };
    let Some(row) = store::find(tx, place).await? else { return Ok(None) };
    let attempt = |row: carriers::AttemptRow| CarrierAttempt {
        carrier_id: row.carrier_id.into(),
        at: row.at,
        is_answered: row.is_answered,
        failure: row.failure,
    };
    let attempts = carriers::attempts(tx, place).await?.into_iter().map(attempt).collect();
    Ok(Some((view(&row)?, attempts)))
}

fn view(row: &OutgoingRow) -> Result<OutgoingView> {
    let currency = read_currency(&row.currency)?;
    let amount = |micros: Option<i64>| micros.map(|micros| Money::from_micros(micros, currency));
    Ok(OutgoingView {
        call_id: row.call_id.into(),
        origin: row.tenant_id.into(),
        customer_id: row.customer_id.into(),
        called: row.called.clone(),
        class: row.class.clone(),
        started_at: row.started_at,
        carrier_id: row.carrier_id.map(Into::into),
        decision: decision(row)?,
        flag: row.flag.clone(),
        charge: amount(row.charge_micros),
        cost: amount(row.cost_micros),
        ended_at: row.ended_at,
    })
}
