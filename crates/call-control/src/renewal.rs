//! A call asks to talk on.

use crate::beyond::{self, Covered};
use crate::control::Control;
use crate::covering::covering;
use crate::entity::call::Model;
use crate::error::Result;
use crate::grant::{self, Above, Ask, Below};
use crate::included::{self, Subscriber};
use crate::price::{Reach, started_seconds};
use crate::retry::retry;
use crate::store;
use crate::topic;
use chrono::{DateTime, TimeDelta, Utc};
use db::{CallId, SubscriptionId, TenantId, TenantTx};
use ledger::Leg;
use sip_media::Grant;
use subscription::{Billing, Customer};
use tenant::Organisation;

/// What the tenant's own book decided.
struct Renewed {
    reach: Reach,
    metered: u32,
    /// What it was allowed before, should a book above refuse.
    before: u32,
    above: Option<Below>,
}

/// Extends a call's grant out of what its wallet has left, then out of the prepaid books above. The same question again gets the
/// same answer, unless money has come or gone meanwhile.
pub(crate) async fn renew(control: &Control, call_id: CallId, metered_ms: u64, at: DateTime<Utc>) -> Result<Grant> {
    let refused = Grant { authorised_seconds: Some(0), renew_at_second: 0, is_final: true };
    let Some(tenant_id) = control.book_of(call_id).await? else { return Ok(refused) };
    let Some(renewed) = retry(|| renew_in_book(control, tenant_id, call_id, metered_ms, at)).await? else {
        return Ok(refused);
    };
    if let Some(below) = &renewed.above
        && retry(|| grant::hold_above(control.db(), below, at)).await? == Above::Refused
    {
        retry(|| keep_to(control, tenant_id, call_id, renewed.before)).await?;
        let reach = Reach { seconds: Some(renewed.before), is_final: true, ..renewed.reach };
        return Ok(grant::told(&reach, renewed.metered));
    }
    Ok(grant::told(&renewed.reach, renewed.metered))
}

/// `None` for a call that has ended, or has no topic.
async fn renew_in_book(
    control: &Control,
    tenant_id: TenantId,
    call_id: CallId,
    metered_ms: u64,
    at: DateTime<Utc>,
) -> Result<Option<Renewed>> {
    let tx = control.db().tenant(tenant_id).await?;
    let found = store::calls::lock(&tx, call_id).await?;
    let Some(mut call) = found.filter(|call| call.ended_at.is_none() && call.charged_by.is_some()) else {
        return Ok(None);
    };
    let metered = started_seconds(metered_ms);
    let book = tenant::organisation(&tx).await?;
    let customer = match call.customer_id {
        Some(id) => subscription::customer(&tx, id.into()).await?,
        None => None,
    };
    if let (Some(customer), Some(subscription_id)) = (&customer, call.subscription_id) {
        let before = call.authorised_seconds.map_or(0, i32::unsigned_abs);
        let reach = renew_covered(&tx, &mut call, customer, &book, (subscription_id.into(), metered), at).await?;
        let above = call.holds_upward.then(|| topic::below(&tx, &call, reach.cost, (customer, &book)));
        tx.commit().await?;
        return Ok(Some(Renewed { reach, metered, before, above }));
    }
    let (Some(customer), Some(tariff_id)) = (customer, call.tariff_id) else {
        let endless = Reach { seconds: None, cost: money::Money::zero(book.currency), is_final: false };
        return Ok(Some(Renewed { reach: endless, metered, before: 0, above: None }));
    };
    let (_, price) = grant::price_of(&tx, tariff_id.into(), &book).await?;
    let before = call.authorised_seconds.map_or(0, i32::unsigned_abs);
    let start = call.meter_started_at.unwrap_or(at - TimeDelta::seconds(i64::from(metered)));
    let reach = if customer.billing == Billing::Postpaid && call.holds_upward {
        price.ahead(start, metered, before)?
    } else if customer.billing == Billing::Postpaid {
        Reach { seconds: None, cost: money::Money::zero(book.currency), is_final: false }
    } else {
        let reach = |budget| price.reach(start, budget, metered, before);
        let ask = Ask { call: &call, customer_id: customer.id, reach: &reach, metered, authorised: before };
        let none_left = Reach { seconds: Some(before), cost: money::Money::zero(book.currency), is_final: true };
        grant::hold(&tx, &ask, at).await?.unwrap_or(none_left)
    };
    let lease_until = grant::lease(reach.seconds, metered, at);
    ledger::extend_lease(&tx, call_id, Leg::Caller, lease_until, at).await?;
    call.authorised_seconds = reach.seconds.map(|seconds| i32::try_from(seconds).unwrap_or(i32::MAX));
    call.last_seen_at = call.last_seen_at.max(at);
    store::calls::save(&tx, &call).await?;
    let above = call.holds_upward.then(|| topic::below(&tx, &call, reach.cost, (&customer, &book)));
    tx.commit().await?;
    Ok(Some(Renewed { reach, metered, before, above }))
}

/// A covered call holds more of what is included, and a prepaid caller money for the rest.
pub(crate) async fn renew_covered(
    tx: &TenantTx,
    call: &mut Model,
    customer: &Customer,
    book: &Organisation,
    (subscription_id, metered): (SubscriptionId, u32),
    at: DateTime<Utc>,
) -> Result<Reach> {
    let subscriber = Subscriber::read(tx, customer, subscription_id).await?;
    let covering = covering(call, &subscriber)?;
    included::hold_ahead(tx, call.id.into(), metered, at).await?;
    let of = Covered { call, customer, book, subscriber: &subscriber, covering: &covering };
    let none_left = Reach {
        seconds: call.authorised_seconds.map(i32::unsigned_abs),
        cost: money::Money::zero(customer.currency),
        is_final: true,
    };
    let reach = beyond::hold(tx, &of, metered, at).await?.unwrap_or(none_left);
    ledger::extend_lease(tx, call.id.into(), Leg::Caller, grant::lease(reach.seconds, metered, at), at).await?;
    call.authorised_seconds = reach.seconds.map(|seconds| i32::try_from(seconds).unwrap_or(i32::MAX));
    call.last_seen_at = call.last_seen_at.max(at);
    store::calls::save(tx, call).await?;
    Ok(reach)
}

async fn keep_to(control: &Control, tenant_id: TenantId, call_id: CallId, seconds: u32) -> Result<()> {
    let tx = control.db().tenant(tenant_id).await?;
    if let Some(mut call) = store::calls::lock(&tx, call_id).await? {
        call.authorised_seconds = Some(i32::try_from(seconds).unwrap_or(i32::MAX));
        store::calls::save(&tx, &call).await?;
    }
    Ok(tx.commit().await?)
}
