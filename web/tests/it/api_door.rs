//! The door of the API: who gets in, how far, how often, and that one request is one effect.

use crate::api::Machine;
use crate::browser::pages;
use crate::world::{VOSS, World, start};
use actix_web::http::Method;
use actix_web::test::TestRequest;
use chrono::TimeDelta;
use ringtill::api::{Route, limit, table};
use serde_json::json;
use std::collections::BTreeSet;
use tenant::{KeyMode, NewApiKey, Scope};
use uuid::Uuid;

/// An address with ids that nobody has.
fn filled(route: &Route) -> String {
    let mut path = route.path.to_owned();
    for name in route.names() {
        let id = Uuid::now_v7();
        let text = match name {
            "account" => "nobodys".to_owned(),
            "call_id" => db::CallId::from_uuid(id).to_string(),
            "change_id" => db::ChangeId::from_uuid(id).to_string(),
            "coupon_id" => db::CouponId::from_uuid(id).to_string(),
            "customer_id" => db::CustomerId::from_uuid(id).to_string(),
            "digit" => "3".to_owned(),
            "number_id" => db::NumberId::from_uuid(id).to_string(),
            "tariff_id" => db::TariffId::from_uuid(id).to_string(),
            "deck_id" => db::DeckId::from_uuid(id).to_string(),
            "carrier_id" => db::CarrierId::from_uuid(id).to_string(),
            "code" => "satellite".to_owned(),
            "document_id" => db::DocumentId::from_uuid(id).to_string(),
            "estimate_id" => db::EstimateId::from_uuid(id).to_string(),
            "import_id" => db::ImportId::from_uuid(id).to_string(),
            "method_id" => db::PaymentMethodId::from_uuid(id).to_string(),
            "quote_id" => db::QuoteId::from_uuid(id).to_string(),
            "settlement_id" => db::SettlementId::from_uuid(id).to_string(),
            "token" => "nobodys".to_owned(),
            "plan_id" => db::PlanId::from_uuid(id).to_string(),
            "subscription_id" => db::SubscriptionId::from_uuid(id).to_string(),
            other => panic!("{other} of {} has no kind here", route.path),
        };
        path = path.replace(&format!("{{{name}}}"), &text);
    }
    path
}

fn request(route: &Route) -> TestRequest {
    let request = TestRequest::with_uri(&filled(route)).method(route.method.clone());
    match route.method {
        Method::GET | Method::DELETE => request,
        _ => request
            .insert_header(("content-type", "application/json"))
            .insert_header(("idempotency-key", Uuid::now_v7().to_string()))
            .set_payload("{}"),
    }
}

#[actix_web::test]
async fn who_has_no_good_key_gets_one_answer_everywhere() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let good = world.mighty_key(world.nord).await;
    let under_the_brand = world.mighty_key(world.bright).await;
    let mut changed = good.clone();
    changed.replace_range(20..21, if &good[20..21] == "a" { "b" } else { "a" });
    let tx = world.nord().await;
    let short = NewApiKey {
        name: "short".into(),
        mode: KeyMode::Live,
        scopes: Scope::all().collect(),
        expires_at: Some(start()),
        by: "a test".into(),
    };
    let (_, expired) = tenant::create_api_key(&tx, &short, start() - TimeDelta::days(1)).await.unwrap();
    let development = NewApiKey { mode: KeyMode::Test, expires_at: None, ..short.clone() };
    let (_, development) = tenant::create_api_key(&tx, &development, start()).await.unwrap();
    let (id, revoked) = tenant::create_api_key(&tx, &NewApiKey { expires_at: None, ..short }, start()).await.unwrap();
    tenant::revoke_api_key(&tx, id, "a test", start()).await.unwrap();
    tx.commit().await.unwrap();
    let mut told = BTreeSet::new();
    for route in table() {
        for key in
            ["", "nonsense", &changed, expired.expose(), revoked.expose(), development.expose(), &under_the_brand]
        {
            let reply = Machine::new(&pages, key).send(request(&route)).await;
            assert_eq!(reply.refusal(), (401, "key_required".into()), "{} {} by {key}", route.method, route.path);
            assert_eq!(reply.header("www-authenticate"), "Bearer");
            told.insert(reply.json()["detail"].to_string());
        }
    }
    assert_eq!(told.len(), 1, "nobody learns which keys there are");
    let at_home = Machine::at(&pages, VOSS, under_the_brand);
    assert_eq!(at_home.get("/v1/plans").await.status, 200);
    assert_eq!(Machine::new(&pages, good).get("/v1/plans").await.status, 200);
}

#[actix_web::test]
async fn what_is_no_key_is_refused_without_asking_the_database() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let good = world.mighty_key(world.nord).await;
    let mut changed = good.clone();
    changed.replace_range(40..41, if &good[40..41] == "a" { "b" } else { "a" });
    world.database.as_owner("ALTER TABLE api_key RENAME TO api_key_away").await;
    assert_eq!(Machine::new(&pages, changed).get("/v1/plans").await.status, 401);
    let fault = Machine::new(&pages, good).get("/v1/plans").await;
    assert_eq!(fault.refusal(), (500, "internal".into()), "a good key does ask it");
    let id = fault.json()["request_id"].as_str().unwrap().to_owned();
    assert_eq!((id.len(), fault.header("x-request-id")), (16, id.as_str()));
    assert!(!fault.text().contains("relation") && !fault.text().contains("api_key"), "{}", fault.text());
}

#[actix_web::test]
async fn a_key_goes_as_far_as_its_scopes() {
    let world = World::new().await;
    let pages = pages(&world).await;
    for route in table() {
        let others: Vec<&str> =
            Scope::all().filter(|scope| scope.group != route.scope.group).map(Scope::as_str).collect();
        let reading = Scope::read(route.scope.group);
        for (scopes, may) in [
            (vec![route.scope.as_str()], true),
            (vec![Scope::write(route.scope.group).as_str()], true),
            (vec![reading.as_str()], !route.changes()),
            (others, false),
        ] {
            let key = world.key(world.nord, &scopes).await;
            let reply = Machine::new(&pages, key).send(request(&route)).await;
            let is_refused = reply.refusal() == (403, "scope_missing".into());
            assert_eq!(is_refused, !may, "{} {} with {scopes:?}: {}", route.method, route.path, reply.text());
            assert!(reply.status < 500, "{} {}: {}", route.method, route.path, reply.text());
        }
    }
}

#[actix_web::test]
async fn an_id_that_this_book_does_not_have_does_not_exist() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let nord = Machine::new(&pages, world.mighty_key(world.nord).await);
    for route in table().iter().filter(|route| route.method == Method::GET && route.names().next().is_some()) {
        let reply = nord.send(request(route)).await;
        assert_eq!(reply.refusal(), (404, "not_found".into()), "{}", route.path);
        let nonsense = route.path.replace(['{', '}'], "");
        assert_eq!(nord.get(&nonsense).await.refusal(), (404, "not_found".into()), "{nonsense}");
    }
    // What is another's is answered like what is nobody's.
    let operator = Machine::new(&pages, world.mighty_key(world.operator).await);
    for path in ["/v1/customers/{id}", "/v1/customers/{id}/wallet"] {
        let path = path.replace("{id}", &world.jonas.to_string());
        assert_eq!(nord.get(&path).await.status, 200);
        assert_eq!(operator.get(&path).await.refusal(), (404, "not_found".into()));
        let told = TestRequest::get().uri(&path).insert_header(("x-tenant-id", world.nord.to_string()));
        assert_eq!(operator.send(told).await.status, 404, "the book is the key's, whatever a header says");
    }
}

#[actix_web::test]
async fn a_request_that_is_sent_again_has_one_effect_and_one_answer() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let nord = Machine::new(&pages, world.mighty_key(world.nord).await);
    let body = json!({"name": "Anna Arendt", "billing": "postpaid"});
    let first = nord.post("/v1/customers", "k-1", &body).await;
    assert_eq!((first.status, first.header("idempotent-replayed")), (201, ""));
    let again = nord.post("/v1/customers", "k-1", &body).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (201, "true"));
    assert_eq!(again.body, first.body, "byte for byte");
    let quoted = nord.post("/v1/customers", "\"k-1\"", &body).await;
    assert_eq!(quoted.body, first.body, "quoted as in the draft standard");
    let other = nord.post("/v1/customers", "k-1", &json!({"name": "Bea", "billing": "postpaid"})).await;
    assert_eq!(other.refusal(), (422, "idempotency_key_reused".into()));
    let elsewhere = nord.post("/v1/plans", "k-1", &body).await;
    assert_eq!(elsewhere.refusal(), (422, "idempotency_key_reused".into()));
    assert_eq!(named(&world, "Anna").await, 1);
    // Another book's keys are its own.
    let operator = Machine::new(&pages, world.mighty_key(world.operator).await);
    assert_eq!(operator.post("/v1/customers", "k-1", &body).await.status, 201);
    // A week later it is a new key.
    world.app.clock.travel_to(start() + TimeDelta::days(7));
    let late = nord.post("/v1/customers", "k-1", &body).await;
    assert_eq!((late.status, late.header("idempotent-replayed")), (201, ""));
    assert_eq!(named(&world, "Anna").await, 2);
}

async fn named(world: &World, prefix: &str) -> usize {
    let filter = subscription::CustomerFilter { prefix: Some(prefix.into()), after: None, limit: 100 };
    subscription::customers(&world.nord().await, &filter).await.unwrap().len()
}

#[actix_web::test]
async fn of_many_at_once_with_one_key_one_takes_effect() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let nord = Machine::new(&pages, world.mighty_key(world.nord).await);
    let body = json!({"name": "Carla Cohn", "billing": "prepaid"});
    let sent = futures_util::future::join_all((0..12).map(|_| nord.post("/v1/customers", "k-2", &body))).await;
    let made: BTreeSet<Vec<u8>> =
        sent.iter().filter(|reply| reply.status == 201).map(|reply| reply.body.clone()).collect();
    assert_eq!(made.len(), 1, "one answer, however many got it");
    for reply in sent.iter().filter(|reply| reply.status != 201) {
        assert_eq!(reply.refusal(), (409, "idempotency_key_in_flight".into()));
        assert_eq!(reply.header("retry-after"), "1");
    }
    assert!(sent.iter().any(|reply| reply.status == 409), "some of them met");
    assert_eq!(named(&world, "Carla").await, 1);
}

#[actix_web::test]
async fn a_refusal_stores_nothing_and_leaves_its_key_free() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let nord = Machine::new(&pages, world.mighty_key(world.nord).await);
    let refused = nord.post("/v1/customers", "k-3", &json!({"name": "", "billing": "prepaid"})).await;
    assert_eq!(refused.field(), (422, "/name".into(), "must_not_be_empty".into()));
    let mended = nord.post("/v1/customers", "k-3", &json!({"name": "Dora", "billing": "prepaid"})).await;
    assert_eq!(mended.status, 201);
    for turn in 0..20 {
        let refused = nord.post("/v1/customers", "k-4", &json!({"name": turn, "billing": "prepaid"})).await;
        assert_eq!(refused.status, 422, "at once, as often as one likes: {}", refused.text());
    }
    let without = TestRequest::post().uri("/v1/customers").insert_header(("content-type", "application/json"));
    let without = nord.send(without.set_payload("{}")).await;
    assert_eq!(without.refusal(), (400, "idempotency_key_required".into()));
    for bad in ["", "\"\"", "two words", &"x".repeat(256)] {
        let reply = nord.post("/v1/customers", bad, &json!({})).await;
        assert_eq!(reply.refusal(), (400, "idempotency_key_malformed".into()), "{bad:?}");
    }
}

#[actix_web::test]
async fn who_floods_waits_and_nobody_else() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let noisy = Machine::new(&pages, world.mighty_key(world.nord).await);
    let quiet = Machine::new(&pages, world.mighty_key(world.nord).await);
    for _ in 0..limit::BURST {
        assert_eq!(noisy.get("/v1/meters").await.status, 200);
    }
    let refused = noisy.get("/v1/meters").await;
    assert_eq!(refused.refusal(), (429, "too_many_requests".into()));
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(quiet.get("/v1/meters").await.status, 200);
    world.app.clock.advance(TimeDelta::seconds(1));
    assert_eq!(noisy.get("/v1/meters").await.status, 200);
}

#[actix_web::test]
async fn what_cannot_be_read_is_refused_before_anything_is_done() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let nord = Machine::new(&pages, world.mighty_key(world.nord).await);
    let post = |kind: &str, body: Vec<u8>| {
        let request = TestRequest::post().uri("/v1/customers").insert_header(("idempotency-key", "k"));
        request.insert_header(("content-type", kind)).set_payload(body)
    };
    let deep = format!("{{\"name\":\"a\",\"address_lines\":{}", "[".repeat(100_000));
    for (kind, body, expected) in [
        ("application/json", b"{".to_vec(), (400, "json_malformed")),
        ("application/json", vec![0xff, 0xfe], (400, "json_malformed")),
        ("application/json", deep.into_bytes(), (422, "invalid")),
        ("text/plain", b"{}".to_vec(), (415, "json_required")),
        ("application/json; charset=utf-8", b"[]".to_vec(), (422, "invalid")),
        ("application/json", vec![b' '; 257 * 1024], (413, "body_too_large")),
    ] {
        let (status, code) = nord.send(post(kind, body)).await.refusal();
        assert_eq!((status, code.as_str()), expected, "{kind}");
    }
    let packed = post("application/json", b"{}".to_vec()).insert_header(("content-encoding", "gzip"));
    assert_eq!(nord.send(packed).await.refusal(), (415, "encoding_unknown".into()));
    let unknown = nord.get("/v1/nothing").await;
    assert_eq!(unknown.refusal(), (404, "no_such_address".into()));
    let wrong = nord.send(TestRequest::delete().uri("/v1/customers")).await;
    assert_eq!((wrong.refusal(), wrong.header("allow")), ((405, "method_not_allowed".into()), "GET, POST"));
    let nowhere = Machine::at(&pages, "evil.example", nord.key.clone());
    assert_eq!(nowhere.get("/v1/plans").await.refusal(), (421, "unknown_host".into()));
}

#[actix_web::test]
async fn a_problem_says_what_where_and_under_which_request() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let nord = Machine::new(&pages, world.mighty_key(world.nord).await);
    let reply = nord.post("/v1/customers", "k", &json!({"name": "E", "billing": "prepaid", "balance": "9"})).await;
    assert_eq!(reply.header("content-type"), "application/problem+json");
    assert_eq!(reply.header("cache-control"), "no-store");
    let problem = reply.json();
    let id = problem["request_id"].clone();
    assert_eq!(reply.header("x-request-id"), id.as_str().unwrap());
    assert_eq!(
        problem,
        json!({
            "type": "about:blank",
            "title": "Unprocessable Entity",
            "status": 422,
            "code": "invalid",
            "detail": "/balance: this field is unknown here.",
            "instance": "/v1/customers",
            "errors": [{
                "pointer": "/balance", "code": "unknown_field", "detail": "this field is unknown here", "value": "9",
            }],
            "request_id": id,
        })
    );
}

#[actix_web::test]
async fn a_suspended_organisation_reads_and_changes_nothing() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let nord = Machine::new(&pages, world.mighty_key(world.nord).await);
    let ptx = world.database.db.platform(db::PlatformReason::Provision).await.unwrap();
    tenant::suspend_organisation(&ptx, world.operator, start()).await.unwrap();
    ptx.commit().await.unwrap();
    assert_eq!(nord.get("/v1/customers").await.status, 200);
    let refused = nord.post("/v1/customers", "k", &json!({"name": "F", "billing": "prepaid"})).await;
    assert_eq!(refused.refusal(), (403, "organisation_suspended".into()), "who stands below is suspended too");
}

#[actix_web::test]
async fn the_document_is_open_to_everybody_and_tells_every_address() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let document = Machine::at(&pages, VOSS, "").get("/v1/openapi.json").await;
    assert_eq!(document.status, 200);
    let document = document.json();
    assert_eq!(document["openapi"], "3.1.0");
    assert!(!document.to_string().contains("Ringtill"), "a brand's API does not name the operator");
    for route in table() {
        let told = &document["paths"][route.path][route.method.as_str().to_lowercase()];
        assert!(told["responses"].is_object(), "{} {}", route.method, route.path);
    }
}
