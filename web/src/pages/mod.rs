//! The handlers. Each one extracts who asks, opens one transaction, calls one domain function, commits when it changed
//! something, and answers a view or a redirect.
//! Never: a price, a sum, a query. Invariant: every route is in [`table`], which tests walk with every kind of session.
//! Start at `door.rs`, then `book` (the pages of operator, reseller and tenant), `desk.rs` and `portal.rs`.

pub mod assets;
pub mod book;
pub mod desk;
mod desk_dial;
pub mod door;
pub mod form;
pub mod health;
mod offer;
pub mod phone;
pub mod portal;
pub mod public;

use crate::error::PageError;
use crate::host::Sites;
use crate::urls::Audience;
use crate::{answer, host, refusal, security};
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::{Next, from_fn};
use actix_web::{FromRequest, Handler, Responder, Route, web};

/// For whom an address exists. For everybody else it is 404, or the sign-in page when nobody is signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Also somebody who is not signed in.
    Anybody,
    /// Whoever is signed in.
    SignedIn,
    /// Members of organisations of one kind.
    Book(Audience),
    Agent,
    Customer,
    /// An agent's phone, by its token.
    Phone,
}

/// One address.
pub struct Entry {
    pub method: Method,
    /// With `{names}` where values stand.
    pub path: String,
    pub who: Who,
    route: Route,
}

fn entry<F, Args>(method: Method, path: impl Into<String>, who: Who, handler: F) -> Entry
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    Entry { route: web::method(method.clone()).to(handler), method, path: path.into(), who }
}

/// `GET path`
pub fn get<F, Args>(path: impl Into<String>, who: Who, handler: F) -> Entry
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    entry(Method::GET, path, who, handler)
}

/// `POST path`
pub fn post<F, Args>(path: impl Into<String>, who: Who, handler: F) -> Entry
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    entry(Method::POST, path, who, handler)
}

/// `GET` under the prefix of each of these audiences: `book_get(&Audience::ALL, "calls/{id}", call)`; `""` is the first page.
pub fn book_get<F, Args>(audiences: &[Audience], rest: &str, handler: F) -> Vec<Entry>
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    audiences.iter().map(|audience| get(under(*audience, rest), Who::Book(*audience), handler.clone())).collect()
}

/// `POST` under the prefix of each of these audiences.
pub fn book_post<F, Args>(audiences: &[Audience], rest: &str, handler: F) -> Vec<Entry>
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    audiences.iter().map(|audience| post(under(*audience, rest), Who::Book(*audience), handler.clone())).collect()
}

fn under(audience: Audience, rest: &str) -> String {
    if rest.is_empty() { audience.home() } else { format!("{}/{rest}", audience.prefix()) }
}

/// Every address there is. Of two that fit, the first one answers.
pub fn table() -> Vec<Entry> {
    [
        health::routes(),
        assets::routes(),
        phone::routes(),
        door::routes(),
        public::routes(),
        desk::routes(),
        desk_dial::routes(),
        portal::routes(),
        book::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The API and all pages, with what stands round every request: from the outside in, headers, host, page of a refusal, origin and token.
pub fn routes(cfg: &mut web::ServiceConfig) {
    cfg.app_data(web::Data::new(Sites::default()));
    cfg.configure(crate::api::routes);
    let mut pages = web::scope("");
    for entry in table() {
        pages = pages.route(&entry.path, entry.route);
    }
    cfg.service(
        pages
            .default_service(web::to(nothing_here))
            .wrap(from_fn(shown_once))
            .wrap(from_fn(security::guard))
            .wrap(from_fn(refusal::dress))
            .wrap(from_fn(host::know_the_host))
            .wrap(from_fn(security::headers)),
    );
}

async fn nothing_here() -> Result<&'static str, PageError> {
    Err(PageError::NotFound)
}

/// A notice is on one page only.
async fn shown_once(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse, actix_web::Error> {
    let mut response = next.call(request).await?.map_into_boxed_body();
    let request = response.request().clone();
    answer::forget_shown_notice(&request, response.response_mut());
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_address_is_there_once() {
        let mut seen = BTreeSet::new();
        for entry in table() {
            assert!(
                seen.insert((entry.method.to_string(), entry.path.clone())),
                "{} {} twice",
                entry.method,
                entry.path
            );
        }
    }

    #[test]
    fn what_belongs_to_an_audience_stands_under_its_prefix() {
        for entry in table() {
            let prefix = match entry.who {
                Who::Book(audience) => audience.prefix(),
                Who::Agent => "/agent",
                Who::Customer => "/portal",
                Who::Anybody | Who::SignedIn | Who::Phone => continue,
            };
            assert!(entry.path == prefix || entry.path.starts_with(&format!("{prefix}/")), "{}", entry.path);
        }
    }
}
