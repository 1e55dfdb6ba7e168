//! Short tokens for what is not a browser: an agent's phone in the page, and one service to another. Never a browser's session.
//! One algorithm, a fixed list of keys, and every claim required: a token that leaves anything out is refused.

use chrono::{DateTime, TimeDelta, Utc};
use db::{AgentId, TenantId};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::collections::BTreeMap;

const ISSUER: &str = "ringtill";
const LIFE_SECONDS_MAX: i64 = 300;
const PHONE: &str = "ringtill-phone";
const SERVICE: &str = "ringtill-service";
const SECRET_BYTES_MIN: usize = 32;

/// Why a token was not accepted, or no key could be taken.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TokenRefused {
    #[error("the token is not one of ours")]
    NotOurs,
    #[error("the token is not valid now")]
    NotNow,
    #[error("a signing secret has at least 32 bytes")]
    SecretMustBeLong,
    #[error("the token could not be signed")]
    MustSign,
}

/// The keys that sign and verify, by their id. The current one signs; old ones verify until they are taken out.
pub struct TokenKeys {
    current: String,
    secrets: BTreeMap<String, SecretString>,
}

/// Whose phone a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhoneClaims {
    pub tenant_id: TenantId,
    pub agent_id: AgentId,
}

/// Which service a token speaks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceClaims {
    pub service: String,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    org: Option<TenantId>,
    // Typed: a string where a number belongs is refused, not skipped (CVE-2026-25537).
    iat: i64,
    nbf: i64,
    exp: i64,
}

impl TokenKeys {
    /// `current` signs; `old` still verify.
    pub fn new(current: (String, SecretString), old: Vec<(String, SecretString)>) -> Result<Self, TokenRefused> {
        let kid = current.0.clone();
        let secrets: BTreeMap<String, SecretString> = old.into_iter().chain([current]).collect();
        if secrets.values().any(|secret| secret.expose_secret().len() < SECRET_BYTES_MIN) {
            return Err(TokenRefused::SecretMustBeLong);
        }
        Ok(Self { current: kid, secrets })
    }

    /// A token for an agent's phone, five minutes long.
    pub fn issue_phone_token(
        &self,
        tenant_id: TenantId,
        agent_id: AgentId,
        now: DateTime<Utc>,
    ) -> Result<String, TokenRefused> {
        self.issue(PHONE, agent_id.to_string(), Some(tenant_id), now)
    }

    /// Whose phone it is, if the token is good at `now`.
    pub fn verify_phone_token(&self, token: &str, now: DateTime<Utc>) -> Result<PhoneClaims, TokenRefused> {
        let claims = self.verify(PHONE, token, now)?;
        let agent_id = claims.sub.parse().map_err(|_| TokenRefused::NotOurs)?;
        Ok(PhoneClaims { tenant_id: claims.org.ok_or(TokenRefused::NotOurs)?, agent_id })
    }

    /// A token by which one service speaks to another, five minutes long.
    pub fn issue_service_token(&self, service: &str, now: DateTime<Utc>) -> Result<String, TokenRefused> {
        self.issue(SERVICE, service.to_owned(), None, now)
    }

    /// Which service speaks, if the token is good at `now`.
    pub fn verify_service_token(&self, token: &str, now: DateTime<Utc>) -> Result<ServiceClaims, TokenRefused> {
        Ok(ServiceClaims { service: self.verify(SERVICE, token, now)?.sub })
    }

    fn issue(
        &self,
        audience: &str,
        subject: String,
        org: Option<TenantId>,
        now: DateTime<Utc>,
    ) -> Result<String, TokenRefused> {
        let claims = Claims {
            iss: ISSUER.into(),
            aud: audience.into(),
            sub: subject,
            org,
            iat: now.timestamp(),
            nbf: now.timestamp(),
            exp: (now + TimeDelta::seconds(LIFE_SECONDS_MAX)).timestamp(),
        };
        let secret = self.secrets.get(&self.current).ok_or(TokenRefused::MustSign)?;
        let header = Header { kid: Some(self.current.clone()), ..Header::new(Algorithm::HS256) };
        encode(&header, &claims, &EncodingKey::from_secret(secret.expose_secret().as_bytes()))
            .map_err(|_| TokenRefused::MustSign)
    }

    fn verify(&self, audience: &str, token: &str, now: DateTime<Utc>) -> Result<Claims, TokenRefused> {
        let header = decode_header(token).map_err(|_| TokenRefused::NotOurs)?;
        let secret = header.kid.and_then(|kid| self.secrets.get(&kid)).ok_or(TokenRefused::NotOurs)?;
        let claims: Claims = decoded(token, secret, audience)?;
        // The times are ours to compare: the clock is an argument here, and the library would ask the system's.
        let at = now.timestamp();
        if claims.nbf > at || claims.exp <= at || claims.exp - claims.nbf > LIFE_SECONDS_MAX {
            return Err(TokenRefused::NotNow);
        }
        Ok(claims)
    }
}

fn decoded<T: DeserializeOwned>(token: &str, secret: &SecretString, audience: &str) -> Result<T, TokenRefused> {
    let mut rules = Validation::new(Algorithm::HS256);
    rules.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
    rules.set_audience(&[audience]);
    rules.set_issuer(&[ISSUER]);
    rules.validate_exp = false;
    rules.validate_nbf = false;
    let key = DecodingKey::from_secret(secret.expose_secret().as_bytes());
    decode(token, &key, &rules).map(|token| token.claims).map_err(|_| TokenRefused::NotOurs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::json;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn keys() -> TokenKeys {
        TokenKeys::new(("b".into(), SECRET.into()), vec![("a".into(), "an older secret of thirty-two bytes".into())])
            .unwrap()
    }

    fn now() -> DateTime<Utc> {
        "2026-03-02T08:00:00Z".parse().unwrap()
    }

    fn forged(header: serde_json::Value, claims: serde_json::Value, secret: &str) -> String {
        use hmac::{Hmac, Mac};
        let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
    }

    #[test]
    fn a_phone_token_says_whose_phone_it_is_for_five_minutes() {
        let (tenant_id, agent_id) = (TenantId::new(), AgentId::new());
        let token = keys().issue_phone_token(tenant_id, agent_id, now()).unwrap();
        let verified = |at: DateTime<Utc>| keys().verify_phone_token(&token, at);
        assert_eq!(verified(now()), Ok(PhoneClaims { tenant_id, agent_id }));
        assert_eq!(verified(now() + TimeDelta::seconds(299)), Ok(PhoneClaims { tenant_id, agent_id }));
        assert_eq!(verified(now() + TimeDelta::seconds(300)), Err(TokenRefused::NotNow));
        assert_eq!(verified(now() - TimeDelta::seconds(1)), Err(TokenRefused::NotNow));
        assert_eq!(keys().verify_service_token(&token, now()), Err(TokenRefused::NotOurs)); // another audience
    }

    #[test]
    fn an_old_key_verifies_until_it_is_taken_out() {
        let old = TokenKeys::new(("a".into(), "an older secret of thirty-two bytes".into()), vec![]).unwrap();
        let token = old.issue_service_token("edge", now()).unwrap();
        assert_eq!(keys().verify_service_token(&token, now()), Ok(ServiceClaims { service: "edge".into() }));
        let without = TokenKeys::new(("b".into(), SECRET.into()), vec![]).unwrap();
        assert_eq!(without.verify_service_token(&token, now()), Err(TokenRefused::NotOurs));
        assert!(matches!(TokenKeys::new(("c".into(), "short".into()), vec![]), Err(TokenRefused::SecretMustBeLong)));
    }

    #[test]
    fn a_token_that_leaves_anything_out_or_bends_it_is_refused() {
        let at = now().timestamp();
        let header = json!({"alg": "HS256", "typ": "JWT", "kid": "b"});
        let good = json!({"iss": ISSUER, "aud": SERVICE, "sub": "edge", "iat": at, "nbf": at, "exp": at + 300});
        let with = |name: &str, value: serde_json::Value| {
            let mut claims = good.clone();
            claims[name] = value;
            claims
        };
        let without = |name: &str| {
            let mut claims = good.clone();
            claims.as_object_mut().unwrap().remove(name);
            claims
        };
        let verify = |token: &str| keys().verify_service_token(token, now());
        assert!(verify(&forged(header.clone(), good.clone(), SECRET)).is_ok());
        for (what, token) in [
            ("no algorithm", forged(json!({"alg": "none", "kid": "b"}), good.clone(), SECRET)),
            ("another algorithm", forged(json!({"alg": "HS512", "kid": "b"}), good.clone(), SECRET)),
            ("no key id", forged(json!({"alg": "HS256"}), good.clone(), SECRET)),
            ("an unknown key id", forged(json!({"alg": "HS256", "kid": "z"}), good.clone(), SECRET)),
            ("another secret", forged(header.clone(), good.clone(), "0123456789abcdef0123456789abcdeX")),
            ("exp as text", forged(header.clone(), with("exp", json!("9999999999")), SECRET)),
            ("nbf as text", forged(header.clone(), with("nbf", json!("0")), SECRET)),
            ("no exp", forged(header.clone(), without("exp"), SECRET)),
            ("no nbf", forged(header.clone(), without("nbf"), SECRET)),
            ("no issuer", forged(header.clone(), without("iss"), SECRET)),
            ("another issuer", forged(header.clone(), with("iss", json!("evil")), SECRET)),
            ("another audience", forged(header.clone(), with("aud", json!(PHONE)), SECRET)),
            ("a longer life", forged(header.clone(), with("exp", json!(at + 301)), SECRET)),
        ] {
            assert!(verify(&token).is_err(), "{what}");
        }
    }
}
