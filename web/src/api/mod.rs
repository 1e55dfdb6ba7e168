//! The `/v1` API: the same domain as the pages, for other systems. A handler takes what was read, calls one domain function and
//! shows the result; key, scope, rate, idempotency and commit are the door's.
//! Never: a price, a sum, a query. Invariants: every route is in [`table`], which the document and the tests walk; the tenant
//! comes from the key alone; amounts and numbers are texts, never floats.
//! Start at `route.rs`, then `door.rs`; the nouns stand beside them.

mod advice;
mod body;
mod calculators;
mod calls;
mod carriers;
mod cdr;
mod changes;
mod coupons;
mod customers;
mod decks;
mod documents;
mod door;
mod drafts;
mod entitlements;
mod estimates;
mod events;
pub mod events_body;
mod imports;
mod invoices;
mod ledger;
pub mod limit;
mod list;
pub(crate) mod meters;
mod methods;
mod moves;
mod numbers;
mod openapi;
mod outgoing;
mod plans;
mod previews;
mod problem;
mod quotes;
mod route;
mod settlements;
mod shapes;
mod splits;
mod subscriptions;
mod tariffs;
mod terms;
mod timeline;
mod usage;
mod wallets;

pub use door::key_mode;
pub use openapi::document;
pub use problem::{ApiResult, Problem};
pub use route::Route;

use crate::refusal::RequestId;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::{Next, from_fn};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};

/// Where it begins.
pub const PREFIX: &str = "/v1";
/// The document, open to everybody.
pub const DOCUMENT: &str = "/v1/openapi.json";

/// Every address that asks for a key.
pub fn table() -> Vec<Route> {
    [
        plans::routes(),
        drafts::routes(),
        moves::routes(),
        coupons::routes(),
        tariffs::routes(),
        numbers::routes(),
        splits::routes(),
        customers::routes(),
        methods::routes(),
        timeline::routes(),
        subscriptions::routes(),
        changes::routes(),
        usage::routes(),
        events::routes(),
        meters::routes(),
        decks::routes(),
        carriers::routes(),
        outgoing::routes(),
        invoices::routes(),
        calls::routes(),
        imports::routes(),
        cdr::routes(),
        wallets::routes(),
        calculators::routes(),
        previews::routes(),
        advice::routes(),
        entitlements::routes(),
        estimates::routes(),
        quotes::routes(),
        settlements::routes(),
        ledger::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The first list that a group has: an address to try a new key at.
pub fn first_list(group: tenant::ScopeGroup) -> Option<&'static str> {
    let is_list = |route: &Route| route.method == Method::GET && route.names().next().is_none();
    let needs_nothing = |route: &Route| (route.takes)().parameters.iter().all(|parameter| !is_required(parameter));
    let mut routes = table().into_iter();
    routes.find(|route| route.scope.group == group && is_list(route) && needs_nothing(route)).map(|route| route.path)
}

fn is_required(parameter: &utoipa::openapi::path::Parameter) -> bool {
    matches!(parameter.required, utoipa::openapi::Required::True)
}

/// All addresses, with what stands round every request: from the outside in, headers, id, host.
pub fn routes(cfg: &mut web::ServiceConfig) {
    let mut api = web::scope(PREFIX);
    let mut paths: Vec<(&'static str, Vec<Route>)> = Vec::new();
    for route in table() {
        match paths.iter_mut().find(|(path, _)| *path == route.path) {
            Some((_, routes)) => routes.push(route),
            None => paths.push((route.path, vec![route])),
        }
    }
    for (path, routes) in paths {
        let methods: Vec<Method> = routes.iter().map(|route| route.method.clone()).collect();
        let mut resource = web::resource(&path[PREFIX.len()..]);
        for route in routes {
            let method = route.method.clone();
            let handler = move |request, payload| door::answer(route.clone(), request, payload);
            resource = resource.route(web::method(method).to(handler));
        }
        let other = move |request: HttpRequest| {
            let answer = door::nothing_here(&request, &methods);
            async move { answer }
        };
        api = api.service(resource.default_service(web::to(other)));
    }
    let api = api
        .service(web::resource(&DOCUMENT[PREFIX.len()..]).route(web::get().to(openapi::show)))
        .default_service(web::to(nothing_here))
        .wrap(from_fn(know_the_request))
        .wrap(from_fn(crate::security::headers));
    cfg.service(api);
}

async fn nothing_here(request: HttpRequest) -> HttpResponse {
    door::nothing_here(&request, &[])
}

/// Gives the request its id and its host; an unknown host is answered as the API answers, not with a page.
async fn know_the_request(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let id = RequestId::random();
    request.extensions_mut().insert(id.clone());
    let problem = match crate::host::site_of(&request).await {
        Ok(Some(site)) => {
            request.extensions_mut().insert(site);
            None
        }
        Ok(None) => Some(crate::error::PageError::Misdirected.into()),
        Err(error) => Some(Problem::from(error)),
    };
    let mut response = match problem {
        None => next.call(request).await?.map_into_boxed_body(),
        Some(problem) => {
            let answer = door::refuse(request.request(), &problem, &id.0);
            request.into_response(answer)
        }
    };
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        response.headers_mut().insert(HeaderName::from_static("x-request-id"), value);
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_address_is_there_once_and_below_the_prefix() {
        let mut seen = BTreeSet::new();
        for route in table() {
            assert!(route.path.starts_with("/v1/"), "{}", route.path);
            assert!(seen.insert((route.method.to_string(), route.path)), "{} {} twice", route.method, route.path);
        }
    }
}
