//! The clock and subscriptions: what the worker does without anybody asking.

use crate::browser::{Browser, pages};
use crate::world::{World, flat, founded, prepaid, start};
use chrono::TimeDelta;
use db::SubscriptionId;
use money::{Currency, Percent};
use ringtill::worker;
use subscription::{
    LoyaltyReward, LoyaltyRule, NewPlanVersion, NewSubscription, SubscriptionStatus as Status, TrialEnd,
};

/// Jonas or Petra on a plan with a trial of 14 days, from 2 March on.
async fn on_trial(world: &World, customer_id: db::CustomerId, terms: NewPlanVersion) -> SubscriptionId {
    let tx = world.nord().await;
    let code = format!("plan-{}", customer_id.uuid().simple());
    let plan = subscription::create_plan(&tx, &code[..20], "Advice", "", false).await.unwrap();
    let plan_version_id = subscription::publish_version(&tx, plan, &terms, founded()).await.unwrap();
    let anchor_on = "2026-03-01".parse().unwrap();
    let trial = terms.trial_days > 0;
    let new = NewSubscription { customer_id, plan_version_id, seats: 0, anchor_on, starts_at: start(), trial };
    let id = subscription::subscribe(&tx, &new, start()).await.unwrap();
    tx.commit().await.unwrap();
    id
}

async fn status(world: &World, id: SubscriptionId) -> Status {
    subscription::history(&world.nord().await, id).await.unwrap().unwrap().status_at(world.app.clock.now())
}

async fn told(world: &World, customer: db::CustomerId) -> Vec<String> {
    let events = subscription::customer_events(&world.nord().await, customer, 50).await.unwrap();
    events.into_iter().map(|event| event.kind).collect()
}

async fn work_until(world: &World, days: i64) {
    world.app.clock.travel_to(start() + TimeDelta::days(days));
    while worker::round(&world.app).await.unwrap() {}
}

#[tokio::test]
async fn a_trial_is_reminded_of_and_converts_for_who_can_pay_and_ends_for_who_cannot() {
    let world = World::new().await;
    let terms = || NewPlanVersion {
        trial_end: TrialEnd::Cancel,
        ..NewPlanVersion::monthly(Currency::EUR, vec![flat("platform", "29.00")])
    };
    // Jonas has 50.00 in his wallet; the wallet of the other one is empty.
    let tx = world.nord().await;
    let new = prepaid("N-3", "Nina Brand");
    let nina = subscription::create_customer(&tx, &new, founded()).await.unwrap();
    tx.commit().await.unwrap();
    let jonas_on = on_trial(&world, world.jonas, terms()).await;
    let nina_on = on_trial(&world, nina, terms()).await;
    work_until(&world, 1).await;
    assert_eq!(status(&world, jonas_on).await, Status::Trial);
    work_until(&world, 12).await;
    let reminders = told(&world, world.jonas).await;
    assert_eq!(reminders.iter().filter(|kind| *kind == "trial_ending").count(), 1, "{reminders:?}");
    work_until(&world, 15).await;
    assert_eq!(status(&world, jonas_on).await, Status::Active);
    assert_eq!(status(&world, nina_on).await, Status::Cancelled);
    work_until(&world, 16).await;
    assert_eq!(told(&world, world.jonas).await.iter().filter(|kind| *kind == "trial_ending").count(), 1, "once");
}

#[tokio::test]
async fn loyalty_is_told_when_it_is_reached_and_a_renewal_when_it_happens() {
    let world = World::new().await;
    let percent = Percent::new(5.into()).unwrap();
    let terms = NewPlanVersion {
        trial_days: 0,
        loyalty: vec![LoyaltyRule { after_months: 2, reward: LoyaltyReward::PercentOff(percent) }],
        ..NewPlanVersion::monthly(Currency::EUR, vec![flat("platform", "29.00")])
    };
    on_trial(&world, world.jonas, terms).await;
    work_until(&world, 40).await;
    let before = told(&world, world.jonas).await;
    work_until(&world, 70).await;
    let after = told(&world, world.jonas).await;
    assert!(after.len() > before.len(), "{after:?}");
    assert!(after.iter().any(|kind| kind.starts_with("loyalty")), "{after:?}");
}

#[actix_web::test]
async fn a_customer_gives_a_mandate_in_the_portal_and_its_trial_goes_on_by_it() {
    let world = World::new().await;
    let terms = || NewPlanVersion {
        trial_end: TrialEnd::PastDue,
        ..NewPlanVersion::monthly(Currency::EUR, vec![flat("platform", "29.00")])
    };
    let tx = world.nord().await;
    let nina = subscription::create_customer(&tx, &prepaid("N-3", "Nina Brand"), founded()).await.unwrap();
    let olga = subscription::create_customer(&tx, &prepaid("N-4", "Olga Klein"), founded()).await.unwrap();
    tx.commit().await.unwrap();
    world.member(world.nord, "nina@nord.example", tenant::Role::Customer, Some(nina)).await;
    let nina_on = on_trial(&world, nina, terms()).await;
    let olga_on = on_trial(&world, olga, terms()).await;

    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    browser.sign_in("nina@nord.example").await;
    let page = browser.get("/portal/payment").await;
    for words in ["No means of payment is on file", "Your trial ends on 16 Mar 2026.", "past due then", "nord GmbH"] {
        assert!(page.body.contains(words), "{words} in {}", page.body);
    }
    let right = [("holder", "Nina Brand"), ("iban", "AT61 1904 3002 3457 3201"), ("agreed", "yes")];
    for (field, wrong, sentence) in [
        ("holder", "", "Must not be empty."),
        ("iban", "DE89 3704 0044 0532 0130 01", "Its check digits do not fit the rest"),
        ("iban", "4111 1111 1111 1111", "Must be letters and digits, beginning with a country"),
        ("agreed", "", "Must be ticked: without it nobody may collect."),
    ] {
        let fields = right.map(|(name, value)| if name == field { (name, wrong) } else { (name, value) });
        let again = browser.post("/portal/payment", &page.token(), &fields).await;
        assert!(again.status == 422 && again.body.contains(sentence), "{field}: {sentence} in {}", again.body);
        assert!(again.body.contains("No means of payment is on file"), "nothing was stored: {}", again.body);
    }
    let given = browser.post("/portal/payment", &page.token(), &right).await;
    assert_eq!((given.status, given.to()), (303, "/portal/payment"), "{}", given.body);
    let page = browser.get("/portal/payment").await;
    assert!(page.body.contains("Direct debit from AT61 … 3201") && !page.body.contains("1904"), "{}", page.body);

    work_until(&world, 15).await;
    assert_eq!(status(&world, nina_on).await, Status::Active);
    assert_eq!(status(&world, olga_on).await, Status::PastDue);
    worker::past_due(&world.app, world.app.clock.now()).await.unwrap();
    assert_eq!(status(&world, olga_on).await, Status::PastDue, "that no invoice is overdue does not end it");
    // Money in the wallet is a means of payment, too.
    let tx = world.nord().await;
    let amount = money::Money::parse("10.00", Currency::EUR).unwrap();
    let now = world.app.clock.now();
    ledger::top_up(&tx, olga, amount, "first", "Top-up", now, now).await.unwrap();
    tx.commit().await.unwrap();
    work_until(&world, 16).await;
    assert_eq!(status(&world, olga_on).await, Status::Active);

    // The seller sees whose account it is, and takes the mandate off the file; a stranger's customer page is not there.
    let mut seller = Browser::new(&pages);
    seller.sign_in("admin@nord.example").await;
    let customer = format!("/admin/customers/{nina}");
    let page = seller.get(&customer).await;
    assert!(page.body.contains("AT61 1904 3002 3457 3201, mandate N-3-1"), "{}", page.body);
    let removal = page.body.split("action=\"").find(|part| part.contains("/removal\"")).unwrap();
    let removal = removal.split('"').next().unwrap().to_owned();
    let elsewhere = removal.replace(&nina.to_string(), &olga.to_string());
    assert_eq!(seller.post(&elsewhere, &page.token(), &[]).await.status, 404, "of another customer");
    assert_eq!(seller.post(&removal, &page.token(), &[]).await.to(), customer);
    assert_eq!(seller.post(&removal, &page.token(), &[]).await.status, 404, "it is off the file");
    let tx = world.nord().await;
    let deeds = tenant::audit_entries(&tx, None, 10).await.unwrap();
    let deeds: Vec<_> = deeds.iter().map(|entry| (entry.actor.as_str(), entry.action.as_str())).collect();
    assert_eq!(
        deeds,
        [("admin@nord.example", "payment_method.remove"), ("nina@nord.example", "payment_method.mandate")]
    );
}

#[actix_web::test]
async fn the_form_of_a_subscription_says_what_becomes_of_its_trial() {
    let world = World::new().await;
    let tx = world.nord().await;
    let plan = subscription::create_plan(&tx, "advice", "Advice", "", false).await.unwrap();
    let terms = NewPlanVersion::monthly(Currency::EUR, vec![flat("platform", "29.00")]);
    let version = subscription::publish_version(&tx, plan, &terms, founded()).await.unwrap();
    tx.commit().await.unwrap();
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    browser.sign_in("admin@nord.example").await;
    let form =
        format!("/admin/customers/{}/subscriptions/new?sent=yes&version={version}&seats=0&trial=yes", world.jonas);
    let wrong = browser.get(&format!("{form}&trial_end=maybe")).await;
    assert!(wrong.body.contains("Must be one of the list."), "{}", wrong.body);
    let shown = browser.get(&format!("{form}&trial_end=cancel")).await.body;
    let print =
        shown.split("name=\"figures\" value=\"").nth(1).expect("a preview").split('"').next().unwrap().to_owned();
    let token = browser.get("/admin").await.token();
    let fields = [
        ("version", version.to_string()),
        ("seats", "0".to_owned()),
        ("trial", "yes".to_owned()),
        ("trial_end", "cancel".to_owned()),
        ("figures", print),
    ];
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let done = browser.post(&format!("/admin/customers/{}/subscriptions", world.jonas), &token, &fields).await;
    assert_eq!(done.status, 303, "{}", done.body);
    let customer = browser.get(done.to()).await.body;
    assert!(customer.contains("Without a means of payment") && customer.contains("It is over"), "{customer}");
}
