//! A customer with several subscriptions: each use is billed once, by the one that it names, or by the one that began first.

use crate::world::{POSTPAID, World, at, component, each, eur, lines};
use db::{CustomerId, SubscriptionId};
use subscription::{Component, ComponentKind};
use usage_metering::{Outcome, SumRow, UsageEvent, take_batch};

const CALL_AT: &str = "2026-04-10T09:00:00Z";

fn usage(key: &str, measure: &str, amount: &str) -> Component {
    component(key, ComponentKind::Usage, Some(measure), each(amount))
}

impl World {
    async fn used_of(&self, subscription: SubscriptionId, customer_id: CustomerId, meter: &str, quantity: &str) {
        let event = UsageEvent {
            source: "switch".to_owned(),
            id: uuid::Uuid::now_v7().to_string(),
            meter: meter.to_owned(),
            customer_id,
            subscription_id: Some(subscription),
            quantity: quantity.parse().unwrap(),
            dimensions: [("charged_by".to_owned(), "component".to_owned())].into(),
            occurred_at: at(CALL_AT),
        };
        let stored = usage_metering::ingest(&self.database.db, self.tenant, &[event], at(CALL_AT)).await.unwrap();
        assert_eq!(stored, [Outcome::Accepted]);
    }

    /// A sum from the book below, which knows no subscription of this one.
    async fn came_up(&self, customer_id: CustomerId, meter: &str, dimensions: &[(&str, &str)], quantity: &str) {
        let tx = self.tx().await;
        let row = SumRow {
            customer_id,
            subscription_id: None,
            meter: meter.to_owned(),
            hour: at(CALL_AT),
            dimensions: dimensions.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            quantity: quantity.parse().unwrap(),
            events: 1,
        };
        let key = uuid::Uuid::now_v7().to_string();
        assert!(take_batch(&tx, &key, &[row], at(CALL_AT)).await.unwrap());
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn a_call_that_one_subscription_charged_is_not_charged_by_the_other() {
    let world = World::new().await;
    let customer = world.customer(POSTPAID).await;
    let by_minute = world.subscribe(customer, "2026-04-01", vec![usage("minutes", "minutes", "0.10")]).await;
    world.subscribe(customer, "2026-04-01", vec![usage("calls", "calls", "0.50")]).await;
    // A call of five minutes, covered by the first: both of its meters name it.
    world.used_of(by_minute, customer, "minutes", "5").await;
    world.used_of(by_minute, customer, "calls", "1").await;
    world.billed("2026-05-01").await;
    assert_eq!(lines(&world.invoice(customer).await), ["minutes | 5 | 0.50"]); // 5 x 0.10
}

#[tokio::test]
async fn usage_from_below_is_billed_once_by_the_subscription_that_began_first() {
    let world = World::new().await;
    let customer = world.customer(POSTPAID).await;
    world.subscribe(customer, "2026-03-01", vec![usage("minutes", "minutes", "0.10")]).await;
    world.subscribe(customer, "2026-04-01", vec![usage("minutes", "minutes", "0.30")]).await;
    world.billed("2026-04-01").await;
    world.came_up(customer, "minutes", &[], "60").await;
    world.billed("2026-05-01").await;
    assert_eq!(lines(&world.invoice(customer).await), ["minutes | 60 | 6.00"]); // 60 x 0.10, not 0.30 and not both
}

#[tokio::test]
async fn components_whose_filters_exclude_each_other_bill_what_is_theirs() {
    let world = World::new().await;
    let customer = world.customer(POSTPAID).await;
    for (team, amount) in [("core", "0.10"), ("overflow", "0.30")] {
        let mut part = usage(team, "minutes", amount);
        part.filter.insert("handled_by".to_owned(), team.to_owned());
        world.subscribe(customer, "2026-04-01", vec![part]).await;
    }
    world.came_up(customer, "minutes", &[("handled_by", "core")], "60").await;
    world.came_up(customer, "minutes", &[("handled_by", "overflow")], "20").await;
    world.billed("2026-05-01").await;
    // 60 x 0.10, 20 x 0.30
    assert_eq!(lines(&world.invoice(customer).await), ["core | 60 | 6.00", "overflow | 20 | 6.00"]);
    assert_eq!(world.invoice(customer).await.document.totals.net, eur("12"));
}
