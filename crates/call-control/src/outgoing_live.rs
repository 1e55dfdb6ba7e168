//! A call that is out: answered, talking on, over. And calls out that are over when they are first heard of.

use crate::control::Control;
use crate::error::{CallError, Result};
use crate::finished::HandledBy;
use crate::grant::{self, Ask};
use crate::guard;
use crate::outgoing::{OutgoingCall, dimensions};
use crate::outgoing_hold::{self, hold, hold_seller};
use crate::outgoing_plan::{self as planning, Level, OutgoingRefusal, Wish};
use crate::outgoing_trial::digits_of;
use crate::price::{Reach, started_seconds};
use crate::retry::retry;
use crate::settlement::{self, Ending};
use crate::store::carriers::Place;
use crate::store::outgoing::{self as store, Taken};
use crate::{admission, topic};
use chrono::{DateTime, TimeDelta, Utc};
use db::{AgentId, CallId, CarrierId, CustomerId, Db, TenantId, TenantTx};
use money::Money;
use sip_media::{EndCause, Grant};
use subscription::{Billing, Coverage};

/// A call out that is over.
#[derive(Clone, Debug)]
pub struct FinishedOutgoing {
    /// Names it for good: the same call again is one call.
    pub call_id: CallId,
    pub customer_id: CustomerId,
    /// One of the book's numbers at the call's start.
    pub from: String,
    pub called: String,
    /// Code of the book's own carrier that took it; without one, whom the routing of its start would have chosen.
    pub carrier: Option<String>,
    pub agent_id: Option<AgentId>,
    pub started_at: DateTime<Utc>,
    pub answered_at: Option<DateTime<Utc>>,
    pub ended_at: DateTime<Utc>,
    /// Metered time in milliseconds; 0: nobody answered.
    pub metered_ms: u64,
}

/// What became of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettledOutgoing {
    /// False when the book had it already: nothing changed.
    pub is_new: bool,
    /// A limit that it went over: it is over, so nobody was stopped, but told.
    pub over: Option<(OutgoingRefusal, String)>,
}

impl Control {
    /// The called party has answered: from here on it is charged.
    pub async fn outgoing_answered(&self, call: &OutgoingCall, at: DateTime<Utc>) -> Result<()> {
        retry(|| self.start_meter(call, at)).await?;
        self.mark_attempt(call, true, None, at).await
    }

    async fn start_meter(&self, call: &OutgoingCall, at: DateTime<Utc>) -> Result<()> {
        let tx = self.db().tenant(call.tenant_id).await?;
        if let Some(mut row) = crate::store::calls::lock(&tx, call.call_id).await?.filter(|row| row.ended_at.is_none())
        {
            row.answered_at = Some(at);
            row.meter_started_at = Some(at);
            row.state = "talking".to_owned();
            row.last_seen_at = at;
            crate::store::calls::save(&tx, &row).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Extends the grant by what wallets and limits have left, in every book on the way.
    pub async fn renew_outgoing(&self, call: &OutgoingCall, metered_ms: u64, at: DateTime<Utc>) -> Result<Grant> {
        let none = Grant { authorised_seconds: Some(0), renew_at_second: 0, is_final: true };
        let metered = started_seconds(metered_ms);
        let Some(digits) = digits_of(&call.called) else { return Ok(none) };
        let place = Place { origin: call.tenant_id, call_id: call.call_id };
        let tx = self.db().tenant(call.tenant_id).await?;
        let Some(row) = crate::store::calls::find(&tx, call.call_id).await?.filter(|row| row.ended_at.is_none()) else {
            return Ok(none);
        };
        tx.commit().await?;
        let before = row.authorised_seconds.map(i32::unsigned_abs);
        // Prices and limits as they were when it was let out; what is spent, as it is now.
        let is_covered = row.charged_by.as_deref() != Some("tariff");
        let wish = Wish { place, customer_id: call.customer_id, called: &digits, at: call.at, is_covered };
        let plan = planning::plan(self.db(), &wish).await?;
        let Some(reach) = retry(|| self.renew_own(call, &plan.levels[0], metered, at)).await? else { return Ok(none) };
        for level in &plan.levels[1..] {
            if !retry(|| self.renew_above(place, level, reach, at)).await? {
                let seconds = before.unwrap_or(metered);
                retry(|| self.keep_to(call, seconds)).await?;
                let stays = Reach { seconds: Some(seconds), is_final: true, ..reach };
                return Ok(grant::told(&stays, metered));
            }
        }
        Ok(grant::told(&reach, metered))
    }

    async fn renew_own(
        &self,
        call: &OutgoingCall,
        level: &Level,
        metered: u32,
        at: DateTime<Utc>,
    ) -> Result<Option<Reach>> {
        let tx = self.db().tenant(call.tenant_id).await?;
        let place = Place { origin: call.tenant_id, call_id: call.call_id };
        // A limit of calls at once is passed already: this one is one of them.
        let left = guard::left(&tx, level, call.call_id, at).await?.unwrap_or(guard::Left { amount: None, by: None });
        let Some(mut row) = crate::store::calls::lock(&tx, call.call_id).await?.filter(|row| row.ended_at.is_none())
        else {
            return Ok(None);
        };
        let before = row.authorised_seconds.map_or(0, i32::unsigned_abs);
        let start = row.meter_started_at.unwrap_or(at - TimeDelta::seconds(i64::from(metered)));
        let stays = Reach { seconds: Some(before), cost: Money::zero(level.customer.currency), is_final: true };
        let reach = match &level.price {
            Some(price) => {
                let reach = |budget: Money| {
                    let budget = left.amount.map_or(Ok(budget), |most| budget.min(most))?;
                    price.reach(start, budget, metered, before)
                };
                let ask =
                    Ask { call: &row, customer_id: level.customer.id, reach: &reach, metered, authorised: before };
                hold(&tx, level, &ask, left.amount, at).await?.unwrap_or(stays)
            }
            None => Reach { seconds: None, ..stays },
        };
        let lease_until = grant::lease(reach.seconds, metered, at);
        ledger::extend_lease(&tx, call.call_id, ledger::Leg::Caller, lease_until, at).await?;
        row.authorised_seconds = reach.seconds.map(|seconds| i32::try_from(seconds).unwrap_or(i32::MAX));
        row.metered_ms = Some(i64::from(metered) * 1000);
        row.last_seen_at = row.last_seen_at.max(at);
        crate::store::calls::save(&tx, &row).await?;
        let cost = match (&level.price, reach.seconds) {
            (Some(price), Some(seconds)) => price.charge(start, seconds)?.amount,
            (Some(price), None) => price.charge(start, metered.saturating_add(60))?.amount,
            (None, _) => reach.cost,
        };
        store::hold(&tx, place, cost.micros(), lease_until).await?;
        tx.commit().await?;
        Ok(Some(reach))
    }

    /// False when this book has no more for the call.
    async fn renew_above(&self, place: Place, level: &Level, reach: Reach, at: DateTime<Utc>) -> Result<bool> {
        let tx = self.db().tenant(level.book).await?;
        let Some(row) = store::find(&tx, place).await?.filter(|row| row.ended_at.is_none()) else { return Ok(true) };
        let left = guard::left(&tx, level, place.call_id, at).await?.unwrap_or(guard::Left { amount: None, by: None });
        let cost = match (&level.price, reach.seconds) {
            (Some(price), Some(seconds)) => price.charge(row.started_at, seconds)?.amount,
            _ => Money::zero(level.customer.currency),
        };
        if let Some(most) = left.amount
            && !most.at_least(cost)?
        {
            return Ok(false);
        }
        if level.customer.billing == Billing::Prepaid
            && !hold_seller(&tx, level, place.call_id, cost, &reach, at).await?
        {
            return Ok(false);
        }
        store::hold(&tx, place, cost.micros(), grant::lease(reach.seconds, 0, at)).await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn keep_to(&self, call: &OutgoingCall, seconds: u32) -> Result<()> {
        let tx = self.db().tenant(call.tenant_id).await?;
        if let Some(mut row) = crate::store::calls::lock(&tx, call.call_id).await? {
            row.authorised_seconds = Some(i32::try_from(seconds).unwrap_or(i32::MAX));
            crate::store::calls::save(&tx, &row).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Ends and settles it; once, however often it is told.
    pub async fn end_outgoing(
        &self,
        call: &OutgoingCall,
        cause: EndCause,
        metered_ms: u64,
        at: DateTime<Utc>,
    ) -> Result<()> {
        if metered_ms == 0 {
            self.mark_attempt(call, false, Some("not answered"), at).await?;
        }
        retry(|| self.settle_out(call, cause, metered_ms, at)).await?;
        self.forget(call.call_id);
        Ok(())
    }

    async fn settle_out(&self, call: &OutgoingCall, cause: EndCause, metered_ms: u64, at: DateTime<Utc>) -> Result<()> {
        let tx = self.db().tenant(call.tenant_id).await?;
        if let Some(mut row) = crate::store::calls::lock(&tx, call.call_id).await? {
            let ending = Ending { at, cause, metered_ms, estimated: false };
            settlement::end(&tx, &mut row, &ending).await?;
            crate::store::calls::save(&tx, &row).await?;
        }
        Ok(tx.commit().await?)
    }
}

/// Settles a call out that is over: charged by the deck of its start, or by what covers it; routed as it was, or as it would
/// have been. Limits stop nothing any more, but tell.
pub async fn settle_outgoing(
    db: &Db,
    tenant_id: TenantId,
    call: &FinishedOutgoing,
    now: DateTime<Utc>,
) -> Result<SettledOutgoing> {
    let broken = |field, rule, value: &str| CallError::RuleBroken { field, rule, value: value.to_owned() };
    let digits = digits_of(&call.called)
        .ok_or_else(|| broken("called", "must be a number with its country's code", &call.called))?;
    let control = Control::new(db.clone());
    let from = admission::e164(&call.from);
    let owner = admission::owner(&control, &from, call.started_at).await?;
    let Some((number_id, _)) = owner.filter(|(_, owner)| *owner == tenant_id) else {
        return Err(broken("from", "must be a number of this book at the call's start", &call.from));
    };
    if call.ended_at < call.started_at || call.started_at > now {
        return Err(broken(
            "ended_at",
            "must follow the start, and that must not lie ahead",
            &call.ended_at.to_rfc3339(),
        ));
    }
    let tx = db.tenant(tenant_id).await?;
    if crate::store::calls::find(&tx, call.call_id).await?.is_some() {
        return Ok(SettledOutgoing { is_new: false, over: None });
    }
    let known = subscription::customer(&tx, call.customer_id).await?.is_some();
    if !known {
        return Err(broken("customer", "must be a customer of this book", &call.customer_id.to_string()));
    }
    let coverage = topic::covered(&tx, call.customer_id, &dimensions(&from), call.started_at).await?;
    let carrier = match &call.carrier {
        Some(code) => {
            let carriers = crate::carrier::carriers(&tx).await?;
            let found = carriers.into_iter().find(|carrier| carrier.of.code == *code).map(|carrier| carrier.id);
            Some(found.ok_or_else(|| broken("carrier", "must be the code of a carrier of this book", code))?)
        }
        None => None,
    };
    tx.commit().await?;
    let place = Place { origin: tenant_id, call_id: call.call_id };
    let is_covered = !matches!(coverage, Coverage::Uncovered);
    let wish = Wish { place, customer_id: call.customer_id, called: &digits, at: call.started_at, is_covered };
    let plan = planning::plan(db, &wish).await?;
    let level = &plan.levels[0];
    must_be_priced(level, is_covered, &call.called)?;
    let write_once = || async {
        let tx = db.tenant(tenant_id).await?;
        let written = write(&tx, call, level, (number_id, &from, &digits), &coverage, carrier).await?;
        tx.commit().await?;
        Ok(written)
    };
    retry(write_once).await
}

/// The same within the caller's transaction, for records that come by the block: the carrier is one of the book's own, or else
/// its seller took the call.
pub(crate) async fn settle_in(
    tx: &TenantTx,
    call: &FinishedOutgoing,
    number_id: db::NumberId,
) -> Result<SettledOutgoing> {
    let not_priced = |detail: &str| CallError::NotPriced { called: call.called.clone(), detail: detail.to_owned() };
    let digits = digits_of(&call.called).ok_or_else(|| not_priced("it is no number with its country's code"))?;
    let from = admission::e164(&call.from);
    let coverage = topic::covered(tx, call.customer_id, &dimensions(&from), call.started_at).await?;
    let place = Place { origin: tx.tenant_id(), call_id: call.call_id };
    let is_covered = !matches!(coverage, Coverage::Uncovered);
    let wish = Wish { place, customer_id: call.customer_id, called: &digits, at: call.started_at, is_covered };
    let level = planning::own_level(tx, &wish).await?;
    must_be_priced(&level, is_covered, &call.called)?;
    write(tx, call, &level, (number_id, &from, &digits), &coverage, None).await
}

fn must_be_priced(level: &Level, is_covered: bool, called: &str) -> Result<()> {
    if is_covered || level.decision.sold.is_some() {
        return Ok(());
    }
    let said = level.decision.detail.as_str();
    let detail = if said.is_empty() { "no deck has a price" } else { said }.to_owned();
    Err(CallError::NotPriced { called: called.to_owned(), detail })
}

#[allow(clippy::too_many_arguments, reason = "the facts of one call, each found in another book")]
async fn write(
    tx: &TenantTx,
    call: &FinishedOutgoing,
    level: &Level,
    (number_id, from, digits): (db::NumberId, &str, &str),
    coverage: &Coverage,
    named: Option<CarrierId>,
) -> Result<SettledOutgoing> {
    let place = Place { origin: level.book, call_id: call.call_id };
    let called = format!("+{digits}");
    let arrival = crate::store::calls::Arrival {
        call_id: call.call_id,
        number_id,
        called: &called,
        caller: Some(from),
        customer_id: Some(call.customer_id),
        started_at: call.started_at,
        collected_by: "tenant",
    };
    crate::store::calls::open(tx, &arrival).await?;
    let Some(mut row) = crate::store::calls::lock(tx, call.call_id).await?.filter(|row| row.ended_at.is_none()) else {
        return Ok(SettledOutgoing { is_new: false, over: None });
    };
    outgoing_hold::charged_by(&mut row, level, coverage);
    row.agent_id = call.agent_id.map(AgentId::uuid);
    row.handled_by = call.agent_id.map(|_| HandledBy::Core.as_str().to_owned());
    row.answered_at = call.answered_at;
    row.meter_started_at = call.answered_at.filter(|_| call.metered_ms > 0);
    let first = level.decision.routes.offers.first();
    let carrier_id = named.or(first.and_then(|offer| offer.carrier_id));
    let decision = serde_json::to_value(&level.decision)
        .map_err(|error| CallError::StoredMustRead { what: "decision", reason: error.to_string() })?;
    let taken = Taken {
        of: place,
        customer_id: level.customer.id,
        called: digits,
        class: level.decision.class.as_deref(),
        started_at: call.started_at,
        carrier_id,
        decision,
        flag: level.decision.refusal.map(|_| "went out although it would have been refused"),
        currency: level.customer.currency.code(),
        held_micros: 0,
        lease_until: call.ended_at,
        ended_at: None,
    };
    store::put(tx, &taken).await?;
    if let Some(carrier_id) = carrier_id {
        crate::store::carriers::begin_attempt(tx, place, carrier_id, call.started_at).await?;
        crate::store::carriers::end_attempt(tx, place, call.metered_ms > 0, None).await?;
    }
    let ending =
        Ending { at: call.ended_at, cause: EndCause::CallerHungUp, metered_ms: call.metered_ms, estimated: false };
    settlement::end(tx, &mut row, &ending).await?;
    crate::store::calls::save(tx, &row).await?;
    let charge = Money::from_micros(row.charge_micros.unwrap_or(0), level.customer.currency);
    let over = guard::look_back(tx, level, call.call_id, charge, call.ended_at.max(call.started_at)).await?;
    Ok(SettledOutgoing { is_new: true, over: over.map(|stop| (stop.refusal, stop.detail)) })
}
