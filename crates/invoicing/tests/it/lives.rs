//! Random lives on the real tables: whatever is changed, used late, sent twice or billed on whatever day, a document is what its
//! preview said, and the audit finds nothing.

use crate::world::{POSTPAID, World, at, component, each, eur, percent};
use db::{CustomerId, SubscriptionId};
use money::Currency;
use proptest::prelude::*;
use subscription::{
    Billed, Change, Component, ComponentKind, CouponOff, LoyaltyReward, LoyaltyRule, NewCoupon, NewPlanVersion, When,
};
use usage_metering::{Outcome, SuspenseCause, UsageEvent};

#[derive(Clone, Debug)]
enum Act {
    Plan(usize),
    Seats(u32),
    AddOn,
    RemoveAddOn,
    Pause,
    Resume,
    Cancel {
        credit: bool,
    },
    Reactivate,
    Coupon,
    /// Calls, some hours ago; sent twice.
    Use {
        ago: i64,
    },
    Run,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        2 => (0usize..2).prop_map(Act::Plan),
        2 => (1u32..9).prop_map(Act::Seats),
        1 => Just(Act::AddOn),
        1 => Just(Act::RemoveAddOn),
        1 => Just(Act::Pause),
        2 => Just(Act::Resume),
        1 => any::<bool>().prop_map(|credit| Act::Cancel { credit }),
        2 => Just(Act::Reactivate),
        1 => Just(Act::Coupon),
        5 => (0i64..24 * 20).prop_map(|ago| Act::Use { ago }),
        4 => Just(Act::Run),
    ]
}

struct Lived {
    world: World,
    customer: CustomerId,
    id: SubscriptionId,
    plans: [db::PlanVersionId; 2],
    crm: db::PlanVersionId,
    billed_until: String,
}

fn monthly(components: Vec<Component>) -> NewPlanVersion {
    NewPlanVersion { trial_days: 0, ..NewPlanVersion::monthly(Currency::EUR, components) }
}

fn ahead(component: Component) -> Component {
    Component { billed: Billed::InAdvance, ..component }
}

impl Lived {
    async fn begin() -> Lived {
        let world = World::new().await;
        let customer = world.customer(POSTPAID).await;
        let fee = |amount| component("fee", ComponentKind::Flat, None, each(amount));
        let seats = |amount| component("seats", ComponentKind::Seat, Some("assigned"), each(amount));
        let calls = |amount| component("calls", ComponentKind::Usage, Some("calls"), each(amount));
        let first = NewPlanVersion {
            commitment: eur("3"),
            ..monthly(vec![ahead(fee("59.99")), ahead(seats("17.77")), calls("0.37")])
        };
        let other = NewPlanVersion {
            term_months: 3,
            term_discount_percent: percent("7"),
            loyalty: vec![LoyaltyRule { after_months: 1, reward: LoyaltyReward::PercentOff(percent("5")) }],
            ..monthly(vec![fee("33.33"), ahead(seats("12.34")), calls("0.29")])
        };
        let crm = monthly(vec![ahead(component("crm", ComponentKind::Flat, None, each("9.99")))]);
        let id = world.subscribe_to(customer, "2026-01-31", 3, false, first).await;
        let (other, crm) = (world.version(false, other).await, world.version(true, crm).await);
        let tx = world.tx().await;
        let first = subscription::history(&tx, id).await.unwrap().unwrap().plan_at(at("2026-02-01T00:00:00Z")).id;
        drop(tx);
        Lived { world, customer, id, plans: [first, other], crm, billed_until: "2026-01-31".to_owned() }
    }

    async fn act(&mut self, act: &Act, now: chrono::DateTime<chrono::Utc>) {
        let change = match act {
            Act::Plan(index) => Change::Plan { version: self.plans[*index], seats: None },
            Act::Seats(seats) => Change::Seats(*seats),
            Act::AddOn => Change::AddOn { version: self.crm },
            Act::RemoveAddOn => Change::RemoveAddOn { version: self.crm },
            Act::Pause => Change::Pause,
            Act::Resume => Change::Resume,
            Act::Cancel { credit } => Change::Cancel { credit: *credit },
            Act::Reactivate => Change::Reactivate,
            Act::Coupon => return self.redeem(now).await,
            Act::Use { ago } => return self.used_twice(now - chrono::TimeDelta::hours(*ago), now).await,
            Act::Run => return self.run(now.date_naive().to_string()).await,
        };
        self.change(&change, now).await;
    }

    /// What a rule refuses is not part of the life; what is allowed is previewed first.
    async fn change(&self, change: &Change, now: chrono::DateTime<chrono::Utc>) {
        let tx = self.world.tx().await;
        let Ok(assumed) = subscription::what_if(&tx, self.id, change, When::Now, now).await else { return };
        let promised = invoicing::preview(&tx, self.customer, &[assumed], now).await.unwrap();
        subscription::change(&tx, self.id, change, When::Now, "test", now).await.unwrap();
        let stored = invoicing::preview(&tx, self.customer, &[], now).await.unwrap();
        tx.commit().await.unwrap();
        let totals = |preview: &invoicing::Preview| {
            [&preview.next, &preview.following].map(|content| content.as_ref().map(|content| content.totals))
        };
        assert_eq!(totals(&promised), totals(&stored), "{change:?} at {now}");
    }

    async fn redeem(&self, now: chrono::DateTime<chrono::Utc>) {
        let tx = self.world.tx().await;
        let code = format!("C{}", now.timestamp());
        let new = NewCoupon {
            code: code.clone(),
            name: "Spring".to_owned(),
            off: CouponOff::Amount(eur("23.45")),
            periods: Some(2),
            redemptions_max: None,
            valid_until: None,
        };
        subscription::create_coupon(&tx, &new, now).await.unwrap();
        if subscription::redeem_coupon(&tx, self.id, &code, now).await.is_ok() {
            tx.commit().await.unwrap();
        }
    }

    async fn used_twice(&self, occurred_at: chrono::DateTime<chrono::Utc>, now: chrono::DateTime<chrono::Utc>) {
        let event = UsageEvent {
            source: "test".to_owned(),
            id: uuid::Uuid::now_v7().to_string(),
            meter: "calls".to_owned(),
            customer_id: self.customer,
            subscription_id: None,
            quantity: 1.into(),
            dimensions: Default::default(),
            occurred_at: occurred_at.max(at("2026-01-31T08:00:00Z")),
        };
        let (db, tenant) = (&self.world.database.db, self.world.tenant);
        let first = usage_metering::ingest(db, tenant, std::slice::from_ref(&event), now).await.unwrap();
        let again = usage_metering::ingest(db, tenant, &[event], now).await.unwrap();
        let is_known = matches!(first[..], [Outcome::Accepted | Outcome::Suspended(SuspenseCause::NoSubscription)]);
        assert!(is_known && again == [Outcome::Duplicate], "{first:?}, {again:?}");
    }

    async fn run(&mut self, until: String) {
        if until <= self.billed_until {
            return;
        }
        let tx = self.world.tx().await;
        let until_on = until.parse().unwrap();
        let promised = invoicing::preview_until(&tx, self.customer, &[], until_on).await.unwrap();
        drop(tx);
        let run = self.world.billed(&until).await;
        assert_eq!(run.counts.failed, 0, "until {until}: {:?}", self.world.failures(run.id).await);
        match promised {
            Some(content) => {
                let view = self.world.invoice(self.customer).await;
                assert_eq!(view.document.totals, content.totals, "until {until}");
                let said = |line: &invoicing::Line| (line.text.clone(), line.service, line.amount);
                let billed: Vec<_> = view.groups.iter().flat_map(|grouped| &grouped.lines).map(said).collect();
                assert_eq!(billed, content.lines.iter().map(said).collect::<Vec<_>>(), "until {until}");
            }
            None => assert_eq!(run.counts.nothing_due, 1, "until {until}"),
        }
        self.billed_until = until;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 30, ..ProptestConfig::default() })]

    #[test]
    fn a_document_is_what_its_preview_said_whatever_happens(
        mut acts in prop::collection::vec((0i64..140 * 24, act()), 6..16)
    ) {
        acts.sort_by_key(|(hour, _)| *hour);
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let mut lived = Lived::begin().await;
            for (hour, act) in &acts {
                lived.act(act, at("2026-01-31T08:00:00Z") + chrono::TimeDelta::hours(*hour)).await;
            }
            lived.run("2026-07-15".to_owned()).await;
            let again = lived.world.billed("2026-07-16").await;
            assert_eq!(again.counts.nothing_due, 1, "nothing is billed twice");
        });
    }
}
