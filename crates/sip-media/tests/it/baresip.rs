//! A softphone that shares no code with the product: baresip, told what to do over its control socket, its ears on disk.

use crate::world::{PATIENCE, seconds_of};
use sip_media::CallId;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Stdio;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;

pub struct Baresip {
    process: Child,
    folder: PathBuf,
    control: TcpStream,
    read: Vec<u8>,
}

fn free_port() -> u16 {
    let socket = TcpListener::bind("127.0.0.1:0").expect("the loopback has a free port");
    socket.local_addr().expect("a bound socket has an address").port()
}

/// 16-bit mono at 8 kHz.
fn wav(samples: &[i16]) -> Vec<u8> {
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

/// Forty seconds of a sine.
fn tone(hertz: f64) -> Vec<u8> {
    let angle = |sample: u32| f64::from(sample) * std::f64::consts::TAU * hertz / 8_000.0;
    let samples: Vec<i16> = (0..320_000).map(|sample| (angle(sample).sin() * 8_000.0) as i16).collect();
    wav(&samples)
}

impl Baresip {
    /// Starts a phone with this account line that says a tone of so many hertz.
    pub async fn start(account: &str, hertz: f64) -> Self {
        let folder = std::env::temp_dir().join(format!("baresip-{}", CallId::now_v7()));
        std::fs::create_dir_all(&folder).expect("the temporary folder can be written");
        let here = folder.display().to_string();
        let (control, sip) = (free_port(), free_port());
        let config = format!(
            "poll_method epoll\nsip_listen 127.0.0.1:{sip}\nsip_verify_server no\nnet_interface 127.0.0.1\n\
             audio_source aufile,{here}/tone.wav\naudio_player aubridge,sink{control}\n\
             audio_alert aubridge,sink{control}\naudio_channels 1\nmodule_path /usr/lib/baresip/modules\n\
             module g711.so\nmodule aufile.so\nmodule aubridge.so\nmodule sndfile.so\nmodule srtp.so\n\
             snd_path {here}\nmodule_tmp uuid.so\nmodule_tmp account.so\nmodule_app menu.so\n\
             module_app ctrl_tcp.so\nctrl_tcp_listen 127.0.0.1:{control}\n"
        );
        std::fs::write(folder.join("config"), config).expect("the folder is ours");
        std::fs::write(folder.join("accounts"), format!("{account}\n")).expect("the folder is ours");
        std::fs::write(folder.join("tone.wav"), tone(hertz)).expect("the folder is ours");
        let log = std::fs::File::create(folder.join("log")).expect("the folder is ours");
        let process = Command::new("baresip")
            .args(["-f", &here])
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file can be opened twice"))
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .expect("baresip is installed (Debian: baresip-core)");
        let connect = async {
            loop {
                if let Ok(stream) = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], control))).await {
                    return stream;
                }
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        };
        let control = timeout(PATIENCE, connect).await;
        let log = || std::fs::read_to_string(folder.join("log")).unwrap_or_default();
        let control = control.unwrap_or_else(|_| panic!("baresip listens for commands: {}", log()));
        Self { process, folder, control, read: Vec::new() }
    }

    pub async fn command(&mut self, command: &str, parameter: &str) {
        let json = serde_json::json!({ "command": command, "params": parameter, "token": "t" }).to_string();
        let told = format!("{}:{json},", json.len());
        self.control.write_all(told.as_bytes()).await.expect("baresip listens");
    }

    /// Waits for an event of this type, as `CALL_ESTABLISHED`.
    pub async fn says(&mut self, event: &str) {
        let wanted = format!("\"{event}\"");
        let mut buffer = [0; 4_096];
        let heard = async {
            loop {
                if let Some(at) = self.read.windows(wanted.len()).position(|part| part == wanted.as_bytes()) {
                    self.read.drain(..at + wanted.len());
                    return;
                }
                let octets = self.control.read(&mut buffer).await.expect("baresip listens");
                assert!(octets > 0, "baresip has gone");
                self.read.extend_from_slice(&buffer[..octets]);
            }
        };
        let heard = timeout(PATIENCE, heard).await;
        assert!(heard.is_ok(), "no {event} in {}", String::from_utf8_lossy(&self.read));
    }

    /// Ends the phone; what it heard.
    pub async fn quit(mut self) -> Heard {
        self.command("quit", "").await;
        let ended = timeout(PATIENCE, self.process.wait()).await;
        assert!(ended.is_ok(), "baresip ends when it is told to");
        let entries = std::fs::read_dir(&self.folder).expect("the folder is ours");
        let files = entries.map(|entry| entry.expect("it can be listed").path());
        let heard: Vec<PathBuf> = files.filter(|path| path.to_string_lossy().ends_with("-dec.wav")).collect();
        let heard = heard.iter().map(|path| samples_of(&std::fs::read(path).expect("the recording can be read")));
        let heard = Heard(heard.collect());
        std::fs::remove_dir_all(&self.folder).expect("the folder is ours");
        heard
    }
}

fn samples_of(file: &[u8]) -> Vec<i16> {
    let start = file.windows(4).position(|part| part == b"data").map_or(file.len(), |at| at + 8);
    let octets = file.get(start..).unwrap_or_default();
    octets.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

/// Recordings at 8 kHz: a hold begins another one.
pub struct Heard(Vec<Vec<i16>>);

impl Heard {
    /// For how long a tone of so many hertz ruled.
    pub fn seconds_of(&self, hertz: f64) -> f64 {
        self.0.iter().map(|recording| seconds_of(recording, hertz)).sum()
    }
}
