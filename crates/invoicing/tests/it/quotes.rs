//! What a quote on paper says: which price holds for what, until when, and whom to ask.

use crate::world::{POSTPAID, World, at, component};
use invoicing::InvoicingError;
use money::Currency;
use pricing::Price;
use serde_json::json;
use std::collections::BTreeMap;
use std::process::Command;
use subscription::{ComponentKind, NewPlanVersion, NewQuote, QuotedCustomer};

/// Calls at 0.10 each up to 1,000 and at 0.05 beyond, by a model of tiers.
fn quote(model: &str, customer: db::CustomerId) -> NewQuote {
    let tiers = json!([{ "up_to": "1000", "unit": "0.10" }, { "up_to": null, "unit": "0.05" }]);
    let price = Price::from_json(&json!({ "model": model, "tiers": tiers })).unwrap();
    let calls = component("calls", ComponentKind::Usage, Some("calls"), price);
    NewQuote {
        plan_name: "Support for Alpenblick".into(),
        plan_description: String::new(),
        terms: NewPlanVersion { trial_days: 0, ..NewPlanVersion::monthly(Currency::EUR, vec![calls]) },
        seats: 0,
        quantities: BTreeMap::from([("calls".to_owned(), 1200.into())]),
        with_trial: false,
        customer: QuotedCustomer::Known(customer),
        estimate_id: None,
        note: String::new(),
        // The first instant of 21 December in Berlin: the 20th is the last day.
        valid_until: at("2026-12-20T23:00:00Z"),
    }
}

/// The words of a quote's PDF, one blank between them.
async fn words(world: &World, new: &NewQuote, by: &str) -> String {
    let tx = world.tx().await;
    let (id, _) = subscription::create_quote(&tx, new, &[], by, at("2026-11-25T09:00:00Z")).await.unwrap();
    let quote = subscription::quote(&tx, id).await.unwrap().unwrap();
    let bytes = invoicing::quote_pdf(&tx, &quote, None).await.unwrap();
    let file = std::env::temp_dir().join(format!("{}.pdf", uuid::Uuid::now_v7()));
    std::fs::write(&file, bytes).unwrap();
    let said = Command::new("pdftotext").arg("-layout").arg(&file).arg("-").output();
    std::fs::remove_file(&file).unwrap();
    let said = said.expect("pdftotext reads what was printed: install poppler-utils");
    let text = String::from_utf8(said.stdout).unwrap().replace('\u{a0}', " ");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn a_quote_on_paper_tells_volume_from_graduated_tiers() {
    let world = World::new().await;
    let customer = world.customer(POSTPAID).await;
    // 1,000 x 0.10 + 200 x 0.05 = 110.00; by volume all 1,200 are 0.05 each: 60.00
    for (model, total, said, never) in [
        ("graduated", "110.00", ["up to 1,000", "above"], "in all"),
        ("volume", "60.00", ["each, if in all up to 1,000", "each, if more in all"], "above"),
    ] {
        let text = words(&world, &quote(model, customer), "Ann Lee").await;
        for word in said.into_iter().chain([total, "20 December 2026", "Ann Lee"]) {
            assert!(text.contains(word), "{model}: {word} is not in {text}");
        }
        assert!(!text.contains(never), "{model}: {never} is in {text}");
        assert!(!text.contains("21 December"), "{text}");
    }
}

#[tokio::test]
async fn a_quote_that_a_program_wrote_names_no_key_to_its_reader() {
    let world = World::new().await;
    let customer = world.customer(POSTPAID).await;
    let new = quote("graduated", customer);
    let text = words(&world, &new, "API key Made on the command line").await;
    assert!(!text.contains("API key") && text.contains("rechnung@northline.example"), "{text}");
}

#[tokio::test]
async fn a_quote_whose_month_is_more_than_money_is_refused_by_its_largest_quantity() {
    let world = World::new().await;
    let customer = world.customer(POSTPAID).await;
    let price = Price::per_unit("1000".parse().unwrap());
    let calls = component("calls", ComponentKind::Usage, Some("calls"), price);
    let mut new = quote("graduated", customer);
    new.terms.components = vec![calls];
    let tx = world.tx().await;
    for (quantity, total) in [("1000000000", Some(())), ("92000000000", None)] {
        new.quantities.insert("calls".into(), quantity.parse().unwrap());
        let (id, _) = subscription::create_quote(&tx, &new, &[], "Ann", at("2026-11-25T09:00:00Z")).await.unwrap();
        let quote = subscription::quote(&tx, id).await.unwrap().unwrap();
        match (invoicing::must_be_reckoned(&tx, &quote).await, total) {
            (Ok(_), Some(_)) => (),
            (Err(InvoicingError::Subscription(error)), None) => {
                let refusal = error.refusal().unwrap();
                let told = (refusal.field.as_str(), refusal.rule.code(), refusal.value.as_str());
                assert_eq!(told, ("quantities/calls", "too_large", quantity));
            }
            (found, expected) => panic!("{quantity}: {found:?}, not {expected:?}"),
        }
    }
}

#[tokio::test]
async fn a_quote_with_a_price_that_leaves_money_no_room_is_refused_at_that_price() {
    let world = World::new().await;
    let customer = world.customer(POSTPAID).await;
    let fee =
        |key: &str, price: &str| component(key, ComponentKind::Flat, None, Price::per_unit(price.parse().unwrap()));
    let mut new = quote("graduated", customer);
    // Ten years of it, 120 x 80,000,000,000, are more than 9,223,372,036,854.775807.
    new.terms.components = vec![fee("small", "70000000000"), fee("large", "80000000000")];
    let tx = world.tx().await;
    let refused = subscription::create_quote(&tx, &new, &[], "Ann", at("2026-11-25T09:00:00Z")).await.unwrap_err();
    let refusal = refused.refusal().unwrap();
    assert_eq!((refusal.field.as_str(), refusal.rule.code()), ("components/large/price", "too_large"));
    assert!(refusal.value.contains("80000000000"), "{}", refusal.value);
}
