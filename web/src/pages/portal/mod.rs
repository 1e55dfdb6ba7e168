//! What a customer of a call centre sees: what is left, what a call costs before it is made, what was charged and why, and
//! the receipts.
//! Invariant: every transaction here is a [`db::CustomerTx`]; another customer's row does not exist for it.

mod account;
mod calls;
mod invoices;
mod payment;
mod plan;
mod prices;

use super::{Entry, Who, get, post};
use crate::error::{PageError, PageResult};
use crate::extract::PortalCustomer;
use crate::urls;
use db::CustomerTx;
use jiff::tz::TimeZone;
use subscription::Customer;

pub(super) fn routes() -> Vec<Entry> {
    vec![
        get(urls::PORTAL, Who::Customer, account::account),
        get(urls::PORTAL_CALLS, Who::Customer, calls::calls),
        get(urls::portal_call("{call_id}"), Who::Customer, calls::call),
        get(urls::PORTAL_INVOICES, Who::Customer, invoices::invoices),
        get(urls::portal_invoice("{document_id}"), Who::Customer, invoices::invoice),
        get(urls::portal_invoice_line("{document_id}", "{line_id}"), Who::Customer, invoices::line),
        get(urls::portal_invoice_pdf("{document_id}"), Who::Customer, invoices::pdf),
        get(urls::PORTAL_PLAN, Who::Customer, plan::plan),
        get(urls::PORTAL_PAYMENT, Who::Customer, payment::payment),
        post(urls::PORTAL_PAYMENT, Who::Customer, payment::give),
        post(urls::portal_payment_removal("{method_id}"), Who::Customer, payment::remove),
        get(urls::PORTAL_PRICES, Who::Customer, prices::prices),
    ]
}

/// The customer who is signed in, and the zone in which its days are counted.
async fn customer_of(who: &PortalCustomer, tx: &CustomerTx) -> PageResult<(Customer, TimeZone)> {
    let customer = subscription::customer(tx, who.customer_id).await?.ok_or(PageError::NotFound)?;
    let zone = TimeZone::get(&customer.time_zone).unwrap_or_else(|_| who.zone.clone());
    Ok((customer, zone))
}
