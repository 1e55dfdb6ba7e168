//! F01 to F04, F23: the program dies just before, within and just after the transaction that stores events, and between storing
//! and folding; the database chooses it as the victim of a conflict. What was acknowledged counts once, and so does what was not,
//! once it is sent again.

use super::audit::{assert_recount_is_clean, counted};
use super::dice::{Dice, seeds};
use super::events::{METER, Story, sent};
use manual::Program;
use rust_decimal::Decimal;
use std::time::{Duration, Instant};

/// Where the program dies, and what the same events are told when they are sent again.
const PLACES: [(&str, &str); 3] =
    [("ingest.begun", "accepted"), ("ingest.halfway", "accepted"), ("ingest.committed", "duplicate")];
/// Events reach the rollup within this.
const FOLDED_WITHIN: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_around_a_commit_loses_nothing_and_counts_nothing_twice() {
    for seed in seeds() {
        let mut dice = Dice::new(seed);
        for (place, again) in PLACES {
            let passing = 1 + dice.roll(3);
            let mut program = Program::that_dies_at(&format!("{place}:{passing}")).await;
            let story = Story::of(&program).await;
            let mut events = 0;
            for request in 1..=passing {
                let size = 1 + dice.roll(50) as usize;
                let body = story.lines(events, size);
                events += size;
                let answer = story.machine.offer_lines("/v1/events", body.clone()).await;
                if request < passing {
                    assert_eq!(sent(answer.as_ref(), "accepted"), size);
                    continue;
                }
                assert_eq!(answer, None, "{place}: it died, and nothing was acknowledged");
                program.await_death();
                program.start_again();
                let answer = story.machine.offer_lines("/v1/events", body).await;
                assert_eq!(sent(answer.as_ref(), again), size, "{place}: {answer:?}");
            }
            assert_eq!(counted(&program, story.book, METER).await, (Decimal::from(events), events as i64), "{place}");
            assert_recount_is_clean(&program);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_while_sums_are_folded_leaves_them_to_the_next_life() {
    for seed in seeds() {
        let size = 1 + Dice::new(seed).roll(200) as usize;
        let mut program = Program::on_the_demo_world().await;
        let story = Story::of(&program).await;
        until_folded(&story, &program).await;
        program.cut_off();
        program.start_again_with(&[("RINGTILL_FAULT", "fold.done")]);
        let answer = story.machine.offer_lines("/v1/events", story.lines(0, size)).await;
        assert_eq!(sent(answer.as_ref(), "accepted"), size);
        program.await_death();
        let expected = (Decimal::from(size), size as i64);
        assert_eq!(
            counted(&program, story.book, METER).await,
            expected,
            "what was acknowledged is counted, folded or not"
        );
        program.start_again();
        until_folded(&story, &program).await;
        assert_eq!(counted(&program, story.book, METER).await, expected);
        assert_recount_is_clean(&program);
    }
}

async fn until_folded(story: &Story, program: &Program) {
    let until = Instant::now() + FOLDED_WITHIN;
    loop {
        let mut bulk = program.database.db.bulk(story.book).await.unwrap();
        if bulk.number("SELECT count(*) FROM usage_sum").await.unwrap() == 0 {
            return;
        }
        assert!(Instant::now() < until, "sums wait for longer than {FOLDED_WITHIN:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The next so many inserts into the table fail as the victims of a conflict. A sequence is not rolled back, so it counts tries.
fn victims(table: &str, state: &str, times: u64) -> String {
    format!(
        "CREATE SEQUENCE IF NOT EXISTS tries; ALTER SEQUENCE tries RESTART; GRANT USAGE ON SEQUENCE tries TO PUBLIC;
         CREATE OR REPLACE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           IF nextval('tries') <= {times} THEN RAISE EXCEPTION 'a conflict on purpose' USING ERRCODE = '{state}'; END IF;
           RETURN NULL;
         END $$;
         CREATE OR REPLACE TRIGGER lose BEFORE INSERT ON {table} FOR EACH STATEMENT EXECUTE FUNCTION lose();"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_that_lose_a_conflict_are_stored_by_the_next_try_and_once() {
    let program = Program::on_the_demo_world().await;
    let story = Story::of(&program).await;
    let mut events = 0;
    for seed in seeds() {
        let mut dice = Dice::new(seed);
        for table in ["event_key", "usage_event", "usage_sum"] {
            for state in ["40001", "40P01"] {
                let size = 1 + dice.roll(20) as usize;
                program.database.as_owner(&victims(table, state, 1 + dice.roll(3))).await;
                let answer = story.machine.offer_lines("/v1/events", story.lines(events, size)).await;
                assert_eq!(sent(answer.as_ref(), "accepted"), size, "{table} {state}: {answer:?}");
                program.database.as_owner(&format!("DROP TRIGGER lose ON {table}")).await;
                events += size;
            }
        }
    }
    assert_eq!(counted(&program, story.book, METER).await, (Decimal::from(events), events as i64));
    assert_recount_is_clean(&program);
}
