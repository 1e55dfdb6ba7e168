use crate::world::*;
use money::Currency;
use subscription::*;

/// Which component's key covers usage, `-` for none, `several` for several.
async fn covers(world: &World, customer: db::CustomerId, meter: &str, pairs: &[(&str, &str)], instant: &str) -> String {
    let tx = world.tx().await;
    match coverage(&tx, customer, meter, &dimensions(pairs), at(instant)).await.unwrap() {
        Coverage::Uncovered => "-".to_owned(),
        Coverage::Component { component, .. } => component.key,
        Coverage::Several => "several".to_owned(),
    }
}

async fn put_on(world: &World, customer: db::CustomerId, version: db::PlanVersionId) -> db::SubscriptionId {
    let tx = world.tx().await;
    let starts_at = at("2026-03-01T12:00:00Z");
    let new = NewSubscription {
        customer_id: customer,
        plan_version_id: version,
        seats: 0,
        anchor_on: on("2026-03-01"),
        starts_at,
        trial: false,
    };
    let id = subscribe(&tx, &new, starts_at).await.unwrap();
    tx.commit().await.unwrap();
    id
}

#[tokio::test]
async fn usage_is_covered_by_the_component_whose_meter_and_filter_it_has_while_the_subscription_is_in_service() {
    let world = World::new().await;
    let components = vec![
        flat("platform", "49"),
        usage("overflow", "minutes", &[("handled_by", "overflow")]),
        usage("line_a", "calls", &[("number", "+491"), ("direction", "inbound")]),
    ];
    let version = world.version("mixed", components).await;
    let customer = world.customer("C-1", "Europe/Berlin").await;
    let stranger = world.customer("C-2", "Europe/Berlin").await;
    let id = put_on(&world, customer, version).await;
    let tx = world.tx().await;
    let (end, cancel) = (When::At(at("2026-06-01T00:00:00Z")), Change::Cancel { credit: false });
    change(&tx, id, &cancel, end, "Ann", at("2026-03-02T00:00:00Z")).await.unwrap();
    tx.commit().await.unwrap();
    let overflow: &[(&str, &str)] = &[("handled_by", "overflow"), ("topic", "x")];
    for (who, meter, dimensions, instant, expected) in [
        (customer, "minutes", overflow, "2026-04-01T00:00:00Z", "overflow"),
        (customer, "minutes", &[("handled_by", "core")], "2026-04-01T00:00:00Z", "-"),
        (customer, "minutes", &[], "2026-04-01T00:00:00Z", "-"),
        (customer, "calls", overflow, "2026-04-01T00:00:00Z", "-"),
        (customer, "calls", &[("number", "+491")], "2026-04-01T00:00:00Z", "-"),
        (customer, "calls", &[("number", "+491"), ("direction", "inbound")], "2026-04-01T00:00:00Z", "line_a"),
        (stranger, "minutes", overflow, "2026-04-01T00:00:00Z", "-"),
        (customer, "minutes", overflow, "2026-03-01T11:59:59Z", "-"),
        (customer, "minutes", overflow, "2026-03-01T12:00:00Z", "overflow"),
        (customer, "minutes", overflow, "2026-05-31T23:59:59Z", "overflow"),
        (customer, "minutes", overflow, "2026-06-01T00:00:00Z", "-"),
    ] {
        assert_eq!(covers(&world, who, meter, dimensions, instant).await, expected, "{meter} {dimensions:?} {instant}");
    }
}

#[tokio::test]
async fn two_subscriptions_that_cover_the_same_usage_are_several() {
    let world = World::new().await;
    let all = world.version("all", vec![usage("minutes", "minutes", &[])]).await;
    let overflow = world.version("overflow", vec![usage("overflow", "minutes", &[("handled_by", "overflow")])]).await;
    let customer = world.customer("C-1", "Europe/Berlin").await;
    put_on(&world, customer, all).await;
    put_on(&world, customer, overflow).await;
    assert_eq!(
        covers(&world, customer, "minutes", &[("handled_by", "overflow")], "2026-04-01T00:00:00Z").await,
        "several"
    );
    assert_eq!(covers(&world, customer, "minutes", &[("handled_by", "core")], "2026-04-01T00:00:00Z").await, "minutes");
}

#[tokio::test]
async fn an_add_on_covers_like_the_plan_and_only_while_it_is_there() {
    let world = World::new().await;
    let plan = world.version("basic", vec![usage("minutes", "minutes", &[])]).await;
    let events = vec![usage("per_call", "calls", &[])];
    let add_on = world.version_with("events", true, NewPlanVersion::monthly(Currency::EUR, events)).await;
    let twice = vec![usage("again", "minutes", &[("topic", "x")])];
    let twice = world.version_with("twice", true, NewPlanVersion::monthly(Currency::EUR, twice)).await;
    let customer = world.customer("C-1", "Europe/Berlin").await;
    let id = put_on(&world, customer, plan).await;
    let tx = world.tx().await;
    let now = at("2026-03-02T00:00:00Z");
    let ask = async |asked: Change, instant| change(&tx, id, &asked, When::At(at(instant)), "Ann", now).await;
    ask(Change::AddOn { version: add_on }, "2026-03-10T00:00:00Z").await.unwrap();
    ask(Change::RemoveAddOn { version: add_on }, "2026-03-20T00:00:00Z").await.unwrap();
    let refusal = refused(ask(Change::AddOn { version: twice }, "2026-03-10T00:00:00Z").await);
    assert_eq!(refusal, is("components/again/filter", "filters_must_not_overlap", "again"));
    tx.commit().await.unwrap();
    for (instant, expected) in
        [("2026-03-09T23:59:59Z", "-"), ("2026-03-10T00:00:00Z", "per_call"), ("2026-03-20T00:00:00Z", "-")]
    {
        assert_eq!(covers(&world, customer, "calls", &[], instant).await, expected, "{instant}");
    }
}
