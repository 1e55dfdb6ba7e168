//! What calls out come to in the books above: together, once, by the owner of their time, and corrected where they were. The prices
//! are those of `outgoing_world.rs`: a minute to a mobile is 0.238, 0.119 and 0.0952, and beta asks 0.05.

use crate::outgoing_world::*;
use crate::plans::{minutes, sell_components};
use crate::world::{NUMBER, World, at, dec, eur};
use call_control::{
    FinishedOutgoing, OutgoingAdmission, OutgoingFilter, OutgoingRefusal, RecordOutcome, Taking, outgoing_calls,
    outgoing_of, reverse_call, settle_outgoing,
};
use chrono::NaiveDate;
use db::{CallId, CustomerId, TenantId};
use money::{Currency, Money};
use pricing::Price;
use sip_media::EndCause;
use std::collections::BTreeMap;
use subscription::{Component, NewCustomer};
use usage_metering::{CallRecord, Direction};

/// A minute to a mobile, told when it is over.
fn finished(customer_id: CustomerId, called: &str, seconds: i64) -> FinishedOutgoing {
    FinishedOutgoing {
        call_id: CallId::new(),
        customer_id,
        from: NUMBER.into(),
        called: called.into(),
        carrier: None,
        agent_id: None,
        started_at: at(seconds),
        answered_at: Some(at(seconds)),
        ended_at: at(seconds + 60),
        metered_ms: 60_000,
    }
}

async fn settle(world: &World, call: &FinishedOutgoing) {
    let settled = settle_outgoing(&world.test.db, world.centre, call, at(20_000)).await.unwrap();
    assert!(settled.is_new);
}

/// How many ledger transactions a book has, and how many batches of sums.
async fn rows(world: &World, book: TenantId) -> (i64, i64) {
    let tx = world.book(book).await;
    let transactions: Option<i64> = tx.value("SELECT count(*) AS v FROM ledger_transaction", []).await.unwrap();
    let batches: Option<i64> = tx.value("SELECT count(DISTINCT batch_id) AS v FROM usage_sum", []).await.unwrap();
    (transactions.unwrap(), batches.unwrap())
}

/// Makes `child` a customer of `parent` from an instant on: prepaid with so much, or postpaid.
async fn move_to(world: &World, child: TenantId, parent: TenantId, prepaid: Option<&str>, seconds: i64) -> CustomerId {
    let day = NaiveDate::from_ymd_opt(2026, 1, 1).unwrap();
    let tx = world.book(parent).await;
    let new = match prepaid {
        Some(_) => NewCustomer::prepaid("T-9", "Child, moved", Currency::EUR, "Europe/Berlin", "DE", day),
        None => NewCustomer::postpaid("T-9", "Child, moved", Currency::EUR, "Europe/Berlin", "DE", day),
    };
    let customer_id = subscription::create_customer(&tx, &new, at(0)).await.unwrap();
    if let Some(amount) = prepaid {
        ledger::top_up(&tx, customer_id, eur(amount), "first", "", at(0), at(0)).await.unwrap();
    }
    tx.commit().await.unwrap();
    let ptx = world.test.db.platform(db::PlatformReason::Provision).await.unwrap();
    tenant::set_parent(&ptx, child, parent, customer_id, at(seconds)).await.unwrap();
    ptx.commit().await.unwrap();
    customer_id
}

#[tokio::test]
async fn fifty_calls_out_are_one_posting_and_one_batch_of_sums_in_every_book_above() {
    let (world, _) = open().await;
    for n in 0..50 {
        settle(&world, &finished(world.firm, MOBILE, 10 + n)).await;
    }
    deliver(&world, at(20_000)).await;
    // a worker died after the books above had committed: the messages are due again
    world.test.as_owner("UPDATE outbox SET done_at = NULL WHERE topic = 'legs_upward'").await;
    deliver(&world, at(20_001)).await;
    for book in [world.reseller, world.operator] {
        assert_eq!(rows(&world, book).await, (1, 1));
    }
    // 50 x 0.10 and 50 x 0.08 net; beta is owed 50 x 0.05
    assert_eq!(balance(&world, world.reseller, "revenue").await, eur("5.00"));
    assert_eq!(balance(&world, world.operator, "revenue").await, eur("4.00"));
    assert_eq!(balance(&world, world.operator, "carrier_payable").await, eur("2.50"));
    assert_eq!(world.used(world.operator, world.reseller_customer, "calls").await, dec("50"));
    assert_eq!(world.used(world.reseller, world.centre_customer, "charge").await, dec("5.95")); // 50 x 0.119
    let tx = world.book(world.operator).await;
    let legs: Option<i64> = tx
        .value("SELECT count(*) AS v FROM call_leg WHERE book_id = $1 AND tenant_id <> $1", [world.operator.into()])
        .await
        .unwrap();
    assert_eq!(legs, Some(100), "a leg sold and a leg bought for each call, beside the call");
    drop(tx);
    world.audit(at(20_002)).await;
}

#[tokio::test]
async fn a_prepaid_reseller_pays_for_its_calls_together_and_the_last_ones_are_bad_debt() {
    let (world, _) = open().await;
    let reseller = move_to(&world, world.reseller, world.operator, Some("1.00"), 5).await;
    for n in 0..11 {
        settle(&world, &finished(world.firm, MOBILE, 10 + n)).await;
    }
    deliver(&world, at(20_000)).await;
    // 11 x 0.0952 = 1.0472: the tenth leaves 0.048, of the eleventh 0.0472 are unpaid
    let wallet = ledger::wallet_of(&world.book(world.operator).await, reseller).await.unwrap().unwrap();
    assert_eq!((wallet.balance, wallet.reserved), (eur("0"), eur("0")));
    assert_eq!(balance(&world, world.operator, "bad_debt").await, eur("-0.0472"));
    assert_eq!(balance(&world, world.operator, "unbilled").await, eur("1.0472"));
    assert_eq!(rows(&world, world.operator).await.0, 2, "the top-up, and the calls");
    let tx = world.book(world.operator).await;
    let unpaid: Option<i64> = tx.value("SELECT sum(unpaid_micros)::bigint AS v FROM call_leg", []).await.unwrap();
    assert_eq!(unpaid, Some(47_200));
    drop(tx);
    world.audit(at(20_001)).await;
}

#[tokio::test]
async fn a_prepaid_reseller_s_wallet_holds_its_leg_while_a_call_is_out_and_ends_it() {
    let (world, control) = open().await;
    let reseller = move_to(&world, world.reseller, world.operator, Some("0.15"), 5).await;
    let purse = async || {
        let wallet = ledger::wallet_of(&world.book(world.operator).await, reseller).await.unwrap().unwrap();
        (wallet.balance, wallet.reserved)
    };
    // the firm pays later, and so does the centre
    let call = call(&world, world.firm, MOBILE, 10);
    let OutgoingAdmission::Out { grant, .. } = control.admit_outgoing(&call).await.unwrap() else { panic!("0.15") };
    assert_eq!((grant.authorised_seconds, grant.is_final), (Some(60), false));
    assert_eq!(purse().await, (eur("0.15"), eur("0.0952")));
    control.outgoing_answered(&call, at(10)).await.unwrap();
    let grant = control.renew_outgoing(&call, 48_000, at(58)).await.unwrap();
    assert_eq!((grant.authorised_seconds, grant.is_final), (Some(94), true)); // 94 x 0.0952 / 60 = 0.149147 of 0.15
    control.end_outgoing(&call, EndCause::BalanceExhausted, 94_000, at(104)).await.unwrap();
    deliver(&world, at(200)).await;
    assert_eq!(purse().await, (eur("0.000853"), eur("0"))); // 0.15 - 0.149147
    assert_eq!(balance(&world, world.operator, "bad_debt").await, eur("0"));
    world.audit(at(201)).await;
}

/// 10.00 net a minute, from the wallet: 20.00 last for 20.00 / 11.90 x 60 = 100 s.
#[tokio::test]
async fn a_covered_call_out_ends_where_the_wallet_of_its_caller_does() {
    let (world, control) = open().await;
    let dear = Component { price: Price::per_unit(dec("10")), ..minutes("0") };
    sell_components(&world, "dear", world.anna, vec![dear]).await;
    let call = call(&world, world.anna, MOBILE, 10);
    let OutgoingAdmission::Out { grant, .. } = control.admit_outgoing(&call).await.unwrap() else { panic!("20.00") };
    assert_eq!(grant.authorised_seconds, Some(60));
    control.outgoing_answered(&call, at(10)).await.unwrap();
    let grant = control.renew_outgoing(&call, 48_000, at(58)).await.unwrap();
    assert_eq!((grant.authorised_seconds, grant.is_final), (Some(100), true));
    assert_eq!(control.renew_outgoing(&call, 99_000, at(109)).await.unwrap().authorised_seconds, Some(100));
    control.end_outgoing(&call, EndCause::BalanceExhausted, 100_000, at(110)).await.unwrap();
    assert_eq!(world.wallet().await, (eur("0.166663"), eur("0"))); // 20.00 - 1.666667 min x 11.90 = 19.833337
    world.audit(at(201)).await;
}

#[tokio::test]
async fn calls_out_over_a_move_of_the_centre_go_to_the_books_above_of_their_time() {
    let (world, _) = open().await;
    let direct = move_to(&world, world.centre, world.operator, None, 3600).await;
    // both are told late, when the centre has moved; they travel in one batch
    settle(&world, &finished(world.firm, MOBILE, 10)).await;
    settle(&world, &finished(world.firm, MOBILE, 4000)).await;
    deliver(&world, at(20_000)).await;
    assert_eq!(world.used(world.reseller, world.centre_customer, "calls").await, dec("1"));
    assert_eq!(world.used(world.operator, world.reseller_customer, "calls").await, dec("1"));
    assert_eq!(world.used(world.operator, direct, "calls").await, dec("1"));
    assert_eq!(balance(&world, world.operator, "carrier_payable").await, eur("0.10"));
    assert_eq!(balance(&world, world.reseller, "revenue").await, eur("0.10"));
    world.audit(at(20_001)).await;
}

#[tokio::test]
async fn a_record_of_a_call_out_was_carried_by_whoever_was_the_cheapest_when_it_began() {
    let (world, _) = open().await;
    // The centre's own carrier asks 0.15 for a mobile and 0.01 else; its seller 0.10 and 0.03 net.
    carrier_in(&world, world.centre, "own", "49,0.01,Germany\n4915,0.15,Germany mobile", None).await;
    let record = |id: &str, called: &str| CallRecord {
        id: id.into(),
        caller: Some(NUMBER.into()),
        called: called.into(),
        direction: Some(Direction::Outbound),
        account: Some("C-2".into()),
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
    let tx = world.tx().await;
    let records = [record("mobile", "+491512345678"), record("fixed", "+4930123456")];
    let taking = Taking { source: "switch", digit: None };
    let taken = call_control::take_records(&tx, taking, &records, at(20_000)).await.unwrap();
    assert!(taken.iter().all(|taken| matches!(taken, RecordOutcome::Accepted { .. })), "{taken:?}");
    tx.commit().await.unwrap();
    for _ in 0..2 {
        deliver(&world, at(20_000)).await;
        world.test.as_owner("UPDATE outbox SET done_at = NULL WHERE topic = 'legs_upward'").await;
    }
    let tx = world.tx().await;
    let calls = outgoing_calls(&tx, &OutgoingFilter { limit: 10, ..OutgoingFilter::default() }).await.unwrap();
    let of = |called: &str| calls.iter().find(|call| call.called == called).unwrap();
    let (mobile, fixed) = (of("491512345678"), of("4930123456"));
    assert_eq!((mobile.carrier_id, mobile.decision.routes.offers[0].code.as_str()), (None, "seller"));
    assert_eq!((fixed.cost, fixed.decision.routes.offers[0].code.as_str()), (Some(eur("0.01")), "own"));
    let codes: Vec<&str> = mobile.decision.routes.offers.iter().map(|offer| offer.code.as_str()).collect();
    assert_eq!(codes, ["seller", "own"], "0.10 before 0.15; both stand on the call");
    let costs = |of: CallId| {
        let tx = &tx;
        async move { call_control::call(tx, of).await.unwrap().costs.remove(0).kind }
    };
    assert_eq!((costs(mobile.call_id).await.as_str(), costs(fixed.call_id).await.as_str()), ("seller", "carrier"));
    drop(tx);
    assert_eq!(balance(&world, world.centre, "carrier_payable").await, eur("0.01"));
    assert_eq!(balance(&world, world.reseller, "revenue").await, eur("0.10"));
    world.audit(at(20_001)).await;
}

/// What the operator and the reseller have of the only call: (charge, cost).
async fn above(world: &World) -> Vec<(Option<Money>, Option<Money>)> {
    operator_and_reseller(world).await.into_iter().map(|(_, charge, cost)| (charge, cost)).collect()
}

#[tokio::test]
async fn a_call_out_closed_without_its_edge_is_corrected_in_every_book_when_the_edge_comes_back() {
    let (world, control) = open().await;
    let call = call(&world, world.anna, MOBILE, 10);
    assert_eq!(admitted(&control, &call).await, Ok("beta".to_owned()));
    control.outgoing_answered(&call, at(15)).await.unwrap();
    control.renew_outgoing(&call, 48_000, at(63)).await.unwrap(); // may go on to 108 s
    deliver(&world, at(2000)).await;
    assert!(call_control::call(&world.tx().await, call.call_id).await.unwrap().call.is_estimated);
    // 48 s x 0.238, 0.0952, 0.119 and 0.05 a minute
    assert_eq!(world.wallet().await, (eur("19.8096"), eur("0"))); // 20.00 - 0.1904
    let of_48 = [(Some(eur("0.07616")), Some(eur("0.04"))), (Some(eur("0.0952")), None)];
    assert_eq!(above(&world).await, of_48);
    for _ in 0..2 {
        control.end_outgoing(&call, EndCause::CallerHungUp, 108_000, at(2100)).await.unwrap();
        deliver(&world, at(2200)).await;
        world.test.as_owner("UPDATE outbox SET done_at = NULL WHERE topic = 'legs_upward'").await;
    }
    // 108 s: 60 s more, 0.238 for Anna, 0.0952 for the reseller, 0.119 for the centre, 0.05 for beta
    assert_eq!(world.wallet().await, (eur("19.5716"), eur("0")));
    let of_108 = [(Some(eur("0.17136")), Some(eur("0.09"))), (Some(eur("0.2142")), None)];
    assert_eq!(above(&world).await, of_108);
    let detail = call_control::call(&world.tx().await, call.call_id).await.unwrap();
    assert_eq!(detail.corrections.iter().map(|correction| correction.amount).collect::<Vec<_>>(), [eur("0.238")]);
    assert!(!detail.call.is_estimated);
    assert_eq!(detail.margin, Some(eur("0.18"))); // (0.16 + 0.20) - (0.08 + 0.10)
    assert_eq!(balance(&world, world.operator, "carrier_payable").await, eur("0.09"));
    assert_eq!(balance(&world, world.operator, "revenue").await, eur("0.144")); // 0.17136 / 1.19
    // and the book's own sums say the same: 0.36 sold, 0.18 bought
    let tx = world.tx().await;
    let totals = call_control::totals_between(&tx, at(0), at(100)).await.unwrap();
    assert_eq!((totals.charge, totals.net), (eur("0.4284"), eur("0.36")));
    assert_eq!(call_control::costs_between(&tx, at(0), at(100)).await.unwrap(), eur("0.18"));
    let sold = call_control::revenue_between(&tx, at(0), at(100)).await.unwrap();
    assert_eq!(sold, [(at(0), eur("0.36"))]);
    drop(tx);
    assert_eq!(world.used(world.operator, world.reseller_customer, "minutes").await, dec("1.8"));
    assert_eq!(world.used(world.operator, world.reseller_customer, "calls").await, dec("1"));
    assert_eq!(world.used(world.centre, world.anna, "charge").await, dec("0.4284"));
    world.audit(at(2300)).await;
}

#[tokio::test]
async fn a_call_out_that_is_taken_back_stays_bought_above() {
    let (world, _) = open().await;
    let call = finished(world.anna, MOBILE, 10);
    settle(&world, &call).await;
    deliver(&world, at(20_000)).await;
    let tx = world.tx().await;
    assert_eq!(reverse_call(&tx, call.call_id, "a wrong number", at(20_001)).await.unwrap(), eur("0.238"));
    tx.commit().await.unwrap();
    deliver(&world, at(20_002)).await;
    assert_eq!(world.wallet().await, (eur("20.00"), eur("0")));
    // the reseller has delivered it, and beta asks for it
    assert_eq!(balance(&world, world.reseller, "revenue").await, eur("0.10"));
    assert_eq!(balance(&world, world.operator, "carrier_payable").await, eur("0.05"));
    assert_eq!(call_control::call(&world.tx().await, call.call_id).await.unwrap().margin, Some(eur("-0.10")));
    world.audit(at(20_003)).await;
}

#[tokio::test]
async fn a_finished_call_to_a_closed_class_is_charged_flagged_and_told() {
    let (world, _) = open().await;
    let call = finished(world.firm, IRIDIUM, 10);
    let settled = settle_outgoing(&world.test.db, world.centre, &call, at(20_000)).await.unwrap();
    let (refusal, detail) = settled.over.unwrap();
    assert_eq!(refusal, OutgoingRefusal::DestinationClosed);
    assert_eq!(detail, "Satellite phones and international networks are closed for Firm");
    deliver(&world, at(20_000)).await;
    let tx = world.tx().await;
    let (view, _) = outgoing_of(&tx, call.call_id).await.unwrap().unwrap();
    assert_eq!(view.charge, Some(eur("5.95")), "it went out, and costs what it costs");
    assert_eq!(view.flag.as_deref(), Some("went out although it would have been refused"));
    let alerts = call_control::spend_alerts(&tx, Some(world.firm), 10).await.unwrap();
    assert_eq!((alerts.len(), alerts[0].guard.as_str()), (1, "destination_closed"));
    drop(tx);
    // the books above had it closed, too: they have sold it all the same, and somebody should look
    let tx = world.book(world.reseller).await;
    let flagged = OutgoingFilter { only_flagged: true, limit: 10, ..OutgoingFilter::default() };
    assert_eq!(outgoing_calls(&tx, &flagged).await.unwrap()[0].charge, Some(eur("3.57")));
    drop(tx);
    world.audit(at(20_001)).await;
}
