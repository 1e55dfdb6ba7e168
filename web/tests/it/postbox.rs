//! A mail server of its own, on this machine: it takes letters over SMTP as any other does, and keeps them.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What came in, each as it was sent.
#[derive(Clone, Default)]
pub struct Postbox {
    letters: Arc<Mutex<Vec<String>>>,
    /// How many it still turns away for now (451).
    pub turned_away: Arc<Mutex<u32>>,
}

impl Postbox {
    /// Listens, and says where.
    pub fn open() -> (Postbox, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("smtp://{}", listener.local_addr().unwrap());
        let postbox = Postbox::default();
        let behind = postbox.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let behind = behind.clone();
                std::thread::spawn(move || behind.talk(stream));
            }
        });
        (postbox, url)
    }

    /// What has come so far, with soft line ends and encoded words undone as far as tests read them.
    pub fn letters(&self) -> Vec<String> {
        self.letters.lock().unwrap().iter().map(|letter| letter.replace("=\r\n", "").replace("=3D", "=")).collect()
    }

    fn talk(&self, mut stream: TcpStream) -> Option<()> {
        let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
        stream.write_all(b"220 postbox\r\n").ok()?;
        while let Some(Ok(line)) = lines.next() {
            let answer = match line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase().as_str() {
                "EHLO" | "HELO" => "250 postbox\r\n",
                "RCPT" if self.turns_away() => "451 later\r\n",
                "DATA" => {
                    stream.write_all(b"354 go on\r\n").ok()?;
                    let letter: Vec<String> =
                        lines.by_ref().map_while(Result::ok).take_while(|line| line != ".").collect();
                    self.letters.lock().unwrap().push(letter.join("\r\n"));
                    "250 kept\r\n"
                }
                "QUIT" => {
                    stream.write_all(b"221 bye\r\n").ok()?;
                    return None;
                }
                _ => "250 fine\r\n",
            };
            stream.write_all(answer.as_bytes()).ok()?;
        }
        None
    }

    fn turns_away(&self) -> bool {
        let mut left = self.turned_away.lock().unwrap();
        let now = *left > 0;
        *left = left.saturating_sub(1);
        now
    }
}
