//! Many systems send events while the program is killed and its connections are cut: what was acknowledged is there, once, and
//! the whole load sent again changes nothing.

use db::{CustomerId, TenantId};
use manual::{Machine, Program};
use ringtill::clock::Clock;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use usage_metering::{Aggregation, Meter};

const METER: &str = "flood.units";
const CLIENTS: usize = 8;
const EVENTS_PER_REQUEST: usize = 500;
/// Events of the load: small in a debug build on every change, the full ten million by `make test-nightly`.
const EVENTS: usize = 40_000;
const EVENTS_LONG: usize = 10_000_000;
/// Tries of one request before the test gives up; a program that starts again needs some of them.
const TRIES_MAX: usize = 600;

/// What is sent, and how far it is.
struct Load {
    customers: Vec<CustomerId>,
    requests: usize,
    next: AtomicUsize,
    acknowledged: AtomicUsize,
}

impl Load {
    fn of(customers: Vec<CustomerId>) -> Arc<Load> {
        let is_long = std::env::var("RINGTILL_LONG").is_ok_and(|value| value == "1");
        let requests = if is_long { EVENTS_LONG } else { EVENTS } / EVENTS_PER_REQUEST;
        Arc::new(Load { customers, requests, next: AtomicUsize::new(0), acknowledged: AtomicUsize::new(0) })
    }

    fn events(&self) -> usize {
        self.requests * EVENTS_PER_REQUEST
    }

    /// Units of event `n`: 1 to 7.
    fn units(n: usize) -> usize {
        n % 7 + 1
    }

    /// A request, the same each time it is asked for. Events lie in the hours before `until`.
    fn request(&self, place: usize, until: i64) -> String {
        let event = |n: usize| {
            let at = chrono::DateTime::from_timestamp(until - (n % 100_000) as i64, 0).unwrap_or_default();
            let customer = self.customers[n % self.customers.len()];
            json!({
                "specversion": "1.0", "id": format!("load-{n}"), "source": "flood", "type": METER, "time": at.to_rfc3339(),
                "subject": customer.to_string(), "data": { "quantity": Self::units(n), "dimensions": { "part": n % 3 } },
            })
        };
        let first = place * EVENTS_PER_REQUEST;
        Value::from((first..first + EVENTS_PER_REQUEST).map(event).collect::<Vec<_>>()).to_string()
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
        match machine.offer("/v1/events", body.to_owned()).await {
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

async fn nordlicht(program: &Program) -> (TenantId, Vec<CustomerId>) {
    let ptx = program.database.db.platform(db::PlatformReason::Audit).await.unwrap();
    let organisations = tenant::organisations(&ptx).await.unwrap();
    ptx.commit().await.unwrap();
    let id = organisations.iter().find(|organisation| organisation.slug == "nordlicht").unwrap().id;
    let tx = program.database.db.tenant(id).await.unwrap();
    let meter = Meter::new(METER, "Units of the flood", "unit", Aggregation::Sum, &["part"]);
    usage_metering::define_meter(&tx, &meter).await.unwrap();
    let filter = subscription::CustomerFilter::default();
    let customers = subscription::customers(&tx, &filter).await.unwrap();
    tx.commit().await.unwrap();
    (id, customers.into_iter().map(|customer| customer.id).collect())
}

/// All units and events that the book has counted.
async fn counted(program: &Program, book: TenantId) -> (Decimal, i64) {
    let tx = program.database.db.tenant(book).await.unwrap();
    let (from, to) = ("2020-01-01T00:00:00Z".parse().unwrap(), "2040-01-01T00:00:00Z".parse().unwrap());
    let hours = usage_metering::by_hour(&tx, METER, &BTreeMap::new(), from, to).await.unwrap();
    hours.iter().fold((Decimal::ZERO, 0), |(units, events), hour| (units + hour.quantity, events + hour.events))
}

fn assert_recount_is_clean(program: &Program) {
    let audit = program.command(&["audit", "--recount"]).output().unwrap();
    let said = String::from_utf8_lossy(&audit.stdout);
    assert_eq!(audit.status.code(), Some(0), "{said}{}", String::from_utf8_lossy(&audit.stderr));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_of_events_survives_three_kills_and_cut_connections_and_counts_once() {
    let mut program = Program::on_the_demo_world().await;
    let (book, customers) = nordlicht(&program).await;
    let load = Load::of(customers);
    let scopes = ["usage:write"];
    let machines: Vec<Arc<Machine>> =
        (0..CLIENTS).map(|_| Arc::new(Machine::with_key(&program, "localhost", "nordlicht", &scopes))).collect();
    let until = Clock::machine().now().timestamp();
    let sending = tokio::spawn({
        let (machines, load) = (machines.clone(), Arc::clone(&load));
        async move { send(&machines, &load, until).await }
    });
    for part in 1..=3 {
        while load.acknowledged.load(Ordering::SeqCst) < load.events() * part / 4 {
            assert!(!sending.is_finished(), "the load ended before the cut");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        program.cut_off();
        let acknowledged = load.acknowledged.load(Ordering::SeqCst) as i64;
        let (_, events) = counted(&program, book).await;
        assert!(events >= acknowledged, "{acknowledged} events were acknowledged, {events} are stored");
        println!("cut {part}: {acknowledged} acknowledged, {events} stored");
        program.start_again();
        // And the database hangs up on everybody in the middle of it.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let everybody = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'ringtill_tenant'";
        program.database.as_owner(everybody).await;
    }
    sending.await.unwrap();
    let units: usize = (0..load.events()).map(Load::units).sum();
    let expected = (Decimal::from(units), load.events() as i64);
    assert_eq!(counted(&program, book).await, expected);
    assert_recount_is_clean(&program);

    load.next.store(0, Ordering::SeqCst);
    assert_eq!(send(&machines, &load, until).await, 0, "the whole load once more, and nothing of it is new");
    assert_eq!(counted(&program, book).await, expected);
    assert_recount_is_clean(&program);
}
