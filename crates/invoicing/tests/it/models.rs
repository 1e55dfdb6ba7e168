//! The ways to sell, each as a dated story with its arithmetic.

use crate::world::{POSTPAID, PREPAID, Who, World, component, each, eur, lines, percent, totals};
use invoicing::{LineGroup, LineSource};
use money::Currency;
use pricing::{Model, PercentPrice, Price, Tier};
use rust_decimal::Decimal;
use subscription::{Billed, Component, ComponentKind, NewPlanVersion, TaxTreatment};

#[tokio::test]
async fn a_plan_per_seat_charges_each_agent_that_was_active_in_the_month() {
    let world = World::new().await;
    let customer = world.customer(POSTPAID).await;
    world
        .subscribe(customer, "2026-03-01", vec![component("agents", ComponentKind::Seat, Some("active"), each("49"))])
        .await;
    for (agent, day) in [("anna", "03"), ("anna", "04"), ("ben", "04"), ("cleo", "31")] {
        world.used(customer, "seat_days", "1", &[("agent", agent)], &format!("2026-03-{day}T09:00:00Z")).await;
    }
    world.billed("2026-04-01").await;
    let invoice = world.invoice(customer).await;
    assert_eq!(lines(&invoice), ["agents | 3 | 147.00"]); // 3 agents x 49
    assert_eq!(totals(&invoice), "147.00 + 27.93 = 174.93, due 174.93"); // 147 x 0.19
    assert_eq!(invoice.document.number, "NL-000001");
    assert_eq!(invoice.document.issued_on.to_string(), "2026-04-01");
    assert_eq!(invoice.document.due_on.to_string(), "2026-04-15"); // 14 days
    assert_eq!(
        (invoice.document.period_starts_on.to_string(), invoice.document.period_ends_on.to_string()),
        ("2026-03-01".into(), "2026-04-01".into())
    );
    assert_eq!(world.books(customer).await, ["-174.93", "0.00", "147.00", "27.93", "0.00"]);
    let LineSource::Seats { measure, .. } = &invoice.groups[0].lines[0].source else {
        panic!("a seat line opens to seats")
    };
    assert_eq!(measure, "active");
}

#[tokio::test]
async fn a_plan_per_event_charges_what_is_missing_to_its_minimum() {
    let world = World::new().await;
    let customer = world.customer(POSTPAID).await;
    let version = NewPlanVersion {
        trial_days: 0,
        commitment: eur("100"),
        ..NewPlanVersion::monthly(
            Currency::EUR,
            vec![component("events", ComponentKind::Usage, Some("calls"), each("0.25"))],
        )
    };
    world.subscribe_to(customer, "2026-03-01", 0, false, version).await;
    world.used(customer, "calls", "1", &[("charged_by", "component")], "2026-03-10T09:00:00Z").await;
    world.used(customer, "calls", "1", &[("charged_by", "component")], "2026-03-11T09:00:00Z").await;
    // A call that a tariff has charged is not charged again.
    let law = world.topic("Law").await;
    world.called(customer, law, "2", "1.19", "2026-03-12T09:00:00Z").await;
    world.billed("2026-04-01").await;
    let invoice = world.invoice(customer).await;
    assert_eq!(
        lines(&invoice),
        ["events | 2 | 0.50", "Law | 1 | 1.00", "Difference to the agreed minimum of 100.00 | 0 | 99.50"] // 2 x 0.25; 100 - 0.50
    );
    assert_eq!(invoice.document.totals.net, eur("101"));
    let minimum = &invoice.groups[1].lines[0];
    assert_eq!(minimum.group, LineGroup::Commitment);
    assert_eq!(
        minimum.explanation.lines(),
        ["Price: Business, version 1", "Agreed minimum (31/31 days): 100", "Usage: 0.5", "Total: 99.5"]
    );
}

#[tokio::test]
async fn a_plan_per_hour_charges_hours_by_kind_of_work() {
    let world = World::new().await;
    let customer = world.customer(POSTPAID).await;
    let mut dedicated = component("dedicated", ComponentKind::Hours, Some("hours"), each("28"));
    dedicated.filter.insert("work".to_owned(), "dedicated".to_owned());
    let mut training = component("training", ComponentKind::Hours, Some("hours"), each("35.50"));
    training.filter.insert("work".to_owned(), "training".to_owned());
    world.subscribe(customer, "2026-03-01", vec![dedicated, training]).await;
    world.used(customer, "hours", "7.5", &[("work", "dedicated")], "2026-03-02T09:00:00Z").await;
    world.used(customer, "hours", "8", &[("work", "dedicated")], "2026-03-03T09:00:00Z").await;
    world.used(customer, "hours", "1.25", &[("work", "training")], "2026-03-04T09:00:00Z").await;
    world.billed("2026-04-01").await;
    let invoice = world.invoice(customer).await;
    // 15.5 x 28 = 434; 1.25 x 35.50 = 44.375 -> 44.38
    assert_eq!(lines(&invoice), ["dedicated | 15.5 | 434.00", "training | 1.25 | 44.38"]);
    assert_eq!(totals(&invoice), "478.38 + 90.89 = 569.27, due 569.27"); // 478.38 x 0.19 = 90.8922
}

#[tokio::test]
async fn channels_are_charged_above_the_package_by_the_month_s_peak() {
    let world = World::new().await;
    let customer = world.customer(POSTPAID).await;
    let mut channels = component("channels", ComponentKind::Channels, Some("channel_peak"), each("9.50"));
    channels.included = Decimal::from(30);
    let mut package = component("package", ComponentKind::Flat, None, each("240"));
    package.billed = Billed::InArrears;
    world.subscribe(customer, "2026-03-01", vec![package, channels]).await;
    for (peak, at) in [("12", "2026-03-02T09:00:00Z"), ("37", "2026-03-17T09:00:00Z"), ("31", "2026-03-20T09:00:00Z")] {
        world.used(customer, "channel_peak", peak, &[], at).await;
    }
    world.billed("2026-04-01").await;
    let invoice = world.invoice(customer).await;
    assert_eq!(lines(&invoice), ["package | 1 | 240.00", "channels | 37 | 66.50"]); // (37 - 30) x 9.50
    assert_eq!(invoice.groups[1].lines[0].detail, "37 used, 30 included");
}

#[tokio::test]
async fn a_mixed_plan_takes_hours_overflow_calls_and_a_percentage_of_them() {
    let world = World::new().await;
    let customer = world.customer(POSTPAID).await;
    let tier = |up_to: Option<i64>, unit: &str| Tier {
        up_to: up_to.map(Decimal::from),
        unit: unit.parse().unwrap(),
        flat: Decimal::ZERO,
    };
    let graduated =
        Price { model: Model::Graduated { tiers: vec![tier(Some(2), "0.90"), tier(None, "0.70")] }, ..each("0") };
    let mut overflow = component("overflow", ComponentKind::Usage, Some("calls"), graduated);
    overflow.filter.insert("handled_by".to_owned(), "overflow".to_owned());
    let core = component("core_team", ComponentKind::Hours, Some("hours"), each("28"));
    let share = Price {
        model: Model::Percent(PercentPrice { rate: Decimal::from(8), ..PercentPrice::default() }),
        ..each("0")
    };
    let management = component("management", ComponentKind::Percent, Some("overflow"), share);
    world.subscribe(customer, "2026-03-01", vec![core, overflow, management]).await;
    world.used(customer, "hours", "10", &[("work", "core")], "2026-03-02T09:00:00Z").await;
    for hour in ["09", "10", "11"] {
        let dimensions = [("handled_by", "overflow"), ("charged_by", "component")];
        world.used(customer, "calls", "1", &dimensions, &format!("2026-03-05T{hour}:00:00Z")).await;
    }
    world
        .used(customer, "calls", "1", &[("handled_by", "core"), ("charged_by", "component")], "2026-03-05T12:00:00Z")
        .await;
    world.billed("2026-04-01").await;
    let invoice = world.invoice(customer).await;
    // 2 x 0.90 + 1 x 0.70 = 2.50; 10 x 28 = 280; 2.50 x 8% = 0.20
    assert_eq!(lines(&invoice), ["overflow | 3 | 2.50", "core_team | 10 | 280.00", "management | 2.5 | 0.20"]);
    assert_eq!(totals(&invoice), "282.70 + 53.71 = 336.41, due 336.41"); // 282.70 x 0.19 = 53.713
}

#[tokio::test]
async fn prepaid_calls_are_documented_with_nothing_left_to_pay() {
    let world = World::new().await;
    let customer = world.customer(PREPAID).await;
    let (law, tax) = (world.topic("Law").await, world.topic("Tax").await);
    world.called(customer, law, "10", "5.00", "2026-03-02T10:00:00Z").await;
    world.called(customer, law, "0.0123", "0.006150", "2026-03-03T10:00:00Z").await;
    world.called(customer, tax, "3", "1.50", "2026-03-31T21:59:00Z").await; // 23:59 in Berlin
    world.called(customer, tax, "3", "1.50", "2026-03-31T22:00:00Z").await; // April there
    world.billed("2026-04-01").await;
    let invoice = world.invoice(customer).await;
    // Charged 5.00 + 0.00615 + 1.50 = 6.50615 -> 6.51 gross; net 6.51 / 1.19 = 5.4706 -> 5.47, tax 1.04
    assert_eq!(totals(&invoice), "5.47 + 1.04 = 6.51, due 0.00");
    // 5.47 shared by 5.00615 : 1.50 = 4.2089 and 1.2611
    let mut spelled = lines(&invoice);
    spelled.sort();
    assert_eq!(spelled, ["Law | 2 | 4.21", "Tax | 1 | 1.26"]);
    // unbilled: 1.50 of April is left; revenue 5.47, tax 1.04; rounding 6.50615 - 6.51
    assert_eq!(world.books(customer).await, ["0.00", "1.50", "5.47", "1.04", "-0.00385"]);
    let LineSource::TariffCalls { topic_id, .. } = invoice.groups[0].lines[0].source else {
        panic!("a line of calls opens to calls")
    };
    assert!([law, tax].contains(&topic_id));
}

#[tokio::test]
async fn postpaid_calls_become_part_of_what_is_due() {
    let world = World::new().await;
    let customer = world.customer(POSTPAID).await;
    let law = world.topic("Law").await;
    world.called(customer, law, "20", "10.00", "2026-03-02T10:00:00Z").await;
    world.called(customer, law, "2", "1.00", "2026-03-03T10:00:00Z").await;
    world.billed("2026-04-01").await;
    let invoice = world.invoice(customer).await;
    assert_eq!(totals(&invoice), "9.24 + 1.76 = 11.00, due 11.00"); // 11 / 1.19 = 9.2437
    // accrued 8.403361 + 0.840336 = 9.243697 is revenue already; 9.24 says the document: 0.003697 is rounding
    assert_eq!(world.books(customer).await, ["-11.00", "0.00", "9.243697", "1.76", "-0.003697"]);
}

#[tokio::test]
async fn tariff_calls_keep_their_gross_beside_components_that_are_net() {
    let world = World::new().await;
    let customer = world.customer(POSTPAID).await;
    let law = world.topic("Law").await;
    world.subscribe(customer, "2026-03-01", vec![component("fee", ComponentKind::Flat, None, each("19.99"))]).await;
    world.called(customer, law, "20", "9.99", "2026-03-02T10:00:00Z").await;
    world.billed("2026-04-01").await;
    let invoice = world.invoice(customer).await;
    // fee 19.99 + 3.80 (3.7981); calls 9.99 = 8.39 (8.3950) + 1.60: one group of 28.38 + 5.40
    assert_eq!(totals(&invoice), "28.38 + 5.40 = 33.78, due 33.78");
    assert_eq!((invoice.taxes.len(), invoice.taxes[0].base), (1, eur("28.38")));
    assert_eq!(invoice.document.totals.gross, eur("23.79").checked_add(eur("9.99")).unwrap());
}

#[tokio::test]
async fn a_year_is_paid_at_once_with_fifteen_percent_off() {
    let world = World::new().await;
    let customer = world.customer(POSTPAID).await;
    let ahead = |component: Component| Component { billed: Billed::InAdvance, ..component };
    let components = vec![
        ahead(component("platform", ComponentKind::Flat, None, each("99"))),
        ahead(component("seats", ComponentKind::Seat, Some("assigned"), each("20"))),
        component("calls", ComponentKind::Usage, Some("calls"), each("0.10")),
    ];
    let version = NewPlanVersion {
        trial_days: 0,
        term_months: 12,
        term_discount_percent: percent("15"),
        ..NewPlanVersion::monthly(Currency::EUR, components)
    };
    world.subscribe_to(customer, "2026-03-01", 5, false, version).await;
    world.used(customer, "calls", "1", &[("charged_by", "component")], "2026-03-10T09:00:00Z").await;
    world.billed("2026-03-02").await; // the day after it began
    let invoice = world.invoice(customer).await;
    // 12 x 99 = 1188; 12 x 5 x 20 = 1200; 15% of 2388 = 358.20
    assert_eq!(
        lines(&invoice),
        ["platform | 1 | 1188.00", "seats | 5 | 1200.00", "Term discount 15%, 12 months | 2388 | -358.20"]
    );
    assert_eq!(invoice.document.totals.net, eur("2029.80"));
    assert_eq!(invoice.document.period_ends_on.to_string(), "2027-03-01");
    // A month later only the usage is due, and it has no term discount.
    world.billed("2026-04-01").await;
    let invoice = world.invoice(customer).await;
    assert_eq!(lines(&invoice), ["calls | 1 | 0.10"]);
    // After a year the next one.
    world.billed("2027-03-02").await;
    assert_eq!(lines(&world.invoice(customer).await)[0], "platform | 1 | 1188.00");
}

#[tokio::test]
async fn a_trial_costs_nothing_but_its_usage_and_the_first_paid_days_are_prorated() {
    let world = World::new().await;
    let customer = world.customer(POSTPAID).await;
    let components = vec![
        component("platform", ComponentKind::Flat, None, each("62")),
        component("minutes", ComponentKind::Usage, Some("minutes"), each("0.10")),
    ];
    let version = NewPlanVersion { trial_days: 14, ..NewPlanVersion::monthly(Currency::EUR, components) };
    world.subscribe_to(customer, "2026-03-01", 0, true, version).await;
    world.used(customer, "minutes", "30", &[("charged_by", "component")], "2026-03-03T09:00:00Z").await;
    world.billed("2026-04-01").await;
    let invoice = world.invoice(customer).await;
    // 1 to 14 March are free: 62 x 17 / 31 = 34; 30 x 0.10 = 3
    assert_eq!(lines(&invoice), ["platform | 1 | 34.00", "minutes | 30 | 3.00"]);
    assert_eq!(invoice.groups[0].lines[0].detail, "17 of 31 days");
    world.billed("2026-05-01").await;
    assert_eq!(lines(&world.invoice(customer).await), ["platform | 1 | 62.00"]);
}

#[tokio::test]
async fn a_cancelled_subscription_pays_its_last_days_and_no_more() {
    let world = World::new().await;
    let customer = world.customer(POSTPAID).await;
    let id = world
        .subscribe(customer, "2026-04-01", vec![component("platform", ComponentKind::Flat, None, each("60"))])
        .await;
    let tx = world.tx().await;
    // The end of 10 April in Berlin.
    let end = subscription::When::At(crate::world::at("2026-04-10T22:00:00Z"));
    let cancel = subscription::Change::Cancel { credit: false };
    subscription::change(&tx, id, &cancel, end, "test", crate::world::at("2026-04-05T08:00:00Z")).await.unwrap();
    tx.commit().await.unwrap();
    world.billed("2026-04-11").await;
    assert_eq!(lines(&world.invoice(customer).await), ["platform | 1 | 20.00"]); // 60 x 10 / 30
    let run = world.billed("2026-07-01").await;
    assert_eq!((run.counts.finalised, run.counts.nothing_due), (0, 1));
}

#[tokio::test]
async fn a_reverse_charge_customer_pays_no_tax() {
    let world = World::new().await;
    let customer = world.customer(Who { treatment: TaxTreatment::ReverseCharge, ..POSTPAID }).await;
    let law = world.topic("Law").await;
    world.subscribe(customer, "2026-03-01", vec![component("fee", ComponentKind::Flat, None, each("10"))]).await;
    world.called(customer, law, "2", "1.00", "2026-03-02T10:00:00Z").await;
    world.billed("2026-04-01").await;
    let invoice = world.invoice(customer).await;
    assert_eq!(totals(&invoice), "11.00 + 0.00 = 11.00, due 11.00");
    assert_eq!(invoice.taxes[0].category, "AE");
}

#[tokio::test]
async fn calls_are_sold_by_language_and_channel_where_their_sender_tells_them() {
    let world = World::new().await;
    let customer = world.customer(POSTPAID).await;
    let by_language = pricing::Price::from_json(&serde_json::json!({
        "model": "by", "dimension": "language",
        "cases": { "fr": { "model": "per_unit", "unit": "2" } }, "default": { "model": "per_unit", "unit": "1" },
    }))
    .unwrap();
    let mut phone = component("phone", ComponentKind::Usage, Some("calls"), by_language);
    phone.filter.insert("channel".to_owned(), "phone".to_owned());
    world.subscribe(customer, "2026-03-01", vec![phone]).await;
    for (hour, language, channel) in [("09", "de", "phone"), ("10", "fr", "phone"), ("11", "fr", "chat")] {
        let dimensions = [("language", language), ("channel", channel)];
        world.used(customer, "calls", "1", &dimensions, &format!("2026-03-10T{hour}:00:00Z")).await;
    }
    world.billed("2026-04-01").await;
    assert_eq!(lines(&world.invoice(customer).await), ["phone | 2 | 3.00"]); // 1 x 1 + 1 x 2; the chat is not sold by this
}
