//! Call records of other switches: files and posts become [`CallRecord`]s, row by row, whatever the bytes are.
//! Never: guesses a zone, a country or an end; stops at a row that it cannot read. Invariant: a file read twice gives the same
//! rows in the same order, so that a count of rows is a place in it.
//! Start at `rows.rs`; the formats are in `freeswitch.rs`, `asterisk.rs`, `cel.rs`, `acc.rs` and `mapped.rs`.

mod acc;
mod asterisk;
mod cel;
mod freeswitch;
mod mapped;
mod number;
mod record;
mod rows;
mod settings;
mod time;

pub use record::{CallRecord, Direction, Refusal, Rule};
pub use rows::{Reader, Row};
pub use settings::{Column, DurationUnit, Format, Mapping, Settings, SettingsFault};
pub use time::TimeFormat;
