//! Organisations, people, agents and the audit log, on a real database.

mod audit;
mod keys;
mod people;
mod seats;
mod tree;
mod world;
