use crate::world::*;
use money::Currency;
use pricing::{Per, RateStep, Tariff};
use subscription::*;

const HELPLINE: &str = "+49900123456";

#[tokio::test]
async fn a_number_belongs_to_whoever_had_it_at_the_instant_asked_for() {
    let world = World::new().await;
    let other = add_organisation(&world.database, "other").await;
    let ptx = world.platform().await;
    let number = add_number(&ptx, HELPLINE, NumberKind::Premium).await.unwrap();
    assert_eq!(add_number(&ptx, HELPLINE, NumberKind::Premium).await.unwrap(), number);
    assign_number(&ptx, number, world.tenant, at("2026-01-01T00:00:00Z")).await.unwrap();
    assign_number(&ptx, number, other, at("2026-03-01T00:00:00Z")).await.unwrap();
    for (instant, owner) in [
        ("2025-12-31T23:59:59Z", None),
        ("2026-01-01T00:00:00Z", Some(world.tenant)),
        ("2026-02-28T23:59:59.999999Z", Some(world.tenant)),
        ("2026-03-01T00:00:00Z", Some(other)),
        ("2027-01-01T00:00:00Z", Some(other)),
    ] {
        let found = number_owner(&ptx, HELPLINE, at(instant)).await.unwrap();
        assert_eq!(found, owner.map(|owner| (number, owner)), "{instant}");
    }
    // to the one who has it already: nothing changes
    assign_number(&ptx, number, other, at("2026-04-01T00:00:00Z")).await.unwrap();
    // before the latest assignment, or at the instant it began: refused
    for from in ["2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"] {
        let refusal =
            refused(assign_number(&ptx, number, if from < "2026-03" { other } else { world.tenant }, at(from)).await);
        assert_eq!(refusal.1, "assignments_must_not_overlap", "{from}");
    }
    assert_eq!(refused(add_number(&ptx, "0900", NumberKind::Premium).await), is("e164", "must_be_e164", "0900"));
}

#[tokio::test]
async fn nobody_has_a_number_after_it_was_given_back() {
    let world = World::new().await;
    let ptx = world.platform().await;
    let number = add_number(&ptx, HELPLINE, NumberKind::Local).await.unwrap();
    assign_number(&ptx, number, world.tenant, at("2026-01-01T00:00:00Z")).await.unwrap();
    unassign_number(&ptx, number, at("2026-02-01T00:00:00Z")).await.unwrap();
    assert_eq!(number_owner(&ptx, HELPLINE, at("2026-02-01T00:00:00Z")).await.unwrap(), None);
    assign_number(&ptx, number, world.tenant, at("2026-03-01T00:00:00Z")).await.unwrap();
    assert_eq!(number_owner(&ptx, HELPLINE, at("2026-02-15T00:00:00Z")).await.unwrap(), None);
    assert_eq!(
        all_numbers(&ptx, at("2026-02-15T00:00:00Z")).await.unwrap(),
        [(number, HELPLINE.to_owned(), NumberKind::Local, None)]
    );
}

/// The world's tenant with the helpline, set up.
async fn with_number(world: &World) -> db::NumberId {
    let ptx = world.platform().await;
    let number = add_number(&ptx, HELPLINE, NumberKind::Premium).await.unwrap();
    assign_number(&ptx, number, world.tenant, at("2026-01-01T00:00:00Z")).await.unwrap();
    ptx.commit().await.unwrap();
    let tx = world.tx().await;
    let setting = NumberSetting {
        number_id: number,
        label: "Helpline".into(),
        language: "de".into(),
        unknown_callers: UnknownCallers::AskPin,
    };
    set_number(&tx, &setting).await.unwrap();
    tx.commit().await.unwrap();
    number
}

#[tokio::test]
async fn a_tenant_sets_only_numbers_that_it_has_had() {
    let world = World::new().await;
    let number = with_number(&world).await;
    let stranger = add_organisation(&world.database, "stranger").await;
    let setting = NumberSetting {
        number_id: number,
        label: "Mine".into(),
        language: "en".into(),
        unknown_callers: UnknownCallers::Refuse,
    };
    let tx = world.database.db.tenant(stranger).await.unwrap();
    assert_eq!(
        refused(set_number(&tx, &setting).await),
        is("number_id", "number_must_be_assigned", &number.to_string())
    );
    assert_eq!(numbers(&tx, at("2026-02-01T00:00:00Z")).await.unwrap(), []);
    let tx = world.tx().await;
    let wrong = NumberSetting { language: "Deutsch".into(), ..setting };
    assert_eq!(refused(set_number(&tx, &wrong).await), is("language", "must_be_language", "Deutsch"));
    assert_eq!(numbers(&tx, at("2026-02-01T00:00:00Z")).await.unwrap()[0].label, "Helpline");
    assert_eq!(numbers(&tx, at("2025-02-01T00:00:00Z")).await.unwrap(), []);
}

#[tokio::test]
async fn tariffs_are_kept_in_versions_and_a_topic_points_to_one() {
    let world = World::new().await;
    let number = with_number(&world).await;
    let tx = world.tx().await;
    let now = at("2026-01-02T00:00:00Z");
    let cheap = Tariff::flat("0.99".parse().unwrap(), Per::Minute);
    let dear = Tariff { maximum: Some("30".parse().unwrap()), ..Tariff::flat("1.99".parse().unwrap(), Per::Minute) };
    let first = publish_tariff(&tx, "Advice", Currency::EUR, &cheap, now).await.unwrap();
    let second = publish_tariff(&tx, "Advice", Currency::EUR, &dear, now).await.unwrap();
    let stored = tariffs(&tx).await.unwrap();
    assert_eq!(stored.iter().map(|tariff| (tariff.id, tariff.version)).collect::<Vec<_>>(), [(second, 2), (first, 1)]);
    assert_eq!((stored[0].tariff.clone(), stored[1].tariff.clone()), (dear, cheap));

    let new = NewTopic {
        number_id: number,
        digit: 1,
        name: "Tax".into(),
        tariff_id: first,
        meter_starts: MeterStarts::AgentJoined,
    };
    let id = set_topic(&tx, &new, now).await.unwrap();
    assert_eq!(set_topic(&tx, &NewTopic { tariff_id: second, ..new.clone() }, now).await.unwrap(), id);
    assert_eq!(topic(&tx, number, 1).await.unwrap().unwrap().tariff_id, second);
    assert_eq!(topic(&tx, number, 2).await.unwrap(), None);
    assert!(remove_topic(&tx, id, now).await.unwrap());
    assert_eq!(topic(&tx, number, 1).await.unwrap(), None);
    assert_eq!(topic_by_id(&tx, id).await.unwrap().unwrap().name, "Tax");
    assert_ne!(set_topic(&tx, &new, now).await.unwrap(), id);
    assert_eq!(
        refused(set_topic(&tx, &NewTopic { digit: 10, ..new.clone() }, now).await),
        is("digit", "must_be_digit", "10")
    );
    let unset = set_topic(&tx, &NewTopic { number_id: db::NumberId::new(), ..new.clone() }, now).await;
    assert!(matches!(unset, Err(SubscriptionError::NotFound { kind: "number", .. })));
    let untold = set_topic(&tx, &NewTopic { tariff_id: db::TariffId::new(), ..new }, now).await;
    assert!(matches!(untold, Err(SubscriptionError::NotFound { kind: "tariff", .. })));
}

#[tokio::test]
async fn a_tariff_in_another_currency_or_with_a_broken_rule_is_refused() {
    let world = World::new().await;
    let tx = world.tx().await;
    let now = at("2026-01-02T00:00:00Z");
    let tariff = Tariff::flat("0.99".parse().unwrap(), Per::Minute);
    let foreign = publish_tariff(&tx, "Advice", Currency::USD, &tariff, now).await;
    assert_eq!(refused(foreign), is("currency", "currency_must_match", "USD"));
    let step = |from_second: u32| RateStep { from_second, rate: "0.50".parse().unwrap(), increment: None };
    let twice = Tariff { steps: vec![step(0), step(60), step(60)], ..tariff.clone() };
    let refusal = refused(publish_tariff(&tx, "Advice", Currency::EUR, &twice, now).await);
    assert_eq!(refusal, is("tariff/steps/2/from_second", "steps_must_rise", "60"));
    assert_eq!(tariffs(&tx).await.unwrap(), []);
}

#[tokio::test]
async fn a_seller_shares_what_a_number_earns_up_to_the_whole() {
    let world = World::new().await;
    let number = with_number(&world).await;
    let child = world.customer("C-1", "Europe/Berlin").await;
    let tx = world.tx().await;
    set_terms(&tx, number, child, percent("30")).await.unwrap();
    set_terms(&tx, number, child, percent("32.5")).await.unwrap();
    let terms = number_terms(&tx, number).await.unwrap().unwrap();
    assert_eq!((terms.customer_id, terms.share), (child, percent("32.5")));
    assert_eq!(refused(set_terms(&tx, number, child, percent("100.1")).await).1, "must_not_exceed_whole");
}
