//! SRTP (RFC 3711) with keys from the session description (RFC 4568): AES in counter mode and HMAC-SHA1, the suites that
//! every phone has. RTCP is not sent and not read here.
//! Invariant: no packet number is sent or taken twice under one key.

use aes::cipher::{BlockEncrypt, KeyInit};
use aes::{Aes128, Block};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha1::Sha1;

const KEY_OCTETS: usize = 16;
const SALT_OCTETS: usize = 14;
const BLOCK_OCTETS: usize = 16;
/// Sources that one peer may have had; a phone takes a new one when it is transferred or put on hold.
const SOURCES_MAX: usize = 4;
/// Numbers back from the highest that may still come (RFC 3711 3.3.2).
const WINDOW: u64 = 64;

/// Master key and salt of one direction. Never shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct MasterKey([u8; KEY_OCTETS + SALT_OCTETS]);

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("MasterKey(..)")
    }
}

impl MasterKey {
    pub(crate) fn fresh() -> Self {
        let mut octets = [0; KEY_OCTETS + SALT_OCTETS];
        rand::RngCore::fill_bytes(&mut rand::rng(), &mut octets);
        Self(octets)
    }
}

/// How much of the HMAC a packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suite {
    Tag80,
    Tag32,
}

impl Suite {
    fn name(self) -> &'static str {
        match self {
            Self::Tag80 => "AES_CM_128_HMAC_SHA1_80",
            Self::Tag32 => "AES_CM_128_HMAC_SHA1_32",
        }
    }

    fn tag_octets(self) -> usize {
        match self {
            Self::Tag80 => 10,
            Self::Tag32 => 4,
        }
    }
}

/// An `a=crypto` line: which suite, and the key of the one who wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Crypto {
    /// The number by which an answer refers to it.
    pub(crate) tag: u32,
    pub(crate) suite: Suite,
    pub(crate) key: MasterKey,
}

impl Crypto {
    /// Reads what follows `a=crypto:`. `None` for a suite we lack, for session parameters (all of them change what a
    /// packet looks like) and for a key identifier in every packet.
    pub(crate) fn read(value: &str) -> Option<Self> {
        let mut words = value.split_whitespace();
        let tag = words.next()?.parse().ok()?;
        let name = words.next()?;
        let suite = [Suite::Tag80, Suite::Tag32].into_iter().find(|suite| name.eq_ignore_ascii_case(suite.name()))?;
        let mut parts = words.next()?.strip_prefix("inline:")?.split('|');
        if words.next().is_some() {
            return None;
        }
        let octets = STANDARD.decode(parts.next()?).ok()?;
        // What follows is a lifetime, which no call reaches, or `number:length`.
        if parts.any(|part| part.contains(':')) {
            return None;
        }
        Some(Self { tag, suite, key: MasterKey(octets.try_into().ok()?) })
    }

    pub(crate) fn line(&self) -> String {
        format!("a=crypto:{} {} inline:{}\r\n", self.tag, self.suite.name(), STANDARD.encode(self.key.0))
    }
}

/// The keys of a session, derived from the master key (RFC 3711 4.3).
struct Keys {
    cipher: Aes128,
    salt: [u8; SALT_OCTETS],
    mac: Hmac<Sha1>,
}

impl Keys {
    fn derive(master: &MasterKey) -> Self {
        let (mut key, mut salt) = ([0; KEY_OCTETS], [0; SALT_OCTETS]);
        key.copy_from_slice(&master.0[..KEY_OCTETS]);
        salt.copy_from_slice(&master.0[KEY_OCTETS..]);
        let cipher = Aes128::new(&key.into());
        let stream = |label: u8, octets: &mut [u8]| {
            let mut start = [0; BLOCK_OCTETS];
            start[..SALT_OCTETS].copy_from_slice(&salt);
            start[7] ^= label;
            apply_stream(&cipher, start, octets);
        };
        let (mut encryption, mut authentication, mut session_salt) = ([0; KEY_OCTETS], [0; 20], [0; SALT_OCTETS]);
        stream(0, &mut encryption);
        stream(1, &mut authentication);
        stream(2, &mut session_salt);
        Self {
            cipher: Aes128::new(&encryption.into()),
            salt: session_salt,
            mac: <Hmac<Sha1> as Mac>::new_from_slice(&authentication).expect("HMAC takes a key of any length"),
        }
    }

    /// Encrypts or decrypts, which is the same (RFC 3711 4.1.1).
    fn apply(&self, source: u32, index: u64, payload: &mut [u8]) {
        let mut start = [0; BLOCK_OCTETS];
        start[..SALT_OCTETS].copy_from_slice(&self.salt);
        for (octet, value) in start[4..8].iter_mut().zip(source.to_be_bytes()) {
            *octet ^= value;
        }
        for (octet, value) in start[8..14].iter_mut().zip(&index.to_be_bytes()[2..]) {
            *octet ^= value;
        }
        apply_stream(&self.cipher, start, payload);
    }

    fn mac(&self, packet: &[u8], index: u64) -> Hmac<Sha1> {
        let mut mac = self.mac.clone();
        mac.update(packet);
        mac.update(&((index >> 16) as u32).to_be_bytes());
        mac
    }
}

/// XORs the key stream that begins at this counter.
fn apply_stream(cipher: &Aes128, start: [u8; BLOCK_OCTETS], octets: &mut [u8]) {
    for (count, chunk) in (0u16..).zip(octets.chunks_mut(BLOCK_OCTETS)) {
        let mut block = start;
        for (octet, value) in block[14..].iter_mut().zip(count.to_be_bytes()) {
            *octet ^= value;
        }
        let mut block = Block::from(block);
        cipher.encrypt_block(&mut block);
        for (octet, key) in chunk.iter_mut().zip(block) {
            *octet ^= key;
        }
    }
}

/// The numbers that one source has used: their 16 bits on the wire are the end of 48.
#[derive(Clone, Copy, Debug, Default)]
struct Track {
    highest: Option<u64>,
    /// Bit n: `highest - n` was used.
    used: u64,
}

impl Track {
    /// The whole number of a packet (RFC 3711 3.3.1).
    fn index(&self, sequence: u16) -> Option<u64> {
        let Some(highest) = self.highest else { return Some(u64::from(sequence)) };
        let (turns, last) = (highest >> 16, highest as u16);
        let turns = match (last < 0x8000, sequence) {
            (true, sequence) if sequence.saturating_sub(last) > 0x8000 => turns.checked_sub(1)?,
            (false, sequence) if last - 0x8000 > sequence => turns + 1,
            _ => turns,
        };
        Some(turns << 16 | u64::from(sequence))
    }

    fn is_fresh(&self, index: u64) -> bool {
        match self.highest {
            Some(highest) if index <= highest => {
                let back = highest - index;
                back < WINDOW && self.used & (1 << back) == 0
            }
            _ => true,
        }
    }

    fn mark(&mut self, index: u64) {
        let highest = self.highest.unwrap_or(index);
        if index > highest {
            let ahead = index - highest;
            self.used = if ahead < WINDOW { self.used << ahead } else { 0 };
        }
        self.highest = Some(highest.max(index));
        self.used |= 1 << (highest.max(index) - index);
    }
}

/// Where the payload of a packet begins, its number and its source; `None` for what is no RTP.
fn layout(packet: &[u8]) -> Option<(usize, u16, u32)> {
    let header = packet.get(..12)?;
    if header[0] >> 6 != 2 {
        return None;
    }
    let mut start = 12 + usize::from(header[0] & 0x0f) * 4;
    if header[0] & 0x10 != 0 {
        let extension = packet.get(start..start + 4)?;
        start += 4 + usize::from(u16::from_be_bytes([extension[2], extension[3]])) * 4;
    }
    let source = u32::from_be_bytes([header[8], header[9], header[10], header[11]]);
    (start <= packet.len()).then_some((start, u16::from_be_bytes([header[2], header[3]]), source))
}

/// Protects what we send from one source.
pub(crate) struct Sender {
    keys: Keys,
    pub(crate) suite: Suite,
    track: Track,
}

impl Sender {
    pub(crate) fn new(key: &MasterKey, suite: Suite) -> Self {
        Self { keys: Keys::derive(key), suite, track: Track::default() }
    }

    /// `false`: the packet must not be sent, as its number was used before.
    #[must_use]
    pub(crate) fn protect(&mut self, packet: &mut Vec<u8>) -> bool {
        let Some((start, sequence, source)) = layout(packet) else { return false };
        let Some(index) = self.track.index(sequence).filter(|index| self.track.is_fresh(*index)) else { return false };
        self.track.mark(index);
        self.keys.apply(source, index, &mut packet[start..]);
        let tag = self.keys.mac(packet, index).finalize().into_bytes();
        packet.extend_from_slice(&tag[..self.suite.tag_octets()]);
        true
    }
}

/// Opens what a peer sends.
pub(crate) struct Receiver {
    keys: Keys,
    pub(crate) crypto: Crypto,
    tracks: Vec<(u32, Track)>,
}

impl Receiver {
    pub(crate) fn new(crypto: Crypto) -> Self {
        Self { keys: Keys::derive(&crypto.key), crypto, tracks: Vec::new() }
    }

    /// The length of the packet without its tag, decrypted in place; `None` when it is not the peer's or was here before.
    pub(crate) fn open(&mut self, packet: &mut [u8]) -> Option<usize> {
        let end = packet.len().checked_sub(self.crypto.suite.tag_octets())?;
        let (packet, tag) = packet.split_at_mut(end);
        let (start, sequence, source) = layout(packet)?;
        let known = self.tracks.iter().position(|(known, _)| *known == source);
        let mut track = known.map_or_else(Track::default, |at| self.tracks[at].1);
        let index = track.index(sequence).filter(|index| track.is_fresh(*index))?;
        self.keys.mac(packet, index).verify_truncated_left(tag).ok()?;
        track.mark(index);
        match known {
            Some(at) => self.tracks[at].1 = track,
            None => {
                if self.tracks.len() == SOURCES_MAX {
                    self.tracks.remove(0);
                }
                self.tracks.push((source, track));
            }
        }
        self.keys.apply(source, index, &mut packet[start..]);
        Some(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn octets<const N: usize>(text: &str) -> [u8; N] {
        hex::decode(text).unwrap().try_into().unwrap()
    }

    #[test]
    fn the_key_stream_of_rfc_3711_b_2_is_reproduced() {
        let cipher = Aes128::new(&octets::<16>("2B7E151628AED2A6ABF7158809CF4F3C").into());
        let mut stream = [0; 48];
        apply_stream(&cipher, octets("F0F1F2F3F4F5F6F7F8F9FAFBFCFD0000"), &mut stream);
        let expected =
            "E03EAD0935C95E80E166B16DD92B4EB4D23513162B02D0F72A43A2FE4A5F97AB41E95B3BB0A2E8DD477901E4FCA894C0";
        assert_eq!(hex::encode_upper(stream), expected);
    }

    #[test]
    fn the_keys_of_rfc_3711_b_3_are_derived() {
        let master = MasterKey(octets("E1F97A0D3E018BE0D64FA32C06DE41390EC675AD498AFEEBB6960B3AABE6"));
        let keys = Keys::derive(&master);
        assert_eq!(keys.salt, octets("30CBBC08863D8C85D49DB34A9AE1"));
        // The cipher key is C61E7A93744F39EE10734AFE3FF7A087: it encrypts as that key does.
        let own = Aes128::new(&octets::<16>("C61E7A93744F39EE10734AFE3FF7A087").into());
        let (mut one, mut two) = ([0; 16], [0; 16]);
        apply_stream(&keys.cipher, [7; 16], &mut one);
        apply_stream(&own, [7; 16], &mut two);
        assert_eq!(one, two);
        let own =
            <Hmac<Sha1> as Mac>::new_from_slice(&octets::<20>("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4")).unwrap();
        assert_eq!(keys.mac.finalize().into_bytes(), own.finalize().into_bytes());
    }

    fn packet(sequence: u16) -> Vec<u8> {
        let mut packet = vec![0x80, 0];
        packet.extend(sequence.to_be_bytes());
        packet.extend([0, 0, 0, 1, 0xde, 0xad, 0xbe, 0xef]);
        packet.extend(b"a frame of audio that is longer than a block");
        packet
    }

    fn pair(suite: Suite) -> (Sender, Receiver) {
        let key = MasterKey::fresh();
        (Sender::new(&key, suite), Receiver::new(Crypto { tag: 1, suite, key }))
    }

    #[test]
    fn what_was_protected_is_opened_once_and_across_the_turn_of_the_numbers() {
        for suite in [Suite::Tag80, Suite::Tag32] {
            let (mut sender, mut receiver) = pair(suite);
            for sequence in [65_533, 65_535, 65_534, 0, 1, 30_000, 60_000, 10_000] {
                let mut wire = packet(sequence);
                assert!(sender.protect(&mut wire), "{sequence}");
                assert_ne!(wire[12..], packet(sequence)[12..], "it is not in the clear");
                let (mut again, mut spoilt) = (wire.clone(), wire.clone());
                *spoilt.last_mut().unwrap() ^= 1;
                assert_eq!(receiver.open(&mut spoilt), None, "{sequence} with a wrong tag");
                let end = receiver.open(&mut wire).unwrap_or_else(|| panic!("{sequence}"));
                assert_eq!(wire[..end], packet(sequence), "{sequence}");
                assert_eq!(receiver.open(&mut again), None, "{sequence} again");
            }
        }
    }

    #[test]
    fn a_number_is_never_used_for_two_packets() {
        let (mut sender, _) = pair(Suite::Tag80);
        assert!(sender.protect(&mut packet(100)));
        assert!(sender.protect(&mut packet(99)));
        assert!(!sender.protect(&mut packet(100)));
        assert!(!sender.protect(&mut packet(36)), "64 back: too late to know");
    }

    #[test]
    fn short_and_foreign_packets_are_not_opened() {
        let (_, mut receiver) = pair(Suite::Tag80);
        for length in 0..60 {
            assert_eq!(receiver.open(&mut vec![0x9f; length]), None, "{length}");
        }
    }

    #[test]
    fn a_crypto_line_is_read_back_and_what_would_change_packets_is_refused() {
        let key = MasterKey::fresh();
        let own = Crypto { tag: 3, suite: Suite::Tag32, key };
        let line = own.line();
        let value = line.trim_end().strip_prefix("a=crypto:").unwrap();
        assert_eq!(Crypto::read(value), Some(own));
        assert_eq!(Crypto::read(&format!("{value}|2^20")), Some(own));
        let (identified, clear) = (format!("{value}|2^20|1:4"), format!("{value} UNENCRYPTED_SRTP"));
        for wrong in [identified.as_str(), clear.as_str(), "1 F8_128_HMAC_SHA1_80 inline:AA", "", "1"] {
            assert_eq!(Crypto::read(wrong), None, "{wrong}");
        }
        assert_eq!(Crypto::read(&value[..value.len() - 4]), None, "a key that is too short");
    }
}
