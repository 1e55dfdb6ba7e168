use crate::world::*;
use chrono::{DateTime, TimeDelta, Utc};
use std::sync::Arc;
use tenant::{
    OrganisationKind, Role, Session, SignInRefused, TenantError, check_password, count_try_from, end_session,
    end_sessions_of, open_session, session, try_from_succeeded,
};
use tokio::task::JoinSet;

/// `ok`, `wrong`, or the seconds to wait; committed as a caller must.
async fn try_sign_in(world: &World, email: &str, password: &str, now: DateTime<Utc>) -> String {
    let ptx = world.platform().await;
    let answer = check_password(&ptx, email, password, now).await;
    ptx.commit().await.unwrap();
    match answer {
        Ok(_) => "ok".to_owned(),
        Err(SignInRefused::Wrong) => "wrong".to_owned(),
        Err(SignInRefused::TooManyTries { retry_after_seconds }) => retry_after_seconds.to_string(),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn tries_are_slowed_down_alike_for_everybody_and_nobody_and_never_locked_out() {
    let world = World::new().await;
    let acme = world.organisation("acme", OrganisationKind::Tenant).await;
    world.member(acme, "ana@acme.example", Role::Admin).await;
    let start = at("2026-03-02T08:00:00Z");
    for email in ["ana@acme.example", "nobody@acme.example"] {
        for (after_seconds, expected) in [
            (0, "wrong"),
            (0, "wrong"),
            (0, "wrong"),
            (0, "wrong"),
            (0, "wrong"),
            (0, "2"),     // five were free; the sixth waits a second (and is told one more, to be safe)
            (1, "wrong"), // waited
            (2, "2"),     // now two seconds since the last counted try
            (3, "wrong"),
            (3, "5"), // now four
            (7, "wrong"),
        ] {
            let answer = try_sign_in(&world, email, "guess", start + TimeDelta::seconds(after_seconds)).await;
            assert_eq!(answer, expected, "{email} after {after_seconds} s");
        }
    }
    // The owner waits as long as the attacker made it, 8 seconds, and is in; then all is forgotten.
    assert_eq!(try_sign_in(&world, " Ana@acme.example", PASSWORD, start + TimeDelta::seconds(8)).await, "8");
    assert_eq!(try_sign_in(&world, " Ana@acme.example", PASSWORD, start + TimeDelta::seconds(15)).await, "ok");
    for _ in 0..5 {
        assert_eq!(try_sign_in(&world, "ana@acme.example", "guess", start + TimeDelta::seconds(16)).await, "wrong");
    }
}

#[tokio::test]
async fn one_address_that_goes_through_a_list_of_people_is_slowed_down_and_others_are_not() {
    let world = World::new().await;
    let now = at("2026-03-02T08:00:00Z");
    let (office, home) = ("192.0.2.7".parse().unwrap(), "198.51.100.3".parse().unwrap());
    let tries = async |from, now| {
        let ptx = world.platform().await;
        let counted = count_try_from(&ptx, from, now).await.is_ok();
        ptx.commit().await.unwrap();
        counted
    };
    for nth in 0..30 {
        assert!(tries(office, now).await, "try {nth} is free");
    }
    assert!(!tries(office, now).await, "the thirty-first waits a second");
    assert!(tries(home, now).await);
    let ptx = world.platform().await;
    try_from_succeeded(&ptx, office).await.unwrap();
    ptx.commit().await.unwrap();
    assert!(tries(office, now).await, "who knows the password was no guess, and is taken back");
    assert!(!tries(office, now).await, "one's own account does not wipe out the guesses at others");
    assert!(tries(office, now + TimeDelta::minutes(16)).await, "and it is forgotten in a quarter of an hour");
}

#[tokio::test]
async fn an_attacker_of_a_day_cannot_make_the_owner_wait_longer_than_a_minute() {
    let world = World::new().await;
    let acme = world.organisation("acme", OrganisationKind::Tenant).await;
    world.member(acme, "ana@acme.example", Role::Admin).await;
    world
        .database
        .as_owner("INSERT INTO sign_in_attempt VALUES (sha256('ana@acme.example'), 999999, '2026-03-02T08:00:00Z')")
        .await;
    assert_eq!(try_sign_in(&world, "ana@acme.example", PASSWORD, at("2026-03-02T08:00:59Z")).await, "2");
    assert_eq!(try_sign_in(&world, "ana@acme.example", PASSWORD, at("2026-03-02T08:01:00Z")).await, "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn tries_at_once_cannot_slip_past_together() {
    let world = Arc::new(World::new().await);
    let mut tasks = JoinSet::new();
    for _ in 0..20 {
        let world = world.clone();
        tasks.spawn(
            async move { try_sign_in(&world, "nobody@acme.example", "guess", at("2026-03-02T08:00:00Z")).await },
        );
    }
    let answers = tasks.join_all().await;
    assert_eq!(answers.iter().filter(|answer| *answer == "wrong").count(), 5);
}

#[tokio::test]
async fn counted_tries_are_forgotten_after_a_day() {
    let world = World::new().await;
    let start = at("2026-03-02T08:00:00Z");
    try_sign_in(&world, "nobody@acme.example", "guess", start).await;
    for (hours, forgotten) in [(24, 0), (25, 1), (26, 0)] {
        let ptx = world.platform().await;
        assert_eq!(
            tenant::forget_old_attempts(&ptx, start + TimeDelta::hours(hours)).await.unwrap(),
            forgotten,
            "{hours}"
        );
        ptx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn a_person_has_one_address_and_a_password_that_is_not_stored() {
    let world = World::new().await;
    let ptx = world.platform().await;
    let now = at("2026-03-02T08:00:00Z");
    let ana = tenant::create_person(&ptx, "Ana@Acme.example", "Ana", PASSWORD, now).await.unwrap();
    assert_eq!(tenant::person_by_email(&ptx, "ana@acme.example").await.unwrap(), Some(ana));
    assert!(matches!(check_password(&ptx, "ana@acme.example", PASSWORD, now).await, Ok(found) if found == ana));
    tenant::set_password(&ptx, ana, "ana@acme.example", "another horse battery").await.unwrap();
    assert!(matches!(check_password(&ptx, "ana@acme.example", PASSWORD, now).await, Err(SignInRefused::Wrong)));
    assert!(check_password(&ptx, "ana@acme.example", "another horse battery", now).await.is_ok());
    let stored: Option<String> = ptx.value("SELECT string_agg(p::text, ' ') AS v FROM person p", []).await.unwrap();
    assert!(!stored.unwrap().contains("horse"));
    let again = tenant::create_person(&ptx, "ana@acme.example", "Ana", PASSWORD, now).await;
    assert!(matches!(again, Err(TenantError::EmailIsTaken)));
}

async fn look(world: &World, token: &str, now: DateTime<Utc>) -> Option<Session> {
    let ptx = world.platform().await;
    let found = session(&ptx, token, now).await.unwrap();
    ptx.commit().await.unwrap();
    found
}

#[tokio::test]
async fn a_session_says_who_asks_until_it_is_ended() {
    let world = World::new().await;
    let acme = world.organisation("acme", OrganisationKind::Tenant).await;
    let (person, membership) = world.member(acme, "ana@acme.example", Role::Admin).await;
    let start = at("2026-03-02T08:00:00Z");
    let ptx = world.platform().await;
    let token = open_session(&ptx, &membership, person, "Browser\r\nSet-Cookie: x", start).await.unwrap();
    let second = open_session(&ptx, &membership, person, "Phone", start).await.unwrap();
    ptx.commit().await.unwrap();
    assert_ne!(token, second);
    let found = look(&world, token.expose(), start).await.unwrap();
    assert_eq!((found.person_id, found.tenant_id, found.role, found.agent_id), (person, acme, Role::Admin, None));
    assert_eq!(found.organisation.slug, "acme");
    assert_ne!(found.csrf_token, look(&world, second.expose(), start).await.unwrap().csrf_token);
    assert!(look(&world, "guessed", start).await.is_none());
    // The table does not open anything: it holds hashes.
    let stolen: Option<String> =
        world.platform().await.value("SELECT string_agg(s::text, ' ') AS v FROM sign_in_session s", []).await.unwrap();
    assert!(!stolen.unwrap().contains(token.expose()));
    let ptx = world.platform().await;
    end_session(&ptx, token.expose(), start).await.unwrap();
    ptx.commit().await.unwrap();
    assert!(look(&world, token.expose(), start).await.is_none());
    assert!(look(&world, second.expose(), start).await.is_some());
    let ptx = world.platform().await;
    assert_eq!(end_sessions_of(&ptx, person, start).await.unwrap(), 1);
    ptx.commit().await.unwrap();
    assert!(look(&world, second.expose(), start).await.is_none());
}

#[tokio::test]
async fn use_keeps_a_session_awake_for_twelve_hours_at_most() {
    let world = World::new().await;
    let acme = world.organisation("acme", OrganisationKind::Tenant).await;
    let (person, membership) = world.member(acme, "ana@acme.example", Role::Billing).await;
    let start = at("2026-03-02T08:00:00Z");
    let ptx = world.platform().await;
    let token = open_session(&ptx, &membership, person, "", start).await.unwrap();
    ptx.commit().await.unwrap();
    let mut minutes = 0;
    while minutes < 12 * 60 {
        assert!(look(&world, token.expose(), start + TimeDelta::minutes(minutes)).await.is_some(), "{minutes}");
        minutes += 29;
    }
    assert!(look(&world, token.expose(), start + TimeDelta::minutes(720)).await.is_none());
    let ptx = world.platform().await;
    let idle = open_session(&ptx, &membership, person, "", start).await.unwrap();
    ptx.commit().await.unwrap();
    assert!(look(&world, idle.expose(), start + TimeDelta::minutes(30)).await.is_none());
}

#[tokio::test]
async fn a_member_who_is_removed_is_out_at_the_next_request() {
    let world = World::new().await;
    let acme = world.organisation("acme", OrganisationKind::Tenant).await;
    let (person, membership) = world.member(acme, "ana@acme.example", Role::Admin).await;
    let start = at("2026-03-02T08:00:00Z");
    let ptx = world.platform().await;
    let token = open_session(&ptx, &membership, person, "", start).await.unwrap();
    ptx.commit().await.unwrap();
    let tx = world.tx(acme).await;
    tenant::remove_member(&tx, membership.member_id, start).await.unwrap();
    assert!(matches!(tenant::remove_member(&tx, membership.member_id, start).await, Err(TenantError::MemberMustExist)));
    tx.commit().await.unwrap();
    assert!(look(&world, token.expose(), start).await.is_none());
    assert!(tenant::memberships(&world.platform().await, person).await.unwrap().is_empty());
}

#[tokio::test]
async fn one_person_may_belong_to_several_places() {
    let world = World::new().await;
    let acme = world.organisation("acme", OrganisationKind::Tenant).await;
    let other = world.organisation("other", OrganisationKind::Reseller).await;
    let (person, _) = world.member(acme, "ana@acme.example", Role::Admin).await;
    world.member(other, "ana@acme.example", Role::Customer).await;
    let memberships = tenant::memberships(&world.platform().await, person).await.unwrap();
    let places: Vec<_> = memberships
        .iter()
        .map(|place| (place.organisation_name.as_str(), place.organisation_kind, place.role))
        .collect();
    assert_eq!(
        places,
        [("ACME", OrganisationKind::Tenant, Role::Admin), ("OTHER", OrganisationKind::Reseller, Role::Customer)]
    );
    let tx = world.tx(acme).await;
    let members: Vec<_> = tenant::members(&tx).await.unwrap().into_iter().map(|member| member.role).collect();
    assert_eq!(members, [Role::Admin]); // acme does not see the other place
    let no_customer = tenant::NewMember {
        person_id: person,
        name: "Ana".into(),
        email: "ana@acme.example".into(),
        role: Role::Customer,
        customer_id: None,
    };
    let now = at("2026-03-02T08:00:00Z");
    assert!(matches!(
        tenant::add_member(&tx, no_customer.clone(), now).await,
        Err(TenantError::CustomerRoleNamesItsCustomer)
    ));
    let again = tenant::NewMember { role: Role::Admin, ..no_customer };
    assert!(matches!(tenant::add_member(&tx, again, now).await, Err(TenantError::MemberIsThere)));
}
