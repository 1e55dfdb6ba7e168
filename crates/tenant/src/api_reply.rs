//! A request that changes something takes effect once, however often it is sent: its key, what it asked, what it was answered.
//! The answer is kept in the transaction of the effect, so that neither is there without the other.

use crate::error::TenantError;
use crate::store;
use chrono::{DateTime, TimeDelta, Utc};
use db::TenantTx;
use sha2::{Digest, Sha256};

/// How long an answer is kept; afterwards the same key is a new one.
pub const API_REPLIES_KEPT: TimeDelta = TimeDelta::days(7);

/// What a request asked: method, path and body, as one hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestHash([u8; 32]);

impl RequestHash {
    /// Each part goes in with its length: ("a", "bc") and ("ab", "c") are two requests.
    pub fn of(method: &str, path: &str, body: &[u8]) -> Self {
        let mut hasher = Sha256::new();
        for part in [method.as_bytes(), path.as_bytes(), body] {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        Self(hasher.finalize().into())
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.to_vec()
    }
}

/// An answer as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiReply {
    pub status: u16,
    pub body: String,
}

/// What a key means for the request that carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Once {
    /// Nobody has sent it: go on, and keep the answer in this transaction.
    First,
    /// This very request was answered already.
    Again(ApiReply),
    /// The key came with another request.
    OtherRequest,
    /// The first one is being worked on by somebody else.
    InFlight,
}

/// Claims a key for this transaction. Nobody waits: who comes second while the first is at it is told so.
pub async fn claim_api_reply(
    tx: &TenantTx,
    key: &str,
    request: &RequestHash,
    now: DateTime<Utc>,
) -> Result<Once, TenantError> {
    if !store::api_reply::lock(tx, key).await? {
        return Ok(Once::InFlight);
    }
    match store::api_reply::find(tx, key, now - API_REPLIES_KEPT).await? {
        None => Ok(Once::First),
        Some((hash, reply)) if hash == request.bytes() => Ok(Once::Again(reply)),
        Some(_) => Ok(Once::OtherRequest),
    }
}

/// Keeps the answer to a claimed key.
pub async fn keep_api_reply(
    tx: &TenantTx,
    key: &str,
    request: &RequestHash,
    reply: &ApiReply,
    now: DateTime<Utc>,
) -> Result<(), TenantError> {
    Ok(store::api_reply::keep(tx, key, request, reply, now).await?)
}

/// Forgets answers that are older than they are kept; how many.
pub async fn forget_old_api_replies(tx: &TenantTx, now: DateTime<Utc>) -> Result<u64, TenantError> {
    Ok(store::api_reply::forget(tx, now - API_REPLIES_KEPT).await?)
}
