//! What a customer may use now: features, how much of each, and seats; and what refuses the rest.

use super::period::containing;
use crate::catalogue::{Limit, LoyaltyReward};
use crate::error::Result;
use crate::store::held::{Grant, grants};
use chrono::{DateTime, Utc};
use db::{CustomerId, SubscriptionId, TenantTx};
use rust_decimal::Decimal;
use serde::Serialize;
use std::collections::BTreeMap;

/// What a customer may use at an instant, by all of its subscriptions together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entitlements {
    /// By name.
    pub features: BTreeMap<String, Entitled>,
    pub seats: SeatRoom,
    /// The first end of a running period, where there is one: usage counts anew from it, and loyalty may bring more.
    #[serde(skip)]
    pub counted_until: Option<DateTime<Utc>>,
}

/// One feature.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entitled {
    /// Plans and add-ons that grant it.
    pub granted_by: Vec<String>,
    /// All that may be used, add-ons' included; `None`: as much as one likes.
    pub limit: Option<Decimal>,
    /// What counts against the limit, where a meter does.
    pub metered: Option<Metered>,
    /// What is used of it, where that is known.
    pub used: Option<Decimal>,
    /// What is left, never below zero.
    pub remaining: Option<Decimal>,
}

/// Which usage counts against a limit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Metered {
    pub meter: String,
    /// The subscription whose period it is counted in.
    pub subscription_id: SubscriptionId,
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
}

/// Seats that a customer may assign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SeatRoom {
    /// `None`: as many as one likes.
    pub limit: Option<u32>,
    /// Beyond the limit a seat is charged and not refused.
    pub sells_more: bool,
    pub assigned: u32,
}

impl SeatRoom {
    /// May so many seats be taken?
    pub fn holds(&self, seats: u32) -> bool {
        self.sells_more || self.limit.is_none_or(|limit| seats <= limit)
    }
}

impl Entitlements {
    /// Says what was used of a metered feature: its limit less that is what remains.
    pub fn with_used(mut self, feature: &str, used: Decimal) -> Entitlements {
        if let Some(entitled) = self.features.get_mut(feature) {
            entitled.used = Some(used);
            entitled.remaining = entitled.limit.map(|limit| (limit - used).max(Decimal::ZERO));
        }
        self
    }

    /// Changes whenever anything in it does: for caches. Not a secret, and stable across processes.
    pub fn etag(&self) -> String {
        // FNV-1a: the standard library's hasher promises nothing from one build to the next.
        let text = serde_json::to_string(self).unwrap_or_default();
        let hash = text
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
        format!("{hash:016x}")
    }
}

/// What a customer may use at an instant. One query. What meters have counted is added by [`Entitlements::with_used`]: this
/// room knows no usage.
pub async fn entitlements(tx: &TenantTx, customer_id: CustomerId, now: DateTime<Utc>) -> Result<Entitlements> {
    let grants = grants(tx, customer_id, now).await?;
    let mut features: BTreeMap<String, Entitled> = BTreeMap::new();
    for grant in &grants {
        for feature in granted(grant, now)? {
            let entitled = features.entry(feature.clone());
            grow(entitled, grant, grant.limits.get(&feature), now)?;
        }
    }
    let mut counted_until = None;
    for grant in &grants {
        let ends_at = containing(grant.anchor_on, &grant.time_zone, now)?.ends_at;
        counted_until = counted_until.into_iter().chain([ends_at]).min();
    }
    Ok(Entitlements { features, seats: seats(&grants), counted_until })
}

/// Another text whenever [`entitlements`] may be others, from the subscriptions and changes that are in effect: for whoever keeps
/// an answer and must know whether it still stands, in whatever process something was changed. Not before
/// [`Entitlements::counted_until`] does time alone bring anything else, and the names of plans are not in it.
pub async fn entitlement_stamp(tx: &TenantTx, customer_id: CustomerId, now: DateTime<Utc>) -> Result<String> {
    crate::store::held::stamp(tx, customer_id, now).await
}

/// The features of a plan or an add-on, and those that loyalty has brought.
fn granted(grant: &Grant, now: DateTime<Utc>) -> Result<Vec<String>> {
    let mut features = grant.features.clone();
    if !grant.is_add_on && !grant.loyalty.is_empty() {
        let position = containing(grant.anchor_on, &grant.time_zone, now)?.position;
        let reached = grant.loyalty.iter().filter(|rule| rule.after_months <= position);
        features.extend(reached.filter_map(|rule| match &rule.reward {
            LoyaltyReward::Feature(feature) if !grant.features.contains(feature) => Some(feature.clone()),
            _ => None,
        }));
    }
    Ok(features)
}

/// Limits of several plans and add-ons add up; one without a limit makes all of them go.
fn grow(
    entry: std::collections::btree_map::Entry<'_, String, Entitled>,
    grant: &Grant,
    limit: Option<&Limit>,
    now: DateTime<Utc>,
) -> Result<()> {
    let metered = match limit.and_then(|limit| limit.meter.clone()) {
        Some(meter) => {
            let period = containing(grant.anchor_on, &grant.time_zone, now)?;
            let (from, to) = (period.starts_at, period.ends_at);
            Some(Metered { meter, subscription_id: grant.subscription_id, from, to })
        }
        None => None,
    };
    match entry {
        std::collections::btree_map::Entry::Vacant(new) => {
            let limit = limit.map(|limit| limit.amount);
            let granted_by = vec![grant.plan.clone()];
            new.insert(Entitled { granted_by, limit, metered, used: None, remaining: limit });
        }
        std::collections::btree_map::Entry::Occupied(mut known) => {
            let known = known.get_mut();
            known.granted_by.push(grant.plan.clone());
            known.limit = known.limit.zip(limit).map(|(known, more)| known + more.amount);
            known.metered = known.metered.take().or(metered).filter(|_| known.limit.is_some());
            known.remaining = known.limit;
        }
    }
    Ok(())
}

fn seats(grants: &[Grant]) -> SeatRoom {
    let plans = || grants.iter().filter(|grant| !grant.is_add_on);
    // Without any plan there is nothing to limit: who is charged call by call has its agents for nothing.
    let limits: Option<Vec<u32>> = plans().map(|grant| grant.seat_limit).collect();
    SeatRoom {
        limit: limits.filter(|limits| !limits.is_empty()).map(|limits| limits.into_iter().fold(0, u32::saturating_add)),
        sells_more: plans().any(|grant| grant.sells_extra_seats),
        assigned: plans().map(|grant| grant.seats).fold(0, u32::saturating_add),
    }
}
