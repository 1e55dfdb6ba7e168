//! The API on quotes and estimates beside their making: further links, letters, printed files; and lists that go on.

use crate::api::Machine;
use crate::browser::pages;
use crate::letters::{send, with_post};
use crate::quotes::{calls, terms};
use crate::world::{World, flat};
use serde_json::{Value, json};
use subscription::NewPlanVersion;

fn quote() -> Value {
    let terms = NewPlanVersion { components: vec![flat("fee", "49"), calls("0.50")], ..terms() };
    json!({"plan_name": "Support", "terms": terms.to_document(), "quantities": {"calls": "200"},
        "valid_until": "2026-04-01T00:00:00Z",
        "prospect": {"name": "Nordwind", "email": "office@nordwind.example", "time_zone": "Europe/Berlin", "country": "DE"}})
}

#[actix_web::test]
async fn a_quote_gets_further_links_and_is_sent_by_letter_until_it_is_taken_back() {
    let (world, postbox) = with_post().await;
    let pages = pages(&world).await;
    let nord = Machine::new(&pages, world.mighty_key(world.nord).await);
    let made = nord.post("/v1/quotes", "q", &quote()).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let path = format!("/v1/quotes/{}", made.json()["id"].as_str().unwrap());
    let link = nord.post(&format!("{path}/links"), "l", &json!({})).await;
    assert_eq!(link.status, 201, "{}", link.text());
    let (first, further) = (made.json()["token"].clone(), link.json()["token"].clone());
    assert!(first.is_string() && further.is_string() && first != further);
    assert_eq!(nord.get(&path).await.json()["token"], Value::Null, "it is told once");

    let wrong = nord.post(&format!("{path}/sendings"), "s-0", &json!({"email": "nowhere"})).await;
    assert_eq!((wrong.field().0, wrong.field().1.as_str()), (422, "/email"), "{}", wrong.text());
    let to = json!({"email": "office@nordwind.example"});
    for _ in 0..2 {
        let sent = nord.post(&format!("{path}/sendings"), "s-1", &to).await;
        assert_eq!((sent.status, &sent.json()["sent_to"]), (201, &json!("office@nordwind.example")), "{}", sent.text());
    }
    send(&world).await;
    let letters = postbox.letters();
    assert_eq!(letters.len(), 1, "sent again with the same key it is one letter");
    // 49.00 + 200 x 0.50
    assert!(letters[0].contains("149.00") && letters[0].contains("/quote/"), "{}", letters[0]);
    // Any of its links accepts it.
    let accepting = json!({"token": further, "accepted_by": "Kim Lind"});
    let accepted = nord.post("/v1/quote-acceptances", "a", &accepting).await;
    assert_eq!((accepted.status, &accepted.json()["state"]), (200, &json!("accepted")), "{}", accepted.text());
    for (noun, body) in [("links", json!({})), ("sendings", to)] {
        let refused = nord.post(&format!("{path}/{noun}"), &format!("late-{noun}"), &body).await;
        assert_eq!(refused.status, 422, "{noun}: {}", refused.text());
        assert!(refused.text().contains("must_be_open_quote"), "{}", refused.text());
    }
}

#[actix_web::test]
async fn where_no_letters_leave_a_quote_is_not_marked_as_sent() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let nord = Machine::new(&pages, world.mighty_key(world.nord).await);
    let made = nord.post("/v1/quotes", "q", &quote()).await.json();
    let path = format!("/v1/quotes/{}", made["id"].as_str().unwrap());
    let refused = nord.post(&format!("{path}/sendings"), "s", &json!({"email": "office@nordwind.example"})).await;
    assert_eq!(refused.refusal(), (409, "sends_no_letters".into()), "{}", refused.text());
    assert_eq!(nord.get(&path).await.json()["sent_at"], Value::Null);
}

#[actix_web::test]
async fn an_estimate_is_printed_as_its_page_shows_it() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let nord = Machine::new(&pages, world.mighty_key(world.nord).await);
    let mut arrivals = vec![json!(0); 168];
    arrivals[9] = json!(200);
    let forecast = json!({
        "currency": "EUR", "time_zone": "Europe/Berlin", "week_of": "2026-03-02",
        "hours": [{"days": ["mon"], "from": "09:00", "to": "10:00"}],
        "channels": [{"channel": "phone", "per_hour_of_week": arrivals, "talk_seconds": "180", "target": "0.8", "within_seconds": "20"}],
        "maximum_occupancy": "0.85", "shrinkage": "0.3", "cost_per_agent_hour": "18", "margin_percent": "35",
    });
    let made = nord.post("/v1/estimates", "e", &json!({"name": "Monday mornings", "forecast": forecast})).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let path = format!("/v1/estimates/{}/pdf", made.json()["id"].as_str().unwrap());
    let printed = nord.get(&path).await;
    assert_eq!((printed.status, printed.header("content-type")), (200, "application/pdf"), "{}", printed.text());
    let file = std::env::temp_dir().join(format!("{}.pdf", uuid::Uuid::now_v7()));
    std::fs::write(&file, &printed.body).unwrap();
    let said = std::process::Command::new("pdftotext").arg("-layout").arg(&file).arg("-").output();
    std::fs::remove_file(&file).unwrap();
    let text = String::from_utf8(said.expect("pdftotext reads it: install poppler-utils").stdout).unwrap();
    for words in ["Suggested rates", "Your margin", "People away 30% included. Agents for what arrives", "Wages"] {
        assert!(text.contains(words), "{words} in {text}");
    }
    // What a month costs has a table of its own, and is no figure of the busiest hour.
    let busiest = text.split("In the busiest hour").nth(1).and_then(|rest| rest.split("By channel").next());
    assert!(busiest.is_some_and(|rest| rest.contains("Channels") && !rest.contains("Cost a month")), "{text}");
    let stranger = Machine::new(&pages, world.mighty_key(world.operator).await);
    assert_eq!(stranger.get(&path).await.status, 404);
}

#[actix_web::test]
async fn plans_coupons_versions_and_changes_are_listed_page_by_page() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let nord = Machine::new(&pages, world.mighty_key(world.nord).await);
    for code in ["AUTUMN", "SPRING", "WINTER"] {
        let coupon = json!({"code": code, "name": code, "percent_off": "10"});
        assert_eq!(nord.post("/v1/coupons", code, &coupon).await.status, 201);
        let plan = json!({"code": code.to_lowercase(), "name": code});
        for noun in ["plans", "add-ons"] {
            let mut plan = plan.clone();
            plan["code"] = json!(format!("{}-{noun}", code.to_lowercase()));
            assert_eq!(nord.post(&format!("/v1/{noun}"), &format!("{noun}-{code}"), &plan).await.status, 201);
        }
    }
    let plans = nord.get("/v1/plans?limit=1").await.json();
    let plan = format!("/v1/plans/{}", plans["data"][0]["id"].as_str().unwrap());
    let mut version = Value::Null;
    for amount in ["10", "20", "30"] {
        let terms =
            NewPlanVersion { components: vec![flat("fee", amount)], seat_limit: Some(9), ..terms() }.to_document();
        let made = nord.post(&format!("{plan}/versions"), &format!("v-{amount}"), &terms).await;
        assert_eq!(made.status, 201, "{}", made.text());
        version = made.json()["id"].clone();
    }
    let new = json!({"customer": world.petra.to_string(), "plan_version": version});
    let sold = nord.post("/v1/subscriptions", "s", &new).await.json();
    let changes = format!("/v1/subscriptions/{}/changes", sold["id"].as_str().unwrap());
    for seats in [1, 2, 3] {
        let asked = nord.post(&changes, &format!("c-{seats}"), &json!({"kind": "seats", "seats": seats})).await;
        assert_eq!(asked.status, 201, "{}", asked.text());
    }
    let versions = format!("{plan}/versions");
    for (path, field) in [
        ("/v1/coupons", "code"),
        ("/v1/plans", "code"),
        ("/v1/add-ons", "code"),
        (versions.as_str(), "version"),
        (changes.as_str(), "id"),
    ] {
        let whole = nord.get(path).await.json();
        let rows = |page: &Value| -> Vec<Value> {
            page["data"].as_array().unwrap().iter().map(|row| row[field].clone()).collect()
        };
        let all = rows(&whole);
        assert_eq!((all.len(), &whole["has_more"]), (3, &json!(false)), "{path}");
        let first = nord.get(&format!("{path}?limit=2")).await.json();
        let next = first["next"].as_str().unwrap_or_else(|| panic!("{path} goes on: {first}"));
        let second = nord.get(&format!("{path}?limit=2&starting_after={next}")).await.json();
        assert_eq!([rows(&first), rows(&second)].concat(), all, "{path}");
        assert_eq!(nord.get(&format!("{path}?limit=101")).await.status, 422, "{path}");
    }
}
