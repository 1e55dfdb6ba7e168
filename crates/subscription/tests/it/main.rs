//! What is sold and to whom, on a real database.

mod catalogue;
mod changes;
mod coupons;
mod coverage;
mod customers;
mod drafts;
mod life;
mod numbers;
mod subscriptions;
mod world;
