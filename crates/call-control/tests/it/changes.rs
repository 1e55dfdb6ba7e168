//! What changes while a call runs changes the next one.

use crate::edge::{EdgeCall, later, place};
use crate::world::{ANNA, PLAIN, World, dec, eur, topic};
use call_control::deliver_upward;
use pricing::{Per, Tariff};
use usage_metering::SuspenseCause;

#[tokio::test]
async fn a_tariff_that_changes_during_a_call_is_the_next_calls() {
    let world = World::set().await;
    let mut call = EdgeCall::arrive(&world, ANNA, 10).await.unwrap();
    call.choose(PLAIN).await.unwrap();
    call.start_meter().await;
    call.talk_to(60).await;
    let tx = world.tx().await;
    topic(&tx, world.number, PLAIN, "Support", &Tariff::flat(dec("6.00"), Per::Minute)).await;
    tx.commit().await.unwrap();
    call.talk_to(300).await;
    call.hang_up().await;
    let charge = async |id| call_control::call(&world.tx().await, id).await.unwrap().call.charge;
    assert_eq!(charge(call.call_id()).await, Some(eur("3.00"))); // 5 x 0.60, as when it began
    let next = place(&world, ANNA, PLAIN, 60).await;
    assert_eq!(charge(next.call_id()).await, Some(eur("6.00"))); // 1 x 6.00
    world.audit(later(2000)).await;
}

#[tokio::test]
async fn a_share_in_another_currency_waits_for_a_person_and_is_never_taken_one_to_one() {
    let world = World::set().await;
    world.share().await;
    let dollars = format!("UPDATE customer SET currency = 'USD' WHERE id = '{}'", world.centre_customer.uuid());
    world.test.as_owner(&dollars).await;
    place(&world, ANNA, PLAIN, 60).await;
    deliver_upward(&world.test.db, world.centre, later(2000)).await.unwrap();
    let tx = world.book(world.reseller).await;
    let waiting = usage_metering::open_suspense(&tx, 10).await.unwrap();
    let causes: Vec<SuspenseCause> = waiting.iter().map(|entry| entry.cause).collect();
    assert_eq!(causes, [SuspenseCause::MissingRate]);
    drop(tx);
    assert_eq!(world.used(world.reseller, world.centre_customer, "share").await, dec("0"));
}
