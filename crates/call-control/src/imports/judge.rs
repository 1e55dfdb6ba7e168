//! What the book says of a record, before anything is written: whose call it is, and what was chosen.

use crate::error::Result;
use crate::finished::{FinishedCall, HandledBy};
use crate::outgoing::FinishedOutgoing;
use crate::settlement::minutes;
use crate::store::numbers::{self, Called, Held};
use chrono::{DateTime, Months, TimeDelta, Utc};
use db::{AgentId, CallId, CustomerId, NumberId, TariffId, TenantId, TenantTx};
use money::{Currency, Decimal};
use sip_media::EndCause;
use std::collections::{BTreeMap, HashMap, HashSet};
use subscription::{CalledFrom, Customer, MeterStarts, Topic, TopicHistory};
use usage_metering::{CallRecord, Direction, SuspenseCause, UsageEvent};
use uuid::Uuid;

const AHEAD_HOURS_MAX: i64 = 24;
const AGE_MONTHS_MAX: u32 = 13;

/// What a record is here.
pub(super) enum Judged {
    /// A call to a number of the book.
    Call(Box<FinishedCall>),
    /// A call from a number of the book: usage of its customer.
    Usage(Vec<UsageEvent>),
    /// The same, of a book that sells calls out by a deck.
    Out(Box<FinishedOutgoing>, NumberId),
    Waits(SuspenseCause, String),
}

/// What the records of a block look up again and again.
pub(super) struct Book {
    held: HashMap<Called, Held>,
    topics: TopicHistory,
    /// Of numbers whose calls the network bills: the customer that stands for everybody who calls them.
    network: HashMap<NumberId, Customer>,
    currencies: HashMap<TariffId, Currency>,
    by_account: HashMap<String, Option<Customer>>,
    by_phone: HashMap<CalledFrom, Customer>,
    agents: HashMap<String, AgentId>,
    /// It has a policy for calls out.
    sells_out: bool,
}

/// The call that a source's id names, for good: whatever the record says else.
pub(super) fn call_id(tenant_id: TenantId, source: &str, id: &str) -> CallId {
    let name = [tenant_id.uuid().as_bytes().as_slice(), source.as_bytes(), &[0], id.as_bytes()].concat();
    CallId::from_uuid(Uuid::new_v5(&Uuid::NAMESPACE_OID, &name))
}

impl Book {
    pub async fn read(tx: &TenantTx, records: &[&CallRecord]) -> Result<Self> {
        let mut asked: Vec<Called> = Vec::with_capacity(records.len() * 2);
        let mut by_account = HashMap::new();
        let calls: HashSet<CalledFrom> =
            records.iter().filter_map(|record| Some((record.caller.clone()?, record.started_at))).collect();
        let calls: Vec<CalledFrom> = calls.into_iter().collect();
        for record in records {
            asked.push((record.called.clone(), record.started_at));
            if let Some(caller) = &record.caller {
                asked.push((caller.clone(), record.started_at));
            }
            if let Some(account) = &record.account
                && !by_account.contains_key(account)
            {
                by_account.insert(account.clone(), subscription::customer_by_no(tx, account).await?);
            }
        }
        let network = subscription::network_customers(tx).await?;
        let ids: Vec<CustomerId> = network.iter().map(|(_, customer_id)| *customer_id).collect();
        let billed = subscription::customers_by_id(tx, &ids).await?;
        let of = |id: CustomerId| billed.iter().find(|customer| customer.id == id).cloned();
        let tariffs = subscription::tariffs(tx).await?.into_iter().map(|tariff| (tariff.id, tariff.currency));
        let mut agents = HashMap::new();
        for agent in tenant::agents(tx).await? {
            agents.insert(agent.name, agent.id);
            agents.insert(agent.sip_username, agent.id);
        }
        Ok(Self {
            held: numbers::held(tx, &asked).await?,
            topics: subscription::topic_history(tx).await?,
            network: network.into_iter().filter_map(|(number_id, id)| Some((number_id, of(id)?))).collect(),
            currencies: tariffs.collect(),
            by_account,
            by_phone: subscription::customers_of_calls(tx, &calls).await?,
            agents,
            sells_out: crate::policy::outgoing_policy(tx).await?.is_some(),
        })
    }

    fn holds(&self, e164: &str, at: DateTime<Utc>) -> Option<NumberId> {
        self.held.get(&(e164.to_owned(), at)).map(|held| held.number_id)
    }

    /// Whose number was called decides, else whose number called; what the record says of its direction comes first.
    pub fn judge(
        &self,
        source: &str,
        call_id: CallId,
        record: &CallRecord,
        digit: Option<u8>,
        now: DateTime<Utc>,
    ) -> Judged {
        let earliest = now.checked_sub_months(Months::new(AGE_MONTHS_MAX)).unwrap_or(DateTime::<Utc>::MIN_UTC);
        let latest = now + TimeDelta::hours(AHEAD_HOURS_MAX);
        if record.started_at < earliest || record.started_at > latest || record.ended_at > latest {
            return Judged::Waits(SuspenseCause::AbsurdTime, format!("it began at {}", record.started_at));
        }
        let called = self.holds(&record.called, record.started_at);
        let calling = record.caller.as_deref().and_then(|caller| self.holds(caller, record.started_at));
        let judged = match (record.direction, called, calling) {
            (Some(Direction::Inbound) | None, Some(number_id), _) => {
                self.inbound(call_id, record, number_id, digit.or(record.digit))
            }
            (Some(Direction::Outbound), ..) | (None, None, Some(_)) => self.outbound(source, call_id, record, calling),
            (Some(Direction::Inbound), None, _) | (None, None, None) => {
                let detail = format!("{} was not a number of this book at {}", record.called, record.started_at);
                Err((SuspenseCause::UnknownNumber, detail))
            }
        };
        judged.unwrap_or_else(|(cause, detail)| Judged::Waits(cause, detail))
    }

    /// By the account that the switch knows, else by the line that called, as it was then. A number that the book does not know
    /// as an account is no reason to charge another.
    fn customer(&self, record: &CallRecord) -> std::result::Result<&Customer, (SuspenseCause, String)> {
        let (found, what) = match (&record.account, &record.caller) {
            (Some(account), _) => {
                let found = self.by_account.get(account).and_then(Option::as_ref);
                let is_open = |of: &&Customer| of.closed_at.is_none_or(|closed_at| closed_at > record.started_at);
                let what = format!("no customer had the number {account} at {}", record.started_at);
                (found.filter(is_open), what)
            }
            (None, Some(caller)) => {
                let found = self.by_phone.get(&(caller.clone(), record.started_at));
                (found, format!("nobody called from {caller} at {}", record.started_at))
            }
            (None, None) => (None, "the caller is withheld, and no account is named".to_owned()),
        };
        found.ok_or((SuspenseCause::UnknownCustomer, what))
    }

    fn inbound(
        &self,
        call_id: CallId,
        record: &CallRecord,
        number_id: NumberId,
        digit: Option<u8>,
    ) -> std::result::Result<Judged, (SuspenseCause, String)> {
        let customer = match self.network.get(&number_id) {
            Some(network) => network,
            None => self.customer(record)?,
        };
        let topic = self.topic(number_id, record, digit)?;
        let currency = self.currencies.get(&topic.tariff_id).copied().unwrap_or(customer.currency);
        if currency != customer.currency {
            let detail = format!("a tariff in {currency} cannot charge customer {}", customer.customer_no);
            return Err((SuspenseCause::NotChargeable, detail));
        }
        let meter_started_at = meter_start(record, topic.meter_starts).filter(|at| *at < record.ended_at);
        let metered_ms = match meter_started_at {
            None => 0,
            // The switch's own count of the talk; the rest is reckoned from the times.
            Some(at) if Some(at) == record.answered_at => record.answered_ms,
            Some(at) => (record.ended_at - at).num_milliseconds().unsigned_abs(),
        };
        let agent_id = record.agent.as_ref().and_then(|name| self.agents.get(name)).copied();
        Ok(Judged::Call(Box::new(FinishedCall {
            call_id,
            called: record.called.clone(),
            caller: record.caller.clone(),
            customer_id: customer.id,
            digit: topic.digit,
            agent_id,
            handled_by: handled_by(record, topic),
            started_at: record.started_at,
            answered_at: record.answered_at,
            meter_started_at: meter_started_at.filter(|_| metered_ms > 0),
            ended_at: record.ended_at,
            metered_ms,
            end_cause: if metered_ms > 0 { EndCause::CallerHungUp } else { EndCause::Cancelled },
            language: record.dimensions.get("language").cloned(),
            region: record.dimensions.get("region").cloned(),
        })))
    }

    /// The digit that was pressed, else the only one that there was.
    fn topic(
        &self,
        number_id: NumberId,
        record: &CallRecord,
        digit: Option<u8>,
    ) -> std::result::Result<&Topic, (SuspenseCause, String)> {
        let (called, at) = (&record.called, record.started_at);
        let refused = |why: String| (SuspenseCause::NotChargeable, why);
        match digit {
            Some(digit) => {
                let found = self.topics.at(number_id, digit, at);
                found.ok_or_else(|| refused(format!("{called} had no topic {digit} at {at}")))
            }
            None => {
                let mut offered = self.topics.offered(number_id, at);
                match (offered.next(), offered.next()) {
                    (Some(only), None) => Ok(only),
                    (None, _) => Err(refused(format!("{called} had no topic at {at}"))),
                    (Some(_), Some(_)) => {
                        Err(refused(format!("{called} has several topics, and the record names none of them")))
                    }
                }
            }
        }
    }

    fn outbound(
        &self,
        source: &str,
        call_id: CallId,
        record: &CallRecord,
        calling: Option<NumberId>,
    ) -> std::result::Result<Judged, (SuspenseCause, String)> {
        if record.account.is_none() {
            let detail = format!("a call to {} names no account", record.called);
            return Err((SuspenseCause::UnknownCustomer, detail));
        }
        let customer = self.customer(record)?;
        if self.sells_out {
            // Its deck prices what goes out, and no meter does.
            let (Some(number_id), Some(from)) = (calling, &record.caller) else {
                let from = record.caller.as_deref().unwrap_or("an extension");
                let detail = format!("{from} was not a number of this book at {}", record.started_at);
                return Err((SuspenseCause::UnknownNumber, detail));
            };
            let out = FinishedOutgoing {
                call_id,
                customer_id: customer.id,
                from: from.clone(),
                called: record.called.clone(),
                carrier: None,
                agent_id: record.agent.as_ref().and_then(|name| self.agents.get(name)).copied(),
                started_at: record.started_at,
                answered_at: record.answered_at,
                ended_at: record.ended_at,
                metered_ms: if record.answered_at.is_some() { record.answered_ms } else { 0 },
            };
            return Ok(Judged::Out(Box::new(out), number_id));
        }
        Ok(Judged::Usage(if record.answered_ms == 0 { Vec::new() } else { usage(source, record, customer.id) }))
    }
}

/// When the meter of a topic started: with the agent, or with the answer where the recording is the service.
fn meter_start(record: &CallRecord, starts: MeterStarts) -> Option<DateTime<Utc>> {
    match starts {
        MeterStarts::AgentJoined if record.tells_bridge => record.bridged_at,
        MeterStarts::AgentJoined => record.bridged_at.or(record.answered_at),
        MeterStarts::TopicChosen => record.answered_at,
    }
}

fn handled_by(record: &CallRecord, topic: &Topic) -> HandledBy {
    match record.dimensions.get("handled_by").map(String::as_str) {
        Some("overflow") => HandledBy::Overflow,
        Some("music") => HandledBy::Music,
        _ if topic.meter_starts == MeterStarts::TopicChosen => HandledBy::Music,
        _ => HandledBy::Core,
    }
}

fn usage(source: &str, record: &CallRecord, customer_id: CustomerId) -> Vec<UsageEvent> {
    let mut dimensions: BTreeMap<String, String> = record.dimensions.clone();
    dimensions.insert("direction".to_owned(), Direction::Outbound.as_str().to_owned());
    if let Some(caller) = &record.caller {
        dimensions.insert("number".to_owned(), caller.clone());
    }
    let event = |meter: &str, quantity: Decimal| UsageEvent {
        source: format!("records of {source}"),
        // A hash, because the record's own id may be as long as an event's may be.
        id: format!("{}:{meter}", Uuid::new_v5(&Uuid::NAMESPACE_OID, record.id.as_bytes())),
        meter: meter.to_owned(),
        customer_id,
        subscription_id: None,
        quantity,
        dimensions: dimensions.clone(),
        occurred_at: record.started_at,
    };
    let seconds = u32::try_from(record.answered_ms.div_ceil(1_000)).unwrap_or(u32::MAX);
    vec![event("calls", Decimal::ONE), event("minutes", minutes(seconds))]
}
