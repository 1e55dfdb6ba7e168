//! Usage comes in once and is summed once: events with their keys, meters, sums per hour, suspense for what matches nothing.
//! Never: knows a price, a document or a wallet; drops an event silently; reads single events to bill.
//! Invariants: one (source, id) is one event whatever its time; another payload under a known key changes nothing and is kept
//! in suspense; what a batch adds is written in the batch's own transaction; each sum is folded once (I4).
//! Start at `ingest.rs`, then `intake.rs`, `fold.rs` and `reading.rs`; rate decks begin at `deck.rs`.

mod audit;
mod batch;
mod call_key;
mod deck;
mod deck_diff;
mod deck_file;
mod deck_import;
mod deck_table;
mod error;
mod event;
mod fold;
mod hour;
mod imports;
mod ingest;
mod intake;
mod meter;
mod partition;
mod prepare;
mod reading;
mod replay;
mod seen;
mod span;
mod store;
mod suspense;
mod sweep;

pub use audit::{check, is_received_since, recount};
pub use batch::{SumRow, take_batch};
pub use call_key::{Claim, claim_call_events, claim_records};
pub use deck::{
    DRAFTS_KEPT, DeckKind, DeckRow, DeckVersion, Publication, RateDeck, create_deck, deck, deck_rows, deck_versions,
    decks, forget_old_draft, in_force, publications, publish_deck, replaced_by, version_in_force, waiting,
    withdraw_last_publication, withdraw_publication,
};
pub use deck_diff::{DeckChange, DeckChangeKind, DeckDiff, DeckLoss, deck_diff, deck_losses};
pub use deck_file::{DECK_ROWS_MAX, DeckFault, DeckFaults, ReadDeck, read_deck};
pub use deck_import::{DeckImport, import_deck};
pub use deck_table::{DeckTable, deck_table};
pub use error::UsageError;
pub use event::{Outcome, Rejection, UsageEvent};
pub use fold::{fold, late_days, tenants_to_fold};
pub use hour::local_hour;
pub use imports::{
    CallRecord, Column, Direction, DurationUnit, FILE_BYTES_MAX, Format, Import, ImportState, Mapping, NewImport,
    NotCounted, Progress, Reader, Refusal, Row, Rule, SavedMapping, Settings, SettingsFault, TimeFormat,
    change_import_settings, claim_import, create_import, delete_import, delete_mapping, due_import, import,
    import_file, import_report, imports, international_number, lock_import, mappings, move_import, release_import,
    save_mapping, start_import, stop_import, try_import, unpack,
};
pub use ingest::{BATCH_MAX, ingest, ingest_in, ingest_reported};
pub use intake::{EVENTS_MAX, Intake, IntakeError, TENANT_EVENTS_MAX};
pub use meter::{
    Aggregation, Meter, MeterPreview, PREVIEW_EVENTS_MAX, create_meter, define_meter, define_standard_meters, meters,
    own_measures, preview_meter,
};
pub use partition::{EVENTS_KEPT_MONTHS_MAX, EVENTS_KEPT_MONTHS_MIN, ensure_partitions, prune_keys, retire_events};
pub use prepare::{PERIOD_SETTLES, left_to_a_person};
pub use reading::{
    Aggregate, DimensionSum, HourSum, UsageOf, UsageQuery, by_dimension, by_hour, quantities, quantity,
    sums_by_dimension,
};
pub use replay::{Correction, REPLAY_BLOCK, REPLAY_MAX, Replay, discard_suspense, replay_suspense, suspense_of};
pub use seen::{
    CustomerSum, DayHourSum, DaySum, UsageSeen, seen_by_customer, seen_by_day, seen_by_dimension, seen_by_hour,
    seen_total,
};
pub use suspense::{
    Suspended, SuspenseCause, SuspenseSummary, lock_suspense, open_suspense, resolve_all_suspense, resolve_suspense,
    retry_suspense, suspend, suspense_anywhere, suspense_summary,
};
pub use sweep::{DirtyHours, dirty_hours, dirty_hours_of, sweep};
