//! F24, F35, F36: events that nobody would send who means well. And what the other stories about events begin with.

use super::audit::{assert_recount_is_clean, counted, nordlicht};
use super::dice::{Dice, seeds};
use chrono::{DateTime, TimeDelta, Utc};
use db::TenantId;
use manual::{Machine, Program};
use ringtill::clock::Clock;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::task::JoinSet;
use usage_metering::{Aggregation, Meter, SuspenseCause};

pub const METER: &str = "fault.units";

/// A system that sends units of a meter to Nordlicht's book.
pub struct Story {
    pub book: TenantId,
    pub machine: Arc<Machine>,
    customer: String,
    at: DateTime<Utc>,
}

impl Story {
    pub async fn of(program: &Program) -> Story {
        let meter = Meter::new(METER, "Units", "unit", Aggregation::Sum, &[]);
        let (book, customers) = nordlicht(program, &meter).await;
        let machine = Arc::new(Machine::with_key(program, "localhost", "nordlicht", &["usage:write"]));
        // Nothing of the demo world knows the meter, so any customer will do.
        let customer = customers[0].to_string();
        Story { book, machine, customer, at: Clock::machine().now() - TimeDelta::minutes(5) }
    }

    /// Event `id` of so many units, at that time.
    pub fn event(&self, id: &str, units: usize, at: DateTime<Utc>) -> Value {
        json!({
            "specversion": "1.0", "id": id, "source": "fault", "type": METER, "time": at.to_rfc3339(),
            "subject": self.customer, "data": { "quantity": units },
        })
    }

    /// `size` events of one unit each, from the `first` on, a line each.
    pub fn lines(&self, first: usize, size: usize) -> String {
        lines(&(first..first + size).map(|n| self.event(&format!("n-{n}"), 1, self.at)).collect::<Vec<_>>())
    }
}

pub fn lines(events: &[Value]) -> String {
    events.iter().map(|event| format!("{event}\n")).collect()
}

/// How many of a request's events were answered so.
pub fn sent(answer: Option<&(u16, Value)>, status: &str) -> usize {
    let count = answer.filter(|(code, _)| *code == 200).and_then(|(_, answer)| answer[status].as_u64());
    count.unwrap_or_default() as usize
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_from_a_clock_that_is_a_day_off_waits_for_a_person() {
    let program = Program::on_the_demo_world().await;
    let story = Story::of(&program).await;
    let now = Clock::machine().now();
    let mut expected = (0, 0);
    for seed in seeds() {
        let mut dice = Dice::new(seed);
        let mut skew = |from: i64, to: i64| TimeDelta::seconds(from + dice.roll((to - from) as u64) as i64);
        // Up to 24 hours ahead and 13 months behind are believed: the clock of another machine is never quite ours.
        let believed = [now + skew(0, 86_000), now - skew(0, 380 * 86_400)];
        let absurd = [now + skew(86_400 + 600, 400 * 86_400), now - skew(400 * 86_400, 3_000 * 86_400)];
        let event = |(n, at): (usize, &DateTime<Utc>)| story.event(&format!("{seed}-{n}"), 1, *at);
        let events: Vec<Value> = believed.iter().chain(&absurd).enumerate().map(event).collect();
        let answer = story.machine.offer_lines("/v1/events", lines(&events)).await;
        assert_eq!((sent(answer.as_ref(), "accepted"), sent(answer.as_ref(), "suspense")), (2, 2), "{answer:?}");
        expected = (expected.0 + 2, expected.1 + 2);
    }
    assert_eq!(counted(&program, story.book, METER).await, (Decimal::from(expected.0), expected.0));
    let tx = program.database.db.tenant(story.book).await.unwrap();
    let waiting = usage_metering::open_suspense(&tx, 10_000).await.unwrap();
    drop(tx);
    let absurd = waiting.iter().filter(|entry| entry.cause == SuspenseCause::AbsurdTime).count();
    assert_eq!(absurd as i64, expected.1);
    assert_recount_is_clean(&program);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_of_two_events_with_one_key_stands_and_the_other_waits_for_a_person() {
    let program = Program::on_the_demo_world().await;
    let story = Story::of(&program).await;
    let mut units = 0;
    let mut events = 0;
    for seed in seeds() {
        let mut dice = Dice::new(seed);
        let (first, other) = (1 + dice.roll(9) as usize, 11 + dice.roll(9) as usize);
        let id = format!("twice-{seed}");
        let body = |units: usize| story.event(&id, units, story.at).to_string();
        let alone = story.machine.offer("/v1/events", body(first)).await.unwrap();
        assert_eq!((alone.0, &alone.1["results"][0]["status"]), (200, &json!("accepted")));
        let same = story.machine.offer("/v1/events", body(first)).await.unwrap();
        assert_eq!((same.0, &same.1["results"][0]["status"]), (200, &json!("duplicate")));
        let (status, answer) = story.machine.offer("/v1/events", body(other)).await.unwrap();
        assert_eq!((status, &answer["results"][0]["status"]), (409, &json!("conflict")), "{answer}");
        units += first;
        events += 1;
    }
    assert_eq!(counted(&program, story.book, METER).await, (Decimal::from(units), events));
    let tx = program.database.db.tenant(story.book).await.unwrap();
    let waiting = usage_metering::open_suspense(&tx, 10_000).await.unwrap();
    drop(tx);
    assert_eq!(waiting.iter().filter(|entry| entry.cause == SuspenseCause::Conflict).count() as i64, events);
    assert_recount_is_clean(&program);
}

/// An event that the database will never take, as one would be that slipped through every rule before it.
const POISON: &str = "
    CREATE FUNCTION refuse_poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF NEW.source_id LIKE 'poison%' THEN RAISE EXCEPTION 'this is poison'; END IF;
      RETURN NEW;
    END $$;
    CREATE TRIGGER poison BEFORE INSERT ON usage_event FOR EACH ROW EXECUTE FUNCTION refuse_poison();";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_the_database_never_takes_keeps_no_other_waiting() {
    let program = Program::on_the_demo_world().await;
    let story = Arc::new(Story::of(&program).await);
    program.database.as_owner(POISON).await;
    let (mut events, mut poisons) = (0, Vec::new());
    for seed in seeds() {
        let mut dice = Dice::new(seed);
        let poisoned = dice.roll(8) as usize;
        let mut clients = JoinSet::new();
        for client in 0..8 {
            let mut request: Vec<Value> =
                (0..10).map(|n| story.event(&format!("{seed}-{client}-{n}"), 1, story.at)).collect();
            if client == poisoned {
                request.insert(dice.roll(11) as usize, story.event(&format!("poison-{seed}"), 1, story.at));
            }
            let story = Arc::clone(&story);
            clients.spawn(async move { story.machine.offer_lines("/v1/events", lines(&request)).await });
        }
        for answer in clients.join_all().await {
            assert_eq!(sent(answer.as_ref(), "accepted"), 10, "{answer:?}");
        }
        events += 80;
        poisons.push(story.event(&format!("poison-{seed}"), 1, story.at));
    }
    assert_eq!(counted(&program, story.book, METER).await, (Decimal::from(events), events));
    let (status, answer) = story.machine.offer("/v1/events", poisons[0].to_string()).await.unwrap();
    assert_eq!((status, &answer["results"][0]["errors"][0]["code"]), (422, &json!("must_be_storable")), "{answer}");
    // Nothing of it was kept: once the database takes such events, they are new.
    program.database.as_owner("DROP TRIGGER poison ON usage_event").await;
    let answer = story.machine.offer_lines("/v1/events", lines(&poisons)).await;
    assert_eq!(sent(answer.as_ref(), "accepted"), poisons.len(), "{answer:?}");
    assert_recount_is_clean(&program);
}
