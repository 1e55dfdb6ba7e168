//! Call control against a real PostgreSQL: an edge is played by the tests, event by event, on a clock of their own.
//! Amounts are euros; every expected sum shows its arithmetic.

mod admission;
mod edge;
mod finished;
mod included;
mod partners;
mod plans;
mod racing;
mod recording;
mod tariffs;
mod upward;
mod world;
