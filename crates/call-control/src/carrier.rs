//! Carriers: who takes a book's calls to the world, and how well each answered lately.

use crate::error::{CallError, Result};
use crate::store::carriers::{self as store, Place};
use chrono::{DateTime, Months, TimeDelta, Utc};
use db::{CallId, CarrierId, DeckId, TenantTx};
use money::Decimal;
use std::collections::HashMap;
use usage_metering::DeckKind;

/// Months after which an attempt is forgotten.
const ATTEMPTS_KEPT_MONTHS: u32 = 13;
const ATTEMPTS_FORGOTTEN_AT_ONCE: i64 = 5_000;
/// The calls of so many minutes make a carrier's answer ratio.
pub const QUALITY_MINUTES: i64 = 15;
/// With fewer calls than this a ratio says nothing.
pub const QUALITY_CALLS_MIN: u64 = 10;

/// What a carrier is told to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCarrier {
    /// a-z, 0-9 and -; unique in the book.
    pub code: String,
    pub name: String,
    pub cost_deck: DeckId,
    /// Calls at once; `None`: as many as there are.
    pub channels_max: Option<u32>,
    pub calls_per_second_max: Option<u32>,
    /// Takes calls.
    pub is_up: bool,
    /// Of two that cost the same the lower one is first: 0 to 1000.
    pub priority: u32,
}

/// A carrier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carrier {
    pub id: CarrierId,
    pub of: NewCarrier,
    pub created_at: DateTime<Utc>,
}

/// How a carrier did lately, and what it carries now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CarrierQuality {
    /// Calls given to it in the window that were answered or failed.
    pub attempts: u64,
    pub answers: u64,
    /// Calls that it carries now.
    pub running: u64,
    /// Calls begun in this second.
    pub begun: u64,
}

impl CarrierQuality {
    /// Answered of those given to it, in percent; `None` while they are too few.
    pub fn answer_percent(&self) -> Option<Decimal> {
        let enough = self.attempts >= QUALITY_CALLS_MIN;
        enough.then(|| (Decimal::from(self.answers) * Decimal::ONE_HUNDRED / Decimal::from(self.attempts)).round_dp(2))
    }
}

async fn check(tx: &TenantTx, new: &NewCarrier) -> Result<()> {
    let rule = |field, rule, value: &str| CallError::RuleBroken { field, rule, value: value.to_owned() };
    let is_code = (1..=40).contains(&new.code.len())
        && new.code.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if !is_code {
        return Err(rule("code", "must be 1 to 40 of a-z, 0-9 and -", &new.code));
    }
    if !(1..=80).contains(&new.name.chars().count()) || new.name.chars().any(char::is_control) {
        return Err(rule("name", "must have 1 to 80 characters", &new.name));
    }
    for (field, most) in [("channels_max", new.channels_max), ("calls_per_second_max", new.calls_per_second_max)] {
        if most.is_some_and(|most| !(1..=1_000_000).contains(&most)) {
            return Err(rule(field, "must be 1 to 1000000", &most.unwrap_or(0).to_string()));
        }
    }
    if new.priority > 1000 {
        return Err(rule("priority", "must be 0 to 1000", &new.priority.to_string()));
    }
    let deck = usage_metering::deck(tx, new.cost_deck).await?;
    if deck.is_none_or(|deck| deck.kind != DeckKind::Cost) {
        return Err(rule("cost_deck", "must be a cost deck of this book", &new.cost_deck.to_string()));
    }
    Ok(())
}

/// Makes a carrier known.
pub async fn create_carrier(tx: &TenantTx, new: &NewCarrier, now: DateTime<Utc>) -> Result<CarrierId> {
    check(tx, new).await?;
    let id = CarrierId::new();
    match store::insert(tx, id, new, now).await? {
        true => Ok(id),
        false => Err(CallError::RuleBroken {
            field: "code",
            rule: "must be free: another carrier has it",
            value: new.code.clone(),
        }),
    }
}

/// Changes all of a carrier but its code, from the next call on.
pub async fn change_carrier(tx: &TenantTx, id: CarrierId, new: &NewCarrier) -> Result<()> {
    let known = carrier(tx, id).await?.ok_or(CallError::UnknownCarrier(id))?;
    check(tx, &NewCarrier { code: known.of.code, ..new.clone() }).await?;
    store::update(tx, id, new).await
}

/// The carriers of this book: by priority, then by code.
pub async fn carriers(tx: &TenantTx) -> Result<Vec<Carrier>> {
    store::all(tx).await
}

/// One of them.
pub async fn carrier(tx: &TenantTx, id: CarrierId) -> Result<Option<Carrier>> {
    Ok(carriers(tx).await?.into_iter().find(|carrier| carrier.id == id))
}

/// How each did in the minutes before an instant. One without calls is not there.
pub async fn carrier_quality(tx: &TenantTx, at: DateTime<Utc>) -> Result<HashMap<CarrierId, CarrierQuality>> {
    quality_without(tx, None, at).await
}

/// The same as a call sees it that is to be given to one of them.
pub(crate) async fn quality_without(
    tx: &TenantTx,
    call_id: Option<CallId>,
    at: DateTime<Utc>,
) -> Result<HashMap<CarrierId, CarrierQuality>> {
    store::quality(tx, (at - TimeDelta::minutes(QUALITY_MINUTES), at), call_id).await
}

/// Forgets to whom calls were given so long ago that nobody asks any more: as long as a late call is taken. A part of them at a
/// time; how many.
pub async fn forget_old_attempts(tx: &TenantTx, now: DateTime<Utc>) -> Result<u64> {
    let before = now.checked_sub_months(Months::new(ATTEMPTS_KEPT_MONTHS)).unwrap_or(DateTime::<Utc>::MIN_UTC);
    store::forget_attempts(tx, before, ATTEMPTS_FORGOTTEN_AT_ONCE).await
}

/// Notes that a call is given to a carrier; false where it may not take one more: looked at again under its lock, so that two
/// calls at once do not share its last channel.
pub(crate) async fn begin_attempt(tx: &TenantTx, of: Place, id: CarrierId, at: DateTime<Utc>) -> Result<bool> {
    store::lock(tx, id).await?;
    // Asked for again by an edge that did not hear the answer: it is given already.
    let attempts = store::attempts(tx, of).await?;
    if attempts.iter().any(|attempt| attempt.carrier_id == id.uuid() && attempt.is_answered.is_none()) {
        return Ok(true);
    }
    let Some(carrier) = carrier(tx, id).await? else { return Ok(false) };
    let quality = quality_without(tx, Some(of.call_id), at).await?.remove(&id).unwrap_or_default();
    if over(carrier.of.channels_max, quality.running) || over(carrier.of.calls_per_second_max, quality.begun) {
        return Ok(false);
    }
    store::begin_attempt(tx, of, id, at).await?;
    Ok(true)
}

/// Does a limit hold one more?
pub(crate) fn over(most: Option<u32>, now: u64) -> bool {
    most.is_some_and(|most| now >= u64::from(most))
}
