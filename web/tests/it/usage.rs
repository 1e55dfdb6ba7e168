//! What was used: over days and hours, by customer and dimension; and the figures that a monitoring system reads.

use crate::browser::{Browser, pages};
use crate::world::{World, start};
use chrono::{DateTime, TimeDelta, Utc};
use db::CustomerId;
use usage_metering::UsageEvent;

fn minutes(id: &str, customer_id: CustomerId, at: DateTime<Utc>, topic: &str, quantity: &str) -> UsageEvent {
    UsageEvent {
        source: "switch-1".into(),
        id: id.into(),
        meter: "minutes".into(),
        customer_id,
        subscription_id: None,
        quantity: quantity.parse().unwrap(),
        dimensions: [("topic".to_owned(), topic.to_owned())].into(),
        occurred_at: at,
    }
}

#[actix_web::test]
async fn usage_is_shown_by_day_and_hour_and_customer_and_dimension_and_leads_to_what_waits() {
    let world = World::new().await;
    let events = [
        minutes("a", world.jonas, start() - TimeDelta::hours(2), "law", "10.5"), // 2 March, 09:00 there
        minutes("b", world.petra, start() - TimeDelta::hours(1), "law", "4"),
        minutes("c", world.jonas, start() - TimeDelta::days(3), "tax", "1.5"), // 27 February
        minutes("d", CustomerId::new(), start() - TimeDelta::hours(1), "law", "99"),
    ];
    usage_metering::ingest(&world.database.db, world.nord, &events, start()).await.unwrap();
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    browser.sign_in("admin@nord.example").await;
    for folded in [false, true] {
        let page = browser.get("/admin/usage").await;
        assert_eq!(page.status, 200, "{}", page.body);
        // 10.5 + 4 + 1.5; the fourth waits.
        for words in [
            "16 <small>minutes</small>",
            "14.5<",
            "Jonas Weber",
            "Petra Lange",
            "By customer",
            "By topic",
            "/admin/suspense/unknown_customer",
            "27 Feb",
        ] {
            assert!(page.body.contains(words), "{words}, folded {folded}, in {}", page.body);
        }
        let one = browser.get("/admin/usage?customer=N-1&only=topic%3Dlaw").await.body;
        assert!(one.contains("10.5 <small>minutes</small>") && !one.contains("Petra Lange"), "{one}");
        let named = browser.get("/admin/usage?customer=petra").await.body;
        assert!(named.contains("4 <small>minutes</small>"), "{named}");
        let hours = browser.get("/admin/usage?from=2026-03-02&until=2026-03-02&each=hour").await.body;
        assert!(hours.contains("14.5 <small>minutes</small>") && hours.contains("Minutes by hour"), "{hours}");
        assert_eq!(hours.matches("<td class=\"r\" data-v=").count(), 24, "each hour of the day has its bar");
        let tx = world.nord().await;
        usage_metering::fold(&tx, start()).await.unwrap();
        tx.commit().await.unwrap();
    }
    let peak = browser.get("/admin/usage?meter=channel_peak").await.body;
    assert!(peak.contains("Calls at once") && peak.contains("Nothing to draw yet"), "{peak}");
}

#[actix_web::test]
async fn a_wrong_filter_says_what_is_wrong_and_keeps_what_was_typed() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    browser.sign_in("admin@nord.example").await;
    for (asked, said, kept) in [
        ("customer=nobody", "No customer has the number or a name that begins with “nobody”.", "value=\"nobody\""),
        ("only=colour%3Dred", "not by colour.", "value=\"colour=red\""),
        ("only=law", "Must be pairs such as topic=law, not law.", "value=\"law\""),
        ("from=2026-02-30", "“2026-02-30” is none.", "value=\"2026-02-30\""),
        ("from=2026-03-03", "Must not be before 2026-03-03.", "value=\"2026-03-03\""),
        ("each=hour", "Hours are shown of at most 14 days; these are 30.", "value=\"hour\" selected"),
        ("from=2020-01-01", "At most 366 days are shown", "value=\"2020-01-01\""),
        ("meter=parsecs", "No meter has the code parsecs.", "Minutes"),
    ] {
        let page = browser.get(&format!("/admin/usage?{asked}")).await;
        assert_eq!(page.status, 422, "{asked}");
        assert!(page.body.contains(said) && page.body.contains(kept), "{asked}: {}", page.body);
    }
}

#[actix_web::test]
async fn every_book_has_the_page_and_shows_its_own_usage_only() {
    let world = World::new().await;
    let of_jonas = [minutes("a", world.jonas, start() - TimeDelta::hours(2), "law", "10.5")];
    usage_metering::ingest(&world.database.db, world.nord, &of_jonas, start()).await.unwrap();
    let pages = pages(&world).await;
    for (email, host, path) in [
        ("ops@ringtill.example", crate::world::MAIN, "/ops/usage"),
        ("admin@voss.example", crate::world::VOSS, "/reseller/usage"),
        ("admin@bright.example", crate::world::VOSS, "/admin/usage"),
    ] {
        let mut browser = Browser::at(&pages, host);
        browser.sign_in(email).await;
        let page = browser.get(path).await;
        assert_eq!(page.status, 200, "{path}");
        assert!(!page.body.contains("10.5") && !page.body.contains("Jonas"), "{path}: {}", page.body);
    }
}

#[actix_web::test]
async fn a_monitoring_system_reads_how_long_the_oldest_has_waited_over_all_books() {
    let world = World::new().await;
    let db = &world.database.db;
    let nobody = |id: &str| minutes(id, CustomerId::new(), start() - TimeDelta::hours(31), "law", "1");
    for (tenant, id, hours) in [(world.nord, "a", 30), (world.nord, "b", 2), (world.bright, "c", 5)] {
        usage_metering::ingest(db, tenant, &[nobody(id)], start() - TimeDelta::hours(hours)).await.unwrap();
    }
    let text = ringtill::metrics::read(db, start()).await.unwrap();
    // 30 hours
    assert!(text.contains("ringtill_suspense_oldest_age_seconds{cause=\"unknown_customer\"} 108000\n"), "{text}");
    assert!(text.contains("ringtill_suspense_waiting{cause=\"unknown_customer\"} 3\n"), "{text}");
    assert!(!text.contains("NORD") && !text.contains("ten_"), "nothing about whose: {text}");
    // Both also say it in the log, and the worker takes away what is old without a word where nothing is.
    ringtill::worker::retire(db, 24, start()).await.unwrap();
}
