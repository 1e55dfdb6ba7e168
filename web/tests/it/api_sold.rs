//! The API on what is sold already: means of payment, a trial's end, the timeline, drafts.

use crate::api::Machine;
use crate::browser::pages;
use crate::world::{World, start};
use actix_web::Error;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::test::TestRequest;
use serde_json::{Value, json};
use std::time::Duration;

/// This much a month.
fn monthly(amount: &str) -> Value {
    json!({
        "currency": "EUR", "trial_days": 14, "loyalty": [{"after_months": 12, "percent_off": "5"}],
        "components": [
            {"key": "base", "kind": "flat", "name": "Base fee", "price": {"model": "per_unit", "unit": amount}, "billed": "in_advance"},
        ],
    })
}

/// A plan with these versions: its id and theirs.
pub async fn plan<S>(nord: &Machine<'_, S>, code: &str, amounts: &[&str]) -> (String, Vec<Value>)
where
    S: Service<actix_http::Request, Response = ServiceResponse, Error = Error>,
{
    let plan = nord.post("/v1/plans", code, &json!({"code": code, "name": code})).await.json();
    let path = format!("/v1/plans/{}", plan["id"].as_str().unwrap());
    let mut versions = Vec::new();
    for amount in amounts {
        let made = nord.post(&format!("{path}/versions"), &format!("{code}-{amount}"), &monthly(amount)).await;
        assert_eq!(made.status, 201, "{}", made.text());
        versions.push(made.json()["id"].clone());
    }
    (path, versions)
}

pub async fn subscribed<S>(nord: &Machine<'_, S>, new: &Value) -> Value
where
    S: Service<actix_http::Request, Response = ServiceResponse, Error = Error>,
{
    let made = nord.post("/v1/subscriptions", &new.to_string(), new).await;
    assert_eq!(made.status, 201, "{}", made.text());
    made.json()
}

pub async fn delete<S>(nord: &Machine<'_, S>, path: &str) -> crate::api::Reply
where
    S: Service<actix_http::Request, Response = ServiceResponse, Error = Error>,
{
    nord.send(TestRequest::delete().uri(path)).await
}

#[actix_web::test]
async fn a_customer_pays_by_invoice_or_by_direct_debit_until_it_is_taken_off_the_file() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let nord = Machine::new(&pages, world.mighty_key(world.nord).await);
    let made = nord.post("/v1/customers", "c", &json!({"name": "Nora", "billing": "postpaid"})).await.json();
    let methods = format!("/v1/customers/{}/payment-methods", made["id"].as_str().unwrap());
    let of_petra = format!("/v1/customers/{}/payment-methods", world.petra);
    let debit = |iban: &str| json!({"kind": "direct_debit", "holder": "Nora Nord", "iban": iban, "has_agreed": true});
    for (path, body, errors) in [
        (&methods, json!({"kind": "card"}), json!([["/kind", "unknown_word", "card"]])),
        (
            &methods,
            json!({"kind": "direct_debit", "holder": "Nora"}),
            json!([["/iban", "missing", null], ["/has_agreed", "missing", null]]),
        ),
        (&methods, json!({"kind": "on_invoice", "holder": "Nora"}), json!([["/holder", "must_be_absent", "Nora"]])),
        (
            &methods,
            debit("DE89 3704 0044 0532 0130 01"),
            json!([["/iban", "must_be_iban", "DE89 3704 0044 0532 0130 01"]]),
        ),
        (
            &methods,
            json!({"kind": "direct_debit", "holder": " ", "iban": "DE89370400440532013000", "has_agreed": true}),
            json!([["/holder", "must_not_be_empty", " "]]),
        ),
        (
            &methods,
            json!({"kind": "direct_debit", "holder": "N", "iban": "DE89370400440532013000", "has_agreed": false}),
            json!([["/has_agreed", "must_be_agreed", "false"]]),
        ),
        (&of_petra, json!({"kind": "on_invoice"}), json!([["/kind", "must_be_on_account", "on_invoice"]])),
    ] {
        let refused = nord.post(path, "m-0", &body).await;
        let told = refused.json()["errors"].as_array().cloned().unwrap_or_default();
        let told: Vec<Value> = told.iter().map(|of| json!([of["pointer"], of["code"], of["value"]])).collect();
        assert_eq!((refused.status, json!(told)), (422, errors), "{body}: {}", refused.text());
    }
    let invoice = nord.post(&methods, "m-1", &json!({"kind": "on_invoice"})).await;
    let mandate = nord.post(&methods, "m-2", &debit("de89 3704 0044 0532 0130 00")).await;
    assert_eq!((invoice.status, mandate.status), (201, 201), "{} {}", invoice.text(), mandate.text());
    let stored = nord.post(&methods, "m-2", &debit("de89 3704 0044 0532 0130 00")).await.text();
    for told in [mandate.text(), stored, nord.get(&methods).await.text()] {
        assert!(told.contains("DE89 … 3000") && !told.contains("0532"), "{told}");
    }
    let again = nord.post(&methods, "m-3", &json!({"kind": "on_invoice"})).await.json();
    assert_eq!(again["id"], invoice.json()["id"], "granted again, it is what it was");
    let kinds = async || {
        let on_file = nord.get(&methods).await.json();
        let mut kinds: Vec<String> =
            on_file["data"].as_array().unwrap().iter().map(|of| of["kind"].as_str().unwrap().to_owned()).collect();
        kinds.sort();
        kinds
    };
    assert_eq!(kinds().await, ["direct_debit", "on_invoice"]);
    let id = mandate.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(delete(&nord, &format!("{of_petra}/{id}")).await.status, 404, "it is not Petra's");
    assert_eq!(delete(&nord, &format!("{methods}/{id}")).await.status, 200);
    assert_eq!(kinds().await, ["on_invoice"]);
    assert_eq!(delete(&nord, &format!("{methods}/{id}")).await.status, 404);
}

#[actix_web::test]
async fn what_becomes_of_a_trial_is_agreed_and_what_the_clock_will_do_is_told_before_and_after() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let nord = Machine::new(&pages, world.mighty_key(world.nord).await);
    let (_, versions) = plan(&nord, "fee", &["49"]).await;
    let new = |trial: bool| json!({"customer": world.petra.to_string(), "plan_version": versions[0], "trial": trial, "trial_end": "cancel"});
    let refused = nord.post("/v1/subscriptions", "s-0", &new(false)).await;
    assert_eq!(refused.field(), (422, "/trial_end".into(), "must_be_absent".into()));
    let made = subscribed(&nord, &new(true)).await;
    assert_eq!((&made["status"], &made["trial_end"]), (&json!("trial"), &json!("cancel")));
    let path = format!("/v1/subscriptions/{}", made["id"].as_str().unwrap());
    assert_eq!(nord.patch(&path, &json!({"trial_end": "past_due"})).await.json()["trial_end"], "past_due");
    assert_eq!(nord.get(&path).await.json()["trial_end"], "past_due");
    let refused = nord.patch(&path, &json!({"trial_end": "pay"})).await;
    let first = &refused.json()["errors"][0];
    assert_eq!(
        (&first["pointer"], &first["detail"], &first["value"]),
        (&json!("/trial_end"), &json!("must be one of: convert, cancel, past_due"), &json!("pay"))
    );
    let plain = subscribed(&nord, &json!({"customer": world.jonas.to_string(), "plan_version": versions[0]})).await;
    assert_eq!(plain["trial_end"], Value::Null);
    let plain = format!("/v1/subscriptions/{}", plain["id"].as_str().unwrap());
    let refused = nord.patch(&plain, &json!({"trial_end": "cancel"})).await;
    assert_eq!(refused.field(), (422, "/trial_end".into(), "trial_must_run".into()));

    let ahead = nord.get(&format!("{path}/milestones")).await.json();
    let kinds: Vec<&str> = ahead["data"].as_array().unwrap().iter().map(|of| of["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["begins", "trial_ending", "trial_ended", "loyalty_ahead", "loyalty"]);
    assert_eq!(ahead["data"][4]["loyalty"], json!({"after_months": 12, "percent_off": "5"}));
    let events = nord.get(&format!("/v1/customers/{}/events?limit=1", world.petra)).await.json();
    assert_eq!((&events["data"][0]["kind"], &events["has_more"]), (&json!("subscribed"), &json!(true)), "{events}");
    let next = format!("/v1/customers/{}/events?starting_after={}", world.petra, events["next"].as_str().unwrap());
    assert!(nord.get(&next).await.json()["data"].as_array().is_some_and(|rest| !rest.is_empty()));
}

#[actix_web::test]
async fn a_draft_tells_all_that_its_publication_refuses_and_what_was_read_is_what_is_published() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let nord = Machine::new(&pages, world.mighty_key(world.nord).await);
    let (path, versions) = plan(&nord, "fee", &["49"]).await;
    let draft = format!("{path}/draft");
    let put = async |body: &Value| {
        let request = TestRequest::put().uri(&draft).insert_header(("content-type", "application/json"));
        nord.send(request.set_payload(body.to_string())).await
    };
    let mut wrong = monthly("49");
    wrong["term_months"] = json!(0);
    // A plan is no add-on, and nobody knows the other.
    let nobodys = db::PlanVersionId::new().to_string();
    wrong["loyalty"] =
        json!([{"after_months": 6, "free_add_on": versions[0]}, {"after_months": 9, "free_add_on": nobodys}]);
    let saved = put(&wrong).await.json();
    let told = |problems: &Value| -> Vec<(String, String)> {
        let text = |of: &Value| of.as_str().unwrap_or_default().to_owned();
        problems.as_array().unwrap().iter().map(|of| (text(&of["pointer"]), text(&of["code"]))).collect()
    };
    let expected = [
        ("/term_months", "must_lie_between"),
        ("/loyalty/0/free_add_on", "must_be_add_on"),
        ("/loyalty/1/free_add_on", "must_be_add_on"),
    ]
    .map(|(pointer, code)| (pointer.to_owned(), code.to_owned()));
    assert_eq!(told(&saved["problems"]), expected);
    let publication = format!("{path}/publication");
    assert_eq!(told(&nord.post(&publication, "p", &json!({})).await.json()["errors"]), expected);

    let seen = put(&monthly("50")).await.header("etag").to_owned();
    put(&monthly("51")).await;
    let publish = |tag: &str| {
        let request = TestRequest::post().uri(&publication).insert_header(("idempotency-key", tag.to_owned()));
        request.insert_header(("if-match", tag.to_owned())).insert_header(("content-type", "application/json"))
    };
    assert_eq!(nord.send(publish(&seen)).await.status, 412, "another draft than the one that was read");
    let now = nord.get(&draft).await.header("etag").to_owned();
    // Who publishes holds the draft: it is not written between the look at what it does and its publication.
    let id: db::PlanId = path.rsplit('/').next().unwrap().parse().unwrap();
    let (holds, writes) = (world.nord().await, world.nord().await);
    assert!(subscription::lock_draft(&holds, id).await.unwrap().is_some());
    let (document, at) = (monthly("52"), start());
    let written = subscription::save_draft(&writes, id, &document, "Ann", at);
    assert!(tokio::time::timeout(Duration::from_millis(400), written).await.is_err(), "the draft is held");
    drop((holds, writes));
    let published = nord.send(publish(&now)).await;
    assert_eq!(published.status, 201, "{}", published.text());
    assert_eq!(published.json()["terms"]["components"][0]["price"]["unit"], "51");

    put(&monthly("53")).await;
    assert_eq!(nord.post(&format!("{path}/archival"), "a", &json!({})).await.status, 200);
    let problems = nord.get(&draft).await.json()["problems"].clone();
    assert_eq!(told(&problems), [("/plan".to_owned(), "must_not_be_archived".to_owned())]);
}

#[actix_web::test]
async fn a_refusal_is_said_in_plain_words_with_its_value_and_all_of_a_prospect_at_once() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let nord = Machine::new(&pages, world.mighty_key(world.nord).await);
    let customer = |field: &str, value: Value| {
        let mut body = json!({"name": "Anna", "billing": "prepaid"});
        body[field] = value;
        body
    };
    for (body, pointer, rule, value) in [
        (customer("billing", json!("cash")), "/billing", "must be one of: prepaid, postpaid", "cash"),
        (
            customer("payment_terms_days", json!(-1)),
            "/payment_terms_days",
            "must be a whole number from 0 to 65535",
            "-1",
        ),
        (
            customer("anchor_on", json!("yesterday")),
            "/anchor_on",
            "must be an instant, as in 2026-03-02T10:00:00Z, or a day, as in 2026-03-02",
            "yesterday",
        ),
    ] {
        let refused = nord.post("/v1/customers", "c", &body).await.json();
        let first = &refused["errors"][0];
        assert_eq!(
            (&first["pointer"], &first["detail"], &first["value"]),
            (&json!(pointer), &json!(rule), &json!(value)),
            "{refused}"
        );
    }
    let both = json!({"name": "", "billing": "prepaid", "time_zone": "Mars/Olympus", "country": "Germany"});
    let refused = nord.post("/v1/customers", "c", &both).await.json();
    let places = |of: &Value| -> Vec<Value> {
        of["errors"].as_array().unwrap().iter().map(|field| field["pointer"].clone()).collect()
    };
    assert_eq!(places(&refused), ["/name", "/time_zone", "/country"]);
    for (path, rule, value) in [
        ("/v1/customers?limit=two", "must be a whole number", "two"),
        ("/v1/invoices?customer=nobody", "must be an id of what is asked for here", "nobody"),
        (
            "/v1/usage?meter=calls&from=soon&to=2026-01-01T00:00:00Z",
            "must be an instant, as in 2026-03-02T10:00:00Z, or a day, as in 2026-03-02",
            "soon",
        ),
        (
            "/v1/usage?meter=calls&from=2025-01-01T00:00:00Z&to=2026-01-02T00:00:01Z",
            "must lie at most 366 days after `from`",
            "2026-01-02T00:00:01+00:00",
        ),
    ] {
        let refused = nord.get(path).await.json();
        let first = &refused["errors"][0];
        assert_eq!((&first["detail"], &first["value"]), (&json!(rule), &json!(value)), "{path}: {refused}");
    }
    let whole = nord.get("/v1/usage?meter=calls&from=2025-01-01T00:00:00Z&to=2026-01-02T00:00:00Z").await;
    assert_eq!(whole.status, 200, "366 days: {}", whole.text());

    let mut terms = monthly("49");
    terms["term_months"] = json!(0);
    let quote = json!({"plan_name": "X", "terms": terms, "valid_until": "2026-04-01T00:00:00Z",
        "prospect": {"name": "Nordwind", "time_zone": "Mars/Olympus", "country": "XX"}});
    let refused = nord.post("/v1/quotes", "q", &quote).await.json();
    assert_eq!(places(&refused), ["/terms/term_months", "/prospect/time_zone", "/prospect/country"]);
    assert_eq!(refused["errors"][1]["value"], "Mars/Olympus");

    let forecast = json!({"currency": "EUR", "time_zone": "Europe/Berlin", "week_of": "2026-03-02", "channels": [],
        "hours": [], "cost_per_agent_hour": "-5"});
    let refused = nord.post("/v1/calculators/estimate", "", &forecast).await.json();
    assert!(!refused["errors"][0]["value"].as_str().unwrap_or_default().contains('"'), "{refused}");
}

#[actix_web::test]
async fn a_line_carries_its_derivation_as_data() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let nord = Machine::new(&pages, world.mighty_key(world.nord).await);
    let (_, versions) = plan(&nord, "fee", &["49"]).await;
    subscribed(
        &nord,
        &json!({"customer": world.petra.to_string(), "plan_version": versions[0],
        "anchor_on": "2026-03-01", "starts_at": "2026-03-02T10:00:00Z"}),
    )
    .await;
    let next = nord.get(&format!("/v1/customers/{}/next-invoice", world.petra)).await.json();
    let line = &next["next"]["lines"][0];
    assert_eq!(line["price_version"], json!({"name": "fee", "version": 1, "component": "Base fee"}), "{next}");
    let steps = line["explanation"].as_array().unwrap();
    let share = steps.iter().find(|step| step["rule"] == "share" || step["rule"] == "days");
    assert!(share.is_some_and(|step| step["values"]["of"].is_string()), "30 of March's 31 days: {line}");

    let (_, document) = world.called_and_billed(world.jonas).await;
    let lines = nord.get(&format!("/v1/invoices/{document}/lines")).await.json();
    for line in lines["data"].as_array().unwrap() {
        let steps = line["explanation"].as_array().unwrap();
        assert!(!steps.is_empty(), "{line}");
        for step in steps {
            assert!(step["rule"].as_str().is_some_and(|rule| !rule.is_empty()) && step["values"].is_object(), "{step}");
        }
    }
}
