//! What a customer may still spend on calls out, and what is done when a limit is reached: the call is refused, the customer's
//! timeline says so, and a letter goes out, once for each limit and hour.

use crate::error::Result;
use crate::outgoing::plan::{Level, OutgoingRefusal};
use crate::policy::{self, SpendAlert};
use crate::store::policy as store;
use chrono::{DateTime, TimeDelta, Utc};
use db::{CallId, CustomerId, TenantTx};
use money::Money;

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
    let customer = &level.customer;
    store::lock_customer(tx, customer.id).await?;
    if let Some(most) = level.limit.calls_at_once_max {
        let running = store::running(tx, customer.id, call_id, at).await?;
        if running >= u64::from(most) {
            let detail = format!("{} has {running} calls out, and may have {most} at once", customer.name);
            return Ok(Err(Stop::new(OutgoingRefusal::CallsAtOnce, detail)));
        }
    }
    match tightest(tx, level, call_id, at).await? {
        Left { amount: Some(amount), by: Some(stop) } if !amount.is_positive() => Ok(Err(stop)),
        left => Ok(Ok(left)),
    }
}

/// The same for a call that is out: it is one of those at once, and a limit that is used up leaves it nothing more, not everything.
pub(crate) async fn left_running(
    tx: &TenantTx,
    level: &Level,
    call_id: CallId,
    at: DateTime<Utc>,
) -> Result<Option<Money>> {
    store::lock_customer(tx, level.customer.id).await?;
    let amount = tightest(tx, level, call_id, at).await?.amount;
    Ok(amount.map(|amount| if amount.is_positive() { amount } else { Money::zero(amount.currency()) }))
}

async fn tightest(tx: &TenantTx, level: &Level, call_id: CallId, at: DateTime<Utc>) -> Result<Left> {
    let mut tightest = Left { amount: None, by: None };
    for counted in counted(tx, level, 0, Some(call_id), at).await? {
        let left = counted.most.checked_sub(counted.spent)?;
        if tightest.amount.is_none_or(|amount| left.micros() < amount.micros()) {
            tightest = Left { amount: Some(left), by: Some(counted.stop(&level.customer.name)) };
        }
    }
    Ok(tightest)
}

/// A limit and what counts against it.
struct Counted {
    most: Money,
    spent: Money,
    refusal: OutgoingRefusal,
    words: &'static str,
}

impl Counted {
    fn stop(&self, customer: &str) -> Stop {
        let Counted { most, spent, words, .. } = self;
        Stop::new(self.refusal, format!("{customer} may spend {most} in {words}, and has spent {spent}"))
    }
}

/// The limits that are set for a customer: of one call that came to so much, of an hour, a day, and a day to the class of what is
/// called; one call may be left out.
async fn counted(
    tx: &TenantTx,
    level: &Level,
    call_micros: i64,
    without: Option<CallId>,
    at: DateTime<Utc>,
) -> Result<Vec<Counted>> {
    let (limit, currency) = (&level.limit, level.customer.currency);
    let class = level.decision.class.as_deref();
    let mut found = Vec::new();
    for (most, hours, class, refusal, words) in [
        (limit.call_micros, 0, None, OutgoingRefusal::CallLimit, "one call"),
        (limit.hour_micros, 1, None, OutgoingRefusal::HourLimit, "an hour"),
        (limit.day_micros, 24, None, OutgoingRefusal::DayLimit, "a day"),
        (level.class_day_micros, 24, class, OutgoingRefusal::ClassLimit, "a day to this class"),
    ] {
        let Some(most) = policy::amount(most, currency) else { continue };
        let span = (at - TimeDelta::hours(hours), at);
        let spent = match hours {
            0 => call_micros,
            _ => store::spent(tx, level.customer.id, class, span, without).await?,
        };
        found.push(Counted { most, spent: Money::from_micros(spent, currency), refusal, words });
    }
    Ok(found)
}

const STOPPED: &str = "A call out was stopped";
const WENT_OUT: &str = "A call went out all the same";

/// Writes down that a limit stopped a call: timeline and letter, once an hour. True when it was the first of its hour.
pub(crate) async fn alert(
    tx: &TenantTx,
    customer_id: CustomerId,
    call_id: CallId,
    stop: &Stop,
    at: DateTime<Utc>,
) -> Result<bool> {
    alert_of(tx, customer_id, call_id, (stop, STOPPED), at).await
}

/// The same of a call that was not stopped.
pub(crate) async fn alert_of_gone(
    tx: &TenantTx,
    customer_id: CustomerId,
    call_id: CallId,
    stop: &Stop,
    at: DateTime<Utc>,
) -> Result<bool> {
    alert_of(tx, customer_id, call_id, (stop, WENT_OUT), at).await
}

async fn alert_of(
    tx: &TenantTx,
    customer_id: CustomerId,
    call_id: CallId,
    (stop, what): (&Stop, &str),
    at: DateTime<Utc>,
) -> Result<bool> {
    let guard = stop.refusal.as_str().to_owned();
    let alert = SpendAlert { customer_id, guard: guard.clone(), at, call_id, detail: stop.detail.clone() };
    if !store::put_alert(tx, &alert).await? {
        return Ok(false);
    }
    // What a call is bought for is no affair of who pays it: neither the timeline that it reads nor a letter.
    if stop.refusal == OutgoingRefusal::Loss {
        return Ok(true);
    }
    let text = format!("{what}: {}", stop.detail);
    subscription::add_customer_event(tx, customer_id, "spend_alert", &text, at, at).await?;
    let hour = at.timestamp() / 3600;
    let went_out = what == WENT_OUT;
    let payload = serde_json::json!({ "spend_alert": {
        "customer_id": customer_id, "guard": guard, "detail": stop.detail, "at": at, "went_out": went_out,
    } });
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
    for counted in counted(tx, level, charge.micros(), None, at).await? {
        if counted.spent.micros() > counted.most.micros() {
            let stop = counted.stop(&level.customer.name);
            alert_of(tx, level.customer.id, call_id, (&stop, WENT_OUT), at).await?;
            return Ok(Some(stop));
        }
    }
    Ok(None)
}
