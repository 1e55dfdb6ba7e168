//! A digit was pressed: which price, who serves, and is there money for the first increment?

use crate::control::Control;
use crate::covering::covering;
use crate::dimensions::Known;
use crate::entity::call::Model;
use crate::error::{CallError, Result};
use crate::grant::{self, Above, Ask, Below};
use crate::included::Subscriber;
use crate::price::Reach;
use crate::retry::retry;
use crate::store;
use crate::{beyond, included};
use chrono::{DateTime, Utc};
use db::{CallId, CustomerId, TenantId, TenantTx};
use ledger::Leg;
use sip_media::{RefusalReason, Service, TopicDecision};
use std::collections::BTreeMap;
use subscription::{Billing, Coverage, Customer, MeterStarts, Topic};

/// What the tenant's own book decided.
enum Chosen {
    Refused(RefusalReason),
    Served {
        service: Service,
        reach: Reach,
        /// To be held above, too: there is a price that is known while the call runs. If it is, the call reaches so far for now, also
        /// that of a caller who pays later.
        above: Option<(Below, Reach)>,
    },
}

pub(crate) async fn choose(
    control: &Control,
    call_id: CallId,
    digit: u8,
    phones: &[String],
    at: DateTime<Utc>,
) -> Result<TopicDecision> {
    let Some(tenant_id) = control.book_of(call_id).await? else {
        return Ok(TopicDecision::Refuse(RefusalReason::Unavailable));
    };
    let (service, mut reach, above) =
        match retry(|| choose_in_book(control, tenant_id, call_id, digit, phones, at)).await? {
            Chosen::Refused(reason) => return Ok(TopicDecision::Refuse(reason)),
            Chosen::Served { service, reach, above } => (service, reach, above),
        };
    if let Some((below, ahead)) = above {
        match retry(|| grant::hold_above(control.db(), &below, at)).await? {
            Above::NothingToHold => {}
            Above::Held => {
                retry(|| note_above(control, tenant_id, call_id, &ahead)).await?;
                reach = ahead;
            }
            Above::Refused => {
                retry(|| undo(control, tenant_id, call_id, at)).await?;
                return Ok(TopicDecision::Refuse(RefusalReason::NoCredit));
            }
        }
    }
    Ok(TopicDecision::Serve { service, grant: grant::told(&reach, 0) })
}

async fn choose_in_book(
    control: &Control,
    tenant_id: TenantId,
    call_id: CallId,
    digit: u8,
    phones: &[String],
    at: DateTime<Utc>,
) -> Result<Chosen> {
    let tx = control.db().tenant(tenant_id).await?;
    let Some(mut call) = store::calls::lock(&tx, call_id).await?.filter(|call| call.ended_at.is_none()) else {
        return Ok(Chosen::Refused(RefusalReason::Unavailable));
    };
    let customer = match call.customer_id {
        Some(id) => subscription::customer(&tx, id.into()).await?,
        None => None,
    };
    let Some(customer) = customer.filter(|customer| customer.closed_at.is_none()) else {
        return Ok(Chosen::Refused(RefusalReason::UnknownCaller));
    };
    let Some(topic) = subscription::topic(&tx, call.number_id.into(), digit).await? else {
        return Ok(Chosen::Refused(RefusalReason::UnknownTopic));
    };
    let service = service(&tx, &topic, phones).await?;
    call.topic_id = Some(topic.id.uuid());
    call.topic_name = Some(topic.name.clone());
    call.digit = Some(i32::from(digit));
    call.handled_by = Some(if matches!(service, Service::Music) { "music" } else { "core" }.to_owned());
    call.state = "queued".to_owned();
    call.last_seen_at = at;
    let Some((reach, above)) = price(&tx, &mut call, &customer, &topic, at).await? else {
        return Ok(Chosen::Refused(RefusalReason::NoCredit));
    };
    store::calls::save(&tx, &call).await?;
    tx.commit().await?;
    db::fault::place("reserve.committed");
    Ok(Chosen::Served { service, reach, above })
}

/// Music where it is the service, or where nobody can be rung; else the agents on a seat whose phone is registered, the
/// longest idle first. Only these: a caller must not wait for a phone that cannot ring.
async fn service(tx: &TenantTx, topic: &Topic, phones: &[String]) -> Result<Service> {
    if topic.meter_starts == MeterStarts::TopicChosen {
        return Ok(Service::Music);
    }
    let ready = tenant::ready_agents(tx).await?.into_iter().map(|agent| agent.sip_username);
    let usernames: Vec<String> = ready.filter(|username| phones.contains(username)).collect();
    Ok(if usernames.is_empty() { Service::Music } else { Service::Agents { usernames } })
}

/// Decides who charges the call and holds its first increment; `None`: no credit.
async fn price(
    tx: &TenantTx,
    call: &mut Model,
    customer: &Customer,
    topic: &Topic,
    at: DateTime<Utc>,
) -> Result<Option<(Reach, Option<(Below, Reach)>)>> {
    let book = tenant::organisation(tx).await?;
    let endless = Reach { seconds: None, cost: money::Money::zero(book.currency), is_final: false };
    call.currency = Some(customer.currency.code().to_owned());
    // By the terms at the call's start, as everything of it.
    match covered(tx, customer.id, &Known::of(call).dimensions(), call.started_at).await? {
        Coverage::Component { subscription_id, component } => {
            call.charged_by = Some("component".to_owned());
            call.subscription_id = Some(subscription_id.uuid());
            call.component_key = Some(component.key);
            let reach = hold_covered(tx, call, customer, &book, at).await?;
            call.authorised_seconds = reach.and_then(|reach| reach.seconds).map(whole);
            // What a plan costs who pays later is known at the period's end: nothing is shared of it before.
            let is_prepaid = customer.billing == Billing::Prepaid;
            let above = |reach: Reach| is_prepaid.then(|| (below(tx, call, reach.cost, (customer, &book)), reach));
            return Ok(reach.map(|reach| (reach, above(reach))));
        }
        Coverage::Several => {
            // Charged by nobody until somebody has decided; refusing the caller would punish him for the catalogue.
            call.charged_by = Some("nothing".to_owned());
            return Ok(Some((endless, None)));
        }
        Coverage::Uncovered => {}
    }
    let (stored, price) = grant::price_of(tx, topic.tariff_id, &book).await?;
    if stored.currency != customer.currency {
        return Err(CallError::CurrencyMustMatchCustomer { expected: customer.currency, found: stored.currency });
    }
    call.charged_by = Some("tariff".to_owned());
    call.tariff_id = Some(stored.id.uuid());
    let (reach, ahead) = if customer.billing == Billing::Postpaid {
        (endless, price.ahead(at, 0, 0)?)
    } else {
        let reach = |budget| price.reach(at, budget, 0, 0);
        let ask = Ask { call, customer_id: customer.id, reach: &reach, metered: 0, authorised: 0 };
        match grant::hold(tx, &ask, at).await? {
            Some(reach) => (reach, reach),
            None => return Ok(None),
        }
    };
    call.authorised_seconds = reach.seconds.map(whole);
    let above = (below(tx, call, ahead.cost, (customer, &book)), ahead);
    // Where a level above collects, none of them takes anything from the one below.
    Ok(Some((reach, Some(above).filter(|_| call.collected_by == "tenant"))))
}

/// What the books above are asked to hold for: what the call may cost the caller so far.
pub(crate) fn below(
    tx: &TenantTx,
    call: &Model,
    gross: money::Money,
    (customer, book): (&Customer, &tenant::Organisation),
) -> Below {
    Below {
        tenant_id: tx.tenant_id(),
        call_id: call.id.into(),
        number_id: call.number_id.into(),
        started_at: call.started_at,
        gross,
        tax_percent: grant::tax_percent(customer, book),
    }
}

fn whole(seconds: u32) -> i32 {
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

/// Holds what a covered call needs first: included units, and for a prepaid caller the money for what they do not cover.
pub(crate) async fn hold_covered(
    tx: &TenantTx,
    call: &Model,
    customer: &Customer,
    book: &tenant::Organisation,
    at: DateTime<Utc>,
) -> Result<Option<Reach>> {
    let Some(subscription_id) = call.subscription_id else { return Ok(None) };
    let subscriber = Subscriber::read(tx, customer, subscription_id.into()).await?;
    let covering = covering(call, &subscriber)?;
    included::hold_first(tx, call, &subscriber, &covering, at).await?;
    beyond::hold(tx, &beyond::Covered { call, customer, book, subscriber: &subscriber, covering: &covering }, 0, at)
        .await
}

/// Who charges a call: what covers its minutes, or else what covers calls.
pub(crate) async fn covered(
    tx: &TenantTx,
    customer_id: CustomerId,
    dimensions: &BTreeMap<String, String>,
    at: DateTime<Utc>,
) -> Result<Coverage> {
    match subscription::coverage(tx, customer_id, "minutes", dimensions, at).await? {
        Coverage::Uncovered => Ok(subscription::coverage(tx, customer_id, "calls", dimensions, at).await?),
        found => Ok(found),
    }
}

async fn note_above(control: &Control, tenant_id: TenantId, call_id: CallId, ahead: &Reach) -> Result<()> {
    let tx = control.db().tenant(tenant_id).await?;
    if let Some(mut call) = store::calls::lock(&tx, call_id).await? {
        call.holds_upward = true;
        call.authorised_seconds = ahead.seconds.map(whole);
        store::calls::save(&tx, &call).await?;
    }
    Ok(tx.commit().await?)
}

/// A book above refused: the caller's own hold goes back, and the topic is open again.
async fn undo(control: &Control, tenant_id: TenantId, call_id: CallId, at: DateTime<Utc>) -> Result<()> {
    let tx = control.db().tenant(tenant_id).await?;
    if let Some(mut call) = store::calls::lock(&tx, call_id).await? {
        ledger::release(&tx, call_id, Leg::Caller, at).await?;
        call.charged_by = None;
        call.tariff_id = None;
        call.authorised_seconds = None;
        store::calls::save(&tx, &call).await?;
    }
    Ok(tx.commit().await?)
}
