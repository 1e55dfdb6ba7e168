//! A book's own meters: defined on a page or by the API, tried first on what came before.

use crate::api::Machine;
use crate::browser::{Browser, pages};
use crate::world::{World, start};
use actix_web::test::TestRequest;
use chrono::TimeDelta;
use serde_json::{Value, json};

fn chats(world: &World) -> Value {
    let event = |id: &str, language: &str, quantity: &str| {
        json!({
            "specversion": "1.0", "id": id, "source": "bot", "type": "chat", "subject": world.jonas.to_string(),
            "time": (start() - TimeDelta::hours(1)).to_rfc3339(),
            "data": { "quantity": quantity, "dimensions": { "language": language } },
        })
    };
    json!([event("a", "de", "2.5"), event("b", "fr", "4"), event("c", "de", "1")])
}

#[actix_web::test]
async fn a_meter_is_tried_on_its_page_and_counts_from_then_on() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let nord = Machine::new(&pages, world.mighty_key(world.nord).await);
    let post = |body: &Value| {
        let request = TestRequest::post().uri("/v1/events").insert_header(("content-type", "application/json"));
        request.set_payload(body.to_string())
    };
    let first = nord.send(post(&chats(&world))).await.json();
    assert_eq!(first["suspense"], 3, "no meter counts chats: {first}");
    let mut browser = Browser::new(&pages);
    browser.sign_in("admin@nord.example").await;
    let list = browser.get("/admin/meters").await.body;
    assert!(list.contains("minutes") && list.contains("/admin/meters/new"), "{list}");
    let asked = "name=German+chats&code=german_chats&unit=minute&event_type=chat&aggregation=sum&dimensions=language";
    for (filter, code, said) in [
        ("language", "german_chats", "Must be pairs such as topic=law, not language."),
        ("language%3Dde", "minutes", "Another meter has the code minutes."),
        ("language%3Dde", "German", "A meter&#39;s code is 1 to 60"),
    ] {
        let asked = asked.replace("german_chats", code);
        let page = browser.get(&format!("/admin/meters/new?sent=yes&{asked}&filter={filter}")).await.body;
        let is_said = page.contains(said) || page.contains(&said.replace("&#39;", "'"));
        assert!(is_said && !page.contains("id=\"outcome\""), "{said} in {page}");
        assert!(page.contains("value=\"German chats\""), "what was typed stays");
    }
    let tried = browser.get(&format!("/admin/meters/new?sent=yes&{asked}&filter=language%3Dde")).await;
    // 2.5 + 1; the French one does not pass
    for words in ["3.5", "2 events of these wait in suspense", "Count German chats from now on"] {
        assert!(tried.body.contains(words), "{words} in {}", tried.body);
    }
    let fields = [
        ("name", "German chats"),
        ("code", "german_chats"),
        ("unit", "minute"),
        ("event_type", "chat"),
        ("aggregation", "sum"),
        ("dimensions", "language"),
        ("filter", "language=de"),
    ];
    let done = browser.post("/admin/meters", &tried.token(), &fields).await;
    assert_eq!((done.status, done.to()), (303, "/admin/meters"), "{}", done.body);
    assert!(browser.get(done.to()).await.body.contains("chat with language de"));
    // What waited counts when it is tried again; the French one goes on waiting.
    let suspense = "/admin/suspense/unknown_meter/decisions";
    browser.post(suspense, &tried.token(), &[("do", "again")]).await;
    let usage = "/v1/usage?meter=german_chats&from=2026-03-02T00:00:00Z&to=2026-03-03T00:00:00Z&by=language";
    assert_eq!(nord.get(usage).await.json()["data"][0]["quantity"], "3.5");
    assert_eq!(usage_metering::open_suspense(&world.nord().await, 10).await.unwrap().len(), 1);
}

#[actix_web::test]
async fn a_meter_is_tried_and_defined_by_the_api() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let nord = Machine::new(&pages, world.mighty_key(world.nord).await);
    let meter = json!({"code": "chats", "name": "Chats", "unit": "chat", "aggregation": "count", "event_type": "chat"});
    let events = TestRequest::post().uri("/v1/events").insert_header(("content-type", "application/json"));
    nord.send(events.set_payload(chats(&world).to_string())).await;
    let preview = nord.post("/v1/meter-previews", "p", &meter).await;
    assert_eq!(preview.status, 200, "{}", preview.text());
    let preview = preview.json();
    assert_eq!((preview["quantity"].as_str(), preview["waiting"].as_u64()), (Some("3"), Some(3)), "{preview}");
    let made = nord.post("/v1/meters", "m", &meter).await;
    assert_eq!((made.status, made.json()["event_type"].clone()), (201, json!("chat")), "{}", made.text());
    for (name, value, pointer, code) in [
        ("code", json!("chats"), "/code", "must_be_free"),
        ("code", json!("Chats"), "/code", "must_be_simple"),
        ("unit", json!(""), "/unit", "must_have_a_length"),
        ("aggregation", json!("median"), "/aggregation", "unknown_word"),
        ("dimensions", json!(["a", "b", "c", "d", "e", "f", "g", "h", "i"]), "/dimensions", "must_be_few"),
    ] {
        let mut wrong = meter.clone();
        wrong["code"] = json!("other");
        wrong[name] = value;
        let refused = nord.post("/v1/meters", name, &wrong).await;
        assert_eq!(refused.field(), (422, pointer.into(), code.into()), "{}", refused.text());
    }
}
