//! Each guard is needed: with it left out, the check that is about it turns red, and for its own reason. A check that nobody has
//! seen red proves nothing. Run by `make test-nightly`; one alone by
//! `cargo nextest run --profile nightly -p manual -E 'test(mutants)'`.

use manual::demo_database;
use std::process::Command;

/// How a guard is taken away.
enum LeftOut {
    /// By the program itself, which a debug build can: the name of a `db::fault::Guard`.
    Guard(&'static str),
    /// In the test's own database, by its owner.
    InDatabase(&'static str),
}

use LeftOut::{Guard, InDatabase};

/// Runs a check of this program with a guard left out; it must fail, and say this.
async fn turns_red(left_out: LeftOut, check: &str, because: &str) {
    // Made before anything is left out: everybody copies it.
    drop(demo_database().await);
    let mut run = Command::new(std::env::current_exe().unwrap());
    run.args(["--exact", check, "--nocapture"]).env_remove("RINGTILL_LONG");
    match left_out {
        Guard(name) => run.env("RINGTILL_MUTANT", name),
        InDatabase(statements) => run.env("RINGTILL_MUTANT", "InDatabase").env("RINGTILL_MUTANT_SQL", statements),
    };
    let output = tokio::task::spawn_blocking(move || run.output().unwrap()).await.unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(said.contains("running 1 test"), "there is no check {check}:\n{said}");
    assert!(!output.status.success(), "{check} stays green without its guard:\n{said}");
    assert!(said.contains(because), "{check} is red, but not because {because:?}:\n{said}");
}

macro_rules! mutants {
    ($($name:ident: $left_out:expr, $check:literal, $because:literal;)*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            turns_red($left_out, concat!("faults::", $check), $because).await;
        })*
    };
}

/// What was known is forgotten when it comes again.
const NO_KEYS: &str = "
    CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
      DELETE FROM event_key WHERE tenant_id = NEW.tenant_id AND source = NEW.source AND id = NEW.id; RETURN NEW;
    END $$;
    ALTER TABLE event_key DISABLE ROW LEVEL SECURITY;
    CREATE TRIGGER forget BEFORE INSERT ON event_key FOR EACH ROW EXECUTE FUNCTION forget();";

/// All payloads look alike.
const NO_HASH: &str = r"
    CREATE FUNCTION alike() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.payload_hash := '\x00'; RETURN NEW; END $$;
    CREATE TRIGGER alike BEFORE INSERT ON event_key FOR EACH ROW EXECUTE FUNCTION alike();";

/// Money is promised without a look at what is there, and nothing below catches it.
const NO_FLOOR: &str = "
    ALTER TABLE wallet DROP CONSTRAINT wallet_keeps_its_floor;
    DO $$ DECLARE body text := pg_get_functiondef('reserve_from_wallet'::regproc); BEGIN
      EXECUTE replace(body, 'AND w.balance_micros - w.reserved_micros - wanted_micros >= w.floor_micros', '');
    END $$;";

/// What nobody extends or ends is held for ever.
const NO_RELEASE: &str = "
    CREATE FUNCTION hold_on() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF NEW.state IN ('expired', 'released') THEN RETURN NULL; END IF; RETURN NEW;
    END $$;
    CREATE TRIGGER hold_on BEFORE UPDATE ON reservation FOR EACH ROW EXECUTE FUNCTION hold_on();";

/// The server says that it has written what it has not.
const NO_FLUSH: &str =
    "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database()); END $$;";

mutants! {
    events_and_their_sums_are_one_transaction: Guard("OneTransaction"),
        "commits::a_kill_around_a_commit_loses_nothing_and_counts_nothing_twice", "ingest.halfway";
    a_call_and_its_charge_are_one_transaction: Guard("OneTransaction"),
        "calls::a_kill_while_a_call_is_settled_leaves_no_half_of_it_and_one_charge", "waited in vain";
    what_is_acknowledged_is_committed: Guard("CommitBeforeAnswer"),
        "flood::a_load_of_events_survives_three_kills_and_cut_connections_and_counts_once", "events were acknowledged, 0 are stored";
    a_key_is_kept: InDatabase(NO_KEYS),
        "commits::a_kill_around_a_commit_loses_nothing_and_counts_nothing_twice", "ingest.committed";
    a_payload_is_compared: InDatabase(NO_HASH),
        "events::the_first_of_two_events_with_one_key_stands_and_the_other_waits_for_a_person", "duplicate";
    a_lost_conflict_is_tried_again: Guard("Retry"),
        "commits::events_that_lose_a_conflict_are_stored_by_the_next_try_and_once", "event_key 40001";
    events_have_connections_of_their_own: Guard("OwnPool"),
        "database::who_finds_no_connection_is_told_to_come_back_and_events_have_connections_of_their_own", "503";
    a_spoilt_batch_is_taken_apart: Guard("EventAlone"),
        "events::an_event_that_the_database_never_takes_keeps_no_other_waiting", "503";
    an_early_event_waits: Guard("EarlyEvent"),
        "events::an_event_from_a_clock_that_is_a_day_off_waits_for_a_person", "accepted";
    a_wallet_is_looked_at_before_it_promises: InDatabase(NO_FLOOR),
        "wallet::sixty_four_at_once_on_one_wallet_leave_every_cent_explained", "more was promised than there was";
    what_is_held_is_given_back: InDatabase(NO_RELEASE),
        "calls::what_was_held_for_a_call_that_was_never_told_so_is_given_back", "left: ";
    a_commit_waits_for_the_disk: InDatabase(NO_FLUSH),
        "database::a_database_that_is_killed_comes_back_with_all_that_was_acknowledged", "left: ";
}
