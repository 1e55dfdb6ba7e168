//! The pages of a book: the same for operator, reseller and tenant; the first part of the path says whose.
//! Each handler reads what its page says in one transaction, and hands it to a function that knows no database.

mod account;
mod account_settlements;
mod advice;
mod agents;
mod beneath;
mod brand;
pub(super) mod call;
mod call_reversal;
mod calls;
mod carrier_trunk;
mod carriers;
mod coupons;
mod customer;
mod customer_outgoing;
mod customers;
mod deck;
mod deck_version;
mod decks;
mod dry_run;
mod edges;
mod estimates;
mod find;
pub(super) mod foot;
mod home;
mod imports;
pub mod invoice;
mod invoices;
mod keys;
mod ledger;
mod ledger_entries;
mod lines;
mod live;
mod meters;
pub(super) mod methods;
mod needs;
mod new_agent;
mod new_customer;
mod new_quote;
mod number;
mod number_sale;
mod numbers;
mod outgoing;
mod outgoing_line;
pub mod owed;
mod payment;
mod plan;
mod plan_edit;
mod plan_moves;
mod plan_new;
mod plans;
pub(super) mod prices;
mod quotes;
mod route_trial;
mod route_words;
mod run;
mod runs;
mod settlement_moves;
mod settlements;
mod span;
mod splits;
pub(super) mod subscription;
mod suspense;
mod suspense_entries;
mod tariff_new;
mod terms;
mod usage;
mod usage_parts;
pub(super) mod wallet;
mod wallet_recharge;
pub(super) mod why;
pub(crate) mod words;

pub(crate) use imports::import_report;
pub(super) use terms::prices_of;

use super::{Entry, book_get, book_post};
use crate::error::PageResult;
use crate::extract::Member;
use crate::shell::{Section, Shell};
use crate::urls::Audience;
use actix_web::HttpResponse;
use db::TenantTx;

/// The addresses of this room.
pub fn routes() -> Vec<Entry> {
    let mut routes = selling();
    routes.extend(running());
    routes.extend(settling());
    routes.extend(numbering());
    routes.extend(going_out());
    routes
}

/// Calls that go out: prices, carriers, limits.
fn going_out() -> Vec<Entry> {
    let all = &Audience::ALL;
    [
        book_get(all, "decks", decks::decks),
        book_get(all, "decks/new", decks::form),
        book_post(all, "decks", decks::create),
        book_get(all, "decks/{deck_id}", deck::deck),
        book_post(all, "decks/{deck_id}/versions", deck::import),
        book_get(all, "decks/{deck_id}/versions/{version}", deck_version::version),
        book_post(all, "decks/{deck_id}/publications", deck::publish),
        book_post(all, "decks/{deck_id}/withdrawal", deck::withdraw),
        book_get(all, "carriers", carriers::carriers),
        book_get(all, "carriers/new", carriers::form),
        book_post(all, "carriers", carriers::create),
        book_get(all, "carriers/{carrier_id}", carriers::carrier),
        book_post(all, "carriers/{carrier_id}", carriers::change),
        book_post(all, "carriers/{carrier_id}/trunk", carrier_trunk::set),
        book_get(all, "routes", route_trial::trial),
        book_get(all, "outgoing", outgoing::outgoing),
        book_post(all, "outgoing", outgoing::set_policy),
        book_post(all, "outgoing/limits", outgoing::set_limits),
        book_post(all, "outgoing/classes", outgoing::set_class),
        book_post(all, "outgoing/line", outgoing_line::set),
        book_get(all, "customers/{customer_id}/outgoing", customer_outgoing::outgoing),
        book_post(all, "customers/{customer_id}/outgoing", customer_outgoing::set),
        book_post(all, "customers/{customer_id}/destinations", customer_outgoing::set_destination),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Who buys, and what is sold.
fn selling() -> Vec<Entry> {
    let all = &Audience::ALL;
    [
        book_get(all, "customers", customers::customers),
        book_get(all, "customers/new", new_customer::form),
        book_post(all, "customers", new_customer::create),
        book_get(all, "customers/{customer_id}", customer::customer),
        book_post(all, "customers/{customer_id}/closure", customer::close),
        book_get(all, "customers/{customer_id}/subscriptions/new", subscription::start),
        book_post(all, "customers/{customer_id}/subscriptions", subscription::begin),
        book_get(all, "subscriptions/{subscription_id}/change", subscription::decide),
        book_post(all, "subscriptions/{subscription_id}/changes", subscription::ask),
        book_post(all, "subscriptions/{subscription_id}/changes/{change_id}/undo", subscription::undo),
        book_get(all, "customers/{customer_id}/next-bill", subscription::next_bill),
        book_get(all, "customers/{customer_id}/advice", advice::of_customer),
        book_get(all, "customers/{customer_id}/payments", payment::preview),
        book_post(all, "customers/{customer_id}/payments", payment::record),
        book_get(all, "customers/{customer_id}/wallet", wallet::wallet),
        book_post(all, "customers/{customer_id}/wallet/credits", wallet::give),
        book_post(all, "customers/{customer_id}/wallet/credit-limit", wallet::limit),
        book_post(all, "customers/{customer_id}/wallet/recharge", wallet_recharge::agree),
        book_post(all, "customers/{customer_id}/wallet/recharge/reset", wallet_recharge::reset),
        book_post(all, "customers/{customer_id}/payment-methods", methods::grant),
        book_post(all, "customers/{customer_id}/payment-methods/{method_id}/removal", methods::remove),
        book_get(all, "coupons", coupons::coupons),
        book_get(all, "coupons/new", coupons::form),
        book_post(all, "coupons", coupons::create),
        book_get(all, "coupons/{coupon_id}", coupons::coupon),
        book_post(all, "coupons/{coupon_id}/archiving", coupons::archive),
        book_get(all, "plans", plans::plans),
        book_get(all, "plans/new", plan_new::form),
        book_post(all, "plans", plan_new::create),
        book_get(all, "plans/{plan_id}", plan::plan),
        book_get(all, "plans/{plan_id}/draft", plan_edit::edit),
        book_post(all, "plans/{plan_id}/draft", plan_edit::act),
        book_post(all, "plans/{plan_id}/draft/removal", plan_edit::discard),
        book_get(all, "plans/{plan_id}/draft/review", plan_edit::review),
        book_post(all, "plans/{plan_id}/versions", plan_edit::publish),
        book_post(all, "plans/{plan_id}/archiving", plan_edit::archive),
        book_get(all, "plans/{plan_id}/moves", plan_moves::page),
        book_post(all, "plans/{plan_id}/moves", plan_moves::make),
        book_post(all, "plans/{plan_id}/moves/{change_id}/undo", plan_moves::undo),
        book_get(all, "quotes", quotes::quotes),
        book_get(all, "quotes/new", new_quote::form),
        book_post(all, "quotes", new_quote::create),
        book_get(all, "quotes/{quote_id}", quotes::quote),
        book_get(all, "quotes/{quote_id}/pdf", quotes::pdf),
        book_post(all, "quotes/{quote_id}/links", quotes::link),
        book_post(all, "quotes/{quote_id}/sendings", quotes::send),
        book_post(all, "quotes/{quote_id}/withdrawal", quotes::withdraw),
        book_get(all, "estimates", estimates::estimates),
        book_get(all, "estimates/{estimate_id}", estimates::estimate),
        book_get(all, "estimates/{estimate_id}/csv", estimates::csv),
        book_get(all, "estimates/{estimate_id}/pdf", estimates::pdf),
        book_post(all, "estimates/{estimate_id}/links", estimates::link),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Numbers: sold from above, set up where calls arrive, each topic with its tariff.
fn numbering() -> Vec<Entry> {
    let tenant = &[Audience::Tenant];
    [
        book_get(&Audience::ALL, "numbers", numbers::numbers),
        book_get(tenant, "tariffs/new", tariff_new::form),
        book_post(tenant, "tariffs", tariff_new::publish),
        book_get(tenant, "numbers/{number_id}", number::number),
        book_post(tenant, "numbers/{number_id}", number::set),
        book_post(tenant, "numbers/{number_id}/topics", number::set_topic),
        book_post(tenant, "numbers/{number_id}/topics/{digit}/removal", number::remove_topic),
        book_get(settlements::SELLERS, "numbers/new", number_sale::form),
        book_post(settlements::SELLERS, "numbers", number_sale::add),
        book_get(settlements::SELLERS, "numbers/{number_id}/assignments", number_sale::give),
        book_post(settlements::SELLERS, "numbers/{number_id}/assignments", number_sale::assign),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Calls, agents, usage, documents and the ledger.
fn running() -> Vec<Entry> {
    let all = &Audience::ALL;
    let tenant = &[Audience::Tenant];
    let has_seller = &[Audience::Reseller, Audience::Tenant];
    [
        book_get(all, "", home::home),
        book_get(all, "find", find::find),
        book_get(&[Audience::Operator], "edges", edges::edges),
        book_post(&[Audience::Operator], "edges/bans/lifting", edges::lift),
        book_get(tenant, "live", live::live),
        book_get(tenant, "live/events", live::events),
        book_get(tenant, "calls", calls::calls),
        book_get(tenant, "calls/{call_id}", call::call),
        book_post(tenant, "calls/{call_id}/end", live::end),
        book_get(tenant, "calls/{call_id}/reversal", call_reversal::form),
        book_post(tenant, "calls/{call_id}/reversal", call_reversal::create),
        book_get(tenant, "agents", agents::agents),
        book_get(tenant, "agents/new", new_agent::form),
        book_post(tenant, "agents", new_agent::create),
        book_get(all, "invoices", invoices::invoices),
        book_get(all, "invoices/{document_id}", invoice::invoice),
        book_get(all, "invoices/{document_id}/pdf", invoice::pdf),
        book_get(all, "invoices/{document_id}/lines/{line_id}", invoice::line),
        book_get(all, "drafts/{draft_id}", invoice::draft),
        book_get(all, "drafts/{draft_id}/pdf", invoice::draft_pdf),
        book_get(all, "drafts/{draft_id}/lines/{line_id}", invoice::draft_line),
        book_post(all, "drafts/{draft_id}/voiding", invoice::void),
        book_get(all, "runs", runs::runs),
        book_post(all, "runs", runs::start),
        book_get(all, "runs/{run_id}", run::run),
        book_get(all, "runs/{run_id}/events", run::events),
        book_post(all, "runs/{run_id}/finalization", run::finalize),
        book_post(all, "runs/{run_id}/retry", run::retry),
        book_get(all, "meters", meters::meters),
        book_get(all, "meters/new", meters::form),
        book_post(all, "meters", meters::define),
        book_get(all, "imports", imports::imports),
        book_get(all, "imports/new", imports::form),
        book_post(all, "imports", imports::upload),
        book_get(all, "imports/{import_id}", imports::import),
        book_get(all, "imports/{import_id}/events", imports::events),
        book_get(all, "imports/{import_id}/report", imports::report),
        book_post(all, "imports/{import_id}/settings", imports::set),
        book_post(all, "imports/{import_id}/trial", imports::trial),
        book_post(all, "imports/{import_id}/start", imports::start),
        book_post(all, "imports/{import_id}/stop", imports::stop),
        book_post(all, "imports/{import_id}/removal", imports::remove),
        book_get(all, "usage", usage::usage),
        book_get(all, "suspense", suspense::causes),
        book_get(all, "suspense/{cause}", suspense::cause),
        book_post(all, "suspense/{cause}/decisions", suspense::decide),
        book_post(all, "runs/{run_id}/abandonment", run::abandon),
        book_get(all, "ledger", ledger::ledger),
        book_get(all, "ledger/entries", ledger_entries::entries),
        book_get(all, "ledger/entries/csv", ledger_entries::file),
        book_get(all, "ledger/{account}", ledger::statement),
        book_get(all, "settings/api-keys", keys::keys),
        book_post(all, "settings/api-keys", keys::create),
        book_post(all, "settings/api-keys/{key_id}/revocation", keys::revoke),
        book_get(has_seller, "settings/brand", brand::brand),
        book_post(has_seller, "settings/brand", brand::save),
        book_post(has_seller, "settings/brand/hosts", brand::claim),
        book_post(has_seller, "settings/brand/hosts/check", brand::check),
        book_post(has_seller, "settings/brand/hosts/removal", brand::remove),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// With the seller above and the partners below: the account, what numbers earn and who gets it.
fn settling() -> Vec<Entry> {
    let has_seller = &[Audience::Reseller, Audience::Tenant];
    [
        book_get(has_seller, "account", account::account),
        book_get(has_seller, "account/next-bill", account::next_bill),
        book_get(has_seller, "account/advice", advice::of_account),
        book_get(has_seller, "account/invoices/{document_id}", account::invoice),
        book_get(has_seller, "account/invoices/{document_id}/lines/{line_id}", account::line),
        book_get(has_seller, "account/invoices/{document_id}/pdf", account::pdf),
        book_get(has_seller, "account/settlements", account_settlements::settlements),
        book_get(has_seller, "account/settlements/{settlement_id}", account_settlements::settlement),
        book_get(has_seller, "account/settlements/{settlement_id}/pdf", account_settlements::pdf),
        book_get(has_seller, "account/settlements/{settlement_id}/csv", account_settlements::calls),
        book_get(settlements::SELLERS, "settlements", settlements::settlements),
        book_get(settlements::SELLERS, "settlements/{settlement_id}", settlements::settlement),
        book_get(settlements::SELLERS, "settlements/{settlement_id}/pdf", settlements::pdf),
        book_post(settlements::SELLERS, "settlements/{settlement_id}/issue", settlement_moves::issue),
        book_post(settlements::SELLERS, "settlements/{settlement_id}/discard", settlement_moves::discard),
        book_post(settlements::SELLERS, "settlements/{settlement_id}/redraft", settlement_moves::redraft),
        book_post(settlements::SELLERS, "settlements/{settlement_id}/payout", settlement_moves::pay),
        book_get(settlements::SELLERS, "numbers/{number_id}/split", splits::of_number),
        book_post(settlements::SELLERS, "numbers/{number_id}/split", splits::agree_number),
        book_get(settlements::SELLERS, "customers/{customer_id}/split", splits::of_customer),
        book_post(settlements::SELLERS, "customers/{customer_id}/split", splits::agree_customer),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The page's surroundings. A tenant's navigation says how many calls run.
async fn shell(member: &Member, tx: &TenantTx, title: impl Into<String>, section: Section) -> PageResult<Shell> {
    let running = match member.audience {
        Audience::Tenant => call_control::live_calls(tx, member.now).await?.len(),
        Audience::Operator | Audience::Reseller => 0,
    };
    Ok(member.shell(title, section, u32::try_from(running).unwrap_or(u32::MAX)))
}

/// A PDF, shown in the browser and saved under this name. It is somebody's bill: no cache may keep it.
pub(super) fn pdf_answer(name: &str, bytes: Vec<u8>) -> HttpResponse {
    let name: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect();
    HttpResponse::Ok()
        .content_type("application/pdf")
        .insert_header(("content-disposition", format!("inline; filename=\"{name}.pdf\"")))
        .insert_header(("cache-control", "private, no-store"))
        .body(bytes)
}
