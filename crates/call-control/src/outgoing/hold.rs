//! One book's part in letting a call out: limits counted, money held, the carrier's channel taken, the row written; each in the
//! book's own transaction.

use crate::control::Control;
use crate::entity::call::Model;
use crate::error::Result;
use crate::grant::{self, Ask};
use crate::guard::{self, Stop};
use crate::outgoing::admit::{Asked, OutgoingCall, destination, handled_by};
use crate::outgoing::plan::{Decision, Level, OutgoingRefusal};
use crate::price::{CallPrice, Reach};
use crate::store::calls::{self, Arrival};
use crate::store::carriers::Place;
use crate::store::outgoing::{self as store, Taken};
use crate::{carrier, topic};
use chrono::{DateTime, Utc};
use db::{AgentId, CallId, CarrierId, TenantTx};
use ledger::Leg;
use money::Money;
use subscription::{Billing, Coverage};

const EMPTY_ABOVE: &str = "the seller's wallet for it is empty";

/// A call that nothing limits is asked about as often as this: a limit that is set while it runs holds for it, too, and an edge
/// that has lost everybody ends it.
const STEP_SECONDS: u32 = 300;

/// A reach without end is given step by step.
pub(crate) fn in_steps(reach: Reach, metered: u32) -> Reach {
    Reach { seconds: reach.seconds.or(Some(metered.saturating_add(STEP_SECONDS))), ..reach }
}

/// As long as the call may go on without a word, it counts as running.
pub(crate) fn lease(reach: &Reach, metered: u32, at: DateTime<Utc>) -> DateTime<Utc> {
    grant::lease(in_steps(*reach, metered).seconds, metered, at)
}

/// What one book did.
#[derive(Clone, Debug)]
pub(crate) enum Held {
    Reach(Reach),
    /// The carrier's last channel went to another call.
    Full,
    Stopped(Stop),
}

/// A book above, asked to take part.
#[derive(Clone, Copy)]
pub(crate) struct Above<'a> {
    pub call: &'a OutgoingCall,
    pub asked: &'a Asked,
    pub level: &'a Level,
    pub carrier_id: Option<CarrierId>,
    pub loses: bool,
}

impl Control {
    /// The caller's own book: opens the call, counts its limits, holds in the wallet.
    pub(crate) async fn take_own(
        &self,
        call: &OutgoingCall,
        asked: &Asked,
        level: &Level,
        carrier_id: Option<CarrierId>,
        loses: bool,
    ) -> Result<Held> {
        let tx = self.db().tenant(call.tenant_id).await?;
        let place = Place { origin: call.tenant_id, call_id: call.call_id };
        let left = match guard::left(&tx, level, call.call_id, call.at).await? {
            Ok(left) => left,
            Err(stop) => return Ok(Held::Stopped(stop)),
        };
        let Some(mut row) = self.open(&tx, call, asked, level).await? else {
            return Ok(Held::Stopped(Stop::new(OutgoingRefusal::NoRoute, "the call is over")));
        };
        let reach = match &level.price {
            Some(price) => {
                let reach = |budget: Money| {
                    let budget = left.amount.map_or(Ok(budget), |most| budget.min(most))?;
                    price.reach(call.at, budget, 0, 0)
                };
                let ask = Ask { call: &row, customer_id: level.customer.id, reach: &reach, metered: 0, authorised: 0 };
                match hold(&tx, level, &ask, left.amount, call.at).await? {
                    Some(reach) => reach,
                    None => return Ok(Held::Stopped(why_none(&left, price, call.at)?)),
                }
            }
            None => match self.hold_covered(&tx, &row, level, call.at).await? {
                Some(reach) => reach,
                None => return Ok(Held::Stopped(Stop::new(OutgoingRefusal::NoCredit, "the wallet is empty"))),
            },
        };
        if let Some(carrier_id) = carrier_id
            && !carrier::begin_attempt(&tx, place, carrier_id, call.at).await?
        {
            return Ok(Held::Full);
        }
        row.authorised_seconds = reach.seconds.map(|seconds| i32::try_from(seconds).unwrap_or(i32::MAX));
        calls::save(&tx, &row).await?;
        keep(&tx, place, level, asked, call, carrier_id, loses, &reach).await?;
        tx.commit().await?;
        Ok(Held::Reach(reach))
    }

    async fn hold_covered(
        &self,
        tx: &TenantTx,
        row: &Model,
        level: &Level,
        at: DateTime<Utc>,
    ) -> Result<Option<Reach>> {
        if row.subscription_id.is_none() {
            // Several plans would charge it: nobody does until somebody has decided.
            let endless = Reach { seconds: None, cost: Money::zero(level.customer.currency), is_final: false };
            return Ok(Some(endless));
        }
        topic::hold_covered(tx, row, &level.customer, &level.organisation, at).await
    }

    /// Opens the call's row with who will charge it; `None` for one that is over.
    pub(crate) async fn open(
        &self,
        tx: &TenantTx,
        call: &OutgoingCall,
        asked: &Asked,
        level: &Level,
    ) -> Result<Option<Model>> {
        let called = format!("+{}", asked.digits);
        let arrival = Arrival {
            call_id: call.call_id,
            number_id: asked.number_id,
            called: &called,
            caller: Some(&asked.from),
            customer_id: Some(call.customer_id),
            started_at: call.at,
            collected_by: "tenant",
            language: asked.language.as_deref(),
        };
        calls::open(tx, &arrival).await?;
        let row = calls::lock(tx, call.call_id).await?;
        let Some(mut row) = row.filter(|row| row.ended_at.is_none()) else { return Ok(None) };
        charged_by(&mut row, level, &asked.coverage);
        row.state = "queued".to_owned();
        row.agent_id = call.agent_id.map(AgentId::uuid);
        row.handled_by = handled_by(call.agent_id).map(str::to_owned);
        row.last_seen_at = call.at;
        Ok(Some(row))
    }

    /// A book above: its limits for the level below, and its wallet.
    pub(crate) async fn take_above(&self, above: &Above<'_>, reach: Reach) -> Result<Held> {
        let Above { call, asked, level, carrier_id, loses } = *above;
        let tx = self.db().tenant(level.book).await?;
        let place = Place { origin: call.tenant_id, call_id: call.call_id };
        let left = match guard::left(&tx, level, call.call_id, call.at).await? {
            Ok(left) => left,
            Err(stop) => return Ok(Held::Stopped(stop)),
        };
        let reach = ahead(&tx, level, call.call_id, left.amount, (reach, call.at), (0, 0)).await?;
        if let (Some(price), Some(0)) = (&level.price, reach.seconds) {
            let stop = why_none(&left, price, call.at)?;
            let is_limit = stop.refusal != OutgoingRefusal::NoCredit;
            return Ok(Held::Stopped(if is_limit { stop } else { Stop::new(stop.refusal, EMPTY_ABOVE) }));
        }
        let own = match (&level.price, reach.seconds) {
            (Some(price), Some(seconds)) => Reach { cost: price.charge(call.at, seconds)?.amount, ..reach },
            _ => Reach { cost: Money::zero(level.customer.currency), ..reach },
        };
        if let (Some(most), Some(stop)) = (left.amount, &left.by)
            && !most.at_least(own.cost)?
        {
            return Ok(Held::Stopped(stop.clone()));
        }
        let lease_until = lease(&own, 0, call.at);
        if level.customer.billing == Billing::Prepaid
            && !grant::hold_of_child(&tx, level.customer.id, call.call_id, own.cost, lease_until, call.at).await?
        {
            return Ok(Held::Stopped(Stop::new(OutgoingRefusal::NoCredit, EMPTY_ABOVE)));
        }
        if let Some(carrier_id) = carrier_id
            && !carrier::begin_attempt(&tx, place, carrier_id, call.at).await?
        {
            return Ok(Held::Full);
        }
        keep(&tx, place, level, asked, call, carrier_id, loses, &own).await?;
        tx.commit().await?;
        Ok(Held::Reach(reach))
    }
}

/// Writes on a call's row that it goes out, where to, and who charges it.
pub(crate) fn charged_by(row: &mut Model, level: &Level, coverage: &Coverage) {
    row.direction = "outbound".to_owned();
    row.currency = Some(level.customer.currency.code().to_owned());
    row.topic_name = Some(destination(level));
    match coverage {
        Coverage::Component { subscription_id, component } => {
            row.charged_by = Some("component".to_owned());
            row.subscription_id = Some(subscription_id.uuid());
            row.component_key = Some(component.key.clone());
        }
        Coverage::Several => row.charged_by = Some("nothing".to_owned()),
        Coverage::Uncovered => {
            row.charged_by = Some("tariff".to_owned());
            let sold = level.decision.sold.as_ref();
            row.deck_id = sold.map(|sold| sold.deck_id.uuid());
            row.deck_version = sold.and_then(|sold| i32::try_from(sold.version).ok());
        }
    }
}

/// The reach that wallet and limits allow; `None`: not a single increment.
pub(crate) async fn hold(
    tx: &TenantTx,
    level: &Level,
    ask: &Ask<'_>,
    most: Option<Money>,
    at: DateTime<Utc>,
) -> Result<Option<Reach>> {
    if level.customer.billing == Billing::Prepaid {
        return grant::hold(tx, ask, at).await;
    }
    let Some(most) = most else {
        return Ok(Some(Reach { seconds: None, cost: Money::zero(level.customer.currency), is_final: false }));
    };
    let reach = (ask.reach)(most)?;
    Ok(Some(reach).filter(|reach| reach.seconds != Some(0)))
}

/// A limit that pays for no increment is why; else the wallet is.
fn why_none(left: &guard::Left, price: &CallPrice, at: DateTime<Utc>) -> Result<Stop> {
    if let (Some(most), Some(stop)) = (left.amount, &left.by)
        && price.reach(at, most, 0, 0)?.seconds == Some(0)
    {
        return Ok(stop.clone());
    }
    Ok(Stop::new(OutgoingRefusal::NoCredit, "the wallet does not pay for the first increment"))
}

/// Where those below need no budget, this book may: how far the wallet of a prepaid one, what it holds, and the limits reach.
pub(crate) async fn ahead(
    tx: &TenantTx,
    level: &Level,
    call_id: CallId,
    most: Option<Money>,
    (reach, start): (Reach, DateTime<Utc>),
    (metered, authorised): (u32, u32),
) -> Result<Reach> {
    let (Some(price), None) = (&level.price, reach.seconds) else { return Ok(reach) };
    let wallet = match level.customer.billing {
        Billing::Prepaid => ledger::wallet_of(tx, level.customer.id).await?,
        Billing::Postpaid => None,
    };
    let budget = match (wallet, most) {
        (Some(wallet), most) => {
            let held = ledger::held(tx, call_id, Leg::Seller, wallet.balance.currency()).await?;
            let free = wallet.available()?.checked_add(held.amount)?;
            most.map_or(Ok(free), |most| most.min(free))?
        }
        (None, Some(most)) => most,
        (None, None) => return Ok(reach),
    };
    Ok(Reach { cost: reach.cost, ..price.reach(start, budget, metered, authorised)? })
}

#[allow(clippy::too_many_arguments, reason = "one row of one table, written from what each step knows")]
async fn keep(
    tx: &TenantTx,
    of: Place,
    level: &Level,
    asked: &Asked,
    call: &OutgoingCall,
    carrier_id: Option<CarrierId>,
    loses: bool,
    reach: &Reach,
) -> Result<()> {
    let flag = loses.then_some("kept less than the margin, and was let go");
    let taken = Taken {
        carrier_id,
        flag,
        held_micros: reach.cost.micros(),
        lease_until: lease(reach, 0, call.at),
        ..taken(of, level, asked, call, &level.decision)?
    };
    store::put(tx, &taken).await?;
    if loses {
        let detail = format!("a call to {} keeps less than it must, and was let go", asked.digits);
        guard::alert_of_gone(tx, level.customer.id, call.call_id, &Stop::new(OutgoingRefusal::Loss, detail), call.at)
            .await?;
    }
    Ok(())
}

pub(crate) fn taken<'a>(
    of: Place,
    level: &'a Level,
    asked: &'a Asked,
    call: &OutgoingCall,
    decision: &Decision,
) -> Result<Taken<'a>> {
    Ok(Taken {
        of,
        customer_id: level.customer.id,
        called: &asked.digits,
        class: level.decision.class.as_deref(),
        started_at: call.at,
        carrier_id: None,
        decision: decision.stored()?,
        flag: None,
        currency: level.customer.currency.code(),
        held_micros: 0,
        lease_until: call.at,
        ended_at: None,
    })
}
