//! Every address of the roof, and for whom it is. Written here once more, by hand: a route that is new, or that somebody else
//! may suddenly use, has to be thought about twice.

use std::collections::BTreeSet;

/// For whom an address is, in words of its own so that the roof cannot change them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum For {
    Anybody,
    SignedIn,
    Operator,
    Reseller,
    Tenant,
    Agent,
    Customer,
    Phone,
}

/// Pages of a book: under `/ops`, `/reseller` and `/admin` alike.
const EVERY_BOOK: [(&str, &str); 52] = [
    ("GET", ""),
    ("GET", "/find"),
    ("GET", "/customers"),
    ("GET", "/customers/new"),
    ("POST", "/customers"),
    ("GET", "/customers/{customer_id}"),
    ("GET", "/customers/{customer_id}/subscriptions/new"),
    ("POST", "/customers/{customer_id}/subscriptions"),
    ("GET", "/subscriptions/{subscription_id}/change"),
    ("POST", "/subscriptions/{subscription_id}/changes"),
    ("POST", "/subscriptions/{subscription_id}/changes/{change_id}/undo"),
    ("GET", "/customers/{customer_id}/advice"),
    ("GET", "/customers/{customer_id}/next-bill"),
    ("GET", "/customers/{customer_id}/payments"),
    ("POST", "/customers/{customer_id}/payments"),
    ("GET", "/coupons"),
    ("GET", "/coupons/new"),
    ("POST", "/coupons"),
    ("GET", "/coupons/{coupon_id}"),
    ("POST", "/coupons/{coupon_id}/archiving"),
    ("GET", "/plans"),
    ("POST", "/plans"),
    ("GET", "/plans/new"),
    ("GET", "/plans/{plan_id}"),
    ("GET", "/plans/{plan_id}/draft"),
    ("POST", "/plans/{plan_id}/draft"),
    ("POST", "/plans/{plan_id}/draft/removal"),
    ("GET", "/plans/{plan_id}/draft/review"),
    ("POST", "/plans/{plan_id}/versions"),
    ("POST", "/plans/{plan_id}/archiving"),
    ("GET", "/plans/{plan_id}/moves"),
    ("POST", "/plans/{plan_id}/moves"),
    ("POST", "/plans/{plan_id}/moves/{change_id}/undo"),
    ("GET", "/numbers"),
    ("GET", "/invoices"),
    ("GET", "/invoices/{document_id}"),
    ("GET", "/invoices/{document_id}/pdf"),
    ("GET", "/invoices/{document_id}/lines/{line_id}"),
    ("GET", "/drafts/{draft_id}"),
    ("GET", "/drafts/{draft_id}/pdf"),
    ("GET", "/drafts/{draft_id}/lines/{line_id}"),
    ("GET", "/runs"),
    ("POST", "/runs"),
    ("GET", "/runs/{run_id}"),
    ("GET", "/runs/{run_id}/events"),
    ("POST", "/runs/{run_id}/finalization"),
    ("POST", "/runs/{run_id}/retry"),
    ("GET", "/ledger"),
    ("GET", "/ledger/{account}"),
    ("GET", "/settings/api-keys"),
    ("POST", "/settings/api-keys"),
    ("POST", "/settings/api-keys/{key_id}/revocation"),
];

/// What an organisation sees of its own seller.
const WITH_A_SELLER: [(&str, &str); 5] =
    [
    ("GET", "/account"),
    ("GET", "/account/advice"),
    ("GET", "/account/next-bill"),
    ("GET", "/account/invoices/{document_id}"),
    ("GET", "/account/invoices/{document_id}/pdf"),
];

/// All others, in full.
const ALONE: [(&str, &str, For); 42] = [
    ("GET", "/healthz", For::Anybody),
    ("GET", "/readyz", For::Anybody),
    ("GET", "/assets/{print}/{path:.*}", For::Anybody),
    ("GET", "/theme/{hash}.css", For::Anybody),
    ("GET", "/brand/{hash}.svg", For::Anybody),
    ("GET", "/favicon.ico", For::Anybody),
    ("POST", "/preferences/theme", For::Anybody),
    ("GET", "/phone/settings", For::Phone),
    ("GET", "/", For::Anybody),
    ("GET", "/estimate", For::Anybody),
    ("GET", "/estimate/csv", For::Anybody),
    ("GET", "/roi", For::Anybody),
    ("GET", "/sign-in", For::Anybody),
    ("POST", "/sign-in", For::Anybody),
    ("POST", "/sign-out", For::SignedIn),
    ("GET", "/session/membership", For::SignedIn),
    ("POST", "/session/membership", For::SignedIn),
    ("GET", "/admin/live", For::Tenant),
    ("GET", "/admin/live/events", For::Tenant),
    ("GET", "/admin/calls", For::Tenant),
    ("GET", "/admin/calls/{call_id}", For::Tenant),
    ("POST", "/admin/calls/{call_id}/end", For::Tenant),
    ("GET", "/admin/agents", For::Tenant),
    ("GET", "/admin/agents/new", For::Tenant),
    ("POST", "/admin/agents", For::Tenant),
    ("GET", "/agent", For::Agent),
    ("GET", "/agent/events", For::Agent),
    ("POST", "/agent/state", For::Agent),
    ("POST", "/agent/heartbeat", For::Agent),
    ("GET", "/agent/calls", For::Agent),
    ("POST", "/agent/calls/{call_id}/end", For::Agent),
    ("POST", "/agent/phone/password", For::Agent),
    ("POST", "/agent/phone/token", For::Agent),
    ("GET", "/portal", For::Customer),
    ("GET", "/portal/calls", For::Customer),
    ("GET", "/portal/calls/{call_id}", For::Customer),
    ("GET", "/portal/invoices", For::Customer),
    ("GET", "/portal/invoices/{document_id}", For::Customer),
    ("GET", "/portal/invoices/{document_id}/lines/{line_id}", For::Customer),
    ("GET", "/portal/invoices/{document_id}/pdf", For::Customer),
    ("GET", "/portal/plan", For::Customer),
    ("GET", "/portal/prices", For::Customer),
];

/// The API: every address that asks for a key.
pub const API: [(&str, &str); 42] = [
    ("GET", "/v1/plans"),
    ("POST", "/v1/plans"),
    ("GET", "/v1/add-ons"),
    ("POST", "/v1/add-ons"),
    ("GET", "/v1/plans/{plan_id}"),
    ("PATCH", "/v1/plans/{plan_id}"),
    ("GET", "/v1/plans/{plan_id}/draft"),
    ("PUT", "/v1/plans/{plan_id}/draft"),
    ("DELETE", "/v1/plans/{plan_id}/draft"),
    ("POST", "/v1/plans/{plan_id}/publication"),
    ("GET", "/v1/coupons"),
    ("POST", "/v1/coupons"),
    ("GET", "/v1/coupons/{coupon_id}"),
    ("POST", "/v1/coupons/{coupon_id}/archival"),
    ("POST", "/v1/subscriptions/{subscription_id}/coupons"),
    ("DELETE", "/v1/subscriptions/{subscription_id}/coupons/{coupon_id}"),
    ("GET", "/v1/plans/{plan_id}/versions"),
    ("POST", "/v1/plans/{plan_id}/versions"),
    ("POST", "/v1/plans/{plan_id}/archival"),
    ("GET", "/v1/customers"),
    ("POST", "/v1/customers"),
    ("GET", "/v1/customers/{customer_id}"),
    ("PATCH", "/v1/customers/{customer_id}"),
    ("GET", "/v1/customers/{customer_id}/wallet"),
    ("GET", "/v1/subscriptions"),
    ("POST", "/v1/subscriptions"),
    ("GET", "/v1/subscriptions/{subscription_id}"),
    ("GET", "/v1/subscriptions/{subscription_id}/changes"),
    ("POST", "/v1/subscriptions/{subscription_id}/changes"),
    ("DELETE", "/v1/subscriptions/{subscription_id}/changes/{change_id}"),
    ("GET", "/v1/meters"),
    ("GET", "/v1/usage"),
    ("GET", "/v1/usage/hours"),
    ("GET", "/v1/invoices"),
    ("GET", "/v1/invoices/{document_id}"),
    ("GET", "/v1/invoices/{document_id}/lines"),
    ("GET", "/v1/invoices/{document_id}/pdf"),
    ("GET", "/v1/calls"),
    ("GET", "/v1/calls/{call_id}"),
    ("POST", "/v1/calculators/estimate"),
    ("POST", "/v1/calculators/return"),
    ("GET", "/v1/openapi.json"),
];

/// Method, path and for whom.
pub fn all() -> BTreeSet<(String, String, For)> {
    let row = |method: &str, path: String, whom| (method.to_owned(), path, whom);
    let mut all: BTreeSet<_> =
        ALONE.iter().map(|(method, path, whom)| row(method, (*path).to_owned(), *whom)).collect();
    for (prefix, whom) in [("/ops", For::Operator), ("/reseller", For::Reseller), ("/admin", For::Tenant)] {
        all.extend(EVERY_BOOK.iter().map(|(method, rest)| row(method, format!("{prefix}{rest}"), whom)));
        if whom != For::Operator {
            all.extend(WITH_A_SELLER.iter().map(|(method, rest)| row(method, format!("{prefix}{rest}"), whom)));
        }
    }
    all
}
