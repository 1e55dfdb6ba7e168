//! What a component's quantity is: the largest of a meter, and the base of a percentage.

use crate::world::{POSTPAID, World, component, each, lines, percent};
use money::Currency;
use pricing::{Model, PercentPrice, Price};
use subscription::{Billed, Component, ComponentKind, NewPlanVersion};
use usage_metering::{Aggregation, Meter};

fn share(key: &str, of: Option<&str>) -> Component {
    let model = Model::Percent(PercentPrice { rate: percent("10").as_decimal(), ..PercentPrice::default() });
    let price = Price { model, ..each("0") };
    component(key, ComponentKind::Percent, of, price)
}

fn fee(key: &str, kind: ComponentKind, amount: &str, billed: Billed) -> Component {
    Component { billed, ..component(key, kind, None, each(amount)) }
}

#[tokio::test]
async fn the_largest_of_a_meter_is_billed_once_and_not_the_sum_of_its_hours() {
    let world = World::new().await;
    let tx = world.tx().await;
    let meter = Meter::new("disk", "Disk", "disk.seen", Aggregation::Max, &[]);
    usage_metering::define_meter(&tx, &meter).await.unwrap();
    tx.commit().await.unwrap();
    let customer = world.customer(POSTPAID).await;
    let terms = vec![component("disk", ComponentKind::Usage, Some("disk"), each("3"))];
    world.subscribe(customer, "2026-04-01", terms).await;
    for (hour, seen) in [("09", "1"), ("10", "1"), ("11", "7"), ("12", "2")] {
        world.used(customer, "disk.seen", seen, &[], &format!("2026-04-10T{hour}:00:00Z")).await;
    }
    world.billed("2026-05-01").await;
    assert_eq!(lines(&world.invoice(customer).await), ["disk | 7 | 21.00"]); // 7 x 3.00
}

#[tokio::test]
async fn a_percentage_of_a_fee_that_is_charged_once_is_charged_once_however_the_fee_is_billed() {
    for billed in [Billed::InArrears, Billed::InAdvance] {
        let world = World::new().await;
        let customer = world.customer(POSTPAID).await;
        let parts = vec![fee("set-up", ComponentKind::OneOff, "1500", billed), share("project", Some("set-up"))];
        world.subscribe(customer, "2026-04-01", parts).await;
        world.billed("2026-05-01").await;
        let mut found = lines(&world.invoice(customer).await);
        found.retain(|line| line.starts_with("project"));
        assert_eq!(found, ["project | 1500 | 150.00"], "{billed:?}"); // 10% of 1,500.00
        world.billed("2026-06-01").await;
        let again = lines(&world.invoice(customer).await);
        assert!(!again.iter().any(|line| line.starts_with("project") && !line.ends_with("150.00")), "{again:?}");
    }
}

#[tokio::test]
async fn a_percentage_of_everything_leaves_out_what_is_charged_once() {
    let world = World::new().await;
    let customer = world.customer(POSTPAID).await;
    let parts = vec![
        fee("set-up", ComponentKind::OneOff, "1500", Billed::InArrears),
        fee("team", ComponentKind::Flat, "200", Billed::InArrears),
        share("project", None),
    ];
    let terms = NewPlanVersion { trial_days: 0, ..NewPlanVersion::monthly(Currency::EUR, parts) };
    let quoted = invoicing::sample_month(&terms, &Default::default()).unwrap();
    let of_quote: Vec<String> = quoted.lines.iter().map(|line| line.amount.format_plain()).collect();
    assert_eq!(of_quote, ["200.00", "20.00"], "and the quote says the same");
    world.subscribe_to(customer, "2026-04-01", 0, false, terms).await;
    world.billed("2026-05-01").await;
    let mut found = lines(&world.invoice(customer).await);
    found.retain(|line| line.starts_with("project"));
    assert_eq!(found, ["project | 200 | 20.00"]); // 10% of 200.00
}
