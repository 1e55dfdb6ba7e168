//! Hands spooled events to call control, in order, until each has been taken. Reads from disk, so that a long absence
//! of call control costs no memory, and a restart goes on where the last edge stopped.

use crate::control::{CallControl, CallEvent};
use crate::segment::{self, Reader, Record};
use crate::spool::Spool;
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

/// Runs until `stop`. `acknowledged` tells how far it is.
pub(crate) async fn deliver(
    spool: Spool,
    control: Arc<dyn CallControl>,
    acknowledged: watch::Sender<u64>,
    stop: CancellationToken,
) {
    let folder = spool.folder().to_owned();
    let mut durable = spool.durable();
    // The writer must be able to end when the edge is dropped.
    drop(spool);
    let mut cursor = Cursor::at(&folder, segment::read_acknowledged(&folder));
    loop {
        acknowledged.send_replace(cursor.position);
        let waited = tokio::select! {
            () = stop.cancelled() => return,
            waited = durable.wait_for(|durable| *durable > cursor.position) => waited.map(|durable| *durable),
        };
        let Ok(until) = waited else { return };
        let events = match cursor.read(until) {
            Ok(events) => events,
            Err(error) => {
                error!(%error, "Cannot read the event spool");
                if pause(&stop, BACKOFF_LAST).await { return } else { continue }
            }
        };
        if !hand_over(control.as_ref(), &events, &stop).await {
            return;
        }
        if let Err(error) = segment::write_acknowledged(&folder, cursor.position) {
            // Only repeats deliveries after a restart; the same event twice is one event.
            error!(%error, "Cannot note what has been acknowledged");
        }
    }
}

/// `false` when stopped before the events were taken.
async fn hand_over(control: &dyn CallControl, events: &[CallEvent], stop: &CancellationToken) -> bool {
    let mut backoff = BACKOFF_FIRST;
    while !events.is_empty() {
        let outcome = tokio::select! {
            () = stop.cancelled() => return false,
            outcome = control.record(events) => outcome,
        };
        let Err(error) = outcome else { return true };
        warn!(%error, events = events.len(), "Call events wait on disk");
        // Between half and all of it: edges that lost the same database do not come back in step.
        let jittered = backoff.mul_f64(rand::rng().random_range(0.5..1.0));
        if pause(stop, jittered).await {
            return false;
        }
        backoff = (backoff * 2).min(BACKOFF_LAST);
    }
    true
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
