use crate::browser::{Browser, pages};
use crate::world::World;

#[actix_web::test]
async fn a_customer_sees_its_own_calls_and_receipts_and_nobody_elses() {
    let world = World::new().await;
    let (own_call, own_document) = world.called_and_billed(world.jonas).await;
    let (other_call, other_document) = world.called_and_billed(world.petra).await;
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    browser.sign_in("jonas@nord.example").await;
    let home = browser.get("/portal").await;
    // 50.00 - 10 min x 0.60 = 44.00
    assert!(
        home.status == 200 && home.body.contains("€44.00") && home.body.contains("Your balance, Jonas"),
        "{}",
        home.body
    );
    assert!(!home.body.contains("Petra"));
    let calls = browser.get("/portal/calls").await;
    assert!(calls.body.contains(&own_call.to_string()) && !calls.body.contains(&other_call.to_string()));
    assert!(calls.body.contains("1 call, 10 minutes"), "totals are of the customer: {}", calls.body);
    let call = browser.get(&format!("/portal/calls/{own_call}")).await;
    assert!(call.status == 200 && call.body.contains("€6.00"), "10 x 0.60 = 6.00: {}", call.body);
    let list = browser.get("/portal/invoices").await;
    assert!(list.body.contains(&own_document.to_string()) && !list.body.contains(&other_document.to_string()));
    let invoice = browser.get(&format!("/portal/invoices/{own_document}")).await;
    assert_eq!(invoice.status, 200, "{}", invoice.body);
    let line =
        invoice.body.split("hx-get=\"").nth(1).expect("a line of calls opens").split('"').next().unwrap().to_owned();
    let part = browser.get(&line).await;
    assert!(part.status == 200 && part.body.contains(&own_call.to_string()) && !part.body.contains("<html"));
    let opened = invoice
        .body
        .split("href=\"/portal/invoices/")
        .find(|part| part.contains("?open="))
        .unwrap()
        .split(['"', '#'])
        .next()
        .unwrap()
        .to_owned();
    assert!(
        browser.get(&format!("/portal/invoices/{opened}")).await.body.contains(&own_call.to_string()),
        "and without scripts too"
    );
    let strange_line = line.replace(&own_document.to_string(), &other_document.to_string());
    for path in [
        format!("/portal/calls/{other_call}"),
        format!("/portal/invoices/{other_document}"),
        format!("/portal/invoices/{other_document}/pdf"),
        strange_line,
    ] {
        let answer = browser.get(&path).await;
        assert_eq!(answer.status, 404, "{path}");
    }
}

/// The page is drawn from what the customer may see, by the code that bills: what was billed must be among it.
#[actix_web::test]
async fn what_was_billed_stands_on_no_next_invoice_that_a_customer_looks_at() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let mut jonas = Browser::new(&pages);
    jonas.sign_in("jonas@nord.example").await;
    world.called_and_billed(world.jonas).await;
    let shown = jonas.get("/portal/plan").await;
    assert_eq!(shown.status, 200, "{}", shown.body);
    assert!(!shown.body.contains("by call"), "{}", shown.body);
}

#[actix_web::test]
async fn a_receipt_comes_as_a_file_that_no_cache_keeps() {
    let world = World::new().await;
    let (_, document) = world.called_and_billed(world.jonas).await;
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    browser.sign_in("jonas@nord.example").await;
    let file = browser.get(&format!("/portal/invoices/{document}/pdf")).await;
    assert_eq!((file.status, file.header("content-type")), (200, "application/pdf"), "{}", file.body);
    assert!(file.body.starts_with("%PDF-") && file.header("cache-control").contains("no-store"));
}

#[actix_web::test]
async fn the_price_is_told_before_the_call() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    browser.sign_in("jonas@nord.example").await;
    let prices = browser.get("/portal/prices").await;
    assert!(prices.body.contains("<dt>€0.60 a minute</dt>"), "{}", prices.body);
    assert!(prices.body.contains("<span class=\"sr\">press </span>1</kbd>Support"), "{}", prices.body);
    assert!(prices.body.contains("tel:+4930900100"));
}
