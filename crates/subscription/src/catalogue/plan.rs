//! Plans, add-ons and their versions. A version is published whole or refused whole, and never changes.

use super::component::Measure;
use super::document;
use super::loyalty::LoyaltyReward;
use super::terms::{NewPlanVersion, PlanVersion};
use crate::error::{Refusal, Result, Rule, SubscriptionError, refuse};
use crate::rules;
use crate::store::catalogue as store;
use crate::words::PlanState;
use chrono::{DateTime, Utc};
use db::{PlanId, PlanVersionId, TenantTx};
use serde_json::Value;
use std::collections::HashMap;

/// Something that is sold by subscription.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub id: PlanId,
    /// Unique in the book: `per-event`.
    pub code: String,
    pub name: String,
    pub description: String,
    /// Attaches to a subscription instead of being one.
    pub is_add_on: bool,
    pub archived_at: Option<DateTime<Utc>>,
    /// Since when its unpublished next version is as it is, if there is one.
    pub draft_edited_at: Option<DateTime<Utc>>,
    /// Its newest version, if any has been published.
    pub newest: Option<PlanVersion>,
}

impl Plan {
    /// Where it stands between being written and being given up.
    pub fn state(&self) -> PlanState {
        match (self.archived_at, &self.newest) {
            (Some(_), _) => PlanState::Archived,
            (None, Some(_)) => PlanState::Published,
            (None, None) => PlanState::Draft,
        }
    }
}

/// Puts a plan or an add-on into the catalogue; it is sold from its first version on.
pub async fn create_plan(tx: &TenantTx, code: &str, name: &str, description: &str, is_add_on: bool) -> Result<PlanId> {
    rules::slug("code", code)?;
    rules::name("name", name)?;
    store::insert_plan(tx, code, name, description, is_add_on).await
}

/// Another name and description; what was published keeps its terms.
pub async fn rename_plan(tx: &TenantTx, id: PlanId, name: &str, description: &str) -> Result<()> {
    rules::name("name", name)?;
    if store::rename_plan(tx, id, name, description).await? {
        return Ok(());
    }
    Err(SubscriptionError::not_found("plan", id))
}

/// No longer sold; who has it keeps it.
pub async fn archive_plan(tx: &TenantTx, id: PlanId, now: DateTime<Utc>) -> Result<()> {
    if store::archive_plan(tx, id, now).await? {
        return Ok(());
    }
    Err(SubscriptionError::not_found("plan", id))
}

/// Publishes the next version of a plan. Components may charge by the meters that every book has.
pub async fn publish_version(
    tx: &TenantTx,
    plan: PlanId,
    new: &NewPlanVersion,
    now: DateTime<Utc>,
) -> Result<PlanVersionId> {
    publish_version_measuring(tx, plan, new, &[], now).await
}

/// The same, where the book has meters of its own besides.
pub async fn publish_version_measuring(
    tx: &TenantTx,
    plan: PlanId,
    new: &NewPlanVersion,
    own_meters: &[Measure],
    now: DateTime<Utc>,
) -> Result<PlanVersionId> {
    new.check(own_meters)?;
    if let Some(first) = gift_refusals(tx, new).await?.into_iter().next() {
        return Err(first.into());
    }
    match store::lock_plan(tx, plan).await? {
        None => Err(SubscriptionError::not_found("plan", plan)),
        Some(stored) if stored.archived_at.is_some() => refuse("plan", Rule::MustNotBeArchived, stored.code),
        Some(_) => store::insert_version(tx, plan, new, now).await,
    }
}

/// A document with everything for which a publication refuses it: what it says, and what it names in the catalogue. The version
/// that it makes, if there is nothing.
pub async fn checked_terms(
    tx: &TenantTx,
    document: &Value,
    own_meters: &[Measure],
) -> Result<Result<NewPlanVersion, Vec<Refusal>>> {
    let (version, mut refusals) = document::read(document);
    let Some(version) = version else { return Ok(Err(refusals)) };
    refusals.extend(version.refusals(own_meters));
    refusals.extend(gift_refusals(tx, &version).await?);
    Ok(if refusals.is_empty() { Ok(version) } else { Err(refusals) })
}

/// What loyalty gives must be an add-on of this book, in the same currency.
async fn gift_refusals(tx: &TenantTx, new: &NewPlanVersion) -> Result<Vec<Refusal>> {
    let mut refusals = Vec::new();
    for (index, rule) in new.loyalty.iter().enumerate() {
        let LoyaltyReward::FreeAddOn(id) = rule.reward else { continue };
        let gift = plan_version(tx, id).await?;
        let plan = match &gift {
            Some(gift) => store::plan_row(tx, gift.plan_id).await?,
            None => None,
        };
        let broken = match gift {
            Some(gift) if plan.is_some_and(|plan| plan.is_add_on) => (gift.currency != new.currency)
                .then_some(Rule::CurrencyMustMatch { expected: new.currency, found: gift.currency }),
            // A plan, or nothing that this book knows of.
            _ => Some(Rule::MustBeAddOn),
        };
        let field = format!("loyalty/{index}/free_add_on");
        refusals.extend(broken.map(|rule| Refusal { field, rule, value: id.to_string() }));
    }
    Ok(refusals)
}

/// The catalogue: plans and add-ons by code, each with its newest version, archived ones included.
pub async fn plans(tx: &TenantTx) -> Result<Vec<Plan>> {
    store::plans(tx).await
}

/// One plan with its newest version.
pub async fn plan(tx: &TenantTx, id: PlanId) -> Result<Option<Plan>> {
    Ok(store::plans(tx).await?.into_iter().find(|plan| plan.id == id))
}

/// What the plans of these versions are called.
pub async fn plan_names(tx: &TenantTx, ids: &[PlanVersionId]) -> Result<HashMap<PlanVersionId, String>> {
    if ids.is_empty() { Ok(HashMap::new()) } else { store::plan_names(tx, ids).await }
}

/// One version with its components.
pub async fn plan_version(tx: &TenantTx, id: PlanVersionId) -> Result<Option<PlanVersion>> {
    Ok(store::versions(tx, &[id]).await?.pop())
}

/// Versions with their components, in one read: for runs over many subscriptions.
pub async fn plan_versions(tx: &TenantTx, ids: &[PlanVersionId]) -> Result<Vec<PlanVersion>> {
    store::versions(tx, ids).await
}

/// Every version of a plan, the newest first.
pub async fn versions_of(tx: &TenantTx, plan: PlanId) -> Result<Vec<PlanVersion>> {
    store::versions_of(tx, plan).await
}
