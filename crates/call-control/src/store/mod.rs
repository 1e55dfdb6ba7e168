//! Every statement of this crate. A call's row is taken before anything else of the call.

pub mod calls;
pub mod carriers;
pub mod legs;
pub mod many;
pub mod numbers;
pub mod outgoing;
pub mod policy;
pub mod reading;
pub mod savepoint;
pub mod shared;
pub mod trunks;
pub mod upward;
