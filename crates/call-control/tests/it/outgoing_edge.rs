//! Calls out as an edge brings them: a phone has dialled, carriers are rung by their address, and what happened is told as events.
//! The prices are those of `outgoing_world.rs`.

use crate::outgoing_world::*;
use crate::world::{NUMBER, World, at, eur};
use call_control::{Control, LineOf, LossGuard, NewTrunk, OutgoingLine, Safe, set_outgoing_line, set_trunk, trunk};
use db::{CarrierId, CustomerId};
use sip_media::{
    CallControl, CallEvent, CallEventKind, DialDecision, Dialled, EndCause, RefusalReason, ShownAs, Trunk,
    TrunkTransport,
};
use std::time::Duration;
use tenant::{AgentState, NewMember, Role};
use uuid::Uuid;

fn safe() -> Safe {
    Safe::new(b"0123456789abcdef0123456789abcdef")
}

fn new_trunk(port: u16) -> NewTrunk {
    NewTrunk {
        host: "127.0.0.1".into(),
        port,
        transport: TrunkTransport::Udp,
        username: None,
        password: None,
        shown_as: ShownAs::Asserted,
    }
}

async fn at_port(world: &World, id: CarrierId, new: &NewTrunk) {
    let tx = world.book(world.operator).await;
    set_trunk(&tx, &safe(), id, Some(new), at(0)).await.unwrap();
    tx.commit().await.unwrap();
}

async fn carriers(world: &World) -> (CarrierId, CarrierId) {
    let all = call_control::carriers(&world.book(world.operator).await).await.unwrap();
    let id = |code: &str| all.iter().find(|carrier| carrier.of.code == code).unwrap().id;
    (id("alpha"), id("beta"))
}

async fn line(world: &World, customer_id: CustomerId) {
    let tx = world.tx().await;
    let line = OutgoingLine { customer_id, number: NUMBER.into(), country_code: Some("49".into()) };
    set_outgoing_line(&tx, LineOf::Everybody, Some(&line), at(0)).await.unwrap();
    tx.commit().await.unwrap();
}

/// The three books, both carriers with an address, and Mia, whose phone dials on Anna's account.
async fn with_phone() -> (World, Control) {
    let (world, control) = open().await;
    let ptx = world.test.db.platform(db::PlatformReason::Provision).await.unwrap();
    let words = "correct horse battery staple";
    let person_id = tenant::create_person(&ptx, "mia@centre.example", "Mia", words, at(0)).await.unwrap();
    ptx.commit().await.unwrap();
    let tx = world.tx().await;
    let (name, email) = ("Mia".to_owned(), "mia@centre.example".to_owned());
    let member = NewMember { person_id, name, email, role: Role::Agent, customer_id: None };
    let member = tenant::add_member(&tx, member, at(0)).await.unwrap();
    let mia = tenant::add_agent(&tx, member, "Mia", "mia", at(0)).await.unwrap();
    tenant::open_seat(&tx, mia, at(0)).await.unwrap();
    tenant::set_agent_state(&tx, mia, AgentState::Ready, None, at(1)).await.unwrap();
    tx.commit().await.unwrap();
    let ptx = world.test.db.platform(db::PlatformReason::Provision).await.unwrap();
    tenant::set_phone_password(&ptx, world.centre, mia, "mia", "ringtill", "geheim", at(0)).await.unwrap();
    ptx.commit().await.unwrap();
    line(&world, world.anna).await;
    let (alpha, beta) = carriers(&world).await;
    at_port(&world, alpha, &new_trunk(5081)).await;
    let secret = NewTrunk { username: Some("centre".into()), password: Some("s3cret".into()), ..new_trunk(5082) };
    at_port(&world, beta, &secret).await;
    (world, control.with_safe(safe()))
}

fn dialled(called: &str, seconds: i64) -> Dialled {
    Dialled { call_id: Uuid::now_v7(), username: "mia".into(), called: called.into(), received_at: at(seconds) }
}

async fn rung(control: &Control, dialled: &Dialled) -> Trunk {
    match control.dial(dialled).await.unwrap() {
        DialDecision::Ring { trunk, .. } => trunk,
        DialDecision::Refuse { status, reason } => panic!("{status} {reason:?}"),
    }
}

async fn refused(control: &Control, dialled: &Dialled) -> (u16, RefusalReason) {
    match control.dial(dialled).await.unwrap() {
        DialDecision::Refuse { status, reason } => (status, reason),
        DialDecision::Ring { trunk, .. } => panic!("{trunk:?}"),
    }
}

fn event(dialled: &Dialled, seq: u32, seconds: i64, kind: CallEventKind) -> CallEvent {
    let offset_ms = (at(seconds) - dialled.received_at).num_milliseconds().unsigned_abs();
    CallEvent { call_id: dialled.call_id, seq, at: at(seconds), offset_ms, kind }
}

fn begun(dialled: &Dialled, seconds: i64) -> CallEvent {
    let (username, called) = (dialled.username.clone(), dialled.called.clone());
    event(dialled, 1, seconds, CallEventKind::DialStarted { username, called, sip_call_id: "1@phone".into() })
}

fn ended(dialled: &Dialled, seq: u32, seconds: i64, cause: EndCause, metered_ms: u64) -> CallEvent {
    let (sip_status, estimated, rtp_received, rtp_sent) = (None, false, 0, 0);
    let kind = CallEventKind::CallEnded { cause, sip_status, metered_ms, estimated, rtp_received, rtp_sent };
    event(dialled, seq, seconds, kind)
}

/// Calls that a carrier was given and that are decided, and those of them that were answered.
async fn tried(world: &World, id: CarrierId, seconds: i64) -> (u64, u64) {
    let tx = world.book(world.operator).await;
    let quality = call_control::carrier_quality(&tx, at(seconds)).await.unwrap().remove(&id).unwrap();
    (quality.attempts, quality.answers)
}

async fn state_of_mia(world: &World) -> AgentState {
    tenant::agent_states(&world.tx().await).await.unwrap()[0].state
}

#[tokio::test]
async fn what_an_agent_dials_is_rung_metered_by_events_and_charged_once_in_every_book() {
    let (world, control) = with_phone().await;
    // As it is dialled in Germany; beta is the cheaper one, and wants a password.
    let dialled = dialled("0151 2345678", 10);
    let trunk = rung(&control, &dialled).await;
    assert_eq!((trunk.port, trunk.called.as_str(), trunk.shown.as_str()), (5082, "+491512345678", NUMBER));
    let login = trunk.login.unwrap();
    assert_eq!((login.username.as_str(), login.password.as_str()), ("centre", "s3cret"));
    control.record(&[begun(&dialled, 10)]).await.unwrap();
    assert_eq!(state_of_mia(&world).await, AgentState::Talking, "not to be rung while she dials");
    let story = [
        event(&dialled, 2, 10, CallEventKind::CarrierRinging { attempt: 1 }),
        event(&dialled, 3, 15, CallEventKind::MeterStarted),
        event(&dialled, 4, 15, CallEventKind::CallAnswered { codec: "PCMA".into() }),
    ];
    control.record(&story).await.unwrap();
    let grant = control.renew(dialled.call_id, Duration::from_secs(48), at(63)).await.unwrap();
    assert_eq!((grant.authorised_seconds, grant.is_final), (Some(108), false)); // 48 + 60
    let end = ended(&dialled, 5, 75, EndCause::CalledHungUp, 60_000);
    for _ in 0..2 {
        control.record(&[begun(&dialled, 10), end.clone()]).await.unwrap();
        deliver(&world, at(80)).await;
    }
    assert_eq!(state_of_mia(&world).await, AgentState::Ready);
    assert_eq!(world.wallet().await, (eur("19.762"), eur("0"))); // 20.00 - 0.238
    assert_eq!(
        operator_and_reseller(&world).await,
        [(world.operator, Some(eur("0.0952")), Some(eur("0.05"))), (world.reseller, Some(eur("0.119")), None)]
    );
    let call = call_control::call(&world.tx().await, dialled.call_id.into()).await.unwrap();
    assert!(call.call.is_outgoing && call.events.iter().any(|event| event.kind == "dial_started"));
    let (alpha, beta) = carriers(&world).await;
    assert_eq!((tried(&world, alpha, 80).await, tried(&world, beta, 80).await), ((0, 0), (1, 1)));
    world.audit(at(90)).await;
}

#[tokio::test]
async fn a_carrier_that_fails_is_followed_by_the_next_and_then_there_is_none() {
    let (world, control) = with_phone().await;
    let dialled = dialled("+491512345678", 10);
    assert_eq!(rung(&control, &dialled).await.port, 5082);
    control.record(&[begun(&dialled, 10)]).await.unwrap();
    let mia = async || tenant::agent_states(&world.tx().await).await.unwrap().remove(0).state;
    assert_eq!(mia().await, AgentState::Talking, "who dials is not rung");
    let DialDecision::Ring { trunk, .. } = control.dial_next(dialled.call_id, "503", at(11)).await.unwrap() else {
        panic!("alpha is left")
    };
    assert_eq!((trunk.port, trunk.login), (5081, None));
    let last = control.dial_next(dialled.call_id, "timeout", at(16)).await.unwrap();
    assert!(matches!(last, DialDecision::Refuse { status: 480, reason: RefusalReason::NoRoute }), "{last:?}");
    let end = ended(&dialled, 2, 16, EndCause::Refused(RefusalReason::NoRoute), 0);
    control.record(&[end]).await.unwrap();
    assert_eq!(mia().await, AgentState::Ready);
    assert_eq!(world.wallet().await, (eur("20.00"), eur("0")));
    let (alpha, beta) = carriers(&world).await;
    assert_eq!((tried(&world, alpha, 80).await, tried(&world, beta, 80).await), ((1, 0), (1, 0)));
    world.audit(at(90)).await;
}

#[tokio::test]
async fn only_carriers_with_an_address_and_a_password_that_opens_are_rung() {
    let (world, control) = with_phone().await;
    let (alpha, beta) = carriers(&world).await;
    // Another secret of the program: beta's password does not open, and alpha needs none.
    let stranger = Control::new(world.test.db.clone()).with_safe(Safe::new(b"another secret of another house"));
    assert_eq!(rung(&stranger, &dialled("+491512345678", 10)).await.port, 5081);
    let tx = world.book(world.operator).await;
    set_trunk(&tx, &safe(), alpha, None, at(0)).await.unwrap();
    set_trunk(&tx, &safe(), beta, None, at(0)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(refused(&control, &dialled("+491512345678", 20)).await, (480, RefusalReason::NoRoute));
}

#[tokio::test]
async fn what_may_not_go_out_is_refused_with_its_reason_and_rings_nowhere() {
    let (world, control) = with_phone().await;
    assert_eq!(refused(&control, &dialled("mia", 10)).await, (404, RefusalReason::UnknownNumber));
    assert_eq!(refused(&control, &dialled("4711", 10)).await, (404, RefusalReason::UnknownNumber));
    assert_eq!(refused(&control, &dialled("+331512345678", 10)).await, (404, RefusalReason::NoRoute));
    // Satellite telephones are closed until somebody opens them.
    let iridium = dialled("+881612345678", 20);
    assert_eq!(refused(&control, &iridium).await, (403, RefusalReason::DestinationClosed));
    let tx = world.tx().await;
    call_control::set_customer_destination(&tx, world.anna, "satellite", Some(true), "Ada", at(21)).await.unwrap();
    tx.commit().await.unwrap();
    for (book, customer) in [(world.reseller, world.centre_customer), (world.operator, world.reseller_customer)] {
        let tx = world.book(book).await;
        call_control::set_customer_destination(&tx, customer, "satellite", Some(true), "Ada", at(21)).await.unwrap();
        tx.commit().await.unwrap();
    }
    assert_eq!(rung(&control, &dialled("+881612345678", 30)).await.port, 5081, "alpha alone knows 8816");
    let stranger = Dialled { username: "nobody".into(), ..dialled("+491512345678", 40) };
    assert_eq!(refused(&control, &stranger).await, (403, RefusalReason::NotOpen));
    let tx = world.tx().await;
    set_outgoing_line(&tx, LineOf::Everybody, None, at(41)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(refused(&control, &dialled("+491512345678", 42)).await, (403, RefusalReason::NotOpen));
    policy(&world, world.centre, None, LossGuard::Refuse).await;
    line(&world, world.firm).await;
    assert_eq!(refused(&control, &dialled("+491512345678", 43)).await, (404, RefusalReason::NoRoute));
}

#[tokio::test]
async fn a_password_stays_until_another_is_given_and_goes_with_its_user() {
    let (world, _) = with_phone().await;
    let (_, beta) = carriers(&world).await;
    let tx = world.book(world.operator).await;
    let sealed = trunk(&tx, beta).await.unwrap().unwrap().password_sealed.unwrap();
    assert!(!sealed.contains("s3cret") && !sealed.contains(&hex_of("s3cret")));
    let same = NewTrunk { username: Some("centre".into()), port: 5090, ..new_trunk(5090) };
    set_trunk(&tx, &safe(), beta, Some(&same), at(1)).await.unwrap();
    assert_eq!(trunk(&tx, beta).await.unwrap().unwrap().password_sealed, Some(sealed));
    let other = NewTrunk { username: Some("another".into()), ..same.clone() };
    let error = set_trunk(&tx, &safe(), beta, Some(&other), at(1)).await.unwrap_err();
    assert_eq!(error.to_string(), "sip_password must be there beside a user, not \"\"");
    for (broken, field) in [
        (NewTrunk { host: "not a host".into(), ..same.clone() }, "sip_host"),
        (NewTrunk { host: "-a.example".into(), ..same.clone() }, "sip_host"),
        (NewTrunk { port: 0, ..same.clone() }, "sip_port"),
        (NewTrunk { username: Some("a@b".into()), ..same.clone() }, "sip_username"),
        (NewTrunk { username: None, shown_as: ShownAs::Account, ..same.clone() }, "sip_username"),
    ] {
        let error = set_trunk(&tx, &safe(), beta, Some(&broken), at(1)).await.unwrap_err();
        assert!(error.to_string().starts_with(field), "{error}");
    }
}

fn hex_of(text: &str) -> String {
    text.bytes().map(|octet| format!("{octet:02x}")).collect()
}
