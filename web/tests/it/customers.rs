//! A customer's way into a book and what it has subscribed to there: forms, previews and what is written.

use crate::browser::{Browser, pages};
use crate::world::{World, flat, founded, prepaid, start};
use db::PlanVersionId;
use money::Currency;
use subscription::{Billing, Component, ComponentKind, NewCustomer, NewPlanVersion, NewSubscription};

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
    let (path, token) = (done.to().to_owned(), browser.get(done.to()).await.token());
    let closure = format!("{path}/closure");
    assert_eq!(browser.post(&closure, &token, &[]).await.status, 303);
    let page = browser.get(&path).await.body;
    assert!(page.contains("Nothing was closed. Tick that") && page.contains("Close the customer"), "{page}");
    assert_eq!(browser.post(&closure, &token, &[("known", "yes")]).await.status, 303);
    let page = browser.get(&path).await.body;
    for words in ["The customer is closed.", "was closed", "Closed"] {
        assert!(page.contains(words), "{words} in {page}");
    }
    assert!(!page.contains("Close the customer") && !page.contains("/subscriptions/new"), "{page}");
}

const SPRING: [(&str, &str); 7] = [
    ("code", "spring-26"),
    ("name", "Spring"),
    ("kind", "percent"),
    ("off", "10"),
    ("periods", "3"),
    ("redemptions_max", "1"),
    ("valid_until", "2026-03-31"),
];

#[actix_web::test]
async fn a_coupon_is_created_redeemed_with_a_subscription_and_archived() {
    let world = World::new().await;
    let plan =
        publish(&world, "agents", &NewPlanVersion::monthly(Currency::EUR, vec![flat("platform", "29.00")])).await;
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    browser.sign_in("admin@nord.example").await;
    let token = browser.get("/admin/coupons/new").await.token();
    for (field, wrong, sentence) in [
        ("code", "spring 26", "Must consist of"),
        ("name", "", "Must not be empty."),
        ("off", "101", "Must be from 0 to 100."),
        ("off", "0", "Must be above zero."),
        ("periods", "0", "Must be a whole number from 1 to 600."),
        ("valid_until", "2026-03-01", "Must lie ahead."),
        ("kind", "barter", "Must be one of the two."),
    ] {
        let fields = SPRING.map(|(name, value)| if name == field { (name, wrong) } else { (name, value) });
        let again = browser.post("/admin/coupons", &token, &fields).await;
        assert_eq!(again.status, 422, "{field}: {}", again.body);
        assert!(again.body.contains(sentence), "{field} {wrong}: {sentence} in {}", again.body);
    }
    let created = browser.post("/admin/coupons", &token, &SPRING).await;
    assert_eq!(created.status, 303, "{}", created.body);
    let coupon = created.to().to_owned();
    let page = browser.get(&coupon).await.body;
    for words in ["SPRING-26, 10% off", "3 months", "0 of 1", "31 Mar 2026", "Nobody has it yet"] {
        assert!(page.contains(words), "{words} in {page}");
    }
    let twice = browser.post("/admin/coupons", &token, &SPRING).await;
    assert!(twice.status == 422 && twice.body.contains("Must be free"), "{}", twice.body);

    let form = format!("/admin/customers/{}/subscriptions/new", world.jonas);
    let wish = format!("sent=yes&version={plan}&seats=0&starts_on=2026-03-02");
    for (code, sentence) in [("NOTHING", "No coupon has this code.")] {
        let again = browser.get(&format!("{form}?{wish}&coupon={code}")).await;
        assert!(again.body.contains(sentence), "{code}: {}", again.body);
    }
    let seats = browser.get(&format!("{form}?{}", wish.replace("seats=0", "seats=5"))).await;
    assert!(seats.body.contains("Must be 0: nothing of this plan counts seats."), "{}", seats.body);
    let shown = browser.get(&format!("{form}?{wish}&coupon=spring-26")).await;
    let kept = hidden(&shown.body, "method=\"post\" action=\"/admin/customers/");
    let fields: Vec<(&str, &str)> = kept.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let done = browser.post(&format!("/admin/customers/{}/subscriptions", world.jonas), &token, &fields).await;
    assert_eq!(done.status, 303, "{}", done.body);
    let customer = browser.get(done.to()).await.body;
    for words in ["SPRING-26", "10% off, for 3 months more", "Coupon SPRING-26 was redeemed"] {
        assert!(customer.contains(words), "{words} in {customer}");
    }
    let page = browser.get(&coupon).await.body;
    assert!(page.contains("Jonas Weber") && page.contains("Used up") && page.contains("1 of 1"), "{page}");
    let used_up =
        browser.get(&format!("/admin/customers/{}/subscriptions/new?{wish}&coupon=spring-26", world.petra)).await;
    assert!(used_up.body.contains("f-coupon-error"), "{}", used_up.body);

    let archived = browser.post(&format!("{coupon}/archiving"), &token, &[]).await;
    assert_eq!((archived.status, archived.to()), (303, coupon.as_str()));
    assert!(browser.get(&coupon).await.body.contains("SPRING-26 is no longer accepted."));
}

#[actix_web::test]
async fn seats_are_changed_after_a_look_at_what_changes_and_undone_until_they_are_billed() {
    let world = World::new().await;
    let seats = Component { kind: ComponentKind::Seat, measure: Some("assigned".into()), ..flat("agents", "30.00") };
    let terms = NewPlanVersion { trial_days: 0, ..NewPlanVersion::monthly(Currency::EUR, vec![seats]) };
    let plan = publish(&world, "agents", &terms).await;
    let tx = world.nord().await;
    let new = NewSubscription {
        customer_id: world.jonas,
        plan_version_id: plan,
        seats: 5,
        anchor_on: "2026-03-01".parse().unwrap(),
        starts_at: start(),
        trial: false,
    };
    let id = subscription::subscribe(&tx, &new, start()).await.unwrap();
    tx.commit().await.unwrap();
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    browser.sign_in("admin@nord.example").await;
    let change = format!("/admin/subscriptions/{id}/change");
    for (asked, sentence) in [
        ("do=seats&sent=yes&seats=many", "Must be a number"),
        ("do=seats&sent=yes&seats=5", "Must be another one than now."),
        ("do=plan&sent=yes", "Must be one of the list."),
        ("do=add-ons&sent=yes", "Must differ from what it has now."),
        ("do=pause&sent=yes&until=2026-02-01", "Must lie after the day on which it is paused."),
        ("do=seats&sent=yes&seats=8&when=whenever", "Must be one of the list."),
        ("do=seats&sent=yes&seats=8&when=day&on=2026-02-27", "Must not lie in the past."),
        ("do=seats&sent=yes&seats=8&when=day&on=", "f-on-error"),
    ] {
        let again = browser.get(&format!("{change}?{asked}")).await;
        assert_eq!(again.status, 200, "{asked}: {}", again.body);
        assert!(again.body.contains(sentence), "{asked}: {sentence} in {}", again.body);
        assert!(!again.body.contains("id=\"outcome\""), "{asked}: nothing to confirm");
    }
    let later = browser.get(&format!("{change}?do=seats&sent=yes&seats=8&when=day&on=2026-03-12")).await;
    assert!(later.body.contains("from 12 Mar 2026 on") && later.body.contains("id=\"outcome\""), "{}", later.body);
    let shown = browser.get(&format!("{change}?do=seats&sent=yes&seats=8&when=now")).await;
    for words in ["5 seats", "8 seats", "from now on"] {
        assert!(shown.body.contains(words), "{words} in {}", shown.body);
    }
    let kept = hidden(&shown.body, "method=\"post\" action=\"/admin/subscriptions/");
    let fields: Vec<(&str, &str)> = kept.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let changes = format!("/admin/subscriptions/{id}/changes");
    let other: Vec<(&str, &str)> =
        fields.iter().map(|(name, value)| (*name, if *name == "figures" { "other" } else { value })).collect();
    let refused = browser.post(&changes, &shown.token(), &other).await;
    assert!(refused.status == 422 && refused.body.contains("The figures are others"), "{}", refused.body);
    let done = browser.post(&changes, &shown.token(), &fields).await;
    assert_eq!(done.status, 303, "{}", done.body);
    let page = browser.get(done.to()).await.body;
    for words in ["8 seats.", "Not billed yet", "Seats changed from 5 to 8."] {
        assert!(page.contains(words), "{words} in {page}");
    }
    let mark = format!("action=\"{changes}/");
    let undo = page.split(&mark).nth(1).and_then(|rest| rest.split('"').next()).expect("a change can be undone");
    let undone = browser.post(&format!("{changes}/{undo}"), &shown.token(), &[]).await;
    assert_eq!(undone.status, 303, "{}", undone.body);
    let history = subscription::history(&world.nord().await, id).await.unwrap().unwrap();
    assert_eq!(history.seats_at(world.app.clock.now()), 5);
    assert!(browser.get(done.to()).await.body.contains("Undone: 8 seats."));
}

/// Publishes a plan in Nord's book.
async fn publish(world: &World, code: &str, terms: &NewPlanVersion) -> PlanVersionId {
    let tx = world.nord().await;
    let plan = subscription::create_plan(&tx, code, code, "", false).await.unwrap();
    let version = subscription::publish_version(&tx, plan, terms, founded()).await.unwrap();
    tx.commit().await.unwrap();
    version
}

/// What a form carries on without showing it.
pub fn hidden(page: &str, form: &str) -> Vec<(String, String)> {
    let form = page.split_once(form).unwrap_or_else(|| panic!("{form} in {page}")).1;
    let form = form.split("</form>").next().unwrap_or_default();
    let value = |tag: &str, name: &str| {
        let after = tag.split_once(&format!("{name}=\""))?.1;
        Some(after.split('"').next()?.to_owned())
    };
    let fields = form.split("<input type=\"hidden\"").skip(1);
    fields
        .filter_map(|tag| Some((value(tag, " name")?, value(tag, " value")?)))
        .filter(|(name, _)| name != "csrf")
        .collect()
}

#[actix_web::test]
async fn what_a_change_is_said_to_cost_is_what_is_billed_to_the_cent() {
    let world = World::new().await;
    let seats = Component { kind: ComponentKind::Seat, measure: Some("assigned".into()), ..flat("agents", "31.00") };
    let terms = NewPlanVersion { trial_days: 0, ..NewPlanVersion::monthly(Currency::EUR, vec![seats]) };
    let plan = publish(&world, "agents", &terms).await;
    let tx = world.nord().await;
    let new = NewCustomer { billing: Billing::Postpaid, ..prepaid("N-9", "Brandt") };
    let brandt = subscription::create_customer(&tx, &new, founded()).await.unwrap();
    let new = NewSubscription {
        customer_id: brandt,
        plan_version_id: plan,
        seats: 5,
        anchor_on: "2026-03-01".parse().unwrap(),
        starts_at: start(),
        trial: false,
    };
    let id = subscription::subscribe(&tx, &new, start()).await.unwrap();
    tx.commit().await.unwrap();
    // 10 March: eight seats instead of five, at once
    world.app.clock.travel_to("2026-03-10T09:00:00Z".parse().unwrap());
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    browser.sign_in("admin@nord.example").await;
    let change = format!("/admin/subscriptions/{id}/change?do=seats&sent=yes&seats=8&when=now");
    let shown = browser.get(&change).await;
    assert!(shown.body.contains("Without the change: "), "{}", shown.body);
    let said = total(&shown.body);
    let kept = hidden(&shown.body, "method=\"post\" action=\"/admin/subscriptions/");
    let fields: Vec<(&str, &str)> = kept.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let done = browser.post(&format!("/admin/subscriptions/{id}/changes"), &shown.token(), &fields).await;
    assert_eq!(done.status, 303, "{}", done.body);
    let next = browser.get(&format!("/admin/customers/{brandt}/next-bill")).await;
    assert_eq!(total(&next.body), said, "the next invoice says the same once it is asked for");
    // 1 April: the run bills what was shown
    let later = "2026-04-01T06:00:00Z".parse().unwrap();
    let tx = world.nord().await;
    let run = invoicing::plan_run(&tx, "2026-04-01".parse().unwrap(), "test", later).await.unwrap();
    invoicing::draft_some(&tx, run, 50, later).await.unwrap();
    invoicing::finalise_some(&tx, run, 50, later).await.unwrap();
    let filter = invoicing::DocumentFilter { customer_id: Some(brandt), ..Default::default() };
    let billed = invoicing::documents(&tx, &filter).await.unwrap();
    assert_eq!(billed.len(), 1);
    assert_eq!(billed[0].totals.gross.human(), said);
}

/// The sum of the first bill that a page shows.
fn total(page: &str) -> String {
    let after = page.split_once("<dt>Total</dt><dd>").unwrap_or_else(|| panic!("a total in {page}")).1;
    after.split('<').next().unwrap_or_default().to_owned()
}
