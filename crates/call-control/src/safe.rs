//! Keeps words that must be said again (a password at a carrier) so that the database alone does not give them away: encrypted and
//! authenticated by XChaCha20-Poly1305 under a key derived from the program's secret.

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fmt;

const NONCE_OCTETS: usize = 24;

/// Seals and opens; its key exists in memory only.
#[derive(Clone)]
pub struct Safe(XChaCha20Poly1305);

impl fmt::Debug for Safe {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Safe(hidden)")
    }
}

impl Safe {
    /// A key of the secret, for this use only.
    pub fn new(secret: &[u8]) -> Safe {
        let mut key = <Hmac<Sha256> as Mac>::new_from_slice(secret).expect("HMAC takes a key of any length");
        key.update(b"ringtill safe");
        Safe(XChaCha20Poly1305::new(&key.finalize().into_bytes()))
    }

    /// `of` is where it belongs: what is copied to another place does not open there.
    pub fn seal(&self, of: &str, text: &str) -> String {
        let nonce: [u8; NONCE_OCTETS] = rand::random();
        let payload = Payload { msg: text.as_bytes(), aad: of.as_bytes() };
        let hidden = self.0.encrypt(&XNonce::from(nonce), payload).expect("a text is shorter than 256 GiB");
        hex::encode([&nonce[..], &hidden].concat())
    }

    /// `None` for what another secret has sealed, for another place, or what has been changed.
    pub fn open(&self, of: &str, sealed: &str) -> Option<String> {
        let octets = hex::decode(sealed).ok()?;
        let (nonce, hidden) = octets.split_at_checked(NONCE_OCTETS)?;
        let nonce: [u8; NONCE_OCTETS] = nonce.try_into().ok()?;
        let payload = Payload { msg: hidden, aad: of.as_bytes() };
        String::from_utf8(self.0.decrypt(&XNonce::from(nonce), payload).ok()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_at_its_place_with_its_secret_and_unchanged_only() {
        let safe = Safe::new(b"a secret of the house, long enough");
        for text in
            ["", "geheim", "a password longer than one block of sixty-four octets, as nobody types it twice, ä ö ü"]
        {
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
