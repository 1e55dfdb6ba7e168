//! What a customer may use now, and what obeys it.

use crate::world::*;
use money::Currency;
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use subscription::*;

const NOW: &str = "2026-03-10T12:00:00Z";

fn grants(features: &[&str], limits: &[(&str, i64, Option<&str>)]) -> NewPlanVersion {
    let limit = |(feature, amount, meter): &(&str, i64, Option<&str>)| {
        (feature.to_string(), Limit { amount: Decimal::from(*amount), meter: meter.map(str::to_owned) })
    };
    NewPlanVersion {
        features: features.iter().map(|feature| feature.to_string()).collect(),
        limits: limits.iter().map(limit).collect::<BTreeMap<_, _>>(),
        ..NewPlanVersion::monthly(Currency::EUR, vec![])
    }
}

#[tokio::test]
async fn features_and_limits_of_plan_and_add_ons_add_up_and_usage_takes_from_them() {
    let world = World::new().await;
    let plan = grants(&["analytics", "recordings"], &[("recordings", 100, Some("minutes"))]);
    let plan = world.version_with("basic", false, NewPlanVersion { seat_limit: Some(5), ..plan }).await;
    let storage = grants(&["recordings", "crm"], &[("recordings", 50, None)]);
    let storage = world.version_with("storage", true, storage).await;
    let customer = world.customer("C-1", "Europe/Berlin").await;
    let tx = world.tx().await;
    let now = at(NOW);
    assert!(entitlements(&tx, customer, now).await.unwrap().features.is_empty());
    let new = NewSubscription { seats: 3, ..begins(customer, plan, "2026-03-01T12:00:00Z") };
    let id = subscribe(&tx, &new, now).await.unwrap();
    let before = entitlements(&tx, customer, now).await.unwrap();
    change(&tx, id, &Change::AddOn { version: storage }, When::Now, "Ann", now).await.unwrap();
    let found = entitlements(&tx, customer, now).await.unwrap();
    assert_eq!(found.features.keys().collect::<Vec<_>>(), ["analytics", "crm", "recordings"]);
    assert_ne!(found.etag(), before.etag());
    assert_eq!(found.etag(), entitlements(&tx, customer, now).await.unwrap().etag());

    let recordings = &found.features["recordings"];
    assert_eq!(recordings.granted_by, ["basic", "storage"]);
    assert_eq!(recordings.limit, Some(Decimal::from(150))); // 100 + 50
    let metered = recordings.metered.clone().unwrap();
    assert_eq!(
        (metered.meter.as_str(), metered.from, metered.to),
        ("minutes", berlin("2026-03-01"), berlin("2026-04-01"))
    );
    assert_eq!(found.features["analytics"].limit, None);
    let left = |used: i64| found.clone().with_used("recordings", Decimal::from(used)).features["recordings"].remaining;
    assert_eq!((left(60), left(200)), (Some(Decimal::from(90)), Some(Decimal::ZERO))); // 150 - 60; never below zero
    assert_eq!(found.seats, SeatRoom { limit: Some(5), sells_more: false, assigned: 3 });
}

#[tokio::test]
async fn a_plan_grants_from_its_beginning_until_it_is_paused() {
    let world = World::new().await;
    let plan = NewPlanVersion { seat_limit: Some(5), ..grants(&["white_label"], &[]) };
    let plan = world.version_with("basic", false, plan).await;
    let customer = world.customer("C-1", "Europe/Berlin").await;
    let tx = world.tx().await;
    let now = at(NOW);
    let granted = async || entitlements(&tx, customer, now).await.unwrap();
    assert!(!granted().await.features.contains_key("white_label"));
    let id = subscribe(&tx, &begins(customer, plan, "2026-03-01T12:00:00Z"), now).await.unwrap();
    let found = granted().await;
    assert!(found.features.contains_key("white_label") && found.seats.holds(5) && !found.seats.holds(6));
    change(&tx, id, &Change::Pause, When::Now, "Ann", now).await.unwrap();
    assert!(!granted().await.features.contains_key("white_label"));
}

#[tokio::test]
async fn a_portal_customer_reads_its_own_entitlements_only() {
    let world = World::new().await;
    let plan = world.version_with("basic", false, grants(&["crm"], &[])).await;
    let (anna, ben) = (world.customer("C-1", "Europe/Berlin").await, world.customer("C-2", "Europe/Berlin").await);
    let tx = world.tx().await;
    for customer in [anna, ben] {
        subscribe(&tx, &begins(customer, plan, "2026-03-01T12:00:00Z"), at(NOW)).await.unwrap();
    }
    tx.commit().await.unwrap();
    let portal = world.database.db.customer(world.tenant, anna).await.unwrap();
    assert_eq!(entitlements(&portal, anna, at(NOW)).await.unwrap().features.len(), 1);
    assert!(entitlements(&portal, ben, at(NOW)).await.unwrap().features.is_empty());
}
