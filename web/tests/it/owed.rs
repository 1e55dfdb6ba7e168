//! What is still to pay of an invoice: the same on every page, after credit notes and payments.

use crate::browser::{Answer, Browser, pages};
use crate::overdue::{bill, eur, kim, number, subscribe};
use crate::world::{World, start};
use payments::{Method, NewPayment};

/// What stands in a page soon after some words.
fn after<'a>(page: &'a Answer, words: &str) -> &'a str {
    let at = page.body.find(words).unwrap_or_else(|| panic!("{words} in {}", page.body));
    &page.body[at..page.body.len().min(at + 160)]
}

#[actix_web::test]
async fn what_is_still_to_pay_is_less_the_credit_notes_on_every_page() {
    let world = World::new().await;
    let kim = kim(&world).await;
    subscribe(&world, kim, "100.00", 1).await;
    let document = bill(&world, kim, "2026-03-02").await;
    let view = invoicing::document(&world.nord().await, document).await.unwrap();
    assert_eq!(view.document.totals.due, eur("119.00")); // 100.00 x 1.19
    let tx = world.nord().await;
    let line = view.groups[0].lines[0].id;
    let note = invoicing::credit_lines(&tx, document, &[(line, eur("20.00"))], "outage", start()).await.unwrap();
    payments::allocate_credit(&tx, kim).await.unwrap();
    tx.commit().await.unwrap();
    let note = number(&world, note).await;
    world.member(world.nord, "kim@nord.example", tenant::Role::Customer, Some(kim)).await;
    let pages = pages(&world).await;
    let mut seller = Browser::new(&pages);
    seller.sign_in("admin@nord.example").await;
    let mut buyer = Browser::new(&pages);
    buyer.sign_in("kim@nord.example").await;
    // 20.00 x 1.19 = 23.80; 119.00 - 23.80 = 95.20
    let page = seller.get(&format!("/admin/invoices/{document}")).await;
    assert!(after(&page, &format!("Credit note {note}")).contains("23.80"), "{}", after(&page, "Credit note"));
    assert!(after(&page, "Still to pay").contains("95.20"), "{}", after(&page, "Still to pay"));
    assert!(page.body.contains("amount=95.20") && !page.body.contains("amount=119"), "{}", page.body);
    let page = buyer.get(&format!("/portal/invoices/{document}")).await;
    assert!(after(&page, &format!("Credit note {note}")).contains("23.80"), "{}", after(&page, "Credit note"));
    assert!(after(&page, "<dt>To pay").contains("95.20"), "{}", after(&page, "<dt>To pay"));
    // 50.00 comes in: 45.20 is left
    let tx = world.nord().await;
    let payment = NewPayment {
        customer_id: kim,
        amount: eur("50.00"),
        method: Method::BankTransfer,
        reference: "K-1".into(),
        by: "a test".into(),
        received_at: start(),
    };
    payments::record_payment(&tx, &payment, start()).await.unwrap();
    assert_eq!(payments::open_items(&tx, kim, start()).await.unwrap().open, eur("45.20"));
    tx.commit().await.unwrap();
    let page = seller.get(&format!("/admin/invoices/{document}")).await;
    assert!(after(&page, "Still to pay").contains("45.20") && page.body.contains("amount=45.20"), "{}", page.body);
    let page = buyer.get(&format!("/portal/invoices/{document}")).await;
    assert!(after(&page, "<dt>To pay").contains("45.20"), "{}", after(&page, "<dt>To pay"));
    // The rest is credited: nothing is left, and what was paid is free for what comes next.
    let tx = world.nord().await;
    invoicing::credit(&tx, document, "goodwill", start()).await.unwrap();
    payments::allocate_credit(&tx, kim).await.unwrap();
    tx.commit().await.unwrap();
    let page = seller.get(&format!("/admin/invoices/{document}")).await;
    assert!(after(&page, "Still to pay").contains("0.00") && !page.body.contains("amount="), "{}", page.body);
}
