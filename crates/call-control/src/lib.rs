//! What a call may do and what it costs: who calls, which topic, how long the money lasts, and the settlement at its end.
//! Never: speaks SIP, keeps a price of its own, writes an entry past the ledger, tells one level of the tree about another's legs.
//! Invariants: money is reserved before it is used, caller first, then each prepaid book above; a call is charged once, by a
//! component that covers it or else by its topic's tariff; an event told twice is one event; settlement is one transaction of the
//! tenant's book, and what the books above are owed leaves it by the outbox, in effect once.
//! Start at `control.rs`; money is in `price.rs` and `settlement.rs`, what a plan covers in `covering.rs` and `included.rs`, the way
//! up the tree, of calls in and out, in `upward/`; calls that go out begin at `outgoing/admit.rs`, and what each book decides about
//! them is in `outgoing/plan.rs`.

mod abandoned;
mod admission;
pub mod audit;
mod beyond;
mod carrier;
mod control;
mod correction;
mod covering;
mod destination;
mod detail;
mod dimensions;
mod entity;
mod error;
mod explanation;
mod finished;
mod grant;
mod guard;
mod imports;
mod included;
mod outgoing;
mod peaks;
mod policy;
mod price;
mod reading;
mod record;
mod recount;
mod renewal;
mod retry;
mod reversal;
mod routing;
mod safe;
mod seats;
mod settlement;
mod statement;
mod store;
mod topic;
mod trunk;
mod upward;

pub use audit::check;
pub use carrier::{
    Carrier, CarrierQuality, NewCarrier, QUALITY_CALLS_MIN, QUALITY_MINUTES, carrier, carrier_quality, carriers,
    change_carrier, create_carrier, forget_old_attempts,
};
pub use control::Control;
pub use destination::{
    DestinationClass, customer_destinations, destination_classes, set_customer_destination, set_destination_class,
};
pub use detail::{CallCorrection, CallCost, CallDetail, CallEventLine, CallLegLine, call};
pub use error::CallError;
pub use explanation::{CallExplanation, IncludedUnits, PricedBy, TaxInside};
pub use finished::{FinishedCall, HandledBy, settle_finished};
pub use imports::{
    IMPORT_BLOCK_ROWS, RecordOutcome, RecordReplay, Taking, replay_records, take_records, take_records_now, work_import,
};
pub use included::IncludedLeft;
pub use outgoing::{
    CarrierAttempt, Decision, FinishedOutgoing, OutgoingAdmission, OutgoingCall, OutgoingFilter, OutgoingRefusal,
    OutgoingView, RouteTrial, SettledOutgoing, SoldFor, TakenBy, digits_of, outgoing_calls, outgoing_of,
    settle_outgoing, try_route,
};
pub use policy::{
    LimitOf, LossGuard, OutgoingPolicy, SpendAlert, SpendLimit, outgoing_policy, set_outgoing_policy, set_spend_limit,
    spend_alerts, spend_limit, spend_limit_of, spent_since, usual_spend_limit,
};
pub use reading::{
    Call, CallFilter, CallPage, CallState, CallTotals, ChargedBy, Line, LiveCall, TopicTotals, by_topic, calls,
    calls_of_line, calls_without_totals, costs_between, live_calls, revenue_between, totals_between,
};
pub use recount::recount;
pub use reversal::reverse_call;
pub use routing::{RefusedRoute, RouteOffer, RouteRefusal, Routes};
pub use safe::Safe;
pub use seats::{deliver_seats_between, deliver_seats_upward};
pub use statement::{SharedCall, shared_calls};
pub use trunk::{LineOf, NewTrunk, OutgoingLine, Trunk, outgoing_line, set_outgoing_line, set_trunk, trunk};
pub use upward::deliver_upward;
