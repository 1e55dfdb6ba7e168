//! Argon2id, m = 19 MiB, t = 2, p = 1, off the async threads and never more at once than memory allows.

use crate::error::TenantError;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use std::sync::{Arc, LazyLock};
use tokio::sync::Semaphore;

const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// 4 x 19 MiB at most, whatever the number of people who sign in at once.
const AT_ONCE_MAX: usize = 4;

static PERMITS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(AT_ONCE_MAX)));

/// What is verified for an address that nobody has, so that it costs the same work. No password of ours has this hash.
static NOBODY: LazyLock<Option<String>> = LazyLock::new(|| hash_now(&uuid::Uuid::now_v7().to_string()));

/// The first that anybody tries, beside those that only count or repeat.
const COMMON: [&str; 20] = [
    "password",
    "passw0rd",
    "password1",
    "12345678",
    "123456789",
    "1234567890",
    "qwertyui",
    "qwerty123",
    "qwertyuiop",
    "iloveyou",
    "11111111",
    "00000000",
    "letmein1",
    "welcome1",
    "sunshine",
    "princess",
    "football",
    "baseball",
    "trustno1",
    "abc12345",
];

fn argon2() -> Option<Argon2<'static>> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).ok()?;
    Some(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash_now(password: &str) -> Option<String> {
    let hash: PasswordHash = argon2()?.hash_password(password.as_bytes()).ok()?;
    Some(hash.to_string())
}

fn verify_now(password: &str, hash: &str) -> bool {
    let (Some(argon2), Ok(parsed)) = (argon2(), PasswordHash::new(hash)) else { return false };
    argon2.verify_password(password.as_bytes(), &parsed).is_ok()
}

/// Length and the list of common ones; no rules of composition.
pub(crate) fn check_strength(password: &str, email: &str) -> Result<(), TenantError> {
    if !(8..=200).contains(&password.chars().count()) {
        return Err(TenantError::PasswordMustBeLongEnough);
    }
    let lower = password.to_lowercase();
    let repeats = lower.chars().all(|c| lower.starts_with(c));
    if repeats || COMMON.contains(&lower.as_str()) || lower == email.to_lowercase() {
        return Err(TenantError::PasswordMustNotBeCommon);
    }
    Ok(())
}

/// The hash to store (PHC string).
pub(crate) async fn hash(password: &str) -> Result<String, TenantError> {
    let password = password.to_owned();
    work(move || hash_now(&password)).await.flatten().ok_or(TenantError::PasswordMustHash)
}

/// True when the password has this hash. Without a hash the same work is done and the answer is false; `None` when the work
/// could not be done at all.
pub(crate) async fn verify(password: &str, hash: Option<String>) -> Option<bool> {
    let password = password.to_owned();
    work(move || match &hash {
        Some(hash) => verify_now(&password, hash),
        None => {
            // The answer is thrown away, the work is not.
            std::hint::black_box(NOBODY.as_ref().is_some_and(|nobody| verify_now(&password, nobody)));
            false
        }
    })
    .await
}

async fn work<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let _permit = PERMITS.clone().acquire_owned().await.ok()?;
    tokio::task::spawn_blocking(job).await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_long_enough_and_not_the_first_that_anybody_tries() {
        for (password, refused) in [
            ("seven77", true),
            ("correct horse battery", false),
            ("Password1", true),
            ("aaaaaaaaaa", true),
            ("ana@example.com", true),
            ("longer ü is fine", false),
        ] {
            assert_eq!(check_strength(password, "ana@example.com").is_err(), refused, "{password}");
        }
    }

    #[tokio::test]
    async fn a_hash_is_argon2id_of_19_mib_and_verifies_its_password_only() {
        let hash = hash("correct horse battery").await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}"); // 19 * 1024 KiB
        assert_eq!(verify("correct horse battery", Some(hash.clone())).await, Some(true));
        assert_eq!(verify("correct horse batteri", Some(hash)).await, Some(false));
        assert_eq!(verify("correct horse battery", None).await, Some(false));
    }
}
