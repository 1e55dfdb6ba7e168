use crate::edge::{EdgeCall, place};
use crate::finished::finished;
use crate::plans::{publish, sell, sell_minutes};
use crate::world::{ANNA, FIRM, PLAIN, World, at, dec, eur};
use call_control::{CallDetail, FinishedCall, deliver_upward};
use chrono::{DateTime, TimeDelta, Utc};
use db::SubscriptionId;
use ledger::{Allowance, Units};
use money::Decimal;
use sip_media::CallEventKind;
use subscription::{Change, When};

/// How the only allowance of Firm stands.
async fn stands(world: &World) -> Allowance {
    let mut all = ledger::allowances_of(&world.tx().await, world.firm, at(60)).await.unwrap();
    assert_eq!(all.len(), 1);
    all.remove(0)
}

async fn detail(world: &World, call: &EdgeCall) -> CallDetail {
    call_control::call(&world.tx().await, call.call_id()).await.unwrap()
}

/// (used, free, beyond) of the call's explanation.
fn split(detail: &CallDetail) -> (Decimal, Decimal, Decimal) {
    let why = detail.explanation.as_ref().unwrap();
    (why.included[0].used, why.included[0].free, why.included[0].beyond)
}

#[tokio::test]
async fn included_minutes_come_before_the_price() {
    let world = World::set().await;
    sell(&world, "support", world.firm, "2").await;
    let first = place(&world, FIRM, PLAIN, 90).await;
    let second = place(&world, FIRM, PLAIN, 90).await;
    // 2 included: 1.5 of the first call, 0.5 of the second; 1 minute x 0.10 is left to be priced
    let (first, second) = (detail(&world, &first).await, detail(&world, &second).await);
    assert_eq!((split(&first), first.call.net), ((dec("1.5"), dec("1.5"), dec("0")), Some(eur("0"))));
    assert_eq!((split(&second), second.call.net), ((dec("1.5"), dec("0.5"), dec("1")), Some(eur("0.10"))));
    let lines = second.explanation.as_ref().unwrap().sum.lines();
    assert_eq!(
        lines,
        [
            "Price: support, version 1, Minutes",
            "Included (minutes, of 1.5 used): 0.5",
            "Units (Minutes): 1.0 × 0.10 = 0.1",
            "Total: 0.1"
        ]
    );
    assert_eq!(second.explanation.unwrap().included[0].left, dec("0"));
    assert_eq!(stands(&world).await.beyond(), Units::of(dec("1")).unwrap());
    world.audit(at(1000)).await;
}

#[tokio::test]
async fn a_call_holds_included_minutes_one_ahead_and_gives_back_what_it_leaves() {
    let world = World::set().await;
    sell(&world, "support", world.firm, "10").await;
    let mut call = EdgeCall::arrive(&world, FIRM, 10).await.unwrap();
    assert_eq!(call.choose(PLAIN).await.unwrap().authorised_seconds, None, "a postpaid caller is not cut off");
    call.start_meter().await;
    assert_eq!(stands(&world).await.reserved, Units::of(dec("1")).unwrap());
    for (second, reserved) in [(20, "1"), (31, "1.516667"), (60, "1.516667"), (70, "2.166667")] {
        call.talk_to(second).await;
        call.tell(CallEventKind::Heartbeat { metered_ms: u64::from(second) * 1000 }).await;
        // it holds until 60 s ahead when less than 30 s are left: 91 / 60, 130 / 60
        assert_eq!(stands(&world).await.reserved, Units::of(dec(reserved)).unwrap(), "{second}");
    }
    let live = call_control::live_calls(&world.tx().await, call.time()).await.unwrap();
    assert_eq!((live[0].included[0].included, live[0].included[0].left), (dec("10"), dec("8.833333"))); // 10 - 70 / 60
    call.hang_up().await;
    let after = stands(&world).await;
    assert_eq!((after.reserved, after.used), (Units::ZERO, Units::of(dec("1.166667")).unwrap()));
    call.tell_again().await;
    assert_eq!(stands(&world).await, after, "told again, nothing changes");
    world.audit(at(1000)).await;
}

#[tokio::test]
async fn a_call_that_nobody_hears_of_gives_its_included_minutes_back() {
    let world = World::set().await;
    sell(&world, "support", world.firm, "10").await;
    let mut call = EdgeCall::arrive(&world, FIRM, 10).await.unwrap();
    call.choose(PLAIN).await.unwrap();
    call.start_meter().await;
    let tx = world.tx().await;
    assert_eq!(ledger::expire_leases(&tx, at(400)).await.unwrap(), 1);
    tx.commit().await.unwrap();
    assert_eq!(stands(&world).await.available(), Units::of(dec("10")).unwrap());
    // after a quarter of an hour it is closed where it was last heard of, and settled out of what there is
    deliver_upward(&world.test.db, world.centre, at(3600)).await.unwrap();
    world.audit(at(3600)).await;
}

#[tokio::test]
async fn usage_that_another_system_told_uses_the_included_minutes_up_too() {
    let world = World::set().await;
    let subscription_id = sell(&world, "support", world.firm, "10").await;
    import(&world, subscription_id, "9.5").await;
    let call = place(&world, FIRM, PLAIN, 60).await;
    assert_eq!(split(&detail(&world, &call).await), (dec("1"), dec("0.5"), dec("0.5")));
    import(&world, subscription_id, "3").await;
    let call = place(&world, FIRM, PLAIN, 60).await;
    assert_eq!(split(&detail(&world, &call).await), (dec("1"), dec("0"), dec("1")));
    // 9.5 + 1 + 3 + 1 - 10
    assert_eq!(stands(&world).await.beyond(), Units::of(dec("4.5")).unwrap());
    world.audit(at(1000)).await;
}

async fn import(world: &World, subscription_id: SubscriptionId, minutes: &str) {
    let tx = world.tx().await;
    let event = usage_metering::UsageEvent {
        source: "import".into(),
        id: minutes.into(),
        meter: "minutes".into(),
        customer_id: world.firm,
        subscription_id: Some(subscription_id),
        quantity: dec(minutes),
        dimensions: Default::default(),
        occurred_at: at(0),
    };
    usage_metering::ingest_in(&tx, &[event], at(5)).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn included_calls_and_included_minutes_are_two_allowances_of_one_call() {
    let world = World::set().await;
    sell_minutes(&world, "support", world.firm, "1", Some(("2", "0.50"))).await;
    let mut net = Vec::new();
    for _ in 0..3 {
        net.push(detail(&world, &place(&world, FIRM, PLAIN, 60).await).await.call.net.unwrap());
    }
    // one minute and two calls are included: then 0.10 a minute, and 0.50 for the third call
    assert_eq!(net, [eur("0"), eur("0.10"), eur("0.60")]);
    let all = ledger::allowances_of(&world.tx().await, world.firm, at(60)).await.unwrap();
    let told = |a: &Allowance| (a.meter.clone(), a.used.to_string(), a.beyond().to_string());
    assert_eq!(
        all.iter().map(told).collect::<Vec<_>>(),
        [("calls".into(), "3".into(), "1".into()), ("minutes".into(), "3".into(), "2".into())]
    );
    world.audit(at(1000)).await;
}

#[tokio::test]
async fn finished_calls_use_included_minutes_as_live_ones_do() {
    let world = World::set().await;
    sell(&world, "support", world.firm, "2").await;
    let call = |seconds: i64| finished(world.firm, FIRM, PLAIN, seconds);
    let (first, second) = (call(90), call(90));
    for _ in 0..2 {
        let tx = world.tx().await;
        call_control::settle_finished(&tx, &[first.clone(), second.clone()], at(500)).await.unwrap();
        tx.commit().await.unwrap();
    }
    let detail = call_control::call(&world.tx().await, second.call_id).await.unwrap();
    assert_eq!((split(&detail), detail.call.net), ((dec("1.5"), dec("0.5"), dec("1")), Some(eur("0.10"))));
    world.audit(at(1000)).await;
}

/// A whole call of 18 seconds, on an edge of its own.
async fn short_call(mut call: EdgeCall) -> EdgeCall {
    call.choose(PLAIN).await.unwrap();
    call.start_meter().await;
    call.talk_to(18).await;
    call.hang_up().await;
    call
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_calls_at_once_share_ten_included_minutes_to_the_second() {
    let world = World::set().await;
    sell(&world, "support", world.firm, "10").await;
    let mut calls = Vec::new();
    for _ in 0..50 {
        calls.push(EdgeCall::arrive(&world, FIRM, 10).await.unwrap());
    }
    let calls: Vec<_> = calls.into_iter().map(|call| tokio::spawn(short_call(call))).collect();
    let (mut free, mut net) = (Decimal::ZERO, eur("0"));
    for call in calls {
        let detail = detail(&world, &call.await.unwrap()).await;
        free += split(&detail).1;
        net = net.checked_add(detail.call.net.unwrap()).unwrap();
    }
    // 50 x 0.3 = 15 minutes: 10 are free, 5 cost 0.10 each, whoever held what meanwhile
    assert_eq!((free, net), (dec("10"), eur("0.50")));
    assert_eq!(world.used(world.centre, world.firm, "minutes").await, dec("15"));
    world.audit(at(1000)).await;
}

#[tokio::test]
async fn a_prepaid_caller_s_plan_is_used_up_before_anything_else() {
    let world = World::set().await;
    sell(&world, "support", world.anna, "2").await;
    let call = place(&world, ANNA, PLAIN, 60).await;
    assert_eq!(split(&detail(&world, &call).await), (dec("1"), dec("1"), dec("0")));
    assert_eq!(world.wallet().await, (eur("20.00"), eur("0")));
}

/// Calls are told as finished on days of their own.
async fn talk(world: &World, day: &str, seconds: i64) -> (Decimal, Decimal, Decimal) {
    let began: DateTime<Utc> = format!("{day}T12:00:00Z").parse().unwrap();
    let call = FinishedCall {
        started_at: began,
        answered_at: Some(began),
        meter_started_at: Some(began),
        ended_at: began + TimeDelta::seconds(seconds),
        ..finished(world.firm, FIRM, PLAIN, seconds)
    };
    let tx = world.tx().await;
    call_control::settle_finished(&tx, std::slice::from_ref(&call), call.ended_at).await.unwrap();
    tx.commit().await.unwrap();
    split(&call_control::call(&world.tx().await, call.call_id).await.unwrap())
}

#[tokio::test]
async fn a_plan_changed_in_mid_period_includes_by_the_day_and_the_next_period_begins_anew() {
    let world = World::set().await;
    let subscription_id = sell(&world, "support", world.firm, "93").await;
    // March has 31 days: 93 minutes are 3 a day
    assert_eq!(talk(&world, "2026-03-03", 40 * 60).await, (dec("40"), dec("40"), dec("0")));
    let tx = world.tx().await;
    let bigger = publish(&tx, "bigger", "186").await; // 6 a day
    let change = Change::Plan { version: bigger, seats: None };
    let on = "2026-03-11T09:00:00Z".parse().unwrap();
    subscription::change(&tx, subscription_id, &change, When::Now, "Firm", on).await.unwrap();
    tx.commit().await.unwrap();
    // 11 March is of the new terms: 21 days x 6 = 126 minutes, and what the old ones left is gone
    assert_eq!(talk(&world, "2026-03-12", 120 * 60).await, (dec("120"), dec("120"), dec("0")));
    assert_eq!(talk(&world, "2026-03-13", 10 * 60).await, (dec("10"), dec("6"), dec("4")));
    // 1 .. 10 March: 10 days x 3 = 30 minutes, of which 40 had been told to be free before anybody knew of the change
    let before = ledger::allowances_of(&world.tx().await, world.firm, at(0)).await.unwrap();
    assert_eq!(before[0].ends_at, "2026-03-31T22:00:00Z".parse::<DateTime<Utc>>().unwrap());
    assert_eq!(talk(&world, "2026-03-04", 60).await, (dec("1"), dec("0"), dec("1"))); // told late
    let before = ledger::allowances_of(&world.tx().await, world.firm, at(0)).await.unwrap();
    assert_eq!((before[0].ends_at, before[0].included.to_string()), (on, "30".into()));
    assert_eq!((before[0].overdrawn.to_string(), before[0].beyond().to_string()), ("10".into(), "11".into()));
    // April: all 186
    assert_eq!(talk(&world, "2026-04-02", 190 * 60).await, (dec("190"), dec("186"), dec("4")));
    world.audit("2026-04-03T00:00:00Z".parse().unwrap()).await;
}

#[tokio::test]
async fn a_prepaid_caller_beyond_his_minutes_pays_from_the_wallet_and_is_cut_off_at_zero() {
    let world = World::set().await;
    sell(&world, "support", world.anna, "2").await;
    let mut call = EdgeCall::arrive(&world, ANNA, 10).await.unwrap();
    let grant = call.choose(PLAIN).await.unwrap();
    assert_eq!((grant.authorised_seconds, grant.is_final), (Some(60), false), "a minute of the two, and no money");
    assert_eq!(world.wallet().await, (eur("20.00"), eur("0")));
    call.start_meter().await;
    assert!(call.talk_to(100).await);
    // 96 s were metered when it asked again: until 156 s, of which 120 are included; 36 / 60 x 0.10 x 1.19
    assert_eq!(world.wallet().await, (eur("20.00"), eur("0.0714")));
    assert!(!call.talk_to(20_000).await, "the money ends");
    // 20.00 / (0.10 x 1.19) = 168.0672 minutes = 10,084.03 s beyond 120 s
    assert_eq!(call.metered, 10_204);
    call.hang_up().await;
    let detail = detail(&world, &call).await;
    // 10,084 s are 168.066667 minutes: x 0.10 x 1.19 = 19.9999333..
    assert_eq!(detail.call.charge, Some(eur("19.999933")));
    assert_eq!(world.wallet().await, (eur("0.000067"), eur("0")));
    world.audit(at(20_000)).await;
    let next = EdgeCall::arrive(&world, ANNA, 20_000).await;
    assert_eq!(next.unwrap().choose(PLAIN).await, Err(sip_media::RefusalReason::NoCredit));
}

#[tokio::test]
async fn a_prepaid_caller_without_money_still_has_the_minutes_of_the_plan() {
    let world = World::set().await;
    sell(&world, "support", world.anna, "1.5").await;
    let tx = world.tx().await;
    let gone = ledger::Settle {
        call_id: db::CallId::new(),
        leg: ledger::Leg::Caller,
        customer_id: world.anna,
        charge: eur("20.00"),
        kind: "call",
        memo: String::new(),
        effective_at: at(1),
    };
    ledger::settle(&tx, &gone, at(1)).await.unwrap();
    tx.commit().await.unwrap();
    let mut call = EdgeCall::arrive(&world, ANNA, 10).await.unwrap();
    call.choose(PLAIN).await.unwrap();
    call.start_meter().await;
    assert!(!call.talk_to(600).await);
    assert_eq!(call.metered, 90, "1.5 x 60 s");
    call.hang_up().await;
    assert_eq!(world.wallet().await, (eur("0"), eur("0")));
    world.audit(at(1000)).await;
}
