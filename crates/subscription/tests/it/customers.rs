use crate::world::*;
use money::{Currency, Money};
use sea_orm::FromQueryResult;
use subscription::*;

fn anna() -> NewCustomer {
    NewCustomer::prepaid("C-00001", "Anna Ähre", Currency::EUR, "Europe/Berlin", "DE", on("2026-01-31"))
}

/// Creates Anna under the next number, as accepting a quote does.
async fn numbered(tx: &db::TenantTx) -> String {
    let customer_no = next_customer_no(tx).await.unwrap();
    let new = NewCustomer { customer_no: customer_no.clone(), ..anna() };
    create_customer(tx, &new, at("2026-01-31T08:00:00Z")).await.unwrap();
    customer_no
}

#[tokio::test]
async fn a_prepaid_customer_gets_its_wallet_and_a_postpaid_one_none() {
    let world = World::new().await;
    let tx = world.tx().await;
    let now = at("2026-01-31T08:00:00Z");
    let floor = Money::parse("-10", Currency::EUR).unwrap();
    let prepaid = create_customer(&tx, &NewCustomer { floor, ..anna() }, now).await.unwrap();
    let wallet = ledger::wallet_of(&tx, prepaid).await.unwrap().unwrap();
    assert_eq!((wallet.balance, wallet.floor), (Money::zero(Currency::EUR), floor));
    let postpaid = NewCustomer::postpaid("C-00002", "Ben", Currency::EUR, "Europe/Berlin", "DE", on("2026-01-01"));
    let postpaid = create_customer(&tx, &postpaid, now).await.unwrap();
    assert_eq!(ledger::wallet_of(&tx, postpaid).await.unwrap(), None);
    assert_eq!(next_customer_no(&tx).await.unwrap(), "C-00003");
    let stored = customer(&tx, prepaid).await.unwrap().unwrap();
    assert_eq!(
        (stored.name.as_str(), stored.billing, stored.anchor_on),
        ("Anna Ähre", Billing::Prepaid, on("2026-01-31"))
    );
}

#[tokio::test]
async fn a_customer_that_breaks_a_rule_is_refused_with_field_rule_and_value() {
    let world = World::new().await;
    let now = at("2026-01-31T08:00:00Z");
    let floor = |text: &str| Money::parse(text, Currency::EUR).unwrap();
    let cases = [
        (NewCustomer { name: " ".into(), ..anna() }, is("name", "must_not_be_empty", " ")),
        (NewCustomer { customer_no: String::new(), ..anna() }, is("customer_no", "must_not_be_empty", "")),
        (NewCustomer { email: Some("anna".into()), ..anna() }, is("email", "must_be_email", "anna")),
        (NewCustomer { time_zone: "Mars/Base".into(), ..anna() }, is("time_zone", "must_be_time_zone", "Mars/Base")),
        (NewCustomer { country: "de".into(), ..anna() }, is("country", "must_be_country", "de")),
        (NewCustomer { payment_terms_days: 366, ..anna() }, is("payment_terms_days", "must_lie_between", "366")),
        (NewCustomer { floor: floor("1"), ..anna() }, is("floor", "floor_must_not_be_positive", "1.00 EUR")),
        (NewCustomer { floor: Money::zero(Currency::USD), ..anna() }, is("floor", "currency_must_match", "USD")),
        (
            NewCustomer { billing: Billing::Postpaid, floor: floor("-1"), ..anna() },
            is("floor", "postpaid_has_no_floor", "-1.00 EUR"),
        ),
        // Calls before the anchor would be on no bill; a year that was mistyped would be billed month by month.
        (NewCustomer { anchor_on: on("2026-02-01"), ..anna() }, is("anchor_on", "must_not_lie_ahead", "2026-02-01")),
        (
            NewCustomer { anchor_on: on("2016-01-30"), ..anna() },
            is("anchor_on", "must_lie_within_ten_years", "2016-01-30"),
        ),
    ];
    for (new, expected) in cases {
        let tx = world.tx().await;
        assert_eq!(refused(create_customer(&tx, &new, now).await), expected);
        assert_eq!(customer_count(&tx).await.unwrap(), 0, "nothing is stored of what is refused");
    }
    let tx = world.tx().await;
    create_customer(&tx, &anna(), now).await.unwrap();
    assert_eq!(refused(create_customer(&tx, &anna(), now).await), is("customer_no", "must_be_free", "C-00001"));
}

#[tokio::test]
async fn customers_are_found_by_the_beginning_of_their_name_page_by_page() {
    let world = World::new().await;
    let tx = world.tx().await;
    let now = at("2026-01-31T08:00:00Z");
    for (no, name) in ["Mara", "marabel", "MARA", "Mark", "Zoë", "Mär"].iter().enumerate() {
        let new = NewCustomer { customer_no: format!("C-{no}"), name: name.to_string(), ..anna() };
        create_customer(&tx, &new, now).await.unwrap();
    }
    let prefix = Some("Mara".to_owned());
    let mut filter = CustomerFilter { prefix, after: None, limit: 2 };
    let first = customers(&tx, &filter).await.unwrap();
    filter.after = first.last().map(|customer| customer.id);
    let second = customers(&tx, &filter).await.unwrap();
    let names = |page: &[Customer]| page.iter().map(|customer| customer.name.clone()).collect::<Vec<_>>();
    assert_eq!((names(&first), names(&second)), (vec!["Mara".into(), "MARA".into()], vec!["marabel".into()]));
    assert_eq!(customers(&tx, &CustomerFilter::default()).await.unwrap().len(), 6);
}

/// Under the policy a search may only use leakproof operators; `lower(name)` in the query would read the whole book.
#[tokio::test]
async fn a_search_by_name_reads_the_index_under_the_policy() {
    #[derive(FromQueryResult)]
    struct Line {
        #[sea_orm(from_alias = "QUERY PLAN")]
        line: String,
    }
    let world = World::new().await;
    let tx = world.tx().await;
    tx.run("SET LOCAL enable_seqscan = off", []).await.unwrap();
    let plan: Vec<Line> = tx
        .rows(
            "EXPLAIN SELECT id FROM customer WHERE tenant_id = $1 AND name_key ~>=~ $2 AND name_key ~<~ $3",
            [world.tenant.into(), "ma".into(), "ma\u{10FFFF}".into()],
        )
        .await
        .unwrap();
    let plan = plan.into_iter().map(|line| line.line).collect::<Vec<_>>().join("\n");
    assert!(plan.contains("customer_by_name") && plan.contains("name_key ~>=~"), "{plan}");
    let condition = plan.lines().find(|line| line.contains("Index Cond")).unwrap_or_default();
    assert!(condition.contains("name_key"), "the name is compared in the index, not after it: {plan}");
}

#[tokio::test]
async fn a_phone_belongs_to_one_customer_of_a_book_and_a_closed_one_is_not_found_by_it() {
    let world = World::new().await;
    let (anna, ben) = (world.customer("C-1", "Europe/Berlin").await, world.customer("C-2", "Europe/Berlin").await);
    let tx = world.tx().await;
    let now = at("2026-01-02T00:00:00Z");
    add_phone(&tx, anna, "+491701234567", now).await.unwrap();
    add_phone(&tx, anna, "+491701234567", now).await.unwrap();
    assert_eq!(refused(add_phone(&tx, ben, "+491701234567", now).await), is("e164", "must_be_free", "+491701234567"));
    for wrong in ["0170123", "+0170123", "+12", "+1234567890123456", "+49 170", ""] {
        assert_eq!(refused(add_phone(&tx, ben, wrong, now).await), is("e164", "must_be_e164", wrong));
    }
    assert_eq!(customer_by_phone(&tx, "+491701234567").await.unwrap().unwrap().id, anna);
    assert_eq!(phones_of(&tx, anna).await.unwrap(), ["+491701234567"]);
    close_customer(&tx, anna, at("2026-02-01T00:00:00Z")).await.unwrap();
    assert_eq!(customer_by_phone(&tx, "+491701234567").await.unwrap(), None);
}

#[tokio::test]
async fn five_wrong_pins_make_an_account_wait_even_for_the_right_one() {
    let world = World::new().await;
    let anna = world.customer("C-1", "Europe/Berlin").await;
    let ben = world.customer("C-2", "Europe/Berlin").await;
    let tx = world.tx().await;
    let now = at("2026-03-01T10:00:00Z");
    set_pin(&tx, anna, "4711", "2580", now).await.unwrap();
    assert_eq!(refused(set_pin(&tx, ben, "4711", "1111", now).await), is("account_no", "must_be_free", "4711"));
    assert_eq!(refused(set_pin(&tx, anna, "47x", "2580", now).await), is("account_no", "must_be_digits", "***"));
    assert_eq!(refused(set_pin(&tx, anna, "4711", "25", now).await), is("pin", "must_be_digits", "**"));
    assert_eq!(customer_by_pin(&tx, "4711", "2580", now).await.unwrap(), PinCheck::Known(anna));
    assert_eq!(customer_by_pin(&tx, "9999", "2580", now).await.unwrap(), PinCheck::Wrong);
    for _ in 0..5 {
        assert_eq!(customer_by_pin(&tx, "4711", "0000", now).await.unwrap(), PinCheck::Wrong);
    }
    // 10:00:00 + 60 s
    let until = at("2026-03-01T10:01:00Z");
    assert_eq!(customer_by_pin(&tx, "4711", "2580", now).await.unwrap(), PinCheck::Throttled { until });
    assert_eq!(customer_by_pin(&tx, "4711", "0000", until).await.unwrap(), PinCheck::Wrong);
    // the sixth doubles it: 10:01:00 + 120 s
    let until = at("2026-03-01T10:03:00Z");
    assert_eq!(
        customer_by_pin(&tx, "4711", "2580", at("2026-03-01T10:02:59Z")).await.unwrap(),
        PinCheck::Throttled { until }
    );
    assert_eq!(customer_by_pin(&tx, "4711", "2580", until).await.unwrap(), PinCheck::Known(anna));
    // and the right one forgets them all
    assert_eq!(customer_by_pin(&tx, "4711", "0000", until).await.unwrap(), PinCheck::Wrong);
    assert_eq!(customer_by_pin(&tx, "4711", "2580", until).await.unwrap(), PinCheck::Known(anna));
}

#[tokio::test]
async fn a_timeline_tells_what_happened_newest_first() {
    let world = World::new().await;
    let anna = world.customer("C-1", "Europe/Berlin").await;
    let tx = world.tx().await;
    add_customer_event(
        &tx,
        anna,
        "top_up",
        "Topped up 20.00 EUR.",
        at("2026-02-01T08:00:00Z"),
        at("2026-02-01T09:00:00Z"),
    )
    .await
    .unwrap();
    let events = customer_events(&tx, anna, 10).await.unwrap();
    let told: Vec<_> = events.iter().map(|event| (event.kind.as_str(), event.at)).collect();
    assert_eq!(told, [("top_up", at("2026-02-01T08:00:00Z")), ("created", at("2026-01-01T08:00:00Z"))]);
}

#[tokio::test]
async fn the_billing_period_of_a_customer_is_a_month_from_its_anchor_in_its_zone() {
    let world = World::new().await;
    let tx = world.tx().await;
    let id = create_customer(&tx, &anna(), at("2026-01-31T08:00:00Z")).await.unwrap();
    let anna = customer(&tx, id).await.unwrap().unwrap();
    // 28 Feb 00:00 in Berlin is 27 Feb 23:00 UTC; 31 Mar 00:00 is in summer time, 30 Mar 22:00 UTC.
    let period = billing_period_of_customer(&anna, at("2026-02-27T23:00:00Z")).unwrap();
    assert_eq!(
        (period.position, period.starts_at, period.ends_at),
        (1, at("2026-02-27T23:00:00Z"), at("2026-03-30T22:00:00Z"))
    );
    assert_eq!((period.starts_on, period.ends_on), (on("2026-02-28"), on("2026-03-31")));
    let before = billing_period_of_customer(&anna, at("2026-01-30T22:59:59Z"));
    assert_eq!(refused(before).1, "must_not_precede_start");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_customers_that_are_created_at_once_get_two_numbers() {
    let world = std::sync::Arc::new(World::new().await);
    let first = world.tx().await;
    assert_eq!(numbered(&first).await, "C-00001");
    let second = tokio::spawn({
        let world = world.clone();
        async move {
            let tx = world.tx().await;
            let customer_no = numbered(&tx).await;
            tx.commit().await.unwrap();
            customer_no
        }
    });
    world.database.until_somebody_waits().await;
    first.commit().await.unwrap();
    assert_eq!(second.await.unwrap(), "C-00002");
}
