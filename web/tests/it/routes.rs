//! Rate decks, carriers and limits on pages and over the API, from the file to the call.

use crate::api::Machine;
use crate::browser::{Browser, pages};
use crate::world::{NUMBER, World, start};
use actix_web::test::TestRequest;
use chrono::TimeDelta;
use serde_json::json;

fn upload(path: &str, token: &str, table: &str) -> TestRequest {
    let body = format!(
        "--x7\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\n{token}\r\n--x7\r\nContent-Disposition: form-data; \
         name=\"file\"; filename=\"rates.csv\"\r\nContent-Type: text/csv\r\n\r\n{table}\r\n--x7--\r\n"
    );
    TestRequest::post()
        .uri(path)
        .insert_header(("sec-fetch-site", "same-origin"))
        .insert_header(("content-type", "multipart/form-data; boundary=x7"))
        .set_payload(body)
}

#[actix_web::test]
async fn a_file_becomes_a_draft_is_looked_at_and_published_and_a_carrier_takes_calls_by_it() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    browser.sign_in("admin@nord.example").await;
    let token = browser.get("/admin/decks").await.token();
    let refused =
        browser.post("/admin/decks", &token, &[("name", "Retail"), ("kind", "sell"), ("currency", "euro")]).await;
    assert_eq!(refused.status, 422);
    assert!(refused.body.contains("Must be a currency, such as EUR.") && refused.body.contains("value=\"Retail\""));
    let made = browser.post("/admin/decks", &token, &[("name", "Retail"), ("kind", "sell"), ("currency", "EUR")]).await;
    let deck = made.to().to_owned();
    assert!(deck.starts_with("/admin/decks/deck_"), "{deck}");
    // A wrong line is named; nothing is stored.
    let wrong = browser.send(upload(&format!("{deck}/versions"), &token, "prefix,rate\n49,0.02\n44,cheap")).await;
    assert_eq!(wrong.status, 422);
    for words in ["Nothing was imported.", "must be a number of zero or more", "cheap", "1 line is wrong"] {
        assert!(wrong.body.contains(words), "{words} in {}", wrong.body);
    }
    let table = "prefix,rate,destination\n49,0.0595,Germany\n4915,0.238,Germany mobile\n4930,0.0595,Berlin";
    let forged = browser.send(upload(&format!("{deck}/versions"), "forged", table)).await;
    assert_eq!(forged.status, 403);
    let draft = browser.send(upload(&format!("{deck}/versions"), &token, table)).await;
    assert_eq!((draft.status, draft.to()), (303, format!("{deck}/versions/1").as_str()));
    let page = browser.get(&format!("{deck}/versions/1")).await.body;
    for words in ["Version 1 of Retail is the first: 3 prefixes", "New 3", "Could be left out 1", "Publish version 1"] {
        assert!(page.contains(words), "{words} in {page}");
    }
    let past = browser.post(&format!("{deck}/publications"), &token, &[("version", "1"), ("from", "2020-01-01")]).await;
    assert_eq!(past.status, 422, "{}", past.body);
    let published = browser.post(&format!("{deck}/publications"), &token, &[("version", "1"), ("from", "")]).await;
    assert_eq!(published.to(), deck);
    for number in ["%2B49%20151%20234567", "0049%20151%20234567", "%2B49%20(0)151%20234567"] {
        let looked = browser.get(&format!("{deck}?number={number}")).await.body;
        assert!(looked.contains("Germany mobile") && looked.contains("version 1 is in force"), "{number}: {looked}");
    }
    let looked = browser.get(&format!("{deck}?number=0151234567")).await.body;
    assert!(looked.contains("say the whole number with its country"), "{looked}");
    // Two that wait for their day: each is taken back by itself, once.
    for (rate, from) in [("0.06", "2030-01-01"), ("0.07", "2030-02-01")] {
        browser.send(upload(&format!("{deck}/versions"), &token, &format!("49,{rate}"))).await;
        let version = if from == "2030-01-01" { "2" } else { "3" };
        browser.post(&format!("{deck}/publications"), &token, &[("version", version), ("from", from)]).await;
    }
    let page = browser.get(&format!("{deck}/versions/3")).await.body;
    assert!(page.contains("changes 1 prefix against version 2"), "from February on, after January's: {page}");
    assert_eq!(browser.get(&deck).await.body.matches("Take it back").count(), 2);
    for (position, status) in [("2", 303), ("2", 409), ("1", 409), ("3", 303)] {
        let taken = browser.post(&format!("{deck}/withdrawal"), &token, &[("position", position)]).await;
        assert_eq!(taken.status, status, "{position}: {}", taken.body);
    }
    assert!(!browser.get(&deck).await.body.contains("Take it back"));
    // A carrier needs a cost deck; over the API, where a prefix that loses is found.
    let nord = Machine::new(&pages, world.mighty_key(world.nord).await);
    let cost = nord.post("/v1/decks", "a", &json!({"name": "Alpha", "kind": "cost", "currency": "EUR"})).await.json();
    let cost_id = cost["id"].as_str().unwrap().to_owned();
    let csv = TestRequest::post()
        .uri(&format!("/v1/decks/{cost_id}/versions"))
        .insert_header(("content-type", "text/csv"))
        .insert_header(("idempotency-key", "alpha-1"))
        .set_payload("49,0.02\n4915,0.21");
    assert_eq!(nord.send(csv).await.json()["prefixes"], 2);
    nord.post(&format!("/v1/decks/{cost_id}/publications"), "b", &json!({"version": 1})).await;
    let deck_id = deck.rsplit('/').next().unwrap();
    let losses = nord.get(&format!("/v1/decks/{deck_id}/losses?against={cost_id}")).await.json();
    // 0.238 / 1.19 = 0.20 net, and alpha asks 0.21
    assert_eq!(losses["data"][0]["prefix"], "4915", "{losses}");
    let against = browser.get(&format!("{deck}/versions/1?against={cost_id}")).await.body;
    assert!(against.contains("1 prefix loses money against Alpha, tax taken out"), "{against}");
    let carrier =
        [("name", "Alpha"), ("code", "Alpha!"), ("cost_deck", cost_id.as_str()), ("priority", "100"), ("is_up", "yes")];
    let refused = browser.post("/admin/carriers", &token, &carrier).await;
    assert!(
        refused.status == 422 && refused.body.contains("Must be 1 to 40 of a-z, 0-9 and -, not “Alpha!”."),
        "{}",
        refused.body
    );
    let carrier =
        [("name", "Alpha"), ("code", "alpha"), ("cost_deck", cost_id.as_str()), ("priority", "100"), ("is_up", "yes")];
    assert_eq!(browser.post("/admin/carriers", &token, &carrier).await.to(), "/admin/carriers");
    assert!(browser.get("/admin/carriers").await.body.contains("no call"));
    // The book lets calls out; what keeps nothing is refused, and the form says why.
    let policy = [
        ("form", "policy"),
        ("sell_deck", deck_id),
        ("loss_guard", "refuse"),
        ("minimum_margin_percent", "10"),
        ("minimum_answer_percent", "40"),
    ];
    assert_eq!(browser.post("/admin/outgoing", &token, &policy).await.to(), "/admin/outgoing");
    let wrong = browser
        .post("/admin/outgoing/limits", &token, &[("form", "limits"), ("is_open", "yes"), ("hour_limit", "much")])
        .await;
    assert!(wrong.status == 422 && wrong.body.contains("value=\"much\""), "{}", wrong.body);
    browser
        .post("/admin/outgoing/limits", &token, &[("form", "limits"), ("is_open", "yes"), ("hour_limit", "50")])
        .await;
    let trial = async |browser: &mut Browser<'_, _>, number: &str| {
        browser.get(&format!("/admin/routes?customer={}&number={number}", world.jonas)).await.body
    };
    let berlin = trial(&mut browser, "%2B4930123456").await;
    assert!(berlin.contains("would go out by alpha") && berlin.contains("60%"), "{berlin}"); // (0.05 - 0.02) / 0.05
    let mobile = trial(&mut browser, "%2B49151234567").await;
    for words in ["would not go out", "Would lose", "asks 0.21 a minute, sold for 0.2 net; 10% must be left"] {
        assert!(mobile.contains(words), "{words} in {mobile}");
    }
    let satellite = trial(&mut browser, "%2B881612345678").await;
    assert!(satellite.contains("Destination closed"), "{satellite}");
    assert!(trial(&mut browser, "nonsense").await.contains("Must be a number with its country"));
    // A call out that is over is told once: 0.0595 a minute, and alpha asks 0.02.
    let call = json!({
        "call_id": uuid::Uuid::now_v7(), "customer": world.jonas, "from": NUMBER, "called": "+4930123456", "carrier": "alpha",
        "started_at": start(), "answered_at": start(), "ended_at": start() + TimeDelta::seconds(60)
    });
    for (once, is_new) in [("c", true), ("d", false)] {
        let told = nord.post("/v1/outgoing-calls", once, &call).await;
        assert_eq!((told.status, &told.json()["is_new"]), (201, &json!(is_new)), "{}", told.text());
        assert_eq!(told.json()["charge"]["amount"], "0.0595");
    }
    let id = nord.post("/v1/outgoing-calls", "e", &call).await.json()["id"].as_str().unwrap().to_owned();
    let page = browser.get(&format!("/admin/calls/{id}")).await.body;
    for words in ["Ways out", "Took it", "Retail, version 1", "prefix 4930", "to Berlin", "Carrier"] {
        assert!(page.contains(words), "{words} in {page}");
    }
    let shown = nord.get(&format!("/v1/calls/{id}")).await.json();
    // 0.0595 / 1.19 = 0.05 net, less 0.02
    assert_eq!((&shown["direction"], &shown["margin"]["amount"]), (&json!("outbound"), &json!("0.03")), "{shown}");
    // The customer's own page shows it, and closes what is asked.
    let jonas = format!("/admin/customers/{}", world.jonas);
    let own = browser.get(&format!("{jonas}/outgoing")).await.body;
    assert!(own.contains("Jonas Weber may call out") && own.contains("satellite"), "{own}");
    let fields = [("code", "satellite"), ("verdict", "open")];
    let opened = browser.post(&format!("{jonas}/destinations"), &token, &fields).await;
    assert_eq!(opened.to(), format!("{jonas}/outgoing"));
    assert!(browser.get(&format!("{jonas}/outgoing")).await.body.contains("Opened for it"));
}
