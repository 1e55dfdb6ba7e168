//! SDP offer and answer (RFC 3264) for one audio stream of G.711 with telephone events, encrypted where the peer wants it
//! and its signalling is protected. Other streams are refused with port 0.

use crate::g711::Codec;
use crate::srtp::{Crypto, MasterKey, Suite};
use rsipstack::sip::Transport;
use std::net::{IpAddr, SocketAddr};

/// Who sends, seen from the one who wrote the description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    SendRecv,
    SendOnly,
    RecvOnly,
    Inactive,
}

impl Direction {
    fn of_attribute(attribute: &str) -> Option<Self> {
        match attribute {
            "sendrecv" => Some(Self::SendRecv),
            "sendonly" => Some(Self::SendOnly),
            "recvonly" => Some(Self::RecvOnly),
            "inactive" => Some(Self::Inactive),
            _ => None,
        }
    }

    fn attribute(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    /// What the answer to this offer says.
    pub(crate) fn answered(self) -> Self {
        match self {
            Self::SendRecv => Self::SendRecv,
            Self::SendOnly => Self::RecvOnly,
            Self::RecvOnly => Self::SendOnly,
            Self::Inactive => Self::Inactive,
        }
    }

    /// Does the writer listen?
    pub(crate) fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }
}

/// The peer's audio stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RemoteAudio {
    pub(crate) address: SocketAddr,
    /// Those we speak, in the peer's order; never empty.
    pub(crate) codecs: Vec<Codec>,
    pub(crate) telephone_event: Option<u8>,
    pub(crate) direction: Direction,
    /// How it is encrypted.
    pub(crate) crypto: Option<Crypto>,
    /// As its `m=` line says it: the answer says the same.
    profile: String,
    /// `m=` lines to refuse in the answer: those before the audio stream, and those after it.
    refused: (Vec<String>, Vec<String>),
}

/// Our own side of a description.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LocalAudio {
    pub(crate) ip: IpAddr,
    pub(crate) port: u16,
    pub(crate) session_id: u64,
    pub(crate) version: u64,
    /// Of what we send, if it is encrypted.
    pub(crate) key: MasterKey,
}

/// Whether keys in a description are worth anything: not when everybody on the way could read them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keys {
    Taken,
    Ignored,
}

impl Keys {
    pub(crate) fn over(transport: Option<Transport>) -> Self {
        if transport == Some(Transport::Tls) { Self::Taken } else { Self::Ignored }
    }
}

/// How an offer of ours asks for encryption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encryption {
    None,
    /// By the plain profile with a key beside it: who knows no keys takes no notice.
    Offered,
    /// By the profile that says so.
    Wanted,
}

#[derive(Default)]
struct Stream {
    line: String,
    formats: Vec<u8>,
    port: u16,
    ip: Option<IpAddr>,
    rtpmap: Vec<(u8, String)>,
    direction: Option<Direction>,
    crypto: Vec<Crypto>,
}

/// Reads a description; `None` when it has no audio stream over RTP with a codec of ours and a usable address.
pub(crate) fn parse(body: &[u8], keys: Keys) -> Option<RemoteAudio> {
    let text = std::str::from_utf8(body).ok()?;
    let (session_ip, session_direction, mut streams) = read_lines(text)?;
    if keys == Keys::Ignored {
        streams.iter_mut().for_each(|stream| stream.crypto.clear());
    }
    // Of two descriptions of one stream the encrypted one is taken.
    let encrypted = streams.iter().position(|stream| stream.is_ours() && !stream.crypto.is_empty());
    let index = encrypted.or_else(|| streams.iter().position(Stream::is_ours))?;
    let after = streams.split_off(index + 1);
    let audio = streams.pop()?;
    let ip = audio.ip.or(session_ip)?;
    let mut direction = audio.direction.or(session_direction).unwrap_or(Direction::SendRecv);
    if ip.is_unspecified() && direction == Direction::SendRecv {
        // RFC 2543 hold, still sent by old phones.
        direction = Direction::SendOnly;
    }
    Some(RemoteAudio {
        address: SocketAddr::new(ip, audio.port),
        codecs: audio.codecs(),
        telephone_event: audio.telephone_event(),
        direction,
        crypto: audio.crypto.first().copied(),
        profile: audio.profile()?.to_owned(),
        refused: (lines_of(streams), lines_of(after)),
    })
}

fn lines_of(streams: Vec<Stream>) -> Vec<String> {
    streams.into_iter().map(|stream| stream.line).collect()
}

fn read_lines(text: &str) -> Option<(Option<IpAddr>, Option<Direction>, Vec<Stream>)> {
    let (mut session_ip, mut session_direction) = (None, None);
    let mut streams: Vec<Stream> = Vec::new();
    for line in text.lines().map(str::trim_end) {
        let Some((kind, value)) = line.split_once('=') else { continue };
        match (kind, streams.last_mut()) {
            ("m", _) => streams.push(Stream::read(value)?),
            ("c", Some(stream)) => stream.ip = connection_ip(value),
            ("c", None) => session_ip = connection_ip(value),
            ("a", Some(stream)) => stream.attribute(value),
            ("a", None) => session_direction = Direction::of_attribute(value).or(session_direction),
            _ => {}
        }
    }
    Some((session_ip, session_direction, streams))
}

fn connection_ip(value: &str) -> Option<IpAddr> {
    let mut words = value.split_whitespace();
    (words.next()? == "IN").then_some(())?;
    words.next()?;
    words.next()?.split('/').next()?.parse().ok()
}

impl Stream {
    fn read(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace().skip(1);
        let port = words.next()?.split('/').next()?.parse().ok()?;
        let formats = words.skip(1).filter_map(|word| word.parse().ok()).collect();
        Some(Self { line: line.to_owned(), formats, port, ..Self::default() })
    }

    fn attribute(&mut self, value: &str) {
        if let Some(direction) = Direction::of_attribute(value) {
            self.direction = Some(direction);
        } else if let Some(map) = value.strip_prefix("rtpmap:")
            && let Some((format, name)) = map.split_once(' ')
            && let Ok(format) = format.parse()
        {
            self.rtpmap.push((format, name.trim().to_ascii_lowercase()));
        } else if let Some(crypto) = value.strip_prefix("crypto:") {
            self.crypto.extend(Crypto::read(crypto));
        }
    }

    fn is_ours(&self) -> bool {
        let profile_is_ours = match self.profile() {
            Some("RTP/AVP" | "RTP/AVPF") => true,
            Some("RTP/SAVP" | "RTP/SAVPF") => !self.crypto.is_empty(),
            _ => false,
        };
        self.line.split_whitespace().next() == Some("audio")
            && profile_is_ours
            && self.port != 0
            && !self.codecs().is_empty()
    }

    fn profile(&self) -> Option<&str> {
        self.line.split_whitespace().nth(2)
    }

    fn codecs(&self) -> Vec<Codec> {
        let mut codecs: Vec<Codec> = self.formats.iter().filter_map(|format| Codec::of_payload_type(*format)).collect();
        codecs.dedup();
        codecs
    }

    fn telephone_event(&self) -> Option<u8> {
        let mapped = |format: &&u8| {
            self.rtpmap.iter().any(|(mapped, name)| mapped == *format && name.starts_with("telephone-event/8000"))
        };
        self.formats.iter().find(mapped).copied()
    }
}

/// An offer of both laws, `first` preferred, and telephone events as 101.
pub(crate) fn offer(local: LocalAudio, first: Codec, encryption: Encryption) -> Vec<u8> {
    let second = if first == Codec::Pcmu { Codec::Pcma } else { Codec::Pcmu };
    offer_of(local, &[first, second], Direction::SendRecv, encryption)
}

/// An offer of these codecs, and telephone events as 101.
pub(crate) fn offer_of(local: LocalAudio, codecs: &[Codec], direction: Direction, encryption: Encryption) -> Vec<u8> {
    let mut text = head(local);
    let profile = if encryption == Encryption::Wanted { "RTP/SAVP" } else { "RTP/AVP" };
    let audio = Audio { port: local.port, profile, codecs, telephone_event: Some(101), direction };
    push_audio(&mut text, &audio);
    if encryption != Encryption::None {
        text.push_str(&Crypto { tag: 1, suite: Suite::Tag80, key: local.key }.line());
    }
    text.into_bytes()
}

/// The answer: the peer's first codec that we speak, telephone events at the peer's payload type, other streams refused.
pub(crate) fn answer(local: LocalAudio, remote: &RemoteAudio) -> Vec<u8> {
    let mut text = head(local);
    for line in &remote.refused.0 {
        push_refused(&mut text, line);
    }
    let audio = Audio {
        port: local.port,
        profile: &remote.profile,
        codecs: &remote.codecs[..1],
        telephone_event: remote.telephone_event,
        direction: remote.direction.answered(),
    };
    push_audio(&mut text, &audio);
    if let Some(crypto) = remote.crypto {
        text.push_str(&Crypto { key: local.key, ..crypto }.line());
    }
    for line in &remote.refused.1 {
        push_refused(&mut text, line);
    }
    text.into_bytes()
}

fn head(local: LocalAudio) -> String {
    let family = if local.ip.is_ipv4() { "IP4" } else { "IP6" };
    format!(
        "v=0\r\no=- {} {} IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\n",
        local.session_id,
        local.version,
        ip = local.ip
    )
}

/// An audio stream as it is described.
struct Audio<'a> {
    port: u16,
    profile: &'a str,
    codecs: &'a [Codec],
    telephone_event: Option<u8>,
    direction: Direction,
}

fn push_audio(text: &mut String, audio: &Audio<'_>) {
    let Audio { port, profile, codecs, telephone_event, direction } = *audio;
    text.push_str(&format!("m=audio {port} {profile}"));
    for codec in codecs {
        text.push_str(&format!(" {}", codec.payload_type()));
    }
    if let Some(format) = telephone_event {
        text.push_str(&format!(" {format}"));
    }
    text.push_str("\r\n");
    for codec in codecs {
        text.push_str(&format!("a=rtpmap:{} {}/8000\r\n", codec.payload_type(), codec.name()));
    }
    if let Some(format) = telephone_event {
        text.push_str(&format!("a=rtpmap:{format} telephone-event/8000\r\na=fmtp:{format} 0-15\r\n"));
    }
    text.push_str(&format!("a=ptime:20\r\na={}\r\n", direction.attribute()));
}

fn push_refused(text: &mut String, line: &str) {
    let mut words: Vec<&str> = line.split_whitespace().collect();
    if let Some(port) = words.get_mut(1) {
        *port = "0";
    }
    text.push_str(&format!("m={}\r\n", words.join(" ")));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local() -> LocalAudio {
        let ip = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
        LocalAudio { ip, port: 4000, session_id: 1, version: 2, key: MasterKey::fresh() }
    }

    fn parse(body: &[u8]) -> Option<RemoteAudio> {
        super::parse(body, Keys::Ignored)
    }

    fn description(lines: &[&str]) -> Vec<u8> {
        lines.join("\r\n").into_bytes()
    }

    #[test]
    fn an_offer_of_ours_is_read_back() {
        let read = parse(&offer(local(), Codec::Pcma, Encryption::None)).unwrap();
        assert_eq!(read.address, "192.0.2.1:4000".parse().unwrap());
        assert_eq!(read.codecs, [Codec::Pcma, Codec::Pcmu]);
        assert_eq!(read.telephone_event, Some(101));
        assert_eq!(read.direction, Direction::SendRecv);
    }

    #[test]
    fn the_answer_takes_the_first_common_codec_and_the_peers_event_type_and_refuses_video() {
        let remote = parse(&description(&[
            "v=0",
            "c=IN IP4 198.51.100.7",
            "m=video 5000 RTP/AVP 31",
            "m=audio 6000 RTP/AVP 18 8 0 96",
            "a=rtpmap:96 telephone-event/8000",
            "a=sendonly",
        ]))
        .unwrap();
        let text = String::from_utf8(answer(local(), &remote)).unwrap();
        assert!(text.contains("m=video 0 RTP/AVP 31\r\nm=audio 4000 RTP/AVP 8 96\r\n"), "{text}");
        assert!(text.contains("a=recvonly\r\n") && text.contains("a=rtpmap:96 telephone-event/8000\r\n"), "{text}");
    }

    #[test]
    fn an_encrypted_stream_is_taken_where_its_keys_are_safe_and_answered_with_our_key() {
        let local = local();
        let theirs = Crypto { tag: 7, suite: Suite::Tag80, key: MasterKey::fresh() };
        let (plain, line) = ("m=audio 6000 RTP/AVP 0", theirs.line());
        let lines = ["v=0", "c=IN IP4 192.0.2.7", plain, "m=audio 6002 RTP/SAVP 0", line.trim_end()];
        let taken = super::parse(&description(&lines), Keys::Taken).unwrap();
        assert_eq!((taken.address.port(), taken.crypto), (6002, Some(theirs)), "rather than the plain one");
        let text = String::from_utf8(answer(local, &taken)).unwrap();
        assert!(text.contains("m=audio 0 RTP/AVP 0\r\nm=audio 4000 RTP/SAVP 0\r\n"), "{text}");
        assert!(text.contains(&Crypto { key: local.key, ..theirs }.line()), "{text}");
        let ignored = parse(&description(&lines)).unwrap();
        assert_eq!((ignored.address.port(), ignored.crypto), (6000, None), "everybody could read the key");
        let wanted = offer(local, Codec::Pcmu, Encryption::Wanted);
        assert_eq!(parse(&wanted), None);
        assert!(super::parse(&wanted, Keys::Taken).unwrap().crypto.is_some());
        let offered = offer(local, Codec::Pcmu, Encryption::Offered);
        assert!(parse(&offered).unwrap().crypto.is_none());
        assert!(super::parse(&offered, Keys::Taken).unwrap().crypto.is_some());
    }

    #[test]
    fn no_common_codec_no_audio_or_no_address_is_nothing() {
        for lines in [
            &["v=0", "c=IN IP4 1.2.3.4", "m=audio 6000 RTP/AVP 18"][..],
            &["v=0", "c=IN IP4 1.2.3.4", "m=video 6000 RTP/AVP 0"],
            &["v=0", "m=audio 6000 RTP/AVP 0"],
            &["v=0", "c=IN IP4 1.2.3.4", "m=audio 99999 RTP/AVP 0"],
            &["v=0", "c=IN IP4 1.2.3.4", "m=audio 0 RTP/AVP 0"],
            &["v=0", "c=IN IP4 1.2.3.4", "m=audio 6000 RTP/SAVP 0"],
            &["m=audio"],
            &[""],
        ] {
            assert_eq!(parse(&description(lines)), None, "{lines:?}");
        }
        assert_eq!(parse(&[0xff, 0xfe, 0]), None);
    }

    #[test]
    fn a_zero_address_is_a_hold() {
        let remote = parse(&description(&["v=0", "c=IN IP4 0.0.0.0", "m=audio 6000 RTP/AVP 0"])).unwrap();
        assert_eq!(remote.direction, Direction::SendOnly);
        assert!(!remote.direction.receives());
    }
}
