//! Call control against a real PostgreSQL: an edge is played by the tests, event by event, on a clock of their own.
//! Amounts are euros; every expected sum shows its arithmetic.

mod above;
mod admission;
mod came_back;
mod changes;
mod covered;
mod edge;
mod finished;
mod imports;
mod included;
mod outgoing;
mod outgoing_edge;
mod outgoing_limits;
mod outgoing_running;
mod outgoing_upward;
mod outgoing_world;
mod partners;
mod plans;
mod racing;
mod recording;
mod tariffs;
mod upward;
mod world;
