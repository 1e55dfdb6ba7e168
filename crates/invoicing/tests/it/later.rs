//! What happens to documents later: changes that are undone, tax that rises, coupons and gifts that reach over two of them.

use crate::world::{POSTPAID, PREPAID, World, at, component, each, eur, lines};
use db::{ChangeId, CustomerId, SubscriptionId};
use invoicing::InvoicingError;
use money::Currency;
use std::collections::HashSet;
use std::sync::Arc;
use subscription::{
    Billed, Change, Component, ComponentKind, CouponOff, LateUsage, LoyaltyReward, LoyaltyRule, NewCoupon,
    NewPlanVersion, SubscriptionError, When,
};
use usage_metering::UsageEvent;

fn ahead(component: Component) -> Component {
    Component { billed: Billed::InAdvance, ..component }
}

fn fee(amount: &str) -> Component {
    component("platform", ComponentKind::Flat, None, each(amount))
}

fn seats(amount: &str) -> Component {
    component("seats", ComponentKind::Seat, Some("assigned"), each(amount))
}

fn calls(amount: &str) -> Component {
    component("calls", ComponentKind::Usage, Some("calls"), each(amount))
}

fn monthly(components: Vec<Component>) -> NewPlanVersion {
    NewPlanVersion { trial_days: 0, ..NewPlanVersion::monthly(Currency::EUR, components) }
}

impl World {
    async fn changed(&self, id: SubscriptionId, change: Change, now: &str) -> ChangeId {
        let tx = self.tx().await;
        let change = subscription::change(&tx, id, &change, When::Now, "test", at(now)).await.unwrap();
        tx.commit().await.unwrap();
        change
    }

    /// `text | amount | tax` of each line of the newest document.
    async fn taxed(&self, customer: CustomerId) -> Vec<String> {
        let view = self.invoice(customer).await;
        let all = view.groups.iter().flat_map(|grouped| &grouped.lines);
        all.map(|line| format!("{} | {} | {}%", line.text, line.amount.format_plain(), line.tax_percent.normalize()))
            .collect()
    }
}

#[tokio::test]
async fn a_change_that_is_billed_is_undone_no_more() {
    let world = World::new().await;
    let customer = world.customer(POSTPAID).await;
    let id = world.subscribe_to(customer, "2026-04-01", 2, false, monthly(vec![seats("30")])).await;
    let more = world.changed(id, Change::Seats(5), "2026-04-10T22:00:00Z").await;
    world.billed("2026-05-01").await;
    // 2 x 30 x 10 / 30 = 20, 5 x 30 x 20 / 30 = 100
    assert_eq!(lines(&world.invoice(customer).await), ["seats | 2 | 20.00", "seats | 5 | 100.00"]);
    let tx = world.tx().await;
    let undone = subscription::undo_change(&tx, more, "test", at("2026-05-02T08:00:00Z")).await;
    let Err(SubscriptionError::Refused(refusal)) = undone else { panic!("{undone:?}") };
    assert_eq!(refusal.rule.code(), "must_not_be_billed");
}

#[tokio::test]
async fn a_draft_that_bills_what_was_undone_since_is_refused_and_drafted_anew() {
    let world = World::new().await;
    let customer = world.customer(POSTPAID).await;
    let id = world.subscribe_to(customer, "2026-04-01", 2, false, monthly(vec![seats("30")])).await;
    let more = world.changed(id, Change::Seats(5), "2026-04-10T22:00:00Z").await;
    let run = world.drafted("2026-05-01", "2026-05-01T08:00:00Z").await;
    let tx = world.tx().await;
    subscription::undo_change(&tx, more, "test", at("2026-05-01T09:00:00Z")).await.unwrap();
    tx.commit().await.unwrap();
    let finalised = world.finalised(run.id, "2026-05-01T10:00:00Z").await;
    assert_eq!((finalised.counts.finalised, finalised.counts.failed), (0, 1));
    let why = InvoicingError::DraftMustStandOnChanges.to_string();
    assert_eq!(world.failures(run.id).await, [why]);
    let tx = world.tx().await;
    assert_eq!(invoicing::retry_failed(&tx, run.id, at("2026-05-01T11:00:00Z")).await.unwrap(), 1);
    tx.commit().await.unwrap();
    world.draft_on(run.id, "2026-05-01T11:00:00Z").await;
    world.finalised(run.id, "2026-05-01T11:00:00Z").await;
    assert_eq!(lines(&world.invoice(customer).await), ["seats | 2 | 60.00"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_undo_and_a_document_that_stands_on_the_change_wait_for_each_other() {
    for is_undone_first in [true, false] {
        let world = Arc::new(World::new().await);
        let customer = world.customer(POSTPAID).await;
        let id = world.subscribe_to(customer, "2026-04-01", 2, false, monthly(vec![seats("30")])).await;
        let more = world.changed(id, Change::Seats(5), "2026-04-10T22:00:00Z").await;
        world.drafted("2026-05-01", "2026-05-01T08:00:00Z").await;
        let first = world.tx().await;
        let draft = invoicing::drafts(&first, None, None, 10).await.unwrap().remove(0).id;
        let undo =
            async |tx: &db::TenantTx| subscription::undo_change(tx, more, "test", at("2026-05-01T09:00:00Z")).await;
        let finalise = async |tx: &db::TenantTx| invoicing::finalise(tx, draft, at("2026-05-01T09:00:00Z")).await;
        if is_undone_first {
            undo(&first).await.unwrap()
        } else {
            finalise(&first).await.map(drop).unwrap()
        }
        let second = tokio::spawn({
            let world = world.clone();
            async move {
                let tx = world.tx().await;
                if is_undone_first {
                    let refused = invoicing::finalise(&tx, draft, at("2026-05-01T09:00:00Z")).await;
                    assert!(matches!(refused, Err(InvoicingError::DraftMustStandOnChanges)), "{refused:?}");
                } else {
                    let refused = subscription::undo_change(&tx, more, "test", at("2026-05-01T09:00:00Z")).await;
                    let Err(SubscriptionError::Refused(refusal)) = refused else { panic!("{refused:?}") };
                    assert_eq!(refusal.rule.code(), "must_not_be_billed");
                }
            }
        });
        world.database.until_somebody_waits().await;
        first.commit().await.unwrap();
        second.await.unwrap();
    }
}

#[tokio::test]
async fn a_difference_has_the_tax_of_the_time_of_supply_and_each_line_names_its_price() {
    let world = World::new().await;
    let customer = world.customer(POSTPAID).await;
    world.subscribe(customer, "2026-04-01", vec![calls("10")]).await;
    world.used(customer, "calls", "1", &[], "2026-04-10T09:00:00Z").await;
    world.billed("2026-05-01").await;
    world.database.as_owner("UPDATE organisation SET tax_percent = 21").await;
    for hour in ["09", "10"] {
        world.used(customer, "calls", "1", &[], &format!("2026-04-11T{hour}:00:00Z")).await;
    }
    world.used(customer, "calls", "1", &[], "2026-05-10T09:00:00Z").await;
    world.billed("2026-06-01").await;
    assert_eq!(world.taxed(customer).await, ["calls | 10.00 | 21%", "calls | 20.00 | 19%"]);
    let invoice = world.invoice(customer).await;
    assert_eq!(invoice.document.totals.tax, eur("5.90")); // 10 x 0.21 + 20 x 0.19 = 2.10 + 3.80
    for line in invoice.groups.iter().flat_map(|grouped| &grouped.lines) {
        let price = line.explanation.price.as_ref().expect("the line names its price");
        assert_eq!(price.text(), "Business, version 1, calls");
    }
}

#[tokio::test]
async fn a_credit_gives_back_the_tax_at_which_its_charge_was_billed() {
    let world = World::new().await;
    let customer = world.customer(POSTPAID).await;
    let year = NewPlanVersion {
        term_months: 12,
        term_discount_percent: "10".parse().unwrap(),
        ..monthly(vec![ahead(fee("30"))])
    };
    let id = world.subscribe_to(customer, "2026-01-01", 0, false, year).await;
    world.billed("2026-01-02").await;
    let net = world.invoice(customer).await.document.totals.net;
    assert_eq!(net, eur("324")); // 12 x 30 = 360, less 10%
    world.database.as_owner("UPDATE organisation SET tax_percent = 21").await;
    // nine months were used, three were not: 3 x 30 = 90 back, less their 10%
    world.changed(id, Change::Cancel { credit: true }, "2026-09-30T22:00:00Z").await;
    world.billed("2026-10-02").await;
    let said = world.taxed(customer).await;
    assert_eq!(said, ["platform | 90.00 | 19%", "Term discount 10%, 12 months, on the credit | -9.00 | 19%"]);
    let credit = world.invoice(customer).await.document;
    assert_eq!((credit.totals.tax, credit.totals.gross), (eur("15.39"), eur("96.39"))); // 81 x 0.19
}

#[tokio::test]
async fn an_amount_off_is_taken_off_what_is_billed_ahead_and_its_rest_off_what_was_used() {
    let world = World::new().await;
    let customer = world.customer(POSTPAID).await;
    let plan = monthly(vec![ahead(fee("20")), calls("10")]);
    let id = world.subscribe_to(customer, "2026-04-01", 0, false, plan).await;
    let tx = world.tx().await;
    let new = NewCoupon {
        code: "THIRTY".into(),
        name: "Thirty".into(),
        off: CouponOff::Amount(eur("30")),
        periods: Some(1),
        redemptions_max: None,
        valid_until: None,
    };
    subscription::create_coupon(&tx, &new, at("2026-04-01T08:00:00Z")).await.unwrap();
    subscription::redeem_coupon(&tx, id, "THIRTY", at("2026-04-01T08:00:00Z")).await.unwrap();
    tx.commit().await.unwrap();
    world.billed("2026-04-02").await;
    // 30 off, and no more than there is: 20 - 20. A document over nothing is none.
    for day in ["05", "06", "07", "08"] {
        world.used(customer, "calls", "1", &[], &format!("2026-04-{day}T09:00:00Z")).await;
    }
    world.billed("2026-05-02").await;
    let mut said = lines(&world.invoice(customer).await);
    said.retain(|line| !line.starts_with("platform"));
    assert_eq!(said, ["calls | 4 | 40.00", "Coupon Thirty | 0 | -10.00"]); // 30 - 20
    assert_eq!(world.invoice(customer).await.document.totals.net, eur("50")); // 40 - 10, and 20 for May
}

#[tokio::test]
async fn what_lies_between_an_end_and_a_reactivation_costs_nothing() {
    for is_ahead in [false, true] {
        let world = World::new().await;
        let customer = world.customer(POSTPAID).await;
        let fee = if is_ahead { ahead(fee("60")) } else { fee("60") };
        let id = world.subscribe(customer, "2026-04-01", vec![fee]).await;
        world.billed("2026-04-02").await;
        world.changed(id, Change::Cancel { credit: true }, "2026-04-10T22:00:00Z").await;
        world.billed("2026-04-12").await;
        world.changed(id, Change::Reactivate, "2026-04-20T22:00:00Z").await;
        world.billed("2026-04-22").await;
        world.billed("2026-05-01").await;
        let tx = world.tx().await;
        let filter = invoicing::DocumentFilter { customer_id: Some(customer), limit: 9, ..Default::default() };
        let mut nets = Vec::new();
        for document in invoicing::documents(&tx, &filter).await.unwrap() {
            nets.push(format!("{:?} {}", document.kind, document.totals.net.format_plain()));
        }
        nets.reverse();
        if is_ahead {
            // 60; 60 x 20 / 30 back; 60 x 10 / 30
            assert_eq!(nets, ["Invoice 60.00", "CreditNote 40.00", "Invoice 20.00"]);
        } else {
            // The end bills its ten days at once: 60 x 10 / 30; then the ten after the 21st.
            assert_eq!(nets, ["Invoice 20.00", "Invoice 20.00"]);
        }
    }
}

#[tokio::test]
async fn an_add_on_that_loyalty_gives_is_billed_until_then_and_free_from_then_on() {
    let world = World::new().await;
    let customer = world.customer(POSTPAID).await;
    let crm = monthly(vec![component("crm", ComponentKind::Flat, None, each("15"))]);
    let crm = world.version(true, crm).await;
    let plan = NewPlanVersion {
        loyalty: vec![LoyaltyRule { after_months: 1, reward: LoyaltyReward::FreeAddOn(crm) }],
        ..monthly(vec![fee("60")])
    };
    let id = world.subscribe_to(customer, "2026-04-01", 0, false, plan).await;
    world.changed(id, Change::AddOn { version: crm }, "2026-04-01T08:00:00Z").await;
    for now in ["2026-04-02T08:00:00Z", "2026-05-01T08:00:00Z"] {
        let tx = world.tx().await;
        let due = subscription::due(&tx, 10, at(now)).await.unwrap();
        subscription::look(&tx, &due, &HashSet::new(), at(now)).await.unwrap();
        tx.commit().await.unwrap();
    }
    world.billed("2026-05-01").await;
    assert_eq!(lines(&world.invoice(customer).await), ["platform | 1 | 60.00", "crm | 1 | 15.00"]);
    world.billed("2026-06-01").await;
    assert_eq!(lines(&world.invoice(customer).await), ["platform | 1 | 60.00"]);
    let tx = world.tx().await;
    let history = subscription::history(&tx, id).await.unwrap().unwrap();
    let gift = history.attached_at(at("2026-05-02T00:00:00Z")).find(|attached| attached.is_add_on).unwrap();
    assert!(gift.is_free);
}

#[tokio::test]
async fn each_key_keeps_the_tax_at_which_it_was_billed_first() {
    let world = World::new().await;
    let customer = world.customer(POSTPAID).await;
    let id = world.subscribe(customer, "2026-04-01", vec![ahead(fee("30")), calls("10")]).await;
    world.used(customer, "calls", "1", &[], "2026-04-10T09:00:00Z").await;
    world.billed("2026-04-02").await; // the fee of April, at 19%
    world.database.as_owner("UPDATE organisation SET tax_percent = 21").await;
    world.billed("2026-05-01").await; // April's calls, at 21%
    // A call of April that is told late has the rate of April's calls; what is left of May's fee, which was billed at 21%, too.
    world.used(customer, "calls", "1", &[], "2026-04-11T09:00:00Z").await;
    world.changed(id, Change::Cancel { credit: true }, "2026-05-15T22:00:00Z").await;
    world.billed("2026-05-17").await;
    let said = world.taxed(customer).await;
    assert!(said.iter().any(|line| line == "calls | 10.00 | 21%"), "{said:?}");
    assert!(said.iter().all(|line| line.ends_with("21%")), "{said:?}");
}

#[tokio::test]
async fn the_day_of_another_plan_is_the_new_one_s_whatever_its_keys_are() {
    let world = World::new().await;
    let customer = world.customer(POSTPAID).await;
    let id = world.subscribe_to(customer, "2026-11-01", 0, false, monthly(vec![ahead(fee("30"))])).await;
    world.billed("2026-11-02").await;
    let other = world.version(false, monthly(vec![ahead(seats("49"))])).await;
    world.changed(id, Change::Plan { version: other, seats: Some(2) }, "2026-11-25T09:00:00Z").await;
    world.billed("2026-11-26").await;
    // Six days are left, the 25th with them: 2 x 49 x 6 / 30, and 30 x 6 / 30 back.
    assert_eq!(lines(&world.invoice(customer).await), ["platform | 1 | -6.00", "seats | 2 | 19.60"]);
}

#[tokio::test]
async fn a_person_credits_no_more_than_what_a_change_has_left_of_a_line() {
    let world = World::new().await;
    let customer = world.customer(POSTPAID).await;
    let plan = NewPlanVersion { term_discount_percent: "10".parse().unwrap(), ..monthly(vec![ahead(seats("30"))]) };
    let id = world.subscribe_to(customer, "2026-04-01", 4, false, plan).await;
    world.billed("2026-04-02").await;
    let first = world.invoice(customer).await;
    assert_eq!(first.document.totals.net, eur("108")); // 4 x 30 = 120, less 10%
    // Half of the month four seats become none: 120 x 15 / 30 = 60 back, less their 10%.
    world.changed(id, Change::Cancel { credit: true }, "2026-04-15T22:00:00Z").await;
    world.billed("2026-04-17").await;
    assert_eq!(world.invoice(customer).await.document.totals.net, eur("54"));
    let line = first.groups[0].lines[0].clone();
    let tx = world.tx().await;
    let all = [(line.id, line.amount)];
    let refused = invoicing::credit_lines(&tx, first.document.id, &all, "goodwill", at("2026-04-18T08:00:00Z")).await;
    let Err(InvoicingError::CreditMustNotExceedLine { left, .. }) = refused else { panic!("{refused:?}") };
    assert_eq!(left, eur("60"));
    let note = invoicing::credit(&tx, first.document.id, "goodwill", at("2026-04-18T08:00:00Z")).await.unwrap();
    // What is left: 60, less 6.
    assert_eq!(invoicing::document(&tx, note).await.unwrap().document.totals.net, eur("54"));
}

#[tokio::test]
async fn what_a_wallet_has_paid_waits_for_a_document_that_posts_it() {
    let world = World::new().await;
    let customer = world.customer(PREPAID).await;
    let plan = NewPlanVersion { late_usage: LateUsage::Absorb, ..monthly(vec![calls("1")]) };
    let id = world.subscribe_to(customer, "2026-03-01", 0, false, plan).await;
    world.billed("2026-04-01").await;
    // A call of March is told in April: its caller has paid 1.19 at its end, and the plan absorbs what is late.
    let event = UsageEvent {
        source: "switch".to_owned(),
        id: "late".to_owned(),
        meter: "charge".to_owned(),
        customer_id: customer,
        subscription_id: Some(id),
        quantity: "1.19".parse().unwrap(),
        dimensions: [("charged_by".to_owned(), "component".to_owned())].into(),
        occurred_at: at("2026-03-20T09:00:00Z"),
    };
    usage_metering::ingest(&world.database.db, world.tenant, &[event], at("2026-04-10T09:00:00Z")).await.unwrap();
    assert_eq!(world.billed("2026-05-01").await.counts.nothing_due, 1);
    for hour in ["09", "10"] {
        world.used(customer, "calls", "1", &[], &format!("2026-05-20T{hour}:00:00Z")).await;
    }
    world.billed("2026-06-01").await;
    let totals = world.invoice(customer).await.document.totals;
    // 2 x 1.00 + 19% = 2.38, of which the wallet has paid 1.19
    assert_eq!((totals.gross, totals.settled, totals.due), (eur("2.38"), eur("1.19"), eur("1.19")));
}
