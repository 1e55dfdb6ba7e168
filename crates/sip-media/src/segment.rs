//! The spool on disk: numbered records in append-only segment files.
//! A record is its length and CRC-32 (both little endian, 4 octets) and then JSON. A segment is named after its first
//! record's number, and its first record lists the calls then open, so that starting needs only the last segment.

use crate::control::{CallEvent, CallEventKind, CallId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const HEADER_OCTETS: usize = 8;
/// Longer records do not exist; a longer length is damage.
const RECORD_OCTETS_MAX: usize = 1 << 20;

/// What one record holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Record {
    Event {
        event: CallEvent,
        /// The grant the meter starts with; only beside `meter_started`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        granted_seconds: Option<u32>,
    },
    OpenCalls(HashMap<CallId, OpenCall>),
}

/// What must be known of a call to close it after a crash.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct OpenCall {
    pub(crate) seq: u32,
    pub(crate) at: DateTime<Utc>,
    pub(crate) offset_ms: u64,
    pub(crate) metered_ms: u64,
    pub(crate) granted_seconds: Option<u32>,
}

/// Folds a record into the calls that are open.
pub(crate) fn fold(open: &mut HashMap<CallId, OpenCall>, record: &Record) {
    let (event, granted) = match record {
        Record::OpenCalls(calls) => {
            open.clone_from(calls);
            return;
        }
        Record::Event { event, granted_seconds } => (event, granted_seconds),
    };
    if matches!(event.kind, CallEventKind::CallEnded { .. }) {
        open.remove(&event.call_id);
        return;
    }
    let call = open.entry(event.call_id).or_insert(OpenCall {
        seq: 0,
        at: event.at,
        offset_ms: 0,
        metered_ms: 0,
        granted_seconds: None,
    });
    (call.seq, call.at, call.offset_ms) = (event.seq, event.at, event.offset_ms);
    match &event.kind {
        CallEventKind::Heartbeat { metered_ms } => call.metered_ms = *metered_ms,
        CallEventKind::GrantRenewed { authorised_seconds, .. } => call.granted_seconds = *authorised_seconds,
        CallEventKind::MeterStarted => call.granted_seconds = *granted,
        _ => {}
    }
}

/// CRC-32 as in Ethernet and zip (polynomial 0xEDB88320, reflected).
fn crc32(octets: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0u32; 256];
        let mut index = 0;
        while index < 256 {
            let mut value = index as u32;
            let mut bit = 0;
            while bit < 8 {
                value = if value & 1 != 0 { 0xedb8_8320 ^ (value >> 1) } else { value >> 1 };
                bit += 1;
            }
            table[index] = value;
            index += 1;
        }
        table
    };
    !octets.iter().fold(!0, |crc, octet| TABLE[((crc ^ u32::from(*octet)) & 0xff) as usize] ^ (crc >> 8))
}

/// Appends a record to `buffer` as it goes on disk.
pub(crate) fn encode(record: &Record, buffer: &mut Vec<u8>) -> io::Result<()> {
    let json = serde_json::to_vec(record)?;
    buffer.extend_from_slice(&(json.len() as u32).to_le_bytes());
    buffer.extend_from_slice(&crc32(&json).to_le_bytes());
    buffer.extend_from_slice(&json);
    Ok(())
}

/// The segments of a folder in order, each with its first record's number.
pub(crate) fn segments(folder: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in folder.read_dir()? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "spool")
            && let Some(first) = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok())
        {
            found.push((first, path));
        }
    }
    found.sort();
    Ok(found)
}

pub(crate) fn path_of(folder: &Path, first: u64) -> PathBuf {
    folder.join(format!("{first:020}.spool"))
}

/// Reads one segment forward.
pub(crate) struct Reader {
    file: File,
    /// Octets of whole records read so far.
    pub(crate) offset: u64,
}

impl Reader {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { file: File::open(path)?, offset: 0 })
    }

    /// The next whole record; `None` at the end, at a torn tail and at damage alike.
    pub(crate) fn next(&mut self) -> io::Result<Option<Record>> {
        self.file.seek(SeekFrom::Start(self.offset))?;
        let mut header = [0u8; HEADER_OCTETS];
        if !read_whole(&mut self.file, &mut header)? {
            return Ok(None);
        }
        let (length, crc) = header.split_at(4);
        let word = |octets: &[u8]| octets.iter().rev().fold(0u32, |word, octet| (word << 8) | u32::from(*octet));
        let length = word(length) as usize;
        if length > RECORD_OCTETS_MAX {
            return Ok(None);
        }
        let mut json = vec![0u8; length];
        if !read_whole(&mut self.file, &mut json)? || crc32(&json) != word(crc) {
            return Ok(None);
        }
        let Ok(record) = serde_json::from_slice(&json) else { return Ok(None) };
        self.offset += (HEADER_OCTETS + length) as u64;
        Ok(Some(record))
    }
}

fn read_whole(file: &mut File, buffer: &mut [u8]) -> io::Result<bool> {
    match file.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// Creates the segment that begins with record `first`; its name is durable when this returns.
pub(crate) fn create(folder: &Path, first: u64) -> io::Result<File> {
    let file = OpenOptions::new().create(true).append(true).open(path_of(folder, first))?;
    File::open(folder)?.sync_all()?;
    Ok(file)
}

/// Cuts a torn tail off.
pub(crate) fn truncate(path: &Path, octets: u64) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    file.set_len(octets)?;
    file.sync_all()
}

/// The number up to which everything has been handed on; 0 when unknown, which only repeats deliveries.
pub(crate) fn read_acknowledged(folder: &Path) -> u64 {
    std::fs::read_to_string(folder.join("acknowledged")).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

pub(crate) fn write_acknowledged(folder: &Path, position: u64) -> io::Result<()> {
    let fresh = folder.join("acknowledged.new");
    let mut file = File::create(&fresh)?;
    writeln!(file, "{position}")?;
    file.sync_data()?;
    std::fs::rename(fresh, folder.join("acknowledged"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_crc_32_is_right() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn a_record_that_lacks_its_last_octet_or_has_a_wrong_one_is_not_read() {
        let folder = std::env::temp_dir().join(format!("segment-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut wire = Vec::new();
        encode(&Record::OpenCalls(HashMap::new()), &mut wire).unwrap();
        let whole = wire.len() as u64;
        encode(&Record::OpenCalls(HashMap::new()), &mut wire).unwrap();
        for spoil in
            [|wire: &mut Vec<u8>| wire.truncate(wire.len() - 1), |wire: &mut Vec<u8>| *wire.last_mut().unwrap() ^= 1]
        {
            let mut wire = wire.clone();
            spoil(&mut wire);
            let path = path_of(&folder, 0);
            std::fs::write(&path, &wire).unwrap();
            let mut reader = Reader::open(&path).unwrap();
            assert!(reader.next().unwrap().is_some());
            assert!(reader.next().unwrap().is_none());
            assert_eq!(reader.offset, whole);
        }
        std::fs::remove_dir_all(folder).unwrap();
    }
}
