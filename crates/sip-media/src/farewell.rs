//! How a call ends: media off, the last event on disk, then both sides are told.

use crate::call::{Call, End};
use crate::control::{CallEventKind, EndCause};
use crate::party::{Partner, Who};
use crate::shared::Shared;
use rsipstack::dialog::invite_dialog::InviteDialog;
use rsipstack::sip::StatusCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;
use tracing::{error, info};

impl Call {
    pub(crate) async fn finish(&mut self, end: End) {
        let ended = Instant::now();
        self.silence();
        let metered = self.meter.as_ref().map_or(Duration::ZERO, |meter| meter.metered(ended));
        if let Some(Partner { who: Who::Agent(username), .. }) = &self.partner {
            let left = CallEventKind::AgentLeft { username: username.clone() };
            if let Err(error) = self.log.append(left, None).await {
                error!(%error, "An event was not kept");
            }
        }
        let last = CallEventKind::CallEnded {
            cause: end.cause,
            sip_status: end.status,
            metered_ms: metered.as_millis() as u64,
            estimated: false,
            rtp_received: self.caller.leg.received(),
            rtp_sent: self.caller.leg.sent(),
        };
        if let Err(error) = self.log.append(last, None).await {
            // The next start finds the call open and closes it.
            error!(%error, "The end of a call was not kept");
        }
        info!(cause = ?end.cause, metered_ms = metered.as_millis() as u64, "Ended");
        self.stop_ringing();
        let reason = reason_header(end.cause);
        if let Some(partner) = self.partner.take() {
            self.shared.say_farewell(partner.party.dialog, Some(reason));
        }
        let dialog = self.caller.dialog.clone();
        if !self.accepted && !dialog.state().is_terminated() {
            let status = StatusCode::from(end.status.unwrap_or(480));
            let why = match end.cause {
                EndCause::Refused(reason) if self.is_dialled => {
                    Some(format!("SIP;cause={};text=\"{}\"", status.code(), reason.words()))
                }
                _ => None,
            };
            if let Err(error) = dialog.reject(Some(status), why) {
                info!(%error, "The caller was gone before it was refused");
            }
        }
        self.shared.say_farewell(dialog, Some(reason));
    }
}

/// RFC 3326, so that a trace tells why.
fn reason_header(cause: EndCause) -> &'static str {
    match cause {
        EndCause::BalanceExhausted => "Q.850;cause=16;text=\"authorised time used up\"",
        EndCause::RtpTimeout => "SIP;cause=804;text=\"MEDIA_TIMEOUT\"",
        EndCause::SessionExpired => "SIP;cause=408;text=\"session expired\"",
        EndCause::EndedByAdmin => "Q.850;cause=31;text=\"ended by the operator\"",
        EndCause::ShutDown | EndCause::EdgeFailure => "Q.850;cause=41;text=\"going down\"",
        _ => "Q.850;cause=16;text=\"normal call clearing\"",
    }
}

/// Counts a hang-up as under way until dropped.
pub(crate) struct Farewell(Arc<Shared>);

impl Drop for Farewell {
    fn drop(&mut self) {
        self.0.farewells.fetch_sub(1, Ordering::AcqRel);
        self.0.quiet.notify_waiters();
    }
}

impl Shared {
    pub(crate) fn farewell(self: &Arc<Self>) -> Farewell {
        self.farewells.fetch_add(1, Ordering::AcqRel);
        Farewell(self.clone())
    }

    /// BYE if the dialog is up, in a task, and then the dialog is forgotten in every case.
    pub(crate) fn say_farewell(self: &Arc<Self>, dialog: InviteDialog, reason: Option<&'static str>) {
        let (shared, farewell) = (self.clone(), self.farewell());
        tokio::spawn(async move {
            let _farewell = farewell;
            let up = !dialog.state().is_terminated();
            let reason = reason.unwrap_or("Q.850;cause=16").to_owned();
            if up {
                tokio::select! {
                    () = shared.abort.cancelled() => {}
                    sent = dialog.bye_with_reason(reason) => if let Err(error) = sent {
                        info!(%error, "A BYE was not answered");
                    }
                }
            }
            shared.dialogs.remove_dialog(&dialog.id());
        });
    }
}
