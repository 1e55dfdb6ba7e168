//! Money that came in: payments on receivables, top-ups of wallets, which documents a payment pays, and what is still open;
//! and by what means a customer has agreed to pay what comes.
//! Never: writes a document, changes or deletes a payment or an allocation, talks to a network.
//! Invariants: a reference is one payment, however often a statement is read; what a payment pays never exceeds it, and a
//! document is never paid beyond what is due; paid and overdue are derived, never stored. Start at `payment.rs`, then `allocation.rs`.

mod allocation;
pub mod audit;
mod entity;
mod error;
mod iban;
mod method;
mod open_item;
mod payment;
mod refund;
mod store;
mod words;

pub use allocation::{Share, allocate_all_credit, allocate_credit, overpaid, shares_for, shares_of};
pub use audit::check;
pub use error::PaymentError;
pub use iban::{Iban, IbanFault};
pub use method::{
    MethodKind, PaymentMethod, agree_on_invoice, customers_with_method, give_mandate, methods_on_file, remove_method,
};
pub use open_item::{
    OpenItem, OpenItems, PaymentStatus, all_open_items, open_item, open_items, overdue_items, paid_of, status_of,
};
pub use payment::{
    NewPayment, Payment, PaymentFilter, payment, payment_of_reference, payments, payments_of, record_payment, top_up,
};
pub use refund::{NewRefund, Refund, refund, refunds_of};
pub use words::{Method, PaymentKind};
