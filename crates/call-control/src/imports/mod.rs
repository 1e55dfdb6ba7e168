//! Calls that another switch recorded: each becomes what the same call would have been here, once. A record that names nobody or
//! nothing of the book waits in suspense, whole, and is tried again from there.

mod judge;
mod records;
mod replay;
mod work;

pub use records::{RecordOutcome, Taking, take_records};
pub use replay::{RecordReplay, replay_records};
pub use work::{IMPORT_BLOCK_ROWS, work_import};
