use crate::edge::{later, place};
use crate::world::{ANNA, FIRM, NUMBER, PLAIN, STEPS, World, at, dec, eur};
use call_control::{CallFilter, FinishedCall, HandledBy, deliver_upward, settle_finished};
use db::{CallId, CustomerId};
use sip_media::EndCause;

pub fn finished(customer_id: CustomerId, caller: &str, digit: u8, seconds: i64) -> FinishedCall {
    FinishedCall {
        call_id: CallId::new(),
        called: NUMBER.into(),
        caller: Some(caller.into()),
        customer_id,
        digit,
        agent_id: None,
        handled_by: HandledBy::Music,
        started_at: at(10),
        answered_at: Some(at(10)),
        meter_started_at: (seconds > 0).then(|| at(10)),
        ended_at: at(10 + seconds),
        metered_ms: seconds.unsigned_abs() * 1000,
        end_cause: EndCause::CallerHungUp,
        language: None,
        region: None,
    }
}

#[tokio::test]
async fn finished_calls_come_to_what_the_same_calls_cost_live() {
    let live = World::set().await;
    live.share().await;
    place(&live, ANNA, STEPS, 1569).await;
    place(&live, FIRM, PLAIN, 61).await;
    deliver_upward(&live.test.db, live.centre, later(5000)).await.unwrap();
    let world = World::set().await;
    world.share().await;
    let calls = [
        finished(world.anna, ANNA, STEPS, 1569),
        finished(world.firm, FIRM, PLAIN, 61),
        finished(world.anna, ANNA, PLAIN, 0),
    ];
    for expected in [3, 0] {
        let tx = world.tx().await;
        assert_eq!(settle_finished(&tx, &calls, later(5000)).await.unwrap(), expected);
        tx.commit().await.unwrap();
    }
    deliver_upward(&world.test.db, world.centre, later(5000)).await.unwrap();
    assert_eq!(world.wallet().await, live.wallet().await);
    assert_eq!(world.wallet().await.0, eur("3.45")); // 20.00 - 16.55
    for (at_world, at_live) in [(world.anna, live.anna), (world.firm, live.firm)] {
        for meter in ["calls", "minutes", "charge"] {
            assert_eq!(
                world.used(world.centre, at_world, meter).await,
                live.used(live.centre, at_live, meter).await,
                "{meter}"
            );
        }
    }
    for meter in ["calls", "minutes", "share"] {
        let (one, other) = (
            world.used(world.reseller, world.centre_customer, meter).await,
            live.used(live.reseller, live.centre_customer, meter).await,
        );
        assert_eq!(one, other, "{meter}");
        assert!(one > dec("0"));
    }
    let page = call_control::calls(&world.tx().await, &CallFilter::between(at(0), at(99))).await.unwrap();
    assert_eq!((page.totals.calls, page.totals.metered_calls), (3, 2));
    world.audit(later(5001)).await;
}

#[tokio::test]
async fn a_finished_call_that_the_wallet_cannot_pay_is_bad_debt_and_says_so() {
    let world = World::set().await;
    let call = finished(world.anna, ANNA, PLAIN, 2500); // 25.00 of 20.00
    let tx = world.tx().await;
    settle_finished(&tx, std::slice::from_ref(&call), later(5000)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(world.wallet().await, (eur("0"), eur("0")));
    let detail = call_control::call(&world.tx().await, call.call_id).await.unwrap();
    assert_eq!(detail.explanation.unwrap().unpaid, Some(dec("5.00")));
    world.audit(later(5001)).await;
}
