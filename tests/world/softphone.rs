//! A softphone that shares no code with the product: baresip, told what to do over its control socket, its ears on disk.

use super::peers::find_program;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longer than anything a phone waits for here.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running phone. Dropped, it is ended, and its folder removed.
pub struct Softphone {
    process: Child,
    folder: PathBuf,
    control: TcpStream,
    read: Vec<u8>,
}

fn free_port() -> u16 {
    let socket = TcpListener::bind("127.0.0.1:0").expect("the loopback has a free port");
    socket.local_addr().expect("a bound socket has an address").port()
}

/// A minute of a sine, 16-bit mono at 8 kHz.
fn tone(hertz: f64) -> Vec<u8> {
    let angle = |sample: u32| f64::from(sample) * std::f64::consts::TAU * hertz / 8_000.0;
    let samples: Vec<i16> = (0..480_000).map(|sample| (angle(sample).sin() * 8_000.0) as i16).collect();
    let octets = samples.len() as u32 * 2;
    let mut file = Vec::from(b"RIFF");
    file.extend((octets + 36).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend(8_000u32.to_le_bytes());
    file.extend(16_000u32.to_le_bytes());
    file.extend(b"\x02\0\x10\0data");
    file.extend(octets.to_le_bytes());
    file.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    file
}

impl Softphone {
    /// Starts a phone that registers as `user` at `registrar`, and says a tone of so many hertz.
    pub fn registered(registrar: &str, user: &str, password: &str, hertz: f64) -> Self {
        let folder = std::env::temp_dir().join(format!("ringtill-phone-{}", uuid::Uuid::now_v7().simple()));
        std::fs::create_dir_all(&folder).expect("the temporary folder can be written");
        let here = folder.display().to_string();
        let (control, sip) = (free_port(), free_port());
        let config = format!(
            "poll_method epoll\nsip_listen 127.0.0.1:{sip}\nsip_verify_server no\nnet_interface 127.0.0.1\n\
             audio_source aufile,{here}/tone.wav\naudio_player aubridge,sink{control}\n\
             audio_alert aubridge,sink{control}\naudio_channels 1\nmodule_path /usr/lib/baresip/modules\n\
             module g711.so\nmodule aufile.so\nmodule aubridge.so\nmodule sndfile.so\nsnd_path {here}\n\
             module_tmp uuid.so\nmodule_tmp account.so\nmodule_app menu.so\nmodule_app ctrl_tcp.so\n\
             ctrl_tcp_listen 127.0.0.1:{control}\n"
        );
        let account = format!(
            "<sip:{user}@{registrar}>;auth_pass={password};answermode=auto;regint=60;audio_codecs=PCMU/8000/1\n"
        );
        for (name, content) in
            [("config", config.into_bytes()), ("accounts", account.into_bytes()), ("tone.wav", tone(hertz))]
        {
            std::fs::write(folder.join(name), content).expect("the folder is ours");
        }
        let log = std::fs::File::create(folder.join("log")).expect("the folder is ours");
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig=KILL", "--"]).arg(find_program("baresip")).args(["-f", &here]).stdin(Stdio::null());
        command.stdout(log.try_clone().expect("a file has two ends")).stderr(log);
        let process = command.spawn().expect("the peer can be started");
        let until = Instant::now() + PATIENCE;
        let control = loop {
            match TcpStream::connect(("127.0.0.1", control)) {
                Ok(stream) => break stream,
                Err(_) if Instant::now() < until => std::thread::sleep(Duration::from_millis(50)),
                Err(error) => panic!("baresip listens for commands: {error}"),
            }
        };
        control.set_read_timeout(Some(Duration::from_millis(100))).expect("a timeout may be set");
        let mut phone = Self { process, folder, control, read: Vec::new() };
        phone.says("REGISTER_OK");
        phone
    }

    fn command(&mut self, command: &str, parameter: &str) {
        let json = serde_json::json!({ "command": command, "params": parameter, "token": "t" }).to_string();
        self.control.write_all(format!("{}:{json},", json.len()).as_bytes()).expect("baresip listens");
    }

    pub fn dial(&mut self, address: &str) {
        self.command("dial", address);
    }

    pub fn hang_up(&mut self) {
        self.command("hangup", "");
    }

    /// Waits until the phone tells of this, as `CALL_ESTABLISHED`; everything it has told since the last such word.
    pub fn says(&mut self, wanted: &str) -> String {
        let until = Instant::now() + PATIENCE;
        let mut buffer = [0; 4_096];
        loop {
            if let Some(at) = self.read.windows(wanted.len()).position(|part| part == wanted.as_bytes()) {
                // To the end of what is known: the reason stands behind the word.
                let told = String::from_utf8_lossy(&self.read).into_owned();
                self.read.drain(..at + wanted.len());
                return told;
            }
            assert!(Instant::now() < until, "no {wanted} in {}\n{}", String::from_utf8_lossy(&self.read), self.log());
            match self.control.read(&mut buffer) {
                Ok(0) => panic!("baresip has gone:\n{}", self.log()),
                Ok(octets) => self.read.extend_from_slice(&buffer[..octets]),
                Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                }
                Err(error) => panic!("baresip listens: {error}"),
            }
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Seconds of all it has heard, in which a tone of so many hertz ruled. The phone ends.
    pub fn heard_seconds_of(mut self, hertz: f64) -> f64 {
        self.command("quit", "");
        let until = Instant::now() + PATIENCE;
        while matches!(self.process.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
        let entries = std::fs::read_dir(&self.folder).expect("the folder is ours");
        let files = entries.map(|entry| entry.expect("it can be listed").path());
        let recordings = files.filter(|path| path.to_string_lossy().ends_with("-dec.wav"));
        recordings.map(|path| seconds_of(&samples(&std::fs::read(path).unwrap_or_default()), hertz)).sum()
    }
}

impl Drop for Softphone {
    fn drop(&mut self) {
        if matches!(self.process.try_wait(), Ok(None)) && self.process.kill().is_ok() {
            // Killed, it ends.
            let _ = self.process.wait();
        }
        if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            eprintln!("{} could not be removed: {error}", self.folder.display());
        }
    }
}

fn samples(file: &[u8]) -> Vec<i16> {
    let start = file.windows(4).position(|part| part == b"data").map_or(file.len(), |at| at + 8);
    let octets = file.get(start..).unwrap_or_default();
    octets.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

/// By Goertzel, in pieces of 50 ms: those whose power lies at this frequency.
fn seconds_of(samples: &[i16], hertz: f64) -> f64 {
    let coefficient = 2.0 * (std::f64::consts::TAU * hertz / 8_000.0).cos();
    let rules = |piece: &&[i16]| {
        let (mut one, mut two, mut all) = (0.0, 0.0, 0.0);
        for sample in *piece {
            let sample = f64::from(*sample);
            let zero = sample + coefficient * one - two;
            (two, one, all) = (one, zero, all + sample * sample);
        }
        let power = one * one + two * two - coefficient * one * two;
        all > 0.0 && 2.0 * power / (all * piece.len() as f64) > 0.8
    };
    samples.chunks(400).filter(rules).count() as f64 * 0.05
}
