//! A saved estimate: what was asked and what came out, as the estimator wrote them.

use super::link;
use crate::error::{Result, Rule, SubscriptionError, must};
use crate::rules;
use crate::store::quotes as store;
use chrono::{DateTime, Utc};
use db::{EstimateId, TenantTx};
use serde_json::Value;

/// The longest input or result that is kept, as text.
const DOCUMENT_BYTES_MAX: usize = 256 * 1024;

/// An estimate to be kept.
#[derive(Clone, Debug)]
pub struct NewEstimate {
    pub name: String,
    pub input: Value,
    pub result: Value,
}

/// A kept estimate.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    pub id: EstimateId,
    pub name: String,
    pub input: Value,
    pub result: Value,
    pub created_at: DateTime<Utc>,
    pub created_by: String,
    pub is_shared: bool,
}

/// Keeps an estimate.
pub async fn save_estimate(tx: &TenantTx, new: &NewEstimate, by: &str, now: DateTime<Utc>) -> Result<EstimateId> {
    rules::not_empty("name", &new.name)?;
    let most = i64::try_from(DOCUMENT_BYTES_MAX).unwrap_or(i64::MAX);
    for (field, document) in [("input", &new.input), ("result", &new.result)] {
        let bytes = document.to_string().len();
        must(bytes <= DOCUMENT_BYTES_MAX, field, Rule::MustLieBetween(0, most), bytes)?;
    }
    store::insert_estimate(tx, new, by, now).await
}

/// One estimate.
pub async fn estimate(tx: &TenantTx, id: EstimateId) -> Result<Option<Estimate>> {
    store::estimate(tx, id).await
}

/// Estimates, newest first, from the one after this place on.
pub async fn estimates(tx: &TenantTx, after: Option<(DateTime<Utc>, EstimateId)>, limit: u64) -> Result<Vec<Estimate>> {
    store::estimates(tx, after, limit).await
}

/// Makes a link to an estimate and returns its token, which is shown now and never again; a link made before stops working.
pub async fn share_estimate(tx: &TenantTx, id: EstimateId) -> Result<String> {
    let (token, hash) = link::new(tx.tenant_id());
    if store::share_estimate(tx, id, hash).await? {
        return Ok(token);
    }
    Err(SubscriptionError::not_found("estimate", id))
}

/// The estimate that a link leads to.
pub async fn estimate_by_token(tx: &TenantTx, token: &str) -> Result<Option<Estimate>> {
    store::estimate_by_hash(tx, link::hash(token)).await
}
