//! A plan is written as a draft, published as a version that never changes, and given up.

use crate::world::*;
use money::{Currency, Money};
use serde_json::{Value, json};
use subscription::*;

fn minutes(price: Value) -> Value {
    json!({"key": "minutes", "kind": "usage", "name": "Minutes", "measure": "minutes", "price": price, "billed": "in_arrears"})
}

fn good() -> Value {
    json!({
        "currency": "EUR", "term_months": 12, "trial_days": 7, "term_discount_percent": "15", "commitment": "60.00",
        "fee_cap": {"amount": "5000.00", "currency": "EUR"}, "trial_usage": {"free_up_to": "20"}, "trial_end": "cancel",
        "late_usage": "absorb", "fixed_terms": 2,
        "features": ["crm", "recordings"], "limits": {"recordings": {"amount": "100", "meter": "minutes"}},
        "seat_limit": 5, "sells_extra_seats": false,
        "loyalty": [{"after_months": 12, "percent_off": "5"}, {"after_months": 24, "feature": "premium_support"}],
        "components": [minutes(json!({"model": "per_unit", "unit": "0.004"}))],
    })
}

fn refusals(document: &Value) -> Vec<(String, &'static str, String)> {
    let refusals = NewPlanVersion::from_document(document, &[]).err().unwrap_or_default();
    refusals.into_iter().map(|refusal| (refusal.field, refusal.rule.code(), refusal.value)).collect()
}

#[test]
fn a_document_reads_back_as_it_was_written() {
    let read = NewPlanVersion::from_document(&good(), &[]).unwrap();
    assert_eq!(read.commitment, Money::parse("60", Currency::EUR).unwrap());
    assert_eq!(read.trial_usage, TrialUsage::FreeUpTo(Money::parse("20", Currency::EUR).unwrap()));
    assert_eq!(NewPlanVersion::from_document(&read.to_document(), &[]).unwrap(), read);
}

#[test]
fn a_document_needs_no_more_than_a_currency() {
    let read = NewPlanVersion::from_document(&json!({"currency": "EUR"}), &[]).unwrap();
    assert_eq!(read, NewPlanVersion::monthly(Currency::EUR, vec![]));
}

#[test]
fn every_refusal_names_the_field_the_rule_and_the_value() {
    let tiers = |tiers: Value| minutes(json!({"model": "graduated", "tiers": tiers}));
    let with = |field: &str, value: Value| {
        let mut document = good();
        document[field] = value;
        document
    };
    let parts = |part: Value| with("components", json!([part]));
    let at = "components/minutes/price/tiers";
    for (document, field, rule, value) in [
        (
            parts(tiers(
                json!([{"up_to": "100", "unit": "1"}, {"up_to": "100", "unit": "2"}, {"up_to": null, "unit": "3"}]),
            )),
            format!("{at}/1/up_to"),
            "tiers_must_rise",
            "100",
        ),
        (
            parts(tiers(json!([{"up_to": "100", "unit": "1"}]))),
            format!("{at}/0/up_to"),
            "last_tier_must_be_open",
            "100",
        ),
        (
            parts(tiers(json!([{"up_to": "100", "unit": "-1"}, {"up_to": null, "unit": "3"}]))),
            format!("{at}/0/unit"),
            "must_not_be_negative",
            "-1",
        ),
        (
            parts(minutes(json!({"model": "per_minute"}))),
            "components/minutes/price/model".into(),
            "unknown_model",
            "per_minute",
        ),
        (
            parts(
                json!({"key": "p", "kind": "percent", "name": "P", "measure": "p", "price": {"model": "percent", "rate": "8"}, "billed": "in_arrears"}),
            ),
            "components/p/measure".into(),
            "must_be_other_component",
            "p",
        ),
        (
            parts(json!({"kind": "flat", "name": "A", "billed": "in_advance"})),
            "components/0/price".into(),
            "must_be_there",
            "",
        ),
        (parts(json!("minutes")), "components/0".into(), "must_be_written", "minutes"),
        (
            with("commitment", json!({"amount": "60", "currency": "USD"})),
            "commitment".into(),
            "currency_must_match",
            "USD",
        ),
        (with("commitment", json!("-60")), "commitment".into(), "must_not_be_negative", "-60.00 EUR"),
        (with("commitment", json!("sixty")), "commitment".into(), "must_be_written", "sixty"),
        (with("fee_cap", json!("59.99")), "fee_cap".into(), "cap_must_reach_commitment", "59.99 EUR"),
        (with("term_months", json!(-1)), "term_months".into(), "must_be_written", "-1"),
        (with("term_months", json!(121)), "term_months".into(), "must_lie_between", "121"),
        (with("term_discount_percent", json!("-15")), "term_discount_percent".into(), "must_not_be_negative", "-15"),
        (with("limits", json!({"faxes": "3"})), "limits/faxes".into(), "must_be_feature_of_plan", "faxes"),
        (
            with("limits", json!({"crm": {"amount": "3", "meter": "faxes"}})),
            "limits/crm/meter".into(),
            "must_be_known_measure",
            "faxes",
        ),
        (
            with("loyalty", json!([{"after_months": 12}])),
            "loyalty/0/reward".into(),
            "must_be_written",
            "{\"after_months\":12}",
        ),
        (
            with(
                "loyalty",
                json!([{"after_months": 12, "percent_off": "5"}, {"after_months": 12, "percent_off": "7"}]),
            ),
            "loyalty/1".into(),
            "must_be_unique",
            "12",
        ),
        (with("sells_extra_seats", json!(true)), "sells_extra_seats".into(), "extra_seats_need_seat_component", "true"),
        (with("termmonths", json!(3)), "termmonths".into(), "must_be_known_field", "termmonths"),
        (with("currency", json!("EURO")), "currency".into(), "must_be_written", "EURO"),
        (json!([]), String::new(), "must_be_written", "[]"),
    ] {
        assert_eq!(refusals(&document), [(field, rule, value.to_owned())], "{document}");
    }
}

#[test]
fn all_refusals_of_a_document_are_told_at_once() {
    let mut document = good();
    document["trial_days"] = json!("soon");
    document["commitment"] = json!("-1");
    document["components"][0]["price"]["unit"] = json!("-0.1");
    document["colour"] = json!("red");
    let fields: Vec<String> = refusals(&document).into_iter().map(|(field, ..)| field).collect();
    assert_eq!(fields, ["trial_days", "colour", "components/minutes/price/unit", "commitment"]);
}

#[tokio::test]
async fn a_plan_is_a_draft_then_published_then_archived() {
    let world = World::new().await;
    let tx = world.tx().await;
    let now = at("2026-03-01T00:00:00Z");
    let id = create_plan(&tx, "annual", "Annual", "For a year", false).await.unwrap();
    let state = async || plan(&tx, id).await.unwrap().unwrap().state();
    assert_eq!(state().await, PlanState::Draft);
    save_draft(&tx, id, &json!({"currency": "EUR", "term_months": "?"}), "Ann", now).await.unwrap();
    assert_eq!(draft(&tx, id).await.unwrap().unwrap().document["term_months"], json!("?"));
    assert_eq!(refused(publish_draft(&tx, id, &[], now).await), is("term_months", "must_be_written", "?"));
    assert_eq!(versions_of(&tx, id).await.unwrap(), []);

    save_draft(&tx, id, &good(), "Ann", now).await.unwrap();
    assert_eq!(plan(&tx, id).await.unwrap().unwrap().draft_edited_at, Some(now));
    publish_draft(&tx, id, &[], now).await.unwrap();
    let published = plan(&tx, id).await.unwrap().unwrap();
    assert_eq!((published.state(), published.draft_edited_at), (PlanState::Published, None));
    let newest = published.newest.unwrap();
    assert_eq!(newest.terms(), NewPlanVersion::from_document(&good(), &[]).unwrap());
    assert!(matches!(publish_draft(&tx, id, &[], now).await, Err(SubscriptionError::NotFound { kind: "draft", .. })));

    archive_plan(&tx, id, now).await.unwrap();
    assert_eq!(state().await, PlanState::Archived);
    assert_eq!(
        refused(save_draft(&tx, id, &good(), "Ann", now).await),
        is("plan_id", "must_not_be_archived", "annual")
    );
}

#[tokio::test]
async fn a_published_version_never_changes() {
    let world = World::new().await;
    let version = world.version("basic", vec![flat("platform", "49")]).await;
    let tx = world.tx().await;
    let refused = tx.run("UPDATE plan_version SET trial_days = 0", []).await.unwrap_err();
    assert_eq!(db::sqlstate_of(&refused).as_deref(), Some("42501"));
    tx.rollback().await.unwrap();
    let tx = world.tx().await;
    let plan = plan_version(&tx, version).await.unwrap().unwrap().plan_id;
    let next = NewPlanVersion::monthly(Currency::EUR, vec![flat("platform", "59")]);
    publish_version(&tx, plan, &next, at("2026-03-01T00:00:00Z")).await.unwrap();
    let versions = versions_of(&tx, plan).await.unwrap();
    assert_eq!(versions.iter().map(|version| version.version).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(versions[1].components, [flat("platform", "49")]);
}

#[tokio::test]
async fn loyalty_gives_only_an_add_on_of_the_same_currency() {
    let world = World::new().await;
    let plan = world.version("basic", vec![]).await;
    let dollars = world.version_with("usd", true, NewPlanVersion::monthly(Currency::USD, vec![])).await;
    let tx = world.tx().await;
    let id = create_plan(&tx, "loyal", "Loyal", "", false).await.unwrap();
    let gift = |version| {
        let loyalty = vec![LoyaltyRule { after_months: 6, reward: LoyaltyReward::FreeAddOn(version) }];
        NewPlanVersion { loyalty, ..NewPlanVersion::monthly(Currency::EUR, vec![]) }
    };
    let now = at("2026-03-01T00:00:00Z");
    let publish = async |version| refused(publish_version(&tx, id, &gift(version), now).await);
    assert_eq!(publish(plan).await, is("loyalty/0/free_add_on", "must_be_add_on", &plan.to_string()));
    assert_eq!(publish(dollars).await, is("loyalty/0/free_add_on", "currency_must_match", &dollars.to_string()));
}
