//! The laws themselves.

use super::{Act, Lived, eur, life};
use crate::billed::{BilledBefore, LateDays};
use crate::chain::{Does, chain};
use crate::content::{Claim, Claimed};
use crate::due::due;
use crate::parts::{Splitter, lasts};
use crate::subscribed::{Subscribed, last_day_after};
use crate::usage::Read;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use money::Money;
use pricing::{civil_date, start_of_day};
use proptest::prelude::*;
use std::collections::BTreeMap;
use subscription::{Billed, Customer, History};

/// What was billed under each key from each start on; nothing is as good as zero.
fn sums(claims: &[Claim]) -> BTreeMap<(String, DateTime<Utc>, Claimed), Money> {
    let mut sums = BTreeMap::new();
    for claim in claims {
        let key = (claim.component_key.clone(), claim.service_starts_at, Claimed::of_kind(&claim.kind));
        let sum: &mut Money = sums.entry(key).or_insert_with(|| eur("0"));
        *sum = sum.checked_add(claim.amount).unwrap();
    }
    sums.retain(|_, sum| !sum.is_zero());
    sums
}

/// How often each civil day of a key is charged, credits taken away.
fn days_charged(own: &Subscribed, until: DateTime<Utc>, customer: &Customer) -> BTreeMap<(String, NaiveDate), i32> {
    let mut days: BTreeMap<(String, NaiveDate), i32> = BTreeMap::new();
    let mut add = |key: &str, range: pricing::DateRange, times: i32| {
        for day in range.from.iter_days().take_while(|day| *day < range.to) {
            *days.entry((key.to_owned(), day)).or_default() += times;
        }
    };
    for entry in chain(own, until).unwrap().iter().filter(|entry| !entry.is_once) {
        add(&entry.key, entry.days, if entry.does == Does::Charges { 1 } else { -1 });
    }
    let mut reads = Vec::new();
    let all = std::slice::from_ref(own);
    for period in own.periods.iter().filter(|period| period.ends_at <= until) {
        let mut splitter = Splitter { customer, all, of: 0, period, reads: &mut reads };
        for billable in splitter.split().unwrap() {
            for part in &billable.parts {
                let component = own.component(billable.stretch.attached, part.component);
                if lasts(component) && component.billed == Billed::InArrears {
                    add(&component.key, part.piece.days, 1);
                }
            }
        }
    }
    days
}

/// Is a key's component there at some instant of a day, out of the trial?
fn is_served_on(history: &History, key: &str, day: NaiveDate, zone: &str) -> bool {
    let from = start_of_day(day, zone).unwrap();
    let to = start_of_day(day.succ_opt().unwrap(), zone).unwrap();
    let mut instants = vec![from];
    instants.extend(history.bounds(from, to));
    instants.into_iter().any(|instant| {
        !history.subscription.in_trial_at(instant) && history.components_at(instant).any(|part| part.key == key)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// The order in which runs see changes and usage does not matter: what they bill in all is what one run would have billed
    /// that knew everything, key by key and to the cent; nothing twice, nothing missed.
    #[test]
    fn many_runs_bill_what_one_run_that_knows_everything_would(life in life()) {
        let mut lived = Lived::begin(&life);
        let last = lived.live(&life.acts);
        let end_on = civil_date(last + TimeDelta::days(70), &lived.customer.time_zone).unwrap();
        lived.run(end_on);
        let at_once = lived.billed_by_a_run(end_on, &[]);
        prop_assert_eq!(sums(&lived.claims), sums(&at_once));
    }

    /// Each civil day on which a fee or a seat is served is charged once, and no other, save what an end without credit keeps.
    #[test]
    fn each_day_of_service_is_charged_once(life in life()) {
        let mut lived = Lived::begin(&life);
        let acts: Vec<_> = life.acts.iter().filter(|(_, act)| !matches!(act, Act::Run | Act::Use { .. })).cloned().collect();
        let last = lived.live(&acts);
        let zone = lived.customer.time_zone.clone();
        let keeps = acts.iter().any(|(_, act)| matches!(act, Act::Cancel { credit: false, .. }));
        let until = start_of_day(civil_date(last + TimeDelta::days(70), &zone).unwrap(), &zone).unwrap();
        let own = Subscribed::with_periods(lived.history.clone(), Vec::new(), until).unwrap();
        let charged = days_charged(&own, until, &lived.customer);
        let (first, end) = (life.anchor_on, last_day_after(last + TimeDelta::days(38), &zone).unwrap());
        for key in ["fee", "seats", "crm"] {
            for day in first.iter_days().take_while(|day| *day < end) {
                let times = charged.get(&(key.to_owned(), day)).copied().unwrap_or_default();
                let served = i32::from(is_served_on(&lived.history, key, day, &zone));
                let is_kept = keeps && served == 0 && times == 1;
                prop_assert!(times == served || is_kept, "{} on {}: charged {}, served {}", key, day, times, served);
            }
        }
    }

    /// Each call in an hour that is served is counted once, whatever is changed in that hour, and none in another.
    #[test]
    fn each_call_is_counted_once(life in life()) {
        let mut lived = Lived::begin(&life);
        let last = lived.live(&life.acts);
        let until_on = civil_date(last + TimeDelta::days(70), &lived.customer.time_zone).unwrap();
        let until = start_of_day(until_on, &lived.customer.time_zone).unwrap();
        let own = [Subscribed::with_periods(lived.history.clone(), Vec::new(), until).unwrap()];
        let due = due(&lived.customer, &own, &BilledBefore::default(), &LateDays::default(), until).unwrap();
        let reads: Vec<&Read> = due.reads.iter().filter(|read| read.meter == "calls" && read.filter.is_empty()).collect();
        for hour in lived.calls.keys() {
            let times = reads.iter().filter(|read| read.from <= *hour && *hour < read.to).count();
            let mut instants = vec![*hour];
            instants.extend(lived.history.bounds(*hour, *hour + TimeDelta::hours(1)));
            let served = instants.iter().any(|instant| lived.history.components_at(*instant).any(|part| part.key == "calls"));
            prop_assert_eq!(times, usize::from(served), "calls at {}", hour);
        }
    }
}
