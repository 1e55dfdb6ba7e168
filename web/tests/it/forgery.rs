use crate::browser::{Browser, pages};
use crate::world::World;
use actix_web::test::TestRequest;
use tenant::AgentState;

#[actix_web::test]
async fn a_form_from_anywhere_else_changes_nothing() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    browser.sign_in("lena@nord.example").await;
    let token = browser.get("/agent").await.token();
    let other = "00000000000000000000000000000000";
    let ours: [(&str, &str); 1] = [("sec-fetch-site", "same-origin")];
    for (why, headers, token, status) in [
        ("cross-site", &[("sec-fetch-site", "cross-site")][..], token.as_str(), 403),
        ("a neighbour of the same site", &[("sec-fetch-site", "same-site")][..], &token, 403),
        (
            "cross-site with our origin claimed",
            &[("sec-fetch-site", "cross-site"), ("origin", "https://ringtill.example")][..],
            &token,
            403,
        ),
        ("no headers at all", &[][..], &token, 403),
        ("an old browser from elsewhere", &[("origin", "https://evil.example")][..], &token, 403),
        ("an origin that begins like ours", &[("origin", "https://ringtill.example.evil.example")][..], &token, 403),
        ("no token", &ours[..], "", 403),
        ("somebody else's token", &ours[..], other, 403),
    ] {
        let mut request = TestRequest::post().uri("/agent/state").set_form([("csrf", token), ("state", "ready")]);
        for (name, value) in headers {
            request = request.insert_header((*name, *value));
        }
        let answer = browser.send(request).await;
        assert_eq!(answer.status, status, "{why}: {}", answer.body);
        assert!(answer.body.contains("Nothing was changed"), "{why}");
        let states = tenant::agent_states(&world.nord().await).await.unwrap();
        assert!(states.iter().all(|status| status.state == AgentState::NotReady), "{why}");
    }
    let old = TestRequest::post().uri("/agent/state").insert_header(("origin", "https://ringtill.example"));
    assert_eq!(
        browser.send(old.set_form([("csrf", token.as_str()), ("state", "ready")])).await.status,
        303,
        "an old browser from here"
    );
    let script = TestRequest::post().uri("/agent/heartbeat").insert_header(("sec-fetch-site", "same-origin"));
    assert_eq!(
        browser.send(script.insert_header(("x-csrf-token", token.as_str()))).await.status,
        204,
        "a script sends a header"
    );
}

#[actix_web::test]
async fn a_sign_in_form_that_was_never_shown_is_refused() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let fields = [("csrf", "made up"), ("email", "admin@nord.example"), ("password", crate::world::PASSWORD)];
    let mut browser = Browser::new(&pages);
    let blind = TestRequest::post().uri("/sign-in").insert_header(("sec-fetch-site", "same-origin")).set_form(fields);
    assert_eq!(browser.send(blind).await.status, 403);
    assert!(browser.cookies.is_empty());
}

#[actix_web::test]
async fn fields_that_a_form_does_not_have_are_not_heard() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    browser.sign_in("lena@nord.example").await;
    let token = browser.get("/agent").await.token();
    let more = [("state", "ready"), ("tenant_id", "org_0"), ("role", "owner"), ("agent_id", "agent_0")];
    assert_eq!(browser.post("/agent/state", &token, &more).await.status, 303);
    assert_eq!(browser.get("/admin").await.status, 404);
}
