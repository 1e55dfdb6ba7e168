//! The roof: one binary that serves the pages, runs the worker and carries the calls.
//! It never computes a price, posts an entry or writes a query: a handler extracts, calls one domain function, commits, answers.
//! Invariants: what one may not see is 404; every form that changes something carries the session's token and redirects;
//! no page needs a script. Start at `urls.rs`, then `views` and `pages`.

pub mod assets;
pub mod charts;
pub mod format;
pub mod security;
pub mod shell;
pub mod urls;
pub mod views;
