//! Real usage through other terms: what another plan would have cost, and what a plan's next version would do.

use crate::world::{POSTPAID, World, at, component, each, eur, on};
use invoicing::{Reason, Replay};
use money::Currency;
use subscription::{Billed, Component, ComponentKind, NewPlanVersion};

fn monthly(components: Vec<Component>) -> NewPlanVersion {
    NewPlanVersion { trial_days: 0, ..NewPlanVersion::monthly(Currency::EUR, components) }
}

async fn plan(world: &World, code: &str, version: &NewPlanVersion) -> db::PlanId {
    let tx = world.tx().await;
    let plan = subscription::create_plan(&tx, code, code, "", false).await.unwrap();
    subscription::publish_version(&tx, plan, version, at("2026-01-01T00:00:00Z")).await.unwrap();
    tx.commit().await.unwrap();
    plan
}

#[tokio::test]
async fn the_cheapest_plan_for_real_usage_is_told_with_its_reasons() {
    let world = World::new().await;
    let customer = world.customer(POSTPAID).await;
    let per_call = monthly(vec![component("calls", ComponentKind::Usage, Some("calls"), each("2"))]);
    world.subscribe_to(customer, "2026-01-01", 0, false, per_call).await;
    let fee = Component { billed: Billed::InAdvance, ..component("fee", ComponentKind::Flat, None, each("5")) };
    let calls = component("calls", ComponentKind::Usage, Some("calls"), each("1"));
    let flat = plan(&world, "with-fee", &monthly(vec![fee, calls.clone()])).await;
    let committed = NewPlanVersion { commitment: eur("30"), ..monthly(vec![calls]) };
    plan(&world, "committed", &committed).await;
    // 10, 8 and 3 calls; the topic's tariff has charged none of them.
    for (month, count) in [("01", 10), ("02", 8), ("03", 3)] {
        for call in 0..count {
            world
                .used(
                    customer,
                    "calls",
                    "1",
                    &[("charged_by", "component")],
                    &format!("2026-{month}-{:02}T09:00:00Z", call + 5),
                )
                .await;
        }
    }
    let tx = world.tx().await;
    let advice = invoicing::advise(&tx, customer, at("2026-04-10T08:00:00Z")).await.unwrap();
    assert_eq!((advice.from_on, advice.to_on), (on("2026-01-01"), on("2026-04-01")));
    let told: Vec<String> = advice
        .plans
        .iter()
        .map(|plan| {
            let months: Vec<String> = plan.by_month.iter().map(|month| month.format_plain()).collect();
            format!(
                "{}: {} = {}, {} to {}",
                plan.plan,
                months.join(" + "),
                plan.total.format_plain(),
                plan.with_less.format_plain(),
                plan.with_more.format_plain()
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "with-fee: 15.00 + 13.00 + 8.00 = 36.00, 29.70 to 42.30", // 15 + 21 x 1; 15 + 21 x 0.7; 15 + 21 x 1.3
            "Business: 20.00 + 16.00 + 6.00 = 42.00, 29.40 to 54.60",
            "committed: 30.00 + 30.00 + 30.00 = 90.00, 90.00 to 90.00",
        ]
    );
    let cheapest = &advice.plans[0];
    assert_eq!((cheapest.plan_id, cheapest.is_cheapest, cheapest.worst), (flat, true, eur("15")));
    assert_eq!(cheapest.reasons[0], Reason::AgainstCurrent(eur("-6")));
    assert!(advice.plans[2].reasons.contains(&Reason::CommitmentNotReached(eur("69")))); // 90 - 21
    // The plan that the customer has costs what its invoice says.
    let version = advice.plans[1].version.clone();
    let terms = Replay { version, add_ons: Vec::new(), seats: 0 };
    let replayed = invoicing::replay(&tx, customer, &terms, on("2026-03-01"), on("2026-04-01")).await.unwrap();
    drop(tx);
    world.billed("2026-04-01").await;
    let march = world.invoice(customer).await;
    let of_march =
        march.groups.iter().flat_map(|grouped| &grouped.lines).find(|line| line.service.starts_on == on("2026-03-01"));
    assert_eq!(replayed.total, of_march.unwrap().amount);
}

#[tokio::test]
async fn a_dry_run_tells_who_would_pay_more_and_by_how_much() {
    let world = World::new().await;
    let customer = world.customer(POSTPAID).await;
    let calls = |price: &str| monthly(vec![component("calls", ComponentKind::Usage, Some("calls"), each(price))]);
    world.subscribe_to(customer, "2026-03-01", 0, false, calls("1")).await;
    for day in 1..5 {
        world.used(customer, "calls", "1", &[], &format!("2026-03-{day:02}T09:00:00Z")).await;
    }
    let tx = world.tx().await;
    let plan = subscription::plans(&tx).await.unwrap()[0].id;
    let run = invoicing::dry_run(&tx, plan, &calls("1.50"), at("2026-04-10T08:00:00Z")).await.unwrap();
    let row = &run.rows[0];
    assert_eq!((row.before, row.after, row.difference), (eur("4"), eur("6"), eur("2"))); // 4 x 1, 4 x 1.50
    assert!(row.needs_confirmation()); // 50% more
    let run = invoicing::dry_run(&tx, plan, &calls("1.30"), at("2026-04-10T08:00:00Z")).await.unwrap();
    assert!(!run.rows[0].needs_confirmation()); // exactly 30%
    let run = invoicing::dry_run(&tx, plan, &calls("1.30"), at("2026-03-10T08:00:00Z")).await.unwrap();
    assert_eq!((run.rows.len(), run.without_period), (0, 1));
}

#[tokio::test]
async fn a_plan_that_does_not_sell_what_was_used_is_not_the_cheapest() {
    let world = World::new().await;
    let customer = world.customer(POSTPAID).await;
    let hours = |amount| component("team", ComponentKind::Hours, Some("hours"), each(amount));
    world.subscribe_to(customer, "2026-01-01", 0, false, monthly(vec![hours("28")])).await;
    let fee = component("fee", ComponentKind::Flat, None, each("60"));
    plan(&world, "only-a-fee", &monthly(vec![fee])).await;
    plan(&world, "dearer", &monthly(vec![hours("30")])).await;
    for month in ["01", "02", "03"] {
        world.used(customer, "hours", "100", &[], &format!("2026-{month}-10T09:00:00Z")).await;
    }
    let tx = world.tx().await;
    let advice = invoicing::advise(&tx, customer, at("2026-04-10T08:00:00Z")).await.unwrap();
    let told: Vec<String> = advice
        .plans
        .iter()
        .map(|plan| format!("{} {} {}", plan.plan, plan.total.format_plain(), plan.is_cheapest))
        .collect();
    // 300 x 28, 300 x 30; 3 x 60 for nothing that was used
    assert_eq!(told, ["Business 8400.00 true", "dearer 9000.00 false", "only-a-fee 180.00 false"]);
    let gap = Reason::NotSold { name: "team".to_owned(), quantity: 300.into() };
    assert!(advice.plans[2].reasons.contains(&gap), "{:?}", advice.plans[2].reasons);
}
