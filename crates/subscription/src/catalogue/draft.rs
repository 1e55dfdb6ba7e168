//! The unpublished next version of a plan: a document that may break rules until it is published, and then is refused whole.

use super::component::Measure;
use super::plan::{checked_terms, publish_version_measuring};
use super::reader::shown;
use crate::error::{Result, Rule, SubscriptionError, must, refuse};
use crate::store::{catalogue, drafts as store};
use chrono::{DateTime, Utc};
use db::{PlanId, PlanVersionId, TenantTx};
use serde_json::Value;

/// The longest document that is kept, as text.
const DOCUMENT_BYTES_MAX: usize = 256 * 1024;

/// A version in the making.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    pub plan_id: PlanId,
    /// As written: read it by [`checked_terms`].
    pub document: Value,
    pub edited_at: DateTime<Utc>,
    pub edited_by: String,
}

/// Keeps a plan's next version as far as it is written; there is one of each plan.
pub async fn save_draft(tx: &TenantTx, id: PlanId, document: &Value, by: &str, now: DateTime<Utc>) -> Result<()> {
    must(document.is_object(), "document", Rule::MustBeWritten("an object"), shown(document))?;
    let bytes = document.to_string().len();
    let most = i64::try_from(DOCUMENT_BYTES_MAX).unwrap_or(i64::MAX);
    must(bytes <= DOCUMENT_BYTES_MAX, "document", Rule::MustLieBetween(0, most), bytes)?;
    match catalogue::lock_plan(tx, id).await? {
        None => Err(SubscriptionError::not_found("plan", id)),
        Some(plan) if plan.archived_at.is_some() => refuse("plan_id", Rule::MustNotBeArchived, plan.code),
        Some(_) => store::save(tx, id, document, by, now).await,
    }
}

/// A plan's next version, if one is being written.
pub async fn draft(tx: &TenantTx, id: PlanId) -> Result<Option<Draft>> {
    store::by_plan(tx, id).await
}

/// The same, held until the transaction ends: what is looked at is then what is published, however long the look takes.
pub async fn lock_draft(tx: &TenantTx, id: PlanId) -> Result<Option<Draft>> {
    // Who writes a draft locks its plan first.
    catalogue::lock_plan(tx, id).await?;
    store::by_plan(tx, id).await
}

/// Throws a plan's next version away; `false` when there is none.
pub async fn discard_draft(tx: &TenantTx, id: PlanId) -> Result<bool> {
    catalogue::lock_plan(tx, id).await?;
    store::delete(tx, id).await
}

/// Makes the draft the plan's next version, which never changes; the draft is gone. Refused whole by the first rule that it
/// breaks, and then the draft stays as it was.
pub async fn publish_draft(
    tx: &TenantTx,
    id: PlanId,
    own_meters: &[Measure],
    now: DateTime<Utc>,
) -> Result<PlanVersionId> {
    // Under the plan's lock, so that what is published is what was read and two at once publish one version.
    let plan = catalogue::lock_plan(tx, id).await?.ok_or_else(|| SubscriptionError::not_found("plan", id))?;
    must(plan.archived_at.is_none(), "plan_id", Rule::MustNotBeArchived, &plan.code)?;
    let draft = store::by_plan(tx, id).await?.ok_or_else(|| SubscriptionError::not_found("draft", id))?;
    let version = match checked_terms(tx, &draft.document, own_meters).await? {
        Ok(version) => version,
        Err(refusals) => {
            let first = refusals.into_iter().next();
            return Err(first.map_or_else(|| SubscriptionError::not_found("draft", id), Into::into));
        }
    };
    let published = publish_version_measuring(tx, id, &version, own_meters, now).await?;
    store::delete(tx, id).await?;
    Ok(published)
}
