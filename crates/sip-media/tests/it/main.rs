//! The edge from outside: real SIP and RTP on loopback, a desk that decides, a spool on disk.

mod agents;
mod calls;
mod doors;
mod metering;
mod spooling;
mod world;
