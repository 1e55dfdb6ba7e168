//! One question to the DNS: which texts stand at a name. That is how the owner of a host name proves that it is the owner.

use rand::RngCore;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::net::UdpSocket;

/// How long a server may think about it.
const PATIENCE: Duration = Duration::from_secs(5);
/// A longer answer says so, and is no proof.
const ANSWER_BYTES_MAX: usize = 4096;
const TXT: u16 = 16;
const INTERNET: u16 = 1;

/// The server that this machine asks: the first of `/etc/resolv.conf`, or the machine itself.
pub fn usual_server() -> SocketAddr {
    let config = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let named = config.lines().find_map(|line| line.strip_prefix("nameserver")?.trim().parse::<IpAddr>().ok());
    SocketAddr::new(named.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)), 53)
}

/// The texts at a name; none where the name is not there. An error is a phrase for the page.
pub async fn texts(server: SocketAddr, name: &str) -> Result<Vec<String>, String> {
    let mut id = [0u8; 2];
    rand::rng().fill_bytes(&mut id);
    let question = question(id, name).ok_or("the name is too long for the DNS")?;
    let silent = || "the DNS did not answer; try again in a minute".to_owned();
    let here: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { std::net::Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((here, 0)).await.map_err(|_| silent())?;
    // Connected: an answer from anywhere else does not arrive.
    socket.connect(server).await.map_err(|_| silent())?;
    socket.send(&question).await.map_err(|_| silent())?;
    let mut answer = vec![0u8; ANSWER_BYTES_MAX];
    let read = async {
        loop {
            let length = socket.recv(&mut answer).await.map_err(|_| silent())?;
            if answer[..length].starts_with(&id) {
                return Ok::<usize, String>(length);
            }
        }
    };
    let length = tokio::time::timeout(PATIENCE, read).await.map_err(|_| silent())??;
    read_texts(&answer[..length], &question).ok_or_else(|| "the DNS gave an answer that cannot be read".to_owned())?
}

fn question(id: [u8; 2], name: &str) -> Option<Vec<u8>> {
    // Recursion wanted, one question.
    let mut bytes = vec![id[0], id[1], 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length))?;
        bytes.push(length);
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.push(0);
    bytes.extend_from_slice(&TXT.to_be_bytes());
    bytes.extend_from_slice(&INTERNET.to_be_bytes());
    (bytes.len() <= 12 + 255 + 4).then_some(bytes)
}

/// `None`: it cannot be read.
fn read_texts(answer: &[u8], question: &[u8]) -> Option<Result<Vec<String>, String>> {
    let flags = u16_at(answer, 2)?;
    let is_answer = flags & 0x8000 != 0;
    if !is_answer || !answer.get(12..question.len())?.eq_ignore_ascii_case(&question[12..]) {
        return None;
    }
    match (flags & 0x0200 != 0, flags & 0x000f) {
        (true, _) => return Some(Err("there are more TXT records than fit an answer".to_owned())),
        (_, 0) => {}
        // No such name.
        (_, 3) => return Some(Ok(Vec::new())),
        _ => return Some(Err("the DNS refused to answer; try again in a minute".to_owned())),
    }
    let (mut at, mut texts) = (question.len(), Vec::new());
    for _ in 0..u16_at(answer, 6)? {
        at = after_name(answer, at)?;
        let (kind, length) = (u16_at(answer, at)?, usize::from(u16_at(answer, at + 8)?));
        let record = answer.get(at + 10..at + 10 + length)?;
        if kind == TXT {
            texts.push(joined(record)?);
        }
        at += 10 + length;
    }
    Some(Ok(texts))
}

/// A text comes in pieces of up to 255 bytes.
fn joined(mut record: &[u8]) -> Option<String> {
    let mut text = Vec::new();
    while let Some((length, rest)) = record.split_first() {
        text.extend_from_slice(rest.get(..usize::from(*length))?);
        record = rest.get(usize::from(*length)..)?;
    }
    Some(String::from_utf8_lossy(&text).into_owned())
}

fn after_name(answer: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *answer.get(at)? {
            0 => return Some(at + 1),
            // A pointer to where the name stands already: two bytes, and its end.
            length if length >= 0xc0 => return Some(at + 2),
            length => at += 1 + usize::from(length),
        }
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(question: &[u8], code: u8, records: &[&[u8]]) -> Vec<u8> {
        let mut bytes = question.to_vec();
        bytes[2] = 0x81;
        bytes[3] = 0x80 | code;
        bytes[7] = records.len() as u8;
        for record in records {
            bytes.extend_from_slice(&[0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60, 0, record.len() as u8]);
            bytes.extend_from_slice(record);
        }
        bytes
    }

    #[test]
    fn texts_are_read_and_whatever_is_broken_is_no_proof() {
        let asked = question([1, 2], "_ringtill.calls.example").unwrap();
        let two = answer(&asked, 0, &[b"\x05v=spf\x03 -a", b"\x0aringtill=1"]);
        assert_eq!(read_texts(&two, &asked), Some(Ok(vec!["v=spf -a".to_owned(), "ringtill=1".to_owned()])));
        assert_eq!(read_texts(&answer(&asked, 3, &[]), &asked), Some(Ok(Vec::new())), "no such name");
        assert!(matches!(read_texts(&answer(&asked, 2, &[]), &asked), Some(Err(_))));
        let other = question([1, 2], "_ringtill.other.example").unwrap();
        assert_eq!(read_texts(&answer(&other, 0, &[b"\x0aringtill=1"]), &asked), None, "of another name");
        for end in 0..two.len() {
            assert!(!matches!(read_texts(&two[..end], &asked), Some(Ok(texts)) if texts.len() == 2), "cut at {end}");
        }
        assert_eq!(read_texts(&answer(&asked, 0, &[b"\xffshort"]), &asked), None);
        assert_eq!(question([0, 0], &"x".repeat(64)), None);
    }
}
