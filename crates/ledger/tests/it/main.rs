//! The ledger against a real PostgreSQL. Amounts are euros; every expected sum shows its arithmetic.

mod allowances;
mod batches;
mod entries;
mod postings;
mod promotions;
mod racing;
mod recharges;
mod reservations;
mod stage;
