//! What every part of a running edge has in common.

use crate::bans::{Bans, Offence, source_of};
use crate::config::EdgeError;
use crate::config::{Clock, EdgeConfig};
use crate::control::{CallControl, CallEvent, CallEventKind, CallId};
use crate::limits::CallRate;
use crate::live::{Live, LiveCall};
use crate::prompt::Clip;
use crate::registrar::Registrar;
use crate::rtp::Ports;
use crate::spool::Spool;
use rsipstack::dialog::dialog_layer::DialogLayer;
use rsipstack::sip::{self, Header, StatusCode};
use rsipstack::transaction::transaction::Transaction;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What is asked of a running call from outside.
#[derive(Debug)]
pub(crate) enum Command {
    End,
    Recheck,
    ShutDown,
}

struct Slot {
    commands: mpsc::UnboundedSender<Command>,
    live: Arc<Mutex<Live>>,
}

pub(crate) struct Shared {
    pub(crate) config: EdgeConfig,
    pub(crate) control: Arc<dyn CallControl>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) spool: Spool,
    pub(crate) dialogs: Arc<DialogLayer>,
    pub(crate) address: SocketAddr,
    pub(crate) tls_address: Option<SocketAddr>,
    pub(crate) registrar: Registrar,
    pub(crate) rate: CallRate,
    pub(crate) caller_rate: CallRate<String>,
    pub(crate) request_rate: CallRate,
    pub(crate) bans: Arc<Bans>,
    /// The same for registrations that must be looked up.
    pub(crate) registration_rate: CallRate,
    pub(crate) ports: Ports,
    pub(crate) music: Clip,
    /// Cancelled when the edge is dropped: everything stops where it is, as in a crash.
    pub(crate) abort: CancellationToken,
    /// Cancelled by a shutdown: no new call is taken.
    pub(crate) draining: CancellationToken,
    calls: Mutex<HashMap<CallId, Slot>>,
    /// Hang-ups on their way.
    pub(crate) farewells: AtomicUsize,
    pub(crate) quiet: Notify,
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The parts of [`Shared`] that are made before it.
pub(crate) struct Parts {
    pub(crate) config: EdgeConfig,
    pub(crate) control: Arc<dyn CallControl>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) spool: Spool,
    pub(crate) dialogs: Arc<DialogLayer>,
    pub(crate) address: SocketAddr,
    pub(crate) tls_address: Option<SocketAddr>,
    pub(crate) registrar: Registrar,
    pub(crate) music: Clip,
    pub(crate) bans: Arc<Bans>,
    pub(crate) abort: CancellationToken,
}

impl Shared {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { config, control, clock, spool, dialogs, address, tls_address, registrar, music, bans, abort } =
            parts;
        Self {
            rate: CallRate::new(config.invite_rate),
            caller_rate: CallRate::new(config.caller_rate),
            request_rate: CallRate::new(config.request_rate),
            bans,
            registration_rate: CallRate::new(config.invite_rate),
            ports: Ports::new(config.listen.ip(), config.rtp_ports.clone()),
            config,
            control,
            clock,
            spool,
            dialogs,
            address,
            tls_address,
            registrar,
            music,
            draining: abort.child_token(),
            abort,
            calls: Mutex::default(),
            farewells: AtomicUsize::new(0),
            quiet: Notify::new(),
        }
    }

    /// Takes a place for a call; `None` when the edge is full. The place is free again when the ticket is dropped.
    pub(crate) fn admit(
        self: &Arc<Self>,
        call_id: CallId,
        commands: mpsc::UnboundedSender<Command>,
        live: Arc<Mutex<Live>>,
    ) -> Option<Ticket> {
        let mut calls = lock(&self.calls);
        if calls.len() >= self.config.max_calls || self.draining.is_cancelled() {
            return None;
        }
        calls.insert(call_id, Slot { commands, live });
        Some(Ticket { shared: self.clone(), call_id })
    }

    pub(crate) fn calls(&self) -> usize {
        lock(&self.calls).len()
    }

    pub(crate) fn live(&self, now: Instant) -> Vec<LiveCall> {
        let calls = lock(&self.calls);
        let mut live: Vec<LiveCall> = calls.iter().map(|(id, slot)| lock(&slot.live).at(*id, now)).collect();
        live.sort_by_key(|call| call.call_id);
        live
    }

    /// `false` when there is no such call.
    pub(crate) fn command(&self, call_id: CallId, command: Command) -> bool {
        lock(&self.calls).get(&call_id).is_some_and(|slot| slot.commands.send(command).is_ok())
    }

    pub(crate) fn command_all(&self, command: impl Fn() -> Command) {
        for slot in lock(&self.calls).values() {
            // A call that has just ended does not listen any more.
            let _ = slot.commands.send(command());
        }
    }

    /// Takes a token of a source; without one the source has offended.
    pub(crate) fn allows(&self, rate: &CallRate, source: IpAddr) -> bool {
        let now = Instant::now();
        let allowed = rate.allows(source_of(source), now);
        if !allowed {
            self.bans.offended(source, Offence::Flood, now);
        }
        allowed
    }

    /// 503, come back in a moment.
    pub(crate) async fn reply_busy(&self, tx: &mut Transaction) -> rsipstack::Result<()> {
        let retry = Header::RetryAfter(sip::RetryAfter::new("5"));
        tx.reply_with(StatusCode::ServiceUnavailable, vec![retry], None).await
    }
}

/// A call's place on the edge.
pub(crate) struct Ticket {
    shared: Arc<Shared>,
    call_id: CallId,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        lock(&self.shared.calls).remove(&self.call_id);
        self.shared.quiet.notify_waiters();
    }
}

/// Writes the events of one call, numbered.
pub(crate) struct CallLog {
    shared: Arc<Shared>,
    pub(crate) call_id: CallId,
    pub(crate) started: Instant,
    last_seq: AtomicU32,
}

impl CallLog {
    pub(crate) fn new(shared: Arc<Shared>, call_id: CallId) -> Self {
        Self { shared, call_id, started: Instant::now(), last_seq: AtomicU32::new(0) }
    }

    /// Returns when the event is on disk.
    pub(crate) async fn append(&self, kind: CallEventKind, granted_seconds: Option<u32>) -> Result<(), EdgeError> {
        let event = CallEvent {
            call_id: self.call_id,
            seq: self.last_seq.fetch_add(1, Ordering::Relaxed) + 1,
            at: self.shared.clock.now(),
            offset_ms: self.started.elapsed().as_millis() as u64,
            kind,
        };
        self.shared.spool.append(event, granted_seconds).await
    }
}
