//! Covered calls whose end is known late: closed without their edge, and it comes back.

use crate::covered::tiered;
use crate::edge::{EdgeCall, later, place};
use crate::plans::{sell, sell_components};
use crate::world::{ANNA, FIRM, PLAIN, World, at, dec, eur};
use call_control::deliver_upward;
use db::CustomerId;
use sip_media::{CallControl, CallEventKind, EndCause};

/// A call on the caller's plan whose edge went away at 60 s, and the call was closed there; then it comes back with 180 s, twice.
async fn cut_off_and_told(world: &World, caller: &str) -> EdgeCall {
    let mut call = EdgeCall::arrive(world, caller, 10).await.unwrap();
    call.choose(PLAIN).await.unwrap();
    call.start_meter().await;
    call.talk_to(60).await;
    call.tell(CallEventKind::Heartbeat { metered_ms: 60_000 }).await;
    call.talk_to(180).await;
    deliver_upward(&world.test.db, world.centre, later(2000)).await.unwrap();
    let detail = call_control::call(&world.tx().await, call.call_id()).await.unwrap();
    assert!(detail.call.is_estimated);
    let event = call.ended(EndCause::CallerHungUp, false);
    for _ in 0..2 {
        call.control.record(std::slice::from_ref(&event)).await.unwrap();
    }
    call
}

/// (used, what is beyond it) of the only allowance.
async fn stands(world: &World, customer_id: CustomerId) -> (String, String) {
    let all = ledger::allowances_of(&world.tx().await, customer_id, at(60)).await.unwrap();
    assert_eq!(all.len(), 1);
    (all[0].used.to_string(), all[0].beyond().to_string())
}

/// (amount, reason) of the call's corrections.
async fn corrections(world: &World, call: &EdgeCall) -> Vec<(money::Money, String)> {
    let detail = call_control::call(&world.tx().await, call.call_id()).await.unwrap();
    assert!(!detail.call.is_estimated, "its end is known now");
    detail.corrections.into_iter().map(|correction| (correction.amount, correction.reason)).collect()
}

#[tokio::test]
async fn a_covered_call_closed_without_its_edge_counts_the_rest_when_the_edge_comes_back() {
    let world = World::set().await;
    sell(&world, "support", world.firm, "2").await;
    let call = cut_off_and_told(&world, FIRM).await;
    // 3 minutes in all: 1 when it was closed, 2 when the edge came back; 2 are included, 1 x 0.10 is for the document
    assert_eq!(world.used(world.centre, world.firm, "minutes").await, dec("3"));
    assert_eq!(world.used(world.centre, world.firm, "calls").await, dec("1"));
    assert_eq!(stands(&world, world.firm).await, ("3".into(), "1".into()));
    let reason = "the edge came back: the call lasted 120 s longer than was known".to_owned();
    assert_eq!(corrections(&world, &call).await, [(eur("0.10"), reason)]);
    let tx = world.tx().await;
    let topics = call_control::by_topic(&tx, at(0), later(2001)).await.unwrap();
    let all = call_control::totals_between(&tx, at(0), later(2001)).await.unwrap();
    assert_eq!(topics.iter().map(|topic| topic.totals).collect::<Vec<_>>(), [all], "a topic's sum has the rest, too");
    assert_eq!(topics[0].totals.charge, eur("0.10"));
    drop(tx);
    world.audit(later(2001)).await;
}

#[tokio::test]
async fn the_rest_of_a_prepaid_caller_s_covered_call_is_paid_from_the_wallet() {
    let world = World::set().await;
    sell(&world, "support", world.anna, "2").await;
    let call = cut_off_and_told(&world, ANNA).await;
    // 1 minute was free when the call was closed; of the 2 more, 1 is free and 1 x 0.10 x 1.19 is paid
    assert_eq!(corrections(&world, &call).await.iter().map(|c| c.0).collect::<Vec<_>>(), [eur("0.119")]);
    assert_eq!(world.wallet().await, (eur("19.881"), eur("0")));
    assert_eq!(world.used(world.centre, world.anna, "minutes").await, dec("3"));
    assert_eq!(world.used(world.centre, world.anna, "charge").await, dec("0.119"));
    assert_eq!(stands(&world, world.anna).await, ("3".into(), "1".into()));
    world.audit(later(2001)).await;
}

#[tokio::test]
async fn the_rest_of_a_covered_call_goes_on_in_the_tier_where_the_call_stood() {
    let world = World::set().await;
    sell_components(&world, "tiers", world.anna, vec![tiered()]).await;
    place(&world, ANNA, PLAIN, 660).await;
    cut_off_and_told(&world, ANNA).await;
    // 11 - 2 = 9 minutes x 0.10, the tenth x 0.10 when the call was closed, then 2 x 0.05: (0.90 + 0.10 + 0.10) x 1.19 = 1.309
    assert_eq!(world.wallet().await, (eur("18.691"), eur("0")));
    assert_eq!(world.used(world.centre, world.anna, "charge").await, dec("1.309"));
    world.audit(later(2001)).await;
}

#[tokio::test]
async fn what_an_edge_knew_better_of_a_call_reaches_every_book_above_once() {
    let world = World::set().await;
    world.share().await;
    cut_off_and_told(&world, ANNA).await;
    for _ in 0..2 {
        deliver_upward(&world.test.db, world.centre, later(2100)).await.unwrap();
        world.test.as_owner("UPDATE outbox SET done_at = NULL WHERE topic = 'legs_upward'").await;
    }
    assert_eq!(world.wallet().await, (eur("18.20"), eur("0"))); // 20.00 - 0.60 - 1.20
    // net 0.504202 and 1.008403; 30% of them 0.151261 (0.1512606) and 0.302521 (0.3025209)
    assert_eq!(world.used(world.reseller, world.centre_customer, "share").await, dec("0.453782"));
    // half of those, the odd micro to the reseller: 0.075630 and 0.151260
    assert_eq!(world.used(world.operator, world.reseller_customer, "share").await, dec("0.22689"));
    for (book, customer) in [(world.reseller, world.centre_customer), (world.operator, world.reseller_customer)] {
        assert_eq!(world.used(book, customer, "minutes").await, dec("3"));
        assert_eq!(world.used(book, customer, "calls").await, dec("1"), "no further call");
    }
    world.audit(later(2101)).await;
}
