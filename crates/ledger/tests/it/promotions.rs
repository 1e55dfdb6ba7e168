use crate::stage::{Stage, at, charge, eur, wish};
use db::{CallId, CustomerId};
use ledger::{
    AccountKind, AccountRef, Credit, LedgerError, Promotion, Reserved, credit_of, expire_promotions, grant, reserve,
    settle,
};
use money::Currency;

async fn give(stage: &Stage, customer_id: CustomerId, amount: &str, until: Option<i64>, key: &str) -> bool {
    let promotion = Promotion {
        customer_id,
        amount: eur(amount),
        expires_at: until.map(at),
        key: key.into(),
        memo: "Welcome".into(),
    };
    let tx = stage.tx().await;
    let posted = grant(&tx, &promotion, at(10)).await.unwrap();
    tx.commit().await.unwrap();
    posted.is_new
}

async fn call(stage: &Stage, customer_id: CustomerId, amount: &str, second: i64) {
    let tx = stage.tx().await;
    settle(&tx, &charge(CallId::new(), customer_id, amount), at(second)).await.unwrap();
    tx.commit().await.unwrap();
}

async fn expire(stage: &Stage, second: i64) -> u64 {
    let tx = stage.tx().await;
    let closed = expire_promotions(&tx, at(second)).await.unwrap();
    tx.commit().await.unwrap();
    closed
}

async fn credit(stage: &Stage, customer_id: CustomerId) -> Credit {
    credit_of(&stage.tx().await, customer_id).await.unwrap().unwrap()
}

#[tokio::test]
async fn given_credit_is_used_before_paid_money_and_what_is_left_of_it_is_posted_back() {
    let stage = Stage::set().await;
    let customer_id = stage.customer_with("10.00").await;
    assert!(give(&stage, customer_id, "5.00", Some(1000), "welcome").await);
    assert!(!give(&stage, customer_id, "5.00", Some(1000), "welcome").await, "once by its key");
    call(&stage, customer_id, "2.00", 60).await;
    let before = credit(&stage, customer_id).await;
    // 10.00 + 5.00 - 2.00, of which 5.00 - 2.00 are given
    assert_eq!((before.paid, before.promotional), (eur("10.00"), eur("3.00")));
    assert_eq!(expire(&stage, 999).await, 0);
    assert_eq!(expire(&stage, 1000).await, 1);
    assert_eq!(expire(&stage, 1001).await, 0);
    let after = credit(&stage, customer_id).await;
    assert_eq!((after.paid, after.promotional, after.grants[0].expired), (eur("10.00"), eur("0"), eur("3.00")));
    assert_eq!(stage.wallet(customer_id).await.balance, eur("10.00"));
    // given 5.00, expired 3.00: the 2.00 that were used are what it cost
    let account = AccountRef::Customer(AccountKind::PromotionalCredit, customer_id);
    let cost = ledger::balance(&stage.tx().await, account, Currency::EUR, at(2000)).await.unwrap();
    assert_eq!(cost, eur("-2.00"));
    stage.audit(at(1001)).await;
}

#[tokio::test]
async fn what_a_running_call_was_promised_does_not_expire_under_it() {
    let stage = Stage::set().await;
    let customer_id = stage.customer_with("1.00").await;
    give(&stage, customer_id, "5.00", Some(100), "welcome").await;
    let running = CallId::new();
    let tx = stage.tx().await;
    let held = reserve(&tx, &wish(running, 1, customer_id, "4.00"), at(90)).await.unwrap();
    assert_eq!(held, Reserved::Open);
    tx.commit().await.unwrap();
    // 6.00 - 4.00 = 2.00 are free: so much is taken back now
    assert_eq!(expire(&stage, 110).await, 0);
    assert_eq!(stage.stands(customer_id).await, ("4.00".into(), "4.00".into()));
    let tx = stage.tx().await;
    assert!(settle(&tx, &charge(running, customer_id, "1.50"), at(120)).await.unwrap().unpaid.is_zero());
    tx.commit().await.unwrap();
    // 5.00 - 2.00 taken back - 1.50 used = 1.50
    assert_eq!(expire(&stage, 130).await, 1);
    assert_eq!(stage.stands(customer_id).await, ("1.00".into(), "0.00".into()));
    stage.audit(at(130)).await;
}

#[tokio::test]
async fn credit_that_is_used_up_expires_without_a_posting() {
    let stage = Stage::set().await;
    let customer_id = stage.customer_with("10.00").await;
    give(&stage, customer_id, "5.00", Some(100), "welcome").await;
    call(&stage, customer_id, "6.00", 60).await;
    assert_eq!(expire(&stage, 100).await, 1);
    assert_eq!(stage.wallet(customer_id).await.balance, eur("9.00")); // 10.00 + 5.00 - 6.00
    assert_eq!(credit(&stage, customer_id).await.paid, eur("9.00"));
    stage.audit(at(100)).await;
}

#[tokio::test]
async fn credit_of_nothing_or_of_yesterday_is_refused() {
    let stage = Stage::set().await;
    let customer_id = stage.customer_with("0").await;
    let promotion = |amount: &str, until: i64| Promotion {
        customer_id,
        amount: eur(amount),
        expires_at: Some(at(until)),
        key: "k".into(),
        memo: String::new(),
    };
    let tx = stage.tx().await;
    let refused = grant(&tx, &promotion("0", 100), at(10)).await.unwrap_err();
    assert!(matches!(refused, LedgerError::AmountMustBePositive(_)));
    let refused = grant(&tx, &promotion("1.00", 10), at(10)).await.unwrap_err();
    assert!(matches!(refused, LedgerError::PromotionMustNotHaveExpired(_)));
}
