//! A customer's way into a book and what it has subscribed to there: forms, previews and what is written.

use crate::browser::{Browser, pages};
use crate::world::World;

#[actix_web::test]
async fn a_customer_is_created_from_its_form_and_a_wrong_one_comes_back_with_its_values() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    browser.sign_in("admin@nord.example").await;
    let form = browser.get("/admin/customers/new").await;
    assert!(form.body.contains("value=\"C-00001\""), "the next number is offered: {}", form.body);
    let token = form.token();
    let right = [
        ("customer_no", "C-00001"),
        ("name", "Brandt & Söhne"),
        ("email", "office@brandt.example"),
        ("billing", "postpaid"),
        ("currency", "eur"),
        ("tax_treatment", "standard"),
        ("payment_terms_days", "30"),
        ("anchor_on", "2026-03-01"),
        ("country", "de"),
        ("time_zone", "Europe/Berlin"),
    ];
    for (field, wrong, sentence) in [
        ("name", "", "Must not be empty."),
        ("customer_no", "N-1", "Must be free, another one in this book has it."),
        ("email", "nowhere", "Must be an e-mail address."),
        ("currency", "XXX", "Must be an ISO 4217 code such as EUR."),
        ("payment_terms_days", "400", "Must be a whole number from 0 to 365."),
        ("anchor_on", "tomorrow", "Must be a day, such as 2026-12-01."),
        ("country", "Germany", "Must be an ISO 3166 country code of two capital letters."),
        ("time_zone", "Berlin", "Must be an IANA time zone."),
        ("billing", "barter", "Must be one of the two."),
    ] {
        let fields = right.map(|(name, value)| if name == field { (name, wrong) } else { (name, value) });
        let again = browser.post("/admin/customers", &token, &fields).await;
        assert_eq!(again.status, 422, "{field}: {}", again.body);
        assert!(again.body.contains(sentence), "{field}: {sentence} in {}", again.body);
        let kept = if field == "name" { "office@brandt.example" } else { "Brandt &#38; Söhne" };
        assert!(again.body.contains(kept), "{field}: the other values stay");
    }
    let done = browser.post("/admin/customers", &token, &right).await;
    assert_eq!(done.status, 303, "{}", done.body);
    let page = browser.get(done.to()).await.body;
    for words in ["Brandt &#38; Söhne is a customer now.", "owes nothing", "in 30 days", "became a customer"] {
        assert!(page.contains(words), "{words} in {page}");
    }
}
