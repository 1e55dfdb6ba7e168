//! Anything may change on any day, and is undone until it is billed.

use crate::world::*;
use chrono::{DateTime, Utc};
use db::{CustomerId, PlanVersionId, SubscriptionId, TenantTx};
use money::Currency;
use subscription::*;

struct Sold {
    world: World,
    customer: CustomerId,
    id: SubscriptionId,
    hourly: PlanVersionId,
    seats: PlanVersionId,
    annual: PlanVersionId,
    crm: PlanVersionId,
}

const STARTS: &str = "2026-01-01T09:00:00Z";

impl Sold {
    async fn new() -> Sold {
        let world = World::new().await;
        let monthly = |components| NewPlanVersion::monthly(Currency::EUR, components);
        // It has room for seats and charges nothing for them.
        let hourly = NewPlanVersion { seat_limit: Some(100), ..monthly(vec![usage("hours", "hours", &[])]) };
        let hourly = world.version_with("hourly", false, hourly).await;
        let seat = Component { kind: ComponentKind::Seat, measure: Some("assigned".into()), ..flat("seats", "49") };
        let limited = NewPlanVersion { seat_limit: Some(5), ..monthly(vec![seat.clone()]) };
        let seats = world.version_with("seats", false, limited).await;
        let annual =
            NewPlanVersion { term_months: 12, seat_limit: Some(5), sells_extra_seats: true, ..monthly(vec![seat]) };
        let annual = world.version_with("annual", false, annual).await;
        let crm = world.version_with("crm", true, monthly(vec![flat("crm", "9")])).await;
        let customer = world.customer("C-1", "Europe/Berlin").await;
        let tx = world.tx().await;
        let id = subscribe(&tx, &begins(customer, hourly, STARTS), at(STARTS)).await.unwrap();
        tx.commit().await.unwrap();
        Sold { world, customer, id, hourly, seats, annual, crm }
    }
}

fn to(version: PlanVersionId, seats: u32) -> Change {
    Change::Plan { version, seats: Some(seats) }
}

async fn read(tx: &TenantTx, id: SubscriptionId) -> History {
    history(tx, id).await.unwrap().unwrap()
}

fn spans(history: &History) -> Vec<(PlanVersionId, DateTime<Utc>, Option<DateTime<Utc>>)> {
    history.attached.iter().map(|part| (part.version.id, part.from, part.until)).collect()
}

#[tokio::test]
async fn a_change_takes_effect_now_or_with_the_next_period_or_with_the_next_term() {
    let sold = Sold::new().await;
    let tx = sold.world.tx().await;
    let now = at("2026-02-10T12:00:00Z");
    let before = read(&tx, sold.id).await;
    let next = to(sold.annual, 3);
    let ask = async |when| what_if(&tx, sold.id, &next, when, now).await.unwrap();
    for (when, from) in [
        (When::Now, now),
        (When::PeriodEnd, berlin("2026-03-01")),
        (When::At(berlin("2026-02-20")), berlin("2026-02-20")),
    ] {
        let start = at(STARTS);
        let after = ask(when).await;
        assert_eq!(spans(&after), [(sold.hourly, start, Some(from)), (sold.annual, from, None)]);
        assert_eq!((after.seats_at(start), after.seats_at(from)), (0, 3));
    }
    // asking what would be has changed nothing
    assert_eq!(read(&tx, sold.id).await, before);

    // February begins the year: it ends with January
    change(&tx, sold.id, &next, When::Now, "Ann", now).await.unwrap();
    let later = at("2026-06-10T12:00:00Z");
    change(&tx, sold.id, &to(sold.hourly, 0), When::TermEnd, "Ann", later).await.unwrap();
    assert_eq!(spans(&read(&tx, sold.id).await)[1], (sold.annual, now, Some(berlin("2027-02-01"))));
}

#[tokio::test]
async fn what_was_previewed_is_what_is_read_after_the_change() {
    let sold = Sold::new().await;
    let tx = sold.world.tx().await;
    let now = at("2026-02-10T12:00:00Z");
    for change_to in [
        to(sold.seats, 4),
        Change::AddOn { version: sold.crm },
        Change::Seats(2),
        Change::Pause,
        Change::Resume,
        Change::RemoveAddOn { version: sold.crm },
        Change::Cancel { credit: true },
        Change::Reactivate,
    ] {
        let foreseen = what_if(&tx, sold.id, &change_to, When::Now, now).await.unwrap();
        change(&tx, sold.id, &change_to, When::Now, "Ann", now).await.unwrap();
        let found = read(&tx, sold.id).await;
        assert_eq!(
            (found.attached, found.seats, found.pauses, found.ended),
            (foreseen.attached, foreseen.seats, foreseen.pauses, foreseen.ended),
            "{change_to:?}"
        );
    }
}

#[tokio::test]
async fn another_plan_with_the_same_term_goes_on_with_it_and_another_term_begins_anew() {
    let sold = Sold::new().await;
    let tx = sold.world.tx().await;
    let plan = plan_version(&tx, sold.annual).await.unwrap().unwrap();
    let next = publish_version(&tx, plan.plan_id, &plan.terms(), at(STARTS)).await.unwrap();
    change(&tx, sold.id, &to(sold.annual, 1), When::PeriodEnd, "Ann", at(STARTS)).await.unwrap();
    change(&tx, sold.id, &to(next, 1), When::Now, "Ann", at("2026-06-10T12:00:00Z")).await.unwrap();
    let after = read(&tx, sold.id).await;
    let year = berlin("2026-02-01");
    assert_eq!(after.attached.iter().map(|span| span.terms_from).collect::<Vec<_>>(), [at(STARTS), year, year]);
    assert_eq!(after.term_end(at("2026-07-01T00:00:00Z")).unwrap(), berlin("2027-02-01"));
    change(&tx, sold.id, &to(sold.hourly, 0), When::Now, "Ann", at("2026-07-10T12:00:00Z")).await.unwrap();
    assert_eq!(read(&tx, sold.id).await.term_end(at("2026-07-10T12:00:00Z")).unwrap(), berlin("2026-08-01"));
}

#[tokio::test]
async fn a_change_that_breaks_a_rule_is_refused_whole() {
    let sold = Sold::new().await;
    let clash =
        sold.world.version_with("clash", true, NewPlanVersion::monthly(Currency::EUR, vec![flat("crm", "1")])).await;
    let dollars = sold.world.version_with("usd", false, NewPlanVersion::monthly(Currency::USD, vec![])).await;
    let tx = sold.world.tx().await;
    let now = at("2026-02-10T12:00:00Z");
    change(&tx, sold.id, &Change::AddOn { version: sold.crm }, When::Now, "Ann", now).await.unwrap();
    let before = read(&tx, sold.id).await;
    for (change_to, when, expected) in [
        (to(dollars, 0), When::Now, is("plan_version_id", "currency_must_match", "USD")),
        (to(sold.crm, 0), When::Now, is("plan_version_id", "must_be_plan", "crm")),
        (to(sold.hourly, 0), When::Now, is("plan_version_id", "must_differ", &sold.hourly.to_string())),
        (to(sold.seats, 6), When::Now, is("seats", "must_not_exceed_seat_limit", "6")),
        (Change::Seats(0), When::Now, is("seats", "must_differ", "0")),
        (Change::AddOn { version: clash }, When::Now, is("components/crm/key", "must_be_unique", "crm")),
        (
            Change::AddOn { version: sold.crm },
            When::Now,
            is("plan_version_id", "must_be_unique", &sold.crm.to_string()),
        ),
        (
            Change::RemoveAddOn { version: clash },
            When::Now,
            is("plan_version_id", "must_be_attached", &clash.to_string()),
        ),
        (Change::Resume, When::Now, is("change", "must_be_possible_in_status", "resume")),
        (Change::Reactivate, When::Now, is("change", "must_be_possible_in_status", "reactivate")),
        (Change::EndTrial, When::Now, is("change", "must_be_possible_in_status", "end_trial")),
        (Change::Pause, When::At(berlin("2026-02-01")), is("at", "must_not_lie_in_the_past", "2026-01-31T23:00:00Z")),
    ] {
        assert_eq!(refused(change(&tx, sold.id, &change_to, when, "Ann", now).await), expected, "{change_to:?}");
        assert_eq!(refused(what_if(&tx, sold.id, &change_to, when, now).await), expected, "{change_to:?}");
    }
    assert_eq!(read(&tx, sold.id).await, before);
}

#[tokio::test]
async fn no_seat_beyond_the_plan_unless_it_sells_more() {
    let sold = Sold::new().await;
    let tx = sold.world.tx().await;
    let now = at("2026-02-10T12:00:00Z");
    change(&tx, sold.id, &to(sold.seats, 5), When::Now, "Ann", now).await.unwrap();
    assert_eq!(
        refused(change(&tx, sold.id, &Change::Seats(6), When::Now, "Ann", now).await),
        is("seats", "must_not_exceed_seat_limit", "6")
    );
    change(&tx, sold.id, &to(sold.annual, 6), When::PeriodEnd, "Ann", now).await.unwrap();
    // six seats are asked for while the plan of five still holds
    assert_eq!(
        refused(change(&tx, sold.id, &Change::Seats(6), When::Now, "Ann", now).await).1,
        "must_not_exceed_seat_limit"
    );
    let next = at("2026-03-10T12:00:00Z");
    change(&tx, sold.id, &Change::Seats(9), When::Now, "Ann", next).await.unwrap();
    assert_eq!(
        refused(change(&tx, sold.id, &Change::Plan { version: sold.seats, seats: None }, When::Now, "Ann", next).await),
        is("seats", "must_not_exceed_seat_limit", "9")
    );
    let counts: Vec<_> = read(&tx, sold.id).await.seats.iter().map(|count| (count.from, count.seats)).collect();
    assert_eq!(counts, [(at(STARTS), 0), (now, 5), (berlin("2026-03-01"), 6), (next, 9)]);
}

#[tokio::test]
async fn a_change_is_undone_as_if_it_had_never_been_asked() {
    let sold = Sold::new().await;
    let tx = sold.world.tx().await;
    let now = at("2026-02-10T12:00:00Z");
    for (change_to, when) in [
        (to(sold.seats, 4), When::Now),
        (to(sold.annual, 4), When::PeriodEnd),
        (Change::Seats(3), When::Now),
        (Change::AddOn { version: sold.crm }, When::Now),
        (Change::Pause, When::Now),
        (Change::Cancel { credit: false }, When::PeriodEnd),
        (Change::Cancel { credit: false }, When::Now),
    ] {
        let before = read(&tx, sold.id).await;
        let id = change(&tx, sold.id, &change_to, when, "Ann", now).await.unwrap();
        undo_change(&tx, id, "Ben", now).await.unwrap();
        assert_eq!(read(&tx, sold.id).await, before, "{change_to:?}");
        assert_eq!(refused(undo_change(&tx, id, "Ben", now).await).1, "must_not_be_undone");
    }
    let asked = changes_of(&tx, sold.id).await.unwrap();
    assert!(asked.iter().all(|asked| asked.undone_by.as_deref() == Some("Ben") && asked.asked_by == "Ann"));
    assert_eq!(asked.len(), 7);
}

#[tokio::test]
async fn what_a_later_change_rests_on_is_not_undone() {
    let sold = Sold::new().await;
    let tx = sold.world.tx().await;
    let now = at("2026-02-10T12:00:00Z");
    let seats = change(&tx, sold.id, &to(sold.annual, 2), When::Now, "Ann", now).await.unwrap();
    change(&tx, sold.id, &to(sold.seats, 5), When::PeriodEnd, "Ann", now).await.unwrap();
    let more = change(&tx, sold.id, &Change::Seats(8), When::Now, "Ann", now).await.unwrap();
    // undoing the eight is possible; five in March follow either way
    undo_change(&tx, more, "Ann", now).await.unwrap();
    undo_change(&tx, seats, "Ann", now).await.unwrap();
    // under the plan of five, eight seats need the plan of the year that comes first
    let year = change(&tx, sold.id, &to(sold.annual, 8), When::Now, "Ann", at("2026-03-10T12:00:00Z")).await.unwrap();
    change(&tx, sold.id, &Change::Seats(9), When::Now, "Ann", at("2026-03-11T12:00:00Z")).await.unwrap();
    assert_eq!(
        refused(undo_change(&tx, year, "Ann", at("2026-03-12T12:00:00Z")).await),
        is("seats", "must_not_exceed_seat_limit", "9")
    );
}

#[tokio::test]
async fn what_is_billed_is_turned_around_by_another_change_and_never_undone() {
    let sold = Sold::new().await;
    let tx = sold.world.tx().await;
    let now = at("2026-02-10T12:00:00Z");
    let moved = change(&tx, sold.id, &to(sold.seats, 4), When::Now, "Ann", now).await.unwrap();
    let later = change(&tx, sold.id, &Change::Seats(5), When::PeriodEnd, "Ann", now).await.unwrap();
    changes_billed(&tx, &[(sold.id, berlin("2026-03-01"))], berlin("2026-03-01")).await.unwrap();
    let then = at("2026-03-05T12:00:00Z");
    assert_eq!(
        refused(undo_change(&tx, moved, "Ann", then).await),
        is("change_id", "must_not_be_billed", &moved.to_string())
    );
    // it takes effect on 1 March itself, which is not billed yet
    undo_change(&tx, later, "Ann", then).await.unwrap();
    change(&tx, sold.id, &to(sold.hourly, 0), When::Now, "Ann", then).await.unwrap();
    let after = read(&tx, sold.id).await;
    assert_eq!(
        spans(&after),
        [(sold.hourly, at(STARTS), Some(now)), (sold.seats, now, Some(then)), (sold.hourly, then, None)]
    );
    assert_eq!(after.seats_at(then), 0);
}

#[tokio::test]
async fn the_same_thing_asked_again_for_the_same_instant_replaces_the_first() {
    let sold = Sold::new().await;
    let tx = sold.world.tx().await;
    let now = at("2026-02-10T12:00:00Z");
    change(&tx, sold.id, &to(sold.seats, 4), When::PeriodEnd, "Ann", now).await.unwrap();
    change(&tx, sold.id, &to(sold.annual, 3), When::PeriodEnd, "Ben", now).await.unwrap();
    let march = berlin("2026-03-01");
    assert_eq!(spans(&read(&tx, sold.id).await), [(sold.hourly, at(STARTS), Some(march)), (sold.annual, march, None)]);
    // an end that lies ahead may be moved, to an earlier and to a later day
    for (day, end) in [("2026-05-01", "2026-05-01"), ("2026-04-01", "2026-04-01"), ("2026-06-15", "2026-06-15")] {
        let cancel = Change::Cancel { credit: false };
        change(&tx, sold.id, &cancel, When::At(berlin(day)), "Ann", now).await.unwrap();
        assert_eq!(read(&tx, sold.id).await.ended.map(|ended| ended.at), Some(berlin(end)));
    }
    assert_eq!(changes_of(&tx, sold.id).await.unwrap().iter().filter(|asked| asked.undone_at.is_none()).count(), 2);
}

#[tokio::test]
async fn a_paused_and_an_ended_subscription_are_not_served_and_go_on_afterwards() {
    let sold = Sold::new().await;
    let tx = sold.world.tx().await;
    let ask = async |change_to: Change, instant: &str| {
        change(&tx, sold.id, &change_to, When::Now, "Ann", at(instant)).await.unwrap();
    };
    ask(Change::Pause, "2026-02-10T12:00:00Z").await;
    ask(Change::Resume, "2026-02-20T12:00:00Z").await;
    ask(Change::Cancel { credit: true }, "2026-03-10T12:00:00Z").await;
    ask(Change::Reactivate, "2026-04-10T12:00:00Z").await;
    let after = read(&tx, sold.id).await;
    for (instant, served, covered) in [
        ("2026-02-09T00:00:00Z", true, "hours"),
        ("2026-02-15T00:00:00Z", false, "-"),
        ("2026-02-25T00:00:00Z", true, "hours"),
        ("2026-03-20T00:00:00Z", false, "-"),
        ("2026-04-20T00:00:00Z", true, "hours"),
    ] {
        assert_eq!(after.is_served_at(at(instant)), served, "{instant}");
        let found = coverage(&tx, sold.customer, "hours", &dimensions(&[]), at(instant)).await.unwrap();
        let key = match found {
            Coverage::Component { component, .. } => component.key,
            _ => "-".to_owned(),
        };
        assert_eq!(key, covered, "{instant}");
    }
    assert_eq!(after.subscription.cancelled_at, None);
}

#[tokio::test]
async fn customers_are_moved_to_a_new_version_in_bulk_and_back_one_by_one() {
    let sold = Sold::new().await;
    let tx = sold.world.tx().await;
    let now = at("2026-02-10T12:00:00Z");
    let plan = plan_version(&tx, sold.hourly).await.unwrap().unwrap();
    let mut ids = vec![sold.id];
    for number in 2..=4 {
        let who = format!("C-{number}");
        let who = NewCustomer::postpaid(&who, "x", Currency::EUR, "Europe/Berlin", "DE", on("2026-01-01"));
        let new = begins(create_customer(&tx, &who, at(STARTS)).await.unwrap(), sold.hourly, STARTS);
        ids.push(subscribe(&tx, &new, at(STARTS)).await.unwrap());
    }
    change(&tx, ids[3], &Change::Cancel { credit: false }, When::Now, "Ann", now).await.unwrap();
    let next = publish_version(&tx, plan.plan_id, &plan.terms(), now).await.unwrap();
    let on_plan = subscribers(&tx, plan.plan_id, now).await.unwrap();
    assert_eq!(on_plan.len(), 3);
    let foreseen = preview_moves(&tx, &ids, next, When::TermEnd, now).await.unwrap();
    assert_eq!(foreseen.iter().map(|found| found.outcome.is_ok()).collect::<Vec<_>>(), [true, true, true, false]);
    let moved = move_customers(&tx, &ids, next, When::TermEnd, "Ann", now).await.unwrap();
    assert_eq!(moved.iter().filter(|found| found.outcome.is_ok()).count(), 3);
    assert_eq!(
        moved.iter().find(|found| found.subscription_id == ids[3]).unwrap().outcome.as_ref().unwrap_err().rule.code(),
        "must_be_possible_in_status"
    );
    let march = berlin("2026-03-01");
    let versions = plan_versions_at(&tx, &all_active(&tx, march).await.unwrap(), march).await.unwrap();
    assert!(versions.values().all(|version| *version == next));
    let first = moved.iter().find(|found| found.subscription_id == sold.id).unwrap().outcome.clone().unwrap();
    undo_change(&tx, first, "Ann", now).await.unwrap();
    assert_eq!(read(&tx, sold.id).await.plan_at(march).id, sold.hourly);
}

#[tokio::test]
async fn an_archived_plan_is_left_and_not_entered() {
    let sold = Sold::new().await;
    let tx = sold.world.tx().await;
    let now = at("2026-02-10T12:00:00Z");
    let archived = plan_version(&tx, sold.seats).await.unwrap().unwrap();
    archive_plan(&tx, archived.plan_id, now).await.unwrap();
    assert_eq!(
        refused(change(&tx, sold.id, &to(sold.seats, 1), When::Now, "Ann", now).await),
        is("plan_version_id", "must_not_be_archived", "seats")
    );
}
