//! Calls out that are over when they are first heard of: charged at once in their own book; whom they were given to, unless it is
//! told, is decided on their way up, as it would have been when they began.

use crate::admission;
use crate::control::Control;
use crate::error::{CallError, Result};
use crate::finished::LateCalls;
use crate::guard::{self, Stop};
use crate::included::Subscriber;
use crate::outgoing::plan::{self as planning, Level, OutgoingRefusal, Wish};
use crate::outgoing::trial::digits_of;
use crate::outgoing::{admit, hold};
use crate::retry::retry;
use crate::routing::Routes;
use crate::settlement::{self, Ending};
use crate::store::calls::{self, Arrival};
use crate::store::carriers::{self, Place};
use crate::store::numbers;
use crate::store::outgoing::{self as store, Taken};
use chrono::{DateTime, Utc};
use db::{AgentId, CallId, CarrierId, CustomerId, Db, NumberId, TenantId, TenantTx};
use money::Money;
use sip_media::EndCause;
use subscription::Coverage;

/// Why somebody should look at a call that was over when it was first heard of.
pub(crate) const WENT_OUT: &str = "went out although it would have been refused";

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
    /// A limit that it went over, or its destination is closed: nobody was stopped, for it is over, but somebody is told.
    pub over: Option<(OutgoingRefusal, String)>,
}

/// Settles a call out that is over: charged by the deck of its start, or by what covers it. Limits stop nothing any more, but tell.
pub async fn settle_outgoing(
    db: &Db,
    tenant_id: TenantId,
    call: &FinishedOutgoing,
    now: DateTime<Utc>,
) -> Result<SettledOutgoing> {
    let broken = |field, rule, value: &str| CallError::RuleBroken { field, rule, value: value.to_owned() };
    if digits_of(&call.called).is_none() {
        return Err(broken("called", "must be a number with its country's code", &call.called));
    }
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
    let carrier = {
        let tx = db.tenant(tenant_id).await?;
        if subscription::customer(&tx, call.customer_id).await?.is_none() {
            return Err(broken("customer", "must be a customer of this book", &call.customer_id.to_string()));
        }
        match &call.carrier {
            Some(code) => {
                let carriers = crate::carrier::carriers(&tx).await?;
                let found = carriers.into_iter().find(|carrier| carrier.of.code == *code).map(|carrier| carrier.id);
                Some(found.ok_or_else(|| broken("carrier", "must be the code of a carrier of this book", code))?)
            }
            None => None,
        }
    };
    retry(|| async {
        let tx = db.tenant(tenant_id).await?;
        let settled = settle_in(&tx, call, number_id, carrier, (LateCalls::Settle, now)).await?;
        tx.commit().await?;
        Ok(settled)
    })
    .await
}

/// Settles it in its own book, within the caller's transaction. Whose carrier took it is found out on its way up, where every
/// book may be asked, unless that is known.
pub(crate) async fn settle_in(
    tx: &TenantTx,
    call: &FinishedOutgoing,
    number_id: NumberId,
    carrier: Option<CarrierId>,
    (late, now): (LateCalls, DateTime<Utc>),
) -> Result<SettledOutgoing> {
    if calls::find(tx, call.call_id).await?.is_some() {
        return Ok(SettledOutgoing { is_new: false, over: None });
    }
    let not_priced = |detail: &str| CallError::NotPriced { called: call.called.clone(), detail: detail.to_owned() };
    let digits = digits_of(&call.called).ok_or_else(|| not_priced("it is no number with its country's code"))?;
    let caller = Caller::read(tx, call, number_id).await?;
    if late == LateCalls::Leave {
        must_be_in_time(tx, call, &caller.coverage, now).await?;
    }
    let place = Place { origin: tx.tenant_id(), call_id: call.call_id };
    let is_covered = !matches!(caller.coverage, Coverage::Uncovered);
    let wish =
        Wish { place, customer_id: call.customer_id, called: &digits, at: call.started_at, is_covered, is_live: false };
    let mut level = planning::own_level(tx, &wish).await?;
    must_be_priced(&level, is_covered, &call.called)?;
    if carrier.is_none() {
        level.decision.routes = Routes::default();
    }
    write(tx, call, &level, (&caller, &digits), carrier).await
}

/// The line that called, and who charges it.
struct Caller {
    number_id: NumberId,
    from: String,
    language: Option<String>,
    coverage: Coverage,
}

impl Caller {
    async fn read(tx: &TenantTx, call: &FinishedOutgoing, number_id: NumberId) -> Result<Caller> {
        let from = admission::e164(&call.from);
        let held = numbers::held(tx, &[(from.clone(), call.started_at)]).await?;
        let language = held.into_values().next().and_then(|held| held.language);
        let coverage =
            admit::coverage(tx, call.customer_id, &from, language.as_deref(), call.agent_id, call.started_at);
        let coverage = coverage.await?;
        Ok(Caller { number_id, from, language, coverage })
    }
}

/// A plan may leave what comes after its period to a person.
async fn must_be_in_time(
    tx: &TenantTx,
    call: &FinishedOutgoing,
    coverage: &Coverage,
    now: DateTime<Utc>,
) -> Result<()> {
    let Coverage::Component { subscription_id, component } = coverage else { return Ok(()) };
    let Some(customer) = subscription::customer(tx, call.customer_id).await? else { return Ok(()) };
    let subscriber = Subscriber::read(tx, &customer, *subscription_id).await?;
    match subscriber.late(&component.key, call.started_at, now)? {
        Some(ended_at) => Err(CallError::PeriodIsOver { ended_at }),
        None => Ok(()),
    }
}

fn must_be_priced(level: &Level, is_covered: bool, called: &str) -> Result<()> {
    if is_covered || level.decision.sold.is_some() {
        return Ok(());
    }
    let said = level.decision.detail.as_str();
    let detail = if said.is_empty() { "no deck has a price" } else { said }.to_owned();
    Err(CallError::NotPriced { called: called.to_owned(), detail })
}

async fn write(
    tx: &TenantTx,
    call: &FinishedOutgoing,
    level: &Level,
    (caller, digits): (&Caller, &str),
    carrier_id: Option<CarrierId>,
) -> Result<SettledOutgoing> {
    let place = Place { origin: level.book, call_id: call.call_id };
    let called = format!("+{digits}");
    let arrival = Arrival {
        call_id: call.call_id,
        number_id: caller.number_id,
        called: &called,
        caller: Some(&caller.from),
        customer_id: Some(call.customer_id),
        started_at: call.started_at,
        collected_by: "tenant",
        language: caller.language.as_deref(),
    };
    calls::open(tx, &arrival).await?;
    let Some(mut row) = calls::lock(tx, call.call_id).await?.filter(|row| row.ended_at.is_none()) else {
        return Ok(SettledOutgoing { is_new: false, over: None });
    };
    hold::charged_by(&mut row, level, &caller.coverage);
    row.agent_id = call.agent_id.map(AgentId::uuid);
    row.handled_by = admit::handled_by(call.agent_id).map(str::to_owned);
    row.answered_at = call.answered_at;
    row.meter_started_at = call.answered_at.filter(|_| call.metered_ms > 0);
    let taken = Taken {
        of: place,
        customer_id: level.customer.id,
        called: digits,
        class: level.decision.class.as_deref(),
        started_at: call.started_at,
        carrier_id,
        decision: level.decision.stored()?,
        flag: level.decision.refusal.map(|_| WENT_OUT),
        currency: level.customer.currency.code(),
        held_micros: 0,
        lease_until: call.ended_at,
        ended_at: None,
    };
    store::put(tx, &taken).await?;
    if let Some(carrier_id) = carrier_id {
        carriers::begin_attempt(tx, place, carrier_id, call.started_at).await?;
        carriers::end_attempt(tx, place, call.metered_ms > 0, None).await?;
    }
    let ending =
        Ending { at: call.ended_at, cause: EndCause::CallerHungUp, metered_ms: call.metered_ms, estimated: false };
    settlement::end(tx, &mut row, &ending).await?;
    calls::save(tx, &row).await?;
    let charge = Money::from_micros(row.charge_micros.unwrap_or(0), level.customer.currency);
    let at = call.ended_at.max(call.started_at);
    let over = match level.decision.refusal.filter(|refusal| guard::is_alarming(*refusal)) {
        Some(refusal) => {
            let stop = Stop::new(refusal, level.decision.detail.clone());
            guard::alert_of_gone(tx, call.customer_id, call.call_id, &stop, at).await?;
            Some(stop)
        }
        None => guard::look_back(tx, level, call.call_id, charge, at).await?,
    };
    Ok(SettledOutgoing { is_new: true, over: over.map(|stop| (stop.refusal, stop.detail)) })
}
