//! Files of call records on the pages: sent, looked at, tried, taken.

use crate::browser::{Answer, Browser, pages};
use crate::world::{NUMBER, World, start};
use actix_http::Request;
use actix_web::Error;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::test::TestRequest;
use chrono::TimeDelta;
use db::ImportId;
use std::io::Write;

const JONAS_PHONE: &str = "+491701000001";

/// What a form with these fields and a file is sent as.
fn multipart(fields: &[(&str, &str)], name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    for (field, value) in fields {
        write!(body, "--b0undary\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n").unwrap();
    }
    let head = format!("--b0undary\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n");
    write!(body, "{head}Content-Type: application/octet-stream\r\n\r\n").unwrap();
    body.extend_from_slice(bytes);
    body.extend_from_slice(b"\r\n--b0undary--\r\n");
    body
}

async fn send<S>(browser: &mut Browser<'_, S>, token: &str, format: &str, name: &str, bytes: &[u8]) -> Answer
where
    S: Service<Request, Response = ServiceResponse, Error = Error>,
{
    let body = multipart(&[("csrf", token), ("format", format)], name, bytes);
    let request = TestRequest::post().uri("/admin/imports").insert_header(("sec-fetch-site", "same-origin"));
    browser
        .send(request.insert_header(("content-type", "multipart/form-data; boundary=b0undary")).set_payload(body))
        .await
}

/// Jonas calls for 61 seconds, somebody unknown for 5, and one row is none.
fn file() -> String {
    let at = |minutes: i64| (start() - TimeDelta::hours(2) + TimeDelta::minutes(minutes)).format("%Y-%m-%d %H:%M:%S");
    format!(
        "uuid,caller,called,start,talk\nf1,{JONAS_PHONE},{NUMBER},{},61\nf2,+491709999999,{NUMBER},{},5\nf3,=cmd,{NUMBER},{},5\n",
        at(0),
        at(10),
        at(20)
    )
}

async fn line_of_jonas(world: &World) {
    let tx = world.nord().await;
    subscription::add_phone(&tx, world.jonas, JONAS_PHONE, crate::world::founded()).await.unwrap();
    tx.commit().await.unwrap();
}

async fn balance(world: &World) -> String {
    ledger::wallet_of(&world.nord().await, world.jonas).await.unwrap().unwrap().balance.to_string()
}

async fn work(world: &World) {
    while ringtill::worker::import_round(&world.app, &|| true).await.unwrap() {}
}

#[actix_web::test]
async fn a_file_is_sent_looked_at_tried_and_taken() {
    let world = World::new().await;
    line_of_jonas(&world).await;
    let before = balance(&world).await;
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    browser.sign_in("admin@nord.example").await;
    assert!(browser.get("/admin/imports").await.body.contains("No file yet"));
    let form = browser.get("/admin/imports/new").await;
    assert!(form.body.contains("multipart/form-data") && form.body.contains("At most 64 MiB"), "{}", form.body);
    let token = form.token();
    let sent = send(&mut browser, &token, "csv", "C:\\calls\\monday.csv", file().as_bytes()).await;
    assert_eq!(sent.status, 303, "{}", sent.body);
    let path = sent.to().to_owned();
    let page = browser.get(&path).await.body;
    for words in
        ["monday.csv", "Not begun", "+49 170 1000001", "1:01", "caller must be a number in international form", "=cmd"]
    {
        assert!(page.contains(words), "{words} in {page}");
    }
    // The file's times are Berlin's, one hour ahead in winter.
    let wrong =
        [("source", ""), ("separator", "comma"), ("has_header", "yes"), ("time_format", "iso"), ("column/id", "uuid")];
    let refused = browser.post(&format!("{path}/settings"), &token, &wrong).await;
    assert_eq!(refused.status, 422);
    assert!(refused.body.contains("Must have 1 to 60 characters."), "{}", refused.body);
    let columns = [
        ("source", "switch-1"),
        ("time_zone", "UTC"),
        ("separator", "comma"),
        ("has_header", "yes"),
        ("time_format", "iso"),
        ("duration_unit", "seconds"),
        ("column/id", "uuid"),
        ("column/caller", "caller"),
        ("column/called", "called"),
        ("column/start", "start"),
        ("column/billsec", "talk"),
        ("save_as", "Our old switch"),
    ];
    let set = browser.post(&format!("{path}/settings"), &token, &columns).await;
    assert_eq!((set.status, set.to()), (303, path.as_str()), "{}", set.body);
    assert_eq!(browser.post(&format!("{path}/trial"), &token, &[]).await.status, 303);
    work(&world).await;
    let tried = browser.get(&path).await.body;
    for words in ["Tried; nothing is written", "0.61", "Take all rows", "Nobody called from", "All of them as CSV"] {
        assert!(tried.contains(words), "{words} in {tried}");
    }
    assert_eq!(balance(&world).await, before, "a trial writes nothing");
    assert_eq!(browser.post(&format!("{path}/start"), &token, &[]).await.status, 303);
    work(&world).await;
    let done = browser.get(&path).await.body;
    assert!(done.contains("Every row is taken") && !done.contains("Read it this way"), "{done}");
    let report = browser.get(&format!("{path}/report")).await;
    assert_eq!(
        report.body.lines().collect::<Vec<_>>(),
        [
            "row,outcome,field,rule,reason,value",
            "3,suspense,id,unknown_customer,nobody called from +491709999999 at 2026-03-02 08:10:00 UTC,f2",
            "4,refused,caller,number_must_be_international,\"must be a number in international form, as +49301234567\",'=cmd",
        ]
    );
    assert!(report.header("content-disposition").contains("attachment"));
    assert_ne!(balance(&world).await, before);
    let list = browser.get("/admin/imports").await.body;
    assert!(list.contains("monday.csv") && list.contains("Done"), "{list}");
    assert!(browser.get("/admin/imports/new").await.body.contains("Our old switch"), "the way is kept");
    let calls = browser.get("/admin/calls").await.body;
    assert!(calls.contains("Jonas Weber"), "{calls}");
    // Whose line it was is known now: what waits is tried for nothing, then settled.
    let suspense = browser.get("/admin/suspense/unknown_customer?sent=yes&do=again&customer_no=N-2").await.body;
    assert!(suspense.contains("Calls settled") && suspense.contains("0.05"), "{suspense}");
    let decide = [("do", "again"), ("customer_no", "N-2")];
    let decided = browser.post("/admin/suspense/unknown_customer/decisions", &token, &decide).await;
    assert_eq!((decided.status, decided.to()), (303, "/admin/suspense"), "{}", decided.body);
    assert!(browser.get("/admin/suspense").await.body.contains("Nothing waits to be counted"));
    // Whose file it is nobody else learns.
    let mut stranger = Browser::new(&pages);
    stranger.sign_in("ops@ringtill.example").await;
    let strange = stranger.get("/ops/imports").await.token();
    for part in ["", "/report", "/events"] {
        assert_eq!(stranger.get(&format!("{}{part}", path.replace("/admin", "/ops"))).await.status, 404, "{part}");
    }
    for part in ["settings", "trial", "start", "stop", "removal"] {
        let there = format!("{}/{part}", path.replace("/admin", "/ops"));
        assert_eq!(stranger.post(&there, &strange, &columns).await.status, 404, "{part}");
    }
}

#[actix_web::test]
async fn a_file_without_a_token_is_no_form_of_ours_and_what_is_no_file_is_refused() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    browser.sign_in("admin@nord.example").await;
    let token = browser.get("/admin/imports/new").await.token();
    assert_eq!(send(&mut browser, "0000", "csv", "a.csv", b"a").await.status, 403);
    let empty = send(&mut browser, &token, "csv", "a.csv", b"").await;
    assert!(empty.status == 422 && empty.body.contains("Choose a file."), "{}", empty.body);
    let broken = send(&mut browser, &token, "csv", "a.csv.gz", &[0x1f, 0x8b, 8, 0, 1]).await;
    assert!(broken.status == 422 && broken.body.contains("must unpack as gzip"), "{}", broken.body);
    let unknown = send(&mut browser, &token, "excel", "a.xls", b"a").await;
    assert!(unknown.status == 422 && unknown.body.contains("Must be one of these."), "{}", unknown.body);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(file().as_bytes()).unwrap();
    let packed = send(&mut browser, &token, "csv", "a.csv.gz", &gzip.finish().unwrap()).await;
    assert_eq!(packed.status, 303, "{}", packed.body);
    let path = packed.to().to_owned();
    let id: ImportId = path.rsplit('/').next().unwrap().parse().unwrap();
    let kept = usage_metering::import_file(&world.nord().await, id).await.unwrap();
    assert_eq!(kept, file().as_bytes(), "unpacked");
    let gone = browser.post(&format!("{path}/removal"), &token, &[]).await;
    assert_eq!((gone.status, gone.to()), (303, "/admin/imports"));
    assert_eq!(browser.get(&path).await.status, 404);
    assert!(browser.get("/admin/imports").await.body.contains("No file yet"));
    // Whoever may not bill may look.
    world.member(world.nord, "support@nord.example", tenant::Role::Support, None).await;
    let mut support = Browser::new(&pages);
    support.sign_in("support@nord.example").await;
    let token = support.get("/admin/imports").await.token();
    assert_eq!(support.get("/admin/imports/new").await.status, 404);
    assert_eq!(send(&mut support, &token, "csv", "a.csv", file().as_bytes()).await.status, 404);
}
