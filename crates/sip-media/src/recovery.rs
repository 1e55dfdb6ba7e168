//! After a crash: every call that was open is closed where it was last known to be alive.

use crate::config::EdgeError;
use crate::control::{CallEvent, CallEventKind, CallId, EndCause};
use crate::segment::OpenCall;
use crate::spool::Spool;
use std::collections::HashMap;
use tracing::warn;

/// Appends a `call_ended` for each. What is charged is the last heartbeat, never above the grant; the time is the last
/// event's, because nothing is known of the call after it.
pub(crate) async fn close(spool: &Spool, open: HashMap<CallId, OpenCall>) -> Result<(), EdgeError> {
    for (call_id, call) in open {
        let granted_ms = call.granted_seconds.map_or(u64::MAX, |seconds| u64::from(seconds) * 1_000);
        let metered_ms = call.metered_ms.min(granted_ms);
        warn!(call.id = %call_id, metered_ms, "Closed a call that the last edge left open");
        let kind = CallEventKind::CallEnded {
            cause: EndCause::EdgeFailure,
            sip_status: None,
            metered_ms,
            estimated: true,
            rtp_received: 0,
            rtp_sent: 0,
        };
        let event = CallEvent { call_id, seq: call.seq + 1, at: call.at, offset_ms: call.offset_ms, kind };
        spool.append(event, None).await?;
    }
    Ok(())
}
