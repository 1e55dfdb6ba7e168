//! A shop of software buys support by the ticket: a minimum volume, work by the hour beside it, project management as a share,
//! and a fee for getting started.

use super::shop::{Shop, component, each, in_advance, monthly, only};
use super::story::Story;
use money::{Currency, Decimal};
use pricing::{Model, PercentPrice, Price};
use subscription::{Component, ComponentKind};

#[tokio::test]
async fn pay_per_use_support_has_a_minimum_volume_hours_a_share_and_a_fee_once() {
    let story = Story::begins("2025-12-31T23:00:00Z").await; // midnight of 1 January in Berlin
    let shop = Shop { story: &story, book: story.world.nordlicht };
    shop.counts("tickets", "ticket").await;
    let software = shop.customer("Feldweg Software GmbH", Currency::EUR).await;

    let hours = |key: &str, work: &str, rate: &str| {
        only(component(key, ComponentKind::Hours, Some("hours"), each(rate)), "work", work)
    };
    let eight_percent = Price {
        model: Model::Percent(PercentPrice { rate: Decimal::from(8), ..PercentPrice::default() }),
        ..each("0")
    };
    let plan = shop
        .sells(
            "pay-per-use",
            monthly(
                Currency::EUR,
                vec![
                    in_advance(component("implementation", ComponentKind::OneOff, None, each("2500"))),
                    // At least 200 tickets are paid, as if they had come.
                    Component {
                        minimum_quantity: Decimal::from(200),
                        ..component("tickets", ComponentKind::Usage, Some("tickets"), each("4"))
                    },
                    hours("escalation", "escalation", "45"),
                    hours("quality", "quality", "38"),
                    hours("training", "training", "35"),
                    hours("content", "content", "40"),
                    component("management", ComponentKind::Percent, Some("tickets"), eight_percent),
                ],
            ),
        )
        .await;
    shop.subscribes(software, plan, false).await;

    shop.used(software, "tickets", "150", &[], "2026-01-12T08:00:00Z").await;
    for (work, quantity) in [("escalation", "6.5"), ("quality", "4"), ("training", "10"), ("content", "3.25")] {
        shop.used(software, "hours", quantity, &[("work", work)], "2026-01-13T08:00:00Z").await;
    }
    story.travel_to("2026-02-01T08:00:00Z");
    shop.bills("2026-02-01").await;
    assert_eq!(
        shop.lines(software).await,
        [
            "tickets | 150 | 800.00",       // 200 x 4.00, of which 150 came
            "escalation | 6.5 | 292.50",    // 6.5 x 45
            "quality | 4 | 152.00",         // 4 x 38
            "training | 10 | 350.00",       // 10 x 35
            "content | 3.25 | 130.00",      // 3.25 x 40
            "management | 800 | 64.00",     // 8% of 800.00
            "implementation | 1 | 2500.00", // once
            "net 4288.50",
        ]
    );

    shop.used(software, "tickets", "260", &[], "2026-02-12T08:00:00Z").await;
    story.travel_to("2026-03-01T08:00:00Z");
    shop.bills("2026-03-01").await;
    assert_eq!(
        shop.lines(software).await,
        [
            "tickets | 260 | 1040.00",   // 260 x 4.00
            "management | 1040 | 83.20", // 8% of 1,040.00
            "net 1123.20",
        ]
    );
    story.assert_audit_is_clean().await;
}
