//! The manual: what the product promises, as tests. Each name is a sentence of the contract; the expected sums show their
//! arithmetic. What they run on is in `world.rs`.

mod calls;
mod faults;
mod isolation;
mod pages;
mod scenarios;
mod tidy;
