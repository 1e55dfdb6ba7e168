use crate::edge::{EdgeCall, later, place};
use crate::world::{ANNA, HOURLY, PLAIN, STEPS, World, at, dec, eur};
use call_control::{CallFilter, CallState};
use sip_media::{CallControl, CallEventKind, EndCause, NotTaken};
use tenant::{AgentState, NewMember, Role};

#[tokio::test]
async fn everything_told_twice_changes_nothing() {
    let world = World::set().await;
    let call = place(&world, ANNA, STEPS, 100).await;
    let before = (world.wallet().await, world.used(world.centre, world.anna, "charge").await);
    call.tell_again().await;
    for event in &call.told {
        call.control.record(std::slice::from_ref(event)).await.unwrap();
    }
    assert_eq!((world.wallet().await, world.used(world.centre, world.anna, "charge").await), before);
    // 100 s = 17 increments = 102 s: 5.00 + 1.7 x 0.50 = 5.85
    assert_eq!(before, ((eur("14.15"), eur("0")), dec("5.85")));
    let detail = call_control::call(&world.tx().await, call.call_id()).await.unwrap();
    assert_eq!(detail.events.len(), call.told.len());
    world.audit(at(1000)).await;
}

#[tokio::test]
async fn the_same_event_with_another_content_is_a_conflict_and_waits_for_a_person() {
    let world = World::set().await;
    let mut call = place(&world, ANNA, PLAIN, 100).await;
    let mut forged = call.told.last().unwrap().clone();
    forged.kind = CallEventKind::CallEnded {
        cause: EndCause::CallerHungUp,
        sip_status: None,
        metered_ms: 1_000,
        estimated: false,
        rtp_received: 0,
        rtp_sent: 0,
    };
    call.control.record(&[forged]).await.unwrap();
    assert_eq!(world.wallet().await.0, eur("19.00")); // 20.00 - 100 x 0.01, as first told
    let waiting = usage_metering::open_suspense(&world.tx().await, 10).await.unwrap();
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].cause, usage_metering::SuspenseCause::Conflict);
    call.metered = 100;
}

#[tokio::test]
async fn a_whole_call_told_at_once_from_the_spool_comes_to_the_same() {
    let world = World::set().await;
    let mut call = EdgeCall::arrive(&world, ANNA, 10).await.unwrap();
    call.choose(PLAIN).await.unwrap();
    let mut spool = vec![call.event(CallEventKind::MeterStarted)];
    call.now += 30;
    call.metered = 30;
    spool.push(call.event(CallEventKind::Heartbeat { metered_ms: 30_000 }));
    call.now += 15;
    call.metered = 45;
    spool.push(call.ended(EndCause::AgentHungUp, false));
    call.control.record(&spool).await.unwrap();
    assert_eq!(world.wallet().await, (eur("19.55"), eur("0"))); // 20.00 - 45 x 0.01
}

#[tokio::test]
async fn a_call_whose_edge_died_is_charged_to_its_last_sign_of_life_and_says_so() {
    let world = World::set().await;
    let mut call = EdgeCall::arrive(&world, ANNA, 10).await.unwrap();
    call.choose(HOURLY).await.unwrap();
    call.start_meter().await;
    call.talk_to(40).await;
    call.tell(CallEventKind::Heartbeat { metered_ms: 40_000 }).await;
    // restarted, the edge closes what it finds open in its spool
    let event = call.ended(EndCause::EdgeFailure, true);
    call.control.record(&[event]).await.unwrap();
    let detail = call_control::call(&world.tx().await, call.call_id()).await.unwrap();
    assert!(detail.call.is_estimated);
    // 40 x 50 / 3600 = 0.5555..
    assert_eq!(detail.call.charge, Some(eur("0.555556")));
    assert_eq!(world.wallet().await, (eur("19.444444"), eur("0")));
    // it comes back with the true length: the difference to 54 s, once (54 x 50 / 3600 = 0.75; 0.75 - 0.555556 = 0.194444)
    call.metered = 54;
    let event = call.ended(EndCause::CallerHungUp, false);
    for _ in 0..2 {
        call.control.record(std::slice::from_ref(&event)).await.unwrap();
    }
    let detail = call_control::call(&world.tx().await, call.call_id()).await.unwrap();
    assert_eq!(detail.corrections.iter().map(|c| c.amount).collect::<Vec<_>>(), [eur("0.194444")]);
    assert_eq!(world.wallet().await.0, eur("19.25")); // 20.00 - 0.75
    assert_eq!(world.used(world.centre, world.anna, "charge").await, dec("0.75"));
    world.audit(later(500)).await;
}

#[tokio::test]
async fn a_call_whose_edge_never_comes_back_is_closed_at_its_last_heartbeat() {
    let world = World::set().await;
    let mut call = EdgeCall::arrive(&world, ANNA, 10).await.unwrap();
    call.choose(PLAIN).await.unwrap();
    call.start_meter().await;
    call.now += 30;
    call.tell(CallEventKind::Heartbeat { metered_ms: 30_000 }).await;
    call_control::deliver_upward(&world.test.db, world.centre, later(600)).await.unwrap();
    assert_eq!(call_control::live_calls(&world.tx().await, later(600)).await.unwrap().len(), 1);
    for _ in 0..2 {
        call_control::deliver_upward(&world.test.db, world.centre, later(2000)).await.unwrap();
    }
    let detail = call_control::call(&world.tx().await, call.call_id()).await.unwrap();
    assert!(detail.call.is_estimated);
    assert_eq!(detail.call.end_cause.as_deref(), Some("edge_failure"));
    assert_eq!(world.wallet().await, (eur("19.70"), eur("0"))); // 20.00 - 30 x 0.01
    world.audit(later(2001)).await;
}

#[tokio::test]
async fn an_agent_is_rung_talks_and_may_be_rung_again() {
    let world = World::set().await;
    let ptx = world.test.db.platform(db::PlatformReason::Provision).await.unwrap();
    let person =
        tenant::create_person(&ptx, "mia@centre.example", "Mia", "correct horse battery staple", at(0)).await.unwrap();
    ptx.commit().await.unwrap();
    let tx = world.tx().await;
    let member = NewMember {
        person_id: person,
        name: "Mia".into(),
        email: "mia@centre.example".into(),
        role: Role::Agent,
        customer_id: None,
    };
    let member = tenant::add_member(&tx, member, at(0)).await.unwrap();
    let mia = tenant::add_agent(&tx, member, "Mia", "mia", at(0)).await.unwrap();
    tenant::open_seat(&tx, mia, at(0)).await.unwrap();
    tenant::set_agent_state(&tx, mia, AgentState::Ready, None, at(1)).await.unwrap();
    tx.commit().await.unwrap();
    let state = || async { tenant::agent_states(&world.tx().await).await.unwrap()[0].state };
    // Ready, but no phone is signed in: nobody can be rung, and the caller does not wait for it.
    let mut unheard = EdgeCall::arrive(&world, ANNA, 5).await.unwrap();
    unheard.choose(PLAIN).await.unwrap();
    assert!(matches!(unheard.service, Some(sip_media::Service::Music)));
    unheard.hang_up().await;
    let mut call = EdgeCall::arrive(&world, ANNA, 10).await.unwrap();
    call.phones = vec!["another.centre".into(), "mia".into()];
    call.choose(PLAIN).await.unwrap();
    assert!(matches!(&call.service, Some(sip_media::Service::Agents { usernames }) if *usernames == ["mia"]));
    call.tell(CallEventKind::AgentRinging { username: "mia".into() }).await;
    call.tell(CallEventKind::AgentJoined { username: "mia".into() }).await;
    assert_eq!(state().await, AgentState::Talking);
    call.start_meter().await;
    call.talk_to(30).await;
    call.hang_up().await;
    assert_eq!(state().await, AgentState::Ready);
    let page =
        call_control::calls(&world.tx().await, &CallFilter { agent: Some(mia), ..CallFilter::between(at(0), at(99)) })
            .await
            .unwrap();
    assert_eq!(page.calls.len(), 1);
    assert_eq!(page.calls[0].handled_by.as_deref(), Some("core"));
    assert_eq!(page.calls[0].state, CallState::Ended);
}

#[tokio::test]
async fn lists_are_paged_and_their_totals_are_of_everything_found() {
    let world = World::set().await;
    for seconds in [10, 20, 30] {
        place(&world, ANNA, PLAIN, seconds).await;
    }
    let tx = world.tx().await;
    let mut filter = CallFilter { limit: 2, ..CallFilter::between(at(0), at(99)) };
    let first = call_control::calls(&tx, &filter).await.unwrap();
    assert_eq!((first.calls.len(), first.totals.calls, first.totals.metered_seconds), (2, 3, 60));
    assert_eq!(first.totals.charge, eur("0.60")); // (10 + 20 + 30) x 0.01
    filter.after = first.next;
    let second = call_control::calls(&tx, &filter).await.unwrap();
    assert_eq!((second.calls.len(), second.next), (1, None));
    let topics = call_control::by_topic(&tx, at(0), at(99)).await.unwrap();
    assert_eq!((topics[0].name.as_str(), topics[0].totals.charge), ("Support", eur("0.60")));
    let line = call_control::Line::TariffCalls { topic_id: world.topics[2] };
    assert_eq!(call_control::calls_of_line(&tx, world.anna, &line, at(0), at(99), 10).await.unwrap().calls.len(), 3);
}

#[tokio::test]
async fn what_the_database_can_never_store_is_refused_for_good_and_what_it_lacks_may_come() {
    let world = World::set().await;
    let mut call = EdgeCall::arrive(&world, ANNA, 10).await.unwrap();
    // PostgreSQL stores no U+0000.
    let nul = call.event(CallEventKind::CallAnswered { codec: "PCMU\0".into() });
    let refused = call.control.record(&[nul]).await;
    assert!(matches!(refused, Err(NotTaken::Refused(_))), "{refused:?}");
    // A right that is missing, as after half an upgrade, is given back; the events wait for it.
    let answered = call.event(CallEventKind::CallAnswered { codec: "PCMU".into() });
    world.test.as_owner("REVOKE INSERT ON call_event FROM ringtill_tenant").await;
    let waits = call.control.record(std::slice::from_ref(&answered)).await;
    assert!(matches!(waits, Err(NotTaken::Away(_))), "{waits:?}");
    world.test.as_owner("GRANT INSERT ON call_event TO ringtill_tenant").await;
    call.control.record(&[answered]).await.unwrap();
}
