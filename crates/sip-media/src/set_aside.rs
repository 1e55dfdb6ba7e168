//! Events that call control refuses for good, kept beside the spool for a person: one JSON document a line.
//! Invariant: an event is here, synced, before delivery goes past it; it is in one of the two places until somebody decides.

use crate::control::CallEvent;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

const FILE_NAME: &str = "set-aside.jsonl";

/// An event that was refused, and why.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SetAside {
    pub reason: String,
    pub event: CallEvent,
}

/// Where the events of a spool folder are set aside. Moving the file away says that they have been dealt with.
pub fn set_aside_file(spool_dir: &Path) -> PathBuf {
    spool_dir.join(FILE_NAME)
}

/// What has been set aside beside this spool, oldest first; none where there is no file.
///
/// # Errors
/// The file is there and cannot be read.
pub fn set_aside(spool_dir: &Path) -> io::Result<Vec<SetAside>> {
    let text = match std::fs::read(set_aside_file(spool_dir)) {
        Ok(octets) => String::from_utf8_lossy(&octets).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut known = HashSet::new();
    // A line torn by a crash is followed by the same event, whole; so is one whose delivery was not noted in time.
    let lines = text.lines().filter_map(|line| serde_json::from_str::<SetAside>(line).ok());
    Ok(lines.filter(|kept| known.insert((kept.event.call_id, kept.event.seq))).collect())
}

pub(crate) fn append(spool_dir: &Path, refused: &SetAside) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(set_aside_file(spool_dir))?;
    // The line end comes first: it ends a line that a crash may have torn.
    file.write_all(format!("\n{}", serde_json::to_string(refused)?).as_bytes())?;
    file.sync_data()?;
    File::open(spool_dir)?.sync_all()
}
