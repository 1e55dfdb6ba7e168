use crate::error::{SignInRefused, TenantError};
use crate::{password, store};
use chrono::{DateTime, TimeDelta, Utc};
use db::{PersonId, PlatformTx};
use sha2::{Digest, Sha256};
use std::net::IpAddr;

/// Tries that are not slowed down.
const FREE_TRIES: i32 = 5;
/// The longest wait between two tries: an attacker gets 1,440 a day, the owner is never locked out for longer.
const WAIT_SECONDS_MAX: i64 = 60;
/// Counted tries are forgotten after this.
const REMEMBERED_HOURS: i64 = 24;
/// The same for a network address, which many people may share: more is free, and it is forgotten sooner.
const FREE_TRIES_OF_ADDRESS: i32 = 30;
const ADDRESS_REMEMBERED_MINUTES: i64 = 15;

/// Creates a person: one e-mail address (any case, kept in lower case), one password.
pub async fn create_person(
    ptx: &PlatformTx,
    email: &str,
    name: &str,
    password: &str,
    now: DateTime<Utc>,
) -> Result<PersonId, TenantError> {
    let email = email_of(email)?;
    if name.trim().is_empty() {
        return Err(TenantError::NameMustNotBeEmpty);
    }
    password::check_strength(password, &email)?;
    let hash = password::hash(password).await?;
    let id = PersonId::new();
    store::person::insert(ptx, id, &email, name.trim(), &hash, now).await.map_err(|error| match db::constraint_of(
        &error,
    )
    .as_deref()
    {
        Some("person_email_key") => TenantError::EmailIsTaken,
        _ => TenantError::Db(error),
    })?;
    Ok(id)
}

/// The person with this e-mail address.
pub async fn person_by_email(ptx: &PlatformTx, email: &str) -> Result<Option<PersonId>, TenantError> {
    Ok(store::person::credentials(ptx, &email.trim().to_lowercase()).await?.map(|(id, _)| id))
}

/// Changes a password. Ending the person's sessions is the caller's next line ([`crate::end_sessions_of`]).
pub async fn set_password(ptx: &PlatformTx, person: PersonId, email: &str, password: &str) -> Result<(), TenantError> {
    password::check_strength(password, email)?;
    let hash = password::hash(password).await?;
    store::person::set_hash(ptx, person, &hash).await?;
    Ok(())
}

/// Who signs in. The caller commits whatever the answer is: a refused try must be counted.
///
/// An unknown address costs the same work and is slowed down like a known one. After five tries each next one must wait
/// 1, 2, 4 .. at most 60 seconds; a try during the wait is refused without being counted, so nobody can be locked out for good.
pub async fn check_password(
    ptx: &PlatformTx,
    email: &str,
    password: &str,
    now: DateTime<Utc>,
) -> Result<PersonId, SignInRefused> {
    let email = email.trim().to_lowercase();
    let email_hash: [u8; 32] = Sha256::digest(email.as_bytes()).into();
    // Counted before the password is looked at, in one guarded statement: tries that come at once cannot slip past together.
    count(ptx, &email_hash, FREE_TRIES, TimeDelta::hours(REMEMBERED_HOURS), now).await?;
    let found = store::person::credentials(ptx, &email).await?;
    let (id, hash) = found.unzip();
    let is_right = password::verify(password, hash).await.ok_or(SignInRefused::CouldNotCheck)?;
    match id {
        Some(id) if is_right => {
            store::person::forget_attempts(ptx, &email_hash).await?;
            Ok(id)
        }
        _ => Err(SignInRefused::Wrong),
    }
}

/// Counts a try from a network address, whoever it is for: one machine that goes through a list of people is slowed down
/// too. [`try_from_succeeded`] takes back what was no guess. The caller commits whatever the answer is.
pub async fn count_try_from(ptx: &PlatformTx, address: IpAddr, now: DateTime<Utc>) -> Result<(), SignInRefused> {
    let remembered = TimeDelta::minutes(ADDRESS_REMEMBERED_MINUTES);
    count(ptx, &address_hash(address), FREE_TRIES_OF_ADDRESS, remembered, now).await
}

/// Takes a counted try back. One's own account does not wipe out the guesses at others.
pub async fn try_from_succeeded(ptx: &PlatformTx, address: IpAddr) -> Result<(), SignInRefused> {
    Ok(store::person::take_back_attempt(ptx, &address_hash(address)).await?)
}

async fn count(
    ptx: &PlatformTx,
    key: &[u8; 32],
    free_tries: i32,
    remembered: TimeDelta,
    now: DateTime<Utc>,
) -> Result<(), SignInRefused> {
    let forgotten_before = now - remembered;
    if store::person::count_attempt(ptx, key, now, free_tries, WAIT_SECONDS_MAX, forgotten_before).await? {
        return Ok(());
    }
    let seen = store::person::attempts(ptx, key).await?;
    let wait = |(attempts, last_at)| retry_after_seconds(attempts, free_tries, last_at, now);
    Err(SignInRefused::TooManyTries { retry_after_seconds: seen.map_or(1, wait) })
}

/// A household's or an office's part of the network: of IPv6 the first 64 bits, since the rest changes by itself.
fn address_hash(address: IpAddr) -> [u8; 32] {
    let network = match address {
        IpAddr::V4(four) => four.to_string(),
        IpAddr::V6(six) => match six.to_ipv4_mapped() {
            Some(four) => four.to_string(),
            None => format!("{:x?}", &six.segments()[..4]),
        },
    };
    Sha256::digest(format!("address {network}").as_bytes()).into()
}

/// Forgets tries of yesterday; the worker's hourly job. Returns how many addresses were forgotten.
pub async fn forget_old_attempts(ptx: &PlatformTx, now: DateTime<Utc>) -> Result<u64, TenantError> {
    Ok(store::person::forget_attempts_before(ptx, now - TimeDelta::hours(REMEMBERED_HOURS)).await?)
}

/// Some tries are free, then 1, 2, 4 .. 60 seconds. The same rule stands in `store::person::count_attempt`.
fn wait_seconds(attempts: i32, free_tries: i32) -> i64 {
    if attempts < free_tries {
        return 0;
    }
    (1i64 << (attempts - free_tries).clamp(0, 20)).min(WAIT_SECONDS_MAX)
}

fn retry_after_seconds(attempts: i32, free_tries: i32, last_at: DateTime<Utc>, now: DateTime<Utc>) -> i64 {
    let left = last_at + TimeDelta::seconds(wait_seconds(attempts, free_tries)) - now;
    left.num_seconds().clamp(0, WAIT_SECONDS_MAX) + 1
}

fn email_of(text: &str) -> Result<String, TenantError> {
    let email = text.trim().to_lowercase();
    let refused = || TenantError::EmailMustBeOne(text.chars().take(80).collect());
    let (local, domain) = email.rsplit_once('@').ok_or_else(refused)?;
    let has_odd =
        email.chars().any(|c| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | ',' | ';' | '"'));
    if local.is_empty() || local.contains('@') || domain.is_empty() || email.len() > 254 || has_odd {
        return Err(refused());
    }
    Ok(email)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_email_address_has_one_at_and_no_line_break() {
        for (text, is_one) in [
            ("Ana@Example.com", true),
            (" ana@example.com ", true),
            ("ana@b\r\nBcc:x@example.com", false),
            ("ana", false),
            ("a@b@c", false),
            ("@example.com", false),
            ("Ana <ana@example.com>", false),
        ] {
            assert_eq!(email_of(text).is_ok(), is_one, "{text:?}");
        }
        assert_eq!(email_of("Ana@Example.com").unwrap(), "ana@example.com");
    }

    #[test]
    fn an_address_is_the_network_of_an_office_or_a_household() {
        let hash = |text: &str| address_hash(text.parse().unwrap());
        assert_eq!(hash("2001:db8:1:2::3"), hash("2001:db8:1:2:9999::1"));
        assert_ne!(hash("2001:db8:1:2::3"), hash("2001:db8:1:3::3"));
        assert_eq!(hash("::ffff:192.0.2.1"), hash("192.0.2.1"));
        assert_ne!(hash("192.0.2.1"), hash("192.0.2.2"));
    }

    #[test]
    fn five_tries_are_free_then_the_wait_doubles_up_to_a_minute() {
        let waits: Vec<i64> = (0..14).map(|attempts| wait_seconds(attempts, FREE_TRIES)).collect();
        assert_eq!(waits, [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
    }
}
