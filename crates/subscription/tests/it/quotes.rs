//! An estimate becomes a quote, and an accepted quote becomes plan, version, customer and subscription, once.

use crate::world::*;
use money::{Currency, Money};
use serde_json::json;
use subscription::*;

const NOW: &str = "2026-03-10T12:00:00Z";

fn prospect() -> Prospect {
    Prospect {
        name: "Nordwind GmbH".into(),
        email: Some("office@nordwind.example".into()),
        time_zone: "Europe/Berlin".into(),
        country: "DE".into(),
        address_lines: vec!["Am Kai 1".into()],
        tax_id: None,
        payment_terms_days: 30,
        billing: Billing::Postpaid,
    }
}

fn offer() -> NewQuote {
    let commitment = Money::parse("500", Currency::EUR).unwrap();
    NewQuote {
        plan_name: "Support for Nordwind".into(),
        plan_description: "500 a month at least".into(),
        terms: NewPlanVersion {
            commitment,
            ..NewPlanVersion::monthly(Currency::EUR, vec![usage("calls", "calls", &[])])
        },
        seats: 0,
        quantities: [("calls".to_owned(), 300.into())].into(),
        with_trial: false,
        customer: QuotedCustomer::New(prospect()),
        estimate_id: None,
        note: String::new(),
        valid_until: at("2026-04-01T00:00:00Z"),
    }
}

#[tokio::test]
async fn an_estimate_is_kept_and_shared_by_a_link_that_is_stored_only_as_a_hash() {
    let world = World::new().await;
    let tx = world.tx().await;
    let new = NewEstimate { name: "Nordwind".into(), input: json!({"calls": 900}), result: json!({"agents": 4}) };
    let id = save_estimate(&tx, &new, "Ann", at(NOW)).await.unwrap();
    assert!(!estimate(&tx, id).await.unwrap().unwrap().is_shared);
    let first = share_estimate(&tx, id).await.unwrap();
    let second = share_estimate(&tx, id).await.unwrap();
    assert_eq!(tenant_of_token(&first), Some(world.tenant));
    assert_eq!(estimate_by_token(&tx, &second).await.unwrap().unwrap().result, json!({"agents": 4}));
    // a new link is the only one; half a link is none
    assert_eq!(estimate_by_token(&tx, &first).await.unwrap(), None);
    assert_eq!(estimate_by_token(&tx, &second[..second.len() - 1]).await.unwrap(), None);
    let stored: Option<i64> = tx
        .value("SELECT count(*) AS v FROM estimate WHERE token_hash = convert_to($1, 'UTF8')", [second.into()])
        .await
        .unwrap();
    assert_eq!(stored, Some(0));
    assert_eq!(estimates(&tx, None, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_accepted_quote_becomes_plan_version_customer_and_subscription() {
    let world = World::new().await;
    let tx = world.tx().await;
    let (id, token) = create_quote(&tx, &offer(), &[], "Ann", at(NOW)).await.unwrap();
    let open = quote_by_token(&tx, &token).await.unwrap().unwrap();
    assert_eq!((open.id, open.number.as_str(), open.state_at(at(NOW))), (id, "Q-00001", QuoteState::Open));
    assert_eq!(open.terms, offer().terms);
    let accepted = accept_quote(&tx, &token, &Acceptance::by("Kim Lind"), &[], at(NOW)).await.unwrap();
    let who = customer(&tx, accepted.customer_id).await.unwrap().unwrap();
    assert_eq!((who.name.as_str(), who.payment_terms_days, who.anchor_on), ("Nordwind GmbH", 30, on("2026-03-10")));
    let sold = history(&tx, accepted.subscription_id).await.unwrap().unwrap();
    assert_eq!(sold.plan_at(at(NOW)).terms(), offer().terms);
    assert_eq!(plan(&tx, sold.plan_at(at(NOW)).plan_id).await.unwrap().unwrap().code, "q-00001");
    // a second click finds what the first has made
    assert_eq!(accept_quote(&tx, &token, &Acceptance::by("Kim Lind"), &[], at(NOW)).await.unwrap(), accepted);
    let stored = quote(&tx, id).await.unwrap().unwrap();
    assert_eq!((stored.state_at(at(NOW)), stored.accepted_by.as_deref()), (QuoteState::Accepted, Some("Kim Lind")));
    assert_eq!(refused(withdraw_quote(&tx, id, at(NOW)).await), is("quote_id", "must_be_open_quote", "accepted"));
}

#[tokio::test]
async fn a_quote_is_not_accepted_after_its_end_or_when_it_was_withdrawn() {
    let world = World::new().await;
    let tx = world.tx().await;
    let (id, token) = create_quote(&tx, &offer(), &[], "Ann", at(NOW)).await.unwrap();
    let late = at("2026-04-01T00:00:00Z");
    assert_eq!(
        refused(accept_quote(&tx, &token, &Acceptance::by("Kim"), &[], late).await),
        is("quote", "must_be_open_quote", "expired")
    );
    withdraw_quote(&tx, id, at(NOW)).await.unwrap();
    withdraw_quote(&tx, id, at(NOW)).await.unwrap();
    assert_eq!(
        refused(accept_quote(&tx, &token, &Acceptance::by("Kim"), &[], at(NOW)).await),
        is("quote", "must_be_open_quote", "withdrawn")
    );
    let unknown = accept_quote(&tx, &token.replace(['0', '1', '2'], "3"), &Acceptance::by("Kim"), &[], at(NOW)).await;
    assert!(matches!(unknown, Err(SubscriptionError::NotFound { kind: "quote", .. })));
    assert_eq!(customer_count(&tx).await.unwrap(), 0);
}

#[tokio::test]
async fn a_quote_that_could_not_be_sold_is_refused() {
    let world = World::new().await;
    let anna = world.customer("C-1", "Europe/Berlin").await;
    let tx = world.tx().await;
    let terms = offer().terms;
    let dollars = NewPlanVersion::monthly(Currency::USD, vec![]);
    for (new, expected) in [
        (NewQuote { plan_name: "".into(), ..offer() }, is("plan_name", "must_not_be_empty", "")),
        (NewQuote { valid_until: at(NOW), ..offer() }, is("valid_until", "must_lie_ahead", "2026-03-10T12:00:00Z")),
        (
            NewQuote { terms: NewPlanVersion { term_months: 0, ..terms.clone() }, ..offer() },
            is("term_months", "must_lie_between", "0"),
        ),
        (
            NewQuote { terms: NewPlanVersion { trial_days: 0, ..terms.clone() }, with_trial: true, ..offer() },
            is("with_trial", "trial_needs_days", "Support for Nordwind"),
        ),
        (
            NewQuote { terms: NewPlanVersion { seat_limit: Some(2), ..terms }, seats: 3, ..offer() },
            is("seats", "must_not_exceed_seat_limit", "3"),
        ),
        (NewQuote { seats: 3, ..offer() }, is("seats", "seats_must_be_counted", "3")),
        (
            NewQuote { customer: QuotedCustomer::New(Prospect { country: "Germany".into(), ..prospect() }), ..offer() },
            is("country", "must_be_country", "Germany"),
        ),
        (
            NewQuote {
                customer: QuotedCustomer::Known(anna),
                terms: dollars,
                quantities: Default::default(),
                ..offer()
            },
            is("terms/currency", "currency_must_match", "USD"),
        ),
    ] {
        assert_eq!(refused(create_quote(&tx, &new, &[], "Ann", at(NOW)).await), expected);
    }
    assert_eq!(quotes(&tx, None, 10).await.unwrap(), []);
}

#[tokio::test]
async fn twenty_who_accept_at_once_make_one_subscription() {
    let world = World::new().await;
    let tx = world.tx().await;
    let (_, token) = create_quote(&tx, &offer(), &[], "Ann", at(NOW)).await.unwrap();
    tx.commit().await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (db, tenant, token) = (world.database.db.clone(), world.tenant, token.clone());
        tasks.spawn(async move {
            let tx = db.tenant(tenant).await.unwrap();
            let accepted = accept_quote(&tx, &token, &Acceptance::by("Kim"), &[], at(NOW)).await.unwrap();
            tx.commit().await.unwrap();
            accepted.subscription_id
        });
    }
    let mut made = tasks.join_all().await;
    made.sort_unstable();
    made.dedup();
    assert_eq!(made.len(), 1);
    let tx = world.tx().await;
    assert_eq!((customer_count(&tx).await.unwrap(), plans(&tx).await.unwrap().len()), (1, 1));
}

#[tokio::test]
async fn who_accepts_writes_the_details_that_stand_on_the_documents_and_may_pay_before() {
    let world = World::new().await;
    let tx = world.tx().await;
    let prepaid = Prospect { billing: Billing::Prepaid, ..prospect() };
    let new = NewQuote { customer: QuotedCustomer::New(prepaid), ..offer() };
    let (id, token) = create_quote(&tx, &new, &[], "Ann", at(NOW)).await.unwrap();
    let acceptance = Acceptance {
        name: "Kim Lind".into(),
        email: Some("kim@nordwind.example".into()),
        company: Some("Nordwind Nord GmbH".into()),
        address_lines: vec!["Am Kai 2".into(), "20457 Hamburg".into()],
        country: Some("DE".into()),
        tax_id: Some("DE811569869".into()),
    };
    let wrong = Acceptance { email: Some("kim".into()), ..acceptance.clone() };
    assert_eq!(refused(accept_quote(&tx, &token, &wrong, &[], at(NOW)).await), is("email", "must_be_email", "kim"));
    let accepted = accept_quote(&tx, &token, &acceptance, &[], at(NOW)).await.unwrap();
    let who = customer(&tx, accepted.customer_id).await.unwrap().unwrap();
    assert_eq!((who.name.as_str(), who.billing), ("Nordwind Nord GmbH", Billing::Prepaid));
    assert_eq!((who.email.as_deref(), who.address_lines.len()), (Some("kim@nordwind.example"), 2));
    assert!(ledger::wallet_of(&tx, accepted.customer_id).await.unwrap().is_some(), "a prepaid customer has a wallet");
    assert_eq!(quote(&tx, id).await.unwrap().unwrap().acceptance, Some(acceptance));
}

#[tokio::test]
async fn a_quote_may_charge_by_the_meters_that_only_its_book_has() {
    let world = World::new().await;
    let tx = world.tx().await;
    let terms = NewPlanVersion::monthly(Currency::EUR, vec![usage("chats", "chats", &[])]);
    let new = NewQuote { terms, quantities: [("chats".to_owned(), 40.into())].into(), ..offer() };
    let unknown = refused(create_quote(&tx, &new, &[], "Ann", at(NOW)).await);
    assert_eq!((unknown.0.as_str(), unknown.1), ("components/chats/measure", "must_be_known_measure"));
    let chats = [Measure::new("chats", &[])];
    let (id, token) = create_quote(&tx, &new, &chats, "Ann", at(NOW)).await.unwrap();
    assert_eq!(quote(&tx, id).await.unwrap().unwrap().terms, new.terms);
    let accepted = accept_quote(&tx, &token, &Acceptance::by("Kim"), &chats, at(NOW)).await.unwrap();
    let sold = plan_version(&tx, accepted.plan_version_id).await.unwrap().unwrap();
    assert_eq!(sold.components[0].measure.as_deref(), Some("chats"));
}

#[tokio::test]
async fn further_links_open_the_same_quote_and_a_sent_one_says_to_whom() {
    let world = World::new().await;
    let tx = world.tx().await;
    let (id, first) = create_quote(&tx, &offer(), &[], "Ann", at(NOW)).await.unwrap();
    let second = link_quote(&tx, id, "Ann", at(NOW)).await.unwrap();
    assert_eq!(refused(send_quote(&tx, id, "nobody", at(NOW)).await), is("email", "must_be_email", "nobody"));
    send_quote(&tx, id, "kim@nordwind.example", at(NOW)).await.unwrap();
    for token in [&first, &second] {
        assert_eq!(quote_by_token(&tx, token).await.unwrap().map(|quote| quote.id), Some(id));
    }
    let sent = quote(&tx, id).await.unwrap().unwrap();
    assert_eq!((sent.sent_to.as_deref(), sent.sent_at), (Some("kim@nordwind.example"), Some(at(NOW))));
    let accepted = accept_quote(&tx, &second, &Acceptance::by("Kim"), &[], at(NOW)).await.unwrap();
    assert_eq!(accept_quote(&tx, &first, &Acceptance::by("Kim"), &[], at(NOW)).await.unwrap(), accepted);
    assert_eq!(refused(link_quote(&tx, id, "Ann", at(NOW)).await), is("quote_id", "must_be_open_quote", "accepted"));
}

#[tokio::test]
async fn quotes_and_estimates_are_read_page_by_page_newest_first() {
    let world = World::new().await;
    let tx = world.tx().await;
    for minute in 0..5 {
        let now = at(&format!("2026-03-10T12:0{minute}:00Z"));
        create_quote(&tx, &offer(), &[], "Ann", now).await.unwrap();
        let new = NewEstimate { name: format!("E{minute}"), input: json!({}), result: json!({}) };
        save_estimate(&tx, &new, "Ann", now).await.unwrap();
    }
    let (mut numbers, mut after) = (Vec::new(), None);
    loop {
        let page = quotes(&tx, after, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some((last.created_at, last.id));
        numbers.extend(page.into_iter().map(|quote| quote.number));
    }
    assert_eq!(numbers, ["Q-00005", "Q-00004", "Q-00003", "Q-00002", "Q-00001"]);
    let first = estimates(&tx, None, 3).await.unwrap();
    let rest = estimates(&tx, first.last().map(|last| (last.created_at, last.id)), 3).await.unwrap();
    let names: Vec<String> = first.into_iter().chain(rest).map(|estimate| estimate.name).collect();
    assert_eq!(names, ["E4", "E3", "E2", "E1", "E0"]);
}
