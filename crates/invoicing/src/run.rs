//! Invoice runs: a book's customers, drafted block by block, then finalised block by block. Every block is the caller's
//! transaction: killed anywhere, the run goes on where the last commit left it, and what has failed stands beside the rest.

use crate::assemble::Outcome;
use crate::content::{Claim, StandsOn};
use crate::error::{InvoicingError, Result};
use crate::finalise::settle_changes;
use crate::gather::{gather, seller};
use crate::store::{billed, drafts, runs};
use chrono::{DateTime, NaiveDate, Utc};
use db::fault::{Guard, is_left_out};
use db::{CustomerId, DocumentId, DraftId, RunId, TenantTx};
use money::Decimal;
use std::collections::HashMap;
use subscription::{CUSTOMERS_PER_PAGE_MAX, Customer, CustomerFilter, customer_zones, customers, customers_by_id};

/// Stands where a person's name would, on a run that the clock has started.
pub const BY_SCHEDULE: &str = "monthly schedule";

/// Where a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Planned,
    Drafting,
    /// Every customer has its draft; somebody may look before they become final.
    Ready,
    Finalising,
    Done,
}

const PHASES: [(Phase, &str); 5] = [
    (Phase::Planned, "planned"),
    (Phase::Drafting, "drafting"),
    (Phase::Ready, "ready"),
    (Phase::Finalising, "finalising"),
    (Phase::Done, "done"),
];

impl Phase {
    /// As stored and shown.
    pub fn as_str(self) -> &'static str {
        PHASES.iter().find(|(phase, _)| *phase == self).map_or("", |(_, word)| word)
    }

    pub(crate) fn of_word(word: &str) -> Option<Self> {
        PHASES.iter().find(|(_, known)| *known == word).map(|(phase, _)| *phase)
    }
}

/// What became of a customer in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemState {
    Waiting,
    Drafted,
    NothingDue,
    Finalised,
    /// [`Item::failure`] says why and what to do.
    Failed,
    /// Somebody voided its draft.
    Voided,
}

const ITEM_STATES: [(ItemState, &str); 6] = [
    (ItemState::Waiting, "waiting"),
    (ItemState::Drafted, "drafted"),
    (ItemState::NothingDue, "nothing_due"),
    (ItemState::Finalised, "finalised"),
    (ItemState::Failed, "failed"),
    (ItemState::Voided, "voided"),
];

impl ItemState {
    /// As stored and shown.
    pub fn as_str(self) -> &'static str {
        ITEM_STATES.iter().find(|(state, _)| *state == self).map_or("", |(_, word)| word)
    }

    pub(crate) fn of_word(word: &str) -> Option<Self> {
        ITEM_STATES.iter().find(|(_, known)| *known == word).map(|(state, _)| *state)
    }
}

/// One customer of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    pub customer_id: CustomerId,
    pub state: ItemState,
    /// The rule that was broken, and the remedy; of one that waits, what it waits for.
    pub failure: Option<String>,
    pub draft_id: Option<DraftId>,
    pub document_id: Option<DocumentId>,
}

impl Item {
    pub(crate) fn of(customer_id: CustomerId, state: ItemState) -> Item {
        Item { customer_id, state, failure: None, draft_id: None, document_id: None }
    }

    pub(crate) fn failed(customer_id: CustomerId, draft_id: Option<DraftId>, failure: String) -> Item {
        Item { failure: Some(failure), draft_id, ..Item::of(customer_id, ItemState::Failed) }
    }
}

/// Customers of a run by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub waiting: u64,
    pub drafted: u64,
    pub nothing_due: u64,
    pub finalised: u64,
    pub failed: u64,
    pub voided: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, state: ItemState, count: u64) {
        *match state {
            ItemState::Waiting => &mut self.waiting,
            ItemState::Drafted => &mut self.drafted,
            ItemState::NothingDue => &mut self.nothing_due,
            ItemState::Finalised => &mut self.finalised,
            ItemState::Failed => &mut self.failed,
            ItemState::Voided => &mut self.voided,
        } += count;
    }

    /// Customers in all.
    pub fn total(&self) -> u64 {
        self.waiting + self.drafted + self.nothing_due + self.finalised + self.failed + self.voided
    }
}

/// A run as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    pub id: RunId,
    /// Invoices what has ended before this day, and what is billed ahead for periods that begin before it, in each customer's zone.
    pub until_on: NaiveDate,
    pub phase: Phase,
    pub started_by: String,
    /// The customer that the last block ended with.
    pub current_customer: Option<String>,
    pub created_at: DateTime<Utc>,
    pub drafting_started_at: Option<DateTime<Utc>>,
    pub finalising_started_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    pub counts: Counts,
}

/// How fast a run goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Customers a second, to one decimal.
    pub per_second: Decimal,
    /// Seconds until this phase ends, at that pace.
    pub seconds_left: u64,
}

impl Run {
    /// Customers that this phase has dealt with, and all that it has to deal with.
    pub fn progress(&self) -> (u64, u64) {
        let counts = &self.counts;
        match self.phase {
            Phase::Planned | Phase::Drafting => (counts.total() - counts.waiting, counts.total()),
            Phase::Ready | Phase::Finalising | Phase::Done => (counts.finalised, counts.finalised + counts.drafted),
        }
    }

    /// Ended without an invoice, though there was something to bill.
    pub fn is_thrown_away(&self) -> bool {
        self.phase == Phase::Done && self.counts.finalised == 0 && self.counts.voided > 0
    }

    /// The pace of the phase that is under way, measured from its start; `None` before anything is done.
    pub fn pace(&self, now: DateTime<Utc>) -> Option<Pace> {
        let since = match self.phase {
            Phase::Drafting => self.drafting_started_at?,
            Phase::Finalising => self.finalising_started_at?,
            Phase::Planned | Phase::Ready | Phase::Done => return None,
        };
        let elapsed_ms = u64::try_from((now - since).num_milliseconds()).ok().filter(|elapsed| *elapsed > 0)?;
        let (done, total) = self.progress();
        let per_second = Decimal::from(done) * Decimal::ONE_THOUSAND / Decimal::from(elapsed_ms);
        let left_ms = u128::from(total - done) * u128::from(elapsed_ms) / u128::from(done.max(1));
        (done > 0).then(|| Pace {
            per_second: per_second.round_dp(1),
            seconds_left: u64::try_from(left_ms.div_ceil(1000)).unwrap_or(u64::MAX),
        })
    }
}

/// Opens a run over all customers of the book. Refused while another is open ([`crate::InvoicingError::RunMustBeTheOnlyOne`]).
pub async fn plan_run(tx: &TenantTx, until_on: NaiveDate, by: &str, now: DateTime<Utc>) -> Result<RunId> {
    let id = RunId::new();
    runs::insert(tx, id, until_on, by, now).await?;
    take_customers(tx, id).await?;
    Ok(id)
}

/// Opens the run of a month that has ended, by itself and once. `None` where a run has gone as far already, where one is open
/// still (this one waits for it), where the month goes on in the zone of one of the customers, where there was nobody to bill
/// before that day, or where another worker was faster.
pub async fn schedule_run(tx: &TenantTx, until_on: NaiveDate, now: DateTime<Utc>) -> Result<Option<RunId>> {
    if runs::stands_in_the_way(tx, until_on).await? {
        return Ok(None);
    }
    let mut is_somebody = false;
    for (time_zone, since) in customer_zones(tx).await? {
        let until = pricing::start_of_day(until_on, &time_zone)?;
        if now < until {
            return Ok(None);
        }
        is_somebody |= since < until;
    }
    if !is_somebody {
        return Ok(None);
    }
    let id = RunId::new();
    if !runs::insert_scheduled(tx, id, until_on, BY_SCHEDULE, now).await? {
        return Ok(None);
    }
    take_customers(tx, id).await?;
    Ok(Some(id))
}

/// Puts every customer of the book in a run's queue.
async fn take_customers(tx: &TenantTx, id: RunId) -> Result<()> {
    let mut after = None;
    loop {
        let page = customers(tx, &CustomerFilter { prefix: None, after, limit: CUSTOMERS_PER_PAGE_MAX }).await?;
        let ids: Vec<CustomerId> = page.iter().map(|customer| customer.id).collect();
        runs::insert_items(tx, id, &ids).await?;
        match page.last() {
            Some(last) if page.len() as u64 == CUSTOMERS_PER_PAGE_MAX => after = Some(last.id),
            _ => return Ok(()),
        }
    }
}

/// Drafts the next customers of a run, at most `limit`, and returns how the run stands. A customer that cannot be drafted
/// is a failed item with its reason, and stops nobody else. Call until the phase is no longer planned or drafting.
pub async fn draft_some(tx: &TenantTx, run_id: RunId, limit: u64, now: DateTime<Utc>) -> Result<Run> {
    runs::share(tx, run_id).await?;
    let run = runs::by_id(tx, run_id).await?;
    if !matches!(run.phase, Phase::Planned | Phase::Drafting) {
        return Ok(run);
    }
    let claimed = runs::claim(tx, run_id, ItemState::Waiting, limit).await?;
    let ids: Vec<CustomerId> = claimed.iter().map(|(id, _)| *id).collect();
    let customers = if ids.is_empty() { Vec::new() } else { customers_by_id(tx, &ids).await? };
    let current = customers.last().map(|customer| customer.name.clone());
    let (customers, held) = hold_dirty(tx, &run, customers, now).await?;
    let mut items = draft_block(tx, &run, customers, now).await?;
    items.extend(held);
    runs::settle_items(tx, run_id, &items).await?;
    let waiting = runs::counts(tx, &[run_id]).await?.remove(&run_id).unwrap_or_default().waiting;
    let phase = if waiting == 0 { Phase::Ready } else { Phase::Drafting };
    if phase == Phase::Ready && run.phase == Phase::Planned {
        runs::set_phase(tx, run_id, Phase::Drafting, None, now).await?;
    }
    runs::set_phase(tx, run_id, phase, current.as_deref(), now).await?;
    runs::by_id(tx, run_id).await
}

/// Those with dirty hours go on waiting, with the reason: the worker sweeps, and their turn comes again, after everybody else's.
async fn hold_dirty(
    tx: &TenantTx,
    run: &Run,
    customers: Vec<Customer>,
    now: DateTime<Utc>,
) -> Result<(Vec<Customer>, Vec<Item>)> {
    // What is due is read after this: an event that comes between is late, as one that comes after.
    let until = |customer: &Customer| {
        let until = pricing::start_of_day(run.until_on, &customer.time_zone);
        (customer.id, until.map_or(now, |until| until.min(now)))
    };
    let dirty = usage_metering::dirty_hours_of(tx, &customers.iter().map(until).collect::<Vec<_>>()).await?;
    let dirty: HashMap<CustomerId, u64> = dirty.into_iter().map(|dirty| (dirty.customer_id, dirty.hours)).collect();
    if is_left_out(Guard::DirtyHour) {
        return Ok((customers, Vec::new()));
    }
    let (held, clean): (Vec<_>, Vec<_>) = customers.into_iter().partition(|customer| dirty.contains_key(&customer.id));
    let item = |customer: Customer| {
        let why = InvoicingError::UsageMustBeSwept { hours: dirty[&customer.id] };
        Item { failure: Some(why.to_string()), ..Item::of(customer.id, ItemState::Waiting) }
    };
    Ok((clean, held.into_iter().map(item).collect()))
}

/// Reads for the whole block at once; should one customer's records refuse to be read, each is tried alone.
async fn draft_block(tx: &TenantTx, run: &Run, customers: Vec<Customer>, now: DateTime<Utc>) -> Result<Vec<Item>> {
    if customers.is_empty() {
        return Ok(Vec::new());
    }
    let seller = seller(tx).await?;
    let mut outcomes = Vec::with_capacity(customers.len());
    match gather(tx, customers.clone(), run.until_on, now).await {
        Ok(gathered) => {
            for mut gathered in gathered {
                let outcome = gathered.document(tx, &seller).await;
                outcomes.push((gathered.customer, must_not_be_of_database(outcome)?));
            }
        }
        Err(error) if error.is_of_database() => return Err(error),
        Err(_) => {
            for customer in customers {
                let alone = match gather(tx, vec![customer.clone()], run.until_on, now).await.map(|mut all| all.pop()) {
                    Ok(Some(mut gathered)) => gathered.document(tx, &seller).await,
                    Ok(None) => continue,
                    Err(error) => Err(error),
                };
                outcomes.push((customer, must_not_be_of_database(alone)?));
            }
        }
    }
    let mut items = Vec::with_capacity(outcomes.len());
    let mut new_drafts = Vec::new();
    let (mut closed, mut settled): (Vec<Claim>, Vec<StandsOn>) = (Vec::new(), Vec::new());
    for (customer, outcome) in outcomes {
        match outcome {
            Ok(Outcome::NothingDue { claims, stands_on }) => {
                closed.extend(claims);
                settled.extend(stands_on);
                items.push(Item::of(customer.id, ItemState::NothingDue));
            }
            Ok(Outcome::Draft(content)) => {
                let draft_id = DraftId::new();
                new_drafts.push((draft_id, customer.id, content));
                items.push(Item { draft_id: Some(draft_id), ..Item::of(customer.id, ItemState::Drafted) });
            }
            Err(error) => items.push(Item::failed(customer.id, None, error.to_string())),
        }
    }
    drafts::insert(tx, Some(run.id), &new_drafts, now).await?;
    billed::insert(tx, &closed.iter().map(|claim| (None, claim)).collect::<Vec<_>>()).await?;
    settle_changes(tx, &settled, now).await?;
    Ok(items)
}

/// What the database refuses ends the block; what a rule refuses is the customer's own.
fn must_not_be_of_database(outcome: Result<Outcome>) -> Result<Result<Outcome>> {
    match outcome {
        Err(error) if error.is_of_database() => Err(error),
        outcome => Ok(outcome),
    }
}

/// Puts the failed customers of a run back in the queue; their drafts are voided. Returns how many. Waits for blocks that are
/// being worked on: one that counts nothing left must not end the run over the head of those that came back. Only the newest run
/// goes on: what an older one left is in it.
pub async fn retry_failed(tx: &TenantTx, run_id: RunId, now: DateTime<Utc>) -> Result<u64> {
    runs::take_alone(tx, run_id).await?;
    runs::by_id(tx, run_id).await?;
    if runs::newest(tx, 1).await?.first().is_none_or(|newest| newest.id != run_id) {
        return Err(InvoicingError::RunMustBeNewest);
    }
    let retried = runs::retry_failed(tx, run_id, now).await?;
    if retried > 0 {
        runs::set_phase(tx, run_id, Phase::Drafting, None, now).await?;
    }
    Ok(retried)
}

/// Ends a run whose drafts nobody wants: they are voided, what they would have billed is due again, and another run may be
/// planned. Refused once issuing has begun. Waits for blocks that are being worked on, so that none of them writes a draft after.
pub async fn abandon_run(tx: &TenantTx, run_id: RunId, now: DateTime<Utc>) -> Result<()> {
    runs::take_alone(tx, run_id).await?;
    match runs::by_id(tx, run_id).await?.phase {
        Phase::Planned | Phase::Drafting | Phase::Ready => {}
        Phase::Finalising => return Err(InvoicingError::RunMustNotBeIssued("being issued")),
        Phase::Done => return Err(InvoicingError::RunMustNotBeIssued("done")),
    }
    drafts::void_of_run(tx, run_id, now).await?;
    runs::set_phase(tx, run_id, Phase::Done, None, now).await
}

/// One run.
pub async fn run(tx: &TenantTx, id: RunId) -> Result<Run> {
    runs::by_id(tx, id).await
}

/// The newest runs.
pub async fn runs(tx: &TenantTx, limit: u64) -> Result<Vec<Run>> {
    runs::newest(tx, limit).await
}

/// Customers of a run, by id; `state` narrows them.
pub async fn run_items(
    tx: &TenantTx,
    run_id: RunId,
    state: Option<ItemState>,
    after: Option<CustomerId>,
    limit: u64,
) -> Result<Vec<Item>> {
    runs::items(tx, run_id, state, after, limit).await
}
