//! What comes back at the edges of time: an end where a charge ends, and a plan that was wrong for a day.

use crate::world::{POSTPAID, World, at, component, each, eur, lines};
use money::Currency;
use subscription::{Billed, Change, Component, ComponentKind, NewPlanVersion, When};

fn fee(amount: &str) -> Component {
    Component { billed: Billed::InAdvance, ..component("platform", ComponentKind::Flat, None, each(amount)) }
}

#[tokio::test]
async fn an_end_with_credit_where_a_charge_ends_gives_nothing_back_and_charges_nothing() {
    let world = World::new().await;
    let customer = world.customer(POSTPAID).await;
    let id = world.subscribe(customer, "2026-04-01", vec![fee("30")]).await;
    world.billed("2026-04-02").await; // April
    world.billed("2026-05-02").await; // May, from midnight in Berlin on: 2026-04-30T22:00Z
    world.database.as_owner("UPDATE organisation SET tax_percent = 21").await;
    world.billed("2026-06-02").await; // June, at 21%
    let tx = world.tx().await;
    let ends = When::At(at("2026-06-30T22:00:00Z"));
    subscription::change(&tx, id, &Change::Cancel { credit: true }, ends, "test", at("2026-06-03T08:00:00Z"))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    // The end of June is the end of what was charged: nothing to credit, nothing to charge.
    assert_eq!(world.billed("2026-07-02").await.counts.nothing_due, 1);
}

#[tokio::test]
async fn a_wrong_plan_that_is_corrected_on_its_first_day_costs_nothing() {
    for is_billed_before in [true, false] {
        let world = World::new().await;
        let customer = world.customer(POSTPAID).await;
        let id = world.subscribe(customer, "2026-04-10", vec![fee("30")]).await;
        if is_billed_before {
            world.billed("2026-04-11").await; // 30.00, the month ahead
        }
        let right = Component { key: "seats".into(), name: "seats".into(), ..fee("49") };
        let right = NewPlanVersion { trial_days: 0, ..NewPlanVersion::monthly(Currency::EUR, vec![right]) };
        let right = world.version(false, right).await;
        let tx = world.tx().await;
        let change = Change::Plan { version: right, seats: None };
        subscription::change(&tx, id, &change, When::Now, "test", at("2026-04-10T14:00:00Z")).await.unwrap();
        tx.commit().await.unwrap();
        world.billed("2026-04-12").await;
        // The day of a change is of the new plan, and there is no other: 30.00 back, 49.00 for the whole month.
        let expected = if is_billed_before { eur("19") } else { eur("49") };
        let invoice = world.invoice(customer).await;
        assert_eq!(invoice.document.totals.net, expected, "billed before: {is_billed_before}");
        assert!(lines(&invoice).contains(&"seats | 1 | 49.00".to_owned()), "{:?}", lines(&invoice));
    }
}
