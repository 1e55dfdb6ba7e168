//! What waits without being counted: by cause, tried for nothing first, then counted or taken out.

use crate::browser::{Browser, pages};
use crate::world::{World, start};
use chrono::{DateTime, TimeDelta, Utc};
use db::CustomerId;
use std::collections::BTreeMap;
use usage_metering::{Aggregate, UsageEvent, UsageQuery};

fn minutes(id: &str, customer_id: CustomerId, quantity: &str) -> UsageEvent {
    UsageEvent {
        source: "switch-1".into(),
        id: id.into(),
        meter: "minutes".into(),
        customer_id,
        subscription_id: None,
        quantity: quantity.parse().unwrap(),
        dimensions: BTreeMap::new(),
        occurred_at: start() - TimeDelta::hours(1),
    }
}

async fn used(world: &World) -> String {
    let day = |text: &str| -> DateTime<Utc> { text.parse().unwrap() };
    let query = UsageQuery {
        customer_id: world.jonas,
        of: usage_metering::UsageOf::Customer,
        meter: "minutes".into(),
        filter: BTreeMap::new(),
        from: day("2026-03-02T00:00:00Z"),
        to: day("2026-03-03T00:00:00Z"),
    };
    usage_metering::quantity(&world.nord().await, &query, Aggregate::Sum).await.unwrap().to_string()
}

#[actix_web::test]
async fn what_waits_is_shown_by_cause_tried_and_counted() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let (nobody, events) = (CustomerId::new(), start() - TimeDelta::hours(30));
    let unknown = [minutes("a", nobody, "1.5"), minutes("b", nobody, "2")];
    let parsecs = UsageEvent { meter: "parsecs".into(), ..minutes("c", world.jonas, "9") };
    let db = &world.database.db;
    usage_metering::ingest(db, world.nord, &unknown, events).await.unwrap();
    usage_metering::ingest(db, world.nord, &[parsecs], start()).await.unwrap();
    let mut browser = Browser::new(&pages);
    browser.sign_in("admin@nord.example").await;
    let list = browser.get("/admin/suspense").await.body;
    for words in ["3 events wait not counted", "Unknown customer", "Over a day", "Unknown meter", "Define the meter"] {
        assert!(list.contains(words), "{words} in {list}");
    }
    let home = browser.get("/admin").await.body;
    assert!(home.contains("/admin/suspense/unknown_customer"), "Today leads there: {home}");

    let path = "/admin/suspense/unknown_customer";
    let page = browser.get(path).await;
    assert!(page.body.contains("Unknown customer: 2 events wait") && page.body.contains("switch-1"), "{}", page.body);
    let wrong = browser.get(&format!("{path}?sent=yes&do=again&customer_no=N-7")).await.body;
    assert!(wrong.contains("No customer has the number N-7.") && wrong.contains("value=\"N-7\""), "{wrong}");
    assert!(!wrong.contains("id=\"outcome\""), "nothing is offered before it is right");
    let wrong = browser.get(&format!("{path}?sent=yes&do=discard&reason=")).await.body;
    assert!(wrong.contains("Must not be empty."), "{wrong}");

    // As they came they would go on waiting; as Jonas's they would count. Neither has happened.
    let tried = browser.get(&format!("{path}?sent=yes&do=again")).await.body;
    assert!(tried.contains("Count 0 events") && tried.contains("Go on waiting: unknown customer"), "{tried}");
    let tried = browser.get(&format!("{path}?sent=yes&do=again&customer_no=N-1")).await.body;
    assert!(tried.contains("Count 2 events") && tried.contains("Counted as minutes"), "{tried}");
    assert_eq!(used(&world).await, "0");

    let token = page.token();
    let decisions = format!("{path}/decisions");
    let fields = [("do", "again"), ("customer_no", "N-1"), ("subscription", ""), ("meter", ""), ("reason", "")];
    let done = browser.post(&decisions, &token, &fields).await;
    assert_eq!((done.status, done.to()), (303, "/admin/suspense"), "{}", done.body);
    assert!(browser.get(done.to()).await.body.contains("2 events are counted."));
    assert_eq!(used(&world).await, "3.5"); // 1.5 + 2
    let twice = browser.post(&decisions, &token, &fields).await;
    assert!(browser.get(twice.to()).await.body.contains("0 events are counted."));
    assert_eq!(used(&world).await, "3.5");

    let other = "/admin/suspense/unknown_meter/decisions";
    let done = browser.post(other, &token, &[("do", "discard"), ("reason", "a test of theirs")]).await;
    assert_eq!(done.status, 303);
    assert!(browser.get("/admin/suspense").await.body.contains("Nothing waits to be counted"));
    assert_eq!(browser.get("/admin/suspense/no_such_cause").await.status, 404);
    assert_eq!(usage_metering::check(&world.nord().await, start()).await.unwrap(), []);
}
