//! What a page shows before a subscription is changed, and what it then does: by the same rules as the API, and never by figures
//! that somebody else has changed meanwhile.

use crate::browser::{Answer, Browser, pages};
use crate::customers::hidden;
use crate::world::{World, flat, founded, start};
use chrono::{DateTime, TimeDelta, Utc};
use db::{PlanVersionId, SubscriptionId};
use money::Currency;
use subscription::{Change, Component, ComponentKind, History, NewPlanVersion, NewSubscription, When};

fn seats(unit: &str) -> Component {
    Component { kind: ComponentKind::Seat, measure: Some("assigned".into()), ..flat("agents", unit) }
}

async fn publish(world: &World, terms: &NewPlanVersion) -> PlanVersionId {
    let tx = world.nord().await;
    let plan = subscription::create_plan(&tx, "agents", "Agents", "", false).await.unwrap();
    let version = subscription::publish_version(&tx, plan, terms, founded()).await.unwrap();
    tx.commit().await.unwrap();
    version
}

/// Jonas on these terms from 1 March on, with five seats.
async fn on(world: &World, terms: NewPlanVersion) -> SubscriptionId {
    let plan_version_id = publish(world, &terms).await;
    let tx = world.nord().await;
    let new = NewSubscription {
        customer_id: world.jonas,
        plan_version_id,
        seats: 5,
        anchor_on: "2026-03-01".parse().unwrap(),
        starts_at: start(),
        trial: false,
    };
    let id = subscription::subscribe(&tx, &new, start()).await.unwrap();
    tx.commit().await.unwrap();
    id
}

fn yearly() -> NewPlanVersion {
    NewPlanVersion {
        trial_days: 0,
        term_months: 12,
        ..NewPlanVersion::monthly(Currency::EUR, vec![flat("platform", "29.00"), seats("49.00")])
    }
}

async fn history(world: &World, id: SubscriptionId) -> History {
    subscription::history(&world.nord().await, id).await.unwrap().unwrap()
}

async fn changed(world: &World, id: SubscriptionId, change: Change, when: When) {
    let tx = world.nord().await;
    subscription::change(&tx, id, &change, when, "Ann", world.app.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
}

/// The fields that the button below a preview sends.
fn confirmation(page: &Answer) -> Vec<(String, String)> {
    hidden(&page.body, "method=\"post\" action=\"/admin/subscriptions/")
}

fn pairs(fields: &[(String, String)]) -> Vec<(&str, &str)> {
    fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

#[actix_web::test]
async fn a_pending_end_is_moved_to_a_later_day_by_the_page_too() {
    let world = World::new().await;
    let id = on(&world, yearly()).await;
    changed(&world, id, Change::Cancel { credit: false }, When::PeriodEnd).await;
    let ends = |text: &str| Some(text.parse::<DateTime<Utc>>().unwrap());
    // 1 April in Berlin
    assert_eq!(history(&world, id).await.ended.map(|ended| ended.at), ends("2026-03-31T22:00:00Z"));
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    browser.sign_in("admin@nord.example").await;
    let shown = browser.get(&format!("/admin/subscriptions/{id}/change?do=end&sent=yes&when=term_end")).await;
    assert!(shown.body.contains("1 Mar 2027"), "{}", shown.body);
    let done = browser
        .post(&format!("/admin/subscriptions/{id}/changes"), &shown.token(), &pairs(&confirmation(&shown)))
        .await;
    assert_eq!(done.status, 303, "{}", done.body);
    assert_eq!(history(&world, id).await.ended.map(|ended| ended.at), ends("2027-02-28T23:00:00Z"));
}

#[actix_web::test]
async fn seats_that_somebody_else_changed_meanwhile_are_looked_at_again() {
    let world = World::new().await;
    let monthly = NewPlanVersion { term_months: 1, ..yearly() };
    let id = on(&world, monthly).await;
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    browser.sign_in("admin@nord.example").await;
    // Looked at with five seats, and there are ten when the button is pressed.
    let shown = browser.get(&format!("/admin/subscriptions/{id}/change?do=end&sent=yes&when=period_end")).await;
    assert!(shown.body.contains("from 1 Apr 2026 on"), "{}", shown.body);
    world.app.clock.advance(TimeDelta::minutes(1));
    changed(&world, id, Change::Seats(10), When::Now).await;
    let refused = browser
        .post(&format!("/admin/subscriptions/{id}/changes"), &shown.token(), &pairs(&confirmation(&shown)))
        .await;
    assert_eq!(refused.status, 422, "{}", refused.body);
    assert!(refused.body.contains("The figures are others than those that were shown."), "{}", refused.body);
    assert_eq!(history(&world, id).await.ended, None, "nothing was changed");
}

#[actix_web::test]
async fn the_words_beside_seats_promise_no_free_ones() {
    for (included, limit, extra, said) in [
        (0, None, false, "each is charged"),
        (0, Some(20), false, "each is charged, 20 at most"),
        (0, Some(5), true, "each is charged, also above 5"),
        (3, Some(5), true, "3 included, each further one is charged"),
        (3, Some(5), false, "3 included, each further one is charged, 5 at most"),
    ] {
        let world = World::new().await;
        let terms = NewPlanVersion {
            seat_limit: limit,
            sells_extra_seats: extra,
            term_months: 1,
            components: vec![Component { included: included.into(), ..seats("49.00") }],
            ..yearly()
        };
        let id = on(&world, terms).await;
        let pages = pages(&world).await;
        let mut browser = Browser::new(&pages);
        browser.sign_in("admin@nord.example").await;
        let customer = browser.get(&format!("/admin/customers/{}", world.jonas)).await.body;
        let change = browser.get(&format!("/admin/subscriptions/{id}/change?do=seats")).await.body;
        for page in [customer, change] {
            assert!(page.contains(&format!("{said}<")), "{said} in {page}");
        }
    }
}

#[actix_web::test]
async fn a_timeline_names_the_year_of_what_has_happened() {
    let world = World::new().await;
    on(&world, yearly()).await;
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    browser.sign_in("admin@nord.example").await;
    let page = browser.get(&format!("/admin/customers/{}", world.jonas)).await.body;
    // 10:00 UTC is 11:00 in Berlin
    assert!(page.contains("2 Mar 2026, 11:00"), "{page}");
}
