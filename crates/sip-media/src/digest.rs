//! Digest access authentication, server side (RFC 7616, RFC 8760): MD5 and SHA-256, `qop=auth` only.
//! Nonces carry their own time under an HMAC, so they cost no memory until used; a used nonce's count must rise.

use crate::config::DigestOffer;
use crate::control::PhoneSecret;
use hmac::{Hmac, Mac};
use md5::Md5;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;
use subtle::ConstantTimeEq;
use tokio::time::Instant;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Md5,
    Sha256,
}

impl Algorithm {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
        }
    }

    fn hash(self, text: &str) -> String {
        match self {
            Self::Md5 => hex::encode(Md5::digest(text)),
            Self::Sha256 => hex::encode(Sha256::digest(text)),
        }
    }

    /// HA1 of RFC 7616 3.4.2.
    pub(crate) fn ha1(self, username: &str, realm: &str, password: &str) -> String {
        self.hash(&format!("{username}:{realm}:{password}"))
    }

    /// The response of RFC 7616 3.4.1 with `qop=auth`.
    pub(crate) fn response(self, ha1: &str, method: &str, claim: &Claim) -> String {
        let ha2 = self.hash(&format!("{method}:{}", claim.uri));
        self.hash(&format!("{ha1}:{}:{}:{}:auth:{ha2}", claim.nonce, claim.nc, claim.cnonce))
    }
}

/// The fields of an `Authorization: Digest`, exactly as sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Claim {
    pub(crate) username: String,
    pub(crate) realm: String,
    pub(crate) nonce: String,
    pub(crate) uri: String,
    pub(crate) response: String,
    pub(crate) cnonce: String,
    pub(crate) nc: String,
    pub(crate) qop: String,
    pub(crate) algorithm: Option<String>,
}

impl Claim {
    /// `None` for another scheme or text that is no list of fields.
    pub(crate) fn read(header: &str) -> Option<Self> {
        let mut claim = Self::default();
        for (name, value) in fields(header)? {
            let place = match name.as_str() {
                "username" => &mut claim.username,
                "realm" => &mut claim.realm,
                "nonce" => &mut claim.nonce,
                "uri" => &mut claim.uri,
                "response" => &mut claim.response,
                "cnonce" => &mut claim.cnonce,
                "nc" => &mut claim.nc,
                "qop" => &mut claim.qop,
                "algorithm" => claim.algorithm.insert(String::new()),
                _ => continue,
            };
            *place = value;
        }
        Some(claim)
    }

    pub(crate) fn algorithm(&self) -> Option<Algorithm> {
        match self.algorithm.as_deref() {
            None => Some(Algorithm::Md5),
            Some(name) if name.eq_ignore_ascii_case("MD5") => Some(Algorithm::Md5),
            Some(name) if name.eq_ignore_ascii_case("SHA-256") => Some(Algorithm::Sha256),
            Some(_) => None,
        }
    }
}

/// The `name=value` fields after the word `Digest`, names in lower case, quotes and their escapes undone.
pub(crate) fn fields(header: &str) -> Option<Vec<(String, String)>> {
    let (scheme, rest) = header.trim().split_once(char::is_whitespace)?;
    if !scheme.eq_ignore_ascii_case("digest") {
        return None;
    }
    let mut fields = Vec::new();
    let mut characters = rest.chars().peekable();
    loop {
        while characters.next_if(|character| character.is_whitespace() || *character == ',').is_some() {}
        if characters.peek().is_none() {
            return Some(fields);
        }
        let mut name = String::new();
        while let Some(character) = characters.next_if(|character| !matches!(character, '=' | ',')) {
            name.push(character);
        }
        characters.next_if_eq(&'=')?;
        let mut value = String::new();
        if characters.next_if_eq(&'"').is_some() {
            loop {
                match characters.next()? {
                    '"' => break,
                    '\\' => value.push(characters.next()?),
                    character => value.push(character),
                }
            }
        } else {
            while let Some(character) = characters.next_if(|character| *character != ',') {
                value.push(character);
            }
            value.truncate(value.trim_end().len());
        }
        fields.push((name.trim().to_ascii_lowercase(), value));
    }
}

/// How an authorization fares.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Right,
    /// Right but for an old nonce, or one whose count did not rise: challenge again with `stale=true`.
    Stale,
    Wrong,
}

pub(crate) struct Digester {
    realm: String,
    offer: DigestOffer,
    lifetime: Duration,
    born: Instant,
    secret: [u8; 32],
    /// Highest count per nonce that has been used, and when it was issued.
    counts: Mutex<HashMap<String, (u32, Duration)>>,
}

impl Digester {
    pub(crate) fn new(realm: &str, offer: DigestOffer, lifetime: Duration) -> Self {
        let (born, secret) = (Instant::now(), rand::random());
        Self { realm: realm.to_owned(), offer, lifetime, born, secret, counts: Mutex::default() }
    }

    /// Values for `WWW-Authenticate`, in order of preference.
    pub(crate) fn challenges(&self, stale: bool) -> Vec<String> {
        let algorithms: &[Algorithm] = match self.offer {
            DigestOffer::Sha256AndMd5 => &[Algorithm::Sha256, Algorithm::Md5],
            DigestOffer::Md5 => &[Algorithm::Md5],
        };
        algorithms.iter().map(|algorithm| self.challenge(*algorithm, stale)).collect()
    }

    /// The value for one algorithm.
    pub(crate) fn challenge(&self, algorithm: Algorithm, stale: bool) -> String {
        let (realm, nonce, algorithm) = (&self.realm, self.nonce(), algorithm.name());
        let stale = if stale { ", stale=true" } else { "" };
        format!("Digest realm=\"{realm}\", nonce=\"{nonce}\", algorithm={algorithm}, qop=\"auth\"{stale}")
    }

    fn nonce(&self) -> String {
        let age = (self.born.elapsed().as_millis() as u64).to_be_bytes();
        let salt: [u8; 8] = rand::random();
        let seed = [age, salt].concat();
        format!("{}{}", hex::encode(&seed), self.seal(&seed))
    }

    fn seal(&self, seed: &[u8]) -> String {
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(&self.secret).expect("HMAC takes a key of any length");
        mac.update(seed);
        hex::encode(&mac.finalize().into_bytes()[..16])
    }

    /// When a nonce of ours was issued, since the edge started.
    fn issued(&self, nonce: &str) -> Option<Duration> {
        let (seed, seal) = nonce.split_at_checked(32)?;
        let seed = hex::decode(seed).ok()?;
        bool::from(self.seal(&seed).as_bytes().ct_eq(seal.as_bytes())).then_some(())?;
        let age: [u8; 8] = seed[..8].try_into().ok()?;
        Some(Duration::from_millis(u64::from_be_bytes(age)))
    }

    /// Whether a challenge of this edge carried it.
    pub(crate) fn is_ours(&self, nonce: &str) -> bool {
        self.issued(nonce).is_some()
    }

    /// `secret` is `None` for a user that does not exist: the work, and the answer, are those of a wrong password.
    pub(crate) fn verify(&self, claim: &Claim, method: &str, secret: Option<&PhoneSecret>) -> Verdict {
        let Some(algorithm) = claim.algorithm() else { return Verdict::Wrong };
        let nobody = "0".repeat(if algorithm == Algorithm::Md5 { 32 } else { 64 });
        let ha1 = match (secret, algorithm) {
            (Some(secret), Algorithm::Md5) => &secret.ha1_md5,
            (Some(secret), Algorithm::Sha256) => &secret.ha1_sha256,
            (None, _) => &nobody,
        };
        let expected = algorithm.response(ha1, method, claim);
        let equal = bool::from(expected.as_bytes().ct_eq(claim.response.to_ascii_lowercase().as_bytes()));
        let well_formed = claim.qop.eq_ignore_ascii_case("auth") && claim.realm == self.realm && claim.nc.len() == 8;
        let (Some(issued), Ok(count)) = (self.issued(&claim.nonce), u32::from_str_radix(&claim.nc, 16)) else {
            // A nonce of the edge before this one is stale, not an attack, if the password is right.
            return if equal && secret.is_some() && well_formed { Verdict::Stale } else { Verdict::Wrong };
        };
        if !equal || secret.is_none() || !well_formed {
            return Verdict::Wrong;
        }
        if self.count_rises(&claim.nonce, count, issued) { Verdict::Right } else { Verdict::Stale }
    }

    fn count_rises(&self, nonce: &str, count: u32, issued: Duration) -> bool {
        let now = self.born.elapsed();
        if now.saturating_sub(issued) > self.lifetime {
            return false;
        }
        let mut counts = self.counts.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if counts.len() >= 10_000 {
            counts.retain(|_, (_, issued)| now.saturating_sub(*issued) <= self.lifetime);
        }
        let (highest, _) = counts.entry(nonce.to_owned()).or_insert((0, issued));
        let rises = count > *highest;
        *highest = count.max(*highest);
        rises
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_7616_is_reproduced() {
        let claim = Claim {
            nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v".into(),
            uri: "/dir/index.html".into(),
            cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ".into(),
            nc: "00000001".into(),
            ..Claim::default()
        };
        for (algorithm, expected) in [
            (Algorithm::Md5, "8ca523f5e9506fed4657c9700eebdbec"),
            (Algorithm::Sha256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let ha1 = algorithm.ha1("Mufasa", "http-auth@example.org", "Circle of Life");
            assert_eq!(algorithm.response(&ha1, "GET", &claim), expected);
        }
    }

    struct World {
        digester: Digester,
        secret: PhoneSecret,
    }

    impl World {
        fn new(lifetime: Duration) -> Self {
            let secret = PhoneSecret {
                ha1_md5: Algorithm::Md5.ha1("amy", "test", "right"),
                ha1_sha256: Algorithm::Sha256.ha1("amy", "test", "right"),
            };
            Self { digester: Digester::new("test", DigestOffer::Sha256AndMd5, lifetime), secret }
        }

        fn claim(&self, nonce: &str, nc: u32, password: &str, algorithm: Algorithm) -> Claim {
            let mut claim = Claim {
                username: "amy".into(),
                realm: "test".into(),
                nonce: nonce.into(),
                uri: "sip:test".into(),
                cnonce: "c".into(),
                nc: format!("{nc:08x}"),
                qop: "auth".into(),
                algorithm: Some(algorithm.name().into()),
                ..Claim::default()
            };
            claim.response = algorithm.response(&algorithm.ha1("amy", "test", password), "REGISTER", &claim);
            claim
        }

        fn verify(&self, claim: &Claim) -> Verdict {
            self.digester.verify(claim, "REGISTER", Some(&self.secret))
        }
    }

    #[test]
    fn a_nonce_may_be_used_again_while_its_count_rises() {
        let world = World::new(Duration::from_secs(60));
        let nonce = world.digester.nonce();
        // Ten and more: counts are hexadecimal, and are not limited to one octet.
        for nc in (1..=20).chain([0x100, 0xffff]) {
            assert_eq!(world.verify(&world.claim(&nonce, nc, "right", Algorithm::Md5)), Verdict::Right, "{nc}");
        }
        let replay = world.claim(&nonce, 0xffff, "right", Algorithm::Md5);
        assert_eq!(world.verify(&replay), Verdict::Stale);
    }

    #[test]
    fn wrong_password_unknown_user_forged_nonce_and_old_nonce() {
        let world = World::new(Duration::ZERO);
        let nonce = world.digester.nonce();
        let claim = |password| world.claim(&nonce, 1, password, Algorithm::Sha256);
        assert_eq!(world.verify(&claim("wrong")), Verdict::Wrong);
        assert_eq!(world.digester.verify(&claim("right"), "REGISTER", None), Verdict::Wrong);
        std::thread::sleep(Duration::from_millis(2));
        assert_eq!(world.verify(&claim("right")), Verdict::Stale, "its lifetime is over");
        let forged = world.claim(&nonce.replace(&nonce[..4], "ffff"), 1, "right", Algorithm::Md5);
        assert_eq!(world.verify(&forged), Verdict::Stale, "a right password is asked again, never let in");
    }

    #[test]
    fn fields_are_read_as_sent() {
        let claim =
            Claim::read(r#"Digest username="a\"b", nc=0000000a, uri="sip:x,y", qop=auth,algorithm=MD5"#).unwrap();
        assert_eq!((claim.username.as_str(), claim.nc.as_str(), claim.uri.as_str()), ("a\"b", "0000000a", "sip:x,y"));
        for text in ["Basic abc", "", "Digest a", "Digest a=\"", "Digest ,,,=", "Digest"] {
            let claim = Claim::read(text);
            assert!(claim.is_none_or(|claim| claim.response.is_empty()), "{text:?}");
        }
    }
}
