//! Invoice runs: the clock starts each month's once, a person looks, and what is not right is thrown away.

use crate::browser::{Browser, pages};
use crate::world::World;
use chrono::{DateTime, Utc};
use db::TenantId;
use invoicing::{Phase, Run};
use ringtill::worker;
use tenant::Role;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

async fn works_at(world: &World, instant: &str) {
    world.app.clock.travel_to(at(instant));
    while worker::round(&world.app).await.unwrap() {}
}

/// The runs of a book, the newest first.
async fn runs(world: &World, book: TenantId) -> Vec<Run> {
    invoicing::runs(&world.app.db.tenant(book).await.unwrap(), 10).await.unwrap()
}

async fn issue(world: &World, book: TenantId, run: &Run) {
    let tx = world.app.db.tenant(book).await.unwrap();
    invoicing::finalise_some(&tx, run.id, 50, world.app.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
}

#[test]
fn a_month_has_ended_two_hours_after_midnight_in_the_book_s_own_zone() {
    for (now, zone, ended) in [
        // Berlin's 1 April begins at 22:00 UTC, and is two hours old at midnight UTC.
        ("2026-03-31T23:59:59Z", "Europe/Berlin", "2026-03-01"),
        ("2026-04-01T00:00:00Z", "Europe/Berlin", "2026-04-01"),
        // New York's begins at 04:00 UTC.
        ("2026-04-01T05:59:59Z", "America/New_York", "2026-03-01"),
        ("2026-04-01T06:00:00Z", "America/New_York", "2026-04-01"),
        ("2026-04-17T06:00:00Z", "America/New_York", "2026-04-01"),
    ] {
        assert_eq!(worker::month_ended(at(now), zone).unwrap().to_string(), ended, "{now} in {zone}");
    }
}

#[actix_web::test]
async fn a_month_is_drafted_by_itself_waits_for_a_person_and_then_for_the_run_before_it() {
    let world = World::new().await;
    // The reseller is on a plan of the operator's since January.
    works_at(&world, "2026-03-31T23:59:00Z").await;
    let february = runs(&world, world.operator).await.remove(0);
    assert_eq!((february.until_on.to_string(), february.phase), ("2026-03-01".to_owned(), Phase::Ready));
    assert_eq!((february.started_by.as_str(), february.counts.drafted), ("monthly schedule", 1));
    // Nord's callers owe nothing: that run has nothing to look at and is over. Bright has nobody to bill, and no run.
    assert_eq!(runs(&world, world.nord).await.iter().map(|run| run.phase).collect::<Vec<_>>(), [Phase::Done]);
    assert!(runs(&world, world.bright).await.is_empty());

    works_at(&world, "2026-04-02T09:00:00Z").await;
    assert_eq!(runs(&world, world.operator).await.len(), 1, "March waits until February is issued");
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    browser.sign_in("ops@ringtill.example").await;
    let page = browser.get("/ops/runs").await.body;
    assert!(page.contains("monthly schedule") && page.contains("A run is open."), "{page}");

    issue(&world, world.operator, &february).await;
    // Two workers on one database.
    let (first, second) = tokio::join!(worker::round(&world.app), worker::round(&world.app));
    first.unwrap();
    second.unwrap();
    works_at(&world, "2026-04-02T09:00:10Z").await;
    let all = runs(&world, world.operator).await;
    let told: Vec<_> = all.iter().map(|run| (run.until_on.to_string(), run.phase)).collect();
    assert_eq!(told, [("2026-04-01".to_owned(), Phase::Ready), ("2026-03-01".to_owned(), Phase::Done)]);
    works_at(&world, "2026-04-20T09:00:00Z").await;
    assert_eq!(runs(&world, world.operator).await, all, "nothing is issued before a person says so");
}

#[actix_web::test]
async fn a_draft_and_a_run_are_thrown_away_from_their_pages_by_who_may_and_only_before_they_are_issued() {
    let world = World::new().await;
    world.member(world.operator, "helper@ringtill.example", Role::Support, None).await;
    works_at(&world, "2026-03-02T10:00:00Z").await;
    let run = runs(&world, world.operator).await.remove(0);
    let run_page = format!("/ops/runs/{}", run.id);
    let tx = world.app.db.tenant(world.operator).await.unwrap();
    let draft = invoicing::drafts(&tx, Some(run.id), None, 10).await.unwrap().remove(0);
    drop(tx);
    let draft_page = format!("/ops/drafts/{}", draft.id);
    let pages = pages(&world).await;

    let mut helper = Browser::new(&pages);
    helper.sign_in("helper@ringtill.example").await;
    let token = helper.get("/ops/runs").await.token();
    for (page, action) in [(&draft_page, "voiding"), (&run_page, "abandonment")] {
        assert!(!helper.get(page).await.body.contains(action), "no button that is refused");
        assert_eq!(helper.post(&format!("{page}/{action}"), &token, &[]).await.status, 404);
    }

    let mut owner = Browser::new(&pages);
    owner.sign_in("ops@ringtill.example").await;
    let page = owner.get(&draft_page).await;
    assert!(page.body.contains("Throw the draft away") && page.body.contains("is left out of this run"));
    let token = page.token();
    let thrown = owner.post(&format!("{draft_page}/voiding"), &token, &[]).await;
    assert_eq!((thrown.status, thrown.to()), (303, draft_page.as_str()), "{}", thrown.body);
    let page = owner.get(&draft_page).await.body;
    assert!(page.contains("Thrown away") && !page.contains("/voiding"), "{page}");
    let again = owner.post(&format!("{draft_page}/voiding"), &token, &[]).await;
    assert!(again.status == 409 && again.body.contains("The draft is void already"), "{}", again.body);

    assert!(owner.get(&run_page).await.body.contains("Throw this run away"));
    let thrown = owner.post(&format!("{run_page}/abandonment"), &token, &[]).await;
    assert_eq!((thrown.status, thrown.to()), (303, run_page.as_str()), "{}", thrown.body);
    let page = owner.get(&run_page).await.body;
    assert!(page.contains("February 2026, thrown away") && !page.contains("/abandonment"), "{page}");
    assert!(owner.get("/ops/runs").await.body.contains("Thrown away"));

    // What it would have billed is due again, in a run that a person starts; once issued it stays.
    let started = owner.post("/ops/runs", &token, &[("period", "2026-03-01")]).await;
    assert_eq!(started.status, 303, "{}", started.body);
    works_at(&world, "2026-03-02T10:00:01Z").await;
    let run = runs(&world, world.operator).await.remove(0);
    assert_eq!((run.phase, run.counts.drafted), (Phase::Ready, 1));
    issue(&world, world.operator, &run).await;
    works_at(&world, "2026-03-02T10:00:02Z").await;
    let late = owner.post(&format!("/ops/runs/{}/abandonment", run.id), &token, &[]).await;
    assert!(late.status == 409 && late.body.contains("cannot be thrown away"), "{}", late.body);
}

#[actix_web::test]
async fn who_has_paid_ahead_has_paid_the_invoice_that_the_page_issues() {
    let world = World::new().await;
    let kim = crate::overdue::kim(&world).await;
    crate::overdue::subscribe(&world, kim, "100.00", 1).await;
    let tx = world.nord().await;
    let payment = payments::NewPayment {
        customer_id: kim,
        amount: crate::overdue::eur("119.00"),
        method: payments::Method::BankTransfer,
        reference: "K-1".into(),
        by: "a test".into(),
        received_at: at("2026-03-01T10:00:00Z"),
    };
    payments::record_payment(&tx, &payment, at("2026-03-01T10:00:00Z")).await.unwrap();
    tx.commit().await.unwrap();
    works_at(&world, "2026-04-01T10:00:00Z").await;
    let run = runs(&world, world.nord).await.remove(0);
    assert_eq!((run.phase, run.counts.drafted), (Phase::Ready, 1));
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    browser.sign_in("admin@nord.example").await;
    let page = format!("/admin/runs/{}", run.id);
    let token = browser.get(&page).await.token();
    let issued = browser.post(&format!("{page}/finalization"), &token, &[]).await;
    assert_eq!(issued.status, 303, "{}", issued.body);
    // No worker looks after it: one draft is one block, and the run is done with it.
    assert_eq!(runs(&world, world.nord).await.remove(0).phase, Phase::Done);
    let tx = world.nord().await;
    let owed = payments::open_items(&tx, kim, at("2026-04-01T10:00:00Z")).await.unwrap();
    // 100.00 x 1.19 = 119.00 for March, all of it paid ahead
    assert_eq!((owed.open, owed.credit), (crate::overdue::eur("0"), crate::overdue::eur("0")));
}
