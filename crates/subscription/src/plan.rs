//! Plans, add-ons and their versions. A version is published whole or refused whole, and never changes.

use crate::component::{Component, Measure, check_components, standard_measures};
use crate::error::{Result, Rule, SubscriptionError, must, refuse, same_currency};
use crate::rules;
use crate::store::catalogue as store;
use chrono::{DateTime, Utc};
use db::{PlanId, PlanVersionId, TenantTx};
use money::{Currency, Money, Percent};

/// Days of a trial when nothing else is said.
pub const TRIAL_DAYS_DEFAULT: u32 = 14;

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
    /// Its newest version, if any has been published.
    pub newest: Option<PlanVersion>,
}

/// The terms of a plan as they were published.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanVersion {
    pub id: PlanVersionId,
    pub plan_id: PlanId,
    /// Counts from 1 within the plan.
    pub version: u32,
    pub currency: Currency,
    pub term_months: u32,
    pub trial_days: u32,
    /// Off recurring components.
    pub term_discount_percent: Percent,
    /// The least that usage components come to in a period; zero = none.
    pub commitment: Money,
    /// What a subscriber may use.
    pub features: Vec<String>,
    /// In the order of the lines.
    pub components: Vec<Component>,
    pub published_at: DateTime<Utc>,
}

/// A version to be.
#[derive(Clone, Debug)]
pub struct NewPlanVersion {
    pub currency: Currency,
    /// 1, 3, 6, 12 or any other number of months.
    pub term_months: u32,
    pub trial_days: u32,
    pub term_discount_percent: Percent,
    pub commitment: Money,
    pub features: Vec<String>,
    pub components: Vec<Component>,
}

impl NewPlanVersion {
    /// Month by month, with the usual trial, no discount and no commitment; change the fields that differ.
    pub fn monthly(currency: Currency, components: Vec<Component>) -> NewPlanVersion {
        NewPlanVersion {
            currency,
            term_months: 1,
            trial_days: TRIAL_DAYS_DEFAULT,
            term_discount_percent: Percent::ZERO,
            commitment: Money::zero(currency),
            features: Vec::new(),
            components,
        }
    }

    fn check(&self, measures: &[Measure]) -> Result<()> {
        rules::between("term_months", self.term_months.into(), 1, 120)?;
        rules::between("trial_days", self.trial_days.into(), 0, 365)?;
        let discount = self.term_discount_percent;
        must(discount <= Percent::WHOLE, "term_discount_percent", Rule::MustNotExceedWhole, discount.as_decimal())?;
        same_currency("commitment", self.currency, self.commitment.currency())?;
        must(!self.commitment.is_negative(), "commitment", Rule::MustNotBeNegative, self.commitment)?;
        for (index, feature) in self.features.iter().enumerate() {
            let field = format!("features/{index}");
            rules::feature(&field, feature)?;
            must(!self.features[..index].contains(feature), field, Rule::MustBeUnique, feature)?;
        }
        check_components(&self.components, measures)
    }
}

/// Puts a plan or an add-on into the catalogue; it is sold from its first version on.
pub async fn create_plan(tx: &TenantTx, code: &str, name: &str, description: &str, is_add_on: bool) -> Result<PlanId> {
    rules::slug("code", code)?;
    rules::not_empty("name", name)?;
    store::insert_plan(tx, code, name, description, is_add_on).await
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
    let mut measures = standard_measures();
    measures.extend(own_meters.iter().cloned());
    new.check(&measures)?;
    match store::lock_plan(tx, plan).await? {
        None => Err(SubscriptionError::not_found("plan", plan)),
        Some(stored) if stored.archived_at.is_some() => refuse("plan", Rule::MustNotBeArchived, stored.code),
        Some(_) => store::insert_version(tx, plan, new, now).await,
    }
}

/// The catalogue: plans and add-ons by code, each with its newest version, archived ones included.
pub async fn plans(tx: &TenantTx) -> Result<Vec<Plan>> {
    store::plans(tx).await
}

/// One plan with its newest version.
pub async fn plan(tx: &TenantTx, id: PlanId) -> Result<Option<Plan>> {
    Ok(store::plans(tx).await?.into_iter().find(|plan| plan.id == id))
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
