use crate::browser::{Browser, pages};
use crate::world::World;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::test::TestRequest;
use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;
use tokio::time::timeout;

async fn chunk(body: &mut Pin<Box<BoxBody>>) -> Option<String> {
    let next = poll_fn(|context| body.as_mut().poll_next(context)).await?;
    Some(String::from_utf8(next.expect("a stream does not fail").to_vec()).unwrap())
}

#[actix_web::test]
async fn a_stream_begins_with_the_present_state_and_ends_with_its_session() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    browser.sign_in("lena@nord.example").await;
    let token = browser.get("/agent").await.token();
    let response = browser.raw(TestRequest::get().uri("/agent/events").insert_header(("last-event-id", "1"))).await;
    assert_eq!(response.headers().get("content-type").unwrap(), "text/event-stream; charset=utf-8");
    let mut stream = Box::pin(response.into_body());
    let first = chunk(&mut stream).await.expect("a snapshot at once");
    assert!(first.starts_with("id: ") && first.contains("event: desk\n") && first.ends_with("\n\n"), "{first}");
    assert!(first.contains("not ready since"));
    browser.post("/agent/state", &token, &[("state", "ready")]).await;
    let second = timeout(Duration::from_secs(5), chunk(&mut stream))
        .await
        .expect("a change is told within five seconds")
        .unwrap();
    assert!(second.contains("ready since") && !second.contains("not ready since"), "{second}");
    browser.post("/sign-out", &token, &[]).await;
    let over = timeout(Duration::from_secs(8), async { while chunk(&mut stream).await.is_some() {} }).await;
    assert!(over.is_ok(), "a stream ends with its session");
}

#[actix_web::test]
async fn a_stream_ends_when_the_server_stops_and_holds_no_connection_between_two_looks() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    browser.sign_in("admin@nord.example").await;
    let mut streams = Vec::new();
    // More than the pool has connections (8).
    for _ in 0..20 {
        let mut stream = Box::pin(browser.raw(TestRequest::get().uri("/admin/live/events")).await.into_body());
        assert!(chunk(&mut stream).await.expect("a snapshot").contains("event: board"));
        streams.push(stream);
    }
    assert_eq!(browser.get("/admin").await.status, 200);
    world.app.closing.cancel();
    for stream in &mut streams {
        let over = timeout(Duration::from_secs(2), async { while chunk(stream).await.is_some() {} }).await;
        assert!(over.is_ok());
    }
    assert_eq!(browser.get("/readyz").await.status, 503);
}

#[actix_web::test]
async fn an_open_board_does_not_keep_an_idle_session_alive() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    browser.sign_in("admin@nord.example").await;
    let mut stream = Box::pin(browser.raw(TestRequest::get().uri("/admin/live/events")).await.into_body());
    assert!(chunk(&mut stream).await.is_some());
    world.app.clock.advance(chrono::TimeDelta::minutes(29));
    // The clock stands in what is shown, so it is told again, and the session is looked at.
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert!(timeout(Duration::from_secs(5), chunk(&mut stream)).await.is_ok());
    world.app.clock.advance(chrono::TimeDelta::minutes(2));
    let over = timeout(Duration::from_secs(8), async { while chunk(&mut stream).await.is_some() {} }).await;
    assert!(over.is_ok(), "31 minutes without a page: the stream ends too");
    assert_eq!(browser.get("/admin").await.status, 303);
}
