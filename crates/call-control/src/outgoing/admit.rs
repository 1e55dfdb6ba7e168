//! A call that wants to go out: may it, by whom, for how long? Asked by an edge, or by whoever drives one.
//! Each book that it concerns decides and holds in its own transaction, the caller's first; a refusal gives back what the ones
//! below have taken. What was refused stands with the call, too.

use crate::admission;
use crate::control::Control;
use crate::dimensions::Known;
use crate::error::Result;
use crate::finished::HandledBy;
use crate::grant;
use crate::guard::{self, Stop};
use crate::outgoing::hold::{Above, Held, in_steps, taken};
use crate::outgoing::plan::{self as planning, Level, OutgoingRefusal, Plan, Way, Wish};
use crate::outgoing::trial::digits_of;
use crate::price::Reach;
use crate::retry::retry;
use crate::store::carriers::{self, Place};
use crate::store::outgoing::{self as store, Taken};
use crate::topic;
use chrono::{DateTime, Utc};
use db::{AgentId, CallId, CarrierId, CustomerId, Db, NumberId, PlatformReason, TenantId, TenantTx};
use ledger::Leg;
use sip_media::Grant;
use subscription::Coverage;

/// What the level below is told, and nothing more.
const NOT_TAKEN_ABOVE: &str = "the seller does not take this call";

/// A call that wants to go out.
#[derive(Clone, Debug)]
pub struct OutgoingCall {
    pub call_id: CallId,
    /// In whose book the caller is.
    pub tenant_id: TenantId,
    pub customer_id: CustomerId,
    /// One of the book's numbers: the one that is shown.
    pub from: String,
    /// However people write it, with its country's code.
    pub called: String,
    pub agent_id: Option<AgentId>,
    /// An edge of ours rings the carrier: only one that has an address takes it.
    pub is_live: bool,
    pub at: DateTime<Utc>,
}

/// Who takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenBy {
    /// In whose book the carrier is.
    pub book: TenantId,
    pub carrier_id: CarrierId,
    pub code: String,
}

/// May it go out?
#[derive(Clone, Debug)]
pub enum OutgoingAdmission {
    Out {
        carrier: TakenBy,
        /// The first increment, held in every book on the way.
        grant: Grant,
    },
    Refused {
        refusal: OutgoingRefusal,
        /// In words, with its values.
        detail: String,
    },
}

pub(crate) fn refused(stop: Stop) -> OutgoingAdmission {
    OutgoingAdmission::Refused { refusal: stop.refusal, detail: stop.detail }
}

/// An agent's own call is handled by its team; a machine's by nobody.
pub(crate) fn handled_by(agent_id: Option<AgentId>) -> Option<&'static str> {
    agent_id.map(|_| HandledBy::Core.as_str())
}

/// Who charges a call that goes out by one of the book's numbers.
pub(crate) async fn coverage(
    tx: &TenantTx,
    customer_id: CustomerId,
    from: &str,
    language: Option<&str>,
    agent_id: Option<AgentId>,
    at: DateTime<Utc>,
) -> Result<Coverage> {
    let handled_by = handled_by(agent_id);
    let known = Known { number: Some(from), direction: "outbound", handled_by, language, ..Known::default() };
    topic::covered(tx, customer_id, &known.dimensions(), at).await
}

/// What was found out about a call before anything is held.
pub(crate) struct Asked {
    pub number_id: NumberId,
    pub from: String,
    pub digits: String,
    /// Of the number.
    pub language: Option<String>,
    pub coverage: Coverage,
}

impl Control {
    /// Decides about a call, holds its first increment, and gives it to the first carrier that takes it.
    pub async fn admit_outgoing(&self, call: &OutgoingCall) -> Result<OutgoingAdmission> {
        match self.ask(call).await? {
            Err(stop) => Ok(refused(stop)),
            Ok(asked) => self.let_out(call, &asked).await,
        }
    }

    /// The carrier has failed: gives the call to the next one, or refuses it.
    pub async fn next_route(&self, call: &OutgoingCall, failure: &str, at: DateTime<Utc>) -> Result<OutgoingAdmission> {
        self.mark_attempt(call, false, Some(failure), at).await?;
        let call = OutgoingCall { at, ..call.clone() };
        self.admit_outgoing(&call).await
    }

    async fn ask(&self, call: &OutgoingCall) -> Result<std::result::Result<Asked, Stop>> {
        let stop = |refusal, detail: String| Ok(Err(Stop::new(refusal, detail)));
        let from = admission::e164(&call.from);
        let owner = admission::owner(self, &from, call.at).await?;
        let Some((number_id, _)) = owner.filter(|(_, tenant_id)| *tenant_id == call.tenant_id) else {
            return stop(OutgoingRefusal::UnknownNumber, format!("{from} is no number of this book"));
        };
        let Some(digits) = digits_of(&call.called) else {
            let called: String = call.called.chars().take(40).collect();
            return stop(OutgoingRefusal::NotANumber, format!("{called} is no number with its country's code"));
        };
        let ptx = self.db().platform(PlatformReason::RouteCall).await?;
        let is_suspended = tenant::suspended_at_or_above(&ptx, call.tenant_id, call.at).await?;
        ptx.commit().await?;
        if is_suspended {
            return stop(OutgoingRefusal::Suspended, "the organisation is suspended".into());
        }
        let tx = self.db().tenant(call.tenant_id).await?;
        if subscription::customer(&tx, call.customer_id).await?.is_none() {
            return stop(OutgoingRefusal::UnknownCustomer, format!("there is no customer {}", call.customer_id));
        }
        let language = subscription::number(&tx, number_id, call.at).await?.map(|number| number.language);
        let spoken = language.as_deref();
        let coverage = coverage(&tx, call.customer_id, &from, spoken, call.agent_id, call.at).await?;
        Ok(Ok(Asked { number_id, from, digits, language, coverage }))
    }

    async fn let_out(&self, call: &OutgoingCall, asked: &Asked) -> Result<OutgoingAdmission> {
        let place = Place { origin: call.tenant_id, call_id: call.call_id };
        let is_covered = !matches!(asked.coverage, Coverage::Uncovered);
        let wish = Wish {
            place,
            customer_id: call.customer_id,
            called: &asked.digits,
            at: call.at,
            is_covered,
            is_live: call.is_live,
        };
        let plan = planning::plan(self.db(), &wish).await?;
        let own = &plan.levels[0];
        let mut stop = own.decision.refusal.map(|refusal| Stop::new(refusal, own.decision.detail.clone()));
        // The lowest book above that has said no: what leads through it is no way any more.
        let mut closed = usize::MAX;
        for way in plan.ways.iter() {
            if way.picks.len() > closed {
                continue;
            }
            match self.take(call, asked, &plan, way).await? {
                Took::Out(carrier, reach) => {
                    self.remember(call.call_id, call.tenant_id);
                    return Ok(OutgoingAdmission::Out { carrier, grant: grant::told(&in_steps(reach, 0), 0) });
                }
                // Its last channel went to another call; there may be a next one.
                Took::Full => stop = Some(Stop::new(OutgoingRefusal::NoRoute, "every carrier is full")),
                Took::Stopped(0, by) => {
                    stop = Some(by);
                    break;
                }
                // What a book above has against it is told there; the caller's own may have a carrier of its own.
                Took::Stopped(depth, by) => {
                    self.tell_above(call, &plan.levels[depth], &by).await?;
                    stop = Some(Stop::new(OutgoingRefusal::NoRoute, NOT_TAKEN_ABOVE));
                    closed = closed.min(depth);
                }
            }
        }
        let stop = stop.unwrap_or_else(|| Stop::new(OutgoingRefusal::NoRoute, "there is no carrier"));
        retry(|| self.keep_refusal(call, asked, &plan, &stop)).await?;
        Ok(refused(stop))
    }

    /// Takes one way: every book on it holds, and the last one gives the call to its carrier.
    async fn take(&self, call: &OutgoingCall, asked: &Asked, plan: &Plan, way: &Way) -> Result<Took> {
        let (mut reach, mut own): (Option<Reach>, Option<Reach>) = (None, None);
        for (depth, pick) in way.picks.iter().enumerate() {
            let level = &plan.levels[depth];
            let held = match reach {
                None => retry(|| self.take_own(call, asked, level, pick.carrier_id, pick.is_below_margin)).await?,
                Some(reach) => {
                    let above = Above { call, asked, level, carrier_id: pick.carrier_id, loses: pick.is_below_margin };
                    retry(|| self.take_above(&above, reach)).await?
                }
            };
            match held {
                Held::Reach(found) => {
                    own = own.or(Some(found));
                    reach = Some(found);
                }
                Held::Full => {
                    self.give_back(call, plan, depth).await?;
                    return Ok(Took::Full);
                }
                Held::Stopped(stop) => {
                    self.give_back(call, plan, depth).await?;
                    return Ok(Took::Stopped(depth, stop));
                }
            }
        }
        if let (Some(Reach { seconds: None, .. }), Some(reach)) = (own, reach) {
            let seconds = in_steps(reach, 0).seconds.unwrap_or_default();
            retry(|| self.keep_to(call, seconds)).await?;
        }
        let (book, pick) = (plan.levels[way.picks.len() - 1].book, way.picks.last());
        match (reach, pick, way.carrier()) {
            (Some(reach), Some(pick), Some(carrier_id)) => {
                Ok(Took::Out(TakenBy { book, carrier_id, code: pick.code.clone() }, reach))
            }
            _ => Ok(Took::Stopped(0, Stop::new(OutgoingRefusal::NoRoute, "there is no carrier"))),
        }
    }

    /// Gives back what the first books of a plan have taken: the way ended above them.
    async fn give_back(&self, call: &OutgoingCall, plan: &Plan, books: usize) -> Result<()> {
        let place = Place { origin: call.tenant_id, call_id: call.call_id };
        for (depth, level) in plan.levels.iter().take(books).enumerate() {
            let tx = self.db().tenant(level.book).await?;
            let leg = if depth == 0 { Leg::Caller } else { Leg::Seller };
            ledger::release(&tx, call.call_id, leg, call.at).await?;
            match depth {
                0 => store::hold(&tx, place, 0, call.at).await?,
                _ => store::leave(&tx, place, call.at).await?,
            }
            tx.commit().await?;
        }
        Ok(())
    }

    /// A limit of a book above is told to those who set it.
    async fn tell_above(&self, call: &OutgoingCall, level: &Level, stop: &Stop) -> Result<()> {
        if guard::is_alarming(stop.refusal) {
            let tx = self.db().tenant(level.book).await?;
            guard::alert(&tx, level.customer.id, call.call_id, stop, call.at).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Keeps a call that did not go out, and tells whom it concerns.
    async fn keep_refusal(&self, call: &OutgoingCall, asked: &Asked, plan: &Plan, stop: &Stop) -> Result<()> {
        let tx = self.db().tenant(call.tenant_id).await?;
        let (place, level) = (Place { origin: call.tenant_id, call_id: call.call_id }, &plan.levels[0]);
        if let Some(mut row) = self.open(&tx, call, asked, level).await? {
            row.state = "ended".to_owned();
            row.end_cause = Some(format!("refused:{}", stop.refusal.as_str()));
            row.ended_at = Some(call.at);
            row.settled_at = Some(call.at);
            row.metered_ms = Some(0);
            row.charged_by = None;
            row.subscription_id = None;
            row.authorised_seconds = None;
            crate::store::calls::save(&tx, &row).await?;
            ledger::release(&tx, call.call_id, Leg::Caller, call.at).await?;
        }
        let mut decision = level.decision.clone();
        decision.refusal = Some(stop.refusal);
        decision.detail.clone_from(&stop.detail);
        let taken = Taken { ended_at: Some(call.at), ..taken(place, level, asked, call, &decision)? };
        store::put(&tx, &taken).await?;
        if guard::is_alarming(stop.refusal) {
            guard::alert(&tx, call.customer_id, call.call_id, stop, call.at).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Says in the carrier's book what became of the attempt that is open.
    pub(crate) async fn mark_attempt(
        &self,
        call: &OutgoingCall,
        is_answered: bool,
        failure: Option<&str>,
        at: DateTime<Utc>,
    ) -> Result<()> {
        let place = Place { origin: call.tenant_id, call_id: call.call_id };
        mark_attempt(self.db(), place, call.at, (is_answered, failure), at).await
    }
}

/// The same of a call that began at `began`. After a failure the books above hold nothing, and it is over for them: the next way
/// may lead past them, and takes them anew where it does not.
pub(crate) async fn mark_attempt(
    db: &Db,
    place: Place,
    began: DateTime<Utc>,
    (is_answered, failure): (bool, Option<&str>),
    at: DateTime<Utc>,
) -> Result<()> {
    let ptx = db.platform(PlatformReason::WalkTheTree).await?;
    let chain = tenant::chain_at(&ptx, place.origin, began).await?;
    ptx.commit().await?;
    for book in std::iter::once(place.origin).chain(chain.into_iter().map(|step| step.book)) {
        let tx = db.tenant(book).await?;
        carriers::end_attempt(&tx, place, is_answered, failure).await?;
        if !is_answered && book != place.origin {
            ledger::release(&tx, place.call_id, Leg::Seller, at).await?;
            store::leave(&tx, place, at).await?;
        }
        tx.commit().await?;
    }
    Ok(())
}

/// What taking a way came to.
enum Took {
    Out(TakenBy, Reach),
    Full,
    /// How far above the caller's book, and why.
    Stopped(usize, Stop),
}

/// What people read where the topic of a call would stand.
pub(crate) fn destination(level: &Level) -> String {
    let sold = level.decision.sold.as_ref().map(|sold| sold.destination.as_str()).filter(|name| !name.is_empty());
    sold.unwrap_or("Call out").to_owned()
}
