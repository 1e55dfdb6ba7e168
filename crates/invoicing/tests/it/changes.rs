//! Changes in the middle of a period, as dated stories: each day is of one set of terms, and what was previewed is billed.

use crate::world::{POSTPAID, World, at, component, each, eur, lines, on, percent};
use invoicing::LineGroup;
use money::Currency;
use pricing::Price;
use rust_decimal::Decimal;
use subscription::{
    Billed, Change, Component, ComponentKind, CouponOff, LateUsage, LoyaltyReward, LoyaltyRule, NewCoupon,
    NewPlanVersion, TrialUsage, When,
};

fn ahead(component: Component) -> Component {
    Component { billed: Billed::InAdvance, ..component }
}

fn fee(amount: &str) -> Component {
    component("platform", ComponentKind::Flat, None, each(amount))
}

fn calls(price: Price) -> Component {
    component("calls", ComponentKind::Usage, Some("calls"), price)
}

fn monthly(components: Vec<Component>) -> NewPlanVersion {
    NewPlanVersion { trial_days: 0, ..NewPlanVersion::monthly(Currency::EUR, components) }
}

fn tiers(document: serde_json::Value) -> Price {
    Price::from_json(&document).unwrap()
}

impl World {
    pub async fn version(&self, is_add_on: bool, version: NewPlanVersion) -> db::PlanVersionId {
        let tx = self.tx().await;
        let code = format!("plan-{}", &uuid::Uuid::now_v7().simple().to_string()[20..]);
        let plan = subscription::create_plan(&tx, &code, "Other", "", is_add_on).await.unwrap();
        let id = subscription::publish_version(&tx, plan, &version, at("2026-01-01T00:00:00Z")).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    async fn change(&self, id: db::SubscriptionId, change: Change, now: &str) -> db::ChangeId {
        let tx = self.tx().await;
        let change = subscription::change(&tx, id, &change, When::Now, "test", at(now)).await.unwrap();
        tx.commit().await.unwrap();
        change
    }

    /// `text | days | amount` of the newest document, discounts with their sign.
    async fn dated(&self, customer: db::CustomerId) -> Vec<String> {
        let view = self.invoice(customer).await;
        let said = |line: &invoicing::Line| {
            let (from, to) = (line.service.starts_on.format("%d.%m"), line.service.ends_on.format("%d.%m"));
            format!("{} | {from}-{to} | {}", line.text, line.amount.format_plain())
        };
        view.groups.iter().flat_map(|grouped| &grouped.lines).map(said).collect()
    }
}

// April has 30 days; local midnight in Berlin is 22:00 UTC of the day before.

#[tokio::test]
async fn a_plan_changed_on_the_eleventh_bills_ten_days_of_the_old_and_twenty_of_the_new() {
    let world = World::new().await;
    let customer = world.customer(POSTPAID).await;
    let old = vec![
        fee("60"),
        calls(tiers(serde_json::json!({ "model": "graduated", "tiers": [
        { "up_to": "3", "unit": "1" }, { "up_to": null, "unit": "0.50" }] }))),
    ];
    let id = world.subscribe(customer, "2026-04-01", old).await;
    let new = Component { included: Decimal::from(3), ..calls(each("0.20")) };
    let other = world.version(false, monthly(vec![fee("90"), new])).await;
    for (day, count) in [("05", "2"), ("06", "2"), ("20", "6")] {
        for _ in 0..count.parse::<u32>().unwrap() {
            world.used(customer, "calls", "1", &[], &format!("2026-04-{day}T09:00:00Z")).await;
        }
    }
    world.change(id, Change::Plan { version: other, seats: None }, "2026-04-10T22:00:00Z").await;
    world.billed("2026-05-01").await;
    assert_eq!(
        world.dated(customer).await,
        [
            "platform | 01.04-11.04 | 20.00", // 60 x 10 / 30
            "platform | 11.04-01.05 | 60.00", // 90 x 20 / 30
            "calls | 01.04-11.04 | 2.50",     // 4 calls; the first tier ends at 3 x 10 / 30 = 1: 1 x 1 + 3 x 0.50
            "calls | 11.04-01.05 | 0.80",     // 6 calls; 3 x 20 / 30 = 2 are included: 4 x 0.20
        ]
    );
}

#[tokio::test]
async fn seats_in_advance_are_credited_and_charged_for_the_rest_of_the_month() {
    let world = World::new().await;
    let customer = world.customer(POSTPAID).await;
    let seats = ahead(component("seats", ComponentKind::Seat, Some("assigned"), each("30")));
    let id = world.subscribe_to(customer, "2026-04-01", 5, false, monthly(vec![ahead(fee("60")), seats])).await;
    world.billed("2026-04-02").await;
    assert_eq!(world.dated(customer).await, ["platform | 01.04-01.05 | 60.00", "seats | 01.04-01.05 | 150.00"]);
    // At noon of the 10th: the day of the change is of the new number.
    world.change(id, Change::Seats(8), "2026-04-10T10:00:00Z").await;
    world.billed("2026-04-12").await;
    assert_eq!(
        world.dated(customer).await,
        [
            "seats | 10.04-01.05 | -105.00", // 150 x 21 / 30
            "seats | 10.04-01.05 | 168.00",  // 240 x 21 / 30
        ]
    );
    let run = world.billed("2026-04-13").await;
    assert_eq!(run.counts.nothing_due, 1);
    world.billed("2026-05-02").await;
    assert_eq!(world.dated(customer).await, ["platform | 01.05-01.06 | 60.00", "seats | 01.05-01.06 | 240.00"]);
}

#[tokio::test]
async fn a_year_with_a_discount_is_credited_with_its_discount() {
    let world = World::new().await;
    let customer = world.customer(POSTPAID).await;
    let year =
        NewPlanVersion { term_months: 12, term_discount_percent: percent("15"), ..monthly(vec![ahead(fee("100"))]) };
    let id = world.subscribe_to(customer, "2026-04-01", 0, false, year).await;
    world.billed("2026-04-02").await;
    assert_eq!(world.invoice(customer).await.document.totals.net, eur("1020")); // 1200 - 15%
    // Month by month from 1 July on: nine months are unused.
    let other = world.version(false, monthly(vec![ahead(fee("110"))])).await;
    world.change(id, Change::Plan { version: other, seats: None }, "2026-06-30T22:00:00Z").await;
    world.billed("2026-07-02").await;
    let note = world.invoice(customer).await;
    assert_eq!(note.document.kind, invoicing::DocumentKind::CreditNote);
    // 900 - 15% = 765 back, less July at 110
    assert_eq!(note.document.totals.net, eur("655"));
    assert_eq!(
        lines(&note),
        [
            "platform | -1 | 900.00",
            "platform | -1 | -110.00",
            "Term discount 15%, 12 months, on the credit | 0 | -135.00",
        ]
    );
}

#[tokio::test]
async fn an_end_with_credit_gives_the_rest_back_and_one_without_keeps_it() {
    for (credit, expected) in [(true, Some("-40.00")), (false, None)] {
        let world = World::new().await;
        let customer = world.customer(POSTPAID).await;
        let id = world.subscribe(customer, "2026-04-01", vec![ahead(fee("60"))]).await;
        world.billed("2026-04-02").await;
        world.change(id, Change::Cancel { credit }, "2026-04-10T22:00:00Z").await;
        let run = world.billed("2026-05-02").await;
        match expected {
            // 60 x 20 / 30
            Some(amount) => {
                assert_eq!(lines(&world.invoice(customer).await), [format!("platform | -1 | {}", &amount[1..])])
            }
            None => assert_eq!(run.counts.nothing_due, 1),
        }
    }
}

#[tokio::test]
async fn a_pause_is_not_charged_and_an_add_on_pays_its_own_days() {
    let world = World::new().await;
    let customer = world.customer(POSTPAID).await;
    let id = world.subscribe(customer, "2026-04-01", vec![fee("60")]).await;
    let crm = world.version(true, monthly(vec![component("crm", ComponentKind::Flat, None, each("15"))])).await;
    world.change(id, Change::AddOn { version: crm }, "2026-04-05T22:00:00Z").await;
    world.change(id, Change::Pause, "2026-04-10T22:00:00Z").await;
    world.change(id, Change::Resume, "2026-04-20T22:00:00Z").await;
    world.change(id, Change::RemoveAddOn { version: crm }, "2026-04-25T22:00:00Z").await;
    world.billed("2026-05-01").await;
    assert_eq!(
        world.dated(customer).await,
        [
            "platform | 01.04-11.04 | 20.00", // 60 x 10 / 30
            "platform | 21.04-01.05 | 20.00",
            "crm | 06.04-11.04 | 2.50", // 15 x 5 / 30
            "crm | 21.04-26.04 | 2.50",
        ]
    );
}

#[tokio::test]
async fn an_add_on_that_moves_to_its_next_version_is_prorated_by_key_and_set_up_once() {
    let world = World::new().await;
    let customer = world.customer(POSTPAID).await;
    let id = world.subscribe(customer, "2026-04-01", vec![fee("60")]).await;
    let set_up = |amount: &str| Component {
        billed: subscription::Billed::InAdvance,
        ..component("set_up", ComponentKind::OneOff, None, each(amount))
    };
    let crm = |amount: &str| monthly(vec![component("crm", ComponentKind::Flat, None, each(amount)), set_up("99")]);
    let first = world.version(true, crm("15")).await;
    world.change(id, Change::AddOn { version: first }, "2026-04-05T22:00:00Z").await;
    let tx = world.tx().await;
    let add_on = subscription::plan_version(&tx, first).await.unwrap().unwrap().plan_id;
    let second = subscription::publish_version(&tx, add_on, &crm("30"), at("2026-04-02T00:00:00Z")).await.unwrap();
    let moved = When::Now;
    subscription::move_customers(&tx, &[id], second, moved, "test", at("2026-04-20T22:00:00Z")).await.unwrap();
    tx.commit().await.unwrap();
    world.billed("2026-05-01").await;
    assert_eq!(
        world.dated(customer).await,
        [
            "platform | 01.04-01.05 | 60.00",
            "crm | 06.04-21.04 | 7.50",  // 15 x 15 / 30
            "crm | 21.04-01.05 | 10.00", // 30 x 10 / 30
            "set_up | 06.04-01.05 | 99.00",
        ]
    );
}

#[tokio::test]
async fn a_cap_then_line_discounts_then_coupons_in_this_order() {
    let world = World::new().await;
    let customer = world.customer(POSTPAID).await;
    let version = NewPlanVersion {
        fee_cap: Some(eur("150")),
        term_discount_percent: percent("10"),
        loyalty: vec![LoyaltyRule { after_months: 1, reward: LoyaltyReward::PercentOff(percent("5")) }],
        ..monthly(vec![fee("100"), calls(each("10"))])
    };
    let id = world.subscribe_to(customer, "2026-04-01", 0, false, version).await;
    let tx = world.tx().await;
    for (code, off) in [("TENTH", CouponOff::Percent(percent("10"))), ("FIVER", CouponOff::Amount(eur("5")))] {
        let new = NewCoupon {
            code: code.into(),
            name: code.into(),
            off,
            periods: Some(2),
            redemptions_max: None,
            valid_until: None,
        };
        subscription::create_coupon(&tx, &new, at("2026-04-01T08:00:00Z")).await.unwrap();
        subscription::redeem_coupon(&tx, id, code, at("2026-04-02T08:00:00Z")).await.unwrap();
    }
    tx.commit().await.unwrap();
    for hour in 0..10 {
        world.used(customer, "calls", "1", &[], &format!("2026-05-05T{:02}:00:00Z", hour + 8)).await;
    }
    world.billed("2026-06-01").await;
    let invoice = world.invoice(customer).await;
    let may: Vec<String> = invoice
        .groups
        .iter()
        .flat_map(|grouped| &grouped.lines)
        .filter(|line| line.service.starts_on == on("2026-05-01"))
        .map(|line| format!("{} | {}", line.text, line.amount.format_plain()))
        .collect();
    assert_eq!(
        may,
        [
            "platform | 100.00",
            "calls | 100.00",
            "Fee cap of 150.00 | -50.00",
            "Term discount 10%, 1 month | -7.50", // of the 75 that the cap leaves of the fee
            "Loyalty discount 5% | -3.38",        // 67.50 x 5% = 3.375
            "Coupon TENTH | -13.91",              // 139.125 x 10% = 13.9125; in all 24.7875 = 24.79
            "Coupon FIVER | -5.00",
        ]
    );
    // In June the coupons are used up.
    world.billed("2026-07-01").await;
    assert_eq!(lines(&world.invoice(customer).await).len(), 3); // fee and its two discounts
}

#[tokio::test]
async fn usage_of_a_trial_is_free_up_to_its_amount() {
    let world = World::new().await;
    let customer = world.customer(POSTPAID).await;
    let version = NewPlanVersion {
        trial_days: 14,
        trial_usage: TrialUsage::FreeUpTo(eur("2")),
        ..NewPlanVersion::monthly(Currency::EUR, vec![fee("60"), calls(each("0.50"))])
    };
    world.subscribe_to(customer, "2026-04-01", 0, true, version).await;
    for day in ["02", "03", "04", "05", "06", "20"] {
        world.used(customer, "calls", "1", &[], &format!("2026-04-{day}T09:00:00Z")).await;
    }
    world.billed("2026-05-01").await;
    assert_eq!(
        world.dated(customer).await,
        [
            "platform | 15.04-01.05 | 32.00", // 60 x 16 / 30
            "calls | 01.04-15.04 | 0.50",     // 5 x 0.50 = 2.50, less 2.00
            "calls | 15.04-01.05 | 0.50",
        ]
    );
}

#[tokio::test]
async fn a_plan_that_absorbs_late_usage_bills_none() {
    let world = World::new().await;
    let customer = world.customer(POSTPAID).await;
    let version = NewPlanVersion { late_usage: LateUsage::Absorb, ..monthly(vec![calls(each("1"))]) };
    world.subscribe_to(customer, "2026-04-01", 0, false, version).await;
    world.used(customer, "calls", "1", &[], "2026-04-10T09:00:00Z").await;
    world.billed("2026-05-01").await;
    world.used(customer, "calls", "1", &[], "2026-04-11T09:00:00Z").await;
    assert_eq!(world.billed("2026-06-01").await.counts.nothing_due, 1);
}

#[tokio::test]
async fn an_invoice_is_credited_line_by_line_until_nothing_is_left() {
    let world = World::new().await;
    let customer = world.customer(POSTPAID).await;
    world
        .subscribe(customer, "2026-04-01", vec![fee("60"), component("extra", ComponentKind::Flat, None, each("40"))])
        .await;
    world.billed("2026-05-01").await;
    let invoice = world.invoice(customer).await;
    let first = &invoice.groups[0].lines[0];
    let tx = world.tx().await;
    let now = at("2026-05-02T08:00:00Z");
    let id = invoicing::credit_lines(&tx, invoice.document.id, &[(first.id, eur("15"))], "Outage.", now).await.unwrap();
    let note = invoicing::document(&tx, id).await.unwrap();
    assert_eq!(crate::world::totals(&note), "15.00 + 2.85 = 17.85, due 17.85"); // 15 x 0.19
    let too_much = invoicing::credit_lines(&tx, invoice.document.id, &[(first.id, eur("45.01"))], "", now).await;
    assert!(matches!(too_much, Err(invoicing::InvoicingError::CreditMustNotExceedLine { .. })));
    let asking = invoicing::open_documents(&tx, customer).await.unwrap();
    assert_eq!(asking[0].due, eur("101.15")); // 119.00 - 17.85
    invoicing::credit(&tx, invoice.document.id, "Never wanted.", now).await.unwrap();
    assert!(invoicing::open_documents(&tx, customer).await.unwrap().is_empty());
    assert!(invoicing::document(&tx, invoice.document.id).await.unwrap().credited_by.is_some());
    tx.commit().await.unwrap();
    assert_eq!(world.books(customer).await, ["0.00", "0.00", "0.00", "0.00", "0.00"]);
    assert_eq!(world.violations().await, Vec::<String>::new());
}

#[tokio::test]
async fn what_was_previewed_is_billed_to_the_cent_whatever_changes() {
    // A walk through changes by a fixed rule: before each run, its preview.
    for seed in 0..6u32 {
        let world = World::new().await;
        let customer = world.customer(POSTPAID).await;
        let plan = |amount: &str, price: &str| {
            let seats = ahead(component("seats", ComponentKind::Seat, Some("assigned"), each("17.77")));
            NewPlanVersion { commitment: eur("33"), ..monthly(vec![ahead(fee(amount)), seats, calls(each(price))]) }
        };
        let id = world.subscribe_to(customer, "2026-04-01", 3, false, plan("59.99", "0.37")).await;
        let other = world
            .version(
                false,
                NewPlanVersion { term_months: 3, term_discount_percent: percent("7"), ..plan("71.13", "0.29") },
            )
            .await;
        let crm =
            world.version(true, monthly(vec![ahead(component("crm", ComponentKind::Flat, None, each("9.99")))])).await;
        let mut dice = seed.wrapping_mul(2_654_435_761).wrapping_add(97);
        let mut roll = |sides: u32| {
            dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (dice >> 16) % sides
        };
        for month in 4..7 {
            let day = |day: u32| format!("2026-{month:02}-{day:02}T{:02}:30:00Z", 6 + day % 9);
            world.used(customer, "calls", "1", &[], &day(1 + roll(9))).await;
            for step in 1..3 {
                let now = day(10 * step - 5 + roll(9));
                let wish = match roll(5) {
                    0 => Change::Seats(1 + roll(9)),
                    1 => Change::Plan { version: other, seats: None },
                    2 => Change::AddOn { version: crm },
                    3 => Change::RemoveAddOn { version: crm },
                    _ if step == 1 => Change::Pause,
                    _ => Change::Resume,
                };
                let tx = world.tx().await;
                // What a rule refuses (an add-on that is there, a pause of a pause) is not part of the walk.
                let Ok(assumed) = subscription::what_if(&tx, id, &wish, When::Now, at(&now)).await else { continue };
                let promised = invoicing::preview(&tx, customer, &[assumed], at(&now)).await.unwrap();
                subscription::change(&tx, id, &wish, When::Now, "test", at(&now)).await.unwrap();
                let stored = invoicing::preview(&tx, customer, &[], at(&now)).await.unwrap();
                tx.commit().await.unwrap();
                let totals = |preview: &invoicing::Preview| {
                    [&preview.next, &preview.following].map(|content| content.as_ref().map(|content| content.totals))
                };
                assert_eq!(totals(&promised), totals(&stored), "{seed}: {wish:?} at {now}");
            }
            let tx = world.tx().await;
            let promised = invoicing::preview(&tx, customer, &[], at(&day(28))).await.unwrap();
            drop(tx);
            let run = world.billed(&promised.until_on.to_string()).await;
            match promised.next {
                Some(content) => {
                    let view = world.invoice(customer).await;
                    assert_eq!(view.document.totals, content.totals, "{seed}, month {month}");
                    assert_eq!(view.document.kind, content.kind);
                }
                None => assert_eq!(run.counts.nothing_due, 1),
            }
        }
        assert!(world.invoice(customer).await.groups.iter().all(|grouped| grouped.group != LineGroup::Correction));
    }
}
