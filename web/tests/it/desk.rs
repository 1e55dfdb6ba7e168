use crate::browser::{Browser, pages};
use crate::world::World;
use actix_web::test::TestRequest;
use chrono::TimeDelta;
use db::PlatformReason;
use ringtill::worker::SEAT_HEARTBEAT_MISSED;
use tenant::AgentState;

#[actix_web::test]
async fn an_agent_sits_down_at_sign_in_and_leaves_at_sign_out() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    assert_eq!(world.lena_sits_since().await, None);
    browser.sign_in("lena@nord.example").await;
    assert_eq!(world.lena_sits_since().await, Some(world.app.clock.now()));
    let desk = browser.get("/agent").await;
    assert!(desk.body.contains("hx-post=\"/agent/heartbeat\"") && desk.body.contains("sse-connect=\"/agent/events\""));
    world.app.clock.advance(TimeDelta::hours(1));
    browser.post("/sign-out", &desk.token(), &[]).await;
    assert_eq!(world.lena_sits_since().await, None);
    let tx = world.nord().await;
    let stays =
        tenant::seat_sessions(&tx, world.app.clock.now() - TimeDelta::hours(2), world.app.clock.now()).await.unwrap();
    assert_eq!(stays.len(), 1);
    assert_eq!(stays[0].closed_by, Some(tenant::SeatClosedBy::SignOut));
}

#[actix_web::test]
async fn a_desk_that_is_not_heard_of_loses_its_seat_and_gets_a_new_one_when_it_comes_back() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    browser.sign_in("lena@nord.example").await;
    let token = browser.get("/agent").await.token();
    browser.post("/agent/state", &token, &[("state", "ready")]).await;
    let close_missed = async || {
        let (tx, now) = (world.nord().await, world.app.clock.now());
        let closed = tenant::close_missed_seats(&tx, now - SEAT_HEARTBEAT_MISSED, now).await.unwrap();
        tx.commit().await.unwrap();
        closed
    };
    for _ in 0..6 {
        world.app.clock.advance(TimeDelta::seconds(20));
        assert_eq!(browser.post("/agent/heartbeat", &token, &[]).await.status, 204);
        assert_eq!(close_missed().await, 0);
    }
    let last_seen = world.app.clock.now();
    world.app.clock.advance(TimeDelta::seconds(91));
    assert_eq!(close_missed().await, 1);
    assert_eq!(world.lena_sits_since().await, None);
    let tx = world.nord().await;
    let stays = tenant::seat_sessions(&tx, last_seen - TimeDelta::hours(1), world.app.clock.now()).await.unwrap();
    assert_eq!(stays[0].closed_at, Some(last_seen), "nobody pays for a dead screen");
    browser.post("/agent/heartbeat", &token, &[]).await;
    assert_eq!(world.lena_sits_since().await, Some(world.app.clock.now()));
    let states = tenant::agent_states(&world.nord().await).await.unwrap();
    assert_eq!(states[0].state, AgentState::NotReady, "who comes back says so before the phone rings");
}

#[actix_web::test]
async fn a_state_is_chosen_with_its_reason() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    browser.sign_in("lena@nord.example").await;
    let token = browser.get("/agent").await.token();
    for (state, reason, stored, why) in [
        ("ready", "break", AgentState::Ready, None),
        ("not_ready", "training", AgentState::NotReady, Some("training")),
        ("not_ready", "<script>", AgentState::NotReady, None),
    ] {
        assert_eq!(browser.post("/agent/state", &token, &[("state", state), ("reason", reason)]).await.to(), "/agent");
        let status = tenant::agent_states(&world.nord().await).await.unwrap().remove(0);
        assert_eq!((status.state, status.reason.as_deref()), (stored, why));
    }
}

#[actix_web::test]
async fn a_phone_password_is_shown_once_and_kept_as_a_digest() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    browser.sign_in("lena@nord.example").await;
    let token = browser.get("/agent").await.token();
    let shown = browser.post("/agent/phone/password", &token, &[]).await;
    assert_eq!((shown.status, shown.header("cache-control")), (200, "no-store"));
    let password = shown.body.split("id=\"phone-password\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
    assert_eq!(password.len(), 24);
    assert!(!browser.get("/agent").await.body.contains(&password));
    assert!(browser.cookies.values().all(|cookie| !cookie.contains(&password)));
    let ptx = world.database.db.platform(PlatformReason::SignIn).await.unwrap();
    let user = tenant::phone_secret(&ptx, "lena.nord").await.unwrap().expect("the phone may sign in");
    assert_eq!(user.agent_id, world.lena);
    assert!(!user.ha1_md5.contains(&password));
}

#[actix_web::test]
async fn a_phone_reads_its_settings_with_a_token_of_five_minutes() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    browser.sign_in("lena@nord.example").await;
    let csrf = browser.get("/agent").await.token();
    let made: serde_json::Value =
        serde_json::from_str(&browser.post("/agent/phone/token", &csrf, &[]).await.body).unwrap();
    let token = made["token"].as_str().unwrap().to_owned();
    let mut phone = Browser::new(&pages);
    let ask = |token: &str| {
        TestRequest::get().uri("/phone/settings").insert_header(("authorization", format!("Bearer {token}")))
    };
    let settings = phone.send(ask(&token)).await;
    let read: serde_json::Value = serde_json::from_str(&settings.body).unwrap();
    assert_eq!((settings.status, read["user_name"].as_str()), (200, Some("lena.nord")));
    assert_eq!(phone.get("/phone/settings").await.status, 401);
    assert_eq!(phone.send(ask("x.y.z")).await.status, 401);
    world.app.clock.advance(TimeDelta::minutes(7));
    assert_eq!(phone.send(ask(&token)).await.status, 401, "older than five minutes, with a minute's grace for clocks");
}
