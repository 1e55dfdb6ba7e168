//! Calls out that are stopped: by closed destinations, by what an hour may cost, by how many may run at once. The prices are those
//! of `outgoing_world.rs`.

use crate::outgoing_world::*;
use crate::world::{NUMBER, at, eur};
use call_control::{
    DestinationClass, FinishedOutgoing, LimitOf, OutgoingAdmission, OutgoingRefusal, SpendLimit, settle_outgoing,
};
use db::{CallId, CustomerId};
use sip_media::EndCause;

/// A minute to a mobile, told when it is over.
fn minute(customer_id: CustomerId, seconds: i64) -> FinishedOutgoing {
    FinishedOutgoing {
        call_id: CallId::new(),
        customer_id,
        from: NUMBER.into(),
        called: MOBILE.into(),
        carrier: None,
        agent_id: None,
        started_at: at(seconds),
        answered_at: Some(at(seconds)),
        ended_at: at(seconds + 60),
        metered_ms: 60_000,
    }
}

#[tokio::test]
async fn satellite_phones_are_closed_until_every_book_has_opened_them() {
    let (world, control) = open().await;
    let first = call(&world, world.anna, IRIDIUM, 10);
    let (refusal, detail) = carrier_of(control.admit_outgoing(&first).await.unwrap()).unwrap_err();
    assert_eq!(refusal, OutgoingRefusal::DestinationClosed);
    assert_eq!(detail, "Satellite phones and international networks are closed for Anna");
    let kept = call_control::call(&world.tx().await, first.call_id).await.unwrap();
    assert_eq!(kept.call.end_cause.as_deref(), Some("refused:destination_closed"));
    // The alarm is raised once an hour: in the timeline, and as a letter.
    assert_eq!(
        admitted(&control, &call(&world, world.anna, IRIDIUM, 20)).await,
        Err(OutgoingRefusal::DestinationClosed)
    );
    let tx = world.tx().await;
    let alerts = call_control::spend_alerts(&tx, Some(world.anna), 10).await.unwrap();
    assert_eq!((alerts.len(), alerts[0].guard.as_str(), alerts[0].call_id), (1, "destination_closed", first.call_id));
    let events = subscription::customer_events(&tx, world.anna, 10).await.unwrap();
    assert!(events.iter().any(|event| event.kind == "spend_alert"));
    assert_eq!(db::claim_outbox(&tx, "mail", 10, at(60)).await.unwrap().len(), 1);
    drop(tx);
    for (book, customer) in
        [(world.centre, world.anna), (world.reseller, world.centre_customer), (world.operator, world.reseller_customer)]
    {
        assert!(admitted(&control, &call(&world, world.anna, IRIDIUM, 30)).await.is_err(), "not yet everywhere");
        let tx = world.book(book).await;
        call_control::set_customer_destination(&tx, customer, "satellite", Some(true), "Ada", at(31)).await.unwrap();
        tx.commit().await.unwrap();
    }
    assert_eq!(admitted(&control, &call(&world, world.anna, IRIDIUM, 40)).await, Ok("alpha".to_owned()));
}

#[tokio::test]
async fn what_an_hour_and_a_day_may_cost_is_counted_with_what_runs_and_the_last_call_is_cut_there() {
    let (world, control) = open().await;
    // 0.50 an hour: 126 s of 0.238 a minute.
    limit(&world, world.centre, LimitOf::One(world.firm), SpendLimit { hour_micros: Some(500_000), ..unlimited() })
        .await;
    let first = call(&world, world.firm, MOBILE, 0);
    assert_eq!(admitted(&control, &first).await, Ok("beta".to_owned()));
    control.outgoing_answered(&first, at(0)).await.unwrap();
    control.end_outgoing(&first, EndCause::CallerHungUp, 60_000, at(60)).await.unwrap(); // 0.238
    let second = call(&world, world.firm, MOBILE, 70);
    let OutgoingAdmission::Out { grant, .. } = control.admit_outgoing(&second).await.unwrap() else {
        panic!("0.262 is left")
    };
    assert_eq!(grant.authorised_seconds, Some(60));
    control.outgoing_answered(&second, at(70)).await.unwrap();
    let grant = control.renew_outgoing(&second, 50_000, at(120)).await.unwrap();
    assert_eq!((grant.authorised_seconds, grant.is_final), (Some(66), true)); // 66 x 0.238 / 60 = 0.2618 of 0.262
    // While it runs nothing is left for a third.
    let third = call(&world, world.firm, MOBILE, 121);
    let (refusal, detail) = carrier_of(control.admit_outgoing(&third).await.unwrap()).unwrap_err();
    assert_eq!(
        (refusal, detail.as_str()),
        (OutgoingRefusal::HourLimit, "Firm may spend 0.50 EUR in an hour, and has spent 0.4998 EUR")
    );
    control.end_outgoing(&second, EndCause::BalanceExhausted, 66_000, at(136)).await.unwrap();
    assert_eq!(admitted(&control, &call(&world, world.firm, MOBILE, 140)).await, Err(OutgoingRefusal::HourLimit));
    // An hour after the first call began its 0.238 count no more.
    assert_eq!(admitted(&control, &call(&world, world.firm, MOBILE, 3601)).await, Ok("beta".to_owned()));
    // A call that came in whole stops nobody, but somebody is told.
    limit(&world, world.centre, LimitOf::One(world.firm), SpendLimit { call_micros: Some(200_000), ..unlimited() })
        .await;
    let settled = settle_outgoing(&world.test.db, world.centre, &minute(world.firm, 8000), at(8100)).await.unwrap();
    assert_eq!(settled.over.map(|(refusal, _)| refusal), Some(OutgoingRefusal::CallLimit));
    let events = subscription::customer_events(&world.tx().await, world.firm, 10).await.unwrap();
    let told = "A call went out all the same: Firm may spend 0.20 EUR in one call, and has spent 0.238 EUR";
    assert!(events.iter().any(|event| event.text == told), "{events:?}");
}

#[tokio::test]
async fn what_a_day_and_a_class_of_destinations_may_cost_is_counted_apart() {
    let (world, control) = open().await;
    let day = |micros| SpendLimit { day_micros: Some(micros), ..unlimited() };
    limit(&world, world.centre, LimitOf::One(world.firm), day(900_000)).await;
    let mobiles = DestinationClass {
        code: "mobiles".into(),
        name: "German mobiles".into(),
        prefixes: vec!["4915".into()],
        is_open: true,
        day_micros: Some(300_000),
    };
    let tx = world.tx().await;
    call_control::set_destination_class(&tx, &mobiles, at(0)).await.unwrap();
    tx.commit().await.unwrap();
    let first = call(&world, world.firm, MOBILE, 0);
    assert!(admitted(&control, &first).await.is_ok());
    control.outgoing_answered(&first, at(0)).await.unwrap();
    control.end_outgoing(&first, EndCause::CallerHungUp, 60_000, at(60)).await.unwrap(); // 0.238
    let second = call(&world, world.firm, MOBILE, 7200);
    let OutgoingAdmission::Out { grant, .. } = control.admit_outgoing(&second).await.unwrap() else {
        panic!("0.062 is left for mobiles")
    };
    assert_eq!((grant.authorised_seconds, grant.is_final), (Some(15), true)); // 15 x 0.238 / 60 = 0.0595
    control.outgoing_answered(&second, at(7200)).await.unwrap();
    control.end_outgoing(&second, EndCause::BalanceExhausted, 15_000, at(7215)).await.unwrap();
    let third = call(&world, world.firm, MOBILE, 7300);
    let (refusal, detail) = carrier_of(control.admit_outgoing(&third).await.unwrap()).unwrap_err();
    assert_eq!(refusal, OutgoingRefusal::ClassLimit);
    assert_eq!(detail, "Firm may spend 0.30 EUR in a day to this class, and has spent 0.2975 EUR");
    // others go out until the day is spent
    assert!(admitted(&control, &call(&world, world.firm, "+49 30 123456", 7400)).await.is_ok());
    // one that was over when it was heard of stopped nobody, but is told
    let told = settle_outgoing(&world.test.db, world.centre, &minute(world.firm, 7410), at(7480)).await.unwrap();
    assert_eq!(told.over.map(|(refusal, _)| refusal), Some(OutgoingRefusal::ClassLimit));
    // 0.2975 + 0.238, and 0.0595 that the other holds
    limit(&world, world.centre, LimitOf::One(world.firm), day(595_000)).await;
    let fourth = call(&world, world.firm, "+49 30 123456", 7500);
    assert_eq!(admitted(&control, &fourth).await, Err(OutgoingRefusal::DayLimit));
    assert!(admitted(&control, &call(&world, world.firm, MOBILE, 7215 + 86_400)).await.is_ok(), "a day later");
}

#[tokio::test]
async fn of_two_dozen_calls_at_once_three_go_out_where_three_may() {
    let (world, control) = open().await;
    let three = SpendLimit { calls_at_once_max: Some(3), ..unlimited() };
    limit(&world, world.centre, LimitOf::One(world.firm), three).await;
    let control = std::sync::Arc::new(control);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..24 {
        let (control, call) = (control.clone(), call(&world, world.firm, MOBILE, 10));
        tasks.spawn(async move { admitted(&control, &call).await });
    }
    let answers = tasks.join_all().await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 3, "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| **answer == Err(OutgoingRefusal::CallsAtOnce)).count(), 21);
}

#[tokio::test]
async fn of_ten_calls_at_once_a_carrier_with_two_channels_takes_two() {
    let (world, control) = open().await;
    carrier(&world, "cheap", "49,0.001", Some(2)).await;
    let control = std::sync::Arc::new(control);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let (control, call) = (control.clone(), call(&world, world.firm, MOBILE, 10));
        tasks.spawn(async move { admitted(&control, &call).await });
    }
    let answers = tasks.join_all().await;
    let by = |code: &str| answers.iter().filter(|answer| answer.as_deref() == Ok(code)).count();
    assert_eq!((by("cheap"), by("beta")), (2, 8), "{answers:?}");
}

#[tokio::test]
async fn a_book_above_whose_limit_is_reached_refuses_and_what_was_held_below_is_given_back() {
    let (world, control) = open().await;
    // The reseller lets the centre spend 0.10 in one call: less than a minute of 0.119.
    let tx = world.book(world.reseller).await;
    let limits = SpendLimit { call_micros: Some(100_000), ..unlimited() };
    call_control::set_spend_limit(&tx, LimitOf::One(world.centre_customer), Some(&limits), at(0)).await.unwrap();
    tx.commit().await.unwrap();
    let stopped = call(&world, world.anna, MOBILE, 10);
    let (refusal, detail) = carrier_of(control.admit_outgoing(&stopped).await.unwrap()).unwrap_err();
    // What it has against the call is its own affair, and its customer's only.
    assert_eq!((refusal, detail.as_str()), (OutgoingRefusal::NoRoute, "the seller does not take this call"));
    assert_eq!(world.wallet().await, (eur("20.00"), eur("0")));
    world.audit(at(20)).await;
}

#[tokio::test]
async fn a_book_above_whose_limit_is_reached_ends_a_call_that_is_paid_later() {
    let (world, control) = open().await;
    // The reseller lets the centre spend 0.20 in one call: 100 s of 0.119 a minute.
    let limits = SpendLimit { call_micros: Some(200_000), ..unlimited() };
    limit(&world, world.reseller, LimitOf::One(world.centre_customer), limits).await;
    let call = call(&world, world.firm, MOBILE, 10);
    let OutgoingAdmission::Out { grant, .. } = control.admit_outgoing(&call).await.unwrap() else { panic!("0.20") };
    assert_eq!((grant.authorised_seconds, grant.is_final), (Some(60), false));
    control.outgoing_answered(&call, at(10)).await.unwrap();
    let grant = control.renew_outgoing(&call, 48_000, at(58)).await.unwrap();
    assert_eq!((grant.authorised_seconds, grant.is_final), (Some(100), true)); // 100 x 0.119 / 60 = 0.198333
    // the edge is late to cut it: what is charged is what was allowed
    control.end_outgoing(&call, EndCause::BalanceExhausted, 103_000, at(113)).await.unwrap();
    deliver(&world, at(200)).await;
    assert_eq!(operator_and_reseller(&world).await[1].1, Some(eur("0.198333")));
    world.audit(at(201)).await;
}
