//! What pages show: typed values that are already worded and formatted, and the templates over them.
//! Never: knows a database, a session or HTTP. A handler of `pages` fills a view from what a domain function returned.
//! Start at `parts.rs` and `table.rs`, of which the pages are made.

pub mod advice;
pub mod book;
pub mod brand;
pub mod catalogue;
pub mod customers;
pub mod desk;
pub mod door;
pub mod edges;
pub mod fields;
pub mod form;
pub mod imports;
pub mod invoices;
pub mod keys;
pub mod means;
pub mod panels;
pub mod parts;
pub mod plan_edit;
pub mod portal;
pub mod public;
pub mod quotes;
pub mod runs;
pub mod settlements;
pub mod subscriptions;
pub mod table;
pub mod ui;
pub mod usage;

#[cfg(test)]
mod sample;
#[cfg(test)]
mod sample_console;
#[cfg(test)]
mod sample_edges;
#[cfg(test)]
mod sample_keys;
#[cfg(test)]
mod sample_money;
#[cfg(test)]
mod sample_subscriptions;
#[cfg(test)]
mod tests;
