//! What a call may do and what it costs: who calls, which topic, how long the money lasts, and the settlement at its end.
//! Never: speaks SIP, keeps a price of its own, writes an entry past the ledger, tells one level of the tree about another's legs.
//! Invariants: money is reserved before it is used, caller first, then each prepaid book above; a call is charged once, by a
//! component that covers it or else by its topic's tariff; an event told twice is one event; settlement is one transaction of the
//! tenant's book, and what the books above are owed leaves it by the outbox, in effect once.
//! Start at `control.rs`; money is in `price.rs` and `settlement.rs`, what a plan covers in `covering.rs` and `included.rs`, the way
//! up the tree in `upward.rs`.

mod abandoned;
mod admission;
pub mod audit;
mod beyond;
mod control;
mod correction;
mod covering;
mod debit;
mod detail;
mod entity;
mod error;
mod explanation;
mod finished;
mod grant;
mod included;
mod owing;
mod peaks;
mod price;
mod reading;
mod record;
mod recount;
mod renewal;
mod retry;
mod reversal;
mod seats;
mod settlement;
mod split;
mod statement;
mod store;
mod sums;
mod topic;
mod upward;

pub use audit::check;
pub use control::Control;
pub use detail::{CallCorrection, CallCost, CallDetail, CallEventLine, CallLegLine, call};
pub use error::CallError;
pub use explanation::{CallExplanation, IncludedUnits, PricedBy, TaxInside};
pub use finished::{FinishedCall, HandledBy, settle_finished};
pub use included::IncludedLeft;
pub use reading::{
    Call, CallFilter, CallPage, CallState, CallTotals, ChargedBy, Line, LiveCall, TopicTotals, by_topic, calls,
    calls_of_line, calls_without_totals, costs_between, live_calls, revenue_between, totals_between,
};
pub use recount::recount;
pub use reversal::reverse_call;
pub use seats::{deliver_seats_between, deliver_seats_upward};
pub use statement::{SharedCall, shared_calls};
pub use upward::deliver_upward;
