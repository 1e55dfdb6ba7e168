//! The pages of a book: the same for operator, reseller and tenant; the first part of the path says whose.

use super::Entry;

/// The addresses of this room.
pub fn routes() -> Vec<Entry> {
    Vec::new()
}
