//! Telephony: signalling, SDP, RTP, digits, prompts, registrar, the bridge to an agent and the durable event spool.
//! Never: knows a price, a tenant or a database; everything it needs to know it asks through [`CallControl`].
//! Invariants: an event is on disk before the act that it justifies; the metered time of a call is never above what was
//! authorised; no packet leaves a call after its cut. Start at `control.rs`, then `call.rs`.
//!
//! Logs: the signalling stack below writes whole messages, digits and credentials included, at level INFO. Give
//! [`LOG_FILTER`] to the subscriber.

mod bans;
mod bridge;
mod call;
pub mod caller;
mod click;
mod config;
mod control;
mod delivery;
mod dial;
mod digest;
mod dtmf;
mod edge;
mod farewell;
#[doc(hidden)]
pub mod fuzzing;
mod g711;
mod identity;
mod inbox;
mod leg;
mod limits;
mod live;
mod menu;
mod meter;
mod party;
mod prompt;
mod proof;
mod recovery;
mod refresh;
mod registrar;
mod routers;
mod rtp;
mod sdp;
mod segment;
mod session;
mod set_aside;
mod shared;
mod signalling;
mod spool;
mod srtp;
mod tones;
mod trunk;
mod unanswered;
mod voice;

pub use bans::{Ban, Offence};
pub use config::*;
pub use control::*;
pub use edge::Edge;
pub use g711::Codec;
pub use live::{CallState, LiveCall};
pub use registrar::RegisteredPhone;
pub use set_aside::{SetAside, set_aside, set_aside_file};
