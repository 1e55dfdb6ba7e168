//! Every address of the pages, written once. Three audiences share the pages of a book; the first part of the path says which.

mod outside;
mod partners;
mod routes;

pub use outside::*;

use std::fmt::Display;

/// Who keeps the book that a page shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Audience {
    Operator,
    Reseller,
    Tenant,
}

/// The operator's page of the phone edge.
pub const EDGES: &str = "/ops/edges";
/// POST hears a source again.
pub const EDGE_BAN_LIFTING: &str = "/ops/edges/bans/lifting";

impl Audience {
    pub const ALL: [Audience; 3] = [Audience::Operator, Audience::Reseller, Audience::Tenant];

    pub fn prefix(self) -> &'static str {
        match self {
            Audience::Operator => "/ops",
            Audience::Reseller => "/reseller",
            Audience::Tenant => "/admin",
        }
    }

    /// What those below are called where they are listed.
    pub fn customers_word(self) -> &'static str {
        match self {
            Audience::Operator => "Resellers and tenants",
            Audience::Reseller => "Tenants",
            Audience::Tenant => "Customers",
        }
    }

    pub fn home(self) -> String {
        self.prefix().to_owned()
    }
    pub fn find(self) -> String {
        self.at("find")
    }
    pub fn live(self) -> String {
        self.at("live")
    }
    pub fn live_events(self) -> String {
        self.at("live/events")
    }
    pub fn calls(self) -> String {
        self.at("calls")
    }
    pub fn call(self, id: impl Display) -> String {
        self.at(format_args!("calls/{id}"))
    }
    /// Ending a call is a resource of its own: POST creates it.
    pub fn call_end(self, id: impl Display) -> String {
        self.at(format_args!("calls/{id}/end"))
    }
    pub fn customers(self) -> String {
        self.at("customers")
    }
    pub fn customer(self, id: impl Display) -> String {
        self.at(format_args!("customers/{id}"))
    }
    /// The form of a customer to be; POST goes to the list.
    pub fn customer_new(self) -> String {
        self.at("customers/new")
    }
    /// GET shows the form and its preview, POST records.
    pub fn customer_payments(self, id: impl Display) -> String {
        self.at(format_args!("customers/{id}/payments"))
    }
    /// POST closes the customer.
    pub fn customer_closure(self, id: impl Display) -> String {
        self.at(format_args!("customers/{id}/closure"))
    }
    /// POST grants paying by invoice.
    pub fn payment_methods(self, id: impl Display) -> String {
        self.at(format_args!("customers/{id}/payment-methods"))
    }
    /// POST takes one off the file.
    pub fn payment_method_removal(self, id: impl Display, method: impl Display) -> String {
        self.at(format_args!("customers/{id}/payment-methods/{method}/removal"))
    }
    /// The form of a subscription to be, with its preview; POST goes to the list.
    pub fn customer_subscription_new(self, id: impl Display) -> String {
        self.at(format_args!("customers/{id}/subscriptions/new"))
    }
    pub fn customer_subscriptions(self, id: impl Display) -> String {
        self.at(format_args!("customers/{id}/subscriptions"))
    }
    /// Which plan would have been cheapest.
    pub fn customer_advice(self, id: impl Display) -> String {
        self.at(format_args!("customers/{id}/advice"))
    }
    /// What the next document will say.
    pub fn customer_next_bill(self, id: impl Display) -> String {
        self.at(format_args!("customers/{id}/next-bill"))
    }
    /// The form of a change, with its preview; POST goes to the list of changes.
    pub fn subscription_change(self, id: impl Display) -> String {
        self.at(format_args!("subscriptions/{id}/change"))
    }
    pub fn subscription_changes(self, id: impl Display) -> String {
        self.at(format_args!("subscriptions/{id}/changes"))
    }
    /// Undoing a change is a resource of its own: POST creates it.
    pub fn subscription_change_undo(self, id: impl Display, change: impl Display) -> String {
        self.at(format_args!("subscriptions/{id}/changes/{change}/undo"))
    }
    /// What was used.
    pub fn usage(self) -> String {
        self.at("usage")
    }
    /// What is counted; POST defines one more.
    pub fn meters(self) -> String {
        self.at("meters")
    }
    /// The form of a meter to be, with its preview.
    pub fn meter_new(self) -> String {
        self.at("meters/new")
    }
    /// What matches nothing, by cause.
    pub fn imports(self) -> String {
        self.at("imports")
    }
    /// The form of a file; POST goes to the list.
    pub fn import_new(self) -> String {
        self.at("imports/new")
    }
    pub fn import(self, id: impl Display) -> String {
        self.at(format_args!("imports/{id}"))
    }
    /// What is below one: `settings`, `trial`, `start`, `stop`, `removal`, `report`, `events`.
    pub fn import_part(self, id: impl Display, part: &str) -> String {
        self.at(format_args!("imports/{id}/{part}"))
    }
    pub fn suspense(self) -> String {
        self.at("suspense")
    }
    pub fn suspense_of(self, cause: impl Display) -> String {
        self.at(format_args!("suspense/{cause}"))
    }
    /// POST counts what waits for a cause, or takes it out.
    pub fn suspense_decisions(self, cause: impl Display) -> String {
        self.at(format_args!("suspense/{cause}/decisions"))
    }
    pub fn coupons(self) -> String {
        self.at("coupons")
    }
    /// The form of a coupon to be; POST goes to the list.
    pub fn coupon_new(self) -> String {
        self.at("coupons/new")
    }
    pub fn coupon(self, id: impl Display) -> String {
        self.at(format_args!("coupons/{id}"))
    }
    /// Archiving a coupon is a resource of its own: POST creates it.
    pub fn coupon_archiving(self, id: impl Display) -> String {
        self.at(format_args!("coupons/{id}/archiving"))
    }
    pub fn plans(self) -> String {
        self.at("plans")
    }
    pub fn plan(self, id: impl Display) -> String {
        self.at(format_args!("plans/{id}"))
    }
    /// The next version while it is written.
    pub fn plan_draft(self, id: impl Display) -> String {
        self.at(format_args!("plans/{id}/draft"))
    }
    pub fn plan_discard(self, id: impl Display) -> String {
        self.at(format_args!("plans/{id}/draft/removal"))
    }
    /// What publishing the draft would do.
    pub fn plan_review(self, id: impl Display) -> String {
        self.at(format_args!("plans/{id}/draft/review"))
    }
    /// POST makes the draft a version.
    pub fn plan_versions(self, id: impl Display) -> String {
        self.at(format_args!("plans/{id}/versions"))
    }
    pub fn plan_archive(self, id: impl Display) -> String {
        self.at(format_args!("plans/{id}/archiving"))
    }
    pub fn plan_new(self) -> String {
        self.at("plans/new")
    }
    /// Subscribers of older versions, and moving them.
    pub fn plan_moves(self, id: impl Display) -> String {
        self.at(format_args!("plans/{id}/moves"))
    }
    pub fn plan_move_undo(self, id: impl Display, change: impl Display) -> String {
        self.at(format_args!("plans/{id}/moves/{change}/undo"))
    }
    pub fn quotes(self) -> String {
        self.at("quotes")
    }
    /// What a quote is made of, then its form; POST goes to the list.
    pub fn quote_new(self) -> String {
        self.at("quotes/new")
    }
    pub fn quote(self, id: impl Display) -> String {
        self.at(format_args!("quotes/{id}"))
    }
    pub fn quote_pdf(self, id: impl Display) -> String {
        self.at(format_args!("quotes/{id}/pdf"))
    }
    /// POST makes a link by which anybody may read it.
    pub fn estimate_links(self, id: impl Display) -> String {
        self.at(format_args!("estimates/{id}/links"))
    }
    /// POST makes a further link, which is shown once.
    pub fn quote_links(self, id: impl Display) -> String {
        self.at(format_args!("quotes/{id}/links"))
    }
    /// POST sends it by e-mail.
    pub fn quote_sendings(self, id: impl Display) -> String {
        self.at(format_args!("quotes/{id}/sendings"))
    }
    pub fn quote_withdrawal(self, id: impl Display) -> String {
        self.at(format_args!("quotes/{id}/withdrawal"))
    }
    pub fn estimates(self) -> String {
        self.at("estimates")
    }
    pub fn estimate(self, id: impl Display) -> String {
        self.at(format_args!("estimates/{id}"))
    }
    pub fn numbers(self) -> String {
        self.at("numbers")
    }
    pub fn agents(self) -> String {
        self.at("agents")
    }
    /// The form of an agent to be; POST goes to the list.
    pub fn agent_new(self) -> String {
        self.at("agents/new")
    }
    pub fn invoices(self) -> String {
        self.at("invoices")
    }
    pub fn invoice(self, id: impl Display) -> String {
        self.at(format_args!("invoices/{id}"))
    }
    pub fn invoice_pdf(self, id: impl Display) -> String {
        self.at(format_args!("invoices/{id}/pdf"))
    }
    /// The invoice with one line opened, for a browser without scripts.
    pub fn invoice_opened(self, id: impl Display, line: impl Display) -> String {
        self.at(format_args!("invoices/{id}?open={line}#line-{line}"))
    }
    /// Only what lies below one line.
    pub fn invoice_line(self, id: impl Display, line: impl Display) -> String {
        self.at(format_args!("invoices/{id}/lines/{line}"))
    }
    pub fn draft(self, id: impl Display) -> String {
        self.at(format_args!("drafts/{id}"))
    }
    pub fn draft_pdf(self, id: impl Display) -> String {
        self.at(format_args!("drafts/{id}/pdf"))
    }
    /// POST throws the draft away.
    pub fn draft_voiding(self, id: impl Display) -> String {
        self.at(format_args!("drafts/{id}/voiding"))
    }
    /// The draft with one line opened, for a browser without scripts.
    pub fn draft_opened(self, id: impl Display, line: impl Display) -> String {
        self.at(format_args!("drafts/{id}?open={line}#line-{line}"))
    }
    /// Only what lies below one line of a draft.
    pub fn draft_line(self, id: impl Display, line: impl Display) -> String {
        self.at(format_args!("drafts/{id}/lines/{line}"))
    }
    pub fn runs(self) -> String {
        self.at("runs")
    }
    pub fn run(self, id: impl Display) -> String {
        self.at(format_args!("runs/{id}"))
    }
    pub fn run_events(self, id: impl Display) -> String {
        self.at(format_args!("runs/{id}/events"))
    }
    /// POST throws the run away with its drafts.
    pub fn run_abandonment(self, id: impl Display) -> String {
        self.at(format_args!("runs/{id}/abandonment"))
    }
    pub fn run_finalization(self, id: impl Display) -> String {
        self.at(format_args!("runs/{id}/finalization"))
    }
    /// POST puts the customers that failed back in the queue.
    pub fn run_retry(self, id: impl Display) -> String {
        self.at(format_args!("runs/{id}/retry"))
    }
    pub fn ledger(self) -> String {
        self.at("ledger")
    }
    /// The movements of one account.
    pub fn ledger_account(self, code: &str) -> String {
        self.at(format_args!("ledger/{code}"))
    }
    /// GET lists keys, POST makes one.
    pub fn api_keys(self) -> String {
        self.at("settings/api-keys")
    }
    /// POST ends a key.
    pub fn api_key_revocation(self, id: impl Display) -> String {
        self.at(format_args!("settings/api-keys/{id}/revocation"))
    }
    /// The brand's form; POST saves it.
    pub fn brand(self) -> String {
        self.at("settings/brand")
    }
    /// POST claims a host name.
    pub fn brand_hosts(self) -> String {
        self.at("settings/brand/hosts")
    }
    /// POST looks for the proof of one.
    pub fn brand_host_check(self) -> String {
        self.at("settings/brand/hosts/check")
    }
    /// POST takes one out of service.
    pub fn brand_host_removal(self) -> String {
        self.at("settings/brand/hosts/removal")
    }
    pub fn account(self) -> String {
        self.at("account")
    }
    pub fn account_advice(self) -> String {
        self.at("account/advice")
    }
    pub fn account_next_bill(self) -> String {
        self.at("account/next-bill")
    }
    pub fn account_invoice(self, id: impl Display) -> String {
        self.at(format_args!("account/invoices/{id}"))
    }
    pub fn account_invoice_opened(self, id: impl Display, line: impl Display) -> String {
        self.at(format_args!("account/invoices/{id}?open={line}#line-{line}"))
    }
    pub fn account_invoice_line(self, id: impl Display, line: impl Display) -> String {
        self.at(format_args!("account/invoices/{id}/lines/{line}"))
    }
    pub fn account_invoice_pdf(self, id: impl Display) -> String {
        self.at(format_args!("account/invoices/{id}/pdf"))
    }

    pub(super) fn at(self, rest: impl Display) -> String {
        format!("{}/{rest}", self.prefix())
    }
}

/// A path with a query, each value encoded; empty values are left out.
pub fn with_query(path: &str, pairs: &[(&str, &str)]) -> String {
    let kept: Vec<_> = pairs.iter().filter(|(_, value)| !value.is_empty()).collect();
    match serde_urlencoded::to_string(&kept) {
        Ok(query) if !query.is_empty() => format!("{path}?{query}"),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_leaves_out_what_is_empty_and_encodes_the_rest() {
        assert_eq!(with_query("/admin/calls", &[("q", ""), ("from", "+49 30")]), "/admin/calls?from=%2B49+30");
        assert_eq!(with_query("/admin/calls", &[("q", "")]), "/admin/calls");
    }

    #[test]
    fn the_same_page_has_the_prefix_of_its_audience() {
        assert_eq!(Audience::Reseller.invoice("inv_1"), "/reseller/invoices/inv_1");
        assert_eq!(Audience::Operator.run_finalization("run_1"), "/ops/runs/run_1/finalization");
    }
}
