//! Numbers: whose they are (dated), how they answer, and on what terms a child has one.

use crate::customer::must_exist;
use crate::error::{Result, Rule, SubscriptionError, must};
use crate::rules;
use crate::store::numbers as store;
use crate::topic::Topic;
use crate::words::{Collection, NumberKind, ShareOf, UnknownCallers};
use chrono::{DateTime, Utc};
use db::{CustomerId, NumberId, PlatformTx, TenantId, TenantTx};
use money::Percent;

/// A number of this organisation, as its members and customers see it.
#[derive(Clone, Debug, PartialEq)]
pub struct Number {
    pub id: NumberId,
    pub e164: String,
    pub kind: NumberKind,
    /// What the tenant calls it; the number itself until it is set.
    pub label: String,
    pub language: String,
    pub unknown_callers: UnknownCallers,
    /// Its topics, by digit.
    pub topics: Vec<Topic>,
    /// Where this book's seller collects what its callers pay: the customer that stands for all of them. Nobody is asked who
    /// he is, for the network knows whom it bills.
    pub network_customer: Option<CustomerId>,
}

/// How a number answers.
#[derive(Clone, Debug)]
pub struct NumberSetting {
    pub number_id: NumberId,
    pub label: String,
    /// `en`, `pt-BR`: of the prompts.
    pub language: String,
    pub unknown_callers: UnknownCallers,
}

/// In the seller's book: on what terms a customer has a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NumberTerms {
    pub number_id: NumberId,
    pub customer_id: CustomerId,
    /// The seller's share, net of tax; 0 = rental only.
    pub share: Percent,
    pub collection: Collection,
    pub of: ShareOf,
    /// These are the customer's terms, not terms of the number's own.
    pub follows_customer: bool,
}

/// Makes a number known to the platform; the same number again is the same id.
pub async fn add_number(ptx: &PlatformTx, e164: &str, kind: NumberKind) -> Result<NumberId> {
    rules::e164("e164", e164)?;
    store::add(ptx, e164, kind).await
}

/// From an instant on the number is this organisation's: whoever had it then has it until then.
///
/// What has already been decided for later is not overwritten: a later assignment refuses this one.
pub async fn assign_number(
    ptx: &PlatformTx,
    number_id: NumberId,
    organisation: TenantId,
    from: DateTime<Utc>,
) -> Result<()> {
    if store::holder_at(ptx, number_id, from).await? == Some(organisation) {
        return Ok(());
    }
    let free =
        store::end_assignment(ptx, number_id, from).await? && !store::is_assigned_from(ptx, number_id, from).await?;
    must(free, "from", Rule::AssignmentsMustNotOverlap, from)?;
    store::assign(ptx, number_id, organisation, from).await
}

/// From an instant on the number is nobody's.
pub async fn unassign_number(ptx: &PlatformTx, number_id: NumberId, from: DateTime<Utc>) -> Result<()> {
    let ended = store::end_assignment(ptx, number_id, from).await?;
    must(ended, "from", Rule::AssignmentsMustNotOverlap, from)
}

/// Whose the number was at an instant: a call is rated by the owner at its start, however late it arrives.
pub async fn number_owner(ptx: &PlatformTx, e164: &str, at: DateTime<Utc>) -> Result<Option<(NumberId, TenantId)>> {
    store::owner(ptx, e164, at).await
}

/// Every number of the platform with its owner at an instant, by number: the operator's list.
pub async fn all_numbers(
    ptx: &PlatformTx,
    at: DateTime<Utc>,
) -> Result<Vec<(NumberId, String, NumberKind, Option<TenantId>)>> {
    store::all(ptx, at).await
}

/// Says how a number answers.
pub async fn set_number(tx: &TenantTx, setting: &NumberSetting) -> Result<()> {
    rules::not_empty("label", &setting.label)?;
    rules::language("language", &setting.language)?;
    must(store::is_visible(tx, setting.number_id).await?, "number_id", Rule::NumberMustBeAssigned, setting.number_id)?;
    store::set(tx, setting).await
}

/// The organisation's numbers at an instant, by number, with their topics.
pub async fn numbers(tx: &TenantTx, now: DateTime<Utc>) -> Result<Vec<Number>> {
    store::of_tenant(tx, now).await
}

/// One number of the organisation at an instant.
pub async fn number(tx: &TenantTx, id: NumberId, now: DateTime<Utc>) -> Result<Option<Number>> {
    Ok(numbers(tx, now).await?.into_iter().find(|number| number.id == id))
}

/// In the seller's book: this customer has the number, and this is the seller's share of what it earns. Who collects it stays as
/// it is: see [`crate::set_split`].
pub async fn set_terms(tx: &TenantTx, number_id: NumberId, customer_id: CustomerId, share: Percent) -> Result<()> {
    must(share <= Percent::WHOLE, "share_percent", Rule::MustNotExceedWhole, share)?;
    must_exist(tx, customer_id).await?;
    store::set_share(tx, number_id, customer_id, share).await
}

/// The terms of a number in this book.
pub async fn number_terms(tx: &TenantTx, number_id: NumberId) -> Result<Option<NumberTerms>> {
    store::terms(tx, number_id).await
}

/// The terms of every number in this book.
pub async fn all_number_terms(tx: &TenantTx) -> Result<Vec<NumberTerms>> {
    store::all_terms(tx).await
}

/// The number that must be set up before it gets topics.
pub(crate) async fn must_be_set(tx: &TenantTx, number_id: NumberId) -> Result<()> {
    if store::is_set(tx, number_id).await? {
        return Ok(());
    }
    Err(SubscriptionError::not_found("number", number_id))
}
