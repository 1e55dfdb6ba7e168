//! Pages beside a real SIP edge.

use crate::browser::{Browser, pages};
use crate::world::{NUMBER, World, config};
use chrono::TimeDelta;
use sip_media::caller::{AgentPhone, CallPlan, Caller, PhonePlan};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// An edge on a free port, and a folder for its spool.
async fn edge_of(world: &World) -> (SocketAddr, PathBuf) {
    let spool = std::env::temp_dir().join(format!("spool-{}", uuid::Uuid::now_v7()));
    let mut config = config();
    config.sip.spool.clone_from(&spool);
    world.app.start_edge(&config).await.unwrap();
    (world.app.ask_edge(sip_media::Edge::local_addr).unwrap(), spool)
}

async fn closed(world: &World, spool: &PathBuf) {
    world.app.take_edge().unwrap().shutdown().await;
    std::fs::remove_dir_all(spool).unwrap();
}

#[actix_web::test]
async fn a_server_whose_call_events_wait_for_more_than_a_minute_is_not_ready() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    let (edge, spool) = edge_of(&world).await;
    world.database.as_owner("REVOKE INSERT ON call_event FROM ringtill_tenant").await;
    Caller::call(CallPlan::new(edge, "+491701000009", NUMBER, Duration::ZERO)).await.unwrap();
    assert!(world.app.ask_edge(sip_media::Edge::waiting_since).flatten().is_some());
    world.app.clock.advance(TimeDelta::seconds(60));
    assert_eq!(browser.get("/readyz").await.status, 200, "a minute is not more than a minute");
    world.app.clock.advance(TimeDelta::seconds(1));
    let answer = browser.get("/readyz").await;
    assert_eq!((answer.status, answer.body.contains("events wait")), (503, true), "{}", answer.body);
    world.database.as_owner("GRANT INSERT ON call_event TO ringtill_tenant").await;
    let taken = async {
        while world.app.ask_edge(sip_media::Edge::waiting_since).flatten().is_some() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), taken).await.expect("the events are taken in the end");
    assert_eq!(browser.get("/readyz").await.status, 200);
    closed(&world, &spool).await;
}

#[actix_web::test]
async fn an_agent_without_a_phone_is_not_free_and_the_desk_says_so() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    let (edge, spool) = edge_of(&world).await;
    browser.sign_in("lena@nord.example").await;
    let token = browser.get("/agent").await.token();
    browser.post("/agent/state", &token, &[("state", "ready")]).await;
    let desk = browser.get("/agent").await.body;
    assert!(desk.contains("Ready, but no phone is signed in: no call can reach you."), "{desk}");
    assert!(!desk.contains("The next call rings your phone"), "{desk}");
    let mut admin = Browser::new(&pages);
    admin.sign_in("admin@nord.example").await;
    assert_eq!(free(&admin.get("/admin/live").await.body), "0");
    let ptx = world.database.db.platform(db::PlatformReason::Provision).await.unwrap();
    let now = world.app.clock.now();
    tenant::set_phone_password(&ptx, world.nord, world.lena, "lena.nord", ringtill::app::SIP_REALM, "secret", now)
        .await
        .unwrap();
    ptx.commit().await.unwrap();
    let _phone = AgentPhone::register(PhonePlan::new(edge, "lena.nord", "secret")).await.unwrap();
    let desk = browser.get("/agent").await.body;
    assert!(desk.contains("The next call rings your phone"), "{desk}");
    assert_eq!(free(&admin.get("/admin/live").await.body), "1");
    closed(&world, &spool).await;
}

/// The figure of "Agents free".
fn free(board: &str) -> String {
    let after = board.split_once("Agents free").expect("the board counts free agents").1;
    after.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect()
}

#[actix_web::test]
async fn an_edge_that_cannot_start_names_the_setting_that_is_at_fault() {
    let world = World::new().await;
    let mut wrong = config();
    wrong.sip.spool = "/dev/null/spool".into();
    let sentence = ringtill::commands::sentence(&world.app.start_edge(&wrong).await.unwrap_err());
    let expected =
        "the SIP edge cannot keep its events in /dev/null/spool; set RINGTILL_SPOOL to a folder that this user may";
    assert!(sentence.starts_with(expected), "{sentence}");
    let (taken, spool) = edge_of(&world).await;
    let mut second = config();
    second.sip.listen = taken;
    second.sip.spool = std::env::temp_dir().join(format!("spool-{}", uuid::Uuid::now_v7()));
    let sentence = ringtill::commands::sentence(&world.app.start_edge(&second).await.unwrap_err());
    assert!(sentence.contains("cannot listen on") && sentence.contains("RINGTILL_SIP"), "{sentence}");
    second.sip.spool.clone_from(&spool);
    let sentence = ringtill::commands::sentence(&world.app.start_edge(&second).await.unwrap_err());
    assert!(sentence.starts_with("another ringtill keeps its events in"), "{sentence}");
    closed(&world, &spool).await;
}
