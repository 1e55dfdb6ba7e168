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

#[actix_web::test]
async fn different_values_percentiles_and_how_many_at_once_are_shown_without_being_added_up() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let nord = Machine::new(&pages, world.mighty_key(world.nord).await);
    let meter = |code: &str, aggregation: &str| json!({"code": code, "name": code, "unit": "chat", "aggregation": aggregation, "event_type": "chat"});
    let with = |code: &str, aggregation: &str, name: &str, value: Value| {
        let mut meter = meter(code, aggregation);
        meter[name] = value;
        meter
    };
    for (wrong, pointer, code) in [
        (meter("m", "unique"), "/of_dimension", "must_name_its_values"),
        (with("m", "sum", "of_dimension", json!("caller")), "/of_dimension", "must_name_its_values"),
        (with("m", "percentile", "percent", json!("100.5")), "/percent", "must_lie_between"),
        (with("m", "peak", "dimensions", json!(["caller"])), "/dimensions", "must_be_none"),
        (with("m", "max", "dimensions", json!(["="])), "/dimensions", "must_be_an_events"),
    ] {
        let refused = nord.post("/v1/meters", &wrong.to_string(), &wrong).await;
        assert_eq!(refused.field(), (422, pointer.into(), code.into()), "{}", refused.text());
    }
    for (n, new) in [
        with("callers", "unique", "of_dimension", json!("caller")),
        with("lengths", "percentile", "percent", json!("50.0")),
        meter("at_once", "peak"),
    ]
    .iter()
    .enumerate()
    {
        let made = nord.post("/v1/meters", &format!("m{n}"), new).await;
        assert_eq!(
            (made.status, made.json()["aggregation"].clone()),
            (201, new["aggregation"].clone()),
            "{}",
            made.text()
        );
    }
    // Ada from 07:00 to 07:10 and from 08:00 to 08:30, Bob from 07:05 to 07:10.
    let event = |id: &str, caller: &str, time: &str, seconds: &str| {
        json!({
            "specversion": "1.0", "id": id, "source": "bot", "type": "chat", "subject": world.jonas.to_string(),
            "time": format!("2026-03-02T{time}:00Z"),
            "data": { "quantity": seconds, "dimensions": { "caller": caller } },
        })
    };
    let events =
        [event("a", "ada", "07:00", "600"), event("b", "bob", "07:05", "300"), event("c", "ada", "08:00", "1800")];
    let request = TestRequest::post().uri("/v1/events").insert_header(("content-type", "application/json"));
    let taken = nord.send(request.set_payload(json!(events).to_string())).await.json();
    assert_eq!(taken["accepted"], 3, "{taken}");
    let meters = async || {
        let meters = nord.get("/v1/meters").await.json()["data"].as_array().unwrap().clone();
        meters
            .into_iter()
            .map(|meter| (meter["code"].as_str().unwrap().to_owned(), meter))
            .collect::<std::collections::BTreeMap<_, _>>()
    };
    let known = meters().await;
    assert_eq!((&known["callers"]["of_dimension"], &known["lengths"]["percent"]), (&json!("caller"), &json!("50")));
    assert_eq!((&known["at_once"]["dirty_hours"], &known["callers"]["dirty_hours"]), (&json!(2), &Value::Null));
    let mut browser = Browser::new(&pages);
    browser.sign_in("admin@nord.example").await;
    let days = "from=2026-03-01&until=2026-03-31";
    let page = browser.get(&format!("/admin/usage?meter=at_once&{days}")).await.body;
    assert!(page.contains("2 hours of at_once being counted"), "{page}");
    let tx = world.nord().await;
    assert_eq!(usage_metering::sweep(&tx, start()).await.unwrap(), 2);
    tx.commit().await.unwrap();
    assert_eq!(meters().await["at_once"]["dirty_hours"], 0);
    for (code, quantity, label) in [
        ("callers", "2", "Different in all"), // Ada and Bob, not 2 + 1
        ("lengths", "600", "50% do not exceed"),
        ("at_once", "2", "The most of one customer"),
    ] {
        let usage = format!("/v1/usage?meter={code}&from=2026-03-02T00:00:00Z&to=2026-03-03T00:00:00Z");
        let usage = nord.get(&usage).await.json();
        assert_eq!(
            (&usage["data"][0]["quantity"], &usage["data"][0]["events"]),
            (&json!(quantity), &json!(3)),
            "{usage}"
        );
        let page = browser.get(&format!("/admin/usage?meter={code}&{days}")).await.body;
        assert!(page.contains(label) && !page.contains("being counted"), "{label} in {page}");
    }
    let list = browser.get("/admin/meters").await.body;
    for how in ["Different values of caller", "What 50% do not exceed", "How many at once"] {
        assert!(list.contains(how), "{how} in {list}");
    }
    let asked = "/admin/meters/new?sent=yes&name=M&code=m&unit=u&event_type=chat&aggregation=percentile&percent";
    let page = browser.get(&format!("{asked}=most")).await.body;
    assert!(page.contains("Must be a number such as 95, not most."), "{page}");
    let page = browser.get(&format!("{asked}=100")).await.body;
    assert!(page.contains("1,800") && page.contains("Count M from now on"), "{page}");
}
