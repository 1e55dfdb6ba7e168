use crate::stage::{Stage, at, charge, eur};
use db::{CallId, CustomerId, RechargeId};
use ledger::{
    AutoRecharge, LedgerError, Promotion, RECHARGE, RechargeState, auto_recharge_of, close_breaker, decide_recharges,
    grant, recharge_arrived, recharge_failed, recharge_paid, recharges_of, set_auto_recharge, settle, top_up,
};

/// 20.00 when less than 5.00 is there; 40.00 a day, 50.00 in thirty, an hour between two attempts.
fn terms(customer_id: CustomerId) -> AutoRecharge {
    AutoRecharge {
        customer_id,
        below: eur("5.00"),
        amount: eur("20.00"),
        day_cap: eur("40.00"),
        month_cap: eur("50.00"),
        cool_off_seconds: 3600,
        is_on: true,
    }
}

async fn agreed(stage: &Stage, amount: &str) -> CustomerId {
    let customer_id = stage.customer_with(amount).await;
    let tx = stage.tx().await;
    set_auto_recharge(&tx, &terms(customer_id), at(0)).await.unwrap();
    tx.commit().await.unwrap();
    customer_id
}

async fn decide(stage: &Stage, second: i64) -> Vec<RechargeId> {
    let tx = stage.tx().await;
    let decided = decide_recharges(&tx, at(second)).await.unwrap();
    tx.commit().await.unwrap();
    decided.into_iter().map(|attempt| attempt.id).collect()
}

async fn spend(stage: &Stage, customer_id: CustomerId, amount: &str) {
    let tx = stage.tx().await;
    settle(&tx, &charge(CallId::new(), customer_id, amount), at(60)).await.unwrap();
    tx.commit().await.unwrap();
}

/// The payment arrives as it should.
async fn pay(stage: &Stage, customer_id: CustomerId, id: RechargeId, second: i64) {
    let tx = stage.tx().await;
    top_up(&tx, customer_id, eur("20.00"), &id.to_string(), "Top-up", at(second), at(second)).await.unwrap();
    assert!(recharge_paid(&tx, id, at(second)).await.unwrap());
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_wallet_asks_once_when_it_runs_low_and_within_its_caps() {
    let stage = Stage::set().await;
    let customer_id = agreed(&stage, "5.00").await;
    assert_eq!(decide(&stage, 10).await, [], "5.00 is not below 5.00");
    spend(&stage, customer_id, "0.01").await;
    let first = decide(&stage, 20).await;
    assert_eq!(first.len(), 1);
    assert_eq!(decide(&stage, 30).await, [], "one at a time");
    let message = db::claim_outbox(&stage.tx().await, RECHARGE, 9, at(30)).await.unwrap().remove(0);
    assert_eq!((message.key, message.payload["amount"].as_str()), (first[0].to_string(), Some("20.00")));
    pay(&stage, customer_id, first[0], 40).await;
    spend(&stage, customer_id, "24.00").await; // 4.99 + 20.00 - 24.00
    assert_eq!(decide(&stage, 3619).await, [], "an hour since 20 is over at 3620");
    let second = decide(&stage, 3620).await;
    pay(&stage, customer_id, second[0], 3630).await;
    spend(&stage, customer_id, "20.00").await;
    assert_eq!(decide(&stage, 9000).await, [], "40.00 in a day are asked for");
    assert_eq!(decide(&stage, 3 * 86_400).await, [], "60.00 in thirty days would be above 50.00");
    assert_eq!(decide(&stage, 32 * 86_400).await.len(), 1);
    let attempts = recharges_of(&stage.tx().await, customer_id, 9).await.unwrap();
    let states: Vec<_> = attempts.iter().map(|attempt| attempt.state).collect();
    assert_eq!(states, [RechargeState::Asked, RechargeState::Paid, RechargeState::Paid]);
    stage.audit(at(9000)).await;
}

#[tokio::test]
async fn three_failures_in_a_row_open_the_breaker_until_a_person_closes_it() {
    let stage = Stage::set().await;
    let customer_id = agreed(&stage, "1.00").await;
    for round in 0..3 {
        let asked = decide(&stage, round * 4000).await;
        let tx = stage.tx().await;
        assert!(recharge_failed(&tx, asked[0], "card declined", at(round * 4000 + 10)).await.unwrap());
        assert!(!recharge_failed(&tx, asked[0], "card declined", at(round * 4000 + 11)).await.unwrap(), "told twice");
        tx.commit().await.unwrap();
    }
    assert_eq!(decide(&stage, 100_000).await, []);
    let state = auto_recharge_of(&stage.tx().await, customer_id).await.unwrap().unwrap();
    assert_eq!((state.failures, state.breaker.unwrap().0), (3, at(8010)));
    let tx = stage.tx().await;
    close_breaker(&tx, customer_id, at(100_001)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(decide(&stage, 100_002).await.len(), 1);
}

#[tokio::test]
async fn a_payment_whose_money_does_not_arrive_opens_the_breaker() {
    let stage = Stage::set().await;
    let customer_id = agreed(&stage, "1.00").await;
    let asked = decide(&stage, 0).await;
    let tx = stage.tx().await;
    // the card was charged, the ledger could not be written
    recharge_paid(&tx, asked[0], at(10)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(decide(&stage, 100_000).await, [], "nothing is charged again");
    let state = auto_recharge_of(&stage.tx().await, customer_id).await.unwrap().unwrap();
    assert!(state.breaker.unwrap().1.contains("not in the wallet"));
}

#[tokio::test]
async fn what_is_asked_for_may_come_in_parts_and_what_a_call_gives_back_is_none_of_them() {
    let stage = Stage::set().await;
    let customer_id = agreed(&stage, "4.00").await;
    spend(&stage, customer_id, "3.00").await;
    let asked = decide(&stage, 100).await; // for 20.00
    let arrive = async |amount: &str, key: &str, second: i64| {
        let tx = stage.tx().await;
        top_up(&tx, customer_id, eur(amount), key, "Top-up", at(second), at(second)).await.unwrap();
        let closed = recharge_arrived(&tx, customer_id, at(second)).await.unwrap();
        tx.commit().await.unwrap();
        closed
    };
    assert_eq!(arrive("12.00", "one", 110).await, None, "8.00 are open");
    let gift =
        Promotion { customer_id, amount: eur("9.00"), expires_at: None, key: "gift".into(), memo: "Welcome".into() };
    let tx = stage.tx().await;
    grant(&tx, &gift, at(115)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(arrive("7.99", "two", 120).await, None, "0.01 is open, and a gift pays nothing");
    assert_eq!(arrive("0.01", "three", 130).await, Some(asked[0]));
    let state = auto_recharge_of(&stage.tx().await, customer_id).await.unwrap().unwrap();
    assert!(state.breaker.is_none());
}

#[tokio::test]
async fn two_rounds_at_once_ask_once() {
    let stage = Stage::set().await;
    agreed(&stage, "1.00").await;
    let (one, other) = (stage.tx().await, stage.tx().await);
    let first = decide_recharges(&one, at(0)).await.unwrap();
    let second = decide_recharges(&other, at(0)).await.unwrap();
    one.commit().await.unwrap();
    other.commit().await.unwrap();
    assert_eq!((first.len(), second.len()), (1, 0));
    assert_eq!(decide(&stage, 1).await, []);
}

#[tokio::test]
async fn a_cap_below_what_is_asked_for_is_refused() {
    let stage = Stage::set().await;
    let customer_id = stage.customer_with("1.00").await;
    let tx = stage.tx().await;
    for wrong in [
        AutoRecharge { day_cap: eur("19.99"), ..terms(customer_id) },
        AutoRecharge { month_cap: eur("39.99"), ..terms(customer_id) },
    ] {
        assert!(matches!(set_auto_recharge(&tx, &wrong, at(0)).await.unwrap_err(), LedgerError::CapsMustRise));
    }
    let nothing = AutoRecharge { amount: eur("0"), ..terms(customer_id) };
    assert!(matches!(set_auto_recharge(&tx, &nothing, at(0)).await.unwrap_err(), LedgerError::AmountMustBePositive(_)));
}
