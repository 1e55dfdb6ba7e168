use crate::edge::{EdgeCall, place};
use crate::world::{ANNA, FIRM, PLAIN, World, at, dec, eur};
use call_control::{ChargedBy, PricedBy};
use chrono::NaiveDate;
use db::{CustomerId, PlanVersionId, SubscriptionId, TenantTx};
use money::{Currency, Decimal};
use pricing::Price;
use std::collections::BTreeMap;
use subscription::{Billed, Component, ComponentKind, NewPlanVersion, NewSubscription};

/// A plan of 0.10 a minute, sold to a customer.
pub async fn sell(world: &World, code: &str, customer_id: CustomerId, included: &str) -> SubscriptionId {
    sell_minutes(world, code, customer_id, included, None).await
}

/// The same, and of each call so much beyond so many included ones.
pub async fn sell_minutes(
    world: &World,
    code: &str,
    customer_id: CustomerId,
    included: &str,
    calls: Option<(&str, &str)>,
) -> SubscriptionId {
    let minutes = minutes(included);
    let calls = calls.map(|(included, price)| Component {
        key: "calls".into(),
        name: "Calls".into(),
        measure: Some("calls".into()),
        included: dec(included),
        price: Price::per_unit(dec(price)),
        ..minutes.clone()
    });
    sell_components(world, code, customer_id, std::iter::once(minutes).chain(calls).collect()).await
}

/// A plan of these components, sold to a customer.
pub async fn sell_components(
    world: &World,
    code: &str,
    customer_id: CustomerId,
    components: Vec<Component>,
) -> SubscriptionId {
    sell_terms(world, code, customer_id, monthly(components)).await
}

/// A plan of these terms, sold to a customer.
pub async fn sell_terms(world: &World, code: &str, customer_id: CustomerId, terms: NewPlanVersion) -> SubscriptionId {
    let tx = world.tx().await;
    let new = NewSubscription {
        customer_id,
        plan_version_id: publish_terms(&tx, code, &terms).await,
        seats: 0,
        anchor_on: NaiveDate::from_ymd_opt(2026, 3, 1).unwrap(),
        starts_at: at(-35 * 3600), // 1 March, 00:00 in Berlin
        trial: false,
    };
    let id = subscription::subscribe(&tx, &new, at(0)).await.unwrap();
    tx.commit().await.unwrap();
    id
}

/// 0.10 a minute beyond the included ones.
pub fn minutes(included: &str) -> Component {
    Component {
        key: "minutes".into(),
        kind: ComponentKind::Usage,
        name: "Minutes".into(),
        measure: Some("minutes".into()),
        filter: BTreeMap::new(),
        included: dec(included),
        minimum_quantity: Decimal::ZERO,
        price: Price::per_unit(dec("0.10")),
        billed: Billed::InArrears,
    }
}

/// A plan of 0.10 a minute beyond so many.
pub async fn publish(tx: &TenantTx, code: &str, included: &str) -> PlanVersionId {
    publish_terms(tx, code, &monthly(vec![minutes(included)])).await
}

/// Terms of a month without a trial.
pub fn monthly(components: Vec<Component>) -> NewPlanVersion {
    NewPlanVersion { trial_days: 0, ..NewPlanVersion::monthly(Currency::EUR, components) }
}

async fn publish_terms(tx: &TenantTx, code: &str, terms: &NewPlanVersion) -> PlanVersionId {
    let plan = subscription::create_plan(tx, code, code, "", false).await.unwrap();
    subscription::publish_version(tx, plan, terms, at(0)).await.unwrap()
}

#[tokio::test]
async fn a_call_that_a_plan_covers_is_charged_by_no_tariff() {
    let world = World::set().await;
    let subscription_id = sell(&world, "support", world.anna, "0").await;
    let mut call = EdgeCall::arrive(&world, ANNA, 10).await.unwrap();
    assert_eq!(call.choose(PLAIN).await.unwrap().authorised_seconds, Some(60), "nothing is included: the wallet pays");
    call.start_meter().await;
    call.talk_to(90).await;
    call.hang_up().await;
    // 20.00 - 1.5 x 0.10 x 1.19
    assert_eq!(world.wallet().await, (eur("19.8215"), eur("0")));
    let tx = world.tx().await;
    let detail = call_control::call(&tx, call.call_id()).await.unwrap();
    assert_eq!((detail.call.charge, detail.call.charged_by), (Some(eur("0.1785")), Some(ChargedBy::Component)));
    assert_eq!(detail.call.net, Some(eur("0.15"))); // 1.5 x 0.10
    let why = detail.explanation.unwrap();
    assert!(
        matches!(&why.priced_by, PricedBy::Component { plan, component, plan_version: 1, .. } if plan == "support" && component == "Minutes")
    );
    assert_eq!(world.used(world.centre, world.anna, "minutes").await, dec("1.5"));
    assert_eq!(world.used(world.centre, world.anna, "charge").await, dec("0.1785"));
    let line = call_control::Line::Component { subscription_id, key: "minutes".into() };
    assert_eq!(call_control::calls_of_line(&tx, world.anna, &line, at(0), at(999), 10).await.unwrap().calls.len(), 1);
    drop(tx);
    world.audit(at(1000)).await;
}

#[tokio::test]
async fn a_call_that_two_subscriptions_cover_waits_in_suspense_and_is_charged_by_neither() {
    let world = World::set().await;
    sell(&world, "support", world.anna, "0").await;
    sell(&world, "advice", world.anna, "0").await;
    let call = place(&world, ANNA, PLAIN, 90).await;
    let tx = world.tx().await;
    let detail = call_control::call(&tx, call.call_id()).await.unwrap();
    assert_eq!((detail.call.charge, detail.call.charged_by), (None, Some(ChargedBy::Nothing)));
    let waiting = usage_metering::open_suspense(&tx, 10).await.unwrap();
    assert_eq!(
        waiting.iter().map(|s| s.cause).collect::<Vec<_>>(),
        [usage_metering::SuspenseCause::SeveralSubscriptions]
    );
    drop(tx);
    assert_eq!(world.wallet().await, (eur("20.00"), eur("0")));
    assert_eq!(world.used(world.centre, world.anna, "minutes").await, dec("0"));
    world.audit(at(1000)).await;
}

#[tokio::test]
async fn a_live_call_is_sold_by_the_language_of_its_number_and_by_its_channel() {
    for (dimension, value, expected) in [
        ("language", "en", ChargedBy::Component), // of the number: see `world.rs`
        ("language", "es", ChargedBy::Tariff),
        ("channel", "phone", ChargedBy::Component),
        ("channel", "whatsapp", ChargedBy::Tariff),
    ] {
        let world = World::set().await;
        let filter = [(dimension.to_owned(), value.to_owned())].into();
        let of_kind = Component { filter, ..minutes("0") };
        sell_components(&world, "spoken", world.firm, vec![of_kind]).await;
        let call = place(&world, FIRM, PLAIN, 60).await;
        call_control::deliver_upward(&world.test.db, world.centre, at(2000)).await.unwrap();
        let found = call_control::call(&world.tx().await, call.call_id()).await.unwrap().call;
        assert_eq!(found.charged_by, Some(expected), "{dimension} {value}");
        // and in the book above it is known by the same
        let tx = world.book(world.reseller).await;
        let known: Option<String> = tx
            .value("SELECT dimensions ->> 'language' || ' ' || (dimensions ->> 'channel') AS v FROM usage_sum WHERE meter = 'minutes'", [])
            .await
            .unwrap();
        assert_eq!(known.as_deref(), Some("en phone"));
    }
}
