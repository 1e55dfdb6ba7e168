//! Who is above whom, and since when. Everything is rated by the parent at the call's start, however late it arrives.

use crate::error::TenantError;
use crate::organisation::Organisation;
use crate::store;
use chrono::{DateTime, Utc};
use db::{CustomerId, PlatformTx, TenantId};

/// One step up the tree: `child` is the customer `customer_id` in the book of `book`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upward {
    pub child: TenantId,
    pub book: TenantId,
    pub customer_id: CustomerId,
}

/// An organisation directly below another.
#[derive(Clone, Debug)]
pub struct Child {
    pub organisation: Organisation,
    /// The child as a customer in its parent's book.
    pub customer_id: CustomerId,
    pub since: DateTime<Utc>,
}

/// Puts `child` below `parent` from an instant on; the range before is closed there. The same step again changes nothing.
/// Refuses a circle, and a start before the present parent's own.
pub async fn set_parent(
    ptx: &PlatformTx,
    child: TenantId,
    parent: TenantId,
    customer_id_in_parent_book: CustomerId,
    from: DateTime<Utc>,
) -> Result<(), TenantError> {
    // Two moves at once could close a circle that neither sees: moves in the tree go one by one.
    store::tree::lock(ptx).await?;
    if child == parent || store::tree::is_above(ptx, child, parent, from).await? {
        return Err(TenantError::TreeMustHaveNoCircle);
    }
    if let Some(current) = store::tree::open_range(ptx, child).await? {
        if current.parent_id == parent.uuid() && current.customer_id == customer_id_in_parent_book.uuid() {
            return Ok(());
        }
        if current.since >= from {
            return Err(TenantError::ParentMustStartLater);
        }
        store::tree::close_range(ptx, child, from).await?;
    }
    store::tree::insert(ptx, child, parent, customer_id_in_parent_book, from).await
}

/// The steps from a tenant up to the operator as they were at `at`: its seller first. Empty for the operator itself.
pub async fn chain_at(ptx: &PlatformTx, tenant_id: TenantId, at: DateTime<Utc>) -> Result<Vec<Upward>, TenantError> {
    store::tree::chain_at(ptx, tenant_id, at).await
}

/// The organisations directly below `parent` at `at`, by name.
pub async fn children_at(ptx: &PlatformTx, parent: TenantId, at: DateTime<Utc>) -> Result<Vec<Child>, TenantError> {
    store::tree::children_at(ptx, parent, at).await
}

/// True when the tenant or anybody above it is suspended: suspension counts for the whole subtree.
pub async fn suspended_at_or_above(
    ptx: &PlatformTx,
    tenant_id: TenantId,
    at: DateTime<Utc>,
) -> Result<bool, TenantError> {
    let mut ids = vec![tenant_id];
    ids.extend(chain_at(ptx, tenant_id, at).await?.into_iter().map(|step| step.book));
    store::organisation::any_suspended(ptx, &ids, at).await
}
