//! Usage, on a real database: once in, once summed, never lost.

mod any_order;
mod bulk_speed;
mod decks;
mod imports;
mod ingest;
mod late;
mod meters;
mod retention;
mod seen;
mod sums;
mod upward;
mod ways;
mod world;
