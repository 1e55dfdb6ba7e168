//! Drafts: documents to be. They may be voided, and have no number.

use crate::content::DraftContent;
use crate::error::{InvoicingError, Result};
use crate::store::{drafts, runs};
use chrono::{DateTime, Utc};
use db::{CustomerId, DraftId, RunId, TenantTx};

/// What has become of a draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DraftState {
    Open,
    /// It is a document now.
    Final,
    Void,
}

/// A document to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    pub id: DraftId,
    pub customer_id: CustomerId,
    pub run_id: Option<RunId>,
    pub created_at: DateTime<Utc>,
    pub state: DraftState,
    pub content: DraftContent,
}

impl Draft {
    pub(crate) fn must_be_open(&self) -> Result<()> {
        match self.state {
            DraftState::Open => Ok(()),
            DraftState::Final => Err(InvoicingError::DraftMustBeOpen("final")),
            DraftState::Void => Err(InvoicingError::DraftMustBeOpen("void")),
        }
    }
}

/// One draft.
pub async fn draft(tx: &TenantTx, id: DraftId) -> Result<Draft> {
    drafts::by_id(tx, id).await
}

/// Open drafts, the newest first; narrowed to a run or a customer.
pub async fn drafts(
    tx: &TenantTx,
    run_id: Option<RunId>,
    customer_id: Option<CustomerId>,
    limit: u64,
) -> Result<Vec<Draft>> {
    drafts::open(tx, run_id, customer_id, limit).await
}

/// Gives a draft up. What it would have billed is due again in the next run.
pub async fn void_draft(tx: &TenantTx, id: DraftId, now: DateTime<Utc>) -> Result<()> {
    // Locked in the order of those who issue: the run, its item, the draft.
    if let Some(run_id) = drafts::by_id(tx, id).await?.run_id {
        runs::share(tx, run_id).await?;
        runs::lock_item(tx, id).await?;
    }
    let draft = drafts::lock(tx, &[id]).await?.pop().ok_or(InvoicingError::UnknownDraft(id))?;
    draft.must_be_open()?;
    drafts::mark_void(tx, id, now).await?;
    runs::void_item(tx, id).await
}
