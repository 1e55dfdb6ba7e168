//! Calls as pages read them: the board of those that run, lists with their totals, the calls beneath a document's line.

use crate::entity::call::Model;
use crate::error::{CallError, Result};
use crate::explanation::read_currency;
use crate::grant;
use crate::included::{self, IncludedLeft};
use crate::price::{CallPrice, started_seconds};
use crate::store::reading as store;
use chrono::{DateTime, Utc};
use db::{AgentId, CallId, CustomerId, NumberId, SubscriptionId, TariffId, TenantTx, TopicId};
use money::{Currency, Decimal, Money};
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Most calls on one page.
pub(crate) const CALLS_PER_PAGE_MAX: u64 = 1000;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl $name {
            /// As stored.
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word),+ }
            }

            /// The one that a word names.
            pub fn from_word(word: &str) -> Option<$name> {
                match word { $($word => Some($name::$variant),)+ _ => None }
            }
        }
    };
}

words! {
    /// Where a call stands.
    CallState {
        /// Being identified, or choosing.
        Menu = "menu",
        /// A topic is chosen; an agent is rung.
        Queued = "queued",
        Talking = "talking",
        Held = "held",
        Ended = "ended",
    }
}

words! {
    /// Who charges a call.
    ChargedBy {
        /// Its topic's tariff.
        Tariff = "tariff",
        /// A component of the customer's subscription.
        Component = "component",
        /// Nobody: it waits in suspense.
        Nothing = "nothing",
    }
}

/// A call.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub id: CallId,
    pub started_at: DateTime<Utc>,
    pub answered_at: Option<DateTime<Utc>>,
    pub meter_started_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    pub number_id: NumberId,
    /// The called number, E.164.
    pub called: String,
    /// The caller's number as signalled; `None` when withheld.
    pub caller: Option<String>,
    /// It went out, by one of the book's numbers.
    pub is_outgoing: bool,
    pub customer_id: Option<CustomerId>,
    pub topic_id: Option<TopicId>,
    pub topic_name: Option<String>,
    pub digit: Option<u8>,
    pub agent_id: Option<AgentId>,
    pub state: CallState,
    /// `caller_hung_up`, `refused:no_credit` ..
    pub end_cause: Option<String>,
    /// `core`, `overflow`, `music`.
    pub handled_by: Option<String>,
    pub metered_seconds: u32,
    /// The end was reckoned from the last sign of life.
    pub is_estimated: bool,
    pub charged_by: Option<ChargedBy>,
    pub tariff_id: Option<TariffId>,
    pub subscription_id: Option<SubscriptionId>,
    pub component_key: Option<String>,
    /// Whole seconds authorised; `None` while unlimited, or before a topic is chosen.
    pub authorised_seconds: Option<u32>,
    /// `None`: never metered.
    pub billed_seconds: Option<u32>,
    /// Tax included; `None` where no tariff charges it.
    pub charge: Option<Money>,
    pub net: Option<Money>,
    pub tax_percent: Option<Decimal>,
    pub settled_at: Option<DateTime<Utc>>,
}

impl TryFrom<&Model> for Call {
    type Error = CallError;
    fn try_from(row: &Model) -> Result<Self> {
        let currency = row.currency.as_deref().map(read_currency).transpose()?;
        let amount =
            |micros: Option<i64>| micros.zip(currency).map(|(micros, currency)| Money::from_micros(micros, currency));
        let unknown = |what| move || CallError::StoredMustRead { what, reason: "an unknown word".to_owned() };
        let charged_by =
            row.charged_by.as_deref().map(|word| ChargedBy::from_word(word).ok_or_else(unknown("charged_by")));
        Ok(Call {
            id: row.id.into(),
            started_at: row.started_at,
            answered_at: row.answered_at,
            meter_started_at: row.meter_started_at,
            ended_at: row.ended_at,
            number_id: row.number_id.into(),
            called: row.called.clone(),
            caller: row.caller.clone(),
            is_outgoing: row.direction == "outbound",
            customer_id: row.customer_id.map(Into::into),
            topic_id: row.topic_id.map(Into::into),
            topic_name: row.topic_name.clone(),
            digit: row.digit.and_then(|digit| u8::try_from(digit).ok()),
            agent_id: row.agent_id.map(Into::into),
            state: CallState::from_word(&row.state).ok_or_else(unknown("state of a call"))?,
            end_cause: row.end_cause.clone(),
            handled_by: row.handled_by.clone(),
            metered_seconds: started_seconds(row.metered_ms.unwrap_or(0).unsigned_abs()),
            is_estimated: row.estimated,
            charged_by: charged_by.transpose()?,
            tariff_id: row.tariff_id.map(Into::into),
            subscription_id: row.subscription_id.map(Into::into),
            component_key: row.component_key.clone(),
            authorised_seconds: row.authorised_seconds.map(i32::unsigned_abs),
            billed_seconds: row.billed_seconds.map(i32::unsigned_abs),
            charge: amount(row.charge_micros),
            net: amount(row.net_micros),
            tax_percent: row.tax_percent,
            settled_at: row.settled_at,
        })
    }
}

/// Which calls to list: those that started in `[from, to)`, and everything else that is set.
#[derive(Clone, Debug)]
pub struct CallFilter {
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
    pub customer: Option<CustomerId>,
    pub topic: Option<TopicId>,
    pub agent: Option<AgentId>,
    pub number: Option<NumberId>,
    pub state: Option<CallState>,
    pub charged_by: Option<ChargedBy>,
    /// Metered ones, or those that never were.
    pub is_metered: Option<bool>,
    /// Covered by this component of this subscription.
    pub component: Option<(SubscriptionId, String)>,
    /// The last call of the page before: its start and id.
    pub after: Option<(DateTime<Utc>, CallId)>,
    /// At most 1000.
    pub limit: u64,
}

impl CallFilter {
    /// All calls of a time range, 50 on a page.
    pub fn between(from: DateTime<Utc>, to: DateTime<Utc>) -> Self {
        CallFilter {
            from,
            to,
            customer: None,
            topic: None,
            agent: None,
            number: None,
            state: None,
            charged_by: None,
            is_metered: None,
            component: None,
            after: None,
            limit: 50,
        }
    }
}

/// Sums over calls, in the book's currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallTotals {
    pub calls: u64,
    /// Those that were metered.
    pub metered_calls: u64,
    pub metered_seconds: u64,
    pub billed_seconds: u64,
    /// Tax included.
    pub charge: Money,
    pub net: Money,
}

/// A page of calls, newest first.
#[derive(Clone, Debug)]
pub struct CallPage {
    pub calls: Vec<Call>,
    /// Over everything that the filter finds, not only this page.
    pub totals: CallTotals,
    /// For [`CallFilter::after`]; `None` on the last page.
    pub next: Option<(DateTime<Utc>, CallId)>,
}

/// Lists calls.
pub async fn calls(tx: &TenantTx, filter: &CallFilter) -> Result<CallPage> {
    let (calls, next) = calls_without_totals(tx, filter).await?;
    Ok(CallPage { calls, totals: totals(tx, filter).await?, next })
}

/// The same without the sums, which cost as much as the filter finds: the page and the place after it.
pub async fn calls_without_totals(
    tx: &TenantTx,
    filter: &CallFilter,
) -> Result<(Vec<Call>, Option<(DateTime<Utc>, CallId)>)> {
    let limit = filter.limit.clamp(1, CALLS_PER_PAGE_MAX);
    let mut found = store::page(tx, &CallFilter { limit: limit + 1, ..filter.clone() }).await?;
    let has_more = found.len() as u64 > limit;
    found.truncate(limit as usize);
    let calls: Vec<Call> = found.iter().map(Call::try_from).collect::<Result<_>>()?;
    let next = calls.last().filter(|_| has_more).map(|call| (call.started_at, call.id));
    Ok((calls, next))
}

async fn totals(tx: &TenantTx, filter: &CallFilter) -> Result<CallTotals> {
    let currency = tenant::organisation(tx).await?.currency;
    match store::totals(tx, filter).await? {
        Some(row) => read_totals(&row, currency),
        None => Err(CallError::StoredMustRead { what: "sum of calls", reason: "no row".to_owned() }),
    }
}

fn read_totals(row: &store::TotalRow, currency: Currency) -> Result<CallTotals> {
    let micros = |sum: Decimal| i64::try_from(sum.trunc().mantissa()).map_err(|_| money::MoneyError::Overflow);
    Ok(CallTotals {
        calls: row.calls.unsigned_abs(),
        metered_calls: row.metered_calls.unsigned_abs(),
        metered_seconds: (micros(row.metered_ms)?).unsigned_abs() / 1000,
        billed_seconds: row.billed_seconds.unsigned_abs(),
        charge: Money::from_micros(micros(row.charge_micros)?, currency),
        net: Money::from_micros(micros(row.net_micros)?, currency),
    })
}

/// Sums of the calls that started in `[from, to)`.
pub async fn totals_between(tx: &TenantTx, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<CallTotals> {
    totals(tx, &CallFilter::between(from, to)).await
}

/// What the calls that started in `[from, to)` cost this book so far, in its own currency: its seller's shares and carriers.
/// A cost that only the period's end decides is not in it.
pub async fn costs_between(tx: &TenantTx, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Money> {
    let currency = tenant::organisation(tx).await?.currency;
    Ok(Money::from_micros(store::costs(tx, currency.code(), from, to).await?, currency))
}

/// What the calls of `[from, to)` were sold for net of tax, by the half hour in which they began; in order, none at zero.
pub async fn revenue_between(
    tx: &TenantTx,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<(DateTime<Utc>, Money)>> {
    let currency = tenant::organisation(tx).await?.currency;
    let rows = store::revenue(tx, from, to).await?;
    Ok(rows.into_iter().map(|row| (row.from_at, Money::from_micros(row.net_micros, currency))).collect())
}

/// A topic's calls, summed.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicTotals {
    pub topic_id: TopicId,
    pub name: String,
    pub totals: CallTotals,
}

/// Sums by topic of the calls that started in `[from, to)`, the largest charge first.
pub async fn by_topic(tx: &TenantTx, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Vec<TopicTotals>> {
    let currency = tenant::organisation(tx).await?.currency;
    let read = |row: store::TopicRow| {
        Ok(TopicTotals {
            topic_id: row.topic_id.into(),
            name: row.topic_name,
            totals: read_totals(&row.totals, currency)?,
        })
    };
    store::by_topic(tx, from, to).await?.into_iter().map(read).collect()
}

/// What a document's line sums.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// Calls of a topic, charged by its tariff.
    TariffCalls { topic_id: TopicId },
    /// Usage that a component charges.
    Component { subscription_id: SubscriptionId, key: String },
}

/// The calls beneath a line, newest first, at most 1000.
pub async fn calls_of_line(
    tx: &TenantTx,
    customer: CustomerId,
    line: &Line,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    limit: u64,
) -> Result<CallPage> {
    let mut filter =
        CallFilter { customer: Some(customer), is_metered: Some(true), limit, ..CallFilter::between(from, to) };
    match line {
        Line::TariffCalls { topic_id } => {
            filter.topic = Some(*topic_id);
            filter.charged_by = Some(ChargedBy::Tariff);
        }
        Line::Component { subscription_id, key } => filter.component = Some((*subscription_id, key.clone())),
    }
    calls(tx, &filter).await
}

/// A call that runs, with its money at `now`.
#[derive(Clone, Debug)]
pub struct LiveCall {
    pub call: Call,
    /// Since it arrived.
    pub elapsed_seconds: u64,
    /// Since the meter started; 0 before.
    pub metered_seconds: u32,
    /// Tax included; zero before the meter starts and where no tariff charges it.
    pub cost_so_far: Money,
    /// What the next started increment costs, and how long it is; zero where nothing runs.
    pub increment_cost: Money,
    pub increment_seconds: u32,
    /// What the wallet has left for this call, its cost taken off; `None` for a customer on account.
    pub left: Option<Money>,
    /// Metered seconds from now until the money ends; `None`: no limit.
    pub runs_out_seconds: Option<u32>,
    /// What the customer's plan still includes, its use by this call taken off; empty where no plan covers it, or includes nothing.
    pub included: Vec<IncludedLeft>,
}

/// The calls that run, oldest first.
pub async fn live_calls(tx: &TenantTx, now: DateTime<Utc>) -> Result<Vec<LiveCall>> {
    let rows = store::live(tx).await?;
    let book = tenant::organisation(tx).await?;
    let mut prices: HashMap<TariffId, CallPrice> = HashMap::new();
    let mut live = Vec::with_capacity(rows.len());
    for row in &rows {
        let call = Call::try_from(row)?;
        let zero = Money::zero(book.currency);
        let metered = call.meter_started_at.map_or(0, |at| (now - at).num_seconds().max(0));
        let mut found = LiveCall {
            elapsed_seconds: (now - call.started_at).num_seconds().max(0).unsigned_abs(),
            metered_seconds: u32::try_from(metered).unwrap_or(u32::MAX),
            cost_so_far: zero,
            increment_cost: zero,
            increment_seconds: 0,
            left: None,
            runs_out_seconds: None,
            included: Vec::new(),
            call,
        };
        if let Some(tariff_id) = found.call.tariff_id {
            let price = match prices.entry(tariff_id) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => new.insert(grant::price_of(tx, tariff_id, &book).await?.1),
            };
            with_money(tx, price, &mut found, now).await?;
        }
        found.included = included::left_for(tx, &found.call, found.metered_seconds).await?;
        live.push(found);
    }
    Ok(live)
}

async fn with_money(tx: &TenantTx, price: &CallPrice, live: &mut LiveCall, now: DateTime<Utc>) -> Result<()> {
    let start = live.call.meter_started_at.unwrap_or(now);
    if live.call.meter_started_at.is_some() {
        live.cost_so_far = price.charge(start, live.metered_seconds)?.amount;
        let (cost, seconds) = price.next_increment(start, live.metered_seconds)?;
        (live.increment_cost, live.increment_seconds) = (cost, seconds);
    }
    let Some(customer_id) = live.call.customer_id else { return Ok(()) };
    let Some(wallet) = ledger::wallet_of(tx, customer_id).await? else { return Ok(()) };
    let held = ledger::held(tx, live.call.id, ledger::Leg::Caller, wallet.balance.currency()).await?;
    let budget = wallet.available()?.checked_add(held.amount)?;
    live.left = Some(budget.checked_sub(live.cost_so_far)?);
    live.runs_out_seconds = price.lasts(start, budget)?.map(|seconds| seconds.saturating_sub(live.metered_seconds));
    Ok(())
}
