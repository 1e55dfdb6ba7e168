//! The real program, as a person starts it: `ringtill serve` on a database and ports of its own.

use db::testing::{TestDatabase, database_from};
use std::io::Read;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The password of the two login roles in every test database (`db::testing` sets it).
const ROLE_PASSWORD: &str = "test-only";

/// A running `ringtill serve`. Dropped, it is stopped, and its folder removed.
pub struct Program {
    pub database: TestDatabase,
    /// `127.0.0.1:port` of the pages and the API.
    pub http: String,
    /// `127.0.0.1:port` of the SIP edge.
    pub sip: String,
    folder: PathBuf,
    /// How far the program's clock is ahead of the machine's.
    days_ahead: u32,
    child: Child,
}

/// The program that this test run has built: it lies beside the folder of the test programs.
pub fn program_path() -> PathBuf {
    let test = std::env::current_exe().expect("a running program has a path");
    let built = test.parent().and_then(Path::parent).expect("test programs lie in target/PROFILE/deps");
    built.join("ringtill")
}

/// A database with the demo world in it. It is loaded once for a test run; everybody gets a copy.
pub async fn demo_database() -> TestDatabase {
    database_from("demo", |empty| async move {
        let folder = new_folder();
        let mut demo = environment(Command::new(program_path()), &empty, &folder);
        let output = demo.arg("demo").output().expect("the program can be started");
        remove_folder(&folder);
        assert!(output.status.success(), "ringtill demo failed:\n{}", String::from_utf8_lossy(&output.stderr));
        // A database that somebody is connected to cannot be copied.
        empty.db.close().await.expect("the pools close");
    })
    .await
}

/// The demo world for a test that may itself be under test: with a guard less, if somebody has taken one away.
pub async fn guarded_demo_database() -> TestDatabase {
    let database = demo_database().await;
    if let Ok(statements) = std::env::var("RINGTILL_MUTANT_SQL") {
        database.as_owner(&statements).await;
    }
    database
}

impl Program {
    /// Starts the program on a fresh copy of the demo world and waits until it answers.
    pub async fn on_the_demo_world() -> Self {
        Self::on(guarded_demo_database().await)
    }

    /// The same with a fault in it, as `db::fault` names them: it dies at that place.
    pub async fn that_dies_at(place: &str) -> Self {
        Self::on_with(guarded_demo_database().await, &[("RINGTILL_FAULT", place)])
    }

    /// Starts the program on this database. Call it from the test's own thread: the program ends with that thread.
    pub fn on(database: TestDatabase) -> Self {
        Self::on_with(database, &[])
    }

    fn on_with(database: TestDatabase, variables: &[(&str, &str)]) -> Self {
        let folder = new_folder();
        let (http, sip) = (free_address(), free_address());
        let mut serve = environment(serve(), &database, &folder);
        serve.envs(variables.iter().copied());
        let child = start(serve, &folder, &http, &sip);
        let mut program = Self { database, http, sip, folder, days_ahead: 0, child };
        program.await_answer();
        program
    }

    /// `http://HOST:port`: a brand's pages under its own host name, which leads to this machine.
    pub fn origin(&self, host: &str) -> String {
        let port = self.http.rsplit(':').next().unwrap_or_default();
        format!("http://{host}:{port}")
    }

    /// What the program has written so far, both streams.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Another command of the program on the same database: `ringtill audit`, for instance.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.ahead_of_the_machine(Command::new(program_path()));
        command.env("RINGTILL_HTTP", &self.http).env("RINGTILL_SIP", &self.sip).args(arguments);
        command
    }

    /// Memory of its own that the program has now.
    pub fn memory_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap_or_default();
        line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap_or_default() * 1024
    }

    /// kill -9, as a power cut does it. The database and the spool stay; `start_again` goes on from there.
    pub fn cut_off(&mut self) {
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a killed child ends");
    }

    /// Starts the program once more on the same database, spool and addresses.
    pub fn start_again(&mut self) {
        self.start_again_with(&[]);
    }

    /// The same with these variables, for this one life.
    pub fn start_again_with(&mut self, variables: &[(&str, &str)]) {
        let mut serve = self.ahead_of_the_machine(serve());
        serve.envs(variables.iter().copied());
        self.child = start(serve, &self.folder, &self.http, &self.sip);
        self.await_answer();
    }

    /// The edge's disk is gone ..
    pub fn hide_spool(&self) {
        std::fs::rename(self.folder.join("spool"), self.folder.join("spool-away")).expect("the folder is ours");
        std::fs::create_dir(self.folder.join("spool")).expect("the folder is ours");
    }

    /// .. and back, as it was.
    pub fn bring_spool_back(&self) {
        std::fs::remove_dir_all(self.folder.join("spool")).expect("the folder is ours");
        std::fs::rename(self.folder.join("spool-away"), self.folder.join("spool")).expect("the folder is ours");
    }

    /// Waits until the program has died by itself, as one does that met its fault.
    pub fn await_death(&mut self) {
        let until = Instant::now() + Duration::from_secs(60);
        while matches!(self.child.try_wait(), Ok(None)) {
            assert!(Instant::now() < until, "the program never met its fault");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Stops the program and starts it once more, with a clock that is so many days further than the machine's.
    pub fn travel(&mut self, days: u32) {
        self.stop();
        self.days_ahead += days;
        self.start_again();
    }

    fn ahead_of_the_machine(&self, command: Command) -> Command {
        let mut command = environment(command, &self.database, &self.folder);
        command.env("RINGTILL_DAYS_AHEAD", self.days_ahead.to_string());
        command
    }

    /// Asks the program to end, as Ctrl-C does, and returns its exit code.
    pub fn stop(&mut self) -> Option<i32> {
        let asked = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        if asked.is_ok_and(|status| status.success()) {
            let until = Instant::now() + Duration::from_secs(20);
            while Instant::now() < until {
                if let Ok(Some(status)) = self.child.try_wait() {
                    return status.code();
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        self.cut_off();
        None
    }

    fn await_answer(&mut self) {
        let until = Instant::now() + Duration::from_secs(60);
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait().expect("a child has a state") {
                panic!("ringtill serve ended with {status}:\n{}", self.log());
            }
            if answers(&self.http) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("ringtill serve did not answer on {} within a minute:\n{}", self.http, self.log());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the program's log ---\n{}", self.log());
        }
        if matches!(self.child.try_wait(), Ok(None)) {
            self.stop();
        }
        remove_folder(&self.folder);
    }
}

/// `ringtill serve`, told by the kernel when the test dies, however it dies.
fn serve() -> Command {
    let mut serve = Command::new("setpriv");
    serve.args(["--pdeathsig=KILL", "--"]).arg(program_path()).arg("serve");
    serve
}

fn start(mut serve: Command, folder: &Path, http: &str, sip: &str) -> Child {
    let log = std::fs::File::options().create(true).append(true).open(folder.join("log")).expect("the folder is ours");
    serve.env("RINGTILL_HTTP", http).env("RINGTILL_SIP", sip).stdin(Stdio::null());
    serve.stdout(log.try_clone().expect("a file has two ends")).stderr(log);
    serve.spawn().expect("the program can be started; `cargo build --workspace` builds it")
}

fn environment(mut command: Command, database: &TestDatabase, folder: &Path) -> Command {
    use secrecy::ExposeSecret;
    command
        .env_remove("DATABASE_URL")
        .env("RINGTILL_OWNER_URL", database.owner.expose_secret())
        .env("RINGTILL_ROLE_PASSWORD", ROLE_PASSWORD)
        .env("RINGTILL_SPOOL", folder.join("spool"))
        .env("RINGTILL_SECRET_FILE", folder.join("secret"));
    command
}

/// A folder below the machine's temporary one, with a spool and a secret in it.
fn new_folder() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("ringtill-program-{}", uuid::Uuid::now_v7().simple()));
    std::fs::create_dir_all(folder.join("spool")).expect("the temporary folder can be written");
    let secret = format!("{0}{0}", uuid::Uuid::now_v7().simple());
    std::fs::write(folder.join("secret"), secret).expect("the new folder can be written");
    folder
}

fn remove_folder(folder: &Path) {
    if let Err(error) = std::fs::remove_dir_all(folder) {
        eprintln!("{} could not be removed: {error}", folder.display());
    }
}

/// A port that is free for TCP and for UDP at this moment.
fn free_address() -> String {
    for _ in 0..50 {
        let tcp = TcpListener::bind("127.0.0.1:0").expect("the loopback has a free port");
        let address = tcp.local_addr().expect("a bound socket has an address");
        if UdpSocket::bind(address).is_ok() {
            return address.to_string();
        }
    }
    panic!("no port is free for both TCP and UDP");
}

/// Does something that speaks HTTP answer there?
fn answers(address: &str) -> bool {
    use std::io::Write;
    let Ok(mut stream) = TcpStream::connect(address) else { return false };
    let asked = stream.write_all(b"GET /sign-in HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let mut answer = String::new();
    asked.is_ok() && stream.read_to_string(&mut answer).is_ok() && answer.starts_with("HTTP/1.1 ")
}
