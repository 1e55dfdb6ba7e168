use crate::stage::{Stage, at, charge, eur, wish};
use db::CallId;
use ledger::{
    AccountKind, AccountRef, LedgerError, Leg, Reserved, Together, expire_leases, extend_lease, release, reserve,
    set_floor, settle, settle_together, top_up,
};

#[tokio::test]
async fn money_is_promised_before_it_is_used_and_the_rest_comes_back() {
    let stage = Stage::set().await;
    let customer_id = stage.customer_with("10.00").await;
    let call = CallId::new();
    let tx = stage.tx().await;
    assert_eq!(reserve(&tx, &wish(call, 1, customer_id, "3.00"), at(0)).await.unwrap(), Reserved::Open);
    assert_eq!(reserve(&tx, &wish(call, 2, customer_id, "3.00"), at(50)).await.unwrap(), Reserved::Open);
    tx.commit().await.unwrap();
    assert_eq!(stage.stands(customer_id).await, ("10.00".into(), "6.00".into()));
    let tx = stage.tx().await;
    let settled = settle(&tx, &charge(call, customer_id, "4.25"), at(80)).await.unwrap();
    tx.commit().await.unwrap();
    assert!(settled.posted.is_new && settled.unpaid.is_zero());
    assert_eq!(stage.stands(customer_id).await, ("5.75".into(), "0.00".into())); // 10.00 - 4.25
    stage.audit(at(80)).await;
}

#[tokio::test]
async fn a_wallet_promises_down_to_its_floor_and_not_a_micro_below() {
    let stage = Stage::set().await;
    let customer_id = stage.customer_with("1.00").await;
    let tx = stage.tx().await;
    // (wanted, floor, is held): available = 1.00 - floor
    let cases = [("1.000001", "0", false), ("1.00", "0", true), ("1.500001", "-0.50", false), ("1.50", "-0.50", true)];
    for (wanted, floor, is_held) in cases {
        let call = CallId::new();
        set_floor(&tx, customer_id, eur(floor), at(0)).await.unwrap();
        let answer = reserve(&tx, &wish(call, 1, customer_id, wanted), at(0)).await.unwrap();
        let available = eur("1.00").checked_sub(eur(floor)).unwrap();
        assert_eq!(
            answer,
            if is_held { Reserved::Open } else { Reserved::Denied { available } },
            "{wanted} at {floor}"
        );
        release(&tx, call, Leg::Caller, at(0)).await.unwrap();
    }
}

#[tokio::test]
async fn a_repeated_reservation_gets_the_stored_decision_and_takes_nothing() {
    let stage = Stage::set().await;
    let customer_id = stage.customer_with("5.00").await;
    let (held, denied) = (CallId::new(), CallId::new());
    let tx = stage.tx().await;
    for _ in 0..3 {
        assert_eq!(reserve(&tx, &wish(held, 1, customer_id, "4.00"), at(0)).await.unwrap(), Reserved::Open);
        let answer = reserve(&tx, &wish(denied, 1, customer_id, "4.00"), at(0)).await.unwrap();
        assert_eq!(answer, Reserved::Denied { available: eur("1.00") }); // 5.00 - 4.00
    }
    // money arrives: the stored refusal stays, the next wish is another one
    top_up(&tx, customer_id, eur("10.00"), "second", "", at(1), at(1)).await.unwrap();
    assert!(matches!(
        reserve(&tx, &wish(denied, 1, customer_id, "4.00"), at(2)).await.unwrap(),
        Reserved::Denied { .. }
    ));
    assert_eq!(reserve(&tx, &wish(denied, 2, customer_id, "4.00"), at(2)).await.unwrap(), Reserved::Open);
    tx.commit().await.unwrap();
    assert_eq!(stage.stands(customer_id).await, ("15.00".into(), "8.00".into()));
    stage.audit(at(2)).await;
}

#[tokio::test]
async fn a_call_is_settled_once_however_often_it_is_told() {
    let stage = Stage::set().await;
    let customer_id = stage.customer_with("10.00").await;
    let call = CallId::new();
    let tx = stage.tx().await;
    reserve(&tx, &wish(call, 1, customer_id, "3.00"), at(0)).await.unwrap();
    let first = settle(&tx, &charge(call, customer_id, "2.00"), at(60)).await.unwrap();
    tx.commit().await.unwrap();
    for amount in ["2.00", "9.99", "0"] {
        let tx = stage.tx().await;
        let again = settle(&tx, &charge(call, customer_id, amount), at(61)).await.unwrap();
        assert_eq!((again.posted.transaction_id, again.posted.is_new), (first.posted.transaction_id, false));
        tx.commit().await.unwrap();
    }
    assert_eq!(stage.stands(customer_id).await, ("8.00".into(), "0.00".into())); // 10.00 - 2.00, once
    stage.audit(at(61)).await;
}

#[tokio::test]
async fn a_call_and_what_corrects_it_are_charged_together_and_free_its_promise_once() {
    let stage = Stage::set().await;
    let customer_id = stage.customer_with("10.00").await;
    let (call, other) = (CallId::new(), CallId::new());
    let tx = stage.tx().await;
    reserve(&tx, &wish(call, 1, customer_id, "3.00"), at(0)).await.unwrap();
    reserve(&tx, &wish(other, 1, customer_id, "2.00"), at(0)).await.unwrap();
    let together = Together {
        customer_id,
        leg: Leg::Caller,
        charges: vec![(call, eur("2.50")), (call, eur("1.25"))],
        kind: "usage",
        key: "batch 1".into(),
        memo: "Calls of a day".into(),
        effective_at: at(60),
        entries: vec![(AccountRef::Book(AccountKind::Revenue), eur("3.75"))], // 2.50 + 1.25
    };
    let settled = settle_together(&tx, &together, at(60)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(settled.unpaid, [eur("0"), eur("0")]);
    assert_eq!(stage.stands(customer_id).await, ("6.25".into(), "2.00".into())); // what the other call was promised
    stage.audit(at(60)).await;
}

#[tokio::test]
async fn a_free_call_gives_its_promise_back_and_is_settled_too() {
    let stage = Stage::set().await;
    let customer_id = stage.customer_with("10.00").await;
    let call = CallId::new();
    let tx = stage.tx().await;
    reserve(&tx, &wish(call, 1, customer_id, "3.00"), at(0)).await.unwrap();
    assert!(settle(&tx, &charge(call, customer_id, "0"), at(60)).await.unwrap().posted.is_new);
    // the same call cannot be charged afterwards
    assert!(!settle(&tx, &charge(call, customer_id, "3.00"), at(61)).await.unwrap().posted.is_new);
    tx.commit().await.unwrap();
    assert_eq!(stage.stands(customer_id).await, ("10.00".into(), "0.00".into()));
}

#[tokio::test]
async fn a_lease_that_nobody_extends_expires_and_one_that_is_extended_does_not() {
    let stage = Stage::set().await;
    let customer_id = stage.customer_with("10.00").await;
    let (lost, alive) = (CallId::new(), CallId::new());
    let tx = stage.tx().await;
    reserve(&tx, &wish(lost, 1, customer_id, "3.00"), at(0)).await.unwrap(); // leases end at 180
    reserve(&tx, &wish(alive, 1, customer_id, "2.00"), at(0)).await.unwrap();
    assert_eq!(extend_lease(&tx, alive, Leg::Caller, at(360), at(170)).await.unwrap(), 1);
    assert_eq!(extend_lease(&tx, alive, Leg::Caller, at(200), at(171)).await.unwrap(), 1); // never shorter
    assert_eq!(expire_leases(&tx, at(180)).await.unwrap(), 0);
    assert_eq!(expire_leases(&tx, at(300)).await.unwrap(), 1);
    assert_eq!(expire_leases(&tx, at(300)).await.unwrap(), 0);
    tx.commit().await.unwrap();
    assert_eq!(stage.stands(customer_id).await, ("10.00".into(), "2.00".into()));
    // what is no longer held is no longer promised
    let tx = stage.tx().await;
    assert!(matches!(
        reserve(&tx, &wish(lost, 1, customer_id, "3.00"), at(301)).await.unwrap(),
        Reserved::Denied { .. }
    ));
    drop(tx);
    stage.audit(at(300)).await;
}

#[tokio::test]
async fn the_audit_finds_a_reservation_that_outlives_its_lease() {
    let stage = Stage::set().await;
    let customer_id = stage.customer_with("10.00").await;
    let tx = stage.tx().await;
    reserve(&tx, &wish(CallId::new(), 1, customer_id, "3.00"), at(0)).await.unwrap(); // ends at 180
    let found = ledger::check_ledger(&tx, at(300)).await.unwrap();
    assert_eq!(found.iter().map(|violation| violation.invariant).collect::<Vec<_>>(), ["I14"]);
}

#[tokio::test]
async fn what_a_call_used_beyond_its_lost_promise_is_bad_debt_and_the_wallet_keeps_its_floor() {
    let stage = Stage::set().await;
    let customer_id = stage.customer_with("5.00").await;
    let (late, other) = (CallId::new(), CallId::new());
    let tx = stage.tx().await;
    reserve(&tx, &wish(late, 1, customer_id, "4.00"), at(0)).await.unwrap();
    expire_leases(&tx, at(181)).await.unwrap();
    // while the edge was away another call was promised 3.00 of the 5.00
    reserve(&tx, &ledger::Reserve { lease_until: at(999), ..wish(other, 1, customer_id, "3.00") }, at(182))
        .await
        .unwrap();
    let settled = settle(&tx, &charge(late, customer_id, "4.00"), at(200)).await.unwrap();
    tx.commit().await.unwrap();
    // 5.00 - 3.00 promised = 2.00 can be paid; 4.00 - 2.00 = 2.00 cannot
    assert_eq!(settled.unpaid, eur("2.00"));
    assert_eq!(stage.stands(customer_id).await, ("3.00".into(), "3.00".into()));
    let tx = stage.tx().await;
    // told again, the same is told
    assert_eq!(settle(&tx, &charge(late, customer_id, "4.00"), at(201)).await.unwrap().unpaid, eur("2.00"));
    // the other call still gets what it was promised
    assert!(settle(&tx, &charge(other, customer_id, "3.00"), at(202)).await.unwrap().unpaid.is_zero());
    tx.commit().await.unwrap();
    assert_eq!(stage.stands(customer_id).await, ("0.00".into(), "0.00".into()));
    stage.audit(at(202)).await;
}

#[tokio::test]
async fn a_floor_cannot_be_raised_above_what_the_wallet_has() {
    let stage = Stage::set().await;
    let customer_id = stage.customer_with("0").await;
    let tx = stage.tx().await;
    set_floor(&tx, customer_id, eur("-10.00"), at(0)).await.unwrap();
    reserve(&tx, &wish(CallId::new(), 1, customer_id, "4.00"), at(0)).await.unwrap();
    let refused = set_floor(&tx, customer_id, eur("-3.99"), at(1)).await.unwrap_err();
    assert!(matches!(refused, LedgerError::WalletMustKeepItsFloor), "{refused:?}");
}

#[tokio::test]
async fn the_database_refuses_a_reservation_of_a_wallet_that_is_not_there() {
    let stage = Stage::set().await;
    let customer_id = stage.customer_with("10.00").await;
    let forged = stage
        .tx()
        .await
        .run(
            "INSERT INTO reservation (tenant_id, call_id, leg, seq, wallet_id, customer_id, amount_micros, state, created_at, lease_until)
             VALUES ($1, $2, 'caller', 1, $2, $3, 1, 'open', now(), now())",
            [stage.tenant_id.into(), CallId::new().into(), customer_id.into()],
        )
        .await;
    assert_eq!(db::constraint_of(&forged.unwrap_err()).as_deref(), Some("reservations_have_a_wallet"));
}
