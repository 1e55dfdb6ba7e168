//! The edge from outside: real SIP and RTP on loopback, a desk that decides, a spool on disk.

mod agents;
mod bans;
mod baresip;
mod calls;
mod dialling;
mod doors;
mod lossy;
mod metering;
mod phones;
mod reading;
mod sessions;
mod sipp;
mod spooling;
mod torture;
mod world;
