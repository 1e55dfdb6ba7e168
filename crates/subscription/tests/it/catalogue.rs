use crate::world::*;
use money::{Currency, Money};
use pricing::{Model, PercentPrice, Price, Tier};
use rust_decimal::Decimal;
use subscription::*;

fn tiers(bounds: &[Option<i64>]) -> Price {
    let tier = |up_to: &Option<i64>| Tier { up_to: up_to.map(Decimal::from), unit: Decimal::ONE, flat: Decimal::ZERO };
    Price { model: Model::Graduated { tiers: bounds.iter().map(tier).collect() }, ..Price::per_unit(Decimal::ONE) }
}

fn percentage(key: &str, of: Option<&str>) -> Component {
    Component {
        kind: ComponentKind::Percent,
        measure: of.map(str::to_owned),
        billed: Billed::InArrears,
        price: Price {
            model: Model::Percent(PercentPrice { rate: Decimal::from(8), ..Default::default() }),
            ..Price::per_unit(Decimal::ONE)
        },
        ..flat(key, "0")
    }
}

#[tokio::test]
async fn a_published_version_reads_back_as_it_was_given_and_the_next_one_gets_the_next_number() {
    let world = World::new().await;
    let tx = world.tx().await;
    let plan_id = create_plan(&tx, "per-event", "Per event", "Pay per call", false).await.unwrap();
    let components = vec![
        flat("platform", "49"),
        Component {
            kind: ComponentKind::Seat,
            measure: Some("assigned".into()),
            included: Decimal::from(3),
            ..flat("seats", "29")
        },
        Component {
            price: tiers(&[Some(1000), Some(5000), None]),
            ..usage("minutes", "minutes", &[("handled_by", "overflow")])
        },
        percentage("management", Some("minutes")),
    ];
    let new = NewPlanVersion {
        term_months: 12,
        term_discount_percent: percent("15"),
        commitment: Money::parse("100", Currency::EUR).unwrap(),
        features: vec!["crm.salesforce".into(), "white_label".into()],
        ..NewPlanVersion::monthly(Currency::EUR, components.clone())
    };
    let now = at("2026-01-01T08:00:00Z");
    let first = publish_version(&tx, plan_id, &new, now).await.unwrap();
    let second = publish_version(&tx, plan_id, &NewPlanVersion::monthly(Currency::EUR, vec![]), now).await.unwrap();
    let stored = plan_version(&tx, first).await.unwrap().unwrap();
    assert_eq!(stored.components, components);
    assert_eq!((stored.version, stored.term_months, stored.trial_days), (1, 12, TRIAL_DAYS_DEFAULT));
    assert_eq!((stored.commitment, &stored.features), (new.commitment, &new.features));
    let plans = plans(&tx).await.unwrap();
    assert_eq!(plans[0].newest.as_ref().map(|version| (version.id, version.version)), Some((second, 2)));
    let numbers: Vec<u32> = versions_of(&tx, plan_id).await.unwrap().iter().map(|version| version.version).collect();
    assert_eq!(numbers, [2, 1]);
}

#[tokio::test]
async fn a_published_version_can_be_changed_by_nobody() {
    let world = World::new().await;
    let version = world.version("basic", vec![flat("platform", "49")]).await;
    for change in [
        "UPDATE plan_version SET term_months = 2",
        "DELETE FROM plan_version",
        "UPDATE component SET name = 'x'",
        "DELETE FROM component",
    ] {
        let tx = world.tx().await;
        let refused = tx.run(change, []).await.unwrap_err();
        // 42501: insufficient privilege
        assert_eq!(db::sqlstate_of(&refused).as_deref(), Some("42501"), "{change}");
    }
    assert!(plan_version(&world.tx().await, version).await.unwrap().is_some());
}

#[tokio::test]
async fn a_version_is_refused_whole_with_field_rule_and_value() {
    let world = World::new().await;
    let seat =
        |measure: &str| Component { kind: ComponentKind::Seat, measure: Some(measure.into()), ..flat("seats", "29") };
    let by_weather = Price::from_json(&serde_json::json!(
        {"model": "by", "dimension": "weather", "cases": {"en": {"model": "per_unit", "unit": "0.40"}}}
    ));
    type Case<'a> = (Vec<Component>, (&'a str, &'a str, &'a str));
    let cases: Vec<Case> = vec![
        (vec![flat("", "1")], ("components/0/key", "must_be_key", "")),
        (vec![flat("a", "1"), flat("a", "2")], ("components/a/key", "must_be_unique", "a")),
        (vec![Component { name: "".into(), ..flat("a", "1") }], ("components/a/name", "must_not_be_empty", "")),
        (
            vec![Component { name: "x".repeat(201), ..flat("a", "1") }],
            ("components/a/name", "must_be_short", &*"x".repeat(201).leak()),
        ),
        (vec![usage("a", "minuts", &[])], ("components/a/measure", "must_be_known_measure", "minuts")),
        (
            vec![Component { measure: None, ..usage("a", "", &[]) }],
            ("components/a/measure", "must_be_known_measure", ""),
        ),
        (vec![seat("everybody")], ("components/seats/measure", "must_be_known_measure", "everybody")),
        (vec![seat("active")], ("components/seats/billed", "must_be_billed_in_arrears", "in_advance")),
        (
            vec![Component { measure: Some("calls".into()), ..flat("a", "1") }],
            ("components/a/measure", "must_be_absent", "calls"),
        ),
        (
            vec![Component { billed: Billed::InAdvance, ..usage("a", "calls", &[]) }],
            ("components/a/billed", "must_be_billed_in_arrears", "in_advance"),
        ),
        (
            vec![usage("a", "calls", &[("colour", "red")])],
            ("components/a/filter/colour", "must_be_known_dimension", "colour"),
        ),
        (
            vec![Component { filter: dimensions(&[("topic", "x")]), ..flat("a", "1") }],
            ("components/a/filter", "must_be_absent", "topic=x"),
        ),
        (
            vec![Component { price: by_weather.unwrap(), ..usage("a", "calls", &[]) }],
            ("components/a/price/dimension", "must_be_known_dimension", "weather"),
        ),
        (
            vec![Component { included: Decimal::NEGATIVE_ONE, ..usage("a", "calls", &[]) }],
            ("components/a/included", "must_not_be_negative", "-1"),
        ),
        (
            vec![Component { included: Decimal::ONE, ..flat("a", "1") }],
            ("components/a/included", "nothing_included", "1"),
        ),
        (
            vec![Component { price: tiers(&[Some(100), Some(50), None]), ..usage("a", "calls", &[]) }],
            ("components/a/price/tiers/1/up_to", "tiers_must_rise", "\"50\""),
        ),
        (
            vec![Component { price: tiers(&[Some(100), Some(100), None]), ..usage("a", "calls", &[]) }],
            ("components/a/price/tiers/1/up_to", "tiers_must_rise", "\"100\""),
        ),
        (
            vec![Component { price: tiers(&[Some(100)]), ..usage("a", "calls", &[]) }],
            ("components/a/price/tiers/0/up_to", "last_tier_must_be_open", "\"100\""),
        ),
        (vec![flat("a", "-1")], ("components/a/price/unit", "must_not_be_negative", "\"-1\"")),
        (
            vec![usage("a", "calls", &[]), usage("b", "calls", &[("topic", "x")])],
            ("components/b/filter", "filters_must_not_overlap", "topic=x"),
        ),
        (vec![percentage("p", Some("nothing"))], ("components/p/measure", "must_be_other_component", "nothing")),
        (
            vec![percentage("p", None), percentage("q", Some("p"))],
            ("components/q/measure", "must_be_other_component", "p"),
        ),
        (
            vec![Component { price: Price::per_unit(Decimal::ONE), ..percentage("p", None) }],
            ("components/p/price/model", "must_be_percent_price", "p"),
        ),
    ];
    let tx = world.tx().await;
    let plan = create_plan(&tx, "basic", "Basic", "", false).await.unwrap();
    let now = at("2026-01-01T08:00:00Z");
    for (components, (field, rule, value)) in cases {
        let new = NewPlanVersion::monthly(Currency::EUR, components);
        assert_eq!(refused(publish_version(&tx, plan, &new, now).await), is(field, rule, value));
    }
    let monthly = || NewPlanVersion::monthly(Currency::EUR, vec![]);
    let cases = [
        (NewPlanVersion { term_months: 0, ..monthly() }, is("term_months", "must_lie_between", "0")),
        (NewPlanVersion { trial_days: 366, ..monthly() }, is("trial_days", "must_lie_between", "366")),
        (
            NewPlanVersion { term_discount_percent: percent("101"), ..monthly() },
            is("term_discount_percent", "must_not_exceed_whole", "101"),
        ),
        (
            NewPlanVersion { commitment: Money::zero(Currency::USD), ..monthly() },
            is("commitment", "currency_must_match", "USD"),
        ),
        (
            NewPlanVersion { features: vec!["a".into(), "a".into()], ..monthly() },
            is("features/1", "must_be_unique", "a"),
        ),
        (NewPlanVersion { features: vec!["A".into()], ..monthly() }, is("features/0", "must_be_feature", "A")),
    ];
    for (new, expected) in cases {
        assert_eq!(refused(publish_version(&tx, plan, &new, now).await), expected);
    }
    assert_eq!(versions_of(&tx, plan).await.unwrap(), [], "nothing is stored of what is refused");
}

#[tokio::test]
async fn filters_that_exclude_each_other_share_a_meter() {
    let world = World::new().await;
    let components = vec![
        usage("core", "minutes", &[("handled_by", "core")]),
        usage("overflow", "minutes", &[("handled_by", "overflow")]),
        usage("calls", "calls", &[]),
    ];
    world.version("mixed", components).await;
}

#[tokio::test]
async fn a_book_s_own_meters_may_be_charged_by() {
    let world = World::new().await;
    let tx = world.tx().await;
    let plan = create_plan(&tx, "chat", "Chat", "", false).await.unwrap();
    let new = NewPlanVersion::monthly(Currency::EUR, vec![usage("messages", "messages", &[("channel", "whatsapp")])]);
    let now = at("2026-01-01T08:00:00Z");
    assert_eq!(refused(publish_version(&tx, plan, &new, now).await).1, "must_be_known_measure");
    publish_version_measuring(&tx, plan, &new, &[Measure::new("messages", &["channel"])], now).await.unwrap();
}

#[tokio::test]
async fn plans_have_codes_of_their_own_and_an_archived_one_gets_no_new_version() {
    let world = World::new().await;
    let tx = world.tx().await;
    let plan = create_plan(&tx, "basic", "Basic", "", false).await.unwrap();
    archive_plan(&tx, plan, at("2026-02-01T00:00:00Z")).await.unwrap();
    let new = NewPlanVersion::monthly(Currency::EUR, vec![]);
    assert_eq!(
        refused(publish_version(&tx, plan, &new, at("2026-02-02T00:00:00Z")).await),
        is("plan", "must_not_be_archived", "basic")
    );
    assert_eq!(refused(create_plan(&tx, "Basic!", "Basic", "", false).await), is("code", "must_be_slug", "Basic!"));
    assert_eq!(refused(create_plan(&tx, "basic", "Basic", "", false).await), is("code", "must_be_free", "basic"));
}

#[test]
fn what_recurs_in_advance_is_billed_once_a_term_and_everything_else_each_month() {
    let seats = Component { kind: ComponentKind::Seat, measure: Some("assigned".into()), ..flat("seats", "29") };
    let once = Component { kind: ComponentKind::OneOff, ..flat("setup", "100") };
    let later = Component { billed: Billed::InArrears, ..flat("platform", "49") };
    for (component, term_months, expected) in [
        // months billed at positions 0, 1, 2, 3, 6, 12
        (flat("platform", "49"), 1, [Some(1), Some(1), Some(1), Some(1), Some(1), Some(1)]),
        (flat("platform", "49"), 3, [Some(3), None, None, Some(3), Some(3), Some(3)]),
        (seats, 12, [Some(12), None, None, None, None, Some(12)]),
        (later, 12, [Some(1), Some(1), Some(1), Some(1), Some(1), Some(1)]),
        (usage("minutes", "minutes", &[]), 12, [Some(1), Some(1), Some(1), Some(1), Some(1), Some(1)]),
        (once, 3, [Some(1), None, None, None, None, None]),
    ] {
        let found = [0, 1, 2, 3, 6, 12].map(|position| component.bills_in(position, term_months));
        assert_eq!(found, expected, "{} in a term of {term_months}", component.key);
    }
}
