//! Laws of bills over random lives of a subscription: changes, usage that is late or comes twice, coupons, and runs on any day.
//! No table is touched: usage is kept as hours here, as it is there, and what runs claimed is remembered.

mod laws_tests;

use crate::assemble::Outcome;
use crate::bill::Seller;
use crate::billed::{BilledBefore, LateDays};
use crate::content::Claim;
use crate::due::due;
use crate::gather::Gathered;
use crate::rate::Quantities;
use crate::subscribed::Subscribed;
use crate::usage::{Counted, Read};
use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use db::{CouponId, CustomerId, PlanId, SubscriptionId};
use money::{Currency, Decimal, Money};
use pricing::{Price, civil_date, start_of_day};
use proptest::prelude::*;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use subscription::{
    Billed, Billing as Pays, Change, Component, ComponentKind, Coupon, CouponOff, Customer, History, LoyaltyReward,
    LoyaltyRule, NewPlanVersion, PlanVersion, Redeemed, Subscription, TaxTreatment, TrialUsage,
};

const ZONES: [&str; 4] = ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Apia"];

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn eur(text: &str) -> Money {
    Money::parse(text, Currency::EUR).unwrap()
}

fn part(key: &str, kind: ComponentKind, measure: Option<&str>, price: serde_json::Value) -> Component {
    Component {
        key: key.to_owned(),
        kind,
        name: key.to_owned(),
        measure: measure.map(str::to_owned),
        filter: BTreeMap::new(),
        included: Decimal::ZERO,
        minimum_quantity: Decimal::ZERO,
        price: Price::from_json(&price).unwrap(),
        billed: Billed::InArrears,
    }
}

fn ahead(component: Component) -> Component {
    Component { billed: Billed::InAdvance, ..component }
}

fn each(unit: &str) -> serde_json::Value {
    json!({ "model": "per_unit", "unit": unit })
}

fn seats(unit: &str) -> Component {
    part("seats", ComponentKind::Seat, Some("assigned"), each(unit))
}

/// Three plans and an add-on, whose keys are alike and whose terms are not.
fn catalogue() -> Vec<PlanVersion> {
    let tiers =
        json!({ "model": "graduated", "tiers": [{ "up_to": "6", "unit": "0.37" }, { "up_to": null, "unit": "0.21" }] });
    let calls = |price| part("calls", ComponentKind::Usage, Some("calls"), price);
    let fee = |amount| part("fee", ComponentKind::Flat, None, each(amount));
    let share = part("managed", ComponentKind::Percent, Some("calls"), json!({ "model": "percent", "rate": "8" }));
    let setup = part("setup", ComponentKind::OneOff, None, each("99"));
    let monthly = |components| NewPlanVersion::monthly(Currency::EUR, components);
    let all = [
        NewPlanVersion {
            commitment: eur("7"),
            trial_usage: TrialUsage::FreeUpTo(eur("1")),
            ..monthly(vec![ahead(fee("59.99")), ahead(seats("17.77")), calls(tiers), share, setup.clone()])
        },
        NewPlanVersion {
            term_months: 3,
            term_discount_percent: "7".parse().unwrap(),
            loyalty: vec![LoyaltyRule { after_months: 2, reward: LoyaltyReward::PercentOff("5".parse().unwrap()) }],
            ..monthly(vec![
                ahead(fee("71.13")),
                ahead(seats("12.34")),
                Component { included: Decimal::from(4), ..calls(each("0.29")) },
            ])
        },
        NewPlanVersion {
            fee_cap: Some(eur("80")),
            ..monthly(vec![fee("33.33"), seats("9.01"), calls(each("1.07")), ahead(setup)])
        },
        monthly(vec![ahead(part("crm", ComponentKind::Flat, None, each("9.99")))]),
    ];
    all.iter().map(|version| version.assumed(PlanId::new(), at("2026-01-01T00:00:00Z"))).collect()
}

/// What happens, by the number of hours after the start.
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
        at_period_end: bool,
    },
    Reactivate,
    EndTrial,
    Coupon {
        percent: bool,
        periods: Option<u32>,
    },
    /// Calls, some hours ago.
    Use {
        calls: u32,
        ago: i64,
    },
    Run,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        2 => (0usize..3).prop_map(Act::Plan),
        2 => (1u32..9).prop_map(Act::Seats),
        1 => Just(Act::AddOn),
        1 => Just(Act::RemoveAddOn),
        1 => Just(Act::Pause),
        2 => Just(Act::Resume),
        1 => (any::<bool>(), any::<bool>()).prop_map(|(credit, at_period_end)| Act::Cancel { credit, at_period_end }),
        2 => Just(Act::Reactivate),
        1 => Just(Act::EndTrial),
        1 => (any::<bool>(), prop_oneof![Just(None), Just(Some(1)), Just(Some(2))])
            .prop_map(|(percent, periods)| Act::Coupon { percent, periods }),
        6 => (1u32..4, 0i64..24 * 25).prop_map(|(calls, ago)| Act::Use { calls, ago }),
        4 => Just(Act::Run),
    ]
}

#[derive(Clone, Debug)]
struct Life {
    zone: usize,
    anchor_on: NaiveDate,
    plan: usize,
    trial_days: i64,
    /// Minutes after the start, in order.
    acts: Vec<(i64, Act)>,
}

fn life() -> impl Strategy<Value = Life> {
    let acts = prop::collection::vec((0i64..150 * 24 * 60, act()), 1..24);
    (0..ZONES.len(), 0u64..31, 0usize..3, prop_oneof![Just(0i64), Just(9)], acts).prop_map(
        |(zone, day, plan, trial_days, mut acts)| {
            acts.sort_by_key(|(minute, _)| *minute);
            let anchor_on = NaiveDate::from_ymd_opt(2026, 1, 1).unwrap() + Days::new(day);
            Life { zone, anchor_on, plan, trial_days, acts }
        },
    )
}

/// A subscription as it is lived, and what runs have billed of it.
struct Lived {
    customer: Customer,
    versions: Vec<PlanVersion>,
    history: History,
    /// Calls by hour of the customer's clock.
    calls: BTreeMap<DateTime<Utc>, Decimal>,
    claims: Vec<Claim>,
    runs: u32,
}

impl Lived {
    fn begin(life: &Life) -> Lived {
        let zone = ZONES[life.zone];
        let started_at = start_of_day(life.anchor_on, zone).unwrap();
        let versions = catalogue();
        let customer = Customer {
            id: CustomerId::new(),
            customer_no: "K-1".to_owned(),
            name: "Alpenblick".to_owned(),
            email: None,
            organisation_id: None,
            billing: Pays::Postpaid,
            currency: Currency::EUR,
            time_zone: zone.to_owned(),
            country: "DE".to_owned(),
            address_lines: Vec::new(),
            tax_id: None,
            tax_treatment: TaxTreatment::Standard,
            payment_terms_days: 14,
            anchor_on: life.anchor_on,
            created_at: started_at,
            closed_at: None,
        };
        let trial_ends_at = (life.trial_days > 0).then(|| started_at + TimeDelta::days(life.trial_days));
        let begun = Subscription {
            id: SubscriptionId::new(),
            customer_id: customer.id,
            first_plan_version_id: versions[life.plan].id,
            anchor_on: life.anchor_on,
            time_zone: zone.to_owned(),
            first_seats: 3,
            started_at,
            trial_ends_at,
            cancelled_at: None,
            ended_by: None,
            past_due_since: None,
            trial_end: None,
        };
        let history = History::begin(begun, versions[life.plan].clone()).unwrap();
        Lived { customer, versions, history, calls: BTreeMap::new(), claims: Vec::new(), runs: 0 }
    }

    fn live(&mut self, acts: &[(i64, Act)]) -> DateTime<Utc> {
        let mut now = self.history.subscription.started_at;
        let began = now;
        for (minute, act) in acts {
            now = began + TimeDelta::minutes(*minute);
            self.act(act, now);
        }
        now
    }

    fn act(&mut self, act: &Act, now: DateTime<Utc>) {
        let add_on = self.versions[3].clone();
        match act {
            Act::Plan(index) => {
                let version = self.versions[*index].clone();
                self.ask(&Change::Plan { version: version.id, seats: None }, Some(&version), now, now);
            }
            Act::Seats(count) => self.ask(&Change::Seats(*count), None, now, now),
            Act::AddOn => self.ask(&Change::AddOn { version: add_on.id }, Some(&add_on), now, now),
            Act::RemoveAddOn => self.ask(&Change::RemoveAddOn { version: add_on.id }, Some(&add_on), now, now),
            Act::Pause => self.ask(&Change::Pause, None, now, now),
            Act::Resume => self.ask(&Change::Resume, None, now, now),
            Act::Cancel { credit, at_period_end } => {
                let end = if *at_period_end { self.history.period_at(now).unwrap().ends_at } else { now };
                // An end that lies ahead stays where it is: moving it is a change of its own.
                if self.history.ended.is_none() {
                    self.ask(&Change::Cancel { credit: *credit }, None, end, now);
                }
            }
            Act::Reactivate => self.ask(&Change::Reactivate, None, now, now),
            Act::EndTrial => self.ask(&Change::EndTrial, None, now, now),
            Act::Coupon { percent, periods } => self.redeem(*percent, *periods, now),
            Act::Use { calls, ago } => {
                let occurred_at = (now - TimeDelta::hours(*ago)).max(self.history.subscription.started_at);
                let hour = usage_metering::local_hour(occurred_at, &self.customer.time_zone).unwrap();
                *self.calls.entry(hour).or_default() += Decimal::from(*calls);
            }
            Act::Run => self.run(civil_date(now, &self.customer.time_zone).unwrap()),
        }
    }

    /// What a rule refuses is not part of the life.
    fn ask(&mut self, change: &Change, version: Option<&PlanVersion>, effect: DateTime<Utc>, now: DateTime<Utc>) {
        if let Ok(mut after) = self.history.with_change(change, version, effect) {
            for dated in after.changes.iter_mut().filter(|dated| dated.at == effect && dated.change == *change) {
                dated.asked_at = now;
            }
            self.history = after;
        }
    }

    fn redeem(&mut self, percent: bool, periods: Option<u32>, now: DateTime<Utc>) {
        if self.history.redeemed.len() > 1 {
            return;
        }
        let code = format!("C{}", self.history.redeemed.len());
        let off = if percent { CouponOff::Percent("11".parse().unwrap()) } else { CouponOff::Amount(eur("23.45")) };
        let coupon = Coupon {
            id: CouponId::new(),
            code: code.clone(),
            name: code,
            off,
            periods,
            redemptions_max: None,
            redemptions: 1,
            valid_until: None,
            archived_at: None,
        };
        let first_position = self.history.period_at(now).unwrap().position;
        self.history.redeemed.push(Redeemed { coupon, redeemed_at: now, ended_at: None, first_position });
    }

    /// The claims of a run, with what is billed already.
    fn billed_by_a_run(&self, until_on: NaiveDate, before: &[Claim]) -> Vec<Claim> {
        let until = start_of_day(until_on, &self.customer.time_zone).unwrap();
        let own = Subscribed::with_periods(self.history.clone(), Vec::new(), until).unwrap();
        let mut billed = BilledBefore::default();
        billed.add(before).unwrap();
        let subscribed = vec![own];
        let due = due(&self.customer, &subscribed, &billed, &LateDays::default(), until).unwrap();
        let quantities = due.reads.iter().map(|read| self.answer(read)).collect();
        let gathered = Gathered { customer: self.customer.clone(), subscribed, billed, due, quantities, until };
        let seller = Seller {
            language: "en".to_owned(),
            tax_percent: Decimal::from(19),
            topics: BTreeMap::new(),
            plans: BTreeMap::new(),
        };
        match gathered.outcome(&seller).unwrap() {
            Outcome::NothingDue { claims, .. } => claims,
            Outcome::Draft(content) => {
                content.must_sum().unwrap();
                content.claims
            }
        }
    }

    fn run(&mut self, until_on: NaiveDate) {
        let claims = self.billed_by_a_run(until_on, &self.claims);
        let again = [self.claims.clone(), claims.clone()].concat();
        let keys: BTreeSet<_> =
            again.iter().map(|claim| (&claim.component_key, claim.service_starts_at, &claim.kind)).collect();
        assert_eq!(keys.len(), again.len(), "a claim is taken once");
        assert_eq!(self.billed_by_a_run(until_on, &again), [], "a second run of the same day finds nothing");
        self.claims = again;
        self.runs += 1;
    }

    fn answer(&self, read: &Read) -> Quantities {
        if read.meter != "calls" || read.counted != Counted::Sum || read.filter.contains_key("charged_by") {
            return Vec::new();
        }
        vec![(BTreeMap::new(), self.calls.range(read.from..read.to).map(|(_, calls)| *calls).sum())]
    }
}
