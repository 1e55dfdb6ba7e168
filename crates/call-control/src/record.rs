//! What happened, told by the edge: at least once, in order within a call. The same event twice is one event.

use crate::admission;
use crate::control::Control;
use crate::entity::call::Model;
use crate::error::Result;
use crate::outgoing::edge as outside;
use crate::retry::retry;
use crate::settlement::{self, Ending};
use crate::store::calls::{Arrival, NewEvent};
use crate::{grant, included, store};
use chrono::{DateTime, Utc};
use db::{AgentId, CallId, TenantId, TenantTx};
use ledger::Leg;
use sha2::{Digest, Sha256};
use sip_media::{CallEvent, CallEventKind};
use tenant::AgentState;
use tracing::debug;
use usage_metering::{Claim, SuspenseCause};

/// Takes events of one or more calls; durable when it returns. Each call in its own transaction.
pub(crate) async fn record(control: &Control, events: &[CallEvent]) -> Result<()> {
    let mut calls: Vec<(CallId, Vec<&CallEvent>)> = Vec::new();
    for event in events {
        let call_id = CallId::from_uuid(event.call_id);
        match calls.iter_mut().find(|(id, _)| *id == call_id) {
            Some((_, told)) => told.push(event),
            None => calls.push((call_id, vec![event])),
        }
    }
    for (call_id, told) in calls {
        let Some(tenant_id) = book_of(control, call_id, &told).await? else {
            // Nobody had the number: there is no book to keep it in, and nothing was served.
            debug!(call.id = %call_id, "Events of a call to a number that nobody has");
            continue;
        };
        let Some(call) = retry(|| record_call(control, tenant_id, call_id, &told)).await? else { continue };
        outside::told(control, tenant_id, &call, &told).await?;
        if call.ended_at.is_some() {
            control.forget(call_id);
        }
    }
    Ok(())
}

async fn book_of(control: &Control, call_id: CallId, told: &[&CallEvent]) -> Result<Option<TenantId>> {
    if let Some(tenant_id) = control.book_of(call_id).await? {
        return Ok(Some(tenant_id));
    }
    // The edge tells of the INVITE before it asks for admission: this may be the first that is heard of the call.
    for event in told {
        match &event.kind {
            CallEventKind::CallStarted { called, .. } => {
                return Ok(admission::owner(control, called, event.at).await?.map(|(_, tenant_id)| tenant_id));
            }
            // Of a call out the book is its phone's, whoever may have the number that it calls.
            CallEventKind::DialStarted { username, .. } => {
                return Ok(outside::book_of_phone(control, username).await?.map(|(tenant_id, _)| tenant_id));
            }
            _ => {}
        }
    }
    Ok(None)
}

/// The call as it is then; `None` where it has no row.
async fn record_call(
    control: &Control,
    tenant_id: TenantId,
    call_id: CallId,
    told: &[&CallEvent],
) -> Result<Option<Model>> {
    let Some(now) = told.iter().map(|event| event.at).max() else { return Ok(None) };
    let tx = control.db().tenant(tenant_id).await?;
    open(control, &tx, call_id, told).await?;
    let Some(mut call) = store::calls::lock(&tx, call_id).await? else { return Ok(None) };
    let fresh = claim(&tx, call_id, told, now).await?;
    for event in &fresh {
        apply(&tx, &mut call, event).await?;
    }
    if call.ended_at.is_some() {
        tx.place("settle.halfway").await?;
    }
    if !fresh.is_empty() {
        store::calls::save(&tx, &call).await?;
    }
    tx.commit().await?;
    if call.ended_at.is_some() {
        db::fault::place("settle.committed");
    }
    Ok(Some(call))
}

/// Opens the row of a call that starts here.
async fn open(control: &Control, tx: &TenantTx, call_id: CallId, told: &[&CallEvent]) -> Result<()> {
    for event in told {
        let CallEventKind::CallStarted { called, caller, .. } = &event.kind else { continue };
        let Some((number_id, _)) = admission::owner(control, called, event.at).await? else { continue };
        let number = subscription::number(tx, number_id, event.at).await?;
        let network_customer = number.as_ref().and_then(|number| number.network_customer);
        let arrival = Arrival {
            call_id,
            number_id,
            called: &admission::e164(called),
            caller: caller.as_deref(),
            customer_id: network_customer,
            started_at: event.at,
            collected_by: if network_customer.is_some() { "seller" } else { "tenant" },
            language: number.as_ref().map(|number| number.language.as_str()),
        };
        store::calls::open(tx, &arrival).await?;
    }
    Ok(())
}

/// The events that nobody told before, kept in the call's timeline. A known key with another payload changes nothing and is
/// kept in suspense for a person.
async fn claim<'a>(
    tx: &TenantTx,
    call_id: CallId,
    told: &[&'a CallEvent],
    now: DateTime<Utc>,
) -> Result<Vec<&'a CallEvent>> {
    let keys: Vec<(String, i32, [u8; 32])> =
        told.iter().map(|event| (event.kind.name().to_owned(), seq(event), payload_hash(event))).collect();
    let claims = usage_metering::claim_call_events(tx, call_id, &keys, now).await?;
    let mut fresh = Vec::new();
    let mut rows = Vec::new();
    for (event, claim) in told.iter().zip(claims) {
        match claim {
            Claim::New => {
                rows.push(NewEvent {
                    kind: event.kind.name(),
                    seq: seq(event),
                    at: event.at,
                    offset_ms: i64::try_from(event.offset_ms).unwrap_or(i64::MAX),
                    detail: detail(event),
                });
                fresh.push(*event);
            }
            Claim::Known => {}
            Claim::Conflict => {
                let payload = serde_json::json!({ "call_id": call_id, "event": event });
                let text = format!("event {} of call {call_id} was told before with another content", event.seq);
                usage_metering::suspend(tx, SuspenseCause::Conflict, &text, &payload, now).await?;
            }
        }
    }
    store::calls::insert_events(tx, call_id, &rows).await?;
    Ok(fresh)
}

fn seq(event: &CallEvent) -> i32 {
    i32::try_from(event.seq).unwrap_or(i32::MAX)
}

fn payload_hash(event: &CallEvent) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(event.at.timestamp_micros().to_be_bytes());
    hasher.update(event.offset_ms.to_be_bytes());
    hasher.update(detail(event).to_string().as_bytes());
    hasher.finalize().into()
}

/// What the event says beside its kind: `{"digit":3}`; `{}` for one that says nothing.
fn detail(event: &CallEvent) -> serde_json::Value {
    match serde_json::to_value(&event.kind) {
        Ok(serde_json::Value::Object(kind)) => kind.into_values().next().unwrap_or_default(),
        _ => serde_json::json!({}),
    }
}

async fn apply(tx: &TenantTx, call: &mut Model, event: &CallEvent) -> Result<()> {
    call.last_seen_at = call.last_seen_at.max(event.at);
    let call_id = CallId::from_uuid(call.id);
    if let CallEventKind::CallEnded { cause, metered_ms, estimated, .. } = &event.kind {
        let ending = Ending { at: event.at, cause: *cause, metered_ms: *metered_ms, estimated: *estimated };
        // What no carrier took is over since its refusal: nothing is settled any more that would free who dialled.
        let is_refused = call.end_cause.as_deref().is_some_and(|cause| cause.starts_with("refused:"));
        if let Some(agent_id) = call.agent_id.filter(|_| is_refused) {
            free_agent(tx, agent_id.into(), event.at).await?;
        }
        return settlement::end(tx, call, &ending).await;
    }
    if call.ended_at.is_some() {
        // A late telling of what came before the end: it is in the timeline, and the end stands.
        return Ok(());
    }
    match &event.kind {
        CallEventKind::CallAnswered { .. } => call.answered_at = Some(event.at),
        CallEventKind::TopicSelected { digit } => call.digit = Some(i32::from(*digit)),
        CallEventKind::AgentRinging { .. } | CallEventKind::CarrierRinging { .. } => call.state = "queued".to_owned(),
        CallEventKind::DialStarted { username, .. } => {
            // Who is ready is not rung while he dials; who is not, says so himself afterwards, too.
            if let Some(agent_id) = agent(tx, username).await? {
                take_agent(tx, agent_id, event.at).await?;
            }
        }
        CallEventKind::AgentJoined { username } => {
            call.state = "talking".to_owned();
            if let Some(agent_id) = agent(tx, username).await? {
                call.agent_id = Some(agent_id.uuid());
                tenant::set_agent_state(tx, agent_id, AgentState::Talking, None, event.at).await?;
            }
        }
        CallEventKind::AgentLeft { username } => {
            if let Some(agent_id) = agent(tx, username).await? {
                free_agent(tx, agent_id, event.at).await?;
            }
        }
        CallEventKind::MeterStarted => {
            call.meter_started_at = Some(event.at);
            call.state = "talking".to_owned();
        }
        CallEventKind::HoldOn => call.state = "held".to_owned(),
        CallEventKind::HoldOff => call.state = "talking".to_owned(),
        CallEventKind::Heartbeat { metered_ms } => {
            call.metered_ms = Some(i64::try_from(*metered_ms).unwrap_or(i64::MAX));
        }
        // What was granted is on the row since the grant; who was identified, too.
        CallEventKind::CallStarted { .. }
        | CallEventKind::CallerIdentified { .. }
        | CallEventKind::GrantRenewed { .. }
        | CallEventKind::LowBalanceAnnounced { .. }
        | CallEventKind::CallEnded { .. } => {}
    }
    keep_hold(tx, call_id, call, event.at).await
}

/// A sign of life keeps what is held for the call, and holds more of what a plan includes.
async fn keep_hold(tx: &TenantTx, call_id: CallId, call: &Model, at: DateTime<Utc>) -> Result<()> {
    if call.subscription_id.is_some() {
        let metered = call.metered_ms.map_or(0, |ms| crate::price::started_seconds(ms.unsigned_abs()));
        ledger::extend_lease(tx, call_id, Leg::Caller, grant::lease(None, metered, at), at).await?;
        return included::hold_on(tx, call_id, metered, at).await;
    }
    if let Some(authorised) = call.authorised_seconds {
        let metered = call.metered_ms.map_or(0, |ms| crate::price::started_seconds(ms.unsigned_abs()));
        let until = grant::lease(Some(authorised.unsigned_abs()), metered, at);
        ledger::extend_lease(tx, call_id, Leg::Caller, until, at).await?;
    }
    Ok(())
}

async fn agent(tx: &TenantTx, username: &str) -> Result<Option<AgentId>> {
    let agents = tenant::agents(tx).await?;
    Ok(agents.into_iter().find(|agent| agent.sip_username == username).map(|agent| agent.id))
}

async fn take_agent(tx: &TenantTx, agent_id: AgentId, at: DateTime<Utc>) -> Result<()> {
    let states = tenant::agent_states(tx).await?;
    if states.iter().any(|status| status.agent_id == agent_id && status.state == AgentState::Ready) {
        tenant::set_agent_state(tx, agent_id, AgentState::Talking, None, at).await?;
    }
    Ok(())
}

/// An agent who talked may be rung again; one who has meanwhile said otherwise, or left the seat, is left in peace.
pub(crate) async fn free_agent(tx: &TenantTx, agent_id: AgentId, at: DateTime<Utc>) -> Result<()> {
    let states = tenant::agent_states(tx).await?;
    if states.iter().any(|status| status.agent_id == agent_id && status.state == AgentState::Talking) {
        tenant::set_agent_state(tx, agent_id, AgentState::Ready, None, at).await?;
    }
    Ok(())
}
