//! The portal of a customer.

use super::Entry;

pub(super) fn routes() -> Vec<Entry> {
    Vec::new()
}
