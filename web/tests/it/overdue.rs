//! Who is told by letter that an invoice is overdue, or that a term was renewed: each once.

use crate::letters::{send, subjects, with_post};
use crate::world::{NUMBER, World, flat, founded, start};
use chrono::{DateTime, NaiveDate, Utc};
use db::{CallId, CustomerId, DocumentId};
use money::{Currency, Money};
use payments::{Method, NewPayment};
use ringtill::worker;
use subscription::{NewCustomer, NewPlanVersion, NewSubscription};

fn at(instant: &str) -> DateTime<Utc> {
    instant.parse().unwrap()
}

pub fn eur(text: &str) -> Money {
    Money::parse(text, Currency::EUR).unwrap()
}

/// Pays by invoice within 14 days.
pub async fn kim(world: &World) -> CustomerId {
    let anchor_on = NaiveDate::from_ymd_opt(2026, 1, 1).unwrap();
    let new = NewCustomer {
        email: Some("kim@post.example".into()),
        ..NewCustomer::postpaid("N-9", "Kim Roth", Currency::EUR, "Europe/Berlin", "DE", anchor_on)
    };
    let tx = world.nord().await;
    let kim = subscription::create_customer(&tx, &new, founded()).await.unwrap();
    tx.commit().await.unwrap();
    kim
}

/// A plan from 1 March on, the month ahead; with a term of so many months.
pub async fn subscribe(world: &World, customer_id: CustomerId, amount: &str, term_months: u32) {
    let tx = world.nord().await;
    let plan = subscription::create_plan(&tx, "advice", "Advice", "", false).await.unwrap();
    let terms = NewPlanVersion {
        trial_days: 0,
        term_months,
        ..NewPlanVersion::monthly(Currency::EUR, vec![flat("platform", amount)])
    };
    let plan_version_id = subscription::publish_version(&tx, plan, &terms, founded()).await.unwrap();
    let anchor_on = NaiveDate::from_ymd_opt(2026, 3, 1).unwrap();
    let starts_at = at("2026-02-28T23:00:00Z"); // midnight in Berlin
    let new = NewSubscription { customer_id, plan_version_id, seats: 0, anchor_on, starts_at, trial: false };
    subscription::subscribe(&tx, &new, start()).await.unwrap();
    tx.commit().await.unwrap();
}

/// Bills what there is until a day; the customer's newest invoice.
pub async fn bill(world: &World, customer_id: CustomerId, on: &str) -> DocumentId {
    let now = at(&format!("{on}T10:00:00Z"));
    let tx = world.nord().await;
    while usage_metering::fold(&tx, now).await.unwrap() > 0 {}
    let run = invoicing::plan_run(&tx, now.date_naive(), "test", now).await.unwrap();
    invoicing::draft_some(&tx, run, 50, now).await.unwrap();
    invoicing::finalise_some(&tx, run, 50, now).await.unwrap();
    let filter = invoicing::DocumentFilter { customer_id: Some(customer_id), ..Default::default() };
    let document = invoicing::documents(&tx, &filter).await.unwrap().first().expect("there is an invoice").id;
    tx.commit().await.unwrap();
    document
}

/// Ten minutes on a topic of 0.60 a minute.
async fn call(world: &World, customer_id: CustomerId, day: &str) {
    let began = at(&format!("{day}T10:00:00Z"));
    let call = call_control::FinishedCall {
        call_id: CallId::new(),
        called: NUMBER.into(),
        caller: None,
        customer_id,
        digit: 1,
        agent_id: None,
        handled_by: call_control::HandledBy::Core,
        started_at: began,
        answered_at: Some(began),
        meter_started_at: Some(began),
        ended_at: began + chrono::TimeDelta::minutes(10),
        metered_ms: 600_000,
        end_cause: sip_media::EndCause::CallerHungUp,
        language: None,
        region: None,
    };
    let tx = world.nord().await;
    call_control::settle_finished(&tx, std::slice::from_ref(&call), began + chrono::TimeDelta::hours(1)).await.unwrap();
    tx.commit().await.unwrap();
}

pub async fn number(world: &World, document: DocumentId) -> String {
    invoicing::document(&world.nord().await, document).await.unwrap().document.number
}

/// The morning of a day: who is past due is looked for, twice, and letters are sent.
async fn morning_of(world: &World, day: &str) {
    world.app.clock.travel_to(at(&format!("{day}T08:00:00Z")));
    for _ in 0..2 {
        worker::past_due(&world.app, world.app.clock.now()).await.unwrap();
        while worker::round(&world.app).await.unwrap() {}
        send(world).await;
    }
}

#[actix_web::test]
async fn a_caller_without_a_plan_is_told_of_each_overdue_invoice_once() {
    let (world, postbox) = with_post().await;
    let kim = kim(&world).await;
    call(&world, kim, "2026-01-10").await;
    let january = bill(&world, kim, "2026-02-02").await;
    call(&world, kim, "2026-02-10").await;
    let february = bill(&world, kim, "2026-03-02").await;
    let (january, february) = (number(&world, january).await, number(&world, february).await);
    // Due on 16 February, and looked for since 2 March only; the other one is due on 16 March.
    morning_of(&world, "2026-03-03").await;
    assert_eq!(subjects(&postbox), [format!("Invoice {january} is overdue")]);
    let letter = &postbox.letters()[0];
    for words in [january.as_str(), "6.00 was due on 16 Feb 2026.", "To: \"Kim Roth\" <kim@post.example>"] {
        assert!(letter.contains(words), "{words} in {letter}");
    }
    assert!(!letter.contains(&february), "it is not due yet: {letter}");
    morning_of(&world, "2026-03-16").await;
    assert_eq!(postbox.letters().len(), 1, "due today is not overdue");
    morning_of(&world, "2026-03-17").await;
    assert_eq!(subjects(&postbox)[1..], [format!("Invoice {february} is overdue")]);
    // 6.00 + 6.00
    assert!(postbox.letters()[1].contains("12.00"), "what is overdue in all: {}", postbox.letters()[1]);
}

#[actix_web::test]
async fn a_subscriber_is_told_of_a_second_overdue_invoice_too_and_of_a_paid_one_never() {
    let (world, postbox) = with_post().await;
    let kim = kim(&world).await;
    subscribe(&world, kim, "29.00", 1).await;
    let march = bill(&world, kim, "2026-03-02").await;
    let april = bill(&world, kim, "2026-04-02").await;
    let may = bill(&world, kim, "2026-05-02").await;
    let (march, april, may) = (number(&world, march).await, number(&world, april).await, number(&world, may).await);
    morning_of(&world, "2026-03-17").await;
    morning_of(&world, "2026-04-17").await;
    assert_eq!(subjects(&postbox), [march, april].map(|number| format!("Invoice {number} is overdue")));
    // 29.00 x 1.19 = 34.51 each; all three are paid before the third is due
    let tx = world.nord().await;
    let payment = NewPayment {
        customer_id: kim,
        amount: eur("103.53"),
        method: Method::BankTransfer,
        reference: "K-1".into(),
        by: "a test".into(),
        received_at: world.app.clock.now(),
    };
    payments::record_payment(&tx, &payment, world.app.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
    morning_of(&world, "2026-05-17").await;
    assert_eq!(postbox.letters().len(), 2, "{may} is paid");
}

#[actix_web::test]
async fn a_renewal_is_told_by_letter_once() {
    let (world, postbox) = with_post().await;
    let kim = kim(&world).await;
    subscribe(&world, kim, "29.00", 3).await;
    morning_of(&world, "2026-05-31").await;
    assert_eq!(postbox.letters().len(), 0);
    // three months from 1 March
    morning_of(&world, "2026-06-01").await;
    morning_of(&world, "2026-06-02").await;
    assert_eq!(subjects(&postbox), ["Advice was renewed"]);
    let letter = &postbox.letters()[0];
    for words in
        ["Its term was over on 1 Jun 2026, and the next one has begun.", "https://ringtill.example/portal/plan"]
    {
        assert!(letter.contains(words), "{words} in {letter}");
    }
}
