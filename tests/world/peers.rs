//! Real programs that tests talk through: a browser's driver, a SIP peer.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How a peer ended.
pub struct Finished {
    pub success: bool,
    /// Both streams, standard output first.
    pub output: String,
}

/// Where a program lies, or a panic that says what installs it.
pub fn find_program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|candidate| candidate.is_file());
    found.unwrap_or_else(|| panic!("{name} is not installed: `make test` installs what the tests need"))
}

/// Runs a peer to its end, or kills it after `limit`. It dies with the test in any case.
pub fn run_peer(command: &Command, limit: Duration) -> Finished {
    let mut peer = Command::new("setpriv");
    peer.args(["--pdeathsig=KILL", "--"]).arg(command.get_program()).args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        peer.current_dir(folder);
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => peer.env(name, value),
            None => peer.env_remove(name),
        };
    }
    let file = std::env::temp_dir().join(format!("ringtill-peer-{}", uuid::Uuid::now_v7().simple()));
    let streams = [file.with_extension("out"), file.with_extension("err")];
    let [out, err] =
        streams.each_ref().map(|path| std::fs::File::create(path).expect("the temporary folder can be written"));
    let mut child = peer.stdin(Stdio::null()).stdout(out).stderr(err).spawn().expect("the peer can be started");
    let until = Instant::now() + limit;
    let success = loop {
        if let Some(status) = child.try_wait().expect("a child has a state") {
            break status.success();
        }
        if Instant::now() > until {
            child.kill().expect("a child can be killed");
            child.wait().expect("a killed child ends");
            break false;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let mut output = String::new();
    for path in streams {
        output += &String::from_utf8_lossy(&std::fs::read(&path).unwrap_or_default());
        if let Err(error) = std::fs::remove_file(&path) {
            eprintln!("{} could not be removed: {error}", path.display());
        }
    }
    Finished { success, output }
}
