use crate::world::*;
use chrono::TimeDelta;
use db::{ApiKeyId, PlatformReason, TenantId};
use std::collections::BTreeSet;
use tenant::{
    ApiKeySecret, ApiReply, KeyMode, NewApiKey, Once, OrganisationKind, RequestHash, Scope, ScopeGroup, TenantError,
};

fn new_key() -> NewApiKey {
    NewApiKey {
        name: "Bookkeeping".into(),
        mode: KeyMode::Test,
        scopes: BTreeSet::from([Scope::read(ScopeGroup::Invoices), Scope::write(ScopeGroup::Customers)]),
        expires_at: None,
        by: "ana".into(),
    }
}

async fn made(world: &World, tenant: TenantId, new: &NewApiKey) -> (ApiKeyId, ApiKeySecret) {
    let tx = world.tx(tenant).await;
    let made = tenant::create_api_key(&tx, new, at("2026-03-02T08:00:00Z")).await.unwrap();
    tx.commit().await.unwrap();
    made
}

async fn owner_of(world: &World, secret: &ApiKeySecret, now: &str) -> Option<TenantId> {
    let ptx = world.database.db.platform(PlatformReason::AuthenticateKey).await.unwrap();
    tenant::api_client(&ptx, secret, at(now)).await.unwrap().map(|client| client.tenant_id)
}

#[tokio::test]
async fn a_key_opens_its_own_book_until_it_expires_or_is_revoked() {
    let world = World::new().await;
    let acme = world.organisation("acme", OrganisationKind::Tenant).await;
    let globex = world.organisation("globex", OrganisationKind::Tenant).await;
    let (id, secret) = made(&world, acme, &new_key()).await;
    let expires_at = Some(at("2026-03-09T08:00:00Z"));
    let (_, short) = made(&world, globex, &NewApiKey { expires_at, ..new_key() }).await;
    for (secret, now, owner) in [
        (&secret, "2026-03-02T08:00:00Z", Some(acme)),
        (&short, "2026-03-09T07:59:59Z", Some(globex)),
        (&short, "2026-03-09T08:00:00Z", None),
    ] {
        assert_eq!(owner_of(&world, secret, now).await, owner, "at {now}");
    }
    let tx = world.tx(globex).await;
    let refused = tenant::revoke_api_key(&tx, id, "ben", at("2026-03-03T08:00:00Z")).await.unwrap_err();
    assert!(matches!(refused, TenantError::KeyMustExist), "nobody revokes another's");
    let tx = world.tx(acme).await;
    tenant::revoke_api_key(&tx, id, "ana", at("2026-03-03T08:00:00Z")).await.unwrap();
    tenant::revoke_api_key(&tx, id, "ana", at("2026-03-04T08:00:00Z")).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(owner_of(&world, &secret, "2026-03-03T08:00:00Z").await, None);
    let tx = world.tx(acme).await;
    let key = tenant::api_keys(&tx).await.unwrap().pop().unwrap();
    assert_eq!((key.revoked_at, key.start.as_str()), (Some(at("2026-03-03T08:00:00Z")), &secret.expose()[..12]));
    let told: Vec<String> =
        tenant::audit_entries(&tx, None, 9).await.unwrap().into_iter().map(|entry| entry.action).collect();
    assert_eq!(told, ["api_key.revoke", "api_key.create"], "each deed once");
}

#[tokio::test]
async fn a_key_is_nowhere_in_the_database() {
    let world = World::new().await;
    let acme = world.organisation("acme", OrganisationKind::Tenant).await;
    let (_, secret) = made(&world, acme, &new_key()).await;
    let tx = world.tx(acme).await;
    let found: Option<bool> = tx
        .value(
            "SELECT (SELECT string_agg(k::text, ' ') FROM api_key k) || (SELECT string_agg(a::text, ' ') FROM audit_entry a)
               LIKE '%' || $1 || '%' AS v",
            [secret.expose()[12..].into()],
        )
        .await
        .unwrap();
    assert_eq!(found, Some(false));
}

#[tokio::test]
async fn a_key_that_could_do_nothing_or_is_over_already_is_not_made() {
    let world = World::new().await;
    let acme = world.organisation("acme", OrganisationKind::Tenant).await;
    let tx = world.tx(acme).await;
    let now = at("2026-03-02T08:00:00Z");
    for (new, rule) in [
        (NewApiKey { name: " ".into(), ..new_key() }, "a name must not be empty"),
        (NewApiKey { name: "x".repeat(81), ..new_key() }, "a name has at most 80 characters"),
        (NewApiKey { scopes: BTreeSet::new(), ..new_key() }, "a key must be allowed something"),
        (NewApiKey { expires_at: Some(now), ..new_key() }, "a key must expire in the future"),
    ] {
        assert_eq!(tenant::create_api_key(&tx, &new, now).await.unwrap_err().to_string(), rule);
    }
}

#[tokio::test]
async fn the_last_use_is_noted_once_a_minute() {
    let world = World::new().await;
    let acme = world.organisation("acme", OrganisationKind::Tenant).await;
    made(&world, acme, &new_key()).await;
    let mut noted = Vec::new();
    for now in ["2026-03-02T08:00:00Z", "2026-03-02T08:00:59Z", "2026-03-02T08:01:00Z"] {
        let tx = world.tx(acme).await;
        let key = tenant::api_keys(&tx).await.unwrap().pop().unwrap();
        if key.is_use_to_note(at(now)) {
            tenant::touch_api_key(&tx, key.id, at(now)).await.unwrap();
        }
        noted.push(tenant::api_keys(&tx).await.unwrap().pop().unwrap().last_used_at.unwrap());
        tx.commit().await.unwrap();
    }
    assert_eq!(noted, [at("2026-03-02T08:00:00Z"), at("2026-03-02T08:00:00Z"), at("2026-03-02T08:01:00Z")]);
}

#[tokio::test]
async fn a_request_takes_effect_once_and_another_one_under_its_key_not_at_all() {
    let world = World::new().await;
    let acme = world.organisation("acme", OrganisationKind::Tenant).await;
    let globex = world.organisation("globex", OrganisationKind::Tenant).await;
    let now = at("2026-03-02T08:00:00Z");
    let (asked, other) = (RequestHash::of("POST", "/a", b"b"), RequestHash::of("POST", "/ab", b""));
    let reply = ApiReply { status: 201, body: "{\"b\": 1,\"a\":2}".into() };
    let tx = world.tx(acme).await;
    let claim = async |tenant, request, now| {
        let tx = world.tx(tenant).await;
        let claimed = tenant::claim_api_reply(&tx, "k-1", &request, now).await.unwrap();
        // Ended before the next one asks: a dropped transaction lets go of its key only when the server hears of it.
        tx.rollback().await.unwrap();
        claimed
    };
    assert_eq!(tenant::claim_api_reply(&tx, "k-1", &asked, now).await.unwrap(), Once::First);
    assert_eq!(claim(acme, asked, now).await, Once::InFlight, "the first is at it");
    assert_eq!(claim(globex, asked, now).await, Once::First, "another book's keys are its own");
    tenant::keep_api_reply(&tx, "k-1", &asked, &reply, now).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(claim(acme, asked, now).await, Once::Again(reply.clone()), "byte for byte");
    assert_eq!(claim(acme, other, now).await, Once::OtherRequest);
    let week = now + TimeDelta::days(7);
    assert_eq!(claim(acme, other, week - TimeDelta::seconds(1)).await, Once::OtherRequest);
    assert_eq!(claim(acme, other, week).await, Once::First, "after a week it is a new key");
    let tx = world.tx(acme).await;
    assert_eq!(tenant::forget_old_api_replies(&tx, week - TimeDelta::seconds(1)).await.unwrap(), 0);
    assert_eq!(tenant::forget_old_api_replies(&tx, week).await.unwrap(), 1);
}
