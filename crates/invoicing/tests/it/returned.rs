//! What comes back at the edges of time: a credit from the first instant of a charge on, an end where a charge ends, and a plan
//! that was wrong for a day.

use crate::world::{POSTPAID, World, at, component, each, eur, lines};
use db::CustomerId;
use money::Currency;
use subscription::{Billed, Change, Component, ComponentKind, NewPlanVersion, When};

fn fee(amount: &str) -> Component {
    Component { billed: Billed::InAdvance, ..component("platform", ComponentKind::Flat, None, each(amount)) }
}

/// `text | amount | tax` of each line of the newest document.
async fn taxed(world: &World, customer: CustomerId) -> Vec<String> {
    let view = world.invoice(customer).await;
    let all = view.groups.iter().flat_map(|grouped| &grouped.lines);
    all.map(|line| format!("{} | {} | {}%", line.text, line.amount.format_plain(), line.tax_percent.normalize()))
        .collect()
}

#[tokio::test]
async fn a_credit_from_the_first_instant_of_a_charge_gives_all_of_it_back_at_its_own_tax() {
    for with_credit in [true, false] {
        let world = World::new().await;
        let customer = world.customer(POSTPAID).await;
        let id = world.subscribe(customer, "2026-04-01", vec![fee("30")]).await;
        world.billed("2026-04-02").await; // April, at 19%
        world.database.as_owner("UPDATE organisation SET tax_percent = 21").await;
        let tx = world.tx().await;
        let begins = When::At(subscription::history(&tx, id).await.unwrap().unwrap().subscription.started_at);
        let cancel = Change::Cancel { credit: with_credit };
        subscription::change(&tx, id, &cancel, begins, "test", at("2026-04-10T08:00:00Z")).await.unwrap();
        tx.commit().await.unwrap();
        let run = world.billed("2026-04-12").await;
        if with_credit {
            let note = world.invoice(customer).await.document;
            assert_eq!(taxed(&world, customer).await, ["platform | 30.00 | 19%"]);
            assert_eq!((note.kind, note.totals.gross), (invoicing::DocumentKind::CreditNote, eur("35.70"))); // 30 x 1.19
        } else {
            assert_eq!(run.counts.nothing_due, 1, "who ends without credit keeps what was billed");
        }
        assert_eq!(world.billed("2026-05-02").await.counts.nothing_due, 1);
    }
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
    for (is_billed_before, from_its_start) in [(true, false), (false, false), (true, true), (false, true)] {
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
        let starts = subscription::history(&tx, id).await.unwrap().unwrap().subscription.started_at;
        let when = if from_its_start { When::At(starts) } else { When::Now };
        subscription::change(&tx, id, &change, when, "test", at("2026-04-10T14:00:00Z")).await.unwrap();
        tx.commit().await.unwrap();
        world.billed("2026-04-12").await;
        // The day of a change is of the new plan, and there is no other: 30.00 back, 49.00 for the whole month.
        let back = match (is_billed_before, from_its_start) {
            (true, true) => vec!["platform | -1 | -30.00"], // it never was: the difference of its own charge
            (true, false) => vec!["platform | 1 | -30.00"], // it was, and all its days are unused
            // Nobody had seen it yet, and it ran for some hours of that day: the document tells both.
            (false, false) => vec!["platform | 1 | -30.00", "platform | 1 | 30.00"],
            (false, true) => vec![],
        };
        let expected = [back, vec!["seats | 1 | 49.00"]].concat();
        let mut found = lines(&world.invoice(customer).await);
        found.sort();
        assert_eq!(found, expected, "billed before: {is_billed_before}, from its start: {from_its_start}");
        assert_eq!(world.billed("2026-04-13").await.counts.nothing_due, 1);
    }
}
