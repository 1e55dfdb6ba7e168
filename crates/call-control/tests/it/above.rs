//! What the prepaid books above hold for a call stays held as long as the call runs.

use crate::edge::{EdgeCall, later};
use crate::upward::{prepay, purse};
use crate::world::{ANNA, World, dec, eur, topic};
use call_control::deliver_upward;
use chrono::TimeDelta;
use pricing::{Per, Tariff};
use sip_media::CallEventKind;

/// Expires what is due in the reseller's book.
async fn expire(world: &World, call: &EdgeCall) {
    let tx = world.book(world.reseller).await;
    ledger::expire_leases(&tx, call.time() + TimeDelta::seconds(5)).await.unwrap();
    tx.commit().await.unwrap();
}

async fn offer(world: &World, digit: u8, tariff: &Tariff) {
    let tx = world.tx().await;
    topic(&tx, world.number, digit, "By the call", tariff).await;
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_seller_s_share_stays_held_while_a_call_talks_that_costs_no_more() {
    let world = World::set().await;
    let centre = prepay(&world, "2.00").await;
    // 5.00 a call, however long it is
    let by_call = Tariff { connection: dec("5.00"), ..Tariff::flat(dec("0"), Per::Minute) };
    // 1.20 a minute, and 2.00 at most
    let capped = Tariff { maximum: Some(dec("2.00")), ..Tariff::flat(dec("1.20"), Per::Minute) };
    offer(&world, 4, &by_call).await;
    offer(&world, 5, &capped).await;
    // (digit, share held): 30% of 5.00 / 1.19 = 1.260504 (4.2016807 x 0.3), and of 2.00 / 1.19 = 0.504202 (1.6806723 x 0.3)
    for (digit, share) in [(4, "1.260504"), (5, "0.504202")] {
        let before = purse(&world, centre).await.0;
        let mut call = EdgeCall::arrive(&world, ANNA, 10).await.unwrap();
        call.choose(digit).await.unwrap();
        call.start_meter().await;
        for second in (60..=900).step_by(60) {
            assert!(call.talk_to(second).await);
            call.tell(CallEventKind::Heartbeat { metered_ms: u64::from(second) * 1000 }).await;
            if second >= 120 {
                expire(&world, &call).await;
                assert_eq!(purse(&world, centre).await, (before, eur(share)), "digit {digit} after {second} s");
            }
        }
        call.hang_up().await;
        deliver_upward(&world.test.db, world.centre, later(2000)).await.unwrap();
        assert_eq!(purse(&world, centre).await, (before.checked_sub(eur(share)).unwrap(), eur("0")));
    }
    world.audit(later(2001)).await;
}

#[tokio::test]
async fn a_seller_s_share_stays_held_while_the_caller_waits_for_an_agent() {
    let world = World::set().await;
    let centre = prepay(&world, "1.00").await;
    let mut call = EdgeCall::arrive(&world, ANNA, 10).await.unwrap();
    call.choose(crate::world::PLAIN).await.unwrap();
    // half an hour in the queue
    call.now += 1800;
    expire(&world, &call).await;
    assert_eq!(purse(&world, centre).await, (eur("1.00"), eur("0.151261"))); // 0.60 / 1.19 x 30%
    // the caller gives up: nothing is owed, nothing stays held
    call.hang_up().await;
    deliver_upward(&world.test.db, world.centre, later(2000)).await.unwrap();
    assert_eq!(purse(&world, centre).await, (eur("1.00"), eur("0")));
    world.audit(later(2001)).await;
}
