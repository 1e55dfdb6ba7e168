//! The API on what is offered and tried out: quotes and estimates, all subscriptions, advice, dry runs, what comes next.

use crate::api::Machine;
use crate::browser::pages;
use crate::world::World;
use actix_web::Error;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::test::TestRequest;
use serde_json::{Value, json};

/// 49.00 a month, and this for each call beyond 100.
fn terms(call: &str) -> Value {
    json!({
        "currency": "EUR", "trial_days": 0,
        "components": [
            {"key": "base", "kind": "flat", "name": "Base fee", "price": {"model": "per_unit", "unit": "49"}, "billed": "in_advance"},
            {"key": "calls", "kind": "usage", "name": "Calls", "measure": "calls", "included": "100",
             "price": {"model": "per_unit", "unit": call}, "billed": "in_arrears"},
        ],
    })
}

fn prospect(billing: &str) -> Value {
    json!({"name": "Nordwind GmbH", "time_zone": "Europe/Berlin", "country": "DE", "billing": billing})
}

/// Everything that a list holds, page by page.
async fn walked<S>(nord: &Machine<'_, S>, path: &str) -> Vec<String>
where
    S: Service<actix_http::Request, Response = ServiceResponse, Error = Error>,
{
    let (mut found, mut place) = (Vec::new(), String::new());
    loop {
        let page = nord.get(&format!("{path}?limit=2{place}")).await.json();
        let ids = page["data"].as_array().expect("a list").iter().map(|of| of["id"].as_str().unwrap().to_owned());
        found.extend(ids);
        match page["next"].as_str() {
            Some(next) => place = format!("&starting_after={next}"),
            None => return found,
        }
    }
}

#[actix_web::test]
async fn quotes_are_written_walked_withdrawn_and_accepted_once_by_their_token() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let nord = Machine::new(&pages, world.mighty_key(world.nord).await);
    let mut made = Vec::new();
    for index in 0..5 {
        let new = json!({"plan_name": format!("Offer {index}"), "terms": terms("0.50"), "prospect": prospect("prepaid"),
                         "quantities": {"calls": "300"}, "valid_until": "2026-04-01T00:00:00Z"});
        let quote = nord.post("/v1/quotes", &format!("q-{index}"), &new).await.json();
        assert_eq!((&quote["state"], &quote["quantities"]), (&json!("open"), &json!({"calls": "300"})), "{quote}");
        made.insert(0, quote);
    }
    let ids: Vec<&str> = made.iter().map(|quote| quote["id"].as_str().unwrap()).collect();
    assert_eq!(walked(&nord, "/v1/quotes").await, ids);
    let wrong = json!({"plan_name": "X", "terms": terms("0.50"), "prospect": prospect("prepaid"),
                       "quantities": {"base": "3"}, "valid_until": "2026-04-01T00:00:00Z"});
    let refused = nord.post("/v1/quotes", "q-wrong", &wrong).await;
    assert_eq!(refused.field(), (422, "/quantities/base".into(), "must_be_counted_component".into()));
    let taken_back = nord.post(&format!("/v1/quotes/{}/withdrawal", ids[4]), "w", &json!({})).await.json();
    assert_eq!(taken_back["state"], "withdrawn");
    let accept =
        |quote: &Value| json!({"token": quote["token"], "accepted_by": "Kim", "company": "Nordwind Nord GmbH"});
    let refused = nord.post("/v1/quote-acceptances", "a-1", &accept(&made[4])).await;
    assert_eq!(refused.status, 422, "{}", refused.text());
    let first = nord.post("/v1/quote-acceptances", "a-2", &accept(&made[0])).await.json();
    let again = nord.post("/v1/quote-acceptances", "a-3", &accept(&made[0])).await.json();
    assert_eq!((&first["state"], &first["accepted_by"]), (&json!("accepted"), &json!("Kim")), "{first}");
    assert_eq!(first["subscription"], again["subscription"], "accepted twice is one subscription");
    let subscription = nord.get(&format!("/v1/subscriptions/{}", first["subscription"].as_str().unwrap())).await.json();
    let path = format!("/v1/customers/{}", subscription["customer"].as_str().unwrap());
    let customer = nord.get(&path).await.json();
    assert_eq!((&customer["name"], &customer["billing"]), (&json!("Nordwind Nord GmbH"), &json!("prepaid")));
    assert_eq!(nord.get(&format!("{path}/wallet")).await.json()["available"]["amount"], "0.00");
    // everybody's subscriptions, and one customer's
    for customer in [world.jonas, world.petra] {
        let new = json!({"customer": customer.to_string(), "plan_version": first["plan_version"]});
        assert_eq!(nord.post("/v1/subscriptions", &format!("s-{customer}"), &new).await.status, 201);
    }
    assert_eq!(walked(&nord, "/v1/subscriptions").await.len(), 3);
    let of_petra = nord.get(&format!("/v1/subscriptions?customer={}", world.petra)).await.json();
    assert_eq!(of_petra["data"].as_array().map(Vec::len), Some(1));
}

#[actix_web::test]
async fn estimates_are_kept_walked_and_read_by_the_token_of_their_link() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let nord = Machine::new(&pages, world.mighty_key(world.nord).await);
    let forecast = json!({
        "currency": "EUR", "time_zone": "Europe/Berlin", "week_of": "2026-03-02",
        "hours": [{"days": ["mon"], "from": "09:00", "to": "10:00"}],
        "channels": [{"channel": "phone", "per_month": "800", "talk_seconds": "180", "target": "0.8", "within_seconds": "20"}],
        "maximum_occupancy": "0.85", "shrinkage": "0.3", "cost_per_agent_hour": "18", "margin_percent": "30",
    });
    let mut made = Vec::new();
    for index in 0..3 {
        let new = json!({"name": format!("E{index}"), "forecast": forecast});
        made.insert(0, nord.post("/v1/estimates", &format!("e-{index}"), &new).await.json());
    }
    let ids: Vec<&str> = made.iter().map(|estimate| estimate["id"].as_str().unwrap()).collect();
    assert_eq!(walked(&nord, "/v1/estimates").await, ids);
    let shared = nord.get(&format!("/v1/shared-estimates/{}", made[0]["token"].as_str().unwrap())).await.json();
    assert_eq!((&shared["id"], &shared["result"]), (&made[0]["id"], &made[0]["result"]));
    assert_eq!(nord.get(&format!("/v1/estimates/{}", ids[2])).await.json()["name"], "E0");
    let file = nord.get(&format!("/v1/estimates/{}/csv", ids[2])).await;
    assert_eq!(file.header("content-type"), "text/csv; charset=utf-8");
    let total = made[2]["result"]["cost"]["total"]["amount"].as_str().unwrap();
    assert!(file.text().contains(&format!("cost a month,{total},EUR")), "{total} in {}", file.text());
    // An estimate becomes a quote: what it suggests in a model is taken as it is.
    let offers = nord.get(&format!("/v1/estimates/{}/offers", ids[2])).await.json();
    let models: Vec<&str> =
        offers["data"].as_array().unwrap().iter().map(|offer| offer["model"].as_str().unwrap()).collect();
    assert_eq!(models, ["per_event", "per_minute", "per_hour", "per_seat", "mixed"]);
    let offer = &offers["data"][0];
    let new = json!({"plan_name": "By the call", "terms": offer["terms"], "quantities": offer["quantities"],
        "seats": offer["seats"], "estimate": ids[2], "prospect": prospect("postpaid"), "valid_until": "2026-04-01T00:00:00Z"});
    let quote = nord.post("/v1/quotes", "q", &new).await;
    assert_eq!(quote.status, 201, "{}", quote.text());
    assert_eq!((&quote.json()["terms"], &quote.json()["estimate"]), (&offer["terms"], &json!(ids[2])));
}

#[actix_web::test]
async fn past_usage_is_tried_in_every_plan_and_other_terms_on_everybody_who_has_one() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let nord = Machine::new(&pages, world.mighty_key(world.nord).await);
    let plan = nord.post("/v1/plans", "p", &json!({"code": "per-event", "name": "Per event"})).await.json();
    let path = format!("/v1/plans/{}", plan["id"].as_str().unwrap());
    let version = nord.post(&format!("{path}/versions"), "v", &terms("0.50")).await.json();
    // a whole month lies behind it on the 2nd of March
    let new = json!({"customer": world.petra.to_string(), "plan_version": version["id"],
                     "anchor_on": "2026-02-01", "starts_at": "2026-01-31T23:00:00Z"});
    let foreseen = nord.post("/v1/subscription-previews", "", &new).await.json();
    assert_eq!(nord.get("/v1/subscriptions").await.json()["data"], json!([]), "a look begins nothing");
    let made = nord.post("/v1/subscriptions", "s", &new).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let really = nord.get(&format!("/v1/customers/{}/next-invoice", world.petra)).await.json();
    for part in ["net", "gross", "due"] {
        assert_eq!(foreseen["next"][part], really["next"][part], "{foreseen}\n{really}");
    }
    assert_eq!(foreseen["following"]["net"], really["following"]["net"]);
    let mut dearer = terms("0.50");
    dearer["components"][0]["price"]["unit"] = json!("98");
    let tried = nord.post(&format!("{path}/dry-runs"), "", &json!({"terms": dearer})).await.json();
    // nothing was used: 49.00 becomes 98.00, twice as much
    let row = &tried["rows"][0];
    assert_eq!((&row["before"]["amount"], &row["after"]["amount"]), (&json!("49.00"), &json!("98.00")), "{tried}");
    assert_eq!((&row["difference"]["amount"], &row["needs_confirmation"]), (&json!("49.00"), &json!(true)));
    // What moves a bill by more than 30% is published once that was seen, by the address and by the draft alike.
    let versions = format!("{path}/versions");
    let refused = nord.post(&versions, "v-2", &dearer).await;
    assert_eq!(refused.refusal(), (409, "confirmation_needed".into()), "{}", refused.text());
    assert_eq!(nord.get(&versions).await.json()["data"].as_array().map(Vec::len), Some(1));
    let draft = TestRequest::put().uri(&format!("{path}/draft")).insert_header(("content-type", "application/json"));
    let drafted = nord.send(draft.set_payload(dearer.to_string())).await;
    assert_eq!(drafted.status, 200, "{}", drafted.text());
    let publication = format!("{path}/publication");
    assert_eq!(nord.post(&publication, "pub", &json!({})).await.refusal(), (409, "confirmation_needed".into()));
    let wrong = nord.post(&format!("{publication}?confirmed=perhaps"), "pub", &json!({})).await;
    assert_eq!((wrong.status, wrong.field().1.as_str()), (422, "/confirmed"));
    // Sent again with the same key: nothing was done before.
    let published = nord.post(&format!("{publication}?confirmed=true"), "pub", &json!({})).await;
    assert_eq!(published.status, 201, "{}", published.text());
    let nonsense =
        nord.post(&format!("{path}/dry-runs"), "", &json!({"terms": {"currency": "EUR", "term_months": 0}})).await;
    assert_eq!(nonsense.field(), (422, "/terms/term_months".into(), "must_lie_between".into()));
    let advice = nord.get(&format!("/v1/customers/{}/advice", world.petra)).await.json();
    assert_eq!((&advice["from_on"], &advice["to_on"]), (&json!("2025-12-01"), &json!("2026-03-01")), "{advice}");
    let first = &advice["plans"][0];
    assert_eq!(
        (&first["name"], &first["is_current"], &first["is_cheapest"]),
        (&json!("Per event"), &json!(true), &json!(true))
    );
    let next = nord.get(&format!("/v1/customers/{}/next-invoice", world.petra)).await.json();
    assert_eq!(next["customer"], json!(world.petra.to_string()));
    let allowed = nord.get(&format!("/v1/entitlements?customer={}", world.petra)).await;
    assert_eq!(allowed.status, 200, "{}", allowed.text());
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let change = json!({"kind": "cancel", "when": "period_end"});
    let preview = nord.post(&format!("/v1/subscriptions/{id}/change-previews"), "", &change).await;
    assert_eq!(preview.status, 200, "{}", preview.text());
    assert_eq!(
        nord.get(&format!("/v1/subscriptions/{id}/changes")).await.json()["data"],
        json!([]),
        "nothing was asked"
    );
    let hours = nord.get("/v1/usage/hours?meter=calls&from=2026-02-01T00:00:00Z&to=2026-02-02T00:00:00Z").await;
    assert_eq!(hours.status, 200, "{}", hours.text());
}
