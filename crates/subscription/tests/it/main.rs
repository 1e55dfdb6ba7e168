//! What is sold and to whom, on a real database.

mod catalogue;
mod coverage;
mod customers;
mod numbers;
mod subscriptions;
mod world;
