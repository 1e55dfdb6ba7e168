//! The pages of a book: every link leads somewhere, money is recorded once, a run goes from its form to its invoices, and
//! nobody opens another book's papers.

use crate::browser::{Browser, pages};
use crate::world::{MAIN, VOSS, World, start};
use std::collections::{BTreeSet, VecDeque};

/// The links of a page that stay under a prefix.
fn links(body: &str, prefix: &str) -> Vec<String> {
    let after = |mark: &str| {
        body.split(mark).skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect::<Vec<_>>()
    };
    [after("href=\""), after("hx-get=\"")]
        .concat()
        .into_iter()
        .map(|link| link.replace("&amp;", "&").split('#').next().unwrap_or_default().to_owned())
        .filter(|link| link == prefix || link.starts_with(&format!("{prefix}/")))
        .collect()
}

#[actix_web::test]
async fn every_link_of_a_book_leads_to_a_page() {
    let world = World::new().await;
    world.called_and_billed(world.jonas).await;
    let pages = pages(&world).await;
    for (host, email, prefix, least) in [
        (MAIN, "admin@nord.example", "/admin", 15),
        (MAIN, "ops@ringtill.example", "/ops", 9),
        (VOSS, "admin@voss.example", "/reseller", 9),
    ] {
        let mut browser = Browser::at(&pages, host);
        browser.sign_in(email).await;
        let mut seen = BTreeSet::new();
        let mut open = VecDeque::from([prefix.to_owned()]);
        while let Some(path) = open.pop_front() {
            if !seen.insert(path.clone()) {
                continue;
            }
            let answer = browser.get(&path).await;
            assert_eq!(answer.status, 200, "{email}: {path}: {}", answer.body);
            if answer.header("content-type").starts_with("text/html") {
                open.extend(links(&answer.body, prefix));
            }
        }
        assert!(seen.len() >= least, "{email} sees {seen:?}");
    }
}

#[actix_web::test]
async fn a_call_says_its_charge_and_that_it_was_counted_again() {
    let world = World::new().await;
    let (call, document) = world.called_and_billed(world.jonas).await;
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    browser.sign_in("admin@nord.example").await;
    // ten minutes at 0.60, tax inside: 6.00, of which net 6.00 / 1.19 = 5.04
    let page = browser.get(&format!("/admin/calls/{call}")).await.body;
    for words in ["€6.00 for 10 min on Support", "same result", "€5.04", "Which price", "Tax 19%"] {
        assert!(page.contains(words), "{words} in {page}");
    }
    let page = browser.get(&format!("/admin/invoices/{document}")).await.body;
    let part =
        links(&page, "/admin").into_iter().find(|link| link.contains("/lines/")).expect("the line of calls opens");
    let part = browser.get(&part).await.body;
    assert!(part.contains("1 call") && part.contains(&call.to_string()), "{part}");
    let pdf = browser.get(&format!("/admin/invoices/{document}/pdf")).await;
    assert_eq!((pdf.status, pdf.header("content-type")), (200, "application/pdf"));
}

#[actix_web::test]
async fn a_top_up_is_previewed_and_then_recorded_once_however_often_it_is_sent() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    browser.sign_in("admin@nord.example").await;
    let form = format!("/admin/customers/{}/payments", world.jonas);
    let preview = browser.get(&format!("{form}?amount=30.00&kind=bank_transfer&reference=R-1")).await;
    // 50.00 in the wallet and 30.00 more are 80.00
    assert!(preview.body.contains("Add €30.00") && preview.body.contains("€80.00"), "{}", preview.body);
    let token = preview.token();
    for _ in 0..2 {
        let answer =
            browser.post(&form, &token, &[("amount", "30.00"), ("kind", "bank_transfer"), ("reference", "R-1")]).await;
        assert_eq!(
            (answer.status, answer.to()),
            (303, format!("/admin/customers/{}", world.jonas).as_str()),
            "{}",
            answer.body
        );
    }
    let page = browser.get(&format!("/admin/customers/{}", world.jonas)).await.body;
    assert!(page.contains("Jonas Weber has €80.00"), "{page}");
    let other =
        browser.post(&form, &token, &[("amount", "31.00"), ("kind", "bank_transfer"), ("reference", "R-1")]).await;
    assert_eq!(other.status, 409, "the same reference is another payment");
    let again = browser.get(&format!("{form}?amount=31.00&kind=bank_transfer&reference=R-1")).await.body;
    assert!(again.contains("Is the reference of €30.00") && !again.contains("Add €31.00"), "{again}");
    for nonsense in ["0", "-1", "x", "1.005", "5,60", "1e9"] {
        let refused =
            browser.post(&form, &token, &[("amount", nonsense), ("kind", "cash"), ("reference", "R-2")]).await;
        assert_eq!(refused.status, 422, "{nonsense}");
        let preview = browser.get(&format!("{form}?amount={nonsense}&kind=cash")).await;
        assert!(preview.status == 200 && preview.body.contains("Must"), "{nonsense}: {}", preview.body);
    }
}

#[actix_web::test]
async fn what_a_form_or_an_address_says_wrongly_is_refused_at_its_field_and_stays_typed() {
    let world = World::new().await;
    let customer = world.jonas;
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    browser.sign_in("admin@nord.example").await;
    let token = browser.get("/admin").await.token();
    let payments = format!("/admin/customers/{customer}/payments");
    let long = "R".repeat(81);
    for (amount, kind, reference, sentence) in [
        ("-5", "cash", "7", "Must not be negative."),
        ("0", "cash", "7", "Must be above zero."),
        ("5,60", "cash", "7", "Must have a point before its decimals, as in 0.55."),
        ("3.005", "cash", "7", "Must not be finer than the smallest coin of EUR."),
        ("99999999999999999999999999999999", "cash", "7", "Has more digits than can be kept."),
        ("99999999999999999999", "cash", "7", "Is too large."),
        ("5", "barter", "7", "Must be one of the list."),
        ("5", "cash", &long, "Must not be longer than 80 characters; these are 81."),
    ] {
        let refused =
            browser.post(&payments, &token, &[("amount", amount), ("kind", kind), ("reference", reference)]).await;
        assert_eq!(refused.status, 422, "{amount} {kind}: {}", refused.body);
        assert!(refused.body.contains(sentence), "{sentence} in {}", refused.body);
        assert!(refused.body.contains(&format!("value=\"{amount}\"")), "{amount} stays in {}", refused.body);
    }
    for address in
        [format!("{payments}?amount=5&reference=a%00b"), "/admin/find?q=%00".into(), "/admin/calls?q=%00".into()]
    {
        let refused = browser.get(&address).await;
        assert_eq!(refused.status, 422, "{address}: {}", refused.body);
        assert!(refused.body.contains("holds a control character (U+0000)."), "{}", refused.body);
    }
    let refused = browser.post(&payments, &token, &[("amount", "5"), ("kind", "cash"), ("reference", "a\0b")]).await;
    assert_eq!((refused.status, refused.body.contains("The field reference holds")), (422, true), "{}", refused.body);
    for (asked, sentence) in [
        ("from=2026-02-30", "Must be a day, such as 2026-12-01. “2026-02-30” is none."),
        ("until=-5", "“-5” is none."),
        ("from=2026-03-02&until=2026-03-01", "Must not be before 2026-03-02."),
    ] {
        let refused = browser.get(&format!("/admin/calls?{asked}")).await;
        assert_eq!((refused.status, refused.body.contains(sentence)), (422, true), "{sentence} in {}", refused.body);
    }
}

#[actix_web::test]
async fn a_run_goes_from_its_form_over_drafts_to_invoices() {
    let world = World::new().await;
    world.called_and_billed(world.jonas).await;
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    browser.sign_in("admin@nord.example").await;
    let token = browser.get("/admin/runs").await.token();
    let ahead = browser.post("/admin/runs", &token, &[("period", "2026-04-01")]).await;
    assert_eq!(ahead.status, 422, "what lies ahead is not billed");
    let started = browser.post("/admin/runs", &token, &[("period", "2026-03-01")]).await;
    assert_eq!(started.status, 303, "{}", started.body);
    let run = started.to().to_owned();
    let second = browser.post("/admin/runs", &token, &[("period", "2026-03-01")]).await;
    assert_eq!(second.status, 409, "one run at a time");
    let early = browser.post(&format!("{run}/finalization"), &token, &[]).await;
    assert_eq!(early.status, 409, "drafts come before documents");
    let tx = world.nord().await;
    let id = run.rsplit('/').next().unwrap_or_default().parse().expect("the run's id");
    invoicing::draft_some(&tx, id, 50, start()).await.expect("drafted");
    tx.commit().await.expect("kept");
    let page = browser.get(&run).await.body;
    assert!(page.contains("Ready") || page.contains("Nothing to issue"), "{page}");
    let issued = browser.post(&format!("{run}/finalization"), &token, &[]).await;
    assert_eq!((issued.status, issued.to()), (303, run.as_str()), "{}", issued.body);
    assert!(browser.get(&run).await.body.contains("Issued"));
}

#[actix_web::test]
async fn another_book_s_papers_do_not_exist() {
    let world = World::new().await;
    let (call, document) = world.called_and_billed(world.jonas).await;
    let pages = pages(&world).await;
    let mut browser = Browser::at(&pages, VOSS);
    browser.sign_in("admin@bright.example").await;
    for path in [
        format!("/admin/calls/{call}"),
        format!("/admin/customers/{}", world.jonas),
        format!("/admin/invoices/{document}"),
        format!("/admin/invoices/{document}/pdf"),
        format!("/admin/account/invoices/{document}"),
    ] {
        assert_eq!(browser.get(&path).await.status, 404, "{path}");
    }
}
