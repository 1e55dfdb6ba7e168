//! What the API says and does, noun by noun.

use crate::api::Machine;
use crate::browser::pages;
use crate::world::{World, start};
use actix_web::test::TestRequest;
use serde_json::{Value, json};

#[actix_web::test]
async fn a_customer_is_taken_in_read_changed_and_found() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let nord = Machine::new(&pages, world.mighty_key(world.nord).await);
    let made = nord.post("/v1/customers", "k-1", &json!({"name": "Anna Arendt", "billing": "prepaid"})).await;
    let anna = made.json();
    let id = anna["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/customers/{id}");
    assert_eq!(
        anna,
        json!({
            "object": "customer", "id": id, "customer_no": "C-00001", "name": "Anna Arendt", "email": null,
            "organisation": null, "billing": "prepaid", "currency": "EUR", "time_zone": "Europe/Berlin",
            "country": "DE", "address_lines": [], "tax_id": null, "tax_treatment": "standard",
            "payment_terms_days": 14, "anchor_on": "2026-03-02", "created_at": "2026-03-02T10:00:00Z",
            "closed_at": null,
        })
    );
    let read = nord.get(&path).await;
    assert_eq!(read.json(), anna);
    let changed = nord.patch(&path, &json!({"email": "anna@post.example", "address_lines": ["Weg 1"]})).await.json();
    assert_eq!((&changed["email"], &changed["name"]), (&json!("anna@post.example"), &json!("Anna Arendt")));
    let stale = TestRequest::patch().uri(&path).insert_header(("if-match", read.header("etag")));
    let stale = stale.insert_header(("content-type", "application/json")).set_payload(r#"{"name":"Anne"}"#);
    assert_eq!(nord.send(stale).await.refusal(), (412, "changed_meanwhile".into()));
    let tag = nord.get(&path).await.header("etag").to_owned();
    let fresh = TestRequest::patch().uri(&path).insert_header(("if-match", tag));
    let fresh = fresh.insert_header(("content-type", "application/json")).set_payload(r#"{"email":null}"#);
    assert_eq!(nord.send(fresh).await.json()["email"], Value::Null);
    let wallet = nord.get(&format!("{path}/wallet")).await.json();
    assert_eq!(wallet["available"], json!({"amount": "0.00", "currency": "EUR"}));
    let by_no = nord.get("/v1/customers?customer_no=C-00001").await.json();
    assert_eq!(by_no["data"][0]["id"], json!(id));
    let told = tenant::audit_entries(&world.nord().await, None, 3).await.unwrap();
    let told: Vec<_> = told.iter().map(|entry| (entry.action.as_str(), entry.subject == id)).collect();
    assert_eq!(
        told[..2],
        [("api PATCH /v1/customers/{customer_id}", true), ("api PATCH /v1/customers/{customer_id}", true)]
    );
    assert_eq!(told[2], ("api POST /v1/customers", true));
}

#[actix_web::test]
async fn a_value_that_breaks_a_rule_is_named_and_nothing_is_stored() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let nord = Machine::new(&pages, world.mighty_key(world.nord).await);
    let before = nord.get("/v1/customers").await.json();
    let with = |field: &str, value: Value| {
        let mut body = json!({"name": "Anna", "billing": "prepaid"});
        body[field] = value;
        body
    };
    for (body, pointer, code) in [
        (json!({"billing": "prepaid"}), "/name", "missing"),
        (with("billing", json!("barter")), "/billing", "unknown_word"),
        (with("currency", json!("eur")), "/currency", "malformed"),
        (with("time_zone", json!("Mars/Olympus")), "/time_zone", "must_be_time_zone"),
        (with("country", json!("Germany")), "/country", "must_be_country"),
        (with("email", json!("nobody")), "/email", "must_be_email"),
        (with("payment_terms_days", json!(-1)), "/payment_terms_days", "wrong_type"),
        (with("payment_terms_days", json!(366)), "/payment_terms_days", "must_lie_between"),
        (with("payment_terms_days", json!(1.5)), "/payment_terms_days", "wrong_type"),
        (with("floor", json!({"amount": "1", "currency": "EUR"})), "/floor", "floor_must_not_be_positive"),
        (with("floor", json!({"amount": "-1", "currency": "USD"})), "/floor", "currency_must_match"),
        (with("floor", json!({"amount": -1, "currency": "EUR"})), "/floor/amount", "wrong_type"),
        (with("anchor_on", json!("2026-02-30")), "/anchor_on", "malformed"),
        (with("customer_no", json!("N-1")), "/customer_no", "must_be_free"),
        (with("tenant_id", json!("x")), "/tenant_id", "unknown_field"),
        (with("organisation", json!("x")), "/organisation", "unknown_field"),
        (with("balance", json!("100")), "/balance", "unknown_field"),
    ] {
        let reply = nord.post("/v1/customers", "k", &body).await;
        assert_eq!(reply.field(), (422, pointer.into(), code.into()), "{body}: {}", reply.text());
    }
    assert_eq!(nord.get("/v1/customers").await.json(), before);
    let jonas = format!("/v1/customers/{}", world.jonas);
    for (body, pointer) in [(json!({"billing": "postpaid"}), "/billing"), (json!({"id": "x"}), "/id")] {
        assert_eq!(nord.patch(&jonas, &body).await.field(), (422, pointer.into(), "unknown_field".into()));
    }
}

#[actix_web::test]
async fn a_list_is_walked_page_by_page_without_a_gap_or_a_repeat() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let nord = Machine::new(&pages, world.mighty_key(world.nord).await);
    for (index, name) in ["Anna", "bert", "Anna", "Zoë", "Émile"].into_iter().enumerate() {
        let reply =
            nord.post("/v1/customers", &format!("k-{index}"), &json!({"name": name, "billing": "postpaid"})).await;
        assert_eq!(reply.status, 201);
    }
    let (mut walked, mut place, mut turns) = (Vec::new(), String::new(), 0);
    loop {
        let page = nord.get(&format!("/v1/customers?limit=2{place}")).await.json();
        let ids = page["data"].as_array().unwrap().iter().map(|customer| customer["id"].as_str().unwrap().to_owned());
        walked.extend(ids);
        turns += 1;
        assert_eq!(page["has_more"], json!(page["next"].is_string()));
        match page["next"].as_str() {
            Some(next) => place = format!("&starting_after={next}"),
            None => break,
        }
    }
    let whole = nord.get("/v1/customers?limit=100").await.json();
    let whole: Vec<_> = whole["data"].as_array().unwrap().iter().map(|of| of["id"].as_str().unwrap()).collect();
    // 5 and Jonas and Petra, in pages of two
    assert_eq!((walked.len(), turns), (7, 4));
    assert_eq!(walked, whole);
    for (query, pointer, code) in [
        ("limit=0", "/limit", "must_lie_between"),
        ("limit=101", "/limit", "must_lie_between"),
        ("limit=two", "/limit", "malformed"),
        ("starting_after=2", "/starting_after", "unknown_place"),
        ("offset=2", "/offset", "unknown_field"),
        ("sort=id;drop", "/sort", "unknown_field"),
        ("limit=1&limit=2", "/limit", "must_be_unique"),
    ] {
        let reply = nord.get(&format!("/v1/customers?{query}")).await;
        assert_eq!(reply.field(), (422, pointer.into(), code.into()), "{query}");
    }
}

#[actix_web::test]
async fn a_call_tells_its_price_and_its_invoice_the_same_sum() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let (call, document) = world.called_and_billed(world.jonas).await;
    let nord = Machine::new(&pages, world.mighty_key(world.nord).await);
    let query = format!("from=2026-01-01T00:00:00Z&to=2026-02-01T00:00:00Z&customer={}", world.jonas);
    let listed = nord.get(&format!("/v1/calls?{query}")).await.json();
    assert_eq!(listed["data"][0]["id"], json!(call.to_string()));
    assert_eq!(nord.get(&format!("/v1/calls?customer={}", world.petra)).await.json()["data"], json!([]));
    let opened = nord.get(&format!("/v1/calls/{call}")).await.json();
    // 10 minutes x 0.60, 19% of which is inside
    assert_eq!(opened["charge"], json!({"amount": "6.00", "currency": "EUR"}));
    assert_eq!(opened["explanation"]["priced_by"], "tariff");
    assert_eq!(opened["explanation"]["tax"]["percent"], "19");
    let terms = opened["explanation"]["sum"].as_array().unwrap();
    assert_eq!(terms.last().unwrap()["amount"], "6");
    let invoice = nord.get(&format!("/v1/invoices/{document}")).await.json();
    assert_eq!(invoice["gross"], json!({"amount": "6.00", "currency": "EUR"}));
    assert_eq!((&invoice["object"], &invoice["payment_status"]), (&json!("invoice"), &json!("paid")));
    let lines = nord.get(&format!("/v1/invoices/{document}/lines")).await.json();
    assert_eq!(lines["data"][0]["gross"], json!({"amount": "6.00", "currency": "EUR"}));
    let by_number = nord.get(&format!("/v1/invoices?number={}", invoice["number"].as_str().unwrap())).await.json();
    assert_eq!(by_number["data"][0]["id"], json!(document.to_string()));
    let pdf = nord.get(&format!("/v1/invoices/{document}/pdf")).await;
    assert_eq!((pdf.status, pdf.header("content-type")), (200, "application/pdf"));
    assert!(pdf.body.starts_with(b"%PDF-") && pdf.header("content-disposition").starts_with("attachment; filename="));
    let usage =
        format!("/v1/usage?meter=minutes&customer={}&from=2026-01-01T00:00:00Z&to=2026-02-01T00:00:00Z", world.jonas);
    let sum = nord.get(&format!("{usage}&by=charged_by")).await.json();
    assert_eq!(sum["data"][0]["quantity"], "10");
    assert_eq!(sum["data"][0]["dimensions"], json!({"charged_by": "tariff"}));
    for (query, pointer) in [
        ("/v1/usage?meter=miles&from=2026-01-01T00:00:00Z&to=2026-02-01T00:00:00Z", "/meter"),
        ("/v1/usage?meter=minutes&from=2026-01-01&to=2026-02-01T00:00:00Z", "/from"),
        ("/v1/usage?meter=minutes&from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z", "/to"),
        ("/v1/usage?meter=minutes&by=colour&from=2026-01-01T00:00:00Z&to=2026-02-01T00:00:00Z", "/by"),
        ("/v1/calls?state=asleep", "/state"),
        ("/v1/invoices?kind=letter", "/kind"),
    ] {
        let (status, found, _) = nord.get(query).await.field();
        assert_eq!((status, found.as_str()), (422, pointer), "{query}");
    }
}

#[actix_web::test]
async fn calculators_answer_without_storing_anything() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let nord = Machine::new(&pages, world.key(world.nord, &["quotes:read"]).await);
    let question = |occupancy: &str, shrinkage: &str| {
        json!({"currency": "EUR", "days": "21", "hours_per_day": "8", "margin_per_minute": "0.10", "calls_at_once": "10",
               "occupancy": occupancy, "shrinkage": shrinkage})
    };
    // 21 x 8 x 60 x 0.10 x 10 = 10,080; x 0.714286 x 0.7 = 5,040
    for (occupancy, shrinkage, margin) in [("1", "0", "10080.00"), ("0.714286", "0.3", "5040.00")] {
        let found = nord.post("/v1/calculators/return", "", &question(occupancy, shrinkage)).await.json();
        assert_eq!(found["margin"], json!({"amount": margin, "currency": "EUR"}));
    }
    let refused = nord.post("/v1/calculators/return", "", &question("1.2", "0")).await;
    assert_eq!(refused.field(), (422, "/occupancy".into(), "must_be_share".into()));
    assert_eq!(refused.json()["errors"][0]["value"], "1.2", "as it was written");
    let mut arrivals = vec![json!(0); 168];
    arrivals[9] = json!(200);
    let mut forecast = json!({
        "currency": "EUR", "time_zone": "Europe/Berlin", "week_of": "2026-03-02",
        "hours": [{"days": ["mon"], "from": "09:00", "to": "10:00"}],
        "channels": [{"channel": "phone", "per_hour_of_week": arrivals, "talk_seconds": "180", "target": "0.8", "within_seconds": "20"}],
        "maximum_occupancy": "0.85", "shrinkage": "0.3", "cost_per_agent_hour": "18", "margin_percent": "30",
    });
    let found = nord.post("/v1/calculators/estimate", "", &forecast).await.json();
    // 10 Erlang: 14 agents, 14 / 0.7 = 20 scheduled
    assert_eq!((&found["week"][9]["agents"], &found["week"][9]["scheduled"]), (&json!(14), &json!(20)));
    forecast["channels"][0]["target"] = json!("2");
    let refused = nord.post("/v1/calculators/estimate", "", &forecast).await;
    assert_eq!(refused.field(), (422, "/channels/0/target".into(), "must_be_share".into()));
}

fn terms() -> Value {
    json!({
        "currency": "EUR", "trial_days": 0, "seat_limit": 9,
        "components": [
            {"key": "base", "kind": "flat", "name": "Base fee", "price": {"model": "per_unit", "unit": "49"}, "billed": "in_advance"},
            {"key": "calls", "kind": "usage", "name": "Calls", "measure": "calls", "included": "100",
             "price": {"model": "graduated", "tiers": [{"up_to": "1000", "unit": "0.10"}, {"up_to": null, "unit": "0.05"}]},
             "billed": "in_arrears"},
        ],
    })
}

#[actix_web::test]
async fn a_plan_is_made_published_subscribed_to_and_changed() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let nord = Machine::new(&pages, world.mighty_key(world.nord).await);
    let plan = nord.post("/v1/plans", "p-1", &json!({"code": "per-event", "name": "Per event"})).await.json();
    assert_eq!(plan["newest_version"], Value::Null);
    let versions = format!("/v1/plans/{}/versions", plan["id"].as_str().unwrap());
    let version = nord.post(&versions, "v-1", &terms()).await.json();
    assert_eq!((&version["version"], &version["terms"]["components"][1]["included"]), (&json!(1), &json!("100")));
    let again = nord.post(&versions, "v-2", &version["terms"]).await;
    assert_eq!(again.json()["terms"], version["terms"], "what is shown can be sent back");
    let new = json!({"customer": world.petra.to_string(), "plan_version": version["id"], "seats": 2});
    let made = nord.post("/v1/subscriptions", "s-1", &new).await.json();
    assert_eq!((&made["status"], &made["plan_version"], &made["seats"]), (&json!("active"), &version["id"], &json!(2)));
    let changes = format!("/v1/subscriptions/{}/changes", made["id"].as_str().unwrap());
    let asked = nord.post(&changes, "c-1", &json!({"kind": "seats", "seats": 5, "when": "period_end"})).await.json();
    assert_eq!((&asked["kind"], &asked["at"]), (&json!("seats"), &made["period_ends_at"]));
    assert_eq!(asked["asked_by"], "API key a test");
    let undone = nord.send(TestRequest::delete().uri(&format!("{changes}/{}", asked["id"].as_str().unwrap()))).await;
    assert!(undone.json()["undone_at"].is_string(), "{}", undone.text());
    for (body, pointer, code) in [
        (json!({"kind": "seats"}), "/seats", "missing"),
        (json!({"kind": "pause", "seats": 1}), "/seats", "must_be_absent"),
        (json!({"kind": "free_add_on"}), "/kind", "unknown_word"),
        (json!({"kind": "seats", "seats": 1, "when": "soon"}), "/when", "unknown_word"),
        (json!({"kind": "seats", "seats": 1, "when": "2026-01-01T00:00:00Z"}), "/when", "must_not_lie_in_the_past"),
    ] {
        assert_eq!(nord.post(&changes, "c-2", &body).await.field(), (422, pointer.into(), code.into()), "{body}");
    }
    let closure = format!("/v1/customers/{}/closure", world.petra);
    let runs = nord.post(&closure, "close-0", &json!({})).await;
    assert_eq!(runs.field(), (422, "/customer".into(), "subscriptions_must_have_ended".into()), "{}", runs.text());
    assert_eq!(nord.post(&changes, "c-3", &json!({"kind": "cancel", "when": "now"})).await.status, 201);
    let path = changes.trim_end_matches("/changes");
    assert_eq!(nord.get(path).await.json()["status"], "cancelled");
    let listed = nord.get(&format!("/v1/subscriptions?customer={}", world.petra)).await.json();
    assert_eq!(listed["data"][0]["ended_by"], "cancellation");
    let archived = nord.post(&versions.replace("versions", "archival"), "a-1", &json!({})).await.json();
    assert_eq!(archived["archived_at"], json!(start()));
    let closed = nord.post(&closure, "close-1", &json!({})).await;
    assert_eq!(closed.json()["closed_at"], json!(start()), "{}", closed.text());
    // What is in Jonas's wallet nobody gives back unasked.
    let wallet = nord.get(&format!("/v1/customers/{}/wallet", world.jonas)).await.json();
    let closed = nord.post(&format!("/v1/customers/{}/closure", world.jonas), "close-2", &json!({})).await.json();
    assert_eq!(closed["wallet_left"], wallet["balance"], "{closed}");
    assert!(closed["wallet_left"]["amount"].is_string());
    let read = nord.get(&format!("/v1/customers/{}", world.jonas)).await.json();
    assert_eq!(read.get("wallet_left"), None, "in the answer to the closure alone");
}

#[actix_web::test]
async fn a_draft_says_what_is_wrong_with_it_and_is_published_when_nothing_is() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let nord = Machine::new(&pages, world.mighty_key(world.nord).await);
    let plan = nord.post("/v1/plans", "p-1", &json!({"code": "per-event", "name": "Per event"})).await.json();
    let path = format!("/v1/plans/{}", plan["id"].as_str().unwrap());
    let (draft, publication) = (format!("{path}/draft"), format!("{path}/publication"));
    let put = async |body: &Value| {
        let request = TestRequest::put().uri(&draft).insert_header(("content-type", "application/json"));
        nord.send(request.set_payload(body.to_string())).await
    };
    let mut wrong = terms();
    wrong["term_months"] = json!(0);
    wrong["components"][1]["measure"] = json!("miles");
    let saved = put(&wrong).await.json();
    let places: Vec<_> = saved["problems"].as_array().unwrap().iter().map(|of| of["pointer"].clone()).collect();
    assert_eq!(places, [json!("/term_months"), json!("/components/1/measure")]);
    let refused = nord.post(&publication, "b-1", &json!({})).await;
    assert_eq!((refused.status, refused.json()["errors"].as_array().unwrap().len()), (422, 2), "both at once");
    assert_eq!(nord.get(&format!("{path}/versions")).await.json()["data"], json!([]));
    assert_eq!(put(&terms()).await.json()["problems"], json!([]));
    let published = nord.post(&publication, "b-1", &json!({})).await;
    assert_eq!((published.status, published.json()["version"].clone()), (201, json!(1)), "{}", published.text());
    assert_eq!(nord.get(&draft).await.status, 404, "the draft is the version now");
    let renamed = nord.patch(&path, &json!({"name": "By the event"})).await.json();
    assert_eq!((&renamed["name"], &renamed["state"]), (&json!("By the event"), &json!("published")));
    put(&terms()).await;
    assert_eq!(nord.send(TestRequest::delete().uri(&draft)).await.status, 200);
    assert_eq!(nord.get(&draft).await.status, 404);
}

#[actix_web::test]
async fn a_coupon_is_redeemed_once_and_taken_away() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let nord = Machine::new(&pages, world.mighty_key(world.nord).await);
    let plan = nord.post("/v1/plans", "p-1", &json!({"code": "per-event", "name": "Per event"})).await.json();
    let version = nord.post(&format!("/v1/plans/{}/versions", plan["id"].as_str().unwrap()), "v-1", &terms()).await;
    let new = json!({"customer": world.petra.to_string(), "plan_version": version.json()["id"]});
    let subscription = nord.post("/v1/subscriptions", "s-1", &new).await.json();
    let coupons = format!("/v1/subscriptions/{}/coupons", subscription["id"].as_str().unwrap());
    for (body, pointer, code) in [
        (json!({"code": "SPRING", "name": "Spring"}), "/percent_off", "one_of_two"),
        (json!({"code": "SPRING", "name": "Spring", "percent_off": "101"}), "/percent_off", "must_not_exceed_whole"),
        (json!({"code": "SPRING", "name": "Spring", "percent_off": 10}), "/percent_off", "wrong_type"),
        (
            json!({"code": "SPRING", "name": "Spring", "percent_off": "10", "valid_until": "2026-03-01T00:00:00Z"}),
            "/valid_until",
            "must_lie_ahead",
        ),
    ] {
        assert_eq!(nord.post("/v1/coupons", "x", &body).await.field(), (422, pointer.into(), code.into()), "{body}");
    }
    let made = nord
        .post("/v1/coupons", "x", &json!({"code": "SPRING", "name": "Spring", "percent_off": "10", "periods": 3}))
        .await;
    let coupon = made.json();
    assert_eq!((made.status, &coupon["percent_off"]), (201, &json!("10")));
    let redeemed = nord.post(&coupons, "r-1", &json!({"code": "spring"})).await.json();
    assert_eq!(redeemed["coupons"][0]["code"], "SPRING");
    assert_eq!(nord.post(&coupons, "r-2", &json!({"code": "SPRING"})).await.field().2, "must_be_unique");
    assert_eq!(
        nord.post(&coupons, "r-3", &json!({"code": "AUTUMN"})).await.field(),
        (422, "/code".into(), "unknown_coupon".into())
    );
    let path = format!("{coupons}/{}", coupon["id"].as_str().unwrap());
    let ended = nord.send(TestRequest::delete().uri(&path)).await.json();
    assert!(ended["coupons"][0]["ended_at"].is_string(), "{ended}");
    let read = nord.get(&format!("/v1/coupons/{}", coupon["id"].as_str().unwrap())).await.json();
    assert_eq!(read["redemptions"], 1);
}

#[actix_web::test]
async fn terms_that_break_a_rule_are_refused_whole_and_point_to_the_place() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let nord = Machine::new(&pages, world.mighty_key(world.nord).await);
    let plan = nord.post("/v1/plans", "p-1", &json!({"code": "per-event", "name": "Per event"})).await.json();
    let versions = format!("/v1/plans/{}/versions", plan["id"].as_str().unwrap());
    let tier = |up_to: Value| json!({"up_to": up_to, "unit": "1"});
    let falling = json!([tier(json!("1000")), tier(json!("500")), tier(Value::Null)]);
    for (place, value, pointer, code) in [
        ("/components/1/price/tiers/0/up_to", json!("-1"), "/components/1/price/tiers/0/up_to", "must_not_be_negative"),
        (
            "/components/1/price/tiers/1/up_to",
            json!("1000"),
            "/components/1/price/tiers/1/up_to",
            "last_tier_must_be_open",
        ),
        ("/components/1/price/tiers", falling, "/components/1/price/tiers/1/up_to", "tiers_must_rise"),
        ("/components/1/price/colour", json!("red"), "/components/1/price/colour", "unknown_field"),
        ("/components/1/measure", json!("miles"), "/components/1/measure", "must_be_known_measure"),
        ("/components/1/key", json!("base"), "/components/1/key", "must_be_unique"),
        ("/components/1/included", json!("-5"), "/components/1/included", "must_not_be_negative"),
        ("/components/1/colour", json!("red"), "/components/1/colour", "must_be_known_field"),
        ("/term_months", json!(0), "/term_months", "must_lie_between"),
        ("/commitment", json!({"amount": "5", "currency": "USD"}), "/commitment", "currency_must_match"),
        ("/term_discount_percent", json!("-1"), "/term_discount_percent", "must_not_be_negative"),
        ("/term_discount_percent", json!("101"), "/term_discount_percent", "must_not_exceed_whole"),
        ("/loyalty", json!([{"after_months": 12}]), "/loyalty/0/reward", "must_be_written"),
    ] {
        let mut body = terms();
        let (parent, name) = place.rsplit_once('/').unwrap();
        body.pointer_mut(parent).unwrap()[name] = value;
        let reply = nord.post(&versions, "v", &body).await;
        assert_eq!(reply.field(), (422, pointer.into(), code.into()), "{place}: {}", reply.text());
    }
    assert_eq!(nord.get(&versions).await.json()["data"], json!([]), "nothing half-saved");
}
