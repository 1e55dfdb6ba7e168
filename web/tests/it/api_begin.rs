//! The API on subscriptions that begin: with add-ons and a coupon, as on the page; and where a refusal points.

use crate::api::Machine;
use crate::api_sold::plan;
use crate::browser::pages;
use crate::world::World;
use serde_json::{Value, json};

/// One fee a month under a key.
fn fee(key: &str, amount: &str) -> Value {
    json!({"currency": "EUR", "trial_days": 0, "components": [
        {"key": key, "kind": "flat", "name": key, "price": {"model": "per_unit", "unit": amount}, "billed": "in_advance"},
    ]})
}

/// A plan at 49.00 with the key `base`, an add-on at 10.00, one whose key is the plan's, and a coupon: their ids.
async fn shop<S>(nord: &Machine<'_, S>) -> [Value; 3]
where
    S: actix_web::dev::Service<
            actix_http::Request,
            Response = actix_web::dev::ServiceResponse,
            Error = actix_web::Error,
        >,
{
    let (_, versions) = plan(nord, "support", &["49"]).await;
    let mut ids = vec![versions[0].clone()];
    for (code, terms) in [("recording", fee("recording", "10")), ("clash", fee("base", "10"))] {
        let made = nord.post("/v1/add-ons", code, &json!({"code": code, "name": code})).await.json();
        let path = format!("/v1/plans/{}/versions", made["id"].as_str().unwrap());
        let version = nord.post(&path, &format!("{code}-1"), &terms).await;
        assert_eq!(version.status, 201, "{}", version.text());
        ids.push(version.json()["id"].clone());
    }
    let coupon = json!({"code": "SPRING", "name": "Spring", "percent_off": "10"});
    assert_eq!(nord.post("/v1/coupons", "spring", &coupon).await.status, 201);
    ids.try_into().unwrap()
}

#[actix_web::test]
async fn a_subscription_begins_with_add_ons_and_a_coupon_and_its_preview_says_so_before() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let nord = Machine::new(&pages, world.mighty_key(world.nord).await);
    let [version, recording, clash] = shop(&nord).await;
    let customer = world.petra.to_string();
    let with = |add_ons: &[&Value], coupon: &str| {
        json!({"customer": customer, "plan_version": version, "starts_at": "2026-03-31T22:00:00Z",
               "add_ons": add_ons, "coupon": coupon})
    };
    let nothing = db::PlanVersionId::new().to_string();
    for (body, pointer, code) in [
        (with(&[&recording, &clash], "SPRING"), "/add_ons/1", "must_be_unique"),
        (with(&[&version], "SPRING"), "/add_ons/0", "must_be_add_on"),
        (with(&[&json!(nothing)], "SPRING"), "/add_ons/0", "must_be_known"),
        (with(&[&recording], "AUTUMN"), "/coupon", "unknown_coupon"),
        (
            json!({"customer": customer, "plan_version": version, "add_ons": [recording], "seats": 5}),
            "/seats",
            "seats_must_be_counted",
        ),
    ] {
        for path in ["/v1/subscriptions", "/v1/subscription-previews"] {
            let refused = nord.post(path, "s-0", &body).await;
            assert_eq!(refused.field(), (422, pointer.into(), code.into()), "{path}: {}", refused.text());
            assert!(refused.json()["errors"][0]["value"].is_string(), "{}", refused.text());
        }
    }
    assert_eq!(nord.get("/v1/subscriptions").await.json()["data"], json!([]), "nothing has begun");
    let wanted = with(&[&recording], "spring");
    let foreseen = nord.post("/v1/subscription-previews", "", &wanted).await;
    assert_eq!(foreseen.status, 200, "{}", foreseen.text());
    let made = nord.post("/v1/subscriptions", "s-1", &wanted).await.json();
    assert_eq!(made["add_ons"][0]["plan_version"], recording, "{made}");
    assert_eq!((&made["add_ons"][0]["from"], &made["coupons"][0]["code"]), (&made["started_at"], &json!("SPRING")));
    let really = nord.get(&format!("/v1/customers/{customer}/next-invoice")).await.json();
    for part in ["next", "following"] {
        assert_eq!(foreseen.json()[part]["net"], really[part]["net"], "{}\n{really}", foreseen.text());
    }
}

#[actix_web::test]
async fn an_id_in_a_body_that_nobody_has_is_refused_at_its_field_and_one_in_the_address_is_not_there() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let nord = Machine::new(&pages, world.mighty_key(world.nord).await);
    let [version, _, clash] = shop(&nord).await;
    let petra = world.petra.to_string();
    let sold = nord.post("/v1/subscriptions", "s", &json!({"customer": petra, "plan_version": version})).await.json();
    let changes = format!("/v1/subscriptions/{}/changes", sold["id"].as_str().unwrap());
    let previews = format!("/v1/subscriptions/{}/change-previews", sold["id"].as_str().unwrap());
    let (nobody, nothing) = (db::CustomerId::new().to_string(), db::PlanVersionId::new().to_string());
    let quote =
        json!({"plan_name": "A", "terms": fee("fee", "49"), "customer": nobody, "valid_until": "2026-04-01T00:00:00Z"});
    let begins = |customer: &str, version: &str| json!({"customer": customer, "plan_version": version});
    let known = version.as_str().unwrap();
    let moves = json!({"kind": "plan", "plan_version": nothing});
    for (path, body, pointer, value) in [
        ("/v1/subscriptions", begins(&nobody, known), "/customer", &nobody),
        ("/v1/subscription-previews", begins(&nobody, known), "/customer", &nobody),
        ("/v1/subscriptions", begins(&petra, &nothing), "/plan_version", &nothing),
        ("/v1/subscription-previews", begins(&petra, &nothing), "/plan_version", &nothing),
        (&changes, moves.clone(), "/plan_version", &nothing),
        (&previews, moves.clone(), "/plan_version", &nothing),
        ("/v1/quotes", quote, "/customer", &nobody),
    ] {
        let refused = nord.post(path, "x", &body).await;
        assert_eq!(refused.field(), (422, pointer.into(), "must_be_known".into()), "{path}: {}", refused.text());
        assert_eq!(&refused.json()["errors"][0]["value"], value.as_str());
    }
    let nowhere = format!("/v1/subscriptions/{}/changes", db::SubscriptionId::new());
    assert_eq!(nord.post(&nowhere, "x", &json!({"kind": "pause"})).await.status, 404);

    let mut far = begins(&petra, known);
    far["starts_at"] = json!("2046-03-31T22:00:00Z");
    let refused = nord.post("/v1/subscriptions", "x", &far).await;
    assert_eq!(refused.field(), (422, "/starts_at".into(), "must_lie_within_ten_years".into()), "{}", refused.text());
    assert_eq!(refused.json()["errors"][0]["value"], far["starts_at"], "as it was sent");

    // What cannot be done now is refused at what asks for it, and what does not fit at the version that was named.
    for (body, pointer, code, value) in [
        (json!({"kind": "seats", "seats": 5}), "/seats", "seats_must_be_counted", json!("5")),
        (json!({"kind": "resume"}), "/kind", "must_be_possible_in_status", json!("resume")),
        (json!({"kind": "add_on", "plan_version": clash}), "/plan_version", "must_be_unique", clash.clone()),
    ] {
        let refused = nord.post(&changes, "x", &body).await;
        assert_eq!(refused.field(), (422, pointer.into(), code.into()), "{}", refused.text());
        assert_eq!(refused.json()["errors"][0]["value"], value, "{}", refused.text());
    }
}

#[actix_web::test]
async fn a_field_that_stands_twice_and_a_price_that_is_too_large_are_refused_at_their_place() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let nord = Machine::new(&pages, world.mighty_key(world.nord).await);
    let (path, _) = plan(&nord, "support", &["49"]).await;
    let twice = r#"{"currency":"EUR","currency":"USD","components":[]}"#;
    let request = actix_web::test::TestRequest::post().uri(&format!("{path}/versions"));
    let request = request.insert_header(("idempotency-key", "v")).insert_header(("content-type", "application/json"));
    let refused = nord.send(request.set_payload(twice)).await;
    assert_eq!(refused.field(), (422, "/currency".into(), "must_be_unique".into()), "{}", refused.text());

    let dear = json!({"plan_name": "Dear", "terms": fee("fee", "99999999999999"), "customer": world.petra.to_string(),
        "valid_until": "2026-04-01T00:00:00Z"});
    let refused = nord.post("/v1/quotes", "q", &dear).await;
    let place = "/terms/components/0/price";
    assert_eq!(refused.field(), (422, place.into(), "too_large".into()), "{}", refused.text());
    let mut question = json!({"currency": "EUR", "days": "21", "hours_per_day": "8", "calls_at_once": "10",
        "occupancy": "0.7", "shrinkage": "0.3"});
    question["margin_per_minute"] = json!("99999999999999");
    let refused = nord.post("/v1/calculators/return", "", &question).await;
    assert_eq!(refused.field(), (422, "/margin_per_minute".into(), "too_large".into()), "{}", refused.text());
}
