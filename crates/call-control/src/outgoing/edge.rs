//! What an edge asks about calls out: a phone has dialled, a carrier has failed, a call talks on. The edge learns an address and a
//! length of time; which book's carrier it is, and what it costs, stays here.

use crate::control::Control;
use crate::entity::call::Model;
use crate::error::Result;
use crate::outgoing::admit::{OutgoingAdmission, OutgoingCall, TakenBy};
use crate::outgoing::plan::OutgoingRefusal;
use crate::store::calls;
use crate::trunk::{self, LineOf};
use chrono::{DateTime, Utc};
use db::{CallId, PlatformReason, TenantId};
use sip_media::{CallEvent, CallEventKind, DialDecision, Dialled, RefusalReason, Trunk, TrunkLogin};
use tracing::{info, warn};

/// What a carrier is said to have answered whose password does not open.
const DOES_NOT_OPEN: &str = "its password must be entered again";

fn refuse(status: u16, reason: RefusalReason) -> Result<DialDecision> {
    Ok(DialDecision::Refuse { status, reason })
}

/// After events of a call are durable: what they say of its carrier goes to that one's book. Told again, it changes nothing.
pub(crate) async fn told(control: &Control, tenant_id: TenantId, row: &Model, told: &[&CallEvent]) -> Result<()> {
    let Some(call) = of(tenant_id, row) else { return Ok(()) };
    let is_answered = told.iter().any(|event| matches!(event.kind, CallEventKind::MeterStarted));
    if is_answered {
        control.mark_attempt(&call, true, None, call.at).await?;
    }
    if let (Some(ended_at), Some(0)) = (row.ended_at, row.metered_ms) {
        control.mark_attempt(&call, false, Some("not answered"), ended_at).await?;
    }
    Ok(())
}

/// What the phone is told (RFC 3261 21.4): 403 for what it may not, 404 for what is no number, 402 for what it cannot pay, 480 for
/// what may work later.
fn answer(refusal: OutgoingRefusal) -> (u16, RefusalReason) {
    use OutgoingRefusal as R;
    match refusal {
        R::UnknownNumber | R::UnknownCustomer | R::NotOpen | R::Currency => (403, RefusalReason::NotOpen),
        R::Suspended => (403, RefusalReason::Suspended),
        R::DestinationClosed => (403, RefusalReason::DestinationClosed),
        R::NotANumber => (404, RefusalReason::UnknownNumber),
        R::NoPrice => (404, RefusalReason::NoRoute),
        R::NoRoute | R::Loss => (480, RefusalReason::NoRoute),
        R::CallsAtOnce => (480, RefusalReason::AtCapacity),
        R::CallLimit | R::HourLimit | R::DayLimit | R::ClassLimit => (402, RefusalReason::LimitReached),
        R::NoCredit => (402, RefusalReason::NoCredit),
    }
}

/// In whose book a phone's agent is, and which one it is.
pub(crate) async fn book_of_phone(control: &Control, username: &str) -> Result<Option<(TenantId, db::AgentId)>> {
    let ptx = control.db().platform(PlatformReason::SignIn).await?;
    let found = tenant::phone_secret(&ptx, username).await?;
    ptx.commit().await?;
    Ok(found.map(|user| (user.organisation_id, user.agent_id)))
}

/// A registered phone has dialled.
pub(crate) async fn dial(control: &Control, dialled: &Dialled) -> Result<DialDecision> {
    let Some((tenant_id, agent_id)) = book_of_phone(control, &dialled.username).await? else {
        return refuse(403, RefusalReason::NotOpen);
    };
    let tx = control.db().tenant(tenant_id).await?;
    let Some(line) = trunk::outgoing_line(&tx, LineOf::One(agent_id)).await? else {
        info!(tenant.id = %tenant_id, "An agent has dialled, and nobody is said to pay for it");
        return refuse(403, RefusalReason::NotOpen);
    };
    tx.commit().await?;
    let Some(called) = line.number_of(&dialled.called) else { return refuse(404, RefusalReason::UnknownNumber) };
    let call = OutgoingCall {
        call_id: dialled.call_id.into(),
        tenant_id,
        customer_id: line.customer_id,
        from: line.number,
        called,
        agent_id: Some(agent_id),
        is_live: true,
        at: dialled.received_at,
    };
    let admission = control.admit_outgoing(&call).await?;
    decided(control, &call, admission, call.at).await
}

/// The carrier that has the call has failed.
pub(crate) async fn dial_next(
    control: &Control,
    call_id: CallId,
    failure: &str,
    at: DateTime<Utc>,
) -> Result<DialDecision> {
    let Some(call) = find(control, call_id).await? else { return refuse(480, RefusalReason::NoRoute) };
    let admission = control.next_route(&call, failure, at).await?;
    decided(control, &call, admission, at).await
}

/// A call out as it was asked for; `None` for another call.
pub(crate) async fn find(control: &Control, call_id: CallId) -> Result<Option<OutgoingCall>> {
    let Some(tenant_id) = control.book_of(call_id).await? else { return Ok(None) };
    let tx = control.db().tenant(tenant_id).await?;
    let row = calls::find(&tx, call_id).await?;
    tx.commit().await?;
    Ok(row.as_ref().and_then(|row| of(tenant_id, row)))
}

pub(crate) fn of(tenant_id: TenantId, row: &Model) -> Option<OutgoingCall> {
    (row.direction == "outbound").then_some(())?;
    Some(OutgoingCall {
        call_id: row.id.into(),
        tenant_id,
        customer_id: row.customer_id?.into(),
        from: row.caller.clone()?,
        called: row.called.clone(),
        agent_id: row.agent_id.map(Into::into),
        is_live: true,
        at: row.started_at,
    })
}

async fn decided(
    control: &Control,
    call: &OutgoingCall,
    mut admission: OutgoingAdmission,
    at: DateTime<Utc>,
) -> Result<DialDecision> {
    loop {
        let (carrier, grant) = match admission {
            OutgoingAdmission::Out { carrier, grant } => (carrier, grant),
            OutgoingAdmission::Refused { refusal, detail } => {
                info!(call.id = %call.call_id, refusal = refusal.as_str(), detail, "A call out is refused");
                let (status, reason) = answer(refusal);
                return refuse(status, reason);
            }
        };
        if let Some(trunk) = trunk_of(control, call, &carrier).await? {
            return Ok(DialDecision::Ring { trunk, grant });
        }
        warn!(carrier.code = carrier.code, "A carrier's password does not open: the program's secret is another one");
        admission = control.next_route(call, DOES_NOT_OPEN, at).await?;
    }
}

/// Where the carrier is, read in its own book; `None` where nobody can say what it wants to hear.
async fn trunk_of(control: &Control, call: &OutgoingCall, carrier: &TakenBy) -> Result<Option<Trunk>> {
    let tx = control.db().tenant(carrier.book).await?;
    let Some(found) = trunk::trunk(&tx, carrier.carrier_id).await? else { return Ok(None) };
    let login = match (found.username, found.password_sealed) {
        (Some(username), Some(sealed)) => {
            let place = trunk::place_of(&tx, carrier.carrier_id);
            let opened = control.safe().and_then(|safe| safe.open(&place, &sealed));
            let Some(password) = opened else { return Ok(None) };
            Some(TrunkLogin { username, password })
        }
        _ => None,
    };
    tx.commit().await?;
    Ok(Some(Trunk {
        host: found.host,
        port: found.port,
        transport: found.transport,
        login,
        called: call.called.clone(),
        shown: call.from.clone(),
        shown_as: found.shown_as,
    }))
}
