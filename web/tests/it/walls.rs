use crate::browser::{Browser, pages};
use crate::world::{MAIN, VOSS, World};
use actix_web::http::Method;
use actix_web::test::TestRequest;
use ringtill::pages::{Who, table};
use ringtill::urls::Audience;
use uuid::Uuid;

/// An address with ids that nobody has.
fn filled(path: &str) -> String {
    let mut out = String::new();
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, tail) = after.split_once('}').expect("a name ends");
        out.push_str(before);
        let id = Uuid::now_v7();
        out.push_str(&match name.split(':').next().unwrap_or(name) {
            "call_id" => db::CallId::from_uuid(id).to_string(),
            "customer_id" => db::CustomerId::from_uuid(id).to_string(),
            "document_id" => db::DocumentId::from_uuid(id).to_string(),
            "draft_id" => db::DraftId::from_uuid(id).to_string(),
            "key_id" => db::ApiKeyId::from_uuid(id).to_string(),
            "line_id" => db::LineId::from_uuid(id).to_string(),
            "plan_id" => db::PlanId::from_uuid(id).to_string(),
            "run_id" => db::RunId::from_uuid(id).to_string(),
            _ => "x".to_owned(),
        });
        rest = tail;
    }
    out + rest
}

fn is_guarded(who: Who) -> bool {
    !matches!(who, Who::Anybody | Who::Phone)
}

#[actix_web::test]
async fn nobody_who_is_not_signed_in_gets_behind_the_door() {
    let world = World::new().await;
    let pages = pages(&world).await;
    for entry in table().iter().filter(|entry| is_guarded(entry.who)) {
        let path = filled(&entry.path);
        let mut browser = Browser::new(&pages);
        let request =
            TestRequest::with_uri(&path).method(entry.method.clone()).insert_header(("sec-fetch-site", "same-origin"));
        let answer = browser.send(request).await;
        if entry.method == Method::GET {
            assert_eq!(answer.status, 303, "{} {path}", entry.method);
            assert!(answer.to().starts_with("/sign-in"), "{path} leads to {}", answer.to());
            let part = TestRequest::get().uri(&path).insert_header(("hx-request", "true"));
            let part = browser.send(part).await;
            assert_eq!((part.status, part.header("hx-redirect")), (401, "/sign-in"), "{path} as a part");
        } else {
            assert!(matches!(answer.status, 303 | 400 | 403), "{} {path}: {}", entry.method, answer.status);
        }
        assert!(answer.status == 303 || !answer.body.is_empty(), "a refusal has a page: {path}");
    }
}

/// Support reads and helps. What it may not change does not exist for it: with an id of somebody who is there, and without.
#[actix_web::test]
async fn who_only_helps_changes_nothing_in_a_book() {
    let world = World::new().await;
    world.member(world.nord, "help@nord.example", tenant::Role::Support, None).await;
    let pages = pages(&world).await;
    let mut helper = Browser::new(&pages);
    helper.sign_in("help@nord.example").await;
    let token = helper.get("/admin").await.token();
    let own = Who::Book(Audience::Tenant);
    let posts: Vec<String> = table()
        .iter()
        .filter(|entry| entry.method == Method::POST && entry.who == own)
        .map(|entry| entry.path.clone())
        .collect();
    let jonas = world.jonas.to_string();
    let paths = posts.iter().map(|path| path.replace("{customer_id}", &jonas).replace("{cause}", "conflict"));
    let paths: Vec<String> = paths.filter(|path| !path.contains('{')).collect();
    assert!(paths.len() >= 15 && paths.iter().any(|path| path.ends_with("/payment-methods")), "{paths:?}");
    for path in paths {
        let answer = helper.post(&path, &token, &[("name", "x"), ("do", "look")]).await;
        assert_eq!(answer.status, 404, "{path}: {}", answer.body);
    }
}

#[actix_web::test]
async fn what_belongs_to_another_audience_does_not_exist() {
    let world = World::new().await;
    let pages = pages(&world).await;
    for (host, email, own) in [
        (MAIN, "ops@ringtill.example", Who::Book(Audience::Operator)),
        (VOSS, "admin@voss.example", Who::Book(Audience::Reseller)),
        (MAIN, "admin@nord.example", Who::Book(Audience::Tenant)),
        (MAIN, "lena@nord.example", Who::Agent),
        (MAIN, "jonas@nord.example", Who::Customer),
    ] {
        let mut browser = Browser::at(&pages, host);
        let home = browser.sign_in(email).await;
        let token = browser.get(&home).await.token();
        for entry in
            table().iter().filter(|entry| is_guarded(entry.who) && entry.who != Who::SignedIn && entry.who != own)
        {
            let path = filled(&entry.path);
            let request = TestRequest::with_uri(&path)
                .method(entry.method.clone())
                .insert_header(("sec-fetch-site", "same-origin"));
            let request =
                if entry.method == Method::POST { request.set_form([("csrf", token.as_str())]) } else { request };
            let answer = browser.send(request).await;
            // A form without its fields may be refused before anybody asks whose it is; that says nothing either.
            let is_refused = answer.status == 404 || (entry.method == Method::POST && answer.status == 400);
            assert!(is_refused, "{email}: {} {path} is {}", entry.method, answer.status);
        }
    }
}

#[actix_web::test]
async fn an_id_that_nobody_has_does_not_exist_for_its_own_audience_either() {
    let world = World::new().await;
    let pages = pages(&world).await;
    for (host, email, own) in [
        (MAIN, "ops@ringtill.example", Who::Book(Audience::Operator)),
        (VOSS, "admin@voss.example", Who::Book(Audience::Reseller)),
        (MAIN, "admin@nord.example", Who::Book(Audience::Tenant)),
        (MAIN, "jonas@nord.example", Who::Customer),
    ] {
        let mut browser = Browser::at(&pages, host);
        browser.sign_in(email).await;
        for entry in
            table().iter().filter(|entry| entry.who == own && entry.method == Method::GET && entry.path.contains('{'))
        {
            for path in [filled(&entry.path), entry.path.replace(['{', '}'], "")] {
                let answer = browser.get(&path).await;
                assert_eq!(answer.status, 404, "{email}: {path}");
                assert!(answer.body.contains("does not exist, or not for you"));
            }
        }
    }
}

#[actix_web::test]
async fn every_answer_carries_the_headers_that_guard_it() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    browser.sign_in("admin@nord.example").await;
    for (host, path) in [
        (MAIN, "/admin"),
        (MAIN, "/admin/invoices"),
        (MAIN, "/nothing"),
        (MAIN, "/ops"),
        ("evil.example", "/"),
        (MAIN, "/healthz"),
    ] {
        browser.host = host.into();
        let answer = browser.get(path).await;
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
        for (name, value) in
            [("cache-control", "no-store"), ("x-content-type-options", "nosniff"), ("referrer-policy", "same-origin")]
        {
            assert_eq!(answer.header(name), value, "{path}");
        }
        assert!(answer.header("strict-transport-security").contains("max-age"), "{path}");
    }
}

#[actix_web::test]
async fn what_is_refused_has_a_page_with_nothing_in_it_to_learn_from() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    browser.sign_in("lena@nord.example").await;
    let token = browser.get("/agent").await.token();
    let missing = browser.get("/agent/calls/x/end").await;
    let unknown = browser.get("/nothing/here").await;
    assert_eq!((missing.status, unknown.status), (404, 404));
    assert_eq!(missing.body, unknown.body);
    let refused = browser.post("/agent/state", &token, &[("state", "asleep")]).await;
    assert_eq!((refused.status, refused.body.contains("The state is ready or not ready.")), (422, true));
    let unreadable = browser.post("/agent/state", &token, &[("nothing", "x")]).await;
    assert_eq!((unreadable.status, unreadable.body.contains("wrong form")), (400, true));
    let large = TestRequest::post().uri("/agent/state").insert_header(("sec-fetch-site", "same-origin"));
    let large = large
        .insert_header(("content-type", "application/x-www-form-urlencoded"))
        .set_payload("a=".to_owned() + &"x".repeat(300 * 1024));
    assert_eq!(browser.send(large).await.status, 413);
    let tx = world.nord().await;
    tenant::set_agent_state(&tx, world.lena, tenant::AgentState::Talking, None, world.app.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
    let conflict = browser.post("/agent/state", &token, &[("state", "not_ready")]).await;
    assert_eq!((conflict.status, conflict.body.contains("Finish the call first")), (409, true));
}

#[actix_web::test]
async fn a_fault_of_ours_names_its_request_and_not_its_cause() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    browser.sign_in("lena@nord.example").await;
    world.database.as_owner("ALTER TABLE agent_state RENAME TO agent_state_away").await;
    let answer = browser.get("/agent").await;
    assert_eq!(answer.status, 500);
    let id = answer.header("x-request-id");
    assert!(id.len() == 16 && answer.body.contains(id));
    assert!(!answer.body.contains("agent_state") && !answer.body.contains("relation"));
}
