//! Invoicing, tried from outside: dated stories of runs, documents and their print.

mod bases;
mod changes;
mod dirty;
mod later;
mod lives;
mod models;
mod print;
mod quotes;
mod refusals;
mod replays;
mod returned;
mod runs;
mod schedule;
mod settlements;
mod several;
mod very_late;
mod world;
mod zones;
