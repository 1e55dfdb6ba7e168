//! Usage that is told months after its period was billed: no period is closed for good, whether its sums are folded by then or not.

use crate::world::{POSTPAID, PREPAID, World, at, component, each, lines, totals};
use db::{CustomerId, SubscriptionId};
use money::Currency;
use subscription::{Billed, Component, ComponentKind, LateUsage, NewPlanVersion};
use usage_metering::{Outcome, UsageEvent};

fn calls(amount: &str) -> Component {
    component("calls", ComponentKind::Usage, Some("calls"), each(amount))
}

fn fee(amount: &str) -> Component {
    Component { billed: Billed::InAdvance, ..component("platform", ComponentKind::Flat, None, each(amount)) }
}

impl World {
    async fn folded(&self, now: &str) {
        let tx = self.tx().await;
        while usage_metering::fold(&tx, at(now)).await.unwrap() > 0 {}
        tx.commit().await.unwrap();
    }

    /// A subscription of January 2026 with a call of each month, billed until the first of May.
    async fn billed_until_may(&self, customer: CustomerId, late_usage: LateUsage) -> SubscriptionId {
        let terms = NewPlanVersion::monthly(Currency::EUR, vec![fee("9"), calls("1")]);
        let terms = NewPlanVersion { trial_days: 0, late_usage, ..terms };
        let id = self.subscribe_to(customer, "2026-01-01", 0, false, terms).await;
        for (month, until) in [("01", "2026-02-01"), ("02", "2026-03-01"), ("03", "2026-04-01"), ("04", "2026-05-01")] {
            self.used(customer, "calls", "1", &[], &format!("2026-{month}-20T09:00:00Z")).await;
            self.folded(&format!("2026-{month}-20T10:00:00Z")).await;
            self.billed(until).await;
        }
        id
    }

    /// What happened on 25 January is told on 10 May.
    async fn told_in_may(&self, customer: CustomerId, id: SubscriptionId, meters: &[(&str, &str)]) {
        let event = |(number, (meter, quantity)): (usize, &(&str, &str))| UsageEvent {
            source: "switch".to_owned(),
            id: format!("late {meter} {number}"),
            meter: (*meter).to_owned(),
            customer_id: customer,
            subscription_id: Some(id),
            quantity: quantity.parse().unwrap(),
            dimensions: [("charged_by".to_owned(), "component".to_owned())].into(),
            occurred_at: at("2026-01-25T09:00:00Z"),
        };
        let events: Vec<UsageEvent> = meters.iter().enumerate().map(event).collect();
        let now = at("2026-05-10T09:00:00Z");
        let told = usage_metering::ingest(&self.database.db, self.tenant, &events, now).await.unwrap();
        assert_eq!(told, vec![Outcome::Accepted; meters.len()]);
    }
}

#[tokio::test]
async fn what_is_told_three_billed_months_late_is_on_the_next_invoice_once() {
    for is_folded in [true, false] {
        let world = World::new().await;
        let customer = world.customer(POSTPAID).await;
        let id = world.billed_until_may(customer, LateUsage::Bill).await;
        world.told_in_may(customer, id, &[("calls", "1"); 5]).await;
        if is_folded {
            world.folded("2026-05-10T09:00:05Z").await;
        }
        world.billed("2026-06-01").await;
        // June ahead, and 6 - 1 calls of January: `5` is the difference.
        let invoice = world.invoice(customer).await;
        assert_eq!(lines(&invoice), ["platform | 1 | 9.00", "calls | 5 | 5.00"], "folded: {is_folded}");
        let late = &invoice.groups.iter().flat_map(|group| &group.lines).find(|line| line.text == "calls").unwrap();
        assert_eq!(late.service.starts_on.to_string(), "2026-01-01");
        world.billed("2026-07-01").await;
        assert_eq!(lines(&world.invoice(customer).await), ["platform | 1 | 9.00"]);
    }
}

#[tokio::test]
async fn a_plan_that_bears_late_usage_itself_bears_it_however_late() {
    let world = World::new().await;
    let customer = world.customer(POSTPAID).await;
    let id = world.billed_until_may(customer, LateUsage::Absorb).await;
    world.told_in_may(customer, id, &[("calls", "1"); 5]).await;
    world.folded("2026-05-10T09:00:05Z").await;
    world.billed("2026-06-01").await;
    assert_eq!(lines(&world.invoice(customer).await), ["platform | 1 | 9.00"]);
}

#[tokio::test]
async fn what_a_wallet_has_paid_is_kept_however_many_months_are_billed_before_it_is_told() {
    let world = World::new().await;
    let customer = world.customer(PREPAID).await;
    let id = world.billed_until_may(customer, LateUsage::Bill).await;
    // A call for 1.00 and 19% tax, which the wallet has paid at its end.
    world.told_in_may(customer, id, &[("charge", "1.19"), ("calls", "1")]).await;
    world.folded("2026-05-10T09:00:05Z").await;
    world.billed("2026-06-01").await;
    let invoice = world.invoice(customer).await;
    assert_eq!(lines(&invoice), ["platform | 1 | 9.00", "calls | 1 | 1.00"]);
    // 10.00 x 1.19 = 11.90, of which 1.19 is paid.
    assert_eq!(totals(&invoice), "10.00 + 1.90 = 11.90, due 10.71");
}

#[tokio::test]
async fn tariff_calls_that_come_months_late_are_billed_in_their_month() {
    let world = World::new().await;
    let customer = world.customer(POSTPAID).await;
    let advice = world.topic("Advice").await;
    for (month, until) in [("01", "2026-02-01"), ("02", "2026-03-01"), ("03", "2026-04-01"), ("04", "2026-05-01")] {
        world.called(customer, advice, "10", "5.95", &format!("2026-{month}-20T09:00:00Z")).await;
        world.folded(&format!("2026-{month}-20T10:00:00Z")).await;
        world.billed(until).await;
    }
    // One call, 2 minutes at 0.595: 1.19 with 19% tax.
    world.called(customer, advice, "2", "1.19", "2026-01-25T09:00:00Z").await;
    world.folded("2026-05-10T09:00:05Z").await;
    world.billed("2026-06-01").await;
    assert_eq!(lines(&world.invoice(customer).await), ["Advice | 1 | 1.00"]);
}
