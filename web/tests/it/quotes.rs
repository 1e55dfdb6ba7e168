//! A quote on its pages: written by the seller, read and accepted by whoever has its link, under the seller's name; and an
//! estimate that is saved and becomes one.

use crate::browser::{Answer, Browser, pages};
use crate::customers::hidden;
use crate::world::{VOSS, World, flat, start};
use actix_web::test::TestRequest;
use chrono::TimeDelta;
use subscription::{Billed, Component, ComponentKind, NewPlanVersion, QuoteState};

pub fn terms() -> NewPlanVersion {
    NewPlanVersion { trial_days: 0, ..NewPlanVersion::monthly(money::Currency::EUR, Vec::new()) }
}

pub fn calls(unit: &str) -> Component {
    Component {
        kind: ComponentKind::Usage,
        measure: Some("calls".into()),
        billed: Billed::InArrears,
        ..flat("calls", unit)
    }
}

/// 49.00 a month, 0.50 for each call beyond 100, 500.00 once.
pub async fn support_plan(world: &World, tenant: db::TenantId) -> db::PlanId {
    let setup = Component { kind: ComponentKind::OneOff, ..flat("setup", "500") };
    let components = vec![flat("fee", "49"), Component { included: 100.into(), ..calls("0.50") }, setup];
    let terms = NewPlanVersion { components, ..terms() };
    let tx = world.database.db.tenant(tenant).await.unwrap();
    let plan = subscription::create_plan(&tx, "support", "Support", "Calls answered", false).await.unwrap();
    subscription::publish_version(&tx, plan, &terms, start()).await.unwrap();
    tx.commit().await.unwrap();
    plan
}

pub const OFFER: [(&str, &str); 11] = [
    ("customer", ""),
    ("name", "Nordwind GmbH"),
    ("email", "office@nordwind.example"),
    ("country", "DE"),
    ("time_zone", "Europe/Berlin"),
    ("payment_terms_days", "30"),
    ("billing", "prepaid"),
    ("plan_name", "Support for Nordwind"),
    ("term_months", "12"),
    ("quantities/calls", "300"),
    ("valid_until", "2026-03-31"),
];

/// The path of the link that a page shows.
fn link_on(page: &Answer) -> String {
    let at = page.body.find("/quote/").expect("the page shows the link");
    page.body[at..].split('"').next().unwrap().to_owned()
}

#[actix_web::test]
async fn a_quote_is_written_read_by_its_link_and_accepted_once() {
    let world = World::new().await;
    let plan = support_plan(&world, world.nord).await;
    let pages = pages(&world).await;
    let mut seller = Browser::new(&pages);
    seller.sign_in("admin@nord.example").await;
    let form = seller.get(&format!("/admin/quotes/new?plan={plan}")).await;
    assert!(form.body.contains("A quote from Support") && form.body.contains("quantities/calls"), "{}", form.body);
    let token = form.token();
    let to = format!("/admin/quotes?plan={plan}");
    // what is wrong comes back at its field, with what was typed
    let mut wrong = OFFER.to_vec();
    wrong[9] = ("quantities/calls", "-3");
    wrong[10] = ("valid_until", "2026-02-01");
    let refused = seller.post(&to, &token, &wrong).await;
    assert_eq!(refused.status, 422);
    assert!(
        refused.body.contains("Must not be negative.") && refused.body.contains("Nordwind GmbH"),
        "{}",
        refused.body
    );
    let written = seller.post(&to, &token, &OFFER).await;
    assert_eq!(written.status, 303, "{}", written.body);
    let quote = written.to().to_owned();
    let page = seller.get(&quote).await;
    // 49.00 + (300 - 100) x 0.50 = 149.00; 19% is 28.31; once 500.00 + 95.00
    for words in ["Q-00001 for Nordwind GmbH", "€149.00", "€28.31", "€177.31", "€595.00", "from a wallet"] {
        assert!(page.body.contains(words), "{words} in {}", page.body);
    }
    let link = link_on(&seller.post(&format!("{quote}/links"), &token, &[]).await);
    let mut reader = Browser::new(&pages);
    let shown = reader.get(&link).await;
    assert_eq!(shown.status, 200, "{}", shown.body);
    for words in ["NORD", "Quote Q-00001", "€177.31", "31 Mar 2026", "Accept the quote"] {
        assert!(shown.body.contains(words), "{words} in {}", shown.body);
    }
    let pdf = reader.get(&format!("{link}/pdf")).await;
    assert!(pdf.header("content-type") == "application/pdf" && pdf.body.starts_with("%PDF-1.7"));
    let accept = format!("{link}/acceptance");
    let details = [
        ("person", "Kim Lind"),
        ("email", "kim@nordwind.example"),
        ("company", "Nordwind Nord GmbH"),
        ("address", "Am Kai 1\r\n20457 Hamburg"),
        ("country", "de"),
        ("agreed", "yes"),
    ];
    let reader_token = shown.token();
    let unticked = reader.post(&accept, &reader_token, &details[..5]).await;
    assert!(unticked.status == 422 && unticked.body.contains("Must be ticked to accept."), "{}", unticked.body);
    for (token, why) in [("", "no token"), (token.as_str(), "somebody else's token")] {
        assert_eq!(reader.post(&accept, token, &details).await.status, 403, "{why}");
    }
    assert_eq!(reader.post(&accept, &reader_token, &details).await.to(), link);
    // the same form once more: the page says what has become of it
    assert_eq!(reader.post(&accept, &reader_token, &details).await.to(), link);
    let done = reader.get(&link).await;
    assert!(done.body.contains("Accepted by Kim Lind") && !done.body.contains("Accept the quote"), "{}", done.body);
    let tx = world.nord().await;
    let stored = subscription::quotes(&tx, None, 9).await.unwrap().remove(0);
    assert_eq!(stored.state_at(start()), QuoteState::Accepted);
    let sold = subscription::subscription(&tx, stored.subscription_id.unwrap()).await.unwrap().unwrap();
    let customer = subscription::customer(&tx, sold.customer_id).await.unwrap().unwrap();
    assert_eq!((customer.name.as_str(), customer.country.as_str()), ("Nordwind Nord GmbH", "DE"));
    assert_eq!(subscription::subscriptions_of(&tx, customer.id).await.unwrap().len(), 1);
    assert!(seller.get(&quote).await.body.contains("Accepted by Kim Lind"));
    assert!(seller.get("/admin/quotes").await.body.contains("Support for Nordwind"));
}

#[actix_web::test]
async fn a_quote_that_was_withdrawn_or_whose_time_is_over_says_so_and_is_not_accepted() {
    let world = World::new().await;
    let plan = support_plan(&world, world.nord).await;
    let pages = pages(&world).await;
    let mut seller = Browser::new(&pages);
    seller.sign_in("admin@nord.example").await;
    let token = seller.get("/admin/quotes").await.token();
    let mut links = Vec::new();
    for _ in 0..2 {
        let quote = seller.post(&format!("/admin/quotes?plan={plan}"), &token, &OFFER).await.to().to_owned();
        links.push((link_on(&seller.post(&format!("{quote}/links"), &token, &[]).await), quote));
    }
    assert_eq!(seller.post(&format!("{}/withdrawal", links[0].1), &token, &[]).await.status, 303);
    let mut reader = Browser::new(&pages);
    let withdrawn = reader.get(&links[0].0).await;
    assert!(withdrawn.body.contains("This quote was withdrawn.") && !withdrawn.body.contains("Accept the quote"));
    let reader_token = reader.get(&links[1].0).await.token();
    world.app.clock.advance(TimeDelta::days(30));
    let expired = reader.get(&links[1].0).await;
    assert!(expired.body.contains("This quote has expired."), "{}", expired.body);
    let agreed = [("person", "Kim"), ("email", "kim@n.example"), ("agreed", "yes")];
    assert_eq!(reader.post(&format!("{}/acceptance", links[1].0), &reader_token, &agreed).await.to(), links[1].0);
    let found = subscription::quotes(&world.nord().await, None, 9).await.unwrap();
    assert!(found.iter().all(|quote| quote.accepted_at.is_none()));
}

#[actix_web::test]
async fn a_resellers_quote_stands_under_its_own_name_and_on_its_own_host_alone() {
    let world = World::new().await;
    let plan = support_plan(&world, world.reseller).await;
    let pages = pages(&world).await;
    let mut seller = Browser::at(&pages, VOSS);
    seller.sign_in("admin@voss.example").await;
    let token = seller.get("/reseller/quotes").await.token();
    let quote = seller.post(&format!("/reseller/quotes?plan={plan}"), &token, &OFFER).await.to().to_owned();
    let page = seller.post(&format!("{quote}/links"), &token, &[]).await;
    let link = link_on(&page);
    assert!(page.body.contains(&format!("https://{VOSS}{link}")), "{}", page.body);
    let shown = Browser::at(&pages, VOSS).get(&link).await;
    assert!(shown.status == 200 && shown.body.contains("VOSS") && !shown.body.contains("Ringtill"), "{}", shown.body);
    assert_eq!(Browser::new(&pages).get(&link).await.status, 404, "the operator's host knows nothing of it");
    let end = link.len() - 1;
    for path in [&link[..end], "/quote/x", "/quote/org_1.ab"] {
        assert_eq!(Browser::at(&pages, VOSS).get(path).await.status, 404, "{path}");
    }
}

const FIGURES: &str = "currency=EUR&zone=Europe/Berlin&phone/per_month=869.642857&phone/talk=3:00&phone/target=80&phone/within=20\
               &hours/mon/from=09:00&hours/mon/to=10:00&busy=85&away=30&agent_hour=18&margin=35";

#[actix_web::test]
async fn an_estimate_is_saved_by_a_visitor_shared_by_its_link_and_made_into_a_quote_by_the_seller() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let mut visitor = Browser::at(&pages, VOSS);
    let page = visitor.get(&format!("/estimate?{FIGURES}")).await;
    let figures: Vec<(String, String)> = serde_urlencoded::from_str(FIGURES).unwrap();
    let figures: Vec<(&str, &str)> = figures.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    assert_eq!(visitor.post("/estimate/saved", "", &figures).await.status, 403, "only from a page that was shown");
    let saved = visitor.post("/estimate/saved", &page.token(), &figures).await;
    assert_eq!(saved.status, 303, "{}", saved.body);
    let link = saved.to().to_owned();
    let shared = Browser::at(&pages, VOSS).get(&link).await;
    assert!(shared.body.contains("20 agents at the busiest hour"), "{}", shared.body);
    assert!(!shared.body.contains("Make a quote"), "a visitor makes none");
    let file = Browser::at(&pages, VOSS).get(&format!("{link}/csv")).await;
    assert!(file.body.contains("Monday,09:00,60,200,14,20"), "{}", file.body);
    let mut seller = Browser::at(&pages, VOSS);
    seller.sign_in("admin@voss.example").await;
    let list = seller.get("/reseller/estimates").await;
    assert!(list.body.contains("870 events a month, 20 agents") && list.body.contains("A visitor"), "{}", list.body);
    let id = list.body.split("/reseller/estimates/").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let kept = format!("/reseller/estimates/{id}");
    for (path, answer) in [
        (format!("{kept}/pdf"), seller.get(&format!("{kept}/pdf")).await),
        (format!("{link}/pdf"), Browser::at(&pages, VOSS).get(&format!("{link}/pdf")).await),
        ("/estimate/pdf".into(), Browser::at(&pages, VOSS).get(&format!("/estimate/pdf?{FIGURES}")).await),
    ] {
        assert_eq!(answer.header("content-type"), "application/pdf", "{path}");
        assert!(answer.body.starts_with("%PDF-1.7"), "{path}");
    }
    // The one who keeps it makes another link, and the visitor's stops working.
    let token = seller.get(&kept).await.token();
    let page = seller.post(&format!("{kept}/links"), &token, &[]).await;
    let made =
        page.body.split(&format!("https://{VOSS}")).nth(1).expect("the link is shown").split('"').next().unwrap();
    assert!(Browser::at(&pages, VOSS).get(made).await.body.contains("20 agents at the busiest hour"));
    assert_eq!(Browser::at(&pages, VOSS).get(&link).await.status, 404);
    let models = seller.get(&format!("/reseller/quotes/new?estimate={id}")).await;
    assert!(models.body.contains("By which model is it sold?"), "{}", models.body);
    let source = format!("estimate={id}&model=per_event");
    let form = seller.get(&format!("/reseller/quotes/new?{source}")).await;
    assert!(form.body.contains("value=\"870\""), "the forecast is the month: {}", form.body);
    let mut offer = OFFER.to_vec();
    offer[9] = ("quantities/calls", "870");
    let written = seller.post(&format!("/reseller/quotes?{source}"), &form.token(), &offer).await;
    assert_eq!(written.status, 303, "{}", written.body);
    assert!(seller.get(written.to()).await.body.contains("an estimate"));
}

#[actix_web::test]
async fn a_stranger_who_floods_the_estimator_waits_and_another_does_not() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let ask =
        |from: &str| TestRequest::get().uri("/estimate?empty=yes").peer_addr(format!("{from}:4711").parse().unwrap());
    let mut browser = Browser::new(&pages);
    let mut waited = None;
    for _ in 0..200 {
        let answer = browser.send(ask("192.0.2.7")).await;
        if answer.status == 429 {
            waited = Some(answer);
            break;
        }
    }
    let waited = waited.expect("a flood is refused");
    assert_eq!(waited.header("retry-after"), "1");
    assert!(waited.body.contains("Too many tries") && waited.body.contains("Wait 1 s"), "{}", waited.body);
    assert_eq!(browser.send(ask("192.0.2.8")).await.status, 200);
    world.app.clock.advance(TimeDelta::seconds(1));
    assert_eq!(browser.send(ask("192.0.2.7")).await.status, 200);
}

#[actix_web::test]
async fn a_stranger_keeps_ten_estimates_at_once_and_waits_for_the_eleventh() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    let page = browser.get("/estimate").await;
    let token = page.token();
    let mut fields = hidden(&page.body, "action=\"/estimate/saved\"");
    fields.push(("csrf".to_owned(), token));
    let save = |from: &str| {
        TestRequest::post()
            .uri("/estimate/saved")
            .peer_addr(format!("{from}:4711").parse().unwrap())
            .insert_header(("sec-fetch-site", "same-origin"))
            .set_form(&fields)
    };
    for number in 1..=10 {
        assert_eq!(browser.send(save("192.0.2.7")).await.status, 303, "the {number}th is kept");
    }
    assert_eq!(browser.send(save("192.0.2.7")).await.status, 429);
    assert_eq!(browser.send(save("192.0.2.8")).await.status, 303, "another is not kept waiting");
}

/// A mail server that takes one letter and tells what was in it.
async fn letter_to(listener: tokio::net::TcpListener) -> String {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    let (mut socket, _) = listener.accept().await.unwrap();
    let (reader, mut writer) = socket.split();
    let (mut lines, mut letter, mut is_text) = (BufReader::new(reader).lines(), String::new(), false);
    writer.write_all(b"220 post.example\r\n").await.unwrap();
    while let Some(line) = lines.next_line().await.unwrap() {
        letter.push_str(&line);
        letter.push('\n');
        let answer = match line.as_str() {
            "." if is_text => {
                writer.write_all(b"250 taken\r\n").await.unwrap();
                return letter;
            }
            _ if is_text => continue,
            "DATA" => {
                is_text = true;
                "354 go on\r\n"
            }
            _ => "250 fine\r\n",
        };
        writer.write_all(answer.as_bytes()).await.unwrap();
    }
    letter
}

#[actix_web::test]
async fn a_quote_is_sent_by_mail_under_the_sellers_name_with_a_link_that_is_stored_nowhere() {
    let mut world = World::new().await;
    let plan = support_plan(&world, world.nord).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = ringtill::config::MailSettings {
        url: format!("smtp://{}", listener.local_addr().unwrap()).into(),
        from: "post@ringtill.example".into(),
    };
    let pages_without = pages(&world).await;
    let mut seller = Browser::new(&pages_without);
    seller.sign_in("admin@nord.example").await;
    let token = seller.get("/admin/quotes").await.token();
    let quote = seller.post(&format!("/admin/quotes?plan={plan}"), &token, &OFFER).await.to().to_owned();
    let page = seller.get(&quote).await;
    assert!(page.body.contains("This installation sends no mail") && !page.body.contains("Send the quote"));
    world.app.mail = Some(ringtill::mail::Mailer::new(&settings).unwrap());
    let pages = pages(&world).await;
    let mut with_mail = Browser::new(&pages);
    with_mail.cookies = seller.cookies.clone();
    let refused = with_mail.post(&format!("{quote}/sendings"), &token, &[("email", "kim")]).await;
    assert!(refused.status == 422 && refused.body.contains("value=\"kim\""), "{}", refused.body);
    let sent = with_mail.post(&format!("{quote}/sendings"), &token, &[("email", "kim@nordwind.example")]).await;
    assert_eq!(sent.to(), quote, "{}", sent.body);
    assert!(with_mail.get(&quote).await.body.contains("Sent to kim@nordwind.example"));
    let letter = tokio::spawn(letter_to(listener));
    ringtill::mail::round(&world.app, &Default::default()).await.unwrap();
    // quoted-printable: a soft line end is "=" at the end of a line, an equals sign "=3D"
    let letter = letter.await.unwrap().replace("=\n", "");
    for words in ["RCPT TO:<kim@nordwind.example>", "NORD", "Quote Q-00001", "149.00 before tax", "31 March 2026"] {
        assert!(letter.contains(words), "{words} in {letter}");
    }
    let at = letter.find("/quote/").expect("the letter has the link");
    let link = letter[at..].lines().next().unwrap().to_owned();
    assert_eq!(Browser::new(&pages).get(&link).await.status, 200, "{link}");
    let secret = link.rsplit('.').next().unwrap().to_owned();
    let stored: Option<i64> = world
        .nord()
        .await
        .value("SELECT count(*) AS v FROM outbox WHERE payload::text LIKE $1", [format!("%{secret}%").into()])
        .await
        .unwrap();
    assert_eq!(stored, Some(0));
    // it was taken: another round sends nothing, and would find no server
    world.app.clock.advance(TimeDelta::hours(2));
    ringtill::mail::round(&world.app, &Default::default()).await.unwrap();
}
