//! Calls that go out: what each book decides about them (`plan.rs`), what it holds for them (`hold.rs`), to whom they are given
//! (`admit.rs`), what an edge asks of them (`edge.rs`), how they run (`live.rs`) and what they come to (`settle.rs`); those that are over when they are first heard of
//! are in `finished.rs`. What the books above are owed leaves with all other calls, in `upward/`.

pub(crate) mod admit;
pub(crate) mod edge;
pub(crate) mod finished;
mod hold;
mod live;
pub(crate) mod plan;
mod reading;
pub(crate) mod route;
pub(crate) mod settle;
mod trial;

pub use admit::{OutgoingAdmission, OutgoingCall, TakenBy};
pub use finished::{FinishedOutgoing, SettledOutgoing, settle_outgoing};
pub use plan::{Decision, OutgoingRefusal, SoldFor};
pub use reading::{CarrierAttempt, OutgoingFilter, OutgoingView, outgoing_calls, outgoing_of};
pub use trial::{RouteTrial, digits_of, try_route};
