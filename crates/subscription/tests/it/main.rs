//! What is sold and to whom, on a real database.

mod catalogue;
mod coupons;
mod coverage;
mod customers;
mod drafts;
mod numbers;
mod subscriptions;
mod world;
