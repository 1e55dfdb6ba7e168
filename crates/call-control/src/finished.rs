//! Calls that are over when they are first heard of: imports, history, load tests. The same rules as for one call at its end,
//! in a handful of set-based statements.

mod covered;

use crate::covering::{Covering, covering};
use crate::dimensions::Known;
use crate::entity::call::Model;
use crate::error::{CallError, Result};
use crate::explanation::TaxInside;
use crate::grant;
use crate::included::Subscriber;
use crate::price::{CallPrice, started_seconds};
use crate::settlement::{self, Rated, Settled};
use crate::store::legs;
use crate::store::many;
use crate::store::numbers::{self, Called, Held};
use crate::{topic, upward};
use chrono::{DateTime, TimeDelta, Utc};
use db::{AgentId, CallId, CustomerId, NumberId, PlanId, SubscriptionId, TariffId, TenantTx};
use ledger::Posting;
use sip_media::EndCause;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use subscription::{Billing, Coverage, Customer, StoredTariff, Topic, TopicHistory};
use tenant::Organisation;
use usage_metering::{SuspenseCause, UsageEvent};

/// Events of one statement.
const EVENTS_MAX: usize = 20_000;

/// Who took a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HandledBy {
    /// An agent of the team that the topic is for.
    Core,
    /// An agent of another team.
    Overflow,
    /// Nobody: music was played, or is the service.
    Music,
}

impl HandledBy {
    /// As stored, and as the dimension of usage.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Overflow => "overflow",
            Self::Music => "music",
        }
    }
}

/// A call that is over.
#[derive(Clone, Debug)]
pub struct FinishedCall {
    /// Names it for good: the same call again is one call.
    pub call_id: CallId,
    /// The called number, E.164; one of the book's at the call's start.
    pub called: String,
    pub caller: Option<String>,
    pub customer_id: CustomerId,
    /// The topic's digit; what it offered when the call began counts.
    pub digit: u8,
    pub agent_id: Option<AgentId>,
    pub handled_by: HandledBy,
    pub started_at: DateTime<Utc>,
    pub answered_at: Option<DateTime<Utc>>,
    /// When the meter started; `None`: it never did, and the call costs nothing.
    pub meter_started_at: Option<DateTime<Utc>>,
    pub ended_at: DateTime<Utc>,
    /// Metered time in milliseconds.
    pub metered_ms: u64,
    pub end_cause: EndCause,
    /// Spoken in it; without, the number's language at that time.
    pub language: Option<String>,
    /// Of the caller, where whoever tells the call knows it.
    pub region: Option<String>,
}

/// What the calls of a batch look up again and again.
struct Book {
    organisation: Organisation,
    /// Whose a number is depends on when it was called.
    numbers: HashMap<Called, Held>,
    topics: TopicHistory,
    /// Numbers whose calls the level above collects.
    collected: HashSet<NumberId>,
    tariffs: HashMap<TariffId, (StoredTariff, CallPrice)>,
    customers: HashMap<CustomerId, Customer>,
    /// Customers with any subscription: only they can be covered.
    subscribed: HashSet<CustomerId>,
    /// Who has which plan, read when a call of theirs is covered.
    subscribers: HashMap<SubscriptionId, Subscriber>,
    plans: HashMap<PlanId, String>,
}

/// What a call of a batch comes to.
enum Outcome {
    /// It was never metered.
    Nothing,
    Rated(Box<Rated>),
    /// A plan covers it: what it includes is settled first, as for a live call; wallets pay the rest.
    Covered(Box<Covering>),
    /// Its plan leaves it to a person, for its period is over.
    Late(DateTime<Utc>),
}

/// What becomes of calls whose period is over and whose plan leaves that to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LateCalls {
    Settle,
    Leave,
}

/// What settling calls came to.
pub(crate) struct SettledCalls {
    /// The new ones.
    pub settled: Vec<Settled>,
    /// Left to a person, and why: nothing of them is in the book.
    pub left: Vec<(CallId, String)>,
}

/// Settles whole calls at once: rows, legs, ledger, usage, and the batch that goes upward. Calls that the book has already are
/// left out; how many were new. A wallet that cannot pay is charged down to its floor and the rest is bad debt: the call is over.
pub async fn settle_finished(tx: &TenantTx, calls: &[FinishedCall], now: DateTime<Utc>) -> Result<u64> {
    Ok(settle_each(tx, calls, LateCalls::Settle, now).await?.settled.len() as u64)
}

/// The same, and what each of the new ones came to.
pub(crate) async fn settle_each(
    tx: &TenantTx,
    calls: &[FinishedCall],
    late: LateCalls,
    now: DateTime<Utc>,
) -> Result<SettledCalls> {
    let ids: Vec<CallId> = calls.iter().map(|call| call.call_id).collect();
    let mut seen = many::known(tx, &ids).await?;
    let fresh: Vec<&FinishedCall> = calls.iter().filter(|call| seen.insert(call.call_id)).collect();
    let mut left = Vec::new();
    if fresh.is_empty() {
        return Ok(SettledCalls { settled: Vec::new(), left });
    }
    let mut book = Book::read(tx, &fresh).await?;
    let mut rows: Vec<(Model, Option<Rated>)> = Vec::with_capacity(fresh.len());
    let mut covered = Vec::new();
    for call in fresh {
        let mut row = row(tx, &book, call)?;
        let rated = match book.rate(tx, &mut row, call, (late, now)).await? {
            Outcome::Late(ended_at) => {
                left.push((call.call_id, CallError::PeriodIsOver { ended_at }.to_string()));
                continue;
            }
            Outcome::Nothing => None,
            Outcome::Rated(rated) => Some(*rated),
            Outcome::Covered(covering) => {
                covered.push((rows.len(), *covering));
                None
            }
        };
        rows.push((row, rated));
    }
    covered::include(tx, &book, &mut rows, covered, now).await?;
    post(tx, &book, &mut rows, now).await?;
    let mut usage: Vec<UsageEvent> = Vec::with_capacity(rows.len() * 3);
    let mut caller_legs = Vec::with_capacity(rows.len());
    let mut upward_ids = Vec::with_capacity(rows.len());
    for (row, rated) in &mut rows {
        row.settled_at = Some(now);
        let Some(rated) = rated else { continue };
        settlement::keep(row, rated)?;
        caller_legs.push(settlement::leg(tx, row, rated)?);
        usage.extend(settlement::usage(row, rated));
        upward_ids.push(CallId::from_uuid(row.id));
    }
    let settled = rows.iter().map(|(row, rated)| Settled::of(row, rated.as_ref())).collect();
    many::insert(tx, rows.into_iter().map(|(row, _)| row).collect()).await?;
    legs::insert(tx, &caller_legs, now).await?;
    for events in usage.chunks(EVENTS_MAX) {
        usage_metering::ingest_in(tx, events, now).await?;
    }
    for calls in upward_ids.chunks(upward::BATCH_MAX) {
        db::enqueue(tx, upward::BATCH, &calls[0].to_string(), upward::payload(calls), now).await?;
    }
    Ok(SettledCalls { settled, left })
}

impl Book {
    async fn read(tx: &TenantTx, calls: &[&FinishedCall]) -> Result<Book> {
        let organisation = tenant::organisation(tx).await?;
        let called: Vec<Called> = calls.iter().map(|call| (call.called.clone(), call.started_at)).collect();
        let numbers = numbers::held(tx, &called).await?;
        let mut tariffs = HashMap::new();
        for stored in subscription::tariffs(tx).await? {
            let price = grant::compile(&stored.tariff, stored.currency, &organisation)?;
            tariffs.insert(stored.id, (stored, price));
        }
        let ids: HashSet<CustomerId> = calls.iter().map(|call| call.customer_id).collect();
        let ids: Vec<CustomerId> = ids.into_iter().collect();
        let customers = subscription::customers_by_id(tx, &ids).await?;
        let subscriptions = subscription::subscriptions_of_many(tx, &ids).await?;
        let collected = subscription::collected_numbers(tx).await?.into_iter().collect();
        Ok(Book {
            collected,
            organisation,
            numbers,
            topics: subscription::topic_history(tx).await?,
            tariffs,
            customers: customers.into_iter().map(|customer| (customer.id, customer)).collect(),
            subscribed: subscriptions.into_iter().map(|subscription| subscription.customer_id).collect(),
            subscribers: HashMap::new(),
            plans: subscription::plans(tx).await?.into_iter().map(|plan| (plan.id, plan.name)).collect(),
        })
    }

    fn customer(&self, id: CustomerId) -> Result<&Customer> {
        let unknown = || subscription::SubscriptionError::NotFound { kind: "customer", id: id.to_string() };
        Ok(self.customers.get(&id).ok_or_else(unknown)?)
    }

    /// Decides who charges a call, and what.
    async fn rate(
        &mut self,
        tx: &TenantTx,
        row: &mut Model,
        call: &FinishedCall,
        (late, now): (LateCalls, DateTime<Utc>),
    ) -> Result<Outcome> {
        let seconds = started_seconds(call.metered_ms);
        let Some(start) = call.meter_started_at.filter(|_| seconds > 0) else { return Ok(Outcome::Nothing) };
        let customer = self.customer(call.customer_id)?.clone();
        let coverage = if self.subscribed.contains(&customer.id) {
            topic::covered(tx, customer.id, &Known::of(row).dimensions(), call.started_at).await?
        } else {
            Coverage::Uncovered
        };
        match coverage {
            Coverage::Uncovered => {
                let tariff_id = self.topic(call)?.tariff_id;
                let (stored, price) = self.tariffs.get(&tariff_id).ok_or(CallError::UnknownTariff(tariff_id))?;
                if stored.currency != customer.currency {
                    let (expected, found) = (customer.currency, stored.currency);
                    return Err(CallError::CurrencyMustMatchCustomer { expected, found });
                }
                row.charged_by = Some("tariff".to_owned());
                row.tariff_id = Some(tariff_id.uuid());
                let percent = grant::tax_percent(&customer, &self.organisation);
                let rated = settlement::by_tariff(row, stored, price, start, seconds, percent)?;
                Ok(Outcome::Rated(Box::new(rated)))
            }
            Coverage::Component { subscription_id, component } => {
                row.charged_by = Some("component".to_owned());
                row.subscription_id = Some(subscription_id.uuid());
                row.component_key = Some(component.key.clone());
                if let Entry::Vacant(new) = self.subscribers.entry(subscription_id) {
                    let subscriber = Subscriber::read(tx, &customer, subscription_id).await?;
                    new.insert(subscriber);
                }
                let subscriber = &self.subscribers[&subscription_id];
                let ended_at = match late {
                    LateCalls::Leave => subscriber.late(&component.key, call.started_at, now)?,
                    LateCalls::Settle => None,
                };
                Ok(match ended_at {
                    Some(ended_at) => Outcome::Late(ended_at),
                    None => Outcome::Covered(Box::new(covering(row, subscriber)?)),
                })
            }
            Coverage::Several => {
                row.charged_by = Some("nothing".to_owned());
                let text =
                    format!("several subscriptions of customer {} cover call {}", customer.customer_no, call.call_id);
                let payload = serde_json::json!({ "call_id": call.call_id, "seconds": seconds });
                usage_metering::suspend(tx, SuspenseCause::SeveralSubscriptions, &text, &payload, now).await?;
                let why = "several subscriptions of the customer cover it; it waits in suspense";
                Ok(Outcome::Rated(Box::new(settlement::nothing(seconds, why))))
            }
        }
    }

    fn held(&self, call: &FinishedCall) -> Option<&Held> {
        self.numbers.get(&(call.called.clone(), call.started_at))
    }

    fn topic(&self, call: &FinishedCall) -> Result<&Topic> {
        let topic = self.held(call).and_then(|held| self.topics.at(held.number_id, call.digit, call.started_at));
        topic.ok_or_else(|| CallError::UnknownTopic { called: call.called.clone(), digit: call.digit })
    }
}

fn row(tx: &TenantTx, book: &Book, call: &FinishedCall) -> Result<Model> {
    let topic = book.topic(call)?;
    let customer = book.customer(call.customer_id)?;
    Ok(Model {
        tenant_id: tx.tenant_id().uuid(),
        id: call.call_id.uuid(),
        started_at: call.started_at,
        answered_at: call.answered_at,
        meter_started_at: call.meter_started_at,
        ended_at: Some(call.ended_at.max(call.started_at + TimeDelta::zero())),
        number_id: topic.number_id.uuid(),
        called: call.called.clone(),
        caller: call.caller.clone(),
        customer_id: Some(call.customer_id.uuid()),
        topic_id: Some(topic.id.uuid()),
        topic_name: Some(topic.name.clone()),
        digit: Some(i32::from(call.digit)),
        agent_id: call.agent_id.map(AgentId::uuid),
        state: "ended".to_owned(),
        end_cause: Some(settlement::word(call.end_cause)),
        metered_ms: Some(i64::try_from(call.metered_ms).unwrap_or(i64::MAX)),
        estimated: false,
        charged_by: None,
        tariff_id: None,
        subscription_id: None,
        component_key: None,
        handled_by: Some(call.handled_by.as_str().to_owned()),
        holds_upward: false,
        currency: Some(customer.currency.code().to_owned()),
        authorised_seconds: None,
        charge_micros: None,
        billed_seconds: None,
        net_micros: None,
        tax_percent: None,
        settled_at: None,
        transaction_id: None,
        explanation: None,
        last_seen_at: call.ended_at,
        collected_by: if book.collected.contains(&topic.number_id) { "seller" } else { "tenant" }.to_owned(),
        direction: "inbound".to_owned(),
        deck_id: None,
        deck_version: None,
        language: call.language.clone().or_else(|| book.held(call)?.language.clone()),
        region: call.region.clone(),
    })
}

/// Wallets pay in one batch, accounts accrue in another.
async fn post(tx: &TenantTx, book: &Book, rows: &mut [(Model, Option<Rated>)], now: DateTime<Utc>) -> Result<()> {
    let mut prepaid = Vec::new();
    let mut charges = Vec::new();
    let mut postpaid = Vec::new();
    let mut accruals: Vec<Posting> = Vec::new();
    for (index, (row, rated)) in rows.iter().enumerate() {
        let Some(charge) = rated.as_ref().and_then(|rated| rated.charge) else { continue };
        // The network takes it from the caller: this book's share of it comes from its seller.
        if row.collected_by == "seller" {
            continue;
        }
        let customer = book.customer(row.customer_id.unwrap_or_default().into())?;
        let settle = settlement::charge_of(row, customer, charge);
        if customer.billing == Billing::Prepaid {
            prepaid.push(index);
            charges.push(settle);
        } else {
            let (net, _) = TaxInside::of(charge, grant::tax_percent(customer, &book.organisation))?;
            let key = settle.key();
            accruals.push(ledger::accrual(customer.id, net, &key, &settle.memo, settle.effective_at)?);
            postpaid.push(index);
        }
    }
    for (index, settled) in prepaid.into_iter().zip(ledger::settle_batch(tx, &charges, now).await?) {
        let (row, rated) = &mut rows[index];
        row.transaction_id = Some(settled.posted.transaction_id.uuid());
        if let Some(rated) = rated.as_mut().filter(|_| settled.unpaid.is_positive()) {
            rated.explanation.unpaid = Some(settled.unpaid.as_decimal());
        }
    }
    for (index, posted) in postpaid.into_iter().zip(ledger::post_many(tx, &accruals, now).await?) {
        rows[index].0.transaction_id = Some(posted.transaction_id.uuid());
    }
    Ok(())
}
