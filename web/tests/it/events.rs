//! Events from another system: each is answered for itself, after the commit, and counts once.

use crate::api::{Machine, Reply};
use crate::browser::pages;
use crate::world::{World, start};
use actix_http::Request;
use actix_web::Error;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::test::TestRequest;
use chrono::TimeDelta;
use db::CustomerId;
use serde_json::{Value, json};
use std::io::Write;

/// Minutes of a customer's, used an hour ago.
fn event(id: &str, customer: CustomerId, quantity: &str) -> Value {
    json!({
        "specversion": "1.0", "id": id, "source": "switch-1", "type": "minutes",
        "time": (start() - TimeDelta::hours(1)).to_rfc3339(), "subject": customer.to_string(),
        "data": { "quantity": quantity, "dimensions": { "topic": "law" } },
    })
}

fn post(kind: &str, body: impl Into<Vec<u8>>) -> TestRequest {
    TestRequest::post().uri("/v1/events").insert_header(("content-type", kind)).set_payload(body.into())
}

async fn send<S>(machine: &Machine<'_, S>, events: &[Value]) -> Reply
where
    S: Service<Request, Response = ServiceResponse, Error = Error>,
{
    machine.send(post("application/json", json!(events).to_string())).await
}

/// The statuses of an answer, in the order of the events.
fn statuses(reply: &Reply) -> Vec<String> {
    let results = reply.json()["results"].as_array().cloned().unwrap_or_default();
    results.iter().map(|result| result["status"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Minutes that a book has counted today, as the API says.
async fn minutes<S>(machine: &Machine<'_, S>) -> String
where
    S: Service<Request, Response = ServiceResponse, Error = Error>,
{
    let path = "/v1/usage?meter=minutes&from=2026-03-02T00:00:00Z&to=2026-03-03T00:00:00Z";
    let reply = machine.get(path).await;
    reply.json()["data"][0]["quantity"].as_str().unwrap_or("0").to_owned()
}

#[actix_web::test]
async fn each_event_of_a_request_is_answered_for_itself_and_counts_once() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let nord = Machine::new(&pages, world.mighty_key(world.nord).await);
    let first = [event("a", world.jonas, "1.5"), event("b", world.petra, "2")];
    let reply = send(&nord, &first).await;
    assert_eq!((reply.status, statuses(&reply)), (200, vec!["accepted".into(), "accepted".into()]), "{}", reply.text());
    assert_eq!(minutes(&nord).await, "3.5"); // 1.5 + 2: counted when it is answered

    let mut wrong = event("e", world.jonas, "1");
    wrong["data"]["quantity"] = json!([1]);
    let second = [
        first[0].clone(),
        event("b", world.petra, "9"),
        event("c", CustomerId::new(), "1"),
        event("d", world.jonas, "-1"),
        wrong,
        event("f", world.jonas, "4"),
        event("f", world.jonas, "4"),
    ];
    let reply = send(&nord, &second).await;
    let expected = ["duplicate", "conflict", "suspense", "rejected", "rejected", "accepted", "duplicate"];
    assert_eq!(statuses(&reply), expected, "{}", reply.text());
    let answer = reply.json();
    assert_eq!(answer["results"][2]["cause"], "unknown_customer");
    assert_eq!(answer["results"][3]["errors"][0]["pointer"], "/3/data/quantity");
    assert_eq!(answer["results"][4]["errors"][0]["pointer"], "/4/data/quantity");
    assert_eq!(answer["results"][4]["id"], "e");
    assert_eq!((answer["accepted"].as_u64(), answer["rejected"].as_u64()), (Some(1), Some(2)));
    assert_eq!(minutes(&nord).await, "7.5"); // 3.5 + 4: the 9 and the -1 count nowhere
    let waiting = usage_metering::open_suspense(&world.nord().await, 10).await.unwrap();
    let mut causes: Vec<&str> = waiting.iter().map(|entry| entry.cause.as_str()).collect();
    causes.sort_unstable();
    assert_eq!(causes, ["conflict", "unknown_customer"]);
    // Sent whole once more, nothing changes.
    let again = send(&nord, &second).await;
    assert_eq!(statuses(&again)[5..], ["duplicate", "duplicate"]);
    assert_eq!(minutes(&nord).await, "7.5");
    assert_eq!(usage_metering::check(&world.nord().await, start()).await.unwrap(), []);
}

#[actix_web::test]
async fn an_event_may_come_alone_by_lines_or_packed() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let nord = Machine::new(&pages, world.mighty_key(world.nord).await);
    let one = |id: &str| event(id, world.jonas, "1").to_string();
    assert_eq!(statuses(&nord.send(post("application/cloudevents+json", one("a"))).await), ["accepted"]);
    let lines = format!("{}\n\n{}\nnot json\n", one("a"), one("b"));
    let reply = nord.send(post("application/x-ndjson", lines)).await;
    assert_eq!((reply.status, statuses(&reply)), (200, vec!["duplicate".into(), "accepted".into(), "rejected".into()]));
    assert_eq!(reply.json()["results"][2]["errors"][0]["code"], "json_malformed");

    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(one("c").as_bytes()).unwrap();
    let packed = post("application/json", gzip.finish().unwrap()).insert_header(("content-encoding", "gzip"));
    assert_eq!(statuses(&nord.send(packed).await), ["accepted"]);
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    let packed = post("application/json", ruzstd::encoding::compress_to_vec(one("d").as_bytes(), level));
    assert_eq!(statuses(&nord.send(packed.insert_header(("content-encoding", "zstd"))).await), ["accepted"]);
    assert_eq!(minutes(&nord).await, "4"); // a, b, c, d

    // Alone, the status says it, too.
    let other = nord.send(post("application/json", event("d", world.jonas, "2").to_string())).await;
    assert_eq!((other.status, statuses(&other)), (409, vec!["conflict".into()]));
    let no_event = nord.send(post("application/json", "{\"id\":\"x\"}")).await;
    assert_eq!(
        (no_event.status, no_event.json()["results"][0]["errors"][0]["pointer"].clone()),
        (422, json!("/specversion"))
    );

    for (request, refusal) in [
        (post("application/json", "[]"), (422, "invalid")),
        (post("application/json", format!("[{}{}]", "1,".repeat(1_000), 1)), (422, "invalid")),
        (post("application/json", "[1"), (400, "json_malformed")),
        (post("text/plain", "x"), (415, "json_required")),
        (post("application/json", "x").insert_header(("content-encoding", "br")), (415, "encoding_unknown")),
        (post("application/json", "x").insert_header(("content-encoding", "gzip")), (400, "encoding_malformed")),
    ] {
        assert_eq!(nord.send(request).await.refusal(), (refusal.0, refusal.1.to_owned()));
    }
    assert_eq!(minutes(&nord).await, "4");
}

#[actix_web::test]
async fn what_two_books_send_at_once_stays_in_its_own_book() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let tx = world.database.db.tenant(world.operator).await.unwrap();
    usage_metering::define_standard_meters(&tx).await.unwrap();
    tx.commit().await.unwrap();
    let nord = Machine::new(&pages, world.mighty_key(world.nord).await);
    let operator = Machine::new(&pages, world.mighty_key(world.operator).await);
    // The same keys in both books, for a customer that only one of them has, sent in one moment by many.
    let events: Vec<Vec<Value>> =
        (0..10).map(|n| (0..20).map(|k| event(&format!("{n}-{k}"), world.jonas, "1")).collect()).collect();
    let sent = events.iter().flat_map(|events| [send(&nord, events), send(&operator, events)]);
    let replies = futures_util::future::join_all(sent).await;
    for (place, reply) in replies.iter().enumerate() {
        let expected = if place % 2 == 0 { "accepted" } else { "suspense" };
        assert!(statuses(reply).iter().all(|status| status == expected), "{place}: {}", reply.text());
    }
    assert_eq!((minutes(&nord).await.as_str(), minutes(&operator).await.as_str()), ("200", "0")); // 10 x 20
    let tx = world.database.db.tenant(world.operator).await.unwrap();
    assert_eq!(usage_metering::open_suspense(&tx, 1_000).await.unwrap().len(), 200);
    assert_eq!(usage_metering::check(&tx, start()).await.unwrap(), []);
    assert_eq!(usage_metering::check(&world.nord().await, start()).await.unwrap(), []);
    // Many requests, few commits: a commit is a batch of sums.
    let mut bulk = world.database.db.bulk(world.nord).await.unwrap();
    let commits = bulk.number("SELECT count(DISTINCT batch_id) FROM usage_event").await.unwrap();
    assert!((1..10).contains(&commits), "10 requests of one book took {commits} commits");
}

#[actix_web::test]
async fn what_cannot_be_stored_is_not_acknowledged_and_says_when_to_come_back() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let nord = Machine::new(&pages, world.mighty_key(world.nord).await);
    world.database.as_owner("ALTER TABLE usage_sum RENAME TO usage_sum_away").await;
    let reply = send(&nord, &[event("a", world.jonas, "1")]).await;
    assert_eq!((reply.refusal(), reply.header("retry-after")), ((503, "not_stored".into()), "1"));
    world.database.as_owner("ALTER TABLE usage_sum_away RENAME TO usage_sum").await;
    // Nothing of it was kept.
    assert_eq!(statuses(&send(&nord, &[event("a", world.jonas, "1")]).await), ["accepted"]);
    assert_eq!(minutes(&nord).await, "1");
}
