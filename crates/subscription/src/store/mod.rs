//! Queries, by room. Nothing in here decides.

pub(crate) mod callers;
pub(crate) mod catalogue;
pub(crate) mod changes;
pub(crate) mod clock;
pub(crate) mod coupons;
pub(crate) mod customers;
pub(crate) mod drafts;
pub(crate) mod held;
pub(crate) mod numbers;
pub(crate) mod partners;
pub(crate) mod quotes;
pub(crate) mod subscriptions;
pub(crate) mod tariffs;
