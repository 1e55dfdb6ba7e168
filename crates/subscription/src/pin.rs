//! PINs at rest: argon2id (RFC 9106), hashed off the runtime's threads and few at a time.

use crate::error::{Result, SubscriptionError};
use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use argon2::{Algorithm, Argon2, Params, Version};
use std::sync::LazyLock;
use tokio::sync::Semaphore;

/// A hash takes 19 MiB; this many at once bound what a flood of callers can take.
const AT_ONCE: usize = 2;

static TURNS: Semaphore = Semaphore::const_new(AT_ONCE);
/// What an unknown account is compared with, so that it takes as long as a known one.
static NOBODY: LazyLock<Option<String>> = LazyLock::new(|| hash_now("0000"));

fn hasher() -> Option<Argon2<'static>> {
    let params = Params::new(19 * 1024, 2, 1, None).ok()?;
    Some(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash_now(pin: &str) -> Option<String> {
    Some(hasher()?.hash_password(pin.as_bytes()).ok()?.to_string())
}

fn matches_now(pin: &str, hash: &str) -> Option<bool> {
    let hash = PasswordHash::new(hash).ok()?;
    Some(hasher()?.verify_password(pin.as_bytes(), &hash).is_ok())
}

/// The hash to store.
pub(crate) async fn hash(pin: &str) -> Result<String> {
    let pin = pin.to_owned();
    in_turn(move || hash_now(&pin)).await
}

/// Is it the PIN of this hash?
pub(crate) async fn matches(pin: &str, hash: &str) -> Result<bool> {
    let (pin, hash) = (pin.to_owned(), hash.to_owned());
    in_turn(move || matches_now(&pin, &hash)).await
}

/// The work of a comparison, for nothing.
pub(crate) async fn compare_with_nothing(pin: &str) -> Result<()> {
    let pin = pin.to_owned();
    in_turn(move || matches_now(&pin, NOBODY.as_deref()?)).await?;
    Ok(())
}

async fn in_turn<T: Send + 'static>(work: impl FnOnce() -> Option<T> + Send + 'static) -> Result<T> {
    let _turn = TURNS.acquire().await.map_err(|_| SubscriptionError::PinNotHashed)?;
    tokio::task::spawn_blocking(work).await.ok().flatten().ok_or(SubscriptionError::PinNotHashed)
}
