//! Faults on purpose, so that a test can see each survived and each guard needed: a place where the process dies, and a guard
//! that is left out. The environment names them. Invariant: a release build has neither, whatever its environment says.

use crate::{BulkTx, TenantTx};
use sea_orm::{ConnectionTrait, DbErr};

/// Guards whose check shall be seen red. Those that live in the database are taken away there, by the test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// What is written together is committed together.
    OneTransaction,
    /// What is answered is committed.
    CommitBeforeAnswer,
    /// A transaction that lost a conflict is tried again.
    Retry,
    /// The mass path has connections of its own.
    OwnPool,
    /// A batch that one event spoils is taken apart.
    EventAlone,
    /// An event from the day after tomorrow waits for a person.
    EarlyEvent,
    /// A bill waits until none of its hours is dirty.
    DirtyHour,
}

/// Has a test left this guard out? `RINGTILL_MUTANT` names it as the code does.
pub fn is_left_out(guard: Guard) -> bool {
    cfg!(debug_assertions) && on_purpose::is_left_out(guard)
}

/// The process dies here, with no more ado than by kill -9, if `RINGTILL_FAULT` names the place: `ingest.committed`, or
/// `ingest.committed:3` at the third passing.
pub fn place(name: &str) {
    if cfg!(debug_assertions) && on_purpose::is_wanted(name) {
        std::process::abort();
    }
}

impl TenantTx {
    /// [`place`] in the middle of a transaction: nothing of it may be there afterwards.
    pub async fn place(&self, name: &str) -> Result<(), DbErr> {
        if cfg!(debug_assertions) && on_purpose::is_wanted(name) {
            if is_left_out(Guard::OneTransaction) {
                self.execute_unprepared("COMMIT").await?;
            }
            std::process::abort();
        }
        Ok(())
    }
}

impl BulkTx {
    /// [`place`] in the middle of a transaction: nothing of it may be there afterwards.
    pub async fn place(&mut self, name: &str) -> Result<(), DbErr> {
        if cfg!(debug_assertions) && on_purpose::is_wanted(name) {
            if is_left_out(Guard::OneTransaction) {
                self.run("COMMIT").await?;
            }
            std::process::abort();
        }
        Ok(())
    }
}

mod on_purpose {
    use super::Guard;
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    static LEFT_OUT: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("RINGTILL_MUTANT").ok());
    /// The place, and at which passing.
    static WANTED: LazyLock<Option<(String, u32)>> = LazyLock::new(|| {
        let wanted = std::env::var("RINGTILL_FAULT").ok()?;
        let (place, times) = wanted.split_once(':').unwrap_or((&wanted, "1"));
        Some((place.to_owned(), times.parse().unwrap_or(1)))
    });
    static PASSED: AtomicU32 = AtomicU32::new(0);

    pub fn is_left_out(guard: Guard) -> bool {
        LEFT_OUT.as_ref().is_some_and(|name| *name == format!("{guard:?}"))
    }

    pub fn is_wanted(name: &str) -> bool {
        let wanted = WANTED.as_ref().filter(|(place, _)| place == name);
        wanted.is_some_and(|(_, times)| PASSED.fetch_add(1, Ordering::SeqCst) + 1 == *times)
    }
}
