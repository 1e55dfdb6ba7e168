//! Dated stories: the whole product under a clock that a test moves, from the first top-up to the paid invoice.

mod a_call_becomes_cash;
mod call_centre_software;
mod chat_support;
mod consultations_by_number;
mod outsourced_support;
mod pay_per_use_support;
mod premium_rate;
mod prepaid_beyond_its_minutes;
mod shop;
mod story;
mod the_audit_sees;
