//! Addresses outside of any book: signing in, the agents' desk, the portal of customers, and what anybody may open.

use std::fmt::Display;

/// Where keys are made, as its pages call it.
pub const API_KEYS_PLACE: &str = "API keys";
/// The rate estimator; its query holds the figures.
pub const ESTIMATE: &str = "/estimate";
pub const ESTIMATE_CSV: &str = "/estimate/csv";
pub const ESTIMATE_PDF: &str = "/estimate/pdf";
/// POST keeps the figures of an estimate and leads to its link.
pub const SAVED_ESTIMATES: &str = "/estimate/saved";
/// The return calculator.
pub const RETURN: &str = "/roi";

pub const SIGN_IN: &str = "/sign-in";
pub const SIGN_OUT: &str = "/sign-out";
pub const THEME_CHOICE: &str = "/preferences/theme";
/// POST with the id of a membership: the session moves to that organisation.
pub const MEMBERSHIP: &str = "/session/membership";

pub const DESK: &str = "/agent";
pub const DESK_STATE: &str = "/agent/state";
pub const DESK_HEARTBEAT: &str = "/agent/heartbeat";
pub const DESK_EVENTS: &str = "/agent/events";
pub const DESK_CALLS: &str = "/agent/calls";
/// POST makes a token with which a phone may read its settings for five minutes.
/// POST rings the agent's own phone, and then the number.
pub const DESK_DIAL: &str = "/agent/dial";
pub const DESK_PHONE_TOKEN: &str = "/agent/phone/token";
pub const DESK_PHONE_PASSWORD: &str = "/agent/phone/password";

pub const PORTAL: &str = "/portal";
pub const PORTAL_CALLS: &str = "/portal/calls";
pub const PORTAL_INVOICES: &str = "/portal/invoices";
pub const PORTAL_PLAN: &str = "/portal/plan";
/// How the customer pays; POST gives a mandate.
pub const PORTAL_PAYMENT: &str = "/portal/payment";
pub const PORTAL_PRICES: &str = "/portal/prices";

pub fn desk_call_end(id: impl Display) -> String {
    format!("{DESK_CALLS}/{id}/end")
}
/// A quote as its reader sees it; whoever has the token may read it.
pub fn quote(token: &str) -> String {
    format!("/quote/{token}")
}
pub fn quote_pdf(token: &str) -> String {
    format!("/quote/{token}/pdf")
}
/// POST accepts it.
pub fn quote_acceptance(token: &str) -> String {
    format!("/quote/{token}/acceptance")
}
/// An estimate that was saved.
pub fn saved_estimate(token: &str) -> String {
    format!("{SAVED_ESTIMATES}/{token}")
}
/// POST takes a means of payment off the file.
pub fn portal_payment_removal(id: impl Display) -> String {
    format!("{PORTAL_PAYMENT}/{id}/removal")
}
pub fn portal_call(id: impl Display) -> String {
    format!("{PORTAL_CALLS}/{id}")
}
pub fn portal_invoice(id: impl Display) -> String {
    format!("{PORTAL_INVOICES}/{id}")
}
/// The document with one line opened, for a browser without scripts.
pub fn portal_invoice_opened(id: impl Display, line: impl Display) -> String {
    format!("{PORTAL_INVOICES}/{id}?open={line}#line-{line}")
}
/// Only what lies below one line.
pub fn portal_invoice_line(id: impl Display, line: impl Display) -> String {
    format!("{PORTAL_INVOICES}/{id}/lines/{line}")
}
pub fn portal_invoice_pdf(id: impl Display) -> String {
    format!("{PORTAL_INVOICES}/{id}/pdf")
}
