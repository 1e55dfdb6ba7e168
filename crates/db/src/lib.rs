//! The wall round the pool: connections exist only in here, and a row is reached only through a [`TenantTx`] (one tenant),
//! a [`CustomerTx`] (one customer of one tenant) or a [`PlatformTx`] (all tenants, with a written reason).
//! Never: knows a table of another crate. Invariant: no pool, connection or setting leaves this crate, and the tenant of a
//! transaction cannot be changed once it is open. Start at `wall.rs`.

mod bulk;
pub mod fault;
mod ids;
mod migrate;
mod outbox;
mod sql;
pub mod testing;
mod wall;

pub use bulk::BulkTx;
pub use ids::*;
pub use migrate::{MigrateError, OwnerUrl, migrate};
pub use outbox::{
    OutboxMessage, claim_outbox, enqueue, enqueue_all, finish_outbox, lease_outbox, postpone_outbox,
    tenants_with_outbox,
};
pub use sea_orm::DbErr as DbError;
pub use sql::{constraint_of, is_busy, is_refusal, is_retryable, is_unique_violation, sql, sqlstate_of};
pub use wall::{CustomerTx, DatabaseConfig, Db, PlatformReason, PlatformTx, TenantTx};
