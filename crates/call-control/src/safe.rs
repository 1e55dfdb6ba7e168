//! Keeps words that must be said again (a password at a carrier) so that the database alone does not give them away: encrypted by a
//! stream of HMAC-SHA-256 in counter mode, then authenticated, under keys derived from the program's secret.

use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fmt;
use subtle::ConstantTimeEq;

const NONCE_OCTETS: usize = 16;
const SEAL_OCTETS: usize = 32;

/// Seals and opens; its keys exist in memory only.
#[derive(Clone)]
pub struct Safe {
    cipher: [u8; 32],
    seal: [u8; 32],
}

impl fmt::Debug for Safe {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Safe(hidden)")
    }
}

fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

impl Safe {
    /// Two keys of one secret, each for its own use only.
    pub fn new(secret: &[u8]) -> Safe {
        Safe { cipher: mac(secret, &[b"ringtill safe: cipher"]), seal: mac(secret, &[b"ringtill safe: seal"]) }
    }

    fn stream(&self, nonce: &[u8], text: &[u8]) -> Vec<u8> {
        let blocks = (0u32..).flat_map(|count| mac(&self.cipher, &[nonce, &count.to_be_bytes()]));
        text.iter().zip(blocks).map(|(octet, key)| octet ^ key).collect()
    }

    /// `of` is where it belongs: what is copied to another place does not open there.
    pub fn seal(&self, of: &str, text: &str) -> String {
        let nonce: [u8; NONCE_OCTETS] = rand::random();
        let hidden = self.stream(&nonce, text.as_bytes());
        let seal = mac(&self.seal, &[of.as_bytes(), &[0], &nonce, &hidden]);
        hex::encode([&nonce[..], &hidden, &seal].concat())
    }

    /// `None` for what another secret has sealed, for another place, or what has been changed.
    pub fn open(&self, of: &str, sealed: &str) -> Option<String> {
        let octets = hex::decode(sealed).ok()?;
        let (nonce, rest) = octets.split_at_checked(NONCE_OCTETS)?;
        let (hidden, seal) = rest.split_at_checked(rest.len().checked_sub(SEAL_OCTETS)?)?;
        let expected = mac(&self.seal, &[of.as_bytes(), &[0], nonce, hidden]);
        bool::from(expected.as_slice().ct_eq(seal)).then_some(())?;
        String::from_utf8(self.stream(nonce, hidden)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_at_its_place_with_its_secret_and_unchanged_only() {
        let safe = Safe::new(b"a secret of the house, long enough");
        for text in ["", "geheim", "a password longer than one block of thirty-two octets, ä ö ü"] {
            let sealed = safe.seal("carrier 1", text);
            assert_eq!(safe.open("carrier 1", &sealed).as_deref(), Some(text));
            assert_eq!(safe.open("carrier 2", &sealed), None, "another place");
            assert_eq!(Safe::new(b"another secret").open("carrier 1", &sealed), None);
            let mut changed = sealed.into_bytes();
            changed[33] = if changed[33] == b'0' { b'1' } else { b'0' };
            assert_eq!(safe.open("carrier 1", &String::from_utf8(changed).unwrap()), None);
        }
        assert_ne!(safe.seal("a", "b"), safe.seal("a", "b"), "no two look alike");
        assert_eq!(safe.open("a", "00"), None);
    }
}
