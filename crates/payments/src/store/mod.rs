//! Queries. Nothing in here decides.

pub(crate) mod allocations;
pub(crate) mod methods;
pub(crate) mod payments;
