//! Many systems send events while the program is killed and its connections are cut: what was acknowledged is there, once, the
//! memory stays flat, and the whole load sent again changes nothing. A million events, ten million by `make test-nightly`.

use super::audit::{assert_recount_is_clean, counted, nordlicht};
use super::dice::{Dice, is_long, seed};
use chrono::DateTime;
use db::CustomerId;
use manual::{Guest, Machine, Program};
use ringtill::clock::Clock;
use rust_decimal::Decimal;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use usage_metering::{Aggregation, Meter};

const METER: &str = "flood.units";
const CLIENTS: usize = 8;
const EVENTS_PER_REQUEST: usize = 500;
const EVENTS: usize = 1_000_000;
const EVENTS_LONG: usize = 10_000_000;
/// The kills fall into the first so many percent of the load; what is left is one life, whose memory is looked at.
const KILLS_UNTIL_PERCENT: usize = 25;
/// What a life may take more in its last third than in its first: what caches and buffers grow to, not what events leave behind.
const GROWTH_MAX_BYTES: u64 = 64 * 1024 * 1024;
/// Tries of one request before the test gives up; a program that starts again needs some of them.
const TRIES_MAX: usize = 600;
/// What a page shall answer within, of a hundred; the goal is of a release build, and told rather than demanded.
const PAGE_GOAL: Duration = Duration::from_millis(50);

/// What is sent, and how far it is.
struct Load {
    customers: Vec<String>,
    requests: usize,
    next: AtomicUsize,
    acknowledged: AtomicUsize,
}

impl Load {
    fn of(customers: &[CustomerId]) -> Arc<Load> {
        let requests = if is_long() { EVENTS_LONG } else { EVENTS } / EVENTS_PER_REQUEST;
        let customers = customers.iter().map(ToString::to_string).collect();
        Arc::new(Load { customers, requests, next: AtomicUsize::new(0), acknowledged: AtomicUsize::new(0) })
    }

    fn events(&self) -> usize {
        self.requests * EVENTS_PER_REQUEST
    }

    fn acknowledged(&self) -> usize {
        self.acknowledged.load(Ordering::SeqCst)
    }

    /// Units of event `n`: 1 to 7.
    fn units(n: usize) -> usize {
        n % 7 + 1
    }

    /// A request, the same each time it is asked for. Events lie in the hours before `until`.
    fn request(&self, place: usize, until: i64) -> String {
        let mut body = String::with_capacity(EVENTS_PER_REQUEST * 220);
        for n in place * EVENTS_PER_REQUEST..(place + 1) * EVENTS_PER_REQUEST {
            let at = DateTime::from_timestamp(until - (n % 100_000) as i64, 0).unwrap_or_default();
            let (customer, units, part) = (&self.customers[n % self.customers.len()], Self::units(n), n % 3);
            let event = write!(
                body,
                r#"{{"specversion":"1.0","id":"load-{n}","source":"flood","type":"{METER}","time":"{}","subject":"{customer}","data":{{"quantity":{units},"dimensions":{{"part":{part}}}}}}}"#,
                at.format("%FT%TZ"),
            );
            event.unwrap();
            body.push('\n');
        }
        body
    }
}

/// Sends what is left of the load until all of it is acknowledged; how many events were told to be new.
async fn send(machines: &[Arc<Machine>], load: &Arc<Load>, until: i64) -> usize {
    let mut clients = JoinSet::new();
    for machine in machines {
        let (machine, load) = (Arc::clone(machine), Arc::clone(load));
        clients.spawn(async move {
            let mut new = 0;
            loop {
                let place = load.next.fetch_add(1, Ordering::SeqCst);
                if place >= load.requests {
                    return new;
                }
                new += until_acknowledged(&machine, &load.request(place, until)).await;
                load.acknowledged.fetch_add(EVENTS_PER_REQUEST, Ordering::SeqCst);
            }
        });
    }
    clients.join_all().await.into_iter().sum()
}

async fn until_acknowledged(machine: &Machine, body: &str) -> usize {
    for _ in 0..TRIES_MAX {
        match machine.offer_lines("/v1/events", body.to_owned()).await {
            Some((200, answer)) => {
                let count = |name: &str| answer[name].as_u64().unwrap_or_default() as usize;
                assert_eq!(count("accepted") + count("duplicate"), EVENTS_PER_REQUEST, "{answer}");
                return count("accepted");
            }
            // Too much at once, or nobody there: the events stay with the client and are sent again.
            Some((429 | 503, _)) | None => tokio::time::sleep(Duration::from_millis(100)).await,
            Some((status, answer)) => panic!("{status}: {answer}"),
        }
    }
    panic!("a request was never acknowledged");
}

/// The highest memory in the first and in the last third of what is left of the load.
async fn memory_of_a_life(program: &Program, load: &Load) -> (u64, u64) {
    let (began, end) = (load.acknowledged(), load.events());
    let third = (end - began) / 3;
    let (mut first, mut last) = (0, 0);
    loop {
        let (done, bytes) = (load.acknowledged() - began, program.memory_bytes());
        if done < third {
            first = first.max(bytes);
        } else if done >= 2 * third {
            last = last.max(bytes);
        }
        if began + done >= end {
            return (first, last);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// How long the two pages take that look at calls and at usage: told, not demanded, for this is a debug build.
async fn tell_how_long_pages_take(program: &Program) {
    let owner = Guest::signed_in(program, "admin@nordlicht.example").await;
    for path in ["/admin/calls", "/admin/usage"] {
        let mut took = Vec::new();
        for _ in 0..100 {
            let began = Instant::now();
            let page = owner.get(path).await;
            assert_eq!(page.status, 200, "{path}");
            took.push(began.elapsed());
        }
        took.sort_unstable();
        println!("{path}: half within {:?}, 99 of 100 within {:?}; the goal is {PAGE_GOAL:?}", took[49], took[98]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_of_events_survives_three_kills_and_cut_connections_and_counts_once() {
    let mut dice = Dice::new(seed());
    let mut program = Program::on_the_demo_world().await;
    let meter = Meter::new(METER, "Units of the flood", "unit", Aggregation::Sum, &["part"]);
    let (book, customers) = nordlicht(&program, &meter).await;
    let load = Load::of(&customers);
    let machines: Vec<Arc<Machine>> = (0..CLIENTS)
        .map(|_| Arc::new(Machine::with_key(&program, "localhost", "nordlicht", &["usage:write"])))
        .collect();
    let until = Clock::machine().now().timestamp();
    let began = Instant::now();
    let sending = tokio::spawn({
        let (machines, load) = (machines.clone(), Arc::clone(&load));
        async move { send(&machines, &load, until).await }
    });
    let first = load.events() * KILLS_UNTIL_PERCENT / 100;
    let mut kills: Vec<usize> = (0..3).map(|_| first / 10 + dice.roll(first as u64 * 9 / 10) as usize).collect();
    kills.sort_unstable();
    for at in kills {
        while load.acknowledged() < at {
            assert!(!sending.is_finished(), "the load ended before the cut");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        program.cut_off();
        let acknowledged = load.acknowledged() as i64;
        let (_, events) = counted(&program, book, METER).await;
        assert!(events >= acknowledged, "{acknowledged} events were acknowledged, {events} are stored");
        println!("kill -9: {acknowledged} acknowledged, {events} stored");
        program.start_again();
        // And the database hangs up on everybody in the middle of it.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let everybody = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'ringtill_tenant'";
        program.database.as_owner(everybody).await;
    }
    let (first, last) = memory_of_a_life(&program, &load).await;
    sending.await.unwrap();
    println!(
        "{} events in {:?}; memory {first} bytes in the first third, {last} in the last",
        load.events(),
        began.elapsed()
    );
    assert!(last <= first + GROWTH_MAX_BYTES, "memory grows with the load: {first} bytes, then {last}");
    let units: usize = (0..load.events()).map(Load::units).sum();
    let expected = (Decimal::from(units), load.events() as i64);
    assert_eq!(counted(&program, book, METER).await, expected);
    assert_recount_is_clean(&program);
    tell_how_long_pages_take(&program).await;

    load.next.store(0, Ordering::SeqCst);
    let began = Instant::now();
    assert_eq!(send(&machines, &load, until).await, 0, "the whole load once more, and nothing of it is new");
    println!("and all of it again in {:?}", began.elapsed());
    assert_eq!(counted(&program, book, METER).await, expected);
    assert_recount_is_clean(&program);
}
