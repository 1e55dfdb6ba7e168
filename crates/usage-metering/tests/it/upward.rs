use crate::world::*;
use usage_metering::{SumRow, take_batch};

#[tokio::test]
async fn a_batch_from_the_book_below_counts_once_by_its_key() {
    let world = World::new().await;
    let child = world.customer("R-1", "UTC").await;
    let row = |quantity: &str| SumRow {
        customer_id: child,
        subscription_id: None,
        meter: "minutes".to_owned(),
        hour: at("2026-03-02T10:00:00Z"),
        dimensions: dimensions(&[("number", "+4930123456")]),
        quantity: quantity.parse().unwrap(),
        events: 12,
    };
    for (key, quantity, is_new, total) in [
        ("batch 1", "30", true, "30"),
        ("batch 1", "30", false, "30"),
        ("batch 1", "99", false, "30"),
        ("batch 2", "5", true, "35"),
    ] {
        let tx = world.tx().await;
        assert_eq!(take_batch(&tx, key, &[row(quantity)], at(NOW)).await.unwrap(), is_new, "{key}");
        tx.commit().await.unwrap();
        assert_eq!(world.used(child, "minutes").await, total);
        world.fold().await; // a key is known also after its sums were folded
        assert_eq!(world.used(child, "minutes").await, total);
    }
}

#[tokio::test]
async fn a_sum_of_an_unknown_customer_or_meter_waits_and_the_others_count() {
    let world = World::new().await;
    let child = world.customer("R-1", "UTC").await;
    let good = SumRow {
        customer_id: child,
        subscription_id: None,
        meter: "calls".to_owned(),
        hour: at("2026-03-02T10:00:00Z"),
        dimensions: dimensions(&[]),
        quantity: "3".parse().unwrap(),
        events: 3,
    };
    let rows = [
        good.clone(),
        SumRow { customer_id: db::CustomerId::new(), ..good.clone() },
        SumRow { meter: "parsecs".to_owned(), ..good.clone() },
    ];
    let tx = world.tx().await;
    assert!(take_batch(&tx, "b", &rows, at(NOW)).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(world.used(child, "calls").await, "3");
    assert_eq!(world.suspense().await, ["unknown_customer", "unknown_meter"]);
}
