//! How many requests a key may make.

use db::ApiKeyId;

/// Requests that a key may make at once.
pub const BURST: i64 = 200;
/// Requests a second that it may go on making.
pub const PER_SECOND: i64 = 50;

/// The buckets of all keys.
pub type Limits = crate::limit::Limits<ApiKeyId>;

/// See [`BURST`] and [`PER_SECOND`].
pub fn limits() -> Limits {
    Limits::new(BURST, 1_000_000 / PER_SECOND)
}
