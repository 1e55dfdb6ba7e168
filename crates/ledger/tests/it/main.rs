//! The ledger against a real PostgreSQL. Amounts are euros; every expected sum shows its arithmetic.

mod batches;
mod postings;
mod racing;
mod reservations;
mod stage;
