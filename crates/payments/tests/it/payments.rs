use crate::world::*;
use db::TenantTx;
use ledger::{AccountKind, AccountRef};
use money::{Currency, Money};
use payments::*;

async fn receivable(tx: &TenantTx, world: &World) -> Money {
    let account = AccountRef::Customer(AccountKind::Receivable, world.client);
    ledger::balance(tx, account, Currency::EUR, at("2030-01-01T00:00:00Z")).await.unwrap()
}

async fn statuses(tx: &TenantTx, documents: &[db::DocumentId], now: &str) -> Vec<&'static str> {
    let found = status_of(tx, documents, at(now)).await.unwrap();
    documents.iter().map(|id| found[id].as_str()).collect()
}

#[tokio::test]
async fn a_payment_pays_the_oldest_document_first_and_its_rest_waits_for_the_next_one() {
    let world = World::new().await;
    let january = world.bill("2026-01-02").await;
    let february = world.bill("2026-02-02").await;
    let tx = world.tx().await;
    let now = at("2026-02-03T10:00:00Z");
    assert_eq!(receivable(&tx, &world).await, eur("-238")); // 2 x 119 are owed
    let id =
        record_payment(&tx, &world.paid(world.client, "150", "SEPA 1", "2026-02-03T09:00:00Z"), now).await.unwrap();
    // 150 - 119 = 31 on February, 119 - 31 = 88 left of it
    let items = open_items(&tx, world.client, now).await.unwrap();
    assert_eq!(
        items.items.iter().map(|item| (item.document_id, item.paid, item.open)).collect::<Vec<_>>(),
        [(february, eur("31"), eur("88"))]
    );
    assert_eq!((items.open, items.overdue, items.credit), (eur("88"), eur("0"), eur("0")));
    assert_eq!(statuses(&tx, &[january, february], "2026-02-03T10:00:00Z").await, ["paid", "part_paid"]);
    assert_eq!(receivable(&tx, &world).await, eur("-88"));
    record_payment(&tx, &world.paid(world.client, "100", "SEPA 2", "2026-02-04T09:00:00Z"), at("2026-02-04T10:00:00Z"))
        .await
        .unwrap();
    let items = open_items(&tx, world.client, now).await.unwrap();
    assert_eq!((items.items, items.credit), (vec![], eur("12"))); // 100 - 88
    let first = payment(&tx, id).await.unwrap().unwrap();
    assert_eq!((first.allocated, first.left().unwrap()), (eur("150"), eur("0")));
    tx.commit().await.unwrap();

    let march = world.bill("2026-03-02").await;
    let tx = world.tx().await;
    assert_eq!(statuses(&tx, &[march], "2026-03-02T10:00:00Z").await, ["open"]);
    assert_eq!(allocate_all_credit(&tx).await.unwrap(), 1);
    assert_eq!(statuses(&tx, &[march], "2026-03-02T10:00:00Z").await, ["part_paid"]);
    assert_eq!(
        paid_of(&tx, &[january, march]).await.unwrap().into_values().collect::<Vec<_>>(),
        [eur("119"), eur("12")]
    );
    assert_eq!(allocate_all_credit(&tx).await.unwrap(), 0);
    assert_eq!(check(&tx, now).await.unwrap(), []);
    assert_eq!(payments_of(&tx, world.client).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_document_is_overdue_from_the_day_after_its_due_date_where_the_organisation_is() {
    let world = World::new().await;
    let document = world.bill("2026-01-02").await;
    let tx = world.tx().await;
    // due on 16 January; 17 January 00:00 in Berlin is 16 January 23:00 UTC
    assert_eq!(statuses(&tx, &[document], "2026-01-16T22:59:59Z").await, ["open"]);
    assert_eq!(statuses(&tx, &[document], "2026-01-16T23:00:00Z").await, ["overdue"]);
    let items = all_open_items(&tx, at("2026-01-20T12:00:00Z")).await.unwrap();
    assert_eq!(items.iter().map(|item| (item.customer_id, item.days_overdue)).collect::<Vec<_>>(), [(world.client, 4)]);
    assert_eq!(open_items(&tx, world.client, at("2026-01-20T12:00:00Z")).await.unwrap().overdue, eur("119"));
}

#[tokio::test]
async fn a_statement_read_twice_pays_once() {
    let world = World::new().await;
    world.bill("2026-01-02").await;
    let tx = world.tx().await;
    let now = at("2026-01-05T10:00:00Z");
    let new = world.paid(world.client, "50", "SEPA 1", "2026-01-05T09:00:00Z");
    let id = record_payment(&tx, &new, now).await.unwrap();
    assert_eq!(record_payment(&tx, &new, now).await.unwrap(), id);
    assert_eq!(receivable(&tx, &world).await, eur("-69")); // 119 - 50, once
    for other in [
        NewPayment { amount: eur("51"), ..new.clone() },
        NewPayment { customer_id: world.caller, ..new.clone() },
        NewPayment { method: Method::Cash, ..new.clone() },
    ] {
        assert!(
            matches!(record_payment(&tx, &other, now).await, Err(PaymentError::ReferenceIsTaken(reference)) if reference == "SEPA 1")
        );
    }
    // a top-up's references are its own
    let topped = top_up(&tx, &NewPayment { customer_id: world.caller, ..new }, now).await.unwrap();
    assert_ne!(topped, id);
}

#[tokio::test]
async fn a_top_up_is_in_the_wallet_once_and_on_the_timeline() {
    let world = World::new().await;
    let tx = world.tx().await;
    let now = at("2026-01-05T10:00:00Z");
    let new = world.paid(world.caller, "20", "pi_1", "2026-01-05T09:00:00Z");
    let id = top_up(&tx, &new, now).await.unwrap();
    assert_eq!(top_up(&tx, &new, now).await.unwrap(), id);
    assert_eq!(ledger::wallet_of(&tx, world.caller).await.unwrap().unwrap().balance, eur("20"));
    let events = subscription::customer_events(&tx, world.caller, 10).await.unwrap();
    assert_eq!(events.iter().filter(|event| event.kind == "top_up").count(), 1);
    assert!(matches!(
        top_up(&tx, &world.paid(world.client, "5", "pi_2", "2026-01-05T09:00:00Z"), now).await,
        Err(PaymentError::Ledger(_))
    ));
}

#[tokio::test]
async fn what_breaks_a_rule_is_not_recorded() {
    let world = World::new().await;
    let tx = world.tx().await;
    let now = at("2026-01-05T10:00:00Z");
    let good = world.paid(world.client, "50", "SEPA 1", "2026-01-05T09:00:00Z");
    let with = |amount: &str| NewPayment { amount: eur(amount), ..good.clone() };
    let dollars = NewPayment { amount: Money::parse("5", Currency::USD).unwrap(), ..good.clone() };
    let stranger = NewPayment { customer_id: db::CustomerId::new(), ..good.clone() };
    assert!(matches!(record_payment(&tx, &with("0"), now).await, Err(PaymentError::AmountMustBePositive(_))));
    assert!(matches!(record_payment(&tx, &with("-1"), now).await, Err(PaymentError::AmountMustBePositive(_))));
    assert!(matches!(
        record_payment(&tx, &with("1.005"), now).await,
        Err(PaymentError::AmountMustBeWholeMinorUnits(_))
    ));
    assert!(matches!(record_payment(&tx, &dollars, now).await, Err(PaymentError::CurrencyMustMatchCustomer { .. })));
    assert!(matches!(record_payment(&tx, &stranger, now).await, Err(PaymentError::CustomerMustExist(_))));
    let blank = NewPayment { reference: " ".into(), ..good.clone() };
    assert!(matches!(record_payment(&tx, &blank, now).await, Err(PaymentError::ReferenceMustNotBeEmpty)));
    let ahead = NewPayment { received_at: at("2026-01-05T10:00:01Z"), ..good.clone() };
    assert!(matches!(record_payment(&tx, &ahead, now).await, Err(PaymentError::ReceivedMustNotLieAhead(_))));
    assert_eq!(payments(&tx, &PaymentFilter::default()).await.unwrap(), []);
}

#[tokio::test]
async fn a_credit_note_frees_what_was_paid_and_the_next_document_gets_it() {
    let world = World::new().await;
    let january = world.bill("2026-01-02").await;
    let tx = world.tx().await;
    let now = at("2026-01-05T10:00:00Z");
    let id =
        record_payment(&tx, &world.paid(world.client, "119", "SEPA 1", "2026-01-05T09:00:00Z"), now).await.unwrap();
    invoicing::credit(&tx, january, "wrong price", now).await.unwrap();
    let freed = allocate_credit(&tx, world.client).await.unwrap();
    assert_eq!(
        freed.iter().map(|share| (share.document_id, share.amount)).collect::<Vec<_>>(),
        [(january, eur("-119"))]
    );
    assert_eq!(payment(&tx, id).await.unwrap().unwrap().left().unwrap(), eur("119"));
    assert_eq!(receivable(&tx, &world).await, eur("119"));
    assert_eq!(allocate_credit(&tx, world.client).await.unwrap(), []);
    tx.commit().await.unwrap();
    let tx = world.tx().await;
    refund(&tx, &NewRefund { payment_id: id, amount: eur("19"), reference: "R-1".into(), by: "test".into() }, now)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let february = world.bill("2026-02-02").await;
    let tx = world.tx().await;
    allocate_credit(&tx, world.client).await.unwrap();
    assert_eq!(paid_of(&tx, &[february]).await.unwrap()[&february], eur("100")); // 119 - 19
    assert_eq!(check(&tx, now).await.unwrap(), []);
}

#[tokio::test]
async fn a_refund_gives_back_once_and_never_more_than_is_left() {
    let world = World::new().await;
    let tx = world.tx().await;
    let now = at("2026-01-05T10:00:00Z");
    let topped = top_up(&tx, &world.paid(world.caller, "20", "pi_1", "2026-01-05T09:00:00Z"), now).await.unwrap();
    let wish = |amount: &str, reference: &str| NewRefund {
        payment_id: topped,
        amount: eur(amount),
        reference: reference.into(),
        by: "test".into(),
    };
    refund(&tx, &wish("15", "R-1"), now).await.unwrap();
    refund(&tx, &wish("15", "R-1"), now).await.unwrap();
    assert_eq!(ledger::wallet_of(&tx, world.caller).await.unwrap().unwrap().balance, eur("5"));
    assert!(matches!(refund(&tx, &wish("14", "R-1"), now).await, Err(PaymentError::ReferenceIsTaken(_))));
    let more = refund(&tx, &wish("5.01", "R-2"), now).await;
    assert!(matches!(more, Err(PaymentError::RefundMustNotExceedPayment { left, .. }) if left == eur("5")));
    assert!(matches!(refund(&tx, &wish("0", "R-2"), now).await, Err(PaymentError::AmountMustBePositive(_))));
    assert_eq!(refunds_of(&tx, topped).await.unwrap().len(), 1);
    tx.commit().await.unwrap();
    // what pays a document is not left
    world.bill("2026-01-06").await;
    let tx = world.tx().await;
    let now = at("2026-01-07T10:00:00Z");
    let id =
        record_payment(&tx, &world.paid(world.client, "119", "SEPA 1", "2026-01-07T09:00:00Z"), now).await.unwrap();
    let gone =
        refund(&tx, &NewRefund { payment_id: id, amount: eur("1"), reference: "R-1".into(), by: "test".into() }, now)
            .await;
    assert!(matches!(gone, Err(PaymentError::RefundMustNotExceedPayment { left, .. }) if left.is_zero()));
}

#[tokio::test]
async fn two_payments_at_once_never_pay_a_document_twice() {
    let world = World::new().await;
    let document = world.bill("2026-01-02").await;
    let now = at("2026-01-05T10:00:00Z");
    // The accounts are there: opening them would make the two wait for each other by itself.
    let tx = world.tx().await;
    record_payment(&tx, &world.paid(world.client, "1", "SEPA 0", "2026-01-05T09:00:00Z"), now).await.unwrap();
    tx.commit().await.unwrap();
    let pay = async |reference: &str| {
        let tx = world.tx().await;
        record_payment(&tx, &world.paid(world.client, "100", reference, "2026-01-05T09:00:00Z"), now).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        tx.commit().await.unwrap();
    };
    tokio::join!(pay("SEPA 1"), pay("SEPA 2"));
    let tx = world.tx().await;
    assert_eq!(paid_of(&tx, &[document]).await.unwrap()[&document], eur("119"));
    assert_eq!(open_items(&tx, world.client, now).await.unwrap().credit, eur("82")); // 1 + 2 x 100 - 119
    assert_eq!(check(&tx, now).await.unwrap(), []);
}

#[tokio::test]
async fn a_portal_customer_sees_its_own_payments_and_changes_none() {
    let world = World::new().await;
    world.bill("2026-01-02").await;
    let tx = world.tx().await;
    let now = at("2026-01-05T10:00:00Z");
    record_payment(&tx, &world.paid(world.client, "50", "SEPA 1", "2026-01-05T09:00:00Z"), now).await.unwrap();
    top_up(&tx, &world.paid(world.caller, "20", "pi_1", "2026-01-05T09:00:00Z"), now).await.unwrap();
    tx.commit().await.unwrap();
    let portal = world.database.db.customer(world.tenant, world.caller).await.unwrap();
    let seen = payments(&portal, &PaymentFilter::default()).await.unwrap();
    assert_eq!(seen.iter().map(|payment| payment.customer_id).collect::<Vec<_>>(), [world.caller]);
    assert!(open_items(&portal, world.client, now).await.is_err());
    assert_eq!(all_open_items(&portal, now).await.unwrap(), []);
    assert!(top_up(&portal, &world.paid(world.caller, "20", "pi_2", "2026-01-05T09:00:00Z"), now).await.is_err());
    let tx = world.tx().await;
    for change in [
        "UPDATE payment SET amount_micros = 1",
        "DELETE FROM payment_allocation",
        "UPDATE refund SET amount_micros = 1",
    ] {
        let tx = world.tx().await;
        assert_eq!(db::sqlstate_of(&tx.run(change, []).await.unwrap_err()).as_deref(), Some("42501"), "{change}");
    }
    assert_eq!(check(&tx, now).await.unwrap(), []);
}

#[tokio::test]
async fn payments_are_listed_page_by_page_newest_first() {
    let world = World::new().await;
    let tx = world.tx().await;
    let now = at("2026-01-09T10:00:00Z");
    for day in 1..=5 {
        let received = format!("2026-01-0{day}T09:00:00Z");
        top_up(&tx, &world.paid(world.caller, "1", &format!("pi_{day}"), &received), now).await.unwrap();
    }
    let mut filter = PaymentFilter { from: Some(at("2026-01-02T00:00:00Z")), limit: 3, ..PaymentFilter::default() };
    let first = payments(&tx, &filter).await.unwrap();
    filter.after = first.last().map(|payment| payment.id);
    let second = payments(&tx, &filter).await.unwrap();
    let references = |page: &[Payment]| page.iter().map(|payment| payment.reference.clone()).collect::<Vec<_>>();
    assert_eq!(
        (references(&first), references(&second)),
        (vec!["pi_5".into(), "pi_4".into(), "pi_3".into()], vec!["pi_2".into()])
    );
}
