//! Letters to customers, over SMTP: what the clock does is told once, by the seller's name, and a server that is away is waited for.

use crate::postbox::Postbox;
use crate::world::{VOSS, World, flat, founded, prepaid, start};
use chrono::TimeDelta;
use db::{CustomerId, TenantId};
use money::Currency;
use ringtill::config::MailSettings;
use ringtill::mail::Mailer;
use ringtill::worker;
use subscription::{NewCustomer, NewPlanVersion, NewSubscription, TrialEnd};
use tenant::{Brand, BrandColours};

async fn with_post() -> (World, Postbox) {
    let mut world = World::new().await;
    let (postbox, url) = Postbox::open();
    let settings = MailSettings { url: url.into(), from: "no-reply@ringtill.example".into() };
    world.app.mail = Some(Mailer::new(&settings).unwrap());
    (world, postbox)
}

/// A customer with an address, on a trial of 14 days from 2 March on.
async fn on_trial(world: &World, seller: TenantId, no: &str, email: &str, end: TrialEnd) -> CustomerId {
    let tx = world.database.db.tenant(seller).await.unwrap();
    let new = NewCustomer { email: Some(email.into()), ..prepaid(no, "Nina Brand") };
    let customer = subscription::create_customer(&tx, &new, founded()).await.unwrap();
    let plan = subscription::create_plan(&tx, &no.to_lowercase(), "Advice", "", false).await.unwrap();
    let terms =
        NewPlanVersion { trial_end: end, ..NewPlanVersion::monthly(Currency::EUR, vec![flat("platform", "29.00")]) };
    let plan_version_id = subscription::publish_version(&tx, plan, &terms, founded()).await.unwrap();
    let anchor_on = "2026-03-01".parse().unwrap();
    let new = NewSubscription {
        customer_id: customer,
        plan_version_id,
        seats: 0,
        anchor_on,
        starts_at: start(),
        trial: true,
    };
    subscription::subscribe(&tx, &new, start()).await.unwrap();
    tx.commit().await.unwrap();
    customer
}

async fn work_until(world: &World, days: i64) {
    world.app.clock.travel_to(start() + TimeDelta::days(days));
    while worker::round(&world.app).await.unwrap() {}
}

fn subjects(postbox: &Postbox) -> Vec<String> {
    let subject = |letter: &String| {
        let line = letter.lines().find_map(|line| line.strip_prefix("Subject: "));
        line.unwrap_or_default().to_owned()
    };
    postbox.letters().iter().map(subject).collect()
}

#[actix_web::test]
async fn a_trial_that_ends_is_told_by_letter_before_and_after_once_each() {
    let (world, postbox) = with_post().await;
    let nina = on_trial(&world, world.nord, "N-3", "nina@post.example", TrialEnd::PastDue).await;
    work_until(&world, 5).await;
    assert_eq!(subjects(&postbox), Vec::<String>::new());
    // The trial ends on 16 March: told three days before.
    work_until(&world, 12).await;
    work_until(&world, 13).await;
    let letters = postbox.letters();
    let [letter] = letters.as_slice() else { panic!("one letter: {letters:?}") };
    for words in [
        "Subject: Your trial of Advice ends on 16 Mar 2026",
        "To: \"Nina Brand\" <nina@post.example>",
        "From: NORD <no-reply@ringtill.example>",
        "No means of payment is on file. Without one it goes on past due",
        "https://ringtill.example/portal/payment",
        "nord GmbH",
    ] {
        assert!(letter.contains(words), "{words} in {letter}");
    }
    work_until(&world, 15).await;
    assert_eq!(subjects(&postbox)[1..], ["Advice is past due"]);
    // On file two days later, and nothing more is said about it; the letters stay two.
    let tx = world.nord().await;
    payments::give_mandate(&tx, nina, "Nina Brand", "DE89370400440532013000", "Nina", world.app.clock.now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    work_until(&world, 17).await;
    assert_eq!(postbox.letters().len(), 2);
}

#[actix_web::test]
async fn a_server_that_is_away_is_asked_again_and_the_letter_keeps_its_name() {
    let (world, postbox) = with_post().await;
    on_trial(&world, world.nord, "N-3", "nina@post.example", TrialEnd::Convert).await;
    *postbox.turned_away.lock().unwrap() = 2;
    work_until(&world, 12).await;
    assert_eq!(postbox.letters().len(), 0, "turned away");
    // 5 s after the first failure, 10 s after the second
    for seconds in [6, 17] {
        world.app.clock.travel_to(start() + TimeDelta::days(12) + TimeDelta::seconds(seconds));
        while worker::round(&world.app).await.unwrap() {}
    }
    assert_eq!(subjects(&postbox), ["Your trial of Advice ends on 16 Mar 2026"]);
    assert!(postbox.letters()[0].contains("It goes on by itself then."), "{:?}", postbox.letters());
    work_until(&world, 15).await;
    assert_eq!(subjects(&postbox)[1..], ["Advice goes on"]);
}

#[actix_web::test]
async fn a_brand_writes_by_its_own_name_and_leads_to_its_own_host() {
    let (world, postbox) = with_post().await;
    let colours = BrandColours {
        accent: "#7a2a5e".into(),
        accent_hover: "#641f4c".into(),
        on_accent: "#ffffff".into(),
        accent_text: "#7a2a5e".into(),
        accent_soft: "#f8edf4".into(),
        accent_dark: "#a8457f".into(),
        accent_text_dark: "#eda4cd".into(),
        accent_soft_dark: "#341d2b".into(),
        canvas: "#f8f5f2".into(),
        canvas_dark: "#121011".into(),
        radius: 4,
        logo_height: 24,
    };
    let brand =
        Brand { name: "Voss Calls".into(), logo_svg: None, colours, support_email: Some("help@voss.example".into()) };
    let tx = world.database.db.tenant(world.reseller).await.unwrap();
    tenant::set_brand(&tx, &brand, founded()).await.unwrap();
    tx.commit().await.unwrap();
    on_trial(&world, world.reseller, "V-1", "nina@post.example", TrialEnd::Convert).await;
    // Below the reseller: its own name on the reseller's host, and no address of the reseller's for answers.
    on_trial(&world, world.bright, "B-1", "otto@post.example", TrialEnd::Convert).await;
    work_until(&world, 12).await;
    let letters = postbox.letters();
    let to = |whom: &str| letters.iter().find(|letter| letter.contains(whom)).expect("a letter");
    let voss = to("nina@post.example");
    for words in
        ["From: \"Voss Calls\"", "Reply-To: help@voss.example", "#7a2a5e", &format!("https://{VOSS}/portal/plan")]
    {
        assert!(voss.contains(words), "{words} in {voss}");
    }
    let bright = to("otto@post.example");
    assert!(bright.contains("From: BRIGHT") && bright.contains(VOSS) && !bright.contains("Reply-To"), "{bright}");
    assert!(letters.iter().all(|letter| !letter.contains("Ringtill")), "the operator's name is on none of them");
}
