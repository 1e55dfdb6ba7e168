//! Days are counted where the customer lives: a month is over when it is over there, and what was billed stays billed where its
//! zone is changed.

use crate::world::{POSTPAID, World, at, component, each, eur, lines, on};
use db::CustomerId;
use money::Currency;
use subscription::{ComponentKind, NewCustomer, NewPlanVersion, NewSubscription};

impl World {
    async fn moved_to(&self, id: CustomerId, time_zone: &str) {
        let tx = self.tx().await;
        let is = subscription::customer(&tx, id).await.unwrap().unwrap();
        let mut details =
            NewCustomer::postpaid(&is.customer_no, &is.name, is.currency, time_zone, &is.country, is.anchor_on);
        details.address_lines = is.address_lines;
        subscription::change_customer(&tx, id, &details).await.unwrap();
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn calls_that_were_billed_are_not_billed_again_in_another_zone() {
    for time_zone in ["Europe/Athens", "America/New_York"] {
        let world = World::new().await;
        let (customer, law) = (world.customer(POSTPAID).await, world.topic("Law").await);
        world.called(customer, law, "238", "119", "2026-10-10T09:00:00Z").await;
        world.billed("2026-11-01").await;
        assert_eq!(world.invoice(customer).await.document.totals.gross, eur("119"));
        world.moved_to(customer, time_zone).await;
        // In the night to the 1st: of October in New York, of November for the document that ended in Berlin.
        world.called(customer, law, "2", "1.19", "2026-11-01T01:30:00Z").await;
        world.called(customer, law, "10", "5.95", "2026-11-15T09:00:00Z").await;
        world.billed("2026-12-02").await;
        let november = world.invoice(customer).await;
        assert_eq!(lines(&november), ["Law | 2 | 6.00"], "{time_zone}"); // (1.19 + 5.95) / 1.19
        assert_eq!(november.document.totals.gross, eur("7.14"));
        // Nothing is left over.
        assert_eq!(world.billed("2026-12-03").await.counts.finalised, 0);
    }
}

#[tokio::test]
async fn a_month_that_goes_on_further_west_is_not_billed_yet() {
    let world = World::new().await;
    let customer = world.customer(POSTPAID).await;
    world.moved_to(customer, "America/New_York").await;
    let tx = world.tx().await;
    let terms = NewPlanVersion::monthly(
        Currency::EUR,
        vec![component("calls", ComponentKind::Usage, Some("calls"), each("10"))],
    );
    let plan = subscription::create_plan(&tx, "calls", "Calls", "", false).await.unwrap();
    let starts_at = at("2026-03-01T05:00:00Z"); // midnight there
    let plan_version_id = subscription::publish_version(&tx, plan, &terms, starts_at).await.unwrap();
    let anchor_on = on("2026-03-01");
    let new = NewSubscription { customer_id: customer, plan_version_id, seats: 0, anchor_on, starts_at, trial: false };
    subscription::subscribe(&tx, &new, starts_at).await.unwrap();
    tx.commit().await.unwrap();
    world.used(customer, "calls", "1", &[], "2026-03-10T09:00:00Z").await;
    // 1 April begins at 4:00 UTC there. The schedule waits, and a person's run takes nothing that is not over.
    let tx = world.tx().await;
    let early = invoicing::schedule_run(&tx, on("2026-04-01"), at("2026-04-01T01:00:00Z")).await.unwrap();
    assert_eq!(early, None);
    drop(tx);
    let run = world.drafted("2026-04-01", "2026-04-01T01:00:00Z").await;
    assert_eq!((run.counts.drafted, run.counts.nothing_due), (0, 1));
    world.finalised(run.id, "2026-04-01T01:00:00Z").await;
    world.used(customer, "calls", "1", &[], "2026-04-01T03:00:00Z").await;
    world.billed("2026-04-01").await;
    assert_eq!(lines(&world.invoice(customer).await), ["calls | 2 | 20.00"]);
}
