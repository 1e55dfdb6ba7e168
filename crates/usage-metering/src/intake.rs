//! Many clients share commits: what they send waits in a queue for each tenant, and a few writers take turns over the tenants,
//! each time as much of one tenant's queue as one commit carries. While the writers are busy the next batch grows by itself, so
//! an idle house answers at once and a busy one commits seldom.
//! Invariants: an answer comes after the commit; a transaction holds one tenant's rows; queues have an end; one tenant never has
//! all writers, and waits behind its own events only.

use crate::error::UsageError;
use crate::event::{Outcome, UsageEvent};
use crate::ingest::ingest_apart;
use chrono::{DateTime, Utc};
use db::{Db, TenantId};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// Batches written at once, over all tenants.
const WRITERS_MAX: usize = 4;
/// Batches of one tenant written at once: the others find a writer free.
const WRITERS_PER_TENANT_MAX: usize = 2;
/// A batch takes no further request once it has so many events. A request is never divided.
const BATCH_EVENTS: usize = 2_000;
/// Events of one tenant that may wait.
pub const TENANT_EVENTS_MAX: usize = 20_000;
/// Events that may wait in all.
pub const EVENTS_MAX: usize = 200_000;

/// Why a request was not stored. In each case nothing of it is kept, or all of it: sending it again is right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IntakeError {
    #[error("{waiting} events of this organisation wait already")]
    TenantMustNotFlood { waiting: usize },
    #[error("{waiting} events wait already")]
    QueueMustHaveRoom { waiting: usize },
    #[error("a request holds 1 to {TENANT_EVENTS_MAX} events, not {0}")]
    RequestMustHaveASize(usize),
    #[error("the events could not be stored: {0}")]
    NotStored(Arc<str>),
}

/// The way in, one for the process. Its copies are the same.
#[derive(Clone)]
pub struct Intake {
    shared: Arc<Shared>,
}

struct Shared {
    db: Db,
    /// Where the writers run: not on the thread that happens to serve a request.
    runtime: Handle,
    queues: Mutex<Queues>,
    /// When something last could not be stored that may be stored later, by the clock of its request.
    failed_at: Mutex<Option<DateTime<Utc>>>,
}

#[derive(Default)]
struct Queues {
    tenants: HashMap<TenantId, Waiting>,
    /// Tenants whose next batch may be written, in the order of their turn. Each stands here once.
    turn: VecDeque<TenantId>,
    events: usize,
    writers: usize,
}

#[derive(Default)]
struct Waiting {
    requests: VecDeque<Request>,
    events: usize,
    writing: usize,
    has_turn: bool,
}

struct Request {
    events: Vec<UsageEvent>,
    now: DateTime<Utc>,
    answer: oneshot::Sender<Result<Vec<Outcome>, IntakeError>>,
}

/// Requests of one tenant that share a commit.
struct Batch {
    tenant_id: TenantId,
    requests: Vec<Request>,
}

impl Intake {
    /// Nothing waits yet. Call it inside the runtime on which batches shall be written.
    pub fn new(db: Db) -> Self {
        Self {
            shared: Arc::new(Shared {
                db,
                runtime: Handle::current(),
                queues: Mutex::default(),
                failed_at: Mutex::default(),
            }),
        }
    }

    /// Takes a request's events and answers after they are committed, in their order. Whoever stops waiting for the answer may
    /// find them stored.
    pub async fn take(
        &self,
        tenant_id: TenantId,
        events: Vec<UsageEvent>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Outcome>, IntakeError> {
        let (answer, answered) = oneshot::channel();
        if self.shared.queues().put(tenant_id, Request { events, now, answer })? {
            self.shared.runtime.spawn(write_in_turn(Arc::clone(&self.shared)));
        }
        answered.await.unwrap_or_else(|_| Err(IntakeError::NotStored("the process is ending".into())))
    }

    /// When events last could not be stored; `None` once some were again.
    pub fn failed_at(&self) -> Option<DateTime<Utc>> {
        *self.shared.failed_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Events that wait now, those being written not counted.
    pub fn waiting(&self) -> usize {
        self.shared.queues().events
    }
}

impl Shared {
    fn queues(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queues {
    /// True when another writer should start.
    fn put(&mut self, tenant_id: TenantId, request: Request) -> Result<bool, IntakeError> {
        let count = request.events.len();
        if !(1..=TENANT_EVENTS_MAX).contains(&count) {
            return Err(IntakeError::RequestMustHaveASize(count));
        }
        if self.events + count > EVENTS_MAX {
            return Err(IntakeError::QueueMustHaveRoom { waiting: self.events });
        }
        let waiting = self.tenants.entry(tenant_id).or_default();
        if waiting.events + count > TENANT_EVENTS_MAX {
            return Err(IntakeError::TenantMustNotFlood { waiting: waiting.events });
        }
        waiting.requests.push_back(request);
        waiting.events += count;
        self.events += count;
        self.give_turn(tenant_id);
        let is_one_wanted = self.writers < WRITERS_MAX && !self.turn.is_empty();
        self.writers += usize::from(is_one_wanted);
        Ok(is_one_wanted)
    }

    fn give_turn(&mut self, tenant_id: TenantId) {
        let Some(waiting) = self.tenants.get_mut(&tenant_id) else { return };
        if !waiting.requests.is_empty() && !waiting.has_turn && waiting.writing < WRITERS_PER_TENANT_MAX {
            waiting.has_turn = true;
            self.turn.push_back(tenant_id);
        }
    }

    /// The next batch, of the tenant whose turn it is; without one the writer that asks is no longer counted.
    fn next(&mut self) -> Option<Batch> {
        let found = self.turn.pop_front().and_then(|tenant_id| Some((tenant_id, self.tenants.get_mut(&tenant_id)?)));
        let Some((tenant_id, waiting)) = found else {
            self.writers -= 1;
            return None;
        };
        waiting.has_turn = false;
        waiting.writing += 1;
        let (mut requests, mut count) = (Vec::new(), 0);
        while count < BATCH_EVENTS
            && let Some(request) = waiting.requests.pop_front()
        {
            count += request.events.len();
            requests.push(request);
        }
        waiting.events -= count;
        self.events -= count;
        // Behind all others that wait.
        self.give_turn(tenant_id);
        Some(Batch { tenant_id, requests })
    }

    fn written(&mut self, tenant_id: TenantId) {
        if let Some(waiting) = self.tenants.get_mut(&tenant_id) {
            waiting.writing -= 1;
            if waiting.writing == 0 && waiting.requests.is_empty() {
                self.tenants.remove(&tenant_id);
            }
        }
        self.give_turn(tenant_id);
    }
}

async fn write_in_turn(shared: Arc<Shared>) {
    loop {
        let Some(batch) = shared.queues().next() else { return };
        let tenant_id = batch.tenant_id;
        // In a task of its own: a panic ends the batch, whose clients are told so, and not the writer.
        let writing = tokio::spawn(write(Arc::clone(&shared), batch));
        if let Err(error) = writing.await {
            tracing::error!(tenant.id = %tenant_id, %error, "A batch of events was given up");
        }
        shared.queues().written(tenant_id);
    }
}

async fn write(shared: Arc<Shared>, batch: Batch) {
    let Batch { tenant_id, mut requests } = batch;
    // The latest of them: what each says of the time is minutes or months, what they differ by are milliseconds.
    let Some(now) = requests.iter().map(|request| request.now).max() else { return };
    let mut events = Vec::with_capacity(requests.iter().map(|request| request.events.len()).sum());
    let mut sizes = Vec::with_capacity(requests.len());
    for request in &mut requests {
        sizes.push(request.events.len());
        events.append(&mut request.events);
    }
    let taken = ingest_apart(&shared.db, tenant_id, &events, now).await;
    *shared.failed_at.lock().unwrap_or_else(PoisonError::into_inner) = taken.is_err().then_some(now);
    match taken {
        Ok(mut outcomes) => {
            for (request, size) in requests.into_iter().zip(sizes) {
                let rest = outcomes.split_off(size.min(outcomes.len()));
                // A client that has gone away wants no answer.
                let _ = request.answer.send(Ok(std::mem::replace(&mut outcomes, rest)));
            }
        }
        Err(error) => {
            let error = not_stored(tenant_id)(error);
            for request in requests {
                let _ = request.answer.send(Err(error.clone()));
            }
        }
    }
}

fn not_stored(tenant_id: TenantId) -> impl Fn(UsageError) -> IntakeError {
    move |error| {
        tracing::error!(tenant.id = %tenant_id, %error, "Events could not be stored; their clients were told to send them again");
        IntakeError::NotStored(error.to_string().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use db::CustomerId;
    use std::collections::BTreeMap;

    fn request(count: usize) -> Request {
        let event = UsageEvent {
            source: "switch".into(),
            id: "1".into(),
            meter: "minutes".into(),
            customer_id: CustomerId::from_uuid(uuid::Uuid::nil()),
            subscription_id: None,
            quantity: 1.into(),
            dimensions: BTreeMap::new(),
            occurred_at: DateTime::UNIX_EPOCH,
        };
        Request { events: vec![event; count], now: DateTime::UNIX_EPOCH, answer: oneshot::channel().0 }
    }

    /// Events of each batch, with the place of its tenant in the list, in the order in which writers that never finish take them.
    fn taken(queues: &mut Queues, tenants: &[TenantId], writers: usize) -> Vec<(usize, usize)> {
        queues.writers += writers;
        let batches = std::iter::from_fn(|| queues.next()).take(writers);
        let place = |batch: &Batch| tenants.iter().position(|tenant_id| *tenant_id == batch.tenant_id).unwrap();
        batches.map(|batch| (place(&batch), batch.requests.iter().map(|request| request.events.len()).sum())).collect()
    }

    #[test]
    fn requests_share_a_batch_until_it_is_full_and_tenants_take_turns() {
        let (noisy, quiet) = (TenantId::new(), TenantId::new());
        let mut queues = Queues::default();
        for _ in 0..10 {
            queues.put(noisy, request(500)).unwrap();
        }
        queues.put(quiet, request(1)).unwrap();
        // 4 x 500 fill one batch; then it is the other's turn; the noisy one has two writers at most, so 1,000 go on waiting.
        assert_eq!(taken(&mut queues, &[noisy, quiet], 4), [(0, 2_000), (1, 1), (0, 2_000)]);
        assert_eq!(queues.events, 1_000);
        queues.written(noisy);
        assert_eq!(taken(&mut queues, &[noisy, quiet], 1), [(0, 1_000)]);
    }

    #[test]
    fn a_queue_has_an_end_and_the_others_queue_is_another() {
        let (noisy, quiet) = (TenantId::new(), TenantId::new());
        let mut queues = Queues::default();
        queues.put(noisy, request(TENANT_EVENTS_MAX - 1)).unwrap();
        queues.put(noisy, request(1)).unwrap();
        let refused = queues.put(noisy, request(1));
        assert_eq!(refused, Err(IntakeError::TenantMustNotFlood { waiting: TENANT_EVENTS_MAX }));
        queues.put(quiet, request(1)).unwrap();
        while queues.events + 10_000 <= EVENTS_MAX {
            queues.put(TenantId::new(), request(10_000)).unwrap();
        }
        let waiting = queues.events;
        assert_eq!(queues.put(TenantId::new(), request(10_000)), Err(IntakeError::QueueMustHaveRoom { waiting }));
        assert_eq!(queues.put(quiet, request(0)), Err(IntakeError::RequestMustHaveASize(0)));
    }

    #[test]
    fn writers_start_as_they_are_needed_and_what_is_done_leaves_nothing_behind() {
        let tenants: Vec<TenantId> = (0..6).map(|_| TenantId::new()).collect();
        let mut queues = Queues::default();
        let started = tenants.iter().filter(|tenant_id| queues.put(**tenant_id, request(1)).unwrap()).count();
        assert_eq!(started, WRITERS_MAX);
        while let Some(batch) = queues.next() {
            queues.written(batch.tenant_id);
        }
        assert_eq!((queues.writers, queues.events, queues.tenants.len()), (WRITERS_MAX - 1, 0, 0));
    }
}
