//! Credit that is given, how far below zero a wallet may go, and a wallet that asks for money by itself.

use crate::api::Machine;
use crate::browser::{Browser, pages};
use crate::letters::{send, subjects, with_post};
use crate::world::{World, start};
use actix_web::test::TestRequest;
use chrono::TimeDelta;
use ledger::RechargeState;
use money::{Currency, Money};
use payments::{Method, NewPayment};
use ringtill::worker;
use serde_json::json;

fn eur(text: &str) -> Money {
    Money::parse(text, Currency::EUR).unwrap()
}

async fn work_until(world: &World, days: i64) {
    world.app.clock.travel_to(start() + TimeDelta::days(days));
    while worker::round(&world.app).await.unwrap() {}
    send(world).await;
}

/// Jonas, who has 50.00, wants to keep 60.00 and is asked for 20.00, at most twice in a month.
const TERMS: [(&str, &str); 6] = [
    ("is_on", "yes"),
    ("below", "60.00"),
    ("amount", "20.00"),
    ("day_cap", "20.00"),
    ("month_cap", "40.00"),
    ("pause", "24"),
];

#[actix_web::test]
async fn credit_is_given_once_and_what_expires_is_posted_back() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let mut nord = Browser::new(&pages);
    nord.sign_in("admin@nord.example").await;
    let path = format!("/admin/customers/{}/wallet", world.jonas);
    let page = nord.get(&path).await;
    assert!(page.body.contains("Give credit") && page.body.contains("No credit given"), "{}", page.body);
    let asks = page.body.split("name=\"is_on\"").nth(1).and_then(|rest| rest.split('>').next());
    assert!(
        asks.is_some_and(|tag| !tag.contains("checked")),
        "nobody has agreed that it asks by itself: {}",
        page.body
    );
    let token = page.token();
    for (credit, memo, last_day, words) in [
        ("0", "Welcome", "", "Is not above zero"),
        ("5.00", "", "", "Must not be empty."),
        ("5.00", "Welcome", "2026-03-01", "Must not lie in the past."),
        ("5,00", "Welcome", "", "Must"),
    ] {
        let fields = [("credit", credit), ("memo", memo), ("last_day", last_day), ("key", "once")];
        let refused = nord.post(&format!("{path}/credits"), &token, &fields).await;
        assert_eq!(refused.status, 422, "{credit} {memo} {last_day}");
        let said = refused.body.to_lowercase();
        assert!(said.contains(&words.to_lowercase()), "{words}: {}", refused.body);
        assert!(memo.is_empty() || refused.body.contains(memo), "what was typed is kept");
    }
    // Sent twice, as an impatient hand does, it is given once.
    let fields = [("credit", "5.00"), ("memo", "Welcome"), ("last_day", "2026-03-10"), ("key", "once")];
    for _ in 0..2 {
        assert_eq!(nord.post(&format!("{path}/credits"), &token, &fields).await.to(), path);
    }
    let page = nord.get(&path).await;
    assert!(page.body.contains("€55.00") && page.body.contains("10 Mar 2026"), "{}", page.body);
    // Midnight after 10 March in Berlin: what is left is posted back, not forgotten.
    world.app.clock.travel_to("2026-03-10T23:00:00Z".parse().unwrap());
    while worker::round(&world.app).await.unwrap() {}
    let wallet = ledger::wallet_of(&world.nord().await, world.jonas).await.unwrap().unwrap();
    assert_eq!(wallet.balance, eur("50.00"));
}

#[actix_web::test]
async fn a_credit_limit_covers_what_is_used_already() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let mut nord = Browser::new(&pages);
    nord.sign_in("admin@nord.example").await;
    let path = format!("/admin/customers/{}/wallet", world.jonas);
    let token = nord.get(&path).await.token();
    let refused = nord.post(&format!("{path}/credit-limit"), &token, &[("limit", "-5")]).await;
    assert_eq!(refused.status, 422);
    assert!(refused.body.contains("Must not be negative."), "{}", refused.body);
    assert_eq!(nord.post(&format!("{path}/credit-limit"), &token, &[("limit", "30.00")]).await.to(), path);
    let tx = world.nord().await;
    let wallet = ledger::wallet_of(&tx, world.jonas).await.unwrap().unwrap();
    assert_eq!((wallet.floor, wallet.available().unwrap()), (eur("-30.00"), eur("80.00"))); // 50.00 + 30.00
    drop(tx);
    // 70.00 go out: 20.00 below zero
    let tx = world.nord().await;
    let entries = vec![
        (ledger::AccountRef::Customer(ledger::AccountKind::Wallet, world.jonas), eur("-70.00")),
        (ledger::AccountRef::Book(ledger::AccountKind::Revenue), eur("70.00")),
    ];
    ledger::post(&tx, &ledger::Posting::new("test", "1", "", start(), entries).unwrap(), start()).await.unwrap();
    tx.commit().await.unwrap();
    let refused = nord.post(&format!("{path}/credit-limit"), &token, &[("limit", "10.00")]).await;
    assert_eq!(refused.status, 422);
    assert!(refused.body.contains("Less than what is used already"), "{}", refused.body);
}

#[actix_web::test]
async fn a_wallet_that_runs_low_asks_by_letter_and_a_top_up_answers() {
    let (world, postbox) = with_post().await;
    let pages = pages(&world).await;
    let mut nord = Browser::new(&pages);
    nord.sign_in("admin@nord.example").await;
    let path = format!("/admin/customers/{}/wallet", world.jonas);
    let token = nord.get(&path).await.token();
    // Nobody can be asked without an address.
    let refused = nord.post(&format!("{path}/recharge"), &token, &TERMS).await;
    assert_eq!(refused.status, 422);
    assert!(refused.body.contains("e-mail address"), "{}", refused.body);
    let machine = Machine::new(&pages, world.mighty_key(world.nord).await);
    let customer = format!("/v1/customers/{}", world.jonas);
    machine.patch(&customer, &json!({"email": "jonas@post.example"})).await;
    let mut caps = TERMS;
    caps[3].1 = "19.00";
    let refused = nord.post(&format!("{path}/recharge"), &token, &caps).await;
    assert_eq!(refused.status, 422);
    assert!(refused.body.contains("cap is at least what is asked for"), "{}", refused.body);
    assert_eq!(nord.post(&format!("{path}/recharge"), &token, &TERMS).await.to(), path);

    work_until(&world, 0).await;
    work_until(&world, 1).await;
    let asked = subjects(&postbox);
    assert!(asked.len() == 1 && asked[0].starts_with("Please top up =?utf-8?b?4oKsMjAuMDA="), "{asked:?}"); // 20.00 with its sign
    let letter = postbox.letters().remove(0);
    for words in ["reference N-1", "IBAN DE02120300000000202051"] {
        assert!(letter.contains(words), "{words} in {letter}");
    }
    // 20.00 come in: what was asked for is paid, and as 70.00 are there nothing more is asked.
    let tx = world.nord().await;
    let at = world.app.clock.now();
    let new = NewPayment {
        customer_id: world.jonas,
        amount: eur("20.00"),
        method: Method::BankTransfer,
        reference: "N-1 March".into(),
        received_at: at,
        by: "a test".into(),
    };
    payments::top_up(&tx, &new, at).await.unwrap();
    tx.commit().await.unwrap();
    let asked = machine.get(&format!("{customer}/recharges")).await.json();
    assert_eq!((&asked["data"][0]["state"], asked["data"].as_array().unwrap().len()), (&json!("paid"), 1));
    work_until(&world, 9).await;
    assert_eq!(postbox.letters().len(), 1);
}

#[actix_web::test]
async fn who_never_answers_is_asked_three_times_and_then_no_more_until_a_person_says_so() {
    let (world, postbox) = with_post().await;
    let pages = pages(&world).await;
    let machine = Machine::new(&pages, world.mighty_key(world.nord).await);
    let customer = format!("/v1/customers/{}", world.jonas);
    machine.patch(&customer, &json!({"email": "jonas@post.example"})).await;
    let euro = |amount: &str| json!({"amount": amount, "currency": "EUR"});
    let terms = json!({
        "is_on": true, "below": euro("60.00"), "amount": euro("20.00"), "day_cap": euro("20.00"),
        "month_cap": euro("40.00"), "cool_off_seconds": 86_400,
    });
    let put = TestRequest::put().uri(&format!("{customer}/auto-recharge"));
    let put = put.insert_header(("content-type", "application/json")).set_payload(terms.to_string());
    assert_eq!(machine.send(put).await.status, 200);
    // Asked on day 0; after seven days without money it has failed, and the next is asked.
    for day in 0..=40 {
        work_until(&world, day).await;
    }
    assert_eq!(postbox.letters().len(), 3);
    let state = machine.get(&format!("{customer}/auto-recharge")).await.json();
    assert_eq!(state["failures"], json!(3));
    assert!(state["stopped_because"].as_str().unwrap().contains("no money came within 7 days"), "{state}");
    let attempts = ledger::recharges_of(&world.nord().await, world.jonas, 9).await.unwrap();
    assert!(attempts.iter().all(|attempt| attempt.state == RechargeState::Failed), "{attempts:?}");
    let reset = machine.post(&format!("{customer}/auto-recharge/reset"), "r-1", &json!({})).await.json();
    assert_eq!(reset["stopped_at"], json!(null));
    work_until(&world, 41).await;
    assert_eq!(postbox.letters().len(), 4);
}

#[actix_web::test]
async fn a_machine_gives_credit_and_sees_what_was_paid_and_what_was_given() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let machine = Machine::new(&pages, world.mighty_key(world.nord).await);
    let customer = format!("/v1/customers/{}", world.jonas);
    let credits = format!("{customer}/credits");
    for (body, pointer) in [
        (json!({"amount": {"amount": "0", "currency": "EUR"}, "memo": "Welcome"}), "/amount"),
        (json!({"amount": {"amount": "5", "currency": "EUR"}, "memo": " "}), "/memo"),
        (json!({"amount": {"amount": "5", "currency": "USD"}, "memo": "Welcome"}), "/amount/currency"),
        (
            json!({"amount": {"amount": "5", "currency": "EUR"}, "memo": "Welcome", "expires_at": "2026-03-02T10:00:00Z"}),
            "/expires_at",
        ),
    ] {
        let refused = machine.post(&credits, pointer, &body).await;
        assert_eq!((refused.field().0, refused.field().1.as_str()), (422, pointer), "{}", refused.text());
    }
    let body =
        json!({"amount": {"amount": "5", "currency": "EUR"}, "memo": "Welcome", "expires_at": "2026-04-01T00:00:00Z"});
    let given = machine.post(&credits, "c-1", &body).await;
    assert_eq!((given.status, &given.json()["left"]["amount"]), (201, &json!("5.00")));
    assert_eq!(machine.post(&credits, "c-1", &body).await.json(), given.json());
    let wallet = machine.get(&format!("{customer}/wallet")).await.json();
    for (name, amount) in [("balance", "55.00"), ("paid", "50.00"), ("promotional", "5.00")] {
        assert_eq!(wallet[name]["amount"], json!(amount), "{name}");
    }
}
