//! The API: every address is tried with the key of everybody, and with the ids of rows that exist in somebody else's book, in
//! the path, in the query and in the body. The answer is "not found"; without a key it is "bring one".

use super::api_routes::API;
use manual::{Machine, Program};
use ringtill::demo::VOXHOUSE_HOST;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use tenant::Scope;

/// Slug and host of each organisation.
const BOOKS: [(&str, &str); 4] =
    [("ringtill", "localhost"), ("voxhouse", VOXHOUSE_HOST), ("nordlicht", "localhost"), ("brightline", VOXHOUSE_HOST)];
/// Open to everybody: what there is to ask for.
const OPEN: &str = "/v1/openapi.json";

/// Ids of one book, by the name that stands in paths and bodies.
type Ids = BTreeMap<&'static str, String>;

#[test]
fn the_addresses_tried_here_are_all_the_addresses_there_are() {
    let served: BTreeSet<(String, String)> = ringtill::api::table()
        .iter()
        .map(|route| (route.method.to_string(), route.path.to_owned()))
        .chain([("GET".to_owned(), ringtill::api::DOCUMENT.to_owned())])
        .collect();
    let tried: BTreeSet<(String, String)> =
        API.iter().map(|(method, path)| ((*method).to_owned(), (*path).to_owned())).collect();
    let untried: Vec<_> = served.difference(&tried).collect();
    let gone: Vec<_> = tried.difference(&served).collect();
    assert!(untried.is_empty() && gone.is_empty(), "not tried: {untried:#?}\nnot served: {gone:#?}");
}

/// What follows a path so that a refusal is never about the query.
fn query(method: &str, path: &str) -> &'static str {
    match path {
        _ if method != "GET" => "",
        "/v1/subscriptions" => "?customer={customer_id}",
        "/v1/entitlements" => "?customer={customer_id}",
        "/v1/calls" => "?customer={customer_id}&from=2020-01-01T00:00:00Z",
        "/v1/invoices" | "/v1/settlements" | "/v1/ledger/entries" => "?customer={customer_id}",
        "/v1/ledger/accounts/{account}/balance" => "?customer={customer_id}",
        "/v1/usage" => "?meter=calls&from=2026-01-01T00:00:00Z&to=2026-12-31T00:00:00Z&customer={customer_id}",
        "/v1/decks/{deck_id}/changes" => "?version=1",
        "/v1/decks/{deck_id}/losses" => "?against={deck_id}",
        "/v1/spend-alerts" => "?customer={customer_id}",
        "/v1/usage/hours" => "?meter=calls&from=2026-01-01T00:00:00Z&to=2026-02-01T00:00:00Z",
        _ => "",
    }
}

/// What is sent so that a refusal is never about the body; `None` where nothing is sent.
fn body(method: &str, path: &str) -> Option<Value> {
    let price = json!({"model": "per_unit", "unit": "1"});
    let component = json!({"key": "base", "kind": "flat", "name": "Base", "price": price, "billed": "in_advance"});
    let terms = json!({"currency": "EUR", "trial_days": 0, "components": [component]});
    let quote = json!({"plan_name": "A stranger's", "terms": terms, "customer": "{customer_id}", "valid_until": "2040-01-01T00:00:00Z"});
    match (method, path) {
        ("GET" | "DELETE", _) => None,
        ("POST", "/v1/quotes") => Some(quote),
        ("POST", "/v1/quotes/{quote_id}/sendings") => Some(json!({"email": "office@nordwind.example"})),
        ("POST", "/v1/decks") => Some(json!({"name": "A stranger's", "kind": "sell", "currency": "EUR"})),
        ("POST", "/v1/decks/{deck_id}/versions") => Some(json!("prefix,rate\n49,0.5")),
        ("POST", "/v1/decks/{deck_id}/publications") => Some(json!({"version": 1})),
        ("POST", "/v1/carriers") => Some(json!({"code": "stranger", "name": "A stranger's", "cost_deck": "{deck_id}"})),
        ("PATCH", "/v1/carriers/{carrier_id}") => Some(json!({"name": "A stranger's"})),
        ("PUT", "/v1/outgoing-policy") => Some(json!({
            "sell_deck": "{deck_id}", "loss_guard": "refuse", "minimum_margin_percent": "0", "minimum_answer_percent": "0"
        })),
        ("PUT", path) if path.ends_with("outgoing-limits") => Some(json!({"is_open": true})),
        ("PUT", "/v1/customers/{customer_id}/destinations/{code}") => Some(json!({"is_open": true})),
        ("PUT", "/v1/destination-classes/{code}") => {
            Some(json!({"name": "A stranger's", "prefixes": ["49"], "is_open": true}))
        }
        ("POST", "/v1/route-trials") => Some(json!({"customer": "{customer_id}", "called": "+4930123456"})),
        ("POST", "/v1/outgoing-calls") => Some(json!({
            "call_id": "01a3f0e2-8f6e-7cc4-98b1-3a1f2f7a2a10", "customer": "{customer_id}", "from": "+4930123456",
            "called": "+4930123457", "started_at": "2026-01-01T00:00:00Z", "ended_at": "2026-01-01T00:01:00Z"
        })),
        ("POST", "/v1/quote-acceptances") => Some(json!({"token": "{token}", "accepted_by": "A stranger"})),
        ("POST", "/v1/subscriptions/{subscription_id}/change-previews") => Some(json!({"kind": "seats", "seats": 7})),
        ("POST", "/v1/plans" | "/v1/add-ons") => Some(json!({"code": "a-stranger", "name": "A stranger"})),
        ("POST", "/v1/plans/{plan_id}/versions") => Some(terms),
        ("POST", "/v1/plans/{plan_id}/dry-runs") => Some(json!({ "terms": terms })),
        ("POST", "/v1/plans/{plan_id}/move-previews" | "/v1/plans/{plan_id}/moves") => {
            Some(json!({"to": "{plan_version_id}", "when": "now", "subscriptions": ["{subscription_id}"]}))
        }
        ("POST", "/v1/customers/{customer_id}/payment-methods") => Some(json!({"kind": "on_invoice"})),
        ("PATCH", "/v1/subscriptions/{subscription_id}") => Some(json!({"trial_end": "cancel"})),
        ("POST", "/v1/customers") => Some(json!({"name": "A stranger", "billing": "postpaid"})),
        ("PATCH", "/v1/customers/{customer_id}") => Some(json!({"name": "A stranger"})),
        ("POST", "/v1/subscriptions" | "/v1/subscription-previews") => {
            Some(json!({"customer": "{customer_id}", "plan_version": "{plan_version_id}"}))
        }
        ("POST", "/v1/subscriptions/{subscription_id}/changes") => Some(json!({"kind": "seats", "seats": 7})),
        ("POST", "/v1/coupons") => Some(json!({"code": "STRANGER", "name": "A stranger", "percent_off": "100"})),
        ("POST", "/v1/customers/{customer_id}/credits") => {
            Some(json!({"amount": {"amount": "1", "currency": "EUR"}, "memo": "a stranger's"}))
        }
        ("PUT", "/v1/customers/{customer_id}/credit-limit") => {
            Some(json!({"amount": {"amount": "1", "currency": "EUR"}}))
        }
        ("PUT", "/v1/customers/{customer_id}/auto-recharge") => {
            let euro = json!({"amount": "1", "currency": "EUR"});
            Some(json!({
                "is_on": true, "below": euro, "amount": euro, "day_cap": euro, "month_cap": euro, "cool_off_seconds": 0
            }))
        }
        ("POST", "/v1/settlements/{settlement_id}/payout") => {
            Some(json!({"paid_on": "2026-01-01", "reference": "a stranger's"}))
        }
        ("POST", "/v1/settlements/{settlement_id}/discard") => Some(json!({"reason": "a stranger's"})),
        ("POST", "/v1/tariffs" | "/v1/tariff-previews") => {
            Some(json!({"name": "A stranger's", "tariff": {"rate": "0.50"}}))
        }
        ("PUT", "/v1/customers/{customer_id}/split") => {
            Some(json!({"share_percent": "30", "collection": "tenant", "of": "received"}))
        }
        ("POST", "/v1/subscriptions/{subscription_id}/coupons") => Some(json!({"code": "STRANGER"})),
        _ => Some(json!({})),
    }
}

fn filled(text: &str, ids: &Ids) -> String {
    ids.iter().fold(text.replace("{account}", "wallet"), |text, (name, id)| text.replace(&format!("{{{name}}}"), id))
}

async fn ids_of(machine: &Machine) -> Ids {
    let mut ids = Ids::new();
    for (name, path) in [
        ("customer_id", "/v1/customers?limit=100"),
        ("plan_id", "/v1/plans"),
        ("document_id", "/v1/invoices?limit=1"),
        ("call_id", "/v1/calls?limit=1"),
        ("import_id", "/v1/imports?limit=1"),
        ("settlement_id", "/v1/settlements?limit=1"),
    ] {
        let (status, list) = machine.get(path).await;
        assert_eq!(status, 200, "{path}: {list}");
        if let Some(first) = first_of(&list["data"]) {
            ids.insert(name, first["id"].as_str().expect("a row has an id").to_owned());
            if let Some(version) = first["newest_version"]["id"].as_str() {
                ids.insert("plan_version_id", version.to_owned());
            }
        }
        for customer in list["data"].as_array().into_iter().flatten().filter(|_| name == "customer_id") {
            let id = customer["id"].as_str().expect("a customer has an id");
            let (_, subscriptions) = machine.get(&format!("/v1/subscriptions?customer={id}")).await;
            if let Some(subscription) = subscriptions["data"][0]["id"].as_str() {
                ids.insert("subscription_id", subscription.to_owned());
                break;
            }
        }
    }
    let made =
        machine.send("POST", "/v1/decks", Some(&json!({"name": "Isolated", "kind": "cost", "currency": "EUR"}))).await;
    let deck = made.1["id"].as_str().expect("a deck has an id").to_owned();
    let imported =
        machine.send("POST", &format!("/v1/decks/{deck}/versions"), Some(&json!("prefix,rate\n49,0.02"))).await;
    assert_eq!(imported.0, 201, "{}", imported.1);
    let carrier = json!({"code": "isolated", "name": "Isolated", "cost_deck": deck});
    let carrier = machine.send("POST", "/v1/carriers", Some(&carrier)).await.1;
    ids.insert("carrier_id", carrier["id"].as_str().expect("a carrier has an id").to_owned());
    ids.insert("deck_id", deck);
    ids.insert("code", "satellite".to_owned());
    let tariff = json!({"name": "Isolated", "tariff": {"rate": "0.50"}});
    let tariff = machine.send("POST", "/v1/tariffs", Some(&tariff)).await.1;
    ids.insert("tariff_id", tariff["id"].as_str().expect("a tariff has an id").to_owned());
    // Nothing was changed in the demo world: an id of nobody's, of the right kind.
    ids.insert("change_id", db::ChangeId::new().to_string());
    ids.insert("coupon_id", db::CouponId::new().to_string());
    ids.insert("method_id", db::PaymentMethodId::new().to_string());
    ids.entry("settlement_id").or_insert_with(|| db::SettlementId::new().to_string());
    ids
}

/// The first row, or the first customer with a wallet where there is one.
fn first_of(rows: &Value) -> Option<&Value> {
    let rows = rows.as_array()?;
    rows.iter().find(|row| row["billing"] == "prepaid").or(rows.first())
}

struct World {
    program: Program,
    books: Vec<(&'static str, Machine, Ids)>,
}

async fn world() -> World {
    let program = Program::on_the_demo_world().await;
    let scopes: Vec<&str> = Scope::all().map(Scope::as_str).collect();
    let mut books = Vec::new();
    for (slug, host) in BOOKS {
        let machine = Machine::with_key(&program, host, slug, &scopes);
        let ids = ids_of(&machine).await;
        books.push((slug, machine, ids));
    }
    let kinds: BTreeSet<_> = books.iter().flat_map(|(_, _, ids)| ids.keys()).collect();
    assert_eq!(kinds.len(), 15, "the demo world has rows of every kind: {kinds:?}");
    World { program, books }
}

/// Is a row named anywhere in the request?
fn names_a_row(method: &str, path: &str) -> bool {
    let whole = format!("{path}{}{}", query(method, path), body(method, path).unwrap_or_default());
    whole.contains("_id}") || whole.contains("{token}")
}

#[tokio::test]
async fn no_key_opens_a_row_of_another_book() {
    let world = world().await;
    let (mut broken, mut tried) = (Vec::new(), 0);
    for (method, path) in API.iter().copied().filter(|(method, path)| names_a_row(method, path)) {
        for (own, machine, own_ids) in &world.books {
            for (keeper, _, ids) in world.books.iter().filter(|(keeper, ..)| keeper != own) {
                // Everything foreign, and then each id alone among the caller's own.
                let mut mixes = vec![ids.clone()];
                mixes.extend(ids.iter().map(|(name, id)| {
                    let mut mixed = own_ids.clone();
                    mixed.insert(name, id.clone());
                    mixed
                }));
                for mixed in mixes {
                    let there = filled(&format!("{path}{}", query(method, path)), &mixed);
                    let given = body(method, path).map(|body| filled(&body.to_string(), &mixed));
                    let whole = format!("{there} {}", given.clone().unwrap_or_default());
                    let is_foreign =
                        ids.values().any(|id| whole.contains(id.as_str()) && !own_ids.values().any(|own| own == id));
                    if whole.contains("_id}") || !is_foreign {
                        continue;
                    }
                    let given = given.map(|given| serde_json::from_str(&given).expect("a body stays JSON"));
                    let (status, answer) = machine.send(method, &there, given.as_ref()).await;
                    tried += 1;
                    // A list of what belongs to somebody else's customer is empty, or there is no such customer.
                    let is_empty = status == 200 && answer["data"] == json!([]);
                    // In a body it is refused at its field, in the words for an id that nobody has.
                    let known = |error: &Value| error["code"] == "must_be_known";
                    let is_unknown =
                        status == 422 && answer["errors"].as_array().is_some_and(|all| all.iter().any(known));
                    if status != 404 && !is_empty && !is_unknown {
                        broken.push(format!("{own}, {method} {there} of {keeper}: {status} {answer}"));
                    }
                }
            }
        }
    }
    assert!(tried > 200, "{tried} requests");
    assert!(broken.is_empty(), "{} answers that are not 404:\n{}", broken.len(), broken.join("\n"));
    drop(world.program);
}

#[tokio::test]
async fn its_own_key_reads_every_address_of_a_book() {
    let world = world().await;
    let mut broken = Vec::new();
    for (method, path) in API.iter().copied().filter(|(method, _)| *method == "GET") {
        for (own, machine, ids) in &world.books {
            let there = filled(&format!("{path}{}", query(method, path)), ids);
            // The token is a quote's.
            if there.contains("_id}")
                || [
                    "/changes/",
                    "/coupons/",
                    "/draft",
                    "/shared-estimates/",
                    "/settlements/",
                    "/ledger/accounts/",
                    "/auto-recharge",
                ]
                .iter()
                .any(|part| there.contains(part))
            {
                continue;
            }
            let (status, answer) = machine.send(method, &there, None).await;
            let is_of_a_wallet = ["/wallet", "/credits", "/recharges"].iter().any(|end| path.ends_with(end));
            let has_wallet = !is_of_a_wallet || *own == "nordlicht";
            if status != 200 && has_wallet {
                broken.push(format!("{own}, {method} {there}: {status} {answer}"));
            }
        }
    }
    assert!(broken.is_empty(), "{} addresses that are not there:\n{}", broken.len(), broken.join("\n"));
    drop(world.program);
}

#[tokio::test]
async fn without_a_key_of_this_host_nothing_opens() {
    let world = world().await;
    let stranger = Machine::with_key(&world.program, "localhost", "brightline", &["customers:read"]);
    let mut broken = Vec::new();
    for (method, path) in API.iter().copied() {
        for (keeper, _, ids) in &world.books {
            let there = filled(&format!("{path}{}", query(method, path)), ids);
            for machine in [&Machine::at(&world.program, "localhost"), &stranger] {
                let (status, _) = machine.send(method, &there, body(method, path).as_ref()).await;
                let expected = if path == OPEN { 200 } else { 401 };
                if status != expected {
                    broken.push(format!("{method} {there} of {keeper}: {status}"));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{} answers to nobody:\n{}", broken.len(), broken.join("\n"));
}
