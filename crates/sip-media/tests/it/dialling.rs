//! Calls out: a phone dials, a carrier takes it, both hear each other, and the meter runs from the carrier's answer on.

use crate::world::*;
use sip_media::caller::{AgentPhone, CallPlan, Caller, EndedBy, PhoneAnswer, PhonePlan};
use sip_media::*;
use std::time::Duration;
use tokio::time::timeout;

const MOBILE: &str = "+491512345678";

async fn world() -> World {
    let world = World::with(|config| {
        config.digest = DigestOffer::Md5;
        config.timing.carrier_silent = ms(600);
        config.timing.carrier_ring = ms(900);
    })
    .await;
    world.desk.employs("amy", "secret");
    world
}

async fn carrier(change: impl FnOnce(&mut PhonePlan)) -> AgentPhone {
    let mut plan = PhonePlan::new((LOOPBACK, 9).into(), "carrier", "");
    change(&mut plan);
    AgentPhone::listen(plan).await.unwrap()
}

fn to(carrier: &AgentPhone, grant: Grant) -> DialDecision {
    at_port(carrier.address().port(), TrunkTransport::Udp, grant)
}

fn at_port(port: u16, transport: TrunkTransport, grant: Grant) -> DialDecision {
    let trunk = Trunk {
        host: "127.0.0.1".into(),
        port,
        transport,
        login: None,
        called: MOBILE.into(),
        shown: "+493023125000".into(),
        shown_as: ShownAs::Asserted,
    };
    DialDecision::Ring { trunk, grant }
}

fn dialling(world: &World, talk: Duration) -> CallPlan {
    CallPlan { password: Some("secret".into()), ..CallPlan::new(world.address(), "amy", MOBILE, talk) }
}

impl Desk {
    fn routes(&self, decisions: Vec<DialDecision>) {
        self.routes.lock().unwrap().extend(decisions);
    }
}

#[tokio::test]
async fn a_phone_dials_out_hears_who_is_called_and_the_meter_runs_from_the_answer() {
    for transport in [TrunkTransport::Udp, TrunkTransport::Tcp] {
        let world = world().await;
        let mut carrier = carrier(|plan| {
            (plan.answer, plan.record, plan.tone_hertz) = (PhoneAnswer::Accept(ms(400)), true, 600.0);
        })
        .await;
        world.desk.routes(vec![at_port(carrier.address().port(), transport, unlimited())]);
        let call = tokio::spawn(Caller::call(CallPlan { record: true, ..dialling(&world, ms(2_000)) }));
        let mut called = timeout(PATIENCE, carrier.next_call()).await.unwrap().unwrap();
        called.ended().await;
        let outcome = call.await.unwrap().unwrap();
        let (called_hears, phone_hears) = (seconds_of(&called.heard(), 1000.0), seconds_of(&outcome.heard, 600.0));
        assert!(called_hears > 1.2 && phone_hears > 1.2, "called {called_hears} s, phone {phone_hears} s");
        world.desk.hears("call_ended", 1).await;
        let story = ["dial_started", "carrier_ringing", "meter_started", "call_answered", "call_ended"];
        assert_eq!(world.desk.story(), story);
        assert!(world.desk.offset_of("meter_started") - world.desk.offset_of("carrier_ringing") >= 400);
        let end = world.desk.end();
        assert_eq!(end.cause, EndCause::CallerHungUp);
        assert!((1_900..3_000).contains(&end.metered_ms), "{end:?}");
        let dialled = world.desk.dialled.lock().unwrap().clone();
        assert_eq!((dialled[0].username.as_str(), dialled[0].called.as_str()), ("amy", MOBILE));
        world.close().await;
    }
}

#[tokio::test]
async fn what_a_carrier_plays_while_it_rings_is_heard_and_costs_nothing() {
    let world = world().await;
    let _carrier = carrier(|plan| {
        (plan.answer, plan.tone_hertz) = (PhoneAnswer::Early(ms(5_000)), 425.0);
    })
    .await;
    world.desk.routes(vec![to(&_carrier, grant(60))]);
    let plan = CallPlan { record: true, cancel_after: Some(ms(800)), ..dialling(&world, ms(2_000)) };
    let outcome = Caller::call(plan).await.unwrap();
    assert_eq!((outcome.status, outcome.ended_by), (487, EndedBy::Cancelled));
    assert!(outcome.rtp_received > 15, "early media: {} packets", outcome.rtp_received);
    world.desk.hears("call_ended", 1).await;
    assert_eq!((world.desk.end().cause, world.desk.end().metered_ms), (EndCause::Cancelled, 0));
    world.close().await;
}

#[tokio::test]
async fn a_carrier_that_fails_or_is_silent_is_followed_by_the_next_and_one_that_says_busy_is_not() {
    let world = world().await;
    let full = carrier(|plan| plan.answer = PhoneAnswer::Unavailable).await;
    // A socket that nobody reads: it never answers.
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let silent = at_port(silent.local_addr().unwrap().port(), TrunkTransport::Udp, grant(60));
    let nobody = at_port(9, TrunkTransport::Tcp, grant(60));
    let busy = carrier(|plan| plan.answer = PhoneAnswer::Busy).await;
    world.desk.routes(vec![to(&full, grant(60)), silent, nobody, to(&busy, grant(60))]);
    let outcome = Caller::call(dialling(&world, ms(2_000))).await.unwrap();
    assert_eq!((outcome.status, outcome.ended_by), (486, EndedBy::Refused));
    world.desk.hears("call_ended", 1).await;
    let failures = world.desk.failures.lock().unwrap().clone();
    assert_eq!((failures.len(), &failures[..2]), (3, &["503".to_owned(), "timeout".to_owned()][..]), "{failures:?}");
    let end = world.desk.end();
    assert_eq!((end.cause, end.sip_status, end.metered_ms), (EndCause::NotReached, Some(486), 0));
    // The silent one's INVITE lasts as long as SIP wants it to, 64*T1: nobody waits for that.
    world.edge.shutdown().await;
    std::fs::remove_dir_all(&world.folder).unwrap();
}

#[tokio::test]
async fn who_does_not_come_to_the_phone_is_not_reached_and_no_other_carrier_is_asked() {
    let world = world().await;
    let rings = carrier(|plan| plan.answer = PhoneAnswer::Ring).await;
    world.desk.routes(vec![to(&rings, grant(60)), to(&rings, grant(60))]);
    let outcome = Caller::call(dialling(&world, ms(2_000))).await.unwrap();
    assert_eq!((outcome.status, outcome.ended_by), (480, EndedBy::Refused));
    world.desk.hears("call_ended", 1).await;
    assert!(world.desk.failures.lock().unwrap().is_empty());
    world.close().await;
}

#[tokio::test]
async fn a_call_out_is_cut_on_both_sides_at_the_authorised_second() {
    let world = world().await;
    let mut carrier = carrier(|_| {}).await;
    world.desk.routes(vec![to(&carrier, grant(1))]);
    let call = tokio::spawn(Caller::call(dialling(&world, ms(10_000))));
    let mut called = timeout(PATIENCE, carrier.next_call()).await.unwrap().unwrap();
    timeout(PATIENCE, called.ended()).await.unwrap();
    let outcome = call.await.unwrap().unwrap();
    assert_eq!(outcome.ended_by, EndedBy::Callee);
    world.desk.hears("call_ended", 1).await;
    let end = world.desk.end();
    assert_eq!((end.cause, end.metered_ms), (EndCause::BalanceExhausted, 1_000));
    let cut_after = end.offset_ms - world.desk.offset_of("meter_started");
    assert!((1_000..1_200).contains(&cut_after), "{cut_after} ms");
    world.close().await;
}

#[tokio::test]
async fn who_is_called_and_hangs_up_ends_the_call() {
    let world = world().await;
    let mut carrier = carrier(|_| {}).await;
    world.desk.routes(vec![to(&carrier, unlimited())]);
    let call = tokio::spawn(Caller::call(dialling(&world, ms(10_000))));
    let called = timeout(PATIENCE, carrier.next_call()).await.unwrap().unwrap();
    world.desk.hears("heartbeat", 1).await;
    called.hang_up().await;
    assert_eq!(call.await.unwrap().unwrap().ended_by, EndedBy::Callee);
    world.desk.hears("call_ended", 1).await;
    assert_eq!(world.desk.end().cause, EndCause::CalledHungUp);
    world.close().await;
}

#[tokio::test]
async fn a_number_that_is_clicked_rings_the_own_phone_first_and_then_goes_out() {
    let world = world().await;
    let mut carrier = carrier(|plan| {
        (plan.answer, plan.record, plan.tone_hertz) = (PhoneAnswer::Accept(ms(300)), true, 600.0);
    })
    .await;
    world.desk.routes(vec![to(&carrier, unlimited())]);
    assert!(!world.edge.dial("amy", MOBILE), "no phone is registered");
    let mut phone = world.phone("amy", |plan| (plan.record, plan.tone_hertz) = (true, 1000.0)).await;
    assert!(world.edge.dial("amy", MOBILE));
    let own = timeout(PATIENCE, phone.next_call()).await.unwrap().unwrap();
    let called = timeout(PATIENCE, carrier.next_call()).await.unwrap().unwrap();
    tokio::time::sleep(ms(1_500)).await;
    own.hang_up().await;
    world.desk.hears("call_ended", 1).await;
    let (called_hears, phone_hears) = (seconds_of(&called.heard(), 1000.0), seconds_of(&own.heard(), 600.0));
    assert!(called_hears > 1.0 && phone_hears > 1.0, "called {called_hears} s, phone {phone_hears} s");
    let story = ["dial_started", "carrier_ringing", "meter_started", "call_answered", "call_ended"];
    assert_eq!(world.desk.story(), story);
    let end = world.desk.end();
    assert_eq!(end.cause, EndCause::CallerHungUp);
    assert!((1_400..3_000).contains(&end.metered_ms), "{end:?}");
    drop(phone);
    world.close().await;
}

#[tokio::test]
async fn nobody_dials_out_without_the_password_of_a_phone() {
    let world = world().await;
    for (from, password) in [("amy", "wrong"), ("nobody", "secret")] {
        let plan = CallPlan { from: from.into(), password: Some(password.into()), ..dialling(&world, ms(500)) };
        assert_eq!(Caller::call(plan).await.unwrap().status, 407, "{from}");
    }
    assert!(world.desk.dialled.lock().unwrap().is_empty());
    world.desk.routes(vec![DialDecision::Refuse { status: 403, reason: RefusalReason::DestinationClosed }]);
    let outcome = Caller::call(dialling(&world, ms(500))).await.unwrap();
    assert_eq!(outcome.status, 403);
    world.desk.hears("call_ended", 1).await;
    assert_eq!(world.desk.end().cause, EndCause::Refused(RefusalReason::DestinationClosed));
    // Call control away: nothing rings.
    assert_eq!(Caller::call(dialling(&world, ms(500))).await.unwrap().status, 503);
    world.close().await;
}
