//! A call out: a phone of ours has dialled a number. It goes to the carrier that call control names, to the next one when that
//! fails, and is metered from the carrier's answer on.

use crate::call::{Call, End, Outcome};
use crate::control::{CallEventKind, DialDecision, Dialled, EndCause, Grant, IncomingCall, RefusalReason, Unavailable};
use crate::live::CallState;
use crate::prompt::Prompt;
use crate::shared::lock;
use crate::trunk::Rung;
use std::convert::Infallible;
use tokio::time::timeout;
use tracing::info;

impl Call {
    /// The life of a call out. It always comes back with an [`End`].
    pub(crate) async fn dial_out(&mut self, username: String, incoming: IncomingCall) -> Outcome<Infallible> {
        self.is_dialled = true;
        lock(&self.live).agent = Some(username.clone());
        let dialled = Dialled {
            call_id: self.log.call_id,
            username: username.clone(),
            called: incoming.called.clone(),
            received_at: incoming.received_at,
        };
        let (longest, control) = (self.shared.config.timing.control, self.shared.control.clone());
        let decided = timeout(longest, control.dial(&dialled)).await;
        // Told after the decision: the call's book is known then, and nothing has rung yet.
        let (called, sip_call_id) = (incoming.called, incoming.sip_call_id);
        self.record(CallEventKind::DialStarted { username, called, sip_call_id }).await?;
        let mut decision = decided_in_time(decided)?;
        for attempt in 1.. {
            let (trunk, grant) = match decision {
                DialDecision::Ring { trunk, grant } => (trunk, grant),
                // A phone that was rung first is told by words.
                DialDecision::Refuse { reason, .. } if self.accepted => return self.refuse(reason).await,
                DialDecision::Refuse { status, reason } => return Err(End::with(EndCause::Refused(reason), status)),
            };
            if grant.authorised_seconds == Some(0) {
                return Err(End::with(EndCause::Refused(RefusalReason::NoCredit), 402));
            }
            self.record(CallEventKind::CarrierRinging { attempt }).await?;
            match self.ring_trunk(&trunk).await? {
                Rung::Answered => return self.talk_outside(grant).await,
                Rung::Refused(status) => {
                    if self.accepted {
                        self.caller.leg.set_background(None);
                        self.say(&[Prompt::Busy]).await?;
                    }
                    return Err(End::with(EndCause::NotReached, status));
                }
                Rung::Failed(failure) => {
                    info!(attempt, failure, "A carrier has failed");
                    let asked = control.dial_next(self.log.call_id, &failure, self.shared.clock.now());
                    decision = decided_in_time(timeout(longest, asked).await)?;
                }
            }
        }
        Err(End::with(EndCause::Refused(RefusalReason::NoRoute), 480))
    }

    /// The carrier has answered, and charges from now on: so do we. Then the phone is told.
    async fn talk_outside(&mut self, grant: Grant) -> Outcome<Infallible> {
        self.start_meter(grant).await?;
        if let Some(offer) = &self.offer {
            // Who is called speaks at once.
            self.caller.connect(offer);
        }
        self.join();
        self.pick_up().await?;
        self.join();
        self.set_state(CallState::Talking);
        loop {
            self.next(None).await?;
        }
    }
}

fn decided_in_time(
    decided: Result<Result<DialDecision, Unavailable>, tokio::time::error::Elapsed>,
) -> Outcome<DialDecision> {
    let Ok(Ok(decision)) = decided else {
        return Err(End::with(EndCause::Refused(RefusalReason::Unavailable), 503));
    };
    Ok(decision)
}
