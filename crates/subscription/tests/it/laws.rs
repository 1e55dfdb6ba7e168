//! Laws of a history, over any list of changes.

use crate::world::*;
use chrono::{DateTime, Datelike, NaiveDate, Utc};
use db::{CustomerId, PlanId, SubscriptionId};
use money::Currency;
use proptest::prelude::*;
use subscription::*;

const ZONES: [&str; 4] = ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Apia"];

fn version(term_months: u32, fixed_terms: Option<u32>) -> PlanVersion {
    let terms = NewPlanVersion { term_months, fixed_terms, ..NewPlanVersion::monthly(Currency::EUR, vec![]) };
    terms.assumed(PlanId::new(), at("2024-01-01T00:00:00Z"))
}

fn begun(anchor_on: NaiveDate, time_zone: &str, first: &PlanVersion) -> History {
    let begun = Subscription {
        id: SubscriptionId::new(),
        customer_id: CustomerId::new(),
        first_plan_version_id: first.id,
        anchor_on,
        time_zone: time_zone.to_owned(),
        first_seats: 1,
        started_at: pricing::start_of_day(anchor_on, time_zone).unwrap(),
        trial_ends_at: None,
        cancelled_at: None,
        ended_by: None,
        past_due_since: None,
        trial_end: None,
    };
    History::begin(begun, first.clone()).unwrap()
}

/// Kinds of changes by number, the version each names, and days after the start.
fn change_of(kind: u8, versions: &[PlanVersion]) -> (Change, Option<&PlanVersion>) {
    let named = |index: usize| (versions[index].id, Some(&versions[index]));
    match kind {
        0..=3 => {
            let (version, found) = named(usize::from(kind));
            (Change::Plan { version, seats: None }, found)
        }
        4 => (Change::Seats(2), None),
        5 => (Change::Seats(7), None),
        6 => (Change::Pause, None),
        7 => (Change::Resume, None),
        8 => (Change::Cancel { credit: true }, None),
        9 => (Change::Reactivate, None),
        10 => {
            let (version, found) = named(4);
            (Change::AddOn { version }, found)
        }
        11 => {
            let (version, found) = named(4);
            (Change::RemoveAddOn { version }, found)
        }
        _ => {
            let (version, found) = named(5);
            (Change::MoveAddOn { version }, found)
        }
    }
}

fn versions() -> Vec<PlanVersion> {
    let add_on = version(1, None);
    let next = PlanVersion { id: db::PlanVersionId::new(), version: 2, ..add_on.clone() };
    vec![version(1, None), version(3, None), version(12, None), version(2, Some(3)), add_on, next]
}

/// Every change that its rules allow, asked in order.
fn lived(anchor_on: NaiveDate, zone: &str, asked: &[(u8, i64)]) -> History {
    let versions = versions();
    let mut history = begun(anchor_on, zone, &versions[0]);
    for (kind, hours) in asked {
        let instant = history.subscription.started_at + chrono::TimeDelta::hours(*hours);
        let (change, named) = change_of(*kind, &versions);
        if let Ok(after) = history.with_change(&change, named, instant) {
            history = after;
        }
    }
    history
}

fn plan_spans(history: &History) -> Vec<&Attached> {
    history.attached.iter().filter(|attached| !attached.is_add_on).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn spans_are_contiguous_pauses_and_seats_ordered_and_nothing_outlives_the_end(
        day in 0_u64..1460, zone in 0_usize..4, asked in prop::collection::vec((0_u8..13, 0_i64..9000), 0..14),
    ) {
        let anchor_on = on("2024-01-01") + chrono::Days::new(day);
        let history = lived(anchor_on, ZONES[zone], &asked);
        let spans = plan_spans(&history);
        prop_assert_eq!(spans[0].from, history.subscription.started_at);
        for pair in spans.windows(2) {
            prop_assert_eq!(pair[0].until, Some(pair[1].from));
            prop_assert!(pair[0].from < pair[1].from);
        }
        for pair in history.seats.windows(2) {
            prop_assert!(pair[0].from < pair[1].from && pair[0].seats != pair[1].seats);
        }
        for pair in history.pauses.windows(2) {
            prop_assert!(pair[0].until.is_some_and(|until| until <= pair[1].from));
        }
        let end = history.ended.map(|ended| ended.at);
        prop_assert_eq!(history.subscription.cancelled_at, end);
        prop_assert_eq!(spans.last().unwrap().until, end);
        for attached in history.attached.iter().filter(|attached| attached.is_add_on) {
            prop_assert!(attached.until.is_none_or(|until| attached.from <= until));
            prop_assert!(end.is_none_or(|end| attached.until.is_some_and(|until| until <= end)));
        }
    }

    #[test]
    fn an_instant_is_served_exactly_when_its_state_is_one_of_service(
        asked in prop::collection::vec((0_u8..13, 0_i64..9000), 0..14), hours in 0_i64..10_000,
    ) {
        let history = lived(on("2025-01-31"), "Europe/Berlin", &asked);
        let instant = history.subscription.started_at + chrono::TimeDelta::hours(hours);
        let served = matches!(history.status_at(instant), SubscriptionStatus::Active | SubscriptionStatus::Trial | SubscriptionStatus::PastDue);
        prop_assert_eq!(history.is_served_at(instant), served);
        prop_assert_eq!(history.attached_at(instant).filter(|attached| !attached.is_add_on).count(), usize::from(served));
    }

    #[test]
    fn looking_in_pieces_finds_every_milestone_once(
        asked in prop::collection::vec((0_u8..13, 0_i64..9000), 0..10), cut in 1_i64..9_000,
    ) {
        let history = lived(on("2025-01-31"), "Europe/Berlin", &asked);
        let (from, to) = (history.subscription.started_at, history.subscription.started_at + chrono::TimeDelta::hours(10_000));
        let middle = from + chrono::TimeDelta::hours(cut);
        let mut pieces = history.milestones(from, middle).unwrap();
        pieces.extend(history.milestones(middle + chrono::TimeDelta::microseconds(1), to).unwrap());
        prop_assert_eq!(pieces, history.milestones(from, to).unwrap());
    }

    #[test]
    fn a_term_ends_on_the_anchor_day_or_the_last_day_of_a_shorter_month(
        day in 0_u64..1460, zone in 0_usize..4, months in 1_u32..37, hours in 0_i64..26_000,
    ) {
        let anchor_on = on("2024-01-01") + chrono::Days::new(day);
        let history = begun(anchor_on, ZONES[zone], &version(months, None));
        let instant = history.subscription.started_at + chrono::TimeDelta::hours(hours);
        let end = history.term_end(instant).unwrap();
        prop_assert!(end > instant);
        let ends_on = pricing::civil_date(end, ZONES[zone]).unwrap();
        let apart = (ends_on.year() - anchor_on.year()) * 12 + ends_on.month() as i32 - anchor_on.month() as i32;
        prop_assert_eq!(apart.unsigned_abs() % months, 0);
        // Where a zone has left a day out (Apia had no 30 December 2011) nothing changes after 2024.
        prop_assert_eq!(ends_on, anchor_on + chrono::Months::new(apart.unsigned_abs()));
    }
}

/// A small generator of its own: the law needs no more than many different lists.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

#[tokio::test]
async fn one_statement_says_what_a_history_folds_and_undoing_everything_leads_back() {
    let world = World::new().await;
    let monthly = |key: &str| NewPlanVersion {
        features: vec![key.into()],
        ..NewPlanVersion::monthly(Currency::EUR, vec![usage(key, "minutes", &[])])
    };
    let mut versions = Vec::new();
    for (code, terms, is_add_on) in [
        ("plan-a", monthly("a"), false),
        ("plan-b", NewPlanVersion { term_months: 3, ..monthly("b") }, false),
        ("plan-c", NewPlanVersion { fixed_terms: Some(2), ..monthly("c") }, false),
        (
            "plan-d",
            NewPlanVersion { features: vec!["d".into()], ..NewPlanVersion::monthly(Currency::EUR, vec![]) },
            false,
        ),
        (
            "extra",
            NewPlanVersion {
                features: vec!["extra".into()],
                ..NewPlanVersion::monthly(Currency::EUR, vec![flat("extra", "9")])
            },
            true,
        ),
    ] {
        let id = world.version_with(code, is_add_on, terms).await;
        let tx = world.tx().await;
        versions.push(plan_version(&tx, id).await.unwrap().unwrap());
    }
    let tx = world.tx().await;
    let more = NewPlanVersion { features: vec!["more".into()], ..versions[4].terms() };
    let next_extra = publish_version(&tx, versions[4].plan_id, &more, at("2026-01-01T08:30:00Z")).await.unwrap();
    versions.push(plan_version(&tx, next_extra).await.unwrap().unwrap());
    tx.commit().await.unwrap();
    let start = at("2026-01-01T09:00:00Z");
    let mut state = 7;
    for round in 0..12 {
        let customer = world.customer(&format!("C-{round}"), "Europe/Berlin").await;
        let tx = world.tx().await;
        let id = subscribe(&tx, &begins(customer, versions[0].id, "2026-01-01T09:00:00Z"), start).await.unwrap();
        let begun = history(&tx, id).await.unwrap().unwrap();
        let mut instants: Vec<DateTime<Utc>> = vec![start];
        let mut now = start;
        let mut made = Vec::new();
        for _ in 0..12 {
            now += chrono::TimeDelta::hours(i64::try_from(next(&mut state) % 500).unwrap() + 1);
            let kind = u8::try_from(next(&mut state) % 13).unwrap();
            let when = if next(&mut state).is_multiple_of(3) { When::PeriodEnd } else { When::Now };
            if let Ok(id) = change(&tx, id, &change_of(kind, &versions).0, when, "Ann", now).await {
                made.push(id);
            }
            instants.extend([now, now + chrono::TimeDelta::days(9), now + chrono::TimeDelta::days(40)]);
        }
        let folded = history(&tx, id).await.unwrap().unwrap();
        for instant in instants {
            let found = entitlements(&tx, customer, instant).await.unwrap();
            let features: Vec<String> = folded.features_at(instant).unwrap().into_iter().collect();
            assert_eq!(found.features.keys().cloned().collect::<Vec<_>>(), features, "round {round} at {instant}");
            let seats = if folded.is_served_at(instant) { folded.seats_at(instant) } else { 0 };
            assert_eq!(found.seats.assigned, seats, "round {round} at {instant}");
            let covered = match coverage(&tx, customer, "minutes", &dimensions(&[]), instant).await.unwrap() {
                Coverage::Component { component, .. } => Some(component.key),
                _ => None,
            };
            let expected =
                folded.components_at(instant).find(|part| part.measure.is_some()).map(|part| part.key.clone());
            assert_eq!(covered, expected, "round {round} at {instant}");
        }
        // Back from the end: nothing rests on the last one.
        let asked = changes_of(&tx, id).await.unwrap();
        for asked in asked.iter().filter(|asked| asked.undone_at.is_none()) {
            undo_change(&tx, asked.id, "Ann", now).await.unwrap();
        }
        assert!(!made.is_empty());
        assert_eq!(history(&tx, id).await.unwrap().unwrap(), begun);
    }
}
