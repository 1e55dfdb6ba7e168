//! Hands spooled events to call control, in order, until each has been taken or refused for good. Reads from disk, so that a long absence
//! of call control costs no memory, and a restart goes on where the last edge stopped.

use crate::control::{CallControl, CallEvent, NotTaken};
use crate::segment::{self, Reader, Record};
use crate::set_aside::{self, SetAside};
use crate::spool::Spool;
use chrono::{DateTime, Utc};
use rand::Rng;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

const BATCH_MAX: usize = 500;
const BACKOFF_FIRST: Duration = Duration::from_millis(100);
const BACKOFF_LAST: Duration = Duration::from_secs(15);

/// How far delivery is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    /// The first record that has not been handed on.
    pub(crate) position: u64,
    /// When the first event now waiting happened; `None` when none waits.
    pub(crate) oldest_at: Option<DateTime<Utc>>,
    /// Events set aside beside this spool, those of earlier runs included.
    pub(crate) set_aside: usize,
}

pub(crate) struct Delivery {
    pub(crate) control: Arc<dyn CallControl>,
    pub(crate) progress: watch::Sender<Progress>,
    pub(crate) stop: CancellationToken,
}

/// What became of events that were offered.
enum Offered {
    Taken,
    /// For good, and why.
    Refused(String),
    Stopped,
}

impl Delivery {
    /// Runs until stopped.
    pub(crate) async fn run(self, spool: Spool) {
        let folder = spool.folder().to_owned();
        let mut durable = spool.durable();
        // The writer must be able to end when the edge is dropped.
        drop(spool);
        let mut cursor = Cursor::at(&folder, segment::read_acknowledged(&folder));
        loop {
            self.progress.send_modify(|progress| {
                (progress.position, progress.oldest_at) = (cursor.position, None);
            });
            let waited = tokio::select! {
                () = self.stop.cancelled() => return,
                waited = durable.wait_for(|durable| *durable > cursor.position) => waited.map(|durable| *durable),
            };
            let Ok(until) = waited else { return };
            let events = match cursor.read(until) {
                Ok(events) => events,
                Err(error) => {
                    error!(%error, "Cannot read the event spool");
                    if pause(&self.stop, BACKOFF_LAST).await { return } else { continue }
                }
            };
            self.progress.send_modify(|progress| progress.oldest_at = events.first().map(|event| event.at));
            if !self.hand_over(&folder, &events).await {
                return;
            }
            if let Err(error) = segment::write_acknowledged(&folder, cursor.position) {
                // Only repeats deliveries after a restart; the same event twice is one event.
                error!(%error, "Cannot note what has been acknowledged");
            }
        }
    }

    /// `false` when stopped before every event was taken or set aside.
    async fn hand_over(&self, folder: &Path, events: &[CallEvent]) -> bool {
        match self.offer(events).await {
            Offered::Taken => return true,
            Offered::Stopped => return false,
            Offered::Refused(_) => {}
        }
        // One of them is refused; it must not hold up the others.
        for event in events {
            match self.offer(std::slice::from_ref(event)).await {
                Offered::Taken => {}
                Offered::Stopped => return false,
                Offered::Refused(reason) => {
                    if !self.set_aside(folder, SetAside { reason, event: event.clone() }).await {
                        return false;
                    }
                }
            }
        }
        true
    }

    /// Offers until the events are taken or refused for good.
    async fn offer(&self, events: &[CallEvent]) -> Offered {
        let mut backoff = BACKOFF_FIRST;
        while !events.is_empty() {
            let outcome = tokio::select! {
                () = self.stop.cancelled() => return Offered::Stopped,
                outcome = self.control.record(events) => outcome,
            };
            let error = match outcome {
                Ok(()) => return Offered::Taken,
                Err(NotTaken::Refused(reason)) => return Offered::Refused(reason),
                Err(NotTaken::Away(error)) => error,
            };
            warn!(%error, events = events.len(), "Call events wait on disk");
            // Between half and all of it: edges that lost the same database do not come back in step.
            let jittered = backoff.mul_f64(rand::rng().random_range(0.5..1.0));
            if pause(&self.stop, jittered).await {
                return Offered::Stopped;
            }
            backoff = (backoff * 2).min(BACKOFF_LAST);
        }
        Offered::Taken
    }

    /// `false` when stopped before it was on disk.
    async fn set_aside(&self, folder: &Path, refused: SetAside) -> bool {
        let (event, reason) = (&refused.event, &refused.reason);
        error!(call.id = %event.call_id, seq = event.seq, kind = event.kind.name(), reason, "Set an event aside");
        while let Err(error) = set_aside::append(folder, &refused) {
            error!(%error, "Cannot set an event aside");
            if pause(&self.stop, BACKOFF_LAST).await {
                return false;
            }
        }
        self.progress.send_modify(|progress| progress.set_aside += 1);
        true
    }
}

/// `true` when stopped.
async fn pause(stop: &CancellationToken, length: Duration) -> bool {
    tokio::time::timeout(length, stop.cancelled()).await.is_ok()
}

/// Where delivery stands in the segments.
struct Cursor {
    folder: PathBuf,
    position: u64,
    reader: Option<Reader>,
}

impl Cursor {
    fn at(folder: &Path, position: u64) -> Self {
        Self { folder: folder.to_owned(), position, reader: None }
    }

    /// Up to a batch of events before record `until`; moves the position past them.
    fn read(&mut self, until: u64) -> io::Result<Vec<CallEvent>> {
        let mut events = Vec::new();
        while self.position < until && events.len() < BATCH_MAX {
            let record = match &mut self.reader {
                Some(reader) => reader.next()?,
                None => None,
            };
            match record {
                Some(Record::Event { event, .. }) => events.push(event),
                Some(Record::OpenCalls(_)) => {}
                None => {
                    self.turn(until)?;
                    continue;
                }
            }
            self.position += 1;
        }
        Ok(events)
    }

    /// Opens the segment that holds the position, or the first after it when that one is gone or damaged there.
    fn turn(&mut self, until: u64) -> io::Result<()> {
        let segments = segment::segments(&self.folder)?;
        let holding = segments.iter().rposition(|(first, _)| *first <= self.position);
        if let Some(index) = holding {
            let (first, path) = &segments[index];
            let mut reader = Reader::open(path)?;
            let mut at = *first;
            while at < self.position && reader.next()?.is_some() {
                at += 1;
            }
            let offset = reader.offset;
            if at == self.position && reader.next()?.is_some() {
                reader.offset = offset;
                self.reader = Some(reader);
                return Ok(());
            }
        }
        let following = segments.into_iter().map(|(first, _)| first).find(|first| *first > self.position);
        error!(position = self.position, "Records of the event spool are missing or damaged; going on after them");
        self.position = following.unwrap_or(until);
        self.reader = None;
        Ok(())
    }
}
