//! All queries of this crate, by noun.

pub mod audit;
pub mod audit_pages;
pub mod bulk;
pub mod call_key;
pub mod copy;
pub mod deck;
pub mod event;
pub mod fold;
pub mod imports;
pub mod meter;
pub mod partition;
pub mod preview;
pub mod reading;
pub mod seen;
pub mod span;
pub mod sum;
pub mod suspense;
pub mod sweep;
mod together;
