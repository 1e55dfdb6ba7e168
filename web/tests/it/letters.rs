//! Letters to customers, over SMTP: what the clock does is told once, by the seller's name, and a server that is away is waited for.

use crate::postbox::Postbox;
use crate::world::{VOSS, World, flat, founded, prepaid, start};
use chrono::TimeDelta;
use db::{CustomerId, TenantId};
use money::Currency;
use ringtill::config::MailSettings;
use ringtill::mail::{self, Mailer};
use ringtill::worker;
use std::time::Duration;
use subscription::{NewCustomer, NewPlanVersion, NewSubscription, TrialEnd};
use tenant::{Brand, BrandColours};
use tokio_util::sync::CancellationToken;

pub async fn with_post() -> (World, Postbox) {
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
    send(world).await;
}

pub async fn send(world: &World) {
    while mail::round(&world.app, &CancellationToken::new()).await.unwrap() {}
}

pub fn subjects(postbox: &Postbox) -> Vec<String> {
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
        send(&world).await;
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

#[actix_web::test]
async fn a_mail_server_that_says_nothing_stands_in_nobody_s_way() {
    let (mut world, postbox) = with_post().await;
    let good = world.app.mail.take();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("smtp://{}", silent.local_addr().unwrap());
    let settings = MailSettings { url: url.into(), from: "no-reply@ringtill.example".into() };
    world.app.mail = Some(Mailer::new(&settings).unwrap());
    on_trial(&world, world.nord, "N-3", "nina@post.example", TrialEnd::Convert).await;
    world.app.clock.travel_to(start() + TimeDelta::days(12));
    let stop = CancellationToken::new();
    let letters = tokio::spawn(mail::work(world.app.clone(), stop.clone()));
    // Leases, upward legs and runs of all tenants wait for no letter: its server may take 20 s to be given up.
    let rounds = async {
        while worker::round(&world.app).await.unwrap() {}
        tokio::task::spawn_blocking(move || silent.accept().unwrap()).await.unwrap();
        while worker::round(&world.app).await.unwrap() {}
    };
    assert!(
        tokio::time::timeout(Duration::from_secs(10), rounds).await.is_ok(),
        "the worker waited for the mail server"
    );
    stop.cancel();
    letters.abort();
    // Whoever died over a letter leaves it: 20 letters x 20 s and a minute later it is taken again.
    world.app.mail = good;
    send(&world).await;
    assert_eq!(postbox.letters().len(), 0, "another has it in hand");
    world.app.clock.advance(TimeDelta::seconds(20 * 20 + 61));
    send(&world).await;
    assert_eq!(subjects(&postbox), ["Your trial of Advice ends on 16 Mar 2026"]);
}

#[actix_web::test]
async fn two_who_send_letters_at_once_send_each_once_and_stop_when_told() {
    let (world, postbox) = with_post().await;
    for no in ["N-3", "N-4", "N-5"] {
        on_trial(&world, world.nord, no, "nina@post.example", TrialEnd::Convert).await;
    }
    world.app.clock.travel_to(start() + TimeDelta::days(12));
    while worker::round(&world.app).await.unwrap() {}
    assert_eq!(postbox.letters().len(), 0, "the worker itself sends none");
    let stop = CancellationToken::new();
    let work = || tokio::spawn(mail::work(world.app.clone(), stop.clone()));
    let (one, two) = (work(), work());
    for _ in 0..100 {
        if postbox.letters().len() == 3 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    stop.cancel();
    one.await.unwrap();
    two.await.unwrap();
    send(&world).await;
    assert_eq!(postbox.letters().len(), 3);
}
