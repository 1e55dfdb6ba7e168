use crate::world::*;
use chrono::{DateTime, Utc};
use db::{CustomerId, PlanVersionId, SubscriptionId, TenantTx};
use money::Currency;
use subscription::*;

fn new(customer_id: CustomerId, plan_version_id: PlanVersionId, anchor: &str, starts: &str) -> NewSubscription {
    NewSubscription {
        customer_id,
        plan_version_id,
        seats: 0,
        anchor_on: on(anchor),
        starts_at: at(starts),
        trial: false,
    }
}

async fn start(tx: &TenantTx, new: &NewSubscription) -> SubscriptionId {
    subscribe(tx, new, new.starts_at).await.unwrap()
}

#[tokio::test]
async fn periods_run_from_the_anchor_day_and_are_never_chained() {
    let world = World::new().await;
    let version = world.version("basic", vec![flat("platform", "49")]).await;
    let customer = world.customer("C-1", "Europe/Berlin").await;
    let tx = world.tx().await;
    // expected civil dates of the bounds; 2026 is no leap year, 2028 is
    for (anchor, starts, until, bounds) in [
        (
            "2026-01-29",
            "2026-01-29T12:00:00Z",
            "2026-04-01T00:00:00Z",
            vec!["2026-01-29", "2026-02-28", "2026-03-29", "2026-04-29"],
        ),
        (
            "2026-01-30",
            "2026-01-30T12:00:00Z",
            "2026-04-01T00:00:00Z",
            vec!["2026-01-30", "2026-02-28", "2026-03-30", "2026-04-30"],
        ),
        (
            "2026-01-31",
            "2026-01-31T12:00:00Z",
            "2026-05-01T00:00:00Z",
            vec!["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"],
        ),
        ("2028-01-31", "2028-01-31T12:00:00Z", "2028-03-01T00:00:00Z", vec!["2028-01-31", "2028-02-29", "2028-03-31"]),
    ] {
        let id = start(&tx, &new(customer, version, anchor, starts)).await;
        let periods = open_periods(&tx, id, at(until), at(until)).await.unwrap();
        let mut found: Vec<String> = periods.iter().map(|period| period.starts_on.to_string()).collect();
        found.push(periods.last().unwrap().ends_on.to_string());
        assert_eq!(found, bounds, "{anchor}");
        assert_eq!(
            periods.iter().map(|period| period.position).collect::<Vec<_>>(),
            (0..periods.len() as u32).collect::<Vec<_>>()
        );
    }
}

#[tokio::test]
async fn bounds_are_local_midnights_on_both_sides_of_a_change_of_the_clocks() {
    let world = World::new().await;
    let version = world.version("basic", vec![]).await;
    for (no, zone, starts, bounds) in [
        // Berlin: summer time from 29 March, UTC+1 before and UTC+2 after
        (
            "C-1",
            "Europe/Berlin",
            "2026-03-01T12:00:00Z",
            ["2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z", "2026-04-30T22:00:00Z"],
        ),
        // New York: summer time from 8 March, UTC-5 before and UTC-4 after
        (
            "C-2",
            "America/New_York",
            "2026-03-01T12:00:00Z",
            ["2026-03-01T05:00:00Z", "2026-04-01T04:00:00Z", "2026-05-01T04:00:00Z"],
        ),
        // India: UTC+5:30 all year
        (
            "C-3",
            "Asia/Kolkata",
            "2026-03-01T12:00:00Z",
            ["2026-02-28T18:30:00Z", "2026-03-31T18:30:00Z", "2026-04-30T18:30:00Z"],
        ),
    ] {
        let customer = world.customer(no, zone).await;
        let tx = world.tx().await;
        let id = start(&tx, &new(customer, version, "2026-03-01", starts)).await;
        let periods = open_periods(&tx, id, at("2026-04-15T00:00:00Z"), at("2026-04-15T00:00:00Z")).await.unwrap();
        let found: Vec<DateTime<Utc>> = vec![periods[0].starts_at, periods[1].starts_at, periods[1].ends_at];
        assert_eq!(found, bounds.map(at), "{zone}");
        assert_eq!(periods[0].ends_at, periods[1].starts_at);
    }
}

#[tokio::test]
async fn a_period_that_is_open_keeps_its_bounds_and_opening_twice_is_opening_once() {
    let world = World::new().await;
    let version = world.version("basic", vec![]).await;
    let customer = world.customer("C-1", "Europe/Berlin").await;
    let tx = world.tx().await;
    let id = start(&tx, &new(customer, version, "2026-03-01", "2026-03-01T12:00:00Z")).await;
    let now = at("2026-03-15T00:00:00Z");
    let first = open_periods(&tx, id, at("2026-04-15T00:00:00Z"), now).await.unwrap();
    assert_eq!(open_periods(&tx, id, at("2026-04-15T00:00:00Z"), now).await.unwrap(), first);
    // the customer moves; the subscription's zone is frozen
    let moved = NewCustomer::postpaid("C-1", "C-1", Currency::EUR, "Asia/Tokyo", "JP", on("2026-01-01"));
    change_customer(&tx, customer, &moved).await.unwrap();
    let more = open_periods(&tx, id, at("2026-05-15T00:00:00Z"), now).await.unwrap();
    assert_eq!((&more[..2], more.len()), (&first[..], 3));
    assert_eq!(more[2].starts_at, first[1].ends_at);
    assert_eq!(subscription::audit::check(&tx, now).await.unwrap(), []);
    let refused = tx.run("UPDATE service_period SET ends_on = ends_on + 1", []).await.unwrap_err();
    assert_eq!(db::sqlstate_of(&refused).as_deref(), Some("42501"));
}

#[tokio::test]
async fn no_period_opens_after_the_end() {
    let world = World::new().await;
    let version = world.version("basic", vec![]).await;
    let customer = world.customer("C-1", "Europe/Berlin").await;
    let tx = world.tx().await;
    let id = start(&tx, &new(customer, version, "2026-03-01", "2026-03-10T12:00:00Z")).await;
    let now = at("2026-03-20T00:00:00Z");
    // the end of April in Berlin is 30 April 22:00 UTC: the period from there on never opens
    let end = |instant: &str| When::At(at(instant));
    let cancel = Change::Cancel { credit: false };
    change(&tx, id, &cancel, end("2026-04-30T22:00:00Z"), "Ann", now).await.unwrap();
    let periods = open_periods(&tx, id, at("2026-09-01T00:00:00Z"), now).await.unwrap();
    assert_eq!(periods.iter().map(|period| period.ends_on).collect::<Vec<_>>(), [on("2026-04-01"), on("2026-05-01")]);
    let stored = history(&tx, id).await.unwrap().unwrap();
    assert_eq!(stored.status_at(now), SubscriptionStatus::Active);
    assert_eq!(stored.status_at(at("2026-04-30T22:00:00Z")), SubscriptionStatus::Cancelled);
    assert_eq!(
        refused(change(&tx, id, &cancel, end("2026-03-19T00:00:00Z"), "Ann", now).await).1,
        "must_not_lie_in_the_past"
    );
    let late = at("2026-06-01T00:00:00Z");
    assert_eq!(refused(change(&tx, id, &cancel, When::Now, "Ann", late).await).1, "must_be_possible_in_status");
}

#[tokio::test]
async fn a_trial_ends_by_the_clock_after_its_civil_days() {
    let world = World::new().await;
    let version = world.version("basic", vec![]).await;
    let customer = world.customer("C-1", "Europe/Berlin").await;
    let tx = world.tx().await;
    let id =
        start(&tx, &NewSubscription { trial: true, ..new(customer, version, "2026-03-20", "2026-03-20T15:00:00Z") })
            .await;
    let stored = history(&tx, id).await.unwrap().unwrap();
    // 20 March and 13 more days; 3 April 00:00 in Berlin is 2 April 22:00 UTC
    let ends = at("2026-04-02T22:00:00Z");
    assert_eq!(stored.subscription.trial_ends_at, Some(ends));
    assert_eq!(stored.status_at(ends - chrono::TimeDelta::microseconds(1)), SubscriptionStatus::Trial);
    assert_eq!(stored.status_at(ends), SubscriptionStatus::Active);
}

#[tokio::test]
async fn a_subscription_that_breaks_a_rule_is_refused() {
    let world = World::new().await;
    let version = world.version("basic", vec![]).await;
    let add_on = world.version_with("crm", true, NewPlanVersion::monthly(Currency::EUR, vec![])).await;
    let dollars = world.version_with("usd", false, NewPlanVersion::monthly(Currency::USD, vec![])).await;
    let untried = world
        .version_with("sure", false, NewPlanVersion { trial_days: 0, ..NewPlanVersion::monthly(Currency::EUR, vec![]) })
        .await;
    let customer = world.customer("C-1", "Europe/Berlin").await;
    let good = new(customer, version, "2026-03-01", "2026-03-15T12:00:00Z");
    let cases = [
        (NewSubscription { plan_version_id: add_on, ..good.clone() }, is("plan_version_id", "must_be_plan", "crm")),
        (
            NewSubscription { plan_version_id: dollars, ..good.clone() },
            is("plan_version_id", "currency_must_match", "USD"),
        ),
        (
            NewSubscription { anchor_on: on("2026-02-15"), ..good.clone() },
            is("anchor_on", "anchor_must_hold_start", "2026-02-15"),
        ),
        (
            NewSubscription { anchor_on: on("2026-03-16"), ..good.clone() },
            is("anchor_on", "anchor_must_hold_start", "2026-03-16"),
        ),
        (
            NewSubscription { plan_version_id: untried, trial: true, ..good.clone() },
            is("trial", "trial_needs_days", "sure"),
        ),
        (NewSubscription { seats: u32::MAX, ..good.clone() }, is("seats", "must_lie_between", "4294967295")),
    ];
    let tx = world.tx().await;
    for (new, expected) in cases {
        assert_eq!(refused(subscribe(&tx, &new, good.starts_at).await), expected);
    }
    assert_eq!(subscriptions_of(&tx, customer).await.unwrap(), []);
    close_customer(&tx, customer, good.starts_at).await.unwrap();
    assert_eq!(refused(subscribe(&tx, &good, good.starts_at).await), is("customer_id", "customer_must_be_open", "C-1"));
}

#[tokio::test]
async fn an_add_on_brings_its_features_and_components_for_as_long_as_it_is_there() {
    let world = World::new().await;
    let with = |features: &[&str], components| NewPlanVersion {
        features: features.iter().map(|feature| feature.to_string()).collect(),
        ..NewPlanVersion::monthly(Currency::EUR, components)
    };
    let plan = world.version_with("basic", false, with(&["analytics"], vec![flat("platform", "49")])).await;
    let crm = world.version_with("crm", true, with(&["crm.zoho"], vec![flat("crm", "9")])).await;
    let clash = world.version_with("clash", true, with(&[], vec![flat("platform", "1")])).await;
    let customer = world.customer("C-1", "Europe/Berlin").await;
    let tx = world.tx().await;
    let id = start(&tx, &new(customer, plan, "2026-03-01", "2026-03-01T12:00:00Z")).await;
    let (from, until) = (at("2026-03-10T00:00:00Z"), at("2026-03-20T00:00:00Z"));
    let add = |version| Change::AddOn { version };
    change(&tx, id, &add(crm), When::Now, "Ann", from).await.unwrap();
    change(&tx, id, &Change::RemoveAddOn { version: crm }, When::At(until), "Ann", from).await.unwrap();
    let granted =
        async |instant: &str| features(&tx, id, at(instant)).await.unwrap().into_iter().collect::<Vec<_>>().join(" ");
    assert_eq!(granted("2026-03-01T11:59:59Z").await, "");
    assert_eq!(granted("2026-03-09T23:59:59Z").await, "analytics");
    assert_eq!(granted("2026-03-10T00:00:00Z").await, "analytics crm.zoho");
    assert_eq!(granted("2026-03-20T00:00:00Z").await, "analytics");
    assert_eq!(features_of_customer(&tx, customer, from).await.unwrap().len(), 2);
    let own = history(&tx, id).await.unwrap().unwrap();
    let keys = |at| own.components_at(at).map(|component| component.key.as_str()).collect::<Vec<_>>();
    assert_eq!(keys(from), ["platform", "crm"]);
    assert_eq!(keys(until), ["platform"]);

    assert_eq!(
        refused(change(&tx, id, &add(clash), When::At(until), "Ann", from).await),
        is("components/platform/key", "must_be_unique", "platform")
    );
    assert_eq!(
        refused(change(&tx, id, &add(plan), When::At(until), "Ann", from).await),
        is("plan_version_id", "must_be_add_on", "basic")
    );
    assert_eq!(
        refused(change(&tx, id, &add(crm), When::At(at("2026-02-01T00:00:00Z")), "Ann", from).await).1,
        "must_not_lie_in_the_past"
    );
    // attached again after it ended, and then not a second time
    change(&tx, id, &add(crm), When::At(until), "Ann", from).await.unwrap();
    assert_eq!(refused(change(&tx, id, &add(crm), When::At(until), "Ann", from).await).1, "must_be_unique");
}

#[tokio::test]
async fn a_customer_changes_its_plan_at_the_end_of_the_term_that_is_running() {
    let world = World::new().await;
    let quarterly =
        NewPlanVersion { term_months: 3, ..NewPlanVersion::monthly(Currency::EUR, vec![flat("platform", "49")]) };
    let quarterly = world.version_with("quarterly", false, quarterly).await;
    let hourly = vec![usage("hours", "hours", &[])];
    let hourly = NewPlanVersion { seat_limit: Some(9), ..NewPlanVersion::monthly(Currency::EUR, hourly) };
    let hourly = world.version_with("hourly", false, hourly).await;
    let clash = world.version("clash", vec![flat("crm", "1")]).await;
    let crm = world.version_with("crm", true, NewPlanVersion::monthly(Currency::EUR, vec![flat("crm", "9")])).await;
    let customer = world.customer("C-1", "Europe/Berlin").await;
    let tx = world.tx().await;
    let id = start(&tx, &new(customer, quarterly, "2026-01-01", "2026-01-01T12:00:00Z")).await;
    let now = at("2026-04-02T12:00:00Z");
    change(&tx, id, &Change::AddOn { version: crm }, When::Now, "Ann", now).await.unwrap();
    let to = |version, seats| Change::Plan { version, seats: Some(seats) };
    assert_eq!(
        refused(change(&tx, id, &to(clash, 0), When::TermEnd, "Ann", now).await),
        is("components/crm/key", "must_be_unique", "crm")
    );
    // Seats that nothing counts would say nothing.
    for wish in [to(quarterly, 7), Change::Seats(7)] {
        let found = refused(change(&tx, id, &wish, When::Now, "Ann", now).await);
        assert_eq!(found, is("seats", "seats_must_be_counted", "7"));
    }
    change(&tx, id, &to(hourly, 7), When::TermEnd, "Ann", now).await.unwrap();
    // terms begin on 1 January, 1 April and 1 July; 1 July 00:00 in Berlin is 30 June 22:00 UTC
    let end = at("2026-06-30T22:00:00Z");
    let after = history(&tx, id).await.unwrap().unwrap();
    let spans: Vec<_> = after.attached.iter().map(|part| (part.version.id, part.from, part.until)).collect();
    let start = at("2026-01-01T12:00:00Z");
    assert_eq!(spans, [(quarterly, start, Some(end)), (hourly, end, None), (crm, now, None)]);
    assert_eq!((after.seats_at(now), after.seats_at(end)), (0, 7));
}

#[tokio::test]
async fn a_portal_customer_sees_its_own_subscription_and_the_catalogue_and_changes_neither() {
    let world = World::new().await;
    let version = world.version("basic", vec![flat("platform", "49")]).await;
    let (anna, ben) = (world.customer("C-1", "Europe/Berlin").await, world.customer("C-2", "Europe/Berlin").await);
    let tx = world.tx().await;
    let mine = start(&tx, &new(anna, version, "2026-03-01", "2026-03-01T12:00:00Z")).await;
    let other = start(&tx, &new(ben, version, "2026-03-01", "2026-03-01T12:00:00Z")).await;
    for id in [mine, other] {
        open_periods(&tx, id, at("2026-04-15T00:00:00Z"), at("2026-03-01T12:00:00Z")).await.unwrap();
    }
    let bens = subscription(&tx, other).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    let portal = world.database.db.customer(world.tenant, anna).await.unwrap();
    let seen = all_active(&portal, at("2026-03-05T00:00:00Z")).await.unwrap();
    assert_eq!(seen.iter().map(|subscription| subscription.id).collect::<Vec<_>>(), [mine]);
    assert_eq!(subscription(&portal, other).await.unwrap(), None);
    assert_eq!(periods(&portal, &bens).await.unwrap(), []);
    assert_eq!(customers(&portal, &CustomerFilter::default()).await.unwrap().len(), 1);
    assert_eq!(customer(&portal, ben).await.unwrap(), None);
    assert!(customer_events(&portal, ben, 10).await.unwrap().is_empty());
    assert_eq!(plans(&portal).await.unwrap().len(), 1);
    assert!(create_plan(&portal, "mine", "Mine", "", false).await.is_err());
}
