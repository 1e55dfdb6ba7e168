//! What customers may use, kept as long as it holds: a product asks at every step of its own. The answer that is kept stands only as
//! long as the stamp of what the customer has, read anew each time, is the one that it was made with. So a change counts at once,
//! whichever process made it, and so does the day on which something begins or ends. Only the names of plans may be as old as
//! [`KEPT_FOR`]. What meters have counted is never kept.

use crate::error::PageResult;
use chrono::{DateTime, Utc};
use db::{CustomerId, TenantId, TenantTx};
use moka::sync::Cache;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use subscription::{Entitlements, Metered};
use usage_metering::{Aggregate, UsageOf, UsageQuery};

/// As many customers' answers are kept; those that are asked for least go first.
const KEPT_MAX: u64 = 10_000;
/// An answer is read anew after this, whether anything has changed or not.
pub const KEPT_FOR: Duration = Duration::from_secs(60);

/// One answer, and what it was made with.
struct Kept {
    stamp: String,
    found: Entitlements,
}

/// The answers that were given lately, in this process.
pub struct KeptEntitlements(Cache<(TenantId, CustomerId), Arc<Kept>>);

impl Default for KeptEntitlements {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(KEPT_MAX).time_to_live(KEPT_FOR).build())
    }
}

impl KeptEntitlements {
    /// What a customer may use now, with what its meters have counted.
    pub async fn of(&self, tx: &TenantTx, customer_id: CustomerId, now: DateTime<Utc>) -> PageResult<Entitlements> {
        let key = (tx.tenant_id(), customer_id);
        // Before what it stands for: what changes in between makes the answer look older than it is, never newer.
        let stamp = subscription::entitlement_stamp(tx, customer_id, now).await?;
        let holds = |kept: &Arc<Kept>| kept.stamp == stamp && kept.found.counted_until.is_none_or(|until| now < until);
        if let Some(kept) = self.0.get(&key).filter(holds) {
            return with_usage(tx, customer_id, kept.found.clone()).await;
        }
        let found = subscription::entitlements(tx, customer_id, now).await?;
        self.0.insert(key, Arc::new(Kept { stamp, found: found.clone() }));
        with_usage(tx, customer_id, found).await
    }
}

/// The same with what meters have counted, in one read: the catalogue knows no usage.
pub async fn with_usage(tx: &TenantTx, customer_id: CustomerId, found: Entitlements) -> PageResult<Entitlements> {
    let metered = found.features.iter().filter_map(|(name, of)| Some((name.clone(), of.metered.clone()?)));
    let (names, metered): (Vec<String>, Vec<Metered>) = metered.unzip();
    let query = |of: Metered| UsageQuery {
        customer_id,
        of: UsageOf::NamedOrNone(of.subscription_id),
        meter: of.meter,
        filter: BTreeMap::new(),
        from: of.from,
        to: of.to,
    };
    let queries: Vec<_> = metered.into_iter().map(|of| (query(of), Aggregate::Sum)).collect();
    let used = usage_metering::quantities(tx, &queries).await?;
    Ok(names.iter().zip(used).fold(found, |found, (name, used)| found.with_used(name, used)))
}
