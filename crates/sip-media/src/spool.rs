//! The durable event spool. One thread writes; callers wait until their event is on disk.
//! Invariant: [`Spool::append`] returns `Ok` only after the event has been synced, together with those of other calls
//! that waited meanwhile (one sync for all of them).

use crate::config::{Clock, EdgeError};
use crate::control::{CallEvent, CallId};
use crate::segment::{self, OpenCall, Reader, Record};
use chrono::TimeDelta;
use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tracing::error;

/// A segment is closed at this size.
const SEGMENT_OCTETS: u64 = 16 << 20;
/// Events of so many waiting calls share one sync at most.
const GROUP_MAX: usize = 512;

struct Request {
    record: Record,
    written: oneshot::Sender<Result<(), String>>,
}

/// A handle to the writer; the writer ends, and frees the folder, with the last one.
#[derive(Clone)]
pub(crate) struct Spool {
    requests: mpsc::Sender<Request>,
    folder: Arc<Path>,
    durable: watch::Receiver<u64>,
}

/// What was found on disk.
pub(crate) struct Found {
    /// Calls without their `call_ended`.
    pub(crate) open: HashMap<CallId, OpenCall>,
}

impl Spool {
    /// Locks the folder, cuts off a torn tail, and starts the writer.
    pub(crate) fn open(folder: &Path, clock: Arc<dyn Clock>, retention: Duration) -> Result<(Self, Found), EdgeError> {
        let fail = |source: io::Error| EdgeError::SpoolMustBeWritable { path: folder.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(fail)?;
        let lock = lock(folder)?;
        let (open, next) = scan(folder).map_err(fail)?;
        let (requests, received) = mpsc::channel();
        let (durable_tx, durable) = watch::channel(next);
        let mut writer = Writer {
            folder: folder.to_owned(),
            open: open.clone(),
            next,
            segment: None,
            buffer: Vec::new(),
            durable: durable_tx,
            clock,
            retention,
            _lock: lock,
        };
        // A fresh segment each start: its first record is the list of open calls.
        writer.rotate().map_err(fail)?;
        std::thread::Builder::new().name("spool".into()).spawn(move || writer.run(&received)).map_err(fail)?;
        Ok((Self { requests, folder: folder.into(), durable }, Found { open }))
    }

    /// Returns when the event is on disk.
    pub(crate) async fn append(&self, event: CallEvent, granted_seconds: Option<u32>) -> Result<(), EdgeError> {
        let (written, done) = oneshot::channel();
        let record = Record::Event { event, granted_seconds };
        self.requests.send(Request { record, written }).map_err(|_| EdgeError::SpoolStopped)?;
        match done.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(reason)) => {
                let source = io::Error::other(reason);
                Err(EdgeError::SpoolMustBeWritable { path: self.folder.to_path_buf(), source })
            }
            Err(_) => Err(EdgeError::SpoolStopped),
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The number of the first record that is not yet on disk.
    pub(crate) fn durable(&self) -> watch::Receiver<u64> {
        self.durable.clone()
    }
}

fn lock(folder: &Path) -> Result<File, EdgeError> {
    let fail = |source: io::Error| EdgeError::SpoolMustBeWritable { path: folder.to_owned(), source };
    let file = OpenOptions::new().create(true).write(true).truncate(false).open(folder.join("lock")).map_err(fail)?;
    // The writer of an edge that has just been dropped may still be finishing its last sync.
    for _ in 0..50 {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(40)),
            Err(TryLockError::Error(source)) => return Err(fail(source)),
        }
    }
    Err(EdgeError::SpoolMustBeOurs { path: folder.to_owned() })
}

/// The open calls and the next record number, from the last segment that has a whole record.
fn scan(folder: &Path) -> io::Result<(HashMap<CallId, OpenCall>, u64)> {
    let mut open = HashMap::new();
    for (first, path) in segment::segments(folder)?.into_iter().rev() {
        let mut reader = Reader::open(&path)?;
        let mut next = first;
        while let Some(record) = reader.next()? {
            segment::fold(&mut open, &record);
            next += 1;
        }
        let length = std::fs::metadata(&path)?.len();
        if length > reader.offset {
            error!(segment = %path.display(), octets = length - reader.offset, "Cut a torn tail off the event spool");
            segment::truncate(&path, reader.offset)?;
        }
        if next > first {
            return Ok((open, next));
        }
        // Not even the list of open calls got to disk: the segment before holds the truth.
        std::fs::remove_file(&path)?;
    }
    Ok((open, segment::read_acknowledged(folder)))
}

struct Writer {
    folder: PathBuf,
    open: HashMap<CallId, OpenCall>,
    next: u64,
    segment: Option<(File, u64)>,
    buffer: Vec<u8>,
    durable: watch::Sender<u64>,
    clock: Arc<dyn Clock>,
    retention: Duration,
    _lock: File,
}

impl Writer {
    fn run(&mut self, received: &mpsc::Receiver<Request>) {
        while let Ok(first) = received.recv() {
            let mut group = vec![first];
            while group.len() < GROUP_MAX
                && let Ok(request) = received.try_recv()
            {
                group.push(request);
            }
            let outcome = self.write(&group).map_err(|error| {
                error!(%error, "Cannot write the event spool");
                // The file may end in half a group: later events go to a new one.
                self.segment = None;
                error.to_string()
            });
            for request in group {
                // A call that has stopped waiting needs no answer.
                let _ = request.written.send(outcome.clone());
            }
        }
    }

    fn write(&mut self, group: &[Request]) -> io::Result<()> {
        if self.segment.as_ref().is_none_or(|(_, octets)| *octets >= SEGMENT_OCTETS) {
            self.rotate()?;
        }
        self.buffer.clear();
        for request in group {
            segment::encode(&request.record, &mut self.buffer)?;
        }
        self.flush(group.len() as u64)?;
        for request in group {
            segment::fold(&mut self.open, &request.record);
        }
        Ok(())
    }

    fn flush(&mut self, records: u64) -> io::Result<()> {
        let (file, octets) = self.segment.as_mut().ok_or(io::ErrorKind::NotFound)?;
        file.write_all(&self.buffer)?;
        file.sync_data()?;
        *octets += self.buffer.len() as u64;
        self.next += records;
        self.durable.send_replace(self.next);
        Ok(())
    }

    /// Begins a new segment and drops those that nobody needs any more.
    fn rotate(&mut self) -> io::Result<()> {
        self.segment = None;
        // What a failed write may have left behind must not be read as records.
        if let Some((first, path)) = segment::segments(&self.folder)?.pop() {
            let mut reader = Reader::open(&path)?;
            let mut next = first;
            while next < self.next && reader.next()?.is_some() {
                next += 1;
            }
            segment::truncate(&path, reader.offset)?;
        }
        self.segment = Some((segment::create(&self.folder, self.next)?, 0));
        self.buffer.clear();
        segment::encode(&Record::OpenCalls(self.open.clone()), &mut self.buffer)?;
        self.flush(1)?;
        if let Err(error) = self.remove_old() {
            error!(%error, "Cannot remove old spool segments");
        }
        Ok(())
    }

    fn remove_old(&self) -> io::Result<()> {
        let acknowledged = segment::read_acknowledged(&self.folder);
        let keep_from = self.clock.now() - TimeDelta::from_std(self.retention).unwrap_or(TimeDelta::MAX);
        let segments = segment::segments(&self.folder)?;
        for pair in segments.windows(2) {
            let [(_, path), (following, _)] = pair else { continue };
            let written_at: chrono::DateTime<chrono::Utc> = std::fs::metadata(path)?.modified()?.into();
            if *following <= acknowledged && written_at < keep_from {
                std::fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}
