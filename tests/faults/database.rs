//! F18, F20, F21, F22: the database dies, has no room, has no connection left; the network dawdles. Nothing that was acknowledged
//! is missing, who waits is told so in time, and nobody has to repair anything afterwards.

use super::audit::{assert_audit_is_clean, assert_recount_is_clean, counted};
use super::dice::{Dice, seeds};
use super::events::{METER, Story, sent};
use db::testing::TestDatabase;
use manual::{Machine, Program, guarded_demo_database};
use rust_decimal::Decimal;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::{JoinHandle, JoinSet};

/// Who waits for a connection is answered within this: two seconds of waiting at most for each of the two that a request needs,
/// and what 500 requests at once cost a debug build.
const TOLD_WITHIN: Duration = Duration::from_secs(8);
/// A stalled connection is hung up on within this.
const HUNG_UP_WITHIN: Duration = Duration::from_secs(25);
/// The program answers again so soon after the database does.
const BACK_WITHIN: Duration = Duration::from_secs(10);

/// Several systems that send until they are told to stop, each request again until it is acknowledged.
struct Senders {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
    clients: JoinHandle<()>,
}

impl Senders {
    fn start(story: &Arc<Story>, size: usize, from: usize) -> Senders {
        let stop = Arc::new(AtomicBool::new(false));
        let (acknowledged, refused, next) =
            (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut clients = JoinSet::new();
        for _ in 0..4 {
            let story = Arc::clone(story);
            let (stop, next) = (Arc::clone(&stop), Arc::clone(&next));
            let (acknowledged, refused) = (Arc::clone(&acknowledged), Arc::clone(&refused));
            clients.spawn(async move {
                while !stop.load(Ordering::SeqCst) {
                    let body = story.lines(from + next.fetch_add(1, Ordering::SeqCst) * size, size);
                    loop {
                        match story.machine.offer_lines("/v1/events", body.clone()).await {
                            Some((200, answer)) => {
                                let count = |name: &str| answer[name].as_u64().unwrap_or_default() as usize;
                                assert_eq!(count("accepted") + count("duplicate"), size, "{answer}");
                                acknowledged.fetch_add(size, Ordering::SeqCst);
                                break;
                            }
                            // 500: the key could not be looked up. Whatever it is, it is no acknowledgement.
                            Some((429 | 500 | 503, _)) | None => {
                                refused.fetch_add(1, Ordering::SeqCst);
                                tokio::time::sleep(Duration::from_millis(50)).await;
                            }
                            Some((status, answer)) => panic!("{status}: {answer}"),
                        }
                    }
                }
            });
        }
        let clients = tokio::spawn(async move { drop(clients.join_all().await) });
        Senders { stop, acknowledged, refused, clients }
    }

    fn acknowledged(&self) -> usize {
        self.acknowledged.load(Ordering::SeqCst)
    }

    fn refused(&self) -> usize {
        self.refused.load(Ordering::SeqCst)
    }

    async fn until(&self, what: &str, within: Duration, is_so: impl Fn(&Senders) -> bool) {
        let began = Instant::now();
        while !is_so(self) {
            assert!(began.elapsed() < within, "{what}: not within {within:?}");
            assert!(!self.clients.is_finished(), "{what}: the senders have ended");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// All that was acknowledged in the end.
    async fn finish(self) -> usize {
        self.stop.store(true, Ordering::SeqCst);
        self.clients.await.unwrap();
        self.acknowledged.load(Ordering::SeqCst)
    }
}

async fn assert_all_counted(program: &Program, story: &Story, events: usize) {
    assert_eq!(counted(program, story.book, METER).await, (Decimal::from(events), events as i64));
    assert_recount_is_clean(program);
}

// ---- F18 ---------------------------------------------------------------------------------------------------------------------

/// A server of one's own: to kill one of its backends stops all that it serves.
const OWN_SERVER: &str = "RINGTILL_OWN_SERVER";

#[test]
fn a_database_that_is_killed_comes_back_with_all_that_was_acknowledged() {
    if std::env::var(OWN_SERVER).is_ok() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        return runtime.block_on(kills());
    }
    let starter = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../deploy/dev/with-test-cluster");
    let check = "faults::database::a_database_that_is_killed_comes_back_with_all_that_was_acknowledged";
    let own = Command::new(starter)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", check, "--nocapture"])
        .env_remove("RINGTILL_TEST_SERVER")
        .env("RINGTILL_TEST_DURABLE", "1")
        .env(OWN_SERVER, "1")
        .output()
        .unwrap();
    let said = [own.stdout, own.stderr].concat();
    println!("{}", String::from_utf8_lossy(&said));
    assert!(own.status.success(), "the same test on a server of its own fails");
}

async fn kills() {
    let database = guarded_demo_database().await;
    // Whatever is not yet on disk when the backend dies is lost: so late would a server write by itself.
    database.as_owner("ALTER SYSTEM SET wal_writer_delay = '10s'").await;
    database.as_owner("SELECT pg_reload_conf()").await;
    let program = Program::on(database);
    let story = Arc::new(Story::of(&program).await);
    let mut events = 0;
    for seed in seeds() {
        let mut dice = Dice::new(seed);
        let senders = Senders::start(&story, 20, events);
        for signal in ["-KILL", "-TERM", "-KILL"] {
            let from = senders.acknowledged() + 200 + dice.roll(600) as usize;
            senders.until("events are acknowledged", Duration::from_secs(60), |all| all.acknowledged() >= from).await;
            let pid = backend_of(&program.database).await;
            assert!(Command::new("kill").args([signal, &pid.to_string()]).status().unwrap().success());
            until_it_answers(&program.database).await;
            let at = senders.acknowledged();
            senders.until("acknowledged again", BACK_WITHIN, |all| all.acknowledged() > at + 40).await;
        }
        events += senders.finish().await;
        assert_all_counted(&program, &story, events).await;
    }
}

/// Until the database has recovered; how long that takes is its own affair.
async fn until_it_answers(database: &TestDatabase) {
    use secrecy::ExposeSecret;
    use sqlx::Connection;
    for _ in 0..1_200 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        if sqlx::postgres::PgConnection::connect(database.owner.expose_secret()).await.is_ok() {
            return;
        }
    }
    panic!("the database never came back");
}

/// A backend that serves the mass path.
async fn backend_of(database: &TestDatabase) -> i64 {
    let own = "SELECT coalesce(max(pid), 0)::bigint FROM pg_stat_activity WHERE datname = current_database() AND usename = 'ringtill_tenant' AND pid <> pg_backend_pid()";
    loop {
        // The first look after a crash finds the connections of the pool dead.
        if let Ok(mut bulk) = database.db.bulk(db::TenantId::new()).await
            && let Ok(pid) = bulk.number(own).await
            && pid > 0
        {
            return pid;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

// ---- F20 ---------------------------------------------------------------------------------------------------------------------

/// A small disk in memory for one database; gone with it.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` where this user may not mount one.
    async fn with(database: &TestDatabase, spare_bytes: i64) -> Option<SmallDisk> {
        let mut bulk = database.db.bulk(db::TenantId::new()).await.unwrap();
        let size = bulk.number("SELECT pg_database_size(current_database())").await.unwrap() + spare_bytes;
        drop(bulk);
        let folder = std::env::temp_dir().join(format!("ringtill-disk-{}", uuid::Uuid::now_v7().simple()));
        std::fs::create_dir(&folder).unwrap();
        let options = format!("size={size},mode=0777");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&folder).status();
        if !mounted.is_ok_and(|status| status.success()) {
            std::fs::remove_dir(&folder).unwrap();
            return None;
        }
        Some(SmallDisk(folder))
    }

    /// Where the server may write: the mount's own folder belongs to whoever mounted it.
    fn space(&self) -> PathBuf {
        self.0.join("space")
    }

    fn grow(&self, size: &str) {
        let grown = Command::new("mount").args(["-o", &format!("remount,size={size}")]).arg(&self.0).status();
        assert!(grown.unwrap().success(), "whoever may mount may mount again");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
        let _ = std::fs::remove_dir(&self.0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_acknowledges_nothing_says_so_and_goes_on_by_itself_once_there_is_room() {
    let mut database = guarded_demo_database().await;
    let Some(disk) = SmallDisk::with(&database, 12 << 20).await else {
        println!("SKIPPED: this user may not mount a small disk, so nothing is known of a full one");
        return;
    };
    move_to(&mut database, &disk).await;
    let program = Program::on(database);
    let story = Arc::new(Story::of(&program).await);
    let senders = Senders::start(&story, 500, 0);
    senders.until("the disk is full", Duration::from_secs(120), |all| all.refused() > 20).await;
    assert_eq!(Machine::at(&program, "localhost").get("/readyz").await.0, 503, "who balances load sends nobody here");
    let acknowledged = senders.acknowledged() as i64;
    let (_, stored) = counted(&program, story.book, METER).await;
    assert!(stored >= acknowledged, "{acknowledged} events were acknowledged, {stored} are stored");
    println!("full at {acknowledged} events; {stored} stored");

    disk.grow("1G");
    let full = senders.acknowledged();
    senders.until("events are acknowledged again", BACK_WITHIN, |all| all.acknowledged() > full + 4 * 500).await;
    let events = senders.finish().await;
    assert_eq!(Machine::at(&program, "localhost").get("/readyz").await.0, 200);
    assert_all_counted(&program, &story, events).await;
    assert_audit_is_clean(&program);
    let name = program.database.name.clone();
    drop(program);
    // The server keeps the database until its cluster goes; its disk must not go first.
    elsewhere(&name).await;
}

/// Moves a database onto the small disk and connects to it again.
async fn move_to(database: &mut TestDatabase, disk: &SmallDisk) {
    database.db.clone().close().await.unwrap();
    // The server runs as another user: it gets the folder, by its number.
    let server = server_user().await;
    std::fs::create_dir(disk.space()).unwrap();
    let owned = Command::new("chown").arg(server).arg(disk.space()).status();
    assert!(owned.unwrap().success());
    let space = format!("space_{}", database.name);
    admin(&format!("CREATE TABLESPACE \"{space}\" LOCATION '{}'", disk.space().display())).await;
    admin(&format!("ALTER DATABASE \"{}\" SET TABLESPACE \"{space}\"", database.name)).await;
    database.db = db::Db::connect(&database.config).await.unwrap();
}

async fn elsewhere(name: &str) {
    admin(&format!("DROP DATABASE \"{name}\" WITH (FORCE)")).await;
    admin(&format!("DROP TABLESPACE \"space_{name}\"")).await;
}

async fn admin(statement: &str) {
    use sqlx::Connection;
    let server = std::env::var("RINGTILL_TEST_SERVER").unwrap();
    let mut admin = sqlx::postgres::PgConnection::connect(&server).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_owned())).execute(&mut admin).await.unwrap();
    admin.close().await.unwrap();
}

/// `user:group` that the server's own folder belongs to.
async fn server_user() -> String {
    use sqlx::{Connection, Row};
    use std::os::unix::fs::MetadataExt;
    let server = std::env::var("RINGTILL_TEST_SERVER").unwrap();
    let mut admin = sqlx::postgres::PgConnection::connect(&server).await.unwrap();
    let row = sqlx::query("SELECT current_setting('data_directory')").fetch_one(&mut admin).await.unwrap();
    let folder: String = row.try_get(0).unwrap();
    let owner = std::fs::metadata(folder).unwrap();
    format!("{}:{}", owner.uid(), owner.gid())
}

// ---- F21 ---------------------------------------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_finds_no_connection_is_told_to_come_back_and_events_have_connections_of_their_own() {
    let program = Program::on_the_demo_world().await;
    let story = Story::of(&program).await;
    // Its key is noted as used, and the book read, before anything is slow.
    assert_eq!(sent(story.machine.offer_lines("/v1/events", story.lines(0, 1)).await.as_ref(), "accepted"), 1);
    let reader = Arc::new(Machine::with_key(&program, "localhost", "nordlicht", &["invoices:read"]));
    assert_eq!(reader.get("/v1/invoices").await.0, 200);
    let slow = "BEGIN; LOCK TABLE document IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(6); COMMIT";
    let owner = program.database.as_owner(slow);
    let readers = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let mut readers = JoinSet::new();
        for _ in 0..500 {
            let reader = Arc::clone(&reader);
            readers.spawn(async move {
                let began = Instant::now();
                (reader.get("/v1/invoices").await.0, began.elapsed())
            });
        }
        tokio::time::sleep(Duration::from_millis(700)).await;
        let began = Instant::now();
        let answer = story.machine.offer_lines("/v1/events", story.lines(1, 100)).await;
        let took = began.elapsed();
        assert_eq!(sent(answer.as_ref(), "accepted"), 100, "{answer:?}");
        assert!(took < TOLD_WITHIN, "events waited {took:?} behind slow readers");
        readers.join_all().await
    };
    let ((), answers) = tokio::join!(owner, readers);
    let busy: Vec<Duration> = answers.iter().filter(|(status, _)| *status == 503).map(|(_, took)| *took).collect();
    let served = answers.iter().filter(|(status, _)| *status == 200).count();
    println!("{served} served, {} told to come back, at most {:?}", busy.len(), busy.iter().max());
    assert!(served > 0 && !busy.is_empty(), "{:?}", answers.iter().map(|(status, _)| *status).collect::<Vec<_>>());
    let limited = answers.iter().filter(|(status, _)| *status == 429).count();
    assert_eq!(served + busy.len() + limited, 500);
    assert!(busy.iter().all(|took| *took < TOLD_WITHIN), "told after {:?}", busy.iter().max());
    // And nothing is left of it.
    assert_eq!(reader.get("/v1/invoices").await.0, 200);
    assert_all_counted(&program, &story, 101).await;
}

// ---- F22 ---------------------------------------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_stall_are_hung_up_on_and_keep_nobody_waiting() {
    let program = Program::on_the_demo_world().await;
    let story = Story::of(&program).await;
    let mut stalled = JoinSet::new();
    for n in 0..100usize {
        let address = program.http.clone();
        stalled.spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let head = "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n";
            // Some stop within the head, some within the body; some send a byte now and then, for ever.
            let sent = [&head[..20], head, &format!("{head}\r\n{{\"a")][n % 3].to_owned();
            stream.write_all(sent.as_bytes()).await.unwrap();
            let began = Instant::now();
            let mut answer = [0u8; 512];
            loop {
                match tokio::time::timeout(Duration::from_millis(500), stream.read(&mut answer)).await {
                    Ok(Ok(0) | Err(_)) => return began.elapsed(),
                    Ok(Ok(_)) => {}
                    Err(_) if n % 2 == 0 && stream.write_all(b"x").await.is_err() => return began.elapsed(),
                    Err(_) => assert!(began.elapsed() < HUNG_UP_WITHIN, "a stalled connection is kept: {sent:?}"),
                }
            }
        });
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    for n in 0..20 {
        let began = Instant::now();
        let answer = story.machine.offer_lines("/v1/events", story.lines(n * 10, 10)).await;
        assert_eq!(sent(answer.as_ref(), "accepted"), 10, "{answer:?}");
        assert!(began.elapsed() < TOLD_WITHIN, "events waited {:?} behind stalled connections", began.elapsed());
    }
    let kept = stalled.join_all().await.into_iter().max().unwrap();
    println!("the last of 100 stalled connections was hung up on after {kept:?}");
    assert_all_counted(&program, &story, 200).await;
}
