//! All queries of this crate, by noun.

pub mod agent;
pub mod api_key;
pub mod api_reply;
pub mod audit;
pub mod brand;
pub mod domain;
pub mod member;
pub mod organisation;
pub mod person;
pub mod seat;
pub mod session;
pub mod tree;
