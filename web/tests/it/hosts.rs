use crate::browser::{Browser, pages};
use crate::world::{MAIN, VOSS, World};
use actix_web::test::TestRequest;
use db::PlatformReason;

#[actix_web::test]
async fn only_the_operators_host_and_verified_domains_are_served() {
    let world = World::new().await;
    let pages = pages(&world).await;
    for (host, status) in [
        (MAIN, 200),
        ("RINGTILL.example:443", 200),
        (VOSS, 200),
        ("unproven.example", 421),
        ("evil.example", 421),
        ("127.0.0.1", 421),
        ("ringtill.example.", 421),
        ("x.ringtill.example", 421),
    ] {
        let answer = Browser::at(&pages, host).get("/sign-in").await;
        assert_eq!(answer.status, status, "{host}");
        assert!(status == 200 || !answer.body.contains("Ringtill"), "an unknown host has no name");
    }
    let forwarded = TestRequest::get()
        .uri("/sign-in")
        .insert_header(("x-forwarded-host", MAIN))
        .insert_header(("forwarded", "host=ringtill.example"));
    assert_eq!(Browser::at(&pages, "evil.example").send(forwarded).await.status, 421, "only the Host header counts");
    assert_eq!(Browser::at(&pages, "10.1.2.3").get("/healthz").await.status, 200, "a load balancer asks by address");
    assert_eq!(Browser::at(&pages, "10.1.2.3").get("/readyz").await.body, "ready\n");
}

#[actix_web::test]
async fn a_resellers_host_never_names_the_operator() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let mut browser = Browser::at(&pages, VOSS);
    browser.sign_in("admin@bright.example").await;
    for path in ["/sign-in", "/admin", "/admin/plans", "/nothing"] {
        let answer = browser.get(path).await;
        assert!(!answer.body.contains("Ringtill"), "{path}: {}", answer.body);
    }
    assert!(Browser::at(&pages, VOSS).get("/sign-in").await.body.contains("VOSS"));
}

#[actix_web::test]
async fn a_cookie_carried_to_another_host_opens_nothing() {
    let world = World::new().await;
    let pages = pages(&world).await;
    for (from, to, email, path) in [
        (MAIN, VOSS, "admin@nord.example", "/admin"),
        (VOSS, MAIN, "admin@bright.example", "/admin"),
        (VOSS, MAIN, "admin@voss.example", "/reseller"),
    ] {
        let mut browser = Browser::at(&pages, from);
        browser.sign_in(email).await;
        assert_eq!(browser.get(path).await.status, 200);
        browser.host = to.into();
        assert_eq!(browser.get(path).await.status, 404, "{email} at {to}");
    }
}

#[actix_web::test]
async fn the_tenant_comes_from_the_session_and_from_nothing_that_a_request_says() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    browser.sign_in("admin@nord.example").await;
    let told = TestRequest::get()
        .uri(&format!("/admin?tenant_id={}", world.bright))
        .insert_header(("x-tenant-id", world.bright.to_string()));
    let page = browser.send(told).await;
    assert!(page.body.contains("NORD") && !page.body.contains("BRIGHT"));
}

#[actix_web::test]
async fn cookies_are_bound_to_their_host_and_out_of_reach_of_scripts() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    let answer = browser.sign_in_with("admin@nord.example", crate::world::PASSWORD).await;
    let set: Vec<&str> = answer.headers.get_all("set-cookie").filter_map(|cookie| cookie.to_str().ok()).collect();
    let session = set.iter().find(|cookie| cookie.contains("session=")).expect("a session's cookie");
    assert!(session.starts_with("__Host-ringtill_session="), "{session}");
    for word in ["HttpOnly", "Secure", "SameSite=Lax", "Path=/"] {
        assert!(session.contains(word), "{word} in {session}");
    }
    assert!(!session.contains("Domain="));
}

#[actix_web::test]
async fn a_brand_has_its_colours_and_its_drawing_on_its_own_host_only() {
    let world = World::new().await;
    let tx = world.database.db.tenant(world.reseller).await.unwrap();
    let colours = tenant::BrandColours {
        accent: "#7a2a5e".into(),
        accent_hover: "#641f4c".into(),
        on_accent: "#ffffff".into(),
        accent_text: "#7a2a5e".into(),
        accent_soft: "#f8edf4".into(),
        accent_dark: "#a8457f".into(),
        accent_text_dark: "#eda4cd".into(),
        accent_soft_dark: "#341d2b".into(),
        canvas: "#f8f5f2".into(),
        canvas_dark: "#121011".into(),
        radius: 12,
        logo_height: 26,
    };
    let logo = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 8 8\"><rect width=\"8\" height=\"8\"/></svg>";
    let brand = tenant::Brand { name: "Vossline".into(), logo_svg: Some(logo.into()), colours, support_email: None };
    tenant::set_brand(&tx, &brand, world.app.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
    let pages = pages(&world).await;
    let door = Browser::at(&pages, VOSS).get("/sign-in").await;
    assert!(door.body.contains("Vossline"));
    for (kind, start) in [("text/css", "href=\"/theme/"), ("image/svg+xml", "src=\"/brand/")] {
        let at = door.body.find(start).unwrap_or_else(|| panic!("{start} in {}", door.body)) + start.len();
        let path = door.body[at - start.len()..].split('"').nth(1).unwrap();
        let file = Browser::at(&pages, VOSS).get(path).await;
        assert_eq!((file.status, file.header("content-type").starts_with(kind)), (200, true), "{path}");
        assert!(file.header("cache-control").contains("immutable"));
        assert_eq!(Browser::new(&pages).get(path).await.status, 404, "{path} is nobody's at the operator's");
    }
}

#[actix_web::test]
async fn a_domain_of_the_operators_own_is_the_operators_host() {
    let world = World::new().await;
    let ptx = world.database.db.platform(PlatformReason::Provision).await.unwrap();
    tenant::add_domain(&ptx, "www.ringtill.example", world.operator, Some(world.app.clock.now())).await.unwrap();
    ptx.commit().await.unwrap();
    let pages = pages(&world).await;
    for (email, home) in [("ops@ringtill.example", "/ops"), ("admin@nord.example", "/admin")] {
        assert_eq!(Browser::at(&pages, "www.ringtill.example").sign_in(email).await, home);
    }
}
