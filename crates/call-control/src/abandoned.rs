//! Calls whose edge never came back: closed where they were last known to be alive, and said to be estimated.

use crate::entity::call::Model;
use crate::error::Result;
use crate::outgoing::admit::mark_attempt;
use crate::retry::retry;
use crate::settlement::{self, Ending};
use crate::store;
use crate::store::carriers::Place;
use chrono::{DateTime, TimeDelta, Utc};
use db::{CallId, Db, TenantId};
use sip_media::EndCause;
use tracing::warn;

/// A metered call is heard of every ten seconds; an edge that restarts or catches up takes minutes.
const METERED_SILENT_MINUTES: i64 = 15;
/// Before the meter there are no heartbeats, and a queue may be long.
const WAITING_SILENT_MINUTES: i64 = 180;

/// Closes the calls of a tenant that nobody has heard of for too long; how many. Should the edge come back after all, what it
/// knows better becomes a correction.
pub(crate) async fn close_abandoned(db: &Db, tenant_id: TenantId, now: DateTime<Utc>) -> Result<u64> {
    let tx = db.tenant(tenant_id).await?;
    let metered_before = now - TimeDelta::minutes(METERED_SILENT_MINUTES);
    let waiting_before = now - TimeDelta::minutes(WAITING_SILENT_MINUTES);
    let silent = store::calls::silent(&tx, metered_before, waiting_before).await?;
    tx.commit().await?;
    for call_id in &silent {
        warn!(call.id = %call_id, "Closing a call whose edge is silent");
        let closed = retry(|| close(db, tenant_id, *call_id, metered_before)).await?;
        if let Some(call) = closed.filter(|call| call.direction == "outbound" && call.metered_ms == Some(0)) {
            // Nobody has answered, as far as is known: it is over for the books above and for the carrier, too.
            let place = Place { origin: tenant_id, call_id: *call_id };
            mark_attempt(db, place, call.started_at, (false, Some("not answered")), now).await?;
        }
    }
    Ok(silent.len() as u64)
}

async fn close(db: &Db, tenant_id: TenantId, call_id: CallId, heard_before: DateTime<Utc>) -> Result<Option<Model>> {
    let tx = db.tenant(tenant_id).await?;
    let Some(mut call) = store::calls::lock(&tx, call_id).await? else { return Ok(None) };
    // It may have been heard of, or have ended, since it was found.
    if call.ended_at.is_some() || call.last_seen_at >= heard_before {
        return Ok(None);
    }
    let metered_ms = call.metered_ms.unwrap_or(0).unsigned_abs();
    let ending = Ending { at: call.last_seen_at, cause: EndCause::EdgeFailure, metered_ms, estimated: true };
    settlement::end(&tx, &mut call, &ending).await?;
    store::calls::save(&tx, &call).await?;
    tx.commit().await?;
    Ok(Some(call))
}
