//! The page of keys.

use crate::api::Machine;
use crate::browser::{Browser, pages};
use crate::world::{MAIN, VOSS, World, start};
use chrono::TimeDelta;
use tenant::Role;

const FORM: [(&str, &str); 4] = [("name", "Bookkeeping"), ("days", "90"), ("customers", "read"), ("invoices", "write")];

fn secret_in(page: &str) -> String {
    let after = page.split("id=\"k-secret\" readonly value=\"").nth(1).expect("the key is shown");
    after.split('"').next().unwrap_or_default().to_owned()
}

#[actix_web::test]
async fn a_key_is_shown_once_works_at_once_and_ends_at_once() {
    let world = World::new().await;
    let pages = pages(&world).await;
    for (host, email, prefix) in [
        (MAIN, "admin@nord.example", "/admin"),
        (VOSS, "admin@voss.example", "/reseller"),
        (MAIN, "ops@ringtill.example", "/ops"),
    ] {
        let list = format!("{prefix}/settings/api-keys");
        let mut browser = Browser::at(&pages, host);
        browser.sign_in(email).await;
        let page = browser.get(&list).await;
        assert!(page.body.contains("No keys yet"), "{email}: {}", page.body);
        let made = browser.post(&list, &page.token(), &FORM).await;
        let secret = secret_in(&made.body);
        assert!(secret.starts_with("rt_live_"), "{secret}");
        let again = browser.get(&list).await;
        assert!(!again.body.contains(&secret) && again.body.contains("customers:read, invoices:write"));
        let machine = Machine::at(&pages, host, secret);
        assert_eq!(machine.get("/v1/customers").await.status, 200);
        assert_eq!(machine.get("/v1/invoices").await.status, 200);
        assert_eq!(machine.get("/v1/calls").await.status, 403);
        assert!(browser.get(&list).await.body.contains("2 Mar 2026"), "its last use is noted");
        let revoke = again.body.split("action=\"").find(|part| part.contains("/revocation\"")).unwrap();
        let revoke = revoke.split('"').next().unwrap().to_owned();
        assert_eq!(browser.post(&revoke, &again.token(), &[]).await.to(), list);
        assert_eq!(machine.get("/v1/customers").await.status, 401);
        assert!(browser.get(&list).await.body.contains("Revoked"));
    }
    let told = tenant::audit_entries(&world.nord().await, None, 9).await.unwrap();
    let told: Vec<_> = told.iter().map(|entry| (entry.action.as_str(), entry.actor.as_str())).collect();
    assert_eq!(told, [("api_key.revoke", "admin@nord.example"), ("api_key.create", "admin@nord.example")]);
}

#[actix_web::test]
async fn a_key_lasts_as_long_as_was_chosen() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    browser.sign_in("admin@nord.example").await;
    let list = "/admin/settings/api-keys";
    let token = browser.get(list).await.token();
    let machine = Machine::new(&pages, secret_in(&browser.post(list, &token, &FORM).await.body));
    world.app.clock.travel_to(start() + TimeDelta::days(90) - TimeDelta::seconds(1));
    assert_eq!(machine.get("/v1/customers").await.status, 200);
    world.app.clock.travel_to(start() + TimeDelta::days(90));
    assert_eq!(machine.get("/v1/customers").await.status, 401);
}

#[actix_web::test]
async fn who_may_not_make_keys_does_not_see_them_and_nonsense_makes_none() {
    let world = World::new().await;
    world.member(world.nord, "books@nord.example", Role::Billing, None).await;
    let pages = pages(&world).await;
    let list = "/admin/settings/api-keys";
    let mut billing = Browser::new(&pages);
    billing.sign_in("books@nord.example").await;
    assert_eq!(billing.get(list).await.status, 404);
    let token = billing.get("/admin").await.token();
    assert_eq!(billing.post(list, &token, &FORM).await.status, 404);
    let mut admin = Browser::new(&pages);
    admin.sign_in("admin@nord.example").await;
    let token = admin.get(list).await.token();
    for (fields, told) in [
        (vec![("name", ""), ("customers", "read")], "A name must not be empty."),
        (vec![("name", "x")], "A key must be allowed something, here or below."),
        (vec![("name", "x"), ("customers", "everything")], "Must be nothing, read, or read and change."),
        (vec![("name", "x"), ("customers", "read"), ("days", "7")], "Must be one of the list."),
    ] {
        let refused = admin.post(list, &token, &fields).await;
        assert_eq!((refused.status, refused.body.contains(told)), (422, true), "{fields:?}");
    }
    assert!(tenant::api_keys(&world.nord().await).await.unwrap().is_empty());
}
