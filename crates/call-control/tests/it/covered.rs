//! Covered calls that come whole: the same money as of calls that were live all along.

use crate::edge::{later, place};
use crate::finished::finished;
use crate::plans::{minutes, sell, sell_components};
use crate::world::{ANNA, PLAIN, World, dec, eur};
use call_control::settle_finished;
use money::Decimal;
use pricing::{Model, Price, Tier};
use subscription::Component;

/// 0.10 for each of the first ten minutes beyond two included ones, 0.05 for each more.
pub fn tiered() -> Component {
    let tier = |up_to: Option<&str>, unit: &str| Tier { up_to: up_to.map(dec), unit: dec(unit), flat: Decimal::ZERO };
    let tiers = vec![tier(Some("10"), "0.10"), tier(None, "0.05")];
    Component { price: Price { model: Model::Graduated { tiers }, ..Price::per_unit(dec("0")) }, ..minutes("2") }
}

#[tokio::test]
async fn a_finished_call_beyond_a_prepaid_caller_s_plan_is_paid_from_the_wallet() {
    let world = World::set().await;
    sell(&world, "support", world.anna, "2").await;
    let call = finished(world.anna, ANNA, PLAIN, 720);
    for _ in 0..2 {
        let tx = world.tx().await;
        settle_finished(&tx, std::slice::from_ref(&call), later(5000)).await.unwrap();
        tx.commit().await.unwrap();
    }
    // 12 minutes, 2 of them included: 10 x 0.10 = 1.00, and 19% on it
    let detail = call_control::call(&world.tx().await, call.call_id).await.unwrap();
    assert_eq!(detail.call.charge, Some(eur("1.19")));
    assert_eq!(world.used(world.centre, world.anna, "charge").await, dec("1.19"));
    assert_eq!(world.wallet().await, (eur("18.81"), eur("0")));
    world.audit(later(5001)).await;
}

#[tokio::test]
async fn a_finished_call_that_an_empty_wallet_cannot_pay_beyond_the_plan_says_so() {
    let world = World::set().await;
    sell(&world, "support", world.anna, "2").await;
    // 10,202 minutes, 2 of them included: 10,200 x 0.10 x 1.19 = 1,213.80 of 20.00
    let call = finished(world.anna, ANNA, PLAIN, 10_202 * 60);
    let tx = world.tx().await;
    settle_finished(&tx, std::slice::from_ref(&call), later(700_000)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(world.wallet().await, (eur("0"), eur("0")));
    let detail = call_control::call(&world.tx().await, call.call_id).await.unwrap();
    assert_eq!(detail.explanation.unwrap().unpaid, Some(dec("1193.80")));
    world.audit(later(700_001)).await;
}

#[tokio::test]
async fn finished_calls_climb_the_tiers_of_a_prepaid_caller_s_plan_as_live_ones_do() {
    let lengths = [420, 600];
    let live = World::set().await;
    sell_components(&live, "tiers", live.anna, vec![tiered()]).await;
    for seconds in lengths {
        place(&live, ANNA, PLAIN, seconds).await;
    }
    let world = World::set().await;
    sell_components(&world, "tiers", world.anna, vec![tiered()]).await;
    let calls = lengths.map(|seconds| finished(world.anna, ANNA, PLAIN, i64::from(seconds)));
    let tx = world.tx().await;
    settle_finished(&tx, &calls, later(5000)).await.unwrap();
    tx.commit().await.unwrap();
    let mut charges = Vec::new();
    for call in &calls {
        charges.push(call_control::call(&world.tx().await, call.call_id).await.unwrap().call.charge);
    }
    // 7 minutes less 2: 5 x 0.10 x 1.19; then 10 minutes after those 5: (5 x 0.10 + 5 x 0.05) x 1.19
    assert_eq!(charges, [Some(eur("0.595")), Some(eur("0.8925"))]);
    assert_eq!(world.wallet().await, (eur("18.5125"), eur("0"))); // 20.00 - 0.595 - 0.8925
    assert_eq!(world.wallet().await, live.wallet().await);
    world.audit(later(5001)).await;
}
