//! Call records of other switches: files and posts become [`CallRecord`]s, row by row, whatever the bytes are.
//! Never: guesses a zone, a country or an end; stops at a row that it cannot read. Invariant: a file read twice gives the same
//! rows in the same order, so that a count of rows is a place in it.
//! Start at `rows.rs`; the formats are in `freeswitch.rs`, `asterisk.rs`, `cel.rs`, `acc.rs` and `mapped.rs`.

mod acc;
mod asterisk;
mod cel;
mod freeswitch;
mod guess;
mod job;
mod mapped;
mod number;
mod record;
mod rows;
mod settings;
mod time;

pub use job::{
    FILE_BYTES_MAX, Import, ImportState, NewImport, NotCounted, Progress, SavedMapping, change_import_settings,
    claim_import, create_import, delete_import, delete_mapping, due_import, import, import_file, import_report,
    imports, lock_import, mappings, move_import, release_import, save_mapping, start_import, stop_import, try_import,
    unpack,
};
pub use number::international_number;
pub use record::{CallRecord, Direction, Refusal, Rule};
pub use rows::{Reader, Row};
pub use settings::{Column, DurationUnit, Format, Mapping, Settings, SettingsFault};
pub use time::TimeFormat;
