//! Software for call centres: a trial, seats by who was active, calls with a lower rate for many, a package of 500 channels,
//! add-ons, a year at a discount, and something for staying.

use super::shop::{Shop, component, each, in_advance, monthly};
use super::story::Story;
use money::{Currency, Decimal};
use pricing::{Model, Price, Tier};
use subscription::{Change, Component, ComponentKind, LoyaltyReward, LoyaltyRule, NewPlanVersion, When};

const USD: Currency = Currency::USD;

#[tokio::test]
async fn call_centre_software_is_tried_then_paid_by_the_month_then_by_the_year() {
    let story = Story::begins("2025-12-31T23:00:00Z").await; // midnight of 1 January in Berlin
    let shop = Shop { story: &story, book: story.world.nordlicht };
    shop.counts("connected_calls", "call").await;
    let centre = shop.customer("Harbour Contact Ltd", USD).await;
    let by_month = NewPlanVersion { trial_days: 14, loyalty: loyalty(), ..monthly(USD, components()) };
    let by_year = NewPlanVersion {
        term_months: 12,
        term_discount_percent: "15".parse().unwrap(),
        loyalty: loyalty(),
        ..monthly(USD, components())
    };
    let by_month = shop.sells("contact-centre", by_month).await;
    let by_year = shop.sells("contact-centre-annual", by_year).await;
    let connector = in_advance(component("crm", ComponentKind::Flat, None, each("15")));
    let connector = shop.sells_add_on("crm-connector", monthly(USD, vec![connector])).await;
    let label = in_advance(component("label", ComponentKind::Flat, None, each("199")));
    let label = NewPlanVersion { features: vec!["white_label".into()], ..monthly(USD, vec![label]) };
    let label = shop.sells_add_on("white-label-add-on", label).await;

    // In the trial nothing that recurs costs anything.
    let subscription = shop.subscribes(centre, by_month, true).await;
    shop.bills("2026-01-02").await;
    // It ends with 14 January: 17 of January's 31 days cost something, and are billed when they begin.
    story.travel_to("2026-01-15T08:00:00Z");
    shop.bills("2026-01-16").await;
    assert_eq!(
        shop.lines(centre).await,
        [
            "platform | 1 | 54.29", // 99 x 17/31 = 54.2903..
            "package | 1 | 822.58", // 1,500 x 17/31 = 822.5806..
            "net 876.87",
        ]
    );

    works(&shop, centre, "2026-01-20", 8, "20000", "430").await;
    story.travel_to("2026-02-01T08:00:00Z");
    shop.bills("2026-02-02").await;
    assert_eq!(
        shop.lines(centre).await,
        [
            "platform | 1 | 99.00",
            "package | 1 | 1500.00",
            "agents | 8 | 214.97",    // 8 x 49 x 17/31 = 214.9677..
            "calls | 20000 | 140.00", // 20,000 x 0.0070
            "channels | 430 | 0.00",  // of 500 in the package
            "net 1953.97",
        ]
    );

    // More than 100,000 calls: all of them at the lower rate. A connector from 10 February on.
    works(&shop, centre, "2026-02-05", 10, "120000", "520").await;
    story.travel_to("2026-02-09T23:00:00Z");
    shop.changes(subscription, Change::AddOn { version: connector }, When::Now).await;
    story.travel_to("2026-03-01T08:00:00Z");
    shop.bills("2026-03-02").await;
    assert_eq!(
        shop.lines(centre).await,
        [
            "platform | 1 | 99.00",
            "package | 1 | 1500.00",
            "agents | 10 | 490.00",    // 10 x 49
            "calls | 120000 | 600.00", // 120,000 x 0.0050
            "channels | 520 | 80.00",  // (520 - 500) x 4
            "crm | 1 | 10.18",         // 15 x 19/28 = 10.1785..
            "crm | 1 | 15.00",         // March, ahead
            "net 2794.18",
        ]
    );

    // A year from April on: 15% less, paid at once.
    works(&shop, centre, "2026-03-10", 10, "90000", "500").await;
    story.travel_to("2026-03-20T08:00:00Z");
    shop.changes(subscription, Change::Plan { version: by_year, seats: None }, When::PeriodEnd).await;
    assert!(!may_wear_its_own_name(&shop, centre).await);
    shop.changes(subscription, Change::AddOn { version: label }, When::PeriodEnd).await;
    story.travel_to("2026-04-01T08:00:00Z");
    assert!(may_wear_its_own_name(&shop, centre).await);
    shop.bills("2026-04-02").await;
    assert_eq!(
        shop.lines(centre).await,
        [
            "platform | 1 | 1188.00", // 12 x 99
            "package | 1 | 18000.00", // 12 x 1,500
            "agents | 10 | 490.00",   // March
            "calls | 90000 | 630.00", // 90,000 x 0.0070
            "channels | 500 | 0.00",
            "crm | 1 | 15.00",
            "label | 1 | 199.00",
            "Term discount 15%, 12 months | 19188 | -2878.20", // (1,188 + 18,000) x 15%
            "Loyalty discount | 0 | -203.87", // the 3 months after the first year: 3 x (99 + 1,500) x 0.85 x 5%
            "net 17439.93",
        ]
    );
    story.assert_audit_is_clean().await;
}

fn components() -> Vec<Component> {
    let tier = |up_to: Option<i64>, unit: &str| Tier {
        up_to: up_to.map(Decimal::from),
        unit: unit.parse().unwrap(),
        flat: Decimal::ZERO,
    };
    let volume = Price {
        model: Model::Volume { tiers: vec![tier(Some(100_000), "0.0070"), tier(None, "0.0050")] },
        ..each("0")
    };
    vec![
        in_advance(component("platform", ComponentKind::Flat, None, each("99"))),
        in_advance(component("package", ComponentKind::Flat, None, each("1500"))),
        component("agents", ComponentKind::Seat, Some("active"), each("49")),
        component("calls", ComponentKind::Usage, Some("connected_calls"), volume),
        Component {
            included: Decimal::from(500),
            ..component("channels", ComponentKind::Channels, Some("channel_peak"), each("4"))
        },
    ]
}

/// After a year, 5% off what recurs.
fn loyalty() -> Vec<LoyaltyRule> {
    vec![LoyaltyRule { after_months: 12, reward: LoyaltyReward::PercentOff("5".parse().unwrap()) }]
}

/// A month's work, all on one day.
async fn works(shop: &Shop<'_>, centre: db::CustomerId, day: &str, agents: u32, calls: &str, channels: &str) {
    let noon = format!("{day}T11:00:00Z");
    for agent in 0..agents {
        shop.used(centre, "seat_days", "1", &[("agent", &format!("agent-{agent}"))], &noon).await;
    }
    shop.used(centre, "connected_calls", calls, &[], &noon).await;
    shop.used(centre, "channel_peak", channels, &[], &noon).await;
}

async fn may_wear_its_own_name(shop: &Shop<'_>, centre: db::CustomerId) -> bool {
    let features = subscription::features_of_customer(&shop.tx().await, centre, shop.story.now()).await.unwrap();
    features.contains("white_label")
}
