//! What is sold and to whom, on a real database.

mod catalogue;
mod changes;
mod coupons;
mod coverage;
mod customers;
mod drafts;
mod due;
mod entitlements;
mod laws;
mod life;
mod moving;
mod numbers;
mod quotes;
mod subscriptions;
mod world;
