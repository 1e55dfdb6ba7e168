//! The roof: one binary that serves the pages, runs the worker and carries the calls.
//! It never computes a price, posts an entry or writes a query: a handler extracts, calls one domain function, commits, answers.
//! Invariants: what one may not see is 404; every form that changes something carries the session's token and redirects;
//! no page needs a script. Start at `urls.rs`, then `views` and `pages`; other systems come in through `api`.

pub mod answer;
pub mod api;
pub mod app;
pub mod assets;
pub mod audit;
mod begin;
pub mod charts;
pub mod clock;
pub mod colours;
pub mod commands;
pub mod config;
mod csv;
pub mod demo;
pub mod demo_call;
pub mod dns;
pub mod entitled;
pub mod error;
pub mod extract;
pub mod format;
pub mod host;
pub mod import_command;
pub mod life;
mod limit;
pub mod mail;
pub mod metrics;
mod moves;
mod numbers_sold;
pub mod pages;
pub mod read;
mod recharge;
pub mod refusal;
pub mod rules;
pub mod security;
pub mod seller;
pub mod server;
pub mod sheet;
pub mod shell;
pub mod sse;
pub mod upload;
pub mod urls;
pub mod views;
pub mod worker;
