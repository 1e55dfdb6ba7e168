//! What a customer may still spend on calls out, and what is done when a limit is reached: the call is refused, the customer's
//! timeline says so, and a letter goes out, once for each limit and hour.

use crate::error::Result;
use crate::outgoing::plan::{Level, OutgoingRefusal};
use crate::policy::{self, SpendAlert};
use crate::store::policy as store;
use chrono::{DateTime, TimeDelta, Utc};
use db::{CallId, CustomerId, TenantTx};
use money::{Currency, Money};

/// Outbox topic of letters; the roof writes them.
const MAIL: &str = "mail";

/// Why a call does not go out, in words with its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stop {
    pub refusal: OutgoingRefusal,
    pub detail: String,
}

impl Stop {
    pub fn new(refusal: OutgoingRefusal, detail: impl Into<String>) -> Stop {
        Stop { refusal, detail: detail.into() }
    }
}

/// What is left for one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Left {
    /// `None`: as much as the wallet has.
    pub amount: Option<Money>,
    /// Which limit it is, for when it is not enough.
    pub by: Option<Stop>,
}

/// Counts what a customer has spent, this call left out, and what is left by its tightest limit. Takes the customer: until the
/// transaction ends nobody else counts, so that two calls at once do not both get what is left.
pub(crate) async fn left(
    tx: &TenantTx,
    level: &Level,
    call_id: CallId,
    at: DateTime<Utc>,
) -> Result<std::result::Result<Left, Stop>> {
    let (customer, limit) = (&level.customer, &level.limit);
    store::lock_customer(tx, customer.id).await?;
    if let Some(most) = limit.calls_at_once_max {
        let running = store::running(tx, customer.id, call_id, at).await?;
        if running >= u64::from(most) {
            let detail = format!("{} has {running} calls out, and may have {most} at once", customer.name);
            return Ok(Err(Stop::new(OutgoingRefusal::CallsAtOnce, detail)));
        }
    }
    let currency = customer.currency;
    let mut tightest = Left { amount: None, by: None };
    let mut limits = vec![(limit.call_micros, 0, OutgoingRefusal::CallLimit, "one call")];
    for (most, hours, refusal, words) in [
        (limit.hour_micros, 1, OutgoingRefusal::HourLimit, "an hour"),
        (limit.day_micros, 24, OutgoingRefusal::DayLimit, "a day"),
    ] {
        if most.is_some() {
            let spent = store::spent(tx, customer.id, None, (at - TimeDelta::hours(hours), at), Some(call_id)).await?;
            limits.push((most, spent, refusal, words));
        }
    }
    if let (Some(class), Some(_)) = (&level.decision.class, level.class_day_micros) {
        let span = (at - TimeDelta::hours(24), at);
        let spent = store::spent(tx, customer.id, Some(class), span, Some(call_id)).await?;
        limits.push((level.class_day_micros, spent, OutgoingRefusal::ClassLimit, "a day to this class"));
    }
    for (most, spent, refusal, words) in limits {
        let Some(most) = policy::amount(most, currency) else { continue };
        let spent = Money::from_micros(spent, currency);
        let left = most.checked_sub(spent)?;
        if tightest.amount.is_none_or(|amount| left.micros() < amount.micros()) {
            let detail = format!("{} may spend {most} in {words}, and has spent {spent}", customer.name);
            tightest = Left { amount: Some(left), by: Some(Stop::new(refusal, detail)) };
        }
    }
    match tightest {
        Left { amount: Some(amount), by: Some(stop) } if !amount.is_positive() => Ok(Err(stop)),
        left => Ok(Ok(left)),
    }
}

/// Writes down that a limit was reached: timeline and letter, once an hour. True when it was the first of its hour.
pub(crate) async fn alert(
    tx: &TenantTx,
    customer_id: CustomerId,
    call_id: CallId,
    stop: &Stop,
    at: DateTime<Utc>,
) -> Result<bool> {
    let guard = stop.refusal.as_str().to_owned();
    let alert = SpendAlert { customer_id, guard: guard.clone(), at, call_id, detail: stop.detail.clone() };
    if !store::put_alert(tx, &alert).await? {
        return Ok(false);
    }
    let text = format!("A call out was stopped: {}", stop.detail);
    subscription::add_customer_event(tx, customer_id, "spend_alert", &text, at, at).await?;
    let hour = at.timestamp() / 3600;
    let payload = serde_json::json!({ "spend_alert": { "customer_id": customer_id, "guard": guard, "detail": stop.detail, "at": at } });
    db::enqueue(tx, MAIL, &format!("spend_alert {customer_id} {guard} {hour}"), payload, at).await?;
    Ok(true)
}

/// Is it one that somebody should hear of? What is not open and never was is no alarm.
pub(crate) fn is_alarming(refusal: OutgoingRefusal) -> bool {
    use OutgoingRefusal as R;
    matches!(
        refusal,
        R::DestinationClosed | R::Loss | R::CallsAtOnce | R::CallLimit | R::HourLimit | R::DayLimit | R::ClassLimit
    )
}

/// Looks whether a call that is over has taken its customer over a limit: nothing is undone, somebody is told.
pub(crate) async fn look_back(
    tx: &TenantTx,
    level: &Level,
    call_id: CallId,
    charge: Money,
    at: DateTime<Utc>,
) -> Result<Option<Stop>> {
    let currency: Currency = level.customer.currency;
    let over = |most: Option<i64>, spent: i64| most.is_some_and(|most| spent > most);
    let (limit, id) = (&level.limit, level.customer.id);
    let hour = store::spent(tx, id, None, (at - TimeDelta::hours(1), at), None).await?;
    let day = store::spent(tx, id, None, (at - TimeDelta::hours(24), at), None).await?;
    let said = |most: Option<i64>, spent: i64, words: &str| {
        let (most, spent) = (Money::from_micros(most.unwrap_or(0), currency), Money::from_micros(spent, currency));
        format!("{} may spend {most} in {words}, and has spent {spent}", level.customer.name)
    };
    let stop = if over(limit.call_micros, charge.micros()) {
        Stop::new(OutgoingRefusal::CallLimit, said(limit.call_micros, charge.micros(), "one call"))
    } else if over(limit.hour_micros, hour) {
        Stop::new(OutgoingRefusal::HourLimit, said(limit.hour_micros, hour, "an hour"))
    } else if over(limit.day_micros, day) {
        Stop::new(OutgoingRefusal::DayLimit, said(limit.day_micros, day, "a day"))
    } else {
        return Ok(None);
    };
    alert(tx, id, call_id, &stop, at).await?;
    Ok(Some(stop))
}
