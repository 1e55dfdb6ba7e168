//! G.711: both laws as tables, made once from the standard's segments.
//! Linear samples are 16 bit; the 14 and 13 bit words of the standard are their rounded upper bits.
//! Expansion and compression agree with sox bit for bit over their whole domains (see the tests).

use std::sync::LazyLock;

/// A G.711 law as it is named in SDP and numbered in RTP (RFC 3551).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// u-law, payload type 0.
    Pcmu,
    /// A-law, payload type 8.
    Pcma,
}

impl Codec {
    pub(crate) fn payload_type(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
        }
    }

    pub(crate) fn of_payload_type(payload_type: u8) -> Option<Self> {
        match payload_type {
            0 => Some(Self::Pcmu),
            8 => Some(Self::Pcma),
            _ => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
        }
    }

    /// The octet that plays as nothing.
    pub(crate) fn silence(self) -> u8 {
        match self {
            Self::Pcmu => 0xff,
            Self::Pcma => 0xd5,
        }
    }

    pub(crate) fn expand(self, octet: u8) -> i16 {
        match self {
            Self::Pcmu => TABLES.from_ulaw[usize::from(octet)],
            Self::Pcma => TABLES.from_alaw[usize::from(octet)],
        }
    }

    pub(crate) fn compress(self, sample: i16) -> u8 {
        match self {
            Self::Pcmu => compress_ulaw(sample),
            Self::Pcma => compress_alaw(sample),
        }
    }
}

/// Translates octets of `from` into octets of `to` in place.
pub(crate) fn transcode(octets: &mut [u8], from: Codec, to: Codec) {
    let table = match (from, to) {
        (Codec::Pcmu, Codec::Pcma) => &TABLES.ulaw_to_alaw,
        (Codec::Pcma, Codec::Pcmu) => &TABLES.alaw_to_ulaw,
        _ => return,
    };
    for octet in octets {
        *octet = table[usize::from(*octet)];
    }
}

struct Tables {
    from_ulaw: [i16; 256],
    from_alaw: [i16; 256],
    ulaw_to_alaw: [u8; 256],
    alaw_to_ulaw: [u8; 256],
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let from_ulaw: [i16; 256] = std::array::from_fn(|octet| expand_ulaw(octet as u8));
    let from_alaw: [i16; 256] = std::array::from_fn(|octet| expand_alaw(octet as u8));
    Tables {
        ulaw_to_alaw: from_ulaw.map(compress_alaw),
        alaw_to_ulaw: from_alaw.map(compress_ulaw),
        from_ulaw,
        from_alaw,
    }
});

/// Bias of the u-law, in 14 bit units.
const ULAW_BIAS: i32 = 33;

fn expand_ulaw(octet: u8) -> i16 {
    let bits = !octet;
    let segment = i32::from((bits >> 4) & 7);
    let step = i32::from(bits & 15);
    let magnitude = ((((step << 1) + ULAW_BIAS) << segment) - ULAW_BIAS) << 2;
    (if bits & 0x80 != 0 { -magnitude } else { magnitude }) as i16
}

fn compress_ulaw(sample: i16) -> u8 {
    // Round to 14 bits; the top of the range has no rounder neighbour.
    let word = (i32::from(sample).min(32765) + 2) >> 2;
    let mask: u8 = if word < 0 { 0x7f } else { 0xff };
    let biased = (word.abs().min(8158)) + ULAW_BIAS;
    let segment = 31 - (biased >> 5).leading_zeros() as i32;
    let octet = (segment << 4) | ((biased >> (segment + 1)) & 15);
    octet as u8 ^ mask
}

fn expand_alaw(octet: u8) -> i16 {
    let bits = octet ^ 0x55;
    let segment = i32::from((bits >> 4) & 7);
    let step = i32::from(bits & 15) << 4;
    let magnitude = match segment {
        0 => step + 8,
        1 => step + 0x108,
        _ => (step + 0x108) << (segment - 1),
    };
    (if bits & 0x80 == 0 { -magnitude } else { magnitude }) as i16
}

fn compress_alaw(sample: i16) -> u8 {
    let word = (i32::from(sample).min(32763) + 4) >> 3;
    let (mask, magnitude): (u8, i32) = if word >= 0 { (0xd5, word) } else { (0x55, -word - 1) };
    let magnitude = magnitude.min(4095);
    let segment = (27 - magnitude.leading_zeros() as i32).max(0);
    let octet = (segment << 4) | ((magnitude >> segment.max(1)) & 15);
    octet as u8 ^ mask
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    fn sha256(octets: impl IntoIterator<Item = u8>) -> String {
        hex::encode(Sha256::digest(octets.into_iter().collect::<Vec<u8>>()))
    }

    // The expected digests are those of what sox 14.4.2 writes for the same input, dither off.
    #[test]
    fn expansion_agrees_with_sox_for_every_octet() {
        let all = |codec: Codec| sha256((0..=255).flat_map(|octet| codec.expand(octet).to_le_bytes()));
        assert_eq!(all(Codec::Pcmu), "3dab54339e520bb2c924826e3b72a917a2b612e9fd12fc867500f1d983a75827");
        assert_eq!(all(Codec::Pcma), "e04788d110e58ff8c70c93b8480190d973e3b67876b6119abbaec766cc75c174");
    }

    #[test]
    fn compression_agrees_with_sox_for_every_sample() {
        let all = |codec: Codec| sha256((i16::MIN..=i16::MAX).map(|sample| codec.compress(sample)));
        assert_eq!(all(Codec::Pcmu), "cd03795221187036041e2c68724ebbcc497e1844823ff4ab4ac6e61bc5948fb3");
        assert_eq!(all(Codec::Pcma), "9ad77510792fe7c8192acff6bf30d3fe660e5644727b703881516fa61dbabdeb");
    }

    #[test]
    fn an_octet_survives_expansion_and_compression_but_for_negative_zero() {
        for octet in 0..=255u8 {
            assert_eq!(Codec::Pcma.compress(Codec::Pcma.expand(octet)), octet);
            let expected = if octet == 0x7f { 0xff } else { octet };
            assert_eq!(Codec::Pcmu.compress(Codec::Pcmu.expand(octet)), expected);
        }
    }

    #[test]
    fn silence_stays_silence_in_the_other_law() {
        let mut octets = [Codec::Pcmu.silence(); 4];
        transcode(&mut octets, Codec::Pcmu, Codec::Pcma);
        assert_eq!(octets, [Codec::Pcma.silence(); 4]);
    }
}
