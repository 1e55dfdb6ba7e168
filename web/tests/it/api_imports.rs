//! Call records by the API: whole files, and one by one as switches post them.

use crate::api::{Machine, Reply};
use crate::browser::pages;
use crate::world::{NUMBER, World, start};
use actix_http::Request;
use actix_web::Error;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::test::TestRequest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

const PHONE: &str = "+491701000001";

async fn world() -> World {
    let world = World::new().await;
    let tx = world.nord().await;
    subscription::add_phone(&tx, world.jonas, PHONE, crate::world::founded()).await.unwrap();
    tx.commit().await.unwrap();
    world
}

async fn post<S>(machine: &Machine<'_, S>, path: &str, kind: &str, body: impl Into<Vec<u8>>) -> Reply
where
    S: Service<Request, Response = ServiceResponse, Error = Error>,
{
    let request = TestRequest::post().uri(path).insert_header(("content-type", kind.to_owned()));
    machine.send(request.set_payload(body.into())).await
}

/// A leg that talked from ten seconds on, an hour ago.
fn leg(id: &str, caller: &str, seconds: i64) -> Value {
    let began = start().timestamp() - 3_600;
    json!({ "core-uuid": "2f9f6a3c", "switchname": "fs1", "variables": {
        "uuid": id, "direction": "inbound", "caller_id_number": caller.replace('+', "%2B"),
        "destination_number": NUMBER.replace('+', "%2B"), "hangup_cause": "NORMAL_CLEARING",
        "start_epoch": began.to_string(), "answer_epoch": (began + 2).to_string(), "bridge_epoch": (began + 10).to_string(),
        "end_epoch": (began + 10 + seconds).to_string(), "billsec": (8 + seconds).to_string(),
    } })
}

fn statuses(reply: &Reply) -> Vec<String> {
    let results = reply.json()["results"].as_array().cloned().unwrap_or_default();
    results.iter().map(|result| result["status"].as_str().unwrap_or_default().to_owned()).collect()
}

async fn charges<S>(machine: &Machine<'_, S>) -> Vec<String>
where
    S: Service<Request, Response = ServiceResponse, Error = Error>,
{
    let calls = machine.get("/v1/calls").await.json()["data"].as_array().cloned().unwrap_or_default();
    calls.iter().map(|call| call["charge"]["amount"].as_str().unwrap_or("none").to_owned()).collect()
}

#[actix_web::test]
async fn freeswitch_posts_a_leg_in_its_own_ways_and_it_is_charged_once() {
    let (world, path) = (world().await, "/v1/cdr/freeswitch?uuid=a_1");
    let pages = pages(&world).await;
    let nord = Machine::new(&pages, world.mighty_key(world.nord).await);
    let first = leg("l1", PHONE, 61).to_string();
    let raw = post(&nord, path, "application/json", first.clone()).await;
    assert_eq!((raw.status, statuses(&raw)), (200, vec!["accepted".into()]), "{}", raw.text());
    let form = serde_urlencoded::to_string([("cdr", &first)]).unwrap();
    let base64 = format!("cdr={}", STANDARD.encode(&first));
    for (kind, body) in [("application/x-www-form-urlencoded", form), ("application/x-www-form-base64-encoded", base64)]
    {
        let again = post(&nord, path, kind, body).await;
        assert_eq!((again.status, statuses(&again)), (200, vec!["duplicate".into()]), "{kind}: {}", again.text());
    }
    assert_eq!(charges(&nord).await, ["0.61"]); // 61 s at 0.60 a minute, from the bridge on
    let other = post(&nord, path, "application/json", leg("l1", PHONE, 600).to_string()).await;
    assert_eq!((other.status, statuses(&other)), (409, vec!["conflict".into()]), "the first stands");
    let unknown = post(&nord, path, "application/json", leg("l2", "+491709999999", 5).to_string()).await;
    assert_eq!((unknown.status, unknown.json()["results"][0]["cause"].clone()), (200, json!("unknown_customer")));
    let mut second = leg("l3", PHONE, 61);
    second["variables"]["direction"] = json!("outbound");
    second["variables"]["originator"] = json!("l1");
    let left_out = post(&nord, path, "application/json", second.to_string()).await;
    assert_eq!((left_out.status, statuses(&left_out)), (200, vec!["left_out".into()]));
    let mut wrong = leg("l4", PHONE, 61);
    wrong["variables"]["destination_number"] = json!("1001");
    let refused = post(&nord, path, "application/json", wrong.to_string()).await;
    assert_eq!(refused.status, 422);
    let error = &refused.json()["results"][0]["errors"][0];
    assert_eq!((error["pointer"].clone(), error["value"].clone()), (json!("/0/destination_number"), json!("1001")));
    let xml = "<?xml version=\"1.0\"?><cdr core-uuid=\"x\"><variables><uuid>l5</uuid><start_epoch>1772440000</start_epoch>\
               <end_epoch>1772440060</end_epoch><caller_id_number>%2B491701000001</caller_id_number>\
               <destination_number>%2B4930900100</destination_number></variables></cdr>";
    assert_eq!(statuses(&post(&nord, path, "text/xml", xml).await), ["accepted"], "nobody answered it");
    assert_eq!(charges(&nord).await, ["0.61", "none"]);
}

#[actix_web::test]
async fn a_switch_that_knows_only_basic_brings_its_key_as_the_password() {
    let world = world().await;
    let pages = pages(&world).await;
    let key = world.key(world.nord, &["calls:write"]).await;
    let nobody = Machine::new(&pages, "");
    let with = |pair: String| {
        let request = TestRequest::post().uri("/v1/cdr/freeswitch").insert_header(("content-type", "application/json"));
        let request = request.insert_header(("authorization", format!("Basic {}", STANDARD.encode(pair))));
        request.set_payload(leg("b1", PHONE, 61).to_string())
    };
    assert_eq!(nobody.send(with(format!("fs1:{key}"))).await.status, 200);
    assert_eq!(nobody.send(with("fs1:rt_test_nothing".into())).await.status, 401);
    let reader = world.key(world.nord, &["calls:read"]).await;
    assert_eq!(nobody.send(with(format!("fs1:{reader}"))).await.status, 403);
}

#[actix_web::test]
async fn a_proxys_accounting_is_taken_as_finished_calls() {
    let world = world().await;
    let pages = pages(&world).await;
    let nord = Machine::new(&pages, world.mighty_key(world.nord).await);
    let began = start().timestamp() - 3_600;
    let call = |id: &str| {
        json!({ "method": "INVITE", "callid": id, "sip_code": "200", "sip_reason": "OK", "time": began + 4,
                "duration": 61, "setuptime": 4, "created": began, "caller": PHONE, "callee": NUMBER })
    };
    let sent = json!([call("k1"), call("k2"), { "method": "BYE", "callid": "k9", "sip_code": "200", "time": began }]);
    let reply = post(&nord, "/v1/cdr/sip-proxy?source=kamailio-1", "application/json", sent.to_string()).await;
    assert_eq!((reply.status, statuses(&reply)), (200, vec!["accepted".into(), "accepted".into(), "rejected".into()]));
    let again = post(&nord, "/v1/cdr/sip-proxy?source=kamailio-1", "application/json", call("k1").to_string()).await;
    assert_eq!(statuses(&again), ["duplicate"]);
    let elsewhere =
        post(&nord, "/v1/cdr/sip-proxy?source=kamailio-2", "application/json", call("k1").to_string()).await;
    assert_eq!(statuses(&elsewhere), ["accepted"], "another switch counts its own ids");
    let wrong = post(&nord, "/v1/cdr/sip-proxy?time_zone=Mars", "application/json", call("k3").to_string()).await;
    assert_eq!(wrong.field(), (422, "/time_zone".into(), "refused".into()));
}

#[actix_web::test]
async fn a_file_is_sent_worked_through_and_told_and_no_other_book_knows_it() {
    let world = world().await;
    let pages = pages(&world).await;
    let nord = Machine::new(&pages, world.mighty_key(world.nord).await);
    let file = [leg("f1", PHONE, 61), leg("f2", "+491709999999", 5)].map(|leg| leg.to_string()).join("\n");
    let path = "/v1/imports?format=freeswitch_json&name=monday.json";
    let sent = post(&nord, path, "application/octet-stream", file.clone()).await;
    let made = sent.json();
    assert_eq!((sent.status, made["state"].clone(), made["rows"].clone()), (201, json!("running"), json!(0)));
    while ringtill::worker::import_round(&world.app, &|| true).await.unwrap() {}
    let there = format!("/v1/imports/{}", made["id"].as_str().unwrap());
    let done = nord.get(&there).await.json();
    assert_eq!(
        (done["state"].clone(), done["accepted"].clone(), done["suspense"].clone()),
        (json!("done"), json!(1), json!(1))
    );
    assert_eq!(done["charged"], json!({ "amount": "0.61", "currency": "EUR" }));
    let report = nord.get(&format!("{there}/report")).await;
    assert_eq!(
        report.text().lines().nth(1),
        Some("2,suspense,id,unknown_customer,nobody called from +491709999999 at 2026-03-02 09:00:00 UTC,f2")
    );
    let again = post(&nord, "/v1/imports?format=freeswitch_json&then=try", "application/octet-stream", file).await;
    let tried = format!("/v1/imports/{}", again.json()["id"].as_str().unwrap());
    while ringtill::worker::import_round(&world.app, &|| true).await.unwrap() {}
    assert_eq!(
        (nord.get(&tried).await.json()["duplicate"].clone(), charges(&nord).await),
        (json!(2), vec!["0.61".to_owned()])
    );
    assert_eq!(nord.post(&format!("{tried}/stop"), "s", &json!({})).await.status, 409, "it does not run");
    assert_eq!(nord.post(&format!("{tried}/start"), "t", &json!({})).await.status, 200);
    assert_eq!(nord.get("/v1/imports").await.json()["data"].as_array().map(Vec::len), Some(2));
    let bright = Machine::at(&pages, crate::world::VOSS, world.mighty_key(world.bright).await);
    assert_eq!(bright.get("/v1/imports").await.json()["data"], json!([]));
    for part in ["", "/report"] {
        assert_eq!(bright.get(&format!("{there}{part}")).await.status, 404, "{part}");
    }
    for part in ["trial", "start", "stop"] {
        assert_eq!(bright.post(&format!("{there}/{part}"), part, &json!({})).await.status, 404, "{part}");
    }
    for (query, field) in [("format=excel", "/format"), ("format=csv&then=now", "/then"), ("mapping=none", "/mapping")]
    {
        let refused = post(&nord, &format!("/v1/imports?{query}"), "text/csv", "id\n1\n").await;
        assert_eq!((refused.status, refused.field().1), (422, field.to_owned()), "{}", refused.text());
    }
}
