//! The agent's desk.

use super::Entry;

pub(super) fn routes() -> Vec<Entry> {
    Vec::new()
}
