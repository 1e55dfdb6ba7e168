use crate::edge::{EdgeCall, later};
use crate::world::{ANNA, PLAIN, STEPS, World, at, eur};
use call_control::CallFilter;
use db::PlatformReason;
use sip_media::{Admission, CallControl, RefusalReason, Service};

#[tokio::test]
async fn a_number_that_nobody_has_is_refused_and_leaves_nothing() {
    let world = World::set().await;
    let refused = EdgeCall::arrive_at(&world, "+4930999999", ANNA, 10).await.err();
    assert_eq!(refused, Some(RefusalReason::UnknownNumber));
    let page = call_control::calls(&world.tx().await, &CallFilter::between(at(0), at(99))).await.unwrap();
    assert!(page.calls.is_empty());
}

#[tokio::test]
async fn an_unknown_caller_is_asked_for_account_and_pin() {
    let world = World::set().await;
    let tx = world.tx().await;
    subscription::set_pin(&tx, world.anna, "4711", "1234", at(0)).await.unwrap();
    tx.commit().await.unwrap();
    let mut call = EdgeCall::arrive(&world, "+4915550000", 10).await.unwrap();
    assert_eq!(call.choose(PLAIN).await, Err(RefusalReason::UnknownCaller));
    let wrong = call.control.identify(call.id, "4711", "9999", at(11)).await.unwrap();
    assert!(matches!(wrong, Admission::Refuse { reason: RefusalReason::WrongPin, .. }));
    let right = call.control.identify(call.id, "4711", "1234", at(12)).await.unwrap();
    assert!(matches!(right, Admission::Menu { .. }));
    assert!(call.choose(PLAIN).await.is_ok());
}

#[tokio::test]
async fn a_suspended_seller_above_stops_the_call_at_the_door() {
    let world = World::set().await;
    let ptx = world.test.db.platform(PlatformReason::Provision).await.unwrap();
    tenant::suspend_organisation(&ptx, world.reseller, at(5)).await.unwrap();
    ptx.commit().await.unwrap();
    assert_eq!(EdgeCall::arrive(&world, ANNA, 10).await.err(), Some(RefusalReason::Suspended));
    world.audit(later(100)).await;
}

#[tokio::test]
async fn too_little_money_for_the_first_increment_is_no_credit_and_holds_nothing() {
    let world = World::set().await;
    let tx = world.tx().await;
    // 20.00 - 15.00 = 5.00: the connection, and nothing for the first 6 seconds
    let call = db::CallId::new();
    let spend = ledger::Settle {
        call_id: call,
        leg: ledger::Leg::Caller,
        customer_id: world.anna,
        charge: eur("15.00"),
        kind: "call",
        memo: String::new(),
        effective_at: at(0),
    };
    ledger::settle(&tx, &spend, at(0)).await.unwrap();
    tx.commit().await.unwrap();
    let mut call = EdgeCall::arrive(&world, ANNA, 10).await.unwrap();
    assert_eq!(call.choose(STEPS).await, Err(RefusalReason::NoCredit));
    assert_eq!(world.wallet().await, (eur("5.00"), eur("0")));
    // another topic is cheaper
    assert!(call.choose(PLAIN).await.is_ok());
    call.hang_up().await;
    assert_eq!(world.wallet().await, (eur("5.00"), eur("0")));
    assert_eq!(call.choose(PLAIN).await, Err(RefusalReason::Unavailable)); // it has ended
    world.audit(later(100)).await;
}

#[tokio::test]
async fn an_unknown_digit_is_an_unknown_topic() {
    let world = World::set().await;
    let mut call = EdgeCall::arrive(&world, ANNA, 10).await.unwrap();
    assert_eq!(call.choose(9).await, Err(RefusalReason::UnknownTopic));
    assert!(call.choose(PLAIN).await.is_ok());
    // asked again, as after a lost answer: the same grant, held once
    let again = call.choose(PLAIN).await.unwrap();
    assert_eq!(again.authorised_seconds, Some(60));
    assert_eq!(world.wallet().await.1, eur("0.60"));
    assert!(matches!(call.service, Some(Service::Music))); // nobody is on a seat
}
