//! Calls that are out and go on: limits that change meanwhile, books above that say no, and rows that end. The prices are those of
//! `outgoing_world.rs`.

use crate::outgoing_world::*;
use crate::world::{World, at, eur};
use call_control::{LimitOf, OutgoingAdmission, OutgoingCall, OutgoingFilter, OutgoingRefusal, SpendLimit};
use sip_media::{EndCause, Grant};

async fn out(control: &call_control::Control, call: &OutgoingCall) -> Grant {
    match control.admit_outgoing(call).await.unwrap() {
        OutgoingAdmission::Out { grant, .. } => grant,
        OutgoingAdmission::Refused { refusal, detail } => panic!("{refusal:?}: {detail}"),
    }
}

/// Calls out of a book that are not over.
async fn running(world: &World, book: db::TenantId) -> usize {
    let filter = OutgoingFilter { limit: 50, ..OutgoingFilter::default() };
    let calls = call_control::outgoing_calls(&world.book(book).await, &filter).await.unwrap();
    calls.iter().filter(|call| call.ended_at.is_none()).count()
}

#[tokio::test]
async fn a_limit_that_is_lowered_while_a_call_runs_ends_it_there() {
    // (day's limit set meanwhile, calls at once) -> authorised, final; 0.238 a minute, 60 s given before
    for (day_micros, calls_at_once_max, seconds) in [
        (300_000, None, 75),    // 0.30 / 0.238 = 1.2605 min = 75 s
        (100_000, None, 60),    // less than it has: what it was given stays
        (300_000, Some(0), 75), // one too many, and not without a limit for it
        (-1, None, 60 + 48),    // none: a chunk more, 48 + 60
    ] {
        let (world, control) = open().await;
        limit(
            &world,
            world.centre,
            LimitOf::One(world.firm),
            SpendLimit { day_micros: Some(9_000_000), ..unlimited() },
        )
        .await;
        let call = call(&world, world.firm, MOBILE, 10);
        assert_eq!(out(&control, &call).await.authorised_seconds, Some(60));
        control.outgoing_answered(&call, at(10)).await.unwrap();
        let lower =
            SpendLimit { day_micros: Some(day_micros).filter(|most| *most >= 0), calls_at_once_max, ..unlimited() };
        let lower = if day_micros < 0 { SpendLimit { day_micros: Some(9_000_000), ..lower } } else { lower };
        limit(&world, world.centre, LimitOf::One(world.firm), lower).await;
        let grant = control.renew_outgoing(&call, 48_000, at(58)).await.unwrap();
        assert_eq!((grant.authorised_seconds, grant.is_final), (Some(seconds), seconds < 108), "{day_micros}");
    }
}

#[tokio::test]
async fn a_call_that_nothing_limits_goes_on_in_steps_and_counts_as_long_as_it_runs() {
    let (world, control) = open().await;
    limit(&world, world.centre, LimitOf::One(world.firm), SpendLimit { calls_at_once_max: Some(1), ..unlimited() })
        .await;
    let first = call(&world, world.firm, MOBILE, 10);
    let grant = out(&control, &first).await;
    assert_eq!((grant.authorised_seconds, grant.renew_at_second, grant.is_final), (Some(300), 288, false));
    control.outgoing_answered(&first, at(10)).await.unwrap();
    let grant = control.renew_outgoing(&first, 288_000, at(298)).await.unwrap();
    assert_eq!((grant.authorised_seconds, grant.is_final), (Some(588), false)); // 288 + 300
    // Seven minutes later the customer still has its one call out.
    let second = call(&world, world.firm, MOBILE, 430);
    assert_eq!(admitted(&control, &second).await, Err(OutgoingRefusal::CallsAtOnce));
    control.end_outgoing(&first, EndCause::CallerHungUp, 480_000, at(490)).await.unwrap();
    assert_eq!(admitted(&control, &call(&world, world.firm, MOBILE, 495)).await, Ok("beta".to_owned()));
}

#[tokio::test]
async fn a_limit_of_a_book_above_is_told_to_that_book_and_an_own_carrier_takes_the_call() {
    let (world, control) = open().await;
    let limits = SpendLimit { call_micros: Some(100_000), ..unlimited() };
    limit(&world, world.reseller, LimitOf::One(world.centre_customer), limits).await;
    let stopped = call(&world, world.anna, MOBILE, 10);
    let (refusal, detail) = carrier_of(control.admit_outgoing(&stopped).await.unwrap()).unwrap_err();
    assert_eq!((refusal, detail.as_str()), (OutgoingRefusal::NoRoute, "the seller does not take this call"));
    // The reseller hears of its limit; neither Anna nor the centre does.
    let alerts = call_control::spend_alerts(&world.book(world.reseller).await, None, 10).await.unwrap();
    assert_eq!((alerts.len(), alerts[0].customer_id), (1, world.centre_customer));
    let tx = world.tx().await;
    assert!(call_control::spend_alerts(&tx, None, 10).await.unwrap().is_empty());
    assert!(subscription::customer_events(&tx, world.anna, 10).await.unwrap().iter().all(|e| e.kind != "spend_alert"));
    drop(tx);
    // Dearer than the seller, 0.15 of the 0.20 net, but there.
    carrier_in(&world, world.centre, "own", "4915,0.15,Germany mobile", None).await;
    assert_eq!(admitted(&control, &call(&world, world.anna, MOBILE, 20)).await, Ok("own".to_owned()));
    assert_eq!(world.wallet().await.1, eur("0.238"));
    assert_eq!(running(&world, world.reseller).await, 0);
}

#[tokio::test]
async fn asking_again_for_a_call_that_is_out_gives_the_same_answer_and_takes_no_second_channel() {
    let (world, control) = open().await;
    let gamma = carrier(&world, "gamma", "4915,0.04,Germany mobile", Some(1)).await;
    let call = call(&world, world.anna, MOBILE, 10);
    for _ in 0..2 {
        assert_eq!(admitted(&control, &call).await, Ok("gamma".to_owned()));
    }
    assert_eq!(world.wallet().await, (eur("20.00"), eur("0.238")));
    let tx = world.book(world.operator).await;
    let quality = call_control::carrier_quality(&tx, at(10)).await.unwrap().remove(&gamma).unwrap();
    assert_eq!((quality.running, quality.begun), (1, 1));
}

#[tokio::test]
async fn a_call_that_nobody_answers_is_over_in_every_book() {
    let (world, control) = open().await;
    let call = call(&world, world.anna, MOBILE, 10);
    out(&control, &call).await;
    assert_eq!((running(&world, world.operator).await, running(&world, world.reseller).await), (1, 1));
    control.end_outgoing(&call, EndCause::NotReached, 0, at(40)).await.unwrap();
    for book in [world.operator, world.reseller, world.centre] {
        assert_eq!(running(&world, book).await, 0);
    }
    assert_eq!(world.wallet().await, (eur("20.00"), eur("0")));
    world.audit(at(50)).await;
}

#[tokio::test]
async fn a_call_whose_edge_died_before_the_answer_is_over_in_every_book() {
    let (world, control) = open().await;
    let call = call(&world, world.anna, MOBILE, 10);
    out(&control, &call).await;
    // Three hours before the meter, then it is closed.
    deliver(&world, at(10 + 3 * 3_600 + 60)).await;
    for book in [world.operator, world.reseller, world.centre] {
        assert_eq!(running(&world, book).await, 0);
    }
}
