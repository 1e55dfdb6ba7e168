use crate::browser::{Browser, pages};
use crate::world::{MAIN, PASSWORD, VOSS, World, start};
use chrono::TimeDelta;
use db::PlatformReason;
use tenant::Role;

const SESSION: &str = "__Host-ringtill_session";

#[actix_web::test]
async fn everybody_lands_on_the_first_page_of_their_own() {
    let world = World::new().await;
    let pages = pages(&world).await;
    for (host, email, home) in [
        (MAIN, "ops@ringtill.example", "/ops"),
        (VOSS, "admin@voss.example", "/reseller"),
        (MAIN, "admin@nord.example", "/admin"),
        (VOSS, "admin@bright.example", "/admin"),
        (MAIN, "lena@nord.example", "/agent"),
        (MAIN, "jonas@nord.example", "/portal"),
    ] {
        let mut browser = Browser::at(&pages, host);
        assert_eq!(browser.sign_in(email).await, home, "{email}");
        let page = browser.get(home).await;
        assert_eq!(page.status, 200, "{email} at {home}: {}", page.body);
        assert_eq!(browser.get("/").await.to(), home);
        assert_eq!(browser.get("/sign-in").await.to(), home, "who is signed in has no business at the door");
    }
}

#[actix_web::test]
async fn a_wrong_password_an_unknown_address_and_a_stranger_to_this_host_get_one_answer() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let mut told = Vec::new();
    for (email, password) in [
        ("admin@nord.example", "wrong password"),
        ("nobody@nord.example", PASSWORD),
        ("admin@voss.example", PASSWORD), // right, but at the reseller's own host only
    ] {
        let mut browser = Browser::new(&pages);
        let token = browser.get("/sign-in").await.token();
        let answer = browser.post("/sign-in", &token, &[("email", email), ("password", password)]).await;
        assert!(!browser.cookies.contains_key(SESSION));
        told.push((answer.status, answer.body.replace(email, "").replace(&answer.token(), "")));
    }
    assert_eq!(told[0].0, 422);
    assert!(told.iter().all(|answer| *answer == told[0]), "{told:#?}");
}

#[actix_web::test]
async fn tries_are_slowed_down_and_the_owner_gets_in_again() {
    let world = World::new().await;
    let pages = pages(&world).await;
    for email in ["admin@nord.example", "nobody@nord.example"] {
        let mut browser = Browser::new(&pages);
        for _ in 0..5 {
            assert_eq!(browser.sign_in_with(email, "wrong password").await.status, 422);
        }
        let refused = browser.sign_in_with(email, PASSWORD).await;
        assert_eq!((refused.status, refused.header("retry-after").is_empty()), (429, false), "{email}");
    }
    world.app.clock.advance(TimeDelta::seconds(61));
    assert_eq!(Browser::new(&pages).sign_in("admin@nord.example").await, "/admin");
}

#[actix_web::test]
async fn a_suspended_seller_closes_the_door_for_everybody_below_it_and_ends_what_was_open() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let mut before = Browser::at(&pages, VOSS);
    before.sign_in("admin@bright.example").await;
    assert_eq!(before.get("/admin").await.status, 200);
    let suspend = async |is_suspended: bool| {
        let ptx = world.app.db.platform(PlatformReason::Provision).await.unwrap();
        match is_suspended {
            true => tenant::suspend_organisation(&ptx, world.reseller, world.app.clock.now()).await.unwrap(),
            false => tenant::restore_organisation(&ptx, world.reseller, world.app.clock.now()).await.unwrap(),
        }
        ptx.commit().await.unwrap();
    };
    suspend(true).await;
    assert_eq!(before.get("/admin").await.to(), "/sign-in?next=%2Fadmin", "signed in, and outside all the same");
    let mut browser = Browser::at(&pages, VOSS);
    let refused = browser.sign_in_with("admin@bright.example", PASSWORD).await;
    assert_eq!(refused.status, 403);
    assert!(refused.body.contains("suspended") && !browser.cookies.contains_key(SESSION));
    let guess = browser.sign_in_with("admin@bright.example", "wrong password").await;
    assert!(guess.status == 422 && !guess.body.contains("suspended"), "who guesses learns nothing");
    assert_eq!(Browser::new(&pages).sign_in("admin@nord.example").await, "/admin", "others are not touched");
    suspend(false).await;
    assert_eq!(Browser::at(&pages, VOSS).sign_in("admin@bright.example").await, "/admin");
}

#[actix_web::test]
async fn after_signing_in_one_is_back_where_one_was_and_never_elsewhere() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    assert_eq!(browser.get("/admin/customers?q=a").await.to(), "/sign-in?next=%2Fadmin%2Fcustomers%3Fq%3Da");
    for (next, to) in [
        ("/admin/customers?q=a", "/admin/customers?q=a"),
        ("//evil.example", "/admin"),
        ("https://evil.example/", "/admin"),
    ] {
        let mut browser = Browser::new(&pages);
        let token = browser.get("/sign-in").await.token();
        let fields = [("email", "admin@nord.example"), ("password", PASSWORD), ("next", next)];
        assert_eq!(browser.post("/sign-in", &token, &fields).await.to(), to);
    }
}

#[actix_web::test]
async fn a_session_is_new_at_each_sign_in_and_ends_on_the_server() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    browser.cookies.insert(SESSION.into(), "planted-by-somebody-else".into());
    browser.sign_in("admin@nord.example").await;
    let first = browser.cookies[SESSION].clone();
    assert_ne!(first, "planted-by-somebody-else");
    let token = browser.get("/admin").await.token();
    let out = browser.post("/sign-out", &token, &[]).await;
    assert_eq!((out.status, out.to()), (303, "/sign-in"));
    assert!(!browser.cookies.contains_key(SESSION), "the browser forgets it");
    let door = browser.get("/sign-in").await;
    assert!(door.body.contains("You are signed out"));
    assert!(!browser.get("/sign-in").await.body.contains("You are signed out"), "a notice is shown once");
    browser.cookies.insert(SESSION.into(), first.clone());
    assert_eq!(browser.get("/admin").await.to(), "/sign-in?next=%2Fadmin", "a cookie kept from before opens nothing");
    browser.cookies.clear();
    browser.sign_in("admin@nord.example").await;
    assert_ne!(browser.cookies[SESSION], first);
}

#[actix_web::test]
async fn a_session_ends_by_idleness_and_by_age() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    browser.sign_in("admin@nord.example").await;
    world.app.clock.travel_to(start() + TimeDelta::minutes(29));
    assert_eq!(browser.get("/admin").await.status, 200);
    world.app.clock.travel_to(start() + TimeDelta::minutes(58));
    assert_eq!(browser.get("/admin").await.status, 200, "a page within the half hour keeps it alive");
    world.app.clock.travel_to(start() + TimeDelta::minutes(88));
    assert_eq!(browser.get("/admin").await.status, 303, "half an hour without a page");
    let again = world.app.clock.now();
    browser.sign_in("admin@nord.example").await;
    for minutes in (20..720).step_by(20) {
        world.app.clock.travel_to(again + TimeDelta::minutes(minutes));
        assert_eq!(browser.get("/admin/plans").await.status, 200);
    }
    world.app.clock.travel_to(again + TimeDelta::hours(12));
    assert_eq!(browser.get("/admin").await.status, 303, "twelve hours, however busy");
}

#[actix_web::test]
async fn somebody_with_several_places_chooses_and_gets_another_session() {
    let world = World::new().await;
    world.member(world.nord, "ops@ringtill.example", Role::Support, None).await;
    world.member(world.bright, "ops@ringtill.example", Role::Support, None).await;
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    assert_eq!(browser.sign_in("ops@ringtill.example").await, "/session/membership");
    let choice = browser.get("/session/membership").await;
    assert!(choice.body.contains("NORD") && !choice.body.contains("BRIGHT"), "what is under a brand is not shown here");
    let nord = choice.body.split("name=\"membership\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let before = browser.cookies[SESSION].clone();
    let changed = browser.post("/session/membership", &choice.token(), &[("membership", &nord)]).await;
    assert_eq!(changed.to(), "/admin");
    let after = browser.cookies[SESSION].clone();
    assert_ne!(before, after);
    assert_eq!(browser.get("/admin").await.status, 200);
    assert_eq!(browser.get("/ops").await.status, 404, "one place at a time");
    browser.cookies.insert(SESSION.into(), before);
    assert_eq!(browser.get("/ops").await.status, 303, "the session before is over");
    let mut stranger = Browser::new(&pages);
    stranger.sign_in("admin@nord.example").await;
    let token = stranger.get("/admin").await.token();
    assert_eq!(
        stranger.post("/session/membership", &token, &[("membership", &nord)]).await.status,
        404,
        "nobody becomes somebody else"
    );
}
