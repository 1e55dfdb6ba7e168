//! Calls that go out on Monday, 2 March 2026: sold by three books and carried by the cheapest that may. The prices are those of
//! `outgoing_world.rs`.

use crate::outgoing_world::*;
use crate::world::{NUMBER, at, dec, eur};
use call_control::{
    FinishedOutgoing, LossGuard, OutgoingFilter, OutgoingRefusal, RecordOutcome, RouteRefusal, Taking, settle_outgoing,
};
use db::CallId;
use sip_media::EndCause;
use std::collections::BTreeMap;
use usage_metering::{CallRecord, DeckKind, Direction};

#[tokio::test]
async fn a_minute_to_a_mobile_is_sold_by_three_books_and_carried_by_the_cheapest() {
    let (world, control) = open().await;
    let call = call(&world, world.anna, MOBILE, 10);
    assert_eq!(admitted(&control, &call).await, Ok("beta".to_owned())); // 0.05 < 0.06
    // A chunk of 60 s is held: 0.238.
    assert_eq!(world.wallet().await, (eur("20.00"), eur("0.238")));
    control.outgoing_answered(&call, at(15)).await.unwrap();
    let grant = control.renew_outgoing(&call, 48_000, at(63)).await.unwrap();
    assert_eq!(grant.authorised_seconds, Some(108)); // 48 + 60
    for _ in 0..2 {
        control.end_outgoing(&call, EndCause::CallerHungUp, 60_000, at(75)).await.unwrap();
        deliver(&world, at(80)).await;
    }
    assert_eq!(world.wallet().await, (eur("19.762"), eur("0"))); // 20.00 - 0.238
    let detail = call_control::call(&world.tx().await, call.call_id).await.unwrap();
    assert_eq!((detail.call.charge, detail.call.net), (Some(eur("0.238")), Some(eur("0.20"))));
    assert_eq!((detail.margin, detail.recount), (Some(eur("0.10")), Some(eur("0.238")))); // 0.20 - 0.10 to the reseller
    assert_eq!(detail.costs[0].detail, "Resale, version 1, prefix 4915");
    assert_eq!(
        operator_and_reseller(&world).await,
        [(world.operator, Some(eur("0.0952")), Some(eur("0.05"))), (world.reseller, Some(eur("0.119")), None)]
    );
    // The operator sold it for 0.08 net and owes beta 0.05.
    assert_eq!(balance(&world, world.operator, "revenue").await, eur("0.08"));
    assert_eq!(balance(&world, world.operator, "carrier_cost").await, eur("-0.05"));
    assert_eq!(balance(&world, world.operator, "carrier_payable").await, eur("0.05"));
    assert_eq!(balance(&world, world.reseller, "revenue").await, eur("0.10"));
    assert_eq!(world.used(world.centre, world.anna, "charge").await, dec("0.238"));
    assert_eq!(world.used(world.reseller, world.centre_customer, "charge").await, dec("0.119"));
    assert_eq!(world.used(world.operator, world.reseller_customer, "minutes").await, dec("1"));
    assert_eq!(call_control::recount(&world.tx().await).await.unwrap(), []);
    world.audit(at(100)).await;
}

#[tokio::test]
async fn a_call_that_came_in_whole_comes_to_the_same_as_one_that_was_live() {
    let (world, _) = open().await;
    let finished = FinishedOutgoing {
        call_id: CallId::new(),
        customer_id: world.anna,
        from: NUMBER.into(),
        called: MOBILE.into(),
        carrier: None,
        agent_id: None,
        started_at: at(10),
        answered_at: Some(at(15)),
        ended_at: at(75),
        metered_ms: 60_000,
    };
    for is_new in [true, false] {
        let settled = settle_outgoing(&world.test.db, world.centre, &finished, at(80)).await.unwrap();
        assert_eq!((settled.is_new, settled.over), (is_new, None));
        deliver(&world, at(90)).await;
    }
    assert_eq!(world.wallet().await, (eur("19.762"), eur("0")));
    assert_eq!(
        operator_and_reseller(&world).await,
        [(world.operator, Some(eur("0.0952")), Some(eur("0.05"))), (world.reseller, Some(eur("0.119")), None)]
    );
    assert_eq!(balance(&world, world.operator, "carrier_payable").await, eur("0.05"));
    world.audit(at(100)).await;
    // What no deck prices is refused with its reason, and nothing is kept.
    let unknown = FinishedOutgoing { call_id: CallId::new(), called: "+33 1 23456789".into(), ..finished.clone() };
    let refused = settle_outgoing(&world.test.db, world.centre, &unknown, at(80)).await.unwrap_err().to_string();
    assert_eq!(refused, "a call to +33 1 23456789 has no price: Retail has no price for 33123456789");
    let foreign = FinishedOutgoing { call_id: CallId::new(), from: "+4930111".into(), ..finished };
    assert!(settle_outgoing(&world.test.db, world.centre, &foreign, at(80)).await.is_err());
}

#[tokio::test]
async fn a_carrier_that_fails_is_followed_by_the_next_and_its_failures_put_it_behind() {
    let (world, control) = open().await;
    let first = call(&world, world.firm, MOBILE, 10);
    assert_eq!(admitted(&control, &first).await, Ok("beta".to_owned()));
    assert_eq!(carrier_of(control.next_route(&first, "503", at(12)).await.unwrap()), Ok("alpha".to_owned()));
    let (refusal, _) = carrier_of(control.next_route(&first, "timeout", at(14)).await.unwrap()).unwrap_err();
    assert_eq!(refusal, OutgoingRefusal::NoRoute);
    let trial =
        call_control::try_route(&world.test.db, world.operator, world.reseller_customer, MOBILE, at(20)).await.unwrap();
    assert_eq!(trial.order, ["beta", "alpha"]);
    // Beta fails nine calls more: 0 of 10 answered, and 40% is the least.
    for n in 0..9 {
        let next = call(&world, world.firm, MOBILE, 30 + n);
        assert_eq!(admitted(&control, &next).await, Ok("beta".to_owned()));
        control.end_outgoing(&next, EndCause::Cancelled, 0, at(31 + n)).await.unwrap();
    }
    let trial =
        call_control::try_route(&world.test.db, world.operator, world.reseller_customer, MOBILE, at(60)).await.unwrap();
    assert_eq!(trial.order, ["alpha"]);
    let refused = &trial.decision.routes.refused[0];
    assert_eq!((refused.code.as_str(), refused.reason), ("beta", RouteRefusal::Quality));
    assert_eq!(refused.detail, "answered 0% of its last calls, less than 40%");
    // A quarter of an hour later nobody remembers.
    let later = call_control::try_route(&world.test.db, world.operator, world.reseller_customer, MOBILE, at(1000))
        .await
        .unwrap();
    assert_eq!(later.order, ["beta", "alpha"]);
}

#[tokio::test]
async fn a_call_that_a_level_would_lose_on_is_refused_or_goes_out_with_a_flag() {
    let (world, control) = open().await;
    // From now on both carriers ask 0.09, and the operator sells for 0.08.
    deck(&world, world.operator, "alpha cost", DeckKind::Cost, "49,0.010\n4915,0.09").await;
    deck(&world, world.operator, "beta cost", DeckKind::Cost, "49,0.012\n4915,0.09").await;
    let lost = call(&world, world.anna, MOBILE, 10);
    let (refusal, detail) = carrier_of(control.admit_outgoing(&lost).await.unwrap()).unwrap_err();
    // The centre would win; that the operator would lose is the operator's affair.
    assert_eq!((refusal, detail.as_str()), (OutgoingRefusal::NoRoute, "seller does not take this call"));
    let above =
        call_control::try_route(&world.test.db, world.operator, world.reseller_customer, MOBILE, at(11)).await.unwrap();
    assert_eq!(above.decision.refusal, Some(OutgoingRefusal::Loss));
    assert_eq!(above.decision.routes.refused[0].detail, "asks 0.09 a minute, sold for 0.08 net");
    assert_eq!(world.wallet().await, (eur("20.00"), eur("0")));
    // The operator lets such calls go.
    let tx = world.book(world.operator).await;
    let sell_deck = call_control::outgoing_policy(&tx).await.unwrap().unwrap().sell_deck;
    drop(tx);
    policy(&world, world.operator, sell_deck, LossGuard::Flag).await;
    let flagged = call(&world, world.anna, MOBILE, 20);
    assert_eq!(admitted(&control, &flagged).await, Ok("alpha".to_owned()));
    control.outgoing_answered(&flagged, at(25)).await.unwrap();
    control.end_outgoing(&flagged, EndCause::CallerHungUp, 60_000, at(85)).await.unwrap();
    deliver(&world, at(90)).await;
    let tx = world.book(world.operator).await;
    let filter = OutgoingFilter { only_flagged: true, limit: 10, ..OutgoingFilter::default() };
    let calls = call_control::outgoing_calls(&tx, &filter).await.unwrap();
    assert_eq!((calls.len(), calls[0].cost), (1, Some(eur("0.09")))); // 0.08 - 0.09: a cent lost
    let alerts = call_control::spend_alerts(&tx, Some(world.reseller_customer), 10).await.unwrap();
    assert_eq!(alerts[0].guard, "loss");
    // what it is bought for is no affair of the reseller, who reads the letters
    assert_eq!(db::claim_outbox(&tx, "mail", 10, at(100)).await.unwrap().len(), 0);
    world.audit(at(100)).await;
}

#[tokio::test]
async fn a_record_of_a_call_out_is_charged_by_the_deck_and_one_without_a_price_waits() {
    let (world, _) = open().await;
    let record = |id: &str, called: &str| CallRecord {
        id: id.into(),
        caller: Some(NUMBER.into()),
        called: called.into(),
        direction: Some(Direction::Outbound),
        account: Some("C-1".into()),
        digit: None,
        agent: None,
        started_at: at(10),
        answered_at: Some(at(15)),
        bridged_at: None,
        tells_bridge: false,
        ended_at: at(75),
        answered_ms: 60_000,
        cause: "NORMAL_CLEARING".into(),
        dimensions: BTreeMap::new(),
    };
    let records = [record("a", "+491512345678"), record("b", "+33123456789")];
    let taking = Taking { source: "switch", digit: None };
    for again in [false, true] {
        let tx = world.tx().await;
        let taken = call_control::take_records(&tx, taking, &records, at(80)).await.unwrap();
        tx.commit().await.unwrap();
        match (&taken[..], again) {
            ([RecordOutcome::Accepted { charge, is_covered: false }, RecordOutcome::Suspended(cause, why)], false) => {
                assert_eq!((*charge, *cause), (Some(eur("0.238")), usage_metering::SuspenseCause::MissingRate));
                assert!(why.ends_with("Retail has no price for 33123456789"), "{why}");
            }
            ([RecordOutcome::Duplicate, RecordOutcome::Duplicate], true) => {}
            other => panic!("{other:?}"),
        }
        deliver(&world, at(90)).await;
    }
    // Anna has paid, the reseller and the operator have sold, and beta is owed its 0.05.
    assert_eq!(world.wallet().await, (eur("19.762"), eur("0")));
    assert_eq!(
        operator_and_reseller(&world).await,
        [(world.operator, Some(eur("0.0952")), Some(eur("0.05"))), (world.reseller, Some(eur("0.119")), None)]
    );
    world.audit(at(100)).await;
}

#[tokio::test]
async fn to_whom_a_call_was_given_is_forgotten_after_thirteen_months() {
    let (world, control) = open().await;
    let call = call(&world, world.firm, MOBILE, 10);
    assert_eq!(admitted(&control, &call).await, Ok("beta".to_owned()));
    let forget = async |months: u32, seconds: i64| {
        let tx = world.book(world.operator).await;
        let when = at(10 + seconds) + chrono::Months::new(months);
        let forgotten = call_control::forget_old_attempts(&tx, when).await.unwrap();
        tx.commit().await.unwrap();
        forgotten
    };
    assert_eq!((forget(13, 0).await, forget(13, 1).await, forget(13, 1).await), (0, 1, 0));
}
