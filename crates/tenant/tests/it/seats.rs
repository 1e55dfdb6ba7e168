use crate::world::*;
use chrono::TimeDelta;
use db::{AgentId, TenantId};
use std::sync::Arc;
use tenant::{
    AgentState, OrganisationKind, Role, SeatClosedBy, TenantError, add_agent, agent_states, close_missed_seats,
    close_seat, heartbeat, open_seat, phone_secret, ready_agents, seat_sessions, seats_used, set_agent_state,
    set_phone_password,
};

async fn agent(world: &World, tenant_id: TenantId, name: &str) -> AgentId {
    let (_, membership) = world.member(tenant_id, &format!("{name}@acme.example"), Role::Agent).await;
    let tx = world.tx(tenant_id).await;
    let id =
        add_agent(&tx, membership.member_id, name, &format!("acme.{name}"), at("2026-01-01T00:00:00Z")).await.unwrap();
    tx.commit().await.unwrap();
    id
}

#[tokio::test]
async fn an_agent_sits_on_one_seat_until_it_signs_out_or_falls_silent() {
    let world = World::new().await;
    let acme = world.organisation("acme", OrganisationKind::Tenant).await;
    let (ana, ben) = (agent(&world, acme, "ana").await, agent(&world, acme, "ben").await);
    let start = at("2026-03-02T08:00:00Z");
    let tx = world.tx(acme).await;
    let seat = open_seat(&tx, ana, start).await.unwrap();
    assert_eq!(open_seat(&tx, ana, start + TimeDelta::minutes(5)).await.unwrap(), seat); // a second window, the same seat
    open_seat(&tx, ben, start).await.unwrap();
    assert!(heartbeat(&tx, ana, start + TimeDelta::minutes(10)).await.unwrap());
    assert!(heartbeat(&tx, ben, start + TimeDelta::minutes(1)).await.unwrap());
    // At 8:15 those without a sign since 8:05 are gone: Ben, and his stay ended with his last sign at 8:01.
    let closed = close_missed_seats(&tx, start + TimeDelta::minutes(5), start + TimeDelta::minutes(15)).await.unwrap();
    assert_eq!(closed, 1);
    assert!(!heartbeat(&tx, ben, start + TimeDelta::minutes(16)).await.unwrap());
    close_seat(&tx, ana, SeatClosedBy::SignOut, start + TimeDelta::hours(1)).await.unwrap();
    close_seat(&tx, ana, SeatClosedBy::Admin, start + TimeDelta::hours(2)).await.unwrap(); // closed already: nothing changes
    let stays = seat_sessions(&tx, start, start + TimeDelta::days(1)).await.unwrap();
    let mut ends: Vec<_> =
        stays.iter().map(|stay| (stay.agent_id, stay.closed_at.unwrap() - start, stay.closed_by.unwrap())).collect();
    ends.sort_by_key(|end| end.1);
    let expected = [
        (ben, TimeDelta::minutes(1), SeatClosedBy::MissedHeartbeat),
        (ana, TimeDelta::hours(1), SeatClosedBy::SignOut),
    ];
    assert_eq!(ends, expected);
    let used = seats_used(&tx, start, start + TimeDelta::days(1), "Europe/Berlin").await.unwrap();
    assert_eq!((used.active, used.peak, used.daily), (2, 2, 2));
    assert!(matches!(open_seat(&tx, AgentId::new(), start).await, Err(TenantError::AgentMustExist)));
}

#[tokio::test]
async fn an_open_stay_counts_as_far_as_it_is_known() {
    let world = World::new().await;
    let acme = world.organisation("acme", OrganisationKind::Tenant).await;
    let ana = agent(&world, acme, "ana").await;
    let tx = world.tx(acme).await;
    open_seat(&tx, ana, at("2026-03-02T22:30:00Z")).await.unwrap(); // 23:30 in Berlin
    let day = async |from: &str, to: &str| seats_used(&tx, at(from), at(to), "Europe/Berlin").await.unwrap().daily;
    assert_eq!(day("2026-03-01T23:00:00Z", "2026-03-02T23:00:00Z").await, 1);
    assert_eq!(day("2026-03-02T23:00:00Z", "2026-03-03T23:00:00Z").await, 0); // no sign of life after midnight yet
    heartbeat(&tx, ana, at("2026-03-02T23:05:00Z")).await.unwrap();
    assert_eq!(day("2026-03-02T23:00:00Z", "2026-03-03T23:00:00Z").await, 1);
}

#[tokio::test]
async fn the_longest_idle_agent_on_a_seat_is_rung_first() {
    let world = World::new().await;
    let acme = world.organisation("acme", OrganisationKind::Tenant).await;
    let (ana, ben, cem) =
        (agent(&world, acme, "ana").await, agent(&world, acme, "ben").await, agent(&world, acme, "cem").await);
    let start = at("2026-03-02T08:00:00Z");
    let minute = |n| start + TimeDelta::minutes(n);
    let tx = world.tx(acme).await;
    let ready =
        async || -> Vec<String> { ready_agents(&tx).await.unwrap().into_iter().map(|agent| agent.name).collect() };
    for (agent, n) in [(ana, 0), (ben, 1), (cem, 2)] {
        open_seat(&tx, agent, minute(n)).await.unwrap();
    }
    assert!(ready().await.is_empty()); // on a seat, but nobody said ready
    for agent in [ana, ben, cem] {
        set_agent_state(&tx, agent, AgentState::Ready, None, minute(3)).await.unwrap();
    }
    assert_eq!(ready().await, ["ana", "ben", "cem"]); // by the length of their stay
    set_agent_state(&tx, ana, AgentState::Talking, None, minute(4)).await.unwrap();
    assert_eq!(ready().await, ["ben", "cem"]);
    set_agent_state(&tx, ana, AgentState::WrapUp, None, minute(5)).await.unwrap();
    set_agent_state(&tx, ana, AgentState::Ready, None, minute(6)).await.unwrap();
    assert_eq!(ready().await, ["ben", "cem", "ana"]); // she finished a call at 5
    set_agent_state(&tx, ben, AgentState::NotReady, Some("lunch"), minute(7)).await.unwrap();
    set_agent_state(&tx, ben, AgentState::Ready, None, minute(8)).await.unwrap();
    assert_eq!(ready().await, ["ben", "cem", "ana"]); // lunch is no call
    close_seat(&tx, cem, SeatClosedBy::SignOut, minute(9)).await.unwrap();
    assert_eq!(ready().await, ["ben", "ana"]);
    let states: Vec<_> = agent_states(&tx)
        .await
        .unwrap()
        .into_iter()
        .map(|status| (status.name, status.state, status.seat_opened_at))
        .collect();
    assert_eq!(states[2], ("cem".to_owned(), AgentState::NotReady, None));
    assert_eq!(states[0], ("ana".to_owned(), AgentState::Ready, Some(minute(0))));
}

#[tokio::test]
async fn a_phone_has_a_user_name_of_its_own_in_the_whole_house() {
    let world = World::new().await;
    let acme = world.organisation("acme", OrganisationKind::Tenant).await;
    let other = world.organisation("other", OrganisationKind::Tenant).await;
    let ana = agent(&world, acme, "ana").await;
    let now = at("2026-03-02T08:00:00Z");
    let ptx = world.platform().await;
    set_phone_password(&ptx, acme, ana, "acme.ana", "ringtill", "open sesame", now).await.unwrap();
    let stolen = set_phone_password(&ptx, other, AgentId::new(), "acme.ana", "ringtill", "mine now", now).await;
    assert!(matches!(stolen, Err(TenantError::SipUsernameIsTaken(_))));
    let secret = phone_secret(&ptx, "acme.ana").await.unwrap().unwrap();
    assert_eq!((secret.organisation_id, secret.agent_id), (acme, ana));
    // RFC 7616: HA1 = H(user:realm:password); both computed by md5sum and sha256sum.
    assert_eq!(secret.ha1_md5, "1ce60088fe9e7a8344e7a33d09fbbe13");
    assert_eq!(secret.ha1_sha256, "38f4c1590633b76a1d1eafbf794faf4d44275131a0f42d96add3033ab5422a19");
    assert_eq!(phone_secret(&ptx, "acme.ben").await.unwrap(), None);
    assert!(matches!(
        set_phone_password(&ptx, acme, ana, "Ana;drop", "r", "p", now).await,
        Err(TenantError::SipUsernameMustBeSimple(_))
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_windows_that_open_at_once_are_one_seat() {
    let world = Arc::new(World::new().await);
    let acme = world.organisation("acme", OrganisationKind::Tenant).await;
    let ana = agent(&world, acme, "ana").await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let world = world.clone();
        tasks.spawn(async move {
            let tx = world.tx(acme).await;
            let seat = open_seat(&tx, ana, at("2026-03-02T08:00:00Z")).await.unwrap();
            tx.commit().await.unwrap();
            seat
        });
    }
    let mut seats = tasks.join_all().await;
    seats.dedup();
    assert_eq!(seats.len(), 1);
}
