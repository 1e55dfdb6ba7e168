//! A travel company hands its phones to a support desk, first per call, then to a team of its own by the hour, then to a core
//! team with an overflow, and back: nothing locks it in, and each month is billed by what held in it.

use super::shop::{Shop, component, each, money, monthly, only};
use super::story::Story;
use money::Currency;
use subscription::{Change, ComponentKind, NewPlanVersion, When};

#[tokio::test]
async fn outsourced_support_is_sold_per_event_then_per_hour_then_mixed() {
    let story = Story::begins("2025-12-31T23:00:00Z").await; // midnight of 1 January in Berlin
    let shop = Shop { story: &story, book: story.world.nordlicht };
    let travel = shop.customer("Alpenblick Reisen GmbH", Currency::EUR).await;

    // Per event: 0.90 a call, at least 500.00 a month.
    let calls = || component("Calls", ComponentKind::Usage, Some("calls"), each("0.90"));
    let per_event = shop
        .sells(
            "per-event-desk",
            NewPlanVersion {
                commitment: money("500", Currency::EUR),
                ..monthly(Currency::EUR, vec![key(calls(), "calls")])
            },
        )
        .await;
    // Per hour: a dedicated team at 28.00 an hour, however many calls there are.
    let team = || only(component("Core team", ComponentKind::Hours, Some("hours"), each("28")), "work", "dedicated");
    let per_hour = shop.sells("team-desk", monthly(Currency::EUR, vec![key(team(), "team")])).await;
    // Mixed: the team, and 0.70 for each call that it did not take.
    let overflow =
        only(component("Overflow", ComponentKind::Usage, Some("calls"), each("0.70")), "handled_by", "overflow");
    let mixed =
        shop.sells("mixed-desk", monthly(Currency::EUR, vec![key(team(), "team"), key(overflow, "overflow")])).await;

    let subscription = shop.subscribes(travel, per_event, false).await;
    story.travel_to("2026-01-20T08:00:00Z");
    shop.used(travel, "calls", "400", &[("handled_by", "core"), ("charged_by", "component")], "2026-01-20T08:00:00Z")
        .await;
    // On 20 January it asks for the team from the next month on.
    shop.changes(subscription, Change::Plan { version: per_hour, seats: None }, When::PeriodEnd).await;

    story.travel_to("2026-02-01T08:00:00Z");
    shop.bills("2026-02-01").await;
    assert_eq!(
        shop.lines(travel).await,
        [
            "Calls | 400 | 360.00",                                    // 400 x 0.90
            "Difference to the agreed minimum of 500.00 | 0 | 140.00", // 500.00 - 360.00
            "net 500.00",
        ]
    );

    shop.used(travel, "hours", "320", &[("work", "dedicated")], "2026-02-10T08:00:00Z").await;
    shop.used(travel, "calls", "900", &[("handled_by", "core"), ("charged_by", "component")], "2026-02-10T08:00:00Z")
        .await;
    story.travel_to("2026-02-20T08:00:00Z");
    shop.changes(subscription, Change::Plan { version: mixed, seats: None }, When::PeriodEnd).await;
    story.travel_to("2026-03-01T08:00:00Z");
    shop.bills("2026-03-01").await;
    assert_eq!(shop.lines(travel).await, ["Core team | 320 | 8960.00", "net 8960.00"]); // 320 x 28; calls are the team's

    shop.used(travel, "hours", "80", &[("work", "dedicated")], "2026-03-09T08:00:00Z").await;
    shop.used(travel, "calls", "500", &[("handled_by", "core"), ("charged_by", "component")], "2026-03-09T08:00:00Z")
        .await;
    shop.used(
        travel,
        "calls",
        "60",
        &[("handled_by", "overflow"), ("charged_by", "component")],
        "2026-03-09T08:00:00Z",
    )
    .await;
    // On 16 March, in the middle of the month, it goes back to paying per call: 15 days mixed, 16 days per event.
    story.travel_to("2026-03-15T23:00:00Z");
    shop.changes(subscription, Change::Plan { version: per_event, seats: None }, When::Now).await;
    shop.used(travel, "calls", "200", &[("handled_by", "core"), ("charged_by", "component")], "2026-03-20T08:00:00Z")
        .await;
    story.travel_to("2026-04-01T08:00:00Z");
    shop.bills("2026-04-01").await;
    assert_eq!(
        shop.lines(travel).await,
        [
            "Overflow | 60 | 42.00",                                  // 60 x 0.70
            "Calls | 200 | 180.00",                                   // 200 x 0.90
            "Core team | 80 | 2240.00",                               // 80 x 28
            "Difference to the agreed minimum of 500.00 | 0 | 78.06", // 500 x 16/31 = 258.06; 258.06 - 180.00
            "net 2540.06",
        ]
    );
    story.assert_audit_is_clean().await;
}

/// Keys last across plans; the name is what is printed.
fn key(component: subscription::Component, key: &str) -> subscription::Component {
    subscription::Component { key: key.to_owned(), ..component }
}
