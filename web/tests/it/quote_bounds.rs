//! What a quote may say, and who may do something with it.

use crate::browser::{Browser, pages};
use crate::quotes::{OFFER, calls, support_plan, terms};
use crate::world::{World, start};
use chrono::TimeDelta;
use subscription::{NewPlanVersion, NewQuote, QuoteState, QuotedCustomer};

#[actix_web::test]
async fn a_quote_that_cannot_be_reckoned_is_refused_and_an_old_one_leaves_the_list_readable() {
    let world = World::new().await;
    let plan = support_plan(&world, world.nord).await;
    let pages = pages(&world).await;
    let mut seller = Browser::new(&pages);
    seller.sign_in("admin@nord.example").await;
    let (to, token) = (format!("/admin/quotes?plan={plan}"), seller.get("/admin/quotes").await.token());
    for (index, field, value, said) in
        [(9, "quantities/calls", "92233720369", "Must be 0 to"), (10, "valid_until", "9999-12-31", "within ten years")]
    {
        let mut wrong = OFFER.to_vec();
        wrong[index] = (field, value);
        let refused = seller.post(&to, &token, &wrong).await;
        assert_eq!(refused.status, 422, "{field}");
        for words in [said, &format!("value=\"{value}\"")] {
            assert!(refused.body.contains(words), "{words} in {}", refused.body);
        }
    }
    // 1,000 a call: each bound holds, and the month is more than money is kept in.
    let dear = NewPlanVersion { components: vec![calls("1000")], ..terms() };
    let tx = world.nord().await;
    let dear_plan = subscription::create_plan(&tx, "dear", "Dear", "", false).await.unwrap();
    subscription::publish_version(&tx, dear_plan, &dear, start()).await.unwrap();
    tx.commit().await.unwrap();
    let mut absurd = OFFER.to_vec();
    absurd[9] = ("quantities/calls", "92000000000");
    let refused = seller.post(&format!("/admin/quotes?plan={dear_plan}"), &token, &absurd).await;
    assert_eq!(refused.status, 422, "{}", refused.body);
    assert!(refused.body.contains("Is too large to be computed."), "{}", refused.body);
    assert_eq!(subscription::quotes(&world.nord().await, None, 9).await.unwrap(), [], "nothing is written");

    // One that was written before this was asked for: the others show, and it can be taken back.
    let good = seller.post(&to, &token, &OFFER).await.to().to_owned();
    let old = NewQuote {
        plan_name: "Old".into(),
        plan_description: String::new(),
        terms: dear,
        seats: 0,
        quantities: [("calls".to_owned(), 92_000_000_000_i64.into())].into(),
        with_trial: false,
        customer: QuotedCustomer::Known(world.jonas),
        estimate_id: None,
        note: String::new(),
        valid_until: start() + TimeDelta::days(30),
    };
    let tx = world.nord().await;
    let (old, _) = subscription::create_quote(&tx, &old, &[], "Ann", start()).await.unwrap();
    tx.commit().await.unwrap();
    let list = seller.get("/admin/quotes").await;
    assert_eq!(list.status, 200, "{}", list.body);
    assert!(list.body.contains("\u{20ac}149.00") && list.body.contains(">\u{2013}<"), "{}", list.body);
    let page = seller.get(&format!("/admin/quotes/{old}")).await;
    assert!(page.body.contains("too large to be reckoned"), "{}", page.body);
    assert_eq!(seller.post(&format!("/admin/quotes/{old}/withdrawal"), &token, &[]).await.status, 303);
    assert_eq!(seller.get(&good).await.status, 200);
}

#[actix_web::test]
async fn who_only_helps_neither_links_nor_sends_nor_withdraws_a_quote() {
    let mut world = World::new().await;
    world.member(world.nord, "help@nord.example", tenant::Role::Support, None).await;
    let settings = ringtill::config::MailSettings {
        url: "smtp://127.0.0.1:9".to_owned().into(),
        from: "post@ringtill.example".into(),
    };
    world.app.mail = Some(ringtill::mail::Mailer::new(&settings).unwrap());
    let plan = support_plan(&world, world.nord).await;
    let pages = pages(&world).await;
    let mut seller = Browser::new(&pages);
    seller.sign_in("admin@nord.example").await;
    let token = seller.get("/admin/quotes").await.token();
    let quote = seller.post(&format!("/admin/quotes?plan={plan}"), &token, &OFFER).await.to().to_owned();
    let mut helper = Browser::new(&pages);
    helper.sign_in("help@nord.example").await;
    let page = helper.get(&quote).await;
    assert_eq!(page.status, 200, "it is read");
    let own = helper.get("/admin").await.token();
    for (action, fields) in
        [("links", vec![]), ("sendings", vec![("email", "kim@nordwind.example")]), ("withdrawal", vec![])]
    {
        assert!(!page.body.contains(&format!("{quote}/{action}")), "no button that is refused: {action}");
        let answer = helper.post(&format!("{quote}/{action}"), &own, &fields).await;
        assert_eq!(answer.status, 404, "{action}: {}", answer.body);
    }
    let kept = subscription::quotes(&world.nord().await, None, 9).await.unwrap().remove(0);
    assert_eq!((kept.state_at(start()), kept.sent_at), (QuoteState::Open, None));
}
