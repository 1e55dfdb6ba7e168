//! Calls that go out on Monday, 2 March 2026: sold by three books, carried by the cheapest that may, and stopped where they must.
//!
//! The operator has the carriers alpha and beta; a minute to a German mobile costs it 0.06 or 0.05. It sells the minute for 0.08,
//! the reseller for 0.10, the centre for 0.20 net of 19% tax: 0.238 to its callers.

use crate::world::{NUMBER, World, at, dec, eur};
use call_control::{
    Control, FinishedOutgoing, LimitOf, LossGuard, NewCarrier, OutgoingAdmission, OutgoingCall, OutgoingFilter,
    OutgoingPolicy, OutgoingRefusal, RouteRefusal, SpendLimit, deliver_outgoing, settle_outgoing,
};
use chrono::{DateTime, Utc};
use db::{CallId, CarrierId, CustomerId, DeckId, TenantId};
use money::{Currency, Money};
use sip_media::EndCause;
use usage_metering::{DeckImport, DeckKind};

const MOBILE: &str = "+49 151 2345678";
const IRIDIUM: &str = "+8816 1234 5678";

async fn deck(world: &World, book: TenantId, name: &str, kind: DeckKind, rows: &str) -> DeckId {
    let db = &world.test.db;
    let tx = db.tenant(book).await.unwrap();
    let known = usage_metering::decks(&tx).await.unwrap().into_iter().find(|deck| deck.name == name);
    let id = match known {
        Some(deck) => deck.id,
        None => usage_metering::create_deck(&tx, name, kind, Currency::EUR, at(0)).await.unwrap(),
    };
    tx.commit().await.unwrap();
    let imported = usage_metering::import_deck(db, book, id, "rates.csv", rows, "Ada", at(0)).await.unwrap();
    let DeckImport::Taken { version, .. } = imported else { panic!("{imported:?}") };
    let tx = db.tenant(book).await.unwrap();
    usage_metering::publish_deck(&tx, id, version.version, at(0), "Ada", at(0)).await.unwrap();
    tx.commit().await.unwrap();
    id
}

fn unlimited() -> SpendLimit {
    SpendLimit {
        is_open: true,
        sell_deck: None,
        call_micros: None,
        hour_micros: None,
        day_micros: None,
        calls_at_once_max: None,
    }
}

async fn sells(world: &World, book: TenantId, name: &str, rows: &str) {
    let sell_deck = Some(deck(world, book, name, DeckKind::Sell, rows).await);
    policy(world, book, sell_deck, LossGuard::Refuse).await;
    limit(world, book, LimitOf::Everybody, unlimited()).await;
}

async fn policy(world: &World, book: TenantId, sell_deck: Option<DeckId>, loss_guard: LossGuard) {
    let tx = world.book(book).await;
    let policy =
        OutgoingPolicy { sell_deck, loss_guard, minimum_margin_percent: dec("0"), minimum_answer_percent: dec("40") };
    call_control::set_outgoing_policy(&tx, &policy, at(0)).await.unwrap();
    tx.commit().await.unwrap();
}

async fn limit(world: &World, book: TenantId, of: LimitOf, limit: SpendLimit) {
    let tx = world.book(book).await;
    call_control::set_spend_limit(&tx, of, Some(&limit), at(0)).await.unwrap();
    tx.commit().await.unwrap();
}

async fn carrier(world: &World, code: &str, rows: &str, channels_max: Option<u32>) -> CarrierId {
    let cost_deck = deck(world, world.operator, &format!("{code} cost"), DeckKind::Cost, rows).await;
    let tx = world.book(world.operator).await;
    let new = NewCarrier {
        code: code.into(),
        name: code.to_uppercase(),
        cost_deck,
        channels_max,
        calls_per_second_max: None,
        is_up: true,
        priority: 100,
    };
    let id = call_control::create_carrier(&tx, &new, at(0)).await.unwrap();
    tx.commit().await.unwrap();
    id
}

/// The three books as the file's heading says.
async fn open() -> (World, Control) {
    let world = World::set().await;
    carrier(&world, "alpha", "49,0.010,Germany\n4915,0.06,Germany mobile\n8816,1.50,Iridium", None).await;
    carrier(&world, "beta", "49,0.012,Germany\n4915,0.05,Germany mobile", None).await;
    sells(&world, world.operator, "Wholesale", "49,0.0238,Germany\n4915,0.0952,Germany mobile\n8816,2.38,Iridium")
        .await;
    sells(&world, world.reseller, "Resale", "49,0.0357,Germany\n4915,0.119,Germany mobile\n8816,3.57,Iridium").await;
    sells(&world, world.centre, "Retail", "49,0.0595,Germany\n4915,0.238,Germany mobile\n8816,5.95,Iridium").await;
    let control = Control::new(world.test.db.clone());
    (world, control)
}

fn call(world: &World, customer_id: CustomerId, called: &str, seconds: i64) -> OutgoingCall {
    OutgoingCall {
        call_id: CallId::new(),
        tenant_id: world.centre,
        customer_id,
        from: NUMBER.into(),
        called: called.into(),
        agent_id: None,
        at: at(seconds),
    }
}

fn carrier_of(admission: OutgoingAdmission) -> Result<String, (OutgoingRefusal, String)> {
    match admission {
        OutgoingAdmission::Out { carrier, .. } => Ok(carrier.code),
        OutgoingAdmission::Refused { refusal, detail } => Err((refusal, detail)),
    }
}

async fn admitted(control: &Control, call: &OutgoingCall) -> Result<String, OutgoingRefusal> {
    carrier_of(control.admit_outgoing(call).await.unwrap()).map_err(|(refusal, _)| refusal)
}

async fn balance(world: &World, book: TenantId, account: &str) -> Money {
    let tx = world.book(book).await;
    let lines = ledger::trial_balance(&tx, at(100_000)).await.unwrap();
    let found = lines.into_iter().find(|line| line.kind.code() == account);
    found.map_or(eur("0"), |line| line.balance)
}

async fn deliver(world: &World, now: DateTime<Utc>) {
    deliver_outgoing(&world.test.db, world.centre, now).await.unwrap();
}

/// Legs of a call in a book, as "kind amount".
async fn operator_and_reseller(world: &World) -> Vec<(TenantId, Option<Money>, Option<Money>)> {
    let mut found = Vec::new();
    for book in [world.operator, world.reseller] {
        let tx = world.book(book).await;
        let calls = call_control::outgoing_calls(&tx, &OutgoingFilter { limit: 10, ..OutgoingFilter::default() })
            .await
            .unwrap();
        found.extend(calls.into_iter().map(|call| (book, call.charge, call.cost)));
    }
    found
}

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
    world.audit(at(100)).await;
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
    let finished = FinishedOutgoing {
        call_id: CallId::new(),
        customer_id: world.firm,
        from: NUMBER.into(),
        called: MOBILE.into(),
        carrier: None,
        agent_id: None,
        started_at: at(8000),
        answered_at: Some(at(8000)),
        ended_at: at(8060),
        metered_ms: 60_000,
    };
    let settled = settle_outgoing(&world.test.db, world.centre, &finished, at(8100)).await.unwrap();
    assert_eq!(settled.over.map(|(refusal, _)| refusal), Some(OutgoingRefusal::CallLimit));
}

#[tokio::test]
async fn of_ten_calls_at_once_three_go_out_where_three_may() {
    let (world, control) = open().await;
    let three = SpendLimit { calls_at_once_max: Some(3), ..unlimited() };
    limit(&world, world.centre, LimitOf::One(world.firm), three).await;
    let control = std::sync::Arc::new(control);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let (control, call) = (control.clone(), call(&world, world.firm, MOBILE, 10));
        tasks.spawn(async move { admitted(&control, &call).await });
    }
    let answers = tasks.join_all().await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 3, "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| **answer == Err(OutgoingRefusal::CallsAtOnce)).count(), 7);
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
    assert_eq!(refusal, OutgoingRefusal::CallLimit, "{detail}");
    assert_eq!(world.wallet().await, (eur("20.00"), eur("0")));
    world.audit(at(20)).await;
}
