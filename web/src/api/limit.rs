//! How many requests a key may make.

use db::ApiKeyId;

/// Requests that a key may make at once.
pub const BURST: i64 = 200;
/// Requests a second that it may go on making.
pub const PER_SECOND: i64 = 50;
/// The same of requests that bring events: a switch may send each call's by itself. How many events wait has its own limit.
pub const EVENTS_BURST: i64 = 2_000;
pub const EVENTS_PER_SECOND: i64 = 500;

/// The buckets of all keys.
pub type Limits = crate::limit::Limits<ApiKeyId>;

/// See [`BURST`] and [`PER_SECOND`].
pub fn limits() -> Limits {
    Limits::new(BURST, 1_000_000 / PER_SECOND)
}

/// See [`EVENTS_BURST`] and [`EVENTS_PER_SECOND`].
pub fn event_limits() -> Limits {
    Limits::new(EVENTS_BURST, 1_000_000 / EVENTS_PER_SECOND)
}
