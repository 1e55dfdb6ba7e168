use crate::edge::{EdgeCall, place};
use crate::world::{ANNA, FIRM, HOURLY, PLAIN, STEPS, World, at, dec, eur};
use call_control::{CallState, ChargedBy, PricedBy};
use ledger::{AccountKind, AccountRef};
use money::Currency;
use sip_media::EndCause;

#[tokio::test]
async fn five_euros_to_connect_then_fifty_cents_for_twenty_minutes_then_twenty_five() {
    let world = World::set().await;
    world.share().await;
    let call = place(&world, ANNA, STEPS, 26 * 60 + 9).await;
    assert_eq!(call.metered, 1569);
    let detail = call_control::call(&world.tx().await, call.call_id()).await.unwrap();
    // 26:09 = 1569 s, 262 increments of 6 s = 1572 s: 5.00 + 20 x 0.50 + 372/60 x 0.25 = 5.00 + 10.00 + 1.55
    assert_eq!(detail.call.charge, Some(eur("16.55")));
    assert_eq!(detail.call.billed_seconds, Some(1572));
    assert_eq!(detail.recount, detail.call.charge);
    // 16.55 / 1.19 = 13.9075630..
    assert_eq!(detail.call.net, Some(eur("13.907563")));
    assert_eq!(detail.call.charged_by, Some(ChargedBy::Tariff));
    assert_eq!(detail.call.state, CallState::Ended);
    assert_eq!(world.wallet().await, (eur("3.45"), eur("0"))); // 20.00 - 16.55
    let why = detail.explanation.unwrap();
    assert!(
        matches!(&why.priced_by, PricedBy::Tariff { digit: 1, topic, tariff, version: 1, .. } if topic == "Legal advice" && tariff == "Legal advice")
    );
    let tax = why.tax.unwrap();
    assert_eq!((tax.gross, tax.net, tax.tax), (dec("16.55"), dec("13.907563"), dec("2.642437")));
    assert_eq!(why.sum.steps.last().unwrap().amount, dec("16.55"));
    assert_eq!((why.metered_seconds, why.billed_seconds, why.unpaid), (1569, 1572, None));
    assert_eq!(world.used(world.centre, world.anna, "charge").await, dec("16.55"));
    assert_eq!(world.used(world.centre, world.anna, "minutes").await, dec("26.2")); // 1572 / 60
    assert_eq!(world.used(world.centre, world.anna, "calls").await, dec("1"));
    world.audit(at(2000)).await;
}

#[tokio::test]
async fn fifty_euros_an_hour_is_exact_to_the_micro() {
    let world = World::set().await;
    world.top_up("10.00", "second").await;
    let call = place(&world, ANNA, HOURLY, 1569).await;
    let detail = call_control::call(&world.tx().await, call.call_id()).await.unwrap();
    // 1569 x 50 / 3600 = 21.7916666.., rounded once
    assert_eq!(detail.call.charge, Some(eur("21.791667")));
    assert_eq!(world.wallet().await, (eur("8.208333"), eur("0"))); // 30.00 - 21.791667
    world.audit(at(2000)).await;
}

#[tokio::test]
async fn a_call_is_cut_off_when_the_money_ends_and_the_wallet_is_not_a_micro_below() {
    let world = World::set().await;
    let call = place(&world, ANNA, PLAIN, 100_000).await;
    // 20.00 / 0.01 a second
    assert_eq!(call.metered, 2000);
    assert!(call.grant.unwrap().is_final);
    assert_eq!(world.wallet().await, (eur("0"), eur("0")));
    let detail = call_control::call(&world.tx().await, call.call_id()).await.unwrap();
    assert_eq!(detail.call.charge, Some(eur("20.00")));
    assert_eq!(detail.call.end_cause.as_deref(), Some("balance_exhausted"));
    world.audit(at(3000)).await;
}

#[tokio::test]
async fn money_is_held_one_minute_ahead_and_no_more() {
    let world = World::set().await;
    let mut call = EdgeCall::arrive(&world, ANNA, 10).await.unwrap();
    let grant = call.choose(PLAIN).await.unwrap();
    assert_eq!((grant.authorised_seconds, grant.renew_at_second, grant.is_final), (Some(60), 48, false));
    assert_eq!(world.wallet().await, (eur("20.00"), eur("0.60"))); // 60 x 0.01
    call.start_meter().await;
    call.talk_to(48).await;
    let grant = call.renew().await;
    assert_eq!((grant.authorised_seconds, grant.renew_at_second), (Some(108), 96));
    assert_eq!(world.wallet().await, (eur("20.00"), eur("1.08")));
    // asked again, the same is answered and nothing more is held
    assert_eq!(call.renew().await, grant);
    assert_eq!(world.wallet().await, (eur("20.00"), eur("1.08")));
    call.hang_up().await;
    assert_eq!(world.wallet().await, (eur("19.52"), eur("0"))); // 20.00 - 48 x 0.01
}

#[tokio::test]
async fn a_top_up_during_the_call_extends_it() {
    let world = World::set().await;
    let mut call = EdgeCall::arrive(&world, ANNA, 10).await.unwrap();
    call.choose(PLAIN).await.unwrap();
    call.start_meter().await;
    call.talk_to(1990).await;
    let grant = call.renew().await;
    assert_eq!((grant.authorised_seconds, grant.is_final), (Some(2000), true));
    world.top_up("1.00", "during").await;
    let grant = call.renew().await;
    assert_eq!((grant.authorised_seconds, grant.is_final), (Some(2050), false)); // 1990 + 60
    call.talk_to(5000).await;
    assert_eq!(call.metered, 2100); // 21.00 / 0.01
    call.end(EndCause::BalanceExhausted).await;
    assert_eq!(world.wallet().await, (eur("0"), eur("0")));
}

#[tokio::test]
async fn a_postpaid_caller_talks_without_limit_and_its_net_is_accrued() {
    let world = World::set().await;
    let mut call = EdgeCall::arrive(&world, FIRM, 10).await.unwrap();
    assert_eq!(call.choose(STEPS).await.unwrap().authorised_seconds, None);
    call.start_meter().await;
    call.talk_to(1569).await;
    call.hang_up().await;
    let tx = world.tx().await;
    let detail = call_control::call(&tx, call.call_id()).await.unwrap();
    assert_eq!(detail.call.charge, Some(eur("16.55")));
    let unbilled = AccountRef::Customer(AccountKind::Unbilled, world.firm);
    assert_eq!(ledger::balance(&tx, unbilled, Currency::EUR, at(9999)).await.unwrap(), eur("-13.907563"));
    let revenue = AccountRef::Book(AccountKind::Revenue);
    assert_eq!(ledger::balance(&tx, revenue, Currency::EUR, at(9999)).await.unwrap(), eur("13.907563"));
    drop(tx);
    world.audit(at(3000)).await;
}

#[tokio::test]
async fn the_board_shows_what_a_running_call_costs_and_when_its_money_ends() {
    let world = World::set().await;
    let mut call = EdgeCall::arrive(&world, ANNA, 10).await.unwrap();
    call.choose(STEPS).await.unwrap();
    call.start_meter().await;
    call.talk_to(40).await;
    let live = call_control::live_calls(&world.tx().await, call.time()).await.unwrap();
    assert_eq!(live.len(), 1);
    // 40 s = 7 increments of 6 s = 42 s: 5.00 + 42/60 x 0.50 = 5.35; the next 6 s cost 0.05
    assert_eq!(live[0].cost_so_far, eur("5.35"));
    assert_eq!((live[0].increment_cost, live[0].increment_seconds), (eur("0.05"), 6));
    assert_eq!(live[0].left, Some(eur("14.65"))); // 20.00 - 5.35
    // 20.00 pays 5.00 + 10.00 for 1200 s + 5.00 / 0.25 x 60 s = 1200 s: 2400 s in all
    assert_eq!(live[0].runs_out_seconds, Some(2360));
    assert_eq!(live[0].call.state, CallState::Talking);
    call.hang_up().await;
    assert!(call_control::live_calls(&world.tx().await, call.time()).await.unwrap().is_empty());
}
