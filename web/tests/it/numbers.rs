//! Consultations by number, set up from nothing: a tariff with its price tried first, topics of a number, and a number that its
//! seller takes in, gives to an organisation below and splits the revenue of. By the API, then by the pages.

use crate::api::{Machine, Reply};
use crate::browser::{Browser, pages};
use crate::world::{MAIN, NUMBER, VOSS, World};
use actix_web::Error;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::test::TestRequest;
use db::{CustomerId, TenantId};
use serde_json::{Value, json};

const PREMIUM: &str = "+499001555099";

/// 5.00 to connect, 0.50 a minute by steps of 6 s, after 20 minutes 0.25.
fn stepped() -> Value {
    json!({
        "connection": "5.00", "per": "minute", "increment": 6,
        "steps": [{"from_second": 0, "rate": "0.50"}, {"from_second": 1200, "rate": "0.25"}],
    })
}

async fn put<S>(machine: &Machine<'_, S>, path: &str, body: &Value) -> Reply
where
    S: Service<actix_http::Request, Response = ServiceResponse, Error = Error>,
{
    let request = TestRequest::put().uri(path).insert_header(("content-type", "application/json"));
    machine.send(request.set_payload(body.to_string())).await
}

/// The number that Nord has had from the beginning, as the API lists it.
async fn line<S>(nord: &Machine<'_, S>) -> Value
where
    S: Service<actix_http::Request, Response = ServiceResponse, Error = Error>,
{
    nord.get("/v1/numbers").await.json()["data"][0].clone()
}

async fn as_customer(world: &World, seller: TenantId, child: TenantId) -> CustomerId {
    let tx = world.database.db.tenant(seller).await.unwrap();
    subscription::customer_of_organisation(&tx, child).await.unwrap().unwrap().id
}

#[actix_web::test]
async fn a_tariff_is_tried_published_in_versions_and_refused_where_it_is_wrong_by_the_api() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let nord = Machine::new(&pages, world.mighty_key(world.nord).await);
    let question = json!({"tariff": stepped(), "seconds": [60, 600, 2400]});
    let tried = nord.post("/v1/tariff-previews", "p", &question).await.json();
    let charges: Vec<&str> =
        tried["calls"].as_array().unwrap().iter().map(|call| call["charge"]["amount"].as_str().unwrap()).collect();
    // 5.00 + 1 x 0.50; 5.00 + 10 x 0.50; 5.00 + 20 x 0.50 + 20 x 0.25
    assert_eq!(charges, ["5.50", "10.00", "20.00"], "{tried}");
    assert_eq!(nord.get("/v1/tariffs").await.json()["data"].as_array().map(Vec::len), Some(1), "a look keeps nothing");

    let new = json!({"name": "Advice", "tariff": stepped()});
    let first = nord.post("/v1/tariffs", "t-1", &new).await;
    assert_eq!((first.status, &first.json()["version"]), (201, &json!(1)), "{}", first.text());
    let again = nord.post("/v1/tariffs", "t-1", &new).await.json();
    assert_eq!(again["id"], first.json()["id"], "sent twice it is published once");
    let second = nord.post("/v1/tariffs", "t-2", &new).await.json();
    assert_eq!((&second["version"], &second["currency"]), (&json!(2), &json!("EUR")));
    assert_eq!(second["tariff"]["steps"][1], json!({"from_second": 1200, "rate": "0.25"}));
    let page = nord.get("/v1/tariffs?limit=2").await.json();
    assert_eq!((&page["data"][0]["id"], &page["data"][1]["id"]), (&second["id"], &first.json()["id"]));
    let next = page["next"].as_str().expect("Support is left");
    let rest = nord.get(&format!("/v1/tariffs?limit=2&starting_after={next}")).await.json();
    assert_eq!((&rest["data"][0]["name"], &rest["has_more"]), (&json!("Support"), &json!(false)));
    let read = nord.get(&format!("/v1/tariffs/{}", second["id"].as_str().unwrap())).await;
    assert_eq!((read.status, read.json()), (200, second));

    for (once, change, pointer, code) in [
        ("w-1", json!({"rate": "x"}), "/tariff/rate", "not_a_decimal"),
        ("w-2", json!({"rate": "1", "price": "1"}), "/tariff/price", "unknown_field"),
        ("w-3", json!({"rate": "1", "increment": 0}), "/tariff/increment", "must_be_above_zero"),
        ("w-4", json!({}), "/tariff", "rate_or_steps"),
    ] {
        let refused = nord.post("/v1/tariffs", once, &json!({"name": "Wrong", "tariff": change})).await;
        let (status, place, rule) = refused.field();
        assert_eq!((status, place.as_str()), (422, pointer), "{}", refused.text());
        assert!(!rule.is_empty() && (rule == code || once == "w-1" || once == "w-4"), "{rule} for {code}");
    }
    let foreign = json!({"name": "Wrong", "currency": "USD", "tariff": {"rate": "1"}});
    let refused = nord.post("/v1/tariffs", "w-5", &foreign).await;
    assert_eq!(refused.field(), (422, "/currency".into(), "currency_must_match".into()));
    let refused = nord.post("/v1/tariffs", "w-6", &json!({"name": " ", "tariff": {"rate": "1"}})).await;
    assert_eq!(refused.field(), (422, "/name".into(), "must_not_be_empty".into()));
}

#[actix_web::test]
async fn a_number_gets_topics_and_loses_them_by_the_api_and_only_where_its_calls_arrive() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let nord = Machine::new(&pages, world.mighty_key(world.nord).await);
    let tariff = nord.post("/v1/tariffs", "t", &json!({"name": "Advice", "tariff": stepped()})).await.json();
    let number = line(&nord).await;
    assert_eq!((&number["e164"], &number["topics"][0]["name"]), (&json!(NUMBER), &json!("Support")), "{number}");
    let path = format!("/v1/numbers/{}", number["id"].as_str().unwrap());
    let topic = json!({"name": "Family law", "tariff": tariff["id"]});
    let set = put(&nord, &format!("{path}/topics/2"), &topic).await;
    assert_eq!((set.status, &set.json()["meter_starts"]), (200, &json!("agent_joined")), "{}", set.text());
    let changed = json!({"name": "Family law", "tariff": tariff["id"], "meter_starts": "topic_chosen"});
    assert_eq!(put(&nord, &format!("{path}/topics/2"), &changed).await.json()["id"], set.json()["id"]);
    let shown = nord.get(&path).await.json();
    assert_eq!(shown["topics"][1]["meter_starts"], json!("topic_chosen"), "{shown}");
    let answers = json!({"label": "Advice line", "language": "de"});
    assert_eq!(nord.patch(&path, &answers).await.json()["label"], json!("Advice line"));

    for (body, pointer, code) in [
        (json!({"name": " ", "tariff": tariff["id"]}), "/name", "must_not_be_empty"),
        (json!({"name": "X", "tariff": "trf_x"}), "/tariff", "malformed"),
        (json!({"name": "X", "tariff": tariff["id"], "meter_starts": "never"}), "/meter_starts", "unknown_word"),
        (json!({"name": "X", "tariff": tariff["id"], "agents": []}), "/agents", "unknown_field"),
    ] {
        let refused = put(&nord, &format!("{path}/topics/3"), &body).await;
        assert_eq!(refused.field(), (422, pointer.into(), code.into()), "{}", refused.text());
    }
    let refused = nord.patch(&path, &json!({"language": "Deutsch"})).await;
    assert_eq!(refused.field(), (422, "/language".into(), "must_be_language".into()));
    assert_eq!(put(&nord, &format!("{path}/topics/10"), &topic).await.status, 404);
    let stale = TestRequest::delete().uri(&format!("{path}/topics/2")).insert_header(("if-match", "\"old\""));
    assert_eq!(nord.send(stale).await.status, 412);
    let gone = nord.send(TestRequest::delete().uri(&format!("{path}/topics/2"))).await;
    assert_eq!((gone.status, &gone.json()["name"]), (200, &json!("Family law")));
    assert_eq!(nord.get(&path).await.json()["topics"].as_array().map(Vec::len), Some(1));

    // Neither somebody else's number nor somebody else's tariff is there.
    let bright = Machine::at(&pages, VOSS, world.mighty_key(world.bright).await);
    assert_eq!(bright.get(&path).await.status, 404);
    assert_eq!(put(&bright, &format!("{path}/topics/1"), &topic).await.status, 404);
    assert_eq!(bright.patch(&path, &answers).await.status, 404);
    assert_eq!(bright.get(&format!("/v1/tariffs/{}", tariff["id"].as_str().unwrap())).await.status, 404);
    let own = bright.post("/v1/tariffs", "t", &json!({"name": "Own", "tariff": {"rate": "1"}})).await.json();
    let foreign = json!({"name": "X", "tariff": own["id"]});
    assert_eq!(put(&nord, &format!("{path}/topics/4"), &foreign).await.status, 404);
}

#[actix_web::test]
async fn a_seller_takes_a_number_in_gives_it_on_and_splits_what_it_earns_by_the_api() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let seller = Machine::new(&pages, world.mighty_key(world.operator).await);
    let nord = Machine::new(&pages, world.mighty_key(world.nord).await);
    let new = json!({"e164": PREMIUM, "kind": "premium"});
    assert_eq!(nord.post("/v1/numbers", "n", &new).await.refusal(), (403, "sellers_only".into()));
    let made = seller.post("/v1/numbers", "n-1", &new).await;
    assert_eq!((made.status, &made.json()["is_own"]), (201, &json!(true)), "{}", made.text());
    for (once, body, pointer, code) in [
        ("n-2", json!({"e164": "0900", "kind": "premium"}), "/e164", "must_be_e164"),
        ("n-3", json!({"e164": NUMBER, "kind": "local"}), "/e164", "must_be_free"),
        ("n-4", json!({"e164": PREMIUM, "kind": "premium"}), "/e164", "must_be_free"),
        ("n-5", json!({"e164": "+4930777", "kind": "local", "since": "2026-03-03"}), "/since", "must_have_begun"),
        ("n-6", json!({"e164": "+4930777", "kind": "gold"}), "/kind", "unknown_word"),
    ] {
        let refused = seller.post("/v1/numbers", once, &body).await;
        assert_eq!(refused.field(), (422, pointer.into(), code.into()), "{}", refused.text());
    }
    let path = format!("/v1/numbers/{}", made.json()["id"].as_str().unwrap());
    let below = as_customer(&world, world.operator, world.nord).await.to_string();
    // Nobody but an organisation directly below, and no day on which it was not the seller's.
    let nobody = json!({"name": "Nobody", "billing": "postpaid"});
    let nobody = seller.post("/v1/customers", "c", &nobody).await.json()["id"].clone();
    for (once, customer, from, pointer, code) in [
        ("a-1", nobody, "2026-03-02", "/customer", "must_be_organisation_below"),
        ("a-2", json!(below), "2026-02-27", "", "not_found"),
    ] {
        let body = json!({"customer": customer, "from": from});
        let refused = seller.post(&format!("{path}/assignments"), once, &body).await;
        let said = if pointer.is_empty() { refused.refusal().1 } else { refused.field().2 };
        assert_eq!(said, code, "{}", refused.text());
    }
    let today = json!({"customer": below, "from": "2026-03-02"});
    let given = seller.post(&format!("{path}/assignments"), "a-3", &today).await;
    assert_eq!((given.status, &given.json()["sold_to"]), (201, &json!(below)), "{}", given.text());
    assert_eq!(given.json()["is_own"], json!(false));
    assert_eq!(nord.get(&path).await.json()["is_own"], json!(true), "its calls are Nord's from this moment on");
    // It moves on only today, for its terms have no date; and who does not sell it cannot give it.
    let reseller = as_customer(&world, world.operator, world.reseller).await.to_string();
    let later = json!({"customer": reseller, "from": "2026-04-01"});
    let refused = seller.post(&format!("{path}/assignments"), "a-4", &later).await;
    assert_eq!(refused.field(), (422, "/from".into(), "move_must_be_today".into()), "{}", refused.text());
    let voss = Machine::at(&pages, VOSS, world.mighty_key(world.reseller).await);
    let bright = as_customer(&world, world.reseller, world.bright).await.to_string();
    let stolen = json!({"customer": bright, "from": "2026-03-02"});
    assert_eq!(voss.post(&format!("{path}/assignments"), "a-5", &stolen).await.status, 404);

    let split = seller.get(&format!("{path}/split")).await.json();
    assert_eq!((&split["share_percent"], &split["follows_customer"]), (&json!("30"), &json!(true)), "{split}");
    let customer = format!("/v1/customers/{below}/split");
    let agreed =
        json!({"share_percent": "25", "collection": "seller", "of": "received", "agreement": "Of 2 March 2026"});
    assert_eq!(put(&seller, &customer, &agreed).await.json()["agreement"], json!("Of 2 March 2026"));
    let split = seller.get(&format!("{path}/split")).await.json();
    assert_eq!((&split["share_percent"], &split["collection"]), (&json!("25"), &json!("seller")), "it follows");
    let own = json!({"share_percent": "30", "collection": "tenant", "of": "gross"});
    let split = put(&seller, &format!("{path}/split"), &own).await.json();
    assert_eq!((&split["of"], &split["follows_customer"]), (&json!("gross"), &json!(false)));
    for (body, pointer, code) in [
        (
            json!({"share_percent": "101", "collection": "tenant", "of": "gross"}),
            "/share_percent",
            "must_not_exceed_whole",
        ),
        (json!({"share_percent": "30", "of": "gross"}), "/collection", "missing"),
        (json!({"follows_customer": true, "share_percent": "30"}), "/share_percent", "must_be_absent"),
    ] {
        let refused = put(&seller, &format!("{path}/split"), &body).await;
        assert_eq!(refused.field(), (422, pointer.into(), code.into()), "{}", refused.text());
    }
    assert_eq!(voss.get(&format!("{path}/split")).await.status, 404);
}

#[actix_web::test]
async fn a_tariff_and_a_topic_are_set_up_on_their_pages() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    browser.sign_in("admin@nord.example").await;
    assert!(browser.get("/admin/plans").await.body.contains("/admin/tariffs/new"));
    let asked = "sent=yes&name=Advice&connection=5&per=minute&rate=0.50&after=20&rate_after=0.25&increment=6";
    let tried = browser.get(&format!("/admin/tariffs/new?{asked}")).await;
    // 5.00 + 1 x 0.50; + 5 x 0.50; + 10 x 0.50; + 20 x 0.50 + 20 x 0.25
    for words in ["€5.50", "€7.50", "€10.00", "€20.00", "Publish Advice"] {
        assert!(tried.body.contains(words), "{words} in {}", tried.body);
    }
    for (wrong, said) in [
        ("rate=0.50", "rate=0,50"),
        ("increment=6", "increment=0"),
        ("rate_after=0.25", "rate_after="),
        ("name=Advice", "name="),
    ]
    .map(|(right, wrong)| (asked.replace(right, wrong), wrong))
    {
        let page = browser.get(&format!("/admin/tariffs/new?{wrong}")).await.body;
        assert!(page.contains("-error\"") && !page.contains("id=\"outcome\""), "{said}: {page}");
        assert!(page.contains("value=\"20\""), "what was typed stays");
    }
    let token = tried.token();
    let fields = [
        ("name", "Advice"),
        ("connection", "5"),
        ("per", "minute"),
        ("rate", "0.50"),
        ("after", "20"),
        ("rate_after", "0.25"),
        ("increment", "6"),
    ];
    let refused = browser.post("/admin/tariffs", &token, &[("name", "Advice"), ("rate", "much")]).await;
    assert!(refused.status == 422 && refused.body.contains("value=\"much\""), "{}", refused.body);
    let done = browser.post("/admin/tariffs", &token, &fields).await;
    assert_eq!((done.status, done.to()), (303, "/admin/plans"), "{}", done.body);
    let listed = browser.get("/admin/plans").await.body;
    assert!(listed.contains("€5.00 to connect, then €0.50/min, after 20 min €0.25/min"), "{listed}");

    let tx = world.nord().await;
    let stored = subscription::tariffs(&tx).await.unwrap();
    let advice = stored.iter().find(|tariff| tariff.name == "Advice").unwrap().id.to_string();
    let number = subscription::numbers(&tx, crate::world::start()).await.unwrap()[0].id;
    drop(tx);
    let here = format!("/admin/numbers/{number}");
    assert!(browser.get("/admin/numbers").await.body.contains(&here));
    let topic = [("digit", "2"), ("name", "Family law"), ("tariff", advice.as_str()), ("meter_starts", "agent_joined")];
    let mut unnamed = topic;
    unnamed[1] = ("name", "");
    let refused = browser.post(&format!("{here}/topics"), &token, &unnamed).await;
    assert!(refused.status == 422 && refused.body.contains("Must not be empty."), "{}", refused.body);
    let done = browser.post(&format!("{here}/topics"), &token, &topic).await;
    assert_eq!((done.status, done.to()), (303, here.as_str()), "{}", done.body);
    let page = browser.get(&format!("{here}?digit=2")).await.body;
    for words in ["Family law", "€5.00 to connect", "Change the topic", "Remove digit 2"] {
        assert!(page.contains(words), "{words} in {page}");
    }
    let answers = [("label", "Advice line"), ("language", "Deutsch"), ("unknown_callers", "ask_pin")];
    let refused = browser.post(&here, &token, &answers).await;
    assert!(refused.status == 422 && refused.body.contains("value=\"Deutsch\""), "{}", refused.body);
    assert_eq!(browser.post(&format!("{here}/topics/2/removal"), &token, &[]).await.to(), here);
    assert!(!browser.get(&here).await.body.contains("Family law (2)"));
    assert_eq!(browser.post(&format!("{here}/topics/2/removal"), &token, &[]).await.status, 404);

    // Each change is in the audit log, by who made it.
    let tx = world.nord().await;
    let entries = tenant::audit_entries(&tx, None, 20).await.unwrap();
    for action in ["tariff.publish", "topic.set", "topic.remove"] {
        assert!(entries.iter().any(|entry| entry.action == action), "{action} in {entries:?}");
    }
}

#[actix_web::test]
async fn a_number_is_taken_in_and_given_on_by_the_sellers_pages() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let mut browser = Browser::at(&pages, MAIN);
    browser.sign_in("ops@ringtill.example").await;
    let token = browser.get("/ops/numbers/new").await.token();
    let taken = browser.post("/ops/numbers", &token, &[("e164", NUMBER), ("kind", "local"), ("since", "")]).await;
    assert_eq!(taken.status, 422);
    assert!(
        taken.body.contains("Must be free") && taken.body.contains(&format!("value=\"{NUMBER}\"")),
        "{}",
        taken.body
    );
    let made =
        browser.post("/ops/numbers", &token, &[("e164", PREMIUM), ("kind", "premium"), ("since", "2026-03-01")]).await;
    let here = made.to().to_owned();
    assert!(made.status == 303 && here.ends_with("/assignments"), "{}", made.body);
    assert!(browser.get("/ops/numbers").await.body.contains("In your hands"));
    let below = as_customer(&world, world.operator, world.nord).await.to_string();
    assert!(browser.get(&here).await.body.contains(&below));
    let early = browser.post(&here, &token, &[("customer", &below), ("from", "2026-02-30")]).await;
    assert!(early.status == 422 && early.body.contains("Must be a day"), "{}", early.body);
    let given = browser.post(&here, &token, &[("customer", &below), ("from", "2026-03-02")]).await;
    assert_eq!((given.status, given.to()), (303, "/ops/numbers"), "{}", given.body);
    assert!(browser.get("/ops/numbers").await.body.contains("30% of the net price"));
    let tx = world.nord().await;
    let numbers = subscription::numbers(&tx, crate::world::start()).await.unwrap();
    assert!(numbers.iter().any(|number| number.e164 == PREMIUM), "{numbers:?}");
}
