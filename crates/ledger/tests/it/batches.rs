use crate::stage::{Stage, at, charge, eur, wish};
use db::{CallId, CustomerId};
use ledger::{Reserve, Reserved, Settle, Settled, reserve, reserve_batch, settle, settle_batch};
use money::Money;

/// The same story for every book: three wallets of 10.00, 2.00 and 0.00; wishes and charges below, with repeats and overdrafts.
fn story(customers: &[CustomerId], calls: &[CallId]) -> (Vec<Reserve>, Vec<Settle>) {
    let [rich, poor, empty] = [customers[0], customers[1], customers[2]];
    let wishes = vec![
        wish(calls[0], 1, rich, "6.00"),
        wish(calls[1], 1, rich, "5.00"), // denied: 10.00 - 6.00 = 4.00
        wish(calls[2], 1, rich, "4.00"), // still fits
        wish(calls[0], 1, rich, "6.00"), // repeat
        wish(calls[3], 1, poor, "1.50"),
        wish(calls[3], 2, poor, "0.50"),
        wish(calls[4], 1, empty, "0.000001"), // denied
    ];
    let charges = vec![
        charge(calls[0], rich, "5.50"),
        charge(calls[2], rich, "9.00"), // 10.00 - 5.50 = 4.50 can be paid, 4.50 cannot
        charge(calls[0], rich, "5.50"), // repeat
        charge(calls[3], poor, "1.75"), // over both reservations: 1.50 + 0.25
        charge(calls[4], empty, "0"),
        charge(calls[5], empty, "0.30"), // nothing can be paid
    ];
    (wishes, charges)
}

#[tokio::test]
async fn a_batch_comes_to_the_same_as_its_calls_one_by_one() {
    type Outcome = (Vec<Reserved>, Vec<(bool, Money)>, Vec<String>);
    let mut outcomes: Vec<Outcome> = Vec::new();
    for in_batches in [false, true] {
        let stage = Stage::set().await;
        let mut customers = Vec::new();
        for amount in ["10.00", "2.00", "0"] {
            customers.push(stage.customer_with(amount).await);
        }
        let calls: Vec<CallId> = (0..6).map(|_| CallId::new()).collect();
        let (wishes, charges) = story(&customers, &calls);
        let tx = stage.tx().await;
        let (mut reserved, mut settled): (Vec<Reserved>, Vec<Settled>) = (Vec::new(), Vec::new());
        if in_batches {
            reserved = reserve_batch(&tx, &wishes, at(0)).await.unwrap();
            settled = settle_batch(&tx, &charges, at(60)).await.unwrap();
        } else {
            for wish in &wishes {
                reserved.push(reserve(&tx, wish, at(0)).await.unwrap());
            }
            for charge in &charges {
                settled.push(settle(&tx, charge, at(60)).await.unwrap());
            }
        }
        tx.commit().await.unwrap();
        let mut stands = Vec::new();
        for id in &customers {
            stands.push(format!("{:?}", stage.stands(*id).await));
        }
        stands.push(used(&stage).await);
        stage.audit(at(60)).await;
        outcomes.push((reserved, settled.iter().map(|s| (s.posted.is_new, s.unpaid)).collect(), stands));
    }
    assert_eq!(outcomes[0], outcomes[1]);
    let (reserved, settled, stands) = &outcomes[1];
    assert_eq!(reserved[1], Reserved::Denied { available: eur("4.00") });
    let unpaid: Vec<_> = settled.iter().map(|(_, unpaid)| unpaid.format_plain()).collect();
    assert_eq!(unpaid, ["0.00", "4.50", "0.00", "0.00", "0.00", "0.30"]);
    // rich 10.00 - 5.50 - 4.50; poor 2.00 - 1.75; empty 0.00
    assert_eq!(stands[..3], [r#"("0.00", "0.00")"#, r#"("0.25", "0.00")"#, r#"("0.00", "0.00")"#]);
    assert_eq!(stands[3], "5.50 of 6.00, 4.00 of 4.00, 1.50 of 1.50, 0.25 of 0.50");
}

/// What of each settled reservation was used, in the order of the calls.
async fn used(stage: &Stage) -> String {
    let tx = stage.tx().await;
    let text: Option<String> = tx
        .value(
            "SELECT string_agg(format('%s of %s', round(used_micros / 1e6, 2), round(amount_micros / 1e6, 2)), ', ' ORDER BY amount_micros DESC) AS v
             FROM reservation WHERE tenant_id = $1 AND state = 'settled'",
            [stage.tenant_id.into()],
        )
        .await
        .unwrap();
    text.unwrap_or_default()
}

#[tokio::test]
async fn a_batch_again_changes_nothing() {
    let stage = Stage::set().await;
    let customer_id = stage.customer_with("10.00").await;
    let charges: Vec<Settle> = (0..4).map(|_| charge(CallId::new(), customer_id, "3.00")).collect();
    let mut told = Vec::new();
    for _ in 0..2 {
        let tx = stage.tx().await;
        told.push(settle_batch(&tx, &charges, at(60)).await.unwrap());
        tx.commit().await.unwrap();
    }
    // 10.00 - 3 x 3.00 = 1.00 for the fourth: 2.00 unpaid, also when told again
    for round in &told {
        assert_eq!(round[3].unpaid, eur("2.00"));
    }
    assert!(told[0].iter().all(|s| s.posted.is_new) && told[1].iter().all(|s| !s.posted.is_new));
    assert_eq!(stage.wallet(customer_id).await.balance, eur("0"));
    stage.audit(at(60)).await;
}
