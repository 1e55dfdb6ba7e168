//! Customers of an add-on move to its next version like those of a plan: one change each, undone as one.

use crate::world::*;
use chrono::{DateTime, Utc};
use db::{CustomerId, PlanId, PlanVersionId, SubscriptionId, TenantTx};
use money::Currency;
use subscription::*;

const STARTS: &str = "2026-01-01T09:00:00Z";
const NOW: &str = "2026-02-10T12:00:00Z";

/// An add-on in two versions, and customers of a plan that have the first of them.
struct Sold {
    world: World,
    plan: PlanVersionId,
    add_on: PlanId,
    first: PlanVersionId,
    second: PlanVersionId,
}

impl Sold {
    async fn new() -> Sold {
        let world = World::new().await;
        let plan = world.version("fee", vec![flat("fee", "49")]).await;
        let terms = |amount: &str, feature: &str| NewPlanVersion {
            features: vec![feature.into()],
            ..NewPlanVersion::monthly(Currency::EUR, vec![flat("crm", amount)])
        };
        let first = world.version_with("crm", true, terms("9", "crm")).await;
        let tx = world.tx().await;
        let add_on = plan_version(&tx, first).await.unwrap().unwrap().plan_id;
        let second = publish_version(&tx, add_on, &terms("12", "crm_plus"), at(STARTS)).await.unwrap();
        tx.commit().await.unwrap();
        Sold { world, plan, add_on, first, second }
    }

    async fn customer(&self, tx: &TenantTx, no: &str) -> (CustomerId, SubscriptionId) {
        let customer = self.world.customer(no, "Europe/Berlin").await;
        let id = subscribe(tx, &begins(customer, self.plan, STARTS), at(STARTS)).await.unwrap();
        (customer, id)
    }

    async fn with_add_on(&self, tx: &TenantTx, no: &str) -> (CustomerId, SubscriptionId) {
        let (customer, id) = self.customer(tx, no).await;
        change(tx, id, &Change::AddOn { version: self.first }, When::Now, "Ann", at(STARTS)).await.unwrap();
        (customer, id)
    }
}

type Spans = Vec<(PlanVersionId, bool, DateTime<Utc>, Option<DateTime<Utc>>)>;

/// Version, free or not, from, until.
async fn add_ons(tx: &TenantTx, id: SubscriptionId) -> Spans {
    let history = history(tx, id).await.unwrap().unwrap();
    let of = history.attached.iter().filter(|part| part.is_add_on);
    of.map(|part| (part.version.id, part.is_free, part.from, part.until)).collect()
}

#[tokio::test]
async fn everybody_with_an_add_on_moves_to_its_next_version_now_or_at_renewal_and_back() {
    let sold = Sold::new().await;
    let tx = sold.world.tx().await;
    let now = at(NOW);
    let (customer, anna) = sold.with_add_on(&tx, "C-1").await;
    let (_, ben) = sold.with_add_on(&tx, "C-2").await;
    let (_, carl) = sold.customer(&tx, "C-3").await;
    let on = subscribers(&tx, sold.add_on, now).await.unwrap();
    let mut found: Vec<_> = on.iter().map(|(of, version)| (of.id, *version)).collect();
    found.sort_unstable();
    assert_eq!(found, [(anna, sold.first), (ben, sold.first)], "Carl has no add-on");

    let foreseen = preview_moves(&tx, &[anna, carl], sold.second, When::Now, now).await.unwrap();
    assert!(foreseen[0].outcome.is_ok());
    let refusal = foreseen[1].outcome.clone().unwrap_err();
    assert_eq!((refusal.field.as_str(), refusal.rule), ("plan_version_id", Rule::MustBeAttached));

    let moved = move_customers(&tx, &[anna], sold.second, When::Now, "Ann", now).await.unwrap();
    let id = moved[0].outcome.clone().unwrap();
    let start = at(STARTS);
    assert_eq!(
        add_ons(&tx, anna).await,
        [(sold.first, false, start, Some(now)), (sold.second, false, now, None)],
        "one goes on from where the other ends"
    );
    let features: Vec<String> = entitlements(&tx, customer, now).await.unwrap().features.into_keys().collect();
    assert_eq!(features, ["crm_plus"]);
    let again = move_customers(&tx, &[anna], sold.second, When::Now, "Ann", now).await.unwrap();
    assert_eq!(again[0].outcome.clone().unwrap_err().rule, Rule::MustDiffer);
    // A fee of one month renews with the month.
    move_customers(&tx, &[ben], sold.second, When::TermEnd, "Ann", now).await.unwrap();
    let march = berlin("2026-03-01");
    assert_eq!(add_ons(&tx, ben).await[1], (sold.second, false, march, None));
    assert_eq!(moving_later(&tx, sold.add_on, now).await.unwrap().into_iter().collect::<Vec<_>>(), [ben]);

    let listed = moves_of(&tx, sold.add_on, None, 10).await.unwrap();
    assert_eq!(listed.len(), 2, "what was added is no move");
    undo_move(&tx, sold.add_on, id, "Ann", now).await.unwrap();
    assert_eq!(add_ons(&tx, anna).await, [(sold.first, false, start, None)]);
}

#[tokio::test]
async fn a_gift_stays_a_gift_and_what_was_to_be_taken_off_is_taken_off_in_any_version() {
    let sold = Sold::new().await;
    let tx = sold.world.tx().await;
    let now = at(NOW);
    let (_, id) = sold.customer(&tx, "C-1").await;
    change(&tx, id, &Change::FreeAddOn { version: sold.first }, When::Now, "the clock", at(STARTS)).await.unwrap();
    let off = Change::RemoveAddOn { version: sold.first };
    change(&tx, id, &off, When::At(berlin("2026-04-01")), "Ann", now).await.unwrap();
    move_customers(&tx, &[id], sold.second, When::PeriodEnd, "Ann", now).await.unwrap();
    let (march, april) = (berlin("2026-03-01"), berlin("2026-04-01"));
    assert_eq!(
        add_ons(&tx, id).await,
        [(sold.first, true, at(STARTS), Some(march)), (sold.second, true, march, Some(april))]
    );
}

#[tokio::test]
async fn the_stamp_of_entitlements_is_another_whenever_they_may_be_and_the_same_otherwise() {
    let sold = Sold::new().await;
    let tx = sold.world.tx().await;
    let now = at(NOW);
    let (customer, id) = sold.customer(&tx, "C-1").await;
    let mut seen = Vec::new();
    let mut is_new = |stamp: String| {
        let is_new = !seen.contains(&stamp);
        seen.push(stamp);
        is_new
    };
    let stamp = async |now| entitlement_stamp(&tx, customer, now).await.unwrap();
    assert!(is_new(stamp(now).await));
    let added = change(&tx, id, &Change::AddOn { version: sold.first }, When::PeriodEnd, "Ann", now).await.unwrap();
    assert!(is_new(stamp(now).await), "asked");
    assert!(is_new(stamp(berlin("2026-03-01")).await), "in effect");
    assert!(!is_new(stamp(berlin("2026-03-20")).await), "nothing happens in March");
    undo_change(&tx, added, "Ann", now).await.unwrap();
    assert!(is_new(stamp(now).await), "undone");
    change(&tx, id, &Change::Cancel { credit: false }, When::PeriodEnd, "Ann", now).await.unwrap();
    assert!(is_new(stamp(now).await), "its end is known");
    assert!(is_new(stamp(berlin("2026-03-01")).await), "and is there");
    sold.world.customer("C-2", "Europe/Berlin").await;
    assert!(!is_new(stamp(now).await), "another customer changes nothing");
}
