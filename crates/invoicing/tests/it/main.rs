//! Invoicing, tried from outside: dated stories of runs, documents and their print.

mod changes;
mod models;
mod print;
mod replays;
mod runs;
mod schedule;
mod world;
