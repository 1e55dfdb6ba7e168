//! Files of call records: what they come to, once, whatever stops the work on the way.

use crate::plans::{minutes, monthly, sell_terms};
use crate::world::{ANNA, FIRM, NUMBER, World, at, dec, eur};
use call_control::{CallFilter, IMPORT_BLOCK_ROWS, RecordReplay, replay_records, work_import};
use chrono::{DateTime, TimeDelta, Utc};
use db::{ImportId, PlatformReason, TenantId};
use std::sync::atomic::{AtomicUsize, Ordering};
use subscription::{LateUsage, NewPlanVersion};
use usage_metering::{
    Column, Format, Import, ImportState, Mapping, NewImport, NotCounted, Settings, SuspenseCause, TimeFormat,
};

/// An hour after the first call.
fn noon() -> DateTime<Utc> {
    at(7_200)
}

fn settings() -> Settings {
    let columns = [
        (Column::Id, "id"),
        (Column::Caller, "from"),
        (Column::Called, "to"),
        (Column::Start, "start"),
        (Column::Billsec, "talk"),
        (Column::Digit, "topic"),
        (Column::Account, "account"),
        (Column::Direction, "direction"),
    ];
    let mapping = Mapping {
        separator: ',',
        has_header: true,
        decimal_comma: false,
        columns: columns.into_iter().map(|(column, name)| (column, name.to_owned())).collect(),
        dimensions: Default::default(),
        time_format: TimeFormat::Iso,
        duration_unit: Default::default(),
    };
    Settings { source: "old switch".into(), mapping: Some(mapping), ..Settings::new(Format::Csv) }
}

const HEADER: &str = "id,from,to,start,talk,topic,account,direction\n";

fn row(id: &str, from: &str, to: &str, second: i64, talk: u32, topic: &str) -> String {
    format!("{id},{from},{to},{},{talk},{topic},,\n", at(second).format("%FT%TZ"))
}

async fn upload(world: &World, book: TenantId, file: &str) -> ImportId {
    let tx = world.book(book).await;
    let new = NewImport { name: "calls.csv", settings: &settings(), bytes: file.as_bytes(), by: "test" };
    let id = usage_metering::create_import(&tx, &new, noon()).await.unwrap();
    tx.commit().await.unwrap();
    id
}

async fn start(world: &World, book: TenantId, id: ImportId) {
    let tx = world.book(book).await;
    usage_metering::start_import(&tx, id, noon()).await.unwrap();
    tx.commit().await.unwrap();
}

async fn work(world: &World, book: TenantId, id: ImportId, now: DateTime<Utc>) -> bool {
    work_import(&world.test.db, book, id, &move || now, &|| true).await.unwrap()
}

async fn import(world: &World, book: TenantId, file: &str) -> Import {
    let id = upload(world, book, file).await;
    start(world, book, id).await;
    assert!(work(world, book, id, noon()).await);
    find(world, book, id).await
}

async fn find(world: &World, book: TenantId, id: ImportId) -> Import {
    usage_metering::import(&world.book(book).await, id).await.unwrap()
}

async fn report(world: &World, id: ImportId) -> Vec<String> {
    let rows = usage_metering::import_report(&world.tx().await, id, 0, 1000).await.unwrap();
    let told = |row: NotCounted| format!("{} {} {} {} {}", row.row, row.outcome, row.field, row.rule, row.value);
    rows.into_iter().map(told).collect()
}

async fn waiting(world: &World) -> Vec<&'static str> {
    let open = usage_metering::open_suspense(&world.tx().await, 100).await.unwrap();
    open.into_iter().map(|entry| entry.cause.as_str()).collect()
}

async fn calls(world: &World) -> (i64, i64) {
    let all = call_control::calls(&world.tx().await, &CallFilter::between(at(0), at(9_999_999))).await.unwrap();
    (all.totals.calls as i64, all.totals.metered_calls as i64)
}

/// accepted, duplicate, conflict, suspended, refused
fn counts(import: &Import) -> [u64; 5] {
    let progress = import.progress;
    [progress.accepted, progress.duplicate, progress.conflict, progress.suspended, progress.refused]
}

fn morning() -> String {
    [
        HEADER.to_owned(),
        row("1", ANNA, NUMBER, 0, 61, "3"),             // 0.60 a minute: 0.61
        row("2", FIRM, NUMBER, 60, 1569, "1"),          // 5.00 + 20 x 0.50 + 6.2 x 0.25 = 16.55
        row("3", ANNA, NUMBER, 120, 0, "3"),            // nobody answered
        row("4", ANNA, "+4930900199", 180, 60, "3"),    // somebody else's number
        row("5", "+491709999999", NUMBER, 240, 60, ""), // nobody's line
        row("6", ANNA, NUMBER, 300, 60, ""),            // which topic?
        row("7", ANNA, "1001", 360, 60, "3"),
        row("8", ANNA, NUMBER, 420, 60, "x"),
    ]
    .concat()
}

#[tokio::test]
async fn a_file_becomes_what_the_calls_would_have_been_and_the_same_file_again_changes_nothing() {
    let world = World::set().await;
    let id = upload(&world, world.centre, &morning()).await;
    let tx = world.tx().await;
    usage_metering::try_import(&tx, id, noon()).await.unwrap();
    tx.commit().await.unwrap();
    assert!(work(&world, world.centre, id, noon()).await);
    let tried = find(&world, world.centre, id).await;
    assert_eq!((tried.state, counts(&tried)), (ImportState::Tried, [3, 0, 0, 3, 2]));
    assert_eq!((tried.progress.charged, tried.progress.charged_micros), (2, 17_160_000)); // 0.61 + 16.55
    let nothing = ((0, 0), Vec::<&str>::new(), (eur("20.00"), eur("0")));
    assert_eq!((calls(&world).await, waiting(&world).await, world.wallet().await), nothing);
    start(&world, world.centre, id).await;
    assert!(work(&world, world.centre, id, noon()).await);
    let done = find(&world, world.centre, id).await;
    assert_eq!((done.state, done.progress), (ImportState::Done, tried.progress));
    assert_eq!(
        report(&world, id).await,
        [
            "5 suspense id unknown_number 4",
            "6 suspense id unknown_customer 5",
            "7 suspense id not_chargeable 6",
            "8 refused to number_must_be_international 1001",
            "9 refused topic digit_must_be_one_of_ten x",
        ]
    );
    assert_eq!(waiting(&world).await.len(), 3);
    assert_eq!((calls(&world).await, world.wallet().await.0), ((3, 2), eur("19.39"))); // 20.00 - 0.61
    assert_eq!(world.used(world.centre, world.firm, "minutes").await, dec("26.2")); // 1,572 s: started six seconds
    let again = import(&world, world.centre, &morning()).await;
    assert_eq!((counts(&again), again.progress.charged), ([0, 6, 0, 0, 2], 0));
    assert_eq!((calls(&world).await, waiting(&world).await.len(), world.wallet().await.0), ((3, 2), 3, eur("19.39")));
    let other = import(&world, world.centre, &morning().replace(",61,3", ",3600,3")).await;
    assert_eq!((counts(&other), world.wallet().await.0), ([0, 5, 1, 0, 2], eur("19.39")), "the first stands");
    world.audit(noon()).await;
}

/// 1,200 calls of one second: 0.01 each.
fn many() -> String {
    let rows = (0..1_200).map(|n| row(&format!("m{n}"), FIRM, NUMBER, n, 1, "3"));
    HEADER.to_owned() + &rows.collect::<String>()
}

#[tokio::test]
async fn an_import_that_is_cut_off_between_blocks_goes_on_at_the_row() {
    let world = World::set().await;
    let id = upload(&world, world.centre, &many()).await;
    start(&world, world.centre, id).await;
    let asked = AtomicUsize::new(0);
    let once = || asked.fetch_add(1, Ordering::SeqCst) == 0;
    assert!(!work_import(&world.test.db, world.centre, id, &noon, &once).await.unwrap());
    let half = find(&world, world.centre, id).await;
    assert_eq!((half.state, half.progress.rows), (ImportState::Running, IMPORT_BLOCK_ROWS as u64));
    assert_eq!(calls(&world).await.0, 500);
    assert!(half.progress.bytes > 0 && half.progress.bytes < half.file_bytes);
    // 500 of 1,200 rows took a minute: the rest takes a bit more than 84 s.
    let left = half.seconds_left(noon() + TimeDelta::seconds(60)).unwrap();
    assert!((80..90).contains(&left), "{left}");
    assert_eq!(half.rows_per_second(noon() + TimeDelta::seconds(50)), Some(10));
    assert!(work(&world, world.centre, id, noon()).await);
    let done = find(&world, world.centre, id).await;
    assert_eq!((done.state, counts(&done)), (ImportState::Done, [1_200, 0, 0, 0, 0]));
    assert_eq!(done.progress.charged_micros, 12_000_000); // 1,200 x 0.01
    assert_eq!((calls(&world).await.0, done.progress.bytes), (1_200, done.file_bytes));
    assert_eq!(usage_metering::import_file(&world.tx().await, id).await.unwrap(), b"", "its file is given up");
    world.audit(noon()).await;
}

#[tokio::test]
async fn a_worker_that_died_is_waited_for_a_minute_and_two_at_once_count_once() {
    let world = World::set().await;
    let id = upload(&world, world.centre, &many()).await;
    start(&world, world.centre, id).await;
    let tx = world.tx().await;
    assert!(usage_metering::claim_import(&tx, id, noon()).await.unwrap()); // and never heard of again
    tx.commit().await.unwrap();
    assert!(!work(&world, world.centre, id, noon() + TimeDelta::seconds(59)).await);
    assert_eq!(calls(&world).await.0, 0);
    let later = noon() + TimeDelta::seconds(60);
    let both = tokio::join!(work(&world, world.centre, id, later), work(&world, world.centre, id, later));
    assert_ne!(both.0, both.1, "one of them holds it");
    assert_eq!(counts(&find(&world, world.centre, id).await), [1_200, 0, 0, 0, 0]);
    assert_eq!(calls(&world).await.0, 1_200);
}

#[tokio::test]
async fn a_late_record_is_its_owners_of_that_time_and_nobody_else_sees_the_import() {
    let world = World::set().await;
    let ptx = world.test.db.platform(PlatformReason::Provision).await.unwrap();
    // From the second hour on it is the reseller's own.
    subscription::assign_number(&ptx, world.number, world.reseller, at(3_600)).await.unwrap();
    ptx.commit().await.unwrap();
    let file =
        [HEADER.to_owned(), row("a", ANNA, NUMBER, 3_599, 60, "3"), row("b", ANNA, NUMBER, 3_600, 60, "3")].concat();
    let import = import(&world, world.centre, &file).await;
    assert_eq!((counts(&import), waiting(&world).await), ([1, 0, 0, 1, 0], vec!["unknown_number"]));
    assert_eq!(world.wallet().await.0, eur("19.40")); // 20.00 - 0.60
    for stranger in [world.reseller, world.operator] {
        let tx = world.book(stranger).await;
        assert!(usage_metering::import(&tx, import.id).await.is_err());
        assert!(usage_metering::start_import(&tx, import.id, noon()).await.is_err());
        assert_eq!(usage_metering::imports(&tx, None, 10).await.unwrap(), []);
        assert_eq!(usage_metering::import_report(&tx, import.id, 0, 10).await.unwrap(), []);
        assert_eq!(usage_metering::import_file(&tx, import.id).await.unwrap(), b"");
    }
    world.audit(noon()).await;
}

#[tokio::test]
async fn what_waits_is_settled_once_its_cause_is_gone_after_a_dry_run() {
    let world = World::set().await;
    let file = HEADER.to_owned() + &row("5", "+491709999999", NUMBER, 240, 60, "3");
    assert_eq!(counts(&import(&world, world.centre, &file).await), [0, 0, 0, 1, 0]);
    let again = async |is_meant: bool| {
        let tx = world.tx().await;
        let replay = replay_records(&tx, SuspenseCause::UnknownCustomer, None, false, "Ada", noon()).await.unwrap();
        if is_meant {
            tx.commit().await.unwrap()
        } else {
            tx.rollback().await.unwrap()
        }
        replay
    };
    let still = RecordReplay { tried: 1, waiting: [(SuspenseCause::UnknownCustomer, 1)].into(), ..Default::default() };
    assert_eq!(again(true).await, still);
    let tx = world.tx().await;
    subscription::add_phone(&tx, world.anna, "+491709999999", noon()).await.unwrap();
    tx.commit().await.unwrap();
    let settled = RecordReplay { tried: 1, settled: 1, charged: vec![eur("0.60")], ..Default::default() };
    assert_eq!(again(false).await, settled);
    assert_eq!((world.wallet().await.0, waiting(&world).await.len()), (eur("20.00"), 1), "a dry run");
    assert_eq!(again(true).await, settled);
    assert_eq!((world.wallet().await.0, waiting(&world).await.len()), (eur("19.40"), 0));
    assert_eq!(again(true).await, RecordReplay::default());
    assert_eq!(counts(&import(&world, world.centre, &file).await), [0, 1, 0, 0, 0], "and the file is a duplicate");
    world.audit(noon()).await;
}

#[tokio::test]
async fn a_call_that_comes_after_its_month_waits_for_a_person_where_its_plan_says_so() {
    let world = World::set().await;
    let terms = NewPlanVersion { late_usage: LateUsage::Suspend, ..monthly(vec![minutes("0")]) };
    sell_terms(&world, "counted", world.firm, terms).await;
    let file = HEADER.to_owned() + &row("1", FIRM, NUMBER, 0, 60, "3") + &row("2", ANNA, NUMBER, 0, 60, "3");
    let april = at(31 * 86_400); // 2 April; the month of 2 March ended on the first
    let id = upload(&world, world.centre, &file).await;
    start(&world, world.centre, id).await;
    assert!(work(&world, world.centre, id, april).await);
    // Anna has no plan, and her wallet pays whenever it comes.
    assert_eq!(counts(&find(&world, world.centre, id).await), [1, 0, 0, 1, 0]);
    assert_eq!((waiting(&world).await, calls(&world).await.0), (vec!["late_usage"], 1));
    let tx = world.tx().await;
    let replay = replay_records(&tx, SuspenseCause::LateUsage, None, false, "Ada", april).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!((replay.settled, replay.covered), (1, 1));
    assert_eq!((waiting(&world).await.len(), calls(&world).await.0), (0, 2));
    assert_eq!(world.used(world.centre, world.firm, "minutes").await, dec("1"));
    world.audit(april).await;
}

#[tokio::test]
async fn a_call_from_a_number_of_the_book_is_usage_of_the_account_that_it_names() {
    let world = World::set().await;
    let out = |id: &str, talk: u32, account: &str| {
        format!("{id},{NUMBER},+43123456789,{},{talk},,{account},out\n", at(0).format("%FT%TZ"))
    };
    let file = [HEADER.to_owned(), out("o1", 90, "C-2"), out("o2", 0, "C-2"), out("o3", 60, "")].concat();
    let import = import(&world, world.centre, &file).await;
    assert_eq!((counts(&import), waiting(&world).await), ([2, 0, 0, 1, 0], vec!["unknown_customer"]));
    assert_eq!(world.used(world.centre, world.firm, "minutes").await, dec("1.5"));
    assert_eq!(world.used(world.centre, world.firm, "calls").await, dec("1"));
    assert_eq!(calls(&world).await, (0, 0));
}

#[tokio::test]
async fn an_import_is_asked_for_what_its_state_allows() {
    let world = World::set().await;
    let id = upload(&world, world.centre, &many()).await;
    let tx = world.tx().await;
    assert!(usage_metering::stop_import(&tx, id, "no", noon()).await.is_err(), "nothing runs");
    usage_metering::start_import(&tx, id, noon()).await.unwrap();
    assert!(usage_metering::change_import_settings(&tx, id, &settings()).await.is_err(), "it runs");
    assert!(usage_metering::delete_import(&tx, id).await.is_err());
    usage_metering::stop_import(&tx, id, "wrong file", noon()).await.unwrap();
    tx.commit().await.unwrap();
    assert!(!work(&world, world.centre, id, noon()).await, "it is stopped");
    assert_eq!(find(&world, world.centre, id).await.stopped_because.as_deref(), Some("wrong file"));
    start(&world, world.centre, id).await;
    assert!(work(&world, world.centre, id, noon()).await);
    let tx = world.tx().await;
    let empty = NewImport { name: "e", settings: &settings(), bytes: b"", by: "test" };
    assert!(usage_metering::create_import(&tx, &empty, noon()).await.is_err());
    let small = NewImport { bytes: b"x", ..empty };
    for _ in 0..8 {
        usage_metering::create_import(&tx, &small, noon()).await.unwrap();
    }
    let refused = usage_metering::create_import(&tx, &small, noon()).await.unwrap_err();
    assert!(refused.to_string().contains("at most 8 files"), "{refused}");
}
