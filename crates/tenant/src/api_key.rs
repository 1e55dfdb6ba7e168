//! Keys by which other systems come in: `rt_live_`, 27 random digits of base 62, 6 of checksum.
//! Invariant: a key is shown once and stored as its SHA-256; what is not a key at all is known without asking the database.

use crate::audit::record_audit;
use crate::error::TenantError;
use crate::organisation::Organisation;
use crate::scope::Scope;
use crate::store;
use chrono::{DateTime, TimeDelta, Utc};
use db::{ApiKeyId, PlatformTx, TenantId, TenantTx};
use rand::Rng;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fmt;

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 62^27 > 2^160.
const RANDOM_DIGITS: usize = 27;
/// 62^6 > 2^32.
const CHECK_DIGITS: usize = 6;
/// Of the random digits, how many a list shows.
const SHOWN_DIGITS: usize = 4;
const NAME_CHARACTERS_MAX: usize = 80;

/// Where a key is good: on an installation that serves the public, or on one for development.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyMode {
    Live,
    Test,
}

impl KeyMode {
    fn prefix(self) -> &'static str {
        match self {
            Self::Live => "rt_live_",
            Self::Test => "rt_test_",
        }
    }
}

/// A key in readable form: right after it was made, or as a request carries it.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKeySecret(String);

impl ApiKeySecret {
    fn random(mode: KeyMode) -> Self {
        let mut rng = rand::rng();
        let random = (0..RANDOM_DIGITS).map(|_| char::from(DIGITS[rng.random_range(0..DIGITS.len())]));
        let mut text: String = mode.prefix().to_owned();
        text.extend(random);
        let check = check_digits(&text);
        Self(text + &check)
    }

    /// Reads a key of this mode. `None` for everything that was never one, by its form and its checksum.
    pub fn parse(text: &str, mode: KeyMode) -> Option<Self> {
        let digits = text.strip_prefix(mode.prefix())?;
        let is_whole =
            digits.len() == RANDOM_DIGITS + CHECK_DIGITS && digits.bytes().all(|digit| digit.is_ascii_alphanumeric());
        let (body, check) = text.split_at_checked(text.len().checked_sub(CHECK_DIGITS)?)?;
        (is_whole && check == check_digits(body)).then(|| Self(text.to_owned()))
    }

    /// For its owner's eyes, once.
    pub fn expose(&self) -> &str {
        &self.0
    }

    fn start(&self) -> &str {
        self.0.get(..KeyMode::Live.prefix().len() + SHOWN_DIGITS).unwrap_or_default()
    }

    fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }
}

impl fmt::Debug for ApiKeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKeySecret(hidden)")
    }
}

/// CRC-32 of the text (ISO 3309), in base 62.
fn check_digits(text: &str) -> String {
    let mut rest = crc32(text.as_bytes());
    let mut digits = [b'0'; CHECK_DIGITS];
    for place in digits.iter_mut().rev() {
        *place = DIGITS[(rest % 62) as usize];
        rest /= 62;
    }
    digits.iter().map(|digit| char::from(*digit)).collect()
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 })
    })
}

/// A key to be.
#[derive(Clone, Debug)]
pub struct NewApiKey {
    /// What it is for, as its owner calls it.
    pub name: String,
    pub mode: KeyMode,
    pub scopes: BTreeSet<Scope>,
    /// The first instant at which it is no longer good.
    pub expires_at: Option<DateTime<Utc>>,
    /// Who makes it.
    pub by: String,
}

/// A key as its owner sees it afterwards: never the key itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    pub id: ApiKeyId,
    pub name: String,
    /// `rt_live_4fKq`
    pub start: String,
    pub scopes: BTreeSet<Scope>,
    pub created_at: DateTime<Utc>,
    pub created_by: String,
    pub expires_at: Option<DateTime<Utc>>,
    /// To the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
}

impl ApiKey {
    /// Does it open anything?
    pub fn is_good_at(&self, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|expires_at| now < expires_at)
    }

    /// Has the last use that was noted been a minute ago, or longer?
    pub fn is_use_to_note(&self, now: DateTime<Utc>) -> bool {
        self.last_used_at.is_none_or(|last| now - last >= TimeDelta::minutes(1))
    }
}

/// Whose key a request carries.
#[derive(Clone, Debug)]
pub struct ApiClient {
    pub tenant_id: TenantId,
    pub key: ApiKey,
    pub organisation: Organisation,
}

impl ApiClient {
    /// Who did something, for the audit log.
    pub fn actor(&self) -> String {
        format!("API key {}", self.key.name)
    }
}

/// Makes a key. Its secret exists in this answer and nowhere else.
pub async fn create_api_key(
    tx: &TenantTx,
    new: &NewApiKey,
    now: DateTime<Utc>,
) -> Result<(ApiKeyId, ApiKeySecret), TenantError> {
    let name = new.name.trim();
    if name.is_empty() {
        return Err(TenantError::NameMustNotBeEmpty);
    }
    if name.chars().count() > NAME_CHARACTERS_MAX {
        return Err(TenantError::NameMustBeShort { characters_max: NAME_CHARACTERS_MAX });
    }
    if new.scopes.is_empty() {
        return Err(TenantError::KeyMustHaveScopes);
    }
    if new.expires_at.is_some_and(|expires_at| expires_at <= now) {
        return Err(TenantError::KeyMustExpireLater);
    }
    let secret = ApiKeySecret::random(new.mode);
    let key = ApiKey {
        id: ApiKeyId::new(),
        name: name.to_owned(),
        start: secret.start().to_owned(),
        scopes: new.scopes.clone(),
        created_at: now,
        created_by: new.by.clone(),
        expires_at: new.expires_at,
        last_used_at: None,
        revoked_at: None,
    };
    store::api_key::insert(tx, &key, &secret.hash()).await?;
    let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.as_str()).collect();
    let payload = json!({ "name": key.name, "start": key.start, "scopes": scopes, "expires_at": key.expires_at });
    record_audit(tx, &new.by, "api_key.create", &key.id.to_string(), payload, now).await?;
    Ok((key.id, secret))
}

/// The keys of the book, the newest first, with those that are over.
pub async fn api_keys(tx: &TenantTx) -> Result<Vec<ApiKey>, TenantError> {
    store::api_key::all(tx).await
}

/// Ends a key at once; ending it twice is nothing.
pub async fn revoke_api_key(tx: &TenantTx, id: ApiKeyId, by: &str, now: DateTime<Utc>) -> Result<(), TenantError> {
    let keys = store::api_key::all(tx).await?;
    let key = keys.into_iter().find(|key| key.id == id).ok_or(TenantError::KeyMustExist)?;
    if store::api_key::revoke(tx, id, now).await? > 0 {
        let payload = json!({ "name": key.name, "start": key.start });
        record_audit(tx, by, "api_key.revoke", &id.to_string(), payload, now).await?;
    }
    Ok(())
}

/// Whose key this is; `None` when it is unknown, expired or revoked.
pub async fn api_client(
    ptx: &PlatformTx,
    secret: &ApiKeySecret,
    now: DateTime<Utc>,
) -> Result<Option<ApiClient>, TenantError> {
    let Some((tenant_id, key)) = store::api_key::find(ptx, &secret.hash()).await? else { return Ok(None) };
    if !key.is_good_at(now) {
        return Ok(None);
    }
    let organisation = store::organisation::find(ptx, tenant_id).await?.ok_or(TenantError::OrganisationMustExist)?;
    Ok(Some(ApiClient { tenant_id, key, organisation }))
}

/// Notes that a key was used; see [`ApiKey::is_use_to_note`].
pub async fn touch_api_key(tx: &TenantTx, id: ApiKeyId, now: DateTime<Utc>) -> Result<(), TenantError> {
    store::api_key::touch(tx, id, now).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_crc_of_iso_3309() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn a_key_is_known_as_one_and_a_changed_digit_is_noticed() {
        let key = ApiKeySecret::random(KeyMode::Live);
        let text = key.expose();
        assert_eq!(text.len(), 8 + 27 + 6);
        assert_eq!(ApiKeySecret::parse(text, KeyMode::Live), Some(key.clone()));
        assert_eq!(ApiKeySecret::parse(text, KeyMode::Test), None, "a key of another installation");
        for place in 8..text.len() {
            let mut changed: Vec<u8> = text.bytes().collect();
            changed[place] = if changed[place] == b'a' { b'b' } else { b'a' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(ApiKeySecret::parse(&changed, KeyMode::Live), None, "{changed}");
        }
        for nonsense in ["", "rt_live_", "rt_live_é", &text[1..], &text[..40], &format!("{text}0")] {
            assert_eq!(ApiKeySecret::parse(nonsense, KeyMode::Live), None, "{nonsense}");
        }
    }

    #[test]
    fn a_key_is_not_shown_by_debug_and_no_two_are_alike() {
        let key = ApiKeySecret::random(KeyMode::Test);
        assert!(!format!("{key:?}").contains(&key.expose()[8..]));
        assert_ne!(key, ApiKeySecret::random(KeyMode::Test));
    }
}
