//! Not an assertion, a figure: customers a second through a run. Run with `--ignored --nocapture`.

use crate::world::{POSTPAID, Who, World, at, component, each, on};
use chrono::TimeDelta;
use invoicing::Phase;
use std::collections::BTreeMap;
use std::time::Instant;
use subscription::ComponentKind;
use usage_metering::SumRow;

const CUSTOMERS: usize = 300;
const BLOCK: u64 = 100;

#[tokio::test]
#[ignore = "prints a measurement"]
async fn customers_a_second_through_a_run() {
    let world = World::new().await;
    let topic = world.topic("Law").await;
    let mut rows = Vec::new();
    for number in 0..CUSTOMERS {
        let who = Who { no: Box::leak(format!("K-{number:05}").into_boxed_str()), ..POSTPAID };
        let customer_id = world.customer(who).await;
        let components = vec![
            component("platform", ComponentKind::Flat, None, each("99")),
            component("agents", ComponentKind::Seat, Some("active"), each("49")),
            component("calls", ComponentKind::Usage, Some("calls"), each("0.07")),
            component("minutes", ComponentKind::Usage, Some("minutes"), each("0.0125")),
            component("channels", ComponentKind::Channels, Some("channel_peak"), each("9.50")),
        ];
        world.subscribe(customer_id, "2026-03-01", components).await;
        for hour in 0..60 {
            for (meter, quantity) in [("calls", "12"), ("minutes", "37.5"), ("charge", "3.21")] {
                let charged_by = if meter == "charge" || hour % 2 == 0 { "tariff" } else { "component" };
                let topic = topic.to_string();
                rows.push(SumRow {
                    customer_id,
                    subscription_id: None,
                    meter: meter.to_owned(),
                    hour: at("2026-03-02T00:00:00Z") + TimeDelta::hours(hour),
                    dimensions: BTreeMap::from([
                        ("topic".to_owned(), topic),
                        ("charged_by".to_owned(), charged_by.to_owned()),
                    ]),
                    quantity: quantity.parse().unwrap(),
                    events: 12,
                });
            }
        }
    }
    let now = at("2026-04-01T08:00:00Z");
    for (index, rows) in rows.chunks(20_000).enumerate() {
        let tx = world.tx().await;
        usage_metering::take_batch(&tx, &format!("bench-{index}"), rows, now).await.unwrap();
        tx.commit().await.unwrap();
        loop {
            let tx = world.tx().await;
            let folded = usage_metering::fold(&tx, now).await.unwrap();
            tx.commit().await.unwrap();
            if folded == 0 {
                break;
            }
        }
    }
    world.database.as_owner("VACUUM ANALYZE").await;
    let tx = world.tx().await;
    let id = invoicing::plan_run(&tx, on("2026-04-01"), "bench", now).await.unwrap();
    tx.commit().await.unwrap();
    let began = Instant::now();
    loop {
        let tx = world.tx().await;
        let run = invoicing::draft_some(&tx, id, BLOCK, now).await.unwrap();
        tx.commit().await.unwrap();
        if run.phase == Phase::Ready {
            break;
        }
    }
    let drafted = began.elapsed();
    let began = Instant::now();
    loop {
        let tx = world.tx().await;
        let run = invoicing::finalise_some(&tx, id, BLOCK, now).await.unwrap();
        tx.commit().await.unwrap();
        if run.phase == Phase::Done {
            assert_eq!(run.counts.finalised, CUSTOMERS as u64);
            break;
        }
    }
    println!("{CUSTOMERS} customers: drafted in {drafted:?}, finalised in {:?}", began.elapsed());
}
